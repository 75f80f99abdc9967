"""Units and the probe that they were recorded with."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.quality import SAMPLING_RATE, autocorrelogram
from ..analysis.regions import NOT_REGIONS
from .style import BLUE, GREY, ORANGE, need, number, say, scale


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
    names = draw_regions(ax, channels, 1.01)
    good = clusters["label"] == 1
    for units, marker, face, label in ((~good, "o", "none", "other units"), (good, "o", BLUE, "good units")):
        shown = clusters[units]
        ax.plot(shown["firing_rate"], shown["depths"], marker, color=BLUE, mfc=face, ms=5, lw=0, label=label)
    ax.set(xscale=scale(clusters["firing_rate"]), ylim=(0, None))
    ax.set(xlabel="firing rate (Hz)", ylabel="depth from the tip (µm)")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.09), ncols=2)
    say(f"{good.sum()} of {len(clusters)} units are good. From the tip upwards the probe runs through {names}.")
    return fig


def regions_along(channels: pd.DataFrame) -> pd.DataFrame:
    """The regions that a probe runs through, from the tip up: ``acronym``, and ``low`` and ``high`` (µm from the tip).

    ``channels`` has ``axial_um`` and ``acronym``, as `Insertion.channels` gives them; each reaches 10 µm either way.
    """
    acronym = channels["acronym"].fillna("unknown")
    runs = (acronym != acronym.shift()).cumsum()
    axial = channels["axial_um"].groupby(runs)
    return pd.DataFrame({"acronym": acronym.groupby(runs).first(), "low": axial.min() - 10, "high": axial.max() + 10})


def draw_regions(ax: plt.Axes, channels: pd.DataFrame, x: float) -> str:
    """Shade the regions along a probe, each with its acronym at ``x`` of the axes' width; gives their names in order.

    ``channels`` is as in `regions_along`.
    """
    regions = regions_along(channels)
    for index, (acronym, low, high) in enumerate(regions.itertuples(index=False)):
        ax.axhspan(low, high, color=BLUE, alpha=0.12 if index % 2 else 0.03, lw=0)
        if high - low > 80:  # µm: a label in less would run into its neighbours
            ax.text(x, (low + high) / 2, acronym, va="center", fontsize=8, transform=ax.get_yaxis_transform())
    return ", ".join(dict.fromkeys(regions["acronym"]))


def unit_panels(
    spikes: Mapping[str, np.ndarray], clusters: pd.DataFrame, waveforms: Mapping[str, np.ndarray], units: Sequence[int]
) -> Figure:
    """Units, each in a row: rate and amplitude over the session, pairs of spikes by the time between, mean waveform.

    Parameters
    ----------
    spikes : mapping
        ``times`` (s, sorted), ``clusters`` and ``amps`` (V), as `Insertion.spikes` gives them.
    clusters : DataFrame
        As `Insertion.clusters` gives it.
    waveforms : mapping
        ``waveforms`` (V; units × samples × channels, nearest first), as `Insertion.waveforms` gives them.
    units : sequence of int
        Rows of ``clusters``.
    """
    need(units, "units")
    need(spikes["times"], "spikes")
    # Laid out by hand, for a browser of units draws it at every touch of its handle.
    row_height, below, widths = 1.75, 0.5, [3, 3, 2, 2]  # in, in, relative
    height = row_height * len(units) + below
    fig, axes = plt.subplots(len(units), 4, figsize=(9, height), squeeze=False, layout="none", width_ratios=widths)
    fig.subplots_adjust(0.06, below / height, 0.99, 1 - 0.35 / height, wspace=0.4, hspace=0.55)
    minutes = spikes["times"][-1] / 60
    for row, which in zip(axes, units, strict=True):
        unit = clusters.loc[which]
        chosen = np.flatnonzero(spikes["clusters"] == which)
        times, amps = spikes["times"][chosen], 1e6 * spikes["amps"][chosen]
        counts, edges = np.histogram(times / 60, np.arange(0, minutes + 0.05, 0.5))
        row[0].stairs(counts / 30, edges, color=BLUE)
        row[0].set(ylabel="rate (Hz)", ylim=(0, None), xlim=(0, minutes))
        few = slice(None, None, 1 + times.size // 1500)
        row[1].plot(times[few] / 60, amps[few], ".", color=BLUE, ms=1.2, rasterized=True)
        row[1].axhline(50, color=ORANGE, lw=1, ls="--")
        row[1].set(ylabel="amplitude (µV)", ylim=(0, None), xlim=(0, minutes))
        row[2].stairs(autocorrelogram(times, 0.001, 50), np.arange(51), fill=True, color=BLUE)
        row[2].set(ylabel="pairs", xlim=(0, 50), ylim=(0, None))
        shape = 1e6 * waveforms["waveforms"][which]
        ms = (np.arange(len(shape)) - len(shape) // 2) / SAMPLING_RATE * 1000
        row[3].plot(ms, shape[:, 1:8], color=GREY, lw=0.6)
        row[3].plot(ms, shape[:, 0], color=BLUE)
        row[3].set(ylabel="µV", xlim=ms[[0, -1]])
        row[0].set_title(describe_unit(unit), loc="left", fontsize=9)
        say(describe_unit(unit) + ".")
    labels = ("time (min)", "time (min)", "between two spikes (ms)", "time (ms)")
    for ax, label in zip(axes[-1], labels, strict=True):
        ax.set_xlabel(label, fontsize=9)
    for ax in axes.flat:
        ax.tick_params(labelsize=8)
        ax.yaxis.label.set_fontsize(9)
    return fig


def describe_unit(unit: pd.Series) -> str:
    """A unit (a row of `Insertion.clusters`) in one line."""
    forms = {"depths": ".0f", "firing_rate": ".2g", "label": ".2g", "max_confidence": ".0f", "noise_cutoff": ".1f"}
    depth, rate, label, confidence, cutoff = (number(unit[name], form) for name, form in forms.items())
    return (
        f"Unit {unit.name} in {unit['acronym'] or 'an unknown region'}, {depth} µm from the tip, {rate} Hz: label "
        f"{label} (confidence {confidence} %, noise cutoff {cutoff}, median amplitude "
        f"{number(1e6 * unit['amp_median'], '.0f')} µV)"
    )


def units_by_region(units: pd.DataFrame) -> Figure:
    """How many units, and good ones, are in each region, grouped by larger parts of the brain.

    Parameters
    ----------
    units : DataFrame
        Columns ``label``, ``Beryl``, ``Cosmos`` (acronyms) and ``side`` (``'left'``, ``'right'``); root and void, which
        are no regions, come last.
    """
    need(units, "units")
    keys = units[["Cosmos", "Beryl", "side"]].fillna("unknown").assign(none=units["Beryl"].isin(NOT_REGIONS))
    groups = [keys[name] for name in ("none", "Cosmos", "Beryl", "side")]
    counts = (units["label"] == 1).groupby(groups).agg(["size", "sum"])
    fig, ax = plt.subplots(figsize=(7, 1.3 + 0.27 * len(counts)))
    rows = np.arange(len(counts))
    ax.barh(rows, counts["size"], color="none", edgecolor=BLUE, label="units")
    ax.barh(rows, counts["sum"], color=np.where(counts.index.get_level_values("none"), GREY, BLUE), label="good units")
    ax.set_yticks(rows, [f"{cosmos} · {beryl}, {side}" if not none else f"{beryl}, {side}: no region"
                         for none, cosmos, beryl, side in counts.index])  # fmt: skip
    ax.set(xlabel="units", ylim=(len(rows) - 0.5, -0.5))
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    inside = counts[~counts.index.get_level_values("none")]
    regions = inside.groupby("Beryl")["sum"].sum()
    good = counts["sum"].sum()
    told = f"{good} good units of {len(units)}; of the good ones {good - regions.sum()} in no region."
    if regions.any():
        ends = [f"{regions[name]} in {name}" for name in (regions.idxmax(), regions.idxmin())]
        told += f" Most good units of a region: {ends[0]}; fewest: {ends[1]}."
    say(told)
    return fig
