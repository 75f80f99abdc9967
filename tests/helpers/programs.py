"""Other programs: that build recordings at the same time, on a small disk, or with no more rights than anyone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SMALL = """
import os, sys, time
from functools import partial
from pathlib import Path
import bwm_tutorials as bwm
from bwm_tutorials.errors import DataError
from bwm_tutorials.simulate import plans, sample, tables
sample.build = partial(sample.build, minutes=12, clusters=20)
data = Path(os.environ["BWM_DATA"])

def say_and_wait(name, until):
    data.with_name(name).touch()
    stop = time.monotonic() + 60
    while not until() and time.monotonic() < stop:
        time.sleep(0.001)
"""


def program(code: str, data: Path, *before: str, **environment: str) -> subprocess.Popen:
    """Start a Python that builds short recordings in this data folder."""
    return subprocess.Popen(
        [*before, sys.executable, "-c", SMALL + code],
        env=os.environ | {"BWM_DATA": str(data), **environment},
        cwd=data.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def on_small_disk(folder: Path, megabytes: int) -> list[str]:
    """What a command begins with for which a folder is a real file system of this size, that only it sees."""
    mount = f'mount -t tmpfs -o size={megabytes}m tmpfs \'{folder}\' && exec "$0" "$@"'
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    if sys.platform != "linux" or subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this computer does not let a test mount a small file system")
    return alone


def like_anyone() -> list[str]:
    """What a command begins with that may not write where it is forbidden, whoever runs the tests."""
    before = ["unshare", "--user"] if os.geteuid() == 0 else []
    if before and subprocess.run([*before, "true"], capture_output=True).returncode:
        pytest.skip("root writes where it wants to")
    return before


def wait_for(*files: Path) -> None:
    stop = time.monotonic() + 60
    while not all(file.exists() for file in files):
        assert time.monotonic() < stop, f"none of {files}"
        time.sleep(0.002)
