"""Figures with handles against a bare figure of five empty axes: the lessons', and the session explorer's.

The sample's main session, an hour with both probes; and for the explorer probes of the release's size, 8 M spikes each,
made here.
Seconds are processor time of the best round, for the computer may be busy with other things; ratios are the median
over rounds in which all were drawn one after another.
"""

import contextlib
import io
import itertools
import time
from collections.abc import Callable

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from bench_responses import machine, release_sized

import bwm_tutorials as bwm
from bwm_tutorials.plots import windows
from bwm_tutorials.widgets import explorer
from bwm_tutorials.widgets.handles import png

ROUNDS = 9
WINDOWS = {"10 s": (1000, 1010), "60 s": (1000, 1060), "300 s": (1000, 1300), "the hour": (0, 3600)}


def bare() -> None:
    """Draw axes like those of a window, empty."""
    figure, first = plt.figure(figsize=(9, 6.8), dpi=100, layout="none"), None
    for i in range(5):
        first = figure.add_axes((0.1, 0.1 + 0.17 * i, 0.8, 0.15), sharex=first)
    png(figure, pil_kwargs={"compress_level": 1})


def measure(name: str, seen: windows.Recording) -> None:
    """Draw what the explorer draws, at several lengths of its window, and for a unit."""
    probe = next(iter(seen.probes))
    unit = (probe, int(seen.probes[probe].units.index[5]))
    fits = bwm.trials.select(seen.trials).index

    def draw(figure: Callable[[], plt.Figure]) -> Callable[[], None]:
        def drawn() -> None:
            with contextlib.redirect_stdout(io.StringIO()):
                png(figure(), pil_kwargs={"compress_level": 1})

        return drawn

    drawn = {"a bare figure": bare}
    for length, window in WINDOWS.items():
        drawn[f"a window of {length}"] = draw(lambda window=window: bwm.plots.session_window(seen, window, fits, unit))
    drawn["the rates of a unit"] = draw(lambda: explorer.unit_rates(seen, unit, fits))
    compare(name, drawn)


def measure_handles(session: bwm.Session) -> None:
    """Move a handle of each lesson's figure to and fro."""
    curve, probe = bwm.trials.psychometric(session.trials), session.insertions[-1]
    moved = {
        "psychometric, bias": (bwm.widgets.psychometric(curve), "bias", (1.0, 2.0)),
        "trial_viewer, number": (bwm.widgets.trial_viewer(session), "number", (10, 11)),
        "unit_browser, unit": (bwm.widgets.unit_browser(probe), "unit", (1, 2)),
        "peth_explorer, smoothing": (bwm.widgets.peth_explorer(session, probe), "smooth (s)", (0.01, 0.02)),
        "pose_player, time": (bwm.widgets.pose_player(session, probe), "time (s)", (0.1, 0.2)),
        "rf_browser, lag": (bwm.widgets.rf_browser(session, probe), "lag (s)", (0.1, 0.15)),
    }

    def toggle(widget: ipywidgets.Widget, name: str, values: tuple) -> Callable[[], None]:
        (handle,) = (each for each in handles_of(widget) if each.description == name)
        turns = itertools.cycle(values)
        return lambda: setattr(handle, "value", next(turns))

    drawn = {"a bare figure": bare} | {name: toggle(*how) for name, how in moved.items()}
    compare("the lessons' handles", drawn)


def handles_of(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """All handles inside a widget."""
    children = getattr(widget, "children", ())
    return [found for child in children for found in (child, *handles_of(child)) if hasattr(found, "description")]


def compare(name: str, drawn: dict[str, Callable[[], None]]) -> None:
    """Draw all of them, one after another, in several rounds."""
    seconds = np.empty((ROUNDS, len(drawn)))
    for row in seconds:
        for i, function in enumerate(drawn.values()):
            start = time.process_time()
            function()
            row[i] = time.process_time() - start
    print(f"\n{name}")
    for told, column in zip(drawn, seconds.T, strict=True):
        ratio = np.median(column / seconds[:, 0])
        print(f"{told:24} {1000 * column.min():6.0f} ms {ratio:8.2f} × a bare figure   wanted < 300 ms", flush=True)


def main() -> None:
    """The sample, then probes of the release's size in its place."""
    print(machine())
    session = bwm.Session()
    bwm.plots.stamp(session)
    start = time.process_time()
    seen = explorer.recording(session)
    print(f"loaded in {time.process_time() - start:.2f} s")
    measure_handles(session)
    measure("main session of the sample, 2.8 M spikes", seen)
    probes = {}
    for name, probe in seen.probes.items():
        spikes, _ = release_sized(8_000_000, 600)
        depths = np.linspace(20, probe.top, 600, dtype=np.float32)[spikes["clusters"]]
        probes[name] = windows.probe(spikes | {"depths": depths})._replace(channels=probe.channels)
    measure("two probes of 8 M spikes each", seen._replace(probes=probes))


if __name__ == "__main__":
    main()
