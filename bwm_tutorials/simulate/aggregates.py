"""The aggregates of a synthetic release: all its units, and all its trials, each as one table.

Their columns are those of the release's own (``aggregates/2024_Q2_IBL_et_al_BWM`` on the bucket), which do not name
the probes either.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..analysis.regions import brain_regions
from ..analysis.trials import bwm_mask
from ..recordings import one_tables
from .tables import SessionRecord
from .write import SORTING_REVISION, TRIALS_REVISION


def write(root: Path, records: Iterable[SessionRecord], created: str, seed: int) -> None:
    """Write ``aggregates/clusters.pqt`` and ``trials.pqt`` of the sessions below ``root``, and what they are.

    Parameters
    ----------
    root : Path
        The ONE cache folder; each session's files are already in place.
    records : iterable of SessionRecord
    created : str
        The date that the tables bear, given rather than read from the clock.
    seed : int
        That the sessions were made with.
    """
    records, folder = list(records), root / "aggregates"
    folder.mkdir()
    units = [units_of(root, record, name) for record in records for name in record.insertions]
    for name, tables in (("clusters", units), ("trials", [trials_of(root, record) for record in records])):
        file = folder / f"{name}.pqt"
        pd.concat(tables, ignore_index=True).to_parquet(file, index=False, compression="zstd")
        one_tables.write_note(file, source=f"the simulation, seed {seed}", revision="synthetic", date=created)


def units_of(root: Path, record: SessionRecord, name: str) -> pd.DataFrame:
    """The units of one probe: ids, where each lies in the brain, and its quality metrics."""
    probe = root / record.path / "alf" / name
    sorting = probe / "pykilosort" / SORTING_REVISION
    channels, depths = (np.load(sorting / f"clusters.{attribute}.npy") for attribute in ("channels", "depths"))
    atlas_id, mlapdv, local = (
        np.load(probe / f"electrodeSites.{attribute}.npy")[channels]
        for attribute in ("brainLocationIds_ccf_2017", "mlapdv", "localCoordinates")
    )
    x, y, z = mlapdv.T / 1e6
    place = {"x": x, "y": y, "z": z, "acronym": brain_regions().id2acronym(atlas_id), "atlas_id": atlas_id}
    ids = {"eid": record.eid, "pid": record.insertions[name]}
    ids["uuids"] = pd.read_csv(sorting / "clusters.uuids.csv")["uuids"].to_numpy()
    on_probe = {"channels": channels, "depths": depths, "lateral_um": local[:, 0], "axial_um": local[:, 1]}
    return pd.read_parquet(sorting / "clusters.metrics.pqt").assign(**ids, **on_probe, **place)


def trials_of(root: Path, record: SessionRecord) -> pd.DataFrame:
    """The trials of one session, with its ``eid``, and whether the Brain Wide Map's analyses keep each."""
    trials = pd.read_parquet(root / record.path / "alf" / TRIALS_REVISION / "_ibl_trials.table.pqt")
    return trials.assign(eid=record.eid, bwm_include=bwm_mask(trials))
