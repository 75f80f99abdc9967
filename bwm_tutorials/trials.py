"""The trials: what was shown, what the mouse chose, and how soon.

Conventions of the release: ``choice`` is +1 for a left report and −1 for a right one; contrasts are fractions, NaN
on the side without a stimulus. Here signed contrasts are percent, right positive, as in ``brainbox``.
"""

import numpy as np
import pandas as pd
from scipy.special import erf

Z_95 = 1.959963984540054
N_UNBIASED = 90  # trials before the first block


def signed_contrast(trials: pd.DataFrame) -> np.ndarray:
    """Contrast in percent, positive on the right, negative on the left.

    Returns
    -------
    ndarray, shape (n_trials,)
        A trial at 0 % contrast gives 0 whichever side it was assigned to. Agrees with
        ``brainbox.behavior.training.get_signed_contrast``.
    """
    return 100 * (trials["contrastRight"].fillna(0) - trials["contrastLeft"].fillna(0)).to_numpy()


def psychometric(trials: pd.DataFrame) -> pd.DataFrame:
    """How often the mouse reported *right* at each signed contrast.

    Parameters
    ----------
    trials : DataFrame
        Columns contrastLeft, contrastRight, choice. Trials without a choice (0) are left out.

    Returns
    -------
    DataFrame
        Indexed by signed contrast (percent, right positive): ``n_trials``, ``p_right`` (fraction), and ``low`` and
        ``high``, the 95 % Wilson limits of ``p_right`` (Wilson 1927).
    """
    chosen = trials["choice"].to_numpy() != 0
    right = pd.Series(trials["choice"].to_numpy()[chosen] == -1, index=signed_contrast(trials)[chosen])
    table = right.groupby(level=0).agg(["size", "mean"]).set_axis(["n_trials", "p_right"], axis=1)
    n, p = table["n_trials"], table["p_right"]
    centre = (p + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 * np.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n**2)) / (1 + Z_95**2 / n)
    # At p of 0 and 1 the limit is p itself, but for the last bit.
    table["low"], table["high"] = np.minimum(centre - half, p), np.maximum(centre + half, p)
    return table.rename_axis("signed_contrast")


def fit_psychometric(table: pd.DataFrame) -> pd.Series:
    """Fit an error function with two lapse rates to a psychometric table.

    Parameters
    ----------
    table : DataFrame
        As `psychometric` gives it; four contrasts or more.

    Returns
    -------
    Series
        ``bias`` and ``threshold`` (percent contrast), ``lapse_low`` and ``lapse_high`` (fractions: how far the curve
        stays from 0 on the left and from 1 on the right), ``log_likelihood`` (natural logarithm).

    Raises
    ------
    ValueError
        Fewer than four contrasts, which cannot hold four parameters.

    Notes
    -----
    Maximum likelihood by psychofit (``erf_psycho_2gammas``), from several fixed starting points, so the result is
    the same each time. Psychofit's own limits would hold the threshold at or below 10 %, and those that IBL's
    plots use at or above it; here it may lie between .1 and 100 %.
    """
    if len(table) < 4:
        raise ValueError(f"Fitting four parameters takes four contrasts or more; this table has {len(table)}.")
    import psychofit

    data = np.vstack([table.index, table["n_trials"], table["p_right"]])
    limits = {"parmin": np.array([-100, 0.1, 0, 0]), "parmax": np.array([100, 100, 0.5, 0.5])}
    starts = [np.array([bias, threshold, 0.05, 0.05]) for bias in (-5, 5) for threshold in (5, 20, 40)]
    fits = [psychofit.mle_fit_psycho(data, "erf_psycho_2gammas", start, **limits, nfits=1) for start in starts]
    parameters, log_likelihood = max(fits, key=lambda fit: fit[1])
    names = ["bias", "threshold", "lapse_low", "lapse_high"]
    return pd.Series(dict(zip(names, parameters, strict=True)) | {"log_likelihood": log_likelihood})


def psychometric_curve(fit: pd.Series, signed_contrast: np.ndarray) -> np.ndarray:
    """The fitted probability of a right report at signed contrasts (percent)."""
    rise = (1 + erf((signed_contrast - fit["bias"]) / fit["threshold"])) / 2
    return fit["lapse_low"] + (1 - fit["lapse_low"] - fit["lapse_high"]) * rise


def movement_latency(trials: pd.DataFrame) -> np.ndarray:
    """Seconds from the stimulus to the first movement of the wheel: the Brain Wide Map's reaction time.

    Negative when the mouse moved before the stimulus came, NaN when it did not move.
    """
    return (trials["firstMovement_times"] - trials["stimOn_times"]).to_numpy()


def response_latency(trials: pd.DataFrame) -> np.ndarray:
    """Seconds from the stimulus to the response, when the wheel passed the threshold (or 60 s had gone by)."""
    return (trials["response_times"] - trials["stimOn_times"]).to_numpy()


def block_priors(rng: np.random.Generator, n_trials: int) -> np.ndarray:
    """A sequence of blocks by the rules of the task.

    Returns
    -------
    ndarray, shape (n_trials,)
        The probability that the stimulus is on the left: .5 for 90 trials, then blocks of .2 and .8 in turn, whichever
        first, of 20 to 100 trials (truncated exponential with a scale of 60: 51 on average).
    """
    n_blocks = 1 + n_trials // 20
    lengths = truncated_exponential(rng, 60, 20, 100, n_blocks).astype(int)
    likely = np.where(np.arange(n_blocks) % 2 == rng.integers(2), 0.2, 0.8)
    return np.append(np.full(N_UNBIASED, 0.5), np.repeat(likely, lengths))[:n_trials]


def pseudosessions(n_trials: int, n: int, seed: int) -> np.ndarray:
    """Block sequences that the session could have had: the null for anything that is slow or comes in blocks.

    Parameters
    ----------
    n_trials : int
        Trials of the session.
    n : int
        How many sequences.
    seed : int
        The same seed gives the same sequences.

    Returns
    -------
    ndarray, shape (n, n_trials)
        ``probabilityLeft`` of each sequence. A quantity that follows the real blocks no more closely than it follows
        these (Harris 2020, "pseudosession method"; ``brainbox.task.closed_loop``) is not shown to know the block.
    """
    rng = np.random.default_rng(seed)
    return np.array([block_priors(rng, n_trials) for _ in range(n)])


def truncated_exponential(rng: np.random.Generator, scale: float, low: float, high: float, size: int) -> np.ndarray:
    """Exponential draws with the given scale, those outside [low, high] drawn again."""
    # By the inverse of the distribution function between its values at the limits: the same law as drawing again.
    edge_low, edge_high = np.exp(-low / scale), np.exp(-high / scale)
    return -scale * np.log(edge_low - rng.random(size) * (edge_low - edge_high))
