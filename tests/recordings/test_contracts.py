"""What the registry says of a file, held against what is in it when it is read: each breach once, at the door."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import (
    MOUSE,
    TABLE,
    TRIALS,
    passive_files,
    probe_files,
    record_probe,
    refused,
    sites,
    video_files,
    write,
)

import bwm_tutorials as bwm
from bwm_tutorials import console
from bwm_tutorials.errors import CorruptData
from bwm_tutorials.recordings import contracts, datasets

SORTING = "alf/probe00/pykilosort"
FILES = {
    TABLE: TRIALS,
    "alf/_ibl_trials.goCueTrigger_times.npy": np.arange(6.0),
    "alf/_ibl_wheel.timestamps.npy": np.arange(50.0) / 10,
    "alf/_ibl_wheel.position.npy": np.zeros(50),
    "alf/_ibl_wheelMoves.intervals.npy": np.c_[np.arange(3.0), np.arange(3) + 0.5],
    "alf/_ibl_wheelMoves.peakAmplitude.npy": np.array([0.1, -0.2, 0.3]),
    "alf/licks.times.npy": np.arange(4.0),
    **video_files(),
    **passive_files(),
    **probe_files(SORTING, 4),
    **sites(4),
    f"{SORTING}/spikes.times.npy": np.arange(6.0) * 6,
    f"{SORTING}/spikes.amps.npy": np.full(6, 1e-4, np.float32),
    f"{SORTING}/spikes.depths.npy": np.array([20, np.nan, 60, 20, 40, 60], np.float32),
    f"{SORTING}/clusters.uuids.csv": b"uuids\na\nb\nc\n",
    f"{SORTING}/clusters.waveforms.npy": np.zeros((3, 82, 32), np.float32),
    f"{SORTING}/clusters.waveformsChannels.npy": np.zeros((3, 32), np.int32),
    f"{SORTING}/drift.times.npy": np.arange(3.0),
    f"{SORTING}/drift.um.npy": np.zeros((3, 2)),
    f"{SORTING}/passingSpikes.table.pqt": pd.DataFrame(
        {"times": [0.0, 18], "clusters": [0, 0], "amps": [1e-4, 1e-4], "depths": [20.0, 20]}
    ),
}


def record(root: Path, **changed) -> bwm.Session:
    """The session of these files, some of them changed; None takes one away."""
    files = {path: content for path, content in (FILES | changed).items() if content is not None}
    return record_probe(root, files).session


def of_probe(name: str) -> Callable[[bwm.Session], object]:
    return lambda session: getattr(session.insertions[0], name)


def nth(path: str, i: int, value) -> np.ndarray:
    changed = np.array(FILES[path], copy=True)
    changed[i] = value
    return changed


def test_a_session_that_keeps_its_contract_has_no_problems_but_the_early_times_of_a_camera(tmp_path):
    session = record(tmp_path)
    for each in datasets.REGISTRY:
        for place in session.files.places(each.name):
            if session.files.are_here(each.name, **place):
                session.load(each.name, **place)
    problems = session.problems
    assert problems["then"].to_dict() == {"alf/_ibl_leftCamera.times.npy": "mended"}
    assert problems["problem"].iloc[0].startswith("The left camera of ZM_0001 2020-01-01 has 123 times for 120 frames")


WHEEL, MOVES, LICKS = "alf/_ibl_wheel", "alf/_ibl_wheelMoves", "alf/licks.times.npy"
METRICS = f"{SORTING}/clusters.metrics.pqt"
ENERGY = "alf/bodyCamera.ROIMotionEnergy.npy"
REGIONS = "alf/probe00/electrodeSites.brainLocationIds_ccf_2017.npy"
REPLAY, FRAMES = "alf/_ibl_passiveGabor.table.csv", "raw_passive_data/_iblrig_RFMapStim.raw.bin"
REFUSED = {
    "a clock that goes back": (
        f"{WHEEL}.timestamps.npy", lambda p: nth(p, 7, 0.1), lambda s: s.wheel, "not in order: 1 of its times"),
    "a time that is not known": (f"{WHEEL}.timestamps.npy", lambda p: nth(p, 7, np.nan), lambda s: s.wheel, "1 values"),
    "an array that is shorter": (f"{WHEEL}.position.npy", lambda p: FILES[p][:-2], lambda s: s.wheel, "50", "48"),
    "an array of two dimensions": (f"{WHEEL}.position.npy", lambda p: np.zeros((50, 2)), lambda s: s.wheel, "(50, 2)"),
    "words": (f"{WHEEL}.position.npy", lambda p: np.full(50, "left"), lambda s: s.wheel, "<U4"),
    "a movement that stops before it starts": (
        f"{MOVES}.intervals.npy", lambda p: FILES[p][:, ::-1], lambda s: s.wheel_moves, "3 intervals"),
    "movements that are not in order": (
        f"{MOVES}.intervals.npy", lambda p: FILES[p][::-1], lambda s: s.wheel_moves, "not in order: 2 of"),
    "a start without a stop": (f"{MOVES}.intervals.npy", lambda p: np.arange(3.0), lambda s: s.wheel_moves, "(3,)"),
    "an amplitude too few": (f"{MOVES}.peakAmplitude.npy", lambda p: FILES[p][:2], lambda s: s.wheel_moves, "2", "3"),
    "licks that are not in order": (LICKS, lambda p: FILES[p][::-1], lambda s: s.licks, "not in order: 3 of"),
    "a camera that stood still": (
        "alf/_ibl_leftCamera.times.npy", lambda p: nth(p, 9, np.nan), lambda s: s.pose("left"), "1 values"),
    "motion that is not known": (
        ENERGY, lambda p: nth(p, 5, np.inf), lambda s: s.motion_energy("body"), "1 values"),
    "a table of something else": (
        "alf/_ibl_leftCamera.features.pqt", lambda p: TRIALS, lambda s: s.pupil, "pupilDiameter_raw", "'choice'"),
    "a csv with semicolons": (
        "alf/_ibl_passivePeriods.intervalsTable.csv", lambda p: b";RFM;taskReplay\nstart;0,5;1\nstop;1;2\n",
        lambda s: s.passive, "RFM", "none of its columns"),
    "decimal commas": (
        "alf/_ibl_passivePeriods.intervalsTable.csv", lambda p: b',RFM,taskReplay\nstart,"0,5",1\nstop,"1,0",2\n',
        lambda s: s.passive, "'0,5', '1,0' in its column RFM"),
    "spikes that are not in order": (
        f"{SORTING}/spikes.times.npy", lambda p: FILES[p][::-1], of_probe("spikes"), "not in order: 5 of"),
    "spikes without a unit": (f"{SORTING}/spikes.clusters.npy", lambda p: FILES[p][:4], of_probe("spikes"), "6", "4"),
    "spikes of a unit that is not there": (
        f"{SORTING}/spikes.clusters.npy", lambda p: nth(p, 2, 3), of_probe("spikes"), "unit 3", "0 to 2"),
    "good spikes of a unit that is not there": (
        f"{SORTING}/passingSpikes.table.pqt", lambda p: FILES[p].assign(clusters=7), of_probe("good_spikes"), "unit 7"),
    "a unit that is rated twice": (
        METRICS, lambda p: FILES[p].assign(cluster_id=[0, 1, 1]), of_probe("clusters"), "which of 3 units"),
    "a rating of a unit that is not there": (
        METRICS, lambda p: FILES[p].assign(cluster_id=[0, 1, 3]), of_probe("clusters"), "which of 3 units"),
    "ratings of units that are not named": (
        METRICS, lambda p: FILES[p][["label"]].iloc[:2], of_probe("clusters"), "which of 3 units"),
    "a unit without a depth of its own": (
        f"{SORTING}/clusters.depths.npy", lambda p: FILES[p][:2], of_probe("clusters"), "2 clusters", "3"),
    "a unit on a channel that is not there": (
        f"{SORTING}/clusters.channels.npy", lambda p: nth(p, 1, 99), of_probe("clusters"), "units (1)"),
    "channels without a place": (
        "alf/probe00/electrodeSites.mlapdv.npy", lambda p: FILES[p][:3], of_probe("channels"), "3 sites", "4"),
    "channels without a region": (
        REGIONS, lambda p: FILES[p][:3], of_probe("channels"), "3", "4"),
    "shapes without their channels": (
        f"{SORTING}/clusters.waveformsChannels.npy", lambda p: FILES[p][:2], of_probe("waveforms"), "2 clusters", "3"),
    "drift without times": (f"{SORTING}/drift.times.npy", lambda p: FILES[p][:2], of_probe("drift"), "2", "3"),
    "a clock that stands still": (
        f"{SORTING}/drift.times.npy", lambda p: np.zeros(3), of_probe("drift"), "2 of its times are not later"),
    "choices in words": (
        TABLE, lambda p: TRIALS.assign(choice="clockwise"), lambda s: s.trials, "'clockwise'"),
    "contrasts in percent": (
        TABLE, lambda p: TRIALS.assign(contrastLeft=TRIALS.contrastLeft * 100), lambda s: s.trials, "6.25, 25, 100"),
    "a choice that nobody has": (TABLE, lambda p: TRIALS.assign(choice=2.0), lambda s: s.trials, "choice", "2"),
    "a probability in percent": (
        TABLE, lambda p: TRIALS.assign(probabilityLeft=80.0), lambda s: s.trials, "probabilityLeft", "80"),
    "feedback as a fraction": (
        TABLE, lambda p: TRIALS.assign(feedbackType=0.5), lambda s: s.trials, "feedbackType", "0.5"),
}  # fmt: skip


@pytest.mark.parametrize("breach", REFUSED)
def test_what_makes_numbers_wrong_is_refused_with_names_and_figures(breach, tmp_path, capsys):
    path, change, load, *words = REFUSED[breach]
    session = record(tmp_path, **{path: change(path)})
    with refused(CorruptData, path.rpartition("/")[2], "ZM_0001 2020-01-01", *words):
        load(session)
    assert path in session.problems.query("then == 'refused'").index
    assert session.get(load) is None
    said = capsys.readouterr().out
    assert path.rpartition("/")[2] in said, "as missing, and the reason is printed"
    assert len(session.licks) if path != LICKS else len(session.trials), "other things load all the same"


MENDED = {
    "sizes of spikes, of another length": (
        f"{SORTING}/spikes.amps.npy", lambda p: FILES[p][:5], of_probe("spikes"), "left out", "5 spikes"),
    "a size that is not known": (
        f"{SORTING}/spikes.amps.npy", lambda p: nth(p, 2, np.nan), of_probe("spikes"), "left out", "1 values"),
    "ids of another sorting": (
        f"{SORTING}/clusters.uuids.csv", lambda p: b"uuids\na\nb\n", of_probe("clusters"), "left out", "2 clusters"),
    "a go cue of another length": (
        "alf/_ibl_trials.goCueTrigger_times.npy", lambda p: FILES[p][:5], lambda s: s.trials, "left out", "5 trials"),
    "a replay that is no table": (
        REPLAY, lambda p: b"start;stop;position\n3;4;-35\n", lambda s: s.passive, "left out", "start;"),
    "frames without times": (
        FRAMES, lambda p: FILES[p][: 19 * 225], lambda s: s.passive, "left out", "19"),
    "a region that the atlas does not have": (
        REGIONS, lambda p: np.array([385, 385, 1234567, 385]),
        of_probe("clusters"), "mended", "1234567"),
    "spikes that end before the task": (
        f"{SORTING}/spikes.times.npy", lambda p: np.arange(6.0) * 2, of_probe("spikes"), "noted", "4 of 6 trials"),
    "0 for the side without a stimulus": (
        TABLE, lambda p: TRIALS.fillna({"contrastLeft": 0}), lambda s: s.trials, "mended", "2 trials"),
    "0 on both sides": (
        TABLE, lambda p: TRIALS.assign(contrastRight=TRIALS.contrastRight.mask(TRIALS.contrastLeft == 0, 0)),
        lambda s: s.trials, "noted", "not known"),
}  # fmt: skip


@pytest.mark.parametrize("breach", MENDED)
def test_what_can_be_mended_without_guessing_is_mended_and_said_once(breach, tmp_path, capsys):
    path, change, load, then, word = MENDED[breach]
    changed = {path: change(path)}
    if path == REPLAY:
        changed["alf/#2025-12-04#/_ibl_passiveGabor.table.csv"] = None
    console.say_once.cache_clear()
    session = record(tmp_path, **changed)
    session.trials, load(session)
    said = capsys.readouterr().out
    assert said.count("ZM_0001") == 1 and word in said and said.endswith(".\n")
    again = bwm.Session(session.eid, session.one)
    again.trials, load(again)
    assert capsys.readouterr().out == ""
    problems = session.problems.drop(index="alf/_ibl_leftCamera.times.npy")
    assert problems["then"].to_dict() == {path: then} and word in problems["problem"].iloc[0]


def test_what_was_mended_is_right(tmp_path):
    odd = {
        f"{SORTING}/spikes.amps.npy": np.zeros(5),
        f"{SORTING}/clusters.uuids.csv": b"uuids\na\n",
        "alf/probe00/electrodeSites.brainLocationIds_ccf_2017.npy": np.array([385, 385, 385, 7654321]),
        TABLE: TRIALS.assign(contrastRight=TRIALS.contrastRight.fillna(0)).astype(np.float32),
    }
    session = record(tmp_path, **odd)
    probe = session.insertions[0]
    assert list(probe.spikes) == ["times", "clusters", "depths"] and np.isnan(probe.spikes.depths[1])
    assert probe.clusters["acronym"].to_list() == ["VISp", "VISp", "void"]
    assert probe.clusters["beryl"].to_list()[-1] == "void" and probe.clusters["uuids"].isna().all()
    assert session.good_units()["acronym"].to_list() == ["VISp"]
    trials = session.trials
    assert set(trials["probabilityLeft"]) == {0.2, 0.5, 0.8}, "and not .2 in single precision"
    expected = TRIALS.assign(contrastRight=TRIALS.contrastRight.mask(TRIALS.contrastLeft == 0, 0))
    pd.testing.assert_frame_equal(trials[list(TRIALS)].astype(float), expected.astype(float), check_exact=False)
    assert bwm.trials.stimulus_side(trials).tolist() == [-1, 1, -1, 0, 1, -1]


def test_an_array_of_the_other_byte_order_is_turned_round(tmp_path):
    swapped = FILES[f"{WHEEL}.timestamps.npy"].astype(">f8")
    session = record(tmp_path, **{f"{WHEEL}.timestamps.npy": swapped, LICKS: np.arange(4, dtype=">i4")})
    assert session.wheel.timestamps.dtype.isnative and np.array_equal(session.wheel.timestamps, swapped)
    assert session.licks.dtype == np.int32


def test_problems_of_what_is_not_on_this_computer_are_not_looked_for(aws_door):
    one = aws_door.connect()
    session = bwm.Session(one=one)
    session.trials  # noqa: B018
    asked = len(aws_door.web.asked)
    assert session.problems.empty and len(aws_door.web.asked) == asked


@pytest.mark.parametrize("values", [np.arange(200_000.0), np.repeat(np.arange(3.0), 70_000), np.zeros(1), np.zeros(0)])
def test_order_is_looked_at_across_parts(values):
    (clock,) = (d for each in datasets.REGISTRY for d in each.datasets if d.path.endswith("drift.times.npy"))
    spikes = datasets.described(f"{SORTING}/spikes.times.npy")
    strictly = bool((np.diff(values) > 0).all())
    assert contracts.breach(spikes, values) == "" and (contracts.breach(clock, values) == "") == strictly
    for i in (1, 2**16 - 1, 2**16, 2**16 + 1, values.size - 1):
        if 0 < i < values.size:
            broken = values.copy()
            broken[i] = -1
            assert contracts.breach(spikes, broken).startswith("is not in order: 1 of its times are earlier")


def test_a_file_that_the_registry_does_not_know_is_taken_as_it_is(tmp_path):
    write(tmp_path / MOUSE.path / "alf/own.values.npy", np.array([3.0, 1, np.nan]))
    session = record(tmp_path)
    assert len(session.files.load("alf/own.values.npy")[0]) == 3
