"""A scan reads what petquant wants of one file's header, once, and says where its pixels lie.

A file is read from its first 8 KiB by a strict walk of our own; what the walk cannot read for certain is an
error, never a guess.
"""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass, replace
from typing import Final

from petquant.dicom.attributes import Attributes
from petquant.dicom.elements import EXPLICIT, IMPLICIT, Damage, Encoding, Window
from petquant.dicom.habit import Habits
from petquant.dicom.inflation import inflated
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.meta import MEDIA_STORAGE_DIRECTORY, Meta, read_meta, sniffed_encoding
from petquant.dicom.pet_classes import PET_CLASSES
from petquant.dicom.positioned import open_to_read, pread, unreadable
from petquant.dicom.tags import TAG
from petquant.dicom.transfer_syntax import (
    DEFLATED,
    NATIVE,
    encoding_of,
    is_encapsulated,
)
from petquant.dicom.walk import Walk, walk
from petquant.errors import Finding, UnreadableInput

__all__ = ["Instance", "scan_content", "scan_file", "scan_or_damage"]

_FIRST_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Attributes):
    """One file's header, as far as petquant wants it; or that of one frame of a file.

    Parameters
    ----------
    path
        As it was found; may hold surrogates where it is not UTF-8.
    size, mtime_ns
        Of the file when it was scanned.
    transfer_syntax
        Its UID.
    pixel_tag
        (7FE0,0010), (7FE0,0008) or (7FE0,0009); 0 without pixels.
    pixel_offset
        Of the pixel value in the file; in the inflated data set when the transfer syntax is deflated.
    pixel_length
        As declared; -1 when the pixels are encapsulated.
    findings
        What was irregular and yet certain; of a damaged file that is no PET, the damage as a flag.
    damage
        What forbids to read the file, when it is a PET image of which the series is known.
    frame
        Number of the frame in a multi-frame file, from 1; 0 when the file is one image.
    whole
        The file that it is a frame of.
    mapped
        First and last stored number that slope and intercept hold for.
    """

    path: str
    size: int
    mtime_ns: int
    transfer_syntax: str
    pixel_tag: int = 0
    pixel_offset: int = 0
    pixel_length: int = 0
    findings: tuple[Finding, ...] = ()
    damage: Finding | None = None
    frame: int = 0
    whole: Instance | None = None
    mapped: tuple[float, float] = (-math.inf, math.inf)


def scan_file(path: str, limits: Limits = DEFAULT_LIMITS, habits: Habits | None = None) -> Instance | None:
    """Return the header of one file, or None when it is not DICOM.

    Files that share `habits` are read three times as fast as without; they must share `limits`.

    Raises
    ------
    UnreadableInput
        When the file cannot be opened, or is damaged and is, or may be, a PET image.
    LimitReached
        When such a file nests, inflates or declares more than `limits` allow.
    """
    instance = scan_or_damage(path, limits, habits)
    if instance is not None and instance.damage is not None:
        raise UnreadableInput.because(instance.damage)
    return instance


def scan_or_damage(
    path: str, limits: Limits = DEFAULT_LIMITS, habits: Habits | None = None
) -> Instance | None:
    """Return what `scan_file` does, and a damaged PET image of a known series with its damage.

    Whether such a file matters is for those to say who know which series is wanted.
    """
    try:
        descriptor = open_to_read(path)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        first = pread(descriptor, _FIRST_BYTES, 0)
        window = Window(status.st_size, first, lambda offset, n: pread(descriptor, n, offset))
        return _scan(path, (status.st_size, status.st_mtime_ns), window, limits, habits or Habits())
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(descriptor)


def scan_content(content: bytes | memoryview, name: str, limits: Limits = DEFAULT_LIMITS) -> Instance | None:
    """Return what `scan_or_damage` does, of the bytes of a file that is not written; `name` is its path."""

    def piece(offset: int, n: int) -> bytes:
        return bytes(content[offset : offset + n])

    window = Window(len(content), piece(0, _FIRST_BYTES), piece)
    return _scan(name, (len(content), 0), window, limits, Habits())


def _scan(
    path: str, size_and_mtime_ns: tuple[int, int], window: Window, limits: Limits, habits: Habits
) -> Instance | None:
    seen = Walk()
    meta = Meta()
    is_certainly_dicom = window.buffer[128:132] == b"DICM"
    try:
        meta = read_meta(window)
        if meta.storage_class == MEDIA_STORAGE_DIRECTORY:
            return None
        transfer_syntax, encoding = _encoding(window, meta)
        if encoding is None:
            if not is_certainly_dicom:
                return None
            raise Damage.unreadable("FILE_NOT_UNDERSTOOD", "holds no data set in a known encoding")
        start = meta.end
        if transfer_syntax == DEFLATED:
            whole = inflated(window, meta.end, limits)
            window = Window(len(whole), whole, lambda offset, n: whole[offset : offset + n])
            start = 0
        walk(window, start, encoding, limits, habits.of(encoding, meta.storage_class), seen)
        _hold_to_syntax(seen, transfer_syntax)
        damage = None
    except Damage as caught:
        if not is_certainly_dicom and not meta.transfer_syntax and not _is_convincing(seen):
            return None
        damage = caught
        transfer_syntax, encoding = meta.transfer_syntax, EXPLICIT
    if damage is None and not meta.transfer_syntax and not _is_convincing(seen):
        return None
    instance = Instance(
        path=path,
        size=size_and_mtime_ns[0],
        mtime_ns=size_and_mtime_ns[1],
        transfer_syntax=transfer_syntax,
        values=seen.values,
        is_implicit=encoding is IMPLICIT,
        pixel_tag=seen.pixel_tag,
        pixel_offset=seen.pixel_offset,
        pixel_length=seen.pixel_length,
        findings=tuple(replace(finding, path=path) for finding in seen.findings) if seen.findings else (),
    )
    if damage is not None:
        return _damaged(instance, meta, damage)
    if not meta.is_complete:
        found = "no preamble, meta header or transfer syntax"
        finding = Finding(code="NO_META_HEADER", found=found, path=path)
        return replace(instance, findings=(*instance.findings, finding))
    return instance


def _encoding(window: Window, meta: Meta) -> tuple[str, Encoding | None]:
    """Return transfer syntax and encoding: as declared, if the first element bears it out, or as sniffed."""
    if meta.transfer_syntax == DEFLATED:
        return DEFLATED, EXPLICIT
    declared = encoding_of(meta.transfer_syntax) if meta.transfer_syntax else None
    sniffed = sniffed_encoding(window, meta.end, declared)
    if declared is None:
        return (_name(sniffed) if sniffed else ""), sniffed
    if sniffed is not declared and sniffed is not None:
        raise Damage.unreadable(
            "FILE_NOT_UNDERSTOOD",
            f"transfer syntax {meta.transfer_syntax}, and the bytes are those of {_name(sniffed)}",
        )
    return meta.transfer_syntax, declared


def _name(encoding: Encoding) -> str:
    """Return the transfer syntax of native pixels in `encoding`."""
    return next(syntax for syntax, its in NATIVE.items() if its is encoding)


def _hold_to_syntax(seen: Walk, transfer_syntax: str) -> None:
    if seen.pixel_tag and is_encapsulated(transfer_syntax) != (seen.pixel_length < 0):
        packed = "encapsulated" if seen.pixel_length < 0 else "not encapsulated"
        raise Damage.unreadable(
            "FILE_NOT_UNDERSTOOD",
            f"{packed}, and the transfer syntax is {transfer_syntax}",
            tag=seen.pixel_tag,
        )


def _is_convincing(seen: Walk) -> bool:
    """Whether a data set without meta header is one beyond doubt: it names its class, itself and its kind."""
    return seen.values.get(TAG["SOPClassUID"], b"").startswith(b"1.2.840.10008.5.1.4.1.1.") and all(
        seen.values.get(TAG[keyword]) for keyword in ("SOPInstanceUID", "Modality", "SeriesInstanceUID")
    )


def _damaged(instance: Instance, meta: Meta, damage: Damage) -> Instance:
    """Return a damaged file with what is certain of it.

    Raises
    ------
    UnreadableInput
        When it may be a PET image, and the series that it belongs to is not known.
    LimitReached
        When it is or may be a PET image.
    """
    modality = instance.text(TAG["Modality"])
    storage_class = instance.text(TAG["SOPClassUID"]) or meta.storage_class
    finding = replace(damage.finding, path=instance.path)
    if modality == "PT" or storage_class in PET_CLASSES or not (modality or storage_class):
        if modality == "PT" and damage.error is UnreadableInput and instance.text(TAG["SeriesInstanceUID"]):
            return replace(instance, damage=finding)
        raise damage.error.because(finding) from damage
    flag = replace(finding, code="FILE_DAMAGED", found=finding.line())
    return replace(instance, findings=(*instance.findings, flag))
