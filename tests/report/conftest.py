"""One small study of known geometry and its report, with names that attack and without."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from petquant_phantoms import catalogue, write_study

from petquant.export.record import Privacy
from petquant.export.report import study_report
from petquant.quantify import Background, MeasuredStudy, measure_study

HOSTILE_PATIENT = "<script>alert(1)</script>^=cmd|'/c calc'!A1"
HOSTILE_REGIONS = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>\u202egnp.\x1b[2J")


def page_of(measured: MeasuredStudy, privacy: Privacy | None = None, **other) -> bytes:
    """The report of what was measured, with other values in place of some."""
    values = {
        "volume": measured.volume,
        "lesions": measured.lesions,
        "references": measured.backgrounds,
        "ct": measured.ct,
        "why_no_ct": measured.why_no_ct,
    }
    quantification = other.pop("quantification", measured.quantification)
    return study_report(quantification, **(values | other), privacy=privacy or Privacy())


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """PET, CT and two lesions of 4 mm voxels (phantom `whole_study`), under a patient whose name attacks."""
    definition = catalogue.load("whole_study")
    definition = definition.with_header(patient_name=HOSTILE_PATIENT)
    folder = tmp_path_factory.mktemp("whole")
    study = write_study(definition, folder)
    names = folder / "hostile.json"
    names.write_text(json.dumps(dict(zip("12", HOSTILE_REGIONS, strict=True))), encoding="utf-8")

    def measured(labels):
        return measure_study(
            study.dicom,
            [study.lesions],
            labels=labels,
            backgrounds=[Background(name="muscle", path=study.backgrounds["muscle"])],
            has_ct=True,
        )

    plain, hostile = measured(study.labels), measured(names)
    return SimpleNamespace(
        study=study,
        names=names,
        plain=plain,
        hostile=hostile,
        page=page_of(plain),
        hostile_page=page_of(hostile, Privacy(with_identifiers=True)),
    )


@pytest.fixture(scope="session")
def report_of():
    return page_of


@pytest.fixture(scope="session")
def open_page(browser, tmp_path_factory):
    """Open a report from disk, offline, with every request, message and dialog kept."""

    def opened(content: bytes, *, width: int = 1280, motion: str = "reduce"):
        path = tmp_path_factory.mktemp("page") / "report.html"
        path.write_bytes(content)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, reduced_motion=motion, offline=True
        )
        tab, seen = context.new_page(), []
        tab.on("request", lambda request: seen.append(request.url))
        said = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        tab.goto(path.as_uri())
        return SimpleNamespace(tab=tab, seen=seen, said=said, uri=path.as_uri())

    return opened


@pytest.fixture(scope="session")
def phantoms():
    """The scans of ``tests/cli/test_compare.py`` with the SUV of their lesions."""
    place = Path(__file__).parents[1] / "cli/test_compare.py"
    spec = importlib.util.spec_from_file_location("compare_phantoms", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for themselves
    spec.loader.exec_module(module)
    return module
