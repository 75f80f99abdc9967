"""What it costs to hold a file against the registry: a share of the first, verified load of 20 million spikes."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import bwm_tutorials as bwm
from bwm_tutorials.paths import ROOT
from bwm_tutorials.recordings import contracts, datasets, integrity

sys.path.append(str(ROOT / "tests"))
from helpers.hand_made import probe_files, record_probe

N_SPIKES, N_UNITS, SORTING = 20_000_000, 3, "alf/probe00/pykilosort"


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(1)
    spikes = {
        f"{SORTING}/spikes.times.npy": np.sort(rng.uniform(0, 4000, N_SPIKES)),
        f"{SORTING}/spikes.clusters.npy": rng.integers(0, N_UNITS, N_SPIKES, np.uint16),
        f"{SORTING}/spikes.amps.npy": rng.uniform(5e-5, 3e-4, N_SPIKES).astype(np.float32),
        f"{SORTING}/spikes.depths.npy": rng.uniform(0, 3840, N_SPIKES).astype(np.float32),
    }
    with tempfile.TemporaryDirectory() as folder:
        one = record_probe(Path(folder), probe_files(SORTING, 4) | spikes).one
        loads, checks = [], []
        for _ in range(5):
            integrity._verified.clear()
            start = time.perf_counter()
            loaded = bwm.Session(one=one).insertions[0].spikes
            loads.append(time.perf_counter() - start)
            start = time.perf_counter()
            for path in spikes:
                assert contracts.breach(datasets.described(path), loaded[path.split(".")[1]]) == ""
            loaded.clusters.max()
            checks.append(time.perf_counter() - start)
    share = min(checks) / min(loads)
    print(f"{N_SPIKES:,} spikes: loaded in {min(loads):.2f} s, {min(checks):.3f} s of it checks: {share:.1%}")
    print("wanted: 5 % at most")


if __name__ == "__main__":
    main()
