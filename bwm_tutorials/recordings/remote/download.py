"""Fetch files over HTTP: a few at a time, with one progress bar, each under its name only when it is whole."""

import glob
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import quote, unquote
from uuid import uuid4

import requests
from tqdm import tqdm

from ...console import no_terminal, say
from ...errors import CorruptData, MissingDataset, Unreachable, cause
from .. import integrity, turns
from .patience import Failed, persist, response

AT_ONCE = 4
RESERVE = 100_000_000  # bytes that are left free on the disk
_CHUNK = 1 << 14  # what is lost at most when a connection breaks off


class File(NamedTuple):
    """A file to be fetched: where from (the best place first), where to, and how to tell that it is whole.

    ``size`` is 0 and ``md5`` empty if unknown.
    """

    urls: tuple[str, ...]
    path: Path
    size: int = 0
    md5: str | None = None


class Other(NamedTuple):
    """What a file is, where it was not known, or the tables said otherwise."""

    size: int
    md5: str


def fetch(files: Sequence[File], root: Path, headers: dict[str, str] | None = None) -> dict[Path, Other]:
    """Fetch files into a folder.

    Each is written beside its final place, verified (size and md5), and only then given its name. What an attempt
    that broke off has left of the same version (ETag) is continued. Several programs may fetch into one folder: each
    file is left to the one that began it, and where the disk has no locks each writes a part of its own.

    Parameters
    ----------
    files : sequence of File
        All below ``root``.
    root : Path
        The data folder.
    headers : dict, optional
        Sent with each request.

    Returns
    -------
    dict
        Size and md5 of the files of which no md5 was known, or another, though the server has them so: their checksum
        agrees with the server's own, or they arrived whole and alike twice. They are kept.

    Raises
    ------
    CorruptData
        A file arrived altered each time.
    MissingDataset
        The server does not have a file.
    Refused
        The server does not give a file.
    Unreachable
        There is no network or no such server, it fails, or the disk cannot hold the files.
    """
    with writing(root):
        files = [file for file in dict.fromkeys(files) if _lacks(file)]
        if not files:
            return {}
        check_space(sum(max(file.size - _arrived(file), 0) for file in files), root)
        return _fetch_all(files, root, headers or {})


def read(url: str, headers: dict[str, str] | None = None) -> bytes:
    """Return the content of a small file, with the same patience and the same errors as `fetch`."""
    with TemporaryDirectory() as folder:
        file = File((url,), Path(folder, "content"))
        fetch([file], Path(folder), headers)
        return file.path.read_bytes()


def check_space(size: int, root: Path) -> None:
    """Raise Unreachable unless the disk of ``root`` can hold that many bytes more."""
    there = next(folder for folder in (root, *root.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free - RESERVE
    if size > max(free, 0):
        raise Unreachable(
            f"{size / 1e6:,.0f} MB are to be fetched and the disk of {root} has room for {max(free, 0) / 1e6:,.0f}: "
            "free some space, or set the environment variable BWM_DATA to a folder on another disk."
        )


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Say in one sentence why nothing can be written to a folder."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else cause(error)
        raise Unreachable(
            f"Nothing can be written to {root} ({reason}): free some space, or set the environment variable BWM_DATA "
            "to a folder that can be written to."
        ) from error


def _lacks(file: File) -> bool:
    return bool(integrity.fault(file.path, file.size, file.md5))


def part_of(path: Path, version: str, whose: str) -> Path:
    """Where a version (ETag) of a file is while it is not yet whole; another one is not its continuation."""
    return path.with_name(f".{path.name}.{quote(version, safe='')[:99]}.{whose}.part")


def _parts(path: Path) -> list[Path]:
    """What there is of a file that is not whole yet, the longest last."""
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*.part"), key=_size)


def _size(file: Path) -> int:
    """Bytes of a file, 0 if another program has just removed it."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _version(part: Path, path: Path) -> str:
    """Of which version (ETag) of a file a part is; empty if that is not known."""
    return unquote(part.name.removeprefix(f".{path.name}.").rsplit(".", 2)[0])


def _begun(path: Path) -> Path | None:
    """The longest part of a file, of those whose version is known."""
    return next((part for part in reversed(_parts(path)) if _version(part, path) and _size(part)), None)


def _arrived(file: File) -> int:
    """How many bytes of a file an attempt that broke off has left."""
    begun = _begun(file.path)
    return _size(begun) if begun else 0


def _discard(parts: Sequence[Path]) -> None:
    for part in parts:
        with suppress(OSError):  # another program has it open
            part.unlink(missing_ok=True)


def _fetch_all(files: Sequence[File], root: Path, headers: dict[str, str]) -> dict[Path, Other]:
    stop = threading.Event()
    total = sum(file.size for file in files) or None
    bar = tqdm(total=total, unit="B", unit_scale=True, leave=False, disable=no_terminal())
    found = {}
    try:
        with bar, requests.Session() as web, ThreadPoolExecutor(AT_ONCE) as pool:
            web.headers.update({"Accept-Encoding": "identity", **headers})
            fetched = {pool.submit(_fetch, web, file, root, bar, stop): file.path for file in files}
            try:
                for number, one in enumerate(as_completed(fetched), start=1):
                    if other := one.result():
                        found[fetched[one]] = other
                    bar.set_description_str(f"{number} of {len(files)} files")
            finally:  # what one meets, or a key that was pressed, stops the others
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
    except OSError:  # the disk is full, and should not stay so
        for file in files:
            _discard(_parts(file.path))
        raise
    return found


def _fetch(web: requests.Session, file: File, root: Path, bar: tqdm, stop: threading.Event) -> Other | None:
    whose = uuid4().hex[:8]
    shown, seen = 0, set()  # bytes that the bar counts; md5s of what was not expected

    def show(position: int) -> None:
        nonlocal shown
        bar.update(position - shown)
        shown = position

    def attempt(url: str) -> Other | None:
        try:
            part = None if stop.is_set() else _stream(web, url, file, whose, show, stop)
            if part is None:
                return None
            try:
                other = _checked(part, file, seen)
            except Failed:
                _discard(_parts(file.path))  # from the beginning next time, whoever began it
                raise
            os.replace(part, file.path)
        except FileNotFoundError as error:  # another program has cleared up
            if _lacks(file):
                raise Failed("another program has removed what had arrived") from error
            other = None
        _discard(_parts(file.path))
        return other

    file.path.parent.mkdir(parents=True, exist_ok=True)
    with turns.alone(root, file.path, stop, lambda: [(part.name, _size(part)) for part in _parts(file.path)]):
        if not _lacks(file):  # another program has fetched it
            show(file.size)
            return None
        for url in file.urls:
            try:
                return persist(partial(attempt, url), url, stop.wait, lambda: shown)
            except MissingDataset:
                if len(file.urls) == 1:
                    raise
    raise MissingDataset(
        f"No server has {file.path.name} any more (404 at {file.urls[0]}): it was superseded, and 'bwm-tutorials data "
        "get --update' asks what took its place."
    )


def _checked(part: Path, file: File, seen: set[str]) -> Other | None:
    """Return what has arrived if that was not known before; raise Failed if the server has something else."""
    size = part.stat().st_size
    own = integrity.of_etag(_version(part, file.path), size)
    fault = integrity.fault(part, file.size, file.md5 or own)
    if not fault and file.md5 and "-" not in file.md5:
        return None
    if not integrity.is_of_kind(part, file.path.suffix):
        raise Failed(
            f"what arrived {fault or 'is another kind of file, as the login page of a network is'}", CorruptData
        )
    md5 = integrity.md5(part)
    if not fault:
        return Other(size, md5)
    told = own and ("-" not in own or own == file.md5)  # by the server, what it has
    if (own and integrity.agrees(part, own)) or (md5 in seen and not told):
        say(f"{file.path.name} is not what its table says, which is older: it is kept as the server has it.")
        return Other(size, md5)
    seen.add(md5)
    raise Failed(f"what arrived {fault}", CorruptData)


def _stream(
    web: requests.Session, url: str, file: File, whose: str, show: Callable[[int], None], stop: threading.Event
) -> Path | None:
    """Bring what a server has of a file, and return where it is; None if it was stopped."""
    begun = _begun(file.path)
    start = _size(begun) if begun else 0
    if begun and start == file.size:  # it was stopped before it was given its name
        return begun
    version = _version(begun, file.path) if begun else ""
    with response(web, url, {"Range": f"bytes={start}-", "If-Range": version} if start else {}) as answer:
        etag = answer.headers.get("ETag", "")
        if answer.status_code == 416 or (answer.status_code == 206 and etag != version):
            _discard([begun] if begun else [])
            raise Failed("the server has another version than what has arrived already", CorruptData)
        position = start if answer.status_code == 206 else 0  # not every server gives a part
        length = answer.headers.get("Content-Length")
        if not (length or file.size or file.md5 or answer.headers.get("Transfer-Encoding")):
            raise Failed("the server does not say how long it is")
        part = part_of(file.path, etag, whose)
        if position and part != begun:
            shutil.copyfile(begun, part)
        with part.open("r+b" if position else "wb") as stream:
            stream.truncate(position)
            stream.seek(position)
            for chunk in answer.iter_content(_CHUNK):
                stream.write(chunk)
                position += len(chunk)
                show(position)
                if stop.is_set():
                    return None
                if file.size and not length and position > 2 * file.size + _CHUNK:
                    raise Failed("the server does not come to an end", CorruptData)  # and would fill the disk
    return part
