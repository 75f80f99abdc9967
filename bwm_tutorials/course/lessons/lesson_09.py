"""The exercises of lesson 09, the release and its history."""

from functools import cache

import pandas as pd

from ...analysis import wheel
from ...analysis.regions import NOT_REGIONS
from ...brainwide import release
from ...errors import MissingDataset
from ...recordings.session import Session
from ..exercise import Exercise, Mistake
from .lesson_02 import most_corrected

POSITION = "_ibl_wheel.position.npy"
BEFORE, PINNED = "2024-05-05", "2024-12-31"
PATCHED = "hausserlab"
MANY = 4


def grown_sessions(_: Session) -> int:
    """09.1: number of sessions that were public in 2022, and got another insertion in 2024."""
    counts = release.laboratories().sum()
    return counts["sessions_with_new_insertion"] - (counts["sessions"] - counts["sessions_2022"])


def regions_of_all_units(session: Session) -> int:
    """09.2: number of Beryl regions of all units of the ten newest sessions, good or not."""
    everything = _steps(session)["all units"]["Beryl"]
    return everything[~everything.isin(NOT_REGIONS)].nunique()


def turn_of_paper(session: Session) -> float:
    """09.3: rad of a report of left, on average, in the wheel that was public in December 2024."""
    return _turn_of_left(most_corrected(session), BEFORE)


def widespread_regions(session: Session) -> int:
    """09.4: number of regions with good units in `MANY` sessions or more."""
    grey = _steps(session)["in grey matter"]
    return (grey.groupby("Beryl")["eid"].nunique() >= MANY).sum()


def sessions_to_run_again(_: Session) -> int:
    """09.6: number of sessions of the first release whose wheel was corrected."""
    return release.laboratories().loc[PATCHED, "sessions_2022"]


@cache
def _steps(session: Session) -> dict[str, pd.DataFrame]:
    units = release.units(session.one, session.one.search()[:10])
    if units.empty:
        raise MissingDataset(f"The source of {session.name} has no sorted units.")
    return release.selection(units)


def _turn_of_left(session: Session, day: str) -> float:
    position = release.as_of(session, f"alf/{POSITION}", day)
    trials = session.trials
    turned = wheel.displacement(session.wheel.timestamps, position, trials["stimOn_times"], trials["response_times"])
    return pd.Series(turned)[trials["choice"] == 1].mean()


def _regions_in_insertions(session: Session) -> int:
    grey = _steps(session)["in grey matter"].reset_index()
    return (grey.groupby("Beryl")["pid"].nunique() >= MANY).sum()


EXERCISES = {
    "09.1": Exercise(
        ask="Number of sessions of 2022 that got another insertion in 2024.",
        solve=grown_sessions,
        code="laboratories.eval('sessions_with_new_insertion - (sessions - sessions_2022)').sum()",
        hint="How many sessions have an insertion that is new in 2024, and how many of those are new themselves?",
        mistakes=(
            Mistake(
                lambda _: 0,
                "You took the session of each new insertion for a new one. A session may have two probes, and they "
                "need not have become public together.",
                "A new insertion is a new session.",
            ),
            Mistake(
                lambda _: release.laboratories()["sessions_with_new_insertion"].sum(),
                "These are all sessions with a new insertion, the new ones too. Which of them were there before?",
            ),
            Mistake(
                lambda _: 152 - 105,
                "New insertions less new sessions: some of the new sessions have two new insertions. Count sessions "
                "alone.",
            ),
        ),
        tolerance=0,
    ),
    "09.2": Exercise(
        ask="Number of regions of Beryl, without root and void, in which there are units of any label.",
        solve=regions_of_all_units,
        code="steps['all units'].query(\"Beryl not in ['root', 'void']\")['Beryl'].nunique()",
        hint="Take the first step of the selection, leave two names out, and count different ones in its column Beryl.",
        mistakes=(
            Mistake(
                lambda session: _steps(session)["all units"]["Beryl"].nunique(),
                "Root and void are among these: they say that a unit is in no region.",
            ),
            Mistake(
                lambda session: _steps(session)["all units"]["acronym"].nunique(),
                "These are the acronyms of the Allen atlas, in which each layer of cortex counts apart. Take Beryl.",
            ),
            Mistake(lambda _: 281, "That is published of the release, root and void among them. Count here."),
            Mistake(lambda _: 279, "That is published of the release. Count here, in the first of `steps`."),
        ),
        tolerance=0,
    ),
    "09.3": Exercise(
        ask="Mean turn of a report of left in the wheel that was public in December 2024, in rad, with its sign.",
        solve=turn_of_paper,
        code="pd.Series(bwm.wheel.displacement(wheel.timestamps, one.load_dataset(corrected.eid, "
        f"'{POSITION}', 'alf', revision='{BEFORE}'), trials['stimOn_times'], trials['response_times']))"
        "[trials['choice'] == 1].mean()",
        hint="Compare the name of the wheel's revision with the date of its entry in the changelog. Which file was "
        "there before the entry?",
        mistakes=(
            Mistake(
                lambda session: _turn_of_left(most_corrected(session), PINNED),
                "That is what the script prints: the file of the revision 2024-05-06. The changelog has its entry in "
                "2025-Q1, so the paper had the file before it: pin a day before the name of the revision.",
            ),
        ),
        tolerance=0.006,
        fault="The revision is called 2024-05-06, and became public in 2025: a name is not the day of publication.",
    ),
    "09.4": Exercise(
        ask=f"Number of regions that have good units in {MANY} sessions or more.",
        solve=widespread_regions,
        code=f"(steps['in grey matter'].groupby('Beryl')['eid'].nunique() >= {MANY}).sum()",
        hint="What does the script count for each region? Look at the names of its columns.",
        mistakes=(
            Mistake(
                _regions_in_insertions,
                "That is what the script prints: it counts insertions. Both probes of a session may go through one "
                "region, and one session is one mouse on one day.",
            ),
        ),
        tolerance=0,
        fault="It counts insertions, of which a session may have two in one region.",
    ),
    "09.5": Exercise(
        ask='One of "a", "b", "c".',
        solve=lambda _: "b",
        code='"b"',
        hint="Look up both rows in `numbers`: what does each count, in what, and what does it say of the difference?",
        mistakes=(
            Mistake(
                lambda _: "a",
                "Either may be right for the table it was counted in; nothing that is published shows a mistake.",
                "If two numbers differ, one is a mistake.",
            ),
            Mistake(lambda _: "c", "Without root and void far fewer are left: see the row of grey matter."),
        ),
        tolerance=0,
    ),
    "09.6": Exercise(
        ask="Number of sessions of the first release that have to be run again.",
        solve=sessions_to_run_again,
        code=f"laboratories.loc['{PATCHED}', 'sessions_2022']",
        hint="Which sessions does the entry name? The row of `numbers` for them says what they have in common. How "
        "many of these were there in 2022?",
        mistakes=(
            Mistake(
                lambda _: release.laboratories()["sessions_2022"].sum(),
                "That is all of the first release. A correction touches the files that it names; what did not use them "
                "stays as it is.",
                "After a correction everything has to be run again.",
            ),
            Mistake(
                lambda _: release.laboratories().loc[PATCHED, "sessions"],
                "These are the corrected sessions of the whole release. Most of them came in 2024: which did you use?",
            ),
        ),
        tolerance=0,
    ),
}
