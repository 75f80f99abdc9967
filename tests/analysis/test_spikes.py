"""Counts and rates around events: against brainbox, pynapple and counting by hand."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from iblutil.util import Bunch

import bwm_tutorials as bwm
from bwm_tutorials.analysis import quality, responses, spikes
from bwm_tutorials.simulate import session as simulated


def random_spikes(seed, n=20_000, n_units=12, seconds=100, gaps=False):
    """Spikes of units of very different rates, with the release's types."""
    rng = np.random.default_rng(seed)
    share = rng.lognormal(0, 1.5, n_units)
    clusters = np.append(rng.choice(n_units, n - n_units, p=share / share.sum()), np.arange(n_units))
    if gaps:
        clusters = clusters * 3 + 5
    return Bunch(times=np.sort(rng.uniform(0, seconds, n)), clusters=rng.permutation(clusters).astype(np.uint16))


@st.composite
def recordings(draw):
    """Spikes on a grid of 1/64 s, many at once, and events on a grid of 1/32 s, where sums have no rounding."""
    seed, n = draw(st.integers(0, 2**32 - 1)), draw(st.integers(2, 400))
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, draw(st.sampled_from([64, 640, 6400])), n)) / 64
    clusters = rng.choice(rng.choice(50, draw(st.integers(1, 6)), replace=False), n)
    events = rng.integers(-20, 32 * max(times[-1], 1) + 20, draw(st.integers(1, 20))) / 32
    events[rng.random(events.size) < 0.1] = np.nan
    start, n_bins = draw(st.integers(-20, 10)) / 16, draw(st.integers(1, 12))
    bin_size = draw(st.sampled_from([1 / 16, 1 / 8, 1 / 2]))
    window = (start, start + n_bins * bin_size)
    inside = (events + window[0] >= times[0]) & (events + window[1] <= times[-1])
    assume(inside.any())
    kind = draw(st.sampled_from([np.uint16, np.int32, np.int64]))
    return Bunch(times=times, clusters=clusters.astype(kind)), events, window, bin_size, inside


def by_hand(found, events, window, bin_size):
    """Counts of units × events × bins, spike by spike."""
    units = np.unique(found["clusters"])
    counts = np.zeros((units.size, events.size, round((window[1] - window[0]) / bin_size)), int)
    for e, event in enumerate(events):
        for time, cluster in zip(found["times"], found["clusters"], strict=True):
            if event + window[0] <= time < event + window[1]:
                counts[np.searchsorted(units, cluster), e, int((time - event - window[0]) / bin_size)] += 1
    return units, counts


# --- counted by hand ---------------------------------------------------------------------------------------------


@given(recordings())
def test_spikes_one_by_one_are_those_that_are_counted(made):
    found, events, window, bin_size, inside = made
    ours = spikes.trial_counts(found, events, window, bin_size)
    for unit, counts in zip(ours.units, ours.counts, strict=True):
        rows = spikes.aligned(found, unit, events, window)
        assert rows["time"].between(*window, inclusive="left").all() and inside[rows["trial"]].all()
        bins = ((rows["time"] - window[0]) / bin_size).astype(int)
        by_one = np.zeros((events.size, counts.shape[1]), int)
        np.add.at(by_one, (rows["trial"], bins), 1)
        assert (by_one[inside] == counts).all()


def test_smoothing_keeps_what_is_level_and_moves_nothing(probe, session):
    rates = spikes.peth(probe.good_spikes, session.trials["feedback_times"], (-0.5, 0.5), 0.01)
    assert spikes.smoothed(rates, 0) is rates
    bump = rates._replace(mean=rates.mean * 0 + 4.0)
    bump.mean.iloc[:, 50] = 104.0
    smooth = spikes.smoothed(bump, 0.02)
    assert np.allclose(smooth.mean.sum(axis=1), bump.mean.sum(axis=1)) and smooth.sem.isna().all(axis=None)
    assert (smooth.mean.idxmax(axis=1) == bump.mean.columns[50]).all()
    width = np.average((bump.mean.columns - bump.mean.columns[50]) ** 2, weights=smooth.mean.iloc[0] - 4) ** 0.5
    assert abs(width - 0.02) < 0.001


@given(recordings())
def test_counts_and_rates_are_those_counted_by_hand(made):
    found, events, window, bin_size, inside = made
    units, counts = by_hand(found, events[inside], window, bin_size)
    ours = spikes.trial_counts(found, events, window, bin_size)
    assert (ours.counts == counts).all() and ours.counts.dtype == np.int16
    assert list(ours.units) == list(units) and list(ours.trials) == list(np.flatnonzero(inside))
    whole = spikes.counts_in_intervals(found, spikes.around(events, window))
    assert (whole.loc[:, inside] == counts.sum(axis=2)).all(axis=None) and whole.loc[:, ~inside].isna().all(axis=None)
    rates = spikes.peth(found, events, window, bin_size)
    n = inside.sum()
    assert rates.n_trials == n
    np.testing.assert_allclose(rates.mean, counts.mean(axis=1) / bin_size)
    if n > 1:
        np.testing.assert_allclose(rates.sem, counts.std(axis=1, ddof=1) / np.sqrt(n) / bin_size, atol=1e-6)
    else:
        assert rates.sem.isna().all(axis=None)
    np.testing.assert_allclose(rates.mean.columns, window[0] + bin_size * (np.arange(counts.shape[2]) + 0.5))
    assert (rates.mean.columns == ours.times).all()


@given(recordings(), st.integers(-1000, 1000), st.integers(0, 2**32 - 1))
def test_neither_the_clock_nor_the_order_of_units_and_events_matters(made, shift, seed):
    found, events, window, bin_size, _ = made
    first = spikes.trial_counts(found, events, window, bin_size)
    later = Bunch(found, times=found["times"] + shift)
    assert (spikes.trial_counts(later, events + shift, window, bin_size).counts == first.counts).all()
    rng = np.random.default_rng(seed)
    units, order = rng.permutation(first.units), rng.permutation(events.size)
    other = spikes.trial_counts(found, events[order], window, bin_size, units)
    row = pd.Series(range(len(first.units)), first.units)[units]
    column = pd.Series(range(len(first.trials)), first.trials)[order[other.trials]]
    assert (other.counts == first.counts[row][:, column]).all()
    one, all_of_them = (
        spikes.peth(found, events[o], window, bin_size, u) for o, u in ((order, units), (slice(None), None))
    )
    pd.testing.assert_frame_equal(one.mean, all_of_them.mean.loc[units])
    pd.testing.assert_frame_equal(one.sem, all_of_them.sem.loc[units], atol=1e-9)


@given(recordings(), st.integers(1, 4))
def test_a_peth_by_condition_is_that_of_its_events_alone(made, n_labels):
    found, events, window, bin_size, inside = made
    label = pd.Series(np.arange(events.size) % n_labels, name="side").astype(float)
    label[5::5] = np.nan
    ours = spikes.peth(found, events, window, bin_size, condition=label)
    assert ours.mean.index.names == ["side", "cluster"]
    for value, n in ours.n_trials.items():
        chosen = np.where(label == value, events, np.nan)
        assert n == (inside & (label == value)).sum()
        if n:
            alone = spikes.peth(found, chosen, window, bin_size)
            pd.testing.assert_frame_equal(ours.mean.loc[value], alone.mean)
            pd.testing.assert_frame_equal(ours.sem.loc[value], alone.sem)
        else:
            assert ours.mean.loc[value].isna().all(axis=None)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_no_spike_is_lost_or_counted_twice(seed, n):
    found = random_spikes(seed, 2000)
    edges = np.linspace(found.times[0], found.times[-1], n + 1)
    counts = spikes.counts_in_intervals(found, np.c_[edges[:-1], edges[1:]])
    last = found.clusters[found.times == found.times[-1]]  # an interval does not hold its stop
    total = np.bincount(found.clusters) - np.bincount(last, minlength=12)
    assert (counts.sum(axis=1) == total).all()


@pytest.mark.parametrize("bin_size", [0.7, 0.05, 0.01, 0.001])
@pytest.mark.parametrize("gaps", [False, True])
def test_bins_add_up_to_their_window_whatever_the_rounding(bin_size, gaps):
    """Also where the work is done in many parts, and with events so close that windows overlap."""
    found = random_spikes(1, 400_000, n_units=40, gaps=gaps)
    events = np.sort(np.random.default_rng(2).uniform(1, 99, 500))
    ours = spikes.trial_counts(found, events, (-0.2, 0.5), bin_size)
    whole = spikes.counts_in_intervals(found, spikes.around(events, (-0.2, 0.5)))
    assert (ours.counts.sum(axis=2) == whole).all(axis=None) and whole.to_numpy().sum() > 1e6
    rates = spikes.peth(found, events, (-0.2, 0.5), bin_size)
    np.testing.assert_allclose(rates.mean, ours.counts.mean(axis=1) / bin_size)
    np.testing.assert_allclose(rates.sem, ours.counts.std(axis=1, ddof=1) / np.sqrt(500) / bin_size, atol=1e-9)


def test_more_spikes_than_16_bits_can_count_are_counted():
    times = np.sort(np.append(np.linspace(0.1, 0.2, 40_000), np.arange(5.0)))
    found = Bunch(times=times, clusters=np.zeros(times.size, int))
    ours = spikes.trial_counts(found, [0.1, 2.5], (-0.05, 0.15), 0.2)
    assert ours.counts.dtype == np.int32 and list(ours.counts.ravel()) == [40_000, 0]
    rates = spikes.peth(found, [0.1, 2.5], (-0.05, 0.15), 0.2)
    assert np.isclose(rates.mean.iloc[0, 0], 1e5) and np.isclose(rates.sem.iloc[0, 0], 1e5)


# --- IBL's code and pynapple give the same -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def case(session, probe):
    """A probe of the sample, events of which none leaves the recording, and their names."""
    return probe.spikes, session.trials["stimOn_times"].dropna()


def test_the_peth_is_brainbox_s_without_smoothing(case):
    found, events = case
    singlecell = pytest.importorskip("brainbox.singlecell")
    units = np.unique(found.clusters)
    theirs, binned = singlecell.calculate_peths(
        found.times, found.clusters, units, events.to_numpy(), 0.2, 0.5, 0.02, smoothing=0
    )
    ours = spikes.peth(found, events, bin_size=0.02)
    np.testing.assert_allclose(ours.mean, theirs.means, atol=1e-9)
    np.testing.assert_allclose(ours.mean.columns, theirs.tscale, atol=1e-12)
    # Theirs is the standard deviation of these trials, ours the standard error of what they are a sample of.
    np.testing.assert_allclose(ours.sem, theirs.stds / np.sqrt(len(events) - 1), atol=1e-9)
    assert (spikes.trial_counts(found, events, bin_size=0.02).counts == binned.transpose(1, 0, 2)).all()


def test_brainbox_smooths_by_default_and_so_lowers_every_peak(case):
    found, events = case
    singlecell = pytest.importorskip("brainbox.singlecell")
    theirs, _ = singlecell.calculate_peths(found.times, found.clusters, np.unique(found.clusters), events.to_numpy())
    ours = spikes.peth(found, events, bin_size=0.025)
    assert (theirs.means.max(axis=1) < ours.mean.max(axis=1)).mean() > 0.95


def test_counts_are_brainbox_s(case):
    found, events = case
    singlecell = pytest.importorskip("brainbox.singlecell")
    units = np.unique(found.clusters)
    theirs, times = singlecell.bin_spikes2D(found.times, found.clusters, units, events.to_numpy(), 0.2, 0.5, 0.01)
    ours = spikes.trial_counts(found, events)
    assert (ours.counts == theirs.transpose(1, 0, 2)).all()
    np.testing.assert_allclose(ours.times, times, atol=1e-12)


def test_brainbox_gives_units_that_are_not_in_order_another_unit_s_spikes():
    singlecell = pytest.importorskip("brainbox.singlecell")
    found, events = random_spikes(0), np.arange(5, 95.0)
    units = np.arange(12)[::-1]
    theirs, _ = singlecell.bin_spikes2D(found.times, found.clusters, units, events, 0.2, 0.5, 0.1)
    ours = spikes.trial_counts(found, events, bin_size=0.1, units=units)
    hers = spikes.trial_counts(found, events, bin_size=0.1)
    assert (ours.counts == hers.counts[::-1]).all()
    assert (theirs.transpose(1, 0, 2) != ours.counts).any()


def test_counts_in_intervals_are_brainbox_s_in_the_recording(case):
    found, events = case
    decode = pytest.importorskip("brainbox.population.decode")
    intervals = spikes.around(events, (0.03, 0.33))
    theirs, units = decode.get_spike_counts_in_bins(found.times, found.clusters, intervals.to_numpy())
    ours = spikes.counts_in_intervals(found, intervals)
    assert (ours == theirs).all(axis=None) and (ours.index == units).all() and (ours.columns == events.index).all()
    # Outside of it, brainbox counts 0.
    beyond = np.array([[10.0, 11.0], [1e6, 1e6 + 1]])
    theirs, _ = decode.get_spike_counts_in_bins(found.times, found.clusters, beyond)
    assert (theirs[:, 1] == 0).all() and spikes.counts_in_intervals(found, beyond)[1].isna().all()


def test_counts_in_regular_bins_are_bincount2D_s(case):
    found, _ = case
    processing = pytest.importorskip("brainbox.processing")
    start, stop = 100.0, 700.0
    theirs, times, _ = processing.bincount2D(
        *(found[name][(found.times >= start) & (found.times < stop)] for name in ("times", "clusters")),
        xbin=0.5,
        ybin=np.unique(found.clusters),
        xlim=[start, stop],
    )
    ours = spikes.counts_in_intervals(found, np.c_[times[:-1], times[1:]])
    assert (ours == theirs[:, :-1]).all(axis=None)


def test_spikes_around_events_are_pynapple_s(case):
    nap = pytest.importorskip("pynapple")
    found, events = case
    units = spikes.firing_rates(found).nlargest(5).index
    ours = spikes.trial_counts(found, events, (-0.2, 0.5), 0.1, units)
    for unit, counts in zip(units, ours.counts, strict=True):
        theirs = nap.compute_perievent(
            nap.Ts(found.times[found.clusters == unit]), nap.Ts(events.to_numpy()), (-0.2, 0.5)
        )
        theirs = np.array([np.histogram(theirs[i].t, np.linspace(-0.2, 0.5, 8))[0] for i in range(len(events))])
        # It holds a spike's time from the event to the nanosecond, so that one at the edge of a bin may change sides.
        assert (theirs != counts).sum() <= 2 and theirs.sum() == counts.sum() > 1000


def test_rates_are_those_of_the_quality_metrics(probe):
    rates = spikes.firing_rates(probe.spikes)
    theirs = quality.quality_metrics(probe.spikes, len(probe.clusters)).set_index("cluster_id")["firing_rate"]
    np.testing.assert_allclose(rates, theirs[rates.index])
    assert rates.index.name == probe.clusters.index.name


# --- the sample's truth ------------------------------------------------------------------------------------------


def test_responses_begin_when_they_were_put_in():
    made = simulated.behave(7, 60, after=None)
    side, contrast = bwm.trials.stimulus_side(made.trials), np.abs(bwm.trials.signed_contrast(made.trials))
    errors = []
    for number, track in enumerate(("parietal", "collicular")):
        probe = simulated.insert(7, number, track, made, 60, {"stimulus": 0.5})
        truth = probe.truth_units
        for unit in truth.index[(truth["stimulus_gain"] > 3) & (truth["rate"] > 3)]:
            strong = (side == truth["stimulus_side"][unit]) & (contrast >= 25)
            rates = spikes.peth(probe.spikes, made.trials["stimOn_times"].where(strong), (-0.5, 0.3), 0.02, [unit])
            mean = rates.mean.loc[unit]
            rest = mean[mean.index < 0]
            first = mean.index[(mean.index > 0) & (mean > rest.mean() + 4 * rest.std())][0]
            errors.append(first - 0.01 - truth["stimulus_latency"][unit])
    assert len(errors) >= 5 and np.abs(errors).max() < 0.025, errors


# --- what is not known is not silence ----------------------------------------------------------------------------

GOOD = random_spikes(3, 3000, n_units=6, seconds=60, gaps=True)


def test_events_that_are_not_known_or_leave_the_recording_are_not_counted():
    events = pd.Series([10.0, np.nan, 0.1, 59.8, 30.0, -5.0], index=list("abcdef"), name="stimOn_times")
    ours = spikes.trial_counts(GOOD, events)
    assert list(ours.trials) == ["a", "e"] and ours.counts.shape == (6, 2, 70)
    assert (ours.events, ours.window, ours.bin_size) == ("stimOn_times", (-0.2, 0.5), 0.01)
    whole = spikes.counts_in_intervals(GOOD, spikes.around(events, (-0.2, 0.5)))
    assert list(whole.columns[whole.isna().all()]) == ["b", "c", "d", "f"] and whole[["a", "e"]].notna().all(axis=None)
    assert whole.attrs == {"events": "stimOn_times", "window": (-0.2, 0.5)}
    rates = spikes.peth(GOOD, events)
    assert (rates.n_trials, rates.events, rates.window, rates.bin_size) == (2, "stimOn_times", (-0.2, 0.5), 0.01)
    pd.testing.assert_frame_equal(rates.mean, spikes.peth(GOOD, [10, 30]).mean)


def test_ids_of_units_may_have_gaps_and_come_in_any_order():
    assert list(spikes.firing_rates(GOOD).index) == [5, 8, 11, 14, 17, 20]
    ours = spikes.counts_in_intervals(GOOD, [[10, 20], [20, 30]], units=[14, 5])
    assert list(ours.index) == [14, 5]
    for unit in (14, 5):
        times = GOOD.times[GOOD.clusters == unit]
        assert list(ours.loc[unit]) == [((times >= t) & (times < t + 10)).sum() for t in (10, 20)]


def test_a_unit_that_is_asked_for_and_has_no_spikes_is_silent():
    events, units = np.arange(1, 59), [900, 8, 6]
    counts = spikes.trial_counts(GOOD, events, units=units)
    assert list(counts.units) == units and not counts.counts[[0, 2]].any() and counts.counts[1].any()
    assert (counts.counts[1] == spikes.trial_counts(GOOD, events, units=[8]).counts[0]).all()
    whole = spikes.counts_in_intervals(GOOD, spikes.around(events, (-0.2, 0.5)), units)
    assert (whole == counts.counts.sum(axis=2)).all(axis=None)
    rates = spikes.peth(GOOD, events, units=units)
    assert list(rates.mean.index) == units and (rates.mean.loc[[900, 6]] == 0).all(axis=None)
    assert (rates.sem.loc[[900, 6]] == 0).all(axis=None)
    assert spikes.aligned(GOOD, 6, events).empty and spikes.aligned(GOOD, 900, events).empty
    tested = responses.responsive_units(GOOD, events, (0, 0.2), (-0.2, 0), units)
    assert (tested.loc[[900, 6], ["baseline", "response", "effect", "p"]] == [0, 0, 0, 1]).all(axis=None)


def test_a_unit_with_one_spike_is_found_wherever_it_is():
    for n_rare in (1, 30):
        found = random_spikes(5, 300_000)
        rare = np.arange(20, 20 + n_rare)
        found.clusters[-n_rare:] = rare
        assert list(spikes.counts_in_intervals(found, [[10, 20]]).index) == [*range(12), *rare]


def test_spikes_at_one_moment_have_an_infinite_rate():
    assert list(spikes.firing_rates({"times": np.ones(3), "clusters": np.array([0, 0, 4])})) == [np.inf, np.inf]


def test_signed_counts_can_be_subtracted():
    counts = spikes.trial_counts(GOOD, [10, 30]).counts
    assert (counts[0] - counts[1:]).min() < 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"times": GOOD.times[::-1]}, "must be sorted"),
        ({"times": np.where(GOOD.times > 30, np.nan, GOOD.times)}, "without NaN"),
        ({"clusters": GOOD.clusters[:-1]}, "of one length"),
        ({"clusters": GOOD.clusters.astype(float)}, "integers from 0 on; these are float64"),
        ({"clusters": GOOD.clusters.astype(int) - 6}, "integers from 0 on"),
        ({name: array[:0] for name, array in GOOD.items()}, "There are no spikes"),
    ],
)
@pytest.mark.parametrize(
    "function",
    [
        lambda found: spikes.firing_rates(found),
        lambda found: spikes.peth(found, [10]),
        lambda found: spikes.trial_counts(found, [10]),
        lambda found: spikes.counts_in_intervals(found, [[10, 11]]),
        lambda found: responses.responsive_units(found, [10], (0, 0.2), (-0.2, 0)),
    ],
)
def test_bad_spikes_are_refused_in_one_sentence(function, change, says):
    with pytest.raises(ValueError, match=says) as refused:
        function(GOOD | change)
    assert str(refused.value).count(". ") == 0 and str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"events": [10_000, 20_000]}, "None of 2 intervals lies in the recording, which lasts from 0.0"),
        ({"events": [np.nan]}, "None of 1"),
        ({"events": [[10, 11]]}, "these have the shape (1, 2)"),
        ({"window": (0.5, -0.2)}, "stops after its start; this is from 0.5 to -0.2 s"),
        ({"window": (0, np.nan)}, "stops after its start"),
        ({"bin_size": 0.03}, "is 23.3333 bins of 0.03 s"),
        ({"bin_size": 0}, "whole number of bins"),
        ({"bin_size": 5}, "whole number of bins"),
        ({"units": [5.0, 8.0]}, "whole numbers"),
        ({"window": (-200, 500)}, "this is from -200 to 500 s: give seconds, not milliseconds"),
        ({"events": ["soon"]}, "The times of events must be numbers; these are 'soon'"),
        ({"units": [5, 5]}, "each once"),
        ({"units": [-5]}, "whole numbers"),
        ({"units": np.ones(6, bool)}, "of a mask take the ids"),
        ({"condition": np.full(3, np.nan)}, "None of the events has a label"),
        ({"condition": [1, 2]}, "There are 3 events, and condition has the shape (2,)"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(arguments, says):
    with pytest.raises(ValueError, match=re.escape(says)) as refused:
        spikes.peth(GOOD, **({"events": [10, 20, 30]} | arguments))
    assert str(refused.value).count(". ") == 0 and str(refused.value).endswith(".")


def test_intervals_that_are_none_are_refused():
    with pytest.raises(ValueError, match="ends before it starts"):
        spikes.counts_in_intervals(GOOD, [[11, 10]])
    with pytest.raises(ValueError, match="start and stop"):
        spikes.counts_in_intervals(GOOD, [10, 11])


def test_importing_costs_no_more_than_it_must():
    heavy = ("scipy.stats", "matplotlib", "one", "numba")
    loaded = f"import sys, bwm_tutorials.analysis.spikes; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "[]\n"
