"""Whether a file is what the tables say of it: the one place where that is decided, for every source."""

import hashlib
import os
import re
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import CorruptData, MissingDataset

PART = 8 << 20  # bytes
_md5 = partial(hashlib.md5, usedforsecurity=False)

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
        Its checksum, as `of_etag` gives it; None or empty if unknown.
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
    # Where it is known the md5 decides: IBL's database has the wrong size of some files of the release. Of a file that
    # was put in parts of another size than is usual, the checksum tells nothing.
    if agrees(file, md5) or ("-" in md5 and not wrong_size):
        _verified.add(seen)
        return ""
    return wrong_size or "was altered (its md5 is not the one in its table)"


def md5(file: Path) -> str:
    """Return the md5 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, _md5).hexdigest()


def of_etag(etag: str, size: int) -> str | None:
    """Return the checksum that an ETag of S3 is, of a file of so many bytes; None if it is none.

    A file that was put in one part has its md5, and one in parts the md5 of their md5s, with their number behind a
    hyphen. Only the usual size of a part is looked for, 8 MiB.
    """
    found = re.fullmatch('"?([0-9a-f]{32}(?:-([0-9]+))?)"?', etag)
    return found[1] if found and found[2] in (None, str(max(-(-size // PART), 1))) else None


def agrees(file: Path, checksum: str) -> bool:
    """Tell whether a file has a checksum as `of_etag` gives it."""
    if "-" not in checksum:
        return md5(file) == checksum
    with file.open("rb") as stream:
        parts = [_md5(part).digest() for part in iter(partial(stream.read, PART), b"")]
    return f"{_md5(b''.join(parts)).hexdigest()}-{len(parts)}" == checksum


def refuse_fault(file: Path, size: int, md5: str | None, remedy: str, root: Path) -> None:
    """Raise MissingDataset or CorruptData, in a sentence that ends with a remedy, if a file has a `fault`."""
    if not file.exists():
        name = file.relative_to(root).as_posix()
        raise MissingDataset(f"{name} is in the tables of {root} but not in its folders: {remedy}.")
    if found := fault(file, size, md5):
        raise CorruptData(f"{file} {found}: {remedy}.")


def is_of_kind(file: Path, suffix: str) -> bool:
    """Tell whether a file may be what its name says, by its beginning and end; a page of the web is none of ours."""
    if suffix == ".npy":
        return not _no_array(file)
    with file.open("rb") as stream:
        begins = stream.read(4)
        stream.seek(-min(file.stat().st_size, 4), os.SEEK_END)
        ends = stream.read()
    return begins == ends == b"PAR1" if suffix == ".pqt" else not (suffix and begins.startswith(b"<"))


def _no_array(file: Path) -> Exception | None:
    """Return why a file is not a plain array; None if it is one."""
    try:
        # ONE itself would read it with allow_pickle=True.
        np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        return error
    return None


def refuse_pickled(file: Path, remedy: str) -> None:
    """Raise CorruptData for a ``.npy`` file that is not a plain array: reading it could run whatever code it holds."""
    if file.suffix == ".npy" and (error := _no_array(file)):
        raise CorruptData(f"{file} is not a plain array, and pickled objects are never loaded: {remedy}.") from error
