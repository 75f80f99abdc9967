"""The passive protocol: its parts, receptive fields, and the replay held against the task."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.passive import PIXEL, SIGNS, RfMaps, degrees
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, need, percent, say

PARTS = {"spontaneousActivity": "spontaneous activity", "RFM": "receptive fields", "taskReplay": "replay of the task"}
KINDS = {"gabor": BLUE, "valve": ORANGE, "tone": GREEN, "noise": PURPLE}
PLURAL = {"gabor": "gabors", "valve": "openings of the valve", "tone": "tones", "noise": "bursts of noise"}
ONE_PIXEL = 1.64  # z above which 5 % lie by chance, if it is of one pixel that was chosen beforehand


def passive_protocol(
    intervals: pd.DataFrame, events: pd.DataFrame | None = None, frame: np.ndarray | None = None
) -> Figure:
    """The parts of the protocol on the clock, what the replay holds, and a frame of the receptive-field stimulus.

    Parameters
    ----------
    intervals : DataFrame
        As `Session.passive` has it.
    events : DataFrame, optional
        As `passive.replayed` gives it.
    frame : ndarray, shape (n_rows, n_columns), optional
    """
    fig, (ax, screen) = plt.subplots(1, 2, figsize=(8.8, 2.9), width_ratios=[2.2, 1])
    start, told, played = intervals.loc["start"].min(), [], []
    for (name, label), colour in zip(PARTS.items(), (GREY, GREEN, BLUE), strict=True):
        first, last = (intervals.get(name, pd.Series(np.nan, ["start", "stop"])) - start) / 60
        if np.isnan(first):
            continue
        ax.broken_barh([(first, last - first)], (4.2, 0.9), color=colour, alpha=0.3, lw=0)
        ax.text((first + last) / 2, 4.65, label, ha="center", va="center", fontsize=9)
        told.append(f"{label} {last - first:.1f} min")
    if events is not None:
        for row, (kind, colour) in enumerate(KINDS.items()):
            times = events["time"][events["kind"] == kind]
            ax.plot((times - start) / 60, np.full(len(times), 3 - row), "|", color=colour, ms=9, mew=0.7)
            played.append(f"{len(times)} {PLURAL[kind]}")
        ax.set_yticks(range(4), [*KINDS][::-1])
    else:
        ax.set_yticks([])
    ax.set(xlabel="time from the beginning of the protocol (min)", ylim=(-0.6, 5.4))
    if frame is None:
        screen.set_axis_off()
        screen.text(0.5, 0.5, "no receptive-field\nstimulus", ha="center", va="center", transform=screen.transAxes)
    else:
        screen.imshow(frame, cmap="gray", vmin=0, vmax=255, extent=_extent(frame.shape), interpolation="none")
        _degrees(screen)
        screen.set_title("one frame")
    say(
        f"{'; '.join(told) or 'No part of it is recorded'}. "
        + (f"In the replay: {', '.join(played)}." if played else "No replay is recorded.")
    )
    return fig


def rf_maps(maps: RfMaps, units: Sequence[int]) -> Figure:
    """What units do after a white or black flash of each pixel.

    Parameters
    ----------
    maps : RfMaps
        As `passive.rf_maps` gives it.
    units : sequence of int
        Cluster ids, a column of panels each.
    """
    need(units, "units")
    fig, axes = plt.subplots(2, len(units), figsize=(2.7 * len(units) + 0.5, 4.3), squeeze=False)
    shape = maps.rate.shape[2:]
    for column, unit in zip(axes.T, units, strict=True):
        at = maps.units.get_loc(unit)
        change = maps.rate[at] - maps.mean[at]
        most = max(np.nanmax(np.abs(change)), 1e-9)
        for ax, shown, sign in zip(column, change, SIGNS, strict=True):
            image = ax.imshow(shown, "RdBu_r", vmin=-most, vmax=most, extent=_extent(shape), interpolation="none")
            _degrees(ax, left=unit == units[0], bottom=sign == SIGNS[-1])
            ax.set_title(f"unit {unit}, {'white' if sign == 'on' else 'black'}")
        fig.colorbar(image, ax=column, label="rate, less its mean (Hz)", shrink=0.6, aspect=25, location="right")
        sign, row, col = np.unravel_index(maps.z[at].argmax(), maps.z[at].shape)
        azimuth, elevation = degrees(row, col, shape)
        say(
            f"Unit {unit}, {maps.window[0]:g} to {maps.window[1]:g} s from a flash: {maps.mean[at]:.1f} Hz on average; "
            f"after smoothing farthest above it (z {maps.z[at].max():.1f}) at azimuth {azimuth:.0f}°, elevation "
            f"{elevation:.0f}°, {'white' if sign == 0 else 'black'}."
        )
    return fig


def best_pixels(fields: pd.DataFrame, chance: pd.DataFrame, truth: pd.DataFrame | None = None) -> Figure:
    """Which units have a receptive field: their best pixels against the best by chance, and where the fields lie.

    Parameters
    ----------
    fields : DataFrame
        As `passive.receptive_fields` gives it.
    chance : DataFrame
        As `passive.best_by_chance` gives it.
    truth : DataFrame, optional
        By cluster id ``rf_row``, ``rf_column`` (pixels, NaN without a field), as `Insertion.truth` has them.
    """
    need(fields, "units")
    found, n = fields["p_adjusted"] < 0.05, len(fields)
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.6), width_ratios=[1.25, 1])
    bins = np.arange(np.floor(min(fields["z"].min(), 0)), fields["z"].max() + 1, 0.5)
    left.hist(chance.to_numpy().ravel(), bins, weights=np.full(chance.size, n / chance.size), color=GREY, alpha=0.4,
              label="best by chance")  # fmt: skip
    left.hist([fields["z"][found], fields["z"][~found]], bins, stacked=True, color=[BLUE, "none"], ec=BLUE,
              label=["a field", "no field"])  # fmt: skip
    left.axvline(ONE_PIXEL, color=ORANGE, ls="--", lw=1.2, label="5 % of single pixels\nlie above by chance")
    left.set(xlabel="z of the best pixel", ylabel="units")
    left.legend(fontsize=8)
    for sign, marker, colour in zip(SIGNS, "os", (ORANGE, BLUE), strict=True):
        shown = fields[found & (fields["sign"] == sign)]
        label = "white" if sign == "on" else "black"
        right.plot(shown["azimuth"], shown["elevation"], marker, color=colour, ms=6, mfc="none", label=label)
    right.set(xlim=(-60, 60), ylim=(-60, 60), aspect="equal", xlabel="azimuth (°)", ylabel="elevation (°)")
    right.axhline(0, color=GREY, lw=0.5)
    right.axvline(0, color=GREY, lw=0.5)
    naive, by_chance = fields["z"] > ONE_PIXEL, (chance.to_numpy() > ONE_PIXEL).mean()
    text = (
        f"The best pixel has z above {ONE_PIXEL} in {naive.sum()} of {n} units, and by chance alone in "
        f"{percent(by_chance)}. Against the best by chance {(fields['p'] < 0.05).sum()} have p below .05, where "
        f"{0.05 * n:.0f} would by chance; {found.sum()} are left when corrected for the number of units."
    )
    if truth is not None:
        truth = truth.reindex(fields.index)
        has = truth["rf_row"].notna()
        text += f" {has.sum()} have a field by construction, {(has & found).sum()} of them among those found."
        if (both := has & found).any():
            x, y = degrees(truth["rf_row"], truth["rf_column"])
            right.plot(x[both], y[both], "+", color="k", ms=6, label="put in")
            between = [x, fields["azimuth"]], [y, fields["elevation"]]
            right.plot(*([a[both], b[both]] for a, b in between), color=GREY, lw=0.7, zorder=0)
            miss = np.hypot(x - fields["azimuth"], y - fields["elevation"])[both].median()
            text += f" Their centres lie {miss:.1f}° (median) from where they were put."
    if right.get_legend_handles_labels()[0]:
        right.legend(fontsize=8)
    say(text)
    return fig


def task_against_replay(
    task: pd.DataFrame, replay: pd.DataFrame, differ: pd.Series, knows: pd.Series | None = None
) -> Figure:
    """What the same stimulus does to each unit in the task and in its replay.

    Parameters
    ----------
    task, replay : DataFrame
        As `responses.responsive_units` gives them.
    differ : Series of bool
        By cluster id: whether the two responses were shown to differ.
    knows : Series of bool, optional
        By cluster id, what was put in: True for units that answer the stimulus itself.
    """
    change = [table["response"] - table["baseline"] for table in (replay, task)]
    significant = [table["p_adjusted"] < 0.05 for table in (replay, task)]
    either = significant[0] | significant[1]
    fig, ax = plt.subplots(figsize=(5.6, 4.4))
    kinds = {
        "in neither": (~either, "o", GREY),
        "in the task alone": (significant[1] & ~significant[0], "o", BLUE),
        "in the replay alone": (significant[0] & ~significant[1], "s", GREEN),
        "in both": (significant[0] & significant[1], "D", PURPLE),
    }
    for label, (units, marker, colour) in kinds.items():
        ax.plot(change[0][units], change[1][units], marker, color=colour, ms=5, alpha=0.85,
                label=f"{label}: {units.sum()}")  # fmt: skip
    differ = differ.reindex(task.index, fill_value=False).astype(bool)
    ax.plot(change[0][differ], change[1][differ], "o", color=ORANGE, mfc="none", ms=11, mew=1.3,
            label=f"shown to differ: {differ.sum()}")  # fmt: skip
    ends = np.array([min(c.min() for c in change), max(c.max() for c in change)])
    ax.plot(ends, ends, color=GREY, lw=0.8, ls=":")
    ax.axhline(0, color=GREY, lw=0.5)
    ax.axvline(0, color=GREY, lw=0.5)
    ax.set(xlabel="change after the stimulus in the replay (Hz)", ylabel="change in the task (Hz)")
    ax.legend(fontsize=8, title="significant, corrected", title_fontsize=8)
    alone = kinds["in the task alone"][0]
    text = (
        f"{significant[1].sum()} of {len(task)} units respond in the task ({task.attrs['n_trials']} trials), "
        f"{significant[0].sum()} in the replay ({replay.attrs['n_trials']}); {alone.sum()} in the task alone. The "
        f"two responses were shown to differ in {differ.sum()} of {len(task)}."
    )
    if knows is not None and alone.any():
        knows = knows.reindex(task.index)
        text += f" Of the {alone.sum()} of the task alone, {(alone & knows).sum()} answer the stimulus by construction."
    say(text)
    return fig


def on_off(maps: RfMaps, fields: pd.DataFrame, truth: pd.DataFrame | None = None) -> Figure:
    """How much white and how much black each unit with a field likes.

    Parameters
    ----------
    maps : RfMaps
    fields : DataFrame
        As `passive.receptive_fields` gives it.
    truth : DataFrame, optional
        By cluster id ``rf_sign``, as `Insertion.truth` has it.
    """
    found = (fields["p_adjusted"] < 0.05).to_numpy()
    on, off = maps.z.max(axis=(2, 3))[found].T
    signs = None if truth is None else truth["rf_sign"].reindex(fields.index[found]).to_numpy()
    fig, ax = plt.subplots(figsize=(4.6, 3.9))
    if signs is None:
        ax.plot(on, off, "o", color=BLUE)
    else:
        kinds = {"on": ("o", ORANGE), "off": ("s", BLUE), "both": ("D", PURPLE), "": ("x", GREY)}
        for sign, (marker, colour) in kinds.items():
            if (shown := signs == sign).any():
                ax.plot(on[shown], off[shown], marker, color=colour, label=f"put in: {sign or 'nothing'}")
        if found.any():
            ax.legend(fontsize=8)
    limit = max([*on, *off, 1]) * 1.05
    ax.plot([0, limit], [0, limit], color=GREY, lw=0.8, ls=":")
    ax.set(xlabel="z of the best white pixel", ylabel="z of the best black pixel", xlim=(0, limit), ylim=(0, limit))
    say(f"{(on > off).sum()} of {found.sum()} units with a field answer white more, {(off > on).sum()} black.")
    return fig


def rates_by_part(rates: pd.DataFrame) -> Figure:
    """Each unit's rate in two parts of the recording, beside the same for two halves of one part.

    Parameters
    ----------
    rates : DataFrame
        Units × four columns (Hz): the first two are compared with each other, and so are the last two.
    """
    seen = rates[(rates > 0).all(axis=1)]
    need(seen, f"units that fire in each of {', '.join(rates)}")
    fig, axes = plt.subplots(1, 2, figsize=(7.4, 3.5), sharex=True, sharey=True)
    told = []
    for ax, (x, y) in zip(axes, (rates.columns[:2], rates.columns[2:]), strict=True):
        ax.loglog(seen[x], seen[y], "o", color=BLUE, ms=4, alpha=0.7)
        ends = [seen.min().min(), seen.max().max()]
        ax.plot(ends, ends, color=GREY, lw=0.8, ls=":")
        ax.set(xlabel=f"rate, {x} (Hz)", ylabel=f"rate, {y} (Hz)")
        ratio = np.log2(seen[y] / seen[x])
        told.append(
            f"{y} against {x}: {(ratio > 0).sum()} of {len(seen)} units fire more, by a factor of "
            f"{2 ** ratio.median():.2f} (median), and half of them differ by more than a factor of "
            f"{2 ** ratio.abs().median():.2f}"
        )
    say(". ".join(told) + ".")
    return fig


def _extent(shape: tuple[int, int]) -> tuple[float, float, float, float]:
    high, wide = (PIXEL * size / 2 for size in shape)
    return -wide, wide, -high, high


def _degrees(ax: plt.Axes, left: bool = True, bottom: bool = True) -> None:
    """Axes in degrees from the middle of the screen; numbers at the left and at the bottom only."""
    ax.set(xticks=[-40, 0, 40], yticks=[-40, 0, 40])
    ax.tick_params(labelsize=8, labelleft=left, labelbottom=bottom)
    ax.set(xlabel="azimuth (°)" if bottom else "", ylabel="elevation (°)" if left else "")
    for spine in ax.spines.values():
        spine.set_visible(True)
