"""What an exercise is: a question, its tested solution, and the wrong answers that people give."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple

from ..errors import UnknownExercise
from ..recordings.session import Session
from . import lessons

NOT_ATTEMPTED, NOT_YET, CORRECT, NOT_APPLICABLE = "not attempted", "not yet", "correct", "not applicable here"


class Mistake(NamedTuple):
    """A wrong answer that people give: what it computes, the hint that fits it, and what they believed."""

    answer: Callable[[Session], Any]
    hint: str
    misconception: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lesson.

    Parameters
    ----------
    ask : str
        The question in one sentence, with the unit of the answer.
    solve : callable
        Session → answer (a number, or a word); raises MissingDataset or KeyError where a session lacks what it needs.
    code : str
        How a learner gets it from the lesson's own variables; a test evaluates it.
    hint : str
        Helps someone who has not begun, and does not give the answer away.
    mistakes : tuple of Mistake
    tolerance : float
        Largest difference from the solution that counts as correct, in the answer's unit.
    fault : str
        Of a hunt: what is wrong in its script, in one sentence; else empty.
    """

    ask: str
    solve: Callable[[Session], Any]
    code: str
    hint: str
    mistakes: tuple[Mistake, ...]
    tolerance: float
    fault: str = ""


def exercises_of(lesson: str) -> dict[str, Exercise]:
    """The exercises of a lesson by key (``'00.1'``, …)."""
    if lesson not in (known := lesson_numbers()):
        raise UnknownExercise(f"There is no lesson {lesson!r} with exercises; there are {', '.join(known)}.")
    return import_module(f"{lessons.__name__}.lesson_{lesson}").EXERCISES


def lesson_numbers() -> list[str]:
    """Return the numbers of the lessons that have exercises, in order."""
    return sorted(name.removeprefix("lesson_") for _, name, _ in iter_modules(lessons.__path__))
