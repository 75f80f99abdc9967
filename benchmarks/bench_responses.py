"""Counts, rates and tests around events against brainbox, pynapple and a bare sum over the spikes.

On synthetic probes of the release's size, made here: 75 minutes, rates from a log-normal distribution, 600 events. What
is fast is timed in rounds, one call of each after another, so that whatever else the computer does slows all of them;
ratios are the median over rounds, seconds the best. Peers that take seconds are called once, and five of our calls
follow. Peak memory is that of arrays and objects beyond the spikes (tracemalloc), in a call of its own.
"""

import os
import platform
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from iblutil.util import Bunch

import bwm_tutorials as bwm

SIZES = ((8_000_000, 600), (20_000_000, 900))
SECONDS, N_EVENTS, ROUNDS = 4500.0, 600, 15
WINDOW, BIN = (-0.2, 0.5), 0.01
SUM = "times.sum() + clusters.sum()"


def machine() -> str:
    """What this was measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = f"{platform.system()}, Python {platform.python_version()}, numpy {np.__version__}"
    return f"{model}, {os.cpu_count()} cores{load}; {versions}"


def release_sized(n_spikes: int, n_units: int) -> tuple[Bunch, np.ndarray]:
    """Spikes with the release's types, and the times of events."""
    rng = np.random.default_rng(0)
    share = rng.lognormal(0.7, 1.65, n_units)  # of the rates of real good units
    clusters = rng.choice(n_units, n_spikes, p=share / share.sum()).astype(np.uint16)
    times = np.sort(rng.uniform(0, SECONDS, n_spikes))
    return Bunch(times=times, clusters=clusters), np.sort(rng.uniform(10, SECONDS - 10, N_EVENTS))


def in_rounds(functions: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, np.ndarray]:
    """Seconds of each function in each round."""
    seconds = np.empty((rounds, len(functions)))
    for row in seconds:
        for i, function in enumerate(functions.values()):
            start = time.perf_counter()
            function()
            row[i] = time.perf_counter() - start
    return dict(zip(functions, seconds.T, strict=True))


def peak(function: Callable[[], object]) -> float:
    """MB that one call needs at once, its result included."""
    tracemalloc.start()
    function()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def report(name: str, seconds: np.ndarray, megabytes: float, ratio: float, to: str, wanted: str = "") -> None:
    """Print one line of the result."""
    wanted = f"   wanted {wanted}" if wanted else ""
    print(f"{name:44} {seconds.min():8.4f} s {megabytes:7.0f} MB   {ratio:8.2f} × {to}{wanted}", flush=True)


def measure(n_spikes: int, n_units: int) -> None:
    """All of it on one probe."""
    from brainbox.population.decode import get_spike_counts_in_bins
    from brainbox.singlecell import bin_spikes2D, calculate_peths
    from brainbox.task import closed_loop

    spikes, events = release_sized(n_spikes, n_units)
    every_other = Bunch(spikes, clusters=spikes.clusters * 2)
    units, intervals = np.arange(n_units), bwm.spikes.around(events, (0, 0.3))
    choice = np.random.default_rng(1).integers(0, 2, N_EVENTS)
    contrast = np.arange(N_EVENTS) % 9
    counts = bwm.spikes.counts_in_intervals(spikes, intervals)
    given = (spikes.times, spikes.clusters)
    print(f"\n{n_spikes / 1e6:.0f} M spikes, {n_units} units, {N_EVENTS} events, {round(0.7 / BIN)} bins")

    ours: dict[str, tuple[Callable[[], object], str]] = {
        "peth": (lambda: bwm.spikes.peth(spikes, events, WINDOW, BIN), "<= 4"),
        "peth, every other id without spikes": (lambda: bwm.spikes.peth(every_other, events, WINDOW, BIN), ""),
        "peth of 60 units": (lambda: bwm.spikes.peth(spikes, events, WINDOW, BIN, units[::10][:60]), ""),
        "peth by 9 conditions": (lambda: bwm.spikes.peth(spikes, events, WINDOW, BIN, condition=contrast), ""),
        "trial_counts": (lambda: bwm.spikes.trial_counts(spikes, events, WINDOW, BIN), "<= 10"),
        "counts_in_intervals": (lambda: bwm.spikes.counts_in_intervals(spikes, intervals), ""),
        "responsive_units": (lambda: bwm.responses.responsive_units(spikes, events, (0, 0.2), (-0.2, 0)), ""),
    }
    functions = {SUM: lambda: (spikes.times.sum(), spikes.clusters.sum())} | {k: f for k, (f, _) in ours.items()}
    in_rounds(functions, 1)
    seconds = in_rounds(functions)
    report(SUM, seconds[SUM], 0, 1, "itself")
    for name, (function, wanted) in ours.items():
        report(name, seconds[name], peak(function), np.median(seconds[name] / seconds[SUM]), "the sum", wanted)

    # By itself, for the threads of its matrix product keep the other core busy for a while after it.
    name, function = "selectivity, 2000 shuffles", lambda: bwm.responses.selectivity(counts, choice, contrast)
    alone = in_rounds({name: function}, 5)[name]
    report(name, alone, peak(function), np.median(alone) / np.median(seconds[SUM]), "the sum")

    theirs: dict[str, tuple[str, Callable[[], object]]] = {
        "brainbox calculate_peths, smoothing=0": (
            "peth",
            lambda: calculate_peths(*given, units, events, 0.2, 0.5, BIN, smoothing=0),
        ),
        "brainbox bin_spikes2D": ("trial_counts", lambda: bin_spikes2D(*given, units, events, 0.2, 0.5, BIN)),
        "brainbox get_spike_counts_in_bins": (
            "counts_in_intervals",
            lambda: get_spike_counts_in_bins(*given, intervals.to_numpy()),
        ),
        "brainbox responsive_units": (
            "responsive_units",
            lambda: closed_loop.responsive_units(*given, events, [0.2, 0], [0, 0.2]),
        ),
    }
    if n_spikes == SIZES[0][0]:  # the larger one takes minutes
        theirs["pynapple compute_perievent, count, mean"] = ("peth", pynapple(spikes, n_units, events))
    for name, (twin, function) in theirs.items():
        # Those that take seconds are called once, with several calls of ours after it.
        once = in_rounds({name: function}, 1)[name]
        pair = (
            in_rounds({name: function, twin: ours[twin][0]}, 5) if once[0] < 1 else in_rounds({twin: ours[twin][0]}, 5)
        )
        ratio = np.median(pair.get(name, once) / pair[twin])
        wanted = {"peth": ">= 100", "counts_in_intervals": ">= 1"}.get(twin, "")
        report(name, pair.get(name, once), peak(function), ratio, f"our {twin}", wanted)
    expected, _ = calculate_peths(*given, units, events, 0.2, 0.5, BIN, smoothing=0)
    np.testing.assert_allclose(bwm.spikes.peth(spikes, events, WINDOW, BIN).mean, expected.means, atol=1e-9)


def pynapple(spikes: Bunch, n_units: int, events: np.ndarray) -> Callable[[], object]:
    """Its way to a mean and a standard error of each unit; that spikes are split into trains is not timed."""
    import pynapple as nap

    trains = nap.TsGroup({unit: nap.Ts(spikes.times[spikes.clusters == unit]) for unit in range(n_units)})
    around = nap.Ts(events)

    def mean_and_sem() -> list[tuple[np.ndarray, np.ndarray]]:
        found = []
        for train in nap.compute_perievent(trains, around, WINDOW).values():
            rate = train.count(BIN).to_numpy() / BIN
            found.append((rate.mean(axis=1), rate.std(axis=1, ddof=1) / np.sqrt(N_EVENTS)))
        return found

    return mean_and_sem


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    print(machine())
    for size in SIZES:
        measure(*size)


if __name__ == "__main__":
    main()
