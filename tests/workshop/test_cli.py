"""The command: what installs and what does not, and what is said of words that mean nothing."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.hand_made import link
from helpers.repository import copy_of_the_repository

from bwm_tutorials.workshop import cli, environment


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> tuple[str, Path]:
    """A Python without packages, and a fresh clone."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "python"], check=True)
    python = folder / "python" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    return str(python), copy_of_the_repository(folder / "clone")


@pytest.mark.parametrize("name", ["learner", "teacher", "report", "data", "book", "lint", "notebooks", "calibrate"])
def test_only_three_commands_install(name, bare):
    python, clone = bare
    done = subprocess.run([python, "-m", "bwm_tutorials", name], cwd=clone, capture_output=True, text=True)
    first = "test" if name in ("book", "lint", "notebooks") else "start"
    assert done.returncode == 1 and f"'python -m bwm_tutorials {first}' installs them" in done.stderr
    assert "Traceback" not in done.stderr and not (clone / ".venv").exists()


@pytest.mark.parametrize("name", ["run", "start", "test"])
def test_those_say_so_first(name, bare, monkeypatch):
    """With a package index that is not there: it is said what is installed before anything is tried."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    copy = copy_of_the_repository(bare[1].with_name(name))
    # Not the bare Python: pip is needed to make an environment.
    done = subprocess.run([sys.executable, "-I", "-c", START, str(copy), name], capture_output=True, text=True)
    assert done.stdout.startswith("Installing ") and f" MB on the disk, into {copy / '.venv'} (" in done.stdout
    assert done.returncode == 1 and "could not be installed" in done.stderr


START = """
import sys
clone, name = sys.argv[1:]
sys.path[:] = [clone, *(path for path in sys.path if "site-packages" not in path)]
sys.argv = ["bwm-tutorials", name]
from bwm_tutorials.workshop.cli import main
sys.exit(main([name]))
"""


SAYS = {
    "doctor": "data folder: ",
    "data where": "sample",
    "data": "one",
    "data verify": "Nothing was fetched",
    "data delete": "Name a session",
    "report --source {real}": "has no probe insertions, so there is nothing to report on.",
    "report none --source sample": "There is no insertion none",
    "run 99": "There is no lesson 99",
    "start --no-lab {folder}": "Your lessons are in",
    "learner": "Lessons and pages: ",
    "clean": "was not made by bwm-tutorials",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, sample) -> Path:
    """A clone in a folder with other signs than those of English, with the sample and a folder of the user's own."""
    clone = copy_of_the_repository(tmp_path_factory.mktemp("clone") / "Übung → ✓")
    (clone / "data").mkdir(exist_ok=True)
    link(clone / "data" / "sample", sample.cache_dir.parent)
    (clone / "data" / "audit").mkdir()
    (clone / "data" / "audit" / "thesis.txt").write_text("mine")
    return clone


@pytest.mark.parametrize("encoding", ["cp1252", pytest.param("ascii", marks=pytest.mark.weekly)])
@pytest.mark.parametrize("command", SAYS)
def test_commands_end_well_on_any_terminal(command, encoding, whole, real_data, tmp_path):
    words = [word.format(real=real_data, folder=tmp_path / "mine →") for word in command.split()]
    env = {k: v for k, v in os.environ.items() if k != "BWM_DATA"} | {"PYTHONPATH": str(whole), "BWM_OFFLINE": "1"}
    env |= {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-m", "bwm_tutorials", *words], cwd=whole, env=env, capture_output=True)
    said = (done.stdout + done.stderr).decode(encoding)
    assert SAYS[command] in said and "Traceback" not in said, said
    assert (whole / "data" / "audit" / "thesis.txt").exists() and (whole / "data" / "sample" / "one").exists()


def test_help_is_in_plain_signs():
    parsers = [cli._parser()]
    for parser in parsers:
        parser.format_help().encode("ascii")
        for action in parser._actions:
            parsers += {*action.choices.values()} if isinstance(action, argparse._SubParsersAction) else ()
    assert len(parsers) > 20


def test_a_seed_is_for_a_sample_elsewhere(capsys):
    arguments = cli._parser().parse_args(["data", "--seed", "5"])
    with pytest.raises(SystemExit, match="name a new folder for another one with --to DIR"):
        arguments.command(arguments)


def test_a_clone_reached_by_a_link_knows_its_own_environment(tmp_path, monkeypatch):
    (tmp_path / "clone" / ".venv").mkdir(parents=True)
    link(tmp_path / "linked", tmp_path / "clone")
    for module in (cli, environment):
        monkeypatch.setattr(module, "ROOT", tmp_path / "linked")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "clone" / ".venv"))
    prepared = []
    monkeypatch.setattr(environment, "prepare", prepared.append)
    assert cli._python("run", installs=True) is None and prepared == ["run"], "it is brought up to date"
