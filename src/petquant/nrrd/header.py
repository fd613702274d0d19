"""The header of NRRD: lines of fields and keys, where the numbers are, and where the grid lies.

Axes of the file come fastest first; the three that have a direction are i, j, k, the one without (a list of
layers or frames) may stand anywhere. Source: definition of the NRRD file format (teem, NRRD0001 to NRRD0005).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from petquant.errors import LimitReached, PetquantError, Refused, UnreadableInput
from petquant.grid import Grid
from petquant.nifti.stream import ByteStream, open_stream

__all__ = ["MAX_VOXELS", "NrrdHeader", "data_file_of", "read_header"]

Float = NDArray[np.float64]

MAX_VOXELS: Final = 2_000_000_000  # no scanner writes more; the bound stands before any allocation
MAX_LINES: Final = 100_000  # Slicer writes about ten a segment
MAX_LINE_BYTES: Final = 2**20

TYPES: Final = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
# sign of each axis of a space in LPS
SPACES: Final = {
    "left-posterior-superior": (1.0, 1.0, 1.0),
    "right-anterior-superior": (-1.0, -1.0, 1.0),
    "left-anterior-superior": (1.0, -1.0, 1.0),
    "lps": (1.0, 1.0, 1.0),
    "ras": (-1.0, -1.0, 1.0),
    "las": (1.0, -1.0, 1.0),
}
RAW: Final = ("raw",)
GZIP: Final = ("gzip", "gz")
_VECTOR: Final = re.compile(r"\(([^()]*)\)|none", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NrrdHeader:
    """What is needed to read the numbers of a file.

    Attributes
    ----------
    grid
        In LPS, [k, j, i].
    dtype
        Of the stored numbers, with their byte order.
    before, layers, after
        The list axis: how many numbers lie side by side before it runs on (1 when it is the fastest axis),
        how long it is (1 when there is none), and how often it is run through. Their product is the number
        of numbers.
    is_gzipped
        Whether the numbers are.
    line_skip, byte_skip
        What stands before the numbers; a `byte_skip` of -1 means that they end the file.
    data_file
        Where they are, when not behind the header.
    keys
        The ``key:=value`` pairs.
    """

    grid: Grid
    dtype: np.dtype[Any]
    before: int
    layers: int
    after: int
    is_gzipped: bool
    line_skip: int
    byte_skip: int
    data_file: Path | None
    keys: Mapping[str, str]


def read_header(stream: ByteStream, *, max_voxels: int = MAX_VOXELS) -> NrrdHeader:
    """Return the header that stands at the front of `stream`, and leave the stream behind it.

    Raises
    ------
    UnreadableInput
        FORMAT_UNSUPPORTED, COMPRESSION_UNSUPPORTED, FILE_NOT_UNDERSTOOD, FILE_TRUNCATED.
    Refused
        ROI_AFFINE_MISSING, ROI_NOT_3D.
    LimitReached
        SIZE_LIMIT, before anything is allocated.
    """
    path = stream.path
    fields, keys = _lines(stream)
    try:
        sizes = [int(part) for part in fields.get("sizes", "").split()]
        skips = int(fields.get("line skip", "0")), int(fields.get("byte skip", "0"))
        is_sound = len(sizes) == int(fields.get("dimension", "-1")) and min(sizes) >= 1
    except ValueError:
        is_sound = False
    if not is_sound:
        raise not_understood(f"sizes {fields.get('sizes')!r}, dimension {fields.get('dimension')!r}", path)
    if math.prod(sizes) > max_voxels:
        raise LimitReached.of(
            "SIZE_LIMIT",
            " x ".join(map(str, sizes)) + " voxels",
            expected=f"at most {max_voxels}",
            path=str(path),
        )
    if skips[0] < 0 or skips[1] < -1:
        raise not_understood(f"line skip {skips[0]}, byte skip {skips[1]}", path)
    encoding = fields.get("encoding", "").lower()
    if encoding not in (*RAW, *GZIP):
        raise UnreadableInput.of(
            "COMPRESSION_UNSUPPORTED",
            f"encoding {encoding or 'absent'}",
            expected="raw or gzip",
            remedy="write it raw",
            path=str(path),
        )
    spatial, listed = _axes(fields, sizes, path)
    return NrrdHeader(
        grid=_grid(fields, [sizes[axis] for axis in spatial], spatial, path),
        dtype=_dtype(fields, path),
        before=1 if listed is None else math.prod(sizes[:listed]),
        layers=1 if listed is None else sizes[listed],
        after=math.prod(sizes) if listed is None else math.prod(sizes[listed + 1 :]),
        is_gzipped=encoding in GZIP,
        line_skip=skips[0],
        byte_skip=skips[1],
        data_file=_data_file(fields, path),
        keys=keys,
    )


def data_file_of(path: Path) -> Path | None:
    """Return the file with the numbers of a header that stands alone; None for a file of any other kind."""
    if not path.name.lower().endswith((".nrrd", ".nhdr")):
        return None
    try:
        with open_stream(path, reads_nrrd=True) as stream:
            return _data_file(_lines(stream)[0], path)
    except (OSError, PetquantError):  # it is reading that says what is wrong with it
        return None


def not_understood(found: str, path: Path) -> PetquantError:
    """Return the error of a header that says what it cannot mean."""
    return UnreadableInput.of(
        "FILE_NOT_UNDERSTOOD", f"NRRD header: {found}", remedy="write the file again", path=str(path)
    )


def _lines(stream: ByteStream) -> tuple[dict[str, str], dict[str, str]]:
    """Return fields (names in lower case) and keys, up to the empty line or the end."""
    if not re.fullmatch(rb"NRRD000[1-5]", stream.line(MAX_LINE_BYTES) or b""):
        raise not_understood("not NRRD0001 to NRRD0005", stream.path)
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for _ in range(MAX_LINES):
        raw = stream.line(MAX_LINE_BYTES)
        if not raw:
            return fields, keys
        line = raw.decode("utf-8", "replace")
        if line.startswith("#"):
            continue
        of_key, of_field = line.find(":="), line.find(": ")
        if of_key >= 0 and (of_field < 0 or of_key < of_field):
            keys[line[:of_key]] = line[of_key + 2 :]
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or name in fields:
            raise not_understood(f"line {line[:80]!r}", stream.path)
        fields[name] = value.strip()
    raise LimitReached.of(
        "SIZE_LIMIT", f"more than {MAX_LINES} lines of header", expected="fewer", path=str(stream.path)
    )


def _axes(fields: Mapping[str, str], sizes: Sequence[int], path: Path) -> tuple[list[int], int | None]:
    """Return the three axes in space, fastest first, and the one that is a list, if there is one."""
    directions = _vectors(fields.get("space directions", ""), path)
    if "space" not in fields or len(directions) != len(sizes) or not fields.get("space origin"):
        raise Refused.of(
            "ROI_AFFINE_MISSING",
            "an NRRD file without space, space directions or space origin",
            remedy="write it with the geometry of the image that was labelled",
            path=str(path),
        )
    spatial = [axis for axis, vector in enumerate(directions) if vector is not None]
    others = [axis for axis, vector in enumerate(directions) if vector is None]
    if len(spatial) != 3 or len(others) > 1:
        raise Refused.of(
            "ROI_NOT_3D",
            f"{len(spatial)} axes in space and {len(others)} others",
            expected="three, and at most one list of frames or layers",
            path=str(path),
        )
    return spatial, others[0] if others else None


def _grid(fields: Mapping[str, str], shape: Sequence[int], spatial: Sequence[int], path: Path) -> Grid:
    """Return the grid in LPS.

    Raises
    ------
    UnreadableInput
        FILE_NOT_UNDERSTOOD: another space or unit, or directions that span no volume.
    """
    name = fields["space"].strip('"').lower().removesuffix("-time")
    signs = SPACES.get(name[:3] if len(name) == 4 and name.endswith("t") else name)
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", ""))) - {"mm", ""}
    if signs is None or units:
        raise not_understood(f"space {fields['space']!r}, units {', '.join(sorted(units)) or 'mm'}", path)
    directions = _vectors(fields["space directions"], path)
    (origin,) = _vectors(fields["space origin"], path)[:1] or [None]
    columns = [directions[axis] for axis in reversed(spatial)]
    affine = np.eye(4)
    if origin is None or len(origin) < 3 or any(vector is None or len(vector) < 3 for vector in columns):
        raise not_understood(f"space origin {fields['space origin']!r}", path)
    affine[:3, 3] = origin[:3]
    for axis, vector in enumerate(columns):
        affine[:3, axis] = vector[:3] if vector is not None else 0.0
    affine[:3] *= np.array(signs)[:, None]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise not_understood(f"space directions {fields['space directions']!r}", path)
    ni, nj, nk = shape
    return Grid(shape=(nk, nj, ni), affine=affine)


def _vectors(text: str, path: Path) -> list[tuple[float, ...] | None]:
    """Return ``(x,y,z)`` as numbers and ``none`` as None."""
    try:
        return [
            None if match[0].lower() == "none" else _numbers(match[1]) for match in _VECTOR.finditer(text)
        ]
    except ValueError as error:
        raise not_understood(f"vectors {text!r}", path) from error


def _numbers(text: str) -> tuple[float, ...] | None:
    numbers = tuple(float(part) for part in text.split(","))
    return None if all(math.isnan(number) for number in numbers) else numbers


def _dtype(fields: Mapping[str, str], path: Path) -> np.dtype[Any]:
    name = fields.get("type", "").lower()
    code = next((code for code, names in TYPES.items() if name in names), None)
    if code is None:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED", f"type {name or 'absent'}", expected="real numbers", path=str(path)
        )
    endian = fields.get("endian", "little" if code.endswith("1") else "").lower()
    if endian not in {"little", "big"}:
        raise not_understood(f"endian {endian or 'absent'}", path)
    return np.dtype(("<" if endian == "little" else ">") + code)


def _data_file(fields: Mapping[str, str], path: Path) -> Path | None:
    """Return the file of the numbers, which must lie beside the header or below.

    Raises
    ------
    UnreadableInput
        FORMAT_UNSUPPORTED: numbers in many files, or elsewhere.
    """
    name = fields.get("data file", fields.get("datafile"))
    if name is None:
        return None
    place = Path(name)
    if name.upper().startswith("LIST") or "%" in name or place.is_absolute() or ".." in place.parts:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED",
            "numbers in several files, or in another folder",
            expected="one data file beside the header",
            path=str(path),
        )
    return path.parent / place
