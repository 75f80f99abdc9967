"""Pose: what tracked points of the videos say of licks, of the pupil, and of how the mouse moves.

Coordinates are px of the camera, y downwards; times are seconds, likelihoods between 0 and 1. A table of pose is what
``Session.pose`` gives. What lies outside the recording, or was not seen, is NaN, and is never counted as rest.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import MissingDataset, TooFew
from .checks import for_each, in_order, numbers, one_of, window_around

RESOLUTION = {"left": 2, "right": 1, "body": 1}
"""Pixels of a camera in one *common* pixel, that of a picture 640 wide; as in ``brainbox.behavior.dlc``."""
WIDTH = 640  # common px
MIN_SIGNAL_TO_NOISE = {"left": 5, "right": 10}
"""Below these the release's quality control discards a pupil."""
MAX_GAP = 0.1  # s between two frames, across which nothing is interpolated
COMMON = "_common"  # ends the name of a coordinate in common px, which is not to be taken for one in the camera's own


def frame_times(times: np.ndarray, n_frames: int) -> np.ndarray:
    """The times of a video's frames, where the camera's clock has more of them than the video has frames.

    Parameters
    ----------
    times : ndarray, shape (n_times,)
        s, as the file of camera times has them.
    n_frames : int
        Rows of the table of pose, of features or of motion energy.

    Returns
    -------
    ndarray, shape (n_frames,)
        The last times: the clock starts before the video does. As ``SessionLoader`` of ``brainbox.io.one``.

    Raises
    ------
    ValueError
        There are fewer times than frames.
    """
    if len(times) < n_frames:
        raise ValueError(f"There are {len(times)} times for {n_frames} frames, so no frame's time is known.")
    return times[len(times) - n_frames :]


def clock(times: npt.ArrayLike) -> pd.Series:
    """How a camera kept time.

    Parameters
    ----------
    times : array-like, shape (n_frames,)
        s, one for each frame that exists, in order.

    Returns
    -------
    Series
        ``frames``; ``rate (Hz)``, by the median interval; ``dropped``, how many frames are missing between the first
        and the last; ``first (s)``, ``last (s)``.

    Raises
    ------
    TooFew
        There are no two frames at different times.
    """
    times = in_order(times, "times of frames")
    interval = np.median(np.diff(times)) if times.size > 1 else 0
    if interval == 0:
        raise TooFew(f"A camera's clock takes two frames or more at different times; here are {times.size}.")
    dropped = (np.round(np.diff(times) / interval) - 1).clip(0).sum()  # two frames at one time are none too many
    return pd.Series(
        {
            "frames": times.size,
            "rate (Hz)": 1 / interval,
            "dropped": int(dropped),
            "first (s)": times[0],
            "last (s)": times[-1],
        }
    )


def likelihood_filter(pose: pd.DataFrame, min_likelihood: float = 0.9) -> pd.DataFrame:
    """A copy of the pose, its x and y NaN where the tracker did not trust them.

    Parameters
    ----------
    pose : DataFrame
        Columns ``<keypoint>_x``, ``_y`` and ``_likelihood``; coordinates may be in common px.
    min_likelihood : float
        Points below it are taken away: by 0 none, by 1 all that are not certain. What a likelihood is worth differs
        from tracker to tracker and from point to point: .9 suits DeepLabCut, not every point of Lightning Pose.

    Returns
    -------
    DataFrame
        Agrees with ``brainbox.behavior.dlc.likelihood_threshold``, which alters the table that it is given, and takes
        a threshold outside of 0 to 1 in silence.

    Raises
    ------
    ValueError
        ``min_likelihood`` is not between 0 and 1.
    """
    if not 0 <= min_likelihood <= 1:
        raise ValueError(
            f"A likelihood lies between 0 (keep all) and 1 (keep next to nothing), not at {min_likelihood}."
        )
    pose = pose.copy()
    for column in pose.columns[pose.columns.str.endswith("_likelihood")]:
        point = column.removesuffix("_likelihood")
        coordinates = [f"{point}_{axis}{unit}" for axis in "xy" for unit in ("", COMMON)]
        pose.loc[pose[column] < min_likelihood, pose.columns.intersection(coordinates)] = np.nan
    return pose


def common_pixels(pose: pd.DataFrame, camera: str, mirrored: bool = False) -> pd.DataFrame:
    """A copy of the pose with coordinates that can be compared between cameras.

    Parameters
    ----------
    pose : DataFrame
    camera : {'left', 'right', 'body'}
    mirrored : bool
        Turn the picture round (x becomes 640 − x), which is how the network saw the right video.

    Returns
    -------
    DataFrame
        ``_x_common`` and ``_y_common`` in place of ``_x`` and ``_y``: common px, of a picture of 640 × 512. Those of
        the left camera, 1280 × 1024, are halved. Other columns stay as they are. The names tell the unit, so that no
        function takes such a table for one in the camera's own pixels and halves it again.
    """
    scale, pose = _resolution(camera), pose.copy()
    coordinates = pose.columns.str.endswith(("_x", "_y"))
    pose.loc[:, coordinates] = pose.loc[:, coordinates] / scale
    if mirrored:
        x = pose.columns.str.endswith("_x")
        pose.loc[:, x] = WIDTH - pose.loc[:, x]
    pose.columns = np.where(coordinates, pose.columns + COMMON, pose.columns)
    return pose


def velocity(pose: pd.DataFrame, keypoint: str, camera: str) -> pd.DataFrame:
    """How fast a point moves along either axis of the picture.

    Parameters
    ----------
    pose : DataFrame
        ``times`` (s) and the point's columns, as the camera has them or as `common_pixels` gives them; unlikely points
        NaN, or as they are.
    keypoint : str
    camera : {'left', 'right', 'body'}

    Returns
    -------
    DataFrame, n_frames rows
        ``x`` (to the right of the picture) and ``y`` (downwards), common px/s at the times of the frames. NaN beside a
        point that is NaN, and of a single frame.
    """
    times, between, steps = _steps(pose, keypoint, camera)
    return pd.DataFrame({axis: _at(times, between, step) for axis, step in zip("xy", steps, strict=True)})


def speed(pose: pd.DataFrame, keypoint: str, camera: str) -> np.ndarray:
    """How fast a point moves, whichever way.

    Parameters
    ----------
    pose, keypoint, camera
        As in `velocity`.

    Returns
    -------
    ndarray, shape (n_frames,)
        Common px/s, so that cameras of other size and frame rate give the same; NaN beside a point that is NaN, and of
        a single frame.

    Notes
    -----
    Agrees with ``brainbox.behavior.dlc.get_speed`` but in two things. That divides every step by the median interval,
    so where frames were dropped its speed is too high. And it extends a line beyond the first and last step, so a
    speed there may be negative; here it stays what it was.
    """
    times, between, steps = _steps(pose, keypoint, camera)
    return _at(times, between, np.hypot(*steps))


def lick_times(times: np.ndarray, pose: pd.DataFrame, min_likelihood: float = 0.9) -> np.ndarray:
    """Licks as the release has them: each frame after which a visible tongue has moved.

    One lick gives several times, one for nearly every pair of frames that show the tongue.

    Parameters
    ----------
    times : ndarray, shape (n_frames,)
        s.
    pose : DataFrame
        Columns of ``tongue_end_l`` and ``tongue_end_r``.
    min_likelihood : float
        A point below it is taken for not seen.

    Returns
    -------
    ndarray
        s. Agrees with ``brainbox.behavior.dlc.get_licks`` after ``likelihood_threshold``. The release's
        ``licks.times`` are those of the left and the right camera together, sorted.
    """
    times = for_each(times, len(pose), "frames", "times")
    moved = np.zeros(max(len(pose) - 1, 0), bool)
    for end in ("tongue_end_l", "tongue_end_r"):
        _need(pose, *(f"{end}_{what}" for what in ("x", "y", "likelihood")))
        hidden = pose[f"{end}_likelihood"] < min_likelihood
        for axis in "xy":
            step = np.diff(pose[f"{end}_{axis}"].mask(hidden))
            if not np.isnan(step).all():
                moved |= np.abs(step) > np.nanstd(step) / 4
    return times[:-1][moved]


def lick_onsets(frames: npt.ArrayLike, min_gap: float = 0.035) -> np.ndarray:
    """Licks, each once: the first of the frames in which the tongue moves.

    Parameters
    ----------
    frames : array-like
        s, sorted: ``Session.licks``, or what `lick_times` gives.
    min_gap : float
        s without a moving tongue, after which the next lick begins. The default lets the left camera miss one frame.

    Returns
    -------
    ndarray
        s.
    """
    frames = in_order(frames, "times of licks")
    return frames[np.diff(frames, prepend=-np.inf) > min_gap]


def pupil_diameter(pose: pd.DataFrame, suffix: str = "", min_likelihood: float = 0.9) -> np.ndarray:
    """The pupil's diameter (px) in each frame: the median of six estimates from pairs of its four points.

    Points less likely than ``min_likelihood`` are left out; a frame without any pair is NaN. ``suffix`` names other
    coordinates, as ``"_ens_median"`` or ``"_common"``. Agrees with ``brainbox.behavior.dlc.get_pupil_diameter``.
    """
    points = {}
    for place in ("top", "right", "bottom", "left"):
        name = f"pupil_{place}_r"
        _need(pose, f"{name}_x{suffix}", f"{name}_y{suffix}", f"{name}_likelihood")
        found = pose[[f"{name}_x{suffix}", f"{name}_y{suffix}"]].to_numpy()
        points[place] = np.where(pose[[f"{name}_likelihood"]] < min_likelihood, np.float32(np.nan), found)
    pairs = [("top", "bottom"), ("left", "right"), *((a, b) for a in ("top", "bottom") for b in ("left", "right"))]
    estimates = np.stack([np.linalg.norm(points[a] - points[b], axis=1) for a, b in pairs], axis=1)
    estimates[:, 2:] *= 2**0.5
    whole = ~np.isnan(estimates).any(axis=1)
    diameter = np.full(len(pose), np.nan, estimates.dtype)
    diameter[whole] = np.median(estimates[whole], axis=1)
    some = ~np.isnan(estimates).all(axis=1) & ~whole
    diameter[some] = np.nanmedian(estimates[some], axis=1)
    return diameter


def signal_to_noise(smooth: npt.ArrayLike, raw: npt.ArrayLike) -> float:
    """How much of a pupil's trace is pupil: the variance of the smooth one over that of what smoothing took away.

    Parameters
    ----------
    smooth, raw : array-like, shape (n_frames,)
        ``pupilDiameter_smooth`` and ``pupilDiameter_raw`` of ``Session.pupil``; frames that are NaN in either are left
        out.

    Returns
    -------
    float
        Variance ratio; see `MIN_SIGNAL_TO_NOISE`. As in ``SessionLoader.load_pupil`` of ``brainbox.io.one``.

    Raises
    ------
    TooFew
        Smoothing took nothing away, or no frame is known in both.
    """
    smooth = numbers(smooth, "diameters")
    raw = numbers(for_each(raw, smooth.size, "frames of the smooth pupil", "raw"), "diameters")
    known = ~np.isnan(smooth) & ~np.isnan(raw)
    noise = np.var((smooth - raw)[known]) if known.any() else 0.0
    if noise == 0:
        raise TooFew(f"In the {known.sum()} frames in which both are known the smooth pupil is the raw one: no noise.")
    return float(np.var(smooth[known]) / noise)


def around(
    times: npt.ArrayLike,
    values: npt.ArrayLike,
    events: npt.ArrayLike,
    window: tuple[float, float] = (-0.5, 1.0),
    step: float = 0.02,
) -> pd.DataFrame:
    """A trace around each event; ``.mean()`` of it is the average.

    Parameters
    ----------
    times : array-like, shape (n_frames,)
        s, in order.
    values : array-like, shape (n_frames,)
        The trace, for example of `speed`.
    events : array-like, shape (n_events,)
        s; NaN allowed. A column of the trials' table brings its trials' numbers.
    window : tuple
        Start and stop, s from the event.
    step : float
        s, no longer than the window.

    Returns
    -------
    DataFrame
        Events × times (s from the event), interpolated between frames. NaN where the event or the trace is, outside the
        recording, and between frames that are more than `MAX_GAP` apart.
    """
    times, values = _trace(times, values)
    start, stop = window_around(window)
    if not 0 < step <= stop - start:
        raise ValueError(f"A step lasts more than 0 s and {stop - start:g} s at most, as the window; it is {step:g} s.")
    events = pd.Series(events)
    offsets = np.arange(round((stop - start) / step) + 1) * step + start
    at = numbers(events, "times of events")[:, None] + offsets
    found = np.full(at.shape, np.nan)
    if times.size > 1:
        after = np.searchsorted(times, at, side="right").clip(1, times.size - 1)
        found = np.interp(at, times, values, left=np.nan, right=np.nan)
        found[times[after] - times[after - 1] > MAX_GAP] = np.nan
    return pd.DataFrame(found, events.index, pd.Index(offsets.round(9), name="time"))


def mean_in_intervals(times: npt.ArrayLike, values: npt.ArrayLike, intervals: npt.ArrayLike) -> np.ndarray:
    """The mean of a trace in each interval.

    Parameters
    ----------
    times, values : array-like, shape (n_frames,)
        s, in order; the trace.
    intervals : DataFrame or array-like, shape (n_intervals, 2)
        Start and stop (s), as `spikes.around` gives them.

    Returns
    -------
    ndarray, shape (n_intervals,)
        Over the frames from start to before stop whose value is known. NaN without any, where the interval leaves the
        recording, and where frames are missing for more than `MAX_GAP`.
    """
    times, values = _trace(times, values)
    edges = numbers(intervals, "intervals")
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise ValueError(f"Intervals are start and stop, of shape (n_intervals, 2); these have shape {edges.shape}.")
    start, stop = edges.T
    if not times.size:
        return np.full(start.shape, np.nan)
    known = ~np.isnan(values)
    first, last = np.searchsorted(times, [start, stop])
    total, n = (np.append(0, np.cumsum(what)) for what in (np.where(known, values, 0), known))
    broken = np.append(0, np.cumsum(np.diff(times, prepend=times[0]) > MAX_GAP))
    # A gap is counted at the frame that ends it, which is the one after stop if the interval ends within the gap.
    since = first + (times[np.minimum(first, times.size - 1)] == start)
    until = np.minimum(last + 1, times.size)
    seen = (start >= times[0]) & (stop <= times[-1]) & (broken[until] == broken[since]) & (n[last] > n[first])
    return np.where(seen, total[last] - total[first], np.nan) / np.where(seen, n[last] - n[first], 1)


def _steps(pose: pd.DataFrame, keypoint: str, camera: str) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The times of the frames, those half way between, and the point's velocity there along x and y."""
    scale = _resolution(camera)
    points = {name.removesuffix(COMMON)[:-2] for name in pose if str(name).removesuffix(COMMON).endswith("_x")}
    one_of(keypoint, sorted(points), "keypoint in this table,")
    _need(pose, "times")
    times = in_order(pose["times"], "times of frames")
    interval = np.diff(times)
    interval[interval == 0] = np.nan
    velocity = []
    for axis in "xy":
        common = f"{keypoint}_{axis}{COMMON}" in pose
        values = numbers(pose[f"{keypoint}_{axis}{COMMON if common else ''}"], "coordinates")
        velocity.append(np.diff(values) / (1 if common else scale) / interval)
    return times, times[:-1] + np.diff(times) / 2, velocity


def _at(times: np.ndarray, between: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.interp(times, between, values) if between.size else np.full(times.shape, np.nan)


def _trace(times: npt.ArrayLike, values: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    times = in_order(times, "times of frames")
    return times, numbers(for_each(values, times.size, "frames", "the trace"), "values of the trace")


def _resolution(camera: str) -> int:
    return RESOLUTION[one_of(camera, RESOLUTION.keys(), "camera")]


def _need(pose: pd.DataFrame, *names: str) -> None:
    if missing := [name for name in names if name not in pose]:
        raise MissingDataset(f"This table of pose lacks {', '.join(missing)}; it has {', '.join(map(str, pose))}.")
