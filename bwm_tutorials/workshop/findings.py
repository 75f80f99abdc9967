"""What `doctor --online` finds on the servers: each function asks or tells one thing.

What is told is a text that can be held against an expected one; details follow it in brackets.
"""

import io
import json
import os
import re
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlencode
from xml.etree import ElementTree
from zipfile import ZipFile

import numpy as np
import pandas as pd
import requests
from iblutil.util import Bunch
from pyarrow import parquet

from ..errors import CorruptData, MissingDataset, Refused, cause
from ..recordings import index, one_tables
from ..recordings.remote import aws, base, download

TIMEOUT = (10, 30)  # s: to connect, and without a byte
_ID = re.compile(r"\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=\.[^./]+$)")
TRIALS = [
    *("intervals_0", "intervals_1", "stimOn_times", "goCue_times", "firstMovement_times", "response_times"),
    *("feedback_times", "feedbackType", "choice", "contrastLeft", "contrastRight", "probabilityLeft", "rewardVolume"),
]


class Listing(NamedTuple):
    """What the bucket has: ``Key``, ``Size``, ``ETag``, … of each file."""

    prefix: str
    items: list[dict]
    folders: list[str]
    whole: bool

    def paths(self) -> dict[str, dict]:
        """The files that have an id in their names, by their paths without it."""
        keys = [each["Key"].removeprefix(self.prefix) for each in self.items]
        paths = [_ID.sub("", key) for key in keys]
        return {path: each for path, key, each in zip(paths, keys, self.items, strict=True) if path != key}

    def of(self, path: str) -> dict:
        """The newest file of a path."""
        paths = self.paths()
        found = np.array([each for each in paths if one_tables.without_revision(each) == path])
        if not found.size:
            raise MissingDataset(f"the bucket has no {path} below {self.prefix}")
        return paths[found[one_tables.newest(found)].item()]


class Table(NamedTuple):
    columns: list[str]
    shape: str
    size: int
    about: str


def ask(
    url: str, *good: int, method: str = "GET", headers: dict[str, str] | None = None, data: dict | None = None
) -> requests.Response:
    """Return the answer to one request; the body is not fetched before it is looked at."""
    headers = {"Accept-Encoding": "identity"} | (headers or {})
    response = requests.request(method, url, data=data, headers=headers, timeout=TIMEOUT, stream=True)
    if good and response.status_code not in good:
        raise Refused(f"{response.status_code} at {url}")
    return response


# --------------------------------------------------------------------------------------------------------- the bucket


def listing(prefix: str, delimiter: str = "") -> Listing:
    """Return the first page of what the bucket has."""
    root = aws.Bucket().address("x").removesuffix("x")
    terms = urlencode({"list-type": 2, "prefix": prefix, "delimiter": delimiter})
    try:
        page = ElementTree.fromstring(ask(f"{root}?{terms}", 200).content)
        if not page.tag.endswith("ListBucketResult"):
            raise ValueError(page.tag)
    except (ElementTree.ParseError, ValueError) as error:
        raise Refused(f"no listing at {root}?{terms}") from error
    items = [{part.tag.rpartition("}")[2]: part.text for part in item} for item in page.iterfind("{*}Contents")]
    items = [item | {"Size": int(item["Size"]), "ETag": item["ETag"].strip('"')} for item in items]
    folders = [folder.text for folder in page.iterfind("{*}CommonPrefixes/{*}Prefix")]
    return Listing(prefix, items, folders, page.findtext("{*}IsTruncated") != "true")


def item(key: str) -> dict:
    """Return what the bucket says of a file."""
    found = [each for each in listing(key).items if each["Key"] == key]
    if not found:
        raise MissingDataset(f"the bucket has no {key}")
    return found[0]


def folders() -> str:
    return f"listed without an account ({', '.join(listing('', '/').folders)})"


def names(found: Listing) -> str:
    """Tell whether a session's files have an id in their names."""
    n, named = len(found.items), len(found.paths())
    return f"{'with an id' if named else 'without an id'} ({named} of {n})"


def revision(found: Listing, path: str) -> str:
    """Tell the newest revision of a file, and the others."""
    every = [re.search("#(.+)#", each) for each in found.paths() if one_tables.without_revision(each) == path]
    every = sorted((match[1] if match else "none" for match in every), key=lambda each: (each != "none", each))
    return f"{every[-1]} (all: {', '.join(every)})" if every else "not there"


def md5s(found: Listing) -> str:
    """Tell of how many files the listing has the md5."""
    known = sum("-" not in each["ETag"] for each in found.items)
    return f"{'of most' if 2 * known > len(found.items) else 'of few'} ({known} of {len(found.items)})"


def parts(found: Listing) -> str:
    """Tell of how many of the other files the parts have the size that is assumed."""
    put = [each for each in found.items if "-" in each["ETag"]]
    right = [each for each in put if aws.md5(each)]
    return f"{'all' if right == put else 'not all'} ({len(right)} of {len(put)})"


def tables(tag: str) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """Return the date, sessions and datasets of a tag's tables."""
    key = f"caches/openalyx/{tag}/cache.zip"
    content = download.read(aws.Bucket().address(key))
    sessions, datasets = base.unzip_tables(content, key)
    with ZipFile(io.BytesIO(content)) as archive:
        about = parquet.read_schema(io.BytesIO(archive.read("sessions.pqt"))).metadata or {}
    date = json.loads(about.get(b"one_metadata", b"{}")).get("date_created", "no date")
    return date[:10], sessions, index.completed(datasets)


def trials_tables(datasets: pd.DataFrame, current: str) -> str:
    """Tell how many trials tables a table of datasets marks as the default, and knows of the current revision."""
    found = datasets[datasets["rel_path"].str.endswith("_ibl_trials.table.pqt")]
    new = found["rel_path"].str.contains(f"#{current}#", regex=False).sum()
    return f"{found['default_revision'].sum()} default, {new} of {current} ({len(found)} in all)"


def superseded(datasets: pd.DataFrame, eid: str, found: Listing) -> str:
    """Tell how much of what a table of datasets says of a session has been superseded on the server."""
    listed = datasets.loc[datasets.index.get_level_values("eid").astype(str) == eid, "rel_path"]
    here = np.array([*found.paths()])
    newest, gone = here[one_tables.newest(here)], (~listed.isin(here)).sum()
    return f"{len(listed)} datasets, {(~listed.isin(newest)).sum()} superseded ({gone} no longer there)"


def table(key: str) -> Table:
    """Return what a table on the bucket says of itself, of which only the end is fetched."""
    about = item(key)
    try:
        length = int.from_bytes(_end(about, 8)[:4], "little") + 8
        found = parquet.read_metadata(io.BytesIO(b"PAR1" + _end(about, length)))
    except (OSError, ValueError) as error:
        raise CorruptData(f"{key} does not end as a table does ({cause(error)})") from error
    shape = f"{found.num_rows:,} rows × {found.num_columns} columns"
    said = f"{shape}, {about['Size'] / 1e6:,.1f} MB, ETag {about['ETag']}"
    return Table(found.schema.to_arrow_schema().names, shape, about["Size"], said)


def _end(about: dict, size: int) -> bytes:
    start = max(about["Size"] - size, 0)
    return ask(aws.Bucket().address(about["Key"]), 206, headers={"Range": f"bytes={start}-"}).content


def roster() -> str:
    found = aws.Bucket().roster()
    return f"{found['eid'].nunique()} sessions, {len(found)} insertions (columns {', '.join(found)})"


# ---------------------------------------------------------------------------------------------------- the file servers


def size(url: str) -> int:
    return int(ask(url, 200, method="HEAD").headers["Content-Length"])


def part(url: str) -> str:
    """Tell what a server gives to whom has a part of this version of a file."""
    with ask(url, headers={"Range": "bytes=1-"}) as response:
        return f"{response.status_code}, {'an' if 'ETag' in response.headers else 'no'} ETag"


def part_of_another(url: str) -> str:
    """Tell what a server gives to whom has a part of another version of a file."""
    with ask(url, headers={"Range": "bytes=1-", "If-Range": '"another"'}) as response:
        return str(response.status_code)


# ------------------------------------------------------------------------------------------------------- the database


def token(url: str) -> str:
    """Return the token of the account in the environment."""
    if given := os.environ.get("ALYX_TOKEN"):
        return given
    account = {"username": os.environ["ALYX_LOGIN"], "password": os.environ["ALYX_PWD"]}
    return field(ask(f"{url}/auth-token", 200, method="POST", data=account), "token")


def field(response: requests.Response, name: str):
    """Return a field of an answer in JSON."""
    try:
        return response.json()[name]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"no {name!r} in what {response.url} answers ({response.status_code})") from error


def user(response: requests.Response) -> str:
    """Tell whether a database has said whose a token is."""
    with suppress(Refused):
        field(response, "username")
        return "yes"
    return f"no ({response.status_code})"


# ---------------------------------------------------------------------------------------------------------- a session


def values(size: int) -> int:
    """Return how many numbers of 8 bytes a file holds."""
    return max(int(size) - 128, 0) // 8


def trials(found: pd.DataFrame) -> str:
    numbers = [name for name in TRIALS if name in found and found[name].dtype.kind in "fiu"]
    return f"{len(found)} trials, {len(numbers)} of {len(TRIALS)} columns ({found.shape[1]} in all)"


def wheel(found: Bunch) -> str:
    rising = found.position.shape == found.timestamps.shape and (np.diff(found.timestamps) > 0).all()
    said = "a time for each position, rising" if rising else "times that do not rise, or too many or too few"
    return f"{said} ({len(found.position):,} of {found.position.dtype})"


def units(found: pd.DataFrame) -> str:
    return f"{len(found)} units, {(found['label'] == 1).sum()} good ({found.shape[1]} columns)"
