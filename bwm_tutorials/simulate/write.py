"""From a simulated session to files: the folders, names, revisions, dtypes and units of the release."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from iblutil.util import Bunch

from ..analysis.quality import SAMPLING_RATE
from ..recordings import one_tables
from . import passive, tables, video

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
    """Write a session's files below ``root``, without cameras and probes, and what was put in to ``truth/`` beside it.

    Parameters
    ----------
    root : Path
        The ONE cache folder.
    record : tables.SessionRecord
        Names the session's folder.
    recording : Bunch
        As `recording.behave` gives it.
    seed : int
        Stated in ``SYNTHETIC.txt``.
    """
    folder = root / record.path
    alf = folder / "alf"
    (alf / TRIALS_REVISION).mkdir(parents=True)
    (folder / "SYNTHETIC.txt").write_text(SYNTHETIC_TXT.format(seed=seed), encoding="utf-8")
    _write_trials(alf, recording.trials)
    write_arrays(alf, "_ibl_wheel", recording.wheel)
    write_arrays(alf, "_ibl_wheelMoves", recording.wheelMoves)
    if recording.passive:
        passive.write(folder, recording.passive)
    truth = _truth(root, record)
    truth.mkdir(parents=True)
    _write_table(truth / "trials.pqt", recording.truth_trials)
    _write_table(truth / "licks.pqt", pd.DataFrame({"times": recording.scene.licks}))
    if recording.passive and recording.passive.events is not None:
        _write_table(truth / "passive.pqt", recording.passive.events)


def write_cameras(root: Path, record: tables.SessionRecord, body: Bunch, films: Iterable[tuple[str, Bunch]]) -> None:
    """Write what was found in a session's videos, one after the other, and the true body.

    Parameters
    ----------
    root : Path
        The ONE cache folder.
    record : tables.SessionRecord
        Names the session's folder.
    body : Bunch
        As `recording.pose` gives it.
    films : iterable of (str, Bunch)
        Each camera's name, and what `recording.film` gives. An iterator that films when asked needs least memory.
    """
    alf, licks = root / record.path / "alf", []
    for camera, filmed in films:
        _write_camera(alf, camera, filmed)
        if "licks" in filmed:
            licks.append(filmed.licks)
    if licks:
        write_arrays(alf, "licks", {"times": np.sort(np.concatenate(licks))})
    video.write_pose(_truth(root, record) / "video.pqt", video.truth(body))


def write_insertions(root: Path, record: tables.SessionRecord, insertions: Iterable[tuple[str, Bunch]]) -> None:
    """Write what was recorded by a session's probes, one after the other, and what was put into their units.

    The session's behaviour was written before.

    Parameters
    ----------
    root : Path
        The ONE cache folder.
    record : tables.SessionRecord
        Names the session's folder and its probes.
    insertions : iterable of (str, Bunch)
        Each probe's name, and what `recording.insert` gives.
    """
    folder, units = root / record.path, {}
    description = [
        {"label": name, "model": record.model, "serial": number, "raw_file_name": ""}
        for number, name in enumerate(record.insertions)
    ]
    (folder / "alf" / "probes.description.json").write_text(json.dumps(description), encoding="utf-8")
    for name, insertion in insertions:
        _write_insertion(folder / "alf" / name, record.insertions[name], insertion)
        _write_raw(folder / "raw_ephys_data" / name, insertion)
        units[name] = insertion.truth_units.rename_axis("cluster_id")
    _write_table(_truth(root, record) / "units.pqt", pd.concat(units, names=["probe"]).reset_index())


def superseded(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials table as it was before its revision.

    The go cue's sound was not wired for the first trials, and in some trials the stimulus was taken to appear one
    frame late.
    """
    old = trials[TABLE_COLUMNS].copy()
    old.loc[old.index[:40], "goCue_times"] = np.nan
    old.loc[old.index[5::60], "stimOn_times"] += 1 / 60
    return old


def _truth(root: Path, record: tables.SessionRecord) -> Path:
    return root.parent / "truth" / record.eid


def _write_trials(alf: Path, trials: pd.DataFrame) -> None:
    trials = trials.reset_index(drop=True)
    _write_table(alf / "_ibl_trials.table.pqt", superseded(trials))
    _write_table(alf / TRIALS_REVISION / "_ibl_trials.table.pqt", trials[TABLE_COLUMNS])
    separate = {name: trials[name].to_numpy() for name in trials.columns.difference(TABLE_COLUMNS)}
    # The behaviour computer has a clock of its own, which starts later.
    separate["intervals_bpod"] = trials[["intervals_0", "intervals_1"]].to_numpy() - 24.6
    write_arrays(alf, "_ibl_trials", separate)


def _write_camera(alf: Path, camera: str, filmed: Bunch) -> None:
    write_arrays(alf, f"_ibl_{camera}Camera", {"times": filmed.times})
    video.write_pose(alf / f"_ibl_{camera}Camera.dlc.pqt", filmed.dlc)
    video.write_pose(alf / f"_ibl_{camera}Camera.lightningPose.pqt", filmed.lightning_pose)
    if "features" in filmed:
        video.write_pose(alf / f"_ibl_{camera}Camera.features.pqt", filmed.features)
    write_arrays(alf, f"{camera}Camera", {"ROIMotionEnergy": filmed.motion_energy})
    write_arrays(alf, f"{camera}ROIMotionEnergy", {"position": filmed.roi})


def _write_insertion(probe: Path, pid: str, insertion: Bunch) -> None:
    sorting, metrics = probe / "pykilosort" / SORTING_REVISION, insertion.metrics
    sorting.mkdir(parents=True)
    write_arrays(probe, "electrodeSites", _place(insertion.channels))
    write_sorting(sorting, insertion)
    write_arrays(sorting, "channels", {"labels": insertion.channels["labels"].to_numpy()})
    good = metrics.index[metrics["label"] == 1]
    _write_table(
        sorting / "passingSpikes.table.pqt",
        insertion.spikes[insertion.spikes["clusters"].isin(good)],
        use_dictionary=["clusters", "templates", "depths"],
        column_encoding={"samples": "DELTA_BINARY_PACKED", "times": "BYTE_STREAM_SPLIT", "amps": "BYTE_STREAM_SPLIT"},
    )
    # No unit was merged or split by hand, so templates and clusters are the same.
    shapes = {"waveforms": insertion.waveforms, "waveformsChannels": insertion.waveform_channels}
    write_arrays(sorting, "clusters", shapes)
    write_arrays(sorting, "templates", {"amps": metrics["amp_median"].to_numpy()} | shapes)
    if insertion.snippets:
        arrays = {name: insertion.snippets[name] for name in ("traces", "templates")}
        write_arrays(sorting, "waveforms", arrays)
        np.savez(sorting / "waveforms.channels.npz", channels=insertion.snippets.channels)
        _write_table(sorting / "waveforms.table.pqt", insertion.snippets.table)
    uuids = [one_tables.make_id(f"{pid}/{cluster}", synthetic=True) for cluster in metrics.index]
    pd.DataFrame({"uuids": uuids}).to_csv(sorting / "clusters.uuids.csv", index=False, lineterminator="\n")
    times, um = insertion.drift
    write_arrays(sorting, "drift", {"times": times, "um": um[:, None]})
    write_arrays(sorting, "drift_depths", {"um": np.array([insertion.channels["axial_um"].mean()])})


def write_sorting(folder: Path, insertion: Bunch) -> None:
    """What every sorting has, the older ones too: spikes, clusters with their metrics, channels."""
    sites, units = insertion.channels, insertion.truth_units
    write_arrays(folder, "channels", _place(sites) | {"rawInd": np.arange(len(sites))})
    write_arrays(folder, "spikes", {name: insertion.spikes[name].to_numpy() for name in insertion.spikes})
    clusters = {
        "channels": units["channel"].to_numpy(),
        "depths": units["depth"].to_numpy().astype(np.float32),
        "amps": insertion.metrics["amp_median"].to_numpy(),
        "peakToTrough": insertion.peak_to_trough,
    }
    write_arrays(folder, "clusters", clusters)
    _write_table(folder / "clusters.metrics.pqt", insertion.metrics)


def _write_raw(folder: Path, insertion: Bunch) -> None:
    """The probe's clock against the session's, and where its voltage was saturated; no voltage."""
    folder.mkdir(parents=True)
    clock = insertion.clock
    np.save(folder / "_spikeglx_ephysData_g0_t0.imec0.timestamps.npy", clock, allow_pickle=False)
    seconds = np.c_[clock[:, 0] / SAMPLING_RATE, clock[:, 1]]
    np.save(folder / "_spikeglx_ephysData_g0_t0.imec0.sync.npy", seconds, allow_pickle=False)
    _write_table(folder / "_iblqc_ephysSaturationAP.samples.pqt", insertion.saturation)


def _place(sites: pd.DataFrame) -> dict[str, np.ndarray]:
    return {
        "localCoordinates": sites[["lateral_um", "axial_um"]].to_numpy(),
        "mlapdv": sites[["ml", "ap", "dv"]].to_numpy(),
        "brainLocationIds_ccf_2017": sites["atlas_id"].to_numpy(),
    }


def write_arrays(folder: Path, name: str, arrays: dict[str, np.ndarray]) -> None:
    """Write an ALF object's attributes, one file each."""
    for attribute, array in arrays.items():
        np.save(folder / f"{name}.{attribute}.npy", array, allow_pickle=False)


def _write_table(file: Path, table: pd.DataFrame, **encoding: object) -> None:
    table.to_parquet(file, index=False, compression="zstd", **encoding)
