"""A check says of every PET series of a folder whether it can become SUV, and if not, what would be needed.

Headers only; no pixel is read. One header of every series is read by pydicom as well, and the two readings
must agree.
"""

from __future__ import annotations

import os
from dataclasses import replace

from petquant.checked import CheckedSeries
from petquant.dicom.archive import unpacked
from petquant.dicom.index import Index, Series
from petquant.dicom.select import select
from petquant.dicom.tags import TAG
from petquant.dicom.witness import confirm
from petquant.errors import Finding, Refused, UnreadableInput
from petquant.quantify import study_refusals
from petquant.study import Choices, PetStudy, look, open_found
from petquant.study.dicom import judge, source_of

__all__ = ["check", "check_series"]


def check(path: str | os.PathLike[str], choices: Choices | None = None) -> tuple[CheckedSeries, ...]:
    """Return the verdict on every PET series of a folder, in the order of their numbers.

    Parameters
    ----------
    path
        Folder of any mess, or one file.
    choices
        SUV types, overrides and allowances, as for `petquant.quantify`; a series or study given there is
        the only one that is checked.

    Raises
    ------
    PetquantError
        When there is no PET series, or a file cannot be read.
    """
    choices = choices or Choices()
    with unpacked(path) as folder:
        return _check(folder, choices)


def _check(path: str, choices: Choices) -> tuple[CheckedSeries, ...]:
    """Return the verdict on every PET series of a folder or file."""
    found = look(path, choices)
    if not isinstance(found, Index):
        study = open_found(found, choices)
        return (CheckedSeries(series=study.source, study=study, **_verdict(study, choices)),)
    pet = [series for series in found.series if series.modality == "PT"]
    if choices.study is not None or choices.series is not None or not pet:
        chosen = select(found, study=choices.study, series=choices.series, allow_nac=choices.allow_nac)
        pet = [chosen.series]
    return tuple(check_series(series, found, choices) for series in pet)


def check_series(series: Series, found: Index, choices: Choices) -> CheckedSeries:
    """Return the verdict on one series of an index, as if it were alone in its folder."""
    try:
        own = tuple(one for one in found.damaged if one.text(TAG["SeriesInstanceUID"]) == series.uid)
        selection = select(replace(found, series=(series,), damaged=own), allow_nac=choices.allow_nac)
        study = judge(found, selection, choices)
        confirm(study.stack.instances[0])
    except (Refused, UnreadableInput) as refusal:
        return CheckedSeries(series=source_of(series), study=None, refusals=refusal.findings, caveats=())
    return CheckedSeries(series=source_of(series), study=study, **_verdict(study, choices))


def _verdict(study: PetStudy, choices: Choices) -> dict[str, tuple[Finding, ...]]:
    """Return what forbids the SUV types asked for, and what else there is to say."""
    refusals = study_refusals(study, choices)
    caveats = tuple(f for f in (*study.findings, *study.conversion.findings) if f not in refusals)
    return {"refusals": refusals, "caveats": caveats}
