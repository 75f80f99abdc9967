"""Compare the trials of two values within conditions, against a null: what `responses` rests on."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import comb

from ..errors import TooFew
from .checks import at_least, for_each, labels, native, some

TRIALS = "trials in the counts"  # what there must be one value for


def compared(
    counts: pd.DataFrame,
    variable: npt.ArrayLike,
    condition: npt.ArrayLike | pd.DataFrame | None,
    null: int | np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, dict]:
    """The auc of each unit, (n_units,), those of the null, (n, n_units), and what was compared."""
    from scipy.stats import rankdata

    n_trials = counts.shape[1]
    value, values = pd.factorize(for_each(variable, n_trials, TRIALS, "variable"), sort=True)
    group = groups(condition, n_trials)
    known = (value >= 0) & (group >= 0) & counts.notna().all().to_numpy()
    if len(values) > 2:
        raise ValueError(f"A variable has two values and NaN elsewhere; this has {len(values)}: {some(values)}.")
    if len(values) < 2:
        raise TooFew(f"There is nothing to compare: the variable has one value at most here ({some(values)}).")
    high, (group, _) = value[known] == 1, pd.factorize(group[known])
    of_group = group[:, None] == np.arange(group.max(initial=0) + 1)
    n_high, n_low = (which.astype(int) @ of_group for which in (high, ~high))
    if not (n_high * n_low).any():
        raise TooFew("In no condition has the variable both values: take a condition that does not determine it.")
    ranks = np.empty((len(counts), high.size))
    for trials in of_group.T:
        ranks[:, trials] = rankdata(counts.to_numpy()[:, known][:, trials], axis=1)
    if np.ndim(null):
        shuffled = _same_values(native(null), known, values)
        described = f"{len(null)} given sequences"
    else:
        among = "of all trials" if condition is None else "within conditions"
        described, shuffled = f"{null} shuffles {among}", np.tile(high, (at_least(null, 1, "null"), 1))
        with np.errstate(over="ignore"):  # so many that they are not told from infinity
            ways = comb(n_high + n_low, n_high).prod()
        if ways < 20:
            raise TooFew(
                f"These {high.size} trials can be shuffled {among} in {ways:.0f} ways only, so that no p is below "
                f"1/{ways:.0f}: they are too few to compare."
            )
        rng = np.random.default_rng(seed)
        for trials in of_group.T:
            shuffled[:, trials] = rng.permuted(shuffled[:, trials], axis=1)
    by_chance = _auc(shuffled, ranks, of_group)
    if not (comparable := ~np.isnan(by_chance).any(axis=1)).any():
        raise TooFew(f"Of {described} none has both values in trials that can be compared: take more trials.")
    said = {
        "null": described,
        "values": tuple(values.tolist()),
        "n_trials": high.size,
        "n_rarer": int(np.minimum(n_high, n_low).sum()),
        "trials": tuple(counts.columns[known]),
        "smallest_p": 1 / (1 + int(comparable.sum())),
    }
    return _auc(high[None], ranks, of_group)[0], by_chance[comparable], said


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
    if null.dtype.kind in "iuf" and values.dtype.kind in "iuf":
        is_low, is_high = (np.abs(null - float(value)) < 1e-6 for value in values)  # .2 has several precisions
    else:
        is_low, is_high = (null == value for value in values)
    if not (is_low | is_high).all():
        raise TooFew(
            f"The variable is {values[0]} or {values[1]} in the trials compared, and the null has other values there: "
            "pseudosessions are of a whole session, from its first trial on."
        )
    return is_high


def groups(condition: npt.ArrayLike | pd.DataFrame | None, n_trials: int) -> np.ndarray:
    """Number of each trial's condition, −1 where it is not known."""
    if condition is None:
        return np.zeros(n_trials, int)
    if isinstance(condition, pd.DataFrame):
        for_each(condition.index, n_trials, TRIALS, "condition")
        table = pd.DataFrame({name: labels(condition[name]) for name in condition})
        return table.groupby(list(table)).ngroup().to_numpy()
    return pd.factorize(for_each(condition, n_trials, TRIALS, "condition"))[0]
