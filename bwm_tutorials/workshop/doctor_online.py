"""Hold the servers with the real data against what is assumed of them, in a table that fits into an issue.

No question raises, and none takes longer than `LIMIT`; of a server that fell silent nothing more is asked.
"""

import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

import bwm_tutorials as bwm

from ..console import say
from ..errors import DataError, cause
from ..recordings.remote import patience
from .assumptions import FIXED, UNASKED, Fixed, Question, questions

LIMIT = 120  # s for a question
SILENT = "no answer"
YES, NO, CHANGED = "yes", "no", "changed"


class Row(NamedTuple):
    """What was asked and found; ``ok`` is yes, no, changed (the lessons work all the same) or not checked."""

    what: str
    expected: str
    found: str
    ok: str


def examine(fixed: Fixed = FIXED) -> Iterator[Row]:
    """Ask the servers, and both doors with an empty folder each; without an account only what needs none."""
    rows: dict[str, Row] = {}
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for of_a_server in questions(Path(folder), fixed):
            silent = ""
            for question in of_a_server:
                rows[question.what] = row = _row(question, rows, silent)
                if row.found.startswith(SILENT):
                    silent = row.what
                yield row


def print_table(rows: Iterable[Row]) -> int:
    """Print each row as soon as it is known, and return the exit code: 1 if something is not as the lessons need it."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("ONE-api", "pandas", "boto3"))
    python = sys.version.split()[0]
    say(f"{date.today()}, bwm-tutorials {bwm.__version__}, {versions}, Python {python}, {sys.platform}\n")
    say(line(["what", "expected", "found", "ok"]))
    say(line(["---"] * 4))
    failed = []
    for row in rows:
        say(line(row))
        failed += [row.what] if row.ok == NO else []
    if failed:
        say(f"\nNot as the lessons need it: {', '.join(failed)}. Paste this into an issue of the repository.")
    else:
        say("\nNothing that was checked is in the way of the lessons.")
    return int(bool(failed))


def line(cells: Iterable[str]) -> str:
    """Return a row of a Markdown table: one line, whatever is in its cells."""
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _row(question: Question, rows: dict[str, Row], silent: str) -> Row:
    what, expected, ask, needed, after = question
    unmet = next((rows[name] for name in after if rows[name].ok in (NO, UNASKED)), None)
    if unmet and unmet.ok == UNASKED:
        found = unmet.found
    elif unmet or silent:
        found = f"{UNASKED}: see {unmet.what if unmet else silent!r}"
    else:
        found = _found(ask)
    if found.startswith(UNASKED):
        return Row(what, expected, found, UNASKED)
    right = found.partition(" (")[0] == expected
    return Row(what, expected, found, YES if right else NO if needed else CHANGED)


def _found(ask: Callable[[], str]) -> str:
    """What a question finds, or why it finds nothing, within `LIMIT`."""
    answers = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_answer(ask)), daemon=True).start()
    try:
        with redirect_stdout(sys.stderr):  # what the doors print is no row
            return answers.get(timeout=LIMIT)
    except queue.Empty:
        return f"{SILENT} within {LIMIT} s"


def _answer(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except DataError as error:
        return f"missing: {error}"
    except requests.RequestException as error:
        silent = isinstance(error, requests.Timeout) or "timed out" in str(error)
        place = urlsplit(error.request.url).netloc if error.request is not None else "a server"
        return f"{SILENT if silent else 'missing'}: {place} ({patience.innermost(error)})"
    except Exception as error:  # whatever it is, it belongs into the table
        return f"missing: {type(error).__name__}: {cause(error)}"
