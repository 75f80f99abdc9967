"""Sessions with next to nothing in them, made of a whole one."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from bwm_tutorials.recordings.one_tables import make_id
from bwm_tutorials.simulate import tables

from .hand_made import write

TABLE = "alf/_ibl_trials.table.pqt"
NINE = ["intervals_0", "intervals_1", "stimOn_times", "choice", "contrastLeft", "contrastRight", "feedbackType",
        "probabilityLeft", "feedback_times"]  # fmt: skip
SEPARATE = ("Trigger_times", "stimOff_times", "intervals_bpod", "quiescencePeriod")  # attributes of trials
VIDEO = ("Camera", "ROIMotionEnergy", "licks")


def make(root: Path, whole: Path, leave_out: tuple[str, ...], change: Callable[[Path], None]) -> Path:
    """Write a folder with a real session that has the files of another, but for some that are left out or changed."""
    has_probes = not any(text in "alf/probe00/spikes.times" for text in leave_out)
    probes = {f"probe0{i}": make_id(f"{root}/{i}") for i in range(2)} if has_probes else {}
    day = date(2020, 1, 1)
    record = tables.SessionRecord(make_id(str(root)), "somelab", "ZM_0001", day, insertions=probes)
    folder = root / record.path
    for file in whole.rglob("*.*"):
        path = file.relative_to(whole).as_posix()
        if "/" in path and not any(text in path for text in leave_out) and path != TABLE:
            path = path.replace("#2025-03-03#/", "")
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.link(file, folder / path)
    change(folder)
    tables.write(root, [record], created="2020-01-01 12:00", main=record.eid)
    return root


def rewrite(file: Path, content) -> None:
    """Write a file anew: it is linked to that of another session."""
    file.unlink()
    write(file, content)


def with_trials(choose: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder / TABLE, choose(pd.read_parquet(folder / TABLE)))


def excerpt(folder: Path) -> None:
    """Thirty trials of nine columns and no block, and the spikes of this time, in which some good units have none."""
    with_trials(lambda trials: trials[NINE][:30].assign(probabilityLeft=0.5))(folder)
    trials = pd.read_parquet(folder / TABLE)
    first, last = trials["intervals_0"].iloc[0], trials["intervals_1"].iloc[-1]
    for probe in folder.glob("alf/probe0?/pykilosort/*"):
        times = np.load(probe / "spikes.times.npy")
        for file in sorted(probe.glob("spikes.*.npy")):
            rewrite(file, np.load(file)[(times >= first) & (times <= last)])
        good = pd.read_parquet(probe / "passingSpikes.table.pqt")
        rewrite(
            probe / "passingSpikes.table.pqt", good[good["times"].between(first, last) & (good["clusters"] % 3 > 0)]
        )


def no_good_unit(folder: Path) -> None:
    for metrics in folder.rglob("clusters.metrics.pqt"):
        rewrite(metrics, pd.read_parquet(metrics).assign(label=2 / 3, bitwise_fail=1))
        rewrite(spikes := metrics.with_name("passingSpikes.table.pqt"), pd.read_parquet(spikes)[:0])


def one_unit(folder: Path) -> None:
    for probe in folder.glob("alf/probe0?/pykilosort/*"):
        table = pd.read_parquet(probe / "clusters.metrics.pqt")
        unit = int(table.loc[table["label"] == 1, "cluster_id"].iloc[0])
        rewrite(probe / "clusters.metrics.pqt", table[table["cluster_id"] == unit].assign(cluster_id=0))
        good = pd.read_parquet(probe / "passingSpikes.table.pqt")
        rewrite(probe / "passingSpikes.table.pqt", good[good["clusters"] == unit].assign(clusters=0))
        its = np.load(probe / "spikes.clusters.npy") == unit
        for file in sorted(probe.glob("spikes.*.npy")):
            rewrite(file, np.load(file)[its] * (file.name != "spikes.clusters.npy"))
        for file in sorted(probe.glob("clusters.*.npy")):
            rewrite(file, np.load(file)[[unit]])


SESSIONS: dict[str, tuple[tuple[str, ...], Callable[[Path], None]]] = {
    "an excerpt": ((*VIDEO, "waveforms", "wheelMoves", "passive", "RFMap", *SEPARATE), excerpt),
    "no trials": (("_ibl_trials.",), lambda folder: None),
    "no probe": (("probe0",), lambda folder: None),
    "no correct trial": (SEPARATE, with_trials(lambda trials: trials[trials["feedbackType"] != 1])),
    "no wrong trial": (SEPARATE, with_trials(lambda trials: trials[trials["feedbackType"] == 1])),
    "no choice": (
        SEPARATE,
        with_trials(lambda trials: trials.assign(choice=0.0, feedbackType=-1.0, firstMovement_times=np.nan)),
    ),
    "one side": (SEPARATE, with_trials(lambda trials: trials[trials["contrastLeft"].notna()])),
    "one contrast": (
        SEPARATE,
        with_trials(lambda trials: trials[trials["contrastLeft"].fillna(trials["contrastRight"]) == 0.0625]),
    ),
    "one block": (SEPARATE, with_trials(lambda trials: trials.assign(probabilityLeft=0.8))),
    "three trials": (SEPARATE, with_trials(lambda trials: trials[20:23])),
    "no good unit": ((), no_good_unit),
    "one unit": (("waveforms", "templates", "uuids"), one_unit),
    "no regions": (("electrodeSites", "brainLocationIds", "mlapdv"), lambda folder: None),
    "an older sorting": (("spikes.amps", "spikes.depths"), lambda folder: None),
    "no quality": (("clusters.metrics", "passingSpikes"), lambda folder: None),
}
"""By what they have or lack: the files that are left out, and what is done to the others."""
