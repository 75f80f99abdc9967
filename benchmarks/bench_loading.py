"""Loading against IBL's own loader, importing against its import; ratios of times measured in this run.

Each is the best of several runs, on the sample, with the files in the system's cache.
"""

import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import bwm_tutorials as bwm


def best(function: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the fastest of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def python(code: str) -> float:
    """Seconds that a fresh interpreter takes for some code, less its start."""
    run = lambda text: best(lambda: subprocess.run([sys.executable, "-c", text], check=True), 3)  # noqa: E731
    return run(code) - run("pass")


def report(name: str, ours: float, theirs: float, wanted: str) -> None:
    """Print one line of the result."""
    print(f"{name:38} ours {ours:7.3f} s   brainbox {theirs:7.3f} s   ratio {ours / theirs:5.2f}   wanted {wanted}")


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    one = bwm.connect("sample")
    session = bwm.Session(one=one)
    pid = session.insertions[0].pid
    report("import", python("import bwm_tutorials"), python("import brainbox.io.one"), "< 0.1")

    from brainbox.io.one import SessionLoader, SpikeSortingLoader
    from iblatlas.atlas import AllenAtlas

    atlas = AllenAtlas(mock=True)

    def our_insertion() -> None:
        insertion = bwm.Insertion(pid, one)
        _ = insertion.spikes, insertion.clusters, insertion.channels

    def their_insertion() -> None:
        loader = SpikeSortingLoader(pid=pid, one=one, atlas=atlas)
        loader.merge_clusters(*loader.load_spike_sorting())

    report("an insertion", best(our_insertion), best(their_insertion), "<= 1")
    ours = best(lambda: bwm.Session(session.eid, one).trials)
    report("trials", ours, best(lambda: SessionLoader(one=one, eid=session.eid).load_trials()), "<= 1")

    figure = (
        "import io, matplotlib; matplotlib.use('Agg'); import bwm_tutorials as bwm;"
        "s = bwm.Session(); bwm.plots.stamp(s);"
        "bwm.plots.psychometric({'mouse': bwm.trials.psychometric(s.trials)}).savefig(io.BytesIO())"
    )
    print(f"{'first figure, sample built':38} ours {python(figure):7.3f} s   wanted < 8 s")


if __name__ == "__main__":
    main()
