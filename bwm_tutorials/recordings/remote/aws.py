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
from iblutil.io import parquet
from one.alf.cache import EMPTY_DATASETS_FRAME, cast_index_object

from ...console import say
from ...errors import DataError, MissingDataset, Refused, Unreachable, cause
from .. import index
from . import base, download

BUCKET = "ibl-brain-wide-map-public"
REGION = "us-east-1"
TABLES = f"caches/openalyx/{base.TAG}/cache.zip"
AGGREGATES = "aggregates/2024_Q2_IBL_et_al_BWM"  # tables of all sessions; the folder's name is their revision
CLUSTERS = f"{AGGREGATES}/clusters.pqt"
# The pid, eid and probe of each of the release's 699 insertions, from the repository of the paper.
ROSTER = (
    "https://raw.githubusercontent.com/int-brain-lab/paper-brain-wide-map/HEAD/"
    "brainwidemap/fixtures/2023_12_bwm_release.csv"
)
_SPIKES = re.compile(r".*/alf/(probe\w+)/pykilosort/(#.+#/)?spikes\.times\.[0-9a-f-]{36}\.npy")
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

    def _list(self, eid: UUID, session: dict) -> pd.DataFrame:
        return self.bucket.list_session(eid, session, self._known)

    @cached_property
    def _known(self) -> pd.DataFrame:
        """Quality and md5 of files by their ids, as the release's tables have them."""
        return parquet.load(Path(self.cache_dir, index.FOLDER, base.KNOWN))[0].droplevel("eid")[["hash", "qc"]]


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
        return sessions, known, base.insertions_table(roster if "name" in roster else self._named(roster, sessions))

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
        """The insertions by the release's table of all units, of which only three columns are read.

        A table without the probes' names gives ``spikes``, how many an insertion has, in their place.
        """
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
            told = next((n for n in ("probe_name", "name", "pname", "spike_count") if n in columns), None)
            if told is None or not {"pid", "eid"} <= set(columns):
                raise ValueError(f"it has the columns {', '.join(columns)}")
            units = table.read(["pid", "eid", told]).to_pandas()
        if told == "spike_count":
            return units.groupby(["pid", "eid"], as_index=False)[told].sum().rename(columns={told: "spikes"})
        return units.rename(columns={told: "name"}).drop_duplicates()

    def _named(self, roster: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
        """The roster with the probes' names: of a session's probes, the one whose file has as many spikes."""
        roster = roster[roster["eid"].map(UUID).isin(sessions.index)]
        eids = roster["eid"].unique()
        with ThreadPoolExecutor(download.AT_ONCE) as pool:
            found = dict(zip(eids, pool.map(lambda eid: self._spikes(sessions.loc[UUID(eid)]), eids), strict=True))

        def nearest(there: dict[str, float], spikes: float) -> str | None:
            return min(there, key=lambda name: abs(there[name] - spikes), default=None)

        roster = roster.assign(name=[*map(nearest, roster["eid"].map(found), roster["spikes"])])
        if roster["name"].isna().any() or roster.duplicated(["eid", "name"]).any():
            raise Unreachable(
                f"Which probe an insertion is cannot be told by s3://{BUCKET}: get {ROSTER} with a browser and name "
                "the file in the environment variable BWM_ROSTER."
            )
        return roster

    def _spikes(self, session: pd.Series) -> dict[str, float]:
        """How many spikes each probe of a session has, by the size of the newest file of their times."""
        number, date = int(session["number"]), str(session["date"])[:10]
        prefix = f"data/{session['lab']}/Subjects/{session['subject']}/{date}/{number:03d}/alf/probe"
        items = {item["Key"]: item["Size"] for item in self.listing(Prefix=prefix)}
        files = {match: size for key, size in items.items() if (match := _SPIKES.fullmatch(key))}
        newest = sorted(files, key=lambda match: match[2] or "")
        return {match[1]: (files[match] - 128) / 8 for match in newest}  # bytes of a header, and of a time

    def list_session(self, eid: UUID, session: dict, known: pd.DataFrame) -> pd.DataFrame:
        """What a session has: names, ids and sizes by the bucket's listing, the newest revision of each the default.

        The ETag of a file that was put in one part is its md5. Else that of any table that knows the file's id, and the
        quality, are taken from ``known``.
        """
        prefix = "data/{lab}/Subjects/{subject}/{date}/{number:03d}/".format(**session)
        rows = []
        for item in self.listing(Prefix=prefix):
            if match := _WITH_ID.fullmatch(item["Key"], len(prefix)):
                etag = item.get("ETag", "").strip('"')
                rows.append(
                    {
                        "eid": eid,
                        "id": UUID(match[2]),
                        "rel_path": match[1] + match[3],
                        "file_size": item["Size"],
                        "hash": etag if re.fullmatch("[0-9a-f]{32}", etag) else None,
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
