"""Whether a file is what the tables say of it: the one place where that is decided, for every source."""

import hashlib
from pathlib import Path

import numpy as np


def fault(file: Path, size: int, md5: str | None) -> str:
    """What is wrong with a file, as the end of a sentence; empty if nothing is.

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
    found = file.stat().st_size
    wrong_size = f"has {found:,} bytes where its table says {size:,}" if size and found != size else ""
    if not (isinstance(md5, str) and md5):
        return wrong_size
    with file.open("rb") as stream:
        # Where it is known the md5 decides: IBL's database has the wrong size of some files of the release.
        if hashlib.file_digest(stream, "md5").hexdigest() == md5:
            return ""
    return wrong_size or "was altered (its md5 is not the one in its table)"


def pickled(file: Path) -> bool:
    """True for a ``.npy`` file that is not a plain array: reading it could run whatever code it holds."""
    if file.suffix != ".npy":
        return False
    try:
        # ONE itself would read it with allow_pickle=True.
        np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError):
        return True
    return False
