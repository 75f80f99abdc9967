"""What spike counts tell of the trials: which units respond, what they are selective for, what they share.

Counts are tables of units × trials, as `spikes.counts_in_intervals` gives them; a trial whose count is NaN is left out.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import TooFew
from .checks import for_each, native, numbers, window_around
from .comparing import TRIALS, compared, groups
from .counting import Spikes
from .spikes import around, counts_in_intervals
from .statistics import CORRECTION, adjusted, permutation_p, signed_rank


def responsive_units(
    spikes: Spikes,
    events: npt.ArrayLike,
    response: tuple[float, float],
    baseline: tuple[float, float],
    units: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Which units fire otherwise after (or about) an event than before it (Wilcoxon's signed-rank test over trials).

    Parameters
    ----------
    spikes, events, units
        As in `trial_counts`.
    response, baseline : tuple
        The windows that are compared, equally long: start and stop, s from the event. Trials of which either leaves
        the recording are left out.

    Returns
    -------
    DataFrame
        One row a unit, by cluster id: ``baseline`` and ``response``, mean rates (Hz); ``effect``, ``p`` and
        ``p_adjusted`` as `statistics.signed_rank` gives them: ``p_adjusted`` is corrected for the number of units
        (Benjamini–Hochberg), ``p`` is not. Its ``attrs`` have ``events`` (their name), ``response``, ``baseline``,
        ``test``, ``correction``, ``n_trials`` and ``trials`` (those that were compared).

    Raises
    ------
    ValueError
        The windows overlap or differ in length, or as `counts_in_intervals`.
    TooFew
        In no trial do both windows lie in the recording.

    Notes
    -----
    Agrees with ``brainbox.task.closed_loop.responsive_units``, which allows windows of different length. There, rates
    of units that do not respond differ in rank all the same: one spike is a higher rate in the shorter window.
    """
    response, baseline = window_around(response), window_around(baseline)
    if baseline[0] < response[1] and response[0] < baseline[1]:
        raise ValueError(
            f"The response window, {response[0]} to {response[1]} s, overlaps the baseline, {baseline[0]} to "
            f"{baseline[1]} s, so the same spikes would be on both sides: move one of them."
        )
    seconds = response[1] - response[0]
    if not np.isclose(seconds, baseline[1] - baseline[0]):
        raise ValueError(
            f"The response window lasts {seconds:.6g} s and the baseline {baseline[1] - baseline[0]:.6g} s, but ranks "
            "compare counts of equal times only: make them equally long."
        )
    during, before = (counts_in_intervals(spikes, around(events, window), units) for window in (response, baseline))
    known = (during.notna() & before.notna()).all()
    during, before = during.loc[:, known.to_numpy()], before.loc[:, known.to_numpy()]
    rates = pd.DataFrame({"baseline": before.mean(axis=1) / seconds, "response": during.mean(axis=1) / seconds})
    table = rates.join(signed_rank((during - before).to_numpy()).set_index(rates.index))
    table.attrs = {
        "events": during.attrs["events"],
        "response": response,
        "baseline": baseline,
        "test": "Wilcoxon signed rank",
        "correction": CORRECTION,
        "n_trials": int(known.sum()),
        "trials": tuple(known.index[known]),
    }
    return table


def selectivity(
    counts: pd.DataFrame,
    variable: npt.ArrayLike,
    condition: npt.ArrayLike | pd.DataFrame | None = None,
    null: int | np.ndarray = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Whether each unit's count tells the two values of a variable apart (condition-combined Mann–Whitney test).

    Trials are compared only with trials of the same condition, so that a unit that knows the stimulus is not taken for
    one that knows the choice, which goes along with it.

    Parameters
    ----------
    counts : DataFrame
        Units × trials, as `counts_in_intervals` gives them.
    variable : array-like, shape (n_trials,)
        Of two values: the choice, the side of the stimulus, the feedback, the block. NaN leaves a trial out.
    condition : array-like, shape (n_trials,), or DataFrame, optional
        The other variables: a label for each trial, or a table whose rows are compared. NaN leaves a trial out.
        Default all trials together.
    null : int or ndarray, shape (n, n_trials)
        How many times the variable is shuffled among the trials of a condition. What is slow or comes in blocks must
        not be shuffled, for rates are slow too: give sequences that it could have had instead, as
        `blocks.pseudosessions` does for ``probabilityLeft``.
    seed : int
        Of the shuffles.

    Returns
    -------
    DataFrame
        One row a unit: ``auc``, the probability that a trial of the higher value has the higher count, over pairs of
        trials of the same condition (.5: no difference); ``p``, two-sided, the share of the null that lies as far from
        .5, the recording itself counted in; ``p_adjusted``, for as many tests as there are units. Its ``attrs`` have
        those of ``counts``, and ``test``, ``null``, ``correction``, ``values`` (lower and higher), ``n_trials`` and
        ``trials`` (those that were compared), ``n_rarer`` (of these, the trials of the value that is rarer in their
        condition: how much there is to compare), ``smallest_p`` (that this null can give).

    Raises
    ------
    ValueError
        The variable has more than two values, the null's values are others, or lengths differ.
    TooFew
        The variable does not have two values in the trials that are known, no condition has both, or the null can be
        dealt out in so few ways that no p is below .05.

    Notes
    -----
    The test of Steinmetz et al. (2019, Nature 576:266) and of the Brain Wide Map (International Brain Laboratory 2025),
    with pseudosessions after Harris (2020, "Nonsense correlations in neuroscience").
    """
    auc, by_chance_auc, said = compared(counts, variable, condition, null, seed)
    p = permutation_p((~(np.abs(by_chance_auc - 0.5) < np.abs(auc - 0.5))).T)
    table = pd.DataFrame({"auc": auc, "p": p, "p_adjusted": adjusted(p)}, counts.index)
    table.attrs = counts.attrs | {"test": "condition-combined Mann-Whitney", "correction": CORRECTION} | said
    return table


def null_detection_rate(
    counts: pd.DataFrame,
    variable: npt.ArrayLike,
    condition: npt.ArrayLike | pd.DataFrame | None = None,
    null: int | np.ndarray = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """What `selectivity` finds in these counts where there is nothing to find.

    Each sequence of the null takes the place of the variable, and is held against the others.

    Parameters
    ----------
    counts, variable, condition, null, seed
        As in `selectivity`.

    Returns
    -------
    DataFrame
        One row a sequence: ``p`` and ``p_adjusted``, the share of units (a fraction) for which each is below .05. The
        mean of ``p`` is .05 (less with ties); how far single sequences lie from it says how far a session can, for all
        its units share one sequence of trials.

    Raises
    ------
    ValueError
        As `selectivity`, or the null is of 20 sequences or fewer, among which no p is below .05.
    """
    from scipy.stats import false_discovery_control, rankdata

    _, auc, _ = compared(counts, variable, condition, null, seed)
    if len(auc) <= 20:
        raise ValueError(
            f"Among {len(auc)} sequences no p is below 1/{len(auc)}: give 21 or more, to find any below .05."
        )
    # How many lie as far or farther, the sequence itself counted in.
    p = rankdata(-np.abs(auc - 0.5), method="max", axis=0) / len(auc)
    shares = {"p": p, "p_adjusted": false_discovery_control(p, axis=1)}
    return pd.DataFrame({name: (values < 0.05).mean(axis=1) for name, values in shares.items()})


def noise_correlations(counts: pd.DataFrame, condition: npt.ArrayLike | pd.DataFrame | None = None) -> pd.DataFrame:
    """How the counts of each pair of units vary together from trial to trial, where nothing else is known to differ.

    Parameters
    ----------
    counts : DataFrame
        Units × trials, as `counts_in_intervals` gives them.
    condition : array-like, shape (n_trials,), or DataFrame, optional
        A label for each trial, or a table whose rows are compared: each unit's mean over the trials of a condition is
        taken away. NaN leaves a trial out. Default one mean for all.

    Returns
    -------
    DataFrame
        Units × units: Pearson correlation of what remains. NaN for a unit with itself, and where nothing varies. Slow
        drift is part of it. Its ``attrs`` have those of ``counts``, ``n_trials`` and ``trials``.
    """
    group = groups(condition, counts.shape[1])
    known = (group >= 0) & counts.notna().all().to_numpy()
    values, group = counts.to_numpy(float)[:, known], group[known]
    rest = np.empty_like(values)
    for g in np.unique(group):
        rest[:, group == g] = values[:, group == g] - values[:, group == g].mean(axis=1, keepdims=True)
    # What is left of equal counts is rounding, not variation.
    rest[np.abs(rest).max(axis=1, initial=0) < 1e-9] = np.nan
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    correlations = rest @ rest.T
    np.fill_diagonal(correlations, np.nan)
    table = pd.DataFrame(correlations, counts.index, counts.index)
    table.attrs = counts.attrs | {"n_trials": group.size, "trials": tuple(counts.columns[known])}
    return table


def comparable_pairs(variable: npt.ArrayLike, condition: npt.ArrayLike | pd.DataFrame | None = None) -> int:
    """How many pairs of trials differ in a variable of two values, and are of the same condition.

    What `selectivity` compares; a test of few pairs finds little.

    Parameters
    ----------
    variable, condition : array-like, shape (n_trials,)
        As in `selectivity`; NaN leaves a trial out, no condition takes all together.
    """
    value, _ = pd.factorize(native(variable))
    group = groups(condition, value.size)
    known = (group >= 0) & (value >= 0)
    table = pd.crosstab(group[known], value[known])
    return int(table.prod(axis=1).sum()) if table.shape[1] == 2 else 0


def rank_correlations(counts: pd.DataFrame, values: npt.ArrayLike, orders: np.ndarray) -> pd.DataFrame:
    """Whether each unit's count goes along with a number of the trial, as the speed of a paw (Spearman).

    Parameters
    ----------
    counts : DataFrame
        Units × trials, as `counts_in_intervals` gives them. A trial with a NaN is left out.
    values : array-like, shape (n_trials,)
        NaN leaves a trial out.
    orders : ndarray of int, shape (n, n_trials)
        The null: other orders of the trials, as `blocks.shuffled_within_blocks` gives them.

    Returns
    -------
    DataFrame
        One row a unit: ``rho``, the rank correlation (0 where a unit's counts are all equal), ``p``, two-sided, the
        share of the null as far from 0, the recording itself counted in, and ``p_adjusted`` for as many tests as there
        are units (Benjamini–Hochberg).

    Raises
    ------
    ValueError
        There is not one value, or one place in each order, for each trial.
    TooFew
        Fewer than three trials are known, all have the same value, or no order moves any.
    """
    from scipy.stats import rankdata

    n_trials = counts.shape[1]
    values, orders = numbers(for_each(values, n_trials, TRIALS, "values"), "values"), native(orders)
    if orders.ndim != 2 or not (np.sort(orders, axis=1) == np.arange(n_trials)).all():
        raise ValueError(
            f"Orders are each of {n_trials} trials once, of shape (n, {n_trials}); these are {orders.shape}."
        )
    known = counts.notna().all().to_numpy() & ~np.isnan(values)
    if known.sum() < 3:
        raise TooFew(f"A correlation takes three trials that are known or more; here are {known.sum()}.")
    if np.ptp(values[known]) == 0 or (orders == np.arange(n_trials)).all():
        what = "have the same value" if np.ptp(values[known]) == 0 else "stay in their place in every order of the null"
        raise TooFew(f"All {known.sum()} trials that are known {what}, so there is nothing to correlate.")
    # The order of the trials that are known, among themselves.
    place = np.cumsum(known) - 1
    orders = place[orders[known[orders]]].reshape(len(orders), known.sum())
    unit = _standard(rankdata(counts.to_numpy()[:, known], axis=1))
    value = _standard(rankdata(values[known]))
    rho = unit @ value
    as_far = np.abs(unit @ value[orders].T) >= np.abs(rho)[:, None] - 1e-12
    p = permutation_p(as_far)
    table = pd.DataFrame({"rho": rho, "p": p, "p_adjusted": adjusted(p)}, counts.index)
    table.attrs = counts.attrs | {"correction": CORRECTION, "n_trials": int(known.sum())}
    return table


def circular_correlations(values: npt.ArrayLike, rates: pd.DataFrame, step: float) -> pd.DataFrame:
    """How a trace and the rate of each unit correlate at every shift, their ends joined to a ring.

    Parameters
    ----------
    values : array-like, shape (n_steps,)
        The trace in steps of time, for example a paw's speed; without NaN.
    rates : DataFrame
        Units × the same steps of time: rates or counts.
    step : float
        s.

    Returns
    -------
    DataFrame
        Units × shifts (s): Pearson correlation. At a shift above 0 the unit lags: its rate comes that much later than
        what it is compared with. Shifts far from 0 are a null in which both are as slow as ever. 0 where nothing
        varies.

    Raises
    ------
    ValueError
        Something is NaN, or there are not as many steps of the trace as of the rates.
    TooFew
        There are no two steps.
    """
    n = rates.shape[1]
    values = numbers(for_each(values, n, "steps", "the trace"), "values of the trace")
    if n < 2 or not step > 0:
        raise TooFew(f"A correlation at shifts takes two steps or more of more than 0 s; here are {n} of {step} s.")
    if not (np.isfinite(values).all() and np.isfinite(rates.to_numpy(float)).all()):
        raise ValueError("A ring has no gaps: fill in or cut away the steps in which the trace or a rate is NaN.")
    ours = np.fft.rfft(_standard(values))
    theirs = np.fft.rfft(_standard(rates.to_numpy(float)), axis=1)
    theirs *= ours.conj()
    rho = np.fft.irfft(theirs, n, axis=1)
    shifts = (np.arange(n) + n // 2) % n - n // 2
    order = np.argsort(shifts)
    return pd.DataFrame(rho[:, order], rates.index, pd.Index((shifts[order] * step).round(9), name="shift"))


def _standard(values: np.ndarray) -> np.ndarray:
    """Values along the last axis with mean 0 and length 1; zeros where all are equal."""
    centred = values - values.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    centred /= np.where(length > 1e-9, length, np.inf)
    return centred
