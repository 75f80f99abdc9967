"""The index: what a session has is what the server lists today, whatever the tables of the release say of it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import servers
from helpers.hand_made import TABLE, TRIALS, edit, record_session, refused
from helpers.sessions import of_subject
from iblutil.io import parquet
from one.api import One

import bwm_tutorials as bwm
from bwm_tutorials.errors import CorruptData, MissingDataset, Unreachable
from bwm_tutorials.recordings import index, one_tables
from bwm_tutorials.workshop import cli


def test_the_tables_of_the_servers_are_stale_as_the_real_ones_are(small_release):
    """The tests' own servers: a reader of these tables finds no trials in any session, and nothing that came later."""
    table, _ = parquet.load(small_release.cache_dir / "datasets.pqt")
    old = servers.stale(table)
    trials = old[old["rel_path"].str.contains(r"_ibl_trials\.table")]
    assert len(trials) == len(small_release.search()) and not trials["default_revision"].any()
    assert not old["rel_path"].str.contains("#2025|lightningPose").any() and len(old) < 0.95 * len(table)


def test_a_door_gives_what_is_there_and_not_what_the_tables_say(door, served):
    session = bwm.Session(served.eid, door.connect())
    revisions = session.available["revision"]
    assert revisions["trials"] == "2025-03-03" and revisions["insertion probe00"] == "2024-05-06"
    assert session.has("pose", "left") and session.has("pose", "body")
    pd.testing.assert_frame_equal(session.trials, served.trials)
    assert np.array_equal(session.insertions[0].spikes.times, served.insertions[0].spikes.times)
    assert sorted(session.datasets.index) == sorted(served.datasets.index)


def test_a_wheel_that_was_flipped_is_the_patched_one(door, small_release):
    corrected, original = (of_subject(one, "SIM-006") for one in (door.connect(), small_release))
    assert corrected.available.loc["wheel", "revision"] == original.available.loc["wheel", "revision"] != ""
    assert np.array_equal(corrected.wheel.position, original.wheel.position)


def test_what_was_patched_since_the_tables_were_made_is_not_held_against_their_md5(door, served):
    """The table's md5 of this file is that of another version."""
    moves = bwm.Session(served.eid, door.connect()).wheel_moves
    assert np.array_equal(moves.peakAmplitude, served.wheel_moves.peakAmplitude)


def test_opening_a_session_costs_one_listing_beyond_the_tables(aws_door, served):
    one = aws_door.connect()
    before = len(aws_door.web.asked)
    bwm.Session(served.eid, one)
    assert len(aws_door.web.asked) == before, "nothing is asked before it is needed"
    _ = bwm.Session(served.eid, one).available
    assert aws_door.listings() == len(aws_door.web.asked) - before == 1
    again = bwm.Session(served.eid, aws_door.connect())
    assert again.has("trials") and len(aws_door.web.asked) - before == 1, "it is kept on disk"


def test_all_are_indexed_ahead_and_a_search_says_how_many_are_not(door, small_release, capsys):
    one = door.connect()
    n = len(one.search())
    _ = bwm.Session(small_release.search()[0], one).available
    capsys.readouterr()
    found = one.search(datasets="licks.times.npy")
    assert f"Of 1 of {n} sessions it is known" in capsys.readouterr().out and len(found) <= 1
    arguments = cli._parser().parse_args(["data", "index", "--source", door.name])
    assert arguments.command(arguments) == 0
    assert f"{n} of {n} sessions are indexed" in capsys.readouterr().out
    asked = len(door.web.asked)
    assert arguments.command(arguments) == 0 and len(door.web.asked) == asked, "what is indexed is not asked again"
    one = door.connect()
    capsys.readouterr()
    licks = one.search(datasets="licks.times.npy")
    assert "known" not in capsys.readouterr().out
    assert set(licks) >= set(small_release.search(datasets="licks.times.npy")) and len(licks) > 1


def test_an_index_that_was_interrupted_goes_on(aws_door, small_release):
    one = aws_door.connect()
    aws_door.web.faults["list-type=2"] = [None] * 4 + [500] * 200
    with refused(Unreachable, "The list of s3://", "answers 500"):
        one.list_ahead()
    done = len([*index.indexed(aws_door.root)])
    assert 0 < done < len(small_release.search())
    aws_door.web.faults.clear()
    aws_door.connect().list_ahead()
    assert len([*index.indexed(aws_door.root)]) == len(small_release.search())
    assert not [file for file in (aws_door.root / index.FOLDER).iterdir() if file.suffix == ".part"]


def test_an_update_lists_again_what_is_indexed(aws_door, bucket, served):
    one = aws_door.connect()
    before = one.list_datasets(served.eid)
    folder = Path(one.eid2path(served.eid)).relative_to(aws_door.root).as_posix()
    new = one_tables.make_id("a later revision of the licks")
    later = served.licks[::2].copy()
    file = aws_door.root / "later.npy"
    np.save(file, later)
    key = f"data/{folder}/alf/#2026-01-01#/licks.times.{new}.npy"
    servers.put(bucket, key, file.read_bytes())
    try:
        assert one.list_datasets(served.eid) == before, "the index is kept until it is renewed"
        one.update()
        session = bwm.Session(served.eid, one)
        assert session.available.loc["licks", "revision"] == "2026-01-01" and np.array_equal(session.licks, later)
        assert "alf/licks.times.npy" in one.list_datasets(served.eid), "the older one stays listed"
    finally:
        servers.s3_client(bucket).delete_object(Bucket=servers.aws.BUCKET, Key=key)


def test_a_session_that_the_bucket_does_not_have_is_one_sentence(aws_door, served):
    one = aws_door.connect()
    aws_door.web.instead["list-type=2"] = servers.Answer(200, EMPTY_LIST)
    with refused(MissingDataset, "has nothing below data/", "doctor --online"):
        bwm.Session(served.eid, one).trials  # noqa: B018


EMPTY_LIST = (
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>0</KeyCount>'
    b"<Name>ibl-brain-wide-map-public</Name><IsTruncated>false</IsTruncated></ListBucketResult>"
)


# -------------------------------------------------------------------------------------------------------- offline


def test_offline_asks_no_server(door, served, monkeypatch):
    whole = bwm.Session(served.eid, door.connect()).licks
    asked = len(door.web.asked)
    monkeypatch.setenv("BWM_OFFLINE", "1")
    session = bwm.Session(served.eid, door.connect())
    assert np.array_equal(session.licks, whole)
    with refused(Unreachable, "_ibl_wheel", "offline", "BWM_OFFLINE"):
        session.wheel  # noqa: B018
    other = next(eid for eid in door.connect().search() if str(eid) != served.eid)
    with refused(Unreachable, "What 1 sessions have", "offline"):
        bwm.Session(other, door.connect()).trials  # noqa: B018
    monkeypatch.delenv("BWM_OFFLINE")
    with refused(Unreachable, "offline"):
        bwm.Session(served.eid, bwm.connect(door.name, offline=True)).wheel  # noqa: B018
    assert len(door.web.asked) == asked


# -------------------------------------------------------------------------------------------- tables made by others


def test_where_no_revision_is_marked_the_newest_is_taken_and_said_once(tmp_path, capsys):
    newer = TRIALS.assign(choice=-1.0)
    files = {
        TABLE: TRIALS,
        "alf/#2025-03-03#/_ibl_trials.table.pqt": newer,
        "alf/#2024-01-01#/_ibl_trials.table.pqt": TRIALS,
    }
    record_session(tmp_path, files)
    edit(tmp_path, "datasets", lambda table: table.assign(default_revision=False))
    session = bwm.Session(one=bwm.connect(tmp_path))
    assert (session.trials["choice"] == -1).all() and session.available.loc["trials", "revision"] == "2025-03-03"
    said = capsys.readouterr().out
    assert said.count("the newest is taken") == 1 and "1 dataset" in said


@pytest.mark.parametrize("column", ["qc", "exists", "default_revision", "hash", "file_size"])
def test_tables_without_a_column_are_completed(column, tmp_path):
    record_session(tmp_path, {TABLE: TRIALS})
    edit(tmp_path, "datasets", lambda table: table.drop(columns=column))
    assert len(bwm.Session(one=bwm.connect(tmp_path)).trials) == len(TRIALS)


def test_tables_that_pandas_saved_again_are_read(tmp_path):
    """ONE passes over a table that has lost its metadata."""
    record_session(tmp_path, {TABLE: TRIALS})
    for name in ("sessions", "datasets", "insertions"):
        table, _ = parquet.load(tmp_path / f"{name}.pqt")
        table.reset_index().to_parquet(tmp_path / f"{name}.pqt")
    assert One(cache_dir=tmp_path).search() == [], "the reason for completing them ourselves"
    assert len(bwm.Session(one=bwm.connect(tmp_path)).trials) == len(TRIALS)


def test_dates_with_a_time_are_dates(tmp_path):
    record_session(tmp_path, {TABLE: TRIALS})
    edit(tmp_path, "sessions", lambda table: table.assign(date=pd.to_datetime(table["date"])))
    session = bwm.Session(one=bwm.connect(tmp_path))
    assert session.name == "ZM_0001 2020-01-01" and len(session.trials)


@pytest.mark.parametrize("name, column", [("sessions", "subject"), ("sessions", "date"), ("datasets", "rel_path")])
def test_a_table_that_nothing_can_be_found_by_is_named(name, column, tmp_path):
    record_session(tmp_path, {TABLE: TRIALS})
    edit(tmp_path, name, lambda table: table.drop(columns=column))
    with refused(CorruptData, f"{name}.pqt has no column {column}"):
        bwm.connect(tmp_path)


def test_the_index_says_when_it_was_made(aws_door, served):
    _ = bwm.Session(served.eid, aws_door.connect()).available
    _, metadata = parquet.load(aws_door.root / index.FOLDER / f"{served.eid}.pqt")
    assert json.dumps(metadata) and metadata["date_created"] > "2026"
