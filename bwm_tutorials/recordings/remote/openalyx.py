"""The Brain Wide Map through IBL's public database: with an account, by ONE's own client."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from getpass import getpass
from pathlib import Path, PurePosixPath
from urllib.parse import quote
from uuid import UUID

import pandas as pd
import requests
from one.alf.cache import EMPTY_DATASETS_FRAME
from one.converters import ses2records

from ...console import in_notebook
from ...errors import DataError, MissingDataset, Refused, Unreachable, cause
from ...paths import claim
from .. import one_private
from . import base, download, patience

URL = "https://openalyx.internationalbrainlab.org"
SIGN_UP = f"{URL}/signup"
INSERTIONS_TAG = "2024_Q2_IBL_et_al_BWM_iblsort"  # 35 datasets of each of the release's 699 insertions, and no others


class OpenAlyxOne(base.RemoteOne, one_private.AlyxOne):
    """A ONE instance on IBL's public database.

    It answers from tables of the release, as the other sources do, and fetches files from the database's data server.
    It is also ONE's own client: ``one.alyx.rest(...)`` and ``one.search(..., query_type='remote')`` ask the database
    itself. ONE's parameters, and the token that a login gives, are kept in the data folder, not in the home.

    Parameters
    ----------
    root : Path
        The folder that tables and files are fetched into.
    base_url, username, password, token : str, optional
        As in `bwm_tutorials.connect`. The environment variable ``HTTP_DATA_SERVER`` names another data server.
    """

    def __init__(self, root: Path, base_url: str | None = None, offline: bool = False, **account: str | None):
        base_url = (base_url or os.environ.get("ALYX_URL") or URL).rstrip("/")
        if not base_url.startswith(("http://", "https://")):
            raise DataError(f"The address of a database begins with https://, as {URL} does, not {base_url!r}.")
        if base_url != URL:  # its own tables, its own token
            root = root.with_name(f"{root.name}-{one_private.folder_name(base_url)}")
        with download.writing(root):
            self.use(_Client(base_url, claim(root)))
        if any(account.values()):
            self.alyx.authenticate(**account)
        super().__init__(root, offline)

    def _url(self, path: PurePosixPath) -> str:
        server = os.environ.get("HTTP_DATA_SERVER") or self.alyx.data_server
        return f"{server.rstrip('/')}/{quote(str(path))}"

    def _tables(self) -> base.Tables:
        with _asking(self.alyx.base_url):
            found = list(self.alyx.rest("insertions", "list", tag=INSERTIONS_TAG, no_cache=True))
            if not found:
                raise MissingDataset(
                    f"{self.alyx.base_url} has no insertions with the tag {INSERTIONS_TAG}, by which the release is "
                    "known: it is not IBL's public database, or the tag has another name now."
                )
            roster = pd.DataFrame([{"pid": i["id"], "eid": i["session"], "name": i["name"]} for i in found])
            sessions, known = self._zipped_tables() or self._sessions_of(set(roster["eid"]))
        return sessions, known, base.insertions_table(roster)

    def _list(self, eid: UUID, session: dict) -> pd.DataFrame:
        with _asking(self.alyx.base_url):
            return ses2records(self.alyx.rest("sessions", "read", id=str(eid), no_cache=True))[1]

    def _zipped_tables(self) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """The tables that the database offers for the release, if it does."""
        try:
            place = self.alyx.get(f"cache/info/{base.TAG}", expires=True)["location"]
        except (requests.HTTPError, KeyError):
            return None
        if not place.startswith("http"):
            return None
        of_the_database = place.startswith(self.alyx.base_url)
        with suppress(MissingDataset, Refused):
            return base.unzip_tables(download.read(place, self.alyx.auth_headers if of_the_database else None), place)

    def _sessions_of(self, eids: set[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The table of sessions by the database's own list, and no table of files."""
        found = [each for each in self.alyx.rest("sessions", "list", tag=INSERTIONS_TAG, no_cache=True)]
        records = [ses2records(each)[0] for each in found if each["url"][-36:] in eids]
        return pd.DataFrame(records).rename_axis("id"), EMPTY_DATASETS_FRAME


class _Client(one_private.Client):
    """ONE's client; it asks for an account only where someone can answer."""

    def authenticate(self, username=None, password=None, cache_token=True, force=False, token=None) -> None:
        if password and not username and not token:
            raise Refused("A password alone does not tell whose it is: give username= with it.")
        if not password and not token:
            if force and self.refusals is not None:  # ONE logs in anew, however often a token is refused
                self.refusals += 1
            username = username or os.environ.get("ALYX_LOGIN") or self.login_name
            if force or not self.knows(username):
                token, password = os.environ.get("ALYX_TOKEN"), os.environ.get("ALYX_PWD")
                if (self.refusals or 0) > 1:
                    raise self._refused("token", 403)
                if not token and not (username and password):
                    username, password, token = self._ask(username)
        try:
            if password and not token:
                token = self._log_in(username, password)
            super().authenticate(username or None, None, cache_token, force, token or None)
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status == 429 or status >= 500:
                why = "is asked too often" if status == 429 else "fails"
                raise Unreachable(f"{self.base_url} {why} ({status}): try again later.") from error
            if status not in (400, 401, 403):
                raise Refused(f"{self.base_url} has no login as IBL's database has ({status}).") from error
            raise self._refused("user name and password" if password else "token", status) from error
        except (ConnectionError, requests.RequestException) as error:
            raise _no_answer(self.base_url, error) from error
        except ValueError as error:  # a token alone, on a database that does not say whose it is
            raise Refused(f"{self.base_url} does not tell whose token this is: give username= with it.") from error

    def _log_in(self, username: str, password: str) -> str:
        """The token of a user, as ONE asks for it, but not for ever."""
        account = {"username": username, "password": password}
        response = requests.post(f"{self.base_url}/auth-token", data=account, timeout=self.timeout)
        response.raise_for_status()
        try:
            return response.json()["token"]
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(f"{self.base_url} does not answer to a login as IBL's database does.") from error

    def _refused(self, what: str, status: int) -> Refused:
        return Refused(
            f"{self.base_url} does not accept this {what} ({status}): correct it, make an account at {SIGN_UP}, or use "
            "connect('aws'), which needs none."
        )

    def _ask(self, username: str | None) -> tuple[str, str | None, str | None]:
        """A user name with a password or token from whoever sits before the screen."""
        try:
            if not in_notebook() and not (sys.stdin and sys.stdin.isatty()):
                raise EOFError
            username = input(f"User name at {self.base_url} (sign up at {SIGN_UP}): ").strip() or username
            password = getpass("Password (empty to give an API token instead): ")
            token = None if password else getpass(f"API token (shown at {self.base_url}/me): ").strip()
        except (EOFError, OSError, NotImplementedError):  # nobody is there, or a notebook is run by a program
            username = password = token = None
        if not token and not (username and password):
            if self.refusals:
                raise self._refused("token", 403)
            raise Refused(
                f"{self.base_url} needs an account: make one at {SIGN_UP} and give username= and password= (or "
                "token=), or use connect('aws'), which has the same recordings and needs none."
            )
        return username, password, token


@contextmanager
def _asking(url: str) -> Iterator[None]:
    """Say in one sentence why a database does not answer."""
    try:
        yield
    except DataError:
        raise
    except requests.HTTPError as error:
        raise Refused(f"{url} does not answer as IBL's database does ({cause(error)}): try again later.") from error
    except (ConnectionError, requests.RequestException) as error:
        raise _no_answer(url, error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreachable(
            f"{url} answers otherwise than IBL's database does, as the login page of a network would: open it in a "
            "browser, and try again."
        ) from error


def _no_answer(url: str, error: Exception) -> Unreachable:
    return Unreachable(
        f"{url} cannot be reached ({patience.innermost(error)}): check the network connection; the lessons' sample "
        "and what was fetched before need none."
    )
