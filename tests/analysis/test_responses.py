"""What counts tell of the trials: against scipy and brainbox, and against what was put into the neurons."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from iblutil.util import Bunch
from scipy import stats

import bwm_tutorials as bwm
from bwm_tutorials.analysis import responses, spikes, statistics
from bwm_tutorials.simulate import session as simulated


def poisson(seed, n_units=5, n_trials=60, mean=3.0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.poisson(mean, (n_units, n_trials)).astype(float), pd.Index(range(10, 10 + n_units)))


# --- units that respond ------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(2, 80), st.sampled_from([0.1, 1, 30]), st.sampled_from([0, 0.3, 2]))
def test_the_signed_rank_test_is_scipy_s(seed, n_trials, mean, shift):
    rng = np.random.default_rng(seed)
    difference = rng.poisson(mean + shift, (6, n_trials)) - rng.poisson(mean, (6, n_trials)).astype(float)
    ours = statistics.signed_rank(difference)
    for row, values in zip(ours.itertuples(), difference, strict=True):
        if (values == 0).all():
            assert (row.effect, row.p) == (0, 1)
            continue
        theirs = stats.wilcoxon(values, method="asymptotic")
        assert np.isclose(row.p, theirs.pvalue)
        n = np.count_nonzero(values)
        assert np.isclose(n * (n + 1) / 4 * (1 - abs(row.effect)), theirs.statistic)
        assert row.effect * stats.wilcoxon(values, method="asymptotic", alternative="greater").zstatistic >= 0
    np.testing.assert_allclose(ours["p_adjusted"], stats.false_discovery_control(ours["p"]))


def test_responsive_units_are_brainbox_s(session, probe):
    closed_loop = pytest.importorskip("brainbox.task.closed_loop")
    events = session.trials["feedback_times"].dropna()
    found = probe.spikes
    _, _, p, units = closed_loop.responsive_units(
        found.times, found.clusters, events.to_numpy(), pre_time=[0.3, 0], post_time=[0.05, 0.35]
    )
    ours = responses.responsive_units(found, events, (0.05, 0.35), (-0.3, 0))
    assert (ours.index == units).all() and (ours["p"] < 0.05).sum() > 20
    # Where as many spikes come before as after in all, brainbox does not test and gives 1.
    differs = ours["response"] != ours["baseline"]
    np.testing.assert_allclose(ours["p"][differs], p[differs], rtol=1e-9)
    # Its argument fdr_corr does nothing; ours is corrected beside.
    corrected = closed_loop.responsive_units(
        found.times, found.clusters, events.to_numpy(), [0.3, 0], [0.05, 0.35], fdr_corr=True
    )
    assert (corrected[2] == p).all()
    assert (ours["p_adjusted"] >= ours["p"]).all() and (ours["p_adjusted"] > 1.05 * ours["p"]).any()


def test_a_response_says_what_made_it(session, probe):
    ours = responses.responsive_units(probe.spikes, session.trials["stimOn_times"], (0, 0.1), (-0.1, 0), units=[7, 3])
    assert list(ours.index) == [7, 3] and ours.index.name == "cluster"
    known = session.trials["stimOn_times"].notna()
    assert ours.attrs == {
        "events": "stimOn_times",
        "response": (0, 0.1),
        "baseline": (-0.1, 0),
        "test": "Wilcoxon signed rank",
        "correction": "Benjamini-Hochberg",
        "n_trials": known.sum(),
        "trials": tuple(session.trials.index[known]),
    }
    counts = spikes.trial_counts(probe.spikes, session.trials["stimOn_times"], (-0.1, 0.1), 0.1, [7, 3]).counts
    np.testing.assert_allclose(ours[["baseline", "response"]], counts.mean(axis=1) / 0.1)


@pytest.mark.parametrize(
    ("response", "baseline", "says"),
    [
        ((0, 0.2), (-0.1, 0.1), "overlaps the baseline"),
        ((-0.2, 0), (-0.2, 0), "overlaps the baseline"),
        ((0, 0.2), (-0.1, 0), "lasts 0.2 s and the baseline 0.1 s"),
        ((0.2, 0), (-0.2, 0), "stops after its start"),
        ((0, 200), (-200, 0), "from 0 to 200 s: give seconds, not milliseconds"),
    ],
)
def test_windows_that_cannot_be_compared_are_refused(probe, response, baseline, says):
    with pytest.raises(ValueError, match=says) as refused:
        responses.responsive_units(probe.spikes, [100.0, 200], response, baseline)
    assert str(refused.value).count(". ") == 0


def test_windows_of_different_length_would_find_responses_in_nothing():
    """Why they are refused: brainbox's use_fr on spikes without any structure."""
    closed_loop = pytest.importorskip("brainbox.task.closed_loop")
    rng = np.random.default_rng(0)
    found = Bunch(times=np.sort(rng.uniform(0, 3600, 300_000)), clusters=rng.integers(0, 60, 300_000))
    events = np.sort(rng.uniform(10, 3500, 500))
    flagged = {}
    for length in (0.18, 0.2):
        *_, p, _ = closed_loop.responsive_units(found.times, found.clusters, events, [0.2, 0], [0, length], use_fr=True)
        flagged[length] = (p < 0.05).mean()
    assert flagged[0.2] < 0.12 and flagged[0.18] > 0.5


# --- selectivity -------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([0.2, 3.0]))
def test_auc_is_the_mann_whitney_statistic_over_conditions(seed, n_conditions, mean):
    rng = np.random.default_rng(seed)
    counts = poisson(seed, mean=mean)
    choice, condition = rng.choice([-1, 1], 60), rng.integers(n_conditions, size=60)
    if len(np.unique(choice)) < 2:
        return
    ours = responses.selectivity(counts, choice, condition, null=3)
    u = pairs = 0
    for c in range(n_conditions):
        one, other = (counts.loc[:, (condition == c) & (choice == side)] for side in (1, -1))
        if one.size and other.size:
            u += stats.mannwhitneyu(one, other, axis=1).statistic
            pairs += one.shape[1] * other.shape[1]
    np.testing.assert_allclose(ours["auc"], u / pairs)
    swapped = responses.selectivity(counts, -choice, condition, null=3)
    np.testing.assert_allclose(swapped["auc"], 1 - ours["auc"])


def test_p_is_that_of_all_ways_to_deal_out_the_variable():
    counts = poisson(1, n_units=4, n_trials=12)
    choice, condition = np.tile([1, 1, 0, 0, 0, 1], 2), np.repeat(["easy", "hard"], 6)
    ways = [
        np.isin(range(12), [*first, *(6 + np.array(second))]).astype(int)
        for first, second in itertools.product(itertools.combinations(range(6), 3), repeat=2)
    ]
    exact = responses.selectivity(counts, choice, condition, null=np.array(ways))
    drawn = responses.selectivity(counts, choice, condition, null=20_000)
    np.testing.assert_allclose(drawn["p"], exact["p"], atol=0.015)


def test_without_conditions_p_is_near_that_of_mann_and_whitney():
    counts, choice = poisson(2, n_units=40, n_trials=300), np.random.default_rng(2).integers(0, 2, 300)
    ours = responses.selectivity(counts, choice, null=4000)
    theirs = stats.mannwhitneyu(counts.loc[:, choice == 1], counts.loc[:, choice == 0], axis=1, use_continuity=False)
    np.testing.assert_allclose(ours["p"], theirs.pvalue, atol=0.035)


@given(st.integers(0, 2**32 - 1))
def test_neither_order_of_units_nor_of_trials_matters(seed):
    rng = np.random.default_rng(seed)
    counts, choice, null = poisson(seed), rng.permutation([0, 1] * 30), rng.permuted([[0, 1] * 30] * 20, axis=1)
    condition = rng.integers(2, size=60)
    first = responses.selectivity(counts, choice, condition, null)
    units, trials = rng.permutation(5), rng.permutation(60)
    other = responses.selectivity(counts.iloc[units, trials], choice[trials], condition[trials], null[:, trials])
    pd.testing.assert_frame_equal(other, first.iloc[units])
    again = [responses.selectivity(counts, choice, condition, seed=seed) for _ in range(2)]
    pd.testing.assert_frame_equal(*again)


def test_a_unit_whose_count_never_changes_has_p_1():
    counts = pd.DataFrame(np.vstack([np.zeros(40), np.full(40, 2.0), np.arange(40.0)]))
    ours = responses.selectivity(counts, [0] * 20 + [1] * 20)
    assert list(ours["auc"]) == [0.5, 0.5, 1] and list(ours["p"][:2]) == [1, 1] and ours["p"][2] < 0.001


def test_trials_that_are_not_known_are_left_out_and_said():
    counts = poisson(3).rename(columns=lambda trial: trial + 100)
    counts.attrs = {"events": "feedback_times", "window": (0, 0.3)}
    choice = pd.Series(np.tile([-1.0, 1], 30))
    condition = pd.DataFrame({"side": np.repeat([-1, 1], 30), "block": np.tile([0.2, 0.8, 0.2], 20)})
    counts[103], choice[7], condition.loc[9, "block"] = np.nan, np.nan, np.nan
    ours = responses.selectivity(counts, choice, condition, null=50)
    kept = np.setdiff1d(range(60), [3, 7, 9])
    table = pd.crosstab([condition.loc[kept, "side"], condition.loc[kept, "block"]], choice[kept])
    assert ours.attrs == {
        "events": "feedback_times",
        "window": (0, 0.3),
        "test": "condition-combined Mann-Whitney",
        "null": "50 shuffles within conditions",
        "correction": "Benjamini-Hochberg",
        "values": (-1, 1),
        "n_trials": 57,
        "n_rarer": table[[-1, 1]].min(axis=1).sum(),
        "trials": tuple(kept + 100),
        "smallest_p": 1 / 51,
    }
    alone = responses.selectivity(counts.iloc[:, kept], choice[kept], condition.loc[kept], null=50)
    pd.testing.assert_frame_equal(ours, alone)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"variable": np.tile([-1, 0, 1], 20)}, "has two values and NaN elsewhere; this has 3: -1, 0, 1"),
        ({"variable": np.full(60, np.nan)}, "one value at most here .none."),
        ({"variable": [1, 2]}, "There are 60 trials in the counts, and variable has the shape"),
        ({"condition": np.arange(60)}, "In no condition has the variable both values"),
        ({"condition": np.full(60, np.nan)}, "In no condition"),
        ({"condition": [1]}, "and condition has the shape"),
        ({"null": np.zeros((9, 59))}, r"of shape \(n, 60\), not \(9, 59\)"),
        ({"null": np.full((9, 60), 0.4)}, "the null has other values"),
        ({"null": np.full((9, 60), 1 - 0.8)}, "Of 9 given sequences none has both values"),
        ({"null": 0}, "null is a whole number from 1 on, not 0"),
        (
            {"condition": np.where(np.arange(60) > 55, np.arange(60) // 2, np.nan)},
            "in 4 ways only, so that no p is below",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(arguments, says):
    with pytest.raises(ValueError, match=says) as refused:
        responses.selectivity(poisson(0), **({"variable": np.tile([0.2, 0.8], 30)} | arguments))
    assert str(refused.value).count(". ") == 0 and str(refused.value).endswith(".")


# --- noise correlations ------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_noise_correlations_are_those_of_the_residuals(seed, n_conditions):
    counts, condition = poisson(seed), np.arange(60) % n_conditions
    ours = responses.noise_correlations(counts, condition)
    rest = counts - counts.T.groupby(condition).transform("mean").T
    expected = np.corrcoef(rest)
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_allclose(ours, expected, atol=1e-12)
    assert (ours.index == counts.index).all() and (ours.columns == counts.index).all()


def test_a_shared_stimulus_is_no_noise_and_a_shared_fluctuation_is():
    rng = np.random.default_rng(0)
    stimulus, state = np.repeat([2, 12], 500), rng.gamma(10, 0.1, 1000)
    driven = pd.DataFrame(rng.poisson(stimulus, (2, 1000)))
    together = pd.DataFrame(rng.poisson(stimulus * state, (2, 1000)))
    of = {
        (name, given): responses.noise_correlations(table, condition).loc[0, 1]
        for name, table in (("driven", driven), ("together", together))
        for given, condition in (("nothing", None), ("stimulus", stimulus))
    }
    assert of["driven", "nothing"] > 0.5 > 0.1 > abs(of["driven", "stimulus"])
    assert of["together", "stimulus"] > 0.2


def test_units_that_never_vary_have_no_correlation():
    counts = pd.DataFrame([[0.1] * 10, np.arange(10.0), np.arange(10.0) ** 2])
    counts[3] = np.nan
    ours = responses.noise_correlations(counts, np.repeat([0, 1], 5))
    assert ours[0].isna().all() and ours.loc[1, 2] > 0.8 and ours.attrs["n_trials"] == 9


# --- what was put in is found, and nothing else ------------------------------------------------------------------

SEEDS = range(100, 120)


def labels(trials):
    """Side, choice, feedback and block of each trial, NaN where there is none or (block) it is not biased."""
    return pd.DataFrame(
        {
            "side": bwm.trials.stimulus_side(trials),
            "choice": trials["choice"].where(trials["choice"] != 0),
            "feedback": trials["feedbackType"],
            "block": trials["probabilityLeft"].where(trials["probabilityLeft"] != 0.5),
            "p_left": trials["probabilityLeft"],
        }
    )


def every_test(found, trials, seed):
    """P values of each unit, by test."""
    label = labels(trials)
    counts = {
        name: spikes.counts_in_intervals(found, spikes.around(trials[event], window))
        for name, event, window in (
            ("stimulus", "stimOn_times", (0.03, 0.18)),
            ("choice", "firstMovement_times", (-0.1, 0.05)),
            ("feedback", "feedback_times", (0.05, 0.35)),
            ("block", "stimOn_times", (-0.4, -0.1)),
        )
    }
    strong = label["side"].where(np.abs(bwm.trials.signed_contrast(trials)) >= 25)
    fair = {"null": 400, "seed": seed}
    pseudo = bwm.blocks.pseudosessions(len(trials), 400, seed)
    tests = {
        "stimulus": responses.selectivity(counts["stimulus"], label["side"], label[["choice", "p_left"]], **fair),
        "stimulus, choice ignored": responses.selectivity(counts["stimulus"], strong, **fair),
        "choice": responses.selectivity(counts["choice"], label["choice"], label[["side", "p_left"]], **fair),
        "feedback": responses.selectivity(counts["feedback"], label["feedback"], label[["choice", "p_left"]], **fair),
        "block, shuffled": responses.selectivity(counts["block"], label["block"], **fair),
        "block, pseudosessions": responses.selectivity(counts["block"], label["block"], null=pseudo),
        "responds to the stimulus": responses.responsive_units(found, trials["stimOn_times"], (0.03, 0.18), (-0.15, 0)),
        "responds to feedback": responses.responsive_units(found, trials["feedback_times"], (0.05, 0.35), (-0.3, 0)),
    }
    return pd.DataFrame({name: table["p"] for name, table in tests.items()})


@pytest.fixture(scope="module")
def tested():
    """P values of the units of twenty mice that know the task, with what was put in, and of their null twins."""
    knowing, null = [], []
    for seed in SEEDS:
        made = simulated.behave(seed, 40, after=None)
        for effects, into in (("teaching", knowing), (None, null)):
            probe = simulated.insert(seed, 0, "parietal", made, 20, effects)
            into.append(every_test(probe.spikes, made.trials, seed).join(probe.truth_units).assign(seed=seed))
    return pd.concat(knowing, ignore_index=True), pd.concat(null, ignore_index=True)


@pytest.mark.parametrize(
    "test",
    [
        *("stimulus", "stimulus, choice ignored", "choice", "feedback", "block, pseudosessions"),
        *("responds to the stimulus", "responds to feedback"),
    ],
)
def test_five_percent_of_units_that_know_nothing_are_flagged(test, tested):
    _, null = tested
    assert 0.02 < (null[test] < 0.05).mean() < 0.09


def test_shuffling_the_block_flags_units_that_only_drift(tested):
    _, null = tested
    flagged = {test: null[f"block, {test}"] < 0.05 for test in ("shuffled", "pseudosessions")}
    assert flagged["shuffled"].mean() > 0.13 and flagged["shuffled"].mean() > 2 * flagged["pseudosessions"].mean()
    by_session = flagged["shuffled"].groupby(null["seed"]).mean()
    assert by_session.min() <= 0.1 and by_session.max() >= 0.25, "the units of a session share one sequence of blocks"


@pytest.mark.parametrize(
    ("test", "variable", "power"),
    [
        ("stimulus, choice ignored", "stimulus", 0.6),
        ("choice", "choice", 0.6),
        ("feedback", "feedback", 0.6),
        ("block, pseudosessions", "block", 0.4),
    ],
)
def test_units_that_know_a_variable_are_found(test, variable, power, tested):
    knowing, _ = tested
    knows = knowing[f"{variable}_gain"] != 0
    assert (knowing.loc[knows & (knowing["rate"] > 2), test] < 0.05).mean() > power
    assert (knowing.loc[knows, test] < 0.05).mean() > 2 * (knowing.loc[~knows, test] < 0.05).mean()


@pytest.mark.parametrize("event", ["stimulus", "feedback"])
def test_units_that_respond_are_found_and_so_are_those_that_respond_to_what_comes_with_it(event, tested):
    knowing, _ = tested
    knows = knowing[f"{event}_gain"] != 0
    nothing = (knowing.filter(regex="^(?!rf).*_gain$") == 0).all(axis=1)
    flagged = knowing["responds to the stimulus" if event == "stimulus" else "responds to feedback"] < 0.05
    assert flagged[knows & (knowing["rate"] > 2)].mean() > 0.7
    assert flagged[~knows & ~nothing].mean() > 0.25 and flagged[nothing].mean() < 0.15


def test_conditions_keep_what_goes_along_with_a_variable_out(tested):
    """Units that know the choice but not the stimulus; and that power is the price."""
    knowing, _ = tested
    only_choice = (knowing["choice_gain"] > 0) & (knowing["stimulus_gain"] == 0)
    knows = knowing["stimulus_gain"] > 0
    ignored, compared = (knowing[test] < 0.05 for test in ("stimulus, choice ignored", "stimulus"))
    assert ignored[only_choice].mean() > 0.3 and compared[only_choice].mean() < 0.12
    assert compared[knows].mean() < 0.5 * ignored[knows].mean()
