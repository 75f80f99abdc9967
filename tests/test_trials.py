"""Psychometric curves and latencies, against brainbox, statsmodels and what was put in."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwm_tutorials import trials

CONTRASTS = [0.0, 0.0625, 0.125, 0.25, 1.0]


@st.composite
def tables(draw):
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(CONTRASTS), st.booleans(), st.sampled_from([-1, 0, 1])), min_size=1, max_size=60
        )
    )
    contrast, left, choice = zip(*rows, strict=True)
    contrast, left = np.array(contrast), np.array(left)
    return pd.DataFrame(
        {
            "contrastLeft": np.where(left, contrast, np.nan),
            "contrastRight": np.where(left, np.nan, contrast),
            "choice": choice,
        }
    )


def mirrored(table):
    return table.rename(columns={"contrastLeft": "contrastRight", "contrastRight": "contrastLeft"}).assign(
        choice=-table["choice"]
    )


@given(tables())
def test_psychometric_counts_every_choice_once_and_holds_its_limits(table):
    curve = trials.psychometric(table)
    assert curve["n_trials"].sum() == (table["choice"] != 0).sum()
    assert np.isclose((curve["n_trials"] * curve["p_right"]).sum(), (table["choice"] == -1).sum())
    assert (curve["low"] <= curve["p_right"]).all() and (curve["p_right"] <= curve["high"]).all()
    assert ((curve["low"] >= -1e-12) & (curve["high"] <= 1 + 1e-12)).all()


@given(tables())
def test_a_mirrored_mouse_has_a_mirrored_curve(table):
    curve, other = trials.psychometric(table), trials.psychometric(mirrored(table))
    assert np.allclose(other.index, -curve.index[::-1])
    assert np.allclose(other["p_right"], 1 - curve["p_right"][::-1])
    assert np.allclose(other["low"], 1 - curve["high"][::-1])


def test_a_mouse_that_always_follows_the_stimulus():
    table = pd.DataFrame({"contrastLeft": [1.0, np.nan], "contrastRight": [np.nan, 1.0], "choice": [1, -1]})
    assert trials.psychometric(table)["p_right"].to_dict() == {-100: 0.0, 100: 1.0}


def test_limits_are_those_of_statsmodels(session):
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    curve = trials.psychometric(session.trials)
    low, high = proportion.proportion_confint(
        curve["p_right"] * curve["n_trials"], curve["n_trials"], method="wilson", alpha=0.05
    )
    assert np.allclose(curve["low"], low) and np.allclose(curve["high"], high)


@pytest.mark.parametrize("which", ["session", "real"])
def test_curve_and_contrast_agree_with_brainbox(which, request):
    training = pytest.importorskip("brainbox.behavior.training")
    table = request.getfixturevalue(which).trials
    assert np.allclose(trials.signed_contrast(table), training.get_signed_contrast(table))
    chosen = table[table["choice"] != 0]
    p_right, contrasts, n_trials = training.compute_performance(chosen, prob_right=True)
    curve = trials.psychometric(table)
    assert np.allclose(curve.index, contrasts)
    assert np.allclose(curve["n_trials"], n_trials)
    assert np.allclose(curve["p_right"], p_right)


def test_brainbox_counts_a_trial_without_choice_as_not_right_and_we_leave_it_out(session):
    # brainbox divides by all trials of a contrast, so a mouse that stops responding seems to prefer the left.
    training = pytest.importorskip("brainbox.behavior.training")
    table = session.trials.copy()
    stopped = table.index[table["contrastRight"] == 1][:20]
    table.loc[stopped, "choice"] = 0
    p_right, contrasts, _ = training.compute_performance(table, prob_right=True)
    ours = trials.psychometric(table).loc[100]
    assert p_right[contrasts == 100] < ours["p_right"]
    assert ours["n_trials"] == ((table["contrastRight"] == 1) & (table["choice"] != 0)).sum()


@pytest.mark.parametrize("threshold", [6.0, 13.0, 25.0])
def test_fit_recovers_what_was_put_in(threshold):
    truth = pd.Series({"bias": -4.0, "threshold": threshold, "lapse_low": 0.04, "lapse_high": 0.08})
    contrast = np.array([-100, -25, -12.5, -6.25, 0, 6.25, 12.5, 25, 100.0])
    p_right = trials.psychometric_curve(truth, contrast)
    curve = pd.DataFrame({"n_trials": 10_000, "p_right": p_right}, index=contrast)
    fit = trials.fit_psychometric(curve)
    assert np.allclose(fit[truth.index], truth, atol=[0.2, 0.5, 0.005, 0.005])


def test_fit_is_no_worse_than_brainbox_and_the_same_each_time(session, real):
    training = pytest.importorskip("brainbox.behavior.training")
    psychofit = pytest.importorskip("psychofit")
    for table in (session.trials, real.trials):
        curve = trials.psychometric(table)
        data = np.vstack([curve.index, curve["n_trials"], curve["p_right"]])
        theirs = training.compute_psychometric(table[table["choice"] != 0], plotting=True)
        reached = -psychofit.neg_likelihood(theirs, data, "erf_psycho_2gammas", np.full(4, -1e3), np.full(4, 1e3))
        np.random.seed(None)
        fit, again = trials.fit_psychometric(curve), trials.fit_psychometric(curve)
        assert fit["log_likelihood"] >= reached - 0.05
        assert fit.equals(again)


def test_fit_needs_four_contrasts(session):
    with pytest.raises(ValueError, match="four contrasts or more; this table has 2"):
        trials.fit_psychometric(trials.psychometric(session.trials).iloc[[0, -1]])


def test_latencies(session):
    table = session.trials
    moved, responded = trials.movement_latency(table), trials.response_latency(table)
    known = np.isfinite(moved) & np.isfinite(responded)
    assert known.mean() > 0.95
    assert (moved[known] <= responded[known]).all()
    assert (moved[known] < 0).any(), "some mice move before the stimulus"
