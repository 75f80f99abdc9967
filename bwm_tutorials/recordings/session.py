"""One experiment (`Session`): the release's files as arrays and tables.

Nothing is read before it is asked for, and what was read once is kept.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
from iblutil.util import Bunch
from one.api import One

from ..analysis.pose import frame_times
from ..analysis.regions import NOT_REGIONS, brain_regions, inside
from ..errors import CorruptData, DataError, MissingDataset, UnknownSession, attribute_meant
from . import one_private, one_tables
from .datasets import CAMERAS, LABELS, REGISTRY, TRACKERS
from .files import SessionFiles, or_none, some, to_uuid
from .insertion import Insertion
from .sources import connect
from .trials import trials_of


class Session:
    """One experiment: a mouse, a day, and what was recorded.

    Parameters
    ----------
    eid : str or UUID, optional
        Experiment id. Without it the source's main session is opened, or the one with most datasets.
    one : One, optional
        Where from: what `connect` gives (the default is ``connect()``), or a ONE instance of your own, local or on a
        database. Files are verified before they are read in either case.

    Raises
    ------
    UnknownSession
        The source has no such session; the message lists those that it has.
    """

    def __init__(self, eid: str | UUID | None = None, one: One | None = None):
        self.one = connect() if one is None else one
        self.eid = _find_eid(eid, self.one)
        self.details = self.one.get_details(self.eid)
        self.files = SessionFiles(self.one, self.eid, self.details, self.name)

    def __repr__(self) -> str:
        return f"Session({self.name}, {'synthetic' if self.synthetic else 'real'}, eid {self.eid})"

    __getattr__ = attribute_meant

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
        return self.details["lab"].startswith(one_tables.SYNTHETIC_LAB)

    @cached_property
    def seed(self) -> int | None:
        """The seed a synthetic session was made with; None for a real one, and where the source does not tell."""
        return one_tables.metadata(Path(self.one.cache_dir)).get("seeds", {}).get(self.eid)

    @property
    def datasets(self) -> pd.DataFrame:
        """The session's dataset table: one row a file, the revisions loaded by default only."""
        return self.files.table

    @property
    def available(self) -> pd.DataFrame:
        """What the session has and lacks.

        Returns
        -------
        DataFrame
            One row for each thing a session may have, named as the attribute that loads it. Columns
            ``present`` (bool), ``revision`` (str, empty if there is none) and ``MB`` (of its main file).
        """
        return self.files.available

    def has(self, name: str, *of: str) -> bool:
        """Tell whether the session has a measurement.

        Parameters
        ----------
        name : str
            ``'trials'``, ``'wheel'``, ``'pose'``, ``'spikes'``, …, as `datasets.REGISTRY` names them.
        *of : str
            The camera (and tracker), or the probe: ``has('pose', 'left')``, ``has('pose', 'left', 'dlc')``,
            ``has('spikes', 'probe00')``. Default any.

        Raises
        ------
        DataError
            No session has such a thing; the message lists what there is.
        """
        return self.files.has(name, *of)

    @property
    def problems(self) -> pd.DataFrame:
        """What is wrong with the session's files: those on this computer are read for it, none is fetched.

        Returns
        -------
        DataFrame
            One row a file, by its path: the ``problem``, a sentence; and what was done ``then``: ``refused``, ``left
            out``, ``mended``, or ``noted``.
        """
        whole = Session(self.eid, self.one)
        whole.files.aloud = False
        for name, place in ((each.name, place) for each in REGISTRY for place in whole.files.places(each.name)):
            with suppress(DataError):
                if whole.files.are_here(name, **place):
                    whole.load(name, **place)
        return pd.DataFrame.from_dict(whole.files.found, "index", columns=["problem", "then"]).rename_axis("file")

    def load(self, name: str, camera: str = "", probe: str = "", **place: str) -> Any:
        """Return a measurement by the name and place that the registry has of it."""
        if probe:
            return getattr(Insertion(self.files.probes[probe], session=self), name)
        if name in ("pose", "dlc"):
            return self.pose(camera, {"pose": "lightningPose"}.get(name, name))
        return getattr(self, name)(camera) if camera else getattr(self, name)

    def get(self, name: str | Callable[["Session"], Any], *args: Any, **kwargs: Any):
        """Return an attribute of the session, or print what is missing and return None.

        Parameters
        ----------
        name : str or callable
            ``'wheel'``, ``'wheel_moves'``, ``'licks'``, ``'pupil'``, ``'passive'``, ``'insertions'``, ``'trials'``; or
            ``'pose'``, ``'motion_energy'`` or ``'good_units'``, which take what follows: ``get('pose', 'left')``. Or a
            function of a session: what it gives, unless the session lacks something that it needs.
        """

        def load() -> Any:
            found = name(self) if callable(name) else getattr(self, name)
            return found(*args, **kwargs) if args or kwargs else found

        return or_none(load)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The trials: one row a trial, the columns of the release.

        Times are seconds on the session's clock. ``choice`` is +1 for a left report (wheel turned clockwise,
        position falls), −1 for right, 0 for none. Contrasts are fractions; the side without stimulus is NaN.
        The table comes with the attributes that are stored as separate files, as IBL's
        ``SessionLoader.load_trials`` gives it; a separate file of another length than the table (left over from
        another revision) is left out, and an older recording may have separate files alone. A contrast of 0 beside
        another one is taken for the side without a stimulus.
        """
        return trials_of(self.files)

    @cached_property
    def wheel(self) -> Bunch:
        """The wheel: ``timestamps`` (s) and ``position`` (rad), one sample for each edge of the encoder.

        Position rises when the wheel turns counter-clockwise, the answer to a stimulus on the right (choice −1),
        and falls when it turns clockwise (choice +1). A wheel at rest gives no samples.
        """
        return self._object("wheel", "alf/_ibl_wheel", ["timestamps", "position"])

    @cached_property
    def wheel_moves(self) -> Bunch:
        """Detected movements: ``intervals`` (n, 2) in s, and ``peakAmplitude`` (n,) in rad, signed."""
        return self._object("wheel_moves", "alf/_ibl_wheelMoves", ["intervals", "peakAmplitude"])

    @cached_property
    def licks(self) -> np.ndarray:
        """Times (s) of the video frames in which the tongue moves: several for each lick."""
        return self._load("licks")

    @cached_property
    def pupil(self) -> pd.DataFrame:
        """Pupil diameter in the left video: ``times`` (s), ``pupilDiameter_raw`` and ``_smooth`` (px)."""
        features = self._load("pupil")
        features.insert(0, "times", self._camera_times("left", len(features)))
        return features

    @cached_property
    def passive(self) -> Bunch:
        """The passive protocol: ``intervals``, ``gabor`` and ``stims`` as tables, ``rf_times`` (s), ``rf_frames``.

        ``intervals`` has rows start and stop and one column for each part (s). What an older recording lacks is
        None. ``rf_frames`` is (n, 15, 15) uint8, one grey level for each pixel of the receptive-field stimulus.
        """
        names = [f"alf/_ibl_passive{name}" for name in ("Gabor.table.csv", "Stims.table.csv", "RFM.times.npy")]
        intervals, gabor, stims, times = self.files.load(LABELS["passive"], *names, called="passive")
        raw = "raw_passive_data/_iblrig_RFMapStim.raw.bin"
        (frames,) = self.files.load(raw, reader=lambda file: np.fromfile(file, np.uint8).reshape(-1, 15, 15))
        if frames is not None and times is not None and len(frames) != len(times):
            text = f"The receptive-field stimulus of {self.name} has {len(frames)} frames and {len(times)} times"
            self.files.note(raw, f"{text}: which frame was shown when is not known.", "left out")
            frames = times = None
        # The first column, which has no name in the file, is the table's index.
        tables = {"intervals": intervals, "gabor": gabor, "stims": stims}
        named = {k: t if t is None else t.set_index("Unnamed: 0").rename_axis(None) for k, t in tables.items()}
        return Bunch(**named, rf_times=times, rf_frames=frames)

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
        if name not in LABELS:
            raise DataError(f"No pose {camera!r}, {tracker!r}: cameras are {CAMERAS}, trackers are {TRACKERS}.")
        import pyarrow.parquet

        def chosen(file: Path) -> pd.DataFrame:
            columns = [c for c in pyarrow.parquet.read_schema(file).names if not c.startswith("__")]
            if keypoints is not None:
                wanted = [keypoints] if isinstance(keypoints, str) else keypoints
                names = sorted({c.removesuffix("_likelihood") for c in columns if c.endswith("_likelihood")})
                if unknown := sorted(set(wanted) - set(names)):
                    raise DataError(f"{name} of {self.name} has no keypoint {unknown}; it has {', '.join(names)}.")
                columns = [c for c in columns if c.startswith(tuple(f"{k}_" for k in wanted))]
            return pd.read_parquet(file, columns=columns).astype(np.float32, copy=False)

        (pose,) = self.files.load(LABELS[name], called=name, reader=chosen)
        pose.insert(0, "times", self._camera_times(camera, len(pose)))
        return pose

    def motion_energy(self, camera: str) -> pd.DataFrame:
        """Motion energy of a video's region of interest: ``times`` (s) and ``energy`` (mean grey-level change)."""
        name = f"motion_energy({camera!r})"
        if name not in LABELS:
            raise DataError(f"No camera {camera!r}: cameras are {CAMERAS}.")
        energy = self._load(name)
        return pd.DataFrame({"times": self._camera_times(camera, len(energy)), "energy": energy})

    @property
    def probes(self) -> list[str]:
        """The names of the session's probes, ``probe00``, …, in order."""
        return [*self.files.probes]

    @cached_property
    def insertions(self) -> list[Insertion]:
        """The session's probe insertions that have spikes, in order of the probes' names.

        Raises
        ------
        MissingDataset
            There is none.
        """
        if not self.has("spikes"):
            raise self.files.missing("insertions")
        return [Insertion(self.files.probes[name], session=self) for name in self.probes if self.has("spikes", name)]

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
            raise self.files.missing("insertions" if probe is None else f"insertion {probe}")
        units = pd.concat(tables, names=["probe"])
        good = units[units["label"] == 1]
        found = good[inside(good["acronym"], region)]
        if found.empty:
            has = [f"{name} ({n})" for name, n in good["beryl"].value_counts().items() if name not in NOT_REGIONS]
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
            On a real recording: nobody knows. On a synthetic one that came without its truth, as from a server.
        """
        if not self.synthetic:
            raise MissingDataset(
                f"{self.name} is a real recording: what is true of it is unknown; only a synthetic session has .truth."
            )
        folder = Path(self.one.cache_dir).parent / "truth" / self.eid
        if not folder.is_dir():
            raise MissingDataset(
                f"{self.name} is synthetic, but what was put into it is not known here, for {folder} is not there: no "
                "server has it, and of a sample that was moved both folders must be copied."
            )
        with self.files.reading(str(folder)):
            return Bunch({file.stem: pd.read_parquet(file) for file in sorted(folder.glob("*.pqt"))})

    @cached_property
    def null(self) -> "Session":
        """The twin of the sample's main session: the same task and mouse, and neurons that know nothing of them.

        Raises
        ------
        MissingDataset
            The session has no such twin.
        """
        twin = one_tables.metadata(Path(self.one.cache_dir)).get("null", {}).get(self.eid)
        if twin is None:
            raise MissingDataset(f"{self.name} has no null twin; the main session of connect('sample') has one.")
        return Session(twin, self.one)

    def _load(self, name: str):
        """The file that tells that the session has something of this name, or MissingDataset."""
        (loaded,) = self.files.load(LABELS[name], called=name)
        return loaded

    def _object(self, name: str, stem: str, attributes: list[str]) -> Bunch:
        arrays = self.files.load(*(f"{stem}.{attribute}.npy" for attribute in attributes), called=name)
        return Bunch(zip(attributes, arrays, strict=True))

    def _camera_times(self, camera: str, n_frames: int) -> np.ndarray:
        times = self.files.load(f"alf/_ibl_{camera}Camera.times.npy", called=f"times of the {camera} camera")[0]
        the_camera = f"The {camera} camera of {self.name} has {len(times)} times for {n_frames} frames"
        try:
            of_frames = frame_times(times, n_frames)
        except ValueError as error:
            text = f"{the_camera}, so no frame's time is known; use another camera or revision."
            raise CorruptData(text) from error
        if len(times) > n_frames:
            path = f"alf/_ibl_{camera}Camera.times.npy"
            self.files.note(path, f"{the_camera}: the first are left out, for the video starts late.", "mended")
        return of_frames


def _find_eid(eid: str | UUID | None, one: One) -> str:
    if eid is None:
        if one.mode == "remote":
            raise UnknownSession("Name a session by its eid: this ONE instance asks a database, which has many.")
        known = one.search()
        if (main := one_tables.metadata(Path(one.cache_dir)).get("main")) in map(str, known):
            return main
        counts = one_private.datasets_table(one).groupby(level=0)["exists"].sum().reindex(known, fill_value=0)
        return str(counts.idxmax())
    asked = to_uuid(eid)
    if asked is None or not one_private.has_session(one, asked):
        raise UnknownSession(f"There is no session {eid}; this source has {some(one.search())}.")
    return str(asked)
