"""What the sources on a server have in common: tables that are made once, and files that are fetched when asked for."""

import io
import os
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path, PurePosixPath
from urllib.parse import quote
from uuid import UUID

import pandas as pd
from one.alf.cache import cast_index_object, load_tables
from one.alf.path import add_uuid_string
from tqdm import tqdm

from ...console import no_terminal, say
from ...errors import CorruptData, DataError, Unreachable, cause
from ...paths import claim
from .. import index, one_private, one_tables, turns
from ..local import LocalFile, LocalOne
from . import download

TAG = "Brainwidemap"  # of the release in IBL's database
MAIN = "6713a4a7-faed-4df2-acab-ee4e63326f8d"  # NYU-11 2020-02-18, the session that IBL's documentation shows
BIG = 1_000_000_000  # bytes that no load call fetches unless it was planned
CHANGED = date(2025, 9, 30)  # the end of 2025-Q3, the newest entry of the release's changelog
RAW = (".cbin", ".mp4")  # recordings of probes and cameras as they came from the rig

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
KNOWN = "known.pqt"  # in the index's folder: what the release's tables say of files, still there or not


def flatiron() -> str:
    """Return the address where the Flatiron Institute serves public files, some of which lie nowhere else."""
    return (os.environ.get("BWM_FLATIRON") or "https://ibl.flatironinstitute.org/public").rstrip("/")


class RemoteOne(LocalOne):
    """A ONE instance whose files lie on a server.

    Its tables of sessions and insertions are fetched when the folder has none. What a session has is asked of the
    server when the session is first looked into, and kept in the folder's index with its date. A file is fetched when a
    load call finds it missing or damaged. Raw ephys and video, and whatever is larger than a gigabyte, is only fetched
    through a plan (`bwm_tutorials.download_plan`).

    Parameters
    ----------
    root : Path
        The folder of this source; with its tables in it, `connect` opens it by its path, too.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.cache_dir)!r})"

    def __init__(self, root: Path, offline: bool = False):
        self.never_asks = offline or bool(os.environ.get("BWM_OFFLINE"))
        with download.writing(root):
            claim(root)
        if not (root / "sessions.pqt").exists():
            self._make_tables(root)
        super().__init__(root)

    def update(self) -> None:
        """Fetch the tables and list each indexed session again: the release is corrected from time to time."""
        root = Path(self.cache_dir)
        self._make_tables(root, again=True)
        for note in (root / one_tables.AGGREGATES).glob("*.json"):  # so that it is asked whether the table is another
            note.unlink()
        LocalOne.__init__(self, root)
        self.list_ahead(index.indexed(root))

    def listed(self, eids: Sequence[UUID]) -> pd.DataFrame | None:
        """Return what sessions have, by the folder's index, or else by the server, which is asked for one at a time."""
        root = Path(self.cache_dir)
        here = set(index.indexed(root))
        if new := [eid for eid in eids if eid not in here]:
            self.list_ahead(new)
        return super().listed(eids)

    def list_ahead(self, eids: Iterable[UUID] | None = None) -> None:
        """Ask the server what sessions have, a few at a time, and keep it; default those that are not indexed yet."""
        root, sessions = Path(self.cache_dir), one_private.sessions_table(self)
        if eids is None:
            eids = set(sessions.index) - set(index.indexed(root))
        eids = [eid for eid in eids if eid in sessions.index]
        if eids:
            self.ask_for(f"What {len(eids)} sessions have")

        def keep(eid: UUID) -> None:
            index.write(root, eid, self._list(eid, sessions.loc[eid].to_dict()))

        with download.writing(root), ThreadPoolExecutor(download.AT_ONCE) as pool:
            bar = tqdm(total=len(eids), unit="session", leave=False, disable=no_terminal() or len(eids) < 2)
            with bar:
                for _ in pool.map(keep, eids):
                    bar.update()

    def search(self, *terms, **more):
        """Search sessions as ONE does; where datasets are searched for, say of how many sessions they are known."""
        if any(term.startswith("dataset") for term in more):
            n, everything = len([*index.indexed(Path(self.cache_dir))]), len(one_private.sessions_table(self))
            self.look_up(*index.indexed(Path(self.cache_dir)))
            if n < everything:
                say(
                    f"Of {n} of {everything} sessions it is known what they have; only these are searched: "
                    "'bwm-tutorials data index' asks for all of them."
                )
        return super().search(*terms, **more)

    def complete(self, lacking: Sequence[LocalFile]) -> None:
        for dataset in lacking:
            if dataset.path.suffix in RAW or dataset.size > BIG:
                raise DataError(
                    f"{dataset.path.name} has {dataset.size / 1e6:,.0f} MB and is not fetched by accident: name its "
                    "path to bwm.download_plan(one, eid, what=...), look at the price, and call its .get()."
                )
        self.fetch(lacking)

    def fetch(self, lacking: Sequence[LocalFile]) -> None:
        """Fetch files that are missing or damaged, whatever they are."""
        root = Path(self.cache_dir)
        self.ask_for(", ".join(sorted(file.path.name for file in lacking)))
        files = []
        for id, path, size, md5 in lacking:
            place = add_uuid_string(PurePosixPath(path.relative_to(root)), id)
            files.append(download.File((self._url(place), f"{flatiron()}/{quote(str(place))}"), path, size, md5))
        found = download.fetch(files, root)
        self.correct({file.id: found[file.path] for file in lacking if file.path in found})

    def _tables(self) -> Tables:
        """The release's sessions, what its tables know of files, and its insertions, in the form of ONE's tables."""
        raise NotImplementedError

    def _list(self, eid: UUID, session: dict) -> pd.DataFrame:
        """What a session has, by the server: a table of datasets by eid and id."""
        raise NotImplementedError

    def _url(self, path: PurePosixPath) -> str:
        """Where the server has a file; the path is below the data folder, with the dataset's id in the name."""
        raise NotImplementedError

    def _make_tables(self, root: Path, again: bool = False) -> None:
        self.ask_for("The tables of the release")
        with download.writing(root), turns.alone(root, root / "sessions.pqt"):
            if again or not (root / "sessions.pqt").exists():
                _save(*self._tables(), root)

    def ask_for(self, what: str) -> None:
        """Raise Unreachable if this instance never asks a server."""
        if self.never_asks:
            raise Unreachable(
                f"{what} would have to be asked of a server, and this source is offline: unset BWM_OFFLINE, leave out "
                "offline=True, or use what is here."
            )


def unzip_tables(content: bytes, where: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sessions and datasets in a ``cache.zip`` as IBL's database writes it.

    Nothing is unpacked under a name that the zip chooses.

    Raises
    ------
    CorruptData
        It is no zip, or has no such tables; the message lists what it has.
    """
    names = ("sessions.pqt", "datasets.pqt")
    try:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(io.BytesIO(content)) as archive:
            there = archive.namelist()
            if missing := [name for name in names if name not in there]:
                listed = ", ".join(map(repr, there[:8])) or "nothing"
                raise CorruptData(f"{where} holds no {' and no '.join(missing)}; it holds {listed}.")
            for name in names:
                Path(folder, name).write_bytes(archive.read(name))
            found = load_tables(folder)
            sessions, datasets = (
                one_private.whole_table(found.get(name), Path(folder, f"{name}.pqt"), one_private.NEEDED[name])
                for name in ("sessions", "datasets")
            )
        if made := found["_meta"].get("created_time"):
            older = ", older than the newest changes of the release: its server is asked what each session has"
            say(f"The tables at {where} are of {made:%Y-%m-%d}{older if made.date() < CHANGED else ''}.")
        return sessions, datasets
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib, pyarrow and ONE each have their own
        raise CorruptData(f"{where} cannot be read as ONE's tables ({cause(error)}): try again later.") from error


def insertions_table(roster: pd.DataFrame) -> pd.DataFrame:
    """ONE's table of insertions, from one with columns ``pid``, ``eid`` and ``name``."""
    table = roster.rename(columns={"pid": "id"})[["eid", "id", "name"]].drop_duplicates(["eid", "id"])
    return cast_index_object(table.set_index(["eid", "id"]), UUID)


def _save(sessions: pd.DataFrame, known: pd.DataFrame, insertions: pd.DataFrame, root: Path) -> None:
    """Write the tables of the sessions that have an insertion of the release; each takes the place of an older one."""
    eids = insertions.index.get_level_values("eid")
    sessions = sessions[sessions.index.isin(eids)]
    if sessions.empty:
        raise CorruptData(
            f"None of the {eids.nunique()} sessions of the release's roster is in the tables that the server gave: "
            "they do not belong together, so look whether BWM_ROSTER, ALYX_URL or AWS_ENDPOINT_URL_S3 is set."
        )
    known = index.completed(known[known.index.get_level_values("eid").isin(sessions.index)])[index.COLUMNS]
    insertions = insertions[eids.isin(sessions.index)]
    # Where the session that IBL shows is not among them, one with most probes, the first of these.
    of_most = insertions.groupby(level="eid").size().reindex(sessions.sort_values(["lab", "subject", "date"]).index)
    main = MAIN if MAIN in map(str, sessions.index) else str(of_most.idxmax())
    tables = {f"{index.FOLDER}/{KNOWN}": known, "insertions.pqt": insertions, "datasets.pqt": known.iloc[:0]}
    # Who finds no table of sessions makes them all again, so that one comes last.
    for name, table in (tables | {"sessions.pqt": sessions}).items():
        index.save(table, root / name, origin="bwm-tutorials", main=main)
