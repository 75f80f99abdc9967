"""Figures with handles, for a notebook that runs: each handle draws anew with a plain function of `plots`."""

import io
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from html import escape

import ipywidgets
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from . import plots
from .errors import DataError
from .session import Insertion
from .trials import PSYCHOMETRIC, fit_psychometric

WIDE = {"width": "500px"}


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
    return _with_handles(lambda **hand: plots.psychometric_by_hand(table, [hand], best), handles)


def unit_browser(probe: Insertion, units: Iterable[int] | None = None) -> ipywidgets.Widget:
    """One unit at a time, drawn by `plots.unit_panels`.

    Parameters
    ----------
    probe : Insertion
    units : iterable of int, optional
        Which, in which order; default all.
    """
    options = [int(unit) for unit in (probe.clusters.index if units is None else units)]
    handle = ipywidgets.SelectionSlider(options=options, description="unit", layout=WIDE)

    def draw(unit: int) -> Figure:
        return plots.unit_panels(probe.spikes, probe.clusters, probe.waveforms, [unit])

    return _with_handles(draw, {"unit": handle})


def _with_handles(draw: Callable[..., Figure], handles: dict[str, ipywidgets.Widget]) -> ipywidgets.Widget:
    """The handles, the figure that ``draw`` makes of their values, and below it what it says."""
    picture, words = ipywidgets.Image(format="png"), ipywidgets.HTML()

    def redraw(_: object = None) -> None:
        said = io.StringIO()
        try:
            with redirect_stdout(said):
                figure = draw(**{name: handle.value for name, handle in handles.items()})
        except (DataError, ValueError) as error:
            # An error in a callback would be lost in the browser's log.
            words.value = escape(str(error))
            return
        png = io.BytesIO()
        figure.savefig(png, bbox_inches="tight")
        plt.close(figure)
        picture.value, words.value = png.getvalue(), escape(said.getvalue())

    for handle in handles.values():
        handle.observe(redraw, "value")
    redraw()
    # Not stretched to the width of the page: the picture keeps its size.
    return ipywidgets.VBox([*handles.values(), picture, words], layout={"align_items": "flex-start"})
