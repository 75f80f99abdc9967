"""The release as tables: what a source holds, what is published, and the selection of units, on real tables too."""

import subprocess
import sys
import zipfile
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import linked_folder, refused
from helpers.sessions import of_subject
from hypothesis import given
from hypothesis import strategies as st
from iblatlas.regions import BrainRegions

import bwm_tutorials as bwm
from bwm_tutorials.brainwide import release
from bwm_tutorials.errors import MissingDataset
from bwm_tutorials.paths import ROOT
from bwm_tutorials.recordings.remote.plan import download_plan
from bwm_tutorials.simulate.plans import SAMPLE_RELEASE

BERYL = BrainRegions().acronym2acronym
STEPS = [
    "all units",
    "good units",
    "in grey matter",
    "enough in a session",
    "in enough sessions",
    "enough in total",
]


@pytest.fixture(scope="module")
def units(small_release):
    return release.units(small_release)


# What a source holds


def test_sessions_and_insertions_are_those_that_were_made(small_release):
    sessions, insertions = release.sessions(small_release), release.insertions(small_release)
    made = {plan.record.eid: plan for plan in SAMPLE_RELEASE}
    assert set(sessions.index) == set(made)
    for eid, row in sessions.iterrows():
        record = made[eid].record
        assert (row["lab"], row["subject"], row["date"]) == (record.lab, record.subject, record.date)
        assert row["insertions"] == len(record.insertions)
    assert sessions.index.tolist() == sessions.sort_values(["lab", "subject", "date"]).index.tolist()
    pairs = {(pid, probe) for plan in SAMPLE_RELEASE for probe, pid in plan.record.insertions.items()}
    assert set(zip(insertions.index, insertions["probe"], strict=True)) == pairs and insertions["sorted"].all()


def test_units_are_those_of_each_insertion(small_release, units):
    assert units.index.is_unique
    for pid, of_probe in units.groupby(level="pid"):
        probe = bwm.Insertion(pid, small_release)
        expected = probe.clusters
        assert np.array_equal(of_probe.index.get_level_values("cluster"), expected.index)
        for column in release.MEASURES:
            assert of_probe[column].tolist() == expected[column].tolist(), column
        assert set(of_probe["eid"]) == {probe.eid}
        assert set(of_probe["subject"]) == {probe.session.details["subject"]}


def test_units_of_some_sessions(small_release, units):
    eids = small_release.search()[:3]
    some = release.units(small_release, eids)
    pd.testing.assert_frame_equal(some, units[units["eid"].isin(map(str, eids))])
    assert 0 < len(some) < len(units) and release.units(small_release, []).empty


def test_without_the_table_of_all_units_what_the_price_of_the_clusters_names_is_read(
    small_release, monkeypatch, tmp_path
):
    one, read = bwm.connect(linked_folder(small_release.cache_dir, tmp_path / "one", ("aggregates",))), set()
    named = {path for eid in one.search() for path in download_plan(one, eid, "clusters").files.index}
    whole = type(one).whole
    monkeypatch.setattr(type(one), "whole", lambda self, rows: read.update(rows["rel_path"]) or whole(self, rows))
    release.units(one)
    assert read and read <= named and not any("spikes" in path for path in read)


def test_a_source_without_sorted_units_gives_empty_tables(real):
    insertions, units = release.insertions(real.one), release.units(real.one)
    assert insertions["sorted"].tolist() == [False], "the excerpt has spikes, and no table of its units"
    assert units.empty and list(units.columns) == ["eid", "lab", "subject", *release.MEASURES]
    assert (release.step_counts(release.selection(units)) == 0).all(axis=None)


def test_trials_alone_have_no_insertions(real_data):
    one = bwm.connect(real_data)
    assert len(release.sessions(one)) == 7 and release.insertions(one).empty and release.units(one).empty


def test_superseded_files_are_those_that_have_a_newer_version(small_release):
    corrected = of_subject(small_release, "SIM-006")
    old = release.superseded(corrected)
    expected = {"_ibl_wheel.position.npy", "_ibl_wheelMoves.peakAmplitude.npy", "_ibl_leftCamera.times.npy"}
    assert {f"alf/{name}" for name in expected} < set(old) and "alf/probe00/pykilosort/clusters.metrics.pqt" in old
    for path in old:
        newer = corrected.datasets.loc[path, "rel_path"]
        assert newer != path and "#" in newer
    assert release.superseded(of_subject(small_release, "SIM-004")) == ["alf/_ibl_trials.table.pqt"]


def test_a_file_as_of_a_day_is_the_last_version_not_later(small_release):
    corrected = of_subject(small_release, "SIM-006")
    path = "alf/_ibl_wheel.position.npy"
    old, new = (release.as_of(corrected, path, day) for day in ("2024-05-05", "2025-12-31"))
    assert np.array_equal(new, corrected.wheel.position) and np.allclose(old, -new)
    for one_version in ("alf/_ibl_wheel.timestamps.npy", "alf/nothing.npy"):
        with refused(MissingDataset, f"SIM-006 2001-02-26 has no older version of {one_version}"):
            release.as_of(corrected, one_version, "2024-05-05")


# From all units to the canonical set


def by_hand(units, min_label, min_in_session, min_sessions, min_units):
    """The rules of the paper, one after the other, in counters."""
    beryl = {name: BERYL(name, mapping="Beryl")[0] for name in set(units["acronym"])}
    good = units[units["label"] >= min_label]
    pairs = Counter((beryl[unit.acronym], unit.eid) for unit in good.itertuples())
    pairs = {pair: n for pair, n in pairs.items() if pair[0] not in ("root", "void") and n >= min_in_session}
    sessions = Counter(region for region, _ in pairs)
    pairs = {pair: n for pair, n in pairs.items() if sessions[pair[0]] >= min_sessions}
    totals = pd.Series(pairs, dtype=int).groupby(level=0).sum() if pairs else pd.Series(dtype=int)
    totals = totals[totals >= min_units]
    return totals.sum(), len(totals)


@st.composite
def some_units(draw):
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 1 / 3, 2 / 3, 1.0]),
                st.sampled_from("abc"),
                st.sampled_from(["CA1", "VISp5", "VISp6a", "root", "void", "cc"]),
            ),
            max_size=60,
        )
    )
    table = pd.DataFrame(rows, columns=["label", "eid", "acronym"])
    return table.set_index(pd.MultiIndex.from_arrays([table["eid"] + "0", range(len(table))], names=["pid", "cluster"]))


@given(some_units(), st.integers(1, 4), st.integers(1, 3), st.integers(1, 12))
def test_selection_agrees_with_the_rules_applied_by_hand(table, in_session, sessions, in_total):
    steps = release.selection(table, 1, in_session, sessions, in_total)
    counts = release.step_counts(steps)
    assert list(steps) == STEPS and (counts.diff().dropna() <= 0).all(axis=None)
    last = counts.iloc[-1]
    assert (last["units"], last["regions"]) == by_hand(table, 1, in_session, sessions, in_total)


def test_thresholds_are_least_numbers_and_nan_is_not_good():
    table = pd.DataFrame({"label": [1, 1, 1, 1, np.nan], "eid": list("aabba"), "acronym": "CA1"})
    table.index = pd.MultiIndex.from_product([["p"], range(5)], names=["pid", "cluster"])
    for thresholds, left in (((1, 2, 2, 4), 4), ((1, 3, 2, 4), 0), ((1, 2, 3, 4), 0), ((1, 2, 2, 5), 0)):
        assert len(release.selection(table, *thresholds)["enough in total"]) == left


def test_layers_of_a_region_count_as_one_and_fibres_as_none(units):
    steps = release.selection(units)
    assert "MOs" in set(steps["all units"]["Beryl"]) and "MOs5" not in set(steps["all units"]["Beryl"])
    assert not steps["in grey matter"]["Beryl"].isin(["root", "void"]).any()


def test_both_probes_of_a_session_count_together(units):
    """SIM-003 has two probes in the same regions: they are one session."""
    grey = release.selection(units, min_label=0)["in grey matter"]
    one_day = grey[grey["eid"] == grey[grey["subject"] == "SIM-003"].groupby("eid")["Beryl"].nunique().idxmin()]
    assert one_day.index.unique("pid").size == 2
    assert release.selection(one_day, 0, 1, 2, 1)["in enough sessions"].empty


def test_selection_of_real_clusters(real_folder):
    """Of 87 insertions of a later sorting: the rules, and the share that the release keeps in grey matter."""
    table = pd.read_parquet(real_folder / "calibration" / "clusters_bwm_147.pqt").rename_axis(["pid", "cluster"])
    roster = pd.read_csv(real_folder / "calibration" / "2023_12_bwm_release.csv", index_col="pid")
    known = table[table.index.get_level_values("pid").isin(roster.index)]
    known = known.assign(eid=roster["eid"].reindex(known.index.get_level_values("pid")).to_numpy())
    counts = release.step_counts(release.selection(known))
    assert counts.loc["all units", "insertions"] == known.index.unique("pid").size > 60
    assert (counts.diff().dropna() <= 0).all(axis=None) and counts["regions"].iloc[-1] > 20
    some = known[known["eid"].isin(known["eid"].unique()[:6])]
    last = release.step_counts(release.selection(some, min_units=8)).iloc[-1]
    assert (last["units"], last["regions"]) == by_hand(some[some["label"] == 1], 1, 5, 2, 8)


# What is published


def published(quantity, text):
    numbers = release.numbers()
    (value,) = numbers.loc[(numbers["quantity"] == quantity) & numbers["counts"].str.contains(text), "value"]
    return value


def test_laboratories_have_the_numbers_of_the_release():
    labs = release.laboratories()
    numbers = release.numbers()
    of_release = numbers[numbers["counts"] == "the release"].set_index("quantity")["value"]
    for what, total in (("insertions", 699), ("sessions", 459), ("subjects", 139)):
        assert labs[what].sum() == of_release[what] == total
        assert labs[f"{what}_2022"].sum() == published(what, "^the first release(?:,|$)")
        assert labs[what].sum() - labs[f"{what}_2022"].sum() == published(what, "^new in 2024-02")
    assert len(labs) == of_release["labs"] == 12
    assert labs["sessions_with_new_insertion"].sum() == published("sessions", "with a new insertion") == 133
    assert labs.loc["hausserlab", "sessions"] == published("sessions", "hausserlab") == 62


def test_laboratories_are_counted_in_the_papers_lists(real_folder):
    now, before = (
        pd.read_csv(real_folder / "calibration" / f"{file}_bwm_release.csv") for file in ("2023_12", "2022_10")
    )
    new = now[~now["pid"].isin(before["pid"])]
    assert set(before["pid"]) < set(now["pid"])
    expected = {"sessions_with_new_insertion": new.groupby("lab")["eid"].nunique()}
    for what, column in (("insertions", "pid"), ("sessions", "eid"), ("subjects", "subject")):
        expected |= {
            name: table.groupby("lab")[column].nunique() for name, table in ((what, now), (f"{what}_2022", before))
        }
    counted = pd.DataFrame(expected).fillna(0)
    pd.testing.assert_frame_equal(release.laboratories(), counted, check_like=True, check_dtype=False)


def test_published_steps_are_those_of_the_papers_code(real_folder):
    theirs = pd.read_csv(real_folder / "calibration" / "inclusion_info.csv", index_col=0)
    steps = {
        "all units": "Session and insertion QC",
        "good units": "Single unit QC",
        "in grey matter": "Gray matter regions",
        "enough in a session": "Minimum 5 units per region",
        "in enough sessions": "Minimum 2 sessions per region",
        "enough in total": "Minimum 20 units per region",
    }
    numbers = release.numbers()
    ours = numbers[numbers["step"] != ""].pivot(index="step", columns="quantity", values="value")
    assert set(ours.index) == set(steps) == set(STEPS)
    theirs = theirs[~theirs.index.duplicated()]
    for step, name in steps.items():
        row = theirs.loc[name, ["n_units", "n_regions"]].tolist()
        assert ours.loc[step, ["units", "regions"]].tolist() == row


def test_numbers_of_regions_follow_from_the_papers_table(real_folder):
    """281 is 279 with root and void, 268 is 266, and 210 are called canonical there."""
    table = pd.read_csv(real_folder / "calibration" / "region_info.csv")
    assert not table["Beryl"].isin(["root", "void"]).any()
    good = table["# good neurons"]
    assert len(table) == published("regions", "in the abstract; the paper's table") == 279
    assert len(table) + 2 == published("regions", "of all units")
    assert (good > 0).sum() == published("regions", "good units, without root") == 266
    assert (good > 0).sum() + 2 == published("regions", "of good units; root")
    assert good.sum() == published("units", "good, in a Beryl region")
    assert table["canonical"].sum() == published("regions", "in each of 2 or more") == 210
    assert table["stim_dec"].notna().sum() == published("regions", "the canonical set") == 201


def test_every_number_and_entry_has_its_source():
    numbers, changelog = release.numbers(), release.changelog()
    for table in (numbers, changelog):
        assert (table["source"] != "").all() and table["url"].str.fullmatch(r"(https://\S+)?").all()
    assert numbers.loc[numbers["url"] == "", "source"].eq("counted in the files by others, not published").all()
    assert (changelog["url"] != "").all()
    assert {201, 210, 241, 266, 268, 279, 281} <= set(numbers.query("quantity == 'regions'")["value"])
    assert {75395, 75708} <= set(numbers["value"]) and {295920, 296090} <= set(numbers["value"])
    videos = numbers[numbers["quantity"] == "videos"].set_index("value")["counts"]
    for value, told in videos.items():
        assert sum(map(int, pd.Series(told).str.findall(r"(\d+) (?:left|right|body)").explode())) == value


def test_changelog_is_in_order_and_says_what_is_inferred():
    changelog = release.changelog()
    when = [pd.Period(date.replace("-Q", "Q")).start_time for date in changelog["date"]]
    assert when == sorted(when) and changelog["entry"].is_unique
    assert set(changelog["kind"]) == {"added", "modified", "fixed"} and set(changelog["link"]) == {
        "observed",
        "inferred",
    }
    assert changelog.loc[changelog["entry"] == "audio", "link"].item() == "inferred"
    assert changelog.loc[~changelog["on_page"], "entry"].tolist() == ["passive gabors"]
    known = changelog.set_index("entry")["sessions"]
    assert known["wheel polarity"] == 62 and pd.isna(known["audio"])


def test_revisions_of_the_changelog_are_those_of_the_small_release(small_release):
    """Each entry that left a revision behind can be seen in a session that carries both versions."""
    sessions = [of_subject(small_release, "SIM-006"), bwm.Session(one=small_release)]
    revised = release.changelog().query("revision != ''")
    assert len(revised) == 5
    for _, entry in revised.iterrows():
        pattern = entry["datasets"].split()[0].replace(".", r"\.").replace("*", ".*")
        found = {
            session.datasets.loc[path, "revision"]
            for session in sessions
            for path in release.superseded(session)
            if pd.Series(path).str.fullmatch(pattern).item()
        }
        assert found == {entry["revision"]}, entry["entry"]


def test_the_wheel_of_the_package_holds_what_is_published(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for file in ("numbers.csv", "changelog.csv", "laboratories.csv"):
        assert f"bwm_tutorials/brainwide/published/{file}" in names
