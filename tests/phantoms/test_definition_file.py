"""A wrong definition says which file, which key and what would be right."""
# ruff: noqa: DTZ001  DICOM times carry no zone here

from datetime import datetime

import pytest
from petquant_phantoms import catalogue
from petquant_phantoms.definition_file import DefinitionError, merged, parsed

HALF = {
    "name": "front",
    "kind": "half_space",
    "centre_mm": [0.0, 0.0, 0.0],
    "normal": [0.0, -1.0, 0.0],
    "suv": 1.0,
}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"colour": "red"}, "broken: unknown colour; known are"),
        ({"grid": {"voxels": 3}}, r"broken: unknown voxels in \[grid\]"),
        ({"grid": {"shape": [8, 16]}}, r"broken: grid.shape must be 3 numbers, found \[8, 16\]"),
        ({"header": {"wieght_kg": 70.0}}, r"broken: unknown wieght_kg in \[header\]"),
        ({"header": {"tracer": "water"}}, "broken: header.tracer = 'water' is unknown; there are fdg"),
        ({"header": {"dialect": "acme"}}, "broken: dialect 'acme' is unknown; there are generic"),
        ({"header": {"injected_at": "10:00"}}, "broken: header.injected_at must be a local date-time"),
        (
            {"uptakes": [{"name": "a", "kind": "cone", "suv": 1.0}]},
            "broken: uptakes.a.kind = 'cone' is unknown",
        ),
        (
            {"uptakes": [{"name": "a", "kind": "sphere", "suv": 1.0}]},
            r"a sphere needs centre_mm, radius_mm in \[uptakes.a\]",
        ),
        ({"transfer_syntax": "morse"}, "broken: transfer_syntax = 'morse' is unknown; there are explicit"),
        ({"object": "3d"}, "broken: object = '3d' is unknown; there are classic, enhanced, legacy_converted"),
        ({"time_variant": "late"}, "broken: time_variant = 'late' is unknown; there are standard"),
        ({"header": {"dose_unit": "mCi"}}, "broken: dose_unit 'mCi' is neither Bq nor MBq"),
        ({"extras": ["ct"]}, "broken: extras = 'ct' is unknown; there are nac_series, mip"),
        ({"suv": {"liver": 2.0}}, r"broken: unknown liver in \[suv\]"),
        (
            {"point_spread": [{"weight": 1.5, "fwhm_mm": 8.0}]},
            "broken: the weights of a point spread must sum",
        ),
        ({"point_spread": [{"width": 8.0}]}, r"broken: unknown width in \[point_spread\]"),
        ({"noise": {"cv": 0.1, "fwhm_mm": 6.0, "marginal": "poisson"}}, "broken: noise.marginal = 'poisson'"),
        ({"noise": {"cv": -0.1, "fwhm_mm": 6.0}}, "broken: noise needs cv > 0"),
        ({"sampling": "mean"}, "broken: sampling = 'mean' is unknown; there are point, voxel_mean"),
        (
            {
                "uptakes": [HALF],
                "regions": [{"name": "front", "of": "front"}],
            },
            "broken: region front has no bounds",
        ),
    ],
)
def test_a_wrong_definition_is_refused_by_name(document, message):
    with pytest.raises(DefinitionError, match=message):
        parsed("broken", document)


def test_an_unknown_phantom_is_answered_with_the_names_of_all():
    with pytest.raises(DefinitionError, match="no phantom 'tinny'; there are acr, anisotropic"):
        catalogue.load("tinny")


def test_a_shape_within_another_adds_the_difference():
    shape = {"kind": "sphere", "centre_mm": [0, 0, 0], "radius_mm": 9.0}
    document = {
        "background_suv": 0.5,
        "uptakes": [
            {"name": "organ", "suv": 2.0, **shape},
            {"name": "lesion", "suv": 5.0, "within": "organ", **shape},
        ],
        "suv": {"lesion": 6.0},
    }
    contrasts = [uptake.contrast_suv for uptake in parsed("nested", document).body.uptakes]
    assert contrasts == [1.5, 4.0]


def test_tables_merge_and_everything_else_is_replaced():
    below = {"header": {"sex": "M", "weight_kg": 70.0}, "regions": [1, 2]}
    above = {"header": {"sex": "F"}, "regions": [3]}
    assert merged(below, above) == {"header": {"sex": "F", "weight_kg": 70.0}, "regions": [3]}


def test_midnight_lies_between_injection_and_scan():
    header = catalogue.load("midnight").header
    assert header.injected_at == datetime(2025, 1, 1, 23, 30)
    assert header.series_at == datetime(2025, 1, 2, 0, 30)
    assert header.decay_interval_s == 3600.0


def test_what_a_ct_shows_in_a_shape_stands_beside_its_uptake():
    shape = {"kind": "sphere", "centre_mm": [0, 0, 0], "radius_mm": 9.0, "suv": 1.0}
    document = {"uptakes": [{"name": "bone", "hu": 400, **shape}, {"name": "other", **shape}]}
    assert [uptake.hu for uptake in parsed("ct", document).body.uptakes] == [400.0, None]
