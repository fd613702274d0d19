"""Assembly: from a stack of slices to a volume of stored numbers, each slice with its own slope.

Native pixels are read into place; slices that nobody asked for pass through one buffer for their totals, so
that their place in the volume costs no memory.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.consistency import file_words
from petquant.dicom.elements import Damage, Window
from petquant.dicom.inflation import inflated
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.meta import read_meta
from petquant.dicom.packed import unpacked
from petquant.dicom.pixel_format import PixelFormat, contradicts_sign, pixel_format_of
from petquant.dicom.positioned import open_to_read, pread, pread_into, unreadable
from petquant.dicom.scan import Instance
from petquant.dicom.stack import Stack
from petquant.dicom.tags import tag_words
from petquant.dicom.transfer_syntax import DEFLATED, is_encapsulated
from petquant.errors import Finding, Refused, UnreadableInput
from petquant.volume import PlaneWindow, SliceTotals, Unit, Volume, cut_of, worth_cutting

__all__ = ["read_volume", "verify_unchanged"]

_ROWS_OF_INT32: Final = 2**15  # 65535 times as many rows is less than 2**31


def read_volume(
    stack: Stack,
    *,
    keep: NDArray[np.bool_] | None = None,
    window: PlaneWindow | None = None,
    unit: Unit,
    limits: Limits = DEFAULT_LIMITS,
) -> Volume:
    """Return the volume of a stack.

    Parameters
    ----------
    stack
        With a grid; refusals among its findings are the caller's business.
    keep
        (nk,) bool: slices whose values will be asked for; all when None. Totals are taken over every slice.
    window
        Rows and columns whose values will be asked for; all when None.
    unit
        Of ``slope * stored + intercept``.

    Raises
    ------
    UnreadableInput
        When a file is truncated, or its pixels are in a form that is not read for certain.
    Refused
        When a file is not the one that was scanned, unsigned pixels jump like signed ones, or a stored number
        lies outside the range that its slope holds for.
    """
    if stack.grid is None:
        raise ValueError("a stack without a grid has no volume")
    form = pixel_format_of(stack.instances)
    nk, nj, ni = stack.grid.shape
    is_loaded = np.ones(nk, np.bool_) if keep is None else np.asarray(keep, np.bool_)
    window = worth_cutting(window, (nj, ni))
    spare = np.empty((nj, ni), form.dtype)
    part = cut_of(window)
    stored = np.empty((nk, *spare[part].shape), form.dtype)
    totals = np.empty((3, nk), np.float64)
    suspects = []
    inflated_file = _InflatedFile(limits)
    for k, instance in enumerate(stack.instances):
        pixels = stored[k] if is_loaded[k] and window is None else spare
        _read_slice(instance, form, pixels, inflated_file)
        if is_loaded[k] and window is not None:
            stored[k] = spare[part]
        totals[:, k] = _total(pixels), pixels.min(), pixels.max()
        if contradicts_sign(pixels, smallest=totals[1, k], largest=totals[2, k]):
            suspects.append(instance)
    if suspects:
        raise Refused.because(_sign_finding(suspects))
    _require_mapped(stack.instances, totals[1], totals[2])
    return Volume(
        grid=stack.grid,
        unit=unit,
        stored=stored,
        slope=stack.slope,
        intercept=stack.intercept,
        totals=SliceTotals(total=totals[0], smallest=totals[1], largest=totals[2]),
        is_loaded=is_loaded,
        window=window,
    )


def verify_unchanged(instances: Sequence[Instance]) -> None:
    """Compare size and time of change of every file with what the scan saw.

    Raises
    ------
    Refused
        When a file was changed or removed during the run.
    """
    changed = []
    for instance in {instance.path: instance for instance in instances}.values():
        try:
            status = os.stat(instance.path)  # noqa: PTH116 - thousands of files
        except OSError as error:
            changed.append(_changed(instance, error.strerror or "gone"))
            continue
        if (status.st_size, status.st_mtime_ns) != (instance.size, instance.mtime_ns):
            changed.append(_changed(instance, "another size or time of change than when it was scanned"))
    if changed:
        raise Refused.because(*changed[:20])


def _read_slice(
    instance: Instance, form: PixelFormat, pixels: NDArray[np.generic], inflated_file: _InflatedFile
) -> None:
    """Fill `pixels` (nj, ni) with the stored numbers of one file, or of one frame of it."""
    form.require(instance, pixels.nbytes)
    if is_encapsulated(instance.transfer_syntax):
        pixels[...] = unpacked(instance, pixels.shape, form)
        form.bring_to_range(pixels)
        return
    try:
        descriptor = open_to_read(instance.path)
        try:
            status = os.fstat(descriptor)
            if (status.st_size, status.st_mtime_ns) != (instance.size, instance.mtime_ns):
                raise Refused.because(_changed(instance, "changed since it was scanned"))
            raw = memoryview(pixels).cast("B")  # type: ignore[arg-type]
            if instance.transfer_syntax == DEFLATED:
                raw[:] = inflated_file.pixels(descriptor, instance, len(raw))
            elif pread_into(descriptor, raw, instance.pixel_offset) != len(raw):
                raise UnreadableInput.of(
                    "FILE_TRUNCATED",
                    "the file ends within its pixels",
                    path=instance.path,
                    expected=f"{len(raw)} bytes from {instance.pixel_offset}",
                )
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(instance.path, error) from error
    form.bring_to_order(pixels, instance.transfer_syntax)
    form.bring_to_range(pixels)


class _InflatedFile:
    """The file that was inflated last; the frames of one are asked for one after the other."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._path = ""
        self._content = b""

    def pixels(self, descriptor: int, instance: Instance, n: int) -> bytes:
        """Return n bytes of pixels.

        Raises
        ------
        UnreadableInput, LimitReached
            When the stream is broken, or inflates beyond the limits.
        """
        if instance.path != self._path:
            self._content = self._inflated(descriptor, instance)
            self._path = instance.path
        return self._content[instance.pixel_offset : instance.pixel_offset + n]

    def _inflated(self, descriptor: int, instance: Instance) -> bytes:
        first = pread(descriptor, 8_192, 0)
        window = Window(instance.size, first, lambda offset, length: pread(descriptor, length, offset))
        try:
            return inflated(window, read_meta(window).end, self._limits)
        except Damage as damage:
            raise damage.error.of(damage.finding.code, damage.finding.found, path=instance.path) from damage


def _require_mapped(
    instances: Sequence[Instance], smallest: NDArray[np.float64], largest: NDArray[np.float64]
) -> None:
    """Raise when a stored number lies outside the range that the mapping of its frame holds for."""
    mapped = np.array([instance.mapped for instance in instances])
    outside = np.flatnonzero((smallest < mapped[:, 0]) | (largest > mapped[:, 1]))
    if not outside.size:
        return
    k = int(outside[0])
    first, last = mapped[k]
    raise Refused.of(
        "STORED_VALUE_UNMAPPED",
        f"stored numbers from {smallest[k]:g} to {largest[k]:g} in {file_words(instances[k])}, and in "
        f"{outside.size} frames in all",
        expected=f"numbers from {first:g} to {last:g}, for which the real world value mapping holds",
        remedy="export again",
        keyword="RealWorldValueMappingSequence",
        tag="(0040,9096)",
    )


def _total(pixels: NDArray[np.generic]) -> float:
    """Return the sum of all numbers: exact for whole ones, whose sum stays below 2**53."""
    if pixels.dtype.kind == "f":
        return float(pixels.sum(dtype=np.float64))
    if pixels.dtype.itemsize <= 2 and pixels.shape[0] < _ROWS_OF_INT32:
        # column sums in 32 bits take half the time of a sum in 64
        return float(pixels.sum(axis=0, dtype=np.int32).sum(dtype=np.int64))
    return float(pixels.sum(dtype=np.int64))


def _changed(instance: Instance, found: str) -> Finding:
    return Finding(
        code="INPUT_CHANGED",
        found=found,
        expected="files that nobody writes to during the run",
        remedy="run again when nothing writes to it",
        path=instance.path,
    )


def _sign_finding(suspects: list[Instance]) -> Finding:
    return Finding(
        code="PIXELS_CONTRADICT_SIGN",
        found=f"PixelRepresentation (0028,0103) is unsigned, and neighbours jump between near 0 and near "
        f"65535 in {len(suspects)} slices, the first {suspects[0].path}",
        expected="signed pixels",
        remedy="export again",
        keyword="PixelRepresentation",
        tag=tag_words(0x00280103),
    )
