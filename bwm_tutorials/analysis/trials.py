"""The trials: what was shown, what the mouse chose, how soon, and in which block.

Conventions of the release: ``choice`` is +1 for a left report and −1 for a right one; contrasts are fractions, NaN
on the side without a stimulus. Here signed contrasts are percent, right positive, as in ``brainbox``, and sides are −1
for left and +1 for right. NaN is what is not known: of a choice no choice, of feedback neither reward nor none. Columns
of other words, such as contrasts in percent, are refused (see `vocabulary`).
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import erf

from ..console import say_once
from ..errors import TooFew
from .checks import at_least, for_each, labels, native_table, numbers, one_of, some
from .statistics import best_fit
from .vocabulary import column, require

Z_95 = 1.959963984540054
EARLIEST, LATEST = 0.08, 2.0  # s from the stimulus to the first movement, in the trials that the Brain Wide Map keeps
EVENTS = ("stimOn_times", "choice", "feedback_times", "probabilityLeft", "firstMovement_times", "feedbackType")
"""Columns that must not be NaN in them."""
PSYCHOMETRIC = {"bias": (-100, 100), "threshold": (0.1, 100), "lapse_low": (0, 0.5), "lapse_high": (0, 0.5)}
"""Parameters of a psychometric curve and their limits: percent contrast, percent contrast, fraction, fraction."""
SIDES = {-1: "left", 1: "right"}
OUTCOMES, TIMINGS = ("rewarded", "not rewarded", "no choice"), ("early", "in time", "late")


def signed_contrast(trials: pd.DataFrame) -> np.ndarray:
    """Contrast in percent, positive on the right, negative on the left.

    Returns
    -------
    ndarray, shape (n_trials,)
        A trial at 0 % contrast gives 0 whichever side it was assigned to, one without any contrast NaN. Agrees with
        ``brainbox.behavior.training.get_signed_contrast``, which gives 0 there as well.
    """
    left, right = column(trials, "contrastLeft"), column(trials, "contrastRight")
    return np.where(np.isnan(left) & np.isnan(right), np.nan, 100 * (np.nan_to_num(right) - np.nan_to_num(left)))


def stimulus_side(trials: pd.DataFrame) -> np.ndarray:
    """The side of the stimulus: −1 left, +1 right, 0 if it is not known.

    A stimulus of 0 % contrast has a side too: that of the column that is not NaN. Where both are known, as in tables
    that have 0 on the side without a stimulus, it is the side of the higher contrast; it is said once in how many
    trials neither is.
    """
    left, right = column(trials, "contrastLeft"), column(trials, "contrastRight")
    side = np.where(np.isnan(right), 0, 1) - np.where(np.isnan(left), 0, 1)
    both = ~np.isnan(left) & ~np.isnan(right)
    side[both] = np.sign(right - left)[both]
    if unknown := int((both & (side == 0)).sum()):
        say_once(
            f"In {unknown} of {len(trials)} trials both sides have the same contrast: the stimulus' side is not known."
        )
    return side


def chosen_side(trials: pd.DataFrame) -> np.ndarray:
    """The side that the mouse reported: −1 left, +1 right, 0 without a choice; the release's ``choice``, negated."""
    return -np.nan_to_num(column(trials, "choice")).astype(int)


def psychometric(trials: pd.DataFrame) -> pd.DataFrame:
    """How often the mouse reported *right* at each signed contrast.

    Parameters
    ----------
    trials : DataFrame
        Columns contrastLeft, contrastRight, choice. Trials without a choice (0 or NaN) or a contrast are left out.

    Returns
    -------
    DataFrame
        Indexed by signed contrast (percent, right positive): ``n_trials``, ``p_right`` (fraction), and ``low`` and
        ``high``, the 95 % Wilson limits of ``p_right`` (Wilson 1927).
    """
    side = chosen_side(trials)
    table = proportions(np.where(side == 0, np.nan, side > 0), signed_contrast(trials))
    return table.rename(columns={"p": "p_right"}).rename_axis("signed_contrast")


def proportions(holds: np.ndarray, by: np.ndarray | pd.Series | pd.Categorical) -> pd.DataFrame:
    """How often something holds, in each group of trials.

    Parameters
    ----------
    holds : array-like of bool, shape (n_trials,)
        Or 1 and 0, with NaN for trials to leave out.
    by : array-like, shape (n_trials,)
        The group of each trial: its contrast, or bins of its latency (``pandas.cut``). NaN is left out.

    Returns
    -------
    DataFrame
        One row a group: ``n_trials``, ``p`` (fraction), and ``low`` and ``high``, the 95 % Wilson limits of ``p``
        (Wilson 1927).
    """
    holds, by = pd.Series(numbers(holds, "values of holds")), labels(by)
    if len(holds) != len(by):
        raise ValueError(f"There are {len(holds)} trials, and by has groups for {len(by)}.")
    if not holds.dropna().isin((0, 1)).all():
        raise ValueError(f"Something holds (1) or does not (0); here are {some(np.unique(holds.dropna()))}.")
    groups = holds.dropna().groupby(by, observed=True)
    table = groups.agg(["size", "mean"]).set_axis(["n_trials", "p"], axis=1)
    n, p = table["n_trials"], table["p"]
    centre = (p + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 * np.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n**2)) / (1 + Z_95**2 / n)
    # At p of 0 and 1 the limit is p itself, but for the last bit.
    table["low"], table["high"] = np.minimum(centre - half, p), np.maximum(centre + half, p)
    return table


def fit_psychometric(table: pd.DataFrame) -> pd.Series:
    """Fit an error function with two lapse rates to a psychometric table.

    Parameters
    ----------
    table : DataFrame
        As `psychometric` gives it; four contrasts or more.

    Returns
    -------
    Series
        ``bias`` and ``threshold`` (percent contrast), ``lapse_low`` and ``lapse_high`` (fractions: how far the curve
        stays from 0 on the left and from 1 on the right), ``log_likelihood`` (natural logarithm).

    Raises
    ------
    TooFew
        Fewer than four contrasts, which cannot hold four parameters.

    Notes
    -----
    Maximum likelihood of psychofit's ``erf_psycho_2gammas``, whose likelihood has several peaks, above all in small
    blocks: the best of nine searches from fixed starting points, the same each time. A search keeps to its limits (a
    threshold of .1 to 100 %, lapse rates up to .5) better than psychofit's own, which may get stuck at them. Between
    two contrasts nothing tells where a steep curve rises: there, bias and threshold are one choice of many.
    """
    if len(table) < 4:
        raise TooFew(f"Fitting four parameters takes four contrasts or more; this table has {len(table)}.")
    names, limits = list(PSYCHOMETRIC), np.array(list(PSYCHOMETRIC.values()))

    def loss(parameters: np.ndarray) -> float:
        return -psychometric_log_likelihood(table, dict(zip(names, parameters, strict=True)))

    starts = [(bias, threshold, 0.05, 0.05) for bias in (-10, 0.5, 10) for threshold in (2, 10, 40)]
    return best_fit(loss, starts, limits, names)


def psychometric_log_likelihood(table: pd.DataFrame, parameters: Mapping[str, float]) -> float:
    """How probable the choices of a psychometric table are, for given parameters of the curve.

    Parameters
    ----------
    table : DataFrame
        As `psychometric` gives it.
    parameters : mapping
        ``bias``, ``threshold``, ``lapse_low`` and ``lapse_high``, as `fit_psychometric` gives them.

    Returns
    -------
    float
        Natural logarithm, by psychofit's ``neg_likelihood``; the fit has the highest.
    """
    import psychofit

    data = np.vstack([table.index, table["n_trials"], table["p_right"]])
    given, limits = [parameters[name] for name in PSYCHOMETRIC], np.array(list(PSYCHOMETRIC.values()))
    return -psychofit.neg_likelihood(given, data, "erf_psycho_2gammas", *limits.T)


def psychometric_curve(fit: pd.Series, signed_contrast: np.ndarray) -> np.ndarray:
    """The fitted probability of a right report at signed contrasts (percent)."""
    rise = (1 + erf((signed_contrast - fit["bias"]) / fit["threshold"])) / 2
    return fit["lapse_low"] + (1 - fit["lapse_low"] - fit["lapse_high"]) * rise


def movement_latency(trials: pd.DataFrame) -> np.ndarray:
    """Seconds from the stimulus to the first movement of the wheel: the Brain Wide Map's reaction time.

    Negative when the mouse moved before the stimulus came, NaN when it did not move. MissingDataset if the trials have
    no ``firstMovement_times``.
    """
    require(trials, ["firstMovement_times", "stimOn_times"])
    return column(trials, "firstMovement_times") - column(trials, "stimOn_times")


def response_latency(trials: pd.DataFrame) -> np.ndarray:
    """Seconds from the stimulus to the response, when the wheel passed the threshold (or 60 s had gone by)."""
    require(trials, ["response_times", "stimOn_times"])
    return column(trials, "response_times") - column(trials, "stimOn_times")


def latencies(trials: pd.DataFrame) -> pd.DataFrame:
    """What goes by the name of reaction time: the three latencies of each trial, or as many as its table has.

    Parameters
    ----------
    trials : DataFrame
        Column stimOn_times; firstMovement_times, goCue_times and response_times where there are any.

    Returns
    -------
    DataFrame
        Indexed like ``trials``, in seconds, in this order: ``stimulus to movement`` (the Brain Wide Map's, as
        `movement_latency`), ``go cue to movement`` (as ``brainbox.io.one.load_wheel_reaction_times``), ``stimulus to
        response`` (as `response_latency`). A latency whose columns are missing is left out, so that the first column
        is the best that there is; MissingDataset where there is none.
    """
    ends = {
        "stimulus to movement": ("stimOn_times", "firstMovement_times"),
        "go cue to movement": ("goCue_times", "firstMovement_times"),
        "stimulus to response": ("stimOn_times", "response_times"),
    }
    known = {name: pair for name, pair in ends.items() if set(pair) <= set(trials)}
    if not known:
        require(trials, ["stimOn_times", "firstMovement_times", "response_times"])
    found = {name: column(trials, stop) - column(trials, start) for name, (start, stop) in known.items()}
    return pd.DataFrame(found, trials.index)


def select(
    trials: pd.DataFrame,
    side: int | None = None,
    contrast: float | None = None,
    outcome: str | None = None,
    timing: str | None = None,
    block: float | None = None,
) -> pd.DataFrame:
    """The trials that fit, of those whose stimulus has a time.

    Parameters
    ----------
    trials : DataFrame
    side : {-1, 1}, optional
        Of the stimulus: left, right.
    contrast : float, optional
        Percent, of either side.
    outcome : {'rewarded', 'not rewarded', 'no choice'}, optional
        As in `outcomes`.
    timing : {'early', 'in time', 'late'}, optional
        When the first movement came: before `EARLIEST`, until `LATEST`, later. MissingDataset if that is not known.
    block : float, optional
        Its ``probabilityLeft``.

    Returns
    -------
    DataFrame
        Rows of ``trials``; None of a parameter takes all.

    Raises
    ------
    ValueError
        There is no such side, outcome or timing.
    TooFew
        No trial at all has this contrast, or this block; the message lists those that there are.
    """
    fits = ~np.isnan(column(trials, "stimOn_times"))
    if side is not None:
        fits &= stimulus_side(trials) == one_of(side, SIDES, "side")
    if contrast is not None:
        fits &= _equal(np.abs(signed_contrast(trials)), contrast, "contrast of {} %, but contrasts of {} %")
    if outcome is not None:
        fits &= outcomes(trials)[one_of(outcome, OUTCOMES, "outcome")].to_numpy()
    if timing is not None:
        one_of(timing, TIMINGS, "timing")
        latency = movement_latency(trials)
        early, late = latency < EARLIEST, latency > LATEST
        fits &= {"early": early, "in time": ~(early | late | np.isnan(latency)), "late": late}[timing]
    if block is not None:
        fits &= _equal(column(trials, "probabilityLeft"), block, "probabilityLeft of {}, but {}")
    return native_table(trials)[fits]


def outcomes(trials: pd.DataFrame) -> dict[str, pd.Series]:
    """Which trials were ``rewarded``, ``not rewarded``, and which had ``no choice``, by these names.

    Parameters
    ----------
    trials : DataFrame
        Columns choice, feedbackType.

    Returns
    -------
    dict of str to Series of bool
        A trial without a choice is not among those not rewarded, and one whose feedback is not known is neither
        rewarded nor not rewarded.
    """
    chosen, feedback = chosen_side(trials) != 0, column(trials, "feedbackType")
    found = zip(OUTCOMES, (feedback == 1, chosen & (feedback == -1), ~chosen), strict=True)
    return {name: pd.Series(these, trials.index) for name, these in found}


def chronometric(trials: pd.DataFrame, latency: npt.ArrayLike, signed: bool = True) -> pd.DataFrame:
    """How soon the mouse moved, or responded, at each contrast.

    Parameters
    ----------
    trials : DataFrame
        Columns contrastLeft, contrastRight.
    latency : array-like, shape (n_trials,)
        Seconds, as `movement_latency` or `response_latency` gives them, or any other number of each trial. NaN are
        left out; trials without a choice are not, for a median bears their 60 s.
    signed : bool
        False to take the contrasts of both sides together.

    Returns
    -------
    DataFrame
        Indexed by contrast (percent; right positive if signed): ``n_trials``, ``median`` (s), and ``low`` and
        ``high``, its 95 % limits by the ranks of the latencies (NaN below six trials, which cannot give them).
        The medians are those of ``brainbox.behavior.training.compute_reaction_time``.
    """
    from scipy.stats import quantile_test

    contrast = signed_contrast(trials) if signed else np.abs(signed_contrast(trials))
    latency = numbers(for_each(latency, len(trials), "trials", "latency"), "latencies")
    known = np.isfinite(latency) & ~np.isnan(contrast)
    rows = {}
    for level in np.unique(contrast[known]):
        values = latency[known & (contrast == level)]
        low, high = quantile_test(values, p=0.5).confidence_interval(0.95)
        rows[level] = {"n_trials": values.size, "median": np.median(values), "low": low, "high": high}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["n_trials", "median", "low", "high"])
    return table.rename_axis("signed_contrast" if signed else "contrast")


def performance(trials: pd.DataFrame, latency: npt.ArrayLike, window: int = 50) -> pd.DataFrame:
    """How well and how fast the mouse did over the session, in a running window of trials.

    Parameters
    ----------
    trials : DataFrame
        Columns feedbackType, choice.
    latency : array-like, shape (n_trials,)
        Seconds, as `movement_latency` or `response_latency` gives them.
    window : int
        Trials, half of them before the trial and half from it on; at either end of the session down to half as many.

    Returns
    -------
    DataFrame
        Indexed like ``trials``: ``correct``, the fraction of rewarded trials, of those whose feedback is known;
        ``no_choice``, the fraction without a choice, which are not correct either; ``latency``, the median (s). NaN
        where fewer than half are known.
    """
    feedback, window = column(trials, "feedbackType"), at_least(window, 2, "window")
    latency = numbers(for_each(latency, len(trials), "trials", "latency"), "latencies")
    correct = np.where(np.isnan(feedback), np.nan, feedback == 1)
    table = pd.DataFrame({"correct": correct, "no_choice": chosen_side(trials) == 0, "latency": latency}, trials.index)
    running = table.astype(float).rolling(window, center=True, min_periods=window // 2)
    return running.mean().assign(latency=running["latency"].median())


def bwm_rules(trials: pd.DataFrame) -> pd.DataFrame:
    """Which trials pass each rule of the Brain Wide Map's analyses.

    Returns
    -------
    DataFrame of bool
        Indexed like ``trials``, one column a rule: six columns of the release must not be NaN, and the first movement
        must come neither ``early`` (less than .08 s after the stimulus) nor ``late`` (more than 2 s after it). Latency
        that is not known breaks neither of the last two. ``(~rules).sum()`` is how many trials each rule removes; one
        trial may break several.

    Raises
    ------
    MissingDataset
        The trials lack a column.

    Notes
    -----
    The rules are the defaults of ``load_trials_and_mask`` in IBL's package ``brainwidemap``: trials without a choice
    (choice 0) and trials of the unbiased block stay.
    """
    require(trials, EVENTS)
    latency = movement_latency(trials)
    rules = trials[list(EVENTS)].notna()
    return rules.assign(early=~(latency < EARLIEST), late=~(latency > LATEST))


def bwm_mask(trials: pd.DataFrame) -> pd.Series:
    """Which trials the Brain Wide Map's analyses keep: those that pass every one of `bwm_rules`."""
    return bwm_rules(trials).all(axis=1).rename("bwm_mask")


def _equal(values: np.ndarray, wanted: float, said: str) -> np.ndarray:
    """Where values are the one that is wanted, whatever precision they have; TooFew if it is not among them."""
    equal = np.isclose(values, wanted)
    if not equal.any():
        there = some(np.unique(values[~np.isnan(values)].round(6)), most=12)
        raise TooFew(f"These trials have no {said.format(wanted, there)}.")
    return equal
