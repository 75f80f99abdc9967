"""Real servers for the tests: an S3 server with the bucket, an HTTP server as the database, and faults of both."""

import io
import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import boto3
import pandas as pd
import requests
from iblutil.io import parquet
from one.alf.cache import load_tables
from one.alf.path import add_uuid_string
from one.converters import session_record2path

import bwm_tutorials as bwm
from bwm_tutorials.recordings import index, one_tables
from bwm_tutorials.recordings.remote import aws, base, openalyx
from bwm_tutorials.simulate import tables

MINE = {"username": "student", "password": "a pass phrase"}
TOKEN = "5eed5eed5eed"


class Door(NamedTuple):
    """A source on a server of ours: its name, its server, its data folder, and the folder of what it gives."""

    name: str
    web: "Web"
    root: Path
    original: Path

    def connect(self):
        return bwm.connect(self.name)

    def fetched(self) -> list[str]:
        """The recordings in the data folder, each the same as the original, byte for byte."""
        here = sorted(f.relative_to(self.root).as_posix() for f in self.root.rglob("*/Subjects/**/*") if f.is_file())
        whole = [name for name in here if not Path(name).name.startswith(".")]
        for name in whole:
            assert (self.root / name).read_bytes() == (self.original / name).read_bytes(), name
        return whole

    def listings(self) -> int:
        """How often the server was asked what a session has."""
        listing = f"GET /{aws.BUCKET}" if self.name == "aws" else "GET /sessions/"
        return sum(asked == listing or (self.name != "aws" and asked.startswith(listing)) for asked in self.web.asked)

    def left_over(self) -> list[str]:
        """What is not under its name yet."""
        return sorted(file.name for file in self.root.rglob(".*.part"))

    def nothing_elsewhere(self) -> None:
        """Neither the home nor anything beside the source's own folder was written to."""
        around = self.root.parent.parent
        assert sorted(f.name for f in (around / "home").rglob("*")) == []
        assert {f.name for f in around.iterdir()} <= {"home", "data", "roster.csv"}
        assert {f.name for f in self.root.parent.iterdir()} <= {self.root.name}


def edit_index(door: Door, eid: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change what the index in a data folder says of a session."""
    table = door.connect().list_datasets(eid, details=True, keep_eid_index=True)
    index.write(door.root, UUID(eid), change(table))


PIECE = 50_000  # bytes, after which a connection may break off


class Answer(NamedTuple):
    status: int = 200
    body: bytes = b""
    headers: dict | None = None


class Web:
    """An HTTP server on this computer that notes what it is asked for, and does on demand what servers should not."""

    def __init__(self, answer: Callable[[str, str, dict, bytes], Answer]):
        self.asked: list[str] = []  # "GET /path", in order
        self.ranges: list[str] = []  # what was asked for of files that had arrived in part
        self.faults: dict[str, list] = {}  # part of a path: what to do at the next requests of it
        self.instead: dict[str, Answer] = {}  # part of a path: what to answer from now on
        self.signed: list[str] = []  # what was asked for with credentials
        self.go = threading.Event()  # for the fault "wait"
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = unquote(urlsplit(self.path).path)
                web.asked.append(f"{self.command} {path}")
                web.ranges += [self.headers["Range"]] if "Range" in self.headers else []
                if "Authorization" in self.headers or "X-Amz" in self.path:
                    web.signed.append(path)
                key = next((key for key, todo in web.faults.items() if key in f"{path} {self.path}" and todo), None)
                fault = web.faults[key].pop(0) if key else None
                other = next((given for key, given in web.instead.items() if key in f"{path} {self.path}"), None)
                if isinstance(fault, int):
                    self.give(Answer(fault, b"no"))
                elif isinstance(fault, Answer):
                    self.give(fault)
                elif fault == "silent":
                    web.go.wait(60)
                    self.close_connection = True
                elif other:
                    self.give(other)
                else:
                    self.give(answer(self.command, self.path, dict(self.headers), body), fault)

            do_HEAD = do_POST = do_PUT = do_GET

            def give(self, given: Answer, fault: str | None = None) -> None:
                body = given.body
                if fault == "altered":  # each time in another bit
                    body = body[:-1] + bytes([body[-1] ^ (1 << len(web.asked) % 8)])
                elif fault == "short":
                    body = body[: len(body) // 2]
                elif fault == "longer":
                    body += body
                self.send_response(given.status)
                for name, value in ({"Content-Length": str(len(body))} | (given.headers or {})).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "HEAD":
                    return
                half = len(body) // 2 if fault != "pieces" else PIECE
                if fault in ("reset", "truncated", "wait", "slow", "pieces"):
                    self.wfile.write(body[:half])
                    self.wfile.flush()
                if fault == "wait":
                    web.go.wait(60)
                if fault == "slow":
                    for start in range(half, len(body), len(body) // 8):
                        time.sleep(0.1)
                        self.wfile.write(body[start : min(start + len(body) // 8, len(body))])
                    return
                if fault in ("reset", "truncated", "wait", "pieces"):
                    if fault == "reset":
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        self.connection.close()
                    self.close_connection = True
                    return
                self.wfile.write(body)

            def handle(self):
                try:
                    super().handle()
                except OSError:  # of a connection that either side has broken off
                    self.close_connection = True

            def finish(self):
                with suppress(OSError, ValueError):
                    super().finish()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def times(self, part: str) -> int:
        """How often something with this in its path was asked for."""
        return sum(part in path for path in self.asked)

    def __enter__(self) -> "Web":
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.go.set()
        self.server.shutdown()
        self.server.server_close()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def s3_server() -> Iterator[str]:
    """An S3 server with an empty bucket of the right name, that everyone may list."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    requests.get(url, timeout=10)
                    break
                except requests.RequestException:  # not there yet, or busy
                    time.sleep(0.1)
            s3_client(url).create_bucket(Bucket=aws.BUCKET, ACL="public-read")
            yield url
        finally:
            process.kill()


def s3_client(url: str):
    return boto3.client(
        "s3", endpoint_url=url, region_name=aws.REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


def keys(url: str) -> set[str]:
    """What the bucket has."""
    pages = s3_client(url).get_paginator("list_objects_v2").paginate(Bucket=aws.BUCKET)
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def take_out(url: str, added: set[str]) -> None:
    """Take files out of the bucket."""
    keys = sorted(added)
    for start in range(0, len(keys), 1000):
        some = [{"Key": key} for key in keys[start : start + 1000]]
        s3_client(url).delete_objects(Bucket=aws.BUCKET, Delete={"Objects": some})


def put(url: str, key: str, body: bytes) -> None:
    """Put a file into the bucket, for everyone to read."""
    s3_client(url).put_object(Bucket=aws.BUCKET, Key=key, Body=body, ACL="public-read")


# Put in parts, so that their ETag is not their md5.
MULTIPART = ("spikes.times.npy", "_ibl_wheel.timestamps.npy", "trials.pqt")


def upload(url: str, root: Path) -> None:
    """Put a ONE folder into the bucket as the release lies there: files that are new, and tables that are not."""
    client = s3_client(url)
    files = {f"data/{key}": file for _, file, key in dataset_files(root)}
    files |= {f"{aws.AGGREGATES}/{file.name}": file for file in (root / "aggregates").glob("*.pqt")}
    for key, file in files.items():
        there = {"Bucket": aws.BUCKET, "Key": key}
        if file.name in MULTIPART:
            upload_id = client.create_multipart_upload(**there, ACL="public-read")["UploadId"]
            part = client.upload_part(**there, PartNumber=1, UploadId=upload_id, Body=file.read_bytes())
            parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
            client.complete_multipart_upload(**there, UploadId=upload_id, MultipartUpload=parts)
        else:
            client.put_object(**there, Body=file.read_bytes(), ACL="public-read")
    put(url, aws.TABLES, cache_zip(root))


STALE_SINCE = "2025-02-20"  # when the real tables of the release were made


def stale(datasets: pd.DataFrame) -> pd.DataFrame:
    """A table of datasets as the real one is; what was patched has another md5 than it says, too."""
    old = tables.stale(datasets)
    patched = old["rel_path"].str.endswith("wheelMoves.peakAmplitude.npy")
    old.loc[patched, "hash"] = "0" * 32
    return old


def dataset_files(root: Path) -> Iterator[tuple[tuple, Path, str]]:
    """Each dataset of a ONE folder: its (eid, id), its file, and its path with the id in it."""
    tables = load_tables(root)
    for (eid, dataset), record in tables["datasets"].iterrows():
        path = session_record2path(tables["sessions"].loc[eid]) / record["rel_path"]
        yield (eid, dataset), root / path, str(add_uuid_string(PurePosixPath(path), dataset))


def cache_zip(root: Path, change: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table) -> bytes:
    """The tables of a ONE folder as the database writes them: with columns that ONE drops, and without insertions."""
    sessions, metadata = parquet.load(root / "sessions.pqt")
    datasets, _ = parquet.load(root / "datasets.pqt")
    metadata = {"date_created": f"{STALE_SINCE} 12:00", "min_api_version": "1.13.0", "origin": "alyx"}
    metadata["database_tags"] = [base.TAG]
    paths = {eid: session_record2path(record).as_posix() for eid, record in sessions.iterrows()}
    datasets["session_path"] = datasets.index.get_level_values("eid").map(paths)
    datasets = change(stale(datasets))
    sessions = pd.concat([sessions, others(sessions)])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, table in (("sessions", sessions), ("datasets", datasets)):
            archive.writestr(f"{name}.pqt", parquet_bytes(table, metadata))
        archive.writestr("cache_info.json", json.dumps(metadata))
        archive.writestr("QC.json", "[]")
    return content.getvalue()


def others(sessions: pd.DataFrame) -> pd.DataFrame:
    """Sessions that the release's tables list, and that are not of the release."""
    few = sessions.iloc[:3].assign(subject="OTHER_001", lab="otherlab")
    return few.set_axis([one_tables.make_id(f"another {n}") for n in range(len(few))]).rename_axis(sessions.index.name)


def parquet_bytes(table: pd.DataFrame, metadata: dict) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "table.pqt")
        parquet.save(file, table, metadata)
        return file.read_bytes()


def write_roster(root: Path, file: Path) -> Path:
    """The list of a ONE folder's insertions, with the columns of the one that the paper's repository has."""
    tables = load_tables(root)
    roster = tables["insertions"].reset_index().rename(columns={"id": "pid", "name": "probe_name"})
    roster = roster.merge(tables["sessions"].reset_index().rename(columns={"id": "eid", "number": "session_number"}))
    roster[["pid", "eid", "probe_name", "session_number", "date", "subject", "lab"]].to_csv(file)
    return file


def in_front_of(url: str) -> Web:
    """A server that hands everything on to another; faults happen here."""

    def answer(method: str, path: str, headers: dict, body: bytes) -> Answer:
        response = requests.request(method, url + path, headers=headers, data=body, timeout=60)
        names = ["Content-Range", "Content-Type", "ETag", "Last-Modified"]
        names += ["Content-Length"] if method == "HEAD" else []
        kept = {name: response.headers[name] for name in names if name in response.headers}
        return Answer(response.status_code, response.content, kept)

    return Web(answer)


class Alyx(Web):
    """An HTTP server that answers what ONE asks IBL's database, and has its files below ``/public``.

    A user logs in with a name and password of their own; the login that was once shared by everyone is refused.
    """

    page = 2  # records of a list that are given at once
    a_second = 1_000_000  # requests that are answered; more are told to wait

    def __init__(self, root: Path, says_whose_token: bool = True, zipped: bool = True):
        super().__init__(self.answer)
        self.says_whose_token, self.zipped = says_whose_token, zipped
        self.answered: list[float] = []  # when
        self.tables = load_tables(root)
        self.zip = cache_zip(root)
        self.paths = {f"/public/{key}": file for _, file, key in dataset_files(root)}
        self.url_of = {index: key for index, _, key in dataset_files(root)}

    def answer(self, method: str, path: str, headers: dict, body: bytes) -> Answer:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        place = unquote(parts.path)
        now = time.monotonic()
        if sum(now - before < 1 for before in self.answered) >= self.a_second:
            return as_json({"detail": "Request was throttled."}, 429, {"Retry-After": "1"})
        self.answered.append(now)
        if place in self.paths:
            return part_of_file(self.paths[place].read_bytes(), headers)
        if place.startswith("/public/"):
            return Answer(404)
        if place == "/auth-token":
            given = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            return as_json({"token": TOKEN}) if given == MINE else as_json({"non_field_errors": ["no"]}, 400)
        if place == "/tables/cache.zip":
            return Answer(200, self.zip)
        if headers.get("Authorization") != f"Token {TOKEN}":
            return as_json({"detail": "Invalid token."}, 403)
        if place == "/me":
            return as_json({"username": MINE["username"]}) if self.says_whose_token else Answer(200, b"<html>")
        if place == "/api/schema":
            return as_json(SCHEMA)
        if place == f"/cache/info/{base.TAG}" and self.zipped:
            about = {"date_created": f"{STALE_SINCE} 12:00", "min_api_version": "1.13.0", "origin": "alyx"}
            return as_json(about | {"database_tags": [base.TAG], "location": f"{self.url}/tables/cache.zip"})
        if place.startswith("/cache/info/") and base.TAG not in place:
            return Answer(500)
        if place == "/insertions":
            tagged = query.get("tag", "") in openalyx.INSERTIONS_TAG
            rows = [row for row in self.tables["insertions"].iterrows() if str(row[0][0]) == query.get("session")]
            rows = self.tables["insertions"].iterrows() if tagged and "session" not in query else rows
            return self.paginated([self.insertion(*index, row["name"]) for index, row in rows], path, query)
        if match := re.fullmatch("/insertions/([0-9a-f-]{36})", place):
            for (eid, pid), row in self.tables["insertions"].iterrows():
                if str(pid) == match[1]:
                    return as_json(self.insertion(eid, pid, row["name"]))
        if place == "/sessions":
            rows = self.tables["sessions"].iterrows()
            ids = query.get("django", "")  # pk,… or pk__in,(…)
            chosen = [
                self.session(eid)
                for eid, row in rows
                if query.get("subject", "") in row["subject"] and (not ids or str(eid) in ids)
            ]
            return self.paginated(chosen, path, query)
        match = re.fullmatch("/sessions/([0-9a-f-]{36})", place)
        if match and match[1] in map(str, self.tables["sessions"].index):
            return as_json(self.session(match[1], full=True))
        return as_json({"detail": "Not found."}, 404)

    def paginated(self, records: list[dict], path: str, query: dict) -> Answer:
        start = int(query.get("offset", 0))
        stop = start + self.page
        following = f"{self.url}{path}" if stop < len(records) else None
        return as_json({"count": len(records), "next": following, "previous": None, "results": records[start:stop]})

    def session(self, eid, full: bool = False) -> dict:
        (eid,) = [known for known in self.tables["sessions"].index if str(known) == str(eid)]
        row = self.tables["sessions"].loc[eid]
        record = {
            "id": str(eid),
            "url": f"{self.url}/sessions/{eid}",
            "subject": row["subject"],
            "start_time": f"{row['date']}T12:00:00",
            "number": int(row["number"]),
            "lab": row["lab"],
            "projects": row["projects"].split(","),
            "task_protocol": row["task_protocol"],
        }
        if full:
            record["data_dataset_session_related"] = [
                {
                    "id": str(id),
                    "name": row["rel_path"].rpartition("/")[2],
                    "data_url": f"{self.url}/public/{self.url_of[eid, id]}",
                    "file_size": int(row["file_size"]),
                    "hash": row["hash"],
                    "default_revision": str(bool(row["default_revision"])),
                    "qc": row["qc"],
                }
                for id, row in self.tables["datasets"].loc[eid].iterrows()
            ]
        return record

    def insertion(self, eid, pid, name: str) -> dict:
        return {"id": str(pid), "session": str(eid), "name": name, "session_info": self.session(eid), "model": "3B2"}


def part_of_file(body: bytes, headers: dict) -> Answer:
    """A file or the rest of it, as nginx gives it: with an ETag that is not its md5."""
    version = {"ETag": f'"{len(body):x}-{zlib.crc32(body):x}"'}
    wanted = headers.get("Range")
    if not wanted or headers.get("If-Range", version["ETag"]) != version["ETag"]:
        return Answer(200, body, version)
    start = int(re.fullmatch("bytes=([0-9]+)-", wanted)[1])
    if start >= len(body):
        return Answer(416)
    return Answer(206, body[start:], version | {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"})


def as_json(content, status: int = 200, headers: dict | None = None) -> Answer:
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"} | (headers or {}))


def _listed(*terms: str) -> dict:
    return {"get": {"parameters": [{"name": term} for term in ("id", "limit", "offset", "django", "tag", *terms)]}}


SCHEMA = {
    "paths": {
        "/sessions": _listed("subject", "lab", "number", "datasets", "date_range", "task_protocol", "projects"),
        "/sessions/{id}": {"get": {}},
        "/insertions": _listed("session", "name", "subject", "lab"),
        "/insertions/{id}": {"get": {}},
        "/datasets": _listed("session"),
    }
}
