"""What a header says about the radiopharmaceutical: the items of its sequence, as they were written."""

from __future__ import annotations

from datetime import timedelta

from petquant.acquisition import Radiopharmaceutical, Written
from petquant.dicom.attributes import Attributes
from petquant.dicom.datetimes import clock_time, parse_instant
from petquant.dicom.tags import TAG, tag_words
from petquant.dicom.written import number_written, text_written, time_written
from petquant.errors import UnreadableInput

__all__ = ["ITEM", "items_of", "radiopharmaceuticals"]

# Attributes of a radiopharmaceutical item, with their tags.
ITEM = {
    "RadiopharmaceuticalStartTime": 0x00181072,
    "RadiopharmaceuticalStartDateTime": 0x00181078,
    "RadionuclideTotalDose": 0x00181074,
    "RadionuclideHalfLife": 0x00181075,
    "Radiopharmaceutical": 0x00180031,
    "RadionuclideCodeSequence": 0x00540300,
    "RadiopharmaceuticalCodeSequence": 0x00540304,
}
CODE_VALUE, CODE_MEANING = 0x00080100, 0x00080104


def items_of(attributes: Attributes) -> list[Attributes]:
    """Return the items of RadiopharmaceuticalInformationSequence (0054,0016).

    Raises
    ------
    UnreadableInput
        When the items, or the codes in them, do not fit into each other.
    """
    tag = TAG["RadiopharmaceuticalInformationSequence"]
    try:
        items = attributes.items(tag)
        for item in items:
            for keyword in ("RadionuclideCodeSequence", "RadiopharmaceuticalCodeSequence"):
                item.items(ITEM[keyword])
    except ValueError as error:
        raise UnreadableInput.of(
            "FILE_NOT_UNDERSTOOD",
            str(error),
            expected="items that fit into each other",
            remedy="export the series again",
            path=str(getattr(attributes, "path", "")),
            keyword="RadiopharmaceuticalInformationSequence",
            tag=tag_words(tag),
        ) from error
    return items


def radiopharmaceuticals(
    attributes: Attributes, utc_offset: timedelta | None
) -> tuple[Radiopharmaceutical, ...]:
    """Return what was injected, one for each item.

    Parameters
    ----------
    utc_offset
        Of the data set; it holds for times without their own.
    """
    return tuple(_radiopharmaceutical(item, utc_offset) for item in items_of(attributes))


def _radiopharmaceutical(item: Attributes, utc_offset: timedelta | None) -> Radiopharmaceutical:
    def coded(keyword: str, tag: int) -> Written[str]:
        codes = item.items(ITEM[keyword])
        return text_written(codes[0] if codes else Attributes(values={}), keyword, tag)

    stamp, clock = ITEM["RadiopharmaceuticalStartDateTime"], ITEM["RadiopharmaceuticalStartTime"]
    return Radiopharmaceutical(
        dose=number_written(item, "RadionuclideTotalDose", ITEM["RadionuclideTotalDose"]),
        half_life_s=number_written(item, "RadionuclideHalfLife", ITEM["RadionuclideHalfLife"]),
        injected_at=time_written(
            item.text(stamp),
            lambda text: parse_instant(text, utc_offset=utc_offset),
            keyword="RadiopharmaceuticalStartDateTime",
            tag=stamp,
        ),
        injected_clock=time_written(
            item.text(clock),
            lambda text: clock_time(text, utc_offset=utc_offset),
            keyword="RadiopharmaceuticalStartTime",
            tag=clock,
        ),
        name=text_written(item, "Radiopharmaceutical", ITEM["Radiopharmaceutical"]),
        nuclide_code=coded("RadionuclideCodeSequence", CODE_VALUE),
        nuclide_meaning=coded("RadionuclideCodeSequence", CODE_MEANING),
        tracer_code=coded("RadiopharmaceuticalCodeSequence", CODE_VALUE),
        tracer_meaning=coded("RadiopharmaceuticalCodeSequence", CODE_MEANING),
    )
