"""The index: what each session of a server has, by the server's own listing, kept on disk as one file a session.

The tables that the servers offer for the release are older than its data. A listing is what is there now; it is asked
for when a session is first looked into, and kept with its date.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import pandas as pd
from iblutil.io import parquet
from one.alf.cache import QC_TYPE, cast_index_object

from . import one_tables

FOLDER = "index"
COLUMNS = ["rel_path", "file_size", "hash", "exists", "default_revision", "qc"]


def completed(datasets: pd.DataFrame) -> pd.DataFrame:
    """Return a table of datasets with every column that ONE needs.

    Parameters
    ----------
    datasets : DataFrame
        By ``eid`` and ``id``, with ``rel_path``. Of what it lacks, a file is taken to exist, its size, checksum and
        quality are unknown, and the newest revision of each path is the default.
    """
    table = datasets.copy()
    for column, value in {"file_size": 0, "hash": None, "exists": True, "qc": "NOT_SET"}.items():
        if column not in table:
            table[column] = value
    # What tables written with pandas 3 say of files without a revision.
    paths = [rel.replace("#nan#/", "") for rel in table["rel_path"]]
    table["rel_path"] = pd.Series(paths, table.index, dtype=object)
    # ONE cannot bear a size that is unknown.
    table["file_size"] = table["file_size"].astype("Float64").fillna(0).astype("UInt64")
    if "default_revision" not in table:
        table["default_revision"] = one_tables.newest(table["rel_path"], table.index.get_level_values(0))
    return table.astype({"exists": bool, "default_revision": bool, "qc": QC_TYPE})


def save(table: pd.DataFrame, file: Path, **about: str) -> None:
    """Write a table with its date, whole or not at all; of several programs that do so at once one is the last."""
    file.parent.mkdir(exist_ok=True)
    part = file.with_name(f".{uuid4().hex}.part")
    created = datetime.now().isoformat(sep=" ", timespec="minutes")
    try:
        metadata = {"date_created": created, "min_api_version": "2.7.0", **about}
        parquet.save(part, cast_index_object(table.copy(), str).sort_index(), metadata)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def write(root: Path, eid: UUID, datasets: pd.DataFrame) -> None:
    """Keep what a session has."""
    save(completed(datasets), _file(root, eid))


def remember(root: Path, found: Mapping[UUID, tuple[int, str]], eids: Iterable[UUID]) -> None:
    """Keep size and md5 of datasets, by their ids, of sessions that are indexed."""
    for eid in eids:
        if (table := read(root, [eid])) is not None:
            write(root, eid, corrected(table, found))


def corrected(datasets: pd.DataFrame, found: Mapping[UUID, tuple[int, str]]) -> pd.DataFrame:
    """Return a table of datasets with what was found of some of them, by their ids: size and md5."""
    table, ids = datasets.copy(), datasets.index.get_level_values("id")
    for id, (size, md5) in found.items():
        table.loc[ids == id, ["file_size", "hash"]] = [size, md5]
    return table


def read(root: Path, eids: Iterable[UUID]) -> pd.DataFrame | None:
    """Return what sessions have, those of them that are indexed; None if none is."""
    files = [file for file in (_file(root, eid) for eid in eids) if file.exists()]
    tables = [cast_index_object(parquet.load(file)[0], UUID) for file in files]
    return pd.concat(tables).sort_index() if tables else None


def indexed(root: Path) -> Iterator[UUID]:
    """Yield the sessions that are indexed."""
    for file in sorted((root / FOLDER).glob("[0-9a-f]*.pqt")):
        yield UUID(file.stem)


def _file(root: Path, eid: UUID) -> Path:
    return root / FOLDER / f"{eid}.pqt"
