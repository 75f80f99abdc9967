"""Damaged files, hostile tables, killed builds, full and read-only disks: found, named, repaired, or refused."""

import filecmp
import json
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.hand_made import MOUSE, TABLE, TRIALS, edit, link, passive_files, record_session, refused, video_files
from helpers.programs import like_anyone, on_small_disk, program, result, wait_for
from one.alf.exceptions import ALFObjectNotFound

import bwm_tutorials as bwm
from bwm_tutorials.errors import CorruptData, DataError, MissingDataset
from bwm_tutorials.recordings import one_tables
from bwm_tutorials.simulate import plans, sample, tables
from bwm_tutorials.workshop import cli

REBUILD = "'bwm-tutorials data --rebuild'"


@pytest.fixture
def recording(small_sample, tmp_path) -> bwm.Session:
    """A session of one's own, to be damaged."""
    shutil.copytree(small_sample.parent, tmp_path / "copy")
    return bwm.Session(one=bwm.connect(tmp_path / "copy" / "one"))


def file_of(session: bwm.Session, name: str) -> Path:
    """The one file of a session that the tables call this."""
    return Path(session.one.eid2path(session.eid), session.datasets.loc[name, "rel_path"])


def files_below(folder: Path) -> dict[str, Path]:
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}


# ----------------------------------------------------------------------------------------------------- damaged files


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda good: good[:-1], "bytes where its table says"),
        (lambda good: good + b"\0", "bytes where its table says"),
        (lambda good: b"no array", "has 8 bytes"),
        (lambda good: good[:-1] + bytes([good[-1] ^ 1]), "was altered (its md5"),
    ],
    ids=["truncated", "longer", "text", "one bit"],
)
def test_damage_to_any_file_is_found_and_named(damage, words, recording):
    one, eid = recording.one, recording.eid
    for name in one.list_datasets(eid):
        file = Path(one.eid2path(eid), name)
        good = file.read_bytes()
        file.write_bytes(damage(good))
        with refused(CorruptData, file, words, REBUILD):
            one.load_dataset(eid, name)
        file.write_bytes(good)
    assert len(recording.trials) and len(recording.insertions[0].clusters), "all is well again"


def test_missing_file_is_named_each_time(recording):
    one, eid = recording.one, recording.eid
    for name in one.list_datasets(eid):
        file = Path(one.eid2path(eid), name)
        file.rename(file.with_suffix(".away"))
        for _ in range(2):
            with refused(MissingDataset, name, REBUILD):
                one.load_dataset(eid, name)
        file.with_suffix(".away").rename(file)
    assert len(recording.trials) and len(recording.insertions[0].clusters), "all is well again"


def test_objects_are_not_loaded_in_part(recording):
    position = file_of(recording, "alf/_ibl_wheel.position.npy")
    good = position.read_bytes()
    position.write_bytes(good[:-1])
    with refused(CorruptData, position, REBUILD):
        recording.one.load_object(recording.eid, "wheel")
    with refused(CorruptData, position, REBUILD):
        recording.wheel  # noqa: B018
    position.unlink()
    with refused(MissingDataset, "alf/_ibl_wheel.position.npy", REBUILD):
        recording.one.load_object(recording.eid, "wheel")
    assert recording.get("wheel") is None
    position.write_bytes(good)
    assert len(recording.wheel.position) == len(recording.wheel.timestamps)


@pytest.mark.parametrize(
    "name, load",
    [
        ("alf/_ibl_trials.table.pqt", lambda session: session.trials),
        ("alf/licks.times.npy", lambda session: session.licks),
        ("alf/_ibl_leftCamera.lightningPose.pqt", lambda session: session.pose("left")),
        ("alf/_ibl_leftCamera.features.pqt", lambda session: session.pupil),
        ("alf/leftCamera.ROIMotionEnergy.npy", lambda session: session.motion_energy("left")),
        ("alf/_ibl_passivePeriods.intervalsTable.csv", lambda session: session.passive),
    ],
)
@pytest.mark.parametrize("damage", [lambda good: b"", lambda good: good[: len(good) // 2 + 1]], ids=["empty", "half"])
def test_file_that_was_damaged_before_its_table_was_made_is_named(damage, name, load, tmp_path):
    files = {TABLE: TRIALS, "alf/licks.times.npy": np.arange(3.0), **video_files(), **passive_files()}
    record_session(tmp_path, files)
    file = tmp_path / MOUSE.path / name
    broken = damage(file.read_bytes())
    if file.suffix == ".csv" and broken:
        broken = b"\xff\xfe not a table"
    session = record_session(tmp_path, {name: broken})
    with refused(CorruptData, name, REBUILD):
        load(session)
    assert session.problems.query("then == 'refused'").index.to_list() == [name]


# --------------------------------------------------------------------------------------- hostile files, hostile tables


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def pickled(folder: Path, file: Path) -> None:
    np.save(file, np.array([Payload(folder), None], dtype=object), allow_pickle=True)


def test_pickled_objects_are_never_loaded(recording, tmp_path):
    licks, ran = file_of(recording, "alf/licks.times.npy"), tmp_path / "ran"
    pickled(ran, licks)
    np.load(licks, allow_pickle=True)
    assert ran.is_dir(), "the payload works"
    ran.rmdir()

    root = Path(recording.one.cache_dir)
    main = one_tables.metadata(root)["main"]
    tables.write(
        root, [plans.MAIN.record], created="2001-01-08 12:00", main=main
    )  # whose sizes and md5s are those of the payload
    session = bwm.Session(one=bwm.connect(root))
    (dataset,) = session.one.list_datasets(session.eid, filename="licks*", details=True).index
    for load in (
        lambda: session.licks,
        lambda: session.one.load_dataset(session.eid, "licks.times.npy"),
        lambda: session.one.load_object(session.eid, "licks"),
        lambda: session.one.load_datasets(session.eid, ["licks.times.npy"]),
        lambda: session.one.load_dataset_from_id(dataset),
        lambda: session.one.load_collection(session.eid, "alf"),
    ):
        with refused(CorruptData, licks, "pickled objects are never loaded"):
            load()
    licks.write_bytes(licks.read_bytes()[128:])  # the pickle alone, which numpy would also load
    tables.write(root, [plans.MAIN.record], created="2001-01-08 12:00", main=main)
    with refused(CorruptData, licks, "pickled objects are never loaded"):
        bwm.Session(one=bwm.connect(root)).licks  # noqa: B018
    assert not ran.exists()


def test_arrays_of_odd_shapes_are_plain_all_the_same(tmp_path):
    files = {"alf/licks.times.npy": np.empty(0), "alf/_ibl_wheel.position.npy": np.asfortranarray(np.eye(3))}
    session = record_session(tmp_path, files)
    assert session.licks.shape == (0,)
    assert session.one.load_dataset(session.eid, "_ibl_wheel.position.npy").shape == (3, 3)


@pytest.mark.parametrize("way_out", ["up", "absolute", "up from inside", "lab"])
def test_table_that_leads_out_of_the_folder_is_refused(way_out, tmp_path):
    """Every name that a table can hold: the file that it leads to exists, and is never given."""
    root = tmp_path / "given"
    record_session(root, {TABLE: TRIALS, "alf/licks.times.npy": np.arange(3.0)})
    secret = tmp_path / MOUSE.path.relative_to(MOUSE.lab) / "alf" / "licks.times.npy"
    secret.parent.mkdir(parents=True)
    np.save(secret, np.full(7, 42.0))
    up = "../" * (len(MOUSE.path.parts) + 1)
    name = {
        "up": up + secret.relative_to(tmp_path).as_posix(),
        "absolute": secret.as_posix(),
        "up from inside": "alf/../" + up + secret.relative_to(tmp_path).as_posix(),
        "lab": "alf/licks.times.npy",
    }[way_out]

    def lead_out(table):
        licks = table["rel_path"] == "alf/licks.times.npy"
        return table.assign(
            rel_path=table["rel_path"].where(~licks, name),
            hash="",
            file_size=table["file_size"].where(~licks, secret.stat().st_size),
        )

    edit(root, "datasets", lead_out)
    if way_out == "lab":
        edit(root, "sessions", lambda table: table.assign(lab=".."))
    one = bwm.connect(root)
    licks = one._cache["datasets"].index[one._cache["datasets"]["rel_path"] == name][0][1]
    assert Path(one.eid2path(MOUSE.eid), name).resolve() == secret.resolve(), "the table leads to the secret"
    with refused(CorruptData, "outside", root):
        one.load_dataset_from_id(licks)
    for load in (
        lambda: bwm.Session(one=one).licks,
        lambda: one.load_dataset(MOUSE.eid, "licks.times.npy"),
        lambda: one.load_dataset(MOUSE.eid, name),
        lambda: one.load_object(MOUSE.eid, "licks"),
    ):
        with pytest.raises((DataError, ALFObjectNotFound)):
            load()


# ------------------------------------------------------------------------------------------------ building the sample


@pytest.fixture
def small_build(monkeypatch):
    """Build as always, but a short recording."""
    monkeypatch.setattr(sample, "build", partial(sample.build, minutes=12, clusters=20))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """A data folder with a complete, small sample, not to be changed."""
    folder = tmp_path_factory.mktemp("pristine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "build", partial(sample.build, minutes=12, clusters=20))
        sample.ensure(folder)
    return folder


@pytest.fixture
def data(pristine, tmp_path, monkeypatch, small_build) -> Path:
    """A copy of it, which ``connect('sample')`` opens."""
    shutil.copytree(pristine, tmp_path / "data")
    monkeypatch.setenv("BWM_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def alter(file: Path) -> None:
    """Change a bit and nothing else."""
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def same_bytes(one: Path, other: Path) -> bool:
    names = sorted(files_below(one))
    return names == sorted(files_below(other)) and filecmp.cmpfiles(one, other, names, shallow=False)[1:] == ([], [])


def test_complete_sample_is_left_alone(data):
    before = {name: file.stat().st_mtime_ns for name, file in files_below(data).items()}
    bwm.connect("sample")
    (data / "sample" / "one" / ".DS_Store").write_text("what a file manager leaves")
    bwm.connect("sample")
    (data / "sample" / "one" / ".DS_Store").unlink()
    assert {name: file.stat().st_mtime_ns for name, file in files_below(data).items()} == before


@pytest.mark.parametrize("name", ["spikes.times.npy", "sessions.pqt", "datasets.pqt", "insertions.pqt", "units.pqt"])
def test_missing_or_truncated_file_has_the_sample_rebuilt(name, data, pristine):
    file = min((data / "sample").rglob(name))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert not sample.is_complete(data)
    file.write_bytes(whole)
    assert sample.is_complete(data)
    file.unlink()
    session = bwm.Session(one=bwm.connect("sample"))
    assert session.insertions[0].spikes.times.size and len(session.truth.units) == 40
    assert same_bytes(data, pristine)


def test_sample_with_an_old_or_no_stamp_is_replaced(data, pristine):
    of_now = json.dumps({"version": sample.VERSION})
    for stamp in ["", "{", "[]", "null", "{}", of_now, '{"version": 0, "seed": 1, "files": {}}']:
        (data / "sample" / "complete.json").write_text(stamp)
        assert not sample.is_complete(data), stamp
    (data / "sample" / "one" / "left over.txt").write_text("of an older version")
    bwm.connect("sample")
    assert same_bytes(data, pristine)


def somebody_elses(folder: Path) -> dict[str, bytes]:
    """Make a folder of the user's own, and give what is in it."""
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("the only copy")
    (folder / "one").mkdir()
    (folder / "one" / "sessions.pqt").write_bytes(b"of another program")
    (folder / "complete.json").write_text("{}")
    return {str(name): (folder / name).read_bytes() for name in files_below(folder)}


USES = {
    "sample": lambda: bwm.connect("sample"),
    "sample-release": lambda: bwm.connect("sample-release"),
    "audit": lambda: bwm.audit(lambda session: [], n=1),
    "aws": lambda: bwm.connect("aws"),
    "openalyx": lambda: bwm.connect("openalyx", username="me", password="secret"),
}


@pytest.mark.parametrize("name", USES)
def test_a_folder_of_the_users_own_is_never_touched(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BWM_DATA", str(tmp_path / "data"))
    theirs = tmp_path / "data" / name
    before = somebody_elses(theirs)
    with refused(DataError, theirs, "was not made by bwm-tutorials", "BWM_DATA"):
        USES[name]()
    arguments = cli._parser().parse_args(["clean"])
    monkeypatch.setattr(cli, "_clone", lambda: tmp_path / "clone")
    assert arguments.command(arguments) == 0
    assert str(theirs) in capsys.readouterr().out or name in ("aws", "openalyx")
    assert {str(file): (theirs / file).read_bytes() for file in files_below(theirs)} == before
    assert not [file for file in (tmp_path / "data").glob(".building-*")]


def test_clean_removes_what_was_built_and_nothing_else(data, tmp_path, monkeypatch):
    before = somebody_elses(data / "audit")
    (data / "notes.txt").write_text("mine")
    monkeypatch.setattr(cli, "_clone", lambda: tmp_path / "clone")
    arguments = cli._parser().parse_args(["clean"])
    assert arguments.command(arguments) == 0
    assert {str(file): (data / "audit" / file).read_bytes() for file in files_below(data / "audit")} == before
    assert not (data / "sample").exists() and (data / "notes.txt").read_text() == "mine"


def test_a_file_or_a_link_in_the_place_of_the_sample_is_left_alone(data, tmp_path):
    shutil.rmtree(data / "sample")
    (data / "sample").write_text("a file")
    with refused(DataError, data / "sample", "was not made by bwm-tutorials"):
        bwm.connect("sample")
    assert (data / "sample").read_text() == "a file"
    (data / "sample").unlink()
    link(data / "sample", tmp_path / "nowhere")
    with refused(DataError, data / "sample", "was not made by bwm-tutorials"):
        bwm.connect("sample")
    (data / "sample").unlink()
    before = somebody_elses(tmp_path / "elsewhere")
    link(data / "sample", tmp_path / "elsewhere")
    with refused(DataError, data / "sample", "was not made by bwm-tutorials"):
        bwm.connect("sample")
    assert {str(f): (tmp_path / "elsewhere" / f).read_bytes() for f in files_below(tmp_path / "elsewhere")} == before


def test_altered_file_is_refused_until_the_sample_is_rebuilt(data, pristine):
    spikes = min((data / "sample").rglob("SIM-001/**/probe00/**/spikes.times.npy"))
    alter(spikes)
    with refused(CorruptData, spikes, "altered", REBUILD):
        bwm.Session(one=bwm.connect("sample")).insertions[0].spikes  # noqa: B018
    arguments = cli._parser().parse_args(["data", "--rebuild"])
    assert arguments.command(arguments) == 0
    assert bwm.Session(one=bwm.connect("sample")).insertions[0].spikes.times.size
    assert same_bytes(data, pristine)


def test_recording_that_is_open_survives_a_rebuild(data):
    session = bwm.Session(one=bwm.connect("sample"))
    times = session.wheel.timestamps
    sample.ensure(rebuild=True)
    assert len(session.wheel_moves.intervals) and len(session.trials)
    assert np.array_equal(bwm.Session(one=session.one).wheel.timestamps, times)


def test_data_folder_that_is_a_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "data").write_text("no folder")
    monkeypatch.setenv("BWM_DATA", str(tmp_path / "data"))
    with refused(DataError, tmp_path / "data", "BWM_DATA"):
        bwm.connect("sample")


# ----------------------------------------------------------------------------------- building in several programs


def test_two_programs_at_once_build_once(tmp_path, pristine):
    code = """
build = sample.build
def counted(*arguments, **named):
    with data.with_name("builds").open("a") as file:
        file.write("built\\n")
    return build(*arguments, **named)
sample.build = counted
say_and_wait(sys.argv[0] + str(os.getpid()) + ".ready", data.with_name("go").exists)
print(len(bwm.Session(one=bwm.connect("sample")).insertions[0].spikes.times))
"""
    first, second = (program(code, tmp_path / "data") for _ in range(2))
    wait_for(*(tmp_path / f"-c{process.pid}.ready" for process in (first, second)))
    (tmp_path / "go").touch()
    assert result(first) == result(second) != ""
    assert (tmp_path / "builds").read_text() == "built\n"
    assert same_bytes(tmp_path / "data", pristine)


STOP_HALFWAY = {
    "before the tables are written": "tables.write = lambda *a, **k: say_and_wait('halfway', lambda: False)",
    "before the new sample is in its place": """
rename = Path.rename
def slow(self, target):
    if target == data / "sample":
        say_and_wait("halfway", lambda: False)
    return rename(self, target)
Path.rename = slow
""",
}


@pytest.mark.parametrize("moment", STOP_HALFWAY)
def test_build_that_was_killed_is_done_again(moment, data, pristine):
    stamp = data / "sample" / "complete.json"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"version": 0}))
    process = program(STOP_HALFWAY[moment] + "\nbwm.connect('sample')", data)
    wait_for(data.with_name("halfway"))
    process.kill()
    process.communicate()
    assert len(list(data.glob(".building-*"))) == 1 and not sample.is_complete(data)
    assert len(bwm.Session(one=bwm.connect("sample")).trials) > 50
    assert same_bytes(data, pristine), "nothing of the killed build is left"


@pytest.mark.skipif(os.name == "nt", reason="no such signal on Windows")
def test_build_that_was_interrupted_leaves_nothing(tmp_path):
    data = tmp_path / "data"
    # A program that was started in the background may be deaf to it.
    hears = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = program(hears + STOP_HALFWAY["before the tables are written"] + "\nbwm.connect('sample')", data)
    wait_for(data.with_name("halfway"))
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate()[1]
    assert [file.name for file in data.iterdir()] == [".sample.lock"]


TRY = """
for name in sys.argv[1:] or [""]:
    os.environ["BWM_DATA"] = str(data / name)
    try:
        print(len(bwm.Session(one=bwm.connect("sample")).insertions[0].spikes.times))
    except DataError as error:
        print(error)
"""


def test_full_disk_is_named_and_nothing_is_left(tmp_path):
    """On a real file system of 2 MB, which only the program sees."""
    data = tmp_path / "data"
    data.mkdir()
    said, left = result(program(TRY + "print(os.listdir(data))", data, *on_small_disk(data, 2))).splitlines()
    assert said.startswith(f"The sample cannot be built in {data} (") and said.count(". ") == 0, said
    assert "free some space" in said and "BWM_DATA" in said
    assert left == "['.sample.lock']"


@pytest.mark.skipif(os.name == "nt", reason="folders are not made read-only this way on Windows")
def test_read_only_folder_with_a_complete_sample_works_and_another_is_named(tmp_path, pristine):
    no_more_rights = like_anyone()
    data = tmp_path / "data"
    shutil.copytree(pristine / "sample", data / "complete" / "sample")  # and no lock, as whoever copies it by hand
    shutil.copytree(pristine, data / "old")
    (data / "old" / "sample" / "complete.json").write_text("{}")
    (data / "empty").mkdir()
    folders = [data, *(folder for folder in data.rglob("*") if folder.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        code = f"sys.argv += ['complete', 'old', 'empty', 'none']\n{TRY}"
        works, *errors = result(program(code, data, *no_more_rights)).splitlines()
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert int(works) > 1000
    assert len(errors) == 3
    for name, error in zip(["old", "empty", "none"], errors, strict=True):
        assert error.startswith(f"The sample cannot be built in {data / name} (") and "BWM_DATA" in error
    assert same_bytes(data / "complete" / "sample", pristine / "sample")


def test_home_folder_is_left_alone(tmp_path):
    """Opening, building and loading everything writes nothing where ONE would have its parameters and downloads."""
    home = tmp_path / "home"
    home.mkdir()
    code = """
for source in ("sample", "real"):
    one = bwm.connect(source)
    for eid in one.search():
        one.load_collection(eid, "alf")
        session = bwm.Session(eid, one)
        for name in ("trials", "wheel", "wheel_moves", "licks", "pupil", "passive"):
            session.get(name)
        if session.synthetic:
            session.truth, session.pose("left", "dlc")
        for probe in session.get("insertions") or []:
            probe.spikes
            if session.synthetic:
                probe.good_spikes, probe.clusters, probe.channels
    one.search_insertions(subject="SIM")
print(Path.home())
"""
    said = result(program(code, tmp_path / "data", HOME=str(home), USERPROFILE=str(home), MPLCONFIGDIR=str(tmp_path)))
    assert said.splitlines()[-1] == str(home), "the program takes this for its home"
    assert sorted(file.name for file in home.iterdir()) == []
    assert sample.is_complete(tmp_path / "data")


# --------------------------------------------------------------------------------------- the same seed, the same mouse


def test_same_seed_gives_the_same_bytes_in_another_program_and_another_seed_does_not(small_sample, tmp_path):
    target = tmp_path / "again"
    result(
        program(f"sample.build(Path({str(target)!r}), seed=2)", tmp_path / "data", PYTHONHASHSEED="1", TZ="Asia/Tokyo")
    )
    assert len(files_below(target)) > 40
    assert same_bytes(target, small_sample.parent)

    other = tmp_path / "other"
    sample.build(other, seed=3, minutes=12, clusters=20)
    names = files_below(other)
    assert names.keys() == files_below(target).keys()
    equal = {Path(name).name for name in filecmp.cmpfiles(other, target, names, shallow=False)[0]}
    of_the_rig = {"localCoordinates", "mlapdv", "brainLocationIds_ccf_2017", "rawInd", "labels"}  # not of the mouse
    expected = {
        ".bwm-tutorials",
        "probes.description.json",
        "sessions.pqt",
        "insertions.pqt",
        "clusters.uuids.csv",
        "drift.times.npy",
        "drift_depths.um.npy",
        "rightROIMotionEnergy.position.npy",
    }
    assert {name for name in equal if name.split(".")[1] not in of_the_rig} <= expected


def test_stamp_lists_every_file(pristine):
    stamp = json.loads((pristine / "sample" / "complete.json").read_text())
    assert stamp["files"].keys() == files_below(pristine / "sample").keys() - {"complete.json"}
    assert stamp["version"] == sample.VERSION and stamp["seed"] == 1
