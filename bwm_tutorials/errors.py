"""What can go wrong with data, each said in one sentence."""

from __future__ import annotations


class DataError(Exception):
    """Something is wrong with the data asked for; the message says what, and what to do."""

    def _render_traceback_(self) -> list[str]:
        # IPython shows these lines in place of a traceback: the sentence is what a learner needs.
        return [f"{type(self).__name__}: {self}", *getattr(self, "__notes__", [])]


class UnknownSource(DataError):
    """No recordings are found under the name or path that was given."""


class UnknownSession(DataError):
    """The source has no session (eid) or insertion (pid) with this identifier."""


class MissingDataset(DataError):
    """The session exists, but was recorded or released without this dataset."""


class Unreachable(DataError):
    """A server cannot be reached, refuses, or does not give what it should; or the disk cannot hold it."""


class Refused(Unreachable):
    """A server does not let us in, or does not give us a file."""


class UnknownExercise(DataError):
    """There is no exercise or lesson of this name."""


class WorkingCopyError(DataError):
    """A folder cannot be a learner's working copy or cannot be written to, or a file is not a save of one."""


class CorruptData(DataError):
    """A file is not what its table says: truncated, altered, or not a plain array."""


class TooFew(DataError, ValueError):
    """The recording has what is asked for, but too little of it, or too much alike, to compute with."""


def attribute_meant(of: object, name: str):
    """Say, as the ``__getattr__`` of a class, that it has no such attribute, and which was meant."""
    if hasattr(type(of), name):  # it is there, and something in it was not: say that
        return object.__getattribute__(of, name)
    from difflib import get_close_matches

    there = [each for each in dir(of) if not each.startswith("_")]
    meant = get_close_matches(name, there, n=1)
    what = f"did you mean {meant[0]}?" if meant else f"it has {', '.join(there)}."
    raise AttributeError(f"A {type(of).__name__} has no {name!r}; {what}")


def cause(error: Exception) -> str:
    """What a library says of an error, without the second sentence and what follows it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0].rstrip(" .")
