"""The sample through IBL's own loaders: they read it, and say the same as `Session` and `Insertion`."""

import re

import numpy as np
import pytest

from bwm_tutorials.analysis import pose, wheel
from bwm_tutorials.paths import ROOT
from bwm_tutorials.recordings.datasets import CAMERAS
from bwm_tutorials.workshop import notebooks

loaders = pytest.importorskip("brainbox.io.one")


@pytest.fixture(scope="module")
def theirs(session, sample):
    loader = loaders.SessionLoader(one=sample, eid=session.eid)
    loader.load_trials()
    return loader


def test_trials_are_the_twenty_columns_of_the_session_loader(theirs, session):
    assert set(theirs.trials) == set(session.trials)
    assert theirs.trials.shape == (len(session.trials), 20)
    for column in session.trials:
        assert np.array_equal(theirs.trials[column], session.trials[column], equal_nan=True), column


@pytest.mark.filterwarnings("ignore")
def test_trials_of_a_real_session(real_data):
    import bwm_tutorials as bwm

    one = bwm.connect(real_data)
    ours = bwm.Session("56956777-dca5-468c-87cb-78150432cc57", one)
    loader = loaders.SessionLoader(one=one, eid=ours.eid)
    loader.load_trials()
    assert set(loader.trials) == set(ours.trials)
    for column in ours.trials:
        assert np.array_equal(loader.trials[column], ours.trials[column], equal_nan=True), column


def test_wheel_pose_and_licks(theirs, session):
    theirs.load_wheel()
    position = np.interp(theirs.wheel["times"], session.wheel.timestamps, session.wheel.position)
    assert np.allclose(theirs.wheel["position"], position, atol=2e-3)
    theirs.load_pose(views=["left"], tracker="dlc", likelihood_thr=0)
    pose = session.pose("left", "dlc", ["paw_r", "nose_tip"])
    for column in pose:
        assert np.allclose(theirs.pose["leftCamera"][column], pose[column]), column
    theirs.load_licks()
    assert np.array_equal(np.ravel(theirs.licks), session.licks)
    theirs.load_motion_energy(views=list(CAMERAS))
    for camera in CAMERAS:
        energy = session.motion_energy(camera)
        assert np.array_equal(theirs.motion_energy[f"{camera}Camera"], energy), camera
    theirs.load_pupil()
    assert np.allclose(theirs.pupil["pupilDiameter_raw"], session.pupil["pupilDiameter_raw"], equal_nan=True)


def test_the_session_loader_loads_all_at_once(sample, session):
    loader = loaders.SessionLoader(one=sample, eid=session.eid)
    loader.load_session_data()  # swallows what goes wrong, and says it here
    lacking = loader.data_info.loc[~loader.data_info["is_loaded"], "name"].tolist()
    assert set(lacking) <= {"pawstates"}, "which the release has of no session"


def test_passive(sample, session):
    frames = loaders.load_passive_rfmap(session.eid, sample)
    assert np.array_equal(frames["frames"], session.passive.rf_frames)
    assert np.array_equal(frames["times"], session.passive.rf_times)
    gabors = sample.load_dataset(session.eid, "_ibl_passiveGabor.table.csv", collection="alf")
    assert np.array_equal(gabors[[*session.passive.gabor]], session.passive.gabor)


@pytest.fixture(scope="module")
def sorting(probe, sample):
    from iblatlas.atlas import AllenAtlas

    loader = loaders.SpikeSortingLoader(pid=probe.pid, one=sample, atlas=AllenAtlas(mock=True))
    spikes, clusters, channels = loader.load_spike_sorting()
    return loader, spikes, loader.merge_clusters(spikes, clusters, channels), channels


def test_spikes(sorting, probe):
    loader, spikes, _, _ = sorting
    assert loader.pname == probe.name and str(loader.eid) == probe.eid
    for attribute in ("times", "clusters", "amps", "depths"):
        assert np.array_equal(spikes[attribute], probe.spikes[attribute]), attribute
        assert spikes[attribute].dtype == probe.spikes[attribute].dtype


def test_good_spikes_are_those_of_units_with_label_1(sorting, probe):
    loader, spikes, clusters, _ = sorting
    passing, _, _ = loader.load_spike_sorting(good_units=True)
    good = np.isin(spikes["clusters"], np.flatnonzero(clusters["label"] == 1))
    assert 0.3 < good.mean() < 0.9
    for attribute in ("times", "clusters", "amps", "depths"):
        assert np.array_equal(passing[attribute], probe.good_spikes[attribute]), attribute
        assert np.array_equal(spikes[attribute][good], probe.good_spikes[attribute]), attribute


def test_regions_of_clusters_are_those_of_iblatlas(sorting, probe):
    from iblatlas.regions import BrainRegions

    _, _, clusters, _ = sorting
    for mapping in ("Beryl", "Cosmos"):
        theirs = BrainRegions().acronym2acronym(clusters["acronym"], mapping=mapping)
        assert np.array_equal(theirs, probe.clusters[mapping.lower()]) and len(set(theirs)) > 2, mapping


def test_clusters(sorting, probe):
    _, _, clusters, _ = sorting
    ours = probe.clusters
    place = ["depths", "channels", "acronym", "atlas_id", "x", "y", "z"]
    for column in ["label", "firing_rate", *place, "cluster_id", "uuids"]:
        left, right = np.asarray(clusters[column]), ours[column].to_numpy()
        same = (
            (left == right).all() if left.dtype.kind in "OUS" else np.allclose(left.astype(float), right.astype(float))
        )
        assert same, column


def test_channels(sorting, probe):
    _, _, _, channels = sorting
    for column in ("x", "y", "z", "axial_um", "lateral_um", "rawInd", "atlas_id"):
        assert np.allclose(channels[column], probe.channels[column]), column
    assert (channels["acronym"] == probe.channels["acronym"]).all()


@pytest.fixture(scope="module")
def stored(sorting):
    """Waveforms of single spikes, as IBL's loader has them: what it is, traces, table, channels."""
    reader = sorting[0].raw_waveforms()
    return reader, *reader.load_waveforms()


def test_waveforms_of_spikes_have_the_form_of_the_release(stored):
    reader, traces, _, _ = stored
    assert reader.data_version == 2 and reader.wfs_dtype == np.float16
    assert (reader.nu, reader.max_wf, reader.nc, reader.ns) == (100, 6, 40, 128) and traces.shape == (600, 40, 128)
    some, table, _ = reader.load_waveforms(labels=[3, 50], indices=[0, 2])
    assert table["cluster"].tolist() == [3, 3, 50, 50] and np.array_equal(some, traces[[18, 20, 300, 302]], True)


def test_waveforms_are_of_spikes_of_their_unit_on_the_channels_around_it(stored, probe):
    from ibldsp.utils import make_channel_index

    _, traces, table, channels = stored
    (samples,) = probe.files.load(f"{probe.collection}/spikes.samples.npy")
    fired = {*zip(samples, probe.spikes.clusters, strict=True)}
    assert {*zip(table["sample"], table["cluster"], strict=True)} <= fired
    assert np.array_equal(table["peak_channel"], probe.clusters.loc[table["cluster"], "channels"])
    around = make_channel_index(probe.channels[["lateral_um", "axial_um"]].to_numpy())
    assert np.array_equal(channels, around[table["peak_channel"]])
    assert np.array_equal(np.isnan(traces).all(axis=2), channels == len(probe.channels))


def test_waveforms_of_spikes_go_with_the_mean_waveform_of_their_unit(sorting, stored, probe):
    _, traces, table, channels = stored
    templates = sorting[0].load_spike_sorting_object("waveforms")["templates"]
    assert np.array_equal(templates, np.median(traces.reshape(100, 6, 40, 128), axis=1), equal_nan=True)
    own = templates[np.arange(100), np.argmax(channels[::6] == table["peak_channel"].to_numpy()[::6, None], axis=1)]
    mean, inside = probe.waveforms.waveforms[:, :, 0], slice(1, 83)  # troughs at samples 41 and 42
    alike = np.array([np.corrcoef(*pair)[0, 1] for pair in zip(own[:, inside], mean, strict=True)])
    assert np.median(alike) > 0.97 and alike[probe.clusters["label"] == 1].min() > 0.6
    off = np.nanstd(traces.astype(np.float32) - np.repeat(templates, 6, axis=0), axis=(1, 2))
    assert 6e-6 < np.median(off) < 26e-6, "the noise of a real channel"


def test_metrics_are_what_the_spikes_give_by_brainbox(session):
    from brainbox.metrics.single_units import quick_unit_metrics

    for probe in [*session.insertions, *session.null.insertions]:
        spikes = (probe.spikes[name] for name in ("clusters", "times", "amps", "depths"))
        theirs = quick_unit_metrics(*spikes, cluster_ids=np.arange(len(probe.clusters)))
        for column, values in theirs.items():
            assert np.allclose(probe.clusters[column].astype(float), values, rtol=1e-6, atol=1e-12, equal_nan=True), (
                column
            )


def test_metrics_have_the_22_columns_of_the_release_in_range(probe):
    collection = f"alf/{probe.name}/pykilosort"
    metrics = probe.one.load_dataset(probe.eid, "clusters.metrics.pqt", collection)
    assert metrics.shape[1] == 22
    assert set(metrics["label"].round(6)) <= {0, round(1 / 3, 6), round(2 / 3, 6), 1}
    assert (metrics["spike_count"] == np.bincount(probe.spikes.clusters, minlength=len(metrics))).all()
    assert metrics.loc[metrics["label"] == 1, "amp_median"].min() > 50e-6
    assert ((metrics["bitwise_fail"] == 0) == (metrics["label"] == 1)).all()


BOXES = [
    (source.stem, code)
    for source in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
    for cell in notebooks.read_source(source).cells
    if cell.cell_type == "markdown" and "With IBL's own tools" in cell.source
    for code in re.findall(r"```python\n(.+?)```", cell.source, flags=re.DOTALL)
]


@pytest.mark.parametrize("lesson, code", BOXES, ids=[lesson for lesson, _ in BOXES])
def test_boxes_with_ibls_own_tools_run_and_agree(lesson, code, sample, session, probe):
    names = {"one": sample, "session": session, "probe": probe}
    exec(code, names)
    if "clusters" in names:
        assert np.array_equal(names["spikes"]["times"], probe.spikes.times)
        assert (names["clusters"]["acronym"] == probe.clusters["acronym"]).all()
    if "onsets" in names:
        moves = np.c_[names["onsets"], names["offsets"]]
        assert np.allclose(moves, session.wheel_moves.intervals)
        assert np.allclose(names["amplitudes"], session.wheel_moves.peakAmplitude)
        assert np.allclose(names["velocity"][1:], wheel.velocity(names["times"], names["position"])[1:], atol=1e-9)
        go_cue = session.trials["firstMovement_times"] - session.trials["goCue_times"]
        assert np.allclose(names["latency"], go_cue, equal_nan=True)
    if "lick_times" in names:
        left = session.pose("left")
        assert np.array_equal(names["lick_times"], pose.lick_times(left["times"].to_numpy(), left))
        assert np.allclose(names["diameter"], pose.pupil_diameter(left), equal_nan=True, rtol=1e-5)
        ours = pose.speed(pose.likelihood_filter(left), "paw_r", "left")
        known = ~np.isnan(ours[1:-1])
        assert np.corrcoef(names["paw_speed"][1:-1][known], ours[1:-1][known])[0, 1] > 0.9999
    if "metrics" in names:
        assert (names["metrics"]["label"] == probe.clusters["label"]).all()
        (clock,) = (f for f in sample.list_datasets(session.eid) if f"{probe.name}/" in f and ".timestamps." in f)
        samples, seconds = np.load(sample.eid2path(session.eid) / clock).T
        assert abs(names["seconds"] - np.interp(30_000, samples, seconds)) < 1e-6
