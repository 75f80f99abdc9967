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
AFTER_TASK = 10.0  # s that a recording lasts, at least, after the last trial may have ended

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


def behave(
    seed: int, minutes: float, skill: float = 1.0, after: str | None = "passive", drift: float = mouse.DRIFT
) -> Bunch:
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
    drift : float
        Of the mouse's bias, as `mouse.decide` has it.

    Returns
    -------
    Bunch
        ``trials`` (table), ``wheel`` and ``wheelMoves`` (bunches of arrays), ``passive`` (as `passive.protocol` gives
        it, or None), what was put in: ``truth_trials``; ``scene``, what happens in front of the cameras; ``drives``,
        what neurons may know of it all.
    """
    rng = streams(seed)
    seconds = minutes * 60.0
    protocol, end_of_task = None, seconds - AFTER_TASK
    if after:
        how = {"scale": min(1.0, minutes / FULL), "stimuli": after == "passive"}
        length = passive.protocol(deepcopy(rng["passive"]), 0.0, **how).intervals.loc["stop", "passiveProtocol"]
        protocol = passive.protocol(rng["passive"], seconds - length - 5, **how)
        end_of_task -= length + 5

    acted = act(rng, minutes, end_of_task, skill=skill, drift=drift)
    trials, truth = acted.trials, acted.truth_trials
    position, drives = turn(rng, acted, seconds, protocol)
    timestamps, edges = encoder.edges(position)
    intervals, amplitudes = wheel.movements(*wheel.interpolate(timestamps, edges))
    arousal = mouse.arousal(rng["mouse"], seconds, trials, truth["engaged"].to_numpy())
    return Bunch(
        trials=record(rng, trials, intervals, amplitudes),
        wheel=Bunch(timestamps=timestamps, position=edges),
        wheelMoves=Bunch(intervals=intervals, peakAmplitude=amplitudes),
        passive=protocol,
        truth_trials=truth,
        scene=Bunch(seconds=seconds, wheel=position, licks=acted.licks, arousal=arousal, trials=trials),
        drives=drives,
    )


def streams(seed: int) -> dict[str, np.random.Generator]:
    """One stream of random numbers for each part of a session: a change in one leaves the others as they were."""
    parts = ("task", "mouse", "wheel", "licks", "rig", "passive")
    return {part: np.random.default_rng([seed, i]) for i, part in enumerate(parts)}


def act(rng: dict[str, np.random.Generator], minutes: float, end_of_task: float, **how) -> Bunch:
    """What the rig shows and the mouse does, before anything is recorded of it.

    Parameters
    ----------
    rng : dict
        As `streams` gives it.
    minutes : float
        Length of the recording.
    end_of_task : float
        s; a trial that would end later is not begun.
    **how
        What `mouse.decide` takes.

    Returns
    -------
    Bunch
        ``trials`` (as `task.run` gives them), ``truth_trials``, ``answer_onset`` (s; NaN for none), ``strokes`` of the
        wheel in seconds of the recording, ``licks`` (s).
    """
    shown = task.sequence(rng["task"], n_trials=int(minutes * 25) + 90)
    decisions = mouse.decide(rng["mouse"], shown, **how)
    answers, response = mouse.answer(rng["wheel"], decisions, shown["contrast"].to_numpy())
    after_response, before_stimulus = mouse.fidget(rng["wheel"], decisions)
    trials = task.run(rng["rig"], shown, decisions["choice"].to_numpy(), response, before_stimulus, after_response)
    trials = trials[trials["intervals_1"] < end_of_task]
    decisions = decisions.loc[trials.index]
    answers = _on_clock(answers, trials["stimOn_times"])
    idle = mouse.idle(rng["wheel"], end_of_task, minutes * 60.0)
    fidgets = [_on_clock(after_response, trials["response_times"]), _on_clock(before_stimulus, trials["intervals_0"])]
    onset = (answers["onset"] + mouse.first_edge(answers)).groupby(answers["trial"]).min()
    return Bunch(
        trials=trials,
        truth_trials=decisions.drop(columns="choice").assign(
            movement_onset=onset.reindex(trials.index), stimOn_times=trials["stimOn_times"]
        ),
        answer_onset=(trials["stimOn_times"] + decisions["decision_time"]).to_numpy(),
        strokes=pd.concat([answers, *fidgets, idle]),
        licks=mouse.lick_times(rng["licks"], trials),
    )


def turn(
    rng: dict[str, np.random.Generator], acted: Bunch, seconds: float, protocol: Bunch | None, freq: int = encoder.FREQ
) -> tuple[np.ndarray, Bunch]:
    """The wheel's true position (rad, ``freq`` samples a second), and what neurons may know of a session."""
    position = encoder.trace(acted.strokes, seconds, freq) + mouse.tremble(rng["wheel"], seconds, freq)
    belief = acted.truth_trials["belief"].to_numpy()
    return position, neurons.drives(acted.trials, acted.answer_onset, belief, position, acted.licks, protocol, freq)


def record(
    rng: dict[str, np.random.Generator], trials: pd.DataFrame, intervals: np.ndarray, amplitudes: np.ndarray
) -> pd.DataFrame:
    """The trials as they are stored, with the first of the wheel's movements in each, and some events lost."""
    recorded = _lose(rng["rig"], trials)
    recorded["firstMovement_times"] = wheel.first_movement_times(
        intervals, amplitudes, recorded["goCue_times"].to_numpy(), recorded["feedback_times"].to_numpy()
    )
    return recorded


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
