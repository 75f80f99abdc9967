"""The exercises of lesson 00, start here."""

import numpy as np
import pandas as pd

from ...analysis import trials
from ...recordings.session import Session
from ..exercise import Exercise, Mistake


def example_trial(session: Session) -> pd.Series:
    """The trial that the lesson looks at: the first with a full-contrast stimulus on the right, soon answered right."""
    table = session.trials
    soon = table["response_times"] - table["stimOn_times"] < 1
    return table[soon & (table["contrastRight"] == 1) & (table["feedbackType"] == 1)].iloc[0]


def stimulus_to_feedback(session: Session) -> float:
    """00.1: milliseconds from the stimulus to the feedback of the example trial."""
    trial = example_trial(session)
    return 1000 * (trial["feedback_times"] - trial["stimOn_times"])


def right_minus_left(session: Session) -> float:
    """00.2: how much more often the mouse reported right at +100 % contrast than at −100 %."""
    right, left = trials.psychometric(session.trials)["p_right"].reindex([100, -100])  # NaN where there are none
    return right - left


def _choice_1_is_right(session: Session) -> float:
    contrast, choice = trials.signed_contrast(session.trials), session.trials["choice"].to_numpy()
    return np.mean(choice[contrast == 100] == 1) - np.mean(choice[contrast == -100] == 1)


def _since_trial_start(session: Session) -> float:
    trial = example_trial(session)
    return 1000 * (trial["feedback_times"] - trial["intervals_0"])


def _to_first_movement(session: Session) -> float:
    trial = example_trial(session)
    return 1000 * (trial["firstMovement_times"] - trial["stimOn_times"])


EXERCISES = {
    "00.1": Exercise(
        ask="Time from the stimulus to the feedback in `trial`, in ms.",
        solve=stimulus_to_feedback,
        code="1000 * (trial['feedback_times'] - trial['stimOn_times'])",
        hint="Each event has a column that ends in _times. Subtract two of them in `trial`, and mind the unit.",
        mistakes=(
            Mistake(
                lambda session: stimulus_to_feedback(session) / 1000,
                "That is in seconds, the unit of every time in the release; the question asks for milliseconds.",
                "Times are stored in milliseconds.",
            ),
            Mistake(
                lambda session: -stimulus_to_feedback(session),
                "You subtracted the wrong way round: later minus earlier is positive.",
            ),
            Mistake(
                _since_trial_start,
                "You counted from the start of the trial (intervals_0). The stimulus comes later, once the wheel has "
                "been still for the quiescent period.",
                "A trial starts with its stimulus.",
            ),
            Mistake(
                _to_first_movement,
                "That is when the wheel began to move (firstMovement_times); feedback comes when the mouse has turned "
                "it far enough.",
            ),
        ),
        tolerance=0.5,
    ),
    "00.2": Exercise(
        ask="P(right) at +100 % contrast minus P(right) at −100 %, as a fraction.",
        solve=right_minus_left,
        code="curve.loc[100, 'p_right'] - curve.loc[-100, 'p_right']",
        hint="The table `curve` has one row for each signed contrast. Which two rows, and which column?",
        mistakes=(
            Mistake(
                _choice_1_is_right,
                "The sign is turned round. In these data choice is −1 for a right report and +1 for a left one; and it "
                "is the left side (−100) that is subtracted.",
                "A choice of +1 is a report of right.",
            ),
            Mistake(
                lambda session: 100 * right_minus_left(session),
                "That is percent; the question asks for a fraction, between −1 and 1.",
            ),
        ),
        tolerance=0.011,  # so that two values read off the rounded table are good enough
    ),
}
