"""A learner's hours: the lessons in a real JupyterLab in a real browser."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers import browser
from helpers.browser import (
    answer,
    cell,
    choose,
    close_notebook,
    confirm,
    drop,
    go_to,
    listed,
    open_lab,
    open_notebook,
    run_all,
    wait_until_idle,
    write,
)
from helpers.repository import lessons_of_each_run
from playwright.sync_api import Page, expect

import bwm_tutorials as bwm
from bwm_tutorials.course.exercise import exercises_of
from bwm_tutorials.workshop import execute


@pytest.fixture(scope="module")
def desk(lab, chromium) -> Iterator[Page]:
    """JupyterLab in a folder of a learner's own; to load it takes longer than to open a notebook."""
    page = chromium.new_page()
    page.set_viewport_size({"width": 1400, "height": 2400})  # the width of a small screen, and few pictures of a lesson
    open_lab(page, lab, browser.working_copy(lab, "my_lessons").name)
    yield page
    page.close()


# ------------------------------------------------------------------------------- the first hour, before any lesson runs


@pytest.fixture
def start_here(desk) -> Iterator[Page]:
    """The first lesson, opened."""
    open_notebook(desk, "00_start_here")
    yield desk
    close_notebook(desk)


def begin(page):
    """Run a lesson up to where its session is open, by keyboard, and give what that prints."""
    page.locator(".jp-MarkdownCell", has_text="After this lesson you can").click()
    while "SOURCE" not in page.locator(".jp-Cell.jp-mod-selected").inner_text():
        page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    connect = cell(page, "check, hint, solution =")
    expect(connect.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))
    wait_until_idle(page)
    expect(connect).to_contain_text("Session(SIM-001 2001-01-08")
    return connect


def run_last(page):
    """Run the last cell of a lesson, and give what it prints."""
    last = cell(page, "bwm.save()")
    last.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return last.locator(".jp-OutputArea")


def test_by_keyboard_alone(start_here):
    for _ in range(9):  # as many cells, down to the first that computes
        start_here.keyboard.press("Shift+Enter")
    expect(cell(start_here, "table = pd.DataFrame").locator(".jp-OutputArea")).to_contain_text("4000.0")


def test_what_goes_wrong_is_noticed_and_the_lesson_goes_on(start_here):
    write(start_here, cell(start_here, "SOURCE ="), "1 / 0")
    expect(cell(start_here, "1 / 0")).to_contain_text("division by zero")  # until then the kernel takes no orders
    run_all(start_here)
    # On a busy computer some cells reach the kernel after it has dropped those that waited behind the error.
    first, *later = browser.complaints(start_here)
    assert "ZeroDivisionError: division by zero" in first
    assert all("ZeroDivisionError" in each or "NameError" in each for each in later), later
    write(start_here, cell(start_here, "1 / 0"), 'SOURCE, EID = "sample", None')

    write(start_here, cell(start_here, "table ="), "import os, time\nprint('process', os.getpid())\ntime.sleep(600)")
    said = cell(start_here, "import os").locator(".jp-OutputArea")
    expect(said).to_contain_text(re.compile(r"process \d+"))
    os.kill(int(said.inner_text().split()[-1]), signal.SIGKILL)
    confirm(start_here, "appears to have died. It will restart automatically.")
    wait_until_idle(start_here)
    begin(start_here)


def test_the_explorer_follows_keys_and_clicks(desk):
    open_notebook(desk, "explore")
    run_all(desk)
    browser.photograph(desk, "explore")
    assert browser.complaints(desk) == []
    explorer = desk.locator(".bwm-explorer")
    window = explorer.locator("img.widget-image").first

    def press(handle, key):
        before = window.get_attribute("src")
        handle.focus()
        desk.keyboard.press(key)
        expect(window).not_to_have_attribute("src", before, timeout=10_000)
        expect(handle).to_be_focused()  # JupyterLab has not taken the key for an order of its own

    press(explorer.get_by_role("button", name="▶"), "Enter")
    press(explorer.get_by_label("length (s)", exact=True), "ArrowDown")
    press(explorer.locator(".noUi-handle").first, "PageUp")
    wait_until_idle(desk)
    shown = window.bounding_box()
    window.click(position={"x": 0.5 * shown["width"], "y": 0.8 * shown["height"]})
    expect(explorer).to_contain_text(re.compile(r"probe01\. Unit \d+ in"), timeout=10_000)
    close_notebook(desk)


def test_links_open_beside_the_lesson(desk):
    open_notebook(desk, "01_data_structure")
    lesson, tabs = desk.locator(".jp-Notebook"), desk.locator(".lm-TabBar-tab")
    lesson.get_by_role("link", name="glossary").click()
    page = desk.locator(".jp-MarkdownViewer")
    expect(page.get_by_role("heading", name="Glossary")).to_be_visible()
    expect(page).not_to_contain_text("](")  # it is not shown as it is written
    tabs.filter(has_text="01_data_structure").click()
    lesson.get_by_role("link", name="lesson 00").click()
    expect(desk.get_by_role("heading", name="00 · Start here")).to_be_visible()
    close_notebook(desk)
    tabs.filter(has_text="01_data_structure").click()
    close_notebook(desk)


def test_what_was_done_is_kept_and_taken_along(start_here, session, lab, tmp_path):
    begin(start_here)
    right = f"{exercises_of('00')['00.1'].solve(session):.2f}"
    expect(answer(start_here, "00.1", right)).to_contain_text("✓ 00.1 correct.")
    choose(start_here, "Kernel", "kernelmenu:restart")
    confirm(start_here, "Restart Kernel?")
    wait_until_idle(start_here)
    begin(start_here)
    start_here.keyboard.press("Control+S")
    expect(start_here.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    expect(run_last(start_here)).to_contain_text(re.compile(r"00 ■□ .*Saved \d+ notebooks and the progress", re.DOTALL))
    start_here.locator("[data-command='filebrowser:refresh']").click()
    listed(start_here, ".zip").click(button="right")
    with start_here.expect_download() as download:
        start_here.locator("[data-command='filebrowser:download']").click()
    download.value.save_as(taken := tmp_path / download.value.suggested_filename)
    close_notebook(start_here)

    browser.working_copy(lab, "elsewhere")
    go_to(start_here, "elsewhere")
    drop(start_here, taken)
    open_notebook(start_here, "00_start_here")
    restored = begin(start_here)
    expect(restored).to_contain_text("00_start_here (restored).ipynb, the progress")
    expect(run_last(start_here)).to_contain_text("00 ■□")
    close_notebook(start_here)
    start_here.locator("[data-command='filebrowser:refresh']").click()
    open_notebook(start_here, "00_start_here (restored)")
    expect(cell(start_here, f"answer = {right}")).to_contain_text("✓ 00.1 correct.")
    go_to(start_here, "my_lessons")


# ---------------------------------------------------------------------------------------------------------- each lesson


class Lesson(NamedTuple):
    """A lesson that was run to its end and is still open, and the errors that its page threw."""

    source: Path
    page: Page
    thrown: list[str]


@pytest.fixture(scope="module", params=lessons_of_each_run("00", "03", "06"))
def lesson(request, desk) -> Iterator[Lesson]:
    thrown = []
    desk.on("pageerror", listener := lambda error: thrown.append(str(error)))
    open_notebook(desk, request.param.stem)
    run_all(desk)
    browser.photograph(desk, request.param.stem)
    yield Lesson(request.param, desk, thrown)
    desk.remove_listener("pageerror", listener)
    close_notebook(desk)


def test_a_lesson_runs_to_its_end(lesson):
    assert browser.complaints(lesson.page) == lesson.thrown == []
    assert widgets(lesson).count() == lesson.source.read_text(encoding="utf-8").count("bwm.widgets.")
    pictures = lesson.page.locator(".jp-OutputArea-output img:not([alt=''])")
    assert pictures.evaluate_all("images => images.filter(image => image.naturalWidth < 200).length") == 0
    expect(lesson.page.locator(".jp-OutputArea-output").last).to_contain_text("matplotlib")


def test_nothing_of_a_lesson_is_cut_off(lesson):
    """No output needs to be scrolled, at the width of a small screen."""
    cut = """outputs => outputs.filter(output => output.scrollWidth > output.clientWidth + 1
        || output.scrollHeight > output.clientHeight + 1).map(output => output.innerText.slice(0, 80))"""
    assert lesson.page.locator(".jp-OutputArea-output").evaluate_all(cut) == []


# -------------------------------------------------------------------------------------------------------------- handles


def widgets(lesson):
    return lesson.page.locator(".jp-OutputArea-output > .widget-vbox")


SHOWN = "widget => widget.querySelector('img').src + widget.querySelector('.widget-html-content').innerText"


def turn(handle):
    """Move a handle by one step, each kind in its way."""
    kind = handle.evaluate("handle => handle.tagName")
    if kind == "SELECT":
        handle.select_option(index=handle.evaluate("handle => (handle.selectedIndex + 1) % handle.length"))
    elif kind == "INPUT":
        handle.fill("7")
        handle.press("Enter")
    elif kind == "BUTTON":
        handle.click()
    else:
        handle.focus()
        handle.press("ArrowRight")


def test_each_handle_changes_what_is_shown(lesson):
    for widget in widgets(lesson).all():
        handles = widget.locator(".noUi-handle, select, input[type=number], button").all()
        assert handles
        for handle in handles:
            before = widget.evaluate(SHOWN)
            turn(handle)
            lesson.page.wait_for_function(
                f"([widget, before]) => ({SHOWN})(widget) !== before",
                arg=[widget.element_handle(), before],
                timeout=10_000,
            )
            wait_until_idle(lesson.page)  # what is said comes after what is drawn


# ------------------------------------------------------------------------------------------------------------ exercises


def test_an_exercise_is_answered_wrongly_and_rightly(lesson):
    number = lesson.source.name[:2]
    key, exercise = next(iter(exercises_of(number).items()))
    session = bwm.Session(one=bwm.connect(execute.own_source(lesson.source)))
    mistake = exercise.mistakes[0]
    wrong = mistake.answer(session)
    said = answer(lesson.page, key, repr(wrong if isinstance(wrong, str) else float(wrong)))
    expect(said).to_contain_text(f"{key} not yet. {mistake.hint}")
    expect(answer(lesson.page, key, exercise.code)).to_contain_text(f"✓ {key} correct.")
