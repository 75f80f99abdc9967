"""Lessons played in this process, cell by cell as a kernel does but without its start; and what they read."""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from bwm_tutorials.recordings.local import LocalOne
from bwm_tutorials.recordings.one_tables import without_revision
from bwm_tutorials.workshop import notebooks

from .repository import tags


class Played(NamedTuple):
    """What a notebook showed as text, and how many of its cells said that the recording lacks what they need."""

    text: str
    left_out: int

    @property
    def not_applicable(self) -> int:
        """How many exercises could not be asked."""
        return self.text.count("not applicable here")


def played(source: Path, **parameters: str) -> Played:
    """Run a notebook's cells, with other parameters; an error in a cell is raised, and so is a warning."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shown, lacking = io.StringIO(), []
    # First of all that look at a result, before it is no error any more.
    shell.events.register("post_run_cell", lambda result: lacking.append(result.error_in_exec is not None))
    with plt.rc_context(), warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(shown):
        warnings.simplefilter("default")
        for hidden in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", hidden)
        for cell in notebooks.read_source(source).cells:
            if cell.cell_type == "code":
                shell.run_cell(cell.source).raise_error()
                shell.user_ns.update(parameters if "parameters" in tags(cell) else {})
        plt.close("all")
    shell.reset(new_session=False)  # something of IPython keeps the shell, and with it all recordings
    InteractiveShell.clear_instance()
    assert [str(warning.message) for warning in warned] == [], "a learner is shown a warning"
    return Played(shown.getvalue(), sum(lacking))


@contextlib.contextmanager
def traced() -> Iterator[set[str]]:
    """Collect the files of sessions that are read meanwhile: their paths without revision, probes as one."""
    found: set[str] = set()
    whole = LocalOne.whole

    def noted(self, datasets):
        found.update(re.sub(r"probe\d\d", "{probe}", without_revision(path)) for path in datasets["rel_path"])
        return whole(self, datasets)

    LocalOne.whole = noted
    try:
        yield found
    finally:
        LocalOne.whole = whole
