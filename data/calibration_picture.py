"""The picture of `calibrate`: in each panel a statistic of real recordings and of the synthetic sample."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import recordings as rec
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from recordings import NYU, PROBE, SORTED, SWC, WAVEFORMS, WHEEL, Recordings

import bwm_tutorials as bwm
from bwm_tutorials.plots.style import BLUE, GREY, ORANGE

REAL, SYNTHETIC = {"color": BLUE, "zorder": 2}, {"color": ORANGE, "zorder": 3}
PERCENT = [0, 6.25, 12.5, 25, 100]


def draw(synthetic: Recordings, real: dict[str, Recordings]) -> Figure:
    """Draw sixteen panels.

    Parameters
    ----------
    synthetic : Recordings
    real : dict of str to Recordings
        As `recordings.real_recordings` gives them.
    """
    bwm.plots.stamp(synthetic.sessions[0], *real[NYU].sessions, *real[SWC].sessions)
    four = Recordings([*real[NYU].sessions, *real[SWC].sessions])
    panels: list[tuple[str, str, Recordings, Callable]] = [
        ("Psychometric curves by block", "NYU-11, SWC_054", four, _psychometric),
        ("Latency by contrast", "NYU-11", real[NYU], _chronometric),
        ("Latency of the first movement", "NYU-11", real[NYU], _latency),
        ("A session's course", "NYU-11", real[NYU], _course),
        ("Blocks after the first", "NYU-11, SWC_054", four, _blocks),
        ("Length of a trial", "NYU-11", real[NYU], _trial_length),
        ("Speed of the wheel", "180 s of a wheel", real[WHEEL], _speed),
        ("Firing rate of good units", "87 probes", real[SORTED], _rate),
        ("Amplitude of good units", "87 probes", real[SORTED], _amplitude),
        ("Waveform of good units", "1,592 units", real[WAVEFORMS], _width),
        ("Intervals between spikes", "120 s of a probe", real[PROBE], _intervals),
        ("Quality label of all units", "87 probes", real[SORTED], _labels),
        ("Licking around the stimulus", "NYU-11", real[NYU], _licking),
        ("Steps of a paw", "NYU-11", real[NYU], partial(_steps, trace="paw")),
        ("Steps of the nose", "NYU-11", real[NYU], partial(_steps, trace="nose")),
        ("Motion energy of the whiskers", "NYU-11", real[NYU], _energy),
    ]
    figure, axes = plt.subplots(4, 4, figsize=(11, 10.6))
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.06)
    for letter, ax, (title, source, recordings, panel) in zip("abcdefghijklmnop", axes.flat, panels, strict=True):
        ax.set_title(f"{letter}  {title}", loc="left", fontsize=10, fontweight="bold", pad=16)
        ax.text(0, 1.03, f"real: {source}", transform=ax.transAxes, fontsize=8, color=GREY)
        panel(ax, recordings, synthetic)
    handles = [Line2D([], [], lw=3, **style) for style in (REAL, SYNTHETIC)]
    figure.legend(handles, ["real recordings", "synthetic sample"], loc="outside upper left", ncols=2, fontsize=11)
    return figure


def save(figure: Figure, file: Path) -> None:
    """Save a figure as a small PNG, of 64 colours."""
    content = io.BytesIO()
    figure.savefig(content, bbox_inches="tight")
    file.parent.mkdir(exist_ok=True)
    Image.open(content).convert("RGB").quantize(64).save(file, optimize=True)


def _both(real: Recordings, synthetic: Recordings) -> list[tuple[Recordings, dict]]:
    return [(real, REAL), (synthetic, SYNTHETIC)]


def _distribution(
    ax: plt.Axes,
    real: Recordings,
    synthetic: Recordings,
    values: Callable[[Recordings], np.ndarray],
    bins: np.ndarray,
    label: str,
    ylabel: str,
) -> None:
    """The share of values in each bin, the outermost bins holding what lies beyond them."""
    for recordings, style in _both(real, synthetic):
        found = pd.Series(values(recordings)).dropna().clip(bins[0], np.nextafter(bins[-1], bins[0]))
        if found.empty:
            ax.text(
                0.97, 0.9, "not in the sample", ha="right", transform=ax.transAxes, fontsize=8, color=style["color"]
            )
            continue
        share = np.histogram(found, bins)[0] / len(found)
        ax.stairs(share, bins, fill=style is REAL, alpha=0.25 if style is REAL else 1, **style, lw=1.6)
        if style is REAL:
            ax.stairs(share, bins, **style, lw=1.2)
    logarithmic = not np.allclose(np.diff(bins), bins[1] - bins[0])
    ax.set(xscale="log" if logarithmic else "linear", xlabel=label, ylabel=ylabel, xlim=(bins[0], bins[-1]))
    ax.yaxis.set_major_formatter(_percent)


def _percent(share: float, _: object) -> str:
    return f"{100 * share:g}"


def _licking(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    for recordings, style in _both(real, synthetic):
        ax.plot(rec.AROUND + 0.01, recordings.around_stimulus["licking"].mean(axis=0), lw=1.6, **style)
    ax.set(xlabel="time from the stimulus (s)", ylabel="trials (%)", ylim=(0, None))
    ax.yaxis.set_major_formatter(_percent)


def _steps(ax: plt.Axes, real: Recordings, synthetic: Recordings, trace: str) -> None:
    bins = np.geomspace(0.1, 200, 25)
    _distribution(ax, real, synthetic, partial(_moved, trace=trace), bins, "px in 20 ms (left video)", "steps (%)")


def _moved(recordings: Recordings, trace: str) -> np.ndarray:
    return np.abs(np.diff(recordings.around_stimulus[trace], axis=1)).ravel()


def _energy(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    bins = np.geomspace(0.2, 20, 25)
    label = "mean grey-level change"
    _distribution(ax, real, synthetic, lambda r: r.around_stimulus["energy"].ravel(), bins, label, "frames (%)")


def _psychometric(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    places = pd.Series(range(9), index=[-100, -25, -12.5, -6.25, 0, 6.25, 12.5, 25, 100])
    for recordings, style in _both(real, synthetic):
        for p_left, marker, line in ((0.2, "o", "-"), (0.8, "s", "--")):
            curve = bwm.trials.psychometric(recordings.trials[recordings.trials["probabilityLeft"] == p_left])
            error = np.array([curve["p_right"] - curve["low"], curve["high"] - curve["p_right"]])
            face = style["color"] if p_left == 0.2 else "white"
            look = {"fmt": marker + line, "ms": 4, "lw": 1.4, "elinewidth": 0.8, "mfc": face}
            ax.errorbar(places[curve.index], curve["p_right"], error, **look, **style)
    solid = Line2D([], [], color="k", ls="-", marker="o", ms=4)
    dashed = Line2D([], [], color="k", ls="--", marker="s", ms=4, mfc="white")
    ax.legend([solid, dashed], ["right", "left"], title="likely side", fontsize=8, title_fontsize=8, loc="upper left")
    ax.set_xticks(places, ["−100", "", "−12.5", "", "0", "", "12.5", "", "100"])
    ax.set(xlabel="signed contrast (%)", ylabel="reports right (%)", ylim=(0, 1.02))
    ax.yaxis.set_major_formatter(_percent)


def _chronometric(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    for shift, (recordings, style) in zip((-0.08, 0.08), _both(real, synthetic), strict=True):
        quartiles = rec.latency(recordings).groupby(rec.contrast(recordings)).quantile([0.25, 0.5, 0.75]).unstack()
        error = np.abs(quartiles[[0.25, 0.75]].sub(quartiles[0.5], axis=0)).T
        ax.errorbar(np.arange(len(quartiles)) + shift, quartiles[0.5], error, fmt="o-", ms=5, lw=1.4, **style)
    ax.set_xticks(range(len(PERCENT)), [f"{contrast:g}" for contrast in PERCENT])
    ax.set(xlabel="contrast (%)", ylabel="median, quartiles (s)", ylim=(0, None))


def _latency(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    bins = np.arange(-0.25, 2.01, 0.05)
    label = "latency (s; last bar: more)"
    _distribution(ax, real, synthetic, rec.latency, bins, label, "trials (%)")


def _course(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    for recordings, style in _both(real, synthetic):
        values = rec.latency(recordings)
        tenths = [rec.part(values, number, 10).median() for number in range(10)]
        ax.plot(np.arange(10) * 10 + 5, tenths, "o-", ms=4, lw=1.4, **style)
    ax.set(xlabel="part of the session (%)", ylabel="median latency (s)", yscale="log", xlim=(0, 100))
    ax.yaxis.set_major_formatter("{x:g}")


def _blocks(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    _distribution(ax, real, synthetic, rec.later_blocks, np.arange(20, 101, 10), "length (trials)", "blocks (%)")


def _trial_length(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    def seconds(r: Recordings) -> pd.Series:
        return rec.delay(r, "intervals_0", "intervals_1")

    _distribution(ax, real, synthetic, seconds, np.geomspace(2, 70, 26), "duration (s)", "trials (%)")
    ax.set_xticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
    ax.xaxis.set_minor_formatter("")


def _speed(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    _distribution(ax, real, synthetic, lambda r: r.speed, np.geomspace(1e-4, 10, 31), "speed (rad/s)", "time (%)")


def _rate(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    bins = np.geomspace(0.01, 100, 25)
    _distribution(ax, real, synthetic, lambda r: r.good["firing_rate"], bins, "firing rate (Hz)", "units (%)")


def _amplitude(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    bins = np.geomspace(50, 600, 21)
    _distribution(ax, real, synthetic, lambda r: 1e6 * r.good["amp_median"], bins, "amplitude (µV)", "units (%)")
    ax.set_xticks([50, 100, 200, 400], ["50", "100", "200", "400"])
    ax.xaxis.set_minor_formatter("")


def _width(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    bins = np.arange(0, 1.21, 0.1) + 1 / 60  # between samples at 30 kHz
    _distribution(ax, real, synthetic, lambda r: r.good["peakToTrough"], bins, "trough to peak (ms)", "units (%)")


def _intervals(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    def milliseconds(r: Recordings) -> np.ndarray:
        trains = (times for insertion in r.insertions for _, times in rec.spike_trains(insertion.spikes))
        return 1e3 * np.concatenate([np.diff(times) for times in trains])

    _distribution(ax, real, synthetic, milliseconds, np.geomspace(1, 1e4, 33), "interval (ms)", "intervals (%)")


def _labels(ax: plt.Axes, real: Recordings, synthetic: Recordings) -> None:
    for shift, (recordings, style) in zip((-0.2, 0.2), _both(real, synthetic), strict=True):
        share = (3 * recordings.units["label"]).round().value_counts(normalize=True).reindex(range(4), fill_value=0)
        ax.bar(np.arange(4) + shift, share, width=0.38, **style)
    ax.set_xticks(range(4), ["0", "⅓", "⅔", "1"])
    ax.set(xlabel="label (1 is good)", ylabel="units (%)")
    ax.yaxis.set_major_formatter(_percent)
