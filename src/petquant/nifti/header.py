"""The header of NIfTI-1 and NIfTI-2: what the numbers are and where the grid lies.

Read here and not through nibabel, whose import costs more than a whole label map; nibabel is the judge of it
in the tests. Positions in the file are RAS mm, its first axis fastest: its flat voxel numbers are those of
an array [k, j, i] in C order.

Source: the NIfTI-1 and NIfTI-2 headers (nifti1.h, nifti2.h of the NIfTI Data Format Working Group).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petquant.errors import LimitReached, PetquantError, Refused, UnreadableInput
from petquant.grid import Grid
from petquant.nifti.stream import ByteStream

__all__ = ["LABELS", "MAX_VOXELS", "ImageKind", "NiftiHeader", "read_header"]

Float = NDArray[np.float64]

MAX_VOXELS = 2_000_000_000  # no scanner writes more; the bound stands before any allocation
MAX_EXTENSION_BYTES = 2**28  # header extensions of honest files hold a few MB
AFFINES_AGREE = 0.1  # of the smallest spacing, at every corner of the volume (roi.md section 1)

# field: (format, byte offset) in the two versions
FIELDS: Mapping[int, Mapping[str, tuple[str, int]]] = {
    348: {
        "dim": ("8h", 40),
        "datatype": ("h", 70),
        "pixdim": ("8f", 76),
        "vox_offset": ("f", 108),
        "scl_slope": ("f", 112),
        "scl_inter": ("f", 116),
        "xyzt_units": ("B", 123),
        "qform_code": ("h", 252),
        "sform_code": ("h", 254),
        "quatern": ("3f", 256),
        "qoffset": ("3f", 268),
        "srow": ("12f", 280),
        "magic": ("4s", 344),
    },
    540: {
        "magic": ("4s", 4),
        "datatype": ("h", 12),
        "dim": ("8q", 16),
        "pixdim": ("8d", 104),
        "vox_offset": ("q", 168),
        "scl_slope": ("d", 176),
        "scl_inter": ("d", 184),
        "qform_code": ("i", 344),
        "sform_code": ("i", 348),
        "quatern": ("3d", 352),
        "qoffset": ("3d", 376),
        "srow": ("12d", 400),
        "xyzt_units": ("i", 500),
    },
}
OTHER_LENGTHS = {1: "metres", 3: "micrometres"}  # of xyzt_units; else millimetres, or nothing is said
MAGIC = {348: b"n+1\x00", 540: b"n+2\x00"}
DATATYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageKind:
    """What an image is read as, and so what its faults are called.

    Attributes
    ----------
    words
        As messages call it.
    scaling, no_affine, affines_apart
        Codes of an infinite scaling, of a file that does not say where it lies, and of one that says two
        things.
    scaling_error
        What an infinite scaling is.
    """

    words: str
    scaling: str
    scaling_error: type[PetquantError]
    no_affine: str
    affines_apart: str


LABELS = ImageKind(
    words="a label map",
    scaling="ROI_LABELS_INVALID",
    scaling_error=UnreadableInput,
    no_affine="ROI_AFFINE_MISSING",
    affines_apart="ROI_AFFINES_DISAGREE",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NiftiHeader:
    """What is needed to read the numbers of a file.

    Attributes
    ----------
    grid
        In LPS, [k, j, i].
    dtype
        Of the stored numbers, with their byte order.
    slope, intercept
        ``slope * stored + intercept``.
    gap_bytes
        Bytes between header and numbers.
    n_frames
        More than 1 for an image with more than three axes.
    """

    grid: Grid
    dtype: np.dtype[Any]
    slope: float
    intercept: float
    gap_bytes: int
    n_frames: int = 1

    @property
    def is_scaled(self) -> bool:
        """Whether the stored numbers are not the values."""
        return (self.slope, self.intercept) != (1.0, 0.0)

    @property
    def frame_bytes(self) -> int:
        """Bytes of the numbers of one frame."""
        return self.grid.size * self.dtype.itemsize


def read_header(stream: ByteStream, *, max_voxels: int = MAX_VOXELS, kind: ImageKind = LABELS) -> NiftiHeader:
    """Return the header that stands at the front of `stream`, and leave the stream behind it.

    Parameters
    ----------
    max_voxels
        Bound of all frames together.
    kind
        What the image is read as; decides the codes of its faults.

    Raises
    ------
    UnreadableInput
        FORMAT_UNSUPPORTED, FILE_NOT_UNDERSTOOD, FILE_TRUNCATED.
    PetquantError
        The codes of `kind`.
    LimitReached
        SIZE_LIMIT, before anything is allocated.
    """
    path = stream.path
    raw = stream.take(4)
    sizes = {order: struct.unpack(f"{order}i", raw)[0] for order in "<>"}
    order = next((order for order, size in sizes.items() if size in FIELDS), None)
    if order is None:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED",
            "not a NIfTI file",
            expected=f"{kind.words} in .nii or .nii.gz",
            path=str(path),
        )
    size = sizes[order]
    raw += stream.take(size - 4)
    fields = {name: struct.unpack_from(order + code, raw, at) for name, (code, at) in FIELDS[size].items()}
    if fields["magic"][0] != MAGIC[size]:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED",
            f"magic {fields['magic'][0]!r}: a header without its numbers",
            expected="a NIfTI file in one piece",
            path=str(path),
        )
    if fields["datatype"][0] not in DATATYPES:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED", f"datatype {fields['datatype'][0]}", expected="real numbers", path=str(path)
        )
    lengths = OTHER_LENGTHS.get(fields["xyzt_units"][0] & 7)
    if lengths is not None:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED",
            f"xyzt_units {fields['xyzt_units'][0]}: lengths in {lengths}",
            expected="lengths in millimetres",
            remedy="write it again with lengths, and xyzt_units, in millimetres",
            path=str(path),
        )
    shape, frames = _shape(fields["dim"], path, max_voxels)
    dtype = np.dtype(order + DATATYPES[fields["datatype"][0]])
    slope, intercept = _scaling(fields["scl_slope"][0], fields["scl_inter"][0], path, kind)
    return NiftiHeader(
        grid=Grid(shape=shape, affine=_affine(fields, shape, path, kind)),
        dtype=dtype,
        slope=slope,
        intercept=intercept,
        gap_bytes=_gap_bytes(fields["vox_offset"][0], size, path),
        n_frames=frames,
    )


def _not_understood(found: str, path: Path) -> Exception:
    return UnreadableInput.of("FILE_NOT_UNDERSTOOD", found, path=str(path))


def _shape(dim: tuple[int, ...], path: Path, max_voxels: int) -> tuple[tuple[int, int, int], int]:
    """Return nk, nj, ni and the number of frames."""
    axes = dim[0]
    if not 1 <= axes <= 7 or any(n < 1 for n in dim[1 : axes + 1]):
        raise _not_understood(f"dim {dim}", path)
    ni, nj, nk = (dim[at] if at <= axes else 1 for at in (1, 2, 3))
    frames = 1
    for n in dim[4 : axes + 1]:
        frames *= n
    if ni * nj * nk * frames > max_voxels:
        raise LimitReached.of(
            "SIZE_LIMIT",
            f"{ni} x {nj} x {nk} x {frames} voxels",
            expected=f"at most {max_voxels}",
            path=str(path),
        )
    return (nk, nj, ni), frames


def _scaling(slope: float, intercept: float, path: Path, kind: ImageKind) -> tuple[float, float]:
    """Return the scaling; a slope of 0 or NaN means none (nifti1.h, and what nibabel writes)."""
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        raise kind.scaling_error.of(
            kind.scaling,
            f"scl_slope {slope}, scl_inter {intercept}",
            expected="finite numbers",
            path=str(path),
        )
    return float(slope), float(intercept)


def _gap_bytes(vox_offset: float, size: int, path: Path) -> int:
    if not (np.isfinite(vox_offset) and vox_offset >= size and vox_offset == int(vox_offset)):
        raise _not_understood(f"vox_offset {vox_offset}", path)
    gap = int(vox_offset) - size
    if gap > MAX_EXTENSION_BYTES:
        raise LimitReached.of(
            "SIZE_LIMIT",
            f"{gap} bytes before the numbers",
            expected=f"at most {MAX_EXTENSION_BYTES}",
            path=str(path),
        )
    return gap


def _affine(
    fields: Mapping[str, tuple[Any, ...]], shape: tuple[int, int, int], path: Path, kind: ImageKind
) -> Float:
    """Return the affine [k, j, i] -> LPS mm; of the sform when both are set."""
    forms = {}
    if fields["sform_code"][0] > 0:
        forms["sform"] = np.vstack([np.array(fields["srow"], np.float64).reshape(3, 4), [0, 0, 0, 1]])
    if fields["qform_code"][0] > 0:
        if min(fields["pixdim"][1:4]) < 0:
            raise _not_understood(f"qform with voxel sizes {fields['pixdim'][1:4]}, one below 0", path)
        forms["qform"] = _quaternion_affine(fields["quatern"], fields["qoffset"], fields["pixdim"])
    if not forms:
        raise Refused.of(
            kind.no_affine,
            "neither sform nor qform is set",
            remedy=f"set one of them to the affine that {kind.words} lies by",
            path=str(path),
        )
    grids = {name: Grid(shape=shape, affine=_lps(form)) for name, form in forms.items()}
    for name, form in forms.items():
        if not np.isfinite(form).all() or abs(np.linalg.det(form[:3, :3])) < 1e-9:
            raise _not_understood(f"{name} {_words(form)}", path)
    if len(grids) == 2:
        sform, qform = grids["sform"], grids["qform"]
        apart_mm = float(np.linalg.norm(sform.corners_mm() - qform.corners_mm(), axis=1).max())
        if apart_mm > AFFINES_AGREE * min(sform.spacing_mm):
            raise Refused.of(
                kind.affines_apart,
                f"a corner of the volume lies {apart_mm:.4g} mm apart by sform {_words(forms['sform'])} "
                f"and by qform {_words(forms['qform'])}",
                remedy="make them agree",
                path=str(path),
            )
    return next(iter(grids.values())).affine


def _quaternion_affine(
    quaternion: tuple[float, ...], offset: tuple[float, ...], pixdim: tuple[float, ...]
) -> Float:
    """Return the RAS affine of a qform (nifti1.h, method 2)."""
    b, c, d = quaternion
    a_squared = 1.0 - (b * b + c * c + d * d)
    if a_squared < 1e-7:  # a half turn, written with rounding
        b, c, d = np.array(quaternion) / np.sqrt(b * b + c * c + d * d)
        a_squared = 0.0
    a = float(np.sqrt(a_squared))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * [pixdim[1], pixdim[2], pixdim[3] * (-1.0 if pixdim[0] < 0 else 1.0)]
    affine[:3, 3] = offset
    return affine


def _lps(ras: Float) -> Float:
    """Return the affine [k, j, i] -> LPS of an affine (i, j, k) -> RAS."""
    turned = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ras
    return np.asarray(turned[:, [2, 1, 0, 3]])


def _words(affine: Float) -> str:
    return "[" + "; ".join(" ".join(f"{value:.6g}" for value in row) for row in affine[:3]) + "]"
