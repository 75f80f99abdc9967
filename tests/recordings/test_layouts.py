"""Recordings of one's own, laid out as other programs and other years leave them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import MOUSE, TABLE, TRIALS, probe_files, record_session, refused, write
from one.api import One

import bwm_tutorials as bwm
from bwm_tutorials.errors import CorruptData, MissingDataset

SEPARATE = {
    "alf/_ibl_trials.intervals.npy": TRIALS[["intervals_0", "intervals_1"]].to_numpy(),
    **{f"alf/_ibl_trials.{name}.npy": TRIALS[name].to_numpy() for name in TRIALS if "intervals" not in name},
}
WHEEL = {"alf/_ibl_wheel.timestamps.npy": np.arange(50.0) / 10, "alf/_ibl_wheel.position.npy": np.zeros(50)}


def moved(files: dict, to: str) -> dict:
    return {path.replace("alf/", f"{to}/", 1): content for path, content in files.items()}


@pytest.fixture
def set_up(tmp_path):
    """Make a folder of files, indexed as a user does it: by ONE itself."""

    def make(files: dict, session: Path = MOUSE.path) -> bwm.Session:
        for name, content in files.items():
            write(tmp_path / session / name, content)
        One.setup(cache_dir=tmp_path, silent=True)
        return bwm.Session(one=bwm.connect(tmp_path))

    return make


def test_trials_without_a_table_come_from_their_files(set_up):
    session = set_up(SEPARATE | {"alf/_ibl_trials.stimOff_times.npy": np.arange(6.0)})
    assert session.has("trials") and session.available.loc["trials", "present"]
    pd.testing.assert_frame_equal(session.trials[list(TRIALS)], TRIALS, check_dtype=False)
    assert session.trials["stimOff_times"].tolist() == list(range(6))
    assert len(bwm.trials.psychometric(session.trials)) == 5


def test_of_trials_without_a_table_all_that_the_release_has_are_equally_long(set_up):
    session = set_up(SEPARATE | {"alf/_ibl_trials.itiDuration.npy": np.ones(4)})
    assert "itiDuration" not in session.trials, "left out, for it has another length"
    assert session.problems["then"].to_dict() == {"alf/_ibl_trials.itiDuration.npy": "left out"}


def test_of_trials_without_a_table_none_of_the_release_is_left_out(set_up):
    session = set_up(SEPARATE | {"alf/_ibl_trials.choice.npy": np.zeros(5)})
    with refused(CorruptData, "_ibl_trials", "5", "6"):
        session.trials  # noqa: B018


@pytest.mark.parametrize("of_trials", [{TABLE: TRIALS}, SEPARATE], ids=["table", "files"])
def test_what_belongs_to_the_first_task_is_found_in_its_folder(of_trials, set_up, capsys):
    other = moved({path: content[:2] for path, content in of_trials.items()}, "alf/task_01")
    passive = moved({"alf/licks.times.npy": np.arange(3.0)}, "alf/task_01")
    session = set_up(moved(of_trials, "alf/task_00") | moved(WHEEL, "alf/task_00") | other | passive)
    assert len(session.trials) == 6 and session.wheel.position.size == 50
    assert capsys.readouterr().out.count("ZM_0001 2020-01-01 has files of several tasks") == 1
    assert session.licks.size == 3, "what only the second task has is found too"


def test_what_lies_in_the_folder_of_the_session_goes_before_that_of_a_task(set_up):
    session = set_up({TABLE: TRIALS} | moved({TABLE: TRIALS.iloc[:2]}, "alf/task_00"))
    assert len(session.trials) == 6


@pytest.mark.parametrize("folder", ["pykilosort", "iblsorter", ""])
@pytest.mark.parametrize("probe", ["probe00", "probe00a", "probe_left"])
def test_probes_are_found_by_their_folders_whatever_sorted_them(folder, probe, set_up):
    session = set_up(probe_files("/".join(filter(None, ["alf", probe, folder])), 4) | {TABLE: TRIALS})
    (insertion,) = session.insertions
    assert insertion.name == probe and insertion.spikes.times.size == 6 and len(insertion.clusters) == 3
    assert bwm.Insertion(insertion.pid, session.one).clusters["label"].tolist() == [1, 0, 1 / 3]
    assert len(session.good_units()) == 1 and session.has("spikes", probe)
    assert session.one.pid2eid(insertion.pid)[1] == probe


def test_a_probe_whose_name_the_standard_does_not_allow_is_seen(tmp_path):
    session = record_session(tmp_path, probe_files("alf/probe 00/pykilosort", 4) | {TABLE: TRIALS})
    with refused(MissingDataset, "no insertions (but alf/probe 00/pykilosort/spikes.times.npy", "it has trials"):
        session.insertions  # noqa: B018


def test_trials_without_a_table_are_in_the_words_of_the_release_too(set_up):
    session = set_up(SEPARATE | {"alf/_ibl_trials.contrastLeft.npy": TRIALS["contrastLeft"].to_numpy() * 100})
    with refused(CorruptData, "_ibl_trials.choice.npy", "contrastLeft has 6.25, 25, 100", "divide it by 100"):
        session.trials  # noqa: B018


def test_of_two_sorters_that_of_the_release_is_taken(set_up):
    newer = probe_files("alf/probe00/iblsorter", 4) | {"alf/probe00/iblsorter/spikes.times.npy": np.arange(6.0) + 1}
    session = set_up(probe_files("alf/probe00/pykilosort", 4) | newer)
    assert session.insertions[0].spikes.times[0] == 0


def test_a_stock_instance_of_one_finds_them_too(set_up, tmp_path):
    set_up(probe_files("alf/probe00/iblsorter", 4) | SEPARATE)
    session = bwm.Session(one=One(cache_dir=tmp_path))
    assert len(session.trials) == 6 and len(session.insertions[0].clusters) == 3


def test_where_nothing_is_found_the_sentence_says_where_such_a_file_is(set_up):
    session = set_up({"alf/behaviour/_ibl_trials.table.pqt": TRIALS, **WHEEL})
    with refused(MissingDataset, "no trials (but alf/behaviour/_ibl_trials.table.pqt, where", "it has wheel"):
        session.trials  # noqa: B018


def test_a_folder_that_is_not_of_a_lab_is_opened(set_up):
    session = set_up({TABLE: TRIALS}, Path("ZM_0001", "2020-01-01", "001"))
    assert len(session.trials) == 6 and not session.synthetic


def test_a_name_that_is_nearly_one_is_guessed(tmp_path):
    session = record_session(tmp_path, {TABLE: TRIALS} | probe_files("alf/probe00", 4))
    with pytest.raises(AttributeError, match=r"A Session has no 'trails'; did you mean trials\?"):
        session.trails  # noqa: B018
    assert not hasattr(session, "_repr_html_") and not hasattr(session, "xyz")
    with pytest.raises(AttributeError, match="A Session has no 'qqq'; it has available, "):
        session.qqq  # noqa: B018


def test_an_error_inside_of_an_attribute_is_not_taken_for_a_name(tmp_path):
    session = record_session(tmp_path, {TABLE: TRIALS})
    session.__dict__["details"] = None
    with pytest.raises(TypeError, match="subscriptable"):
        session.synthetic  # noqa: B018
