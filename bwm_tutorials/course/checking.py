"""Exercises that check themselves: `exercises` gives a lesson its ``check``, ``hint`` and ``solution``.

An answer is compared with what the tested solution computes on the session at hand, so a check is right on any
sample and on any real recording, and no answer is written down anywhere.
"""

import textwrap
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from ..console import printable
from ..errors import DataError, UnknownExercise
from ..recordings.session import Session
from .exercise import CORRECT, NOT_APPLICABLE, NOT_ATTEMPTED, NOT_YET, Exercise, exercises_of
from .lacking import TELLING, lacks
from .learner.progress import record

MISTAKE_TOLERANCE = 0.01  # relative: a mistake is recognised also when its result was rounded
_MARKS = {NOT_ATTEMPTED: "□", NOT_YET: "✗", CORRECT: "✓", NOT_APPLICABLE: "–"}


class Outcome(NamedTuple):
    """What a check found: the exercise, one of four statuses, and a sentence for the learner."""

    key: str
    status: str
    message: str

    def __repr__(self) -> str:
        return printable(textwrap.fill(f"{_MARKS[self.status]} {self.key} {self.status}. {self.message}".rstrip(), 92))


class Text(str):
    """Text that a notebook shows as it is, without quotation marks."""

    def __new__(cls, text: str) -> "Text":
        return super().__new__(cls, printable(text))

    def __repr__(self) -> str:
        return str(self)


def exercises(lesson: str, session: Session) -> tuple[Callable, Callable, Callable]:
    """The ``check``, ``hint`` and ``solution`` of a lesson, on a session.

    Parameters
    ----------
    lesson : str
        For example ``'00'``.
    session : Session
        The recording that answers are computed on.

    Returns
    -------
    check : callable
        ``check('00.1', answer)`` gives an `Outcome`.
    hint, solution : callable
        ``hint('00.1')`` and ``solution('00.1')`` give text.
    """
    found = exercises_of(lesson)

    def look_up(key: str) -> Exercise:
        if key not in found:
            raise UnknownExercise(f"There is no exercise {key!r} in lesson {lesson}; it has {', '.join(found)}.")
        return found[key]

    def check(key: str, answer: Any) -> Outcome:
        outcome = evaluate(key, look_up(key), answer, session)
        record(key, outcome.status, _number(answer))
        return outcome

    def hint(key: str) -> Text:
        return Text(textwrap.fill(look_up(key).hint, 92))

    def solution(key: str) -> Text:
        exercise = look_up(key)
        expected, missing = _solve(exercise, session)
        return Text(f"answer = {exercise.code}\n" + (missing or f"Here this gives {show(expected)}."))

    return check, hint, solution


def evaluate(key: str, exercise: Exercise, answer: Any, session: Session) -> Outcome:
    """Compare an answer with the solution and the known mistakes on a session."""
    expected, missing = _solve(exercise, session)
    if missing:
        return Outcome(key, NOT_APPLICABLE, missing)
    if answer is ...:
        return Outcome(key, NOT_ATTEMPTED, f"Put your answer in place of the dots. {exercise.ask}")
    value = _word(answer) if isinstance(expected, str) else _number(answer)
    if value is None:
        kind = "one word in quotes" if isinstance(expected, str) else "one number"
        return Outcome(key, NOT_YET, f"The answer is {kind}, and this is {_describe(answer)}.")
    if _same(value, expected, atol=exercise.tolerance):
        return Outcome(key, CORRECT, "")
    rtol = MISTAKE_TOLERANCE if exercise.tolerance else 0  # a count is not rounded
    for mistake in exercise.mistakes:
        with suppress(DataError, LookupError):  # what the mistake needs may not be there
            if _same(value, mistake.answer(session), rtol=rtol):
                return Outcome(key, NOT_YET, mistake.hint)
    return Outcome(key, NOT_YET, exercise.hint)


def _solve(exercise: Exercise, session: Session) -> tuple[float | str, str]:
    """The solution's answer and "", or NaN and the sentence that says what the session lacks."""
    try:
        expected = exercise.solve(session)
    except IndexError:
        expected = np.nan
    except TELLING as error:
        if not (lacking := lacks(error)):
            raise
        return np.nan, lacking if session.name in lacking else f"{session.name}: {lacking}"
    if expected != expected:  # NaN
        return np.nan, f"{session.name} has no trial, or unit, that this could be computed on."
    return expected, ""


def _number(answer: Any) -> float | None:
    """The answer as a float if it is a single finite number (of Python, numpy or pandas), else None."""
    if isinstance(answer, (str, bool, np.bool_)) or np.size(answer) != 1:
        return None
    try:
        value = float(np.asarray(answer).item())
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def _word(answer: Any) -> str | None:
    return answer if isinstance(answer, str) else None


def show(answer: float | str) -> str:
    return answer if isinstance(answer, str) else f"{answer:.6g}"


def _same(value: float | str, other: float | str, rtol: float = 0, atol: float = 0) -> bool:
    return (
        _plain(value) == _plain(other)
        if isinstance(value, str)
        else bool(np.isclose(value, other, rtol=rtol, atol=atol))
    )


def _plain(word: str) -> str:
    """A word without what makes no difference: case, and blanks and brackets around it."""
    return word.strip(" ()[]").casefold()


def _describe(answer: Any) -> str:
    if isinstance(answer, float) or np.size(answer) == 1:
        return repr(answer)
    return f"a {type(answer).__name__} of {np.size(answer)} values"
