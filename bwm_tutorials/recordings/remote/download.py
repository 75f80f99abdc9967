"""Fetch files over HTTP: a few at a time, with one progress bar, each under its name only when it is whole."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import NamedTuple, TypeVar

import requests
from filelock import FileLock, Timeout
from tqdm import tqdm

from ...console import no_terminal, say
from ...errors import CorruptData, DataError, MissingDataset, Refused, Unreachable, cause
from .. import integrity

AT_ONCE = 4
ATTEMPTS = 5
PAUSE = 0.5  # s before the second attempt; doubled for each further one
TIMEOUT = (10, 60)  # s: to connect, and without a byte
PATIENCE = 60  # s that a busy server may ask for
RESERVE = 100_000_000  # bytes that are left free on the disk
_CHUNK = 1 << 18

T = TypeVar("T")


class File(NamedTuple):
    """A file to be fetched: where from (the best place first), where to, and how to tell that it is whole.

    ``size`` is 0 and ``md5`` empty if unknown.
    """

    urls: tuple[str, ...]
    path: Path
    size: int = 0
    md5: str | None = None


class _Failed(Exception):
    """An attempt failed in a way that another may not; ``error`` is what it comes to after the last one."""

    def __init__(self, reason: str, error: type[DataError] = Unreachable, pause: float = 0):
        super().__init__(reason)
        self.error, self.pause = error, pause


def fetch(files: Sequence[File], root: Path) -> None:
    """Fetch files into a folder.

    Each is written beside its final place, verified (size and md5), and only then given its name. What an attempt
    that broke off has left is continued. Several programs may fetch into one folder: they take turns, and what one
    has fetched the next one finds.

    Parameters
    ----------
    files : sequence of File
        All below ``root``.
    root : Path
        The data folder.

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
    with writing(root), exclusive(root):
        files = [f for f in dict.fromkeys(files) if integrity.fault(f.path, f.size, f.md5)]
        if files:
            check_space(sum(f.size - _arrived(f) for f in files), root)
            _fetch_all(files)


def read(url: str, headers: dict[str, str] | None = None) -> bytes:
    """The content of a small file, with the same patience and the same errors as `fetch`."""

    def attempt() -> bytes:
        with _response(web, url, headers or {}) as response:
            return response.content

    with requests.Session() as web:
        return _persist(attempt, url)


def check_space(size: int, root: Path) -> None:
    """Raise Unreachable unless the disk of ``root`` can hold that many bytes more."""
    free = disk_usage(next(folder for folder in (root, *root.parents) if folder.is_dir())).free - RESERVE
    if size > max(free, 0):
        raise Unreachable(
            f"{size / 1e6:,.0f} MB are to be fetched and the disk of {root} has room for {max(free, 0) / 1e6:,.0f}: "
            "free some space, or set the environment variable BWM_DATA to a folder on another disk."
        )


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Let one program at a time write into a data folder."""
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / ".download.lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        say(f"Another program is fetching into {root}; waiting for it …")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


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


def part_of(path: Path) -> Path:
    """Where a file is while it is not yet whole."""
    return path.with_name(f".{path.name}.part")


def _arrived(file: File) -> int:
    """How many bytes of a file an attempt that broke off has left, if it is known of which version they are."""
    part = part_of(file.path)
    found = part.stat().st_size if part.exists() and _version(part).exists() else 0
    return found if found <= file.size else 0


def _version(part: Path) -> Path:
    """Where the version (ETag) is kept of a file that has not arrived whole: another one is not its continuation."""
    return part.with_name(f"{part.name}.version")


def _discard(part: Path) -> None:
    for file in (part, _version(part)):
        file.unlink(missing_ok=True)


def _fetch_all(files: Sequence[File]) -> None:
    stop = threading.Event()
    total = sum(file.size for file in files) or None
    bar = tqdm(total=total, unit="B", unit_scale=True, leave=False, disable=no_terminal())
    try:
        with bar, requests.Session() as web, ThreadPoolExecutor(AT_ONCE) as pool:
            fetched = [pool.submit(_fetch, web, file, bar, stop) for file in files]
            try:
                for number, one in enumerate(as_completed(fetched), start=1):
                    one.result()
                    bar.set_description_str(f"{number} of {len(files)} files")
            finally:  # what one meets, or a key that was pressed, stops the others
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
    except OSError:  # the disk is full, and should not stay so
        for file in files:
            _discard(part_of(file.path))
        raise


def _fetch(web: requests.Session, file: File, bar: tqdm, stop: threading.Event) -> None:
    part = part_of(file.path)
    file.path.parent.mkdir(parents=True, exist_ok=True)
    shown, absent = 0, []  # bytes of this file that the bar counts; where it was looked for in vain

    def show(position: int) -> None:
        nonlocal shown
        bar.update(position - shown)
        shown = position

    def attempt(url: str) -> None:
        start = _arrived(file)
        try:
            if not stop.is_set() and (not start or start < file.size):
                _stream(web, url, file, start, show, stop)
            if stop.is_set():
                return
            if fault := integrity.fault(part, file.size, file.md5):
                raise _Failed(f"what arrived {fault}", CorruptData)
        except _Failed as failed:
            if failed.error is CorruptData:  # from the beginning next time
                _discard(part)
            raise
        os.replace(part, file.path)
        _discard(part)

    for url in file.urls:
        try:
            return _persist(partial(attempt, url), url, stop.wait)
        except MissingDataset:
            absent.append(f"404 at {url}")
    raise MissingDataset(
        f"No server has {file.path.name} any more ({absent[0]}): it was superseded, and 'bwm-tutorials data get "
        "--update' asks what took its place."
    )


def _stream(
    web: requests.Session, url: str, file: File, start: int, show: Callable[[int], None], stop: threading.Event
) -> None:
    version = _version(part_of(file.path))
    known = version.read_text(encoding="utf-8") if start else ""
    with _response(web, url, {"Range": f"bytes={start}-", "If-Range": known} if start else {}) as response:
        # Not every server gives a part; and of another version none is given, as it should be, or it is not taken.
        same = response.headers.get("ETag", known) == known
        if response.status_code == 206 and not same:
            raise _Failed("the server has another version than what has arrived already", CorruptData)
        position = start if response.status_code == 206 else 0
        if not position:
            version.unlink(missing_ok=True)
            if etag := response.headers.get("ETag"):
                version.write_text(etag, encoding="utf-8")
        with part_of(file.path).open("r+b" if position else "wb") as stream:
            stream.seek(position)
            for chunk in response.iter_content(_CHUNK):
                stream.write(chunk)
                position += len(chunk)
                show(position)
                if stop.is_set():
                    return
                if file.size and position > 2 * file.size + _CHUNK:
                    break  # a server that never ends would fill the disk


@contextmanager
def _response(web: requests.Session, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    """A response that has a body to read; what the network or the server does wrong is `_Failed`, or final."""
    try:
        with web.get(url, headers={"Accept-Encoding": "identity", **headers}, stream=True, timeout=TIMEOUT) as response:
            status = response.status_code
            if status in (404, 410):
                raise MissingDataset(f"The server does not have {url} ({status}): it was moved or removed.")
            if status == 416:
                raise _Failed("the server has less than what has arrived already", CorruptData)
            if status == 429 or status >= 500:
                wish = response.headers.get("Retry-After", "")
                raise _Failed(f"the server answers {status}", pause=float(wish) if wish.isdigit() else 0)
            if status not in (200, 206):
                raise Refused(
                    f"The server refuses {url} ({status}): if a browser on another network gets it, a firewall or "
                    "proxy of yours is in the way."
                )
            yield response
    except requests.exceptions.RequestException as error:
        raise _Failed(innermost(error)) from error


def innermost(error: BaseException) -> str:
    """What an error comes from, which tells more than what wraps it."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return getattr(error, "strerror", None) or cause(error)


def _persist(attempt: Callable[[], T], url: str, wait: Callable[[float], object] = time.sleep) -> T:
    """Try a few times, with longer and longer pauses."""
    for number in range(ATTEMPTS):
        try:
            return attempt()
        except _Failed as error:
            failed = error
        if number + 1 < ATTEMPTS:
            wait(min(max(failed.pause, PAUSE * 2**number), PATIENCE))
    raise failed.error(
        f"{url} could not be fetched in {ATTEMPTS} attempts ({failed}): check the network connection and try again "
        "later; the lessons' sample needs no network."
    ) from failed
