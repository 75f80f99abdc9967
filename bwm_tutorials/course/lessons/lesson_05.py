"""The exercises of lesson 05, spike sorting outputs."""

from functools import cache

import numpy as np
import pandas as pd

from ...analysis.quality import trough_to_peak
from ...errors import MissingDataset
from ...recordings.insertion import Insertion
from ...recordings.session import Session
from ..exercise import Exercise, Mistake

UPPERMOST = 500  # µm
OUTSIDE = 3  # label of a channel that is out of the brain
NARROW = 0.4  # ms


def units_with_lost_spikes(session: Session) -> int:
    """05.1: number of units, of all probes, that fail the noise cutoff."""
    return int((_bits(session) & 2 > 0).sum())


def good_units_in_regions(session: Session) -> int:
    """05.2: number of good units, of all probes, that lie in a Beryl region."""
    return _in_regions(_units(session).query("label == 1"))


def good_units_near_the_surface(session: Session) -> int:
    """05.3: number of good units of the first probe in the uppermost 500 µm of the brain."""
    sites = _probe(session).channels
    if "labels" not in sites or not (sites["labels"] == OUTSIDE).any():
        raise MissingDataset(f"The probe of {session.name} has no channel that is known to be out of the brain.")
    return _good_above(session, sites.loc[sites["labels"] != OUTSIDE, "axial_um"].max() - UPPERMOST)


def units_with_too_few_spikes(session: Session) -> int:
    """05.4: number of units, of all probes, that fail the refractory criterion without two spikes within 2 ms."""
    units = _units(session)
    return int(((units["max_confidence"] < 90) & (units["n_spikes_below2"] == 0)).sum())


def narrow_share(session: Session) -> float:
    """05.5: share of the first probe's good units whose trough to peak is below .4 ms."""
    return float(pd.Series(_widths(session)[_good(session)] < NARROW).mean())


def start_of_longest_saturation(session: Session) -> float:
    """05.6: seconds on the session's clock at which the first probe's longest saturation begins."""
    return float(_longest_saturation(session)["start"])


def _probe(session: Session) -> Insertion:
    return session.insertions[0]


def _units(session: Session) -> pd.DataFrame:
    return pd.concat([probe.clusters for probe in session.insertions], ignore_index=True)


def _bits(session: Session) -> pd.Series:
    return _units(session)["bitwise_fail"].astype(int)


def _good(session: Session) -> np.ndarray:
    return (_probe(session).clusters["label"] == 1).to_numpy()


def _good_above(session: Session, depth: float) -> int:
    return int((_probe(session).clusters["depths"][_good(session)] > depth).sum())


@cache
def _atlas():
    from iblatlas.regions import BrainRegions

    return BrainRegions()


def _in_regions(units: pd.DataFrame) -> int:
    names = _atlas().acronym2acronym(units["acronym"], mapping="Beryl")
    return int((~np.isin(names, ["root", "void"])).sum())


def _widths(session: Session) -> np.ndarray:
    """Milliseconds from the trough to the peak after it, of each unit of the first probe."""
    return trough_to_peak(_probe(session).waveforms.waveforms)


def _longest_saturation(session: Session) -> pd.Series:
    table = _probe(session).saturation
    return table.loc[(table["stop_sample"] - table["start_sample"]).idxmax()]


EXERCISES = {
    "05.1": Exercise(
        ask="Number of units, of all probes, that fail the noise cutoff.",
        solve=units_with_lost_spikes,
        code="(units['bitwise_fail'] & 2 > 0).sum()",
        hint="A unit that fails two criteria has the sum of two numbers. Ask for one bit: units['bitwise_fail'] & 2.",
        mistakes=(
            Mistake(
                lambda session: int((_bits(session) == 2).sum()),
                "You counted units that fail this one alone. A unit that fails the refractory period too has 3.",
                "bitwise_fail is a category.",
            ),
            Mistake(
                lambda session: int((_bits(session) & 2).sum()),
                "& 2 gives 2 where the bit is set: count where that is above 0, do not add it up.",
            ),
            Mistake(
                lambda session: int((_bits(session) & 2 == 0).sum()),
                "Those are the units that pass it.",
            ),
            Mistake(
                lambda session: int((_bits(session) & 1).sum()),
                "That is the bit of the refractory period.",
            ),
            Mistake(
                lambda session: int((_probe(session).clusters["bitwise_fail"].astype(int) & 2 > 0).sum()),
                "Those of the first probe alone: `units` has all.",
            ),
        ),
        tolerance=0,
    ),
    "05.2": Exercise(
        ask="Number of good units that lie in a Beryl region; root and void are none.",
        solve=good_units_in_regions,
        code="len(units.query(\"label == 1 and Beryl not in ['root', 'void']\"))",
        hint="Two conditions: on the label, and on the column Beryl, which is to be neither 'root' nor 'void'.",
        mistakes=(
            Mistake(
                lambda session: _in_regions(_units(session)),
                "You counted all units. Many of them are several neurons, or parts of one: keep those with label 1.",
                "A unit is a neuron.",
            ),
            Mistake(
                lambda session: len(_units(session).query("label == 1")),
                "Some of these lie in root or void, which is in no region.",
            ),
            Mistake(
                lambda session: _in_regions(_probe(session).clusters.query("label == 1")),
                "Those are of the first probe alone: `units` has all.",
            ),
        ),
        tolerance=0,
    ),
    "05.3": Exercise(
        ask="Number of good units of the probe in the uppermost 500 µm of the brain.",
        solve=good_units_near_the_surface,
        code="(good['depths'] > probe.channels.query('labels != 3')['axial_um'].max() - 500).sum()",
        hint="From where are depths counted? The surface is at the highest channel whose label is not 3.",
        mistakes=(
            Mistake(
                lambda session: int((_probe(session).clusters["depths"][_good(session)] < UPPERMOST).sum()),
                "Depths are counted from the tip of the probe upwards: those are the deepest units.",
                "Depth is the depth in the brain.",
            ),
            Mistake(
                lambda session: _good_above(session, UPPERMOST),
                "Those are all that lie more than 500 µm above the tip. Count down from the surface.",
            ),
            Mistake(
                lambda session: _good_above(session, _probe(session).channels["axial_um"].max() - UPPERMOST),
                "You took the top of the probe for the surface. Its upper channels are out of the brain (label 3).",
            ),
        ),
        tolerance=0,
        fault="Depths count from the tip of the probe upwards, so the smallest are those of the deepest units.",
    ),
    "05.4": Exercise(
        ask="Number of units, of all probes, that fail the refractory criterion without two spikes within 2 ms.",
        solve=units_with_too_few_spikes,
        code="((units['max_confidence'] < 90) & (units['n_spikes_below2'] == 0)).sum()",
        hint="Two conditions joined by &, each in brackets: on max_confidence and on n_spikes_below2.",
        mistakes=(
            Mistake(
                lambda session: int(
                    ((_units(session)["slidingRP_viol"] == 1) & (_units(session)["n_spikes_below2"] == 0)).sum()
                ),
                "slidingRP_viol is 1 where a unit passes, whatever its name says.",
            ),
            Mistake(
                lambda session: int((_units(session)["n_spikes_below2"] == 0).sum()),
                "That holds the units that pass as well.",
            ),
            Mistake(
                lambda session: int((_bits(session) & 1).sum()),
                "Those are all that fail it, also those with spikes too close to one another.",
            ),
        ),
        tolerance=0,
    ),
    "05.5": Exercise(
        ask="Share of the probe's good units that are narrow (below .4 ms), as a fraction to three decimals.",
        solve=narrow_share,
        code="(width[good_units] < 0.4).mean()",
        hint="The mean of True and False is a share. Select the good units first.",
        mistakes=(
            Mistake(
                lambda session: float((_widths(session) < NARROW).mean()),
                "You took all units.",
            ),
            Mistake(
                lambda session: float((_widths(session)[_good(session)] <= NARROW).mean()),
                "You took those of exactly .4 ms too: narrow is below.",
            ),
            Mistake(
                lambda session: 100 * narrow_share(session),
                "That is in percent; the question asks for a fraction.",
            ),
            Mistake(
                lambda session: int((_widths(session)[_good(session)] < NARROW).sum()),
                "That is how many there are: divide by the number of good units.",
            ),
        ),
        tolerance=0.001,
    ),
    "05.6": Exercise(
        ask="Start of the probe's longest saturation, in s on the session's clock, to the millisecond.",
        solve=start_of_longest_saturation,
        code="np.interp(longest[0] * 30_000, clock[:, 0], clock[:, 1])",
        hint="The probe counts its own samples. `clock` says which sample is at which second: see np.interp.",
        mistakes=(
            Mistake(
                lambda session: float(_longest_saturation(session)["start_sample"] / 30_000),
                "You divided by 30,000. The probe began to count at another moment, and not at quite that rate.",
            ),
            Mistake(
                lambda session: float(_longest_saturation(session)["start_sample"]),
                "That is a number of samples.",
            ),
        ),
        tolerance=0.002,
        fault="The probe began to count at another moment than the session, and not at quite 30,000 a second.",
    ),
}
