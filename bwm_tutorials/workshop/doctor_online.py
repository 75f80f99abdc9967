"""Everything that is assumed of the servers with the real data, held against them: what is found, and what is not."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from ..errors import DataError, Refused, cause
from ..recordings.insertion import Insertion
from ..recordings.remote import aws, base, download, openalyx
from ..recordings.session import Session
from .doctor import Check

REPORT = "say so in an issue of the repository; until it is mended use another source"
ACCOUNT = "correct ALYX_LOGIN and ALYX_PWD, or ALYX_TOKEN"


class Fixed(NamedTuple):
    """What is known of one session, whoever gives it."""

    eid: str
    pid: str
    trials: int
    clusters: int
    sessions: int = 459
    insertions: int = 699


FIXED = Fixed(base.MAIN, "56f2a378-78d2-4132-b3c8-8c1ba82be598", trials=565, clusters=898)
TRIALS = [
    *("intervals_0", "intervals_1", "stimOn_times", "goCue_times", "firstMovement_times", "response_times"),
    *("feedback_times", "feedbackType", "choice", "contrastLeft", "contrastRight", "probabilityLeft", "rewardVolume"),
]
REVISIONS = {"alf/_ibl_trials.table.pqt": "2025-03-03", "alf/probe00/pykilosort/spikes.times.npy": "2024-05-06"}


def examine(fixed: Fixed = FIXED) -> list[Check]:
    """Try both doors in an empty folder, with one session that is known; without an account only the first."""
    checks = []
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for steps in (_bucket(root / "aws", fixed), _database(root / "openalyx", fixed)):
            checks += list(steps)
    return checks


def _bucket(root: Path, fixed: Fixed) -> Iterator[Check]:
    bucket = aws.Bucket()

    def tables() -> str:
        sessions, datasets = base.unzip_tables(download.read(bucket.address(aws.TABLES)), aws.TABLES)
        return f"{len(sessions)} sessions, {len(datasets):,} datasets, columns {', '.join(datasets)}"

    def roster() -> str:
        found = bucket.roster()
        return _equal((found["eid"].nunique(), len(found)), (fixed.sessions, fixed.insertions), "sessions, insertions")

    def listed() -> str:
        found = aws.AwsOne(root).list_datasets(fixed.eid, details=True)
        current, known = found["default_revision"].sum(), found["hash"].notna().sum()
        return f"{len(found)} files of the session, {current} of them current, {known} with a md5"

    yield _try(f"tables at s3://{aws.BUCKET}/{aws.TABLES}", tables)
    yield _try(f"roster at {os.environ.get('BWM_ROSTER') or aws.ROSTER}", roster)
    yield _try("list of the bucket", listed)
    yield from _session("aws", lambda: aws.AwsOne(root), fixed)


def _database(root: Path, fixed: Fixed) -> Iterator[Check]:
    if not (os.environ.get("ALYX_TOKEN") or (os.environ.get("ALYX_LOGIN") and os.environ.get("ALYX_PWD"))):
        yield Check("openalyx", None, "not checked, for want of an account (ALYX_LOGIN with ALYX_PWD, or ALYX_TOKEN)")
        return
    connect = cache(lambda: openalyx.OpenAlyxOne(root))

    def tables() -> str:
        sessions, datasets = connect()._zipped_tables() or ([], [])
        return f"{len(sessions)} sessions, {len(datasets):,} datasets" if len(sessions) else _missing("no tables")

    login = _try(f"login at {os.environ.get('ALYX_URL') or openalyx.URL}", lambda: f"as {_login(connect())}")
    yield login
    if not login.ok:
        return
    yield _try(f"tables of {base.TAG} (without them each session is asked for)", tables)
    yield from _session("openalyx", connect, fixed)


def _login(one: openalyx.OpenAlyxOne) -> str:
    one.alyx.authenticate()
    return one.alyx.user


def _session(door: str, connect: Callable, fixed: Fixed) -> Iterator[Check]:
    """The same questions to each door."""

    def release() -> str:
        one = connect()
        found = (len(one.search()), len(one.search_insertions()))
        return _equal(found, (fixed.sessions, fixed.insertions), "sessions, insertions")

    def revisions() -> str:
        found = Session(fixed.eid, connect()).datasets["revision"].reindex(REVISIONS).to_dict()
        return _equal(found, REVISIONS, "revisions")

    def trials() -> str:
        table = Session(fixed.eid, connect()).trials
        if missing := [name for name in TRIALS if name not in table]:
            _missing(f"no columns {', '.join(missing)}")
        if odd := [name for name in TRIALS if table[name].dtype.kind not in "fiu"]:
            _missing(f"columns {', '.join(odd)} that are not numbers")
        return _equal(len(table), fixed.trials, "trials")

    def wheel() -> str:
        found = Session(fixed.eid, connect()).wheel
        if found.position.shape != found.timestamps.shape or not (np.diff(found.timestamps) > 0).all():
            _missing("times that do not rise, or are not as many as positions")
        return f"{len(found.position):,} samples, {found.position.dtype}"

    def probe() -> str:
        insertion = Insertion(fixed.pid, connect())
        clusters, spikes = insertion.clusters, insertion.session.datasets.filter(like="spikes.", axis=0)
        size = spikes.loc[f"{insertion.collection}/spikes.times.npy", "file_size"]
        said = f"clusters with {', '.join(clusters.columns)}; {int(size) // 8:,} spikes by the size of the file"
        _equal((str(insertion.eid), len(clusters)), (fixed.eid, fixed.clusters), "eid, clusters")
        return f"{len(clusters)} {said}"

    opened = _try(f"{door}: opens", lambda: type(connect()).__name__)
    yield opened
    steps = {"sessions": release, "revisions": revisions, "trials": trials, "wheel": wheel, "probe": probe}
    for name, step in steps.items() if opened.ok else ():
        yield _try(f"{door}: {name}", step)


def _try(name: str, step: Callable[[], str]) -> Check:
    try:
        return Check(name, True, f"found: {step()}")
    except Exception as error:  # whatever it is, it belongs into the report
        why = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {cause(error)}"
        account = isinstance(error, Refused) and "does not accept" in why
        return Check(name, False, f"missing: {why}", ACCOUNT if account else REPORT)


def _equal(found: object, expected: object, what: str) -> str:
    if found != expected:
        _missing(f"{what}: {found}, not {expected}")
    return f"{what}: {found}"


def _missing(what: str) -> None:
    raise DataError(what)
