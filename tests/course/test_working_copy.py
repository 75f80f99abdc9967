"""What a learner wrote is never lost: not to an update, a kill, a full disk, another computer or a hostile zip."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import nbformat
import pytest
from helpers.repository import copy_of_the_repository

import bwm_tutorials as bwm
from bwm_tutorials.course import checking
from bwm_tutorials.course.learner import progress, saves, working_copy
from bwm_tutorials.errors import WorkingCopyError
from bwm_tutorials.paths import ROOT, data_folder
from bwm_tutorials.workshop import execute, notebooks

LESSON = "03_the_task.ipynb"
NEW = "03_the_task (new).ipynb"
RESTORED = "03_the_task (restored).ipynb"


def lesson(*cells: str) -> bytes:
    """The content of a lesson as `start` writes it."""
    body = [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(cells)]
    return nbformat.writes(nbformat.v4.new_notebook(cells=body)).encode() + b"\n"


FIRST, SECOND, THIRD = lesson("answer = ..."), lesson("answer = ...", "more"), lesson("answer = ...", "most")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working copy with one lesson, which is the current folder."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    folder = working_copy.create(tmp_path / "my_lessons")
    working_copy.copy_lessons({LESSON: FIRST}, folder)
    monkeypatch.chdir(folder)
    return folder


def change(file: Path, source: str | None = None, output: str | None = None, metadata: dict | None = None) -> bytes:
    """Do to a notebook what a learner in JupyterLab does, and give its new content."""
    notebook = nbformat.read(file, as_version=4)
    if source:
        notebook.cells[0].source = source
    if output:
        notebook.cells[0].execution_count = 1
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text=output)]
    notebook.metadata.update(metadata or {})
    nbformat.write(notebook, file)
    return file.read_bytes()


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but what is remembered in .bwm."""
    found = [f for f in folder.rglob("*") if f.is_file() and working_copy.FOLDER not in f.parts]
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in found}


def python(code: str, cwd: Path, **environ: str) -> str:
    """What a Python process of its own prints in a folder."""
    environ = os.environ | {"PYTHONUTF8": "1"} | environ
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environ, stdout=subprocess.PIPE, encoding="utf-8", check=True
    ).stdout


def start(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "bwm_tutorials", "start", "--no-lab", *map(str, arguments)]
    environ = os.environ | {"PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", env=environ)


# ------------------------------------------------------------------------------------------------------------- copying


def test_start_copies_plain_notebooks_without_the_teachers_notes(tmp_path):
    done = start(tmp_path / "mine")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Your lessons are in {tmp_path / 'mine'}.\n"
    for source in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py")):
        copy = nbformat.read(tmp_path / "mine" / f"{source.stem}.ipynb", as_version=4)
        nbformat.validate(copy)
        assert not [cell for cell in copy.cells if cell.get("outputs") or "teacher" in cell.metadata.get("tags", [])]
        ids = {cell.id for cell in notebooks.read_source(source).cells}
        assert len(copy.cells) < len(ids) and {cell.id for cell in copy.cells} < ids
    assert (tmp_path / "mine" / "explore.ipynb").exists()
    before = files(tmp_path / "mine")
    assert start(tmp_path / "mine").returncode == 0
    assert files(tmp_path / "mine") == before


def test_start_without_a_name_makes_my_lessons_in_the_clone_which_git_ignores(tmp_path):
    clone = copy_of_the_repository(tmp_path / "clone")
    environ = os.environ | {"PYTHONPATH": str(clone)}
    command = [sys.executable, "-m", "bwm_tutorials", "start", "--no-lab"]
    subprocess.run(command, cwd=clone, env=environ, check=True, stdout=subprocess.DEVNULL)
    assert (clone / "my_lessons" / "00_start_here.ipynb").exists()
    subprocess.run(["git", "init", "--quiet"], cwd=clone, check=True)
    ignored = subprocess.run(["git", "check-ignore", "--quiet", "my_lessons/00_start_here.ipynb"], cwd=clone)
    assert ignored.returncode == 0


@pytest.mark.parametrize("place", [".", "notebooks", "notebooks/mine", ".."])
def test_the_lessons_themselves_are_no_place_for_a_working_copy(place):
    done = start(ROOT / place)
    assert done.returncode == 1 and "name a folder of your own" in done.stderr and "Traceback" not in done.stderr
    assert not list((ROOT / place).glob(".bwm"))


def test_binder_opens_the_working_copy_that_its_image_holds():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (name,) = re.findall(r"urlpath=lab/tree/my_lessons/(\w+)\.ipynb", readme)
    assert (ROOT / "notebooks" / f"{name}.py").exists()
    assert (ROOT / "binder" / "postBuild").read_text().endswith("\nbwm-tutorials start --no-lab\n")


def test_start_opens_jupyterlab_there(tmp_path, monkeypatch):
    from bwm_tutorials.workshop import cli

    called = []
    monkeypatch.setattr(cli.subprocess, "call", lambda command: called.append(command) or 0)
    assert cli.main(["start", str(tmp_path / "mine")]) == 0
    assert called == [[sys.executable, "-m", "jupyter", "lab", str(tmp_path / "mine")]]


def test_a_file_in_the_way_is_said_in_one_sentence(tmp_path):
    (tmp_path / "mine").write_text("a file")
    done = start(tmp_path / "mine")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "cannot be written to" in done.stderr
    assert (tmp_path / "mine").read_text() == "a file"


def test_an_untouched_lesson_is_updated(folder):
    change(folder / LESSON, metadata={"language_info": {"name": "python"}})  # opened and saved in Jupyter
    assert working_copy.copy_lessons({LESSON: SECOND}, folder) == {LESSON: LESSON}
    assert files(folder) == {LESSON: SECOND}


EDITORS = {
    "JupyterLab": {"collapsed": True, "scrolled": "auto", "jupyter": {"source_hidden": True}, "trusted": True},
    "its times": {"execution": {"iopub.execute_input": "2026-01-01T10:00:00Z"}},
    "VS Code": {"vscode": {"languageId": "python"}},
    "Colab": {"id": "x1", "outputId": "y", "colab": {"base_uri": "https://localhost:8080/"}},
}


def as_saved_by(editor: str, file: Path) -> bytes:
    """What an editor makes of a notebook that somebody only opened and saved."""
    notebook = json.loads(file.read_bytes())
    notebook["metadata"] |= {"language_info": {"name": "python", "version": "3.12.1"}, "vscode": {"interpreter": {}}}
    notebook["metadata"]["kernelspec"] = {"display_name": "my own", "language": "python", "name": "python3"}
    for cell in notebook["cells"]:
        cell["metadata"] = {"tags": []} | cell["metadata"] | EDITORS[editor]
        cell["source"] = cell["source"].splitlines(keepends=True) if isinstance(cell["source"], str) else cell["source"]
        for out in cell.get("outputs", []):
            out["metadata"] = {"needs_background": "light"}
    file.write_text(json.dumps(notebook))
    return file.read_bytes()


@pytest.mark.parametrize("editor", EDITORS)
def test_what_an_editor_adds_is_not_the_learners_work(editor, folder, capsys):
    as_saved_by(editor, folder / LESSON)
    assert working_copy.copy_lessons({LESSON: SECOND}, folder) == {LESSON: LESSON}, "it is updated"
    picture = nbformat.v4.new_output("display_data", {"text/plain": "a figure"})
    notebook = nbformat.read(folder / LESSON, as_version=4)
    notebook.cells[0].outputs, notebook.cells[0].metadata["tags"] = [picture], ["mine"]
    nbformat.write(notebook, folder / LESSON)
    bwm.save()
    mine = as_saved_by(editor, folder / LESSON)
    capsys.readouterr()
    bwm.save()
    assert capsys.readouterr().out.startswith("Nothing on disk has changed since")
    bwm.restore(only_zip(folder))
    assert capsys.readouterr().out.startswith("Nothing of my_lessons_"), "no second copy"
    assert files(folder)[LESSON] == mine


@pytest.mark.parametrize(
    "what",
    [{"source": "answer = 3"}, {"output": "seen"}, {"source": "answer = 3", "output": "seen"}],
    ids=["edited", "run", "both"],
)
def test_a_lesson_that_was_edited_or_run_is_kept_and_the_new_one_offered_once(folder, what):
    mine = change(folder / LESSON, **what)
    assert working_copy.copy_lessons({LESSON: FIRST}, folder) == {}, "nothing is new"
    assert working_copy.copy_lessons({LESSON: SECOND}, folder) == {NEW: LESSON}
    assert files(folder) == {LESSON: mine, NEW: SECOND}
    (folder / NEW).unlink()
    assert working_copy.copy_lessons({LESSON: SECOND}, folder) == {}, "it was not wanted"
    assert working_copy.copy_lessons({LESSON: THIRD}, folder) == {NEW: LESSON}
    newer = change(folder / NEW, source="answer = 4")
    assert working_copy.copy_lessons({LESSON: SECOND}, folder) == {"03_the_task (new 2).ipynb": LESSON}
    assert files(folder) == {LESSON: mine, NEW: newer, "03_the_task (new 2).ipynb": SECOND}


def test_a_new_version_that_takes_the_name_of_the_old_is_known(folder):
    change(folder / LESSON, source="answer = 3")
    working_copy.copy_lessons({LESSON: SECOND}, folder)
    (folder / NEW).replace(folder / LESSON)
    assert working_copy.copy_lessons({LESSON: SECOND}, folder) == {}
    change(folder / LESSON, source="answer = 4")
    assert working_copy.copy_lessons({LESSON: SECOND}, folder) == {}


def test_a_deleted_lesson_comes_back_fresh(folder):
    change(folder / LESSON, source="answer = 3")
    (folder / LESSON).unlink()
    assert working_copy.copy_lessons({LESSON: FIRST}, folder) == {LESSON: LESSON}
    assert files(folder) == {LESSON: FIRST}


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[]", b'{"copied": 3, "saves": {}}', b'{"copied": {"03": []}}', b"\xff"]
)
def test_a_broken_record_makes_every_notebook_the_learners(folder, broken):
    (folder / ".bwm" / "record.json").write_bytes(broken)
    assert working_copy.copy_lessons({LESSON: SECOND}, folder) == {NEW: LESSON}
    assert files(folder) == {LESSON: FIRST, NEW: SECOND}


@pytest.mark.parametrize("half", [b"", b'{"cells": [', b'{"cells": 3}', b'{"cells": [3]}', b"[" * 100_000, b"\xff\xfe"])
def test_a_notebook_that_cannot_be_read_is_kept(folder, half):
    (folder / LESSON).write_bytes(half)
    assert working_copy.copy_lessons({LESSON: SECOND}, folder) == {NEW: LESSON}
    assert files(folder) == {LESSON: half, NEW: SECOND}


def test_the_command_says_which_lesson_has_a_new_version(tmp_path):
    start(tmp_path / "mine")
    mine = tmp_path / "mine" / "00_start_here.ipynb"
    edited = change(mine, source="# My title")
    record = json.loads((tmp_path / "mine" / ".bwm" / "record.json").read_text())
    record["copied"][mine.name] = "that of an older lesson"
    (tmp_path / "mine" / ".bwm" / "record.json").write_text(json.dumps(record))
    first, second = start(tmp_path / "mine").stdout.splitlines()
    assert first == (
        "00_start_here.ipynb has changed since you began it; yours is kept, the new one is 00_start_here (new).ipynb."
    )
    assert second.startswith("Your lessons are in") and mine.read_bytes() == edited


KILLED = """
import os, sys
from pathlib import Path
from bwm_tutorials.course.learner import saves, working_copy
folder, number = Path(sys.argv[1]), int(sys.argv[2])
written = 0
def fsync(handle, real=os.fsync):
    global written
    written += 1
    if written == number:
        os._exit(9)
    real(handle)
os.fsync = fsync
{code}
"""


@pytest.mark.parametrize("number", range(1, 6))
def test_killed_while_copying_it_is_completed(tmp_path, number):
    lessons = {f"0{i}_x.ipynb": lesson(f"x = {i}").decode() for i in range(3)}
    code = f"working_copy.copy_lessons({{k: v.encode() for k, v in {lessons!r}.items()}}, working_copy.create(folder))"
    command = [sys.executable, "-c", KILLED.replace("{code}", code), str(tmp_path / "mine"), str(number)]
    assert subprocess.run(command).returncode == 9
    folder = working_copy.create(tmp_path / "mine")
    whole = {name: content.encode() for name, content in lessons.items()}
    assert {k: v for k, v in files(folder).items() if k.endswith(".ipynb")}.items() <= whole.items()
    working_copy.copy_lessons(whole, folder)
    assert {k: v for k, v in files(folder).items() if k.endswith(".ipynb")} == whole
    assert set(working_copy.copy_lessons({name: SECOND for name in whole}, folder)) == set(whole), "all are untouched"


@pytest.mark.parametrize("number", [1, 2])
def test_killed_while_saving_it_leaves_no_half_zip(folder, number):
    code = "os.chdir(folder); saves.save()"
    done = subprocess.run([sys.executable, "-c", KILLED.replace("{code}", code), str(folder), str(number)])
    assert done.returncode == 9
    for file in folder.glob("*.zip"):
        assert LESSON in saves.unpack(file.read_bytes(), file.name).notebooks
    assert len(list(folder.glob("*.zip"))) == number - 1


# ------------------------------------------------------------------------------------------------------------ progress


def check(answer: object, session: bwm.Session, key: str = "00.1") -> str:
    return bwm.exercises("00", session)[0](key, answer).status


def test_the_best_outcome_and_the_last_answer_are_kept(folder, session):
    right = checking.exercises_of("00")["00.1"].solve(session)
    assert check(..., session) == checking.NOT_ATTEMPTED
    assert not progress.file_of(folder).exists()
    check("a word", session)
    assert progress.read(folder) == {"00.1": {"status": checking.NOT_YET}}
    check(1.0, session)
    assert progress.read(folder) == {"00.1": {"status": checking.NOT_YET, "answer": 1.0}}
    check(right, session)
    assert progress.read(folder) == {"00.1": {"status": checking.CORRECT, "answer": right}}
    check(2.0, session)
    check("a word", session)
    assert progress.read(folder) == {"00.1": {"status": checking.CORRECT, "answer": 2.0}}


def test_what_a_session_lacks_is_kept_until_another_session_has_it(folder, session):
    incomplete = bwm.Session(session.eid, session.one)
    incomplete.trials = session.trials.drop(columns="feedback_times")
    assert check(1.0, incomplete) == checking.NOT_APPLICABLE
    assert progress.read(folder)["00.1"]["status"] == checking.NOT_APPLICABLE
    check(1.0, session)
    assert progress.read(folder)["00.1"]["status"] == checking.NOT_YET


def test_the_line_for_the_teacher(folder, capsys):
    entries = {"00.1": {"status": checking.CORRECT}, "01.2": {"status": checking.NOT_YET}}
    entries["01.3"] = {"status": checking.NOT_APPLICABLE}
    lessons = {"00": ["00.1", "00.2"], "01": ["01.1", "01.2", "01.3"]}
    assert progress.line(entries, lessons) == "00 ■□  01 □□–"
    progress.write(folder, {"00.1": {"status": checking.CORRECT, "answer": 1.0}})
    bwm.progress()
    assert re.fullmatch(r"00 ■□(  \d\d [□]+)*\n", capsys.readouterr().out)


@pytest.mark.parametrize("broken", [b"", b"{", b"[1]", b"3", b"\xff", b"[" * 100_000, b'{"00.1": {"status": []}}'])
def test_a_broken_file_is_set_aside(folder, broken, session, capsys):
    file = progress.file_of(folder)
    file.write_bytes(broken)
    bwm.progress()
    assert capsys.readouterr().out.startswith("00 □□")
    assert check(1.0, session) == checking.NOT_YET
    assert progress.read(folder)["00.1"]["answer"] == 1.0
    assert file.with_name("progress (broken).json").read_bytes() == broken


def test_entries_that_make_no_sense_are_ignored():
    good = {"00.1": {"status": checking.CORRECT, "answer": 1.5}}
    odd = {"a": 1, "b": {"status": "x"}, "c": {}, "d": None}
    assert progress.parse(json.dumps(good | odd).encode()) == good
    odd_answers = {
        key: {"status": checking.CORRECT, "answer": answer} for key, answer in zip("abc", ["1", True, []], strict=True)
    }
    assert all(
        entry == {"status": checking.CORRECT} for entry in progress.parse(json.dumps(odd_answers).encode()).values()
    )


def test_a_disk_that_cannot_be_written_to_does_not_disturb_a_check(folder, session, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert check(1.0, session) == checking.NOT_YET
    assert progress.read(folder) == {} and not [f for f in (folder / ".bwm").iterdir() if f.suffix == ".part"]
    with pytest.raises(WorkingCopyError, match=r"cannot be written to \(No space left on device\)"):
        bwm.save()
    assert not list(folder.glob("*.zip"))


@pytest.mark.skipif(os.name == "nt", reason="Windows does not remove a folder that is in use")
def test_a_folder_that_is_gone_does_not_disturb_a_check(folder, session):
    shutil.rmtree(folder)
    assert check(1.0, session) == checking.NOT_YET


def test_two_notebooks_at_once_lose_nothing(folder):
    code = (
        "from bwm_tutorials.course.learner.progress import record\nfor i in range(40): record(f'{n}.{i}', 'correct', i)"
    )
    each = [[sys.executable, "-c", f"n = {n}\n{code}"] for n in range(3)]
    running_now = [subprocess.Popen(command, cwd=folder) for command in each]
    assert [process.wait(60) for process in running_now] == [0, 0, 0]
    entries = progress.read(folder)
    assert len(entries) == 120 and all(entry["status"] == "correct" for entry in entries.values())


def test_progress_of_a_notebook_in_a_subfolder(folder, session, monkeypatch):
    (folder / "week 1").mkdir()
    monkeypatch.chdir(folder / "week 1")
    check(1.0, session)
    assert "00.1" in progress.read(folder)


# ---------------------------------------------------------------------------------------------------- save and restore


def only_zip(folder: Path) -> Path:
    (file,) = folder.glob("*.zip")
    return file


def test_a_save_says_where_it_is_and_holds_notebooks_and_progress_only(folder, capsys):
    mine = change(folder / LESSON, source="answer = 3")
    (folder / "week 1").mkdir()
    (folder / "week 1" / "own.ipynb").write_bytes(FIRST)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / LESSON).write_bytes(FIRST)
    (folder / "spikes.times.npy").write_bytes(b"data")
    progress.record("00.1", checking.CORRECT, 1.0)
    bwm.save()
    said = capsys.readouterr().out
    assert re.fullmatch(r"my_lessons_\d{4}-\d\d-\d\d_\d{4}\.zip", only_zip(folder).name)
    assert str(only_zip(folder)) in said and "Saved 2 notebooks" in said and "Ctrl+S" in said and "1 kB" in said
    saved = saves.unpack(only_zip(folder).read_bytes(), "")
    assert saved.notebooks == {LESSON: mine, "week 1/own.ipynb": FIRST}
    assert saved.entries == {"00.1": {"status": checking.CORRECT, "answer": 1.0}}
    with zipfile.ZipFile(only_zip(folder)) as archive:
        assert set(archive.namelist()) == {LESSON, "week 1/own.ipynb", ".bwm/save.json", ".bwm/progress.json"}


def test_a_save_of_what_is_saved_already_says_so(folder, capsys):
    bwm.save()
    bwm.save()
    assert f"Nothing on disk has changed since {only_zip(folder)}" in capsys.readouterr().out
    before = only_zip(folder).read_bytes()
    progress.record("00.1", checking.CORRECT, 1.0)
    bwm.save()
    assert capsys.readouterr().out.startswith("Saved 1 notebook and")
    assert [file.read_bytes() for file in folder.glob("*.zip")] != [before]


def test_a_save_by_name_never_replaces_another_file(folder, tmp_path):
    bwm.save(tmp_path / "mine")
    bwm.save(tmp_path / "mine.zip")
    assert LESSON in saves.unpack((tmp_path / "mine.zip").read_bytes(), "").notebooks
    bwm.save(str(tmp_path))
    assert len(list(tmp_path.glob("my_lessons_*.zip"))) == 1
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("thesis.txt", "years")
    (tmp_path / "text.zip").write_text("no zip")
    for name in ("other.zip", "text.zip"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(WorkingCopyError, match="is there already and is no save"):
            bwm.save(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(WorkingCopyError, match="nowhere cannot be written to"):
        bwm.save(tmp_path / "nowhere" / "x.zip")


def test_a_notebook_that_is_too_large_is_left_out_and_named(folder, monkeypatch, capsys):
    monkeypatch.setattr(saves, "LARGEST_FILE", 10)
    bwm.save()
    assert f"Not saved, because it is larger than 0 MB: {LESSON}." in capsys.readouterr().out


@pytest.fixture
def another(folder, tmp_path, monkeypatch, capsys):
    """A fresh working copy in which the save of an edited one lies, and is the current folder."""
    change(folder / LESSON, source="answer = 3", output="seen")
    (folder / "own.ipynb").write_bytes(THIRD)
    progress.record("00.1", checking.CORRECT, 1.0)
    bwm.save()
    another = working_copy.create(tmp_path / "another")
    working_copy.copy_lessons({LESSON: FIRST}, another)
    shutil.move(only_zip(folder), another)
    monkeypatch.chdir(another)
    capsys.readouterr()
    return another


def test_a_fresh_copy_becomes_what_was_saved(folder, another, capsys):
    bwm.restore()
    name = only_zip(another).name
    expected = f"Restored from {name}: {LESSON}, own.ipynb, the progress.\nClose and open again those"
    assert capsys.readouterr().out.startswith(expected)
    assert files(another) == files(folder) | {name: only_zip(another).read_bytes()}
    assert progress.read(another) == progress.read(folder)
    bwm.restore()
    assert capsys.readouterr().out == f"Nothing of {name} is missing here.\n"


def test_what_was_edited_since_is_kept_and_the_saved_one_comes_beside_it_once(folder, another, capsys):
    mine = change(another / LESSON, source="answer = 4")
    bwm.restore()
    assert "Each '(restored)' lies beside a notebook of yours that differs from it." in capsys.readouterr().out
    assert files(another)[LESSON] == mine and files(another)[RESTORED] == files(folder)[LESSON]
    mine = change(another / LESSON, source="answer = 5")
    change(another / RESTORED, source="answer = 6")
    before = files(another)
    bwm.restore()
    assert files(another) == before, "what differs now is newer"
    bwm.restore(only_zip(another))
    assert files(another).keys() - before.keys() == {"03_the_task (restored 2).ipynb"}, "asked for by name"
    bwm.restore(only_zip(another))
    assert len(files(another)) == len(before) + 1


def test_a_notebook_that_was_only_run_here_does_not_hide_the_saved_answers(folder, another):
    mine = change(another / LESSON, output="run")
    bwm.restore()
    assert files(another)[LESSON] == mine and files(another)[RESTORED] == files(folder)[LESSON]


def test_the_notebook_that_calls_is_not_replaced_under_its_window(folder, another, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(another / LESSON))
    bwm.restore()
    assert files(another)[LESSON] == FIRST and files(another)[RESTORED] == files(folder)[LESSON]


def test_a_save_made_here_brings_back_what_was_deleted_and_nothing_else(folder, capsys):
    mine = change(folder / LESSON, source="answer = 3")
    (folder / "own.ipynb").write_bytes(THIRD)
    bwm.save()
    newer = change(folder / LESSON, source="answer = 4")
    (folder / "own.ipynb").unlink()
    bwm.restore()
    assert {k: v for k, v in files(folder).items() if k.endswith("ipynb")} == {LESSON: newer, "own.ipynb": THIRD}
    (folder / LESSON).unlink()
    bwm.restore()
    assert (folder / LESSON).read_bytes() == mine


def test_an_untouched_older_lesson_does_not_come_back(folder, tmp_path, monkeypatch):
    bwm.save(tmp_path)
    another = working_copy.create(tmp_path / "another")
    working_copy.copy_lessons({LESSON: SECOND}, another)
    monkeypatch.chdir(another)
    bwm.restore(only_zip(tmp_path))
    assert files(another) == {LESSON: SECOND}


def test_a_restored_lesson_is_still_updated_or_offered(another):
    bwm.restore()
    assert working_copy.copy_lessons({LESSON: SECOND, "own.ipynb": THIRD}, another) == {NEW: LESSON}


def test_progress_is_merged_and_the_best_wins(another):
    progress.write(another, {"00.1": {"status": checking.NOT_YET, "answer": 9.0}, "00.2": {"status": "correct"}})
    bwm.restore()
    correct = {"status": checking.CORRECT, "answer": 1.0}
    assert progress.read(another) == {"00.1": correct, "00.2": {"status": "correct"}}
    assert progress.merge({"a": {"status": "correct", "answer": 1}}, {"a": {"status": "correct", "answer": 2}}) == {
        "a": {"status": "correct", "answer": 1}
    }


def test_the_newest_save_is_taken_whatever_its_name(folder, tmp_path, capsys):
    bwm.save(folder / "z")
    time.sleep(0.01)
    bwm.save(folder / "a")
    with zipfile.ZipFile(folder / "zz.zip", "w") as archive:
        archive.writestr("thesis.txt", "years")
    (folder / "zzz.zip").write_bytes((folder / "z.zip").read_bytes()[:-30])
    capsys.readouterr()
    bwm.restore()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("zzz.zip is damaged") and second == "Nothing of a.zip is missing here."


def test_nothing_to_restore_is_one_line(folder, capsys):
    bwm.restore()
    assert capsys.readouterr().out == "No save lies in this folder, so there is nothing to restore.\n"


def test_a_save_can_be_restored_into_an_empty_folder(another, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    bwm.restore(f"../another/{only_zip(another).name}")
    assert set(files(empty)) == {LESSON, "own.ipynb"} and working_copy.find() == empty


# ----------------------------------------------------------------------------------------- saves that were packed again


def as_finder_packs(save: Path, place: Path) -> Path:
    """What is left of a save that Safari unpacked and Finder packed again."""
    with zipfile.ZipFile(save) as archive, zipfile.ZipFile(place / f"{save.stem} 2.zip", "w") as packed:
        packed.writestr(f"{save.stem}/", b"")
        for member in archive.namelist():
            packed.writestr(f"{save.stem}/{member}", archive.read(member))
            packed.writestr(f"__MACOSX/{save.stem}/{Path(member).with_name(f'._{Path(member).name}')}", b"\0\5\x16\7")
        packed.writestr(f"{save.stem}/.DS_Store", b"\0\0\0\1Bud1")
    return Path(packed.filename)


def unpacked(save: Path, to: Path) -> Path:
    with zipfile.ZipFile(save) as archive:
        archive.extractall(to)
    (to / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    return to


PACKED = {
    "by Finder": lambda save, place: as_finder_packs(save, place),
    "a folder": lambda save, place: unpacked(save, place / save.stem),
    "a folder in a folder": lambda save, place: unpacked(save, place / save.stem / save.stem).parent,
}


@pytest.mark.parametrize("how", PACKED)
def test_a_save_that_was_unpacked_or_packed_again_is_one(how, folder, another, tmp_path, capsys):
    (tmp_path / "Downloads").mkdir()
    save = PACKED[how](only_zip(another), tmp_path / "Downloads")
    only_zip(another).unlink()
    bwm.restore(save)
    said = f"Restored from {save.name}: {LESSON}, own.ipynb, the progress.\n"
    assert capsys.readouterr().out.startswith(said)
    assert files(another) == files(folder) and progress.read(another) == progress.read(folder)
    bwm.restore(save)
    assert capsys.readouterr().out == f"Nothing of {save.name} is missing here.\n"


@pytest.mark.parametrize("how", ["by Finder", "a folder"])
def test_such_a_save_is_found_in_the_working_copy(how, folder, another, capsys):
    save = only_zip(another)
    there = PACKED[how](save, another)
    save.unlink()
    bwm.restore()
    assert capsys.readouterr().out.startswith(f"Restored from {there.name}: {LESSON}, own.ipynb, the progress.")
    assert files(another).items() >= files(folder).items()
    newer = change(another / LESSON, source="answer = 5")
    bwm.restore()
    assert files(another)[LESSON] == newer and not (another / RESTORED).exists(), "what differs now is newer"


@pytest.mark.parametrize("packed", [False, True])
def test_another_working_copy_is_taken_as_it_is(packed, folder, another, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    if packed:
        shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, folder.name)
    bwm.restore(tmp_path / "packed.zip" if packed else folder)
    assert files(empty) == files(folder) and progress.read(empty) == progress.read(folder)
    assert working_copy.copy_lessons({LESSON: SECOND}, empty) == {NEW: LESSON}


@pytest.mark.parametrize("what", ["notebooks alone", "nothing", "two saves", "two levels down"])
def test_what_holds_no_progress_says_so_and_brings_no_second_copy(what, another, tmp_path):
    place = tmp_path / "x"
    place.mkdir()
    if what == "notebooks alone":
        (place / LESSON).write_bytes(THIRD)
    for name in {"two saves": ("a", "b"), "two levels down": ("a/b",)}.get(what, ()):
        unpacked(only_zip(another), place / name)
    shutil.make_archive(str(tmp_path / "y"), "zip", place)
    before = files(another)
    for save in (place, tmp_path / "y.zip"):
        said = "holds several saves" if what == "two saves" else "holds no progress"
        with pytest.raises(WorkingCopyError, match=f"^{save.name} {said}, so nothing of it was") as error:
            bwm.restore(save)
        assert len(str(error.value).splitlines()) == 1
    assert files(another) == before


# --------------------------------------------------------------------------------------------------------- hostile zips


def hostile(kind: str, file: Path) -> None:
    member = zipfile.ZipInfo(
        {"up": "../evil.ipynb", "absolute": "/evil.ipynb", "inside": "a/../../evil.ipynb"}.get(kind, "evil.ipynb")
    )
    content = FIRST
    if kind == "windows":
        member.filename = "..\\evil.ipynb"
    if kind == "link":
        member.external_attr, content = 0o120777 << 16, b"../outside"
    if kind == "through a link":
        member.filename = "door/evil.ipynb"
    if kind == "huge":
        content = bytes(int(saves.LARGEST_FILE) + 1)
    member.compress_type = zipfile.ZIP_BZIP2 if kind == "another method" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(saves._ABOUT, "{}")
        archive.writestr("good.ipynb", FIRST)
        archive.writestr(member, content)
        for i in range(3000 if kind == "many" else 0):
            archive.writestr(f"{i}.ipynb", b"")


KINDS = ["up", "absolute", "inside", "windows", "link", "through a link", "huge", "many", "another method"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_written_from_a_hostile_zip(folder, tmp_path, kind):
    if kind == "through a link" and os.name == "nt":
        pytest.skip("links need a privilege on Windows")
    (tmp_path / "outside").mkdir()
    if kind == "through a link":
        (folder / "door").symlink_to(tmp_path / "outside")
    hostile(kind, tmp_path / "hostile.zip")
    before = files(tmp_path)
    with pytest.raises(WorkingCopyError, match=r"^hostile\.zip holds .+ restored\.$"):
        bwm.restore(tmp_path / "hostile.zip")
    assert files(tmp_path) == before and not Path("/evil.ipynb").exists()


def test_a_hostile_save_in_the_folder_does_not_hinder_saving(folder):
    with zipfile.ZipFile(folder / "hostile.zip", "w") as archive:
        archive.writestr(saves._ABOUT, '{"saved": "9999"}')
        archive.writestr("../evil.ipynb", FIRST)
    bwm.save()
    assert len(list(folder.glob("my_lessons_*.zip"))) == 1
    with pytest.raises(WorkingCopyError, match="which no save does"):
        bwm.restore()


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_that_cannot_be_written_to_is_still_read(folder, capsys, session):
    bwm.save()
    capsys.readouterr()
    for place in (folder, folder / ".bwm"):
        place.chmod(0o555)
    try:
        bwm.restore()
        assert capsys.readouterr().out.startswith("Nothing of my_lessons_")
        bwm.progress()
        assert capsys.readouterr().out.startswith("00 □□")
        assert check(1.0, session) == checking.NOT_YET
    finally:
        for place in (folder, folder / ".bwm"):
            place.chmod(0o755)


def test_a_size_that_lies_is_found(folder, tmp_path):
    bwm.save(tmp_path / "x.zip")
    raw = (tmp_path / "x.zip").read_bytes()
    true, small = (size.to_bytes(4, "little") for size in (len(FIRST), 10))
    assert raw.count(true) >= 2  # in the header of the member and in the table of contents
    (tmp_path / "x.zip").write_bytes(raw.replace(true, small))
    with pytest.raises(WorkingCopyError, match="is damaged"):
        bwm.restore(tmp_path / "x.zip")


def test_any_damage_is_said_in_one_sentence(folder, tmp_path):
    bwm.save(tmp_path / "x.zip")
    raw = (tmp_path / "x.zip").read_bytes()
    before = files(folder)
    for position in range(0, len(raw), 3):
        (tmp_path / "y.zip").write_bytes(raw[:position] + bytes([raw[position] ^ 0xFF]) + raw[position + 1 :])
        try:
            bwm.restore(tmp_path / "y.zip")
        except WorkingCopyError as error:
            assert len(str(error).splitlines()) == 1
        for name in files(folder).keys() - before.keys():
            (folder / name).unlink()  # a notebook whose name was damaged
        assert files(folder) == before
    for length in range(0, len(raw), 50):
        (tmp_path / "y.zip").write_bytes(raw[:length])
        with pytest.raises(WorkingCopyError, match=r"y\.zip is damaged or no zip"):
            bwm.restore(tmp_path / "y.zip")


def test_a_zip_that_is_not_there(folder):
    with pytest.raises(WorkingCopyError, match=r"gone\.zip cannot be read \(No such file"):
        bwm.restore("gone.zip")


# ---------------------------------------------------------------------------------------------------- the whole journey


def fill(file: Path, key: str, code: str) -> None:
    """Write an answer into the cell of an exercise."""
    notebook = nbformat.read(file, as_version=4)
    (cell,) = [cell for cell in notebook.cells if f'check("{key}", answer)' in cell.source]
    cell.source = cell.source.replace("answer = ...", f"answer = {code}")
    nbformat.write(notebook, file)


def test_answers_and_progress_reach_another_computer(sample, tmp_path):
    first, second, home = tmp_path / "first", tmp_path / "second", tmp_path / "home"
    home.mkdir()
    second.mkdir()
    assert start(first).returncode == 0
    lesson = first / "00_start_here.ipynb"
    fill(lesson, "00.1", checking.exercises_of("00")["00.1"].code)
    fill(lesson, "00.2", "77")
    notebook = nbformat.read(lesson, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import os; os._exit(9)"))  # the kernel is killed at the end
    nbformat.write(notebook, lesson)
    executed = first / "executed.ipynb"
    assert "died" in execute.execute(lesson, executed).error.lower()
    python("import bwm_tutorials as bwm; bwm.save('../save.zip')", first)

    code = "import bwm_tutorials as bwm; bwm.restore('../save.zip'); bwm.progress()"
    line = python(code, second, HOME=str(home), USERPROFILE=str(home)).splitlines()[-1]
    assert re.match(r"00 ■□(  |$)", line)
    brought = {name: content for name, content in files(first).items() if name.endswith(".ipynb")}
    assert len(brought) >= 2 and files(second) == brought
    entries = progress.read(second)
    assert entries["00.1"]["status"] == checking.CORRECT and entries["00.2"]["answer"] == 77
    assert start(second).returncode == 0
    assert files(second)[lesson.name] == brought[lesson.name]
    assert "00_start_here (new).ipynb" not in files(second), "what was restored is up to date"


CALLS = {
    "bwm.restore()": "This is not a working copy (bwm-tutorials start makes one), so there is nothing to restore.",
    "bwm.progress()": "This is not a working copy (bwm-tutorials start makes one), so no progress is kept.",
    "bwm.save()": "This is not a working copy (bwm-tutorials start makes one), so there is nothing to save.",
}


@pytest.mark.parametrize("place", ["notebooks", "elsewhere"])
def test_outside_of_a_working_copy_each_call_prints_a_fixed_line_and_writes_nothing(place, tmp_path):
    cwd = ROOT / "notebooks" if place == "notebooks" else tmp_path
    before = set(cwd.rglob("*"))
    said = python("import bwm_tutorials as bwm\n" + "\n".join(CALLS), cwd)
    assert said.splitlines() == list(CALLS.values())
    assert set(cwd.rglob("*")) == before


@pytest.mark.weekly
def test_running_the_committed_lessons_keeps_no_progress(sample, tmp_path):
    """As `run` and `notebooks` do, with a right answer filled in."""
    clone = copy_of_the_repository(tmp_path / "clone")
    fill(clone / "notebooks" / "00_start_here.ipynb", "00.1", checking.exercises_of("00")["00.1"].code)
    # Even where the clone lies in a working copy, or somebody made its folder one.
    for folder in (tmp_path, clone / "notebooks"):
        (folder / ".bwm").mkdir()
        (folder / ".bwm" / "record.json").write_text("{}")
    environ = os.environ | {"PYTHONPATH": str(clone), "BWM_DATA": str(data_folder()), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "bwm_tutorials"]
    subprocess.run([*command, "run", "00"], cwd=clone, env=environ, check=True, stdout=subprocess.DEVNULL)
    assert "✓ 00.1 correct." in (clone / "_build" / "00_start_here.ipynb").read_text(encoding="utf-8")
    for other in clone.glob("notebooks/*.py"):
        other.unlink() if other.stem != "00_start_here" else None
    subprocess.run([*command, "notebooks"], cwd=clone, env=environ, check=True, stdout=subprocess.DEVNULL)
    assert not list(tmp_path.rglob("progress*.json"))
