"""petquant turns PET/CT scans into numbers that people may rely on. For research use only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from petquant.version import __version__

if TYPE_CHECKING:
    from petquant.check import check
    from petquant.errors import PetquantError
    from petquant.grid import Grid
    from petquant.quantify import quantify
    from petquant.roi import Roi, RoiSet
    from petquant.volume import Volume

_HOMES = {
    "Grid": "grid",
    "PetquantError": "errors",
    "Roi": "roi",
    "RoiSet": "roi",
    "Volume": "volume",
    "check": "check",
    "quantify": "quantify",
}

__all__ = ["Grid", "PetquantError", "Roi", "RoiSet", "Volume", "__version__", "check", "quantify"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``--help`` stays fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'petquant' has no attribute {name!r}")
    return getattr(import_module(f"petquant.{_HOMES[name]}"), name)
