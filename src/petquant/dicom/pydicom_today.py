"""pydicom, imported when it is first needed, and only in a version that is safe."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Final

from petquant.errors import UnreadableInput
from petquant.offline import without_requests

__all__ = ["pydicom_of_today"]

_SAFE_VERSION: Final = (3, 0, 2)  # CVE-2026-32711 in earlier ones


def pydicom_of_today() -> ModuleType:
    """Return pydicom with its readers and writers.

    Raises
    ------
    UnreadableInput
        When the installed pydicom is older than is safe; a dependency can pull it back.
    """
    with without_requests():
        pydicom = importlib.import_module("pydicom")
    version = tuple(int(part) for part in pydicom.__version__.split(".")[:3] if part.isdigit())
    if version < _SAFE_VERSION:
        raise UnreadableInput.of(
            "DEPENDENCY_TOO_OLD",
            f"pydicom {pydicom.__version__}",
            expected="pydicom 3.0.2 or later",
            remedy="upgrade pydicom",
        )
    for name in ("encaps", "filebase", "filereader", "filewriter", "pixels"):
        importlib.import_module(f"pydicom.{name}")
    return pydicom
