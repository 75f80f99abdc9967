"""Receptive fields and the replay: as brainbox has them, and as they were put in."""

import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import refused
from helpers.sessions import of_subject
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

import bwm_tutorials as bwm
from bwm_tutorials.analysis import passive
from bwm_tutorials.errors import MissingDataset
from bwm_tutorials.paths import ROOT
from bwm_tutorials.simulate import passive as protocol
from bwm_tutorials.simulate import session as simulated

WINDOW = (0.05, 0.25)
LESSON = ROOT / "notebooks" / "08_passive.py"


def frames_of(seed: int, n: int = 1200) -> np.ndarray:
    return protocol.sparse_noise(np.random.default_rng(seed), n)


def train(seed: int, seconds: float, units: int = 4, rate: float = 8.0) -> dict[str, np.ndarray]:
    """Spikes at the middle of bins of 10 ms from 0 s, so that they lie in the same bin by whoever counts."""
    rng = np.random.default_rng(seed)
    n = int(units * rate * seconds)
    bins = np.sort(np.append(rng.integers(0, int(seconds * 100), n), [0] * units + [int(seconds * 100)] * units))
    clusters = np.append(rng.integers(0, units, n), [*range(units)] * 2)
    order = np.concatenate([np.arange(n, n + units), np.arange(n), np.arange(n + units, n + 2 * units)])
    return {"times": bins * 0.01 + 0.005, "clusters": clusters[order]}


def mapped(spikes, flashes, window=WINDOW) -> pd.DataFrame:
    return bwm.spikes.counts_in_intervals(spikes, bwm.spikes.around(flashes["time"], window))


# Against brainbox


def test_flashes_are_those_of_brainbox_but_for_the_first_frame():
    brainbox = pytest.importorskip("brainbox.task.passive")
    frames = frames_of(1)
    frames[0] = 128
    frames[0, 3, 9], frames[1:5, 3, 9] = 255, 255
    times = np.arange(len(frames)) / 60
    found = passive.flashes(times, frames)
    assert found["time"].is_monotonic_increasing and found.attrs["shape"] == (15, 15)
    _, positions, theirs = brainbox.get_on_off_times_and_positions({"times": times, "frames": frames})
    ours = {key: list(part["frame"]) for key, part in found.groupby(["sign", "row", "column"])}
    for sign in ("on", "off"):
        for (x_pos, y_pos), (onsets,) in zip(positions, theirs[sign], strict=True):
            onsets = list(onsets)
            if (sign, x_pos, y_pos) == ("on", 3, 9):
                # It looks at the last frame for the one before the first: that this one was lit says nothing of when.
                assert onsets.pop(0) == 0
            assert ours.get((sign, x_pos, y_pos), []) == onsets


def test_rates_are_those_of_brainbox():
    brainbox = pytest.importorskip("brainbox.task.passive")
    frames = frames_of(2)
    times = 5 + 0.02 * np.arange(len(frames)) - 0.001  # a little before the edge of a bin of 10 ms
    spikes = train(3, 40)
    found = brainbox.get_on_off_times_and_positions({"times": times, "frames": frames})
    depths = spikes["clusters"] * 80.0
    theirs, _ = brainbox.get_rf_map_over_depth(
        *found, spikes["times"], depths, pre_stim=0, post_stim=0.3, y_lim=[0, 240], x_lim=[0, 41]
    )
    flashes = passive.flashes(times, frames)
    maps = passive.rf_maps(mapped(spikes, flashes), flashes)
    for sign, ours in zip(("on", "off"), np.moveaxis(maps.rate, 1, 0), strict=True):
        expected = theirs[sign][..., 5:25].mean(axis=-1) / 0.01
        # Where a pixel never flashed it has 0, which is a rate; here it is not known.
        assert np.allclose(np.nan_to_num(ours), expected)
        never = maps.n_flashes[("on", "off").index(sign)] == 0
        assert np.isnan(ours[:, never]).all() and not np.isnan(ours[:, ~never]).any()


def test_rates_around_the_replay_are_those_of_brainbox(session, probe):
    brainbox = pytest.importorskip("brainbox.task.passive")
    events = passive.replayed(session.passive)
    spikes = probe.good_spikes
    units, row = np.unique(spikes["clusters"], return_inverse=True)
    late = spikes["times"] > events["time"].iloc[0] - 20
    times = {kind: part["time"].to_numpy() for kind, part in events.groupby("kind")}
    theirs = brainbox.get_stim_aligned_activity(
        times, spikes["times"][late], row[late] * 20.0, z_score_flag=False, t_bin=0.01, pre_stim=0.4, post_stim=1,
        y_lim=[0, 20.0 * (len(units) - 1)],
    )  # fmt: skip
    ours = bwm.spikes.peth(spikes, events["time"], (-0.4, 1.0), 0.01, condition=events["kind"]).mean
    for kind, counts in theirs.items():
        # Its bins begin up to 10 ms late, for they are those of the recording: what is counted in all is the same.
        expected = counts.mean(axis=1) / 0.01
        assert np.allclose(ours.loc[kind].mean(axis=1), expected, rtol=0.05, atol=0.3)


# What the functions say


def test_a_pixel_is_told_by_row_and_column():
    """A unit that fires twice after each white flash of row 2, column 11, and never else."""
    frames = frames_of(9, 6000)
    flashes = passive.flashes(1 + np.arange(len(frames)) / 60, frames)
    liked = flashes.query("row == 2 and column == 11 and sign == 'on'")["time"].to_numpy()
    assert len(liked) > 2
    spikes = {
        "times": np.sort([0, *(liked + 0.1), *(liked + 0.12), 110.0]),
        "clusters": np.zeros(2 * len(liked) + 2, int),
    }
    counts = mapped(spikes, flashes)
    maps = passive.rf_maps(counts, flashes)
    assert maps.rate[0, 0, 2, 11] == pytest.approx(2 / 0.2) and maps.n_flashes[0, 2, 11] == len(liked)
    assert maps.mean[0] == pytest.approx(counts.to_numpy().mean() / 0.2)
    (field,) = passive.receptive_fields(maps, passive.best_by_chance(counts, flashes, n=200)).itertuples()
    assert field.sign == "on" and np.hypot(field.row - 2, field.column - 11) <= 0.5
    assert (field.azimuth, field.elevation) == (8 * (field.column - 7), 8 * (7 - field.row))
    assert field.azimuth > 20 and field.elevation > 20, "to the right and above the middle"
    assert field.p == pytest.approx(1 / 201)


def test_z_is_the_smoothed_difference_in_its_standard_errors():
    frames, spikes = frames_of(4, 3000), train(5, 60)
    flashes = passive.flashes(3 + np.arange(len(frames)) / 60, frames)
    counts = mapped(spikes, flashes)
    maps = passive.rf_maps(counts, flashes)
    unit = counts.to_numpy()[2]
    away, n = np.zeros((2, 15, 15)), np.zeros((2, 15, 15))
    at = ((flashes["sign"] == "off").to_numpy(int), flashes["row"], flashes["column"])
    np.add.at(away, at, unit - unit.mean())
    np.add.at(n, at, 1)
    smooth = gaussian_filter(away, (0, 1, 1), mode="constant", truncate=3)
    one = np.zeros((15, 15))
    one[7, 7] = 1
    kernel = gaussian_filter(one, 1, mode="constant", truncate=3)
    variance = sum(n[:, 7 + i, 7 + j] * kernel[7 + i, 7 + j] ** 2 for i in range(-3, 4) for j in range(-3, 4))
    assert np.allclose(maps.z[2, :, 7, 7], smooth[:, 7, 7] / unit.std() / np.sqrt(variance))
    assert maps.z.std() == pytest.approx(1, abs=0.1) and maps.z.mean() == pytest.approx(0, abs=0.05)


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_a_turned_stimulus_turns_the_maps(seed):
    frames, spikes = frames_of(seed), train(seed, 25)
    times = 2 + np.arange(len(frames)) / 60
    one, other = (passive.flashes(times, f) for f in (frames, frames.transpose(0, 2, 1)))
    maps, turned = (passive.rf_maps(mapped(spikes, flashes), flashes) for flashes in (one, other))
    assert np.allclose(maps.z, turned.z.transpose(0, 1, 3, 2))
    negative = passive.flashes(times, np.where(frames == 128, 128, 255 - frames).astype(np.uint8))
    assert np.allclose(passive.rf_maps(mapped(spikes, negative), negative).z, maps.z[:, ::-1])
    chance = passive.best_by_chance(mapped(spikes, one), one, n=9, seed=seed % 100)
    again = passive.best_by_chance(mapped(spikes, one), one, n=9, seed=seed % 100)
    assert chance.equals(again) and chance.shape == (4, 9)


def test_what_is_not_known_is_left_out_and_silence_is_no_field():
    frames, spikes = frames_of(6), train(7, 15)
    times = 2 + np.arange(len(frames)) / 60  # the last frames come after the last spike
    flashes = passive.flashes(times, frames)
    counts = mapped(spikes, flashes)
    known = counts.notna().all().to_numpy()
    assert 0 < known.sum() < len(flashes)
    maps = passive.rf_maps(counts, flashes)
    assert maps.n_flashes.sum() == known.sum()
    assert np.allclose(maps.z, passive.rf_maps(counts.loc[:, known], flashes[known]).z)
    counts.iloc[1] = np.where(known, 0, np.nan)
    maps, chance = passive.rf_maps(counts, flashes), passive.best_by_chance(counts, flashes, n=20)
    assert (maps.z[1] == 0).all() and passive.receptive_fields(maps, chance)["p"].iloc[1] == 1


def test_errors_say_what_is_wrong():
    frames = frames_of(8, 300)
    flashes = passive.flashes(np.arange(300.0), frames)
    with pytest.raises(ValueError, match="299 times and 300 frames"):
        passive.flashes(np.arange(299.0), frames)
    counts = pd.DataFrame(np.ones((2, len(flashes) - 1)))
    with pytest.raises(ValueError, match=f"counts of {len(flashes) - 1} flashes, and {len(flashes)}"):
        passive.rf_maps(counts, flashes)
    with pytest.raises(ValueError, match="No flash has a count"):
        passive.rf_maps(pd.DataFrame(np.full((2, len(flashes)), np.nan)), flashes)


# Against what was put in


@pytest.fixture(scope="module")
def found_fields():
    """Twenty probes through colliculus and visual cortex, each five minutes of sparse noise: truth and fields."""
    found = []
    for seed in range(20):
        made = simulated.behave(seed, 10, after=None)
        for name in ("stimulus", "choice", "feedback", "licking"):
            made.drives[name] = made.drives[name][:0]
        made.drives.rf_frames = frames_of(seed, 17_999)
        made.drives.rf_times = 10 + np.arange(17_999) / 60
        probe = simulated.insert(seed, 0, "collicular", made, 30, "teaching")
        spikes = {name: probe.spikes[name].to_numpy() for name in ("times", "clusters")}
        flashes = passive.flashes(made.drives.rf_times, made.drives.rf_frames)
        counts = mapped(spikes, flashes)
        fields = passive.receptive_fields(
            passive.rf_maps(counts, flashes), passive.best_by_chance(counts, flashes, n=99, seed=seed)
        )
        truth = probe.truth_units.loc[fields.index]
        mean = counts.mean(axis=1).rename("count")
        found.append(fields.join(truth.filter(like="rf_")).join(mean).assign(probe=seed))
    return pd.concat(found, ignore_index=True)


def test_fields_that_were_put_in_are_found(found_fields):
    has = found_fields["rf_gain"] > 0
    assert has.sum() > 80
    assert (found_fields["p"][has] < 0.05).mean() > 0.9, "power"
    liked = found_fields[has & (found_fields["p"] < 0.05) & (found_fields["rf_sign"] != "both")]
    assert (liked["sign"] == liked["rf_sign"]).mean() > 0.97


def test_units_without_a_field_show_one_at_the_nominal_rate(found_fields):
    p = found_fields.loc[found_fields["rf_gain"] == 0, "p"]
    assert len(p) > 400
    for level in (0.05, 0.2, 0.5):
        low, high = binom.ppf([0.0005, 0.9995], len(p), level)
        assert low <= (p <= level).sum() <= high, level


def test_the_best_pixel_alone_says_nothing(found_fields):
    assert (found_fields.loc[found_fields["rf_gain"] == 0, "z"] > 1.64).mean() > 0.95


def test_centres_and_widths_are_those_put_in(found_fields):
    seen = found_fields[(found_fields["rf_gain"] > 0) & (found_fields["p"] <= 0.01)]
    miss = np.hypot(seen["row"] - seen["rf_row"], seen["column"] - seen["rf_column"])
    swapped = np.hypot(seen["column"] - seen["rf_row"], seen["row"] - seen["rf_column"])
    assert miss.median() < 0.5 and (miss < 1).mean() > 0.9, "pixels"
    assert swapped.median() > 4
    # Both shades drive a unit of both, and each is mapped by itself.
    assert (seen["sigma"] / seen["rf_sigma"]).median() == pytest.approx(1, abs=0.15)
    assert np.allclose(seen["azimuth"], 8 * seen["column"] - 56) and np.allclose(
        seen["elevation"], 56 - 8 * seen["row"]
    )


def test_units_of_the_null_session_have_no_fields(session):
    stimulus = session.null.passive
    flashes = passive.flashes(stimulus.rf_times, stimulus.rf_frames)
    n = n_found = 0
    for probe in session.null.insertions:
        counts = mapped(probe.good_spikes, flashes)
        fields = passive.receptive_fields(
            passive.rf_maps(counts, flashes), passive.best_by_chance(counts, flashes, n=199)
        )
        n, n_found = n + len(fields), n_found + (fields["p"] < 0.05).sum()
    assert n_found <= binom.ppf(0.999, n, 0.05)


# The replay


def test_replayed_is_what_happened_but_for_pulses_that_were_missed(session):
    events, happened = passive.replayed(session.passive), session.truth.passive
    both = events.merge(happened, on=["kind", "side"], suffixes=("", "_put_in"))
    assert events["time"].is_monotonic_increasing
    for kind, part in events.groupby("kind"):
        true = happened[happened["kind"] == kind]
        missed = 0 if kind == "gabor" else session.passive.stims[f"{kind}On"].isna().sum()
        assert len(part) == len(true) - missed
        at = np.abs(true["time"].to_numpy() - part["time"].to_numpy()[:, None]).argmin(axis=1)
        for column in ("time", "side", "contrast"):
            assert np.allclose(part[column], true[column].to_numpy()[at], equal_nan=True)
    assert len(both) > 0


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_matched_trials_are_of_the_replays_sides_and_contrasts(seed):
    rng = np.random.default_rng(seed)
    trials, events = (
        pd.DataFrame(
            {"side": rng.choice([-1, 1], n), "contrast": rng.choice([0, 0.25, 1], n)}, index=rng.permutation(n)
        )
        for n in (80, 30)
    )
    drawn = passive.matched(trials, events, seed=3)
    assert (np.diff(drawn) > 0).all() and (drawn == passive.matched(trials, events, seed=3)).all()
    has, wanted, got = (t.groupby(["side", "contrast"]).size() for t in (trials, events, trials.iloc[drawn]))
    assert got.to_dict() == {kind: min(n, has[kind]) for kind, n in wanted.items() if kind in has}


def test_parts_that_a_session_has(session, small_release):
    assert passive.parts(None) == []
    assert passive.parts(session.passive) == ["spontaneousActivity", "RFM", "taskReplay"]
    assert passive.parts(dict(session.passive, rf_times=None)) == ["spontaneousActivity", "taskReplay"]
    assert passive.parts(dict(session.passive, stims=None)) == ["spontaneousActivity", "RFM"]
    alone = of_subject(small_release, "SIM-005", "2001-02-14").passive
    assert passive.parts(alone) == ["spontaneousActivity"]


def test_a_part_is_given_with_its_stimuli_or_refused(session, small_release):
    mapping = passive.part(session.passive, "RFM")
    assert mapping.keys() == {"interval", "rf_times", "rf_frames"} and len(mapping["rf_times"])
    assert mapping["interval"]["start"] < mapping["rf_times"][0] < mapping["interval"]["stop"]
    assert passive.part(session.passive, "taskReplay")["stims"] is session.passive.stims
    alone = of_subject(small_release, "SIM-005", "2001-02-14").passive
    assert passive.part(alone, "spontaneousActivity").keys() == {"interval"}
    with refused(MissingDataset, "has no replay of the task here; it has spontaneous part"):
        passive.part(alone, "taskReplay")
    with refused(MissingDataset, "it has nothing that is whole"):
        passive.part(dict(alone, intervals=alone.intervals * np.nan), "RFM")
    with refused(MissingDataset, "has no replay of the task here"):  # an older file of periods has no column of it
        passive.part(dict(session.passive, intervals=session.passive.intervals[["RFM"]]), "taskReplay")


# The lesson where parts are missing


@pytest.mark.parametrize(
    "subject, day, rest", [("SIM-002", "2001-01-15", False), ("SIM-005", "2001-02-14", True), ("SIM-006", "", True)]
)
def test_the_lesson_says_what_a_session_lacks(small_release, subject, day, rest, play):
    session = of_subject(small_release, subject, day)
    text = " ".join(play(LESSON, SOURCE=str(small_release.cache_dir), EID=session.eid).split())
    assert ("has no passive; it has" in text) == (not rest)
    for lacking in ("receptive-field mapping", "replay of the task"):
        assert (f"The passive protocol has no {lacking} here; it has spontaneous part." in text) == rest, lacking
    assert f"{session.name} has no older version of alf/_ibl_passiveGabor.table.csv." in text
    assert text.count("– 08.") == 5 + (not rest), "what an exercise needs is not there"
    assert ("spontaneous against task:" in text) == rest
