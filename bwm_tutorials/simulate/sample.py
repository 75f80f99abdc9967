"""The sample that ``connect('sample')`` opens: built on first use, whole or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from iblutil.util import Bunch

from ..console import say
from ..errors import DataError
from ..paths import claim, data_folder, remove
from . import tables

if TYPE_CHECKING:
    from .plans import SessionPlan

VERSION = 3
"""Of the files that are written: a sample of another version is built again. A test tells when to raise it."""
CREATED = "2001-01-08 12:00"  # that all tables bear, so that they do not depend on the clock
_STAMP = "complete.json"


def ensure(
    folder: Path | None = None,
    rebuild: bool = False,
    name: str = "sample",
    plans: Sequence["SessionPlan"] | None = None,
    seed: int = 1,
) -> Path:
    """The ONE folder of the sample, or of the small release, inside ``folder`` (default `data_folder`).

    It is built there if it is missing, damaged or of another version. Several processes may ask at once: one builds,
    the others wait. It is made in a temporary folder and moved into place when it is complete, so nothing half-written
    is ever read.

    Parameters
    ----------
    folder : Path, optional
    rebuild : bool
        Build it even if it is complete.
    name : str
        ``'sample'``, ``'sample-release'``, or what the folder of other ``plans`` is called.
    plans, seed
        As in `build`.

    Raises
    ------
    DataError
        It is not complete, and the folder cannot be written to, the disk is full, or a folder of that name is there
        that was not made here.
    """
    folder = folder or data_folder()
    if is_complete(folder, name) and not rebuild:
        return folder / name / "one"
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            if rebuild or not is_complete(folder, name):
                for left_over in folder.glob(f".building-{name}-*"):  # of a build that was killed: we hold the lock
                    remove(left_over)
                if _stamp(folder / name).get("version", VERSION) != VERSION:
                    say(f"{folder / name} is of another version of the simulation: it is built again.")
                build(folder / name, seed, name, plans)
    return folder / name / "one"


def is_complete(folder: Path | None = None, name: str = "sample") -> bool:
    """True if the folder holds the whole sample of this version: every file that was built, in full length."""
    built = (folder or data_folder()) / name
    try:
        stamp = _stamp(built)
        return stamp["version"] == VERSION and all(
            (built / file).stat().st_size == size for file, size in stamp["files"].items()
        )
    except (OSError, LookupError, TypeError, AttributeError):
        return False


def _stamp(built: Path) -> dict:
    """What a folder says of itself that was built whole; empty if it says nothing."""
    try:
        return dict(json.loads((built / _STAMP).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def build(
    target: Path,
    seed: int = 1,
    name: str = "sample",
    plans: Sequence["SessionPlan"] | None = None,
    **shorter: float,
) -> Path:
    """Write the sample, the small release, or sessions of other plans.

    Recordings go to ``one/``, what was put in to ``truth/``. It is made beside ``target`` and takes its place when it
    is complete.

    Parameters
    ----------
    target : Path
    seed : int
    name : str
        ``'sample'``, ``'sample-release'``, or any for other ``plans``.
    plans : sequence of SessionPlan, optional
        The sessions to make, the main one first; default those of ``name``.
    **shorter
        ``minutes`` and ``clusters`` of every session.

    Returns
    -------
    Path
        The folder that `connect` opens.

    Raises
    ------
    DataError
        ``target`` is there and was not made here, the folder cannot be written to, or the disk is full; nothing is
        left behind.
    """
    from .plans import AGGREGATED, BY_NAME

    plans = [replace(plan, **shorter) for plan in plans or BY_NAME[name]]
    with _writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            claim(target)  # or say that it is somebody else's
        building = claim(Path(tempfile.mkdtemp(prefix=f".building-{name}-", dir=target.parent)))
        try:
            _write(claim(building / "new"), plans, seed, aggregated=name in AGGREGATED)
            with suppress(FileNotFoundError):
                target.rename(building / "older")
            (building / "new").rename(target)
        finally:
            remove(building)
    return target / "one"


def _write(folder: Path, plans: Sequence["SessionPlan"], seed: int, aggregated: bool) -> None:
    from tqdm import tqdm

    from . import aggregates

    root = folder / "one"
    root.mkdir(parents=True)
    seconds = sum(2 + plan.clusters * len(plan.probes) * plan.minutes / 2000 for plan in plans)
    said = f"Building synthetic sessions in {folder.parents[1]}, about {seconds:.0f} s"
    steps = tqdm(plans, said, leave=False, disable=seconds < 5)
    seeds = {plan.record.eid: seed + 100 * number for number, plan in enumerate(plans)}
    main, null = plans[0].record, {}
    for plan in steps:
        if plan.effects is None:
            # The null twin of the main session, with which it shares seed, behaviour and files.
            seeds[plan.record.eid], null[main.eid] = seed, plan.record.eid
            _share(folder, main, plan.record)
        else:
            recording = _behave(folder, plan, seeds[plan.record.eid])
        _insert(folder, plan, recording, seeds[plan.record.eid])
    records = [plan.record for plan in plans]
    tables.write(root, records, created=CREATED, main=main.eid, seeds=seeds, null=null)
    if aggregated:
        aggregates.write(root, records, created=CREATED[:10], seed=seed)
    files = {f.relative_to(folder).as_posix(): f.stat().st_size for f in sorted(folder.rglob("*")) if f.is_file()}
    stamp = json.dumps({"version": VERSION, "seed": seed, "files": files}, indent=1)
    (folder / _STAMP).write_text(stamp, encoding="utf-8")


def _behave(folder: Path, plan: "SessionPlan", seed: int) -> Bunch:
    from .session import behave, film, pose
    from .write import write_behaviour, write_cameras

    recording = behave(seed, plan.minutes, plan.skill, plan.after)
    write_behaviour(folder / "one", plan.record, recording, seed)
    if plan.cameras:
        body = pose(seed, recording)
        films = ((camera, film(seed, body, camera)) for camera in plan.cameras)
        write_cameras(folder / "one", plan.record, body, films)
    return recording


def _insert(folder: Path, plan: "SessionPlan", recording: Bunch, seed: int) -> None:
    from .session import insert
    from .superseded import add_older_sorting, add_superseded
    from .write import write_insertions

    alf = folder / "one" / plan.record.path / "alf"

    def insertions() -> Iterator[tuple[str, Bunch]]:
        for number, (name, track) in enumerate(zip(plan.record.insertions, plan.probes, strict=True)):
            insertion = insert(seed, number, track, recording, plan.clusters, plan.effects, plan.snippets)
            yield name, insertion
            if plan.corrected:
                add_older_sorting(alf / name, insertion, seed)

    write_insertions(folder / "one", plan.record, insertions())
    if plan.corrected:
        add_superseded(alf)


def _share(folder: Path, session: tables.SessionRecord, twin: tables.SessionRecord) -> None:
    """Give the files of a session's behaviour a second name in its twin, where they take no space."""
    probes = shutil.ignore_patterns("probe*", "raw_ephys_data", "units.pqt")
    for here, there in ((f"one/{session.path}", f"one/{twin.path}"), (f"truth/{session.eid}", f"truth/{twin.eid}")):
        shutil.copytree(folder / here, folder / there, copy_function=_link, ignore=probes)


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
            f"The sample cannot be built in {folder} ({reason}): free some space (it takes 300 MB, the small release "
            "500 MB, an audit 400 MB), or set the environment variable BWM_DATA to a folder that can be written to."
        ) from error
