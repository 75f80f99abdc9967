"""Let a lesson go on where a recording lacks something: the cell that needs it says so."""

import ast
import re
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from one.alf.exceptions import ALFObjectNotFound

from .. import console
from ..errors import CorruptData, MissingDataset, TooFew, cause
from ..recordings.datasets import TRIALS, paths

COLUMNS = {*TRIALS, *(path.split(".")[1] for path in paths("trials")), "amps", "depths"}
"""Of tables and arrays that every recording has, what an older one, or an excerpt, may lack."""
LACKING = (MissingDataset, CorruptData, TooFew)
TELLING = (*LACKING, ALFObjectNotFound, KeyError, NameError)
"""Errors that may tell what a recording lacks: `lacks` says whether one does."""
_absent: dict[str, str] = {}
"""Names that a cell would have given, had the recording what it needs; and what that is."""


def keep_going() -> None:
    """Let a cell that needs what the recording lacks print that in one sentence, in place of an error.

    A later cell that uses what such a cell would have made says the same, and the notebook runs to its end. All other
    errors stay what they are. Outside of a notebook the program ends there, with the sentence.
    """
    shell = console.shell()
    if shell is None:
        sys.excepthook = _end
        return
    _absent.clear()
    shell.set_custom_exc(TELLING, _told)
    for callback in shell.events.callbacks["post_run_cell"][:]:
        if callback.__qualname__ == _went_on.__qualname__:  # of an earlier import of this module
            shell.events.unregister("post_run_cell", callback)
    shell.events.register("post_run_cell", _went_on)


def lacks(error: BaseException | None) -> str:
    """Return in one sentence what a recording lacks, if that is what an error tells of; else empty."""
    if isinstance(error, LACKING):
        return str(error)
    if isinstance(error, ALFObjectNotFound):
        return f"ONE does not find this in the recording: {cause(error)}."
    if isinstance(error, KeyError | NameError):
        names = re.findall(r"'(\w+)'", str(error))
        if columns := [name for name in names if name in COLUMNS]:
            return f"This recording has no {', '.join(columns)}."
        return next((_absent[name] for name in names if isinstance(error, NameError) and name in _absent), "")
    return ""


def _told(shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: int | None = None) -> None:
    if not (sentence := lacks(error)):
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return
    told = sentence in _absent.values()
    console.say(f"Left out here: {sentence.partition(';')[0].rstrip('.')}." if told else sentence)
    if plotting := sys.modules.get("matplotlib.pyplot"):
        plotting.close("all")  # a figure that was begun


def _went_on(result: Any) -> None:
    """After each cell: what was told is no error to whoever runs the cells."""
    if sentence := lacks(result.error_in_exec):
        result.error_in_exec = None
        python = console.shell().transform_cell(result.info.raw_cell)
        _absent.update(dict.fromkeys(_given(ast.parse(python)), sentence))


def _given(tree: ast.AST) -> Iterator[str]:
    """The names that code gives, but for those inside of its functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
            continue
        yield from _given(node)


def _end(kind: type, error: BaseException, trace: TracebackType) -> None:
    if sentence := lacks(error):
        sys.stderr.write(f"{console.printable(sentence)}\n")
    else:
        sys.__excepthook__(kind, error, trace)
