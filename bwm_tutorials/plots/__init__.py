"""Figures: each draws a result that it is given, prints a sentence about it, and returns the figure.

The sentence is computed from what is drawn, and stands in for the figure where it cannot be seen. Colours can
be told apart by colour-blind readers and read as text on white.
"""

from .behaviour import among_mice, beliefs, learning, psychometric, psychometric_by_hand, session_course
from .responses import alignments, p_values, raster, rates_around, responsive, trajectories
from .score import scorecard
from .sessions import download_prices, what_sessions_have
from .style import stamp
from .trial import one_trial
from .units import probe

__all__ = [
    "alignments",
    "among_mice",
    "beliefs",
    "download_prices",
    "learning",
    "one_trial",
    "p_values",
    "probe",
    "psychometric",
    "psychometric_by_hand",
    "raster",
    "rates_around",
    "responsive",
    "scorecard",
    "session_course",
    "stamp",
    "trajectories",
    "what_sessions_have",
]
