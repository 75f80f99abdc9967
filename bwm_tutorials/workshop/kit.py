"""A kit for a class without a network: all that the lessons need, in a folder for a USB stick."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from ..console import say
from ..errors import DataError
from ..paths import claim, remove
from ..simulate import sample
from . import environment, notebooks

PYTHONS = ("3.11", "3.12", "3.13")
_MANYLINUX = [f"manylinux_2_{n}" for n in range(28, 4, -1)] + ["manylinux2014", "manylinux2010", "manylinux1"]


class System(NamedTuple):
    """A kind of computer: its name, what a lock's markers ask of it, and the platforms of the wheels that it takes."""

    title: str
    markers: dict[str, str]
    platforms: list[str]


def _system(title: str, system: str, sys_platform: str, os_name: str, machine: str, *platforms: str) -> System:
    markers = {"platform_system": system, "sys_platform": sys_platform, "os_name": os_name, "platform_machine": machine}
    return System(title, markers, list(platforms))


SYSTEMS = {
    "linux": _system(
        "Linux (x86_64, glibc 2.28 or newer)",
        *("Linux", "linux", "posix", "x86_64"),
        *(f"{name}_x86_64" for name in _MANYLINUX),
    ),
    "macos": _system("macOS 13 or newer (Apple processor)", "Darwin", "darwin", "posix", "arm64", "macosx_13_0_arm64"),
    "macos-intel": _system(
        "macOS 13 or newer (Intel processor)", "Darwin", "darwin", "posix", "x86_64", "macosx_13_0_x86_64"
    ),
    "windows": _system("Windows (64 bit, Intel or AMD processor)", "Windows", "win32", "nt", "AMD64", "win_amd64"),
}

TITLE = "bwm-tutorials: lessons on the Brain Wide Map, installed without a network"
UNFINISHED = f"{TITLE}\n\nThis kit is not finished: run the command that makes it again.\n"
README = f"""{TITLE}

You need 2 GB of disk, and Python {{pythons}}. Packages are here for
{{systems}}.

Open a terminal in this folder, and type

  on Linux                          on macOS                          on Windows (in PowerShell)
  python3 install.py                python3 install.py                py install.py
  cd ~/bwm-tutorials                cd ~/bwm-tutorials                cd $HOME\\bwm-tutorials
  python3 -m bwm_tutorials start    python3 -m bwm_tutorials start    py -m bwm_tutorials start

The first line copies the lessons into your home folder and makes their environment there (a minute or two). After it
this folder is not needed any more. The last line opens the lessons, also the next time.

wheels/         the packages
bwm-tutorials/  the lessons with what they run on, the synthetic sample included
lessons/        the lessons as pages, to read in a browser
{{book}}
"""
BOOK = "book/           the book: the lessons as they look when they have run; open index.html\n"


def requirements(root: Path, system: System, python: str) -> list[str]:
    """The entries of a clone's run-time lock that a Python (as 3.12.1) takes on a system, with their hashes.

    They have no markers, because pip would hold these against the computer that it runs on.
    """
    where = system.markers | {"python_version": python.rpartition(".")[0], "python_full_version": python}
    found = []
    for entry in re.split(r"^(?=\w)", (root / "locks" / "run.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        pin, hashes = entry.split(" \\\n", 1)
        wanted = Requirement(pin)
        if wanted.marker is None or wanted.marker.evaluate(where):
            found.append(f"{wanted.name}{wanted.specifier} \\\n{hashes}")
    return found


def write(root: Path, folder: Path, systems: Iterable[str] = SYSTEMS, pythons: Iterable[str] = PYTHONS) -> None:
    """Write a kit of a clone, or bring one up to date; a kit that was not finished is completed.

    Parameters
    ----------
    root : Path
        The clone. What git knows of is copied, as it is now.
    folder : Path
        A new folder, an empty one, or one with an earlier kit.
    systems : iterable of str
        Of `SYSTEMS`.
    pythons : iterable of str
        Of `PYTHONS`.

    Raises
    ------
    DataError
        The folder holds something else, or cannot hold a kit.
    SystemExit
        pip cannot fetch a package.
    """
    readme, wheels, clone = folder / "README.txt", folder / "wheels", folder / "bwm-tutorials"
    systems, pythons = list(systems), list(pythons)
    try:
        claim(folder)
        readme.write_text(UNFINISHED, encoding="utf-8")
        for system in systems:
            for python in pythons:
                say(f"Packages for Python {python} on {SYSTEMS[system].title} …")
                fetch(root, SYSTEMS[system], python, wheels)
        say("Lessons and sample …")
        for part in (clone, folder / "lessons", folder / "book"):
            remove(part, of=folder)
        _copy(root, _tracked(root), clone)
        _copy(built := sample.ensure().parent, _files(built), clone / "data" / "sample")
        notebooks.write_learners(root / "notebooks", folder / "lessons")
        if (book := root / "_build" / "book").is_dir():
            _copy(book, _files(book), folder / "book")
        shutil.copy(Path(__file__).with_name("kit_install.py"), folder / "install.py")
        text = README.format(
            pythons=" or ".join(pythons),
            systems=",\n".join(f"- {SYSTEMS[system].title}" for system in systems),
            book=BOOK if book.is_dir() else "",
        )
        readme.write_text(text.rstrip() + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"The kit cannot be written to {folder} ({error.strerror or error}): a whole one takes 2.5 GB; free some "
            "space, or name a folder on another disk."
        ) from error
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    say(f"The kit is in {folder} ({size / 1e9:.1f} GB); README.txt there says how to use it.")


def fetch(root: Path, system: System, python: str, wheels: Path) -> None:
    """Download the wheels that a Python (as 3.12) takes on a system, each verified by its hash."""
    # A lock may ask for another version before some patch of Python: take what the first and the last of them need.
    first, last = f"{python}.0", f"{python}.99"
    of_last = requirements(root, system, last)
    of_first_alone = [entry for entry in requirements(root, system, first) if entry not in of_last]
    for full, entries in ((last, of_last), (first, of_first_alone)):
        if not entries:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            listed = Path(temporary, "requirements.txt")
            listed.write_text("".join(entries), encoding="utf-8")
            environment.pip(
                *(Path(sys.executable), "download", "--dest", str(wheels), "--requirement", str(listed)),
                *("--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", full),
                *(word for platform in system.platforms for word in ("--platform", platform)),
            )


def _tracked(root: Path) -> list[str]:
    """What git knows of in a clone, and was not deleted since."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if listed.returncode:
        raise DataError(f"{root} is not a clone made with git, so that it is not known what belongs to it.")
    return [name for name in listed.stdout.split("\0") if name and (root / name).exists()]


def _files(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]


def _copy(folder: Path, names: Iterable[str], to: Path) -> None:
    # not shutil.copytree, which goes on after the disk is full
    for name in names:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, to / name)
