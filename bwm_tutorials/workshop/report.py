"""Reports: one page on each probe insertion, to read without a kernel."""

from collections.abc import Sequence
from pathlib import Path

from .execute import absolute, execute_all
from .pages import Result, write_index, write_report


def report(template: Path, pids: Sequence[str], target: Path, source: str) -> list[Result]:
    """Execute one notebook for each insertion, two at a time, and write what they gave as `run` does.

    The pages are for reading: they stand alone, without code.

    Parameters
    ----------
    template : Path
        A notebook with the parameters ``SOURCE`` and ``PID``.
    pids : sequence of str
        The insertions, each of which gives its name to a notebook and a page.
    target : Path
        Folder for these, and ``index.html``.
    source : str
        Where the insertions are.
    """
    target.mkdir(parents=True, exist_ok=True)
    outputs = {target / f"{pid}.ipynb": (template, {"SOURCE": absolute(source), "PID": pid}) for pid in pids}
    results = execute_all(outputs, "reports")
    for output in filter(Path.exists, outputs):
        write_report(output)
    write_index(target, "Reports", results, source)
    return results
