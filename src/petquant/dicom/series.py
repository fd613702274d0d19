"""A series is what one SeriesInstanceUID holds: the headers of its files, not yet in any order of slices."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from petquant.dicom.scan import Instance
from petquant.dicom.tags import TAG
from petquant.errors import Finding

__all__ = ["Series", "merged", "series_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series, headers only.

    Parameters
    ----------
    uid, study_uid, frame_of_reference_uid
        Of its first instance.
    modality
        PT when any instance is; else that of the first.
    sop_class_uid
        Of the first instance of that modality.
    description, number
        SeriesDescription and SeriesNumber as text.
    patient_ids
        All pairs of PatientID and IssuerOfPatientID in it; never to be printed.
    instances
        In the order in which their files were found.
    """

    uid: str
    study_uid: str
    modality: str
    sop_class_uid: str
    description: str
    number: str
    frame_of_reference_uid: str
    patient_ids: tuple[tuple[str, str], ...]
    instances: tuple[Instance, ...]

    @property
    def n_files(self) -> int:
        """How many files its instances lie in."""
        return len({instance.path for instance in self.instances})

    def of(self, instances: tuple[Instance, ...]) -> Series:
        """Return the series reduced to some of its instances."""
        return replace(self, instances=instances)


def series_of(instances: list[Instance]) -> Series:
    """Return the series of instances that share a SeriesInstanceUID (at least one)."""
    pet = next((instance for instance in instances if instance.text(TAG["Modality"]) == "PT"), None)
    first = pet or instances[0]
    patients = {
        (instance.text(TAG["PatientID"]), instance.text(TAG["IssuerOfPatientID"])) for instance in instances
    }
    return Series(
        uid=first.text(TAG["SeriesInstanceUID"]),
        study_uid=first.text(TAG["StudyInstanceUID"]),
        modality=first.text(TAG["Modality"]),
        sop_class_uid=first.text(TAG["SOPClassUID"]),
        description=first.text(TAG["SeriesDescription"]),
        number=first.text(TAG["SeriesNumber"]),
        frame_of_reference_uid=first.text(TAG["FrameOfReferenceUID"]),
        patient_ids=tuple(sorted(patients)),
        instances=tuple(instances),
    )


def merged(instances: tuple[Instance, ...]) -> tuple[Finding, ...]:
    """Return the findings of many files, one for each code and attribute, with the first file's words."""
    paths: dict[tuple[str, str], set[str]] = defaultdict(set)
    firsts: dict[tuple[str, str], Finding] = {}
    for instance in instances:
        for finding in instance.findings:
            paths[finding.code, finding.tag].add(instance.path)
            firsts.setdefault((finding.code, finding.tag), finding)
    return tuple(
        finding
        if len(paths[key]) == 1
        else replace(finding, found=f"{finding.found} (and {len(paths[key]) - 1} more files)")
        for key, finding in firsts.items()
    )
