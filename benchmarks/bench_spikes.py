"""Quality metrics of the sample's units against brainbox: the ratio of times measured in this run."""

import numpy as np
from bench_loading import best, report

import bwm_tutorials as bwm


def main() -> None:
    """Measure and print."""
    from brainbox.metrics.single_units import quick_unit_metrics

    probe = bwm.Session().insertions[0]
    spikes, n = probe.spikes, len(probe.clusters)
    given = [spikes[name] for name in ("clusters", "times", "amps", "depths")]
    ours = best(lambda: bwm.quality.quality_metrics(spikes, n))
    theirs = best(lambda: quick_unit_metrics(*given, cluster_ids=np.arange(n)), 3)
    report(f"quality of {n} units, {spikes['times'].size / 1e6:.1f} M spikes", ours, theirs, "< 0.3")


if __name__ == "__main__":
    main()
