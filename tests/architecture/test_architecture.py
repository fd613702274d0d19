from __future__ import annotations

import ast
import importlib
import inspect
import json
import pickle
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from petquant_cli.commands import COMMANDS

import petquant
from petquant import errors
from petquant.errors import Finding, PetquantError

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "src/petquant", ROOT / "cli/petquant_cli", ROOT / "phantoms/petquant_phantoms")
MODULES = [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]


def test_no_layer_sees_a_higher_one():
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_what_it_is(path):
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "no module docstring"
    assert docstring.splitlines()[0].endswith("."), "the first line is no sentence"


def _error_classes():
    return [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, PetquantError)]


@pytest.mark.parametrize("kind", _error_classes(), ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling(kind):
    error = kind.of("WEIGHT_MISSING", "missing", keyword="PatientWeight", tag="(0010,1030)")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is kind
    assert again.findings == error.findings
    assert str(again) == str(error)


def test_the_tree_of_errors_stands_in_the_docstring_of_its_module():
    for kind in _error_classes():
        assert kind.__name__ in errors.__doc__


def test_public_names_can_be_imported():
    for name in petquant.__all__:
        assert getattr(petquant, name) is not None


def test_every_name_that_a_module_exports_exists():
    for package in (petquant,):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            for name in getattr(module, "__all__", ()):
                assert hasattr(module, name), f"{info.name} exports {name}"


def test_help_needs_no_science_stack():
    code = (
        "import json, sys; from petquant_cli.main import app\n"
        "try: app(['--help'], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(json.loads(run.stdout.splitlines()[-1]))
    assert not imported & {"numpy", "pydicom", "nibabel", "scipy", "SimpleITK"}


def test_every_module_that_is_a_command_stands_under_a_heading():
    listed = [name for names in COMMANDS.values() for name in names]
    commands = {
        path.stem
        for path in (ROOT / "cli/petquant_cli").glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if path.stem != "main"
        and (
            (isinstance(node, ast.FunctionDef) and node.name == "run")
            or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "app")
        )
    }
    assert sorted(listed) == sorted(commands)


def test_a_command_imports_no_other_command():
    code = (
        "import sys; from petquant_cli.main import app\n"
        "try: app(['lock', '--help'], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "print(*(name for name in sys.modules if name.startswith('petquant_cli.')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    commands = {f"petquant_cli.{name}" for names in COMMANDS.values() for name in names}
    assert commands & set(run.stdout.splitlines()[-1].split()) == {"petquant_cli.lock"}


def test_quantifying_imports_neither_nibabel_nor_scipy_nor_simpleitk():
    code = (
        "import json, sys, petquant.quantify, petquant.export.record\n"
        "print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(json.loads(run.stdout)) & {"nibabel", "scipy", "SimpleITK"}


def test_a_command_converts_its_options_without_a_validation_library():
    code = (
        "import json, sys; from petquant_cli.main import app\n"
        "try: app(['suv', 'nowhere', '--roi', 'nothing', '--weight-kg', '70'], standalone_mode=False)\n"
        "except Exception as error: print(error)\n"
        "print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "PATH_NOT_FOUND" in run.stdout
    assert "pydantic" not in json.loads(run.stdout.splitlines()[-1])


def test_the_version_is_said_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == petquant.__version__


def test_a_finding_reads_as_one_sentence():
    finding = Finding(
        code="WEIGHT_MISSING",
        found="missing",
        expected="a body weight in kg, which SUVbw needs",
        remedy="give --weight-kg",
        where="series 1.2.3",
        keyword="PatientWeight",
        tag="(0010,1030)",
    )
    assert finding.line() == (
        "WEIGHT_MISSING: series 1.2.3: PatientWeight (0010,1030) is missing; expected "
        "a body weight in kg, which SUVbw needs; give --weight-kg"
    )


def test_pydicom_is_imported_without_what_it_would_reach_the_network_with():
    code = (
        "import sys; from petquant.dicom.pydicom_today import pydicom_of_today as p; p()\n"
        "print('pydicom' in sys.modules, 'requests' in sys.modules); import requests"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "False"]
