"""Sources, sessions and probes: what is asked for is found, and what is not there is named in one sentence."""

import shutil
import socket
from datetime import date
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import (
    MOUSE,
    N_EARLY,
    N_FRAMES,
    TABLE,
    TRIALS,
    edit,
    link,
    passive_files,
    probe_files,
    record_probe,
    record_session,
    refused,
    sites,
    video_files,
)
from iblutil.io import parquet
from one.api import One

import bwm_tutorials as bwm
from bwm_tutorials.errors import CorruptData, DataError, MissingDataset, UnknownSession, UnknownSource
from bwm_tutorials.recordings import one_tables
from bwm_tutorials.simulate import tables

NOBODY = UUID(one_tables.make_id("nobody"))


@pytest.fixture
def folder(small_sample, tmp_path) -> Path:
    """A ONE folder of one's own, to be damaged."""
    shutil.copytree(small_sample.parent, tmp_path / "copy")
    return tmp_path / "copy" / "one"


# ------------------------------------------------------------------------------------------------- opening a source


def test_sample_is_the_default(sample):
    assert bwm.connect().cache_dir == sample.cache_dir
    assert bwm.Session().synthetic


def test_real_excerpt_comes_with_the_project(real):
    assert not real.synthetic
    assert real.one.search(subject="SWC_054")


@pytest.mark.parametrize("as_path", [Path, str])
def test_folder_is_opened_by_its_path(folder, as_path):
    session = bwm.Session(one=bwm.connect(as_path(folder)))
    assert session.seed == 2
    assert len(session.trials) > 50


def test_path_may_be_relative_and_start_in_the_home(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    here = bwm.connect("../copy/one")
    monkeypatch.setenv("HOME", str(folder.parent.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent.parent))
    at_home = bwm.connect("~/copy/one")
    monkeypatch.chdir("/")
    assert len(bwm.Session(one=here).trials) == len(bwm.Session(one=at_home).trials)


def test_environment_variable_names_another_source(folder, monkeypatch):
    monkeypatch.setenv("BWM_SOURCE", str(folder))
    assert bwm.Session().seed == 2
    assert not bwm.Session(one=bwm.connect("real")).synthetic, "what is asked for in words goes first"
    monkeypatch.setenv("BWM_SOURCE", "real")
    assert not bwm.Session().synthetic
    monkeypatch.setenv("BWM_SOURCE", "")
    assert bwm.Session().seed == 1


@pytest.mark.parametrize("name", ["data #1 [a]", "données", "日本 µ", "it's (100 %)"])
def test_path_may_hold_spaces_and_signs(name, folder, tmp_path):
    folder = folder.rename(tmp_path / name)
    session = bwm.Session(one=bwm.connect(folder))
    assert len(session.trials) > 50 and len(session.insertions[0].spikes.times) > 1000
    assert len(session.one.load_object(session.eid, "wheel")["position"]) == len(session.wheel.position)


def test_folder_and_files_may_be_links(folder, tmp_path):
    (tmp_path / "disk").mkdir()
    elsewhere = folder.rename(tmp_path / "disk" / "one")
    link(folder, elsewhere)
    licks = next(elsewhere.rglob("licks.times.npy"))
    licks.rename(tmp_path / "licks.npy")
    link(licks, tmp_path / "licks.npy")
    session = bwm.Session(one=bwm.connect(folder))
    assert session.licks.size and len(session.truth.trials) == len(session.trials)


def test_unknown_source_lists_the_known_ones():
    with refused(UnknownSource, "'smaple'", "'sample', 'sample-release', 'real'", "path"):
        bwm.connect("smaple")


@pytest.mark.parametrize("gone", [["sessions.pqt"], ["datasets.pqt"], ["sessions.pqt", "datasets.pqt"]])
def test_folder_without_tables_is_told_which_are_missing(gone, folder):
    for name in gone:
        (folder / name).unlink()
    with refused(UnknownSource, folder, *gone, "One.setup"):
        bwm.connect(folder)


def test_file_is_no_source(folder):
    with refused(UnknownSource, "sessions.pqt"):
        bwm.connect(folder / "sessions.pqt")


@pytest.mark.parametrize("name", ["sessions", "datasets", "insertions"])
@pytest.mark.parametrize(
    "damage",
    [lambda good: b"", lambda good: b"not a table", lambda good: good[: len(good) // 2], lambda good: bytes(len(good))],
    ids=["empty", "text", "truncated", "zeros"],
)
def test_garbage_in_place_of_a_table_is_named(name, damage, folder):
    file = folder / f"{name}.pqt"
    file.write_bytes(damage(file.read_bytes()))
    with refused(CorruptData, folder, "tables", "rebuild"):
        bwm.connect(folder)


@pytest.mark.parametrize("name", ["sessions", "datasets"])
def test_table_of_something_else_is_named(name, folder):
    parquet.save(folder / f"{name}.pqt", pd.DataFrame({"id": ["a"], "b": [1]}), {"date_created": "2020-01-01 12:00"})
    with refused(CorruptData, folder, "tables"):
        bwm.connect(folder)


def test_tables_that_are_empty_or_of_something_else_hold_no_sessions(folder):
    edit(folder, "sessions", lambda table: table.iloc[:0])
    with refused(CorruptData, folder, "no sessions"):
        bwm.connect(folder)
    parquet.load(folder / "datasets.pqt")[0].to_parquet(folder / "sessions.pqt")  # without ONE's metadata
    with refused(CorruptData, folder, "sessions.pqt has no column lab, subject"):
        bwm.connect(folder)


def test_folder_that_mixes_synthetic_and_real_labs_in_its_tables_is_refused(folder):
    real = pd.DataFrame([{"lab": "angelakilab", "subject": "NYU-11", "number": 1}], index=[str(NOBODY)])
    edit(folder, "sessions", lambda table: pd.concat([table, real.rename_axis("id")]))
    with refused(UnknownSource, "mixes", "(syntheticlab)", "(angelakilab)", "folder of its own"):
        bwm.connect(folder)


def test_folder_that_mixes_synthetic_and_real_labs_only_in_its_tree_is_refused(folder, tmp_path):
    (folder / "angelakilab" / "Subjects" / "NYU-11").mkdir(parents=True)
    with refused(UnknownSource, "mixes", "(syntheticlab)", "(angelakilab)"):
        bwm.connect(folder)
    record_session(tmp_path / "real", {TABLE: TRIALS})
    shutil.copytree(folder / "syntheticlab", tmp_path / "real" / "syntheticlab")
    with refused(UnknownSource, "mixes", "(syntheticlab)", "(somelab)"):
        bwm.connect(tmp_path / "real")


def test_insertions_of_a_folder_without_their_table_are_the_probes_that_have_spikes(folder):
    """Their pids are made up: the same each time, and none that a table has."""
    whole = bwm.Session(one=bwm.connect(folder))
    (folder / "insertions.pqt").unlink()
    session, again = (bwm.Session(one=bwm.connect(folder)) for _ in range(2))
    assert session.probes == whole.probes and session.files.probes == again.files.probes
    assert np.array_equal(session.insertions[1].spikes.times, whole.insertions[1].spikes.times)
    assert session.one.eid2pid(session.eid)[1] == session.probes
    assert bwm.Insertion(session.insertions[0].pid, session.one).name == "probe00"
    assert session.insertions[0].pid.startswith("5eed0000")
    assert len(session.one.search_insertions()) == len(whole.one.search_insertions())
    gone = whole.insertions[0].pid
    with refused(UnknownSession, gone, session.insertions[0].pid):
        bwm.Insertion(gone, session.one)


def test_tables_made_by_one_itself_are_opened(folder, tmp_path):
    """As a user makes them for a folder of two sessions: no sizes to rely on, no md5, no default revision."""
    (licks,) = folder.glob("*/Subjects/SIM-NULL/*/001/alf/licks.times.npy")
    licks.unlink()
    for file in folder.glob("*.pqt"):
        file.unlink()
    One.setup(folder, silent=True)
    session = bwm.Session(one=bwm.connect(folder))
    assert session.details["subject"] == "SIM-001", "the session with most datasets"
    assert len(session.trials.columns) == 20 and session.available.loc["trials", "revision"] == "2025-03-03"
    (other,) = set(map(str, session.one.search())) - {session.eid}
    with refused(MissingDataset, "licks", "wheel"):
        bwm.Session(other, session.one).licks  # noqa: B018


# ------------------------------------------------------------------------------------------------ the calls of ONE


def test_calls_of_one_answer_without_a_network(session, monkeypatch):
    def no_network(*args, **kwargs):
        raise AssertionError("asks for the network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    one, eid, pid = bwm.connect("sample"), UUID(session.eid), UUID(session.insertions[0].pid)

    assert one.search(subject="SIM-001") == [eid]
    assert set(one.search()) == set(one.search(datasets="spikes.times.npy")) == {eid, UUID(session.null.eid)}
    assert one.search(subject="NYU") == []
    assert "alf/_ibl_wheel.position.npy" in one.list_datasets(eid)
    assert one.list_datasets(eid, filename="*lightningaction*") == []
    assert len(one.load_object(eid, "trials", collection="alf")["choice"]) == len(session.trials)
    assert set(one.load_object(eid, "wheel")) == {"timestamps", "position"}
    assert one.load_dataset(eid, "probes.description.json")[0]["label"] == "probe00"
    assert one.load_dataset(eid, "spikes.times.npy", "alf/probe00/pykilosort", download_only=True).exists()
    assert one.pid2eid(pid) == one.pid2eid(str(pid)) == (eid, "probe00")
    other = UUID(session.insertions[1].pid)
    pids, names = one.eid2pid(eid)
    assert one.eid2pid(str(eid)) == (pids, names) and dict(zip(names, pids, strict=True)) == {
        "probe00": pid,
        "probe01": other,
    }
    assert one.search_insertions(name="probe00", subject="SIM-001") == [pid]
    assert one.search_insertions(name="probe02") == one.search_insertions(subject="NYU") == []
    pids, details = one.search_insertions(details=True, subject="SIM-001", lab="syntheticlab", model="3B2")
    assert set(pids) == {pid, other} and {row["subject"] for row in details} == {"SIM-001"}
    dataset = one.list_datasets(eid, filename="licks*", details=True).index[0]
    assert np.array_equal(one.load_dataset_from_id(dataset), session.licks)


def test_insertions_are_found_among_sessions_of_which_most_have_no_probe(real):
    assert real.one.search_insertions(subject="SWC_054") == []
    (pid,) = real.one.search_insertions()
    assert real.one.search_insertions(lab="unknownlab") == real.one.search_insertions(name="probe00") == [pid]
    assert real.one.search_insertions(lab="unknownlab", name="probe01") == []


def test_unknown_identifiers_are_found_nowhere(sample):
    assert sample.pid2eid(NOBODY) == sample.pid2eid(str(NOBODY)) == (None, None)
    assert sample.eid2pid(NOBODY) == sample.eid2pid(str(NOBODY)) == (None, None)
    assert len(sample.list_datasets(NOBODY)) == 0


# ------------------------------------------------------------------------------------------- sessions and insertions


def test_session_is_opened_by_its_eid_in_any_spelling(session):
    for eid in (session.eid, session.eid.upper(), UUID(session.eid)):
        assert bwm.Session(eid, session.one).eid == session.eid


def test_insertion_is_opened_by_its_pid_in_any_spelling(probe):
    for pid in (probe.pid, probe.pid.upper(), UUID(probe.pid)):
        opened = bwm.Insertion(pid, probe.one)
        assert (opened.pid, opened.eid, opened.name) == (probe.pid, probe.eid, "probe00")


@pytest.mark.parametrize("unknown", ["NYU-11", "", "0", 5, NOBODY, str(NOBODY)])
def test_unknown_session_or_insertion_lists_what_exists(unknown, probe):
    if unknown != "":
        with refused(UnknownSession, unknown, probe.eid):
            bwm.Session(unknown, probe.one)
    with refused(UnknownSession, unknown, probe.pid):
        bwm.Insertion(unknown, probe.one)


def test_eid_is_no_pid(probe):
    with refused(UnknownSession, probe.eid, probe.pid):
        bwm.Insertion(probe.eid, probe.one)


def test_list_of_what_exists_is_kept_short(real):
    with refused(UnknownSession, "and 8 more", "search"):
        bwm.Session(NOBODY, real.one)


def test_without_main_session_the_one_with_most_datasets_opens(tmp_path):
    second = tables.SessionRecord(one_tables.make_id("b"), "somelab", "ZM_0002", date(2019, 1, 1))
    record_session(tmp_path, {TABLE: TRIALS})
    record_session(tmp_path, {TABLE: TRIALS, "alf/licks.times.npy": np.arange(3.0)}, second)
    tables.write(tmp_path, [MOUSE, second], created="2020-01-01 12:00", main="")
    assert bwm.Session(one=bwm.connect(tmp_path)).name == "ZM_0002 2019-01-01"
    edit(tmp_path, "datasets", lambda table: table.iloc[:0])
    empty = bwm.Session(one=bwm.connect(tmp_path))
    assert empty.name == "ZM_0001 2020-01-01" and not empty.available["present"].any()
    with refused(MissingDataset, "no datasets at all"):
        empty.trials  # noqa: B018


def test_unknown_camera_tracker_or_keypoint_lists_what_exists(session):
    with refused(DataError, "'top'", "'left', 'right', 'body'"):
        session.pose("top")
    with refused(DataError, "'sleap'", "'lightningPose', 'dlc'"):
        session.pose("left", "sleap")
    with refused(DataError, "'top'", "'left', 'right', 'body'"):
        session.motion_energy("top")
    with refused(DataError, "['tail']", "nose_tip, paw_l, paw_r"):
        session.pose("left", "dlc", ["paw_l", "tail"])


def test_only_the_points_asked_for_are_read(session):
    pose = session.pose("left", "dlc", "nose_tip")
    assert list(pose) == ["times", "nose_tip_x", "nose_tip_y", "nose_tip_likelihood"]
    assert [str(kind) for kind in pose.dtypes] == ["float64", "float32", "float32", "float32"]
    pd.testing.assert_frame_equal(pose, session.pose("left", "dlc")[list(pose)])


@pytest.mark.parametrize(
    "name, load",
    [
        ("passive", lambda session: session.passive),
        ("pose('right', 'lightningPose')", lambda session: session.pose("right")),
        ("pose('body', 'dlc')", lambda session: session.pose("body", "dlc")),
        ("motion_energy('body')", lambda session: session.motion_energy("body")),
    ],
)
def test_what_a_session_lacks_is_named_with_what_it_has(name, load, plain):
    has = plain.available.index[plain.available["present"]]
    assert {"trials", "wheel", "wheel_moves", "insertion probe00"} <= set(has)
    with refused(MissingDataset, plain.name, name, *has):
        load(plain)


def test_get_prints_what_is_missing_and_goes_on(session, plain, real, capsys):
    assert plain.get("passive") is None
    said = capsys.readouterr().out
    assert said.startswith("SIM-002 2001-01-15 has no passive; it has trials, wheel") and said.count("\n") == 1
    assert real.get("insertions") is None
    assert capsys.readouterr().out.startswith("SWC_054 2020-09-01 has no insertions; it has trials")
    assert session.get("licks") is session.licks
    assert capsys.readouterr().out == ""


def test_what_was_put_into_a_real_mouse_is_unknown(real):
    with refused(MissingDataset, "real recording", "unknown"):
        real.truth  # noqa: B018
    assert real.seed is None


def test_sample_that_was_moved_without_its_truth_says_so(folder):
    shutil.rmtree(folder.parent / "truth")
    with refused(MissingDataset, folder.parent / "truth", "both folders must be copied"):
        bwm.Session(one=bwm.connect(folder)).truth  # noqa: B018


def test_damaged_truth_is_named(folder):
    for units in folder.parent.rglob("units.pqt"):
        units.write_bytes(b"no table")
    with refused(CorruptData, folder.parent / "truth", "rebuild"):
        bwm.Session(one=bwm.connect(folder)).truth  # noqa: B018


def test_session_of_trials_only(tmp_path):
    session = record_session(tmp_path, {TABLE: TRIALS})
    pd.testing.assert_frame_equal(session.trials, TRIALS)
    assert session.probes == [] and session.get("insertions") is None
    assert list(session.available.index[session.available["present"]]) == ["trials"]
    for name in ("wheel", "wheel_moves", "licks", "pupil", "passive"):
        with refused(MissingDataset, f"no {name};", "it has trials"):
            getattr(session, name)


def test_half_an_object_is_named_by_the_file_that_is_not_there(tmp_path):
    session = record_session(tmp_path, {"alf/_ibl_wheelMoves.intervals.npy": np.ones((3, 2))})
    with refused(MissingDataset, "no alf/_ibl_wheelMoves.peakAmplitude.npy;", "it has wheel_moves"):
        session.wheel_moves  # noqa: B018


def test_session_with_a_probe_but_no_spikes(tmp_path, capsys):
    record = tables.SessionRecord(
        MOUSE.eid, MOUSE.lab, MOUSE.subject, MOUSE.date, insertions={"probe00": one_tables.make_id("probe")}
    )
    session = record_session(
        tmp_path, {TABLE: TRIALS, "alf/probe00/electrodeSites.mlapdv.npy": np.ones((4, 3))}, record
    )
    assert session.probes == ["probe00"]
    with refused(MissingDataset, "no insertions;", "it has trials"):
        session.insertions  # noqa: B018
    assert not session.available.loc["insertion probe00", "present"]
    assert session.get("insertions") is None and "no insertions" in capsys.readouterr().out
    insertion = bwm.Insertion(record.insertions["probe00"], session.one)
    for name in ("spikes", "good_spikes", "clusters", "channels", "waveforms"):
        with refused(MissingDataset, "ZM_0001", "it has trials"):
            getattr(insertion, name)


def test_excerpt_of_a_real_probe_has_spikes_and_nothing_else(real):
    (pid,) = real.one.search_insertions()
    insertion = bwm.Insertion(pid, real.one)
    assert list(insertion.spikes) == ["times", "clusters"]
    numbers = np.unique(insertion.spikes.clusters)
    assert len(numbers) == 289 < numbers[-1], "numbers are not consecutive"
    assert (np.diff(insertion.spikes.times) >= 0).all()
    for name in ("good_spikes", "clusters", "channels", "waveforms"):
        with refused(MissingDataset, "it has insertion probe00"):
            getattr(insertion, name)


def test_dataset_that_the_table_says_is_not_there_is_not_offered(folder):
    edit(folder, "datasets", lambda table: table.assign(exists=~table["rel_path"].str.contains("licks")))
    with refused(MissingDataset, "no licks;", "it has trials"):
        bwm.Session(one=bwm.connect(folder)).licks  # noqa: B018


def test_dataset_of_critical_quality_is_not_offered(folder):
    def condemn(table):
        bad = table["rel_path"].str.contains("wheel[.]|trials.table")
        return table.assign(qc=table["qc"].where(~bad, "CRITICAL"))

    session = bwm.Session(one=bwm.connect(edit(folder, "datasets", condemn)))
    assert not session.available.loc[["wheel", "trials"], "present"].any()
    with refused(MissingDataset, "no wheel;", "it has wheel_moves"):
        session.wheel  # noqa: B018
    with refused(MissingDataset, "no trials;"):
        session.trials  # noqa: B018


# ---------------------------------------------------------------------------------------------------- which revision

REVISED = {
    "alf/licks.times.npy": np.zeros(3),
    "alf/#2020-01-01#/licks.times.npy": np.ones(3),
    "alf/#2021-01-01#/licks.times.npy": np.full(3, 2.0),
    "alf/_ibl_wheel.timestamps.npy": np.arange(5.0),
    "alf/_ibl_wheel.position.npy": np.zeros(5),
    "alf/#2024-05-06#/_ibl_wheel.position.npy": np.ones(5),
}


def test_newest_revision_is_the_default_and_revisions_may_be_mixed(tmp_path):
    session = record_session(tmp_path, REVISED)
    assert (session.licks == 2).all() and session.available.loc["licks", "revision"] == "2021-01-01"
    assert (session.wheel.position == 1).all() and session.wheel.timestamps[-1] == 4
    assert (session.one.load_object(session.eid, "wheel")["position"] == 1).all()


@pytest.mark.filterwarnings("error")
def test_tables_without_defaults_give_the_newest_revision(tmp_path):
    record_session(tmp_path, REVISED)
    edit(tmp_path, "datasets", lambda table: table.drop(columns="default_revision"))
    session = bwm.Session(one=bwm.connect(tmp_path))
    assert (session.licks == 2).all() and session.available.loc["licks", "revision"] == "2021-01-01"
    assert (session.wheel.position == 1).all() and session.wheel.timestamps[-1] == 4


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("default, value", [("#2020-01-01#/", 1), ("", 0)])
def test_default_need_not_be_the_newest(default, value, tmp_path):
    def choose(table):
        licks = table["rel_path"].str.contains("licks")
        table.loc[licks, "default_revision"] = table.loc[licks, "rel_path"] == f"alf/{default}licks.times.npy"
        return table

    record_session(tmp_path, REVISED)
    session = bwm.Session(one=bwm.connect(edit(tmp_path, "datasets", choose)))
    assert (session.licks == value).all()
    assert session.available.loc["licks", "revision"] == default.strip("#/")
    assert (session.one.load_dataset(session.eid, "licks.times.npy") == value).all()


def test_of_several_defaults_the_newest_is_loaded(tmp_path):
    record_session(tmp_path, REVISED)
    edit(tmp_path, "datasets", lambda table: table.assign(default_revision=True))
    session = bwm.Session(one=bwm.connect(tmp_path))
    assert (session.licks == 2).all() and session.available.loc["licks", "revision"] == "2021-01-01"


def test_tables_written_with_pandas_3_are_read(folder):
    """They say ``alf/#nan#/name`` of a file that has no revision, and leave unknown sizes and md5s empty."""

    def as_pandas_3(table):
        paths = [path if "#" in path else "{0}/#nan#/{2}".format(*path.rpartition("/")) for path in table["rel_path"]]
        return table.assign(rel_path=paths, hash=np.nan, file_size=pd.NA).astype({"file_size": "UInt64"})

    before = bwm.Session(one=bwm.connect(folder))
    edit(folder, "datasets", as_pandas_3)
    assert parquet.load(folder / "datasets.pqt")[0]["rel_path"].str.contains("#nan#").sum() > 10
    session = bwm.Session(one=bwm.connect(folder))
    pd.testing.assert_frame_equal(session.trials, before.trials)
    assert set(session.available["revision"]) == {"", "2025-03-03", "2024-05-06"}
    assert np.array_equal(session.one.load_dataset(session.eid, "licks.times.npy"), before.licks)
    assert "alf/licks.times.npy" in session.one.list_datasets(session.eid)


# -------------------------------------------------------------------------------------- trials in all their disorder


def test_trials_with_duplicated_unsorted_and_unknown_times_are_given_as_they_are(tmp_path):
    odd = pd.concat([TRIALS, TRIALS.iloc[[1, 1]], TRIALS.iloc[[0]]], ignore_index=True)
    odd.loc[2:3, ["stimOn_times", "intervals_1"]] = np.nan
    odd.loc[4, "probabilityLeft"] = np.nan
    files = {TABLE: odd, "alf/_ibl_trials.stimOff_times.npy": np.full(len(odd), np.nan)}
    session = record_session(tmp_path, files)
    pd.testing.assert_frame_equal(session.trials, odd.assign(stimOff_times=np.nan))
    assert bwm.trials.psychometric(session.trials)["n_trials"].sum() <= len(odd)


def test_separate_file_of_another_length_is_left_out_and_that_is_said(tmp_path, capsys):
    files = {
        TABLE: TRIALS,
        "alf/_ibl_trials.stimOff_times.npy": np.arange(5.0),
        "alf/_ibl_trials.goCueTrigger_times.npy": np.arange(6.0),
        "alf/_ibl_trials.intervals_bpod.npy": np.arange(12.0).reshape(6, 2),
    }
    session = record_session(tmp_path, files)
    trials = session.trials
    assert (
        "stimOff_times.npy of ZM_0001 2020-01-01 has 5 trials and alf/_ibl_trials.table.pqt has 6"
        in capsys.readouterr().out
    )
    assert session.problems["then"].to_dict() == {"alf/_ibl_trials.stimOff_times.npy": "left out"}
    assert list(trials) == [*TRIALS, "goCueTrigger_times", "intervals_bpod_0", "intervals_bpod_1"]
    assert (trials["intervals_bpod_1"] - trials["intervals_bpod_0"] == 1).all()


def test_table_is_believed_rather_than_an_old_file_that_repeats_it(tmp_path):
    loaders = pytest.importorskip("brainbox.io.one")
    files = {
        "alf/#2025-03-03#/_ibl_trials.table.pqt": TRIALS,
        "alf/_ibl_trials.choice.npy": np.zeros(6),
        "alf/_ibl_trials.intervals.npy": np.zeros((6, 2)),
    }
    session = record_session(tmp_path, files)
    pd.testing.assert_frame_equal(session.trials, TRIALS)
    loader = loaders.SessionLoader(one=session.one, eid=session.eid)
    loader.load_trials()
    assert np.array_equal(loader.trials["choice"], session.trials["choice"])


# ------------------------------------------------------------------------- a session by hand, and by IBL's own loaders


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> bwm.Session:
    """A session with videos and a passive protocol, and the forms that the sample does not have."""
    return record_session(tmp_path_factory.mktemp("filmed"), {TABLE: TRIALS, **video_files(), **passive_files()})


@pytest.fixture(scope="module")
def theirs(filmed):
    loaders = pytest.importorskip("brainbox.io.one")
    loader = loaders.SessionLoader(one=filmed.one, eid=filmed.eid)
    loader.passive_rfmap = lambda: loaders.load_passive_rfmap(filmed.eid, one=filmed.one)
    return loader


@pytest.mark.parametrize(
    "camera, tracker", [("left", "lightningPose"), ("right", "dlc"), ("body", "dlc"), ("body", "lightningPose")]
)
def test_pose_is_that_of_the_session_loader(camera, tracker, filmed, theirs):
    theirs.load_pose(views=[camera], tracker=tracker, likelihood_thr=0)
    reference = theirs.pose[f"{camera}Camera"]
    ours = filmed.pose(camera, tracker)
    assert set(reference) == set(ours)
    assert np.array_equal(reference["times"], ours["times"]) and ours["times"].iloc[0] == N_EARLY[camera] / 60
    for column in ours.columns[1:]:
        assert np.array_equal(reference[column].astype(np.float32), ours[column]), column


def test_all_columns_of_a_point_are_read(filmed):
    wanted = ["times", *(c for c in filmed.pose("left") if c.startswith("paw_l_"))]
    assert list(filmed.pose("left", keypoints=["paw_l"])) == wanted and "paw_l_x_ens_median" in wanted
    assert list(filmed.pose("body", keypoints="tail_start"))[1:] == [
        "tail_start_x",
        "tail_start_y",
        "tail_start_likelihood",
    ]


@pytest.mark.parametrize("camera", N_FRAMES)
def test_motion_energy_is_that_of_the_session_loader(camera, filmed, theirs):
    theirs.load_motion_energy(views=[camera])
    reference, ours = theirs.motion_energy[f"{camera}Camera"], filmed.motion_energy(camera)
    assert np.array_equal(reference, ours) and list(ours) == ["times", "energy"]


def test_pupil_is_that_of_the_session_loader(filmed, theirs):
    theirs.load_pupil()
    pd.testing.assert_frame_equal(theirs.pupil, filmed.pupil)


def test_passive_protocol_is_that_of_ibllib_and_its_corrected_table(filmed, theirs):
    passive, reference = filmed.passive, theirs.passive_rfmap()
    assert np.array_equal(reference["times"], passive.rf_times)
    assert np.array_equal(reference["frames"], passive.rf_frames) and passive.rf_frames.dtype == np.uint8
    assert passive.intervals.loc["start", "RFM"] == 20 and passive.intervals.loc["stop", "taskReplay"] == 40
    assert passive.gabor["start"].tolist() == [3]
    assert passive.stims.shape[0] == 4 and "noiseOff" in passive.stims


def test_older_passive_recording_lacks_parts(tmp_path):
    intervals = "alf/_ibl_passivePeriods.intervalsTable.csv"
    passive = record_session(tmp_path, {intervals: passive_files()[intervals]}).passive
    assert set(passive.intervals) == {"passiveProtocol", "spontaneousActivity", "RFM", "taskReplay"}
    assert passive.gabor is passive.stims is passive.rf_times is passive.rf_frames is None


def test_frames_without_a_time_are_not_given_one(tmp_path):
    files = video_files() | {"alf/_ibl_leftCamera.times.npy": np.arange(119) / 60}
    session = record_session(tmp_path, files)
    for load in (lambda: session.pose("left"), lambda: session.motion_energy("left"), lambda: session.pupil):
        with refused(CorruptData, "left camera", "119 times for 120 frames", "another"):
            load()
    assert len(session.motion_energy("right")) == 300


def test_video_without_camera_times_says_so(tmp_path):
    files = video_files()
    del files["alf/_ibl_rightCamera.times.npy"]
    with refused(MissingDataset, "times of the right camera", "it has"):
        record_session(tmp_path, files).pose("right", "dlc")


# ------------------------------------------------------------------------------------------ probes of older sortings


@pytest.mark.parametrize("collection", ["alf/probe00", "alf/probe00/pykilosort"])
def test_spikes_lie_in_the_folder_of_their_sorter_or_of_their_probe(collection, tmp_path):
    probe = record_probe(tmp_path, probe_files(collection, 4))
    assert list(probe.spikes) == ["times", "clusters"]
    assert probe.clusters["acronym"].tolist() == ["CP"] * 3 and np.isnan(probe.clusters.loc[1, "depths"])
    assert probe.channels["x"].tolist() == [1e-6] * 4


def test_file_that_a_probe_lacks_is_named(tmp_path):
    files = probe_files("alf/probe00/pykilosort", 4)
    del files["alf/probe00/pykilosort/channels.rawInd.npy"]
    with refused(MissingDataset, "no alf/probe00/pykilosort/channels.rawInd.npy;", "it has insertion probe00"):
        record_probe(tmp_path, files).clusters  # noqa: B018


@pytest.mark.parametrize("n_sites", [4, 6])
def test_alignment_takes_the_place_of_the_sorters_own_channels_as_in_ibllib(n_sites, tmp_path):
    loaders = pytest.importorskip("brainbox.io.one")
    from iblatlas.atlas import AllenAtlas

    probe = record_probe(tmp_path, probe_files("alf/probe00/pykilosort", 4) | sites(n_sites))
    atlas = AllenAtlas(mock=True)
    loader = loaders.SpikeSortingLoader(pid=probe.pid, one=probe.one, atlas=atlas)
    _, _, reference = loader.load_spike_sorting()
    assert len(probe.channels) == n_sites and set(probe.channels["acronym"]) == {"VISp"}
    assert ("labels" in probe.channels) == (n_sites == 4), "labels are of the sorter's channels"
    for column in probe.channels:
        assert np.array_equal(reference[column], probe.channels[column]), column


def test_good_spikes_of_an_older_sorting_are_those_of_its_good_units(small_sample, tmp_path):
    probe = record_probe(tmp_path, probe_files("alf/probe00", 4))
    assert probe.good_spikes["times"].tolist() == [0, 3] and set(probe.good_spikes["clusters"]) == {0}
    whole = bwm.Session(one=bwm.connect(small_sample)).insertions[0]
    good = np.isin(whole.spikes.clusters, whole.clusters.index[whole.clusters["label"] == 1])
    assert np.array_equal(whole.good_spikes.times, whole.spikes.times[good]), "as the file of the release"


def test_unit_that_metrics_were_not_computed_for_has_none(tmp_path):
    files = probe_files("alf/probe00/pykilosort", 4)
    metrics = "alf/probe00/pykilosort/clusters.metrics.pqt"
    files[metrics] = files[metrics].iloc[[0, 2]]
    clusters = record_probe(tmp_path, files).clusters
    assert clusters["channels"].tolist() == [0, 1, 3]
    assert clusters["label"].tolist()[::2] == [1, 1 / 3] and np.isnan(clusters.loc[1, "label"])


@pytest.mark.parametrize(
    "written, known", [(b"uuids\na\nb\nc\n", ["a", "b", "c"]), (b"uuids\na\nb\n", None), (b"", None)]
)
def test_units_have_their_ids_where_the_sorting_has_one_for_each(written, known, tmp_path):
    files = probe_files("alf/probe00/pykilosort", 4)
    if written:
        files["alf/probe00/pykilosort/clusters.uuids.csv"] = written
    clusters = record_probe(tmp_path, files).clusters
    assert clusters["uuids"].tolist() == (known or [None] * 3)
    assert clusters["beryl"].tolist() == ["CP"] * 3 and clusters["cosmos"].tolist() == ["CNU"] * 3
