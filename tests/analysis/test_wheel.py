"""Wheel movements, against brainbox and IBL's extractors, on simulated and real traces."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bwm_tutorials as bwm
from bwm_tutorials.analysis import wheel
from bwm_tutorials.errors import TooFew

reference = pytest.importorskip("brainbox.behavior.wheel")


@pytest.fixture(scope="module")
def real_wheel():
    one = bwm.connect("real")
    (eid,) = one.search(subject="wheel_excerpt")
    return bwm.Session(eid, one)


@pytest.fixture(params=["simulated", "real"], scope="module")
def recording(request):
    return request.getfixturevalue("session" if request.param == "simulated" else "real_wheel")


def test_interpolation_agrees_with_brainbox(recording):
    times, position = wheel.interpolate(recording.wheel.timestamps, recording.wheel.position)
    their_position, their_times = reference.interpolate_position(
        recording.wheel.timestamps, recording.wheel.position, freq=1000
    )
    assert np.allclose(times, their_times) and np.allclose(position, their_position)


def test_velocity_agrees_with_brainbox(recording):
    times, position = wheel.interpolate(recording.wheel.timestamps, recording.wheel.position)
    theirs, _ = reference.velocity_filtered(position, 1000)
    assert np.allclose(wheel.velocity(times, position)[1:], theirs[1:], atol=1e-9)


def test_movements_agree_with_brainbox(recording):
    times, position = wheel.interpolate(recording.wheel.timestamps, recording.wheel.position)
    intervals, amplitudes = wheel.movements(times, position)
    theirs, peaks = brainbox_movements(times, position)
    assert len(intervals) == len(theirs) > 50
    assert np.allclose(intervals, theirs)
    assert np.allclose(amplitudes, peaks)


def test_stored_movements_are_those_in_the_trace(recording):
    intervals, amplitudes = wheel.movements(*wheel.interpolate(recording.wheel.timestamps, recording.wheel.position))
    assert np.allclose(intervals, recording.wheel_moves.intervals, atol=1e-9)
    assert np.allclose(amplitudes, recording.wheel_moves.peakAmplitude, atol=1e-9)


def brainbox_movements(times, position):
    thresholds = {"pos_thresh": 8 * wheel.RESOLUTION, "pos_thresh_onset": 1.5 * wheel.RESOLUTION}
    onsets, offsets, peaks, _ = reference.movements(times, position, freq=1000, **thresholds)
    return np.c_[onsets, offsets].reshape(-1, 2), peaks


def test_brainbox_leaves_a_last_onset_near_the_end_of_a_batch_undefined():
    # It works through 10,000 samples at a time, refines no onset in the last 201 of them, and stops after the batch
    # that holds the last onset: that row stays what the memory held before. Ours is where the wheel left its place.
    position = np.zeros(12_000)
    position[10_175:] = np.minimum(np.arange(12_000 - 10_175) / 1000, 0.5)
    times = np.arange(position.size) / 1000
    ((onset, _),), _ = wheel.movements(times, position)
    assert np.isclose(onset, 10.177, atol=0.0015)
    assert "onsets_disp_arr = np.empty(" in inspect.getsource(reference.movements), (
        "brainbox was mended: compare longer traces below"
    )


def test_brainbox_misplaces_the_onsets_that_follow_one_between_two_batches():
    # The last sample that one batch refines is 9,798, the first of the next 9,800 (and so on each 9,800 samples). An
    # onset at 9,799 is refined by neither, so each later onset is placed by the movement after it. A thousand
    # movements an hour: one recording in ten. Ours moves every onset alike when the whole trace moves.
    def trace(shift):
        position = np.zeros(30_000)
        for start, speed in ((9_950, 0.5), (15_000, 2.0), (20_000, 0.05), (25_000, 3.0)):
            position += np.clip((np.arange(30_000) - start - shift) * speed / 1000, 0, 0.5)
        return np.arange(30_000) / 1000, position

    at_rest, _ = wheel.movements(*trace(0))
    unlike = []
    for shift in range(40):
        intervals, _ = wheel.movements(*trace(shift))
        assert np.allclose(intervals, at_rest + shift / 1000)
        if not np.allclose(intervals, brainbox_movements(*trace(shift))[0]):
            unlike.append(shift)
    assert len(unlike) == 1
    theirs, _ = brainbox_movements(*trace(unlike[0]))
    assert np.abs(theirs[:3, 0] - at_rest[:3, 0] - unlike[0] / 1000).max() > 0.02


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.3, 3), st.floats(0.02, 1), st.floats(-1, 1)), max_size=8))
def test_any_trace_gives_brainboxs_movements(turns):
    steps = np.concatenate([np.zeros(300)] + [np.r_[np.zeros(int(g * 1000)), np.full(int(d * 1000), a / 1000 / d)]
                                              for g, d, a in turns] + [np.zeros(400)])  # fmt: skip
    position = np.cumsum(steps)[:9_800]  # see the test above
    times = np.arange(position.size) / 1000
    intervals, amplitudes = wheel.movements(times, position)
    theirs, peaks = brainbox_movements(times, position)
    assert np.allclose(intervals, theirs)
    assert np.allclose(amplitudes, peaks)
    assert (np.diff(intervals.ravel()) > 0).all()


def test_a_wheel_at_rest_has_no_movements():
    intervals, amplitudes = wheel.movements(np.arange(2000) / 1000, np.zeros(2000))
    assert intervals.shape == (0, 2) and amplitudes.shape == (0,)


def test_first_movements_agree_with_ibllib(session):
    extractors = pytest.importorskip("ibllib.io.extractors.training_wheel")
    theirs, _, _ = extractors.extract_first_movement_times(session.wheel_moves, session.trials)
    ours = wheel.first_movement_times(
        session.wheel_moves.intervals,
        session.wheel_moves.peakAmplitude,
        session.trials["goCue_times"].to_numpy(),
        session.trials["feedback_times"].to_numpy(),
    )
    known = session.trials["goCue_times"].notna()
    assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.array_equal(ours[known], session.trials["firstMovement_times"][known], equal_nan=True)


def test_the_wheel_passes_the_threshold_at_the_response_on_the_side_of_the_choice(session):
    table = session.trials[session.trials["choice"] != 0].dropna(subset="goCue_times")
    at = [np.interp(table[name], session.wheel.timestamps, session.wheel.position)
          for name in ("goCue_times", "response_times")]  # fmt: skip
    turned = at[1] - at[0]
    assert (np.sign(turned) == -table["choice"]).mean() > 0.99
    assert np.quantile(np.abs(np.abs(turned) - wheel.THRESHOLD), 0.9) < 4 * wheel.RESOLUTION


def test_constants_are_those_of_ibl():
    assert np.isclose(wheel.RESOLUTION, reference.samples_to_cm(1) / (reference.WHEEL_DIAMETER / 2))
    assert np.isclose(wheel.RADIUS_MM, reference.WHEEL_DIAMETER * 10 / 2)
    assert np.isclose(wheel.THRESHOLD, 0.282, atol=5e-4)


# ------------------------------------------------------------------------------------------- velocity knows its future


def test_velocity_knows_the_future_and_is_shifted_neither_way():
    step = np.zeros(2001)
    step[1000:] = 0.1
    velocity = wheel.velocity(np.arange(2001) / 1000, step)
    assert np.abs(velocity[:990]).max() > 0.1, "before anything moved"
    assert np.argmax(velocity) == 1000
    assert np.allclose(velocity[1:2000], velocity[1999:0:-1], atol=1e-6), "as much before as after"


def test_the_past_alone_gives_no_velocity_before_the_onset(session):
    times, position = wheel.interpolate(session.wheel.timestamps, session.wheel.position)
    velocity = wheel.velocity(times, position)
    fast = bwm.trials.select(session.trials, contrast=100, outcome="rewarded", timing="in time")
    whole, past = [], []
    for onset in fast["firstMovement_times"]:
        n = np.searchsorted(times, onset, side="right")
        whole.append(np.abs(velocity[n - 10]))
        past.append(np.abs(wheel.velocity(times[:n], position[:n])[-10]))
    assert np.median(past) < 0.3 * np.median(whole)


# -------------------------------------------------------------------------------------------- between two times


def first_and_response(session):
    return session.trials["firstMovement_times"], session.trials["response_times"]


def test_the_wheel_falls_to_the_left_and_rises_to_the_right(session):
    turned = wheel.displacement(
        session.wheel.timestamps,
        session.wheel.position,
        session.trials["stimOn_times"],
        session.trials["response_times"],
    )
    side = bwm.trials.chosen_side(session.trials)
    known = ~np.isnan(turned) & (side != 0)
    assert (np.sign(turned[known]) == side[known]).mean() > 0.99
    assert np.isnan(turned).sum() == session.trials["stimOn_times"].isna().sum()


steps = st.lists(st.integers(-3, 3), min_size=3, max_size=40)


def any_wheel(turns):
    return np.arange(len(turns)) / 10, np.cumsum(turns) * wheel.RESOLUTION


@given(steps, st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_displacements_add_up_and_change_sign(turns, a, b, c):
    edges = any_wheel(turns)
    whole = wheel.displacement(*edges, [a, b, a], [b, c, c])
    assert np.isclose(whole[0] + whole[1], whole[2])
    assert np.allclose(wheel.displacement(*edges, [b], [a]), -whole[0])
    assert np.isnan(wheel.displacement(*edges, [np.nan], [a]))


@given(steps, st.floats(0, 3), st.floats(0, 3), st.sampled_from([-1, 1]))
def test_turns_against_a_side(turns, start, length, side):
    times, position = any_wheel(turns)
    stop = start + length
    (against,) = wheel.turn_against(times, position, [start], [stop], [side])
    fine = np.unique(np.concatenate([np.linspace(start, stop, 50), times[(times >= start) & (times <= stop)]]))
    path = np.interp(fine, times, position) - np.interp(start, times, position)
    assert np.isclose(against, max(0, (-side * path).max()))
    (mirrored,) = wheel.turn_against(times, -position, [start], [stop], [-side])
    assert against == mirrored
    (net,) = wheel.displacement(times, position, [start], [stop])
    assert against >= -side * net - 1e-12


def test_no_side_and_no_time_give_no_turn():
    edges = np.array([0.0, 1, 2]), np.array([0.0, 1, 0])
    found = wheel.turn_against(*edges, [0, 0, np.nan, 0], [2, 2, 2, np.nan], [-1, 0, 1, 1])
    assert np.array_equal(found, [1, np.nan, np.nan, np.nan], equal_nan=True)


def test_changes_of_mind_are_where_brainbox_finds_the_wheel_change_direction(session):
    times, position = wheel.interpolate(session.wheel.timestamps, session.wheel.position)
    start, stop = first_and_response(session)
    side = bwm.trials.chosen_side(session.trials)
    against = wheel.turn_against(session.wheel.timestamps, session.wheel.position, start, stop, side)
    known = ~np.isnan(against)
    changes, _ = reference.direction_changes(times, wheel.velocity(times, position), np.c_[start, stop][known])
    turns = np.array([len(found) for found in changes])
    changed = against[known] > 0.05
    assert changed.sum() > 30 and (turns[changed] > 0).all()
    assert (turns[~changed] == 0).mean() > 0.5


def test_peak_speed_is_the_highest_in_between(session):
    times, position = wheel.interpolate(session.wheel.timestamps, session.wheel.position)
    velocity = wheel.velocity(times, position)
    theirs, _ = reference.velocity_filtered(position, 1000)
    start, stop = first_and_response(session)
    found = wheel.peak_speed(times, velocity, start, stop)
    for trial in np.flatnonzero(start.notna())[::50]:
        within = (times >= start[trial]) & (times < stop[trial])
        assert np.isclose(found[trial], np.abs(theirs[within]).max())
    assert np.array_equal(np.isnan(found), start.isna())
    assert np.isnan(wheel.peak_speed(times, velocity, [5.0], [5.0]))


def test_first_movements_of_any_size_are_those_put_in(session):
    table, truth = session.trials, session.truth.trials
    stimulus, feedback = table["stimOn_times"].to_numpy(), table["feedback_times"].to_numpy()
    movements = wheel.movements(*wheel.interpolate(session.wheel.timestamps, session.wheel.position))
    found = wheel.first_movement_times(*movements, stimulus, feedback, min_quiescence=0.4, min_amplitude=0)
    off = np.abs(found - truth["movement_onset"].to_numpy())
    assert np.nanmedian(off) < 0.01 and np.nanmean(off < 0.1) > 0.95


def test_a_wheel_that_is_too_short_is_said_in_one_sentence():
    for n in (0, 1):
        with pytest.raises(TooFew, match=f"no samples at two times, but {n} in all"):
            wheel.interpolate(np.zeros(n), np.zeros(n))
        with pytest.raises(TooFew, match=f"two samples or more; here are {n}"):
            wheel.movements(np.zeros(n), np.zeros(n))
    grid = np.arange(28) / 1000
    with pytest.raises(TooFew, match="more than 27 samples of the wheel; here are 27"):
        wheel.velocity(grid[:27], np.zeros(27))
    assert wheel.velocity(grid, np.zeros(28)).tolist() == [0] * 28
