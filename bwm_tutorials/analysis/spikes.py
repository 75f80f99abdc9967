"""Spikes around events: counts and rates of all units at once.

Times are seconds. A unit is a cluster of the sorting, called by its id. An interval holds its start and not its stop.
The recording lasts from the first spike that is given to the last, so give a probe's spikes and choose among them by
``units``; what leaves the recording was not seen, and is never counted as silence.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import TooFew
from . import counting
from .checks import labels, numbers, window_around
from .counting import Spikes


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
    times, clusters = counting.checked(spikes)
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
        The window does not stop after its start or reaches farther than 60 s (milliseconds?), or the events have more
        than one dimension.
    """
    start, stop = window_around(window)
    if np.ndim(events) != 1:
        raise ValueError(f"Events are one time each, of shape (n_events,); these have the shape {np.shape(events)}.")
    events = pd.Series(events)
    times = numbers(events, "times of events")
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
        spike in the windows of two events has two rows; events that `trial_counts` leaves out have none, like a unit
        without spikes.
    """
    trains, _ = counting.trains(spikes, [unit])
    table = around(events, window)
    times = trains.times[trains.clusters == unit]
    first, last = np.searchsorted(times, table["start"]), np.searchsorted(times, table["stop"])
    n = np.where(counting.inside(trains, *table.to_numpy().T), last - first, 0)
    trial = np.repeat(np.arange(n.size), n)
    nth = np.arange(trial.size) - np.repeat(np.cumsum(n) - n, n)
    return pd.DataFrame({"trial": trial, "time": times[first[trial] + nth] - numbers(events, "times of events")[trial]})


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
        Cluster ids, in the order wanted. Default all that have spikes; one that has none is silent, and has zeros.

    Returns
    -------
    DataFrame
        Units (rows, by cluster id) × intervals (columns, by the rows of ``intervals``), float64. NaN where an interval
        is not known (NaN) or leaves the recording. Has the ``attrs`` of ``intervals``. Agrees with
        ``brainbox.population.decode.get_spike_counts_in_bins``, which counts 0 there.

    Raises
    ------
    ValueError
        Spikes are not in order, an interval ends before it starts, or ids of units are none or come twice.
    TooFew
        There are no spikes, or no interval lies in the recording.
    """
    trains, units = counting.trains(spikes, units)
    table = intervals if isinstance(intervals, pd.DataFrame) else pd.DataFrame(np.asarray(intervals))
    if table.shape[1] != 2:
        raise ValueError(f"Intervals are start and stop, of shape (n_intervals, 2); these have shape {table.shape}.")
    edges = numbers(table, "intervals")
    if (edges[:, 0] > edges[:, 1]).any():
        raise ValueError("An interval ends before it starts: the first column is the start, the second the stop.")
    inside = np.flatnonzero(counting.inside(trains, *edges.T))
    counts = np.full((units.size, len(table)), np.nan)
    for part, interval, of, _ in counting.found(trains, *edges[inside].T, units.size):
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
    trains, units = counting.trains(spikes, units)
    table = around(events, window)
    centres = counting.centres(window, bin_size)
    inside = counting.inside(trains, *table.to_numpy().T)
    start, stop = table[inside].to_numpy().T
    most = np.diff(np.searchsorted(trains.times, [start, stop]), axis=0).max()
    dtype = np.int16 if most <= np.iinfo(np.int16).max else np.int32
    counts = np.zeros((units.size, start.size, centres.size), dtype)
    for part, trial, cell, n in counting.binned(trains, start, stop, units.size, centres.size, bin_size):
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
    trains, units = counting.trains(spikes, units)
    table = around(events, window)
    centres = counting.centres(window, bin_size)
    start, stop = table.to_numpy().T
    inside = counting.inside(trains, start, stop)
    code, known = np.zeros(len(table), int), None
    if condition is not None:
        if np.shape(condition) != (len(table),):
            raise ValueError(f"There are {len(table)} events, and condition has the shape {np.shape(condition)}.")
        code, known = pd.factorize(labels(condition), sort=True)
        if not len(known):
            raise TooFew("None of the events has a label: condition is NaN everywhere.")
    chosen = [inside & (code == c) for c in range(1 if known is None else len(known))]
    moments = [counting.moments(trains, start[t], stop[t], units.size, centres.size, bin_size) for t in chosen]
    mean, sem = (np.concatenate(part) / bin_size for part in zip(*moments, strict=True))
    rows, n_trials = units, int(inside.sum())
    if known is not None:
        known = pd.Index(known, name=getattr(condition, "name", None) or "condition")
        rows = pd.MultiIndex.from_product([known, units])
        n_trials = pd.Series([t.sum() for t in chosen], known, name="n_trials")
    columns = pd.Index(centres, name="time")
    mean, sem = (pd.DataFrame(values, rows, columns) for values in (mean, sem))
    return Peth(mean, sem, n_trials, **table.attrs, bin_size=bin_size)


def smoothed(rates: Peth, sigma: float) -> Peth:
    """Rates smoothed by a Gaussian.

    Parameters
    ----------
    rates : Peth
    sigma : float
        Its standard deviation, s; 0 changes nothing, and more than the window is long is refused.

    Returns
    -------
    Peth
        ``mean`` smoothed, so that it also knows about 2 ``sigma`` of the time to come; ``sem`` is NaN, for it does not
        follow from that of the bins.
    """
    from scipy.ndimage import gaussian_filter1d

    length = rates.window[1] - rates.window[0]
    if not 0 <= sigma <= length:
        raise ValueError(f"A Gaussian is 0 to {length:g} s wide here, as long as the window; sigma is {sigma:g} s.")
    if sigma == 0:
        return rates
    mean = rates.mean.copy()
    mean[:] = gaussian_filter1d(mean.to_numpy(), sigma / rates.bin_size, axis=1, mode="nearest")
    return rates._replace(mean=mean, sem=mean * np.nan)
