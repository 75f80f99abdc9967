"""A bucket of the release's size on this computer, behind a slow link: what `bench_doors` fetches from.

It speaks as much of S3 as the door asks for. Files differ in their last bytes only, so that no disk has to hold them.
``python bucket.py`` prints its port and serves until it is killed; ``GET /asked`` says what was asked for since last.
"""

import hashlib
import io
import json
import tempfile
import threading
import time
import zipfile
from bisect import bisect_left
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pandas as pd
from iblutil.io import parquet
from one.alf.path import add_uuid_string

from bwm_tutorials.recordings import index
from bwm_tutorials.recordings.one_tables import make_id
from bwm_tutorials.recordings.remote import aws

SESSIONS, PROBES, FILES = 459, 699, 130  # of the release; files of a session in the bucket
IN_TABLES, DATASETS = 480, 76_563  # of the release's tables, which list more
SIZE, LAST = 2_500_000, 16  # bytes of a file, and in which it differs
LATENCY, RATE, CHUNK = 0.1, 20e6, 1 << 16  # s before an answer; bytes/s of all connections; bytes given at once
FOLDERS = ("alf", "alf/probe00/pykilosort", "alf/probe01/pykilosort", "alf/#2025-03-03#", "raw_behavior_data")
NAMES = [f"{FOLDERS[i % len(FOLDERS)]}/_ibl_object{i:03}.attribute.npy" for i in range(DATASETS // IN_TABLES + 1)]
EIDS = [make_id(f"session {i}") for i in range(IN_TABLES)]
PLACES = [(f"lab{i % 12:02}", f"MOUSE_{i // 4:03}", f"2020-01-{i % 4 + 1:02}", 1) for i in range(IN_TABLES)]
PATHS = ["{}/Subjects/{}/{}/{:03}".format(*place) for place in PLACES]


def key_of(session: int, name: str) -> str:
    """Where a file lies in the bucket."""
    return f"data/{PATHS[session]}/{add_uuid_string(name, make_id(f'{session} {name}'))}"


@cache
def _common() -> bytes:
    array = io.BytesIO()
    np.save(array, np.random.default_rng(0).integers(0, 256, SIZE - 128, np.uint8))
    return array.getvalue()[:-LAST]


@cache
def _begun():
    return hashlib.md5(_common())


def end_and_md5(key: str) -> tuple[bytes, str]:
    """The last bytes of a file, which no other has, and the md5 of all of it."""
    end, whole = hashlib.md5(key.encode()).digest(), _begun().copy()
    whole.update(end)
    return end, whole.hexdigest()


def roster() -> pd.DataFrame:
    """The release's insertions."""
    of = [i % SESSIONS for i in range(PROBES)]
    pids = [make_id(f"insertion {i}") for i in range(PROBES)]
    names = [f"probe0{i // SESSIONS}" for i in range(PROBES)]
    return pd.DataFrame({"pid": pids, "eid": [EIDS[i] for i in of], "probe_name": names})


def tables() -> bytes:
    """The release's ``cache.zip``; of each session it has files that are no longer there, too."""
    sessions = pd.DataFrame(PLACES, pd.Index(EIDS, name="id"), ["lab", "subject", "date", "number"])
    sessions = sessions.astype({"number": "uint16"}).assign(task_protocol="", projects="")
    sessions["date"] = pd.to_datetime(sessions["date"]).dt.date
    files = [(i, name) for name in NAMES for i in range(IN_TABLES)][:DATASETS]
    ids = pd.MultiIndex.from_tuples([(EIDS[i], make_id(f"{i} {name}")) for i, name in files], names=["eid", "id"])
    md5s = [end_and_md5(key_of(*file))[1] for file in files]
    known = {"rel_path": [name for _, name in files], "file_size": float(SIZE), "hash": md5s, "qc": "PASS"}
    content = io.BytesIO()
    about = {"date_created": "2025-02-20 12:00", "min_api_version": "1.13.0", "origin": "alyx"}
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive, tempfile.TemporaryDirectory() as folder:
        for name, table in {"sessions": sessions, "datasets": index.completed(pd.DataFrame(known, ids))}.items():
            parquet.save(Path(folder, name), table, about)
            archive.write(Path(folder, name), f"{name}.pqt")
    return content.getvalue()


def listed(keys: list[str], prefix: str, token: str = "") -> bytes:
    """A page of a list, as ListObjectsV2 gives it."""
    start = int(token or bisect_left(keys, prefix))
    stop = min(bisect_left(keys, prefix + "~"), start + 1000)
    more = stop < len(keys) and keys[stop].startswith(prefix)
    items = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2025-09-30T12:00:00.000Z</LastModified><ETag>&quot;"
        f"{end_and_md5(key)[1]}&quot;</ETag><Size>{SIZE}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key in keys[start:stop]
    )
    following = f"<NextContinuationToken>{stop}</NextContinuationToken>" if more else ""
    return (
        f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{aws.BUCKET}</Name>'
        f"<Prefix>{prefix}</Prefix><KeyCount>{stop - start}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{following}{items}</ListBucketResult>"
    ).encode()


class Bucket(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    keys, zipped = [], b""
    asked, link, free = [], threading.Lock(), 0.0

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        key = unquote(parts.path).removeprefix(f"/{aws.BUCKET}").lstrip("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if key == "asked":
            return self.give(json.dumps([self.asked.pop() for _ in range(len(self.asked))]).encode())
        self.asked.append(key or f"list {query['prefix']}")
        time.sleep(LATENCY)
        if not key:
            return self.give(listed(self.keys, query["prefix"], query.get("continuation-token", "")))
        if key == aws.TABLES:
            return self.give(self.zipped)
        if self.keys[bisect_left(self.keys, key) % len(self.keys)] != key:
            return self.give(b"", 404)
        end, md5 = end_and_md5(key)
        same = self.headers.get("If-Range") == f'"{md5}"'
        start = int(self.headers["Range"].strip("bytes=-")) if same else 0
        about = {"ETag": f'"{md5}"'} | ({"Content-Range": f"bytes {start}-{SIZE - 1}/{SIZE}"} if start else {})
        return self.give((_common() + end)[start:], 206 if start else 200, about)

    def give(self, body: bytes, status: int = 200, about: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(about or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(body), CHUNK):
            part = body[start : start + CHUNK]
            if about:  # of a file: it waits until the link has carried what others gave before
                with self.link:
                    mine = Bucket.free = max(Bucket.free, time.monotonic() - 0.05) + len(part) / RATE
                time.sleep(max(mine - time.monotonic(), 0))
            self.wfile.write(part)

    def handle(self) -> None:
        with suppress(OSError):  # of a program that was killed
            super().handle()

    def log_message(self, *_) -> None:
        pass


if __name__ == "__main__":
    Bucket.keys = sorted(key_of(i, name) for i in range(SESSIONS) for name in NAMES[:FILES])
    Bucket.zipped = tables()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
