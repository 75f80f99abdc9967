"""The bucket: where tables and roster are, what takes their place, and what is said where nothing can."""

import io
import stat
import zipfile
from pathlib import Path
from uuid import UUID

import pandas as pd
import pytest
from helpers import servers
from helpers.hand_made import TABLE, edit, refused
from helpers.servers import Answer, Door
from helpers.sessions import of_subject
from iblutil.io import parquet

import bwm_tutorials as bwm
from bwm_tutorials.errors import CorruptData, DataError, MissingDataset, Unreachable
from bwm_tutorials.paths import ROOT
from bwm_tutorials.recordings import index, one_tables
from bwm_tutorials.recordings.remote import aws, base
from bwm_tutorials.recordings.session import Session
from bwm_tutorials.workshop import assumptions

NOT_THERE = Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")


def zipped(members: dict[str, bytes]) -> Answer:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return Answer(200, content.getvalue())


def members(door: Door, change=lambda table: table) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(servers.cache_zip(door.original, change))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_files_lie_where_the_release_has_them(away):
    """The form of an address that IBL's own client asks for, checked without asking."""
    key = "data/zadorlab/Subjects/A/2020-01-01/001/alf/#2025-03-03#/x.y.0aa0a0aa-0000-4000-8000-000000000000.npy"
    assert aws.Bucket().address(key) == (
        "https://ibl-brain-wide-map-public.s3.amazonaws.com/data/zadorlab/Subjects/A/2020-01-01/001/alf/"
        "%232025-03-03%23/x.y.0aa0a0aa-0000-4000-8000-000000000000.npy"
    )


def test_no_credentials_are_looked_for_or_sent(aws_door, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert len(Session(one=aws_door.connect()).licks)
    assert aws_door.web.asked and aws_door.web.signed == []


def test_only_sessions_of_the_roster_are_offered(aws_door, small_release):
    other = one_tables.make_id("a session of another project")

    def add(table: pd.DataFrame) -> pd.DataFrame:
        more = table.iloc[:2].copy()
        more.index = pd.MultiIndex.from_tuples([(other, i[1]) for i in more.index], names=table.index.names)
        return pd.concat([table, more])

    found = members(aws_door, add)
    sessions, metadata = parquet.load(aws_door.original / "sessions.pqt")
    sessions = pd.concat([sessions, sessions.iloc[:1].rename({sessions.index[0]: other})])
    found["sessions.pqt"] = servers.parquet_bytes(sessions, metadata)
    aws_door.web.instead[aws.TABLES] = zipped(found)
    one = aws_door.connect()
    assert one.search() == small_release.search() and other not in map(str, one.search())
    one.list_ahead()
    assert sorted(one.list_datasets()) == sorted(small_release.list_datasets())


def test_release_has_459_sessions_and_699_insertions(aws_door, real_data, monkeypatch):
    """The roster that is really published, and tables with 21 sessions more, as those of the tag are said to have."""
    file = real_data.parent / "calibration" / "2023_12_bwm_release.csv"
    if not file.exists():
        pytest.skip(f"no {file}")
    monkeypatch.setenv("BWM_ROSTER", str(file))
    roster = pd.read_csv(file, index_col=0).drop_duplicates("eid").set_index("eid").rename_axis("id")
    more = roster.iloc[:21].set_axis([one_tables.make_id(f"another {i}") for i in range(21)]).rename_axis("id")
    sessions = pd.concat([roster, more]).rename(columns={"session_number": "number"}).astype({"number": "uint16"})
    sessions = sessions.assign(date=pd.to_datetime(sessions["date"]).dt.date, task_protocol="", projects="")
    row = {"rel_path": TABLE, "file_size": 5.0, "hash": "", "exists": True, "default_revision": True, "qc": "PASS"}
    datasets = pd.DataFrame([row | {"eid": eid, "id": one_tables.make_id(eid)} for eid in sessions.index])
    metadata = {"date_created": "2025-01-01 12:00", "min_api_version": "1.13.0", "origin": "alyx"}
    content = {"sessions.pqt": sessions, "datasets.pqt": datasets.set_index(["eid", "id"])}
    aws_door.web.instead[aws.TABLES] = zipped({k: servers.parquet_bytes(v, metadata) for k, v in content.items()})
    one = aws_door.connect()
    assert (len(one.search()), len(one.search_insertions())) == (459, 699)
    assert len(one.search(lab="zadorlab")) == 37 and len(one.search_insertions(lab="zadorlab")) == 66
    assert Session(one=one).name == "NYU-11 2020-02-18" and assumptions.FIXED.pid in map(str, one.eid2pid(base.MAIN)[0])


def test_main_session_is_the_one_that_ibl_shows_or_one_with_most_probes(aws_door, served, plain, monkeypatch):
    one = aws_door.connect()
    assert Session(one=one).eid == served.eid
    monkeypatch.setattr(base, "MAIN", plain.eid)
    one.update()
    assert Session(one=one).eid == plain.eid


# ------------------------------------------------------------------------------------- tables that are not as expected


@pytest.mark.parametrize("status", [404, 403])
def test_without_tables_the_bucket_is_listed(status, aws_door, served, capsys):
    aws_door.web.instead[aws.TABLES] = Answer(status, b"")
    one = aws_door.connect()
    assert "sessions are those of the roster" in capsys.readouterr().out
    assert [Path(p).name for p in one.list_datasets(served.eid)] == [
        Path(p).name for p in served.one.list_datasets(served.eid)
    ]
    there = Session(served.eid, one)
    pd.testing.assert_frame_equal(there.trials, served.trials)
    assert (there.available["revision"] == served.available["revision"]).all()
    for insertion, original in zip(there.insertions, served.insertions, strict=True):
        pd.testing.assert_frame_equal(insertion.clusters, original.clusters)
    aws_door.web.faults["licks"] = ["short"]
    assert len(there.licks) == len(served.licks), "sizes are known, and verified"
    corrected, original = (of_subject(at, "SIM-006") for at in (one, served.one))
    assert (corrected.available["revision"] == original.available["revision"]).all()
    aws_door.fetched()


def test_bucket_that_has_nothing_says_what_was_looked_for_and_what_is_there(aws_door, served):
    aws_door.web.instead[aws.TABLES] = NOT_THERE
    file = aws_door.root.parent.with_name("roster.csv")
    roster = pd.read_csv(file, index_col=0)
    roster.drop(columns="subject").to_csv(file)
    with refused(Unreachable, aws.TABLES, "roster", "the bucket has aggregates/, caches/, data/"):
        aws_door.connect()
    assert not (aws_door.root / "sessions.pqt").exists()
    roster.assign(subject="nobody").to_csv(file)
    with refused(MissingDataset, "nothing below data/"):
        Session(served.eid, aws_door.connect()).trials  # noqa: B018


@pytest.mark.parametrize(
    "given, words",
    [
        (Answer(200, b"<html>a page that asks you to log in to the Wi-Fi</html>"), "not a zip"),
        (zipped({"QC.json": b"[]", "notes.txt": b""}), "holds no sessions.pqt and no datasets.pqt; it holds 'QC.json'"),
        (zipped({"sessions.pqt": b"no table", "datasets.pqt": b""}), "cannot be read as ONE's tables"),
    ],
    ids=["a page", "other files", "garbage"],
)
def test_zip_without_tables_is_named_and_nothing_is_kept(given, words, aws_door):
    aws_door.web.instead[aws.TABLES] = given
    with refused(CorruptData, aws.TABLES, words):
        aws_door.connect()
    assert {file.name for file in aws_door.root.iterdir()} == {".bwm-tutorials", ".locks"}
    aws_door.web.instead.clear()
    assert len(Session(one=aws_door.connect()).licks)


@pytest.mark.parametrize("fault", ["truncated", "reset", "short", "altered", 500])
def test_tables_that_arrive_broken_are_fetched_again_or_refused(fault, aws_door):
    aws_door.web.faults["cache.zip"] = [fault]
    try:
        aws_door.connect()
    except CorruptData:
        assert fault in ("short", "altered"), "which only the zip itself can tell"
        assert not (aws_door.root / "sessions.pqt").exists()
    assert len(Session(one=aws_door.connect()).licks)


def test_tables_that_were_half_made_are_made_again(aws_door):
    aws_door.connect()
    (aws_door.root / "sessions.pqt").unlink()
    (aws_door.root / ".sessions.pqt.part").write_bytes(b"half")
    assert len(Session(one=aws_door.connect()).licks)


@pytest.mark.parametrize("name", ["../../escape.pqt", "absolute", "../../../home/escape.pqt"])
def test_zip_with_hostile_names_writes_nothing_outside(name, aws_door, tmp_path):
    found = members(aws_door)
    name = (tmp_path / "escape.pqt").as_posix() if name == "absolute" else name
    aws_door.web.instead[aws.TABLES] = zipped({name: found["sessions.pqt"], **found})
    assert len(Session(one=aws_door.connect()).licks)
    aws_door.nothing_elsewhere()


def test_link_in_a_zip_is_no_table(aws_door, tmp_path):
    secret = tmp_path / "home" / "sessions.pqt"
    secret.write_bytes((aws_door.original / "sessions.pqt").read_bytes())
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo("sessions.pqt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, str(secret))
        archive.writestr("datasets.pqt", members(aws_door)["datasets.pqt"])
    aws_door.web.instead[aws.TABLES] = Answer(200, content.getvalue())
    with refused(CorruptData, aws.TABLES):
        aws_door.connect()
    secret.unlink()
    aws_door.nothing_elsewhere()


@pytest.mark.parametrize("column", ["lab", "subject"])
def test_sessions_that_lead_out_of_the_folder_are_refused(column, aws_door):
    aws_door.connect()
    edit(aws_door.root, "sessions", lambda table: table.assign(**{column: "../../../escape"}))
    asked = len(aws_door.web.asked)
    with pytest.raises(DataError):
        Session(one=aws_door.connect()).licks  # noqa: B018
    assert len(aws_door.web.asked) <= asked + 1 and aws_door.fetched() == [], "it is listed, at most"
    aws_door.nothing_elsewhere()


# -------------------------------------------------------------------------------------------------------- the roster


def test_roster_may_have_an_address(aws_door, small_release, monkeypatch):
    content = aws_door.root.parent.with_name("roster.csv").read_bytes()
    aws_door.web.instead["/of/the/paper.csv"] = Answer(200, content)
    monkeypatch.setenv("BWM_ROSTER", f"{aws_door.web.url}/of/the/paper.csv")
    assert aws_door.connect().search_insertions() == small_release.search_insertions()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), ("<html>", "pid"), ("eid,probe_name\na,b\n", "no columns pid")]
)
def test_without_a_roster_it_is_said_where_it_was_looked_for(content, said, aws_door):
    file = aws_door.root.parent.with_name("roster.csv")
    file.write_text(content) if content else file.unlink()
    with refused(Unreachable, str(file), said, "BWM_ROSTER"):
        aws_door.connect()
    assert not (aws_door.root / "sessions.pqt").exists()


def test_roster_of_other_sessions_is_refused(aws_door):
    file = aws_door.root.parent.with_name("roster.csv")
    pd.read_csv(file).assign(eid=one_tables.make_id("another")).to_csv(file)
    with refused(CorruptData, "None of the 1 sessions", "BWM_ROSTER"):
        aws_door.connect()


# -------------------------------------------------------------------------------------------- raw recordings and others

RAW = "raw_ephys_data/probe00/_spikeglx_ephysData_g0_t0.imec0.ap.cbin"


def with_another(door: Door, path: str, size: int, body: bytes = b"") -> str:
    """Put one more file into the bucket and the index."""
    one = door.connect()
    eid, dataset = str(one.search()[0]), one_tables.make_id(path)
    folder = Path(one.eid2path(eid)).relative_to(door.root).as_posix()
    stem, _, extension = path.rpartition(".")
    table = one.list_datasets(eid, details=True, keep_eid_index=True)
    if body:
        servers.put(door.web.url, f"data/{folder}/{stem}.{dataset}.{extension}", body)

    row = table.iloc[:1].assign(rel_path=path, file_size=size, hash=None)
    row.index = pd.MultiIndex.from_tuples([(UUID(eid), UUID(dataset))], names=table.index.names)
    index.write(door.root, UUID(eid), pd.concat([table, row]))
    return eid


@pytest.mark.parametrize(
    "path, size",
    [
        (RAW, 500),
        ("raw_video_data/_iblrig_leftCamera.raw.mp4", 500),
        ("alf/probe00/waveforms.traces.npy", 2_000_000_000),
    ],
)
def test_raw_and_huge_files_are_not_fetched_by_accident(path, size, aws_door):
    eid = with_another(aws_door, path, size)
    one = aws_door.connect()
    asked = len(aws_door.web.asked)
    collection, _, name = path.rpartition("/")
    for load in (
        lambda: one.load_dataset(eid, path),
        lambda: one.load_dataset(eid, path, download_only=True),
        lambda: one.load_collection(eid, collection),
    ):
        with refused(DataError, name, "not fetched by accident", "download_plan"):
            load()
    bwm.download_plan(one, eid, what="all").get()
    assert name not in {file.name for file in aws_door.root.rglob("*")}
    assert aws_door.web.times(name.rpartition(".")[0]) == 0 and len(aws_door.web.asked) > asked


def test_raw_file_is_fetched_on_purpose(aws_door, tmp_path):
    eid = with_another(aws_door, RAW, 5, b"volts")
    planned = bwm.download_plan(aws_door.connect(), eid, what=RAW)
    assert planned.to_fetch == 5
    planned.get()
    (file,) = aws_door.root.rglob("*.cbin")
    assert file.read_bytes() == b"volts"


def test_readmes_python_runs(aws_door, capsys):
    blocks = (ROOT / "README.md").read_text(encoding="utf-8").split("```")
    (code,) = [block for block in blocks[1::2] if 'bwm.connect("aws")' in block]
    exec(compile(code, "README.md", "exec"), {"bwm": bwm})
    assert "To fetch: " in capsys.readouterr().out
    assert len(aws_door.fetched()) > 5
