"""Recordings in a folder: a ONE instance that reads no file that is not whole."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pandas as pd
from one.alf.path import ALFPath
from one.api import One, OneAlyx
from one.converters import session_record2path

from . import integrity, tables
from .errors import CorruptData, MissingDataset, UnknownSource, cause

REMEDY = "rebuild the sample with 'bwm-tutorials data --rebuild', or fetch the files again"
_NO_IDS = pd.MultiIndex.from_arrays([[], []], names=["eid", "id"])


class Dataset(NamedTuple):
    """A file as the tables describe it; ``size`` is 0 and ``md5`` empty if unknown."""

    id: UUID
    path: Path
    size: int
    md5: str | None


class OfflineOne(One):
    """A ONE instance on a local folder, which also knows its insertions and reads no file that is not whole.

    The stock local `One` lacks the calls for pids, and only warns of a file that is not what the tables say.

    Parameters
    ----------
    root : Path
        A folder with ``sessions.pqt`` and ``datasets.pqt`` (and ``insertions.pqt`` for pids).
    """

    def __init__(self, root: Path):
        _check_tables(root)
        try:
            One.__init__(self, cache_dir=root)
            labs = set(self._cache["sessions"]["lab"].dropna())
            datasets = self._cache["datasets"]
            datasets["file_size"] = datasets["file_size"].fillna(0)  # unknown, which ONE cannot bear
            # What tables written with pandas 3 say of files without a revision.
            datasets["rel_path"] = datasets["rel_path"].str.replace("#nan#/", "", regex=False)
        except Exception as error:
            raise CorruptData(f"The tables (*.pqt) in {root} cannot be read ({cause(error)}): {REMEDY}.") from error
        if not labs:
            raise CorruptData(f"The tables in {root} hold no sessions that ONE can read: {REMEDY}.")
        _check_labs(root, labs)
        # A folder without the table has sessions without probes; ONE's own calls would ask for a network.
        self._cache.setdefault("insertions", pd.DataFrame({"name": []}, index=_NO_IDS))

    def pid2eid(self, pid: str | UUID, query_type: str | None = None) -> tuple[UUID, str]:
        """The session (eid) and name of the probe of an insertion."""
        return OneAlyx.pid2eid(self, pid, query_type="local")

    def eid2pid(self, eid: str | UUID, query_type: str | None = None, details: bool = False) -> tuple:
        """The insertions (pids) of a session and the names of their probes."""
        return OneAlyx.eid2pid(self, eid, query_type="local", details=details)

    def search_insertions(self, details: bool = False, query_type: str | None = None, **terms):
        """The insertions (pids) that match search terms, for example ``subject=`` or ``name=``."""
        of_probe = {term: terms.pop(term) for term in ("name", "model", "serial") if term in terms}
        pids, records = self._search_insertions(details=True, **of_probe)
        if terms:  # not left to ONE, which fails when a session that matches has no probe
            sessions = set(self.search(**terms))
            kept = [i for i, pid in enumerate(pids) if self.pid2eid(pid)[0] in sessions]
            pids, records = [pids[i] for i in kept], [records[i] for i in kept]
        return (pids, records) if details else pids

    def files(self, datasets: pd.DataFrame) -> Iterator[Dataset]:
        """Where files are or will be, for a table as ``list_datasets(details=True)`` gives it.

        Raises
        ------
        CorruptData
            The tables lead out of the folder.
        """
        known = self._cache["datasets"].index
        sessions: dict[UUID, Path] = {}
        for index, record in zip(datasets.index, datasets.to_dict("records"), strict=True):
            eid, dataset = index if isinstance(index, tuple) else (None, index)
            if "session_path" in record:  # of an aggregate, which belongs to no session
                folder = Path(record["session_path"])
            else:
                eid = eid or known[known.get_level_values("id") == dataset][0][0]
                if eid not in sessions:
                    sessions[eid] = Path(session_record2path(self._cache["sessions"].loc[eid]))
                folder = sessions[eid]
            path = Path(self.cache_dir, folder, record["rel_path"])
            # Not resolved: a link that leads elsewhere was made by the owner of the folder, not by its tables.
            if not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(self.cache_dir)):
                raise CorruptData(
                    f"The tables name {path}, which is outside of {self.cache_dir}: do not use this folder."
                )
            size = 0 if pd.isna(record["file_size"]) else int(record["file_size"])
            yield Dataset(dataset, path, size, record["hash"])

    def _check_filesystem(self, datasets, offline=None, update_exists=True, check_hash=True) -> list[ALFPath | None]:
        # Every load call of ONE comes through here before a file is read. ONE itself leaves out what is not there,
        # and reads what is not whole.
        wanted = list(self.files(pd.DataFrame([datasets]) if isinstance(datasets, pd.Series) else datasets))
        if lacking := [d for d in wanted if integrity.fault(d.path, d.size, d.md5)]:
            self._complete(lacking)
        for dataset in wanted:
            if integrity.pickled(dataset.path):
                raise CorruptData(
                    f"{dataset.path} is not a plain array, and pickled objects are never loaded: {REMEDY}."
                )
        return super()._check_filesystem(datasets, offline=True, update_exists=False, check_hash=False)

    def _complete(self, lacking: Sequence[Dataset]) -> None:
        """What a load call does about files that are missing or damaged."""
        self.fetch(lacking)

    def fetch(self, datasets: Sequence[Dataset]) -> None:
        """Make files whole that are missing or damaged; in a folder that cannot be done, and is said."""
        for _, path, size, md5 in datasets:
            if not path.exists():
                name = path.relative_to(self.cache_dir).as_posix()
                raise MissingDataset(f"{name} is in the tables of {self.cache_dir} but not in its folders: {REMEDY}.")
            if fault := integrity.fault(path, size, md5):
                raise CorruptData(f"{path} {fault}: {REMEDY}.")


def _check_tables(root: Path) -> None:
    missing = [name for name in ("sessions.pqt", "datasets.pqt") if not (root / name).exists()]
    if missing:
        raise UnknownSource(
            f"{root} has no {' and no '.join(missing)}, so ONE cannot tell what is in it; name the folder that holds "
            "these tables, or make them with one.api.One.setup(cache_dir=...)."
        )


def _check_labs(root: Path, labs: set[str]) -> None:
    labs |= {folder.parent.name for folder in root.glob("*/Subjects")}
    synthetic = {lab for lab in labs if lab.startswith(tables.SYNTHETIC_LAB)}
    if synthetic and labs - synthetic:
        raise UnknownSource(
            f"{root} mixes synthetic recordings ({', '.join(sorted(synthetic))}) with real ones "
            f"({', '.join(sorted(labs - synthetic))}); move one of them to a folder of its own."
        )
