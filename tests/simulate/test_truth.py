"""Simple analyses of the sample find what was put in, and nothing where nothing was."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import mannwhitneyu, spearmanr

import bwm_tutorials as bwm
from bwm_tutorials.simulate import mouse, neurons, task
from bwm_tutorials.simulate import session as simulated

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
def hours():
    """Many sessions of the same mouse: trials, what was put in, and the movements of the wheel."""
    made = (simulated.behave(seed, 60) for seed in SEEDS)
    return [(hour.trials, hour.truth_trials, hour.wheelMoves) for hour in made]


@pytest.fixture(scope="module")
def pool(hours):
    """Their trials: what the mouse does on average."""
    return pd.concat([trials for trials, _, _ in hours])


@pytest.mark.parametrize(
    ("start", "drift"), [(0, 0), (0.9, 0), (0, 1), (0.3, -0.5), (-0.9, 2), (0.6, -5), (-0.9, 6.7), (0.9, -3)]
)
def test_a_diffusion_ends_at_its_upper_bound_as_often_as_the_formula_says(start, drift):
    trials = np.ones(50_000)
    _, bound = mouse.diffuse(np.random.default_rng(0), start * trials, drift * trials)
    expected = mouse.reach_upper(np.array([start]), np.array([drift]))[0]
    error = np.sqrt(expected * (1 - expected) / trials.size)
    assert abs((bound > 0).mean() - expected) < 3 * error + 0.003


def test_each_trial_is_a_draw_with_the_probability_of_the_truth():
    """One sequence of trials, decided many times: who is engaged differs, so do probabilities, and choices follow."""
    shown = task.sequence(np.random.default_rng(1), 250)
    drawn = [mouse.decide(np.random.default_rng([7, i]), shown) for i in range(300)]
    chosen = np.array([d["choice"] != 0 for d in drawn])
    right, p_right = np.array([d["choice"] == -1 for d in drawn]), np.array([d["p_right"] for d in drawn])
    assert (np.ptp(p_right, axis=0) > 0).mean() > 0.9 and chosen.mean() < 1
    surprise, variance = (np.where(chosen, x, 0).sum(axis=0) for x in (right - p_right, p_right * (1 - p_right)))
    z = surprise / np.sqrt(variance)
    assert abs(z.mean()) < 0.2 and 0.8 < (z**2).mean() < 1.2 and np.abs(z).max() < 4.5


def test_of_trials_with_one_probability_as_many_are_right(hours):
    choice, p_right = (np.concatenate([part[i][name] for part in hours]) for i, name in ((0, "choice"), (1, "p_right")))
    choice, p_right = choice[choice != 0], p_right[choice != 0]
    assert choice.size > 8000 and ((p_right > 0) & (p_right < 1)).all()
    for tenth in np.array_split(np.argsort(p_right), 10):
        expected = p_right[tenth].mean()
        error = np.sqrt((p_right[tenth] * (1 - p_right[tenth])).sum()) / tenth.size
        assert abs((choice[tenth] == -1).mean() - expected) < 3.5 * error


def test_the_true_psychometric_curve_of_a_session_is_known(hours):
    """What is found scatters about it, from session to session, with no bias but that of few trials."""
    found, true = [], []
    for table, truth, _ in hours:
        observed = bwm.trials.psychometric(table)
        of_chosen = truth["p_right"][table["choice"] != 0]
        expected = of_chosen.groupby(bwm.trials.signed_contrast(table[table["choice"] != 0])).mean()
        assert expected.between(observed["low"], observed["high"]).sum() >= 7
        found.append(bwm.trials.fit_psychometric(observed))
        true.append(bwm.trials.fit_psychometric(observed.assign(p_right=expected)))
    found, true = pd.DataFrame(found), pd.DataFrame(true)
    for name, scatter in {"bias": 3, "threshold": 5, "lapse_low": 0.04, "lapse_high": 0.04}.items():
        off = found[name] - true[name]
        assert abs(off.mean()) < 3 * off.std() / np.sqrt(len(off)) and off.std() < scatter, name
        if name != "bias":  # which drifts
            assert true[name].std() < off.std(), f"{name}: sessions differ in what they draw, less in what they are"


def test_the_wheel_shows_when_the_first_movement_began(hours):
    """Held against it is the first movement found that begins later than .4 s before the stimulus.

    It is taken for the same if it begins within .1 s of the true one. The rule of ``firstMovement_times`` passes over
    movements below .1 rad, so it finds a later one where the first was a creep or a flinch.
    """
    other = []
    for table, truth, moves in hours:
        onset, true = moves.intervals[:, 0], truth["movement_onset"].to_numpy()
        first = np.searchsorted(onset, truth["stimOn_times"].to_numpy() - 0.4)
        off = np.append(onset, np.nan)[first] - true
        same = np.abs(off) < 0.1
        assert same.mean() > 0.97 and np.median(np.abs(off[same])) < 0.01

        off = table["firstMovement_times"].to_numpy() - true
        same = np.abs(off) < 0.1
        assert 0.85 < same.mean() < 0.97 and np.median(np.abs(off[same])) < 0.01
        other.append(off[~same & np.isfinite(off)])
    assert np.mean(np.concatenate(other) > 0.1) > 0.9


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


def test_a_mouse_that_is_not_engaged_is_slow_and_worse(hours, pool):
    engaged = np.concatenate([truth["engaged"] for _, truth, _ in hours])
    correct, latency = (pool["feedbackType"] == 1).to_numpy(), bwm.trials.movement_latency(pool)
    assert correct[engaged].mean() > correct[~engaged].mean() + 0.05
    assert np.nanmedian(latency[engaged]) < 0.5 * np.nanmedian(latency[~engaged])


def test_the_mouse_licks_in_bouts_that_begin_with_the_reward():
    """As in real mice: at 6 to 8 Hz, at times before the reward comes, and not when the recording has ended."""
    for seed in SEEDS[:5]:
        made = simulated.behave(seed, 22, after=None)
        licks, trials = made.scene.licks, made.scene.trials
        apart = np.diff(licks)
        assert apart.min() > 0.08 and 6 < 1 / np.median(apart) < 8 and licks[-1] < 22 * 60
        reward, error = (trials.loc[trials["feedbackType"] == kind, "feedback_times"] for kind in (1, -1))
        within = [np.searchsorted(licks, t + 1) - np.searchsorted(licks, t - 0.2) for t in (reward, error)]
        assert 5 < within[0].mean() < 8 and within[1].mean() < 2
        first = licks[np.searchsorted(licks, reward - 0.2)] - reward
        assert 0.02 < (first < 0).mean() < 0.35 and 0.04 < first.median() < 0.14


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


@pytest.mark.parametrize("variable, power", [("stimulus", 0.55), ("choice", 0.7), ("feedback", 0.7)])
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
    times = session.trials.loc[np.abs(bwm.trials.signed_contrast(session.trials)) >= 25, "stimOn_times"].dropna()
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
        made = simulated.behave(seed, 60)
        spikes = simulated.insert(seed, 0, "parietal", made, 20, None).spikes
        table, onset = made.trials, made.truth_trials["stimOn_times"].to_numpy()
        before = counts(spikes, 20, onset, -0.4, -0.1)
        block = table["probabilityLeft"].to_numpy()
        pseudo = bwm.blocks.pseudosessions(len(table), 200, seed)

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
