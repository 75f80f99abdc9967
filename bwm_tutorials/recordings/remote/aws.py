"""The Brain Wide Map from the AWS Open Data bucket: no account is needed."""

import io
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePosixPath
from uuid import UUID

import pandas as pd
from one.alf.cache import cast_index_object

from ...console import say
from ...errors import DataError, MissingDataset, Refused, Unreachable, cause
from . import base, download

BUCKET = "ibl-brain-wide-map-public"
REGION = "us-east-1"
TABLES = f"caches/openalyx/{base.TAG}/cache.zip"
CLUSTERS = "aggregates/2024_Q2_IBL_et_al_BWM/clusters.pqt"
# The pid, eid and probe of each of the release's 699 insertions, from the repository of the paper.
ROSTER = (
    "https://raw.githubusercontent.com/int-brain-lab/paper-brain-wide-map/HEAD/"
    "brainwidemap/fixtures/2023_12_bwm_release.csv"
)
_WITH_ID = re.compile(r"(.+)\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(\.[^./]+)")
_FOLDER = ["lab", "subject", "date", "number"]


class AwsOne(base.RemoteOne):
    """A ONE instance on the AWS Open Data bucket.

    Parameters
    ----------
    root : Path
        The folder that tables and files are fetched into.
    """

    def __init__(self, root: Path):
        self.bucket = Bucket()
        super().__init__(root)

    def _url(self, path: PurePosixPath) -> str:
        return self.bucket.address(f"data/{path}")

    def _tables(self) -> base.Tables:
        return self.bucket.tables()


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
        return boto3.client("s3", region_name=REGION, config=Config(signature_version=UNSIGNED))

    def address(self, key: str) -> str:
        """The http address of a key."""
        return self._s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})

    def tables(self) -> base.Tables:
        """The release's sessions, datasets and insertions, from where they are expected, or else from what is there."""
        try:
            content = download.read(self.address(TABLES))
        except (MissingDataset, Refused):  # a bucket that may not be listed refuses what it does not have
            roster = self.roster()
            sessions, datasets = self.list_sessions(roster)
        else:
            roster = self.roster()
            sessions, datasets = base.unzip_tables(content, f"s3://{BUCKET}/{TABLES}")
        if "exists_aws" in datasets:
            datasets = datasets.assign(exists=datasets["exists"] & datasets["exists_aws"].eq(True))
        return sessions, datasets, base.insertions_table(roster)

    def roster(self) -> pd.DataFrame:
        """The insertions of the release: columns ``pid``, ``eid``, ``name``, and what else the list tells."""
        place = os.environ.get("BWM_ROSTER") or ROSTER
        try:
            return self.roster_of_paper(place)
        except (DataError, OSError, ValueError) as error:
            why = cause(error)
        try:
            return self.roster_of_clusters()
        except (OSError, ValueError) as error:
            raise Unreachable(
                f"The list of the release's insertions was looked for at {place} ({why}) and at "
                f"s3://{BUCKET}/{CLUSTERS} ({cause(error)}): check the network connection, or get the first with a "
                "browser and name the file in the environment variable BWM_ROSTER."
            ) from error

    def roster_of_paper(self, place: str) -> pd.DataFrame:
        """The insertions by the list in the paper's repository, or another of its form (an address, or a file)."""
        content = download.read(place) if place.startswith("http") else Path(place).expanduser().read_bytes()
        found = pd.read_csv(io.BytesIO(content)).rename(columns={"probe_name": "name", "session_number": "number"})
        if missing := {"pid", "eid", "name"} - set(found):
            raise ValueError(f"it has no columns {', '.join(sorted(missing))}")
        return found

    def roster_of_clusters(self) -> pd.DataFrame:
        """The insertions by the release's table of all units, of which only three columns are read."""
        from pyarrow import fs, parquet

        bucket = fs.S3FileSystem(
            anonymous=True,
            region=REGION,
            endpoint_override=self._s3.meta.endpoint_url if "AWS_ENDPOINT_URL_S3" in os.environ else None,
            connect_timeout=download.TIMEOUT[0],
            request_timeout=download.TIMEOUT[1],
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
        )
        with bucket.open_input_file(f"{BUCKET}/{CLUSTERS}") as file:
            table = parquet.ParquetFile(file)
            columns = table.schema_arrow.names
            name = next((n for n in ("probe_name", "name", "pname") if n in columns), None)
            if name is None or not {"pid", "eid"} <= set(columns):
                raise ValueError(f"it has the columns {', '.join(columns)}")
            return table.read(["pid", "eid", name]).to_pandas().rename(columns={name: "name"}).drop_duplicates()

    def list_sessions(self, roster: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Tables from a listing of the bucket: names, ids and sizes, but no md5 and no judgement of quality."""
        records = []
        if set(_FOLDER) <= set(roster):
            say(f"The bucket has no {TABLES}: the tables are made from a list of its files, without md5 …")
            sessions = roster.set_index("eid")[_FOLDER].rename_axis("id").assign(task_protocol="", projects="")
            sessions = cast_index_object(sessions[~sessions.index.duplicated()], UUID)
            sessions["date"] = pd.to_datetime(sessions["date"]).dt.date
            with ThreadPoolExecutor(download.AT_ONCE) as pool:
                found = pool.map(self.list_session, sessions.index, sessions.to_dict("records"))
                records = [record for session in found for record in session]
        if not records:
            raise Unreachable(
                f"The release was looked for in s3://{BUCKET} at {TABLES}, and below data/ for each session of its "
                f"roster: the bucket has {self._top()}."
            )
        return sessions, pd.DataFrame(records).set_index(["eid", "id"])

    def list_session(self, eid: UUID, session: dict) -> list[dict]:
        prefix = "data/{lab}/Subjects/{subject}/{date}/{number:03d}/".format(**session)
        files = [(_WITH_ID.fullmatch(item["Key"], len(prefix)), item["Size"]) for item in self.listing(Prefix=prefix)]
        return [
            {"eid": eid, "id": UUID(m[2]), "rel_path": m[1] + m[3], "file_size": size, "hash": None, "exists": True}
            | {"qc": "NOT_SET"}
            for m, size in files
            if m
        ]

    def _top(self) -> str:
        """What the bucket has at its root."""
        folders = [found["Prefix"] for found in self.listing("CommonPrefixes", Delimiter="/")]
        return ", ".join(folders) or "no folders"

    def listing(self, what: str = "Contents", **terms: str) -> Iterator[dict]:
        """The bucket's files (``Key``, ``Size``), or folders (``CommonPrefixes``)."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, **terms):
                yield from page.get(what, [])
        except (BotoCoreError, ClientError) as error:
            raise Unreachable(
                f"The bucket s3://{BUCKET} cannot be listed ({cause(error)}): try again later."
            ) from error
