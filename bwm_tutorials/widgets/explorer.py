"""The session explorer: any session of a source, trial by trial and unit by unit."""

from collections.abc import Callable, Sequence
from html import escape
from types import SimpleNamespace
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import plots
from ..analysis import pose
from ..analysis.spikes import peth
from ..analysis.trials import select, signed_contrast
from ..errors import DataError, TooFew
from ..plots import windows
from ..plots.explorer import panel_at, rates_below
from ..plots.responses import EVENTS
from ..plots.style import number, say, stamped
from ..plots.trial import stimulus_time
from ..plots.units import describe_unit
from ..recordings.datasets import TRACKERS
from ..recordings.insertion import Insertion
from ..recordings.remote.base import RemoteOne
from ..recordings.remote.plan import Plan, download_plan
from ..recordings.session import Session
from .handles import ANY, WIDE, framed, png, sentence, told

PAWS = ["paw_r", "paw_l"]
SECONDS = (2, 5, 10, 30, 60, 300)
BEFORE = 0.3  # of a window, that lies before the stimulus of the trial that was jumped to
NONE = ("none", ())  # of units to choose from; a slider takes no None
AROUND, BIN = (-0.4, 0.8), 0.02  # s, of the rates of a unit
# A picture cannot tell the kernel of a click; the value of a text field can, also of one that is not shown.
CLICKS = """
    widget.addEventListener('mousedown', (event) => {
        const picture = event.target, field = widget.querySelector('.bwm-click input');
        if (!picture.matches('.bwm-picture')) return;
        field.value = [event.offsetX / picture.clientWidth, 1 - event.offsetY / picture.clientHeight];
        field.dispatchEvent(new Event('change', {bubbles: true}));
    });
"""


def session_explorer(session: Session) -> ipywidgets.Widget:
    """All that was recorded in any session of a source, at any time: trials, wheel, pose, spikes, and units one by one.

    One session is held at a time. What a session lacks is said in its place. Of a source on a server the price is
    shown first, and nothing is fetched before ``fetch`` is pressed.

    Parameters
    ----------
    session : Session
        The one to begin with; the others are those of its source.
    """
    one = session.one
    handle = _handles(session)
    picture, unit_picture = (ipywidgets.Image(format="png") for _ in range(2))
    words, unit_words = (ipywidgets.HTML() for _ in range(2))
    picture.add_class("bwm-picture")
    now = SimpleNamespace(session=None, recording=None, figure=None, plan=None, busy=False)

    def open_session() -> None:
        now.recording = now.figure = None  # before the next one is loaded
        picture.value, unit_picture.value, unit_words.value = b"", b"", ""
        _fit_to(None, handle)
        now.session = Session(handle.session.value, one)
        now.plan = to_fetch(now.session)
        if now.plan is not None:
            handle.fetch.layout.display = ""
            raise DataError(f"{now.plan}\nPress 'fetch' to have it.")
        words.value = escape(f"Loading {now.session.label} …")
        now.recording = recording(now.session)
        _fit_to(now.recording, handle)
        if now.recording.trials is not None:
            jump()

    def fetch() -> None:
        now.plan.get()
        open_session()

    def fitting() -> pd.Index | None:
        if now.recording.trials is None:
            return None
        chosen = {name: getattr(handle, name).value for name in ("block", "contrast", "outcome")}
        return select(now.recording.trials, **{name: value for name, value in chosen.items() if value != ANY}).index

    def step(by: int) -> None:
        fits = fitting()
        if fits.empty:
            raise DataError(f"No trial fits these filters: set one of them to '{ANY}'.")
        handle.trial.value = windows.next_trial(fits, handle.trial.value, by)
        jump()

    def jump() -> None:
        zero = stimulus_time(now.recording.trials.loc[handle.trial.value])
        steps = np.ceil((zero - BEFORE * handle.seconds.value) / handle.time.step)
        handle.time.value = max(0.0, steps * handle.time.step)  # where the slider can stand, which would move it else

    def scrub() -> None:
        if now.recording.trials is not None:
            handle.trial.value = windows.trial_at(
                now.recording.trials, handle.time.value + BEFORE * handle.seconds.value
            )

    def zoom() -> None:
        handle.time.step = handle.seconds.value / 10
        if now.recording.trials is not None:
            jump()

    def choose() -> None:
        found = panel_at(now.figure, *map(float, handle.click.value.split(",")))
        if found and found[0] in now.recording.probes:
            name, _, place = found
            handle.unit.value = name, windows.unit_at(now.recording.probes[name].units, place)

    def draw() -> None:
        def figure() -> Figure:
            fits = fitting()
            counted = "" if fits is None else f" {len(fits)} of {len(now.recording.trials)} trials fit."
            say(f"{now.session.label}.{counted}")
            window = windows.window_at(handle.time.value, handle.seconds.value, now.recording.end)
            return plots.session_window(now.recording, window, fits, handle.unit.value or None)

        handle.unit_name.value = handle.unit.label
        now.figure = show(figure, picture, words)

    def draw_unit() -> None:
        show(lambda: unit_rates(now.recording, handle.unit.value or None, fitting()), unit_picture, unit_words)

    def show(figure: Callable[[], Figure], place: ipywidgets.Image, below: ipywidgets.HTML) -> Figure | None:
        try:
            with stamped(now.session):
                drawn, said = told(figure)
                place.value, below.value = png(drawn, pil_kwargs={"compress_level": 1}), escape(said)
                return drawn
        except Exception as error:
            place.value, below.value = b"", sentence(error)
            return None

    def react(*actions: Callable[[], None]) -> Callable[[object], None]:
        def callback(change: Any = None) -> None:
            if now.busy or _is_echo(change, handle.time):
                return  # a handle that was brought along by another
            now.busy = True
            try:
                # Its step and its value in one message, or the browser would round the old value to the new step.
                with handle.time.hold_sync():
                    for action in actions:
                        action()
            except Exception as error:
                words.value = sentence(error)
            finally:
                now.busy = False

        return callback

    opened = react(open_session, draw, draw_unit)
    handle.session.observe(opened, "value")
    handle.fetch.on_click(react(fetch, draw, draw_unit))
    handle.previous.on_click(react(lambda: step(-1), draw))
    handle.next.on_click(react(lambda: step(1), draw))
    for name, action in {"trial": jump, "time": scrub, "seconds": zoom}.items():
        getattr(handle, name).observe(react(action, draw), "value")
    for name in ("block", "contrast", "outcome", "unit"):
        getattr(handle, name).observe(react(draw, draw_unit), "value")
    handle.click.observe(react(choose, draw, draw_unit), "value")
    opened()
    rows = [
        [handle.session, handle.fetch],
        [handle.time, handle.seconds],
        [handle.trial, handle.previous, handle.next, handle.block, handle.contrast, handle.outcome],
        [handle.unit, handle.unit_name],
    ]
    wrapped = [ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}) for row in rows]
    explorer = framed(*wrapped, picture, words, unit_picture, unit_words, handle.click, listeners=CLICKS)
    explorer.add_class("bwm-explorer")
    return explorer


def session_views(session: Session, trial: int | None = None, seconds: Sequence[float | None] = (5, 60, None)) -> None:
    """Draw what the explorer shows of a session when it has jumped to a trial, in windows of several lengths.

    Parameters
    ----------
    session : Session
    trial : int, optional
        Its number; default the first whose stimulus has a time.
    seconds : sequence of float
        The length of each window; None is the whole session.
    """
    seen = recording(session)
    zero = 0.0
    if seen.trials is not None:
        zero = stimulus_time(seen.trials.loc[windows.trial_at(seen.trials, 0) if trial is None else trial])
    with stamped(session):
        for length in seconds:
            length = length or seen.end
            plots.session_window(seen, windows.window_at(zero - BEFORE * length, length, seen.end))


def recording(session: Session) -> windows.Recording:
    """What the explorer shows of a session; what cannot be had is said in ``lacks``."""
    session = Session(session.eid, session.one)  # whose arrays nobody else keeps
    lacks: dict[str, str] = {}

    def part(name: str, load: Callable[[], Any]) -> Any:
        try:
            return load()
        except DataError as error:
            lacks[name] = str(error)
            return None

    trials = part("trials", lambda: _trials(session))
    wheel = part("wheel", lambda: session.wheel)
    paws = part("pose", lambda: _paws(session))
    insertions = session.insertions if session.has("spikes") else []
    if not insertions:
        lacks["insertions"] = str(session.files.missing("insertions"))
    probes = {each.name: part(each.name, lambda each=each: _probe(each)) for each in insertions}
    probes = {name: probe for name, probe in probes.items() if probe is not None}
    times = [probe.spikes["times"][-1:] for probe in probes.values()]
    times += [] if wheel is None else [wheel["timestamps"][-1:]]
    times += [] if paws is None else [paws["times"][-1:]]
    times += [] if trials is None else [trials.filter(regex="_times$|^intervals_1$").max()]
    return windows.Recording(trials, wheel, paws, probes, lacks, float(np.nanmax(np.concatenate([[1.0], *times]))))


def _trials(session: Session) -> pd.DataFrame:
    if session.trials["stimOn_times"].isna().all():
        raise TooFew(f"{session.name} has no trial whose stimulus has a time.")
    return session.trials


def unit_rates(seen: windows.Recording, unit: tuple[str, int] | None, fits: pd.Index | None) -> Figure:
    """The mean rate of a unit around the events of the trials that fit.

    Parameters
    ----------
    seen : Recording
    unit : tuple of str and int
        The name of a probe and the id of a unit there; None where a session has no units.
    fits : Index
        Numbers of trials; None where a session has no trials.

    Raises
    ------
    DataError
        There is no unit, or no trial.
    """
    if unit is None:
        raise DataError("Without spikes there are no units to choose from.")
    if fits is None:
        raise DataError(f"Rates are around the events of trials. {seen.lacks['trials']}")
    if fits.empty:
        raise DataError(f"No trial fits these filters: set one of them to '{ANY}'.")
    name, which = unit
    probe, trials = seen.probes[name], seen.trials.loc[fits]
    events = [trials[event] for event in EVENTS if event in trials and trials[event].notna().any()]
    if probe.clusters is not None:
        say(f"{name}. {describe_unit(probe.clusters.loc[which])}.")
    if not events:
        raise TooFew(f"None of the {len(fits)} trials that fit has a time of its events.")
    say(f"{len(fits)} trials.")
    return rates_below([peth(probe.spikes, times, AROUND, BIN, [which]) for times in events], which)


def to_fetch(session: Session) -> Plan | None:
    """What the explorer would have to fetch of a session; None if all of it is here."""
    if not isinstance(session.one, RemoteOne):
        return None
    film = _film(session)
    paths = [] if film is None else [f"alf/_ibl_{film[0]}Camera.{name}" for name in (f"{film[1]}.pqt", "times.npy")]
    what = ["trials", "wheel", "spikes", "clusters", *session.datasets.loc[paths, "rel_path"]]
    plan = download_plan(session.one, session.eid, what)
    return plan if plan.to_fetch else None


def _film(session: Session) -> tuple[str, str] | None:
    """The side camera and the tracker that paws are taken from, or None."""
    films = [(camera, tracker) for tracker in TRACKERS for camera in ("left", "right")]
    return next((film for film in films if session.has("pose", *film)), None)


def _paws(session: Session) -> pd.DataFrame:
    camera, tracker = _film(session) or ("left", TRACKERS[0])  # that it lacks, as the error says
    points = pose.likelihood_filter(session.pose(camera, tracker, PAWS))
    speeds = pd.DataFrame({"times": points["times"]} | {paw: pose.speed(points, paw, camera) for paw in PAWS})
    speeds.attrs["camera"] = camera
    return speeds


def _probe(insertion: Insertion) -> windows.Probe:
    has = insertion.files.matching(f"{insertion.collection}/clusters.*")
    return windows.probe(insertion.spikes, *([insertion.clusters, insertion.channels] if has else []))


def _handles(session: Session) -> SimpleNamespace:
    eids, records = session.one.search(details=True)
    sessions = sorted(
        (f"{record['subject']} {record['date']} ({record['lab']})", str(eid))
        for eid, record in zip(eids, records, strict=True)
    )
    narrow = {"layout": {"width": "195px"}, "style": {"description_width": "70px"}}
    wide = {"layout": WIDE, "style": {"description_width": "70px"}}
    arrow = {"width": "40px"}
    return SimpleNamespace(
        session=ipywidgets.Dropdown(
            options=sessions, value=session.eid, description="session", tooltip="the session to show", **wide
        ),
        fetch=ipywidgets.Button(description="fetch", tooltip="fetch this session from the server"),
        time=ipywidgets.FloatSlider(
            description="time (s)", tooltip="where the window starts", readout_format=".1f", **wide
        ),
        seconds=ipywidgets.Dropdown(description="length (s)", tooltip="how long the window is", **narrow),
        trial=ipywidgets.BoundedIntText(description="trial", tooltip="jump to this trial", **narrow),
        previous=ipywidgets.Button(description="◀", tooltip="previous trial that fits", layout=arrow),
        next=ipywidgets.Button(description="▶", tooltip="next trial that fits", layout=arrow),
        block=ipywidgets.Dropdown(description="block", tooltip="only trials of such blocks", **narrow),
        contrast=ipywidgets.Dropdown(description="contrast", tooltip="only trials of this contrast", **narrow),
        outcome=ipywidgets.Dropdown(
            options=[ANY, *plots.explorer.OUTCOMES], description="outcome", tooltip="only such trials", **narrow
        ),
        unit=ipywidgets.SelectionSlider(
            options=[NONE], description="unit", tooltip="the unit, from the tip up", readout=False, **wide
        ),
        unit_name=ipywidgets.Label(),
        click=_hidden(),
    )


def _is_echo(change: Any, slider: ipywidgets.FloatSlider) -> bool:
    """Whether the browser has only rounded what the slider was set to."""
    return getattr(change, "owner", None) is slider and abs(change.new - change.old) < slider.step / 2


def _hidden() -> ipywidgets.Text:
    field = ipywidgets.Text(layout={"display": "none"})
    field.add_class("bwm-click")
    return field


def _fit_to(seen: windows.Recording | None, handle: SimpleNamespace) -> None:
    """Give the handles the choices that a recording offers; without one, none."""
    trials = None if seen is None else seen.trials
    for name in ("trial", "previous", "next", "block", "contrast", "outcome"):
        getattr(handle, name).disabled = trials is None
    handle.time.disabled = handle.seconds.disabled = seen is None
    handle.fetch.layout.display = "none"
    units = (
        []
        if seen is None
        else [
            (_name_unit(name, probe, unit), (name, unit))
            for name, probe in seen.probes.items()
            for unit in probe.units.index
        ]
    )
    handle.unit.disabled = not units
    handle.unit.options = units or [NONE]
    if seen is None:
        return
    lengths = [seconds for seconds in SECONDS if seconds < seen.end]
    handle.seconds.options = [*((str(n), n) for n in lengths), (f"all {seen.end:.0f}", seen.end)]
    handle.seconds.value = 10 if 10 in lengths else seen.end
    handle.time.value, handle.time.max, handle.time.step = 0.0, seen.end, handle.seconds.value / 10
    if trials is not None:
        blocks, levels = trials["probabilityLeft"], pd.Series(np.abs(signed_contrast(trials)))
        handle.block.options = [(ANY, ANY), *((f"P(left) {p:g}", float(p)) for p in np.unique(blocks.dropna()))]
        handle.contrast.options = [(ANY, ANY), *((f"{p:g} %", float(p)) for p in np.unique(levels.dropna()))]
        handle.block.value = handle.contrast.value = handle.outcome.value = ANY
        handle.trial.max, handle.trial.value = int(trials.index[-1]), windows.trial_at(trials, 0)


def _name_unit(name: str, probe: windows.Probe, unit: int) -> str:
    parts = [name, f"unit {unit}"]
    if probe.clusters is not None:
        parts += [f"{number(probe.clusters.loc[unit, 'depths'], '.0f')} µm", str(probe.clusters.loc[unit, "acronym"])]
    return " · ".join(parts)
