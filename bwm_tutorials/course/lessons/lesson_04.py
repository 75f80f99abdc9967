"""The exercises of lesson 04, wheel and reaction times."""

from functools import cache

import numpy as np
import pandas as pd

from ...analysis import trials, wheel
from ...recordings.session import Session
from ...recordings.sources import connect
from ..exercise import Exercise, Mistake

EARLY = trials.EARLIEST
CHANGE = 0.05  # rad against the choice
DAY = "2024-01-01"
POSITION = "_ibl_wheel.position.npy"


def fraction_moving(session: Session) -> float:
    """04.1: fraction of the time in which the wheel moves."""
    return np.diff(_intervals(session)).sum() / np.ptp(session.wheel.timestamps)


def median_movement_latency(session: Session) -> float:
    """04.2: median milliseconds from the stimulus to the first movement."""
    return 1000 * _seconds(session).median()


def early_towards_the_stimulus(session: Session) -> float:
    """04.3: fraction of early first movements that have turned towards the stimulus 80 ms after it."""
    table = session.trials
    return _towards(session, table["stimOn_times"] + EARLY)[_seconds(session) < EARLY].mean()


def changes_of_mind(session: Session) -> float:
    """04.4: fraction of trials with a choice, whose first movement is not early, with a change of mind."""
    against = _against(session)[_seconds(session) >= EARLY]
    return pd.Series(against[~np.isnan(against)] >= CHANGE).mean()


def flipped(session: Session) -> str:
    """04.5: the mouse of the small release whose wheel was flipped, whichever session the lesson runs on."""
    turns = _turns()
    return max(turns, key=lambda name: turns[name]["turned"].corr(turns[name]["choice"])).split()[0]


def _seconds(session: Session) -> pd.Series:
    """From the stimulus to the first movement."""
    return session.trials["firstMovement_times"] - session.trials["stimOn_times"]


def _intervals(session: Session) -> np.ndarray:
    intervals, _ = wheel.movements(*wheel.interpolate(session.wheel.timestamps, session.wheel.position))
    return intervals


def _towards(session: Session, until: pd.Series) -> pd.Series:
    """Whether the wheel has turned towards the stimulus from the first movement until a time, in each trial."""
    table, edges = session.trials, session.wheel
    turned = wheel.displacement(edges.timestamps, edges.position, table["firstMovement_times"], until)
    return pd.Series(np.sign(turned) == trials.stimulus_side(table))


def _against(session: Session) -> np.ndarray:
    table, edges = session.trials, session.wheel
    start, stop = table["firstMovement_times"], table["response_times"]
    return wheel.turn_against(edges.timestamps, edges.position, start, stop, trials.chosen_side(table))


@cache
def _turns() -> dict[str, pd.DataFrame]:
    """Choice and turn of the wheel in each session of the small release, as the files were on `DAY`."""
    one, turns = connect("sample-release"), {}
    for eid in one.search():
        session = Session(eid, one)
        table, position = session.trials, one.load_dataset(eid, POSITION, collection="alf", revision=DAY)
        times = session.wheel.timestamps
        turned = wheel.displacement(times, position, table["stimOn_times"], table["response_times"])
        turns[session.name] = pd.DataFrame({"choice": table["choice"], "turned": turned})
    return turns


def _fraction_of_edges(session: Session) -> float:
    return np.mean(np.searchsorted(_intervals(session).ravel(), session.wheel.timestamps, side="right") % 2)


def _prefers_a_side(session: Session) -> str:
    turns = _turns()
    return max(turns, key=lambda name: abs(turns[name]["turned"].mean())).split()[0]


EXERCISES = {
    "04.1": Exercise(
        ask="Fraction of the time between the first and the last edge in which the wheel moves.",
        solve=fraction_moving,
        code="np.diff(intervals).sum() / np.ptp(wheel.timestamps)",
        hint="Add up how long the movements last, and divide by the time from the first edge to the last.",
        mistakes=(
            Mistake(
                _fraction_of_edges,
                "That is the fraction of edges that lie in movements. Edges come when the wheel turns, so they are no "
                "measure of time: add up durations.",
                "Every sample of the wheel stands for the same time.",
            ),
            Mistake(
                lambda session: np.diff(_intervals(session)).sum(),
                "That is in seconds. What fraction of the time is it?",
            ),
            Mistake(
                lambda session: 100 * fraction_moving(session),
                "That is percent; the question asks for a fraction.",
            ),
        ),
        tolerance=0.004,
    ),
    "04.2": Exercise(
        ask="Median latency from the stimulus to the first movement, in ms.",
        solve=median_movement_latency,
        code="1000 * latencies['stimulus to movement'].median()",
        hint="Which column of `latencies` does the Brain Wide Map use? Take its median, and mind the unit.",
        mistakes=(
            Mistake(
                lambda session: 1000 * np.nanmedian(trials.response_latency(session.trials)),
                "That goes to the response, when the wheel had passed the threshold. The Brain Wide Map's ends when "
                "the wheel begins to move.",
                "A reaction time ends with the response.",
            ),
            Mistake(
                lambda session: median_movement_latency(session) / 1000,
                "That is in seconds; the question asks for milliseconds.",
            ),
            Mistake(
                lambda session: 1000 * _seconds(session).mean(),
                "That is the mean, which a few very slow trials pull up. Take the median.",
            ),
            Mistake(
                lambda session: 1000 * trials.latencies(session.trials)["go cue to movement"].median(),
                "That is counted from the go cue, as brainbox does it; and trials without a time of the cue drop out.",
            ),
        ),
        tolerance=0.6,
    ),
    "04.3": Exercise(
        ask="Fraction of the early first movements that go towards the stimulus.",
        solve=early_towards_the_stimulus,
        code="(np.sign(bwm.wheel.displacement(wheel.timestamps, wheel.position, trials['firstMovement_times'], "
        "trials['stimOn_times'] + 0.08)) == bwm.trials.stimulus_side(trials))[latency < 0.08].mean()",
        hint="By the response the wheel has turned the way of the answer. `stop` is to be .08 s after the stimulus.",
        mistakes=(
            Mistake(
                lambda session: _towards(session, session.trials["response_times"])[_seconds(session) < EARLY].mean(),
                "That is what the script prints: the turn up to the response, which is the answer and comes later than "
                "the early movement.",
                "The way the wheel ends is the way it began.",
            ),
            Mistake(
                lambda session: 1 - early_towards_the_stimulus(session),
                "That is the fraction away from the stimulus. A turn of positive sign goes to the right.",
            ),
            Mistake(
                lambda session: _towards(session, session.trials["stimOn_times"])[_seconds(session) < EARLY].mean(),
                "That is the turn until the stimulus came. Take the time .08 s after it.",
            ),
            Mistake(
                lambda session: np.mean(_towards(session, session.trials["stimOn_times"] + EARLY)),
                "That is over all trials. Only those with an early movement count.",
            ),
        ),
        tolerance=0.004,
        fault="The turn is taken up to the response: it holds the answer besides the early movement.",
    ),
    "04.4": Exercise(
        ask="Fraction of the trials with a choice and a first movement at 80 ms or later, with a change of mind.",
        solve=changes_of_mind,
        code="np.mean(against[(latency >= 0.08) & ~np.isnan(against)] >= 0.05)",
        hint="Select the trials whose `latency` is .08 s or more; in how many of them is `against` .05 rad or more?",
        mistakes=(
            Mistake(
                lambda session: np.nanmean(_against(session)[~np.isnan(_against(session))] >= CHANGE),
                "You counted early movements too. What began before the stimulus could be seen was no decision.",
            ),
            Mistake(
                lambda session: np.mean(_against(session)[_seconds(session) >= EARLY] > 0),
                "You counted every turn against the choice, even of a single edge. It takes .05 rad.",
            ),
            Mistake(
                lambda session: 100 * changes_of_mind(session),
                "That is percent; the question asks for a fraction.",
            ),
        ),
        tolerance=0.002,
    ),
    "04.5": Exercise(
        ask="The mouse whose wheel was flipped, in quotes.",
        solve=flipped,
        code="max(turns, key=lambda name: turns[name]['turned'].corr(turns[name]['choice'])).split()[0]",
        hint="A choice of +1 turns the wheel to negative positions. In which session do the two go together instead? "
        "`.corr` of two columns tells. Give the mouse, without the date.",
        mistakes=(
            Mistake(
                _prefers_a_side,
                "That mouse reports one side more often. Its wheel agrees with its choices, trial by trial.",
            ),
        ),
        tolerance=0,
        fault="A preference gives a mean turn as well. In a flipped file the wheel contradicts the choices.",
    ),
}
