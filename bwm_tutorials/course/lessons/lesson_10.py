"""The exercises of lesson 10, your question: about the question that the lesson comes with."""

from typing import Any

import pandas as pd

from ...analysis.questions import N_NULL, Variable, kept_events, variable
from ...analysis.responses import selectivity
from ...analysis.spikes import around, counts_in_intervals
from ...recordings.session import Session
from ..exercise import Exercise, Mistake

EVENT, WINDOW = "firstMovement_times", (-0.1, 0.05)  # s from it
WINDOWS = ((-0.4, -0.3), (-0.3, -0.2), (-0.2, -0.1), (-0.1, 0.0), (0.0, 0.1), (0.1, 0.2))  # those of the hunt


def flagged_in_nothing(session: Session) -> int:
    """10.1: number of the null session's units with p below .05, not corrected."""
    return _below(_analysis(session.null)["p"])


def flagged_in_six_windows(session: Session) -> int:
    """10.2: number of the null session's units whose smallest p of six windows, corrected for six, is below .05."""
    return _below(6 * _smallest(session.null))


def _analysis(session: Session) -> pd.DataFrame:
    return _test(session, WINDOW, *_asked(session))


def _naive(session: Session) -> pd.DataFrame:
    return _test(session, WINDOW, _asked(session).values, None, N_NULL)


def _smallest(session: Session, column: str = "p") -> pd.Series:
    asked = _asked(session)
    return pd.concat([_test(session, window, *asked)[column] for window in WINDOWS], axis=1).min(axis=1)


def _asked(session: Session) -> Variable:
    return variable(session.trials, "choice")


def _test(session: Session, window: tuple[float, float], *asked: Any) -> pd.DataFrame:
    units = session.good_units()
    intervals = around(kept_events(session.trials, EVENT), window)
    counts = {
        probe.name: counts_in_intervals(probe.good_spikes, intervals, units.loc[probe.name].index)
        for probe in session.insertions
        if probe.name in units.index
    }
    return selectivity(pd.concat(counts, names=["probe"]), *asked)


def _below(p: pd.Series) -> int:
    return int((p < 0.05).sum())


EXERCISES = {
    "10.1": Exercise(
        ask="Number of units of the null session with p below .05, not corrected.",
        solve=flagged_in_nothing,
        code="(nothing['p'] < 0.05).sum()",
        hint="nothing is the table of the null session; count the rows whose column p is below .05.",
        mistakes=(
            Mistake(
                lambda session: 0,
                "One in twenty tests of nothing has p below .05, on average: that is what p means. It is p_adjusted, "
                "corrected for the number of units, that often leaves none.",
                "Where there is nothing, no p lies below .05.",
            ),
            Mistake(
                lambda session: round(0.05 * len(_analysis(session.null))),
                "That is what chance gives on average; count how many there are in this session.",
            ),
            Mistake(
                lambda session: round((_analysis(session.null)["p"] < 0.05).mean(), 2),
                "That is their fraction; the question asks for their number.",
            ),
            Mistake(
                lambda session: _below(_naive(session.null)["p"]),
                "That is the naive test, which takes all trials together; analysis compares those that are alike.",
            ),
            Mistake(
                lambda session: _below(_analysis(session)["p"]),
                "Those are the units of the session that knows the task; take its null twin.",
            ),
        ),
        tolerance=0,
    ),
    "10.2": Exercise(
        ask="Number of units of the null session that the script flags when it is mended.",
        solve=flagged_in_six_windows,
        code="(6 * best < 0.05).sum()",
        hint="best has the smallest p of each unit. Whoever has six chances has to be six times as convincing: "
        "multiply it by six (Bonferroni).",
        mistakes=(
            Mistake(
                lambda session: _below(_smallest(session.null)),
                "That is what the script prints: of six windows the one that shows most, as if it were the only one.",
                "The window that shows most is the one to report.",
            ),
            Mistake(
                lambda session: _below(_smallest(session.null) / 6),
                "You divided p by six, which makes it smaller still: more chances need larger p.",
            ),
            Mistake(
                lambda session: _below(_smallest(session.null, "p_adjusted")),
                "p_adjusted is corrected for the number of units; mend the windows, and leave p as it is otherwise.",
            ),
        ),
        tolerance=0,
        fault="The best of six windows is tested as if it were the only one: each unit has six chances.",
    ),
    "10.3": Exercise(
        ask="The letter of the sentence that may stand in the abstract, in quotes.",
        solve=lambda session: "c",
        code='"c"',
        hint="Ask of each sentence: which session, which trials, what else could it be, and what was never tested?",
        mistakes=(
            Mistake(
                lambda session: "a",
                "In a null session the naive test may find no more than chance, too, and here it is wrong. A null "
                "session shows what drifts and is slow; it has nothing that goes along with the choice.",
                "A test that finds no more than chance in a null session is right.",
            ),
            Mistake(
                lambda session: "b",
                "One session is one mouse, good units are not all neurons, and what is not significant may be weak.",
            ),
        ),
        tolerance=0,
    ),
}
