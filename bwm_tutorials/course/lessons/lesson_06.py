"""The exercises of lesson 06, neural responses."""

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from ...analysis.blocks import both_biased, pseudosessions
from ...analysis.questions import variable
from ...analysis.responses import responsive_units, selectivity
from ...analysis.spikes import around, counts_in_intervals, peth
from ...analysis.trials import movement_latency, stimulus_side
from ...errors import TooFew
from ...recordings.session import Session
from ..exercise import Exercise, Mistake

RESPONSE, BASELINE = (0.05, 0.15), (-0.1, 0.0)  # s from the stimulus
LATE = 0.15  # s from the stimulus: the window's end, so that no turn of the wheel lies within


def highest_rate(session: Session) -> float:
    """06.1: highest mean rate of the lesson's unit around feedback, in bins of 10 ms, in Hz."""
    return float(_highest(session))


def units_that_double(session: Session) -> int:
    """06.2: number of units whose count after the stimulus is 1.5 times that before it."""
    return _raised(session, (-0.2, 0.0))


def units_without_movement(session: Session) -> int:
    """06.3: number of units that respond, corrected, in trials whose movement comes late."""
    return int((_responses(session, late=True)["p_adjusted"] < 0.05).sum())


def units_that_tell_the_choice(session: Session) -> int:
    """06.4: number of units that tell the choice before the movement, among trials of equal side and block."""
    return int((_choice(session, _conditions(session))["p_adjusted"] < 0.05).sum())


def units_with_a_side(session: Session) -> int:
    """06.5: number of units whose side, chosen in every other trial, is confirmed in those between."""
    return _sided(session, slice(0, None, 2), slice(1, None, 2))


def units_that_know_the_block(session: Session) -> int:
    """06.6: number of units whose count before the stimulus follows the blocks, against pseudosessions."""
    return int((_block(session, _null(session))["p"] < 0.05).sum())


def example_unit(session: Session) -> int:
    """The unit with the largest effect of feedback, which the first sections show."""
    table = responsive_units(_spikes(session), session.trials["feedback_times"], (0.0, 0.3), (-0.3, 0.0))
    return int(table["effect"].abs().idxmax())


def _spikes(session: Session):
    return session.insertions[-1].good_spikes


def _highest(session: Session) -> float:
    unit = example_unit(session)
    return peth(_spikes(session), session.trials["feedback_times"], units=[unit]).mean.to_numpy().max()


def _n_feedback(session: Session) -> int:
    return int(session.trials["feedback_times"].notna().sum())


def _raised(session: Session, baseline: tuple[float, float]) -> int:
    on, spikes = session.trials["stimOn_times"], _spikes(session)
    before, after = (counts_in_intervals(spikes, around(on, window)).mean(axis=1) for window in (baseline, (0.0, 0.2)))
    return int((after > 1.5 * before).sum())


def _responses(session: Session, late: bool) -> pd.DataFrame:
    trials, spikes = session.trials, _spikes(session)
    on = trials["stimOn_times"].where(movement_latency(trials) > LATE) if late else trials["stimOn_times"]
    return responsive_units(spikes, on, RESPONSE, BASELINE)


def _conditions(session: Session) -> pd.DataFrame:
    return pd.DataFrame({"side": stimulus_side(session.trials), "block": session.trials["probabilityLeft"]})


def _choice(session: Session, condition: pd.DataFrame | None) -> pd.DataFrame:
    trials = session.trials
    counts = counts_in_intervals(_spikes(session), around(trials["firstMovement_times"], (-0.1, 0.0)))
    return selectivity(counts, trials["choice"].where(trials["choice"] != 0), condition)


def _sided(session: Session, chosen: slice, tested: slice) -> int:
    counts = counts_in_intervals(_spikes(session), around(session.trials["stimOn_times"], RESPONSE))
    known = counts.notna().all().to_numpy()
    side = variable(session.trials, "stimulus side").values.to_numpy()[known]
    counts = counts.to_numpy()[:, known]
    if not {"left", "right"} <= {*side[chosen]} & {*side[tested]}:
        raise TooFew(f"{session.name} has too few trials to choose a side in some and test it in others.")
    mean = [counts[:, chosen][:, side[chosen] == which].mean(axis=1) for which in ("left", "right")]
    left, right = (counts[:, tested][:, side[tested] == which] for which in ("left", "right"))
    more_left = mannwhitneyu(left, right, axis=1, alternative="greater").pvalue
    more_right = mannwhitneyu(right, left, axis=1, alternative="greater").pvalue
    return int((np.where(mean[0] > mean[1], more_left, more_right) < 0.05).sum())


def _null(session: Session) -> np.ndarray:
    return pseudosessions(len(session.trials), 1000, 1)


def _block(session: Session, null: int | np.ndarray) -> pd.DataFrame:
    trials = session.trials
    counts = counts_in_intervals(_spikes(session), around(trials["stimOn_times"], (-0.4, -0.1)))
    return selectivity(counts, both_biased(trials["probabilityLeft"]), null=null)


EXERCISES = {
    "06.1": Exercise(
        ask="Highest mean rate of the unit around feedback, in bins of 10 ms, in Hz.",
        solve=highest_rate,
        code="in_bin.max() / len(events) / 0.01",
        hint="A rate is spikes per trial and per second: divide by the number of events and by the width of a bin.",
        mistakes=(
            Mistake(
                lambda session: round(_highest(session) * 0.01 * _n_feedback(session)),
                "That is the number of spikes in the bin, over all trials. With twice as many trials it would double.",
                "The height of a histogram is a rate.",
            ),
            Mistake(
                lambda session: _highest(session) * 0.01,
                "That is spikes a bin. In bins twice as wide it would double: divide by the width as well.",
            ),
            Mistake(
                lambda session: _highest(session) * _n_feedback(session),
                "You divided by the width of a bin, and not by the number of trials.",
            ),
            Mistake(
                lambda session: _highest(session) / 1000,
                "You took the width for 10 s: .01 s is 10 ms.",
            ),
        ),
        tolerance=0.05,
    ),
    "06.2": Exercise(
        ask="Number of units whose count after the stimulus is more than 1.5 times that before it.",
        solve=units_that_double,
        code="(after.mean(axis=1) > 1.5 * bwm.spikes.counts_in_intervals("
        "spikes, bwm.spikes.around(on, (-0.2, 0.0))).mean(axis=1)).sum()",
        hint="Write down where each of the two windows begins and ends. The baseline is to end at 0, and to last .2 s.",
        mistakes=(
            Mistake(
                lambda session: _raised(session, (-0.1, 0.1)),
                "That is what the script prints: its baseline holds the first 100 ms of the response.",
            ),
            Mistake(
                lambda session: _raised(session, (-0.1, 0.0)),
                "Now the windows do not overlap, but one is twice as long as the other: these are counts, not rates.",
            ),
        ),
        tolerance=0,
        fault="The baseline reaches .1 s past the stimulus, so half of it is response, and few units rise above it.",
    ),
    "06.3": Exercise(
        ask="Number of units with p_adjusted below .05 when the first movement comes later than .15 s.",
        solve=units_without_movement,
        code="(bwm.responses.responsive_units("
        "spikes, on.where(latency > 0.15), response, baseline)['p_adjusted'] < 0.05).sum()",
        hint="Give the test only some of the events: those times where latency > 0.15, and NaN for the others.",
        mistakes=(
            Mistake(
                lambda session: int((_responses(session, late=False)["p_adjusted"] < 0.05).sum()),
                "You took all trials. In many of them the wheel moves within the window, and the units with it.",
                "A unit that fires after the stimulus responds to the stimulus.",
            ),
            Mistake(
                lambda session: int((_responses(session, late=True)["p"] < 0.05).sum()),
                "You took p, which is not corrected for the number of units: see p_adjusted.",
            ),
        ),
        tolerance=0,
    ),
    "06.4": Exercise(
        ask="Number of units with p_adjusted below .05 among trials of the same side and block.",
        solve=units_that_tell_the_choice,
        code="(bwm.responses.selectivity(counts, made, condition)['p_adjusted'] < 0.05).sum()",
        hint="selectivity takes a third argument: the variables that have to be equal in the trials compared.",
        mistakes=(
            Mistake(
                lambda session: int((_choice(session, None)["p_adjusted"] < 0.05).sum()),
                "You compared all left with all right choices. Most left choices follow a stimulus on the left.",
            ),
            Mistake(
                lambda session: int((_choice(session, _conditions(session))["p"] < 0.05).sum()),
                "You took p, which is not corrected for the number of units: see p_adjusted.",
            ),
        ),
        tolerance=0,
    ),
    "06.5": Exercise(
        ask="Number of units whose side is chosen in even trials and confirmed (p below .05) in odd ones.",
        solve=units_with_a_side,
        code="sided(counted, even, odd)",
        hint="The function takes two sets of trials: one that chooses the side, one that tests it.",
        mistakes=(
            Mistake(
                lambda session: _sided(session, slice(None), slice(None)),
                "That is what the script prints: the trials that chose the side also test it, so chance counts twice.",
            ),
        ),
        tolerance=0,
        fault="The trials that choose the side test it as well, so that chance counts twice.",
    ),
    "06.6": Exercise(
        ask="Number of units with p below .05 in this session, against pseudosessions.",
        solve=units_that_know_the_block,
        code="(bwm.responses.selectivity(before_stimulus(probe), block, null=pseudo)['p'] < 0.05).sum()",
        hint="The same call as for the null session, with the counts of this session's probe.",
        mistakes=(
            Mistake(
                lambda session: int((_block(session, 2000)["p"] < 0.05).sum()),
                "That is against shuffled trials. Rates drift, and blocks are slow: shuffled blocks are not.",
                "A rate that differs between blocks knows the block.",
            ),
            Mistake(
                lambda session: int((_block(session, _null(session))["p_adjusted"] < 0.05).sum()),
                "That is with p_adjusted; the question asks for p.",
            ),
            Mistake(
                lambda session: (_block(session, _null(session))["p"] < 0.05).mean(),
                "That is the share. How many units are it?",
            ),
        ),
        tolerance=0,
    ),
}
