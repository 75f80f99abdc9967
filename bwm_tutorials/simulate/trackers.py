"""The trackers: what two of them make of the true body in a video.

All is in px of the left camera until `_table` turns it into px of the camera that films.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np
import pandas as pd
from iblutil.util import Bunch
from scipy.ndimage import median_filter
from scipy.signal import lfilter


class Camera(NamedTuple):
    rate: float  # Hz
    size: tuple[int, int]  # px, width and height
    zoom: float  # px of the left camera in one of this camera's
    side: int  # from which it films: +1 the mouse's left, −1 its right
    lost: float  # frames dropped in a session, on average


# Where the points lie at rest, px of the left camera. Paws and pupil are those nearer to the camera that films.
REST = {
    "nose_tip": (240, 300),
    "pupil": (430, 215),
    "paw_l": (420, 715),
    "paw_r": (600, 735),
    "mouth": (262, 345),
    "tube_top": (215, 395),
    "tube_bottom": (222, 445),
}
PUPIL = {"top": (0, -0.5), "right": (0.5, 0), "bottom": (0, 0.5), "left": (-0.5, 0)}  # diameters from its centre
ENSEMBLED = ("pupil", "paw")  # points that Lightning Pose finds with several networks and smooths
EKS_COLUMNS = ("x", "y", "likelihood", "x_ens_median", "y_ens_median", "x_ens_var", "y_ens_var",
               "x_posterior_var", "y_posterior_var")  # fmt: skip

# Standard deviation of a network's error, px of the left camera: of a mouse that is still, and what activity adds.
JITTER = {"nose": (0.2, 0.5), "pupil": (0.6, 1.5), "paw": (0.12, 0.8), "tongue": (1, 0), "tube": (0.15, 0),
          "tail": (0.3, 0.3)}  # fmt: skip


def deeplabcut(rng: np.random.Generator, seen: Bunch, view: Camera) -> pd.DataFrame:
    """One network: it jitters, and jumps away for some frames; a running median over five mends the shortest."""
    observed = _observe(rng, seen, view, jitter=1.3, jumps=3, false_licks=3)
    found = ((*median_filter(place, (1, 5), mode="nearest"), likelihood) for _, place, likelihood, _ in observed)
    return _table([f"{point}_{c}" for point in seen.points for c in EKS_COLUMNS[:3]], found, seen, view)


def lightning_pose(rng: np.random.Generator, seen: Bunch, view: Camera) -> pd.DataFrame:
    """Several networks: their median, how far they are apart, and one smooth track; for some points only one."""
    columns = [f"{p}_{c}" for p in seen.points for c in EKS_COLUMNS[: 9 if _part(p) in ENSEMBLED else 3]]

    def found() -> Iterator[tuple[np.ndarray, ...]]:
        observed = _observe(rng, seen, view, jitter=0.7, jumps=0.3, false_licks=1)
        for part, points in groupby(observed, key=lambda point: _part(point[0])):
            _, medians, likelihoods, errors = zip(*points, strict=True)
            n = errors[0].size
            if part == "nose":
                # What a likelihood is worth differs from network to network: this one is hardly ever sure.
                doubt = (0.7 if view.zoom == 1 else 9.5) * rng.standard_exponential(n // 5 + 1)
                likelihoods = [_held(np.exp(-doubt), n)]
            if part not in ENSEMBLED:
                for median, likelihood in zip(medians, likelihoods, strict=True):
                    yield *median, likelihood
                continue
            spread = [e**2 * np.stack([_held(rng.standard_gamma(2, n // 5 + 1) / 2, n) for _ in "xy"]) for e in errors]
            if part == "pupil":
                # It is smoothed as a circle, by its centre and its diameter, not point by point.
                top, right, bottom, left = medians
                circle = [*(top + right + bottom + left) / 4, (right[0] - left[0] + bottom[1] - top[1]) / 2]
                (x, y, diameter), variance = _smooth(np.stack(circle), np.mean(spread, axis=(0, 1)), memory=0.8)
                smooth = [((x + diameter * dx, y + diameter * dy), variance / 4) for dx, dy in PUPIL.values()]
            else:
                smooth = [_smooth(m, s.mean(axis=0), memory=0.2) for m, s in zip(medians, spread, strict=True)]
            for (track, variance), likelihood, median, apart in zip(smooth, likelihoods, medians, spread, strict=True):
                yield *track, likelihood, *median, *apart, variance, variance

    return _table(columns, found(), seen, view)


def _part(point: str) -> str:
    """What a point is a point of: nose, pupil, paw, tongue, tube or tail."""
    return point.split("_")[0]


def _observe(
    rng: np.random.Generator, seen: Bunch, view: Camera, jitter: float, jumps: float, false_licks: float
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """What a network finds: for each point its name, place (2, n), likelihood, and the error's standard deviation.

    ``jitter`` scales the error, ``jumps`` and ``false_licks`` are a minute. The right video has half the pixels, so
    its errors are larger; but for the paws, which are looked for in a small image of either video.
    """
    n = seen.active.size
    out = seen.tongue_out * (rng.random(seen.lick.max() + 1) > 0.04)[seen.lick]  # some licks are hidden
    false, _ = _bursts(rng, n, false_licks / 60 / view.rate)
    for name, place in seen.points.items():
        part = _part(name)
        still, busy = JITTER[part]
        error = (jitter * (1 if part == "paw" else view.zoom**0.5)) * (still + busy * seen.active)
        likelihood = 1 - 0.001 * rng.standard_exponential(n, np.float32) ** 2
        hidden = np.zeros(n, bool)
        if part == "paw":
            error += jitter * 0.04 * np.hypot(*np.diff(place, axis=1, prepend=place[:, :1]))
        if part == "pupil":
            hidden = seen.blinking
        if part == "paw":  # behind the wheel
            hidden = place[0] < REST[name][0] - 145
        error[hidden] *= 4
        likelihood[hidden] *= rng.uniform(0.4, 1, np.count_nonzero(hidden))

        if part == "tongue":
            # What it finds of a tongue that is in: one spot or another that looks like one, and it knows.
            unseen = out < 0.3
            unseen[false] = False
            spot = np.cumsum(rng.random(n) < 1.5 / view.rate)
            spots = np.array([REST["mouth"], REST["tube_top"], REST["tube_bottom"]])
            spots = spots[rng.integers(0, 3, spot[-1] + 1)] + rng.normal(0, 3, (spot[-1] + 1, 2))
            place = np.where(unseen, spots[spot].T.astype(np.float32), place)
            error[unseen] *= 0.2
            error[false] *= 8
            doubt = (0.02 * rng.standard_exponential(spot[-1] + 1, np.float32) ** 2).clip(max=0.85)
            likelihood[unseen] = doubt[spot[unseen]]
        found = place + error * rng.standard_normal((2, n), np.float32)
        if part in ("paw", "pupil", "nose", "tail"):
            frames, jump = _bursts(rng, n, jumps / 60 / view.rate)
            away, sure = rng.normal(0, 12, (2, n_jumps := jump.max(initial=-1) + 1)), rng.uniform(0.2, 1.2, n_jumps)
            found[:, frames] += away[:, jump]
            if part == "paw":  # taken for the other paw
                found[:, frames] += (seen.points["paw_l" if name == "paw_r" else "paw_r"] - place)[:, frames]
            error[frames] += 12
            likelihood[frames] *= sure.clip(max=1)[jump]
        yield name, found, likelihood, error


def _bursts(rng: np.random.Generator, n: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Frames of random bursts of three frames or more, and for each to which burst it belongs."""
    length = 3 + rng.geometric(0.3, rng.poisson(n * rate))
    burst = np.repeat(np.arange(length.size), length)
    frames = rng.integers(0, n, length.size)[burst] + np.arange(burst.size) - (np.cumsum(length) - length)[burst]
    return np.minimum(frames, n - 1), burst


def _held(draws: np.ndarray, n: int) -> np.ndarray:
    """Each of the draws for five frames, n in all: what a network makes of an image changes as slowly as the image."""
    return np.repeat(draws.astype(np.float32), 5)[:n]


def _smooth(values: np.ndarray, variance: np.ndarray, memory: float) -> tuple[np.ndarray, np.ndarray]:
    """Tracks (k, n) smoothed forwards and backwards, each frame weighted by its precision; and their variance."""

    def both_ways(x: np.ndarray) -> np.ndarray:
        one_way = lfilter([1], [1, -memory], x)
        return one_way + lfilter([1], [1, -memory], x[..., ::-1])[..., ::-1] - x

    precision = both_ways(1 / variance)
    middle = values.mean(axis=1, keepdims=True)
    return middle + both_ways((values - middle) / variance) / precision, 1 / precision


def _table(columns: list[str], found: Iterable[tuple[np.ndarray, ...]], seen: Bunch, view: Camera) -> pd.DataFrame:
    """A float32 table of what was found point by point, in px of the camera, rounded."""
    table = np.empty((len(columns), seen.active.size), np.float32)
    for row, column, values in zip(table, columns, chain.from_iterable(found), strict=True):
        if column.endswith("likelihood"):
            row[:] = values
            _shorten(row, 7)
        elif column.endswith("var"):
            row[:] = values / view.zoom**2
            _shorten(row, 0)
        else:
            row[:] = np.round(values * (8 / view.zoom)) / 8
            if view.side == -1 and column.endswith(("_x", "_x_ens_median")):
                row[:] = view.size[0] - row
    return pd.DataFrame(table.T, columns=columns, copy=False)


def _shorten(values: np.ndarray, digits: int) -> None:
    """Round float32 numbers in place to so many binary digits after the first."""
    bits = values.view(np.uint32)  # sign, exponent, 23 digits
    bits += 1 << (22 - digits)
    bits &= np.uint32(-1 << (23 - digits) & 0xFFFFFFFF)
