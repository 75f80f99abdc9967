"""The database: who is let in and how, what is asked of it, and what is kept where."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import one.params
import pytest
from helpers import servers
from helpers.hand_made import refused
from helpers.servers import MINE, Answer, Door
from helpers.sessions import of_subject
from iblutil.io import params
from one.api import OneAlyx

import bwm_tutorials as bwm
from bwm_tutorials.errors import CorruptData, DataError, MissingDataset, Refused, Unreachable
from bwm_tutorials.recordings.remote import base, openalyx
from bwm_tutorials.recordings.session import Session


@pytest.fixture
def stranger(openalyx_door, monkeypatch) -> Door:
    """The door, and nobody who has said who they are."""
    monkeypatch.delenv("ALYX_LOGIN")
    monkeypatch.delenv("ALYX_PWD")
    return openalyx_door


def logins(door: Door) -> int:
    return door.web.times("/auth-token")


# ------------------------------------------------------------------------------------------------------ who is let in


def test_stranger_is_told_where_to_sign_up_and_what_needs_no_account(stranger):
    with refused(Refused, stranger.web.url, "https://openalyx.internationalbrainlab.org/signup", "connect('aws')"):
        stranger.connect()
    assert stranger.web.asked == [] and not (stranger.root / "sessions.pqt").exists()
    stranger.nothing_elsewhere()


def test_login_that_everybody_shared_is_refused(stranger):
    with refused(Refused, "does not accept this user name and password", "signup", "connect('aws')"):
        bwm.connect("openalyx", username="intbrainlab", password="international")
    with refused(Refused, "needs an account"):
        bwm.connect("openalyx", username="intbrainlab")
    assert not (stranger.root / "sessions.pqt").exists()


@pytest.mark.parametrize(
    "given",
    [MINE, {"username": MINE["username"], "token": servers.TOKEN}, {"token": servers.TOKEN}],
    ids=lambda g: "+".join(g),
)
def test_account_is_given_in_words_or_in_the_environment(given, stranger, monkeypatch):
    assert len(Session(one=bwm.connect("openalyx", **given)).licks)
    (stranger.root / "sessions.pqt").unlink()
    for file in (stranger.root / ".one").iterdir():
        file.unlink() if file.is_file() else None
    names = {"username": "ALYX_LOGIN", "password": "ALYX_PWD", "token": "ALYX_TOKEN"}
    for name, value in given.items():
        monkeypatch.setenv(names[name], value)
    assert bwm.connect("openalyx").search()
    stranger.nothing_elsewhere()


@pytest.mark.parametrize("given", [{**MINE, "password": "mistyped"}, {"token": "mistyped"}])
def test_wrong_password_or_token_is_said_at_once(given, stranger):
    with refused(Refused, "does not accept", "token" if "token" in given else "password", "signup"):
        bwm.connect("openalyx", **given)
    assert not (stranger.root / "sessions.pqt").exists()
    assert "mistyped" not in "".join(file.read_text() for file in (stranger.root / ".one").iterdir() if file.is_file())


def test_token_alone_needs_a_database_that_says_whose_it_is(stranger):
    stranger.web.says_whose_token = False
    with refused(Refused, "whose token", "username="):
        bwm.connect("openalyx", token=servers.TOKEN)
    assert bwm.connect("openalyx", username=MINE["username"], token=servers.TOKEN).search()


def test_token_is_kept_in_the_data_folder_and_serves_the_next_time(stranger):
    bwm.connect("openalyx", **MINE)
    kept = stranger.root / ".one" / f".{one.params._key_from_url(stranger.web.url)}"
    assert json.loads(kept.read_text())["TOKEN"] == {MINE["username"]: {"token": servers.TOKEN}}
    assert os.name == "nt" or kept.parent.stat().st_mode & 0o077 == 0, "for nobody else to read"
    again = bwm.connect("openalyx")
    again.update()
    assert logins(stranger) == 1 and again.search()


def test_token_that_is_no_longer_good_is_replaced_or_asked_for(stranger, monkeypatch):
    opened = bwm.connect("openalyx", **MINE)
    monkeypatch.setattr(servers, "TOKEN", "another")
    with refused(Refused, "does not accept this token", "signup"):
        opened.update()
    monkeypatch.setenv("ALYX_LOGIN", MINE["username"])
    monkeypatch.setenv("ALYX_PWD", MINE["password"])
    bwm.connect("openalyx").update()
    assert logins(stranger) == 2


def test_server_that_fails_at_the_login_is_named(stranger):
    stranger.web.faults["/auth-token"] = [500]
    with refused(Unreachable, "fails (500)"):
        bwm.connect("openalyx", **MINE)


@pytest.mark.parametrize("given", [{}, {"username": MINE["username"], "token": "mistyped"}], ids=["env", "words"])
def test_wrong_token_is_refused_once_by_a_database_that_cannot_be_asked_whose_it_is(given, stranger, monkeypatch):
    stranger.web.instead["/me"] = Answer(404)
    if not given:
        monkeypatch.setenv("ALYX_TOKEN", "mistyped")
        monkeypatch.setenv("ALYX_LOGIN", MINE["username"])
    with refused(Refused, "does not accept this token", "signup"):
        bwm.connect("openalyx", **given)
    assert len(stranger.web.asked) < 10 and not (stranger.root / "sessions.pqt").exists()


def test_password_without_a_name_and_an_address_that_is_none_are_said(stranger):
    with refused(Refused, "password alone", "username="):
        bwm.connect("openalyx", password="mine")
    with refused(DataError, "https://", "'openalyx.internationalbrainlab.org'"):
        bwm.connect("openalyx", base_url="openalyx.internationalbrainlab.org", **MINE)
    assert stranger.web.asked == []


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(429), Unreachable, "asked too often (429)"),
        (Answer(404), Refused, "no login as IBL's database has (404)"),
        (Answer(200, b"<html>"), Refused, "does not answer to a login"),
        (Answer(200, b"[]"), Refused, "does not answer to a login"),
    ],
    ids=["429", "404", "a page", "a list"],
)
def test_login_that_is_answered_otherwise_is_no_wrong_password(answer, error, said, stranger):
    stranger.web.instead["/auth-token"] = answer
    with refused(error, stranger.web.url, said):
        bwm.connect("openalyx", **MINE)
    assert not (stranger.root / "sessions.pqt").exists()


@pytest.mark.parametrize("place", ["/auth-token", "/insertions", "/sessions/"])
def test_database_that_accepts_and_never_answers_is_named(place, stranger, monkeypatch):
    monkeypatch.setattr(openalyx._Client, "timeout", (1, 1))
    stranger.web.faults[place] = ["wait"]
    with refused(Unreachable, stranger.web.url, "cannot be reached"):
        Session(one=bwm.connect("openalyx", **MINE)).datasets  # noqa: B018
    stranger.web.go.set()


ASK = "import bwm_tutorials as bwm; print(len(bwm.connect('openalyx').search()))"


@pytest.mark.skipif(os.name == "nt", reason="no terminal of this kind on Windows")
@pytest.mark.parametrize(
    "typed", [["student", "a pass phrase"], ["student", "", servers.TOKEN]], ids=["password", "token"]
)
def test_who_sits_before_a_terminal_is_asked(typed, stranger):
    screen, keyboard = os.openpty()
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), keyboard)
    process = subprocess.Popen([sys.executable, "-c", ASK], **pipes, start_new_session=True)
    os.close(keyboard)
    prompts = [b"/signup): ", b"instead): ", b"/me): "]
    seen = b""
    for prompt, line in zip(prompts, typed, strict=False):
        while prompt not in seen:
            seen += os.read(screen, 1000)
        os.write(screen, line.encode() + b"\n")
    assert process.wait(timeout=60) == 0, seen
    assert os.read(screen, 1000).endswith(b"10\r\n")
    os.close(screen)
    assert MINE["password"].encode() not in seen and logins(stranger) == (servers.TOKEN not in typed)


def test_who_sits_before_a_notebook_is_asked(stranger):
    from jupyter_client.manager import start_new_kernel

    answers = [MINE["username"], MINE["password"]]
    del os.environ["HOME"]
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        said = []
        reply = client.execute_interactive(
            ASK,
            allow_stdin=True,
            stdin_hook=lambda message: client.input(answers.pop(0)),
            output_hook=lambda message: said.append(message["content"].get("text", "")),
            timeout=60,
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok" and "".join(said).strip().endswith("10") and answers == []


def test_program_that_nobody_watches_does_not_wait_for_an_answer(stranger):
    process = subprocess.run(
        [sys.executable, "-c", ASK], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, text=True
    )
    assert process.returncode == 1 and "needs an account" in process.stderr


def test_notebook_that_a_program_runs_does_not_wait_for_an_answer(stranger, tmp_path):
    import nbformat

    from bwm_tutorials.workshop import execute

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ASK)])
    nbformat.write(notebook, tmp_path / "ask.ipynb")
    del os.environ["HOME"]
    outcome = execute.execute(tmp_path / "ask.ipynb", tmp_path / "done.ipynb")
    assert "needs an account" in outcome.error


# ------------------------------------------------------------------------------------------- parameters of ONE's own


def test_parameters_in_the_home_are_left_alone_and_used_by_others(openalyx_door, monkeypatch):
    home = Path.home()
    one.params.setup(
        "https://alyx.example.org", silent=True, username="someone", cache_dir=home / "cache", make_default=True
    )
    before = {f: f.read_bytes() for f in home.rglob("*") if f.is_file()}
    functions = params.getfile, one.params.CACHE_DIR_DEFAULT
    opened = openalyx_door.connect()
    assert len(Session(one=opened).licks)
    opened.alyx.logout()
    assert (params.getfile, one.params.CACHE_DIR_DEFAULT) == functions
    assert {f: f.read_bytes() for f in home.rglob("*") if f.is_file()} == before and before
    assert one.params.get("https://alyx.example.org", silent=True).ALYX_LOGIN == "someone"


def test_another_database_has_a_folder_of_its_own(openalyx_door, monkeypatch):
    monkeypatch.delenv("ALYX_URL")
    opened = bwm.connect("openalyx", base_url=openalyx_door.web.url + "/")
    assert opened.cache_dir == openalyx_door.root and openalyx_door.root.name.startswith("openalyx-127.0.0.1")
    monkeypatch.setattr(openalyx, "URL", openalyx_door.web.url)
    assert bwm.connect("openalyx").cache_dir == openalyx_door.root.with_name("openalyx")


# ------------------------------------------------------------------------------------------------- what it is asked for


def test_it_is_the_stock_client_too(openalyx_door, served):
    opened = openalyx_door.connect()
    assert isinstance(opened, OneAlyx)
    assert set(opened.search(subject="SIM", query_type="remote")) == set(served.one.search())
    assert opened.alyx.rest("sessions", "read", id=served.eid)["subject"] == served.details["subject"]
    opened.mode = "remote"
    position = opened.load_object(served.eid, "wheel")["position"]
    assert np.array_equal(position, served.wheel.position)


def test_file_that_the_stock_client_would_read_unverified_is_not(openalyx_door, served, monkeypatch, tmp_path):
    """A file of the right length with a wrong bit: the stock client gives another number once, and says nothing."""
    licks, server = served.licks, f"{openalyx_door.web.url}/public"
    monkeypatch.setattr(params, "getfile", lambda name: str(tmp_path / "data" / "stock" / name.replace("/", "_")))
    (tmp_path / "data" / "stock").mkdir(parents=True)
    stock = OneAlyx(base_url=openalyx_door.web.url, **MINE, cache_dir=tmp_path / "data" / "stock", silent=True)
    stock._web_client._par = stock._web_client._par.set("HTTP_DATA_SERVER", server)
    openalyx_door.web.faults["licks"] = ["altered"]
    theirs = stock.load_dataset(served.eid, "licks.times.npy")
    assert theirs.shape == licks.shape and not np.array_equal(theirs, licks), "the reason for verifying it ourselves"
    monkeypatch.undo()


def test_corrupt_file_is_never_read_through_this_door(openalyx_door, served):
    openalyx_door.web.faults["licks"] = ["altered"]
    assert np.array_equal(openalyx_door.connect().load_dataset(served.eid, "licks.times.npy"), served.licks)


@pytest.mark.parametrize("why", ["none offered", "not an http address", "not where it says"])
def test_without_tables_to_fetch_each_session_is_asked_for(why, openalyx_door, served):
    alyx = openalyx_door.web
    if why == "none offered":
        alyx.zipped = False
    elif why == "not an http address":
        about = {"database_tags": [base.TAG], "location": "s3://bucket/cache.zip"}
        alyx.instead["/cache/info"] = servers.as_json(about)
    else:
        alyx.instead["/tables/cache.zip"] = Answer(404)
    opened = openalyx_door.connect()
    assert alyx.times("GET /sessions/") == 0, "no session is asked for before it is looked into"
    assert opened.list_datasets(served.eid) == served.one.list_datasets(served.eid)
    there = Session(served.eid, opened)
    assert (there.available["revision"] == served.available["revision"]).all()
    assert np.array_equal(there.insertions[0].spikes.times, served.insertions[0].spikes.times)
    openalyx_door.fetched()
    with refused(MissingDataset, "no licks;"):  # of critical quality
        of_subject(opened, "SIM-004").licks  # noqa: B018


def test_tables_that_are_none_are_named(openalyx_door):
    openalyx_door.web.instead["/tables/cache.zip"] = Answer(200, b"<html>")
    with refused(CorruptData, "/tables/cache.zip", "not a zip"):
        openalyx_door.connect()


def test_database_without_the_release_is_named(openalyx_door):
    openalyx_door.web.instead["/insertions"] = servers.as_json(
        {"count": 0, "next": None, "previous": None, "results": []}
    )
    with refused(MissingDataset, openalyx_door.web.url, openalyx.INSERTIONS_TAG):
        openalyx_door.connect()


@pytest.mark.parametrize("answer", [Answer(500, b"broken"), Answer(403, b'{"detail": "not for you"}')])
def test_database_that_does_not_answer_is_named(answer, openalyx_door):
    openalyx_door.web.instead["/insertions"] = answer
    with refused(Refused, openalyx_door.web.url, "try again later"):
        openalyx_door.connect()
