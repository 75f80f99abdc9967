"""Figures of the wheel and of latencies: their sentences say what is drawn, also where nothing is found."""

import numpy as np
import pandas as pd
import pytest

import bwm_tutorials as bwm
from bwm_tutorials import plots
from bwm_tutorials.analysis import wheel

pytestmark = pytest.mark.usefixtures("stamped")


BINS = [-np.inf, 0, 0.08, 0.2, 1, np.inf]


def stroke(onset, seconds=6.0, amplitude=0.3):
    """A wheel that rests, turns once, and rests: edges as the encoder gives them."""
    times = np.arange(0, seconds, 0.0005)
    along = np.clip((times - onset) / 0.2, 0, 1)
    ticks = np.round(amplitude * along**2 * (3 - 2 * along) / wheel.RESOLUTION)
    at = np.append(0, np.flatnonzero(np.diff(ticks)) + 1)
    return {"timestamps": np.append(times[at], seconds), "position": np.append(ticks[at], ticks[-1]) * wheel.RESOLUTION}


def of(contrast, rows):
    table = pd.DataFrame(rows, columns=["n_trials", "median", "low", "high"], index=contrast)
    return table.rename_axis("contrast")


# The wheel


def test_wheel_movements_tell_what_the_filter_knew_too_early(said):
    edges = stroke(2.0)
    times, position = wheel.interpolate(**edges)
    intervals, _ = wheel.movements(times, position)
    past = wheel.velocity(times[times <= intervals[0, 0]], position[times <= intervals[0, 0]])
    fig = plots.wheel_movements(edges, times, position, wheel.velocity(times, position), intervals, past)
    words = said()
    assert words.startswith("1 movements, 10 a minute. At this onset") and "most of that came from" in words
    assert fig.axes[1].get_xlim() == pytest.approx((-0.1, 0.12), abs=0.02)
    shown = fig.axes[1].lines[1].get_xdata()  # the edges from near by
    assert (shown[shown < 0].size <= 2) and (shown > 0).sum() > 10


def test_wheel_movements_do_not_say_so_where_it_is_not_so(said):
    edges = stroke(2.0)
    times, position = wheel.interpolate(**edges)
    known = wheel.velocity(times, position)
    plots.wheel_movements(edges, times, position, known, np.array([[2.0, 2.2]]), known[:2101])
    assert "little of that came from the future" in said()


def test_wheel_traces_show_the_liveliest_stretch(said):
    edges = stroke(31.0, seconds=60.0)
    times, position = wheel.interpolate(**edges)
    intervals, _ = wheel.movements(times, position)
    fig = plots.wheel_traces({"a mouse": (times, position, intervals)}, seconds=20)
    assert said() == "a mouse: the 20 s with most movement of 1 minutes."
    assert np.ptp(fig.axes[0].lines[0].get_ydata()) == pytest.approx(0.3, abs=0.01)


def test_traces_of_a_recording_that_is_shorter(said):
    edges = stroke(2.0)
    times, position = wheel.interpolate(**edges)
    plots.wheel_traces({"short": (times, position, wheel.movements(times, position)[0])}, seconds=20)
    assert "short: all 6 s" in said()


# Latencies


def test_latencies_tell_medians_and_how_they_fall(said):
    table = pd.DataFrame({"stimulus to movement": [0.1, 0.2, 0.3], "stimulus to response": [0.5, 0.6, np.nan]})
    curve = of([0, 100], [(20, 0.8, 0.6, 1.0), (20, 0.2, 0.15, 0.3)])
    flat = of([0, 100], [(20, 0.8, 0.5, 1.0), (20, 0.7, 0.4, 0.9)])
    fig = plots.latencies(table, {"stimulus to movement": curve, "stimulus to response": flat})
    assert said() == (
        "Stimulus to movement: median 0.200 s; by contrast 0.80 s at 0 % and 0.20 s at 100 %. Stimulus to response: "
        "median 0.550 s; by contrast 0.80 s at 0 % and 0.70 s at 100 %, which their limits do not tell apart."
    )
    assert [text.get_text() for text in fig.axes[0].get_legend().get_texts()] == list(table)
    assert all("(s)" in ax.get_xlabel() + ax.get_ylabel() for ax in fig.axes)


def test_latencies_of_which_nothing_is_known(said):
    table = pd.DataFrame({"stimulus to response": [np.nan, np.nan]})
    plots.latencies(table, {"stimulus to response": of([], [])})
    assert said() == "Stimulus to response: known in no trial; by contrast there is too little to compare."


def test_early_movements_are_counted_and_held_against_half(said):
    rng = np.random.default_rng(1)
    latency = pd.Series(np.repeat([-0.05, 0.05, 0.15, 3.0], 50), name="stimulus to movement")
    bins = pd.cut(latency, BINS)
    coin = rng.permutation(np.arange(200) % 2)
    first = np.where(latency < 0.08, coin, 1)
    curves = {"rewarded": bwm.trials.proportions(np.ones(200), bins), "towards": bwm.trials.proportions(first, bins)}
    fig = plots.early_movements(latency, curves)
    words = said()
    assert "of 200, 50 % are below 80 ms, 25 % below 0, 25 % above 2 s" in words
    assert "Rewarded: 100 % of 100 (more than half) below 80 ms, and 100 % of 100 (more than half) above." in words
    n = int(coin[:100].sum())
    assert f"Towards: {n} % of 100 (not told apart from half) below 80 ms" in words
    labels = [text.get_text() for text in fig.axes[1].get_xticklabels()]
    assert labels == ["< 0", "0–80", "80–200", "> 1000"]


def test_no_early_movements(said):
    latency = pd.Series([0.3, 0.4, np.nan], name="stimulus to response")
    curve = bwm.trials.proportions([1, 0, 1], pd.cut(latency, BINS))
    plots.early_movements(latency, {"rewarded": curve})
    assert said() == (
        "Stimulus to response: of 2, 0 % are below 80 ms, 0 % below 0, 0 % above 2 s. "
        "Rewarded: 50 % of 2 (not told apart from half) above."
    )


def test_changes_of_mind_and_vigour_with_and_without_an_effect(said):
    changes = bwm.trials.proportions(
        np.r_[np.ones(30), np.zeros(70), np.ones(2), np.zeros(98)], np.repeat([0, 100], 100)
    )
    same = of([0, 100], [(20, 1.4, 1.2, 1.6), (20, 1.5, 1.3, 1.7)])
    plots.changes_and_vigour(changes, same)
    assert said() == (
        "Changes of mind: 30 % at 0 % and 2 % at 100 %. "
        "Peak speed: 1.4 rad/s at 0 % and 1.5 rad/s at 100 %, which their limits do not tell apart."
    )


# Trials side by side


def test_trial_panels_say_what_the_table_says(session, said):
    table = bwm.trials.select(session.trials, outcome="rewarded").iloc[:3]
    fig = plots.trial_panels(table, session.wheel, session.licks)
    words = said()
    assert len(fig.axes) == 3 and words.count("Trial ") == 3 and words.count(", rewarded.") == 3
    for ax, (number, trial) in zip(fig.axes, table.iterrows(), strict=True):
        latency = 1000 * (trial["firstMovement_times"] - trial["stimOn_times"])
        assert f"first movement at {latency:.0f} ms".replace("-", "−") in words
        assert ax.get_title().startswith(f"trial {number}: ")
        report = "left" if trial["choice"] == 1 else "right"
        end = trial["response_times"] - trial["stimOn_times"]
        trace = next(line for line in ax.lines if len(line.get_xdata()) > 2)
        turned = np.interp(end, *trace.get_data())
        assert f"reported {report}" in ax.get_title() and (turned < 0) == (report == "left")


@pytest.mark.parametrize("outcome", ["rewarded", "not rewarded", "no choice"])
def test_trial_panels_of_any_outcome(session, outcome, said):
    plots.trial_panels(bwm.trials.select(session.trials, outcome=outcome).iloc[:1], session.wheel)
    assert {"no choice": "made no choice"}.get(outcome, outcome) in said()


def test_trial_panels_with_the_seven_columns_of_a_training_session(real, said):
    fig = plots.trial_panels(bwm.trials.select(real.trials).iloc[:2])
    assert len(fig.axes) == 2 and "first movement" not in said()


def test_a_response_before_the_stimulus_is_drawn_where_it_is(real_data, said):
    (eid,) = bwm.connect(real_data).search(subject="NYU-11")
    first = bwm.Session(eid, bwm.connect(real_data)).trials.iloc[:1]
    fig = plots.trial_panels(first)
    low, high = fig.axes[0].get_xlim()
    assert low < -0.362 and high > 0 and "first movement at −362 ms, reported right at −73 ms" in said()


def test_a_trial_of_which_only_the_stimulus_has_a_time(session, said):
    trial = session.trials.iloc[[3]].assign(firstMovement_times=np.nan, response_times=np.nan)
    plots.trial_panels(trial, session.wheel)
    assert said().startswith("Trial 3: 12.5 % on the right; reported left")
