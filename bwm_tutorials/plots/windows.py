"""A recording seen through a window of time: no more of it than a picture can show.

Times are seconds on the session's clock; a window is its start and its stop.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd


class Probe(NamedTuple):
    """What is seen of a probe, as `probe` gives it.

    ``spikes``: ``times`` (s, sorted) and ``clusters``; ``places``, where each spike is drawn, from 0 to ``top``: its
    ``place``, which is the depth (µm from the tip), or the unit's number. ``units``: those to choose from, by cluster
    id, their places from the tip up. ``clusters`` and ``channels``: the tables of `Insertion`, where there are such.
    """

    spikes: Mapping[str, np.ndarray]
    places: np.ndarray
    top: float
    place: str
    units: pd.Series
    clusters: pd.DataFrame | None
    channels: pd.DataFrame | None


class Recording(NamedTuple):
    """What is seen of a session: each part, or None and in ``lacks`` a sentence that says what is missing.

    ``pose`` has ``times`` (s) and for each paw its speed (common px/s), its ``attrs`` the ``camera``; ``end`` is the
    last time of all (s).
    """

    trials: pd.DataFrame | None
    wheel: Mapping[str, np.ndarray] | None
    pose: pd.DataFrame | None
    probes: dict[str, Probe]
    lacks: dict[str, str]
    end: float


def probe(
    spikes: Mapping[str, np.ndarray], clusters: pd.DataFrame | None = None, channels: pd.DataFrame | None = None
) -> Probe:
    """What is seen of a probe.

    Parameters
    ----------
    spikes : mapping
        As `Insertion.spikes` gives it; where no depth is known, units are drawn by their numbers.
    clusters, channels : DataFrame, optional
        To choose from good units alone (all, where none is known to be good), and to name regions.
    """
    known = np.isfinite(spikes.get("depths", np.nan)).any()
    places, place = (spikes["depths"], "depth from the tip (µm)") if known else (spikes["clusters"], "unit")
    if clusters is None:
        units = pd.Series(places).groupby(np.asarray(spikes["clusters"])).median()
    else:
        found = clusters[clusters.index.isin(spikes["clusters"])]
        chosen = good if len(good := found[found["label"] == 1]) else found
        units = chosen["depths"] if known else chosen.index.to_series()
    units = units.dropna().sort_values(kind="stable")
    kept = {name: spikes[name] for name in ("times", "clusters")}
    return Probe(kept, places, float(np.nanmax(places, initial=1)), place, units, clusters, channels)


def envelope(
    times: np.ndarray, values: np.ndarray, window: tuple[float, float], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """A trace in a window: every sample where they are few, else what is lowest and highest in each of ``n`` bins.

    Parameters
    ----------
    times, values : ndarray, shape (n_samples,)
        Times in order.
    window : tuple of float
    n : int
        As many as the picture has columns.

    Returns
    -------
    times, values : ndarray
        2 ``n`` + 2 points at most: the line through them is, column by column, as high and low as that through all.
        One sample before and one after the window lead it to the edges. NaN are left out of a bin that has others.
    """
    first, last = np.searchsorted(times, window)
    before, after = max(first - 1, 0), min(last + 1, len(times))
    if after - before <= 2 * n + 2:
        return times[before:after], values[before:after]
    starts = first + np.searchsorted(times[first:last], np.linspace(*window, n + 1)[:-1])
    starts = np.unique(starts[starts < last])  # a bin without samples is none
    shown, stops = values[first:last], starts - first
    ends = np.c_[np.fmin.reduceat(shown, stops), np.fmax.reduceat(shown, stops)]
    at = [[times[before]], np.repeat(times[starts], 2), [times[after - 1]]]
    return np.concatenate(at), np.concatenate([[values[before]], ends.ravel(), [values[after - 1]]])


def spike_map(
    times: np.ndarray,
    places: np.ndarray,
    window: tuple[float, float],
    top: float,
    shape: tuple[int, int],
    most: int | None = None,
) -> np.ndarray:
    """Spikes counted in bins of time and place: a raster that costs the same however many there are.

    Parameters
    ----------
    times : ndarray, shape (n_spikes,)
        In order.
    places : ndarray, shape (n_spikes,)
        Depths (µm) or numbers of units. A spike whose place is NaN is left out.
    window : tuple of float
    top : float
        Bins of place go from 0 up to here; what lies beyond either end is in the last bin there.
    shape : tuple of int
        How many bins of place, and of time.
    most : int, optional
        Of more spikes than that only every second, third, … is counted.

    Returns
    -------
    ndarray of int, of that shape
        Row 0 is the lowest place.
    """
    n_places, n_times = shape
    first, last = np.searchsorted(times, window)
    seen = slice(first, last, 1 + (last - first) // most if most else 1)
    place = places[seen] * (n_places / top)
    known = np.isfinite(place)
    row = place[known].astype(int).clip(0, n_places - 1)
    # Rounding may put the last spike behind the last bin.
    column = ((times[seen][known] - window[0]) * (n_times / (window[1] - window[0]))).astype(int).clip(0, n_times - 1)
    return np.bincount(row * n_times + column, minlength=n_places * n_times).reshape(shape)


def window_at(start: float, seconds: float, end: float) -> tuple[float, float]:
    """The window of this length that starts there, moved into the recording, which lasts from 0 to ``end``."""
    start = max(0.0, min(start, end - seconds))
    return start, start + seconds


def trial_at(trials: pd.DataFrame, time: float) -> int:
    """The number of the trial whose stimulus came last before a time (s); before all stimuli, of the first."""
    shown = trials["stimOn_times"]
    before = shown[shown <= time]
    return int(before.idxmax() if len(before) else shown.idxmin())


def next_trial(numbers: pd.Index, number: int, step: int) -> int:
    """Of some trials (in order) the next one after a number, or with a ``step`` of −1 the one before; it goes round."""
    at = np.searchsorted(numbers, number, side="right") if step > 0 else np.searchsorted(numbers, number) - 1
    return int(numbers[at % len(numbers)])


def unit_at(places: pd.Series, place: float) -> int:
    """The unit (its cluster id) that is nearest to a place, of places by cluster id."""
    return int((places - place).abs().idxmin())
