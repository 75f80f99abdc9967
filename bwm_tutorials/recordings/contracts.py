"""What the registry says of a file, held against what is in it: the one place where a content is judged."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from .datasets import NO_NUMBERS, Dataset

_PART = 2**16  # values that are looked at together: they stay in the processor's cache


def breach(dataset: Dataset, content: Any) -> str:
    """Return in what a file is not what the registry says, as the end of a sentence; empty if it is.

    Parameters
    ----------
    dataset : Dataset
    content : ndarray or DataFrame
        Anything else is taken as it is.
    """
    if isinstance(content, pd.DataFrame | pd.Series):  # a table of one column is read as that
        return _of_table(dataset, pd.DataFrame(content))
    return _of_array(dataset, content) if isinstance(content, np.ndarray) else ""


def unequal(lengths: Mapping[str, tuple[Dataset, Any]]) -> dict[str, str]:
    """Return which files have not the length of those before them with which they share a dimension.

    Parameters
    ----------
    lengths : mapping
        By path, the dataset and its content; those that others must agree with come first.

    Returns
    -------
    dict
        By path, the end of a sentence.
    """
    first: dict[str, tuple[str, int]] = {}
    found = {}
    for path, (dataset, content) in lengths.items():
        for dimension, size in zip(dataset.shape.split(), getattr(content, "shape", ()), strict=False):
            other, other_size = first.setdefault(dimension, (path, size))
            if dimension.isalpha() and size != other_size:
                found[path] = f"has {size:,} {dimension} and {other} has {other_size:,}"
    return found


def _of_table(dataset: Dataset, table: pd.DataFrame) -> str:
    known = [name for name in table if any(fnmatchcase(str(name), each) for each in dataset.unit)]
    if not known:
        columns = ", ".join(map(repr, map(str, table.columns[:5])))
        return f"has none of its columns ({', '.join(dataset.unit)}) but {columns}"
    for name in known if "choice" not in dataset.unit else ():  # the words of trials are looked at together
        if dataset.unit.get(name) not in NO_NUMBERS and not pd.api.types.is_numeric_dtype(table[name]):
            some = ", ".join(map(repr, table[name].dropna().unique()[:3]))
            return f"has {some} in its column {name}, where numbers are"
    return _ordered(dataset, table.to_numpy()) if "intervals" in dataset.holding else ""


def _of_array(dataset: Dataset, values: np.ndarray) -> str:
    dimensions = dataset.shape.split()
    vector, pairs = len(dimensions) == 1, len(dimensions) == 2 and dimensions[1].isdigit()
    if (vector and values.ndim != 1) or (pairs and values.shape[1:] != (int(dimensions[1]),)):
        return f"has the shape {values.shape} where ({', '.join(dimensions)}) is wanted"
    if values.dtype.kind not in "iuf":
        return f"holds {values.dtype} where numbers are wanted"
    if "finite" in dataset.holding and (n := _not_finite(values)):
        return f"has {n:,} values that are not known (NaN or infinite)"
    return _ordered(dataset, values)


def _not_finite(values: np.ndarray) -> int:
    # A sum is finite only if all that is in it is, and costs a fraction of looking at each value.
    with np.errstate(invalid="ignore", over="ignore"):
        whole = values.dtype.kind != "f" or np.isfinite(values.sum(dtype=np.float64))
    return 0 if whole else int((~np.isfinite(values)).sum())


def _ordered(dataset: Dataset, values: np.ndarray) -> str:
    if "intervals" in dataset.holding:
        if n := int((values[:, 0] > values[:, 1]).sum()):
            return f"has {n:,} intervals that stop before they start"
        values = values[:, 0]
    elif not {"sorted", "rising"} & set(dataset.holding.split()):
        return ""
    strictly = "rising" in dataset.holding
    later = np.less_equal if strictly else np.less
    # In parts, for speed; each begins with the last value of the part before.
    parts = (values[i : i + _PART + 1] for i in range(0, len(values), _PART))
    n = sum(int(later(part[1:], part[:-1]).sum()) for part in parts)
    than = "not later" if strictly else "earlier"
    return f"is not in order: {n:,} of its times are {than} than the one before" if n else ""
