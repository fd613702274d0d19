"""Encoding turns a dataset into the bytes of a DICOM file, the same on every run.

Datasets are made with little-endian pixels; big endian swaps them here, RLE and the JPEG families compress
them without loss.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from pathlib import Path

TRANSFER_SYNTAXES: dict[str, UID] = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big_endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg_ls": JPEGLSLossless,
    "jpeg_2000": JPEG2000Lossless,
}

# Six resolution levels, the default of the encoder, halve an image five times.
SMALLEST_JPEG_2000 = 32


def write_text(dataset: Dataset, keyword: str, text: str | bytes, *, vr: str | None = None) -> None:
    """Put an attribute with exactly this text into a dataset, however wrong the text is for its VR.

    Parameters
    ----------
    dataset
        Dataset or sequence item to change.
    keyword
        DICOM keyword, e.g. "PatientWeight".
    text
        Text of the value, written byte for byte (padded to an even length): "nan", "", "1e400", "12 kg".
    vr
        VR to write; the one of the dictionary when None.
    """
    number = tag_for_keyword(keyword)
    if number is None:
        raise ValueError(f"{keyword!r} is no DICOM keyword")
    tag = Tag(number)
    value = text if isinstance(text, bytes) else text.encode("ascii")
    value += b" " * (len(value) % 2)
    # A raw element is what pydicom keeps of a file before it looks at the text: it is written as it stands.
    dataset[tag] = RawDataElement(tag, vr or dictionary_VR(tag), len(value), value, 0, False, True)


def file_bytes(dataset: Dataset, *, transfer_syntax: str = "explicit") -> bytes:
    """Return a dataset as the bytes of a DICOM file, leaving the dataset as it is."""
    if transfer_syntax not in TRANSFER_SYNTAXES:
        raise ValueError(
            f"transfer syntax {transfer_syntax!r} is unknown; there are {', '.join(TRANSFER_SYNTAXES)}"
        )
    syntax = TRANSFER_SYNTAXES[transfer_syntax]
    # By get_item, so that raw elements stay unparsed.
    written = Dataset({tag: dataset.get_item(tag) for tag in dataset.keys()})  # noqa: SIM118
    written.file_meta = FileMetaDataset()
    meta = written.file_meta
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "")
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "")
    meta.ImplementationClassUID = UID(uid("petquant", "implementation"))
    meta.ImplementationVersionName = "PETQUANT"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax.is_encapsulated else syntax
    if syntax == ExplicitVRBigEndian and "PixelData" in dataset:
        written.PixelData = np.frombuffer(dataset.PixelData, dtype="<u2").astype(">u2").tobytes()
    elif syntax.is_encapsulated and "PixelData" in dataset:
        if syntax == JPEG2000Lossless and min(dataset.Rows, dataset.Columns) < SMALLEST_JPEG_2000:
            raise ValueError(f"jpeg_2000 needs at least {SMALLEST_JPEG_2000} rows and columns")
        written.compress(syntax, generate_instance_uid=False)
    buffer = io.BytesIO()
    dcmwrite(buffer, written, enforce_file_format=True)
    return buffer.getvalue()


def write_file(dataset: Dataset, path: Path, *, transfer_syntax: str = "explicit") -> None:
    """Write a dataset as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file_bytes(dataset, transfer_syntax=transfer_syntax))
