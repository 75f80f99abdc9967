"""The command ``bwm-tutorials``: each subcommand in a few lines, on top of the package.

Only the standard library is imported before a subcommand runs, so that in a fresh clone
``python -m bwm_tutorials run`` can first make the environment it needs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ..console import printable, say
from ..paths import BUILT, ROOT, SAMPLES, claim, data_folder, remove
from . import downloads, environment


def main(argv: list[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest and arguments.command is not _test:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.pytest = rest
    python = _python(arguments.environment, installs=arguments.command in (_run, _start, _test))
    if python is not None:
        return subprocess.call([str(python), "-m", "bwm_tutorials", *argv])
    from ..errors import DataError

    try:
        return arguments.command(arguments)
    except DataError as error:
        raise SystemExit(printable(str(error))) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bwm-tutorials", description="Lessons on the Brain Wide Map.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function, help: str, environment: str | None = "run") -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help)
        command.set_defaults(command=function, environment=environment)
        return command

    run = add("run", _run, "execute the lessons and write the results to _build/")
    run.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers, for example 00; default all")
    run.add_argument("--source", help="'sample', 'real', 'aws', 'openalyx', or the path of a folder with ONE tables")
    run.add_argument("--eid", help="a session of that source")
    report = add("report", _report, "write a report of each probe insertion to _build/reports/")
    report.add_argument("pids", nargs="*", metavar="PID", help="insertions; default every one of the source")
    report.add_argument("--source", default="sample", help="as for run, or 'sample-release'; default sample")
    report.add_argument("--to", metavar="DIR", type=Path, help="another folder")
    add("learner", _learner, "write the lessons without notes and solutions, and pages of them, to _build/learner")
    teacher = add("teacher", _teacher, "execute the lessons with notes and solutions, and write them to _build/teacher")
    teacher.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers, for example 00; default all")
    kit = add("kit", _kit, "write all that a class without a network needs into a folder, for USB sticks")
    kit.add_argument("folder", metavar="DIR", type=Path, help="a new folder, or an earlier kit to bring up to date")
    kit.add_argument("--system", action="append", choices=["linux", "macos", "macos-intel", "windows"], help="only it")
    kit.add_argument("--python", action="append", choices=["3.11", "3.12", "3.13"], help="only it")
    start = add("start", _start, "copy the lessons into a folder of your own and open them in JupyterLab")
    start.add_argument("folder", nargs="?", metavar="DIR", type=Path, help="default my_lessons in the clone")
    start.add_argument("--no-lab", action="store_true", help="only copy")
    data = add("data", _data, "build the synthetic sample; with a word after it, care for downloads")
    data.add_argument("--source", choices=SAMPLES, default="sample", help="which; default sample")
    data.add_argument("--rebuild", action="store_true", help="even if a complete one is there")
    data.add_argument("--to", metavar="DIR", type=Path, help="build another one in a new folder")
    data.add_argument("--seed", type=int, help="of that other one; default 1")
    downloads.add_commands(data)
    doctor = add("doctor", _doctor, "check this computer, with a fix for each thing that is wrong", environment=None)
    doctor.add_argument(
        "--online", action="store_true", help="check the servers with the real data instead, and print a table"
    )
    add("notebooks", _notebooks, "make the notebooks again from their sources", environment="test")
    add("book", _book, "build the lessons and the package's reference as one site, in _build/book", environment="test")
    add("test", _test, "run the tests (--all: the weekly ones too); further arguments go to pytest", environment="test")
    add("lint", _lint, "check the style of code and lessons, and which room imports which", environment="test")
    add("bench", _bench, "measure speed and memory", environment="test")
    add("calibrate", _calibrate, "hold the sample against real sessions: table and picture in data/README.md")
    locks = add("locks", _locks, "resolve the locks again from pyproject.toml", environment="test")
    locks.add_argument("--upgrade", action="store_true", help="take the newest versions")
    add("clean", _clean, "remove what was built: _build/ and synthetic sessions", environment=None)
    return parser


def _python(lock: str | None, installs: bool) -> Path | None:
    """The Python of the clone's ``.venv``; None if this Python is already the right one.

    A command that installs makes the environment if need be; any other says which one does.
    """
    in_venv = ROOT is not None and Path(sys.prefix).resolve() == (ROOT / ".venv").resolve()
    if lock is None:  # a command that makes no environment, but looks into the one that is there
        python = None if ROOT is None or in_venv or _installed() else environment.venv_python(ROOT)
        return python if python and python.exists() else None
    if not in_venv and _installed({"run": "papermill", "test": "pytest"}[lock]):
        return None  # an environment of the user's own (conda, Binder), with the package in it
    if not installs and ROOT is not None and not environment.is_ready(lock):
        first = {"run": "start", "test": "test"}[lock]
        raise SystemExit(
            f"This command needs packages that are not installed here: 'python -m bwm_tutorials {first}' installs them "
            "into .venv, and says so first."
        )
    python = environment.prepare(lock)
    return None if in_venv else python


def _installed(module: str = "one") -> bool:
    """Tell whether this Python has the package and a module that it needs."""
    try:
        version("bwm-tutorials")
    except PackageNotFoundError:
        return False
    return find_spec("one") is not None and find_spec(module) is not None


def _clone() -> Path:
    if ROOT is None:
        raise SystemExit("The lessons are in the repository, not in the package: clone it and run this there.")
    return ROOT


def _lessons(ending: str) -> list[Path]:
    """The lessons of the clone in order: their sources (``py``) or notebooks (``ipynb``)."""
    return sorted((_clone() / "notebooks").glob(f"[0-9][0-9]_*.{ending}"))


def _sources() -> list[Path]:
    """The sources of all notebooks of the clone: the lessons, and what stands beside them."""
    return sorted((_clone() / "notebooks").glob("*.py"))


def _chosen(numbers: list[str], ending: str) -> list[Path]:
    """Those of the `_lessons` that have one of these numbers; all without a number."""
    lessons = _lessons(ending)
    chosen = [lesson for lesson in lessons if not numbers or lesson.name[:2] in numbers]
    if not chosen:
        known = ", ".join(lesson.name[:2] for lesson in lessons)
        raise SystemExit(f"There is no lesson {' '.join(numbers)}; there are {known}.")
    return chosen


def _run(arguments: argparse.Namespace) -> int:
    notebooks = _chosen(arguments.lessons, "ipynb")
    return _execute(notebooks, _clone() / "_build", source=arguments.source, eid=arguments.eid)


def _execute(notebooks: list[Path], target: Path, source: str | None = None, **how) -> int:
    from ..simulate import sample
    from . import execute

    for name in {source or execute.own_source(notebook) for notebook in notebooks} & {*SAMPLES}:
        sample.ensure(name=name)
    results = execute.run(notebooks, target, source, **how)
    say(execute.table(results))
    say(f"Pages: {target / 'index.html'}")
    return int(any(result.error for result in results))


def _report(arguments: argparse.Namespace) -> int:
    from ..recordings.insertion import Insertion
    from ..recordings.sources import connect
    from . import execute, report

    one = connect(arguments.source)
    if not arguments.pids and arguments.source in ("aws", "openalyx"):
        raise SystemExit(
            f"Name the insertions: {arguments.source} has {len(one.search_insertions())}, and each report fetches some "
            "hundred megabytes."
        )
    probes = [Insertion(pid, one) for pid in arguments.pids or one.search_insertions()]
    if not arguments.pids:
        probes.sort(key=lambda probe: (probe.session.name, probe.name))
    if not probes:
        raise SystemExit(f"{arguments.source} has no probe insertions, so there is nothing to report on.")
    folder = (claim(arguments.to) if arguments.to else _clone() / "_build" / "reports").absolute()
    pids = dict.fromkeys(probe.pid for probe in probes)
    results = report.report(_clone() / "notebooks" / "report.ipynb", list(pids), folder, arguments.source)
    say(execute.table(results, "insertion"))
    say(f"Pages: {folder / 'index.html'}")
    return int(any(result.error for result in results))


def _teacher(arguments: argparse.Namespace) -> int:
    from . import notebooks

    with tempfile.TemporaryDirectory() as folder:
        copies = {Path(folder, f"{s.stem}.ipynb"): notebooks.teachers_copy(s) for s in _chosen(arguments.lessons, "py")}
        for file, content in copies.items():
            file.write_bytes(content)
        return _execute(list(copies), _clone() / "_build" / "teacher", notes=True)


def _learner(arguments: argparse.Namespace) -> int:
    from . import notebooks

    folder = _clone() / "_build" / "learner"
    remove(folder, of=BUILT)
    notebooks.write_learners(_clone() / "notebooks", folder)
    say(f"Lessons and pages: {folder}")
    return 0


def _kit(arguments: argparse.Namespace) -> int:
    from . import kit

    kit.write(_clone(), arguments.folder.absolute(), arguments.system or kit.SYSTEMS, arguments.python or kit.PYTHONS)
    return 0


def _start(arguments: argparse.Namespace) -> int:
    from ..course.learner import working_copy
    from . import notebooks

    folder = working_copy.create(arguments.folder or _clone() / "my_lessons")
    lessons = notebooks.for_learners(_clone() / "notebooks")
    written = working_copy.copy_lessons(lessons, folder)
    for name in sorted(written.keys() - lessons.keys()):
        say(f"{written[name]} has changed since you began it; yours is kept, the new one is {name}.")
    say(f"Your lessons are in {folder}.")
    return 0 if arguments.no_lab else subprocess.call([sys.executable, "-m", "jupyter", "lab", str(folder)])


def _data(arguments: argparse.Namespace) -> int:
    from ..simulate import sample

    name = arguments.source
    if arguments.seed is not None and not arguments.to:
        raise SystemExit("Every sample in the data folder has seed 1: name a new folder for another one with --to DIR.")
    if arguments.to:
        if arguments.to.exists():
            raise SystemExit(f"{arguments.to} exists already; name a folder that does not.")
        say(str(sample.build(arguments.to.absolute(), arguments.seed or 1, name)))
    else:
        say(str(sample.ensure(rebuild=arguments.rebuild, name=name)))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from . import doctor

    if arguments.online:
        try:
            from . import doctor_online
        except ImportError:  # a computer on which nothing is installed is looked at itself
            return doctor.print_checks(doctor.examine())
        return doctor_online.print_table(doctor_online.examine())
    return doctor.print_checks(doctor.examine())


def _notebooks(arguments: argparse.Namespace) -> int:
    from . import hunts, notebooks

    for source in _sources():
        notebooks.generate(source)
        say(str(source.with_suffix(".ipynb")))
    page = _clone() / "notebooks" / "hunts.md"
    page.write_text(hunts.page(_lessons("py")), encoding="utf-8", newline="\n")
    say(str(page))
    return 0


def _book(arguments: argparse.Namespace) -> int:
    return subprocess.call([sys.executable, str(_clone() / "book" / "build.py")])


def _test(arguments: argparse.Namespace) -> int:
    pytest = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal"]
    return subprocess.call([*pytest, *arguments.pytest], cwd=_clone())


def _lint(arguments: argparse.Namespace) -> int:
    house = ["pytest", "-q", "tests/test_house.py"]
    checks = (["ruff", "check", "."], ["ruff", "format", "--check", "."], house)
    return max(subprocess.call([sys.executable, "-m", *words], cwd=_clone()) for words in checks)


def _bench(arguments: argparse.Namespace) -> int:
    return max(subprocess.call([sys.executable, str(file)]) for file in sorted(_clone().glob("benchmarks/bench_*.py")))


def _calibrate(arguments: argparse.Namespace) -> int:
    return subprocess.call([sys.executable, str(_clone() / "data" / "calibrate.py")])


def _locks(arguments: argparse.Namespace) -> int:
    environment.write_locks(upgrade=arguments.upgrade)
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    for folder in [_clone() / "_build", *(data_folder() / name for name in (*SAMPLES, "audit"))]:
        if not remove(folder):
            say(f"{folder} was not made by bwm-tutorials, and is left as it is.")
    return 0
