"""Where the clone of the repository is, where data are kept, and which folders are ours to change.

Like `workshop.environment` this needs the standard library alone, in the syntax of Python 3.8.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .errors import DataError

PACKAGE = Path(__file__).resolve().parent


def _find_root() -> Path | None:
    parent = PACKAGE.parent
    return parent if (parent / "pyproject.toml").exists() and (parent / "notebooks").is_dir() else None


ROOT = _find_root()
"""The clone that the package lies in, or None where only the package was installed."""


def data_folder() -> Path:
    """Return the folder that samples are built in: ``BWM_DATA``, else ``data`` in the clone, else one in the home."""
    if named := os.environ.get("BWM_DATA"):
        return Path(named).expanduser().absolute()
    return ROOT / "data" if ROOT else Path.home() / "bwm-tutorials-data"


SAMPLES = ("sample", "sample-release")
"""Synthetic sources, each built in the data folder on first use."""

MARK = ".bwm-tutorials"
"""The file that says that a folder is ours: written first, and looked for before anything is removed."""


BUILT = ROOT / "_build" if ROOT else None
"""The folder of the clone that git ignores, for what commands write: all in it is ours."""


def is_ours(folder: Path) -> bool:
    """Tell whether a folder was made by this package."""
    return folder == BUILT or (folder / MARK).is_file()


def claim(folder: Path) -> Path:
    """Make a folder, and mark it as ours.

    Raises
    ------
    DataError
        There is something in it, and it is not ours.
    """
    if not is_ours(folder):
        if os.path.lexists(str(folder)) and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(
                f"{folder} was not made by bwm-tutorials, so nothing in it is changed: move it away, or name another "
                "folder (where data are kept, by the environment variable BWM_DATA)."
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(
            "Made by bwm-tutorials, which may change and delete this folder.\n", encoding="utf-8"
        )
    return folder


def remove(folder: Path, of: Path | None = None) -> bool:
    """Remove a folder that is ours, or a part ``of`` one, and tell whether there is none left; any other stays."""
    if is_ours(of or folder):
        shutil.rmtree(str(folder), ignore_errors=True)
    return not folder.exists()
