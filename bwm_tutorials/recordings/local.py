"""Recordings in a folder: a ONE instance that verifies every file before it is read."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pandas as pd
from one.api import One
from one.converters import session_record2path

from ..errors import CorruptData, MissingDataset, UnknownSource, cause
from . import index, integrity, one_private, one_tables

REMEDY = "rebuild the sample with 'bwm-tutorials data --rebuild', or fetch the files again"


class LocalFile(NamedTuple):
    """A dataset's file as the tables describe it; ``size`` is 0 and ``md5`` empty if unknown."""

    id: UUID
    path: Path
    size: int
    md5: str | None


class LocalOne(one_private.CheckedOne):
    """A ONE instance on a local folder, which also knows its insertions and reads no file that is not whole.

    The stock local `One` lacks the calls for pids, and only warns of a file that is not what the tables say.

    Parameters
    ----------
    root : Path
        A folder with ``sessions.pqt`` and ``datasets.pqt`` (and ``insertions.pqt`` for pids).

    Raises
    ------
    UnknownSource
        The folder has no tables, or mixes synthetic and real labs.
    CorruptData
        The tables cannot be read.
    """

    def __init__(self, root: Path):
        _check_tables(root)
        try:
            super().__init__(root)
            labs = set(one_private.sessions_table(self)["lab"].dropna())
        except Exception as error:
            raise CorruptData(f"The tables (*.pqt) in {root} cannot be read ({cause(error)}): {REMEDY}.") from error
        if not labs:
            raise CorruptData(f"The tables in {root} hold no sessions that ONE can read: {REMEDY}.")
        _check_labs(root, labs)

    def list_datasets(self, eid=None, *terms, **more):
        """List datasets as ONE does, once the folder's index of the session has been looked into."""
        self.look_up(*[self.to_eid(eid)] if eid is not None else index.indexed(Path(self.cache_dir)))
        return super().list_datasets(eid, *terms, **more)

    def look_up(self, *eids: str | UUID | None) -> None:
        """Take into memory what the folder's index has of sessions."""
        known = set(one_private.datasets_table(self).index.unique("eid"))
        new = [UUID(str(eid)) for eid in eids if eid is not None and UUID(str(eid)) not in known]
        if (found := self.listed(new)) is not None:
            self.add(found)

    def listed(self, eids: Sequence[UUID]) -> pd.DataFrame | None:
        """Return what sessions have by the folder's index, those of them that are in it; None if none is."""
        return index.read(Path(self.cache_dir), eids)

    def files(self, datasets: pd.DataFrame) -> Iterator[LocalFile]:
        """Yield where files are or will be, for a table as ``list_datasets(details=True)`` gives it.

        Raises
        ------
        CorruptData
            The tables lead out of the folder.
        """
        known = one_private.datasets_table(self).index
        sessions: dict[UUID, Path] = {}
        for key, record in zip(datasets.index, datasets.to_dict("records"), strict=True):
            eid, dataset = key if isinstance(key, tuple) else (None, key)
            if "session_path" in record:  # of an aggregate, which belongs to no session
                folder = Path(record["session_path"])
            else:
                eid = eid or known[known.get_level_values("id") == dataset][0][0]
                if eid not in sessions:
                    sessions[eid] = Path(session_record2path(one_private.sessions_table(self).loc[eid]))
                folder = sessions[eid]
            path = Path(self.cache_dir, folder, record["rel_path"])
            # Not resolved: a link that leads elsewhere was made by the owner of the folder, not by its tables.
            if not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(self.cache_dir)):
                raise CorruptData(
                    f"The tables name {path}, which is outside of {self.cache_dir}: do not use this folder."
                )
            size = 0 if pd.isna(record["file_size"]) else int(record["file_size"])
            yield LocalFile(dataset, path, size, record["hash"])

    def whole(self, datasets: pd.DataFrame) -> list[Path]:
        """Return where datasets are, all of them there and as the tables say, or raise what is wrong."""
        wanted = list(self.files(datasets))
        if lacking := [file for file in wanted if integrity.fault(file.path, file.size, file.md5)]:
            self.complete(lacking)
        for file in wanted:
            integrity.refuse_pickled(file.path, REMEDY)
        return [file.path for file in wanted]

    def complete(self, lacking: Sequence[LocalFile]) -> None:
        """Do what a load call does about files that are missing or damaged."""
        self.fetch(lacking)

    def fetch(self, files: Sequence[LocalFile]) -> None:
        """Make files whole that are missing or damaged; in a folder that cannot be done, and is said."""
        for _, path, size, md5 in files:
            integrity.refuse_fault(path, size, md5, REMEDY, Path(self.cache_dir))


def whole_files(one: One, datasets: pd.DataFrame) -> list[Path]:
    """Return where datasets are, for any ONE instance: fetched by it if it can, and verified before they are read.

    Parameters
    ----------
    one : One
        Of ours, or a stock one of ONE-api, local or remote.
    datasets : DataFrame
        As ``list_datasets(details=True, keep_eid_index=True)`` gives it.

    Raises
    ------
    MissingDataset
        A file is in the tables, not in the folders, and cannot be fetched.
    CorruptData
        A file is not what the tables say, or a pickled object.
    """
    if isinstance(one, LocalOne):
        return one.whole(datasets)
    paths = one_private.paths(one, datasets)
    remedy = "let ONE fetch it again"
    for path, rel_path, size, md5 in zip(paths, *(datasets[c] for c in ("rel_path", "file_size", "hash")), strict=True):
        if path is None:
            raise MissingDataset(f"{rel_path} is in the tables of {one.cache_dir} but not in its folders: {remedy}.")
        integrity.refuse_fault(path, 0 if pd.isna(size) else int(size), md5, remedy, Path(one.cache_dir))
        integrity.refuse_pickled(path, remedy)
    return [Path(path) for path in paths]


def _check_tables(root: Path) -> None:
    missing = [name for name in ("sessions.pqt", "datasets.pqt") if not (root / name).exists()]
    if missing:
        raise UnknownSource(
            f"{root} has no {' and no '.join(missing)}, so ONE cannot tell what is in it; name the folder that holds "
            "these tables, or make them with one.api.One.setup(cache_dir=...)."
        )


def _check_labs(root: Path, labs: set[str]) -> None:
    labs |= {folder.parent.name for folder in root.glob("*/Subjects")}
    synthetic = {lab for lab in labs if lab.startswith(one_tables.SYNTHETIC_LAB)}
    if synthetic and labs - synthetic:
        raise UnknownSource(
            f"{root} mixes synthetic recordings ({', '.join(sorted(synthetic))}) with real ones "
            f"({', '.join(sorted(labs - synthetic))}); move one of them to a folder of its own."
        )
