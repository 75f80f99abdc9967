"""What a recording lacks or has too little of ends no lesson: every dataset taken away, and sessions of every poverty.

``python tests/course/test_knock_outs.py`` plays all of it and writes the page of the book that shows it.
"""

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))  # for whoever runs this file
from helpers.degenerate import DEGENERATE, make, of_units, real_probe, without
from helpers.playing import Played, played, traced
from helpers.repository import SOURCES

import bwm_tutorials as bwm
from bwm_tutorials.course.exercise import NOT_APPLICABLE, NOT_ATTEMPTED, exercises_of, lesson_numbers
from bwm_tutorials.errors import MissingDataset
from bwm_tutorials.paths import ROOT

PLAYED = [*SOURCES, *(ROOT / "notebooks" / name for name in ("report.py", "explore.py"))]
PAGE = ROOT / "notebooks" / "what_may_be_missing.md"
every_notebook = pytest.mark.parametrize("source", PLAYED, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))


@pytest.fixture(scope="session")
def small(small_sample) -> bwm.Session:
    return bwm.Session(one=bwm.connect(small_sample))


@pytest.fixture(scope="session")
def poor(small, tmp_path_factory):
    """Makes the folder of a session that lacks something, once."""

    @cache
    def poor(what: str) -> Path:
        return knocked_out(small, what, tmp_path_factory.mktemp("poor") / "one")

    return poor


def knocked_out(small: bwm.Session, what: str, root: Path) -> Path:
    """A session without a file, or one of `DEGENERATE`."""
    if what in DEGENERATE:
        return make(root, small, DEGENERATE[what])
    if what.startswith("CRITICAL "):
        return make(root, small, dict, critical=what.removeprefix("CRITICAL "))
    parts = what.replace("{probe}", "probe00"), what.replace("{probe}", "probe01")
    return make(root, small, lambda files: {path: content for path, content in files.items() if path not in parts})


def wanted(source: Path, met: Played) -> list[str]:
    """What is wrong with how a notebook met a session: nothing."""
    keys = exercises_of(source.stem[:2]) if source.stem[:2] in lesson_numbers() else ()
    silent = [k for k in keys if not any(f"{k} {word}" in met.text for word in (NOT_ATTEMPTED, NOT_APPLICABLE))]
    # A number that is not known is not told as one; a script of a hunt may print it alone.
    told = [line for line in met.text.splitlines() if "nan" in line.split() and line.strip() != "nan"]
    return [f"{key} says nothing" for key in silent] + [f"it says {line.strip()!r}" for line in told]


def removable(source: Path, small_sample: Path) -> list[str]:
    """The files that a notebook reads of a whole session."""
    with traced() as read:
        played(source, SOURCE=str(small_sample))
    return sorted(read)


@pytest.fixture(scope="session")
def thirty_trials(built_once, tmp_path_factory) -> Path:
    """As one was met: 262 units, 46 of them good, thirty trials of the unbiased block, and little else."""
    like = bwm.Session(one=bwm.connect(built_once("many", seed=3, minutes=6, clusters=262)))
    label = like.insertions[1].clusters["label"].to_numpy()
    label = np.where(np.cumsum(label == 1) > 46, 2 / 3, label)

    def change(files):
        return real_probe(
            of_units(lambda units: np.ones(len(units), bool), label)(without(files, "probe00", "passing"))
        )

    root = make(tmp_path_factory.mktemp("excerpt") / "one", like, change)
    found = bwm.Session(one=bwm.connect(root))
    (insertion,) = found.insertions
    assert len(insertion.clusters) == 262 and (insertion.clusters["label"] == 1).sum() == 46
    assert len(found.trials) == 30 and set(found.trials["probabilityLeft"]) == {0.5}
    assert set(found.good_units().index.get_level_values("cluster")) - set(insertion.spikes.clusters), "some are silent"
    return root


@every_notebook
def test_a_real_probe_of_thirty_trials_ends_no_lesson(source, thirty_trials):
    assert wanted(source, played(source, SOURCE=str(thirty_trials))) == []


@pytest.mark.parametrize("source, what", [
    *zip(PLAYED, [*DEGENERATE][1:], strict=False),
], ids=lambda value: getattr(value, "stem", value))  # fmt: skip
def test_a_poor_session_ends_no_lesson(source, what, poor):
    """One of them for each notebook; all of them weekly."""
    assert wanted(source, played(source, SOURCE=str(poor(what)))) == []


@every_notebook
def test_a_file_that_is_not_there_ends_no_lesson(source, poor):
    """The last that a notebook reads, by the page; all of them weekly."""
    files = [what for what in written()[source.stem[:2]] if "/" in what]
    assert wanted(source, played(source, SOURCE=str(poor(files[-1])))) == []


def matrix(source: Path, small_sample: Path, poor) -> Iterator[tuple[str, str]]:
    """How a notebook meets each session that lacks something: how many cells say so for that, or what is wrong."""
    whole = played(source, SOURCE=str(poor("nothing")))  # but what was put in, and its null twin
    for what in [*removable(source, small_sample), "CRITICAL leftCamera", *DEGENERATE]:
        try:
            met = played(source, SOURCE=str(poor(what)))
            yield what, "; ".join(wanted(source, met)) or str(max(met.left_out - whole.left_out, 0))
        except Exception as error:
            no_report = source.stem == "report" and isinstance(error, MissingDataset)  # which is of an insertion
            yield what, "–" if no_report else f"{type(error).__name__}: {error}"


@pytest.mark.weekly
@every_notebook
def test_nothing_that_may_be_missing_ends_a_lesson(source, small_sample, poor):
    """Each file that it reads, and each poverty; the page of the book says what is found here."""
    found = dict(matrix(source, small_sample, poor))
    assert {what: wrong for what, wrong in found.items() if len(wrong) > 2} == {}
    assert written()[source.stem[:2]] == found, "write the page again: python tests/course/test_knock_outs.py"


def written() -> dict[str, dict[str, str]]:
    """What the page says, by notebook."""
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if " | " in line]
    head, _, *rows = rows
    return {
        name: {row[0].strip("`"): row[i].strip() for row in rows if row[i].strip() != "·"}
        for i, name in enumerate(head[1:], 1)
    }


TEXT = """# What may be missing

A recording lacks what was not recorded, or not released, and an excerpt has little of everything. No lesson ends for
that: a cell that needs what is not there says so in a sentence, and the lesson goes on. Each row of the table is a
session of the sample without one file, or with too little of something; the column of a lesson has the number of its
cells that could not be shown for that. A dot: the lesson does not read the file. `re` is the report of an insertion (a
dash: there is nothing to report on), and `ex` the explorer.

"""


def page(found: dict[str, dict[str, str]]) -> str:
    """The page of the book."""
    whats = dict.fromkeys(what for of_one in found.values() for what in of_one)
    paths = sorted(what for what in whats if "/" in what)
    rows = [["without, or with", *found], ["---"] * (len(found) + 1)]
    for what in [*(f"`{path}`" for path in paths), *(what for what in whats if "/" not in what)]:
        rows.append([what, *(of_one.get(what.strip("`"), "·") for of_one in found.values())])
    return TEXT + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


if __name__ == "__main__":
    import tempfile

    import matplotlib

    from bwm_tutorials.simulate import sample

    matplotlib.use("Agg")
    with tempfile.TemporaryDirectory() as folder:
        whole = sample.build(Path(folder, "small", "sample"), seed=2, minutes=12, clusters=20)
        like = bwm.Session(one=bwm.connect(whole))
        poor_ones = cache(lambda what: knocked_out(like, what, Path(tempfile.mkdtemp(dir=folder), "one")))
        table = {source.stem[:2]: dict(matrix(source, whole, poor_ones)) for source in PLAYED}
    PAGE.write_text(page(table), encoding="utf-8")
    sys.exit("\n".join(f"{name}, {what}: {w}" for name, of in table.items() for what, w in of.items() if len(w) > 2))
