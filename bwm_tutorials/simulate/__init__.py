"""A synthetic mouse, its session and its neurons, written to disk exactly as the release is.

`session` makes one in memory; `sample` builds what ``connect('sample')`` opens. Nothing here is evidence about
brains: it is made so that what was put in is known.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # Imported when it is used: a sample that is built already opens a second sooner.
    if name == "session":
        from .recording import session

        return session
    raise AttributeError(f"bwm_tutorials.simulate has no {name!r}; it has session, and the module sample.")
