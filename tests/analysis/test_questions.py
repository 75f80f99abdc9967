"""What can be asked of units: variables with their nulls, regions, and the lesson that takes one through to a table."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from iblatlas.regions import BrainRegions

import bwm_tutorials as bwm
from bwm_tutorials.analysis import questions, responses
from bwm_tutorials.errors import DataError, MissingDataset, TooFew
from bwm_tutorials.paths import ROOT
from bwm_tutorials.workshop import notebooks

LESSON = ROOT / "notebooks" / "10_your_question.py"


@pytest.fixture(scope="module")
def small(small_sample):
    return bwm.Session(one=bwm.connect(small_sample))


def lesson_functions(**question):
    """The functions of the lesson, about another question."""
    (source,) = (cell.source for cell in notebooks.read_source(LESSON).cells if "def analysis" in cell.source)
    names = {"bwm": bwm, "pd": pd, "probe": None, "REGION": "all"} | question
    exec(source, names)
    return names


# ------------------------------------------------------------------------------------------------------------ variables


@pytest.mark.parametrize(
    "name, column, low, high",
    [
        ("choice", "choice", {"left": 1}, {"right": -1}),
        ("feedback", "feedbackType", {"no reward": -1}, {"reward": 1}),
        ("block", "probabilityLeft", {0.2: 0.2}, {0.8: 0.8}),
    ],
)
def test_a_variable_has_the_values_of_its_column(name, column, low, high, session):
    values = questions.variable(session.trials, name).values
    expected = {stored: label for label, stored in (low | high).items()}
    assert values.equals(session.trials[column].map(expected).rename(name))


def test_the_side_of_the_stimulus_is_known_also_where_there_is_nothing_to_see(session):
    values = questions.variable(session.trials, "stimulus side").values
    assert (values == "left").equals(session.trials["contrastLeft"].notna())
    assert values[session.trials["contrastLeft"] == 0].eq("left").all() and values.notna().all()


def test_given_the_choice_feedback_and_stimulus_side_are_one_variable(session):
    side, choice, feedback = (
        questions.variable(session.trials, name).values for name in ("stimulus side", "choice", "feedback")
    )
    for chosen, share in pd.crosstab([choice, side], feedback).iterrows():
        assert share["reward" if chosen[0] == chosen[1] else "no reward"] == share.sum() > 0


def test_what_is_slow_gets_pseudosessions_and_the_others_shuffles_among_alike_trials(session):
    block = questions.variable(session.trials, "block")
    assert block.condition is None and block.null.shape == (questions.N_NULL, len(session.trials))
    known = block.values.notna()
    assert np.isin(block.null[:, known], [0.2, 0.8]).all()
    assert np.diff(block.null[:, known], axis=1).astype(bool).mean() < 0.05, "no faster than blocks"
    expected = {
        "choice": ["stimulus side", "probabilityLeft"],
        "stimulus side": ["choice", "probabilityLeft"],
        "feedback": ["choice", "probabilityLeft"],
    }
    for name, alike in expected.items():
        asked = questions.variable(session.trials, name)
        assert asked.null == questions.N_NULL and list(asked.condition) == alike


def test_a_variable_that_cannot_be_asked_is_refused_in_one_sentence(session, real):
    with pytest.raises(
        DataError, match="no variable 'reward'; there are 'stimulus side', 'choice', 'feedback', 'block'"
    ):
        questions.variable(session.trials, "reward")
    with pytest.raises(TooFew, match=r"no blocks of \.2 and \.8 to compare: probabilityLeft is 0\.5 here"):
        questions.variable(session.trials[:60], "block")
    with pytest.raises(MissingDataset, match="These trials have no feedbackType; they have "):
        questions.variable(session.trials.drop(columns="feedbackType"), "feedback")


def test_events_are_kept_in_the_trials_of_the_brain_wide_map(session):
    kept, mask = questions.kept_events(session.trials, "goCue_times"), bwm.trials.bwm_mask(session.trials)
    assert kept[mask].equals(session.trials.loc[mask, "goCue_times"]) and kept[~mask].isna().all()
    with pytest.raises(MissingDataset, match="have no 'choice'; of events they have stimOn_times"):
        questions.kept_events(session.trials, "choice")


def test_what_else_is_in_the_window_is_counted_trial_by_trial(session):
    trials, window = session.trials, (-0.2, 0.3)
    found = questions.also_in_window(trials, "block", "stimOn_times", window)["share of trials"]
    assert list(found.index) == list(questions.EVENTS) and found["stimOn_times"] == 1
    known = trials[bwm.trials.bwm_mask(trials) & (trials["probabilityLeft"] != 0.5)]
    for event in questions.EVENTS:
        inside = [window[0] <= at - on < window[1] for on, at in zip(known["stimOn_times"], known[event], strict=True)]
        assert found[event] == np.mean(inside)
    with pytest.raises(MissingDataset, match="no 'stimOn'; of events they have stimOn_times, goCue_times"):
        questions.also_in_window(trials, "choice", "stimOn", window)
    with pytest.raises(DataError, match="no variable 'choise'; there are 'stimulus side'"):
        questions.also_in_window(trials, "choise", "stimOn_times", window)
    with pytest.raises(ValueError, match=r"stops after its start; this is from 0\.3 to -0\.2 s"):
        questions.also_in_window(trials, "choice", "stimOn_times", window[::-1])


def test_what_was_put_in_is_that_of_each_probe(session):
    for name, column in (("choice", "choice_gain"), ("stimulus side", "stimulus_gain"), ("block", "block_gain")):
        knows = questions.put_in(session.truth.units, name)
        for probe in session.insertions:
            assert knows.loc[probe.name].equals((probe.truth[column] != 0).rename("put in"))
        assert not questions.put_in(session.null.truth.units, name).any()


# -------------------------------------------------------------------------------------------------------------- regions


def test_good_units_of_a_region_of_any_level(session):
    every = session.good_units()
    assert (every["label"] == 1).all() and list(every.index.names) == ["probe", "cluster"]
    for mapping in ("Allen", "Beryl", "Cosmos"):
        names = BrainRegions().acronym2acronym(every["acronym"].to_numpy(str), mapping=mapping)
        for name in set(names):
            assert session.good_units(name).equals(every[names == name])
    assert session.good_units("grey").equals(every)
    with_probe = session.good_units("HPF", "probe00")
    assert set(with_probe.index.get_level_values("probe")) == {"probe00"} and len(with_probe)


def test_root_and_void_are_no_regions(session):
    other = bwm.Session(session.eid, session.one)
    first, second = other.insertions
    names = np.where(first.clusters.index % 2, "root", "void")
    first.clusters["acronym"], first.clusters["beryl"] = names, names
    assert set(other.good_units().index.get_level_values("probe")) == {"probe01"}
    second.clusters[["acronym", "beryl"]] = "root"
    with pytest.raises(MissingDataset, match="no good units in any region; it has none at all"):
        other.good_units()


def test_a_region_that_is_not_there_is_answered_by_those_that_are(session, real, said):
    with pytest.raises(MissingDataset, match=r"no good units in the region 'SSp'; it has VISa \(\d+\), MRN"):
        session.good_units("SSp")
    with pytest.raises(MissingDataset, match="no insertion probe07; it has trials"):
        session.good_units(probe="probe07")
    assert session.get("good_units", "Atlantis") is None
    assert "the region 'Atlantis' (no acronym of the Allen atlas); it has VISa (" in said()
    assert real.get("good_units", "all") is None and "no insertions" in said()


def test_what_a_function_needs_and_a_session_lacks_is_said(session, real, said):
    assert session.get(lambda each: each.eid) == session.eid and said() == ""
    assert real.get(lambda each: each.good_units().index) is None and f"{real.name} has no insertions" in said()


# ------------------------------------------------------------------------------------------------------ found by chance


def test_each_sequence_of_the_null_is_tested_against_the_others():
    rng = np.random.default_rng(3)
    counts = pd.DataFrame(rng.poisson(3, (7, 60)) + rng.poisson(2, 60))
    condition, null = np.arange(60) % 2, np.array([rng.permutation(np.tile([1, 1, 0, 0], 15)) for _ in range(80)])
    shares = responses.null_detection_rate(counts, null[0], condition, null)
    for i, one in enumerate(null):
        alone = responses.selectivity(counts, one, condition, np.delete(null, i, axis=0))
        assert shares.loc[i, "p"] == (alone["p"] < 0.05).mean()
        assert shares.loc[i, "p_adjusted"] == (alone["p_adjusted"] < 0.05).mean()


def test_five_percent_are_found_by_chance_on_average_and_more_in_some_sessions(small):
    asked = questions.variable(small.trials, "choice")
    count = lesson_functions(EVENT="firstMovement_times")["count"]
    shares = responses.null_detection_rate(count(small, (-0.1, 0.05)), *asked)["p"]
    assert len(shares) == questions.N_NULL and 0.04 < shares.mean() <= 0.05 and shares.max() > 0.1


# ------------------------------------------------------------------------------------------- any question of the lesson


@pytest.mark.parametrize("event", questions.EVENTS)
@pytest.mark.parametrize("name", questions.VARIABLES)
def test_every_variable_can_be_asked_around_every_event(event, name, small, session):
    asked_of = session if name == "block" else small  # the small one ends before its first block
    table = lesson_functions(EVENT=event, VARIABLE=name, WINDOW=(-0.1, 0.2))["analysis"](asked_of)
    assert table.index.equals(asked_of.good_units().index)
    assert table["p"].between(0, 1, inclusive="right").all() and table["auc"].between(0, 1).all()
    assert (table["p_adjusted"] >= table["p"]).all()
    kept = np.flatnonzero(bwm.trials.bwm_mask(asked_of.trials))
    assert set(table.attrs["trials"]) <= set(kept) and table.attrs["n_trials"] > 50
    assert table.attrs["events"] == event
    assert table.attrs["null"].endswith("given sequences" if name == "block" else "shuffles within conditions")


def test_the_block_is_no_question_to_a_session_that_has_none(small, said):
    assert small.get(lesson_functions(EVENT="stimOn_times", VARIABLE="block", WINDOW=(-0.4, -0.1))["analysis"]) is None
    assert said().startswith("There are no blocks of .2 and .8 to compare")


def altered(tmp_path, **question):
    """The lesson, asked something else."""
    text = LESSON.read_text(encoding="utf-8")
    for name, value in question.items():
        text, n = re.subn(rf"^{name} = .+$", f"{name} = {value!r}", text, flags=re.MULTILINE)
        assert n == 1
    other = tmp_path / LESSON.name
    other.write_text(text, encoding="utf-8")
    return other


def test_where_nothing_is_known_it_ends_in_a_figure_and_a_table(small_sample, tmp_path, play):
    """As on a real recording that has everything."""
    shutil.copytree(small_sample, tmp_path / "one")
    forget_the_twin(tmp_path / "one")
    text = play(altered(tmp_path, FOLDER=str(tmp_path / "mine")), SOURCE=str(tmp_path / "one"))
    text = " ".join(text.split())
    assert "what was put into it is not known" in text and "has no null twin" in text
    assert "put in: unknown" in text and "put in unknown; 95" in text
    assert text.count("not applicable here") == 2 and text.count("not attempted") == 1
    written = sorted(file.name for file in (tmp_path / "mine").iterdir())
    stem = "SYNTHETIC_SIM-001-2001-01-08_choice_firstMovement_times_all_-100_to_50_ms"
    assert written == [f"{stem}.csv", f"{stem}.pdf", f"{stem}.png"]
    file = tmp_path / "mine" / f"{stem}.csv"
    assert "# null: 10000 shuffles within conditions" in file.read_text(encoding="utf-8")
    table = pd.read_csv(file, comment="#", index_col=[0, 1])
    units = bwm.Session(one=bwm.connect(tmp_path / "one")).good_units()
    assert table.index.equals(units.index) and table["acronym"].equals(units["acronym"])
    assert np.allclose(table["depths"], units["depths"]) and table["p"].between(0, 1).all()


def forget_the_twin(folder):
    """Take out of a source's tables which session is whose null twin."""
    table = pyarrow.parquet.read_table(folder / "sessions.pqt")
    known = json.loads(table.schema.metadata[b"one_metadata"])
    assert known.pop("null")
    said = {**table.schema.metadata, b"one_metadata": json.dumps(known).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(said), folder / "sessions.pqt")


def test_of_a_probe_and_a_region_another_question(small, small_sample, tmp_path, play):
    probe = small.insertions[1]
    region = small.good_units(probe=probe.name)["acronym"].iloc[0]
    n = len(small.good_units(region, probe.name))
    other = altered(tmp_path, VARIABLE="feedback", EVENT="feedback_times", WINDOW=(0.05, 0.35), REGION=region)
    text = " ".join(play(other, SOURCE=str(small_sample), PID=probe.pid).split())
    assert text.count(f"of {n} units have p below .05") == 2 and "put in: unknown" not in text
    assert text.count("not attempted") == 3


@pytest.mark.parametrize(
    "question, says",
    [
        ({"REGION": "SSp"}, "has no good units in the region 'SSp'; it has "),
        ({"EVENT": "stimOn"}, "no 'stimOn'; of events they have stimOn_times, goCue_times"),
        ({"VARIABLE": "block"}, "There are no blocks of .2 and .8 to compare: probabilityLeft is "),
    ],
)
def test_what_cannot_be_asked_ends_in_a_sentence(question, says, small_sample, tmp_path, play):
    text = play(altered(tmp_path, **question), SOURCE=str(small_sample))
    assert says in " ".join(text.split()) and "units have p below .05" not in text and "SYNTHETIC" in text
