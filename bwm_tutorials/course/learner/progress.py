"""What a learner has solved so far, kept beside their notebooks and sent nowhere."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...console import say
from ..exercise import CORRECT, NOT_APPLICABLE, NOT_ATTEMPTED, NOT_YET, exercises_of, lesson_numbers
from . import working_copy

_FROM_WORST_TO_BEST = (NOT_APPLICABLE, NOT_YET, CORRECT)
_SIGNS = {CORRECT: "■", NOT_APPLICABLE: "–"}

Entries = dict[str, dict[str, Any]]
"""For each exercise the best ``status``, and the last ``answer`` if one was a number."""


def progress() -> None:
    """Print which exercises are solved, as a line for your teacher: ■ correct, □ not yet, – not applicable here."""
    folder = working_copy.find()
    if folder is None:
        say(f"{working_copy.NONE_HERE}, so no progress is kept.")
        return
    with working_copy.locked(folder):
        entries = read(folder)
    lessons = {number: exercises_of(number) for number in lesson_numbers()}
    say(line(entries, lessons))


def line(entries: Entries, lessons: Mapping[str, Iterable[str]]) -> str:
    """Entries as one line: each lesson's number, and a sign for each of its exercises."""
    return "  ".join(
        f"{number} " + "".join(_SIGNS.get(entries.get(key, {}).get("status"), "□") for key in keys)
        for number, keys in lessons.items()
    )


def record(key: str, status: str, answer: float | None) -> None:
    """Keep the outcome of a check, if this is a working copy.

    A disk that is full or cannot be written to must not get in the way of a check.
    """
    if status == NOT_ATTEMPTED:
        return
    with suppress(OSError):
        folder = working_copy.find()
        if folder is None:
            return
        with working_copy.locked(folder):
            before = read(folder)
            old = before.get(key, {"status": status})
            new = old | {"status": max(status, old["status"], key=_FROM_WORST_TO_BEST.index)}
            if answer is not None:
                new["answer"] = answer
            if before.get(key) != new:
                write(folder, before | {key: new})


def merge(here: Entries, other: Entries) -> Entries:
    """The better entry of each exercise; of two that are equally good, the first."""
    return other | {key: max((here[key], other.get(key, here[key])), key=_rank) for key in here}


def _rank(entry: dict[str, Any]) -> int:
    return _FROM_WORST_TO_BEST.index(entry["status"])


def parse(raw: bytes) -> Entries:
    """The entries in a file, without what cannot be one."""
    found = {key: entry for key, entry in working_copy.read_json(raw).items() if isinstance(entry, dict)}
    return {
        key: {"status": entry["status"]} | ({"answer": entry["answer"]} if _is_number(entry.get("answer")) else {})
        for key, entry in found.items()
        if entry.get("status") in _FROM_WORST_TO_BEST
    }


def _is_number(answer: Any) -> bool:
    return isinstance(answer, (int, float)) and not isinstance(answer, bool)


def read(folder: Path) -> Entries:
    """The entries of a working copy. A file that is broken is set aside."""
    file = file_of(folder)
    raw = working_copy.read(file)
    if raw is None:
        return {}
    entries = parse(raw)
    if not entries:  # an empty one is never written
        with suppress(OSError):
            file.replace(file.with_name("progress (broken).json"))
    return entries


def write(folder: Path, entries: Entries) -> None:
    in_order = {key: entries[key] for key in sorted(entries)}
    working_copy.write_whole(file_of(folder), json.dumps(in_order, indent=1).encode())


def file_of(folder: Path) -> Path:
    return folder / working_copy.FOLDER / "progress.json"
