"""Hold an analysis against many sessions of which the truth is known: what it finds, and what it finds in nothing."""

import gc
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..paths import claim, data_folder
from ..recordings.session import Session
from ..recordings.sources import connect

FIRST_SEED = 1001  # of sessions that no lesson shows, so that nothing can have been tuned on them
SECONDS = 1.3  # to build one
SURE = 0.01  # how often an analysis that is right is failed by chance, for each of the two things that may be wrong


@dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """What `audit` found.

    Attributes
    ----------
    name : str
        Of the analysis.
    seeds : DataFrame
        One row a seed. ``false_positives``: the fraction flagged of the units of the null session; of the main
        session's units, ``others`` (without the effect) and ``power`` (with it); NaN where no such unit was tested.
        ``n_false_positives``, ``n_others``, ``n_power``: how many units were tested.
    effect : str or None
        The variable that the analysis looks for.
    alpha : float
        The fraction of units without the effect that it may flag.
    """

    name: str
    seeds: pd.DataFrame
    effect: str | None
    alpha: float

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The seeds together: rows ``false_positives`` and, if an effect was named, ``others`` and ``power``.

        Columns: ``rate``, the mean over seeds; ``sd`` from seed to seed; ``sd_independent``, what that would be if
        units were flagged independently of each other; ``lowest`` and ``highest`` seed; ``n_units`` of all seeds;
        ``limit``, above which a mean is more than chance makes of ``alpha`` (NaN for power, and for a single seed).
        """
        from scipy.stats import t

        rows = {}
        for what in self.seeds.columns[: self.seeds.columns.size // 2]:
            tested = self.seeds[self.seeds[f"n_{what}"] > 0]
            if tested.empty:
                continue
            rates, n_units, n_seeds = tested[what], tested[f"n_{what}"], len(tested)
            rate = rates.mean()
            row = {"rate": rate, "sd": rates.std(), "sd_independent": np.sqrt(rate * (1 - rate) * (1 / n_units).mean())}
            row |= {"lowest": rates.min(), "highest": rates.max(), "n_units": n_units.sum(), "limit": np.nan}
            if what != "power" and n_seeds > 1:
                # A one-sided t test over seeds, for the units of a session are wrong together. Few seeds may agree by
                # accident: they are taken to differ at least as much as if units were independent.
                independent = np.sqrt(self.alpha * (1 - self.alpha) / n_units.sum())
                error = max(rates.std() / np.sqrt(n_seeds), independent)
                row["limit"] = self.alpha + t.isf(SURE, n_seeds - 1) * error
            rows[what] = row
        return pd.DataFrame.from_dict(rows, orient="index").astype({"n_units": int})

    @property
    def passes(self) -> bool | None:
        """True if neither the null session's units nor those without the effect are flagged too often.

        None with a single seed, whose units share one sequence of trials and are wrong together.
        """
        held = self.summary.drop(index="power", errors="ignore")
        return None if held["limit"].isna().any() else bool((held["rate"] <= held["limit"]).all())

    @property
    def variable(self) -> str:
        """The effect with its article, as a text has it."""
        return self.effect if self.effect == "licking" else f"the {self.effect}"

    @property
    def verdict(self) -> str:
        """Whether the analysis passes, and why, in a sentence."""
        rate, limit = self.summary["rate"], self.summary["limit"]
        if self.passes is None:
            head = "cannot be judged by so few seeds"
        elif self.passes:
            head = "passes"
        elif rate["false_positives"] > limit["false_positives"]:
            head = "fails, for it finds things in nothing"
        else:
            head = f"fails, for it takes other things for {self.variable}"
        of = {
            "false_positives": "of the units in null sessions",
            "others": f"of units that do not know {self.variable}",
            "power": "of those that do",
        }
        passes = {what: f" (at most {_percent(most)} passes)" for what, most in limit.dropna().items()}
        *parts, last = (f"{_percent(rate[what])} {of[what]}{passes.get(what, '')}" for what in rate.index)
        found = f"{', '.join(parts)} and {last}" if parts else last
        n = len(self.seeds)
        over = f"{n} seed{'s' * (n > 1)}"
        return f"{self.name} {head}: at a level of {_percent(self.alpha)} and over {over} it flags {found}."

    def __repr__(self) -> str:
        return f"{textwrap.fill(self.verdict, 92)}\n\n{self.summary.round(3).to_string()}"


def audit(
    analysis: Callable[[Session], npt.ArrayLike], effect: str | None = None, n: int = 20, alpha: float = 0.05
) -> Audit:
    """Run an analysis on many sessions and on their null twins, and say how often it is right and how often wrong.

    Parameters
    ----------
    analysis : callable
        Is given a `Session` and returns, for the units of its probe, p values (float; a unit is flagged if its p is
        below ``alpha``) or what it found (bool): a Series by cluster id, or an array with a value for each row of
        ``session.insertions[0].clusters``. A unit that is left out or NaN is not tested. Where it draws random numbers,
        let it seed them, or no two audits agree.
    effect : {'stimulus', 'choice', 'feedback', 'wheel', 'licking', 'block'}, optional
        The variable that a flagged unit is said to know (``<effect>_gain`` in the truth is not 0). Without it, power is
        unknown, and only the null sessions are held against ``alpha``.
    n : int
        How many seeds, from 1001 on.
    alpha : float
        The fraction of units without the effect that a right analysis flags, at most.

    Returns
    -------
    Audit
        ``.passes``, ``.verdict`` (a sentence), ``.summary`` and ``.seeds`` (tables); `plots.audit` draws it. The
        analysis fails if the mean rate over seeds, of the null sessions or of the main sessions' units without the
        effect, lies above ``alpha`` by a one-sided t-test over seeds at the 1 % level.

    Raises
    ------
    ValueError
        There is no such effect, or the analysis returns something else; what the analysis itself raises comes with a
        note of the seed.
    DataError
        The sessions cannot be built: no space, or a folder that cannot be written to.

    Notes
    -----
    Each seed has a main session as the sample's (the same shares of units that know the variables) and a null twin of
    the same behaviour: 40 minutes of the task, about 440 trials, one probe of 20 units, no video, no passive protocol.
    They are built once, in about 1.3 s and 20 MB a seed, in ``audit/`` in the data folder; ``bwm-tutorials clean``
    deletes them. Passing is necessary, not sufficient: real recordings can hold what the simulation lacks.
    """
    from tqdm import tqdm

    from ..console import no_terminal
    from ..simulate import sample
    from ..simulate.neurons import GAIN
    from ..simulate.plans import audited

    if effect is not None and effect not in GAIN:
        raise ValueError(f"No effect {effect!r} is put into units; there are {', '.join(GAIN)}.")
    if n < 1 or not 0 < alpha < 1:
        raise ValueError(f"An audit takes one seed or more and a level between 0 and 1, not n={n} and alpha={alpha}.")
    name = getattr(analysis, "__name__", type(analysis).__name__)
    folder, seeds = claim(data_folder() / "audit"), range(FIRST_SEED, FIRST_SEED + n)
    missing = sum(not sample.is_complete(folder, _name(seed)) for seed in seeds)
    building = f", after building {missing} of {n} seeds, about {missing * SECONDS:.0f} s" if missing else ""
    rows = {}
    # One seed after the other. Threads gain nothing: the simulation and most analyses hold the interpreter, and numpy's
    # products use all cores as it is. To other processes Python cannot send a function of a notebook, forking a kernel
    # that has threads is not safe, and each process that builds would take half as much memory again.
    for seed in tqdm(seeds, f"Auditing {name}{building}", leave=False, disable=no_terminal()):
        one = connect(sample.ensure(folder, name=_name(seed), plans=audited(seed), seed=seed))
        main = Session(one=one)
        flagged, null = (_flagged(analysis, session, alpha) for session in (main, main.null))
        groups = {"false_positives": null}
        if effect is not None:
            knows = _units(main)[f"{effect}_gain"] != 0
            groups |= {"others": flagged[~knows], "power": flagged[knows]}
        counts = {f"n_{what}": group.count() for what, group in groups.items()}
        rows[seed] = {what: group.mean() for what, group in groups.items()} | counts
        gc.collect()  # sessions and their probes hold each other, and would stay in memory until Python looks
    if not any(row["n_false_positives"] for row in rows.values()):
        raise ValueError(f"{name} tested no unit of any null session: all that it returned is NaN or empty.")
    return Audit(name, pd.DataFrame.from_dict(rows, orient="index").rename_axis("seed"), effect, alpha)


def _name(seed: int) -> str:
    return f"seed-{seed}"


def _units(session: Session) -> pd.DataFrame:
    """What was put into the units of its one probe, by cluster id."""
    return session.truth.units.set_index("cluster_id").rename_axis("cluster")


def _flagged(analysis: Callable[[Session], npt.ArrayLike], session: Session, alpha: float) -> pd.Series:
    """Of each unit 1 (flagged), 0, or NaN (not tested)."""
    units = _units(session).index
    try:
        found = analysis(session)
    except Exception as error:
        where = f"bwm.Session({session.eid!r}, bwm.connect({str(session.one.cache_dir)!r}))"
        error.add_note(f"bwm.audit gave it the session of seed {session.seed}: {where}")
        raise
    said = f"On the session of seed {session.seed} the analysis returned"
    if not isinstance(found, pd.Series):
        if np.shape(found) != (len(units),):
            raise ValueError(
                f"{said} an array of shape {np.shape(found)}, and the probe has {len(units)} units: return a Series by "
                "cluster id (pd.Series(p, counts.index)), or a value for each unit."
            )
        found = pd.Series(found, units)
    if not found.index.is_unique or not found.index.isin(units).all():
        raise ValueError(f"{said} a Series whose index is not of different cluster ids ({_some(found.index)}).")
    is_bool, values = pd.api.types.is_bool_dtype(found), None
    if is_bool or pd.api.types.is_float_dtype(found):
        values = found.to_numpy(float, na_value=np.nan)
    if values is None or not ((values >= 0) & (values <= 1) | np.isnan(values)).all():
        raise ValueError(f"{said} neither p values (float, 0 to 1) nor detections (bool): {_some(found)}.")
    flagged = values == 1 if is_bool else values < alpha
    return pd.Series(np.where(np.isnan(values), np.nan, flagged), found.index).reindex(units)


def _some(values: pd.Series | pd.Index) -> str:
    return f"{', '.join(map(str, values[:5]))}{', …' if len(values) > 5 else ''}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2g} %"
