"""The doctor asks the servers whether all is as assumed: one row for each assumption, whatever a server does."""

import hashlib
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from helpers import servers
from helpers.servers import Answer, Door

from bwm_tutorials.paths import ROOT
from bwm_tutorials.recordings import one_tables
from bwm_tutorials.recordings.remote import aws
from bwm_tutorials.workshop import assumptions, cli, doctor_online, findings
from bwm_tutorials.workshop.doctor_online import Row

NOWHERE = ["FlatIron: a file, without a login"]  # that fails where a test opens no such server
TOO_OFTEN = "database: asked too often"
IN_PARTS = f"{aws.AGGREGATES}/trials.pqt: md5"
Rows = dict[str, Row]


@pytest.fixture
def fixed(served) -> assumptions.Fixed:
    """What is known of the small release, counted in its own files."""
    one, probe = served.one, served.insertions[0]
    sessions, datasets = one.search(), servers.load_tables(one.cache_dir)["datasets"]
    stale = servers.stale(datasets)
    eid = UUID(served.eid)
    of_main, now = stale.loc[[eid]], datasets.loc[[eid]]
    current = now.loc[now["default_revision"], "rel_path"]
    units, trials = (one.cache_dir / "aggregates" / f"{name}.pqt" for name in ("clusters", "trials"))
    table = findings.parquet.read_metadata(units)
    tag = (servers.STALE_SINCE, len(sessions) + 3, len(stale))
    return assumptions.Fixed(
        eid=served.eid,
        pid=probe.pid,
        folder=one.eid2path(served.eid).relative_to(one.cache_dir).as_posix(),
        trials=len(served.trials),
        columns=served.trials.shape[1],
        clusters=len(probe.clusters),
        good=int((probe.clusters["label"] == 1).sum()),
        spikes=len(probe.spikes.times),
        sessions=len(sessions),
        insertions=len(one.search_insertions()),
        tag=tag,
        other_tags=(tag, tag),
        main_in_tag=(len(of_main), int((~of_main["rel_path"].isin(current)).sum())),
        units=f"{table.num_rows:,} rows × {table.num_columns} columns",
        newer_units=table.num_columns,
        trials_mb=round(trials.stat().st_size / 1e6),
        md5s=(md5(units), md5(trials), md5(units)),
        pages=(servers.Alyx.page, servers.Alyx.page),
    )


@pytest.fixture
def everything(aws_door, fixed, nowhere, monkeypatch) -> Callable[..., Rows]:
    """The bucket with what else is assumed to be in it; asks it, and gives the rows by their names."""
    monkeypatch.setenv("ALYX_URL", nowhere)  # the real one is never asked
    units = (aws_door.original / "aggregates/clusters.pqt").read_bytes()
    tables = servers.cache_zip(aws_door.original)
    further = {assumptions.NEWER_UNITS: units, assumptions.EVERYTHING: tables}
    further |= {f"caches/openalyx/{tag}/cache.zip": tables for tag in assumptions.OTHER_TAGS}
    further |= {f"{assumptions.BUNDLED}{name}": b"spikes" for name in assumptions.BUNDLES}
    for key, body in further.items():
        servers.put(aws_door.web.url, key, body)
    return lambda **other: by_name(fixed._replace(**other))


@pytest.fixture
def no_bucket(away, nowhere, monkeypatch) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "BWM_ROSTER"):
        monkeypatch.setenv(name, nowhere)


@pytest.fixture
def flatiron(openalyx_door, monkeypatch) -> Door:
    """The database with an account, and its files open to all."""
    monkeypatch.setenv("BWM_FLATIRON", f"{openalyx_door.web.url}/public")
    return openalyx_door


def by_name(fixed: assumptions.Fixed) -> Rows:
    rows = list(doctor_online.examine(fixed))
    assert len({row.what for row in rows}) == len(rows)
    # Whatever a server does is said in words: no exception by its own name, and no line break.
    assert not [row for row in rows if re.search(r"[a-z](Error|Exception|Invalid)\b|\n", row.found)]
    return {row.what: row for row in rows}


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()[:8]


def of(rows: Rows, ok: str, begins: str = "") -> set[str]:
    return {what for what, row in rows.items() if row.ok == ok and what.startswith(begins)}


def cells(line: str) -> list[str]:
    """The cells of a line of a Markdown table."""
    assert line.startswith("| ") and line.endswith(" |")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_all_is_as_assumed(everything, flatiron, fixed, monkeypatch, capsys):
    monkeypatch.setattr(doctor_online, "examine", partial(doctor_online.examine, fixed))
    arguments = cli._parser().parse_args(["doctor", "--online"])
    code = arguments.command(arguments)
    said = capsys.readouterr().out
    print(said)
    about, blank, *table, end, verdict = said.splitlines()
    head, rule, *rows = map(cells, table)
    assert "ONE-api " in about and blank == end == "" and head == ["what", "expected", "found", "ok"]
    assert rule == ["---"] * 4 and {len(row) for row in rows} == {4} and len(rows) > 40
    assert {row[0] for row in rows if row[3] != "yes"} == {TOO_OFTEN, IN_PARTS}
    assert {row[3] for row in rows if row[0] in (TOO_OFTEN, IN_PARTS)} == {"not checked"}
    assert rows[-1][0] == "openalyx: spikes" and rows[-1][2].startswith(f"{fixed.spikes:,} ")
    assert code == 0 and verdict == "Nothing that was checked is in the way of the lessons."
    assert not flatiron.root.exists() and not flatiron.root.with_name("aws").exists()
    assert servers.MINE["password"] not in said and servers.MINE["username"] not in said and servers.TOKEN not in said


def test_without_an_account_only_the_database_is_not_asked(everything, monkeypatch, openalyx_door):
    monkeypatch.delenv("ALYX_PWD")
    monkeypatch.setenv("BWM_FLATIRON", f"{openalyx_door.web.url}/public")
    rows = everything()
    assert of(rows, "no") == of(rows, "changed") == set()
    unasked = of(rows, "not checked") - {TOO_OFTEN, IN_PARTS}
    assert unasked == {what for what in rows if what.startswith(("database: ", "openalyx: "))} - {TOO_OFTEN} | {"login"}
    assert {rows[what].found for what in unasked} == {assumptions.NO_ACCOUNT}


@pytest.mark.parametrize("wrong", ["ALYX_PWD", "ALYX_TOKEN"])
def test_a_wrong_password_or_token_is_a_row_of_its_own(wrong, fixed, no_bucket, flatiron, monkeypatch):
    monkeypatch.setenv(wrong, "mistyped")
    rows = by_name(fixed)
    assert rows["login"].ok == "no" and "correct ALYX_LOGIN and ALYX_PWD" in rows["login"].found
    assert "mistyped" not in str(rows) and rows["database"].ok == "yes"
    assert of(rows, "not checked", "openalyx: ") == {what for what in rows if what.startswith("openalyx: ")}


def test_a_login_that_fails_otherwise_is_not_called_wrong(fixed, no_bucket, flatiron):
    for answer in (Answer(503), Answer(200, b"<html>")):
        flatiron.web.instead["/auth-token"] = answer
        found = by_name(fixed)["login"]
        assert found.ok == "no" and "correct ALYX" not in found.found and "/auth-token" in found.found


TAG = f"tables of {assumptions.base.TAG}: "


def test_without_the_tables_of_the_tag_the_lessons_go_on(everything, aws_door, capsys):
    aws_door.web.instead[aws.TABLES] = Answer(404)
    rows = everything()
    assert of(rows, "changed") == {what for what in rows if what.startswith(TAG)}
    assert all("404" in rows[what].found for what in of(rows, "changed"))
    assert of(rows, "yes", "aws: ") == {what for what in rows if what.startswith("aws: ")}
    assert capsys.readouterr().out == "", "what the doors say does not come between the rows"


def test_tables_that_are_none_are_in_the_way(everything, aws_door):
    aws_door.web.instead[aws.TABLES] = Answer(200, b"no zip")
    rows = everything()
    assert "cannot be read as ONE's tables" in rows[f"{TAG}date"].found and rows[f"{TAG}date"].ok == "changed"
    assert rows["aws: opens"].ok == "no" and rows["aws: trials"].found == "not checked: see 'aws: opens'"


def test_a_roster_of_another_form_is_a_row_and_nothing_opens_without_it(everything, aws_door):
    aws_door.root.parent.with_name("roster.csv").write_text("eid,probe_name\na,b\n")
    rows = everything()
    assert of(rows, "no") == {"roster", "aws: opens", *NOWHERE}
    assert "no columns pid" in rows["roster"].found and rows["aws: trials"].found == "not checked: see 'aws: opens'"


def test_a_bucket_that_may_not_be_listed_is_a_row(everything, aws_door):
    aws_door.web.instead["list-type=2"] = Answer(403)
    rows = everything()
    assert rows["bucket"].ok == "no" and "403" in rows["bucket"].found and rows["roster"].ok == "yes"
    assert rows["aws: trials"].found == "not checked: see 'bucket'"


@pytest.mark.parametrize("given", [b"<html", b"<html></html>"])
def test_a_listing_that_is_none_is_a_row(given, everything, aws_door):
    aws_door.web.instead["list-type=2"] = Answer(200, given)
    rows = everything()
    assert "no listing at" in rows["bucket"].found and rows["main session: names"].ok == "not checked"


def test_what_has_become_better_or_newer_fails_nothing(everything, flatiron):
    flatiron.web.instead["/cache/info/none"] = Answer(429, b"", {"Retry-After": "7"})
    rows = everything(
        tag=("2001-01-01", 1, 1), other_tags=(("2001-01-01", 1, 1),) * 2, main_in_tag=(1, 1), newer_units=1, columns=1,
        units="1 rows × 1 columns", trials_mb=1, md5s=("0", "0", "0"), pages=(250, 1000),
    )  # fmt: skip
    assert of(rows, "no") == set() and len(of(rows, "changed")) >= 17
    assert rows["database: cache/info of an unknown tag"].found == "429"
    assert rows[TOO_OFTEN] == Row(TOO_OFTEN, "429 with Retry-After", "429 with Retry-After (7 s)", "yes")


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"trials": 7}, {"trials"}),
        ({"good": 1000}, {"probe"}),
        ({"spikes": 1}, {"spikes"}),
        ({"insertions": 699}, {"release"}),
        ({"pid": one_tables.make_id("unknown")}, {"probe", "spikes"}),
        (
            {"eid": one_tables.make_id("unknown")},
            {"session", "probe", "trials", "trials, revision", "spikes, revision", "wheel", "spikes"},
        ),
    ],
)
def test_what_is_not_as_known_is_named_by_its_row(change, failed, everything):
    rows = everything(**change)
    failures = {re.sub(" [0-9a-f-]{36}$", "", what.removeprefix("aws: ")) for what in of(rows, "no", "aws: ")}
    assert failures == failed


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes a connection and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(100)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_servers_that_are_silent_cost_one_question_each(fixed, silent, openalyx_door, aws_door, monkeypatch):
    for name in ("AWS_ENDPOINT_URL_S3", "ALYX_URL", "BWM_FLATIRON"):
        monkeypatch.setenv(name, silent)
    monkeypatch.setenv("BWM_ROSTER", f"{silent}/roster.csv")
    monkeypatch.setattr(findings, "TIMEOUT", (1, 0.5))
    monkeypatch.setattr(doctor_online, "LIMIT", 1)
    rows = by_name(fixed)
    assert of(rows, "no") == {"bucket", "roster", "database"} and of(rows, "yes") == of(rows, "changed") == set()
    assert all(rows[what].found.startswith("no answer") for what in of(rows, "no"))


def test_of_a_server_that_falls_silent_nothing_more_is_asked(everything, aws_door, monkeypatch):
    monkeypatch.setattr(doctor_online, "LIMIT", 1)
    aws_door.web.faults[aws.TABLES] = ["wait"]
    rows = everything()
    aws_door.web.go.set()
    assert rows[f"{TAG}date"].found == "no answer within 1 s"
    assert rows[f"{TAG}sessions"].found == rows[assumptions.EVERYTHING].found == f"not checked: see '{TAG}date'"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_cell_is_one_line_with_its_pipes_escaped(ending, capsys):
    rows = [Row("a|b", "c", f"first{ending}second | third", "no"), Row("d", "e", "e", "yes")]
    assert doctor_online.print_table(rows) == 1
    *_, first, second, _, verdict = capsys.readouterr().out.splitlines()
    assert first == r"| a\|b | c | first second \| third | no |"
    assert cells(first) == ["a|b", "c", "first second | third", "no"] and cells(second)[3] == "yes"
    assert verdict.startswith("Not as the lessons need it: a|b. ")


def test_contributing_names_each_row(fixed, tmp_path):
    """A row that no reader finds in the table, or one that is there and is not asked, is a mistake in either."""
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## What is assumed of the servers")[2]
    lines = [cells(line) for line in section.partition("\nFaults ")[0].splitlines() if line.startswith("| ")]
    named, group = set(), ""
    for name in (name for line in lines[1:] for name in re.findall("`([^`]+)`", line[1])):
        full = name.replace("… ", f"{group}: ") if name.startswith("… ") else name
        group = full.partition(": ")[0]
        named.add(full)
    asked = {question.what for group in assumptions.questions(tmp_path, fixed) for question in group}
    of_doors = {what for what in asked if what.startswith(("aws: ", "openalyx: "))}
    of_tables = {what for what in asked if what.endswith((".pqt: size", ".pqt: md5"))}
    assert named - {"aws: …", "openalyx: …", "…: size", "…: md5"} == asked - of_doors - of_tables


@pytest.mark.skipif(os.name == "nt", reason="the job runs on Linux")
def test_the_weekly_job_keeps_the_table_and_the_exit_code(tmp_path):
    job = yaml.safe_load((ROOT / ".github/workflows/live.yml").read_text())["jobs"]["online"]
    (step,) = [step for step in job["steps"] if "doctor --online" in step.get("run", "")]
    (keep,) = [step for step in job["steps"] if "GITHUB_STEP_SUMMARY" in step.get("run", "")]
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho '| a row |'; exit 1\n")
    python.chmod(0o755)
    inside = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    assert step["shell"] == "bash" and keep["if"] == "always()"
    bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]  # what GitHub runs for it
    assert subprocess.run([*bash, step["run"]], cwd=tmp_path, env=inside).returncode == 1
    subprocess.run([*bash, keep["run"]], cwd=tmp_path, env=inside, check=True)
    assert (tmp_path / "summary.md").read_text() == (tmp_path / "servers.md").read_text() == "| a row |\n"


@pytest.mark.parametrize("name", ["notes", "folder/", f"x.{one_tables.make_id('x')}", one_tables.make_id("x")])
def test_a_name_of_another_form_is_counted(name):
    rest = [
        f"data/a/alf/#2025-03-03#/b.c.{one_tables.make_id('b')}.npy",
        f"data/a/alf/b.c.{one_tables.make_id('c')}.npy",
    ]
    items = [{"Key": key, "Size": 1, "ETag": "0" * 32} for key in (*rest, f"data/a/{name}")]
    found = findings.Listing("data/a/", items, [], True)
    assert findings.names(found) == "with an id (2 of 3)" and found.of("alf/b.c.npy") == items[0]
    assert findings.revision(found, "alf/b.c.npy") == "2025-03-03 (all: none, 2025-03-03)"


def test_the_number_of_parts_is_held_against_the_size():
    md5 = "0123456789abcdef" * 2
    sizes = {f"{md5}-1": 1, f"{md5[::-1]}-1": 8 << 20, f"{md5}-2": (8 << 20) + 1, md5: 1 << 30}
    items = [{"Key": tag, "Size": size, "ETag": tag} for tag, size in sizes.items()]
    assert findings.parts(findings.Listing("", items, [], True)) == "all (3 of 3)"
    assert findings.parts(findings.Listing("", [*items, items[0] | {"Size": 9 << 20}], [], True)) == "not all (3 of 4)"
