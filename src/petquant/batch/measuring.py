"""Measuring a task gives an end: numbers with their caveats, or what stood against them."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Final

from petquant.batch.outcome import Ended, Outcome
from petquant.batch.task import StudyTask
from petquant.errors import Finding, PetquantError, Refused
from petquant.export.record import Privacy, as_json, record_of, rows_of_record
from petquant.export.withheld import Withheld
from petquant.flags import CODES, Severity
from petquant.quantify import measure_study, quantify

__all__ = ["Measure", "Reported", "ended", "flags_of_record", "measure_task", "report_task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A record with the report of its study, a page."""

    record: dict[str, Any]
    page: bytes


Measure = Callable[[StudyTask, Privacy], dict[str, Any] | Reported]
UID: Final = re.compile(r"(?<![\d.])[0-2](?:\.\d+){5,}|(?<![\d.])2\.25\.\d{20,}")


def measure_task(task: StudyTask, privacy: Privacy) -> dict[str, Any]:
    """Return the record of the study of a task.

    Raises
    ------
    PetquantError
        As `petquant.quantify.quantify`.
    """
    found = quantify(
        task.study,
        task.rois,
        backgrounds=task.backgrounds,
        choices=task.choices,
        labels=task.labels,
        psf_fwhm_mm=task.psf_fwhm_mm,
    )
    return record_of(found, privacy)


def report_task(task: StudyTask, privacy: Privacy) -> Reported:
    """Return the record of the study of a task with its report.

    Raises
    ------
    PetquantError
        As `petquant.quantify.quantify`.
    """
    from petquant.export.report import study_report  # noqa: PLC0415 - where reports are asked for alone

    found = measure_study(
        task.study,
        task.rois,
        backgrounds=task.backgrounds,
        choices=task.choices,
        labels=task.labels,
        psf_fwhm_mm=task.psf_fwhm_mm,
        has_ct=True,
    )
    page = study_report(
        found.quantification,
        volume=found.volume,
        lesions=found.lesions,
        references=found.backgrounds,
        ct=found.ct,
        why_no_ct=found.why_no_ct,
        privacy=privacy,
    )
    return Reported(record=record_of(found.quantification, privacy), page=page)


def ended(task: StudyTask, privacy: Privacy, measure: Measure) -> Ended:
    """Return how measuring a task ends; nothing is raised but what no process survives."""
    try:
        measured = measure(task, privacy)
        record, page = (measured.record, measured.page) if isinstance(measured, Reported) else (measured, b"")
        rows = rows_of_record(record)
        flags = flags_of_record(record)
        return Ended(
            outcome=Outcome.FLAGGED if flags else Outcome.OK,
            code=" ".join(flags),
            record=zlib.compress(as_json(record)),
            columns=tuple(dict.fromkeys(name for row in rows for name in row)),
            n_measurements=len(rows),
            report=page,
        )
    except PetquantError as error:
        return Ended(
            outcome=Outcome.REFUSED if isinstance(error, Refused) else Outcome.FAILED,
            code=" ".join(dict.fromkeys(one.code for one in error.findings)),
            message="\n".join(_lines(error.findings, task, privacy)),
        )
    except MemoryError:
        row = CODES["MEMORY_EXHAUSTED"]
        return Ended(
            outcome=Outcome.FAILED, code=row.code, message=f"{row.meaning}, or --memory-gb; {row.remedy}"
        )
    except Exception as error:  # noqa: BLE001 - one study is no reason to lose the others
        return Ended(outcome=Outcome.FAILED, code="INTERNAL", message=_place(error))


def flags_of_record(record: dict[str, Any]) -> list[str]:
    """Return the codes of every caveat in a record, each once, in alphabetical order."""
    parts = [record["conversion"], *record["references"], *record["measurements"]]
    codes = {code for part in parts for code in part["flags"]}
    return sorted(code for code in codes if CODES[code].severity is Severity.FLAG)


def _lines(findings: Iterable[Finding], task: StudyTask, privacy: Privacy) -> list[str]:
    """Return a line for every code with all causes of it, without a path of the input."""
    roots = [task.study, *task.rois, task.labels, *(one.path for one in task.backgrounds)]
    by_code: dict[str, dict[str, None]] = {}
    for finding in findings:
        row = CODES[finding.code]
        told = replace(
            finding,
            found=_withheld(finding.found, roots, finding.path),
            expected=_withheld(finding.expected, roots, finding.path),
            remedy=_withheld(finding.remedy or row.remedy, roots, finding.path),
            where=finding.where if finding.where.startswith(("series ", "--")) else "",
            path="",
        )
        line = told.sentence()
        if privacy.has_hashed_uids:
            line = UID.sub(lambda uid: hashlib.sha256(uid[0].encode()).hexdigest()[:16], line)
        by_code.setdefault(finding.code, {})[line.replace("\n", " ")] = None
    return ["; also ".join(lines) for lines in by_code.values()]


def _withheld(words: str, roots: Iterable[Any], path: str) -> str:
    for root in roots:
        if root is not None:
            words = Withheld(root=str(root)).from_words(words, path)
    return words


def _place(error: BaseException) -> str:
    """Return the kind of an error and the line of it, and not its words, which may be anybody's."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = "" if at is None else f" in {PurePath(at.tb_frame.f_code.co_filename).name}, line {at.tb_lineno}"
    return f"{type(error).__name__}{where}; petquant suv --debug on this study tells more; please report it"
