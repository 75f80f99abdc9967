"""The words and numbers of a trials table: what its columns may hold, and what is said where they do not."""

from numbers import Real

import numpy as np
import pandas as pd

from ..errors import DataError, MissingDataset
from .checks import some

_FRACTION = "contrasts are fractions from 0 to 1"
RULES = {
    "choice": "choice is 1 (left), −1 (right) or 0 (none)",
    "feedbackType": "feedbackType is 1 (reward), −1 (no reward) or 0 (neither)",
    "contrastLeft": _FRACTION,
    "contrastRight": _FRACTION,
    "probabilityLeft": "probabilityLeft is a fraction from 0 to 1",
}
"""What these columns hold, besides NaN; all that end with ``_times`` hold seconds."""


def vocabulary_faults(trials: pd.DataFrame) -> list[str]:
    """Say what a table of trials holds that is not of the release's vocabulary.

    Parameters
    ----------
    trials : DataFrame
        Any columns; those of `RULES` and times are looked at. NaN is allowed in all.

    Returns
    -------
    list of str
        A clause for each column at fault: the rule, what the column has instead, and what to do if that is known.
    """
    return [fault for name in map(str, trials.columns) if (fault := _fault(name, trials[name]))]


def column(trials: pd.DataFrame, name: str) -> np.ndarray:
    """A column of the trials as float64, NaN where it is not known; whatever precision or order of bytes it has.

    Raises
    ------
    MissingDataset
        The trials have no such column.
    DataError
        It holds something that is not of the vocabulary.
    """
    require(trials, [name])
    if fault := _fault(name, trials[name]):
        raise DataError(f"{fault}.")
    return trials[name].to_numpy(float, na_value=np.nan)


def require(trials: pd.DataFrame, names: list[str] | tuple[str, ...]) -> None:
    """MissingDataset unless the trials have these columns."""
    if missing := [name for name in names if name not in trials]:
        raise MissingDataset(f"These trials have no {', '.join(missing)}; they have {', '.join(trials.columns)}.")


def _fault(name: str, values: pd.Series) -> str:
    rule = RULES.get(name, "times are seconds" if name.endswith("_times") else None)
    if rule is None:
        return ""
    known = values.dropna()
    # A column that is not of numbers may still hold nothing else, beside None; True and False are none.
    if known.dtype.kind not in "iuf" and not all(isinstance(v, Real) and not isinstance(v, bool) for v in known):
        wrong, remedy = list(dict.fromkeys(known)), ""
    else:
        found = np.unique(known.to_numpy(float))
        wrong = found[~_fits(name, found)]
        percent = "fraction" in rule and wrong.size and 1 < wrong[0] <= wrong[-1] <= 100
        remedy = ": divide it by 100" if percent else ""
    has = "these trials have" if rule.startswith(name) else f"{name} has"
    return f"{rule}; {has} {some(wrong)}{remedy}" if len(wrong) else ""


def _fits(name: str, values: np.ndarray) -> np.ndarray:
    if name in ("choice", "feedbackType"):
        return np.isin(values, (-1, 0, 1))
    return (values >= 0) & (values <= 1) if name in RULES else np.isfinite(values)
