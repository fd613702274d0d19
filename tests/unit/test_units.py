"""What one stored value is, row by row of suv.md section 3."""

from __future__ import annotations

import pytest

from petquant.acquisition import PrivateValues, Written
from petquant.overrides import Overrides
from petquant.suv.units import stored_quantity


@pytest.fixture
def stored(make_acquisition, make_written):
    def of(units, *, suv_type=None, suvsf=None, acsf=None, decay="START", volume_ml=None, **others):
        private = PrivateValues(
            suv_scale_factor=Written() if suvsf is None else make_written(suvsf),
            activity_scale_factor=Written() if acsf is None else make_written(acsf),
        )
        acquisition = make_acquisition(
            units=Written() if units is None else make_written(units),
            suv_type=Written() if suv_type is None else make_written(suv_type),
            private=private,
            voxel_volume_ml=volume_ml,
            **{key: others.pop(key) for key in ("corrections",) if key in others},
        )
        return stored_quantity(acquisition, Overrides(**others), decay=decay)

    return of


def codes(quantity) -> list[str]:
    return [finding.code for finding in quantity.findings]


def routes(quantity) -> tuple:
    return quantity.bqml_per_value, quantity.suvbw_per_value, quantity.suv and quantity.suv.name


def test_becquerel_per_millilitre_is_itself(stored):
    for words in ("BQML", " bqml "):
        assert (routes(stored(words)), codes(stored(words))) == ((1.0, None, None), [])


def test_vendor_factors_beside_becquerel_are_not_applied(stored):
    quantity = stored("BQML", suvsf=0.0035, acsf=4.7)
    assert routes(quantity) == (1.0, None, None)
    assert set(codes(quantity)) == {"PHILIPS_FACTOR_IGNORED"}


@pytest.mark.parametrize(
    ("units", "suv_type", "name", "expected"),
    [
        ("GML", None, "bw", ["SUVTYPE_ASSUMED_BW"]),
        ("GML", "BW", "bw", []),
        ("GML", "LBM", "lbm-morgan", []),
        ("GML", "LBMJAMES128", "lbm-james128", []),
        ("GML", "LBMJANMA", "lbm-janma", []),
        ("GML", "IBW", "ibw", []),
        ("CM2ML", None, "bsa", ["SUVTYPE_ASSUMED_BSA"]),
        ("CM2ML", "BSA", "bsa", []),
        ("GML", "BSA", None, ["SUVTYPE_UNKNOWN"]),
        ("CM2ML", "BW", None, ["SUVTYPE_UNKNOWN"]),
        ("GML", "SUV", None, ["SUVTYPE_UNKNOWN"]),
    ],
)
def test_values_that_are_suv_already(units, suv_type, name, expected, stored):
    quantity = stored(units, suv_type=suv_type)
    assert routes(quantity) == (None, None, name)
    assert codes(quantity) == expected


@pytest.mark.parametrize(
    ("suvsf", "acsf", "decay", "options", "expected"),
    [
        (0.5, 2.0, "START", {}, (None, 0.5, None)),
        (0.5, None, "START", {}, (None, 0.5, None)),
        (None, 2.0, "START", {}, (2.0, None, None)),
        (0.0, 2.0, "START", {}, (2.0, None, None)),
        (-0.5, 2.0, "START", {}, (2.0, None, None)),
        (0.5, 0.0, "ADMIN", {}, (None, 0.5, None)),
        (0.5, 2.0, "NONE", {}, (2.0, None, None)),
        (0.5, 2.0, "START", {"weight_kg": 70.0}, (2.0, None, None)),
        (0.5, 2.0, "START", {"dose_mbq": 70.0}, (2.0, None, None)),
        (0.5, 2.0, "START", {"half_life": "nuclide"}, (2.0, None, None)),
        (0.5, 2.0, "START", {"injection_time": "10:00"}, (2.0, None, None)),
        (0.5, 2.0, "START", {"decay_reference": "series"}, (2.0, None, None)),
        (0.5, 2.0, "START", {"sex": "F"}, (None, 0.5, None)),
        (0.5, 2.0, "START", {"counts_to_bqml": 3.0}, (3.0, None, None)),
    ],
)
def test_counts_take_the_factor_that_holds(*, suvsf, acsf, decay, options, expected, stored):
    quantity = stored("CNTS", suvsf=suvsf, acsf=acsf, decay=decay, **options)
    assert routes(quantity) == expected
    assert codes(quantity) == []


@pytest.mark.parametrize(
    ("suvsf", "acsf", "decay", "options", "code"),
    [
        (None, None, "START", {}, "CNTS_NO_FACTOR"),
        (0.0, 0.0, "START", {}, "CNTS_NO_FACTOR"),
        (0.5, None, "NONE", {}, "CNTS_NO_FACTOR"),
        (0.5, None, "START", {"weight_kg": 70.0}, "PHILIPS_OVERRIDE_NEEDS_ACSF"),
        (0.5, 0.0, "START", {"injection_datetime": "2025-01-01T10:00"}, "PHILIPS_OVERRIDE_NEEDS_ACSF"),
    ],
)
def test_counts_without_a_factor_that_holds_are_refused(*, suvsf, acsf, decay, options, code, stored):
    quantity = stored("CNTS", suvsf=suvsf, acsf=acsf, decay=decay, **options)
    assert (routes(quantity), codes(quantity)) == ((None, None, None), [code])


@pytest.mark.parametrize(
    ("units", "code"),
    [
        *(
            (units, "UNITS_NOT_QUANTITATIVE")
            for units in ("PROPCPS", "PROPCNTS", "1CM", "PCNT", "NONE", "CM2")
        ),
        *(
            (units, "UNITS_NOT_SUV")
            for units in ("MGMINML", "UMOLMINML", "MLMING", "MLG", "UMOLML", "STDDEV", "X")
        ),
        ("CPS", "CPS_UNSUPPORTED"),
        (None, "UNITS_MISSING"),
        ("  ", "UNITS_MISSING"),
    ],
)
def test_a_unit_that_is_no_suv_is_refused_by_its_name(units, code, stored):
    quantity = stored(units)
    assert (routes(quantity), codes(quantity)) == ((None, None, None), [code])
    if units and units.strip():
        assert units in quantity.findings[0].sentence()


def test_calibrated_counts_per_second_are_divided_by_the_voxel(stored):
    dcal = Written(value=("ATTN", "DECY", "DCAL"))
    asked = {"units_override": "cps-dcal", "volume_ml": 0.05}
    assert routes(stored("CPS", corrections=dcal, **asked)) == (pytest.approx(20.0), None, None)
    assert codes(stored("CPS", **asked)) == ["CPS_UNSUPPORTED"]  # no DCAL
    assert codes(stored("CPS", corrections=dcal, volume_ml=0.05)) == ["CPS_UNSUPPORTED"]  # not asked for
    assert codes(stored("CPS", corrections=dcal, units_override="cps-dcal")) == ["CPS_UNSUPPORTED"]  # no grid
