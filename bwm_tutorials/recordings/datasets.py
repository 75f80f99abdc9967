"""The registry: every dataset of the release that is read or written here, and all that is known of it.

What a session is asked for, what loads with what, what a download costs, what an error says, the data dictionary and
the tests of the simulation follow from this one table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

import pandas as pd

CAMERAS = ("left", "right", "body")
TRACKERS = ("lightningPose", "dlc")
SORTINGS = ("alf/{probe}/pykilosort", "alf/{probe}")
"""Collections of a probe's spikes: that of the release, and where an older sorting left them."""
SPIKE_ATTRIBUTES = ("times", "clusters", "amps", "depths")

SESSION, PROBE, BPOD = "session", "probe", "Bpod"  # clocks


@dataclass(frozen=True)
class Dataset:
    """One file of the release.

    Attributes
    ----------
    path : str
        In the session's folder, without revision. ``{camera}`` and ``{probe}`` stand for names, and ``{spikes}``
        for the folder of a probe's spikes (`SORTINGS`); ``*`` for what differs from session to session.
    holds : str
        What it is.
    unit : str or mapping
        Of an array; of each column of a table.
    dtype : tuple of str
        Of the array, or of all columns; the first is that of the release today. Empty where columns differ.
    shape : tuple of str and int
        Names of dimensions: files of one object with the same name have the same length.
    clock : str
        Of its times: the session's, the probe's, Bpod's; empty where there are none.
    holding : tuple of str
        What is true of every whole file: ``'finite'``, ``'sorted'``, ``'rising'`` (strictly), ``'intervals'`` (starts
        before it stops, in order).
    values : mapping
        The values that a column may have; NaN besides.
    revision : str
        The one that matters, if the release has corrected it.
    optional : bool
        True if what it belongs to can be loaded without it.
    """

    path: str
    holds: str
    unit: str | Mapping[str, str]
    dtype: tuple[str, ...]
    shape: tuple[str | int, ...]
    clock: str = ""
    holding: tuple[str, ...] = ()
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    revision: str = ""
    optional: bool = False

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Measurement:
    """What a learner asks for by one name, and the files that it is made of.

    Attributes
    ----------
    name : str
        The attribute of a session or an insertion, and what `download_plan` calls it.
    label : str
        How a table of what a session has calls it, where that is not the name.
    every : str
        When one row is measured: each trial, each edge of the encoder, …
    use : str
        What a learner takes it for.
    lesson : str
        The one that explains it.
    datasets : tuple of Dataset
        The first tells that a session has it.
    """

    name: str
    every: str
    use: str
    lesson: str
    datasets: tuple[Dataset, ...]
    label: str = ""

    @property
    def place(self) -> str:
        """What there is one of it for: a session, a camera, or a probe."""
        first = self.datasets[0].path
        return "probe" if "{spikes}" in first or "{probe}" in first else "camera" if "{camera}" in first else "session"


def _of_trials() -> tuple[Dataset, ...]:
    table = {
        "intervals_0": "s",
        "intervals_1": "s",
        "goCue_times": "s",
        "response_times": "s",
        "choice": "+1 left, −1 right, 0 none",
        "stimOn_times": "s",
        "contrastLeft": "fraction",
        "contrastRight": "fraction",
        "feedback_times": "s",
        "feedbackType": "+1 reward, −1 error",
        "rewardVolume": "µl",
        "probabilityLeft": "probability",
        "firstMovement_times": "s",
    }
    contrasts = (0.0, 0.0625, 0.125, 0.25, 1.0)
    values = {
        "choice": (-1, 0, 1),
        "feedbackType": (-1, 1),
        "probabilityLeft": (0.2, 0.5, 0.8),
        "contrastLeft": contrasts,
        "contrastRight": contrasts,
    }

    def separate(attribute: str, holds: str, clock: str = SESSION, shape: tuple = ("trials",), **more) -> Dataset:
        return Dataset(f"alf/_ibl_trials.{attribute}.npy", holds, "s", ("<f8",), shape, clock, optional=True, **more)

    return (
        Dataset(
            "alf/_ibl_trials.table.pqt",
            "what was shown, chosen and rewarded, and when",
            table,
            ("float64", "int64"),
            ("trials",),
            SESSION,
            values=values,
            revision="2025-03-03",
        ),
        separate("goCueTrigger_times", "when the go tone was commanded"),
        separate("stimOff_times", "when the stimulus disappeared"),
        separate("stimOnTrigger_times", "when the stimulus was commanded"),
        separate("stimOffTrigger_times", "when its end was commanded"),
        separate("quiescencePeriod", "how long the wheel had to rest before the stimulus", "", holding=("finite",)),
        separate("intervals_bpod", "start and stop of the trial", BPOD, ("trials", 2), holding=("intervals",)),
    )


def _of_camera(path: str, holds: str, unit: str | Mapping[str, str], dtype: str, revision: str) -> tuple[Dataset, ...]:
    times = Dataset(
        "alf/_ibl_leftCamera.times.npy" if "left" in path else "alf/_ibl_{camera}Camera.times.npy",
        "when each frame was taken",
        "s",
        ("<f8",),
        ("times of frames",),  # there may be more of them than frames
        SESSION,
        ("finite", "sorted"),
    )
    return (Dataset(path, holds, unit, (dtype,), ("frames",), SESSION, revision=revision), times)


def _pose(tracker: str, name: str, use: str, holds: str, revision: str) -> Measurement:
    path = f"alf/_ibl_{{camera}}Camera.{tracker}.pqt"
    unit = {"*_x": "px", "*_y": "px", "*_likelihood": "0 to 1"}
    datasets = _of_camera(path, holds, unit, "float32", revision)
    return Measurement(name, "each frame", use, "07", datasets, f"pose({{camera!r}}, {tracker!r})")


def _of_channels(folder: str, **more) -> tuple[Dataset, ...]:
    of = {
        "localCoordinates": ("where each channel lies on the probe: across and along it", "µm", ("<f8",), 2),
        "mlapdv": ("where it lies in the brain, from bregma: to the right, to the front, upwards", "µm", ("<f8",), 3),
        "brainLocationIds_ccf_2017": ("its region", "id of the Allen atlas", ("<i8", "<i4"), 0),
    }
    return tuple(
        Dataset(f"{folder}.{name}.npy", holds, unit, dtype, ("channels", *[n] * bool(n)), "", ("finite",), **more)
        for name, (holds, unit, dtype, n) in of.items()
    )


def _of_spikes() -> tuple[Dataset, ...]:
    n = ("spikes",)
    return (
        Dataset(
            "{spikes}/spikes.times.npy", "when each spike was", "s", ("<f8",), n, SESSION, ("finite", "sorted"),
            revision="2024-05-06",
        ),
        Dataset("{spikes}/spikes.clusters.npy", "the unit it was sorted into", "id", ("<u2", "<u4", "<i4", "<i8"), n),
        Dataset("{spikes}/spikes.amps.npy", "its size", "V", ("<f4", "<f8"), n, "", ("finite",), optional=True),
        Dataset("{spikes}/spikes.depths.npy", "where along the probe, from the tip", "µm", ("<f4", "<f8"), n,
                optional=True),
    )  # fmt: skip


METRICS = {
    "cluster_id": "id",
    "amp_max": "V",
    "amp_min": "V",
    "amp_median": "V",
    "amp_std_dB": "dB",
    "contamination": "fraction",
    "contamination_alt": "fraction",
    "drift": "µm/h",
    "missed_spikes_est": "fraction",
    "noise_cutoff": "standard deviations",
    "presence_ratio": "fraction",
    "presence_ratio_std": "spikes",
    "slidingRP_viol": "1 passes, 0 fails",
    "spike_count": "spikes",
    "slidingRP_viol_forced": "1 passes, 0 fails",
    "max_confidence": "%",
    "min_contamination": "%",
    "n_spikes_below2": "pairs",
    "firing_rate": "Hz",
    "label": "fraction of criteria passed",
    "bitwise_fail": "bits of criteria failed",
    "ks2_label": "the sorter's own",
}

REGISTRY: tuple[Measurement, ...] = (
    Measurement("trials", "each trial", "the task and the choices", "03", _of_trials()),
    Measurement(
        "wheel",
        "each edge of the encoder",
        "movements: when they begin, how fast they are",
        "04",
        (
            Dataset(
                "alf/_ibl_wheel.position.npy", "how far the wheel is turned, counter-clockwise positive", "rad",
                ("<f8",), ("edges",), "", ("finite",), revision="2024-05-06",
            ),
            Dataset("alf/_ibl_wheel.timestamps.npy", "when", "s", ("<f8",), ("edges",), SESSION, ("finite", "rising")),
        ),
    ),
    Measurement(
        "wheel_moves",
        "each movement",
        "movements that IBL's own code found",
        "04",
        (
            Dataset("alf/_ibl_wheelMoves.intervals.npy", "start and stop", "s", ("<f8",), ("movements", 2), SESSION,
                    ("finite", "intervals")),
            Dataset("alf/_ibl_wheelMoves.peakAmplitude.npy", "the farthest turn, signed", "rad", ("<f8",),
                    ("movements",), "", ("finite",), revision="2024-05-06"),
        ),
    ),
    Measurement(
        "licks",
        "each frame in which the tongue moves",
        "licks around a reward",
        "07",
        (Dataset("alf/licks.times.npy", "when", "s", ("<f8",), ("licks",), SESSION, ("finite", "sorted"),
                 revision="2025-06"),),
    ),
    Measurement(
        "pupil",
        "each frame",
        "arousal",
        "07",
        _of_camera(
            "alf/_ibl_leftCamera.features.pqt", "diameter of the pupil",
            {"pupilDiameter_raw": "px", "pupilDiameter_smooth": "px"}, "float32", "2025-06",
        ),
    ),
    Measurement(
        "passive",
        "each event after the task",
        "receptive fields, and the task's stimuli without the task",
        "08",
        (
            Dataset(
                "alf/_ibl_passivePeriods.intervalsTable.csv", "start and stop of each part",
                dict.fromkeys(("passiveProtocol", "spontaneousActivity", "RFM", "taskReplay"), "s"), (), ("2 rows",),
                SESSION, revision="2025-Q3",
            ),
            Dataset(
                "alf/_ibl_passiveGabor.table.csv", "stimuli of the replay",
                {"start": "s", "stop": "s", "position": "°", "contrast": "fraction", "phase": "rad"}, (), ("gabors",),
                SESSION, values={"position": (-35, 35)}, revision="2025-12-05", optional=True,
            ),
            Dataset(
                "alf/_ibl_passiveStims.table.csv", "valve, tone and noise of the replay",
                dict.fromkeys(("valveOn", "valveOff", "toneOn", "toneOff", "noiseOn", "noiseOff"), "s"), (),
                ("replayed",), SESSION, optional=True,
            ),
            Dataset("alf/_ibl_passiveRFM.times.npy", "when each receptive-field frame was shown", "s", ("<f8",),
                    ("frames shown",), SESSION, ("finite", "rising"), optional=True),
            Dataset("raw_passive_data/_iblrig_RFMapStim.raw.bin", "the frames: 15 × 15 pixels", "0, 128 or 255",
                    ("uint8",), ("frames shown", 15, 15), optional=True),
        ),
    ),
    _pose("lightningPose", "pose", "paws, nose, tongue and pupil", "tracked points, by Lightning Pose", "2025-Q3"),
    _pose("dlc", "dlc", "the same by the older tracker", "tracked points, by DeepLabCut", ""),
    Measurement(
        "motion_energy",
        "each frame",
        "how much moves, without tracking",
        "07",
        _of_camera(
            "alf/{camera}Camera.ROIMotionEnergy.npy", "mean change of a region's grey levels", "grey levels", "<f8",
            "2025-06",
        ),
        "motion_energy({camera!r})",
    ),
    Measurement("spikes", "each spike", "when which unit fired", "05", _of_spikes(), "insertion {probe}"),
    Measurement(
        "good_spikes",
        "each spike of a good unit",
        "the same in a third of the memory",
        "05",
        (
            Dataset(
                "{spikes}/passingSpikes.table.pqt", "spikes of the units with label 1",
                {"times": "s", "clusters": "id", "amps": "V", "depths": "µm", "templates": "id", "samples": "samples"},
                (), ("good spikes",), SESSION,
            ),
        ),
    ),
    Measurement(
        "clusters",
        "each unit",
        "how well it is isolated, and where it lies",
        "05",
        (
            Dataset("{spikes}/clusters.metrics.pqt", "quality metrics", METRICS, (), ("clusters",),
                    values={"label": (0, 1 / 3, 2 / 3, 1)}, revision="2024-05-06"),
            Dataset("{spikes}/clusters.channels.npy", "the channel where it is largest", "channel",
                    ("<i8", "<i4", "<u2"), ("clusters",), "", ("finite",)),
            Dataset("{spikes}/clusters.depths.npy", "where along the probe, from the tip", "µm", ("<f4", "<f8"),
                    ("clusters",)),
            *_of_channels("alf/{probe}/electrodeSites", optional=True),
            *_of_channels("{spikes}/channels"),
            Dataset("{spikes}/channels.rawInd.npy", "the channel's number in the raw recording", "channel",
                    ("<i8", "<i4"), ("channels",), "", ("finite",)),
            Dataset("{spikes}/channels.labels.npy", "0 good, 1 dead, 2 noisy, 3 outside of the brain", "label",
                    ("<i8", "<f8"), ("channels",), "", ("finite",), optional=True),
        ),
    ),
    Measurement(
        "waveforms",
        "each unit",
        "the shape of its spikes",
        "05",
        (
            Dataset("{spikes}/clusters.waveforms.npy", "mean waveform at 30 kHz on the nearest channels", "V",
                    ("<f4",), ("clusters", 82, 32)),
            Dataset("{spikes}/clusters.waveformsChannels.npy", "these channels, nearest first", "channel",
                    ("<i4", "<i8"), ("clusters", 32)),
        ),
    ),
    Measurement(
        "drift",
        "each second or so",
        "how far the brain slipped along the probe",
        "05",
        (
            Dataset("{spikes}/drift.times.npy", "when", "s", ("<f8",), ("steps",), SESSION, ("finite", "rising")),
            Dataset("{spikes}/drift.um.npy", "how far", "µm", ("<f8",), ("steps", "depths"), "", ("finite",)),
        ),
    ),
    Measurement(
        "saturation",
        "each time the voltage left the probe's range",
        "when not to trust the voltage",
        "05",
        (
            Dataset("raw_ephys_data/{probe}/_iblqc_ephysSaturationAP.samples.pqt", "start and stop",
                    {"start_sample": "samples", "stop_sample": "samples"}, ("int64",), ("saturated",), PROBE,
                    ("intervals",)),
            Dataset("raw_ephys_data/{probe}/_spikeglx_*.timestamps.npy", "the probe's clock against the session's",
                    "samples and s", ("<f8",), ("points", 2), SESSION, ("finite",)),
        ),
    ),
)  # fmt: skip

BY_NAME: dict[str, Measurement] = {measurement.name: measurement for measurement in REGISTRY}


def _labels() -> dict[str, str]:
    """Return what a session may have, but for its probes: what it is called in a table, and the file that tells."""
    found = {}
    for _, alike in groupby(
        (each for each in REGISTRY if each.place != "probe"), lambda each: (each.label or each.name).partition("(")[0]
    ):
        alike = list(alike)
        for camera in CAMERAS:
            found |= {
                (each.label or each.name).format(camera=camera): each.datasets[0].path.format(camera=camera)
                for each in alike
            }
    return found


LABELS = _labels()
"""What a session may have, but for its probes: as a table calls it, and the file that tells that it is there."""


def paths(name: str, **place: str) -> Iterator[str]:
    """Yield the path of each file of a measurement; ``*`` may be in it.

    Parameters
    ----------
    name : str
        Of the measurement.
    **place : str
        What stands for ``{camera}``, or for ``{probe}`` and ``{spikes}``.
    """
    for dataset in BY_NAME[name].datasets:
        yield dataset.path.format(**place)


def dictionary() -> pd.DataFrame:
    """Return the data dictionary: one row a file.

    Returns
    -------
    DataFrame
        By ``measurement``: ``file``, ``holds``, ``unit`` (of each column of a table), ``sampled`` (when), ``clock``,
        ``revision`` (the one that matters), ``use`` and ``lesson``.
    """
    rows = [
        {
            "measurement": measurement.name,
            "file": dataset.path,
            "holds": dataset.holds,
            "unit": dataset.unit
            if isinstance(dataset.unit, str)
            else ", ".join(f"{column} ({unit})" for column, unit in dataset.unit.items()),
            "sampled": measurement.every,
            "clock": dataset.clock,
            "revision": dataset.revision,
            "use": measurement.use,
            "lesson": measurement.lesson,
        }
        for measurement in REGISTRY
        for dataset in measurement.datasets
    ]
    return pd.DataFrame(rows).set_index("measurement")
