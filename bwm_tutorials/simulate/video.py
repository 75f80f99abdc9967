"""The cameras: what the mouse's body does while it works, filmed by three cameras.

There is one true body (`posture`), and each camera films it (`film`): the left at 60 Hz and full resolution, the
right at 150 Hz and half of it, mirrored, the body camera from above. DeepLabCut jitters and jumps, and is often sure
of it; Lightning Pose, an ensemble of networks and a smoother, does so much less. How far things move and how fast was
set by real recordings: the Brain Wide Map session NYU-11 2020-02-21 and IBL's paw and pupil clips in the repository
of the ensemble Kalman smoother (paninski-lab/eks).
"""

from pathlib import Path

import numpy as np
import pandas as pd
from iblutil.util import Bunch
from scipy.signal import lfilter

from ..analysis.pose import lick_times, pupil_diameter
from .trackers import PUPIL, REST, Camera, deeplabcut, lightning_pose

WHEEL_RATE = 1000  # Hz, of scene.wheel
AROUSAL_RATE = 10  # Hz, of scene.arousal
RATE = 250  # Hz, of the body's traces


CAMERAS = {
    "left": Camera(60.13, (1280, 1024), 1, 1, 0),
    "right": Camera(150.77, (640, 512), 2, -1, 16.5),
    "body": Camera(30.06, (640, 512), 1, 0, 0),
}

TAIL = (430, 250)  # px of the body camera
GRIP = 0.3  # rad that a paw goes with the wheel to either side before it lets go
ALONG = (480, -110)  # px that a paw moves while the wheel turns 1 rad towards the camera
STROKE = 0.1  # s that a paw is in the air between two grips
TONGUE = 0.13  # s that the tongue is out


def posture(rng: np.random.Generator, scene: Bunch) -> Bunch:
    """How the mouse holds and moves its body during a session.

    Both paws hold the wheel and go with it, until it has carried one too far: that paw lets go, swings back and
    grips again. The tongue comes out at the licks. The pupil follows arousal and a faster fluctuation of its own
    (its correlation falls to 1/e in .3 s), narrows after a stimulus, widens with movement and reward.

    Parameters
    ----------
    rng : Generator
    scene : Bunch
        ``seconds`` (float); ``wheel``, its true position (rad, rising counter-clockwise) at 1 kHz from time 0;
        ``licks`` (s, in order, when the tongue is out furthest); ``arousal`` (mean 0, standard deviation 1) at
        10 Hz from time 0; ``trials``, a table with stimOn_times, feedback_times, feedbackType, contrastLeft,
        contrastRight, all of which may hold NaN.

    Returns
    -------
    Bunch
        Traces at 250 Hz from time 0, for `film` and `truth`. Lengths are px of the left camera, the tail's of the
        body camera.
    """
    n = int(scene.seconds * RATE)
    times = np.arange(n) / RATE
    turned = scene.wheel[np.minimum(np.arange(n) * WHEEL_RATE // RATE, scene.wheel.size - 1)]
    arousal = np.interp(times, np.arange(scene.arousal.size) / AROUSAL_RATE, scene.arousal)
    turning = np.minimum(np.abs(np.gradient(turned)) * RATE / 0.6, 1)
    licking = np.minimum(_leak(_impulses(scene.licks, 1, n), 0.15) * 4, 1)
    fidgeting = (_wander(rng, n, 0.3) + 0.3 * arousal - 0.3).clip(0, 1)
    active = _leak(np.max([turning, licking, fidgeting], axis=0), 0.2) / (0.2 * RATE)
    handling = _leak(np.maximum(turning, 0.2 * fidgeting), 0.2) / (0.2 * RATE)

    trials = scene.trials
    contrast = trials["contrastLeft"].fillna(trials["contrastRight"]).fillna(0).to_numpy()
    rewards = trials.loc[trials["feedbackType"] == 1, "feedback_times"].to_numpy()
    diameter = (
        23
        + 2.4 * arousal
        + 0.8 * _wander(rng, n, 0.14)
        - _response(trials["stimOn_times"].to_numpy() + 0.2, 0.5 + contrast, 0.35, n)
        + _response(rewards + 0.3, 1, 0.8, n)
        + 1.5 * _leak(active, 1.0) / RATE
    )
    gaze = rng.normal(0, 1.5, (2, 1 + rng.poisson(scene.seconds / 2)))
    saccades = np.sort(rng.uniform(0, scene.seconds, gaze.shape[1] - 1))
    lick_places = rng.normal((1, 0), (0.08, 4), (scene.licks.size, 2)).T
    sniff = [1.2 * _wander(rng, n, 10) + (0.5 + 2.5 * active) * _wander(rng, n, 0.05) for _ in "xy"]
    sway = [3 * _wander(rng, n, 20) + 4 * active * _wander(rng, n, 0.2) for _ in "xy"]
    return Bunch(
        seconds=scene.seconds,
        active=active.astype(np.float32),
        diameter=np.maximum(diameter, 6).astype(np.float32),
        gaze=gaze[:, np.searchsorted(saccades, times)].astype(np.float32),
        blinking=_intervals(rng, n, every=30, length=(0.1, 0.25)),
        paws={side: _paw(rng, side * turned, handling) for side in (1, -1)},
        nose=np.array(sniff, np.float32),
        tail=np.array(sway + 6 * _leak(np.gradient(turned), 0.3), np.float32),
        licks=scene.licks,
        lick_places=lick_places,
    )


def truth(body: Bunch) -> pd.DataFrame:
    """The true body at 60 Hz, as the left camera would see it without error.

    Returns
    -------
    DataFrame
        ``times`` (s); ``paw_r_x``, ``paw_r_y`` of the paw nearer to the left camera, ``paw_l_x``, ``paw_l_y`` of the
        other, ``nose_tip_x``, ``nose_tip_y``, ``pupil_diameter``, all in px of the left camera (1280 × 1024);
        ``tongue_out`` (0 inside, 1 at the tube); ``active`` (0 to 1: how much the mouse moves, licks or fidgets).
    """
    times = np.arange(0, body.seconds, 1 / 60)
    seen = _seen(body, times, side=1)
    columns = {"times": times}
    for point in ("paw_r", "paw_l", "nose_tip"):
        columns[f"{point}_x"], columns[f"{point}_y"] = seen.points[point]
    columns |= {"pupil_diameter": seen.diameter, "tongue_out": seen.tongue_out, "active": seen.active}
    return pd.DataFrame(columns)


def film(rng: np.random.Generator, body: Bunch, camera: str) -> Bunch:
    """What the release holds of one camera: the times of its frames and what was found in them.

    Give each camera a generator of its own, and leaving one out changes nothing in the others.

    Parameters
    ----------
    rng : Generator
    body : Bunch
        As `posture` gives it.
    camera : {'left', 'right', 'body'}

    Returns
    -------
    Bunch
        ``times`` (s), one for each frame that exists: a dropped frame is a gap. ``dlc`` and ``lightning_pose``,
        float32 tables with a row for each frame, in px of this camera, with the release's columns: 33 and 69 for
        left and right, 3 for body. ``motion_energy`` (mean grey-level change in the region ``roi``, which is
        [width, height, x, y] in px; the last value stands twice). Left and right also have ``features``
        (pupilDiameter_raw and _smooth, px) and ``licks`` (s, `pose.lick_times` with Lightning Pose).

    Notes
    -----
    x of the right camera is that of its video as it was filmed: the network saw it mirrored, so that ``paw_r`` is
    the paw nearer to the camera in both videos, and its x was mirrored back (640 − x), as iblvideo does.

    So that the files are small, coordinates are rounded to 1/8 px (an rms error of .036 px, well below that of either
    tracker), likelihoods to 1/256 of themselves, variances to powers of two.
    """
    view = CAMERAS[camera]
    times = frame_times(rng, camera, body.seconds)
    seen = _seen(body, times, view.side)
    dlc, pose = deeplabcut(rng, seen, view), lightning_pose(rng, seen, view)
    flicker = rng.normal(0, 0.25, times.size) + 0.3 * _wander(rng, times.size, 1, view.rate)
    energy = np.round((0.7 + 5.5 * seen.active) * np.exp(flicker), 2)
    energy[-1] = energy[-2]  # there is one difference less than frames
    filmed = Bunch(times=times, dlc=dlc, lightning_pose=pose, motion_energy=energy, roi=region_of_interest(dlc))
    if view.side:
        raw = pupil_diameter(pose, suffix="_ens_median", min_likelihood=0)
        filmed.features = pd.DataFrame({"pupilDiameter_raw": raw, "pupilDiameter_smooth": pupil_diameter(pose)})
        filmed.licks = lick_times(times, pose)
    return filmed


def frame_times(rng: np.random.Generator, camera: str, seconds: float) -> np.ndarray:
    """Times (s) of a camera's frames: from a few seconds after 0 almost to the end, some frames dropped."""
    rate, lost = CAMERAS[camera].rate, CAMERAS[camera].lost
    times = np.arange(rng.uniform(4, 9), seconds - rng.uniform(0, 1), 1 / rate)
    times += rng.normal(0, 2e-5, times.size)
    return np.delete(times, rng.choice(np.arange(1, times.size - 1), rng.poisson(lost), replace=False))


def with_unrecorded_start(times: np.ndarray, frames: int) -> np.ndarray:
    """Frame times as older sessions have them: earlier ones stand in front, of frames that were never stored.

    ``brainbox.io.one.SessionLoader`` drops times from the start until there are as many as frames.
    """
    return np.append(times[0] - np.arange(frames, 0, -1) * np.median(np.diff(times)), times)


def region_of_interest(dlc: pd.DataFrame) -> np.ndarray:
    """Where motion energy is measured in a video: [width, height, x, y], px, int64.

    In a side video the whisker pad: it hangs from the middle between nose and pupil, half as wide and a third as
    high as they are apart, as in ``brainbox.behavior.dlc.plot_trace_on_frame``. In the body video most of the body,
    before the tail, as in ``iblvideo.motion_energy``.
    """

    def middle(point: str) -> np.ndarray:
        return dlc.loc[dlc[f"{point}_likelihood"] > 0.9, [f"{point}_x", f"{point}_y"]].mean().to_numpy()

    if "tail_start_x" in dlc:
        x, y = middle("tail_start")
        return np.array([0.6 * x, 210, 0.4 * x, y - 120]).astype(np.int64)
    nose, pupil = middle("nose_tip"), middle("pupil_top_r")
    apart = np.linalg.norm(nose - pupil)
    x, y = (nose + pupil) / 2
    return np.array([apart / 2, apart / 3, x - apart / 4, y]).astype(np.int64)


def write_pose(file: Path, pose: pd.DataFrame) -> None:
    """Write a table of pose or of features as parquet.

    Rounded coordinates leave the low bytes of each float32 zero: stored byte by byte (``BYTE_STREAM_SPLIT``) they
    cost nothing. pandas reads the file as any other.
    """
    pose.to_parquet(file, index=False, compression="zstd", use_dictionary=False, use_byte_stream_split=True)


# The body.


def _paw(rng: np.random.Generator, turned: np.ndarray, handling: np.ndarray) -> np.ndarray:
    """A paw on the wheel: how far it is carried (rad), and what else it moves in x and y (px), shape (3, n)."""
    step = RATE // 50  # it decides 50 times a second whether to let go
    angle = turned[::step].tolist()
    bored = (rng.random(len(angle)) < 0.4 * handling[::step] / 50).tolist()
    place = rng.normal(0, 0.08, len(angle)).tolist()
    in_air, last = round(STROKE * 50), len(angle) - 1
    at, by, grip, landed = [], [], angle[0], 0
    for i, now in enumerate(angle):
        carried = now - grip
        if i >= landed and (bored[i] or not -GRIP < carried < GRIP):
            landed = min(i + in_air, last)
            new = place[i] - 0.4 * carried  # it reaches back beyond its rest: the next stroke is to be long as well
            at.append(i * step)
            by.append(angle[landed] - grip - new)
            grip = angle[landed] - new
    width = int(STROKE * RATE)
    swing = np.arange(width + 1) / width
    done = np.array(at, int) + width < turned.size
    at, by = np.array(at, int)[done, None], np.array(by)[done, None]
    back, lift = np.zeros(turned.size), np.zeros(turned.size)
    np.add.at(back, at + np.arange(1, width + 1), by * np.diff(0.5 - 0.5 * np.cos(np.pi * swing)))
    np.add.at(lift, at + np.arange(width + 1), (120 * np.abs(by) + 10) * np.sin(np.pi * swing) ** 2)
    x, y = (10 * _wander(rng, back.size, 15) + (0.05 + 7 * handling) * _wander(rng, back.size, 0.06) for _ in "xy")
    return np.stack([turned - turned[0] - np.cumsum(back), x, y - lift]).astype(np.float32)


def _seen(body: Bunch, times: np.ndarray, side: int) -> Bunch:
    """The true points at the times of frames, px of the left camera (for the right: of its mirrored image)."""
    whole, part = np.divmod(times * RATE, 1)
    whole, part = np.minimum(whole.astype(int), body.active.size - 2), part.astype(np.float32)

    def at(trace: np.ndarray) -> np.ndarray:
        before = trace[..., whole]
        return before + part * (trace[..., whole + 1] - before)

    def paw(of: int) -> np.ndarray:
        along, x, y = at(body.paws[of])
        along *= of * side  # what comes nearer to one camera goes away from the other
        return np.stack([ALONG[0] * along + x, ALONG[1] * along + y])

    if not side:
        tail = np.array(TAIL, np.float32)[:, None] + at(body.tail)
        none = np.zeros(times.size, int)
        return Bunch(points={"tail_start": tail}, active=at(body.active), tongue_out=none, lick=none)

    rest = {point: np.array(place, np.float32)[:, None] for point, place in REST.items()}
    licks = np.append(body.licks, np.inf)
    nearest = np.searchsorted((licks[1:] + licks[:-1]) / 2, times)
    since = np.minimum(np.abs(times - licks[nearest]) / TONGUE, 0.5)
    out = (0.5 + 0.5 * np.cos(2 * np.pi * since)).astype(np.float32)
    reach, bend = np.append(body.lick_places, [[1], [0]], axis=1).astype(np.float32)[:, nearest]
    tongue = rest["mouth"] + out * (reach * (rest["tube_top"] - rest["mouth"]) + np.stack([bend, 0 * bend]))
    diameter, pupil = at(body.diameter), rest["pupil"] + at(body.gaze)
    end = np.array([[7], [5]], np.float32)
    fixed = np.zeros((2, times.size), np.float32)
    return Bunch(
        points={
            "nose_tip": rest["nose_tip"] + at(body.nose) + 2 * out,
            **{f"pupil_{p}_r": pupil + diameter * np.array(d, np.float32)[:, None] for p, d in PUPIL.items()},
            "paw_l": rest["paw_l"] + paw(-side),
            "paw_r": rest["paw_r"] + paw(side),
            "tongue_end_l": tongue - end,
            "tongue_end_r": tongue + end,
            "tube_top": rest["tube_top"] + fixed,
            "tube_bottom": rest["tube_bottom"] + fixed,
        },
        diameter=diameter,
        tongue_out=out,
        lick=nearest,
        active=at(body.active),
        blinking=body.blinking[whole],
    )


def _impulses(times: np.ndarray, sizes: np.ndarray | float, n: int) -> np.ndarray:
    """A trace that is 0 but for events of a size; events at NaN or outside of it are left out."""
    sizes = np.broadcast_to(sizes, times.shape)
    inside = (times >= 0) & (times < n / RATE)
    return np.bincount((times[inside] * RATE).astype(int), sizes[inside], n)


def _leak(drive: np.ndarray, seconds: float) -> np.ndarray:
    """The drive summed with a memory that fades to 1/e in so many seconds; an impulse of 1 begins at 1."""
    return lfilter([1], [1, -np.exp(-1 / (seconds * RATE))], drive)


def _response(times: np.ndarray, sizes: np.ndarray | float, seconds: float, n: int) -> np.ndarray:
    """To each event a response of its size, which peaks so many seconds later."""
    fade = np.exp(-1 / (seconds * RATE))
    return lfilter([np.e / (seconds * RATE)], [1, -2 * fade, fade**2], _impulses(times, sizes, n))


def _wander(rng: np.random.Generator, n: int, seconds: float, rate: float = RATE) -> np.ndarray:
    """Smooth noise of variance 1, whose correlation falls to 1/e after about twice so many seconds."""
    fade = np.exp(-1 / (seconds * rate))
    gain = np.sqrt((1 - fade**2) ** 3 / (1 + fade**2))
    return lfilter([gain], [1, -2 * fade, fade**2], rng.standard_normal(n))


def _intervals(rng: np.random.Generator, n: int, every: float, length: tuple[float, float]) -> np.ndarray:
    """A trace that is True during intervals at random times, one in so many seconds on average."""
    starts = rng.integers(0, n, rng.poisson(n / RATE / every))
    stops = np.minimum(starts + (rng.uniform(*length, starts.size) * RATE).astype(int), n)
    return np.cumsum(np.bincount(starts, minlength=n + 1) - np.bincount(stops, minlength=n + 1))[:n] > 0
