"""The book: built from what is committed, without a warning, and read in a real browser that reaches nothing else."""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag

import nbformat
import pytest
from bs4 import BeautifulSoup
from filelock import FileLock

import bwm_tutorials as bwm
from bwm_tutorials.course.exercise import exercises_of
from bwm_tutorials.paths import ROOT

LESSONS = sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"))


@pytest.fixture(scope="session")
def book(tmp_path_factory, sample) -> Path:
    """The folder of the book, built once for all of pytest's processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "book"
    bwm.connect("sample-release")  # which the lessons read; were it built below, that would be said there
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            command = [sys.executable, ROOT / "book" / "build.py", unfinished]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0 and done.stderr == "", done.stderr
            unfinished.rename(folder)
    return folder


@pytest.fixture(scope="session")
def pages(book) -> dict[str, BeautifulSoup]:
    """The pages by their path in the book."""
    return {
        path.relative_to(book).as_posix(): BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in sorted(book.rglob("*.html"))
        if "_static" not in path.parts  # templates of the theme
    }


def of_lesson(pages, path):
    return pages[f"notebooks/{path.stem}.html"]


def test_every_page_can_be_found_and_every_link_leads_somewhere(book, pages):
    anchors = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in pages.items()}
    broken, reached = [], {"index.html"}
    for name, page in pages.items():
        for tag in page.find_all(href=True) + page.find_all(src=True):
            address = tag.get("href") or tag["src"]
            if re.match(r"https?://|mailto:", address):
                assert tag.name == "a", f"{name} fetches {address}"
                continue
            path, anchor = urldefrag(address)
            target = (book / name).parent / unquote(path.partition("?")[0]) if path else book / name
            target = os.path.relpath(target, book)
            reached.add(target)
            if not (book / target).is_file() or (anchor and unquote(anchor) not in anchors[target]):
                broken.append(f"{name}: {address}")
    assert broken == []
    assert pages.keys() <= reached


def test_nothing_is_fetched_by_a_style(book):
    styles = "".join(path.read_text(encoding="utf-8") for path in book.rglob("*.css"))
    assert "@font-face" in styles and not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", styles)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_complete_and_can_be_run(pages, path):
    page, notebook = of_lesson(pages, path), nbformat.read(path, as_version=4)
    text = page.get_text()
    run = f"mybinder.org/v2/gh/bwm-tutorials/bwm-tutorials/HEAD?urlpath=lab/tree/my_lessons/{path.name}"
    assert [a["href"] for a in page.find_all("a") if "mybinder" in a["href"]] == [f"https://{run}"]
    assert "Teacher" not in text and "Misconceptions" not in text
    assert "widget-view" not in str(page) and "requirejs" not in str(page)
    figures = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    shown = page.select(".cell_output img")
    assert len(shown) == len(figures) and all(re.search(r"\w \w.*\.$", image["alt"]) for image in shown)
    handles = sum("A figure with handles" in str(cell.get("outputs")) for cell in notebook.cells)
    assert text.count("A figure with handles") == handles
    exercises = exercises_of(path.name[:2])
    folds = {fold.summary.get_text(): fold for fold in page.select("details.solution")}
    assert list(folds) == [f"Solution of {key}" for key in sorted(exercises)]
    for key, exercise in exercises.items():
        code = folds[f"Solution of {key}"].pre.get_text()
        assert code.strip() == f"answer = {exercise.code}"
        assert not folds[f"Solution of {key}"].has_attr("open")


def test_what_learners_call_is_explained(pages):
    explained = {tag["id"] for name, page in pages.items() if name.startswith("api/") for tag in page.select("dt[id]")}
    assert {f"bwm_tutorials.{name}" for name in ("connect", "Session", "Session.trials", "exercises")} <= explained
    assert {f"bwm_tutorials.plots.{name}" for name in bwm.plots.__all__} <= explained
    called = set()
    for path in LESSONS:
        cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        called |= set(re.findall(r"\bbwm\.(\w+(?:\.\w+)?)\(", "\n".join(cells)))
    ends = {name.split(".", 1)[1] for name in explained} | {name.split(".")[-1] for name in explained}
    assert {name for name in called if name.split(".")[-1] not in ends} == set()


def test_terms_in_italics_carry_their_definition(pages):
    entries = {entry["id"]: entry for entry in pages["notebooks/glossary.html"].select("section section")}
    for path in LESSONS:
        terms = of_lesson(pages, path).select("a.term")
        assert terms
        for term in terms:
            entry = entries[term["href"].partition("#")[2]]
            assert " ".join(term["title"].split()) in " ".join(entry.get_text().split())
    assert not [a for entry in entries.values() for a in entry.select(f"a.term[href$='#{entry['id']}']")]


# ------------------------------------------------------------------------------------------------------- in a browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def reader(book, chromium):
    """A browser's page and the address of the book; what goes wrong, or leaves this computer, is in ``faults``."""
    faults = []
    serve = functools.partial(Quiet, directory=book)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        page = chromium.new_page()
        page.set_viewport_size({"width": 1300, "height": 900})
        page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(str(error)))

        def refuse(route):
            faults.append(route.request.url)
            route.abort()

        page.route(lambda url: not url.startswith(address), refuse)
        yield page, address, faults
        page.close()
        server.shutdown()


def test_every_page_opens_without_a_fault_and_fits_a_telephone(reader, pages):
    page, address, faults = reader
    faults.clear()
    for name in pages:
        page.set_viewport_size({"width": 1300, "height": 900})
        page.goto(f"{address}/{name}")
        assert page.locator("h1:visible").count() == 1, name
        page.set_viewport_size({"width": 400, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, name
    assert faults == []
    page.set_viewport_size({"width": 1300, "height": 900})


def test_search_finds_a_word_and_leads_to_the_lesson(reader):
    page, address, faults = reader
    page.goto(f"{address}/api/wheel.html")
    page.keyboard.press("Control+K")
    page.keyboard.type("psychometric")
    page.keyboard.press("Enter")
    found = page.locator("#search-results a", has_text="03 · The decision task").first
    found.click()
    page.wait_for_url("**/notebooks/03_decision_task.html*")
    assert page.locator("article h1").first.inner_text().startswith("03 · The decision task") and faults == []


def test_a_term_says_on_hover_what_it_means(reader):
    page, address, _ = reader
    page.goto(f"{address}/notebooks/03_decision_task.html")
    term = page.locator("a.term", has_text="pseudosessions").first
    term.hover()
    assert term.get_attribute("title").startswith("A sequence of blocks that the session could have had")
    term.click()
    page.wait_for_url("**/glossary.html#pseudosession")


def test_a_solution_opens_on_a_click(reader):
    page, address, _ = reader
    page.goto(f"{address}/notebooks/03_decision_task.html")
    fold = page.locator("details.solution").first
    words = fold.get_by_text("Here this gives")
    assert not words.is_visible()
    fold.locator("summary").click()
    assert words.is_visible() and "answer = " in fold.locator("pre").inner_text()
