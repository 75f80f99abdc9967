"""Programs that write into one folder take turns, so that work is not done twice; nothing else depends on it."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ..console import say_once

FOLDER = ".locks"
PATIENCE = 60  # s that another program may stand still


@contextmanager
def alone(
    root: Path, what: Path, stop: threading.Event | None = None, state: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Let one program at a time make a file below a folder, for as long as its ``state`` changes now and then.

    Some disks have no locks, or cannot be written to: there this does nothing.
    """
    name = hashlib.md5(what.relative_to(root).as_posix().encode(), usedforsecurity=False).hexdigest()
    file = root / FOLDER / name
    lock = FileLock(file)
    with suppress(OSError, NotImplementedError):
        file.parent.mkdir(parents=True, exist_ok=True)
        before, since = state(), time.monotonic()
        while not (stop and stop.is_set()) and time.monotonic() - since < PATIENCE:
            try:
                lock.acquire(timeout=1)
                break
            except Timeout:
                say_once(f"Another program is fetching into {root}; waiting for it …")
            if (now := state()) != before:
                before, since = now, time.monotonic()
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):
                file.unlink()
            lock.release()
