"""Sessions written by hand, and what is done to their files and tables."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from iblutil.io import parquet

import bwm_tutorials as bwm
from bwm_tutorials.errors import DataError
from bwm_tutorials.recordings import one_tables
from bwm_tutorials.simulate import tables


def write(file: Path, content) -> None:
    """Write an array, a table, json or bytes as the name of the file asks for."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif file.suffix == ".npy":
        np.save(file, content)
    elif file.suffix == ".pqt":
        content.to_parquet(file, index=False)
    elif file.suffix == ".csv":
        content.to_csv(file)
    else:
        file.write_text(json.dumps(content), encoding="utf-8")


rng = np.random.default_rng(0)


N_FRAMES = {"left": 120, "right": 300, "body": 60}


N_EARLY = {"left": 3, "right": 0, "body": 0}  # times before the video starts


def points(n_frames: int, names: list[str], attributes: list[str]) -> pd.DataFrame:
    return pd.DataFrame({f"{name}_{attribute}": rng.random(n_frames) for name in names for attribute in attributes})


MOUSE = tables.SessionRecord(
    eid=one_tables.make_id("ZM_0001/2020-01-01/001"),
    lab="somelab",
    subject="ZM_0001",
    date=date(2020, 1, 1),
    task_protocol="_iblrig_tasks_ephysChoiceWorld",
    projects="some_project",
)


TRIALS = pd.DataFrame(
    {
        "intervals_0": np.arange(6.0) * 5,
        "intervals_1": np.arange(6.0) * 5 + 4,
        "stimOn_times": np.arange(6.0) * 5 + 0.5,
        "choice": [1.0, -1, 0, 1, -1, 1],
        "contrastLeft": [1.0, np.nan, 0.25, 0, np.nan, 0.0625],
        "contrastRight": [np.nan, 1.0, np.nan, np.nan, 0.125, np.nan],
        "feedbackType": [1.0, 1, -1, 1, 1, -1],
        "probabilityLeft": [0.5, 0.5, 0.8, 0.8, 0.2, 0.2],
    }
)


TABLE = "alf/_ibl_trials.table.pqt"


@contextmanager
def refused(kind: type[DataError], *words: str) -> Iterator[None]:
    """Expect an error of this kind: one line, one sentence, with these words in it."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert type(caught.value) is kind
    assert "\n" not in message and message.endswith(".") and ". " not in message.replace("...", ""), message
    assert not [word for word in words if str(word) not in message], message


def record_session(root: Path, files: dict, record: tables.SessionRecord = MOUSE) -> bwm.Session:
    """Make a folder with one recording by hand, and open it."""
    for name, content in files.items():
        write(root / record.path / name, content)
    tables.write(root, [record], created="2020-01-01 12:00", main=record.eid)
    return bwm.Session(one=bwm.connect(root))


def edit(root: Path, table: str, change) -> Path:
    """Change one of a folder's tables."""
    content, metadata = parquet.load(root / f"{table}.pqt")
    parquet.save(root / f"{table}.pqt", change(content), metadata)
    return root


def link(name: Path, to: Path) -> None:
    """Make a link, where the system lets a user do so."""
    try:
        name.symlink_to(to, target_is_directory=to.is_dir())
    except OSError:
        pytest.skip("this computer does not let a test make links")


def video_files() -> dict:
    dlc, ensemble = ["x", "y", "likelihood"], ["x", "y", "likelihood", "x_ens_median", "x_ens_var", "x_posterior_var"]
    smooth = 20 + np.sin(np.arange(120) / 9)
    return {
        **{f"alf/_ibl_{c}Camera.times.npy": np.arange(n + N_EARLY[c]) / 60 for c, n in N_FRAMES.items()},
        **{f"alf/{c}Camera.ROIMotionEnergy.npy": rng.random(n) for c, n in N_FRAMES.items()},
        "alf/_ibl_leftCamera.lightningPose.pqt": points(120, ["nose_tip", "paw_l", "paw_r"], ensemble),
        "alf/_ibl_rightCamera.dlc.pqt": points(300, ["nose_tip", "paw_l", "paw_r"], dlc),
        "alf/_ibl_bodyCamera.dlc.pqt": points(60, ["tail_start"], dlc),
        "alf/_ibl_bodyCamera.lightningPose.pqt": points(60, ["tail_start"], dlc),
        "alf/_ibl_leftCamera.features.pqt": pd.DataFrame(
            {"pupilDiameter_raw": smooth + rng.normal(0, 0.02, 120), "pupilDiameter_smooth": smooth}
        ),
    }


def passive_files() -> dict:
    parts = ["passiveProtocol", "spontaneousActivity", "RFM", "taskReplay"]
    starts = {"start": [10.0, 10, 20, 30], "stop": [40.0, 20, 30, 40]}
    replay = ["valveOn", "valveOff", "toneOn", "toneOff", "noiseOn", "noiseOff"]
    return {
        "alf/_ibl_passivePeriods.intervalsTable.csv": pd.DataFrame(starts, index=parts).T,
        "alf/_ibl_passiveRFM.times.npy": np.arange(20) / 60,
        "alf/_ibl_passiveGabor.table.csv": pd.DataFrame({"start": [1.0], "stop": [2.0], "position": [35]}),
        "alf/#2025-12-04#/_ibl_passiveGabor.table.csv": pd.DataFrame(
            {"start": [3.0], "stop": [4.0], "position": [-35]}
        ),
        "alf/_ibl_passiveStims.table.csv": pd.DataFrame(rng.random((4, 6)), columns=replay),
        "raw_passive_data/_iblrig_RFMapStim.raw.bin": rng.choice([0, 128, 255], 20 * 225).astype(np.uint8).tobytes(),
    }


def probe_files(collection: str, n_channels: int) -> dict:
    columns = {"label": [1.0, 0, 1 / 3], "cluster_id": [0, 1, 2]}
    return {
        f"{collection}/spikes.times.npy": np.arange(6.0),
        f"{collection}/spikes.clusters.npy": np.array([0, 1, 2, 0, 1, 2], np.uint32),
        f"{collection}/clusters.metrics.pqt": pd.DataFrame(columns),
        f"{collection}/clusters.channels.npy": np.array([0, 1, 3]),
        f"{collection}/clusters.depths.npy": np.array([20.0, np.nan, 60]),
        f"{collection}/channels.localCoordinates.npy": np.c_[np.full(n_channels, 11), 20 * np.arange(n_channels)],
        f"{collection}/channels.rawInd.npy": np.arange(n_channels) * 2,
        f"{collection}/channels.labels.npy": np.arange(n_channels) % 4,
        f"{collection}/channels.mlapdv.npy": np.ones((n_channels, 3)),
        f"{collection}/channels.brainLocationIds_ccf_2017.npy": np.full(n_channels, 672),
    }


def sites(n_sites: int) -> dict:
    return {
        "alf/probe00/electrodeSites.localCoordinates.npy": np.c_[np.full(n_sites, 43), 10 * np.arange(n_sites)],
        "alf/probe00/electrodeSites.mlapdv.npy": np.full((n_sites, 3), 2000),
        "alf/probe00/electrodeSites.brainLocationIds_ccf_2017.npy": np.full(n_sites, 385),
    }


def record_probe(root: Path, files: dict) -> bwm.Insertion:
    pid = one_tables.make_id("ZM_0001/probe00")
    record = tables.SessionRecord(MOUSE.eid, MOUSE.lab, MOUSE.subject, MOUSE.date, insertions={"probe00": pid})
    return record_session(root, files, record).insertions[0]


def linked_folder(root: Path, folder: Path, leave_out: tuple[str, ...] = ()) -> Path:
    """A ONE folder with tables of its own and the recordings of another, but for what is left out."""
    folder.mkdir(parents=True)
    for there in sorted(root.iterdir()):
        if there.name in leave_out:
            continue
        if there.is_dir():
            link(folder / there.name, there)
        else:
            (folder / there.name).write_bytes(there.read_bytes())
    return folder
