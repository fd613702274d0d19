"""Encoding turns a dataset into the bytes of a DICOM file, the same on every run.

Datasets are made with little-endian pixels; big endian swaps them here, RLE and the JPEG families compress
them without loss.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.tag import BaseTag, Tag
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
    put_raw(dataset, Tag(number), text, vr=vr or dictionary_VR(number))


def put_raw(dataset: Dataset, tag: BaseTag, text: str | bytes, *, vr: str) -> None:
    """Put an element, private ones too, with exactly this text into a dataset, padded to an even length."""
    value = text if isinstance(text, bytes) else text.encode("ascii")
    value += b" " * (len(value) % 2)
    # A raw element is what pydicom keeps of a file before it looks at the text: it is written as it stands.
    dataset[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)


def file_bytes(dataset: Dataset, *, transfer_syntax: str = "explicit") -> bytes:
    """Return a dataset as the bytes of a DICOM file, leaving the dataset as it is."""
    if transfer_syntax not in TRANSFER_SYNTAXES:
        raise ValueError(
            f"transfer syntax {transfer_syntax!r} is unknown; there are {', '.join(TRANSFER_SYNTAXES)}"
        )
    syntax = TRANSFER_SYNTAXES[transfer_syntax]
    # By get_item, so that raw elements stay unparsed.
    written = Dataset({tag: dataset.get_item(tag) for tag in dataset.keys()})  # noqa: SIM118 - iteration would parse raw elements
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
    if dataset.original_encoding == (None, None):
        _keep_unparsed(written, syntax=meta.TransferSyntaxUID)
    buffer = io.BytesIO()
    dcmwrite(buffer, written, enforce_file_format=True)
    return buffer.getvalue()


def _keep_unparsed(dataset: Dataset, *, syntax: UID) -> None:
    """Make pydicom write raw elements, here and in all items, as they stand: it trims those it parses.

    It does so only where a dataset claims to have been read in the encoding and character set of the file.
    Items that were really read from a file keep what they know of it.
    """
    if dataset.original_encoding != (None, None):
        return
    charset = dataset.get("SpecificCharacterSet")
    dataset.set_original_encoding(
        syntax.is_implicit_VR,
        syntax.is_little_endian,
        default_encoding if charset is None else convert_encodings(charset),
    )
    for tag in dataset.keys():  # noqa: SIM118 - iteration would parse raw elements
        element = dataset.get_item(tag)
        is_parsed = isinstance(element, DataElement) and element.VR == "SQ"
        for item in element.value if is_parsed else ():
            _keep_unparsed(item, syntax=syntax)


def write_file(dataset: Dataset, path: Path, *, transfer_syntax: str = "explicit") -> None:
    """Write a dataset as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file_bytes(dataset, transfer_syntax=transfer_syntax))
