"""A learner's hour: a real JupyterLab in a real browser, a lesson run from its menu, an exercise answered."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

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
    subprocess.run([sys.executable, "-m", "bwm_tutorials", "start", "--no-lab", folder], check=True)
    port = free_port()
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", f"--port={port}", "--IdentityProvider.token="]
    command += [f"--ServerApp.root_dir={folder}", "--allow-root"]
    # All cells are drawn, also those that are not in view.
    tracker = tmp_path / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text('{"windowingMode": "none"}')
    settings = {
        "JUPYTERLAB_SETTINGS_DIR": tmp_path / "settings",
        "JUPYTER_CONFIG_DIR": tmp_path / "config",
        "JUPYTERLAB_WORKSPACES_DIR": tmp_path / "workspaces",
    }
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


@pytest.fixture
def page(lab):
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        )
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


def run_all(page, lab, lesson):
    """Open a lesson and run it from its menu, to the end."""
    page.goto(f"{lab}/lab/tree/{lesson}.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.locator(".lm-MenuBar-item", has_text="Run").first.click()
    page.locator("[data-command='runmenu:run-all']").click()
    page.locator(".jp-OutputArea-output", has_text=re.compile(r"versions +Python")).wait_for(timeout=90_000)
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this computer")
def test_first_lesson_in_the_browser(lab, page):
    run_all(page, lab, "00_start_here")
    answer = page.locator(".jp-CodeCell", has_text="answer = ...").first
    answer.scroll_into_view_if_needed()
    answer.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    in_seconds = "answer = trial['feedback_times'] - trial['stimOn_times']"
    page.keyboard.insert_text(f'{in_seconds}\ncheck("00.1", answer)')
    page.keyboard.press("Shift+Enter")
    page.locator(".jp-OutputArea-output", has_text="00.1 not yet. That is in seconds").wait_for(timeout=30_000)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this computer")
@pytest.mark.parametrize(
    "lesson, handle, before, after",
    [
        (
            "03_decision_task",
            "bias",
            "Log likelihood with bias 0, threshold 50",
            "Log likelihood with bias 0.5, threshold",
        ),
        ("05_spike_sorting", "unit", "Unit 0 in ", "Unit 1 in "),
    ],
)
def test_a_handle_is_moved_in_the_browser(lab, page, lesson, handle, before, after):
    run_all(page, lab, lesson)
    words = page.locator(".widget-html-content", has_text=before)
    words.scroll_into_view_if_needed()
    picture = page.locator("img.widget-image").first
    drawn = picture.get_attribute("src")
    page.locator(".widget-slider", has_text=handle).locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".widget-html-content", has_text=after).wait_for(timeout=10_000)
    assert picture.get_attribute("src") != drawn


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this computer")
def test_the_next_trial_is_shown_in_the_browser(lab, page):
    run_all(page, lab, "04_wheel_and_reaction_times")
    words = page.locator(".widget-html-content", has_text=re.compile("1 of [0-9]+ trials that fit"))
    words.scroll_into_view_if_needed()
    page.locator(".jupyter-button", has_text="▶").click()
    page.locator(".widget-html-content", has_text=re.compile("2 of [0-9]+ trials that fit")).wait_for(timeout=10_000)
