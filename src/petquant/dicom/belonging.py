"""Belonging: whether a SEG or RTSTRUCT was drawn on the PET, by frame of reference, patient and references.

The frame of reference decides. References to images that are not in the series are flagged and no more:
re-exports rewrite the UIDs of images and leave those that refer to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from petquant.dicom.series import Series
from petquant.dicom.stack import Stack
from petquant.dicom.tags import TAG
from petquant.errors import Finding, Refused
from petquant.roi import Reading

__all__ = ["PetFacts", "belonging"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PetFacts:
    """What regions in DICOM are held against.

    Parameters
    ----------
    frame_of_reference_uid
        Of the PET series; "" when it has none.
    patient_ids
        Every PatientID of the series that is not empty; never to be printed.
    series_uid
        SeriesInstanceUID.
    slices
        Slice k of each SOP instance that holds one slice.
    instance_uids
        Every SOP instance of the series, also those that hold many slices.
    """

    frame_of_reference_uid: str = ""
    patient_ids: frozenset[str] = frozenset()
    series_uid: str = ""
    slices: Mapping[str, int] = field(default_factory=dict)
    instance_uids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, series: Series, stack: Stack) -> Self:
        """Return the facts of a series and its slices in order."""
        uids = [instance.text(TAG["SOPInstanceUID"]) for instance in stack.instances]
        times = Counter(uids)
        return cls(
            frame_of_reference_uid=series.frame_of_reference_uid,
            patient_ids=frozenset(patient for patient, _ in series.patient_ids if patient),
            series_uid=series.uid,
            slices={uid: k for k, uid in enumerate(uids) if times[uid] == 1},
            instance_uids=frozenset(
                instance.text(TAG["SOPInstanceUID"]) for instance in (*series.instances, *stack.instances)
            ),
        )


def belonging(
    pet: PetFacts,
    *,
    frame_of_reference_uid: str,
    patient_id: str,
    references: Iterable[str],
    reading: Reading,
    path: str,
) -> tuple[Finding, ...]:
    """Return the flags of a file of regions that was or may have been drawn on the PET.

    Parameters
    ----------
    frame_of_reference_uid, patient_id
        Of the file; an empty PatientID says nothing, an empty frame of reference is another one.
    references
        SOP instance UIDs of the images that the file names.
    reading
        What is passed over on request.

    Raises
    ------
    Refused
        FRAME_OF_REFERENCE_DIFFERS, PATIENT_ID_DIFFERS: both at once. The ids themselves are not printed.
    """
    flags, refusals = [], []
    if not frame_of_reference_uid or frame_of_reference_uid != pet.frame_of_reference_uid:
        finding = Finding(
            code="FRAME_OF_REFERENCE_DIFFERS",
            found=frame_of_reference_uid or "absent",
            expected=f"that of the PET, {pet.frame_of_reference_uid or 'which has none'}",
            remedy="--ignore-frame-of-reference, if both are known to lie in one space",
            path=path,
            keyword="FrameOfReferenceUID",
            tag="(0020,0052)",
        )
        if reading.ignore_frame_of_reference:
            flags.append(
                _flag("FRAME_OF_REFERENCE_IGNORED", "another frame of reference than the PET's", path)
            )
        else:
            refusals.append(finding)
    if patient_id and pet.patient_ids and patient_id not in pet.patient_ids:
        finding = Finding(
            code="PATIENT_ID_DIFFERS",
            found="not that of the PET",
            remedy="--ignore-patient-id, if both are known to be of one patient",
            path=path,
            keyword="PatientID",
            tag="(0010,0020)",
        )
        if reading.ignore_patient_id:
            flags.append(_flag("PATIENT_ID_IGNORED", "another PatientID than the PET's", path))
        else:
            refusals.append(finding)
    if refusals:
        raise Refused.because(*refusals)
    named = set(references)
    missing = named - pet.instance_uids
    if missing:
        found = f"{len(missing)} of {len(named)} images that the regions refer to are not in the PET series"
        flags.append(_flag("ROI_REFERENCES_MISSING", found, path))
    return tuple(flags)


def _flag(code: str, found: str, path: str) -> Finding:
    return Finding(code=code, found=found, path=path)
