"""What a teacher is given: copies without and with the answers, and plans whose minutes are those of the lessons."""

import os
import re
import subprocess
import sys

import bench_class
import nbformat
import pytest
from helpers.pages import dead_links
from helpers.repository import SOURCES, copy_of_the_repository, every_lesson, tags

from bwm_tutorials.course.exercise import exercises_of
from bwm_tutorials.paths import ROOT
from bwm_tutorials.workshop import doctor, notebooks

PAGE = ROOT / "notebooks" / "teaching.md"
TO_TEACHERS = re.compile(r"Teacher's notes|Misconceptions \(|[Ww]hen late|on the board|before class")


def notes(notebook):
    return [cell for cell in notebook.cells if "teacher" in tags(cell)]


def stubs(source):
    return [f'answer = ...\ncheck("{key}", answer)' for key in exercises_of(source.name[:2])]


def place(cells, stub):
    """Which cell ends with a stub: there is one."""
    (number,) = (number for number, cell in enumerate(cells) if cell.endswith(stub))
    return number


# -------------------------------------------------------------------------------------------------------------- copies


@pytest.fixture(scope="module")
def written(tmp_path_factory, sample):
    """``_build`` of a clone in which ``learner`` and ``teacher 00`` were called."""
    clone = copy_of_the_repository(tmp_path_factory.mktemp("teaching") / "clone")
    environ = os.environ | {"PYTHONPATH": str(clone), "BWM_DATA": str(sample.cache_dir.parents[1]), "PYTHONUTF8": "1"}
    for command in (["learner"], ["teacher", "00"]):
        called = [sys.executable, "-m", "bwm_tutorials", *command]
        done = subprocess.run(called, cwd=clone, env=environ, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
    return clone / "_build"


def misplaced(notebook):
    """Cells that speak to teachers, and would be shown to learners."""
    return [cell for cell in notebook.cells if TO_TEACHERS.search(cell.source) and "teacher" not in tags(cell)]


@every_lesson
def test_what_is_for_teachers_is_tagged(source):
    notebook = notebooks.read_source(source)
    assert misplaced(notebook) == [] and notes(notebook)
    for note in notes(notebook):
        note.metadata.pop("tags")
        assert misplaced(notebook) == [note], "without its tag it is found"
        note.metadata["tags"] = ["teacher"]


@every_lesson
def test_learner_gets_every_stub_no_note_and_no_solution(source, written):
    notebook = nbformat.read(written / "learner" / f"{source.stem}.ipynb", as_version=4)
    page = (written / "learner" / f"{source.stem}.html").read_text(encoding="utf-8")
    cells = [cell.source for cell in notebook.cells]
    assert cells == [cell.source for cell in notebooks.read_source(source).cells if "teacher" not in tags(cell)]
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    assert len([place(cells, stub) for stub in stubs(source)]) >= 2 and page.count('id="cell-id=') == len(cells)
    for text in (page, *cells):
        assert not TO_TEACHERS.search(text)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert not [exercise.ask for exercise in exercises_of(source.name[:2]).values() if exercise.code in code]
    assert "solution(" not in code


@pytest.mark.parametrize("folder", ["learner", "teacher"])
def test_no_link_of_the_pages_is_dead(folder, written):
    assert dead_links(written / folder) == []


def test_learner_gets_the_pages_that_lessons_link_to_and_not_this_one(written):
    names = {file.name for file in (written / "learner").iterdir()}
    assert "glossary.md" in names and "teaching.md" not in names
    page = (written / "learner" / "01_data_structure.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'href="([^":#]+)"', page))
    assert "00_start_here.html" in linked and linked <= names


@every_lesson
def test_teacher_gets_every_note_and_a_solution_under_each_exercise(source):
    notebook = nbformat.reads(notebooks.teachers_copy(source).decode(), as_version=4)
    nbformat.validate(notebook)
    assert [note.source for note in notes(notebook)] == [note.source for note in notes(notebooks.read_source(source))]
    cells = [cell.source for cell in notebook.cells]
    shown = [cells[place(cells, stub) + 1] for stub in stubs(source)]
    assert shown == [f'solution("{key}")' for key in exercises_of(source.name[:2])]
    assert "<details>" not in "".join(cells)


def test_teachers_lesson_is_executed_with_its_solutions(written):
    notebook = nbformat.read(written / "teacher" / "00_start_here.ipynb", as_version=4)
    said = {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    page = (written / "teacher" / "00_start_here.html").read_text(encoding="utf-8")
    for key, exercise in exercises_of("00").items():
        (out,) = said[f'solution("{key}")']
        assert out.data["text/plain"].startswith(f"answer = {exercise.code}\nHere this gives ")
        assert f"Exercise {key}" in page and page.count("Here this gives ") == len(exercises_of("00"))
    assert page.count("Teacher&#39;s notes") + page.count("Teacher's notes") == 1 and page.count("<img") >= 3
    assert "<details open" in page


# --------------------------------------------------------------------------------------------------------------- plans


def plans():
    """The plans of the page: for each day its rows, as minute of the start, minutes, lessons, left out, by count."""
    days, rows = {}, []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## (.+)|\| (\*\*.+?\*\*) \|", line):
            rows = days[heading[1] or heading[2]] = []
        elif row := re.fullmatch(r"\| (\d+):(\d\d) \| (\d+) \| (.+) \| (.*?) ?\| (\d*) ?\|", line):
            hours, minutes, lasts, what, left_out, counted = row.groups()
            lessons = re.findall(r"\]\((\w+\.ipynb)\)", what)
            parts = set(re.findall(r"section (\d+)|exercise (\d+\.\d+)", left_out))
            rows.append((60 * int(hours) + int(minutes), int(lasts), lessons, {a or b for a, b in parts}, counted))
    return {day: rows for day, rows in days.items() if rows}


def test_plans_are_half_a_day_and_two_days():
    lengths = {day: sum(lasts for _, lasts, *_ in rows) for day, rows in plans().items()}
    assert lengths == {"Half a day": 210, "**first day**": 360, "**second day**": 360}
    assert [row[2] for row in plans()["Half a day"] if row[2]] == [
        [f"{name}.ipynb"] for name in ("00_start_here", "03_decision_task", "05_spike_sorting", "06_neural_responses")
    ]


@pytest.mark.parametrize("day", plans())
def test_planned_minutes_are_those_that_the_lessons_take(day):
    rows, at, needed, given = plans()[day], 0, 0, 0
    for start, lasts, lessons, left_out, stated in rows:
        assert start == at, "one thing begins when another ends"
        at += lasts
        if lessons:
            counted = max(bench_class.minutes(PAGE.with_name(name), left_out) for name in lessons)
            assert abs(counted - int(stated)) <= 1, f"{lessons}: python benchmarks/bench_class.py counts {counted:.0f}"
            assert counted <= lasts <= 1.6 * counted
            needed, given = needed + counted, given + lasts
    assert 1.2 * needed <= given <= 1.45 * needed, "time for talk, and not too much of it"


@every_lesson
def test_counting_misses_nothing_of_the_core(source):
    counted = bench_class.parts(source.with_suffix(".ipynb"))
    core = [cell for cell in notebooks.read_source(source).cells if not {"extra", "teacher"} & set(tags(cell))]
    text = "\n".join(cell.source for cell in core)
    assert [*counted] == ["front", *re.findall(r"^## (\d+) · ", text, flags=re.MULTILINE), "back"]
    exercises = [key for part in counted.values() for key in part.exercises]
    assert exercises == re.findall(r'check\("(\S+)", answer\)', text)
    lines = sum(len([ln for ln in cell.source.splitlines() if ln]) for cell in core if cell.cell_type == "code")
    assert sum(part.lines for part in counted.values()) == lines
    notebook = source.with_suffix(".ipynb")
    whole = bench_class.minutes(notebook)
    assert bench_class.minutes(notebook, counted) == 0
    assert bench_class.minutes(notebook, exercises) == pytest.approx(whole - bench_class.minutes_to_practise(notebook))


def test_every_lesson_says_what_to_cut_and_the_page_knows_it():
    text = PAGE.read_text(encoding="utf-8")
    for source in SOURCES:
        (line,) = re.findall(rf"^\| {source.name[:2]} \| (.+) \|", text, flags=re.MULTILINE)
        (note,) = notes(notebooks.read_source(source))
        for section in re.findall(r"[Ll]eave out section (\d)", note.source.replace("\n", " ")):
            assert f"section {section}" in line


def test_troubles_are_those_that_the_doctor_names():
    named = set(re.findall(r"`✗ (.+?)`", PAGE.read_text(encoding="utf-8")))
    assert len(named) >= 5 and named <= {check.name for check in doctor.examine()}
