"""The IBSI SUV cases are one object under many headers: cold 0.20, background 1.00, hot 4.00 must come back.

Case list: oncoray/suv_computation (CC BY 4.0). One stored unit is worth at most 1e-3 SUV; some slopes
therefore differ from the published ones. The object is `suv_dro` (256 x 256 x 20 voxels of 4 mm), or
`suv_dro_small` with the same levels. The Enhanced cases stand twice: with the dose in MBq as the standard
says, and, with ``_bq`` behind their number, in Bq as the published objects have it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from petquant_phantoms import definition_folder
from petquant_phantoms.pet_header import Bed
from petquant_phantoms.radiopharmaceuticals import PSMA_11, ZR89_ANTIBODY

if TYPE_CHECKING:
    from petquant_phantoms.definition import Definition, PetObject

MINIMUM_SUV, MEDIAN_SUV, MAXIMUM_SUV = 0.20, 1.00, 4.00
TOLERANCE_SUV = 0.005  # two decimals, the criterion of the survey

Edits = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One header of the survey and what must come of it: "ok" or the code of the refusal."""

    id: str
    definition: Definition

    @property
    def expected(self) -> str:
        """Return "ok" or the code of the refusal."""
        return self.definition.expected


def _at(clock: str, *, day: int = 1) -> datetime:
    return datetime.strptime(f"202501{day:02d}{clock}", "%Y%m%d%H%M%S")  # noqa: DTZ007  no zone here


_NOON_SERIES = Bed(acquired_at=_at("110000"), duration_s=300.0, frame_reference_s=150.0, decay_factor=1.0)

# Dialects by which the survey writes its vendor cases; Philips without the oddities of a clinical header.
_VENDORS = ("siemens", "ge", "philips_cnts", "generic")


def _base() -> Definition:
    published = definition_folder.load("suv_dro_small").with_header(
        beds=(_NOON_SERIES,), series_type="STATIC"
    )
    return replace(published, slope=(1.0,))


def _case(
    number: str,
    *,
    edits: Edits = (),
    slope: tuple[float, ...] = (1.0,),
    expected: str = "ok",
    object: PetObject = "classic",  # noqa: A002  the word of DICOM
    **header: Any,
) -> Case:
    varied = _base().with_header(**header) if header else _base()
    name = f"ibsi_suv_small/{number}"
    changes: dict[str, Any] = {"edits": edits, "slope": slope, "expected": expected, "object": object}
    return Case(id=number, definition=replace(varied, name=name, **changes))


def _in_grams_per_ml(number: str, suv_type: str, sex: str, **options: Any) -> Case:
    return _case(number, slope=(0.0005,), units="GML", suv_type=suv_type, sex=sex, **options)


def _reprocessed_beds(*, is_frame_start: bool) -> tuple[Bed, ...]:
    shift_s = 0.0 if is_frame_start else 300.0
    return tuple(
        Bed(acquired_at=_at(clock), duration_s=603.0, frame_reference_s=start_s + shift_s, decay_factor=1.0)
        for clock, start_s in (("110230", 150.0), ("110500", 300.0))
    )


def _units_and_normalisation() -> list[Case]:
    cases = [
        _case("0_0"),
        _case("1_0", slope=(2.0, 1.5)),
        _in_grams_per_ml("2_0", "BW", "O"),
    ]
    for group, suv_type in (("2_1", "LBMJAMES128"), ("2_2", "IBW"), ("2_6", "LBMJANMA")):
        cases += [_in_grams_per_ml(f"{group}_{n}", suv_type, sex) for n, sex in enumerate("MFO")]
    counts: dict[str, Any] = {"units": "CNTS", "dialect": "philips_cnts"}
    return [
        *cases,
        _case("2_3", slope=(0.0002,), units="CM2ML", suv_type="BSA"),
        _case("2_4", philips_factors="suv", philips_suv_factor=0.0005, has_private_creator=False, **counts),
        _case(
            "2_5",
            philips_factors="activity",
            philips_activity_factor=0.5,
            has_private_creator=False,
            **counts,
        ),
    ]


def _dose_and_reference_time() -> list[Case]:
    cases = [
        _case("3_0", edits=(("RadionuclideTotalDose", "368.08"),)),
        _case("3_1", decay_correction="ADMIN"),
    ]
    later: dict[str, Any] = {"series_at": _at("113000"), "decay_reference_at": _at("110000")}
    undecayed = tuple(Bed(acquired_at=_at(clock), duration_s=603.0) for clock in ("110000", "110500"))
    for n, vendor in enumerate(_VENDORS):
        beds = _reprocessed_beds(is_frame_start=vendor == "ge")
        cases.append(_case(f"3_2_{n}", dialect=vendor, has_private=False, beds=beds, **later))
        counts = {"units": "CNTS", "philips_factors": "activity", "philips_activity_factor": 0.5}
        cases.append(
            _case(
                f"3_4_{n}",
                dialect=vendor,
                decay_correction="NONE",
                beds=undecayed,
                **(counts if vendor == "philips_cnts" else {"has_private": False}),
            )
        )
        at_odds = replace(_NOON_SERIES, frame_reference_s=300.0)
        cases.append(_case(f"3_5_{n}", dialect=vendor, has_private=False, beds=(at_odds,)))
    for n, vendor in enumerate(("siemens", "ge")):
        beds = _reprocessed_beds(is_frame_start=vendor == "ge")
        cases.append(_case(f"3_3_{n}", dialect=vendor, beds=beds, **later))
    return cases


def _injection_and_nuclide() -> list[Case]:
    next_day: dict[str, Any] = {
        "injected_at": _at("233000"),
        "series_at": _at("003000", day=2),
        "beds": (replace(_NOON_SERIES, acquired_at=_at("003000", day=2)),),
    }
    return [
        _case("4_0", edits=(("RadiopharmaceuticalStartTime", None),)),
        _case("4_1", edits=(("RadiopharmaceuticalStartDateTime", None),)),
        _case("4_2", edits=(("RadiopharmaceuticalStartDateTime", None),), **next_day),
        _case("4_3", **next_day),
        _case("4_4", edits=(("AcquisitionDate", "20210317"),), **next_day),
        _case("4_5", **_zirconium()),
        _case("5_0", radiopharmaceutical=PSMA_11, half_life_s=4057.7),
    ]


def _zirconium() -> dict[str, Any]:
    return {"radiopharmaceutical": ZR89_ANTIBODY, "injected_at": _at("110000") - timedelta(hours=96)}


def _refusals() -> list[Case]:
    both_times = (("RadiopharmaceuticalStartTime", None), ("RadiopharmaceuticalStartDateTime", None))
    ideal = [
        ("error_2_2", ("PatientSex", None), "SEX_INVALID"),
        ("error_2_3", ("PatientSex", "X"), "SEX_INVALID"),
        ("error_2_4", ("PatientSize", None), "HEIGHT_MISSING"),
        ("error_2_5", ("PatientSize", "0"), "HEIGHT_MISSING"),
    ]
    plain: list[tuple[str, Edits, str]] = [
        ("error_2_0", (("PatientWeight", None),), "WEIGHT_MISSING"),
        ("error_2_1", (("PatientWeight", "0"),), "WEIGHT_NOT_POSITIVE"),
        ("error_3_0", (("RadionuclideTotalDose", None),), "DOSE_MISSING"),
        ("error_3_1", (("RadionuclideTotalDose", "-368080000"),), "DOSE_NOT_POSITIVE"),
        ("error_3_2", (("ActualFrameDuration", None),), "FRAME_DURATION_MISSING"),
        ("error_4_0", both_times, "INJ_TIME_MISSING"),
        ("error_5_0", (("RadionuclideHalfLife", None),), "HALF_LIFE_MISSING"),
    ]
    return [
        *(_case(number, edits=edits, expected=code) for number, edits, code in plain),
        *(_in_grams_per_ml(number, "IBW", "O", edits=(edit,), expected=code) for number, edit, code in ideal),
        _case(
            "error_2_6",
            units="CNTS",
            dialect="philips_cnts",
            philips_factors="none",
            expected="CNTS_NO_FACTOR",
        ),
        _case("error_2_7", units="PROPCNTS", expected="UNITS_NOT_QUANTITATIVE"),
        _case("error_4_1", edits=both_times[1:], expected="INJ_TIME_ONLY_LONG_LIVED", **_zirconium()),
        _case(
            "error_4_2",
            edits=(("RadiopharmaceuticalStartDateTime", "20200101110000"),),
            expected="INJ_DATE_SHIFTED_LONG_LIVED",
            **_zirconium(),
        ),
    ]


def _enhanced(*, suffix: str = "", **options: Any) -> list[Case]:
    """Return the Enhanced cases: one slope, one a frame, stored SUV, late series, no decay correction."""
    options |= {"object": "enhanced"}
    late: dict[str, Any] = {"series_at": _at("113000"), "decay_reference_at": _at("110000")}
    undecayed = tuple(Bed(acquired_at=_at(clock), duration_s=603.0) for clock in ("110000", "110500"))
    return [
        _case(f"7_0_0{suffix}", **options),
        _case(f"7_1_0{suffix}", slope=(2.0, 1.5), **options),
        _in_grams_per_ml(f"7_2_0{suffix}", "BW", "O", **options),
        _case(f"7_3_0{suffix}", **late, **options),
        _case(f"7_3_1{suffix}", decay_correction="NONE", beds=undecayed, **options),
    ]


def _as_published() -> list[Case]:
    """Return cases of the list once more, as the published objects deviate from the standard."""
    without_creator = [
        replace(
            each,
            id=f"{each.id}_no_creator",
            definition=replace(
                each.definition.with_header(has_private_creator=False),
                name=f"{each.definition.name}_no_creator",
            ),
        )
        for each in _dose_and_reference_time()
        if each.id.startswith("3_3_")
    ]
    return [*without_creator, *_enhanced(suffix="_bq", dose_unit="Bq")]


# The 43 valid and 15 invalid cases of the list.
CASES: tuple[Case, ...] = (
    *_units_and_normalisation(),
    *_dose_and_reference_time(),
    *_injection_and_nuclide(),
    *_enhanced(),
    *_refusals(),
)

# Seven of them again: the dose of Enhanced objects in Bq, private times without their creator.
AS_PUBLISHED: tuple[Case, ...] = tuple(_as_published())

_BY_ID = {each.id: each for each in (*CASES, *AS_PUBLISHED)}
IDS = tuple(_BY_ID)


def case(number: str, *, is_small: bool = True) -> Case:
    """Return a case on the small object, or on the full one of 256 x 256 x 20 voxels."""
    small = _BY_ID[number]
    if is_small:
        return small
    full = definition_folder.load("suv_dro")
    name = f"ibsi_suv/{number}"
    return Case(id=number, definition=replace(small.definition, name=name, grid=full.grid, body=full.body))
