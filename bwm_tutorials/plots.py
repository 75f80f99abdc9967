"""Figures: each draws a result that it is given, prints a sentence about it, and returns the figure.

The sentence is computed from what is drawn, and stands in for the figure where it cannot be seen. Colours can
be told apart by colour-blind readers and read as text on white.
"""

import textwrap
from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from . import trials as trials_
from .session import Session
from .wheel import THRESHOLD

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#008060", "#AA3377", "#707070"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
STYLE = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "figure.hooks": ["bwm_tutorials.plots:_sign"],
}
plt.rcParams.update(STYLE)


class Event(NamedTuple):
    """How an event of a trial is drawn: its label, colour, and how high the label stands."""

    label: str
    colour: str
    height: float


EVENTS = {
    "firstMovement_times": Event("first movement", PURPLE, 1.42),
    "feedback_times": Event("feedback", GREEN, 1.05),
}
_signature = "not stamped: bwm.plots.stamp(session) says what this is"


def stamp(*sessions: Session) -> None:
    """Write on every later figure of this notebook which recordings it shows, and whether they are synthetic.

    Parameters
    ----------
    *sessions : Session
        One, or several when a figure shows several.
    """
    global _signature
    _signature = "  |  ".join(dict.fromkeys(_label(session) for session in sessions))
    plt.rcParams.update(STYLE)  # again: a style that was chosen since may have taken the signature away


def _label(session: Session) -> str:
    return f"synthetic sample · seed {session.seed}" if session.synthetic else f"REAL · {session.name}"


def _sign(figure: Figure) -> None:
    """Sign a new figure with the stamp; matplotlib calls this for each (rcParams ``figure.hooks``)."""
    figure.text(1, 0, _signature, ha="right", va="top", fontsize=8, color=GREY, gid="stamp")


def one_trial(
    trial: pd.Series,
    wheel: Mapping | None = None,
    licks: np.ndarray | None = None,
    spikes: Mapping | None = None,
    clusters: pd.DataFrame | None = None,
) -> Figure:
    """One trial on one clock: the stimulus, the wheel, the licks, and the spikes of a probe.

    Parameters
    ----------
    trial : Series
        A row of the trials table.
    wheel : mapping, optional
        ``timestamps`` (s) and ``position`` (rad).
    licks : ndarray, optional
        Times (s).
    spikes : mapping, optional
        ``times`` (s, sorted) and ``depths`` (µm from the tip).
    clusters : DataFrame, optional
        ``depths`` and ``acronym``, to name the regions beside the spikes.

    Returns
    -------
    Figure
        A panel for each thing that is given; time is seconds from the stimulus.

    Raises
    ------
    ValueError
        The trial has no stimulus time (NaN).
    """
    zero = trial["stimOn_times"]
    if np.isnan(zero):
        raise ValueError("The stimulus of this trial has no time (stimOn_times is NaN): take another trial.")
    events = {name: trial[name] - zero for name in EVENTS if pd.notna(trial.get(name))}
    end = events.get("feedback_times", trial["response_times"] - zero) + 0.8
    start = max(trial.get("intervals_0", zero - 1) - zero, -1.0)
    panels = {"stimulus": 0.5, "wheel": 1.2, "licks": 0.4, "spikes": 2.6}
    given = {"stimulus": trial, "wheel": wheel, "licks": licks, "spikes": spikes}
    panels = {name: height for name, height in panels.items() if given[name] is not None}
    fig, axes = plt.subplots(
        len(panels),
        figsize=(8, 0.7 + 1.15 * sum(panels.values())),
        sharex=True,
        squeeze=False,
        height_ratios=list(panels.values()),
    )
    axis = dict(zip(panels, axes[:, 0], strict=True))
    words = [_draw_stimulus(axis["stimulus"], trial, zero, end)]
    if wheel is not None:
        words.append(_draw_wheel(axis["wheel"], wheel, zero, start, end, trial["response_times"] - zero))
    if licks is not None:
        words.append(_draw_licks(axis["licks"], licks, zero, start, end))
    if spikes is not None:
        words.append(_draw_raster(axis["spikes"], spikes, clusters, zero, start, end))
    for ax in axis.values():
        ax.axvline(0, color="k", lw=1)
        for name, time in events.items():
            ax.axvline(time, color=EVENTS[name].colour, lw=1.2)
    for name, time in events.items():
        axis["stimulus"].text(time, EVENTS[name].height, EVENTS[name].label, color=EVENTS[name].colour, fontsize=9)
    axis["stimulus"].text(0, 1.05, "stimulus ", ha="right", fontsize=9)
    axes[-1, 0].set(xlim=(start, end), xlabel="time from stimulus onset (s)")
    _say(" ".join(words))
    return fig


def psychometric(curves: Mapping[str, pd.DataFrame], fit: bool = True) -> Figure:
    """Psychometric curves: how often the mouse reported right, against the signed contrast.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Label → table, as `trials.psychometric` gives it; four at most. Error bars are its limits. A table without
        trials is named and not drawn.
    fit : bool
        Draw the fitted curve (`trials.fit_psychometric`) where there are contrasts enough, else join the points.
    """
    if isinstance(curves, pd.DataFrame):
        raise TypeError("Give the curves with their names, in a dictionary: psychometric({'my mouse': curve}).")
    if len(curves) > len(COLOURS):
        raise ValueError(f"{len(curves)} curves cannot be told apart in one figure: draw {len(COLOURS)} at most.")
    fig, ax = plt.subplots(figsize=(6.5, 4))
    ax.axhline(0.5, color=GREY, lw=0.7)
    ax.axvline(0, color=GREY, lw=0.7)
    fine = np.linspace(-100, 100, 401)
    for (label, table), colour, marker in zip(curves.items(), COLOURS, "osD^", strict=False):
        _say(f"{label}: {_describe_psychometric(table)}")
        if table.empty:
            continue
        limits = np.array([table["p_right"] - table["low"], table["high"] - table["p_right"]])
        ax.errorbar(table.index, table["p_right"], limits, fmt="none", color=colour, lw=1, alpha=0.5)
        ax.plot(table.index, table["p_right"], marker, color=colour, ms=5, label=label)
        if fit and len(table) >= 4:
            ax.plot(fine, trials_.psychometric_curve(trials_.fit_psychometric(table), fine), color=colour)
        else:
            ax.plot(table.index, table["p_right"], color=colour)
    ax.set(xlabel="signed contrast (%): left −, right +", ylabel="P(report right)", ylim=(-0.03, 1.03))
    ax.set_xticks([-100, -50, -25, 0, 25, 50, 100])
    ax.legend(loc="upper left")
    return fig


def probe(channels: pd.DataFrame, clusters: pd.DataFrame) -> Figure:
    """A probe in the brain: the region of each channel, and each unit at its depth, by its firing rate.

    Parameters
    ----------
    channels : DataFrame
        ``axial_um`` (from the tip) and ``acronym``, as `Insertion.channels` gives them.
    clusters : DataFrame
        ``depths`` (µm from the tip), ``firing_rate`` (Hz) and ``label``, as `Insertion.clusters` gives them.
    """
    fig, ax = plt.subplots(figsize=(7, 5))
    runs = (channels["acronym"] != channels["acronym"].shift()).cumsum()
    regions = channels.groupby(runs).agg({"acronym": "first", "axial_um": ["min", "max"]})
    for index, (acronym, low, high) in enumerate(regions.itertuples(index=False)):
        ax.axhspan(low - 10, high + 10, color=BLUE, alpha=0.12 if index % 2 else 0.03, lw=0)
        if high - low > 60:  # µm: a label in less would run into its neighbours
            ax.text(1.01, (low + high) / 2, acronym, va="center", fontsize=8, transform=ax.get_yaxis_transform())
    good = clusters["label"] == 1
    for units, marker, face, label in ((~good, "o", "none", "other units"), (good, "o", BLUE, "good units")):
        shown = clusters[units]
        ax.plot(shown["firing_rate"], shown["depths"], marker, color=BLUE, mfc=face, ms=5, lw=0, label=label)
    ax.set(xscale="log", xlabel="firing rate (Hz)", ylabel="depth from the tip (µm)", ylim=(0, None))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.09), ncols=2)
    names = ", ".join(dict.fromkeys(regions["acronym", "first"]))
    _say(f"{good.sum()} of {len(clusters)} units are good. From the tip upwards the probe runs through {names}.")
    return fig


def what_sessions_have(has: pd.DataFrame) -> Figure:
    """Which recordings have what: a square for each thing that each of them has.

    Parameters
    ----------
    has : DataFrame of bool
        One row for each thing, one column for each session, as `Session.available` tells them; NaN counts as no.
    """
    has = has.eq(True)
    n_things, n_sessions = has.shape
    fig, ax = plt.subplots(figsize=(1.8 + 0.5 * max(n_sessions, 6), 1.4 + 0.24 * n_things))
    for present, face in ((True, BLUE), (False, "none")):
        rows, columns = np.nonzero(has.to_numpy() == present)
        ax.plot(columns, rows, "s", color=BLUE if present else GREY, mfc=face, ms=8, mew=0 if present else 0.4)
    ax.set(xlim=(-0.6, n_sessions - 0.4), ylim=(n_things - 0.4, -0.6))
    ax.set_yticks(range(n_things), has.index, fontsize=9)
    ax.set_xticks(range(n_sessions), has.columns, rotation=50, ha="right", rotation_mode="anchor", fontsize=9)
    ax.set(xlabel="session (subject, date)", title="filled: the session has it")
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    counts = has.sum(axis=1)
    some = [f"{thing} ({n})" for thing, n in counts.items() if 0 < n < n_sessions]
    told = {f"All of these {n_sessions} have": counts.index[counts == n_sessions], "Some have": some}
    told["None has"] = counts.index[counts == 0]
    _say(" ".join(f"{who} {', '.join(things)}." for who, things in told.items() if len(things)))
    return fig


def download_prices(prices: pd.Series) -> Figure:
    """What each part of a session costs to download.

    Parameters
    ----------
    prices : Series
        MB, by the name of the part, for example the sum of the files of a `download_plan`. What the session lacks has
        0 and is named, not drawn.
    """
    shown, lacking = prices[prices > 0].sort_values(), prices.index[prices == 0]
    fig, ax = plt.subplots(figsize=(7, 1.3 + 0.27 * len(shown)))
    ax.plot(shown, range(len(shown)), "o", color=BLUE)
    for row, megabytes in enumerate(shown):
        ax.annotate(f"{megabytes:,.2g}" if megabytes < 10 else f"{megabytes:,.0f}", (megabytes, row), (8, -3.5),
                    textcoords="offset points", fontsize=9)  # fmt: skip
    ax.set(xscale="log", xlabel="to download (MB; each line is ten times the one before)")
    ax.set_yticks(range(len(shown)), shown.index)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(axis="x", color=GREY, alpha=0.3, lw=0.6)
    ax.margins(x=0.12)
    words = [f"The session has no {', '.join(lacking)}."] if len(lacking) else []
    if len(shown) > 1:
        (least, low), *_, (most, high) = shown.items()
        words.insert(0, f"From {low:.2g} MB for {least} to {high:,.3g} MB for {most}, {high / low:,.0f} times as much.")
    _say(" ".join(words) or f"{shown.sum():.2g} MB for {', '.join(shown.index)}.")
    return fig


def _say(text: str) -> None:
    """Print a sentence about a figure, in lines that fit a page."""
    print(textwrap.fill(text, 92))


def _describe_psychometric(table: pd.DataFrame) -> str:
    if table.empty:
        return "no trials."
    first, last = table.iloc[0], table.iloc[-1]
    ends = (
        f"reports right in {_percent(first['p_right'])} of {first['n_trials']:.0f} trials at {table.index[0]:+g} % "
        f"contrast and in {_percent(last['p_right'])} of {last['n_trials']:.0f} at {table.index[-1]:+g} %"
    ).replace("-", "−")
    follows = first["high"] < last["low"]
    verdict = "so it follows the stimulus" if follows else "no clear effect of the stimulus"
    if 0 in table.index:
        zero = table.loc[0]
        unlike = zero["low"] > 0.5 or zero["high"] < 0.5
        half = "more than half" if zero["low"] > 0.5 else "less than half" if unlike else "not told apart from half"
        verdict += f"; at 0 % contrast {_percent(zero['p_right'])} of {zero['n_trials']:.0f} are right, {half}"
    return f"{ends}, {verdict}."


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"


def _draw_stimulus(ax: plt.Axes, trial: pd.Series, zero: float, end: float) -> str:
    side = "right" if pd.notna(trial["contrastRight"]) else "left"
    contrast = trial["contrastRight"] if side == "right" else trial["contrastLeft"]
    off = trial.get("stimOff_times", np.nan) - zero
    ax.barh(0.5, min(off, end) if pd.notna(off) else end, height=0.6, color=str(0.85 - 0.5 * contrast))
    ax.text(0, 0.5, f"{100 * contrast:.4g} % contrast, {side} ", va="center", ha="right", fontsize=9)
    ax.set(ylim=(0, 1), yticks=[])
    ax.spines["left"].set_visible(False)
    outcome = {1: "was rewarded", -1: "was not rewarded"}[int(trial["feedbackType"])]
    report = {1: "reported left", -1: "reported right", 0: "made no choice"}[int(trial["choice"])]
    seconds = trial["response_times"] - zero
    shown = f"A stimulus of {100 * contrast:g} % contrast on the {side}"
    return f"{shown}: the mouse {report} after {seconds:.2f} s and {outcome}."


def _draw_wheel(ax: plt.Axes, wheel: Mapping, zero: float, start: float, end: float, response: float) -> str:
    grid = np.linspace(start, end, 1500)
    position = np.interp(grid + zero, wheel["timestamps"], wheel["position"])
    position -= np.interp(zero, wheel["timestamps"], wheel["position"])
    ax.plot(grid, position, color="k")
    for limit in (-THRESHOLD, THRESHOLD):
        ax.axhline(limit, color=GREY, lw=0.8, ls=":")
    ax.text(start, THRESHOLD, " reports right", color=GREY, fontsize=8, va="bottom")
    ax.text(start, -THRESHOLD, " reports left", color=GREY, fontsize=8, va="top")
    reach = 1.25 * max(np.abs(position).max(), THRESHOLD)
    ax.set(ylabel="wheel (rad)", ylim=(-reach, reach))
    turned = np.interp(response, grid, position)
    if abs(turned) < 0.9 * THRESHOLD:  # the encoder was set to zero at the go cue, a moment after the stimulus
        return "The wheel does not reach the threshold."
    turn = "counter-clockwise (position rises)" if turned > 0 else "clockwise (position falls)"
    return f"By then the wheel has turned {turn} by {abs(turned):.2f} rad."


def _draw_licks(ax: plt.Axes, licks: np.ndarray, zero: float, start: float, end: float) -> str:
    shown = licks[(licks >= zero + start) & (licks <= zero + end)] - zero
    ax.vlines(shown, 0, 1, color=BLUE, lw=1.2)
    ax.set(ylabel="licks", ylim=(0, 1), yticks=[])
    return f"The tongue moves in {shown.size or 'no'} frames of the videos."


def _draw_raster(
    ax: plt.Axes, spikes: Mapping, clusters: pd.DataFrame | None, zero: float, start: float, end: float
) -> str:
    first, last = np.searchsorted(spikes["times"], [zero + start, zero + end])
    times, depths = spikes["times"][first:last] - zero, spikes["depths"][first:last]
    ax.plot(times, depths, "|", color="k", ms=4.5, mew=0.8, rasterized=True)
    ax.set(ylabel="depth from the tip (µm)", ylim=(0, None))
    if clusters is not None:
        regions = clusters.groupby("acronym")["depths"].agg(["min", "max"]).sort_values("min")
        between = (regions["max"].to_numpy()[:-1] + regions["min"].to_numpy()[1:]) / 2
        borders = np.concatenate([[0], between, [regions["max"].iloc[-1]]])
        for index, acronym in enumerate(regions.index):
            ax.axhspan(borders[index], borders[index + 1], color=BLUE, alpha=0.12 if index % 2 else 0.03, lw=0)
            ax.text(end, borders[index : index + 2].mean(), f" {acronym}", va="center", fontsize=8)
    units = np.unique(spikes["clusters"][first:last]).size
    rate = times.size / (end - start)
    return f"{units} units fire {times.size} spikes in these {end - start:.1f} s ({rate:.0f} a second)."
