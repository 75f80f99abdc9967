"""The files of the repository: its lessons, copies of it, and packages to install."""

import base64
import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from bwm_tutorials.paths import ROOT


def repository_files(root: Path = ROOT) -> set[Path]:
    """List what git would put into a clone."""
    # A container may own the clone under another name, which git would refuse.
    git = ["git", "-c", "safe.directory=*"]
    command = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return {root / name for name in listed.split("\0") if name and (root / name).exists()}


def copy_of_the_repository(to: Path) -> Path:
    """Copy what git would put into a clone."""
    for file in repository_files():
        copy = to / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return to


def copy_what_needs_nothing(package: Path) -> None:
    """Copy the modules that run before anything is installed."""
    for name in ("console.py", "errors.py", "paths.py", "workshop/environment.py"):
        shutil.copy(ROOT / "bwm_tutorials" / name, package / name)
    (package / "__init__.py").touch()
    (package / "workshop/__init__.py").touch()


def write_tiny_wheel(folder: Path) -> str:
    """Write a wheel of two modules and return its line in a lock."""
    contents = {
        "tiny/__init__.py": "from tiny.part import whole\n",
        "tiny/part.py": "whole = True\n",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},\n"
        for name, text in contents.items()
    )
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**contents, "tiny-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return f"tiny==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


SOURCES = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))


every_lesson = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def lessons_of_each_run(*numbers: str) -> list:
    """The lessons, those without one of these numbers for the weekly run alone."""
    weekly = {source: [] if source.name[:2] in numbers else [pytest.mark.weekly] for source in SOURCES}
    return [pytest.param(source, marks=marks, id=source.stem) for source, marks in weekly.items()]


def tags(cell):
    return cell.metadata.get("tags", [])
