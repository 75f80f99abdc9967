"""Links lead somewhere, and nothing names a folder of the computer that it was written on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from helpers.repository import repository_files

from bwm_tutorials.paths import ROOT

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|<(?:img|a)\b[^>]*?(?:src|href)=[\"']([^\"']+)", re.IGNORECASE)
DEFINITION = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
# A learner's own home is ~ or %USERPROFILE%; jovyan is the user of every Binder.
MACHINE_PATH = re.compile(
    r"(?<![\w.~/])/(?:home/(?!jovyan\b)|Users/|root/|work/|tmp/|mnt/|private/var/)\w|\b[A-Z]:\\+Users\\"
)


def markdown(file: Path) -> str:
    """Return the prose of a Markdown file, a lesson's source or a notebook, without its code."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        cells = re.findall(r"^# %% \[markdown\].*\n((?:#.*\n?)*)", text, re.MULTILINE)
        text = "\n".join(re.sub(r"^# ?", "", cell, flags=re.MULTILINE) for cell in cells)
    elif file.suffix == ".ipynb":
        cells = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(source) for source in cells)
    return CODE.sub("", text)


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub and Jupyter give the headings of a file."""
    headings = re.findall(r"^#{1,6} +(.+?) *#*$", re.sub(r"^```.*?^```", "", _raw(file), flags=re.M | re.S), re.M)
    given = re.findall(r"(?:id|name)=[\"']([^\"']+)", _raw(file))
    plain = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading) for heading in headings]
    github = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
    return github | {heading.replace(" ", "-") for heading in plain} | set(given)


def _raw(file: Path) -> str:
    return markdown(file) if file.suffix in {".py", ".ipynb"} else file.read_text(encoding="utf-8")


def broken_links(file: Path, files: set[Path]) -> Iterator[str]:
    """Yield each relative link of a file that leads to no file, folder or heading of the repository."""
    text = markdown(file)
    folders = {folder for path in files for folder in path.parents}
    for link in [a or b for a, b in LINK.findall(text)] + DEFINITION.findall(text):
        if re.match(r"[a-z][a-z+.-]*:|//", link, re.IGNORECASE):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = Path(*_normal((file.parent / path).parts)) if path else file
        if target not in files and target not in folders:
            yield f"{link}: no such file in the repository"
        elif anchor and target.suffix in {".md", ".py", ".ipynb"} and anchor not in anchors(target):
            yield f"{link}: no such heading"


def _normal(parts: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept.pop()
        elif part != ".":
            kept.append(part)
    return kept


def machine_paths(text: str) -> list[str]:
    return [line.strip()[:120] for line in text.splitlines() if MACHINE_PATH.search(line)]


FILES = repository_files()
PROSE = sorted(
    file
    for file in FILES
    if file.suffix in {".md", ".ipynb"} or (file.suffix == ".py" and file.parent == ROOT / "notebooks")
)


@pytest.mark.parametrize("file", PROSE, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(file):
    assert list(broken_links(file, FILES)) == []


def test_no_file_names_a_folder_of_one_computer():
    found = {}
    for file in FILES - {Path(__file__)}:
        raw = file.read_bytes()
        if b"\0" not in raw and (lines := machine_paths(raw.decode("utf-8", errors="replace"))):
            found[file.relative_to(ROOT).as_posix()] = lines
    assert found == {}


# -------------------------------------------------------------------------------------- the checks can find a fault


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "there.md").write_text("# A heading: `code` & more\n")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/one.png").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](there.md) ![b](figures/one.png 'title') [c](figures/)", []),
        ("[a](there.md#a-heading-code--more) [b](https://example.org/x) [c](mailto:a@b.c)", []),
        ("`[a](gone.md)`\n```\n[a](gone.md)\n```\n", []),
        ("# Here\n[a](#here)", []),
        ("[a](gone.md)", ["gone.md"]),
        ("![a](figures/two.png)", ["figures/two.png"]),
        ("[![badge](gone.svg)](gone.md)", ["gone.svg", "gone.md"]),
        ('<img alt="x" src="gone.png">', ["gone.png"]),
        ("[a][1]\n\n[1]: gone.md", ["gone.md"]),
        ("[a](there.md#nowhere)", ["there.md#nowhere"]),
        ("[a](#nowhere)", ["#nowhere"]),
        ("[a](figures/../../outside.md)", ["figures/../../outside.md"]),
    ],
)
def test_broken_links_are_found(folder, text, broken):
    page = folder / "page.md"
    page.write_text(text)
    files = {page, folder / "there.md", folder / "figures/one.png"}
    assert [found.split(":")[0] for found in broken_links(page, files)] == broken


def test_links_are_read_from_the_markdown_cells_of_a_lesson_only(folder):
    lesson = folder / "lesson.py"
    lesson.write_text('# %% [markdown]\n# See [this](gone.md).\n\n# %%\n# [that](also_gone.md)\nx = "[a](b)"\n')
    assert [found.split(":")[0] for found in broken_links(lesson, {lesson})] == ["gone.md"]


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("/home/ada/project", True),
        ('"/Users/ada/x.npy"', True),
        (r"C:\Users\ada", True),
        (r"C:\\Users\\ada", True),
        ("/tmp/ipykernel_1/2.py", True),
        ("https://example.org/home/page", False),
        ("~/Downloads/ONE", False),
        ("/home/jovyan/work", False),
        ("alf/home/x", False),
    ],
)
def test_paths_of_one_computer_are_found(line, is_one):
    assert bool(machine_paths(line)) is is_one
