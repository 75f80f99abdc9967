"""The mouse: what it believes, when it decides and which way, how it turns the wheel, when it licks.

Evidence for a side builds up towards one of two bounds (a drift-diffusion model). A strong stimulus is clearer and is
read faster; the belief about the block shifts the starting point; a mouse that is not engaged starts late, reads
slowly and guesses more. Choice and time both come from this one process, and the wheel's movements carry it out.
"""

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from ..analysis.priors import kernel_p_left
from ..analysis.wheel import RESOLUTION, THRESHOLD

LEARNING_RATE = 0.17  # of the belief, from one trial to the next: the median of real mice (action kernel fits)
DRIFT, DRIFT_TRIALS = 0.65, 40  # SD of a slow bias to one side (logits), and for how many trials it is much the same
LEAN = 0.3  # how far the belief (log odds) shifts the starting point; the bounds are at −1 and 1
STEP = 0.002  # of the simulated process, in units of its own time
CLARITY, CLARITY_C50 = 5.0, 0.47  # drift for each unit of the process's own time, and where it is half of that
HASTE, HASTE_C50 = 14.0, 0.18  # how much faster that time runs at full contrast, and where it is half of that
TIRING = 300.0  # trials after which a mouse has gone most of the way from fresh to tired
NON_DECISION = 0.075  # s from screen to muscle
LAPSE, LAPSE_IDLE = 0.02, 0.12  # share of trials on which the mouse guesses, engaged and not
IDLE_DELAY, IDLE_PACE = 3.6, 0.3  # s by which a mouse that is not engaged starts late (mean), and its slower reading
EARLY = 0.245  # share of trials on which the wheel starts to creep before the stimulus can have been seen
LICK_RATE = 7.0  # Hz, in a bout
RESPONSE_WINDOW = 60.0  # s after which the trial ends without a choice


def engage(rng: np.random.Generator, n_trials: int, skill: float) -> np.ndarray:
    """Engaged (True) or not, trial by trial: a two-state chain that drops out more and more late in the session."""
    leave = (0.006 + 0.068 * _tiredness(n_trials)) / skill**2
    back = 0.12
    draws = rng.random(n_trials)
    engaged = np.ones(n_trials, bool)
    for i in range(1, n_trials):
        engaged[i] = draws[i] >= leave[i] if engaged[i - 1] else draws[i] < back
    return engaged


def diffuse(rng: np.random.Generator, start: np.ndarray, drift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run all trials' diffusion side by side, until each has reached a bound.

    Returns
    -------
    time, bound : ndarray, shape (n_trials,)
        In units of the process's own time (its noise has unit variance for each), and −1 or 1.
    """
    position, time = start.copy(), np.zeros(start.size)
    running = np.arange(start.size)
    while running.size:
        position[running] += drift[running] * STEP + rng.normal(0, np.sqrt(STEP), running.size)
        time[running] += STEP
        running = running[np.abs(position[running]) < 1]
    return time, np.sign(position)


def reach_upper(start: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """The probability that `diffuse` ends at its upper bound, in closed form.

    A step carries the process beyond a bound, as if the bound lay further out (by .5826 standard deviations of a
    step: Siegmund 1979, "Corrected diffusion approximations in certain random walk problems"). Left out, that is an
    error of up to .08; with it, of about .002.
    """
    bound = 1 + 0.5826 * np.sqrt(STEP)
    drift = np.where(drift == 0, 1e-9, drift)  # 0 / 0 otherwise
    return np.expm1(-2 * drift * (start + bound)) / np.expm1(-4 * drift * bound)


def slow_bias(rng: np.random.Generator, n_trials: int) -> np.ndarray:
    """A bias to one side, trial by trial, that comes and goes for no reason that the task knows; SD 1."""
    room = 4 * DRIFT_TRIALS  # so that the first trials are like the others
    smooth = gaussian_filter1d(rng.normal(size=n_trials + 2 * room), DRIFT_TRIALS)[room : room + n_trials]
    return smooth * np.sqrt(2 * np.sqrt(np.pi) * DRIFT_TRIALS)


def decide(rng: np.random.Generator, shown: pd.DataFrame, skill: float = 1.0, drift: float = DRIFT) -> pd.DataFrame:
    """What the mouse thinks and wants in each trial.

    Parameters
    ----------
    rng : Generator
    shown : DataFrame
        As `task.sequence` gives it.
    skill : float
        How clearly it sees and how steadily it works, 1 for a trained mouse on a usual day.
    drift : float
        Standard deviation (logits) of a bias to one side that drifts slowly and has nothing to do with the blocks.

    Returns
    -------
    DataFrame
        ``belief`` (P(left) before the stimulus: an exponential kernel over the sides of earlier stimuli, not over
        choices), ``bias`` (log odds of *right* that the slow bias adds where nothing is seen and nothing believed),
        ``engaged``, ``p_right`` (the probability that a choice, if there is one, is *right*, given these and the
        stimulus), ``decision_time`` (s from the stimulus to the start of the movement that answers it; NaN if there
        is none) and ``choice`` (+1 left, −1 right, 0 none).
    """
    n = len(shown)
    side, contrast = shown["side"].to_numpy(), shown["contrast"].to_numpy()
    belief = kernel_p_left(side, LEARNING_RATE)  # feedback tells the side even where nothing was seen
    engaged = engage(rng, n, skill)
    start = np.clip(LEAN * np.log((1 - belief) / belief), -0.9, 0.9)
    fresh = 1.65 - 1.05 * _tiredness(n)
    bias = drift * slow_bias(rng, n)
    evidence = skill * fresh * side * CLARITY * contrast / (contrast + CLARITY_C50)
    evidence += bias / 2  # between bounds at −1 and 1 the log odds of the upper one are twice the drift of the process
    time, bound = diffuse(rng, start, evidence)
    pace = 0.87 + HASTE * contrast**3 / (contrast**3 + HASTE_C50**3)
    decision_time = NON_DECISION + rng.gamma(4, 0.004, n) + time / (pace * fresh * np.where(engaged, 1, IDLE_PACE))
    decision_time += np.where(engaged, 0, rng.exponential(IDLE_DELAY, n))
    lapse = np.where(engaged, LAPSE, LAPSE_IDLE)
    guesses = rng.random(n) < lapse
    right = np.where(guesses, rng.random(n) < 0.5, bound > 0)
    none = (decision_time > RESPONSE_WINDOW - 5) | (~engaged & (rng.random(n) < 0.03))
    return pd.DataFrame(
        {
            "belief": belief,
            "bias": bias,
            "engaged": engaged,
            "p_right": 0.5 * lapse + (1 - lapse) * reach_upper(start, evidence),
            "decision_time": np.where(none, np.nan, decision_time),
            "choice": np.where(none, 0, np.where(right, -1, 1)),
        }
    )


def answer(rng: np.random.Generator, decisions: pd.DataFrame, contrast: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """The strokes of the wheel that answer the stimulus, and when they reach the threshold.

    Most answers are one stroke. Some begin with a creep before the stimulus, with a flinch to the wrong side, or with
    a stroke too short that is completed after a pause; the weaker the stimulus the more of these.

    Returns
    -------
    strokes : DataFrame
        ``trial``, ``onset`` (s from the stimulus), ``duration`` (s), ``amplitude`` (rad, positive counter-clockwise).
    response : ndarray, shape (n_trials,)
        Seconds from the stimulus until the wheel has turned by the threshold since the go cue; 60 without a choice.
    """
    n = len(decisions)
    decision, direction = decisions["decision_time"].to_numpy(), -decisions["choice"].to_numpy()
    turns = direction != 0
    weak = 1 - np.sqrt(contrast)
    kind = rng.random(n)
    flinches = turns & (kind < 0.04 + 0.10 * weak)
    hesitates = turns & ~flinches & (kind > 1 - 0.05 - 0.22 * weak)

    # The creep stays below the 2° that would start the quiescent period again; it may lead into the answer.
    creeps = rng.random(n) < EARLY
    creep_on = np.clip(rng.normal(-0.05, 0.135, n), -0.4, 0.06)
    until = np.where(turns & (decision < 0.7), decision, creep_on + rng.uniform(0.4, 0.7, n))
    creep_for = until - creep_on
    before = minimum_jerk(np.clip(-creep_on / creep_for, 0, 1))
    most = np.minimum(0.13, 0.022 / np.maximum(before, 1e-3))
    creep = np.where(creeps, rng.choice([-1, 1], n) * most, 0.0)

    first_for = np.where(flinches, rng.uniform(0.12, 0.25, n), rng.uniform(0.2, 0.4, n))
    first = direction * np.select(
        [flinches, hesitates], [-np.exp(rng.normal(-2.6, 0.5, n)).clip(0.02, 0.14), rng.uniform(0.05, 0.2, n)], 0.0
    )
    pause = np.where(hesitates, rng.exponential(0.25 + 0.7 * weak), 0.0)
    last_on = decision + np.where(flinches | hesitates, first_for, 0) + pause

    gone = creep * (1 - before) + first  # since the go cue, by the time the last stroke begins
    left = THRESHOLD - direction * gone
    amplitude = left * (1.03 + rng.gamma(1.2, 0.5, n))
    pace = np.exp(rng.normal(np.log(0.21 + 0.12 * weak), 0.4))
    response = np.where(turns, last_on + pace, RESPONSE_WINDOW)
    strokes = pd.concat(
        [
            _strokes(creeps, creep_on, creep_for, creep),
            _strokes(flinches | hesitates, decision, first_for, first),
            _strokes(turns, last_on, pace / when_reached(left / amplitude), direction * amplitude),
        ]
    )
    return strokes, response


def fidget(rng: np.random.Generator, decisions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The strokes that answer nothing: those that follow a response, and those that begin with a trial.

    Returns
    -------
    after, before : DataFrame
        As in `answer`, but ``onset`` in seconds from the response, and from the start of the trial.
    """
    n = len(decisions)
    # The mouse plays on with the wheel, or a paw shifts its grip.
    plays = rng.random(n) < 0.4
    shifts = ~plays & (rng.random(n) < 0.86)
    after = [
        _bout(rng, plays, rng.uniform(0.0, 0.15, n), strokes=6, size=0.42),
        _bout(rng, shifts, 1.0 + rng.exponential(0.15, n), strokes=1.5, size=0.05),
    ]
    # At the start of a trial, turns that make the quiescent period start again.
    restless = rng.random(n) < np.where(decisions["engaged"], 0.1, 0.28)
    before = _bout(rng, restless, rng.uniform(0, 0.2, n), strokes=5, size=0.05)
    return pd.concat(after), before


def idle(rng: np.random.Generator, start: float, stop: float) -> pd.DataFrame:
    """Strokes while there is no task, four bouts a minute; ``onset`` in seconds of the recording."""
    onset = np.sort(rng.uniform(start, max(stop - 10, start), rng.poisson((stop - start) / 15)))
    return _bout(rng, np.ones(onset.size, bool), onset, strokes=4, size=0.1)


def tremble(rng: np.random.Generator, seconds: float, rate: int) -> np.ndarray:
    """Breathing and posture on the wheel (rad, ``rate`` samples a second): a tick of the encoder now and then."""
    slow = gaussian_filter1d(rng.normal(0, 1, round(seconds * 20) + 1), 2.5)
    return np.interp(np.arange(round(seconds * rate) + 1) / rate, np.arange(slow.size) / 20, 0.0022 * slow / slow.std())


def lick_times(rng: np.random.Generator, trials: pd.DataFrame) -> np.ndarray:
    """Times (s) of licks: a bout of about 1.5 s with each reward, at times before it comes, and short ones later."""
    rewards = trials.loc[trials["feedbackType"] == 1, "feedback_times"].to_numpy()
    n_licks = np.ceil(rng.gamma(8, 1.3, rewards.size)).astype(int)
    again = np.repeat(np.arange(rewards.size), rng.poisson(0.5, rewards.size))
    first = rewards + rng.normal(0.09, 0.08, rewards.size)
    later = rewards[again] + n_licks[again] / LICK_RATE + rng.exponential(4, again.size)
    later = later[later < trials["intervals_1"].iloc[-1]]
    start, n_licks = np.append(first, later), np.append(n_licks, rng.geometric(0.3, later.size))
    bout = np.repeat(np.arange(start.size), n_licks)
    interval = pd.Series(rng.normal(1 / LICK_RATE, 0.02, bout.size))
    licks = np.sort(start[bout] + interval.groupby(bout).cumsum().to_numpy() - 1 / LICK_RATE)
    return licks[np.append(True, np.diff(licks) > 0.08)]


def arousal(rng: np.random.Generator, seconds: float, trials: pd.DataFrame, engaged: np.ndarray) -> np.ndarray:
    """How aroused the mouse is, ten values a second from time 0; mean 0, SD 1: slow waves, and more when engaged."""
    n = round(seconds * 10)
    slow, faster = (gaussian_filter1d(rng.normal(size=n), 10 * scale) for scale in (60, 4))
    trial = np.searchsorted(trials["intervals_0"].to_numpy(), np.arange(n) / 10) - 1
    state = gaussian_filter1d(np.where(trial < 0, 0.0, engaged[np.maximum(trial, 0)]), 50)
    level = slow / slow.std() + faster / faster.std() + 0.5 * (state - state.mean()) / state.std()
    return (level - level.mean()) / level.std()


def minimum_jerk(fraction: np.ndarray) -> np.ndarray:
    """How far a smooth reach has come (0 to 1) at a fraction of its duration (Flash and Hogan 1985)."""
    return fraction**3 * (10 - 15 * fraction + 6 * fraction**2)


def first_edge(strokes: pd.DataFrame) -> pd.Series:
    """How long (s) each stroke takes to reach the first edge of the encoder."""
    return strokes["duration"] * when_reached(RESOLUTION / strokes["amplitude"].abs())


def when_reached(share: np.ndarray) -> np.ndarray:
    """At which fraction of its duration a smooth reach has come so far (0 to 1): the inverse of `minimum_jerk`."""
    return np.interp(share, minimum_jerk(_GRID), _GRID)


def _tiredness(n_trials: int) -> np.ndarray:
    """From 0, fresh, towards 1, trial by trial."""
    return 1 - np.exp(-np.arange(n_trials) / TIRING)


def _strokes(which: np.ndarray, onset: np.ndarray, duration: np.ndarray, amplitude: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"onset": onset, "duration": duration, "amplitude": amplitude})
    return table[which].rename_axis("trial").reset_index()


def _bout(rng: np.random.Generator, which: np.ndarray, onset: np.ndarray, strokes: float, size: float) -> pd.DataFrame:
    """Strokes one after the other, each either way, on average ``strokes`` of about ``size`` rad."""
    n = which.size
    many = np.where(which, rng.geometric(1 / strokes, n).clip(max=10), 0)
    trial = np.repeat(np.arange(n), many)
    duration = np.exp(rng.normal(np.log(0.41), 0.43, trial.size))
    # One stroke begins before the last has quite ended.
    ends = pd.Series(0.85 * duration).groupby(trial).cumsum().to_numpy()
    return pd.DataFrame(
        {
            "trial": trial,
            "onset": onset[trial] + ends - 0.85 * duration,
            "duration": duration,
            "amplitude": rng.choice([-1, 1], trial.size)
            * np.exp(rng.normal(np.log(size), 0.6, trial.size)).clip(max=0.6),
        }
    )


_GRID = np.linspace(0, 1, 1001)
