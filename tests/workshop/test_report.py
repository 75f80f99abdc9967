"""Reports of insertions: one command makes them all; they say what is computed, and what is lacking."""

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from helpers.figures import check_figure
from helpers.pages import dead_links
from helpers.sessions import of_subject
from iblutil.io import parquet

import bwm_tutorials as bwm
from bwm_tutorials import plots
from bwm_tutorials.errors import MissingDataset
from bwm_tutorials.paths import ROOT
from bwm_tutorials.workshop import cli, notebooks

TEMPLATE = ROOT / "notebooks" / "report.py"


def text_of(notebook: Path) -> str:
    outputs = [out for cell in nbformat.read(notebook, 4).cells for out in cell.get("outputs", [])]
    texts = [out.get("text") or out["data"].get("text/markdown") or out["data"]["text/plain"] for out in outputs]
    return " ".join(" ".join(texts).split())


def keep(table: Path, wanted) -> None:
    """Leave in a table of ONE the rows that are wanted."""
    rows, metadata = parquet.load(table)
    table.unlink()  # it shares its content with the sample
    parquet.save(table, rows[wanted(rows)], metadata)


@pytest.fixture(scope="module")
def damaged(small_sample, tmp_path_factory) -> Path:
    """The small sample with three of its insertions; the spikes of the last are cut short."""
    folder = tmp_path_factory.mktemp("damaged") / "one"
    shutil.copytree(small_sample, folder, copy_function=os.link)
    (file,) = folder.glob("*/Subjects/SIM-NULL/*/001/alf/probe01/pykilosort/#*#/spikes.times.npy")
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])
    null = bwm.Session(one=bwm.connect(small_sample)).null.insertions[0].pid
    keep(folder / "insertions.pqt", lambda rows: rows.index.get_level_values("id") != null)
    return folder


@pytest.fixture(scope="module")
def reports(damaged, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """A report of each insertion by one command, from another folder."""
    folder = tmp_path_factory.mktemp("reports")
    command = [sys.executable, "-m", "bwm_tutorials", "report", "--source", "../one", "--to", str(folder)]
    (damaged.parent / "elsewhere").mkdir()
    where = {"cwd": damaged.parent / "elsewhere", "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    return folder, subprocess.run(command, capture_output=True, encoding="utf-8", **where)


@pytest.fixture(scope="module")
def whole(damaged) -> bwm.Insertion:
    return bwm.Session(one=bwm.connect(damaged)).insertions[0]


# ---------------------------------------------------------------------------------------------------------- the command


def test_each_insertion_is_reported_and_what_failed_is_named(reports, damaged):
    folder, done = reports
    one = bwm.connect(damaged)
    probes = {str(pid): bwm.Insertion(pid, one) for pid in one.search_insertions()}
    assert done.stderr == "", "no bar where nobody looks, and no warnings"
    (bad,) = (pid for pid, probe in probes.items() if probe.session.name.startswith("SIM-NULL"))
    rows = dict(re.findall(r"^(5eed\S+) .*?\d  (\S.*)$", done.stdout, flags=re.MULTILINE))
    assert rows.keys() == probes.keys() and done.returncode == 1
    assert rows.pop(bad).startswith("cell 2 (spikes = probe.spikes): CorruptData: ")
    assert set(rows.values()) == {"ok"} and str(folder / "index.html") in done.stdout
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="(.+?)\.html">(.+?)</a>', index) == [
        (pid, f"SYNTHETIC · {probe.session.name} {probe.name}")
        for pid, probe in sorted(probes.items(), key=lambda item: (item[1].session.name, item[1].name))
    ]
    assert "CorruptData" in index
    page = (folder / f"{bad}.html").read_text(encoding="utf-8")
    assert "CorruptData" in page and "<h2" not in page and "papermill" not in page, "it ends with what went wrong"
    for pid in rows:
        text = text_of(folder / f"{pid}.ipynb")
        assert text.startswith(f"# SYNTHETIC · {probes[pid].session.name} {probes[pid].name} SYNTHETIC: a program made")
        assert pid in text and f"eid {probes[pid].eid}" in text and "seed 2" in text


def test_a_page_stands_alone_and_is_for_reading(reports, whole):
    folder, _ = reports
    assert dead_links(folder) == []
    page = (folder / f"{whole.pid}.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|https?://|src=\"(?!data:)|import bwm_tutorials|\.ipynb", page)
    assert page.count('src="data:image/png') == 8 and page.count("<h2") == 8
    assert f"<title>SYNTHETIC · {whole.session.name} probe00</title>" in page
    sources = [cell.source for cell in nbformat.read(folder / f"{whole.pid}.ipynb", 4).cells]
    assert any("import bwm_tutorials as bwm" in source for source in sources), "the notebook has its code"


def test_the_numbers_are_those_of_the_recording(reports, whole):
    text = text_of(reports[0] / f"{whole.pid}.ipynb")
    trials, units, spikes = whole.session.trials, whole.clusters, whole.spikes
    good = units.index[units["label"] == 1]
    assert f"{len(trials)} trials, " in text
    kept = bwm.trials.bwm_mask(trials).sum()
    assert f"{kept} of {len(trials)} trials are kept" in text
    rules = ~bwm.trials.bwm_rules(trials)
    alone = (rules["early"] & (rules.sum(axis=1) == 1)).sum()
    assert f"early {rules['early'].sum()} {alone}" in text
    assert f"{spikes.times.size:,} spikes of {len(units)} units" in text
    assert f"{len(good)} of {len(units)} units pass all three criteria" in text
    bits = units["bitwise_fail"].astype(int)
    for bit, name in ((1, "refractory period"), (2, "noise cutoff"), (4, "amplitude")):
        assert f"{name} {(bits & bit > 0).sum()} ({(bits == bit).sum()} this alone)" in text
    assert f"left the probe's range {len(whole.saturation)} times" in text
    windows = {"stimOn_times": ((0.03, 0.13), (-0.1, 0)), "feedback_times": ((0, 0.2), (-0.2, 0))}
    for name, pair in windows.items():
        table = bwm.responses.responsive_units(whole.good_spikes, trials[name], *pair)
        n = (table["p_adjusted"] < 0.05).sum() or "None"
        assert re.search(rf"{n} of {len(good)} units responds? to the {plots.responses.EVENTS[name]} \(", text)
    assert f"{(units['acronym'] == 'CA1').sum()} {(units.loc[good, 'acronym'] == 'CA1').sum()}" in text.split("CA1 ")[2]
    assert f"left lightningPose {len(whole.session.pose('left', keypoints='paw_r'))} " in text
    assert f"in {bwm.pose.lick_onsets(whole.session.licks).size:,} licks" in text


@pytest.mark.weekly
def test_a_report_made_again_is_the_same_and_a_terminal_shows_a_bar(reports, damaged, whole, tmp_path, monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)
    assert cli.main(["report", whole.pid, whole.pid, "--source", str(damaged), "--to", str(tmp_path)]) == 0
    assert re.search(r"reports: +\d+%.+cell", screen.getvalue())
    pages = [folder / f"{whole.pid}.html" for folder in (reports[0], tmp_path)]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_unknown_insertions_are_refused_before_anything_runs(small_sample, tmp_path):
    known = bwm.Session(one=bwm.connect(small_sample)).insertions[0].pid
    with pytest.raises(SystemExit, match=f"There is no insertion nonsense; this source has .*{known}"):
        cli.main(["report", known, "nonsense", "--source", str(small_sample), "--to", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
    for name in ("sessions.pqt", "datasets.pqt"):
        shutil.copy(small_sample / name, tmp_path)
    keep(tmp_path / "datasets.pqt", lambda rows: ~rows["rel_path"].str.contains("spikes.times"))
    with pytest.raises(SystemExit, match="has no probe insertions"):
        cli.main(["report", "--source", str(tmp_path)])


def test_from_a_server_no_insertion_is_fetched_unnamed(aws_door):
    with pytest.raises(SystemExit, match="aws has 14, and each report fetches some hundred megabytes"):
        cli.main(["report", "--source", "aws"])
    assert not [file for file in aws_door.fetched() if "spikes" in file]


# --------------------------------------------------------------------------------------------------------- the template


def test_the_notebook_is_that_of_its_source():
    committed = nbformat.read(TEMPLATE.with_suffix(".ipynb"), 4)
    assert notebooks.content(notebooks.read_source(TEMPLATE)) == notebooks.content(committed)


def test_what_an_insertion_lacks_is_said_in_each_part(play):
    text = " ".join(play(TEMPLATE, SOURCE="real", PID=str(bwm.connect("real").search_insertions()[0])).split())
    assert "124,905 spikes of 289 units in 2 min" in text and "SYNTHETIC" not in text
    name = "probe_excerpt 1900-01-01"
    assert text.count(f"{name} has no trials;") == 2 and text.count(f"Left out here: {name} has no trials.") == 3
    assert text.count("has no alf/probe00/clusters.metrics.pqt;") == 1
    assert text.count(f"Left out here: {name} has no alf/probe00/clusters.metrics.pqt.") == 4
    assert "This recording has no depths." in text and "No pose of the body camera." in text
    assert "wrong with a file" not in text
    assert "REAL: recorded from a mouse" in text


def test_what_is_wrong_with_files_is_shown(damaged, whole, play, tmp_path):
    folder = tmp_path / "one"
    shutil.copytree(damaged, folder, copy_function=os.link)
    (file,) = folder.glob("*/Subjects/SIM-001/*/001/alf/_ibl_wheel.position.npy")
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-8])
    text = " ".join(play(TEMPLATE, SOURCE=str(folder), PID=whole.pid).split())
    table = text.split("wrong with a file problem then")[1]
    assert "_ibl_wheel.position.npy" in table and "refused" in table.split("REAL")[0]


@pytest.mark.parametrize("subject, day, lacking", [
    ("SIM-002", "2001-01-15", ["No pose of the right camera", "passive no"]),
    ("SIM-004", "", ["No pose of the left camera", "has no pupil", "CRITICAL", "pose('left', 'dlc') no"]),
    ("SIM-006", "", ["No pose of the right camera"]),
])  # fmt: skip
def test_what_a_session_lacks_is_said(subject, day, lacking, small_release, play, monkeypatch):
    session = of_subject(small_release, subject, day)
    figures = []
    monkeypatch.setattr(plt, "close", lambda *_: figures.extend(map(plt.figure, plt.get_fignums())))
    text = play(TEMPLATE, SOURCE=str(small_release.cache_dir), PID=session.insertions[0].pid)
    monkeypatch.undo()
    plt.close("all")
    stamps = [[text.get_text() for text in figure.texts if text.get_gid() == "stamp"] for figure in figures]
    assert len(stamps) >= 6 and all(re.match("synthetic sample · seed", stamp) for [stamp] in stamps)
    words = " ".join(text.split())
    assert [part for part in lacking if part not in words] == []
    assert "SYNTHETIC: a program made this" in words and session.eid in words


def test_an_insertion_without_spikes_is_an_error(damaged, whole, play, tmp_path):
    folder = tmp_path / "one"
    shutil.copytree(damaged, folder, copy_function=os.link)
    keep(folder / "datasets.pqt", lambda rows: ~rows["rel_path"].str.contains("spikes.times"))
    with pytest.raises(MissingDataset, match=r"has no alf/probe00/.*spikes.times.npy; it has trials"):
        play(TEMPLATE, SOURCE=str(folder), PID=whole.pid)


# ---------------------------------------------------------------------------------------------------------- its figures


@pytest.mark.usefixtures("stamped")
def test_quality_counts_the_units_that_each_criterion_rejects(probe, said):
    clusters = probe.clusters.assign(bitwise_fail=np.arange(len(probe.clusters)) % 8)
    clusters["label"] = (clusters["bitwise_fail"] == 0).astype(float)
    fig = check_figure(plots.quality_by_depth(clusters))
    bits = clusters["bitwise_fail"]
    assert [bar.get_width() for bar in fig.axes[0].patches] == [
        *((bits & bit > 0).sum() for bit in (1, 2, 4)),
        *((bits == bit).sum() for bit in (1, 2, 4)),
    ]
    assert said().startswith(f"{(bits == 0).sum()} of {len(clusters)} units pass all three criteria. Rejected by:")
    plots.quality_by_depth(clusters.assign(label=1 / 3, bitwise_fail=3))
    assert (text := said()).startswith(f"None of {len(clusters)} units pass") and "medians" not in text


@pytest.mark.usefixtures("stamped")
def test_presence_tells_units_that_stay_from_units_that_go(said):
    starts = np.arange(12) * 60.0
    counts = pd.DataFrame(20.0, pd.Index([4, 7, 9], name="cluster"), starts)
    counts.loc[7, 300.0:] = 0
    depths = pd.Series([300.0, 100.0, 200.0], counts.index)
    saturation = pd.DataFrame({"start": [5.0, 90.0], "stop": [5.5, 90.25]})
    fig = check_figure(plots.presence(counts, depths, saturation))
    drawn = fig.axes[0].images[0].get_array()
    assert not np.ma.is_masked(drawn) and (drawn[0, 5:] == -2).all(), "the unit nearest to the tip falls silent"
    assert (drawn[1:] == 0).all()
    assert said() == (
        "2 of 3 units fire in nine tenths of all steps of 60 s, or more. From the first third of the recording to the "
        "last, 1 change by more than a factor of 2. The voltage left the probe's range 2 times, 0.75 s in all, 0.5 s "
        "at most."
    )
    plots.presence(counts, depths, saturation[:0])
    assert said().endswith("The voltage never left the range of the probe.")
    plots.presence(counts, depths)
    assert "voltage" not in said()


@pytest.mark.usefixtures("stamped")
def test_responding_counts_by_region_and_says_when_there_is_nothing(said):
    units = pd.Index([1, 2, 3], name="cluster")
    tests = {}
    for name, p in (("stimulus", [0.01, 0.2, 0.04]), ("feedback", [0.9, 0.8, 0.7])):
        tests[name] = pd.DataFrame({"p_adjusted": p}, units)
        tests[name].attrs = {"response": (0.0, 0.1), "baseline": (-0.1, 0.0), "n_trials": 50, "correction": "BH"}
    fig = plots.responding(tests, pd.Series(["LP", "PO", "LP"], units))
    assert said() == (
        "2 of 3 units respond to the stimulus (0 to 0.1 s against −0.1 to 0 s, 50 trials). None of 3 units responds to "
        "the feedback (0 to 0.1 s against −0.1 to 0 s, 50 trials). To one of them or more: 2 (67 %). All are corrected "
        "for the number of units (BH)."
    )
    assert [bar.get_width() for bar in fig.axes[0].patches] == [2, 1, 2, 0], "tested, and respond, of LP and PO"


@pytest.mark.usefixtures("stamped")
def test_figures_of_lessons_take_depths_and_do_without_drift(probe, session, said):
    some = {name: values[::50] for name, values in probe.spikes.items()}
    above, *_ = check_figure(plots.session_raster(some, channels=probe.channels)).axes
    assert "DG-mo" in {text.get_text() for text in above.texts}
    assert "runs through PO, LP," in (text := said()) and "slips" not in text
    units = probe.clusters.index[probe.clusters["label"] == 1]
    rates = {"feedback": bwm.spikes.peth(probe.spikes, session.trials["feedback_times"], (-0.5, 1), 0.1, units)}
    drawn = plots.alignments(rates, probe.clusters["depths"]).axes[0].images[0].get_array()
    highest = probe.clusters["depths"][units].idxmax()
    mean = rates["feedback"].mean.loc[highest]
    assert np.allclose(drawn[0], (mean - mean.mean()) / mean.std())


def test_drift_and_what_an_insertion_lacks(probe, real, capsys):
    assert probe.drift.um.shape[0] == probe.drift.times.size and np.all(np.diff(probe.drift.times) > 0)
    assert probe.get("drift") is probe.drift
    excerpt = bwm.Insertion(real.one.search_insertions()[0], real.one)
    assert excerpt.get("saturation") is None and excerpt.get("drift") is None
    assert capsys.readouterr().out.count("has no ") == 2
