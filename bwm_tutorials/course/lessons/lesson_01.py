"""The exercises of lesson 01, data structure."""

import pandas as pd

from ...errors import MissingDataset
from ...recordings.insertion import Insertion
from ...recordings.session import Session
from ..exercise import Exercise, Mistake

TABLE = "_ibl_trials.table.pqt"
BEFORE_ALL_REVISIONS = "2020-12-31"


def span_of_good_units(session: Session) -> float:
    """01.1: millimetres from the lowest to the highest good unit of the first probe."""
    depths = _good(session)["depths"]
    return (depths.max() - depths.min()) / 1000


def region_of_highest_good_unit(session: Session) -> str:
    """01.2: acronym of the region of the good unit that lies highest on the first probe."""
    highest = _good(session).sort_values("depths").iloc[-1]
    return str(_probe(session).channels.loc[highest["channels"], "acronym"])


def height_of_deepest_unit(session: Session) -> float:
    """01.3: micrometres from the height of the lowest channel to that of the deepest unit."""
    lowest, deepest = _lowest_and_deepest(session)
    return 1e6 * abs(deepest - lowest)


def stimuli_that_moved(session: Session) -> int:
    """01.4: number of trials whose stimulus has another time in the two versions of the trials table."""
    old, new = _two_versions(session)
    moved = (old["stimOn_times"] - new["stimOn_times"]).abs()
    return int((moved > 0).sum())


def trials_without_go_cue(session: Session) -> int:
    """01.5: number of trials whose go cue has no time, in the version that is loaded by default."""
    return int(_two_versions(session)[1]["goCue_times"].isna().sum())


def _probe(session: Session) -> Insertion:
    return session.insertions[0]


def _good(session: Session) -> pd.DataFrame:
    return _probe(session).clusters.query("label == 1")


def _lowest_and_deepest(session: Session) -> tuple[float, float]:
    """Heights (z, m) of the lowest channel and of the deepest unit."""
    probe = _probe(session)
    return probe.channels["z"].iloc[0], probe.clusters.sort_values("depths")["z"].iloc[0]


def _two_versions(session: Session) -> tuple[pd.DataFrame, pd.DataFrame]:
    old = session.one.load_dataset(session.eid, TABLE, collection="alf", revision=BEFORE_ALL_REVISIONS)
    new = session.one.load_dataset(session.eid, TABLE, collection="alf")
    if old.equals(new):
        raise MissingDataset(f"{session.name} has one version of its trials table.")
    return old, new


def _acronym_at_cluster_number(session: Session) -> str:
    highest = _good(session)["depths"].idxmax()
    return str(_probe(session).channels["acronym"].iloc[highest])


def _micrometres_minus_metres(session: Session) -> float:
    lowest, deepest = _lowest_and_deepest(session)
    return abs(deepest - 1e6 * lowest)


def _unlike_with_nan(session: Session) -> int:
    old, new = _two_versions(session)
    return int((old["stimOn_times"] != new["stimOn_times"]).sum())


def _without_go_cue_in_the_old_version(session: Session) -> int:
    return int(_two_versions(session)[0]["goCue_times"].isna().sum())


EXERCISES = {
    "01.1": Exercise(
        ask="Distance along the probe from the lowest to the highest good unit, in mm.",
        solve=span_of_good_units,
        code="probe.clusters.query('label == 1')['depths'].agg(lambda depths: depths.max() - depths.min()) / 1000",
        hint="Keep the rows with label 1, take the largest of their depths minus the smallest, and mind the unit.",
        mistakes=(
            Mistake(
                lambda session: 1000 * span_of_good_units(session),
                "That is in µm, as the depths are stored; the question asks for mm.",
            ),
            Mistake(
                lambda session: 1e6 * span_of_good_units(session),
                "You took the depths for metres. They are µm from the tip of the probe.",
                "Lengths are stored in metres.",
            ),
            Mistake(
                lambda session: span_of_good_units(session) / 1000,
                "That is in metres; the question asks for mm.",
            ),
        ),
        tolerance=0.01,
    ),
    "01.2": Exercise(
        ask="Acronym of the region of the highest good unit, in quotes.",
        solve=region_of_highest_good_unit,
        code="probe.channels['acronym'][probe.clusters.query('label == 1').nlargest(1, 'depths')['channels'].item()]",
        hint="Find the good unit with the largest depth, then its channel, then that row of the channels.",
        mistakes=(
            Mistake(
                _acronym_at_cluster_number,
                "You looked up the channel whose number is the unit's. A unit's channel is in the column `channels`.",
                "A cluster's number is the number of its channel.",
            ),
            Mistake(
                lambda session: str(_good(session).sort_values("depths")["acronym"].iloc[0]),
                "That is the deepest one: depths are measured from the tip, so the highest unit has the largest.",
            ),
        ),
        tolerance=0,
    ),
    "01.3": Exercise(
        ask="Height of the deepest unit above the lowest channel, in µm.",
        solve=height_of_deepest_unit,
        code="1e6 * abs(deepest['z'] - lowest[2] / 1e6)",
        hint="A brain is about 8 mm high. Which of the two numbers that are subtracted is in which unit?",
        mistakes=(
            Mistake(
                _micrometres_minus_metres,
                "One number is in µm (from the file), the other in m (from the table): bring them to one unit first.",
            ),
            Mistake(
                lambda session: height_of_deepest_unit(session) / 1e6,
                "That is right in metres; the question asks for µm.",
            ),
            Mistake(
                lambda session: _probe(session).clusters["depths"].min(),
                "That is a depth along the probe. Compare the heights, z.",
            ),
        ),
        tolerance=0.5,
        fault="One number is in µm (from a file), the other in m (from a table), and nothing keeps them apart.",
    ),
    "01.4": Exercise(
        ask="Number of trials whose stimulus has another time in `old` than in `new`.",
        solve=stimuli_that_moved,
        code="((old['stimOn_times'] - new['stimOn_times']).abs() > 0).sum()",
        hint="Subtract stimOn_times of `new` from that of `old`, take .abs(), and count what is larger than 0.",
        mistakes=(
            Mistake(
                lambda session: 0,
                "You compared the default with itself: without a revision, load_dataset gives the same version twice.",
                "A session has one version of each file.",
            ),
            Mistake(
                _unlike_with_nan,
                "You counted trials without a time as well: NaN is not equal to NaN.",
            ),
        ),
        tolerance=0,
    ),
    "01.5": Exercise(
        ask="Number of trials without a go cue time, in the version that is loaded by default.",
        solve=trials_without_go_cue,
        code="new['goCue_times'].isna().sum()",
        hint="A path without a revision folder leads to the original file. Let ONE or Session choose the version.",
        mistakes=(
            Mistake(
                _without_go_cue_in_the_old_version,
                "That is the count in the original file, which a later revision corrects.",
            ),
        ),
        tolerance=0,
        fault="The path leads to the original file, past the revision that corrects it.",
    ),
}
