"""The door to the bucket at the release's size: all sessions are listed, and sixteen programs want the same files.

What is fetched comes from a server on this computer ([bucket.py](bucket.py)): 459 sessions of 130 files, each answer
after a tenth of a second, files through a link of 20 MB/s that all connections share.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import bucket
import requests
from bench_responses import machine

PROGRAMS, WANTED = 16, 8  # programs, and sessions; files of each session
NAMES, EIDS = bucket.NAMES[:WANTED], bucket.EIDS[:PROGRAMS]
KEYS = {f"{bucket.PATHS[i]}/{name}": bucket.key_of(i, name) for i in range(PROGRAMS) for name in NAMES}

LIST = """
import json, resource, sys, time
import bwm_tutorials as bwm
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
now = time.perf_counter
begin = now()
one = bwm.connect("aws")
tables = [now() - begin, peak()]
begin = now()
if len(sys.argv) > 1:
    one.load_dataset(sys.argv[1], one.list_datasets(sys.argv[1])[0])
else:
    one.list_ahead()
print(json.dumps([*tables, now() - begin, peak()]))
"""
FETCH = """
import os, sys, time
from pathlib import Path
import bwm_tutorials as bwm
one, gate = bwm.connect("aws"), Path(sys.argv[1])
plans = [bwm.download_plan(one, eid, what=sys.argv[2].split()) for eid in sys.argv[3:]]
(gate / f"{os.getpid()}").touch()
while not (gate / "go").exists():
    time.sleep(0.01)
for plan in plans:
    plan.get()
print(time.time())
"""


def start(code: str, data: Path, *arguments: str) -> subprocess.Popen:
    """A fresh program with this data folder."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, env=os.environ | {"BWM_DATA": str(data)}, stdout=subprocess.PIPE, text=True)


def asked(url: str) -> Counter[str]:
    """How often the server was asked for what since it was last looked at: tables, lists, and files by their keys."""
    return Counter(requests.get(f"{url}/asked", timeout=60).json())


def list_all(url: str, folder: Path) -> None:
    """Open one session, then list all of them, in an empty folder each."""
    for what, eids in (("one session and a file of it", EIDS[:1]), (f"all {bucket.SESSIONS} sessions", [])):
        out, _ = start(LIST, folder / what, *eids).communicate()
        tables, of_tables, seconds, peak = json.loads(out.splitlines()[-1])
        kinds = Counter(key.partition(" ")[0].partition("/")[0] for key in asked(url).elements())
        print(
            f"{what:30} tables {tables:5.1f} s, {of_tables:4.0f} MB; then {seconds:5.1f} s, {peak:4.0f} MB; requests: "
            f"{kinds['caches']} of tables, {kinds['list']} lists, {kinds['data']} files   wanted < 60 s, 300 MB"
        )


def fetch_together(url: str, folder: Path, killed: int = 0) -> None:
    """Let programs fetch the same files into one folder, and kill some when half of the time is over."""
    gate, root = folder / "gate", folder / "data" / "aws"
    gate.mkdir(parents=True)
    programs = [start(FETCH, folder / "data", str(gate), " ".join(NAMES), *EIDS) for _ in range(PROGRAMS)]
    while len([*gate.iterdir()]) < PROGRAMS:
        time.sleep(0.01)
    asked(url)
    (gate / "go").touch()
    begin, least = time.time(), len(KEYS) * bucket.SIZE / bucket.RATE
    time.sleep(least / 2 if killed else 0)
    for each in programs[:killed]:
        each.send_signal(signal.SIGKILL)
    there = [name for name in KEYS if (root / name).exists()] if killed else []
    damaged = sum(not whole(root, name) for name in there)
    ends = [out.split()[-1] for each in programs if (out := each.communicate()[0]) and not each.returncode]
    arrived = max((root / name).stat().st_mtime for name in KEYS) - begin
    seconds, often = max(map(float, ends)) - begin, asked(url)
    damaged += sum(not whole(root, name) for name in KEYS)
    parts = len([*folder.rglob("*.part")])
    print(
        f"{PROGRAMS} programs, {killed} killed: {len(KEYS) * bucket.SIZE / 1e6:.0f} MB arrived in {arrived:.1f} s "
        f"({arrived / least:.2f} × the link's time), verified by all in {seconds:.1f} s ({seconds / least:.2f} ×)   "
        f"wanted <= 1.2 ×\n    {len(KEYS)} files: {sum(often[key] == 1 for key in KEYS.values())} asked for once, "
        f"{sum(often[key] > 1 for key in KEYS.values())} more often, {damaged} damaged, {parts} parts left; "
        f"{len(ends)} programs ended well   wanted {PROGRAMS - killed}, none damaged or left, and more often only what "
        "those that were killed had begun"
    )


def whole(root: Path, name: str) -> bool:
    """Whether a file is what the server has."""
    return hashlib.md5((root / name).read_bytes()).hexdigest() == bucket.end_and_md5(KEYS[name])[1]


def main() -> None:
    """Measure and print."""
    command = [sys.executable, bucket.__file__]
    print(machine())
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            os.environ |= {"AWS_ENDPOINT_URL_S3": url, "BWM_ROSTER": str(Path(folder, "roster.csv"))}
            bucket.roster().to_csv(os.environ["BWM_ROSTER"])
            list_all(url, Path(folder))
            for killed in (0, PROGRAMS // 2):
                fetch_together(url, Path(folder, f"killed {killed}"), killed)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
