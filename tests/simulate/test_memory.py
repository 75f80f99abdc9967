"""Sessions in memory agree with those that are made for files, and a null twin knows nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import bwm_tutorials as bwm
from bwm_tutorials.simulate import memory, neurons
from bwm_tutorials.simulate import session as simulated

SEEDS = range(300, 304)
WINDOWS = {
    "stimulus": ("stimOn_times", (0.03, 0.2)),
    "choice": ("firstMovement_times", (-0.1, 0.1)),
    "feedback": ("feedback_times", (0.0, 0.3)),
    "wheel": ("firstMovement_times", (0.0, 0.3)),
    "licking": ("feedback_times", (0.0, 0.5)),
    "block": ("stimOn_times", (-0.4, -0.1)),
}
"""For each variable where a unit that knows it shows it."""


@pytest.fixture(scope="module")
def pairs():
    """Sessions of one seed made both ways: behaviour and probe for files, behaviour and probe in memory."""
    made = []
    for seed in SEEDS:
        filed, recording = simulated.behave(seed, 60, after=None), memory.behave(seed)
        probe = simulated.insert(seed, 0, "parietal", filed, 40, "teaching")
        made.append((filed, probe, recording, memory.insert(seed, recording, 40)))
    return made


@pytest.fixture(scope="module")
def compared(pairs):
    """For each variable, session and unit: how far the two counts differ, and how much they vary."""
    rows = []
    for filed, probe, _, insertion in pairs:
        for variable, (event, window) in WINDOWS.items():
            events = filed.trials[event]
            ours = memory.counts(insertion, events, window)
            theirs = bwm.spikes.counts_in_intervals(probe.spikes, bwm.spikes.around(events, window))
            assert ours.attrs == theirs.attrs and ours.index.equals(theirs.index)
            assert (ours.isna() == theirs.isna()).all(axis=None)
            # Rates are the same in each trial, so what differs are the draws.
            off = theirs - ours
            rows.append(
                pd.DataFrame(
                    {
                        "variable": variable,
                        "knows": insertion.truth_units[f"{variable}_gain"] != 0,
                        "fault": insertion.truth_units["fault"],
                        "fast": insertion.truth_units["rate"] > 5,
                        "bursts": insertion.truth_units["bursts"] > 0,
                        "z": off.mean(axis=1) / (off.std(axis=1) / np.sqrt(off.notna().sum(axis=1))),
                        "fano": (theirs.var(axis=1) / theirs.mean(axis=1)) / (ours.var(axis=1) / ours.mean(axis=1)),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def test_mouse_and_units_are_those_of_the_session_of_the_same_seed(pairs):
    for filed, probe, recording, insertion in pairs:
        pd.testing.assert_frame_equal(insertion.truth_units, probe.truth_units)
        pd.testing.assert_frame_equal(recording.truth_trials, filed.truth_trials)
        theirs, ours = filed.trials.copy(), recording.trials.copy()
        off = ours.pop("firstMovement_times") - theirs.pop("firstMovement_times")
        pd.testing.assert_frame_equal(ours, theirs)
        # Found in the wheel at 200 Hz, not in the encoder's ticks.
        assert (off.abs() < 0.03).sum() > 0.96 * theirs["choice"].ne(0).sum() and off.abs().median() < 0.006


@pytest.mark.parametrize("by", ["knows", "fault", "fast", "bursts"])
def test_mean_counts_are_those_of_the_files(by, compared):
    """They differ from unit to unit as their standard errors say, and no group of units has a bias.

    Spikes can lie in the windows of several variables, so these are looked at one by one.
    """
    for group, z in compared.groupby(["variable", by])["z"]:
        assert abs(z.mean()) < 3.5 / np.sqrt(z.size), group
        assert abs(z).max() < 4.5, group
        low, high = chi2.ppf([1e-5, 1 - 1e-5], z.size - 1) / (z.size - 1)
        assert low < z.var() < high, group


@pytest.mark.parametrize("by", ["variable", "knows", "fault", "fast", "bursts"])
def test_counts_vary_as_much_as_those_of_the_files(by, compared):
    """Fano factors agree to 10 % in the median of units; no refractory period makes counts in memory more regular."""
    for group, fano in compared.groupby(by)["fano"]:
        assert 0.9 < fano.median() < 1.1, group


def test_the_same_seed_gives_the_same_and_each_window_its_own_draw():
    drawn = []
    for _ in range(2):
        recording = memory.behave(5, 20)
        insertion = memory.insert(5, recording, 8)
        drawn.append([memory.counts(insertion, recording.trials["stimOn_times"], w) for w in ((0, 0.1), (0, 0.11))])
    for one, again in zip(*drawn, strict=True):
        pd.testing.assert_frame_equal(one, again)
    short, long = drawn[0]
    assert (short > long).to_numpy().any(), "these are different draws"


def test_a_rate_is_the_same_whichever_bins_are_wanted():
    recording = memory.behave(6, 15)
    insertion = memory.insert(6, recording, 6)
    bins = np.flatnonzero(np.random.default_rng(0).random(neurons.n_bins(15 * 60)) < 0.1)
    given = (insertion.seeds, insertion.truth_units, insertion.drives)
    for (_, _, everywhere), (_, _, there) in zip(neurons.rates(*given), neurons.rates(*given, bins), strict=True):
        np.testing.assert_array_equal(everywhere[bins], there)


def test_what_is_not_known_is_not_counted():
    recording = memory.behave(7, 15)
    insertion = memory.insert(7, recording, 3)
    drawn = memory.counts(insertion, [np.nan, 0.1, 100.0, 15 * 60 - 0.1], (-0.2, 0.2))
    assert drawn.isna().all().tolist() == [True, True, False, True]
    assert memory.counts(insertion, [np.nan], (-0.2, 0.2)).isna().all(axis=None)


def test_how_the_mouse_decides_is_passed_on():
    able, unable = (memory.behave(8, 40, skill=skill).trials["feedbackType"].eq(1).mean() for skill in (1.2, 0.2))
    assert able > unable + 0.1


def test_a_null_twin_has_the_same_trials_and_knows_nothing():
    """5 % of its units are flagged, within what sessions differ; of units that know the choice, many more.

    Of the block, which comes in runs as rates wander, a test by shuffles flags too many in nothing.
    """
    rates = []
    for seed in range(2001, 2041):
        recording = memory.behave(seed)
        trials = recording.trials
        condition = pd.DataFrame({"side": trials["contrastLeft"].isna(), "block": trials["probabilityLeft"]})
        row = {}
        for what, effects in (("power", {"choice": 1.0}), ("null", None)):
            insertion = memory.insert(seed, recording, effects=effects)
            counts = memory.counts(insertion, trials["firstMovement_times"], (-0.1, 0.0))
            p = bwm.responses.selectivity(counts, trials["choice"].replace(0, np.nan), condition, 400)["p"]
            row[what] = (p < 0.05).mean()
        before = memory.counts(insertion, trials["stimOn_times"], (-0.4, -0.1))
        block = trials["probabilityLeft"].replace(0.5, np.nan)
        row["naive"] = (bwm.responses.selectivity(before, block, null=400)["p"] < 0.05).mean()
        rates.append(row)
    rates = pd.DataFrame(rates)
    error = rates["null"].std() / np.sqrt(len(rates))
    assert error < 0.012 and abs(rates["null"].mean() - 0.05) < 3.3 * error
    assert rates["power"].mean() > 0.25 and rates["naive"].mean() > 0.12


@pytest.mark.parametrize("drift", [0, 1.5, 2.5])
def test_the_bias_drifts_as_much_as_it_is_told_to_and_slowly(drift):
    truth, chosen = [], []
    for seed in range(500, 512):
        recording = memory.behave(seed, drift=drift)
        truth.append(recording.truth_trials)
        nothing = recording.trials["contrastLeft"].fillna(recording.trials["contrastRight"]) == 0
        chosen.append(recording.trials["choice"][nothing & (recording.trials["choice"] != 0)] == -1)
    bias = pd.concat([table["bias"] for table in truth])
    # Some fifty independent stretches: their standard deviation is known to a tenth.
    assert bias.std() == pytest.approx(drift, rel=0.25)
    later = pd.concat([table["bias"].shift(20) for table in truth])
    if drift:
        assert bias.corr(later) > 0.8
    # Where nothing is seen, the bias and the belief decide, as the truth has it.
    right, p = (
        pd.concat(chosen),
        pd.concat([table["p_right"][each.index] for table, each in zip(truth, chosen, strict=True)]),
    )
    assert abs(right.mean() - p.mean()) < 3 * np.sqrt(p.mean() * (1 - p.mean()) / len(p))
    odds = pd.concat([table["bias"][each.index] for table, each in zip(truth, chosen, strict=True)])
    if drift:
        assert right[(odds > drift / 2).to_numpy()].mean() - right[(odds < -drift / 2).to_numpy()].mean() > 0.3
