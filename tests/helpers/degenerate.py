"""Sessions that lack something, or have too little of it: made of a whole one, file by file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import bwm_tutorials as bwm
from bwm_tutorials.simulate import tables

from .hand_made import TABLE, write

Files = dict[str, Path | object]
"""By path in the session: where a file is, or its content."""
Change = Callable[[Files], Files]
NINE = ["intervals_0", "intervals_1", "stimOn_times", "choice", "contrastLeft", "contrastRight", "feedback_times",
        "feedbackType", "probabilityLeft"]  # fmt: skip
SORTING = "alf/{}/pykilosort/{}"


def read(files: Files, path: str):
    """The content of a file of ours."""
    content = files[path]
    if isinstance(content, Path):
        content = np.load(content) if content.suffix == ".npy" else pd.read_parquet(content)
    return content


def probes(files: Files) -> list[str]:
    return sorted({path.split("/")[1] for path in files if path.endswith("/spikes.times.npy")})


def without(files: Files, *parts: str) -> Files:
    return {path: content for path, content in files.items() if not any(part in path for part in parts)}


def of_trials(fits: Callable[[pd.DataFrame], object]) -> Change:
    """Keep these trials, in all files of them."""

    def change(files: Files) -> Files:
        table = read(files, TABLE)
        rows = np.arange(len(table))[fits(table)]
        separate = {path: read(files, path)[rows] for path in files if "_ibl_trials." in path and path != TABLE}
        return files | separate | {TABLE: table.iloc[rows].reset_index(drop=True)}

    return change


def of_units(keep: Callable[[pd.DataFrame], np.ndarray], relabel: float | np.ndarray | None = None) -> Change:
    """Keep these units of each probe, numbered anew, and give them another label."""

    def change(files: Files) -> Files:
        files = dict(files)
        for probe in probes(files):
            metrics = read(files, SORTING.format(probe, "clusters.metrics.pqt"))
            kept = np.flatnonzero(keep(metrics))
            number = np.full(len(metrics), -1)
            number[kept] = np.arange(kept.size)
            fires = number[read(files, SORTING.format(probe, "spikes.clusters.npy"))] >= 0
            for path in [path for path in files if path.startswith(SORTING.format(probe, ""))]:
                name = path.rpartition("/")[2]
                if name.startswith("spikes.") and name.endswith(".npy"):
                    content = read(files, path)[fires]
                    files[path] = number[content].astype(np.uint16) if name.startswith("spikes.clusters") else content
                elif name.startswith("clusters.") and name.endswith(".npy"):
                    files[path] = read(files, path)[kept]
            label = metrics["label"] if relabel is None else relabel
            metrics = metrics.assign(label=label, cluster_id=number).iloc[kept].reset_index(drop=True)
            files[SORTING.format(probe, "clusters.metrics.pqt")] = metrics
            path = SORTING.format(probe, "passingSpikes.table.pqt")
            if path in files:
                good = read(files, path)
                good = good.assign(clusters=number[good["clusters"]])
                passes = (good["clusters"] >= 0) & (metrics["label"].reindex(good["clusters"]) == 1).to_numpy()
                files[path] = good[passes].astype({"clusters": np.uint16})
        return without(files, "clusters.uuids")

    return change


def of_spikes(until: Callable[[Files], float], silent: int = 1) -> Change:
    """Keep spikes before a time; of every so many units none."""

    def change(files: Files) -> Files:
        files, end = dict(files), until(files)
        for probe in probes(files):
            times, units = (read(files, SORTING.format(probe, f"spikes.{name}.npy")) for name in ("times", "clusters"))
            kept = (times < end) & ((units % silent > 0) | (silent == 1))
            for path in [path for path in files if path.startswith(SORTING.format(probe, "spikes."))]:
                files[path] = read(files, path)[kept]
            path = SORTING.format(probe, "passingSpikes.table.pqt")
            if path in files:
                good = read(files, path)
                files[path] = good[(good["times"] < end) & ((good["clusters"] % silent > 0) | (silent == 1))]
        return files

    return change


def older(files: Files) -> Files:
    """A sorting without sizes and depths of spikes, in the probe's own folder."""
    files = without(files, "spikes.amps", "spikes.depths", "passingSpikes")
    return {path.replace("/pykilosort/", "/"): content for path, content in files.items()}


def real_probe(files: Files) -> Files:
    """As an excerpt of a recorded session was: 30 trials of the unbiased block, spikes of these, and little else."""
    files = without(files, "wheelMoves", "Camera", "licks", "waveforms", "passive", "Passive", "drift", "Saturation")
    files = of_trials(lambda trials: (trials["probabilityLeft"] == 0.5).to_numpy() & (np.arange(len(trials)) < 30))(
        files
    )
    trials = read(files, TABLE)
    files = without(files, "_ibl_trials.") | {TABLE: trials[NINE]}
    return of_spikes(lambda _: trials["intervals_1"].iloc[-1] + 2, silent=11)(files)


DEGENERATE: dict[str, Change] = {
    "a real probe": real_probe,
    "30 trials": of_trials(lambda trials: slice(30)),
    "one trial": of_trials(lambda trials: slice(1)),
    "one block": of_trials(lambda trials: trials["probabilityLeft"] == 0.5),
    "no correct trial": of_trials(lambda trials: trials["feedbackType"] == -1),
    "no wrong trial": of_trials(lambda trials: trials["feedbackType"] == 1),
    "one side": of_trials(lambda trials: trials["contrastRight"].notna()),
    "one contrast": of_trials(lambda trials: trials[["contrastLeft", "contrastRight"]].max(axis=1) == 1),
    "nine columns": lambda files: without(files, "_ibl_trials.") | {TABLE: read(files, TABLE)[NINE]},
    "no trials": lambda files: without(files, "_ibl_trials."),
    "no good unit": of_units(lambda metrics: np.ones(len(metrics), bool), 2 / 3),
    "silent units": of_spikes(lambda _: np.inf, silent=2),
    "spikes that end early": of_spikes(lambda files: read(files, TABLE)["intervals_1"].median()),
    "one unit": of_units(lambda metrics: np.arange(len(metrics)) == metrics["label"].argmax(), 1.0),
    "no regions": lambda files: without(files, "mlapdv", "brainLocationIds"),
    "an older sorting": older,
    "no passive protocol": lambda files: without(files, "passive", "Passive"),
    "no video": lambda files: without(files, "Camera", "licks"),
    "no probe": lambda files: without(files, "probe0"),
}


def make(root: Path, like: bwm.Session, change: Change, critical: str = "") -> Path:
    """Make a ONE folder of one session: another one's files, changed; those with a text in their path are CRITICAL."""
    paths = like.files.paths(list(like.datasets.index))
    files = change(dict(zip(like.datasets.index, paths, strict=True)))
    details = like.details
    record = tables.SessionRecord(
        like.eid, details["lab"], details["subject"], details["date"], details["number"], details["task_protocol"],
        insertions={name: pid for name, pid in like.files.probes.items() if name in probes(files)},
        qc_of={critical: "CRITICAL"} if critical else {},
    )  # fmt: skip
    for path, content in files.items():
        if isinstance(content, Path):
            (root / record.path / path).parent.mkdir(parents=True, exist_ok=True)
            (root / record.path / path).hardlink_to(content)
        else:
            write(root / record.path / path, content)
    tables.write(root, [record], created="2001-01-01 12:00", main=like.eid)
    return root
