"""Build the book: the committed lessons, the pages beside them and the docstrings, as pages that need no network.

What Sphinx reads is put together in a folder that is thrown away. It is laid out as the repository is, so that links
between lessons and pages stay as they are.
"""

import inspect
import pkgutil
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from sphinx.cmd.build import main as sphinx

import bwm_tutorials as bwm
from bwm_tutorials.paths import ROOT
from bwm_tutorials.recordings import datasets
from bwm_tutorials.workshop import execute
from bwm_tutorials.workshop.pages import without_notes

REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
BINDER = REPOSITORY.replace("https://github.com", "https://mybinder.org/v2/gh") + "/HEAD?urlpath=lab/tree/my_lessons"
PARTS = {"brainwide": ["aggregate", "release"]}
"""What a learner reaches by another module."""
DICTIONARY = """# Data dictionary

Every file of a session that the lessons or the package read: what it holds, in which unit, when it was sampled, and
on which clock. `{camera}` is left, right or body, `{probe}` the name of a probe, `{spikes}` the folder of its spikes.
A measurement is an attribute of a `Session` or an `Insertion`; the last files are loaded with `one.load_dataset`.

| measurement | file | holds | unit | sampled | clock | lesson |
|---|---|---|---|---|---|---|
"""
FRONT = "What ``import bwm_tutorials as bwm`` gives at once. Modules load when they are first used.\n\n"
RETURNED = [
    "recordings.local.LocalOne",
    "recordings.local.LocalFile",
    "recordings.remote.plan.Plan",
    "brainwide.auditing.Audit",
    "plots.windows.Recording",
    "plots.windows.Probe",
]
"""Classes that functions give."""


def build(target: Path) -> int:
    """Write the book into a folder, and give Sphinx's exit code. A warning is an error."""
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        assemble(source)
        options = ["-q", "-W", "--keep-going", "-j", "auto", "-c", str(ROOT / "book"), "-d", f"{folder}/doctrees"]
        options += ["-D", f"html_theme_options.repository_url={REPOSITORY}"]
        return sphinx([*options, str(source), str(target)])


def assemble(source: Path) -> None:
    """Put together what Sphinx reads: the README with the contents, the lessons, the pages beside them, the package."""
    lessons = sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"))
    beside = [*sorted(ROOT.glob("notebooks/*.md")), ROOT / "data" / "README.md"]
    inside = {*lessons, *beside, *ROOT.glob("*/pictures/*")}
    reference = api()
    for folder in ("notebooks/pictures", "data/pictures"):
        shutil.copytree(ROOT / folder, source / folder)
    for path in lessons:
        nbformat.write(lesson(path), source / path.relative_to(ROOT))
    for path in beside:
        (source / path.relative_to(ROOT)).write_text(with_links_out(path, inside), encoding="utf-8")
    (source / "data_dictionary.md").write_text(dictionary(), encoding="utf-8")
    (source / "api").mkdir()
    for name, text in reference.items():
        (source / f"{name}.rst").write_text(text, encoding="utf-8")
    front = with_links_out(ROOT / "README.md", inside)
    front = re.sub(r"\[!\[([^]]+)\]\(https:[^)]+\)\]", r"[\1]", front)  # a badge would be fetched when the page is read
    contents = {
        "Lessons": map(name_of, lessons),
        "To look up": [*(name_of(path) for path in beside if path.stem != "teaching"), "data_dictionary"],
        "For teachers": [name_of(path) for path in beside if path.stem == "teaching"],
        "The package": reference,
    }
    (source / "index.md").write_text(front + "".join(map(toctree, contents, contents.values())), encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


def toctree(caption: str, names: Iterable[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", *names, "```", ""])


def with_links_out(page: Path, inside: set[Path]) -> str:
    """The text of a page, with links to what is not in the book leading to the repository."""

    def target(found: re.Match) -> str:
        path = (page.parent / found[1]).resolve()
        return found[0] if path in inside else f"]({REPOSITORY}/blob/HEAD/{path.relative_to(ROOT).as_posix()})"

    return re.sub(r"\]\((?![a-z]+:|#)([^)#]+)(#[^)]*)?\)", target, page.read_text(encoding="utf-8"))


def lesson(path: Path) -> NotebookNode:
    """A committed lesson for the book.

    Without the teacher's notes; with a way to run it, a text in place of each figure, and folded solutions.
    """
    notebook = without_notes(nbformat.read(path, as_version=4))
    session = bwm.Session(one=bwm.connect(execute.own_source(path)))
    _, _, solution = bwm.exercises(path.name[:2], session)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "code":
            cell.metadata["mystnb"] = {"image": {"alt": said(cell)}}
            cells += [fold(key, solution(key)) for key in re.findall(r'check\("(.+?)", answer\)', cell.source)]
        else:
            cell.source = re.sub(r"^# (?=Extras$)", "## ", cell.source, flags=re.MULTILINE)  # a page has one title
    title, rest = cells[0].source.split("\n", 1)
    run = f"[Open in Binder]({BINDER}/{path.name}) to run and change it in your browser, with nothing to install."
    cells[0].source = f"{title}\n\n{run}\n{rest}"
    notebook.cells = cells
    return notebook


def said(cell: NotebookNode) -> str:
    """What a cell prints, in one line: the sentence of its figure."""
    return " ".join(" ".join(out.text for out in cell.outputs if out.output_type == "stream").split())


def fold(key: str, solution: str) -> NotebookNode:
    code, words = solution.rsplit("\n", 1)
    summary = f'<details class="solution"><summary>Solution of {key}</summary>'
    return new_markdown_cell(f"{summary}\n\n```python\n{code}\n```\n\n{words}\n\n</details>")


def api() -> dict[str, str]:
    """The pages of the package: one of what is reached by ``bwm.`` itself, and one for each module that is."""
    modules = {name: getattr(bwm, name) for name in bwm.__all__ if inspect.ismodule(getattr(bwm, name))}
    names = [name for name in bwm.__all__ if name not in modules] + RETURNED
    pages = {"api/bwm": heading("bwm") + FRONT + "".join(directive(f"bwm_tutorials.{name}") for name in names)}
    for name, module in modules.items():
        parts = [module.__name__, *(f"{module.__name__}.{part}" for part in PARTS.get(name, []))]
        pages[f"api/{name}"] = heading(f"bwm.{name}") + "".join(map(directive, parts))
    return pages


def directive(name: str) -> str:
    """What makes Sphinx write a function, a class or a module of the package from its docstrings."""
    found = pkgutil.resolve_name(name)
    kind = "module" if inspect.ismodule(found) else "class" if inspect.isclass(found) else "function"
    options = ["   :members:"] * (kind != "function") + ["   :imported-members:"] * hasattr(found, "__all__")
    return "\n".join([f".. auto{kind}:: {name}", *options, "", ""])


def dictionary() -> str:
    """The page of the data dictionary."""
    rows = datasets.dictionary().reset_index().map(lambda text: text.replace("|", "/").replace("*", r"\*"))
    lines = [
        f"| {row.measurement} | `{row.file}` | {row.holds} | {row.unit} | {row.sampled} | {row.clock} | {row.lesson} |"
        for row in rows.itertuples()
    ]
    return DICTIONARY + "\n".join(lines) + "\n"


def heading(title: str) -> str:
    return f"{title}\n{'=' * len(title)}\n\n"


if __name__ == "__main__":
    book = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "_build" / "book"
    failed = build(book)
    print(f"Book: {book / 'index.html'}")
    sys.exit(failed)
