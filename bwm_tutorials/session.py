"""One experiment (`Session`) and one probe in it (`Insertion`): the release's files as arrays and tables.

Nothing is read before it is asked for, and what was read once is kept.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pandas as pd
from iblutil.util import Bunch
from one.alf.io import load_file_content
from one.converters import session_record2path

from . import tables
from .errors import CorruptData, DataError, MissingDataset, UnknownSession, cause
from .offline import REMEDY, OfflineOne
from .pose import frame_times
from .sources import connect

if TYPE_CHECKING:
    from iblatlas.regions import BrainRegions

# What a session may have: the name it goes by here, and the file that tells it is there.
CAMERAS = ("left", "right", "body")
TRACKERS = ("lightningPose", "dlc")
DATASETS = {
    "trials": "alf/_ibl_trials.table.pqt",
    "wheel": "alf/_ibl_wheel.position.npy",
    "wheel_moves": "alf/_ibl_wheelMoves.intervals.npy",
    "licks": "alf/licks.times.npy",
    "pupil": "alf/_ibl_leftCamera.features.pqt",
    "passive": "alf/_ibl_passivePeriods.intervalsTable.csv",
    **{f"pose({c!r}, {t!r})": f"alf/_ibl_{c}Camera.{t}.pqt" for c in CAMERAS for t in TRACKERS},
    **{f"motion_energy({c!r})": f"alf/{c}Camera.ROIMotionEnergy.npy" for c in CAMERAS},
}
NOT_REGIONS = ("root", "void")  # the whole brain, which is where Beryl puts fibre tracts too, and what is not brain
SPIKE_ATTRIBUTES = ("times", "clusters", "amps", "depths")


class Session:
    """One experiment: a mouse, a day, and what was recorded.

    Parameters
    ----------
    eid : str or UUID, optional
        Experiment id. Without it the source's main session is opened, or the one with most datasets.
    one : OfflineOne, optional
        Where from; default ``connect()``.

    Raises
    ------
    UnknownSession
        The source has no such session; the message lists those that it has.
    """

    def __init__(self, eid: str | UUID | None = None, one: OfflineOne | None = None):
        self.one = one or connect()
        self.eid = _find_eid(eid, self.one)
        self.details = self.one.get_details(self.eid)

    def __repr__(self) -> str:
        return f"Session({self.name}, {'synthetic' if self.synthetic else 'real'}, eid {self.eid})"

    @property
    def name(self) -> str:
        """Subject and date, for example ``NYU-11 2020-02-21``."""
        return f"{self.details['subject']} {self.details['date']}"

    @property
    def label(self) -> str:
        """The name with its origin, for the legend of a figure: ``NYU-11 2020-02-21 (REAL)``."""
        return f"{self.name} ({'synthetic' if self.synthetic else 'REAL'})"

    @property
    def synthetic(self) -> bool:
        """True for what a program made, False for what a rig recorded."""
        return self.details["lab"].startswith(tables.SYNTHETIC_LAB)

    @cached_property
    def seed(self) -> int | None:
        """The seed a synthetic session was made with; None for a real one."""
        return tables.metadata(Path(self.one.cache_dir)).get("seeds", {}).get(self.eid)

    @cached_property
    def datasets(self) -> pd.DataFrame:
        """The session's dataset table: one row a file, the revisions loaded by default only."""
        found = self.one.list_datasets(self.eid, details=True, keep_eid_index=True).reset_index()
        found = found[found["exists"].astype(bool)]
        # Tables written by hand may lack the column; then ONE takes the newest revision, and so does this.
        if "default_revision" in found:
            found = found[found["default_revision"].astype(bool)]
        found = found.assign(
            path=found["rel_path"].map(tables.without_revision),
            revision=found["rel_path"].str.extract("#(.+)#", expand=False).fillna(""),
            session_path=session_record2path(self.details).as_posix(),
        )
        found = found.sort_values(["path", "revision"])
        return found.drop_duplicates("path", keep="last").set_index("path")

    @cached_property
    def available(self) -> pd.DataFrame:
        """What the session has and lacks.

        Returns
        -------
        DataFrame
            One row for each thing a session may have, named as the attribute that loads it. Columns
            ``present`` (bool), ``revision`` (str, empty if there is none) and ``MB`` (of its main file).
        """
        wanted = dict(DATASETS)
        for probe in self.probes:
            wanted[f"insertion {probe}"] = f"{_spike_collection(self, probe)}/spikes.times.npy"
        present = self.datasets.reindex(wanted.values())
        return pd.DataFrame(
            {
                "present": present["file_size"].notna().to_numpy(),
                "revision": present["revision"].fillna("").to_numpy(),
                "MB": (present["file_size"].astype("Float64") / 1e6).round(2).to_numpy(),
            },
            index=pd.Index(wanted, name="session has"),
        )

    def get(self, name: str | Callable[["Session"], Any], *args: Any, **kwargs: Any):
        """An attribute of the session, or None and one printed sentence if the session lacks it.

        Parameters
        ----------
        name : str or callable
            ``'wheel'``, ``'wheel_moves'``, ``'licks'``, ``'pupil'``, ``'passive'``, ``'insertions'``, ``'trials'``; or
            ``'pose'``, ``'motion_energy'`` or ``'good_units'``, which take what follows: ``get('pose', 'left')``. Or a
            function of a session: what it gives, unless the session lacks something that it needs.
        """

        def load() -> Any:
            found = name(self) if callable(name) else getattr(self, name)
            if args or kwargs:
                found = found(*args, **kwargs)
            if name == "insertions" and not found:
                raise self._missing("insertions")
            return found

        return _or_none(load)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The trials: one row a trial, the columns of the release.

        Times are seconds on the session's clock. ``choice`` is +1 for a left report (wheel turned clockwise,
        position falls), −1 for right, 0 for none. Contrasts are fractions; the side without stimulus is NaN.
        The table comes with the attributes that are stored as separate files, as IBL's
        ``SessionLoader.load_trials`` gives it; a separate file of another length than the table (left over from
        another revision) is left out, with a warning.
        """
        separate = self.datasets.index[self.datasets.index.str.match(r"alf/_ibl_trials\.\w+\.npy")]
        trials, *arrays = self._load_all("trials", [DATASETS["trials"], *separate])
        for path, values in zip(separate, arrays, strict=True):
            attribute = path.split(".")[1]
            if attribute in trials or f"{attribute}_0" in trials:
                continue  # the table is newer than files that repeat it
            if len(values) != len(trials):
                warnings.warn(
                    f"trials.{attribute} of {self.name} has {len(values)} rows and the table {len(trials)}: left out.",
                    stacklevel=2,
                )
            elif values.ndim == 2:
                trials[[f"{attribute}_0", f"{attribute}_1"]] = values
            else:
                trials[attribute] = values
        return trials

    @cached_property
    def wheel(self) -> Bunch:
        """The wheel: ``timestamps`` (s) and ``position`` (rad), one sample for each edge of the encoder.

        Position rises when the wheel turns counter-clockwise, the answer to a stimulus on the right (choice −1),
        and falls when it turns clockwise (choice +1). A wheel at rest gives no samples.
        """
        return self._load_object("wheel", DATASETS["wheel"], ["timestamps", "position"])

    @cached_property
    def wheel_moves(self) -> Bunch:
        """Detected movements: ``intervals`` (n, 2) in s, and ``peakAmplitude`` (n,) in rad, signed."""
        return self._load_object("wheel_moves", DATASETS["wheel_moves"], ["intervals", "peakAmplitude"])

    @cached_property
    def licks(self) -> np.ndarray:
        """Times (s) of the video frames in which the tongue moves: several for each lick."""
        return self._load("licks", DATASETS["licks"])

    @cached_property
    def pupil(self) -> pd.DataFrame:
        """Pupil diameter in the left video: ``times`` (s), ``pupilDiameter_raw`` and ``_smooth`` (px)."""
        features = self._load("pupil", DATASETS["pupil"])
        features.insert(0, "times", self._camera_times("left", len(features)))
        return features

    @cached_property
    def passive(self) -> Bunch:
        """The passive protocol: ``intervals``, ``gabor`` and ``stims`` as tables, ``rf_times`` (s), ``rf_frames``.

        ``intervals`` has rows start and stop and one column for each part (s). What an older recording lacks is
        None. ``rf_frames`` is (n, 15, 15) uint8, one grey level for each pixel of the receptive-field stimulus.
        """
        raw = "raw_passive_data/_iblrig_RFMapStim.raw.bin"
        frames = None
        if raw in self.datasets.index:
            (file,) = self._files("passive", [raw])
            with self._reading(raw):
                frames = np.fromfile(file, np.uint8).reshape(-1, 15, 15)
        names = [DATASETS["passive"], "alf/_ibl_passiveGabor.table.csv", "alf/_ibl_passiveStims.table.csv"]
        loaded = [self._load("passive", names[0]), *map(self._optional, names[1:])]
        tables = []
        for name, table in zip(names, loaded, strict=True):
            with self._reading(name):
                # The first column, which has no name in the file, is the table's index.
                tables.append(None if table is None else table.set_index("Unnamed: 0").rename_axis(None))
        intervals, gabor, stims = tables
        return Bunch(
            intervals=intervals,
            gabor=gabor,
            stims=stims,
            rf_times=self._optional("alf/_ibl_passiveRFM.times.npy"),
            rf_frames=frames,
        )

    def pose(
        self, camera: str, tracker: str = "lightningPose", keypoints: str | list[str] | None = None
    ) -> pd.DataFrame:
        """Tracked points of a video, as they are stored: nothing is filtered by likelihood.

        Parameters
        ----------
        camera : {'left', 'right', 'body'}
        tracker : {'lightningPose', 'dlc'}
        keypoints : str or list of str, optional
            For example ``['paw_r', 'nose_tip']``; only their columns are read. Default all.

        Returns
        -------
        DataFrame
            ``times`` (s, float64), then ``<keypoint>_x`` and ``_y`` (px of that camera), ``_likelihood``, and the
            other columns of the tracker (float32).
        """
        name = f"pose({camera!r}, {tracker!r})"
        if name not in DATASETS:
            raise DataError(f"No pose {camera!r}, {tracker!r}: cameras are {CAMERAS}, trackers are {TRACKERS}.")
        import pyarrow.parquet

        (file,) = self._files(name, [DATASETS[name]])
        with self._reading(DATASETS[name]):
            columns = [c for c in pyarrow.parquet.read_schema(file).names if not c.startswith("__")]
            if keypoints is not None:
                keypoints = [keypoints] if isinstance(keypoints, str) else keypoints
                names = sorted({c.removesuffix("_likelihood") for c in columns if c.endswith("_likelihood")})
                if unknown := sorted(set(keypoints) - set(names)):
                    raise DataError(f"{name} of {self.name} has no keypoint {unknown}; it has {', '.join(names)}.")
                columns = [c for c in columns if c.startswith(tuple(f"{k}_" for k in keypoints))]
            pose = pd.read_parquet(file, columns=columns).astype(np.float32, copy=False)
        pose.insert(0, "times", self._camera_times(camera, len(pose)))
        return pose

    def motion_energy(self, camera: str) -> pd.DataFrame:
        """Motion energy of a video's region of interest: ``times`` (s) and ``energy`` (mean grey-level change)."""
        name = f"motion_energy({camera!r})"
        if name not in DATASETS:
            raise DataError(f"No camera {camera!r}: cameras are {CAMERAS}.")
        energy = self._load(name, DATASETS[name])
        return pd.DataFrame({"times": self._camera_times(camera, len(energy)), "energy": energy})

    @cached_property
    def probes(self) -> list[str]:
        """The names of the session's probes, ``probe00``, …, in order."""
        _, names = self.one.eid2pid(self.eid)
        return sorted(names or [])

    @cached_property
    def insertions(self) -> list["Insertion"]:
        """The session's probe insertions that have spikes, in order of the probes' names."""
        pids, names = self.one.eid2pid(self.eid)
        pairs = sorted(zip(names or [], pids or [], strict=True))
        return [Insertion(pid, self.one) for name, pid in pairs if self.available.loc[f"insertion {name}", "present"]]

    def good_units(self, region: str = "all", probe: str | None = None) -> pd.DataFrame:
        """The units that pass every quality criterion (label 1) and lie in a region.

        Parameters
        ----------
        region : str
            An acronym at any level of the Allen atlas, those of Beryl included; ``'all'`` takes every region, but not
            ``root`` and ``void``, which are none.
        probe : str, optional
            The name of an insertion; default all of the session.

        Returns
        -------
        DataFrame
            Rows of `Insertion.clusters`, by probe and cluster id.

        Raises
        ------
        MissingDataset
            No unit is left; the message lists the regions (of Beryl) that have good units, and how many.
        """
        tables = {each.name: each.clusters for each in self.insertions if probe in (None, each.name)}
        if not tables:
            raise self._missing("insertions" if probe is None else f"insertion {probe}")
        units = pd.concat(tables, names=["probe"])
        good = units[units["label"] == 1]
        found = good[_inside(good["acronym"], region)]
        if found.empty:
            names = pd.Series(brain_regions().acronym2acronym(good["acronym"].to_numpy(str), mapping="Beryl"))
            has = [f"{name} ({n})" for name, n in names.value_counts().items() if name not in NOT_REGIONS]
            where = "any region" if region == "all" else f"the region {region!r}"
            if region != "all" and region not in brain_regions().acronym:
                where += " (no acronym of the Allen atlas)"
            raise MissingDataset(f"{self.name} has no good units in {where}; it has {', '.join(has) or 'none at all'}.")
        return found

    @cached_property
    def truth(self) -> Bunch:
        """What was put into a synthetic session: tables ``trials`` and ``units``, kept beside the recordings.

        data/README.md describes their columns. `Insertion.truth` has the units of one probe.

        Raises
        ------
        MissingDataset
            On a real recording: nobody knows.
        """
        if not self.synthetic:
            raise MissingDataset(
                f"{self.name} is a real recording: what is true of it is unknown; only a synthetic session has .truth."
            )
        folder = Path(self.one.cache_dir).parent / "truth" / self.eid
        if not folder.is_dir():
            raise MissingDataset(f"{folder} is not there: the sample was moved without its truth; copy both folders.")
        with self._reading(str(folder)):
            return Bunch({file.stem: pd.read_parquet(file) for file in sorted(folder.glob("*.pqt"))})

    @cached_property
    def null(self) -> "Session":
        """The twin of the sample's main session: the same task and mouse, and neurons that know nothing of them.

        Raises
        ------
        MissingDataset
            The session has no such twin.
        """
        twin = tables.metadata(Path(self.one.cache_dir)).get("null", {}).get(self.eid)
        if twin is None:
            raise MissingDataset(f"{self.name} has no null twin; the main session of connect('sample') has one.")
        return Session(twin, self.one)

    def _load(self, name: str, path: str):
        """The default revision of one file, by its path without revision, or MissingDataset."""
        (loaded,) = self._load_all(name, [path])
        return loaded

    def _load_all(self, name: str | None, paths: list[str]) -> list:
        return [self._read(path, file) for path, file in zip(paths, self._files(name, paths), strict=True)]

    def _files(self, name: str | None, paths: list[str]) -> list[Path]:
        """Where the files are, all of them there and whole; ``name`` is what they are called if the first is not."""
        for path in paths:
            if path not in self.datasets.index:
                raise self._missing(name if name and not self.available["present"].get(name) else path)
        # Not load_dataset, which would search for what is known already: that takes longer than reading the file.
        with self._reading(name or paths[0]):
            return self.one._check_filesystem(self.datasets.loc[paths].set_index(["eid", "id"]))

    def _read(self, path: str, file: Path):
        with self._reading(path):
            content = load_file_content(file)
            if content is None:  # an empty file, or json that is none
                raise ValueError("there is nothing in it")
        return content

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        """Say which file it is that cannot be read."""
        try:
            yield
        except (ValueError, KeyError, OSError) as error:
            raise CorruptData(f"{path} of {self.name} cannot be read ({cause(error)}): {REMEDY}.") from error

    def _optional(self, path: str):
        return self._load(path, path) if path in self.datasets.index else None

    def _load_object(self, name: str, path: str, attributes: list[str]) -> Bunch:
        stem, _, extension = path.rpartition("/")[2].rpartition(".")
        stem, folder = stem.rpartition(".")[0], path.rpartition("/")[0]
        arrays = self._load_all(name, [f"{folder}/{stem}.{a}.{extension}" for a in attributes])
        return Bunch(zip(attributes, arrays, strict=True))

    def _camera_times(self, camera: str, n_frames: int) -> np.ndarray:
        times = self._load(f"times of the {camera} camera", f"alf/_ibl_{camera}Camera.times.npy")
        try:
            return frame_times(times, n_frames)
        except ValueError as error:
            raise CorruptData(
                f"The {camera} camera of {self.name} has {len(times)} times for {n_frames} frames, so no frame's time "
                "is known; use another camera or revision."
            ) from error

    def _missing(self, name: str) -> MissingDataset:
        has = [label for label, present in self.available["present"].items() if present]
        return MissingDataset(f"{self.name} has no {name}; it has {', '.join(has) or 'no datasets at all'}.")


class Insertion:
    """One probe in one session: its spikes, the clusters they were sorted into, and the channels they came from.

    Parameters
    ----------
    pid : str or UUID
        Probe insertion id.
    one : OfflineOne, optional
        Where from; default ``connect()``.
    """

    def __init__(self, pid: str | UUID, one: OfflineOne | None = None):
        self.one = one or connect()
        eid, name = self.one.pid2eid(_uuid(pid)) if _uuid(pid) else (None, None)
        if eid is None:
            known = self.one.search_insertions()
            raise UnknownSession(f"There is no insertion {pid}; this source has {_some(known)}.")
        self.pid, self.name = str(_uuid(pid)), name
        self.session = Session(eid, self.one)
        self.eid = self.session.eid
        self._collection = _spike_collection(self.session, name)

    def __repr__(self) -> str:
        return f"Insertion({self.session.name} {self.name}, pid {self.pid})"

    @cached_property
    def spikes(self) -> Bunch:
        """All spikes: ``times`` (s, sorted), ``clusters``, ``amps`` (V) and ``depths`` (µm from the tip).

        What an older sorting lacks (``amps``, ``depths``) is left out.
        """
        attributes = [a for a in SPIKE_ATTRIBUTES if a == "times" or self._has(f"{self._collection}/spikes.{a}.npy")]
        arrays = self._load(*(f"{self._collection}/spikes.{a}.npy" for a in attributes))
        return Bunch(zip(attributes, arrays, strict=True))

    @cached_property
    def good_spikes(self) -> Bunch:
        """The spikes of units that pass every quality criterion (label 1), a third of the memory of all."""
        (table,) = self._load(f"{self._collection}/passingSpikes.table.pqt")
        return Bunch({a: table[a].to_numpy() for a in SPIKE_ATTRIBUTES})

    @cached_property
    def channels(self) -> pd.DataFrame:
        """The probe's channels: one row each, the region and place in the brain of each.

        Columns ``acronym``, ``atlas_id`` (Allen), ``x``, ``y``, ``z`` (m from bregma; x to the right, y to the
        front, z up), ``axial_um`` (from the tip), ``lateral_um``, ``rawInd``, ``labels`` (0 good). Where the
        alignment to histology was redone (``electrodeSites``), it takes the place of the sorter's own, as in
        ``brainbox.io.one``.
        """
        channels = f"{self._collection}/channels"
        sites = f"alf/{self.name}/electrodeSites"
        sites = sites if self._has(f"{sites}.mlapdv.npy") else channels
        local, mlapdv, atlas_id, raw, *labels = self._load(
            *(f"{sites}.{a}.npy" for a in ("localCoordinates", "mlapdv", "brainLocationIds_ccf_2017")),
            f"{channels}.rawInd.npy",
            *([f"{channels}.labels.npy"] if self._has(f"{channels}.labels.npy") else []),
        )
        table = pd.DataFrame({"lateral_um": local[:, 0], "axial_um": local[:, 1]})
        # The sorter may have left channels out that the alignment has.
        table["rawInd"] = raw if len(raw) == len(table) else np.arange(len(table))
        table[["x", "y", "z"]] = mlapdv / 1e6
        table["atlas_id"] = atlas_id
        table["acronym"] = brain_regions().id2acronym(atlas_id)
        if labels and len(raw) == len(table):
            (table["labels"],) = labels
        return table.rename_axis("channel")

    @cached_property
    def clusters(self) -> pd.DataFrame:
        """The clusters (putative neurons, "units"): one row each, by cluster id.

        The columns of the release's quality metrics (``label`` is the fraction of three criteria passed: 1 is
        good), ``channels`` (where the unit is largest), ``depths`` (µm from the tip), and from that channel
        ``acronym``, ``atlas_id``, ``x``, ``y``, ``z`` (m).
        """
        table, channels, depths = self._load(
            *(f"{self._collection}/clusters.{name}" for name in ("metrics.pqt", "channels.npy", "depths.npy"))
        )
        if "cluster_id" in table:  # an older table may lack units
            table = table.set_index("cluster_id", drop=False).reindex(np.arange(len(channels)))
        table = table.rename_axis("cluster")
        table["channels"] = channels
        table["depths"] = depths
        place = ["acronym", "atlas_id", "x", "y", "z"]
        table[place] = self.channels.loc[table["channels"], place].to_numpy()
        return table.astype({"x": float, "y": float, "z": float, "atlas_id": int})

    @cached_property
    def waveforms(self) -> Bunch:
        """The mean waveform of each cluster: ``waveforms`` (V; clusters × 82 samples at 30 kHz × 32 channels) and
        ``channels`` (clusters × 32), the numbers of these channels, nearest first.
        """
        shapes, near = self._load(
            *(f"{self._collection}/clusters.{name}.npy" for name in ("waveforms", "waveformsChannels"))
        )
        return Bunch(waveforms=shapes, channels=near)

    @cached_property
    def drift(self) -> Bunch:
        """How far the brain slipped along the probe: ``times`` (s), and ``um`` (µm; times × depths)."""
        times, um = self._load(*(f"{self._collection}/drift.{name}.npy" for name in ("times", "um")))
        return Bunch(times=times, um=um)

    @cached_property
    def saturation(self) -> pd.DataFrame:
        """When the voltage was beyond what the probe can measure: one row each time.

        Columns ``start_sample`` and ``stop_sample`` (of the probe), and ``start`` and ``stop`` (s, on the session's
        clock, which the probe's is not).
        """
        folder = f"raw_ephys_data/{self.name}"
        found = self.session.datasets.index.str.fullmatch(rf"{folder}/_spikeglx.+\.timestamps\.npy")
        clock = [*self.session.datasets.index[found], f"{folder}/_spikeglx_*.timestamps.npy"][0]
        table, clock = self._load(f"{folder}/_iblqc_ephysSaturationAP.samples.pqt", clock)
        start, stop = (np.interp(table[name], *clock.T) for name in ("start_sample", "stop_sample"))
        return table.assign(start=start, stop=stop)

    @cached_property
    def truth(self) -> pd.DataFrame:
        """What was put into this probe's units: one row each, by cluster id; see `Session.truth`."""
        units = self.session.truth.units
        return units[units["probe"] == self.name].drop(columns="probe").set_index("cluster_id").rename_axis("cluster")

    def get(self, name: str):
        """An attribute of the insertion, or None and one printed sentence if it lacks it, as `Session.get`."""
        return _or_none(lambda: getattr(self, name))

    def _has(self, path: str) -> bool:
        return path in self.session.datasets.index

    def _load(self, *paths: str) -> list:
        return self.session._load_all(None, list(paths))


def _or_none(load: Callable[[], Any]) -> Any:
    """What is loaded, or None and one printed sentence that says what is missing."""
    try:
        return load()
    except MissingDataset as missing:
        print(missing)
        return None


def _find_eid(eid: str | UUID | None, one: OfflineOne) -> str:
    known = one.search()
    if eid is None:
        main = tables.metadata(Path(one.cache_dir)).get("main")
        counts = one._cache["datasets"].groupby(level=0)["exists"].sum().reindex(known, fill_value=0)
        return main if main in map(str, known) else str(counts.idxmax())
    if _uuid(eid) not in known:
        raise UnknownSession(f"There is no session {eid}; this source has {_some(known)}.")
    return str(_uuid(eid))


def _spike_collection(session: Session, probe: str) -> str:
    """The folder of a probe's spikes: that of pykilosort as in the release, else the probe's own (older sorting)."""
    pykilosort = f"alf/{probe}/pykilosort"
    found = session.datasets.index.str.startswith(f"{pykilosort}/").any()
    return pykilosort if found else f"alf/{probe}"


@cache
def brain_regions() -> "BrainRegions":
    from iblatlas.regions import BrainRegions

    return BrainRegions()


def _inside(acronym: pd.Series, region: str) -> pd.Series:
    """Which acronyms are of a region or of a part of it, at any level of the atlas; of none that it does not have."""
    if region == "all":
        return ~acronym.isin(NOT_REGIONS)
    atlas = brain_regions()
    return acronym.isin(atlas.descendants(atlas.acronym2id(region))["acronym"] if region in atlas.acronym else [])


def _some(ids: list[UUID], most: int = 5) -> str:
    more = f" and {len(ids) - most} more (one.search and one.search_insertions list them)" if len(ids) > most else ""
    return (", ".join(map(str, ids[:most])) or "none") + more


def _uuid(text: str | UUID) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
