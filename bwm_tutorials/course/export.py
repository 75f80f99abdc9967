"""Export of an analysis: its table and its figure in files that say what they are of."""

import io
import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..console import say
from ..recordings.session import Session
from .learner.working_copy import read, write_whole, writing_to
from .provenance import lines

_SAID_BY_TEST = ("test", "null", "correction", "values", "n_trials", "n_rarer")


def export(
    folder: str | Path, table: pd.DataFrame, figure: Figure, session: Session, question: Mapping[str, Any]
) -> list[Path]:
    """Write the table and the figure of an analysis, and print where they are. Nothing is ever overwritten.

    Parameters
    ----------
    folder : str or Path
        Made if it is missing; a relative one lies in the current folder.
    table : DataFrame
        One row a unit, by ``probe`` and cluster id: the insertions written with it are those in it. So is what its
        ``attrs`` say of the test.
    figure : Figure
    session : Session
        What was analysed.
    question : mapping
        What was asked, by name: source, event, window, region, what was predicted, … ``variable``, ``event``,
        ``region`` and ``window`` (a pair, s; in the name ms) become part of the files' names.

    Returns
    -------
    list of Path
        A table (CSV) and a figure (PNG and PDF). Their names begin with SYNTHETIC or REAL; so does the table's first
        line, of some that begin with ``#``: ``pandas.read_csv(file, comment="#")`` leaves these out. Where other files
        have the names already, ``(2)`` and so on is added; where the same content lies there, nothing is written.

    Raises
    ------
    WorkingCopyError
        The folder cannot be written to.
    """
    origin = "SYNTHETIC" if session.synthetic else "REAL"
    named = [origin, session.name, *(str(question[key]) for key in ("variable", "event", "region") if key in question)]
    stem = "_".join(re.sub(r"[^\w-]+", "-", name).strip("-") for name in named)
    if "window" in question:
        stem += "_{:g}_to_{:g}_ms".format(*(1000 * edge for edge in question["window"]))
    files = {
        ".csv": _csv(table, session, question),
        ".png": _picture(figure, "png", {"Description": origin}),
        ".pdf": _picture(figure, "pdf", {"Subject": origin, "CreationDate": None}),
    }
    folder = Path(folder).expanduser().absolute()
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            places = [folder / f"{stem}{'' if number == 1 else f' ({number})'}{suffix}" for suffix in files]
            there = [read(place) for place in places]
            if there == list(files.values()):
                say(f"{places[0]} and its figure are there already, with the same content.")
                return places
            if all(content is None for content in there):
                break
        for place, content in zip(places, files.values(), strict=True):
            write_whole(place, content)
    say(f"Written to {folder}: {', '.join(place.name for place in places)}.")
    return places


def _csv(table: pd.DataFrame, session: Session, question: Mapping[str, Any]) -> bytes:
    probes = session.insertions if session.has("spikes") else []
    analysed = set(table.index.get_level_values("probe"))
    pids = ", ".join(f"{probe.name} {probe.pid}" for probe in probes if probe.name in analysed)
    head = [*lines(session), f"pid        {pids}"]
    head += [f"{name}: {value}" for name, value in question.items()]
    head += [f"{name}: {table.attrs[name]}" for name in _SAID_BY_TEST if name in table.attrs]
    # A line break in what a learner wrote would end the comment.
    head = [f"# {' '.join(line.splitlines())}\n" for line in head]
    return ("".join(head) + table.to_csv(lineterminator="\n")).encode()


def _picture(figure: Figure, form: str, metadata: dict[str, str | None]) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format=form, dpi=200, bbox_inches="tight", metadata=metadata)
    return target.getvalue()
