"""What the sources on a server have in common: tables that are made once, and files that are fetched when asked for."""

import io
import os
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from uuid import UUID

import pandas as pd
from iblutil.io import parquet
from one.alf.cache import QC_TYPE, cast_index_object, load_tables
from one.alf.path import add_uuid_string

from ...errors import CorruptData, DataError, cause
from ...paths import claim
from ..local import LocalFile, LocalOne
from . import download

TAG = "Brainwidemap"  # of the release in IBL's database
MAIN = "6713a4a7-faed-4df2-acab-ee4e63326f8d"  # NYU-11 2020-02-18, the session that IBL's documentation shows
BIG = 1_000_000_000  # bytes that no load call fetches unless it was planned
RAW = (".cbin", ".mp4")  # recordings of probes and cameras as they came from the rig

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


class RemoteOne(LocalOne):
    """A ONE instance whose files lie on a server.

    Its tables are fetched when the folder has none, a file when a load call finds it missing or damaged. Raw ephys and
    video, and whatever is larger than a gigabyte, is only fetched through a plan (`bwm_tutorials.download_plan`).

    Parameters
    ----------
    root : Path
        The folder of this source; with its tables in it, `connect` opens it by its path, too.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.cache_dir)!r})"

    def __init__(self, root: Path):
        with download.writing(root):
            claim(root)
        if not (root / "sessions.pqt").exists():
            self._make_tables(root)
        super().__init__(root)

    def update(self) -> None:
        """Fetch the tables again: the release is corrected from time to time."""
        root = Path(self.cache_dir)
        self._make_tables(root, again=True)
        LocalOne.__init__(self, root)

    def complete(self, lacking: Sequence[LocalFile]) -> None:
        for dataset in lacking:
            if dataset.path.suffix in RAW or dataset.size > BIG:
                raise DataError(
                    f"{dataset.path.name} has {dataset.size / 1e6:,.0f} MB and is not fetched by accident: name its "
                    "path to bwm.download_plan(one, eid, what=...), look at the price, and call its .get()."
                )
        self.fetch(lacking)

    def fetch(self, lacking: Sequence[LocalFile]) -> None:
        """Fetch files that are missing or damaged, whatever they are."""
        root = Path(self.cache_dir)
        files = [
            download.File(self._url(add_uuid_string(PurePosixPath(path.relative_to(root)), id)), path, size, md5)
            for id, path, size, md5 in lacking
        ]
        download.fetch(files, root)

    def _tables(self) -> Tables:
        """The sessions, datasets and insertions of the release, in the form of ONE's tables."""
        raise NotImplementedError

    def _url(self, path: PurePosixPath) -> str:
        """Where the server has a file; the path is below the data folder, with the dataset's id in the name."""
        raise NotImplementedError

    def _make_tables(self, root: Path, again: bool = False) -> None:
        with download.writing(root), download.exclusive(root):
            if again or not (root / "sessions.pqt").exists():
                _save(*self._tables(), root)


def unzip_tables(content: bytes, where: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sessions and datasets in a ``cache.zip`` as IBL's database writes it.

    Nothing is unpacked under a name that the zip chooses.

    Raises
    ------
    CorruptData
        It is no zip, or has no such tables; the message lists what it has.
    """
    names = ("sessions.pqt", "datasets.pqt")
    try:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(io.BytesIO(content)) as archive:
            there = archive.namelist()
            if missing := [name for name in names if name not in there]:
                listed = ", ".join(map(repr, there[:8])) or "nothing"
                raise CorruptData(f"{where} holds no {' and no '.join(missing)}; it holds {listed}.")
            for name in names:
                Path(folder, name).write_bytes(archive.read(name))
            found = load_tables(folder)
        return found["sessions"], found["datasets"]
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib, pyarrow and ONE each have their own
        raise CorruptData(f"{where} cannot be read as ONE's tables ({cause(error)}): try again later.") from error


def insertions_table(roster: pd.DataFrame) -> pd.DataFrame:
    """ONE's table of insertions, from one with columns ``pid``, ``eid`` and ``name``."""
    table = roster.rename(columns={"pid": "id"})[["eid", "id", "name"]].drop_duplicates()
    return cast_index_object(table.set_index(["eid", "id"]), UUID)


def _save(sessions: pd.DataFrame, datasets: pd.DataFrame, insertions: pd.DataFrame, root: Path) -> None:
    """Write the tables of the sessions that have an insertion of the release."""
    eids = insertions.index.get_level_values("eid")
    sessions = sessions[sessions.index.isin(eids)]
    if sessions.empty:
        raise CorruptData(
            f"None of the {eids.nunique()} sessions of the release's roster is in the tables that the server gave: "
            "they do not belong together, so look whether BWM_ROSTER, ALYX_URL or AWS_ENDPOINT_URL_S3 is set."
        )
    datasets = datasets[datasets.index.get_level_values("eid").isin(sessions.index)]
    columns = ["rel_path", "file_size", "hash", "exists", "default_revision", "qc"]
    datasets = datasets[[column for column in columns if column in datasets]].astype({"qc": QC_TYPE})
    datasets["file_size"] = datasets["file_size"].astype("Float64").fillna(0).astype("UInt64")
    insertions = insertions[eids.isin(sessions.index)]
    created = datetime.now().isoformat(sep=" ", timespec="minutes")
    metadata = {"date_created": created, "min_api_version": "2.7.0", "origin": "bwm-tutorials"}
    if MAIN in map(str, sessions.index):
        metadata["main"] = MAIN
    # Who finds no table of sessions makes them all again, so that one goes first and comes last.
    (root / "sessions.pqt").unlink(missing_ok=True)
    for name, table in (("insertions", insertions), ("datasets", datasets), ("sessions", sessions)):
        part = download.part_of(root / f"{name}.pqt")
        parquet.save(part, cast_index_object(table.copy(), str).sort_index(), metadata)
        os.replace(part, root / f"{name}.pqt")
