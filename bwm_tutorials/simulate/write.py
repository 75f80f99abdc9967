"""From a simulated session to files: the folders, names, revisions, dtypes and units of the release."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from iblutil.util import Bunch

from .. import tables
from ..spikes import SAMPLING_RATE
from . import passive, video

TRIALS_REVISION = "#2025-03-03#"
SORTING_REVISION = "#2024-05-06#"
TABLE_COLUMNS = [
    "intervals_0",
    "intervals_1",
    "goCue_times",
    "response_times",
    "choice",
    "stimOn_times",
    "contrastLeft",
    "contrastRight",
    "feedback_times",
    "feedbackType",
    "rewardVolume",
    "probabilityLeft",
    "firstMovement_times",
]
SYNTHETIC_TXT = """SYNTHETIC

These files were written by a program (bwm_tutorials.simulate, seed {seed}), not recorded from a mouse.
Lab, subject, date and identifiers are made up. Nothing in here is evidence about brains.
"""


def write_behaviour(root: Path, record: tables.SessionRecord, recording: Bunch, seed: int) -> None:
    """Write a session's files below ``root``, all but the probes', and what was put in to ``truth/`` beside it.

    Parameters
    ----------
    root : Path
        The ONE cache folder.
    record : tables.SessionRecord
        Names the session's folder.
    recording : Bunch
        As `recording.behave` gives it, with ``video`` as `recording.film` gives it.
    seed : int
        Stated in ``SYNTHETIC.txt``.
    """
    folder = root / record.path
    alf = folder / "alf"
    (alf / TRIALS_REVISION).mkdir(parents=True)
    (folder / "SYNTHETIC.txt").write_text(SYNTHETIC_TXT.format(seed=seed), encoding="utf-8")
    _write_trials(alf, recording.trials)
    _write_arrays(alf, "_ibl_wheel", recording.wheel)
    _write_arrays(alf, "_ibl_wheelMoves", recording.wheelMoves)
    passive.write(folder, recording.passive)
    for camera, filmed in recording.video.cameras.items():
        _write_camera(alf, camera, filmed)
    _write_arrays(alf, "licks", {"times": recording.video.licks})
    truth = root.parent / "truth" / record.eid
    truth.mkdir(parents=True)
    _write_table(truth / "trials.pqt", recording.truth_trials)
    _write_table(truth / "licks.pqt", pd.DataFrame({"times": recording.scene.licks}))
    _write_table(truth / "passive.pqt", recording.passive.events)
    video.write_pose(truth / "video.pqt", recording.video.truth)


def write_insertions(root: Path, record: tables.SessionRecord, insertions: dict[str, Bunch]) -> None:
    """Write what was recorded by a session's probes, and what was put into their units.

    Parameters
    ----------
    root : Path
        The ONE cache folder.
    record : tables.SessionRecord
        Names the session's folder and its probes.
    insertions : dict
        For each probe a Bunch as `recording.insert` gives it.
    """
    alf = root / record.path / "alf"
    description = [
        {"label": name, "model": "3B2", "serial": number, "raw_file_name": ""} for number, name in enumerate(insertions)
    ]
    alf.mkdir(parents=True, exist_ok=True)
    (alf / "probes.description.json").write_text(json.dumps(description), encoding="utf-8")
    for name, insertion in insertions.items():
        _write_insertion(alf / name, record.insertions[name], insertion)
    units = {name: insertion.truth_units.rename_axis("cluster_id") for name, insertion in insertions.items()}
    truth = root.parent / "truth" / record.eid
    truth.mkdir(parents=True, exist_ok=True)
    _write_table(truth / "units.pqt", pd.concat(units, names=["probe"]).reset_index())


def superseded(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials table as it was before its revision.

    The go cue's sound was not wired for the first trials, and in some trials the stimulus was taken to appear one
    frame late.
    """
    old = trials[TABLE_COLUMNS].copy()
    old.loc[old.index[:40], "goCue_times"] = np.nan
    old.loc[old.index[5::60], "stimOn_times"] += 1 / 60
    return old


def _write_trials(alf: Path, trials: pd.DataFrame) -> None:
    trials = trials.reset_index(drop=True)
    _write_table(alf / "_ibl_trials.table.pqt", superseded(trials))
    _write_table(alf / TRIALS_REVISION / "_ibl_trials.table.pqt", trials[TABLE_COLUMNS])
    separate = {name: trials[name].to_numpy() for name in trials.columns.difference(TABLE_COLUMNS)}
    # The behaviour computer has a clock of its own, which starts later.
    separate["intervals_bpod"] = trials[["intervals_0", "intervals_1"]].to_numpy() - 24.6
    _write_arrays(alf, "_ibl_trials", separate)


def _write_camera(alf: Path, camera: str, filmed: Bunch) -> None:
    _write_arrays(alf, f"_ibl_{camera}Camera", {"times": filmed.times})
    video.write_pose(alf / f"_ibl_{camera}Camera.dlc.pqt", filmed.dlc)
    video.write_pose(alf / f"_ibl_{camera}Camera.lightningPose.pqt", filmed.lightning_pose)
    if "features" in filmed:
        video.write_pose(alf / f"_ibl_{camera}Camera.features.pqt", filmed.features)
    _write_arrays(alf, f"{camera}Camera", {"ROIMotionEnergy": filmed.motion_energy})
    _write_arrays(alf, f"{camera}ROIMotionEnergy", {"position": filmed.roi})


def _write_insertion(probe: Path, pid: str, insertion: Bunch) -> None:
    sorting = probe / "pykilosort" / SORTING_REVISION
    sorting.mkdir(parents=True)
    sites, spikes, metrics = insertion.channels, insertion.spikes, insertion.metrics
    place = {
        "localCoordinates": sites[["lateral_um", "axial_um"]].to_numpy(),
        "mlapdv": sites[["ml", "ap", "dv"]].to_numpy(),
        "brainLocationIds_ccf_2017": sites["atlas_id"].to_numpy(),
    }
    _write_arrays(probe, "electrodeSites", place)
    _write_arrays(sorting, "channels", place | {"rawInd": np.arange(len(sites)), "labels": sites["labels"].to_numpy()})

    samples = np.round(spikes["times"].to_numpy() * SAMPLING_RATE).astype(np.int64)
    spikes = spikes.assign(templates=spikes["clusters"], samples=samples)
    _write_arrays(sorting, "spikes", {name: spikes[name].to_numpy() for name in spikes})
    good = metrics.index[metrics["label"] == 1]
    _write_table(
        sorting / "passingSpikes.table.pqt",
        spikes[spikes["clusters"].isin(good)],
        use_dictionary=["clusters", "templates", "depths"],
        column_encoding={"samples": "DELTA_BINARY_PACKED", "times": "BYTE_STREAM_SPLIT", "amps": "BYTE_STREAM_SPLIT"},
    )

    # No unit was merged or split by hand, so templates and clusters are the same.
    shapes = {"waveforms": insertion.waveforms, "waveformsChannels": insertion.waveform_channels}
    amplitude = metrics["amp_median"].to_numpy()
    clusters = {
        "channels": insertion.truth_units["channel"].to_numpy(),
        "depths": insertion.truth_units["depth"].to_numpy().astype(np.float32),
        "amps": amplitude,
        "peakToTrough": insertion.peak_to_trough,
    }
    _write_arrays(sorting, "clusters", clusters | shapes)
    _write_arrays(sorting, "templates", {"amps": amplitude} | shapes)
    uuids = [tables.make_id(f"{pid}/{cluster}", synthetic=True) for cluster in metrics.index]
    pd.DataFrame({"uuids": uuids}).to_csv(sorting / "clusters.uuids.csv", index=False, lineterminator="\n")
    _write_table(sorting / "clusters.metrics.pqt", metrics)

    times, um = insertion.drift
    _write_arrays(sorting, "drift", {"times": times, "um": um[:, None]})
    _write_arrays(sorting, "drift_depths", {"um": np.array([sites["axial_um"].mean()])})


def _write_arrays(folder: Path, name: str, arrays: dict[str, np.ndarray]) -> None:
    for attribute, array in arrays.items():
        np.save(folder / f"{name}.{attribute}.npy", array, allow_pickle=False)


def _write_table(file: Path, table: pd.DataFrame, **encoding: object) -> None:
    table.to_parquet(file, index=False, compression="zstd", **encoding)
