"""Quality metrics of units, against brainbox, slidingRP and phylib, and against what was put into the units."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from iblutil.util import Bunch

import bwm_tutorials as bwm
from bwm_tutorials.analysis import quality

HOUR = 3600.0
MICROVOLT = 1e-6


def train(rng, rate, seconds=HOUR, silence=0.003):
    """The spike times of one neuron: Poisson, but for the silence after each spike."""
    times = np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds)))
    return times[np.diff(times, prepend=-1) > silence]


def lognormal(rng, n, median=150 * MICROVOLT, spread=0.15):
    return median * np.exp(rng.normal(0, spread, n))


def of_one_unit(times, amps, cluster=0):
    return {"times": times, "clusters": np.full(times.size, cluster), "amps": amps, "depths": np.full(times.size, 9.0)}


def recording(*units):
    """Spikes of several units in order of time, with the release's types."""
    times, clusters, amps, depths = (
        np.concatenate([unit[name] for unit in units]) for name in ("times", "clusters", "amps", "depths")
    )
    order = np.argsort(times, kind="stable")
    return Bunch(
        times=times[order],
        clusters=clusters[order].astype(np.uint16),
        amps=amps[order].astype(np.float32),
        depths=depths[order].astype(np.float32),
    )


# --- brainbox gives the same -------------------------------------------------------------------------------------


def agree(found, n_clusters):
    """Hold our table against brainbox's, which is right for units without spikes as long as all are named."""
    single_units = pytest.importorskip("brainbox.metrics.single_units")
    ours = quality.quality_metrics(found, n_clusters)
    with np.errstate(all="ignore"):
        theirs = single_units.quick_unit_metrics(
            found["clusters"], found["times"], found["amps"], found["depths"], cluster_ids=np.arange(n_clusters)
        )
    # Brainbox counts the spikes of one unit in integers, of several in floats.
    pd.testing.assert_frame_equal(ours, pd.DataFrame(theirs), rtol=1e-6, atol=1e-12, check_dtype=n_clusters > 1)
    return ours


def test_the_sample_s_metrics_are_brainbox_s(probe):
    metrics = agree(probe.spikes, len(probe.clusters))
    assert set(metrics) <= set(probe.clusters), "the release has these columns"
    assert metrics["bitwise_fail"].nunique() > 3


@pytest.fixture(scope="module")
def real_spikes():
    """The real excerpt has no amplitudes and depths; these are drawn."""
    one = bwm.connect("real")
    (eid,) = one.search(subject="probe_excerpt")
    found = one.load_object(eid, "spikes", collection="alf/probe00")
    rng = np.random.default_rng(1)
    n = found["times"].size
    return Bunch(found, amps=lognormal(rng, n), depths=rng.uniform(0, 3840, n))


def test_a_real_recording_s_metrics_are_brainbox_s(real_spikes):
    metrics = agree(real_spikes, 500)
    assert (metrics["spike_count"] == 0).sum() == 500 - 289
    assert (metrics["max_confidence"] >= 90).sum() > 50 and (metrics["n_spikes_below2"] > 0).sum() > 20


def bursting(rng, seconds):
    first = train(rng, 3, seconds, silence=0.05)
    return np.sort(np.concatenate([first, first + 0.004, first + rng.uniform(0.006, 0.015, first.size)]))


def found_twice(rng, seconds):
    times = train(rng, 4, seconds)
    return np.sort(np.concatenate([times, times[::3], times[::7] + 0.00009, times[::5] + 0.0003]))


TRAINS = {
    "empty": lambda rng, seconds: np.empty(0),
    "one spike": lambda rng, seconds: rng.uniform(0, seconds, 1),
    "two spikes": lambda rng, seconds: rng.uniform(0, seconds / 2) + np.array([0, rng.choice([0, 0.001, 1.5])]),
    "few spikes": lambda rng, seconds: np.sort(rng.uniform(0, seconds, rng.integers(3, 30))),
    "slow": lambda rng, seconds: train(rng, 0.3, seconds),
    "clean": lambda rng, seconds: train(rng, 8, seconds),
    "fast": lambda rng, seconds: train(rng, 150, seconds, silence=0.001),
    "poisson": lambda rng, seconds: train(rng, 12, seconds, silence=0),
    "bursting": bursting,
    "found twice": found_twice,
    "gone after half": lambda rng, seconds: train(rng, 6, seconds / 2),
    "500 spikes": lambda rng, seconds: np.sort(rng.uniform(0, seconds, 500)),
    "501 spikes": lambda rng, seconds: np.sort(rng.uniform(0, seconds, 501)),
}


def cut_off(rng, n):
    amps = lognormal(rng, 3 * n + 20)
    return amps[amps > 150 * MICROVOLT][:n]


AMPLITUDES = {
    "whole": lognormal,
    "cut off": cut_off,
    "small": lambda rng, n: lognormal(rng, n, 30 * MICROVOLT),
    "tiny": lambda rng, n: lognormal(rng, n, 1e-10),
    "equal": lambda rng, n: np.full(n, 100 * MICROVOLT),
    "few levels": lambda rng, n: rng.choice([60, 70, 200], n) * MICROVOLT,
    "uniform": lambda rng, n: rng.uniform(50, 250, n) * MICROVOLT,
    "with outliers": lambda rng, n: lognormal(rng, n) * np.where(rng.random(n) < 0.003, 20, 1),
}


@settings(max_examples=60)
@given(
    units=st.lists(
        st.tuples(*(st.sampled_from(sorted(kinds)) for kinds in (TRAINS, AMPLITUDES))), min_size=1, max_size=8
    ),
    seconds=st.sampled_from([7, 14.9, 25, 60, 95, 150]),
    start=st.sampled_from([0, 12.34, -3]),
    amplitudes=st.sampled_from([np.float32, np.float64]),
    clusters=st.sampled_from([np.uint16, np.int64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_recording_s_metrics_are_brainbox_s(units, seconds, start, amplitudes, clusters, seed):
    rng = np.random.default_rng(seed)
    found = []
    for i, (timing, amplitude) in enumerate(units):
        times = start + TRAINS[timing](rng, seconds)
        found.append(of_one_unit(times, AMPLITUDES[amplitude](rng, times.size), i))
        found[-1]["depths"] = rng.normal(2000, 10, times.size)
    found = recording(*found)
    assume(found["times"].size)
    found["amps"] = found["amps"].astype(amplitudes)
    found["clusters"] = found["clusters"].astype(clusters)
    agree(found, len(units))


def test_confidence_is_slidingRP_s(real_spikes):
    reference = pytest.importorskip("slidingRP.metrics")
    for unit in pd.Series(real_spikes["clusters"]).value_counts().index[:100:20]:
        times = real_spikes["times"][real_spikes["clusters"] == unit]
        theirs, contamination, period, *_ = reference.computeMatrix(
            times, {"sampleRate": 30000, "binSizeCorr": 1 / 30000}
        )
        ours = quality.refractory_confidence(times)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(ours.index, contamination)
        np.testing.assert_allclose(ours.columns, period + 0.5 / 30000)  # theirs are the middles of bins


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), max_size=60), st.sampled_from([1, 15, 300]), st.integers(1, 200))
def test_the_autocorrelogram_counts_every_pair(times, width, n_bins):
    times = np.sort(times)
    samples = np.floor(times * 30000).astype(int)
    lags = np.subtract.outer(samples, samples)[np.tril_indices(times.size, -1)] // width
    expected = np.bincount(lags[lags < n_bins], minlength=n_bins)
    assert (quality.autocorrelogram(times, width / 30000, n_bins) == expected).all()


@pytest.mark.parametrize("bin_size", [1 / 30000, 0.0005, 0.01])
def test_the_autocorrelogram_is_phylib_s(real_spikes, bin_size):
    reference = pytest.importorskip("phylib.stats")
    times = real_spikes["times"][real_spikes["clusters"] == pd.Series(real_spikes["clusters"]).mode()[0]]
    theirs = reference.correlograms(
        times, np.zeros(times.size, int), [0], sample_rate=30000, bin_size=bin_size, window_size=0.2, symmetrize=False
    )[0, 0]
    ours = quality.autocorrelogram(times, bin_size, theirs.size)
    assert ours.sum() > 100 and (ours == theirs).all()


# --- the metrics find what was put in ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_each_fault_fails_its_own_criterion(seed):
    rng = np.random.default_rng(seed)
    own, foreign = train(rng, 5), train(rng, 2)
    both = np.sort(np.concatenate([own, foreign]))
    amps = lognormal(rng, 2 * both.size)
    whole, cut = amps[: own.size], amps[amps > np.median(amps)][: own.size]
    found = quality.quality_metrics(
        recording(
            of_one_unit(own, whole, 0),
            of_one_unit(both, amps[: both.size], 1),
            of_one_unit(own[: cut.size], cut, 2),
            of_one_unit(own, whole / 5, 3),
            of_one_unit(both[: cut.size], cut / 10, 4),
        ),
        n_clusters=5,
    )
    assert list(found["bitwise_fail"]) == [0, 1, 2, 4, 7]
    assert np.allclose(found["label"], [1, 2 / 3, 2 / 3, 2 / 3, 0])


def smallest_contamination(percent, seed):
    rng = np.random.default_rng(seed)
    both = [train(rng, 6 * share) for share in (1 - percent / 100, percent / 100)]
    return quality.sliding_refractory_period(np.sort(np.concatenate(both)))["min_contamination"]


def test_contamination_is_found_but_strong_contamination_is_taken_for_less():
    found = {percent: [smallest_contamination(percent, seed) for seed in range(30)] for percent in (2, 25)}
    assert 2 < np.mean(found[2]) < 4 and max(found[2]) < 10
    # Of 25 % from one other neuron 2 × 0.25 × 0.75 of the pairs are foreign, and 2 × 0.25 are expected.
    assert np.isclose(np.mean(found[25]), 25 * 0.75, atol=2) and min(found[25]) > 10


def test_confidence_rises_with_contamination_and_is_none_without_spikes():
    confidence = quality.refractory_confidence(train(np.random.default_rng(0), 5))
    assert (confidence.diff().iloc[1:] >= 0).all(axis=None) and confidence.iloc[-1].max() > 99
    assert (quality.refractory_confidence(np.empty(0)) == 0).all(axis=None)


@pytest.mark.parametrize(("rate", "forced"), [(0.3, 0), (0.5, 1)])
def test_too_few_spikes_to_tell_pass_only_by_force(rate, forced):
    single = train(np.random.default_rng(0), rate, silence=0.05)
    in_pairs = np.sort(np.concatenate([single, single[::10] + 0.0025]))
    found = quality.sliding_refractory_period(in_pairs)
    assert np.isnan(found["min_contamination"]) and found["n_spikes_below2"] == 0 and found["max_confidence"] < 90
    assert (found["slidingRP_viol"], found["slidingRP_viol_forced"]) == (0, forced)


def test_independent_spikes_have_a_contamination_of_one_half():
    rng = np.random.default_rng(0)
    times = train(rng, 20, silence=0)
    (found,) = quality.quality_metrics(recording(of_one_unit(times, lognormal(rng, times.size))), 1)["contamination"]
    assert np.isclose(found, 0.5, atol=0.05)


@pytest.mark.parametrize("missed", [0, 0.1, 0.3])
def test_missed_spikes_are_estimated(missed):
    rng = np.random.default_rng(0)
    amps = np.sort(rng.normal(150, 20, 20_000))[round(missed * 20_000) :] * MICROVOLT
    times = np.sort(rng.uniform(0, HOUR, amps.size))
    (found,) = quality.quality_metrics(recording(of_one_unit(times, amps)), 1)["missed_spikes_est"]
    assert np.isclose(found, missed, atol=0.05)


def test_a_unit_that_is_lost_halfway_is_present_for_half():
    rng = np.random.default_rng(0)
    whole, half = train(rng, 5), train(rng, 5, HOUR / 2)
    found = quality.quality_metrics(
        recording(of_one_unit(whole, lognormal(rng, whole.size)), of_one_unit(half, lognormal(rng, half.size), 1)), 2
    )
    assert np.allclose(found["presence_ratio"], [1, 0.5], atol=0.01)
    assert np.allclose(found["firing_rate"], [5, 2.5], rtol=0.05)


def test_a_unit_without_spikes_has_a_row_and_fails():
    found = quality.quality_metrics(recording(of_one_unit(np.arange(9.0), np.ones(9), cluster=1)), 3)
    assert list(found["cluster_id"]) == [0, 1, 2] and list(found["spike_count"]) == [0, 9, 0]
    known = found.iloc[0].dropna()
    assert dict(known[known != 0]) == {"bitwise_fail": 7}
    assert set(known.index) == {
        *("cluster_id", "spike_count", "firing_rate", "presence_ratio", "presence_ratio_std", "label", "bitwise_fail")
    }


@settings(max_examples=20)
@given(st.permutations(range(4)), st.integers(0, 2**32 - 1))
def test_numbers_of_units_do_not_matter(numbers, seed):
    rng = np.random.default_rng(seed)
    units = [train(rng, rate, 120) for rate in (0, 0.5, 5, 20)]
    amps = [lognormal(rng, times.size) for times in units]
    first, second = (
        quality.quality_metrics(recording(*map(of_one_unit, units, amps, order)), 4).drop(columns="cluster_id")
        for order in (range(4), numbers)
    )
    pd.testing.assert_frame_equal(second.iloc[numbers].reset_index(drop=True), first)


def test_labels_at_their_thresholds():
    columns = ["max_confidence", "noise_cutoff", "amp_median"]
    rows = {
        (90, 4.99, 50.1e-6): (1, 0),
        (89.9, 4.99, 50.1e-6): (2 / 3, 1),
        (90, 5, 50.1e-6): (2 / 3, 2),
        (90, 4.99, 50e-6): (2 / 3, 4),
        (90, np.nan, 50e-6): (1 / 3, 6),
        (np.nan, np.nan, np.nan): (0, 7),
    }
    metrics = pd.DataFrame(rows.keys(), columns=columns, index=range(10, 16))
    found = quality.quality_labels(metrics)
    assert list(found.index) == list(metrics.index) and found["bitwise_fail"].dtype == np.uint8
    np.testing.assert_allclose(found, list(rows.values()))


# --- what cannot be measured is refused --------------------------------------------------------------------------

GOOD = recording(of_one_unit(np.arange(5.0), np.full(5, 1e-4)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"times": GOOD.times[::-1]}, "must be sorted"),
        ({"times": np.where(GOOD.times == 2, np.nan, GOOD.times)}, "without NaN"),
        ({"times": np.full(5, np.nan)}, "without NaN"),
        ({"times": np.append(GOOD.times[:4], np.inf)}, "must be sorted"),
        ({"clusters": GOOD.clusters + 1}, "from 0 to 0; they are uint16 from 1 to 1"),
        ({"clusters": GOOD.clusters.astype(int) - 1}, "from -1 to -1"),
        ({"clusters": GOOD.clusters.astype(float)}, "must be integers"),
        ({"amps": GOOD.amps[:4]}, r"of one length; they are times \(5,\), clusters \(5,\), amps \(4,\)"),
        ({"amps": GOOD.amps * np.inf}, "finite"),
        ({"amps": -GOOD.amps}, "not below 0 V"),
        ({name: array[:0] for name, array in GOOD.items()}, "There are no spikes"),
    ],
)
def test_bad_spikes_are_refused_in_one_sentence(change, says):
    with pytest.raises(ValueError, match=says) as refused:
        quality.quality_metrics(GOOD | change, 1)
    assert str(refused.value).count(". ") == 0 and str(refused.value).endswith(".")


def test_spikes_of_an_older_sorting_are_refused():
    with pytest.raises(ValueError, match="these lack amps, depths"):
        quality.quality_metrics({"times": GOOD.times, "clusters": GOOD.clusters}, 1)


def test_a_bin_below_a_sample_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        quality.autocorrelogram(GOOD.times, bin_size=1e-5)
