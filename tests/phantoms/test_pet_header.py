"""What a header makes of a voxel of SUV 1, by hand."""
# ruff: noqa: DTZ001  DICOM times carry no zone here

from dataclasses import replace
from datetime import datetime

import pytest
from petquant_phantoms import TINY, Bed, PetHeader, decay
from petquant_phantoms.normalisation import stored_per_suvbw

PUBLISHED = PetHeader(injected_activity_bq=368.08e6)  # 70 kg, 10:00 to 11:00, 18F 6586.2 s


@pytest.mark.parametrize(
    ("half_life_s", "duration_s", "average_s"),
    [
        (6586.2, 60.0, 29.984214),
        (6586.2, 300.0, 149.605344),
        (6586.2, 1200.0, 593.686298),
        (4062.6, 603.0, 298.915322),
        (76.38, 1200.0, 263.125755),
    ],
)
def test_average_count_time_is_the_tabulated_one(half_life_s, duration_s, average_s):
    found = decay.average_count_time_s(duration_s, half_life_s=half_life_s)
    assert found == pytest.approx(average_s, abs=0.5e-6 + 1e-9)  # six decimals in the table


def test_base_factor_of_the_survey_comes_out():
    assert 1.0 / PUBLISHED.activity_per_suv(PUBLISHED.beds[0]) == pytest.approx(2.7777812e-4, abs=0.5e-11)


def test_admin_has_no_decay_and_none_decays_to_the_average_count():
    bed = PUBLISHED.beds[0]
    dose_per_gram = 368.08e6 / 70000.0
    assert replace(PUBLISHED, decay_correction="ADMIN").activity_per_suv(bed) == dose_per_gram
    # exp(-lambda t) (1 - exp(-x)) / x is decay to t + T_ave
    expected = dose_per_gram * 2.0 ** (-(3600.0 + 149.605344) / 6586.2)
    found = replace(PUBLISHED, decay_correction="NONE").activity_per_suv(bed)
    assert found == pytest.approx(expected, rel=1e-9)  # T_ave is quoted to 1e-6 s


def test_decay_factor_of_a_published_scan_comes_out():
    # SeriesTime 16:20:16, AcquisitionTime 17:10:15, 1200 s, 18F 6586.2 s: the scanner wrote 1.45951
    series_at = datetime(2025, 1, 1, 16, 20, 16)
    bed = Bed(acquired_at=datetime(2025, 1, 1, 17, 10, 15), duration_s=1200.0)
    header = replace(PUBLISHED, series_at=series_at, beds=(bed,))
    assert header.decay_factor(bed) == pytest.approx(1.45951, abs=1e-5)


@pytest.mark.parametrize(
    ("suv_type", "sex", "mass_kg"),
    [
        ("LBM", "M", 57.8),
        ("LBM", "F", 51.22),
        ("LBMJAMES128", "M", 56.52),
        ("LBMJAMES128", "O", 53.87),
        ("LBMJANMA", "M", 55.857108),
        ("LBMJANMA", "F", 45.197015),
        ("LBMJANMA", "O", 50.527061),
        ("IBW", "M", 72.38),
        ("IBW", "F", 66.43),
        ("IBW", "O", 69.405),
        ("BSA", "M", 18.481430),
    ],
)
def test_normalisers_are_the_tabulated_ones(suv_type, sex, mass_kg):
    found = stored_per_suvbw(suv_type, weight_kg=70.0, height_m=1.75, sex=sex)
    assert 70.0 * found == pytest.approx(mass_kg, abs=0.6e-6)  # six or seven decimals in the table


def test_half_life_of_the_header_rules_over_that_of_the_nuclide():
    assert replace(PUBLISHED, half_life_s=6588.0).used_half_life_s == 6588.0
    assert PUBLISHED.used_half_life_s == 6586.2


def test_beds_share_the_slices_evenly_in_order():
    beds = tuple(Bed(acquired_at=datetime(2025, 1, 1, 11, 5 * n)) for n in range(3))
    header = replace(PUBLISHED, beds=beds)
    assert [beds.index(header.bed_of_slice(k, n_slices=7)) for k in range(7)] == [0, 0, 0, 1, 1, 2, 2]


def test_unknown_dialects_and_decay_corrections_are_refused():
    with pytest.raises(ValueError, match="dialect 'acme' is unknown; there are generic, siemens"):
        PetHeader(dialect="acme")
    with pytest.raises(ValueError, match="decay_correction 'SCAN' is not START, ADMIN or NONE"):
        TINY.with_header(decay_correction="SCAN")
