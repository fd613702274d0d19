"""The documentation is run: its commands, its outputs, its Python, its links and its options."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from petquant_phantoms import TINY, catalogue, pet_datasets, write_datasets, write_study

from petquant.check import check
from petquant.compare import ScanInput, Settings, compare
from petquant.export.checked import checked_record
from petquant.export.comparison import comparison_record
from petquant.export.record import Privacy, record_of, rows_of
from petquant.flags import CODES
from petquant.overrides import Overrides
from petquant.quantify import Background, quantify
from petquant.quantities import QUANTITIES, Scope
from petquant.study import Choices

ROOT = Path(__file__).parents[2]
RUN_PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs/tutorial").glob("*.md")),
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]
ALL_PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OPTION_PAGES = [page for page in ALL_PAGES if page.name != "CONTRIBUTING.md"]  # it names options of others
CODE = r"(?<![\w-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w*.])"  # SOME_CODE, and no part of a file's name
# names of data, symbols of formulas, arguments of commands, and a variable of SLURM
NO_CODES = {
    "PHILIPS_BQML",
    "STS_001",
    "Q_H",
    "Q_C",
    "C_H",
    "C_C",
    "C_B",
    "STUDY_A",
    "STUDY_B",
    "SLURM_ARRAY_TASK_ID",
}
STRIPPED = ("PatientWeight", "PatientSize")
STRIPPED_ITEMS = ("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime")


def _name(page):
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, its text, and whether it follows the one before with nothing between."""

    language: str
    text: str
    is_adjacent: bool


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    end = 0
    for match in re.finditer(r"^```(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(language=match[1], text=match[2], is_adjacent=not text[end : match.start()].strip())
        end = match.end()


def commands_of(text: str) -> Iterator[tuple[str, int]]:
    """Yield the commands of a block with the exit code that the page states."""
    for line in text.replace("\\\n", " ").splitlines():
        command, _, code = line.partition("# exit ")
        if command.strip():
            yield command.strip(), int(code or 0)


@pytest.fixture(scope="module")
def own_data(tmp_path_factory) -> Path:
    """The reader's own data, made of phantoms under the names that CONTRIBUTING.md lists."""
    root = tmp_path_factory.mktemp("own_data")
    fdg = catalogue.load("torso_fdg")
    mine = write_study(fdg, root / "phantom")
    shutil.copytree(mine.dicom, root / "my_study")
    shutil.copyfile(mine.lesions, root / "my_lesions.nii.gz")
    shutil.copyfile(mine.backgrounds["liver"], root / "my_liver.nii.gz")
    liver = nib.load(root / "my_liver.nii.gz")
    classes = (5 * np.asarray(liver.dataobj)).astype(np.uint8)  # the number of TotalSegmentator
    nib.save(nib.Nifti1Image(classes, liver.affine), root / "my_totalseg.nii.gz")

    def strip(dataset, _place):
        for keyword in STRIPPED:
            delattr(dataset, keyword)
        for keyword in STRIPPED_ITEMS:
            delattr(dataset.RadiopharmaceuticalInformationSequence[0], keyword)

    write_datasets(pet_datasets(fdg, edit=strip), root / "deidentified_study")

    _write_nifti(pet_datasets(fdg), root / "my_pet.nii.gz")

    def second(dataset, place):
        dataset.SeriesInstanceUID = "2.25.9"
        dataset.SeriesNumber = 9
        dataset.SOPInstanceUID = f"2.25.9.{place + 1}"

    shutil.copytree(mine.dicom, root / "two_series/first")
    write_datasets(pet_datasets(fdg, edit=second), root / "two_series/second")
    other = catalogue.build("torso_pentixafor", root / "other")
    shutil.copytree(mine.dicom, root / "two_studies/fdg")
    shutil.copytree(other.dicom, root / "two_studies/pentixafor")
    _write_bids(root / "my_bids")
    iec = catalogue.build("nema_earl2", root / "iec")
    cylinder = catalogue.build("uniform_cylinder", root / "cylinder")
    shutil.copytree(iec.dicom, root / "my_iec_phantom")
    shutil.copytree(cylinder.dicom, root / "my_cylinder")
    for built in (mine.root, other.root, iec.root, cylinder.root):
        shutil.rmtree(built)
    return root


def _write_nifti(datasets, path: Path) -> None:
    """Write a series as float32 NIfTI with the side-car that dcm2niix writes of anonymised data."""
    slices = sorted(datasets, key=lambda ds: float(ds.ImagePositionPatient[2]))
    (x, y, z), (dj, di) = slices[0].ImagePositionPatient, slices[0].PixelSpacing
    dk = float(slices[1].ImagePositionPatient[2]) - float(z)
    affine = np.diag([-float(di), -float(dj), dk, 1.0])  # LPS to RAS; the phantom lies along the axes
    affine[:3, 3] = -float(x), -float(y), float(z)
    bqml = [
        np.frombuffer(ds.PixelData, "<i2").reshape(ds.Rows, ds.Columns) * float(ds.RescaleSlope)
        for ds in slices
    ]
    image = np.stack(bqml).transpose(2, 1, 0).astype(np.float32)
    nib.save(nib.Nifti1Image(image, affine), path)
    nib.save(nib.Nifti1Image(image, affine), path.with_name("bare_bqml.nii"))
    factor = 4.1913791e-4  # g/Bq: 82 kg, 290 MBq of 18F, 3740 s
    nib.save(nib.Nifti1Image(image * np.float32(factor), affine), path.with_name("bare_suv.nii"))
    sidecar = {
        "Modality": "PT",
        "TracerName": "FDG",
        "TracerRadionuclide": "18Fluorine",
        "InjectedRadioactivity": 290,
        "InjectedRadioactivityUnits": "MBq",
        "RadionuclideHalfLife": 6586.2,
        "Units": "Bq/mL",
        "DecayCorrection": "START",
        "AttenuationCorrection": "measured,CT",
        "DecayCorrectionFactor": [1.0079],
        "FrameTimesStart": [0],
        "FrameDuration": [150],
        "SeriesTime": "09:49:20",
        "AcquisitionTime": "09:49:20.000000",
    }
    path.with_name("my_pet.json").write_text(json.dumps(sidecar), encoding="utf-8")


def _write_bids(root: Path) -> None:
    """Write the tiny phantom as a dataset of one subject with a mask among its derivatives."""
    tiny = write_study(TINY, root / "phantom")
    pet, masks = root / "sub-01/pet", root / "derivatives/lesions/sub-01/pet"
    for folder in (pet, masks):
        folder.mkdir(parents=True)
    _write_nifti(pet_datasets(TINY), pet / "my_pet.nii.gz")
    for suffix in (".nii.gz", ".json"):
        (pet / f"my_pet{suffix}").rename(pet / f"sub-01_pet{suffix}")
    sidecar = json.loads((pet / "sub-01_pet.json").read_text(encoding="utf-8"))
    sidecar |= {"TimeZero": sidecar["SeriesTime"], "ScanStart": 0, "InjectionStart": -3600}
    (pet / "sub-01_pet.json").write_text(json.dumps(sidecar), encoding="utf-8")
    for bare in ("bare_bqml.nii", "bare_suv.nii"):
        (pet / bare).unlink()
    shutil.copyfile(tiny.lesions, masks / "sub-01_desc-lesions_mask.nii.gz")
    (root / "dataset_description.json").write_text('{"Name": "mine", "BIDSVersion": "1.9.0"}')
    (root / "participants.tsv").write_text("participant_id\tweight\nsub-01\t70\n")
    shutil.rmtree(tiny.root)


def _run(command: list[str] | str, folder: Path) -> subprocess.CompletedProcess[str]:
    tools = Path(sys.executable).parent
    return subprocess.run(
        command,
        cwd=folder,
        shell=isinstance(command, str),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONUTF8": "1"},
    )


def _plain(line: str) -> str:
    return " ".join(line.split())


def _occurs(shown: str, line: str) -> bool:
    """Whether the parts of `shown` between ``...`` stand in `line`, in order."""
    place = 0
    for part in shown.split("..."):
        found = line.find(_plain(part), place)
        if found < 0:
            return False
        place = found + len(_plain(part))
    return True


def _require_in_order(text: str, output: str, where: str) -> None:
    """Require every line of `text` in `output`, in order; blanks do not count, ``...`` is anything."""
    lines = iter([_plain(line) for line in output.splitlines()])
    for shown in text.splitlines():
        if shown.replace("...", "").strip():
            found = any(_occurs(shown, line) for line in lines)
            assert found, f"{where}: not in the output, or not in this order: {shown}\n{output}"


@pytest.mark.skipif(shutil.which("sh") is None, reason="the lines of the pages are those of a POSIX shell")
@pytest.mark.parametrize("page", RUN_PAGES, ids=_name)
def test_a_page_does_what_it_says(page, own_data, tmp_path):
    folder = tmp_path / "page"
    shutil.copytree(own_data, folder)
    output = ""
    for block in blocks_of(page):
        if block.language == "sh":
            output = ""
            for command, code in commands_of(block.text):
                if not command.startswith("petquant"):
                    assert command.startswith("pip install"), f"{_name(page)}: {command} is not run"
                    continue
                run = _run(command, folder)
                assert run.returncode == code, f"{_name(page)}: {command}\n{run.stdout}{run.stderr}"
                output += run.stderr + run.stdout
        elif block.language == "text" and block.is_adjacent:
            _require_in_order(block.text, output, _name(page))
        elif block.language == "python":
            run = _run([sys.executable, "-c", block.text], folder)
            assert run.returncode == 0, f"{_name(page)}:\n{block.text}\n{run.stderr}"


def test_a_refusal_in_the_tutorial_writes_nothing(own_data, tmp_path):
    run = _run(
        f"petquant suv {own_data}/deidentified_study --roi {own_data}/my_lesions.nii.gz --out refused.csv",
        tmp_path,
    )
    assert run.returncode == 4
    assert list(tmp_path.iterdir()) == []


def test_the_python_of_contributing_runs(tmp_path):
    for block in blocks_of(ROOT / "CONTRIBUTING.md"):
        if block.language == "python":
            run = _run([sys.executable, "-c", block.text], tmp_path)
            assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def reference() -> Iterator[Path]:
    folder = ROOT / "docs/reference"
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def test_the_reference_is_what_the_tables_make(reference):
    made = importlib.import_module("generate").pages()
    assert {path.name for path in reference.glob("*.md")} == set(made)
    for name, text in made.items():
        assert (reference / name).read_text(encoding="utf-8") == text, (
            f"{name} is old: run python docs/reference/generate.py"
        )


@pytest.mark.parametrize("page", OPTION_PAGES, ids=_name)
def test_every_option_that_is_named_exists(page, reference):
    known = {
        option
        for options in importlib.import_module("generate").options_of_commands().values()
        for option in options
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", page.read_text(encoding="utf-8")))
    assert named <= known


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ALL_PAGES, ids=_name)
def test_every_relative_link_leads_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), target


def test_the_index_leads_to_every_page():
    folder = ROOT / "docs"
    index = (folder / "README.md").read_text(encoding="utf-8")
    rooms = ("tutorial", "how-to", "explanation", "reference")
    pages = [page.relative_to(folder).as_posix() for room in rooms for page in (folder / room).glob("*.md")]
    assert [page for page in sorted(pages) if f"]({page})" not in index] == []


def test_the_readme_names_every_command_and_no_other(reference):
    commands = importlib.import_module("generate").options_of_commands()
    rows = re.findall(
        r"^\| `petquant ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(rows) == {name.split()[0] for name in commands if name}


@pytest.mark.parametrize("page", ALL_PAGES, ids=_name)
def test_every_code_that_is_named_exists(page):
    words = re.findall(CODE, page.read_text(encoding="utf-8"))
    assert set(words) - set(CODES) <= NO_CODES


def test_every_decision_is_listed():
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for page in folder.glob("0*.md"):
        assert page.name in index


FREE = {"study.strays", "conversion.factors", "conversion.deidentification"}  # keys are data there


def _paths(value, prefix="") -> set[str]:
    """Return the key paths of a record; lists of objects are marked ``[]``."""
    if prefix in FREE:
        return {prefix}
    if isinstance(value, dict):
        found = [_paths(item, f"{prefix}.{key}" if prefix else key) for key, item in value.items()]
        return set().union(*found)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return set().union(*(_paths(item, f"{prefix}[]") for item in value))
    return {prefix}


@pytest.fixture(scope="module")
def measured(own_data):
    return quantify(
        own_data / "two_series",
        [own_data / "my_lesions.nii.gz"],
        backgrounds=[Background(name="liver", automatic="liver")],
        choices=Choices(series="9", overrides=Overrides(weight_kg=68.0)),
    )


def _columns(scope):
    return {row.column.replace("NAME", "liver") for row in QUANTITIES if row.scope is scope}


def test_the_json_contract_names_every_key_and_no_other(measured, reference):
    contract = importlib.import_module("json_contract")
    record = record_of(measured, Privacy())
    defined = record.pop("definitions")
    assert {(scope, column) for scope, columns in defined.items() for column in columns} == {
        (str(row.scope), row.column) for row in QUANTITIES
    }
    expected = {key for _, rows in contract.JSON_RECORD for key, _, _ in rows}
    expected |= {f"measurements[].{name}" for name in _columns(Scope.REGION) | _columns(Scope.RATIO)}
    expected |= {f"references[].{name}" for name in _columns(Scope.REFERENCE)}
    expected |= {f"summary.{name}" for name in _columns(Scope.STUDY)}
    assert _paths(record) == expected


def test_the_csv_columns_are_those_of_the_contract(measured, reference):
    contract = importlib.import_module("json_contract")
    expected = {key for key, _, _ in contract.CSV_COLUMNS}
    expected |= {
        key.removeprefix("measurements[].")
        for _, rows in contract.JSON_RECORD
        for key, _, _ in rows
        if key.startswith("measurements[]")
    }
    expected |= _columns(Scope.REGION) | _columns(Scope.RATIO)
    assert set(rows_of(measured, Privacy())[0]) == expected


def test_the_record_of_a_check_is_that_of_the_contract(own_data, reference):
    contract = importlib.import_module("json_contract")
    record = checked_record(check(own_data / "deidentified_study"), Choices())
    named = {key for key, _, _ in contract.CHECK_RECORD}
    assert set(record) == {key.partition(".")[0].removesuffix("[]") for key in named}
    inside = {
        key.removeprefix("series[].").removesuffix("[]") for key in named if key.startswith("series[].")
    }
    assert set(record["series"][0]) == inside


def test_the_record_of_a_comparison_is_that_of_the_contract(own_data, reference, tmp_path):
    contract = importlib.import_module("json_contract")
    lesions, studies = str(own_data / "my_lesions.nii.gz"), own_data / "two_studies"
    liver = (Background(name="liver", path=str(own_data / "my_liver.nii.gz")),)
    places = tmp_path / "places.json"
    places.write_text('{"1": {"name": "node", "region": "chest"}}')
    paths: set[str] = set()
    for other in ("fdg", "pentixafor"):  # one has a registration, the other values that differ
        scans = [
            ScanInput(
                study=str(studies / study),
                rois=(lesions,),
                backgrounds=liver,
                labels=str(places),
                tracer=letter,
            )
            for letter, study in (("a", "fdg"), ("b", other))
        ]
        paths |= _paths(comparison_record(compare(scans, Settings(matches_ids=True))))
    objects = {"study", "series", "conversion", "inputs", "references", "summary", "technical"}
    leaves = {
        "rate_a",
        "rate_b",
        "odds_ratio",
        "clustered",
        "bland_altman",
        "ccc",
        "icc",
        "spearman",
        "codes",
    }
    found = {
        re.sub(rf"\.({'|'.join(leaves | objects)})(\[\])?\..*", r".\1", path)
        for path in paths
        if path != "sessions[].registration"  # null without one
    }
    found = {re.sub(r"^concordance\.[a-z]+", "concordance.UNIT", path) for path in found}
    found = {re.sub(r"^regions\..*", "regions", path) for path in found}
    found = {re.sub(r"^(pairs\[\]\.(?:a|b|ratios|change))\..*", r"\1", path) for path in found}
    assert found == {key for key, _, _ in contract.COMPARISON_RECORD}


def test_a_message_has_the_keys_of_the_contract(own_data, tmp_path, reference):
    contract = importlib.import_module("json_contract")
    run = _run(
        f"petquant suv {own_data}/deidentified_study --roi {own_data}/my_lesions.nii.gz --messages json",
        tmp_path,
    )
    for line in run.stderr.splitlines():
        assert list(json.loads(line)) == [key for key, _, _ in contract.MESSAGE_RECORD]
