"""Brain regions: the Allen atlas' acronyms, what lies in what, and what is no region."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from iblatlas.regions import BrainRegions

NOT_REGIONS = ("root", "void")  # the whole brain, which is where Beryl puts fibre tracts too, and what is not brain


@cache
def brain_regions() -> "BrainRegions":
    """Return the atlas' regions and their mappings (Allen, Beryl, Cosmos, …), as ``iblatlas`` has them."""
    from iblatlas.regions import BrainRegions

    return BrainRegions()


def inside(acronyms: pd.Series, region: str) -> pd.Series:
    """Tell which acronyms are of a region or of a part of it.

    Parameters
    ----------
    acronyms : Series of str
    region : str
        An acronym at any level of the Allen atlas; ``'all'`` takes every region, but not `NOT_REGIONS`. Nothing is
        inside of one that the atlas does not have, and what is not known (NaN) is inside of none.

    Returns
    -------
    Series of bool
    """
    if region == "all":
        return acronyms.notna() & ~acronyms.isin(NOT_REGIONS)
    atlas = brain_regions()
    return acronyms.isin(atlas.descendants(atlas.acronym2id(region))["acronym"] if region in atlas.acronym else [])


def beryl(acronyms: pd.Series) -> pd.Series:
    """Return the region of each acronym in the Beryl mapping, by which the Brain Wide Map names regions.

    NaN for an acronym that the atlas does not have, as in `cosmos`.
    """
    return _mapped(acronyms, "Beryl")


def cosmos(acronyms: pd.Series) -> pd.Series:
    """Return the part of the brain of each acronym, one of the ten of the Cosmos mapping; or root, or void."""
    return _mapped(acronyms, "Cosmos")


def _mapped(acronyms: pd.Series, mapping: str) -> pd.Series:
    atlas = brain_regions()
    known = np.array(
        [name for name in acronyms.unique() if name in atlas.acronym], str
    )  # each unit's own takes minutes
    found = atlas.acronym2acronym(known, mapping=mapping) if known.size else known
    return acronyms.map(dict(zip(known, found, strict=True)))
