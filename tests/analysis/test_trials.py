"""Choices, latencies, blocks and beliefs: against brainbox, statsmodels, the rules of the task and what was put in."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import ks_2samp

import bwm_tutorials as bwm
from bwm_tutorials.analysis import blocks, priors, trials
from bwm_tutorials.errors import MissingDataset, TooFew
from bwm_tutorials.simulate import mouse, task

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


@pytest.fixture(scope="module")
def recorded(real_data):
    """The trials of real sessions with biased blocks, by name."""
    one = bwm.connect(real_data)
    sessions = [bwm.Session(eid, one) for eid in one.search()]
    return {session.name: session.trials for session in sessions}


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


def test_fit_finds_the_highest_peak_in_every_block(session, real):
    # The reference is psychofit's own search from twenty random points; one search stops short by a lot in places.
    psychofit = pytest.importorskip("psychofit")
    limits = np.array([-100, 0.1, 0, 0]), np.array([100, 100, 0.5, 0.5])
    rng = np.random.default_rng(0)
    short, short_of_one = [], []
    for table in (session.trials, real.trials):
        for _, block in blocks.blocks(table["probabilityLeft"]).iterrows():
            start = int(block["start"])
            curve = trials.psychometric(table.iloc[start : start + int(block["n_trials"])])
            data = np.vstack([curve.index, curve["n_trials"], curve["p_right"]])
            points = [rng.uniform([-40, 1, 0, 0], [40, 60, 0.4, 0.4]) for _ in range(20)]
            found = [psychofit.mle_fit_psycho(data, "erf_psycho_2gammas", p, *limits, nfits=1)[1] for p in points]
            short.append(max(found) - trials.fit_psychometric(curve)["log_likelihood"])
            short_of_one.append(max(found) - found[0])
    assert len(short) > 15 and max(short) < 0.01
    assert max(short_of_one) > 1


def test_fit_needs_four_contrasts(session):
    with pytest.raises(ValueError, match="four contrasts or more; this table has 2"):
        trials.fit_psychometric(trials.psychometric(session.trials).iloc[[0, -1]])


def test_trials_without_any_latency_say_so(session):
    with pytest.raises(MissingDataset, match="no firstMovement_times, response_times; they have"):
        trials.latencies(session.trials.drop(columns=["firstMovement_times", "response_times"]))


def test_latencies(session):
    table = session.trials
    moved, responded = trials.movement_latency(table), trials.response_latency(table)
    known = np.isfinite(moved) & np.isfinite(responded)
    assert known.mean() > 0.95
    assert (moved[known] <= responded[known]).all()
    assert (moved[known] < 0).any(), "some mice move before the stimulus"


def test_response_latency_is_what_brainbox_calls_reaction_time(real):
    training = pytest.importorskip("brainbox.behavior.training")
    assert np.nanmedian(trials.response_latency(real.trials)) == training.compute_median_reaction_time(real.trials)


def test_a_recording_without_movements_says_so(real):
    for measure in (trials.movement_latency, trials.bwm_mask):
        with pytest.raises(MissingDataset, match=r"have no .*firstMovement_times.*they have response_times"):
            measure(real.trials)


# Sides


@given(tables())
def test_every_stimulus_has_a_side_whatever_its_contrast(table):
    assert (trials.stimulus_side(table) == np.where(table["contrastLeft"].notna(), -1, 1)).all()


@pytest.mark.parametrize("which", ["session", "real"])
def test_a_choice_of_the_stimulus_side_is_what_is_rewarded(which, request):
    table = request.getfixturevalue(which).trials
    same = trials.chosen_side(table) == trials.stimulus_side(table)
    assert (same == (table["feedbackType"] == 1)).all()


# Latency by contrast, and performance over the session


@pytest.mark.parametrize("event", ["response_times", "firstMovement_times"])
def test_chronometric_agrees_with_brainbox(event, session, recorded):
    training = pytest.importorskip("brainbox.behavior.training")
    for table in (session.trials, recorded["NYU-11 2020-02-21"]):
        curve = trials.chronometric(table, table[event] - table["stimOn_times"])
        medians, contrasts, n = training.compute_reaction_time(table, stim_off_type=event)
        assert np.allclose(curve.index, contrasts) and np.allclose(curve["median"], medians)
        # brainbox counts the trials of a contrast, we those whose latency is known.
        known = (table[event] - table["stimOn_times"]).notna()
        assert n.sum() == len(table) and curve["n_trials"].sum() == known.sum() < len(table)


def test_latency_falls_with_contrast(session):
    latency = trials.movement_latency(session.trials)
    curve = trials.chronometric(session.trials, latency, signed=False)
    assert list(curve.index) == [0, 6.25, 12.5, 25, 100]
    assert curve.loc[100, "high"] < curve.loc[0, "low"]
    signed = trials.chronometric(session.trials, latency)
    assert signed.groupby(np.abs(signed.index))["n_trials"].sum().tolist() == curve["n_trials"].tolist()


def test_limits_hold_the_median_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    n = 2000
    table = pd.DataFrame({"contrastLeft": np.nan, "contrastRight": np.repeat(np.arange(n) / n, 30)})
    curve = trials.chronometric(table, rng.exponential(size=len(table)))
    assert 0.94 < ((curve["low"] <= np.log(2)) & (np.log(2) <= curve["high"])).mean() < 0.98
    few = trials.chronometric(table[:5], np.arange(5.0))
    assert few["median"].item() == 2 and few[["low", "high"]].isna().all(axis=None)


def test_running_latency_is_the_line_that_brainbox_draws(session):
    training = pytest.importorskip("brainbox.behavior.training")
    _, axes = training.plot_reaction_time_over_trials(session.trials)
    drawn = np.array(axes.lines[0].get_ydata(), float)[9:]
    ours = trials.performance(session.trials, trials.response_latency(session.trials), window=10)["latency"]
    # Its window lies before the trial, ours around it; one latency that is not known leaves a gap in its line alone.
    gap = np.isnan(drawn)
    assert np.allclose(ours[5:-4][~gap], drawn[~gap])
    assert gap.sum() == 10 and ours.notna().all()


def test_performance_counts_in_a_window(session):
    table, window = session.trials.copy(), 20
    table.loc[100:129, ["choice", "feedbackType"]] = 0, -1
    latency = trials.movement_latency(table)
    found = trials.performance(table, latency, window)
    for i in (0, 5, 100, 115, 300, len(table) - 1):
        part = slice(max(i - 10, 0), i + 10)
        assert np.isclose(found["correct"][i], (table["feedbackType"][part] == 1).mean())
        assert np.isclose(found["no_choice"][i], (table["choice"][part] == 0).mean())
        assert np.isclose(found["latency"][i], np.nanmedian(latency[part]))
    assert found["no_choice"][115] == 1 and found["correct"][115] == 0


# The trials that are kept


def kept(row) -> bool:
    """The rule, for one trial, in other words."""
    events = ["stimOn_times", "choice", "feedback_times", "probabilityLeft", "firstMovement_times", "feedbackType"]
    if any(row[event] != row[event] for event in events):
        return False
    return 0.08 <= row["firstMovement_times"] - row["stimOn_times"] <= 2


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.08, 1.0, 2.0, 2.5, np.nan])] * 6), min_size=1))
def test_the_mask_keeps_what_passes_every_rule(rows):
    table = pd.DataFrame(rows, columns=trials.EVENTS)
    mask = trials.bwm_mask(table)
    assert mask.tolist() == [kept(row) for _, row in table.iterrows()]
    # Each removed trial breaks a rule, and a latency that is not known is not counted again as early or late.
    rules = trials.bwm_rules(table)
    assert not rules[~mask].all(axis=1).any()
    assert rules.loc[table["firstMovement_times"].isna(), ["early", "late"]].all(axis=None)


def test_the_mask_of_a_real_session(recorded):
    table = recorded["NYU-11 2020-02-21"]
    assert trials.bwm_mask(table).tolist() == [kept(row) for _, row in table.iterrows()]
    # As IBL's load_trials_and_mask counts them.
    assert trials.bwm_mask(table).sum() == 245
    removed = (~trials.bwm_rules(table)).sum()
    assert removed[removed > 0].to_dict() == {
        "stimOn_times": 3,
        "feedback_times": 4,
        "firstMovement_times": 7,
        "early": 78,
        "late": 95,
    }


def test_the_mask_selects_trials_whatever_their_index(session):
    table = session.trials.set_index(np.arange(len(session.trials)) + 1000)
    assert len(table[trials.bwm_mask(table)]) == trials.bwm_mask(session.trials).sum()
    quick = table["firstMovement_times"] - table["stimOn_times"] < 0.08
    assert not trials.bwm_mask(table)[quick].any() and quick.any()


# Blocks


def lengths(sequences) -> np.ndarray:
    """Of the biased blocks that the session's end did not cut short."""
    return np.concatenate([blocks.blocks(p)["n_trials"][1:-1] for p in sequences])


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.8, np.nan]), st.integers(1, 5)), min_size=1))
def test_blocks_put_together_are_the_sequence(parts):
    p_left = np.repeat(*zip(*parts, strict=True))
    found = blocks.blocks(p_left)
    assert np.array_equal(np.repeat(found["probabilityLeft"], found["n_trials"]), p_left, equal_nan=True)
    p = found["probabilityLeft"].fillna(-1).to_numpy()
    assert (p[1:] != p[:-1]).all()
    position = blocks.position_in_block(p_left)
    assert (position[found["start"]] == 0).all() and (position == 0).sum() == len(found)
    assert set(np.diff(position)[np.diff(position) != 1]) <= set(-position)


def assert_task_rules(p_left):
    found = blocks.blocks(p_left)
    assert found.loc[0, ["start", "n_trials", "probabilityLeft"]].tolist() == [0, 90, 0.5]
    assert set(found["probabilityLeft"][1:]) <= {0.2, 0.8}
    assert found["n_trials"][1:-1].between(20, 99).all()


def test_real_blocks_follow_the_rules_that_pseudosessions_follow(recorded, session):
    for table in (*recorded.values(), session.trials):
        assert_task_rules(table["probabilityLeft"])
    for p_left in blocks.pseudosessions(600, 50, seed=0):
        assert_task_rules(p_left)


def test_pseudosessions_have_the_lengths_of_brainbox_and_of_the_rig():
    closed_loop = pytest.importorskip("brainbox.task.closed_loop")
    from ibllib.io.extractors import ephys_fpga

    folder = Path(ephys_fpga.__file__).with_name("ephys_sessions")
    rig = [np.load(folder / f"session_{number}_ephys_pcqs.npy")[:, 4] for number in range(12)]
    np.random.seed(0)
    theirs = np.array([closed_loop.generate_pseudo_blocks(2000) for _ in range(60)])
    ours = blocks.pseudosessions(2000, 60, seed=0)
    assert ours.shape == theirs.shape
    for other in (theirs, rig):
        assert ks_2samp(lengths(ours), lengths(other)).pvalue > 0.05
    # Of whole blocks: the end of a session cuts long ones short more often, so that those left are shorter.
    assert lengths(blocks.pseudosessions(100_000, 1, seed=0)).mean() == pytest.approx(50.9, abs=1)
    first = blocks.pseudosessions(100, 2000, seed=0)[:, 90]
    assert (first == 0.2).mean() == pytest.approx(0.5, abs=0.05) and set(first) == {0.2, 0.8}


def test_a_short_pseudosession_is_as_long_as_asked_where_that_of_brainbox_is_longer():
    closed_loop = pytest.importorskip("brainbox.task.closed_loop")
    assert blocks.pseudosessions(40, 2, seed=0).shape == (2, 40)
    assert len(closed_loop.generate_pseudo_blocks(40)) >= 90


def test_pseudosessions_are_those_of_their_seed():
    first = blocks.pseudosessions(500, 3, seed=4)
    assert np.array_equal(first, blocks.pseudosessions(500, 3, seed=4))
    assert not np.array_equal(first, blocks.pseudosessions(500, 3, seed=5))


# What the sides tell of the block


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 1.0, np.nan]), st.sampled_from([-25.0, 0.0, 25.0]), st.sampled_from([0.2, 0.5, 0.8])
        ),
        min_size=1,
        max_size=60,
    )
)
def test_block_shift_is_the_weighted_mean_of_differences_at_each_contrast(rows):
    right, contrast, p_left = map(np.array, zip(*rows, strict=True))
    parts = []
    for level in np.unique(contrast):
        one, other = (right[(contrast == level) & (p_left == p) & ~np.isnan(right)] for p in (0.2, 0.8))
        if one.size and other.size:
            parts.append((one.mean() - other.mean(), one.size * other.size / (one.size + other.size)))
    differences, weights = np.array(parts).T if parts else (np.array([]), np.array([]))
    expected = np.average(differences, weights=weights) if parts else np.nan
    with nullcontext() if parts else pytest.raises(TooFew):
        assert blocks.block_shift(right, contrast, p_left) == pytest.approx(expected)
    both = blocks.block_shift(right, contrast, np.array([p_left, 1 - p_left]).round(1))
    assert both == pytest.approx([expected, -expected], nan_ok=True)


def test_curve_and_belief_of_the_simulated_mouse_are_recovered():
    """Against the exact probabilities of its choices, which make the true curve of each session."""
    errors, followed = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        shown = task.sequence(rng, 800)
        decided = mouse.decide(rng, shown)
        left, right = (shown["contrast"].where(shown["side"] == side) for side in (-1, 1))
        table = pd.DataFrame({"contrastLeft": left, "contrastRight": right, "choice": decided["choice"]})
        curve = trials.psychometric(table)
        truth = curve.assign(p_right=decided["p_right"].groupby(trials.signed_contrast(table)).mean())
        errors.append(trials.fit_psychometric(curve) - trials.fit_psychometric(truth))
        learned = priors.fit_kernel(table, shown["side"].to_numpy())
        belief = priors.kernel_p_left(shown["side"], learned["learning_rate"])
        followed.append(np.corrcoef(belief, decided["belief"])[0, 1])
    typical = pd.DataFrame(errors).abs().median()
    assert typical["bias"] < 1 and typical["threshold"] < 4  # percent contrast
    assert typical["lapse_low"] < 0.03 and typical["lapse_high"] < 0.03
    assert min(followed) > 0.95


def test_block_shift_finds_what_was_put_in_and_nothing_in_a_mouse_that_only_looks():
    found, put_in, blind = [], [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        shown = task.sequence(rng, 600)
        decided = mouse.decide(rng, shown)
        right = (decided["choice"] == -1).where(decided["choice"] != 0).astype(float)
        signed = 100 * shown["side"] * shown["contrast"]
        found.append(blocks.block_shift(right, signed, shown["probabilityLeft"]))
        put_in.append(blocks.block_shift(decided["p_right"], signed, shown["probabilityLeft"]))
        blind.append(blocks.block_shift(rng.random(600) < 0.5 + signed / 250, signed, shown["probabilityLeft"]))
    assert np.abs(np.subtract(found, put_in)).mean() < 0.04 and np.mean(put_in) > 0.15
    assert abs(np.mean(np.subtract(found, put_in))) < 0.025 and abs(np.mean(blind)) < 0.05


def test_block_shift_follows_the_stimulus_only_if_contrasts_are_mixed(session):
    """Without comparing like with like, a mouse that knows nothing of blocks seems to know them."""
    table = session.trials
    signed, p_left = trials.signed_contrast(table), table["probabilityLeft"].to_numpy()
    looks = (signed > 0).astype(float)
    assert blocks.block_shift(looks, signed, p_left) == 0
    assert blocks.block_shift(looks, np.zeros_like(signed), p_left) > 0.4


@given(st.lists(st.sampled_from([0.2, 0.5, 0.8]), min_size=1, max_size=80), st.integers(0, 9))
def test_shuffled_trials_stay_in_their_block(p_left, seed):
    orders = blocks.shuffled_within_blocks(p_left, 7, seed)
    assert (np.sort(orders, axis=1) == np.arange(len(p_left))).all()
    found = blocks.blocks(p_left)
    block = np.repeat(found.index, found["n_trials"])
    assert (block.to_numpy()[orders] == block.to_numpy()).all()
    np.testing.assert_array_equal(orders, blocks.shuffled_within_blocks(p_left, 7, seed))


def test_every_order_within_a_block_is_as_likely():
    orders = blocks.shuffled_within_blocks([0.8, 0.8, 0.8, 0.2], 6000, 1)
    _, times = np.unique(orders, axis=0, return_counts=True)
    assert times.size == 6 and (np.abs(times - 1000) < 130).all()


def test_no_pseudosession_is_the_simulated_session(session):
    """Of whatever seed: a null that holds the session itself is none."""
    actual = session.trials["probabilityLeft"].to_numpy()
    for seed in range(20):
        assert not (blocks.pseudosessions(actual.size, 20, seed) == actual).all(axis=1).any()
        drawn = task.sequence(np.random.default_rng([seed, 0]), actual.size)["probabilityLeft"].to_numpy()
        assert not (blocks.pseudosessions(actual.size, 20, seed) == drawn).all(axis=1).any()


def draw_sides(p_left, seed=0):
    return np.where(np.random.default_rng(seed).random(p_left.shape) < p_left, -1, 1)


def every_sequence(n_trials, kind, chance=1.0):
    """Every course that blocks may take for some trials, the first of a kind, and how likely it is."""
    n = np.arange(20, 100)
    of_length = np.exp(-n / 60) - np.exp(-(n + 1) / 60)  # whole trials of an exponential length
    of_length /= of_length.sum()
    yield np.full(n_trials, kind), chance * of_length[n >= n_trials].sum()
    for length, p in zip(n[n < n_trials], of_length, strict=False):
        for rest, so_likely in every_sequence(n_trials - length, 1 - kind, chance * p):
            yield np.append(np.full(length, kind), rest), so_likely


def test_bayes_optimal_is_the_sum_over_all_sequences():
    n = 66
    courses = [course for kind in (0.2, 0.8) for course in every_sequence(n, kind, 0.5)]
    p_left, prior = (np.array(part) for part in zip(*courses, strict=True))
    assert prior.sum() == pytest.approx(1) and len(prior) > 500
    truth = np.append(np.full(90, 0.5), np.repeat([0.8, 0.2, 0.8], [21, 25, 20]))
    for seed in range(5):
        side = draw_sides(truth, seed)
        seen = np.cumprod(np.where(side[90:] < 0, p_left, 1 - p_left), axis=1)
        weight = prior[:, None] * np.column_stack([np.ones(len(prior)), seen[:, :-1]])
        exact = (weight * p_left).sum(axis=0) / weight.sum(axis=0)
        found = priors.bayes_optimal_p_left(side)
        assert (found[:90] == 0.5).all() and np.allclose(found[90:], exact, rtol=0, atol=1e-12)


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=80), st.integers(0, 79))
def test_no_estimate_looks_at_its_own_trial_or_later_ones(sides, trial):
    side = np.append(np.ones(90, int), sides)
    trial = min(90 + trial, side.size - 1)
    changed = np.append(side[:trial], -side[trial:])
    for estimate in (priors.bayes_optimal_p_left, lambda side: priors.kernel_p_left(side, 0.2)):
        found = estimate(side)
        assert np.array_equal(found[: trial + 1], estimate(changed)[: trial + 1])
        assert np.allclose(estimate(-side), 1 - found)
        if trial + 1 < side.size and side[trial]:
            assert (found[trial + 1] > estimate(changed)[trial + 1]) == (side[trial] < 0)


def test_bayes_optimal_means_what_it_says_and_is_the_best():
    p_left = blocks.pseudosessions(600, 300, seed=0)
    side = draw_sides(p_left)
    found = priors.bayes_optimal_p_left(side)
    assert ((found > 0.2 - 1e-12) & (found < 0.8 + 1e-12)).all()
    bins = np.digitize(found[:, 90:], np.arange(0.25, 0.8, 0.05))
    for number in np.unique(bins):
        of_bin = bins == number
        error = 0.5 / np.sqrt(of_bin.sum())
        left = (side[:, 90:] < 0)[of_bin].mean()
        assert abs(left - found[:, 90:][of_bin].mean()) < 4 * error, f"{of_bin.sum()} trials"

    def score(p):
        return np.log(np.where(side < 0, p, 1 - p))[:, 90:].mean()

    rates = (0.03, 0.06, 0.1, 0.17, 0.25)
    kernels = [np.array([priors.kernel_p_left(s, rate) for s in side]).clip(0.01, 0.99) for rate in rates]
    assert max(map(score, kernels)) + 0.02 < score(found) < score(p_left)


def test_bayes_optimal_of_sessions_at_once():
    side = draw_sides(blocks.pseudosessions(1000, 3, seed=1))
    alone = [priors.bayes_optimal_p_left(s) for s in side]
    assert np.allclose(priors.bayes_optimal_p_left(side), alone)


def test_bayes_optimal_knows_the_block_better_than_the_mouse_and_the_mouse_follows_it(session, recorded):
    table, belief = session.trials, session.truth.trials["belief"]
    best = priors.bayes_optimal_p_left(trials.stimulus_side(table))
    p_left = table["probabilityLeft"].to_numpy()
    assert np.square(best - p_left).mean() < np.square(belief - p_left).mean()
    for name, table in recorded.items():
        best = priors.bayes_optimal_p_left(trials.stimulus_side(table))
        nothing = trials.signed_contrast(table) == 0
        assert best[nothing & (table["choice"] == 1)].mean() > best[nothing & (table["choice"] == -1)].mean(), name


# Kernels


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=50), st.floats(0, 1))
def test_kernel_moves_towards_each_side(sides, rate):
    estimate, expected = 0.5, []
    for side in sides:
        expected.append(estimate)
        if side:
            estimate += rate * ((side < 0) - estimate)
    assert np.allclose(priors.kernel_p_left(sides, rate), expected)


def test_kernel_is_the_belief_of_the_simulated_mouse(session):
    found = priors.kernel_p_left(trials.stimulus_side(session.trials), mouse.LEARNING_RATE)
    assert np.allclose(found, session.truth.trials["belief"])


def behave(seed, n_trials, decide):
    """Trials of the task, the choices made by a function of the generator and what is shown."""
    rng = np.random.default_rng(seed)
    shown = task.sequence(rng, n_trials)
    return pd.DataFrame(
        {
            "contrastLeft": shown["contrast"].where(shown["side"] < 0),
            "contrastRight": shown["contrast"].where(shown["side"] > 0),
            "choice": decide(rng, shown),
        }
    )


@pytest.mark.parametrize(("rate", "weight"), [(0.06, 1.0), (0.3, 0.6), (0.17, 0.0)])
def test_kernel_fit_recovers_what_was_put_in(rate, weight):
    curve = {"bias": 2.0, "threshold": 15.0, "lapse_low": 0.03, "lapse_high": 0.06}

    def decide(rng, shown):
        # An action kernel: each choice moves the estimate that the next one leans on.
        p_left, choices = 0.5, []
        for side, contrast in zip(shown["side"], 100 * shown["contrast"], strict=True):
            shift = curve["threshold"] * weight * ndtri(1 - p_left) / np.sqrt(2)
            right = rng.random() < trials.psychometric_curve(curve, side * contrast + shift)
            choices.append(-1 if right else 1)
            p_left += rate * ((not right) - p_left)
        return choices

    table = behave(1, 8000, decide)
    fit = priors.fit_kernel(table, trials.chosen_side(table))
    assert fit[list(curve)].to_dict() == pytest.approx(curve, abs=1.5)
    alone = trials.fit_psychometric(trials.psychometric(table))["log_likelihood"]
    if weight:
        assert fit["learning_rate"] == pytest.approx(rate, rel=0.25)
        assert fit["weight"] == pytest.approx(weight, abs=0.15)
        other = priors.fit_kernel(table, trials.stimulus_side(table))
        assert fit["log_likelihood"] > other["log_likelihood"] + 10 > alone + 50
    else:
        assert alone - 0.01 < fit["log_likelihood"] < alone + 6, "a rate and a weight that explain nothing"


def test_kernel_fit_finds_how_the_simulated_mouse_learns():
    tables = [behave(seed, 450, lambda rng, shown: mouse.decide(rng, shown)["choice"]) for seed in range(20)]
    fits = pd.DataFrame([priors.fit_kernel(table, trials.stimulus_side(table)) for table in tables])
    actions = pd.DataFrame([priors.fit_kernel(table, trials.chosen_side(table)) for table in tables])
    error = fits["learning_rate"] - mouse.LEARNING_RATE
    assert abs(error.median()) < 0.04 and error.abs().mean() < 0.11
    assert (fits["log_likelihood"] > actions["log_likelihood"]).mean() >= 0.85, "it learns from the stimulus"


def test_real_mice_follow_their_own_actions(recorded):
    # As Findling et al. found; the learning rates of 25 real sessions go from .05 to .38 (5th to 95th percentile).
    for name, table in recorded.items():
        action = priors.fit_kernel(table, trials.chosen_side(table))
        stimulus = priors.fit_kernel(table, trials.stimulus_side(table))
        alone = trials.fit_psychometric(trials.psychometric(table))["log_likelihood"]
        assert action["log_likelihood"] > stimulus["log_likelihood"] > alone - 0.05, name
        assert 0.05 < action["learning_rate"] < 0.38 and 0.4 < action["weight"] < 1.3, name


def test_kernel_fit_needs_a_side_for_each_trial(session):
    with pytest.raises(ValueError, match=r"There are (\d+) trials, so past takes as many sides; it has \d+"):
        priors.fit_kernel(session.trials, trials.stimulus_side(session.trials)[1:])


# ------------------------------------------------------------------------------------ proportions, latencies, selection


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.sampled_from([0, 6.25, 100])), min_size=1))
def test_proportions_count_each_known_trial_once(rows):
    holds, by = map(np.array, zip(*rows, strict=True))
    table = trials.proportions(holds, by)
    assert table["n_trials"].sum() == np.isfinite(holds).sum()
    assert np.isclose((table["n_trials"] * table["p"]).sum(), np.nansum(holds))
    assert ((table["low"] <= table["p"]) & (table["p"] <= table["high"])).all()
    assert table["low"].ge(-1e-12).all() and table["high"].le(1 + 1e-12).all()


def test_proportions_by_bins_and_whatever_the_index():
    latency = pd.Series([0.05, 0.3, np.nan, 0.4], index=[7, 8, 9, 10])
    table = trials.proportions(pd.Series([True, True, False, False]), pd.cut(latency, [0, 0.1, 1]))
    assert table["p"].to_list() == [1, 0.5] and table["n_trials"].to_list() == [1, 2]
    assert [interval.right for interval in table.index] == [0.1, 1]


def test_latencies_are_those_of_brainbox(session):
    training = pytest.importorskip("brainbox.behavior.training")
    from brainbox.io.one import load_wheel_reaction_times

    table = trials.latencies(session.trials)
    assert list(table) == ["stimulus to movement", "go cue to movement", "stimulus to response"]
    theirs = load_wheel_reaction_times(session.eid, one=session.one)
    assert np.allclose(table["go cue to movement"], theirs, equal_nan=True)
    assert np.array_equal(table["stimulus to movement"], trials.movement_latency(session.trials), equal_nan=True)
    medians, contrasts, _ = training.compute_reaction_time(session.trials)
    response = trials.chronometric(session.trials, table["stimulus to response"])
    assert np.allclose(response["median"], medians) and np.allclose(response.index, contrasts)


def test_latencies_of_a_table_that_has_one(real):
    table = trials.latencies(real.trials)
    assert list(table) == ["stimulus to response"]
    assert np.array_equal(table.iloc[:, 0], trials.response_latency(real.trials), equal_nan=True)


def test_selected_trials_fit_and_the_kinds_make_up_the_whole(session):
    table = session.trials
    shown = table["stimOn_times"].notna().sum()
    assert len(trials.select(table)) == shown
    for name, kinds in {
        "side": (-1, 1),
        "contrast": (0, 6.25, 12.5, 25, 100),
        "outcome": ("rewarded", "not rewarded", "no choice"),
    }.items():
        assert sum(len(trials.select(table, **{name: kind})) for kind in kinds) == shown
    by_time = {kind: trials.select(table, timing=kind) for kind in ("early", "in time", "late")}
    latency = {kind: trials.movement_latency(part) for kind, part in by_time.items()}
    assert latency["early"].max() < 0.08 <= latency["in time"].min() and latency["in time"].max() <= 2
    assert latency["late"].min() > 2
    assert sum(map(len, by_time.values())) == np.isfinite(trials.movement_latency(table)).sum()
    both = trials.select(table, side=-1, contrast=25, outcome="not rewarded")
    assert (both["contrastLeft"] == 0.25).all() and (both["choice"] == -1).all() and len(both) > 0


def test_trials_cannot_be_selected_by_movements_that_are_not_known(real):
    assert len(trials.select(real.trials, outcome="rewarded")) > 100
    with pytest.raises(MissingDataset, match="firstMovement_times"):
        trials.select(real.trials, timing="early")


def test_a_choice_that_is_not_known_is_no_report_of_left():
    trials_ = pd.DataFrame({"contrastLeft": [1.0, 1.0], "contrastRight": np.nan, "choice": [np.nan, 1.0]})
    table = trials.psychometric(trials_.assign(feedbackType=1.0))
    assert table["n_trials"].tolist() == [1] and table["p_right"].tolist() == [0]
    assert trials.chosen_side(trials_).tolist() == [0, -1]
    outcomes = trials.outcomes(trials_.assign(feedbackType=[np.nan, -1.0]))
    assert outcomes["no choice"].tolist() == [True, False] and outcomes["not rewarded"].tolist() == [False, True]


def test_a_choice_that_is_not_known_is_not_fitted(session):
    known = session.trials[session.trials["choice"] != 0].iloc[:150].reset_index(drop=True)
    some = known.assign(choice=known["choice"].astype(float).where(known.index % 10 > 0))
    chosen = some["choice"].notna()
    side = trials.stimulus_side(some)
    fit = priors.fit_kernel(some, side)
    assert fit["log_likelihood"] > -np.log(2) * chosen.sum()


def test_block_shift_takes_probabilities_of_any_precision(session):
    right = (session.trials["choice"] == -1).where(session.trials["choice"] != 0)
    contrast, p_left = trials.signed_contrast(session.trials), session.trials["probabilityLeft"].to_numpy()
    exact = blocks.block_shift(right, contrast, p_left)
    assert blocks.block_shift(right, contrast, p_left.astype(np.float32)) == exact != 0
    assert blocks.block_shift(right, contrast, 1 - (1 - p_left)) == exact
