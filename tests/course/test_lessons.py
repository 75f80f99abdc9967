"""The lessons as a learner gets them: paired, within their ceilings, and running on any recording.

What stands beside them in the folder, and is no lesson, is held against what holds for any pair.
"""

import base64
import re
import runpy
import statistics
import subprocess
import sys
from io import BytesIO

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import threadpoolctl
from helpers.repository import SOURCES, every_lesson, lessons_of_each_run, tags
from helpers.sessions import NYU_11
from PIL import Image

import bwm_tutorials as bwm
from bwm_tutorials.course import checking
from bwm_tutorials.course.exercise import exercises_of
from bwm_tutorials.paths import ROOT
from bwm_tutorials.workshop import execute, notebooks, pages

PAIRS = sorted((ROOT / "notebooks").glob("*.py"))
every_pair = pytest.mark.parametrize("source", PAIRS, ids=lambda path: path.stem)
first_or_all = pytest.mark.parametrize("source", lessons_of_each_run("00"))
behaviour_or_all = pytest.mark.parametrize("source", lessons_of_each_run("00", "03", "04"))
CEILINGS = {"sections": 6, "figures": 5, "cells": 40, "words": 1500}
HEADINGS = ["Recap", "Exit ticket", "What is next"]


@pytest.fixture
def home(source):
    """The source that a lesson runs on by default, built."""
    return bwm.connect(execute.own_source(source))


def committed(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def text_of(notebook):
    return "\n".join(
        out.get("text", "") if out.output_type == "stream" else out.data.get("text/plain", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for out in cell.outputs
        if out.output_type in ("stream", "execute_result")
    )


def test_there_are_lessons():
    assert SOURCES[0].name.startswith("00_")
    assert len({source.name[:2] for source in SOURCES}) == len(SOURCES)


@every_lesson
def test_own_source_is_read_from_either_file_of_a_pair(source):
    expected = "sample-release" if source.name.startswith(("02_", "09_")) else "sample"
    assert execute.own_source(source) == execute.own_source(source.with_suffix(".ipynb")) == expected


# --------------------------------------------------------------------------------------------------------- as committed


@every_pair
def test_pair_has_the_same_content(source):
    assert notebooks.content(notebooks.read_source(source)) == notebooks.content(committed(source))
    assert [c.id for c in notebooks.read_source(source).cells] == [c.id for c in committed(source).cells]


@every_pair
def test_notebook_holds_nothing_that_changes_without_cause(source):
    notebook = committed(source)
    text = source.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert len(text) < 1e6
    assert set(notebook.metadata) <= pages.KEPT_METADATA and "version" not in notebook.metadata.language_info
    assert "widget-state" not in text and "papermill" not in text and "iopub" not in text
    assert not re.search(r"/(home|Users|root|tmp)/|[A-Z]:\\\\", text), "a path of somebody's computer"
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            assert not [out for out in cell.outputs if out.output_type == "error" or out.get("name") == "stderr"]
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "executed from top to bottom in a fresh kernel"


@every_pair
def test_picture_shown_elsewhere_is_that_of_the_lesson(source):
    for picture in notebooks.pictures(committed(source)):
        assert (source.parent / "pictures" / f"{source.stem}.png").read_bytes() == picture


@every_lesson
def test_lesson_keeps_its_ceilings(source):
    cells = notebooks.read_source(source).cells
    core = [cell for cell in cells if "extra" not in tags(cell)]
    markdown = [cell.source for cell in core if cell.cell_type == "markdown" and "teacher" not in tags(cell)]
    found = {
        "sections": sum(bool(re.match(r"## \d+ · ", text)) for text in markdown),
        "figures": sum("image/png" in out.get("data", {}) for c in committed(source).cells if "extra" not in tags(c)
                       for out in c.get("outputs", [])),
        "cells": len(core),
        "words": sum(len(re.findall(r"\w[\w'.-]*", re.sub(r"\]\(.+?\)|<.+?>", "", text))) for text in markdown),
    }  # fmt: skip
    assert {name: n for name, n in found.items() if n > CEILINGS[name]} == {}
    assert len(cells) <= 70
    lines = [len([ln for ln in c.source.splitlines() if ln.strip()]) for c in cells if c.cell_type == "code"]
    assert statistics.median(lines) <= 6 and max(lines) <= 15


@every_lesson
def test_lesson_has_the_parts_of_a_lesson_in_order(source):
    cells = notebooks.read_source(source).cells
    everything = "\n".join(cell.source for cell in cells)
    goals = re.findall(r"^- ", cells[0].source, flags=re.MULTILINE)
    assert cells[0].source.startswith(f"# {source.name[:2]} · ") and 3 <= len(goals) <= 5
    assert "to read" in everything and "to practise" in everything
    places = [everything.index(f"## {heading}") for heading in HEADINGS] + [everything.rindex("bwm.provenance(")]
    assert places == sorted(places)
    assert cells[-1].source.endswith("bwm.progress()\nbwm.save()")
    assert ("bwm.restore()" in everything.split("## ")[0]) == (source.name[:2] == "00")
    assert everything.index("bwm.plots.stamp(session)") < everything.index("## 1 · ")
    assert [cell.source.count("SOURCE") for cell in cells if "parameters" in tags(cell)] == [1]
    assert sum("teacher" in tags(cell) for cell in cells) >= 1
    asked = re.findall(r"\*\*Exercise (\d\d\.\d)", everything)
    checked = re.findall(r'answer = \.\.\.\ncheck\("(\d\d\.\d)", answer\)', everything)
    assert asked == checked == sorted(asked) and len(asked) >= 2


# ----------------------------------------------------------------------------------------------------------- as it runs


def uses_the_wheel(source):
    code = [cell.source for cell in notebooks.read_source(source).cells if cell.cell_type == "code"]
    return bool(re.search(r'session\.(wheel\b|get\("wheel"\))', "\n".join(code)))


def run_lesson(source, output, **parameters):
    result = execute.execute(source.with_suffix(".ipynb"), output, parameters)
    assert result.error == ""
    assert result.peak_mb < 800
    notebook = nbformat.read(output, as_version=4)
    stderr = [out.text for c in notebook.cells for out in c.get("outputs", []) if out.get("name") == "stderr"]
    assert stderr == [], "a learner is shown a warning"
    return notebook


def stripped(outputs):
    """Outputs without what may differ between Python versions: the list of versions itself."""
    kept = [{k: v for k, v in out.items() if k not in ("metadata", "execution_count")} for out in outputs]
    return [out | {"text": out["text"].split("versions  ")[0]} if "text" in out else out for out in kept]


NUMBER = re.compile(r"(?<![\w#.])[-−]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")
DIGITS = 6  # significant ones that no processor changes


def significant(number):
    return len(re.sub(r"e.*|\D", "", number).lstrip("0"))


def is_table(out):
    shown = out.get("data", {})
    return "text/html" in shown or "dtype: " in shown.get("text/plain", "")


def same_text(one, other):
    """Whether two texts are equal but for the last digits of numbers in a table."""
    if NUMBER.sub("", one).split() != NUMBER.sub("", other).split():
        return False
    values = [[float(n.replace(",", "").replace("−", "-")) for n in NUMBER.findall(text)] for text in (one, other)]
    return np.allclose(*values, rtol=10**-DIGITS, atol=1e-12, equal_nan=True)


def same_picture(one, other):
    """Whether two figures look alike: processors round curves and places of labels to other pixels."""
    one, other = (np.asarray(Image.open(BytesIO(base64.b64decode(png))).convert("L"), float) for png in (one, other))
    if np.abs(np.subtract(one.shape, other.shape)).max() > 2:
        return False
    height, width = np.minimum(one.shape, other.shape)
    apart = np.abs(one[:height, :width] - other[:height, :width])
    return apart.mean() < 1 and (apart > 64).mean() < 0.01


def assert_same_output(source, again, before):
    assert again.keys() == before.keys() and again.get("output_type") == before.get("output_type"), source
    if "text" in again:
        assert again["text"] == before["text"], source
    for kind, content in again.get("data", {}).items():
        same = same_picture if kind == "image/png" else same_text if is_table(before) else str.__eq__
        assert same(content, before["data"][kind]), (source, kind)


def processors():
    """Kinds of processor that numpy's linear algebra can be told to take this one for; the first is not its own."""
    own = {found.get("architecture") for found in threadpoolctl.threadpool_info()}
    first, *others = [name for name in ("Sandybridge", "Haswell", "Nehalem") if name not in own]
    return [first, *(pytest.param(name, marks=pytest.mark.weekly) for name in others[:1])]


@pytest.mark.parametrize("processor", processors())
@every_pair
def test_executed_again_it_gives_what_is_committed(source, processor, home, tmp_path, monkeypatch):
    """On another kind of processor too, whose last digits differ."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", processor)
    again = pages.clean(run_lesson(source, tmp_path / "out.ipynb"))
    for cell, before in zip(again.cells, committed(source).cells, strict=True):
        outputs = [stripped(c.get("outputs", [])) for c in (cell, before)]
        for pair in zip(*outputs, strict=True):
            assert_same_output(cell.source, *pair)


@every_pair
def test_no_printed_number_has_a_digit_that_another_processor_may_change(source):
    for cell in committed(source).cells:
        for out in cell.get("outputs", []):
            texts = [out.get("text", ""), out.get("data", {}).get("text/plain", "")]
            long = [n for text in texts for n in NUMBER.findall(text) if "." in n and significant(n) > DIGITS]
            assert not long or is_table(out), (cell.source, long)


def test_what_two_processors_may_show_is_told_from_what_differs():
    """The comparison itself."""
    table = {
        "output_type": "execute_result",
        "data": {"text/html": "<td>0.5024562411</td>", "text/plain": "0.50245624"},
    }
    other = {
        "output_type": "execute_result",
        "data": {"text/html": "<td>0.5024562412</td>", "text/plain": "0.50245625"},
    }
    assert_same_output("", table, other)
    wrong = {"output_type": "execute_result", "data": {"text/html": "<td>0.5025</td>", "text/plain": "0.5025"}}
    printed = {"output_type": "stream", "name": "stdout", "text": "0.50246"}
    for one, another in [(table, wrong), (printed, printed | {"text": "0.50247"}), (printed, table)]:
        with pytest.raises(AssertionError):
            assert_same_output("", one, another)
    pictures = [out["data"]["image/png"] for cell in committed(SOURCES[3]).cells for out in cell.get("outputs", [])
                if "image/png" in out.get("data", {})]  # fmt: skip
    assert same_picture(pictures[0], pictures[0]) and not same_picture(pictures[0], pictures[1])


@every_lesson
def test_unfilled_on_another_seed(source, small_sample, play):
    text = play(source, SOURCE=str(small_sample))
    assert text.count("not attempted") >= 2 and "SYNTHETIC" in text and "seed 2" in text


@every_lesson
def test_on_the_real_excerpt(source, play):
    text = play(source, SOURCE="real")
    assert "REAL: recorded from a mouse" in text and "not applicable here" in text
    assert ("has no wheel" in text) == uses_the_wheel(source)


@every_lesson
def test_on_a_real_session_of_the_brain_wide_map(source, real_data, play):
    text = play(source, SOURCE=str(real_data), EID=NYU_11)
    assert "REAL" in text and "NYU-11 2020-02-21" in text
    assert ("NYU-11 2020-02-21 has no wheel; it has trials." in text) == uses_the_wheel(source)


@behaviour_or_all
def test_on_a_bad_day_of_a_real_mouse(source, real_data, play):
    (eid,) = bwm.connect(real_data).search(subject="SWC_054", date_range="2020-09-02")
    assert "SWC_054 2020-09-02" in play(source, SOURCE=str(real_data), EID=str(eid))


@pytest.mark.parametrize("day", ["2020-08-21", pytest.param("2020-08-25", marks=pytest.mark.weekly)])
@every_lesson
def test_on_a_training_session(source, day, play):
    (eid,) = bwm.connect("real").search(subject="SWC_054", date_range=day)
    assert f"SWC_054 {day}" in play(source, SOURCE="real", EID=str(eid))


@every_pair
def test_every_figure_is_stamped_and_the_code_of_each_solution_works(source, home):
    with plt.rc_context():
        names = runpy.run_path(str(source), init_globals={"display": print})
        figures = [plt.figure(number) for number in plt.get_fignums()]
        plt.close("all")
    stamps = [[text.get_text() for text in figure.texts if text.get_gid() == "stamp"] for figure in figures]
    assert any("synthetic sample · seed 1" in stamp for [stamp] in stamps)
    assert all(re.search("synthetic sample · seed 1|synthetic audit · |REAL · ", stamp) for [stamp] in stamps)
    for key, exercise in exercises_of(source.name[:2]).items() if source in SOURCES else ():
        assert names["check"](key, eval(exercise.code, names)).status == checking.CORRECT
        assert exercise.code in names["solution"](key)


@first_or_all
def test_nbval_agrees_on_the_chosen_cells(source, home):
    notebook = source.with_suffix(".ipynb")
    assert any("nbval-check-output" in tags(cell) for cell in committed(source).cells)
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run([*command, str(notebook)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_data_are_downloaded_through_either_door(door, tmp_path):
    (source,) = (source for source in SOURCES if source.stem == "02_data_download")
    output = tmp_path / "out.ipynb"
    result = execute.execute(source.with_suffix(".ipynb"), output, {"SOURCE": door.name})
    assert result.error == ""
    text = text_of(nbformat.read(output, as_version=4))
    assert "10 loaded, 1 failed" in text
    assert "To fetch: " in text, "the cell that goes out"
    fetched = [file.name for file in door.root.rglob("*") if file.is_file()]
    assert fetched.count("_ibl_trials.table.pqt") == 11, "of ten sessions, and one that was superseded"
    assert fetched.count("passingSpikes.table.pqt") == 1 and "spikes.times.npy" not in fetched


def test_nbval_notices_a_changed_number(sample, tmp_path):
    source = SOURCES[0]
    altered = tmp_path / "altered.ipynb"
    text = source.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert text.count("4000.0\\n") == 1
    altered.write_text(text.replace("4000.0\\n", "4000.1\\n"), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run([*command, str(altered)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "1 failed" in done.stdout


@pytest.mark.parametrize(
    "line, noticed", [("1 / 0", ZeroDivisionError), ("__import__('warnings').warn('mind')", AssertionError)]
)
def test_an_error_and_a_warning_are_noticed_where_a_lesson_is_played(line, noticed, play, tmp_path):
    text = SOURCES[0].read_text(encoding="utf-8").split("# %% [markdown]\n# ## 1 · ")[0]
    altered = tmp_path / "00_altered.py"
    altered.write_text(f"{text}\n# %%\n{line}\n", encoding="utf-8")
    with pytest.raises(noticed):
        play(altered, SOURCE="real")
