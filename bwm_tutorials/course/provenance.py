"""Where a notebook's results come from, printed at its end."""

import sys
import textwrap
from importlib.metadata import version

from ..session import Session

PACKAGES = ("bwm-tutorials", "ONE-api", "iblatlas", "numpy", "pandas", "scipy", "matplotlib")


def provenance(session: Session) -> None:
    """Print what was analysed and with what: SYNTHETIC or REAL first, then source, eid, revisions and versions."""
    has = session.available[session.available["present"]]
    revisions = has.loc[has["revision"] != "", "revision"]
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    origin = f"a program made this (seed {session.seed})" if session.synthetic else "recorded from a mouse"
    print(f"{'SYNTHETIC' if session.synthetic else 'REAL'}: {origin}")
    print(f"session    {session.details['lab']} / {session.name} / {session.details['number']:03d}")
    print(f"eid        {session.eid}")
    print(f"revisions  {', '.join(f'{name} {revision}' for name, revision in revisions.items()) or 'none'}")
    versions = ", ".join([python, *(f"{package} {version(package)}" for package in PACKAGES)])
    print(textwrap.fill(f"versions   {versions}", 92, subsequent_indent=" " * 11))
