"""A source says what a batch measures: every study once, by a name that stays, or why it is skipped."""

from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest
from petquant_phantoms import TINY, pet_datasets, write_datasets, write_study

from petquant.batch.sources import tasks_of
from petquant.errors import UnreadableInput, UsageError
from petquant.quantify import quantify
from petquant.study import Choices


def named(uid):
    def edit(dataset, place):
        dataset.StudyInstanceUID = f"2.25.{uid}"
        dataset.SeriesInstanceUID = f"2.25.{uid}.1"
        dataset.SOPInstanceUID = f"2.25.{uid}.1.{place + 1}"
        dataset.PatientID = f"P{uid}"

    return edit


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two studies in folders of their own with regions beside, and two more in one flat folder."""
    root = tmp_path_factory.mktemp("cohort")
    one = write_study(TINY, root / "phantom")
    tree = root / "tree"
    for uid, folder in ((11, "a/pet"), (12, "b b/pet"), (13, "mixed"), (14, "mixed")):
        datasets = pet_datasets(TINY, edit=named(uid))
        write_datasets(datasets, root / f"files{uid}")
        (tree / folder).mkdir(parents=True, exist_ok=True)
        for number, file in enumerate(sorted((root / f"files{uid}").rglob("*.dcm"))):
            shutil.copyfile(file, tree / folder / f"{uid}_{number}.dcm")
    for folder in ("a", "b b"):
        (tree / folder / "rois").mkdir()
        shutil.copyfile(one.lesions, tree / folder / "rois/lesions.nii.gz")
    (tree / "notes.txt").write_text("no study", encoding="utf-8")
    return tree


@pytest.fixture
def tree(built, tmp_path):
    copied = tmp_path / "tree"
    shutil.copytree(built, copied)
    return copied


@pytest.fixture
def manifest(built, tmp_path):
    """Write a table beside the tree."""

    def write(text, name="cohort.csv"):
        path = built / name
        path.write_text(text, encoding="utf-8")
        return path

    yield write
    for path in built.glob("*.csv"):
        path.unlink()


def test_every_study_of_a_tree_is_a_task_wherever_its_files_lie(built):
    tasks = tasks_of(built, roi_patterns=["{study}/../rois/*.nii.gz"], choices=Choices(is_strict=True))
    assert [(task.name.rpartition("-")[0] or task.name, task.choices.study) for task in tasks] == [
        ("a_pet", "2.25.11"),
        ("b_b_pet", "2.25.12"),
        ("mixed", "2.25.13"),
        ("mixed", "2.25.14"),
    ]
    assert len({task.name for task in tasks}) == 4
    assert all(task.choices.is_strict for task in tasks)
    assert [len(task.rois) for task in tasks] == [1, 1, 0, 0]
    assert tasks[0].rois[0].endswith("rois/lesions.nii.gz")
    assert tasks[2].reason_to_skip == "no region: nothing matches {study}/../rois/*.nii.gz"


def test_names_do_not_change_when_other_studies_go(tree):
    before = {task.choices.study: task.name for task in tasks_of(tree)}
    shutil.rmtree(tree / "a")
    after = {task.choices.study: task.name for task in tasks_of(tree)}
    assert after == {uid: name for uid, name in before.items() if uid != "2.25.11"}


def test_regions_are_found_by_the_patient(tree):
    (tree / "masks").mkdir()
    shutil.copyfile(tree / "a/rois/lesions.nii.gz", tree / "masks/P13.nii.gz")
    tasks = tasks_of(tree, roi_patterns=["{source}/masks/{patient}.nii.gz"])
    assert [bool(task.rois) for task in tasks] == [False, False, True, False]


def test_one_file_of_regions_belongs_to_one_study(built):
    with pytest.raises(UsageError, match="matches the studies a_pet, b_b_pet"):
        tasks_of(built, roi_patterns=["{source}/a/rois/*.nii.gz"])


def test_words_in_braces_that_no_study_has_are_a_mistake(built):
    with pytest.raises(UsageError, match=r"\{subject\}.*\{study\}, \{name\}, \{patient\}, \{source\}"):
        tasks_of(built, roi_patterns=["{source}/{subject}.nii"])


def test_a_study_without_its_background_is_skipped_and_says_so(tree):
    shutil.copyfile(tree / "a/rois/lesions.nii.gz", tree / "a/liver.nii.gz")
    first, second, *_ = tasks_of(
        tree,
        roi_patterns=["{study}/../rois/*.nii.gz"],
        backgrounds=["liver={study}/../liver.nii.gz", "pool=sphere:0,0,0,5"],
    )
    assert [one.name for one in first.backgrounds] == ["liver", "pool"]
    assert first.reason_to_skip == ""
    assert second.reason_to_skip == "no background liver={study}/../liver.nii.gz: PATH_NOT_FOUND"


def test_a_row_is_a_study_with_all_that_is_said_of_it(manifest, built):
    path = manifest(
        "name,study,roi,backgrounds,weight_kg,series,tracer,arm\n"
        "P 1,a/pet,a/rois/lesions.nii.gz;b b/rois/lesions.nii.gz,"
        "node=a/rois/lesions.nii.gz:1;pool=auto:blood_pool,71.5,3,FDG,control\n"
        ",b b/pet,b b/rois,,,,,\n"
    )
    one, two = tasks_of(path, choices=Choices(is_strict=True))
    assert (one.name, one.study) == ("P_1", str(built / "a/pet"))
    assert one.rois == (str(built / "a/rois/lesions.nii.gz"), str(built / "b b/rois/lesions.nii.gz"))
    assert [(b.name, b.label, b.automatic) for b in one.backgrounds] == [
        ("node", "1", ""),
        ("pool", None, "blood_pool"),
    ]
    assert one.choices.overrides.weight_kg == 71.5
    assert one.choices.overrides.tracer == "[18F]FDG"
    assert (one.choices.series, one.choices.is_strict) == ("3", True)
    assert one.columns == {"tracer": "FDG", "arm": "control"}
    assert two.name == "b_b_pet"
    assert two.choices.overrides.weight_kg is None


def test_everything_wrong_in_any_row_is_said_with_its_line_before_anything_runs(manifest):
    path = manifest("study,roi,weight_kg,frame\na/pet,a/none.nii.gz,-3,0\nb b/pet,,,\nb b/pet,b b/rois,,\n")
    with pytest.raises(UsageError) as error:
        tasks_of(path)
    assert [(f.code, f.where) for f in error.value.findings] == [
        ("PATH_NOT_FOUND", "cohort.csv line 2"),
        ("OPTION_INVALID", "cohort.csv line 2"),
        ("OPTION_INVALID", "cohort.csv line 3"),
    ]


def test_a_study_that_is_not_there_stops_no_batch(manifest, built):
    path = manifest("study,roi\nnowhere/pet,nowhere/lesions.nii.gz\na/pet,a/rois\n")
    gone, there = tasks_of(path)
    assert (gone.study, gone.reason_to_skip) == (str(built / "nowhere/pet"), "")
    assert there.name == "a_pet"


def test_rows_with_one_name_or_one_content_are_a_mistake(manifest):
    with pytest.raises(UsageError, match="lines 2, 3 have one name"):
        tasks_of(manifest("study,roi,name\na/pet,a/rois,X\nb b/pet,b b/rois,x\n"))
    with pytest.raises(UsageError, match="lines 2, 3 have one study with the same regions"):
        tasks_of(manifest("study,roi\na/pet,a/rois\na/pet,a/rois\n"))


def test_names_do_not_follow_from_where_the_manifest_is_read(manifest, monkeypatch):
    rows = "a/pet,a/rois,X 1\na/pet,a/rois,X+1\na/pet,a/rois,\na/pet,a/rois/lesions.nii.gz,\n"
    path = manifest(f"study,roi,name\n{rows}")
    names = [task.name for task in tasks_of(path)]
    assert len(set(names)) == 4
    monkeypatch.chdir(path.parent / "a")
    assert [task.name for task in tasks_of("../cohort.csv")] == names


def test_a_cell_that_can_be_no_path_stops_no_batch_and_one_that_is_no_text_is_said(manifest):
    gone, _ = tasks_of(manifest(f"study,roi\n{'x' * 5000},y\na/pet,a/rois\n"))
    assert gone.reason_to_skip == ""
    with pytest.raises(UnreadableInput, match="NUL"):
        tasks_of(manifest("study,roi\na/pet\0,a/rois\n"))


def test_a_manifest_without_regions_takes_a_pattern_of_its_columns(manifest):
    path = manifest("study,place\na/pet,a\nb b/pet,b b\n")
    tasks = tasks_of(path, roi_patterns=["{source}/{place}/rois/*"])
    assert [len(task.rois) for task in tasks] == [1, 1]
    with pytest.raises(UnreadableInput, match="no column roi"):
        tasks_of(path)


def test_a_table_of_pyradiomics_works_as_it_is(manifest, built):
    path = manifest("ID,Image,Mask,Label\n1,a/pet,a/rois/lesions.nii.gz,1\n2,a/pet,a/rois/lesions.nii.gz,2\n")
    one, two = tasks_of(path)
    assert (one.study, one.rois) == (str(built / "a/pet"), (str(built / "a/rois/lesions.nii.gz"),))
    assert (one.choices.roi_label, two.choices.roi_label) == ("1", "2")
    assert one.columns == {"ID": "1"}
    assert one.name != two.name
    assert one.name.startswith("a_pet-")


def test_yes_and_no_in_a_cell_are_what_they_say(manifest):
    path = manifest("study,roi,trust_sidecar_times\na/pet,a/rois,no\nb b/pet,b b/rois,yes\n")
    assert [task.choices.overrides.trust_sidecar_times for task in tasks_of(path)] == [None, True]


def test_an_image_is_called_without_its_suffix(manifest, built):
    (built / "scan.nii.gz").write_bytes(b"")
    (task,) = tasks_of(manifest("Image,Mask\nscan.nii.gz,a/rois/lesions.nii.gz\n"))
    (built / "scan.nii.gz").unlink()
    assert task.name == "scan"


def test_one_label_alone_is_measured_where_a_row_says_so(manifest):
    path = manifest("study,roi,roi_label\na/pet,a/rois/lesions.nii.gz,2\n")
    (task,) = tasks_of(path)
    measured = quantify(task.study, task.rois, choices=task.choices).measurements
    assert [row.roi_id for row in measured] == ["2"]
    assert measured[0].values["suv_max"] == pytest.approx(0.2, abs=1e-4)  # the cold lesion of the phantom


def test_a_study_without_a_patient_id_takes_nobody_elses_regions(tree):
    (tree / "masks").mkdir()
    shutil.copyfile(tree / "a/rois/lesions.nii.gz", tree / "masks/P13.nii.gz")
    for file in (tree / "a/pet").iterdir():
        file.write_bytes(file.read_bytes().replace(b"P11 ", b"    "))
    nameless, *_ = tasks_of(tree, roi_patterns=["{source}/masks/{patient}*.nii.gz"])
    assert (nameless.choices.study, nameless.rois) == ("2.25.11", ())
    assert "{patient}" in nameless.reason_to_skip


def test_a_nifti_beside_the_dicom_that_it_was_made_of_is_not_measured_twice(tree):
    for folder in ("a/pet", "alone"):
        (tree / folder).mkdir(exist_ok=True)
        image = nib.Nifti1Image(np.ones((4, 4, 4), np.float32), TINY.grid.ras_affine())
        nib.save(image, tree / folder / "converted_pet.nii.gz")
        (tree / folder / "converted_pet.json").write_text('{"Modality": "PT"}', encoding="utf-8")
    tasks = {task.name: task for task in tasks_of(tree, roi_patterns=["{study}/*_pet.nii.gz"])}
    assert "in the folder of a study in DICOM" in tasks["a_pet_converted_pet"].reason_to_skip
    assert tasks["alone_converted_pet"].reason_to_skip == ""


def test_several_objects_of_regions_are_not_guessed_among(tree, save_seg, make_seg):
    slices = pet_datasets(TINY, edit=named(11))
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    mask = np.zeros((len(slices), slices[0].Rows, slices[0].Columns), bool)
    mask[2, 4:6, 4:6] = True
    seg = make_seg(slices, {1: mask})
    save_seg(seg, tree / "one.dcm")
    (one, *_) = tasks_of(tree, roi_patterns=["dicom:seg"])
    assert one.rois == (str(tree / "one.dcm"),)
    save_seg(seg, tree / "two.dcm")
    (one, *_) = tasks_of(tree, roi_patterns=["dicom:seg"])
    assert (one.rois, one.reason_to_skip[:14]) == ((), "2 SEG objects ")


def test_an_empty_cell_is_no_lesion_on_request_and_a_pattern_without_match_never_is(manifest, built):
    path = manifest("study,roi\na/pet,\n")
    with pytest.raises(UsageError, match="roi is empty"):
        tasks_of(path)
    (task,) = tasks_of(path, choices=Choices(allow_empty=True))
    assert (task.rois, task.reason_to_skip) == ((), "")
    measured = quantify(task.study, task.rois, choices=task.choices)
    assert measured.summary["n_lesions"] == 0
    tasks = tasks_of(built, roi_patterns=["{study}/typo/*"], choices=Choices(allow_empty=True))
    assert all(task.reason_to_skip for task in tasks)


def test_a_background_of_a_row_comes_in_place_of_that_of_all(manifest, built):
    path = manifest('study,roi,backgrounds\na/pet,a/rois,"pool=sphere:0,0,0,5"\n')
    (task,) = tasks_of(path, backgrounds=["pool={study}/none.nii.gz", "liver=auto:liver"])
    assert [(one.name, one.shape is not None) for one in task.backgrounds] == [
        ("liver", False),
        ("pool", True),
    ]
    assert task.reason_to_skip == ""
