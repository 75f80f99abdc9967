"""The neurons along a probe: where they lie, what they respond to, when they spike, and how well they were sorted.

The truth of a unit is what is put in here: a rate at rest, and for each variable of the task a gain, a latency and
a side. Its rate wanders slowly and together with others whether it knows the task or not.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from iblutil.util import Bunch
from scipy.ndimage import gaussian_filter1d

from .encoder import FREQ
from .passive import AREAS, receptive_fields, rf_drive

BIN = 0.005  # s, of the rates that spikes are drawn from
COARSE = 0.1  # s, of what changes slowly
TICK = 2**15  # spikes a second are timed to; about the probe's samples, and short in binary, so that files compress

TEACHING = {"stimulus": 0.3, "choice": 0.3, "feedback": 0.5, "wheel": 0.3, "licking": 0.2, "block": 0.15}
"""The share of units that know each variable in the sample: far more than in the brain, so that few units teach."""
PUBLISHED = {"stimulus": 0.004, "choice": 0.044, "feedback": 0.166}
"""The shares of neurons found significant in the Brain Wide Map (International Brain Laboratory 2025)."""
EFFECTS = {"teaching": TEACHING, "published": PUBLISHED, None: {}}

# For each variable: its typical gain, and the time constant (s) of the response to an event.
GAIN = {"stimulus": 3.0, "choice": 2.2, "feedback": 1.8, "wheel": 1.0, "licking": 1.2, "block": 0.35}
DECAY = {"stimulus": 0.12, "choice": 0.15, "feedback": 0.3, "licking": 0.05}
LATENCY = {"choice": -0.1, "feedback": 0.06, "licking": -0.02}  # s from the event to the start of the response
# s from the stimulus; LP, VISpm and VISam (for VISa) as published, the colliculus a little before them.
VISUAL = {"SCs": 0.036, "LP": 0.042, "VISpm": 0.057, "VISa": 0.078}
VISUAL_ELSEWHERE = 0.09
CONTRALATERAL = 0.85  # of the units that know the stimulus; the others answer to the screen's side that is theirs
# Where units of a variable are found more often than elsewhere, and how much.
FAVOURED = {"stimulus": (("LP", "VIS", "SCs", "SCo"), 5), "choice": (("SCi", "MRN", "PO"), 3)}

# Values at these quantiles. Amplitudes and widths are those of real good units. Rates are a little below them, for
# responses add to the rate at rest; and slow units are fewer, for below about 1 Hz an hour is too short to show that a
# unit is clean.
QUANTILES = [0, 0.05, 0.13, 0.25, 0.5, 0.75, 0.95, 1]
RATE = [0.3, 0.7, 0.9, 1.1, 1.9, 4.4, 18, 24]  # Hz
AMPLITUDE = [55e-6, 66e-6, 78e-6, 92e-6, 127e-6, 180e-6, 315e-6, 450e-6]  # V
TROUGH_TO_PEAK = [0.15, 0.2, 0.37, 0.47, 0.53, 0.60, 0.83, 1.0]  # ms
FAULTS = {"": 0.65, "contaminated": 0.13, "cut off": 0.11, "small": 0.11}


def units(
    rng: np.random.Generator, n_units: int, sites: pd.DataFrame, effects: str | Mapping[str, float] | None
) -> pd.DataFrame:
    """What is put into each unit: the truth that analyses are held against.

    Parameters
    ----------
    rng : Generator
    n_units : int
    sites : DataFrame
        As `probe.channels` gives it.
    effects : {'teaching', 'published', None} or mapping
        The share of units that know each variable (`TEACHING`, `PUBLISHED`; None for no unit).

    Returns
    -------
    DataFrame
        The columns that data/README.md describes, one row a unit. All but the tuning is the same for any ``effects``.
    """
    if isinstance(effects, str | None):
        if effects not in EFFECTS:
            raise ValueError(f"No effects {effects!r}; there are {list(EFFECTS)}, or a share for any of {list(GAIN)}.")
        effects = EFFECTS[effects]
    elif unknown := sorted(set(effects) - set(GAIN)):
        raise ValueError(f"No variable {unknown}; a unit can know {list(GAIN)}.")
    inside = sites.index[sites["labels"] == 0]
    depth = np.sort(rng.uniform(40, sites.loc[inside, "axial_um"].max(), n_units))
    channel = inside[np.abs(sites.loc[inside, "axial_um"].to_numpy() - depth[:, None]).argmin(axis=1)]
    acronym = sites["acronym"].to_numpy()[channel]
    fault = rng.permutation(np.repeat(list(FAULTS), _shares(list(FAULTS.values()), n_units))).astype(object)
    table = pd.DataFrame(
        {
            "depth": depth,
            "channel": channel,
            "acronym": acronym,
            "rate": _spread(rng, RATE, n_units),
            "amplitude": np.where(fault == "small", rng.uniform(22e-6, 40e-6, n_units), 0),
            "trough_to_peak": _spread(rng, TROUGH_TO_PEAK, n_units),
            "refractory": rng.uniform(0.0021, 0.0035, n_units),
            "bursts": np.where(rng.random(n_units) < 0.25, rng.uniform(0.03, 0.15, n_units), 0.0),
            "fault": fault,
            "contamination": np.where(fault == "contaminated", rng.uniform(0.35, 0.5, n_units), 0.0),
            "missed": np.where(fault == "cut off", rng.uniform(0.25, 0.5, n_units), 0.0),
        }
    )
    large = fault != "small"
    table.loc[large, "amplitude"] = _spread(rng, AMPLITUDE, large.sum())
    # The slowest units would fail for want of spikes alone, so a unit with a fault is not among them.
    table.loc[fault != "", "rate"] = table.loc[fault != "", "rate"].clip(1.5, 3)
    table.loc[fault == "contaminated", "rate"] *= 2
    opposite = 1 if sites["ml"].mean() < 0 else -1  # the side of the screen that this side of the brain sees
    for variable, gain in GAIN.items():
        where, factor = FAVOURED.get(variable, (("",), 1))
        weight = np.where(table["acronym"].str.startswith(where), factor, 1.0)
        order = rng.choice(n_units, n_units, replace=False, p=weight / weight.sum())
        knowing = order[: round(effects.get(variable, 0) * n_units)]
        knows = np.zeros(n_units, bool)
        knows[knowing] = True
        strength = gain * np.exp(rng.normal(0, 0.35, n_units))
        # Some fire less when the mouse moves, licks or is rewarded; belief moves a rate either way.
        down = rng.random(n_units) < {"feedback": 0.2, "wheel": 0.3, "licking": 0.3, "block": 0.5}.get(variable, 0)
        strength = np.where(down, -strength if variable == "block" else -0.4 - 0.4 * rng.random(n_units), strength)
        table[f"{variable}_gain"] = np.where(knows, strength, 0.0)
        if variable in DECAY:
            onset = _visual_latency(acronym) if variable == "stimulus" else np.full(n_units, LATENCY[variable])
            table[f"{variable}_latency"] = np.where(knows, onset + rng.gamma(4, 0.0025, n_units), np.nan)
        if variable in ("stimulus", "choice", "feedback"):
            side = rng.choice([-1, 1], n_units)
            if variable == "stimulus":
                side = np.full(n_units, opposite)
                side[knowing[round(CONTRALATERAL * knowing.size) :]] *= -1
            table[f"{variable}_side"] = np.where(knows, side, 0)
    azimuth = 35.0 * opposite
    return table.join(receptive_fields(rng, table, azimuth, AREAS if effects else {}))


def drives(
    trials: pd.DataFrame,
    movement_onset: np.ndarray,
    belief: np.ndarray,
    wheel: np.ndarray,
    licks: np.ndarray,
    protocol: Bunch | None,
    freq: int = FREQ,
) -> Bunch:
    """What the task and the mouse do, as neurons get it.

    Parameters
    ----------
    trials : DataFrame
        Complete: no event without a time.
    movement_onset : ndarray, shape (n_trials,)
        When the movement that answers begins (s; NaN for none).
    belief : ndarray, shape (n_trials,)
        The mouse's P(left) before each stimulus.
    wheel : ndarray
        True position (rad) from time 0.
    licks : ndarray
        s.
    protocol : Bunch or None
        As `passive.protocol` gives it. Its gabors are stimuli, its valve and noise are feedback, half as strong.
    freq : int
        Hz, of the wheel's position: a multiple of 200.

    Returns
    -------
    Bunch
        For each variable with events a table of ``time`` (s), ``side`` (−1, +1) and ``weight``; ``wheel``: speed
        (rad/s) in bins of 5 ms; ``block``: log odds of the belief, right positive, in bins of 100 ms (0 when there is
        no task); ``rf_frames`` and ``rf_times``, None where nothing was mapped; ``seconds``.
    """
    contrast = trials["contrastLeft"].fillna(trials["contrastRight"])
    side = np.where(trials["contrastLeft"].isna(), 1, -1)
    moved = (trials["choice"] != 0).to_numpy()
    stimuli = [_events(trials["stimOn_times"], side, np.sqrt(contrast))]
    feedback = [_events(trials["feedback_times"], trials["feedbackType"], 1.0)]
    mapped = protocol is not None and protocol.events is not None
    if mapped:
        replay = protocol.events
        gabors, sounds = replay[replay["kind"] == "gabor"], replay[replay["kind"].isin(["valve", "noise"])]
        stimuli.append(_events(gabors["time"], gabors["side"], 0.5 * np.sqrt(gabors["contrast"])))
        feedback.append(_events(sounds["time"], np.where(sounds["kind"] == "valve", 1, -1), 0.5))

    seconds = (wheel.size - 1) / freq
    speed = gaussian_filter1d(np.abs(np.diff(wheel)) * freq, 0.015 * freq)[:: int(BIN * freq)]
    clock = np.arange(0, seconds, COARSE)
    now = np.clip(np.searchsorted(trials["intervals_0"].to_numpy(), clock) - 1, 0, None)
    lean = np.log((1 - belief) / belief)[now]
    return Bunch(
        stimulus=pd.concat(stimuli),
        choice=_events(movement_onset[moved], -trials["choice"][moved], 1.0),
        feedback=pd.concat(feedback),
        licking=_events(licks, 0, 1.0),
        wheel=np.minimum(speed, 3.0),
        block=np.where(clock < trials["intervals_1"].iloc[-1], lean, 0.0),
        rf_frames=protocol.rf_frames if mapped else None,
        rf_times=protocol.rf_times if mapped else None,
        seconds=seconds,
    )


def spikes(seed: list[int], table: pd.DataFrame, known: Bunch, drift: np.ndarray) -> pd.DataFrame:
    """Draw every unit's spikes.

    Each unit fires at its rate at rest, times its slow and shared fluctuations, times its responses. After a spike
    it is silent for its refractory period; a contaminated unit has spikes of a neighbour among its own, a cut-off one
    has lost its small ones.

    Parameters
    ----------
    seed : list of int
        Each unit has random numbers of its own, so its drift is the same whatever it responds to.
    table : DataFrame
        As `units` gives it.
    known : Bunch
        As `drives` gives it.
    drift : ndarray
        Of the probe, µm, one value a second.

    Returns
    -------
    DataFrame
        ``times`` (s, sorted), ``clusters`` (row of ``table``), ``amps`` (V), ``depths`` (µm from the tip).
    """
    found = []
    for row, rng, rate in rates(seed, table, known):
        own = 1 - row.contamination
        times = _fire(rng, rate * own / (1 + row.bursts))
        follows = times[rng.random(times.size) < row.bursts]
        follows = follows + rng.uniform(0.0035, 0.007, follows.size)
        times = _refractory(np.sort(np.append(times, follows)), row.refractory)
        foreign = _refractory(_fire(rng, rate * row.contamination), row.refractory)
        amps = np.append(rng.normal(1, 0.13, times.size), rng.normal(0.9, 0.13, foreign.size))
        times = np.append(times, foreign)
        order = np.argsort(times)
        times = np.round(times[order] * TICK) / TICK
        second = np.minimum(times.astype(int), drift.size - 1)
        amps = row.amplitude * amps[order].clip(0.5) * (1 + 0.01 * drift[second])
        depths = row.depth + drift[second] + rng.normal(0, 8, times.size)
        if row.missed:
            kept = amps > np.quantile(amps, row.missed)
            times, amps, depths = times[kept], amps[kept], depths[kept]
        found.append((times, np.full(times.size, row.Index), amps, depths))
    times, clusters, amps, depths = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(times, kind="stable")
    return pd.DataFrame(
        {
            "times": times[order],
            "clusters": clusters[order].astype(np.uint16),
            # Rounded far below what a probe resolves (.01 µV, .1 µm), so that the files compress.
            "amps": amps[order].round(8).astype(np.float32),
            "depths": depths[order].round(1).astype(np.float32),
        }
    )


def n_bins(seconds: float) -> int:
    """How many bins of 5 ms a recording of so many seconds has."""
    return round(seconds / COARSE) * round(COARSE / BIN)


def rates(
    seed: list[int], table: pd.DataFrame, known: Bunch, bins: np.ndarray | None = None
) -> Iterator[tuple[NamedTuple, np.random.Generator, np.ndarray]]:
    """Compute the rate of one unit after the other, before spikes are lost or taken for those of another unit.

    Parameters
    ----------
    seed, table, known
        As in `spikes`.
    bins : ndarray of int, optional
        Numbers of the bins of 5 ms that are wanted, rising. Default all of the recording.

    Yields
    ------
    row : named tuple
        Of ``table``.
    rng : Generator
        The unit's own, for what is drawn from the rate.
    rate : ndarray, shape (n_bins,)
        Hz. It is the same in a bin whichever others are wanted.
    """
    n_coarse = round(known.seconds / COARSE)
    seen = {}
    if known.rf_frames is not None:
        fields = table[table["rf_gain"] > 0]
        seen = dict(zip(fields.index, rf_drive(known.rf_frames, fields), strict=True))
    together = np.random.default_rng([*seed, len(table)])
    shared = [_wander(together, n_coarse, smooth) for smooth in (0.3, 30)]
    bins = np.arange(n_bins(known.seconds)) if bins is None else bins
    place = np.full(n_bins(known.seconds), -1)  # of each bin of the recording, among those that are wanted
    place[bins] = np.arange(bins.size)
    for row in table.itertuples():
        rng = np.random.default_rng([*seed, row.Index])
        yield row, rng, _rate(rng, row, known, shared, seen.get(row.Index), bins, place)


def outlasting(rate: np.ndarray, unit: NamedTuple) -> tuple[np.ndarray, np.ndarray]:
    """What refractory periods leave of a rate (Hz), in the mean: spikes of the unit itself, and of its neighbour.

    Of a Poisson process the spikes that come sooner than a period after the last that was kept are lost, so that each
    spike costs a period: r / (1 + r · period) are left.
    """
    own, foreign = rate * (1 - unit.contamination), rate * unit.contamination
    return own / (1 + own * unit.refractory), foreign / (1 + foreign * unit.refractory)


def response(time: np.ndarray, decay: float) -> np.ndarray:
    """The shape of a response: 0 before its onset, then t·exp(−t), with a peak of 1 after ``decay`` / 2 seconds."""
    steps = np.maximum(time, 0) / (decay / 2)
    return steps * np.exp(1 - steps)


def _rate(
    rng: np.random.Generator,
    row: NamedTuple,
    known: Bunch,
    shared: list[np.ndarray],
    seen: np.ndarray | None,
    bins: np.ndarray,
    place: np.ndarray,
) -> np.ndarray:
    """A unit's rate (Hz) in bins of 5 ms; ``seen`` is how each frame of the receptive-field stimulus drives it."""
    loading = rng.normal([0.26, 0.12], [0.6, 0.25])
    wander = sum(size * _wander(rng, shared[0].size, smooth) for size, smooth in ((0.4, 1), (0.5, 8), (0.3, 300)))
    level = np.exp(wander + loading @ shared)
    level *= row.rate / level.mean()
    level *= np.exp(row.block_gain * known.block)
    answers = np.ones(bins.size)
    for variable, decay in DECAY.items():
        if gain := getattr(row, f"{variable}_gain"):
            events, side = known[variable], getattr(row, f"{variable}_side", 0)
            preferred = (side == 0) | (events["side"].to_numpy() == side)
            weights = gain * events["weight"].to_numpy() * np.where(preferred, 1, 0.1)
            onsets = events["time"].to_numpy() + getattr(row, f"{variable}_latency")
            _add_responses(answers, place, onsets, weights, decay)
    if row.wheel_gain:
        answers += row.wheel_gain * known.wheel[bins] / 1.5
    if seen is not None:
        onsets = known.rf_times + row.rf_latency
        first, last = np.searchsorted(bins * BIN, onsets[[0, -1]])
        answers[first:last] += row.rf_gain * np.interp(bins[first:last] * BIN, onsets, seen)
    return np.maximum(answers, 0.05) * level[bins // round(COARSE / BIN)]


def _events(time: np.ndarray, side: np.ndarray | int, weight: np.ndarray | float) -> pd.DataFrame:
    return pd.DataFrame({"time": np.asarray(time), "side": np.asarray(side), "weight": np.asarray(weight)})


def _add_responses(
    answers: np.ndarray, place: np.ndarray, onsets: np.ndarray, weights: np.ndarray, decay: float
) -> None:
    """Add the responses to events; ``place`` is where each bin of the recording is in ``answers`` (−1: nowhere)."""
    length = round(4 * decay / BIN)
    first = (onsets / BIN).astype(int)
    bins = first[:, None] + np.arange(length)
    added = weights[:, None] * response((bins + 0.5) * BIN - onsets[:, None], decay)
    inside = (bins >= 0) & (bins < place.size)
    inside[inside] = place[bins[inside]] >= 0
    answers += np.bincount(place[bins[inside]], added[inside], minlength=answers.size)


def _fire(rng: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    """Times (s) of a Poisson process whose rate (Hz) is given in bins of 5 ms."""
    expected = np.append(0.0, np.cumsum(rate) * BIN)
    at = np.sort(rng.random(rng.poisson(expected[-1]))) * expected[-1]
    return np.interp(at, expected, np.arange(expected.size) * BIN)


def _refractory(times: np.ndarray, period: float) -> np.ndarray:
    """Without the spikes that come too soon after the one before."""
    while times.size and (too_soon := np.diff(times) <= period).any():
        # Of a run of spikes in quick succession only the second goes at first: the third may be late enough.
        too_soon[1:] &= ~too_soon[:-1]
        times = times[np.append(True, ~too_soon)]
    return times


def _wander(rng: np.random.Generator, n: int, smooth: float) -> np.ndarray:
    """A smooth random walk about 0 with unit spread and a time scale of ``smooth`` seconds, each 100 ms."""
    step = max(round(smooth / COARSE / 4), 1)  # drawn coarsely and interpolated: the same curve, much faster
    coarse = gaussian_filter1d(rng.normal(size=n // step + 3), smooth / COARSE / step)
    fine = np.interp(np.arange(n) / step, np.arange(coarse.size), coarse)
    return fine / fine.std()


def _spread(rng: np.random.Generator, values: list[float], n: int) -> np.ndarray:
    """Draws from the distribution with these quantiles, one in each of n equal slices of it, in random order."""
    return np.exp(np.interp(rng.permutation((np.arange(n) + rng.random(n)) / n), QUANTILES, np.log(values)))


def _shares(shares: list[float], n: int) -> np.ndarray:
    """Whole numbers that add up to n, in proportion to the shares."""
    return np.diff(np.round(np.cumsum([0, *shares]) / np.sum(shares) * n).astype(int))


def _visual_latency(acronym: np.ndarray) -> np.ndarray:
    latency = np.full(acronym.size, VISUAL_ELSEWHERE)
    for region, seconds in VISUAL.items():
        latency[pd.Series(acronym).str.startswith(region)] = seconds
    return latency
