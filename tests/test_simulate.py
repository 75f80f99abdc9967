"""The sample: the rules of the task, the marks of its origin, and analyses that find what was put in."""

import numpy as np
import pandas as pd
import pytest

import bwm_tutorials as bwm
from bwm_tutorials import simulate
from bwm_tutorials.simulate import mouse, neurons, task


def blocks_of(prior):
    change = np.flatnonzero(np.diff(prior)) + 1
    return np.split(prior, change)


def test_blocks_follow_the_rules_of_the_rig():
    lengths = []
    for seed in range(40):
        prior = task.block_priors(np.random.default_rng(seed), 1000)
        first, *rest, last = blocks_of(prior)
        assert len(first) == 90 and (first == 0.5).all()
        assert set(np.concatenate([*rest, last])) == {0.2, 0.8}
        assert all(a[0] != b[0] for a, b in zip(rest, [*rest[1:], last], strict=True))
        lengths += [len(block) for block in rest]
    assert 20 <= min(lengths) and max(lengths) < 100
    assert 47 < np.mean(lengths) < 54  # 50.9 for the real rule, whose scale of 60 is not its mean


def test_contrasts_and_sides():
    shown = task.sequence(np.random.default_rng(0), 40_000)
    share = shown["contrast"].value_counts(normalize=True).sort_index()
    assert np.allclose(share, np.array([1, 2, 2, 2, 2]) / 9, atol=0.01)
    biased = shown[shown["probabilityLeft"] != 0.5]
    assert abs(((biased["side"] < 0) == (biased["probabilityLeft"] == 0.8)).mean() - 0.8) < 0.01
    assert shown["quiescencePeriod"].between(0.4, 0.7).all() and abs(shown["quiescencePeriod"].mean() - 0.529) < 0.005


def test_belief_does_not_see_the_trial_it_is_about():
    sides = np.random.default_rng(3).choice([-1, 1], 200)
    belief = mouse.believe(sides)
    sides[150:] *= -1
    assert np.array_equal(belief[:151], mouse.believe(sides)[:151])
    assert belief[151] != mouse.believe(sides)[151]


def test_everything_says_that_it_is_synthetic(session, sample):
    assert session.synthetic and session.seed == 1
    assert session.details["lab"].startswith("syntheticlab")
    assert session.details["subject"].startswith("SIM-") and session.details["date"].year == 2001
    assert session.details["projects"] == "synthetic_not_ibl"
    assert session.eid.startswith("5eed0000") and session.insertions[0].pid.startswith("5eed0000")
    text = (sample.eid2path(session.eid) / "SYNTHETIC.txt").read_text(encoding="utf-8")
    assert text.startswith("SYNTHETIC") and "seed 1" in text


def test_what_was_put_in_is_kept_beside_the_recordings_not_among_them(session, sample):
    assert not [path for path in sample.list_datasets(session.eid) if "truth" in path]
    assert not list(sample.cache_dir.rglob("*truth*"))
    assert len(session.truth.units) == len(session.insertions[0].clusters)
    assert len(session.truth.trials) == len(session.trials)


def test_same_seed_same_session_and_another_seed_another():
    one, same, other = (simulate.session(seed, minutes=12, clusters=4) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one.trials, same.trials)
    pd.testing.assert_frame_equal(one.spikes, same.spikes)
    assert not np.array_equal(one.spikes["times"].iloc[:100], other.spikes["times"].iloc[:100])


def test_size_of_the_main_session(session):
    assert 400 < len(session.trials) < 650
    assert len(session.insertions[0].clusters) == 100
    assert session.trials["intervals_1"].iloc[-1] < 45 * 60
    assert len(session.insertions[0].spikes.times) < 1.6e6


def test_two_revisions_of_the_trials_differ_where_the_later_one_corrects(session, sample):
    old = sample.load_dataset(session.eid, "_ibl_trials.table.pqt", revision="2020-01-01")
    new = sample.load_dataset(session.eid, "_ibl_trials.table.pqt")
    assert session.available.loc["trials", "revision"] == "2025-03-03"
    moved = (old["stimOn_times"] != new["stimOn_times"]) & new["stimOn_times"].notna()
    assert 0 < moved.sum() < 20
    assert np.allclose((old["stimOn_times"] - new["stimOn_times"])[moved], 1 / 60)
    assert old["goCue_times"].isna().sum() > new["goCue_times"].isna().sum() + 30


def test_mouse_follows_the_stimulus_leans_with_the_block_and_is_not_perfect(session):
    table = session.trials
    curve = bwm.trials.psychometric(table)
    assert curve.loc[100, "p_right"] > 0.85 and curve.loc[-100, "p_right"] < 0.15
    assert 0.7 < (table["feedbackType"] == 1).mean() < 0.92
    assert (table["choice"] == 0).any()
    pooled = [simulate.session(seed, minutes=45, clusters=1).trials for seed in (11, 12)]
    zero = pd.concat(pooled).query("contrastLeft == 0 or contrastRight == 0")
    right = (zero["choice"] == -1).groupby(zero["probabilityLeft"]).mean()
    assert right[0.2] > right[0.8] + 0.1


def test_movements_found_in_the_wheel_are_those_that_were_made(session):
    late = session.trials["firstMovement_times"] - session.truth.trials["movement_onset"].to_numpy()
    assert late.notna().mean() > 0.95
    # A smooth reach leaves the first encoder edges only after some 20 to 60 ms.
    assert 0.01 < late.median() < 0.07


@pytest.mark.parametrize("variable, event", [("feedback", "feedback_times"), ("stimulus", "stimOn_times")])
def test_units_respond_if_and_only_if_a_response_was_put_in(variable, event, session, probe):
    truth = session.truth.units
    latency, decay = neurons.VARIABLES[variable][1:3]
    table = session.trials[session.trials["feedbackType"] == 1]
    if variable == "stimulus":
        table = table[bwm.trials.signed_contrast(table) == 100]
    times = table[event].dropna().to_numpy()

    def rate(start, stop):
        count = np.zeros(len(truth))
        for unit in truth.index:
            spikes = probe.spikes.times[probe.spikes.clusters == unit]
            count[unit] = (np.searchsorted(spikes, times + stop) - np.searchsorted(spikes, times + start)).sum()
        return count / (stop - start) / times.size

    others = [name for name in neurons.VARIABLES if name != variable]
    pure = (truth[[f"{name}_gain" for name in others]] == 0).all(axis=1) & (truth["rate"] > 1)
    responds = truth[f"{variable}_gain"] > 0
    if variable == "stimulus":
        responds &= truth["stimulus_side"] == 1
    change = rate(latency, latency + decay)[pure] / rate(-0.35, -0.15)[pure]
    responds, silent = responds[pure], truth.loc[pure, f"{variable}_gain"] == 0
    assert change[responds].mean() > 1.35
    assert abs(change[silent].mean() - 1) < 0.15


def test_faults_are_visible_in_the_spikes(session, probe):
    truth, spikes = session.truth.units, probe.spikes

    def violations(unit):
        times = spikes.times[spikes.clusters == unit]
        return (np.diff(times) < 0.0015).mean()

    busy = truth["rate"] > 2
    clean = [violations(unit) for unit in truth.index[busy & (truth["fault"] == "")]]
    dirty = [violations(unit) for unit in truth.index[busy & (truth["fault"] == "contaminated")]]
    assert max(clean) == 0 and min(dirty) > 0
    labels = probe.clusters["label"]
    assert (labels[truth["fault"] == ""] == 1).all() and (labels[truth["fault"] != ""] < 1).all()


def test_the_probe_lies_where_it_says(probe):
    channels = probe.channels
    assert channels["axial_um"].iloc[0] < channels["axial_um"].iloc[-1]
    assert (np.diff(channels["z"]) >= 0).all(), "channels go up from the tip"
    assert (channels["x"] < 0).all(), "the left hemisphere"
    assert {"CA1", "LP", "PO", "VISa5"} <= set(channels["acronym"])
    assert channels.loc[channels["acronym"] == "root", "axial_um"].min() > neurons.SURFACE
