"""What is exported reads back as it was, says what it is of, and overwrites nothing."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import bwm_tutorials as bwm
from bwm_tutorials.errors import WorkingCopyError

pytestmark = pytest.mark.usefixtures("stamped")
QUESTION = {"variable": "stimulus side", "event": "stimOn_times", "window": (0.0, 0.08), "predicted": 0.1}


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    units = pd.MultiIndex.from_product([["probe00", "probe01"], range(9)], names=["probe", "cluster"])
    table = pd.DataFrame({"auc": rng.random(18) / 3, "p": rng.random(18), "acronym": "VISpm2/3"}, units)
    table.attrs = {"test": "condition-combined Mann-Whitney", "null": "9 shuffles", "n_trials": 7, "trials": (1, 2)}
    return table


@pytest.fixture
def figure():
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    return fig


def as_if_real(session):
    """The session, had it been recorded by a rig."""
    other = bwm.Session(session.eid, session.one)
    other.details = dict(session.details) | {"lab": "cortexlab", "subject": "KS014"}
    return other


def contents(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("real, origin", [(False, "SYNTHETIC"), (True, "REAL")])
def test_files_read_back_and_say_what_they_are_of(real, origin, table, figure, session, tmp_path, monkeypatch, said):
    monkeypatch.chdir(tmp_path)
    session = as_if_real(session) if real else session
    csv, png, pdf = bwm.export("results", table, figure, session, QUESTION)
    assert [file.suffix for file in (csv, png, pdf)] == [".csv", ".png", ".pdf"]
    assert {file.parent for file in (csv, png, pdf)} == {tmp_path / "results"}
    assert {file.stem for file in (csv, png, pdf)} == {csv.stem} and csv.name.startswith(f"{origin}_")
    assert f"Written to {tmp_path / 'results'}: {csv.name}" in said()
    again = pd.read_csv(csv, comment="#", index_col=[0, 1], float_precision="round_trip")
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    text = csv.read_text(encoding="utf-8")
    assert text.startswith(f"# {origin}: ")
    head = [line for line in text.splitlines() if line.startswith("#")]
    asked = ("variable: stimulus side", "window: (0.0, 0.08)", "predicted: 0.1", "null: 9 shuffles")
    for expected in (session.eid, *(probe.pid for probe in session.insertions), "trials 2025-03-03", "pandas ", *asked):
        assert sum(expected in line for line in head) == 1, expected
    assert real or "seed 1" in head[0]
    assert f"Description\0{origin}".encode() in png.read_bytes() and origin.encode() in pdf.read_bytes()


def test_the_same_again_writes_nothing_and_another_result_comes_beside(table, figure, session, tmp_path, said):
    first = bwm.export(tmp_path, table, figure, session, QUESTION)
    before, times = contents(tmp_path), [file.stat().st_mtime_ns for file in first]
    said()
    assert bwm.export(tmp_path, table, figure, session, QUESTION) == first and "there already" in said()
    assert contents(tmp_path) == before and [file.stat().st_mtime_ns for file in first] == times
    second = bwm.export(tmp_path, table[:5], figure, session, QUESTION)
    assert [file.stem for file in second] == [f"{first[0].stem} (2)"] * 3
    first[1].unlink()  # the picture of the first is gone: its table is still not overwritten
    third = bwm.export(tmp_path, table[:4], figure, session, QUESTION)
    assert [file.stem for file in third] == [f"{first[0].stem} (3)"] * 3
    assert contents(tmp_path)[first[0].name] == before[first[0].name] and len(contents(tmp_path)) == 8


@pytest.mark.parametrize("hostile", ["../../out", "/etc/out", "a\\b:c", "", "x\nprobe,cluster\n1,2"])
def test_nothing_that_is_asked_leads_out_of_the_folder_or_into_the_table(hostile, table, figure, session, tmp_path):
    asked = QUESTION | {"variable": hostile, "note": hostile}
    files = bwm.export(tmp_path / "inside", table, figure, session, asked)
    assert (
        {file.resolve().parent for file in files} == {tmp_path / "inside"} == {f.parent for f in tmp_path.rglob("*.*")}
    )
    again = pd.read_csv(files[0], comment="#", index_col=[0, 1], float_precision="round_trip")
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_only_the_insertions_of_the_table_are_written_and_another_window_has_another_name(
    table, figure, session, tmp_path
):
    one = table.loc[["probe01"]]
    first = bwm.export(tmp_path, one, figure, session, QUESTION | {"region": "VISa"})
    text = first[0].read_text(encoding="utf-8")
    assert session.insertions[1].pid in text and session.insertions[0].pid not in text
    assert first[0].stem.endswith("_stimulus-side_stimOn_times_VISa_0_to_80_ms")
    other = bwm.export(tmp_path, one, figure, session, QUESTION | {"region": "VISa", "window": (-0.4, -0.1)})
    assert other[0].stem.endswith("_VISa_-400_to_-100_ms")


def test_a_folder_that_cannot_be_written_to_is_named(table, figure, session, tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(WorkingCopyError, match="file cannot be written to"):
        bwm.export(tmp_path / "file", table, figure, session, QUESTION)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_the_picture_is_the_figure(table, figure, session, tmp_path):
    _, png, _ = bwm.export(tmp_path, table, figure, session, QUESTION)
    expected = io.BytesIO()
    figure.savefig(expected, format="png", dpi=200, bbox_inches="tight")
    assert np.array_equal(plt.imread(png), plt.imread(io.BytesIO(expected.getvalue())))


def test_an_empty_file_of_the_users_own_is_not_overwritten(table, figure, session, tmp_path):
    first = bwm.export(tmp_path, table, figure, session, QUESTION)
    for place in first:
        place.write_bytes(b"")
    second = bwm.export(tmp_path, table, figure, session, QUESTION)
    assert not set(first) & set(second) and all(place.read_bytes() == b"" for place in first)
