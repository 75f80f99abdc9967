"""Which sessions there are, and what they cost."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import BLUE, GREY, need, say


def what_sessions_have(has: pd.DataFrame) -> Figure:
    """Which recordings have what: a square for each thing that each of them has.

    Parameters
    ----------
    has : DataFrame of bool
        One row for each thing, one column for each session, as `Session.available` tells them; NaN counts as no.
    """
    need(has.columns, "sessions")
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
    say(" ".join(f"{who} {', '.join(things)}." for who, things in told.items() if len(things)))
    return fig


def download_prices(prices: pd.Series) -> Figure:
    """What each part of a session costs to download.

    Parameters
    ----------
    prices : Series
        MB, by the name of the part, for example the sum of the files of a `download_plan`. What the session lacks has
        0 and is named, not drawn.
    """
    need(prices, "parts of a session")
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
    say(" ".join(words) or f"{shown.sum():.2g} MB for {', '.join(shown.index)}.")
    return fig
