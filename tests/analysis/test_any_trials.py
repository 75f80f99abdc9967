"""Any table of trials gives the right number or one sentence: against plain loops over its rows."""

import re

import numpy as np
import pandas as pd
import pytest
from helpers import ugly
from helpers.ugly import NAN, sentence
from hypothesis import given, settings
from hypothesis import strategies as st

from bwm_tutorials import console
from bwm_tutorials.analysis import blocks, priors, questions, trials
from bwm_tutorials.analysis.vocabulary import column, vocabulary_faults
from bwm_tutorials.errors import DataError, MissingDataset, TooFew


def known(value) -> bool:
    return not pd.isna(value)


def signed(row) -> float:
    if not known(row.contrastLeft) and not known(row.contrastRight):
        return NAN
    return 100 * (float(row.contrastRight) if known(row.contrastRight) else 0) - 100 * (
        float(row.contrastLeft) if known(row.contrastLeft) else 0
    )


def side(row) -> int:
    left, right = row.contrastLeft, row.contrastRight
    if known(left) and known(right):
        return -1 if left > right else 1 if right > left else 0
    return 1 if known(right) else -1 if known(left) else 0


def report(row) -> int:
    return -int(row.choice) if known(row.choice) else 0


# ----------------------------------------------------------------------------------------- numbers, against loops


@given(ugly.trials())
def test_sides_contrasts_and_outcomes_are_those_of_each_row(table):
    rows = list(table.itertuples())
    np.testing.assert_array_equal(trials.signed_contrast(table), [signed(row) for row in rows])
    assert trials.chosen_side(table).tolist() == [report(row) for row in rows]
    assert trials.stimulus_side(table).tolist() == [side(row) for row in rows]
    found = trials.outcomes(table)
    assert found["rewarded"].tolist() == [known(row.feedbackType) and row.feedbackType == 1 for row in rows]
    assert found["no choice"].tolist() == [report(row) == 0 for row in rows]
    expected = [report(row) != 0 and known(row.feedbackType) and row.feedbackType == -1 for row in rows]
    assert found["not rewarded"].tolist() == expected
    assert all(these.index.equals(table.index) for these in found.values())


@given(ugly.trials())
def test_curves_and_medians_are_those_of_the_rows_of_each_contrast(table):
    latency = trials.response_latency(table)
    rows = [row for row in table.itertuples() if known(signed(row))]
    curve = trials.psychometric(table)
    assert list(curve.index) == sorted({signed(row) for row in rows if report(row)})
    for level, found in curve.iterrows():
        right = [report(row) > 0 for row in rows if signed(row) == level and report(row)]
        assert found["n_trials"] == len(right) and np.isclose(found["p_right"], np.mean(right))
    medians = sentence(trials.chronometric, table, latency)
    levels = np.array([signed(row) for row in table.itertuples()])
    assert list(medians.index) == sorted(set(levels[np.isfinite(latency) & np.isfinite(levels)]))
    for level, found in medians.iterrows():
        assert found["median"] == np.nanmedian(latency[levels == level])


@given(ugly.trials(), st.integers(2, 60))
def test_performance_is_the_mean_of_what_is_known_in_the_window(table, window):
    latency = trials.movement_latency(table)
    found = sentence(trials.performance, table, latency, window)
    rows = list(table.itertuples())
    for i in range(len(rows)):
        part = slice(max(i - window // 2, 0), i - window // 2 + window)
        feedback = [float(row.feedbackType == 1) for row in rows[part] if known(row.feedbackType)]
        expected = np.mean(feedback) if len(feedback) >= window // 2 else NAN
        assert found["correct"].iloc[i] == pytest.approx(expected, nan_ok=True)
        none = [report(row) == 0 for row in rows[part]]
        expected = np.mean(none) if len(none) >= window // 2 else NAN
        assert found["no_choice"].iloc[i] == pytest.approx(expected, nan_ok=True)


@given(ugly.trials(), st.sampled_from([-1, 1]), st.sampled_from(trials.OUTCOMES), st.sampled_from(trials.TIMINGS))
def test_selected_trials_are_those_that_fit_by_a_loop(table, which, outcome, timing):
    found = sentence(trials.select, table, side=which, outcome=outcome, timing=timing)
    latency, names = trials.movement_latency(table), trials.outcomes(table)
    fits = []
    for i, row in enumerate(table.itertuples()):
        when = "early" if latency[i] < 0.08 else "late" if latency[i] > 2 else "in time" if known(latency[i]) else None
        fits.append(known(row.stimOn_times) and side(row) == which and names[outcome].iloc[i] and when == timing)
    assert len(found) == sum(fits) and found.equals(table[np.array(fits, bool)])


EVERY = {
    "signed_contrast": trials.signed_contrast,
    "psychometric": trials.psychometric,
    "fit_psychometric": lambda table: trials.fit_psychometric(trials.psychometric(table)),
    "latencies": trials.latencies,
    "bwm_mask": trials.bwm_mask,
    "chronometric": lambda table: trials.chronometric(table, trials.movement_latency(table), signed=False),
    "proportions": lambda table: trials.proportions(table["feedbackType"] == 1, table["contrastLeft"]),
    "select, contrast": lambda table: trials.select(table, contrast=12.5),
    "select, block": lambda table: trials.select(table, block=0.2),
    "blocks": lambda table: blocks.blocks(table["probabilityLeft"]),
    "position_in_block": lambda table: blocks.position_in_block(table["probabilityLeft"]),
    "shuffled_within_blocks": lambda table: blocks.shuffled_within_blocks(table["probabilityLeft"], 3, 1),
    "block_shift": lambda table: blocks.block_shift(
        trials.chosen_side(table) > 0, trials.signed_contrast(table), table["probabilityLeft"]
    ),
    "bayes_optimal_p_left": lambda table: priors.bayes_optimal_p_left(trials.stimulus_side(table)),
    "kernel_p_left": lambda table: priors.kernel_p_left(table["choice"], 0.2),
    "fit_kernel": lambda table: priors.fit_kernel(table, trials.chosen_side(table)),
    **{f"variable, {name}": lambda table, name=name: questions.variable(table, name) for name in questions.VARIABLES},
    "also_in_window": lambda table: questions.also_in_window(table, "choice", "stimOn_times", (-0.1, 0.2)),
}


@pytest.mark.parametrize("function", EVERY.values(), ids=EVERY)
@settings(max_examples=40)
@given(table=ugly.trials(most=12))
def test_every_function_of_trials_answers_or_says_why_not(function, table):
    sentence(function, table)


# ------------------------------------------------------------------------------------------------------ vocabulary


@pytest.mark.parametrize(
    "name, values, says",
    [
        ("choice", ["clockwise", "counter_clockwise", "none"],
         "choice is 1 (left), −1 (right) or 0 (none); these trials have 'clockwise', 'counter_clockwise', 'none'"),
        ("choice", [1, -1, 2], "choice is 1 (left), −1 (right) or 0 (none); these trials have 2"),
        ("feedbackType", [True, False, True],
         "feedbackType is 1 (reward), −1 (no reward) or 0 (neither); these trials have True, False"),
        ("contrastRight", [6.25, 12.5, 100],
         "contrasts are fractions from 0 to 1; contrastRight has 6.25, 12.5, 100: divide it by 100"),
        ("contrastLeft", [-0.5, 0.5, NAN], "contrasts are fractions from 0 to 1; contrastLeft has -0.5"),
        ("probabilityLeft", [20, 50, 80],
         "probabilityLeft is a fraction from 0 to 1; these trials have 20, 50, 80: divide it by 100"),
        ("stimOn_times", ["soon", 2, None], "times are seconds; stimOn_times has 'soon', 2"),
    ],
)  # fmt: skip
def test_words_and_percent_are_said(name, values, says, session):
    table = session.trials.iloc[:3].assign(**{name: values})
    assert vocabulary_faults(table) == [says]
    with pytest.raises(DataError) as refused:
        column(table, name)
    assert str(refused.value) == f"{says}."
    readers = {
        "choice": [trials.chosen_side, trials.psychometric, trials.outcomes],
        "feedbackType": [trials.outcomes, lambda t: trials.performance(t, np.zeros(3))],
        "contrastLeft": [trials.signed_contrast, trials.stimulus_side, trials.psychometric],
        "probabilityLeft": [lambda t: questions.variable(t, "block"), lambda t: trials.select(t, block=0.2)],
        "stimOn_times": [trials.movement_latency, trials.bwm_mask, trials.select],
    }
    for read in readers[name.replace("Right", "Left")]:
        assert sentence(read, table) == f"{says}."


@given(ugly.trials())
def test_what_the_release_may_hold_is_no_fault(table):
    assert vocabulary_faults(table) == []
    assert vocabulary_faults(table.convert_dtypes()) == []
    for name in table:
        np.testing.assert_array_equal(column(table, name), table[name].astype(float).to_numpy("f8"))


def test_a_column_that_is_not_there_is_missing_and_no_fault(session):
    table = session.trials.drop(columns="choice")
    assert vocabulary_faults(table) == []
    with pytest.raises(MissingDataset, match="These trials have no choice; they have "):
        trials.psychometric(table)


# ------------------------------------------------------------------------------------- blocks of any precision


@pytest.mark.parametrize("kind", ["f4", ">f8", "f8"])
def test_a_block_is_the_same_in_any_precision(session, kind):
    table = session.trials.assign(probabilityLeft=session.trials["probabilityLeft"].to_numpy().astype(kind))
    assert blocks.blocks(table["probabilityLeft"]).equals(blocks.blocks(session.trials["probabilityLeft"]))
    assert len(trials.select(table, block=0.2)) == len(trials.select(session.trials, block=0.2)) > 0
    ours, theirs = (questions.variable(each, "block").values for each in (table, session.trials))
    pd.testing.assert_series_equal(ours, theirs)
    assert np.array_equal(blocks.biased([1 - 0.8, 0.5, np.float32(0.8)]), [0.2, NAN, 0.8], equal_nan=True)


def test_other_blocks_are_named():
    says = "There are no blocks of .2 and .8 to compare: probabilityLeft is 0.4, 0.5, 0.6 here."
    p_left = [0.5, 0.4, 0.6]
    with pytest.raises(TooFew, match=re.escape(says)):
        blocks.both_biased(p_left)
    with pytest.raises(TooFew, match=re.escape(says)):
        blocks.block_shift([1, 0, 1], [0, 0, 0], p_left)
    with pytest.raises(TooFew, match=re.escape(says)):
        questions.variable(pd.DataFrame({"probabilityLeft": p_left}), "block")
    with pytest.raises(TooFew, match=r"probabilityLeft is 0\.2, 0\.5 here"):  # the session ended before the second
        blocks.block_shift([1, 0, 1], [0, 0, 0], [0.5, 0.5, 0.2])
    with pytest.raises(TooFew, match="At no contrast"):
        blocks.block_shift([1, 0], [0, 25], [0.2, 0.8])
    assert np.isnan(blocks.block_shift([1, 0], [0, 25], [[0.2, 0.8]])), "one of many pseudosessions"
    assert sentence(blocks.both_biased, [20, 80]).endswith("probabilityLeft is 20, 80 here.")


def test_blocks_that_are_too_short_are_said_once(capsys):
    console.say_once.cache_clear()
    p_left = np.repeat([0.5, 0.2, 0.8, 0.2], [90, 40, 30, 3])
    assert blocks.blocks(p_left)["n_trials"].tolist() == [90, 40, 30, 3], "the last is cut short"
    assert capsys.readouterr().out == ""
    for _ in range(2):
        blocks.blocks(p_left[np.r_[:100, 130:163]])
    assert capsys.readouterr().out.count("1 of 4 blocks are shorter than the 20 trials of the task") == 1


def test_sides_that_are_not_known_are_said_once(capsys):
    console.say_once.cache_clear()
    table = pd.DataFrame({"contrastLeft": [0, 0.5, 0, np.nan], "contrastRight": [0, 0, 0.25, 0]})
    for _ in range(2):
        assert trials.stimulus_side(table).tolist() == [0, -1, 1, 1]
    assert capsys.readouterr().out.count("In 1 of 4 trials both sides have the same contrast") == 1


# ------------------------------------------------------------------------------------- what is not there is listed


@pytest.mark.parametrize(
    "asked, says",
    [
        ({"side": "left"}, "There is no side 'left'; there are -1 (left), 1 (right)."),
        ({"contrast": 1}, "These trials have no contrast of 1 %, but contrasts of 0, 6.25, 12.5, 25, 100 %."),
        ({"block": 80}, "These trials have no probabilityLeft of 80, but 0.2, 0.5, 0.8."),
        ({"outcome": "wrong"}, "There is no outcome 'wrong'; there are 'rewarded', 'not rewarded', 'no choice'."),
        ({"timing": "soon"}, "There is no timing 'soon'; there are 'early', 'in time', 'late'."),
    ],
)
def test_what_cannot_be_selected_is_answered_by_what_can(asked, says, session):
    assert sentence(trials.select, session.trials, **asked) == says


def test_arguments_of_another_length_or_kind_are_refused(session):
    table = session.trials
    for function in (trials.chronometric, trials.performance):
        assert sentence(function, table, [0.1]) == f"There are {len(table)} trials, and latency has the shape (1,)."
    assert "must be numbers; these are 'soon'" in sentence(trials.chronometric, table, np.full(len(table), "soon"))
    assert "by has groups for 2" in sentence(trials.proportions, [1, 0, 1], [1, 2])
    assert "here are 0, 50, 100" in sentence(trials.proportions, [0, 50, 100], [1, 1, 1])
    assert "window is a whole number from 2 on" in sentence(trials.performance, table, np.zeros(len(table)), 0.5)
    assert "lies between 0 and 1, not at 17" in sentence(priors.kernel_p_left, [1, -1], 17)
    assert "n is a whole number from 1 on, not 0" in sentence(blocks.pseudosessions, 100, 0, seed=1)


def test_a_choice_or_side_that_is_not_known_moves_no_kernel():
    assert priors.kernel_p_left([-1, NAN, 0, 1], 0.5).tolist() == priors.kernel_p_left([-1, 0, 0, 1], 0.5).tolist()
    unknown = np.append(np.full(95, NAN), [1.0, NAN])
    assert np.array_equal(priors.bayes_optimal_p_left(unknown), priors.bayes_optimal_p_left(np.nan_to_num(unknown)))


def test_too_few_contrasts_are_said(session):
    few = session.trials[session.trials["contrastLeft"] == 1]
    assert "takes four contrasts or more" in sentence(trials.fit_psychometric, trials.psychometric(few))
    assert "with a choice have 1." in sentence(priors.fit_kernel, few, trials.stimulus_side(few))
