"""The registry of datasets: what it says holds for every file that the simulation writes, and for the real excerpt."""

import re
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import refused

import bwm_tutorials as bwm
from bwm_tutorials.errors import DataError
from bwm_tutorials.recordings import datasets, one_tables

ALL = [*(dataset for each in datasets.REGISTRY for dataset in each.datasets), *datasets.ALSO]


def pattern(dataset: datasets.Dataset) -> str:
    return dataset.path.format(camera="*", probe="*", spikes="alf/*")


def described(path: str) -> datasets.Dataset:
    """What the registry says of a file."""
    found = {id(dataset): dataset for dataset in ALL if fnmatchcase(path, pattern(dataset))}
    assert found, f"{path} is not in the registry"
    best = max(found.values(), key=lambda dataset: len(pattern(dataset).replace("*", "")))
    return best


def faults(dataset: datasets.Dataset, content) -> list[str]:
    """Where a file's content is not what the registry says."""
    wrong = []
    columns = content if isinstance(content, pd.DataFrame) else None
    if columns is not None:
        known = {name for name in columns if any(fnmatchcase(name, each) for each in dataset.unit)}
        # What trackers and sorters add to a point or a unit is their own.
        named = {name for name in dataset.unit if "*" not in name}
        wrong += [f"no column {name}" for name in named - set(columns)]
        if not any("*" in name for name in dataset.unit):
            wrong += [f"unknown column {name}" for name in set(columns) - known]
        for name, values in dataset.values.items():
            strange = set(columns[name].dropna().round(6)) - {round(value, 6) for value in values}
            wrong += [f"{name} has {strange}"] if strange else []
        if dataset.dtype:
            wrong += [f"{n} is {d}" for n, d in columns.dtypes.items() if str(d) not in dataset.dtype.split()]
    elif dataset.dtype and content.dtype.str not in dataset.dtype.split():
        wrong.append(f"it is {content.dtype.str}")
    sizes = [int(size) for size in dataset.shape.split()[1:] if size.isdigit()]
    if columns is None and sizes and list(content.shape[1:]) != sizes:
        wrong.append(f"its shape is {content.shape}")
    rules = {
        "finite": lambda x: np.isfinite(np.asarray(x, float)).all(),
        "sorted": lambda x: (np.diff(x) >= 0).all(),
        "rising": lambda x: (np.diff(x) > 0).all(),
        "intervals": lambda x: (
            (np.asarray(x)[:, 0] <= np.asarray(x)[:, 1]).all() and (np.diff(np.asarray(x)[:, 0]) >= 0).all()
        ),
    }
    return wrong + [f"it is not {rule}" for rule in dataset.holding.split() if not rules[rule](content)]


def load(session: bwm.Session, path: str):
    (content,) = session.files.load(path)
    return content.drop(columns="Unnamed: 0", errors="ignore") if isinstance(content, pd.DataFrame) else content


def test_every_file_of_the_sample_is_as_the_registry_says(session):
    found = {}
    for path in session.datasets.index:
        if path.endswith((".npy", ".pqt", ".csv")):
            dataset, content = described(path), load(session, path)
            found[path] = faults(dataset, content)
        else:
            described(path)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    assert len(found) > 90


def test_files_of_one_object_are_equally_long(session):
    """Dimensions of one name have one length, in each collection."""
    lengths: dict[tuple[str, str], dict[int, str]] = {}
    for path in session.datasets.index:
        if path.endswith((".npy", ".pqt", ".csv")):
            dataset, content = described(path), load(session, path)
            folder, _, name = path.rpartition("/")
            # Frames and channels are those of one camera, and of one list of channels.
            owner = folder + (re.match(r"_?(?:ibl_)?(left|right|body|electrodeSites|)", name)[0])
            for dimension, size in zip(dataset.shape.split(), content.shape, strict=False):
                if dimension.isalpha():
                    lengths.setdefault((owner, dimension), {}).setdefault(size, path)
    assert {key: sizes for key, sizes in lengths.items() if len(sizes) > 1} == {}
    assert len(lengths) > 15


def test_revisions_that_matter_are_those_that_the_sample_loads(session):
    """The release has corrected these files; so has the sample, where it has the correction."""
    loaded = session.datasets["revision"]
    for path, revision in loaded[loaded != ""].items():
        if (known := described(path).revision) and known[4] == "-":
            assert revision.startswith(known[:7]), path


def test_files_that_later_ones_took_the_place_of_are_described_too(small_release):
    for eid in small_release.search():
        for path in small_release.list_datasets(eid, details=True)["rel_path"]:
            assert described(one_tables.without_revision(path))


def test_real_files_are_as_the_registry_says(real):
    """But for older trials: some lack columns, and in training a mouse meets other probabilities of the left."""
    for eid in real.one.search():
        session = bwm.Session(eid, real.one)
        for path in session.datasets.index:
            if path.endswith((".npy", ".pqt")):
                wrong = faults(described(path), load(session, path))
                assert [each for each in wrong if not each.startswith(("probabilityLeft has", "no column"))] == [], path


def test_what_is_wrong_is_found():
    """The test itself: each rule can fail."""
    (times,) = (dataset for dataset in ALL if dataset.path.endswith("spikes.times.npy"))
    assert faults(times, np.array([0.0, 1.0])) == []
    assert faults(times, np.array([1.0, 0.0])) == ["it is not sorted"]
    assert faults(times, np.array([0.0, np.nan]))[0] == "it is not finite"
    assert faults(times, np.array([0, 1])) == ["it is <i8"]
    trials = pd.DataFrame({name: [1.0] for name in ALL[0].unit}).assign(probabilityLeft=0.5)
    assert faults(ALL[0], trials) == []
    assert faults(ALL[0], trials.assign(choice=2.0)) == ["choice has {2.0}"]
    assert faults(ALL[0], trials.drop(columns="goCue_times")) == ["no column goCue_times"]
    assert faults(ALL[0], trials.assign(mood=1.0)) == ["unknown column mood"]


# ------------------------------------------------------------------------------------------------ what derives from it


def test_a_session_is_asked_what_it_has(session, plain):
    assert session.has("wheel") and session.has("pose", "left") and session.has("pose", "body", "dlc")
    assert session.has("spikes", "probe01") and session.has("spikes") and session.has("pose")
    assert not plain.has("pose", "right") and not plain.has("passive") and not plain.has("motion_energy", "body")
    wrong = {
        ("wheels",): "trials, wheel",
        ("pose", "top"): "left, right, body",
        ("spikes", "probe07"): "probe00, probe01",
        ("pose", "left", "sleap"): "sleap",
    }
    for asked, words in wrong.items():
        with refused(DataError, words):
            session.has(*asked)


def test_what_a_session_has_is_what_loads(session, plain):
    for each in (session, plain):
        for label, path in datasets.LABELS.items():
            assert each.available.loc[label, "present"] == (path in each.files)


def test_the_dictionary_has_a_row_for_each_file_and_a_lesson_for_each_measurement():
    table = datasets.dictionary()
    assert len(table) == len(ALL) and set(table.index) == {*datasets.BY_NAME, ""}
    read = table[table.index != ""]
    assert (read[["file", "holds", "unit", "sampled", "use", "lesson"]] != "").all(axis=None)
    assert set(read["lesson"]) <= {f"{number:02d}" for number in range(16)}


@pytest.mark.parametrize("name", datasets.BY_NAME)
def test_each_measurement_has_an_attribute(name):
    places = {"probe": bwm.Insertion, "session": bwm.Session, "camera": bwm.Session}
    assert hasattr(places[datasets.BY_NAME[name].place], {"dlc": "pose"}.get(name, name))
