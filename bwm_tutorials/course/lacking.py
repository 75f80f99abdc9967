"""What a lesson does where a recording lacks something: the cell says so, and the lesson goes on."""

import ast
import re
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from one.alf.exceptions import ALFObjectNotFound

from ..console import printable, say
from ..errors import CorruptData, MissingDataset, TooFew, cause
from ..recordings.datasets import TRIALS, paths

COLUMNS = {*TRIALS, *(path.split(".")[1] for path in paths("trials")), "amps", "depths"}
"""Of tables and arrays that every recording has, what an older one, or an excerpt, may lack."""
LACKING = (MissingDataset, CorruptData, TooFew)
_absent: dict[str, str] = {}
"""Names that a cell would have given, had the recording what it needs; and what that is."""


def keep_going() -> None:
    """Let a cell that needs what the recording lacks print that in one sentence, in place of an error.

    A later cell that uses what such a cell would have made says the same, and the notebook runs to its end. All other
    errors stay what they are. Outside of a notebook the program ends there, with the sentence.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        sys.excepthook = _end
        return
    _absent.clear()
    shell.set_custom_exc((*LACKING, ALFObjectNotFound, KeyError, NameError), _told)
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
    say(f"Left out here: {sentence.partition(';')[0].rstrip('.')}." if told else sentence)
    if plotting := sys.modules.get("matplotlib.pyplot"):
        plotting.close("all")  # a figure that was begun


def _went_on(result: Any) -> None:
    """After each cell: what was told is no error to whoever runs the cells."""
    if sentence := lacks(result.error_in_exec):
        result.error_in_exec = None
        _absent.update(dict.fromkeys(_given(ast.parse(_python(result.info.raw_cell))), sentence))


def _python(cell: str) -> str:
    from IPython import get_ipython

    return get_ipython().transform_cell(cell)


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
        sys.stderr.write(f"{printable(sentence)}\n")
    else:
        sys.__excepthook__(kind, error, trace)
