"""The conversion as a whole: routes, what each needs, and a refusal that collects every cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petquant.acquisition import Frame, Instant, PrivateValues, Written
from petquant.errors import Finding, UsageError
from petquant.overrides import Overrides
from petquant.suv.conversion import convert
from petquant.suv.normalisation import NORMALISATIONS

T = 6586.2
ELEVEN = datetime.fromisoformat("2025-01-01T11:00:00")
PER_BQ = 70e3 / 350e6
START = PER_BQ * 2.0 ** (3600.0 / T)
ALL_TYPES = tuple(row.name for row in NORMALISATIONS)
NOTHING = Written()


def refused(conversion, *suv_types) -> set[str]:
    return {finding.code for finding in conversion.refusals(suv_types or ("bw",))}


def without_injection(make_item):
    return (make_item(dose=NOTHING, half_life_s=NOTHING, injected_at=NOTHING, injected_clock=NOTHING),)


def test_start(make_acquisition):
    conversion = convert(make_acquisition(), Overrides())
    assert conversion.scale("bw").factor == pytest.approx(START, rel=1e-12)
    assert conversion.decay_reference_at == ELEVEN
    assert conversion.decay_interval_s == 3600.0
    assert conversion.uptake_time_min == 60.0
    assert conversion.injected_activity_bq == 350e6
    assert conversion.decayed_activity_bq == pytest.approx(350e6 * 2.0 ** (-3600.0 / T), rel=1e-12)
    assert conversion.findings == ()
    assert conversion.rule == "Bq/mL as stored; START W / (D 2^(-dt/T_half))"


def test_the_two_intervals_are_kept_apart(make_acquisition, make_written):
    late = Frame(acquired_at=ELEVEN + timedelta(minutes=16), duration_s=300.0)
    conversion = convert(make_acquisition(frames=(late, late)), Overrides())
    assert conversion.decay_interval_s == 3600.0
    assert conversion.uptake_time_min == 76.0


def test_admin_needs_dose_and_weight_alone(make_acquisition, make_item, make_written):
    bare = make_item(half_life_s=NOTHING, injected_at=NOTHING, injected_clock=NOTHING)
    conversion = convert(
        make_acquisition(
            decay_correction=make_written("ADMIN"),
            radiopharmaceuticals=(bare,),
            frames=(Frame(),),
            series_at=NOTHING,
        ),
        Overrides(),
    )
    assert conversion.scale("bw").factor == pytest.approx(PER_BQ, rel=1e-15)
    assert refused(conversion) == set()
    assert conversion.decay_interval_s == 0.0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"half_life_s": 4062.6}, "HALF_LIFE_WRONG_NUCLIDE"),
        ({"injected_at": "2025-01-01T01:00:00"}, "UPTAKE_IMPLAUSIBLE"),
    ],
)
def test_what_contradicts_refuses_admin_too(change, code, make_acquisition, make_item, make_written):
    values = {
        key: make_written(Instant(datetime.fromisoformat(value)) if key == "injected_at" else value)
        for key, value in change.items()
    }
    item = make_item(injected_clock=NOTHING, **values)
    conversion = convert(
        make_acquisition(decay_correction=make_written("ADMIN"), radiopharmaceuticals=(item,)), Overrides()
    )
    assert refused(conversion) == {code}
    assert conversion.scales == ()


def test_suv_as_stored_needs_nothing(make_acquisition, make_item, make_written):
    conversion = convert(
        make_acquisition(
            units=make_written("GML"),
            suv_type=make_written("BW"),
            weight_kg=NOTHING,
            height_m=NOTHING,
            sex=NOTHING,
            decay_correction=NOTHING,
            corrections=NOTHING,
            series_at=NOTHING,
            frames=(Frame(),),
            radiopharmaceuticals=without_injection(make_item),
        ),
        Overrides(),
        suv_types=("bw", "native"),
    )
    assert conversion.scale("bw").factor == 1.0
    assert conversion.scale("native").factor == 1.0
    assert refused(conversion, "bw", "native") == set()


def test_counts_with_the_vendor_factor_need_no_patient(make_acquisition, make_item, make_written):
    conversion = convert(
        make_acquisition(
            units=make_written("CNTS"),
            private=PrivateValues(suv_scale_factor=make_written(0.0005)),
            weight_kg=NOTHING,
            series_at=NOTHING,
            frames=(Frame(),),
            radiopharmaceuticals=without_injection(make_item),
        ),
        Overrides(),
    )
    assert conversion.scale("bw").factor == 0.0005
    assert refused(conversion) == set()


def test_other_types_of_such_counts_need_the_weight(make_acquisition, make_written):
    conversion = convert(
        make_acquisition(
            units=make_written("CNTS"),
            private=PrivateValues(suv_scale_factor=make_written(0.0005)),
            weight_kg=NOTHING,
        ),
        Overrides(),
        suv_types=("bw", "lbm-janma"),
    )
    assert refused(conversion, "bw") == set()
    assert refused(conversion, "lbm-janma") == {"WEIGHT_MISSING"}
    assert conversion.scale("bw") is not None
    assert conversion.scale("lbm-janma") is None


@pytest.mark.parametrize(
    ("suvsf", "is_flagged"), [(1.009, False), (0.991, False), (1.011, True), (0.989, True)]
)
def test_vendor_and_header_factor_may_differ_by_one_percent(
    suvsf, is_flagged, make_acquisition, make_written
):
    private = PrivateValues(
        suv_scale_factor=make_written(suvsf * START * 2.5), activity_scale_factor=make_written(2.5)
    )
    conversion = convert(make_acquisition(units=make_written("CNTS"), private=private), Overrides())
    codes = [finding.code for finding in conversion.findings]
    assert ("PHILIPS_FACTORS_DISAGREE" in codes) is is_flagged
    assert conversion.scale("bw").factor == pytest.approx(suvsf * START * 2.5, rel=1e-15)


def test_a_weight_of_the_user_acts_on_counts_by_the_activity_factor(make_acquisition, make_written):
    private = PrivateValues(
        suv_scale_factor=make_written(START * 2.5), activity_scale_factor=make_written(2.5)
    )
    conversion = convert(
        make_acquisition(units=make_written("CNTS"), private=private), Overrides(weight_kg=140.0)
    )
    assert conversion.scale("bw").factor == pytest.approx(2.0 * START * 2.5, rel=1e-12)
    # the vendor's ratio rests on 70 kg: it must not testify that the reference lies a half-life off
    assert refused(conversion) == set()
    assert next(c for c in conversion.timing.verdict.candidates if c.id == "R").at is None


def test_every_type_follows_from_body_weight(make_acquisition):
    conversion = convert(make_acquisition(), Overrides(), suv_types=ALL_TYPES)
    # N of 70 kg, 1.75 m, M (suv.md section 11), printed with six decimals
    masses = {"bw": 70.0, "lbm-janma": 55.857108, "lbm-james128": 56.52, "lbm-morgan": 57.8, "bsa": 18.481430,
              "ibw": 72.38}  # fmt: skip
    for name, mass in masses.items():
        assert conversion.scale(name).factor == pytest.approx(START * mass / 70.0, rel=5e-8)


@pytest.mark.parametrize("stored", [row.suv_type for row in NORMALISATIONS])
def test_every_stored_type_becomes_every_other(stored, make_acquisition, make_written):
    acquisition = make_acquisition(
        units=make_written("CM2ML" if stored == "BSA" else "GML"), suv_type=make_written(stored)
    )
    conversion = convert(acquisition, Overrides(), suv_types=ALL_TYPES)
    from_activity = convert(make_acquisition(), Overrides(), suv_types=ALL_TYPES)
    own = next(row.name for row in NORMALISATIONS if row.suv_type == stored)
    for name in ALL_TYPES:
        ratio = from_activity.scale(name).factor / from_activity.scale(own).factor
        assert conversion.scale(name).factor == pytest.approx(ratio, rel=1e-12)


def test_a_missing_height_refuses_only_what_needs_it(make_acquisition):
    conversion = convert(make_acquisition(height_m=NOTHING), Overrides(), suv_types=ALL_TYPES)
    assert refused(conversion, "bw") == set()
    assert [scale.name for scale in conversion.scales] == ["bw"]
    for name in ALL_TYPES[1:]:
        assert refused(conversion, name) == {"HEIGHT_MISSING"}


def test_native_of_activity_is_refused_and_nothing_else(make_acquisition):
    conversion = convert(make_acquisition(), Overrides(), suv_types=("bw", "native"))
    assert refused(conversion, "native") == {"UNITS_NOT_SUV"}
    assert refused(conversion, "bw") == set()


def test_an_suv_type_that_is_none_is_a_usage_error(make_acquisition):
    with pytest.raises(UsageError, match="--suv is 'suvmax'"):
        convert(make_acquisition(), Overrides(), suv_types=("suvmax",))


def test_every_cause_is_collected(make_acquisition, make_item, make_written):
    item = make_item(dose=NOTHING, half_life_s=NOTHING, injected_at=NOTHING, injected_clock=NOTHING)
    conversion = convert(
        make_acquisition(
            weight_kg=make_written(0.0),
            units=make_written("PROPCPS"),
            decay_correction=NOTHING,
            attenuation="absent",
            radiopharmaceuticals=(item,),
            findings=(Finding(code="MIXED_VALUES", found="70 on 3 slices, 71 on 1 slices"),),
        ),
        Overrides(),
    )
    assert refused(conversion) == {
        "WEIGHT_NOT_POSITIVE",
        "UNITS_NOT_QUANTITATIVE",
        "DECAY_CORRECTION_MISSING",
        "SERIES_NAC",
        "DOSE_MISSING",
        "HALF_LIFE_MISSING",
        "INJ_TIME_MISSING",
        "MIXED_VALUES",
    }


def test_a_refused_conversion_holds_no_factor(make_acquisition):
    conversion = convert(make_acquisition(attenuation="absent"), Overrides())
    assert refused(conversion) == {"SERIES_NAC"}
    assert conversion.scales == ()
    allowed = convert(make_acquisition(attenuation="absent"), Overrides(), allow_nac=True)
    assert allowed.scale("bw") is not None
    assert "NAC_ALLOWED" in {finding.code for finding in allowed.findings}


def test_every_option_stands_in_the_findings_with_its_value(make_acquisition):
    conversion = convert(make_acquisition(), Overrides(weight_kg=80.0, sex="F"))
    texts = [finding.found for finding in conversion.findings if finding.code == "OVERRIDE"]
    assert [text.partition(" was given")[0] for text in texts] == ["--weight-kg 80.0", "--sex F"]
    assert conversion.acquisition.weight_kg.replaced == "70.0"


def test_a_net_dose_replaces_the_header_s(make_acquisition, make_item):
    options = Overrides(assay_mbq=400.0, assay_time="09:30", residual_mbq=8.0, residual_time="09:30")
    conversion = convert(make_acquisition(), options)
    net = 392e6 * 2.0 ** (-1800.0 / T)
    assert conversion.injected_activity_bq == pytest.approx(net, rel=1e-12)
    assert conversion.scale("bw").factor == pytest.approx(START * 350e6 / net, rel=1e-12)
    absent = convert(make_acquisition(radiopharmaceuticals=(make_item(dose=NOTHING),)), options)
    assert refused(absent) == set()


def test_a_private_time_is_believed_only_after_the_injection(make_acquisition, make_written):
    def private(text):
        return PrivateValues(decay_corrected_to=make_written(Instant(datetime.fromisoformat(text))))

    assert (
        convert(make_acquisition(private=private("2025-01-01T10:59:00")), Overrides()).decay_interval_s
        == 3540.0
    )
    day_before = convert(make_acquisition(private=private("2024-12-31T11:00:00")), Overrides())
    assert day_before.decay_interval_s == 3600.0
    assert "PRIVATE_TIME_REJECTED" in {finding.code for finding in day_before.findings}


@pytest.mark.parametrize("days", [-3000, -1, 1, 2, 400])
def test_acquisition_dates_are_put_back_by_whole_days(days, make_acquisition):
    shifted = Frame(acquired_at=ELEVEN + timedelta(days=days, seconds=5), duration_s=300.0)
    conversion = convert(make_acquisition(frames=(shifted,)), Overrides())
    assert conversion.frames[0].acquired_at == ELEVEN + timedelta(seconds=5)
    assert "ACQ_DATE_SHIFTED" in {finding.code for finding in conversion.findings}


def test_acquisition_dates_of_long_lived_nuclides_are_left_alone(make_acquisition, make_item, make_written):
    item = make_item(half_life_s=make_written(282276.0), name=NOTHING, nuclide_code=make_written("63360001"),
                     nuclide_meaning=NOTHING)  # fmt: skip
    late = Frame(acquired_at=ELEVEN + timedelta(days=2), duration_s=300.0)
    conversion = convert(make_acquisition(frames=(late,), radiopharmaceuticals=(item,)), Overrides())
    assert conversion.frames[0].acquired_at == ELEVEN + timedelta(days=2)


def test_messages_about_dates_quote_what_de_identification_did(make_acquisition):
    shifted = Frame(acquired_at=ELEVEN + timedelta(days=30), duration_s=300.0)
    note = (("LongitudinalTemporalInformationModified", "MODIFIED"),)
    conversion = convert(make_acquisition(frames=(shifted,), deidentification=note), Overrides())
    finding = next(f for f in conversion.findings if f.code == "ACQ_DATE_SHIFTED")
    assert "LongitudinalTemporalInformationModified (0028,0303) is MODIFIED" in finding.line()
    assert finding.line().startswith("ACQ_DATE_SHIFTED: series 1.2.3: AcquisitionDate (0008,0022) is ")


@given(
    weight_kg=st.floats(1e-300, 1e300),
    dose_bq=st.floats(1e-300, 1e300),
    half_life_s=st.floats(1e-300, 1e300),
    duration_s=st.floats(1e-3, 1e300),
    reference_s=st.floats(-1e300, 1e300),
    decay_factor=st.floats(-1e300, 1e300),
    state=st.sampled_from(["START", "ADMIN", "NONE"]),
    is_named=st.booleans(),
)
def test_any_finite_numbers_end_in_a_factor_or_a_code(
    *, make_acquisition, make_item, make_written, weight_kg, dose_bq, half_life_s, duration_s, reference_s,
    decay_factor, state, is_named,
):  # fmt: skip
    names = {} if is_named else {"name": NOTHING, "nuclide_code": NOTHING, "nuclide_meaning": NOTHING}
    item = make_item(dose=make_written(dose_bq), half_life_s=make_written(half_life_s), **names)
    frame = Frame(
        acquired_at=ELEVEN, duration_s=duration_s, reference_s=reference_s, decay_factor=decay_factor
    )
    acquisition = make_acquisition(
        weight_kg=make_written(weight_kg),
        decay_correction=make_written(state),
        corrections=make_written(("ATTN",) if state == "NONE" else ("ATTN", "DECY")),
        radiopharmaceuticals=(item,),
        frames=(frame, replace(frame, acquired_at=ELEVEN + timedelta(seconds=300))),
    )
    conversion = convert(acquisition, Overrides(), suv_types=ALL_TYPES)
    assert (conversion.scale("bw") is None) == bool(refused(conversion))
    for scale in conversion.scales:
        factors = scale.factor if isinstance(scale.factor, tuple) else (scale.factor,)
        assert all(0.0 < k < float("inf") for k in factors)
