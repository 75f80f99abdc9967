"""The scorecard: what was found, held against what was put in, against nothing, and against the real map."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .style import BLUE, GREY, ORANGE, minus, need, say

WIDTH, ROW, HEAD = 8.5, 0.62, 0.45  # in
COLUMNS = {  # heading, colour, and centre as a fraction of the width
    "found": ("● found here", BLUE, 0.575),
    "put_in": ("◇ put in", ORANGE, 0.68),
    "null": ("▮ found in the null\n(95 % of it)", GREY, 0.8),
    "published": ("published", "k", 0.925),
}


def scorecard(rows: Mapping[str, Mapping[str, Any]]) -> Figure:
    """How an inference ends: found here, put in, found where there is nothing, published for the real map.

    Parameters
    ----------
    rows : mapping of str to mapping
        Quantity with its unit → ``found`` (float); ``put_in`` (float, or None where it is unknown, as on every real
        recording); ``null`` (array of what the same analysis finds in nothing, or None where no null applies);
        ``published`` (str with its reference, or None).
    """
    need(rows, "quantities")
    height = HEAD + ROW * len(rows)
    fig = plt.figure(figsize=(WIDTH, height), layout="none")
    for heading, colour, x in COLUMNS.values():
        fig.text(x, 1, heading, ha="center", va="top", fontsize=9, color=colour)
    for index, (quantity, row) in enumerate(rows.items()):
        low = 1 - (HEAD + ROW * (index + 0.75)) / height
        ax = fig.add_axes((0.3, low, 0.22, 0.3 / height))
        null = row.get("null")
        limits = None if null is None or np.isnan(null).all() else np.nanpercentile(null, [2.5, 97.5])
        _draw(ax, row["found"], row.get("put_in"), limits)
        fig.text(0.28, low + 0.15 / height, quantity, ha="right", va="center", fontsize=9, wrap=True)
        cells = {
            "found": _number(row["found"]),
            "put_in": _number(row.get("put_in"), "unknown"),
            "null": "no null" if limits is None else _span(limits),
            "published": row.get("published") or "–",
        }
        for name, text in cells.items():
            fig.text(COLUMNS[name][-1], low + 0.15 / height, text, ha="center", va="center", fontsize=9)
        say(f"{quantity}: {_verdict(row['found'], row.get('put_in'), limits)}")
    return fig


def _draw(ax: plt.Axes, found: float, put_in: float | None, limits: np.ndarray | None) -> None:
    ax.axvline(0, color=GREY, lw=0.6)  # also where it is far: a difference is small or large against something
    if limits is not None:
        ax.axvspan(*limits, color=GREY, alpha=0.25, lw=0)
    if put_in is not None:
        ax.plot(put_in, 0, "D", ms=8, mfc="none", mec=ORANGE, mew=1.5)
    ax.plot(found, 0, "o", ms=5, color=BLUE)
    ax.set(yticks=[], ylim=(-1, 1))
    ax.margins(x=0.15)
    ax.locator_params(axis="x", nbins=4)
    ax.tick_params(labelsize=7, length=2)
    ax.spines["left"].set_visible(False)


def _verdict(found: float, put_in: float | None, limits: np.ndarray | None) -> str:
    if np.isnan(found):
        return "could not be computed here."
    words = [f"found {_number(found)}", f"put in {_number(put_in, 'unknown')}"]
    if limits is not None:
        outside = not limits[0] <= found <= limits[1]
        words.append(
            f"95 % of the null lies from {_span(limits)}, "
            + (
                "and what was found lies outside"
                if outside
                else "and what was found lies inside: these data cannot tell it from nothing"
            )
        )
    return "; ".join(words) + "."


def _number(value: float | None, unknown: str = "–", digits: int = 3) -> str:
    if value is None or np.isnan(value):
        return unknown
    return minus(np.format_float_positional(value, digits, fractional=False, trim="-"))


def _span(limits: np.ndarray) -> str:
    return " to ".join(_number(limit, digits=2) for limit in limits)
