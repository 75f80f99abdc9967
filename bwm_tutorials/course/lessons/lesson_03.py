"""The exercises of lesson 03, the decision task."""

import numpy as np
import pandas as pd

from ...analysis.blocks import both_biased
from ...analysis.priors import bayes_optimal_p_left
from ...analysis.trials import (
    EARLIEST,
    LATEST,
    movement_latency,
    outcomes,
    response_latency,
    signed_contrast,
    stimulus_side,
)
from ...recordings.session import Session
from ..exercise import Exercise, Mistake

RATE = 0.2  # of the running estimate in the hunt


def stimuli_on_the_left(session: Session) -> int:
    """03.1: number of trials whose stimulus was on the left, those of 0 % contrast included."""
    return int((stimulus_side(session.trials) < 0).sum())


def trials_in_right_blocks(session: Session) -> int:
    """03.2: number of trials in blocks in which the stimulus is likely on the right."""
    return int(_block(session, 0.2).sum())


def kept_trials(session: Session) -> int:
    """03.3: number of trials whose first movement comes .08 to 2 s after the stimulus."""
    trials = session.trials
    return int((trials["firstMovement_times"] - trials["stimOn_times"]).between(EARLIEST, LATEST).sum())


def trials_that_mislead(session: Session) -> int:
    """03.4: number of trials in left blocks before which the best observer expects the right."""
    return int((_observer(session)[_block(session, 0.8)] < 0.5).sum())


def knowledge_of_the_side(session: Session) -> float:
    """03.5: mean running estimate of left before left stimuli minus that before right ones."""
    return _gap(session, _running(session).shift())


def wrong_reports(session: Session) -> int:
    """03.6: number of trials in which the mouse reported a side, and the wrong one."""
    return int(outcomes(session.trials)["not rewarded"].sum())


def _block(session: Session, p_left: float) -> np.ndarray:
    return both_biased(session.trials["probabilityLeft"]) == p_left


def _observer(session: Session) -> np.ndarray:
    return bayes_optimal_p_left(stimulus_side(session.trials))


def _is_left(session: Session) -> pd.Series:
    return pd.Series(stimulus_side(session.trials) < 0)


def _running(session: Session) -> pd.Series:
    return _is_left(session).ewm(alpha=RATE, adjust=False).mean()


def _gap(session: Session, estimate: pd.Series) -> float:
    left = _is_left(session)
    return float(estimate[left].mean() - estimate[~left].mean())


EXERCISES = {
    "03.1": Exercise(
        ask="Number of trials whose stimulus was on the left, those of 0 % contrast included.",
        solve=stimuli_on_the_left,
        code="trials['contrastLeft'].notna().sum()",
        hint="The side is that of the column that holds a number. 0 is a number, NaN is not: see notna().",
        mistakes=(
            Mistake(
                lambda session: int((session.trials["contrastLeft"] > 0).sum()),
                "You counted contrasts above 0. At 0 % nothing is seen, but the trial has a side, and a reward.",
                "A trial of 0 % contrast has no side.",
            ),
            Mistake(
                lambda session: len(session.trials),
                "You counted all trials: NaN is what the other side has. See notna().",
            ),
            Mistake(
                lambda session: int((stimulus_side(session.trials) > 0).sum()),
                "Those are the stimuli on the right.",
            ),
            Mistake(
                lambda session: int((signed_contrast(session.trials) <= 0).sum()),
                "Those are all at 0 % contrast as well, of either side: signed_contrast forgets it.",
            ),
        ),
        tolerance=0,
    ),
    "03.2": Exercise(
        ask="Number of trials in blocks in which the stimulus is likely on the right.",
        solve=trials_in_right_blocks,
        code="(trials['probabilityLeft'] == 0.2).sum()",
        hint="Type 1 - 0.8 into a cell of its own, and look at the last digit.",
        mistakes=(
            Mistake(
                lambda session: 0,
                "A computer stores 0.8 inexactly, and 1 - 0.8 is 0.19999999999999996: write 0.2, as it is stored.",
            ),
            Mistake(
                lambda session: int(_block(session, 0.8).sum()),
                "Those are the blocks of the left: probabilityLeft is the probability of the left.",
            ),
            Mistake(
                lambda session: int((~_block(session, 0.8)).sum()),
                "That holds the trials before the first block as well, where both sides are as likely.",
            ),
        ),
        tolerance=0,
        fault="In floating point 1 - 0.8 is 0.19999999999999996, which equals no 0.2 in the table.",
    ),
    "03.3": Exercise(
        ask="Number of trials with a movement that begins .08 to 2 s after the stimulus.",
        solve=kept_trials,
        code="(trials['firstMovement_times'] - trials['stimOn_times']).between(0.08, 2).sum()",
        hint="Subtract two columns, and use .between(0.08, 2), which is False where the difference is NaN.",
        mistakes=(
            Mistake(
                lambda session: int((movement_latency(session.trials) >= EARLIEST).sum()),
                "You left out the early movements, and kept those that came after 2 s.",
            ),
            Mistake(
                lambda session: int((movement_latency(session.trials) <= LATEST).sum()),
                "You left out the late movements, and kept those that came too early to answer the stimulus.",
            ),
            Mistake(
                lambda session: int((~(movement_latency(session.trials) < EARLIEST)).sum()),
                "You kept trials without a known latency, and those after 2 s: any comparison with NaN is False.",
            ),
            Mistake(
                lambda session: int(pd.Series(response_latency(session.trials)).between(EARLIEST, LATEST).sum()),
                "You took the response, when the wheel passed the threshold. The rule is about the first movement.",
            ),
        ),
        tolerance=0,
    ),
    "03.4": Exercise(
        ask="Number of trials in left blocks before which the observer expects the right.",
        solve=trials_that_mislead,
        code="(observer[trials['probabilityLeft'] == 0.8] < 0.5).sum()",
        hint="Take the observer's estimates in trials with probabilityLeft 0.8, and count those below 0.5.",
        mistakes=(
            Mistake(
                lambda session: 0,
                "None, if it knew probabilityLeft. Nobody tells: it has to see the sides turn, and at times is misled.",
                "probabilityLeft is what the mouse believes.",
            ),
            Mistake(
                lambda session: int((_observer(session) < 0.5).sum()),
                "You counted over the whole session: in a right block, to expect the right is right.",
            ),
            Mistake(
                lambda session: int((_observer(session)[_block(session, 0.2)] < 0.5).sum()),
                "Those are trials of right blocks, in which the observer is not misled.",
            ),
        ),
        tolerance=0,
    ),
    "03.5": Exercise(
        ask="Mean estimate before left stimuli minus that before right ones, as a fraction.",
        solve=knowledge_of_the_side,
        code="estimate.shift()[left].mean() - estimate.shift()[~left].mean()",
        hint="What does the estimate of a trial know of that trial's own stimulus? See shift().",
        mistakes=(
            Mistake(
                lambda session: _gap(session, _running(session)),
                "That is what the script prints: a trial's average holds its own stimulus, which is still to come.",
            ),
            Mistake(
                lambda session: _gap(session, _running(session).shift(-1)),
                "You moved it the wrong way: now it looks one trial ahead.",
            ),
        ),
        tolerance=0.002,
        fault="A trial's average holds that trial's own stimulus, so it foretells what it has seen already.",
    ),
    "03.6": Exercise(
        ask="Number of trials in which the mouse reported the wrong side.",
        solve=wrong_reports,
        code="((trials['feedbackType'] == -1) & (trials['choice'] != 0)).sum()",
        hint="Two conditions, joined by &, each in brackets: no reward, and a choice.",
        mistakes=(
            Mistake(
                lambda session: int((session.trials["feedbackType"] == -1).sum()),
                "feedbackType is -1 also where the mouse made no choice, in 60 s.",
                "A trial that was not rewarded was a wrong report.",
            ),
            Mistake(
                lambda session: int((session.trials["choice"] == -stimulus_side(session.trials)).sum()),
                "Those are the right ones: a choice of +1 is a report of left.",
            ),
        ),
        tolerance=0,
    ),
}
