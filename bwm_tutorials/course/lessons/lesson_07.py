"""The exercises of lesson 07, pose and video."""

import numpy as np
import pandas as pd

from ...analysis import pose
from ...analysis.responses import circular_correlations
from ...analysis.spikes import counts_in_intervals
from ...errors import TooFew
from ...recordings.session import Session
from ..exercise import Exercise, Mistake

NOMINAL = 150  # Hz, of the right camera
STEP = 0.1  # s
FAR = 20  # s, beyond which a shift is a null


def last_frame_too_late(session: Session) -> float:
    """07.1: seconds by which counting at 150 Hz puts the last frame of the right camera too late."""
    clock = _right_clock(session)
    return _counted(clock, NOMINAL) - (clock["last (s)"] - clock["first (s)"])


def licks_per_reward(session: Session) -> float:
    """07.2: licks in the second after a reward, on average."""
    return _after_rewards(session, pose.lick_onsets(session.licks))


def same_paw(session: Session) -> float:
    """07.3: correlation of the speed of the mouse's left paw as the two side cameras see it."""
    return _agreement(session, "paw_l", pose.speed)


def pupil_ratio(session: Session) -> float:
    """07.4: signal-to-noise ratio of the pupil in the left video."""
    smooth, raw = _pupil(session)
    return pose.signal_to_noise(smooth, raw)


def units_by_far_shifts(session: Session) -> int:
    """07.5: number of the null session's units that correlate with the paw's speed, against far shifts."""
    paw, counts = _binned(session)
    rho = circular_correlations(paw, counts, STEP)
    far = rho.loc[:, np.abs(rho.columns) > FAR]
    if far.empty:
        raise TooFew(f"The task of {session.name} is too short to shift the paw by more than {FAR} s.")
    return int((far.abs().ge(rho[0.0].abs(), axis=0).mean(axis=1) < 0.05).sum())


def _right_clock(session: Session) -> pd.Series:
    return pose.clock(session.pose("right", keypoints="paw_r")["times"])


def _counted(clock: pd.Series, rate: float) -> float:
    """Seconds from the first frame to the last if frames came at a rate."""
    return (clock["frames"] - 1) / rate


def _by_dropped_frames_alone(session: Session) -> float:
    return -_right_clock(session)["dropped"] / NOMINAL


def _rewards(session: Session) -> np.ndarray:
    rewarded = session.trials[session.trials["feedbackType"] == 1].dropna(subset="feedback_times")
    if rewarded.empty:
        raise TooFew(f"{session.name} has no reward whose time is known.")
    return rewarded["feedback_times"].to_numpy()


def _after_rewards(session: Session, times: np.ndarray) -> float:
    rewards = _rewards(session)
    return np.diff(np.searchsorted(times, [rewards, rewards + 1]), axis=0).mean()


def _per_trial(session: Session) -> float:
    return _after_rewards(session, pose.lick_onsets(session.licks)) * len(_rewards(session)) / len(session.trials)


def _in_the_session(session: Session) -> float:
    return pose.lick_onsets(session.licks).size / len(_rewards(session))


def _agreement(session: Session, paw: str, what: object) -> float:
    left, right = session.pose("left", keypoints="paw_r"), session.pose("right", keypoints=paw)
    seen = np.interp(left["times"], right["times"], what(right, paw, "right"))
    return np.corrcoef(what(left, "paw_r", "left"), seen)[0, 1]


def _along_x(table: pd.DataFrame, paw: str, camera: str) -> np.ndarray:
    return pose.velocity(table, paw, camera)["x"].to_numpy()


def _frame_by_frame(session: Session) -> float:
    """Of the two speeds as they stand in their tables, row by row, cut to the same length."""
    left, right = session.pose("left", keypoints="paw_r"), session.pose("right", keypoints="paw_l")
    n = min(len(left), len(right))
    return np.corrcoef(pose.speed(left, "paw_r", "left")[:n], pose.speed(right, "paw_l", "right")[:n])[0, 1]


def _pupil(session: Session) -> tuple[pd.Series, pd.Series]:
    known = session.pupil.dropna()
    return known["pupilDiameter_smooth"], known["pupilDiameter_raw"]


def _of_deviations(session: Session) -> float:
    return np.sqrt(pupil_ratio(session))


def _raw_over_smooth(session: Session) -> float:
    smooth, raw = _pupil(session)
    return np.var(raw) / np.var(smooth)


def _raw_over_noise(session: Session) -> float:
    smooth, raw = _pupil(session)
    return np.var(raw) / np.var(smooth - raw)


def _binned(session: Session) -> tuple[np.ndarray, pd.DataFrame]:
    """The paw's speed and the counts of the null session's units, in steps over the task, as the lesson has them."""
    spikes, null = (each.insertions[-1].good_spikes for each in (session, session.null))
    left, trials = session.pose("left", keypoints="paw_r"), session.trials
    start = max(left["times"].iloc[0], trials["intervals_0"].iloc[0], spikes["times"][0])
    stop = min(left["times"].iloc[-1], trials["intervals_1"].iloc[-1], spikes["times"][-1])
    edges = np.arange(start, stop, STEP)
    bins = np.c_[edges[:-1], edges[1:]]
    paw = pose.mean_in_intervals(left["times"], pose.speed(left, "paw_r", "left"), bins)
    return pd.Series(paw).interpolate(limit_direction="both").to_numpy(), counts_in_intervals(null, bins)


def _by_shuffled_bins(session: Session) -> int:
    paw, counts = _binned(session)
    at_zero = circular_correlations(paw, counts, STEP)[0.0].to_numpy()
    shuffled = np.array([np.random.default_rng(i).permutation(paw) for i in range(60)])
    by_chance = np.corrcoef(counts, shuffled)[: len(counts), len(counts) :]
    return int((np.mean(np.abs(by_chance) >= np.abs(at_zero)[:, None], axis=1) < 0.05).sum())


EXERCISES = {
    "07.1": Exercise(
        ask="Seconds by which counting at 150 Hz from the first frame puts the right camera's last frame too late.",
        solve=last_frame_too_late,
        code="(len(right) - 1) / 150 - (right['times'].iloc[-1] - right['times'].iloc[0])",
        hint="How long does it take from the first frame to the last by counting, and how long by `times`?",
        mistakes=(
            Mistake(
                _by_dropped_frames_alone,
                "That is the time of the dropped frames, the smaller part. See the rate in the table: it is not the "
                "150 Hz that the camera was set to.",
                "Frames come at the rate that the camera was set to.",
            ),
            Mistake(
                lambda session: -last_frame_too_late(session),
                "The size is right, the sign is not: too late means that counting gives more than the clock.",
            ),
            Mistake(
                lambda session: _counted(_right_clock(session), NOMINAL) - _right_clock(session)["last (s)"],
                "You counted from time 0. The camera starts some seconds after the recording: count from its first "
                "frame.",
            ),
        ),
        tolerance=0.02,
    ),
    "07.2": Exercise(
        ask="Licks in the second after a reward, on average over rewards.",
        solve=licks_per_reward,
        code="np.mean([((onsets > t) & (onsets < t + 1)).sum() "
        "for t in trials.loc[trials['feedbackType'] == 1, 'feedback_times'].dropna()])",
        hint="For each reward count the times in `onsets` that lie in the second after it; then take the mean.",
        mistakes=(
            Mistake(
                lambda session: _after_rewards(session, session.licks),
                "Nobody licks that fast. These are frames with a moving tongue, many to a lick: count `onsets`.",
                "Every lick time is a lick.",
            ),
            Mistake(
                _per_trial,
                "You divided by all trials. Divide by those with a reward.",
            ),
            Mistake(
                _in_the_session,
                "Those are the licks of the whole session. Count only the second after each reward.",
            ),
        ),
        tolerance=0.02,
    ),
    "07.3": Exercise(
        ask="Correlation of the speeds of one paw, as the two side cameras see it.",
        solve=same_paw,
        code="np.corrcoef(bwm.pose.speed(left, 'paw_r', 'left'), "
        "np.interp(left['times'], right['times'], bwm.pose.speed(right, 'paw_l', 'right')))[0, 1]",
        hint="The paw nearer to the left camera is farther from the right one. What is it called there?",
        mistakes=(
            Mistake(
                lambda session: _agreement(session, "paw_r", pose.speed),
                "That is what the script prints. paw_r is the paw nearer to each camera: two different paws.",
                "paw_r is the mouse's right paw.",
            ),
            Mistake(
                lambda session: _agreement(session, "paw_l", _along_x),
                "That is the velocity along x. The question asks for the speed, which takes in y and has no sign.",
            ),
            Mistake(
                _frame_by_frame,
                "Now it is the same paw, but row i of one table is not taken at the time of row i of the other.",
            ),
        ),
        tolerance=0.004,
        fault="In each video paw_r is the paw nearer to the camera, so two different paws are compared.",
    ),
    "07.4": Exercise(
        ask="Signal-to-noise ratio of the pupil's diameter in the left video.",
        solve=pupil_ratio,
        code="bwm.pose.signal_to_noise(pupil['pupilDiameter_smooth'], pupil['pupilDiameter_raw'])",
        hint="The signal is the smooth trace, the noise is the difference of the two. Divide their variances.",
        mistakes=(
            Mistake(
                _of_deviations,
                "That is the ratio of standard deviations. The threshold is one of variances.",
            ),
            Mistake(
                _raw_over_smooth,
                "That is the raw trace over the smooth one. Noise is what smoothing takes away: their difference.",
            ),
            Mistake(
                _raw_over_noise,
                "You took the raw trace for the signal, noise and all. The signal is the smooth one.",
            ),
        ),
        tolerance=0.02,
    ),
    "07.5": Exercise(
        ask="Number of the null session's units with p below .05, against shifts of more than 20 s.",
        solve=units_by_far_shifts,
        code="(lambda rho: (rho.loc[:, np.abs(rho.columns) > 20].abs().ge(rho[0.0].abs(), axis=0).mean(axis=1) < 0.05)"
        ".sum())(bwm.responses.circular_correlations(paw, counts, step))",
        hint="Do for the null session's `counts` what the cell before did for this session: shifts beyond 20 s.",
        mistakes=(
            Mistake(
                _by_shuffled_bins,
                "That is against shuffled bins, as the script has it. A shuffled paw jumps from bin to bin, as no paw "
                "does, so its correlations are too small.",
            ),
        ),
        tolerance=0,
        fault="Shuffled bins have lost the slow course of a paw: their correlations are too small for a null.",
    ),
}
