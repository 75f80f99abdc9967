"""Other programs that build recordings at the same time."""

import os
import subprocess
import sys
import time
from pathlib import Path

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


def wait_for(*files: Path) -> None:
    stop = time.monotonic() + 60
    while not all(file.exists() for file in files):
        assert time.monotonic() < stop, f"none of {files}"
        time.sleep(0.002)
