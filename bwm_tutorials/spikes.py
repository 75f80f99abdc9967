"""Spikes around events: counts and rates of all units at once.

Times are seconds. A unit is a cluster of the sorting, called by its id. An interval holds its start and not its stop.
The recording lasts from the first spike that is given to the last, so give a probe's spikes and choose among them by
``units``; what leaves the recording was not seen, and is never counted as silence.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

# Lessons reach all of it as bwm.spikes. Quality stands apart because the simulation rests on it.
from .quality import (  # noqa: F401
    CONTAMINATIONS,
    MAX_CONTAMINATION,
    MAX_NOISE_CUTOFF,
    MIN_AMPLITUDE,
    MIN_CONFIDENCE,
    REFRACTORY_PERIODS,
    SAMPLING_RATE,
    arrays,
    autocorrelogram,
    isi_histogram,
    noise_cutoff,
    quality_labels,
    quality_metrics,
    refractory_confidence,
    sliding_refractory_period,
)
from .responses import (  # noqa: F401
    CORRECTION,
    circular_correlations,
    comparable_pairs,
    flagged_by_chance,
    noise_correlations,
    rank_correlations,
    selectivity,
    signed_rank,
)

Spikes = Mapping[str, np.ndarray]

_BLOCK = 2**16  # spikes that are handled at a time: few enough to stay in the processor's cache
_CELLS = 2**22  # and cells (unit, trial and bin) that they are counted in


class TrialCounts(NamedTuple):
    """Spike counts around events, as `trial_counts` gives them."""

    counts: np.ndarray
    units: pd.Index
    trials: pd.Index
    times: np.ndarray
    events: str
    window: tuple[float, float]
    bin_size: float


class Peth(NamedTuple):
    """Rates around events, as `peth` gives them."""

    mean: pd.DataFrame
    sem: pd.DataFrame
    n_trials: int | pd.Series
    events: str
    window: tuple[float, float]
    bin_size: float


def firing_rates(spikes: Spikes) -> pd.Series:
    """Spikes a second of every unit, over the recording.

    Parameters
    ----------
    spikes : Bunch or other mapping
        ``times`` (s, sorted) and ``clusters`` (integers), each of shape (n_spikes,), as ``Insertion.spikes`` gives
        them.

    Returns
    -------
    Series
        Hz, by cluster id; of units that have spikes. Those of `quality_metrics`.
    """
    times, clusters = _checked(spikes)
    n_spikes = np.bincount(clusters)
    units = np.flatnonzero(n_spikes)
    with np.errstate(divide="ignore"):  # spikes at one moment make a recording of no length
        rates = n_spikes[units] / (times[-1] - times[0])
    return pd.Series(rates, pd.Index(units, name="cluster"), name="firing_rate")


def around(events: npt.ArrayLike, window: tuple[float, float]) -> pd.DataFrame:
    """The interval around each event.

    Parameters
    ----------
    events : array-like, shape (n_events,)
        s; NaN allowed. A column of the trials' table brings its name and its trials' numbers.
    window : tuple
        Start and stop, s from the event.

    Returns
    -------
    DataFrame
        One row an event: ``start`` and ``stop`` (s). Its ``attrs`` have the name of the ``events`` and the ``window``.

    Raises
    ------
    ValueError
        The window does not stop after its start, or the events have more than one dimension.
    """
    start, stop = map(float, window)
    if not start < stop:
        raise ValueError(f"A window stops after its start; this is from {start} to {stop} s.")
    if np.ndim(events) != 1:
        raise ValueError(f"Events are one time each, of shape (n_events,); these have the shape {np.shape(events)}.")
    events = pd.Series(events)
    times = events.to_numpy(float)
    table = pd.DataFrame({"start": times + start, "stop": times + stop}, index=events.index)
    table.attrs = {"events": "events" if events.name is None else str(events.name), "window": (start, stop)}
    return table


def aligned(
    spikes: Spikes, unit: int, events: npt.ArrayLike, window: tuple[float, float] = (-0.2, 0.5)
) -> pd.DataFrame:
    """The spikes of one unit around events, one by one: what a raster shows.

    Parameters
    ----------
    spikes, events, window
        As in `trial_counts`.
    unit : int
        Cluster id.

    Returns
    -------
    DataFrame
        One row a spike and event: ``trial`` (position among the events, from 0) and ``time`` (s from the event). A
        spike in the windows of two events has two rows; events that `trial_counts` leaves out have none.
    """
    trains, _ = _trains(spikes, [unit])
    table = around(events, window)
    times = trains.times[np.asarray(spikes["clusters"]) == unit]
    first, last = np.searchsorted(times, table["start"]), np.searchsorted(times, table["stop"])
    n = np.where(_inside(trains, *table.to_numpy().T), last - first, 0)
    trial = np.repeat(np.arange(n.size), n)
    nth = np.arange(trial.size) - np.repeat(np.cumsum(n) - n, n)
    return pd.DataFrame({"trial": trial, "time": times[first[trial] + nth] - np.asarray(events, float)[trial]})


def counts_in_intervals(
    spikes: Spikes, intervals: npt.ArrayLike | pd.DataFrame, units: npt.ArrayLike | None = None
) -> pd.DataFrame:
    """How many spikes each unit has in each interval.

    Parameters
    ----------
    spikes : Bunch or other mapping
        As in `firing_rates`.
    intervals : DataFrame or array-like, shape (n_intervals, 2)
        Start and stop (s), as `around` gives them; in any order, overlaps allowed.
    units : array-like of int, optional
        Cluster ids, in the order wanted. Default all that have spikes.

    Returns
    -------
    DataFrame
        Units (rows, by cluster id) × intervals (columns, by the rows of ``intervals``), float64. NaN where an interval
        is not known (NaN) or leaves the recording. Has the ``attrs`` of ``intervals``. Agrees with
        ``brainbox.population.decode.get_spike_counts_in_bins``, which counts 0 there.

    Raises
    ------
    ValueError
        Spikes are not in order, an interval ends before it starts, none lies in the recording, or a unit has no
        spikes.
    """
    trains, units = _trains(spikes, units)
    table = intervals if isinstance(intervals, pd.DataFrame) else pd.DataFrame(np.asarray(intervals))
    if table.shape[1] != 2:
        raise ValueError(f"Intervals are start and stop, of shape (n_intervals, 2); these have shape {table.shape}.")
    edges = table.to_numpy(float)
    if (edges[:, 0] > edges[:, 1]).any():
        raise ValueError("An interval ends before it starts: the first column is the start, the second the stop.")
    inside = np.flatnonzero(_inside(trains, *edges.T))
    counts = np.full((units.size, len(table)), np.nan)
    for part, interval, of, _ in _found(trains, *edges[inside].T, units.size):
        n = part.stop - part.start
        here = np.bincount(of * n + interval, minlength=units.size * n)
        counts[:, inside[part]] = here.reshape(units.size, n)
    result = pd.DataFrame(counts, units, table.index)
    result.attrs = dict(table.attrs)
    return result


def trial_counts(
    spikes: Spikes,
    events: npt.ArrayLike,
    window: tuple[float, float] = (-0.2, 0.5),
    bin_size: float = 0.01,
    units: npt.ArrayLike | None = None,
) -> TrialCounts:
    """Spike counts of each unit around each event, in bins.

    Parameters
    ----------
    spikes, units
        As in `counts_in_intervals`.
    events, window
        As in `around`.
    bin_size : float
        s; the window holds a whole number of bins.

    Returns
    -------
    TrialCounts
        - ``counts``: units × trials × bins, int16 (int32 if a window has more spikes than that can count).
        - ``units``: cluster ids.
        - ``trials``: which events were counted, by the index of ``events`` or by position. An event that is NaN, or
          whose window leaves the recording, is not among them.
        - ``times``: the middle of each bin, s from the event.
        - ``events`` (their name), ``window``, ``bin_size``.

        Agrees with ``brainbox.singlecell.bin_spikes2D``, which counts 0 where it does not know.

    Raises
    ------
    ValueError
        As `counts_in_intervals`, or bins do not fill the window.
    """
    trains, units = _trains(spikes, units)
    table = around(events, window)
    centres = _centres(window, bin_size)
    inside = _inside(trains, *table.to_numpy().T)
    start, stop = table[inside].to_numpy().T
    most = np.diff(np.searchsorted(trains.times, [start, stop]), axis=0).max()
    dtype = np.int16 if most <= np.iinfo(np.int16).max else np.int32
    counts = np.zeros((units.size, start.size, centres.size), dtype)
    for part, trial, cell, n in _binned(trains, start, stop, units.size, centres.size, bin_size):
        one = np.flatnonzero(n)
        of, bins = np.divmod(cell[one], centres.size)
        counts[of, part.start + trial[one], bins] = n[one]
    return TrialCounts(counts, units, table.index[inside], centres, **table.attrs, bin_size=bin_size)


def peth(
    spikes: Spikes,
    events: npt.ArrayLike,
    window: tuple[float, float] = (-0.2, 0.5),
    bin_size: float = 0.01,
    units: npt.ArrayLike | None = None,
    condition: npt.ArrayLike | None = None,
) -> Peth:
    """The mean rate of each unit around events (peri-event time histogram), not smoothed.

    Parameters
    ----------
    spikes, events, window, bin_size, units
        As in `trial_counts`.
    condition : array-like, shape (n_events,), optional
        A label for each event, to average events of each label by themselves; NaN leaves an event out.

    Returns
    -------
    Peth
        - ``mean``, ``sem``: tables of Hz. Rows are units (by cluster id; with a condition by label and cluster id),
          columns the middles of the bins (s from the event). ``sem`` is the standard error of the mean over trials,
          NaN for a single one.
        - ``n_trials``: how many events were averaged; with a condition, of each label. Left out are those that
          `trial_counts` leaves out.
        - ``events`` (their name), ``window``, ``bin_size``.

        Agrees with ``brainbox.singlecell.calculate_peths`` at ``smoothing=0``.

    Raises
    ------
    ValueError
        As `trial_counts`, or there is not one label for each event.
    """
    trains, units = _trains(spikes, units)
    table = around(events, window)
    centres = _centres(window, bin_size)
    start, stop = table.to_numpy().T
    inside = _inside(trains, start, stop)
    code, labels = np.zeros(len(table), int), None
    if condition is not None:
        if np.shape(condition) != (len(table),):
            raise ValueError(f"There are {len(table)} events, and condition has the shape {np.shape(condition)}.")
        code, labels = pd.factorize(pd.Series(condition), sort=True)
        if not len(labels):
            raise ValueError("None of the events has a label: condition is NaN everywhere.")
    chosen = [inside & (code == c) for c in range(1 if labels is None else len(labels))]
    moments = [_moments(trains, start[t], stop[t], units.size, centres.size, bin_size) for t in chosen]
    mean, sem = (np.concatenate(part) / bin_size for part in zip(*moments, strict=True))
    rows, n_trials = units, int(inside.sum())
    if labels is not None:
        labels = pd.Index(labels, name=getattr(condition, "name", None) or "condition")
        rows = pd.MultiIndex.from_product([labels, units])
        n_trials = pd.Series([t.sum() for t in chosen], labels, name="n_trials")
    columns = pd.Index(centres, name="time")
    mean, sem = (pd.DataFrame(values, rows, columns) for values in (mean, sem))
    return Peth(mean, sem, n_trials, **table.attrs, bin_size=bin_size)


def smoothed(rates: Peth, sigma: float) -> Peth:
    """Rates smoothed by a Gaussian.

    Parameters
    ----------
    rates : Peth
    sigma : float
        Its standard deviation, s; 0 changes nothing.

    Returns
    -------
    Peth
        ``mean`` smoothed, so that it also knows about 2 ``sigma`` of the time to come; ``sem`` is NaN, for it does not
        follow from that of the bins.
    """
    from scipy.ndimage import gaussian_filter1d

    if sigma == 0:
        return rates
    mean = rates.mean.copy()
    mean[:] = gaussian_filter1d(mean.to_numpy(), sigma / rates.bin_size, axis=1, mode="nearest")
    return rates._replace(mean=mean, sem=mean * np.nan)


def responsive_units(
    spikes: Spikes,
    events: npt.ArrayLike,
    response: tuple[float, float],
    baseline: tuple[float, float],
    units: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Which units fire otherwise after (or about) an event than before it (Wilcoxon's signed-rank test over trials).

    Parameters
    ----------
    spikes, events, units
        As in `trial_counts`.
    response, baseline : tuple
        The windows that are compared, equally long: start and stop, s from the event. Trials of which either leaves
        the recording are left out.

    Returns
    -------
    DataFrame
        One row a unit, by cluster id: ``baseline`` and ``response``, mean rates (Hz); ``effect``, ``p`` and
        ``p_adjusted`` as `responses.signed_rank` gives them: ``p_adjusted`` is corrected for the number of units
        (Benjamini–Hochberg), ``p`` is not. Its ``attrs`` have ``events`` (their name), ``response``, ``baseline``,
        ``test``, ``correction``, ``n_trials`` and ``trials`` (those that were compared).

    Raises
    ------
    ValueError
        The windows overlap or differ in length, or as `counts_in_intervals`.

    Notes
    -----
    Agrees with ``brainbox.task.closed_loop.responsive_units``, which allows windows of different length. There, rates
    of units that do not respond differ in rank all the same: one spike is a higher rate in the shorter window.
    """
    if baseline[0] < response[1] and response[0] < baseline[1]:
        raise ValueError(
            f"The response window, {response[0]} to {response[1]} s, overlaps the baseline, {baseline[0]} to "
            f"{baseline[1]} s, so the same spikes would be on both sides: move one of them."
        )
    seconds = response[1] - response[0]
    if not np.isclose(seconds, baseline[1] - baseline[0]):
        raise ValueError(
            f"The response window lasts {seconds:.6g} s and the baseline {baseline[1] - baseline[0]:.6g} s, but ranks "
            "compare counts of equal times only: make them equally long."
        )
    during, before = (counts_in_intervals(spikes, around(events, window), units) for window in (response, baseline))
    known = (during.notna() & before.notna()).all()
    during, before = during.loc[:, known.to_numpy()], before.loc[:, known.to_numpy()]
    rates = pd.DataFrame({"baseline": before.mean(axis=1) / seconds, "response": during.mean(axis=1) / seconds})
    table = rates.join(signed_rank((during - before).to_numpy()).set_index(rates.index))
    table.attrs = {
        "events": during.attrs["events"],
        "response": tuple(response),
        "baseline": tuple(baseline),
        "test": "Wilcoxon signed rank",
        "correction": CORRECTION,
        "n_trials": int(known.sum()),
        "trials": tuple(known.index[known]),
    }
    return table


class _Trains(NamedTuple):
    """Spikes in order of time, and for each possible cluster id its row in the result (−1 if it is not wanted)."""

    times: np.ndarray
    clusters: np.ndarray
    row: np.ndarray


def _moments(
    trains: _Trains, start: np.ndarray, stop: np.ndarray, n_units: int, n_bins: int, bin_size: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error, over trials, of the spikes in a bin; each of shape (n_units, n_bins)."""
    n_trials = start.size
    total = np.zeros(n_units * n_bins)
    crowded = [np.empty((2, 0), int)]  # cells with more than one spike, and how many; the square of others is the count
    for _, _, cell, n in _binned(trains, start, stop, n_units, n_bins, bin_size):
        total += np.bincount(cell, minlength=total.size)
        several = np.flatnonzero(n > 1)
        crowded.append(np.array([cell[several], n[several]]))
    cell, n = np.concatenate(crowded, axis=1)
    more = np.bincount(cell, n * (n - 1), total.size)
    with np.errstate(divide="ignore", invalid="ignore"):  # no trial, or one
        mean = total / n_trials
        squares = total + more - total * mean
        sem = np.sqrt(squares.clip(0) / (n_trials * np.float64(n_trials - 1)))
    return mean.reshape(n_units, n_bins), sem.reshape(n_units, n_bins)


def _binned(
    trains: _Trains, start: np.ndarray, stop: np.ndarray, n_units: int, n_bins: int, bin_size: float
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """The spikes in intervals, of some intervals at a time, in bins.

    Yields which intervals; of each spike in them: which of these intervals, the cell (row × ``n_bins`` + bin), and how
    many spikes are in this cell of this interval, told by one of them, 0 by the others. Most cells are empty: this
    costs far less than to go through them all.
    """
    n_cells = n_units * n_bins
    slots = np.empty(4 * (_CELLS + n_cells), np.uint8)
    for part, interval, cell, since in _found(trains._replace(row=trains.row * n_bins), start, stop, n_cells):
        since /= bin_size
        bins = since.astype(int)
        # What rounding puts behind the last bin is in the interval all the same.
        cell += np.minimum(bins, n_bins - 1, out=bins)
        place = interval * n_cells + cell
        # All spikes of a cell write their number into its slot, one stays, and all count for that one.
        number = np.arange(cell.size, dtype=np.uint16 if cell.size < 2**16 else np.uint32)
        slot = slots.view(number.dtype)
        slot[place] = number
        yield part, interval, cell, np.bincount(slot.take(place), minlength=cell.size)


def _found(
    trains: _Trains, start: np.ndarray, stop: np.ndarray, n_cells: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """The spikes in intervals, of some intervals at a time.

    Yields which intervals; then of each spike in them: which of these intervals (from 0), the row of its unit, and
    the time since the start of the interval. ``n_cells`` is how many counts an interval has.
    """
    times, clusters, row = trains
    first, last = np.searchsorted(times, start), np.searchsorted(times, stop)
    n_spikes = last - first
    block = np.cumsum(n_spikes / _BLOCK + n_cells / _CELLS).astype(int)
    edges = np.flatnonzero(np.diff(block, prepend=-1, append=-1))
    some = (row < 0).any()
    for i, j in pairwise(edges):
        pieces = [slice(*piece) for piece in zip(first[i:j], last[i:j], strict=True)]
        of = row.take(np.concatenate([clusters[piece] for piece in pieces]))
        interval = np.repeat(np.arange(j - i), n_spikes[i:j])
        since = np.concatenate([times[piece] for piece in pieces]) - np.repeat(start[i:j], n_spikes[i:j])
        if some:
            wanted = np.flatnonzero(of >= 0)
            interval, of, since = interval[wanted], of[wanted], since[wanted]
        yield slice(int(i), int(j)), interval, of, since


def _centres(window: tuple[float, float], bin_size: float) -> np.ndarray:
    n_bins = (window[1] - window[0]) / bin_size if bin_size > 0 else 0
    if n_bins < 0.5 or abs(n_bins - round(n_bins)) > 1e-6:
        raise ValueError(
            f"A window holds a whole number of bins; {window[0]} to {window[1]} s is {n_bins:.6g} bins of {bin_size} s."
        )
    return np.round(window[0] + bin_size * (np.arange(round(n_bins)) + 0.5), 9)


def _inside(trains: _Trains, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Which intervals lie in the recording: neither NaN nor partly outside."""
    begin, end = trains.times[[0, -1]]
    inside = (start >= begin) & (stop <= end)
    if not inside.any():
        raise ValueError(
            f"None of {inside.size} intervals lies in the recording, which lasts from {begin:.3f} to "
            f"{end:.3f} s: times of events are seconds on the same clock."
        )
    return inside


def _trains(spikes: Spikes, units: npt.ArrayLike | None) -> tuple[_Trains, pd.Index]:
    """The spikes, checked, and the ids of the units that are wanted."""
    times, clusters = _checked(spikes)
    size = int(clusters.max()) + 1
    wanted = np.arange(size) if units is None else _ids(units)
    present = _present(clusters, wanted, max(size, wanted.max() + 1))
    if units is None:
        wanted = np.flatnonzero(present)
    elif (without := wanted[~present[wanted]]).size:
        some = ", ".join(map(str, without[:5])) + (", …" if without.size > 5 else "")
        raise ValueError(
            f"{without.size} of {wanted.size} units have no spikes among these ({some}): give the spikes of all units, "
            "or leave these out."
        )
    row = np.full(size, -1)
    row[wanted] = np.arange(wanted.size)
    return _Trains(times, clusters, row), pd.Index(wanted, name="cluster")


def _present(clusters: np.ndarray, wanted: np.ndarray, size: int) -> np.ndarray:
    """Which ids below ``size`` have spikes, as far as it is wanted."""
    present = np.zeros(size, bool)
    for i in range(0, clusters.size, _BLOCK):
        block, missing = clusters[i : i + _BLOCK], wanted[~present[wanted]]
        if not missing.size:
            break
        if missing.size > 8:
            present |= np.bincount(block, minlength=size) > 0
        else:  # soon, for most units fire from the beginning; and looking for a few is faster than counting all
            present[missing] = [(block == unit).any() for unit in missing]
    return present


def _ids(units: npt.ArrayLike) -> np.ndarray:
    ids = np.asarray(units)
    if ids.ndim != 1 or not ids.size or ids.dtype.kind not in "iu" or ids.min() < 0 or np.unique(ids).size < ids.size:
        raise ValueError("Units are cluster ids, whole numbers and each once: of a mask take the ids that it selects.")
    return ids.astype(int)


def _checked(spikes: Spikes) -> list[np.ndarray]:
    _, clusters = found = arrays(spikes, "times", "clusters")
    if clusters.dtype.kind not in "iu" or (clusters.dtype.kind == "i" and clusters.min() < 0):
        raise ValueError(f"Clusters of spikes must be integers from 0 on; these are {clusters.dtype}.")
    return found
