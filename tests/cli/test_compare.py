"""``petquant compare``: two scans or a cohort in; tables, record and methods out."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from petquant_phantoms import Body, Definition, ImageGrid, Region, Sphere, Study, Uptake, write_study
from petquant_phantoms.body import Cylinder, Ellipsoid
from petquant_phantoms.ct_series import CtScan, Tissue
from petquant_phantoms.radiopharmaceuticals import FDG, PENTIXAFOR

# lesion: centre, SUV of FDG and of Pentixafor, drawn on; blood pool 1.0 on both, body 0.3
CENTRES = {"one": (-24.0, -16.0, 0.0), "two": (20.0, -16.0, 0.0), "three": (-22.0, 18.0, 0.0)}
FDG_SUV = {"one": 9.0, "two": 5.0, "three": 0.5}
PENTIXAFOR_SUV = {"one": 4.0, "two": 0.75, "three": 6.0}
POOL = (22.0, 18.0, 0.0)
GRID = ImageGrid(shape=(10, 24, 28), spacing_mm=(4.0, 4.0, 4.0))
FILES = {
    "lesions.csv", "pairs.csv", "regions.csv", "patients.csv", "concordance.csv", "comparison.json",
    "methods.txt", "pseudonym.key",
}  # fmt: skip
RULE = ("--positivity", ">1.5*blood_pool")


def moved(centre, shift):
    return tuple(c + s for c, s in zip(centre, shift, strict=True))


def scan_of(name, tracer, values, *, drawn=None, frame="one place", shift=(0.0, 0.0, 0.0), ct=None, **header):
    """A scan of spheres of 8 mm in a body of SUV 0.3; every voxel of a sphere has its SUV."""
    body = Uptake(
        name="body", shape=Sphere(centre_mm=moved((0, 0, 0), shift), radius_mm=400.0), contrast_suv=0.3
    )
    spheres = {
        lesion: Sphere(centre_mm=moved(centre, shift), radius_mm=8.0) for lesion, centre in CENTRES.items()
    }
    pool = Sphere(centre_mm=moved(POOL, shift), radius_mm=9.0)
    uptakes = [
        Uptake(name=lesion, shape=shape, contrast_suv=values[lesion] - 0.3)
        for lesion, shape in spheres.items()
    ]
    uptakes.append(Uptake(name="pool", shape=pool, contrast_suv=0.7))
    named = drawn if drawn is not None else [lesion for lesion, suv in values.items() if suv > 1.5]
    regions = [Region(name=lesion, shape=spheres[lesion]) for lesion in named]
    regions.append(
        Region(
            name="blood_pool", shape=Sphere(centre_mm=moved(POOL, shift), radius_mm=6.0), role="background"
        )
    )
    definition = Definition(
        name=name,
        grid=ImageGrid.centred(shape=GRID.shape, spacing_mm=GRID.spacing_mm, centre_mm=shift),
        body=Body(uptakes=(body, *uptakes), regions=tuple(regions)),
        frame_of_reference=frame,
        ct=ct,
    )
    return definition.with_header(radiopharmaceutical=tracer, **header)


@dataclass(frozen=True)
class Two:
    """Two studies with their arguments."""

    a: Study
    b: Study

    def words(self, *options, labels=True):
        words = [self.a.dicom, self.b.dicom]
        for letter, study in (("a", self.a), ("b", self.b)):
            words += [f"--roi-{letter}", study.lesions]
            words += [f"--background-{letter}", f"blood_pool={study.backgrounds['blood_pool']}"]
            words += [f"--labels-{letter}", study.labels] if labels else []
        return [*words, *options]


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Two:
    root = tmp_path_factory.mktemp("two")
    return Two(
        write_study(scan_of("fdg", FDG, FDG_SUV), root / "a"),
        write_study(scan_of("pentixafor", PENTIXAFOR, PENTIXAFOR_SUV), root / "b"),
    )


@pytest.fixture
def compared(petquant_within, tmp_path):
    def run(*words, code=0):
        result = petquant_within("compare", *words, "-o", "out", "--format", "json")
        assert result.code == code, result.err
        record = json.loads((tmp_path / "out/comparison.json").read_bytes())
        assert result.json == record
        assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
        return record

    return run


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def counts(found):
    return tuple(found[name] for name in ("both", "a_only", "b_only", "neither"))


def test_two_scans_in_one_frame_give_every_lesion_a_value_of_both(compared, two, tmp_path):
    record = compared(*two.words(*RULE))
    assert record["tracers"] == ["[18F]FDG", "[68Ga]Pentixafor"]
    rows = {row["name_a"]: row for row in table(tmp_path / "out", "pairs")}
    assert set(rows) == {"one", "two", "three"}
    for name, row in rows.items():  # a 16-bit step of the largest value, 9 / 32767, and rounding of the slope
        assert float(row["suv_max_a"]) == pytest.approx(FDG_SUV[name], abs=5e-4)
        assert float(row["suv_max_b"]) == pytest.approx(PENTIXAFOR_SUV[name], abs=5e-4)
        assert float(row["tbr_max_blood_pool_a"]) == pytest.approx(FDG_SUV[name] / 1.0, abs=2e-3)
    forced = {name: (row["forced_a"], row["forced_b"]) for name, row in rows.items()}
    assert forced == {"one": ("False", "False"), "two": ("False", "True"), "three": ("True", "False")}
    assert [rows[name]["state"] for name in ("one", "two", "three")] == ["both", "a_only", "b_only"]
    assert counts(record["concordance"]["lesion"]) == (1, 1, 1, 0)
    assert counts(record["concordance"]["patient"]) == (1, 0, 0, 0)
    assert record["headline"] == "suv_peak"
    default = next(row for row in record["estimands"] if row["metric"] == "suv_max" and row["is_default"])
    assert (default["n"], default["n_forced"], default["p"]) == (3, 2, None)  # three pairs are not tested
    assert default["mean_a"] == pytest.approx((9.0 + 5.0 + 0.5) / 3, abs=5e-4)
    assert default["estimate"] == pytest.approx((14.5 - 10.75) / 3, abs=1e-3)


def test_the_methods_say_rule_registration_and_version(compared, two, tmp_path):
    compared(*two.words(*RULE))
    words = (tmp_path / "out/methods.txt").read_text()
    for part in (
        "petquant 0.",
        "research use only",
        "SUVmax > 1.5 x mean of blood_pool",
        "one frame of",
    ):
        assert part in words


def test_the_rule_decides_the_counts(compared, two):
    assert counts(compared(*two.words())["concordance"]["lesion"]) == (1, 1, 1, 0)  # as they were drawn


def test_a_scan_compared_with_itself_differs_by_nothing(compared, two):
    same = Two(two.a, two.a)
    record = compared(*same.words(*RULE))
    assert record["tracers"] == ["[18F]FDG (a)", "[18F]FDG (b)"]
    assert counts(record["concordance"]["lesion"]) == (2, 0, 0, 0)
    assert {row["estimate"] for row in record["estimands"] if row["is_default"]} == {0.0}


def test_a_factor_changes_the_calls(compared, two):
    # two: FDG 5.0, not above 6; one: Pentixafor 4.0, not above 6; three: 6.0 of 6 x 1.0 is equal or less
    record = compared(*two.words("--positivity", ">7*blood_pool"))
    assert counts(record["concordance"]["lesion"]) == (0, 1, 0, 2)
    assert record["positivity"] == ">7*blood_pool"


def test_a_shipped_rule_goes_by_its_name_and_says_where_it_stands(compared, two, tmp_path):
    record = compared(*two.words("--positivity", "blood_pool"))
    assert counts(record["concordance"]["lesion"]) == (1, 1, 1, 0)
    assert (record["positivity"], record["rule"]) == ("blood_pool", "SUVmax > 1 x mean of blood_pool")
    assert record["rule_source"]
    assert record["rule_source"] in (tmp_path / "out/methods.txt").read_text()
    why = {row["why"] for row in table(tmp_path / "out", "lesions") if row["tracer"] == "[18F]FDG"}
    assert any(word.startswith("blood_pool x ") and word.endswith(", not above 1") for word in why)


def test_a_scan_without_a_lesion_is_accepted_when_the_user_says_so(petquant_within, compared, two, tmp_path):
    words = two.words(*RULE)
    at = words.index("--roi-b")
    words = [*words[:at], *words[at + 2 :]]
    assert petquant_within("compare", *words, "-o", "out").code == 2
    record = compared(*words, "--allow-empty")
    assert counts(record["concordance"]["lesion"]) == (1, 1, 0, 0)  # both of FDG, measured on Pentixafor


def test_a_lesion_that_a_reader_denies_on_both_scans_and_nobody_drew_is_counted(compared, two, tmp_path):
    (tmp_path / "reads.csv").write_text(
        "lesion_id,tracer,visual,region\ngroin,FDG,0,groin\ngroin,Pentixafor,0,groin\n1,FDG,2,chest\n"
    )
    record = compared(*two.words(*RULE, "--reads", "reads.csv"))
    assert counts(record["concordance"]["lesion"]) == (1, 1, 1, 1)
    assert {name: counts(found) for name, found in record["regions"].items()} == {
        "chest": (1, 0, 0, 0),
        "groin": (0, 0, 0, 1),
    }
    (row,) = (row for row in table(tmp_path / "out", "pairs") if row["region"] == "groin")
    assert (row["state"], row["suv_max_a"], row["suv_max_b"]) == ("neither", "", "")
    rows = table(tmp_path / "out", "concordance")
    assert {row["region"]: row["neither"] for row in rows if row["region"]} == {"chest": "0", "groin": "1"}


def test_a_protocol_flags_what_fails_and_knows_what_it_does_not_know(compared, two):
    record = compared(*two.words(*RULE, "--protocol", "pentixafor"))
    assert record["protocol"] == "pentixafor 1"
    verdicts = [{one["rule"]: one["verdict"] for one in scan["protocol"]} for scan in record["scans"]]
    for scan, found in zip(record["scans"], verdicts, strict=True):
        assert (found["tracer"], found["coverage"]) == ("PASS", "FAIL")  # 10 slices of 4 mm
        assert "PROTOCOL_NOT_MET" not in scan["conversion"]["flags"]
    # both are scanned an hour after injection, which is inside 55 to 75 and 30 to 60 min
    assert [found["uptake_window"] for found in verdicts] == ["PASS", "PASS"]
    assert record["sessions"][0]["uptake_times"]["verdict"] == "PASS"
    assert verdicts[0]["glucose"] == "UNKNOWN"
    assert "glucose" not in verdicts[1]
    assert compared(*two.words(*RULE))["protocol"] is None


def test_a_ct_before_the_pet_keeps_the_protocol_and_one_after_it_does_not(compared, tmp_path):
    grid = ImageGrid(shape=(10, 12, 14), spacing_mm=(4.0, 8.0, 8.0))
    water = (Tissue(shape=Sphere(centre_mm=(0.0, 0.0, 0.0), radius_mm=60.0)),)
    both = Two(
        *(
            write_study(
                scan_of(name, tracer, suv, ct=CtScan(grid=grid, tissues=water, before_pet_min=minutes)),
                tmp_path / name,
            )
            for name, tracer, suv, minutes in (
                ("before", FDG, FDG_SUV, 1.5),
                ("after", PENTIXAFOR, PENTIXAFOR_SUV, -20.0),
            )
        )
    )
    record = compared(*both.words(*RULE, "--protocol", "pentixafor"))
    found = [one for scan in record["scans"] for one in scan["protocol"] if one["rule"] == "ct_before_pet"]
    assert [(one["verdict"], one["found"]) for one in found] == [
        ("PASS", "CT 1.5 min before PET"),
        ("FAIL", "CT 20 min after PET"),
    ]


def test_the_table_names_forced_values_and_the_default(petquant_within, two):
    result = petquant_within("compare", *two.words(*RULE), "-o", "out", "--format", "table")
    assert result.code == 0, result.err
    text = result.out.decode()
    assert "[18F]FDG (a) and [68Ga]Pentixafor (b)" in text
    assert "0.75*" in text
    assert "union, lesion" in text


def test_csv_on_stdout_is_the_table_of_pairs(petquant_within, two, tmp_path):
    result = petquant_within("compare", *two.words(*RULE), "-o", "out", "--format", "csv")
    assert result.out == (tmp_path / "out/pairs.csv").read_bytes()


def test_lesions_of_different_frames_without_ct_are_refused_and_nothing_is_written(
    petquant_within, untouched, two, study_of
):
    other = replace(two, b=study_of(scan_of("elsewhere", PENTIXAFOR, PENTIXAFOR_SUV, frame="other place")))
    with untouched():
        result = petquant_within("compare", *other.words(*RULE), "-o", "out")
    assert result.code == 4
    assert result.codes == ["REGISTRATION_IMPOSSIBLE"] * 2
    assert "--match-ids" in result.err


def test_ids_pair_what_cannot_be_registered_and_the_rest_has_no_value(compared, two, study_of, tmp_path):
    other = replace(two, b=study_of(scan_of("elsewhere", PENTIXAFOR, PENTIXAFOR_SUV, frame="other place")))
    record = compared(*other.words(*RULE, "--match-ids"))
    # labels: FDG 1 one, 2 two; Pentixafor 1 one, 2 three
    rows = {row["pair"]: row for row in table(tmp_path / "out", "pairs")}
    assert set(rows) == {"a1=b1", "a2=b2"}
    assert rows["a1=b1"]["matched_by"] == "id"
    assert [entry["code"] for entry in record["sessions"][0]["codes"]] == [
        "REGISTRATION_MISSING"
    ] * 2  # no CT of either
    assert record["sessions"][0]["registration"] is None


def test_a_reader_pairs_lesions_and_overrides_the_rule(compared, two, study_of, tmp_path):
    other = replace(two, b=study_of(scan_of("elsewhere", PENTIXAFOR, PENTIXAFOR_SUV, frame="other place")))
    (tmp_path / "reads.csv").write_text(
        "lesion_id,tracer,visual,region,x,y,z\n"
        "mediastinum,FDG,2,chest,-24,-16,0\n"
        "mediastinum,Pentixafor,0,chest,-24,-16,0\n"
        "groin,Pentixafor,1,groin,-22,18,0\n"
    )
    record = compared(*other.words(*RULE, "--reads", "reads.csv"))
    rows = {row["pair"]: row for row in table(tmp_path / "out", "pairs")}
    assert set(rows) == {"a1=b1", "a2", "b2"}
    assert rows["a1=b1"]["state"] == "a_only"  # 4.0 is above 1.5 x 1.0, and the reader says no
    assert rows["a1=b1"]["region"] == "chest"
    assert record["concordance"]["lesion"]["n_unknown"] == 2  # alone, without a frame
    assert counts(record["concordance"]["region"]) == (0, 1, 0, 0)
    assert {row["region"] for row in table(tmp_path / "out", "regions")} == {"chest", "groin"}
    # one read of each tracer: on FDG both say positive (no kappa of one category), on Pentixafor they differ
    assert record["rule_against_reader"]["a"] == {
        "both": 1, "rule_only": 0, "reader_only": 0, "neither": 0, "n_unknown": 0, "kappa": None, "ac1": 1.0,
    }  # fmt: skip
    # po 0, pe 2 x 1/2 x 1/2
    assert record["rule_against_reader"]["b"]["ac1"] == pytest.approx((0 - 0.5) / 0.5)


def test_a_forced_read_in_physiologic_uptake_has_no_value_and_says_why(compared, two, tmp_path):
    # label 2 of FDG is lesion two, which Pentixafor does not show
    record = compared(*two.words(*RULE, "--exclude-b", f"{two.a.lesions}:2"))
    rows = {row["pair"]: row for row in table(tmp_path / "out", "pairs")}
    assert rows["a2"]["missing_b"].startswith("100% of the region carried over is excluded")
    assert rows["a2"]["state"] == "unknown"
    assert record["sessions"][0]["n_missing"] == 1
    assert "FORCED_READ_MISSING" in {entry["code"] for entry in record["sessions"][0]["codes"]}


def test_a_background_holds_no_lesion_that_only_the_other_scan_shows(compared, two, tmp_path):
    # on Pentixafor lesion two (0.75) lies amid body (0.3), and nobody drew it there
    words = [*two.words(*RULE), "--background-b", "around=sphere:20,-16,0,14", "--psf-fwhm-mm-b", "6"]
    same = "liver=sphere:20,-16,0,14"  # whose CoV is that of the body alone, on both scans
    record = compared(*words, "--background-a", same, "--background-b", same)
    rows = {row["name_a"]: row for row in table(tmp_path / "out", "pairs")}
    n_voxels = next(
        int(row["n_voxels"])
        for row in table(tmp_path / "out", "lesions")
        if row["name"] == "two" and row["tracer"] == "[68Ga]Pentixafor"
    )
    # without the lesion the mean is that of the body; a 16-bit step is 6 / 32767
    assert float(rows["three"]["tbr_max_around_b"]) == pytest.approx(6.0 / 0.3, rel=2e-3)
    assert float(rows["two"]["tbr_max_around_b"]) == pytest.approx(0.75 / 0.3, rel=2e-3)
    assert "LESION_OVERLAPS_BACKGROUND" in rows["three"]["flags_b"].split()
    codes = {entry["code"]: entry["found"] for entry in record["sessions"][0]["codes"]}
    assert codes["LESION_OVERLAPS_BACKGROUND"].startswith(f"scan b: liver: {n_voxels} voxels")
    assert "NOISE_DIFFERS" not in codes
    of_b = record["sessions"][0]["technical"][1]
    assert of_b["noise_of"] == "liver"
    assert of_b["noise_cov"] < 1e-3  # rounding
    assert record["scans"][1]["technical"]["noise_cov"] > 0.1  # as the scan stands, with the lesion in it
    for row in table(tmp_path / "out", "lesions"):
        if row["tracer"] == "[68Ga]Pentixafor":
            assert row["u_suv_max_percent"] == ""
            assert "no noise of counts" in row["u_missing"]


def test_a_background_that_is_mostly_such_a_lesion_gives_no_ratio(compared, two, tmp_path):
    record = compared(*two.words(*RULE), "--background-b", "around=sphere:20,-16,0,9")
    rows = {row["name_a"]: row for row in table(tmp_path / "out", "pairs")}
    assert {row["tbr_max_around_b"] for row in rows.values()} == {""}
    assert all(row["tbr_max_blood_pool_b"] for row in rows.values())
    assert "BACKGROUND_MOSTLY_LESION" in {entry["code"] for entry in record["sessions"][0]["codes"]}


@pytest.mark.parametrize(("focal", "state"), [("1", "both"), ("0", "b_only"), ("", "unknown")])
def test_focal_uptake_of_marrow_is_positive_whatever_its_numbers(focal, state, compared, two, tmp_path):
    # three: FDG 0.5, Pentixafor 6.0, liver 1.0 on both
    (tmp_path / "reads.csv").write_text(
        f"lesion_id,tracer,focal,x,y,z\nmarrow,FDG,{focal},-22,18,0\nmarrow,Pentixafor,0,-22,18,0\n"
    )
    words = [str(word).replace("blood_pool=", "liver=") for word in two.words("--positivity", "marrow")]
    compared(*words, "--reads", "reads.csv")
    rows = {row["name_a"]: row for row in table(tmp_path / "out", "pairs")}
    assert rows["three"]["state"] == state


def test_a_lesion_of_a_reader_that_nobody_drew_is_refused(petquant_within, two, tmp_path):
    (tmp_path / "reads.csv").write_text("lesion_id,tracer,visual\nnowhere,FDG,2\n")
    result = petquant_within("compare", *two.words("--reads", "reads.csv"), "-o", "out")
    assert (result.code, result.codes) == (4, ["READ_WITHOUT_LESION"])


def test_scans_of_two_patients_are_refused_unless_the_user_says_they_are_one(
    petquant_within, compared, untouched, two, study_of
):
    stranger = scan_of("stranger", PENTIXAFOR, PENTIXAFOR_SUV, patient_id="SOMEBODY", sex="F")
    other = replace(two, b=study_of(stranger))
    with untouched():
        result = petquant_within("compare", *other.words(*RULE), "-o", "out")
    assert (result.code, result.codes) == (4, ["PATIENTS_DIFFER"] * 2)
    assert "SOMEBODY" not in result.err
    record = compared(*other.words(*RULE, "--ignore-patient-id"))
    codes = [entry["code"] for entry in record["sessions"][0]["codes"]]
    assert codes == ["PATIENTS_DIFFER_ALLOWED"] * 2 + ["FRAME_OF_REFERENCE_SHARED"]


def test_without_suv_there_are_ratios_and_their_estimands(compared, two, study_of):
    weightless = replace(scan_of("pentixafor", PENTIXAFOR, PENTIXAFOR_SUV), edits=(("PatientWeight", None),))
    other = replace(two, b=study_of(weightless))
    record = compared(*other.words(*RULE))
    assert counts(record["concordance"]["lesion"]) == (1, 1, 1, 0)
    metrics = {row["metric"] for row in record["estimands"]}
    assert metrics == {"tbr_max_blood_pool", "tbr_peak_blood_pool", "tbr_mean_blood_pool"}
    assert "SUV_UNAVAILABLE_TBR_VALID" in record["scans"][1]["conversion"]["flags"]


def test_every_cause_of_both_scans_is_said_at_once(petquant_within, untouched, study_of):
    both = Two(
        study_of(replace(scan_of("fdg", FDG, FDG_SUV), edits=(("Units", "STDDEV"),)), "a"),
        study_of(replace(scan_of("p", PENTIXAFOR, PENTIXAFOR_SUV), edits=(("Units", "PROPCPS"),)), "b"),
    )
    with untouched():
        result = petquant_within("compare", *both.words(*RULE), "-o", "out")
    assert result.code == 4
    assert {"UNITS_NOT_SUV", "UNITS_NOT_QUANTITATIVE"} <= set(result.codes)


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["--positivity", ">4*muscle"], "background muscle"),
        (["--positivity", "above all"], "'above all' is no positivity rule"),
        (["--tracers", "FDG,Pentixafor"], "--tracers"),
        (["--protocol", "nobody"], "no protocol 'nobody'"),
        (["--workers", "0"], "--workers 0"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_usage(words, because, petquant_within, untouched, two):
    with untouched():
        result = petquant_within("compare", *two.words(*words), "-o", "out")
    assert result.code == 2
    assert because in result.err


def test_no_input_is_overwritten(petquant_within, two, tmp_path):
    shutil.copytree(two.a.dicom, tmp_path / "study")
    (tmp_path / "out").mkdir()
    reads = tmp_path / "out/pairs.csv"
    reads.write_text("lesion_id\n1\n")
    inside = petquant_within("compare", "study", *two.words()[1:], "-o", "study/out")
    over = petquant_within("compare", *two.words("--reads", reads), "-o", "out")
    assert (inside.code, over.code) == (2, 2)
    assert reads.read_text() == "lesion_id\n1\n"
    assert not (tmp_path / "study/out").exists()


def test_no_file_says_whose_the_scans_are_or_where_they_lay(petquant_within, study_of, tmp_path):
    name = {"patient_id": "CANARY-ID", "patient_name": "CANARY^NAME", "series_description": "CANARY-TEXT"}
    both = Two(
        study_of(scan_of("fdg", FDG, FDG_SUV, frame="x", **name), "canary_a"),
        study_of(scan_of("pentixafor", PENTIXAFOR, PENTIXAFOR_SUV, frame="y", **name), "canary_b"),
    )
    result = petquant_within("compare", *both.words(*RULE, "--match-ids"), "-o", "out", "--format", "table")
    assert result.code == 0, result.err
    for path in (tmp_path / "out").iterdir():
        assert "canary" not in path.read_text().casefold(), path.name
    assert (tmp_path / "out/pseudonym.key").stat().st_mode & 0o777 == 0o600
    first = json.loads((tmp_path / "out/comparison.json").read_bytes())["scans"][0]["patient"]
    again = petquant_within("compare", *both.words(*RULE, "--match-ids"), "-o", "out", "--hash-uids")
    assert again.code == 0, again.err
    text = (tmp_path / "out/comparison.json").read_text()
    assert json.loads(text)["scans"][0]["patient"] == first  # the key was kept
    assert "2.25." not in text


def test_a_run_that_cannot_write_leaves_no_folder(petquant_within, two, tmp_path):
    result = petquant_within("compare", *two.words(), "-o", "nowhere/out")
    assert (result.code, result.codes) == (6, ["OUTPUT_FAILED"])
    assert list(tmp_path.iterdir()) == []


# A cohort: P1 both scans, P2 both, P3 FDG alone
COHORT = ("P1a", "P1b", "P2a", "P2b", "P3a")


def scan_of_cohort(name):
    tracer, values = (FDG, FDG_SUV) if name.endswith("a") else (PENTIXAFOR, PENTIXAFOR_SUV)
    return scan_of(name, tracer, values, frame=name[:2], patient_id=name)


@pytest.fixture(scope="module")
def cohort_studies(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("cohort")
    for name in COHORT:
        write_study(scan_of_cohort(name), root / name)
    return root


@pytest.fixture
def cohort(cohort_studies, tmp_path):
    """Write the cohort with its manifest; some scans with their headers edited."""

    def write(**edits):
        shutil.copytree(cohort_studies, tmp_path / "data")
        for name, edit in edits.items():
            shutil.rmtree(tmp_path / "data" / name)
            write_study(replace(scan_of_cohort(name), edits=edit), tmp_path / "data" / name)
        lines = ["patient,tracer,study,roi,backgrounds,labels"]
        for name in COHORT:
            at = f"data/{name}"
            tracer = "FDG" if name.endswith("a") else "Pentixafor"
            lines.append(
                f"{name[:2]},{tracer},{at}/study,{at}/rois/lesions.nii.gz,"
                f"blood_pool={at}/rois/blood_pool.nii.gz,{at}/rois/labels.json"
            )
        path = tmp_path / "manifest.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_a_cohort_pools_the_lesions_of_its_patients_and_lists_those_with_one_scan(compared, cohort, tmp_path):
    record = compared(cohort(), *RULE)
    assert record["tracers"] == ["FDG", "Pentixafor"]
    assert counts(record["concordance"]["lesion"]) == (2, 2, 2, 0)
    assert counts(record["concordance"]["patient"]) == (2, 0, 0, 0)
    rows = {row["patient"]: row for row in table(tmp_path / "out", "patients")}
    assert set(rows) == {"P1", "P2", "P3"}
    assert (rows["P3"]["state"], rows["P3"]["scans"]) == ("not compared", "FDG measured")
    alone = [row["name"] for row in table(tmp_path / "out", "lesions") if row["patient"] == "P3"]
    assert alone == ["one", "two"]
    default = next(row for row in record["estimands"] if row["metric"] == "suv_max" and row["is_default"])
    assert (default["n"], default["n_patients"]) == (6, 2)
    assert default["p"] == pytest.approx(0.5)  # both patients differ alike: 2 of 4 sign vectors
    codes = {entry["code"] for session in record["sessions"] for entry in session["codes"]}
    assert codes == {"PATIENTS_DIFFER_ALLOWED", "FRAME_OF_REFERENCE_SHARED"}  # the column patient decides


def test_processes_give_the_same_bytes(petquant, cohort, tmp_path):
    manifest = cohort()
    key = tmp_path / "key"
    key.write_text("secret")
    for workers in (1, 2):
        words = (manifest, *RULE, "--pseudonym-key", key, "-o", f"out{workers}", "--workers", str(workers))
        result = petquant("compare", *words)
        assert result.code == 0, result.err
        assert "3 of 3 patients" in result.err
    for name in FILES - {"pseudonym.key"}:
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes(), name


def test_a_refused_scan_of_a_cohort_is_listed_and_the_others_are_compared(petquant_within, cohort, tmp_path):
    manifest = cohort(P2b=(("Units", "STDDEV"),))
    result = petquant_within("compare", manifest, *RULE, "-o", "out")
    assert result.code == 5
    assert "TBR_UNITS_NOT_LINEAR: P2 Pentixafor: " in result.err
    record = json.loads((tmp_path / "out/comparison.json").read_bytes())
    (refused,) = [scan for scan in record["scans"] if scan["is_refused"]]
    assert (refused["patient"], refused["tracer"]) == ("P2", "Pentixafor")
    assert "TBR_UNITS_NOT_LINEAR" in {entry["code"] for entry in refused["refusals"]}
    assert counts(record["concordance"]["lesion"]) == (1, 1, 1, 0)
    assert "data" not in (tmp_path / "out/comparison.json").read_text()


def test_a_cohort_without_a_pair_is_refused(petquant_within, cohort, tmp_path):
    manifest = cohort()
    rows = manifest.read_text().splitlines()
    manifest.write_text("\n".join([rows[0], *(row for row in rows if ",FDG," in row)]) + "\n")
    result = petquant_within("compare", manifest, *RULE, "-o", "out")
    assert (result.code, result.codes) == (4, ["NOTHING_TO_COMPARE"])


def test_tracers_choose_and_order_and_columns_replace_the_header(compared, cohort, tmp_path):
    manifest = cohort(P1a=(("PatientWeight", None),))
    rows = manifest.read_text().splitlines()
    manifest.write_text(
        "\n".join([f"{rows[0]},weight_kg", f"{rows[1]},70", *(f"{row}," for row in rows[2:])])
    )
    record = compared(manifest, *RULE, "--tracers", "pentixafor,fdg")
    assert record["tracers"] == ["Pentixafor", "FDG"]
    assert counts(record["concordance"]["lesion"]) == (2, 2, 2, 0)
    row = next(
        row for row in table(tmp_path / "out", "pairs") if row["patient"] == "P1" and row["name_b"] == "one"
    )
    assert float(row["suv_max_b"]) == pytest.approx(9.0, abs=5e-4)
    assert record["scans"][0]["conversion"]["overrides"][0]["option"] == "--weight-kg"


def test_every_two_tracers_are_compared_by_every_reader(compared, cohort, tmp_path):
    manifest = cohort()
    head, *rows = manifest.read_text().splitlines()
    fdg, pentixafor = rows[:2]
    third = fdg.replace(",FDG,", ",third,")
    lines = [
        f"{fdg},",
        f"{pentixafor},R1",
        f"{pentixafor},R2",
        f"{third},",
    ]  # R1 and R2 share the other scans
    manifest.write_text("\n".join([f"{head},reader", *lines]))
    record = compared(manifest, *RULE)
    found = {(*one["tracers"], one["reader"]) for one in (record, *record["further"])}
    assert found == {
        (*tracers, reader)
        for tracers in (("FDG", "Pentixafor"), ("FDG", "third"), ("Pentixafor", "third"))
        for reader in ("R1", "R2")
    }
    same = next(one for one in record["further"] if one["tracers"] == ["FDG", "third"])
    assert counts(same["concordance"]["lesion"]) == (2, 0, 0, 0)


def test_a_scan_of_another_tracer_than_the_manifest_says_is_refused(petquant_within, cohort, tmp_path):
    manifest = cohort()
    manifest.write_text(manifest.read_text().replace("P1,Pentixafor", "P1,PSMA-11"))
    result = petquant_within("compare", manifest, *RULE, "-o", "out")
    assert result.code == 5
    assert "TRACER_UNEXPECTED: P1 PSMA-11" in result.err
    rows = {row["patient"]: row for row in table(tmp_path / "out", "patients")}
    assert rows["P1"]["reasons"] == "TRACER_UNEXPECTED"


def test_the_glucose_of_the_clinical_table_decides_for_fdg_alone(compared, cohort, tmp_path):
    manifest = cohort()
    (tmp_path / "clinical.csv").write_text("patient,glucose_mg_dl\nP1,200\nP2,200.1\n")
    rows = manifest.read_text().splitlines()
    manifest.write_text("\n".join([f"{rows[0]},clinical", *(f"{row},clinical.csv" for row in rows[1:])]))
    record = compared(manifest, *RULE, "--protocol", "pentixafor")
    found = {
        (scan["patient"], scan["tracer"]): one["verdict"]
        for scan in record["scans"]
        for one in scan["protocol"]
        if one["rule"] == "glucose"
    }
    assert found == {("P1", "FDG"): "PASS", ("P2", "FDG"): "FAIL", ("P3", "FDG"): "UNKNOWN"}


def test_clinical_columns_stand_beside_the_patients(compared, cohort, tmp_path):
    manifest = cohort()
    (tmp_path / "clinical.csv").write_text("patient,response\nP1,CR\nP2,PD\n")
    rows = manifest.read_text().splitlines()
    manifest.write_text("\n".join([f"{rows[0]},clinical", *(f"{row},clinical.csv" for row in rows[1:])]))
    compared(manifest, *RULE)
    said = {row["patient"]: row["clinical_response"] for row in table(tmp_path / "out", "patients")}
    assert said == {"P1": "CR", "P2": "PD", "P3": ""}


@pytest.mark.parametrize(
    ("text", "code", "because"),
    [
        ("patient,tracer\nP1,FDG\n", 3, "no column study, roi"),
        ("patient,tracer,study,roi,colour\nP1,FDG,s,r,red\n", 3, "unknown columns colour"),
        ("patient,tracer,study,roi\nP1,FDG,nowhere,here\n", 2, "manifest.csv line 2"),
        ("patient,tracer,study,roi\nP1,,.,.\n", 2, "tracer is empty"),
        ("patient,tracer,study,roi,weight_kg\nP1,FDG,.,.,heavy\n", 2, "--weight-kg"),
        ("patient,tracer,study,roi\nP1,FDG,.,.\nP1,FDG,.,.\n", 3, "two rows for one scan: P1 FDG"),
        ("patient,tracer,study,roi,backgrounds\nP1,FDG,.,.,liver\n", 2, "background liver"),
    ],
)
def test_a_manifest_that_cannot_be_meant_is_refused(text, code, because, petquant_within, tmp_path):
    (tmp_path / "manifest.csv").write_text(text)
    result = petquant_within("compare", "manifest.csv", "-o", "out")
    assert result.code == code
    assert because in result.err
    assert not (tmp_path / "out").exists()


# Registration
SHIFT = (12.0, -8.0, 16.0)


def ct_of(shift) -> CtScan:
    """The CT of a body that looks different everywhere: trunk, lungs, spine, two ribs, liver."""
    shapes = (
        (Ellipsoid, (0, 0, 0), (88.0, 68.0, 110.0), 40),
        (Ellipsoid, (-40, -5, 40), (26.0, 40.0, 44.0), -800),
        (Ellipsoid, (42, -5, 38), (22.0, 38.0, 46.0), -800),
        (Ellipsoid, (-34, -8, -44), (36.0, 34.0, 28.0), 60),
    )
    tissues = [
        Tissue(shape=kind(centre_mm=moved(centre, shift), semi_axes_mm=axes), hu=hu)
        for kind, centre, axes, hu in shapes
    ]
    spine = Cylinder(centre_mm=moved((0, 46, 0), shift), radius_mm=11.0, half_length_mm=80.0)
    tissues.append(Tissue(shape=spine, hu=400))
    for centre in ((70, 20, 30), (-72, 14, 10), (60, 30, -30)):
        bone = Sphere(centre_mm=moved(centre, shift), radius_mm=9.0)
        tissues.append(Tissue(shape=bone, hu=400))
    grid = ImageGrid.centred(shape=(64, 44, 54), spacing_mm=(4.0, 4.0, 4.0), centre_mm=(0.0, 0.0, 8.0))
    return CtScan(grid=grid, tissues=tuple(tissues))


def test_a_patient_who_lies_elsewhere_is_found_by_ct(compared, tmp_path):
    both = Two(
        write_study(scan_of("fdg", FDG, FDG_SUV, frame="a", ct=ct_of((0, 0, 0))), tmp_path / "a"),
        write_study(
            scan_of("pentixafor", PENTIXAFOR, PENTIXAFOR_SUV, frame="b", shift=SHIFT, ct=ct_of(SHIFT)),
            tmp_path / "b",
        ),
    )
    record = compared(*both.words(*RULE))
    assert counts(record["concordance"]["lesion"]) == (1, 1, 1, 0)
    found = record["sessions"][0]["registration"]
    # the middle of the PET of a lies at SHIFT in b; 2 mm: half a voxel of CT
    assert [row[3] for row in found["matrix_a_to_b"][:3]] == pytest.approx(SHIFT, abs=2.0)
    assert found["inverse_consistency_mm"] < 5.0
    assert found["body_dice"] > 0.9
    # the body moved as one: the global motion carries every lesion, and the record says why
    around = found["around_lesions"]
    assert [one["lesion"] for one in around] == ["a1", "a2", "b1", "b2"]
    assert set(around[0]) == {
        "lesion", "is_refined", "why_not", "centre_mm_lps", "shift_mm", "turn_deg", "correlation_global",
        "correlation_local", "inverse_consistency_mm", "structure_hu_per_mm", "matrix_a_to_b",
    }  # fmt: skip
    assert {one["is_refined"] for one in around} == {False}
    assert {one["why_not"] for one in around} <= {"agrees", "no structure", "box outside of a CT"}
    methods = (tmp_path / "out/methods.txt").read_text()
    assert "rigid in a box of 80 mm around the lesion" in methods
    assert "Refined were 0 of 4 lesions" in methods
    for row in table(tmp_path / "out", "pairs"):
        name = row["name_a"]
        assert float(row["suv_max_a"]) == pytest.approx(FDG_SUV[name], abs=5e-4)
        assert float(row["suv_max_b"]) == pytest.approx(PENTIXAFOR_SUV[name], abs=5e-4)


def test_the_ct_of_another_body_is_no_registration(petquant_within, tmp_path):
    grid = ImageGrid(shape=(20, 30, 30), spacing_mm=(6.0, 6.0, 6.0))
    ball = CtScan(
        grid=grid, tissues=(Tissue(shape=Sphere(centre_mm=(60.0, 60.0, 30.0), radius_mm=14.0), hu=40),)
    )
    both = Two(
        write_study(scan_of("fdg", FDG, FDG_SUV, frame="a", ct=ct_of((0, 0, 0))), tmp_path / "a"),
        write_study(scan_of("p", PENTIXAFOR, PENTIXAFOR_SUV, frame="b", ct=ball), tmp_path / "b"),
    )
    result = petquant_within("compare", *both.words(*RULE), "-o", "out")
    assert (result.code, result.codes) == (4, ["REGISTRATION_FAILED"])
