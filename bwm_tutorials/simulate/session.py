"""One simulated session, from the task to the spikes."""

from collections.abc import Mapping
from copy import deepcopy

import numpy as np
import pandas as pd
from iblutil.util import Bunch

from ..analysis import wheel
from ..analysis.quality import quality_metrics, trough_to_peak
from . import encoder, mouse, neurons, passive, probe, task, video

CAMERAS = tuple(video.CAMERAS)
FULL = 60.0  # minutes of a recording that has room for the whole passive protocol; it is shortened in shorter ones

Effects = str | Mapping[str, float] | None


def session(
    seed: int = 1,
    minutes: float = FULL,
    clusters: int = 100,
    effects: Effects = "teaching",
    probes: tuple[str, ...] = ("parietal", "collicular"),
    cameras: tuple[str, ...] = CAMERAS,
) -> Bunch:
    """Simulate one session.

    Parameters
    ----------
    seed : int
        The same seed gives the same session.
    minutes : float
        Length of the recording: about 11 trials a minute, and the passive protocol in the last quarter.
    clusters : int
        Units on each probe.
    effects : {'teaching', 'published', None} or mapping
        How many units know what. ``'teaching'``: the shares of `neurons.TEACHING`, made for lessons;
        ``'published'``: those found in the Brain Wide Map (stimulus .4 %, choice 4.4 %, feedback 16.6 %); None: no unit
        knows anything; or a share for any of the variables. The gains of those that do are drawn about
        `neurons.GAIN`: at the peak of its response a unit fires at 1 + gain times its rate at rest; for ``block`` the
        rate is multiplied by exp(gain · log odds of the mouse's belief in right).
    probes : tuple of str
        Where each goes: names of `probe.TRACKS`.
    cameras : tuple of str
        Which of ``'left'``, ``'right'``, ``'body'``.

    Returns
    -------
    Bunch
        What `behave` gives; ``cameras``: for each what `video.film` gives; ``insertions``: for each probe
        (``'probe00'``, …) what `insert` gives. The behaviour is the same whatever the neurons know.
    """
    recording = behave(seed, minutes)
    body = pose(seed, recording)
    recording["cameras"] = {camera: film(seed, body, camera) for camera in cameras}
    recording["insertions"] = {
        f"probe{number:02d}": insert(seed, number, track, recording, clusters, effects)
        for number, track in enumerate(probes)
    }
    return recording


def behave(seed: int, minutes: float, skill: float = 1.0, after: str | None = "passive") -> Bunch:
    """The task and the mouse, then the passive protocol.

    Parameters
    ----------
    seed : int
    minutes : float
        Length of the recording.
    skill : float
        How well the mouse sees and how steadily it works; 1 is a trained mouse on a usual day.
    after : {'passive', 'spontaneous', None}
        What follows the task: the whole passive protocol, only the grey screen, or nothing.

    Returns
    -------
    Bunch
        ``trials`` (table), ``wheel`` and ``wheelMoves`` (bunches of arrays), ``passive`` (as `passive.protocol` gives
        it, or None), what was put in: ``truth_trials``; ``scene``, what happens in front of the cameras; ``drives``,
        what neurons may know of it all.
    """
    # One stream of random numbers for each part: a change in one leaves the others as they were.
    parts = ("task", "mouse", "wheel", "licks", "rig", "passive")
    rng = {part: np.random.default_rng([seed, i]) for i, part in enumerate(parts)}
    seconds = minutes * 60.0
    protocol, end_of_task = None, seconds - 10
    if after:
        how = {"scale": min(1.0, minutes / FULL), "stimuli": after == "passive"}
        length = passive.protocol(deepcopy(rng["passive"]), 0.0, **how).intervals.loc["stop", "passiveProtocol"]
        protocol = passive.protocol(rng["passive"], seconds - length - 5, **how)
        end_of_task -= length + 5

    shown = task.sequence(rng["task"], n_trials=int(minutes * 25) + 90)
    decisions = mouse.decide(rng["mouse"], shown, skill)
    answers, response = mouse.answer(rng["wheel"], decisions, shown["contrast"].to_numpy())
    after_response, before_stimulus = mouse.fidget(rng["wheel"], decisions)
    trials = task.run(rng["rig"], shown, decisions["choice"].to_numpy(), response, before_stimulus, after_response)
    trials = trials[trials["intervals_1"] < end_of_task]
    decisions = decisions.loc[trials.index]

    answers = _on_clock(answers, trials["stimOn_times"])
    idle = mouse.idle(rng["wheel"], end_of_task, seconds)
    fidgets = [_on_clock(after_response, trials["response_times"]), _on_clock(before_stimulus, trials["intervals_0"])]
    position = encoder.trace(pd.concat([answers, *fidgets, idle]), seconds)
    position += mouse.tremble(rng["wheel"], seconds, encoder.FREQ)
    timestamps, edges = encoder.edges(position)
    intervals, amplitudes = wheel.movements(*wheel.interpolate(timestamps, edges))
    first_edge = answers["duration"] * mouse.when_reached(wheel.RESOLUTION / answers["amplitude"].abs())
    truth = decisions.drop(columns="choice").assign(
        movement_onset=(answers["onset"] + first_edge).groupby(answers["trial"]).min().reindex(trials.index),
        stimOn_times=trials["stimOn_times"],
    )
    licks = mouse.lick_times(rng["licks"], trials)
    arousal = mouse.arousal(rng["mouse"], seconds, trials, decisions["engaged"].to_numpy())
    answer_onset = (trials["stimOn_times"] + decisions["decision_time"]).to_numpy()
    drives = neurons.drives(trials, answer_onset, decisions["belief"].to_numpy(), position, licks, protocol)
    recorded = _lose(rng["rig"], trials)
    recorded["firstMovement_times"] = wheel.first_movement_times(
        intervals, amplitudes, recorded["goCue_times"].to_numpy(), recorded["feedback_times"].to_numpy()
    )
    return Bunch(
        trials=recorded,
        wheel=Bunch(timestamps=timestamps, position=edges),
        wheelMoves=Bunch(intervals=intervals, peakAmplitude=amplitudes),
        passive=protocol,
        truth_trials=truth,
        scene=Bunch(seconds=seconds, wheel=position, licks=licks, arousal=arousal, trials=trials),
        drives=drives,
    )


def pose(seed: int, recording: Bunch) -> Bunch:
    """How the mouse holds its body in a session whose behaviour is given, as `video.posture` gives it."""
    return video.posture(np.random.default_rng([seed, 50]), recording.scene)


def film(seed: int, body: Bunch, camera: str) -> Bunch:
    """One camera of a session, as `video.film` gives it."""
    return video.film(np.random.default_rng([seed, 51 + CAMERAS.index(camera)]), body, camera)


def insert(
    seed: int, number: int, track: str, recording: Bunch, clusters: int, effects: Effects, snippets: int = 0
) -> Bunch:
    """The first (0), second, … probe in a session whose behaviour is given; ``track`` is one of `probe.TRACKS`.

    Returns
    -------
    Bunch
        ``channels``, ``spikes``, ``metrics`` (tables), ``waveforms`` (V; units × samples × channels) and
        ``waveform_channels``, ``peak_to_trough`` (ms), ``drift`` (times in s, µm), ``clock`` (samples of the probe,
        s), ``saturation`` (table: start_sample, stop_sample), and what was put in: ``truth_units``. With ``snippets``,
        so many spikes of each unit, as `probe.snippets` gives them.
    """
    seeds = [seed, 100 + number]
    place, tuning = (np.random.default_rng([*seeds, i]) for i in range(2))
    sites = probe.channels(place, probe.TRACKS[track])
    drift = probe.drift(place, recording.drives.seconds)
    units = neurons.units(tuning, clusters, sites, effects)
    spikes = neurons.spikes(seeds, units, recording.drives, drift[1])
    clock = probe.clock(place, recording.drives.seconds)
    # Nothing can be sorted while the voltage is saturated.
    saturated = probe.saturation(place, recording.drives.seconds)
    edge = np.searchsorted(saturated.ravel(), spikes["times"], side="right")
    spikes = spikes[edge % 2 == 0].reset_index(drop=True)
    spikes["templates"] = spikes["clusters"]
    spikes["samples"] = np.round(np.interp(spikes["times"], clock[:, 1], clock[:, 0])).astype(np.int64)
    samples = np.round(np.interp(saturated, clock[:, 1], clock[:, 0])).astype(np.int64)
    waveforms, near = probe.waveforms(units, sites)
    metrics = quality_metrics(spikes, clusters)
    metrics["ks2_label"] = np.where(metrics["contamination"] > 0.1, "mua", "good")
    # Units have the numbers below as random streams.
    shown = probe.snippets(np.random.default_rng([*seeds, 10**6]), spikes, units, sites, snippets) if snippets else None
    return Bunch(
        channels=sites,
        spikes=spikes,
        metrics=metrics,
        waveforms=waveforms,
        waveform_channels=near,
        snippets=shown,
        peak_to_trough=trough_to_peak(waveforms),
        drift=drift,
        clock=clock,
        saturation=pd.DataFrame(samples, columns=["start_sample", "stop_sample"]),
        truth_units=units,
    )


def _on_clock(strokes: pd.DataFrame, events: pd.Series) -> pd.DataFrame:
    """Strokes whose onset is counted from an event of their trial, in seconds of the recording."""
    strokes = strokes[strokes["trial"] < len(events)]
    return strokes.assign(onset=strokes["onset"] + strokes["trial"].map(events))


def _lose(rng: np.random.Generator, trials: pd.DataFrame) -> pd.DataFrame:
    """The photodiode and the microphone miss a flip or a tone now and then; the mouse does not."""
    trials = trials.copy()
    for event, one_in in (("stimOn_times", 400), ("goCue_times", 120)):
        lost = rng.choice(trials.index, len(trials) // one_in, replace=False)
        trials.loc[lost, event] = np.nan
    return trials
