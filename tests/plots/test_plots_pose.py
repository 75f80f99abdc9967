"""Figures of pose say what was computed, and the player draws what its handles ask for."""

import io

import numpy as np
import pandas as pd
import pytest
from helpers.sessions import of_subject

import bwm_tutorials as bwm
from bwm_tutorials import plots
from bwm_tutorials.analysis import pose, responses

pytestmark = pytest.mark.usefixtures("stamped")


@pytest.fixture(scope="module")
def left(session):
    return session.pose("left", keypoints=list(plots.pose.POINTS))


@pytest.fixture(scope="module")
def trial(session):
    return session.trials.iloc[10]


def test_the_frame_nearest_to_each_moment_is_drawn(session, probe, left, trial, said):
    fig = plots.trial_pose(left, trial, [-0.2, 0.3, 1.0], wheel=session.wheel, spikes=probe.good_spikes)
    text = said()
    for ax, moment in zip(fig.axes[:3], (-0.2, 0.3, 1.0), strict=True):
        frame = int((left["times"] - trial["stimOn_times"] - moment).abs().argmin())
        expected = left.loc[frame, ["paw_r_x", "paw_r_y"]] / 2
        paw = [line for line in ax.lines if line.get_color() == plots.style.BLUE and len(line.get_xdata()) == 1]
        assert np.ravel(paw[0].get_data()) == pytest.approx(expected.to_numpy())
        assert ax.get_ylim()[0] > ax.get_ylim()[1], "y points downwards"
        seen = left.loc[frame, ["tongue_end_l_likelihood", "tongue_end_r_likelihood"]].min() >= 0.9
        assert f"frame {frame}, tongue {'seen' if seen else 'not seen'}" in text
    assert len(fig.axes) == 5 and fig.axes[-1].get_xlabel() == "time from stimulus onset (s)"
    assert len(plots.trial_pose(left, trial, [0.1]).axes) == 1


def test_what_is_unlikely_is_hollow(left, trial):
    doubted = left.assign(paw_r_likelihood=0.5)
    faces = []
    for table in (left, doubted):
        (paw,) = (line for line in plots.trial_pose(table, trial, [0]).axes[0].lines
                  if line.get_color() == plots.style.BLUE)  # fmt: skip
        faces.append(paw.get_markerfacecolor())
    assert faces == [plots.style.BLUE, "none"]


def test_the_right_camera_is_drawn_as_it_was_tracked(session, left, trial):
    right = session.pose("right", keypoints=list(plots.pose.POINTS))
    places = []
    for camera, table in (("left", left), ("right", right)):
        ax = plots.trial_pose(table, trial, [0], camera).axes[0]
        (nose,) = (line for line in ax.lines if line.get_marker() == "^")
        places.append(np.ravel(nose.get_data()))
    assert places[0] == pytest.approx(places[1], abs=6), "the nose is on the left in both"


def test_a_trial_that_was_not_filmed_is_refused(left, trial):
    for name, when, message in (("stimOn_times", np.nan, "no time"), ("stimOn_times", 0.5, "did not film trial 10")):
        with pytest.raises(ValueError, match=message):
            plots.trial_pose(left, trial.copy().replace({trial[name]: when}), [0])


def test_licks_say_how_many_of_either(session, said):
    trials, frames = session.trials, session.licks
    onsets = pose.lick_onsets(frames)
    outcome = trials["feedbackType"].map({1: "reward", -1: "no reward"}).rename("feedback")
    counted = {
        name: bwm.spikes.peth(
            {"times": times, "clusters": np.zeros(len(times), int)}, trials["feedback_times"], (-0.5, 2), 0.05,
            condition=outcome,
        )
        for name, times in (("lick times", frames), ("licks", onsets))
    }  # fmt: skip
    reward = trials.loc[trials["feedbackType"] == 1, "feedback_times"].iloc[3]
    fig = plots.licks(frames, onsets, counted, reward)
    rate = counted["licks"].mean.loc["reward"].loc[0]
    expected = rate[(rate.index > 0.2) & (rate.index < 0.7)].mean()
    assert f"a second after no reward, {expected:.1f} a second after reward" in said()
    near = onsets[(onsets > reward - 0.1) & (onsets < reward + 0.9)]
    assert f"{near.size} licks" in [text.get_text() for text in fig.axes[0].texts]


def test_paw_and_wheel_tell_apart_what_differs(said):
    times = pd.Index(np.arange(-10, 21) / 50, name="time")
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(rng.normal(size=(200, 31)), columns=times)
    choice = pd.Series(np.repeat([1.0, -1.0], 100))
    fig = plots.paw_and_wheel({"same (px/s)": noise, "other (rad/s)": noise.add(-9 * choice, axis=0)}, choice)
    text = said()
    assert text.endswith("other (rad/s) 0.00.")
    assert 0.4 < float(text.split("same (px/s) ")[1].split(";")[0]) < 0.6
    assert [ax.get_ylabel() for ax in fig.axes] == ["same (px/s)", "other (rad/s)"]


def test_choice_at_equal_movement_counts_what_was_found_put_in_and_cannot_be_asked(said):
    units = pd.Index([1, 2, 3, 4], name="cluster")
    tests = {
        "all": pd.DataFrame({"p_adjusted": [0.01, 0.01, 0.01, 0.5]}, units),
        "equal": pd.DataFrame({"p_adjusted": [0.01, 0.5, 0.5, 0.5]}, units),
    }
    pairs = {"all": 100, "equal": 7, "equal velocity": 0}
    fig = plots.choice_at_equal_movement(tests, pairs, pd.Series([True, True, False, True], units))
    assert said() == (
        "Units of 4 that tell the choice, corrected: all 3; equal 1; equal velocity cannot be asked. 3 know it by "
        "construction; of these 2 are found in the first row and 1 in the last."
    )
    assert "  no pair of trials" in [text.get_text() for text in fig.axes[0].texts]
    plots.choice_at_equal_movement(tests, pairs)
    assert "construction" not in said()


def test_trackers_are_held_against_what_was_put_in_where_that_is_known(said):
    times = np.arange(100) / 60
    tracks = {"dlc": (times, times), "lightningPose": (times, times)}
    errors = {"dlc": np.r_[np.ones(98), 50, 50], "lightningPose": np.full(100, 0.5)}
    fig = plots.trackers(tracks, "x (px)", errors)
    assert "dlc 1.00 px in the median, above 20 px in 2.00 % of frames; lightningPose 0.50" in said()
    assert len(fig.axes) == 2
    assert len(plots.trackers(tracks, "x (px)", {}).axes) == 1
    assert "unknown" in said()


def test_arousal_says_how_it_changed(said):
    times = pd.Index(np.arange(-50, 150) / 50, name="time")
    rise = pd.DataFrame(np.tile(np.where(times > 0, 2.0, 0), (10, 1)), columns=times)
    plots.arousal({"pupil (px)": rise}, pd.Series(["reward"] * 5 + ["no reward"] * 5))
    assert said().endswith("+2.00 after no reward, +2.00 after reward.")


def test_lags_say_who_comes_first_and_how_wide_the_null_is(said):
    rng = np.random.default_rng(1)
    trace = np.convolve(rng.normal(size=4000), np.ones(20), "same")
    rates = pd.DataFrame([np.roll(trace, 4) + rng.normal(size=4000), rng.normal(size=4000)], [7, 9])
    rho = responses.circular_correlations(trace, rates, 0.05)
    plots.lags(rho, 7, 20, pd.Series([0.001, 0.6]))
    text = said()
    assert "at a lag of +0.20 s" in text
    assert "1 of 2 units have p below .05 (50 %)" in text


# The player


@pytest.fixture
def player(session, probe):
    widget = bwm.widgets.pose_player(session, probe)
    *handles, picture, words, _ = widget.children
    return {handle.description: handle for handle in handles}, picture, words


def test_the_player_draws_what_the_plain_function_draws(session, probe, left, player, capsys):
    handles, picture, words = player
    before = picture.value
    handles["trial"].value, handles["time (s)"].value = 12, 0.5
    assert picture.value != before
    expected = io.BytesIO()
    figure = plots.trial_pose(left, session.trials.loc[12], [0.5], "left", session.wheel, probe.good_spikes)
    figure.savefig(expected, bbox_inches="tight")
    assert picture.value == expected.getvalue()
    assert " ".join(words.value.split()) == " ".join(capsys.readouterr().out.split())


def test_the_player_offers_the_trials_that_were_filmed(session, small_release, player):
    handles, _, _ = player
    shown = list(handles["trial"].options)
    assert not session.trials["stimOn_times"].loc[shown].isna().any() and len(shown) > 440
    trial, _, picture, words, _ = bwm.widgets.pose_player(of_subject(small_release, "SIM-006")).children
    assert len(picture.value) > 1000 and words.value.startswith(f"Trial {trial.value}. ")
