"""To view is to measure a study and lay its PET, CT, regions and numbers out for a browser."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from petquant.background import Background
from petquant.dicom.archive import unpacked
from petquant.errors import PetquantError
from petquant.export.identity import date_words
from petquant.export.record import Privacy, record_of
from petquant.export.report.study import shown_window
from petquant.export.viewer import Scene
from petquant.export.withheld import Withheld
from petquant.flags import Severity
from petquant.manifest import verify
from petquant.quantification import Quantification
from petquant.quantify import measure_study
from petquant.study import Choices
from petquant.volume import Volume

__all__ = ["view"]


def view(
    study: str | os.PathLike[str],
    rois: Sequence[str | os.PathLike[str]] = (),
    *,
    backgrounds: Sequence[Background] = (),
    choices: Choices | None = None,
    labels: str | os.PathLike[str] | None = None,
    manifest: str | os.PathLike[str] | None = None,
    privacy: Privacy | None = None,
    has_ct: bool = True,
) -> Scene:
    """Return what the viewer shows of one study: the PET in the first SUV type, its CT, regions, numbers.

    Parameters
    ----------
    study, rois, backgrounds, choices, labels, manifest
        As for `petquant.quantify.quantify`; there may be no region.
    privacy
        What the page says of whose study it is; nothing, by default.
    has_ct
        Whether the CT is looked for. Where none belongs to the PET, or it cannot be read, the scene says so.

    Raises
    ------
    PetquantError
        As `petquant.quantify.quantify`.
    """
    privacy = privacy or Privacy()
    if manifest is not None:
        verify(study, manifest)  # of a zip, the file that was locked and not what it unpacks to
    with unpacked(study) as folder:
        measured = measure_study(
            folder,
            rois,
            backgrounds=backgrounds,
            choices=choices,
            labels=labels,
            manifest=manifest if os.fspath(study) == folder else None,
        )
        quantification = measured.quantification
        ct, without_ct = _ct(quantification) if has_ct else (None, "")
    record = record_of(quantification, privacy)
    suv_type = quantification.suv_types[0] if quantification.suv_types else "none"
    return Scene(
        pet=measured.volume,
        suv_type=suv_type,
        upper=shown_window(quantification, measured.volume).upper,
        ct=ct,
        without_ct=without_ct,
        lesions=measured.lesions,
        rows=tuple(row for row in record["measurements"] if row["suv_type"] == suv_type),
        backgrounds=measured.backgrounds,
        references=tuple(record["references"]),
        facts=_facts(record, suv_type, measured.volume, privacy),
        caveats=_caveats(record),
        findings=quantification.findings,
    )


def _ct(quantification: Quantification) -> tuple[Volume | None, str]:
    """Return the CT of the study, or why there is none, without a path."""
    study = quantification.study
    try:
        return study.ct().volume(), ""
    except PetquantError as error:
        withheld = Withheld.of(study.source)
        return None, "; ".join(withheld.from_words(one.found, one.path) for one in error.findings)


def _facts(record: Mapping[str, Any], suv_type: str, pet: Volume, privacy: Privacy) -> dict[str, str]:
    """Return what stands above the picture."""
    conversion, study = record["conversion"], record["study"]
    uptake = conversion["uptake_time_min"]
    facts = {
        "Tracer": conversion["tracer"] or conversion["nuclide"] or "not known",
        "Values": f"{pet.unit} (no SUV)" if suv_type in {"none", "native"} else f"SUV {suv_type}, {pet.unit}",
        "Uptake": "" if uptake is None else f"{uptake:.0f} min",
        "Study": study["key"],
    }
    if privacy.with_identifiers:
        facts |= {
            "Patient": study["patient_name"],
            "ID": study["patient_id"],
            "Born": date_words(study["patient_birth_date"]),
            "Scanned": date_words(study["study_date"]),
        }
    return {label: words for label, words in facts.items() if words}


def _caveats(record: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the flags of the study with their words, each once."""
    return tuple(
        dict.fromkeys(
            (one["code"], one["found"] + (f"; expected {one['expected']}" if one["expected"] else ""))
            for one in record["conversion"]["codes"]
            if one["severity"] == str(Severity.FLAG)
        )
    )
