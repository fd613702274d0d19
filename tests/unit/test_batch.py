from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from petquant_phantoms import TINY, Study, write_study

from petquant.background import Background
from petquant.batch import Outcome, Settings, StudyTask, Summary, run
from petquant.batch.collected import INTEGERS, TEXT, opened
from petquant.batch.folder import STUDIES, file_of
from petquant.batch.key import key_of
from petquant.batch.measuring import ended, flags_of_record, measure_task
from petquant.batch.outcome import Ended, Progress
from petquant.batch.store import STORE, open_store, read_store
from petquant.errors import Finding, LimitReached, Refused, UnreadableInput, UsageError
from petquant.export.record import Privacy, record_of, rows_of, rows_of_record
from petquant.export.table import csv_lines, json_lines
from petquant.quantify import quantify
from petquant.study import Choices

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a batch needs a system that forks")
PLAIN = Privacy()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Study:
    return write_study(TINY, tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def task(tiny) -> StudyTask:
    return StudyTask(name="one", study=str(tiny.dicom), rois=(str(tiny.lesions),))


# settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"timeout_s": 0.0},
        {"timeout_s": float("inf")},
        {"timeout_s": 1e12},
        {"memory_gb": 1e12},
        {"memory_gb": -1.0},
        {"memory_gb": float("nan")},
        {"scheduler": "tcp://a:1", "scheduler_file": "b"},
    ],
)
def test_settings_that_cannot_be_meant_are_an_error(wrong):
    with pytest.raises(UsageError, match="OPTION_INVALID"):
        Settings(**wrong)


# key


def test_the_key_follows_inputs_choices_and_privacy_and_not_what_is_copied(task, tmp_path):
    region = tmp_path / "region.nii.gz"
    region.write_bytes(Path(task.rois[0]).read_bytes())
    given = replace(task, rois=(str(region),))
    key = key_of(given, PLAIN)
    assert key == key_of(replace(given, columns={"arm": "a"}), PLAIN)
    assert key == key_of(replace(given, name="another"), PLAIN)
    others = [
        key_of(replace(given, choices=Choices(is_strict=True)), PLAIN),
        key_of(replace(given, psf_fwhm_mm=5.0), PLAIN),
        key_of(replace(given, backgrounds=(Background(name="liver", automatic="liver"),)), PLAIN),
        key_of(replace(given, reason_to_skip="no region"), PLAIN),
        key_of(given, Privacy(key=b"secret")),
        key_of(given, Privacy(has_hashed_uids=True)),
    ]
    os.utime(region, ns=(1, 1))
    others.append(key_of(given, PLAIN))
    region.write_bytes(b"longer than before" + region.read_bytes())
    others.append(key_of(given, PLAIN))
    assert len({key, *others}) == 1 + len(others)


def test_the_key_follows_the_numbers_that_lie_beside_a_header(task, tmp_path):
    (tmp_path / "voxels.raw").write_bytes(b"\0")
    header = tmp_path / "lesions.nhdr"
    header.write_bytes(b"NRRD0004\nsizes: 1 1 1\ndata file: voxels.raw\n\n")
    given = replace(task, rois=(str(header),))
    key = key_of(given, PLAIN)
    os.utime(tmp_path / "voxels.raw", ns=(1, 1))
    assert key_of(given, PLAIN) != key


def test_the_key_is_the_same_from_every_working_directory(task, tmp_path, monkeypatch):
    liver = Background(name="liver", path=task.rois[0])
    absolute = key_of(replace(task, backgrounds=(liver,), labels=task.rois[0]), PLAIN)
    for folder in (tmp_path, Path(task.rois[0]).parent):
        monkeypatch.chdir(folder)
        lesions = os.path.relpath(task.rois[0])
        there = replace(
            task,
            study=os.path.relpath(task.study),
            rois=(lesions,),
            backgrounds=(replace(liver, path=lesions),),
            labels=lesions,
        )
        assert key_of(there, PLAIN) == absolute


def test_the_key_of_what_can_be_no_path_is_a_key(task):
    assert len(key_of(replace(task, study="x" * 5000), PLAIN)) == 64


def test_the_key_sees_a_file_that_comes_deep_in_a_study_and_stands_a_loop_of_links(task, tmp_path):
    study = tmp_path / "study"
    (study / "a").mkdir(parents=True)
    (study / "a/broken").symlink_to("nowhere")
    (study / "a/loop").symlink_to(study)
    given = replace(task, study=str(study))
    before = key_of(given, PLAIN)
    (study / "a/slice").write_bytes(b"")
    assert key_of(given, PLAIN) != before
    assert key_of(replace(task, study=str(tmp_path / "nowhere")), PLAIN)


# names of files


@pytest.mark.parametrize("name", ["P001", "sub-01_ses-02", "a.b"])
def test_a_plain_name_is_the_name_of_the_file(tmp_path, name):
    assert file_of(tmp_path, name) == tmp_path / STUDIES / f"{name}.json"


@pytest.mark.parametrize("name", ["../../x", "a/b", "NUL", "con.txt", "x" * 300, ".hidden", "-rf", "é", "\n"])
def test_bad_101_no_name_of_a_study_leads_out_of_its_folder(tmp_path, name):
    path = file_of(tmp_path, name)
    assert path.parent == tmp_path / STUDIES
    assert path.name.isascii()
    assert len(path.name) <= 80 + len("-123456789012.json")
    assert path != file_of(tmp_path, f"{name}2")
    assert path.stem != name


# ends


def test_a_refusal_names_its_codes_and_causes_and_no_path(task):
    def refuse(_task, _privacy):
        raise Refused.because(
            Finding(code="WEIGHT_MISSING", found="missing", keyword="PatientWeight", where="series 1.2.3"),
            Finding(code="ROI_LABEL_MISSING", found=f"{task.rois[0]} has no label 9", path=task.rois[0]),
        )

    end = ended(task, PLAIN, refuse)
    assert (end.outcome, end.code) == (Outcome.REFUSED, "WEIGHT_MISSING ROI_LABEL_MISSING")
    first, second = end.message.split("\n")
    assert first == "series 1.2.3: PatientWeight is missing; --weight-kg"
    assert second.startswith("the file has no label 9; ")
    assert str(Path(task.rois[0]).parent) not in end.message


def test_every_code_has_a_line_of_its_own_however_many_causes_it_has(task):
    def refuse(_task, _privacy):
        raise Refused.because(
            Finding(code="FILE_TRUNCATED", found="8 bytes are missing"),
            Finding(code="FILE_TRUNCATED", found="9 bytes are missing"),
            Finding(code="WEIGHT_MISSING", found="no weight"),
        )

    end = ended(task, PLAIN, refuse)
    assert end.code.split() == ["FILE_TRUNCATED", "WEIGHT_MISSING"]
    truncated, weight = end.message.split("\n")
    assert (truncated.count("8 bytes"), truncated.count("9 bytes")) == (1, 1)
    assert "no weight" in weight


def test_a_short_name_of_a_file_is_not_taken_out_of_the_middle_of_words(task, tmp_path):
    def refuse(_task, _privacy):
        raise UsageError.of("PATH_NOT_FOUND", f"{tmp_path / 'st'} does not exist", path=str(tmp_path / "st"))

    assert ended(replace(task, study=str(tmp_path / "st")), PLAIN, refuse).message == (
        "the file does not exist; give an existing file or folder"
    )


def test_hashed_uids_are_hashed_in_messages_too(task):
    def refuse(_task, _privacy):
        raise Refused.of("SERIES_AMBIGUOUS", "2 series: 1.2.840.99.1.2.3, 2.25.31535581897973951740186529028")

    told = ended(task, Privacy(has_hashed_uids=True), refuse).message
    assert "1.2.840" not in told
    assert "2.25." not in told
    assert "1.2.840.99.1.2.3" in ended(task, PLAIN, refuse).message


def test_what_is_no_refusal_and_no_number_is_a_failure(task):
    def limit(_task, _privacy):
        raise LimitReached.of("SIZE_LIMIT", "2e12 voxels")

    def swell(_task, _privacy):
        raise MemoryError

    assert ended(task, PLAIN, limit).outcome == Outcome.FAILED
    assert ended(task, PLAIN, limit).code == "SIZE_LIMIT"
    assert ended(task, PLAIN, swell).code == "MEMORY_EXHAUSTED"
    assert ended(task, PLAIN, swell).outcome == Outcome.FAILED


def test_a_study_with_a_caveat_is_flagged_and_one_without_is_ok(task):
    record = measure_task(task, PLAIN)
    assert flags_of_record(record) == ["MAX_TIED", "PEAK_EXCEEDS_MAX", "THRESHOLD_EMPTY"]
    for row in record["measurements"]:
        row["flags"] = []
    end = ended(task, PLAIN, lambda _task, _privacy: record)
    assert (end.outcome, end.code, end.n_measurements) == (Outcome.OK, "", 2)


def test_rows_of_a_record_that_was_read_are_those_of_its_quantification(tiny):
    found = quantify(
        tiny.dicom,
        [tiny.lesions],
        backgrounds=[Background(name="muscle", path=str(tiny.backgrounds["muscle"]))],
        choices=Choices(suv_types=("bw", "lbm-janma"), has_further=True),
    )
    for privacy in (PLAIN, Privacy(with_identifiers=True)):
        rows = rows_of(found, privacy)
        assert rows_of_record(json.loads(json.dumps(record_of(found, privacy)))) == rows
        for row in rows:
            for name, value in row.items():
                kinds = (str, int, float) if name in {"roi_id", "suv_factor"} else (str,)
                if name in TEXT:
                    assert value is None or isinstance(value, kinds), name
                else:
                    assert value is None or isinstance(value, int if name in INTEGERS else float), name


# account


def test_only_failing_outcomes_and_missing_studies_are_exit_5():
    for outcome in Outcome:
        summary = Summary(total=1, counts={outcome: 1}, computed=1, missing=0, others=0)
        assert summary.exit_code == (0 if outcome in {"ok", "flagged", "skipped"} else 5), outcome
    assert Summary(total=1, counts={}, computed=0, missing=1, others=0).exit_code == 5
    assert Summary(total=0, counts={}, computed=0, missing=0, others=3).exit_code == 0


def test_the_remaining_time_follows_from_what_this_call_measured():
    progress = Progress(
        total=100, done=40, counts={}, computed=10, elapsed_s=5.0, study="", ended=Ended(outcome=Outcome.OK)
    )
    assert progress.rate_per_s == 2.0
    assert progress.remaining_s == 30.0  # 60 studies at 2 a second
    assert replace(progress, computed=0).remaining_s is None


def test_studies_with_one_name_are_an_error_before_anything_is_written(task, tmp_path):
    for names in (("a", "a"), ("a", "A"), ("",)):
        with pytest.raises(UsageError, match="OPTION_INVALID"):
            run([replace(task, name=name) for name in names], tmp_path / "out", settings=Settings())
    assert not (tmp_path / "out").exists()


def test_what_changed_is_measured_again_and_what_did_not_is_not(task, tmp_path):
    out, settings = tmp_path / "out", Settings(workers=1)
    region = tmp_path / "region.nii.gz"
    region.write_bytes(Path(task.rois[0]).read_bytes())
    tasks = [
        task,
        replace(task, name="two", rois=(str(region),)),
        replace(task, name="three", reason_to_skip="no"),
    ]
    first = run(tasks, out, settings=settings)
    assert (first.computed, first.counts[Outcome.SKIPPED], first.exit_code) == (2, 1, 0)
    assert run(tasks, out, settings=settings).computed == 0
    named = [replace(one, columns={"arm": f"of {one.name}", "outcome": "good"}) for one in tasks]
    assert run(named, out, settings=settings).computed == 0
    with opened(out) as collected:
        table = collected.runs()
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["study"] for row in rows] == ["one", "three", "two"]
    assert [row["arm"] for row in rows] == ["of one", "of three", "of two"]
    assert [row["given_outcome"] for row in rows] == ["good"] * 3
    assert rows[1]["outcome"] == "skipped"
    assert rows[1]["message"] == "no"

    os.utime(region, ns=(1, 1))
    assert run(named, out, settings=settings).computed == 1
    region.write_bytes(b"no label map")
    failed = run(named, out, settings=settings)
    assert (failed.computed, failed.counts[Outcome.FAILED], failed.exit_code) == (1, 1, 5)
    assert not file_of(out, "two").exists(), "numbers of other inputs"
    assert run(named, out, settings=settings).computed == 0
    assert run(named, out, settings=replace(settings, retries_failed=True)).computed == 1
    with read_store(out) as store:
        assert store.run("two").attempts == 2
    fewer = run(named[:1], out, settings=settings)
    assert (fewer.total, fewer.others) == (1, 2)


def test_numbers_of_before_are_gone_before_the_first_study_is_measured_anew(task, tmp_path):
    """Else a call that is stopped leaves them among those of now, and counts them."""
    out, settings = tmp_path / "out", Settings(workers=1)
    tasks = [task, replace(task, name="two")]
    run(tasks, out, settings=settings)

    def stop(_progress):
        raise KeyboardInterrupt

    changed = [replace(one, choices=Choices(suv_types=("lbm",))) for one in tasks]
    with pytest.raises(KeyboardInterrupt):
        run(changed, out, settings=settings, listener=stop)
    with read_store(out) as store:
        assert [one.study for one in store.runs()] == ["one"]
    assert not file_of(out, "two").exists()


def test_nothing_is_written_among_what_is_read(task, tmp_path):
    own = tmp_path / STUDIES
    own.mkdir()
    (own / "one.json").write_text("{}")  # the side-car of somebody's image
    for given in ({"rois": (str(own / "one.nii.gz"),)}, {"study": str(own)}, {"study": str(own / "a/b")}):
        with pytest.raises(UsageError, match="among what is read"):
            run([replace(task, **given)], tmp_path, settings=Settings(workers=1))
    assert [path.name for path in tmp_path.iterdir()] == [STUDIES]
    assert (own / "one.json").read_text() == "{}"


def test_words_that_are_no_text_are_recorded_as_escapes(task, tmp_path):
    skipped = replace(task, reason_to_skip="nothing matches \udcff*.nii")
    run([skipped], tmp_path / "out", settings=Settings(workers=1))
    with read_store(tmp_path / "out") as store:
        assert store.run("one").message == "nothing matches \\udcff*.nii"


def test_the_secret_of_the_pseudonyms_is_made_once_and_for_its_owner_alone(task, tmp_path):
    run([task], tmp_path / "out", settings=Settings(workers=1))
    key = tmp_path / "out/pseudonym.key"
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    assert run([task], tmp_path / "out", settings=Settings(workers=1)).computed == 0
    assert key.read_bytes() == before
    key.unlink()
    assert run([task], tmp_path / "out", settings=Settings(workers=1)).computed == 1, "other pseudonyms"


# tables


def test_a_table_of_the_store_and_one_of_its_json_files_are_the_same(task, tmp_path):
    out = tmp_path / "out"
    run([task, replace(task, name="two")], out, settings=Settings(workers=1))
    tables = []
    for place in (out, out / STUDIES):
        with opened(place) as collected:
            table = collected.measurements()
            tables.append(b"".join(csv_lines(table.columns, table.rows)))
    assert tables[0] == tables[1]
    assert tables[0].count(b"\n") == 1 + 2 * 2
    with opened(out) as collected:
        table = collected.measurements()
        document = json.loads(b"".join(json_lines(table.columns, table.rows)))
    assert [row["study"] for row in document["rows"]] == ["one", "one", "two", "two"]
    assert document["rows"][0]["suv_max"] == pytest.approx(4.0, abs=1e-4)  # of the phantom
    assert document["notice"] == "research use only"


@pytest.mark.parametrize("content", [None, b"{}", b"[1]", b"{", b'{"schema_version": 99}'])
def test_a_folder_that_holds_anything_else_is_an_error_that_names_it(tmp_path, content):
    if content is not None:
        (tmp_path / "odd.json").write_bytes(content)
    with pytest.raises(UnreadableInput, match="TABLE_INVALID"), opened(tmp_path) as collected:
        list(collected.measurements().rows)


def test_a_file_that_is_no_store_is_an_error_and_stays_as_it_is(tmp_path, task):
    for content in (b"no database" * 1000, b"SQLite format 3\0" + b"\0" * 84):
        (tmp_path / STORE).write_bytes(content)
        for act in (lambda: open_store(tmp_path), lambda: read_store(tmp_path)):
            with pytest.raises(UnreadableInput, match="STORE_INVALID"), act():
                pass
        assert (tmp_path / STORE).read_bytes() == content


def test_a_damaged_record_is_an_error_that_names_its_study(tmp_path):
    end = Ended(outcome=Outcome.OK, record=b"no zlib", n_measurements=1)
    with open_store(tmp_path) as store:
        store.put("one", end, key="", given={}, attempts=1)
    with pytest.raises(UnreadableInput, match="the record of one"), opened(tmp_path) as collected:
        list(collected.measurements().rows)


def test_an_empty_table_has_its_columns_all_the_same(tmp_path):
    run([], tmp_path / "out", settings=Settings(workers=1))
    with opened(tmp_path / "out") as collected:
        for table in (collected.measurements(), collected.runs()):
            assert table.columns[:4] == ("study", "outcome", "code", "message")
            assert list(table.rows) == []
