"""The mouse: what it believes, when it starts to move, which way, and how long it takes.

Evidence for a side builds up as a drift towards one of two bounds (a drift-diffusion model). The belief about
the block shifts the starting point; low engagement slows the drift and adds lapses.
"""

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from ..wheel import THRESHOLD

LEARNING_RATE = 0.17  # of the belief, from one trial to the next: the median of real mice (action kernel fits)
DRIFT, DRIFT_EXPONENT = 20.0, 1.4  # drift at full contrast (bounds/s), and how it falls with contrast
NON_DECISION = 0.09  # s from screen to muscle
STEP = 0.005  # s of one step of the diffusion
RESPONSE_WINDOW = 60.0  # s after which the trial ends without a choice


def believe(sides: np.ndarray) -> np.ndarray:
    """The mouse's estimate, before each trial, of the probability that the stimulus will be on the left.

    An exponential average of the sides seen so far; feedback tells the side even where nothing was seen.
    """
    was_left = np.append(0.5, (sides[:-1] < 0).astype(float))
    estimate, _ = lfilter([LEARNING_RATE], [1, LEARNING_RATE - 1], was_left, zi=[0.5 * (1 - LEARNING_RATE)])
    return estimate


def engage(rng: np.random.Generator, n_trials: int) -> np.ndarray:
    """Engaged (True) or not, trial by trial: a two-state chain that drops out more and more late in the session."""
    leave = np.linspace(0.02, 0.06, n_trials)
    back = 0.12
    draws = rng.random(n_trials)
    engaged = np.ones(n_trials, bool)
    for i in range(1, n_trials):
        engaged[i] = draws[i] >= leave[i] if engaged[i - 1] else draws[i] < back
    return engaged


def diffuse(rng: np.random.Generator, start: np.ndarray, drift: np.ndarray, seconds: float) -> tuple:
    """Run all trials' drift-diffusion side by side; give the time (s; inf if no bound was reached) and the bound."""
    position, time = start.copy(), np.full(start.size, np.inf)
    for step in range(round(seconds / STEP)):
        running = np.isinf(time)
        position[running] += drift[running] * STEP + rng.normal(0, np.sqrt(STEP), running.sum())
        time[running & (np.abs(position) >= 1)] = (step + 1) * STEP
    return time, np.sign(position)


def behave(rng: np.random.Generator, task: pd.DataFrame) -> pd.DataFrame:
    """What the mouse does in each trial.

    Parameters
    ----------
    rng : Generator
    task : DataFrame
        As `task.sequence` gives it.

    Returns
    -------
    DataFrame
        ``belief`` (P(left)), ``engaged``, ``anticipated`` (it moved without looking), ``decision_time`` (s from
        stimulus to movement, can be negative), ``movement_time`` (s from movement to response) and ``choice``
        (+1 left, −1 right, 0 none).
    """
    n = len(task)
    side, contrast = task["side"].to_numpy(), task["contrast"].to_numpy()
    belief = believe(side)
    engaged = engage(rng, n)
    toward_right = -np.log(belief / (1 - belief))
    start = np.clip(0.3 * toward_right, -0.9, 0.9)
    drift = side * DRIFT * contrast**DRIFT_EXPONENT * np.where(engaged, 1, 0.4)
    time, bound = diffuse(rng, start, drift, seconds=5)
    decision_time = NON_DECISION + time

    # Some movements begin before the stimulus could have been seen: the mouse bets on its belief.
    anticipated = rng.random(n) < 0.12
    bets_right = rng.random(n) > belief
    decision_time[anticipated] = rng.normal(0.0, 0.06, anticipated.sum()).clip(-0.18, 0.09)
    lapses = rng.random(n) < np.where(engaged, 0.03, 0.15)
    guesses_right = rng.random(n) < 0.5
    right = np.where(anticipated, bets_right, np.where(lapses, guesses_right, bound > 0))

    decision_time[~engaged & ~anticipated] += rng.exponential(2.5, (~engaged & ~anticipated).sum())
    no_go = np.isinf(decision_time) | (~engaged & (rng.random(n) < 0.02))
    movement_time = np.exp(rng.normal(np.log(0.23 + 0.19 * (contrast < 0.1)), 0.35))
    # An anticipated movement can pass the threshold only after the go cue: it is slowed until then.
    movement_time = np.maximum(movement_time, 0.06 - np.minimum(decision_time, 0))
    return pd.DataFrame(
        {
            "belief": belief,
            "engaged": engaged,
            "anticipated": anticipated & ~no_go,
            "decision_time": np.where(no_go, np.nan, decision_time),
            "movement_time": np.where(no_go, np.nan, movement_time),
            "choice": np.where(no_go, 0, np.where(right, -1, 1)),
        }
    )


def run(rng: np.random.Generator, task: pd.DataFrame, behaviour: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """Put task and behaviour on the session's clock, until the time is up.

    Returns
    -------
    DataFrame
        The columns of the release's trials table and of its separate files, ``side`` and ``movement_onset``
        (when the mouse truly began to move, s). ``firstMovement_times`` is not here: it is found in the wheel.
    """
    n = len(task)
    correct = behaviour["choice"].to_numpy() == -task["side"].to_numpy()
    late = behaviour["choice"].to_numpy() == 0
    to_response = (behaviour["decision_time"] + behaviour["movement_time"]).fillna(RESPONSE_WINDOW).to_numpy()
    # When the wheel does not rest, the quiescent period starts again.
    restarted = rng.random(n) < 0.25
    wait = task["quiescencePeriod"].to_numpy() + 0.1 + np.where(restarted, 0.4 + rng.exponential(1.0, n), 0)
    after = np.where(correct, 1.0, 2.0)
    length = wait + to_response + after + 0.57
    start = 30 + np.append(0, np.cumsum(length + 0.38 + rng.exponential(0.2, n))[:-1])
    stim_on = start + wait
    response = stim_on + to_response
    go_cue = stim_on + rng.uniform(0.0005, 0.0015, n)
    feedback = response + np.where(correct, 1e-4, 9e-4)
    trials = pd.DataFrame(
        {
            "goCue_times": go_cue,
            "response_times": response,
            "choice": behaviour["choice"],
            "stimOn_times": stim_on,
            "contrastLeft": task["contrast"].where(task["side"] < 0),
            "contrastRight": task["contrast"].where(task["side"] > 0),
            "probabilityLeft": task["probabilityLeft"],
            "feedback_times": feedback,
            "feedbackType": np.where(correct, 1, -1),
            "rewardVolume": np.where(correct, 1.5, 0.0),
            "intervals_0": start,
            "intervals_1": feedback + after + 0.57,
            "goCueTrigger_times": go_cue - 8e-4,
            "stimOnTrigger_times": stim_on - rng.uniform(0.02, 0.035, n),
            "stimOff_times": feedback + after + 0.07,
            "stimOffTrigger_times": feedback + after + 0.04,
            "quiescencePeriod": task["quiescencePeriod"],
            "side": task["side"],
            "restarted": restarted,
            "movement_onset": stim_on + behaviour["decision_time"],
        }
    )
    trials.loc[late, "stimOff_times"] = trials.loc[late, "response_times"] + 0.07
    return trials[trials["intervals_1"] < seconds - 10]


def wheel_moves(rng: np.random.Generator, trials: pd.DataFrame) -> pd.DataFrame:
    """Every turn of the wheel: ``onset`` (s), ``duration`` (s), ``amplitude`` (rad, the rig's sign).

    The movement of a choice passes the response threshold exactly at the response time. Others are those that
    made the quiescent period start again, and small ones between trials.
    """
    chosen = trials[trials["choice"] != 0]
    overshoot = rng.uniform(1.15, 1.7, len(chosen))
    fraction = np.interp(1 / overshoot, minimum_jerk(_GRID), _GRID)
    moves = [
        pd.DataFrame(
            {
                "onset": chosen["movement_onset"],
                "duration": (chosen["response_times"] - chosen["movement_onset"]) / fraction,
                "amplitude": -chosen["choice"] * THRESHOLD * overshoot,
            }
        )
    ]
    restless = trials[trials["restarted"]]
    room = (restless["stimOn_times"] - restless["quiescencePeriod"] - restless["intervals_0"]).clip(lower=0.15)
    moves.append(
        pd.DataFrame(
            {
                "onset": restless["intervals_0"] + 0.05 * room,
                "duration": room * 0.8,
                "amplitude": rng.normal(0, 0.15, len(restless)),
            }
        )
    )
    between = trials[rng.random(len(trials)) < 0.4]
    moves.append(
        pd.DataFrame(
            {
                "onset": between["feedback_times"] + rng.uniform(0.5, 0.7, len(between)),
                "duration": rng.uniform(0.12, 0.6, len(between)),
                "amplitude": rng.normal(0, 0.25, len(between)),
            }
        )
    )
    return pd.concat(moves).sort_values("onset", ignore_index=True)


def minimum_jerk(fraction: np.ndarray) -> np.ndarray:
    """How far a smooth reach has come (0 to 1) at a fraction of its duration (Flash and Hogan 1985)."""
    return fraction**3 * (10 - 15 * fraction + 6 * fraction**2)


_GRID = np.linspace(0, 1, 1001)
