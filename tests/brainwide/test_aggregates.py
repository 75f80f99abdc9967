"""The tables of all units and all trials: fetched once, whole or refused, and the same as what each session has."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from helpers import servers
from helpers.hand_made import edit, linked_folder, refused
from helpers.servers import Answer
from iblatlas.regions import BrainRegions

import bwm_tutorials as bwm
from bwm_tutorials.brainwide import aggregates, release
from bwm_tutorials.errors import CorruptData, DataError, MissingDataset, Unreachable
from bwm_tutorials.recordings import datasets
from bwm_tutorials.recordings.remote import aws
from bwm_tutorials.simulate import aggregates as simulated
from bwm_tutorials.simulate import plans, sample

aggregate = bwm.brainwide.aggregate
NAMES = ["clusters", "trials"]
REVISION = "2024_Q2_IBL_et_al_BWM"
ATLAS = BrainRegions()


class Far(NamedTuple):
    """A door, and the server that has the bucket."""

    name: str
    bucket: servers.Web
    root: Path

    def connect(self):
        return bwm.connect(self.name)

    def file(self, name: str) -> Path:
        return self.root / "aggregates" / f"{name}.pqt"

    def times(self, name: str) -> int:
        """How often a table was fetched."""
        return self.bucket.times(f"{aws.AGGREGATES}/{name}.pqt")


@pytest.fixture(params=["aws", "openalyx"])
def far(request, aws_door):
    root = aws_door.root if request.param == "aws" else request.getfixturevalue("openalyx_door").root
    return Far(request.param, aws_door.web, root)


@pytest.fixture
def far_aws(aws_door):
    return Far("aws", aws_door.web, aws_door.root)


@pytest.fixture(scope="module")
def bare(small_release, tmp_path_factory):
    """The small release without its aggregates."""
    return bwm.connect(linked_folder(small_release.cache_dir, tmp_path_factory.mktemp("bare") / "one", ("aggregates",)))


@pytest.fixture
def own(small_release, tmp_path):
    """The folder of the small release, with aggregates of one's own."""
    folder = linked_folder(small_release.cache_dir, tmp_path / "own", ("aggregates",))
    shutil.copytree(Path(small_release.cache_dir, "aggregates"), folder / "aggregates")
    return folder


def one_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


# What they hold


def test_units_of_all_sessions_are_those_of_each_insertion(small_release):
    table = aggregate(small_release, "clusters")
    assert set(datasets.METRICS) < set(table) and table["uuids"].is_unique and not {"name", "probe_name"} & set(table)
    assert table["pid"].nunique() == 14 and set(table["eid"]) == set(map(str, small_release.search()))
    for pid, units in table.groupby("pid"):
        insertion = bwm.Insertion(pid, small_release)
        expected = insertion.clusters
        assert set(units["eid"]) == {insertion.eid}
        assert units["cluster_id"].tolist() == expected.index.tolist()
        for column in [*datasets.METRICS, "channels", "depths", "acronym", "atlas_id", "x", "y", "z", "uuids"]:
            pd.testing.assert_series_equal(
                units[column].reset_index(drop=True), expected[column].reset_index(drop=True), check_dtype=False
            )


def test_trials_of_all_sessions_are_those_of_each_session(small_release):
    table = aggregate(small_release, "trials")
    assert set(table) == {*datasets.TRIALS, "eid", "bwm_include"} and table["bwm_include"].dtype == bool
    assert set(table["eid"]) == set(map(str, small_release.search()))
    for eid, trials in table.groupby("eid"):
        session = bwm.Session(eid, small_release)
        if session.name == "SIM-005 2001-02-14":  # its table is stale, so that its trials are those of before
            continue
        expected = session.trials
        pd.testing.assert_frame_equal(trials[[*datasets.TRIALS]].reset_index(drop=True), expected[[*datasets.TRIALS]])
        assert trials["bwm_include"].tolist() == bwm.trials.bwm_mask(expected).tolist()
    assert 0 < table["bwm_include"].mean() < 1


def test_the_same_sessions_give_the_same_bytes(small_release, tmp_path):
    again = linked_folder(small_release.cache_dir, tmp_path / "again", ("aggregates",))
    records = [plan.record for plan in plans.SAMPLE_RELEASE]
    simulated.write(again, records, created=sample.CREATED[:10], seed=1)
    for file in Path(small_release.cache_dir, "aggregates").iterdir():
        assert (again / "aggregates" / file.name).read_bytes() == file.read_bytes(), file.name


def test_only_the_tables_of_the_release_are_synthetic_aggregates(small_release, small_sample):
    made = {file.name for file in Path(small_release.cache_dir, "aggregates").iterdir()}
    assert made == {"clusters.pqt", "clusters.json", "trials.pqt", "trials.json"}
    assert not (small_sample / "aggregates").exists()
    assert {dataset for dataset in small_release.list_datasets() if "aggregates" in dataset} == set()


def test_the_sentence_says_that_the_sample_is_synthetic(small_release, said):
    n = len(aggregate(small_release, "trials"))
    assert said() == f"{n:,} trials of 10 sessions, from the simulation, seed 1: revision synthetic, of 2001-01-08."


# What is asked for wrongly, or is not there


@pytest.mark.parametrize("name", ["units", "", "../sessions"])
def test_an_unknown_name_gets_the_names_that_there_are(name, small_release):
    with refused(DataError, repr(name), "'clusters' (all units) and 'trials' (all trials)"):
        aggregate(small_release, name)


@pytest.mark.parametrize("name", NAMES)
def test_sources_without_say_where_there_are_some(name, bare, small_sample):
    for one in (bare, bwm.connect(small_sample), bwm.connect("real")):
        with refused(MissingDataset, f"aggregates/{name}.pqt", "connect('aws')", "connect('sample-release')"):
            aggregate(one, name)


# From the bucket


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_fetched_once_by_either_door_and_needs_no_network_afterwards(name, far, small_release, said):
    one, _ = far.connect(), said()
    first = aggregate(one, name)
    sentence = said()
    assert f"from s3://{aws.BUCKET}/{aws.AGGREGATES}/{name}.pqt: revision {REVISION}, of 20" in sentence
    assert f"{len(first):,} " in sentence and "of 10 sessions" in sentence
    assert far.times(name) == 1
    asked = len(far.bucket.asked)
    far.bucket.instead["/"] = Answer(500)
    pd.testing.assert_frame_equal(aggregate(far.connect(), name), first)
    assert said() == sentence and len(far.bucket.asked) == asked
    pd.testing.assert_frame_equal(aggregate(small_release, name), first)
    by_path = bwm.connect(far.root)
    pd.testing.assert_frame_equal(aggregate(by_path, name), first)
    assert sentence in said() and far.bucket.signed == []


@pytest.mark.parametrize("fault", ["altered", "short", "truncated", "reset", 500])
def test_a_table_that_arrives_broken_is_fetched_again(fault, far_aws, small_release):
    far_aws.bucket.faults["/clusters.pqt"] = [fault]
    pd.testing.assert_frame_equal(aggregate(far_aws.connect(), "clusters"), aggregate(small_release, "clusters"))
    assert far_aws.times("clusters") == 2


@pytest.mark.parametrize("name, fault", [("clusters", "altered"), ("clusters", "short"), ("trials", "longer")])
def test_a_table_that_never_arrives_whole_gets_no_name(name, fault, far_aws):
    one = far_aws.connect()
    far_aws.bucket.faults[f"/{name}.pqt"] = [fault] * 20
    with refused(CorruptData, f"{name}.pqt"):
        aggregate(one, name)
    assert [file.name for file in far_aws.root.glob("aggregates/*")] == []
    far_aws.bucket.faults.clear()
    assert len(aggregate(one, name))


@pytest.mark.parametrize("name", NAMES)
def test_a_table_that_was_altered_on_disk_is_fetched_again_or_refused(name, far_aws, small_release):
    one = far_aws.connect()
    aggregate(one, name)
    one_bit(far_aws.file(name))
    with refused(CorruptData, f"{name}.pqt was altered", "fetch the files again"):
        aggregate(bwm.connect(far_aws.root), name)
    far_aws.bucket.instead["/"] = Answer(500)
    with pytest.raises(Unreachable):
        aggregate(one, name)
    far_aws.bucket.instead.clear()
    pd.testing.assert_frame_equal(aggregate(one, name), aggregate(small_release, name))
    assert far_aws.times(name) == 2


def test_a_program_that_died_before_it_wrote_where_the_table_is_from_leaves_nothing_to_fetch(far_aws, said):
    one, _ = far_aws.connect(), said()
    aggregate(one, "clusters")
    sentence = said()
    note = far_aws.file("clusters").with_suffix(".json")
    for left in (None, "{", "3", json.dumps({"size": 3})):
        note.unlink() if left is None else note.write_text(left)
        aggregate(one, "clusters")
        assert said() == sentence
    assert far_aws.times("clusters") == 1


def test_a_bucket_without_the_table_says_what_was_looked_for(far_aws, monkeypatch, served):
    one = far_aws.connect()
    monkeypatch.setattr(aws, "AGGREGATES", "aggregates/another")
    with refused(MissingDataset, "has no aggregates/another/clusters.pqt", "doctor --online"):
        aggregate(one, "clusters")
    units = release.units(one, [served.eid])
    assert units.index.unique("pid").size == 2 and far_aws.bucket.times("clusters.metrics.") == 2


def test_a_table_with_other_columns_is_named_and_units_are_read_from_each_insertion(far_aws, monkeypatch, served, said):
    one = far_aws.connect()
    other = aggregate(served.one, "clusters").rename(columns={"acronym": "region"})
    servers.put(far_aws.bucket.url, "aggregates/other/clusters.pqt", servers.parquet_bytes(other, {}))
    monkeypatch.setattr(aws, "AGGREGATES", "aggregates/other")
    with refused(CorruptData, "has no acronym; it has", "region"):
        aggregate(one, "clusters")
    said()
    units = release.units(one, [served.eid])
    assert "has no acronym" in said() and units["acronym"].isin(other["region"]).all() and len(units) == 24


# In a folder


def test_a_folder_without_notes_is_read_and_says_that_it_does_not_know(own, small_release, said):
    one = bwm.connect(own)
    (own / "aggregates" / "clusters.json").unlink()
    pd.testing.assert_frame_equal(aggregate(one, "clusters"), aggregate(small_release, "clusters"))
    assert f"from {own / 'aggregates' / 'clusters.pqt'}, whose revision and date are not known." in said()


@pytest.mark.parametrize("name", NAMES)
def test_a_synthetic_table_that_was_altered_is_refused(name, own):
    one_bit(own / "aggregates" / f"{name}.pqt")
    with refused(CorruptData, f"{name}.pqt was altered", "data --rebuild"):
        aggregate(bwm.connect(own), name)


def test_a_file_that_is_no_table_is_refused(own):
    (own / "aggregates" / "trials.pqt").write_bytes(b"no table")
    (own / "aggregates" / "trials.json").unlink()
    with refused(CorruptData, "trials.pqt cannot be read"):
        aggregate(bwm.connect(own), "trials")


def test_a_sample_release_that_has_lost_a_table_is_built_again(built_once, tmp_path):
    built = built_once("release", name="sample-release", minutes=6, clusters=12).parent
    copy = linked_folder(built, tmp_path / "sample-release", ("one",))
    linked_folder(built / "one", copy / "one", ("aggregates",))
    assert not sample.is_complete(tmp_path, "sample-release")
    shutil.copytree(built / "one" / "aggregates", copy / "one" / "aggregates")
    assert sample.is_complete(tmp_path, "sample-release")


# Units by the table of all units, and by each insertion


def test_both_ways_to_all_units_agree(small_release, bare):
    pd.testing.assert_frame_equal(release.units(small_release), release.units(bare))
    eids = small_release.search()[3:6]
    pd.testing.assert_frame_equal(release.units(small_release, eids), release.units(bare, eids))


def test_units_by_the_table_read_no_other_file(small_release, monkeypatch, capsys):
    def read(self, rows):
        raise AssertionError(f"{rows['rel_path'].tolist()} are read")

    monkeypatch.setattr(type(small_release), "whole", read)
    assert len(release.units(small_release)) == 14 * 12 and capsys.readouterr().out == ""


def test_units_on_the_bucket_take_one_table_and_no_listing(far_aws, small_release):
    one = far_aws.connect()
    units = release.units(one)
    pd.testing.assert_frame_equal(units, release.units(small_release))
    assert far_aws.times("clusters") == 1 and far_aws.bucket.times("/data/") == 0
    assert not list((far_aws.root / "index").glob("*-*.pqt"))
    assert aggregates.read(one, "clusters")[1]["revision"] == REVISION


def test_units_of_a_damaged_table_are_read_from_each_insertion_and_it_is_said(own, bare, said):
    one_bit(own / "aggregates" / "clusters.pqt")
    units = release.units(bwm.connect(own))
    assert "was altered" in said()
    pd.testing.assert_frame_equal(units, release.units(bare))


# Insertions that hold a region


def by_hand(one, region: str, good_units: int) -> dict[str, tuple[int, int]]:
    """Count in each insertion's clusters: a unit is in a region if that is among its own and those above it."""
    found = {}
    for pid in map(str, one.search_insertions()):
        within = [
            label == 1
            for acronym, label in bwm.Insertion(pid, one).clusters[["acronym", "label"]].itertuples(index=False)
            if region in set(ATLAS.ancestors(ATLAS.acronym2id(acronym))["acronym"])
        ]
        if within and sum(within) >= good_units:
            found[pid] = (sum(within), len(within))
    return found


@pytest.mark.parametrize("region", ["CA1", "MOs5", "MOs", "TH", "Isocortex", "CTX", "MB", "grey"])
@pytest.mark.parametrize("good_units", [0, 1, 5])
def test_insertions_in_a_region_are_those_counted_by_hand(region, good_units, small_release, bare):
    expected = by_hand(small_release, region, good_units)
    for one in (small_release, bare):
        found = release.insertions_in(one, region, good_units)
        counted = {pid: (row["good_units"], row["units"]) for pid, row in found.iterrows()}
        assert counted == expected
        assert found["good_units"].is_monotonic_decreasing
    assert good_units > 1 or expected


def test_insertions_in_a_region_say_whose_they_are(small_release, said):
    found = release.insertions_in(small_release, "MOs", good_units=1)
    assert found.index.name == "pid"
    assert list(found) == ["eid", "lab", "subject", "date", "probe", "good_units", "units"] and len(found)
    for pid, row in found.iterrows():
        insertion = bwm.Insertion(pid, small_release)
        details = insertion.session.details
        assert (row["eid"], row["probe"]) == (insertion.eid, insertion.name)
        assert [row[name] for name in ("lab", "subject", "date")] == [
            details[name] for name in ("lab", "subject", "date")
        ]
    assert said() == "", "all have their spikes"


def test_all_takes_every_region_but_what_is_none(small_release):
    found = release.insertions_in(small_release, "all", good_units=0)
    units = release.units(small_release)
    assert found["units"].sum() == (~units["acronym"].isin(["root", "void"])).sum()


def test_recordings_without_their_spikes_are_named(own, small_release, said):
    before = release.insertions_in(small_release, "MOs", 1)
    lacking = before.iloc[0]

    def drop(table: pd.DataFrame) -> pd.DataFrame:
        of_session = table.index.get_level_values("eid") == lacking["eid"]
        spikes = table["rel_path"].str.contains(rf"{lacking['probe']}/.*spikes\.times")
        return table[~(of_session & spikes)]

    one = bwm.connect(edit(own, "datasets", drop))
    pd.testing.assert_frame_equal(release.insertions_in(one, "MOs", 1), before)
    name = f"{lacking['subject']} {lacking['date']} {lacking['probe']}"
    assert said() == f"1 of {len(before)} insertions with units in MOs lack their spikes here: {name}."


def test_on_the_bucket_only_sessions_with_the_region_are_listed(far_aws, small_release):
    one = far_aws.connect()
    found = release.insertions_in(one, "CA1", good_units=1)
    pd.testing.assert_frame_equal(found, release.insertions_in(small_release, "CA1", good_units=1))
    listed = {file.stem for file in (far_aws.root / "index").glob("*-*.pqt")}
    assert listed == set(found["eid"]) and len(listed) < 10 and far_aws.bucket.times("/data/") == 0


@pytest.mark.parametrize(
    "region, words",
    [
        ("CA7", "the closest that it has are CA, CA1, CA2, CA3"),
        ("ca1", "the closest that it has are CA1,"),
        ("visp5", "the closest that it has are VISp5,"),
        ("Thalamus", "the closest that it has are TH,"),
        ("?", "it goes by acronyms"),
    ],
)
def test_an_unknown_region_gets_the_closest_ones(region, words, small_release):
    with refused(DataError, f"no region {region!r}", words):
        release.insertions_in(small_release, region)


def test_a_region_that_no_insertion_holds_and_a_source_without_units_give_an_empty_table(small_release, real):
    for one, region in ((small_release, "SSp-bfd"), (real.one, "CA1")):
        found = release.insertions_in(one, region)
        assert found.empty and list(found) == ["eid", "lab", "subject", "date", "probe", "good_units", "units"]
