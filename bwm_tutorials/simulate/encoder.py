"""The rotary encoder: from smooth movements of the wheel to the irregular edges that the rig stores."""

import numpy as np
import pandas as pd

from ..analysis.wheel import RESOLUTION
from .mouse import minimum_jerk

FREQ = 1000


def trace(strokes: pd.DataFrame, seconds: float, freq: int = FREQ) -> np.ndarray:
    """The wheel's true position (rad) from time 0: the sum of all strokes.

    Parameters
    ----------
    strokes : DataFrame
        ``onset`` (s), ``duration`` (s), ``amplitude`` (rad), each a smooth reach.
    seconds : float
        Length of the recording.
    freq : int
        Hz.
    """
    onset, duration, amplitude = strokes[["onset", "duration", "amplitude"]].to_numpy().T
    first, last = (np.ceil(time * freq).astype(int) for time in (onset, onset + duration))
    n = last - first + 1
    begins = np.cumsum(n) - n
    of = np.repeat(np.arange(n.size), n)
    sample = np.arange(of.size) + (first - begins)[of]
    gone = amplitude[of] * minimum_jerk(np.minimum((sample / freq - onset[of]) / duration[of], 1))
    step = np.diff(gone, prepend=0.0)
    step[begins] = gone[begins]
    size = round(seconds * freq) + 1
    return np.cumsum(np.bincount(sample[sample < size], step[sample < size], size))


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
