"""Figures with handles, for a notebook that runs: each handle draws anew with a plain function of `plots`."""

from .explorer import session_explorer, session_views
from .figures import peth_explorer, pose_player, psychometric, rf_browser, trial_viewer, unit_browser

__all__ = [
    "peth_explorer",
    "pose_player",
    "psychometric",
    "rf_browser",
    "session_explorer",
    "session_views",
    "trial_viewer",
    "unit_browser",
]
