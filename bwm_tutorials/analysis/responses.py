"""What spike counts tell of the trials: which units respond, what they are selective for, what they share.

Counts are tables of units × trials, as `spikes.counts_in_intervals` gives them; a trial whose count is NaN is left out.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import TooFew
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

    Notes
    -----
    Agrees with ``brainbox.task.closed_loop.responsive_units``, which allows windows of different length. There, rates
    of units that do not respond differ in rank all the same: one spike is a higher rate in the shorter window.
    """
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
        "response": tuple(response),
        "baseline": tuple(baseline),
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
        condition: how much there is to compare).

    Raises
    ------
    ValueError
        The variable does not have two values in the trials that are known, no condition has both, the null's values are
        others, or lengths differ.

    Notes
    -----
    The test of Steinmetz et al. (2019, Nature 576:266) and of the Brain Wide Map (International Brain Laboratory 2025),
    with pseudosessions after Harris (2020, "Nonsense correlations in neuroscience").
    """
    auc, by_chance_auc, said = _compared(counts, variable, condition, null, seed)
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
        As `selectivity`.
    """
    from scipy.stats import false_discovery_control, rankdata

    _, auc, _ = _compared(counts, variable, condition, null, seed)
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
    group = _groups(condition, counts.shape[1])
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
    variable = np.asarray(variable, float)
    group = _groups(condition, variable.size)
    known = (group >= 0) & ~np.isnan(variable)
    table = pd.crosstab(group[known], variable[known])
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
    """
    from scipy.stats import rankdata

    values = np.asarray(values, float)
    known = counts.notna().all().to_numpy() & ~np.isnan(values)
    if known.sum() < 3:
        raise ValueError(f"A correlation takes three trials that are known or more; here are {known.sum()}.")
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
        what it is compared with. Shifts far from 0 are a null in which both are as slow as ever.
    """
    values, n = np.asarray(values, float), len(values)
    ours = np.fft.rfft(_standard(values))
    theirs = np.fft.rfft(_standard(rates.to_numpy(float)), axis=1)
    theirs *= ours.conj()
    rho = np.fft.irfft(theirs, n, axis=1)
    shifts = (np.arange(n) + n // 2) % n - n // 2
    order = np.argsort(shifts)
    return pd.DataFrame(rho[:, order], rates.index, pd.Index((shifts[order] * step).round(9), name="shift"))


def _compared(
    counts: pd.DataFrame,
    variable: npt.ArrayLike,
    condition: npt.ArrayLike | pd.DataFrame | None,
    null: int | np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, dict]:
    """The auc of each unit, (n_units,), those of the null, (n, n_units), and what was compared."""
    from scipy.stats import rankdata

    n_trials = counts.shape[1]
    value, values = pd.factorize(_for_each(variable, n_trials, "variable"), sort=True)
    group = _groups(condition, n_trials)
    known = (value >= 0) & (group >= 0) & counts.notna().all().to_numpy()
    if len(values) != 2:
        raise TooFew(
            f"A variable has two values and NaN elsewhere; this one has {len(values)}: "
            f"{', '.join(map(str, values[:5]))}{', …' if len(values) > 5 else ''}."
        )
    high, (group, _) = value[known] == 1, pd.factorize(group[known])
    ranks = np.empty((len(counts), high.size))
    of_group = group[:, None] == np.arange(group.max(initial=0) + 1)
    for trials in of_group.T:
        ranks[:, trials] = rankdata(counts.to_numpy()[:, known][:, trials], axis=1)
    if np.ndim(null):
        described, shuffled = f"{len(null)} given sequences", _same_values(np.asarray(null), known, values)
    else:
        among = "of all trials" if condition is None else "within conditions"
        described, shuffled = f"{null} shuffles {among}", np.tile(high, (null, 1))
        rng = np.random.default_rng(seed)
        for trials in of_group.T:
            shuffled[:, trials] = rng.permuted(shuffled[:, trials], axis=1)
    auc = _auc(high[None], ranks, of_group)[0]
    if np.isnan(auc).any():
        raise TooFew("In no condition has the variable both values: take a condition that does not determine it.")
    said = {
        "null": described,
        "values": tuple(values.tolist()),
        "n_trials": high.size,
        "n_rarer": int(np.minimum(high @ of_group.astype(int), ~high @ of_group.astype(int)).sum()),
        "trials": tuple(counts.columns[known]),
    }
    return auc, _auc(shuffled, ranks, of_group), said


def _standard(values: np.ndarray) -> np.ndarray:
    """Values along the last axis with mean 0 and length 1; zeros where all are equal."""
    centred = values - values.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    centred /= np.where(length > 1e-9, length, np.inf)
    return centred


def _auc(high: np.ndarray, ranks: np.ndarray, of_group: np.ndarray) -> np.ndarray:
    """For each way to call trials high, and each unit: the share of pairs in a group whose high trial ranks higher.

    ``high`` is (n, n_trials), ``ranks`` (n_units, n_trials), ``of_group`` (n_trials, n_groups). Sums of ranks are
    multiples of ½ and exact in floating point, so that ties with the null are ties on any computer.
    """
    high, of_group = high.astype(float), of_group.astype(float)
    n_high = high @ of_group
    n_low = of_group.sum(axis=0) - n_high
    wins = high @ ranks.T - (n_high * (n_high + 1) / 2).sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # no pair at all
        return wins / (n_high * n_low).sum(axis=1, keepdims=True)


def _same_values(null: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Where the sequences of a null have the higher value, in the trials that are known."""
    if null.ndim != 2 or null.shape[1] != known.size:
        raise ValueError(f"There are {known.size} trials, so the null is of shape (n, {known.size}), not {null.shape}.")
    null = null[:, known]
    if not np.isin(null, values).all():
        raise ValueError(
            f"The variable is {values[0]} or {values[1]} in the trials compared, and the null has other values there."
        )
    return null == values[1]


def _groups(condition: npt.ArrayLike | pd.DataFrame | None, n_trials: int) -> np.ndarray:
    """Number of each trial's condition, −1 where it is not known."""
    if condition is None:
        return np.zeros(n_trials, int)
    if isinstance(condition, pd.DataFrame):
        _for_each(condition.index, n_trials, "condition")
        return condition.groupby(list(condition)).ngroup().to_numpy()
    return pd.factorize(_for_each(condition, n_trials, "condition"))[0]


def _for_each(labels: npt.ArrayLike, n_trials: int, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (n_trials,):
        raise ValueError(f"There are {n_trials} trials in the counts, and {name} has the shape {labels.shape}.")
    return labels
