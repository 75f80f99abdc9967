"""The mouse's behaviour over many trials."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..trials import fit_psychometric, psychometric_curve, psychometric_log_likelihood
from .style import BLUE, COLOURS, GREY, ORANGE, percent, say


def psychometric(curves: Mapping[str, pd.DataFrame], fit: bool = True) -> Figure:
    """Psychometric curves: how often the mouse reported right, against the signed contrast.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Label → table, as `trials.psychometric` gives it; four at most. Error bars are its limits. A table without
        trials is named and not drawn.
    fit : bool
        Draw the fitted curve (`trials.fit_psychometric`) where there are contrasts enough, else join the points.
    """
    if isinstance(curves, pd.DataFrame):
        raise TypeError("Give the curves with their names, in a dictionary: psychometric({'my mouse': curve}).")
    if len(curves) > len(COLOURS):
        raise ValueError(f"{len(curves)} curves cannot be told apart in one figure: draw {len(COLOURS)} at most.")
    fig, ax = plt.subplots(figsize=(6.5, 4))
    ax.axhline(0.5, color=GREY, lw=0.7)
    ax.axvline(0, color=GREY, lw=0.7)
    fine = np.linspace(-100, 100, 401)
    for (label, table), colour, marker in zip(curves.items(), COLOURS, "osD^", strict=False):
        say(f"{label}: {_describe_psychometric(table)}")
        if table.empty:
            continue
        limits = np.array([table["p_right"] - table["low"], table["high"] - table["p_right"]])
        ax.errorbar(table.index, table["p_right"], limits, fmt="none", color=colour, lw=1, alpha=0.5)
        ax.plot(table.index, table["p_right"], marker, color=colour, ms=5, label=label)
        if fit and len(table) >= 4:
            ax.plot(fine, psychometric_curve(fit_psychometric(table), fine), color=colour)
        else:
            ax.plot(table.index, table["p_right"], color=colour)
    ax.set(xlabel="signed contrast (%): left −, right +", ylabel="P(report right)", ylim=(-0.03, 1.03))
    ax.set_xticks([-100, -50, -25, 0, 25, 50, 100])
    ax.legend(loc="upper left")
    return fig


def psychometric_by_hand(table: pd.DataFrame, hands: Sequence[Mapping[str, float]], best: pd.Series) -> Figure:
    """Curves drawn by hand over the data, each in a panel, beside the best fit and with how likely both are.

    Parameters
    ----------
    table : DataFrame
        As `trials.psychometric` gives it.
    hands : sequence of mapping
        Each a curve: ``bias``, ``threshold``, ``lapse_low``, ``lapse_high``. Three at most.
    best : Series
        As `trials.fit_psychometric` gives it.
    """
    fig, axes = plt.subplots(1, len(hands), figsize=(2.4 + 2.1 * len(hands), 3.2), sharey=True, squeeze=False)
    fine = np.linspace(-100, 100, 401)
    limits = np.array([table["p_right"] - table["low"], table["high"] - table["p_right"]])
    told = []
    for ax, hand in zip(axes[0], hands, strict=True):
        likelihood = psychometric_log_likelihood(table, hand)
        ax.errorbar(table.index, table["p_right"], limits, fmt="o", color=GREY, ms=4, lw=1)
        ax.plot(fine, psychometric_curve(best, fine), color=BLUE, lw=1, ls="--", label="best fit")
        ax.plot(fine, psychometric_curve(hand, fine), color=ORANGE, label="by hand")
        ax.set_title(f"log likelihood {likelihood:.1f}".replace("-", "−"))
        ax.set(ylim=(-0.03, 1.03), xticks=[-100, 0, 100])
        told.append(f"bias {hand['bias']:g}, threshold {hand['threshold']:g}, lapse rates {hand['lapse_low']:g} and "
                    f"{hand['lapse_high']:g}: {likelihood:.1f}".replace("-", "−"))  # fmt: skip
    axes[0, 0].set_ylabel("P(report right)")
    axes[0, 0].legend(loc="upper left", fontsize=8)
    fig.supxlabel("signed contrast (%): left −, right +", fontsize=10)
    say(f"Log likelihood with {'; with '.join(told)}. The best fit has {best['log_likelihood']:.1f}.".replace("-", "−"))
    return fig


def _describe_psychometric(table: pd.DataFrame) -> str:
    if table.empty:
        return "no trials."
    first, last = table.iloc[0], table.iloc[-1]
    ends = (
        f"reports right in {percent(first['p_right'])} of {first['n_trials']:.0f} trials at {table.index[0]:+g} % "
        f"contrast and in {percent(last['p_right'])} of {last['n_trials']:.0f} at {table.index[-1]:+g} %"
    ).replace("-", "−")
    follows = first["high"] < last["low"]
    verdict = "so it follows the stimulus" if follows else "no clear effect of the stimulus"
    if 0 in table.index:
        zero = table.loc[0]
        unlike = zero["low"] > 0.5 or zero["high"] < 0.5
        half = "more than half" if zero["low"] > 0.5 else "less than half" if unlike else "not told apart from half"
        verdict += f"; at 0 % contrast {percent(zero['p_right'])} of {zero['n_trials']:.0f} are right, {half}"
    return f"{ends}, {verdict}."
