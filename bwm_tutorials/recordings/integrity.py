"""Whether a file is what the tables say of it: the one place where that is decided, for every source."""

import hashlib
from pathlib import Path

import numpy as np

from ..errors import CorruptData, MissingDataset

_verified: set[tuple] = set()
"""Files that were found to be what their tables say, as they were then: each is hashed once a process."""


def fault(file: Path, size: int, md5: str | None) -> str:
    """Return what is wrong with a file, as the end of a sentence; empty if nothing is.

    Parameters
    ----------
    file : Path
    size : int
        Bytes that it should have; 0 if unknown.
    md5 : str or None
        Its checksum; None or empty if unknown.
    """
    if not file.exists():
        return "is not there"
    found = file.stat()
    wrong_size = f"has {found.st_size:,} bytes where its table says {size:,}" if size and found.st_size != size else ""
    if not (isinstance(md5, str) and md5):
        return wrong_size
    seen = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, md5)  # not the name, which a download changes
    if seen in _verified:
        return ""
    with file.open("rb") as stream:
        # Where it is known the md5 decides: IBL's database has the wrong size of some files of the release.
        if hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5:
            _verified.add(seen)
            return ""
    return wrong_size or "was altered (its md5 is not the one in its table)"


def refuse_fault(file: Path, size: int, md5: str | None, remedy: str, root: Path) -> None:
    """Raise MissingDataset or CorruptData, in a sentence that ends with a remedy, if a file has a `fault`."""
    if not file.exists():
        name = file.relative_to(root).as_posix()
        raise MissingDataset(f"{name} is in the tables of {root} but not in its folders: {remedy}.")
    if found := fault(file, size, md5):
        raise CorruptData(f"{file} {found}: {remedy}.")


def refuse_pickled(file: Path, remedy: str) -> None:
    """Raise CorruptData for a ``.npy`` file that is not a plain array: reading it could run whatever code it holds."""
    if file.suffix != ".npy":
        return
    try:
        # ONE itself would read it with allow_pickle=True.
        np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise CorruptData(f"{file} is not a plain array, and pickled objects are never loaded: {remedy}.") from error
