"""Lessons on the Brain Wide Map, and the small package behind them.

Everything is loaded when it is first used, so that ``import bwm_tutorials`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "connect": "sources",
    "download_plan": "remote.plan",
    "Session": "session",
    "Insertion": "session",
    "audit": "auditing",
    "exercises": "course.checking",
    "export": "course.export",
    "provenance": "course.provenance",
    "progress": "course.progress",
    "save": "course.saves",
    "restore": "course.saves",
}
_MODULES = ("passive", "plots", "pose", "questions", "release", "spikes", "trials", "wheel", "widgets")

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"bwm_tutorials has no {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return sorted(__all__)
