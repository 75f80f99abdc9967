"""ONE tables of the recordings that this project makes or ships: sessions, datasets and insertions."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from ..recordings.one_tables import make_id, newest

NEWER = r"#2025-|lightningPose|features|ROIMotionEnergy|Saturation"
"""Files that came after the tables that the servers have of the release, which are of February 2025."""


@dataclass(frozen=True)
class SessionRecord:
    """What the tables say of one session besides its files.

    ``insertions`` maps the probe's name (``probe00``) to its pid, ``model`` is that of the probes; ``qc`` is the
    quality of its datasets, but for those whose path contains a text in ``qc_of``. Of one that is ``stale`` the tables
    say what they said before `NEWER` files came, which are there.
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
    stale: bool = False

    @property
    def path(self) -> Path:
        """The session's folder, relative to the root."""
        return Path(self.lab, "Subjects", self.subject, self.date.isoformat(), f"{self.number:03d}")


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


def stale(datasets: pd.DataFrame) -> pd.DataFrame:
    """A table of datasets as the servers' own are: nothing of what came later, and no trials marked as the default."""
    old = datasets[~datasets["rel_path"].str.contains(NEWER)].copy()
    old.loc[old["rel_path"].str.endswith("_ibl_trials.table.pqt"), "default_revision"] = False
    return old


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
    old = datasets["eid"].isin([s.eid for s in sessions if s.stale])
    datasets = pd.concat([datasets[~old], stale(datasets[old])])
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
