"""Our own SUV cases as the phantoms write them: outcome and codes are those of the list.

The single cases are looked into in `test_suv_cases`; here every one is held to what its definition announces.
"""

import pytest
from petquant_phantoms import own_suv_cases

EXACT = 1e-9  # as in test_suv_cases

# Found only when voxels are read, or when the size of the patient is needed.
NOT_FROM_HEADERS = {"ACTIVITY_BALANCE_HIGH"}
NEEDS_HEIGHT = {"HEIGHT_IN_CM"}


@pytest.mark.parametrize("case", own_suv_cases.CASES, ids=lambda case: case.id)
def test_an_own_case_ends_as_its_definition_says(case, judge):
    judged = judge(case.definition, suv_types=("bw", "bsa") if case.codes & NEEDS_HEIGHT else ("bw",))
    assert case.codes - NOT_FROM_HEADERS <= judged.codes
    if case.expected == "ok":
        assert judged.refusals() == set()
        assert judged.error() <= EXACT
    else:
        assert case.expected in judged.refusals()
