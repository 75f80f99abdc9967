"""A learner's working copy of the lessons: a folder of their own, in which nothing that they did is ever overwritten.

What has to be remembered about it lies in its subfolder ``.bwm``.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from ...errors import WorkingCopyError
from ...paths import ROOT

FOLDER = ".bwm"
NONE_HERE = "This is not a working copy (bwm-tutorials start makes one)"


class Record(NamedTuple):
    """What is remembered of a working copy.

    Parameters
    ----------
    copied : dict
        For each name of a notebook the `fingerprint` of what was last written there by us, and not by the learner.
    saves : list of str
        Digests of the saves that were made here, or restored here.
    """

    copied: dict[str, str]
    saves: list[str]


def find(folder: Path | None = None) -> Path | None:
    """The working copy that a folder (default the current one) is or lies in, or None."""
    folder = (folder or Path.cwd()).resolve()
    if ROOT and folder.is_relative_to(ROOT / "notebooks"):
        return None
    return next((place for place in (folder, *folder.parents) if _record_file(place).exists()), None)


def create(folder: Path) -> Path:
    """Make a folder a working copy, if it is none yet, and give its full path.

    Raises
    ------
    WorkingCopyError
        It holds the lessons that working copies are made from, or cannot be written to.
    """
    folder = folder.expanduser().resolve()
    if ROOT and (ROOT.is_relative_to(folder) or folder.is_relative_to(ROOT / "notebooks")):
        raise WorkingCopyError(
            f"{folder} holds the lessons that every working copy is made from: name a folder of your own, for example "
            "my_lessons."
        )
    with writing_to(folder):
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if not _record_file(folder).exists():
                write_record(folder, Record({}, []))
    return folder


def copy_lessons(lessons: Mapping[str, bytes], folder: Path) -> dict[str, str]:
    """Bring a working copy up to date, without touching what the learner changed or ran.

    Parameters
    ----------
    lessons : mapping
        The content of each notebook by its name.
    folder : Path

    Returns
    -------
    dict
        The names that were written, each with the name of its lesson: another one where the learner's is kept.
    """
    with writing_to(folder), locked(folder):
        record = read_record(folder)
        placed = {_place(folder / name, content, record.copied): name for name, content in lessons.items()}
        write_record(folder, record)  # last: a lesson that is in the record but not in the folder would never come
    return {file.name: name for file, name in placed.items() if file}


def _place(file: Path, content: bytes, copied: dict[str, str]) -> Path | None:
    """Write a lesson where nothing of the learner's stands, and say where; None if they have this version already."""
    version = fingerprint(content)
    for place in chain([file], beside(file, "new")):
        here = read(place)
        found = None if here is None else fingerprint(here)
        # A lesson that was deleted is wanted again; one that was offered beside it and deleted is not.
        if found == version or (copied.get(place.name) == version and (here is not None or place != file)):
            copied[place.name] = version
            return None
        if here is None or found == copied.get(place.name):
            write_whole(place, content)
            copied[place.name] = version
            return place
    return None


def fingerprint(notebook: bytes) -> str:
    """A digest of all that a learner may want to keep of a notebook: sources, outputs, tags.

    What an editor writes down for itself (identifiers, times, what is folded) changes its bytes, but not this; to run
    it does.
    """
    try:
        cells = [_content(cell) for cell in json.loads(notebook)["cells"]]
        notebook = json.dumps(cells, sort_keys=True).encode()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass  # no notebook that could be read: any difference counts
    return hashlib.sha256(notebook).hexdigest()


def _content(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell without what editors add to it."""
    tags = cell["metadata"].get("tags")
    kept = _without(cell, "id", "execution_count") | {"metadata": {"tags": tags} if tags else {}}
    if "outputs" in cell:
        kept["outputs"] = [_without(out, "execution_count", "metadata") for out in cell["outputs"]]
    return kept | {"source": _text(cell["source"])}


def _without(whole: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in whole.items() if name not in names}


def sources(notebook: bytes) -> Any:
    """What was written into the cells of a notebook; the bytes themselves where they are no notebook."""
    try:
        return [(cell["cell_type"], _text(cell["source"])) for cell in json.loads(notebook)["cells"]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return notebook


def _text(source: str | list[str]) -> str:
    return "".join(source)  # a file may hold one text, or its lines


def beside(file: Path, word: str) -> Iterator[Path]:
    """Names for another version of a file: ``03 (new).ipynb``, ``03 (new 2).ipynb``, and so on."""
    for number in count(1):
        yield file.with_stem(f"{file.stem} ({word}{'' if number == 1 else f' {number}'})")


def notebooks(folder: Path) -> list[Path]:
    """The notebooks of a working copy, those in its folders included, but not Jupyter's own copies."""
    found = sorted(file for file in folder.rglob("*.ipynb") if file.is_file())
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


# ------------------------------------------------------------------------------------------------- reading and writing


def read_record(folder: Path) -> Record:
    """What is remembered of a working copy; nothing where that is broken, so that all notebooks are the learner's."""
    record = read_json(_record_file(folder).read_bytes())
    saves = record.get("saves")
    return Record(read_copied(record), [s for s in saves if isinstance(s, str)] if isinstance(saves, list) else [])


def read_copied(record: dict[str, Any]) -> dict[str, str]:
    copied = record.get("copied")
    return {k: v for k, v in copied.items() if isinstance(v, str)} if isinstance(copied, dict) else {}


def write_record(folder: Path, record: Record) -> None:
    write_whole(_record_file(folder), json.dumps(record._asdict(), indent=1).encode())


def _record_file(folder: Path) -> Path:
    return folder / FOLDER / "record.json"


def read_json(raw: bytes) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read(file: Path) -> bytes | None:
    """What is in a file, or None if there is none."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def write_whole(file: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written, even when this program is killed or the disk gets full."""
    part = file.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(file)
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other notebook is changing what is remembered of a working copy."""
    with ExitStack() as stack:
        with suppress(OSError):  # a folder that cannot be written to: then nobody changes it
            stack.enter_context(FileLock(folder / FOLDER / "lock"))
        yield


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Say in one sentence that a folder cannot be written to."""
    try:
        yield
    except OSError as error:
        raise WorkingCopyError(
            f"{folder} cannot be written to ({error.strerror or error}): name another folder, or free some space."
        ) from error
