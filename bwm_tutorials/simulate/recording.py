"""One simulated session, from the task to the spikes."""

import numpy as np
import pandas as pd
from iblutil.util import Bunch

from .. import wheel
from . import encoder, mouse, neurons, task, video


def session(seed: int = 1, minutes: float = 45, clusters: int = 100) -> Bunch:
    """Simulate one session.

    Parameters
    ----------
    seed : int
        The same seed gives the same session.
    minutes : float
        Length of the recording; about 11 trials a minute.
    clusters : int
        Units on the probe.

    Returns
    -------
    Bunch
        Tables ``trials``, ``spikes``, ``metrics``, ``channels``, ``dlc``; bunches of arrays ``wheel``,
        ``wheelMoves``; arrays ``licks`` and ``camera_times`` (s); and what was put in: ``truth_trials``,
        ``truth_units``.
    """
    # One stream of random numbers for each part: a change in one leaves the others as they were.
    parts = ("task", "mouse", "video", "neurons", "rig")
    rng = {part: np.random.default_rng([seed, i]) for i, part in enumerate(parts)}
    seconds = minutes * 60.0
    shown = task.sequence(rng["task"], n_trials=int(minutes * 25) + task.N_UNBIASED)
    behaviour = mouse.behave(rng["mouse"], shown)
    trials = mouse.run(rng["mouse"], shown, behaviour, seconds)
    behaviour = behaviour.loc[trials.index]

    position = encoder.trace(mouse.wheel_moves(rng["mouse"], trials), seconds)
    timestamps, edges = encoder.edges(position)
    intervals, amplitudes = wheel.movements(*wheel.interpolate(timestamps, edges))
    trials["firstMovement_times"] = wheel.first_movement_times(
        intervals, amplitudes, trials["goCue_times"].to_numpy(), trials["feedback_times"].to_numpy()
    )

    licks = video.lick_times(rng["video"], trials)
    camera_times = video.frame_times(rng["video"], seconds)
    dlc = video.dlc(rng["video"], camera_times, position, licks)

    sites = neurons.channels()
    units = neurons.units(rng["neurons"], clusters, sites)
    spikes = neurons.spikes(rng["neurons"], units, trials, seconds)
    metrics = neurons.metrics(rng["neurons"], units, spikes, seconds)

    # The photodiode misses a flip now and then, after everything that depends on it has happened.
    missed = rng["rig"].random(len(trials)) < 0.004
    truth_trials = pd.concat([behaviour.drop(columns="choice"), trials[["movement_onset"]]], axis=1)
    truth_trials["stimOn_times"] = trials["stimOn_times"]
    trials.loc[missed, ["stimOn_times", "goCue_times"]] = np.nan
    return Bunch(
        trials=trials.drop(columns=["side", "restarted", "movement_onset"]),
        wheel=Bunch(timestamps=timestamps, position=edges),
        wheelMoves=Bunch(intervals=intervals, peakAmplitude=amplitudes),
        licks=licks,
        camera_times=camera_times,
        dlc=dlc,
        channels=sites,
        spikes=spikes,
        metrics=metrics,
        truth_trials=truth_trials,
        truth_units=units,
    )
