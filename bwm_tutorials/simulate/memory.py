"""Sessions in memory, without files: trials, and spike counts in a window of each.

What a test of levels and power needs, hundreds of times::

    recording = memory.behave(seed)
    probe, twin = (memory.insert(seed, recording, effects=known) for known in ({"choice": 0.5}, None))
    counts = memory.counts(probe, recording.trials["stimOn_times"], (-0.1, 0.0))

Mouse, units and rates are those that `session.behave` (``after=None``) and `session.insert` give for the same seed;
spikes are not drawn. The null twin has the same trials, and units that fire and wander as much but know nothing.
"""

from zlib import crc32

import numpy as np
import numpy.typing as npt
import pandas as pd
from iblutil.util import Bunch

from ..analysis import wheel
from ..analysis.spikes import around
from . import neurons, probe
from .session import AFTER_TASK, Effects, act, record, streams, turn

FREQ = round(1 / neurons.BIN)  # Hz, of the wheel: what neurons know of it changes as often


def behave(seed: int, minutes: float = 60.0, **how) -> Bunch:
    """The task and the mouse, without a passive protocol.

    Parameters
    ----------
    seed : int
    minutes : float
        Length of the recording: about 11 trials a minute.
    **how
        What `mouse.decide` takes, such as ``skill``.

    Returns
    -------
    Bunch
        - ``trials``: the release's table, equal to that of the files but for ``firstMovement_times``. Here they are
          found in the wheel itself at 200 Hz, there in what the encoder stored of it (4 ms apart in the median).
        - ``truth_trials``: ``belief``, ``engaged``, ``p_right``, ``decision_time`` and what else `mouse.decide` gives,
          ``movement_onset`` and ``stimOn_times``.
        - ``drives``: what neurons may know, for `insert`.
    """
    rng, seconds = streams(seed), minutes * 60.0
    acted = act(rng, minutes, seconds - AFTER_TASK, **how)
    position, drives = turn(rng, acted, seconds, None, FREQ)
    moves = wheel.movements(np.arange(position.size) / FREQ, position)
    return Bunch(trials=record(rng, acted.trials, *moves), truth_trials=acted.truth_trials, drives=drives)


def insert(
    seed: int, recording: Bunch, clusters: int = 20, effects: Effects = "teaching", track: str = "parietal"
) -> Bunch:
    """A probe in a session whose behaviour is given.

    Parameters
    ----------
    seed : int
        With another one than that of the session, other neurons watch the same mouse.
    recording : Bunch
        As `behave` gives it.
    clusters : int
        Units.
    effects : {'teaching', 'published', None} or mapping
        How many units know what, as in `session.session`; None makes the null twin.
    track : str
        Of `probe.TRACKS`.

    Returns
    -------
    Bunch
        ``truth_units`` (as `neurons.units` gives them), ``drives`` and ``seeds``.
    """
    seeds = [seed, 100]  # those of the first probe in files
    place, tuning = (np.random.default_rng([*seeds, i]) for i in range(2))
    units = neurons.units(tuning, clusters, probe.channels(place, probe.TRACKS[track]), effects)
    return Bunch(truth_units=units, drives=recording.drives, seeds=seeds)


def counts(insertion: Bunch, events: npt.ArrayLike, window: tuple[float, float]) -> pd.DataFrame:
    """Draw how many spikes each unit has around each event.

    Parameters
    ----------
    insertion : Bunch
        As `insert` gives it.
    events, window
        As in `spikes.around`.

    Returns
    -------
    DataFrame
        Units × events, as `spikes.counts_in_intervals` gives them of the files; NaN where an event is not known or its
        window leaves the recording. Another window, or another name of the events, is another draw from the same
        rates, even where windows overlap.

    Notes
    -----
    Counts have the mean of those of the files: refractory periods, a neighbour's spikes and missed ones are reckoned
    in. Bursts are drawn, but never cut by the window's edge. Left out: the regularity that a refractory period brings
    (a variance smaller by about a tenth at 20 Hz), the drift of what is missed, and saturation.
    """
    table = around(events, window)
    start, stop = table.to_numpy().T
    n_bins = neurons.n_bins(insertion.drives.seconds)
    inside = (start >= 0) & (stop < n_bins * neurons.BIN)
    edges = np.array([start[inside], stop[inside]])
    first, last = (edges / neurons.BIN).astype(int)
    begun = np.bincount(first, minlength=n_bins) - np.bincount(last + 1, minlength=n_bins)[:n_bins]
    bins = np.flatnonzero(begun.cumsum())
    at = np.searchsorted(bins, [first, last])
    into = edges - bins[at] * neurons.BIN  # s from the start of the bin that a window begins or ends in
    drawn = np.full((len(insertion.truth_units), len(table)), np.nan)
    of_window = crc32(repr((table.attrs["events"], table.attrs["window"])).encode())
    for unit, _, rate in neurons.rates(insertion.seeds, insertion.truth_units, insertion.drives, bins):
        rng = np.random.default_rng([*insertion.seeds, unit.Index, of_window])
        own, foreign = (
            np.diff(np.append(0.0, np.cumsum(part) * neurons.BIN)[at] + part[at] * into, axis=0)[0]
            for part in neurons.outlasting(rate, unit)
        )
        n = rng.poisson(own / (1 + unit.bursts))
        n += rng.binomial(n, unit.bursts) + rng.poisson(foreign)
        drawn[unit.Index, inside] = rng.binomial(n, 1 - unit.missed)
    result = pd.DataFrame(drawn, insertion.truth_units.index.rename("cluster"), table.index)
    result.attrs = dict(table.attrs)
    return result
