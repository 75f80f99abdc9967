"""Tests of many units at once, and their correction; fits."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..errors import TooFew

CORRECTION = "Benjamini-Hochberg"


def signed_rank(difference: np.ndarray) -> pd.DataFrame:
    """Wilcoxon's signed-rank test of every unit: whether its differences lie about 0 (``scipy.stats.wilcoxon``).

    Parameters
    ----------
    difference : ndarray, shape (n_units, n_trials)

    Returns
    -------
    DataFrame
        One row a unit: ``effect``, the rank-biserial correlation (1 if every difference is above 0, −1 if below);
        ``p``, two-sided, by the normal approximation; ``p_adjusted``, for as many tests as there are units. Zeros are
        left out; a unit that has nothing else has effect 0 and p 1.

    Raises
    ------
    TooFew
        There are no trials.
    """
    from scipy.special import ndtr
    from scipy.stats import wilcoxon

    if not difference.shape[1]:
        raise TooFew("There are no trials whose counts are known, so nothing can be compared.")
    n = (difference != 0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        test = wilcoxon(difference, axis=1, method="asymptotic", alternative="greater")
        effect = np.nan_to_num(4 * test.statistic / (n * (n + 1)) - 1)  # of n (n + 1) / 2 ranks, those above 0
    p = 2 * ndtr(-np.abs(np.nan_to_num(test.zstatistic)))
    return pd.DataFrame({"effect": effect, "p": p, "p_adjusted": adjusted(p)})


def permutation_p(as_far: np.ndarray) -> np.ndarray:
    """P of each unit: the share of the null that lies as far, (n_units, n) of bool, the recording itself counted in."""
    return (1 + as_far.sum(axis=1)) / (1 + as_far.shape[1])


def adjusted(p: np.ndarray) -> np.ndarray:
    """P values corrected for their number: those below .05 hold 5 % false ones on average (Benjamini–Hochberg 1995).

    NaN, of a unit that was not tested, stays and does not count.
    """
    from scipy.stats import false_discovery_control

    p = np.asarray(p, float)
    found, tested = np.full(p.shape, np.nan), ~np.isnan(p)
    found[tested] = false_discovery_control(p[tested]) if tested.any() else p[tested]
    return found


def best_fit(loss: Callable, starts: list[tuple], limits: np.ndarray, names: list[str]) -> pd.Series:
    """The best of several searches for the maximum of a likelihood; ``loss`` is its negative logarithm."""
    from scipy.optimize import minimize

    fits = [minimize(loss, start, method="SLSQP", bounds=limits) for start in starts]
    best = min(fits, key=lambda fit: fit.fun)
    return pd.Series(dict(zip(names, best.x, strict=True)) | {"log_likelihood": -best.fun})
