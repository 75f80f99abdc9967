"""The page of all hunts: made from the lessons, complete, and true to what their scripts print."""

import re

import nbformat
import numpy as np
import pytest

from bwm_tutorials.course.exercise import exercises_of
from bwm_tutorials.paths import ROOT
from bwm_tutorials.workshop import hunts

NOTEBOOKS = ROOT / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
HUNTS = [(path, key) for path in LESSONS for key in re.findall(r"Exercise (\S+), a hunt", path.read_text("utf-8"))]


@pytest.fixture(scope="module")
def committed():
    return (NOTEBOOKS / "hunts.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_lessons_give(committed):
    assert committed == hunts.page(LESSONS)


def test_every_hunt_is_on_the_page_under_its_lesson(committed):
    assert len(HUNTS) >= 15
    listed = re.findall(r"\]\((\S+)\.ipynb\)|^\*\*(\S+)\*\* \(", committed, flags=re.MULTILINE)
    lesson, found = "", []
    for stem, key in listed:
        lesson = stem or lesson
        found += [(lesson, key)] if key else []
    assert found == [(path.stem, key) for path, key in HUNTS]


@pytest.mark.parametrize("path, key", HUNTS, ids=[key for _, key in HUNTS])
def test_the_wrong_number_is_what_the_script_prints(path, key, committed):
    """In the executed lesson, from the words of the exercise to the cell of the answer; what the check says apart."""
    cells = nbformat.read(path.with_suffix(".ipynb"), as_version=4).cells
    (first,) = [n for n, cell in enumerate(cells) if f"Exercise {key}, a hunt" in cell.source]
    (last,) = [n for n, cell in enumerate(cells) if f'check("{key}", answer)' in cell.source]
    outputs = [out for cell in cells[first:last] for out in cell.get("outputs", [])]
    outputs += [out for out in cells[last]["outputs"] if out["output_type"] == "stream"]
    shown = " ".join(out["text"] if "text" in out else out["data"]["text/plain"] for out in outputs)
    entry = committed.split(f"**{key}**")[1].split("</details>")[0]
    printed, right = re.findall(r"(?:prints|Right is) \*\*(\S+)(?: \S+)?\*\*", entry)
    exercise = exercises_of(key[:2])[key]
    assert printed != right and exercise.ask in entry
    if re.fullmatch(r"[-\d.e+]+", printed):
        numbers = np.array(re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", shown), dtype=float)
        assert np.isclose(numbers, float(printed), rtol=1e-5, atol=exercise.tolerance).any()
    else:
        assert printed in shown
