"""The files of one session: which there are, and their content, verified before it is read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
from one.alf.io import load_file_content
from one.api import One
from one.converters import session_record2path

from ..console import say, say_once
from ..errors import CorruptData, DataError, MissingDataset, TooFew, cause
from . import datasets, one_private, one_tables
from .local import REMEDY, whole_files


class SessionFiles:
    """The files of one session.

    Parameters
    ----------
    one : One
        Where from.
    eid : str
    details : mapping
        What the tables say of the session, as ``one.get_details(eid)`` gives it.
    name : str
        What the session is called in errors.
    """

    def __init__(self, one: One, eid: str, details: Any, name: str):
        self.one, self.eid, self.details, self.name = one, eid, details, name

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a file, by its path without revision: the revisions that are loaded by default, and no others."""
        found = self.one.list_datasets(self.eid, details=True, keep_eid_index=True).reset_index()
        found = found[found["exists"].astype(bool)]
        found = found.assign(
            path=found["rel_path"].map(one_tables.without_revision),
            revision=found["rel_path"].str.extract("#(.+)#", expand=False).fillna(""),
            session_path=session_record2path(self.details).as_posix(),
        )
        default = found["default_revision"].astype(bool) if "default_revision" in found else found["exists"] & False
        without = ~default.groupby(found["path"]).transform("any")
        if without.any() and "default_revision" in found:
            n = found.loc[without, "path"].nunique()
            text = f"The tables mark no revision of {n} datasets of {self.name} as the default: the newest is taken."
            say_once(text, self.one.cache_dir)  # a loop over sessions opens each of them many times
        found = found[default | without].sort_values(["path", "revision"])
        return found.drop_duplicates("path", keep="last").set_index("path")

    @cached_property
    def probes(self) -> dict[str, str]:
        """The pid of each probe, by its name."""
        return one_private.insertions_of(self.one, self.eid)

    @cached_property
    def available(self) -> pd.DataFrame:
        """What the session has and lacks, as `Session.available` gives it."""
        wanted = dict(datasets.LABELS)
        for probe in self.probes:
            wanted[f"insertion {probe}"] = f"{self.collection(probe)}/spikes.times.npy"
        present = self.table.reindex(wanted.values())
        return pd.DataFrame(
            {
                "present": present["file_size"].notna().to_numpy(),
                "revision": present["revision"].fillna("").to_numpy(),
                "MB": (present["file_size"].astype("Float64") / 1e6).round(2).to_numpy(),
            },
            index=pd.Index(wanted, name="session has"),
        )

    def __contains__(self, path: str) -> bool:
        return path in self.table.index

    def collection(self, probe: str) -> str:
        """Return the folder of a probe's spikes: that of the release, else where an older sorting left them."""
        folders = [folder.format(probe=probe) for folder in datasets.SORTINGS]
        return next((f for f in folders if self.table.index.str.startswith(f"{f}/").any()), folders[-1])

    def of(self, name: str) -> list[tuple[UUID, UUID]]:
        """Return the (eid, id) of the files that a measurement reads, of each camera and probe that has it."""
        places = {
            "session": [{}],
            "camera": [{"camera": camera} for camera in datasets.CAMERAS],
            "probe": [{"probe": probe, "spikes": self.collection(probe)} for probe in self.probes],
        }
        found: set[str] = set()
        for place in places[datasets.BY_NAME[name].place]:
            first, *others = datasets.paths(name, **place)
            if first in self:
                found.update([first], *map(self.matching, others))
        return self.table[self.table.index.isin(found)].set_index(["eid", "id"]).index.to_list()

    def has(self, name: str, *of: str) -> bool:
        """Tell whether the session has a measurement, as `Session.has` does."""
        if name == "pose" and len(of) == 2:
            name, of = {"lightningPose": "pose"}.get(of[1], of[1]), of[:1]
        if name not in datasets.BY_NAME:
            raise DataError(f"A session never has {name!r}; it may have {', '.join(datasets.BY_NAME)}.")
        kinds = {"session": [], "camera": [*datasets.CAMERAS], "probe": [*self.probes]}[datasets.BY_NAME[name].place]
        if unknown := [each for each in of if each not in kinds]:
            raise DataError(f"{name} is not of {unknown[0]!r}; it is of {', '.join(kinds) or 'the whole session'}.")
        places = [{"camera": each, "probe": each, "spikes": self.collection(each)} for each in of or kinds or [""]]
        return any(next(datasets.paths(name, **place)) in self for place in places)

    def matching(self, pattern: str) -> list[str]:
        """Return the paths that fit a pattern with ``*``."""
        return [path for path in self.table.index if fnmatchcase(path, pattern)]

    def missing(self, what: str) -> MissingDataset:
        """Return the error that says that the session has no such thing, and what it has."""
        has = [label for label, present in self.available["present"].items() if present]
        return MissingDataset(f"{self.name} has no {what}; it has {', '.join(has) or 'no datasets at all'}.")

    def paths(self, paths: Sequence[str], called: str = "") -> list[Path]:
        """Return where files are, all of them there and whole; fetched first if the source can.

        Parameters
        ----------
        paths : sequence of str
            In the session's folder, without revision.
        called : str
            What it is that they hold, for the error if the session has none of it.

        Raises
        ------
        MissingDataset
            The session has no such file.
        CorruptData
            A file is not what the tables say.
        """
        for path in paths:
            if path not in self:
                raise self.missing(called if called and not self.available["present"].get(called) else path)
        # Not load_dataset, which would search for what is known already: that takes longer than reading the file.
        with self.reading(called or paths[0]):
            return whole_files(self.one, self.table.loc[list(paths)].set_index(["eid", "id"]))

    def load(self, *paths: str, called: str = "") -> list:
        """Return the content of files, as `paths` finds them."""
        return [self._read(path, file) for path, file in zip(paths, self.paths(paths, called), strict=True)]

    def optional(self, path: str):
        """Return the content of a file, or None if the session lacks it; said, where it is listed and nobody has it."""
        return or_none(lambda: self.load(path)[0]) if path in self else None

    def _read(self, path: str, file: Path):
        with self.reading(path):
            content = load_file_content(file)
            if content is None:  # an empty file, or json that is none
                raise ValueError("there is nothing in it")
        return content

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Say which file it is that cannot be read."""
        try:
            yield
        except (ValueError, KeyError, OSError) as error:
            raise CorruptData(f"{what} of {self.name} cannot be read ({cause(error)}): {REMEDY}.") from error


def or_none(load: Callable[[], Any]) -> Any:
    """Return what is loaded, or print what is missing and return None."""
    try:
        return load()
    except (MissingDataset, TooFew) as missing:
        say(str(missing))
        return None


def some(ids: list[UUID], most: int = 5) -> str:
    more = f" and {len(ids) - most} more (one.search and one.search_insertions list them)" if len(ids) > most else ""
    return (", ".join(map(str, islice(ids, most))) or "none") + more


def to_uuid(text: str | UUID) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
