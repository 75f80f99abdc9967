"""The lessons' figures with handles."""

from collections.abc import Iterable
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import plots
from ..analysis.blocks import biased
from ..analysis.passive import flashes, part, rf_maps
from ..analysis.spikes import around, counts_in_intervals, peth, smoothed
from ..analysis.trials import PSYCHOMETRIC, fit_psychometric, select, signed_contrast, stimulus_side
from ..console import say
from ..errors import DataError, TooFew
from ..recordings.insertion import Insertion
from ..recordings.session import Session
from .handles import ANY, NARROW, WIDE, drawn, framed, with_handles


def psychometric(table: pd.DataFrame) -> ipywidgets.Widget:
    """A psychometric curve whose four parameters are handles, over the data and beside the best fit.

    Parameters
    ----------
    table : DataFrame
        As `trials.psychometric` gives it; four contrasts or more.
    """
    best = fit_psychometric(table)
    starts = {"bias": 0.0, "threshold": 50.0, "lapse_low": 0.0, "lapse_high": 0.0}
    handles = {
        name: ipywidgets.FloatSlider(starts[name], min=low, max=high, step=step, description=name, layout=WIDE)
        for (name, (low, high)), step in zip(PSYCHOMETRIC.items(), (0.5, 0.1, 0.01, 0.01), strict=True)
    }
    return with_handles(lambda **hand: plots.psychometric_by_hand(table, [hand], best), handles)


def trial_viewer(session: Session) -> ipywidgets.Widget:
    """The trials of a session, one at a time: ◀ and ▶ go through those that fit the filters.

    Parameters
    ----------
    session : Session
        Wheel and licks are drawn where it has them; by the first movement one can filter where the trials have it.
    """
    trials = session.trials
    contrasts = np.unique(np.abs(signed_contrast(trials)))
    wheel, licks = (getattr(session, name) if session.has(name) else None
                    for name in ("wheel", "licks"))  # fmt: skip
    filters: dict[str, list] = {
        "side": [("left", -1), ("right", 1)],
        "contrast": [(f"{level:g} %", level) for level in contrasts],
        "outcome": [(name, name) for name in ("rewarded", "not rewarded", "no choice")],
    }
    if "firstMovement_times" in trials:
        filters["timing"] = [(name, name) for name in ("early", "in time", "late")]

    def draw(number: int, **fits: Any) -> Figure:
        found = select(trials, **{name: value for name, value in fits.items() if value != ANY})
        if found.empty:
            raise DataError(f"No trial fits these filters: set one of them to '{ANY}'.")
        at = number % len(found)
        say(f"{at + 1} of {len(found)} trials that fit.")
        return plots.trial_panels(found.iloc[[at]], wheel, licks)

    number = ipywidgets.IntText(value=0, description="number")
    chosen = {
        name: ipywidgets.Dropdown(options=[(ANY, ANY), *options], description=name, layout=NARROW)
        for name, options in filters.items()
    }
    steps = [ipywidgets.Button(description=sign, tooltip=tip) for sign, tip in (("◀", "previous"), ("▶", "next"))]
    for button, step in zip(steps, (-1, 1), strict=True):
        button.on_click(lambda _, step=step: setattr(number, "value", number.value + step))
    rows = [ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}) for row in ([number, *steps], list(chosen.values()))]
    return framed(*rows, *drawn(draw, {"number": number, **chosen}))


def unit_browser(probe: Insertion, units: Iterable[int] | None = None) -> ipywidgets.Widget:
    """One unit at a time, drawn by `plots.unit_panels`.

    Parameters
    ----------
    probe : Insertion
    units : iterable of int, optional
        Which, in which order; default all.
    """
    options = [int(unit) for unit in (probe.clusters.index if units is None else units)]
    if not options:
        raise TooFew(f"{probe.session.name} {probe.name} has no such units to browse.")
    handle = ipywidgets.SelectionSlider(options=options, description="unit", layout=WIDE)

    def draw(unit: int) -> Figure:
        return plots.unit_panels(probe.spikes, probe.clusters, probe.waveforms, [unit])

    return with_handles(draw, {"unit": handle})


def peth_explorer(session: Session, probe: Insertion) -> ipywidgets.Widget:
    """The mean rate of any good unit around any event, by any condition, in bins of any width.

    Parameters
    ----------
    session : Session
    probe : Insertion
    """
    trials, spikes, units = session.trials, probe.good_spikes, _good_units(probe)
    conditions = {
        "all trials": None,
        "side of the stimulus": pd.Series(stimulus_side(trials), name="stimulus").map({-1: "left", 1: "right"}),
        "choice": trials["choice"].map({1: "left", -1: "right"}),
        "feedback": trials["feedbackType"].map({1: "reward", -1: "no reward"}).rename("feedback"),
        "block": pd.Series(biased(trials["probabilityLeft"]), name="block").map({0.8: "left", 0.2: "right"}),
    }
    events = {name: event for event, name in plots.responses.EVENTS.items() if event in trials}

    def draw(unit: int, event: str, condition: str, bin_size: float, smoothing: float) -> Figure:
        rates = peth(spikes, trials[event], (-0.4, 0.6), bin_size, [unit], conditions[condition])
        return plots.rates_around([smoothed(rates, smoothing)], unit)

    return with_handles(
        draw,
        {
            "unit": ipywidgets.Dropdown(options=units, description="unit"),
            "event": ipywidgets.Dropdown(options=events, description="event"),
            "condition": ipywidgets.Dropdown(options=list(conditions), description="by"),
            "bin_size": ipywidgets.Dropdown(options=[0.005, 0.01, 0.02, 0.05, 0.1], value=0.02, description="bin (s)"),
            "smoothing": ipywidgets.Dropdown(options=[0, 0.01, 0.02, 0.05], description="smooth (s)"),
        },
    )


def _good_units(probe: Insertion) -> list[int]:
    """The good units that fire, by cluster id; TooFew where there is none."""
    units = np.unique(probe.good_spikes["clusters"]).tolist()
    if not units:
        raise TooFew(f"{probe.session.name} {probe.name} has no good unit that fires.")
    return units


def rf_browser(session: Session, probe: Insertion) -> ipywidgets.Widget:
    """The receptive-field maps of any good unit, in a window of any lag from the flash.

    Parameters
    ----------
    session : Session
        With the receptive-field part of the passive protocol.
    probe : Insertion
    """
    spikes, units = probe.good_spikes, _good_units(probe)
    mapping = part(session.passive, "RFM")
    shown = flashes(mapping["rf_times"], mapping["rf_frames"])

    def draw(unit: int, lag: float, seconds: float) -> Figure:
        window = around(shown["time"], (lag, lag + seconds))
        return plots.rf_maps(rf_maps(counts_in_intervals(spikes, window, [unit]), shown), [unit])

    return with_handles(
        draw,
        {
            "unit": ipywidgets.Dropdown(options=units, description="unit"),
            "lag": ipywidgets.FloatSlider(0.05, min=-0.2, max=0.4, step=0.05, description="lag (s)", layout=WIDE),
            "seconds": ipywidgets.Dropdown(options=[0.05, 0.1, 0.2], value=0.2, description="window (s)"),
        },
    )


def pose_player(session: Session, probe: Insertion | None = None) -> ipywidgets.Widget:
    """The tracked points of any moment of any trial, with the wheel and the spikes of the trial.

    Parameters
    ----------
    session : Session
        Its left camera is played, or where there is none the right one, mirrored; the wheel is drawn where it has one.
    probe : Insertion, optional
        Whose good units are drawn.

    Raises
    ------
    MissingDataset
        The session has neither side camera.
    """
    camera = "right" if session.has("pose", "right") and not session.has("pose", "left") else "left"
    pose = session.pose(camera, keypoints=list(plots.pose.POINTS))
    pose = pose[["times", *(f"{point}_{what}" for point in plots.pose.POINTS for what in ("x", "y", "likelihood"))]]
    wheel = session.wheel if session.has("wheel") else None
    spikes = probe.good_spikes if probe else None
    filmed = session.trials["stimOn_times"].between(pose["times"].iloc[0], pose["times"].iloc[-1])

    if not filmed.any():
        raise TooFew(f"The {camera} camera filmed no trial of {session.name}.")

    def draw(trial: int, moment: float) -> Figure:
        return plots.trial_pose(pose, session.trials.loc[trial], [moment], camera, wheel, spikes)

    return with_handles(
        draw,
        {
            "trial": ipywidgets.SelectionSlider(options=session.trials.index[filmed], description="trial", layout=WIDE),
            "moment": ipywidgets.FloatSlider(0.0, min=-0.5, max=2.5, step=0.02, description="time (s)", layout=WIDE),
        },
    )
