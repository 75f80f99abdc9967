"""Where a notebook's results come from, printed at its end."""

import sys
import textwrap
from importlib.metadata import version

from ..console import say
from ..recordings.session import Session

PACKAGES = ("bwm-tutorials", "ONE-api", "iblatlas", "numpy", "pandas", "scipy", "matplotlib")


def provenance(session: Session) -> None:
    """Print what was analysed and with what: SYNTHETIC or REAL first, then source, eid, revisions and versions."""
    for line in lines(session):
        say(textwrap.fill(line, 92, subsequent_indent=" " * 11) if line.startswith("versions") else line)


def lines(session: Session) -> list[str]:
    """What `provenance` prints, a line each."""
    has = session.available[session.available["present"]]
    revisions = has.loc[has["revision"] != "", "revision"]
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    seed = "" if session.seed is None else f" (seed {session.seed})"
    origin = f"a program made this{seed}" if session.synthetic else "recorded from a mouse"
    return [
        f"{'SYNTHETIC' if session.synthetic else 'REAL'}: {origin}",
        f"session    {session.details['lab']} / {session.name} / {session.details['number']:03d}",
        f"eid        {session.eid}",
        f"revisions  {', '.join(f'{name} {revision}' for name, revision in revisions.items()) or 'none'}",
        f"versions   {', '.join([python, *(f'{package} {version(package)}' for package in PACKAGES)])}",
    ]
