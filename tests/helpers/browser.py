"""A real browser and a real JupyterLab for the tests, and what a learner does in them."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from helpers.servers import free_port
from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright

from bwm_tutorials.paths import ROOT
from bwm_tutorials.workshop import cli

SCREENSHOTS = Path(os.environ.get("BWM_SCREENSHOTS", ROOT / "_build" / "screenshots"))
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells are drawn, also those that are not in view
    "apputils-extension/notification": {"fetchNews": "false"},
}
expect.set_options(timeout=60_000)  # milliseconds: a busy computer is no fault of the code
# An error is shown as what a cell writes to stderr; in older JupyterLabs it has a type of its own.
COMPLAINT = "[data-mime-type$='jupyter.stderr'], [data-mime-type$='jupyter.error']"
WIDGET_FAILED = re.compile("Error displaying widget|Loading widget|could not be displayed|not be rendered")


class Lab(NamedTuple):
    """A JupyterLab that runs: its address, and the folder that it serves."""

    address: str
    folder: Path


def executable() -> str:
    """The Chromium or Chrome of this computer; where there is none the test is skipped."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("there is no Chromium on this computer")


@contextmanager
def chromium() -> Iterator[BrowserContext]:
    """A browser without a window, whose pages share what they have fetched."""
    quiet = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=quiet)
        yield browser.new_context(viewport={"width": 1400, "height": 1000})
        browser.close()


@contextmanager
def jupyter_lab(folder: Path) -> Iterator[Lab]:
    """JupyterLab on a subfolder, with settings of its own."""
    (served := folder / "served").mkdir()
    for name, setting in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(setting))
    places = {
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "IPYTHONDIR": "ipython",
    }
    environ = os.environ | {name: str(folder / place) for name, place in places.items()}
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--ServerApp.root_dir={served}", "--IdentityProvider.token="]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ) as server:
        try:
            for _ in range(600):
                try:
                    requests.get(f"{address}/api", timeout=10)
                    break
                except requests.RequestException:
                    time.sleep(0.1)
            yield Lab(address, served)
        finally:
            server.terminate()


def working_copy(lab: Lab, name: str) -> Path:
    """A learner's copy of the lessons in a folder of the JupyterLab, as the command makes it."""
    assert cli.main(["start", "--no-lab", str(lab.folder / name)]) == 0
    return lab.folder / name


# -------------------------------------------------------------------------------------------- what a learner does there


def open_lab(page: Page, lab: Lab, folder: str) -> None:
    """Open JupyterLab in a folder, without the tabs of the last time."""
    page.goto(f"{lab.address}/lab/tree/{folder}?reset")
    listed(page, ".ipynb").first.wait_for(timeout=60_000)


def listed(page: Page, name: str) -> Locator:
    """The files in the list on the left whose name holds this."""
    return page.locator(".jp-DirListing-item", has_text=name)


def go_to(page: Page, folder: str) -> None:
    """Go to a folder in the list on the left."""
    page.locator(".jp-BreadCrumbs-home").click()
    page.locator(".jp-DirListing-itemText").get_by_text(folder, exact=True).dblclick()
    listed(page, ".ipynb").first.wait_for()


def drop(page: Page, file: Path) -> None:
    """Drop a file of this computer on the list on the left."""
    box = page.locator(".jp-DirListing-content").bounding_box()
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] - 20}  # below the files
    devtools = page.context.new_cdp_session(page)
    for step in ("dragEnter", "dragOver", "drop"):
        dragged = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        devtools.send("Input.dispatchDragEvent", {"type": step, **place, "data": dragged})
    listed(page, file.name).wait_for()


def open_notebook(page: Page, name: str) -> None:
    """Double-click a notebook of the folder, and wait for its kernel. One should be open at a time."""
    listed(page, f"{name}.ipynb").dblclick()
    wait_until_idle(page)


def close_notebook(page: Page) -> None:
    """Close the notebook and its kernel, which takes as much memory as a small computer has."""
    opened = page.locator(".jp-NotebookPanel").count()
    choose(page, "File", "filemenu:close-and-cleanup")
    confirm(page, "Shut down the notebook?")
    expect(page.locator(".jp-NotebookPanel")).to_have_count(opened - 1)


def wait_until_idle(page: Page) -> None:
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)


def choose(page: Page, menu: str, command: str) -> None:
    """Click an entry of a menu."""
    page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{menu}$")).click()
    page.locator(f"[data-command='{command}']").click()


def confirm(page: Page, question: str) -> None:
    """Answer a dialog by Enter."""
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text(question)  # before it is there, Enter would go to the notebook
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)


def wait_until_run(page: Page) -> None:
    """Wait until each code cell has run, or one has failed."""
    page.wait_for_function(
        """complaint => {
            const counts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(e => e.textContent);
            return document.querySelector(complaint) || (counts.length && counts.every(c => /\\[\\d+\\]/.test(c)));
        }""",
        arg=COMPLAINT,
        polling=300,  # by default it asks with each frame, at the price of a second of the processor's time in four
        timeout=120_000,
    )
    wait_until_idle(page)


def run_all(page: Page) -> None:
    """Run the notebook from its menu, to its end."""
    choose(page, "Run", "runmenu:run-all")
    wait_until_run(page)


def complaints(page: Page) -> list[str]:
    """Errors, warnings, and widgets that failed."""
    failed = page.locator(".jp-OutputArea-output").get_by_text(WIDGET_FAILED)
    return page.locator(COMPLAINT).all_inner_texts() + failed.all_inner_texts()


def cell(page: Page, text: str) -> Locator:
    """The code cell that holds a text, as it was written or as it came out."""
    return page.locator(".jp-CodeCell", has_text=text)


def write(page: Page, cell: Locator, text: str) -> None:
    """Replace what is in a cell, and run it."""
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)
    page.keyboard.press("Shift+Enter")


def answer(page: Page, key: str, code: str) -> Locator:
    """Answer an exercise, and give the output of its check."""
    stub = cell(page, f'check("{key}", answer)')
    write(page, stub, f'answer = {code}\ncheck("{key}", answer)')
    return stub.locator(".jp-OutputArea-output")


def photograph(page: Page, name: str) -> None:
    """Pictures of a notebook from its top to its end, in `SCREENSHOTS`, each as high as the page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for old in SCREENSHOTS.glob(f"{name}-*.png"):
        old.unlink()
    scroller, top, number = page.locator(".jp-WindowedPanel-outer"), 0, 0
    while top < scroller.evaluate("(element, top) => { element.scrollTop = top; return element.scrollHeight; }", top):
        number += 1
        page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png")
        top += scroller.evaluate("element => element.clientHeight")
