"""Priors: what an ideal observer, or a mouse, makes of the sides seen so far.

A side is −1 for left, +1 for right and 0 for none, as `trials.stimulus_side` and `trials.chosen_side` give it.
"""

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ..errors import TooFew
from .blocks import LIKELY, LONGEST, N_UNBIASED, SCALE, SHORTEST
from .checks import numbers
from .statistics import best_fit
from .trials import PSYCHOMETRIC, chosen_side, psychometric_curve, signed_contrast


def bayes_optimal_p_left(side: np.ndarray) -> np.ndarray:
    """The best possible estimate, before each trial, of the probability that the stimulus will be on the left.

    Parameters
    ----------
    side : array-like, shape (n_trials,) or (n_sessions, n_trials)
        Of the stimulus, from the session's first trial on; 0 or NaN where it is not known.

    Returns
    -------
    ndarray, of the shape of ``side``
        For an observer who knows the rules of the task (90 unbiased trials, then blocks of .2 and .8 in turn, and how
        long blocks are) and has seen the sides of the trials before, not that of the trial itself.

    Notes
    -----
    Exact: the probabilities of both kinds of block and of every length that the block has reached are carried from
    trial to trial (forward algorithm). It is the Bayes-optimal prior of Findling et al. (2025, "Brain-wide
    representations of prior information in mouse decision-making"), but for the first block, whose end this observer
    knows, and the longest block, 99 trials: the rig cuts lengths to whole trials.
    """
    side = numbers(side, "sides")
    length = np.arange(1, LONGEST)
    of_length = np.where(length >= SHORTEST, np.exp(-length / SCALE), 0)
    hazard = of_length / of_length[::-1].cumsum()[::-1]  # P(the block ends with this trial, if it got so far)
    stays = 1 - hazard[:-1]
    left = np.array([LIKELY, 1 - LIKELY])  # P(left) in the two kinds of block
    evidence = np.select([side[..., None] < 0, side[..., None] > 0], [left, 1 - left], 1.0)

    p_left = np.full(side.shape, 0.5)
    state = np.zeros((*side.shape[:-1], 2, length.size))  # P(kind of block, how far into it)
    state[..., 0] = 0.5
    for trial in range(N_UNBIASED, side.shape[-1]):
        p_left[..., trial] = state.sum(-1) @ left
        state *= evidence[..., trial, :, None]
        state /= state.sum((-2, -1), keepdims=True)
        ends = state @ hazard
        state[..., 1:] = state[..., :-1] * stays
        state[..., 0] = ends[..., ::-1]
    return p_left


def kernel_p_left(side: np.ndarray, learning_rate: float) -> np.ndarray:
    """An exponential average of past sides: a simple estimate, before each trial, of the probability of the left.

    Parameters
    ----------
    side : array-like, shape (n_trials,)
        Of the stimulus (the stimulus kernel) or of the choice (the action kernel). Trials without a side (0 or NaN)
        change nothing.
    learning_rate : float
        From 0 to 1: how far one trial moves the estimate towards its side.

    Returns
    -------
    ndarray, shape (n_trials,)
        .5 at first; no trial counts in its own estimate (Findling et al. 2025).
    """
    from scipy.signal import lfilter  # here, for it takes half a second to load

    if not 0 <= learning_rate <= 1:
        raise ValueError(f"A learning rate lies between 0 and 1, not at {learning_rate}.")
    side = np.nan_to_num(numbers(side, "sides"))
    known = side != 0
    keep = 1 - learning_rate
    estimates, _ = lfilter([learning_rate], [1, -keep], (side[known] < 0).astype(float), zi=[0.5 * keep])
    return np.append(0.5, estimates)[np.cumsum(known) - known]


def fit_kernel(trials: pd.DataFrame, past: np.ndarray) -> pd.Series:
    """Fit choices by the stimulus and by an exponential average of past sides.

    Parameters
    ----------
    trials : DataFrame
        One session: columns contrastLeft, contrastRight, choice. Trials without a choice or a contrast are not fitted.
    past : ndarray, shape (n_trials,)
        What the mouse is taken to learn from: `chosen_side` for the action kernel, `stimulus_side` for the stimulus
        kernel. The fit with the higher likelihood is the better account.

    Returns
    -------
    Series
        ``learning_rate`` of `kernel_p_left`; ``weight`` of what has been learned (0: not used; below 0: the mouse
        turns away from it); ``bias``, ``threshold`` (percent contrast), ``lapse_low``, ``lapse_high`` and
        ``log_likelihood`` as in `fit_psychometric`.

    Raises
    ------
    ValueError
        ``past`` is not as long as the trials.
    TooFew
        The trials with a choice have fewer than four contrasts.

    Notes
    -----
    The action and stimulus kernels of Findling et al. (2025, "Brain-wide representations of prior information in mouse
    decision-making"), but that there the weight is held near 1: the psychometric function is shifted by the normal
    deviate of P(left). One session of 450 trials tells the simulated mouse's learning rate, .17, to .08 on average.
    """
    if len(past) != len(trials):
        raise ValueError(f"There are {len(trials)} trials, so past takes as many sides; it has {len(past)}.")
    side, contrast = chosen_side(trials), signed_contrast(trials)
    chosen = (side != 0) & ~np.isnan(contrast)
    right, contrast = side[chosen] > 0, contrast[chosen]
    if (n := np.unique(contrast).size) < 4:
        raise TooFew(f"Fitting a curve takes four contrasts or more; the trials with a choice have {n}.")
    bounds = {"learning_rate": (0, 1), "weight": (-5, 5)} | PSYCHOMETRIC
    names, limits = list(bounds), np.array(list(bounds.values()))

    def loss(parameters: np.ndarray) -> float:
        fit = dict(zip(names, parameters, strict=True))
        p_left = kernel_p_left(past, fit["learning_rate"])[chosen].clip(1e-6, 1 - 1e-6)
        shift = fit["threshold"] * fit["weight"] * ndtri(1 - p_left) / np.sqrt(2)
        p_right = psychometric_curve(fit, contrast + shift).clip(1e-12, 1 - 1e-12)
        return -np.log(np.where(right, p_right, 1 - p_right)).sum()

    starts = [(rate, 0.5, 0, 12, 0.05, 0.05) for rate in (0.01, 0.05, 0.2, 0.5, 0.9)]
    return best_fit(loss, starts, limits, names)
