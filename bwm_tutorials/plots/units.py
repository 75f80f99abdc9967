"""Units and the probe that they were recorded with."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from .style import BLUE, say


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
    runs = (channels["acronym"] != channels["acronym"].shift()).cumsum()
    regions = channels.groupby(runs).agg({"acronym": "first", "axial_um": ["min", "max"]})
    for index, (acronym, low, high) in enumerate(regions.itertuples(index=False)):
        ax.axhspan(low - 10, high + 10, color=BLUE, alpha=0.12 if index % 2 else 0.03, lw=0)
        if high - low > 60:  # µm: a label in less would run into its neighbours
            ax.text(1.01, (low + high) / 2, acronym, va="center", fontsize=8, transform=ax.get_yaxis_transform())
    good = clusters["label"] == 1
    for units, marker, face, label in ((~good, "o", "none", "other units"), (good, "o", BLUE, "good units")):
        shown = clusters[units]
        ax.plot(shown["firing_rate"], shown["depths"], marker, color=BLUE, mfc=face, ms=5, lw=0, label=label)
    ax.set(xscale="log", xlabel="firing rate (Hz)", ylabel="depth from the tip (µm)", ylim=(0, None))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.09), ncols=2)
    names = ", ".join(dict.fromkeys(regions["acronym", "first"]))
    say(f"{good.sum()} of {len(clusters)} units are good. From the tip upwards the probe runs through {names}.")
    return fig
