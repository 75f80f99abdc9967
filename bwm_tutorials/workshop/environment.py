"""The environment that the lessons run in, made from a lock.

Only the standard library is needed, and the syntax is that of Python 3.8: this module has to run before anything is
installed, and under an old Python it has to say so.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..console import say
from ..paths import ROOT

OLDEST, NEWEST = (3, 11), (3, 13)
UNFINISHED = "unfinished"
MEGABYTES = {"run": 1000, "test": 2200}  # on the disk
MARKER = "bwm_tutorials.lock"  # in .venv: which lock it holds


def prepare(lock: str = "run") -> Path:
    """Make ``.venv`` hold what a lock lists, if it does not yet.

    Parameters
    ----------
    lock : {'run', 'test'}
        What the lessons need, or that and what the tests need.

    Returns
    -------
    Path
        The environment's Python.

    Raises
    ------
    SystemExit
        This Python is too old or too new to make the environment, or an installation failed.
    """
    if ROOT is None:
        raise SystemExit("This package is not in a clone of its repository: clone it, and run the command there.")
    folder, python = ROOT / ".venv", venv_python(ROOT)
    marker = folder / MARKER
    if is_ready(lock):
        return python
    lock_file = ROOT / ".venv.lock"  # there before .venv is, if that is ours
    if folder.exists() and not (marker.exists() or lock_file.exists()):
        raise SystemExit(
            f"{folder} was not made by bwm-tutorials, so it is left as it is: activate it and run "
            "'pip install -e .[course]' in it, or move it away and run this again."
        )
    with one_at_a_time(lock_file):
        if is_ready(lock):  # another program installed it meanwhile
            return python
        # pip takes a half-copied package for an installed one, so nothing of an interrupted installation is kept.
        if _read(marker) == UNFINISHED or not _runs(str(python), "import pip"):
            _make_venv(folder)
        before = _read(marker)
        marker.write_text(UNFINISHED)
        names = {pin.split("==")[0] for pin in pins(lock)}
        size = f"about {MEGABYTES[lock]:,} MB on the disk"
        say(f"Installing {len(names)} packages, {size}, into {folder} (about a minute) …")
        try:
            # The lock is complete and consistent, so pip need not resolve it again.
            pip(python, "install", "--no-deps", "--require-hashes", "-r", str(_lock_file(lock)))
            pip(python, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        except SystemExit:
            # Without a network pip fails before it changes anything: an environment that worked still does.
            marker.write_text(before or UNFINISHED)
            raise
        marker.write_text(_stamp(lock))
    return python


def write_locks(root: Path | None = None, upgrade: bool = False) -> None:
    """Write ``locks/test.txt`` and ``locks/run.txt`` from the bounds in ``pyproject.toml``.

    Versions that are in the locks already stay where the bounds allow it.

    Parameters
    ----------
    root : Path, optional
        The folder of ``pyproject.toml`` and ``locks``; the clone if not given.
    upgrade : bool
        Take the newest versions instead.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet", "--universal"]
    command += ["--python-version", "{}.{}".format(*OLDEST), *(["--upgrade"] if upgrade else [])]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-package", "bwm-tutorials"]
    for extras in (
        ["--extra", "test", "--output-file", "locks/test.txt"],
        ["--extra", "course", "--extra", "build", "-c", "locks/test.txt", "--output-file", "locks/run.txt"],
    ):
        done = subprocess.run([*command, *extras], cwd=root or ROOT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"uv could not resolve the requirements in pyproject.toml.\n{done.stderr.strip()}")


def venv_python(root: Path) -> Path:
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _lock_file(lock: str) -> Path:
    return ROOT / "locks" / f"{lock}.txt"


def pins(lock: str) -> list[str]:
    """Return the requirements of a lock, for example ``numpy==2.4.6 ; python_full_version < '3.12'``."""
    lines = _lock_file(lock).read_text(encoding="utf-8").splitlines()
    return [line.rstrip(" \\") for line in lines if line[:1].isalnum()]


def _stamp(lock: str) -> str:
    # The folder counts too: an environment that was moved along with its clone finds its packages no more.
    return hashlib.sha256(_lock_file(lock).read_bytes() + os.fsencode(ROOT)).hexdigest()


def _read(marker: Path) -> str:
    return marker.read_text() if marker.exists() else ""


def is_ready(lock: str) -> bool:
    """Tell whether the clone's environment holds a lock; that of the tests includes that of the lessons."""
    return venv_python(ROOT).exists() and _read(ROOT / ".venv" / MARKER) in {_stamp(lock), _stamp("test")}


def _runs(python: str, code: str) -> bool:
    with suppress(OSError):
        return subprocess.run([python, "-c", code], capture_output=True).returncode == 0
    return False


def _make_venv(folder: Path) -> None:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SystemExit(wrong_python())
    base = getattr(sys, "_base_executable", None) or sys.executable
    done = subprocess.run([base, "-m", "venv", "--clear", str(folder)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            "Python could not make the environment .venv; on Debian or Ubuntu install python3-venv and run this again."
            + _tail(done)
        )


def wrong_python() -> str:
    supported = [f"{OLDEST[0]}.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    found = [f"python{name}" for name in supported if _runs(f"python{name}", "import venv")]
    remedy = (
        f"run it again with {found[-1]} ('make run PYTHON={found[-1]}')"
        if found
        else f"install Python {supported[-2]} from https://www.python.org/downloads and run it again with that"
    )
    here, others = "{}.{}".format(*sys.version_info), ", ".join(supported[:-1])
    return f"This is Python {here} and the lessons need {others} or {supported[-1]}: {remedy}."


def pip(python: Path, action: str, *arguments: str) -> None:
    """Let pip install or download something, and stop with its last words if it cannot."""
    command = [str(python), "-m", "pip", action, "--quiet", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise SystemExit(
            f"The packages could not be {action}ed; see pip's last words below, check the network connection and the "
            "free disk space, and run this again." + _tail(done)
        )


def _tail(done: subprocess.CompletedProcess) -> str:
    return "\n" + "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other program is in this block; the system frees the lock of a program that was killed."""
    with path.open("a") as handle:
        if os.name == "nt":
            import msvcrt

            while True:
                with suppress(OSError):  # msvcrt gives up after ten seconds
                    msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
                    break
        else:
            import fcntl

            with suppress(OSError):  # some network drives have no locks: go on without
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
