"""The probes: where they lie in the brain, their channels, how they drift, and what a spike looks like on them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from iblutil.util import Bunch
from scipy.ndimage import gaussian_filter1d

from ..analysis.quality import SAMPLING_RATE
from ..analysis.regions import brain_regions

N_CHANNELS = 384
N_SAMPLES, TROUGH_AT, N_NEAR = 82, 41, 32  # of a mean waveform: samples, sample of the trough, channels
SNIPPET, SNIPPET_TROUGH, SNIPPET_RADIUS = 128, 42, 200  # of that of one spike: samples, sample of the trough, µm
# Noise of real channels, once what all share is taken away: V at these quantiles.
NOISE_QUANTILES, NOISE = [0, 0.05, 0.5, 0.95, 1], [6e-6, 8e-6, 12e-6, 20e-6, 26e-6]


@dataclass(frozen=True)
class Track:
    """The way of one probe through the brain; drawn by hand, plausible, not taken from a mouse.

    ``regions`` are (µm from the tip, Allen acronym) from the tip upwards; sites above ``surface`` (µm) are out of the
    brain. ``tip`` is in µm from bregma (right, front, up), ``direction`` leads from it along the probe.
    """

    tip: tuple[float, float, float]
    direction: tuple[float, float, float]
    surface: float
    regions: tuple[tuple[float, str], ...]


# As in the release, forebrain and midbrain are recorded on the left, hindbrain on the right.
TRACKS = {
    # The repeated site of the release, on the left: parietal cortex, hippocampus, thalamus.
    "parietal": Track(
        tip=(-1600, -2300, -3900),
        direction=(-0.20, 0.12, 0.97),
        surface=3300,
        regions=(
            (0, "PO"),
            (650, "LP"),
            (1250, "DG-po"),
            (1500, "DG-mo"),
            (1800, "CA1"),
            (2350, "VISa6a"),
            (2700, "VISa5"),
        ),
    ),
    # On the left: visual cortex, superior colliculus, midbrain.
    "collicular": Track(
        tip=(-1000, -3900, -3850),
        direction=(-0.08, 0.02, 0.99),
        surface=3300,
        regions=(
            (0, "MRN"),
            (950, "SCiw"),
            (1200, "SCig"),
            (1600, "SCop"),
            (1850, "SCsg"),
            (2100, "root"),
            (2250, "VISpm6a"),
            (2500, "VISpm5"),
            (2900, "VISpm2/3"),
        ),
    ),
    # On the left: secondary motor cortex and striatum.
    "frontal": Track(
        tip=(-1900, 1300, -3950),
        direction=(0.1, 0.05, 0.99),
        surface=3300,
        regions=((0, "CP"), (1700, "MOs6a"), (2150, "MOs5"), (2800, "MOs2/3")),
    ),
    # On the left: the olfactory nucleus below orbital and motor cortex.
    "olfactory": Track(
        tip=(-1200, 2600, -4200),
        direction=(-0.05, 0.0, 1.0),
        surface=3500,
        regions=((0, "AON"), (1100, "ORBl6a"), (1500, "ORBl5"), (2300, "MOs5"), (3000, "MOs2/3")),
    ),
    # On the right: hindbrain, and midbrain on the way.
    "pontine": Track(
        tip=(700, -4300, -4900),
        direction=(0.05, 0.1, 0.99),
        surface=3840,
        regions=((0, "PRNr"), (1200, "MRN"), (2200, "SCig"), (2900, "SCop"), (3200, "SCsg")),
    ),
}


def channels(rng: np.random.Generator, track: Track) -> pd.DataFrame:
    """The 384 sites of a Neuropixels 1.0 probe and the Allen region of each.

    Returns
    -------
    DataFrame
        ``lateral_um``, ``axial_um`` (from the tip), ``ml``, ``ap``, ``dv`` (µm from bregma), ``atlas_id``,
        ``acronym``, ``labels`` (0 good, 1 dead, 2 noisy, 3 outside the brain).
    """
    site = np.arange(N_CHANNELS)
    axial = 20.0 * (site // 2) + 20
    bottoms, acronyms = zip(*track.regions, strict=True)
    acronym = np.array(acronyms, dtype=object)[np.searchsorted(bottoms, axial, side="right") - 1]
    acronym[axial > track.surface] = "root"
    direction = np.array(track.direction) / np.linalg.norm(track.direction)
    ml, ap, dv = (np.array(track.tip) + axial[:, None] * direction).T
    labels = np.where(axial > track.surface, 3, 0)
    bad = rng.choice(np.flatnonzero(labels == 0), 6, replace=False)
    labels[bad] = rng.choice([1, 2], bad.size)
    return pd.DataFrame(
        {
            "lateral_um": np.array([43.0, 11.0, 59.0, 27.0])[site % 4],
            "axial_um": axial,
            "ml": ml,
            "ap": ap,
            "dv": dv,
            "atlas_id": brain_regions().acronym2id(acronym),
            "acronym": acronym,
            "labels": labels,
        }
    )


def drift(rng: np.random.Generator, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """How far the brain has slipped along the probe: times (s, one a second) and µm, towards the surface positive."""
    times = np.arange(0.5, seconds)
    slow = gaussian_filter1d(rng.normal(size=times.size), 120)
    return times, slow / slow.std() + rng.normal(0, 0.1, times.size)


def clock(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """The probe's samples and the session's seconds at the same moments, shape (n, 2): its clock runs a little off."""
    times = np.linspace(0, seconds, 50)
    rate = SAMPLING_RATE * (1 + 1e-6 * rng.uniform(-20, 20))
    return np.c_[np.round((times + rng.uniform(0, 0.2)) * rate), times]


def saturation(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Intervals (s) in which the voltage was beyond what the probe can measure, about one in two minutes."""
    start = np.sort(rng.uniform(5, seconds - 5, rng.poisson(seconds / 120)))
    return np.c_[start, start + rng.uniform(0.005, 0.1, start.size)]


def waveforms(units: pd.DataFrame, sites: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The mean waveform of each unit on the channels near it.

    Parameters
    ----------
    units : DataFrame
        ``channel``, ``depth`` (µm), ``amplitude`` (V) and ``trough_to_peak`` (ms) of each.
    sites : DataFrame
        As `channels` gives it.

    Returns
    -------
    waveforms : ndarray, shape (n_units, 82, 32), float32
        V, at 30 kHz; the trough of the largest lies at sample 41.
    near : ndarray, shape (n_units, 32), int32
        The channels, nearest first.
    """
    distance = _apart(sites)[units["channel"]]
    near = np.argsort(distance, axis=1, kind="stable")[:, :N_NEAR].astype(np.int32)
    distance = np.take_along_axis(distance, near, axis=1)[:, None, :]
    ms = (np.arange(N_SAMPLES) - TROUGH_AT) / SAMPLING_RATE * 1000
    return _shapes(units, distance, ms), near


def snippets(
    rng: np.random.Generator, spikes: pd.DataFrame, units: pd.DataFrame, sites: pd.DataFrame, number: int
) -> Bunch:
    """A few spikes of each unit as the voltage shows them, in the form of ``ibldsp.waveform_extraction``.

    Parameters
    ----------
    rng : Generator
    spikes : DataFrame
        ``clusters``, ``samples`` and ``amps`` (V), in time.
    units, sites : DataFrame
        As for `waveforms`.
    number : int
        Of a unit that has so many spikes.

    Returns
    -------
    Bunch
        ``traces`` (V, float16; spikes × 40 channels × 128 samples, by unit and time; the trough lies at sample 42; NaN
        beyond the ends of the probe); ``channels`` (spikes × 40), these channels in their order, 384 for none;
        ``table``, whose each is; ``templates`` (V; units that fired × 40 × 128), the median of each unit's traces.
    """
    drawn = spikes.loc[rng.permutation(len(spikes))].groupby("clusters").head(number).sort_index()
    drawn = drawn.assign(index=np.arange(len(drawn))).sort_values("clusters", kind="stable")
    unit = drawn["clusters"].to_numpy().astype(np.int64)

    apart = _apart(sites)
    distance = apart[units["channel"]]
    n_near = np.sum(apart <= SNIPPET_RADIUS, axis=1).max()
    near = np.sort(np.where(distance <= SNIPPET_RADIUS, np.arange(N_CHANNELS), N_CHANNELS), axis=1)[:, :n_near]
    distance = np.take_along_axis(np.c_[distance, np.zeros(len(units))], near, axis=1)[:, None, :]
    ms = (np.arange(SNIPPET) - SNIPPET_TROUGH) / SAMPLING_RATE * 1000
    shapes = _shapes(units, distance, ms).transpose(0, 2, 1)[unit]
    size = drawn["amps"].to_numpy() / units["amplitude"].to_numpy(np.float32)[unit]
    level = np.append(_noise(rng), np.nan).astype(np.float32)[near[unit]]
    noise = level[:, :, None] * rng.standard_normal(shapes.shape, np.float32)
    traces = (size[:, None, None] * shapes + noise).astype(np.float16)
    table = {
        "index": drawn["index"].to_numpy(),
        "sample": drawn["samples"].to_numpy(),
        "cluster": unit,
        "peak_channel": units["channel"].to_numpy()[unit],
        "waveform_index": np.arange(len(unit)),
        "index_within_clusters": drawn.groupby("clusters").cumcount().to_numpy(),
    }
    templates = [np.median(traces[unit == each].astype(np.float32), axis=0) for each in np.unique(unit)]
    return Bunch(traces=traces, channels=near[unit], table=pd.DataFrame(table), templates=np.array(templates))


def _apart(sites: pd.DataFrame) -> np.ndarray:
    """How far (µm) each channel is from each."""
    place = sites[["lateral_um", "axial_um"]].to_numpy()
    return np.linalg.norm(place[None] - place[:, None], axis=2)


def _shapes(units: pd.DataFrame, distance: np.ndarray, ms: np.ndarray) -> np.ndarray:
    """The mean waveforms of units (V; units × samples × channels), so far off (µm) and so long after the trough."""
    late = units["trough_to_peak"].to_numpy()[:, None, None]

    def shape(distance: np.ndarray | float) -> np.ndarray:
        # Farther off the spike is smaller, later and wider.
        after = ms[None, :, None] - distance / 1000
        before = 0.08 * np.exp(-0.5 * ((after + 0.25) / 0.12) ** 2)
        trough = -np.exp(-0.5 * (after / (0.04 + 0.1 * late + distance / 2000)) ** 2)
        return before + trough + 0.35 * np.exp(-0.5 * ((after - late) / np.where(after < late, 0.35 * late, 0.45)) ** 2)

    scale = units["amplitude"].to_numpy()[:, None, None] / np.ptp(shape(0.0), axis=1, keepdims=True)
    return (shape(distance) * scale * np.exp(-distance / 35)).astype(np.float32)


def _noise(rng: np.random.Generator) -> np.ndarray:
    """The noise of each channel, V."""
    return np.exp(np.interp(rng.random(N_CHANNELS), NOISE_QUANTILES, np.log(NOISE)))


def voltage(
    rng: np.random.Generator,
    spikes: Mapping[str, np.ndarray],
    shapes: Mapping[str, np.ndarray],
    start: float,
    stop: float,
) -> np.ndarray:
    """A snippet of the voltage that the spikes of a probe could have been found in.

    Every spike adds the mean waveform of its unit, with its trough at the time of the spike and as large as its
    amplitude says, to noise that is independent from sample to sample and between channels (that of a real probe is
    neither).

    Parameters
    ----------
    rng : Generator
    spikes : Bunch or other mapping
        ``times`` (s, sorted), ``clusters``, ``amps`` (V), as ``Insertion.spikes`` gives them.
    shapes : Bunch or other mapping
        ``waveforms`` (V; units × 82 × channels) and ``channels`` (units × channels, nearest first), as
        ``Insertion.waveforms`` gives them.
    start, stop : float
        s.

    Returns
    -------
    ndarray, shape (n_samples, 384), float32
        V, at 30 kHz.
    """
    n_samples = round((stop - start) * SAMPLING_RATE)
    level = _noise(rng)
    # With room at both ends for spikes that begin before or end after.
    volts = level * rng.normal(size=(n_samples + 2 * N_SAMPLES, N_CHANNELS))
    margin = (N_SAMPLES // 2 - 1) / SAMPLING_RATE
    for spike in range(*np.searchsorted(spikes["times"], [start - margin, stop + margin])):
        unit = spikes["clusters"][spike]
        shape = shapes["waveforms"][unit]
        first = round((spikes["times"][spike] - start) * SAMPLING_RATE) + N_SAMPLES - TROUGH_AT
        size = spikes["amps"][spike] / np.ptp(shape[:, 0])
        volts[first : first + N_SAMPLES, shapes["channels"][unit]] += size * shape
    return volts[N_SAMPLES:-N_SAMPLES].astype(np.float32)
