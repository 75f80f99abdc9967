"""Lessons on sessions with next to nothing in them: each says what is lacking, and runs to its end."""

import pytest
from helpers import degenerate
from helpers.repository import SOURCES

from bwm_tutorials.course.exercise import exercises_of
from bwm_tutorials.paths import ROOT

LESSONS = [source for source in SOURCES if source.name[:2] >= "06"]


@pytest.fixture(scope="module", params=degenerate.SESSIONS)
def lacking(request, small_sample, tmp_path_factory):
    (whole,) = small_sample.glob("*/Subjects/SIM-001/*/001")
    leave_out, change = degenerate.SESSIONS[request.param]
    return degenerate.make(tmp_path_factory.mktemp("lacking") / "one", whole, leave_out, change)


@pytest.mark.parametrize("source", LESSONS, ids=lambda source: source.stem)
def test_a_lesson_says_what_a_session_lacks_and_goes_on(source, lacking, play):
    text = play(source, SOURCE=str(lacking))
    assert text.count("REAL: recorded from a mouse") == 1, "its last cell"
    for key in exercises_of(source.name[:2]):
        assert f"□ {key} not attempted" in text or f"– {key} not applicable here. " in text
    assert "nan" not in text.split(), "a number that is not known is not told as one"


def test_a_report_says_what_a_session_lacks_and_goes_on(lacking, play, request):
    if "no probe" in request.node.name:
        pytest.skip("a report is of a probe")
    assert play(ROOT / "notebooks" / "report.py", SOURCE=str(lacking)).count("REAL: recorded from a mouse") == 1
