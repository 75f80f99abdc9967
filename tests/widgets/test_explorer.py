"""The session explorer, from its functions to its handles; a real browser moves them in test_lab.py."""

import gc
import re
import weakref
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers.sessions import NYU_11, of_subject
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError

import bwm_tutorials as bwm
from bwm_tutorials.errors import UnknownSession
from bwm_tutorials.paths import ROOT
from bwm_tutorials.plots import explorer as drawing
from bwm_tutorials.plots import windows
from bwm_tutorials.widgets import explorer
from bwm_tutorials.widgets.handles import png
from bwm_tutorials.workshop import notebooks

NOTEBOOK = ROOT / "notebooks" / "explore.py"


@pytest.fixture(scope="module")
def seen(session):
    return explorer.recording(session)


@pytest.fixture(autouse=True)
def figures_as_they_were():
    with plt.rc_context():
        yield
    plt.close("all")


class Explorer:
    """An explorer as a reader has it: its handles by their names, its pictures, and what they say."""

    def __init__(self, session):
        *rows, self.picture, words, self.rates, rate_words, self.click, _ = bwm.widgets.session_explorer(
            session
        ).children
        self.handles = {handle.description: handle for row in rows for handle in row.children}
        self._words, self._rate_words = words, rate_words

    def __getitem__(self, name):
        return self.handles[name]

    def set(self, **values):
        for name, value in values.items():
            self.handles[{"time": "time (s)", "length": "length (s)"}.get(name, name)].value = value
        return self

    @property
    def words(self):
        return " ".join(self._words.value.split())

    @property
    def rate_words(self):
        return " ".join(self._rate_words.value.split())

    @property
    def span(self):
        start, stop = re.search(r"(\S+) to (\S+) s of", self.words).groups()
        return float(start), float(stop)


@pytest.fixture(scope="module")
def opened(session):
    with plt.rc_context():
        return Explorer(session)


@pytest.fixture
def shown(opened):
    """An explorer of the main session, as it is when it is opened."""
    first = {"length": 10, "block": "any", "contrast": "any", "outcome": "any", "unit": opened["unit"].options[0][1]}
    opened.set(**first)
    if opened["trial"].value:
        opened.set(trial=0)
    return opened


# ------------------------------------------------------------------------------------------------ what is in a window


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=300),
    st.floats(0, 99),
    st.floats(0.1, 80),
    st.integers(1, 12),
    st.integers(0, 2**32 - 1),
)
def test_an_envelope_is_as_high_and_low_as_its_trace_in_every_bin(times, start, seconds, n, seed):
    times = np.sort(times)
    values = np.random.default_rng(seed).normal(size=times.size)
    window = (start, start + seconds)
    at, found = windows.envelope(times, values, window, n)
    assert at.size == found.size <= 2 * n + 2 and (np.diff(at) >= 0).all()
    edges = np.linspace(*window, n + 1)
    inside = (times >= start) & (times < window[1])
    for low, high in pairwise(edges):
        here = values[inside & (times >= low) & (times < high)]
        drawn = found[(at >= low) & (at < high) & (at >= start)]
        if here.size:
            assert (drawn.min(), drawn.max()) == (here.min(), here.max())


def test_an_envelope_of_few_samples_is_the_trace_itself_led_to_the_edges(session):
    wheel = session.wheel
    at, found = windows.envelope(wheel["timestamps"], wheel["position"], (100.0, 101.0), 2000)
    first, last = np.searchsorted(wheel["timestamps"], (100.0, 101.0))
    assert np.array_equal(at, wheel["timestamps"][first - 1 : last + 1]) and at[0] < 100 and at[-1] > 101
    assert np.array_equal(found, wheel["position"][first - 1 : last + 1])


def test_an_envelope_leaves_out_what_is_not_known():
    values = np.tile([np.nan, 1.0, 3.0, np.nan], 100)
    _, found = windows.envelope(np.arange(400.0), values, (0, 400), 20)
    assert np.nanmin(found) == 1 and np.nanmax(found) == 3
    _, found = windows.envelope(np.arange(400.0), np.full(400, np.nan), (0, 400), 20)
    assert np.isnan(found).all()


def test_a_map_of_spikes_counts_as_a_histogram_does(probe):
    times, depths = probe.spikes["times"], probe.spikes["depths"]
    top = float(depths.max())
    counts = windows.spike_map(times, depths, (500, 560), top, (48, 60))
    inside = (times >= 500) & (times < 560)
    expected, _, _ = np.histogram2d(depths[inside], times[inside], (48, 60), ((0, top), (500, 560)))
    assert counts.sum() == inside.sum() and np.abs(counts - expected).sum() <= 2  # float32 depths at an edge
    few = windows.spike_map(times, depths, (500, 560), top, (48, 60), most=1000)
    assert 500 < few.sum() <= 1000 and (few <= counts).all()


def test_a_map_leaves_out_spikes_without_a_place_and_keeps_those_beyond_the_ends():
    counts = windows.spike_map(np.arange(4.0), np.array([-5, np.nan, 50, 5]), (0, 4), 10, (2, 4))
    assert counts.tolist() == [[1, 0, 0, 0], [0, 0, 1, 1]]


def test_windows_stay_in_the_recording():
    assert windows.window_at(5, 10, 100) == (5, 15)
    assert windows.window_at(95, 10, 100) == (90, 100)
    assert windows.window_at(-3, 10, 100) == (0, 10)
    assert windows.window_at(50, 100, 100) == (0, 100)


def test_trials_are_found_by_time_and_gone_through():
    trials = pd.DataFrame({"stimOn_times": [np.nan, 10.0, 20.0, np.nan, 40.0]})
    assert [windows.trial_at(trials, time) for time in (0, 10, 19.9, 35, 99)] == [1, 1, 1, 2, 4]
    fits = pd.Index([2, 5, 9])
    assert [windows.next_trial(fits, number, 1) for number in (0, 2, 3, 9)] == [2, 5, 5, 2]
    assert [windows.next_trial(fits, number, -1) for number in (0, 2, 3, 9)] == [9, 9, 2, 5]


def test_trials_of_a_block_are_selected(session):
    trials = session.trials
    for block in (0.2, 0.5, 0.8):
        found = bwm.trials.select(trials, block=block)
        assert set(found["probabilityLeft"]) == {block}
        assert len(found) == ((trials["probabilityLeft"] == block) & trials["stimOn_times"].notna()).sum()


def test_units_to_choose_from_are_the_good_ones_from_the_tip_up(session, seen):
    for insertion in session.insertions:
        units = seen.probes[insertion.name].units
        clusters = insertion.clusters
        assert set(units.index) == set(clusters.index[clusters["label"] == 1]) and units.is_monotonic_increasing
        assert windows.unit_at(units, units.iloc[7] + 0.01) == units.index[7]
    some = {"times": np.arange(3.0), "clusters": np.array([4, 2, 4]), "depths": np.array([30.0, 20.0, 50.0])}
    none_good = pd.DataFrame({"label": [0.0, 0.3], "depths": [44.0, 21.0]}, index=[4, 2])
    assert windows.probe(some, none_good).units.to_dict() == {2: 21, 4: 44}
    assert windows.probe(some).units.to_dict() == {2: 20, 4: 40}
    assert windows.probe({name: some[name] for name in ("times", "clusters")}).units.to_dict() == {2: 2, 4: 4}


# ------------------------------------------------------------------------------------------------------ what is drawn


@pytest.mark.parametrize("window", [(500, 502), (500, 560), (0, 3600)])
def test_no_more_is_drawn_than_can_be_seen(seen, window, said):
    figure = drawing.session_window(seen, window, unit=("probe00", seen.probes["probe00"].units.index[3]))
    axes = {ax.get_label(): ax for ax in figure.axes}
    assert list(axes) == ["trials", "wheel", "pose", "probe00", "probe01"]
    for ax in axes.values():
        assert ax.get_xlim() == window and ax.get_shared_x_axes().joined(ax, axes["trials"])
        assert sum(line.get_xdata().size for line in ax.lines) <= max(len(seen.trials), 2 * (4 * drawing.COLUMNS + 2))
        assert len(ax.get_children()) < 80 + drawing.MOST_TRIALS
    for name in seen.probes:
        assert axes[name].images[0].get_array().shape == (drawing.ROWS, drawing.COLUMNS)
    assert len(figure.texts) == 1 and all(ax.get_ylabel() for name, ax in axes.items() if name != "trials")
    assert len(png(figure)) < 300_000
    told = said()
    for name, probe in seen.probes.items():
        n = np.diff(np.searchsorted(probe.spikes["times"], window)).item()
        assert f"{n:,} spikes of" in told.split(f"{name} in")[1]


def test_the_marked_unit_is_counted_and_drawn_at_its_depth(seen, said):
    probe = seen.probes["probe01"]
    unit = probe.units.index[10]
    figure = drawing.session_window(seen, (500, 520), unit=("probe01", unit))
    *_, ax = figure.axes
    own = probe.spikes["times"][probe.spikes["clusters"] == unit]
    n = np.diff(np.searchsorted(own, (500, 520))).item()
    row = ax.images[-1]
    assert f"{n} of unit {unit}." in said() and row.get_array().sum() == n
    assert np.mean(row.get_extent()[2:]) == pytest.approx(probe.units[unit])


def test_a_single_trial_is_told_in_full_and_several_are_counted(session, seen, said):
    trial = session.trials.loc[207]
    drawing.session_window(seen, (trial["stimOn_times"] - 0.1, trial["stimOn_times"] + 0.5))
    assert "Trial 207: 25 % on the left;" in said()
    drawing.session_window(seen, (0, 3600), session.trials.index[:10])
    told = said()
    outcome = session.trials.loc[session.trials["stimOn_times"].notna(), "feedbackType"]
    assert f"{(outcome == 1).sum()} rewarded" in told
    no_choice = (session.trials["choice"] == 0).sum()
    assert f"{no_choice} no choice; 1 not drawn, without a time of the stimulus; 10 fit." in told


def test_trials_that_do_not_fit_are_pale(session, seen):
    window = windows.window_at(500, 60, seen.end)
    full, pale = (drawing.session_window(seen, window, fits).axes[0] for fits in (None, session.trials.index[:1]))
    opacity = [
        {colour[3] for bars in ax.collections for colour in bars.get_facecolors() if bars.get_alpha() is None}
        for ax in (full, pale)
    ]
    assert opacity == [{1.0}, {drawing.PALE}]


def test_a_place_in_the_picture_is_a_panel_a_time_and_a_value(seen):
    figure = drawing.session_window(seen, (500, 520))
    for ax in figure.axes:
        for time, share in ((501.0, 0.2), (519.0, 0.7)):
            low, high = ax.get_ylim()
            value = low + share * (high - low)
            x, y = figure.transFigure.inverted().transform(ax.transData.transform((time, value)))
            assert drawing.panel_at(figure, x, y) == (ax.get_label(), pytest.approx(time), pytest.approx(value))
    assert drawing.panel_at(figure, 0.01, 0.01) is None


# ------------------------------------------------------------------------------------------------------- its handles


def test_every_handle_is_named_and_says_what_it_does(shown):
    assert list(shown.handles) == [
        "session", "fetch", "time (s)", "length (s)", "trial", "◀", "▶", "block", "contrast", "outcome", "unit", "",
    ]  # fmt: skip
    assert all(handle.tooltip for name, handle in shown.handles.items() if name)
    assert not any(handle.disabled for name, handle in shown.handles.items() if name)


def test_it_begins_with_the_first_trial_and_shows_what_the_plain_functions_draw(session, seen, shown, capsys):
    start, stop = shown.span
    assert stop - start == 10 and start <= session.trials["stimOn_times"][0] - 2 < start + 1.01
    with bwm.plots.style.stamped(session):
        unit = shown["unit"].value
        fits = bwm.trials.select(session.trials).index
        expected = png(drawing.session_window(seen, (start, stop), fits, unit), pil_kwargs={"compress_level": 1})
        told = capsys.readouterr().out
        rates = png(explorer.unit_rates(seen, unit, fits), pil_kwargs={"compress_level": 1})
    assert shown.picture.value == expected and shown.rates.value == rates
    assert shown.words == " ".join(
        f"SIM-001 2001-01-08 (synthetic). {len(fits)} of {len(session.trials)} trials fit. {told}".split()
    )
    assert shown.rate_words == " ".join(capsys.readouterr().out.split())


def test_time_and_length_move_the_window_and_the_trial_goes_along(session, shown):
    shown.set(time=1000.0)
    assert shown.span == (1000, 1010)
    assert shown["trial"].value == windows.trial_at(session.trials, 1003)
    before = shown.picture.value
    shown.set(length=60)
    start, stop = shown.span
    assert stop - start == 60 and shown.picture.value != before
    zero = session.trials["stimOn_times"][shown["trial"].value]
    assert zero - 18 <= start <= zero - 18 + shown["time (s)"].step
    shown.set(length=shown["length (s)"].options[-1][1])
    assert shown.span == (0, 3600)


def test_what_the_browser_rounds_moves_nothing(shown):
    shown.set(trial=100)
    at = shown.span
    shown["time (s)"].value += 0.3 * shown["time (s)"].step
    assert shown.span == at and shown["trial"].value == 100


def test_a_number_and_the_arrows_lead_to_trials_that_fit(session, shown):
    zero = session.trials["stimOn_times"]
    shown.set(trial=300)
    assert shown.span[0] <= zero[300] <= shown.span[1]
    shown.set(block=0.2, contrast=12.5, outcome="not rewarded")
    fits = bwm.trials.select(session.trials, block=0.2, contrast=12.5, outcome="not rewarded").index
    assert (
        f"{len(fits)} of {len(session.trials)} trials fit." in shown.words
        and f"{len(fits)} trials." in shown.rate_words
    )
    for arrow, expected in (("▶", fits[fits > 300][0]), ("◀", fits[fits <= 300][-1])):
        shown[arrow].click()
        assert shown["trial"].value == expected and shown.span[0] <= zero[expected] <= shown.span[1]
    shown.set(outcome="no choice")
    assert f"of {len(session.trials)} trials fit." in shown.words
    shown["▶"].click()
    nothing = "No trial fits these filters: set one of them to &#x27;any&#x27;."
    assert shown.words == shown.rate_words == nothing and shown.rates.value == b""


def test_a_trial_whose_stimulus_has_no_time_is_no_place_to_go_to(session, shown):
    (unknown,) = session.trials.index[session.trials["stimOn_times"].isna()]
    before = shown.picture.value
    shown.set(trial=unknown)
    assert "take another trial" in shown.words and shown.picture.value == before


def test_a_click_takes_the_unit_beside_it_as_the_handle_does(seen, shown):
    probe = seen.probes["probe01"]
    unit = probe.units.index[20]
    figure = drawing.session_window(seen, shown.span)
    ax = figure.axes[-1]
    x, y = figure.transFigure.inverted().transform(ax.transData.transform((shown.span[0] + 3, probe.units[unit])))
    shown.click.value = f"{x},{y}"
    assert shown["unit"].value == ("probe01", unit) and f"probe01. Unit {unit} in " in shown.rate_words
    assert shown[""].value == shown["unit"].label and f"of unit {unit}." in shown.words
    clicked = shown.picture.value, shown.rates.value
    shown.set(unit=shown["unit"].options[0][1])
    assert (shown.picture.value, shown.rates.value) != clicked
    shown.set(unit=("probe01", unit))
    assert (shown.picture.value, shown.rates.value) == clicked
    shown.click.value = "0.5,0.99"
    assert shown["unit"].value == ("probe01", unit), "beside the spikes there is nothing to take"


def test_the_rates_of_a_unit_are_those_of_the_trials_that_fit(session, seen):
    unit, fits = seen.probes["probe00"].units.index[5], bwm.trials.select(session.trials, outcome="not rewarded").index
    figure = explorer.unit_rates(seen, ("probe00", unit), fits)
    for ax, event in zip(figure.axes, ("stimOn_times", "firstMovement_times", "feedback_times"), strict=True):
        times = session.trials.loc[fits, event]
        expected = bwm.spikes.peth(session.insertions[0].spikes, times, (-0.4, 0.8), 0.02, [unit]).mean.loc[unit]
        assert np.allclose(ax.lines[0].get_ydata(), expected)


# ------------------------------------------------------------------------------------------------ one session at a time


def test_another_session_takes_the_place_of_the_former(session, sample, monkeypatch):
    loaded = []

    def spy(of):
        found = load(of)
        arrays = [found.wheel["timestamps"], *(probe.spikes["times"] for probe in found.probes.values())]
        loaded.append([weakref.ref(array) for array in arrays])
        return found

    load = explorer.recording
    monkeypatch.setattr(explorer, "recording", spy)
    shown = Explorer(session)
    shown.set(trial=50)
    (other,) = sample.search(subject="SIM-NULL")
    shown.set(session=str(other))
    gc.collect()
    assert [[ref() is not None for ref in refs] for refs in loaded] == [[False] * 3, [True] * 3]
    fits, trials = bwm.trials.select(session.trials), session.trials
    assert shown.words.startswith(f"SIM-NULL 2001-01-08 (synthetic). {len(fits)} of {len(trials)} trials fit.")
    assert shown["trial"].value == 0


def test_its_figures_are_stamped_by_what_they_show_and_those_of_the_notebook_stay(session, real, monkeypatch):
    stamps = []
    draw = bwm.plots.session_window
    monkeypatch.setattr(
        bwm.plots,
        "session_window",
        lambda *given: stamps.append((figure := draw(*given)).texts[0].get_text()) or figure,
    )
    bwm.plots.stamp(real)
    Explorer(session)
    assert stamps == ["synthetic sample · seed 1"]
    assert plt.figure().texts[0].get_text().startswith("REAL · ")


def test_sessions_that_lack_cameras_or_probes_are_shown(small_release):
    shown = Explorer(of_subject(small_release, "SIM-004"))
    assert "has no pose(" in shown.words and "probe00 in" in shown.words
    for name, eid in shown["session"].options[:2]:
        shown.set(session=eid)
        assert shown.words.startswith(name.split(" (")[0]) and "fault" not in shown.words + shown.rate_words
        assert len(shown.picture.value) > 20_000 and len(shown.rates.value) > 10_000


@pytest.fixture
def without(small_release):
    """A session of the small release, shown from tables that lack what matches."""

    def without(pattern, **columns):
        one = bwm.connect(small_release.cache_dir)
        session = of_subject(one, "SIM-006")
        datasets = one._cache["datasets"]
        chosen = datasets["rel_path"].str.contains(pattern) & (
            datasets.index.get_level_values(0).astype(str) == session.eid
        )
        assert chosen.any()
        for column, value in (columns or {"exists": False}).items():
            datasets.loc[chosen, column] = value
        return Explorer(session)

    return without


@pytest.mark.parametrize(
    "pattern, lacking, has_rates",
    [
        (r"_ibl_wheel\.", "has no wheel;", True),
        (r"_ibl_leftCamera\.(?:lightningPose|dlc)", "has no pose(", True),
        (r"/spikes\.", "has no insertions;", False),
        (r"_ibl_trials\.", "has no trials;", False),
        (r"/clusters\.", "", True),
    ],
    ids=["wheel", "pose", "spikes", "trials", "clusters"],
)
def test_what_a_session_lacks_is_said_in_its_panel_and_the_rest_is_shown(
    without, pattern, lacking, has_rates, monkeypatch
):
    figures = []
    draw = bwm.plots.session_window
    monkeypatch.setattr(bwm.plots, "session_window", lambda *given: figures.append(draw(*given)) or figures[-1])
    shown = without(pattern)
    written = [text.get_text() for ax in figures[0].axes for text in ax.texts if " has no " in text.get_text()]
    assert lacking in shown.words and len(written) == bool(lacking)
    assert len(shown.picture.value) > 10_000 and bool(shown.rates.value) == has_rates
    assert "fault" not in shown.words + shown.rate_words
    assert shown["trial"].disabled == ("trials" in pattern) and shown["unit"].disabled == ("spikes" in pattern)
    shown.set(time=100.0, length=30)
    assert shown.span == (100, 130) or not shown["trial"].disabled


def test_a_damaged_file_is_named_in_its_panel(without):
    shown = without(r"_ibl_wheel\.position", file_size=12345, hash="0" * 32)
    assert "_ibl_wheel.position.npy" in shown.words and "probe00 in" in shown.words


def test_real_recordings_with_next_to_nothing_are_shown():
    one = bwm.connect("real")
    shown = Explorer(bwm.Session(one=one))
    assert "(REAL)" in shown.words and "has no wheel;" in shown.words
    assert shown.rate_words == "Without spikes there are no units to choose from."
    for subject, told in (("wheel_excerpt", "The wheel turns by"), ("probe_excerpt", "7,159 spikes of 226 units")):
        (eid,) = one.search(subject=subject)
        shown.set(session=str(eid))
        assert told in shown.words and "has no trials;" in shown.words and shown["trial"].disabled
    assert shown["unit"].label.startswith("probe00 · unit ")
    assert shown.rate_words.startswith("Rates are around the events of trials. probe_excerpt")


def test_a_real_session_of_trials_alone_is_gone_through(real_data):
    session = bwm.Session(NYU_11, bwm.connect(real_data))
    shown = Explorer(session)
    shown.set(outcome="not rewarded")
    shown["▶"].click()
    fits = bwm.trials.select(session.trials, outcome="not rewarded").index
    assert shown["trial"].value == fits[fits > 0][0]
    assert shown.words.startswith("NYU-11 2020-02-21 (REAL).") and shown["unit"].disabled


def test_a_session_that_is_not_there_is_said(small_release):
    one = bwm.connect(small_release.cache_dir)
    shown = Explorer(of_subject(one, "SIM-002", "2001-01-15"))
    with pytest.raises(TraitError):
        shown.set(session="5eed0000-0000-4000-8000-000000000000")
    gone = of_subject(one, "SIM-004").eid
    sessions = one._cache["sessions"]
    one._cache["sessions"] = sessions[sessions.index.astype(str) != gone]
    shown.set(session=gone)
    assert f"There is no session {gone}; this source has " in shown.words and not len(shown.picture.value)
    assert shown["time (s)"].disabled and not shown["session"].disabled
    shown.set(session=of_subject(one, "SIM-002", "2001-01-15").eid)
    assert "trials fit" in shown.words and not shown["time (s)"].disabled


@pytest.mark.parametrize("broken", ["_draw_wheel", "rates_around"])
def test_a_callback_that_breaks_says_so_and_the_next_works_again(broken, shown, monkeypatch):
    def breaks(*_):
        raise KeyError("position")

    with monkeypatch.context() as context:
        context.setattr(drawing, broken, breaks)
        shown.set(outcome="rewarded")
        told = shown.words if broken == "_draw_wheel" else shown.rate_words
        assert told == "KeyError: &#x27;position&#x27;. This is a fault of the figure, not of your data."
    shown.set(outcome="any")
    assert "fault" not in shown.words + shown.rate_words and shown.picture.value and shown.rates.value


def test_nothing_is_fetched_from_a_server_before_it_is_asked_for(aws_door):
    shown = Explorer(of_subject(aws_door.connect(), "SIM-003", "2001-01-24"))
    assert "To fetch: " in shown.words and "Press &#x27;fetch&#x27; to have it." in shown.words
    assert aws_door.web.times("Subjects") == 0
    assert shown["time (s)"].disabled and shown["fetch"].layout.display == ""
    shown["fetch"].click()
    assert "probe01 in" in shown.words and shown["fetch"].layout.display == "none"
    fetched = aws_door.web.times("Subjects")
    assert fetched > 10 and aws_door.web.times("rightCamera") == 0
    shown.set(trial=5)
    assert aws_door.web.times("Subjects") == fetched, "all of it was in the price"


# ------------------------------------------------------------------------------------------------------- its notebook


def test_its_notebook_runs_on_any_recording(small_sample, play):
    assert "seed 2" in play(NOTEBOOK, SOURCE=str(small_sample))
    assert "REAL: recorded from a mouse" in play(NOTEBOOK, SOURCE="real")
    assert len(notebooks.read_source(NOTEBOOK).cells) <= 10


def test_its_notebook_names_a_session_that_is_not_there(play):
    with pytest.raises(UnknownSession, match="There is no session 1234"):
        play(NOTEBOOK, SOURCE="real", EID="1234")
