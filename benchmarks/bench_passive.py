"""Receptive-field maps of a probe of the release's size against brainbox: the ratio of times measured in this run.

600 units with 5 Hz and five minutes of sparse noise, made here. brainbox counts in bins of 10 ms and sorts spikes by
depth: each unit is put at a depth of its own.
"""

import numpy as np
from bench_loading import best, report

import bwm_tutorials as bwm
from bwm_tutorials.simulate.passive import sparse_noise

N_UNITS, RATE, SECONDS = 600, 5.0, 310.0


def main() -> None:
    """Measure and print."""
    from brainbox.task.passive import get_on_off_times_and_positions, get_rf_map_over_depth

    rng = np.random.default_rng(0)
    frames = sparse_noise(rng, 17_999)
    times = 5 + np.arange(len(frames)) / 60
    clusters = rng.integers(0, N_UNITS, int(N_UNITS * RATE * SECONDS))
    spikes = {"times": np.sort(rng.uniform(0, SECONDS, clusters.size)), "clusters": clusters}

    def ours():
        flashes = bwm.passive.flashes(times, frames)
        counts = bwm.spikes.counts_in_intervals(spikes, bwm.spikes.around(flashes["time"], (0.05, 0.25)))
        bwm.passive.rf_maps(counts, flashes)
        return counts, flashes

    def theirs():
        found = get_on_off_times_and_positions({"times": times, "frames": frames})
        depths = {"d_bin": 20, "y_lim": [0, 20 * (N_UNITS - 1)]}
        get_rf_map_over_depth(*found, spikes["times"], clusters * 20.0, pre_stim=0, post_stim=0.25, **depths)

    seconds = best(ours, 3)
    report(f"maps of {N_UNITS} units, {clusters.size / 1e6:.1f} M spikes", seconds, best(theirs, 1), "< 0.2")
    chance = best(lambda: bwm.passive.best_by_chance(*ours(), n=100), 1)
    print(f"the best by chance, of 100 draws: {chance:.1f} s; brainbox has no test")


if __name__ == "__main__":
    main()
