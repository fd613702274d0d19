"""``petquant phantom``: what it lists, what it writes, and what it will not write over."""

from __future__ import annotations

import json
import shlex
import stat

import pytest
from petquant_phantoms import catalogue, cohorts
from petquant_phantoms.cohort_variants import VARIANTS
from petquant_phantoms.dialects import DIALECTS
from petquant_phantoms.encoding import TRANSFER_SYNTAXES


def test_list_names_every_phantom_and_every_choice(petquant):
    shown = petquant("phantom", "list")
    assert shown.code == 0
    words = shown.out.decode().splitlines()
    assert set(catalogue.names()) <= set(words)
    assert f"--vendor: {', '.join(DIALECTS)}" in words
    record = petquant("phantom", "list", "--json").json
    assert [row["name"] for row in record["phantoms"]] == list(catalogue.names())
    assert all(row["description"] for row in record["phantoms"])
    assert record["choices"]["--transfer-syntax"] == list(TRANSFER_SYNTAXES)
    assert set(cohorts.names()) <= set(words)
    assert [row["name"] for row in record["cohorts"]] == list(cohorts.names())
    assert [(row["n_patients"], row["n_lesions"]) for row in record["cohorts"]] == [
        (10, 26),
        (26, 26),
        (17, 34),
    ]
    assert list(record["variants"]) == list(VARIANTS)


def test_build_writes_what_the_catalogue_writes_and_says_what_to_do_next(petquant, tmp_path):
    built = petquant("phantom", "build", "whole_study", "-o", "here", "--vendor", "ge", "--decay", "ADMIN")
    assert built.code == 0
    assert built.err.startswith("petquant: building whole_study: ")
    same = catalogue.build("whole_study", tmp_path / "same", vendor="ge", decay="ADMIN")
    assert (tmp_path / "here" / "MANIFEST.sha256").read_bytes() == (
        same.root / "MANIFEST.sha256"
    ).read_bytes()
    assert {path.name for path in (tmp_path / "here").iterdir()} == {
        "MANIFEST.sha256",
        "rois",
        "study",
        "truth.json",
    }
    *_, last = built.out.decode().splitlines()
    assert last.startswith("Next: petquant suv here/study")
    assert petquant(*shlex.split(last.removeprefix("Next: petquant "))).code == 0


@pytest.mark.parametrize(
    "name", ["fractional_seg", "overlapping_segments", "rtstruct_rules", "missing_slice"]
)
def test_the_next_command_works_for_phantoms_of_every_kind(name, petquant):
    built = petquant("phantom", "build", name, "-o", "with blanks")
    *_, last = built.out.decode().splitlines()
    expected = 0 if catalogue.load(name).expected == "ok" else 4
    assert petquant(*shlex.split(last.removeprefix("Next: petquant "))).code in {0, expected}


def test_several_phantoms_have_a_folder_each(petquant, tmp_path):
    built = petquant("phantom", "build", "tiny", "oblique", "tiny", "-o", "several")
    assert built.code == 0
    assert {path.name for path in (tmp_path / "several").iterdir()} == {"tiny", "oblique"}
    for name in ("tiny", "oblique"):
        truth = json.loads((tmp_path / "several" / name / "truth.json").read_bytes())
        assert truth["phantom"] == name


def test_a_phantom_replaces_a_phantom_and_leaves_nothing_of_it(petquant, tmp_path):
    petquant("phantom", "build", "whole_study", "-o", "place")
    assert petquant("phantom", "build", "tiny", "-o", "place").code == 0
    fresh = catalogue.build("tiny", tmp_path / "fresh")
    found = {path.relative_to(tmp_path / "place") for path in (tmp_path / "place").rglob("*")}
    assert found == {path.relative_to(fresh.root) for path in fresh.root.rglob("*")}


def test_a_cohort_is_built_under_its_variants_and_replaced_like_a_phantom(petquant, tmp_path):
    words = ["--variant", "two_beds", "--variant", "swapped_ids", "--decay", "NONE"]
    built = petquant("phantom", "build", "cohort_d", "-o", "place", *words)
    assert built.code == 0
    place = tmp_path / "place"
    # 17 patients by 2 tracers; 11 lesions on both tracers, 18 and 1 on one alone, 4 on neither: section 13
    assert "17 patients, pentixafor and fdg" in built.out.decode()
    assert "34: 11 on both, 18 on pentixafor alone, 1 on fdg alone, 4 on neither" in built.out.decode()
    truth = json.loads((place / "truth.json").read_bytes())
    assert truth["variants"] == ["two_beds", "swapped_ids"]
    assert truth["dialect"]["decay_correction"] == "NONE"
    listed = {line.partition("  ")[2] for line in (place / "MANIFEST.sha256").read_text().splitlines()}
    found = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert found == {*listed, "MANIFEST.sha256"}
    assert petquant("phantom", "build", "tiny", "-o", "place").code == 0
    assert not (place / "manifest.csv").exists()


@pytest.mark.parametrize("is_in_a_phantom", [False, True])
def test_a_folder_with_anything_foreign_in_it_is_left_alone(is_in_a_phantom, petquant, tmp_path):
    if is_in_a_phantom:
        petquant("phantom", "build", "tiny", "-o", "place")
    thesis = tmp_path / "place" / "thesis.tex"
    thesis.parent.mkdir(exist_ok=True)
    thesis.write_text("years of work")
    before = sorted((tmp_path / "place").rglob("*"))
    built = petquant("phantom", "build", "oblique", "-o", "place")
    assert built.code == 2
    assert "thesis.tex" in built.line("OPTION_INVALID")
    assert sorted((tmp_path / "place").rglob("*")) == before


def test_a_file_is_no_folder(petquant, tmp_path):
    (tmp_path / "taken").write_text("")
    assert petquant("phantom", "build", "tiny", "-o", "taken").code == 2


def test_a_place_that_cannot_be_written_is_exit_6(petquant, tmp_path):
    barred = tmp_path / "taken"
    barred.write_text("")
    built = petquant("phantom", "build", "tiny", "-o", "taken/below")
    assert built.code == 6
    assert built.codes == ["OUTPUT_FAILED"]
    assert stat.S_ISREG(barred.stat().st_mode)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tinny"], "no phantom tinny; expected one of acr, anisotropic, "),
        ([], "neither a name nor --all"),
        (["tiny", "--all"], "names and --all"),
        (["tiny", "--vendor", "acme"], "--vendor acme; expected one of generic, siemens"),
        (["tiny", "--decay", "LATER"], "--decay LATER; expected one of START, ADMIN, NONE"),
        (["tiny", "--units", "SUV"], "--units SUV; expected one of BQML, CNTS"),
        (["tiny", "--transfer-syntax", "morse"], "--transfer-syntax morse; expected one of explicit"),
        (["tiny", "--transfer-syntax", "jpeg_2000"], "needs at least 32 rows and columns"),
        (["tiny", "--variant", "rotated"], "--variant rotated of tiny; expected a cohort: cohort_a, "),
        (["cohort_a", "--variant", "turned"], "--variant turned; expected one of rotated, midnight"),
        (["cohort_a", "--units", "PROPCPS"], "have no SUV"),
        (["cohort_a", "--variant", "beds_not_aligned", "--decay", "ADMIN"], "is without decay correction"),
    ],
)
def test_impossible_words_are_exit_2_and_write_nothing(words, said, petquant, tmp_path):
    built = petquant("phantom", "build", *words, "-o", "here")
    assert built.code == 2
    assert said in built.line("OPTION_INVALID")
    assert list(tmp_path.iterdir()) == []
