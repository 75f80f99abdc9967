"""Figures of the passive protocol say what was computed, and the browser draws what its handles ask for."""

import numpy as np
import pandas as pd
import pytest

import bwm_tutorials as bwm
from bwm_tutorials import plots

pytestmark = pytest.mark.usefixtures("stamped")


@pytest.fixture(scope="module")
def flashes(session):
    return bwm.passive.flashes(session.passive.rf_times, session.passive.rf_frames)


@pytest.fixture(scope="module")
def counts(probe, flashes):
    return bwm.spikes.counts_in_intervals(probe.good_spikes, bwm.spikes.around(flashes["time"], (0.05, 0.25)))


@pytest.fixture(scope="module")
def maps(counts, flashes):
    return bwm.passive.rf_maps(counts, flashes)


@pytest.fixture(scope="module")
def chance(counts, flashes):
    return bwm.passive.best_by_chance(counts, flashes, n=200)


@pytest.fixture(scope="module")
def fields(maps, chance):
    return bwm.passive.receptive_fields(maps, chance)


def test_the_protocol_has_its_parts_in_minutes(session, said):
    passive = session.passive
    events = bwm.passive.replayed(passive)
    fig = plots.passive_protocol(passive.intervals, events, passive.rf_frames[0])
    lasts = (passive.intervals.loc["stop"] - passive.intervals.loc["start"]) / 60
    text = said()
    assert text.startswith(f"spontaneous activity {lasts['spontaneousActivity']:.1f} min; receptive fields")
    assert "179 gabors, 40 openings of the valve" in text
    assert len(fig.axes[0].lines[0].get_xdata()) == 179
    assert [*fig.axes[1].images[0].get_extent()] == [-60, 60, -60, 60]


def test_a_protocol_without_stimuli(session, said):
    intervals = session.passive.intervals.copy()
    intervals[["RFM", "taskReplay"]] = np.nan
    plots.passive_protocol(intervals)
    assert said() == "spontaneous activity 5.0 min. No replay is recorded."


def test_maps_have_rows_downwards_and_say_where_they_are_brightest(maps, fields, said):
    unit = fields["z"].idxmax()
    fig = plots.rf_maps(maps, [unit, fields["z"].idxmin()])
    first = said().split(" Unit ")[0]
    at = maps.units.get_loc(unit)
    sign, row, column = np.unravel_index(maps.z[at].argmax(), maps.z[at].shape)
    assert f"azimuth {8 * column - 56:.0f}°, elevation {56 - 8 * row:.0f}°".replace("-", "−") in first
    image = fig.axes[2 * sign].images[0]
    assert image.origin == "upper" and np.allclose(image.get_array(), maps.rate[at, sign] - maps.mean[at])
    assert "white" in fig.axes[0].get_title() and "black" in fig.axes[2].get_title()


def test_best_pixels_count_what_was_found_and_put_in(fields, chance, probe, said):
    fig = plots.best_pixels(fields, chance, probe.truth)
    text, found = said(), fields["p_adjusted"] < 0.05
    has = probe.truth["rf_row"].reindex(fields.index).notna()
    assert f"above 1.64 in {(fields['z'] > 1.64).sum()} of {len(fields)} units" in text
    assert f"{found.sum()} are left when corrected" in text
    assert f"{has.sum()} have a field by construction, {(has & found).sum()} of them among those found." in text
    assert fig.axes[1].get_xlim() == fig.axes[1].get_ylim() == (-60, 60)
    nothing = fields.assign(p_adjusted=1.0)
    plots.best_pixels(nothing, chance, probe.truth)
    assert "; 0 are left" in (text := said()) and "centres" not in text
    plots.best_pixels(fields, chance)
    assert "construction" not in said()


def test_task_against_replay_counts_and_tests(said):
    units = pd.Index([1, 2, 3, 4], name="cluster")

    def table(p, n_trials):
        made = pd.DataFrame({"baseline": 1.0, "response": [2.0, 3.0, 1.0, 4.0], "p_adjusted": p}, units)
        made.attrs = {"n_trials": n_trials}
        return made

    task, replay = table([0.01, 0.01, 0.5, 0.01], 179), table([0.01, 0.5, 0.5, 0.5], 178)
    differ = pd.Series([False, True, False, False], units)
    plots.task_against_replay(task, replay, differ, pd.Series([True, True, False, False], units))
    assert said() == (
        "3 of 4 units respond in the task (179 trials), 1 in the replay (178); 2 in the task alone. The two "
        "responses were shown to differ in 1 of 4. Of the 2 of the task alone, 1 answer the stimulus by construction."
    )
    plots.task_against_replay(task, replay, differ)
    assert "construction" not in said()


def test_on_off_counts_shades(maps, fields, probe, said):
    found = (fields["p_adjusted"] < 0.05).to_numpy()
    on, off = maps.z.max(axis=(2, 3))[found].T
    fig = plots.on_off(maps, fields, probe.truth)
    assert said().startswith(f"{(on > off).sum()} of {found.sum()} units with a field answer white more")
    assert sum(len(line.get_xdata()) for line in fig.axes[0].lines[:-1]) == found.sum()
    plots.on_off(maps, fields.assign(p_adjusted=1.0))
    assert said().startswith("0 of 0 units")


def test_rates_by_part_say_how_many_fire_more(said):
    rates = pd.DataFrame({"task": [1.0, 2, 4, 0], "rest": [2.0, 4, 2, 1], "a": [1.0, 1, 1, 1], "b": [1.0, 1, 2, 1]})
    plots.rates_by_part(rates)
    text = said()
    assert text.startswith("rest against task: 2 of 3 units fire more, by a factor of 2.00 (median)")
    assert "b against a: 1 of 3 units" in text


def test_the_browser_draws_what_its_handles_ask_for(session, probe, flashes, said):
    *handles, picture, words, _ = bwm.widgets.rf_browser(session, probe).children
    handle = {each.description: each for each in handles}
    before = picture.value
    handle["unit"].index, handle["lag (s)"].value, handle["window (s)"].value = 3, 0.1, 0.1
    assert picture.value != before
    unit = handle["unit"].value
    window = bwm.spikes.around(flashes["time"], (0.1, 0.2))
    counted = bwm.spikes.counts_in_intervals(probe.good_spikes, window, [unit])
    plots.rf_maps(bwm.passive.rf_maps(counted, flashes), [unit])
    assert " ".join(words.value.split()) == said()
