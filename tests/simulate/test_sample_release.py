"""The small release: ten sessions that differ as real ones do, read by IBL's loaders, with their corrections."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from helpers.sessions import of_subject
from one.alf.exceptions import ALFObjectNotFound

import bwm_tutorials as bwm
from bwm_tutorials import console
from bwm_tutorials.simulate.plans import MAIN, SAMPLE_RELEASE
from bwm_tutorials.simulate.write import SORTING_REVISION

loaders = pytest.importorskip("brainbox.io.one")

STALE = "SIM-005 2001-02-14"


@pytest.fixture(scope="module")
def sessions(small_release) -> list[bwm.Session]:
    return [bwm.Session(eid, small_release) for eid in small_release.search()]


@pytest.fixture(scope="module")
def corrected(small_release) -> bwm.Session:
    return of_subject(small_release, "SIM-006")


def with_revision(session: bwm.Session, file: str, before: str | None = None, collection: str = "alf"):
    return session.one.load_dataset(session.eid, file, collection, revision=before)


# What there is


def test_ten_sessions_of_six_mice_in_three_labs(small_release, sessions):
    details = pd.DataFrame([session.details for session in sessions])
    assert (len(details), details["subject"].nunique(), details["lab"].nunique()) == (10, 6, 3)
    assert len(small_release.search_insertions()) == sum(len(session.insertions) for session in sessions) == 14
    assert str(MAIN.record.eid) == bwm.Session(one=small_release).eid
    regions = {region for session in sessions for probe in session.insertions for region in probe.clusters["acronym"]}
    assert {"CP", "AON", "PRNr", "CA1", "LP", "SCig", "MOs5"} <= regions
    assert all(session.synthetic and session.details["lab"].startswith("syntheticlab") for session in sessions)
    assert len({session.seed for session in sessions}) == 10


def test_tables_answer_the_searches_of_the_release(small_release):
    one = small_release
    assert len(one.search(task_protocol="ephysChoiceWorld", projects="synthetic_not_ibl")) == 10
    assert len(one.search(laboratory="syntheticlab_b")) == 3 and len(one.search(date_range=["2001-02-01", None])) == 5
    assert len(one.search(datasets="_ibl_bodyCamera.times.npy")) == 1
    assert len(one.search(datasets="_ibl_passiveRFM.times.npy")) == 2
    assert len(one.search(datasets="_ibl_passivePeriods.intervalsTable.csv")) == 4
    assert len(one.search(datasets="_ibl_leftCamera.dlc.pqt")) == 3, (
        "four have a left camera, and one video is CRITICAL"
    )
    assert len(one.search_insertions(name="probe01")) == 4
    pids, details = one.search_insertions(model="3B2", subject="SIM-005", details=True)
    assert len(pids) == 3 and {row["subject"] for row in details} == {"SIM-005"}


@pytest.mark.parametrize(
    "nothing, something",
    [
        ({"subject": "sim-001"}, {"subject": "SIM-001"}),
        ({"datasets": "spikes.times"}, {"datasets": "spikes.times.npy"}),
        ({"datasets": "trials.table.pqt"}, {"datasets": "_ibl_trials.table.pqt"}),
        ({"date_range": "2001-02"}, {"date_range": ["2001-02-01", "2001-02-28"]}),
        ({"dataset_qc_lte": "PASS"}, {"datasets": "licks.times.npy", "dataset_qc_lte": "PASS"}),
    ],
)
def test_searches_that_find_nothing_and_what_lesson_02_advises(small_release, nothing, something):
    assert small_release.search(**nothing) == [] and len(small_release.search(**something)) > 1


@pytest.mark.parametrize("term", ["tag", "atlas_acronym"])
def test_only_the_database_knows_these_terms(small_release, term):
    with pytest.raises(ValueError, match=f'Invalid search term "{term}"'):
        small_release.search(**{term: "CA1"})


def test_no_two_sessions_are_the_same(sessions):
    starts = [tuple(session.trials["stimOn_times"].dropna()[:5]) for session in sessions]
    assert len(set(starts)) == len(starts)


def test_a_critical_video_can_be_neither_listed_nor_loaded(small_release):
    session = of_subject(small_release, "SIM-004")
    assert not session.available.loc[["pose('left', 'dlc')", "licks", "pupil"], "present"].any()
    assert not session.one.list_datasets(session.eid, filename="*leftCamera*")
    with pytest.raises(ALFObjectNotFound):
        session.one.load_object(session.eid, "leftCamera", collection="alf")
    # It is there, and says what is wrong with it.
    everything = session.one.list_datasets(session.eid, details=True, qc="CRITICAL")
    assert everything.loc[everything["rel_path"].str.contains("leftCamera"), "qc"].eq("CRITICAL").all()
    assert len(session.trials) and len(session.insertions)


def test_quality_is_graded_as_in_the_release_and_only_one_video_is_critical(small_release, sessions):
    """Tasks and videos mostly WARNING, what was tracked in them and probes mostly PASS; of each some that are not."""
    parts = {
        "task": r"_ibl_trials\.table",
        "video": "Camera.times",
        "pose": r"Camera\.(?:dlc|light)",
        "probe": "spikes.times",
    }
    everything = [session.one.list_datasets(session.eid, details=True, qc="CRITICAL") for session in sessions]
    table = pd.concat(everything)
    usual = {part: table.loc[table["rel_path"].str.contains(path), "qc"] for part, path in parts.items()}
    assert {part: qc.mode()[0] for part, qc in usual.items()} == {
        "task": "WARNING", "video": "WARNING", "pose": "PASS", "probe": "PASS",
    }  # fmt: skip
    assert all({"WARNING", "FAIL", "PASS"} <= set(qc) for part, qc in usual.items() if part != "pose")
    critical = table[table["qc"] == "CRITICAL"]
    assert critical["rel_path"].str.contains("leftCamera|licks").all() and len(critical) == 6
    hidden = [session.name for session, all in zip(sessions, everything, strict=True) if "CRITICAL" in set(all["qc"])]
    assert hidden == ["SIM-004 2001-02-02"]


def test_mice_differ_in_what_they_can_do():
    # Longer than the shortened sessions: a psychometric curve takes trials.
    from bwm_tutorials.simulate.session import behave

    of = {plan.skill: behave(7, 60, plan.skill, None).trials for plan in SAMPLE_RELEASE}
    easy = {skill: (t["feedbackType"] == 1)[np.abs(bwm.trials.signed_contrast(t)) >= 25] for skill, t in of.items()}
    correct = pd.Series({skill: trials.mean() for skill, trials in easy.items()}).sort_index()
    assert list(correct.index) == [0.35, 0.6, 1.0, 1.2] and correct.is_monotonic_increasing
    assert correct[0.35] < 0.85 and correct[1.2] > 0.9


# IBL's loaders


def test_session_loader_loads_all_of_it(sessions):
    for session in sessions:
        loader = loaders.SessionLoader(one=session.one, eid=session.eid)
        has = session.available["present"]
        loader.load_trials()
        loader.load_wheel()
        assert len(loader.trials) == len(session.trials) and len(loader.wheel)
        cameras = [camera for camera in ("left", "right", "body") if has[f"pose({camera!r}, 'lightningPose')"]]
        for tracker in ("dlc", "lightningPose"):
            loader.load_pose(views=cameras, tracker=tracker, likelihood_thr=0)
            for camera in cameras:
                ours = session.pose(camera, tracker)
                theirs = loader.pose[f"{camera}Camera"]
                assert np.allclose(theirs[ours.columns], ours, equal_nan=True), (session.name, camera, tracker)
        loader.load_motion_energy(views=cameras)
        for camera in cameras:
            energy = session.motion_energy(camera)["energy"]
            assert np.array_equal(loader.motion_energy[f"{camera}Camera"].iloc[:, 1], energy)
        if has["licks"]:
            loader.load_licks()
            assert np.array_equal(np.ravel(loader.licks), session.licks)
        if has["pupil"]:
            loader.load_pupil(snr_thresh=0)
            assert np.allclose(loader.pupil["pupilDiameter_raw"], session.pupil["pupilDiameter_raw"], equal_nan=True)


def test_a_few_spikes_of_each_unit_are_stored_as_waveforms(sessions):
    from ibldsp.waveform_extraction import WaveformsLoader

    for session in sessions:
        most = 6 if session.eid == MAIN.record.eid else 2
        for probe in session.insertions:
            folder = session.one.eid2path(session.eid) / probe.collection / SORTING_REVISION
            stored = WaveformsLoader(folder)
            n_spikes = probe.clusters["spike_count"]
            assert stored.df_clusters["count"].to_dict() == n_spikes[n_spikes > 0].clip(upper=most).to_dict()
            assert len(stored.templates) == stored.nu


def test_waveforms_of_spikes_change_nothing_else(tmp_path):
    from bwm_tutorials.simulate import sample
    from bwm_tutorials.simulate.plans import SessionPlan

    def files(snippets: int) -> dict[str, bytes]:
        plan = SessionPlan("syntheticlab", "SIM-9", date(2001, 1, 8), ("frontal",), 3, 6, snippets, cameras=())
        root = sample.build(tmp_path / str(snippets), name=str(snippets), plans=[plan])
        return {file.name: file.read_bytes() for file in root.rglob("Subjects/**/*") if file.is_file()}

    without, some = files(0), files(2)
    added = {"traces.npy", "templates.npy", "channels.npz", "table.pqt"}
    assert some.keys() - without.keys() == {f"waveforms.{name}" for name in added}
    assert without.items() <= some.items()


def test_receptive_field_stimulus_is_read_by_brainbox(small_release, sessions):
    seen = [s for s in sessions if s.available.loc["passive", "present"] and s.passive.rf_times is not None]
    assert len(seen) == 2
    for session in seen:
        theirs = loaders.load_passive_rfmap(session.eid, session.one)
        assert np.array_equal(theirs["frames"], session.passive.rf_frames)
        assert np.array_equal(theirs["times"], session.passive.rf_times)
        assert len(theirs["times"]) == len(theirs["frames"])


def test_only_the_spontaneous_part_of_some(small_release):
    passive = of_subject(small_release, "SIM-005", "2001-02-14").passive
    assert np.isfinite(passive.intervals["spontaneousActivity"]).all()
    assert passive.intervals[["RFM", "taskReplay"]].isna().all(axis=None)
    assert passive.gabor is passive.stims is passive.rf_times is passive.rf_frames is None


# The corrections, each seen in what it took the place of


def test_each_session_has_an_older_trials_table(sessions):
    for session in (each for each in sessions if each.name != STALE):
        old = with_revision(session, "_ibl_trials.table.pqt", "2020-01-01")
        assert len(old) == len(session.trials) and not old.equals(session.trials[old.columns])


def test_a_stale_table_hides_what_came_later(small_release):
    session = of_subject(small_release, *STALE.split())
    folder = small_release.eid2path(session.eid)
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*/*") if file.is_file()}
    table = small_release.list_datasets(session.eid, details=True, default_revisions_only=False).set_index("rel_path")
    hidden = there - set(table.index)
    assert "alf/#2025-03-03#/_ibl_trials.table.pqt" in hidden
    assert set(table.index) < there and table.index[~table["default_revision"]].tolist() == [
        "alf/_ibl_trials.table.pqt"
    ]
    assert session.has("spikes") and not session.has("saturation")
    assert session.trials["goCue_times"][:40].isna().all(), "they are those of before the correction"
    new = pd.read_parquet(folder / "alf/#2025-03-03#/_ibl_trials.table.pqt")
    assert len(new) == len(session.trials) and new["goCue_times"][:40].notna().any()


def test_that_a_table_is_stale_is_said_once(small_release, said):
    console.say_once.cache_clear()
    for _ in range(2):
        for eid in small_release.search():
            assert bwm.Session(eid, small_release).has("trials")
    assert said() == f"The tables mark no revision of 1 dataset of {STALE} as the default: the newest is taken."


def test_gabors_were_one_off(small_release):
    session = bwm.Session(one=small_release)
    old = with_revision(session, "_ibl_passiveGabor.table.csv", "2024-01-01")
    new = session.passive.gabor
    assert len(old) == len(new) + 1
    assert np.array_equal(old["contrast"][:-1], new["contrast"]) and np.allclose(old["start"][1:], new["start"])


def test_the_wheel_was_flipped_and_the_data_show_it(corrected):
    trials = corrected.trials[corrected.trials["choice"] != 0].dropna(subset=["stimOn_times", "response_times"])

    def agrees(position):
        at = np.interp(trials[["stimOn_times", "response_times"]], corrected.wheel.timestamps, position)
        return (np.sign(at[:, 1] - at[:, 0]) == -trials["choice"]).mean()

    old = with_revision(corrected, "_ibl_wheel.position.npy", "2024-01-01")
    assert np.array_equal(old, -corrected.wheel.position)
    assert agrees(corrected.wheel.position) > 0.95 and agrees(old) < 0.05
    peak = with_revision(corrected, "_ibl_wheelMoves.peakAmplitude.npy", "2024-01-01")
    assert np.array_equal(peak, -corrected.wheel_moves.peakAmplitude)
    assert corrected.available.loc["wheel", "revision"] == "2024-05-06"


def test_times_of_frames_that_were_never_stored_stood_in_front_and_the_wheel_shows_it(corrected):
    """The paw goes with the wheel: where its speed fits best tells how far the video's times are off."""
    times = corrected.pose("left", "lightningPose", "paw_r")["times"].to_numpy()
    pose = corrected.pose("left", "lightningPose", "paw_r")
    speed = np.hypot(pose["paw_r_x"].diff(), pose["paw_r_y"].diff()).fillna(0).to_numpy()
    grid, position = bwm.wheel.interpolate(corrected.wheel.timestamps, corrected.wheel.position)
    turning = np.abs(bwm.wheel.velocity(grid, position))

    def lag(times):
        lags = np.arange(-0.5, 0.51, 0.02)
        return lags[np.argmax([np.corrcoef(speed, np.interp(times + by, grid, turning))[0, 1] for by in lags])]

    assert abs(lag(times)) <= 0.04
    old = with_revision(corrected, "_ibl_leftCamera.times.npy", "2023-01-01")
    n_more = old.size - times.size
    assert n_more == 15 and np.array_equal(old[n_more:], times) and (np.diff(old) > 0).all()
    assert abs(lag(old[: times.size]) - 0.25) <= 0.06, "counted from the first"


def test_either_sorting_is_loaded_by_ibls_loader(corrected):
    from iblatlas.atlas import AllenAtlas

    (probe,) = corrected.insertions
    loader = loaders.SpikeSortingLoader(pid=probe.pid, one=corrected.one, atlas=AllenAtlas(mock=True))
    new = loader.load_spike_sorting()
    old = loader.load_spike_sorting(revision="2023-01-01")
    found = []
    for spikes, clusters, channels in (new, old):
        merged = loader.merge_clusters(spikes, clusters, channels)
        found.append((len(merged["channels"]), spikes["times"].size, spikes["clusters"].dtype.itemsize))
        assert spikes["clusters"].max() < len(merged["channels"]) and len(merged["acronym"]) == len(merged["label"])
    (n_new, spikes_new, bytes_new), (n_old, spikes_old, bytes_old) = found
    assert n_old < 0.7 * n_new + 1 and spikes_old < spikes_new and (bytes_new, bytes_old) == (2, 4)
    assert np.array_equal(new[0]["times"], probe.spikes.times)


def test_saturation_is_told_in_samples_of_the_probe(sessions):
    from iblatlas.atlas import AllenAtlas

    for session in [each for each in sessions if each.has("saturation")][:3]:
        for probe in session.insertions:
            folder = f"raw_ephys_data/{probe.name}"
            table = with_revision(session, "_iblqc_ephysSaturationAP.samples.pqt", collection=folder)
            loader = loaders.SpikeSortingLoader(pid=probe.pid, one=session.one, atlas=AllenAtlas(mock=True))
            start, stop = loader.samples2times(table.to_numpy()).T
            assert (stop - start).max() < 0.11 and (start > 0).all()
            assert np.allclose(probe.saturation[["start", "stop"]].to_numpy().T, [start, stop], atol=1e-4)
            # Divided by 30,000 the samples are off: the probe's clock is not the session's.
            spikes = probe.spikes.times
            assert all(
                np.searchsorted(spikes, b - 1e-4) == np.searchsorted(spikes, a + 1e-4)
                for a, b in zip(start, stop, strict=True)
            )
            samples = with_revision(session, "spikes.samples.npy", collection=f"alf/{probe.name}/pykilosort")
            assert np.abs(loader.samples2times(samples) - spikes).max() < 1e-4
