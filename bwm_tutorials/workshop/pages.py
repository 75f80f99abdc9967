"""Executed notebooks as pages to read: lessons with their code, reports without, and an index of either."""

import re
from collections.abc import Sequence
from html import escape
from importlib.metadata import metadata
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from ..paths import ROOT

KEPT_METADATA = {"kernelspec", "language_info"}
_STYLE = """
body {font: 16px/1.5 sans-serif; margin: 3em auto; max-width: 58em; padding: 0 1em}
table {border-collapse: collapse; font-size: .9em}
td, th, tr {padding: .2em .7em; text-align: left !important; border-width: 0}
pre {white-space: pre-wrap; font: inherit}
a {white-space: nowrap}
img {max-width: 100%; break-inside: avoid}
h2 {margin-top: 2em; border-top: 1px solid #ccc; padding-top: .5em; break-after: avoid}
@media print {body {margin: 0; max-width: none; font-size: 12px} img {max-height: 12cm}}
"""
_NOTES_STYLE = "<style>.celltag_teacher {background: #fff6dd; border-left: 6px solid #e69f00}</style>"


class Result(NamedTuple):
    """How one notebook went; ``name`` is that of the executed one, ``error`` is empty if every cell ran."""

    name: str
    seconds: float
    peak_mb: float
    error: str


def without_handles(notebook: NotebookNode) -> NotebookNode:
    """A notebook with a sentence in the place of each widget, which is dead where no kernel runs."""
    for out in (out for cell in notebook.cells for out in cell.get("outputs", [])):
        if out.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None):
            out["data"] = {"text/plain": "A figure with handles: they are here where the notebook runs."}
    return notebook


def without_bars(notebook: NotebookNode) -> NotebookNode:
    """A notebook with what a terminal would still show of progress bars, which is nothing once they have ended."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
            for out in cell.outputs:
                if out.output_type == "stream":
                    out.text = re.sub(r"[^\n]*\r(?!\n)", "", out.text)
            cell.outputs = [out for out in cell.outputs if out.output_type != "stream" or out.text]
    return notebook


def without_notes(notebook: NotebookNode) -> NotebookNode:
    """A notebook without the teacher's notes, which are the cells tagged ``teacher``."""
    from nbconvert.preprocessors import TagRemovePreprocessor

    return TagRemovePreprocessor(remove_cell_tags={"teacher"}, enabled=True)(notebook, {})[0]


def clean(notebook: NotebookNode) -> NotebookNode:
    """Take out of an executed notebook what differs from run to run or from computer to computer."""
    notebook.metadata = NotebookNode({k: v for k, v in notebook.metadata.items() if k in KEPT_METADATA})
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            # Progress bars and notes on a sample being built go to stderr.
            cell.outputs = _joined([out for out in cell.outputs if out.get("name") != "stderr"])
            for out in cell.outputs:
                out.pop("metadata", None) if out.output_type == "stream" else out.update(metadata={})
    return without_handles(notebook)


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with what was printed in several pieces put together: where it is cut depends on the computer's speed."""
    joined: list[NotebookNode] = []
    for out in outputs:
        if joined and out.output_type == joined[-1].output_type == "stream" and out.name == joined[-1].name:
            joined[-1].text += out.text
        else:
            joined.append(out)
    return joined


def write_page(notebook: Path, notes: bool = False) -> None:
    """Write a notebook as a page beside it, with or without the teacher's notes.

    Links go from page to page; Markdown that is linked becomes a page too, and what has no page is linked in the
    repository.
    """
    shown = without_bars(without_handles(nbformat.read(notebook, as_version=4)))
    _write(shown if notes else without_notes(shown), notebook.with_suffix(".html"))


def _write(notebook: NotebookNode, file: Path) -> None:
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(exclude_input_prompt=True, exclude_output_prompt=True)
    page, _ = exporter.from_notebook_node(notebook)

    def link(found: re.Match) -> str:
        path, anchor = found[1], found[2] or ""
        source, target = ROOT / "notebooks" / path, (file.parent / path).with_suffix(".html")
        if source.suffix == ".md" and source.exists() and not target.exists():
            target.touch()  # of two pages that name each other each is written once
            text = nbformat.v4.new_markdown_cell(source.read_text(encoding="utf-8"))
            _write(nbformat.v4.new_notebook(cells=[text]), target)
        if target.exists() or (file.parent / path).exists():
            return f'href="{target.name}{anchor}"'
        address = metadata("bwm-tutorials").get_all("Project-URL")[0].split(", ")[1]
        return f'href="{address}/blob/HEAD/notebooks/{path}{anchor}"'

    page = re.sub(r'href="(?![a-z]+:|#|/)([^"#]+\.(?:ipynb|md))(#[^"]*)?"', link, page)
    page = page.replace("</head>", f"{_NOTES_STYLE}</head>", 1)
    file.write_text(page, encoding="utf-8")


def write_report(notebook: Path) -> None:
    """The page of a report: what its cells gave, and nothing that a browser would have to fetch."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_output_prompt=True, exclude_anchor_links=True
    )
    content = clean(nbformat.read(notebook, as_version=4))
    cells = [cell for cell in content.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
    ends = [n for n, cell in enumerate(cells, 1) if any(o.output_type == "error" for o in cell.get("outputs", []))]
    content.cells = [cell for cell in cells[: min(ends, default=None)] if cell.get("outputs", True)]
    body, _ = exporter.from_notebook_node(content)
    notebook.with_suffix(".html").write_text(_page(_title(notebook), body), encoding="utf-8")


def write_index(target: Path, heading: str, results: Sequence[Result], source: str) -> None:
    titles = {r.name: _title(target / f"{r.name}.ipynb") for r in results}
    links = {
        name: f'<a href="{name}.html">{title}</a>' if (target / f"{name}.html").exists() else title
        for name, title in titles.items()
    }
    rows = "\n".join(
        f"<tr><td>{links[r.name]}</td>"
        f"<td>{r.seconds:.1f}\xa0s</td><td>{r.peak_mb:.0f}\xa0MB</td><td>{escape(r.error) or 'ok'}</td></tr>"
        for r in results
    )
    body = (
        f"<h1>{heading}</h1><p>Executed on: {escape(source)}</p>"
        f"<table><tr><th>{heading[:-1].lower()}</th><th>time</th><th>peak memory</th><th></th></tr>{rows}</table>"
    )
    (target / "index.html").write_text(_page("bwm-tutorials", body), encoding="utf-8")


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
        f"<style>{_STYLE}</style>{body}</html>\n"
    )


def _title(notebook: Path) -> str:
    """The first heading that a notebook has or shows, or its name if there is none."""
    shown = []
    for cell in nbformat.read(notebook, as_version=4).cells if notebook.exists() else []:
        shown += [cell.source] if cell.cell_type == "markdown" else []
        shown += [out.get("data", {}).get("text/markdown", "") for out in cell.get("outputs", [])]
    found = next((text for text in shown if text.startswith("# ")), f"# {notebook.stem}")
    return escape(found.splitlines()[0].removeprefix("# "))
