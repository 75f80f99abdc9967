"""A learner's hour: a real JupyterLab in a real browser, a lesson run from its menu, an exercise answered."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from bwm_tutorials import environment, pairing

sync_api = pytest.importorskip("playwright.sync_api")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def lab(tmp_path, sample):
    """JupyterLab on a copy of the lessons; gives its address."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    for source in (environment.ROOT / "notebooks").glob("*.py"):
        # without outputs, so that what is seen was made here
        nbformat.write(pairing.read_source(source), folder / f"{source.stem}.ipynb")
    port = free_port()
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", f"--port={port}", "--IdentityProvider.token="]
    command += [f"--ServerApp.root_dir={folder}", "--allow-root"]
    settings = {"JUPYTER_CONFIG_DIR": tmp_path / "config", "JUPYTERLAB_WORKSPACES_DIR": tmp_path / "workspaces"}
    environ = os.environ | {name: str(path) for name, path in settings.items()}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ) as server:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=1)
                break
            except OSError:
                time.sleep(0.2)
        yield address
        server.terminate()


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this computer")
def test_first_lesson_in_the_browser(lab):
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{lab}/lab/tree/00_start_here.ipynb")
        page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(timeout=60_000)
        page.locator("[data-command='notebook:restart-run-all']").click()
        page.locator(".jp-Dialog .jp-mod-accept").click()
        last = page.locator(".jp-OutputArea-output", has_text=re.compile(r"versions +Python"))
        last.wait_for(timeout=90_000)
        assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0

        answer = page.locator(".jp-CodeCell", has_text="answer = ...").first
        answer.scroll_into_view_if_needed()
        answer.locator(".cm-content").click()
        page.keyboard.press("Control+A")
        in_seconds = "answer = trial['feedback_times'] - trial['stimOn_times']"
        page.keyboard.insert_text(f'{in_seconds}\ncheck("00.1", answer)')
        page.keyboard.press("Shift+Enter")
        page.locator(".jp-OutputArea-output", has_text="00.1 not yet. That is in seconds").wait_for(timeout=30_000)
        browser.close()
