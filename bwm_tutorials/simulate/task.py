"""The task: what the rig presents, by the rules of the real one (ephysChoiceWorld)."""

import numpy as np
import pandas as pd

CONTRASTS = np.array([0.0, 0.0625, 0.125, 0.25, 1.0])
N_UNBIASED = 90


def truncated_exponential(rng: np.random.Generator, scale: float, low: float, high: float, size: int) -> np.ndarray:
    """Exponential draws with the given scale, those outside [low, high] drawn again."""
    # Drawn by the inverse of the distribution function between its values at the limits: the same law as drawing again.
    edge_low, edge_high = np.exp(-low / scale), np.exp(-high / scale)
    return -scale * np.log(edge_low - rng.random(size) * (edge_low - edge_high))


def block_priors(rng: np.random.Generator, n_trials: int) -> np.ndarray:
    """P(stimulus on the left): .5 for 90 trials, then blocks of .2 and .8 (20 to 100 trials, scale 60)."""
    n_blocks = 1 + n_trials // 20
    lengths = truncated_exponential(rng, 60, 20, 100, n_blocks).astype(int)
    likely = np.where(np.arange(n_blocks) % 2 == rng.integers(2), 0.2, 0.8)
    return np.append(np.full(N_UNBIASED, 0.5), np.repeat(likely, lengths))[:n_trials]


def sequence(rng: np.random.Generator, n_trials: int) -> pd.DataFrame:
    """What the rig will show: one row a trial.

    Returns
    -------
    DataFrame
        ``probabilityLeft``, ``side`` (−1 left, +1 right), ``contrast`` (fraction; 0 half as often as the others)
        and ``quiescencePeriod`` (s the wheel must rest before the stimulus).
    """
    prior = block_priors(rng, n_trials)
    return pd.DataFrame(
        {
            "probabilityLeft": prior,
            "side": np.where(rng.random(n_trials) < prior, -1, 1),
            "contrast": rng.choice(CONTRASTS, n_trials, p=np.array([1, 2, 2, 2, 2]) / 9),
            "quiescencePeriod": 0.2 + truncated_exponential(rng, 0.35, 0.2, 0.5, n_trials),
        }
    )
