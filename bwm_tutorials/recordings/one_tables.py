"""The ONE tables: which sessions, datasets and insertions a folder of recordings holds.

A folder that ONE can open has three parquet files at its root: ``sessions.pqt``, ``datasets.pqt`` and
``insertions.pqt``. They are written here for the recordings that this project makes or ships.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

SYNTHETIC_PREFIX = "5eed0000"
SYNTHETIC_LAB = "syntheticlab"


@dataclass(frozen=True)
class SessionRecord:
    """What the tables say of one session besides its files.

    ``insertions`` maps the probe's name (``probe00``) to its pid, ``model`` is that of the probes; ``qc`` is the
    quality of its datasets, but for those whose path contains a text in ``qc_of``.
    """

    eid: str
    lab: str
    subject: str
    date: date
    number: int = 1
    task_protocol: str = ""
    projects: str = ""
    insertions: dict[str, str] = field(default_factory=dict)
    model: str = ""
    qc: str = "NOT_SET"
    qc_of: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The session's folder, relative to the root."""
        return Path(self.lab, "Subjects", self.subject, self.date.isoformat(), f"{self.number:03d}")


def make_id(text: str, synthetic: bool = False) -> str:
    """A UUID (version 4 in form) that is always the same for the same text.

    Parameters
    ----------
    text : str
        What is to be named, for example ``"SIM-001/2001-01-08/001"``.
    synthetic : bool
        Begin with ``5eed0000``, the mark of everything that was made by a program.
    """
    digest = hashlib.md5(text.encode()).hexdigest()
    if synthetic:
        digest = SYNTHETIC_PREFIX + digest[len(SYNTHETIC_PREFIX) :]
    return str(uuid.UUID(digest[:12] + "4" + digest[13:16] + "8" + digest[17:]))


def without_revision(rel_path: str) -> str:
    """The path of a dataset with its revision folder (``#2025-03-03#``) taken out."""
    return "/".join(part for part in rel_path.split("/") if not part.startswith("#"))


def newest(rel_paths: Sequence[str], of: Sequence | None = None) -> np.ndarray:
    """Tell which files are the newest revision of their path, in each session that they are ``of``."""
    table = pd.DataFrame({"path": [without_revision(rel) for rel in rel_paths], "rel": list(rel_paths)})
    table["of"] = 0 if of is None else list(of)
    # "#2025-03-03#/x" sorts after "x" only by accident of the names, so compare (is revised, path)
    table["revised"] = table["rel"].str.contains("#")
    last = table.sort_values(["revised", "rel"]).drop_duplicates(["of", "path"], keep="last")
    return table.index.isin(last.index)


def dataset_records(root: Path, session: SessionRecord) -> list[dict]:
    """One record for each file of a session: path, size, md5, and whether it is the one loaded by default.

    Of several revisions of one dataset the newest is the default, as in the release. Files of the session
    folder itself (``SYNTHETIC.txt``) are not datasets.
    """
    folder = root / session.path
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.parent != folder)
    rel_paths = [f.relative_to(folder).as_posix() for f in files]
    return [
        {
            "eid": session.eid,
            "id": make_id(f"{session.eid}/{rel}"),
            "rel_path": rel,
            "file_size": file.stat().st_size,
            "hash": hashlib.md5(file.read_bytes()).hexdigest(),
            "exists": True,
            "default_revision": bool(default),
            "qc": next((qc for part, qc in session.qc_of.items() if part in rel), session.qc),
        }
        for rel, file, default in zip(rel_paths, files, newest(rel_paths), strict=True)
    ]


def write(root: Path, sessions: Iterable[SessionRecord], created: str, main: str, **notes: object) -> None:
    """Write ``sessions.pqt``, ``datasets.pqt`` and ``insertions.pqt`` for the session folders below ``root``.

    Parameters
    ----------
    root : Path
        The ONE cache folder; each session's files are already in place.
    sessions : iterable of SessionRecord
    created : str
        ``YYYY-MM-DD HH:MM``, given rather than read from the clock so that the same input gives the same bytes.
    main : str
        The eid that ``Session()`` opens when none is named.
    **notes
        Further facts kept in the tables' metadata, for example ``seed=1``.

    Notes
    -----
    The form is the one that ONE-api reads (``one.alf.cache.load_tables``): identifiers are strings, tables
    are sorted by them, and the parquet schema carries ``one_metadata``.
    """
    from iblutil.io import parquet
    from one.alf.cache import QC_TYPE

    sessions = list(sessions)
    session_table = pd.DataFrame(
        [
            {
                "id": s.eid,
                "lab": s.lab,
                "subject": s.subject,
                "date": s.date,
                "number": s.number,
                "task_protocol": s.task_protocol,
                "projects": s.projects,
            }
            for s in sessions
        ]
    ).astype({"number": "uint16"})
    datasets = pd.DataFrame([record for s in sessions for record in dataset_records(root, s)])
    insertions = pd.DataFrame(
        [
            {"eid": s.eid, "id": pid, "name": name, "model": s.model}
            for s in sessions
            for name, pid in s.insertions.items()
        ],
        columns=["eid", "id", "name", "model"],
    )
    metadata = {"date_created": created, "min_api_version": "2.7.0", "main": main, **notes}
    tables = {
        "sessions": session_table.set_index("id"),
        "datasets": datasets.astype({"file_size": "UInt64", "qc": QC_TYPE}).set_index(["eid", "id"]),
        "insertions": insertions.set_index(["eid", "id"]),
    }
    for name, table in tables.items():
        parquet.save(root / f"{name}.pqt", table.sort_index(), metadata)


def metadata(root: Path) -> dict:
    """The metadata of a folder's tables (``main``, ``seed``, … as given to `write`; empty if there is none)."""
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(root / "sessions.pqt").metadata or {}
    return json.loads(schema.get(b"one_metadata", b"{}"))


def write_note(file: Path, **about: str) -> None:
    """Write beside a file what it should be (``size``, ``md5``), and what else is known of it."""
    with file.open("rb") as stream:
        md5 = hashlib.file_digest(stream, "md5").hexdigest()
    part = file.with_name(f".{file.stem}.json.part")
    part.write_text(json.dumps({**about, "size": file.stat().st_size, "md5": md5}, indent=1), encoding="utf-8")
    os.replace(part, file.with_suffix(".json"))
