"""One door for files of regions: what they are is read from their content, and all lands on the PET grid."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from petquant.dicom.belonging import PetFacts
from petquant.erosion import eroded
from petquant.errors import Finding, LimitReached, Refused, UnreadableInput
from petquant.flags import CODES, Severity
from petquant.grid import Grid
from petquant.label_names import read_names, read_sources
from petquant.nifti import read_label_map
from petquant.placement import place
from petquant.roi import Reading, Roi, RoiSet, Role, united
from petquant.totalsegmentator import class_numbers

__all__ = ["load_rois", "read_names"]

NIFTI_HEADS = tuple(size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big"))
SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
GZIP = b"\x1f\x8b"
NRRD = b"NRRD000"
SUFFIXES = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".seg.nhdr", ".nhdr")


def load_rois(
    path: Path | str,
    *,
    onto: Grid,
    pet: PetFacts | None = None,
    reading: Reading | None = None,
    names_path: Path | str | None = None,
    role: Role = Role.LESION,
    label: int | str | None = None,
    allow_empty: bool = False,
    is_united: bool = False,
    erode_mm: float = 0.0,
) -> RoiSet:
    """Return the regions of a file or folder on the PET grid.

    Parameters
    ----------
    path
        NIfTI or NRRD label map, 3D Slicer segmentation, DICOM SEG or RTSTRUCT; or a folder of such files, in
        which every mask is a region with the name of its file. The content decides, never the suffix.
    onto
        The PET grid.
    pet
        What a SEG or RTSTRUCT is held against; without it they need
        ``Reading(ignore_frame_of_reference=True)``.
    reading
        How a file is meant where it does not say so itself.
    names_path
        JSON ``{"1": "name"}`` or CSV with the columns label and name, for label maps; the side-car of a label
        map that ``petquant segment`` wrote also says how its regions came about.
    role
        Of all regions.
    label
        Keep the region with this id alone. What is no id may be a class of `petquant.totalsegmentator` by its
        name, or several joined by ``+``.
    allow_empty
        Whether a file without a region is an answer (no lesion) and not an error.
    is_united
        Whether all regions of a file together are one; they are joined on the grid on which they were drawn.
    erode_mm
        How far the boundary of every region is moved inwards, on the grid on which it was drawn.

    Returns
    -------
    The regions in the order of the file, without those that hold no voxel (finding ROI_EMPTY_SKIPPED).

    Raises
    ------
    Refused
        ROI_EMPTY; ROI_LABEL_MISSING; ROI_OUTSIDE_FOV.
    PetquantError
        As the reader of the format and `read_names`.
    """
    path = Path(path)
    reading = reading or Reading()
    pet = pet or PetFacts()
    names = read_names(names_path) if names_path is not None else None
    sources = read_sources(names_path) if names_path is not None else {}
    if path.is_dir():
        parts, said = _of_folder(path, onto=onto, pet=pet, reading=reading)
    else:
        only = None if label is None or not str(label).isdecimal() else str(label)
        parts, said = [_of_file(path, onto=onto, pet=pet, reading=reading, names=names, only=only)], ()
    if label is not None:
        parts = _only(parts, str(label), path)
    filled = [replace(part, rois=tuple(roi for roi in part.rois if len(roi.voxels))) for part in parts]
    n_empty = sum(len(part.rois) for part in parts) - sum(len(part.rois) for part in filled)
    if not any(part.rois for part in filled):
        if not allow_empty:
            raise Refused.of("ROI_EMPTY", "no voxel is labelled", remedy="--allow-empty", path=str(path))
        return RoiSet(grid=onto, rois=())
    if sources:
        filled = [replace(part, rois=tuple(_sourced(roi, sources) for roi in part.rois)) for part in filled]
    if n_empty:
        found = f"{n_empty} of {n_empty + sum(len(part.rois) for part in filled)} regions hold no voxel"
        said = (*said, Finding(code="ROI_EMPTY_SKIPPED", found=found, path=str(path)))
    if is_united:
        filled = [_united(part) for part in filled if part.rois]
    if erode_mm:
        filled = [_eroded(part, erode_mm, path) for part in filled if part.rois]
    try:
        placed = [place(part, onto=onto, other_grid=reading.other_grid) for part in filled]
    except Refused as refusal:
        raise Refused.because(*(replace(one, path=str(path)) for one in refusal.findings)) from refusal
    findings = dict.fromkeys(
        replace(finding, path=finding.path or str(path))
        for finding in (*said, *(finding for part in placed for finding in part.findings))
    )
    return RoiSet(
        grid=onto,
        rois=tuple(
            roi if roi.role is role else replace(roi, role=role) for part in placed for roi in part.rois
        ),
        findings=tuple(findings),
    )


def _of_file(
    path: Path,
    *,
    onto: Grid,
    pet: PetFacts,
    reading: Reading,
    names: Mapping[int, str] | None = None,
    only: str | None = None,
) -> RoiSet:
    """Return the regions of one file, on its own grid or on the PET's.

    Contours are drawn of the region `only` alone, so that the others may be points or lie anywhere.
    """
    head = _head(path)
    if head.startswith((*NIFTI_HEADS, GZIP)) and head[128:] != b"DICM":
        return read_label_map(path, names=names, reading=reading)
    if head.startswith(NRRD):
        from petquant.nrrd import read_nrrd  # noqa: PLC0415 - not needed for a NIfTI label map

        return read_nrrd(path, names=names, reading=reading)
    sop_class = _sop_class(path) if head else ""
    if not sop_class:
        return read_label_map(path, names=names, reading=reading)  # which says what it is instead
    return _of_dicom(path, sop_class, onto=onto, pet=pet, reading=reading, only=only)


def _of_dicom(
    path: Path, sop_class: str, *, onto: Grid, pet: PetFacts, reading: Reading, only: str | None = None
) -> RoiSet:
    """Return the regions of a SEG or RTSTRUCT.

    Raises
    ------
    UnreadableInput
        FORMAT_UNSUPPORTED, of any other object.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of irregular values; what matters of them is an error
        found = _read_dicom(path, sop_class, onto=onto, pet=pet, reading=reading, only=only)
    if found is None:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED",
            f"a DICOM object of SOP class {sop_class}",
            expected="a DICOM SEG or RTSTRUCT, NIfTI or NRRD",
            path=str(path),
        )
    return found


def _read_dicom(
    path: Path, sop_class: str, *, onto: Grid, pet: PetFacts, reading: Reading, only: str | None
) -> RoiSet | None:
    """Return the regions of a SEG or RTSTRUCT, None of any other object."""
    if sop_class == RTSTRUCT_CLASS:
        from petquant.dicom.rtstruct import read_rtstruct  # noqa: PLC0415 - a label map needs no polygons
        from petquant.polygons import Edge  # noqa: PLC0415

        return read_rtstruct(
            path,
            onto=onto,
            pet=pet,
            reading=reading,
            edge=None if reading.edge is None else Edge(reading.edge),
            fill_gaps=reading.fills_gaps,
            only=only,
        )
    if sop_class in SEG_CLASSES:
        from petquant.dicom.seg import read_seg  # noqa: PLC0415 - a label map needs no frames

        return read_seg(path, onto=onto, pet=pet, reading=reading)
    return None


def _of_folder(
    path: Path, *, onto: Grid, pet: PetFacts, reading: Reading
) -> tuple[list[RoiSet], tuple[Finding, ...]]:
    """Return the regions of every file of a folder that holds some; each mask is named by its file."""
    parts: list[RoiSet] = []
    n_strays = 0
    for file in sorted(entry for entry in path.iterdir() if entry.is_file()):
        head = _head(file)
        is_image = head.startswith((*NIFTI_HEADS, NRRD)) or (
            head.startswith(GZIP) and file.name.lower().endswith(".nii.gz")
        )
        if is_image and head[128:] != b"DICM":
            found = _of_file(file, onto=onto, pet=pet, reading=reading)
            parts.append(replace(found, rois=tuple(_named_by(file, found.rois))))
            continue
        sop_class = _sop_class(file) if head[128:] == b"DICM" else ""
        if sop_class in (*SEG_CLASSES, RTSTRUCT_CLASS):
            parts.append(_of_dicom(file, sop_class, onto=onto, pet=pet, reading=reading))
        else:
            n_strays += 1
    if not parts:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED",
            f"a folder without a file of regions among {n_strays} files",
            expected="masks in NIfTI or NRRD, a DICOM SEG or RTSTRUCT",
            path=str(path),
        )
    strays = Finding(code="STRAY_FILES", found=f"{n_strays} files that hold no regions", path=str(path))
    return parts, (strays,) if n_strays else ()


def _sourced(roi: Roi, sources: Mapping[int, str]) -> Roi:
    """Return a region of a label map with how it came about, where its side-car says so."""
    source = sources.get(int(roi.roi_id)) if roi.roi_id.isdecimal() else None
    return roi if source is None else replace(roi, source=f"{roi.source}: {source}")


def _named_by(file: Path, rois: Sequence[Roi]) -> list[Roi]:
    """Return the regions of a mask with the stem of its file as id and name; of several labels, with both."""
    suffix = next((suffix for suffix in SUFFIXES if file.name.lower().endswith(suffix)), "")
    stem = file.name[: len(file.name) - len(suffix)]
    if not rois:
        return [Roi(roi_id=stem, name=stem, voxels=np.empty(0, np.int64))]
    if len(rois) == 1:
        return [replace(rois[0], roi_id=stem, name=stem)]
    return [replace(roi, roi_id=f"{stem}:{roi.roi_id}", name=f"{stem} {roi.name}") for roi in rois]


def _head(path: Path) -> bytes:
    """Return the first bytes that tell a format; none when it cannot be opened, which its reader says."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(132)
    except OSError:
        return b""


def _sop_class(path: Path) -> str:
    """Return the SOP class of a DICOM file, "" of any other.

    Raises
    ------
    UnreadableInput, LimitReached
        When the file is DICOM and damaged.
    """
    from petquant.dicom.scan import scan_file  # noqa: PLC0415 - not needed for a NIfTI label map
    from petquant.dicom.tags import TAG  # noqa: PLC0415

    instance = scan_file(str(path))
    if instance is None:
        return ""
    for finding in instance.findings:
        if finding.code == "FILE_DAMAGED":
            code = finding.found.partition(":")[0]
            is_limit = code in CODES and CODES[code].severity is Severity.LIMIT
            kind = LimitReached if is_limit else UnreadableInput
            raise kind.of(code if code in CODES else "FILE_NOT_UNDERSTOOD", finding.found, path=str(path))
    return instance.text(TAG["SOPClassUID"])


def _only(parts: Sequence[RoiSet], label: str, path: Path) -> list[RoiSet]:
    """Return the region with one id, or those of the classes that a label names.

    Raises
    ------
    Refused
        ROI_LABEL_MISSING.
    """
    ids = {roi.roi_id for part in parts for roi in part.rois}
    wanted = {label} if label in ids else set(class_numbers(label)) | (set(label.split("+")) & ids)
    missing = sorted(one for one in label.split("+") if not {label, one, *class_numbers(one)} & ids)
    if missing:
        listed = [roi.roi_id for part in parts for roi in part.rois]
        there = ", ".join(listed[:20]) + (" ..." if len(listed) > 20 else "")
        raise Refused.of(
            "ROI_LABEL_MISSING",
            f"label {', '.join(missing)} does not occur",
            expected=f"one of {there}" if there else "",
            path=str(path),
        )
    chosen = [replace(part, rois=tuple(roi for roi in part.rois if roi.roi_id in wanted)) for part in parts]
    return [part for part in chosen if part.rois]


def _eroded(part: RoiSet, by_mm: float, path: Path) -> RoiSet:
    """Return the regions of a grid with their boundary moved inwards.

    Raises
    ------
    Refused
        ROI_EMPTY, when nothing of a region is left.
    """
    rois = tuple(eroded(roi, part.grid, by_mm=by_mm) for roi in part.rois)
    for roi in rois:
        if not len(roi.voxels):
            raise Refused.of(
                "ROI_EMPTY",
                f"nothing of region {roi.roi_id} is left after an erosion by {by_mm:g} mm",
                expected="at least one voxel",
                remedy="erode less",
                path=str(path),
            )
    return replace(part, rois=rois)


def _united(part: RoiSet) -> RoiSet:
    """Return all regions of a grid as one."""
    if len(part.rois) == 1:
        return part
    voxels, weights = united(part.rois)
    flags = tuple(dict.fromkeys(flag for roi in part.rois for flag in roi.flags))
    return replace(part, rois=(replace(part.rois[0], voxels=voxels, weights=weights, flags=flags),))
