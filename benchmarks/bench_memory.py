"""Sessions in memory, and the same with spikes: an hour of the task, 20 units, counts in one window.

Nothing is written in either. Times are those of the processor.
"""

import time
from collections.abc import Callable

import bwm_tutorials as bwm
from bwm_tutorials.simulate import memory
from bwm_tutorials.simulate import session as simulated

EVENT, WINDOW = "stimOn_times", (-0.4, -0.1)
N = 20


def in_memory(seed: int, effects: simulated.Effects, windows: int = 1) -> None:
    recording = memory.behave(seed)
    insertion = memory.insert(seed, recording, effects=effects)
    for _ in range(windows):
        memory.counts(insertion, recording.trials[EVENT], WINDOW)


def with_spikes(seed: int, effects: simulated.Effects) -> None:
    recording = simulated.behave(seed, 60, after=None)
    spikes = simulated.insert(seed, 0, "parietal", recording, 20, effects).spikes
    bwm.spikes.counts_in_intervals(spikes, bwm.spikes.around(recording.trials[EVENT], WINDOW))


def seconds(make: Callable[..., None], *how, n: int = N) -> float:
    """For one session, the mean of n."""
    make(n, *how)
    start = time.process_time()
    for seed in range(n):
        make(seed, *how)
    return (time.process_time() - start) / n


def main() -> None:
    """Measure and print."""
    n_trials = sum(len(memory.behave(seed).trials) for seed in range(N)) / N
    for name, effects in {"nothing": None, "the choice": {"choice": 0.5}, "the sample's": "teaching"}.items():
        one, two, spikes = (
            seconds(in_memory, effects),
            seconds(in_memory, effects, 2),
            seconds(with_spikes, effects, n=5),
        )
        print(
            f"{n_trials:.0f} trials, 20 units, effects: {name}: {60 / one:.0f} sessions a minute, {one * 1000:.0f} ms; "
            f"another window {(two - one) * 1000:.0f} ms; with spikes {spikes / one:.1f} × as long"
        )


if __name__ == "__main__":
    main()
