"""Widgets: each handle draws anew what its plain function draws, at once, and says so."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bwm_tutorials as bwm
from bwm_tutorials.widgets.handles import with_handles


@pytest.fixture
def curve(session):
    with plt.rc_context():
        bwm.plots.stamp(session)
        yield bwm.trials.psychometric(session.trials)


def parts(widget):
    *handles, picture, words, _ = widget.children
    return {handle.description: handle for handle in handles}, picture, words


def test_psychometric_handles_draw_what_the_plain_function_draws(curve, capsys):
    handles, picture, words = parts(bwm.widgets.psychometric(curve))
    assert list(handles) == list(bwm.trials.PSYCHOMETRIC)
    first = picture.value
    best = bwm.trials.fit_psychometric(curve)
    for name, handle in handles.items():
        handle.value = best[name]
    assert picture.value != first
    hand = {name: handle.value for name, handle in handles.items()}
    expected = io.BytesIO()
    bwm.plots.psychometric_by_hand(curve, [hand], best).savefig(expected, bbox_inches="tight")
    assert picture.value == expected.getvalue()
    assert words.value == capsys.readouterr().out


def test_no_hand_beats_the_best_fit(curve):
    best = bwm.trials.fit_psychometric(curve)
    rng = np.random.default_rng(1)
    for _ in range(200):
        hand = {name: rng.uniform(*limits) for name, limits in bwm.trials.PSYCHOMETRIC.items()}
        assert bwm.trials.psychometric_log_likelihood(curve, hand) < best["log_likelihood"]
    assert bwm.trials.psychometric_log_likelihood(curve, best) == pytest.approx(best["log_likelihood"], rel=1e-12)


def test_handles_leave_no_figure_open_and_print_nothing(curve, capsys):
    before = plt.get_fignums()
    handles, _, _ = parts(bwm.widgets.psychometric(curve))
    handles["bias"].value = 10
    assert plt.get_fignums() == before and capsys.readouterr().out == ""


def test_an_error_is_shown_where_the_handles_are(curve):
    from ipywidgets import IntSlider

    def draw(n):
        if n == 3:
            raise ValueError("no trial <3>")
        if n == 4:
            return {}["rate"]
        return plt.figure()

    handles, picture, words = parts(with_handles(draw, {"n": IntSlider(value=1, description="n")}))
    before = picture.value
    handles["n"].value = 3
    assert words.value == "no trial &lt;3&gt;" and picture.value == before
    handles["n"].value = 4
    assert words.value == "KeyError: &#x27;rate&#x27;. This is a fault of the figure, not of your data."
    handles["n"].value = 2
    assert words.value == ""


# The trial viewer


def viewer_of(session):
    """Its handles by name, what it shows, and its two buttons."""
    above, below, picture, words, _ = bwm.widgets.trial_viewer(session).children
    number, *buttons = above.children
    return {handle.description: handle for handle in (number, *below.children)}, picture, words, buttons


@pytest.fixture
def viewer(session):
    with plt.rc_context():
        bwm.plots.stamp(session)
        yield viewer_of(session)


def test_the_viewer_shows_the_trial_that_the_plain_function_draws(session, viewer, capsys):
    handles, picture, words, _ = viewer
    handles["side"].value, handles["timing"].value, handles["number"].value = -1, "early", 2
    fits = bwm.trials.select(session.trials, side=-1, timing="early")
    expected = io.BytesIO()
    bwm.plots.trial_panels(fits.iloc[[2]], session.wheel, session.licks).savefig(expected, bbox_inches="tight")
    assert picture.value == expected.getvalue()
    assert words.value == f"3 of {len(fits)} trials that fit.\n{capsys.readouterr().out}"


def test_the_viewer_shows_that_nothing_is_filtered_at_first(viewer):
    handles, _, _, _ = viewer
    assert [handle.label for handle in list(handles.values())[1:]] == ["any"] * 4


def test_the_viewers_buttons_go_round(session, viewer):
    _, _, words, (previous, following) = viewer
    n = session.trials["stimOn_times"].notna().sum()
    assert words.value.startswith(f"1 of {n} ")
    previous.click()
    assert words.value.startswith(f"{n} of {n} ")
    following.click()
    following.click()
    assert words.value.startswith(f"2 of {n} ")


def test_the_viewer_says_when_no_trial_fits(viewer):
    handles, _, words, _ = viewer
    handles["outcome"].value, handles["contrast"].value = "no choice", 100.0
    handles["side"].value, handles["timing"].value = 1, "early"
    assert words.value == "No trial fits these filters: set one of them to &#x27;any&#x27;."


def test_the_viewer_of_a_session_with_trials_alone(real):
    with plt.rc_context():
        bwm.plots.stamp(real)
        handles, picture, words, _ = viewer_of(real)
    assert "timing" not in handles and len(picture.value) > 1000 and "reported" in words.value
