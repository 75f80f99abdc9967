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
from .errors import CorruptData, UnknownSource

PACKAGE = Path(__file__).parent
SOURCES = ("sample", "real")
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
    if source == "sample":
        from .simulate import sample

        return OfflineOne(sample.ensure())
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
        _check_root(root)
        super().__init__(cache_dir=root)
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
        return self._search_insertions(details=details, **terms)

    def _check_filesystem(self, datasets, offline=None, update_exists=True, check_hash=True) -> list[ALFPath | None]:
        # Every load call of ONE comes through here before a file is read.
        files = super()._check_filesystem(datasets, offline=True, update_exists=update_exists, check_hash=False)
        records = datasets.to_frame().T if isinstance(datasets, pd.Series) else datasets
        for file, record in zip(files, records.to_dict("records"), strict=True):
            if file is not None:
                _check_file(Path(file), record["file_size"], record["hash"])
        return files


def _check_root(root: Path) -> None:
    known = f"known sources are {', '.join(map(repr, SOURCES))} and the path of a folder with ONE tables"
    if not root.is_dir():
        raise UnknownSource(f"There is no source {root.name!r} and no folder {root}; {known}.")
    missing = [name for name in ("sessions.pqt", "datasets.pqt") if not (root / name).exists()]
    if missing:
        raise UnknownSource(
            f"{root} has no {' and no '.join(missing)}, so ONE cannot tell what is in it; name the folder that holds "
            "these tables, or make them with one.api.One.setup(cache_dir=...)."
        )
    try:
        labs = set(pd.read_parquet(root / "sessions.pqt", columns=["lab"])["lab"])
        pd.read_parquet(root / "datasets.pqt", columns=["rel_path"])
    except Exception as error:
        raise CorruptData(
            f"The tables in {root} cannot be read ({type(error).__name__}); restore sessions.pqt and datasets.pqt."
        ) from error
    labs |= {folder.parent.name for folder in root.glob("*/Subjects")}
    synthetic = {lab for lab in labs if lab.startswith(tables.SYNTHETIC_LAB)}
    if synthetic and labs - synthetic:
        raise UnknownSource(
            f"{root} mixes synthetic recordings ({', '.join(sorted(synthetic))}) with real ones "
            f"({', '.join(sorted(labs - synthetic))}); move one of them to a folder of its own."
        )


def _check_file(file: Path, size: int, md5: str | None) -> None:
    """Raise CorruptData unless a file has the size and md5 of its table and holds no pickled objects."""
    remedy = "rebuild the sample with 'bwm-tutorials data --rebuild', or fetch the file again"
    found = file.stat().st_size
    if size and found != size:
        raise CorruptData(f"{file} has {found:,} bytes where its table says {size:,}: {remedy}.")
    if md5 and hashlib.md5(file.read_bytes()).hexdigest() != md5:
        raise CorruptData(f"{file} was altered (its md5 is not the one in its table): {remedy}.")
    if file.suffix == ".npy":
        # ONE reads .npy files with allow_pickle=True, which would run whatever code a hostile file holds.
        try:
            np.load(file, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise CorruptData(
                f"{file} is not a plain array, and pickled objects are never loaded: {remedy}."
            ) from error
