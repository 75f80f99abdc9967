"""Make ``data/real``: small real recordings, from the test fixtures that come with ibllib.

    python data/make_real.py [TARGET]

Needs ibllib 4.1.0 (``pip install "bwm-tutorials[test]"``). The same fixtures give the same bytes, so running it
again in a clone changes nothing. What each recording is, and what is not known of it, is said in ``data/NOTICE``.
"""

import argparse
import hashlib
import json
import pickle
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bwm_tutorials.recordings import one_tables
from bwm_tutorials.simulate import tables

TARGET = Path(__file__).with_name("real")

# The SHA-256 of each fixture: other contents would be other recordings than the ones described in NOTICE.
FIXTURES = {
    "trials_test.pickle": "4af22bf67f488ab071078c9b2801bfe703646ff29cdd2fbfb5a866deff827d22",
    "wheel_test.p": "166ba21ef8707db3cd773195d906166737a54fcbdbe2b16d4d8eaa2ae8e7e2ea",
    "ephys_test.p": "76efa446f69b9c01511e22d201a36b9b20051f00b750b1fb5011febcde409eb8",
}

# The columns that the fixture has, in the order of the release's trials table.
TRIAL_COLUMNS = [
    "response_times",
    "choice",
    "stimOn_times",
    "contrastLeft",
    "contrastRight",
    "feedbackType",
    "probabilityLeft",
]
TASK_PROTOCOLS = {"training": "_iblrig_tasks_trainingChoiceWorld", "biased": "_iblrig_tasks_biasedChoiceWorld"}
MAIN_DATE = date(2020, 9, 1)
TABLES = ["sessions.pqt", "datasets.pqt", "insertions.pqt"]
UNKNOWN_DATE = date(1900, 1, 1)
WHEEL_RADIUS = 3.1  # cm

Files = dict[str, Any]
Recording = tuple[tables.SessionRecord, Files]


def fixture(name: str) -> Any:
    """One of ibllib's fixtures, unpickled only if it is the very file that is expected."""
    package = find_spec("brainbox")  # found, not imported
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("ibllib is not installed: pip install ibllib==4.1.0")
    content = Path(package.submodule_search_locations[0], "tests", "fixtures", name).read_bytes()
    if hashlib.sha256(content).hexdigest() != FIXTURES[name]:
        raise ValueError(f"{name} is not the fixture of ibllib 4.1.0: install that version, or revise NOTICE.")
    return pickle.loads(content)


def session_record(
    lab: str, subject: str, day: date, probes: tuple[str, ...] = (), **facts: str
) -> tables.SessionRecord:
    """A session, the first of its day, with identifiers made from its name."""
    name = f"{lab}/{subject}/{day.isoformat()}/001"
    pids = {probe: one_tables.make_id(f"{name}/{probe}") for probe in probes}
    return tables.SessionRecord(one_tables.make_id(name), lab, subject, day, insertions=pids, **facts)


def trials_recordings(sessions: dict[str, dict[str, np.ndarray]]) -> Iterator[Recording]:
    """The sessions of one mouse in the order of their dates, a table of trials each."""
    for day, trials in sorted(sessions.items()):
        record = session_record(
            "mrsicflogellab",
            "SWC_054",
            date.fromisoformat(day),
            task_protocol=TASK_PROTOCOLS[str(trials["task_protocol"])],
            projects="ibl_behaviour_training",
        )
        yield record, {"alf/_ibl_trials.table.pqt": pd.DataFrame({name: trials[name] for name in TRIAL_COLUMNS})}


def wheel_recording(recordings: tuple) -> Recording:
    """The wheel trace of the rotary encoder on an FPGA and the movements found in it, from cm to radians."""
    _, ((times, position), (onsets, offsets, amplitudes, _)) = recordings
    files = {
        "alf/_ibl_wheel.timestamps.npy": times,
        "alf/_ibl_wheel.position.npy": position / WHEEL_RADIUS,
        "alf/_ibl_wheelMoves.intervals.npy": np.column_stack([onsets, offsets]),
        "alf/_ibl_wheelMoves.peakAmplitude.npy": amplitudes / WHEEL_RADIUS,
    }
    return session_record("unknownlab", "wheel_excerpt", UNKNOWN_DATE), files


def probe_recording(recording: dict[str, np.ndarray]) -> Recording:
    """The spikes of one probe; the fixture's events, one every 5 s exactly, are left out."""
    files = {
        "alf/probes.description.json": [{"label": "probe00"}],
        "alf/probe00/spikes.times.npy": recording["spike_times"],
        "alf/probe00/spikes.clusters.npy": recording["spike_clusters"],
    }
    return session_record("unknownlab", "probe_excerpt", UNKNOWN_DATE, probes=("probe00",)), files


def save(file: Path, content: Any) -> None:
    """Write one dataset in the format that its name says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".npy":
        np.save(file, content, allow_pickle=False)
    elif file.suffix == ".pqt":
        # few values repeat in a column of times: no dictionary, and gzip, make the table a fifth smaller
        content.to_parquet(file, engine="pyarrow", index=False, compression="gzip", use_dictionary=False)
    else:
        # without a line end, which a checkout on Windows would change, and the file's md5 with it
        file.write_bytes(json.dumps(content).encode())


def main(target: Path = TARGET) -> None:
    """Write every recording and the ONE tables below a folder that is empty or was made by this script."""
    recordings = [
        *trials_recordings(fixture("trials_test.pickle")),
        wheel_recording(fixture("wheel_test.p")),
        probe_recording(fixture("ephys_test.p")),
    ]
    files = {
        target / record.path / name: content for record, contents in recordings for name, content in contents.items()
    }
    others = {f for f in target.rglob("*") if f.is_file()} - {*files, *(target / table for table in TABLES)}
    if others:
        raise FileExistsError(f"{target} holds other files, such as {min(others)}: name an empty folder.")
    for file, content in files.items():
        save(file, content)
    records = [record for record, _ in recordings]
    main_eid = next(record.eid for record in records if record.date == MAIN_DATE)
    tables.write(target, records, created="2020-09-04 00:00", main=main_eid)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the small real recordings from ibllib's test fixtures.")
    parser.add_argument("target", nargs="?", type=Path, default=TARGET, help="the folder to write (data/real)")
    main(parser.parse_args().target)
