"""Run lessons: execute each notebook, keep the result, make a page of it, and say how it went."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
from tqdm import tqdm

from ..paths import ROOT
from .pages import Result, write_index, write_page

CELL_TIMEOUT = 120  # s
FETCHING_TIMEOUT = 3600  # s; of a cell that may fetch files: who is fetching gives up by itself when nothing comes
AT_ONCE = 2
_KERNEL_START = 60  # s


def execute(
    notebook: Path,
    output: Path,
    parameters: dict[str, str | None] | None = None,
    cell_timeout: float = CELL_TIMEOUT,
    progress: Callable[[int], object] = lambda cells: None,
) -> Result:
    """Execute a notebook with papermill in a process of its own.

    Parameters
    ----------
    notebook, output : Path
        The notebook, and where the executed one is written (also when a cell fails).
    parameters : dict, optional
        Values for the cell tagged ``parameters``; those that are None are left as they are.
    cell_timeout : float
        Seconds that one cell may take.
    progress : callable
        Called with the number of cells that have finished since the last call.
    """
    for left in (output, output.with_suffix(".html")):  # it would count as progress, and its error as this one's
        left.unlink(missing_ok=True)
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    command = [sys.executable, "-m", "papermill", str(notebook), str(output), "--kernel", "python3"]
    command += ["--cwd", str(notebook.parent), "--no-progress-bar", "--log-level", "ERROR"]
    command += ["--execution-timeout", str(int(cell_timeout)), "--start-timeout", str(_KERNEL_START)]
    command += [word for name, value in given.items() for word in ("-r", name, value)]
    n_cells = sum(cell.cell_type == "code" for cell in nbformat.read(notebook, as_version=4).cells)
    deadline = time.monotonic() + _KERNEL_START + n_cells * cell_timeout
    # The kernel of this environment, not one of the same name in the user's own folder.
    environment = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"}
    environment.pop("MPLBACKEND", None)  # figures belong into the notebook, whatever the shell draws with
    start, peak, finished = time.monotonic(), 0.0, 0
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process, ThreadPoolExecutor(1) as reader:
        log = reader.submit(process.stderr.read)
        while process.poll() is None:
            peak = max(peak, _memory_of_children(process.pid))
            if (now := _finished_cells(output)) > finished:
                progress(now - finished)
                finished = now
            if time.monotonic() > deadline:
                _kill(process.pid)
            time.sleep(0.1)
    progress(max(_finished_cells(output) - finished, 0))
    error = "" if process.returncode == 0 else _failure(output, cell_timeout) or _last_line(log.result())
    return Result(output.stem, time.monotonic() - start, peak / 1e6, error)


def own_source(notebook: Path) -> str:
    """The source that a lesson (``.py`` or ``.ipynb``) runs on unless another is named."""
    found = re.search(r'SOURCE = \\?"([\w-]+)', notebook.read_text(encoding="utf-8"))
    return found[1] if found else "sample"


def run(
    notebooks: Sequence[Path], target: Path, source: str | None = None, eid: str | None = None, notes: bool = False
) -> list[Result]:
    """Execute lessons, two at a time, and write what they gave, as notebooks and as pages with an index.

    Parameters
    ----------
    notebooks : sequence of Path
    target : Path
        Folder for the executed notebooks, the pages and ``index.html``.
    source, eid : str, optional
        Other recordings than the lessons' own.
    notes : bool
        The pages show the teacher's notes.
    """
    target.mkdir(parents=True, exist_ok=True)
    parameters = {"SOURCE": absolute(source), "EID": eid}
    outputs = {target / notebook.name: (notebook, parameters) for notebook in notebooks}
    results = execute_all(outputs, "lessons")
    for text in (ROOT / "notebooks").glob("*.md"):  # their pages are made again where a lesson links them
        (target / f"{text.stem}.html").unlink(missing_ok=True)
    for output in filter(Path.exists, outputs):
        write_page(output, notes)
    write_index(target, "Lessons", results, source or "the lessons' own sources")
    return results


def table(results: Sequence[Result], of: str = "lesson") -> str:
    """The results as text: lesson, seconds, peak memory, ok or the failing cell with its error."""
    width = max(len(of), *(len(result.name) for result in results))
    lines = [f"{of:{width}}  seconds  peak MB  "]
    lines += [f"{r.name:{width}}  {r.seconds:7.1f}  {r.peak_mb:7.0f}  {r.error or 'ok'}" for r in results]
    return "\n".join(lines)


def absolute(source: str | None) -> str | None:
    """Return the path of a folder in full; the name of another source as it is."""
    return str(Path(source).absolute()) if source and Path(source).is_dir() else source


def execute_all(outputs: Mapping[Path, tuple[Path, dict[str, str | None]]], what: str) -> list[Result]:
    """Make each of the outputs from its notebook and parameters, two at a time, with a bar of their progress."""
    n_cells = {notebook: len(nbformat.read(notebook, as_version=4).cells) for notebook, _ in outputs.values()}
    # papermill adds a cell with the values given
    total = sum(n_cells[notebook] + any(given.values()) for notebook, given in outputs.values())
    progress_bar = tqdm(total=total, unit="cell", desc=what, leave=False, disable=None)
    with progress_bar as bar, ThreadPoolExecutor(AT_ONCE) as pool:

        def make(output: Path) -> Result:
            notebook, parameters = outputs[output]
            fetches = parameters.get("SOURCE") in ("aws", "openalyx")
            return execute(notebook, output, parameters, FETCHING_TIMEOUT if fetches else CELL_TIMEOUT, bar.update)

        return list(pool.map(make, outputs))


def _memory_of_children(pid: int) -> float:
    """Bytes that a process's children (the kernel) hold now."""
    try:
        return sum(child.memory_info().rss for child in psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return 0.0


def _kill(pid: int) -> None:
    try:
        for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
            process.kill()
    except psutil.NoSuchProcess:
        pass


def _finished_cells(output: Path) -> int:
    # papermill writes the notebook after each cell, with the state of every cell in its metadata
    try:
        return output.read_text(encoding="utf-8").count('"status": "completed"')
    except (OSError, UnicodeDecodeError):
        return 0


def _failure(output: Path, cell_timeout: float) -> str:
    """Which cell of an executed notebook failed, counted as in the lesson, and its error."""
    cells = nbformat.read(output, as_version=4).cells if output.exists() else []
    added = {"injected-parameters", "papermill-error-cell-tag"}
    for number, cell in enumerate(cell for cell in cells if not added & set(cell.metadata.get("tags", []))):
        for out in cell.get("outputs", []):
            if out.output_type == "error":
                first = next((line for line in cell.source.splitlines() if line.strip()), "")
                stopped = f"took more than {cell_timeout:.0f} s and was stopped"
                error = stopped if out.ename == "KeyboardInterrupt" else f"{out.ename}: {out.evalue}"
                return f"cell {number} ({first}): {error}"
    return ""


def _last_line(log: bytes) -> str:
    lines = [line for line in log.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "the notebook did not finish in time and was stopped"
