"""Saves of a working copy: one small file with a learner's notebooks and progress, to take to another computer."""

import hashlib
import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ...console import say
from ...errors import WorkingCopyError
from . import progress, working_copy
from .working_copy import FOLDER, NONE_HERE, beside, fingerprint, locked, sources, write_whole, writing_to

LARGEST_FILE, LARGEST_SAVE, MOST_FILES = 100e6, 1e9, 2000  # bytes, bytes: notebooks with figures are far below
_ABOUT, _RECORD, _PROGRESS = (f"{FOLDER}/{name}.json" for name in ("save", "record", "progress"))
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
        say(f"{NONE_HERE}, so there is nothing to save.")
        return
    target_file = _target(folder, target)
    with writing_to(folder), locked(folder):
        found = {file.relative_to(folder).as_posix(): file.read_bytes() for file in working_copy.notebooks(folder)}
        notebooks = {name: content for name, content in found.items() if len(content) <= LARGEST_FILE}
        saved = Save(notebooks, progress.read(folder), working_copy.read_record(folder).copied)
    last, _ = _newest(folder)
    if target is None and last and _holds(last, saved):
        say(f"Nothing on disk has changed since {last}.\nIf you typed since, save the notebooks first (Ctrl+S).")
        return
    content = pack(saved)
    with writing_to(target_file.parent):
        write_whole(target_file, content)
    _remember(folder, content)
    for name in found.keys() - notebooks.keys():
        say(f"Not saved, because it is larger than {LARGEST_FILE / 1e6:.0f} MB: {name}.")
    what = f"{len(notebooks)} notebook{'s' * (len(notebooks) != 1)} and the progress"
    say(
        f"Saved {what} in {target_file} ({len(content) / 1e3:,.0f} kB).\nIt holds what is on disk: if you typed since, "
        "save the notebooks first (Ctrl+S) and run this again."
    )


def restore(zip: str | Path | None = None) -> None:
    """Bring notebooks and progress back from a save, and leave what was written since as it is.

    Where a notebook was changed here and in the save, that of the save is put beside it, as ``… (restored).ipynb``.

    Parameters
    ----------
    zip : str or Path, optional
        The save, the folder that it was unpacked into, or another working copy; also one that was packed again with a
        folder around it. Default the newest save in this working copy, if there is any.

    Raises
    ------
    WorkingCopyError
        It is missing, damaged, no save, or holds what no save does; nothing is restored then.
    """
    folder = working_copy.find()
    file, damaged = (Path(zip).expanduser().absolute(), []) if zip else _newest(folder)
    for complaint in damaged:
        say(complaint)
    if file is None:
        lack = "No save lies in this folder" if folder else NONE_HERE
        say(f"{lack}, so there is nothing to restore.")
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
        say(f"Nothing of {file} is missing here.")
        return
    say(f"Restored from {file}: {', '.join(what)}.")
    if written:
        say("Close and open again those of them that are open now.")
    if any("(restored" in name for name in written):
        say("Each '(restored)' lies beside a notebook of yours that differs from it.")


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
        It is damaged or no save, or holds a link, a path that leads out of a folder, or more than learners write.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_size(members, name)
            for member in members:
                _check_member(member, name)
            home = _home([member.filename for member in members], name)
            inside = {m.filename.removeprefix(home): m for m in members if m.filename.startswith(home)}
            found = {path: archive.read(member) for path, member in inside.items() if _is_wanted(path)}
    except _UNREADABLE as error:
        raise WorkingCopyError(f"{name} is damaged or no zip ({error}): copy it here once more.") from error
    entries, record = progress.parse(found.pop(_PROGRESS, b"")), found.pop(_RECORD, b"")
    copied = working_copy.read_copied(working_copy.read_json(found.pop(_ABOUT, record)))
    return Save(found, entries, copied)


def _home(paths: Iterable[str], name: str) -> str:
    """What stands before each path in a save: nothing, or the folder that a computer put around it."""
    marked = [path.removesuffix(mark) for path in paths for mark in (_ABOUT, _RECORD) if path.endswith(mark)]
    homes = {home for home in marked if home == "" or (home.endswith("/") and home.count("/") == 1)}
    if "" in homes:
        return ""
    if len(homes) != 1:
        raise WorkingCopyError(
            f"{name} holds {'several saves' if homes else 'no progress'}, so nothing of it was restored: name the file "
            "that bwm.save() made, or the folder that was unpacked from it."
        )
    return homes.pop()


def _zipped(folder: Path) -> bytes:
    """A folder that a save was unpacked into, or a working copy, as the content of a zip."""
    marks = [found for mark in (_ABOUT, _RECORD) for found in (*folder.glob(mark), *folder.glob(f"*/{mark}"))]
    home = folder / _home([mark.relative_to(folder).as_posix() for mark in marks], folder.name)
    files = [file for mark in (_ABOUT, _RECORD, _PROGRESS) if (file := home / mark).is_file()]
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in [*files, *working_copy.notebooks(home)]:
            # Not by its name alone, which would add the time: the same folder is the same save.
            archive.writestr(zipfile.ZipInfo(file.relative_to(home).as_posix()), file.read_bytes())
    return buffer.getvalue()


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
    return name in (_ABOUT, _RECORD, _PROGRESS) or (name.endswith(".ipynb") and not hidden)


def _check_inside(folder: Path, notebooks: Mapping[str, bytes], name: str) -> None:
    """Refuse a name that a link in the working copy leads out of it."""
    for notebook in notebooks:
        if not (folder / notebook).resolve().is_relative_to(folder):
            raise WorkingCopyError(f"{name} holds {notebook!r}, which lies outside of {folder}; nothing was restored.")


def _newest(folder: Path | None) -> tuple[Path | None, list[str]]:
    """The newest save that lies in a working copy, packed or not, and a sentence for each zip that cannot be read."""
    found, damaged = [], []
    unpacked = [about.parents[1] for about in folder.glob(f"*/{_ABOUT}")] if folder else []
    for file in sorted([*folder.glob("*.zip"), *unpacked]) if folder else []:
        try:
            found.append((_time(file), file))
        except _UNREADABLE as error:
            damaged.append(f"{file.name} is damaged ({error}): copy it here once more.")
    return max(((time, file) for time, file in found if time), default=("", None))[1], damaged


def _holds(file: Path, saved: Save) -> bool:
    try:
        return _compared(unpack(_read(file), file.name)) == _compared(saved)
    except WorkingCopyError:
        return False


def _compared(saved: Save) -> Save:
    """A save with the fingerprints of its notebooks: what editors change for themselves makes no new one."""
    return saved._replace(notebooks={name: fingerprint(content) for name, content in saved.notebooks.items()})


def _time(file: Path) -> str:
    """When a save was made; empty for another zip."""
    if file.is_dir():
        return str(working_copy.read_json((file / _ABOUT).read_bytes()).get("saved", ""))
    with zipfile.ZipFile(file) as archive:
        members = [m for m in archive.infolist() if _ABOUT in (m.filename, m.filename.partition("/")[2])]
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
        if file.is_dir():
            return _zipped(file)
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
