"""The trials of a session, from whichever files it keeps them in."""

import numpy as np
import pandas as pd

from ..analysis.vocabulary import vocabulary_faults
from .datasets import LABELS, OLDER, TRIALS, VOCABULARY
from .files import SessionFiles

TABLE = LABELS["trials"]
SIDES = ["contrastLeft", "contrastRight"]


def trials_of(files: SessionFiles) -> pd.DataFrame:
    """Return a session's trials: its table, and the attributes that are files of their own.

    An older recording has such files alone. What the table has is newer than a file that repeats it.
    """
    separate = files.matching("alf/_ibl_trials.*.npy")
    columns = {column.removesuffix("_0").removesuffix("_1") for column in TRIALS}
    further = [path for path in separate if _attribute(path) not in columns]
    if TABLE in files:
        trials, *arrays = files.load(TABLE, *further, called="trials")
    elif OLDER[TABLE] in separate:
        further = [path for path in separate if path not in further] + further
        trials, arrays = pd.DataFrame(), files.load(*further, called="trials")
    else:
        raise files.missing("trials")
    for attribute, values in zip(map(_attribute, further), arrays, strict=True):
        if values is not None:
            names = [attribute] if values.ndim == 1 else [f"{attribute}_0", f"{attribute}_1"]
            trials[names] = values.reshape(-1, len(names))
    if faults := vocabulary_faults(trials):
        path = TABLE if TABLE in files else OLDER[TABLE]
        files.refuse(path, f"{path} of {files.name} is not in the words of the release ({'; '.join(faults)})")
    return _with_sides(files, _exact(trials))


def _attribute(path: str) -> str:
    return path.split(".")[1]


def _exact(trials: pd.DataFrame) -> pd.DataFrame:
    """Columns that have a vocabulary, in double precision: .2 in single precision is another number."""
    single = [name for name in VOCABULARY if name in trials and trials[name].dtype == np.float32]
    return trials.assign(**trials[single].astype(float).round(6))


def _with_sides(files: SessionFiles, trials: pd.DataFrame) -> pd.DataFrame:
    """The side without a stimulus is NaN in the release, and 0 in tables of others."""
    if not set(SIDES) <= set(trials) or not (both := trials[SIDES].notna().all(axis=1)).any():
        return trials
    shown = both & (trials[SIDES] > 0).any(axis=1)
    n, unknown = int(shown.sum()), int((both & ~shown).sum())
    text = f"The trials of {files.name} have a contrast on either side in {n + unknown} trials"
    text += f": 0 beside another one is taken for the side without a stimulus ({n} trials)" if n else ""
    text += f"; both are 0 in {unknown}, and the side of these is not known" if unknown else ""
    files.note(TABLE, f"{text}.", "mended" if n else "noted")
    return trials.assign(**trials[SIDES].mask((trials[SIDES] == 0).mul(shown, axis=0)))
