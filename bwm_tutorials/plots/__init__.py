"""Figures: each draws a result that it is given, prints a sentence about it, and returns the figure.

The sentence is computed from what is drawn, and stands in for the figure where it cannot be seen. Colours can
be told apart by colour-blind readers and read as text on white.
"""

from inspect import isfunction

from .auditing import audit
from .availability import download_prices, what_sessions_have
from .behaviour import among_mice, beliefs, learning, psychometric, psychometric_by_hand, session_course
from .explorer import session_window
from .passive import best_pixels, on_off, passive_protocol, rates_by_part, rf_maps, task_against_replay
from .pose import arousal, choice_at_equal_movement, lags, licks, paw_and_wheel, trackers, trial_pose
from .release import history, regions_by_session, selection_steps, two_sortings, wheel_versions
from .report import presence, quality_by_depth, responding
from .responses import alignments, answer, p_values, raster, rates_around, responsive, trajectories
from .score import scorecard
from .sorting import confidence_by_rate, confidence_of_mixtures, criteria, session_raster, voltage, waveform_widths
from .style import stamp
from .trial import one_trial, trial_panels
from .units import probe, unit_panels, units_by_region
from .wheel import changes_and_vigour, early_movements, latencies, wheel_movements, wheel_traces

__all__ = sorted(name for name, found in globals().items() if isfunction(found) and name != "isfunction")
