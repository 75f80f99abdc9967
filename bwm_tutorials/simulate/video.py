"""The left camera: when its frames were taken, what DeepLabCut would find in them, and the licks."""

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from .encoder import FREQ

FRAME_RATE = 60.13  # Hz, left camera
# Where each point lies at rest, px of the left camera (1280 × 1024).
REST = {
    "pupil_top_r": (470, 330),
    "pupil_right_r": (490, 350),
    "pupil_bottom_r": (470, 370),
    "pupil_left_r": (450, 350),
    "nose_tip": (250, 560),
    "tongue_end_l": (300, 640),
    "tongue_end_r": (310, 655),
    "paw_l": (560, 800),
    "paw_r": (420, 820),
    "tube_top": (210, 660),
    "tube_bottom": (215, 720),
}


def lick_times(rng: np.random.Generator, trials: pd.DataFrame) -> np.ndarray:
    """Times (s) of licks: a bout at about 7 Hz after each reward, a few licks elsewhere."""
    rewards = trials.loc[trials["feedbackType"] == 1, "feedback_times"].to_numpy()
    n_licks = rng.poisson(8, rewards.size)
    bout = np.repeat(np.arange(rewards.size), n_licks)
    order = np.arange(bout.size) - np.repeat(np.cumsum(n_licks) - n_licks, n_licks)
    in_bouts = rewards[bout] + 0.12 + order / 7 + rng.normal(0, 0.012, bout.size)
    spurious = rng.uniform(trials["intervals_0"].iloc[0], trials["intervals_1"].iloc[-1], len(trials) // 10)
    return np.sort(np.append(in_bouts, spurious))


def frame_times(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Times (s) of the left camera's frames: it starts a little after the recording and jitters by microseconds."""
    times = np.arange(8.0, seconds, 1 / FRAME_RATE)
    return times + rng.normal(0, 2e-5, times.size)


def dlc(rng: np.random.Generator, times: np.ndarray, wheel: np.ndarray, licks: np.ndarray) -> pd.DataFrame:
    """DeepLabCut's table: x and y (px) and likelihood of eleven points, one row a frame.

    The paw nearer to the camera moves with the wheel, the tongue shows at licks, the pupil's size wanders and
    grows with movement. Values are rounded (.01 px, .001) so that the file compresses.

    Parameters
    ----------
    times : ndarray, shape (n_frames,)
        s.
    wheel : ndarray
        Position (rad) at 1 kHz from time 0.
    licks : ndarray
        s.
    """
    at = np.minimum((times * FREQ).astype(int), wheel.size - 1)
    speed = gaussian_filter1d(np.abs(np.diff(wheel, prepend=wheel[0])) * FREQ, 25)[at]
    slow = gaussian_filter1d(rng.normal(0, 1, times.size), 6 * FRAME_RATE)
    radius = 20 + 4 * slow / slow.std() + 3 * gaussian_filter1d(np.minimum(speed, 2), FRAME_RATE)
    nearest = np.clip(np.searchsorted(licks, times), 1, licks.size - 1)
    out = np.minimum(np.abs(times - licks[nearest - 1]), np.abs(times - licks[nearest])) < 0.025
    reach = np.clip(wheel[at] - gaussian_filter1d(wheel[at], 3 * FRAME_RATE), -1, 1)

    table = {}
    for point, (x, y) in REST.items():
        jitter = rng.normal(0, 0.6, (2, times.size))
        certainty = 1 - rng.gamma(0.3, 0.006, times.size)
        if point.startswith("pupil"):
            towards = np.sign([x - 470, y - 350])
            jitter += towards[:, None] * (radius - 20)
        elif point == "paw_r":
            jitter += np.array([60 * reach, -90 * np.abs(reach)]) + rng.normal(0, 1, (2, times.size)) * speed
            certainty -= 0.3 * (rng.random(times.size) < 0.01)
        elif point.startswith("tongue"):
            jitter *= np.where(out, 4, 20)
            certainty = np.where(out, certainty, rng.beta(0.5, 12, times.size))
        table[f"{point}_x"] = np.round(x + jitter[0], 2)
        table[f"{point}_y"] = np.round(y + jitter[1], 2)
        table[f"{point}_likelihood"] = np.round(np.clip(certainty, 0, 1), 3)
    return pd.DataFrame(table)
