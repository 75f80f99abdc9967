"""What the cameras saw: points of the mouse, licks, paws and pupil, and the units that go along with them."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.pose import COMMON, common_pixels
from ..analysis.spikes import Peth
from .style import BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, minus, need, number, percent, say, scale, with_band
from .trial import stimulus_time, turned_since

PAWS = {"paw_r": BLUE, "paw_l": ORANGE}
TONGUE = ("tongue_end_l", "tongue_end_r")
PUPIL = ("pupil_top_r", "pupil_right_r", "pupil_bottom_r", "pupil_left_r")
POINTS = ("nose_tip", *PAWS, *TONGUE, *PUPIL, "tube_top", "tube_bottom")  # of a side camera
SURE = 0.9  # of likelihood
LABEL = {1: "left choice", -1: "right choice"}


def trial_pose(
    pose: pd.DataFrame,
    trial: pd.Series,
    moments: Sequence[float],
    camera: str = "left",
    wheel: Mapping | None = None,
    spikes: Mapping | None = None,
) -> Figure:
    """The tracked points at moments of a trial, and below them the wheel and the spikes of the trial.

    Parameters
    ----------
    pose : DataFrame
        All points of a side camera, as ``Session.pose`` gives them.
    trial : Series
        A row of the trials' table whose stimulus has a time; its name is the trial's number.
    moments : sequence of float
        s from the stimulus; three at most. Of each the nearest frame is drawn.
    camera : {'left', 'right'}
        The right one is drawn mirrored, as it was tracked.
    wheel : mapping, optional
        ``timestamps`` (s) and ``position`` (rad).
    spikes : mapping, optional
        ``times`` (s, sorted) and ``depths`` (µm from the tip).

    Raises
    ------
    ValueError
        The stimulus has no time, or the camera did not film the trial.
    """
    zero = stimulus_time(trial)
    times = pose["times"].to_numpy()
    if not times[0] <= zero <= times[-1]:
        raise ValueError(f"The {camera} camera did not film trial {trial.name}: take another trial.")
    frames = [int(np.abs(times - (zero + moment)).argmin()) for moment in moments]
    shown = common_pixels(pose.iloc[frames], camera, mirrored=camera == "right")
    limits = _limits(common_pixels(pose.iloc[:: max(1, len(pose) // 500)], camera, mirrored=camera == "right"))
    traces = [name for name, given in (("wheel", wheel), ("spikes", spikes)) if given is not None]
    fig = plt.figure(figsize=(max(2.8 * len(moments), 4.4), 3 + 1.2 * len(traces)))
    grid = fig.add_gridspec(1 + len(traces), len(moments), height_ratios=[3, *[1.1] * len(traces)])
    words = []
    for column, (_, points) in enumerate(shown.iterrows()):
        ax = fig.add_subplot(grid[0, column])
        _draw_points(ax, points, named=column == 0)
        ax.set(**limits, aspect="equal")
        ax.tick_params(labelsize=7)
        since = points["times"] - zero
        ax.set_title(_seconds(since), color=COLOURS[column], fontsize=9)
        out = min(points[f"{end}_likelihood"] for end in TONGUE) >= SURE
        words.append(f"{_seconds(since)}: frame {frames[column]}, tongue {'seen' if out else 'not seen'}")
    window = min(moments) - 0.4, max(moments) + 0.4
    marks = {"first movement": trial.get("firstMovement_times"), "feedback": trial.get("feedback_times")}
    for row, name in enumerate(traces, start=1):
        ax = fig.add_subplot(grid[row, :])
        if name == "wheel":
            at = np.linspace(*window, 800)
            ax.plot(at, turned_since(wheel, zero, at), color="k", lw=1.2)
            ax.set(ylabel="wheel (rad)")
        else:
            first, last = np.searchsorted(spikes["times"], np.add(window, zero))
            ax.plot(spikes["times"][first:last] - zero, spikes["depths"][first:last], "|", color="k", ms=3, mew=0.5)
            ax.set(ylabel="depth (µm)")
        ax.axvline(0, color="k", lw=0.8)
        for moment, colour in zip(moments, COLOURS, strict=False):
            ax.axvline(moment, color=colour, lw=1.5, alpha=0.8)
        for label, time in marks.items():
            if pd.notna(time) and window[0] < time - zero < window[1]:
                ax.axvline(time - zero, color=GREY, ls="--", lw=1)
                if row == 1:
                    ax.text(time - zero, 1.0, label, transform=ax.get_xaxis_transform(), fontsize=8, color=GREY,
                            ha="center", va="bottom")  # fmt: skip
        ax.set(xlim=window)
        if row == len(traces):
            ax.set_xlabel("time from stimulus onset (s)")
        else:
            ax.set_xticklabels([])
    fig.axes[0].set_ylabel(f"{camera} camera (px)")
    say(f"Trial {trial.name}. {'; '.join(words)}.")
    return fig


def licks(frames: np.ndarray, onsets: np.ndarray, rates: Mapping[str, Peth], around: float) -> Figure:
    """Lick times and licks: one bout from near by, and how many a second there are around feedback.

    Parameters
    ----------
    frames : ndarray
        s, of the frames with a moving tongue: ``Session.licks``.
    onsets : ndarray
        s, as `pose.lick_onsets` gives them.
    rates : mapping of str to Peth
        What was counted → its rate around feedback by outcome, as `spikes.peth` gives it of one "unit".
    around : float
        s, the reward whose bout is shown.
    """
    fig, axes = plt.subplots(1, 1 + len(rates), figsize=(8.6, 3), width_ratios=[1.3, *[1] * len(rates)])
    for height, (times, colour, name) in enumerate(((frames, GREY, "lick times"), (onsets, BLUE, "licks"))):
        shown = times[(times > around - 0.1) & (times < around + 0.9)] - around
        axes[0].vlines(shown, height + 0.1, height + 0.8, color=colour, lw=0.8 if height == 0 else 1.6)
        axes[0].text(-0.1, height + 0.85, f"{shown.size} {name}", color=colour, fontsize=9)
    axes[0].set(xlabel="time from one reward (s)", yticks=[], ylim=(0, 2.1), xlim=(-0.12, 0.92))
    axes[0].spines["left"].set_visible(False)
    told = []
    for ax, (name, peth) in zip(axes[1:], rates.items(), strict=True):
        mean = peth.mean.droplevel("cluster")
        for (outcome, rate), colour in zip(mean.iterrows(), COLOURS, strict=False):
            ax.plot(rate.index, rate, color=colour, label=outcome)
        ax.axvline(0, color="k", lw=0.8)
        ax.set(xlabel="time from feedback (s)", ylabel=f"{name} a second", ylim=(0, None))
        after = mean.loc[:, (mean.columns > 0.2) & (mean.columns < 0.7)].mean(axis=1)
        told.append(f"{name} {', '.join(f'{rate:.1f} a second after {outcome}' for outcome, rate in after.items())}")
    axes[1].legend(fontsize=8)
    say(f".2 to .7 s after feedback: {'; '.join(told)}.")
    return fig


def paw_and_wheel(traces: Mapping[str, pd.DataFrame], choice: pd.Series) -> Figure:
    """Movements around the first movement of the wheel, by the choice.

    Parameters
    ----------
    traces : mapping of str to DataFrame
        Name with its unit → trials × times (s), as `pose.around` gives them.
    choice : Series
        +1 left, −1 right, by the trials' numbers.
    """
    fig, axes = plt.subplots(1, len(traces), figsize=(2.9 * len(traces), 2.9), squeeze=False)
    told = []
    for ax, (name, trace) in zip(axes[0], traces.items(), strict=True):
        parts = {}
        for side, colour in ((1, BLUE), (-1, ORANGE)):
            rows = trace[choice.reindex(trace.index) == side]
            with_band(ax, rows.mean(), rows.sem(), colour, label=LABEL[side], ls="-" if side == 1 else "--")
            parts[side] = rows.loc[:, (trace.columns >= 0) & (trace.columns <= 0.2)].mean(axis=1).dropna()
        ax.axvline(0, color="k", lw=0.8)
        ax.set(xlabel="time from first movement (s)", ylabel=name)
        told.append(f"{name} {number(_auc(parts[1], parts[-1]), '.2f')}")
    axes[0, 0].legend(fontsize=8)
    say(
        "How often a left choice has more than a right one, in the first .2 s (.5: they do not differ; 0 or 1: they "
        f"never overlap): {'; '.join(told)}."
    )
    return fig


def choice_at_equal_movement(
    tests: Mapping[str, pd.DataFrame], pairs: Mapping[str, int], knows: pd.Series | None = None
) -> Figure:
    """How many units tell the choice among trials of equal movement.

    Parameters
    ----------
    tests : mapping of str to DataFrame
        What is equal → `responses.selectivity` of the choice; none where no trials can be compared.
    pairs : mapping of str to int
        What is equal → how many pairs of trials can be compared.
    knows : Series of bool, optional
        By cluster id, what was put in: True for units that know the choice. None on a real recording.
    """
    need(tests, "trials of equal movement to compare")
    fig, ax = plt.subplots(figsize=(7.5, 0.8 + 0.5 * len(pairs)))
    found = {name: table["p_adjusted"] < 0.05 for name, table in tests.items()}
    (first, *_), n = found.values(), len(next(iter(found.values())))
    need(first, "units")
    known = None if knows is None else knows.reindex(first.index)
    for row, (name, n_pairs) in enumerate(pairs.items()):
        if name not in found:
            ax.text(0, -row, "  no pair of trials", va="center", fontsize=8)
            continue
        units = found[name]
        right = units if known is None else units & known
        ax.barh(-row, right.sum(), color=BLUE, label="tell the choice" if known is None else "choice was put in")
        if known is not None:
            ax.barh(-row, (units & ~known).sum(), left=right.sum(), color=ORANGE, hatch="///", edgecolor="w", lw=0,
                    label="nothing of the choice put in")  # fmt: skip
        beside = f"  {units.sum()} {'unit' if units.sum() == 1 else 'units'}, {n_pairs:,} pairs of trials"
        ax.text(units.sum(), -row, beside, va="center", fontsize=8)
    ax.set_yticks(-np.arange(len(pairs)), list(pairs))
    ax.set(xlabel=f"units that tell the choice (of {n}, corrected)", xlim=(0, n))
    handles, labels = ax.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    ax.legend(unique.values(), unique.keys(), fontsize=8, loc="lower right")
    told = [f"{name} {found[name].sum() if name in found else 'cannot be asked'}" for name in pairs]
    say(f"Units of {n} that tell the choice, corrected: {'; '.join(told)}.")
    if known is not None:
        *_, last = found.values()
        say(
            f"{known.sum()} know it by construction; of these {(first & known).sum()} are found in the first row and "
            f"{(last & known).sum()} in the last."
        )
    return fig


def trackers(
    tracks: Mapping[str, tuple[np.ndarray, np.ndarray]], label: str, errors: Mapping[str, np.ndarray]
) -> Figure:
    """One point as trackers found it, and as it was, for some seconds; and how far off they are.

    Parameters
    ----------
    tracks : mapping of str to tuple
        Tracker, or ``"put in"`` → times (s) and coordinate.
    label : str
        Of the coordinate, with its unit.
    errors : mapping of str to ndarray
        Tracker → distance from what was put in, px; empty on a real recording.
    """
    need([times for times, _ in tracks.values() if len(times)], "frames")
    errors = {name: known for name, off in errors.items() if len(known := off[np.isfinite(off)])}
    n = 1 + bool(errors)
    fig, axes = plt.subplots(1, n, figsize=(8.6, 2.9), squeeze=False, width_ratios=[2, 1][:n])
    colours = {"dlc": ORANGE, "lightningPose": BLUE}
    zero = next(iter(tracks.values()))[0][0]
    for name, (times, values) in tracks.items():
        look = {"color": colours[name], "lw": 1.2} if name in colours else {"color": "k", "lw": 2.5, "alpha": 0.3}
        axes[0, 0].plot(times - zero, values, label=name, **look)
    axes[0, 0].set(xlabel=f"time from {zero:.1f} s (s)", ylabel=label)
    axes[0, 0].legend(fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    for name, off in errors.items():
        ordered = np.sort(off)
        axes[0, 1].plot(ordered, 1 - np.arange(ordered.size) / ordered.size, color=colours[name], label=name)
    if errors:
        axes[0, 1].set(xscale=scale(np.concatenate([*errors.values()])), yscale="log", xlim=(0.1, None),
                       xlabel="error (px)", ylabel="share of frames beyond it")  # fmt: skip
        told = [f"{name} {np.median(off):.2f} px in the median, above 20 px in {np.mean(off > 20):.2%} of frames"
                for name, off in errors.items()]  # fmt: skip
        say(f"Off by: {'; '.join(told)}.".replace("%", " %"))
    else:
        say("What is true of this recording is unknown, so how far off they are cannot be told.")
    return fig


def arousal(traces: Mapping[str, pd.DataFrame], outcome: pd.Series) -> Figure:
    """Traces around feedback by its outcome.

    Parameters
    ----------
    traces : mapping of str to DataFrame
        Name with its unit → trials × times (s), as `pose.around` gives them.
    outcome : Series
        A word for each trial, by its number.
    """
    fig, axes = plt.subplots(1, len(traces), figsize=(3.6 * len(traces), 2.9), squeeze=False)
    for ax, (name, trace) in zip(axes[0], traces.items(), strict=True):
        means = trace.groupby(outcome.reindex(trace.index)).mean()
        sems = trace.groupby(outcome.reindex(trace.index)).sem()
        for (label, mean), colour in zip(means.iterrows(), COLOURS, strict=False):
            with_band(ax, mean, sems.loc[label], colour, label=label)
        ax.axvline(0, color="k", lw=0.8)
        ax.set(xlabel="time from feedback (s)", ylabel=name)
        late, before = means.loc[:, means.columns > 0.8].mean(axis=1), means.loc[:, means.columns < 0].mean(axis=1)
        need(means, "trials of a known outcome")
        change = ", ".join(f"{number(value, '+.2f')} after {label}" for label, value in (late - before).items())
        say(f"{name}, from before feedback to .8 s after it and later: {change}.")
    axes[0, 0].legend(fontsize=8)
    return fig


def lags(correlations: pd.DataFrame, unit: int, far: float, p: pd.Series) -> Figure:
    """How one unit and a movement correlate at lags, and where the null lies.

    Parameters
    ----------
    correlations : DataFrame
        As `responses.circular_correlations` gives them.
    unit : int
        Cluster id.
    far : float
        s; shifts beyond it are the null.
    p : Series
        Of each unit, against those shifts.
    """
    shifts = correlations.columns.to_numpy()
    row = correlations.loc[unit]
    null = row[np.abs(shifts) > far]
    limits = np.percentile(null, [2.5, 97.5])
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 2.9), width_ratios=[1.6, 1])
    near = row[np.abs(shifts) <= 2]
    left.axhspan(*limits, color=GREY, alpha=0.25, lw=0, label=f"95 % of shifts beyond {far:g} s")
    chance = 1.96 / np.sqrt(len(shifts))
    left.axhspan(-chance, chance, color=PURPLE, alpha=0.35, lw=0, label="95 % of shuffled bins")
    left.plot(near.index, near, color=BLUE)
    left.axvline(0, color="k", lw=0.8)
    left.set(xlabel="unit lags the movement by (s)", ylabel="correlation", title=f"unit {unit}")
    left.legend(fontsize=8)
    right.hist(p, np.linspace(0, 1, 21), color=GREEN, alpha=0.8)
    right.axhline(len(p) / 20, color="k", ls="--", lw=1)
    right.set(xlabel="p, against far shifts", ylabel="units")
    peak = near.abs().idxmax()
    say(
        f"Unit {unit}: correlation farthest from 0 ({near[peak]:+.3f}) at a lag of {peak:+.2f} s. "
        f"95 % of far shifts lie from {limits[0]:.3f} to {limits[1]:.3f}, of shuffled bins within {chance:.3f}. "
        f"Against far shifts {(p < 0.05).sum()} of {len(p)} units have p below .05 ({percent((p < 0.05).mean())})."
    )
    return fig


def _draw_points(ax: plt.Axes, points: pd.Series, named: bool) -> None:
    def place(name: str) -> tuple[float, float]:
        return points[f"{name}_x{COMMON}"], points[f"{name}_y{COMMON}"]

    pupil = np.array([place(name) for name in (*PUPIL, PUPIL[0])]).T
    ax.plot(*pupil, color=PURPLE, lw=1.2)
    ax.plot(*np.array([place("tube_top"), place("tube_bottom")]).T, color=GREY, lw=3, solid_capstyle="round")
    ax.plot(*np.array([place("nose_tip"), pupil[:, :-1].mean(axis=1)]).T, color=GREY, lw=0.8, ls=":")
    looks = {name: ("o", 8, colour) for name, colour in PAWS.items()}
    looks |= (
        {"nose_tip": ("^", 7, "k")} | dict.fromkeys(TONGUE, ("s", 4, GREEN)) | dict.fromkeys(PUPIL, ("o", 3, PURPLE))
    )
    for name, (marker, size, colour) in looks.items():
        sure = points[f"{name}_likelihood"] >= SURE
        ax.plot(*place(name), marker, ms=size, color=colour, mfc=colour if sure else "none")
    if named:
        words = {"nose_tip": ("nose", "k"), PUPIL[1]: ("pupil", PURPLE), "tube_bottom": ("tube", GREY)}
        words[TONGUE[1]] = ("tongue", GREEN)
        words |= {name: (name, colour) for name, colour in PAWS.items()}
        for name, (word, colour) in words.items():
            below = name in PAWS
            ax.annotate(word, place(name), (0, -14) if below else (8, 0), textcoords="offset points", fontsize=8,
                        color=colour, ha="center" if below else "left", va="center")  # fmt: skip


def _limits(pose: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """The part of the picture in which the points are, for the axes; y downwards."""
    ends = [np.nanpercentile(pose[[f"{name}_{axis}{COMMON}" for name in POINTS]], [0.2, 99.8]) for axis in "xy"]
    (left, right), (top, bottom) = ends
    return {"xlim": (left - 40, right + 40), "ylim": (bottom + 45, top - 30)}


def _seconds(value: float) -> str:
    return minus(f"{value:+.2f} s")


def _auc(high: pd.Series, low: pd.Series) -> float:
    from scipy.stats import mannwhitneyu

    return mannwhitneyu(high, low).statistic / (len(high) * len(low)) if len(high) and len(low) else np.nan
