"""The command line and the runner: what fails is named, what hangs is stopped, and the exit code tells."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from helpers.pages import dead_links
from nbformat import v4

import bwm_tutorials
from bwm_tutorials.paths import ROOT
from bwm_tutorials.workshop import execute


def notebook(path: Path, *cells: str) -> Path:
    parameters = v4.new_code_cell("SOURCE = 'sample'\nEID = None", metadata={"tags": ["parameters"]})
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    body = [v4.new_markdown_cell("# 99 · Trial & error"), parameters, *map(v4.new_code_cell, cells)]
    nbformat.write(v4.new_notebook(cells=body, metadata=metadata), path)
    return path


def command(*arguments: str, **environ: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "bwm_tutorials", *arguments],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"} | environ,
    )


def test_a_good_and_a_failing_lesson(tmp_path):
    good = notebook(
        tmp_path / "01_good.ipynb", "import matplotlib.pyplot as plt\nplt.plot([1, 2])", "block = b'x' * 10**8"
    )
    bad = notebook(tmp_path / "02_bad.ipynb", "x = 1", "x / 0", "print('never')")
    results = execute.run([good, bad], tmp_path / "out")
    assert [bool(result.error) for result in results] == [False, True]
    assert re.search(r"cell 3 \(x / 0\): ZeroDivisionError: division by zero", results[1].error)
    assert 100 < results[0].peak_mb < 1000 and results[0].seconds > 0
    table = execute.table(results)
    assert re.search(r"01_good +[\d.]+ +\d+  ok", table) and "ZeroDivisionError" in table
    page = (tmp_path / "out" / "01_good.html").read_text(encoding="utf-8")
    assert "<img" in page and "Trial &amp; error" in page
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert 'href="01_good.html"' in index and "division by zero" in index and "Trial &amp; error" in index
    assert not nbformat.read(tmp_path / "out" / "02_bad.ipynb", 4).cells[-1].outputs
    assert dead_links(tmp_path / "out") == []


def test_parameters_reach_the_lesson_and_a_relative_path_is_made_absolute(tmp_path, monkeypatch):
    asks = notebook(tmp_path / "03_asks.ipynb", "print(repr(SOURCE), repr(EID))")
    (tmp_path / "recordings").mkdir()
    monkeypatch.chdir(tmp_path)
    (result,) = execute.run([asks], tmp_path / "out", source="recordings", eid="123")
    assert result.error == ""
    (out,) = nbformat.read(tmp_path / "out" / "03_asks.ipynb", 4).cells[-1].outputs
    assert out.text == f"{str(tmp_path / 'recordings')!r} '123'\n"


def test_a_cell_that_hangs_is_stopped(tmp_path):
    slow = notebook(tmp_path / "04_slow.ipynb", "import time; time.sleep(60)")
    start = time.monotonic()
    result = execute.execute(slow, tmp_path / "out.ipynb", cell_timeout=2)
    assert time.monotonic() - start < 40
    assert result.error == "cell 2 (import time; time.sleep(60)): took more than 2 s and was stopped"


def test_a_cell_that_fetches_may_take_as_long_as_the_network_does(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "CELL_TIMEOUT", 1)
    slow = notebook(tmp_path / "04_slow.ipynb", "import time; time.sleep(3)")
    outcomes = {source: execute.run([slow], tmp_path / source, source)[0].error for source in ("sample", "aws")}
    assert "took more than 1 s" in outcomes["sample"] and outcomes["aws"] == ""


def test_a_kernel_that_dies_is_an_error(tmp_path):
    dying = notebook(tmp_path / "05_dying.ipynb", "import os; os._exit(1)")
    assert "died" in execute.execute(dying, tmp_path / "out.ipynb").error.lower()


def test_what_an_earlier_run_left_is_not_taken_for_this_one(tmp_path):
    failed = notebook(tmp_path / "08_again.ipynb", "raise OSError('the earlier error')")
    output = tmp_path / "out.ipynb"
    assert "the earlier error" in execute.execute(failed, output).error
    broken = notebook(tmp_path / "08_again.ipynb", "x = 1")
    broken.write_text(broken.read_text().replace('"nbformat": 4', '"nbformat": 99'))
    with pytest.raises(Exception, match="99"):
        execute.execute(broken, output)
    assert not output.exists()


def test_lessons_run_two_at_a_time(tmp_path):
    first, second = (
        notebook(tmp_path / f"0{i}_waits.ipynb", "import time; start = time.time(); time.sleep(4); print(start)")
        for i in (6, 7)
    )
    execute.run([first, second], tmp_path / "out")
    starts = [float(nbformat.read(tmp_path / "out" / f.name, 4).cells[-1].outputs[0].text) for f in (first, second)]
    assert abs(starts[0] - starts[1]) < 4


def test_run_command_names_lessons_and_sources_that_do_not_exist():
    unknown = command("run", "77")
    assert unknown.returncode != 0 and "There is no lesson 77; there are 00" in unknown.stderr
    nowhere = command("run", "00", "--source", "nowhere")
    assert nowhere.returncode != 0
    assert "UnknownSource: There is no source 'nowhere'" in nowhere.stdout
    assert "Traceback" not in nowhere.stdout + nowhere.stderr


@pytest.mark.weekly
def test_data_command_builds_a_sample_elsewhere_once(tmp_path):
    built = command("data", "--seed", "5", "--to", str(tmp_path / "five"))
    assert built.returncode == 0, built.stderr
    session = bwm_tutorials.Session(one=bwm_tutorials.connect(built.stdout.strip()))
    assert session.seed == 5
    again = command("data", "--to", str(tmp_path / "five"))
    assert again.returncode != 0 and "exists already" in again.stderr


def test_doctor_gives_a_line_for_each_requirement():
    done = command("doctor")
    lines = done.stdout.splitlines()
    assert len(lines) >= 8 and all(line[0] in "✓✗" for line in lines)
    assert all("→" in line for line in lines if line[0] == "✗")


def test_importing_costs_nothing_and_loads_nothing():
    code = "import sys, bwm_tutorials; print([m for m in ('numpy', 'pandas', 'one', 'matplotlib') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_every_public_name_exists():
    for name in dir(bwm_tutorials):
        assert getattr(bwm_tutorials, name) is not None
    with pytest.raises(AttributeError, match="no 'spike'; it has Insertion, Session, audit"):
        _ = bwm_tutorials.spike


def test_the_readmes_python_runs(sample, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.+?)```", text, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    exec(compile(code, "README.md", "exec"), {})
    assert "present" in capsys.readouterr().out
    assert (tmp_path / "curve.png").stat().st_size > 10_000


def test_the_makefile_has_the_targets_the_readme_names():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"make ([a-z]+)", readme))
    assert {"run", "test", "lab", "doctor"} <= named
    for target in named | {"notebooks", "lint", "bench", "calibrate", "clean"}:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
