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


def with_handles(draw: Callable[..., Figure], handles: dict[str, ipywidgets.Widget]) -> ipywidgets.Widget:
    """The handles, the figure that ``draw`` makes of their values, and below it what it says."""
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
    # Not stretched to the width of the page: the picture keeps its size.
    return ipywidgets.VBox([*handles.values(), picture, words], layout={"align_items": "flex-start"})


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
