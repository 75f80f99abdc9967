"""Recordings of which there is little: few trials or units, or such as are all alike or not wholly known."""

from collections.abc import Callable

import numpy as np

import bwm_tutorials as bwm


def changed(**columns):
    return lambda trials: trials.assign(**columns)


def one_unknown(trials):
    trials = trials[:40].copy()
    trials.loc[trials.index[3], ["choice", "feedbackType", "contrastLeft", "contrastRight", "probabilityLeft"]] = np.nan
    trials.loc[trials.index[4], ["response_times", "firstMovement_times", "feedback_times"]] = np.nan
    return trials


TRIALS: dict[str, Callable] = {
    "none": lambda trials: trials[:0],
    "one": lambda trials: trials[100:101],
    "two": lambda trials: trials[100:102],
    "20": lambda trials: trials[:20],
    "30 in one block": lambda trials: trials[:30],
    "one side": lambda trials: trials[trials["contrastRight"].notna()][:60],
    "one contrast": lambda trials: trials[bwm.trials.signed_contrast(trials) == 100],
    "none rewarded": lambda trials: trials[trials["feedbackType"] == -1],
    "all rewarded": lambda trials: trials[trials["feedbackType"] == 1],
    "no choice": changed(choice=0, feedbackType=-1),
    "choice unknown": changed(choice=np.nan),
    "outcome unknown": changed(feedbackType=np.nan),
    "stimulus unknown": changed(contrastLeft=np.nan, contrastRight=np.nan),
    "block unknown": changed(probabilityLeft=np.nan),
    "no times": changed(stimOn_times=np.nan),
    "only the stimulus' times": changed(firstMovement_times=np.nan, response_times=np.nan, feedback_times=np.nan),
    "one unknown": one_unknown,
    "of training": lambda trials: trials.drop(
        columns=["firstMovement_times", "goCue_times", "intervals_0", "stimOff_times"]
    ),
}


class Few:
    """A probe of which little is left."""

    def __init__(self, probe, keep, **columns):
        self.clusters = probe.clusters.loc[keep].assign(**columns)
        kept = np.isin(probe.spikes["clusters"], keep)
        self.spikes = {name: values[kept] for name, values in probe.spikes.items()}
        if columns.get("depths") is np.nan:
            self.spikes["depths"] = np.full(kept.sum(), np.nan)
        acronym = columns.get("acronym", probe.channels["acronym"])
        self.channels, self.waveforms, self.truth = probe.channels.assign(acronym=acronym), probe.waveforms, probe.truth


def good(probe) -> list:
    return list(probe.clusters.index[probe.clusters["label"] == 1])


def silent(probe):
    few = Few(probe, good(probe)[:3])
    few.spikes = {name: values[few.spikes["clusters"] != few.clusters.index[0]] for name, values in few.spikes.items()}
    few.clusters.loc[few.clusters.index[0], ["firing_rate", "amp_median", "max_confidence", "noise_cutoff"]] = np.nan
    return few


def no_spikes(probe):
    few = Few(probe, good(probe)[:3], firing_rate=0.0, spike_count=0)
    few.spikes = {name: values[:0] for name, values in few.spikes.items()}
    return few


UNITS: dict[str, Callable] = {
    "none": lambda probe: Few(probe, []),
    "one": lambda probe: Few(probe, good(probe)[:1]),
    "one with one spike": lambda probe: one_spike(probe),
    "two": lambda probe: Few(probe, good(probe)[:2]),
    "none good": lambda probe: Few(probe, [*probe.clusters.index.difference(good(probe))][:5]),
    "no depths": lambda probe: Few(probe, good(probe)[:5], depths=np.nan),
    "no region": lambda probe: Few(probe, good(probe)[:5], acronym=None, beryl=None, cosmos=None),
    "in void": lambda probe: Few(probe, good(probe)[:5], acronym="void", beryl="void", cosmos="void"),
    "nothing measured": lambda probe: Few(
        probe,
        good(probe)[:5],
        label=np.nan,
        bitwise_fail=np.nan,
        max_confidence=np.nan,
        noise_cutoff=np.nan,
        amp_median=np.nan,
        firing_rate=np.nan,
    ),
    "one silent": silent,
    "no spikes": no_spikes,
}


def one_spike(probe):
    few = Few(probe, good(probe)[:1])
    few.spikes = {name: values[:1] for name, values in few.spikes.items()}
    return few
