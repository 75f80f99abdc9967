"""The passive protocol: ibllib reads what is written, its analysis finds the receptive fields that were put in."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

import bwm_tutorials as bwm
from bwm_tutorials.recordings import one_tables
from bwm_tutorials.simulate import passive, tables, task

extractor = pytest.importorskip("ibllib.io.extractors.ephys_passive")
loaders = pytest.importorskip("brainbox.io.one")
mapping = pytest.importorskip("brainbox.task.passive")

PARAMETERS = ["position", "contrast", "phase"]
RATE = 5.0  # Hz at rest, of the units that spikes are drawn for


def record(root: Path, made) -> bwm.Session:
    name = one_tables.make_id("SIM-900/2001-05-05/001", synthetic=True)
    session = tables.SessionRecord(name, "syntheticlab", "SIM-900", date(2001, 5, 5))
    passive.write(root / session.path, made)
    tables.write(root, [session], created="2001-05-05 12:00", main=session.eid)
    return bwm.Session(one=bwm.connect(root))


@pytest.fixture(scope="module")
def made():
    return passive.protocol(np.random.default_rng(1), start=2700.0)


@pytest.fixture(scope="module")
def recorded(made, tmp_path_factory) -> bwm.Session:
    return record(tmp_path_factory.mktemp("passive"), made)


@pytest.fixture(scope="module")
def fields():
    """Ten units that look to the right, ten to the left, and forty without a field."""
    rng = np.random.default_rng(2)
    seeing = [
        passive.receptive_fields(rng, pd.DataFrame({"acronym": ["VISp5"] * 10}), azimuth, {"VISp": (1, 0.042)})
        for azimuth in (35, -35)
    ]
    blind = passive.receptive_fields(rng, pd.DataFrame({"acronym": ["VISp5"] * 40}), areas={})
    return pd.concat([*seeing, blind], ignore_index=True)


@pytest.fixture(scope="module")
def spikes(made, fields) -> list[np.ndarray]:
    """Poisson spikes during the mapping, by the rule that `rf_drive` states."""
    rng, step = np.random.default_rng(3), 0.01
    bins = np.arange(made.rf_times[0] - 1, made.rf_times[-1] + 2, step)
    found = []
    for unit, drive in zip(fields.itertuples(), passive.rf_drive(made.rf_frames, fields), strict=True):
        rate = np.full(bins.size, RATE)
        if unit.rf_gain:
            rate *= 1 + unit.rf_gain * np.interp(bins, made.rf_times + unit.rf_latency, drive, left=0, right=0)
        times = np.repeat(bins, rng.poisson(rate * step))
        found.append(np.sort(times + rng.uniform(0, step, times.size)))
    return found


# The files


def test_files_are_those_of_the_release(recorded):
    assert recorded.one.list_datasets(recorded.eid, default_revisions_only=False) == [
        "alf/#2025-12-05#/_ibl_passiveGabor.table.csv",
        "alf/_ibl_passiveGabor.table.csv",
        "alf/_ibl_passivePeriods.intervalsTable.csv",
        "alf/_ibl_passiveRFM.times.npy",
        "alf/_ibl_passiveStims.table.csv",
        "raw_passive_data/_iblrig_RFMapStim.raw.bin",
    ]
    # The sizes of a real session's: exact where nothing is written as text.
    size = recorded.datasets["file_size"].astype(int)
    assert size["raw_passive_data/_iblrig_RFMapStim.raw.bin"] == 4_049_775
    assert size["alf/_ibl_passiveRFM.times.npy"] == 144_120
    folder = recorded.one.eid2path(recorded.eid)
    for name, real in [("Gabor.table", 12_438), ("Stims.table", 4_480), ("Periods.intervalsTable", 206)]:
        assert 0.75 < (folder / f"alf/_ibl_passive{name}.csv").stat().st_size / real < 1.1
        assert (folder / f"alf/_ibl_passive{name}.csv").read_text().startswith(",")


def test_brainbox_and_the_session_read_what_was_made(made, recorded):
    theirs = loaders.load_passive_rfmap(recorded.eid, one=recorded.one)
    read = recorded.passive
    for times, frames in (theirs["times"], theirs["frames"]), (read.rf_times, read.rf_frames):
        assert np.array_equal(times, made.rf_times) and np.array_equal(frames, made.rf_frames)
    pd.testing.assert_frame_equal(read.intervals, made.intervals)
    for name in "gabor", "stims":
        pd.testing.assert_frame_equal(read[name], made[name])
    old = recorded.one.load_dataset(recorded.eid, "_ibl_passiveGabor.table.csv", revision="2020-01-01")
    pd.testing.assert_frame_equal(old.drop(columns="Unnamed: 0"), made.gabor_superseded)


def test_without_stimuli_only_the_grey_screen_is_left(tmp_path):
    made = passive.protocol(np.random.default_rng(1), 100.0, stimuli=False)
    read = record(tmp_path, made).passive
    assert read.gabor is read.stims is read.rf_times is read.rf_frames is None
    assert read.intervals[["RFM", "taskReplay"]].isna().all(axis=None)
    assert read.intervals.loc["stop", "passiveProtocol"] == read.intervals.loc["stop", "spontaneousActivity"]


def test_a_session_whose_replay_could_not_be_extracted(made, tmp_path):
    lost = dict.fromkeys(["rf_times", "gabor", "gabor_superseded", "stims"])
    read = record(tmp_path, type(made)(made, **lost)).passive
    assert read.gabor is read.stims is read.rf_times is None
    assert read.intervals.notna().all(axis=None) and np.array_equal(read.rf_frames, made.rf_frames)


def test_same_seed_same_bytes(tmp_path):
    def files(seed):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        passive.write(folder, passive.protocol(np.random.default_rng(seed), 10.0, scale=0.1))
        return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    one, same, other = files(1), files(1), files(2)
    assert one == same and len(one) == 6
    assert all(one[name] != other[name] for name in one if name.suffix != ".npy")


# The three parts


def test_parts_last_as_long_as_the_real_ones(made):
    lasts = made.intervals.loc["stop"] - made.intervals.loc["start"]
    assert lasts["spontaneousActivity"] == pytest.approx(300) and lasts["RFM"] == pytest.approx(301, abs=0.1)
    assert 295 < lasts["taskReplay"] < 365 and 15 < lasts["passiveProtocol"] / 60 < 17.5
    assert np.allclose(np.diff(made.rf_times), 1 / 60)
    assert made.intervals["RFM"].loc["start"] < made.rf_times[0] < made.rf_times[-1] < made.intervals["RFM"].loc["stop"]
    tenth = passive.protocol(np.random.default_rng(1), 2700.0, scale=0.1)
    assert (len(tenth.rf_frames), len(tenth.gabor), len(tenth.stims)) == (1799, 17, 4)
    assert np.diff(tenth.intervals["spontaneousActivity"]) == pytest.approx(30)


def test_the_extractor_finds_the_parts_by_their_spacers(made):
    flicker = np.array(extractor._load_passive_stim_meta()["VISUAL_STIM_0"]["ttl_frame_nums"]) / 60
    spacers = made.intervals.loc["start", ["spontaneousActivity", "RFM", "taskReplay"]] - passive.SPACER
    flips = np.concatenate([start + 4 + flicker for start in spacers])
    start, starts, stops = extractor._get_spacer_times(flips, 0.0, made.intervals.loc["stop", "taskReplay"])
    found = pd.DataFrame([[start, *starts], [stops[-1], *stops]], made.intervals.index, made.intervals.columns)
    # Its middle of a spacer is that of a fit; and the mapping stops some frames before the next spacer.
    assert (found - made.intervals).abs().max(axis=None) < 0.5


def test_frames_are_the_sparse_noise_of_the_rig(made):
    # Flashes of a pixel, the frames of each pixel laid one after the other with grey between.
    traces = np.pad(made.rf_frames.reshape(len(made.rf_frames), -1).T, [(0, 0), (1, 1)], constant_values=128).ravel()
    edges = np.flatnonzero(np.diff(traces)) + 1
    shades = traces[edges]
    assert set(shades) == {0, 128, 255}
    assert ((shades[::2] != 128) & (shades[1::2] == 128)).all(), "from black or white a pixel goes back to grey"
    lengths = np.diff(edges)[::2]
    assert set(lengths[(lengths != 12) & (lengths != 13)]) <= set(range(12)), "only the last frame cuts a flash short"
    assert np.isin(lengths, [12, 13]).mean() > 0.99
    n_flashes = shades.size / 2 / 225
    assert n_flashes == pytest.approx(300 / 10.2, rel=0.05)
    assert (shades[::2] == 255).mean() == pytest.approx(0.5, abs=0.03)
    onsets = mapping.get_on_off_times_and_positions({"times": made.rf_times, "frames": made.rf_frames})[2]
    assert sum(len(found) for sign in ("on", "off") for found in onsets[sign].ravel()) == shades.size / 2


def test_pixels_lie_where_the_description_of_the_stimulus_says():
    stimulus = extractor._load_passive_stim_meta()["VISUAL_STIM_1"]
    assert stimulus["patch_dva"] == 8 and stimulus["stim_on_time"] == 0.2
    elevation, azimuth = np.moveaxis(stimulus["dva_mat"], -1, 0)
    units = pd.DataFrame({"acronym": ["VISp5"] * 400})
    found = passive.receptive_fields(np.random.default_rng(0), units, azimuth=35, areas={"VISp": (1, 0.04)})
    looks_at = np.interp(found["rf_column"], np.arange(15), azimuth[0])
    looks_up = np.interp(found["rf_row"], np.arange(15), elevation[:, 0])
    assert abs(looks_up.mean()) < 20 and (np.abs(looks_up) < 43).all()
    assert abs(looks_at.mean() - 35) < 20 and (np.abs(looks_at) < 51).all()


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.floats(0.02, 1))
def test_stimuli_of_the_replay_do_not_overlap(seed, scale):
    made = passive.protocol(np.random.default_rng(seed), 0.0, scale)
    pulses = [made.gabor_superseded[["start", "stop"]].to_numpy()]
    pulses += [made.stims[[f"{kind}On", f"{kind}Off"]].dropna().to_numpy() for kind in ("valve", "tone", "noise")]
    times = np.concatenate(pulses)
    times = times[times[:, 0].argsort()].ravel()
    assert (np.diff(times) > 0).all()
    assert made.intervals.loc["start", "taskReplay"] < times[0]
    assert times[-1] < made.intervals.loc["stop", "taskReplay"]


def test_the_extractor_takes_the_replay_for_a_real_one(made):
    def pulses(table, *columns):
        found = np.concatenate([table[[f"{c}On", f"{c}Off"]].dropna().to_numpy() for c in columns])
        found = found[found[:, 0].argsort()].ravel()
        return {"times": found, "polarities": np.tile([1, -1], found.size // 2)}

    kinds = made.events["kind"].map({"gabor": "G", "valve": "V", "tone": "T", "noise": "N"})
    replay = pd.DataFrame({"stim_type": kinds})
    shown = (replay["stim_type"] == "G").to_numpy()
    replay.loc[shown, PARAMETERS] = made.gabor[PARAMETERS].to_numpy()
    # The screen flickers before the first gabor and after the last, as spacers do.
    edge = made.gabor["start"].iloc[0] - 3, made.gabor["stop"].iloc[-1] + 3
    flips = np.concatenate([edge[0] + np.array([0, 0.02]), made.gabor[["start", "stop"]].to_numpy().ravel()])
    flips = np.append(flips, edge[1] + np.array([0, 0.02]))
    gabor = extractor._extract_passive_gabor({"times": flips}, replay)
    assert np.allclose(gabor[["start", "stop", *PARAMETERS]].astype(float), made.gabor)
    valve = extractor._extract_passive_valve(pulses(made.stims, "valve"), replay)
    assert np.allclose(valve[["start", "stop"]], made.stims[["valveOn", "valveOff"]])
    version = extractor.version.parse("6.6.4")
    sounds = extractor._extract_passive_audio(pulses(made.stims, "tone", "noise"), replay, version)
    for kind, table in zip(("tone", "noise"), sounds, strict=True):
        assert np.allclose(table[["start", "stop"]], made.stims[[f"{kind}On", f"{kind}Off"]])


def test_the_superseded_table_is_one_off(made):
    settings = {"IBLRIG_VERSION": "6.6.4", "PRELOADED_SESSION_NUM": 3}
    of_ibllib = (
        extractor.load_task_replay_fixtures(Path(), settings=settings, adjust=adjust).query("stim_type == 'G'")
        for adjust in (False, True)
    )
    for planned, shown in (made.gabor_superseded, made.gabor), of_ibllib:
        assert len(planned) == 180 and len(shown) == 179
        planned, values = planned[PARAMETERS].to_numpy(float), shown[PARAMETERS].to_numpy(float)
        assert np.array_equal(values, planned[:-1])
        assert (values[:, :2] != planned[1:, :2]).any(axis=1).mean() > 0.5
    # The times are right in both; but for the blank one, which the corrected table leaves out.
    assert np.array_equal(made.gabor[["start", "stop"]], made.gabor_superseded.loc[1:, ["start", "stop"]])
    count = made.gabor_superseded.groupby(["position", "contrast"]).size()
    assert count.to_dict() == {(side, c): 20 if c else 10 for side in (-35, 35) for c in task.CONTRASTS}
    assert made.gabor_superseded["phase"].between(0, np.pi).all()


def test_events_are_what_was_shown_even_where_a_pulse_was_missed():
    n_missed = 0
    for seed in range(20):
        made = passive.protocol(np.random.default_rng(seed), 0.0)
        events = made.events
        assert events["time"].is_monotonic_increasing and list(events) == ["kind", "time", "side", "contrast"]
        gabors = events[events["kind"] == "gabor"]
        assert np.array_equal(gabors["time"], made.gabor["start"])
        assert np.array_equal(35 * gabors["side"], made.gabor["position"])
        assert np.array_equal(gabors["contrast"], made.gabor["contrast"])
        for kind in "valve", "tone", "noise":
            times, pulses = events.loc[events["kind"] == kind, "time"], made.stims[f"{kind}On"]
            assert len(times) == len(pulses) == 40 and pulses.dropna().isin(times).all()
            assert np.array_equal(pulses.isna(), made.stims[f"{kind}Off"].isna())
            assert not pulses.isna().iloc[: pulses.count()].any(), "missing at the end only"
            assert kind != "valve" or pulses.notna().all()
            n_missed += pulses.isna().sum()
    assert 0 < n_missed < 30


# Receptive fields


def test_who_has_a_receptive_field():
    rng = np.random.default_rng(4)
    # An acronym is no prefix: LPO is not in LP, nor is layer 2/3 an area.
    shares = {"VISp2/3": "VISp", "SCop": "SCs", "LP": "LP", "LPO": None, "CA1": None, "root": None}
    units = pd.DataFrame({"acronym": np.repeat(list(shares), 500)}, index=np.arange(3000) + 7)
    found = passive.receptive_fields(rng, units)
    assert found.index.equals(units.index)
    share = (found["rf_gain"] > 0).groupby(units["acronym"]).mean()
    for acronym, area in shares.items():
        assert share[acronym] == (pytest.approx(passive.AREAS[area][0], abs=0.1) if area else 0)
    seeing = found[found["rf_gain"] > 0]
    assert seeing.notna().all(axis=None) and set(seeing["rf_sign"]) == {"on", "off", "both"}
    assert found.loc[found["rf_gain"] == 0, ["rf_row", "rf_column", "rf_sigma", "rf_latency"]].isna().all(axis=None)
    assert (found.loc[found["rf_gain"] == 0, "rf_sign"] == "").all()
    assert seeing["rf_column"].mean() > 9
    other_side = passive.receptive_fields(rng, units, azimuth=-35)
    assert other_side["rf_column"].mean() < 5
    assert (passive.receptive_fields(rng, units, areas={})["rf_gain"] == 0).all()


def test_drive_is_one_for_the_square_at_the_centre_that_the_unit_likes():
    frames = np.full((60, 15, 15), 128, np.uint8)
    frames[10:22, 4, 9], frames[40:52, 4, 9] = 255, 0
    units = {"rf_row": 4.0, "rf_column": [9, 9, 9, 11, np.nan], "rf_sigma": 1.0}
    units |= {"rf_sign": ["on", "off", "both", "on", ""], "rf_gain": [2, 2, 2, 2, 0]}
    drive = passive.rf_drive(frames, pd.DataFrame(units))
    assert drive.shape == (5, 60) and drive.dtype == np.float32
    on, off, both, beside, none = drive
    assert on[21] == pytest.approx(1, abs=0.01) and off[51] == pytest.approx(1, abs=0.01)
    assert (on[:10] == 0).all() and 0.3 < on[10] < 0.5, "it follows with a time constant of 30 ms"
    assert on[51] < 1e-3 and off[:40].max() == 0
    assert np.allclose(both, on + off)
    assert beside.max() == pytest.approx(np.exp(-2), rel=0.01)
    assert (none == 0).all()


def response_maps(made, spikes, n_units) -> dict[str, np.ndarray]:
    """By brainbox: the change of rate (Hz) at each row and column in which a square went on or off, by unit."""
    found = mapping.get_on_off_times_and_positions({"times": made.rf_times, "frames": made.rf_frames})
    times = np.concatenate(spikes[:n_units])
    # It sorts spikes by depth; here each unit lies in a bin of its own.
    depths = np.repeat(np.arange(n_units) * 80.0, [len(unit) for unit in spikes[:n_units]])
    order = times.argsort()
    maps, _ = mapping.get_rf_map_over_depth(
        *found, times[order], depths[order], pre_stim=0.05, post_stim=0.3, y_lim=[0, 80 * (n_units - 1)]
    )
    return {sign: (m[..., 12:32].mean(-1) - m[..., :5].mean(-1)) / 0.01 for sign, m in maps.items()}


def test_brainbox_finds_the_receptive_fields_that_were_put_in(made, fields, spikes):
    maps = response_maps(made, spikes, 20)
    put_in = fields.iloc[:20]
    likes = {sign: put_in["rf_sign"].isin([sign, "both"]).to_numpy() for sign in maps}
    for sign, other in ("on", "off"), ("off", "on"):
        only = likes[sign] & ~likes[other]
        assert (maps[sign][only].max((1, 2)) > maps[other][only].max((1, 2))).all()
    liked = sum(likes[sign][:, None, None] * maps[sign] for sign in maps)
    # The centre of what stands out.
    smooth = gaussian_filter(liked, (0, 1, 1), mode="constant")
    strong = np.where(smooth > 0.5 * smooth.max((1, 2), keepdims=True), smooth, 0)
    row, column = (strong.sum(axis) @ np.arange(15) / strong.sum((1, 2)) for axis in (2, 1))
    miss = np.hypot(row - put_in["rf_row"], column - put_in["rf_column"])
    swapped = np.hypot(column - put_in["rf_row"], row - put_in["rf_column"])
    assert np.median(miss) < 0.4 and miss.max() < 1.2, "pixels"
    assert np.median(swapped) > 3


def test_units_without_a_field_show_one_no_more_often_than_chance(made, fields, spikes):
    # Each unit's best pixel, against its best pixels when the spikes are moved along the stimulus.
    onsets = mapping.get_on_off_times_and_positions({"times": made.rf_times, "frames": made.rf_frames})[2]["on"]
    after = np.stack(
        [np.searchsorted(s, made.rf_times + 0.25) - np.searchsorted(s, made.rf_times + 0.05) for s in spikes]
    )

    def best(counts):
        return np.max([counts[:, frames].mean(axis=1) for frames in onsets[:, 0]], axis=0)

    shifts = np.linspace(600, len(made.rf_times) - 600, 39).astype(int)
    null = np.stack([best(np.roll(after, shift, axis=1)) for shift in shifts])
    significant = best(after) > null.max(axis=0)  # p < 1 / 40
    blind, on = (fields["rf_gain"] == 0).to_numpy(), fields["rf_sign"].isin(["on", "both"]).to_numpy()
    assert significant[blind].sum() <= binom.ppf(0.999, blind.sum(), 1 / 40)
    assert significant[on].mean() > 0.9, "the test finds those that are there"
