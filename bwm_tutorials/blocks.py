"""The blocks: the rule they follow, where each begins, and what the sides seen so far tell of them.

A side is −1 for left, +1 for right and 0 for none, as `trials.stimulus_side` and `trials.chosen_side` give it.
"""

import numpy as np
import pandas as pd

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
    n_blocks = 1 + n_trials // SHORTEST
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
    return np.array([block_priors(rng, n_trials) for _ in range(n)])


def shuffled_within_blocks(p_left: np.ndarray, n: int, seed: int) -> np.ndarray:
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
    found = blocks(p_left)
    block = np.repeat(np.arange(len(found)), found["n_trials"])
    return np.argsort(block + np.random.default_rng(seed).random((n, block.size)), axis=1)


def truncated_exponential(rng: np.random.Generator, scale: float, low: float, high: float, size: int) -> np.ndarray:
    """Exponential draws with the given scale, those outside [low, high] drawn again."""
    # By the inverse of the distribution function between its values at the limits: the same law as drawing again.
    edge_low, edge_high = np.exp(-low / scale), np.exp(-high / scale)
    return -scale * np.log(edge_low - rng.random(size) * (edge_low - edge_high))


def blocks(p_left: np.ndarray) -> pd.DataFrame:
    """The blocks of one session.

    Parameters
    ----------
    p_left : array-like, shape (n_trials,)
        The column ``probabilityLeft``, or a row of `pseudosessions`.

    Returns
    -------
    DataFrame
        One row a block, numbered from 0: ``start`` (its first trial, the session's first being 0), ``n_trials`` and
        ``probabilityLeft``. The session's end cuts the last block short.
    """
    p_left = np.asarray(p_left, float)
    # By number, so that trials of an unknown block (NaN) make one block and not one each.
    kind, _ = pd.factorize(p_left)
    start = np.flatnonzero(np.diff(kind, prepend=-2))
    n_trials = np.diff(start, append=p_left.size)
    found = pd.DataFrame({"start": start, "n_trials": n_trials, "probabilityLeft": p_left[start]})
    return found.rename_axis("block")


def position_in_block(p_left: np.ndarray) -> np.ndarray:
    """How many trials of its block came before each trial: 0 for the first.

    Parameters
    ----------
    p_left : array-like, shape (n_trials,)
        As in `blocks`.

    Returns
    -------
    ndarray of int, shape (n_trials,)
    """
    found = blocks(p_left)
    return np.arange(len(p_left)) - np.repeat(found["start"], found["n_trials"]).to_numpy()


def bayes_optimal_p_left(side: np.ndarray) -> np.ndarray:
    """The best possible estimate, before each trial, of the probability that the stimulus will be on the left.

    Parameters
    ----------
    side : array-like, shape (n_trials,) or (n_sessions, n_trials)
        Of the stimulus, from the session's first trial on; 0 where it is not known.

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
    side = np.asarray(side)
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
        Of the stimulus (the stimulus kernel) or of the choice (the action kernel). Trials without a side change
        nothing.
    learning_rate : float
        From 0 to 1: how far one trial moves the estimate towards its side.

    Returns
    -------
    ndarray, shape (n_trials,)
        .5 at first; no trial counts in its own estimate (Findling et al. 2025).
    """
    from scipy.signal import lfilter  # here, for it takes half a second to load

    side = np.asarray(side)
    known = side != 0
    keep = 1 - learning_rate
    estimates, _ = lfilter([learning_rate], [1, -keep], (side[known] < 0).astype(float), zi=[0.5 * keep])
    return np.append(0.5, estimates)[np.cumsum(known) - known]
