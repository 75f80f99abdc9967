"""Installs the lessons from a kit, at whose top this file lies: python install.py [FOLDER]. No network is needed.

Only the standard library is needed, and the syntax is that of Python 3.8.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).resolve().parent
SPACE = 2e9  # bytes: a copy of the lessons, their environment, and the small release
KINDS = {"linux": "manylinux", "darwin": "macosx", "win32": "win"}


def main() -> None:
    """Copy the lessons to this computer, and make their environment from the wheels of the kit."""
    home = Path(sys.argv[1] if len(sys.argv) > 1 else Path.home() / "bwm-tutorials").absolute()
    sys.path.insert(0, str(KIT / "bwm-tutorials"))
    sys.dont_write_bytecode = True
    from bwm_tutorials.workshop.environment import NEWEST, OLDEST, wrong_python

    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        sys.exit(wrong_python())
    python = "{}.{}".format(*sys.version_info)
    abi = "cp" + python.replace(".", "")
    machine = platform.machine().lower()
    if not list((KIT / "wheels").glob(f"numpy-*-{abi}-{abi}-{KINDS.get(sys.platform)}*_{machine}.whl")):
        sys.exit(f"This kit has no packages for Python {python} on this computer; README.txt says what it is made for.")
    if (home / ".git").exists():
        sys.exit(f"{home} is a clone of the repository: name another folder, as in 'install.py FOLDER'.")
    try:
        free = shutil.disk_usage(next(path for path in home.parents if path.exists())).free
        if free < SPACE:
            sys.exit(f"{SPACE / 1e9:.0f} GB are needed and {free / 1e9:.1f} GB are free for {home}: free some space.")
        shutil.copytree(str(KIT / "bwm-tutorials"), str(home), dirs_exist_ok=True)
    except OSError as error:
        sys.exit(f"The lessons cannot be copied to {home} ({error}): name another folder, as in 'install.py FOLDER'.")
    # An address, because pip takes a blank for the end of a path.
    environment = dict(os.environ, PIP_NO_INDEX="1", PIP_FIND_LINKS=(KIT / "wheels").as_uri())
    start = [sys.executable, "-m", "bwm_tutorials", "start", "--no-lab"]
    sys.exit(subprocess.call(start, cwd=str(home), env=environment))


if __name__ == "__main__":
    main()
