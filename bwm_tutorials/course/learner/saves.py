"""Saves of a working copy: one small file with a learner's notebooks and progress, to take to another computer."""

import hashlib
import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ...errors import WorkingCopyError
from . import progress, working_copy
from .working_copy import FOLDER, NONE_HERE, beside, fingerprint, locked, sources, write_whole, writing_to

LARGEST_FILE, LARGEST_SAVE, MOST_FILES = 100e6, 1e9, 2000  # bytes, bytes: notebooks with figures are far below
_ABOUT, _PROGRESS = f"{FOLDER}/save.json", f"{FOLDER}/progress.json"
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, struct.error)


class Save(NamedTuple):
    """What a save holds: notebooks by name, the progress, and what `Record.copied` said of its working copy."""

    notebooks: dict[str, bytes]
    entries: progress.Entries
    copied: dict[str, str]


def save(target: str | Path | None = None) -> None:
    """Put the notebooks of this working copy, and the progress, into one zip, and print where it is.

    Parameters
    ----------
    target : str or Path, optional
        A file or a folder; default a file named by the time, beside the notebooks.

    Raises
    ------
    WorkingCopyError
        The file cannot be written, or is something else than a save.
    """
    folder = working_copy.find()
    if folder is None:
        print(f"{NONE_HERE}, so there is nothing to save.")
        return
    target_file = _target(folder, target)
    with writing_to(folder), locked(folder):
        found = {file.relative_to(folder).as_posix(): file.read_bytes() for file in working_copy.notebooks(folder)}
        notebooks = {name: content for name, content in found.items() if len(content) <= LARGEST_FILE}
        saved = Save(notebooks, progress.read(folder), working_copy.read_record(folder).copied)
    last, _ = _newest(folder)
    if target is None and last and _holds(last, saved):
        print(f"Nothing on disk has changed since {last}.\nIf you typed since, save the notebooks first (Ctrl+S).")
        return
    content = pack(saved)
    with writing_to(target_file.parent):
        write_whole(target_file, content)
    _remember(folder, content)
    for name in found.keys() - notebooks.keys():
        print(f"Not saved, because it is larger than {LARGEST_FILE / 1e6:.0f} MB: {name}.")
    what = f"{len(notebooks)} notebook{'s' * (len(notebooks) != 1)} and the progress"
    print(
        f"Saved {what} in {target_file} ({len(content) / 1e3:,.0f} kB).\nIt holds what is on disk: if you typed since, "
        "save the notebooks first (Ctrl+S) and run this again."
    )


def restore(zip: str | Path | None = None) -> None:
    """Bring notebooks and progress back from a save, and leave what was written since as it is.

    Where a notebook was changed here and in the save, that of the save is put beside it, as ``… (restored).ipynb``.

    Parameters
    ----------
    zip : str or Path, optional
        The save; default the newest one in this working copy, if there is any.

    Raises
    ------
    WorkingCopyError
        The file is missing, damaged, or holds what no save does; nothing is restored then.
    """
    folder = working_copy.find()
    file, damaged = (Path(zip).expanduser().absolute(), []) if zip else _newest(folder)
    for complaint in damaged:
        print(complaint)
    if file is None:
        lack = "No save lies in this folder" if folder else NONE_HERE
        print(f"{lack}, so there is nothing to restore.")
        return
    content = _read(file)
    saved = unpack(content, file.name)
    folder = folder or working_copy.create(Path.cwd())
    _check_inside(folder, saved.notebooks, file.name)
    with writing_to(folder), locked(folder):
        record = working_copy.read_record(folder)
        # A second time, what differs here is newer.
        kept_as_they_are = zip is None and _digest(content) in record.saves
        written = [_place(folder, name, saved, record.copied, kept_as_they_are) for name in sorted(saved.notebooks)]
        if any(written):
            working_copy.write_record(folder, record)
        before = progress.read(folder)
        after = progress.merge(before, saved.entries)
        if after != before:
            progress.write(folder, after)
    _remember(folder, content)
    _report(file.name, [name for name in written if name], after != before)


def _report(file: str, written: list[str], progressed: bool) -> None:
    what = written + ["the progress"] * progressed
    if not what:
        print(f"Nothing of {file} is missing here.")
        return
    print(f"Restored from {file}: {', '.join(what)}.")
    if written:
        print("Close and open again those of them that are open now.")
    if any("(restored" in name for name in written):
        print("Each '(restored)' lies beside a notebook of yours that differs from it.")


def _place(folder: Path, name: str, saved: Save, copied: dict[str, str], only_missing: bool) -> str | None:
    """Write a notebook of a save, unless that would cost the learner anything, and give its name here."""
    content, file = saved.notebooks[name], folder / name
    here = working_copy.read(file)
    if here is not None:
        if only_missing or fingerprint(content) in (fingerprint(here), saved.copied.get(name)):
            return None  # the same, or a lesson that nobody touched
        if fingerprint(here) != copied.get(name) or _is_open(file):
            return None if sources(content) == sources(here) else _place_beside(folder, file, content)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, content)
    if name in saved.copied:
        copied[name] = saved.copied[name]
    return name


def _place_beside(folder: Path, file: Path, content: bytes) -> str | None:
    for place in beside(file, "restored"):
        here = working_copy.read(place)
        if here is None:
            write_whole(place, content)
            return place.relative_to(folder).as_posix()
        if sources(here) == sources(content):
            return None
    return None


def _is_open(file: Path) -> bool:
    """True for the notebook that this is called from: Jupyter would ask which of two versions to keep."""
    return Path(os.environ.get("JPY_SESSION_NAME", "")).resolve() == file


# -------------------------------------------------------------------------------------------------------------- the zip


def pack(saved: Save) -> bytes:
    """A save as the content of a zip."""
    about = {"saved": datetime.now(UTC).isoformat(), "copied": saved.copied}
    files = {_ABOUT: json.dumps(about).encode(), _PROGRESS: json.dumps(saved.entries).encode(), **saved.notebooks}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def unpack(content: bytes, name: str) -> Save:
    """Read a zip without believing anything that it says.

    Raises
    ------
    WorkingCopyError
        It is damaged, or holds a link, a path that leads out of a folder, or more than learners write.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_size(members, name)
            for member in members:
                _check_member(member, name)
            found = {member.filename: archive.read(member) for member in members if _is_wanted(member.filename)}
    except _UNREADABLE as error:
        raise WorkingCopyError(f"{name} is damaged or no zip ({error}): copy it here once more.") from error
    entries = progress.parse(found.pop(_PROGRESS, b""))
    copied = working_copy.read_copied(working_copy.read_json(found.pop(_ABOUT, b"")))
    return Save(found, entries, copied)


def _check_size(members: list[zipfile.ZipInfo], name: str) -> None:
    sizes = [member.file_size for member in members]
    if len(sizes) > MOST_FILES or max(sizes, default=0) > LARGEST_FILE or sum(sizes) > LARGEST_SAVE:
        raise WorkingCopyError(f"{name} holds more than a save does, so nothing of it was restored.")


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    link = stat.S_ISLNK(member.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or link or not _stops_at_its_size(member):
        raise WorkingCopyError(f"{name} holds {member.filename!r}, which no save does, so nothing of it was restored.")


def _stops_at_its_size(member: zipfile.ZipInfo) -> bool:
    """Tell whether zipfile reads no more of a member than the size that its header promises."""
    return member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _is_wanted(name: str) -> bool:
    hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
    return name in (_ABOUT, _PROGRESS) or (name.endswith(".ipynb") and not hidden)


def _check_inside(folder: Path, notebooks: Mapping[str, bytes], name: str) -> None:
    """Refuse a name that a link in the working copy leads out of it."""
    for notebook in notebooks:
        if not (folder / notebook).resolve().is_relative_to(folder):
            raise WorkingCopyError(f"{name} holds {notebook!r}, which lies outside of {folder}; nothing was restored.")


def _newest(folder: Path | None) -> tuple[Path | None, list[str]]:
    """The newest save that lies in a working copy, if any, and a sentence for each zip that cannot be read."""
    found, damaged = [], []
    for file in sorted(folder.glob("*.zip")) if folder else []:
        try:
            found.append((_time(file), file))
        except _UNREADABLE as error:
            damaged.append(f"{file.name} is damaged ({error}): copy it here once more.")
    return max(((time, file) for time, file in found if time), default=("", None))[1], damaged


def _holds(file: Path, saved: Save) -> bool:
    try:
        return unpack(_read(file), file.name) == saved
    except WorkingCopyError:
        return False


def _time(file: Path) -> str:
    """When a save was made; empty for another zip."""
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if member.filename == _ABOUT]
        if not members or members[0].file_size > LARGEST_FILE or not _stops_at_its_size(members[0]):
            return ""
        return str(working_copy.read_json(archive.read(members[0])).get("saved", ""))


# ------------------------------------------------------------------------------------------------------------- helpers


def _target(folder: Path, target: str | Path | None) -> Path:
    """The file to write; one that is there and no save is refused."""
    file = folder if target is None else Path(target).expanduser().absolute()
    if file.is_dir():
        return file / f"my_lessons_{datetime.now():%Y-%m-%d_%H%M}.zip"
    file = file if file.suffix == ".zip" else file.with_name(f"{file.name}.zip")
    try:
        is_other = file.exists() and not _time(file)
    except _UNREADABLE:
        is_other = True
    if is_other:
        raise WorkingCopyError(f"{file} is there already and is no save: choose another name.")
    return file


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST_SAVE:
            raise WorkingCopyError(f"{file.name} is larger than any save, so nothing of it was restored.")
        return file.read_bytes()
    except OSError as error:
        raise WorkingCopyError(f"{file} cannot be read ({error.strerror}): check its name.") from error


def _remember(folder: Path, content: bytes) -> None:
    """Note that this save was made or restored here."""
    with writing_to(folder), locked(folder):
        record = working_copy.read_record(folder)
        if _digest(content) not in record.saves:
            working_copy.write_record(folder, record._replace(saves=[*record.saves, _digest(content)]))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
