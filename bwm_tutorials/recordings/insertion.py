"""One probe in one session (`Insertion`): its spikes, units and channels as arrays and tables."""

from contextlib import suppress
from functools import cached_property
from uuid import UUID

import numpy as np
import pandas as pd
from iblutil.util import Bunch
from one.api import One

import bwm_tutorials as bwm

from ..analysis.regions import beryl, brain_regions, cosmos
from ..errors import CorruptData, UnknownSession, attribute_meant
from . import one_private
from .datasets import SPIKE_ATTRIBUTES
from .files import or_none, some, to_uuid
from .sources import connect


class Insertion:
    """One probe in one session: its spikes, the clusters they were sorted into, and the channels they came from.

    Parameters
    ----------
    pid : str or UUID
        Probe insertion id.
    one : One, optional
        Where from, as for `Session`.
    session : Session, optional
        The session that it belongs to, if that is open already.

    Raises
    ------
    UnknownSession
        The source has no such insertion; the message lists those that it has.
    """

    def __init__(self, pid: str | UUID, one: One | None = None, *, session: "bwm.Session | None" = None):
        self.one = session.one if session else connect() if one is None else one
        known = to_uuid(pid)
        if session is not None:
            names = {found: name for name, found in session.files.probes.items()}
            eid, name = (session.eid, names[str(known)]) if str(known) in names else (None, None)
        else:
            eid, name = one_private.session_of(self.one, known) if known else (None, None)
        if eid is None:
            pids = one_private.insertions_table(self.one).index.get_level_values("id")
            raise UnknownSession(f"There is no insertion {pid}; this source has {some([*pids])}.")
        self.pid, self.name = str(known), name
        # By the package's own name: the module of `Session` imports this one.
        self.session = session or bwm.Session(eid, self.one)
        self.eid, self.files = self.session.eid, self.session.files
        self.collection = self.files.collection(name)

    __getattr__ = attribute_meant

    def __repr__(self) -> str:
        return f"Insertion({self.session.name} {self.name}, pid {self.pid})"

    @cached_property
    def spikes(self) -> Bunch:
        """All spikes: ``times`` (s, sorted), ``clusters``, ``amps`` (V) and ``depths`` (µm from the tip).

        What an older sorting lacks (``amps``, ``depths``) is left out.
        """
        times, clusters, *_ = paths = [f"{self.collection}/spikes.{attribute}.npy" for attribute in SPIKE_ATTRIBUTES]
        arrays = self.files.load(*paths)
        spikes = {a: array for a, array in zip(SPIKE_ATTRIBUTES, arrays, strict=True) if array is not None}
        trials = self.session.__dict__.get("trials")  # if they are loaded, for they are no reason to fetch them
        end = spikes["times"].max(initial=0)
        if trials is not None and "stimOn_times" in trials and (n := int((trials["stimOn_times"] > end).sum())):
            text = f"The spikes of {self.session.name} {self.name} end at {end:.0f} s"
            self.files.note(times, f"{text}: {n} of {len(trials)} trials begin later, and have none.", "noted")
        return self._of_known_units(clusters, spikes)

    @cached_property
    def good_spikes(self) -> Bunch:
        """The spikes of units that pass every quality criterion (label 1), a third of the memory of all.

        Of an older sorting, which has no file of them, they are taken out of all.
        """
        path = f"{self.collection}/passingSpikes.table.pqt"
        if path in self.files:
            (table,) = self.files.load(path)
            return self._of_known_units(path, {a: table[a].to_numpy() for a in SPIKE_ATTRIBUTES if a in table})
        kept = (self.clusters["label"] == 1).to_numpy()[self.spikes["clusters"]]
        return Bunch({attribute: values[kept] for attribute, values in self.spikes.items()})

    def _of_known_units(self, path: str, spikes: dict[str, np.ndarray]) -> Bunch:
        """Spikes, if their units are among the clusters."""
        if (n := self._n_units) is not None and (most := spikes["clusters"].max(initial=0)) >= n:
            self.files.refuse(path, f"{path} of {self.session.name} has unit {most} where units are 0 to {n - 1}")
        return Bunch(spikes)

    @cached_property
    def _n_units(self) -> int | None:
        """How many clusters there are; None if it is not known on this computer."""
        path = f"{self.collection}/clusters.channels.npy"
        with suppress(CorruptData):
            return len(self.files.load(path)[0]) if self.files.is_here(path) else None

    @cached_property
    def channels(self) -> pd.DataFrame:
        """The probe's channels: one row each, the region and place in the brain of each.

        Columns ``acronym``, ``atlas_id`` (Allen), ``x``, ``y``, ``z`` (m from bregma; x to the right, y to the
        front, z up), ``axial_um`` (from the tip), ``lateral_um``, ``rawInd``, ``labels`` (0 good). Where the
        alignment to histology was redone (``electrodeSites``), it takes the place of the sorter's own, as in
        ``brainbox.io.one``.
        """
        channels = f"{self.collection}/channels"
        parts = ("localCoordinates", "mlapdv", "brainLocationIds_ccf_2017")
        aligned = [[f"{of}.{part}.npy" for part in parts] for of in (f"alf/{self.name}/electrodeSites", channels)]
        # Nobody knows where a probe lies that was not aligned to histology.
        place = next((paths for paths in aligned if all(path in self.files for path in paths)), aligned[1][:1])
        raw, labels, local, *found = self.files.load(f"{channels}.rawInd.npy", f"{channels}.labels.npy", *place)
        where = place[-1]
        mlapdv, atlas_id = found or (np.full((len(local), 3), np.nan), np.zeros(len(local), int))
        table = pd.DataFrame({"lateral_um": local[:, 0], "axial_um": local[:, 1]})
        # The sorter may have left channels out that the alignment has.
        table["rawInd"] = raw if len(raw) == len(table) else np.arange(len(table))
        table[["x", "y", "z"]] = mlapdv / 1e6
        table["atlas_id"] = atlas_id
        known = np.isin(table["atlas_id"], brain_regions().id)
        table["acronym"] = brain_regions().id2acronym(table["atlas_id"].where(known, 0))
        if not found:
            text = f"Where {self.session.name} {self.name} lies in the brain is not known: its units are in no region."
            self.files.note(where, text, "noted")
        if not known.all():
            strange = ", ".join(map(str, np.unique(atlas_id[~known])[:5]))
            text = f"The Allen atlas has no region {strange}, where {self.session.name} {self.name} has"
            self.files.note(where, f"{text} {(~known).sum()} channels: they are taken to be in none (void).", "mended")
        if labels is not None and len(raw) == len(table):
            table["labels"] = labels
        return table.rename_axis("channel")

    @cached_property
    def clusters(self) -> pd.DataFrame:
        """The clusters (putative neurons, "units"): one row each, by cluster id.

        The columns of the release's quality metrics (``label`` is the fraction of three criteria passed: 1 is
        good), ``channels`` (where the unit is largest), ``depths`` (µm from the tip), and from that channel
        ``acronym``, ``atlas_id``, ``x``, ``y``, ``z`` (m). ``beryl`` and ``cosmos`` are that region's names in the
        coarser divisions of the atlas that analyses use; ``uuids`` are ids that no other unit has, None where the
        session lacks them.
        """
        table, channels, depths, ids = self.files.load(
            *(f"{self.collection}/clusters.{a}" for a in ("metrics.pqt", "channels.npy", "depths.npy", "uuids.csv"))
        )
        if "cluster_id" not in table and len(table) == len(channels):
            table["cluster_id"] = np.arange(len(table))
        rated = table.get("cluster_id", pd.Series([-1]))
        if rated.duplicated().any() or not rated.isin(range(len(channels))).all():
            path = f"{self.collection}/clusters.metrics.pqt"
            self.files.refuse(
                path, f"{path} of {self.session.name} does not tell which of {len(channels)} units it rates"
            )
        table = table.set_index("cluster_id", drop=False).reindex(np.arange(len(channels)))  # it may lack units
        table = table.rename_axis("cluster")
        table["channels"] = channels
        table["depths"] = depths
        place = ["acronym", "atlas_id", "x", "y", "z"]
        if strays := table.index[~table["channels"].isin(self.channels.index)].to_list():
            path, some = f"{self.collection}/clusters.channels.npy", ", ".join(map(str, strays[:5]))
            self.files.refuse(path, f"{path} of {self.session.name} has units ({some}) on channels that are not there")
        table[place] = self.channels.loc[table["channels"], place].to_numpy()
        table["beryl"], table["cosmos"] = beryl(table["acronym"]), cosmos(table["acronym"])
        table["uuids"] = None if ids is None else ids
        return table.astype({"x": float, "y": float, "z": float, "atlas_id": int})

    @cached_property
    def waveforms(self) -> Bunch:
        """The mean waveform of each cluster: ``waveforms`` (V; clusters × 82 samples at 30 kHz × 32 channels) and
        ``channels`` (clusters × 32), the numbers of these channels, nearest first.
        """
        shapes, near = self.files.load(
            *(f"{self.collection}/clusters.{name}.npy" for name in ("waveforms", "waveformsChannels"))
        )
        if (n := self._n_units) not in (None, len(shapes)):
            path = f"{self.collection}/clusters.waveforms.npy"
            self.files.refuse(path, f"{path} of {self.session.name} has {len(shapes)} units of {n}")
        return Bunch(waveforms=shapes, channels=near)

    @cached_property
    def drift(self) -> Bunch:
        """How far the brain slipped along the probe: ``times`` (s), and ``um`` (µm; times × depths)."""
        times, um = self.files.load(*(f"{self.collection}/drift.{name}.npy" for name in ("times", "um")))
        return Bunch(times=times, um=um)

    @cached_property
    def saturation(self) -> pd.DataFrame:
        """When the voltage was beyond what the probe can measure: one row each time.

        Columns ``start_sample`` and ``stop_sample`` (of the probe), and ``start`` and ``stop`` (s, on the session's
        clock, which the probe's is not).
        """
        folder = f"raw_ephys_data/{self.name}"
        clock = f"{folder}/_spikeglx_*.timestamps.npy"
        clock = next(iter(self.files.matching(clock)), clock)
        table, clock = self.files.load(f"{folder}/_iblqc_ephysSaturationAP.samples.pqt", clock)
        start, stop = (np.interp(table[name], *clock.T) for name in ("start_sample", "stop_sample"))
        return table.assign(start=start, stop=stop)

    @cached_property
    def truth(self) -> pd.DataFrame:
        """What was put into this probe's units: one row each, by cluster id; see `Session.truth`."""
        units = self.session.truth.units
        return units[units["probe"] == self.name].drop(columns="probe").set_index("cluster_id").rename_axis("cluster")

    def get(self, name: str):
        """Return an attribute of the insertion, or print what is missing and return None, as `Session.get`."""
        return or_none(lambda: getattr(self, name))
