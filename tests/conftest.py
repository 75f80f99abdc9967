"""What the tests share: the sample, a smaller one of another seed, and real recordings."""

import os
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
import servers
from hypothesis import settings

matplotlib.use("Agg")
os.environ.pop("BWM_SOURCE", None)

import bwm_tutorials as bwm
from bwm_tutorials import download, environment
from bwm_tutorials.simulate import sample as sample_module

# A busy computer is no fault of the code; and what a server finds must be found again by whoever looks into it.
settings.register_profile("here", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("here")

NYU_11 = "56956777-dca5-468c-87cb-78150432cc57"


@pytest.fixture(scope="session")
def sample():
    return bwm.connect("sample")


@pytest.fixture(scope="session")
def session(sample):
    return bwm.Session(one=sample)


@pytest.fixture(scope="session")
def probe(session):
    return session.insertions[0]


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory) -> Path:
    """A ONE folder with another mouse: seed 2, 12 minutes, 20 units."""
    return sample_module.build(tmp_path_factory.mktemp("small") / "sample", seed=2, minutes=12, clusters=20)


@pytest.fixture(scope="session")
def real():
    return bwm.Session(one=bwm.connect("real"))


@pytest.fixture(scope="session")
def bucket(sample) -> Iterator[str]:
    """The address of an S3 server that has the sample as the bucket has the release."""
    with servers.s3_server() as url:
        servers.upload(url, Path(sample.cache_dir))
        yield url


@pytest.fixture
def away(tmp_path, monkeypatch) -> Path:
    """A data folder and a home of one's own, and no account in the environment."""
    for name in ("ALYX_URL", "ALYX_LOGIN", "ALYX_PWD", "ALYX_TOKEN", "HTTP_DATA_SERVER", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("BWM_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(download, "PAUSE", 0.01)
    return tmp_path / "data"


@pytest.fixture
def aws_door(sample, bucket, away, monkeypatch) -> Iterator[servers.Door]:
    """The bucket, behind a server that may fail."""
    monkeypatch.setenv("BWM_ROSTER", str(servers.write_roster(sample.cache_dir, away.with_name("roster.csv"))))
    with servers.in_front_of(bucket) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", web.url)
        yield servers.Door("aws", web, away / "aws", Path(sample.cache_dir))


@pytest.fixture
def openalyx_door(sample, away, monkeypatch) -> Iterator[servers.Door]:
    """The database, with an account in the environment."""
    with servers.Alyx(Path(sample.cache_dir)) as alyx:
        monkeypatch.setenv("ALYX_URL", alyx.url)
        monkeypatch.setenv("HTTP_DATA_SERVER", f"{alyx.url}/public")
        monkeypatch.setenv("ALYX_LOGIN", servers.MINE["username"])
        monkeypatch.setenv("ALYX_PWD", servers.MINE["password"])
        root = away / f"openalyx-{alyx.url.removeprefix('http://').replace(':', '_')}"
        yield servers.Door("openalyx", alyx, root, Path(sample.cache_dir))


@pytest.fixture(params=["aws", "openalyx"])
def door(request) -> servers.Door:
    """Either door to the same recordings."""
    return request.getfixturevalue(f"{request.param}_door")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real recordings that are not in the repository: a ONE folder named by BWM_REAL_DATA."""
    folder = Path(os.environ.get("BWM_REAL_DATA", environment.ROOT.parent / "shared" / "real" / "one"))
    if not (folder / "sessions.pqt").exists():
        pytest.skip(f"no real recordings in {folder} (set BWM_REAL_DATA)")
    return folder
