"""Spikes around events: counts and rates of all units at once.

Times are seconds. A unit is a cluster of the sorting, called by its id. An interval holds its start and not its stop.
The recording lasts from the first spike that is given to the last, so give a probe's spikes and choose among them by
``units``; what leaves the recording was not seen, and is never counted as silence.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

# Lessons reach all of it as bwm.spikes. Quality stands apart because the simulation rests on it.
from .quality import (  # noqa: F401
    arrays,
    autocorrelogram,
    isi_histogram,
    noise_cutoff,
    quality_labels,
    quality_metrics,
    refractory_confidence,
    sliding_refractory_period,
)
from .responses import CORRECTION, noise_correlations, selectivity, signed_rank  # noqa: F401

Spikes = Mapping[str, np.ndarray]

_BLOCK = 2**16  # spikes that are handled at a time: few enough to stay in the processor's cache
_CELLS = 2**21  # the same for the array that they are counted in


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
    return pd.Series(n_spikes[units] / (times[-1] - times[0]), pd.Index(units, name="cluster"), name="firing_rate")


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
    times, clusters = _checked(spikes)
    units, row = _rows(clusters, units)
    table = intervals if isinstance(intervals, pd.DataFrame) else pd.DataFrame(np.asarray(intervals))
    if table.shape[1] != 2:
        raise ValueError(f"Intervals are start and stop, of shape (n_intervals, 2); these have shape {table.shape}.")
    edges = table.to_numpy(float)
    if (edges[:, 0] > edges[:, 1]).any():
        raise ValueError("An interval ends before it starts: the first column is the start, the second the stop.")
    inside = np.flatnonzero(_inside(times, *edges.T))
    counts = np.full((units.size, len(table)), np.nan)
    for part, interval, of, _ in _found(times, clusters, row, *edges[inside].T, units.size):
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
    times, clusters = _checked(spikes)
    units, row = _rows(clusters, units)
    table = around(events, window)
    centres = _centres(window, bin_size)
    start, stop = table.to_numpy().T
    inside = _inside(times, start, stop)
    start, stop = start[inside], stop[inside]
    most = np.diff(np.searchsorted(times, [start, stop]), axis=0).max()
    dtype = np.int16 if most <= np.iinfo(np.int16).max else np.int32
    counts = np.zeros((units.size, start.size, centres.size), dtype)
    for part, trial, of, since in _found(times, clusters, row, start, stop, units.size):
        cell = (of * start.size + part.start + trial) * centres.size + _bins(since, bin_size, centres.size)
        np.add.at(counts.reshape(-1), cell, 1)
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
    times, clusters = _checked(spikes)
    units, row = _rows(clusters, units)
    table = around(events, window)
    centres = _centres(window, bin_size)
    start, stop = table.to_numpy().T
    inside = _inside(times, start, stop)
    code, labels = np.zeros(len(table), int), None
    if condition is not None:
        if np.shape(condition) != (len(table),):
            raise ValueError(f"There are {len(table)} events, and condition has the shape {np.shape(condition)}.")
        code, labels = pd.factorize(condition, sort=True)
    chosen = [inside & (code == c) for c in range(1 if labels is None else len(labels))]
    moments = [_moments(times, clusters, row, start[t], stop[t], units.size, centres.size, bin_size) for t in chosen]
    mean, sem = (np.concatenate(part) / bin_size for part in zip(*moments, strict=True))
    rows, n_trials = units, int(inside.sum())
    if labels is not None:
        labels = pd.Index(labels, name=getattr(condition, "name", None) or "condition")
        rows = pd.MultiIndex.from_product([labels, units])
        n_trials = pd.Series([t.sum() for t in chosen], labels, name="n_trials")
    columns = pd.Index(centres, name="time")
    mean, sem = (pd.DataFrame(values, rows, columns) for values in (mean, sem))
    return Peth(mean, sem, n_trials, **table.attrs, bin_size=bin_size)


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
        The windows that are compared: start and stop, s from the event. Trials of which either leaves the recording
        are left out.

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
        The windows overlap, or as `counts_in_intervals`.

    Notes
    -----
    Agrees with ``brainbox.task.closed_loop.responsive_units``.
    """
    if baseline[0] < response[1] and response[0] < baseline[1]:
        raise ValueError(
            f"The response window, {response[0]} to {response[1]} s, and the baseline, {baseline[0]} to {baseline[1]} s, "
            "overlap, so the same spikes would be on both sides: move one of them."
        )
    counts = [counts_in_intervals(spikes, around(events, window), units) for window in (response, baseline)]
    known = (counts[0].notna() & counts[1].notna()).all()
    during, before = (
        count.loc[:, known.to_numpy()] / (window[1] - window[0])
        for count, window in zip(counts, (response, baseline), strict=True)
    )
    # Rounded, so that equal rates in windows of different length are equal.
    tested = signed_rank((during - before).to_numpy().round(6)).set_index(during.index)
    table = pd.DataFrame({"baseline": before.mean(axis=1), "response": during.mean(axis=1)}).join(tested)
    table.attrs = {
        "events": counts[0].attrs["events"],
        "response": tuple(response),
        "baseline": tuple(baseline),
        "test": "Wilcoxon signed rank",
        "correction": CORRECTION,
        "n_trials": int(known.sum()),
        "trials": tuple(known.index[known]),
    }
    return table


def _moments(
    times: np.ndarray,
    clusters: np.ndarray,
    row: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    n_units: int,
    n_bins: int,
    bin_size: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error, over trials, of the spikes in a bin; each of shape (n_units, n_bins)."""
    n_cells, n_trials = n_units * n_bins, start.size
    total, more = np.zeros(n_cells, int), np.zeros(n_cells, int)
    slot = np.empty(0, np.int32)
    for part, trial, of, since in _found(times, clusters, row, start, stop, n_cells):
        cell = of * n_bins + _bins(since, bin_size, n_bins)
        total += np.bincount(cell, minlength=n_cells)
        # Most spikes are alone in their cell (unit, bin and trial), and 1² = 1, so only the others are counted by cell.
        # One of the spikes of each cell takes its slot; slots that no spike of this part takes are never read.
        cell += trial * n_cells
        if slot.size < (part.stop - part.start) * n_cells:
            slot = np.empty((part.stop - part.start) * n_cells, np.int32)
        number = np.arange(cell.size, dtype=np.int32)
        slot[cell] = number
        crowded, others = np.unique(cell[slot[cell] != number], return_counts=True)
        np.add.at(more, crowded % n_cells, others * (others + 1))  # n² − n, where n = others + 1
    with np.errstate(divide="ignore", invalid="ignore"):  # no trial, or one
        mean = total / n_trials
        variance = (total + more - total * mean) / (n_trials - 1)
        sem = np.sqrt(np.maximum(variance, 0) / n_trials)
    return mean.reshape(n_units, n_bins), sem.reshape(n_units, n_bins)


def _found(
    times: np.ndarray, clusters: np.ndarray, row: np.ndarray, start: np.ndarray, stop: np.ndarray, n_cells: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """The spikes in intervals, of some intervals at a time.

    Yields which intervals; then of each spike in them: which of these intervals (from 0), the row of its unit, and
    the time since the start of the interval. ``n_cells`` is how many counts an interval has.
    """
    first, last = np.searchsorted(times, start), np.searchsorted(times, stop)
    n_spikes = last - first
    block = np.cumsum(n_spikes / _BLOCK + n_cells / _CELLS).astype(int)
    edges = np.flatnonzero(np.diff(block, prepend=-1, append=-1))
    every = (row >= 0).all()
    for i, j in zip(edges[:-1], edges[1:], strict=True):
        pieces = [slice(*piece) for piece in zip(first[i:j], last[i:j], strict=True)]
        of = row[np.concatenate([clusters[piece] for piece in pieces])]
        interval = np.repeat(np.arange(j - i), n_spikes[i:j])
        since = np.concatenate([times[piece] for piece in pieces]) - np.repeat(start[i:j], n_spikes[i:j])
        if not every:
            wanted = of >= 0
            interval, of, since = interval[wanted], of[wanted], since[wanted]
        yield slice(int(i), int(j)), interval, of, since


def _bins(since: np.ndarray, bin_size: float, n_bins: int) -> np.ndarray:
    """Which bin; a spike that rounding puts behind the last one is in the window all the same."""
    return np.minimum((since / bin_size).astype(int), n_bins - 1)


def _centres(window: tuple[float, float], bin_size: float) -> np.ndarray:
    n_bins = (window[1] - window[0]) / bin_size if bin_size > 0 else 0
    if n_bins < 0.5 or abs(n_bins - round(n_bins)) > 1e-6:
        raise ValueError(
            f"A window holds a whole number of bins; {window[0]} to {window[1]} s is {n_bins:.6g} bins of {bin_size} s."
        )
    return np.round(window[0] + bin_size * (np.arange(round(n_bins)) + 0.5), 9)


def _inside(times: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Which intervals lie in the recording: neither NaN nor partly outside."""
    inside = (start >= times[0]) & (stop <= times[-1])
    if not inside.any():
        raise ValueError(
            f"None of {inside.size} intervals lies in the recording, which lasts from {times[0]:.3f} to "
            f"{times[-1]:.3f} s: times of events are seconds on the same clock."
        )
    return inside


def _rows(clusters: np.ndarray, units: npt.ArrayLike | None) -> tuple[pd.Index, np.ndarray]:
    """The units' ids, and for each possible id its row in the result, −1 for units that are not wanted."""
    size = int(clusters.max()) + 1
    present = np.zeros(size, bool)
    for i in range(0, clusters.size, _BLOCK):
        present |= np.bincount(clusters[i : i + _BLOCK], minlength=size) > 0
        if present.all():  # soon, if every unit fires from the beginning
            break
    if units is None:
        ids = np.flatnonzero(present)
    else:
        ids = np.asarray(units)
        if ids.ndim != 1 or not ids.size or ids.dtype.kind not in "iu" or np.unique(ids).size < ids.size:
            raise ValueError("units takes cluster ids: whole numbers, each once (of a mask, take the ids that it selects).")
        without = ids[~(np.isin(ids, np.flatnonzero(present)))]
        if without.size:
            raise ValueError(
                f"{without.size} of the {ids.size} units have no spikes among these ({', '.join(map(str, without[:5]))}"
                f"{', …' if without.size > 5 else ''}): give the spikes of all units, or leave these out."
            )
    row = np.full(size, -1)
    row[ids] = np.arange(ids.size)
    return pd.Index(ids, name="cluster"), row


def _checked(spikes: Spikes) -> list[np.ndarray]:
    times, clusters = found = arrays(spikes, "times", "clusters")
    if clusters.dtype.kind not in "iu" or (clusters.dtype.kind == "i" and clusters.min() < 0):
        raise ValueError(f"Clusters of spikes must be integers from 0 on; these are {clusters.dtype}.")
    return found
