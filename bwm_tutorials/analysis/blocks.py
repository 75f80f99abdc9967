"""The blocks: the rule they follow, where each begins, and what the sides seen so far tell of them.

A side is −1 for left, +1 for right and 0 for none, as `trials.stimulus_side` and `trials.chosen_side` give it.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..console import say_once
from ..errors import TooFew
from .checks import at_least, for_each, numbers, some

N_UNBIASED = 90  # trials before the first biased block
LIKELY = 0.8  # probability of the likely side in a biased block
SCALE, SHORTEST, LONGEST = 60, 20, 100  # of a biased block's length: exponential, truncated, cut to whole trials


def block_priors(rng: np.random.Generator, n_trials: int) -> np.ndarray:
    """A sequence of blocks by the rules of the task.

    Returns
    -------
    ndarray, shape (n_trials,)
        The probability that the stimulus is on the left: .5 for 90 trials, then blocks of .2 and .8 in turn, whichever
        first, of 20 to 99 trials (truncated exponential with a scale of 60: 51 on average).
    """
    n_blocks = 1 + at_least(n_trials, 0, "n_trials") // SHORTEST
    lengths = truncated_exponential(rng, SCALE, SHORTEST, LONGEST, n_blocks).astype(int)
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
    # Streams of their own: the simulation draws a session's blocks from its seed, and they must not be among these.
    rng = np.random.default_rng([*b"pseudosessions", seed])
    return np.array([block_priors(rng, n_trials) for _ in range(at_least(n, 1, "n"))])


def shuffled_within_blocks(p_left: npt.ArrayLike, n: int, seed: int) -> np.ndarray:
    """Orders of the trials in which none leaves its block: the null for what changes from trial to trial.

    Parameters
    ----------
    p_left : array-like, shape (n_trials,)
        As in `blocks`.
    n : int
        How many orders.
    seed : int
        The same seed gives the same orders.

    Returns
    -------
    ndarray of int, shape (n, n_trials)
        Rows of ``trials.iloc[order]``, or of one column of them against the others as they are. Whatever follows from
        the block alone, or changes as slowly as blocks do, is kept; for that, `pseudosessions` are the null.
    """
    found = _runs(p_left)
    block = np.repeat(np.arange(len(found)), found["n_trials"])
    return np.argsort(block + np.random.default_rng(seed).random((at_least(n, 1, "n"), block.size)), axis=1)


def truncated_exponential(rng: np.random.Generator, scale: float, low: float, high: float, size: int) -> np.ndarray:
    """Exponential draws with the given scale, those outside [low, high] drawn again."""
    # By the inverse of the distribution function between its values at the limits: the same law as drawing again.
    edge_low, edge_high = np.exp(-low / scale), np.exp(-high / scale)
    return -scale * np.log(edge_low - rng.random(size) * (edge_low - edge_high))


def blocks(p_left: npt.ArrayLike) -> pd.DataFrame:
    """The blocks of one session.

    Parameters
    ----------
    p_left : array-like, shape (n_trials,)
        The column ``probabilityLeft``, or a row of `pseudosessions`.

    Returns
    -------
    DataFrame
        One row a block, numbered from 0: ``start`` (its first trial, the session's first being 0), ``n_trials`` and
        ``probabilityLeft``. The session's end cuts the last block short; it is said once if others of .2 or .8 are
        shorter than the task makes them, as they are when trials have been left out.
    """
    found = _runs(p_left)
    inner, biased_ = found["n_trials"].iloc[1:-1], np.isfinite(biased(found["probabilityLeft"]))[1:-1]
    if short := int((inner[biased_] < SHORTEST).sum()):
        say_once(
            f"{short} of {len(found)} blocks are shorter than the {SHORTEST} trials of the task: give all trials of a "
            "session, in their order."
        )
    return found


def biased(p_left: npt.ArrayLike) -> np.ndarray:
    """Say which biased block each trial is of.

    Parameters
    ----------
    p_left : array-like
        The column ``probabilityLeft``, whatever its precision: .2 of a file in single precision is not Python's.

    Returns
    -------
    ndarray, of the shape of ``p_left``
        Python's .2 (likely on the right) and .8 (on the left), NaN elsewhere.
    """
    p_left = numbers(p_left, "probabilities")
    found = np.full(p_left.shape, np.nan)
    for p in (round(1 - LIKELY, 6), LIKELY):
        found[np.isclose(p_left, p)] = p
    return found


def both_biased(p_left: npt.ArrayLike) -> np.ndarray:
    """As `biased`; TooFew, which names the probabilities that there are, unless some trials are of either block."""
    found = biased(p_left)
    if np.unique(found[~np.isnan(found)]).size < 2:
        p_left = numbers(p_left, "probabilities")
        there = some(np.unique(p_left[~np.isnan(p_left)].round(6)))
        raise TooFew(f"There are no blocks of .2 and .8 to compare: probabilityLeft is {there} here.")
    return found


def position_in_block(p_left: npt.ArrayLike) -> np.ndarray:
    """Count the trials of its block that came before each trial: 0 for the first.

    Parameters
    ----------
    p_left : array-like, shape (n_trials,)
        As in `blocks`.

    Returns
    -------
    ndarray of int, shape (n_trials,)
    """
    found = _runs(p_left)
    return np.arange(len(p_left)) - np.repeat(found["start"], found["n_trials"]).to_numpy()


def block_shift(right: npt.ArrayLike, contrast: npt.ArrayLike, p_left: npt.ArrayLike) -> np.ndarray:
    """Compare how often the mouse reports right in blocks of the right and in blocks of the left.

    Parameters
    ----------
    right : array-like, shape (n_trials,)
        1 for a report of right, 0 for one of left, NaN (left out) for none; or the probability of right.
    contrast : array-like, shape (n_trials,)
        As `trials.signed_contrast` gives it. Trials are compared with trials of the same contrast, for there are more
        stimuli on the right in a block of the right.
    p_left : array-like, shape (n_trials,) or (n, n_trials)
        The column ``probabilityLeft``, or `pseudosessions`: what is found with those is the null.

    Returns
    -------
    ndarray, shape () or (n,)
        Fraction: the differences at each contrast, weighted as by Mantel and Haenszel (Greenland and Robins 1985). Of a
        pseudosession without trials of both blocks at one contrast NaN.

    Raises
    ------
    TooFew
        The session itself has none; the message says which blocks it has.
    """
    of_session = np.ndim(p_left) == 1
    p_left = both_biased(p_left) if of_session else biased(p_left)
    right, contrast = (
        numbers(for_each(values, p_left.shape[-1], "trials", name), name)
        for values, name in ((right, "right"), (contrast, "contrast"))
    )
    difference, weights = np.zeros((2, *p_left.shape[:-1]))
    for level in np.unique(contrast[~np.isnan(contrast)]):
        known = (contrast == level) & ~np.isnan(right)
        in_right, in_left = p_left[..., known] < 0.5, p_left[..., known] > 0.5
        n_right, n_left, n = in_right.sum(-1), in_left.sum(-1), np.maximum((in_right | in_left).sum(-1), 1)
        difference += (n_left * (in_right @ right[known]) - n_right * (in_left @ right[known])) / n
        weights += n_right * n_left / n
    if of_session and weights == 0:
        raise TooFew("At no contrast did the mouse report in blocks of both sides: there is nothing to compare.")
    with np.errstate(invalid="ignore"):
        return difference / weights


def _runs(p_left: npt.ArrayLike) -> pd.DataFrame:
    """The table of `blocks`, of any sequence."""
    p_left = numbers(p_left, "probabilities").round(6)  # single precision gives the numbers of double
    if p_left.ndim != 1 or not ((p_left >= 0) & (p_left <= 1) | np.isnan(p_left)).all():
        raise ValueError(
            f"probabilityLeft is one fraction from 0 to 1 for each trial; these are {some(np.unique(p_left))}, of the "
            f"shape {p_left.shape}."
        )
    # By number, so that trials of an unknown block (NaN) make one block and not one each.
    kind, _ = pd.factorize(p_left)
    start = np.flatnonzero(np.diff(kind, prepend=-2))
    n_trials = np.diff(start, append=p_left.size)
    found = pd.DataFrame({"start": start, "n_trials": n_trials, "probabilityLeft": p_left[start]})
    return found.rename_axis("block")
