"""A pixel format is how one stored number is written: its bits, its sign, its order of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.scan import Instance
from petquant.dicom.tags import PIXEL_TAGS, TAG, tag_words
from petquant.dicom.transfer_syntax import BIG, is_encapsulated
from petquant.errors import PetquantError, UnreadableInput

__all__ = ["PixelFormat", "contradicts_sign", "pixel_format_of"]

_FLOATS: Final = {0x7FE00008: "<f4", 0x7FE00009: "<f8"}
_NEAR: Final = 5_536  # of 0 or of 65535: stored numbers that a wrong sign sends across


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFormat:
    """One number of a native pixel value.

    Parameters
    ----------
    dtype
        Little endian.
    bits_stored
        Low bits that hold the number; the others may hold overlays.
    """

    dtype: np.dtype[np.generic]
    bits_stored: int

    @property
    def bits_allocated(self) -> int:
        """Bits that a number takes."""
        return self.dtype.itemsize * 8

    def require(self, instance: Instance, n_bytes: int) -> None:
        """Compare the declared length of native pixels with what the matrix needs.

        Raises
        ------
        UnreadableInput
            When it is shorter, or longer than one byte of padding explains.
        """
        if instance.text(TAG["NumberOfFrames"]) not in {"", "1"}:
            raise _unsupported(
                instance, "NumberOfFrames", instance.text(TAG["NumberOfFrames"]), "one image a file"
            )
        if is_encapsulated(instance.transfer_syntax):
            return
        declared = instance.pixel_length
        if declared < n_bytes:
            raise UnreadableInput.of(
                "FILE_TRUNCATED",
                f"{PIXEL_TAGS[instance.pixel_tag]} {tag_words(instance.pixel_tag)} has {declared} bytes",
                path=instance.path,
                expected=f"{n_bytes} bytes, as rows, columns and bits need",
                remedy="export the file again",
            )
        if declared > n_bytes + (n_bytes & 1):
            raise UnreadableInput.of(
                "FILE_NOT_UNDERSTOOD",
                f"{PIXEL_TAGS[instance.pixel_tag]} {tag_words(instance.pixel_tag)} has {declared} bytes",
                path=instance.path,
                expected=f"{n_bytes} bytes, as rows, columns and bits need",
                remedy="export the file again",
            )

    def bring_to_order(self, pixels: NDArray[np.generic], transfer_syntax: str) -> None:
        """Turn big endian numbers round, in place."""
        if transfer_syntax == BIG and self.dtype.itemsize > 1:
            pixels.byteswap(inplace=True)

    def bring_to_range(self, pixels: NDArray[np.generic]) -> None:
        """Take away what lies above the stored bits and carry the sign up, in place."""
        unused = self.bits_allocated - self.bits_stored
        if unused and self.dtype.kind != "f":
            np.left_shift(pixels, unused, out=pixels)
            np.right_shift(pixels, unused, out=pixels)


def pixel_format_of(instances: Sequence[Instance]) -> PixelFormat:
    """Return the format that all slices share.

    Raises
    ------
    UnreadableInput
        When a slice has no pixels, or they are not read for certain.
    """
    forms = {}
    for instance in instances:
        key = (instance.pixel_tag, instance.transfer_syntax == BIG, *_key(instance))
        if key not in forms:
            forms[key] = _format(instance)
    if len(set(forms.values())) != 1:
        raise _unsupported(
            instances[0], "PixelRepresentation", "not the same in all slices", "one pixel format"
        )
    return next(iter(forms.values()))


_KEYWORDS: Final = (
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PhotometricInterpretation",
)


def _key(instance: Instance) -> tuple[bytes, ...]:
    return tuple(instance.values.get(TAG[keyword], b"") for keyword in _KEYWORDS)


def _format(instance: Instance) -> PixelFormat:
    if not instance.pixel_tag:
        raise UnreadableInput.of("PIXELS_UNSUPPORTED", "no pixels", path=instance.path, expected="PixelData")
    samples = instance.integer(TAG["SamplesPerPixel"])
    if samples not in {None, 1}:
        raise _unsupported(instance, "SamplesPerPixel", str(samples), "1")
    photometric = instance.text(TAG["PhotometricInterpretation"])
    if photometric not in {"", "MONOCHROME1", "MONOCHROME2"}:
        raise _unsupported(instance, "PhotometricInterpretation", photometric, "MONOCHROME2")
    if instance.pixel_tag in _FLOATS:
        dtype = np.dtype(_FLOATS[instance.pixel_tag])
        return PixelFormat(dtype=dtype, bits_stored=dtype.itemsize * 8)
    allocated = instance.integer(TAG["BitsAllocated"])
    if allocated not in {8, 16, 32}:
        raise _unsupported(instance, "BitsAllocated", str(allocated), "8, 16 or 32")
    if allocated == 8 and instance.transfer_syntax == BIG:
        raise _unsupported(instance, "BitsAllocated", "8 in big endian words", "16")
    representation = instance.integer(TAG["PixelRepresentation"])
    if representation not in {0, 1}:
        raise _unsupported(instance, "PixelRepresentation", str(representation), "0 or 1")
    stored = instance.integer(TAG["BitsStored"])
    if stored is None or not 1 <= stored <= allocated:
        raise _unsupported(instance, "BitsStored", str(stored), f"1 to {allocated}")
    high = instance.integer(TAG["HighBit"])
    if high != stored - 1:
        raise _unsupported(instance, "HighBit", str(high), f"{stored - 1}, one less than BitsStored")
    kind = "i" if representation else "u"
    return PixelFormat(dtype=np.dtype(f"<{kind}{allocated // 8}"), bits_stored=stored)


def contradicts_sign(pixels: NDArray[np.generic], *, smallest: float, largest: float) -> bool:
    """Whether unsigned 16-bit pixels were signed ones: small negative noise turned into huge numbers.

    Noise about zero that lost its sign lies next to zero pixel by pixel, so that at least every fourth huge
    number has a neighbour near zero; the inside of a bright object does not.
    """
    if pixels.dtype != np.dtype("<u2") or largest < 65_535 - _NEAR or smallest > _NEAR:
        return False
    is_huge = pixels > 65_535 - _NEAR  # type: ignore[operator]
    is_small = pixels < _NEAR  # type: ignore[operator]
    jumps = 0
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        jumps += int(np.count_nonzero(is_huge[one] & is_small[other]))
        jumps += int(np.count_nonzero(is_small[one] & is_huge[other]))
    return bool(jumps >= 4 and 4 * jumps >= np.count_nonzero(is_huge))


def _unsupported(instance: Instance, keyword: str, found: str, expected: str) -> PetquantError:
    return UnreadableInput.of(
        "PIXELS_UNSUPPORTED",
        f"{keyword} {tag_words(TAG[keyword])} is {found}",
        path=instance.path,
        expected=expected,
        remedy="export again uncompressed",
        keyword=keyword,
        tag=tag_words(TAG[keyword]),
    )
