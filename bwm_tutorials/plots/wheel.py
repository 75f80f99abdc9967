"""The wheel, and how soon the mouse turns it."""

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from ..analysis.trials import EARLIEST, LATEST
from .style import BLUE, COLOURS, GREY, ORANGE, PURPLE, minus, need, percent, say, with_limits


def wheel_movements(
    wheel: Mapping,
    times: np.ndarray,
    position: np.ndarray,
    velocity: np.ndarray,
    intervals: np.ndarray,
    past: np.ndarray,
) -> Figure:
    """Encoder edges, the position between them, the velocity and the movements; and one onset from near by.

    Parameters
    ----------
    wheel : mapping
        ``timestamps`` (s) and ``position`` (rad) of the edges.
    times, position, velocity : ndarray, shape (n_times,)
        As `wheel.interpolate` and `wheel.velocity` give them (s, rad, rad/s).
    intervals : ndarray, shape (n_movements, 2)
        Onsets and offsets (s).
    past : ndarray, shape (n,)
        The velocity (rad/s) when nothing is known but the first ``n`` positions. Around their last is what is shown.
    """
    need(intervals, "movements")
    now = times[past.size - 1]
    zero = position[past.size - 1]
    fig, axes = plt.subplots(2, 2, figsize=(8.5, 4.4), sharex="col", width_ratios=[1.7, 1.2])
    for column, (start, stop), size in ((0, (now - 1, now + 3), 2), (1, (now - 0.1, now + 0.12), 4)):
        edge = slice(*np.searchsorted(wheel["timestamps"], (start, stop)))
        grid = slice(*np.searchsorted(times, (start, stop)))
        above, below = axes[:, column]
        above.plot(times[grid] - now, position[grid] - zero, color=GREY, lw=0.8)
        above.plot(wheel["timestamps"][edge] - now, wheel["position"][edge] - zero, "k.", ms=size)
        below.plot(times[grid] - now, velocity[grid], color=BLUE, lw=1.5, label="whole recording")
        for ax in (above, below):
            for first, last in intervals[(intervals[:, 1] > start) & (intervals[:, 0] < stop)]:
                ax.axvspan(max(first, start) - now, min(last, stop) - now, color=ORANGE, alpha=0.15, lw=0)
            ax.axhline(0, color=GREY, lw=0.5)
            ax.margins(x=0)
    known = slice(np.searchsorted(times, now - 0.1), past.size)
    below.plot(times[known] - now, past[known], color=ORANGE, lw=1.5, ls="--", label="cut at 0")
    below.legend(loc="upper left", fontsize=8)
    reach = 3 * max(np.abs(velocity[past.size - 1]), 1e-9)
    below.set(ylim=(-reach, reach))
    axes[0, 0].set(ylabel="position (rad)", title="dots: encoder edges; shaded: movements")
    axes[0, 1].set(title="one onset from near by")
    axes[1, 0].set(ylabel="filtered velocity (rad/s)")
    fig.supxlabel("time from the onset of a movement (s)", fontsize=10)
    with_future, without = velocity[past.size - 1], past[-1]
    part = "most" if np.abs(without) < 0.5 * np.abs(with_future) else "little"
    minutes = (times[-1] - times[0]) / 60
    say(
        f"{len(intervals)} movements, {len(intervals) / minutes:.0f} a minute. At this onset the "
        f"filtered velocity is {with_future:.2g} rad/s. With the recording cut there it is {without:.1g} rad/s: {part} "
        "of that came from the future."
    )
    return fig


def latencies(table: pd.DataFrame, curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Latencies of the same trials: how they are distributed, and how each depends on the contrast.

    Parameters
    ----------
    table : DataFrame
        One column for each latency (s), as `trials.latencies` gives them; three at most.
    curves : mapping of str to DataFrame
        For each latency that is to be drawn against contrast, `trials.chronometric` of it, unsigned.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.6), width_ratios=[1.2, 1])
    for (name, values), colour, style in zip(table.items(), COLOURS, ("-", (0, (2, 2)), "-"), strict=False):
        values = np.sort(values.dropna())
        left.step(values, np.arange(1, values.size + 1) / max(values.size, 1), color=colour, ls=style, label=name)
        medians = f"median {np.median(values):.3f} s" if values.size else "known in no trial"
        by_contrast = f"; by contrast {_ends(curves[name], 'median', _seconds)}" if name in curves else ""
        say(f"{name.capitalize()}: {medians}{by_contrast}.")
    left.axvspan(-1, EARLIEST, color=GREY, alpha=0.12, lw=0)
    left.axvline(0, color="k", lw=0.8)
    left.set(xlim=(-0.3, 3), ylim=(0, 1), xlabel="latency (s); shaded: before 80 ms", ylabel="fraction of trials")
    left.legend(loc="lower right", fontsize=9)
    colours = dict(zip(table, zip(COLOURS, "osD", strict=False), strict=False))
    levels = sorted(set().union(*(curve.index for curve in curves.values())))
    for name, curve in curves.items():
        (colour, marker), at = colours[name], [levels.index(level) for level in curve.index]
        with_limits(right, at, curve, "median", color=colour, fmt=f"{marker}-", ms=5, lw=1.2)
    right.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    right.set(yscale="log", xlabel="contrast (%), either side", ylabel="median latency (s)")
    right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_major_formatter("{x:g}")
    right.yaxis.set_minor_locator(NullLocator())
    return fig


def early_movements(latency: pd.Series, curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Latencies around the stimulus, and what holds of the trials of each latency.

    Parameters
    ----------
    latency : Series
        Seconds; its name says which latency it is.
    curves : mapping of str to DataFrame
        What holds → `trials.proportions` in bins of the latency (intervals, the same for all).
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.5), width_ratios=[1, 1.4])
    known = latency.dropna().to_numpy()
    need(known, f"trials whose time from {latency.name} is known")
    bins = np.arange(-0.4, 0.801, 0.02)
    for part, colour in ((known[known < EARLIEST], ORANGE), (known[known >= EARLIEST], BLUE)):
        left.hist(part, bins, color=colour)
    left.axvline(0, color="k", lw=0.8)
    left.set(xlabel=f"{latency.name} (s)", ylabel="trials in 20 ms", xlim=(-0.4, 0.8))
    rows = pd.concat(curves.values()).index.unique().sort_values()
    for (name, curve), colour, marker in zip(curves.items(), COLOURS, "os", strict=False):
        at = rows.get_indexer(curve.index)
        with_limits(right, at, curve, "p", color=colour, fmt=f"{marker}-", ms=5, lw=1, label=name)
    right.axhline(0.5, color=GREY, lw=0.7)
    n_early = sum(row.right <= EARLIEST for row in rows)
    if n_early:
        right.axvspan(-0.5, n_early - 0.5, color=ORANGE, alpha=0.15, lw=0)
    right.set_xticks(range(len(rows)), [_milliseconds(row) for row in rows], rotation=40, ha="right", fontsize=8)
    right.set(xlabel=f"{latency.name} (ms)", ylabel="fraction of trials", ylim=(-0.02, 1.02))
    right.legend(loc="lower right", fontsize=9)
    early, before, late = (percent(np.mean(part)) for part in (known < EARLIEST, known < 0, known > LATEST))
    say(f"{latency.name.capitalize()}: of {known.size}, {early} are below 80 ms, {before} below 0, {late} above 2 s.")
    for name, curve in curves.items():
        is_early = [row.right <= EARLIEST for row in curve.index]
        parts = {"below 80 ms": curve[is_early], "above": curve[np.logical_not(is_early)]}
        told = [f"{_pooled(part)} {which}" for which, part in parts.items() if len(part)]
        say(f"{name.capitalize()}: {', and '.join(told)}.")
    return fig


def changes_and_vigour(changes: pd.DataFrame, vigour: pd.DataFrame) -> Figure:
    """Changes of mind and the peak speed of the wheel, against contrast.

    Parameters
    ----------
    changes : DataFrame
        `trials.proportions` of the trials with a change of mind, by contrast (percent).
    vigour : DataFrame
        `trials.chronometric` of the peak speed (rad/s) in place of a latency, unsigned.
    """
    fig, axes = plt.subplots(1, 2, figsize=(7.5, 3.2))
    labels = ("trials with a change of mind", "median peak speed (rad/s)")
    for ax, table, value, label in zip(axes, (changes, vigour), ("p", "median"), labels, strict=True):
        with_limits(ax, range(len(table)), table, value, fmt="o-", color=PURPLE, ms=5, lw=1.2)
        ax.set_xticks(range(len(table)), [f"{level:g}" for level in table.index])
        ax.set(xlabel="contrast (%), either side", ylabel=label, ylim=(0, None))
    say(f"Changes of mind: {_ends(changes, 'p', percent)}.")
    say(f"Peak speed: {_ends(vigour, 'median', lambda speed: f'{speed:.1f} rad/s')}.")
    return fig


def wheel_traces(traces: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], seconds: float = 20) -> Figure:
    """Wheels of several recordings, one below the other.

    Parameters
    ----------
    traces : mapping of str to tuple
        Label → times (s), position (rad) and movements' intervals (s).
    seconds : float
        How much of each is shown, from where most of it is movement.
    """
    need([times for times, *_ in traces.values() if len(times)], "samples of a wheel")
    fig, axes = plt.subplots(len(traces), figsize=(8, 0.6 + 1.6 * len(traces)), sharex=True, squeeze=False)
    for ax, (label, (times, position, intervals)) in zip(axes[:, 0], traces.items(), strict=True):
        starts = np.arange(times[0], max(times[-1] - seconds, times[0] + 1e-9), seconds)
        within = [np.clip(intervals, start, start + seconds) for start in starts]
        start = starts[np.argmax([np.diff(part).sum() for part in within])]
        shown = slice(*np.searchsorted(times, (start, start + seconds)))
        ax.plot(times[shown] - start, position[shown] - position[shown][0], color="k", lw=0.9)
        for first, last in np.clip(intervals, start, start + seconds) - start:
            ax.axvspan(first, last, color=ORANGE, alpha=0.15, lw=0)
        ax.set(ylabel="wheel (rad)", xlim=(0, seconds))
        ax.set_title(label, loc="left")
        whole = times[-1] - times[0]
        part = f"the {seconds:g} s with most movement of {whole / 60:.0f} minutes"
        say(f"{label}: {part if whole > seconds else f'all {whole:.0f} s'}.")
    axes[-1, 0].set(xlabel="time (s); shaded: movements")
    return fig


def _seconds(latency: float) -> str:
    return f"{latency:.2f} s"


def _ends(table: pd.DataFrame, value: str, show: Callable[[float], str]) -> str:
    """The values at the weakest and at the strongest contrast, and if their limits tell them apart."""
    if len(table) < 2:
        return "there is too little to compare"
    first, last = table.iloc[0], table.iloc[-1]
    apart = first["high"] < last["low"] or last["high"] < first["low"]
    told = f"{show(first[value])} at {table.index[0]:g} % and {show(last[value])} at {table.index[-1]:g} %"
    return told + ("" if apart else ", which their limits do not tell apart")


def _pooled(curve: pd.DataFrame) -> str:
    """A fraction over several rows, and on which side of one half it is."""
    n, hits = curve["n_trials"].sum(), (curve["n_trials"] * curve["p"]).sum()
    error = 1.96 * np.sqrt(0.25 / n)
    side = "more than half" if hits / n > 0.5 + error else "less than half" if hits / n < 0.5 - error else ""
    return f"{percent(hits / n)} of {n:.0f} ({side or 'not told apart from half'})"


def _milliseconds(interval: pd.Interval) -> str:
    low, high = (minus(f"{1000 * edge:.0f}") for edge in (interval.left, interval.right))
    if np.isinf(interval.left):
        return f"< {high}"
    return f"> {low}" if np.isinf(interval.right) else f"{low}–{high}"
