"""Lessons on recordings that lie on a server: each file is asked for once, and afterwards no server is needed."""

import matplotlib.pyplot as plt
import nbformat
import pytest
from helpers.repository import SOURCES

import bwm_tutorials as bwm
from bwm_tutorials.workshop import execute

FEW = ("00", "07", "09")  # start here, pose, and the one that looks into all sessions


def run(door, target) -> str:
    """Run all lessons as the command does, and give what they print."""
    results = execute.run([source.with_suffix(".ipynb") for source in SOURCES], target, door.name)
    assert {result.name: result.error for result in results if result.error} == {}
    cells = [cell for file in target.glob("*.ipynb") for cell in nbformat.read(file, as_version=4).cells]
    outputs = [out for cell in cells for out in cell.get("outputs", []) if out.output_type == "stream"]
    shown = [out.text for out in outputs if out.name == "stderr" and not out.text.startswith("\r")]
    assert shown == [], "a learner is shown a warning"
    return "".join(out.text for out in outputs if out.name == "stdout")


def assert_each_file_is_asked_for_once(door, lessons):
    """Run lessons (a function of the time, ``first`` or ``second``, that gives what they print) twice."""
    text = " ".join(lessons("first").split())
    assert "is synthetic, but what was put into it is not known here" in text
    files = [each for each in door.web.asked if each.startswith("GET ") and ("/Subjects/" in each or ".pqt" in each)]
    assert len(files) == len(set(files)) >= len(door.fetched()) > len(FEW) and door.left_over() == []

    door.web.asked.clear()
    lessons("second")
    assert door.web.asked == [], "neither for files, nor for what there is, nor to log in"


def test_lessons_ask_a_server_once_and_then_need_none(door, play, monkeypatch):
    def lessons(time):
        return "".join(play(source, SOURCE=door.name) for source in SOURCES if source.name[:2] in FEW)

    assert_each_file_is_asked_for_once(door, lessons)
    door.web.__exit__()
    monkeypatch.setenv("BWM_OFFLINE", "1")
    lessons("offline")


@pytest.mark.weekly
def test_all_lessons_run_by_the_command_ask_a_server_once(door, tmp_path):
    assert_each_file_is_asked_for_once(door, lambda time: run(door, tmp_path / time))


def test_what_a_server_does_not_tell_is_not_made_up(door, capsys):
    session = bwm.Session(one=door.connect())
    assert session.seed is None and session.get("truth") is None
    assert "not known here" in capsys.readouterr().out
    with plt.rc_context():
        bwm.plots.stamp(session)
        assert [text.get_text() for text in plt.figure().texts] == ["synthetic sample"]
    plt.close("all")
    bwm.provenance(session)
    assert capsys.readouterr().out.startswith("SYNTHETIC: a program made this\n")
