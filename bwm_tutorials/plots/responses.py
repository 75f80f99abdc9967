"""What units do around events, and which of them are said to respond."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.spikes import Peth
from .style import BLUE, COLOURS, GREY, ORANGE, need, percent, say, with_band

EVENTS = {"stimOn_times": "stimulus", "firstMovement_times": "first movement", "feedback_times": "feedback"}


def raster(aligned: pd.DataFrame, rates: Peth, unit: int) -> Figure:
    """One unit around an event: a tick for each spike, one row a trial, and the mean rate below.

    Parameters
    ----------
    aligned : DataFrame
        ``trial`` and ``time`` (s from the event) of each spike, as `spikes.aligned` gives them.
    rates : Peth
        As `spikes.peth` gives it; by condition or not. The band is the standard error of the mean.
    unit : int
        Cluster id.
    """
    fig, (above, below) = plt.subplots(2, 1, figsize=(7, 4.6), sharex=True, height_ratios=[1.5, 1])
    above.plot(aligned["time"], aligned["trial"], "|", color="k", ms=2.5, mew=0.6, rasterized=True)
    above.set(ylabel="trial")
    _draw_rates(below, rates, unit)
    below.set(ylabel="rate (Hz)", ylim=(0, None))
    above.axvline(0, color=ORANGE, lw=1)
    within = f"{rates.window[0]:g} to {rates.window[1]:g} s"
    say(f"{len(aligned)} spikes of unit {unit}, {within} from the {_event(rates)}, in {np.sum(rates.n_trials)} trials.")
    return fig


def rates_around(rates: Sequence[Peth], unit: int) -> Figure:
    """The mean rate of one unit around an event, or around several, in panels.

    Parameters
    ----------
    rates : sequence of Peth
        One for each panel, as `spikes.peth` or `spikes.smoothed` gives them, by condition or not. The band is the
        standard error of the mean, where it is known.
    unit : int
        Cluster id.
    """
    fig, axes = plt.subplots(1, len(rates), figsize=(2.6 + 2.1 * len(rates), 3.1), sharey=True, squeeze=False)
    for ax, peth in zip(axes[0], rates, strict=True):
        _draw_rates(ax, peth, unit)
        mean = _by_condition(peth.mean, unit)
        (label, time), highest = mean.stack().idxmax(), mean.max().max()
        among = f" where {mean.index.name} is {label}" if len(mean) > 1 else ""
        say(
            f"Unit {unit} around the {_event(peth)}: highest {highest:.1f} Hz, {time:+.3f} s from it{among}; "
            f"{mean.mean().mean():.1f} Hz on average."
        )
    axes[0, 0].set(ylabel="rate (Hz)", ylim=(0, None))
    return fig


def alignments(rates: Mapping[str, Peth], depths: pd.Series | None = None) -> Figure:
    """The same units around several events: each row a unit, its rate against its mean over all panels.

    Parameters
    ----------
    rates : mapping of str to Peth
        Name of the event → rates of the same units, without conditions.
    depths : Series, optional
        µm from the tip, by cluster id: the lowest unit comes last. Default in order of the panels where units change.
    """
    means = {name: peth.mean for name, peth in rates.items()}
    together = pd.concat(means, axis=1)
    z = together.sub(together.mean(axis=1), axis=0).div(together.std(axis=1).replace(0, np.nan), axis=0).fillna(0)
    peak = z.abs().to_numpy().argmax(axis=1)
    order = z.index[np.argsort(peak if depths is None else -depths[z.index].to_numpy(), kind="stable")]
    fig, axes = plt.subplots(1, len(means), figsize=(8.5, 4), sharey=True, squeeze=False)
    for ax, (name, mean) in zip(axes[0], means.items(), strict=True):
        start, stop = rates[name].window
        image = ax.imshow(z.loc[order, name], aspect="auto", cmap="RdBu_r", vmin=-4, vmax=4, interpolation="none",
                          extent=(start, stop, len(mean), 0))  # fmt: skip
        ax.axvline(0, color="k", lw=0.8)
        ax.set(xlabel=f"time from {name} (s)")
    axes[0, 0].set_ylabel("unit" if depths is None else "unit, the lowest nearest to the tip")
    fig.colorbar(image, ax=axes[0, -1], label="rate, in its standard deviations")
    highest = pd.Series(z.abs().idxmax(axis=1).str[0]).value_counts()
    told = ", ".join(f"{name} {highest.get(name, 0)}" for name in means)
    say(f"Of {len(z)} units, so many are farthest from their mean in the panel of: {told}.")
    return fig


def responsive(table: pd.DataFrame, acronym: pd.Series, knows: pd.Series | None = None) -> Figure:
    """Which units respond: effect and p of each, and how many in each region.

    Parameters
    ----------
    table : DataFrame
        As `responses.responsive_units` gives it.
    acronym : Series
        The region of each unit, by cluster id.
    knows : Series of bool, optional
        By cluster id, what was put in: True for units that respond by construction. None on a real recording.
    """
    found = table["p_adjusted"] < 0.05
    knows = None if knows is None else knows.reindex(table.index)
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.8), width_ratios=[1.3, 1])
    _effects(left, table["effect"], table, knows, ("responds by construction", "does not"))
    left.set(xlabel="effect (rank-biserial correlation)")
    _by_region(right, found, acronym, "respond")
    naive, n, put_in = int((table["p"] < 0.05).sum()), len(table), ""
    if knows is not None:
        put_in = f" Of these {(found & knows).sum()} respond by construction; {knows.sum()} units do."
    say(
        f"{naive} of {n} units have p below .05, where {0.05 * n:.0f} would by chance; {found.sum()} are left when "
        f"corrected ({table.attrs['correction']}).{put_in}"
    )
    return fig


def answer(
    title: str,
    table: pd.DataFrame,
    acronym: pd.Series,
    knows: pd.Series | None = None,
    example: tuple[Peth, str, int] | None = None,
) -> Figure:
    """The answer to a question: what every unit tells of the variable, how many by region, and an example's rates.

    Parameters
    ----------
    title : str
        Which test it is of.
    table : DataFrame
        As `responses.selectivity` gives it, of counts in windows `spikes.around` an event.
    acronym : Series
        The region of each unit, by probe and cluster id as ``table``.
    knows : Series of bool, optional
        By probe and cluster id, what was put in: True for units that know the variable at any time. None on a real
        recording.
    example : tuple, optional
        Rates by the variable as `spikes.peth` gives them, the name of the unit's probe, and its cluster id.
    """
    knows = None if knows is None else knows.reindex(table.index)
    ratios = [1.1, 1.1, 1][example is None :]
    fig, (*one, every, where) = plt.subplots(1, len(ratios), figsize=(2.9 * sum(ratios), 3.7), width_ratios=ratios)
    fig.suptitle(title, fontsize=11, weight="bold")
    if example is not None:
        rates, probe, unit = example
        _draw_rates(one[0], rates, unit)
        one[0].axvspan(*table.attrs["window"], color=GREY, alpha=0.15, lw=0)
        one[0].set(ylabel="rate (Hz)", ylim=(0, None), title=f"{probe} unit {unit}, chosen; grey: tested")
    _effects(every, table["auc"], table, knows, ("put in, at any time", "not put in"))
    low, high = table.attrs["values"]
    every.axvline(0.5, color=GREY, lw=0.8)
    every.set(xlabel=f"P(more spikes: {high} than {low})", ylim=(None, 1.35 * every.get_ylim()[1]))
    found, flagged, n = table["p_adjusted"] < 0.05, int((table["p"] < 0.05).sum()), len(table)
    _by_region(where, found, acronym, "significant")
    where.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    put_in = "put in: unknown"
    if knows is not None:
        put_in = f"{(found & knows).sum()} of them among the {knows.sum()} that know it at any time"
    say(
        f"{title}: {flagged} of {n} units have p below .05, where {0.05 * n:.0f} would by chance; {found.sum()} are "
        f"left when corrected ({percent(found.mean())}; {put_in}). Compared: {table.attrs['n_trials']} trials "
        f"({table.attrs['n_rarer']} of the value that is rarer among those alike); null: {table.attrs['null']}."
        + (f" Only {n} units: a share of so few says little." if n < 10 else "")
    )
    return fig


def p_values(tests: Mapping[str, pd.Series | pd.DataFrame], where: str) -> Figure:
    """The p values of all units by several tests: flat where there is nothing and the test is right.

    Parameters
    ----------
    tests : mapping of str to Series or DataFrame
        Name of the test → p of each unit; or a table with ``p`` and ``p_adjusted``: then it is said of both.
    where : str
        What the units are of, for the title.
    """
    fig, axes = plt.subplots(1, len(tests), figsize=(3.6 * len(tests), 2.9), sharey=True, squeeze=False)
    told = []
    for ax, (name, test), colour in zip(axes[0], tests.items(), (ORANGE, BLUE, *COLOURS[2:]), strict=False):
        p = test["p"] if test.ndim == 2 else test
        ax.hist(p, np.linspace(0, 1, 21), color=colour, alpha=0.8)
        ax.axhline(len(p) / 20, color="k", lw=1, ls="--")
        ax.set(xlabel="p", title=name)
        told.append(f"{name}: p below .05 in {(np.asarray(p) < 0.05).sum()} of {len(p)} ({percent(np.mean(p < 0.05))})")
        if test.ndim == 2:
            told[-1] += f", corrected in {(test['p_adjusted'] < 0.05).sum()}"
    axes[0, 0].set_ylabel(f"units of {where}")
    say(f"{'; '.join(told)}. The dashed line is what chance gives.")
    return fig


def trajectories(paths: Mapping[str, pd.DataFrame]) -> Figure:
    """A population's path through the space of its two largest components, by condition.

    Parameters
    ----------
    paths : mapping of str to DataFrame
        Condition → a row for each time (s from the event), two columns: the components.
    """
    need([*paths][1:], "two paths to hold against each other")
    fig, ax = plt.subplots(figsize=(5.2, 4.4))
    for (name, path), colour in zip(paths.items(), COLOURS, strict=False):
        ax.plot(path.iloc[:, 0], path.iloc[:, 1], color=colour, label=name)
        zero = np.abs(path.index.to_numpy()).argmin()
        ax.plot(*path.iloc[zero], "o", color=colour, ms=7)
        ax.plot(*path.iloc[-1], ">", color=colour, ms=7)
    ax.set(xlabel="first component (Hz)", ylabel="second component (Hz)")
    ax.legend(fontsize=8, title="dot: the event; arrow: the end", title_fontsize=8)
    first, second = list(paths.values())[:2]
    apart = np.hypot(*(first - second).to_numpy().T)
    need(apart[np.isfinite(apart)], "times at which both paths are known")
    say(f"{', '.join(paths)}: farthest apart {first.index[np.nanargmax(apart)]:+.2f} s from the event.")
    return fig


def _effects(
    ax: plt.Axes, effect: pd.Series, table: pd.DataFrame, knows: pd.Series | None, names: tuple[str, str]
) -> None:
    """Effect against p of each unit; ``names`` are those of units that know by construction, and of others."""
    found, height = table["p_adjusted"] < 0.05, -np.log10(table["p"].clip(lower=1e-16))
    kinds = {"units": (pd.Series(True, table.index), "o", BLUE)}
    if knows is not None:
        kinds = {names[0]: (knows, "o", BLUE), names[1]: (~knows, "D", ORANGE)}
    for label, (units, marker, colour) in kinds.items():
        for which, face in ((found, colour), (~found, "none")):
            shown = units & which
            ax.plot(effect[shown], height[shown], marker, color=colour, mfc=face, ms=5,
                    label=label if face == colour else None)  # fmt: skip
    ax.axhline(-np.log10(0.05), color=GREY, lw=0.8, ls=":")
    ax.text(1, -np.log10(0.05), "p = .05 ", color=GREY, fontsize=8, ha="right", va="bottom",
            transform=ax.get_yaxis_transform())  # fmt: skip
    ax.set(ylabel="−log10 p", title="filled: significant when corrected")
    ax.legend(fontsize=8, loc="upper center")


def _by_region(ax: plt.Axes, found: pd.Series, acronym: pd.Series, label: str) -> None:
    """How many units of each region were tested, and how many are among those found."""
    counts = found.groupby(acronym.reindex(found.index).fillna("unknown")).agg(["sum", "size"]).sort_values("size")
    ax.barh(range(len(counts)), counts["size"], color=GREY, alpha=0.3, label="tested")
    ax.barh(range(len(counts)), counts["sum"], color=BLUE, label=label)
    ax.set_yticks(range(len(counts)), counts.index, fontsize=9)
    ax.set(xlabel="units")
    ax.legend(fontsize=8, loc="lower right")


def _draw_rates(ax: plt.Axes, rates: Peth, unit: int) -> None:
    mean, sem = (_by_condition(table, unit) for table in (rates.mean, rates.sem))
    for (label, rate), colour in zip(mean.iterrows(), COLOURS, strict=False):
        with_band(ax, rate, sem.loc[label], colour, label=str(label))
    if len(mean) > 1:
        ax.legend(title=mean.index.name, fontsize=8, title_fontsize=8)
    ax.axvline(0, color=ORANGE, lw=1)
    ax.set(xlabel=f"time from {_event(rates)} (s)", xlim=rates.window)


def _by_condition(table: pd.DataFrame, unit: int) -> pd.DataFrame:
    """The rows of one unit: one, or one for each condition."""
    return table.xs(unit, level="cluster") if table.index.nlevels > 1 else table.loc[[unit]]


def _event(rates: Peth) -> str:
    return EVENTS.get(rates.events, rates.events)
