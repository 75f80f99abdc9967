"""Lessons on the Brain Wide Map, and the small package behind them.

The public names are declared in ``__init__.pyi``, where editors find them. Each is loaded when it is first used, so
that ``import bwm_tutorials`` costs nothing.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_DECLARED = {
    name: home
    for home, name in re.findall(r"^from \.(\S*) import (\w+)", Path(__file__).with_suffix(".pyi").read_text(), re.M)
}
__all__ = sorted(_DECLARED)


def __getattr__(name: str) -> Any:
    if name not in _DECLARED:
        raise AttributeError(f"bwm_tutorials has no {name!r}; it has {', '.join(__all__)}.")
    home = f"{__name__}.{_DECLARED[name]}".rstrip(".")
    if _DECLARED[name] in ("", "analysis"):  # a room, or a module in one
        return import_module(f"{home}.{name}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
