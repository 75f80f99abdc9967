"""What is assumed of the servers with the real data: a question for each assumption, and what is expected."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import requests

from ..brainwide.aggregates import NEEDED
from ..errors import Refused
from ..recordings.insertion import Insertion
from ..recordings.remote import aws, base, openalyx
from ..recordings.session import Session
from . import findings

UNASKED = "not checked"
NO_ACCOUNT = f"{UNASKED}: no account (ALYX_LOGIN with ALYX_PWD, or ALYX_TOKEN)"
NOT_MET = f"{UNASKED}: no 429 was met, and none is provoked"
TABLE, TABLE_OF = "alf/_ibl_trials.table.pqt", "2025-03-03"
SPIKES, SPIKES_OF = "alf/probe00/pykilosort/spikes.times.npy", "2024-05-06"
OTHER_TAGS = ("2022_Q4_IBL_et_al_BWM", "2025_Q3_IBL_et_al_BWM")
EVERYTHING = "caches/openalyx/cache.zip"
NEWER_UNITS = "aggregates/2026_Q2_IBL_et_al_BWM/clusters.pqt"
BUNDLED, BUNDLES = "resources/ibl-agent-data/", ("bwm_behavior-2.0.0.tar", "bwm_ephys-1.2.0.tar")


class Fixed(NamedTuple):
    """What is known of the release and of one session of it, whoever gives it."""

    eid: str = base.MAIN
    pid: str = "56f2a378-78d2-4132-b3c8-8c1ba82be598"
    folder: str = "angelakilab/Subjects/NYU-11/2020-02-18/001"
    trials: int = 565
    columns: int = 20
    clusters: int = 898
    good: int = 76
    spikes: int = 20_667_745
    sessions: int = 459
    insertions: int = 699
    tag: tuple[str, int, int] = ("2025-02-20", 480, 76_563)  # date, sessions, datasets
    other_tags: tuple[tuple[str, int, int], ...] = (("2024-03-27", 354, 38_814), ("2025-12-11", 459, 5_339))
    main_in_tag: tuple[int, int] = (120, 91)  # datasets, superseded
    units: str = "621,733 rows × 35 columns"
    newer_units: int = 59  # columns
    trials_mb: int = 24
    md5s: tuple[str, str, str] = ("b89fac76", "067fb0e3", "ac22196f")  # how those of these three tables begin
    pages: tuple[int, int] = (250, 1000)  # records that the database gives at once: by default, at most


FIXED = Fixed()


class Question(NamedTuple):
    """Something to ask. It is answered right by the expected text, whatever follows that in brackets."""

    what: str
    expected: str
    ask: Callable[[], str]
    needed: bool = True  # by the lessons
    after: tuple[str, ...] = ()  # the questions without whose answers it cannot be asked


def needed(what: str, expected: object, ask: Callable[[], str]) -> Question:
    return Question(what, str(expected), ask)


def changing(what: str, expected: object, ask: Callable[[], str]) -> Question:
    """Something that may change without a lesson that fails."""
    return Question(what, str(expected), ask, needed=False)


def after(whats: Sequence[str], asked: Iterable[Question]) -> list[Question]:
    return [question._replace(after=(*whats, *question.after)) for question in asked]


def questions(root: Path, fixed: Fixed) -> list[list[Question]]:
    """Return all questions, those to one server together; the known session comes last, through each door."""
    listing = cache(lambda: findings.listing(f"data/{fixed.folder}/"))
    return [
        [needed("bucket", "listed without an account", findings.folders)],
        [needed("roster", f"{fixed.sessions} sessions, {fixed.insertions} insertions", findings.roster)],
        after(["bucket"], _main_session(listing)),
        after(["bucket"], _tables(fixed, listing)),
        after(["bucket"], _aggregates(fixed)),
        after(["main session: names"], _flatiron(listing)),
        _database(fixed),
        after(["bucket"], _door("aws", cache(lambda: aws.AwsOne(root / "aws")), fixed)),
        after(["login"], _door("openalyx", cache(lambda: openalyx.OpenAlyxOne(root / "openalyx")), fixed)),
    ]


def _main_session(listing: Callable[[], findings.Listing]) -> list[Question]:
    def part() -> str:
        return findings.part(aws.Bucket().address(listing().of(TABLE)["Key"]))

    names = needed("main session: names", "with an id", lambda: findings.names(listing()))
    return [
        names,
        *after(
            [names.what],
            [
                changing("main session: pages of the listing", "one", lambda: "one" if listing().whole else "several"),
                changing("main session: trials", TABLE_OF, lambda: findings.revision(listing(), TABLE)),
                changing("main session: spikes", SPIKES_OF, lambda: findings.revision(listing(), SPIKES)),
                changing("main session: md5", "of most", lambda: findings.md5s(listing())),
                changing("main session: ETag …-N, N parts of 8 MiB", "all", lambda: findings.parts(listing())),
                changing("main session: a part of a file", "206, an ETag", part),
            ],
        ),
    ]


def _tables(fixed: Fixed, listing: Callable[[], findings.Listing]) -> list[Question]:
    of, tag = cache(findings.tables), base.TAG
    created, sessions, datasets = fixed.tag

    def said(created: str, sessions: int, datasets: int) -> str:
        return f"{created}, {sessions} sessions, {datasets:,} datasets"

    def found(name: str) -> str:
        created, sessions, datasets = of(name)
        return said(created, len(sessions), len(datasets))

    def everything() -> str:
        about = findings.item(EVERYTHING)
        return f"there ({about['Size'] / 1e6:,.1f} MB, of {about['LastModified'][:10]})"

    trials = f"0 default, 0 of {TABLE_OF}"
    main = "{} datasets, {} superseded".format(*fixed.main_in_tag)
    return [
        changing(f"tables of {tag}: date", created, lambda: of(tag)[0]),
        changing(f"tables of {tag}: sessions", sessions, lambda: str(len(of(tag)[1]))),
        changing(f"tables of {tag}: datasets", f"{datasets:,}", lambda: f"{len(of(tag)[2]):,}"),
        changing(f"tables of {tag}: trials tables", trials, lambda: findings.trials_tables(of(tag)[2], TABLE_OF)),
        changing(f"tables of {tag}: main session", main, lambda: findings.superseded(of(tag)[2], fixed.eid, listing())),
        *(
            changing(f"tables of {name}", said(*known), partial(found, name))
            for name, known in zip(OTHER_TAGS, fixed.other_tags, strict=True)
        ),
        changing(EVERYTHING, "there", everything),
    ]


def _aggregates(fixed: Fixed) -> list[Question]:
    table = cache(findings.table)
    clusters, trials = (f"{aws.AGGREGATES}/{name}.pqt" for name in ("clusters", "trials"))

    def columns(key: str, wanted: list[str]) -> str:
        return f"{', '.join(name for name in wanted if name in table(key).columns)} ({table(key).about})"

    def number(key: str) -> str:
        return f"{len(table(key).columns)} columns ({table(key).about})"

    def md5(key: str) -> str:
        md5 = aws.md5(findings.item(key))
        return md5[:8] if md5 and "-" not in md5 else f"{UNASKED}: put in parts, so that the ETag is no md5"

    def bundles() -> str:
        sizes = {each["Key"].removeprefix(BUNDLED): each["Size"] for each in findings.listing(BUNDLED).items}
        listed = ", ".join(f"{name} {size / 1e9:.2f} GB" for name, size in sizes.items())
        return f"{', '.join(name for name in BUNDLES if name in sizes) or 'not there'} ({listed or 'nothing'})"

    return [
        needed(clusters, ", ".join(NEEDED["clusters"]), partial(columns, clusters, NEEDED["clusters"])),
        changing(f"{clusters}: size", fixed.units, lambda: table(clusters).shape),
        needed(trials, ", ".join(NEEDED["trials"]), partial(columns, trials, NEEDED["trials"])),
        changing(f"{trials}: size", f"{fixed.trials_mb} MB", lambda: f"{table(trials).size / 1e6:.0f} MB"),
        changing(NEWER_UNITS, f"{fixed.newer_units} columns", partial(number, NEWER_UNITS)),
        *(
            changing(f"{key}: md5", known, partial(md5, key))
            for key, known in zip((clusters, trials, NEWER_UNITS), fixed.md5s, strict=True)
        ),
        changing(BUNDLED, ", ".join(BUNDLES), bundles),
    ]


def _flatiron(listing: Callable[[], findings.Listing]) -> list[Question]:
    """One public file: the trials table of the main session."""

    def place() -> str:
        return f"{base.flatiron()}/{quote(listing().of(TABLE)['Key'].removeprefix('data/'))}"

    def size() -> str:
        found, expected = findings.size(place()), listing().of(TABLE)["Size"]
        return f"{'as on the bucket' if found == expected else f'not {expected}'} ({found:,} bytes)"

    serves = needed("FlatIron: a file, without a login", "as on the bucket", size)
    parts = [
        changing("FlatIron: a part of it", "206, an ETag", lambda: findings.part(place())),
        changing("FlatIron: a part of another version", 200, lambda: findings.part_of_another(place())),
    ]
    return [serves, *after([serves.what], parts)]


def _database(fixed: Fixed) -> list[Question]:
    url = (os.environ.get("ALYX_URL") or openalyx.URL).rstrip("/")
    token = cache(lambda: findings.token(url))
    waits = []  # s that it asked for when it was asked too often
    account = os.environ.get("ALYX_TOKEN") or (os.environ.get("ALYX_LOGIN") and os.environ.get("ALYX_PWD"))

    def get(place: str, *good: int, **headers: str) -> requests.Response:
        response = findings.ask(f"{url}{place}", headers=headers)
        if response.status_code == 429:
            waits.append(response.headers.get("Retry-After", "no"))
        if good and response.status_code not in good:
            raise Refused(f"{response.status_code} at {url}{place}")
        return response

    def ask(place: str, *good: int) -> requests.Response:
        return get(place, *good, Authorization=f"Token {token()}")

    def answers() -> str:
        status = get("/").status_code
        return f"{'an answer' if status < 500 else 'a failure'} ({status} at {url})"

    def login() -> str:
        if not account:
            return NO_ACCOUNT
        try:
            ask("/sessions?limit=1", 200)
        except Refused as error:
            wrong = str(error).startswith(("400", "401", "403"))
            raise Refused(f"{error}{': correct ALYX_LOGIN and ALYX_PWD, or ALYX_TOKEN' if wrong else ''}") from error
        return "accepted"

    def records(place: str) -> str:
        return str(len(findings.field(ask(place, 200), "results")))

    def created() -> str:
        return findings.field(ask(f"/cache/info/{base.TAG}"), "date_created")[:10]

    def limit() -> str:
        return f"429 with Retry-After ({', '.join(waits)} s)" if waits else NOT_MET

    usual, most = fixed.pages
    return [
        needed("database", "an answer", answers),
        *after(["database"], [needed("login", "accepted", login)]),
        *after(
            ["login"],
            [
                changing("database: whose token, at /me", "yes", lambda: findings.user(ask("/me"))),
                changing("database: cache/info of the tag", fixed.tag[0], created),
                changing(
                    "database: cache/info of an unknown tag", 500, lambda: str(ask("/cache/info/none").status_code)
                ),
                changing("database: records of a page", usual, lambda: records("/sessions")),
                changing("database: records of a page, at most", most, lambda: records(f"/sessions?limit={most + 1}")),
            ],
        ),
        changing("database: asked too often", "429 with Retry-After", limit),
    ]


def _door(door: str, connect: Callable[[], base.RemoteOne], fixed: Fixed) -> list[Question]:
    """The same questions to each door."""
    session = cache(lambda: Session(fixed.eid, connect()))
    insertion = cache(lambda: Insertion(fixed.pid, connect()))

    def release() -> str:
        return f"{len(connect().search())} sessions, {len(connect().search_insertions())} insertions"

    def taken(path: str, known: str) -> str:
        revision = session().datasets["revision"].get(path, "not there")
        current = revision != "not there" and revision >= known
        return f"{f'{known} or newer' if current else 'not so new'} ({revision or 'none'})"

    def spikes() -> str:
        size = session().datasets["file_size"].get(f"{insertion().collection}/spikes.times.npy", 0)
        return f"{findings.values(size):,} (by the size of the file)"

    def units() -> str:
        of = "of the session" if str(insertion().eid) == fixed.eid else f"of {insertion().eid}"
        return f"{of}, {findings.units(insertion().clusters)}"

    def path() -> str:
        return connect().eid2path(session().eid).relative_to(connect().cache_dir).as_posix()

    opens = needed(f"{door}: opens", "yes", lambda: f"yes ({type(connect()).__name__})")
    counts = f"{fixed.sessions} sessions, {fixed.insertions} insertions"
    of_probe = f"of the session, {fixed.clusters} units, {fixed.good} good"
    columns, n = f"{fixed.trials} trials, {len(findings.TRIALS)} of {len(findings.TRIALS)} columns", fixed.columns
    known = [
        needed("release", counts, release),
        needed(f"session {fixed.eid}", fixed.folder, path),
        needed("trials, revision", f"{TABLE_OF} or newer", partial(taken, TABLE, TABLE_OF)),
        needed("spikes, revision", f"{SPIKES_OF} or newer", partial(taken, SPIKES, SPIKES_OF)),
        needed("trials", columns, lambda: findings.trials(session().trials)),
        changing("trials, all columns", n, lambda: str(session().trials.shape[1])),
        needed("wheel", "a time for each position, rising", lambda: findings.wheel(session().wheel)),
        needed(f"probe {fixed.pid}", of_probe, units),
        needed("spikes", f"{fixed.spikes:,}", spikes),
    ]
    return [opens, *after([opens.what], [each._replace(what=f"{door}: {each.what}") for each in known])]
