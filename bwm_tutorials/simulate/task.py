"""The task: what the rig presents and when, by the rules of the real one (ephysChoiceWorld)."""

import numpy as np
import pandas as pd

from ..analysis.blocks import block_priors, truncated_exponential

CONTRASTS = np.array([0.0, 0.0625, 0.125, 0.25, 1.0])
FIRST_TRIAL = 30.0  # s from the start of the recording


def sequence(rng: np.random.Generator, n_trials: int) -> pd.DataFrame:
    """What the rig will show: one row a trial.

    Returns
    -------
    DataFrame
        ``probabilityLeft``, ``side`` (−1 left, +1 right), ``contrast`` (fraction; 0 half as often as the others)
        and ``quiescencePeriod`` (s the wheel must rest before the stimulus).
    """
    prior = block_priors(rng, n_trials)
    return pd.DataFrame(
        {
            "probabilityLeft": prior,
            "side": np.where(rng.random(n_trials) < prior, -1, 1),
            "contrast": rng.choice(CONTRASTS, n_trials, p=np.array([1, 2, 2, 2, 2]) / 9),
            "quiescencePeriod": 0.2 + truncated_exponential(rng, 0.35, 0.2, 0.5, n_trials),
        }
    )


def run(
    rng: np.random.Generator,
    shown: pd.DataFrame,
    choice: np.ndarray,
    response: np.ndarray,
    before: pd.DataFrame,
    after: pd.DataFrame,
) -> pd.DataFrame:
    """Put task and mouse on the clock of the recording, trial by trial, as the rig's state machine does.

    Parameters
    ----------
    rng : Generator
    shown : DataFrame
        As `sequence` gives it.
    choice : ndarray
        +1 left, −1 right, 0 none.
    response : ndarray
        Seconds from the stimulus to the response.
    before, after : DataFrame
        Strokes of the wheel as `mouse.fidget` gives them: the stimulus waits until the wheel rests.

    Returns
    -------
    DataFrame
        The columns of the release's trials table and of its separate files, but for ``firstMovement_times``, which
        is found in the wheel.
    """
    n = len(shown)
    correct = choice == -shown["side"].to_numpy()
    delay = np.where(correct, 1.0, 2.0)  # from feedback until the stimulus goes
    pause = np.minimum(0.38 + rng.gamma(2, 0.1, n), 1.1)  # from the end of a trial to the start of the next
    still_turning = _end(after, n) - (delay + 0.57 + pause)
    moving = np.maximum(_end(before, n), np.append(0, still_turning[:-1]))
    wait = 0.06 + np.maximum(moving + 0.05, 0.03) + shown["quiescencePeriod"].to_numpy()
    length = wait + response + delay + 0.57
    start = FIRST_TRIAL + np.append(0, np.cumsum(length + pause)[:-1])
    stim_on = start + wait
    go_cue = stim_on + rng.uniform(0.0005, 0.0015, n)
    response = stim_on + response
    feedback = response + np.where(correct, 1e-4, 9e-4)
    nothing = choice == 0
    return pd.DataFrame(
        {
            "goCue_times": go_cue,
            "response_times": response,
            "choice": choice,
            "stimOn_times": stim_on,
            "contrastLeft": shown["contrast"].where(shown["side"] < 0),
            "contrastRight": shown["contrast"].where(shown["side"] > 0),
            "probabilityLeft": shown["probabilityLeft"],
            "feedback_times": feedback,
            "feedbackType": np.where(correct, 1, -1),
            "rewardVolume": np.where(correct, 1.5, 0.0),
            "intervals_0": start,
            "intervals_1": feedback + delay + 0.57,
            "goCueTrigger_times": go_cue - 8e-4,
            "stimOnTrigger_times": stim_on - rng.uniform(0.02, 0.035, n),
            "stimOff_times": np.where(nothing, response + 0.07, feedback + delay + 0.07),
            "stimOffTrigger_times": np.where(nothing, response + 0.04, feedback + delay + 0.04),
            "quiescencePeriod": shown["quiescencePeriod"],
        }
    )


def _end(strokes: pd.DataFrame, n_trials: int) -> np.ndarray:
    """When the last stroke of each trial ends (0 where there is none)."""
    end = (strokes["onset"] + strokes["duration"]).groupby(strokes["trial"]).max()
    return end.reindex(range(n_trials), fill_value=0.0).to_numpy()
