"""A variant is a phantom in other words: another vendor, unit, encoding or spelling, and the same truth.

Every variant that can be computed must give the SUV of its definition; every other one names the code of the
refusal that it must meet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

from petquant_phantoms.definition import PetObject
from petquant_phantoms.dialects import DIALECTS
from petquant_phantoms.encoding import SMALLEST_JPEG_2000, TRANSFER_SYNTAXES
from petquant_phantoms.pet_header import DecayCorrection, PhilipsFactors
from petquant_phantoms.time_spelling import TimeVariant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from petquant_phantoms.definition import Definition

UNITS = ("BQML", "GML", "CM2ML", "CNTS", "PROPCPS")

# From this half-life on, the date of an injection may not be guessed from its clock time (suv.md 6: 11.5 h).
LONG_LIVED_S = 41400.0

# Where and how else the private elements of a dialect occur, as changes of the header.
_PRIVATE_VARIANTS: dict[str, dict[str, Any]] = {
    "private_block_11": {"private_block": 0x11},
    "private_block_A7": {"private_block": 0xA7},
    "private_without_creator": {"has_private_creator": False},
    "private_unknown": {"private_is_unknown": True},
    "private_blanks": {"private_blanks": 3},
}

# What classic headers carry of type 3, but for weight and size, without which there is no SUV.
_OPTIONAL = (
    "StudyDescription",
    "SeriesDescription",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalVolume",
    "RadionuclidePositronFraction",
    "RadiopharmaceuticalRoute",
    "RandomsCorrectionMethod",
    "AttenuationCorrectionMethod",
    "ScatterCorrectionMethod",
    "ReconstructionMethod",
    "AcquisitionNumber",
)

REPROCESSED_AFTER = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to write a phantom.

    Attributes
    ----------
    name
        What was chosen, joined by dashes: ``siemens-START-BQML-explicit-classic``.
    definition
        The phantom to write; the truth of its regions is that of the definition it came from.
    """

    name: str
    definition: Definition

    @property
    def expected(self) -> str:
        """Return "ok" or the code of the refusal."""
        return self.definition.expected


def combinations(
    definition: Definition,
    *,
    vendors: Iterable[str] = tuple(DIALECTS),
    decays: Iterable[str] = get_args(DecayCorrection),
    units: Iterable[str] = UNITS,
    transfer_syntaxes: Iterable[str] = tuple(TRANSFER_SYNTAXES),
    objects: Iterable[PetObject] = get_args(PetObject),
    slopes: Iterable[str | None] = (None,),
) -> Iterator[Variant]:
    """Yield every applicable combination of vendor, decay correction, units, encoding, object and slopes.

    Left out is what cannot be written: JPEG 2000 of images below 32 x 32, a projection beside a multi-frame
    object, as Enhanced PET phantoms that are gated or whose edits name classic attributes, and beds without
    decay correction under one acquisition time, whose header would not tell when each was taken.

    Parameters
    ----------
    definition
        The phantom.
    vendors, decays, units, transfer_syntaxes, objects
        The values of each axis; all of them when not given, more than two thousand variants.
    slopes
        "per_slice" or "global"; None stands for the slopes of the vendor.

    Yields
    ------
    Variant
        In the order of the axes, the last one running fastest.
    """
    axes = product(vendors, decays, units, transfer_syntaxes, objects, slopes)
    for vendor, decay, unit, syntax, kind, slope in axes:
        if decay == "NONE" and not definition.header.acquisition_time_per_bed:
            continue
        if not _can_be_written(definition, transfer_syntax=syntax, kind=kind):
            continue
        varied = definition.in_dialect(
            vendor=vendor, decay=decay, units=unit, transfer_syntax=syntax, object=kind
        )
        name = f"{vendor}-{decay}-{unit}-{syntax}-{kind}"
        if slope is not None:
            name, varied = f"{name}-{slope}", replace(varied, slope=slope)
        yield Variant(name=name, definition=varied)


def _can_be_written(definition: Definition, *, transfer_syntax: str, kind: PetObject) -> bool:
    if transfer_syntax == "jpeg_2000" and min(definition.grid.shape[1:]) < SMALLEST_JPEG_2000:
        return False
    if kind != "classic" and "mip" in definition.extras:
        return False
    return kind != "enhanced" or not (
        len(definition.gates) > 1 or definition.edits or definition.time_variant == "time_only"
    )


def header_variants(definition: Definition) -> Iterator[Variant]:
    """Yield the ways in which the header of a phantom, in the dialect that it has, occurs in the field.

    Other spellings of dates and times; no optional attribute but those that an SUV needs; private elements
    in another block, without creator, as bytes of VR UN, with trailing blanks; the factors of Philips one by
    one; a series that was processed again.
    """
    for time_variant in get_args(TimeVariant):
        if time_variant in {"standard", "time_only"}:
            continue
        yield Variant(name=time_variant, definition=replace(definition, time_variant=time_variant))
    if definition.object != "enhanced":
        yield from _classic_variants(definition)
    if _can_be_reprocessed(definition):
        yield Variant(name="reprocessed", definition=reprocessed(definition))


def _classic_variants(definition: Definition) -> Iterator[Variant]:
    header = definition.header
    needs_injection = definition.expected == "ok" and header.units == "BQML"
    refusal = (
        "INJ_TIME_ONLY_LONG_LIVED" if needs_injection and header.used_half_life_s >= LONG_LIVED_S else None
    )
    expected = refusal or definition.expected
    yield Variant(
        name="time_only", definition=replace(definition, time_variant="time_only", expected=expected)
    )
    without = tuple((keyword, None) for keyword in _OPTIONAL)
    yield Variant(
        name="required_only",
        definition=replace(definition, edits=(*definition.edits, *without), expected=expected),
    )
    if not header.vendor.private:
        return
    for name, change in _PRIVATE_VARIANTS.items():
        yield Variant(name=name, definition=definition.with_header(**change))
    if header.units == "CNTS" and header.has_count_factor:
        for factors in get_args(PhilipsFactors):
            varied = definition.with_header(philips_factors=factors)
            refusal = varied.refusal_by_units
            yield Variant(
                name=f"factors_{factors}", definition=replace(varied, expected=refusal or definition.expected)
            )


def reprocessed(definition: Definition, *, after: timedelta = REPROCESSED_AFTER) -> Definition:
    """Return the phantom with the SeriesTime of a later reconstruction; the decay reference stays."""
    header = definition.header
    return definition.with_header(
        decay_reference_at=header.frame_zero_at, series_at=header.frame_zero_at + after
    )


def _can_be_reprocessed(definition: Definition) -> bool:
    """Whether the header still tells its decay reference when SeriesTime does not."""
    header = definition.header
    if header.decay_correction != "START":
        return False
    if definition.object == "enhanced":
        return True
    has_private_time = header.has_private and any(
        element.content == "decay_reference" for element in header.vendor.private
    )
    return has_private_time or (
        header.acquisition_time_per_bed and header.vendor.frame_reference_excess_s == 0.0
    )
