"""Both doors to the real data against real servers, also at their worst: whole files, or a clear sentence."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import edit, refused
from helpers.programs import on_small_disk
from helpers.repository import SOURCES as LESSONS
from helpers.servers import Door, edit_index, free_port
from helpers.sessions import of_subject

import bwm_tutorials as bwm
from bwm_tutorials.errors import (
    CorruptData,
    DataError,
    MissingDataset,
    Refused,
    UnknownSession,
    UnknownSource,
    Unreachable,
)
from bwm_tutorials.recordings import datasets, index
from bwm_tutorials.recordings.remote import download, fetched, patience, plan
from bwm_tutorials.recordings.session import Session
from bwm_tutorials.workshop import cli, notebooks

LICKS = "alf/licks.times.npy"


def licks(door: Door) -> np.ndarray:
    return Session(one=door.connect()).licks


def broken_off(door: Door) -> Path:
    """What a download of the licks leaves that never comes to its end."""
    door.connect()
    door.web.faults["licks"] = ["truncated"] * 99
    with refused(Unreachable, "licks.times", "5 attempts"):
        licks(door)
    door.web.faults.clear()
    (part,) = door.root.rglob(".*.part")
    return part


@pytest.fixture
def whole(served) -> np.ndarray:
    """The times of licks as they should arrive."""
    return served.licks


# ------------------------------------------------------------------------------------------------------ without faults


def test_either_door_answers_as_the_folder_does(door, small_release, served):
    one, folder = door.connect(), small_release
    one.list_ahead()
    eid, pid = served.eid, served.insertions[0].pid
    assert Session(one=one).eid == eid
    for terms in ({}, {"subject": "SIM-003"}, {"lab": "syntheticlab_c"}, {"datasets": "_ibl_passiveRFM.times.npy"}):
        assert one.search(**terms) == folder.search(**terms) != []
    assert one.search(subject="nobody") == []
    for terms in ({}, {"name": "probe01"}, {"name": "probe00", "lab": "syntheticlab_b"}):
        assert one.search_insertions(**terms) == folder.search_insertions(**terms) != []
    assert one.pid2eid(pid) == one.pid2eid(UUID(pid)) == folder.pid2eid(pid)
    assert one.eid2pid(eid) == one.eid2pid(UUID(eid)) == folder.eid2pid(eid)
    assert one.list_datasets(eid) == folder.list_datasets(eid)
    assert one.list_datasets(eid, revision="2025-03-03") == folder.list_datasets(eid, revision="2025-03-03")
    assert door.web.times("Subjects") == 0, "nothing was fetched for that"
    assert np.array_equal(one.load_object(eid, "wheel")["position"], folder.load_object(eid, "wheel")["position"])
    old = one.load_dataset(eid, "alf/_ibl_trials.table.pqt")
    pd.testing.assert_frame_equal(old, folder.load_dataset(eid, "alf/_ibl_trials.table.pqt"))
    assert one.load_dataset(eid, "probes.description.json") == folder.load_dataset(eid, "probes.description.json")
    assert sorted(Path(name).name for name in door.fetched()) == [
        "_ibl_trials.table.pqt",
        "_ibl_wheel.position.npy",
        "_ibl_wheel.timestamps.npy",
        "probes.description.json",
    ]
    door.nothing_elsewhere()


def test_session_and_insertion_are_the_same_and_fetched_once(door, served):
    def load() -> None:
        there = Session(one=door.connect())
        pd.testing.assert_frame_equal(there.available, served.available)
        pd.testing.assert_frame_equal(there.trials, served.trials)
        for insertion, original in zip(there.insertions, served.insertions, strict=True):
            assert insertion.pid == original.pid
            assert np.array_equal(insertion.spikes.times, original.spikes.times)
            pd.testing.assert_frame_equal(insertion.clusters, original.clusters)

    load()
    fetched, asked = door.fetched(), len(door.web.asked)
    assert door.web.times("Subjects") == len(fetched) > 15
    load()
    assert len(door.web.asked) == asked, "the second time nothing is asked for, not even a login"
    assert door.left_over() == []
    door.nothing_elsewhere()


def test_folder_of_a_door_is_opened_without_it(door, whole, monkeypatch):
    licks(door)
    asked = len(door.web.asked)
    assert np.array_equal(Session(one=bwm.connect(door.root)).licks, whole)
    with refused(MissingDataset, "wheel", "in the tables"):
        Session(one=bwm.connect(door.root)).wheel  # noqa: B018
    assert len(door.web.asked) == asked


def test_datasets_of_critical_quality_are_not_offered(door):
    with refused(MissingDataset, "no licks;"):
        of_subject(door.connect(), "SIM-004").licks  # noqa: B018
    assert door.web.times("licks") == 0


def test_tables_are_made_once_and_again_when_asked(door):
    there = len(door.connect().search())
    edit(door.root, "sessions", lambda table: table.iloc[:3])
    again = door.connect()
    assert len(again.search()) == 3, "kept as they are"
    again.update()
    assert len(again.search()) == len(door.connect().search()) == there == 10


@pytest.mark.parametrize("lesson", LESSONS[:2], ids=lambda path: path.stem)
def test_lessons_run_with_downloads_on_demand_and_again_without(lesson, door):
    for _ in range(2):
        asked = door.web.times("Subjects")
        names = {"display": print}
        with plt.rc_context():
            for cell in notebooks.read_source(lesson).cells:
                if cell.cell_type == "code":
                    exec(compile(cell.source, lesson.name, "exec"), names)
                if "parameters" in cell.metadata.get("tags", []):
                    names["SOURCE"] = door.name
            plt.close("all")
    assert asked == door.web.times("Subjects") == len(door.fetched()) > 5


# --------------------------------------------------------------------------------------------- a server that recovers


@pytest.mark.parametrize(
    "fault", ["reset", "truncated", "short", "altered", "longer", "slow", 500, 503, 429, "reset twice", "altered twice"]
)
def test_what_a_server_does_wrong_once_is_made_good(fault, door, whole, monkeypatch):
    monkeypatch.setattr(download, "_CHUNK", 1024)
    once = fault.split()[0] if isinstance(fault, str) else fault
    door.web.faults["licks"] = [once] * (2 if str(fault).endswith("twice") else 1)
    assert np.array_equal(licks(door), whole)
    assert [Path(name).name for name in door.fetched()] == ["licks.times.npy"]
    assert door.left_over() == [] and door.web.faults["licks"] == []
    door.nothing_elsewhere()


def test_what_has_arrived_is_not_fetched_twice(door, whole, monkeypatch):
    monkeypatch.setattr(download, "_CHUNK", 1024)
    part = broken_off(door)
    begun, door.web.ranges[:] = part.read_bytes(), []
    assert 0 < len(begun) < whole.nbytes and door.fetched() == []
    assert np.array_equal(licks(door), whole)
    assert door.web.ranges == [f"bytes={len(begun)}-"], "the rest only"
    assert (door.root / door.fetched()[0]).read_bytes().startswith(begun) and door.left_over() == []


def test_server_that_falls_silent_is_asked_again(door, whole, monkeypatch):
    door.connect()
    monkeypatch.setattr(patience, "TIMEOUT", (1, 0.3))
    door.web.faults["licks"] = ["wait"]
    assert np.array_equal(licks(door), whole)
    assert door.web.times("licks") == 2 and len(door.fetched()) == 1


@pytest.mark.parametrize("factor", [0.5, 0.99, 1.01, 3])
def test_size_that_the_database_has_wrong_is_no_fault_if_the_md5_is_right(factor, door, whole):
    part = broken_off(door)
    part.unlink()
    before = door.web.times("licks")
    wrong = lambda t: t.assign(file_size=t["file_size"].astype(float).mul(factor).round().astype("UInt64"))  # noqa: E731
    edit_index(door, bwm.Session(one=door.connect()).eid, wrong)
    for _ in range(2):
        assert np.array_equal(licks(door), whole)
    assert door.web.times("licks") == before + 1 and len(door.fetched()) == 1
    assert bwm.download_plan(door.connect(), what="licks").files["here"].all()
    if factor > 1:  # a program was stopped when all had arrived, which the size does not tell
        (file,) = door.root.rglob("licks.times.npy")
        file.rename(part)
        assert np.array_equal(licks(door), whole) and len(door.fetched()) == 1 and door.left_over() == []


@pytest.mark.parametrize("left", [b"", b"rubbish", "too long"])
def test_rubbish_in_place_of_a_part_is_replaced(left, door, served, whole):
    size = whole.nbytes + 128
    broken_off(door).write_bytes(bytes(2 * size) if left == "too long" else left or bytes(size))
    assert np.array_equal(licks(door), whole)
    assert len(door.fetched()) == 1 and door.left_over() == []


@pytest.mark.parametrize("damage", [lambda good: good[:-1], lambda good: good[:-1] + b"\1", lambda good: b""])
def test_damaged_file_is_fetched_again_before_it_is_read(damage, door, whole):
    licks(door)
    (file,) = door.root.rglob("licks.times.npy")
    file.write_bytes(damage(file.read_bytes()))
    assert np.array_equal(licks(door), whole)
    assert door.web.times("licks") == 2 and len(door.fetched()) == 1


# ----------------------------------------------------------------------------------------- a server that does not


@pytest.mark.parametrize(
    "fault, error, words",
    [
        ("altered", CorruptData, "altered"),
        ("short", CorruptData, "bytes where its table says"),
        ("truncated", Unreachable, "5 attempts"),
        (500, Unreachable, "answers 500"),
        (403, Refused, "403"),
        (404, MissingDataset, "404"),
    ],
)
def test_what_stays_wrong_is_one_sentence_and_no_file(fault, error, words, door, capsys):
    door.connect()
    door.web.faults["licks"] = [fault] * 99
    with refused(error, "licks.times", words):
        licks(door)
    assert door.fetched() == []
    if fault != "truncated":  # which brings something each time
        assert door.web.times("licks") == (1 if fault in (403, 404) else patience.ATTEMPTS)
    if fault == 404:
        assert Session(one=door.connect()).get("licks") is None
        assert "No server has" in capsys.readouterr().out
    if fault == "altered":
        assert door.left_over() == []
    door.nothing_elsewhere()


def test_one_bad_file_leaves_the_good_ones(door):
    door.connect()
    door.web.faults["wheel.position"] = [404] * 9
    with refused(MissingDataset, "wheel.position"):
        Session(one=door.connect()).wheel  # noqa: B018
    assert {Path(name).name for name in door.fetched()} <= {"_ibl_wheel.timestamps.npy"}
    door.web.faults.clear()
    assert len(Session(one=door.connect()).wheel.position)
    assert len(door.fetched()) == 2


def test_without_a_network_a_sentence_says_what_works_all_the_same(door, whole, monkeypatch):
    nowhere = f"http://127.0.0.1:{free_port()}"
    with monkeypatch.context() as cut:
        for name in ("AWS_ENDPOINT_URL_S3", "ALYX_URL"):
            cut.setenv(name, nowhere)
        with refused(Unreachable, nowhere, "refused", "network", "sample"):
            bwm.connect(door.name)
    licks(door)
    with monkeypatch.context() as cut:
        cut.setenv("AWS_ENDPOINT_URL_S3", nowhere)
        cut.setenv("HTTP_DATA_SERVER", nowhere)
        one = door.connect()
        assert np.array_equal(Session(one=one).licks, whole), "what is here needs no network"
        with refused(Unreachable, nowhere, "refused", "network", "sample"):
            Session(one=one).wheel  # noqa: B018
    assert len(door.fetched()) == 1 and door.left_over() == []


@pytest.mark.parametrize("path", ["../../../../../../escape.npy", "absolute", "alf/../../../../../../../escape.npy"])
def test_table_that_leads_out_of_the_folder_is_refused(path, door, served, tmp_path):
    door.connect()
    path = (tmp_path / "escape.npy").as_posix() if path == "absolute" else path
    edit_index(door, served.eid, lambda t: t.assign(rel_path=t["rel_path"].where(t["rel_path"] != LICKS, path)))
    one = door.connect()
    _ = one.list_datasets(served.eid)
    of_session = index.read(door.root, [UUID(served.eid)]).droplevel("eid")
    (dataset,) = of_session.index[of_session["rel_path"] == path]
    asked = len(door.web.asked)
    with refused(CorruptData, "outside"):
        one.load_dataset_from_id(dataset)
    with refused(DataError, "has no", path):
        bwm.download_plan(one, served.eid, what=path)
    with refused(CorruptData, "outside"):
        fetched.delete(one)
    assert len(door.web.asked) == asked and not (tmp_path / "escape.npy").exists()
    door.nothing_elsewhere()


def test_link_that_the_owner_made_is_followed(door, served, whole, tmp_path):
    folder = Path(door.connect().eid2path(served.eid))
    elsewhere = tmp_path / "data" / door.root.name / "elsewhere"
    elsewhere.mkdir(parents=True)
    folder.parent.mkdir(parents=True)
    try:
        folder.symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("this computer does not let a test make links")
    assert np.array_equal(licks(door), whole)
    assert (elsewhere / LICKS).exists()


# ---------------------------------------------------------------------------------------------- disk, kill, two at once

LOAD = """
import sys
import bwm_tutorials as bwm
from bwm_tutorials.errors import DataError
from bwm_tutorials.recordings.remote import download, patience
patience.PAUSE, download._CHUNK = 0.01, 1024
try:
    print(len(bwm.Session(one=bwm.connect(sys.argv[1])).licks))
except DataError as error:
    print(error)
"""


def program(door: Door, code: str = LOAD, *before: str) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*before, sys.executable, "-c", code, door.name], **pipes)


def result(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip()


def wait_for_half(door: Door) -> Path:
    for _ in range(6000):
        if found := [part for part in door.root.rglob(".licks*.part") if part.stat().st_size]:
            return found[0]
        time.sleep(0.01)
    raise AssertionError("nothing arrives")


def test_download_that_was_killed_is_completed(door, whole):
    door.connect()
    door.web.faults["licks"] = ["wait"]
    process = program(door)
    part = wait_for_half(door)
    process.kill()
    process.communicate()
    door.web.go.set()
    assert 0 < part.stat().st_size < whole.nbytes and door.fetched() == []
    assert np.array_equal(licks(door), whole)
    assert len(door.fetched()) == 1 and door.left_over() == []
    door.nothing_elsewhere()


@pytest.mark.skipif(os.name == "nt", reason="no such signal on Windows")
def test_download_that_was_interrupted_stops_and_is_completed(door, whole):
    door.connect()
    door.web.faults["licks"] = ["wait"]
    hears = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = program(door, hears + LOAD)
    wait_for_half(door)
    process.send_signal(signal.SIGINT)
    door.web.go.set()
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    assert door.fetched() == []
    assert np.array_equal(licks(door), whole)


def test_two_programs_fetch_a_file_once(door, whole):
    door.connect()
    door.web.faults["licks"] = ["slow"]
    first, second = program(door), program(door)
    assert result(first).splitlines()[-1] == result(second).splitlines()[-1] == str(len(whole))
    assert door.web.times("licks") == 1 and len(door.fetched()) == 1


def test_two_programs_make_the_tables_once(door):
    first, second = program(door), program(door)
    assert result(first).splitlines()[-1] == result(second).splitlines()[-1]
    assert door.web.times("cache.zip") == door.web.times("licks") == 1


@pytest.mark.parametrize("look_first", [True, False], ids=["it is seen before", "it fills up"])
def test_full_disk_is_one_sentence_and_no_file(look_first, door):
    """On a real file system of 1 MB, which only the program sees, and which holds the wheel but not the pose."""
    code = f"""
import os, sys
import bwm_tutorials as bwm
from bwm_tutorials.errors import DataError
from bwm_tutorials.recordings.remote import download
from pathlib import Path
one = bwm.connect(sys.argv[1])
download.RESERVE = 0 if {look_first} else -(1 << 40)
session = bwm.Session(one=one)
print(len(session.wheel.position))
try:
    session.pose("right")
except DataError as error:
    print(error)
files = [f for f in Path(one.cache_dir).rglob("*") if f.is_file() and "Subjects" in f.parts]
original = Path({str(door.original)!r})
print(len(files), all((original / f.relative_to(one.cache_dir)).read_bytes() == f.read_bytes() for f in files))
"""
    data = door.root.parent
    data.mkdir()
    *_, said, only_whole_files = result(program(door, code, *on_small_disk(data, 1))).splitlines()
    assert "free some space" in said and "BWM_DATA" in said and said.count(". ") == 0, said
    assert only_whole_files == "2 True"
    assert ("to be fetched" in said) == look_first


def test_folder_that_cannot_be_written_to_is_named(door):
    door.root.parent.write_text("a file")
    with refused(Unreachable, door.root, "BWM_DATA"):
        door.connect()


# ----------------------------------------------------------------------------------------------------- the price first


def test_plan_tells_the_price_and_fetches_nothing(door, served):
    one = door.connect()
    planned = bwm.download_plan(one, served.eid)
    asked = len(door.web.asked)
    said = str(planned)
    assert len(door.web.asked) == asked and door.fetched() == []
    sizes = served.datasets["file_size"]
    wanted = sizes[sizes.index.str.match(r"alf/_ibl_(trials|wheel)\.")]
    assert set(planned.files.index) == set(served.datasets.loc[wanted.index, "rel_path"])
    assert planned.to_fetch == wanted.sum() and not planned.files["here"].any() and planned.refusal == ""
    assert f"{len(wanted)} files, {wanted.sum() / 1e6:.1f} MB" in said and str(door.root) in said and "memory" in said
    planned.get()
    assert sorted(Path(name).name for name in door.fetched()) == sorted(Path(name).name for name in wanted.index)
    now = bwm.download_plan(one, served.eid)
    assert now.to_fetch == 0 and now.files["here"].all() and "already" in str(now)
    asked = len(door.web.asked)
    now.get()
    assert len(door.web.asked) == asked


LOADERS = {
    "pose": lambda s: [s.pose(c) for c in ("left", "right", "body")],
    "dlc": lambda s: [s.pose(c, "dlc") for c in ("left", "right", "body")],
    "motion_energy": lambda s: [s.motion_energy(c) for c in ("left", "right", "body")],
    **{
        name: lambda s, name=name: [getattr(i, name) for i in s.insertions]
        for name in ("spikes", "good_spikes", "waveforms", "drift", "saturation")
    },
    "clusters": lambda s: [(i.clusters, i.channels) for i in s.insertions],
}


@pytest.mark.parametrize("what", datasets.BY_NAME)
def test_what_was_planned_and_fetched_is_all_that_is_read(what, aws_door):
    one = aws_door.connect()
    planned = bwm.download_plan(one, what=what)
    assert planned.lacking == ()
    planned.get()
    asked = len(aws_door.web.asked)
    assert asked - aws_door.web.times("cache.zip") - aws_door.listings() == len(planned.files)
    LOADERS.get(what, lambda s: getattr(s, what))(Session(one=one))
    assert len(aws_door.web.asked) == asked, "nothing more was needed"


def test_everything_is_a_plan_too_and_what_is_lacking_is_named(small_release, plain):
    planned = bwm.download_plan(small_release, plain.eid, what="all")
    assert planned.lacking == ("licks", "pupil", "passive", "pose", "dlc", "motion_energy")
    assert "has no licks, pupil, passive" in str(planned)
    assert planned.files.index.is_unique and planned.to_fetch == 0
    planned.get()
    with refused(DataError, "'spykes'", "spikes", "list_datasets"):
        bwm.download_plan(small_release, what="spykes")


def test_what_does_not_fit_is_politely_refused(door, monkeypatch):
    monkeypatch.setattr(download, "RESERVE", shutil.disk_usage(door.root.parent.parent).total)
    planned = bwm.download_plan(door.connect(), what="wheel")
    assert "free some space" in planned.refusal and "free some space" in str(planned)
    with refused(Unreachable, "MB are to be fetched", "BWM_DATA"):
        planned.get()
    with refused(Unreachable, "MB are to be fetched"):
        Session(one=door.connect()).wheel  # noqa: B018
    assert door.fetched() == [] and door.web.times("wheel") == 0


def test_memory_that_is_short_is_said(small_release, monkeypatch):
    monkeypatch.setattr(plan, "_free_memory", lambda: 100_000)
    assert "memory free: load a part" in str(bwm.download_plan(small_release, what="spikes"))
    monkeypatch.setattr(plan, "_free_memory", lambda: None)
    assert "memory free" not in str(bwm.download_plan(small_release, what="spikes"))


# ---------------------------------------------------------------------------------------------------- the command line


def run(*words: str) -> int:
    arguments = cli._parser().parse_args(["data", *words])
    return arguments.command(arguments)


def test_data_commands_plan_get_verify_and_delete(door, served, capsys):
    source = ("--source", door.name)
    with pytest.raises(SystemExit, match="Nothing was fetched"):
        run("verify", *source)
    assert door.web.asked == []
    assert run("plan", *source, "licks") == 0
    assert "To fetch: 1 files" in capsys.readouterr().out and door.fetched() == []
    assert run("get", *source, "licks", "wheel") == 0
    assert len(door.fetched()) == 3
    assert run("get", *source, "--update", "licks") == 0
    assert door.web.times("cache.zip") == 2
    assert run("where") == 0
    assert str(door.root.parent) in (said := capsys.readouterr().out) and f"{door.root.name}: " in said
    assert run("verify", *source) == 0
    assert "3 files are here; 0 of them damaged" in capsys.readouterr().out
    (file,) = door.root.rglob("licks.times.npy")
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    assert run("verify", *source) == 1
    assert f"{file} was altered" in capsys.readouterr().out
    (file.parent / "notes.txt").write_text("mine")
    download.part_of(file, "v", "x").write_bytes(b"left over")
    with pytest.raises(SystemExit, match="--eid"):
        run("delete", *source)
    assert file.exists()
    assert run("delete", *source, "--all") == 0
    assert [f.name for f in door.root.rglob("*/Subjects/**/*") if f.is_file()] == ["notes.txt"]
    assert run("get", *source, "licks") == 0
    assert run("delete", *source, "--eid", served.eid) == 0
    assert [f.name for f in door.root.rglob("*/Subjects/**/*") if f.is_file()] == ["notes.txt"]


@pytest.mark.parametrize("eid", ["mistyped", "00000000-0000-4000-8000-000000000000"])
@pytest.mark.parametrize("words", [("plan",), ("get",), ("index",), ("verify",), ("delete",)], ids=" ".join)
def test_data_commands_say_that_there_is_no_such_session(eid, words, door):
    door.connect()
    with refused(UnknownSession, f"There is no session {eid}", "this source has"):
        run(*words, "--source", door.name, "--eid", eid)
    assert door.fetched() == []


def test_account_is_for_the_door_that_takes_one():
    with refused(UnknownSource, "'openalyx'", "username"):
        bwm.connect("aws", username="me")
