"""What an audit found: each seed a dot."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .style import BLUE, GREY, ORANGE, PURPLE, say, sign

if TYPE_CHECKING:
    from ..brainwide.auditing import Audit


def audit(result: "Audit") -> Figure:
    """The share of units that an analysis flags, in each seed, where something was put in and where nothing was.

    Parameters
    ----------
    result : Audit
        As `auditing.audit` gives it.
    """
    labels = {
        "false_positives": ("units of\nnull sessions", ORANGE),
        "others": (f"units that do not\nknow {result.variable}", PURPLE),
        "power": (f"units that know\n{result.variable}", BLUE),
    }
    n = len(result.summary)
    fig, ax = plt.subplots(figsize=(2.9 + 1.4 * n, 3.6))
    for x, (what, row) in enumerate(result.summary.iterrows()):
        rates = np.sort(100 * result.seeds[what].dropna())
        values, place, times = np.unique(rates, return_inverse=True, return_counts=True)
        beside = np.arange(rates.size) - np.searchsorted(rates, values)[place] - (times[place] - 1) / 2  # equal ones
        across = x + np.array([-0.38, 0.38])
        ax.plot(x + 0.6 * beside / max(times.max(), 8), rates, "o", color=labels[what][1], ms=4.5, alpha=0.75)
        ax.plot(across, [100 * row["rate"]] * 2, color=labels[what][1], lw=2.5)
        ax.plot(across, [100 * row["limit"]] * 2, "|-", color="k", lw=0.8, ms=6,
                label=None if x else "most that passes")  # fmt: skip
    ax.axhline(100 * result.alpha, color=GREY, lw=1, ls="--", zorder=0, label=f"level, {100 * result.alpha:g} %")
    ax.plot([], [], color="k", lw=2.5, label="mean of the seeds")
    ax.plot([], [], "o", color="k", ms=4.5, label="a seed")
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), reverse=True)
    ax.set_xticks(range(n), [labels[what][0] for what in result.summary.index])
    ax.set(ylabel="units flagged (%)", xlim=(-0.6, n - 0.4), title=result.name)
    seeds = result.seeds.index
    sign(fig, f"synthetic audit · seeds {seeds[0]} to {seeds[-1]}")
    say(result.verdict)
    return fig
