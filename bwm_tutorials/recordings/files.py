"""The files of one session: which there are, and their content, verified before it is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import numpy as np
import pandas as pd
from one.alf.io import load_file_content
from one.api import One
from one.converters import session_record2path

from ..analysis.checks import native
from ..console import say, say_once
from ..errors import CorruptData, DataError, MissingDataset, TooFew, cause
from . import contracts, datasets, one_private, one_tables
from .local import REMEDY, whole_files

TASK = r"^alf/(?:(task_\d+)/)?"
"""Where newer recordings of one's own have what belongs to the task: in a folder for each task of the session."""


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
        self.aloud = True
        self.found: dict[str, tuple[str, str]] = {}  # what is wrong with files, and what was done about it

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a file, by its path without revision: the revisions that are loaded by default, and no others."""
        found = self.one.list_datasets(self.eid, details=True, keep_eid_index=True).reset_index()
        found = found[found["exists"].astype(bool)]
        found = found.assign(
            path=found["rel_path"].map(one_tables.without_revision).str.replace(TASK, "alf/", regex=True),
            revision=found["rel_path"].str.extract("#(.+)#", expand=False).fillna(""),
            session_path=session_record2path(self.details).as_posix(),
        )
        default = found["default_revision"].astype(bool) if "default_revision" in found else found["exists"] & False
        without = ~default.groupby(found["path"]).transform("any")
        if without.any() and "default_revision" in found:
            n = found.loc[without, "path"].nunique()
            what = "1 dataset" if n == 1 else f"{n} datasets"
            text = f"The tables mark no revision of {what} of {self.name} as the default: the newest is taken."
            say_once(text, self.one.cache_dir)  # a loop over sessions opens each of them many times
        found = found[default | without].assign(task=found["rel_path"].str.extract(TASK, expand=False).fillna(""))
        if (found.groupby("path")["task"].nunique() > 1).any():
            text = f"{self.name} has files of several tasks: of those that each has, the first task's are taken."
            say_once(text, self.one.cache_dir)
        # The folder of the first task sorts first, and so comes last here.
        found = found.sort_values(["path", "task", "revision"], ascending=[True, False, True])
        return found.drop_duplicates("path", keep="last").drop(columns="task").set_index("path")

    @cached_property
    def probes(self) -> dict[str, str]:
        """The pid of each probe, by its name."""
        return one_private.insertions_of(self.one, self.eid)

    @cached_property
    def available(self) -> pd.DataFrame:
        """What the session has and lacks, as `Session.available` gives it."""
        wanted = {label: self._telling(path) for label, path in datasets.LABELS.items()}
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

    def _telling(self, path: str) -> str:
        """The file that tells that a measurement is there: this one, or what older recordings have in its place."""
        return path if path in self else datasets.OLDER.get(path, path)

    def collection(self, probe: str) -> str:
        """Return the folder of a probe's spikes: that of the release, else where an older sorting left them."""
        folders = [folder.format(probe=probe) for folder in datasets.SORTINGS]
        return next((f for f in folders if self.table.index.str.startswith(f"{f}/").any()), folders[-1])

    def places(self, name: str) -> list[dict[str, str]]:
        """Return what a measurement may be of: each camera, or each probe with the folder of its spikes."""
        return {
            "session": [{}],
            "camera": [{"camera": camera} for camera in datasets.CAMERAS],
            "probe": [{"probe": probe, "spikes": self.collection(probe)} for probe in self.probes],
        }[datasets.BY_NAME[name].place]

    def _rows(self, name: str, place: Mapping[str, str]) -> pd.DataFrame:
        """The rows of a measurement's files; none unless the first is there, which tells that the session has it."""
        first, *others = datasets.paths(name, **place)
        found = {self._telling(first)}.union(*map(self.matching, others))
        return self.table[self.table.index.isin(found if self._telling(first) in self else set())]

    def are_here(self, name: str, **place: str) -> bool:
        """Tell whether all that the session has of a measurement is on this computer."""
        rows = self._rows(name, place)
        return bool(len(rows)) and all(map(self.is_here, rows.index))

    def is_here(self, path: str) -> bool:
        """Tell whether the session has a file and it is on this computer, whole or not."""
        return path in self and Path(self.one.cache_dir, *self.table.loc[path, ["session_path", "rel_path"]]).exists()

    def of(self, name: str) -> list[tuple[UUID, UUID]]:
        """Return the (eid, id) of the files that a measurement reads, of each camera and probe that has it."""
        rows = pd.concat([self._rows(name, place) for place in self.places(name)] or [self.table[:0]])
        return rows[~rows.index.duplicated()].set_index(["eid", "id"]).index.to_list()

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
        return any(self._telling(next(datasets.paths(name, **place))) in self for place in places)

    def matching(self, pattern: str) -> list[str]:
        """Return the paths that fit a pattern with ``*``."""
        return [path for path in self.table.index if fnmatchcase(path, pattern)]

    def missing(self, what: str) -> MissingDataset:
        """Return the error that says that the session has no such thing, and what it has."""
        has = [label for label, present in self.available["present"].items() if present]
        spikes = [f"{self.collection(probe)}/spikes.times.npy" for probe in self.probes]
        looked_for = [*spikes, "/spikes.times.npy"] if what == "insertions" else [datasets.LABELS.get(what, "")]
        every = map(
            one_tables.without_revision, one_private.paths_of(self.one, self.eid)
        )  # also what ONE does not list
        elsewhere = [path for path in every if path not in looked_for and Path(path).name == Path(looked_for[-1]).name]
        seen = [f" (but {path}, where it is not looked for)" for path in elsewhere[:1]]
        return MissingDataset(
            f"{self.name} has no {what}{''.join(seen)}; it has {', '.join(has) or 'no datasets at all'}."
        )

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
        if not paths:
            return []
        for path in paths:
            if path not in self:
                raise self.missing(called if called and not self.available["present"].get(called) else path)
        # Not load_dataset, which would search for what is known already: that takes longer than reading the file.
        with self.reading(called or paths[0]):
            return whole_files(self.one, self.table.loc[list(paths)].set_index(["eid", "id"]))

    def load(self, *paths: str, called: str = "", reader: Callable[[Path], Any] = load_file_content) -> list:
        """Return the content of files, each held against what the registry says of it.

        Parameters
        ----------
        *paths : str
            In the session's folder, without revision. Of those that the registry calls optional, None is in the place
            of what is not there or is not what it should be; the latter is said, and kept in ``found``.
        called : str
            What it is that they hold, for the error if the session has none of it.
        reader : callable
            Reads a file.

        Raises
        ------
        MissingDataset
            The session has no such file.
        CorruptData
            A file is not what the tables or the registry say, or has not the length of the others.
        """
        optional = [path for path in paths if (known := datasets.described(path)) and known.optional]
        needed = [path for path in paths if path not in optional]
        there = [path for path in optional if path in self]
        contents: dict[str, Any] = {}
        try:
            files = self._located([*needed, *there], needed, called)
            for path in needed:
                contents[path] = self._checked(path, files[path], reader, contents)
        except CorruptData as broken:
            self.found[_one_of(paths, broken) or paths[0]] = (str(broken), "refused")
            raise
        for path in there:
            try:
                contents[path] = self._checked(path, files.get(path) or self.paths([path])[0], reader, contents)
            except (MissingDataset, CorruptData) as lost:
                self.note(path, str(lost), "left out")
        return [contents.get(path) for path in paths]

    def _located(self, every: Sequence[str], needed: Sequence[str], called: str) -> dict[str, Path]:
        """Where files are, fetched together if the source can; without one that is not needed, those that are."""
        try:
            return dict(zip(every, self.paths(every, called), strict=True))
        except (MissingDataset, CorruptData) as lost:
            if _one_of(needed, lost) or len(every) == len(needed):
                raise
            return dict(zip(needed, self.paths(needed, called), strict=True))

    def refuse(self, path: str, wrong: str) -> NoReturn:
        """Raise CorruptData for a file that is whole, and not what it should be."""
        self.found[path] = (f"{wrong}: correct the file, or take another revision.", "refused")
        raise CorruptData(self.found[path][0])

    def note(self, path: str, problem: str, then: str) -> None:
        """Keep what was found wrong with a file, and what was done; said once."""
        self.found[path] = (problem, then)
        if self.aloud:
            say_once(problem, self.eid)

    def _checked(self, path: str, file: Path, reader: Callable[[Path], Any], others: Mapping[str, Any]) -> Any:
        """Return the content of a file if it is what the registry says, and as long as others of its object."""
        with self.reading(path):
            content = reader(file)
            if content is None:  # an empty file, or json that is none
                raise ValueError("there is nothing in it")
        known = {each: (datasets.described(each), of) for each, of in [*others.items(), (path, content)]}
        known = {each: pair for each, pair in known.items() if pair[0] is not None}
        if wrong := path in known and (contracts.breach(*known[path]) or contracts.unequal(known).get(path)):
            self.refuse(path, f"{path} of {self.name} {wrong}")
        return native(content) if isinstance(content, np.ndarray) else content

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Say which file it is that cannot be read."""
        try:
            yield
        except (ValueError, KeyError, OSError) as error:
            raise CorruptData(f"{what} of {self.name} cannot be read ({cause(error)}): {REMEDY}.") from error


def _one_of(paths: Sequence[str], error: Exception) -> str | None:
    """Which of these files an error is about."""
    return next((path for path in paths if path.rpartition("/")[2] in str(error)), None)


def or_none(load: Callable[[], Any]) -> Any:
    """Return what is loaded, or print what is missing, or not what it should be, and return None."""
    try:
        return load()
    except (MissingDataset, CorruptData, TooFew) as lacking:
        say(str(lacking))
        return None


def some(ids: list[UUID], most: int = 5) -> str:
    more = f" and {len(ids) - most} more (one.search and one.search_insertions list them)" if len(ids) > most else ""
    return (", ".join(map(str, islice(ids, most))) or "none") + more


def to_uuid(text: str | UUID) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
