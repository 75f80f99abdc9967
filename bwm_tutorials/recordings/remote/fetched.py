"""What of a source is on this computer: how much, whether it is whole, and how to be rid of it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from ...errors import DataError
from ...paths import is_ours
from .. import index, integrity, one_private, one_tables
from ..local import LocalFile, LocalOne


def present(one: LocalOne, eid: str | UUID | None = None) -> Iterator[LocalFile]:
    """The files of a source, or of one session of it, that are on this computer."""
    one.look_up(*index.indexed(Path(one.cache_dir)))
    table = one_private.datasets_table(one)
    if eid is not None:
        table = table[table.index.get_level_values("eid") == UUID(str(eid))]
    for dataset in one.files(table):
        if dataset.path.exists():
            yield dataset
    for file in Path(one.cache_dir, one_tables.AGGREGATES).glob("*.pqt") if eid is None else ():
        if about := one_tables.note(file):
            yield LocalFile(None, file, about["size"], about["md5"])


def damaged(one: LocalOne, eid: str | UUID | None = None) -> Iterator[str]:
    """One line for each of these files that is not what the tables say."""
    for _, path, size, md5 in present(one, eid):
        if fault := integrity.fault(path, size, md5):
            yield f"{path} {fault}"


def delete(one: LocalOne, eid: str | UUID | None = None) -> int:
    """Delete these files, and what is left of broken downloads, but nothing else; the bytes that are freed."""
    root = Path(one.cache_dir)
    if not is_ours(root):
        raise DataError(f"{root} was not made by bwm-tutorials, so nothing in it is deleted.")
    files = [dataset.path for dataset in present(one, eid)]
    files += [file.with_suffix(".json") for file in files if file.parent.name == one_tables.AGGREGATES]
    sessions = [one.eid2path(eid)] if eid is not None else sorted(root.glob("*/Subjects/*/*/*"))
    files += [part for session in sessions for part in Path(session).rglob(".*.part")]
    freed = 0
    for file in files:
        freed += file.stat().st_size
        file.unlink()
        for folder in file.parents:
            if folder == root:
                break
            with suppress(OSError):  # something else is in it
                folder.rmdir()
    return freed
