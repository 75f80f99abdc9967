"""From a simulated session to files: the folders, names, revisions, dtypes and units of the release."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from iblutil.util import Bunch

from .. import tables

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


def write_session(root: Path, record: tables.SessionRecord, recording: Bunch, seed: int) -> None:
    """Write one session's files below ``root``, and what was put in to ``truth/`` beside it.

    Parameters
    ----------
    root : Path
        The ONE cache folder.
    record : tables.SessionRecord
        Names the session's folder and its probe.
    recording : Bunch
        As `simulate.session` gives it.
    seed : int
        Stated in ``SYNTHETIC.txt``.
    """
    folder = root / record.path
    (probe,) = record.insertions
    alf = folder / "alf"
    sorting = alf / probe / "pykilosort" / SORTING_REVISION
    for directory in (alf / TRIALS_REVISION, sorting):
        directory.mkdir(parents=True)
    (folder / "SYNTHETIC.txt").write_text(SYNTHETIC_TXT.format(seed=seed), encoding="utf-8")

    _write_trials(alf, recording.trials)
    _write_arrays(alf, "_ibl_wheel", recording.wheel)
    _write_arrays(alf, "_ibl_wheelMoves", recording.wheelMoves)
    _write_arrays(alf, "licks", {"times": recording.licks})
    _write_arrays(alf, "_ibl_leftCamera", {"times": recording.camera_times})
    _write_table(alf / "_ibl_leftCamera.dlc.pqt", recording.dlc)
    description = [{"label": probe, "model": "3B2", "serial": 0, "raw_file_name": ""}]
    (alf / "probes.description.json").write_text(json.dumps(description), encoding="utf-8")
    _write_probe(alf / probe, sorting, recording)

    truth = root.parent / "truth" / record.eid
    truth.mkdir(parents=True)
    _write_table(truth / "trials.pqt", recording.truth_trials)
    _write_table(truth / "units.pqt", recording.truth_units)


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


def _write_probe(probe: Path, sorting: Path, recording: Bunch) -> None:
    sites, spikes, units = recording.channels, recording.spikes, recording.truth_units
    place = {
        "localCoordinates": sites[["lateral_um", "axial_um"]].to_numpy(),
        "mlapdv": sites[["ml", "ap", "dv"]].to_numpy(),
        "brainLocationIds_ccf_2017": sites["atlas_id"].to_numpy(),
    }
    _write_arrays(probe, "electrodeSites", place)
    _write_arrays(sorting, "channels", place | {"rawInd": np.arange(len(sites)), "labels": sites["labels"].to_numpy()})
    samples = np.round(spikes["times"].to_numpy() * 30_000).astype(np.int64)
    _write_arrays(
        sorting,
        "spikes",
        {name: spikes[name].to_numpy() for name in spikes}
        | {"samples": samples, "templates": spikes["clusters"].to_numpy()},
    )
    _write_arrays(
        sorting,
        "clusters",
        {
            "channels": units["channel"].to_numpy(),
            "depths": units["depth"].to_numpy().astype(np.float32),
            "amps": recording.metrics["amp_median"].to_numpy().astype(float),
            "peakToTrough": np.full(len(units), np.nan),
        },
    )
    _write_table(sorting / "clusters.metrics.pqt", recording.metrics)
    good = recording.metrics.index[recording.metrics["label"] == 1]
    passing = spikes["clusters"].isin(good)
    _write_table(sorting / "passingSpikes.table.pqt", spikes[passing].assign(samples=samples[passing]))


def _write_arrays(folder: Path, name: str, arrays: dict[str, np.ndarray]) -> None:
    for attribute, array in arrays.items():
        np.save(folder / f"{name}.{attribute}.npy", array, allow_pickle=False)


def _write_table(file: Path, table: pd.DataFrame) -> None:
    table.to_parquet(file, index=False, compression="zstd")
