"""Figures with handles on next to nothing: they show what is known, or say in one sentence what is too little."""

import numpy as np
import pytest
from helpers.hand_made import record_session
from helpers.little import TRIALS

import bwm_tutorials as bwm
from bwm_tutorials.errors import DataError, MissingDataset

pytestmark = [pytest.mark.usefixtures("stamped"), pytest.mark.filterwarnings("error")]


def words_of(widget) -> list[str]:
    """What a widget says, which is never that the figure is at fault."""
    said = [child.value for child in widget.children if type(child).__name__ == "HTML" and "<img" not in child.value]
    assert not [words for words in said if "fault" in words or "nan" in words.split()], said
    return said


@pytest.fixture(scope="module")
def made(session, tmp_path_factory):
    """Opens a session of few trials, as files in a folder of its own."""
    folder = tmp_path_factory.mktemp("little")

    def made(kind: str) -> bwm.Session:
        trials = TRIALS[kind](session.trials).drop(columns=["intervals_0", "intervals_1"], errors="ignore")
        return record_session(
            folder / kind.replace("'", ""), {"alf/_ibl_trials.table.pqt": trials.reset_index(drop=True)}
        )

    return made


@pytest.mark.parametrize("kind", TRIALS)
def test_trials_are_shown_with_what_is_known(kind, made):
    little = made(kind)
    (said,) = words_of(bwm.widgets.trial_viewer(little))
    explored = words_of(bwm.widgets.session_explorer(little))
    if kind in ("none", "no times"):
        assert (
            said.startswith("No trial fits these filters") and "has no trial whose stimulus has a time" in explored[0]
        )
    else:
        assert "trials that fit" in said and "Trial" in said and "trials fit" in explored[0]
    bwm.widgets.session_views(little)


@pytest.mark.parametrize("kind", TRIALS)
def test_rates_around_few_trials(kind, session, probe):
    little = bwm.Session(session.eid, session.one)
    little.trials = TRIALS[kind](session.trials)
    (said,) = words_of(bwm.widgets.peth_explorer(little, probe))
    assert said


def without_units(probe):
    few = bwm.Insertion(probe.pid, probe.session.one)
    few.good_spikes = {name: values[:0] for name, values in probe.good_spikes.items()}
    few.clusters = probe.clusters[:0]
    return few


def test_what_has_no_units_or_no_film_or_no_flashes_is_refused(session, probe, small_release):
    few = without_units(probe)
    for browse in (
        lambda: bwm.widgets.peth_explorer(session, few),
        lambda: bwm.widgets.rf_browser(session, few),
        lambda: bwm.widgets.unit_browser(few),
    ):
        with pytest.raises(DataError, match=r"^SIM-001 .+ has no .+\.$"):
            browse()
    dark = bwm.Session(session.eid, session.one)
    dark.trials = session.trials.assign(stimOn_times=np.nan)
    with pytest.raises(DataError, match=r"^The left camera filmed no trial of SIM-001 .+\.$"):
        bwm.widgets.pose_player(dark)
    dark.passive = session.passive | {"rf_times": None, "rf_frames": None}
    with pytest.raises(MissingDataset, match="has no receptive-field mapping"):
        bwm.widgets.rf_browser(dark, probe)
