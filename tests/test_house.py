"""The house: what lies where, which room may use which, and how large they are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bwm_tutorials as bwm
from bwm_tutorials.paths import ROOT

PACKAGE = ROOT / "bwm_tutorials"
FILES = sorted(PACKAGE.rglob("*.py"))
BASE = {"console", "errors", "paths"}
MAY_IMPORT = {
    "recordings": {"analysis"},
    "analysis": set(),
    "brainwide": {"recordings", "analysis", "simulate"},
    "simulate": {"analysis", "recordings"},
    "plots": {"analysis"},
    "widgets": {"plots", "recordings", "analysis"},
    "course": {"plots", "widgets", "brainwide", "recordings", "analysis", "simulate"},
    "workshop": {"course", "plots", "widgets", "brainwide", "recordings", "analysis", "simulate"},
}
"""What each room may import besides itself and `BASE`; types, for annotations, come from anywhere."""
CEILINGS = {"recordings": 3400, "analysis": 4600, "brainwide": 1600, "plots": 3200}


def module(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


MODULES = {module(file): file for file in FILES}


def imported(file: Path) -> Iterator[tuple[str, bool]]:
    """Each module of the package that a file imports, wherever in it, and whether that is for annotations only."""
    parts = module(file).split(".")
    package = parts if file.name == "__init__.py" else parts[:-1]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    guards = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    typed = {id(node) for guard in guards for node in ast.walk(guard)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            for alias in node.names:
                name = ".".join(filter(None, [*base, alias.name]))
                yield (name if name in MODULES else ".".join(filter(None, base))), id(node) in typed


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_it_may(room):
    wrong = [
        f"{module(file)} imports {name}"
        for file in (PACKAGE / room).rglob("*.py")
        for name, typed in imported(file)
        if not typed and name.split(".")[0] not in {room, *MAY_IMPORT[room], *BASE}
    ]
    # `connect` builds the sample, when it is asked for it.
    assert [each for each in wrong if each != "recordings.sources imports simulate.sample"] == []


def test_of_recordings_the_simulation_uses_the_tables_and_the_registry_alone():
    used = {name for file in (PACKAGE / "simulate").rglob("*.py") for name, _ in imported(file)}
    allowed = {"recordings.one_tables", "recordings.datasets"}
    assert {name for name in used if name.startswith("recordings")} <= allowed


def test_no_imports_in_a_circle():
    graph = {module(file): {name for name, typed in imported(file) if not typed} for file in FILES}
    left = dict(graph)
    while free := [name for name, uses in left.items() if not uses & left.keys() - {name}]:
        for name in free:
            del left[name]
    assert left == {}


def test_each_file_and_each_room_keeps_its_ceiling():
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {str(file): n for file, n in lines.items() if n > 400} == {}
    rooms = {room: sum(n for file, n in lines.items() if file.is_relative_to(PACKAGE / room)) for room in CEILINGS}
    assert {room: n for room, n in rooms.items() if n > CEILINGS[room]} == {}


def calls(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_one_file_prints_and_one_removes_folders():
    """So that any terminal can show what is said, and only a folder that is ours is removed."""
    for words, home in (({"print"}, "console.py"), ({"shutil.rmtree", "rmtree"}, "paths.py")):
        assert {file.name for file in FILES if words & {*calls(file)}} == {home}


def test_one_file_knows_the_private_parts_of_one():
    own = {"_replace", "_asdict", "_zipped_tables"}  # of named tuples, and of a class here
    found = {
        f"{module(file)}: {ast.unparse(node)}"
        for file in FILES
        if file.name != "one_private.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr) and node.attr not in own
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }
    assert found == set()


# Where somebody who is new looks first, and what is found there.
FOUND_IN = {
    "psychometric": ("analysis/trials.py", "def psychometric("),
    "pseudosessions": ("analysis/blocks.py", "def pseudosessions("),
    "selectivity, noise correlations": ("analysis/responses.py", "def noise_correlations("),
    "quality metrics": ("analysis/quality.py", "def quality_metrics("),
    "brain regions": ("analysis/regions.py", "def brain_regions("),
    "which datasets a session may have": ("recordings/datasets.py", "REGISTRY"),
    "what a file must hold": ("recordings/contracts.py", "def breach("),
    "what a lesson does where something is missing": ("course/lacking.py", "def keep_going("),
    "a local folder of recordings": ("recordings/local.py", "class LocalOne("),
    "ONE tables": ("recordings/one_tables.py", "def metadata("),
    "the session explorer": ("widgets/explorer.py", "def session_explorer("),
    "the report of an insertion": ("workshop/report.py", "def report("),
    "a synthetic session": ("simulate/session.py", "def session("),
    "sessions without files": ("simulate/memory.py", "def counts("),
    "which sessions the sample has": ("simulate/plans.py", "SAMPLE ="),
    "check my computer": ("workshop/doctor.py", "def examine("),
    "check the servers": ("workshop/doctor_online.py", "def examine("),
    "from a source to a notebook": ("workshop/notebooks.py", "def generate("),
    "delete downloads": ("recordings/remote/fetched.py", "def delete("),
    "the table of all units": ("brainwide/aggregates.py", "def aggregate("),
    "insertions of a region": ("brainwide/release.py", "def insertions_in("),
    "audit": ("brainwide/auditing.py", "def audit("),
}


@pytest.mark.parametrize("wanted", FOUND_IN)
def test_what_is_looked_for_is_in_the_first_place_one_looks(wanted):
    file, text = FOUND_IN[wanted]
    places = [str(path.relative_to(PACKAGE).as_posix()) for path in FILES if re.search(f"^{re.escape(text)}",
              path.read_text(encoding="utf-8"), re.MULTILINE)]  # fmt: skip
    assert file in places


def test_what_a_lesson_types_is_where_the_code_lives():
    """``bwm.blocks.pseudosessions`` is in a file called blocks: no module of `analysis` has functions of another."""
    for name in bwm.__all__:
        there = getattr(bwm, name)
        if getattr(there, "__name__", "").startswith("bwm_tutorials.analysis."):
            tree = ast.parse(Path(there.__file__).read_text(encoding="utf-8"))
            defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            typed = {
                found
                for lesson in (ROOT / "notebooks").glob("*.py")
                for found in re.findall(rf"\bbwm\.{name}\.([a-z]\w+)", lesson.read_text(encoding="utf-8"))
            }
            assert typed <= defined, name


def test_the_stub_declares_what_loads():
    """Editors read ``__init__.pyi``: each name in it is one that loads, from where it says."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    declared = {
        alias.name: (node.module or "")
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(declared) == bwm.__all__ == dir(bwm)
    for name, home in declared.items():
        there = getattr(bwm, name)
        where = getattr(there, "__module__", None) or there.__name__.rpartition(".")[0]
        assert where == f"bwm_tutorials.{home}".rstrip("."), name
    assert all(
        isinstance(node, ast.ImportFrom) and all(a.asname == a.name for a in node.names) for node in tree.body[:-1]
    )
    assert (PACKAGE / "py.typed").exists()


def test_importing_the_package_loads_nothing_else():
    import subprocess
    import sys

    code = "import sys; before = {*sys.modules}; import bwm_tutorials; print(*({*sys.modules} - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.split(".")[0] for name in loaded} <= {"bwm_tutorials"} | sys.stdlib_module_names
