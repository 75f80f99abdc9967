"""Figures of neural responses say what was computed, and the explorer draws what its handles ask for."""

import numpy as np
import pandas as pd
import pytest

import bwm_tutorials as bwm
from bwm_tutorials import plots

pytestmark = pytest.mark.usefixtures("stamped")


@pytest.fixture(scope="module")
def spikes(probe):
    return probe.good_spikes


@pytest.fixture(scope="module")
def feedback(session):
    return session.trials["feedback_times"]


def test_raster_shows_the_spikes_that_the_rate_averages(spikes, feedback, said):
    unit = int(spikes["clusters"][0])
    aligned = bwm.spikes.aligned(spikes, unit, feedback)
    rates = bwm.spikes.peth(spikes, feedback, units=[unit])
    above, below = plots.raster(aligned, rates, unit).axes
    assert (
        said() == f"{len(aligned)} spikes of unit {unit}, −0.2 to 0.5 s from the feedback, in {rates.n_trials} trials."
    )
    assert len(above.lines[0].get_xdata()) == len(aligned)
    assert below.lines[0].get_ydata().sum() * 0.01 * rates.n_trials == pytest.approx(len(aligned))


def test_rates_say_where_they_are_highest(spikes, session, feedback, said):
    unit = int(spikes["clusters"][0])
    outcome = session.trials["feedbackType"].map({1: "reward", -1: "none"}).rename("feedback")
    rates = bwm.spikes.peth(spikes, feedback, units=[unit], condition=outcome)
    fig = plots.rates_around([rates, bwm.spikes.smoothed(rates, 0.02)], unit)
    highest = rates.mean.stack()
    (label, _), time = highest.idxmax()[:2], highest.idxmax()[2]
    first = said().split(" Unit ")[0]
    assert (
        f"highest {highest.max():.1f} Hz, {time:+.3f} s from it where feedback is {label};".replace("-", "−") in first
    )
    assert all(ax.get_ylim()[0] == 0 for ax in fig.axes)
    assert [text.get_text() for text in fig.axes[0].get_legend().get_texts()] == ["none", "reward"]


def test_alignments_put_each_unit_where_it_changes_most(said):
    bins = pd.Index(np.round(np.arange(-0.45, 0.5, 0.1), 2), name="time")
    flat = pd.DataFrame(5.0, pd.Index([3, 7], name="cluster"), bins)
    late = flat.copy()
    late.loc[7, 0.25] = 50.0
    early = flat.copy()
    early.loc[3, -0.25] = 50.0
    peths = {
        name: bwm.spikes.Peth(mean, mean * np.nan, 9, name, (-0.5, 0.5), 0.1)
        for name, mean in (("stimulus", early), ("feedback", late))
    }
    fig = plots.alignments(peths)
    assert said() == "Of 2 units, so many are farthest from their mean in the panel of: stimulus 1, feedback 1."
    assert [ax.get_xlabel() for ax in fig.axes[:2]] == ["time from stimulus (s)", "time from feedback (s)"]


def test_responsive_counts_what_was_found_and_what_was_put_in(spikes, session, probe, said):
    table = bwm.responses.responsive_units(spikes, session.trials["stimOn_times"], (0.03, 0.13), (-0.1, 0.0))
    knows = probe.truth["stimulus_gain"] != 0
    plots.responsive(table, probe.clusters["acronym"], knows)
    found = table["p_adjusted"] < 0.05
    text = said()
    assert text.startswith(f"{(table['p'] < 0.05).sum()} of {len(table)} units have p below .05")
    assert f"{found.sum()} are left when corrected (Benjamini-Hochberg)." in text
    assert f"Of these {(found & knows.reindex(table.index)).sum()} respond by construction" in text
    _, right = plots.responsive(table, probe.clusters["acronym"]).axes
    assert sum(bar.get_width() for bar in right.containers[1]) == found.sum()
    assert "construction" not in said()


@pytest.mark.parametrize("known, n", [(True, 50), (False, 9)])
def test_the_answer_counts_what_was_found_and_what_of_it_was_put_in(known, n, session, said):
    trials, units = session.trials, session.good_units(probe="probe01")
    found, window = session.insertions[1].good_spikes, (-0.1, 0.05)
    asked = bwm.questions.variable(trials, "choice")
    events = bwm.questions.kept_events(trials, "firstMovement_times")
    ids = units.loc["probe01"].index
    counts = bwm.spikes.counts_in_intervals(found, bwm.spikes.around(events, window), ids)
    table = bwm.responses.selectivity(pd.concat({"probe01": counts}, names=["probe"]), asked.values)[:n]
    rates = bwm.spikes.peth(found, events, units=ids[:1], condition=asked.values)
    knows = bwm.questions.put_in(session.truth.units, "choice") if known else None
    fig = plots.answer("Naive", table, units["acronym"], knows, (rates, "probe01", ids[0]))
    knows = knows.reindex(table.index) if known else None
    text, flagged = said(), table["p_adjusted"] < 0.05
    assert text.startswith(
        f"Naive: {(table['p'] < 0.05).sum()} of {len(table)} units have p below .05, where {len(table) / 20:.0f}"
    )
    put_in = "put in: unknown"
    if known:
        put_in = f"{(flagged & knows).sum()} of them among the {knows.sum()} that know it at any time"
    left, right = (asked.values[list(table.attrs["trials"])] == side for side in ("left", "right"))
    assert f"({min(left.sum(), right.sum())} of the value that is rarer among those alike)" in text
    assert text.endswith(
        "null: 2000 shuffles of all trials." if n > 9 else f"Only {n} units: a share of so few says little."
    )
    assert f"{flagged.sum()} are left when corrected ({100 * flagged.mean():.0f} %; {put_in})." in text
    one, every, where = fig.axes
    assert (
        one.get_title().startswith(f"probe01 unit {ids[0]}") and every.get_xlabel() == "P(more spikes: right than left)"
    )
    assert sum(line.get_xdata().size for line in every.lines if line.get_marker() in "oD") == len(table)
    assert sum(bar.get_width() for bar in where.containers[1]) == flagged.sum()
    assert [patch.get_x() for patch in one.patches] == [window[0]]
    assert fig.get_suptitle() == "Naive"
    without = plots.answer("Naive", table, units["acronym"], knows)
    assert said() == text and [ax.get_xlabel() for ax in without.axes] == [ax.get_xlabel() for ax in (every, where)]


def test_p_values_say_how_many_are_small(said):
    plots.p_values(
        {"right": pd.Series(np.linspace(0.005, 0.995, 100)), "naive": pd.Series(np.full(50, 0.01))}, "nothing"
    )
    assert said().startswith("right: p below .05 in 5 of 100 (5 %); naive: p below .05 in 50 of 50 (100 %).")
    table = pd.DataFrame({"p": np.linspace(0.005, 0.995, 100), "p_adjusted": [0.04] * 2 + [1.0] * 98})
    plots.p_values({"ours": table}, "nothing")
    assert said().startswith("ours: p below .05 in 5 of 100 (5 %), corrected in 2.")


def test_trajectories_say_when_they_part(said):
    time = pd.Index([-0.1, 0.0, 0.1], name="time")
    one = pd.DataFrame({0: [0.0, 0, 0], 1: [0.0, 0, 0]}, time)
    other = one.copy()
    other.loc[0.1, 0] = 3.0
    plots.trajectories({"left": one, "right": other})
    assert said() == "left, right: farthest apart +0.10 s from the event."


def test_the_explorer_draws_what_its_handles_ask_for(session, probe, said):
    widget = bwm.widgets.peth_explorer(session, probe)
    *handles, picture, words, _ = widget.children
    handle = {each.description: each for each in handles}
    before = picture.value
    handle["unit"].index, handle["event"].value = 3, "feedback_times"
    handle["by"].value, handle["bin (s)"].value = "feedback", 0.05
    assert picture.value != before
    unit = handle["unit"].value
    outcome = session.trials["feedbackType"].map({1: "reward", -1: "no reward"}).rename("feedback")
    rates = bwm.spikes.peth(probe.good_spikes, session.trials["feedback_times"], (-0.4, 0.6), 0.05, [unit], outcome)
    plots.rates_around([rates], unit)
    assert " ".join(words.value.split()) == said()
    for by in handle["by"].options:
        handle["by"].value = by
        assert words.value.startswith(f"Unit {unit} around the feedback")
