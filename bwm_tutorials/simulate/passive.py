"""The passive protocol that follows the task: a grey screen, receptive-field mapping, a replay of the task's stimuli.

The rules are those of the rig (``passiveChoiceWorld`` of iblrig 6 and its Bonsai workflows), the tables those that
``ibllib.io.extractors.ephys_passive`` makes of a recording.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from iblutil.util import Bunch
from scipy.signal import lfilter
from scipy.sparse import csr_array

from ..analysis.regions import beryl
from .task import CONTRASTS

GABOR_REVISION = "#2025-12-05#"
SPACER = 4 + 256 / 60 + 4  # s, before each part: a flicker that the extractor knows it by, with grey around it
SPONTANEOUS = 300.0  # s; 600 in later versions of the rig
MAPPING = 300.0  # s
LEAD_IN = 5.0  # s, from the spacer to the replay
LEAD_OUT = 5.0  # s, from the last stimulus to the end

FRAME_RATE = 60  # Hz, of the screen
GRID = 15  # pixels on a side
BLACK, GREY, WHITE = 0, 128, 255
GREY_TIME = 10.0  # s, mean; a pixel is then black or white for .2 s, as the frames fall 12 or 13 of them
LIT_FRAMES = (12, 13)
SETTLING = 0.03  # s, in which a unit's drive follows a change on the screen

# Shortest and longest wait (s) from one stimulus of a kind to the next, as in the sequences that the rig plays (they
# come with ibllib); the time that the stimuli themselves take comes on top.
WAITS = {"gabor": (0.5, 1.9), "valve": (1.0, 11.0), "tone": (1.0, 5.0), "noise": (1.0, 5.0)}
MISSED = 0.005  # share of the sounds whose pulse is lost, as in some versions of the rig; how often is not known

# Share of the units of an area (Beryl) that have a receptive field, and their median latency (s). The shares are for
# teaching, of no real recording. Latencies of LGd, VISp, LP, VISpm and VISam are published; the others are guesses.
AREAS = {
    "VISp": (0.5, 0.042),
    "VISl": (0.4, 0.050),
    "VISpm": (0.4, 0.057),
    "VISam": (0.4, 0.078),
    "VISa": (0.4, 0.070),
    "LGd": (0.6, 0.034),
    "LP": (0.4, 0.042),
    "SCs": (0.6, 0.040),
}


def protocol(rng: np.random.Generator, start: float, scale: float = 1.0, stimuli: bool = True) -> Bunch:
    """One run of the protocol, about 16 minutes.

    Parameters
    ----------
    rng : Generator
    start : float
        When it starts, s on the session's clock.
    scale : float
        Shortens it: .1 gives a tenth of the grey screen, of the frames and of the stimuli.
    stimuli : bool
        False ends it after the grey screen.

    Returns
    -------
    Bunch
        As `Session.passive` gives it: ``intervals`` (rows start and stop; columns passiveProtocol,
        spontaneousActivity, RFM, taskReplay; s), ``rf_times`` (s) and ``rf_frames`` (see `sparse_noise`), ``gabor``
        (start, stop, s; position, ° azimuth, −35 left, 35 right; contrast, fraction; phase, rad) and ``stims``
        (valveOn, valveOff, toneOn, toneOff, noiseOn, noiseOff, s). And what is not in it: ``gabor_superseded``, the
        table before its correction, and ``events``, all that the mouse saw and heard in the replay: ``kind`` (gabor,
        valve, tone, noise), ``time`` (s), ``side`` (−1 left, +1 right, 0 none), ``contrast`` (NaN but for gabors).

    Notes
    -----
    The first gabor was blank, and each later one showed the parameters of the one before. The superseded table
    (180 rows) lists what was planned, the corrected one (179) what was shown.

    The pulses that the recording missed are left out of ``stims`` and the column is filled up with NaN at its end, so
    a row is no pair of stimuli.

    Without stimuli the columns RFM and taskReplay are NaN, and all but ``intervals`` is None. The release also has
    sessions whose replay could not be extracted: of them it has ``intervals`` and in part ``rf_frames`` (set the rest
    to None before `write`). Their table may well be complete: ibllib writes NaN only for a replay that was skipped.
    """
    intervals = pd.DataFrame(np.nan, ["start", "stop"], ["passiveProtocol", "spontaneousActivity", "RFM", "taskReplay"])
    grey = start + SPACER
    stop = grey + scale * SPONTANEOUS
    intervals["spontaneousActivity"] = grey, stop
    parts = Bunch.fromkeys(["rf_times", "rf_frames", "gabor", "gabor_superseded", "stims", "events"])
    if stimuli:
        mapping = stop + SPACER
        parts.rf_frames = sparse_noise(rng, round(scale * MAPPING * FRAME_RATE) - 1)
        parts.rf_times = mapping + 1 + np.arange(len(parts.rf_frames)) / FRAME_RATE
        intervals["RFM"] = mapping, parts.rf_times[-1] + 1 / FRAME_RATE
        replay = intervals.loc["stop", "RFM"] + SPACER
        played = _replay(rng, replay + LEAD_IN, scale)
        stop = played["stop"].iloc[-1] + LEAD_OUT
        intervals["taskReplay"] = replay, stop
        parts.update(_gabors(played), stims=_stims(rng, played))
        parts.events = _events(played, parts.gabor)
    intervals["passiveProtocol"] = start, stop
    return Bunch(intervals=intervals, **parts)


def sparse_noise(rng: np.random.Generator, n_frames: int) -> np.ndarray:
    """Frames of the receptive-field stimulus: grey, with a pixel now and then black or white for .2 s.

    Pixels are independent, and a pixel is grey for at least a frame between two flashes. In five minutes each is lit
    about 29 times, at any time 2 % of them are.

    Returns
    -------
    ndarray, shape (n_frames, 15, 15), uint8
        0, 128 or 255: frame, row, column. The stimulus is 120° wide and high with a pixel of 8° (both from the rig's
        workflow and from ``passive_stim_meta.json`` of ibllib). That file gives row i the coordinate 56 − 8i and
        column j the coordinate 8j − 56: read here as elevation, up positive, and azimuth, right positive, which the
        file does not say. The screen is smaller than the stimulus: about ±51° by ±43° (20 × 15 cm at 8 cm). Where
        brainbox.task.passive says ``x_pos`` it means the row.
    """
    # As many cycles of grey and flash as fit if no wait is longer than a frame.
    shape = (GRID**2, n_frames // (1 + LIT_FRAMES[0]) + 1)
    lit = rng.choice(LIT_FRAMES, shape)
    value = rng.choice(np.array([BLACK, WHITE], np.uint8), shape)
    grey = 1 + rng.exponential(GREY_TIME * FRAME_RATE, shape).astype(int)
    onset = (grey + lit).cumsum(axis=1) - lit
    frames = np.full((n_frames + LIT_FRAMES[1], GRID**2), GREY, np.uint8)
    shown = onset < n_frames
    pixel, onset, lit, value = shown.nonzero()[0], onset[shown], lit[shown], value[shown]
    for step in range(LIT_FRAMES[1]):
        still = step < lit
        frames[onset[still] + step, pixel[still]] = value[still]
    return frames[:n_frames].reshape(-1, GRID, GRID)


def receptive_fields(
    rng: np.random.Generator,
    units: pd.DataFrame,
    azimuth: float = 35.0,
    areas: Mapping[str, tuple[float, float]] = AREAS,
) -> pd.DataFrame:
    """Where on the screen each unit looks: the truth that a receptive-field map is held against.

    Units of one area look at about the same place, at ``azimuth`` and near the horizon.

    Parameters
    ----------
    rng : Generator
    units : DataFrame
        One row a unit; column ``acronym`` (Allen).
    azimuth : float
        °, right positive. A probe in the left hemisphere looks to the right: 35, where the task shows its stimulus.
    areas : mapping
        Share of units with a field and latency (s) by area (Beryl); empty for a session in which nobody has one.

    Returns
    -------
    DataFrame
        Aligned with ``units``: ``rf_row``, ``rf_column`` (centre, pixels, fractions of a pixel), ``rf_sigma``
        (pixels), ``rf_latency`` (s), all NaN for a unit without a field; ``rf_sign`` (``'on'`` is driven by white,
        ``'off'`` by black, ``'both'``, or empty) and ``rf_gain`` (the rate at the peak is 1 + gain times the rate at
        rest; 0 without a field).
    """
    n = len(units)
    area = pd.Index(areas).get_indexer(
        beryl(units["acronym"])
    )  # −1 for other areas, which takes the row that is appended
    share, latency = np.array([*areas.values(), (0.0, np.nan)])[area].T
    offsets = np.append(rng.normal(0, 8, (len(areas), 2)), [[0, 0]], axis=0)
    elevation, place = (np.array([0, azimuth]) + offsets[area] + rng.normal(0, 6, (n, 2))).T
    has = rng.random(n) < share
    table = pd.DataFrame(
        {
            # Fields whose centre lies on the screen.
            "rf_row": ((56 - elevation) / 8).clip(2, 12),
            "rf_column": ((place + 56) / 8).clip(1, 13),
            "rf_sigma": rng.uniform(0.8, 1.5, n),
            "rf_latency": latency * np.exp(rng.normal(0, 0.15, n)),
            "rf_sign": rng.choice(["on", "off", "both"], n, p=[0.4, 0.4, 0.2]),
            "rf_gain": np.exp(rng.normal(np.log(5.0), 0.35, n)),
        },
        index=units.index,
    )
    table.loc[~has, ["rf_row", "rf_column", "rf_sigma", "rf_latency"]] = np.nan
    table.loc[~has, ["rf_sign", "rf_gain"]] = "", 0.0
    return table


def rf_drive(frames: np.ndarray, fields: pd.DataFrame) -> np.ndarray:
    """How strongly each frame drives each unit: its rate is that at rest times 1 + gain × drive, ``rf_latency`` later.

    What is lit is weighed with a Gaussian about the centre of the unit's field, and followed with a time constant of
    30 ms. A square that the unit likes, at its centre, drives it by 1; several add up.

    Parameters
    ----------
    frames : ndarray, shape (n_frames, 15, 15), uint8
        See `sparse_noise`.
    fields : DataFrame
        See `receptive_fields`. Without the rows that have no field it takes less memory.

    Returns
    -------
    ndarray, shape (n_units, n_frames), float32
        0 for a unit without a field. At ``rf_times[i]`` the unit begins to follow frame i.
    """
    row, column = np.indices((GRID, GRID)).reshape(2, -1, 1)
    distance = np.hypot(row - fields["rf_row"].to_numpy(), column - fields["rf_column"].to_numpy())
    weight = np.exp(-0.5 * (distance / fields["rf_sigma"].to_numpy()) ** 2).astype(np.float32)
    pixels = frames.reshape(len(frames), -1)
    drive = np.zeros((len(frames), len(fields)), np.float32)
    for shade, sign in (WHITE, "on"), (BLACK, "off"):
        likes = fields["rf_sign"].isin([sign, "both"]).to_numpy()
        drive[:, likes] += csr_array(pixels == shade, dtype=np.float32) @ weight[:, likes]
    keep = np.exp(-1 / (FRAME_RATE * SETTLING))
    return lfilter(*np.array([[1 - keep, 0], [1, -keep]], np.float32), np.ascontiguousarray(drive.T))


def write(folder: Path, protocol: Bunch) -> None:
    """Write the protocol's files to a session's folder, in ``alf/`` and ``raw_passive_data/``.

    The gabors' table goes there twice, the corrected one as a revision. What the protocol lacks (None) is left out.
    """
    alf, raw = folder / "alf", folder / "raw_passive_data"
    tables = {
        "_ibl_passivePeriods.intervalsTable.csv": protocol.intervals,
        "_ibl_passiveGabor.table.csv": protocol.gabor_superseded,
        f"{GABOR_REVISION}/_ibl_passiveGabor.table.csv": protocol.gabor,
        "_ibl_passiveStims.table.csv": protocol.stims,
    }
    for name, table in tables.items():
        if table is not None:
            (alf / name).parent.mkdir(parents=True, exist_ok=True)
            table.to_csv(alf / name, lineterminator="\n")  # the same bytes on every system
    if protocol.rf_times is not None:
        np.save(alf / "_ibl_passiveRFM.times.npy", protocol.rf_times, allow_pickle=False)
    if protocol.rf_frames is not None:
        raw.mkdir(parents=True, exist_ok=True)
        protocol.rf_frames.tofile(raw / "_iblrig_RFMapStim.raw.bin")


def _replay(rng: np.random.Generator, start: float, scale: float) -> pd.DataFrame:
    """What the rig was told to play, in order: kind, start and stop (s), and the parameters of gabors."""
    each, others = max(2, round(20 * scale)), max(1, round(40 * scale))
    gabors = [(35.0 * side, c) for side in (-1, 1) for c in CONTRASTS for _ in range(each if c else each // 2)]
    counts = {"gabor": len(gabors), "valve": others, "tone": others, "noise": others}
    played = pd.DataFrame({"kind": np.repeat(list(counts), list(counts.values()))})
    # Each kind keeps a rhythm of its own; merged, the stimuli are played one after the other.
    shortest, longest = np.array(played["kind"].map(WAITS).tolist()).T
    played["start"] = rng.uniform(shortest, longest)
    played["start"] = start + played.groupby("kind")["start"].cumsum()
    played["stop"] = played["kind"].map({"valve": rng.uniform(0.03, 0.08), "tone": 0.1, "noise": 0.5})
    is_gabor, is_sound = played["kind"] == "gabor", played["kind"].isin(["tone", "noise"])
    played.loc[is_gabor, "stop"] = rng.integers(18, 20, len(gabors)) / FRAME_RATE
    played.loc[is_sound, "stop"] += rng.uniform(0, 0.001, 2 * others)
    played = played.sort_values("start", kind="stable", ignore_index=True)
    played["start"] += played["stop"].cumsum().shift(fill_value=0.0)  # stop is a duration up to here
    played["stop"] += played["start"]
    is_gabor = played["kind"] == "gabor"
    played.loc[is_gabor, ["position", "contrast"]] = rng.permutation(gabors)
    played.loc[is_gabor, "phase"] = rng.uniform(0, np.pi, len(gabors))
    return played


def _gabors(played: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The table of gabors as it is now and as it was before its correction."""
    planned = played[played["kind"] == "gabor"].drop(columns="kind").reset_index(drop=True)
    # The blank gabor left only the end of its pulse, and its start was taken to be .3 s before.
    planned.loc[0, "start"] = planned.loc[0, "stop"] - 0.3
    shown = planned.shift()[["position", "contrast", "phase"]]
    return {
        "gabor": pd.concat([planned[["start", "stop"]], shown], axis=1)[1:].reset_index(drop=True),
        "gabor_superseded": planned,
    }


def _stims(rng: np.random.Generator, played: pd.DataFrame) -> pd.DataFrame:
    """The table of the replay's other stimuli, as the recording has them."""
    columns = {}
    for kind in ("valve", "tone", "noise"):
        pulses = played[played["kind"] == kind]
        if kind != "valve":
            pulses = pulses[rng.random(len(pulses)) >= MISSED]
        columns[f"{kind}On"] = pulses["start"].reset_index(drop=True)
        columns[f"{kind}Off"] = pulses["stop"].reset_index(drop=True)
    return pd.DataFrame(columns)


def _events(played: pd.DataFrame, gabor: pd.DataFrame) -> pd.DataFrame:
    """All that the mouse saw and heard, in order of time."""
    seen = pd.DataFrame(
        {"kind": "gabor", "time": gabor["start"], "side": np.sign(gabor["position"]), "contrast": gabor["contrast"]}
    )
    heard = played.loc[played["kind"] != "gabor", ["kind", "start"]].rename(columns={"start": "time"})
    events = pd.concat([seen, heard.assign(side=0, contrast=np.nan)]).sort_values("time", ignore_index=True)
    return events.astype({"side": int})
