"""The wheel that the mouse turns: position and speed on a regular grid, movements, reaction onsets.

Positions are radians, rising when the wheel turns counter-clockwise (the answer to a stimulus on the right).
Times are seconds.
"""

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.signal import butter, sosfiltfilt

RADIUS_MM = 31.0
RESOLUTION = 2 * np.pi / 4096
"""Radians from one encoder edge to the next (1024 pulses a turn, four edges each)."""
THRESHOLD = 35 / 4 / RADIUS_MM
"""Radians that carry the stimulus its 35° to the centre (4° a mm), which is what counts as a response."""


def interpolate(timestamps: np.ndarray, position: np.ndarray, freq: float = 1000) -> tuple[np.ndarray, np.ndarray]:
    """The wheel's position on a regular grid, by linear interpolation.

    Parameters
    ----------
    timestamps, position : ndarray, shape (n_samples,)
        Encoder edges: s, rad. Edges at equal times are allowed.
    freq : float
        Samples a second of the result.

    Returns
    -------
    times, position : ndarray, shape (n_times,)
        In the order time, position (``brainbox.behavior.wheel.interpolate_position``, with which it agrees, gives
        them the other way round).
    """
    if not len(timestamps):
        raise ValueError("The wheel has no samples, so there is no position to interpolate.")
    times = np.arange(timestamps[0], timestamps[-1], 1 / freq)
    return times, np.interp(times, timestamps, position)


def velocity(position: np.ndarray, freq: float = 1000, cutoff: float = 20, order: int = 8) -> np.ndarray:
    """Angular velocity (rad/s) of a regularly sampled position, low-pass filtered.

    The Butterworth filter runs forwards and backwards, so it shifts nothing in time, but lets each sample know a
    few tens of milliseconds of its future: do not date the onset of a movement with it. Agrees with
    ``brainbox.behavior.wheel.velocity_filtered``.
    """
    if len(position) <= (pad := 3 * (order + 1)):
        raise ValueError(f"This filter takes more than {pad} samples of the wheel; here are {len(position)}.")
    smooth = sosfiltfilt(butter(order, cutoff / (freq / 2), output="sos"), position)
    return np.diff(smooth, prepend=smooth[0]) * freq


def movements(
    times: np.ndarray,
    position: np.ndarray,
    min_amplitude: float = 8 * RESOLUTION,
    onset_amplitude: float = 1.5 * RESOLUTION,
    window: float = 0.2,
    min_gap: float = 0.1,
    min_duration: float = 0.05,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the wheel's movements.

    Parameters
    ----------
    times, position : ndarray, shape (n_times,)
        A regular grid, as `interpolate` gives it.
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
    freq = 1 / (times[1] - times[0])
    width = round(window * freq)
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
    onsets = intervals[np.abs(amplitudes) >= min_amplitude, 0]
    first = np.searchsorted(onsets, go_cue_times - min_quiescence, side="right")
    found = np.append(onsets, np.nan)[np.minimum(first, onsets.size)]
    return np.where(found < feedback_times, found, np.nan)


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
    return np.interp(stop, timestamps, position) - np.interp(start, timestamps, position)


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
    start, stop, side = (np.asarray(values, float) for values in (start, stop, side))
    at_start, at_stop = (np.interp(when, timestamps, position) for when in (start, stop))
    found = np.full(start.shape, np.nan)
    for i in np.flatnonzero(np.isfinite(start) & np.isfinite(stop) & (side != 0)):
        first, last = np.searchsorted(timestamps, (start[i], stop[i]))
        path = np.append(position[first:last], at_stop[i])
        found[i] = max(0.0, (side[i] * (at_start[i] - path)).max())
    return found


def peak_speed(times: np.ndarray, speed: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """The wheel's highest speed between two times, whichever way it turns.

    Parameters
    ----------
    times, speed : ndarray, shape (n_times,)
        A regular grid (s) and the velocity on it (rad/s), as `interpolate` and `velocity` give them.
    start, stop : array-like, shape (n_trials,)
        s; NaN allowed.

    Returns
    -------
    ndarray, shape (n_trials,)
        rad/s, 0 or more; NaN where a time is NaN or no sample lies between.
    """
    start, stop = np.asarray(start, float), np.asarray(stop, float)
    found = np.full(start.shape, np.nan)
    for i in np.flatnonzero(np.isfinite(start) & np.isfinite(stop)):
        first, last = np.searchsorted(times, (start[i], stop[i]))
        if first < last:
            found[i] = np.abs(speed[first:last]).max()
    return found


def _edges(moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples after which a mask turns on, and off."""
    return np.flatnonzero(~moving[:-1] & moving[1:]), np.flatnonzero(moving[:-1] & ~moving[1:])
