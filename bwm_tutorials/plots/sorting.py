"""What spike sorting makes of a voltage, and how well."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.quality import MIN_AMPLITUDE, MIN_CONFIDENCE, SAMPLING_RATE, autocorrelogram
from .style import BLUE, GREY, ORANGE, minus, need, number, percent, say, scale
from .units import draw_regions

THRESHOLD = 40  # µV; what is below it can be seen without a sorter
# Bit of bitwise_fail → criterion, and how its measure is written.
CRITERIA = {
    1: ("refractory period", lambda unit: f"confidence {unit['max_confidence']:.0f} %"),
    2: ("noise cutoff", lambda unit: minus(f"noise cutoff {unit['noise_cutoff']:.1f}")),
    4: ("amplitude", lambda unit: f"median {1e6 * unit['amp_median']:.0f} µV"),
}


def voltage(
    volts: np.ndarray,
    start: float,
    sites: np.ndarray,
    channels: pd.DataFrame,
    spikes: Mapping[str, np.ndarray],
    clusters: pd.DataFrame,
) -> Figure:
    """A simulated snippet of voltage, and the spikes that were found in it.

    Parameters
    ----------
    volts : ndarray, shape (n_samples, n_channels)
        V, at 30 kHz, as `simulate.probe.voltage` gives it.
    start : float
        s, of the first sample.
    sites : ndarray
        The channels to show.
    channels, clusters : DataFrame
        As `Insertion.channels` and `Insertion.clusters` give them.
    spikes : mapping
        ``times`` (s, sorted), ``clusters`` and ``amps`` (V).
    """
    place = channels.loc[sites, "axial_um"].sort_values(kind="stable")
    sites, low, high = place.index.to_numpy(), place.min() - 10, place.max() + 10
    seen = slice(*np.searchsorted(spikes["times"], [start, start + len(volts) / SAMPLING_RATE]))
    found = pd.DataFrame({"ms": 1000 * (spikes["times"][seen] - start), "unit": spikes["clusters"][seen]})
    found["um"], found["size"] = clusters["depths"].reindex(found["unit"]).to_numpy(), 1e6 * spikes["amps"][seen]
    found = found[found["um"].between(low, high)]

    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True)
    microvolt = 1e6 * volts[:, sites].T
    extent = (0, 1000 * len(volts) / SAMPLING_RATE, low, high)
    as_seen = {"aspect": "auto", "origin": "lower", "cmap": "gray", "extent": extent, "interpolation": "nearest"}
    # In steps of 20 µV, for noise in full depth makes a large file.
    picture = left.imshow((microvolt / 20).round() * 20, vmin=-100, vmax=100, **as_seen)
    right.imshow(microvolt > -THRESHOLD, vmin=0, vmax=1, **as_seen)
    left.set(ylabel="distance from the tip (µm)", xlabel="time (ms)", title="SIMULATED voltage")
    right.set(xlabel="time (ms)", title=f"black: below −{THRESHOLD} µV; circles: spikes, their unit and size")
    fig.colorbar(picture, ax=left, shrink=0.6).ax.set_title("µV")
    right.plot(found["ms"], found["um"], "o", mfc="none", mec=ORANGE, ms=13, mew=1.4)
    for spike in found.itertuples():
        at, side = (9, "left") if spike.ms < 0.8 * extent[1] else (-9, "right")
        right.annotate(f"{spike.unit}: {spike.size:.0f} µV", (spike.ms, spike.um), (at, -3), textcoords="offset points",
                       ha=side, color=ORANGE, fontsize=8, bbox={"fc": "white", "ec": "none", "pad": 0.5})  # fmt: skip
    good = (clusters.loc[found["unit"], "label"] == 1).to_numpy()
    say(
        f"Simulated voltage of {len(sites)} channels: {len(found)} spikes of {found['unit'].nunique()} units in "
        f"{1000 * len(volts) / SAMPLING_RATE:.0f} ms, {good.sum()} of the spikes from good units. The noise of these "
        f"channels is about {np.median(np.abs(microvolt)) / 0.6745:.0f} µV."
    )
    return fig


def criteria(
    spikes: Mapping[str, np.ndarray], clusters: pd.DataFrame, truth: pd.DataFrame | None = None, which: int = 0
) -> Figure:
    """The three criteria of quality, each on a unit that passes all and on one that fails it alone.

    Parameters
    ----------
    spikes : mapping
        ``times`` (s, sorted), ``clusters`` and ``amps`` (V).
    clusters : DataFrame
        As `Insertion.clusters` gives it.
    truth : DataFrame, optional
        As `Insertion.truth` gives it.
    which : int
        Of the units of each kind, ordered by number of spikes, the first (0), the second, …
    """
    fig, axes = plt.subplots(2, 3, figsize=(9, 5))
    draw = {1: _draw_refractory, 2: _draw_cutoff, 4: _draw_amplitude}
    fired = clusters[clusters.index.isin(spikes["clusters"])]
    ordered = fired.sort_values("spike_count", ascending=False)
    told = []
    for row, verdict in zip(axes, ("passes", "fails"), strict=True):
        for ax, (bit, (name, measure)) in zip(row, CRITERIA.items(), strict=True):
            kind = ordered[ordered["bitwise_fail"] == (0 if verdict == "passes" else bit)]
            if kind.empty:
                ax.text(0.5, 0.5, f"no unit {verdict}\nthis one alone", ha="center", transform=ax.transAxes)
                ax.set_axis_off()
                continue
            unit = kind.iloc[which % len(kind)]
            chosen = spikes["clusters"] == unit.name
            draw[bit](ax, spikes["times"][chosen], 1e6 * spikes["amps"][chosen])
            title = f"unit {unit.name}: {measure(unit)}, {verdict}"
            put_in = "" if truth is None else f"put in: {describe_fault(truth.loc[unit.name])}"
            ax.set_title(f"{title}\n{put_in}".rstrip(), fontsize=9, color=BLUE if verdict == "passes" else ORANGE)
            told.append(f"{name}: {title}" + (f" ({put_in})" if put_in else ""))
    for ax in axes[:, 0]:
        ax.set_ylabel("pairs of spikes")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("spikes")
    for ax, label in zip(axes[1], ("time between two spikes (ms)", "amplitude (µV)", "amplitude (µV)"), strict=True):
        ax.set_xlabel(label)
    say(("; ".join(told) or "There is no unit to show a criterion on") + ".")
    return fig


def confidence_of_mixtures(confidence: pd.DataFrame, rates: pd.Series) -> Figure:
    """How many units still pass the refractory criterion with more and more spikes of another among their own.

    Parameters
    ----------
    confidence : DataFrame
        Percent (``max_confidence``): one row a unit, one column for each share of foreign spikes (fraction), 0.1 among
        them.
    rates : Series
        Hz, by unit; slow units, below 2 Hz, are drawn apart.
    """
    need(confidence, "units")
    fig, ax = plt.subplots(figsize=(6, 3.4))
    passes = confidence >= MIN_CONFIDENCE
    slow = rates[confidence.index] < 2
    told = []
    for units, colour, marker, name in ((~slow, BLUE, "o", "2 Hz or more"), (slow, ORANGE, "s", "below 2 Hz")):
        if units.any():
            label = f"{name} ({units.sum()} units)"
            ax.plot(100 * confidence.columns, 100 * passes[units].mean(), marker, ls="-", color=colour, label=label)
            told.append(f"{passes.loc[units, 0.1].sum()} of {units.sum()} units of {name}")
    ax.axvline(10, color=GREY, lw=1, ls="--")
    ax.set(ylabel="units that pass (%)", xlabel="foreign spikes (%)", ylim=(-3, 103))
    ax.legend(title="firing rate")
    say(f"With 10 % of another's spikes among their own, there pass {' and '.join(told)}.")
    return fig


def confidence_by_rate(units: pd.DataFrame, seconds: float) -> Figure:
    """How sure one can be that units are clean, against how much they fire.

    Parameters
    ----------
    units : DataFrame
        Columns ``firing_rate`` (Hz), ``max_confidence`` (percent) and ``n_spikes_below2``, as
        `quality.sliding_refractory_period` gives them.
    seconds : float
        How long the recording lasts.
    """
    need(units, "units")
    fig, ax = plt.subplots(figsize=(6.5, 3.6))
    none = units["n_spikes_below2"] == 0
    for kind, marker, colour, name in ((none, "o", BLUE, "none"), (~none, "s", ORANGE, "some")):
        ax.plot(units.loc[kind, "firing_rate"], units.loc[kind, "max_confidence"], marker, color=colour, mfc="none",
                ms=5, label=name)  # fmt: skip
    ax.axhline(MIN_CONFIDENCE, color=GREY, lw=1, ls="--")
    ax.set(xscale=scale(units["firing_rate"]), xlabel="firing rate (Hz)", ylabel="confidence (%)", ylim=(-3, 103))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(title="pairs 2 ms or less apart", loc="center left")
    passes = units["max_confidence"] >= MIN_CONFIDENCE
    median = number(units["firing_rate"].dropna().median(), ".2g")
    slowest = f", the slowest at {units.loc[passes, 'firing_rate'].min():.2g} Hz" if passes.any() else ""
    say(
        f"{len(units)} units in {seconds:.0f} s, median rate {median} Hz: {passes.sum()} "
        f"pass the refractory criterion{slowest}. {(none & ~passes).sum()} fail without two spikes 2 ms or less apart."
    )
    return fig


def session_raster(
    spikes: Mapping[str, np.ndarray],
    drift_times: np.ndarray | None = None,
    drift_um: np.ndarray | None = None,
    task: tuple[float, float] | None = None,
    channels: pd.DataFrame | None = None,
) -> Figure:
    """All spikes of a probe over the session, as a map of rates, and how far the brain slipped along the probe.

    Parameters
    ----------
    spikes : mapping
        ``times`` (s, sorted) and ``depths`` (µm from the tip).
    drift_times, drift_um : ndarray, optional
        s, and µm; of several depths, their mean is drawn.
    task : tuple of float, optional
        s, from the first trial to the last.
    channels : DataFrame, optional
        As `Insertion.channels` gives it, to name the regions along the probe.
    """
    known = np.isfinite(spikes["depths"])
    need(spikes["times"][known], "spikes with a depth")
    panels = 1 if drift_times is None else 2
    fig, axes = plt.subplots(panels, 1, figsize=(8.5, 5), sharex=True, height_ratios=[3.5, 1][:panels], squeeze=False)
    above, below = axes[0, 0], axes[-1, 0]
    seconds, um = 10.0, 40.0
    n_times, n_depths = (
        int(np.nanmax(spikes[name]) // size) + 1 for name, size in (("times", seconds), ("depths", um))
    )
    time, depth = (spikes["times"][known] // seconds).astype(int), (spikes["depths"][known] // um).clip(0).astype(int)
    counts = np.bincount(depth * n_times + time, minlength=n_times * n_depths).reshape(n_depths, n_times)
    extent = (0, n_times * seconds / 60, 0, n_depths * um)
    ticks = np.array([0, 1, 3, 10, 30, 100])
    as_map = {"aspect": "auto", "origin": "lower", "cmap": "Greys", "extent": extent, "interpolation": "nearest"}
    picture = above.imshow(np.log10(1 + counts / seconds), vmin=0, vmax=np.log10(1 + ticks[-1]), **as_map)
    fig.colorbar(picture, ax=above, label="spikes/s in 40 µm").set_ticks(np.log10(1 + ticks), labels=ticks)
    above.set(ylabel="distance from the tip (µm)")
    text = f"{known.sum():,} spikes in {n_times * seconds / 60:.0f} min."
    if channels is not None:
        text += f" From the tip upwards the probe runs through {draw_regions(above, channels, 1.01)}."
        above.set_ylim(0, max(extent[-1], channels["axial_um"].max()))
    if drift_times is not None:
        slip = np.reshape(drift_um, (len(drift_times), -1)).mean(axis=1)
        below.plot(drift_times / 60, slip, color=BLUE, lw=0.8)
        below.set(ylabel="drift (µm)")
        rms, most = np.sqrt(np.mean((slip - slip.mean()) ** 2)), np.abs(slip - slip.mean()).max()
        text += f" The brain slips by {rms:.2g} µm (root mean square), at most {most:.2g} µm from its mean."
    below.set(xlabel="time (min)")
    if task:
        for ax in axes[:, 0]:
            ax.axvline(task[1] / 60, color=ORANGE, lw=1.2)
        above.text(task[1] / 60, 1, "last trial", color=ORANGE, fontsize=8, ha="center", va="bottom",
                   transform=above.get_xaxis_transform())  # fmt: skip
    say(text)
    return fig


def waveform_widths(shapes: np.ndarray, widths: np.ndarray, narrow: float = 0.4) -> Figure:
    """Mean waveforms, narrow ones apart, and how wide they are.

    Parameters
    ----------
    shapes : ndarray, shape (n_units, n_samples)
        V, at 30 kHz: each unit on the channel where it is largest.
    widths : ndarray, shape (n_units,)
        ms, from the trough to the peak after it.
    narrow : float
        ms; below it a waveform is called narrow.
    """
    need(widths, "units")
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.2))
    is_narrow = widths < narrow
    trough = np.median(shapes.argmin(axis=1))
    ms = (np.arange(shapes.shape[1]) - trough) / SAMPLING_RATE * 1000
    relative = shapes / np.abs(shapes.min(axis=1, keepdims=True))
    bins = np.arange(0, max(1.1, widths.max() + 0.05), 0.05)
    for kind, colour, name in ((~is_narrow, BLUE, "wide"), (is_narrow, ORANGE, "narrow")):
        left.plot(ms, relative[kind].T, color=colour, lw=0.6, alpha=0.4)
        right.hist(widths[kind], bins, color=colour, label=name)
    left.axhline(0, color=GREY, lw=0.7)
    left.set(xlabel="time from the trough (ms)", ylabel="voltage, by the trough's")
    right.set(xlabel="from trough to peak (ms)", ylabel="units")
    right.axvline(narrow, color=GREY, lw=1, ls="--")
    right.legend()
    low, high = np.percentile(widths, [5, 95])
    say(
        f"From trough to peak {np.median(widths):.2f} ms in the median of {len(widths)} units, {low:.2f} to {high:.2f} "
        "in 90 % of them."
    )
    return fig


def describe_fault(unit: pd.Series) -> str:
    """What was put into a unit (a row of `Insertion.truth`), in a few words."""
    return {
        "": "no fault",
        "contaminated": f"{percent(unit['contamination'])} from another",
        "cut off": f"{percent(unit['missed'])} lost",
        "small": f"small, {1e6 * unit['amplitude']:.0f} µV",
    }[unit["fault"]]


def _draw_refractory(ax: plt.Axes, times: np.ndarray, _: np.ndarray) -> None:
    pairs = autocorrelogram(times, 0.0005, 200)
    ax.stairs(pairs[:20], np.arange(21) / 2, fill=True, color=BLUE)
    ax.axhline(pairs[100:].mean(), color="k", lw=1, ls="--", label="pairs 50 to 100 ms apart")
    ax.legend(loc="upper left", fontsize=8, borderpad=0)
    ax.set(xlim=(0, 10), ylim=(0, max(1.25 * pairs[:20].max(), 1)))


def _draw_cutoff(ax: plt.Axes, _: np.ndarray, amps: np.ndarray) -> None:
    # The bins and the two parts that `quality.noise_cutoff` holds against each other.
    heights, edges = np.histogram(amps, np.linspace(0, amps.max(), 100))
    ax.stairs(heights, edges, fill=True, color=BLUE)
    second = np.flatnonzero(heights)[:2][-1]  # the first, where all are equally large
    ax.stairs(heights[second : second + 1], edges[second : second + 2], fill=True, color=ORANGE)
    ax.annotate("", (edges[second] + np.diff(edges)[0] / 2, heights[second]), (0, 22), textcoords="offset points",
                arrowprops={"arrowstyle": "->", "color": ORANGE})  # fmt: skip
    ax.set(xlim=(0, None), ylim=(0, None))


def _draw_amplitude(ax: plt.Axes, _: np.ndarray, amps: np.ndarray) -> None:
    ax.hist(amps, 99, color=BLUE)
    ax.axvline(np.median(amps), color="k", lw=1)
    ax.axvline(1e6 * MIN_AMPLITUDE, color=ORANGE, lw=1.2, ls="--")
    ax.set(xlim=(0, None))
