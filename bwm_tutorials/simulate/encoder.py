"""The rotary encoder: from smooth movements of the wheel to the irregular edges that the rig stores."""

import numpy as np
import pandas as pd

from ..analysis.wheel import RESOLUTION
from .mouse import minimum_jerk

FREQ = 1000


def trace(strokes: pd.DataFrame, seconds: float) -> np.ndarray:
    """The wheel's true position (rad) at 1 kHz from time 0: the sum of all strokes.

    Parameters
    ----------
    strokes : DataFrame
        ``onset`` (s), ``duration`` (s), ``amplitude`` (rad), each a smooth reach.
    seconds : float
        Length of the recording.
    """
    step = np.zeros(round(seconds * FREQ) + 1)
    for onset, duration, amplitude in strokes[["onset", "duration", "amplitude"]].to_numpy():
        first, last = int(np.ceil(onset * FREQ)), int(np.ceil((onset + duration) * FREQ))
        along = minimum_jerk(np.minimum((np.arange(first, last + 1) / FREQ - onset) / duration, 1))
        within = step[first : last + 1]
        within += np.diff(amplitude * along, prepend=0.0)[: within.size]
    return np.cumsum(step)


def edges(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and positions (rad) at which the encoder's count changes, one sample for each edge."""
    ticks = np.floor(position / RESOLUTION + 0.5).astype(int)
    jump = np.diff(ticks)
    at = np.flatnonzero(jump)
    count = np.abs(jump[at])
    which = np.repeat(np.arange(at.size), count)
    nth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + 1
    times = (at[which] + nth / count[which]) / FREQ
    levels = (ticks[at][which] + np.sign(jump[at])[which] * nth) * RESOLUTION
    return np.append(0.0, times), np.append(ticks[0] * RESOLUTION, levels)
