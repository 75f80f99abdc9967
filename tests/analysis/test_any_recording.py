"""Any spikes, wheel, pose and regions give the right number, NaN, or one sentence: against plain loops."""

import numpy as np
import pandas as pd
import pytest
from helpers import ugly
from helpers.ugly import NAN, sentence
from hypothesis import given
from hypothesis import strategies as st
from iblutil.util import Bunch

from bwm_tutorials.analysis import passive, pose, quality, regions, responses, spikes, statistics, wheel
from bwm_tutorials.errors import TooFew

# -------------------------------------------------------------------------------------------------------------- spikes

EVENTS = st.lists(st.sampled_from([NAN, 0.0, 5.0, 20.5, 60.0, 74.0]), max_size=5)


@given(ugly.trains(), EVENTS, st.sampled_from([None, [3], [4, 0, 77]]))
def test_counts_are_those_of_a_loop_over_spikes(found, events, units):
    counts = sentence(spikes.counts_in_intervals, found, spikes.around(events, (-0.5, 1.0)), units)
    times = found.times.astype(float)
    inside = [times.size and e - 0.5 >= times[0] and e + 1 <= times[-1] for e in events]
    if not any(inside):
        assert counts.startswith(("There are no spikes", "None of"))
        return
    assert list(counts.index) == (sorted(set(found.clusters.tolist())) if units is None else units)
    for unit, row in counts.iterrows():
        for event, seen, n in zip(events, inside, row, strict=True):
            here = [e for e, c in zip(times, found.clusters, strict=True) if c == unit and event - 0.5 <= e < event + 1]
            assert n == len(here) if seen else np.isnan(n)
    binned = spikes.trial_counts(found, events, (-0.5, 1.0), 0.5, units)
    assert (binned.counts.sum(axis=2) == counts.to_numpy()[:, np.array(inside, bool)]).all()
    label = np.arange(len(events), dtype=">f8") % 2
    rates = sentence(spikes.peth, found, events, (-0.5, 1.0), 0.5, units, label)
    for value, n in rates.n_trials.items():
        its = counts.loc[:, (label == value) & np.array(inside, bool)]
        assert n == its.shape[1]
        if n:
            np.testing.assert_allclose(rates.mean.loc[value].sum(axis=1) * 0.5 * n, its.sum(axis=1))


@given(ugly.trains(), EVENTS)
def test_every_function_of_spikes_answers_or_says_why_not(found, events):
    sentence(spikes.firing_rates, found)
    sentence(spikes.aligned, found, 2, events)
    sentence(responses.responsive_units, found, events, (0, 0.5), (-0.5, 0), [0, 3])
    metrics = sentence(quality.quality_metrics, found, 6)
    if found.times.size:
        amps = found.amps.astype(float)
        for unit in range(6):
            own = [a for a, c in zip(amps, found.clusters, strict=True) if c == unit]
            known = [a for a in own if not np.isnan(a)]
            assert metrics["spike_count"][unit] == len(own)
            expected = max(known) if known else NAN
            assert metrics["amp_max"][unit] == pytest.approx(expected, nan_ok=True)
        assert metrics["label"].between(0, 1).all()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_unit_of_few_spikes_is_measured_or_not_known(n):
    times = np.arange(n) * 1.0
    assert quality.autocorrelogram(times).sum() == 0
    assert (quality.refractory_confidence(times) < 1).all(axis=None)
    assert np.isnan(quality.sliding_refractory_period(times)["min_contamination"])
    assert np.isnan(quality.noise_cutoff(np.ones(n)))


def test_trains_that_are_none_are_refused():
    for function in (quality.autocorrelogram, quality.refractory_confidence, quality.sliding_refractory_period):
        assert "sorted and without NaN" in sentence(function, np.array([2.0, 1.0]))
        assert "sorted and without NaN" in sentence(function, np.array([1.0, NAN]))


def test_amplitudes_that_are_not_known_count_in_nothing():
    rng = np.random.default_rng(0)
    amps, lost = rng.lognormal(-9, 0.3, 900), rng.random(900) < 0.3
    found = Bunch(times=np.arange(900.0), clusters=np.zeros(900, int), amps=np.where(lost, NAN, amps), depths=amps)
    ours = quality.quality_metrics(found, 1).iloc[0]
    assert ours["spike_count"] == 900 and ours["amp_median"] == pytest.approx(np.median(amps[~lost]), rel=1e-3)
    for name, value in (("missed_spikes_est", quality._missed_spikes), ("noise_cutoff", quality.noise_cutoff)):
        assert ours[name] == value(amps[~lost])
    nothing = quality.quality_metrics(found | {"amps": np.full(900, NAN)}, 1).iloc[0]
    assert nothing.filter(like="amp_").isna().all() and nothing["bitwise_fail"] >= 4


def test_the_width_of_what_has_no_peak_is_not_known():
    waves = np.zeros((4, 82, 2))
    waves[0, [20, 29], 0] = -1, 0.5
    waves[1, 20:, 0] = -np.arange(62)  # ends with its trough
    waves[2, 5, 0] = NAN
    width = quality.trough_to_peak(waves)
    assert width[0] == pytest.approx(0.3) and np.isnan(width[1:]).all()


# ----------------------------------------------------------------------------------------------------------- responses


@given(
    st.integers(0, 2**31),
    st.integers(0, 8),
    st.sampled_from([("left", "right"), (1.0, NAN), (0.2, 0.8, NAN), (1, 2, 3)]),
    st.sampled_from([None, 1, 3]),
    st.sampled_from([0, 5, 40]),
)
def test_every_test_of_counts_answers_or_says_why_not(seed, n_trials, values, n_conditions, null):
    rng = np.random.default_rng(seed)
    counts = pd.DataFrame(rng.choice([0.0, 1.0, 5.0, NAN], (2, n_trials)))
    variable = np.array([values[i] for i in rng.integers(len(values), size=n_trials)], object)
    condition = None if n_conditions is None else rng.integers(n_conditions, size=n_trials).astype(">f8")
    found = sentence(responses.selectivity, counts, variable, condition, null)
    if not isinstance(found, str):
        known = counts.notna().all().to_numpy() & ~pd.isna(variable)
        high = sorted(set(variable[~pd.isna(variable)]))[1]
        group = np.zeros(n_trials) if condition is None else condition
        for unit, auc in found["auc"].items():
            won = [
                0.5 * (a == b) + (a > b)
                for i, a in enumerate(counts.loc[unit])
                for j, b in enumerate(counts.loc[unit])
                if known[i] and known[j] and variable[i] == high != variable[j] and group[i] == group[j]
            ]
            assert auc == pytest.approx(np.mean(won))
        assert (found["p"] >= found.attrs["smallest_p"]).all()
    sentence(responses.null_detection_rate, counts, variable, condition, null)
    sentence(responses.noise_correlations, counts, condition)
    sentence(responses.comparable_pairs, variable, condition)
    sentence(responses.rank_correlations, counts, rng.integers(2, size=n_trials), np.array([range(n_trials)] * 3))
    sentence(responses.circular_correlations, rng.random(n_trials), counts, 0.1)


def test_what_a_null_cannot_tell_is_said():
    counts = pd.DataFrame(np.random.default_rng(0).poisson(3.0, (2, 40)))
    variable, condition = np.tile([1, 2], 20), np.repeat(range(20), 2)
    few = sentence(responses.selectivity, counts.iloc[:, :8], variable[:8], condition[:8])
    assert few.startswith(
        "These 8 trials can be shuffled within conditions in 16 ways only, so that no p is below 1/16"
    )
    assert responses.selectivity(counts, variable, condition, null=99).attrs["smallest_p"] == 0.01
    assert "among 20 sequences" in sentence(responses.null_detection_rate, counts, variable, null=20).lower()
    assert "have the same value" in sentence(
        responses.rank_correlations, counts, np.ones(40), np.array([range(40)] * 9)
    )
    stay = sentence(responses.rank_correlations, counts, np.arange(40), np.array([range(40)] * 9))
    assert "stay in their place in every order of the null" in stay
    assert "each of 40 trials once" in sentence(responses.rank_correlations, counts, np.arange(40), [[0] * 40])
    one_block = np.full((50, 40), 1)
    one_block[:30] = np.random.default_rng(1).permuted(np.tile(variable, (30, 1)), axis=1)
    ours = responses.selectivity(counts, variable, null=one_block)
    pd.testing.assert_frame_equal(
        ours[["auc", "p"]], responses.selectivity(counts, variable, null=one_block[:30])[["auc", "p"]]
    )
    assert ours.attrs["smallest_p"] == 1 / 31, "a sequence of one value is no comparison"


def test_pairs_of_words_and_of_a_block_in_single_precision():
    assert responses.comparable_pairs(["left", "right", None, "left"]) == 2
    counts = pd.DataFrame(np.random.default_rng(0).poisson(3.0, (2, 40)))
    block, null = np.tile([0.2, 0.8], 20), np.random.default_rng(1).choice([0.2, 0.8], (60, 40))
    ours = responses.selectivity(counts, block.astype("f4"), null=null)
    pd.testing.assert_frame_equal(ours, responses.selectivity(counts, block, null=null))


def test_p_of_what_was_not_tested_does_not_count():
    p = np.array([0.01, NAN, 0.04])
    assert np.array_equal(statistics.adjusted(p)[[0, 2]], statistics.adjusted(p[[0, 2]]))
    assert np.isnan(statistics.adjusted(p)[1]) and statistics.adjusted([]).size == 0
    assert "There are no trials" in sentence(statistics.signed_rank, np.empty((3, 0)))


# --------------------------------------------------------------------------------------------------------------- wheel


@pytest.mark.parametrize("freq", [100, 250, 1000])
def test_velocity_knows_how_often_its_grid_is_sampled(freq):
    times = np.arange(0, 20, 1 / freq)
    velocity = wheel.velocity(times, 8 * times)
    assert np.allclose(velocity[freq:-freq], 8, atol=1e-3)
    single = wheel.velocity(times.astype(">f8"), (8 * times).astype("f4"))
    assert np.allclose(single[freq:-freq], 8, atol=0.1)


def test_what_is_no_grid_is_refused(session):
    edges = session.wheel.timestamps, session.wheel.position
    for function in (wheel.velocity, wheel.movements, lambda *on: wheel.peak_speed(*on, [1.0], [2.0])):
        assert sentence(function, *edges).endswith("s apart: interpolate first.")
        assert "two samples or more; here are 1" in sentence(function, [1.0], [0.0])
        assert "sorted and without NaN" in sentence(function, [0, NAN, 1.0], [0, 0, 0])
        assert "one known number for each of 2 times" in sentence(function, [0, 1.0], [0, NAN])
        assert "one known number for each of 2 times" in sentence(function, [0, 1.0], [0])
    assert "knows what is slower than 5 Hz, and cutoff is 20 Hz" in sentence(
        wheel.velocity, np.arange(100) / 10, np.zeros(100)
    )


wheels = st.lists(st.tuples(st.sampled_from([0, 0.1, 1, NAN]), st.sampled_from([0, -0.5, 2, NAN])), max_size=6)


@given(wheels, st.sampled_from(["f8", "f4", ">f8"]))
def test_any_wheel_is_taken_or_refused(steps, kind):
    steps = np.array(steps, float).reshape(-1, 2)
    edges = np.cumsum(steps[:, 0]).astype(kind), steps[:, 1].astype(kind)
    start, stop, side = np.array([0.0, 0.5, NAN], ">f8"), [0.3, NAN, 1.0], [1, -1, 0]
    grid = sentence(wheel.interpolate, *edges, freq=100)
    if not isinstance(grid, str):
        assert np.allclose(np.diff(grid[0]), 0.01) and not np.isnan(grid[1]).any()
        for function in (wheel.velocity, wheel.movements):
            sentence(function, *grid)
    turned = sentence(wheel.displacement, *edges, start, stop)
    against = sentence(wheel.turn_against, *edges, start, stop, side)
    fine = np.isfinite(steps).all()
    assert isinstance(turned, str) != fine and isinstance(against, str) != fine
    if fine and len(steps):
        assert np.isnan(turned).tolist() == np.isnan(against).tolist() == [False, True, True]
    elif fine:
        assert np.isnan(turned).all() and np.isnan(against).all()


# ---------------------------------------------------------------------------------------------------------------- pose


def track(times, x, kind="f8"):
    table = pd.DataFrame({"times": times, "paw_r_x": x, "paw_r_y": 0.0, "paw_r_likelihood": 1.0})
    return table.astype(kind)


def test_speed_of_common_pixels_is_not_halved_again():
    times = np.arange(50) / 60
    own = track(times, 120 * times)
    common = pose.common_pixels(own, "left")
    assert list(common) == ["times", "paw_r_x_common", "paw_r_y_common", "paw_r_likelihood"]
    for table in (own, common, pose.common_pixels(common, "left"), pose.likelihood_filter(common)):
        assert np.allclose(pose.speed(table, "paw_r", "left"), 60)
        assert np.allclose(pose.velocity(table, "paw_r", "left")["x"], 60)
    assert np.allclose(pose.velocity(pose.common_pixels(own, "left", mirrored=True), "paw_r", "left")["x"], -60)
    unlikely = pose.common_pixels(own.assign(paw_r_likelihood=0.1), "left")
    assert pose.likelihood_filter(unlikely).filter(like="_common").isna().all(axis=None)


@given(st.lists(st.sampled_from([0.0, 0.02, 0.5, NAN]), max_size=6), st.sampled_from(["f8", "f4", ">f8"]))
def test_any_video_is_measured_or_refused(steps, kind):
    times = np.cumsum(steps)
    table = track(times, np.arange(len(steps)), kind)
    clock = sentence(pose.clock, table["times"].to_numpy())
    speed = sentence(pose.speed, table, "paw_r", "right")
    assert isinstance(speed, str) == bool(np.isnan(times).any())
    assert isinstance(clock, str) or (np.isfinite(clock).all() and clock["dropped"] >= 0)
    if not isinstance(speed, str):
        assert speed.shape == times.shape and not (speed < 0).any() and not np.isinf(speed).any()
    events, values = pd.Series([0.01, NAN, 50], index=[4, 4, 5]), np.ones(len(steps))
    for found in (
        sentence(pose.around, times, values, events, (-0.01, 0.02), 0.01),
        sentence(pose.mean_in_intervals, times, values, [[0, 0.02], [NAN, 1], [50, 51]]),
    ):
        assert isinstance(found, str) or np.isnan(np.asarray(found)[1:]).all()


def test_what_a_video_does_not_have_is_said():
    table = track(np.arange(9) / 60, 0.0)
    assert "no camera 'top'; there are 'left', 'right', 'body'" in sentence(pose.speed, table, "paw_r", "top")
    assert "no keypoint in this table, 'paw'; there are 'paw_r'." in sentence(pose.speed, table, "paw", "left")
    assert "lacks tongue_end_l_x" in sentence(pose.lick_times, np.zeros(9), table)
    assert "lacks pupil_top_r_x" in sentence(pose.pupil_diameter, table)
    for n in (0, 1):
        with pytest.raises(TooFew, match=f"two frames or more at different times; here are {n}"):
            pose.clock(np.zeros(n))
    with pytest.raises(TooFew, match="In the 0 frames in which both are known"):
        pose.signal_to_noise([NAN, 1.0], [1.0, NAN])
    assert "have seconds" not in sentence(pose.around, [0, 1.0], [1, 1], [0.5], (-0.1, 0.1), 0.1)
    assert "give seconds" in sentence(pose.around, [0, 1.0], [1, 1], [0.5], (-500, 1000), 20)
    assert "it is 20 s" in sentence(pose.around, [0, 1.0], [1, 1], [0.5], (-0.5, 1.0), 20)


# ------------------------------------------------------------------------------------------------- passive and regions


def test_maps_of_next_to_nothing_are_made_or_refused():
    grey = np.full((6, 3, 4), 128, np.uint8)
    shown = passive.flashes(np.arange(6.0), grey)
    assert shown.empty and list(shown) == ["time", "frame", "row", "column", "sign"]
    counts = pd.DataFrame(np.empty((2, 0)))
    counts.attrs = {"window": (0, 0.1)}
    for function in (passive.rf_maps, passive.best_by_chance):
        assert sentence(function, counts, shown).startswith("No flash has a count")
    lit = grey.copy()
    lit[[1, 3, 5], 1, 2] = 255  # white alone, always at the same place
    shown = passive.flashes(np.arange(6.0).astype(">f8"), lit)
    counts = pd.DataFrame([[1.0, 0, 2], [0, 0, 0]])
    counts.attrs = {"window": (0, 0.1)}
    maps = sentence(passive.rf_maps, counts, shown)
    assert maps.rate[0, 0, 1, 2] == pytest.approx(10) and np.isnan(maps.rate[0, 1]).all()
    found = sentence(passive.receptive_fields, maps, passive.best_by_chance(counts, shown, 9))
    assert (found["p"] == 1).all() and (found["z"].abs() < 1e-9).all()
    assert "Of 2 of 2 units it is not known" in sentence(
        passive.receptive_fields, maps, pd.DataFrame(np.ones((1, 9)), [7])
    )
    assert "0, 128 (grey) and 255; these are bool" in sentence(passive.flashes, np.arange(6), lit == 255)
    assert "takes the tables gabor and stims" in sentence(passive.replayed, {"gabor": None, "stims": None})


def test_regions_that_are_not_known_are_in_none():
    acronyms = pd.Series(["MRN", "void", "root", "Atlantis", NAN, "VISa"], index=[3, 3, 4, 5, 6, 7])
    for mapped in (regions.beryl(acronyms), regions.cosmos(acronyms)):
        assert mapped.isna().tolist() == [False, False, False, True, True, False]
        assert mapped.iloc[1:3].tolist() == ["void", "root"] and mapped.index.equals(acronyms.index)
    assert regions.beryl(acronyms).iloc[[0, 5]].tolist() == ["MRN", "VISa"]
    assert regions.inside(acronyms, "all").tolist() == [True, False, False, True, False, True]
    assert not regions.inside(acronyms, "Atlantis").any()
    assert regions.beryl(pd.Series([NAN, NAN])).isna().all() and regions.beryl(pd.Series([], dtype=object)).empty
