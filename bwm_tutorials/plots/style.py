"""How figures look, and the stamp that each carries."""

import re
import textwrap
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import console
from ..errors import TooFew

if TYPE_CHECKING:
    from ..recordings.session import Session


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
    "figure.hooks": ["bwm_tutorials.plots.style:sign"],
}
plt.rcParams.update(STYLE)
_signature = "not stamped: bwm.plots.stamp(session) says what this is"


def stamp(*sessions: "Session") -> None:
    """Write on every later figure of this notebook which recordings it shows, and whether they are synthetic.

    Parameters
    ----------
    *sessions : Session
        One, or several when a figure shows several.
    """
    global _signature
    shown: dict[str, set[str]] = {}
    for session in sessions:
        seed = "" if session.seed is None else f" · seed {session.seed}"
        origin = f"synthetic sample{seed}" if session.synthetic else f"REAL · {session.details['subject']}"
        shown.setdefault(origin, set()).add("" if session.synthetic else str(session.details["date"]))
    _signature = "  |  ".join(
        f"{origin}, {len(days)} days" if len(days) > 1 else f"{origin} {days.pop()}".rstrip()
        for origin, days in shown.items()
    )
    plt.rcParams.update(STYLE)  # again: a style that was chosen since may have taken the signature away


@contextmanager
def stamped(session: "Session") -> Iterator[None]:
    """Write on the figures drawn in here what they show; on later ones what was written before."""
    global _signature
    before = _signature
    stamp(session)
    try:
        yield
    finally:
        _signature = before


def sign(figure: Figure, signature: str | None = None) -> None:
    """Sign a figure with the stamp; matplotlib calls this for each new one (rcParams ``figure.hooks``).

    A figure of other recordings than those of the notebook is signed again, with its own ``signature``.
    """
    for text in figure.findobj(lambda artist: artist.get_gid() == "stamp"):
        text.remove()
    figure.text(1, 0, signature or _signature, ha="right", va="top", fontsize=8, color=GREY, gid="stamp")


def need(things: Sized, what: str) -> None:
    """Refuse to draw nothing."""
    if not len(things):
        raise TooFew(f"There are no {what}, so there is nothing to draw.")


def with_limits(ax: plt.Axes, x: Sequence[float], table: pd.DataFrame, column: str, **style: Any) -> None:
    """Draw a column of a table with its limits, the columns ``low`` and ``high``; where these are NaN, without."""
    value = table[column]
    ax.errorbar(x, value, np.nan_to_num([value - table["low"], table["high"] - value]), **style)


def with_band(ax: plt.Axes, mean: pd.Series, sem: pd.Series, colour: str, **style: Any) -> None:
    """Draw a mean along its index, with a band of its standard error where that is known."""
    ax.fill_between(mean.index, mean - sem, mean + sem, color=colour, alpha=0.25, lw=0)
    ax.plot(mean.index, mean, color=colour, **style)


def say(text: str) -> None:
    """Print a sentence about a figure, in lines that fit a page, percent signs beside their numbers."""
    console.say(textwrap.fill(minus(text).replace(" %", "\xa0%"), 92).replace("\xa0", " "))


def minus(text: str) -> str:
    """A text whose negative numbers have the sign that matplotlib gives them; hyphens in names and dates stay."""
    return re.sub(r"(?<!\w)-(?=[.\d])", "−", text)


def percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"
