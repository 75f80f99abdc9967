"""The command: what installs and what does not, and what is said of words that mean nothing."""

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
    assert done.stdout.startswith("Installing ") and "packages into .venv" in done.stdout
    assert done.returncode == 1 and "could not be installed" in done.stderr


START = """
import sys
clone, name = sys.argv[1:]
sys.path[:] = [clone, *(path for path in sys.path if "site-packages" not in path)]
sys.argv = ["bwm-tutorials", name]
from bwm_tutorials.workshop.cli import main
sys.exit(main([name]))
"""


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
