"""Where recordings come from: one call, `connect`, gives a ONE instance whatever lies behind it."""

import hashlib
import os
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
from one.alf.path import ALFPath
from one.api import One, OneAlyx

from . import tables
from .environment import ROOT
from .errors import CorruptData, MissingDataset, UnknownSource, cause

PACKAGE = Path(__file__).parent
SOURCES = ("sample", "release", "real")
REMEDY = "rebuild the sample with 'bwm-tutorials data --rebuild', or fetch the files again"
_NO_IDS = pd.MultiIndex.from_arrays([[], []], names=["eid", "id"])


def connect(source: str | Path | None = None) -> "OfflineOne":
    """Open a source of recordings.

    Parameters
    ----------
    source : str or Path, optional
        ``'sample'`` (the synthetic sample, built on first use; the default, unless the environment variable
        ``BWM_SOURCE`` names another), ``'real'`` (the small real excerpt that comes with the project), or the
        path of a folder with ONE tables.

    Returns
    -------
    OfflineOne
        A ONE instance: ``search``, ``list_datasets``, ``load_object``, ``load_dataset``, ``pid2eid``,
        ``eid2pid`` and ``search_insertions`` work as on the release, without account or network.

    Raises
    ------
    UnknownSource
        There is no such source or folder, the folder has no tables, or it mixes synthetic and real labs.
    """
    source = source or os.environ.get("BWM_SOURCE") or "sample"
    if source in ("sample", "release"):
        from .simulate import sample

        return OfflineOne(sample.ensure(name=source))
    if source == "real":
        in_wheel = PACKAGE / "data" / "real"
        return OfflineOne(in_wheel if in_wheel.exists() or ROOT is None else ROOT / "data" / "real")
    return OfflineOne(Path(source).expanduser().absolute())


class OfflineOne(One):
    """A ONE instance on a local folder, which also knows its insertions and reads no file that is not whole.

    The stock local `One` lacks the calls for pids, and only warns of a file that is not what the tables say.

    Parameters
    ----------
    root : Path
        A folder with ``sessions.pqt`` and ``datasets.pqt`` (and ``insertions.pqt`` for pids).
    """

    def __init__(self, root: Path):
        _check_folder(root)
        try:
            super().__init__(cache_dir=root)
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

    def _check_filesystem(self, datasets, offline=None, update_exists=True, check_hash=True) -> list[ALFPath | None]:
        # Every load call of ONE comes through here before a file is read. ONE itself leaves out what is not there.
        files = super()._check_filesystem(datasets, offline=True, update_exists=False, check_hash=False)
        records = datasets.to_frame().T if isinstance(datasets, pd.Series) else datasets
        for file, record in zip(files, records.to_dict("records"), strict=True):
            if file is None:
                name = record["rel_path"]
                raise MissingDataset(f"{name} is in the tables of {self.cache_dir} but not in its folders: {REMEDY}.")
            _check_file(Path(file), Path(self.cache_dir), record["file_size"], record["hash"])
        return files


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        known = f"known sources are {', '.join(map(repr, SOURCES))} and the path of a folder with ONE tables"
        raise UnknownSource(f"There is no source {root.name!r} and no folder {root}; {known}.")
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


def _check_file(file: Path, root: Path, size: int, md5: str | None) -> None:
    """Raise CorruptData unless a file lies below ``root``, is as its table says, and holds no pickled objects."""
    # Not resolved: a link that leads elsewhere was made by the owner of the folder, not by its tables.
    if not Path(os.path.normpath(file)).is_relative_to(os.path.normpath(root)):
        raise CorruptData(f"The tables name {file}, which is outside of {root}: do not use this folder.")
    found = file.stat().st_size
    if size and found != size:
        raise CorruptData(f"{file} has {found:,} bytes where its table says {size:,}: {REMEDY}.")
    if isinstance(md5, str) and md5:
        with file.open("rb") as stream:
            if hashlib.file_digest(stream, "md5").hexdigest() != md5:
                raise CorruptData(f"{file} was altered (its md5 is not the one in its table): {REMEDY}.")
    if file.suffix == ".npy":
        # ONE reads .npy files with allow_pickle=True, which would run whatever code a hostile file holds.
        try:
            np.load(file, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise CorruptData(
                f"{file} is not a plain array, and pickled objects are never loaded: {REMEDY}."
            ) from error
