"""What a session of the release looked like before its corrections: the files that are still there beside the new."""

from pathlib import Path

import numpy as np
from iblutil.util import Bunch

from ..analysis.quality import quality_metrics
from . import video
from .write import write_sorting

WHEEL_REVISION = "#2024-05-06#"
CAMERA_REVISION = "#2023-04-20#"


def add_superseded(alf: Path) -> None:
    """Add older files of the behaviour to a session that has been written; the newer ones become revisions.

    The wheel's position and the amplitudes of its movements had their sign flipped (2025-Q1 patch of 62 sessions). The
    times of the left camera (2024-02 corrections) began with those of frames that were never stored: who counts from
    the first is a quarter of a second early. What every session has is not added here: the older trials table, and the
    one with the passive gabors off by one.
    """
    for name in ("_ibl_wheel.position.npy", "_ibl_wheelMoves.peakAmplitude.npy"):
        right = _move_to_revision(alf / name, WHEEL_REVISION)
        np.save(alf / name, -np.load(right), allow_pickle=False)
    name = "_ibl_leftCamera.times.npy"
    right = _move_to_revision(alf / name, CAMERA_REVISION)
    np.save(alf / name, video.with_unrecorded_start(np.load(right), 15), allow_pickle=False)


def add_older_sorting(probe: Path, insertion: Bunch, seed: int) -> None:
    """Add a sorting without revision to a probe: two thirds of the units, with nine in ten of their spikes (2022).

    The sorting of 2024 is a revision in every session.
    """
    rng = np.random.default_rng([seed, 200])
    n = len(insertion.metrics)
    found = np.sort(rng.choice(n, round(0.66 * n), replace=False))
    spikes = insertion.spikes[insertion.spikes["clusters"].isin(found) & (rng.random(len(insertion.spikes)) < 0.9)]
    spikes = spikes.reset_index(drop=True)
    number = np.zeros(n, np.uint32)
    number[found] = np.arange(found.size)
    spikes["clusters"] = spikes["templates"] = number[spikes["clusters"]]
    metrics = quality_metrics(spikes, found.size)
    metrics["ks2_label"] = insertion.metrics["ks2_label"].to_numpy()[found]
    older = {"spikes": spikes, "metrics": metrics, "truth_units": insertion.truth_units.iloc[found]}
    older["peak_to_trough"] = insertion.peak_to_trough[found]
    write_sorting(probe / "pykilosort", Bunch(insertion, **older))


def _move_to_revision(file: Path, revision: str) -> Path:
    target = file.parent / revision / file.name
    target.parent.mkdir(exist_ok=True)
    return file.rename(target)
