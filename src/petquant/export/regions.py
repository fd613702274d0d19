"""Regions become a file: a label map, a map of occupancy or DICOM SEG, with a side-car of what made them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from petquant.delineation import METHODS
from petquant.errors import Finding, Refused, UnreadableInput, UsageError
from petquant.export.record import as_json
from petquant.export.segmentation import segmentation_record
from petquant.grid import Grid
from petquant.nifti import label_map_writer, volume_writer
from petquant.output import Content, write_all
from petquant.roi import Roi
from petquant.segmentation import Segmentation, SegmentedRegion
from petquant.study.dicom import DicomStudy

__all__ = ["require_even", "sidecar_of", "write_segmentation"]

SUFFIXES = (".nii", ".nii.gz", ".dcm")


def sidecar_of(out: str | os.PathLike[str]) -> Path:
    """Return the path of the side-car that goes with an output.

    Raises
    ------
    UsageError
        OPTION_INVALID, of a suffix that `write_segmentation` does not write.
    """
    path = Path(out)
    return path.with_name(f"{path.name.removesuffix(_suffix(path))}.json")


def _suffix(out: Path) -> str:
    suffix = next((suffix for suffix in SUFFIXES if out.name.endswith(suffix)), None)
    if suffix is None:
        raise UsageError.of(
            "OPTION_INVALID", f"--out {out}", expected=f"a name that ends in {', '.join(SUFFIXES)}"
        )
    return suffix


def write_segmentation(
    segmentation: Segmentation, out: str | os.PathLike[str], *, keeps_fractions: bool = False
) -> tuple[Path, Path, tuple[Finding, ...]]:
    """Write regions and their side-car, both or none.

    Parameters
    ----------
    segmentation
        What `petquant.segment.segment` returned. A SEG is written while the files of the study are there:
        of a zip, within `petquant.dicom.archive.unpacked`.
    out
        ``.nii`` or ``.nii.gz``: a label map on the grid of the PET; ``.dcm``: DICOM SEG.
    keeps_fractions
        Whether weights are written as they are: a map of occupancy (float32) of the one region, or a SEG of
        type FRACTIONAL. Otherwise voxels at least half inside are written, flagged LABEL_MAP_HALF.

    Returns
    -------
    The path of the file, that of its side-car, and what the form of the file added to the caveats.

    Raises
    ------
    UsageError
        OPTION_INVALID: another suffix; fractions of several regions in NIfTI.
    Refused
        LABEL_MAP_OVERLAP; NIFTI_UNEVEN_SLICES.
    UnreadableInput
        FORMAT_UNSUPPORTED: a SEG of regions on a PET that is no DICOM.
    OutputFailed
        OUTPUT_FAILED.
    """
    path = Path(out)
    suffix, sidecar_path = _suffix(path), sidecar_of(path)
    if suffix == ".dcm" or keeps_fractions:
        segmentation = replace(segmentation, regions=_numbered(segmentation.regions))
    regions = segmentation.regions
    findings = () if keeps_fractions else _halved(regions, segmentation.study.grid)
    if suffix == ".dcm":
        content: Content = _seg(segmentation, keeps_fractions=keeps_fractions)
    else:
        require_even(segmentation.study.grid)
        content = _nifti(segmentation, is_gzipped=suffix == ".nii.gz", keeps_fractions=keeps_fractions)
    record = segmentation_record(
        replace(segmentation, findings=(*segmentation.findings, *findings)), keeps_fractions=keeps_fractions
    )
    write_all({path: content, sidecar_path: as_json(record)})
    return path, sidecar_path, findings


def _numbered(regions: Sequence[SegmentedRegion]) -> tuple[SegmentedRegion, ...]:
    """Return the regions under the numbers they have in a file that counts them itself: 1, 2, 3 ...

    Segments of a SEG are numbered so (PS3.3 C.8.20.2), and a map of fractions holds region 1.
    """
    return tuple(
        replace(one, label=number, roi=replace(one.roi, roi_id=str(number)))
        for number, one in enumerate(regions, start=1)
    )


def _halved(regions: Sequence[SegmentedRegion], grid: Grid) -> tuple[Finding, ...]:
    """Return a finding for every region whose fractions are lost, with both volumes."""
    findings = []
    for one in regions:
        if one.roi.weights is not None:
            labelled = one.labelled()
            code = labelled.flags[-1]
            found = f"{one.volume_ml:.6g} mL became {len(labelled.voxels) * grid.voxel_volume_ml:.6g} mL"
            where = f"region {one.label} ({one.roi.name})"
            findings.append(Finding(code=code, found=f"whole voxels: {found}", where=where))
    return tuple(findings)


def _nifti(segmentation: Segmentation, *, is_gzipped: bool, keeps_fractions: bool) -> Content:
    """Return what writes a label map, or the map of occupancy of one region."""
    grid, regions = segmentation.study.grid, segmentation.regions
    if keeps_fractions:
        if len(regions) != 1:
            raise UsageError.of(
                "OPTION_INVALID",
                f"--occupancy with {len(regions)} regions",
                expected="one region: a map of fractions holds one",
                remedy="write DICOM SEG (.dcm), or drop --occupancy",
            )
        (one,) = regions
        weights = np.zeros(grid.size, np.float32)
        weights[one.roi.voxels] = 1.0 if one.roi.weights is None else one.roi.weights
        return volume_writer(weights.reshape(grid.shape), grid, is_gzipped=is_gzipped)
    rois = [one.labelled() for one in regions]
    _require_apart(rois)
    largest = max((one.label for one in regions), default=1)
    labels = np.zeros(grid.size, np.min_scalar_type(largest))
    for one, roi in zip(regions, rois, strict=True):
        labels[roi.voxels] = one.label
    return label_map_writer(labels.reshape(grid.shape), grid, is_gzipped=is_gzipped)


def _require_apart(rois: Sequence[Roi]) -> None:
    """Raise when regions share voxels, naming each pair."""
    if not rois:
        return
    voxels = np.concatenate([roi.voxels for roi in rois])
    of = np.repeat(np.arange(len(rois)), [len(roi.voxels) for roi in rois])
    order = np.argsort(voxels, kind="stable")
    voxels, of = voxels[order], of[order]
    at = np.flatnonzero(voxels[1:] == voxels[:-1])
    if not len(at):
        return
    pairs, counts = np.unique(np.stack([of[at], of[at + 1]], axis=1), axis=0, return_counts=True)
    raise Refused.because(
        *(
            Finding(
                code="LABEL_MAP_OVERLAP",
                found=f"{_called(rois[a])} and {_called(rois[b])} share {count} voxels",
                expected="one region a voxel",
            )
            for (a, b), count in zip(pairs.tolist(), counts.tolist(), strict=True)
        )
    )


def _called(roi: Roi) -> str:
    return f"region {roi.roi_id} ({roi.name})"


def require_even(grid: Grid) -> None:
    """Raise when a label map with one slice step would lie off the PET by more than a tenth of a voxel."""
    even = Grid(shape=grid.shape, affine=grid.affine)
    if grid.slice_positions_mm is not None and grid.axes_of(even) is None:
        off_mm = float(np.abs(grid.corners_mm() - even.corners_mm()).max())
        raise Refused.of(
            "NIFTI_UNEVEN_SLICES",
            f"with one slice step the regions would lie up to {off_mm:.3g} mm off the PET",
            expected="slices of one step",
        )


def _seg(segmentation: Segmentation, *, keeps_fractions: bool) -> bytes:
    """Return the regions as DICOM SEG."""
    study = segmentation.study
    if not isinstance(study, DicomStudy):
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED",
            "a PET that is no DICOM",
            expected="PET images that a DICOM SEG can refer to",
            remedy="write a label map (.nii.gz), or give the study in DICOM",
            path=study.source.paths[0],
        )
    from petquant.dicom.seg_writing import seg_bytes  # noqa: PLC0415 - a label map needs none of it

    regions = segmentation.regions
    rois = [one.roi if keeps_fractions else one.labelled() for one in regions]
    is_fractional = keeps_fractions and any(roi.weights is not None for roi in rois)
    method = segmentation.delineation
    words = "shapes and regions" if method is None else f"{method.method}: {METHODS[method.method].rule}"
    return seg_bytes(
        study.stack,
        rois,
        grid=study.grid,
        algorithm=words,
        is_fractional=is_fractional,
    )
