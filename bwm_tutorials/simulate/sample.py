"""The sample that ``connect('sample')`` opens: built on first use, whole or not at all."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from filelock import FileLock

from .. import tables
from ..environment import data_folder
from ..errors import DataError


def _record(subject: str, day: date, probes: tuple[str, ...] = ("probe00", "probe01")) -> tables.SessionRecord:
    name = f"{subject}/{day}/001"
    return tables.SessionRecord(
        eid=tables.make_id(name, synthetic=True),
        lab="syntheticlab",
        subject=subject,
        date=day,
        task_protocol="_iblrig_tasks_ephysChoiceWorld",
        projects="synthetic_not_ibl",
        insertions={probe: tables.make_id(f"{name}/{probe}", synthetic=True) for probe in probes},
        qc="PASS",
    )


MAIN = _record("SIM-001", date(2001, 1, 8))
NULL = _record("SIM-NULL", date(2001, 1, 8))  # the same mouse on the same day, with neurons that know nothing
_STAMP = "complete.json"
_ALSO = ("spikes.py", "tables.py", "trials.py", "wheel.py")  # code outside of this package that the sample depends on


def ensure(folder: Path | None = None, rebuild: bool = False) -> Path:
    """The sample's ONE folder inside ``folder`` (default `data_folder`).

    It is built there if it is missing, damaged or of another version. Several processes may ask at once: one builds,
    the others wait. The sample is made in a temporary folder and moved into place when it is complete, so nothing
    half-written is ever read.

    Raises
    ------
    DataError
        There is no complete sample and the folder cannot be written to, or the disk is full.
    """
    folder = folder or data_folder()
    if is_complete(folder) and not rebuild:
        return folder / "sample" / "one"
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".sample.lock"):
            if rebuild or not is_complete(folder):
                for left_over in folder.glob(".building-*"):  # of a build that was killed: we hold the lock
                    shutil.rmtree(left_over, ignore_errors=True)
                print(f"Building the synthetic sample in {folder}, once, about ten seconds …", file=sys.stderr)
                build(folder / "sample")
    return folder / "sample" / "one"


def is_complete(folder: Path | None = None) -> bool:
    """True if the folder holds the whole sample of this version: every file that was built, in full length."""
    sample = (folder or data_folder()) / "sample"
    try:
        stamp = json.loads((sample / _STAMP).read_text(encoding="utf-8"))
        return stamp["version"] == version() and all(
            (sample / name).stat().st_size == size for name, size in stamp["files"].items()
        )
    except (OSError, ValueError, LookupError, TypeError):
        return False


def build(target: Path, seed: int = 1, minutes: float = 60, clusters: int = 100) -> Path:
    """Write a sample release: recordings to ``one/``, what was put in to ``truth/``.

    It is made beside ``target`` and takes its place when it is complete.

    Returns
    -------
    Path
        The folder that `connect` opens.

    Raises
    ------
    DataError
        The folder cannot be written to, or the disk is full; nothing is left behind.
    """
    with _writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
        try:
            _write(building / "sample", seed, minutes, clusters)
            with suppress(FileNotFoundError):
                target.rename(building / "older")
            (building / "sample").rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return target / "one"


def version() -> str:
    """A fingerprint of the code that makes the sample: when it changes, an old sample is built again."""
    code = [*sorted(Path(__file__).parent.glob("*.py")), *map(Path(__file__).parents[1].joinpath, _ALSO)]
    return hashlib.md5(b"".join(file.read_bytes().replace(b"\r\n", b"\n") for file in code)).hexdigest()


def _write(folder: Path, seed: int, minutes: float, clusters: int) -> None:
    from .recording import behave, film, insert
    from .write import write_behaviour, write_insertions

    root = folder / "one"
    root.mkdir(parents=True)
    recording = behave(seed, minutes)
    recording["video"] = film(seed, recording)
    write_behaviour(root, MAIN, recording, seed)
    for main, twin in (
        (root / MAIN.path, root / NULL.path),
        (folder / "truth" / MAIN.eid, folder / "truth" / NULL.eid),
    ):
        shutil.copytree(main, twin, copy_function=_link)
    for record, effects in ((MAIN, "teaching"), (NULL, None)):
        write_insertions(root, record, {p: insert(seed, p, recording, clusters, effects) for p in record.insertions})
    tables.write(root, [MAIN, NULL], created="2001-01-08 12:00", main=MAIN.eid, seed=seed, null={MAIN.eid: NULL.eid})
    files = {f.relative_to(folder).as_posix(): f.stat().st_size for f in sorted(folder.rglob("*")) if f.is_file()}
    stamp = json.dumps({"version": version(), "seed": seed, "files": files}, indent=1)
    (folder / _STAMP).write_text(stamp, encoding="utf-8")


def _link(source: str, target: str) -> None:
    """Give a file a second name, for it takes no space; or copy it, where the disk knows no second names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say in one sentence why nothing can be written to a folder."""
    try:
        yield
    except OSError as error:
        # pyarrow says more than the reason, and numpy none.
        reason = os.strerror(error.errno) if error.errno else "the disk seems to be full"
        raise DataError(
            f"The sample cannot be built in {folder} ({reason}): free some space (it takes 150 MB), or set the "
            "environment variable BWM_DATA to a folder that can be written to."
        ) from error
