"""Cohorts hold what their sources say, and their images hold the cohorts."""

import csv
import itertools
import json
import math
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pydicom
import pytest
from petquant_phantoms import cohorts
from petquant_phantoms.body import Region, Sphere, region_mask, suv_field
from petquant_phantoms.cohort import scan_of
from petquant_phantoms.cohort_truth import by_region, concordance
from petquant_phantoms.cohort_variants import VARIANTS
from petquant_phantoms.definition_file import DefinitionError
from petquant_phantoms.moved import RigidMotion
from scipy import stats

A, B = "pentixafor", "fdg"


def counts(both, a, b, neither):
    return {"both": both, A: a, B: b, "neither": neither, "n": both + a + b + neither}


def values(name, tracer):
    """One array a patient, of the lesions' SUV."""
    return [
        np.array([lesion.suv[tracer] for lesion in patient.lesions])
        for patient in cohorts.load(name).patients
    ]


def scans(name, **options):
    cohort = cohorts.load(name, **options)
    for patient in cohort.patients:
        for tracer in cohort.tracers:
            yield patient, tracer, scan_of(cohort, patient, tracer)


def label_map(path):
    """[k, j, i]."""
    return np.asarray(nib.load(path).dataobj).transpose(2, 1, 0)


@pytest.fixture(scope="module")
def oesophagus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort_a")
    yield cohorts.build("cohort_a", folder)
    shutil.rmtree(folder)


# what the lesions are


def test_oesophagus_has_14_lesions_on_both_tracers_7_and_5_on_one():
    cohort = cohorts.load("cohort_a")
    assert len(cohort.patients) == 10
    assert concordance(cohort) == counts(14, 7, 5, 0)
    # FDG shows one lesion or more in every patient
    assert all(any(cohort.is_positive(x, cohort.tracers[1]) for x in p.lesions) for p in cohort.patients)


def test_other_rules_give_other_counts_of_the_same_oesophagus(oesophagus):
    found = {
        (rule["background"], rule["factor"]): rule["concordance"] for rule in oesophagus.truth["other_rules"]
    }
    assert found == {("blood_pool", 1.0): counts(16, 6, 4, 0), ("liver", 1.0): counts(15, 7, 4, 0)}


def sign_flip(sums):
    flipped = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=len(sums))]
    return float(np.mean(np.array(flipped) >= abs(sum(sums)) - 1e-9))


def oesophagus_statistics():
    """Every statistic that is quoted, from the 52 values by scipy and by counting."""
    a, b = values("cohort_a", A), values("cohort_a", B)
    p, f = np.concatenate(a), np.concatenate(b)
    on_a, on_b = p > 1.5 * 1.5, f > 1.5 * 1.6
    only_a, only_b = int((on_a & ~on_b).sum()), int((on_b & ~on_a).sum())
    log_sums = [np.log(x / y).sum() for x, y in zip(a, b, strict=True)]
    tbr_sums = [(x / 1.5 - y / 1.6).sum() for x, y in zip(a, b, strict=True)]
    maxima, means = ([[fold(x) for x in per] for per in (a, b)] for fold in (np.max, np.mean))
    lesion = ("union", "lesion", "difference", "suv_max")
    return {
        ("mean_suv_max", A): p.mean(),
        ("mean_suv_max", B): f.mean(),
        ("sd_suv_max", A): p.std(ddof=1),
        ("sd_suv_max", B): f.std(ddof=1),
        ("mean_tbr_max_liver", A): (p / 1.9).mean(),
        ("mean_tbr_max_liver", B): (f / 2.1).mean(),
        ("spearman",): stats.spearmanr(p, f).statistic,
        ("p", "mcnemar_exact"): stats.binomtest(only_a, only_a + only_b).pvalue,
        ("p", "mcnemar_chi2_cc"): stats.chi2.sf((abs(only_a - only_b) - 1) ** 2 / (only_a + only_b), 1),
        ("p", *lesion, "sign_flip_exact"): sign_flip([(x - y).sum() for x, y in zip(a, b, strict=True)]),
        ("p", *lesion, "paired_t"): stats.ttest_rel(p, f).pvalue,
        ("p", *lesion, "wilcoxon_exact"): stats.wilcoxon(p, f, method="exact").pvalue,
        ("p", "both-positive", *lesion[1:], "paired_t"): stats.ttest_rel(
            p[on_a & on_b], f[on_a & on_b]
        ).pvalue,
        ("p", "own-positive", *lesion[1:], "mann_whitney_asymptotic_cc"): stats.mannwhitneyu(
            p[on_a], f[on_b], method="asymptotic", use_continuity=True
        ).pvalue,
        ("p", "union", "patient-max", "difference", "suv_max", "paired_t"): stats.ttest_rel(*maxima).pvalue,
        ("p", "union", "patient-max", "difference", "suv_max", "sign_flip_exact"): sign_flip(
            np.subtract(*maxima)
        ),
        ("p", "union", "patient-mean", "difference", "suv_max", "paired_t"): stats.ttest_rel(*means).pvalue,
        ("p", "union", "patient-mean", "difference", "suv_max", "sign_flip_exact"): sign_flip(
            np.subtract(*means)
        ),
        ("p", "union", "lesion", "log-ratio", "suv_max", "sign_flip_exact"): sign_flip(log_sums),
        ("p", "union", "lesion", "log-ratio", "suv_max", "paired_t"): stats.ttest_rel(
            np.log(p), np.log(f)
        ).pvalue,
        ("p", "union", "lesion", "difference", "tbr_max_blood_pool", "sign_flip_exact"): sign_flip(tbr_sums),
        ("p", "union", "lesion", "difference", "tbr_max_blood_pool", "paired_t"): stats.ttest_rel(
            p / 1.5, f / 1.6
        ).pvalue,
    }


def test_every_statistic_quoted_of_the_oesophagus_follows_from_its_values():
    found = oesophagus_statistics()
    quoted = {}
    for row in cohorts.load("cohort_a").quoted:
        key = tuple(
            row[name]
            for name in ("quantity", "tracer", "set", "unit", "scale", "metric", "test")
            if name in row
        )
        quoted[key] = row
    assert quoted.keys() == found.keys()
    for key, row in quoted.items():
        assert found[key] == pytest.approx(row["value"], abs=row["abs_tol"]), key


def test_the_sign_flip_p_of_the_oesophagus_is_72_of_1024():
    sums = [(x - y).sum() for x, y in zip(values("cohort_a", A), values("cohort_a", B), strict=True)]
    assert sign_flip(sums) * 1024 == 72


@pytest.mark.parametrize(("tracer", "mean", "sd"), [(A, 21.93, 10.77), (B, 4.29, 2.16)])
def test_lymphoma_of_the_brain_has_the_published_moments_to_two_decimals(tracer, mean, sd):
    brain = {A: 0.25, B: 6.0}[tracer]
    ratios = np.concatenate(values("cohort_b", tracer)) / brain
    assert len(ratios) == 26
    assert round(ratios.mean(), 2) == mean
    assert round(ratios.std(ddof=1), 2) == sd
    assert ratios.min() > 1.2


def test_waldenstroem_has_one_assignment_that_gives_all_three_tables():
    # any = marrow or node, patient by patient: 100 and 58.8, 94.1 and 58.8, 76.5 and 11.8 %
    assert by_region(cohorts.load("cohort_d")) == {
        "bone marrow": counts(9, 7, 1, 0),
        "lymph node": counts(2, 11, 0, 4),
        "any": counts(10, 7, 0, 0),
    }


def test_every_p_quoted_of_waldenstroem_follows_from_its_discordant_pairs():
    discordant = {"any": (7, 0), "bone marrow": (7, 1), "lymph node": (11, 0)}
    for row in cohorts.load("cohort_d").quoted:
        b, c = discordant[row["region"]]
        exact = stats.binomtest(b, b + c).pvalue
        found = {
            "mcnemar_exact": exact,
            "mcnemar_mid_p": exact - stats.binom.pmf(min(b, c), b + c, 0.5),
            "mcnemar_chi2_cc": stats.chi2.sf((abs(b - c) - 1) ** 2 / (b + c), 1),
            "mcnemar_chi2": stats.chi2.sf((b - c) ** 2 / (b + c), 1),
        }[row["test"]]
        assert found == pytest.approx(row["value"], abs=row["abs_tol"]), row


# where they are


@pytest.mark.parametrize("name", cohorts.names())
def test_lesions_of_a_patient_are_40_mm_apart(name):
    for patient in cohorts.load(name).patients:
        for one, other in itertools.combinations(patient.lesions, 2):
            assert math.dist(one.centre_mm, other.centre_mm) >= 40.0


@pytest.mark.parametrize(("name", "margin_mm"), [("cohort_a", 10.0), ("cohort_b", 2.0), ("cohort_d", 8.0)])
def test_round_a_lesion_there_is_its_tissue_alone(name, margin_mm):
    """So that a region carried over with an error of registration measures no organ."""
    cohort = cohorts.load(name)
    for patient, tracer, scan in scans(name):
        suv = suv_field(scan.body, scan.grid, fwhm_mm=0.0)
        tissue = tracer.suv[cohort.tissue]
        for lesion, region in zip(patient.lesions, scan.body.lesions, strict=True):
            wide = Region(
                name="wide",
                shape=Sphere(centre_mm=region.shape.centre_mm, radius_mm=cohort.lesion_radius_mm + margin_mm),
            )
            own = region_mask(region, scan.grid)
            around = region_mask(wide, scan.grid) & ~own
            assert own.sum() > 20
            np.testing.assert_allclose(suv[own], lesion.suv[tracer.name], rtol=1e-12)
            np.testing.assert_allclose(suv[around], tissue, rtol=1e-12)


@pytest.mark.parametrize("name", cohorts.names())
def test_backgrounds_are_uniform_and_have_the_suv_of_their_organ(name):
    for _, tracer, scan in scans(name):
        suv = suv_field(scan.body, scan.grid, fwhm_mm=0.0)
        for region in scan.body.backgrounds:
            own = suv[region_mask(region, scan.grid)]
            assert own.size >= 10
            np.testing.assert_allclose(own, tracer.suv[region.name], rtol=1e-12)


@pytest.mark.parametrize("name", cohorts.names())
def test_the_second_session_lies_elsewhere_in_a_frame_of_its_own(name, tmp_path):
    patient = cohorts.load(name).patients[0].patient
    truth = cohorts.build(name, tmp_path, patients=[patient], variants=["rotated"]).truth
    scanned = truth["patients"][0]["scans"]
    assert scanned[A]["frame_of_reference_uid"] != scanned[B]["frame_of_reference_uid"]
    matrix = np.array(truth["motion"]["matrix"])
    turn = matrix[:3, :3]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.degrees(np.arccos((np.trace(turn) - 1.0) / 2.0)) == pytest.approx(5.0, abs=1e-9)
    np.testing.assert_allclose(turn @ [0.48, 0.36, 0.8], [0.48, 0.36, 0.8], atol=1e-12)
    centroids = {}
    for tracer in (A, B):
        image = nib.load(tmp_path / patient / tracer / "rois" / "sites.nii.gz")
        ijk = np.argwhere(np.asarray(image.dataobj) == 1)
        ras = (np.c_[ijk, np.ones(len(ijk))] @ image.affine.T)[:, :3].mean(axis=0)
        centroids[tracer] = ras * [-1.0, -1.0, 1.0]
    moved = turn @ centroids[A] + matrix[:3, 3]
    # a centroid of voxel centres lies within half a voxel of that of the sphere, in each frame
    assert np.abs(moved - centroids[B]).max() < max(cohorts.load(name).tracers[0].definition.grid.spacing_mm)


def test_a_turn_is_right_handed_and_goes_back():
    quarter = RigidMotion.about((0.0, 0.0, 2.0), degrees=90.0, shift_mm=(5.0, 0.0, -1.0))
    assert quarter.point((1.0, 0.0, 0.0)) == pytest.approx((5.0, 1.0, -1.0), abs=1e-12)
    np.testing.assert_allclose(quarter.back(np.array([[5.0, 1.0, -1.0]])), [[1.0, 0.0, 0.0]], atol=1e-12)


# what the files hold


def test_every_suvmax_of_the_oesophagus_is_its_table_value_within_half_a_stored_unit(oesophagus, plain_suv):
    n_values = 0
    backgrounds = {A: {"blood_pool": 1.5, "liver": 1.9}, B: {"blood_pool": 1.6, "liver": 2.1}}
    for patient, lesions in zip(cohorts.load("cohort_a").patients, oesophagus.truth["patients"], strict=True):
        for tracer in (A, B):
            folder = oesophagus.root / patient.patient / tracer
            slices = plain_suv.read(folder / "study" / "PT")
            suv = plain_suv.suv_volume(slices)
            half_units = np.array(
                [0.5 * v.max() / ds.stored.max() for v, ds in zip(suv, slices, strict=True)]
            )
            sites = label_map(folder / "rois" / "sites.nii.gz")
            for lesion, entry in zip(patient.lesions, lesions["lesions"], strict=True):
                inside = sites == lesion.number
                bound = half_units[inside.any(axis=(1, 2))].max() + 1e-9
                assert suv[inside].max() == pytest.approx(lesion.suv[tracer], abs=bound)
                expected = entry[tracer]["expected"]["suv_max"]
                assert expected["value"] == pytest.approx(lesion.suv[tracer], rel=1e-12)
                assert expected["abs_tol"] == pytest.approx(bound, rel=0.01)
                n_values += 1
            names = json.loads((folder / "rois" / "references.labels.json").read_text())
            references = label_map(folder / "rois" / "references.nii.gz")
            for label, name in names.items():
                inside = references == int(label)
                bound = half_units[inside.any(axis=(1, 2))].max() + 1e-9
                assert suv[inside].mean() == pytest.approx(backgrounds[tracer][name], abs=bound)
    assert n_values == 52


@pytest.mark.parametrize("patient", ["B04", "B22"])  # 54.57 and 5.51, 26.76 and 1.65
def test_ratios_to_normal_brain_come_back_within_their_tolerance(patient, tmp_path, plain_suv):
    built = cohorts.build("cohort_b", tmp_path, patients=[patient])
    (row,) = [p for p in cohorts.load("cohort_b").patients if p.patient == patient]
    for tracer, brain in ((A, 0.25), (B, 6.0)):
        folder = tmp_path / patient / tracer
        suv = plain_suv.suv_volume(plain_suv.read(folder / "study" / "PT"))
        sites, references = (label_map(folder / "rois" / f"{n}.nii.gz") for n in ("sites", "references"))
        ratio = suv[sites == 1].max() / suv[references == 1].mean()
        truth = built.truth["patients"][0]["lesions"][0][tracer]["expected"]["tbr_max_normal_brain"]
        assert truth["value"] == pytest.approx(row.lesions[0].suv[tracer] / brain, rel=1e-12)
        assert ratio == pytest.approx(truth["value"], abs=truth["abs_tol"])
        assert truth["abs_tol"] < 2e-2 * truth["value"]


def test_the_manifest_names_files_that_are_there(oesophagus):
    with oesophagus.manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["patient", "tracer", "study", "roi", "backgrounds"]
    assert [(row["patient"], row["tracer"]) for row in rows] == [
        (f"A{n:02d}", tracer) for n in range(10) for tracer in (A, B)
    ]
    root = oesophagus.root
    for row in rows:
        for series, modality in (("PT", "PT"), ("CT", "CT")):
            files = sorted((root / row["study"] / series).iterdir())
            assert len(files) == 60
            ds = pydicom.dcmread(files[0], stop_before_pixels=True)
            assert (ds.Modality, ds.PatientID) == (modality, row["patient"])
        assert (root / row["roi"]).is_file()
        found = {}
        for background in row["backgrounds"].split(";"):
            name, _, place = background.partition("=")
            file, _, label = place.rpartition(":")
            found[name] = int((label_map(root / file) == int(label)).sum())
        assert list(found) == ["blood_pool", "liver"]
        assert min(found.values()) > 0


def test_a_reader_drew_on_each_tracer_what_is_positive_on_it(oesophagus):
    cohort = cohorts.load("cohort_a")
    differs = False
    for patient, row in zip(cohort.patients, oesophagus.truth["patients"], strict=True):
        for tracer in cohort.tracers:
            rois = oesophagus.root / patient.patient / tracer.name / "rois"
            drawn, sites = label_map(rois / "lesions.nii.gz"), label_map(rois / "sites.nii.gz")
            for lesion, entry in zip(patient.lesions, row["lesions"], strict=True):
                under = set(np.unique(drawn[sites == lesion.number]))
                label = entry[tracer.name]["label"]
                assert under == {0 if label is None else label}
                assert (label is not None) == cohort.is_positive(lesion, tracer)
                differs |= label not in {None, lesion.number}
            assert ((drawn > 0) <= (sites > 0)).all()
    assert differs  # else the numbers would not be independent


def test_reads_name_a_lesion_alike_on_both_tracers_at_its_place_in_each(oesophagus):
    with oesophagus.reads.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 52
    assert sum(row["visual"] == "2" for row in rows) == 21 + 19
    place = {
        (r["patient"], r["lesion_id"], r["tracer"]): np.array([float(r[x]) for x in "xyz"]) for r in rows
    }
    for (patient, lesion, tracer), at in place.items():
        if tracer == A:
            np.testing.assert_allclose(place[patient, lesion, B] - at, [12.0, -8.0, 16.0], atol=1e-9)


def test_a_tracer_that_shows_nothing_has_no_map_of_lesions(tmp_path):
    built = cohorts.build("cohort_d", tmp_path, patients=["D16"])  # on Pentixafor alone
    rows = {row["tracer"]: row for row in csv.DictReader(built.manifest.read_text().splitlines())}
    assert rows[A]["roi"] == "D16/pentixafor/rois/lesions.nii.gz"
    assert rows[B]["roi"] == ""
    assert not (tmp_path / "D16" / B / "rois" / "lesions.nii.gz").exists()


@pytest.mark.parametrize(("name", "patient"), [("cohort_a", "A09"), ("cohort_b", "B11"), ("cohort_d", "D09")])
def test_two_builds_of_a_patient_have_the_same_hashes(name, patient, tmp_path):
    first, second = (cohorts.build(name, tmp_path / n, patients=[patient]) for n in ("first", "second"))
    manifests = [(built.root / "MANIFEST.sha256").read_bytes() for built in (first, second)]
    assert manifests[0] == manifests[1]
    assert {b"truth.json", b"manifest.csv", b"reads.csv"} <= set(manifests[0].split())


def test_a_cohort_of_all_patients_is_small(oesophagus):
    files = [path for path in oesophagus.root.rglob("*") if path.is_file()]
    assert sum(path.suffix == ".dcm" for path in files) == 2400
    assert sum(path.stat().st_size for path in files) < 32e6


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
@pytest.mark.parametrize(("name", "patient"), [("cohort_a", "A01"), ("cohort_b", "B01"), ("cohort_d", "D01")])
def test_dciodvfy_finds_no_fault_in_a_scan_of_a_cohort(name, patient, tmp_path):
    cohorts.build(name, tmp_path, patients=[patient], variants=["rotated", "two_beds"])
    for tracer in (A, B):
        for series, said in (("PT", "PETImage"), ("CT", "CTImage")):
            files = sorted((tmp_path / patient / tracer / "study" / series).iterdir())
            for path in (files[0], files[-1]):
                run = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
                assert (run.stdout + run.stderr).split() == [said]


# variants


def one(name="cohort_a", patient="A03", **options):
    return next(iter(scans(name, patients=[patient], **options)))[2].header


def test_an_injection_before_midnight_is_an_hour_before_the_scan():
    header = one(variants=["midnight"])
    assert header.injected_at.isoformat() == "2025-06-01T23:30:00"
    assert header.series_at.isoformat() == "2025-06-02T00:30:00"
    assert header.decay_interval_s == 3600.0


def test_two_beds_are_halves_of_the_scan():
    header = one(variants=["two_beds"])
    starts = [header.bed_of_slice(k, n_slices=60).acquired_at for k in range(60)]
    assert starts[:30] == [header.series_at] * 30
    assert {(start - header.series_at).total_seconds() for start in starts[30:]} == {330.0}


def test_swapped_ids_count_down_on_the_second_tracer():
    cohort = cohorts.load("cohort_a", variants=["swapped_ids"])
    patient = cohort.patients[3]
    assert [cohort.labels(patient, tracer) for tracer in cohort.tracers] == [{1: 1, 2: 2}, {2: 1, 1: 2}]


def test_merged_lesions_are_one_label_with_the_larger_maximum(tmp_path):
    built = cohorts.build("cohort_a", tmp_path, variants=["merged"], patients=["A00", "A01"])
    (merged,) = built.truth["merged"]
    assert (merged["patient"], merged["tracer"], merged["lesions"], merged["label"]) == ("A00", B, [1, 2], 1)
    assert merged["expected"]["suv_max"]["value"] == pytest.approx(9.71, rel=1e-12)  # of 9.71 and 6.85
    drawn = label_map(tmp_path / "A00" / B / "rois" / "lesions.nii.gz")
    sites = label_map(tmp_path / "A00" / B / "rois" / "sites.nii.gz")
    np.testing.assert_array_equal(drawn == 1, (sites == 1) | (sites == 2))


@pytest.mark.parametrize(
    ("variant", "missing"),
    [
        ("no_suv", {"PatientWeight", "RadionuclideTotalDose"}),
        ("beds_not_aligned", {"PatientWeight", "RadionuclideTotalDose", "ActualFrameDuration"}),
    ],
)
def test_what_no_suv_can_be_computed_from_has_no_suv_in_its_truth(variant, missing, tmp_path):
    truth = cohorts.build("cohort_a", tmp_path, variants=[variant], patients=["A01"]).truth
    ds = pydicom.dcmread(tmp_path / "A01" / A / "study" / "PT" / "IM0001.dcm")
    present = {element.keyword for element in ds.iterall()}
    assert not missing & present
    assert truth["suv"] == {"expected": "refused", "error_code": "WEIGHT_MISSING"}
    columns = {
        column.partition("_")[0] for x in truth["patients"][0]["lesions"] for column in x[A]["expected"]
    }
    has_ratios = variant == "no_suv"
    assert columns == ({"n", "mtv", "tbr"} if has_ratios else {"n", "mtv"})
    assert truth["tbr"]["error_code"] == (None if has_ratios else "TBR_BEDS_NOT_ALIGNED")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["cohort_a", "cohort_d"])
def test_every_variant_is_recorded_and_changes_no_lesion(name, variant):
    cohort = cohorts.load(name, variants=[variant])
    assert cohort.variants == (variant,)
    assert cohort.patients == cohorts.load(name).patients
    assert cohort != cohorts.load(name)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variants": ["turned"]}, "no variant turned; there are rotated"),
        ({"variants": ["beds_not_aligned", "two_beds"]}, "has two beds and no SUV already"),
        ({"variants": ["beds_not_aligned"], "decay": "START"}, "without decay correction"),
        ({"variants": ["no_suv"], "units": "GML"}, "in BQML alone"),
        ({"units": "PROPCPS"}, "have no SUV"),
        ({"patients": ["A10"]}, "no patient A10"),
    ],
)
def test_what_makes_no_cohort_says_why(options, said):
    with pytest.raises(DefinitionError, match=said):
        cohorts.load("cohort_a", **options)


def test_one_lesion_a_patient_cannot_be_merged():
    with pytest.raises(DefinitionError, match="no patient has two lesions"):
        cohorts.load("cohort_b", variants=["merged"])


def test_an_unknown_cohort_names_those_there_are():
    with pytest.raises(DefinitionError, match="no cohort 'cohort_c'; there are cohort_a, cohort_b, cohort_d"):
        cohorts.load("cohort_c")
