"""The sample that ``connect('sample')`` opens: built on first use, whole or not at all."""

import hashlib
import json
import shutil
import tempfile
from datetime import date
from pathlib import Path

import pandas as pd
from filelock import FileLock

from .. import tables
from ..environment import data_folder
from ..errors import DataError

MAIN = tables.SessionRecord(
    eid=tables.make_id("SIM-001/2001-01-08/001", synthetic=True),
    lab="syntheticlab",
    subject="SIM-001",
    date=date(2001, 1, 8),
    task_protocol="_iblrig_tasks_ephysChoiceWorld",
    projects="synthetic_not_ibl",
    insertions={"probe00": tables.make_id("SIM-001/2001-01-08/001/probe00", synthetic=True)},
    qc="PASS",
)
_STAMP = "complete.json"


def ensure(folder: Path | None = None, rebuild: bool = False) -> Path:
    """The sample's ONE folder inside ``folder`` (default `data_folder`); it is built there if it is missing, damaged or of another version.

    Several processes may ask at once: one builds, the others wait. The sample is made in a temporary folder and
    moved into place when it is complete, so nothing half-written is ever read.

    Raises
    ------
    DataError
        There is no complete sample and the folder cannot be written to, or the disk is full.
    """
    folder = folder or data_folder()
    if is_complete(folder) and not rebuild:
        return folder / "sample" / "one"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".sample.lock"):
            if rebuild or not is_complete(folder):
                _replace(folder)
    except OSError as error:
        raise DataError(
            f"The sample cannot be built in {folder} ({error.strerror or error}): free some space (it takes 150 MB), "
            "or set the environment variable BWM_DATA to a folder that can be written to."
        ) from error
    return folder / "sample" / "one"


def is_complete(folder: Path | None = None) -> bool:
    """True if the folder holds the whole sample of this version: every file of its tables, in full length."""
    sample = (folder or data_folder()) / "sample"
    try:
        if json.loads((sample / _STAMP).read_text(encoding="utf-8"))["version"] != version():
            return False
        found = pd.read_parquet(sample / "one" / "datasets.pqt", columns=["rel_path", "file_size"])
        root = sample / "one" / MAIN.path
        return all((root / rel).stat().st_size == size for rel, size in found.itertuples(index=False))
    except (OSError, ValueError, KeyError):
        return False


def build(target: Path, seed: int = 1, minutes: float = 45, clusters: int = 100) -> Path:
    """Write a sample release into a new folder: recordings to ``one/``, what was put in to ``truth/``.

    Returns
    -------
    Path
        The folder that `connect` opens.
    """
    from . import session
    from .write import write_session

    root = target / "one"
    root.mkdir(parents=True)
    write_session(root, MAIN, session(seed, minutes, clusters), seed)
    tables.write(root, [MAIN], created="2001-01-08 12:00", main=MAIN.eid, seed=seed)
    (target / _STAMP).write_text(json.dumps({"version": version(), "seed": seed}), encoding="utf-8")
    return root


def version() -> str:
    """A fingerprint of the code that makes the sample: when it changes, an old sample is built again."""
    code = sorted(Path(__file__).parent.glob("*.py")) + [Path(tables.__file__)]
    return hashlib.md5(b"".join(file.read_bytes().replace(b"\r\n", b"\n") for file in code)).hexdigest()


def _replace(folder: Path) -> None:
    """Build the sample in a temporary folder, and put it in the place of any older one."""
    for left_over in folder.glob(".building-*"):  # of a build that was killed: we hold the lock, so it is nobody's
        shutil.rmtree(left_over, ignore_errors=True)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder))
    try:
        build(building / "sample")
        if (folder / "sample").exists():
            (folder / "sample").rename(building / "older")
        (building / "sample").rename(folder / "sample")
    finally:
        shutil.rmtree(building, ignore_errors=True)
