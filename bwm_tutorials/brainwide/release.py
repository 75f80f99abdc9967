"""The release as tables: what a source holds, what is published of the Brain Wide Map, and how it has changed.

What a source holds is read from its tables, and its units from the table of all units, or from the clusters of its
insertions. What is published lies in ``published/``, each number with what it counts and where it stands; what the two
agree in is for a reader to see, and is asserted nowhere.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd

from ..analysis.regions import NOT_REGIONS, beryl, brain_regions, inside
from ..console import say
from ..errors import CorruptData, DataError, MissingDataset, Unreachable
from ..recordings.insertion import Insertion
from ..recordings.local import LocalOne
from ..recordings.session import Session
from . import aggregates

PUBLISHED = Path(__file__).parent / "published"
MEASURES = ["label", "firing_rate", "max_confidence", "noise_cutoff", "amp_median", "acronym"]
_DETAILS = ["lab", "subject", "date", "number"]


def sessions(one: LocalOne) -> pd.DataFrame:
    """The sessions of a source.

    Parameters
    ----------
    one : LocalOne
        As `connect` gives it.

    Returns
    -------
    DataFrame
        Indexed by ``eid`` (str), sorted by lab, subject, date and number, its first four columns; then
        ``insertions`` (int), how many are listed.
    """
    eids = one.search()
    rows = [{**one.get_details(eid), "eid": str(eid), "insertions": len(one.eid2pid(eid)[0] or [])} for eid in eids]
    table = pd.DataFrame(rows, columns=["eid", *_DETAILS, "insertions"])
    return table.sort_values(_DETAILS).set_index("eid")


def insertions(one: LocalOne) -> pd.DataFrame:
    """The probe insertions of a source.

    Parameters
    ----------
    one : LocalOne

    Returns
    -------
    DataFrame
        Indexed by ``pid`` (str), sorted as `sessions` and by probe: ``eid``, ``probe`` (its name), ``lab``,
        ``subject``, ``date``, ``number``, and ``sorted`` (bool), whether it has clusters with their quality.
    """
    return _with_sorted(_listed(one), one)


def units(one: LocalOne, eids: Iterable[str | UUID] | None = None) -> pd.DataFrame:
    """The units of the insertions of a source that are sorted.

    They are read from the table of all units, where the source has one (`aggregate`); from a server that is fetched
    first. Without it the clusters and channels of every insertion are read, some ten small files each;
    ``download_plan(one, eid, "clusters")`` has the price of one session. No spikes are read.

    Parameters
    ----------
    one : LocalOne
    eids : iterable of str or UUID, optional
        The sessions whose units to take; default all.

    Returns
    -------
    DataFrame
        Indexed by ``pid`` and ``cluster``; ``eid``, ``lab``, ``subject``, then of each unit ``label`` (the fraction of
        quality criteria passed), ``firing_rate`` (Hz), ``max_confidence`` (percent), ``noise_cutoff``, ``amp_median``
        (V) and ``acronym`` (Allen). What an older sorting did not measure is NaN.
    """
    there = _listed(one)
    if eids is not None:
        there = there[there["eid"].isin(map(str, eids))]
    table = _units_of_aggregate(one, there.index)
    table = _units_of_each(one, there) if table is None else table
    whose = there[["eid", "lab", "subject"]].reindex(table.index.get_level_values("pid")).set_index(table.index)
    return whose.join(table)


def insertions_in(one: LocalOne, region: str, good_units: int = 5) -> pd.DataFrame:
    """Find the insertions that hold a region, and count its units in each.

    Those whose spikes the source lacks are named in a printed sentence.

    Parameters
    ----------
    one : LocalOne
    region : str
        An acronym at any level of the Allen atlas: ``'CA1'``, ``'VISp5'``, ``'TH'``; as for `Session.good_units`.
    good_units : int
        Least number of good units (label 1) of the region that an insertion has.

    Returns
    -------
    DataFrame
        Indexed by ``pid``, those with most good units first: ``eid``, ``lab``, ``subject``, ``date``, ``probe`` (its
        name), ``good_units``, and ``units``, good or not.

    Raises
    ------
    DataError
        The atlas has no such region; the message lists the closest acronyms.
    """
    _check_region(region)
    table = units(one)
    good = table.loc[inside(table["acronym"], region), "label"] == 1
    counts = good.groupby(level="pid").agg(good_units="sum", units="size")
    found = _listed(one)[["eid", "lab", "subject", "date", "probe"]]
    found = found.join(counts[counts["good_units"] >= good_units], how="inner")
    found = found.sort_values("good_units", ascending=False, kind="stable").astype({"good_units": int, "units": int})
    one.look_up(*found["eid"].unique())
    lacking = [row for row in found.itertuples() if not Session(row.eid, one).has("spikes", row.probe)]
    if lacking:
        named = ", ".join(f"{row.subject} {row.date} {row.probe}" for row in lacking)
        say(f"{len(lacking)} of {len(found)} insertions with units in {region} lack their spikes here: {named}.")
    return found


def _listed(one: LocalOne) -> pd.DataFrame:
    """The insertions by pid, as `insertions` gives them, without looking into what the sessions have."""
    rows = []
    for eid, row in sessions(one)[_DETAILS].iterrows():
        pids, names = one.eid2pid(eid)
        for name, pid in sorted(zip(names or [], pids or [], strict=True)):
            rows.append({"pid": str(pid), "eid": eid, "probe": name, **row})
    return pd.DataFrame(rows, columns=["pid", "eid", "probe", *_DETAILS]).set_index("pid")


def _with_sorted(insertions: pd.DataFrame, one: LocalOne) -> pd.DataFrame:
    """Add whether each of these has clusters with their quality."""
    eids = insertions["eid"].unique()
    one.look_up(*eids)  # a server is asked for several at a time
    files = {eid: Session(eid, one).datasets.index for eid in eids}
    found = [
        files[eid].str.fullmatch(rf"alf/{name}/(pykilosort/)?clusters\.metrics\.pqt").any()
        for eid, name in zip(insertions["eid"], insertions["probe"], strict=True)
    ]
    return insertions.assign(sorted=pd.Series(found, insertions.index, dtype=bool))  # bool also where there are none


def _units_of_aggregate(one: LocalOne, pids: pd.Index) -> pd.DataFrame | None:
    """The units of insertions by the table of all units, in their order; None where it cannot be had."""
    try:
        table, _ = aggregates.read(one, "clusters", MEASURES)
    except MissingDataset:
        return None
    except (CorruptData, Unreachable) as error:
        say(f"{error} The clusters of each insertion are read instead.")
        return None
    table = table.assign(number=pids.get_indexer(table["pid"]), cluster=table["cluster_id"])
    table = table[table["number"] >= 0].sort_values(["number", "cluster"]).set_index(["pid", "cluster"])
    return table.reindex(columns=MEASURES)


def _units_of_each(one: LocalOne, insertions: pd.DataFrame) -> pd.DataFrame:
    """The units of insertions by the clusters of each that has any."""
    there = _with_sorted(insertions, one)
    found = {pid: Insertion(pid, one).clusters.reindex(columns=MEASURES) for pid in there.index[there["sorted"]]}
    empty = pd.DataFrame(columns=MEASURES, index=pd.MultiIndex.from_arrays([[], []]), dtype=object)
    return (pd.concat(found) if found else empty).rename_axis(["pid", "cluster"])


def _check_region(region: str) -> None:
    """Raise DataError unless the atlas has a region, or it is ``'all'``; a name is answered with its acronym."""
    atlas = brain_regions()
    if region == "all" or region in atlas.acronym:
        return
    asked = region.casefold()
    names = dict(zip(map(str.casefold, atlas.name), atlas.acronym, strict=True))
    called = [names[name] for name in get_close_matches(asked, names, 3, 0.6)]
    alike = {acronym.casefold(): acronym for acronym in atlas.acronym}
    near = get_close_matches(asked, alike, 20, 0.5)
    near = sorted(near, key=lambda acronym: (acronym != asked, acronym[:2] != asked[:2], acronym))
    found = list(dict.fromkeys(called + [alike[acronym] for acronym in near]))[:5]
    like = f"the closest that it has are {', '.join(found)}" if found else "it goes by acronyms, as 'CA1' or 'TH'"
    raise DataError(f"The Allen atlas has no region {region!r}; {like}.")


def superseded(session: Session) -> list[str]:
    """The files of a session that a newer version has taken the place of.

    Returns
    -------
    list of str
        Paths in the session's folder, sorted; one that is a revision itself has the folder of its date in it.
    """
    return sorted(set(session.one.list_datasets(session.eid)) - set(session.datasets["rel_path"]))


def as_of(session: Session, path: str, day: str) -> Any:
    """The content of a superseded file in its last version not later than a day, as ``one.load_dataset`` gives it.

    Parameters
    ----------
    session : Session
    path : str
        In the session's folder, without revision.
    day : str
        For example ``'2024-05-05'``.

    Raises
    ------
    MissingDataset
        The session has no such file, or one version of it alone.
    """
    if path not in superseded(session):
        raise MissingDataset(f"{session.name} has no older version of {path}.")
    folder, _, name = path.rpartition("/")
    return session.one.load_dataset(session.eid, name, folder, revision=day)


def selection(
    units: pd.DataFrame, min_label: float = 1, min_in_session: int = 5, min_sessions: int = 2, min_units: int = 20
) -> dict[str, pd.DataFrame]:
    """What is left of units at each step from all of them to those that the map's analyses take.

    Parameters
    ----------
    units : DataFrame
        Columns ``eid``, ``label`` and ``acronym`` (Allen), as `units` gives them.
    min_label : float
        Least ``label`` of a good unit.
    min_in_session : int
        A region is taken from those sessions in which it has so many good units; both probes of a session count
        together.
    min_sessions : int
        Least number of such sessions of a region.
    min_units : int
        Least number of units of a region that are then left: the canonical set.

    Returns
    -------
    dict of str to DataFrame
        All units, and those after each of five steps (good units, in grey matter, enough in a session, in enough
        sessions, enough in total), with a column ``Beryl``: the region's acronym in that list of the atlas. These are
        the steps of the paper [1]_, but for one that leaves out sessions with fewer than three errors: there are none.

    References
    ----------
    .. [1] int-brain-lab/paper-brain-wide-map: ``bwm_loading.filter_units_region``, and the counts in
       ``test_selection_criteria``, which `numbers` has by step.
    """
    left = units.assign(Beryl=beryl(units["acronym"]))
    steps = {"all units": left}
    steps["good units"] = left = left[left["label"] >= min_label]
    steps["in grey matter"] = left = left[~left["Beryl"].isin(NOT_REGIONS)]
    in_session = left.groupby(["Beryl", "eid"])["eid"].transform("size")
    steps["enough in a session"] = left = left[in_session >= min_in_session]
    n_sessions = left.groupby("Beryl")["eid"].transform("nunique")
    steps["in enough sessions"] = left = left[n_sessions >= min_sessions]
    in_region = left.groupby("Beryl")["eid"].transform("size")
    steps["enough in total"] = left[in_region >= min_units]
    return steps


def step_counts(steps: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How many units, and of how many regions, sessions and insertions, each step of a selection leaves.

    Parameters
    ----------
    steps : mapping of str to DataFrame
        As `selection` gives them, of units indexed by ``pid`` and ``cluster``.

    Returns
    -------
    DataFrame
        One row a step: ``sessions``, ``insertions``, ``units``, ``regions`` (of Beryl; root and void count as two until
        they are left out).
    """
    counts = {
        step: {
            "sessions": left["eid"].nunique(),
            "insertions": left.index.unique("pid").size,
            "units": len(left),
            "regions": left["Beryl"].nunique(),
        }
        for step, left in steps.items()
    }
    return pd.DataFrame.from_dict(counts, orient="index").rename_axis("step")


def numbers() -> pd.DataFrame:
    """What is published of the release in numbers, those that disagree too.

    Returns
    -------
    DataFrame
        ``quantity`` (sessions, insertions, subjects, labs, units, regions, trials or videos), ``value``, ``counts``
        (what is counted), ``step`` (of `selection`, or empty), ``source``, and ``url`` (empty where there is none to
        give).
    """
    return pd.read_csv(PUBLISHED / "numbers.csv", keep_default_na=False)


def changelog() -> pd.DataFrame:
    """The history of the release, oldest first.

    Returns
    -------
    DataFrame
        ``date`` (a day, or a quarter as ``2025-Q1``), ``entry``, ``kind`` (added, modified or fixed), ``what``,
        ``sessions`` (how many it concerns; NA where that is not said), ``datasets`` (patterns of paths, without
        revision) and ``revision`` (empty where none came of it), ``shown_by`` (what in the data shows it), ``link``
        (whether it is ``observed`` or ``inferred`` that these datasets came of this entry), ``on_page`` (bool: whether
        the page of the 2025 release lists it), ``source`` and ``url``.
    """
    return pd.read_csv(PUBLISHED / "changelog.csv", keep_default_na=False, na_values={"sessions": ""}).astype(
        {"sessions": "Int64"}
    )


def laboratories() -> pd.DataFrame:
    """What each laboratory gave to the release, counted in the paper's lists of insertions of 2022-10 and 2023-12.

    Returns
    -------
    DataFrame
        Indexed by ``lab``, 12 of them: ``insertions``, ``sessions`` and ``subjects`` of the release; the same of the
        first release (``insertions_2022`` and so on); and ``sessions_with_new_insertion``, of which an insertion came
        in 2024-02, whether or not the session was there before. The lists: int-brain-lab/paper-brain-wide-map,
        ``brainwidemap/fixtures``.
    """
    return pd.read_csv(PUBLISHED / "laboratories.csv", index_col="lab")
