"""The real recordings in ``data/real`` are what ibllib ships, complete, and open with ONE."""

import hashlib
import importlib.util
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from iblutil.io import parquet
from one.api import One

from bwm_tutorials.paths import ROOT
from bwm_tutorials.recordings import one_tables

DATA = ROOT / "data"
REAL = DATA / "real"
MB = 1_000_000

TRIALS = {
    "2020-08-21": 719,
    "2020-08-24": 532,
    "2020-08-25": 617,
    "2020-08-26": 752,
    "2020-08-27": 471,
    "2020-08-28": 967,
    "2020-08-31": 626,
    "2020-09-01": 1104,
    "2020-09-02": 387,
    "2020-09-03": 782,
    "2020-09-04": 887,
}
COLUMNS = [
    "response_times",
    "choice",
    "stimOn_times",
    "contrastLeft",
    "contrastRight",
    "feedbackType",
    "probabilityLeft",
]

BRAINBOX = importlib.util.find_spec("brainbox")
needs_ibllib = pytest.mark.skipif(BRAINBOX is None, reason="ibllib is not installed: pip install ibllib==4.1.0")


def files_below(folder: Path) -> dict[str, Path]:
    """Every file of a folder by its relative path."""
    return {f.relative_to(folder).as_posix(): f for f in sorted(folder.rglob("*")) if f.is_file()}


def fixture(name: str) -> Any:
    """A test fixture of the installed ibllib."""
    return pickle.loads(Path(BRAINBOX.submodule_search_locations[0], "tests", "fixtures", name).read_bytes())


@pytest.fixture(scope="module")
def make_real() -> ModuleType:
    """The script ``data/make_real.py``."""
    spec = importlib.util.spec_from_file_location("make_real", DATA / "make_real.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(make_real: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings, made anew."""
    target = tmp_path_factory.mktemp("made")
    make_real.main(target)
    return target


@pytest.fixture(scope="module")
def one() -> One:
    """The committed folder, opened by ONE."""
    return One(cache_dir=REAL)


def session(one: One, subject: str) -> Any:
    """The only session of a subject."""
    (eid,) = one.search(subject=subject)
    return eid


# --- it is what the script makes ---------------------------------------------------------------------------------


@needs_ibllib
def test_made_anew_has_the_committed_files(made: Path) -> None:
    assert list(files_below(made)) == list(files_below(REAL))


@needs_ibllib
def test_made_anew_has_the_same_bytes(made: Path) -> None:
    plain = {name: file for name, file in files_below(made).items() if not name.endswith(".pqt")}
    assert len(plain) == 7
    assert [name for name, file in plain.items() if file.read_bytes() != (REAL / name).read_bytes()] == []


@needs_ibllib
def test_made_anew_has_the_same_tables(made: Path) -> None:
    """Parquet's bytes depend on its version, so contents are compared; so do the sizes and md5 of the trials tables."""
    names = [name for name in files_below(made) if name.endswith(".pqt")]
    assert len(names) == 14
    for name in names:
        (new, new_notes), (old, old_notes) = parquet.load(made / name), parquet.load(REAL / name)
        if name == "datasets.pqt":
            of_parquet = new.rel_path.str.endswith(".pqt")
            for table in (new, old):
                table.loc[of_parquet, ["file_size", "hash"]] = None
        pd.testing.assert_frame_equal(new, old, check_exact=True, obj=name)
        assert new_notes == old_notes


@needs_ibllib
def test_made_twice_has_the_same_bytes(make_real: ModuleType, made: Path, tmp_path: Path) -> None:
    make_real.main(tmp_path)
    make_real.main(tmp_path)  # once more in the same place
    new, old = files_below(tmp_path), files_below(made)
    assert list(new) == list(old)
    assert [name for name in new if new[name].read_bytes() != old[name].read_bytes()] == []


@needs_ibllib
def test_a_folder_with_other_files_is_left_alone(make_real: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "sessions.pqt").write_text("of a real cache")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        make_real.main(tmp_path)
    assert sorted(files_below(tmp_path)) == ["notes.txt", "sessions.pqt"]
    assert (tmp_path / "sessions.pqt").read_text() == "of a real cache"


def test_an_unexpected_fixture_is_refused(
    make_real: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brainbox" / "tests" / "fixtures").mkdir(parents=True)
    (tmp_path / "brainbox" / "__init__.py").touch()
    (tmp_path / "brainbox" / "tests" / "fixtures" / "wheel_test.p").write_bytes(pickle.dumps(0))
    elsewhere = importlib.util.spec_from_file_location(
        "brainbox",
        tmp_path / "brainbox" / "__init__.py",
        submodule_search_locations=[str(tmp_path / "brainbox")],
    )
    monkeypatch.setattr(make_real, "find_spec", lambda _: elsewhere)
    with pytest.raises(ValueError, match="not the fixture"):
        make_real.fixture("wheel_test.p")


# --- it is what the fixtures hold, whatever the script does ------------------------------------------------------


@needs_ibllib
def test_trials_are_the_fixture_s(one: One) -> None:
    recorded = fixture("trials_test.pickle")
    assert recorded.keys() == TRIALS.keys()
    for day, trials in recorded.items():
        table = one.load_dataset(f"SWC_054/{day}/001", "_ibl_trials.table.pqt")
        assert list(table) == COLUMNS
        assert {*COLUMNS, "task_protocol"} == trials.keys()
        for column in COLUMNS:
            np.testing.assert_array_equal(table[column], trials[column])
            assert table[column].dtype == trials[column].dtype
        assert str(trials["task_protocol"]) in one.get_details(f"SWC_054/{day}/001").task_protocol


@needs_ibllib
def test_spikes_are_the_fixture_s(one: One) -> None:
    recorded = fixture("ephys_test.p")
    spikes = one.load_object(session(one, "probe_excerpt"), "spikes", collection="alf/probe00")
    assert spikes.keys() == {"times", "clusters"}
    for attribute, values in spikes.items():
        np.testing.assert_array_equal(values, recorded[f"spike_{attribute}"])
        assert values.dtype == recorded[f"spike_{attribute}"].dtype


@needs_ibllib
def test_wheel_is_the_fixture_s_in_radians(one: One) -> None:
    from brainbox.behavior.wheel import cm_to_rad

    (times, position), (onsets, offsets, amplitudes, _) = fixture("wheel_test.p")[1]
    eid = session(one, "wheel_excerpt")
    wheel, moves = one.load_object(eid, "wheel"), one.load_object(eid, "wheelMoves")
    np.testing.assert_array_equal(wheel.timestamps, times)
    np.testing.assert_allclose(wheel.position, cm_to_rad(position), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(moves.intervals, np.c_[onsets, offsets])
    np.testing.assert_allclose(moves.peakAmplitude, cm_to_rad(amplitudes), rtol=0, atol=1e-12)


@needs_ibllib
def test_the_movements_are_those_that_ibllib_finds(one: One) -> None:
    from brainbox.behavior import wheel as reference

    eid = session(one, "wheel_excerpt")
    wheel, moves = one.load_object(eid, "wheel"), one.load_object(eid, "wheelMoves")
    position, times = reference.interpolate_position(wheel.timestamps, wheel.position, freq=1000)
    threshold, onset_threshold = reference.cm_to_rad(reference.samples_to_cm(np.array([8, 1.5])))
    onsets, offsets, amplitudes, _ = reference.movements(
        times, position, freq=1000, pos_thresh=threshold, pos_thresh_onset=onset_threshold
    )
    assert len(onsets) == 64
    np.testing.assert_allclose(moves.intervals, np.c_[onsets, offsets], rtol=0, atol=1e-9)
    np.testing.assert_allclose(moves.peakAmplitude, amplitudes, rtol=0, atol=1e-12)


# --- it is what NOTICE says, without ibllib ----------------------------------------------------------------------


def test_thirteen_sessions(one: One) -> None:
    assert len(one.search()) == 13
    for day, n in TRIALS.items():
        trials = one.load_object(f"SWC_054/{day}/001", "trials")
        assert list(trials) == COLUMNS
        assert {len(column) for column in trials.values()} == {n}, day
    sessions = one.search(lab="mrsicflogellab", subject="SWC_054", details=True)[1]
    assert sorted(str(details["date"]) for details in sessions) == sorted(TRIALS)
    assert {str(one.get_details(eid).date) for eid in one.search(lab="unknownlab")} == {"1900-01-01"}


def test_training_then_biased(one: One) -> None:
    for task, first, last, n in [
        ("trainingChoiceWorld", "2020-08-21", "2020-08-27", 5),
        ("biasedChoiceWorld", "2020-08-28", "2020-09-04", 6),
    ]:
        eids = one.search(task_protocol=task)
        assert len(eids) == n
        assert sorted(eids) == sorted(one.search(subject="SWC_054", date_range=[first, last]))


def test_choice_and_side_give_the_feedback(one: One) -> None:
    """A turn that fits the side of the stimulus is rewarded, in all 7,844 trials; choice 1 is for the left."""
    total = 0
    for day in TRIALS:
        trials = one.load_object(f"SWC_054/{day}/001", "trials").to_df()
        left, right = trials.contrastLeft.notna(), trials.contrastRight.notna()
        assert (left ^ right).all()
        correct = trials.choice == np.where(left, 1, -1)
        assert (correct == (trials.feedbackType == 1)).all()
        assert (trials.response_times.diff().dropna() > 0).all()
        biased = day >= "2020-08-28"
        assert list(np.flatnonzero(trials.stimOn_times.isna())) == ([0] if biased else [])
        assert ((trials.response_times - trials.stimOn_times).dropna() > 0).all()
        if biased:
            assert set(trials.probabilityLeft) == {0.2, 0.5, 0.8}
            assert (trials.probabilityLeft[:90] == 0.5).all()
            assert trials.probabilityLeft[90] != 0.5
        total += len(trials)
    assert total == 7844


def test_the_wheel_moves_by_edges_of_its_encoder(one: One) -> None:
    wheel = one.load_object(session(one, "wheel_excerpt"), "wheel")
    assert len(wheel.timestamps) == len(wheel.position) == 18021
    assert (np.diff(wheel.timestamps) > 0).all()
    np.testing.assert_allclose(np.abs(np.diff(wheel.position)), 2 * np.pi / 2048, rtol=0, atol=1e-12)


def test_the_movements_are_in_order_and_signed(one: One) -> None:
    moves = one.load_object(session(one, "wheel_excerpt"), "wheelMoves")
    assert moves.intervals.shape == (64, 2)
    assert (np.diff(moves.intervals.ravel()) > 0).all()
    assert ((moves.peakAmplitude > 0).sum(), (moves.peakAmplitude < 0).sum()) == (46, 18)


def test_one_probe_of_289_clusters(one: One) -> None:
    eid = session(one, "probe_excerpt")
    spikes = one.load_object(eid, "spikes", collection="alf/probe00")
    assert len(spikes.times) == len(spikes.clusters) == 124_905
    assert len(np.unique(spikes.clusters)) == 289
    assert (np.diff(spikes.times) >= 0).all()
    assert 0 < spikes.times[0] < spikes.times[-1] < 120
    assert one.load_dataset(eid, "probes.description.json") == [{"label": "probe00"}]
    insertions = parquet.load(REAL / "insertions.pqt")[0].reset_index()
    assert list(zip(insertions.eid, insertions.name, strict=True)) == [(str(eid), "probe00")]


def test_the_main_session_is_the_longest_biased_one(one: One) -> None:
    assert one_tables.metadata(REAL)["main"] == str(one.search(subject="SWC_054", date="2020-09-01")[0])
    assert max(TRIALS, key=TRIALS.get) == "2020-09-01"


# --- it is safe to ship ------------------------------------------------------------------------------------------


def test_the_table_of_datasets_lists_every_file() -> None:
    """Sizes and md5 too: a file altered on the way into the repository, or by a checkout, is noticed here."""
    datasets = parquet.load(REAL / "datasets.pqt")[0].reset_index()
    sessions = parquet.load(REAL / "sessions.pqt")[0]
    listed = {"sessions.pqt", "datasets.pqt", "insertions.pqt"}
    for row in datasets.itertuples():
        lab, subject, day, number = sessions.loc[row.eid, ["lab", "subject", "date", "number"]]
        file = REAL / lab / "Subjects" / subject / str(day) / f"{number:03d}" / row.rel_path
        assert (file.stat().st_size, hashlib.md5(file.read_bytes()).hexdigest()) == (row.file_size, row.hash), file
        listed.add(file.relative_to(REAL).as_posix())
    assert listed == set(files_below(REAL))
    assert datasets.exists.all() and datasets.default_revision.all()


def test_no_pickle() -> None:
    suffixes = {Path(name).suffix for name in files_below(REAL)}
    assert suffixes == {".npy", ".pqt", ".json"}
    for name, file in files_below(REAL).items():
        if name.endswith(".npy"):
            assert np.load(file, allow_pickle=False).dtype.kind in "fu", name


def test_small() -> None:
    assert sum(file.stat().st_size for file in files_below(REAL).values()) < 2 * MB


def test_never_mistakable_for_synthetic() -> None:
    sessions, datasets, insertions = (
        parquet.load(REAL / f"{name}.pqt")[0].reset_index() for name in ("sessions", "datasets", "insertions")
    )
    assert not sessions.lab.str.startswith(one_tables.SYNTHETIC_LAB).any()
    ids = pd.concat([sessions.id, datasets.id, datasets.eid, insertions.id, insertions.eid])
    assert len(ids) == 13 + 2 * 18 + 2
    assert not ids.str.startswith(one_tables.SYNTHETIC_PREFIX).any()
    assert not [name for name in files_below(REAL) if "SYNTHETIC" in name]


def test_notice_names_source_licences_and_paper() -> None:
    notice = " ".join((DATA / "NOTICE").read_text(encoding="utf-8").split())
    for fact in [
        "ibllib 4.1.0",
        "Copyright (c) 2018 International Brain Laboratory",
        "The above copyright notice and this permission notice shall be included",
        "CC BY 4.0",
        "10.1038/s41586-025-09235-0",
        f"{sum(TRIALS.values()):,} trials",
        "1900-01-01",
    ]:
        assert fact in notice, fact
