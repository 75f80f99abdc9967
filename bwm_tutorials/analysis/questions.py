"""What can be asked of a session's units: a variable with the null that fits it, an event with a window."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import DataError, MissingDataset, TooFew
from .blocks import both_biased, pseudosessions
from .checks import native_table, one_of, window_around
from .trials import bwm_mask, chosen_side, stimulus_side
from .vocabulary import column

EVENTS = ("stimOn_times", "goCue_times", "firstMovement_times", "feedback_times")
N_NULL = 10_000  # so that a single one of some hundred units can be significant when corrected


class Variable(NamedTuple):
    """A variable of two values, and what `responses.selectivity` takes with it."""

    values: pd.Series
    condition: pd.DataFrame | None
    null: int | np.ndarray


def _block(trials: pd.DataFrame) -> pd.Series:
    return pd.Series(both_biased(column(trials, "probabilityLeft")), trials.index)


def _side(trials: pd.DataFrame) -> pd.Series:
    return pd.Series(stimulus_side(trials), trials.index).map({-1: "left", 1: "right"})


def _choice(trials: pd.DataFrame) -> pd.Series:
    return pd.Series(chosen_side(trials), trials.index).map({-1: "left", 1: "right"})


def _feedback(trials: pd.DataFrame) -> pd.Series:
    return pd.Series(column(trials, "feedbackType"), trials.index).map({1: "reward", -1: "no reward"})


# The values of each variable, and the names of those that go along with it.
_KNOWN: dict[str, tuple[Callable[[pd.DataFrame], pd.Series], tuple[str, ...]]] = {
    "stimulus side": (_side, ("choice",)),
    "choice": (_choice, ("stimulus side",)),
    "feedback": (_feedback, ("choice",)),
    "block": (_block, ()),
}
VARIABLES = tuple(_KNOWN)


def variable(trials: pd.DataFrame, name: str, seed: int = 1) -> Variable:
    """A variable of the task, with the trials to compare and the null that fits it.

    Parameters
    ----------
    trials : DataFrame
        One session.
    name : {'stimulus side', 'choice', 'feedback', 'block'}
    seed : int
        Of the pseudosessions.

    Returns
    -------
    Variable
        ``values`` of each trial, NaN where it has none: ``'left'`` and ``'right'`` (of a choice: what was reported),
        ``'reward'`` and ``'no reward'``, or ``probabilityLeft`` without the unbiased block. ``condition``: trials are
        compared only with trials that are equal in it, the block and the choice, or for the choice the side of the
        stimulus; for the block None. ``null``: a number of shuffles within conditions; for the block, which is slow,
        pseudosessions. `responses.selectivity` takes the three after the counts.

    Raises
    ------
    DataError
        There is no variable of this name, or its column is not of the release's vocabulary.
    MissingDataset
        The trials lack a column.
    TooFew
        The variable does not have both values in them.

    Notes
    -----
    The comparisons of Steinmetz et al. (2019, Nature 576:266) without the contrast, and pseudosessions after Harris
    (2020, "Nonsense correlations in neuroscience"). Given the choice, reward and the side of the stimulus are one and
    the same variable: this comparison cannot tell them apart, for the stimulus is still there after the feedback.
    """
    values, condition = _compared(trials, name)
    null = pseudosessions(len(trials), N_NULL, seed) if name == "block" else N_NULL
    return Variable(values, condition, null)


def put_in(units: pd.DataFrame, name: str) -> pd.Series:
    """Which units know a variable because it was put into them.

    Parameters
    ----------
    units : DataFrame
        The table ``units`` of `Session.truth`.
    name : str
        One of `VARIABLES`.

    Returns
    -------
    Series of bool
        By probe and cluster id: units that know it at any time, also outside the window of a question. A unit that
        knows another variable may tell this one as well, where both go together.
    """
    gain = units.set_index(["probe", "cluster_id"])[f"{one_of(name, VARIABLES, 'variable').split()[0]}_gain"]
    return (gain != 0).rename_axis(["probe", "cluster"]).rename("put in")


def kept_events(trials: pd.DataFrame, event: str) -> pd.Series:
    """The times of an event in the trials that the Brain Wide Map's analyses keep (`trials.bwm_mask`).

    Parameters
    ----------
    trials : DataFrame
    event : str
        A column of times, one of `EVENTS`.

    Returns
    -------
    Series
        s; NaN in the trials that are left out.

    Raises
    ------
    MissingDataset
        The trials lack the event, and the message lists those that they have; or what the rules need.
    """
    return native_table(trials)[_known(event, trials)].where(bwm_mask(trials))


def also_in_window(trials: pd.DataFrame, name: str, event: str, window: tuple[float, float]) -> pd.DataFrame:
    """What else happens in the window of a question: what a unit may follow in place of what is asked.

    Parameters
    ----------
    trials : DataFrame
    name : str
        Of the variable, one of `VARIABLES`.
    event : str
        A column of times, one of `EVENTS`.
    window : tuple
        Start and stop, s from the event; the stop is not in it.

    Returns
    -------
    DataFrame
        By event, ``share of trials`` (a fraction, of those that `kept_events` keeps and in which the variable has a
        value) in which it falls into the window. In how many the wheel is still moving is not known from these times.

    Raises
    ------
    DataError
        As `variable`.
    ValueError
        The window does not stop after its start, or is in milliseconds.
    MissingDataset, TooFew
        As `variable` and `kept_events`.
    """
    window, trials = window_around(window), native_table(trials)
    at = kept_events(trials, event).to_numpy(float, na_value=np.nan)
    known = ~np.isnan(at) & _compared(trials, name)[0].notna().to_numpy()
    events = [name for name in EVENTS if name in trials]
    since = pd.DataFrame({name: column(trials, name)[known] - at[known] for name in events})
    return ((since >= window[0]) & (since < window[1])).mean().rename_axis("in the window").to_frame("share of trials")


def _compared(trials: pd.DataFrame, name: str) -> tuple[pd.Series, pd.DataFrame | None]:
    """The values of a variable, and what trials that are compared are alike in."""
    if name not in _KNOWN:
        raise DataError(f"There is no variable {name!r}; there are {', '.join(map(repr, _KNOWN))}.")
    values_of, along = _KNOWN[name]
    values = values_of(trials).rename(name)
    if (there := values.dropna().unique()).size < 2:
        only = f"only {there[0]}" if there.size else "none"
        raise TooFew(f"The {name} does not have both of its values in these trials, {only}: nothing can be compared.")
    others = {other: _KNOWN[other][0](trials) for other in along}
    return values, pd.DataFrame(others | {"probabilityLeft": trials["probabilityLeft"]}) if along else None


def _known(event: str, trials: pd.DataFrame) -> str:
    has = [name for name in EVENTS if name in trials]
    if event not in has:
        raise MissingDataset(f"These trials have no {event!r}; of events they have {', '.join(has) or 'none'}.")
    return event
