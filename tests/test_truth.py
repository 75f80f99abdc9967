"""Simple analyses of the sample find what was put in, and nothing where nothing was."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import mannwhitneyu, spearmanr

import bwm_tutorials as bwm
from bwm_tutorials.simulate import neurons, recording

SEEDS = range(100, 120)


def counts(spikes, n_units, events, start, stop):
    """Spikes of each unit (rows) from ``start`` to ``stop`` seconds after each event."""
    order = np.argsort(np.asarray(spikes["clusters"]), kind="stable")
    trains = np.split(
        np.asarray(spikes["times"])[order], np.cumsum(np.bincount(spikes["clusters"], minlength=n_units))[:-1]
    )
    return np.array([np.searchsorted(t, events + stop) - np.searchsorted(t, events + start) for t in trains])


def p_values(values, first, second):
    return np.array([mannwhitneyu(row[first], row[second]).pvalue for row in values])


# The mouse


@pytest.fixture(scope="module")
def pool():
    """Many sessions of the same mouse: what it does on average."""
    return pd.concat([recording.behave(seed, 60).trials for seed in SEEDS])


def test_the_session_is_a_draw_from_the_mouse(session, pool):
    table, average = bwm.trials.psychometric(session.trials), bwm.trials.psychometric(pool)
    inside = average["p_right"].between(table["low"], table["high"])
    assert inside.sum() >= len(table) - 2


def test_the_mouse_leans_with_the_block_and_sees_what_it_sees(pool):
    fits = {
        p: bwm.trials.fit_psychometric(bwm.trials.psychometric(part)) for p, part in pool.groupby("probabilityLeft")
    }
    assert fits[0.2]["bias"] < -1 < 1 < fits[0.8]["bias"], "a bias to the left of 0 is a lean to the right"
    for fit in fits.values():
        assert 8 < fit["threshold"] < 22
    # Evidence from one process: strong stimuli are answered sooner and better.
    contrast = bwm.trials.signed_contrast(pool)
    latency = pd.Series(bwm.trials.movement_latency(pool)).groupby(np.abs(contrast)).median()
    correct = (pool["feedbackType"] == 1).groupby(np.abs(contrast)).mean()
    assert latency.is_monotonic_decreasing and correct.is_monotonic_increasing


def test_belief_follows_the_blocks_and_precedes_the_choice(session):
    truth, table = session.truth.trials, session.trials
    assert spearmanr(truth["belief"], table["probabilityLeft"]).statistic > 0.5
    nothing = bwm.trials.signed_contrast(table) == 0
    chosen = nothing & (table["choice"] != 0)
    left = table["choice"][chosen] == 1
    assert truth["belief"][chosen][left].mean() > truth["belief"][chosen][~left].mean() + 0.05


def test_a_mouse_that_is_not_engaged_is_slow_and_worse(pool):
    truth = pd.concat([recording.behave(seed, 60).truth_trials for seed in SEEDS[:5]])
    table = pool.iloc[: len(truth)]
    engaged = truth["engaged"].to_numpy()
    correct, latency = (table["feedbackType"] == 1).to_numpy(), bwm.trials.movement_latency(table)
    assert correct[engaged].mean() > correct[~engaged].mean() + 0.05
    assert np.nanmedian(latency[engaged]) < 0.5 * np.nanmedian(latency[~engaged])


# The neurons


@pytest.fixture(scope="module")
def tested(session):
    """For each probe, its truth and the p value of each unit for each variable."""
    table = session.trials
    ok = table[["stimOn_times", "feedback_times", "firstMovement_times"]].notna().all(axis=1) & (table["choice"] != 0)
    table = table[ok]
    right = (bwm.trials.signed_contrast(table) > 20), (bwm.trials.signed_contrast(table) < -20)
    tests = {
        "stimulus": ("stimOn_times", 0.03, 0.15, *right),
        "choice": ("firstMovement_times", -0.08, 0.05, table["choice"] == -1, table["choice"] == 1),
        "feedback": ("feedback_times", 0.07, 0.4, table["feedbackType"] == 1, table["feedbackType"] == -1),
    }
    found = []
    for probe in session.insertions:
        p = {}
        for variable, (event, start, stop, one, other) in tests.items():
            values = counts(probe.spikes, len(probe.clusters), table[event].to_numpy(), start, stop)
            p[f"p_{variable}"] = p_values(values, np.asarray(one), np.asarray(other))
        found.append(probe.truth.assign(**p))
    return pd.concat(found, ignore_index=True)


KNOWS = [f"{variable}_gain" for variable in neurons.GAIN]


@pytest.mark.parametrize("variable, power", [("stimulus", 0.6), ("choice", 0.7), ("feedback", 0.7)])
def test_units_that_know_a_variable_are_found(variable, power, tested):
    knows = tested[f"{variable}_gain"] != 0
    share = neurons.TEACHING[variable]
    assert abs(knows.mean() - share) < 0.01
    clear = knows & (tested["rate"] > 2)
    assert (tested.loc[clear, f"p_{variable}"] < 0.05).mean() > power
    # Units that know nothing at all, for stimulus, choice and feedback come together.
    nothing = (tested[KNOWS] == 0).all(axis=1)
    assert nothing.sum() > 20
    assert (tested.loc[nothing, f"p_{variable}"] < 0.05).mean() < 0.15


def test_stimulus_latencies_are_those_put_in(session):
    """The mean response of units begins when the earliest of theirs was made to begin, as far as 10 ms bins tell."""
    times = session.trials.loc[np.abs(bwm.trials.signed_contrast(session.trials)) == 100, "stimOn_times"].dropna()
    bins = np.arange(-0.1, 0.2, 0.01)
    found = {}
    for probe in session.insertions:
        truth = probe.truth
        pure = (truth["stimulus_gain"] > 0) & (truth["choice_gain"] == 0) & (truth["wheel_gain"] == 0)
        units = truth.index[pure & truth["acronym"].str.match("LP|SC[so]|VISpm")]
        psth = np.array(
            [counts(probe.spikes, len(truth), times.to_numpy(), b, b + 0.01)[units].sum() for b in bins], float
        )
        rest = psth[bins < 0]
        onset = bins[np.argmax((bins > 0.01) & (psth > rest.mean() + 3 * rest.std()))]
        found[probe.name] = onset - truth.loc[units, "stimulus_latency"].min()
    assert all(-0.011 < error < 0.03 for error in found.values()), found


@pytest.mark.parametrize("variable", ["wheel", "licking", "block"])
def test_the_sign_of_what_a_unit_knows_can_be_seen(variable, session):
    table = session.trials
    onset = session.truth.trials["stimOn_times"].to_numpy()
    lean = np.log(1 / session.truth.trials["belief"].to_numpy() - 1)
    clock = np.arange(60, table["intervals_1"].iloc[-1], 0.1)
    speed = np.abs(
        np.diff(np.interp(np.append(clock, clock[-1] + 0.1), session.wheel.timestamps, session.wheel.position))
    )
    licks = np.histogram(session.truth.licks["times"], np.append(clock, clock[-1] + 0.1))[0]
    agree = []
    for probe in session.insertions:
        truth, n = probe.truth, len(probe.clusters)
        if variable == "block":
            values, against = counts(probe.spikes, n, onset, -0.5, 0), lean
        else:
            values, against = counts(probe.spikes, n, clock, 0, 0.1), {"wheel": speed, "licking": licks}[variable]
        knows = np.flatnonzero(truth[f"{variable}_gain"])
        agree += [
            np.sign(spearmanr(values[u], against).statistic) == np.sign(truth[f"{variable}_gain"][u]) for u in knows
        ]
    assert np.mean(agree) > 0.8


def test_receptive_fields_are_where_they_were_put(session):
    """The pixel whose flashes are followed by most spikes, smoothed over its neighbours."""
    passive, off = session.passive, []
    frames = passive.rf_frames.astype(int)
    onsets = {}
    for sign, shade in (("on", 255), ("off", 0)):
        lit = frames == shade
        started = lit & ~np.roll(lit, 1, axis=0)
        onsets[sign] = started
    for probe in session.insertions:
        truth = probe.truth
        for unit in truth.index[(truth["rf_gain"] > 4) & (truth["rate"] > 2)]:
            spikes = probe.spikes.times[probe.spikes.clusters == unit]
            count = np.searchsorted(spikes, passive.rf_times + 0.25) - np.searchsorted(spikes, passive.rf_times + 0.03)
            signs = ["on", "off"] if truth["rf_sign"][unit] == "both" else [truth["rf_sign"][unit]]
            maps = sum((onsets[s] * count[:, None, None]).sum(axis=0) / onsets[s].sum(axis=0) for s in signs)
            found = np.unravel_index(gaussian_filter(maps, 0.8).argmax(), maps.shape)
            off.append(np.hypot(*(np.array(found) - truth.loc[unit, ["rf_row", "rf_column"]].astype(float))))
    assert len(off) > 8 and np.median(off) < 1.2, f"{len(off)} units, median error {np.median(off):.1f} pixels"


# The null


@pytest.fixture(scope="module")
def null_rates():
    """Share of p < .05 among units that know nothing, for each of twenty sessions and each test."""
    rates = []
    for seed in SEEDS:
        made = recording.behave(seed, 60)
        spikes = recording.insert(seed, 0, "parietal", made, 20, None).spikes
        table, onset = made.trials, made.truth_trials["stimOn_times"].to_numpy()
        before = counts(spikes, 20, onset, -0.4, -0.1)
        block = table["probabilityLeft"].to_numpy()
        pseudo = bwm.trials.pseudosessions(len(table), 200, seed)

        def difference(values, block):
            return np.abs(values[:, block == 0.2].mean(axis=1) - values[:, block == 0.8].mean(axis=1))

        chance = np.array([difference(before, one) for one in pseudo])
        rates.append(
            {
                "block, naive": p_values(before, block == 0.2, block == 0.8),
                "block, pseudosessions": (1 + (chance >= difference(before, block)).sum(axis=0)) / 201,
                "feedback": p_values(
                    counts(spikes, 20, table["feedback_times"].to_numpy(), 0.05, 0.35),
                    table["feedbackType"] == 1,
                    table["feedbackType"] == -1,
                ),
            }
        )
    return pd.DataFrame([{name: (p < 0.05).mean() for name, p in row.items()} for row in rates])


def test_a_right_test_of_the_null_flags_five_percent(null_rates):
    for name in ("block, pseudosessions", "feedback"):
        assert 0.025 < null_rates[name].mean() < 0.085, name


def test_the_naive_test_of_the_block_flags_too_many(null_rates):
    naive = null_rates["block, naive"]
    assert naive.mean() > 0.12 and naive.mean() > 2 * null_rates["block, pseudosessions"].mean()
    assert naive.max() > 0.25, "and some sessions many more: their units share one sequence of blocks"
