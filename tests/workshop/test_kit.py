"""The kit for a class without a network: what is in it, how it survives accidents, and lessons that run from it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest
from helpers.programs import on_small_disk
from helpers.repository import copy_what_needs_nothing, repository_files, write_tiny_wheel
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

from bwm_tutorials.errors import DataError
from bwm_tutorials.paths import ROOT
from bwm_tutorials.simulate import sample as sample_module
from bwm_tutorials.workshop import environment, kit

HERE = "{}.{}".format(*sys.version_info)
THIS_SYSTEM = {
    ("linux", "x86_64"): "linux",
    ("darwin", "arm64"): "macos",
    ("darwin", "x86_64"): "macos-intel",
    ("win32", "AMD64"): "windows",
}.get((sys.platform, os.uname().machine if os.name == "posix" else "AMD64"))
NO_NETWORK = re.compile(r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|ConnectTimeout")


# -------------------------------------------------------------------------------------------------- a kit of one wheel


@pytest.fixture
def root(tmp_path, monkeypatch, small_sample):
    """A clone with a lock of one package, which pip finds in a folder, and a small sample."""
    root = tmp_path / "clone"
    for folder in ("locks", "notebooks"):
        (root / folder).mkdir(parents=True)
    (tmp_path / "index").mkdir()
    (root / "locks/run.txt").write_text(write_tiny_wheel(tmp_path / "index"))
    (root / "kept.txt").write_text("as committed")
    subprocess.run(["git", "init", "--quiet", root], check=True)
    subprocess.run(["git", "add", "."], cwd=root, check=True)
    (root / "kept.txt").write_text("as it is now")
    (root / "of_my_own.txt").write_text("git does not know this one")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("BWM_DATA", str(small_sample.parents[1]))
    return root


WRITE = """
import sys
from pathlib import Path
from bwm_tutorials.workshop import kit
try:
    kit.write(*map(Path, sys.argv[1:]), ["linux"], ["3.12"])
except kit.DataError as error:
    sys.exit(str(error))
"""


def files(folder):
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_kit_holds_the_clone_as_it_is_the_sample_and_the_wheels(root, tmp_path, capsys):
    (root / "_build" / "book").mkdir(parents=True)
    (root / "_build" / "book" / "index.html").write_text("the book")
    kit.write(root, tmp_path / "kit", ["linux", "windows"], ["3.11", "3.12"])
    found = files(tmp_path / "kit")
    assert {"README.txt", "install.py", "wheels/tiny-1.0-py3-none-any.whl", "book/index.html"} < found
    assert (tmp_path / "kit/bwm-tutorials/kept.txt").read_text() == "as it is now"
    assert not [name for name in found if "of_my_own" in name or name.startswith("bwm-tutorials/.git/")]
    assert sample_module.is_complete(tmp_path / "kit/bwm-tutorials/data")
    readme = (tmp_path / "kit/README.txt").read_text()
    assert "Python 3.11 or 3.12." in readme and "book/" in readme
    titles = {name for name, system in kit.SYSTEMS.items() if system.title in readme}
    assert titles == {"linux", "windows"}
    assert capsys.readouterr().out.count("Packages for Python") == 4


def test_kit_is_brought_up_to_date_and_one_that_was_killed_is_completed(root, tmp_path):
    command = [sys.executable, "-c", WRITE, root, tmp_path / "kit"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("Lessons and sample"):
                process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    assert process.returncode != 0
    assert (tmp_path / "kit/README.txt").read_text() == kit.UNFINISHED
    kit.write(root, tmp_path / "kit", ["linux"], ["3.12"])
    whole = files(tmp_path / "kit")
    assert "install.py" in whole and (tmp_path / "kit/README.txt").read_text() != kit.UNFINISHED
    (root / "kept.txt").unlink()
    kit.write(root, tmp_path / "kit", ["linux"], ["3.12"])
    assert files(tmp_path / "kit") == whole - {"bwm-tutorials/kept.txt"}


def test_folder_that_holds_something_else_is_left_alone(root, tmp_path):
    with pytest.raises(DataError, match="was not made by bwm-tutorials, so nothing in it is changed"):
        kit.write(root, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"clone", "index"}


def test_folder_that_git_does_not_know_makes_no_kit(root, tmp_path):
    shutil.rmtree(root / ".git")
    with pytest.raises(DataError, match="is not a clone made with git"):
        kit.write(root, tmp_path / "kit", ["linux"], ["3.12"])
    assert (tmp_path / "kit/README.txt").read_text() == kit.UNFINISHED


def test_wheel_that_is_not_the_one_of_the_lock_is_refused(root, tmp_path):
    with (tmp_path / "index/tiny-1.0-py3-none-any.whl").open("ab") as wheel:
        wheel.write(b"more")
    with pytest.raises(SystemExit, match=r"could not be downloaded(?s:.)+DO NOT MATCH THE HASHES"):
        kit.write(root, tmp_path / "kit", ["linux"], ["3.12"])


def test_stick_that_is_too_small_is_named(root, tmp_path):
    """On a real file system of 2 MB, which only the program sees."""
    folder = tmp_path / "stick"
    folder.mkdir()
    done = subprocess.run(
        [*on_small_disk(folder, 2), sys.executable, "-c", WRITE, root, folder], capture_output=True, text=True
    )
    said = done.stderr.strip()
    assert said.startswith(f"The kit cannot be written to {folder} (No space left on device): ")
    assert said.count(". ") == 0 and "free some space" in said


# --------------------------------------------------------------------------------------------------- every other system


def index_of(name):
    """What the package index has of a package: the names and hashes of its files."""
    address = f"https://pypi.org/simple/{canonicalize_name(name)}/"
    request = urllib.request.Request(address, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return {file["filename"]: file["hashes"]["sha256"] for file in json.load(answer)["files"]}
    except urllib.error.URLError as error:
        pytest.skip(f"the package index cannot be reached ({error.reason})")


@pytest.fixture(scope="module")
def index():
    names = {Requirement(pin).name for pin in environment.pins("run")}
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(names, pool.map(index_of, names), strict=True))


@pytest.mark.weekly
@pytest.mark.network
@pytest.mark.parametrize(("system", "python"), [*product(kit.SYSTEMS, kit.PYTHONS)])
def test_every_pin_has_a_wheel_on_every_system(system, python, index):
    system, version = kit.SYSTEMS[system], tuple(map(int, python.split(".")))
    platforms = system.platforms
    if system.markers["sys_platform"] == "darwin":  # pip, too, takes what was made for an older macOS
        (platform,) = platforms
        platforms = list(mac_platforms((13, 0), platform.removeprefix("macosx_13_0_")))
    taken = {*cpython_tags(version, platforms=platforms), *compatible_tags(version, None, platforms)}
    for patch in (0, 99):
        entries = kit.requirements(ROOT, system, f"{python}.{patch}")
        names = [entry.split("==")[0] for entry in entries]
        assert len(names) == len(set(names)) > 100
        for name, entry in zip(names, entries, strict=True):
            hashes = re.findall(r"--hash=sha256:(\w+)", entry)
            wheels = [file for file, hash in index[name].items() if hash in hashes and file.endswith(".whl")]
            assert any(parse_wheel_filename(wheel)[3] & taken for wheel in wheels), entry.split(" ")[0]


def test_pins_of_a_system_are_chosen_by_their_markers():
    pins = {(name, python): " ".join(kit.requirements(ROOT, kit.SYSTEMS[name], python)) for name, python in
            product(kit.SYSTEMS, ["3.11.0", "3.11.99", "3.12.99"])}  # fmt: skip
    assert {name for (name, _), found in pins.items() if "pywinpty==" in found} == {"windows"}
    assert {name for (name, _), found in pins.items() if "appnope==" in found} == {"macos", "macos-intel"}
    assert {python for (_, python), found in pins.items() if "aiohttp==" in found} == {"3.12.99"}
    numpy = {re.search(r"numpy==(\S+)", found)[1] for found in pins.values()}
    assert len(numpy) == 3, "one for older Pythons, one for newer, one for Macs with an Intel processor"
    assert not [found for found in pins.values() if " ; " in found], "pip would hold it against this computer"


# ------------------------------------------------------------------------------------------------- without a network


@pytest.fixture(scope="module")
def stick(tmp_path_factory, sample):
    """A kit for this computer, as the command writes it, in a folder whose name has a blank."""
    if THIS_SYSTEM is None:
        pytest.skip("no kit is made for this kind of computer")
    folder = tmp_path_factory.mktemp("a stick") / "kit"
    command = [sys.executable, "-m", "bwm_tutorials", "kit", folder, "--system", THIS_SYSTEM, "--python", HERE]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and NO_NETWORK.search(done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """Runs a Python that has nothing but itself, by another user, without a network."""
    folder = tmp_path_factory.mktemp("newcomer")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (folder / "home").mkdir()
    python = environment.venv_python(folder).relative_to(folder / ".venv")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BWM_", "PIP_", "PYTHON"))}
    nowhere = {f"{protocol}_proxy": "http://127.0.0.1:9" for protocol in ("http", "https", "HTTP", "HTTPS")}
    home = dict.fromkeys(["HOME", "USERPROFILE", "APPDATA"], str(folder / "home"))
    environ = kept | nowhere | home | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_COMPILE": "1", "PYTHONUTF8": "1"}
    alone = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"']
    if sys.platform != "linux" or subprocess.run([*alone, "true"], capture_output=True).returncode:
        alone = []  # then the proxies alone lead nowhere

    def run(*arguments, cwd=folder):
        command = [*alone, folder / "venv" / python, *arguments]
        return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, encoding="utf-8")

    run.home = folder / "home"
    return run


@pytest.mark.weekly
@pytest.mark.network
def test_lessons_are_installed_from_a_stick_and_run_without_a_network(stick, newcomer):
    offline = newcomer("-c", "import urllib.request; urllib.request.urlopen('https://pypi.org', timeout=5)")
    assert offline.returncode != 0, "the test itself: nothing can be reached"
    done = newcomer(stick / "install.py", cwd=stick)
    assert done.returncode == 0, done.stderr
    home = newcomer.home / "bwm-tutorials"
    assert done.stdout.endswith(f"Your lessons are in {home / 'my_lessons'}.\n")
    tracked = {file.relative_to(ROOT).as_posix() for file in repository_files()}
    assert {name for name in tracked if not (home / name).exists()} <= untracked()
    built = (home / "data/sample/complete.json").stat().st_mtime_ns
    ran = newcomer("-m", "bwm_tutorials", "run", "00", cwd=home)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"00_start_here +[\d.]+ +\d+ +ok", ran.stdout) and "Installing" not in ran.stdout
    assert (home / "data/sample/complete.json").stat().st_mtime_ns == built, "the sample was there, and not built again"


def untracked():
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(listed.stdout.split("\0"))


@pytest.fixture
def empty_kit(tmp_path):
    """A kit for no computer: the program that installs, and what it looks at first."""
    folder = tmp_path / "kit"
    package = folder / "bwm-tutorials" / "bwm_tutorials"
    (package / "workshop").mkdir(parents=True)
    (folder / "wheels").mkdir()
    shutil.copy(Path(kit.__file__).with_name("kit_install.py"), folder / "install.py")
    copy_what_needs_nothing(package)
    return folder


def install(kit, *arguments, code=""):
    program = f"import sys, runpy; sys.argv[0] = {str(kit / 'install.py')!r}\n{code}\n"
    program += "runpy.run_path(sys.argv[0], run_name='__main__')"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)


def wheel_for_here(kit):
    abi = "cp" + HERE.replace(".", "")
    for system in ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_11_0_arm64", "win_amd64"):
        (kit / "wheels" / f"numpy-2.0-{abi}-{abi}-{system}.whl").touch()


def test_what_cannot_be_installed_is_said_in_a_sentence(empty_kit, tmp_path):
    old = install(empty_kit, code="sys.version_info = (3, 9, 1)")
    assert old.returncode == 1 and old.stderr.startswith("This is Python 3.9 and the lessons need 3.11, 3.12 or 3.13: ")
    other = install(empty_kit, tmp_path / "mine")
    assert other.stderr == (
        f"This kit has no packages for Python {HERE} on this computer; README.txt says what it is made for.\n"
    )
    wheel_for_here(empty_kit)
    (tmp_path / "mine/.git").mkdir(parents=True)
    clone = install(empty_kit, tmp_path / "mine")
    assert clone.stderr.startswith(f"{tmp_path / 'mine'} is a clone of the repository: name another folder")
    no_space = "import shutil; shutil.disk_usage = lambda path: shutil._ntuple_diskusage(9, 9, 5)"
    full = install(empty_kit, tmp_path / "new", code=no_space)
    assert re.fullmatch(r"2 GB are needed and 0\.0 GB are free for .+: free some space\.\n", full.stderr)
    (tmp_path / "file").touch()
    no_folder = install(empty_kit, tmp_path / "file" / "new")
    assert re.fullmatch(r"The lessons cannot be copied to .+: name another folder, .+\.\n", no_folder.stderr)
    assert not (tmp_path / "new").exists()


def test_install_is_in_the_python_of_old_computers():
    import ast

    text = Path(kit.__file__).with_name("kit_install.py").read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 8))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported <= sys.stdlib_module_names
