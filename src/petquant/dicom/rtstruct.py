"""An RTSTRUCT holds regions as contours in the patient; here they become regions on the PET grid.

Source: DICOM PS3.3 section A.19 (RT Structure Set IOD), C.8.8.5 (Structure Set) and C.8.8.6 (ROI Contour).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from petquant.dicom.belonging import PetFacts, belonging
from petquant.dicom.dataset import read_dataset
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.errors import Finding, PetquantError, Refused, UnreadableInput
from petquant.flags import flags_of
from petquant.grid import Grid
from petquant.polygons import Edge, filled
from petquant.roi import Reading, Roi, RoiSet

__all__ = ["RTSTRUCT_CLASS", "read_rtstruct"]

Float = NDArray[np.float64]

RTSTRUCT_CLASS: Final = "1.2.840.10008.5.1.4.1.1.481.3"

_CLOSED: Final = frozenset(
    {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR"}
)  # C.8.8.6.1, and a slip
_CONTOUR_DATA: Final = 0x30060050
_FARTHEST_MM: Final = 1e6  # no patient is 1 km away from the origin


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """One region as its file describes it.

    Parameters
    ----------
    number, name
        ROINumber and ROIName.
    frame_of_reference_uid
        In which its contours lie.
    contours
        Closed ones, (n, 3) mm.
    others
        Types of those that enclose no area.
    references
        SOP instances on which it was drawn, as its contours say.
    """

    number: int
    name: str
    frame_of_reference_uid: str
    contours: tuple[Float, ...]
    others: tuple[str, ...]
    references: frozenset[str]

    @property
    def where(self) -> str:
        """The region, in words."""
        return f"region {self.number} ({self.name})"


def read_rtstruct(
    path: Path | str,
    *,
    onto: Grid,
    pet: PetFacts,
    reading: Reading | None = None,
    edge: Edge | None = None,
    fill_gaps: bool = False,
    only: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> RoiSet:
    """Return the regions of an RTSTRUCT on the PET grid.

    Parameters
    ----------
    path
        RT Structure Set Storage.
    onto
        The PET grid; contours must be parallel to its slices.
    pet
        What the regions are held against.
    reading
        What is passed over on request.
    edge, fill_gaps
        As of `petquant.polygons.filled`.
    only
        ROINumber of the one region to draw; the others may then be points or lie anywhere.
    limits
        Bounds of one read.

    Returns
    -------
    Regions in the order of StructureSetROISequence; one without contours has no voxel. Findings of single
    regions name them.

    Raises
    ------
    UnreadableInput
        FORMAT_UNSUPPORTED, FILE_UNREADABLE, FILE_NOT_UNDERSTOOD, FILE_TRUNCATED.
    Refused
        FRAME_OF_REFERENCE_DIFFERS, PATIENT_ID_DIFFERS; ROI_LABEL_MISSING; of all regions at once what
        `petquant.polygons.filled` refuses, and ROI_NOT_AN_AREA of points and open lines alone.
    LimitReached
        INFLATION_LIMIT, SIZE_LIMIT.
    """
    path = os.fspath(path)
    try:
        ds = read_dataset(path, limits)
        _require_rtstruct(ds, path)
        drawn = _chosen(list(_drawn(ds, path)), only, path)
        named, in_file = _references_of_file(ds)
        patient_id = str(ds.get("PatientID") or "").strip()
    except PetquantError:
        raise
    except Exception as error:  # pydicom raises whatever a broken file leads it to, at any value
        found = f"not an RTSTRUCT that can be read: {error}"
        raise UnreadableInput.of("FILE_NOT_UNDERSTOOD", found, path=path, remedy="export again") from error
    findings = _belonging(drawn, in_file, pet, patient_id=patient_id, reading=reading or Reading(), path=path)
    codes = tuple(finding.code for finding in findings)
    rois, refusals = [], []
    for one in drawn:
        references = one.references or in_file
        own = tuple(
            code for code in codes if code != "ROI_REFERENCES_MISSING" or references - pet.instance_uids
        )
        is_referenced = bool(references & pet.instance_uids) or (
            not one.references and pet.series_uid in named
        )
        try:
            roi, said = _roi(one, onto, is_referenced=is_referenced, edge=edge, fill_gaps=fill_gaps)
        except Refused as refused:
            refusals += [replace(finding, path=path) for finding in refused.findings]
            continue
        said = tuple(replace(finding, path=path) for finding in said)
        rois.append(replace(roi, flags=tuple(dict.fromkeys((*own, *flags_of(said))))))
        findings += said
    if refusals:
        raise Refused.because(*refusals)
    return RoiSet(grid=onto, rois=tuple(rois), findings=findings)


def _require_rtstruct(ds: Any, path: str) -> None:
    uid = str(ds.get("SOPClassUID") or "")
    if uid != RTSTRUCT_CLASS:
        raise UnreadableInput.of(
            "FORMAT_UNSUPPORTED", f"SOP class {uid or 'absent'}", expected="an RT Structure Set", path=path
        )
    for keyword in ("StructureSetROISequence", "ROIContourSequence"):
        if keyword not in ds:
            raise UnreadableInput.of("FILE_NOT_UNDERSTOOD", f"no {keyword}", path=path, remedy="export again")


def _drawn(ds: Any, path: str) -> Iterator[_Drawn]:
    """Yield the regions: those described, in their order, then those that only contours name."""
    items = {int(item.ROINumber): item for item in ds.StructureSetROISequence}
    if len(items) < len(ds.StructureSetROISequence):
        raise UnreadableInput.of("FILE_NOT_UNDERSTOOD", "two regions with one ROINumber", path=path)
    contours: dict[int, list[Any]] = {number: [] for number in items}
    for item in ds.ROIContourSequence:
        contours.setdefault(int(item.ReferencedROINumber), []).extend(item.get("ContourSequence") or ())
    fallback = str(ds.get("FrameOfReferenceUID") or "")
    for item in ds.get("ReferencedFrameOfReferenceSequence") or ():
        fallback = fallback or str(item.get("FrameOfReferenceUID") or "")
    for number, drawn in contours.items():
        item = items.get(number, {})
        name = str(item.get("ROIName") or "").strip() or f"roi {number}"
        types = [str(one.get("ContourGeometricType") or "without a type") for one in drawn]
        yield _Drawn(
            number=number,
            name=name,
            frame_of_reference_uid=str(item.get("ReferencedFrameOfReferenceUID") or "") or fallback,
            contours=tuple(
                _points(one, f"{path}: region {number} ({name}), contour {n}")
                for n, (one, kind) in enumerate(zip(drawn, types, strict=True), start=1)
                if kind in _CLOSED
            ),
            others=tuple(kind for kind in types if kind not in _CLOSED),
            references=_instances(drawn),
        )


def _points(contour: Any, where: str) -> Float:
    """Return the corners of a contour, (n, 3) mm LPS, from the text of ContourData.

    Raises
    ------
    UnreadableInput
        FILE_NOT_UNDERSTOOD: no numbers, not three a corner, or another count than declared.
    Refused
        VALUE_NOT_FINITE.
    """
    element = contour.get_item(_CONTOUR_DATA)
    value = b"" if element is None else element.value or b""
    if isinstance(value, bytes):
        text = value.rstrip(b" \x00")
        value = text.split(b"\\") if text else []
    try:
        numbers = np.array(value).astype(np.float64)
    except ValueError as error:
        raise _not_understood(f"ContourData that is no list of numbers: {error}", where) from error
    declared = contour.get("NumberOfContourPoints")
    if len(numbers) % 3 or (declared is not None and int(declared) != len(numbers) // 3):
        found = f"{len(numbers)} numbers where NumberOfContourPoints is {declared}"
        raise _not_understood(found, where)
    if not (np.abs(numbers) < _FARTHEST_MM).all():
        raise Refused.of(
            "VALUE_NOT_FINITE",
            "a corner that is no position in a patient",
            where=where,
            remedy="export again",
        )
    return np.asarray(numbers.reshape(-1, 3))


def _not_understood(found: str, where: str) -> PetquantError:
    return UnreadableInput.of(
        "FILE_NOT_UNDERSTOOD",
        found,
        expected="three numbers a corner, as many as declared",
        where=where,
        remedy="export again",
    )


def _instances(items: Iterable[Any]) -> frozenset[str]:
    """Return the SOP instances in the ContourImageSequence of items."""
    return frozenset(
        str(image.get("ReferencedSOPInstanceUID") or "")
        for item in items
        for image in item.get("ContourImageSequence") or ()
    ) - {""}


def _references_of_file(ds: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return the series and the SOP instances that the file as a whole refers to."""
    series = [
        one
        for frame in ds.get("ReferencedFrameOfReferenceSequence") or ()
        for study in frame.get("RTReferencedStudySequence") or ()
        for one in study.get("RTReferencedSeriesSequence") or ()
    ]
    uids = frozenset(str(one.get("SeriesInstanceUID") or "") for one in series) - {""}
    return uids, _instances(series)


def _chosen(drawn: list[_Drawn], only: str | None, path: str) -> list[_Drawn]:
    chosen = [one for one in drawn if only is None or str(one.number) == only]
    if only is not None and not chosen:
        raise Refused.of(
            "ROI_LABEL_MISSING",
            f"ROINumber {only} does not occur",
            expected="one of " + ", ".join(str(one.number) for one in drawn[:20]),
            path=path,
        )
    return chosen


def _belonging(
    drawn: Sequence[_Drawn],
    in_file: frozenset[str],
    pet: PetFacts,
    *,
    patient_id: str,
    reading: Reading,
    path: str,
) -> tuple[Finding, ...]:
    """Return what is to be said of regions with contours, for every frame of reference among them."""
    findings: dict[Finding, None] = {}
    refusals: dict[Finding, None] = {}
    filled_ones = [one for one in drawn if one.contours or one.others]
    for uid in dict.fromkeys(one.frame_of_reference_uid for one in filled_ones):
        mine = [one for one in filled_ones if one.frame_of_reference_uid == uid]
        references = frozenset().union(*(one.references or in_file for one in mine))
        try:
            said = belonging(
                pet,
                frame_of_reference_uid=uid,
                patient_id=patient_id,
                references=references,
                reading=reading,
                path=path,
            )
        except Refused as refused:
            refusals.update(dict.fromkeys(refused.findings))
        else:
            findings.update(dict.fromkeys(said))
    if refusals:
        raise Refused.because(*refusals)
    return tuple(findings)


def _roi(
    drawn: _Drawn, onto: Grid, *, is_referenced: bool, edge: Edge | None, fill_gaps: bool
) -> tuple[Roi, tuple[Finding, ...]]:
    """Return one region on the PET grid and what is to be said of it."""
    roi = Roi(
        roi_id=str(drawn.number), name=drawn.name, source="RTSTRUCT", voxels=np.empty(0, dtype=np.int64)
    )
    if not drawn.contours and not drawn.others:
        return roi, ()
    kinds = ", ".join(f"{drawn.others.count(kind)} {kind}" for kind in dict.fromkeys(drawn.others))
    if not drawn.contours:
        raise Refused.of(
            "ROI_NOT_AN_AREA", f"contours enclose no area: {kinds}", expected="closed ones", where=drawn.where
        )
    found = filled(
        drawn.contours,
        onto,
        is_referenced=is_referenced,
        edge=edge,
        fill_gaps=fill_gaps,
        where=drawn.where,
    )
    findings = found.findings
    if drawn.others:
        left_out = Finding(code="CONTOUR_NOT_AN_AREA", found=f"left out: {kinds}", where=drawn.where)
        findings = (left_out, *findings)
    gaps = ", gaps filled" if any(one.code == "CONTOUR_GAP_FILLED" for one in findings) else ""
    source = f"RTSTRUCT, edge by {'voxel centre' if found.edge is Edge.CENTRE else 'exact area'}{gaps}"
    return replace(roi, voxels=found.voxels, weights=found.weights, source=source), findings
