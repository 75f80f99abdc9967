"""The environment that the lessons run in: made from a lock, and checked.

Only the standard library is needed, and the syntax is that of Python 3.8: this module has to run before anything is
installed, and under an old Python it has to say so.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

OLDEST, NEWEST = (3, 11), (3, 13)
SPACE = 2e9  # bytes: an environment and the sample, with room for a downloaded session
MEMORY = 2e9  # bytes: a kernel stays below .8 GB, beside a browser
UNFINISHED = "unfinished"


def _find_root() -> Path | None:
    parent = Path(__file__).resolve().parent.parent
    return parent if (parent / "pyproject.toml").exists() and (parent / "notebooks").is_dir() else None


ROOT = _find_root()
"""The clone that the package lies in, or None where only the package was installed."""


def data_folder() -> Path:
    """Return the folder that samples are built in: ``BWM_DATA``, else ``data`` in the clone, else one in the home."""
    if "BWM_DATA" in os.environ:
        return Path(os.environ["BWM_DATA"]).expanduser().absolute()
    return ROOT / "data" if ROOT else Path.home() / "bwm-tutorials-data"


# ---------------------------------------------------------------------------------------------------- made from a lock


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
    folder, python = ROOT / ".venv", _venv_python(ROOT)
    marker = folder / "bwm_tutorials.lock"
    if _is_ready(lock, marker, python):
        return python
    with _one_at_a_time(ROOT / ".venv.lock"):
        if _is_ready(lock, marker, python):  # another program installed it meanwhile
            return python
        # pip takes a half-copied package for an installed one, so nothing of an interrupted installation is kept.
        if _read(marker) == UNFINISHED or not _runs(str(python), "import pip"):
            _make_venv(folder)
        before = _read(marker)
        marker.write_text(UNFINISHED)
        names = {pin.split("==")[0] for pin in _pins(lock)}
        _print(f"Installing {len(names)} packages into .venv (about a minute) …")
        try:
            # The lock is complete and consistent, so pip need not resolve it again.
            _pip(python, "--no-deps", "--require-hashes", "-r", str(_lock_file(lock)))
            _pip(python, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
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


def _venv_python(root: Path) -> Path:
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _lock_file(lock: str) -> Path:
    return ROOT / "locks" / f"{lock}.txt"


def _pins(lock: str) -> list[str]:
    """Return the requirements of a lock, for example ``numpy==2.4.6 ; python_full_version < '3.12'``."""
    lines = _lock_file(lock).read_text(encoding="utf-8").splitlines()
    return [line.rstrip(" \\") for line in lines if line[:1].isalnum()]


def _stamp(lock: str) -> str:
    # The folder counts too: an environment that was moved along with its clone finds its packages no more.
    return hashlib.sha256(_lock_file(lock).read_bytes() + os.fsencode(ROOT)).hexdigest()


def _read(marker: Path) -> str:
    return marker.read_text() if marker.exists() else ""


def _is_ready(lock: str, marker: Path, python: Path) -> bool:
    """Tell whether the environment holds a lock; that of the tests includes that of the lessons."""
    return python.exists() and _read(marker) in {_stamp(lock), _stamp("test")}


def _runs(python: str, code: str) -> bool:
    with suppress(OSError):
        return subprocess.run([python, "-c", code], capture_output=True).returncode == 0
    return False


def _make_venv(folder: Path) -> None:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SystemExit(_wrong_python())
    base = getattr(sys, "_base_executable", None) or sys.executable
    done = subprocess.run([base, "-m", "venv", "--clear", str(folder)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            "Python could not make the environment .venv; on Debian or Ubuntu install python3-venv and run this again."
            + _tail(done)
        )


def _wrong_python() -> str:
    supported = ["{}.{}".format(OLDEST[0], minor) for minor in range(OLDEST[1], NEWEST[1] + 1)]
    found = [f"python{name}" for name in supported if _runs(f"python{name}", "import venv")]
    remedy = (
        f"run it again with {found[-1]} ('make run PYTHON={found[-1]}')"
        if found
        else f"install Python {supported[-2]} from https://www.python.org/downloads and run it again with that"
    )
    here, others = "{}.{}".format(*sys.version_info), ", ".join(supported[:-1])
    return f"This is Python {here} and the lessons need {others} or {supported[-1]}: {remedy}."


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise SystemExit(
            "The packages could not be installed; see pip's last words below, check the network connection and the "
            "free disk space, and run this again." + _tail(done)
        )


def _tail(done: subprocess.CompletedProcess) -> str:
    return "\n" + "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
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


# ------------------------------------------------------------------------------------------------------------- checked


class Check(NamedTuple):
    """One thing that the lessons need, and what to do if it is not so."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def doctor() -> list[Check]:
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
        _check_memory(),
    ]


def print_doctor() -> int:
    """Print a line for each check, with the fix where one failed, and return the exit code."""
    checks = doctor()
    for check in checks:
        line = f"{'✓' if check.ok else '✗'} {check.name}: {check.detail}"
        _print(line if check.ok else f"{line} → {check.fix}")
    return 0 if all(check.ok for check in checks) else 1


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
    ok = OLDEST <= sys.version_info[:2] <= NEWEST
    return Check("Python", ok, "{}.{}.{}".format(*sys.version_info), "" if ok else _wrong_python())


def _check_environment() -> Check:
    if ROOT is None or Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        return Check("environment", True, f"{sys.prefix} (your own, not the clone's .venv)")
    ok = _is_ready("run", Path(sys.prefix) / "bwm_tutorials.lock", _venv_python(ROOT))
    detail = ".venv is as its lock says" if ok else ".venv is unfinished or older than its lock"
    return Check("environment", ok, detail, _install_command())


def _check_packages() -> Check:
    wanted = _pins("run") if ROOT else requires("bwm-tutorials") or []
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
    ok = shutil.which(command) is not None
    detail = "'python3' is there" if ok else f"'python3' starts {command}, which does not exist"
    return Check("Jupyter kernel", ok, detail, "run 'python -m ipykernel install --sys-prefix'")


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
        from .simulate import sample

        ok = sample.is_complete()
    except Exception as error:  # most often nothing is installed yet, or this Python is too old
        return Check("sample", False, f"cannot be looked at ({error})", _install_command())
    return Check("sample", ok, "complete" if ok else "not built, or not complete", "run 'bwm-tutorials data'")


def _check_memory() -> Check:
    try:
        import psutil
    except ImportError:
        return Check("memory", True, "unknown")
    free = psutil.virtual_memory().available
    fix = "close other programs or notebooks"
    return Check("memory", free >= MEMORY, f"{free / 1e9:.1f} GB free, {MEMORY / 1e9:.0f} needed", fix)


def _print(line: str) -> None:
    # A Windows console may have no check marks.
    try:
        print(line, flush=True)
    except UnicodeEncodeError:
        for sign, plain in {"✓": "ok", "✗": "NO", "→": "->", "…": "..."}.items():
            line = line.replace(sign, plain)
        print(line, flush=True)
