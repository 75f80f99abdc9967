"""What the tests share: the sample, a smaller one of another seed, and real recordings."""

import os
from pathlib import Path

import matplotlib
import pytest
from hypothesis import settings

matplotlib.use("Agg")
os.environ.pop("BWM_SOURCE", None)

import recordings

import bwm_tutorials as bwm
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
    """A ONE folder with another mouse: seed 2, 12 minutes, 20 units a probe."""
    return sample_module.build(tmp_path_factory.mktemp("small") / "sample", seed=2, minutes=12, clusters=20)


@pytest.fixture(scope="session")
def small_release(tmp_path_factory):
    """The small release, its sessions shortened to 6 minutes and 12 units a probe."""
    folder = tmp_path_factory.mktemp("release") / "release"
    return bwm.connect(sample_module.build(folder, name="release", minutes=6, clusters=12))


def of_subject(one, subject: str, day: str = "") -> bwm.Session:
    """The session of a mouse (on a day, as 2001-01-08) in a source."""
    (eid,) = (eid for eid in one.search(subject=subject) if str(one.get_details(eid)["date"]).startswith(day))
    return bwm.Session(eid, one)


@pytest.fixture(scope="session")
def plain(small_release) -> bwm.Session:
    """A session of one probe and the left camera, without a passive protocol."""
    return of_subject(small_release, "SIM-002", "2001-01-15")


@pytest.fixture(scope="session")
def real():
    return bwm.Session(one=bwm.connect("real"))


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """Real recordings (``one``) and tables (``calibration``) that are not in the repository."""
    folder = recordings.real_folder()
    if not folder.is_dir():
        pytest.skip(f"no real recordings in {folder} (set BWM_REAL_DATA)")
    return folder


@pytest.fixture(scope="session")
def real_data(real_folder) -> Path:
    """A folder with ONE tables of real recordings."""
    return real_folder / "one"
