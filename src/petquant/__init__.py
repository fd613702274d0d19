"""petquant turns PET/CT scans into numbers that people may rely on. For research use only.

The verbs live in the modules that are named after them: ``from petquant.quantify import quantify``, ``from
petquant.check import check``, ``from petquant.compare import compare``, and so on.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from petquant.version import __version__

if TYPE_CHECKING:
    from petquant.errors import PetquantError
    from petquant.grid import Grid
    from petquant.overrides import Overrides
    from petquant.quantification import Quantification
    from petquant.roi import Roi, RoiSet
    from petquant.study import Choices
    from petquant.volume import Volume

_HOMES = {
    "Choices": "study",
    "Grid": "grid",
    "Overrides": "overrides",
    "PetquantError": "errors",
    "Quantification": "quantification",
    "Roi": "roi",
    "RoiSet": "roi",
    "Volume": "volume",
}

__all__ = [
    "Choices",
    "Grid",
    "Overrides",
    "PetquantError",
    "Quantification",
    "Roi",
    "RoiSet",
    "Volume",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that ``--help`` stays fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'petquant' has no attribute {name!r}")
    return getattr(import_module(f"petquant.{_HOMES[name]}"), name)
