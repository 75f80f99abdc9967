"""The mouse's behaviour over many trials."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..analysis.trials import (
    chosen_side,
    fit_psychometric,
    psychometric_curve,
    psychometric_log_likelihood,
    signed_contrast,
)
from .style import BLUE, COLOURS, GREY, ORANGE, correlation, minus, need, number, percent, say, with_limits


def session_course(trials: pd.DataFrame, performance: pd.DataFrame) -> Figure:
    """A whole session: where the stimuli were likely and what the mouse reported, how well it did and how soon.

    Parameters
    ----------
    trials : DataFrame
        Columns contrastLeft, contrastRight, choice, probabilityLeft.
    performance : DataFrame
        As `trials.performance` gives it, with `trials.response_latency`.
    """
    need(trials, "trials")
    fig, (above, middle, below) = plt.subplots(3, 1, figsize=(8, 5.4), sharex=True, height_ratios=[1.5, 1, 1])
    at = np.arange(len(trials))
    likely = 1 - trials["probabilityLeft"].to_numpy()
    side = pd.Series(chosen_side(trials))
    right = (side > 0).where(side != 0).astype(float)
    unseen = signed_contrast(trials) == 0
    above.fill_between(at, 0.5, likely, step="mid", color=GREY, alpha=0.3, lw=0, label="P(stimulus right)")
    running = right.rolling(30, center=True, min_periods=15).mean()
    above.plot(at, running, color=BLUE, label="reports right, running mean of 30 trials")
    above.plot(at[unseen], 1.12 * right[unseen] - 0.06, "|", color=ORANGE, ms=7, label="reports at 0 % contrast")
    above.set(ylabel="fraction right", ylim=(-0.13, 1.13), yticks=[0, 0.5, 1])
    above.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=8)
    middle.plot(at, performance["correct"], color=BLUE)
    middle.axhline(0.5, color=GREY, lw=0.7)
    middle.set(ylabel="fraction rewarded", ylim=(0, 1.03))
    below.plot(at, performance["latency"], color=BLUE)
    below.set(ylabel="stimulus to\nresponse (s)", xlabel="trial", yscale="log", xlim=(0, len(trials)))
    below.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    below.yaxis.set_major_formatter("{x:g}")
    below.yaxis.set_minor_formatter(NullFormatter())
    fig.align_ylabels()
    none = int((side == 0).sum())
    words = f"{len(trials)} trials, {none} of them without a choice."
    correct, latency = performance["correct"].dropna(), performance["latency"].dropna()
    if correct.empty or latency.empty:
        say(f"{words} These are too few for a running window.")
        return fig
    (first, last), (soon, late) = correct.iloc[[0, -1]], latency.iloc[[0, -1]]
    say(
        f"{words} Rewarded: {percent(first)} at the start and {percent(last)} at the end; median time to a response "
        f"{soon:.2g} s and {late:.2g} s."
    )
    return fig


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
        with_limits(ax, table.index, table, "p_right", fmt="none", color=colour, lw=1, alpha=0.5)
        ax.plot(table.index, table["p_right"], marker, color=colour, ms=5, label=label)
        if fit and len(table) >= 4:
            ax.plot(fine, psychometric_curve(fit_psychometric(table), fine), color=colour)
        else:
            ax.plot(table.index, table["p_right"], color=colour)
    ax.set(xlabel="signed contrast (%): left −, right +", ylabel="P(report right)", ylim=(-0.03, 1.03))
    ax.set_xticks([-100, -50, -25, 0, 25, 50, 100])
    if any(not table.empty for table in curves.values()):
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
    told = []
    for ax, hand in zip(axes[0], hands, strict=True):
        likelihood = psychometric_log_likelihood(table, hand)
        with_limits(ax, table.index, table, "p_right", fmt="o", color=GREY, ms=4, lw=1)
        ax.plot(fine, psychometric_curve(best, fine), color=BLUE, lw=1, ls="--", label="best fit")
        ax.plot(fine, psychometric_curve(hand, fine), color=ORANGE, label="by hand")
        ax.set_title(minus(f"log likelihood {likelihood:.1f}"))
        ax.set(ylim=(-0.03, 1.03), xticks=[-100, 0, 100])
        told.append(f"bias {hand['bias']:g}, threshold {hand['threshold']:g}, lapse rates {hand['lapse_low']:g} and "
                    f"{hand['lapse_high']:g}: {likelihood:.1f}")  # fmt: skip
    axes[0, 0].set_ylabel("P(report right)")
    axes[0, 0].legend(loc="upper left", fontsize=8)
    fig.supxlabel("signed contrast (%): left −, right +", fontsize=10)
    say(f"Log likelihood with {'; with '.join(told)}. The best fit has {best['log_likelihood']:.1f}.")
    return fig


def beliefs(p_left: np.ndarray, estimates: Mapping[str, np.ndarray], trials: slice = slice(80, 300)) -> Figure:
    """Estimates of where the next stimulus will be, trial by trial, over the blocks.

    Parameters
    ----------
    p_left : array-like, shape (n_trials,)
        The column ``probabilityLeft``.
    estimates : mapping of str to ndarray
        Name → P(left) before each trial; four at most.
    trials : slice
        Which are drawn; all of a session that ends before them.
    """
    p_left = np.asarray(p_left)
    need(p_left, "trials")
    fig, ax = plt.subplots(figsize=(8, 3.2))
    if not p_left[trials].size:
        trials = slice(None)
    at = np.arange(p_left.size)[trials]
    ax.fill_between(at, 0.5, p_left[trials], step="mid", color=GREY, alpha=0.3, lw=0, label="block")
    for (name, estimate), colour in zip(estimates.items(), COLOURS, strict=False):
        ax.plot(at, estimate[trials], color=colour, lw=1.3, label=name)
    ax.set(xlabel="trial", ylabel="P(stimulus left)", ylim=(0, 1), xlim=(at[0], max(at[-1], at[0] + 1)))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=5, fontsize=8)
    if len(values := np.unique(p_left[np.isfinite(p_left)])) > 1:
        told = ", ".join(f"{name} {number(correlation(each, p_left), '.2f')}" for name, each in estimates.items())
        say(f"Correlation with the block over all {p_left.size} trials: {told}.")
    else:
        known = f"was {values[0]:g}" if len(values) else "is not known"
        say(f"In all {p_left.size} trials P(left) {known}: there is no block to follow.")
    return fig


def learning(days: Mapping[str, pd.DataFrame]) -> Figure:
    """The psychometric curves of one mouse, day by day.

    Parameters
    ----------
    days : mapping of str to DataFrame
        Name of the day → table, as `trials.psychometric` gives it; in order.
    """
    fig, axes = plt.subplots(1, len(days), figsize=(9, 2.7), sharey=True, squeeze=False)
    fine = np.linspace(-100, 100, 401)
    told = []
    for ax, (day, table) in zip(axes[0], days.items(), strict=True):
        fit = fit_psychometric(table)
        ax.axhline(0.5, color=GREY, lw=0.7)
        with_limits(ax, table.index, table, "p_right", fmt="o", color=BLUE, ms=3, lw=1)
        ax.plot(fine, psychometric_curve(fit, fine), color=BLUE)
        ax.set(title=day, ylim=(-0.03, 1.03), xticks=[-100, 0, 100])
        lapses = fit[["lapse_low", "lapse_high"]].mean()
        told.append(f"{day}: threshold {fit['threshold']:.0f} %, lapse rate {percent(lapses)}")
    axes[0, 0].set_ylabel("P(report right)")
    fig.supxlabel("signed contrast (%): left −, right +", fontsize=10)
    say(f"{'; '.join(told)} (mean of both sides).")
    return fig


def among_mice(fits: pd.DataFrame, ranges: Mapping[str, tuple[float, float]]) -> Figure:
    """Fitted psychometric parameters of sessions, against the range of many mice.

    Parameters
    ----------
    fits : DataFrame
        One row a session, as `trials.fit_psychometric` gives them.
    ranges : mapping of str to tuple
        Parameter → lower and upper end, drawn as a band; one panel each.
    """
    need(fits, "sessions")
    fig, axes = plt.subplots(1, len(ranges), figsize=(9, 1.2 + 0.24 * len(fits)), sharey=True, squeeze=False)
    units = {"bias": "bias (% contrast)", "threshold": "threshold (% contrast)"}
    for ax, (name, (low, high)) in zip(axes[0], ranges.items(), strict=True):
        ax.axvspan(low, high, color=GREY, alpha=0.25, lw=0)
        ax.plot(fits[name], range(len(fits)), "o", color=BLUE)
        ax.set(xlabel=units.get(name, f"{name.replace('_', ' rate ')} (fraction)"), ylim=(len(fits) - 0.5, -0.5))
    axes[0, 0].set_yticks(range(len(fits)), fits.index, fontsize=9)
    inside = [f"{name} {fits[name].between(*ends).sum()}" for name, ends in ranges.items()]
    say(f"Of {len(fits)} sessions inside the range of the real mice: {', '.join(inside)}.")
    return fig


def _describe_psychometric(table: pd.DataFrame) -> str:
    if table.empty:
        return "no trials."
    first, last = table.iloc[0], table.iloc[-1]
    ends = (
        f"reports right in {percent(first['p_right'])} of {first['n_trials']:.0f} trials at {table.index[0]:+g} % "
        f"contrast and in {percent(last['p_right'])} of {last['n_trials']:.0f} at {table.index[-1]:+g} %"
    )
    follows = first["high"] < last["low"]
    verdict = "so it follows the stimulus" if follows else "no clear effect of the stimulus"
    if 0 in table.index:
        zero = table.loc[0]
        unlike = zero["low"] > 0.5 or zero["high"] < 0.5
        half = "more than half" if zero["low"] > 0.5 else "less than half" if unlike else "not told apart from half"
        verdict += f"; at 0 % contrast {percent(zero['p_right'])} of {zero['n_trials']:.0f} are right, {half}"
    return f"{ends}, {verdict}."
