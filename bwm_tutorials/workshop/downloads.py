"""What ``bwm-tutorials data`` does: the price of a download, fetching, listing, checking and deleting."""

from __future__ import annotations

import argparse
from pathlib import Path
from uuid import UUID

from ..console import say
from ..errors import Unreachable
from ..paths import data_folder


def add_commands(data: argparse.ArgumentParser) -> None:
    """Add what ``bwm-tutorials data`` does with the sources on a server."""
    actions = data.add_subparsers(metavar="[ACTION]")

    def add(name: str, function, help: str, eid: str) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=help, description=help)
        action.set_defaults(command=function)
        action.add_argument("--source", choices=["aws", "openalyx"], default="aws", help="default aws")
        action.add_argument("--eid", help=eid)
        return action

    for name, function, help in (
        ("plan", _plan, "print what a download costs, and fetch nothing"),
        ("get", _get, "fetch a part of a session"),
    ):
        action = add(name, function, help, "the session; default the source's main one")
        action.add_argument(
            "what", nargs="*", metavar="WHAT", help="trials, wheel, spikes, ..., all; default trials wheel"
        )
        action.add_argument("--update", action="store_true", help="fetch the source's tables again first")
    add("index", _index, "ask the server ahead what each session has", "only this session")
    actions.add_parser("where", help="print where data are").set_defaults(command=_where)
    add("verify", _verify, "check every file that was fetched, by size and md5", "only of this session")
    delete = add("delete", _delete, "delete what was fetched", "only of this session")
    delete.add_argument("--all", action="store_true", help="of every session")


def _planned(arguments: argparse.Namespace):
    from ..recordings.remote.plan import download_plan
    from ..recordings.sources import connect

    one = connect(arguments.source)
    if arguments.update:
        one.update()
    return download_plan(one, arguments.eid, arguments.what or ("trials", "wheel"))


def _plan(arguments: argparse.Namespace) -> int:
    plan = _planned(arguments)
    say(f"{plan.files.round(2).to_string()}\n{plan}")
    return int(bool(plan.refusal))


def _get(arguments: argparse.Namespace) -> int:
    plan = _planned(arguments)
    say(str(plan))
    plan.get()
    return 0


def _index(arguments: argparse.Namespace) -> int:
    from ..recordings import index, one_private
    from ..recordings.sources import connect

    one = connect(arguments.source)
    one.list_ahead([UUID(_eid(arguments, one))] if arguments.eid else None)
    n, everything = len([*index.indexed(Path(one.cache_dir))]), len(one_private.sessions_table(one))
    say(f"{n} of {everything} sessions are indexed in {one.cache_dir}.")
    return 0


def _where(arguments: argparse.Namespace) -> int:
    folder = data_folder()
    say(str(folder))
    for source in sorted(path for path in folder.glob("*") if path.is_dir()):
        files = [file for file in source.rglob("*") if file.is_file()]
        say(f"  {source.name}: {len(files)} files, {sum(file.stat().st_size for file in files) / 1e6:,.1f} MB")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from ..recordings.remote import fetched

    one = _fetched(arguments)
    eid = _eid(arguments, one)
    bad = list(fetched.damaged(one, eid))
    for line in bad:
        say(line)
    n_files = sum(1 for _ in fetched.present(one, eid))
    say(f"{n_files} files are here; {len(bad)} of them damaged, which the next load fetches again.")
    return int(bool(bad))


def _delete(arguments: argparse.Namespace) -> int:
    from ..recordings.remote import fetched

    if bool(arguments.eid) == arguments.all:
        raise SystemExit("Name a session with --eid, or say --all.")
    one = _fetched(arguments)
    say(f"{fetched.delete(one, _eid(arguments, one)) / 1e6:,.1f} MB deleted.")
    return 0


def _fetched(arguments: argparse.Namespace):
    """A source on a server as it is here: nothing is fetched into its folder."""
    from ..recordings.sources import connect

    try:
        return connect(arguments.source, offline=True)
    except Unreachable:
        raise SystemExit(f"Nothing was fetched from {arguments.source!r} yet; 'bwm-tutorials data get' does.") from None


def _eid(arguments: argparse.Namespace, one) -> str | None:
    """The session that is named, if one is; a source that lacks it says what it has."""
    from ..recordings.session import Session

    return Session(arguments.eid, one).eid if arguments.eid else None
