"""What is taken from ONE's private parts. When ONE changes, this module fails first."""

import inspect
import threading
from uuid import UUID

import numpy as np
import one.params
import pandas as pd
import pytest
from helpers import servers
from helpers.hand_made import refused
from iblutil.io import params
from one.api import ONE, One, OneAlyx
from one.webclient import AlyxClient

import bwm_tutorials as bwm
from bwm_tutorials.errors import CorruptData, MissingDataset, UnknownSession
from bwm_tutorials.recordings import integrity, one_private, one_tables


def test_one_still_has_what_is_called_overridden_and_replaced():
    assert list(inspect.signature(One._check_filesystem).parameters) == [
        "self", "datasets", "offline", "update_exists", "check_hash",
    ]  # fmt: skip
    assert {"_search_insertions"} <= set(dir(One)) and {"pid2eid", "eid2pid"} <= set(dir(OneAlyx))
    assert hasattr(OneAlyx, "_search_endpoint") or "_search_endpoint" in inspect.getsource(OneAlyx)
    assert callable(params.getfile) and isinstance(one.params.CACHE_DIR_DEFAULT, str)
    assert one.params._key_from_url("http://127.0.0.1:80") == one_private.folder_name("http://127.0.0.1:80")
    for name in ("_par", "_headers"):
        assert name in inspect.getsource(AlyxClient)


def test_every_load_call_of_one_comes_through_the_check(small_release, monkeypatch):
    eid = small_release.search()[0]
    asked = []
    whole = type(small_release).whole
    note = lambda self, rows: asked.append(list(rows["rel_path"])) or whole(self, rows)  # noqa: E731
    monkeypatch.setattr(type(small_release), "whole", note)
    small_release.load_dataset(eid, "_ibl_wheel.position.npy", collection="alf")
    small_release.load_object(eid, "wheel", collection="alf")
    small_release.load_collection(eid, "alf/probe00")
    assert len(asked) == 3 and all(asked) and len(asked[1]) == 2


def test_tables_and_insertions_are_those_of_one(small_release):
    stock = One(cache_dir=small_release.cache_dir)
    assert one_private.datasets_table(stock).index.equals(one_private.datasets_table(small_release).index)
    assert one_private.sessions_table(stock).index.equals(one_private.sessions_table(small_release).index)
    for eid in small_release.search():
        pids, names = small_release.eid2pid(eid)
        expected = dict(sorted(zip(names, map(str, pids), strict=True)))
        assert one_private.insertions_of(stock, eid) == one_private.insertions_of(small_release, eid) == expected
        for name, pid in expected.items():
            assert one_private.session_of(stock, UUID(pid)) == (eid, name)
    assert one_private.session_of(stock, UUID(int=0)) == (None, None)


def test_a_folder_without_the_table_of_insertions_has_those_that_its_files_tell_of(small_release, tmp_path):
    for name in ("sessions.pqt", "datasets.pqt"):
        (tmp_path / name).write_bytes((small_release.cache_dir / name).read_bytes())
    stock = One(cache_dir=tmp_path)
    for eid in stock.search():
        found, known = (one_private.insertions_of(one, eid) for one in (stock, small_release))
        assert list(found) == list(known) and not set(found.values()) & set(known.values())


# ---------------------------------------------------------------------------------------- an instance of the user's own


@pytest.fixture
def stock(small_release, tmp_path) -> One:
    """A local instance as ONE makes it, on a copy that a test may damage."""
    import shutil

    shutil.copytree(small_release.cache_dir, tmp_path / "one")
    return One(cache_dir=tmp_path / "one")


def test_a_stock_instance_gives_what_ours_gives(stock, small_release):
    main = str(bwm.Session(one=small_release).eid)
    for eid in {main, *small_release.search(subject="SIM-006")}:
        theirs, ours = bwm.Session(eid, one=stock), bwm.Session(eid, one=small_release)
        pd.testing.assert_frame_equal(theirs.trials, ours.trials)
        pd.testing.assert_frame_equal(theirs.available, ours.available)
        assert np.array_equal(theirs.wheel.position, ours.wheel.position) and theirs.probes == ours.probes
        for one_probe, other in zip(theirs.insertions, ours.insertions, strict=True):
            assert one_probe.pid == other.pid and one_probe.session is theirs
            pd.testing.assert_frame_equal(one_probe.clusters, other.clusters)
    assert bwm.Session(one=stock).eid == bwm.Session(one=small_release).eid
    pid = bwm.Session(one=stock).insertions[0].pid
    assert np.array_equal(
        bwm.Insertion(pid, one=stock).spikes.times, bwm.Insertion(pid, one=small_release).spikes.times
    )


def test_what_a_stock_instance_reads_is_verified_too(stock):
    session = bwm.Session(one=stock)
    folder = stock.eid2path(session.eid) / "alf"
    with (folder / "_ibl_wheel.position.npy").open("r+b") as file:
        file.seek(200)
        file.write(b"\x01")
    with refused(CorruptData, "_ibl_wheel.position.npy", "was altered", "fetch it again"):
        session.wheel  # noqa: B018
    (folder / "licks.times.npy").unlink()
    with refused(MissingDataset, "licks.times.npy", "not in its folders"):
        session.licks  # noqa: B018
    for nobody in (str(UUID(int=0)), one_tables.make_id("nobody"), "not an id"):
        with refused(UnknownSession, "There is no session", "more"):
            bwm.Session(nobody, one=stock)
        with refused(UnknownSession, "There is no insertion", "more"):
            bwm.Insertion(nobody, one=stock)


def test_a_stock_instance_on_a_database_fetches_and_is_verified(openalyx_door, served, tmp_path):
    """``bwm.Session(eid, one=ONE(...))`` as people who have an account already write it."""
    theirs = ONE(
        base_url=openalyx_door.web.url,
        username=servers.MINE["username"],
        password=servers.MINE["password"],
        cache_dir=tmp_path / "theirs",
        silent=True,
        mode="remote",
    )
    theirs.alyx._par = theirs.alyx._par.set("HTTP_DATA_SERVER", f"{openalyx_door.web.url}/public")
    session = bwm.Session(served.eid, one=theirs)
    assert session.name == served.name and session.probes == served.probes
    assert np.array_equal(session.licks, served.licks)
    pd.testing.assert_frame_equal(session.trials, served.trials)
    assert session.insertions[0].pid == served.insertions[0].pid
    assert np.array_equal(session.insertions[0].spikes.times, served.insertions[0].spikes.times)
    assert bwm.Insertion(served.insertions[0].pid, one=theirs).session.eid == served.eid
    with refused(UnknownSession, "Name a session"):
        bwm.Session(one=theirs)
    with refused(UnknownSession, "There is no session"):
        bwm.Session(one_tables.make_id("nobody"), one=theirs)


# ------------------------------------------------------------------------------------------------------ once a process


def test_a_file_is_hashed_once_a_process_and_again_when_it_has_changed(tmp_path, monkeypatch):
    hashed = []
    digest = integrity.hashlib.file_digest
    monkeypatch.setattr(
        integrity.hashlib, "file_digest", lambda stream, kind: hashed.append(stream.name) or digest(stream, kind)
    )
    file = tmp_path / "a.npy"
    np.save(file, np.arange(1000))
    md5 = integrity.hashlib.md5(file.read_bytes()).hexdigest()
    for _ in range(3):
        assert integrity.fault(file, file.stat().st_size, md5) == ""
    assert len(hashed) == 1
    file = file.rename(tmp_path / "b.npy")
    assert integrity.fault(file, 0, md5) == "" and len(hashed) == 1, "a download gives a whole file its name"
    np.save(file, np.arange(1000)[::-1])
    assert "altered" in integrity.fault(file, file.stat().st_size, md5) and len(hashed) == 2
    assert "altered" in integrity.fault(file, file.stat().st_size, md5) and len(hashed) == 3, "a fault is not kept"


def test_parameters_are_redirected_by_one_thread_at_a_time(tmp_path, openalyx_door):
    """Two notebooks' threads open databases at once; ONE's own functions are as they were afterwards."""
    before = params.getfile, one.params.CACHE_DIR_DEFAULT
    clients, errors = [], []

    def work(number):
        try:
            for _ in range(5):
                clients.append(one_private.Client(openalyx_door.web.url, tmp_path / str(number)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and len(clients) == 20
    assert (params.getfile, one.params.CACHE_DIR_DEFAULT) == before
    assert sorted(folder.name for folder in tmp_path.iterdir() if folder.name.isdigit()) == ["0", "1", "2", "3"]
