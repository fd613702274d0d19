"""Reliability 99 to 108: names that attack, and names that must not be repeated.

What is held here is CSV, TSV, JSON, the table, side-cars and manifests: rows 100 and 107 hold them to leave
markup as the text that it is. The HTML of reports and of the viewer is held to row 100 in tests/report and
tests/viewer.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from petquant_phantoms import (
    TINY,
    Definition,
    catalogue,
    pet_datasets,
    write_datasets,
    write_study,
    write_text,
)
from petquant_phantoms.definition_file import DefinitionError, parsed
from pydicom.dataset import Dataset

ROOT = Path(__file__).parents[2]
INSTALLED = Path(sys.executable).with_name("petquant")
COMMAND = (
    (str(INSTALLED),)
    if INSTALLED.exists()
    else (sys.executable, "-c", "from petquant_cli.main import main; main()")
)
# the writer of the phantoms warns of what is spoiled here on purpose
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

SOURCES = [*(ROOT / "src").rglob("*.py"), *(ROOT / "cli").rglob("*.py"), *(ROOT / "phantoms").rglob("*.py")]


@pytest.fixture
def named(tmp_path) -> Callable[..., Path]:
    """Write names of the two lesions as the user may give them."""

    def write(first: str, second: str = "b") -> Path:
        path = tmp_path / "names.json"
        path.write_text(json.dumps({"1": first, "2": second}), encoding="utf-8")
        return path

    return write


def rows_of(content: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), delimiter=delimiter))


# 99

FORMULAS = [("=1+1", "+1"), ("=cmd|'/C calc'!A0", "-2+3"), ("@SUM(A1)", "\t=1"), ("\r=1", "a\r=1")]


@pytest.mark.parametrize("names", FORMULAS)
@pytest.mark.parametrize(("form", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_bad_099_cell_that_begins_a_formula_is_made_text(
    petquant, tiny, named, tmp_path, *, names, form, delimiter
):
    out = tmp_path / f"numbers.{form}"
    result = petquant("suv", tiny.dicom, "--roi", tiny.lesions, "--labels", named(*names), "--out", out)
    assert result.code == 0, result.err
    rows = rows_of(out.read_bytes(), delimiter)
    assert [row["roi_name"] for row in rows] == [name if name[0] == "a" else f"'{name}" for name in names]
    assert float(rows[0]["max_x_mm"]) < 0, "a negative number stays one"
    for row in rows:
        for column, cell in row.items():
            assert not cell.startswith(("=", "@", "\t", "\r")), column
            assert not cell.startswith(("+", "-")) or re.fullmatch(r"-[\d.e+-]+", cell), column


def test_bad_099_identifiers_that_were_asked_for_are_made_text_as_well(petquant, study_of, tiny):
    def edit(dataset, _index):
        dataset.PatientName = "=1+1^Jane"
        dataset.PatientID = "@SUM(A1)"

    study = study_of(edit=edit)
    args = ("suv", study.dicom, "--roi", tiny.lesions, "--with-identifiers", "--format", "csv")
    for row in rows_of(petquant(*args).out):
        assert row["patient_name"] == "'=1+1^Jane"
        assert row["patient_id"] == "'@SUM(A1)"


# 100, 107

MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[red]x[/red] [link=http://x]y[/link]",
    "**bold** [a](javascript:x) `code`",
    r"\input{/etc/passwd} $x^2$ \write18{id}",
    "{{ 7*7 }} ${7*7} %s {0}",
]


@pytest.mark.parametrize("name", MARKUP)
def test_bad_100_markup_in_a_name_stays_the_text_that_it_is(petquant, tiny, named, name):
    args = ("suv", tiny.dicom, "--roi", tiny.lesions, "--labels", named(name))
    assert petquant(*args, "--format", "json").json["measurements"][0]["roi_name"] == name
    assert rows_of(petquant(*args, "--format", "csv").out)[0]["roi_name"] == name


@pytest.mark.parametrize("name", MARKUP)
def test_bad_107_markup_means_nothing_to_the_table(petquant, tiny, named, name):
    result = petquant("suv", tiny.dicom, "--roi", tiny.lesions, "--labels", named(name), "--format", "table")
    assert result.code == 0, result.err
    # a long name is folded within its column: the first column, line by line, is the name again
    shown = "".join(line.split("  ")[0].strip() for line in result.out.decode().splitlines()[3:8])
    assert "".join(name.split()) in "".join(shown.split())


# 101

NAMES_OF_PATHS = [
    "../../escaped",
    "/tmp/escaped",  # noqa: S108 - nothing may ever be written there
    "CON",
    "nul.txt",
    "a/b\\c",
    "9" * 300,
    "1.2.3\0.4",
    "~root",
    ".",
]


@pytest.mark.parametrize("text", NAMES_OF_PATHS, ids=range(len(NAMES_OF_PATHS)))
def test_bad_101_uid_or_id_never_names_a_file(petquant, tmp_path, tiny, text):
    inner = tmp_path / "one" / "two"
    datasets = pet_datasets(TINY)
    for dataset in datasets:
        for keyword in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            dataset[keyword]._value = text  # as a broken export writes it
        dataset.PatientID = text.replace("\0", "")[:64]
        dataset.AccessionNumber = text.replace("\0", "")[:16]
    write_datasets(datasets, inner / "study")
    before = set(tmp_path.rglob("*"))
    allowed = {inner / name for name in ("a.json", "b.csv", "suv.nii.gz", "suv.json")}
    for args in (
        ("suv", inner / "study", "--roi", tiny.lesions, "--out", inner / "a.json"),
        ("suv", inner / "study", "--roi", tiny.lesions, "--out", inner / "b.csv", "--hash-uids"),
        ("convert", inner / "study", "--out", inner / "suv.nii.gz"),
        ("check", inner / "study"),
    ):
        result = petquant(*args)
        assert result.code in {0, 3, 4}, result.err
    assert set(tmp_path.rglob("*")) - before <= allowed
    assert not Path(NAMES_OF_PATHS[1]).exists()


# 102

ATTACKS = {
    "colours, titles, erasure": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[1;1H \x08\x08\x7f",
    "C1 and directions": "\x9b31m \u202egnp.exe \u2066\u200f\ufeff",
    "lines": "over\rwritten two\nlines nul\x00",
}


def commanding(text: str) -> list[str]:
    return [c for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_bad_102_table_and_words_command_no_terminal(petquant, tiny, study_of, named, attack):
    def edit(dataset, _index):
        (item,) = dataset.RadiopharmaceuticalInformationSequence
        write_text(item, "Radiopharmaceutical", f"FDG {attack}".encode())
        for keyword in ("SeriesDescription", "Manufacturer", "ReconstructionMethod", "PatientName"):
            write_text(dataset, keyword, f"x {attack}".encode())

    study = study_of(edit=edit)
    given = ("suv", study.dicom, "--roi", tiny.lesions)
    runs = [
        petquant(*given, "--labels", named(attack), "--format", "table"),
        petquant(*given, "--labels", named(attack), "--format", "json"),
        petquant("check", study.dicom),
        petquant("check", study.dicom, "--format", "json"),
        petquant(*given, "--suv", attack.replace("\0", "")),
        petquant(*given, "--series", f"9{attack}".replace("\0", "")),
        petquant(*given, "--background", attack.replace("\0", "")),
        petquant("suv", f"/absent {attack}".replace("\0", ""), "--roi", tiny.lesions),
        petquant("suv", f"/absent {attack}".replace("\0", ""), "--roi", tiny.lesions, "--messages", "json"),
    ]
    assert [run.code for run in runs] == [0, 0, 0, 0, 2, 4, 2, 2, 2], [run.err for run in runs]
    for run in runs:
        assert not commanding(run.out.decode()), run.out
        assert not commanding(run.err), run.err
    assert runs[1].json["measurements"][0]["roi_name"] == attack, "escapes of JSON lose nothing"


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("form", ["csv", "tsv", "json"])
def test_bad_102_data_shown_on_a_terminal_command_it_no_more(tiny, named, attack, form):
    ours, theirs = pty.openpty()
    args = [*COMMAND, "suv", tiny.dicom, "--roi", tiny.lesions, "--labels", named(attack), "--format", form]
    process = subprocess.Popen(args, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode().replace("\r\n", "\n")  # the line discipline adds the returns
    assert "hot" not in text
    assert not [c for c in commanding(text) if c != "\t"], shown


# 103

IDENTITY = {  # names, ids, dates: never on the terminal either
    "PatientName": "ZQ01NAME^JANE",
    "PatientID": "ZQ02PATIENTID",
    "PatientBirthDate": "19170203",
    "PatientBirthTime": "031759",
    "AccessionNumber": "ZQ05ACCESSION",
    "OtherPatientNames": "ZQ06OTHER^NAME",
    "PatientBirthName": "ZQ07MAIDEN^NAME",
    "PatientMotherBirthName": "ZQ08MOTHER^NAME",
    "IssuerOfPatientID": "ZQ09ISSUER",
    "StudyID": "ZQ10STUDYID",
    "AdmissionID": "ZQ11ADMISSION",
    "ReferringPhysicianName": "ZQ12REFERRER^DR",
    "PerformingPhysicianName": "ZQ13PERFORMER^DR",
    "NameOfPhysiciansReadingStudy": "ZQ14READER^DR",
    "OperatorsName": "ZQ15OPERATOR^O",
    "RequestingPhysician": "ZQ16REQUESTER^DR",
    "PhysiciansOfRecord": "ZQ17RECORD^DR",
    "ResponsiblePerson": "ZQ18GUARDIAN^G",
    "MedicalRecordLocator": "ZQ19RECORD",
    "InsurancePlanIdentification": "ZQ20INSURANCE",
}
FREE_TEXT = {
    "InstitutionName": "ZQ21 Hospital",
    "InstitutionAddress": "ZQ22 Street 1, Town",
    "InstitutionalDepartmentName": "ZQ23 Department",
    "StationName": "ZQ24STATION",
    "PatientAddress": "ZQ25 Lane 2, Village",
    "PatientTelephoneNumbers": "ZQ26 555 0100",
    "StudyDescription": "ZQ27 study of a person",
    "SeriesDescription": "ZQ28 AC of a person",
    "ProtocolName": "ZQ29 protocol",
    "ImageComments": "ZQ30 comment",
    "PatientComments": "ZQ31 remark",
    "AdditionalPatientHistory": "ZQ32 history",
    "Occupation": "ZQ33 baker",
    "EthnicGroup": "ZQ34 group",
    "CurrentPatientLocation": "ZQ35 ward",
    "RequestedProcedureDescription": "ZQ36 request",
    "PerformedProcedureStepDescription": "ZQ37 step",
    "DerivationDescription": "ZQ38 derivation",
}
IN_PATHS = ("ZQ39FOLDER", "ZQ40FILE")
IN_IDENTITY = (*(text.split("^")[0] for text in IDENTITY.values()), "1917-02-03", "JANE")
IN_FREE_TEXT = tuple(text.split()[0] for text in FREE_TEXT.values())


def planted(dataset: Dataset, _index: int = 0) -> None:
    for keyword, text in (IDENTITY | FREE_TEXT).items():
        setattr(dataset, keyword, text)
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = IDENTITY["PatientID"], IDENTITY["IssuerOfPatientID"]
    dataset.OtherPatientIDsSequence = [other]
    request = Dataset()
    request.RequestedProcedureDescription = FREE_TEXT["RequestedProcedureDescription"]
    request.RequestedProcedureID = IDENTITY["StudyID"]
    dataset.RequestAttributesSequence = [request]
    dataset.add_new(0x00110010, "LO", "PLANTED")
    dataset.add_new(0x00111001, "LO", IDENTITY["PatientName"])


@pytest.fixture
def canaries(tmp_path) -> Callable[..., Path]:
    """Write a study whose headers and paths hold forty planted strings, and return its folder."""

    def write(definition: Definition = TINY, edit: Callable[..., None] | None = None) -> Path:
        def both(dataset: Dataset, index: int) -> None:
            planted(dataset, index)
            if edit is not None:
                edit(dataset, index)

        folder = tmp_path / f"{IN_PATHS[0]} Doe, Jane"
        names = [f"{IN_PATHS[1]} (Jane) {n}.dcm" for n in range(8)]
        shutil.rmtree(folder, ignore_errors=True)
        write_datasets(pet_datasets(definition, edit=both), folder / "PT", names=names)
        return folder

    return write


def assert_absent(strings: tuple[str, ...], *contents: bytes | str) -> None:
    for content in contents:
        text = content if isinstance(content, str) else content.decode("latin-1")
        found = [string for string in strings if string in text]
        assert not found, found


def copy_and_strays(folder: Path) -> None:
    """Put things beside the slices that findings name by their path."""
    first = next(iter(sorted((folder / "PT").iterdir())))
    shutil.copy(first, folder / f"{IN_PATHS[1]} copy.dcm")
    (folder / f"{IN_PATHS[1]} notes.txt").write_text("ZQ01NAME")
    (folder / f"{IN_PATHS[1]} empty").touch()
    os.mkfifo(folder / f"{IN_PATHS[1]} pipe")
    (folder / f"{IN_PATHS[1]} link").symlink_to("/etc/hostname")


def unchanged(_dataset: Dataset, _index: int) -> None:
    pass


def assumed(dataset: Dataset, _index: int) -> None:
    del dataset.CorrectedImage, dataset.AttenuationCorrectionMethod
    dataset.DecayCorrection = "START"


def doubtful(dataset: Dataset, _index: int) -> None:
    dataset.PatientWeight = "70000"
    dataset.RescaleIntercept = "1"
    dataset.TimezoneOffsetFromUTC = "+0100"


def test_bad_103_there_are_forty_canaries():
    assert len(IDENTITY) + len(FREE_TEXT) + len(IN_PATHS) == 40
    assert len({text.split("^")[0].split()[0] for text in (IDENTITY | FREE_TEXT).values()}) == 38


@pytest.mark.parametrize("edit", [unchanged, doubtful])
def test_bad_103_no_output_repeats_what_is_personal(petquant, canaries, tiny, tmp_path, edit):
    folder = canaries(edit=edit)
    copy_and_strays(folder)
    everything = (*IN_IDENTITY, *IN_FREE_TEXT, *IN_PATHS)
    given = ("suv", folder, "--roi", tiny.lesions, "--background", f"muscle={tiny.backgrounds['muscle']}")
    for name in ("numbers.json", "numbers.csv", "numbers.tsv"):
        result = petquant(*given, "--out", tmp_path / name)
        assert result.code == 0, result.err
        assert_absent(everything, (tmp_path / name).read_bytes())
        assert_absent(IN_IDENTITY, result.err)
    table = petquant(*given, "--format", "table")
    assert table.code == 0
    assert_absent(everything, table.out)
    result = petquant("convert", folder, "--out", tmp_path / "suv.nii.gz")
    assert result.code == 0, result.err
    assert_absent(everything, gzip.decompress((tmp_path / "suv.nii.gz").read_bytes()))
    assert_absent(everything, (tmp_path / "suv.json").read_bytes())
    assert_absent(IN_IDENTITY, result.err)
    as_json = petquant("check", folder, "--out", tmp_path / "check.json")
    assert as_json.code == 0, as_json.err
    assert_absent(everything, (tmp_path / "check.json").read_bytes(), as_json.out)
    as_words = petquant("check", folder)  # the terminal may show where a file lies
    assert_absent((*IN_IDENTITY, *IN_FREE_TEXT), as_words.out, as_words.err)


def test_bad_103_description_that_is_evidence_is_named_and_not_repeated(petquant, canaries, tiny, tmp_path):
    folder = canaries(edit=assumed)
    override = ("--decay-correction", "START")
    out = tmp_path / "numbers.json"
    result = petquant("suv", folder, "--roi", tiny.lesions, "--out", out, *override)
    checked = petquant("check", folder, "--out", tmp_path / "check.json", *override)
    for one in (result, checked):
        assert one.code in {0, 4}, one.err
        assert_absent(IN_IDENTITY, one.err, one.out)
    stored = [path.read_bytes() for path in (out, tmp_path / "check.json") if path.exists()]
    assert_absent((*IN_IDENTITY, *IN_FREE_TEXT, *IN_PATHS), *stored)
    assert any(b"SeriesDescription (0008,103E), which is withheld" in content for content in stored)


def _of_two_patients(dataset: Dataset, index: int) -> None:
    if index == 3:
        dataset.PatientID = "ZQ02PATIENTID-OTHER"
        dataset.PatientBirthDate = "19170204"


REFUSED = {
    "no weight": lambda dataset, _index: delattr(dataset, "PatientWeight"),
    "two patients": _of_two_patients,
    "mixed units": lambda dataset, index: setattr(dataset, "Units", "CNTS" if index == 2 else "BQML"),
    "mixed spacing": lambda dataset, index: setattr(
        dataset, "PixelSpacing", [4, 5] if index == 2 else [4, 4]
    ),
    "slope": lambda dataset, index: setattr(dataset, "RescaleSlope", "0" if index == 2 else "1"),
    "intercept": lambda dataset, _index: setattr(dataset, "RescaleIntercept", "nan"),
    "position": lambda dataset, index: setattr(
        dataset, "ImagePositionPatient", [0, 0, 500 if index == 2 else index]
    ),
    "lossy": lambda dataset, _index: setattr(dataset, "LossyImageCompression", "01"),
    "pixels": lambda dataset, _index: setattr(dataset, "BitsAllocated", 12),
    "truncated": lambda dataset, _index: setattr(dataset, "PixelData", bytes(100)),
}


@pytest.mark.parametrize("why", REFUSED)
def test_bad_103_no_refusal_repeats_who_it_is(petquant, canaries, tiny, tmp_path, why):
    folder = canaries(edit=REFUSED[why])
    for args in (
        ("suv", folder, "--roi", tiny.lesions, "--out", tmp_path / "numbers.json"),
        ("suv", folder, "--roi", tiny.lesions, "--messages", "json"),
        ("check", folder, "--out", tmp_path / "check.json"),
    ):
        result = petquant(*args)
        assert result.code in ({0, 3} if why in {"pixels", "truncated"} and args[0] == "check" else {3, 4}), (
            args,
            result.err,
        )
        assert_absent(IN_IDENTITY, result.err, result.out)
    if (tmp_path / "check.json").exists():
        stored = (tmp_path / "check.json").read_bytes()
        assert_absent((*IN_IDENTITY, *IN_FREE_TEXT, *IN_PATHS), stored)


def test_bad_103_identifiers_are_written_when_they_are_asked_for(petquant, canaries, tiny):
    args = ("suv", canaries(), "--roi", tiny.lesions, "--with-identifiers", "--format", "json")
    study = petquant(*args).json["study"]
    assert study["patient_id"] == "ZQ02PATIENTID"
    assert study["patient_birth_date"] == "19170203"


def test_bad_103_a_keyed_pseudonym_hides_the_id_and_holds_for_the_patient(petquant, canaries, tiny, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"secret")
    keys = set()
    for name in ("tiny", "another"):
        folder = canaries(replace(TINY, name=name))
        args = ("suv", folder, "--roi", tiny.lesions, "--pseudonym-key", key, "--format", "json")
        result = petquant(*args)
        assert_absent((*IN_IDENTITY, "secret"), result.out)
        keys.add(result.json["study"]["key"])
    assert len(keys) == 1
    assert re.fullmatch("[0-9a-f]{16}", keys.pop())


@pytest.mark.parametrize("form", ["json", "csv"])
def test_bad_103_hashed_uids_leave_no_uid(petquant, canaries, tiny, form):
    folder = canaries(edit=doubtful)
    uids = {
        str(pet_datasets(TINY)[0][keyword].value)
        for keyword in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
    }
    result = petquant("suv", folder, "--roi", tiny.lesions, "--hash-uids", "--format", form)
    assert_absent(tuple(uids), result.out)


# 104, 106: what the sources do not hold


def test_bad_104_shell_characters_are_only_characters(petquant, tmp_path, tiny):
    evil = "a; touch pwned; $(touch pwned) `touch pwned` | touch pwned & #"
    folder = tmp_path / evil
    definition = replace(TINY, name="evil")
    datasets = pet_datasets(definition)
    for dataset in datasets:
        dataset["SeriesDescription"]._value = evil[:64]
        dataset.PatientID = evil[:64]
    write_datasets(datasets, folder, names=[f"{n} $(touch pwned).dcm" for n in range(8)])
    (folder / "names.csv").write_text(f"label,name\n1,{evil}\n2,b\n")
    out = tmp_path / "a;touch pwned.json"
    result = petquant("suv", folder, "--roi", tiny.lesions, "--labels", folder / "names.csv", "--out", out)
    assert result.code == 0, result.err
    assert json.loads(out.read_bytes())["measurements"][0]["roi_name"] == evil
    assert petquant("check", folder).code == 0
    assert not list(tmp_path.rglob("pwned"))


FORBIDDEN = {
    "subprocess", "pty", "popen2", "commands",  # a shell
    "pickle", "cPickle", "dill", "joblib", "marshal", "shelve",  # code in data
    "yaml", "ruamel", "xml", "lxml", "defusedxml",  # entities, tags that build objects
    "socket", "ssl", "http", "urllib", "ftplib", "requests", "httpx",  # the network
    "pynetdicom", "dicomweb_client",  # the same
    "tempfile",  # temporary files lie beside their destination
}  # fmt: skip
ALLOWED = {
    # a private folder for what a study unpacks; it is no output
    "src/petquant/batch/isolation.py": {"tempfile"},
    "src/petquant/batch/report.py": {"urllib"},  # quotes names in the links of a page
    "src/petquant/batch/slot.py": {"subprocess"},  # this interpreter, a module of ours
    "src/petquant/dicom/archive.py": {"tempfile"},  # a zip goes into a private folder; it is no output
    # to the address that the user named
    "src/petquant/dicom/network/dicomweb.py": {"dicomweb_client", "requests", "urllib"},
    "src/petquant/dicom/network/dimse.py": {"pynetdicom"},  # the same
    "src/petquant/dicom/network/source.py": {"urllib"},  # takes addresses apart
    "src/petquant/dicom/jpeg_lossless.py": {"subprocess"},  # this interpreter, a module of ours
    "cli/petquant_cli/loopback.py": {"http"},  # the viewer, for the browser of this machine
    "cli/petquant_cli/trials.py": {"subprocess", "tempfile"},  # the command itself, on phantoms of its own
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_bad_106_sources_hold_no_shell_no_eval_and_no_format_that_runs(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        forbidden = FORBIDDEN - ALLOWED.get(path.relative_to(ROOT).as_posix(), set())
        assert not {name.partition(".")[0] for name in names} & forbidden, f"line {node.lineno}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "compile", "__import__"}, f"line {node.lineno}: {called}"
            assert not re.fullmatch(r"os\.(system|popen|exec\w*|spawn\w*|posix_spawn\w*)", called), called
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            assert "shell" not in given, f"line {node.lineno}"
            assert "allow_pickle" not in given, f"line {node.lineno}"
            assert not re.fullmatch(r"(np|numpy)\.load", called), f"line {node.lineno}"


def test_bad_106_the_rules_of_ruff_on_security_are_on():
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert "ALL" in lint["select"]
    assert not [rule for rule in lint["ignore"] if re.fullmatch(r"S\d*", rule)]
    outside_tests = {glob: rules for glob, rules in lint["per-file-ignores"].items() if "test" not in glob}
    assert not [rule for rules in outside_tests.values() for rule in rules if re.fullmatch(r"S\d*", rule)]


# 105: the only TOML is that of the phantoms


@pytest.mark.parametrize("name", ["../tiny", "/etc/passwd", "tiny.toml", "definitions/tiny", "", "tiny\0"])
def test_bad_105_definition_is_a_name_and_no_path(name):
    with pytest.raises(DefinitionError, match="no phantom"):
        catalogue.load(name)


@pytest.mark.parametrize("name", ["../../escaped", NAMES_OF_PATHS[1]])
def test_bad_105_region_of_a_definition_does_not_leave_its_root(tmp_path, name):
    sphere: dict[str, Any] = {"kind": "sphere", "centre_mm": [0, 0, 0], "radius_mm": 9.0}
    regions = [{"name": name, "role": "background", **sphere}]
    document = {"background_suv": 1.0, "uptakes": [{"name": "a", "suv": 2.0, **sphere}], "regions": regions}
    root = tmp_path / "one" / "two" / "phantom"
    try:
        study = write_study(parsed("evil", document), root)
    except (DefinitionError, ValueError):
        return
    (path,) = study.backgrounds.values()
    if not path.resolve().is_relative_to(root):
        path.unlink()
        pytest.fail(f"written to {path}")


# 108

WATCH = """
import json, os, sys
report = {report!r}
seen = []

def hook(event, args):
    if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if isinstance(args[0], int) or os.fsdecode(args[0]) == report:
            return  # a descriptor that was opened before
        seen.append(["open", os.fsdecode(args[0]), 0])
    elif event in {{"os.chmod", "os.rename", "os.mkdir", "os.link", "shutil.copyfile"}}:
        name = os.fsdecode(args[0])
        mode = os.stat(name).st_mode & 0o777 if os.path.exists(name) else 0
        seen.append([event, name, mode])
    else:
        return
    with open(report, "w") as file:
        json.dump(seen, file)

sys.addaudithook(hook)
"""


@pytest.mark.parametrize("umask", ["000", "022", "077"])
@pytest.mark.parametrize("verb", ["suv", "convert"])
def test_bad_108_temporary_files_are_private_and_lie_beside_the_output(petquant, tiny, tmp_path, verb, umask):
    hook, folder, report = tmp_path / "hook", tmp_path / "results", tmp_path / "report.json"
    hook.mkdir()
    folder.mkdir()
    (hook / "sitecustomize.py").write_text(WATCH.format(report=str(report)))
    out = folder / ("suv.nii.gz" if verb == "convert" else "numbers.csv")
    regions = () if verb == "convert" else ("--roi", tiny.lesions)
    result = petquant(
        verb,
        tiny.dicom,
        *regions,
        "--out",
        out,
        prefix=("bash", "-c", f'umask {umask} && exec "$@"', "bash"),
        env={"PYTHONPATH": os.pathsep.join(filter(None, [str(hook), os.environ.get("PYTHONPATH")]))},
    )
    assert result.code == 0, result.err
    seen = json.loads(report.read_text())
    opened = [name for event, name, _ in seen if event == "open"]
    assert opened
    assert all(re.fullmatch(rf"{re.escape(str(folder))}/\.[\w.]+\.\d+\.tmp", name) for name in opened), opened
    made_public = [mode for event, name, mode in seen if event == "os.chmod"]
    assert made_public == [0o600] * (2 if verb == "convert" else 1), "private until it is complete"
    assert {event for event, _, _ in seen} == {"open", "os.chmod", "os.rename"}
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o666 & ~int(umask, 8)
        assert not path.name.startswith(".")


def test_bad_108_nothing_is_left_in_the_folder_of_temporary_files(petquant, tiny, tmp_path):
    apart = tmp_path / "tmp"
    apart.mkdir()
    result = petquant(
        "convert", tiny.dicom, "--out", tmp_path / "suv.nii.gz", env={"TMPDIR": str(apart), "TMP": str(apart)}
    )
    assert result.code == 0
    assert not list(apart.iterdir())
