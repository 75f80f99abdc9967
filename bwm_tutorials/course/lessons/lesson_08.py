"""The exercises of lesson 08, the passive protocol."""

import numpy as np
import pandas as pd

from ...analysis.passive import (
    PIXEL,
    RfMaps,
    best_by_chance,
    degrees,
    flashes,
    matched,
    part,
    receptive_fields,
    replayed,
    rf_maps,
)
from ...analysis.responses import responsive_units, selectivity
from ...analysis.spikes import around, counts_in_intervals
from ...analysis.trials import stimulus_side
from ...brainwide.release import as_of
from ...recordings.session import Session
from ..exercise import Exercise, Mistake

FLASH = (0.05, 0.25)  # s from a flash
RESPONSE, BASELINE = (0.03, 0.23), (-0.2, 0.0)  # s from the stimulus


def white_flashes(session: Session) -> int:
    """08.1: number of times that a pixel goes from grey to white."""
    return int((_flashes(session)["sign"] == "on").sum())


def units_with_a_field(session: Session) -> int:
    """08.2: number of units whose best pixel is better than by chance, corrected for pixels and units."""
    return int((_fields(session)["p_adjusted"] < 0.05).sum())


def units_that_differ(session: Session) -> int:
    """08.3: number of units that answer the task's stimulus otherwise than the replayed one, corrected."""
    return int((_difference(session)["p_adjusted"] < 0.05).sum())


def azimuth_of_the_best_pixel(session: Session) -> float:
    """08.4: azimuth of the best pixel of the unit with the fourth largest z, in degrees."""
    return degrees(*_best(session)[1:])[0]


def gabors_mistaken(session: Session) -> int:
    """08.5: number of gabors whose position is wrong in the superseded table."""
    return _mistaken(session, "position")


def units_busier_at_rest(session: Session) -> int:
    """08.6: number of units with a higher rate in the spontaneous part than in the task."""
    counts, seconds = _parts(session)
    return _busier(counts / seconds)


def _spikes(session: Session):
    return session.insertions[0].good_spikes


def _frames(session: Session) -> np.ndarray:
    return part(session.passive, "RFM")["rf_frames"]


def _flashes(session: Session) -> pd.DataFrame:
    mapping = part(session.passive, "RFM")
    return flashes(mapping["rf_times"], mapping["rf_frames"])


def _counts(session: Session) -> tuple[pd.DataFrame, pd.DataFrame]:
    shown = _flashes(session)
    return counts_in_intervals(_spikes(session), around(shown["time"], FLASH)), shown


def _maps(session: Session) -> RfMaps:
    return rf_maps(*_counts(session))


def _fields(session: Session) -> pd.DataFrame:
    return receptive_fields(_maps(session), best_by_chance(*_counts(session)))


def _best(session: Session) -> tuple[int, int, int]:
    """Sign, row and column of the best pixel of the unit with the fourth largest z."""
    maps = _maps(session)
    best = pd.Series(maps.z.max(axis=(1, 2, 3)), maps.units)
    unit = maps.units.get_loc(best.nlargest(4).index[-1])
    return np.unravel_index(maps.z[unit].argmax(), maps.z.shape[1:])


def _shown(session: Session) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stimuli of the task, as many of each kind as were replayed, and the replayed ones."""
    events = replayed(part(session.passive, "taskReplay"))
    gabors, trials = events[events["kind"] == "gabor"], session.trials
    task = pd.DataFrame({"time": trials["stimOn_times"], "side": stimulus_side(trials)})
    task = task.assign(contrast=trials["contrastLeft"].fillna(trials["contrastRight"])).dropna()
    return task.iloc[matched(task, gabors)], gabors


def _responds(session: Session, shown: pd.DataFrame) -> pd.Series:
    return responsive_units(_spikes(session), shown["time"], RESPONSE, BASELINE)["p_adjusted"] < 0.05


def _in_the_task_alone(session: Session) -> int:
    task, replay = (_responds(session, shown) for shown in _shown(session))
    return int((task & ~replay).sum())


def _difference(session: Session) -> pd.DataFrame:
    shown = pd.concat(_shown(session), keys=["task", "replay"], names=["part", None]).reset_index("part")
    shown = shown.reset_index(drop=True)
    after, before = (
        counts_in_intervals(_spikes(session), around(shown["time"], window)) for window in (RESPONSE, BASELINE)
    )
    return selectivity(after - before, shown["part"], shown[["side", "contrast"]])


def _gabors(session: Session) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The superseded table and the one that took its place."""
    new = part(session.passive, "taskReplay")["gabor"]
    return as_of(session, "alf/_ibl_passiveGabor.table.csv", "2025-12-01"), new


def _mistaken(session: Session, column: str) -> int:
    old, new = _gabors(session)
    return int((old.set_index("start")[column].reindex(new["start"]).to_numpy() != new[column]).sum())


def _row_by_row(session: Session) -> int:
    old, new = _gabors(session)
    return int((old["position"][: len(new)].to_numpy() != new["position"]).sum())


def _parts(session: Session) -> tuple[pd.DataFrame, np.ndarray]:
    """Spikes of each unit in the task and in the spontaneous part, and how long these last (s)."""
    alone = part(session.passive, "spontaneousActivity")["interval"]
    trials = session.trials
    intervals = np.array([[trials["intervals_0"].iloc[0], trials["intervals_1"].iloc[-1]], alone])
    counts = counts_in_intervals(_spikes(session), intervals)
    return counts.set_axis(["task", "spontaneous"], axis=1), intervals[:, 1] - intervals[:, 0]


def _busier(table: pd.DataFrame) -> int:
    return int((table["spontaneous"] > table["task"]).sum())


EXERCISES = {
    "08.1": Exercise(
        ask="Number of times that a pixel goes from grey to white.",
        solve=white_flashes,
        code="((frames[1:] == 255) & (frames[:-1] == 128)).sum()",
        hint="Which values has a pixel before and after a white flash begins? Ask for both, without subtracting.",
        mistakes=(
            Mistake(
                lambda session: int((np.diff(_frames(session), axis=0) > 0).sum()),
                "That is what the script prints. In uint8 there is no −128: what falls below 0 begins again at 255.",
            ),
            Mistake(
                lambda session: int((np.diff(_frames(session).astype(np.int16), axis=0) > 0).sum()),
                "Now differences are right. But a pixel also grows lighter when a black flash ends.",
            ),
            Mistake(
                lambda session: int((_frames(session) == 255).sum()),
                "These are frames in which a pixel is white: a flash lasts 12 or 13 of them.",
            ),
        ),
        tolerance=0,
        fault="Differences in uint8 are never negative, so darker pixels count too, and so do ends of black flashes.",
    ),
    "08.2": Exercise(
        ask="Number of units with a receptive field, corrected for the number of pixels and of units.",
        solve=units_with_a_field,
        code="(bwm.passive.receptive_fields(maps, chance)['p_adjusted'] < 0.05).sum()",
        hint="bwm.passive.receptive_fields(maps, chance) holds each best pixel against the best by chance.",
        mistakes=(
            Mistake(
                lambda session: int((_maps(session).z.max(axis=(1, 2, 3)) > 1.64).sum()),
                "1.64 is for a pixel that you chose before you looked. The best of 450 lies above it by chance.",
                "The best of many pixels can be tested like one.",
            ),
            Mistake(
                lambda session: int((_fields(session)["p"] < 0.05).sum()),
                "You took p, which is corrected for the pixels, and not for the number of units: see p_adjusted.",
            ),
        ),
        tolerance=0,
    ),
    "08.3": Exercise(
        ask="Number of units that answer otherwise in the task than in the replay (p_adjusted below .05).",
        solve=units_that_differ,
        code="(bwm.responses.selectivity(change, shown['part'], shown[['side', 'contrast']])"
        "['p_adjusted'] < 0.05).sum()",
        hint="selectivity(change, shown['part'], …) tests the difference itself, at equal side and contrast.",
        mistakes=(
            Mistake(
                _in_the_task_alone,
                "You counted units that are significant in the task and not in the replay. That nothing was found "
                "in one does not show that the two differ: test the difference.",
                "Significant here and not there means different.",
            ),
            Mistake(
                lambda session: int((_difference(session)["p"] < 0.05).sum()),
                "You took p, which is not corrected for the number of units: see p_adjusted.",
            ),
        ),
        tolerance=0,
    ),
    "08.4": Exercise(
        ask="Azimuth of the pixel with the largest z of this unit, in degrees.",
        solve=azimuth_of_the_best_pixel,
        code="8 * np.unravel_index(z.argmax(), z.shape)[2] - 56",
        hint="np.unravel_index(z.argmax(), z.shape) gives sign, row and column. Which of them runs from left to right?",
        mistakes=(
            Mistake(
                lambda session: degrees(*_best(session)[:0:-1])[0],
                "You took the row for x. The first index of an image counts rows, from the top: that is elevation.",
                "The first index of an image is x.",
            ),
            Mistake(
                lambda session: PIXEL * _best(session)[2],
                "That is degrees from the left edge. Azimuth is counted from the middle, which is column 7.",
            ),
            Mistake(
                lambda session: int(_best(session)[2]),
                "That is the number of the column. A pixel is 8° wide, and column 7 is the middle.",
            ),
        ),
        tolerance=0.5,
    ),
    "08.5": Exercise(
        ask="Number of gabors whose position is wrong in the superseded table.",
        solve=gabors_mistaken,
        code="(old.set_index('start')['position'].reindex(new['start']).to_numpy() != new['position']).sum()",
        hint="The same gabor has the same start in both tables. Match by it, not by the row's number.",
        mistakes=(
            Mistake(
                _row_by_row,
                "That is what the script prints. The first row of one is not the same gabor as the first of the other.",
            ),
            Mistake(
                lambda session: _mistaken(session, "contrast"),
                "You compared contrasts. Position is asked for.",
            ),
        ),
        tolerance=0,
        fault="Rows are compared by their number, and are other gabors: the start says which is which.",
    ),
    "08.6": Exercise(
        ask="Number of units that fire at a higher rate in the spontaneous part than in the task.",
        solve=units_busier_at_rest,
        code="(rates['spontaneous'] > rates['task']).sum()",
        hint="A rate is a count divided by the length of its own interval.",
        mistakes=(
            Mistake(
                lambda session: _busier(_parts(session)[0]),
                "These are counts. The task lasts much longer, so nearly every unit has more spikes in it.",
            ),
            Mistake(
                lambda session: len(_parts(session)[0]) - units_busier_at_rest(session),
                "These fire more in the task.",
            ),
        ),
        tolerance=0,
    ),
}
