"""Every way to write a phantom ends as its definition says: with the true factor, or its code."""
# ruff: noqa: DTZ001  DICOM times carry no zone here

from datetime import datetime
from typing import get_args

import pytest
from petquant_phantoms import TINY, Bed
from petquant_phantoms.definition import PetObject
from petquant_phantoms.dialects import DIALECTS
from petquant_phantoms.variants import combinations, header_variants

EXACT = 1e-9  # as in test_suv_cases
TWO_BEDS = TINY.with_header(
    beds=(
        Bed(acquired_at=datetime(2025, 1, 1, 11, 0, 0), duration_s=603.0),
        Bed(acquired_at=datetime(2025, 1, 1, 11, 10, 20, 500000), duration_s=603.0),
    )
)


def assert_outcome(variant, judge):
    judged = judge(variant.definition)
    if variant.expected == "ok":
        assert judged.refusals() == set(), variant.name
        assert judged.error() <= EXACT, variant.name
    else:
        assert variant.expected in judged.refusals(), variant.name


OBJECTS = get_args(PetObject)


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("vendor", DIALECTS)
def test_every_combination_of_a_vendor(vendor, kind, judge):
    axes = {"vendors": [vendor], "transfer_syntaxes": ["explicit"], "objects": [kind]}
    for variant in combinations(TWO_BEDS, **axes):
        assert_outcome(variant, judge)


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("vendor", DIALECTS)
def test_every_way_to_write_the_header_of_a_vendor(vendor, kind, judge):
    for variant in header_variants(TINY.in_dialect(vendor=vendor, object=kind)):
        assert_outcome(variant, judge)
