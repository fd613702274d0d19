"""Our own SUV cases: headers that the survey of IBSI lacks, each with what must come of it.

Numbers O1 to O31 are those of our list of cases. Not here are O27, which is about side-cars of NIfTI, and the
screenshots of O15, which are no PET. The image is that of `tiny`, except in O28.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from petquant_phantoms.body import Body, Box, Region
from petquant_phantoms.decay import average_count_time_s
from petquant_phantoms.definition import Definition
from petquant_phantoms.pet_header import Bed
from petquant_phantoms.radiopharmaceuticals import FLUORINE_18, GALLIUM_68, PENTIXAFOR, PSMA_11, Code

if TYPE_CHECKING:
    from collections.abc import Iterator

Edits = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One header and what must come of it.

    Attributes
    ----------
    id
        Number in the list, and a word where it has several headers: ``O18_equal``.
    definition
        The phantom; ``expected`` is "ok" or the code of the refusal.
    codes
        Every code that must be among those reported: flags of a series that is computed, or all causes of a
        refusal.
    """

    id: str
    definition: Definition
    codes: frozenset[str]

    @property
    def expected(self) -> str:
        """Return "ok" or the code of the refusal."""
        return self.definition.expected


def _case(
    number: str, *codes: str, refusal: str | None = None, like: Definition | None = None, **header: Any
) -> Case:
    """Return a case; keywords that a definition has change it, all others its header."""
    definition = like or Definition()
    own = {
        key: header.pop(key) for key in ("edits", "extras", "slope", "body", "time_frames") if key in header
    }
    varied = replace(definition.with_header(**header), name=f"suv/{number}", expected=refusal or "ok", **own)
    return Case(
        id=number, definition=varied, codes=frozenset(codes) | ({refusal} if refusal else frozenset())
    )


def _at(clock: str, *, date: str = "20250101") -> datetime:
    return datetime.strptime(f"{date}{clock}", "%Y%m%d%H%M%S")  # noqa: DTZ007  no zone here


_ELEVEN = _at("110000")
_NO_SERIES_TIME: Edits = (("SeriesDate", None), ("SeriesTime", None))
_NO_ACQUISITION_TIME: Edits = (("AcquisitionDate", None), ("AcquisitionTime", None))


def _decay_reference() -> Iterator[Case]:
    """Yield O1 to O7, O29 and O30: which time the voxels are decay-corrected to."""
    late_count = Bed(acquired_at=_at("110001"), duration_s=120.7, frame_reference_s=1328.7, decay_factor=1.0)
    siemens: dict[str, Any] = {"dialect": "siemens", "has_private": False}
    yield _case("O1", "REF_TIME_CONFLICT", beds=(late_count,), **siemens)
    yield _case("O1_factors", "REF_TIME_CONFLICT", like=Definition().in_dialect(vendor="philips"))
    beds = tuple(Bed(acquired_at=_ELEVEN + timedelta(seconds=243 * n), duration_s=180.0) for n in range(6))
    ge: dict[str, Any] = {"dialect": "ge", "has_private": False, "acquisition_time_per_bed": False}
    yield _case("O2", "ACQTIME_NOT_PER_BED", beds=beds, **ge)
    average_s = average_count_time_s(180.0, half_life_s=FLUORINE_18.half_life_s)
    single = Bed(
        acquired_at=_ELEVEN,
        duration_s=180.0,
        frame_reference_s=1098.0,
        decay_factor=2.0 ** ((1098.0 + average_s) / FLUORINE_18.half_life_s),
    )
    yield _case("O3", "REF_TIME_CONFLICT", beds=(single,), **ge)
    silent = Bed(acquired_at=_ELEVEN, duration_s=300.0, frame_reference_s=0.0, decay_factor=1.0)
    yield _case(
        "O4",
        "REF_TIME_FROM_ACQUISITION",
        series_at=_at("113000"),
        decay_reference_at=_ELEVEN,
        beds=(silent,),
    )
    yield _case(
        "O5",
        injected_at=_at("152016"),
        series_at=_at("162016"),
        beds=(Bed(acquired_at=_at("171015"), duration_s=1200.0, decay_factor=1.45951),),
        **siemens,
    )
    early: dict[str, Any] = {"series_at": _ELEVEN, "decay_reference_at": _at("112000")}
    late_bed = (Bed(acquired_at=_at("112000")),)
    yield _case("O6", refusal="REF_TIME_UNRESOLVED", beds=late_bed, **early)
    yield _case("O7", "REF_TIME_CONFLICT", dialect="siemens", slope="global", beds=late_bed, **early)
    dissenting = Bed(acquired_at=_at("113000"), duration_s=300.0, frame_reference_s=150.0, decay_factor=1.0)
    yield _case("O29", "REF_TIME_CONFLICT", dialect="ge", beds=(dissenting,))
    yield _case("O30_no_acquisition", "REF_TIME_UNCHECKED", edits=_NO_ACQUISITION_TIME)
    counted = replace(silent, frame_reference_s=None)
    for witness, bed, code in (
        ("decay_factor", Bed(acquired_at=_ELEVEN), "REF_TIME_SERIES_AFTER_ACQ"),
        ("frame_reference", counted, "REF_TIME_SERIES_AFTER_ACQ"),
        ("acquisition", silent, "REF_TIME_FROM_ACQUISITION"),
    ):
        yield _case(f"O30_no_series_{witness}", code, beds=(bed,), edits=_NO_SERIES_TIME)
    yield _case("O30_neither", refusal="REF_TIME_UNRESOLVED", edits=_NO_SERIES_TIME + _NO_ACQUISITION_TIME)


def _injection() -> Iterator[Case]:
    """Yield O8, O12, O13, O22 and O23: when it was injected."""
    stamp = "RadiopharmaceuticalStartDateTime"
    yield _case("O8", "INJ_DATE_SHIFTED", edits=((stamp, "20250102100000"),))
    zone = ("TimezoneOffsetFromUTC", "+0100")
    yield _case("O12_both", "TIMEZONE_APPLIED", edits=(zone, (stamp, "20250101100000+0100")))
    yield _case("O12_one_side", "TIMEZONE_ONE_SIDED", edits=((stamp, "20250101100000+0100"),))
    # 30 March 2025: 02:00+0100 becomes 03:00+0200, so that 01:30+0100 is one hour before 03:30+0200.
    night = _at("033000", date="20250330")
    yield _case(
        "O12_clock_change",
        "TIMEZONE_APPLIED",
        injected_at=night - timedelta(hours=1),
        series_at=night,
        beds=(Bed(acquired_at=night),),
        edits=(("TimezoneOffsetFromUTC", "+0200"), (stamp, "20250330013000+0100")),
    )
    for word, text, seconds in (
        ("minutes", "0928", 0.0),
        ("colon", "09:28", 0.0),
        ("fraction", "092830.05", 30.05),
        ("blanks", " 092830 ", 30.0),
    ):
        yield _case(
            f"O13_{word}",
            injected_at=_at("092800") + timedelta(seconds=seconds),
            edits=((stamp, None), ("RadiopharmaceuticalStartTime", text)),
        )
    yield _case("O22_after", "UPTAKE_NEGATIVE", injected_at=_at("113000"))
    yield _case("O22_two_hours", "INJ_DATE_SHIFTED", refusal="UPTAKE_IMPLAUSIBLE", injected_at=_at("130000"))
    yield _case("O22_twelve_hours", refusal="UPTAKE_IMPLAUSIBLE", injected_at=_at("220000"))
    yield _case("O23", injected_at=_at("070000"))


def _amounts() -> Iterator[Case]:
    """Yield O9 to O11, O16 to O18, O26 and O28: dose, nuclide, weight and height."""
    yield _case(
        "O9", "DOSE_IN_MBQ", radiopharmaceutical=PENTIXAFOR, injected_activity_bq=140.0e6, dose_unit="MBq"
    )
    yield _case(
        "O10",
        refusal="HALF_LIFE_WRONG_NUCLIDE",
        radiopharmaceutical=PENTIXAFOR,
        half_life_s=FLUORINE_18.half_life_s,
    )
    miscoded = replace(GALLIUM_68, code=Code(value="C-131A1", meaning="^68^Gallium", scheme="SRT"))
    yield _case(
        "O11",
        "NUCLIDE_CODE_CONFLICT",
        radiopharmaceutical=replace(PSMA_11, nuclide=miscoded),
        half_life_s=4057.7,
    )
    yield _case("O16_grams", "WEIGHT_IN_GRAMS", weight_kg=72.0, edits=(("PatientWeight", "72000"),))
    yield _case("O16_centimetres", "HEIGHT_IN_CM", height_m=1.78, edits=(("PatientSize", "178"),))
    yield _case("O16_equal", "WEIGHT_EQUALS_HEIGHT", weight_kg=178.0, height_m=1.78)
    yield _case("O17", refusal="DOSE_UNIT_AMBIGUOUS", edits=(("RadionuclideTotalDose", "3.7e5"),))
    yield _case("O18_equal", further_doses_bq=(350.0e6,))
    yield _case("O18_different", refusal="DOSE_MULTIPLE", further_doses_bq=(175.0e6,))
    for keyword, word in (
        ("PatientWeight", "weight"),
        ("RadionuclideTotalDose", "dose"),
        ("RadionuclideHalfLife", "half_life"),
    ):
        for text in ("nan", "inf", "1e400"):
            yield _case(f"O26_{word}_{text}", refusal="VALUE_NOT_FINITE", edits=((keyword, text),))
    # 1.2 x 70 kg over the 131.072 mL of the grid
    everywhere = Box(centre_mm=(0.0, 0.0, 0.0), half_widths_mm=(40.0, 40.0, 40.0))
    too_much = Body(
        background_suv=1.2 * 70000.0 / 131.072, regions=(Region(name="everywhere", shape=everywhere),)
    )
    yield _case("O28", "ACTIVITY_BALANCE_HIGH", body=too_much)


def _series_and_vendor() -> Iterator[Case]:
    """Yield O14, O15, O19 to O21, O24, O25 and O31: corrections, vendors, other objects."""
    yield _case("O14", extras=("nac_series",))
    yield _case("O15", "SERIES_NOT_VOLUME", extras=("mip",))
    contradiction = "DECAY_CORRECTION_CONTRADICTION"
    yield _case("O19_start", refusal=contradiction, corrected_image=("NORM", "ATTN"))
    yield _case("O19_none", refusal=contradiction, decay_correction="NONE", corrected_image=("ATTN", "DECY"))
    counts: dict[str, Any] = {
        "like": Definition().in_dialect(vendor="philips_cnts"),
        "philips_factors": "suv",
        "philips_suv_factor": 0.003515736,
        "private_block": 0x11,
        "private_blanks": 1,
    }
    yield _case("O20", **counts)
    yield _case("O20_unknown", private_is_unknown=True, **counts)
    silent = Bed(acquired_at=_ELEVEN, duration_s=300.0, frame_reference_s=0.0, decay_factor=1.0)
    for word, text in (
        ("imagerie", "IMAGERIE GENERALE"),
        ("ge_medical", "GE MEDICAL SYSTEMS"),
        ("ge", "GE"),
        ("empty", ""),
    ):
        yield _case(f"O21_{word}", beds=(silent,), edits=(("Manufacturer", text),))
    yield _case(
        "O24",
        "SERIES_NAC",
        "DOSE_MISSING",
        refusal="WEIGHT_MISSING",
        corrected_image=("NORM", "DECY"),
        attenuation_correction_method="",
        edits=(("PatientWeight", None), ("RadionuclideTotalDose", None)),
    )
    for decay in ("START", "NONE"):
        yield _case(
            f"O25_{decay.lower()}",
            refusal="SERIES_DYNAMIC",
            decay_correction=decay,
            time_frames=(1.0, 0.5, 0.25),
        )
    yield _case(
        "O31",
        "SERIES_NAC",
        "WEIGHT_MISSING",
        refusal="UNITS_NOT_QUANTITATIVE",
        dialect="ge",
        units="PROPCPS",
        corrected_image=("DECY", "RAN"),
        attenuation_correction_method="NONE, 0.000000 cm-1,",
        edits=(("PatientWeight", None), *_NO_SERIES_TIME),
    )


CASES: tuple[Case, ...] = (*_decay_reference(), *_injection(), *_amounts(), *_series_and_vendor())

_BY_ID = {each.id: each for each in CASES}
IDS = tuple(_BY_ID)


def case(number: str) -> Case:
    """Return a case by its id."""
    return _BY_ID[number]
