"""The doctor names what is wrong with a computer, and what to do."""

import re
import sys

import numpy as np
import pytest
from helpers.hand_made import TABLE, TRIALS, record_session

from bwm_tutorials.workshop import doctor, environment


@pytest.fixture
def checks(monkeypatch, tmp_path):
    """Call the doctor with something broken, and get its findings by name."""
    monkeypatch.setenv("BWM_DATA", str(tmp_path))

    def look(**broken) -> dict[str, doctor.Check]:
        for name, value in broken.items():
            monkeypatch.setattr(doctor if hasattr(doctor, name) else environment, name, value)
        return {check.name: check for check in doctor.examine()}

    return look


def test_every_failed_check_has_a_fix(checks):
    def missing(name):
        raise doctor.PackageNotFoundError(name)

    found = checks(version=missing, SPACE=float("inf"), MEMORY=float("inf"), OLDEST=(3, 14), NEWEST=(3, 16))
    assert {name for name, check in found.items() if not check.ok} >= {"Python", "packages", "disk", "sample", "memory"}
    assert all(check.fix for check in found.values() if check.ok is False)


@pytest.mark.locked
def test_healthy_computer_passes(checks):
    found = checks(SPACE=0, MEMORY=0)
    assert {name for name, check in found.items() if check.ok is False} == {"sample"}, "its folder is empty"
    assert found["recordings"].ok is None


def test_doctor_names_a_package_of_another_version(checks):
    found = checks(version=lambda name: "0.0.1")["packages"]
    assert not found.ok
    assert re.match(r"[\w-]+ is 0\.0\.1, not ==\S+; .+; and \d+ more$", found.detail)
    assert found.fix == "run 'make run'"


def test_doctor_names_a_missing_kernel(checks, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert not checks()["Jupyter kernel"].ok
    spec = tmp_path / "share/jupyter/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text('{"argv": ["/nowhere/python"]}')
    assert "/nowhere/python" in checks()["Jupyter kernel"].detail
    # Jupyter takes its own Python for this name, so that a computer without a `python` on the path is healthy too.
    spec.write_text('{"argv": ["python"]}')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks()["Jupyter kernel"].ok


def test_doctor_sees_an_unfinished_environment(checks, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "pins", lambda lock: [])
    monkeypatch.setattr(environment, "_stamp", lambda lock: "the stamp")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    python = environment.venv_python(tmp_path)
    python.parent.mkdir(parents=True)
    python.touch()
    assert not checks()["environment"].ok
    (tmp_path / ".venv/bwm_tutorials.lock").write_text("the stamp")
    assert checks()["environment"].ok


def test_doctor_looks_into_the_recordings(checks, monkeypatch, tmp_path):
    monkeypatch.setenv("BWM_SOURCE", "real")
    assert checks()["recordings"][1:3] == (True, "SWC_054 2020-09-01 of 'real' is as it should be")
    record_session(tmp_path / "own", {TABLE: TRIALS.assign(choice=3), "alf/licks.times.npy": np.arange(3.0)[::-1]})
    monkeypatch.setenv("BWM_SOURCE", str(tmp_path / "own"))
    found = checks()["recordings"]
    assert not found.ok and "these trials have 3" in found.detail and "licks.times.npy" in found.detail
    monkeypatch.setenv("BWM_SOURCE", str(tmp_path / "nowhere"))
    assert not checks()["recordings"].ok and "no folder" in checks()["recordings"].detail


def test_unmet_reads_markers_and_bounds():
    assert doctor.unmet(["pytest>=8", "nothing-such ; python_version < '3'", "other ; extra == 'test'"]) == []
    assert doctor.unmet(["nothing-such>=1", "pytest<1"])[0] == "nothing-such is missing"
    assert re.fullmatch(r"pytest is \S+, not <1", doctor.unmet(["pytest<1"])[0])


def test_doctor_prints_a_line_for_each_check(capsys):
    lines = [doctor.Check("one", True, "fine", "unused"), doctor.Check("two", False, "bad", "do this")]
    assert doctor.print_checks(lines) == 1
    assert capsys.readouterr().out == "✓ one: fine\n✗ two: bad → do this\n"
    assert doctor.print_checks(lines[:1]) == 0
