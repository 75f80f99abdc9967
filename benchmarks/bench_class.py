"""How long a class takes: minutes to read and to practise the core of each lesson, and seconds to run it.

What is counted stands in the lessons: words, lines of code, figures, exercises, the minutes of practice that they
state. How fast people are is assumed, below. The plans in `notebooks/teaching.md` are made with these numbers, and a
test holds the two together.
"""

import re
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import nbformat

from bwm_tutorials.paths import ROOT
from bwm_tutorials.workshop import execute

WORDS_PER_MINUTE = 180  # of the text, and of the sentences and tables that are printed
LINES_PER_MINUTE = 15  # of code
MINUTES_PER_FIGURE = 0.5
FRONT, BACK = "front", "back"


class Amount(NamedTuple):
    """What a part of a lesson holds; exercises by their keys."""

    words: int = 0
    lines: int = 0
    figures: int = 0
    exercises: tuple[str, ...] = ()

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def minutes_to_read(self) -> float:
        """Minutes to read it, without practice."""
        return self.words / WORDS_PER_MINUTE + self.lines / LINES_PER_MINUTE + self.figures * MINUTES_PER_FIGURE


def parts(notebook: Path) -> dict[str, Amount]:
    """What each part of a lesson's core holds: what comes before section 1, each section, and from the recap on.

    Not counted are the extras, the teacher's notes, and the references.
    """
    found, part = {FRONT: Amount()}, FRONT
    for cell in nbformat.read(notebook, as_version=4).cells:
        if {"extra", "teacher"} & set(cell.metadata.get("tags", [])):
            continue
        if cell.cell_type == "code":
            found[part] += _code(cell)
            continue
        for text in re.split(r"^(?=## )", cell.source, flags=re.MULTILINE):
            if heading := re.match(r"## (\d+) · ", text):
                part = heading[1]
            elif text.startswith("## Recap"):
                part = BACK
            if not text.startswith("## References"):
                asked = re.findall(r"\*\*Exercise (\d+\.\d+)", text)
                found[part] = found.get(part, Amount()) + Amount(_words(text), exercises=tuple(asked))
    return found


def _code(cell: nbformat.NotebookNode) -> Amount:
    said = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.outputs]
    figures = sum("image/png" in out.get("data", {}) for out in cell.outputs)
    return Amount(_words(" ".join(said)), sum(bool(line.strip()) for line in cell.source.splitlines()), figures)


def _words(text: str) -> int:
    """Number of words, without addresses and numbers."""
    return len(re.findall(r"[^\W\d_][\w'’-]*", re.sub(r"\]\(.+?\)|<.+?>", "", text)))


def minutes_to_practise(notebook: Path) -> int:
    """The minutes of practice that a lesson states."""
    return int(re.search(r"(\d+) to practise", notebook.read_text(encoding="utf-8"))[1])


def minutes(notebook: Path, left_out: Collection[str] = ()) -> float:
    """Minutes that a lesson's core takes without some sections (``'2'``) or exercises (``'05.3'``).

    An exercise that is left out takes its share of the practice with it.
    """
    counted = parts(notebook)
    kept = sum((amount for part, amount in counted.items() if part not in left_out), Amount())
    exercises = [key for key in kept.exercises if key not in left_out]
    all_exercises = sum((amount.exercises for amount in counted.values()), ())
    return kept.minutes_to_read + minutes_to_practise(notebook) * len(exercises) / len(all_exercises)


def main() -> None:
    """Count and run every lesson, and print."""
    notebooks = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    print("lesson  words  code lines  figures  exercises  min to read  to practise  together  s to run")
    with tempfile.TemporaryDirectory() as folder:
        for notebook in notebooks:
            core = sum(parts(notebook).values(), Amount())
            reading, practice = core.minutes_to_read, minutes_to_practise(notebook)
            seconds = execute.execute(notebook, Path(folder, notebook.name)).seconds
            print(
                f"{notebook.name[:2]:6} {core.words:6} {core.lines:11} {core.figures:8} {len(core.exercises):10}"
                f" {reading:12.0f} {practice:12} {reading + practice:9.0f} {seconds:9.0f}"
            )


if __name__ == "__main__":
    main()
