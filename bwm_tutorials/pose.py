"""Pose: what tracked points of the videos say of licks and of the pupil.

Coordinates are px of the camera, times seconds, likelihoods between 0 and 1.
"""

import numpy as np
import pandas as pd


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
    moved = np.zeros(len(pose) - 1, bool)
    for end in ("tongue_end_l", "tongue_end_r"):
        hidden = pose[f"{end}_likelihood"] < min_likelihood
        for axis in "xy":
            step = np.diff(pose[f"{end}_{axis}"].mask(hidden))
            if not np.isnan(step).all():
                moved |= np.abs(step) > np.nanstd(step) / 4
    return times[:-1][moved]


def pupil_diameter(pose: pd.DataFrame, suffix: str = "", min_likelihood: float = 0.9) -> np.ndarray:
    """The pupil's diameter (px) in each frame: the median of six estimates from pairs of its four points.

    Points less likely than ``min_likelihood`` are left out; a frame without any pair is NaN. ``suffix`` names other
    coordinates, as ``"_ens_median"``. Agrees with ``brainbox.behavior.dlc.get_pupil_diameter``.
    """
    points = {}
    for place in ("top", "right", "bottom", "left"):
        name = f"pupil_{place}_r"
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
