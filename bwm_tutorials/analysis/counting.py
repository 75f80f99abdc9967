"""Count the spikes of many units in many intervals, in one pass: what `spikes` rests on."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import TooFew
from .checks import native

Spikes = Mapping[str, np.ndarray]

_BLOCK = 2**16  # spikes that are handled at a time: few enough to stay in the processor's cache
_CELLS = 2**22  # and cells (unit, trial and bin) that they are counted in


class Trains(NamedTuple):
    """Spikes in order of time, and for each cluster id up to the last its row in the result (−1: not wanted)."""

    times: np.ndarray
    clusters: np.ndarray
    row: np.ndarray


def trains(spikes: Spikes, units: npt.ArrayLike | None) -> tuple[Trains, pd.Index]:
    """The spikes, checked, and the ids of the units that are wanted: all that have spikes, or these, spikes or none."""
    times, clusters = checked(spikes)
    row = np.full(int(clusters.max()) + 1, -1)
    wanted = _present(clusters, row.size) if units is None else _ids(units)
    fires = np.flatnonzero(wanted < row.size)  # or may: an id beyond the last has no spike
    row[wanted[fires]] = fires
    return Trains(times, clusters, row), pd.Index(wanted, name="cluster")


def inside(trains: Trains, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Tell which intervals lie in the recording: neither NaN nor partly outside."""
    begin, end = trains.times[[0, -1]]
    inside = (start >= begin) & (stop <= end)
    if not inside.any():
        raise TooFew(
            f"None of {inside.size} intervals lies in the recording, which lasts from {begin:.3f} to "
            f"{end:.3f} s: times of events are seconds on the same clock."
        )
    return inside


def found(
    trains: Trains, start: np.ndarray, stop: np.ndarray, n_cells: int
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


def binned(
    trains: Trains, start: np.ndarray, stop: np.ndarray, n_units: int, n_bins: int, bin_size: float
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """The spikes in intervals, of some intervals at a time, in bins.

    Yields which intervals; of each spike in them: which of these intervals, the cell (row × ``n_bins`` + bin), and how
    many spikes are in this cell of this interval, told by one of them, 0 by the others. Most cells are empty: this
    costs far less than to go through them all.
    """
    n_cells = n_units * n_bins
    slots = np.empty(4 * (_CELLS + n_cells), np.uint8)
    for part, interval, cell, since in found(trains._replace(row=trains.row * n_bins), start, stop, n_cells):
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


def moments(
    trains: Trains, start: np.ndarray, stop: np.ndarray, n_units: int, n_bins: int, bin_size: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error, over trials, of the spikes in a bin; each of shape (n_units, n_bins)."""
    n_trials = start.size
    total = np.zeros(n_units * n_bins)
    crowded = [np.empty((2, 0), int)]  # cells with more than one spike, and how many; the square of others is the count
    for _, _, cell, n in binned(trains, start, stop, n_units, n_bins, bin_size):
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


def centres(window: tuple[float, float], bin_size: float) -> np.ndarray:
    n_bins = (window[1] - window[0]) / bin_size if bin_size > 0 else 0
    if n_bins < 0.5 or abs(n_bins - round(n_bins)) > 1e-6:
        raise ValueError(
            f"A window holds a whole number of bins; {window[0]} to {window[1]} s is {n_bins:.6g} bins of {bin_size} s."
        )
    return np.round(window[0] + bin_size * (np.arange(round(n_bins)) + 0.5), 9)


def arrays(spikes: Mapping[str, np.ndarray], *names: str) -> list[np.ndarray]:
    """These arrays of spikes, the first of them ``times``; ValueError unless all are there, alike and in order."""
    if missing := [name for name in names if name not in spikes]:
        raise ValueError(f"This takes {', '.join(names)} of spikes; these lack {', '.join(missing)}.")
    times, *_ = found = [native(spikes[name]) for name in names]
    if times.ndim != 1 or len({array.shape for array in found}) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(names, found, strict=True))
        raise ValueError(f"The arrays of spikes must be of one length; they are {shapes}.")
    if not times.size:
        raise TooFew("There are no spikes, so there is nothing to measure.")
    if not (np.isfinite(times[[0, -1]]).all() and (times[:-1] <= times[1:]).all()):
        raise ValueError("Times of spikes must be sorted and without NaN: sort all arrays by times first.")
    return found


def checked(spikes: Spikes) -> list[np.ndarray]:
    times, clusters = arrays(spikes, "times", "clusters")
    if clusters.dtype.kind not in "iu" or (clusters.dtype.kind == "i" and clusters.min() < 0):
        raise ValueError(f"Clusters of spikes must be integers from 0 on; these are {clusters.dtype}.")
    return [times, clusters.astype(np.int64) if clusters.dtype == np.uint64 else clusters]  # which bincount refuses


def _present(clusters: np.ndarray, size: int) -> np.ndarray:
    """Those ids below ``size`` that have spikes."""
    present = np.zeros(size, bool)
    for i in range(0, clusters.size, _BLOCK):
        block, missing = clusters[i : i + _BLOCK], np.flatnonzero(~present)
        if not missing.size:
            break
        if missing.size > 8:
            present |= np.bincount(block, minlength=size) > 0
        else:  # soon, for most units fire from the beginning; and looking for a few is faster than counting all
            present[missing] = [(block == unit).any() for unit in missing]
    return np.flatnonzero(present)


def _ids(units: npt.ArrayLike) -> np.ndarray:
    ids = np.asarray(units)
    if ids.size == 0:
        raise TooFew("There are no units to count the spikes of: the list of them is empty.")
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or ids.min() < 0 or np.unique(ids).size < ids.size:
        raise ValueError("Units are cluster ids, whole numbers and each once: of a mask take the ids that it selects.")
    return ids.astype(int)
