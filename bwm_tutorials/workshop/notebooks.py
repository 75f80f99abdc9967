"""Pairs: each lesson is a ``.py`` that people edit and an ``.ipynb`` made from it, executed and committed.

The notebook holds nothing that changes without cause: no times, random ids, widget state, or patch versions.
"""

import base64
import hashlib
import re
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .execute import execute
from .pages import clean, without_notes, write_page


def read_source(source: Path) -> NotebookNode:
    """The notebook that a ``.py`` describes, without outputs; a cell's id is a digest of what is in it."""
    import jupytext

    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = NotebookNode({"kernelspec": notebook.metadata["kernelspec"]})
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha1(cell.source.encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, -1) + 1
        cell.id = f"{digest}-{seen[digest]}" if seen[digest] else digest
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def learners_copy(source: Path) -> bytes:
    """The content of the notebook that a learner gets: no outputs, and without the teacher's notes."""
    return _bytes(without_notes(read_source(source)))


def teachers_copy(source: Path) -> bytes:
    """The content of the notebook that a teacher gets: all answers open, and each exercise's solution under it."""
    notebook = read_source(source)
    notebook.cells = [cell for asked in notebook.cells for cell in (asked, *_solutions(asked))]
    for cell in notebook.cells:
        cell.source = cell.source.replace("<details>", "<details open>")
    return _bytes(notebook)


def for_learners(folder: Path) -> dict[str, bytes]:
    """What learners get of a folder of lessons, by name: their copies, and the pages that these link to."""
    sources = [source for source in sorted(folder.glob("*.py")) if source.name != "report.py"]
    lessons = {f"{source.stem}.ipynb": learners_copy(source) for source in sources}
    pages = [page for page in folder.glob("*.md") if page.name != "teaching.md"]
    return lessons | {page.name: page.read_bytes() for page in pages}


def write_learners(lessons: Path, target: Path) -> None:
    """Write what learners get of a folder of lessons into a new folder, with a page of each notebook."""
    target.mkdir(parents=True)
    for name, content in for_learners(lessons).items():
        (target / name).write_bytes(content)
    for notebook in target.glob("*.ipynb"):
        write_page(notebook)


def _solutions(cell: NotebookNode) -> list[NotebookNode]:
    keys = re.findall(r'^check\("(.+?)"', cell.source, flags=re.MULTILINE) if cell.cell_type == "code" else []
    return [
        nbformat.v4.new_code_cell(f'solution("{key}")', id=f"{cell.id}-solution", metadata=cell.metadata)
        for key in keys
    ]


def _bytes(notebook: NotebookNode) -> bytes:
    return nbformat.writes(notebook).encode() + b"\n"


def generate(source: Path) -> None:
    """Make, execute and write the notebook of a ``.py``.

    Raises
    ------
    RuntimeError
        A cell fails; the notebook that is there stays as it was.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Executed under its final name beside nothing else, so that a lesson cannot rely on a file in its folder.
        plain, executed = Path(folder, source.with_suffix(".ipynb").name), Path(folder, "executed.ipynb")
        nbformat.write(read_source(source), plain)
        result = execute(plain, executed)
        if result.error:
            raise RuntimeError(f"{source.name}: {result.error}")
        notebook = clean(nbformat.read(executed, as_version=4))
    nbformat.write(notebook, source.with_suffix(".ipynb"))
    for picture in pictures(notebook):
        target = source.parent / "pictures" / f"{source.stem}.png"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(picture)


def pictures(notebook: NotebookNode) -> list[bytes]:
    """The PNG of the cell tagged ``picture``, which is shown outside the lesson (at most one is expected)."""
    tagged = [cell for cell in notebook.cells if "picture" in cell.metadata.get("tags", [])]
    outputs = [out for cell in tagged for out in cell.outputs if "image/png" in out.get("data", {})]
    return [base64.b64decode(out["data"]["image/png"]) for out in outputs]


def content(notebook: NotebookNode) -> list[tuple[str, str, list[str]]]:
    """What must be the same on both sides of a pair: the type, source and tags of each cell."""
    return [(cell.cell_type, cell.source, list(cell.metadata.get("tags", []))) for cell in notebook.cells]
