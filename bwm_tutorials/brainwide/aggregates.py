"""The tables of all units and of all trials, each one file: what is asked of the whole release begins here."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pyarrow import parquet

from ..console import say
from ..errors import CorruptData, DataError, MissingDataset, cause
from ..recordings import integrity, one_tables
from ..recordings.local import REMEDY, LocalOne
from ..recordings.remote import aws, base, download

HOLDS = {"clusters": "units", "trials": "trials"}
NEEDED = {"clusters": ["pid", "eid", "cluster_id", "label", "acronym"], "trials": ["eid", "bwm_include"]}
"""Columns without which a table is not what it is taken for."""


def aggregate(one: LocalOne, name: str) -> pd.DataFrame:
    """Return all units, or all trials, of a source as one table, and print where it is from.

    ``'aws'`` and ``'openalyx'`` fetch the release's own table from the AWS bucket (no account is needed) when it is
    first asked for, some tens of megabytes; afterwards it is read from disk. ``'sample-release'`` has such tables of
    its synthetic sessions, and a folder opened by its path has those in its ``aggregates/``.

    Parameters
    ----------
    one : LocalOne
        As `connect` gives it.
    name : {'clusters', 'trials'}

    Returns
    -------
    DataFrame
        ``'clusters'``: one row a unit, with ``eid``, ``pid``, ``cluster_id``, ``uuids`` (an id that no other unit
        has), ``acronym`` and ``atlas_id`` (Allen), ``x``, ``y``, ``z`` (m), and the columns of the quality metrics.
        ``'trials'``: one row a trial, with ``eid``, the columns of `Session.trials`' table, and ``bwm_include`` (bool),
        whether the Brain Wide Map's analyses keep it (`trials.bwm_mask`).

    Raises
    ------
    DataError
        There is no aggregate of this name; the message lists those that there are.
    MissingDataset
        The source has none.
    CorruptData
        The file was altered, or is no such table.
    Unreachable
        It is not here yet, and the bucket cannot be reached.
    """
    table, about = read(one, name)
    said = f"{len(table):,} {HOLDS[name]} of {table['eid'].nunique():,} sessions, from "
    if about:
        say(f"{said}{about['source']}: revision {about['revision']}, of {about['date']}.")
    else:
        say(f"{said}{_file(one, name)}, whose revision and date are not known.")
    return table


def read(one: LocalOne, name: str, columns: Sequence[str] | None = None) -> tuple[pd.DataFrame, dict]:
    """Return an aggregate, and what is known of it (empty if nothing is); nothing is printed. Else as `aggregate`.

    Of ``columns`` those are read that the table has, besides `NEEDED`; all of the release's units take 700 MB.
    """
    if name not in HOLDS:
        listed = " and ".join(f"{each!r} (all {what})" for each, what in HOLDS.items())
        raise DataError(f"There is no aggregate {name!r}; there are {listed}.")
    file = _file(one, name)
    if isinstance(one, base.RemoteOne):
        _fetch(one, file)
    elif not file.exists():
        raise MissingDataset(
            f"{one.cache_dir} has no {one_tables.AGGREGATES}/{file.name}, the table of all {HOLDS[name]}: open "
            "connect('aws'), which fetches the release's, or connect('sample-release'), which has a synthetic one."
        )
    about = one_tables.note(file)
    if about:
        integrity.refuse_fault(file, about["size"], about["md5"], REMEDY, file.parent.parent)
    try:
        there = parquet.read_schema(file).names
        if missing := [column for column in NEEDED[name] if column not in there]:
            raise CorruptData(f"{file} has no {' and no '.join(missing)}; it has {', '.join(there)}.")
        wanted = there if columns is None else [each for each in there if each in (*NEEDED[name], *columns)]
        return pd.read_parquet(file, columns=wanted), about
    except (OSError, ValueError) as error:
        raise CorruptData(f"{file} cannot be read ({cause(error)}): {REMEDY}.") from error


def _file(one: LocalOne, name: str) -> Path:
    return Path(one.cache_dir, one_tables.AGGREGATES, f"{name}.pqt")


def _fetch(one: base.RemoteOne, file: Path) -> None:
    """Fetch the release's table from the bucket, unless it is here as it came."""
    root, known = file.parent.parent, one_tables.note(file)
    if (known and not integrity.fault(file, known["size"], known["md5"])) or (one.never_asks and file.exists()):
        return
    one.ask_for(f"The table of all {HOLDS[file.stem]}")
    bucket, key = aws.Bucket(), f"{aws.AGGREGATES}/{file.name}"
    item = next((each for each in bucket.listing(Prefix=key) if each["Key"] == key), None)
    if item is None:
        raise MissingDataset(
            f"The bucket s3://{aws.BUCKET} has no {key}: 'bwm-tutorials doctor --online' says what has changed."
        )
    with download.writing(root):
        if known:  # it was altered, which the bucket does not tell of a file that was put in parts
            file.unlink(missing_ok=True)
        download.fetch([download.File((bucket.address(key),), file, item["Size"], aws.md5(item))], root)
        revision = aws.AGGREGATES.rpartition("/")[2]
        source, date = f"s3://{aws.BUCKET}/{key}", f"{item['LastModified']:%Y-%m-%d}"
        one_tables.write_note(file, source=source, revision=revision, date=date)
