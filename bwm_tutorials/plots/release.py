"""The release: what is left of its units at each step of the selection, its history, and files in two versions."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import BLUE, GREEN, GREY, ORANGE, minus, need, percent, say, sign

KINDS = {"added": ("o", BLUE), "modified": ("s", GREEN), "fixed": ("D", ORANGE)}


def selection_steps(counts: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """How many units and regions each step of the selection leaves, here and in the release.

    Parameters
    ----------
    counts : DataFrame
        ``units`` and ``regions`` by step, as `release.step_counts` gives them.
    published : DataFrame
        The same of the release, as published, with the same index.
    """
    fig, axes = plt.subplots(1, 2, figsize=(8.5, 3), sharey=True)
    rows = np.arange(len(counts))
    for ax, what in zip(axes, ("units", "regions"), strict=True):
        for table, style in ((published, {"color": "k", "mfc": "none"}), (counts, {"color": BLUE})):
            ax.plot(table[what].where(table[what] > 0), rows, "o-", lw=1, **style)
            for row, value in enumerate(table[what]):
                if value > 0:
                    ax.annotate(f"{value:,}", (value, row), (7, -3), textcoords="offset points", fontsize=8)
        ax.set(xscale="log" if what == "units" else "linear", xlabel=what)
        ax.margins(x=0.25, y=0.08)
        ax.grid(axis="x", color=GREY, alpha=0.3, lw=0.6)
    axes[1].set_xlim(left=0)
    axes[0].set_yticks(rows, counts.index)
    axes[0].invert_yaxis()
    fig.legend(axes[0].lines, ["the release, as published", "here"], loc="outside upper center", ncols=2)
    first, last = counts.iloc[0], counts.iloc[-1]
    if not first["units"]:
        say("There are no sorted units here.")
        return fig
    lost = 1 - (counts["units"] / counts["units"].shift()).fillna(1)
    regions = -published["regions"].diff()
    say(
        f"Here {last['units']:,} of {first['units']:,} units are left, in {last['regions']} of {first['regions']} "
        f"regions; the step “{lost.idxmax()}” takes most, {percent(lost.max())}. Published: "
        f"{published['units'].iloc[-1]:,} of {published['units'].iloc[0]:,}, in {published['regions'].iloc[-1]} of "
        f"{published['regions'].iloc[0]}; most regions, {regions.max():.0f}, go at “{regions.idxmax()}”."
    )
    return fig


def history(changelog: pd.DataFrame) -> Figure:
    """When what was added to the release, modified or fixed, and in how many sessions.

    Parameters
    ----------
    changelog : DataFrame
        ``date`` (a day, or a quarter as ``2025-Q1``), ``entry``, ``kind``, ``sessions`` (NA where not known),
        ``on_page`` and ``link``, as `release.changelog` gives them.
    """
    fig, ax = plt.subplots(figsize=(8.5, 1.2 + 0.28 * len(changelog)))
    sign(fig, "REAL · the release, as published")
    rows = np.arange(len(changelog))
    quarter = changelog["date"].str.contains("Q").to_numpy()
    periods = [pd.Period(date.replace("-Q", "Q")) for date in changelog["date"]]
    starts = pd.DatetimeIndex([period.start_time for period in periods])
    stops = pd.DatetimeIndex([period.end_time.floor("D") for period in periods])
    middle = starts + (stops - starts) / 2
    ax.hlines(rows[quarter], starts[quarter], stops[quarter], color=GREY, lw=5, alpha=0.4)
    for kind, (marker, colour) in KINDS.items():
        of = changelog["kind"] == kind
        ax.plot(middle[of], rows[of], marker, color=colour, label=kind)
    for row, (_, entry) in enumerate(changelog.iterrows()):
        known = "" if pd.isna(entry["sessions"]) else f" · {entry['sessions']} sessions"
        unlisted = "" if entry["on_page"] else " · not on the page"
        late = middle[row] > middle.mean()  # its words stand before it, so that the axis can end with the last entry
        ax.annotate(f"{entry['entry']}{known}{unlisted}", (starts[row] if late else stops[row], row),
                    (-9 if late else 9, 0), textcoords="offset points", ha="right" if late else "left",
                    va="center", fontsize=9)  # fmt: skip
    shown = starts.min() - pd.Timedelta("60D"), stops.max()
    ax.set(xlabel="date (a grey bar is a quarter)", xlim=shown)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.invert_yaxis()
    ax.legend(loc="lower left")
    n = changelog["kind"].value_counts()
    inferred = (changelog["link"] == "inferred").sum()
    say(
        f"{len(changelog)} entries from {changelog['date'].iloc[0]} to {changelog['date'].iloc[-1]}: "
        + ", ".join(f"{n.get(kind, 0)} {kind}" for kind in KINDS)
        + f". Not on the page: {(~changelog['on_page']).sum()}. Link to the files inferred: {inferred}."
    )
    return fig


def two_sortings(older: pd.DataFrame, newer: pd.DataFrame) -> Figure:
    """Two sortings of one probe: each unit at its depth, by its firing rate.

    Parameters
    ----------
    older, newer : DataFrame
        Columns ``depths`` (µm from the tip), ``firing_rate`` (Hz) and ``label``, one row a unit.
    """
    fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.6), sharex=True, sharey=True)
    for ax, units, name in zip(axes, (older, newer), ("superseded", "newer"), strict=True):
        good = units["label"] == 1
        ax.plot(units["firing_rate"][~good], units["depths"][~good], "o", color=GREY, mfc="none", ms=5)
        ax.plot(units["firing_rate"][good], units["depths"][good], "o", color=BLUE, ms=5)
        ax.set(xscale="log", xlabel="firing rate (Hz)", title=f"{name}: {len(units)} units, {good.sum()} good")
    axes[0].set(ylabel="depth from the tip (µm)")
    fig.legend(axes[0].lines, ["other units", "good units"], loc="outside upper center", ncols=2)
    n_good = [(units["label"] == 1).sum() for units in (older, newer)]
    say(
        f"The superseded sorting has {len(older)} units, {n_good[0]} of them good; the newer {len(newer)} and "
        f"{n_good[1]}: {len(newer) / len(older):.2f} times as many units. A unit's number in one says nothing in the "
        "other."
    )
    return fig


def wheel_versions(turned: pd.DataFrame, choice: pd.Series) -> Figure:
    """How far the wheel turned in trials of either choice, by versions of its file.

    Parameters
    ----------
    turned : DataFrame
        rad from stimulus to response, as `wheel.displacement` gives it: one row a trial, one column a version.
    choice : Series
        +1 left, −1 right, 0 none, by trial.
    """
    fig, axes = plt.subplots(1, turned.shape[1], figsize=(8.5, 2.8), sharex=True, sharey=True, squeeze=False)
    most = np.nanquantile(turned.abs(), 0.98)
    bins = np.linspace(-most, most, 41)
    for ax, (version, turns) in zip(axes[0], turned.items(), strict=True):
        for side, value, colour in (("left", 1, BLUE), ("right", -1, ORANGE)):
            ax.hist(turns[choice == value], bins, color=colour, alpha=0.8, label=f"reported {side}")
        ax.axvline(0, color="k", lw=0.8)
        ax.set(xlabel="turn from stimulus to response (rad)", title=version)
        r = turns[choice != 0].corr(choice[choice != 0])
        clockwise = "as it should be: a report of left is a fall" if r < 0 else "flipped"
        say(minus(f"{version}: correlation of turn and choice {r:.2f}, {clockwise}."))
    axes[0, 0].set(ylabel="trials")
    axes[0, 0].legend(fontsize=8, loc="upper left", bbox_to_anchor=(0.08, 1))  # beside the bars
    return fig


def regions_by_session(units: pd.DataFrame, value: str, label: str, n: int = 200, seed: int = 0) -> Figure:
    """A measure of units by region: each session's median, and that of all units together, held against shuffled units.

    Parameters
    ----------
    units : DataFrame
        Columns ``Beryl``, ``eid`` and that of ``value`` (above 0), one row a unit.
    value : str
        The measure's column.
    label : str
        What it is, with its unit.
    n, seed : int
        How often units are shuffled: among the sessions of their region, where sessions are compared, and among all,
        where regions are.
    """
    need(units, f"units whose {label} is known")
    units = units.dropna(subset=[value]).sort_values("Beryl")  # by region, as the shuffles within one need it
    region, values = units["Beryl"].to_numpy(), units[value].to_numpy()
    pooled = units.groupby("Beryl")[value].median().sort_values()
    of_session = units.groupby(["Beryl", "eid"])[value].agg(["median", "size"]).reset_index()
    counts = units.groupby("Beryl")["eid"].agg(["size", "nunique"]).loc[pooled.index].to_numpy()
    rng = np.random.default_rng(seed)
    code = np.unique(region, return_inverse=True)[1]
    within = [values[np.lexsort((rng.random(len(values)), code))] for _ in range(n)]
    among = [rng.permutation(values) for _ in range(n)]
    medians = pd.DataFrame({i: pd.Series(v).groupby([region, units["eid"].to_numpy()]).median()
                            for i, v in enumerate(within)})  # fmt: skip
    chance = medians.quantile([0.025, 0.975], axis=1).T.groupby(level=0).agg({0.025: "min", 0.975: "max"})
    row = pd.Series(np.arange(len(pooled)), pooled.index)
    fig, ax = plt.subplots(figsize=(7.5, 1.3 + 0.27 * len(pooled)))
    ax.hlines(
        row[chance.index],
        chance[0.025],
        chance[0.975],
        color=GREY,
        alpha=0.35,
        lw=9,
        label="sessions of shuffled units, 95 %",
    )
    ax.scatter(of_session["median"], row[of_session["Beryl"]], s=6 * of_session["size"], color=BLUE, alpha=0.5, lw=0,
               label="a session (its area: units)")  # fmt: skip
    ax.plot(pooled, row, "|", color="k", ms=14, mew=2, label="all units together")
    ax.set_yticks(row, [f"{name} · {size} in {eids}" for name, (size, eids) in zip(pooled.index, counts, strict=True)])
    ax.set(xscale="log", xlabel=label, ylabel="region · units in sessions", ylim=(-0.7, len(row) - 0.3))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("{x:g}")
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=3, fontsize=8)
    say(f"{len(units)} units of {len(pooled)} regions.")
    eid = units["eid"].to_numpy()
    if (counts[:, 1] > 1).any():
        _say_spread("Within a region, medians of sessions", values, within, [region, eid])
    if len(pooled) > 1:
        _say_spread("Between regions, medians of all units", values, among, [np.zeros(len(region)), region])
    return fig


def _say_spread(what: str, values: np.ndarray, shuffled: list[np.ndarray], groups: list[np.ndarray]) -> None:
    """Say how many times medians of the second grouping differ within the first, at most, and what chance gives."""

    def most(of: np.ndarray) -> float:
        medians = pd.Series(of).groupby(groups).median().groupby(level=0)
        return (medians.max() / medians.min()).max()

    found = most(values)
    low, middle, high = np.quantile([most(of) for of in shuffled], [0.025, 0.5, 0.975])
    verdict = "more than chance gives" if found > high else "no more than chance gives"
    say(
        f"{what} differ by up to {found:.1f} times; with shuffled units by {middle:.1f} ({low:.1f} to {high:.1f}): "
        f"{verdict}."
    )
