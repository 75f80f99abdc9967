"""Data as nobody would send them, for hypothesis; and what is asked of every function that is given them."""

import warnings

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from iblutil.util import Bunch

NAN = np.nan
KINDS = ("f8", "f4", ">f8", "O")


def sentence(function, *args, **kwargs):
    """What a function gives; or, as text, the one sentence in which it refuses. Whatever else happens is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # our own sentences
        try:
            return function(*args, **kwargs)
        except (LookupError, TypeError, ArithmeticError, AttributeError, AssertionError):
            raise
        except Exception as refused:  # of errors, or a ValueError that has a sentence of ours
            assert type(refused) is ValueError or type(refused).__module__.endswith("errors"), repr(refused)
            said = str(refused)
    assert said.endswith(".") and said.count(". ") == 0 and "\n" not in said and len(said) < 400, said
    return said


def stored(draw, values) -> np.ndarray:
    """Numbers as one file or another stores them."""
    return np.asarray(values, float).astype(draw(st.sampled_from(KINDS)))


@st.composite
def trials(draw, most: int = 40):
    """A table of trials: any length, NaN anywhere, 0 beside the stimulus, any block, precision and index."""
    n = draw(st.integers(0, most))

    def column(*values):
        return stored(draw, draw(st.lists(st.sampled_from(values), min_size=n, max_size=n)))

    contrasts = draw(st.sampled_from([(1.0,), (0.0, NAN), (0.0, 0.125, 1.0, NAN)]))
    blocks = draw(st.sampled_from([(0.5,), (0.2,), (0.2, 0.8), (0.2, 0.5, 0.8, NAN), (0.4, 0.6)]))
    times = (NAN, 1.0, 1.05, 1.5, 2.0, 4.5)
    return pd.DataFrame(
        {
            "contrastLeft": column(*contrasts),
            "contrastRight": column(*contrasts),
            "choice": column(*draw(st.sampled_from([(1,), (-1, 1), (-1, 0, 1, NAN)]))),
            "feedbackType": column(*draw(st.sampled_from([(1,), (-1,), (-1, 0, 1, NAN)]))),
            "probabilityLeft": column(*blocks),
            **{
                f"{name}_times": column(*times) for name in ("stimOn", "goCue", "firstMovement", "response", "feedback")
            },
        },
        index=draw(st.sampled_from([range(n), range(10, 10 + n), [7] * n])),
    )


@st.composite
def trains(draw, most: int = 40):
    """Spikes of a few units, in any kind of array: none, one, many at once; amplitudes and depths partly unknown."""
    n = draw(st.integers(0, most))
    numbers = st.lists(st.integers(0, 300), min_size=n, max_size=n)
    partly = st.lists(st.sampled_from([NAN, 0.0, 1e-4, 2e-4]), min_size=n, max_size=n)
    return Bunch(
        times=(np.sort(draw(numbers)) / 4).astype(draw(st.sampled_from(["f8", "f4", ">f8"]))),
        clusters=(np.array(draw(numbers), int) % 5).astype(draw(st.sampled_from(["u2", ">i4", "i8", ">u8", "u8"]))),
        amps=np.array(draw(partly)).astype(draw(st.sampled_from(["f8", "f4", ">f8"]))),
        depths=np.array(draw(partly)),
    )
