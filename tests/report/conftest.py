"""One small study of known geometry and its report, with names that attack and without."""

from __future__ import annotations

import json
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
        "references": measured.references,
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
