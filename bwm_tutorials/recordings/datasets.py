"""The registry: every dataset of the release that is read here, and all that is known of it.

What a session is asked for, what loads with what, what a download costs, what an error says, the data dictionary and
the tests of the simulation follow from this one table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from itertools import groupby

import pandas as pd

CAMERAS = ("left", "right", "body")
TRACKERS = ("lightningPose", "dlc")
SORTINGS = ("alf/{probe}/pykilosort", "alf/{probe}/iblsorter", "alf/{probe}")
"""Collections of a probe's spikes: that of the release, and where newer and older sortings leave them."""
OLDER = {"alf/_ibl_trials.table.pqt": "alf/_ibl_trials.choice.npy"}
"""What tells that an older recording has something that it keeps in other files than the release."""
SPIKE_ATTRIBUTES = ("times", "clusters", "amps", "depths")


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
    dtype : str
        Of an array or of every column: that of the release today, then those of older files. Empty where columns
        differ.
    shape : str
        Dimensions: a length, or a name. Files of one object whose dimensions have the same name are equally long.
    holding : str
        What is true of every whole file: ``finite``, ``sorted``, ``rising`` (strictly), ``intervals`` (each starts
        before it stops, in order).
    clock : str
        That its times are on: the session's, the probe's, or Bpod's; empty where there are none.
    values : mapping
        The values that a column may have; NaN besides.
    revision : str
        The one that matters, if the release has corrected the file.
    optional : bool
        True if what it belongs to can be loaded without it.
    """

    path: str
    holds: str
    unit: str | Mapping[str, str]
    dtype: str
    shape: str
    holding: str = ""
    clock: str = ""
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    revision: str = ""
    optional: bool = False


class Measurement:
    """What a learner asks for by one name (the attribute that gives it), and the files that it is made of.

    When one row is ``sampled``, what it is of ``use`` for, and the ``lesson`` that explains it; the first of the
    ``datasets`` tells that a session has it, and ``label`` is what a table of what a session has calls it.
    """

    def __init__(self, name: str, sampled: str, use: str, lesson: str, *datasets: Dataset, label: str = ""):
        self.name, self.sampled, self.use, self.lesson, self.datasets = name, sampled, use, lesson, datasets
        self.label = label or name
        first = datasets[0].path  # what there is one of it for:
        self.place = "camera" if "{camera}" in first else "session" if "{" not in first else "probe"


D, M = Dataset, Measurement
SESSION = {"clock": "session"}

TRIALS = {
    "intervals_0": "s", "intervals_1": "s", "goCue_times": "s", "response_times": "s",
    "choice": "+1 left, −1 right, 0 none", "stimOn_times": "s", "contrastLeft": "fraction", "contrastRight": "fraction",
    "feedback_times": "s", "feedbackType": "+1 reward, −1 error", "rewardVolume": "µl",
    "probabilityLeft": "probability", "firstMovement_times": "s",
}  # fmt: skip
CONTRASTS = (0.0, 0.0625, 0.125, 0.25, 1.0)
VOCABULARY = {
    "choice": (-1, 0, 1), "feedbackType": (-1, 1), "probabilityLeft": (0.2, 0.5, 0.8),
    "contrastLeft": CONTRASTS, "contrastRight": CONTRASTS,
}  # fmt: skip
METRICS = {
    "cluster_id": "id", "amp_max": "V", "amp_min": "V", "amp_median": "V", "amp_std_dB": "dB",
    "contamination": "fraction", "contamination_alt": "fraction", "drift": "µm/h", "missed_spikes_est": "fraction",
    "noise_cutoff": "standard deviations", "presence_ratio": "fraction", "presence_ratio_std": "spikes",
    "slidingRP_viol": "1 passes, 0 fails", "spike_count": "spikes", "slidingRP_viol_forced": "1 passes, 0 fails",
    "max_confidence": "%", "min_contamination": "%", "n_spikes_below2": "pairs", "firing_rate": "Hz",
    "label": "fraction of criteria passed", "bitwise_fail": "bits of criteria failed", "ks2_label": "the sorter's own",
}  # fmt: skip
NO_NUMBERS = ("id", METRICS["ks2_label"])
"""Units of columns that may hold words."""
POINTS = {"*_x": "px", "*_y": "px", "*_likelihood": "0 to 1"}


def _of_trials(attribute: str, holds: str, shape: str = "trials", holding: str = "", **more) -> Dataset:
    return D(f"alf/_ibl_trials.{attribute}.npy", holds, "s", "<f8", shape, holding, optional=True, **more)


def _of_camera(camera: str) -> Dataset:
    path = f"alf/_ibl_{camera}Camera.times.npy"  # there may be more of them than frames
    return D(path, "when each frame was taken", "s", "<f8", "times", "finite sorted", **SESSION)


def _of_channels(folder: str, n: str, **more) -> Iterator[Dataset]:
    for attribute, holds, unit, dtype, shape in (
        ("localCoordinates", "where each channel lies on the probe: across and along it", "µm", "<f8", f"{n} 2"),
        ("mlapdv", "where in the brain, from bregma: to the right, to the front, upwards", "µm", "<f8", f"{n} 3"),
        ("brainLocationIds_ccf_2017", "its region", "id of the Allen atlas", "<i8 <i4", n),
    ):
        yield D(f"{folder}.{attribute}.npy", holds, unit, dtype, shape, "finite", **more)


# One line or two a file, so that the table can be read as one.
# fmt: off
REGISTRY: tuple[Measurement, ...] = (
    M("trials", "each trial", "the task and the choices", "03",
      D("alf/_ibl_trials.table.pqt", "what was shown, chosen and rewarded, and when", TRIALS, "float64 int64", "trials",
        **SESSION, values=VOCABULARY, revision="2025-03-03"),
      _of_trials("goCueTrigger_times", "when the go tone was commanded", **SESSION),
      _of_trials("stimOff_times", "when the stimulus disappeared", **SESSION),
      _of_trials("stimOnTrigger_times", "when the stimulus was commanded", **SESSION),
      _of_trials("stimOffTrigger_times", "when its end was commanded", **SESSION),
      _of_trials("quiescencePeriod", "how long the wheel had to rest before the stimulus", holding="finite"),
      _of_trials("intervals_bpod", "start and stop of the trial", "trials 2", "intervals", clock="Bpod")),
    M("wheel", "each edge of the encoder", "movements: when they begin, how fast they are", "04",
      D("alf/_ibl_wheel.position.npy", "how far the wheel is turned, counter-clockwise positive", "rad", "<f8", "edges",
        "finite", revision="2024-05-06"),
      D("alf/_ibl_wheel.timestamps.npy", "when", "s", "<f8", "edges", "finite sorted", **SESSION)),
    M("wheel_moves", "each movement", "movements as IBL's own code found them", "04",
      D("alf/_ibl_wheelMoves.intervals.npy", "start and stop", "s", "<f8", "movements 2", "finite intervals",
        **SESSION),
      D("alf/_ibl_wheelMoves.peakAmplitude.npy", "the farthest turn, signed", "rad", "<f8", "movements", "finite",
        revision="2024-05-06")),
    M("licks", "each frame in which the tongue moves", "licks around a reward", "07",
      D("alf/licks.times.npy", "when", "s", "<f8", "licks", "finite sorted", **SESSION, revision="2025-06")),
    M("pupil", "each frame", "arousal", "07",
      D("alf/_ibl_leftCamera.features.pqt", "diameter of the pupil",
        {"pupilDiameter_raw": "px", "pupilDiameter_smooth": "px"}, "float32 float64", "frames", revision="2025-06"),
      _of_camera("left")),
    M("passive", "each event after the task", "receptive fields, and the task's stimuli without the task", "08",
      D("alf/_ibl_passivePeriods.intervalsTable.csv", "start and stop of each part",
        dict.fromkeys(("passiveProtocol", "spontaneousActivity", "RFM", "taskReplay"), "s"), "", "2", **SESSION),
      D("alf/_ibl_passiveGabor.table.csv", "stimuli of the replay",
        {"start": "s", "stop": "s", "position": "°", "contrast": "fraction", "phase": "rad"}, "", "gabors", **SESSION,
        values={"position": (-35, 35), "contrast": CONTRASTS}, revision="2025-12-05", optional=True),
      D("alf/_ibl_passiveStims.table.csv", "valve, tone and noise of the replay",
        dict.fromkeys(("valveOn", "valveOff", "toneOn", "toneOff", "noiseOn", "noiseOff"), "s"), "", "replayed",
        **SESSION, optional=True),
      D("alf/_ibl_passiveRFM.times.npy", "when each frame of the receptive-field stimulus was shown", "s", "<f8",
        "shown", "finite rising", **SESSION, optional=True),
      D("raw_passive_data/_iblrig_RFMapStim.raw.bin", "these frames, of 15 × 15 pixels", "0, 128 or 255", "uint8",
        "shown 15 15", optional=True)),
    M("pose", "each frame", "paws, nose, tongue and pupil", "07",
      D("alf/_ibl_{camera}Camera.lightningPose.pqt", "tracked points, by Lightning Pose", POINTS, "float32 float64",
        "frames"),
      _of_camera("{camera}"), label="pose({camera!r}, 'lightningPose')"),
    M("dlc", "each frame", "the same by the older tracker", "07",
      D("alf/_ibl_{camera}Camera.dlc.pqt", "tracked points, by DeepLabCut", POINTS, "float32 float64", "frames"),
      _of_camera("{camera}"), label="pose({camera!r}, 'dlc')"),
    M("motion_energy", "each frame", "how much moves, without tracking", "07",
      D("alf/{camera}Camera.ROIMotionEnergy.npy", "mean change of a region's grey levels", "grey levels", "<f8",
        "frames", "finite", revision="2025-06"),
      _of_camera("{camera}"), label="motion_energy({camera!r})"),
    M("spikes", "each spike", "when which unit fired", "05",
      D("{spikes}/spikes.times.npy", "when", "s", "<f8", "spikes", "finite sorted", **SESSION, revision="2024-05-06"),
      D("{spikes}/spikes.clusters.npy", "the unit it was sorted into", "id", "<u2 <u4 <i4 <i8", "spikes"),
      D("{spikes}/spikes.amps.npy", "its size", "V", "<f4 <f8", "spikes", "finite", optional=True),
      D("{spikes}/spikes.depths.npy", "where along the probe, from the tip", "µm", "<f4 <f8", "spikes", optional=True)),
    M("good_spikes", "each spike of a good unit", "the same in a third of the memory", "05",
      D("{spikes}/passingSpikes.table.pqt", "spikes of the units with label 1",
        {"times": "s", "clusters": "id", "amps": "V", "depths": "µm", "templates": "id", "samples": "samples"}, "",
        "good", **SESSION)),
    M("clusters", "each unit", "how well it is isolated, and where it lies", "05",
      D("{spikes}/clusters.metrics.pqt", "quality metrics", METRICS, "", "rated", revision="2024-05-06",
        values={"label": (0, 1 / 3, 2 / 3, 1)}),
      D("{spikes}/clusters.channels.npy", "the channel where it is largest", "channel", "<i8 <i4 <u2", "clusters"),
      D("{spikes}/clusters.depths.npy", "where along the probe, from the tip", "µm", "<f4 <f8", "clusters"),
      D("{spikes}/clusters.uuids.csv", "an id that no other unit has", {"uuids": "id"}, "", "clusters", optional=True),
      *_of_channels("alf/{probe}/electrodeSites", "sites"),
      *_of_channels("{spikes}/channels", "channels"),
      D("{spikes}/channels.rawInd.npy", "the channel's number in the raw recording", "channel", "<i8 <i4", "channels"),
      D("{spikes}/channels.labels.npy", "0 good, 1 dead, 2 noisy, 3 outside of the brain", "label", "<i8 <f8",
        "channels", "finite", optional=True)),
    M("waveforms", "each unit", "the shape of its spikes", "05",
      D("{spikes}/clusters.waveforms.npy", "mean waveform at 30 kHz on the nearest channels", "V", "<f4",
        "clusters 82 32"),
      D("{spikes}/clusters.waveformsChannels.npy", "these channels, nearest first", "channel", "<i4 <i8",
        "clusters 32")),
    M("drift", "each second or so", "how far the brain slipped along the probe", "05",
      D("{spikes}/drift.times.npy", "when", "s", "<f8", "steps", "finite rising", **SESSION),
      D("{spikes}/drift.um.npy", "how far, at each depth", "µm", "<f8", "steps depths", "finite")),
    M("saturation", "each time the voltage left the probe's range", "when not to trust the voltage", "05",
      D("raw_ephys_data/{probe}/_iblqc_ephysSaturationAP.samples.pqt", "start and stop",
        {"start_sample": "samples", "stop_sample": "samples"}, "int64", "saturated", "intervals", clock="probe"),
      D("raw_ephys_data/{probe}/_spikeglx_*.timestamps.npy", "the probe's clock against the session's", "samples and s",
        "<f8", "points 2", "finite", **SESSION)),
)
ALSO: tuple[Dataset, ...] = (
    D("alf/_ibl_trials.*.npy", "another attribute of the trials", "its own", "", "trials", optional=True),
    D("alf/_ibl_trials.intervals.npy", "start and stop, of trials without a table", "s", "<f8", "trials 2", **SESSION),
    *(D(f"alf/_ibl_trials.{name}.npy", "a column of trials without a table", unit, "", "trials")
      for name, unit in TRIALS.items() if "intervals" not in name),
    D("alf/_ibl_rightCamera.features.pqt", "the pupil in the right video",
      {"pupilDiameter_raw": "px", "pupilDiameter_smooth": "px"}, "float32 float64", "frames"),
    D("alf/{camera}ROIMotionEnergy.position.npy", "the region of the motion energy: width, height, x, y", "px",
      "<i8 <i4", "4", "finite"),
    D("alf/probes.description.json", "each probe's name, model and serial number", "", "", ""),
    D("{spikes}/spikes.templates.npy", "the template it was found by", "id", "<u2 <u4 <i4 <i8", "spikes"),
    D("{spikes}/spikes.samples.npy", "when, by the probe's own count at 30 kHz", "samples", "<i8 <u8", "spikes",
      "finite sorted", "probe"),
    D("{spikes}/clusters.amps.npy", "median size of its spikes", "V", "<f8 <f4", "clusters"),
    D("{spikes}/clusters.peakToTrough.npy", "width of its waveform, signed", "ms", "<f8 <f4", "clusters"),
    D("{spikes}/waveforms.traces.npy", "single spikes at 30 kHz on the channels around their unit's", "V", "<f2 <f4",
      "snippets 40 128"),
    D("{spikes}/waveforms.templates.npy", "the median of each unit's", "V", "<f4", "units 40 128"),
    D("{spikes}/waveforms.channels.npz", "these channels of each spike, in their order", "channel", "", "snippets 40"),
    D("{spikes}/waveforms.table.pqt", "which spike, and of which unit",
      {"index": "number", "sample": "samples", "cluster": "id", "peak_channel": "channel", "waveform_index": "number",
       "index_within_clusters": "number"}, "int64", "snippets", clock="probe"),
    D("{spikes}/templates.amps.npy", "its size", "V", "<f8 <f4", "templates"),
    D("{spikes}/templates.waveforms.npy", "mean waveform at 30 kHz on the nearest channels", "V", "<f4",
      "templates 82 32"),
    D("{spikes}/templates.waveformsChannels.npy", "these channels, nearest first", "channel", "<i4 <i8",
      "templates 32"),
    D("{spikes}/drift_depths.um.npy", "the depths that drift was measured at", "µm", "<f8", "depths", "finite"),
    D("raw_ephys_data/{probe}/_spikeglx_*.sync.npy", "the same clock with the probe's time in seconds", "s", "<f8",
      "points 2", "finite", **SESSION),
)
"""Files of the release that no attribute of a session loads: ``one.load_dataset`` does."""
# fmt: on

BY_NAME: dict[str, Measurement] = {measurement.name: measurement for measurement in REGISTRY}


def _labels() -> dict[str, str]:
    found = {}
    of_session = (each for each in REGISTRY if each.place != "probe")
    for _, alike in groupby(of_session, key=lambda each: each.label.partition("(")[0]):
        alike = list(alike)
        for camera in CAMERAS:
            found |= {a.label.format(camera=camera): a.datasets[0].path.format(camera=camera) for a in alike}
    return found


LABELS = _labels()
"""What a session may have, but for its probes: as a table calls it, and the file that tells that it is there."""


@cache
def described(path: str) -> Dataset | None:
    """Return what is known of a file, by its path in the session's folder; None if nothing is."""
    names = dict.fromkeys(("camera", "probe"), "*") | {"spikes": "alf/*"}
    every = [*(dataset for each in REGISTRY for dataset in each.datasets), *ALSO]
    fitting = [dataset for dataset in every if fnmatchcase(path, dataset.path.format(**names))]
    return max(fitting, key=lambda dataset: len(dataset.path), default=None)


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
    """Return the data dictionary.

    Returns
    -------
    DataFrame
        One row a file, by ``measurement`` (empty for `ALSO`): ``file``, ``holds``, ``unit`` (of each column of a
        table), ``sampled`` (when), ``clock``, ``revision`` (the one that matters), ``use`` and ``lesson``.
    """
    also = Measurement("", "", "", "", *ALSO)
    rows = [
        {
            "measurement": each.name,
            "file": dataset.path,
            "holds": dataset.holds,
            "unit": dataset.unit if isinstance(dataset.unit, str) else "; ".join(map(": ".join, dataset.unit.items())),
            "sampled": each.sampled,
            "clock": dataset.clock,
            "revision": dataset.revision,
            "use": each.use,
            "lesson": each.lesson,
        }
        for each in [*REGISTRY, also]
        for dataset in each.datasets
    ]
    return pd.DataFrame(rows).set_index("measurement")
