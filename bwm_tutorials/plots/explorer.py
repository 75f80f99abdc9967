"""A session through a window of time: all that was recorded, on one clock."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..analysis.blocks import blocks
from ..analysis.spikes import Peth
from ..analysis.trials import outcomes, signed_contrast, stimulus_side
from ..analysis.wheel import THRESHOLD, displacement
from .responses import rates_around
from .style import BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, say
from .trial import SHOWN, describe_trial
from .units import regions_along
from .windows import Probe, Recording, envelope, spike_map

COLUMNS, ROWS = 365, 96  # of a raster; a panel has twice as many pixels, so that a spike can be seen
MOST_SPIKES = 2**20  # of a probe, that are counted for it
MOST_TRIALS = 30  # whose numbers are written, and whose events run through all panels
WIDTH, LEFT, RIGHT, TOP, BOTTOM, GAP = 9.0, 0.75, 0.95, 0.45, 0.45, 0.09  # in
HEIGHTS = {"trials": 0.75, "wheel": 0.8, "pose": 0.8}
PROBE, LACKING = 1.6, 0.22  # in
OUTCOMES = {"rewarded": ("o", GREEN), "not rewarded": ("x", ORANGE), "no choice": ("s", GREY)}
BLOCKS = {0.8: BLUE, 0.2: ORANGE}
PALE = 0.3
MARK = LinearSegmentedColormap.from_list("unit", ["#EE9B65", ORANGE])


def session_window(
    recording: Recording,
    window: tuple[float, float],
    fits: pd.Index | None = None,
    unit: tuple[str, int] | None = None,
) -> Figure:
    """What was recorded in a window of time: trials, wheel, pose and the spikes of each probe, on one axis.

    However long the window is, no more is drawn than can be seen: traces as the lowest and highest value in each column
    of the picture, spikes as a map of counts.

    Parameters
    ----------
    recording : Recording
        What it lacks is said in the place of its panel.
    window : tuple of float
        Start and stop, s.
    fits : Index, optional
        Numbers of the trials that are drawn in full, the others pale; default all.
    unit : tuple of str and int, optional
        The name of a probe and the id of a unit there, whose spikes are marked.

    Returns
    -------
    Figure
        Each panel has its name as label (``get_label``), that of a probe the probe's.
    """
    names = [*HEIGHTS, *recording.probes, *(name for name in recording.lacks if name not in HEIGHTS)]
    heights = [LACKING if name in recording.lacks else HEIGHTS.get(name, PROBE) for name in names]
    height = TOP + sum(heights) + GAP * (len(names) - 1) + BOTTOM
    # Laid out by hand: it is drawn at every touch of a handle, and a click must be told where it was.
    fig = plt.figure(figsize=(WIDTH, height), dpi=100, layout="none")
    _take_stamp_in(fig)
    words, above, axes = [f"{window[0]:.1f} to {window[1]:.1f} s of {recording.end:.0f} s."], TOP, {}
    for name, size in zip(names, heights, strict=True):
        place = (LEFT / WIDTH, 1 - (above + size) / height, 1 - (LEFT + RIGHT) / WIDTH, size / height)
        ax = axes[name] = fig.add_axes(place, label=name, sharex=next(iter(axes.values()), None))
        above += size + GAP
        ax.tick_params(labelsize=8)
        ax.xaxis.set_visible(False)
        ax.yaxis.label.set_fontsize(8)
        ax.spines["bottom"].set_visible(False)
        if name in recording.lacks:
            ax.set(yticks=[])
            ax.spines["left"].set_visible(False)
            ax.text(0, 0.5, recording.lacks[name].split(";")[0], transform=ax.transAxes, va="center", fontsize=9)
            words.append(recording.lacks[name])
        elif name == "trials":
            words.append(_draw_trials(ax, recording.trials, window, fits))
        elif name == "wheel":
            words.append(_draw_wheel(ax, recording, window))
        elif name == "pose":
            words.append(_draw_pose(ax, recording.pose, window))
        else:
            marked = unit[1] if unit and unit[0] == name else None
            words.append(_draw_spikes(ax, recording.probes[name], name, window, marked))
    if recording.trials is not None:
        shown = [ax for name, ax in axes.items() if name != "trials" and name not in recording.lacks]
        _draw_events(shown, _within(recording.trials, window))
    ax.xaxis.set_visible(True)
    ax.spines["bottom"].set_visible(True)
    ax.set(xlim=window)
    ax.set_xlabel("time in the session (s)", fontsize=9)
    say(" ".join(words))
    return fig


def rates_below(rates: Sequence[Peth], unit: int) -> Figure:
    """`responses.rates_around` to stand below a `session_window`: as wide, and laid out by hand like it."""
    with plt.rc_context({"figure.constrained_layout.use": False, "figure.dpi": 100}):
        fig = rates_around(rates, unit)
    fig.set_size_inches(WIDTH, 2.6)
    fig.subplots_adjust(LEFT / WIDTH, 0.18, 0.99, 0.95)
    _take_stamp_in(fig)
    return fig


def panel_at(figure: Figure, x: float, y: float) -> tuple[str, float, float] | None:
    """What of a `session_window` is at a place of its picture.

    Parameters
    ----------
    figure : Figure
    x, y : float
        Fractions of its width, from the left, and of its height, from below.

    Returns
    -------
    tuple or None
        The name of the panel, the time (s) and the value on its axis; None between panels.
    """
    at = figure.bbox.width * x, figure.bbox.height * y
    for ax in figure.axes:
        if ax.bbox.contains(*at):
            time, value = ax.transData.inverted().transform(at)
            return ax.get_label(), float(time), float(value)
    return None


def _take_stamp_in(fig: Figure) -> None:
    """Move the stamp from below the figure into it, so that a picture of the figure is the figure and no more."""
    for text in fig.texts:
        text.set(va="bottom")


def _first_known(trials: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    """Of each trial the first of some times that is known."""
    return trials.reindex(columns=list(columns)).bfill(axis=1).iloc[:, 0]


def _within(trials: pd.DataFrame, window: tuple[float, float]) -> pd.DataFrame:
    """The trials that are seen, with the time that they end at: ``stop``."""
    known = _first_known(trials, ("stimOff_times", "feedback_times", "response_times"))
    stop = known.fillna(trials["stimOn_times"] + 1)
    seen = (trials["stimOn_times"] <= window[1]) & (stop >= window[0])
    return trials[seen].assign(stop=stop[seen])


def _draw_trials(ax: plt.Axes, trials: pd.DataFrame, window: tuple[float, float], fits: pd.Index | None) -> str:
    shown = _within(trials, window)
    full = np.ones(len(shown), bool) if fits is None else shown.index.isin(fits)
    side = stimulus_side(shown)
    lane = np.where(side > 0, 0.62, 0.22)  # above: right
    grey = 0.85 - 0.8 * np.abs(np.nan_to_num(signed_contrast(shown))) / 100
    colours = np.c_[grey, grey, grey, np.where(full, 1, PALE)]
    start, seconds = shown["stimOn_times"], shown["stop"] - shown["stimOn_times"]
    for at in np.unique(lane):
        here = lane == at
        spans = np.c_[start, seconds][here]
        ax.broken_barh(spans, (at, 0.36), facecolors=colours[here], lw=0)
    end = _first_known(shown, ("feedback_times", "response_times"))
    found = outcomes(shown)
    size = 4 if len(shown) <= MOST_TRIALS else 2
    for name, (marker, colour) in OUTCOMES.items():
        for of, alpha in ((full, 1), (~full, PALE)):
            here = found[name].to_numpy() & of
            ax.plot(end[here], lane[here] + 0.18, marker, color=colour, ms=size, alpha=alpha, mew=size / 3)
    _draw_blocks(ax, trials, window)
    if len(shown) <= MOST_TRIALS:
        for number, time, bold in zip(shown.index, start, full, strict=True):
            if time >= window[0]:
                ax.text(time, 1.02, str(number), fontsize=8, color="k" if bold else GREY)
    _key(ax)
    ax.set(ylim=(0, 1), yticks=[0.1, 0.4, 0.8])
    ax.set_yticklabels(["P(left)", "left", "right"])
    ax.tick_params(left=False)
    between = trials.loc[shown.index.min() : shown.index.max()] if len(shown) else shown
    return _told_of_trials(shown, fits, int(between["stimOn_times"].isna().sum()))


def _key(ax: plt.Axes) -> None:
    signs = {"o": "●", "x": "×", "s": "■"}
    parts = [(f"{signs[marker]} {name}", colour) for name, (marker, colour) in OUTCOMES.items()]
    parts += [("| stimulus", "k"), ("¦ first movement", PURPLE), ("the darker a bar, the higher its contrast", GREY)]
    for (text, colour), x in zip(parts, (0, 0.12, 0.27, 0.39, 0.49, 0.65), strict=True):
        ax.text(x, 1.32, text, color=colour, fontsize=8, transform=ax.transAxes)


def _draw_blocks(ax: plt.Axes, trials: pd.DataFrame, window: tuple[float, float]) -> None:
    table = blocks(trials["probabilityLeft"].to_numpy())
    starts = trials["stimOn_times"].bfill().to_numpy()[table["start"]]
    stops = [*starts[1:], trials["stimOn_times"].max()]
    for begin, end, p_left in zip(starts, stops, table["probabilityLeft"], strict=False):
        begin, end = max(begin, window[0]), min(end, window[1])
        if begin < end:
            colour = BLOCKS.get(round(p_left, 2), GREY)
            ax.broken_barh([(begin, end - begin)], (0, 0.17), facecolors=colour, alpha=0.25, lw=0)
            if end - begin > 0.04 * (window[1] - window[0]):
                ax.text(begin, 0.07, f" {p_left:g}", fontsize=7, va="center", color=colour)


def _told_of_trials(shown: pd.DataFrame, fits: pd.Index | None, lost: int) -> str:
    if shown.empty:
        return "No stimulus in this window."
    if len(shown) == 1:
        ((number, trial),) = shown.iterrows()
        times = {name: trial[name] - trial["stimOn_times"] for name in SHOWN if pd.notna(trial.get(name))}
        return describe_trial(number, trial, times)
    counts = ", ".join(f"{these.sum()} {name}" for name, these in outcomes(shown).items())
    fit = "" if fits is None else f"; {shown.index.isin(fits).sum()} fit"
    undrawn = f"; {lost} not drawn, without a time of the stimulus" if lost else ""
    return f"Trials {shown.index[0]} to {shown.index[-1]}: {counts}{undrawn}{fit}."


def _draw_wheel(ax: plt.Axes, recording: Recording, window: tuple[float, float]) -> str:
    times, position = recording.wheel["timestamps"], recording.wheel["position"]
    shown = envelope(times, position, window, 2 * COLUMNS)
    ax.plot(*shown, color="k", lw=0.9)
    low, high = (shown[1].min(), shown[1].max()) if shown[1].size else (0.0, 0.0)
    half = 1.1 * max((high - low) / 2, THRESHOLD)  # at rest it is a flat line, and not the steps of the encoder
    ax.set(ylabel="wheel (rad)", ylim=((low + high) / 2 - half, (low + high) / 2 + half))
    return f"The wheel turns by {displacement(times, position, *window):+.2f} rad in all."


def _draw_pose(ax: plt.Axes, pose: pd.DataFrame, window: tuple[float, float]) -> str:
    told = []
    for (name, speed), colour in zip(pose.drop(columns="times").items(), COLOURS, strict=False):
        shown = envelope(pose["times"].to_numpy(), speed.to_numpy(), window, 2 * COLUMNS)
        ax.plot(*shown, color=colour, lw=0.9)
        ax.text(1.01, 0.8 - 0.25 * len(told), name, color=colour, fontsize=8, transform=ax.transAxes)
        known = shown[1][np.isfinite(shown[1])]
        told.append(f"{name} at most {known.max():.0f} px/s" if known.size else f"{name} not seen")
    ax.set(ylabel=f"{pose.attrs['camera']} camera\npaws (px/s)", ylim=(0, None))
    return f"Paws: {', '.join(told)}."


def _draw_spikes(ax: plt.Axes, probe: Probe, name: str, window: tuple[float, float], marked: int | None) -> str:
    times, clusters = probe.spikes["times"], probe.spikes["clusters"]
    seen = slice(*np.searchsorted(times, window))
    counts = spike_map(times, probe.places, window, probe.top, (ROWS, COLUMNS), MOST_SPIKES)
    most = max(1.0, np.percentile(counts[counts > 0], 98)) if counts.any() else 1.0
    ax.imshow(counts, cmap="Greys", vmin=0, vmax=most, aspect="auto", origin="lower", extent=(*window, 0, probe.top),
              interpolation="nearest")  # fmt: skip
    regions = [] if probe.channels is None else _draw_regions(ax, probe)
    if marked is not None:
        own = times[seen][clusters[seen] == marked]
        place, half = probe.units[marked], 2 * probe.top / ROWS
        row = spike_map(own, np.zeros(own.size), window, 1, (1, COLUMNS))
        extent = (*window, place - half, place + half)
        ax.imshow(np.ma.masked_equal(row, 0), cmap=MARK, vmin=0, vmax=max(row.max(), 1), aspect="auto", extent=extent,
                  interpolation="nearest")  # fmt: skip
        ax.plot(window[0], place, ">", color=ORANGE, ms=7, clip_on=False)
    ax.set(ylabel=f"{name}\n{probe.place}", ylim=(0, probe.top))
    n_units = np.count_nonzero(np.bincount(clusters[seen])) if seen.stop > seen.start else 0
    where = f" in {', '.join(dict.fromkeys(regions))}" if len(regions) else ""
    mark = "" if marked is None else f", {own.size} of unit {marked}"
    return f"{name}{where}: {seen.stop - seen.start:,} spikes of {n_units} units{mark}."


def _draw_regions(ax: plt.Axes, probe: Probe) -> pd.Series:
    regions = regions_along(probe.channels)
    odd = regions.iloc[::2]
    for low, high in zip(odd["low"], odd["high"], strict=True):
        ax.axhspan(low, high, color=BLUE, alpha=0.12, lw=0)
    written: list[float] = []
    seen = regions[regions["low"] < probe.top]
    for region in seen.assign(um=seen["high"] - seen["low"]).sort_values("um", ascending=False).itertuples():
        at = (region.low + min(region.high, probe.top)) / 2
        if all(abs(at - other) > 0.07 * probe.top for other in written):  # none over another
            written.append(at)
            ax.text(1.01, at / probe.top, region.acronym, va="center", fontsize=8, transform=ax.transAxes)
    return seen["acronym"]


def _draw_events(axes: list[plt.Axes], shown: pd.DataFrame) -> None:
    if len(shown) > MOST_TRIALS:
        return
    for ax in axes:
        low, high = ax.get_ylim()
        ax.vlines(shown["stimOn_times"], low, high, color="k", lw=0.8)
        if "firstMovement_times" in shown:
            ax.vlines(shown["firstMovement_times"], low, high, color=PURPLE, lw=0.8, ls="--")
        ax.set_ylim(low, high)
