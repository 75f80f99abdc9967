"""What the lessons need of a computer, each with a ✓ or a concrete fix.

Like `environment` it needs only the standard library: it has to say what is missing where nothing is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

from ..console import say
from ..paths import ROOT, data_folder
from . import environment

SPACE = 2e9  # bytes: an environment and the sample, with room for a downloaded session
MEMORY = 2e9  # bytes: a kernel stays below .8 GB, beside a browser


class Check(NamedTuple):
    """One thing that the lessons need, and what to do if it is not so; ``ok`` is None if it was not looked at."""

    name: str
    ok: bool | None
    detail: str
    fix: str = ""


def examine() -> list[Check]:
    """Check everything that the lessons need on this computer."""
    sample = _check_sample()
    return [
        _check_python(),
        _check_environment(),
        _check_packages(),
        _check_kernel(),
        _check_git(),
        _check_data_folder(sample.ok),
        _check_disk(),
        sample,
        _check_recordings(sample.ok),
        _check_memory(),
    ]


def print_checks(checks: Iterable[Check]) -> int:
    """Print a line for each check, with the fix where one failed, and return the exit code: 1 if one did."""
    checks = list(checks)
    for check in checks:
        line = f"{ {True: '✓', False: '✗', None: '?'}[check.ok] } {check.name}: {check.detail}"
        say(f"{line} → {check.fix}" if check.ok is False else line)
    return int(any(check.ok is False for check in checks))


def unmet(requirements: Iterable[str]) -> list[str]:
    """List the requirements that the installed packages do not meet, each with what is there instead."""
    from packaging.requirements import Requirement

    faults = []
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            faults.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            faults.append(f"{requirement.name} is {found}, not {requirement.specifier}")
    return faults


def _install_command() -> str:
    return "run 'make run'" if ROOT else "install bwm-tutorials[course] again with pip"


def _check_python() -> Check:
    ok = environment.OLDEST <= sys.version_info[:2] <= environment.NEWEST
    return Check("Python", ok, "{}.{}.{}".format(*sys.version_info), "" if ok else environment.wrong_python())


def _check_environment() -> Check:
    if ROOT is None or Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        return Check("environment", True, f"{sys.prefix} (your own, not the clone's .venv)")
    ok = environment.is_ready("run")
    detail = ".venv is as its lock says" if ok else ".venv is unfinished or older than its lock"
    return Check("environment", ok, detail, _install_command())


def _check_packages() -> Check:
    wanted = environment.pins("run") if ROOT else requires("bwm-tutorials") or []
    try:
        faults = unmet(wanted)
    except ImportError:
        faults = ["none of the lessons' packages is installed"]
    detail = "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")
    return Check("packages", not faults, detail or "all in the versions that the lessons need", _install_command())


def _check_kernel() -> Check:
    spec = Path(sys.prefix) / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    try:
        command = json.loads(spec.read_text(encoding="utf-8"))["argv"][0]
    except (OSError, ValueError, LookupError):
        return Check("Jupyter kernel", False, f"there is no 'python3' kernel in {sys.prefix}", _install_command())
    # By these names Jupyter means the Python that it runs in itself, on the path or not.
    version = sys.version_info
    ok = command in {"python", f"python{version[0]}", f"python{version[0]}.{version[1]}"} or shutil.which(command)
    detail = "'python3' is there" if ok else f"'python3' starts {command}, which does not exist"
    return Check("Jupyter kernel", bool(ok), detail, "run 'python -m ipykernel install --sys-prefix'")


def _check_git() -> Check:
    fix = "install it from https://git-scm.com/downloads (to get corrections with 'git pull')"
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True)
    except OSError:
        return Check("git", False, "not found", fix)
    return Check("git", done.returncode == 0, done.stdout.strip() or "does not run", fix)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _check_data_folder(sample_is_complete: bool) -> Check:
    folder = data_folder()
    fix = "set the environment variable BWM_DATA to a folder that you may write to"
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            return Check("data folder", True, f"{folder} can be written to", fix)
    except OSError:
        return Check("data folder", sample_is_complete, f"{folder} cannot be written to", fix)


def _check_disk() -> Check:
    free = shutil.disk_usage(_existing(data_folder())).free
    fix = "delete something, or set BWM_DATA to a folder on another disk"
    return Check("disk", free >= SPACE, f"{free / 1e9:.1f} GB free, {SPACE / 1e9:.0f} needed", fix)


def _check_sample() -> Check:
    try:
        from ..simulate import sample

        ok = sample.is_complete()
    except Exception as error:  # most often nothing is installed yet, or this Python is too old
        return Check("sample", False, f"cannot be looked at ({error})", _install_command())
    return Check("sample", ok, "complete" if ok else "not built, or not complete", "run 'bwm-tutorials data'")


def _check_recordings(sample_is_complete: bool) -> Check:
    """Look into the main session of the source that lessons run on; nothing is fetched or built for that."""
    source = os.environ.get("BWM_SOURCE") or "sample"
    if source in ("aws", "openalyx", "sample-release") or (source == "sample" and not sample_is_complete):
        return Check("recordings", None, f"those of '{source}' were not looked into")
    try:
        from ..recordings.session import Session
        from ..recordings.sources import connect

        session = Session(one=connect(source))
        problems = session.problems
    except Exception as error:
        return Check("recordings", False, str(error).rstrip("."), "mend that, or name another folder in BWM_SOURCE")
    refused = problems[problems["then"] == "refused"]
    text = [f"{session.name} of '{source}'", *(problem.rstrip(".") for problem in problems["problem"])]
    detail = "; ".join(text) if len(problems) else f"{text[0]} is as it should be"
    return Check("recordings", refused.empty, detail, "lessons leave out what needs these files")


def _check_memory() -> Check:
    try:
        import psutil
    except ImportError:
        return Check("memory", True, "unknown")
    free = psutil.virtual_memory().available
    fix = "close other programs or notebooks"
    return Check("memory", free >= MEMORY, f"{free / 1e9:.1f} GB free, {MEMORY / 1e9:.0f} needed", fix)
