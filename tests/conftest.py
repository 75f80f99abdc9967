"""What the tests share: the sample, a smaller one of another seed, and real recordings.

Nothing heavy is imported here: a test of the wheel needs no browser and no server.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import pytest
from filelock import FileLock
from helpers.sessions import of_subject
from hypothesis import settings

import bwm_tutorials as bwm

matplotlib.use("Agg")
os.environ.pop("BWM_SOURCE", None)

# A busy computer is no fault of the code; and what a server finds must be found again by whoever looks into it.
settings.register_profile("here", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("here")


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="the weekly tests, too")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--all"):
        weekly = [item for item in items if item.get_closest_marker("weekly")]
        items[:] = [item for item in items if item not in set(weekly)]
        config.hook.pytest_deselected(items=weekly)


@pytest.fixture(scope="session")
def sample():
    return bwm.connect("sample")


@pytest.fixture(scope="session")
def session(sample):
    return bwm.Session(one=sample)


@pytest.fixture(scope="session")
def probe(session):
    return session.insertions[0]


@pytest.fixture
def stamped(session):
    """Figures of the sample, signed and closed again."""
    import matplotlib.pyplot as plt

    with plt.rc_context():
        bwm.plots.stamp(session)
        yield
    plt.close("all")


@pytest.fixture
def said(capsys):
    """What was printed since the last call, in one line."""
    return lambda: " ".join(capsys.readouterr().out.split())


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Runs a lesson in this process; gives what is shown."""
    from helpers.playing import played

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    return lambda source, **parameters: played(source, **parameters).text


@pytest.fixture(scope="session")
def built_once(tmp_path_factory) -> Callable[..., Path]:
    """Builds sessions in a folder that all workers of this run share."""
    from bwm_tutorials.simulate import sample

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared

    def build(folder: str, **how) -> Path:
        with FileLock(shared / f"{folder}.lock"):
            target = shared / folder / how.get("name", "sample")
            return target / "one" if target.exists() else sample.build(target, **how)

    return build


@pytest.fixture(scope="session")
def small_sample(built_once) -> Path:
    """A ONE folder with another mouse: seed 2, 12 minutes, 20 units a probe."""
    return built_once("small", seed=2, minutes=12, clusters=20)


@pytest.fixture(scope="session")
def small_release(built_once):
    """The small release, its sessions shortened to 6 minutes and 12 units a probe."""
    return bwm.connect(built_once("release", name="sample-release", minutes=6, clusters=12))


@pytest.fixture(scope="session")
def plain(small_release) -> bwm.Session:
    """A session of one probe, without a camera and without a passive protocol."""
    return of_subject(small_release, "SIM-002", "2001-01-15")


@pytest.fixture(scope="session")
def real():
    return bwm.Session(one=bwm.connect("real"))


@pytest.fixture(scope="session")
def served(small_release) -> bwm.Session:
    """The main session of what the servers have."""
    return bwm.Session(one=small_release)


@pytest.fixture(scope="session")
def bucket(small_release) -> Iterator[str]:
    """The address of an S3 server that has the small release as the bucket has the release."""
    from helpers import servers

    with servers.s3_server() as url:
        servers.upload(url, small_release.cache_dir)
        yield url


@pytest.fixture(scope="session")
def nowhere() -> Iterator[str]:
    """The address of a server that has nothing."""
    from helpers import servers

    with servers.Web(lambda *request: servers.Answer(404)) as web:
        yield web.url


@pytest.fixture
def away(tmp_path, monkeypatch, nowhere) -> Path:
    """A data folder and a home of one's own, and no account in the environment."""
    from bwm_tutorials.recordings.remote import patience

    for name in ("ALYX_URL", "ALYX_LOGIN", "ALYX_PWD", "ALYX_TOKEN", "HTTP_DATA_SERVER", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("BWM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BWM_FLATIRON", nowhere)
    monkeypatch.delenv("BWM_OFFLINE", raising=False)
    monkeypatch.setattr(patience, "PAUSE", 0.01)
    return tmp_path / "data"


@pytest.fixture
def aws_door(small_release, bucket, away, monkeypatch):
    """The bucket, behind a server that may fail: a `servers.Door`."""
    from helpers import servers

    monkeypatch.setenv("BWM_ROSTER", str(servers.write_roster(small_release.cache_dir, away.with_name("roster.csv"))))
    before = servers.keys(bucket)
    with servers.in_front_of(bucket) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", web.url)
        yield servers.Door("aws", web, away / "aws", small_release.cache_dir)
    servers.take_out(bucket, servers.keys(bucket) - before)


@pytest.fixture
def openalyx_door(small_release, away, monkeypatch):
    """The database, with an account in the environment: a `servers.Door`."""
    from helpers import servers

    with servers.Alyx(small_release.cache_dir) as alyx:
        monkeypatch.setenv("ALYX_URL", alyx.url)
        monkeypatch.setenv("HTTP_DATA_SERVER", f"{alyx.url}/public")
        monkeypatch.setenv("ALYX_LOGIN", servers.MINE["username"])
        monkeypatch.setenv("ALYX_PWD", servers.MINE["password"])
        root = away / f"openalyx-{alyx.url.removeprefix('http://').replace(':', '_')}"
        yield servers.Door("openalyx", alyx, root, small_release.cache_dir)


@pytest.fixture(params=["aws", "openalyx"])
def door(request):
    """Either door to the same recordings."""
    return request.getfixturevalue(f"{request.param}_door")


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """JupyterLab on an empty folder; what the lessons need is built."""
    from helpers import browser

    browser.executable()
    for source in ("sample", "sample-release"):
        bwm.connect(source)
    with browser.jupyter_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")  # longer, and its event loop would be in the way of tests that have their own
def chromium():
    from helpers import browser

    with browser.chromium() as context:
        yield context


@pytest.fixture
def page(chromium):
    """An empty page of a real browser."""
    page = chromium.new_page()
    yield page
    page.close()


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """Real recordings (``one``) and tables (``calibration``) that are not in the repository."""
    import recordings

    folder = recordings.real_folder()
    if not folder.is_dir():
        pytest.skip(f"no real recordings in {folder} (set BWM_REAL_DATA)")
    return folder


@pytest.fixture(scope="session")
def real_data(real_folder) -> Path:
    """A folder with ONE tables of real recordings."""
    return real_folder / "one"
