"""The ONE tables: which sessions, datasets and insertions a folder of recordings holds.

A folder that ONE can open has three parquet files at its root: ``sessions.pqt``, ``datasets.pqt`` and
``insertions.pqt``. `simulate.tables` writes them for the recordings that this project makes or ships.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from . import integrity

SYNTHETIC_PREFIX = "5eed0000"
SYNTHETIC_LAB = "syntheticlab"
AGGREGATES = "aggregates"  # the folder of tables that hold all sessions


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
    table["revised"] = ["#" in rel for rel in rel_paths]
    last = table.sort_values(["revised", "rel"]).drop_duplicates(["of", "path"], keep="last")
    return table.index.isin(last.index)


def metadata(root: Path) -> dict:
    """The metadata of a folder's tables (``main``, ``seed``, … as given to `write`; empty if there is none)."""
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(root / "sessions.pqt").metadata or {}
    return json.loads(schema.get(b"one_metadata", b"{}"))


def note(file: Path) -> dict:
    """Return what the note beside a file says of it; empty without one."""
    try:
        about = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        return about if {"source", "revision", "date", "size", "md5"} <= set(about) else {}
    except (OSError, ValueError, TypeError):
        return {}


def write_note(file: Path, **about: str) -> None:
    """Write beside a file what it should be (``size``, ``md5``), and what else is known of it."""
    md5 = integrity.md5(file)
    part = file.with_name(f".{file.stem}.json.part")
    part.write_text(json.dumps({**about, "size": file.stat().st_size, "md5": md5}, indent=1), encoding="utf-8")
    os.replace(part, file.with_suffix(".json"))
