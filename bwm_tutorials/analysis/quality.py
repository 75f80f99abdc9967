"""How well the units that spikes were sorted into are isolated: the release's quality metrics.

Times are seconds, amplitudes V, depths µm from the tip. The measures are those of the release's
``clusters.metrics.pqt``, computed from the spikes alone.
"""

from bisect import bisect_left
from collections.abc import Mapping
from itertools import count
from math import ceil

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from scipy.special import gammainc

from .checks import at_least, in_order
from .counting import arrays

SAMPLING_RATE = 30_000
"""Samples a second of a Neuropixels probe; lags between spikes are counted in them."""

MIN_CONFIDENCE = 90.0
"""Percent: a unit passes if one can be at least this sure that its contamination is below `MAX_CONTAMINATION`."""
MAX_CONTAMINATION = 10.0
"""Percent of a unit's spikes that may be another neuron's."""
MAX_NOISE_CUTOFF = 5.0
"""Standard deviations: a unit passes below it."""
MIN_AMPLITUDE = 50e-6
"""V: a unit passes above it."""

CONTAMINATIONS = np.arange(0.5, 35, 0.5)
"""Percent: the contaminations that a unit is tested for."""
REFRACTORY_PERIODS = np.arange(1, 301) / SAMPLING_RATE
"""s: the refractory periods that it is tested at."""
MIN_REFRACTORY_PERIOD = 0.0005
"""s: only longer ones count, for a sorter rarely finds both of two spikes that overlap."""

# Of the measures that no criterion rests on.
VIOLATION = 0.0015  # s; an interval below it is too short for one neuron
DUPLICATE = 0.0001  # s; spikes this close are one, found twice
PRESENCE_BIN = 10.0  # s

METRICS = (
    "cluster_id",
    "amp_max",
    "amp_min",
    "amp_median",
    "amp_std_dB",
    "contamination",
    "contamination_alt",
    "drift",
    "missed_spikes_est",
    "noise_cutoff",
    "presence_ratio",
    "presence_ratio_std",
    "slidingRP_viol",
    "spike_count",
    "slidingRP_viol_forced",
    "max_confidence",
    "min_contamination",
    "n_spikes_below2",
    "firing_rate",
)


def quality_metrics(spikes: Mapping[str, np.ndarray], n_clusters: int) -> pd.DataFrame:
    """The release's quality metrics of every unit, from its spikes.

    Parameters
    ----------
    spikes : Bunch or other mapping
        ``times`` (s, sorted), ``clusters`` (integers from 0 to ``n_clusters`` − 1), ``amps`` (V) and ``depths`` (µm),
        each of shape (n_spikes,), as ``Insertion.spikes`` gives them. Amplitudes and depths may be NaN.
    n_clusters : int
        How many units there are; some may have no spikes.

    Returns
    -------
    DataFrame
        One row a unit, in order of ``cluster_id``; float64 but for ``cluster_id`` (int64) and ``bitwise_fail``
        (uint8). The recording lasts from the first spike of any unit to the last.

        - ``amp_max``, ``amp_min``, ``amp_median``: V; the median is taken in dB. Spikes whose amplitude is not known
          do not count in it, in the next one and in the two of what may be missed.
        - ``amp_std_dB``: standard deviation of the amplitudes in dB; NaN for one spike.
        - ``contamination``: the intervals below 1.5 ms, by twice the number that independent spikes would give
          (0 for a clean unit, .5 if all are noise); of spikes within .1 ms only the first counts.
        - ``contamination_alt``: the fraction of foreign spikes that the intervals below 1.5 ms suggest (after Hill
          et al. 2011), the recording taken from the unit's own first spike to its last.
        - ``drift``: µm an hour by which the depth changes from spike to spike, either way summed; NaN if a depth is.
        - ``missed_spikes_est``: fraction of spikes too small to be found, if amplitudes are symmetric about their
          peak (after Hill et al. 2011); at most .5, NaN for 500 spikes or fewer.
        - ``noise_cutoff``: see `noise_cutoff`.
        - ``presence_ratio``, ``presence_ratio_std``: of the recording's bins of 10 s, the fraction that has spikes,
          and the standard deviation of the spike counts.
        - ``spike_count``, ``firing_rate``: number of spikes, and spikes a second of the recording.
        - ``slidingRP_viol``, ``slidingRP_viol_forced``, ``max_confidence``, ``min_contamination``,
          ``n_spikes_below2``: see `sliding_refractory_period`.
        - ``label``, ``bitwise_fail``: see `quality_labels`.

        Without spikes, count, rate, presence and label are 0, and the other measures NaN.

    Raises
    ------
    ValueError
        The spikes lack an array, are not in order, have an amplitude below 0, or belong to a unit that is not there.
    TooFew
        There are no spikes.

    Notes
    -----
    Agrees with ``brainbox.metrics.single_units.quick_unit_metrics``. Described in IBL's white paper on spike sorting
    (https://doi.org/10.6084/m9.figshare.19705522) and by Hill, Mehta and Kleinfeld (J Neurosci 31:8699, 2011).
    """
    times, clusters, amps, depths = _checked(spikes, n_clusters)
    ends = np.cumsum(np.bincount(clusters, minlength=n_clusters))
    units = np.split(np.argsort(clusters, kind="stable"), ends[:-1])
    # One spike makes a recording of no length: its rate is infinite.
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = [_unit_metrics(times[u], amps[u], depths[u], times[0], times[-1]) for u in units]
    metrics = pd.DataFrame(rows, columns=METRICS[1:], dtype=float)
    metrics.insert(0, "cluster_id", np.arange(n_clusters))
    return metrics.join(quality_labels(metrics))


def trough_to_peak(waveforms: np.ndarray) -> np.ndarray:
    """How wide mean waveforms are: from the trough to the peak after it, on the channel nearest to the unit.

    Parameters
    ----------
    waveforms : ndarray, shape (n_units, n_samples, n_channels)
        At 30 kHz, the nearest channel first, as ``Insertion.waveforms`` gives them.

    Returns
    -------
    ndarray, shape (n_units,)
        ms; NaN where the waveform is flat or not known, or ends with its trough.
    """
    own = np.asarray(waveforms, float)[:, :, 0]
    trough = own.argmin(axis=1)
    after = np.where(np.arange(own.shape[1]) > trough[:, None], own, -np.inf)
    known = ~np.isnan(own).any(axis=1) & (np.ptp(own, axis=1) > 0) & (trough < own.shape[1] - 1)
    return np.where(known, (after.argmax(axis=1) - trough) / SAMPLING_RATE * 1000, np.nan)


def quality_labels(metrics: pd.DataFrame) -> pd.DataFrame:
    """Which of the three criteria of the release each unit passes.

    Parameters
    ----------
    metrics : DataFrame
        Columns ``max_confidence`` (percent; at least `MIN_CONFIDENCE`), ``noise_cutoff`` (below `MAX_NOISE_CUTOFF`)
        and ``amp_median`` (V; above `MIN_AMPLITUDE`). NaN does not pass.

    Returns
    -------
    DataFrame
        Indexed as ``metrics``: ``label``, the fraction of criteria passed (1 is a good unit), and ``bitwise_fail``
        (uint8), the sum of 1, 2 and 4 for those failed, in this order.
    """
    passes = np.c_[
        metrics["max_confidence"] >= MIN_CONFIDENCE,
        metrics["noise_cutoff"] < MAX_NOISE_CUTOFF,
        metrics["amp_median"] > MIN_AMPLITUDE,
    ]
    failed = np.packbits(~passes, axis=1, bitorder="little").ravel()
    return pd.DataFrame({"label": passes.mean(axis=1), "bitwise_fail": failed}, index=metrics.index)


def autocorrelogram(times: np.ndarray, bin_size: float = 1 / SAMPLING_RATE, n_bins: int = 300) -> np.ndarray:
    """How many pairs of spikes lie how far apart.

    Parameters
    ----------
    times : ndarray, shape (n_spikes,)
        Of one unit: s, sorted.
    bin_size : float
        s; rounded to samples of the probe.
    n_bins : int
        How many bins, from lag 0 upwards.

    Returns
    -------
    ndarray of int, shape (n_bins,)
        Pairs, not only of neighbours, by lag: bin i is for i × ``bin_size`` or more and less than
        (i + 1) × ``bin_size``, times being cut to whole samples. Agrees with ``phylib.stats.correlograms``.

    Raises
    ------
    ValueError
        ``bin_size`` is less than a sample.
    """
    samples, width = _samples(times), _width(bin_size)
    pairs = np.zeros(at_least(n_bins, 1, "n_bins"), int)
    first = np.arange(samples.size)
    for ahead in count(1):  # each spike with the next, with the one after that, … as long as any is close enough
        first = first[first < samples.size - ahead]
        lags = (samples[first + ahead] - samples[first]) // width
        close = lags < n_bins
        if not close.any():
            return pairs
        first = first[close]
        pairs += np.bincount(lags[close], minlength=n_bins)


def refractory_confidence(times: np.ndarray) -> pd.DataFrame:
    """How sure one can be that less than so much of a unit is contamination, were its refractory period so long.

    A neuron is silent for some milliseconds after each of its spikes, so pairs of spikes that are closer come from
    two neurons. Were the contamination just so much, a certain number of such pairs would be expected by chance; the
    confidence is the probability that chance gives more than there are (Poisson).

    Parameters
    ----------
    times : ndarray, shape (n_spikes,)
        Of one unit: s, sorted.

    Returns
    -------
    DataFrame
        Confidence (percent): rows are `CONTAMINATIONS` (percent), columns `REFRACTORY_PERIODS` (s). Agrees with
        ``slidingRP.metrics.computeMatrix``.

    Notes
    -----
    If a fraction f of the spikes is another neuron's, 2 f (1 − f) of the pairs are foreign, but 2 f are expected:
    strong contamination is taken for less than it is, 25 % for some 19 %.
    """
    within, by_chance = _pairs(times)
    return pd.DataFrame(
        _confidence(within, by_chance, CONTAMINATIONS[:, None]),
        index=pd.Index(CONTAMINATIONS, name="contamination"),
        columns=pd.Index(REFRACTORY_PERIODS, name="refractory_period"),
    )


def sliding_refractory_period(times: np.ndarray) -> dict[str, float]:
    """Whether a unit keeps a refractory period, of whichever length suits it best.

    Parameters
    ----------
    times : ndarray, shape (n_spikes,)
        Of one unit: s, sorted.

    Returns
    -------
    dict
        From `refractory_confidence` at periods above `MIN_REFRACTORY_PERIOD`. Agrees with
        ``slidingRP.metrics.slidingRP``.

        - ``max_confidence``: percent, that the contamination is below `MAX_CONTAMINATION`.
        - ``min_contamination``: percent, the smallest of `CONTAMINATIONS` that the unit is below with
          `MIN_CONFIDENCE`; NaN if there is none.
        - ``n_spikes_below2``: pairs of spikes 2 ms or less apart.
        - ``slidingRP_viol``: against its name, 1 if the unit passes (``min_contamination`` is `MAX_CONTAMINATION`
          or less) and 0 if it fails.
        - ``slidingRP_viol_forced``: 1 if there are too few spikes to tell (no ``min_contamination``), but none 2 ms
          or less apart, at a rate above .5 Hz.
    """
    within, by_chance = _pairs(times)

    def confidence(contamination: float) -> float:
        return _confidence(within, by_chance, contamination)[REFRACTORY_PERIODS > MIN_REFRACTORY_PERIOD].max()

    row = bisect_left(CONTAMINATIONS, MIN_CONFIDENCE, key=confidence)  # confidence rises with contamination
    smallest = CONTAMINATIONS[row] if row < CONTAMINATIONS.size else np.nan
    below_2_ms = within[60]  # lags up to 60 samples
    return {
        "max_confidence": confidence(MAX_CONTAMINATION),
        "min_contamination": smallest,
        "n_spikes_below2": below_2_ms,
        "slidingRP_viol": float(smallest <= MAX_CONTAMINATION),
        "slidingRP_viol_forced": float(np.isnan(smallest) and below_2_ms == 0 and by_chance > 0.5 * times.size),
    }


def noise_cutoff(amps: np.ndarray) -> float:
    """How abruptly the distribution of a unit's amplitudes ends on its lower side, where spikes drown in noise.

    A unit whose spikes are all found has a tail on both sides. In a histogram with 99 bins from 0 to the largest
    amplitude, of which the empty ones do not count, the second bin is held against the upper half of those above
    the peak.

    Parameters
    ----------
    amps : ndarray, shape (n_spikes,)
        Of one unit: V (or any unit); NaN are left out.

    Returns
    -------
    float
        By how many standard deviations of the upper bins' heights the second bin is higher than their mean; NaN if
        they have no spread, as with few spikes. Agrees with ``brainbox.metrics.single_units.noise_cutoff``.
    """
    amps = amps[~np.isnan(amps)]
    if amps.size < 2 or amps.max() <= 0:
        return np.nan
    heights, _ = np.histogram(amps, np.linspace(0, amps.max(), 100))
    peak = heights.argmax()
    tail = heights[peak + ceil(np.count_nonzero(heights[peak:-1]) / 2) :]
    tail = tail[tail > 0]
    if not tail.size or tail.std() == 0:
        return np.nan
    return (heights[heights > 0][1] - tail.mean()) / tail.std()


def _unit_metrics(times: np.ndarray, amps: np.ndarray, depths: np.ndarray, start: float, stop: float) -> dict:
    """One row of `quality_metrics`, without the labels."""
    seconds = stop - start
    # As in the release: a recording that ends in the second half of a bin has one more, which is always empty.
    n_bins = ceil((stop + PRESENCE_BIN / 2 - start) / PRESENCE_BIN)
    counts = np.bincount(((times - start) / PRESENCE_BIN).astype(int), minlength=n_bins)
    row = {
        "presence_ratio": (counts > 0).mean(),
        "presence_ratio_std": counts.std(),
        "spike_count": times.size,
        "firing_rate": times.size / seconds,
    }
    if not times.size:
        return row
    amps = amps[~np.isnan(amps)]
    decibel = 20 * np.log10(amps)
    if amps.size:
        row |= {"amp_max": amps.max(), "amp_min": amps.min(), "amp_median": 10 ** (np.median(decibel) / 20)}
    return row | {
        "amp_std_dB": decibel.std(ddof=1, dtype=float) if amps.size > 1 else np.nan,
        "contamination": _contamination(times, seconds),
        "contamination_alt": _contamination_alt(times),
        "drift": np.abs(np.diff(depths)).sum() / seconds * 3600,
        "missed_spikes_est": _missed_spikes(amps),
        "noise_cutoff": noise_cutoff(amps),
        **sliding_refractory_period(times),
    }


def _contamination(times: np.ndarray, seconds: float) -> float:
    times = times[np.diff(times, prepend=-np.inf) > DUPLICATE]
    violations = (np.diff(times) < VIOLATION).sum()
    return violations * seconds / (2 * (VIOLATION - DUPLICATE) * times.size**2)


def _contamination_alt(times: np.ndarray) -> float:
    violations = (np.diff(times) < VIOLATION).sum()
    c = violations * (times[-1] - times[0]) / (2 * VIOLATION * times.size**2)
    # As in the release, which solves f (1 + f) = c; Hill et al. have f (1 − f) = c, the same where f is small.
    return (np.sqrt(1 + 4 * c) - 1) / 2


def _missed_spikes(amps: np.ndarray) -> float:
    if amps.size <= 500:
        return np.nan
    density = gaussian_filter1d(np.histogram(amps, amps.size // 10, density=True)[0], 4)
    peak = density.argmax()
    # What lies beyond the height at which the lower side ends has no counterpart there.
    unmatched = peak + np.abs(density[peak:] - density[0]).argmin()
    return min(density[unmatched:].sum() / density.sum(), 0.5)


def _pairs(times: np.ndarray) -> tuple[np.ndarray, int]:
    """How many pairs of spikes lie within each of `REFRACTORY_PERIODS`, and how many 1 to 2 s apart.

    The latter is what chance gives for each second of lag: refractoriness and bursts are over by then.
    """
    samples = _samples(times)
    before_1_s, before_2_s = (np.searchsorted(samples, samples + n * SAMPLING_RATE) for n in (1, 2))
    within = np.cumsum(autocorrelogram(times, n_bins=REFRACTORY_PERIODS.size))
    return within, (before_2_s - before_1_s).sum()


def _confidence(within: np.ndarray, by_chance: int, contamination: float | np.ndarray) -> np.ndarray:
    """Percent: the probability that chance, at this contamination (percent), gives more pairs than there are."""
    # Twice, because either spike of a pair may be the foreign one.
    expected = 2 * contamination / 100 * by_chance * REFRACTORY_PERIODS
    return 100 * gammainc(within + 1, expected)  # P(Poisson count > within)


def _samples(times: np.ndarray) -> np.ndarray:
    return (in_order(times, "times of spikes") * SAMPLING_RATE).astype(np.int64)


def _width(bin_size: float) -> int:
    """Of a bin, in samples."""
    width = round(bin_size * SAMPLING_RATE)
    if width < 1:
        raise ValueError(f"A bin is at least one sample wide, 1/{SAMPLING_RATE} s; bin_size is {bin_size} s.")
    return width


def _checked(spikes: Mapping[str, np.ndarray], n_clusters: int) -> list[np.ndarray]:
    _, clusters, amps, _ = found = arrays(spikes, "times", "clusters", "amps", "depths")
    if clusters.dtype.kind not in "iu" or not 0 <= clusters.min() <= clusters.max() < n_clusters:
        raise ValueError(
            f"Clusters of spikes must be integers from 0 to {n_clusters - 1}; they are {clusters.dtype} from "
            f"{clusters.min()} to {clusters.max()}."
        )
    if ((amps < 0) | np.isinf(amps)).any():
        raise ValueError("Amplitudes of spikes must be finite and not below 0 V: give those that are not known as NaN.")
    return found
