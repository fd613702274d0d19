"""A background holds no lesion: voxels of lesions that only the other scan shows are taken out of it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from petquant.errors import Finding
from petquant.metrics import Reference, ratios, references
from petquant.reads.scan import ReadScan
from petquant.roi import Roi

__all__ = ["without_lesions"]


def without_lesions(scan: ReadScan, forced: Sequence[Roi]) -> tuple[ReadScan, tuple[Finding, ...]]:
    """Return a scan whose backgrounds hold no voxel of forced regions, with the ratios that follow.

    Parameters
    ----------
    scan
        Its own lesions are out of its backgrounds already.
    forced
        Regions of lesions of the other scan, on the grid of this one.

    Returns
    -------
    The scan itself where no background shares a voxel with them; else LESION_OVERLAPS_BACKGROUND for every
    background that does, and BACKGROUND_MOSTLY_LESION where no ratio is left (reads.md 1.5).
    """
    held = np.concatenate([np.empty(0, np.int64), *(roi.voxels for roi in forced)])
    if not any(np.isin(roi.voxels, held).any() for roi in scan.backgrounds):
        return scan, ()
    anew = references(
        scan.volume,
        scan.backgrounds,
        [*scan.lesions, *forced],
        psf_fwhm_mm=scan.technical.psf_fwhm_mm,
    )
    found: list[Reference] = []
    said: list[Finding] = []
    for before, after in zip(scan.references, anew, strict=True):
        lost = int(after.values["overlap_voxels"] or 0) - int(before.values["overlap_voxels"] or 0)
        if not lost:
            found.append(before)
            continue
        found.append(replace(after, flags=tuple(dict.fromkeys((*before.flags, *after.flags)))))
        words = f"{after.name}: {lost} voxels belong to lesions that only the other scan shows"
        said.append(Finding(code="LESION_OVERLAPS_BACKGROUND", found=words))
        if after.reason and not before.reason:
            said.append(Finding(code="BACKGROUND_MOSTLY_LESION", found=f"{after.name}: {after.reason}"))
    flags = tuple(code for one in found for code in one.flags_of_ratio)
    rows = tuple(
        replace(
            row,
            values={**row.values, **ratios(row.values, found)},
            flags=tuple(dict.fromkeys((*row.flags, *flags))),
        )
        for row in scan.measurements
    )
    cov = next((one.values["cov"] for one in found if one.name == scan.technical.tissue), None)
    technical = replace(scan.technical, cov=None if cov is None else float(cov))
    return replace(scan, references=tuple(found), measurements=rows, technical=technical), tuple(said)
