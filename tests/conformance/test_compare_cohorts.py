"""The synthetic cohorts through the command: from DICOM to the published counts, means and p values.

What must come out stands in the specification of the reads (8, 13 and 15); the values and the places of the
lesions are those of the phantoms' tables, the registration is that of the scans' CT.
"""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from petquant_phantoms import cohorts


def run(folder: Path, *words: object, out: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command; its tables go into a folder."""
    command = [sys.executable, "-c", "from petquant_cli.main import main; main()", "compare"]
    arguments = [*map(str, words), "-o", str(folder / out), "--workers", "2"]
    return subprocess.run([*command, *arguments], capture_output=True, check=False)


def compared(folder: Path, *words: object, out: str = "out") -> dict:
    """Return the comparison.json of the command."""
    done = run(folder, *words, out=out)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / out / "comparison.json").read_bytes())


def refused(folder: Path, *words: object) -> str:
    """Return what the command says when it refuses and writes nothing."""
    done = run(folder, *words, out="out")
    assert done.returncode == 4
    assert not (folder / "out").exists()
    return done.stderr.decode()


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def with_column(manifest: Path, column: str, text: str) -> Path:
    """Write the manifest with one more column, the same in every row, and return its path."""
    rows = [row | {column: text} for row in table(manifest)]
    return written(manifest.with_name("with_column.csv"), rows)


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def counts(found: dict) -> tuple[int, int, int, int]:
    """Both, FDG alone, Pentixafor alone, neither: a is Pentixafor, b is FDG."""
    return found["both"], found["b_only"], found["a_only"], found["neither"]


def estimand(record: dict, test: str, **which: str) -> dict:
    wanted = {"set": "union", "unit": "lesion", "scale": "difference"} | which
    (row,) = (
        row
        for row in record["estimands"]
        if all(row[key] == value for key, value in wanted.items()) and row["test"].startswith(test)
    )
    return row


@pytest.fixture(scope="module")
def built_a(tmp_path_factory):
    return cohorts.build("cohort_a", tmp_path_factory.mktemp("a"))


@pytest.fixture(scope="module")
def cohort_a(built_a):
    return compared(built_a.root.parent, built_a.manifest, "--positivity", ">1.5*blood_pool", out="out_a")


def test_the_oesophagus_cohort_gives_counts_and_mcnemar(cohort_a):
    assert cohort_a["tracers"] == ["pentixafor", "fdg"]
    lesions = cohort_a["concordance"]["lesion"]
    assert counts(lesions) == (14, 5, 7, 0)
    assert lesions["n_unknown"] == 0
    assert lesions["mcnemar"]["exact"] == pytest.approx(0.774414, abs=6e-7)
    assert lesions["mcnemar"]["chi2_cc"] == pytest.approx(0.772830, abs=6e-7)
    assert lesions["difference"] == pytest.approx(2 / 26, abs=1e-12)  # +7.7 points
    assert lesions["tango_ci"] == pytest.approx([-0.189, 0.331], abs=6e-4)
    assert counts(cohort_a["concordance"]["patient"]) == (10, 0, 0, 0)


def test_the_oesophagus_cohort_gives_the_means_with_forced_reads(cohort_a):
    row = estimand(cohort_a, "patient sign-flip", metric="suv_max")
    assert row["is_default"]
    assert (row["n"], row["n_patients"], row["n_forced"], row["n_missing"]) == (26, 10, 12, 0)
    # half a step of a slice whose maximum is 31 is 5e-4; means of 26 stay within it
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((4.2000, 6.8996), abs=5e-4)
    assert (row["sd_a"], row["sd_b"]) == pytest.approx((2.050, 7.075), abs=1e-3)


@pytest.mark.parametrize(
    ("test", "p", "estimate", "interval"),
    [
        ("patient sign-flip", 0.0703125, -2.6996, None),
        ("paired t", 0.0749, -2.6996, [-5.691, 0.292]),
        ("Wilcoxon", 0.0993, -1.51, [-4.31, 0.275]),
    ],
)
def test_the_oesophagus_cohort_gives_the_p_of_every_test(test, p, estimate, interval, cohort_a):
    row = estimand(cohort_a, test, metric="suv_max")
    assert row["p"] == pytest.approx(p, abs=1e-4)
    assert row["estimate"] == pytest.approx(estimate, abs=1e-3)
    if interval is not None:
        assert row["ci"] == pytest.approx(interval, abs=1e-3)


def test_the_oesophagus_cohort_gives_the_ratios(cohort_a):
    pool = estimand(cohort_a, "patient sign-flip", metric="tbr_max_blood_pool")
    liver = estimand(cohort_a, "patient sign-flip", metric="tbr_max_liver")
    assert pool["p"] == pytest.approx(0.1055, abs=1e-4)
    assert (pool["mean_a"], pool["mean_b"]) == pytest.approx((2.800, 4.312), abs=1e-3)
    assert (liver["mean_a"], liver["mean_b"]) == pytest.approx((2.211, 3.286), abs=1e-3)


def test_every_forced_read_measures_the_lesion_and_nothing_around_it(built_a, cohort_a):
    suv = {
        (patient["patient"], tracer, round(lesion[tracer]["suv"], 2))
        for patient in built_a.truth["patients"]
        for lesion in patient["lesions"]
        for tracer in ("pentixafor", "fdg")
    }
    rows = [row for row in table(built_a.root.parent / "out_a/lesions.csv") if row["forced"] == "True"]
    assert len(rows) == 12
    for row in rows:
        for column in ("suv_max", "suv_peak", "suv_mean"):
            assert (row["patient"], row["tracer"], round(float(row[column]), 2)) in suv
        assert "FORCED_READ" in row["flags"].split()


# of the two patients whose lesions another rule calls otherwise, by the table of the cohort: FDG 1.93 is
# above blood pool (1.6) and not above liver (2.1), Pentixafor 2.09 above both (1.5, 1.9)
@pytest.mark.parametrize(("rule", "want"), [(">blood_pool", (4, 0, 3, 0)), (">liver", (3, 0, 4, 0))])
def test_another_rule_gives_other_counts(rule, want, built_a, tmp_path):
    rows = [row for row in table(built_a.manifest) if row["patient"] in {"A04", "A09"}]
    manifest = written(built_a.manifest.with_name(f"two_{rule[1:]}.csv"), rows)
    found = compared(tmp_path, manifest, "--positivity", rule)
    assert counts(found["concordance"]["lesion"]) == want
    assert found["positivity"] == rule


@pytest.mark.parametrize(("name", "want"), [("blood_pool", (16, 4, 6)), ("liver", (15, 4, 7))])
def test_the_ratios_of_the_whole_cohort_give_the_counts_of_another_rule(name, want, built_a, cohort_a):
    is_above: dict[tuple[str, str], dict[str, bool]] = {}
    for row in table(built_a.root.parent / "out_a/lesions.csv"):
        tracers = is_above.setdefault((row["patient"], row["pair"]), {})
        tracers[row["tracer"]] = float(row[f"tbr_max_{name}"]) > 1.0
    called = [(one["pentixafor"], one["fdg"]) for one in is_above.values()]
    assert len(called) == 26
    assert tuple(called.count(state) for state in ((True, True), (False, True), (True, False))) == want


def states(folder: Path) -> list[str]:
    return sorted(row["state"] for row in table(folder / "out/pairs.csv"))


def test_a_turned_and_shifted_session_matches_every_lesion(tmp_path):
    built = cohorts.build("cohort_a", tmp_path / "in", variants=["rotated"], patients=["A04", "A09"])
    found = compared(tmp_path, built.manifest, "--positivity", ">1.5*blood_pool")
    assert states(tmp_path) == sorted(["both", "b_only", "a_only", "both", "a_only", "a_only", "a_only"])
    for session, patient in zip(found["sessions"], built.truth["patients"], strict=True):
        motion = session["registration"]["matrix_a_to_b"]
        for lesion in patient["lesions"]:
            x, y, z = lesion["pentixafor"]["center_lps_mm"]
            carried = [row[0] * x + row[1] * y + row[2] * z + row[3] for row in motion[:3]]
            # target registration error of the specification on rigid phantoms
            assert math.dist(carried, lesion["fdg"]["center_lps_mm"]) <= 0.22


def test_ids_that_mean_other_lesions_on_the_other_scan_do_not_mislead(tmp_path):
    built = cohorts.build("cohort_a", tmp_path / "in", variants=["swapped_ids"], patients=["A00", "A09"])
    compared(tmp_path, built.manifest, "--positivity", ">1.5*blood_pool")
    assert states(tmp_path) == sorted(["both", "both", "a_only", "both", "a_only", "a_only", "a_only"])
    pairs = {row["pair"] for row in table(tmp_path / "out/pairs.csv") if row["patient"] == "A00"}
    assert pairs == {"a1=b2", "a2=b1", "a3"}


def test_two_lesions_drawn_as_one_are_a_pair_with_both_members(tmp_path):
    built = cohorts.build("cohort_a", tmp_path / "in", variants=["merged"], patients=["A00"])
    compared(tmp_path, built.manifest, "--positivity", ">1.5*blood_pool")
    assert states(tmp_path) == ["a_only", "both"]
    (both,) = (row for row in table(tmp_path / "out/pairs.csv") if row["state"] == "both")
    assert sorted(both["members_a"].split()) == ["1", "2"]


def test_without_weight_and_dose_the_counts_and_ratios_stand(tmp_path):
    built = cohorts.build("cohort_a", tmp_path / "in", variants=["no_suv"], patients=["A00", "A09"])
    found = compared(tmp_path, built.manifest, "--positivity", ">1.5*blood_pool")
    assert counts(found["concordance"]["lesion"]) == (3, 0, 4, 0)
    assert {row["metric"].partition("_")[0] for row in found["estimands"]} == {"tbr"}


def test_beds_that_cannot_be_aligned_are_refused(tmp_path):
    built = cohorts.build("cohort_a", tmp_path / "in", variants=["beds_not_aligned"], patients=["A09"])
    said = refused(tmp_path, built.manifest, "--positivity", ">1.5*blood_pool")
    assert built.truth["tbr"]["error_code"] in said


def test_scans_of_two_patients_are_refused(built_a, tmp_path):
    words = [built_a.root / "A00/pentixafor/study", built_a.root / "A01/fdg/study"]
    words += ["--roi-a", built_a.root / "A00/pentixafor/rois/lesions.nii.gz"]
    words += ["--roi-b", built_a.root / "A01/fdg/rois/lesions.nii.gz"]
    assert "PATIENTS_DIFFER" in refused(tmp_path, *words)


def test_waldenstroem_gives_the_three_tables_and_all_their_p_values(tmp_path):
    built = cohorts.build("cohort_d", tmp_path / "in")
    manifest = with_column(built.manifest, "reads", built.reads.name)
    found = compared(tmp_path, manifest, "--positivity", ">liver", "--allow-empty")
    tables = {"any": found["concordance"]["patient"], **found["regions"]}
    assert {name: counts(one) for name, one in tables.items()} == {
        "any": (10, 0, 7, 0),
        "bone marrow": (9, 1, 7, 0),
        "lymph node": (2, 0, 11, 4),
    }
    published = {
        "any": (0.015625, 0.007813, 0.023342, 0.008151),
        "bone marrow": (0.070312, 0.039063, 0.077100, 0.033895),
        "lymph node": (0.000977, 0.000488, 0.002569, 0.000911),
    }
    for name, want in published.items():
        p = tables[name]["mcnemar"]
        assert [p["exact"], p["mid_p"], p["chi2_cc"], p["chi2"]] == pytest.approx(want, abs=1e-6)
    # of two regions the smaller p counts twice, and the larger is no smaller than that
    assert tables["lymph node"]["p_holm"] == pytest.approx(2 * 0.000977, abs=2e-6)
    assert tables["bone marrow"]["p_holm"] == pytest.approx(0.070312, abs=1e-6)
    assert tables["bone marrow"]["rate_a"]["ci"] == pytest.approx([0.713, 0.999], abs=6e-4)
    assert tables["lymph node"]["rate_b"]["ci"] == pytest.approx([0.015, 0.364], abs=6e-4)
    for letter in "ab":  # the reader drew what the rule calls positive
        agreed = found["rule_against_reader"][letter]
        assert (agreed["rule_only"], agreed["reader_only"], agreed["kappa"]) == (0, 0, 1.0)


def test_lymphoma_of_the_brain_gives_the_published_ratios(tmp_path):
    built = cohorts.build("cohort_b", tmp_path / "in")
    found = compared(tmp_path, built.manifest, "--positivity", ">normal_brain")
    row = estimand(found, "patient sign-flip", metric="tbr_max_normal_brain")
    assert row["n"] == 26
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((21.93, 4.29), abs=5e-3)
    assert (row["sd_a"], row["sd_b"]) == pytest.approx((10.77, 2.16), abs=5e-3)
