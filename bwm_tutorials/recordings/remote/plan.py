"""What a download costs before it is made: files, megabytes on disk and in memory, and where they go."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pandas as pd

from ...errors import DataError, MissingDataset
from .. import integrity
from ..datasets import BY_NAME
from ..local import LocalFile, LocalOne
from ..session import Session
from . import download

IN_MEMORY = {".pqt": 4}  # tables are compressed, by a factor of 1.4 to 7 on the sample; arrays are not


@dataclass(frozen=True)
class Plan:
    """What would be fetched; `print` it for the price, ``get()`` fetches.

    Attributes
    ----------
    one : LocalOne
    name : str
        Subject and date of the session.
    datasets : tuple of LocalFile
    files : DataFrame
        One row a file, by its path in the session: ``MB`` on disk, ``memory_MB`` up to about so much when it is
        loaded, ``here`` (bool).
    lacking : tuple of str
        What was asked for and the session does not have.
    """

    one: LocalOne
    name: str
    datasets: tuple[LocalFile, ...]
    files: pd.DataFrame
    lacking: tuple[str, ...]

    @property
    def to_fetch(self) -> int:
        """Bytes that are not here yet."""
        return sum(d.size for d, here in zip(self.datasets, self.files["here"], strict=True) if not here)

    @property
    def refusal(self) -> str:
        """Why it does not fit on the disk, in one sentence; empty if it does."""
        try:
            download.check_space(self.to_fetch, Path(self.one.cache_dir))
        except DataError as error:
            return str(error)
        return ""

    def __str__(self) -> str:
        missing = ~self.files["here"]
        lines = [
            f"{self.name}: {len(self.files)} files, {self.files['MB'].sum():,.1f} MB on disk, up to about "
            f"{self.files['memory_MB'].sum():,.0f} MB in memory if all are loaded.",
            f"To fetch: {missing.sum()} files, {self.to_fetch / 1e6:,.1f} MB, into {self.one.cache_dir}."
            if missing.any()
            else f"All of it is already in {self.one.cache_dir}.",
        ]
        if self.lacking:
            lines.append(f"This session has no {', '.join(self.lacking)}.")
        if (memory := _free_memory()) and self.files["memory_MB"].sum() * 1e6 > memory:
            lines.append(f"This computer has {memory / 1e6:,.0f} MB of memory free: load a part at a time.")
        return "\n".join([*lines, *([self.refusal] if self.refusal else [])])

    __repr__ = __str__

    def get(self) -> None:
        """Fetch what is not here, also what no load call fetches by accident (raw ephys, video).

        Raises
        ------
        DataError
            It does not fit on the disk, or the server does not give it.
        """
        try:
            self.one.fetch(self.datasets)
        except MissingDataset:  # the others are fetched all the same
            failed = [error for error in map(self._get_one, self.datasets) if error]
            raise MissingDataset(
                f"{len(failed)} of {len(self.datasets)} files were not fetched. {' '.join(failed)}"
            ) from None

    def _get_one(self, dataset: LocalFile) -> str:
        try:
            self.one.fetch([dataset])
        except MissingDataset as error:
            return str(error)
        return ""


def download_plan(
    one: LocalOne, eid: str | UUID | None = None, what: str | Sequence[str] = ("trials", "wheel")
) -> Plan:
    """What it costs to have a part of a session on this computer.

    Parameters
    ----------
    one : LocalOne
        The source, as `bwm_tutorials.connect` gives it.
    eid : str or UUID, optional
        The session; default the one that ``Session()`` opens.
    what : str or sequence of str
        Attributes of `Session` and `Insertion` (``'trials'``, ``'spikes'``, …; ``'pose'`` is Lightning Pose, of all
        cameras), ``'all'`` of these, or paths as ``one.list_datasets(eid)`` gives them, raw recordings too.

    Raises
    ------
    DataError
        There is nothing of such a name; the message lists the names.
    """
    session = Session(eid, one)
    asked = [what] if isinstance(what, str) else list(what)
    names = [*BY_NAME] if "all" in asked else asked
    every = one.list_datasets(session.eid, details=True, keep_eid_index=True)
    chosen, lacking = [], []
    for name in names:
        if name in BY_NAME:
            found = session.files.of(name)
        else:
            found = every.index[every["rel_path"] == name]
            if found.empty:
                raise DataError(
                    f"{session.name} has no {name!r}: name {', '.join(BY_NAME)}, all, or a path that "
                    "one.list_datasets(eid) gives."
                )
        chosen += list(found)
        if not len(found):
            lacking.append(name)
    table = every.loc[list(dict.fromkeys(chosen))]
    datasets = tuple(one.files(table))
    files = pd.DataFrame(
        {
            "MB": [d.size / 1e6 for d in datasets],
            "memory_MB": [d.size * IN_MEMORY.get(d.path.suffix, 1) / 1e6 for d in datasets],
            "here": [_is_here(d) for d in datasets],
        },
        index=pd.Index(table["rel_path"], name="file"),
    ).astype({"here": bool})
    return Plan(one, session.name, datasets, files, tuple(lacking))


def _is_here(dataset: LocalFile) -> bool:
    """Whether a file is here, by its size where that is as it should be, because a md5 takes its time."""
    if dataset.path.exists() and dataset.path.stat().st_size == dataset.size:
        return True
    return not integrity.fault(dataset.path, dataset.size, dataset.md5)


def _free_memory() -> int | None:
    try:
        import psutil
    except ImportError:
        return None
    return psutil.virtual_memory().available
