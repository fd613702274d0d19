"""A data set is all that a DICOM file holds, read by pydicom; what is deflated is inflated within bounds."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from petquant.dicom.elements import Damage, Window
from petquant.dicom.inflation import inflated
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.meta import read_meta
from petquant.dicom.positioned import unreadable
from petquant.dicom.pydicom_today import pydicom_of_today
from petquant.dicom.transfer_syntax import DEFLATED
from petquant.errors import PetquantError, UnreadableInput

__all__ = ["read_dataset"]


def read_dataset(path: str, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Return the data set of a file.

    Raises
    ------
    UnreadableInput
        FILE_UNREADABLE, FILE_NOT_UNDERSTOOD, FILE_TRUNCATED.
    LimitReached
        INFLATION_LIMIT.
    """
    pydicom = pydicom_of_today()
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    window = Window(len(content), content, lambda offset, n: content[offset : offset + n])
    try:
        meta = read_meta(window)
        if meta.transfer_syntax != DEFLATED:
            return pydicom.dcmread(io.BytesIO(content))
        whole = inflated(window, meta.end, limits)
        return pydicom.filereader.read_dataset(io.BytesIO(whole), is_implicit_VR=False, is_little_endian=True)
    except PetquantError:
        raise
    except Damage as damage:
        raise damage.error.because(replace(damage.finding, path=path)) from damage
    except Exception as error:  # pydicom raises whatever a broken file leads it to
        raise UnreadableInput.of(
            "FILE_NOT_UNDERSTOOD",
            f"no data set that can be read: {error}",
            path=path,
            remedy="export again",
        ) from error
