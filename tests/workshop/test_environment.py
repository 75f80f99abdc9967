"""What learners install is what is tested, on every system, and an installation survives accidents."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, distribution
from itertools import chain, product
from pathlib import Path

import nbformat
import pytest
import yaml
from helpers.repository import copy_of_the_repository, copy_what_needs_nothing, write_tiny_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bwm_tutorials
from bwm_tutorials.paths import ROOT
from bwm_tutorials.simulate import sample
from bwm_tutorials.workshop import doctor, environment

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NO_NETWORK = re.compile(r"error sending request|dns error|failed to lookup address|operation timed out")


def uv(*arguments: str, cwd: Path) -> str:
    """Run uv and return what it says; skip the test where the package index cannot be reached."""
    done = subprocess.run([sys.executable, "-m", "uv", *arguments], cwd=cwd, capture_output=True, text=True)
    if done.returncode and NO_NETWORK.search(done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


SYSTEMS = {
    f"{system}-{machine}-{python}": {
        "platform_system": system,
        "platform_machine": machine,
        "sys_platform": sys_platform,
        "os_name": os_name,
        "python_version": python,
        "python_full_version": f"{python}.1",
    }
    for (system, sys_platform, os_name, machine), python in product(
        [
            ("Linux", "linux", "posix", "x86_64"),
            ("Linux", "linux", "posix", "aarch64"),
            ("Darwin", "darwin", "posix", "arm64"),
            ("Darwin", "darwin", "posix", "x86_64"),
            ("Windows", "win32", "nt", "AMD64"),
        ],
        ["3.11", "3.12", "3.13"],
    )
}


def pins(lock: str, system: str | None = None) -> list[tuple[str, str]]:
    """List (name, version) of what a lock installs on a system, or on any."""
    return [
        (canonicalize_name(pin.name), str(pin.specifier).removeprefix("=="))
        for pin in map(Requirement, environment.pins(lock))
        if system is None or pin.marker is None or pin.marker.evaluate(SYSTEMS[system])
    ]


# --------------------------------------------------------------------------------------------------------------- locks


@pytest.mark.parametrize("lock", ["run", "test"])
def test_every_package_of_a_lock_has_one_version_and_hashes(lock):
    text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(environment.pins(lock)) > 100
    for block in blocks:
        assert re.match(r"[\w.-]+==[\w.]+ ", block), block
        assert "--hash=sha256:" in block, block


@pytest.mark.parametrize("system", SYSTEMS)
def test_lessons_get_the_versions_that_are_tested(system):
    run, test = pins("run", system), pins("test", system)
    assert len(run) > 100
    assert len(dict(test)) == len(test), "a package has two versions on one system"
    assert set(run) <= set(test)


def test_lock_meets_every_bound_of_pyproject():
    extras = PROJECT["optional-dependencies"].values()
    for bound in map(Requirement, [*PROJECT["dependencies"], *chain(*extras)]):
        versions = [version for name, version in pins("test") if name == canonicalize_name(bound.name)]
        assert bound.name == PROJECT["name"] or versions, bound
        assert all(bound.specifier.contains(version) for version in versions), bound


@pytest.mark.weekly
@pytest.mark.network
def test_locks_are_what_pyproject_gives(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "locks", tmp_path / "locks")
    try:
        environment.write_locks(tmp_path)
    except SystemExit as error:
        if NO_NETWORK.search(str(error)):
            pytest.skip("the package index cannot be reached")
        raise
    for lock in ("run.txt", "test.txt"):
        assert (tmp_path / "locks" / lock).read_text() == (ROOT / "locks" / lock).read_text(), "run 'make locks'"


@pytest.mark.weekly
@pytest.mark.network
@pytest.mark.parametrize(
    ("lock", "system"),
    # The last is the Mac with an Intel processor; only learners have one.
    [*product(["run", "test"], ["linux", "macos", "windows"]), ("run", "x86_64-apple-darwin")],
)
def test_lock_can_be_installed_without_a_compiler(lock, system, tmp_path):
    for python in ("3.11", "3.12", "3.13"):
        options = ["--python-platform", system, "--python-version", python, "--only-binary", ":all:"]
        plan = uv(
            *["pip", "install", "--dry-run", "--target", str(tmp_path), "--require-hashes", *options],
            *["-r", str(ROOT / "locks" / f"{lock}.txt")],
            cwd=tmp_path,  # away from the constraints in pyproject.toml: the lock has to do alone
        )
        assert " + numpy==" in plan


@pytest.mark.locked
def test_this_environment_is_what_the_lock_says():
    assert doctor.unmet(environment.pins("test")) == []


@pytest.mark.locked
@pytest.mark.parametrize("lock", ["run", "test"])
def test_what_an_installation_takes_is_about_what_is_said(lock):
    found = 0
    for name in {re.split("==", pin)[0] for pin in environment.pins(lock)}:
        with suppress(PackageNotFoundError):  # of another system
            files = [file.locate() for file in distribution(name).files]
            found += sum(os.path.getsize(file) for file in files if os.path.exists(file))
    assert found / 1e6 == pytest.approx(environment.MEGABYTES[lock], rel=0.25)


def test_supported_pythons_are_those_of_pyproject():
    (oldest, newest) = environment.OLDEST, environment.NEWEST
    assert PROJECT["requires-python"] == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"
    continuous_integration = (ROOT / ".github/workflows/ci.yml").read_text()
    for minor in range(oldest[1], newest[1] + 1):
        assert f'"3.{minor}"' in continuous_integration
        assert f"Programming Language :: Python :: 3.{minor}" in PROJECT["classifiers"]


# ------------------------------------------------------------------------------------------- the same thing said twice


def test_every_mention_of_the_repository_is_its_address_in_pyproject():
    address = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")
    # owner/name after each host that shows a repository: badges, Binder, Colab, raw files
    mention = re.compile(
        r"(?:github\.com/|raw\.githubusercontent\.com/|mybinder\.org/v2/gh/|mybinder\.org/badge/gh/|githubtocolab\.com/"
        r"|colab\.research\.google\.com/github/|shields\.io/github/[\w/-]+?/)([\w.-]+/bwm-tutorials[\w-]*)"
    )
    files = [*ROOT.glob("*.md"), *ROOT.glob("*.cff"), *ROOT.glob("*/*.md"), *ROOT.glob("*/*.py"), *ROOT.glob("*/*.yml")]
    mentions = [(file.name, found) for file in files for found in mention.findall(file.read_text(encoding="utf-8"))]
    assert ("CITATION.cff", address) in mentions
    assert not [found for found in mentions if found[1] != address]


def test_citation_names_this_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == bwm_tutorials.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["references"][0]["doi"] == "10.1038/s41586-025-09235-0"


def test_conda_and_binder_make_the_same_environment():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    binder = yaml.safe_load((ROOT / "binder/environment.yml").read_text())
    assert conda["dependencies"].pop() == {"pip": ["-r locks/run.txt"]}
    assert conda == binder
    assert "-r locks/run.txt\n" in (ROOT / "binder/postBuild").read_text()


def test_commit_hooks_use_the_ruff_of_the_lock():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    wanted = {line for hook in repository["hooks"] for line in hook.get("additional_dependencies", [])}
    assert wanted == {f"ruff=={dict(pins('test'))['ruff']}"}


# -------------------------------------------------------------------------------------------------------------- Binder


def test_binder_finds_its_configuration():
    done = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(ROOT)], capture_output=True, text=True
    )
    dockerfile = done.stdout + done.stderr
    assert done.returncode == 0, dockerfile
    assert "Building conda environment for python=3.12" in dockerfile
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in dockerfile
    assert "RUN ./binder/postBuild" in dockerfile
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile


@pytest.mark.skipif(os.name == "nt", reason="Binder and its scripts run on Linux")
def test_binder_starts_with_one_thread_for_each_library():
    shown = subprocess.run(
        [ROOT / "binder/start", "sh", "-c", "echo $OPENBLAS_NUM_THREADS $OMP_NUM_THREADS; echo $1", "sh", "two words"],
        capture_output=True,
        text=True,
    )
    assert shown.stdout == "1 1\ntwo words\n"


@pytest.fixture
def release_folder() -> Path:
    """The small release, built."""
    return sample.ensure(name="sample-release").parent


@pytest.mark.weekly
@pytest.mark.network
@pytest.mark.skipif(os.name == "nt", reason="Binder and its scripts run on Linux")
def test_binder_builds_from_nothing_and_shows_a_figure_within_a_minute(tmp_path, release_folder):
    clone = copy_of_the_repository(tmp_path / "clone")
    shutil.copytree(release_folder, clone / "data/release")  # how it is built is tested elsewhere
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    path = f"{tmp_path / 'venv/bin'}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BWM_", "PYTHON"))}
    done = subprocess.run(
        ["binder/postBuild"], cwd=clone, env={**inherited, "PATH": path}, capture_output=True, text=True
    )
    if done.returncode and re.search("NewConnectionError|Temporary failure in name resolution", done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (clone / "data/sample").is_dir()
    assert (clone / "my_lessons/00_start_here.ipynb").exists()
    assert f"{clone / 'data/release/one'}" in done.stdout
    ran = subprocess.run(
        ["binder/start", "bwm-tutorials", "run", "00"], cwd=clone, env={**inherited, "PATH": path}, capture_output=True
    )
    assert ran.returncode == 0, ran.stdout
    assert seconds_to_the_first_figure(clone / "_build/00_start_here.ipynb") < 60


def seconds_to_the_first_figure(executed: Path) -> float:
    """Seconds from the start of the kernel until a lesson's first figure was there, as papermill noted them."""
    notebook = nbformat.read(executed, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cell = next(cell for cell in cells if any("image/png" in out.get("data", {}) for out in cell.outputs))
    begin, end = notebook.metadata.papermill["start_time"], cell.metadata.papermill["end_time"]
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


@contextmanager
def at_most(megabytes: int) -> Iterator[list[str]]:
    """The words before a command that give it so much memory and no more; skip the test where a system has no such."""
    scope = ["systemd-run", "--user", "--scope", "--quiet", "-p", f"MemoryMax={megabytes}M", "-p", "MemorySwapMax=0"]
    if shutil.which("systemd-run") and subprocess.run([*scope, "true"], capture_output=True).returncode == 0:
        yield scope
        return
    own = re.search(r"^\d+:memory:(.*)$", _read("/proc/self/cgroup"), flags=re.MULTILINE)
    group = Path(f"/sys/fs/cgroup/memory{own[1] if own else ''}") / f"bwm-tutorials-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"this computer does not let a test limit the memory of a program ({error})")
    try:
        (group / "memory.limit_in_bytes").write_text(str(megabytes * 10**6))
        yield ["sh", "-c", f'echo $$ > "{group / "cgroup.procs"}" && exec "$0" "$@"']
    finally:
        group.rmdir()


def _read(file: str) -> str:
    return Path(file).read_text() if Path(file).exists() else ""


def test_heaviest_lesson_runs_in_a_gigabyte(tmp_path):
    # Of them all 07 takes most (test_lessons holds each below 800 MB); papermill stands for JupyterLab's server.
    sample.ensure()
    output = tmp_path / "out.ipynb"
    lesson = [ROOT / "notebooks/07_pose.ipynb", output, "--cwd", tmp_path, "--no-progress-bar", "--kernel", "python3"]
    with at_most(megabytes=1000) as limit:
        greedy = subprocess.run([*limit, sys.executable, "-c", "bytearray(1_200_000_000)"], capture_output=True)
        assert greedy.returncode != 0, "the test itself: more is not given"
        command = [*limit, ROOT / "binder/start", sys.executable, "-m", "papermill", *lesson]
        done = subprocess.run(
            command, env=os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"}, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr[-2000:]
    assert output.read_text(encoding="utf-8").count('"image/png"') >= 5


# ------------------------------------------------------------------------------------------------------------- prepare

BACKEND = """
import zipfile

def build_editable(directory, config_settings=None, metadata_directory=None):
    name = "tiny_project-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        info = "tiny_project-1.0.dist-info"
        wheel.writestr("tiny_project.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: tiny-project\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "tiny_project.py,,\\n")
    return name
"""


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone of a tiny project with a lock of one package, which pip finds in a folder."""
    for folder in ("bwm_tutorials/workshop", "notebooks", "locks", "wheels"):
        (tmp_path / folder).mkdir(parents=True)
    copy_what_needs_nothing(tmp_path / "bwm_tutorials")
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tiny-project"\nversion = "1.0"\n'
    )
    line = write_tiny_wheel(tmp_path / "wheels")
    (tmp_path / "locks/run.txt").write_text(line)
    (tmp_path / "locks/test.txt").write_text(f"# the same and more\n{line}")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return tmp_path


def start(clone: Path, code: str = "prepare()", python: str = sys.executable) -> subprocess.Popen:
    command = [
        python,
        "-c",
        f"from bwm_tutorials.workshop import environment\nfrom bwm_tutorials.workshop.environment import *\n{code}",
    ]
    return subprocess.Popen(command, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(clone: Path, code: str = "prepare()", python: str = sys.executable) -> tuple[int, str, str]:
    process = start(clone, code, python)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def works(clone: Path) -> bool:
    python = environment.venv_python(clone)
    code = "import tiny, tiny_project; assert tiny.whole"
    return subprocess.run([python, "-c", code], capture_output=True, cwd=clone / "wheels").returncode == 0


def test_environment_is_made_once_and_again_when_its_lock_changes(clone):
    assert run(clone) == (
        0,
        f"Installing 1 packages, about 1,000 MB on the disk, into {clone / '.venv'} (about a minute) …\n",
        "",
    )
    assert works(clone)
    assert run(clone) == (0, "", "")
    (clone / "locks/run.txt").write_text("# changed\n" + (clone / "locks/run.txt").read_text())
    assert run(clone)[1].startswith("Installing")
    assert run(clone, "prepare('test')")[1].startswith("Installing")
    assert run(clone) == (0, "", ""), "the lock of the tests includes that of the lessons"


@pytest.mark.weekly
def test_interrupted_installation_is_completed(clone):
    # Killed when half of a package was there: pip alone takes it for installed and leaves it broken.
    killed = """
import os, shutil
pip = environment.pip
def die(python, *arguments):
    pip(python, *arguments)
    next((ROOT / ".venv").rglob("tiny/part.py")).unlink()
    os._exit(9)
environment.pip = die
prepare()"""
    assert run(clone, killed)[0] == 9
    assert not works(clone)
    assert run(clone)[0] == 0
    assert works(clone)


@pytest.mark.weekly
def test_environment_without_pip_is_made_anew(clone):
    # killed while the environment itself was made
    (clone / ".venv.lock").touch()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clone / ".venv"], check=True)
    assert run(clone)[0] == 0
    assert works(clone)


def test_an_environment_of_the_users_own_is_left_alone(clone):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clone / ".venv"], check=True)
    before = {file: file.stat().st_mtime_ns for file in (clone / ".venv").rglob("*")}
    code, _, err = run(clone)
    assert code == 1 and f"{clone / '.venv'} was not made by bwm-tutorials" in err
    assert {file: file.stat().st_mtime_ns for file in (clone / ".venv").rglob("*")} == before


@pytest.mark.weekly
def test_two_programs_at_once_install_once(clone):
    both = [start(clone), start(clone)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(out.count("Installing") for out, _ in said) == [0, 1]
    assert works(clone)


def test_failed_installation_says_why_and_leaves_a_working_environment_alone(clone):
    assert run(clone)[0] == 0
    good = (clone / "locks/run.txt").read_text()
    (clone / "locks/run.txt").write_text(good.replace("tiny==1.0", "tiny==2.0"))
    code, _, err = run(clone)
    assert code == 1
    assert err.startswith("The packages could not be installed; see pip's last words below")
    assert "No matching distribution found for tiny==2.0" in err
    assert "Traceback" not in err
    (clone / "locks/run.txt").write_text(good)
    assert run(clone) == (0, "", "")
    assert works(clone)


@pytest.mark.weekly
def test_altered_package_is_refused(clone):
    with (clone / "wheels/tiny-1.0-py3-none-any.whl").open("ab") as wheel:
        wheel.write(b"more")
    code, _, err = run(clone)
    assert code == 1
    assert "DO NOT MATCH THE HASHES" in err
    assert not works(clone)


@pytest.mark.weekly
def test_lock_without_hashes_is_refused(clone):
    (clone / "locks/run.txt").write_text("tiny==1.0\n")
    code, _, err = run(clone)
    assert code == 1
    assert "Hashes are required" in err


def test_package_without_a_clone_has_nothing_to_prepare(monkeypatch):
    monkeypatch.setattr(environment, "ROOT", None)
    with pytest.raises(SystemExit, match="not in a clone"):
        environment.prepare()


# ----------------------------------------------------------------------------------------------------- an old Python


@pytest.mark.parametrize("version", [(3, 8, 1), (3, 10, 0), (3, 14, 2)])
def test_unsupported_python_is_named_with_what_to_run_instead(version, clone):
    code, out, err = run(clone, f"import sys; sys.version_info = {version}\nprepare()")
    assert (code, out) == (1, "")
    assert re.fullmatch(
        rf"This is Python 3\.{version[1]} and the lessons need 3\.11, 3\.12 or 3\.13: "
        r"(run it again with python3\.1\d|install Python 3\.12 from https://\S+) .+\.\n",
        err,
    )


def old_pythons() -> list[str]:
    names = [f"python3.{minor}" for minor in (8, 9, 10)]
    found = [*map(shutil.which, names), *map(str, Path.home().glob(".pyenv/versions/3.[89].*/bin/python"))]
    return [python for python in found if python and environment._runs(python, "import venv")]


@pytest.mark.skipif(not old_pythons(), reason="no Python 3.8, 3.9 or 3.10 on this computer")
def test_old_python_can_say_that_it_is_too_old(clone):
    for python in old_pythons():
        code, _, err = run(clone, python=python)
        assert code == 1
        assert re.fullmatch(r"This is Python 3\.\d+ and the lessons need .+\n", err)


@pytest.mark.skipif(not old_pythons(), reason="no Python 3.8, 3.9 or 3.10 on this computer")
def test_command_says_that_python_is_too_old(tmp_path):
    clone = copy_of_the_repository(tmp_path)
    for python in old_pythons():
        done = subprocess.run([python, "-m", "bwm_tutorials", "run"], cwd=clone, capture_output=True, text=True)
        assert done.returncode == 1
        assert re.fullmatch(r"This is Python 3\.\d+ and the lessons need .+\n", done.stderr)


def test_environment_module_needs_the_standard_library_only():
    imported = set()
    for name in ("__init__", "__main__", "console", "errors", "paths", "workshop/environment", "workshop/cli"):
        tree = ast.parse((ROOT / "bwm_tutorials" / f"{name}.py").read_text(encoding="utf-8"), feature_version=(3, 8))
        for node in tree.body:
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module)
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_signs_are_replaced_on_a_console_without_them():
    code = "from bwm_tutorials.console import say; say('✗ a → b …')"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, cwd=ROOT
    )
    assert done.stdout.split() == b"NO a -> b ...".split()
