"""Widgets: each handle draws anew what its plain function draws, at once, and says so."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bwm_tutorials as bwm
from bwm_tutorials import widgets


@pytest.fixture
def curve(session):
    with plt.rc_context():
        bwm.plots.stamp(session)
        yield bwm.trials.psychometric(session.trials)


def parts(widget):
    *handles, picture, words = widget.children
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
        return plt.figure()

    handles, picture, words = parts(widgets._with_handles(draw, {"n": IntSlider(value=1, description="n")}))
    before = picture.value
    handles["n"].value = 3
    assert words.value == "no trial &lt;3&gt;" and picture.value == before
    handles["n"].value = 2
    assert words.value == ""
