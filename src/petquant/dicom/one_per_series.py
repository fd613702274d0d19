"""One per series: attributes of scan and injection that every slice must state alike (suv.md section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from petquant.dicom.attributes import Attributes
from petquant.dicom.private import private_tags
from petquant.dicom.radiopharmaceutical import ITEM, items_of
from petquant.dicom.tags import TAG, tag_words
from petquant.dicom.written import finite
from petquant.errors import Finding

__all__ = ["differing_values"]

CONSTANT = (
    "PatientWeight",
    "PatientSize",
    "PatientSex",
    "Units",
    "SUVType",
    "DecayCorrection",
    "DecayCorrectionDateTime",
    "CorrectedImage",
    "Manufacturer",
    "SeriesDate",
    "SeriesTime",
    "TimezoneOffsetFromUTC",
)
CONSTANT_IN_ITEMS = (
    "RadionuclideTotalDose",
    "RadionuclideHalfLife",
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
)


def differing_values(instances: Sequence[Attributes], vendor: str) -> tuple[Finding, ...]:
    """Return a refusal for every attribute that is one per series and differs between slices.

    Parameters
    ----------
    vendor
        As `petquant.dicom.vendors.vendor_of` names it; private attributes are compared as well.
    """
    first = instances[0]
    findings = []
    for tag in [*(TAG[keyword] for keyword in CONSTANT), *_private(instances, vendor)]:
        raw = first.values.get(tag)
        if all(other.values.get(tag) == raw for other in instances):
            continue
        values = Counter(_comparable(other.text(tag)) for other in instances)
        if len(values) > 1:
            keyword, words = first.name(tag)
            findings.append(_differs(keyword or "private", words, values))
    return (*findings, *_differing_items(instances))


def _private(instances: Sequence[Attributes], vendor: str) -> tuple[int, ...]:
    """Return the private tags that are understood in any slice; slices with the same ones count once."""
    alike = {tuple(tag for tag in one.values if tag >> 16 & 1): one for one in instances}
    return tuple(dict.fromkeys(tag for one in alike.values() for tag in private_tags(one, vendor=vendor)))


def _differing_items(instances: Sequence[Attributes]) -> list[Finding]:
    sequence = TAG["RadiopharmaceuticalInformationSequence"]
    raw = instances[0].values.get(sequence)
    if all(other.values.get(sequence) == raw for other in instances):
        return []
    distinct = {other.values.get(sequence, b""): items_of(other) for other in instances}
    findings = []
    for keyword in CONSTANT_IN_ITEMS:
        by_bytes = {
            key: " and ".join(_comparable(item.text(ITEM[keyword])) for item in items)
            for key, items in distinct.items()
        }
        values = Counter(by_bytes[other.values.get(sequence, b"")] for other in instances)
        if len(values) > 1:
            findings.append(_differs(keyword, tag_words(ITEM[keyword]), values))
    return findings


def _comparable(text: str) -> str:
    number = finite(text)
    return text if number is None else f"{number!r}"


def _differs(keyword: str, tag: str, values: Counter[str]) -> Finding:
    listed = ", ".join(f"{value or 'missing'} on {n} slices" for value, n in values.most_common())
    return Finding(
        code="MIXED_VALUES",
        found=listed,
        expected="one value for the series",
        remedy="separate the files",
        keyword=keyword,
        tag=tag,
    )
