"""Programs that fetch the same files into one folder at once, some of which are killed, with locks and without."""

import hashlib
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.servers import Door

import bwm_tutorials as bwm
from bwm_tutorials.recordings import turns
from bwm_tutorials.recordings.remote import download
from bwm_tutorials.recordings.session import Session

N_FILES = 12
FETCH = """
import errno, sys
import bwm_tutorials as bwm
from bwm_tutorials.recordings.remote import download, patience
from filelock import FileLock
patience.PAUSE, download._CHUNK = 0.01, 1024

def refuse(*_, **__):
    raise {}

if len(sys.argv) > 2:
    FileLock.acquire = refuse
plan = bwm.download_plan(bwm.connect("aws"), what=sys.argv[1].split())
print("ready", flush=True)
input()
plan.get()
print("done")
"""


@pytest.fixture
def wanted(aws_door, served) -> dict[str, Path]:
    """The largest files of the session by their paths in it, and where they will be; each is given slowly."""
    planned = bwm.download_plan(aws_door.connect(), what="all")
    files = planned.files["MB"].nlargest(N_FILES)
    aws_door.web.faults["Subjects"] = ["slow"] * 999
    where = dict(zip(planned.files.index, [dataset.path for dataset in planned.datasets], strict=True))
    return {name: where[name] for name in files.index}


def programs(wanted: dict[str, Path], refusal: str = "") -> list[subprocess.Popen]:
    """Four programs that begin at the same moment."""
    command = [sys.executable, "-c", FETCH.format(refusal or "OSError"), " ".join(wanted), *[refusal][: bool(refusal)]]
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    started = [subprocess.Popen(command, **pipes, text=True) for _ in range(4)]
    for each in started:
        while "ready" not in (line := each.stdout.readline()):
            assert line, each.stderr.read()
    for each in started:
        each.stdin.write("\n")
        each.stdin.flush()
    return started


def kill_two(started: list[subprocess.Popen], door: Door) -> Counter[str]:
    """Kill two of them when something has arrived and something is on its way; what was asked for until then."""
    stop = time.monotonic() + 60
    while not (door.fetched() and door.left_over()):
        assert time.monotonic() < stop, "nothing arrives"
        time.sleep(0.01)
    before = asked(door)
    for each in started[:2]:
        each.kill()
    for each in started[:2]:
        each.communicate()
    return before


def asked(door: Door) -> Counter[str]:
    """How often each file was asked for."""
    return Counter(path for path in door.web.asked if "Subjects" in path)


def end_well(started: list[subprocess.Popen]) -> None:
    for each in started:
        out, err = each.communicate(timeout=120)
        assert each.returncode == 0 and out.strip().endswith("done"), err


def test_programs_share_the_work_and_go_on_with_that_of_those_that_are_killed(aws_door, wanted):
    started = programs(wanted)
    assert set(kill_two(started, aws_door).values()) == {1}
    end_well(started[2:])
    often = asked(aws_door)
    assert len(aws_door.fetched()) == len(often) == N_FILES and aws_door.left_over() == []
    assert max(often.values()) <= 2 and often.total() <= N_FILES + 2 * download.AT_ONCE, "what the killed had begun"


@pytest.mark.parametrize("refusal", ["OSError(errno.ENOLCK, 'No locks available')", "NotImplementedError"])
def test_where_a_disk_has_no_locks_values_are_right_all_the_same(refusal, aws_door, wanted):
    started = programs(wanted, refusal)
    kill_two(started, aws_door)
    end_well(started[2:])
    assert len(aws_door.fetched()) == N_FILES and aws_door.left_over() == []


HOLD = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def held(aws_door, served):
    """A program that has the lock of the licks, and does nothing."""
    (licks,) = [dataset.path for dataset in bwm.download_plan(aws_door.connect(), what="licks").datasets]
    name = hashlib.md5(licks.relative_to(aws_door.root).as_posix().encode()).hexdigest()
    folder = aws_door.root / turns.FOLDER
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder / name)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        yield licks
        holder.kill()


def test_a_program_that_holds_a_file_and_stands_still_is_waited_for_so_long_only(held, aws_door, served, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 2)
    one = aws_door.connect()
    begin = time.monotonic()
    assert np.array_equal(Session(one=one).licks, served.licks)
    assert 2 <= time.monotonic() - begin < 20
    assert aws_door.web.times("licks") == 1 and aws_door.left_over() == []
