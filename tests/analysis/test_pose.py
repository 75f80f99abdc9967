"""Pose: clocks, points, licks, pupil and speeds, against IBL's own functions and against what was put in."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers.sessions import of_subject
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import spearmanr

import bwm_tutorials as bwm
from bwm_tutorials.analysis import pose, responses
from bwm_tutorials.errors import MissingDataset
from bwm_tutorials.paths import ROOT
from bwm_tutorials.recordings.datasets import CAMERAS

LESSON = ROOT / "notebooks" / "07_pose.py"


@pytest.fixture(scope="module")
def ibl():
    return pytest.importorskip("brainbox.behavior.dlc")


@pytest.fixture(scope="module")
def left(session):
    return session.pose("left")


@pytest.fixture(scope="module")
def right(session):
    return session.pose("right", keypoints=["paw_l", "paw_r"])


def track(times, x, y=0.0, likelihood=1.0):
    return pd.DataFrame({"times": times, "paw_r_x": x, "paw_r_y": y, "paw_r_likelihood": likelihood}, dtype=float)


# Clocks.


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("more", [0, 7])
def test_times_without_a_frame_are_the_first(session, left, more):
    loader = pytest.importorskip("brainbox.io.one").SessionLoader(one=session.one, eid=session.eid)
    times = np.append(left["times"].iloc[0] - np.arange(more, 0, -1) / 60, left["times"])
    theirs, _ = loader._check_video_timestamps("left", times, left)
    ours = pose.frame_times(times, len(left))
    assert np.array_equal(ours, theirs) and np.array_equal(ours, left["times"])


def test_fewer_times_than_frames_are_refused():
    with pytest.raises(ValueError, match="9 times for 10 frames"):
        pose.frame_times(np.arange(9.0), 10)
    assert pose.frame_times(np.arange(9.0), 0).size == 0


@pytest.mark.parametrize("camera, rate, dropped", [("left", 60.13, 0), ("right", 150.77, 16), ("body", 30.06, 0)])
def test_the_clock_of_each_camera(session, camera, rate, dropped):
    clock = pose.clock(session.pose(camera, keypoints="tail_start" if camera == "body" else "paw_r")["times"])
    assert clock["rate (Hz)"] == pytest.approx(rate, abs=0.005) and clock["dropped"] == dropped
    seconds = clock["last (s)"] - clock["first (s)"]
    assert (clock["frames"] - 1 + dropped) / clock["rate (Hz)"] == pytest.approx(seconds, abs=0.2)


@given(st.sets(st.integers(1, 98), max_size=40))
def test_dropped_frames_are_counted(lost):
    times = np.delete(np.arange(100) / 150, sorted(lost))
    assert pose.clock(times)["dropped"] == len(lost) or np.median(np.diff(times)) > 1.5 / 150


# Points.


@pytest.mark.parametrize("threshold", [0, 0.5, 0.9, 1])
def test_the_filter_takes_away_what_brainbox_does_and_leaves_the_table_alone(ibl, left, threshold):
    before = left.head(5000).copy()
    ours = pose.likelihood_filter(before, threshold)
    pd.testing.assert_frame_equal(before, left.head(5000))
    theirs = ibl.likelihood_threshold(before.drop(columns="times"), threshold)
    pd.testing.assert_frame_equal(ours.drop(columns="times"), theirs)
    lost = ours.filter(regex="_[xy]$").isna().mean(axis=None)
    assert lost == 0 if threshold == 0 else lost > 0.1
    certain = before.filter(like="likelihood").eq(1).mean(axis=None)
    assert threshold < 1 or lost == pytest.approx(1 - certain)


@pytest.mark.parametrize("threshold", [-0.1, 1.01, 90, np.nan])
def test_the_filter_refuses_what_is_no_likelihood(left, threshold):
    with pytest.raises(ValueError, match="between 0"):
        pose.likelihood_filter(left.head(3), threshold)


def test_one_threshold_is_not_the_same_for_another_tracker(session, right):
    nose = {t: session.pose("right", t, "nose_tip") for t in ("dlc", "lightningPose")}
    kept = {t: pose.likelihood_filter(table)["nose_tip_x"].notna().mean() for t, table in nose.items()}
    assert kept["dlc"] > 0.98 and kept["lightningPose"] < 0.1


def test_cameras_agree_in_common_pixels(session, left):
    right = session.pose("right", keypoints=["nose_tip", "tube_top"])
    big, small = pose.common_pixels(left, "left"), pose.common_pixels(right, "right", mirrored=True)
    for point in ("nose_tip", "tube_top"):
        for axis in "xy":
            assert big[f"{point}_{axis}_common"].median() == pytest.approx(
                small[f"{point}_{axis}_common"].median(), abs=0.5
            )
    assert right["tube_top_x"].median() > 320 > small["tube_top_x_common"].median(), (
        "the file has the picture as it was filmed"
    )
    assert left["tube_top_x"].median() == pytest.approx(2 * big["tube_top_x_common"].median())
    pd.testing.assert_series_equal(big["paw_r_x_ens_var"], left["paw_r_x_ens_var"])


# Speed.


@pytest.mark.parametrize("camera", ["left", "right"])
def test_speed_is_that_of_brainbox_but_beside_dropped_frames(ibl, left, right, camera):
    table = {"left": left, "right": right}[camera]
    times = table["times"].to_numpy()
    regular = table.assign(times=np.arange(len(times)) / 150)
    theirs = ibl.get_speed(regular, regular["times"].to_numpy(), camera, "paw_r")
    ours = pose.speed(regular, "paw_r", camera)
    assert_allclose(ours[1:-1], theirs[1:-1], rtol=1e-5, atol=1e-3)
    ours, theirs = pose.speed(table, "paw_r", camera), ibl.get_speed(table, times, camera, "paw_r")
    after = np.flatnonzero(np.diff(times) > 1.5 * np.median(np.diff(times)))
    beside = np.unique(np.concatenate([after, after + 1])) if after.size else after
    usual = np.delete(np.arange(1, len(times) - 1), beside - 1 if beside.size else [])
    # Frames do not come quite regularly: .02 ms of 6.6 or 16.6 ms.
    assert np.corrcoef(ours[usual], theirs[usual])[0, 1] > 0.9999
    assert np.median(np.abs(ours - theirs)[usual] / np.maximum(ours[usual], 1)) < 0.01


def test_a_dropped_frame_does_not_double_the_speed(ibl):
    times = np.delete(np.arange(100) / 150, 50)
    table = track(times, 30 * times)
    assert_allclose(pose.speed(table, "paw_r", "right"), 30)
    # Twice as fast between the frames, and of that a third is left at the times of the frames beside.
    assert ibl.get_speed(table, times, "right", "paw_r").max() == pytest.approx(40)


def test_no_speed_is_below_zero(ibl):
    times = np.arange(5.0)
    table = track(times, [0, 5, 5, 5, 20])
    assert ibl.get_speed(table, times, "right", "paw_r").max() > pose.speed(table, "paw_r", "right").max() == 15
    table = track(times, [0, 0, 5, 5, 5])
    assert ibl.get_speed(table, times, "right", "paw_r").min() < 0 <= pose.speed(table, "paw_r", "right").min()


def test_velocity_has_the_sign_and_speed_the_size():
    times = np.arange(50) / 60
    table = track(times, -120 * times, 90 * times)
    velocity = pose.velocity(table, "paw_r", "left")
    assert_allclose(velocity, np.tile([-60, 45], (50, 1)), atol=1e-9)
    assert_allclose(pose.speed(table, "paw_r", "left"), 75)


def test_speed_is_unknown_beside_a_point_that_was_not_seen():
    times = np.arange(20) / 60
    likelihood = np.ones(20)
    likelihood[10] = 0.1
    table = pose.likelihood_filter(track(times, 6 * times, likelihood=likelihood))
    speed = pose.speed(table, "paw_r", "right")
    assert np.flatnonzero(np.isnan(speed)).tolist() == [9, 10, 11] and np.nanmax(np.abs(speed - 6)) < 1e-9


@pytest.mark.parametrize("camera, paw, correlation", [("left", "paw_r", 0.93), ("right", "paw_l", 0.9)])
def test_paw_speed_is_that_which_was_put_in(session, left, right, camera, paw, correlation):
    table, truth = {"left": left, "right": right}[camera], session.truth.video
    found = np.interp(truth["times"], table["times"], pose.speed(table, paw, camera), left=np.nan, right=np.nan)
    true = pose.speed(truth, "paw_r", "left")
    known = ~np.isnan(found)
    assert np.corrcoef(found[known], true[known])[0, 1] > correlation
    moving = known & (true > 50)
    assert np.median(found[moving] / true[moving]) == pytest.approx(1, abs=0.05)


# Licks and pupil.


def near(times, others):
    after = np.searchsorted(others, times).clip(1, others.size - 1)
    return np.minimum(np.abs(others[after] - times), np.abs(others[after - 1] - times))


@pytest.mark.parametrize("cameras, share", [("both", 0.95), ("left", 0.95), ("right", 0.91)])
def test_licks_are_found_once_each(session, cameras, share):
    frames = session.licks
    if cameras != "both":
        table = session.pose(cameras, keypoints=["tongue_end_l", "tongue_end_r"])
        frames = pose.lick_times(table["times"].to_numpy(), table)
    true, onsets = session.truth.licks["times"].to_numpy(), pose.lick_onsets(frames)
    true = true[(true > 10) & (true < session.truth.video["times"].iloc[-1] - 2)]
    assert (near(true, onsets) < 0.07).mean() > share, "licks that were found"
    assert (near(onsets, true) < 0.07).mean() > share, "of those that were found"
    assert onsets.size == pytest.approx(true.size, rel=0.1) and frames.size > 3 * true.size


def test_no_lick_and_one_lick():
    assert pose.lick_onsets([]).size == 0
    assert pose.lick_onsets([2.0, 2.01, 2.02, 2.2]).tolist() == [2.0, 2.2]


@pytest.mark.filterwarnings("ignore")
def test_signal_to_noise_is_the_ratio_by_which_the_loader_decides(session):
    module = pytest.importorskip("brainbox.io.one")
    loader = module.SessionLoader(one=session.one, eid=session.eid)
    pupil = session.pupil
    ratio = pose.signal_to_noise(pupil["pupilDiameter_smooth"], pupil["pupilDiameter_raw"])
    loader.load_pupil(snr_thresh=ratio - 0.01)
    with pytest.raises(ValueError, match=f"{ratio:.2f}"):
        loader.load_pupil(snr_thresh=ratio + 0.01)
    assert ratio > pose.MIN_SIGNAL_TO_NOISE["left"]


def test_pupil_is_that_which_was_put_in(session, left):
    truth = session.truth.video
    true = np.interp(left["times"], truth["times"], truth["pupil_diameter"])
    off = np.abs(pose.pupil_diameter(left) - true)
    assert np.nanmedian(off) < 0.3 and np.isnan(off).mean() < 0.02


# Frames and trials.


def test_around_an_event_is_the_trace_there_and_nothing_outside():
    times = np.arange(200) / 20
    events = pd.Series([5.0, 0.1, np.nan, 9.8, 50], index=[3, 4, 5, 6, 7])
    found = pose.around(times, 2 * times, events, (-0.3, 0.5), 0.1)
    assert found.index.tolist() == [3, 4, 5, 6, 7] and found.columns[0] == -0.3 and found.columns[-1] == 0.5
    assert_allclose(found.loc[3], 2 * (5 + found.columns))
    assert found.loc[4].isna().tolist() == [True, True] + [False] * 7
    assert found.loc[[5, 7]].isna().all(axis=None)
    assert found.loc[6].notna().sum() == 5
    assert_allclose(found.loc[:, 0.0].dropna(), [10, 0.2, 19.6])


def test_a_gap_in_the_video_is_not_bridged():
    times = np.append(np.arange(0, 5, 0.02), np.arange(6, 10, 0.02))
    found = pose.around(times, np.ones(times.size), [5.5], (-1, 1), 0.1)
    assert found.loc[0].isna().sum() == 10 and found.mean().dropna().eq(1).all()
    means = pose.mean_in_intervals(times, np.ones(times.size), [[4, 4.9], [4, 5.2], [5.2, 5.8], [5.9, 6.4], [6, 7]])
    assert_allclose(means, [1, np.nan, np.nan, np.nan, 1])


@given(st.lists(st.tuples(st.floats(-5, 25), st.floats(0.001, 12)), min_size=1, max_size=20), st.integers(0, 2**31))
def test_mean_in_intervals_is_the_mean_of_the_frames_there(intervals, seed):
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 20, 1500))
    values = np.where(rng.random(times.size) < 0.2, np.nan, rng.normal(size=times.size))
    broken = np.flatnonzero(np.diff(times) > pose.MAX_GAP)
    edges = np.array([(start, start + length) for start, length in intervals])
    for (start, stop), found in zip(edges, pose.mean_in_intervals(times, values, edges), strict=True):
        inside = values[(times >= start) & (times < stop)]
        if start < times[0] or stop > times[-1] or not (~np.isnan(inside)).any():
            assert np.isnan(found)
        elif not any(times[i + 1] >= start and times[i] < stop for i in broken):
            assert found == pytest.approx(np.nanmean(inside), abs=1e-9)


def test_what_was_not_filmed_is_not_rest(session, left):
    speed = pose.speed(left, "paw_r", "left")
    before = np.c_[left["times"].iloc[0] - [3.0, 0.1], left["times"].iloc[0] + [-1, 0.1]]
    assert np.isnan(pose.mean_in_intervals(left["times"], speed, before)).all()


# Units.


def test_rank_correlations_are_spearmans_and_right_in_nothing(session):
    rng = np.random.default_rng(0)
    counts = pd.DataFrame(rng.poisson(3, (40, 300)).astype(float))
    counts.iloc[0] = 5
    movement = rng.normal(size=300)
    counts.iloc[1] = np.round(3 * movement + 10)
    counts.iloc[2, 7], movement[9] = np.nan, np.nan
    orders = bwm.blocks.shuffled_within_blocks(np.repeat([0.5, 0.2, 0.8], 100), 500, seed=2)
    table = responses.rank_correlations(counts, movement, orders)
    known = ~np.isnan(movement) & (np.arange(300) != 7)
    expected = [spearmanr(row[known], movement[known]).statistic for row in counts.iloc[1:].to_numpy()]
    assert_allclose(table["rho"][1:], expected, atol=1e-9)
    assert table.loc[0, "rho"] == 0 and table.loc[0, "p"] == 1
    assert table.loc[1, "p"] == 1 / 501 and table.attrs["n_trials"] == 298
    assert (table["p"][2:] < 0.05).mean() < 0.15
    with pytest.raises(ValueError, match="three trials"):
        responses.rank_correlations(counts, np.full(300, np.nan), orders)


def test_pairs_that_differ_in_choice_alone():
    choice = np.array([1, 1, -1, -1, -1, np.nan])
    assert responses.comparable_pairs(choice) == 6
    assert responses.comparable_pairs(choice, [0, 0, 0, 1, 1, 0]) == 2
    assert responses.comparable_pairs(choice, [0, 0, 1, 1, np.nan, 0]) == 0
    assert responses.comparable_pairs(np.ones(4)) == 0


def test_circular_correlations_find_who_lags_and_agree_with_shifting(session):
    rng = np.random.default_rng(0)
    trace = np.convolve(rng.normal(size=2001), np.hanning(9), "same")
    rates = pd.DataFrame(
        [np.roll(trace, 6), np.roll(trace, -4) + 0.1 * rng.normal(size=2001), np.ones(2001)], [5, 8, 9]
    )
    rho = responses.circular_correlations(trace, rates, 0.05)
    assert rho.loc[5].idxmax() == pytest.approx(0.3) and rho.loc[8].idxmax() == pytest.approx(-0.2)
    assert rho.loc[5].max() == pytest.approx(1) and (rho.loc[9] == 0).all()
    for shift in (-1000, -7, 0, 1000):
        expected = np.corrcoef(np.roll(trace, shift), rates.loc[8])[0, 1]
        assert rho.loc[8, round(shift * 0.05, 9)] == pytest.approx(expected, abs=1e-9)


# Sessions that lack a camera, and the hour of the right one.


def test_get_says_what_is_missing(small_release, capsys):
    filmed = of_subject(small_release, "SIM-006")
    assert filmed.get("pose", "body", keypoints="tail_start") is None
    assert capsys.readouterr().out.startswith("SIM-006 2001-02-26 has no pose('body', 'lightningPose'); it has ")
    assert list(filmed.get("pose", "left", keypoints="paw_r"))[:2] == ["times", "paw_r_x"]


LACKING = {
    "no camera": ("SIM-002", "2001-01-15", {"left", "right", "body"}),
    "a critical video": ("SIM-004", "2001-02-02", {"left", "right", "body"}),
    "no body camera": ("SIM-003", "2001-01-24", {"body"}),
    "times that are more than frames": ("SIM-006", "", {"right", "body"}),
}


@pytest.mark.parametrize("mouse, day, lacks", LACKING.values(), ids=LACKING)
def test_the_lesson_on_sessions_that_lack_a_camera(small_release, mouse, day, lacks, play):
    session = of_subject(small_release, mouse, day)
    text = play(LESSON, SOURCE=str(small_release.cache_dir), EID=session.eid)
    for camera in CAMERAS:
        assert (f"{session.name} has no pose('{camera}', 'lightningPose'); it has" in text) == (camera in lacks)
    assert text.count("not applicable here") == (5 if "left" in lacks else 3 if "right" in lacks else 1)


def test_the_player_wants_a_side_camera(small_release):
    with pytest.raises(MissingDataset, match=r"no pose\('left'"):
        bwm.widgets.pose_player(of_subject(small_release, "SIM-004"))


HOUR = """
import bwm_tutorials as bwm
session = bwm.Session(one=bwm.connect("sample"))
pose = session.pose("right", keypoints=["paw_l", "paw_r"])
bwm.pose.speed(pose, "paw_r", "right"), bwm.pose.common_pixels(bwm.pose.likelihood_filter(pose), "right")
(most,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(len(pose), int(most) / 1e3)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the highest memory of a process is read from Linux")
def test_an_hour_of_the_right_camera_fits_into_memory(sample):
    done = subprocess.run([sys.executable, "-c", HOUR], capture_output=True, text=True, check=True)
    rows, megabytes = map(float, done.stdout.split())
    assert rows > 500_000 and megabytes < 800


def test_no_frames_have_no_licks():
    empty = pd.DataFrame({f"tongue_end_{end}_{what}": [] for end in "lr" for what in ("x", "y", "likelihood")})
    assert pose.lick_times(np.empty(0), empty).size == 0
