"""An insertion at a glance: how good its units are, how long they stay, and what they respond to."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from ..analysis.quality import MIN_AMPLITUDE
from .sorting import CRITERIA
from .style import BLUE, COLOURS, GREY, ORANGE, need, percent, say, scale

STEADY = 2.0  # the factor up to which a rate may change for its unit to be called steady


def quality_by_depth(clusters: pd.DataFrame) -> Figure:
    """Which criterion of quality rejects how many units; and each unit's rate and amplitude at its depth.

    Parameters
    ----------
    clusters : DataFrame
        As `Insertion.clusters` gives it.
    """
    need(clusters, "units")
    good, failed = clusters["label"] == 1, clusters["bitwise_fail"].fillna(0).astype(int)  # NaN: it was not measured
    fig, (left, *right) = plt.subplots(1, 3, figsize=(9, 4), width_ratios=[1.2, 1, 1])
    counts = {name: ((failed & bit > 0).sum(), (failed == bit).sum()) for bit, (name, _) in CRITERIA.items()}
    any_, alone = np.transpose(list(counts.values()))
    left.barh(range(3), any_, color=ORANGE, alpha=0.3, label="fail it")
    left.barh(range(3), alone, color=ORANGE, label="fail it alone")
    left.set_yticks(range(3), [name.replace(" ", "\n") for name in counts])
    left.set(xlabel=f"units (of {len(clusters)})", xlim=(0, len(clusters)), ylim=(2.6, -0.6))
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=8)
    values = {"firing rate (Hz)": clusters["firing_rate"], "median amplitude (µV)": 1e6 * clusters["amp_median"]}
    for ax, (label, value) in zip(right, values.items(), strict=True):
        for units, face, name in ((~good, "none", "other units"), (good, BLUE, "good units")):
            ax.plot(value[units], clusters["depths"][units], "o", color=BLUE, mfc=face, ms=4, label=name)
        ax.set(xlabel=label, xscale=scale(value), ylim=(0, None))
        if ax.get_xscale() == "log":
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_locator(NullLocator())
    right[0].set(ylabel="distance from the tip (µm)")
    right[0].legend(loc="lower center", bbox_to_anchor=(1.1, 1), ncols=2, fontsize=8).set_in_layout(False)
    right[1].axvline(1e6 * MIN_AMPLITUDE, color=ORANGE, lw=1, ls="--")
    right[1].tick_params(labelleft=False)
    told = "; ".join(f"{name} {n} ({only} this alone)" for name, (n, only) in counts.items())
    medians = [f"{value[good].median():.3g} {unit}" for value, unit in zip(values.values(), ("Hz", "µV"), strict=True)]
    say(
        f"{good.sum() or 'None'} of {len(clusters)} units pass all three criteria. Rejected by: {told}."
        + (f" Good units fire at {medians[0]} and have {medians[1]} (medians)." if good.any() else "")
    )
    return fig


def presence(counts: pd.DataFrame, depths: pd.Series, saturation: pd.DataFrame | None = None) -> Figure:
    """How much each unit fires from minute to minute, against its mean; and when the voltage was saturated.

    Parameters
    ----------
    counts : DataFrame
        Units × steps of the recording, as `spikes.counts_in_intervals` gives them; columns are starts (s), equally far
        apart.
    depths : Series
        µm from the tip, by cluster id.
    saturation : DataFrame, optional
        ``start`` and ``stop`` (s), as `Insertion.saturation` gives them.
    """
    need(counts, "units")
    counts = counts.loc[depths[counts.index].sort_values(kind="stable").index]
    starts = counts.columns.to_numpy()
    step = starts[1] - starts[0]
    relative = counts.div(counts.mean(axis=1), axis=0)
    fig, ax = plt.subplots(figsize=(8.5, 3.4))
    picture = ax.imshow(
        np.log2(relative.clip(lower=0.25)),  # silence has no logarithm, and would be drawn as if nothing was unusual
        aspect="auto", origin="lower", cmap="PuOr_r", vmin=-2, vmax=2, interpolation="nearest",
        extent=(starts[0] / 60, (starts[-1] + step) / 60, 0, len(counts)),
    )  # fmt: skip
    fig.colorbar(picture, label="rate, by the unit's mean").set_ticks(
        range(-2, 3), labels=["≤ ¼", "½", "1", "2", "≥ 4"]
    )
    ax.set(xlabel="time (min)", ylabel="unit, the lowest nearest to the tip")
    always = ((counts > 0).mean(axis=1) >= 0.9).sum()
    n = max(counts.shape[1] // 3, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.abs(np.log2(counts.iloc[:, -n:].mean(axis=1) / counts.iloc[:, :n].mean(axis=1)))
    steady = (change <= np.log2(STEADY)).sum()
    say(
        f"{always} of {len(counts)} units fire in nine tenths of all steps of {step:.0f} s, or more. From the first "
        f"third of the recording to the last, {len(counts) - steady} change by more than a factor of {STEADY:g}."
    )
    if saturation is not None:
        seconds = saturation["stop"] - saturation["start"]
        top = ax.get_xaxis_transform()
        ax.plot(saturation["start"] / 60, np.full(len(saturation), 1.03), "|", color=ORANGE, ms=7, transform=top,
                clip_on=False)  # fmt: skip
        told = (
            f"left the probe's range {len(seconds)} times, {seconds.sum():.2g} s in all, {seconds.max():.2g} s at most"
        )
        say(f"The voltage {told if len(seconds) else 'never left the range of the probe'}.")
    return fig


def responding(tests: Mapping[str, pd.DataFrame], regions: pd.Series) -> Figure:
    """How many units of each region respond to each event.

    Parameters
    ----------
    tests : mapping of str to DataFrame
        Name of the event → `responses.responsive_units` of the same units.
    regions : Series
        Acronym of each unit, by cluster id.
    """
    found = pd.DataFrame({name: table["p_adjusted"] < 0.05 for name, table in tests.items()})
    groups = found.groupby(regions.reindex(found.index).fillna("unknown"), sort=False)
    counts = groups.sum().assign(units=groups.size())
    fig, axes = plt.subplots(1, len(tests), figsize=(8.5, 1.1 + 0.22 * len(counts)), sharey=True, squeeze=False)
    rows = range(len(counts))
    for ax, name, colour in zip(axes[0], tests, COLOURS, strict=False):
        ax.barh(rows, counts["units"], color=GREY, alpha=0.25)
        ax.barh(rows, counts[name], color=colour)
        ax.set(title=f"respond to the {name}", xlabel="good units", ylim=(len(counts) - 0.5, -0.5))
    axes[0, 0].set_yticks(rows, counts.index)
    n = len(found)
    for name, table in tests.items():
        response, baseline = (" to ".join(f"{edge:g}" for edge in table.attrs[key]) for key in ("response", "baseline"))
        which = f"{found[name].sum()} of {n} units respond" if found[name].any() else f"None of {n} units responds"
        say(f"{which} to the {name} ({response} s against {baseline} s, {table.attrs['n_trials']} trials).")
    some = found.any(axis=1)
    say(
        f"To one of them or more: {some.sum()} ({percent(some.mean())}). All are corrected for the number of units "
        f"({table.attrs['correction']})."
    )
    return fig
