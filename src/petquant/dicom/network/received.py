"""What came is held to what was asked for: a whole DICOM file, of this study, this series, this instance."""

from __future__ import annotations

from pathlib import Path

from petquant.dicom.network.listing import FoundSeries
from petquant.dicom.scan import Instance, scan_content, scan_or_damage
from petquant.dicom.tags import TAG
from petquant.errors import PetquantError, UnreadableInput

__all__ = ["instance_uid", "is_present"]


def instance_uid(content: bytes | memoryview, series: FoundSeries) -> str:
    """Return the SOP Instance UID of a file that came for a series.

    Damage that the archive may hold itself, such as a doubled attribute, is for those to judge who measure;
    a file that ends too early did not arrive.

    Raises
    ------
    UnreadableInput
        PACS_ANSWER_INVALID, when it is no whole DICOM file, or one of another study or series.
    """
    try:
        instance = scan_content(content, "")
    except PetquantError as error:
        raise _invalid(series, f"a file that cannot be read: {error}") from error
    if instance is None:
        raise _invalid(series, "something that is no DICOM")
    fault = _fault(instance, series)
    if fault:
        raise _invalid(series, fault)
    return instance.text(TAG["SOPInstanceUID"])


def is_present(path: Path, series: FoundSeries, uid: str) -> bool:
    """Whether a whole file of this instance stands at `path`."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        instance = scan_or_damage(str(path))
    except PetquantError:
        return False
    return (
        instance is not None and not _fault(instance, series) and instance.text(TAG["SOPInstanceUID"]) == uid
    )


def _fault(instance: Instance, series: FoundSeries) -> str:
    """Return why a file is not a whole one of `series`, "" when it is."""
    found = [instance.damage] if instance.damage is not None else list(instance.findings)
    for finding in found:
        if "FILE_TRUNCATED" in (finding.code, finding.found.partition(":")[0]):
            return "a file that ends before its declared end"
    for keyword, expected in (("StudyInstanceUID", series.study_uid), ("SeriesInstanceUID", series.uid)):
        if instance.text(TAG[keyword]) != expected:
            return f"an instance whose {keyword} is {instance.text(TAG[keyword])!r}, not {expected}"
    return ""


def _invalid(series: FoundSeries, found: str) -> PetquantError:
    return UnreadableInput.of(
        "PACS_ANSWER_INVALID",
        f"the archive sent {found}",
        expected="whole instances of this series",
        where=f"series {series.uid}",
    )
