"""Fetching against IBL's own code: 200 files of 1 MB from an S3 server on this computer, each into an empty folder.

Ours verifies every file by its md5; theirs does not.
"""

import hashlib
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers import servers
from one.remote import aws as theirs

from bwm_tutorials.recordings.remote import aws, download

N_FILES, SIZE, ROUNDS = 200, 1_000_000, 3


def main() -> None:
    """Measure and print."""
    logging.disable()
    body = np.random.default_rng(0).bytes(SIZE)
    keys = [f"data/lab/Subjects/mouse/2020-01-01/001/alf/file.number{i}.npy" for i in range(N_FILES)]
    with servers.s3_server() as url, tempfile.TemporaryDirectory() as folder:
        os.environ["AWS_ENDPOINT_URL_S3"] = url
        for key in keys:
            servers.put(url, key, body)
        bucket, md5 = aws.Bucket(), hashlib.md5(body).hexdigest()
        s3, name_of_bucket = theirs.get_s3_public()

        def our_fetch(root: Path) -> None:
            download.fetch([download.File((bucket.address(key),), root / key, SIZE, md5) for key in keys], root)

        def their_fetch(root: Path) -> None:
            for key in keys:
                theirs.s3_download_file(key, root / key, s3=s3, bucket_name=name_of_bucket)

        seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
        for i in range(ROUNDS):
            for name, fetch in (("ours", our_fetch), ("theirs", their_fetch)):
                root = Path(folder, f"{name}{i}")
                start = time.perf_counter()
                fetch(root)
                seconds[name].append(time.perf_counter() - start)
                assert sum(f.stat().st_size for f in root.rglob("*.npy")) == N_FILES * SIZE
    ours, others = (min(seconds[name]) for name in ("ours", "theirs"))
    what = f"{N_FILES} files of {SIZE / 1e6:.0f} MB"
    print(f"{what:38} ours {ours:7.3f} s   one.remote.aws {others:7.3f} s   ratio {ours / others:5.2f}   wanted <= 1")


if __name__ == "__main__":
    main()
