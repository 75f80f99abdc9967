"""The Brain Wide Map from the AWS Open Data bucket: no account is needed."""

import io
import os
import re
from functools import cached_property
from pathlib import Path, PurePosixPath
from uuid import UUID

import pandas as pd
from iblutil.io import parquet
from one.alf.cache import EMPTY_DATASETS_FRAME, cast_index_object

from ...console import say
from ...errors import DataError, MissingDataset, Refused, Unreachable, cause
from .. import index, integrity
from . import base, download, patience

BUCKET = "ibl-brain-wide-map-public"
REGION = "us-east-1"
TABLES = f"caches/openalyx/{base.TAG}/cache.zip"
AGGREGATES = "aggregates/2024_Q2_IBL_et_al_BWM"  # tables of all sessions; the folder's name is their revision
# The pid, eid and probe of each of the release's 699 insertions, from the repository of the paper.
ROSTER = (
    "https://raw.githubusercontent.com/int-brain-lab/paper-brain-wide-map/HEAD/"
    "brainwidemap/fixtures/2023_12_bwm_release.csv"
)
_WITH_ID = re.compile(r"(.+)\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(\.[^./]+)")
_FOLDER = ["lab", "subject", "date", "number"]


def md5(item: dict) -> str | None:
    """The checksum of a listed file, if its ETag is one (`integrity.of_etag`)."""
    return integrity.of_etag(item.get("ETag", ""), item["Size"])


class AwsOne(base.RemoteOne):
    """A ONE instance on the AWS Open Data bucket.

    Parameters
    ----------
    root : Path
        The folder that tables and files are fetched into.
    """

    def __init__(self, root: Path, offline: bool = False):
        self.bucket = Bucket()
        super().__init__(root, offline)

    def _url(self, path: PurePosixPath) -> str:
        return self.bucket.address(f"data/{path}")

    def _tables(self) -> base.Tables:
        return self.bucket.tables()

    def _list(self, eid: UUID, session: dict) -> pd.DataFrame:
        return self.bucket.list_session(eid, session, self._known)

    @cached_property
    def _known(self) -> pd.DataFrame:
        """Quality and md5 of files by their ids, as the release's tables have them."""
        table = parquet.load(Path(self.cache_dir, index.FOLDER, base.KNOWN))[0].droplevel("eid")[["hash", "qc"]]
        return table if table.index.is_unique else table[~table.index.duplicated()]


class Bucket:
    """The bucket, and where the release lies in it.

    The standard environment variable ``AWS_ENDPOINT_URL_S3`` names another server, ``BWM_ROSTER`` another list of the
    release's insertions (an address, or a file).
    """

    @cached_property
    def _s3(self):
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        # Unsigned, so that no credentials of the user's are looked for, nor sent.
        once = {
            "connect_timeout": patience.TIMEOUT[0],
            "read_timeout": patience.TIMEOUT[1],
            "retries": {"total_max_attempts": 1},
        }
        return boto3.client("s3", region_name=REGION, config=Config(signature_version=UNSIGNED, **once))

    def address(self, key: str) -> str:
        """The http address of a key."""
        return self._s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})

    def tables(self) -> base.Tables:
        """The release's sessions and insertions, and what its tables know of files; without them the roster's."""
        roster = self.roster()
        try:
            content = download.read(self.address(TABLES))
        except (MissingDataset, Refused) as error:  # a bucket that may not be listed refuses what it does not have
            if not set(_FOLDER) <= set(roster):
                raise Unreachable(
                    f"The sessions of the release were looked for in s3://{BUCKET} at {TABLES} and in its roster: the "
                    f"bucket has {self._top()}."
                ) from error
            say(f"The bucket has no {TABLES}: sessions are those of the roster, and the quality of files is unknown.")
            sessions = roster.set_index("eid")[_FOLDER].rename_axis("id").assign(task_protocol="", projects="")
            sessions = cast_index_object(sessions[~sessions.index.duplicated()], UUID)
            sessions["date"] = pd.to_datetime(sessions["date"]).dt.date
            return sessions, EMPTY_DATASETS_FRAME, base.insertions_table(roster)
        sessions, known = base.unzip_tables(content, f"s3://{BUCKET}/{TABLES}")
        return sessions, known, base.insertions_table(roster)

    def roster(self) -> pd.DataFrame:
        """The insertions of the release: columns ``pid``, ``eid``, ``name``, and what else the list tells."""
        place = os.environ.get("BWM_ROSTER") or ROSTER
        try:
            content = download.read(place) if place.startswith("http") else Path(place).expanduser().read_bytes()
            found = pd.read_csv(io.BytesIO(content)).rename(columns={"probe_name": "name", "session_number": "number"})
            if missing := {"pid", "eid", "name"} - set(found):
                raise ValueError(f"it has no columns {', '.join(sorted(missing))}")
            for each in (*found["pid"], *found["eid"]):
                UUID(str(each))
        except (DataError, OSError, ValueError) as error:
            raise Unreachable(
                f"The list of the release's insertions was looked for at {place} ({cause(error)}): check the network "
                "connection, or get it with a browser and name the file in the environment variable BWM_ROSTER."
            ) from error
        return found

    def list_session(self, eid: UUID, session: dict, known: pd.DataFrame) -> pd.DataFrame:
        """What a session has: names, ids and sizes by the bucket's listing, the newest revision of each the default.

        The md5 is that of the ETag, or else of any table that knows the file's id; quality comes from ``known``.
        """
        prefix = "data/{lab}/Subjects/{subject}/{date}/{number:03d}/".format(**session)
        rows = []
        for item in self.listing(Prefix=prefix):
            if match := _WITH_ID.fullmatch(item["Key"], len(prefix)):
                rows.append(
                    {
                        "eid": eid,
                        "id": UUID(match[2]),
                        "rel_path": match[1] + match[3],
                        "file_size": item["Size"],
                        "hash": md5(item),
                    }
                )
        if not rows:
            raise MissingDataset(
                f"The bucket s3://{BUCKET} has nothing below {prefix}: it was looked for {len(known):,} known files; "
                "'bwm-tutorials doctor --online' says what has changed."
            )
        table = pd.DataFrame(rows).set_index(["eid", "id"])
        said = known.reindex(table.index.get_level_values("id").astype(str)).set_axis(table.index)
        return table.assign(hash=table["hash"].fillna(said["hash"]), qc=said["qc"].astype(object).fillna("NOT_SET"))

    def _top(self) -> str:
        """What the bucket has at its root."""
        folders = [found["Prefix"] for found in self.listing("CommonPrefixes", Delimiter="/")]
        return ", ".join(folders) or "no folders"

    def listing(self, what: str = "Contents", **terms: str) -> list[dict]:
        """The bucket's files (``Key``, ``Size``, ``ETag``, ``LastModified``), or folders (``CommonPrefixes``)."""
        from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

        def attempt() -> list[dict]:
            found = []
            try:
                for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, **terms):
                    if page.get("Name") != BUCKET:
                        raise patience.Failed("the answer is no list, and may be the login page of a network")
                    found += page.get(what, [])
            except ClientError as error:
                meta = error.response["ResponseMetadata"]
                if meta["HTTPStatusCode"] != 429 and meta["HTTPStatusCode"] < 500:
                    raise Refused(f"The bucket s3://{BUCKET} cannot be listed ({cause(error)}).") from error
                raise patience.busy(meta["HTTPStatusCode"], meta["HTTPHeaders"]) from error
            except BotoCoreError as error:
                silent = isinstance(error, ConnectTimeoutError | ReadTimeoutError)
                raise patience.Failed(cause(error), silent=silent) from error
            return found

        return patience.persist(attempt, f"The list of s3://{BUCKET}")
