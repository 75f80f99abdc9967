"""The sample: the rules of the task, the marks of its origin, and analyses that find what was put in."""

import re

import numpy as np
import pandas as pd
import pytest

import bwm_tutorials as bwm
from bwm_tutorials.analysis.regions import inside
from bwm_tutorials.paths import ROOT
from bwm_tutorials.simulate import neurons, task
from bwm_tutorials.simulate import session as simulated
from bwm_tutorials.simulate.probe import TRACKS


def test_contrasts_and_sides():
    shown = task.sequence(np.random.default_rng(0), 40_000)
    share = shown["contrast"].value_counts(normalize=True).sort_index()
    assert np.allclose(share, np.array([1, 2, 2, 2, 2]) / 9, atol=0.01)
    biased = shown[shown["probabilityLeft"] != 0.5]
    assert abs(((biased["side"] < 0) == (biased["probabilityLeft"] == 0.8)).mean() - 0.8) < 0.01
    assert shown["quiescencePeriod"].between(0.4, 0.7).all() and abs(shown["quiescencePeriod"].mean() - 0.529) < 0.005


def test_everything_says_that_it_is_synthetic(session, sample):
    assert session.synthetic and session.seed == 1
    assert session.details["lab"].startswith("syntheticlab")
    assert session.details["subject"].startswith("SIM-") and session.details["date"].year == 2001
    assert session.details["projects"] == "synthetic_not_ibl"
    assert session.eid.startswith("5eed0000") and session.insertions[0].pid.startswith("5eed0000")
    text = (sample.eid2path(session.eid) / "SYNTHETIC.txt").read_text(encoding="utf-8")
    assert text.startswith("SYNTHETIC") and "seed 1" in text


def test_what_was_put_in_is_kept_beside_the_recordings_not_among_them(session, sample):
    assert not [path for path in sample.list_datasets(session.eid) if "truth" in path]
    assert not list(sample.cache_dir.rglob("*truth*"))
    assert list(session.truth.units["probe"].unique()) == session.probes == ["probe00", "probe01"]
    for probe in session.insertions:
        assert len(probe.truth) == len(probe.clusters) and (probe.truth["acronym"] == probe.clusters["acronym"]).all()
    assert len(session.truth.trials) == len(session.trials)


def test_same_seed_same_session_and_another_seed_another():
    one, same, other = (simulated.behave(seed, minutes=6) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one.trials, same.trials)
    assert len(one.trials) != len(other.trials) or not np.array_equal(one.trials["choice"], other.trials["choice"])
    first, again = (simulated.insert(3, 0, "parietal", b, 4, "teaching") for b in (one, same))
    pd.testing.assert_frame_equal(first.spikes, again.spikes)
    elsewhere = simulated.insert(3, 1, "parietal", one, 4, "teaching")
    assert not np.array_equal(first.spikes["times"].iloc[:100], elsewhere.spikes["times"].iloc[:100])


def test_size_of_the_main_session(session):
    assert 400 < len(session.trials) < 650
    for probe in session.insertions:
        assert len(probe.clusters) == 100 and 55 <= (probe.clusters["label"] == 1).sum() <= 65
        assert 0.9e6 < len(probe.spikes.times) < 1.6e6


def test_two_revisions_of_the_trials_differ_where_the_later_one_corrects(session, sample):
    old = sample.load_dataset(session.eid, "_ibl_trials.table.pqt", revision="2020-01-01")
    new = sample.load_dataset(session.eid, "_ibl_trials.table.pqt")
    assert session.available.loc["trials", "revision"] == "2025-03-03"
    moved = (old["stimOn_times"] != new["stimOn_times"]) & new["stimOn_times"].notna()
    assert 0 < moved.sum() < 20
    assert np.allclose((old["stimOn_times"] - new["stimOn_times"])[moved], 1 / 60)
    assert old["goCue_times"].isna().sum() > new["goCue_times"].isna().sum() + 30


def test_faults_are_found_for_the_reason_they_were_put_in(session):
    for probe in session.insertions:
        truth, failed = probe.truth, probe.clusters["bitwise_fail"].to_numpy()
        assert (failed[truth["fault"] == "contaminated"] & 1).mean() > 0.8
        assert (failed[truth["fault"] == "cut off"] & 2).astype(bool).all()
        assert (failed[truth["fault"] == "small"] & 4).astype(bool).all()
        # What is sound fails only where it fires too rarely to prove that it is clean.
        sound = truth["fault"] == ""
        assert (failed[sound] & 6 == 0).all()
        assert probe.clusters.loc[sound & (failed == 1), "firing_rate"].max() < 1.6


def test_contamination_that_was_put_in_can_be_estimated():
    made = simulated.insert(1, 0, "parietal", simulated.behave(1, 60), 100, None)
    truth, found = made.truth_units["contamination"], made.metrics["contamination"]
    dirty = truth > 0
    assert found[~dirty].max() < 0.1
    # The estimate is noisy (few violations), and half of the pairs of foreign spikes are with each other.
    assert 0.5 < (found / truth)[dirty].median() < 1.5


def test_the_probes_lie_where_they_say(session):
    for insertion, track in zip(session.insertions, (TRACKS["parietal"], TRACKS["collicular"]), strict=True):
        channels = insertion.channels
        assert channels["axial_um"].iloc[0] < channels["axial_um"].iloc[-1]
        assert (np.diff(channels["z"]) >= 0).all(), "channels go up from the tip"
        assert set(channels["acronym"]) == {region for _, region in track.regions} | {"root"}
        assert (channels.loc[channels["labels"] == 3, "axial_um"] > track.surface).all()
        assert (channels["x"] < 0).all()
    for track in TRACKS.values():  # as in the release: only what reaches the hindbrain is recorded on the right
        assert (track.tip[0] > 0) == inside(pd.Series([region for _, region in track.regions]), "HB").any()


def test_waveforms_are_largest_on_their_channel_and_as_wide_as_they_say(session, probe):
    folder = f"alf/{probe.name}/pykilosort"
    load = lambda name: session.one.load_dataset(session.eid, name, collection=folder)  # noqa: E731
    waveforms, near = load("clusters.waveforms.npy"), load("clusters.waveformsChannels.npy")
    size = np.ptp(waveforms, axis=1)
    assert (near[:, 0] == probe.clusters["channels"]).all() and (size.argmax(axis=1) == 0).all()
    assert np.allclose(size[:, 0], probe.truth["amplitude"], rtol=1e-3)
    width = load("clusters.peakToTrough.npy")
    assert np.corrcoef(width, probe.truth["trough_to_peak"])[0, 1] > 0.95


def test_effects_are_those_asked_for():
    behaviour = simulated.behave(1, minutes=5)
    made = {
        name: simulated.insert(1, 0, "parietal", behaviour, 200, effects).truth_units
        for name, effects in (("published", "published"), ("none", None), ("own", {"choice": 0.5}))
    }
    know = {name: (table.filter(like="_gain") != 0).mean() for name, table in made.items()}
    for variable, share in neurons.PUBLISHED.items():
        assert abs(know["published"][f"{variable}_gain"] - share) <= 0.005
    assert know["published"][["wheel_gain", "licking_gain", "block_gain"]].sum() == know["none"].sum() == 0
    assert know["own"]["choice_gain"] == 0.5 and know["own"][["stimulus_gain", "block_gain"]].sum() == 0
    for unknown in ("strong", {"colour": 0.1}):
        with pytest.raises(ValueError, match="stimulus"):
            simulated.insert(1, 0, "parietal", behaviour, 4, unknown)


def test_the_null_twin_is_the_session_without_what_neurons_know(session):
    twin = session.null
    assert twin.synthetic and twin.details["subject"] == "SIM-NULL"
    pd.testing.assert_frame_equal(twin.trials, session.trials)
    assert np.array_equal(twin.wheel.position, session.wheel.position)
    for with_effects, without in zip(session.insertions, twin.insertions, strict=True):
        same = ["depth", "acronym", "rate", "amplitude", "fault", "refractory"]
        pd.testing.assert_frame_equal(with_effects.truth[same], without.truth[same])
        assert (without.truth.filter(like="_gain") == 0).all(axis=None)
        rates = np.log(without.clusters["firing_rate"]), np.log(with_effects.clusters["firing_rate"])
        assert np.corrcoef(*rates)[0, 1] > 0.9
    with pytest.raises(bwm.errors.MissingDataset, match="no null twin"):
        _ = twin.null


def test_the_columns_of_the_truth_are_those_described(session):
    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    rows = [
        line.split("|")[1:3] for line in page[page.index("## What was put in") :].splitlines() if line.startswith("|")
    ]
    described, name = {}, ""
    for table, columns in rows[2:]:
        name = table.strip() or name
        described.setdefault(name, []).extend(re.findall(r"`(\w+)`", columns))
    described = {name: columns for name, columns in described.items() if name in session.truth}
    assert {name: set(columns) for name, columns in described.items()} == {n: set(t) for n, t in session.truth.items()}
