"""The neurons along one probe: where they lie, what they respond to, when they spike, how well they were sorted."""

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

BIN = 0.01  # s, of the rates that spikes are drawn from
SAMPLING_RATE = 30_000  # Hz, of the probe
N_CHANNELS = 384
# The repeated site of the release: from the tip (µm) upwards, the regions that the probe runs through.
TRACK = [(0, "PO"), (650, "LP"), (1250, "DG-po"), (1500, "DG-mo"), (1800, "CA1"), (2350, "VISa6a"), (2700, "VISa5")]
SURFACE = 3300  # µm from the tip; sites above are out of the brain
TIP_MLAPDV = np.array([-1600.0, -2300.0, -3900.0])  # µm from bregma
DIRECTION = np.array([-0.20, 0.12, 0.97])  # of the probe, from the tip

# What units respond to: the share of units, the latency (s), the time constant (s), and whether a side matters.
VARIABLES = {
    "stimulus": (0.30, 0.05, 0.08, True),
    "choice": (0.30, -0.10, 0.12, True),
    "feedback": (0.50, 0.08, 0.25, False),
}


def channels() -> pd.DataFrame:
    """The 384 sites of a Neuropixels 1.0 probe and the Allen region of each.

    Returns
    -------
    DataFrame
        ``lateral_um``, ``axial_um`` (from the tip), ``ml``, ``ap``, ``dv`` (µm from bregma), ``atlas_id``,
        ``acronym``, ``labels`` (0 good, 3 outside the brain).
    """
    from iblatlas.regions import BrainRegions

    site = np.arange(N_CHANNELS)
    axial = 20.0 * (site // 2) + 20
    bottoms, acronyms = zip(*TRACK, strict=True)
    acronym = np.array(acronyms)[np.searchsorted(bottoms, axial, side="right") - 1].astype(object)
    acronym[axial > SURFACE] = "root"
    ml, ap, dv = (TIP_MLAPDV + axial[:, None] * DIRECTION / np.linalg.norm(DIRECTION)).T
    return pd.DataFrame(
        {
            "lateral_um": np.array([43.0, 11.0, 59.0, 27.0])[site % 4],
            "axial_um": axial,
            "ml": ml,
            "ap": ap,
            "dv": dv,
            "atlas_id": BrainRegions().acronym2id(acronym),
            "acronym": acronym,
            "labels": np.where(axial > SURFACE, 3, 0),
        }
    )


def units(rng: np.random.Generator, n_units: int, sites: pd.DataFrame) -> pd.DataFrame:
    """What is put into each unit: the truth that analyses are held against.

    Returns
    -------
    DataFrame
        ``depth`` (µm from the tip), ``channel``, ``acronym``, ``rate`` (Hz at rest), ``amplitude`` (V), ``fault``
        (why a good sorter would reject it: ``contaminated``, ``cut off``, ``small`` or empty), and for each variable
        ``<variable>_gain`` (the rate at the peak of the response is 1 + gain times the rate at rest; 0 for none),
        ``<variable>_latency`` (s from the event to the response's onset) and ``<variable>_side`` (−1 left, +1 right,
        0 both).
    """
    depth = np.sort(rng.uniform(40, SURFACE, n_units))
    channel = np.array([np.abs(sites["axial_um"] - d).argmin() for d in depth])
    fault = rng.choice(["", "contaminated", "cut off", "small"], n_units, p=[0.6, 0.16, 0.12, 0.12]).astype(object)
    table = pd.DataFrame(
        {
            "depth": depth,
            "channel": channel,
            "acronym": sites["acronym"].to_numpy()[channel],
            "rate": np.exp(rng.normal(0.705, 1.3, n_units)).clip(0.1, 20),
            "amplitude": 1e-6
            * np.where(fault == "small", rng.uniform(25, 42, n_units), np.exp(rng.normal(4.85, 0.4, n_units)).clip(70)),
            "fault": fault,
        }
    )
    for variable, (share, latency, _, sided) in VARIABLES.items():
        responds = rng.random(n_units) < share
        table[f"{variable}_gain"] = np.where(responds, np.exp(rng.normal(np.log(2.0), 0.5, n_units)), 0.0)
        table[f"{variable}_latency"] = np.where(responds, latency + rng.gamma(4, 0.005, n_units), np.nan)
        table[f"{variable}_side"] = np.where(responds & sided, rng.choice([-1, 1], n_units), 0)
    return table


def spikes(rng: np.random.Generator, truth: pd.DataFrame, trials: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """Draw every unit's spikes.

    Each unit fires at its rate at rest, times a slow drift of its own, times a fluctuation that all units share,
    times the responses to the events of the task; spikes closer than 2 ms are one, unless the unit is contaminated.

    Returns
    -------
    DataFrame
        ``times`` (s, sorted), ``clusters`` (row of ``truth``), ``amps`` (V), ``depths`` (µm from the tip).
    """
    n_bins = int(seconds / BIN)
    shared = _wander(rng, n_bins, smooth=0.5)
    events = {name: _events(trials, name) for name in VARIABLES}
    found = []
    for row in truth.itertuples():
        rate = row.rate * np.exp(0.25 * _wander(rng, n_bins, smooth=300) + 0.3 * shared)
        for name, (_, _, decay, _) in VARIABLES.items():
            if gain := getattr(row, f"{name}_gain"):
                times, sides, weights = events[name]
                side = getattr(row, f"{name}_side")
                weights = np.where((side == 0) | (sides == side), weights, 0.1 * weights)
                rate *= 1 + gain * _response(times + getattr(row, f"{name}_latency"), weights, decay, n_bins)
        counts = rng.poisson(rate * BIN)
        times = np.sort(np.repeat(np.arange(n_bins), counts) * BIN + rng.random(counts.sum()) * BIN)
        if row.fault != "contaminated":
            times = times[np.append(True, np.diff(times) > 0.002)]
        amps = row.amplitude * rng.normal(1, 0.12, times.size).clip(0.4)
        if row.fault == "cut off":
            kept = amps > row.amplitude
            times, amps = times[kept], amps[kept]
        found.append((times, np.full(times.size, row.Index), amps, rng.normal(row.depth, 8, times.size)))
    times, clusters, amps, depths = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(times, kind="stable")
    return pd.DataFrame(
        {
            "times": times[order],
            "clusters": clusters[order].astype(np.uint16),
            "amps": amps[order].astype(np.float32),
            "depths": depths[order].astype(np.float32),
        }
    )


def metrics(rng: np.random.Generator, truth: pd.DataFrame, spikes: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """The quality metrics of the release, one row a unit.

    Counts, rates, amplitudes and presence are computed from the spikes. The results of the two tests that need
    more than that (``max_confidence`` of the refractory period, percent; ``noise_cutoff``) follow from the fault that
    was put in.
    """
    by_unit = spikes.groupby("clusters")
    amps = by_unit["amps"].agg(["max", "min", "median", "std", "mean"]).reindex(truth.index)
    count = by_unit.size().reindex(truth.index, fill_value=0)
    minute = (spikes["times"] // 60).astype(int)
    n = len(truth)
    contaminated, cut_off = (truth["fault"] == fault for fault in ("contaminated", "cut off"))
    table = pd.DataFrame(
        {
            "cluster_id": truth.index,
            "amp_max": amps["max"],
            "amp_min": amps["min"],
            "amp_median": amps["median"],
            "amp_std_dB": 20 * np.log10(1 + amps["std"] / amps["mean"]),
            "contamination": np.where(contaminated, rng.uniform(0.3, 0.9, n), rng.uniform(0, 0.05, n)),
            "contamination_alt": np.where(contaminated, rng.uniform(0.2, 0.6, n), rng.uniform(0, 0.03, n)),
            "drift": rng.gamma(2, 0.5, n),
            "missed_spikes_est": np.where(cut_off, rng.uniform(0.2, 0.5, n), rng.uniform(0, 0.02, n)),
            "noise_cutoff": np.where(cut_off, rng.uniform(8, 40, n), rng.normal(0, 1.2, n).clip(-3, 4)),
            "presence_ratio": minute.groupby(spikes["clusters"]).nunique().reindex(truth.index) / int(seconds / 60),
            "presence_ratio_std": by_unit["times"].std().reindex(truth.index),
            "max_confidence": np.where(contaminated, rng.uniform(0, 80, n), rng.uniform(91, 99.9, n)),
            "min_contamination": np.where(contaminated, np.nan, rng.uniform(0.5, 9.5, n)),
            "spike_count": count,
            "firing_rate": count / seconds,
        }
    )
    passes = np.c_[table["max_confidence"] >= 90, table["noise_cutoff"] < 5, table["amp_median"] > 50e-6]
    table["slidingRP_viol"] = table["slidingRP_viol_forced"] = passes[:, 0].astype(float)
    table["n_spikes_below2"] = np.where(contaminated, count // 100, 0)
    table["label"] = passes.mean(axis=1)
    table["bitwise_fail"] = (~passes) @ [1, 2, 4]
    table["ks2_label"] = np.where(contaminated, "mua", "good")
    return table


def _events(trials: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, sides (−1 left, +1 right) and weights of the events that a variable stands for."""
    if name == "stimulus":
        contrast = trials["contrastLeft"].fillna(trials["contrastRight"])
        return trials["stimOn_times"].to_numpy(), trials["side"].to_numpy(), contrast.to_numpy() ** 0.5
    if name == "choice":
        chosen = trials[trials["choice"] != 0]
        return chosen["movement_onset"].to_numpy(), -chosen["choice"].to_numpy(), np.ones(len(chosen))
    rewarded = (trials["feedbackType"] == 1).to_numpy()
    return trials["feedback_times"].to_numpy(), np.ones(len(trials)), np.where(rewarded, 1.0, 0.4)


def _response(onsets: np.ndarray, weights: np.ndarray, decay: float, n_bins: int) -> np.ndarray:
    """Impulses at the onsets, each rising and falling as t·exp(−t) with a peak of 1 after ``decay`` / 2 seconds."""
    impulses = np.zeros(n_bins)
    index = (onsets / BIN).astype(int)
    inside = index < n_bins
    np.add.at(impulses, index[inside], weights[inside])
    pole = np.exp(-2 * BIN / decay)
    kernel = lfilter([0, pole], [1, -2 * pole, pole**2], impulses)
    steps = decay / (2 * BIN)
    return kernel / (steps * np.exp(-1))


def _wander(rng: np.random.Generator, n_bins: int, smooth: float) -> np.ndarray:
    """A smooth random walk about 0 with unit spread and a time scale of ``smooth`` seconds."""
    step = max(round(smooth / BIN / 4), 1)  # drawn coarsely and interpolated: the same curve, a hundred times faster
    coarse = gaussian_filter1d(rng.normal(size=n_bins // step + 3), 4 if step > 1 else smooth / BIN)
    fine = np.interp(np.arange(n_bins) / step, np.arange(coarse.size), coarse)
    return fine / fine.std()
