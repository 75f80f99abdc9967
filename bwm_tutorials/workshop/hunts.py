"""The hunts: exercises in which a script runs, gives no error, and is wrong. All of them on one page."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from ..course.checking import show
from ..course.exercise import exercises_of
from ..recordings.session import Session
from ..recordings.sources import connect
from . import execute, notebooks

_HUNT = re.compile(r"\*\*Exercise (\d\d\.\d+), a hunt\.\*\*")
_UNIT = re.compile(r", in (µm|mm|m|ms|s|Hz|MB|%|degrees|percent)\b")
_INTRODUCTION = """\
# The hunts

In these exercises a script runs, gives no error, and is wrong. You find out why, and mend it. Here they are together:
what each script wants to know, what it prints, and, folded, what is right and what goes wrong. Hunt first.

Every number is of simulated sessions: the sample, or the small release. It says what such a fault costs in these, not
what it costs in yours.
"""


class Hunt(NamedTuple):
    """A hunt: its exercise, the section it stands in, what its script wants to know and prints, and the truth."""

    key: str
    section: str
    ask: str
    printed: str
    right: str
    fault: str


def page(sources: Sequence[Path]) -> str:
    """The hunts of lessons (their ``.py``) as a page in Markdown."""
    parts = [_INTRODUCTION]
    for source in sources:
        notebook = notebooks.read_source(source)
        title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
        found = list(hunts(notebook, execute.own_source(source)))
        parts += [f"## {title}\n\n[To the lesson]({source.stem}.ipynb)\n"] if found else []
        parts += [
            f"**{hunt.key}** ({hunt.section})\n{hunt.ask}\nThe script prints **{hunt.printed}**.\n\n"
            f"<details><summary>What is right, and what goes wrong</summary>\n\n"
            f"Right is **{hunt.right}**.\n{hunt.fault}\n\n</details>\n"
            for hunt in found
        ]
    return "\n".join(parts)


def hunts(notebook: NotebookNode, source: str) -> Iterator[Hunt]:
    """The hunts of a lesson, computed on its own session; what a script prints is its exercise's first mistake."""
    section, session = "", Session(one=connect(source))
    for line in (line for cell in notebook.cells for line in cell.source.splitlines() if cell.cell_type == "markdown"):
        section = line.removeprefix("## ") if line.startswith("## ") else section
        for key in _HUNT.findall(line):
            exercise = exercises_of(key[:2])[key]
            mistake = exercise.mistakes[0]
            answers = (_with_unit(answer(session), exercise.ask) for answer in (mistake.answer, exercise.solve))
            yield Hunt(key, section, exercise.ask, *answers, exercise.fault or mistake.hint)


def _with_unit(answer: float | str, ask: str) -> str:
    unit = _UNIT.search(ask)
    return f"{show(answer)} {unit[1]}" if unit else show(answer)
