"""Every exercise of every lesson: the stub, the solution, each planted mistake, and what a session lacks."""

import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bwm_tutorials as bwm
from bwm_tutorials.course import checking
from bwm_tutorials.course.exercise import Exercise, Mistake, exercises_of
from bwm_tutorials.errors import UnknownExercise
from bwm_tutorials.paths import ROOT
from bwm_tutorials.workshop import execute

LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
EXERCISES = [(path.name[:2], key) for path in LESSONS for key in exercises_of(path.name[:2])]


@cache
def session_of(source):
    return bwm.Session(one=bwm.connect(source))


def own_source(lesson):
    """The source that a lesson runs on by default."""
    (path,) = (path for path in LESSONS if path.name.startswith(lesson))
    return execute.own_source(path)


@pytest.fixture
def home(lesson):
    return session_of(own_source(lesson))


@pytest.fixture(params=["home", "another seed", "real"])
def anyone(request, home, real, small_sample):
    return {"home": home, "another seed": session_of(small_sample), "real": real}[request.param]


def outcome(lesson, key, answer, session):
    check, _, _ = bwm.exercises(lesson, session)
    return check(key, answer)


def remembered(exercise, session):
    """An exercise that computes each of its answers on this session once, however often it is asked."""

    def once(function):
        answer = cache(lambda: function(session))
        return lambda _: answer()

    mistakes = tuple(mistake._replace(answer=once(mistake.answer)) for mistake in exercise.mistakes)
    return replace(exercise, solve=once(exercise.solve), mistakes=mistakes)


@pytest.mark.parametrize("lesson, key", EXERCISES)
def test_stub_solution_and_mistakes(lesson, key, anyone, home):
    exercise = remembered(exercises_of(lesson)[key], anyone)

    def judged(answer):
        return checking.evaluate(key, exercise, answer, anyone)

    stub = judged(...)
    if stub.status == checking.NOT_APPLICABLE:
        assert anyone.name in stub.message
        assert anyone is not home, "what a lesson asks can be answered where it is set"
        # The short session of another seed ends before its first block.
        lacking = anyone.name.startswith("SWC") or "no blocks of .2 and .8 to compare" in stub.message
        assert lacking or own_source(lesson) != "sample"
        return
    assert stub.status == checking.NOT_ATTEMPTED and exercise.ask in stub.message
    right = exercise.solve(anyone)
    assert judged(right).status == checking.CORRECT
    if not isinstance(right, str):
        assert judged(np.float64(right)).status == judged(pd.Series([right])).status == checking.CORRECT
    for mistake in exercise.mistakes:
        found = judged(mistake.answer(anyone))
        if anyone is home:
            assert (found.status, found.message) == (checking.NOT_YET, mistake.hint)
        else:  # elsewhere a mistake may make no difference, or give what another gives
            assert found.status == checking.CORRECT or found.message in [m.hint for m in exercise.mistakes]
    elsewhere = "nowhere" if isinstance(right, str) else right + 1234.5
    assert judged(elsewhere).message == exercise.hint


@pytest.mark.parametrize("nonsense", [None, np.nan, [1, 2], np.arange(3), True, {}, pd.DataFrame(), np.inf, "0.9", 3])
@pytest.mark.parametrize("right, kind", [(1.5, "one number"), ("CA1", "one word")])
def test_an_answer_of_the_wrong_kind(right, kind, nonsense, session):
    exercise = Exercise("How much?", lambda _: right, "", "the hint", (), tolerance=0.1)
    found = checking.evaluate("00.9", exercise, nonsense, session)
    fits = isinstance(nonsense, str) if kind == "one word" else type(nonsense) is int
    assert found.status == checking.NOT_YET and (kind in found.message) == (not fits)


def test_an_answer_of_the_wrong_kind_reaches_the_learner(session):
    for key, kind in (("01.1", "one number"), ("01.2", "one word")):
        assert kind in outcome("01", key, [1, 2], session).message


def test_a_session_that_lacks_what_is_needed(session):
    incomplete = bwm.Session(session.eid, session.one)
    incomplete.trials = session.trials.drop(columns="feedback_times")
    found = outcome("00", "00.1", 312.0, incomplete)
    assert found.status == checking.NOT_APPLICABLE and "feedback_times" in found.message


def test_what_one_does_not_find_is_not_applicable(real):
    def licks(session):
        return session.one.load_dataset(session.eid, "licks.times.npy")

    found = checking.evaluate("00.9", Exercise("How many?", licks, "", "the hint", (), tolerance=0), 1, real)
    assert found.status == checking.NOT_APPLICABLE and real.name in found.message
    assert 'ONE does not find this in the recording: Dataset "licks.times.npy" not found.' in found.message


@pytest.mark.parametrize("lesson, key, part, why", [
    ("00", "00.1", lambda trials: trials["feedbackType"] == -1, "no trial"),
    ("00", "00.2", lambda trials: trials["contrastRight"].notna(), "no trial"),
    ("04", "04.3", lambda trials: trials["firstMovement_times"] > trials["stimOn_times"] + 0.08, "no trial"),
    ("04", "04.4", lambda trials: trials["choice"] == 0, "no trial"),
])  # fmt: skip
def test_what_no_trial_answers_is_not_applicable(lesson, key, part, why, session):
    poor = bwm.Session(session.eid, session.one)
    poor.trials = session.trials[part(session.trials)].reset_index(drop=True)
    found = outcome(lesson, key, 1.0, poor)
    assert found.status == checking.NOT_APPLICABLE and why in found.message and poor.name in found.message


def test_what_no_unit_answers_is_not_applicable(session):
    poor = bwm.Session(session.eid, session.one)
    poor.insertions[0].clusters = poor.insertions[0].clusters.assign(label=0.0)
    for lesson, key in (("01", "01.1"), ("01", "01.2"), ("05", "05.5")):
        found = outcome(lesson, key, 1.0 if key != "01.2" else "CA1", poor)
        assert found.status == checking.NOT_APPLICABLE and "no trial, or unit," in found.message


def test_outcomes_read_as_one_line(session):
    assert repr(outcome("00", "00.1", ..., session)).startswith("□ 00.1 not attempted. Put your answer")
    right = exercises_of("00")["00.1"].solve(session)
    assert repr(outcome("00", "00.1", right, session)) == "✓ 00.1 correct."
    assert repr(outcome("00", "00.1", 0, session)).startswith("✗ 00.1 not yet. ")


@pytest.mark.parametrize("rounded", [lambda x: round(x, 2), lambda x: np.round(x, 3)])
def test_mistakes_are_recognised_when_rounded_and_rounded_answers_pass(rounded, session):
    exercise = exercises_of("00")["00.2"]
    assert outcome("00", "00.2", rounded(exercise.solve(session)), session).status == checking.CORRECT
    for mistake in exercise.mistakes:
        assert outcome("00", "00.2", rounded(mistake.answer(session)), session).message == mistake.hint


@pytest.mark.parametrize("lesson, key", EXERCISES)
def test_any_answer_is_judged_on_real_sessions(lesson, key, real, real_data):
    (nyu,) = bwm.connect(real_data).search(subject="NYU-11")
    for anyone in (real, bwm.Session(nyu, bwm.connect(real_data))):
        exercise = remembered(exercises_of(lesson)[key], anyone)
        for answer in (-1, 0, 42, 1e9, "nowhere"):
            found = checking.evaluate(key, exercise, answer, anyone)
            assert found.status in (checking.NOT_YET, checking.NOT_APPLICABLE)


@pytest.mark.parametrize("write", ["{}", "({})", " [{}] ", "{} ", "({} "])
@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_a_word_is_taken_as_it_is_meant(write, case, session):
    wrong = Mistake(lambda _: "Beryl", "a list of regions")
    exercise = Exercise("A word.", lambda _: "CA1", '"CA1"', "the hint", (wrong,), tolerance=0)

    def message(word):
        return checking.evaluate("09.5", exercise, write.format(case(word)), session)

    assert message("CA1").status == checking.CORRECT
    assert message("Beryl").message == wrong.hint
    for other in ("CA3", "CA", "C A1", "CA1 or CA3", ""):
        assert message(other).message == exercise.hint


def test_unknown_lesson_and_unknown_exercise(session):
    with pytest.raises(UnknownExercise, match="no lesson '77'"):
        bwm.exercises("77", session)
    with pytest.raises(UnknownExercise, match=r"no exercise '00.9' in lesson 00; it has 00.1, 00.2"):
        outcome("00", "00.9", 1, session)


def test_the_trials_counted_by_hand_are_those_that_the_rules_keep(session, small_sample):
    for each in (session, session_of(small_sample)):
        assert exercises_of("03")["03.3"].solve(each) == bwm.trials.bwm_mask(each.trials).sum()


def test_a_count_next_to_a_mistake_is_not_taken_for_it(session):
    check, _, _ = bwm.exercises("03", session)
    late = (bwm.trials.movement_latency(session.trials) <= 2).sum()
    assert "kept those that came too early" in check("03.3", late).message
    assert "kept those that came too early" not in check("03.3", late + 2).message


def test_a_library_that_is_missing_is_named_and_not_the_lesson(monkeypatch, session):
    monkeypatch.setitem(sys.modules, "bwm_tutorials.course.lessons.lesson_03", None)
    with pytest.raises(ModuleNotFoundError, match="lesson_03"):
        bwm.exercises("03", session)
