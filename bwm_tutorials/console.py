"""Print on any terminal, also one that is not UTF-8 (Windows, output that goes to a file).

Like `workshop.environment` this needs the standard library alone, in the syntax of Python 3.8.
"""

from __future__ import annotations

import codecs
import sys
from functools import lru_cache

_PLAIN = {
    **{"−": "-", "–": "-", "✓": "ok", "✗": "NO", "→": "->", "…": "...", "■": "x", "□": "o", "\N{MICRO SIGN}": "u"},
    **{"×": "x", "·": "-", "“": '"', "”": '"', "≤": "<=", "≥": ">=", "°": " degrees", "½": "1/2", "¼": "1/4"},
}


def say(text: str) -> None:
    """Print a text, in plain signs where the terminal has no others."""
    print(printable(text), flush=True)


@lru_cache(maxsize=None)
def say_once(text: str, of: object = None) -> None:
    """Print a text once in a program, for each thing that it is said of."""
    say(text)


def printable(text: str) -> str:
    """Return a text with each sign replaced that standard output cannot show."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "bwm-plain").decode(encoding)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Put plain signs in the place of those that an encoding lacks."""
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error("bwm-plain", _plain)


def shell() -> object | None:
    """Return the IPython that runs this, in a kernel or a terminal; None in a program."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


def in_notebook() -> bool:
    """Tell whether this is a Jupyter kernel."""
    return hasattr(shell(), "kernel")


def no_terminal() -> bool:
    """Tell whether nobody would see a progress bar."""
    return not (sys.stderr.isatty() or in_notebook())
