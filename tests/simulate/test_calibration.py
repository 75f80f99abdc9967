"""The sample lies in the ranges of real sessions: statistic by statistic, and by the checks that IBL itself runs."""

import json
import re
from inspect import getmembers, isfunction
from pathlib import Path

import calibrate
import calibration_picture
import numpy as np
import pandas as pd
import pytest
import recordings as rec
from iblutil.util import Bunch
from matplotlib.colors import to_hex
from recordings import NYU, PROBE, SORTED, SWC, WAVEFORMS, WHEEL, Recordings

import bwm_tutorials as bwm
from bwm_tutorials.plots.style import BLUE, ORANGE

task_metrics = pytest.importorskip("ibllib.qc.task_metrics")
training_wheel = pytest.importorskip("ibllib.io.extractors.training_wheel")

ROWS = {row.statistic: row for row in calibrate.ROWS}
TESTED = [pytest.param(row, id=row.statistic) for row in calibrate.ROWS if not row.why]


@pytest.fixture(scope="module")
def found(sample) -> Recordings:
    return rec.recordings(sample, more_hours=rec.MORE_HOURS)


@pytest.fixture(scope="module")
def table(found) -> pd.DataFrame:
    return calibrate.results(found)


@pytest.fixture(scope="module")
def real_recordings(real_folder) -> dict[str, Recordings]:
    return rec.real_recordings(real_folder)


def of_source(*names: str) -> list:
    return [param for param in TESTED if param.values[0].source.startswith(names)]


def assert_within(row: calibrate.Row, recordings: Recordings) -> None:
    value, verdict = calibrate.measure(row, recordings)
    assert verdict == "yes", f"{value:.4g}, {verdict}; real {row.low:.4g} to {row.high:.4g} ({row.source})"


@pytest.mark.parametrize("row", TESTED)
def test_the_sample_lies_in_the_real_range(row, found):
    if calibrate.measure(row, found)[1] == "not in the sample":
        pytest.skip("the sample lacks what this takes")
    assert_within(row, found)


def test_every_row_is_tested_or_says_why_it_is_not():
    assert len(ROWS) == len(calibrate.ROWS) > 100, "no statistic is listed twice"
    for row in calibrate.ROWS:
        assert row.low <= row.high and row.source
        assert row.measure is not None or row.why, row.statistic


# The measures, where the answer is known.


@pytest.mark.parametrize("row", of_source(NYU, SWC, SORTED, WAVEFORMS))
def test_a_recording_lies_in_the_range_that_was_taken_from_it(row, real_recordings):
    (source,) = (name for name in real_recordings if row.source.startswith(name))
    assert_within(row, real_recordings[source])


@pytest.mark.parametrize("row", [param for param in of_source(WHEEL, PROBE) if "units" not in param.id])
def test_an_excerpt_lies_in_the_range_that_was_taken_from_it(row):
    (source,) = (name for name in rec.excerpts() if row.source.startswith(name))
    assert_within(row, rec.excerpts()[source])


@pytest.mark.parametrize("row", of_source(calibrate.FOUR))
def test_fits_by_block_of_four_real_sessions_span_the_range(row, real_recordings):
    sessions = [*real_recordings[NYU].sessions, *real_recordings[SWC].sessions]
    values = [row.measure(Recordings([session])) for session in sessions]
    assert min(values) == pytest.approx(row.low, abs=0.11) and max(values) == pytest.approx(row.high, abs=0.11)


@pytest.mark.parametrize("row", of_source(calibrate.SEQUENCES))
def test_the_rigs_own_sequences_lie_in_the_range(row):
    from ibllib.io.extractors import ephys_fpga

    folder = Path(ephys_fpga.__file__).with_name("ephys_sessions")
    columns = ["position", "contrast", "quiescencePeriod", "phase", "probabilityLeft"]
    files = [folder / f"session_{number}_ephys_pcqs.npy" for number in range(12)]
    sequences = [pd.DataFrame(np.load(file), columns=columns) for file in files]
    trials = pd.concat(dict(enumerate(sequences)), names=["session", "trial"])
    pool = Recordings([])
    pool.trials = trials.assign(
        contrastLeft=trials["contrast"].where(trials["position"] < 0),
        contrastRight=trials["contrast"].where(trials["position"] > 0),
    )
    assert_within(row, pool)


def test_ranges_of_tables_are_those_of_the_tables(real_folder):
    fits = pd.read_csv(real_folder / "calibration" / "psychometric_fits_53mice_2019_transcribed.csv")
    assert_range("psychometric threshold (% contrast)", fits["threshold"])
    assert_range("lapse rate on the left", fits["lapselow"])
    assert_range("lapse rate on the right", fits["lapsehigh"])
    bias = fits["bias"].abs().quantile(0.95)
    assert bias <= ROWS["psychometric bias, absolute (% contrast)"].high < 1.02 * bias

    units = pd.read_parquet(real_folder / "calibration" / "clusters_bwm_147.pqt").rename_axis(["probe", None])
    by_probe = units[units["label"] == 1].groupby(["cosmos_acronym", "probe"])["firing_rate"]
    medians = by_probe.median()[by_probe.size() >= rec.MIN_UNITS]
    for area in ("Isocortex", "OLF", "HPF", "CNU", "TH", "MB"):
        assert_range(f"median rate of good units, {area} (Hz)", medians[area])

    channels = pd.read_parquet(real_folder / "calibration" / "channels_bwm.pqt")["channel_label"]
    assert np.mean(ROWS["dead or noisy channels"][2:4]) == pytest.approx(channels.isin([1, 2]).mean(), rel=0.01)

    sessions = quality_control(real_folder)
    for camera in ("left", "right", "body"):
        rates, dropped = (
            [float(s[key][1]) for s in sessions if isinstance(s.get(key), list) and s[key][1] is not None]
            for key in (f"_video{camera.title()}_framerate", f"_video{camera.title()}_dropped_frames")
        )
        assert_range(f"frame rate, {camera} camera (Hz)", rates)
        assert_range(f"dropped frames, {camera} camera", dropped)


def assert_range(statistic: str, values) -> None:
    low, high = np.percentile(values, [5, 95])
    row = ROWS[statistic]
    assert row.low == pytest.approx(low, rel=0.1, abs=1e-9) and row.high == pytest.approx(high, rel=0.1, abs=1e-9)
    assert row.low <= low and high <= row.high


def test_blocks_end_with_their_session():
    first = pd.DataFrame({"probabilityLeft": [0.5] * 90 + [0.2] * 30 + [0.8] * 25 + [0.2] * 7})
    second = pd.DataFrame({"probabilityLeft": [0.2] * 40 + [0.5] * 80})
    pool = Recordings([])
    pool.trials = pd.concat({0: first, 1: second}, names=["session", "trial"])
    assert rec.later_blocks(pool).tolist() == [30, 25, 40]
    assert rec.first_block(pool) == 80
    assert rec.part(pool.trials["probabilityLeft"], 4).groupby(level=0).mean().round(3).tolist() == [0.66, 0.5]


def test_spikes_at_random_have_no_structure():
    rng = np.random.default_rng(0)
    counts = rng.poisson(10 * 700, 40)
    times, clusters = rng.uniform(0, 700, counts.sum()), np.repeat(np.arange(40), counts)
    order = np.argsort(times)
    pool = Recordings([])
    pool.insertions = [Bunch(spikes=Bunch(times=times[order], clusters=clusters[order]))]
    assert len(pool.variability) == 5
    mean = pool.variability.mean()
    assert mean[["cv", "fano"]].to_numpy() == pytest.approx(1, abs=0.05)
    assert abs(mean["correlation"]) < 0.005 and mean["spread"] == pytest.approx(1 / np.sqrt(1200), rel=0.1)


def test_sessions_can_be_left_out(sample, session):
    everyone = {s.name for s in rec.recordings(sample, leave_out=[]).sessions}
    assert len(everyone) == len(sample.search()) and everyone >= {session.name, *rec.LEFT_OUT}
    assert {s.name for s in rec.recordings(sample, leave_out=[session.name]).sessions} == everyone - {session.name}
    assert session.name not in rec.LEFT_OUT


# IBL's own checks of a session.

# The share of passes that a session reaches, p5 and p95 of the 459 sessions of the Brain Wide Map, rounded away from
# the middle; from their extended quality control.
CHECKS = {
    "detected_wheel_moves": (0.9466, 1),
    "goCue_delays": (0.9507, 1),
    "iti_delays": (0, 0.0396),
    "negative_feedback_stimOff_delays": (0.955, 1),
    "positive_feedback_stimOff_delays": (0.997, 1),
    "response_feedback_delays": (0.9899, 1),
    "reward_volume_set": (1, 1),
    "reward_volumes": (1, 1),
    "stimOff_delays": (0.9949, 1),
    "stimOn_delays": (0.9966, 1),
    "stimOn_goCue_delays": (0.6895, 1),
    "trial_length": (0.9509, 1),
    "wheel_freeze_during_quiescence": (1, 1),
    "wheel_integrity": (1, 1),
    "wheel_move_before_feedback": (0.994, 1),
    "wheel_move_during_closed_loop": (0.9862, 1),
}
TRIGGER = "needs the times at which events were triggered, which are not released"
STATES = "needs the states of the behaviour computer, which are not released"
RAW = "needs the fronts of the raw synchronisation channels"
NOT_RUN = {
    "audio_pre_trial": RAW,
    "stimulus_move_before_goCue": RAW,
    "correct_trial_event_sequence": STATES,
    "error_trial_event_sequence": STATES,
    "stimOff_itiIn_delays": STATES,
    "errorCue_delays": TRIGGER,
    "n_trial_events": TRIGGER,
    "response_stimFreeze_delays": "needs the time at which the stimulus froze, which is not released",
    "stimFreeze_delays": "needs the time at which the stimulus froze, which is not released",
    "wheel_move_during_closed_loop_bpod": "needs the wheel as the behaviour computer recorded it",
}


def released(session: bwm.Session) -> dict[str, np.ndarray]:
    """What the release has of that which IBL's checks ask for, by the names they use.

    The valve and the error tone are the feedback: its times are those of one or the other.
    """
    trials, correct = session.trials, (session.trials["feedbackType"] == 1).to_numpy()
    data = {name: trials[name].to_numpy() for name in trials}
    return data | {
        "correct": correct,
        "intervals": trials[["intervals_0", "intervals_1"]].to_numpy(),
        "quiescence": trials["quiescencePeriod"].to_numpy(),
        "position": np.where(trials["contrastRight"].notna(), 35.0, -35.0),
        "valveOpen_times": np.where(correct, trials["feedback_times"], np.nan),
        "errorCue_times": np.where(correct, np.nan, trials["feedback_times"]),
        "wheel_timestamps": session.wheel.timestamps,
        "wheel_position": session.wheel.position,
    }


def run_check(name: str, session: bwm.Session):
    """What a check of IBL's gives for a session: the metric and which trials (or samples) passed.

    The settings are those of the rig: 4° a mm, quiescence of .2 s at least, four edges. Which sound card a rig had is
    not released, but one kind is late by more than 10 ms.
    """
    data = released(session)
    late = np.nanmedian(data["goCue_times"] - data["stimOn_times"]) > 0.01
    settings = {"wheel_gain": 4, "min_qt": 0.2, "re_encoding": "X4", "audio_output": "xonar" if late else "harp"}
    return getattr(task_metrics, f"check_{name}")(data, **settings)


@pytest.mark.parametrize("name", CHECKS)
def test_ibls_checks_pass_as_often_as_on_real_sessions(name, found):
    rates = [np.nanmean(np.asarray(run_check(name, session)[1], float)) for session in found.sessions]
    low, high = CHECKS[name]
    assert low <= np.mean(rates) <= high, f"{name}: {np.mean(rates):.4f}; real {low} to {high}"


def test_every_check_of_ibl_is_run_or_says_why_it_is_not():
    known = {name for name, _ in getmembers(task_metrics, isfunction) if name.startswith("check_")}
    assert known == {f"check_{name}" for name in (*CHECKS, *NOT_RUN)} and not set(CHECKS) & set(NOT_RUN)


@pytest.mark.parametrize("name", sorted(set(NOT_RUN) - {"wheel_move_during_closed_loop_bpod"}))
def test_a_check_that_is_not_run_cannot_be(name, session):
    try:
        given = run_check(name, session)
    except KeyError as missing:
        assert missing.args[0] not in session.trials
    else:
        assert given is None or given == (None, None)


def quality_control(folder: Path) -> list[dict]:
    """The extended quality control of the 459 sessions."""
    return list(json.loads((folder / "calibration" / "bwm_qc_459sessions.json").read_text()).values())


@pytest.mark.parametrize("name", CHECKS)
def test_the_real_pass_rates_are_those_of_the_459_sessions(name, real_folder):
    rates = [session[f"_task_{name}"] for session in quality_control(real_folder)]
    assert len(rates) == 459
    low, high = np.percentile(rates, [5, 95])
    assert CHECKS[name] == pytest.approx((low, high), abs=1.1e-4) and CHECKS[name][0] <= low and high <= CHECKS[name][1]


def test_ibls_extractors_find_the_movements_that_are_stored(sample):
    # Only of what is stored: of one hour in ten brainbox misplaces onsets (see test_wheel).
    for session in rec.recordings(sample, leave_out=[]).sessions:
        moves = training_wheel.extract_wheel_moves(session.wheel.timestamps, session.wheel.position)
        assert np.allclose(moves["intervals"], session.wheel_moves.intervals, atol=1e-9)
        assert np.allclose(moves["peakAmplitude"], session.wheel_moves.peakAmplitude, atol=1e-9)


def test_ibls_extractors_find_the_first_movements_that_are_stored(found):
    for session in found.sessions:
        trials = {name: session.trials[name].to_numpy() for name in ("goCue_times", "feedback_times")}
        first, _, _ = training_wheel.extract_first_movement_times(session.wheel_moves, trials)
        stored = session.trials["firstMovement_times"].to_numpy()
        other = np.flatnonzero(~np.isclose(first, stored, atol=1e-9, equal_nan=True))
        assert not other.size, f"{session.name}, trials {other}: stored {stored[other]}, found {first[other]}"


# What is made of it.


def cells(markdown: str) -> list[list[str]]:
    rows = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] != "statistic"]


def as_number(cell: str) -> float:
    return np.nan if cell == "–" else float(cell.replace("−", "-").replace(",", ""))


def test_the_readme_holds_the_table_of_this_sample(table):
    text = calibrate.README.read_text(encoding="utf-8")
    text = text[text.index(calibrate.BEGIN) : text.index(calibrate.END)]
    for written, now in zip(cells(text), cells(calibrate.as_markdown(table)), strict=True):
        # The third digit may differ from computer to computer.
        assert as_number(written[1]) == pytest.approx(as_number(now[1]), rel=0.01, nan_ok=True), (
            f"{now[0]} is {now[1]} and the page says {written[1]}: python -m bwm_tutorials calibrate"
        )
        assert (written[0], written[2], written[4]) == (now[0], now[2], now[4])


def test_the_table_is_printed_of_another_folder(sample, capsys):
    before = calibrate.README.read_bytes()
    calibrate.main(["--table", str(sample.cache_dir)])
    said = capsys.readouterr().out
    assert re.search(r"Task +trials at 0 % contrast +0\.\d+ +0\.0896 … 0\.134", said)
    assert said.rstrip().endswith("lie in the real range.") and calibrate.README.read_bytes() == before


def test_without_real_recordings_the_table_is_written_and_the_picture_is_not(tmp_path, monkeypatch, sample, capsys):
    readme, picture = tmp_path / "README.md", tmp_path / "pictures" / "calibration.png"
    readme.write_text(f"before\n{calibrate.BEGIN}\nof another sample\n{calibrate.END}\nafter\n")
    monkeypatch.setattr(calibrate, "README", readme)
    monkeypatch.setattr(calibrate, "PICTURE", picture)
    monkeypatch.setenv("BWM_REAL_DATA", str(tmp_path / "nothing"))
    calibrate.main([])
    text = readme.read_text(encoding="utf-8")
    assert (
        text.startswith("before\n") and text.endswith(f"{calibrate.END}\nafter\n") and "of another sample" not in text
    )
    assert "| correct at 100 % contrast |" in text
    assert "BWM_REAL_DATA" in capsys.readouterr().out and not picture.exists()


def test_the_picture_shows_both_in_every_panel(found, real_recordings, tmp_path):
    figure = calibration_picture.draw(found, real_recordings)
    assert len(figure.axes) == 16
    for ax in figure.axes:
        assert ax.get_xlabel() and ax.get_ylabel()
        shown = {to_hex(line.get_color()).upper() for line in ax.lines}
        shown |= {to_hex(patch.get_edgecolor()).upper() for patch in ax.patches}
        shown |= {to_hex(patch.get_facecolor()).upper() for patch in ax.patches}
        shown |= {to_hex(text.get_color()).upper() for text in ax.texts}  # which says that the sample lacks it
        assert shown >= {BLUE, ORANGE}, ax.get_title(loc="left")
    assert any("synthetic" in t.get_text() and "REAL" in t.get_text() for t in figure.texts)
    calibration_picture.save(figure, tmp_path / "picture.png")
    assert 20_000 < (tmp_path / "picture.png").stat().st_size < 200_000


def test_the_committed_picture_is_small():
    assert 20_000 < calibrate.PICTURE.stat().st_size < 200_000
