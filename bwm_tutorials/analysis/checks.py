"""Check arguments and arrays of the analyses, each in one place, and refuse in one sentence."""

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

FARTHEST = 60.0  # s from an event to either end of a window: the longest that the task waits for a response


def some(values: Iterable, most: int = 5) -> str:
    """The first of these values, as a sentence lists them: words in quotes, numbers with six digits at most."""
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    number = [isinstance(value, Real) and not isinstance(value, bool) for value in values]
    first = [f"{value:.6g}" if n else repr(value) for value, n in zip(values, number, strict=True)][:most]
    return ", ".join([*first, *["…"] * (len(values) > most)]) or "none"


def native(values: Any) -> np.ndarray:
    """An array in this computer's order of bytes: pandas and scipy take no other."""
    values = np.asarray(values)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def native_table(table: pd.DataFrame) -> pd.DataFrame:
    """The same table, its columns in this computer's order of bytes."""
    foreign = {
        name: kind.newbyteorder("=") for name, kind in table.dtypes.items() if not getattr(kind, "isnative", True)
    }
    return table.astype(foreign) if foreign else table


def labels(values: Any) -> pd.Series:
    """Labels of groups, in which pandas can group: by position, in this computer's order of bytes."""
    found = pd.Series(getattr(values, "array", values))
    return found.astype(found.dtype.newbyteorder("=")) if isinstance(found.dtype, np.dtype) else found


def numbers(values: Any, name: str) -> np.ndarray:
    """These values as float64, NaN where nothing is known; ValueError if they are something else."""
    values = np.asarray(values)
    if values.dtype.kind == "O":
        known = ~pd.isna(values)
        if all(isinstance(value, Real) for value in values[known]):
            values = np.where(known, values, np.nan).astype(float)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"The {name} must be numbers; these are {some(pd.unique(values.ravel()))}.")
    return values.astype(float, copy=False)


def in_order(times: npt.ArrayLike, name: str) -> np.ndarray:
    """Times as float64, of shape (n,); ValueError unless all are known and none comes before the one ahead of it."""
    times = numbers(times, name)
    if times.ndim != 1:
        raise ValueError(f"The {name} are of shape (n,); these have the shape {times.shape}.")
    if not (np.isfinite(times).all() and (times[:-1] <= times[1:]).all()):
        raise ValueError(f"The {name} must be sorted and without NaN: leave out what is not known, and sort the rest.")
    return times


def for_each(values: npt.ArrayLike, n: int, what: str, name: str) -> np.ndarray:
    """These values, one for each of ``n`` trials, frames or the like; ValueError if they are more or fewer."""
    values = native(values)
    if values.shape != (n,):
        raise ValueError(f"There are {n} {what}, and {name} has the shape {values.shape}.")
    return values


def window_around(window: tuple[float, float]) -> tuple[float, float]:
    """Start and stop of a window, s from an event; ValueError if it has no length, or lies in milliseconds."""
    start, stop = map(float, window)
    if not start < stop:
        raise ValueError(f"A window stops after its start; this is from {start} to {stop} s.")
    if max(-start, stop) > FARTHEST:
        raise ValueError(
            f"A window ends {FARTHEST:g} s from its event at most, and this is from {start:g} to {stop:g} s: give "
            "seconds, not milliseconds."
        )
    return start, stop


def one_of(asked: Any, known: Iterable, what: str) -> Any:
    """Return what was asked for, if it is known; else ValueError, with a list of what there is, and means."""
    words = known if isinstance(known, Mapping) else dict.fromkeys(known)
    if asked not in list(words):
        there = (f"{value!r} ({word})" if word else repr(value) for value, word in words.items())
        raise ValueError(f"There is no {what} {asked!r}; there are {', '.join(there)}.")
    return asked


def at_least(value: Any, least: int, name: str) -> int:
    """A whole number that is not below the least; ValueError if it is something else."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is a whole number from {least} on, not {value!r}.")
    return int(value)
