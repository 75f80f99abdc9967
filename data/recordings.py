"""What `calibrate` measures: sessions pooled, synthetic or real, and the statistics that are taken of them."""

import os
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from iblutil.util import Bunch
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import mannwhitneyu

import bwm_tutorials as bwm
from bwm_tutorials.analysis.regions import inside
from bwm_tutorials.errors import MissingDataset
from bwm_tutorials.paths import ROOT
from bwm_tutorials.recordings.datasets import LABELS
from bwm_tutorials.recordings.local import LocalOne
from bwm_tutorials.simulate.mouse import LEARNING_RATE
from bwm_tutorials.simulate.session import behave

# Real recordings, and tables made of them.
NYU = "NYU-11 2020-02-21"
SWC = "SWC_054, three good sessions"
WHEEL = "180 s of a wheel"
PROBE = "120 s of a probe, and another probe"
SORTED = "137,354 units of 87 probes"
WAVEFORMS = "1,592 mean waveforms of good units"

LEFT_OUT = ("SIM-NULL 2001-01-08",)
"""Sessions of the sample that are not held against real ones, as subject and date: those made to be unlike them."""

MORE_HOURS = 9
"""Of the sample's mouse, that the statistics of its behaviour are taken from besides the sample."""

STRETCH, N_STRETCHES = 120.0, 5  # s of a probe, as long as the real excerpt, and how many are taken
AROUND = np.arange(-1, 1, 0.02)  # s, of the steps around the stimulus
MIN_SPIKES = 100  # of a unit in a stretch
MIN_UNITS = 10  # of an area, to give its median rate


def real_folder() -> Path:
    """Where real recordings (``one``) and tables (``calibration``) may lie: ``BWM_REAL_DATA``, or beside the clone."""
    return Path(os.environ.get("BWM_REAL_DATA", ROOT.parent / "shared" / "real"))


class Recordings:
    """Sessions pooled, as the rows are measured on them. Nothing is read before a row asks for it."""

    def __init__(self, sessions: Sequence[bwm.Session]):
        self.sessions = list(sessions)

    def having(self, name: str) -> list[bwm.Session]:
        """The sessions that have what `Session.available` calls ``name``; MissingDataset if there is none."""
        if found := [session for session in self.sessions if session.available.loc[name, "present"]]:
            return found
        raise MissingDataset(f"None of these sessions has {name}.")

    @cached_property
    def insertions(self) -> list[bwm.Insertion]:
        with_spikes = [s for s in self.sessions if s.available.filter(like="insertion", axis="index")["present"].any()]
        return [insertion for session in with_spikes for insertion in session.insertions]

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The trials, indexed by session (0, 1, …) and trial."""
        return pd.concat(dict(enumerate(session.trials for session in self.sessions)), names=["session", "trial"])

    @cached_property
    def fits(self) -> pd.DataFrame:
        """The psychometric fit of each session, one row each."""
        return pd.DataFrame([_fit(trials) for _, trials in self.trials.groupby(level="session")])

    @cached_property
    def block_fits(self) -> pd.DataFrame:
        """The psychometric fit of all trials with the same ``probabilityLeft``, one row each."""
        return pd.DataFrame({p: _fit(trials) for p, trials in self.trials.groupby("probabilityLeft")}).T

    @cached_property
    def speed(self) -> np.ndarray:
        """The wheel's speed (rad/s) at each millisecond of the task."""
        speeds = []
        for session in self.having("wheel"):
            times, position = bwm.wheel.interpolate(session.wheel.timestamps, session.wheel.position)
            start, stop = _task(session)
            speeds.append(np.abs(bwm.wheel.velocity(times, position))[(times >= start) & (times <= stop)])
        return np.concatenate(speeds)

    @cached_property
    def movements(self) -> pd.DataFrame:
        """The wheel's movements during the task: ``duration`` (s) and ``amplitude`` (rad, without sign)."""
        found = []
        for session in self.having("wheel_moves"):
            (start, stop), intervals = _task(session), session.wheel_moves.intervals
            moves = {
                "duration": np.diff(intervals, axis=1)[:, 0],
                "amplitude": np.abs(session.wheel_moves.peakAmplitude),
            }
            found.append(pd.DataFrame(moves)[(intervals[:, 0] >= start) & (intervals[:, 1] <= stop)])
        return pd.concat(found)

    @cached_property
    def wheel_seconds(self) -> float:
        return sum(stop - start for start, stop in map(_task, self.having("wheel")))

    @cached_property
    def units(self) -> pd.DataFrame:
        """The units, indexed by insertion (0, 1, …) and cluster, as `Insertion.clusters` gives them.

        Two columns are added: ``peakToTrough`` (ms), and ``short_isi``, the fraction of intervals between spikes below
        1.5 ms (NaN of a unit with fewer than 100 spikes).
        """
        return pd.concat(dict(enumerate(map(_units, self.insertions))), names=["insertion", "cluster"])

    @cached_property
    def good(self) -> pd.DataFrame:
        """The units that pass every quality criterion."""
        return self.units[self.units["label"] == 1]

    @cached_property
    def variability(self) -> pd.DataFrame:
        """How irregular spikes are, one row for each of five stretches of 120 s of each insertion.

        Of the units with 100 spikes or more in the stretch: ``cv`` of the intervals and ``fano`` factor of counts in
        1 s, medians; ``correlation`` of the pairs' counts in 100 ms, mean, and its standard deviation, ``spread``.
        """
        return pd.DataFrame([row for insertion in self.insertions for row in _variability(insertion.spikes)])

    @cached_property
    def around_stimulus(self) -> dict[str, np.ndarray]:
        """Left video from 1 s before to 1 s after each stimulus, in steps of 20 ms; each of shape (trials, 100).

        ``licking`` (True where the tongue moves), ``paw`` (px from the picture's corner to the paw nearer to the
        camera), ``nose`` (x, px), ``energy`` (mean grey-level change at the whiskers). And ``reward``, of shape
        (trials,): s from the stimulus to the reward, NaN without one.
        """
        traces = []
        for session in self.having("pose('left', 'dlc')"):
            pose = session.pose("left", "dlc", ["paw_r", "nose_tip"])
            trials = session.trials.dropna(subset="stimOn_times")
            steps = trials["stimOn_times"].to_numpy()[:, None] + AROUND
            frame = np.searchsorted(pose["times"], steps)
            traces.append(
                {
                    "reward": _reward(trials),
                    "licking": np.searchsorted(session.licks, steps + 0.02) > np.searchsorted(session.licks, steps),
                    "paw": np.hypot(pose["paw_r_x"], pose["paw_r_y"]).to_numpy()[frame],
                    "nose": pose["nose_tip_x"].to_numpy()[frame],
                    "energy": session.motion_energy("left")["energy"].to_numpy()[frame],
                }
            )
        return {name: np.concatenate([trace[name] for trace in traces]) for name in traces[0]}


class Drawn:
    """An hour of the sample's mouse that is not stored: its behaviour, as `bwm.Session` gives it."""

    insertions = ()
    available = pd.DataFrame({"present": False}, index=pd.Index(LABELS))
    available.loc[["trials", "wheel", "wheel_moves"], "present"] = True

    def __init__(self, seed: int):
        made = behave(seed, minutes=60)
        self.name = f"seed {seed}"
        self.trials, self.wheel, self.wheel_moves = made.trials, made.wheel, made.wheelMoves


def recordings(one: LocalOne, leave_out: Collection[str] = LEFT_OUT, more_hours: int = 0) -> Recordings:
    """The sessions of a source, without those named (subject and date) in ``leave_out``.

    One session is one draw, in which behaviour may lie beside what it is on average: ``more_hours`` adds as many of the
    sample's mouse.
    """
    sessions = sorted((bwm.Session(eid, one) for eid in one.search()), key=lambda session: session.name)
    kept = [session for session in sessions if session.name not in leave_out]
    return Recordings([*kept, *(Drawn(seed) for seed in range(2, 2 + more_hours))])


def _task(session: bwm.Session) -> tuple[float, float]:
    """When the task began and ended (s); of a recording without trials all of it."""
    if not session.available.loc["trials", "present"]:
        return tuple(session.wheel.timestamps[[0, -1]])
    return session.trials["intervals_0"].iloc[0], session.trials["intervals_1"].iloc[-1]


def _reward(trials: pd.DataFrame) -> np.ndarray:
    """Seconds from the stimulus to the reward, NaN without one."""
    return (trials["feedback_times"] - trials["stimOn_times"]).where(trials["feedbackType"] == 1).to_numpy()


def _fit(trials: pd.DataFrame) -> pd.Series:
    return bwm.trials.fit_psychometric(bwm.trials.psychometric(trials))


def _units(insertion: bwm.Insertion) -> pd.DataFrame:
    trains = dict(spike_trains(insertion.spikes))
    short = {unit: (np.diff(times) < 0.0015).mean() for unit, times in trains.items()}
    table = insertion.clusters.assign(short_isi=pd.Series(short, dtype=float), peakToTrough=np.nan)
    for path in insertion.session.datasets.index:
        if path.startswith(f"alf/{insertion.name}/") and path.endswith("clusters.peakToTrough.npy"):
            collection, _, file = path.rpartition("/")
            table["peakToTrough"] = insertion.one.load_dataset(insertion.eid, file, collection)
    return table


def spike_trains(spikes: Bunch) -> Iterator[tuple[int, np.ndarray]]:
    """Each unit with 100 spikes or more, and their times (s)."""
    order = np.argsort(spikes.clusters, kind="stable")
    units, first = np.unique(spikes.clusters[order], return_index=True)
    for unit, times in zip(units, np.split(spikes.times[order], first[1:]), strict=True):
        if len(times) >= MIN_SPIKES:
            yield unit, times


def _variability(spikes: Bunch) -> Iterator[dict[str, float]]:
    start, stop = spikes.times[[0, -1]]
    n = int(np.clip((stop - start) // STRETCH, 1, N_STRETCHES))
    for begin in np.linspace(start, max(stop - STRETCH, start), n):
        inside = slice(*np.searchsorted(spikes.times, [begin, begin + STRETCH]))
        part = Bunch(times=spikes.times[inside], clusters=spikes.clusters[inside])
        trains = [times for _, times in spike_trains(part)]
        if len(trains) < 2:
            continue
        seconds, tenths = (_counts(trains, np.arange(begin, begin + STRETCH, width)) for width in (1, 0.1))
        pairs = np.corrcoef(tenths)[np.triu_indices(len(trains), 1)]
        yield {
            "cv": np.median([np.diff(times).std() / np.diff(times).mean() for times in trains]),
            "fano": np.median(seconds.var(axis=1) / seconds.mean(axis=1)),
            "correlation": pairs.mean(),
            "spread": pairs.std(),
        }


def _counts(trains: list[np.ndarray], edges: np.ndarray) -> np.ndarray:
    return np.array([np.histogram(times, edges)[0] for times in trains])


# What the rows measure, each on `Recordings`.


def contrast(r: Recordings) -> pd.Series:
    """The contrast of each trial (fraction)."""
    return r.trials["contrastLeft"].fillna(r.trials["contrastRight"])


def correct(r: Recordings) -> pd.Series:
    return r.trials["feedbackType"] == 1


def latency(r: Recordings) -> pd.Series:
    """Seconds from the stimulus to the first movement."""
    return pd.Series(bwm.trials.movement_latency(r.trials), index=r.trials.index)


def delay(r: Recordings, start: str, stop: str) -> pd.Series:
    return r.trials[stop] - r.trials[start]


def delay_after(r: Recordings, feedback: int, start: str, stop: str) -> float:
    """The median delay (s) in trials with this feedback, but those without a choice, which end otherwise."""
    return delay(r, start, stop)[(r.trials["feedbackType"] == feedback) & (r.trials["choice"] != 0)].median()


def pauses(r: Recordings) -> np.ndarray:
    """Seconds from the end of each trial to the start of the next."""
    sessions = [trials for _, trials in r.trials.groupby(level="session")]
    return np.concatenate([t["intervals_0"].to_numpy()[1:] - t["intervals_1"].to_numpy()[:-1] for t in sessions])


def later_blocks(r: Recordings) -> pd.Series:
    """The lengths of the blocks after the first, without the last, which the session's end cuts short."""
    sessions = r.trials["probabilityLeft"].groupby(level="session")
    whole = pd.concat([bwm.blocks.blocks(p_left)[:-1] for _, p_left in sessions])
    return whole.loc[whole["probabilityLeft"] != 0.5, "n_trials"]


def first_block(r: Recordings) -> float:
    """The length of the unbiased block, in the session where it departs most from 90 trials."""
    lengths = (r.trials["probabilityLeft"] == 0.5).groupby(level="session").sum()
    return lengths.iloc[(lengths - 90).abs().argmax()]


def likely_side(r: Recordings) -> float:
    biased = r.trials[r.trials["probabilityLeft"] != 0.5]
    return (biased["contrastLeft"].notna() == (biased["probabilityLeft"] > 0.5)).mean()


def usual_go_cue(r: Recordings) -> float:
    """The share of sessions whose median delay from stimulus to go cue is one of the two that rigs have."""
    medians = 1e3 * delay(r, "stimOn_times", "goCue_times").groupby(level="session").median()
    return (medians.between(0.8, 1.2) | medians.between(12.8, 19.2)).mean()


def right_at_zero(r: Recordings, p_left: float) -> float:
    shown = r.trials[(contrast(r) == 0) & (r.trials["probabilityLeft"] == p_left) & (r.trials["choice"] != 0)]
    return (shown["choice"] == -1).mean()


def slow_bias(r: Recordings, lags: tuple[int, int] = (10, 40)) -> float:
    """The variance (logits²) of a bias to one side that lasts for longer than what a mouse learns of a block.

    What contrasts and a kernel over earlier sides leave unexplained of a choice is multiplied by the same some trials
    later, and set in proportion to what a bias of 1 logit would leave.
    """
    shared, most = 0.0, 0.0
    for _, trials in r.trials.groupby(level="session"):
        side, levels = bwm.trials.stimulus_side(trials), trials["contrastLeft"].fillna(trials["contrastRight"])
        belief = bwm.priors.kernel_p_left(side, LEARNING_RATE)
        of_contrast = [side * (levels == level) for level in (0.0625, 0.125, 0.25, 1)]
        known = np.c_[np.column_stack(of_contrast), np.log((1 - belief) / belief), np.ones(len(trials))]
        chosen = (trials["choice"] != 0).to_numpy()
        known, right = known[chosen], (trials["choice"] == -1).to_numpy()[chosen]
        weights = minimize(_cost, np.zeros(known.shape[1]), args=(known, right)).x
        p = expit(known @ weights)
        left, spread = right - p, p * (1 - p)
        for lag in range(lags[0], lags[1] + 1):
            shared += left[lag:] @ left[:-lag]
            most += spread[lag:] @ spread[:-lag]
    return shared / most


def _cost(weights: np.ndarray, known: np.ndarray, right: np.ndarray) -> float:
    """Of a logistic regression, held together a little where a contrast was never wrong."""
    odds = known @ weights
    return (np.logaddexp(0, odds) - right * odds).sum() + 0.05 * (weights[:-1] ** 2).sum()


def contralateral(r: Recordings) -> float:
    """Of good units that tell the sides of replayed stimuli, with no task to move for, the share that prefer the other.

    Counts of the first 200 ms after gabors of 25 % contrast and more are compared.
    """
    prefer = []
    for insertion in (i for i in r.insertions if i.session.has("passive")):
        gabors = insertion.session.passive.gabor
        strong = gabors[gabors["contrast"] >= 0.25]
        window = strong["start"].to_numpy()[:, None] + [0, 0.2]
        good = insertion.clusters.index[insertion.clusters["label"] == 1]
        counts = bwm.spikes.counts_in_intervals(insertion.spikes, window, good).to_numpy()
        left, right = counts[:, strong["position"] < 0], counts[:, strong["position"] > 0]
        tells = mannwhitneyu(left, right, axis=1).pvalue < 0.05
        other = 1 if insertion.channels["x"].mean() < 0 else -1
        prefer.append((np.sign(right.mean(axis=1) - left.mean(axis=1)) == other)[tells])
    return np.concatenate(prefer).mean()


def left_side(r: Recordings) -> float:
    """Of the probes that do not reach the hindbrain, the share that lie on the left."""
    of = [i for i in r.insertions if not inside(i.channels["acronym"], "HB").any()]
    return np.mean([insertion.channels["x"].mean() < 0 for insertion in of])


def part(values: pd.Series, number: int, parts: int = 5) -> pd.Series:
    """The values of one part (0, 1, …) of each session, cut into parts of equally many trials."""
    by_session = values.groupby(level="session")
    return values[(parts * by_session.cumcount() / by_session.transform("size")).astype(int) == number]


def step_and_interval(r: Recordings) -> tuple[float, float]:
    """The wheel's median step (mrad) and interval (ms) from sample to sample."""
    wheels = [session.wheel for session in r.having("wheel")]
    steps = np.concatenate([np.abs(np.diff(wheel.position)) for wheel in wheels])
    intervals = np.concatenate([np.diff(wheel.timestamps) for wheel in wheels])
    return 1e3 * np.median(steps), 1e3 * np.median(intervals)


def in_atlas(units: pd.DataFrame, mapping: str) -> np.ndarray:
    from iblatlas.regions import BrainRegions

    return BrainRegions().acronym2acronym(units["acronym"], mapping=mapping)


def area_rate(r: Recordings, area: str) -> float:
    """The median rate (Hz) of an area's good units, the mean over insertions with ten or more of them."""
    rates = r.good[in_atlas(r.good, "Cosmos") == area].groupby(level="insertion")["firing_rate"]
    medians = rates.median()[rates.size() >= MIN_UNITS]
    if medians.empty:
        raise MissingDataset(f"No insertion has {MIN_UNITS} good units in {area}.")
    return medians.mean()


def regions_per_probe(r: Recordings) -> float:
    regions = r.units.assign(region=in_atlas(r.units, "Beryl")).query("region not in ['root', 'void']")
    return regions.groupby(level="insertion")["region"].nunique().median()


def channels_labelled(r: Recordings, *labels: int) -> float:
    return pd.concat([insertion.channels["labels"] for insertion in r.insertions]).isin(labels).mean()


def frame_intervals(r: Recordings, camera: str) -> list[np.ndarray]:
    """Seconds from frame to frame, an array for each session that has the camera."""
    file = f"_ibl_{camera}Camera.times.npy"
    sessions = r.having(f"pose({camera!r}, 'dlc')")
    return [np.diff(session.one.load_dataset(session.eid, file, "alf")) for session in sessions]


def frame_rate(r: Recordings, camera: str) -> float:
    return np.median([1 / np.median(intervals) for intervals in frame_intervals(r, camera)])


def dropped_frames(r: Recordings, camera: str) -> float:
    return np.median([(d > 1.5 * np.median(d)).sum() for d in frame_intervals(r, camera)])


def paw_likelihood(r: Recordings) -> np.ndarray:
    """The likelihood of both paws in each frame of the left camera."""
    poses = [session.pose("left", "dlc", ["paw_l", "paw_r"]) for session in r.having("pose('left', 'dlc')")]
    return np.concatenate([pose[f"paw_{side}_likelihood"] for pose in poses for side in "lr"])


def pupil_snr(r: Recordings) -> float:
    """The variance of the smooth pupil diameter over that of what smoothing took away, median over sessions."""
    pupils = [session.pupil.dropna() for session in r.having("pupil")]
    smooth, raw = "pupilDiameter_smooth", "pupilDiameter_raw"
    return np.median([pupil[smooth].var() / (pupil[smooth] - pupil[raw]).var() for pupil in pupils])


def lick_rate(r: Recordings) -> float:
    """Licks a second in bouts: one over the median of the intervals below half a second.

    What is stored are the frames in which the tongue is out, several for each lick: those within 40 ms are one.
    """
    intervals = []
    for session in r.having("licks"):
        licks = session.licks[np.diff(session.licks, prepend=-1) > 0.04]
        intervals.append(np.diff(licks))
    intervals = np.concatenate(intervals)
    return 1 / np.median(intervals[intervals < 0.5])


def licking(r: Recordings, start: float, stop: float, after_reward: bool = False) -> float:
    """The share of steps of 20 ms with licks, from ``start`` to ``stop`` s after the stimulus, or after the reward."""
    found = r.around_stimulus
    steps = AROUND - (found["reward"] if after_reward else np.zeros(len(found["licking"])))[:, None]
    return found["licking"][(steps >= start) & (steps < stop)].mean()


def excerpts() -> dict[str, Recordings]:
    """The excerpts of real recordings in ``data/real`` that rows come from, by the names above."""
    one = bwm.connect("real")
    return {WHEEL: _of_subject(one, "wheel_excerpt"), PROBE: _of_subject(one, "probe_excerpt")}


def real_recordings(folder: Path) -> dict[str, Recordings]:
    """These and the real recordings and tables of a folder, by the names above."""
    one = bwm.connect(folder / "one")
    days = ("2020-08-28", "2020-08-31", "2020-09-01")
    found = excerpts() | {
        NYU: _of_subject(one, "NYU-11"),
        SWC: Recordings([session for session in _of_subject(one, "SWC_054").sessions if session.name[-10:] in days]),
        SORTED: Recordings([]),
        WAVEFORMS: Recordings([]),
    }
    units = pd.read_parquet(folder / "calibration" / "clusters_bwm_147.pqt").rename_axis(["insertion", "cluster"])
    passed = np.c_[units["slidingRP_viol"] == 1, units["noise_cutoff"] < 5, units["amp_median"] > 50e-6]
    stored = np.load(folder / "calibration" / "NYU-11_56956777_motor_regressors_stimOn-1s_to_1s_20ms.npz")
    names = {"licking": "licking", "paw": "paw_pos_l", "nose": "nose_pos", "energy": "whisking_l"}
    known = ~np.isnan(stored["licking"]).any(axis=1)
    traces = {name: stored[of][known] for name, of in names.items()}
    # Stored are counts of frames, which depend on the cameras' rates; what is compared is whether there are any.
    traces |= {"licking": traces["licking"] > 0, "reward": _reward(found[NYU].trials)[known]}
    found[NYU].around_stimulus = traces
    found[SORTED].units = units.assign(label=passed.mean(axis=1), max_confidence=100 * units["slidingRP_viol"])
    waveforms = np.load(folder / "calibration" / "mean_waveforms_goodunits_82samples.npz")["waveforms_uV"]
    trough = waveforms.argmin(axis=1)
    after = np.where(np.arange(waveforms.shape[1]) >= trough[:, None], waveforms, -np.inf)
    found[WAVEFORMS].units = pd.DataFrame({"label": 1.0, "peakToTrough": (after.argmax(axis=1) - trough) / 30})
    return found


def _of_subject(one: LocalOne, subject: str) -> Recordings:
    return Recordings(sorted((bwm.Session(eid, one) for eid in one.search(subject=subject)), key=lambda s: s.name))
