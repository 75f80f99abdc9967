"""The pages of `run`, `learner` and `teacher`: no link in them leads nowhere."""

from pathlib import Path

import nbformat
import pytest
from helpers.pages import dead_links
from helpers.repository import SOURCES
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from bwm_tutorials.workshop import notebooks, pages


@pytest.fixture(scope="module")
def learners(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "learner"
    notebooks.write_learners(SOURCES[0].parent, folder)
    return folder


def test_no_page_has_a_dead_link(learners):
    assert dead_links(learners) == []
    assert {"glossary.html", "03_decision_task.html", "explore.html"} <= {p.name for p in learners.iterdir()}
    assert 'href="glossary.html"' in (learners / "03_decision_task.html").read_text("utf-8")


def test_what_has_no_page_is_linked_in_the_repository(tmp_path):
    text = "[next](03_decision_task.ipynb) [words](glossary.md#Acausal) [out](https://example.org) [here](#top)"
    nbformat.write(new_notebook(cells=[new_markdown_cell(text)]), tmp_path / "00_start_here.ipynb")
    pages.write_page(tmp_path / "00_start_here.ipynb")
    page = (tmp_path / "00_start_here.html").read_text("utf-8")
    assert 'href="https://github.com/bwm-tutorials/bwm-tutorials/blob/HEAD/notebooks/03_decision_task.ipynb"' in page
    assert "https://example.org" in page and 'href="#top"' in page and dead_links(tmp_path) == []


def test_the_index_links_the_pages_that_there_are(tmp_path):
    (tmp_path / "00.html").touch()
    results = [pages.Result(name, 1.0, 1.0, "") for name in ("00", "01")]
    pages.write_index(tmp_path, "Lessons", results, "sample")
    index = (tmp_path / "index.html").read_text("utf-8")
    assert dead_links(tmp_path) == [] and '<a href="00.html">00</a>' in index and "<td>01</td>" in index


def test_a_page_has_no_progress_bars(tmp_path):
    printed = [("stderr", text) for text in ("\r0 of 2 files", "\r1 of 2 files", "\r      \r", "a warning\n")]
    outputs = [new_output("stream", name=name, text=text) for name, text in [*printed, ("stdout", "a result\r\n")]]
    nbformat.write(new_notebook(cells=[new_code_cell(outputs=outputs)]), tmp_path / "00_start_here.ipynb")
    pages.write_page(tmp_path / "00_start_here.ipynb")
    page = (tmp_path / "00_start_here.html").read_text("utf-8")
    assert "a warning" in page and "a result" in page and "of 2 files" not in page


def test_a_dead_link_is_noticed(tmp_path):
    """The test itself."""
    (tmp_path / "a.html").write_text('<a href="b.html">b</a> <a href="a.html#none">c</a> <a href="a.html">d</a>')
    assert dead_links(tmp_path) == ["a.html: b.html", "a.html: a.html#none"]
