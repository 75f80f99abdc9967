"""The passive protocol: what was shown and heard when nothing was asked, and where on the screen each unit looks.

The receptive-field stimulus has 15 × 15 pixels of 8°. An array of it is indexed by row, from the top, and column, from
the left. ``passive_stim_meta.json`` of ibllib gives row i the coordinate 56 − 8i and column j the coordinate 8j − 56:
read here as elevation (up positive) and azimuth (right positive), which that file does not say.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.sparse import block_diag, csr_array

from ..errors import MissingDataset, TooFew
from .checks import at_least, native, numbers
from .statistics import adjusted, permutation_p

PIXEL = 8.0  # °
SIGNS = ("on", "off")
SMOOTHING = 1.0  # pixels: about as wide as a field
WIDTHS = (0.8, 1.0, 1.25, 1.6, 2.0, 2.5)  # pixels, that are tried for a field: a narrower one is lost between pixels
STEP = 0.25  # pixels between the centres that are tried
PARTS = {"spontaneousActivity": [], "RFM": ["rf_times", "rf_frames"], "taskReplay": ["gabor", "stims"]}
"""The stimuli of `Session.passive` that belong to a part of the protocol, besides its interval."""
CALLED = {
    "spontaneousActivity": "spontaneous part",
    "RFM": "receptive-field mapping",
    "taskReplay": "replay of the task",
}


class RfMaps(NamedTuple):
    """Receptive-field maps, as `rf_maps` gives them."""

    rate: np.ndarray
    z: np.ndarray
    n_flashes: np.ndarray
    mean: np.ndarray
    units: pd.Index
    window: tuple[float, float]


def parts(passive: Mapping[str, Any] | None) -> list[str]:
    """List the parts of the protocol that a session has, with their stimuli.

    Parameters
    ----------
    passive : Bunch or other mapping, or None
        As `Session.passive` gives it; None where it is missing.

    Returns
    -------
    list of str
        Of ``'spontaneousActivity'``, ``'RFM'`` (receptive-field mapping: times and frames are there) and
        ``'taskReplay'`` (both tables are there), those that the session has.
    """
    if passive is None:
        return []
    known = passive["intervals"].notna().all().reindex(PARTS, fill_value=False)
    return [part for part, names in PARTS.items() if known[part] and all(passive[name] is not None for name in names)]


def part(passive: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return one part of the protocol: its ``interval`` (start and stop, s), and its stimuli.

    Parameters
    ----------
    passive : Bunch or other mapping
        As `Session.passive` gives it.
    name : str
        As `parts` has it.

    Raises
    ------
    MissingDataset
        The part, or its stimuli, are missing; the message lists the parts that there are.
    """
    if name not in (there := parts(passive)):
        has = ", ".join(CALLED[each] for each in there) or "nothing that is whole"
        raise MissingDataset(f"The passive protocol has no {CALLED[name]} here; it has {has}.")
    return {"interval": passive["intervals"][name]} | {each: passive[each] for each in PARTS[name]}


def flashes(times: np.ndarray, frames: np.ndarray) -> pd.DataFrame:
    """Each time that a pixel of the receptive-field stimulus goes from grey to white or black.

    Parameters
    ----------
    times : ndarray, shape (n_frames,)
        s; ``rf_times`` of `Session.passive`.
    frames : ndarray, shape (n_frames, n_rows, n_columns), uint8
        ``rf_frames``: 0, 128 (grey) or 255.

    Returns
    -------
    DataFrame
        One row a flash, in order of time: ``time`` (s), ``frame``, ``row``, ``column``, ``sign`` (``'on'`` for white,
        ``'off'`` for black). Its ``attrs`` have the ``shape`` of a frame.

        Agrees with ``brainbox.task.passive.get_on_off_times_and_positions``, which calls the row ``x_pos`` and the
        column ``y_pos``. That also takes a pixel that is lit in the first frame for one that went on there.

    Raises
    ------
    ValueError
        There is not one time for each frame, or frames are others than white, grey and black.
    """
    times, frames = numbers(times, "times of frames"), native(frames)
    if len(times) != len(frames):
        raise ValueError(f"Each frame has a time; these are {len(times)} times and {len(frames)} frames.")
    if frames.ndim != 3 or not np.isin(frames, (0, 128, 255)).all():
        raise ValueError(
            f"Frames have rows and columns of 0, 128 (grey) and 255; these are {frames.dtype}, of shape {frames.shape}."
        )
    grey = frames == 128
    frame, row, column = np.nonzero(grey[:-1] & ~grey[1:])
    frame += 1
    sign = np.where(frames[frame, row, column] > 128, *SIGNS)
    table = pd.DataFrame({"time": times[frame], "frame": frame, "row": row, "column": column, "sign": sign})
    table.attrs = {"shape": frames.shape[1:]}
    return table


def degrees(row: npt.ArrayLike, column: npt.ArrayLike, shape: tuple[int, int] = (15, 15)) -> tuple[Any, Any]:
    """Azimuth (right positive) and elevation (up positive) of places in a frame, ° from the middle of the screen.

    Parameters
    ----------
    row, column : array-like
        Pixels, from the top and from the left; fractions allowed.
    shape : tuple
        Rows and columns of the frame.
    """
    middle_row, middle_column = (np.array(shape) - 1) / 2
    return PIXEL * (column - middle_column), PIXEL * (middle_row - row)


def rf_maps(counts: pd.DataFrame, flashes: pd.DataFrame) -> RfMaps:
    """How much each unit fires after a flash of each pixel.

    Parameters
    ----------
    counts : DataFrame
        Units × flashes, the spikes in a window from each flash, as `spikes.counts_in_intervals` gives them for
        ``spikes.around(flashes["time"], window)``. A flash that is NaN there is left out.
    flashes : DataFrame
        As `flashes` gives it.

    Returns
    -------
    RfMaps
        - ``rate``: Hz; units × sign (on, off) × row × column. NaN for a pixel that never flashed.
        - ``z``: the same smoothed by a Gaussian of 1 pixel, as difference from the unit's mean after any flash, in
          standard errors. 0 for a unit without spikes.
        - ``n_flashes``: sign × row × column.
        - ``mean``: of each unit, Hz after any flash.
        - ``units`` (cluster ids) and ``window`` (s from the flash).

        ``rate`` agrees with ``brainbox.task.passive.get_rf_map_over_depth`` averaged over the same bins, which gives
        counts in a bin, by depth.

    Raises
    ------
    ValueError
        Counts and flashes are not of the same number, or counts do not say their window.
    TooFew
        No flash has a count.
    """
    spikes, order, n_flashes, shape = _by_pixel(counts, flashes)
    if "window" not in counts.attrs:
        raise ValueError("These counts do not say their window: count in intervals that spikes.around has made.")
    seconds = counts.attrs["window"][1] - counts.attrs["window"][0]
    sums = _sums(spikes, order, n_flashes)
    with np.errstate(invalid="ignore"):
        rate = sums / n_flashes[:, None] / seconds
    z = _z(sums, _scale(spikes, n_flashes, shape), shape)
    rate, z = (array.T.reshape(-1, 2, *shape) for array in (rate, z))
    mean = spikes.mean(axis=0) / seconds
    return RfMaps(rate, z, n_flashes.reshape(2, *shape), mean, counts.index, counts.attrs["window"])


def best_by_chance(counts: pd.DataFrame, flashes: pd.DataFrame, n: int = 500, seed: int = 0) -> pd.DataFrame:
    """The largest z of each unit's maps when which pixel flashed is drawn again: what the best pixel is held against.

    The rig drew the pixel of each flash by chance, whatever the mouse did. To draw it again, by shuffling the pixels
    (with their signs) among the flashes, is therefore the right null, also for a unit that drifts; and the best of all
    pixels is compared with the best of as many.

    Parameters
    ----------
    counts, flashes
        As in `rf_maps`.
    n : int
        How many times it is drawn. No p is smaller than 1 / (n + 1).
    seed : int

    Returns
    -------
    DataFrame
        Units × draws.
    """
    spikes, order, n_flashes, shape = _by_pixel(counts, flashes)
    scale = _scale(spikes, n_flashes, shape)
    rng, n = np.random.default_rng(seed), at_least(n, 1, "n")
    best = [
        _z(_sums(spikes, rng.permutation(order), n_flashes), scale, shape).max(axis=0)
        for _ in range(at_least(n, 1, "n"))
    ]
    return pd.DataFrame(np.transpose(best), counts.index)


def receptive_fields(maps: RfMaps, chance: pd.DataFrame) -> pd.DataFrame:
    """Which units have a receptive field, where and how wide.

    Parameters
    ----------
    maps : RfMaps
        As `rf_maps` gives it.
    chance : DataFrame
        As `best_by_chance` gives it.

    Returns
    -------
    DataFrame
        One row a unit, by cluster id:

        - ``sign``: of the map with the largest z, ``'on'`` or ``'off'``;
        - ``z``: the largest;
        - ``p``: the share of the draws by chance whose largest z is as large, the recording itself counted in;
          ``p_adjusted``: for as many tests as there are units (Benjamini–Hochberg);
        - ``row``, ``column``, ``sigma`` (pixels): of the round Gaussian that fits the map of that sign best, its centre
          in steps of ¼ pixel, its width one of `WIDTHS`; of a unit without a field they mean nothing;
        - ``azimuth``, ``elevation`` (°): of the centre, from the middle of the screen.
    """
    n_units, _, *shape = maps.z.shape
    if missing := len(maps.units.difference(chance.index)):
        raise ValueError(
            f"Of {missing} of {n_units} units it is not known what chance gives: draw it for the same units."
        )
    flat = maps.z.reshape(n_units, 2, -1)
    sign = flat.max(axis=2).argmax(axis=1)
    z = flat.max(axis=(1, 2))
    as_large = chance.loc[maps.units].to_numpy() >= z[:, None] - 1e-9  # equal but for rounding counts as well
    each = np.arange(n_units)
    rate = np.nan_to_num(maps.rate[each, sign]).reshape(n_units, -1)
    row, column, sigma = _gaussians(rate, maps.n_flashes.reshape(2, -1), sign, tuple(shape))
    azimuth, elevation = degrees(row, column, tuple(shape))
    return pd.DataFrame(
        {
            "sign": np.array(SIGNS)[sign],
            "z": z,
            "p": (p := permutation_p(as_large)),
            "p_adjusted": adjusted(p),
            "row": row,
            "column": column,
            "sigma": sigma,
            "azimuth": azimuth,
            "elevation": elevation,
        },
        index=maps.units,
    )


def replayed(passive: Mapping[str, pd.DataFrame | None]) -> pd.DataFrame:
    """All that was shown and played in the replay of the task, in order of time.

    Parameters
    ----------
    passive : Bunch or other mapping
        As `Session.passive` gives it: ``gabor`` and ``stims``.

    Returns
    -------
    DataFrame
        One row an event: ``kind`` (gabor, valve, tone or noise), ``time`` (s, of its beginning), ``side`` (−1 left,
        +1 right, 0 for a sound, the valve, or where it is not known) and ``contrast`` (fraction, NaN but for gabors).

    Raises
    ------
    MissingDataset
        One of the two tables is missing.
    """
    gabor, stims = passive["gabor"], passive["stims"]
    if gabor is None or stims is None:
        raise MissingDataset("The replay of the task is not known: it takes the tables gabor and stims.")
    seen = pd.DataFrame(
        {
            "kind": "gabor",
            "time": gabor["start"],
            "side": np.sign(gabor["position"]).fillna(0),
            "contrast": gabor["contrast"],
        }
    )
    heard = [
        pd.DataFrame({"kind": kind, "time": stims[f"{kind}On"].dropna(), "side": 0, "contrast": np.nan})
        for kind in ("valve", "tone", "noise")
    ]
    events = pd.concat([seen, *heard]).sort_values("time", ignore_index=True)
    return events.astype({"side": int})


def matched(trials: pd.DataFrame, events: pd.DataFrame, seed: int = 0) -> np.ndarray:
    """As many trials of the task as of the replay for each side and contrast, drawn by chance.

    Parameters
    ----------
    trials, events : DataFrame
        ``side`` (−1 left, +1 right) and ``contrast`` (fraction) of each trial of the task, and of each replayed gabor.
    seed : int

    Returns
    -------
    ndarray of int
        Positions in ``trials``, sorted. Where the task has too few of a kind, all of them.
    """
    rng = np.random.default_rng(seed)
    wanted = events.groupby(["side", "contrast"]).size()
    found = trials.reset_index(drop=True).groupby(["side", "contrast"]).indices
    drawn = [rng.permutation(found[kind])[:n] for kind, n in wanted.items() if kind in found]
    return np.sort(np.concatenate(drawn)) if drawn else np.empty(0, int)


def _by_pixel(counts: pd.DataFrame, flashes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple]:
    """Spikes after each known flash, (n_flashes, n_units); the flashes in order of their pixels; how many each has.

    Pixels are counted through: white ones first, row by row, then black ones. The last is the shape of a frame.
    """
    if counts.shape[1] != len(flashes):
        raise ValueError(f"There are counts of {counts.shape[1]} flashes, and {len(flashes)} flashes.")
    known = counts.notna().all().to_numpy()
    if not known.any():
        raise TooFew("No flash has a count: all lie outside the recording, or there are none.")
    shape, seen = flashes.attrs["shape"], flashes[known]
    sign = (seen["sign"] == SIGNS[1]).to_numpy(int)
    pixel = np.ravel_multi_index((sign, seen["row"], seen["column"]), (2, *shape))
    spikes = np.ascontiguousarray(counts.to_numpy()[:, known].T)
    return spikes, pixel.argsort(kind="stable"), np.bincount(pixel, minlength=2 * np.prod(shape)), shape


def _sums(spikes: np.ndarray, order: np.ndarray, n_flashes: np.ndarray) -> np.ndarray:
    """Spikes of each unit after the flashes of each pixel, (n_pixels, n_units)."""
    first = np.append(0, np.cumsum(n_flashes))
    return csr_array((np.ones(order.size), order, first), shape=(n_flashes.size, order.size)) @ spikes


def _scale(spikes: np.ndarray, n_flashes: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The smoothed sums that are expected of each unit's mean, and their standard deviations; (n_pixels, n_units)."""
    kernel = _kernel(shape)
    expected, deviation = kernel @ n_flashes, np.sqrt(kernel.power(2) @ n_flashes)
    return np.outer(expected, spikes.mean(axis=0)), np.outer(deviation, spikes.std(axis=0))


def _z(sums: np.ndarray, scale: tuple[np.ndarray, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The smoothed sums, less what is expected, in their standard deviations; (n_pixels, n_units)."""
    expected, deviation = scale
    away = _kernel(shape) @ sums - expected
    return np.divide(away, deviation, out=np.zeros_like(away), where=deviation > 0)


@cache
def _kernel(shape: tuple[int, int]) -> csr_array:
    """The Gaussian that smooths the white and the black map, each by itself; (n_pixels, n_pixels)."""
    size = shape[0] * shape[1]
    smooth = gaussian_filter(np.eye(size).reshape(size, *shape), (0, SMOOTHING, SMOOTHING), mode="constant", truncate=3)
    # A sparse product stays in one thread: for many small ones that is far quicker than a dense one.
    return csr_array(block_diag([csr_array(smooth.reshape(size, size))] * 2))


def _gaussians(
    rate: np.ndarray, n_flashes: np.ndarray, sign: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, ...]:
    """Row, column and sigma (pixels) of the Gaussian above a constant that fits each map best, by least squares.

    All that are on a grid of centres and widths are tried. ``rate`` is (n_units, n_pixels), ``n_flashes``, by which
    pixels are weighed, (2, n_pixels), and ``sign`` says which of the two holds for a unit.
    """
    grids = [np.arange(0, size - 1 + STEP / 2, STEP) for size in shape]
    centres = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 2)
    weight = n_flashes / np.maximum(n_flashes.sum(axis=1, keepdims=True), 1)  # of a sign that never flashed: nothing
    mean = (weight[sign] * rate).sum(axis=1, keepdims=True)
    above = weight[sign] * (rate - mean)
    each = np.arange(len(rate))
    best = np.full(len(rate), -np.inf)
    found = np.zeros((3, len(rate)))
    for sigma in WIDTHS:
        along = [np.exp(-0.5 * ((np.arange(n)[:, None] - g) / sigma) ** 2) for n, g in zip(shape, grids, strict=True)]
        shapes = np.einsum("ir,jc->ijrc", *along).reshape(rate.shape[1], -1)  # pixels × centres
        spread = np.sqrt((weight @ shapes**2 - (weight @ shapes) ** 2).clip(0))
        # Its square is what the Gaussian takes away of the map's variance.
        explained = np.divide(above @ shapes, spread[sign], out=np.zeros_like(above @ shapes), where=spread[sign] > 0)
        at = explained.argmax(axis=1)
        better = explained[each, at] > best
        best[better] = explained[each, at][better]
        found[:, better] = [*centres[at[better]].T, np.full(better.sum(), sigma)]
    return tuple(found)
