"""One trial, with everything that was recorded in it."""

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.wheel import THRESHOLD, displacement
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, need, say


class Mark(NamedTuple):
    """How an event of a trial is drawn: its label, colour and line; where no legend names it, how high the label is."""

    label: str
    colour: str
    style: str = "-"
    height: float = 1.05


EVENTS = {"firstMovement_times": Mark("first movement", PURPLE, height=1.42), "feedback_times": Mark("feedback", GREEN)}
SHOWN = {"firstMovement_times": Mark("first movement", PURPLE, "--"), "response_times": Mark("response", ORANGE)}
REPORTS = {1: "reported left", -1: "reported right", 0: "made no choice"}


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
    zero = stimulus_time(trial)
    events = {name: trial[name] - zero for name in EVENTS if pd.notna(trial.get(name))}
    end = np.nanmax([0, events.get("feedback_times", np.nan), trial["response_times"] - zero]) + 0.8
    start = np.nanmax([trial.get("intervals_0", np.nan) - zero, -1.0])
    panels = {"stimulus": 0.5, "wheel": 1.2, "licks": 0.4, "spikes": 2.6}
    given = {"stimulus": trial, "wheel": wheel, "licks": licks, "spikes": spikes}
    panels = {name: height for name, height in panels.items() if given[name] is not None}
    heights = list(panels.values())
    size = (8, 0.7 + 1.15 * sum(heights))
    fig, axes = plt.subplots(len(panels), figsize=size, sharex=True, squeeze=False, height_ratios=heights)
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
    say(" ".join(words))
    return fig


def stimulus_time(trial: pd.Series) -> float:
    """When the stimulus of a trial came (s); ValueError where that is not known."""
    if np.isnan(trial["stimOn_times"]):
        raise ValueError("The stimulus of this trial has no time (stimOn_times is NaN): take another trial.")
    return trial["stimOn_times"]


def turned_since(wheel: Mapping, zero: float, grid: np.ndarray) -> np.ndarray:
    """How far the wheel has turned (rad) since a time (s), at seconds counted from it."""
    return displacement(wheel["timestamps"], wheel["position"], zero, grid + zero)


def _draw_stimulus(ax: plt.Axes, trial: pd.Series, zero: float, end: float) -> str:
    contrast, level, side = _stimulus(trial)
    off = trial.get("stimOff_times", np.nan) - zero
    ax.barh(0.5, min(off, end) if pd.notna(off) else end, height=0.6, color=str(0.85 - 0.5 * contrast))
    ax.text(0, 0.5, f"{level} contrast, {side} ", va="center", ha="right", fontsize=9)
    ax.set(ylim=(0, 1), yticks=[])
    ax.spines["left"].set_visible(False)
    seconds = trial["response_times"] - zero
    after = f" after {seconds:.2f} s" if pd.notna(seconds) else ""
    return f"A stimulus of {level} contrast on the {side}: the mouse {_report(trial)}{after} and was {_outcome(trial)}."


def _draw_wheel(ax: plt.Axes, wheel: Mapping, zero: float, start: float, end: float, response: float) -> str:
    grid = np.linspace(start, end, 1500)
    position = turned_since(wheel, zero, grid)
    ax.plot(grid, position, color="k")
    for limit in (-THRESHOLD, THRESHOLD):
        ax.axhline(limit, color=GREY, lw=0.8, ls=":")
    ax.text(start, THRESHOLD, " reports right", color=GREY, fontsize=8, va="bottom")
    ax.text(start, -THRESHOLD, " reports left", color=GREY, fontsize=8, va="top")
    reach = 1.25 * max(np.abs(position).max(), THRESHOLD)
    ax.set(ylabel="wheel (rad)", ylim=(-reach, reach))
    if np.isnan(response):
        return "When the mouse responded is not known."
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


def trial_panels(trials: pd.DataFrame, wheel: Mapping | None = None, licks: np.ndarray | None = None) -> Figure:
    """Trials side by side, each with stimulus, wheel, licks and events on one axis.

    Parameters
    ----------
    trials : DataFrame
        Rows of the trials table whose stimulus has a time; three at most.
    wheel : mapping, optional
        ``timestamps`` (s) and ``position`` (rad).
    licks : ndarray, optional
        Times (s).
    """
    need(trials, "trials")
    size = (2.6 + 2 * len(trials), 2 if wheel is None else 3.1)
    fig, axes = plt.subplots(1, len(trials), figsize=size, sharey=True, squeeze=False)
    marks = {name: mark for name, mark in SHOWN.items() if name in trials}
    for ax, (number, trial) in zip(axes[0], trials.iterrows(), strict=True):
        zero = stimulus_time(trial)
        events = {name: trial[name] - zero for name in marks if pd.notna(trial[name])}
        start, end = min([-0.4, *events.values()]) - 0.1, max([0.0, *events.values()]) + 0.6
        contrast, level, side = _stimulus(trial)
        ax.axvspan(0, end, color=str(0.93 - 0.25 * contrast), lw=0, zorder=0)
        ax.axvline(0, color="k", lw=1)
        for name, time in events.items():
            ax.axvline(time, color=SHOWN[name].colour, ls=SHOWN[name].style, lw=1.5)
        if wheel is not None:
            grid = np.linspace(start, end, 800)
            ax.plot(grid, turned_since(wheel, zero, grid), color="k", lw=1.5)
            for limit in (-THRESHOLD, THRESHOLD):
                ax.axhline(limit, color=GREY, lw=0.8, ls=":")
        if licks is not None:
            within = licks[(licks >= zero + start) & (licks <= zero + end)] - zero
            ax.plot(within, np.full(within.size, 0.04), "|", color=BLUE, ms=9, transform=ax.get_xaxis_transform())
        title = f"trial {number}: {level}, {side}\n{_report(trial)}, {_outcome(trial)}"
        ax.set_title(title, fontsize=9)
        ax.set(xlim=(start, end))
        ax.locator_params(axis="x", nbins=5)
        say(describe_trial(number, trial, events))
    if wheel is None:
        axes[0, 0].set(yticks=[])
        for ax in axes[0]:
            ax.spines["left"].set_visible(False)
    else:
        axes[0, 0].set(ylabel="wheel (rad): left −, right +")
    handles = [Line2D([], [], color="k", lw=1, label="stimulus")]
    handles += [Line2D([], [], color=mark.colour, ls=mark.style, label=mark.label) for mark in marks.values()]
    handles += [Line2D([], [], color=BLUE, marker="|", ls="", label="licks")] if licks is not None else []
    fig.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=8)
    fig.supxlabel("time from stimulus onset (s)", fontsize=9)
    return fig


def _stimulus(trial: pd.Series) -> tuple[float, str, str]:
    """The contrast of a trial's stimulus (0 where it is not known), the same in words, and its side."""
    left, right = trial["contrastLeft"], trial["contrastRight"]
    if pd.isna(left) and pd.isna(right):
        return 0.0, "unknown", "unknown side"
    contrast, side = (left, "left") if pd.isna(right) or left > right else (right, "right")
    return contrast, f"{100 * contrast:.4g} %", side


def _report(trial: pd.Series) -> str:
    return REPORTS.get(trial["choice"], "did what is not known")


def _outcome(trial: pd.Series) -> str:
    return {1: "rewarded", -1: "not rewarded"}.get(trial["feedbackType"], "rewarded or not, which is not known")


def describe_trial(number: int, trial: pd.Series, events: Mapping[str, float]) -> str:
    _, level, side = _stimulus(trial)
    moved, response = (f" at {1000 * events[name]:.0f} ms" if name in events else "" for name in SHOWN)
    return (
        f"Trial {number}: {level} on the {side}; {moved and f'first movement{moved}, '}"
        f"{_report(trial)}{response}, {_outcome(trial)}."
    )
