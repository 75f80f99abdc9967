"""The one file that knows ONE's private parts: what it calls, overrides and replaces there.

Everything else here uses what ONE documents. When ONE changes, the tests of this module fail first.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from inspect import unwrap
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import one.params
import pandas as pd
from iblutil.io import params
from one.alf.cache import cast_index_object
from one.alf.path import ALFPath
from one.api import One, OneAlyx
from one.webclient import AlyxClient

from . import index, one_tables, turns

NEEDED = {"sessions": ["lab", "subject", "date", "number"], "datasets": ["rel_path"], "insertions": ["name"]}
"""Tables, and columns without which nothing can be found."""
_HOME = threading.RLock()  # where ONE keeps its parameters is a matter of the whole process


def sessions_table(one: One) -> pd.DataFrame:
    """Return the table of sessions that an instance has in memory, by eid."""
    return one._cache["sessions"]


def datasets_table(one: One) -> pd.DataFrame:
    """Return the table of datasets that an instance has in memory, by eid and id."""
    return one._cache["datasets"]


def paths_of(one: One, eid: str) -> list[str]:
    """Return the path of each file that an instance has in memory of a session, with its revision."""
    table = datasets_table(one)
    return table.loc[table.index.get_level_values(0) == UUID(eid), "rel_path"].to_list()


def insertions_table(one: One) -> pd.DataFrame:
    """Return the table of insertions that an instance has in memory, by eid and pid.

    Of a folder without such a table, insertions are the probes whose folders hold spikes; their pids are made up, and
    the same each time.
    """
    if "insertions" not in one._cache:
        files = one._cache["datasets"]["rel_path"]
        names = files.str.extract(r"^alf/([^/#]+)/(?:.+/)?spikes\.times\.", expand=False).dropna()
        found = names.rename("name").reset_index()[["eid", "name"]].drop_duplicates()
        synthetic = found["eid"].astype(str).str.startswith(one_tables.SYNTHETIC_PREFIX)
        pids = (one_tables.make_id(f"{e}/{name}", s) for (e, name), s in zip(found.to_numpy(), synthetic, strict=True))
        found["id"] = [*map(UUID, pids)]
        one._cache["insertions"] = found.set_index(["eid", "id"]).sort_index()
    return one._cache["insertions"]


def has_session(one: One, eid: UUID) -> bool:
    """Tell whether an instance knows a session."""
    return one.eid2path(eid) is not None if one.mode == "remote" else eid in sessions_table(one).index


def insertions_of(one: One, eid: str | UUID) -> dict[str, str]:
    """Return the pid of each probe of a session, by the probe's name and in its order; empty if none is known."""
    if one.mode == "remote":
        pids, names = (found or [] for found in one.eid2pid(eid))
    else:
        here = insertions_table(one)
        here = here[here.index.get_level_values("eid") == UUID(str(eid))]
        pids, names = here.index.get_level_values("id"), here["name"]
    return {name: str(pid) for name, pid in sorted(zip(names, pids, strict=True))}


def session_of(one: One, pid: UUID) -> tuple[UUID, str] | tuple[None, None]:
    """Return the eid and the probe's name of an insertion; None for both if there is none."""
    if one.mode == "remote":
        return one.pid2eid(str(pid))
    here = insertions_table(one)
    here = here[here.index.get_level_values("id") == pid]
    return (here.index[0][0], here["name"].iloc[0]) if len(here) else (None, None)


def paths(one: One, datasets: pd.DataFrame) -> list[Path | None]:
    """Return where an instance has datasets, fetched first if it can fetch; None for those that it cannot give."""
    return one._check_filesystem(datasets)


def whole_table(loaded: pd.DataFrame | None, file: Path, needed: list[str]) -> pd.DataFrame:
    """Return a table as ONE loaded it; read anew where ONE passes it over, because others have saved it again."""
    if loaded is None or loaded.empty:
        loaded = pd.read_parquet(file)
        if isinstance(loaded.index, pd.RangeIndex) and {"id"} <= set(loaded):
            loaded = loaded.set_index([name for name in ("eid", "id") if name in loaded])
        loaded = cast_index_object(loaded.rename(columns={"project": "projects"}), UUID).sort_index()
    if missing := [name for name in needed if name not in loaded]:
        raise ValueError(f"{file.name} has no column {', '.join(missing)}")
    return loaded if loaded.index.is_unique else loaded[~loaded.index.duplicated()]


class CheckedOne(One):
    """A local ONE instance that asks `whole` before any of its load calls reads a file, and knows its insertions.

    Parameters
    ----------
    root : Path
        A folder with ``sessions.pqt`` and ``datasets.pqt`` (and ``insertions.pqt`` for pids).
    """

    def __init__(self, root: Path):
        One.__init__(self, cache_dir=root)
        for name, needed in NEEDED.items():
            if (file := root / f"{name}.pqt").exists():
                self._cache[name] = whole_table(self._cache.get(name), file, needed)
        self._cache["datasets"] = index.completed(self._cache["datasets"])
        insertions_table(self)  # that a folder has to have; ONE's own calls would ask for a network
        dates = self._cache["sessions"]["date"]
        self._cache["sessions"]["date"] = pd.to_datetime(dates).dt.date if len(dates) else dates

    def add(self, datasets: pd.DataFrame) -> None:
        """Take datasets of further sessions into the table in memory."""
        self._cache["datasets"] = pd.concat([self._cache["datasets"], datasets]).sort_index()

    def correct(self, found: dict[UUID, tuple[int, str]]) -> None:
        """Take size and md5 of datasets, by their ids, into the table in memory and the folder's index."""
        if found:
            table = self._cache["datasets"]
            eids = table.index[table.index.get_level_values("id").isin(found)].unique("eid")
            self._cache["datasets"] = index.corrected(table, found)
            index.remember(Path(self.cache_dir), found, eids)

    def whole(self, datasets: pd.DataFrame) -> list[Path]:
        """Return where datasets are, all of them there and as the tables say, or raise what is wrong."""
        raise NotImplementedError

    def _check_filesystem(self, datasets, offline=None, update_exists=True, check_hash=True) -> list[ALFPath | None]:
        # Every load call of ONE comes through here before a file is read. ONE itself leaves out what is not there,
        # and reads what is not whole.
        table = pd.DataFrame([datasets]) if isinstance(datasets, pd.Series) else datasets
        # ONE would warn of a size that is wrong in the tables alone.
        sizes = [path.stat().st_size for path in self.whole(table)]
        table = table.rename_axis(index=["id", "eid"][: table.index.nlevels][::-1]).assign(file_size=sizes)
        return super()._check_filesystem(table, offline=True, update_exists=False, check_hash=False)

    def pid2eid(self, pid: str | UUID, query_type: str | None = None) -> tuple[UUID, str]:
        """Return the session (eid) and name of the probe of an insertion."""
        return OneAlyx.pid2eid(self, pid, query_type="local")

    def eid2pid(self, eid: str | UUID, query_type: str | None = None, details: bool = False) -> tuple:
        """Return the insertions (pids) of a session and the names of their probes."""
        return OneAlyx.eid2pid(self, eid, query_type="local", details=details)

    def search_insertions(self, details: bool = False, query_type: str | None = None, **terms):
        """Return the insertions (pids) that match search terms, for example ``subject=`` or ``name=``."""
        of_probe = {term: terms.pop(term) for term in ("name", "model", "serial") if term in terms}
        pids, records = self._search_insertions(details=True, **of_probe)
        if terms:  # not left to ONE, which fails when a session that matches has no probe
            sessions = set(self.search(**terms))
            kept = [i for i, pid in enumerate(pids) if self.pid2eid(pid)[0] in sessions]
            pids, records = [pids[i] for i in kept], [records[i] for i in kept]
        return (pids, records) if details else pids


class AlyxOne(OneAlyx):
    """ONE's own instance on a database, with a client that is given: its start would write into the home."""

    _search_endpoint = "sessions"

    def use(self, client: AlyxClient) -> None:
        """Ask the database through this client."""
        self._web_client = client


class Client(AlyxClient):
    """ONE's client of a database, which keeps its parameters, and the token of a login, in a folder of ours.

    Parameters
    ----------
    base_url : str
        The database.
    root : Path
        The folder that files are fetched into; parameters go to ``.one`` in it.
    """

    timeout = (10, 20)  # s: to be reached, and without a byte; ONE itself waits for ever
    refusals: int | None = None  # of a token, while something is asked

    def __init__(self, base_url: str, root: Path):
        self._folder = root / ".one"
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # a token is a password
        if not os.access(self._folder, os.R_OK | os.W_OK):  # what is here can be read all the same
            self._while_it_lasts = TemporaryDirectory()
            self._folder = Path(self._while_it_lasts.name, ".one")
            self._folder.mkdir()
        with self._own_parameters():
            super().__init__(base_url, cache_dir=root, silent=True)

    @property
    def login_name(self) -> str | None:
        """The user name in the parameters."""
        return self._par.ALYX_LOGIN

    @property
    def data_server(self) -> str:
        """The address that the database's files are fetched from."""
        return self._par.HTTP_DATA_SERVER

    @property
    def auth_headers(self) -> dict[str, str]:
        """What says to the database who is asking."""
        return self._headers

    def knows(self, username: str | None) -> bool:
        """Tell whether this user has logged in here before."""
        return username in (getattr(self._par, "TOKEN", None) or {})

    def _generic_request(self, ask, *query, **content):
        self.refusals = 0
        try:
            return super()._generic_request(wraps(ask)(partial(ask, timeout=self.timeout)), *query, **content)
        finally:
            self.refusals = None

    _generic_request.__wrapped__ = unwrap(AlyxClient._generic_request)  # by which ONE asks again

    def authenticate(self, *account, **how) -> None:
        with self._own_parameters():
            super().authenticate(*account, **how)

    def logout(self) -> None:
        with self._own_parameters():
            super().logout()

    @contextmanager
    def _own_parameters(self) -> Iterator[None]:
        """Have ONE read and write its parameters here instead of in the home folder."""

        def getfile(name: str) -> str:
            return str(self._folder.parent.joinpath(*("." + part.lstrip(".") for part in Path(name).parts)))

        with _HOME, turns.alone(self._folder.parent, self._folder):
            original, default = params.getfile, one.params.CACHE_DIR_DEFAULT
            params.getfile, one.params.CACHE_DIR_DEFAULT = getfile, str(self._folder)
            try:
                yield
            finally:
                params.getfile, one.params.CACHE_DIR_DEFAULT = original, default


def folder_name(base_url: str) -> str:
    """Return a database's address as a part of a folder's name."""
    return one.params._key_from_url(base_url)
