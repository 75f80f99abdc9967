"""What all figures with handles share: draw anew when a handle moves, and say what went wrong where it can be read."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from html import escape
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..errors import DataError

WIDE, NARROW = {"width": "500px"}, {"width": "220px"}
ANY = "any"  # a word, for a choice whose value is None is shown as if nothing were chosen
# Run in the browser: when the widget is there, it is listened to.
BEGIN = """
const begin = () => {
    const widget = this.closest('.bwm-handles');
    if (!widget) { setTimeout(begin, 100); return; }
%s};
begin();
"""
# JupyterLab takes keys for its own commands, also those pressed in a drop-down: an arrow leads to another cell, two d
# delete this one. It leaves alone the keys of what has this attribute.
KEYS = """
    widget.addEventListener('focusin', (event) => event.target.setAttribute('data-lm-suppress-shortcuts', 'true'));
"""
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # one transparent pixel


def with_handles(draw: Callable[..., Figure], handles: dict[str, ipywidgets.Widget]) -> ipywidgets.Widget:
    """The handles, the figure that ``draw`` makes of their values, and below it what it says."""
    return framed(*handles.values(), *drawn(draw, handles))


def framed(*children: ipywidgets.Widget, listeners: str = "") -> ipywidgets.Widget:
    """Widgets below one another as one that keeps its keys; ``listeners`` are added to it in the browser."""
    script = escape(BEGIN % (KEYS + listeners))
    begin = ipywidgets.HTML(f'<img src="{DOT}" alt="" onload="{script}">', layout={"height": "0"})
    # Not stretched to the width of the page: a picture keeps its size.
    frame = ipywidgets.VBox([*children, begin], layout={"align_items": "flex-start"})
    frame.add_class("bwm-handles")
    return frame


def drawn(
    draw: Callable[..., Figure], handles: dict[str, ipywidgets.Widget]
) -> tuple[ipywidgets.Image, ipywidgets.HTML]:
    """The figure that ``draw`` makes of the handles' values, made anew when one moves, and what it says."""
    picture, words = ipywidgets.Image(format="png"), ipywidgets.HTML()

    def redraw(_: object = None) -> None:
        try:
            figure, said = told(lambda: draw(**{name: handle.value for name, handle in handles.items()}))
        except Exception as error:
            words.value = sentence(error)
            return
        picture.value, words.value = png(figure, bbox_inches="tight"), escape(said)

    for handle in handles.values():
        handle.observe(redraw, "value")
    redraw()
    return picture, words


def told(draw: Callable[[], Figure]) -> tuple[Figure, str]:
    """A figure, and what was printed while it was drawn."""
    said = io.StringIO()
    with redirect_stdout(said):
        figure = draw()
    return figure, said.getvalue()


def png(figure: Figure, **options: Any) -> bytes:
    """A figure as a picture; it is closed."""
    content = io.BytesIO()
    figure.savefig(content, **options)
    plt.close(figure)
    return content.getvalue()


def sentence(error: Exception) -> str:
    """What went wrong, to be shown among the handles: an error in a callback would be lost in the browser's log."""
    if isinstance(error, DataError | ValueError):
        return escape(str(error))
    return escape(f"{type(error).__name__}: {error}. This is a fault of the figure, not of your data.")
