"""What a cell does where the recording lacks something, in a real kernel and in a program."""

import subprocess
import sys

import nbclient
import nbformat
import pytest

START = """import bwm_tutorials as bwm
bwm.keep_going()
session = bwm.Session(one=bwm.connect("real"))"""


@pytest.fixture(scope="module")
def told():
    """Run cells in a kernel of their own; gives what each printed, or the name of its error."""

    def run(*cells: str) -> list[str]:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (START, *cells)])
        nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
        kinds = {"stream": lambda out: out.text, "error": lambda out: out.ename, "execute_result": lambda out: out.data}
        return ["".join(str(kinds[o.output_type](o)) for o in cell.outputs).strip() for cell in notebook.cells[1:]]

    return run


def test_a_cell_that_needs_what_is_not_there_says_so_and_the_next_goes_on(told):
    lacking, with_name, chained, other, by_hand, inside = told(
        "wheel = session.wheel\nprint('never')",
        "from math import pi as number\nspeed = wheel.position\nfor each in speed:\n    pass",
        "number + each",
        "print(len(session.trials))",
        "wheel = 3\nwheel",
        "def use():\n    return speed\nuse()",
    )
    assert lacking.endswith("has no wheel; it has trials.") and "never" not in lacking
    short = f"Left out here: {lacking.partition(';')[0]}."
    assert with_name == inside == short and chained == short, "a name that only such a cell would have given"
    assert int(other) > 300 and "3" in by_hand


def test_columns_that_an_older_recording_lacks_are_said_in_whatever_way_they_are_asked_for(told):
    first, *others = told(
        "session.trials['rewardVolume']",
        "session.trials[['choice', 'rewardVolume']]",
        "session.trials.query('rewardVolume > 1')",
        "session.get('wheel') is None",
    )
    assert first == "This recording has no rewardVolume."
    assert others[:2] == [first, first]
    assert "has no wheel" in others[2] and "True" in others[2]


def test_every_other_error_stays_an_error(told):
    cells = [
        "whele",
        "session.trials['chioce']",
        "session.pose('top')",
        "session.trails",
        "1 / 0",
        "bwm.Session('none')",
    ]
    expected = ["NameError", "KeyError", "DataError", "AttributeError", "ZeroDivisionError", "UnknownSession"]
    assert told(*cells) == expected


def test_a_figure_that_was_begun_is_not_shown(told):
    begun, ended = told(
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2])\nsession.wheel",
        "print(plt.get_fignums())",
    )
    assert begun.count("\n") == 0 and "has no wheel" in begun and ended == "[]"


def test_a_program_ends_with_the_sentence(tmp_path):
    def ended(code: str) -> str:
        done = subprocess.run([sys.executable, "-c", f"{START}\n{code}"], capture_output=True, text=True)
        assert done.returncode == 1 and not done.stdout
        return done.stderr

    assert ended("session.wheel").endswith("has no wheel; it has trials.\n") and ended("session.wheel").count("\n") == 1
    assert "Traceback" in ended("1 / 0")
