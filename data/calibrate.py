"""Hold the synthetic sample against real sessions: a table of statistics, and a picture of synthetic beside real.

    python data/calibrate.py                  write both into data/README.md and data/pictures/calibration.png
    python data/calibrate.py --table [ONE]    only print the table, of the sample or of another one's ONE folder

`ROWS` lists the statistics: the real range of each, where that comes from, and how it is measured. The ranges are
facts and stand here; the picture needs real recordings, in the folder that ``BWM_REAL_DATA`` names.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import recordings as rec
from recordings import NYU, PROBE, SORTED, SWC, WAVEFORMS, WHEEL, Recordings

import bwm_tutorials as bwm
from bwm_tutorials.errors import MissingDataset

README = Path(__file__).with_name("README.md")
PICTURE = Path(__file__).with_name("pictures") / "calibration.png"
BEGIN, END = "<!-- calibration: written by data/calibrate.py -->", "<!-- end of calibration -->"


class Row(NamedTuple):
    """A statistic, its real range, where that comes from, and how it is measured.

    ``why`` says of a row that is not tested why it is not; such a row may be without a measure.
    """

    group: str
    statistic: str
    low: float
    high: float
    source: str
    measure: Callable[[Recordings], float] | None = None
    why: str = ""


def about(value: float, most: float = np.inf) -> tuple[float, float]:
    """The range of what is known as one number: 20 % to both sides, and not above ``most``."""
    return 0.8 * value, min(1.2 * value, most)


def percentiles(
    name: str, values: Callable[[Recordings], pd.Series], source: str, real: dict[int, float]
) -> list[tuple]:
    """A row for each percentile that is known; ``{}`` in the name stands for it."""

    def measure(r: Recordings, p: int) -> float:
        return pd.Series(values(r)).quantile(p / 100)

    return [(name.format(f"p{p}"), about(value), source, partial(measure, p=p)) for p, value in real.items()]


# Where the real numbers come from.
SEQUENCES = "the 12 sequences of stimuli that rigs replay"
FOUR = "NYU-11 and three sessions of SWC_054, least and most"
POOL = "230,163 trials of the release"
RELEASE = "459 sessions"
QC = "quality control of 459 sessions, p5 to p95"
SITE = "67 repeated-site sessions"
MICE = "53 mice, p5 to p95"
PAPER = "Brain Wide Map paper"
ENCODER = "encoder of 4096 edges a turn"
AREA = "probes with ten good units there, p5 to p95"
CHANNELS = "34,944 channels of 91 probes"
PROBES = "550 probes"
EKS = "example video of ensemble Kalman smoothing"
VIDEOS = "450 sessions"
CROSSED = "anatomy: each half of the brain sees the other side"

CONTRASTS = (0, 0.0625, 0.125, 0.25, 1)
EXTENSIVE = "a count: the sample is smaller"
SLOW = "below 1 Hz an hour of spikes is too few for today's test of contamination, and was not for an older one"
GOOD = "the sample has more good units than a real probe"
FIT = "a fit of its own; a parameter of the simulation"
RAW = "needs data that the sample leaves out"
TEACHING = "far more units respond in the sample, on purpose"

_ROWS: dict[str, list[tuple]] = {
    "Task": [
        *(
            (f"trials at {100 * c:g} % contrast", about(p), SEQUENCES, lambda r, c=c: (rec.contrast(r) == c).mean())
            for c, p in zip(CONTRASTS, (0.112, 0.22, 0.22, 0.22, 0.22), strict=True)
        ),
        ("first block (trials)", (90, 90), RELEASE, rec.first_block),
        ("later blocks, mean (trials)", about(50), SEQUENCES, lambda r: rec.later_blocks(r).mean()),
        ("later blocks, median (trials)", about(48), SEQUENCES, lambda r: rec.later_blocks(r).median()),
        ("later blocks, shortest (trials)", (20, 99), SEQUENCES, lambda r: rec.later_blocks(r).min()),
        ("later blocks, longest (trials)", (20, 99), SEQUENCES, lambda r: rec.later_blocks(r).max()),
        ("stimuli on the block's side", about(0.802), SEQUENCES, rec.likely_side),
        ("enforced quiescence, mean (s)", about(0.529), SEQUENCES, lambda r: r.trials["quiescencePeriod"].mean()),
        ("enforced quiescence, shortest (s)", (0.4, 0.7), SEQUENCES, lambda r: r.trials["quiescencePeriod"].min()),
        ("enforced quiescence, longest (s)", (0.4, 0.7), SEQUENCES, lambda r: r.trials["quiescencePeriod"].max()),
        ("trials a session, mean", (409, 964), f"{RELEASE}, p5 to p95", lambda r: len(r.trials) / len(r.sessions)),
        ("sessions whose go cue comes 1 or 16 ms after the stimulus", (1, 1), f"{NYU}; ten sessions", rec.usual_go_cue),
        (
            "trials whose go cue is more than 50 ms off",
            (0, 0.01),
            NYU,
            lambda r: (rec.delay(r, "stimOn_times", "goCue_times").abs() > 0.05).mean(),
        ),
        (
            "go cue − its trigger, median (ms)",
            about(0.8),
            NYU,
            lambda r: 1e3 * rec.delay(r, "goCueTrigger_times", "goCue_times").median(),
        ),
        *(
            (
                f"feedback − response, {name} (ms)",
                about(real),
                NYU,
                lambda r, sign=sign: 1e3 * rec.delay_after(r, sign, "response_times", "feedback_times"),
            )
            for name, sign, real in (("correct", 1, 0.1), ("error", -1, 0.9))
        ),
        *(
            (
                f"{what} − feedback, {name} (s)",
                about(real),
                NYU,
                partial(rec.delay_after, feedback=sign, start="feedback_times", stop=stop),
            )
            for what, stop, both in (
                ("stimulus off", "stimOff_times", (1.07, 2.07)),
                ("end of trial", "intervals_1", (1.57, 2.57)),
            )
            for name, sign, real in zip(("correct", "error"), (1, -1), both, strict=True)
        ),
        ("pause between trials, mean (s)", about(0.585), NYU, lambda r: rec.pauses(r).mean()),
        (
            "pauses of 0.38 to 1.1 s",
            (0.99, 1),
            NYU,
            lambda r: np.mean((np.round(rec.pauses(r), 2) >= 0.38) & (np.round(rec.pauses(r), 2) <= 1.1)),
        ),
        *percentiles(
            "stimulus − start of trial, {} (s)",
            partial(rec.delay, start="intervals_0", stop="stimOn_times"),
            NYU,
            {5: 0.49, 50: 0.72, 95: 3.0},
        ),
        *percentiles(
            "length of a trial, {} (s)",
            partial(rec.delay, start="intervals_0", stop="intervals_1"),
            NYU,
            {5: 2.4, 50: 3.5, 95: 13.5},
        ),
        ("reward (µl)", about(1.5), NYU, lambda r: r.trials["rewardVolume"][rec.correct(r)].median()),
        (
            "stimulus, go cue and feedback without a time, mean",
            (0.002, 0.009),
            f"{NYU}; {POOL}",
            lambda r: r.trials[["stimOn_times", "goCue_times", "feedback_times"]].isna().mean().mean(),
        ),
        (
            "first movement without a time",
            (0.013, 0.0166),
            f"{NYU}; {POOL}",
            lambda r: r.trials["firstMovement_times"].isna().mean(),
        ),
        (
            "start of the first trial (s)",
            (10, 120),
            f"{NYU}; others: tens of seconds",
            lambda r: r.trials["intervals_0"].groupby(level="session").first().mean(),
        ),
    ],
    "Mouse": [
        ("correct", about(0.819, most=1), POOL, lambda r: rec.correct(r).mean()),
        *(
            (
                f"correct at {100 * c:g} % contrast",
                about(p, most=1),
                SWC,
                lambda r, c=c: rec.correct(r)[rec.contrast(r) == c].mean(),
            )
            for c, p in zip(CONTRASTS, (0.58, 0.79, 0.90, 0.94, 0.96), strict=True)
        ),
        ("reports right at 0 %, block of the right", about(0.64), SWC, partial(rec.right_at_zero, p_left=0.2)),
        ("reports right at 0 %, block of the left", about(0.34), SWC, partial(rec.right_at_zero, p_left=0.8)),
        ("psychometric threshold (% contrast)", (8.0, 22.2), MICE, lambda r: r.fits["threshold"].mean()),
        ("psychometric bias, absolute (% contrast)", (0, 6.0), MICE, lambda r: r.fits["bias"].abs().mean()),
        ("slow drift of the bias, variance (logits²)", (0.013, 0.219), FOUR, rec.slow_bias),
        ("lapse rate on the left", (0.005, 0.195), MICE, lambda r: r.fits["lapse_low"].mean()),
        ("lapse rate on the right", (0.007, 0.194), MICE, lambda r: r.fits["lapse_high"].mean()),
        (
            "bias, block of the left − of the right (% contrast)",
            (3.6, 10.7),
            FOUR,
            lambda r: r.block_fits.loc[0.8, "bias"] - r.block_fits.loc[0.2, "bias"],
        ),
        *(
            (f"threshold, {block} (% contrast)", real, FOUR, lambda r, p=p: r.block_fits.loc[p, "threshold"])
            for p, block, real in (
                (0.5, "first block", (4.2, 9.4)),
                (0.2, "block of the right", (10.4, 18.4)),
                (0.8, "block of the left", (8.9, 23.5)),
            )
        ),
        *(
            (
                f"latency at {100 * c:g} % contrast, median (s)",
                about(real),
                NYU,
                lambda r, c=c: rec.latency(r)[rec.contrast(r) == c].median(),
            )
            for c, real in zip(CONTRASTS, (0.81, 0.51, 0.21, 0.15, 0.13), strict=True)
        ),
        (
            "latency < 80 ms, of first movements",
            (0.184, 0.228),
            f"{NYU}; {PAPER}",
            lambda r: (rec.latency(r).dropna() < 0.08).mean(),
        ),
        ("first movement before the stimulus", about(0.12), NYU, lambda r: (rec.latency(r) < 0).mean()),
        ("latency > 2 s", (0.096, 0.224), f"{NYU}; {RELEASE}", lambda r: (rec.latency(r) > 2).mean()),
        (
            "trials kept by the Brain Wide Map's rule",
            about(0.655),
            SITE,
            lambda r: bwm.trials.bwm_mask(r.trials).mean(),
        ),
        ("trials without a choice", (0, 0.016), "several sessions", lambda r: (r.trials["choice"] == 0).mean()),
        *(
            (
                f"response − first movement at {100 * c:g} %, median (s)",
                about(real),
                NYU,
                lambda r, c=c: rec.delay(r, "firstMovement_times", "response_times")[rec.contrast(r) == c].median(),
            )
            for c, real in ((0, 0.42), (1, 0.23))
        ),
        (
            "correct, last fifth − first fifth of a session",
            (-0.18, 0),
            f"{NYU}, at most",
            lambda r: rec.part(rec.correct(r), 4).mean() - rec.part(rec.correct(r), 0).mean(),
        ),
        (
            "median latency, last fifth / first fifth",
            (1, 28),
            f"{NYU}, at most",
            lambda r: rec.part(rec.latency(r), 4).median() / rec.part(rec.latency(r), 0).median(),
        ),
        ("learning rate of an action kernel", (0.05, 0.38), "25 sessions, p5 to p95", None, FIT),
        ("dwell time of a GLM-HMM's states, median (trials)", (10, 10), "40 sessions", None, FIT),
    ],
    "Wheel": [
        ("step from sample to sample, median (mrad)", (1.53, 1.54), ENCODER, lambda r: rec.step_and_interval(r)[0]),
        (
            "from sample to sample, median (ms)",
            (0.8, 2.4),
            f"{WHEEL}, 2 ms for steps twice as large",
            lambda r: rec.step_and_interval(r)[1],
        ),
        ("time moving", (0.12, 0.36), f"{WHEEL}; others", lambda r: r.movements["duration"].sum() / r.wheel_seconds),
        ("movements a minute", (4, 21.5), f"{WHEEL}; others", lambda r: 60 * len(r.movements) / r.wheel_seconds),
        *percentiles(
            "duration of a movement, {} (s)", lambda r: r.movements["duration"], WHEEL, {5: 0.10, 50: 0.47, 95: 3.2}
        ),
        *percentiles("speed, {} (rad/s)", lambda r: r.speed, WHEEL, {50: 0.014, 95: 1.8, 99: 3.0}),
        *percentiles("peak amplitude, {} (rad)", lambda r: r.movements["amplitude"], WHEEL, {50: 0.17, 95: 1.3}),
    ],
    "Units and spikes": [
        *percentiles(
            "firing rate of good units, {} (Hz)",
            lambda r: r.good["firing_rate"],
            SORTED,
            {50: 2.6, 75: 6.7, 95: 21.8},
        ),
        *(
            (f"median rate of good units, {area} (Hz)", real, AREA, partial(rec.area_rate, area=area))
            for area, real in {
                "Isocortex": (0.84, 7.2),
                "OLF": (0.61, 2.5),
                "HPF": (0.92, 5.6),
                "CNU": (0.44, 4.2),
                "TH": (3.4, 16.8),
                "MB": (2.1, 24.9),
            }.items()
        ),
        *percentiles(
            "amplitude of good units, {} (µV)",
            lambda r: 1e6 * r.good["amp_median"],
            SORTED,
            {5: 63, 25: 92, 50: 127, 75: 180, 95: 315},
        ),
        *percentiles(
            "trough to peak of good units, {} (ms)",
            lambda r: r.good["peakToTrough"],
            WAVEFORMS,
            {5: 0.23, 25: 0.47, 50: 0.53, 75: 0.60, 95: 0.83},
        ),
        (
            "good units with trough to peak < 0.4 ms",
            about(0.13),
            WAVEFORMS,
            lambda r: (r.good["peakToTrough"].dropna() < 0.4).mean(),
        ),
        ("CV of intervals between spikes", (1.39, 1.7), PROBE, lambda r: r.variability["cv"].mean()),
        ("Fano factor of counts in 1 s", (2.3, 3.3), PROBE, lambda r: r.variability["fano"].mean()),
        ("correlation of pairs, 100 ms, mean", (0.025, 0.039), PROBE, lambda r: r.variability["correlation"].mean()),
        ("correlation of pairs, 100 ms, SD", about(0.11), PROBE, lambda r: r.variability["spread"].mean()),
        ("intervals < 1.5 ms, good units", (0, 0.001), PROBE, lambda r: r.good["short_isi"].mean()),
        (
            "intervals < 1.5 ms, units that fail for them",
            (0.005, 0.02),
            f"{PROBE}: about 1 %",
            lambda r: r.units["short_isi"][r.units["max_confidence"] < 90].mean(),
        ),
        ("lowest unit (µm from the tip)", (20, 3840), SORTED, lambda r: r.units["depths"].min()),
        ("highest unit (µm from the tip)", (20, 3840), SORTED, lambda r: r.units["depths"].max()),
        ("regions along a probe, median (Beryl)", (2, 8), PROBES, rec.regions_per_probe),
        ("dead or noisy channels", about(0.0153), CHANNELS, lambda r: rec.channels_labelled(r, 1, 2)),
        (
            "channels outside the brain",
            (0.0094, 0.0094),
            CHANNELS,
            lambda r: rec.channels_labelled(r, 3),
            "one probe's place",
        ),
        (
            "firing rate of good units, p5 (Hz)",
            (0.11, 0.11),
            SORTED,
            lambda r: r.good["firing_rate"].quantile(0.05),
            SLOW,
        ),
        (
            "firing rate of good units, p25 (Hz)",
            (0.7, 0.7),
            SORTED,
            lambda r: r.good["firing_rate"].quantile(0.25),
            SLOW,
        ),
        ("units a probe", (889, 889), RELEASE, lambda r: len(r.units) / len(r.insertions), EXTENSIVE),
        ("good units a probe", (23, 290), SORTED, lambda r: len(r.good) / len(r.insertions), EXTENSIVE),
        (
            "spikes a probe (millions)",
            (20, 20),
            "a real hour",
            lambda r: np.mean([len(insertion.spikes.times) for insertion in r.insertions]) / 1e6,
            EXTENSIVE,
        ),
        ("units that are good", (0.122, 0.122), RELEASE, lambda r: (r.units["label"] == 1).mean(), GOOD),
        (
            "units that pass the refractory period",
            (0.176, 0.176),
            SORTED,
            lambda r: (r.units["max_confidence"] >= 90).mean(),
            GOOD,
        ),
        (
            "units that pass the noise cutoff",
            (0.243, 0.243),
            SORTED,
            lambda r: (r.units["noise_cutoff"] < 5).mean(),
            GOOD,
        ),
        (
            "units that pass the amplitude",
            (0.636, 0.636),
            SORTED,
            lambda r: (r.units["amp_median"] > 50e-6).mean(),
            GOOD,
        ),
        ("amplitude of all units, median (µV)", (62, 62), SORTED, lambda r: 1e6 * r.units["amp_median"].median(), GOOD),
        ("drift (µm, rms)", (0.62, 5.9), "probes, p25 to p95", None, RAW),
        ("AP noise (µV)", (8, 20), f"{CHANNELS}, p5 to p95", None, RAW),
        ("variance of a unit's rate explained by an encoding model", (0.05, 0.05), "3,860 units", None, FIT),
        (
            "units that tell the sides of a replayed stimulus, and prefer the other",
            (0.6, 1),
            CROSSED,
            rec.contralateral,
        ),
        ("probes outside the hindbrain that lie on the left", (1, 1), PAPER, rec.left_side),
        ("units that respond to the stimulus", (0.004, 0.004), PAPER, None, TEACHING),
        ("units that respond to the choice", (0.044, 0.044), PAPER, None, TEACHING),
        ("units that respond to feedback", (0.166, 0.166), PAPER, None, TEACHING),
    ],
    "Video": [
        *(
            (f"frame rate, {camera} camera (Hz)", real, QC, partial(rec.frame_rate, camera=camera))
            for camera, real in {"left": (59.7, 61.0), "right": (150.0, 151.0), "body": (29.6, 30.3)}.items()
        ),
        *(
            (f"dropped frames, {camera} camera", real, QC, partial(rec.dropped_frames, camera=camera))
            for camera, real in {"left": (0, 2), "right": (2, 46), "body": (0, 0)}.items()
        ),
        ("likelihood of the paws, mean", about(0.997, most=1), EKS, lambda r: rec.paw_likelihood(r).mean()),
        ("likelihood of the paws > 0.9", about(0.99, most=1), EKS, lambda r: (rec.paw_likelihood(r) > 0.9).mean()),
        ("pupil diameter, signal over noise, left camera", (0.75, 32.1), QC, rec.pupil_snr),
        ("licks in a bout (Hz)", (6, 8), "after rewards", rec.lick_rate),
        (
            "20 ms steps with licks, last second before the stimulus",
            about(0.077),
            NYU,
            partial(rec.licking, start=-1, stop=0),
        ),
        (
            "20 ms steps with licks, .1 to .6 s after a reward",
            about(0.6),
            NYU,
            partial(rec.licking, start=0.1, stop=0.6, after_reward=True),
        ),
        (
            "length of the recording (minutes)",
            (46, 111),
            f"{VIDEOS}, p5 to p95",
            lambda r: np.mean([d.sum() for d in rec.frame_intervals(r, "left")]) / 60,
            EXTENSIVE,
        ),
        ("paw speed, median (px a frame)", (0.5, 0.5), EKS, None, "px of another picture size"),
        ("pupil, autocorrelation falls to 1/e (s)", (0.3, 0.3), EKS, None, "not said of which trace"),
    ],
}

ROWS = [Row(group, name, *real, *rest) for group, rows in _ROWS.items() for name, real, *rest in rows]
OUTSIDE = ("below", "above", "no number")


def measure(row: Row, found: Recordings) -> tuple[float, str]:
    """What a row measures, and the verdict.

    Returns
    -------
    value : float
        NaN if the recordings hold no number.
    verdict : str
        ``'yes'`` (it lies in the real range), ``'below'``, ``'above'``, ``'no number'`` (the data are there, all NaN),
        ``'not in the sample'`` (they are not), or, of a row that is not tested, why.
    """
    try:
        value = float(row.measure(found)) if row.measure else np.nan
    except MissingDataset:
        return np.nan, row.why or "not in the sample"
    if row.why:
        return value, row.why
    if np.isnan(value):
        return value, "no number"
    return value, "below" if value < row.low else "above" if value > row.high else "yes"


def results(found: Recordings) -> pd.DataFrame:
    """All rows measured: ``group``, ``statistic``, ``synthetic``, ``low``, ``high``, ``within``, ``source``."""
    table = pd.DataFrame(ROWS, columns=Row._fields).drop(columns=["measure", "why"])
    values, verdicts = zip(*(measure(row, found) for row in ROWS), strict=True)
    table.insert(3, "synthetic", values)
    table.insert(6, "within", verdicts)
    return table


def summary(table: pd.DataFrame) -> str:
    outside, within = table["within"].isin(OUTSIDE).sum(), table["within"].eq("yes").sum()
    return f"{within} of {within + outside} tested statistics lie in the real range."


def as_text(table: pd.DataFrame) -> str:
    """The table for a terminal, what lies outside the real range first."""
    first = table["within"].isin(OUTSIDE)
    lines = [
        f"{row.group:.5}  {row.statistic:58}{_number(row.synthetic):>9}   {_range(row.low, row.high):18}{row.within}"
        for row in pd.concat([table[first], table[~first]]).itertuples()
    ]
    return "\n".join([*lines, summary(table)])


def as_markdown(table: pd.DataFrame) -> str:
    """The table for a page, a part for each group."""
    head = "| statistic | synthetic sample | real | in range | from |\n|---|---:|---:|---|---|"
    parts = []
    for group, rows in table.groupby("group", sort=False):
        values = rows["synthetic"].map(_number), map(_range, rows["low"], rows["high"])
        cells = zip(rows["statistic"], *values, rows["within"], rows["source"], strict=True)
        parts.append("\n".join([f"**{group}**\n", head, *(f"| {' | '.join(row)} |" for row in cells)]))
    return "\n\n".join(parts)


def _number(value: float) -> str:
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return "–" if np.isnan(value) else digits.replace("-", "−")


def _range(low: float, high: float) -> str:
    return _number(low) if low == high else f"{_number(low)} … {_number(high)}"


def write_readme(table: pd.DataFrame, readme: Path) -> None:
    """Put the table between its two markers."""
    text = readme.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    found = f"{summary(table)}\n\n<details><summary>All statistics</summary>\n\n{as_markdown(table)}\n\n</details>\n"
    readme.write_text(f"{before}{BEGIN}\n{found}{after}", encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Hold the synthetic sample against real sessions.")
    parser.add_argument("--table", nargs="?", const="sample", metavar="ONE", help="only print the table")
    only = parser.parse_args(arguments).table
    source = only or "sample"
    found = rec.recordings(bwm.connect(source), more_hours=rec.MORE_HOURS if source == "sample" else 0)
    table = results(found)
    print(as_text(table))
    if only:
        return
    write_readme(table, README)
    folder = rec.real_folder()
    if not folder.is_dir():
        print(f"The picture was not drawn again: no real recordings in {folder} (set BWM_REAL_DATA).")
        return
    import calibration_picture

    calibration_picture.save(calibration_picture.draw(found, rec.real_recordings(folder)), PICTURE)
    print(f"{README} and {PICTURE} are written.")


if __name__ == "__main__":
    main()
