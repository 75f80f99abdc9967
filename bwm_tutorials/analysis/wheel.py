"""The wheel that the mouse turns: position and speed on a regular grid, movements, reaction onsets.

Positions are radians, rising when the wheel turns counter-clockwise (the answer to a stimulus on the right).
Times are seconds.
"""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.signal import butter, sosfiltfilt

from ..errors import TooFew
from .checks import in_order, numbers

RADIUS_MM = 31.0
RESOLUTION = 2 * np.pi / 4096
"""Radians from one encoder edge to the next (1024 pulses a turn, four edges each)."""
THRESHOLD = 35 / 4 / RADIUS_MM
"""Radians that carry the stimulus its 35° to the centre (4° a mm), which is what counts as a response."""


def interpolate(
    timestamps: npt.ArrayLike, position: npt.ArrayLike, freq: float = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """The wheel's position on a regular grid, by linear interpolation.

    Parameters
    ----------
    timestamps, position : array-like, shape (n_samples,)
        Encoder edges: s, sorted; rad. Edges at equal times are allowed.
    freq : float
        Samples a second of the result.

    Returns
    -------
    times, position : ndarray, shape (n_times,)
        In the order time, position (``brainbox.behavior.wheel.interpolate_position``, with which it agrees, gives
        them the other way round).

    Raises
    ------
    ValueError
        Times are not sorted, something is not known (NaN), or there is not one position for each time.
    TooFew
        The wheel has no two samples at different times.
    """
    timestamps, position = _edges_of(timestamps, position)
    if not freq > 0:
        raise ValueError(f"A grid has more than 0 samples a second, not {freq}.")
    if len(timestamps) < 2 or timestamps[0] == timestamps[-1]:
        raise TooFew(f"The wheel has no samples at two times, but {len(timestamps)} in all: nothing to interpolate.")
    times = np.arange(timestamps[0], timestamps[-1], 1 / freq)
    return times, np.interp(times, timestamps, position)


def velocity(times: npt.ArrayLike, position: npt.ArrayLike, cutoff: float = 20, order: int = 8) -> np.ndarray:
    """Angular velocity of the wheel, low-pass filtered.

    The Butterworth filter runs forwards and backwards, so it shifts nothing in time, but lets each sample know a
    few tens of milliseconds of its future: do not date the onset of a movement with it.

    Parameters
    ----------
    times, position : array-like, shape (n_times,)
        A regular grid (s, rad), as `interpolate` gives it.
    cutoff : float
        Hz: what is faster is taken away. Below half the samples a second of the grid.
    order : int
        Of the filter.

    Returns
    -------
    ndarray, shape (n_times,)
        rad/s. Agrees with ``brainbox.behavior.wheel.velocity_filtered``.

    Raises
    ------
    ValueError
        The times are no regular grid, a position is not known, or the grid is too coarse for the filter.
    TooFew
        The grid is too short for the filter.
    """
    position, freq = _on_grid(times, position, "position")
    if not 0 < cutoff < freq / 2:
        raise ValueError(
            f"A grid of {freq:g} Hz knows what is slower than {freq / 2:g} Hz, and cutoff is {cutoff:g} Hz."
        )
    if len(position) <= (pad := 3 * (order + 1)):
        raise TooFew(f"This filter takes more than {pad} samples of the wheel; here are {len(position)}.")
    smooth = sosfiltfilt(butter(order, cutoff / (freq / 2), output="sos"), position)
    return np.diff(smooth, prepend=smooth[0]) * freq


def movements(
    times: npt.ArrayLike,
    position: npt.ArrayLike,
    min_amplitude: float = 8 * RESOLUTION,
    onset_amplitude: float = 1.5 * RESOLUTION,
    window: float = 0.2,
    min_gap: float = 0.1,
    min_duration: float = 0.05,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the wheel's movements.

    Parameters
    ----------
    times, position : array-like, shape (n_times,)
        A regular grid, as `interpolate` gives it; ValueError if it is none, TooFew if it is not even one step long.
    min_amplitude : float
        Radians that the wheel must turn within ``window`` seconds to be moving.
    onset_amplitude : float
        A movement begins where the wheel last lies within this distance (rad) of where it stood.
    window, min_gap, min_duration : float
        Seconds. Movements closer than ``min_gap`` are one; shorter than ``min_duration`` are none.

    Returns
    -------
    intervals : ndarray, shape (n_movements, 2)
        Onset and offset (s).
    amplitudes : ndarray, shape (n_movements,)
        Largest displacement from where the movement began (rad, signed).

    Notes
    -----
    Agrees with ``brainbox.behavior.wheel.movements`` at the settings of IBL's extractors, which are the defaults.
    """
    times = np.asarray(times, float)
    position, freq = _on_grid(times, position, "position")
    if (width := round(window * freq)) < 1:
        raise ValueError(f"A window holds at least one sample of the grid; {window} s at {freq:g} Hz hold none.")
    padded = np.append(position, np.full(width, position[-1]))
    # a filter's window is centred; the origin moves it to begin at its sample
    ahead = {"size": width, "origin": -(width // 2), "mode": "nearest"}
    span = (maximum_filter1d(padded, **ahead) - minimum_filter1d(padded, **ahead))[: position.size]
    moving = np.append(False, span > min_amplitude)
    moving[-1] = False
    starts, stops = _edges(moving)
    for stop, start in zip(stops[:-1], starts[1:], strict=True):
        if (start - stop) / freq < min_gap:
            moving[stop : start + 1] = True
    starts, stops = _edges(moving)
    if not starts.size:
        return np.empty((0, 2)), np.empty(0)

    from_start = np.abs(padded[starts[:, None] + np.arange(width)] - padded[starts, None])
    last_still = width - 1 - np.argmin((from_start > onset_amplitude)[:, ::-1], axis=1)
    starts = np.minimum(starts + last_still, position.size - 1)

    long_enough = times[stops] - times[starts] >= min_duration
    starts, stops = starts[long_enough], stops[long_enough]
    apart = times[starts[1:]] - times[stops[:-1]] >= min_gap
    n = starts.size
    starts, stops = starts[np.append(True, apart)[:n]], stops[np.append(apart, True)[:n]]
    peaks = [m + np.abs(position[m:n] - position[m]).argmax() for m, n in zip(starts, stops, strict=True)]
    return np.c_[times[starts], times[stops]], position[peaks] - position[starts] if peaks else np.empty(0)


def first_movement_times(
    intervals: np.ndarray,
    amplitudes: np.ndarray,
    go_cue_times: np.ndarray,
    feedback_times: np.ndarray,
    min_quiescence: float | np.ndarray = 0.2,
    min_amplitude: float = 0.1,
) -> np.ndarray:
    """When the mouse first moved the wheel in each trial.

    Parameters
    ----------
    intervals, amplitudes : ndarray
        Movements, as `movements` gives them.
    go_cue_times, feedback_times : ndarray, shape (n_trials,)
        s; NaN allowed.
    min_quiescence : float or ndarray
        Seconds before the go cue from which a movement counts: it can begin before the stimulus.
    min_amplitude : float
        rad; what is smaller is a flinch.

    Returns
    -------
    ndarray, shape (n_trials,)
        Onset (s) of the first movement that counts and begins before feedback; NaN if there is none. Agrees with
        ``ibllib.io.extractors.training_wheel.extract_first_movement_times``.
    """
    onsets = np.asarray(intervals, float).reshape(-1, 2)[np.abs(numbers(amplitudes, "amplitudes")) >= min_amplitude, 0]
    first = np.searchsorted(onsets, numbers(go_cue_times, "go cues") - min_quiescence, side="right")
    found = np.append(onsets, np.nan)[np.minimum(first, onsets.size)]
    return np.where(found < numbers(feedback_times, "times of feedback"), found, np.nan)


def displacement(timestamps: np.ndarray, position: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """How far the wheel turned between two times.

    Parameters
    ----------
    timestamps, position : ndarray, shape (n_samples,)
        The wheel: s, rad.
    start, stop : array-like, shape (n_trials,)
        s; NaN allowed.

    Returns
    -------
    ndarray, shape (n_trials,)
        rad, positive counter-clockwise, towards a report of right; NaN where a time is.
    """
    timestamps, position = _edges_of(timestamps, position)
    if not timestamps.size:
        return np.full(np.broadcast_shapes(np.shape(start), np.shape(stop)), np.nan)
    start, stop = numbers(start, "starts"), numbers(stop, "stops")
    turned = np.interp(stop, timestamps, position) - np.interp(start, timestamps, position)
    return np.where(np.isnan(start) | np.isnan(stop), np.nan, turned)  # np.interp knows NaN, but of a single sample


def turn_against(
    timestamps: np.ndarray, position: np.ndarray, start: np.ndarray, stop: np.ndarray, side: np.ndarray
) -> np.ndarray:
    """How far the wheel turned to the other side before it turned to this one.

    Parameters
    ----------
    timestamps, position : ndarray, shape (n_samples,)
        The wheel: s, rad.
    start, stop : array-like, shape (n_trials,)
        s, for example the first movement and the response; NaN allowed.
    side : array-like, shape (n_trials,)
        −1 left, +1 right (`trials.chosen_side`), 0 for none.

    Returns
    -------
    ndarray, shape (n_trials,)
        rad, 0 or more: the farthest that the wheel got from where it was at ``start``, in the direction opposite to
        ``side``, by ``stop``. NaN without a side or a time.
    """
    start, stop, side = (numbers(values, "starts, stops and sides") for values in (start, stop, side))
    timestamps, position = _edges_of(timestamps, position)
    found = np.full(start.shape, np.nan)
    if not timestamps.size:
        return found
    at_start, at_stop = (np.interp(when, timestamps, position) for when in (start, stop))
    for i in np.flatnonzero(np.isfinite(start) & np.isfinite(stop) & (side != 0) & ~np.isnan(side)):
        first, last = np.searchsorted(timestamps, (start[i], stop[i]))
        path = np.append(position[first:last], at_stop[i])
        found[i] = max(0.0, (side[i] * (at_start[i] - path)).max())
    return found


def peak_speed(times: npt.ArrayLike, speed: npt.ArrayLike, start: npt.ArrayLike, stop: npt.ArrayLike) -> np.ndarray:
    """The wheel's highest speed between two times, whichever way it turns.

    Parameters
    ----------
    times, speed : array-like, shape (n_times,)
        A regular grid (s) and the velocity on it (rad/s), as `interpolate` and `velocity` give them; ValueError if
        the grid is none, TooFew if it is not even one step long.
    start, stop : array-like, shape (n_trials,)
        s; NaN allowed.

    Returns
    -------
    ndarray, shape (n_trials,)
        rad/s, 0 or more; NaN where a time is NaN or no sample lies between.
    """
    start, stop = numbers(start, "starts"), numbers(stop, "stops")
    speed, _ = _on_grid(times, speed, "speed")
    found = np.full(start.shape, np.nan)
    for i in np.flatnonzero(np.isfinite(start) & np.isfinite(stop)):
        first, last = np.searchsorted(times, (start[i], stop[i]))
        if first < last:
            found[i] = np.abs(speed[first:last]).max()
    return found


def _edges(moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples after which a mask turns on, and off."""
    return np.flatnonzero(~moving[:-1] & moving[1:]), np.flatnonzero(moving[:-1] & ~moving[1:])


def _edges_of(timestamps: npt.ArrayLike, position: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Times in order and as many positions, all known."""
    return in_order(timestamps, "times of the wheel"), _known(position, len(timestamps), "position")


def _on_grid(times: npt.ArrayLike, values: npt.ArrayLike, name: str) -> tuple[np.ndarray, float]:
    """What is known at the times of a regular grid, and how many of them are in a second."""
    times = in_order(times, "times of the wheel")
    if times.size < 2:
        raise TooFew(f"A grid of the wheel has two samples or more; here are {times.size}.")
    steps = np.diff(times)
    step = (times[-1] - times[0]) / steps.size
    if step == 0 or np.abs(steps - step).max() > 0.01 * step:
        raise ValueError(
            f"The grid of the wheel must be regular, but times are {steps.min():.3g} to {steps.max():.3g} s apart: "
            "interpolate first."
        )
    return _known(values, times.size, name), round(1 / step, 6)


def _known(values: npt.ArrayLike, n: int, name: str) -> np.ndarray:
    values = numbers(values, f"{name} of the wheel")
    if values.shape != (n,) or not np.isfinite(values).all():
        raise ValueError(
            f"The {name} of the wheel is one known number for each of {n} times; here {np.isfinite(values).sum()} are "
            f"known, of the shape {values.shape}."
        )
    return values
