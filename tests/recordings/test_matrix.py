"""Whatever a server answers, at any step: the right value or one sentence, soon, and nothing half-written on disk."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import servers
from helpers.hand_made import edit, refused
from helpers.programs import like_anyone, on_small_disk
from helpers.servers import Answer, Door

import bwm_tutorials as bwm
from bwm_tutorials.errors import DataError, MissingDataset, Unreachable
from bwm_tutorials.recordings import integrity, one_tables
from bwm_tutorials.recordings.remote import aws, patience

PAGE = b"<html><body>Log in to the Wi-Fi of this hotel.</body></html>"
STEPS = {
    "aws": {"tables": "cache.zip", "roster": "roster.csv", "listing": "list-type=2", "file": "wheel.position"},
    "openalyx": {
        "login": "auth-token",
        "insertions": "/insertions",
        "tables": "cache/info",
        "zip": "cache.zip",
        "listing": "/sessions/",
        "file": "wheel.position",
    },
}
ANSWERS = {
    "another form": Answer(200, PAGE, {"Content-Type": "text/html"}),
    "another record": Answer(200, b'{"a": [1]}', {"Content-Type": "application/json"}),
    "nothing": Answer(200, b""),
    "401": Answer(401, b'{"detail": "no"}'),
    "403": Answer(403, b'{"detail": "no"}'),
    "404": Answer(404, b'{"detail": "no"}'),
    "429": Answer(429, b'{"detail": "Request was throttled."}', {"Retry-After": "1"}),
    "500": Answer(500, b"no"),
    "503": Answer(503, b"no"),
    "cut": "truncated",
    "pieces": "pieces",
    "silence": "silent",
}
WEEKLY = ("another record", "nothing", "401", "500", "503")  # which fare as others do
MATRIX = [
    pytest.param(door, step, answer, id=f"{door}-{step}-{answer}", marks=[pytest.mark.weekly] * (answer in WEEKLY))
    for door, steps in STEPS.items()
    for step in steps
    for answer in ANSWERS
]


@pytest.fixture
def wheel(served) -> np.ndarray:
    return served.wheel.position


@pytest.fixture
def quick(monkeypatch) -> None:
    """Servers are given a twentieth of the time."""
    monkeypatch.setattr(patience, "TIMEOUT", (0.5, 1))
    monkeypatch.setattr("bwm_tutorials.recordings.one_private.Client.timeout", (0.5, 1))
    monkeypatch.setattr("one.webclient.sleep", lambda seconds: time.sleep(min(seconds, 0.05)))
    monkeypatch.setattr("one.webclient.uniform", lambda low, high: low)


@pytest.fixture
def roster_at_an_address(aws_door, bucket, monkeypatch) -> None:
    servers.put(bucket, "roster.csv", Path(os.environ["BWM_ROSTER"]).read_bytes())
    monkeypatch.setenv("BWM_ROSTER", f"{aws_door.web.url}/{aws.BUCKET}/roster.csv")


@pytest.mark.parametrize("door, step, answer", MATRIX, indirect=["door"])
def test_every_answer_at_every_step_is_a_value_or_a_sentence(door, step, answer, wheel, quick, request):
    if door.name == "aws":
        request.getfixturevalue("roster_at_an_address")
    times = 2 if answer == "429" else 999
    door.web.faults[STEPS[door.name][step]] = [ANSWERS[answer]] * times
    start = time.monotonic()
    try:
        found = bwm.Session(one=door.connect()).wheel.position
        assert np.array_equal(found, wheel)
    except DataError as error:
        assert answer != "429" or step == "login", "a server that is busy is waited for"
        sentence = str(error)
        assert sentence.endswith(".") and sentence.count(". ") == 0 and "\n" not in sentence and len(sentence) < 500
        assert "Traceback" not in sentence and "<html>" not in sentence
    assert time.monotonic() - start < 15
    parts = [part for part in door.left_over() if not part.startswith(("._ibl_wheel.position", "._ibl_wheel.time"))]
    assert parts == []
    door.fetched()  # what is under its name is whole
    door.web.faults.clear()
    door.web.go.set()
    assert np.array_equal(bwm.Session(one=door.connect()).wheel.position, wheel), "and afterwards all is well"
    assert len(door.fetched()) == 2 and door.left_over() == []


# ----------------------------------------------------------------------------- what a server has, and what tables say


def put_in_parts(url: str, key: str, body: bytes, size: int) -> dict:
    """Put a file in parts of a size, and return how it is listed."""
    client, there = servers.s3_client(url), {"Bucket": aws.BUCKET, "Key": key}
    upload = there | {"UploadId": client.create_multipart_upload(**there)["UploadId"]}
    parts = []
    for number, start in enumerate(range(0, len(body), size), start=1):
        part = client.upload_part(**upload, PartNumber=number, Body=body[start : start + size])
        parts.append({"ETag": part["ETag"], "PartNumber": number})
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    (item,) = client.list_objects_v2(Bucket=aws.BUCKET, Prefix=key)["Contents"]
    return item


@pytest.mark.parametrize("n_bytes", [1000, 8 << 20, (8 << 20) + 1, 17_000_000])
def test_etag_of_a_file_that_was_put_in_parts_proves_it(n_bytes, aws_door, bucket, tmp_path):
    body, file = np.random.default_rng(n_bytes).bytes(n_bytes), tmp_path / "file"
    checksum = aws.md5(put_in_parts(bucket, "parts", body, integrity.PART))
    assert checksum.endswith(f"-{-(-n_bytes // integrity.PART)}")
    file.write_bytes(body)
    assert integrity.agrees(file, checksum) and integrity.fault(file, n_bytes, checksum) == ""
    file.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    assert not integrity.agrees(file, checksum)
    assert "bytes where its table says" in integrity.fault(file, n_bytes + 1, checksum)
    if n_bytes > integrity.PART:  # in parts of another size nothing is known
        other = aws.md5(put_in_parts(bucket, "parts", body, 6 << 20))
        assert other is None or integrity.fault(file, n_bytes, other) == ""


def say_of_wheel(door: Door, eid: str, **said) -> None:
    """Have the index say something else of the positions of the wheel."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        of_wheel = table["rel_path"].str.endswith("_ibl_wheel.position.npy")
        return table.assign(**{name: table[name].where(~of_wheel, value) for name, value in said.items()})

    servers.edit_index(door, eid, change)


def test_stale_md5_gives_way_to_what_the_server_has_and_that_is_said_once(door, served, wheel, said):
    say_of_wheel(door, served.eid, hash="0" * 32)
    said()
    assert np.array_equal(bwm.Session(one=door.connect()).wheel.position, wheel)
    assert said().count("_ibl_wheel.position.npy is not what its table says, which is older") == 1
    asked = door.web.times("wheel.position")
    # By its ETag at once; else when it has arrived alike twice.
    assert asked == (1 if door.name == "aws" else 2)
    assert np.array_equal(bwm.Session(one=door.connect()).wheel.position, wheel)
    assert said() == "" and door.web.times("wheel.position") == asked, "its own md5 is remembered"
    (file,) = door.root.rglob("_ibl_wheel.position.npy")
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    assert np.array_equal(bwm.Session(one=door.connect()).wheel.position, wheel), "and it is held against that"


def test_part_of_another_version_is_not_continued_where_no_md5_is_known(door, served, wheel):
    say_of_wheel(door, served.eid, hash=None, file_size=0)
    door.web.faults["wheel.position"] = ["truncated"] * 999
    with refused(Unreachable, "wheel.position"):
        bwm.Session(one=door.connect()).wheel  # noqa: B018
    (part,) = door.root.rglob("._ibl_wheel.position*.part")
    name = part.name.split(".")
    part.write_bytes(bytes(part.stat().st_size))
    part.rename(part.with_name(".".join([*name[:-3], "%22of-another-version%22", *name[-2:]])))
    door.web.faults.clear()
    assert np.array_equal(bwm.Session(one=door.connect()).wheel.position, wheel)
    assert len(door.fetched()) == 2 and door.left_over() == []


@pytest.fixture
def flatiron(small_release, monkeypatch):
    """A server that has every file, as the Flatiron Institute's has."""
    with servers.Alyx(small_release.cache_dir) as web:
        monkeypatch.setenv("BWM_FLATIRON", f"{web.url}/public")
        yield web


def test_file_that_only_flatiron_has_is_fetched_there(door, flatiron, wheel):
    door.web.faults["wheel.position"] = [404] * 9
    assert np.array_equal(bwm.Session(one=door.connect()).wheel.position, wheel)
    assert door.web.times("wheel.position") == flatiron.times("wheel.position") == 1
    assert flatiron.times("/public/") == 1 and flatiron.signed == [], "the other file is where it should be"


def test_file_that_nobody_has_is_superseded_and_takes_nothing_with_it(door, flatiron, served, said):
    for web in (door.web, flatiron):
        web.faults["goCueTrigger"] = [404] * 99
    session = bwm.Session(one=door.connect())
    pd.testing.assert_frame_equal(session.trials[served.trials.columns.drop("goCueTrigger_times")],
                                  served.trials.drop(columns="goCueTrigger_times"))  # fmt: skip
    assert "goCueTrigger_times" in said()
    planned = bwm.download_plan(door.connect(), what=("trials", "licks"))
    with pytest.raises(MissingDataset, match=r"1 of 8 files .*goCueTrigger.* superseded.*--update"):
        planned.get()
    assert len(door.fetched()) == len(planned.files) - 1


@pytest.mark.weekly
def test_session_of_more_than_a_thousand_files_is_listed_whole(aws_door, bucket, served):
    folder = "data/" + Path(served.one.eid2path(served.eid)).relative_to(served.one.cache_dir).as_posix()
    for number in range(1010):
        id = one_tables.make_id(f"one of many {number}")
        servers.put(bucket, f"{folder}/alf/a_folder/_x_many{number:04d}.times.{id}.npy", b"x")
    there = aws_door.connect().list_datasets(served.eid)
    assert len(there) == 1010 + len(served.one.list_datasets(served.eid))
    assert aws_door.listings() == 2


# ------------------------------------------------------------------------------------------- a database that is busy


@pytest.mark.parametrize("tells_whose_token", [True, False], ids=["/me", "no /me"])
def test_database_that_throttles_is_waited_for(tells_whose_token, openalyx_door, wheel, capfd):
    openalyx_door.web.a_second, openalyx_door.web.says_whose_token = 4, tells_whose_token
    assert np.array_equal(bwm.Session(one=openalyx_door.connect()).wheel.position, wheel)
    assert openalyx_door.left_over() == []


# ---------------------------------------------------------------------------------------------------- folders and disks

PROGRAM = """
import os, sys
import bwm_tutorials as bwm
from bwm_tutorials.errors import DataError
try:
    print(len(bwm.Session(one=bwm.connect(sys.argv[1])).wheel.position))
except DataError as error:
    print(error)
"""


def run(door: Door, code: str, *before: str) -> list[str]:
    process = subprocess.run([*before, sys.executable, "-c", code, door.name], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip().splitlines()


@pytest.mark.skipif(os.name == "nt", reason="folders are not made read-only this way on Windows")
@pytest.mark.parametrize("kept", [True, False], ids=["a token is kept", "none is kept"])
def test_read_only_folder_is_read_with_an_account(kept, door, wheel):
    no_more_rights = like_anyone()
    assert len(bwm.Session(one=door.connect()).wheel.position)
    if not kept:
        shutil.rmtree(door.root / ".one", ignore_errors=True)
    folders = [door.root, *(folder for folder in door.root.rglob("*") if folder.is_dir())]
    before = {file: file.stat().st_mtime_ns for file in door.root.rglob("*") if file.is_file()}
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert run(door, PROGRAM, *no_more_rights) == [str(len(wheel))]
        licks = PROGRAM.replace("wheel.position", "licks")
        (sentence,) = run(door, licks, *no_more_rights)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert sentence.startswith(f"Nothing can be written to {door.root} (") and "BWM_DATA" in sentence
    assert {file: file.stat().st_mtime_ns for file in door.root.rglob("*") if file.is_file()} == before


UPDATE = """
import sys
import bwm_tutorials as bwm
from pathlib import Path
from bwm_tutorials.errors import DataError
from bwm_tutorials.recordings.remote import download
download.RESERVE = -(1 << 40)
one = bwm.connect(sys.argv[1])
position = bwm.Session(one=one).wheel.position
free = Path(one.cache_dir, "filler")
with free.open("wb", buffering=0) as stream:
    try:
        while stream.write(bytes(512)):
            pass
    except OSError:
        pass
try:
    one.update()
except DataError as error:
    print(error)
again = bwm.connect(one.cache_dir)
print((bwm.Session(one=again).wheel.position == position).all(), len(again.search()))
print(sorted(file.name for file in Path(one.cache_dir).rglob("*.part")))
"""


def test_update_on_a_full_disk_keeps_what_there_is(door):
    """On a real file system of 3 MB, which only the program sees, and which is full."""
    data = door.root.parent
    data.mkdir()
    *_, sentence, same, parts = run(door, UPDATE, *on_small_disk(data, 3))
    assert sentence.startswith(f"Nothing can be written to {door.root} (") and "free some space" in sentence
    assert same == "True 10" and parts == "[]"


# ------------------------------------------------------------------------------------------------------- odd tables


def test_size_that_the_database_has_wrong_is_no_warning_of_one(door, served, wheel, caplog):
    say_of_wheel(door, served.eid, file_size=7)
    one = door.connect()
    for _ in range(2):
        assert np.array_equal(one.load_object(served.eid, "wheel")["position"], wheel)
    assert [record.message for record in caplog.records if "mismatch" in record.message] == []


ODD = {
    "no qc": lambda t: t.drop(columns="qc", errors="ignore"),
    "no sizes": lambda t: t.drop(columns="file_size", errors="ignore"),
    "no default revision": lambda t: t.drop(columns="default_revision", errors="ignore"),
    "rows twice": lambda t: pd.concat([t, t]),
}


@pytest.mark.parametrize("odd", ODD)
def test_zip_with_odd_tables_is_completed(odd, door, small_release, wheel):
    whole = servers.cache_zip(small_release.cache_dir, change=ODD[odd])
    door.web.instead["cache.zip"] = Answer(200, whole)
    one = door.connect()
    assert len(one.search()) == 10
    assert np.array_equal(bwm.Session(one=one).wheel.position, wheel)


@pytest.mark.parametrize("table", ["sessions", "datasets"])
def test_tables_with_rows_twice_are_read_once(table, door, wheel):
    assert len(bwm.Session(one=door.connect()).wheel.position)
    edit(door.root, table, lambda rows: pd.concat([rows, rows]))
    one = door.connect()
    assert len(one.search()) == 10 and np.array_equal(bwm.Session(one=one).wheel.position, wheel)


def test_list_of_insertions_with_a_broken_id_is_one_sentence(aws_door):
    roster = Path(os.environ["BWM_ROSTER"])
    lines = roster.read_text().splitlines()
    roster.write_text("\n".join([*lines, lines[-1].replace("5eed0000", "not-an-id")]))
    with refused(Unreachable, "badly formed", "UUID", "BWM_ROSTER"):
        aws_door.connect()
    roster.write_text("\n".join([*lines, *lines[1:]]))
    assert len(aws_door.connect().search_insertions()) == len(lines) - 1
