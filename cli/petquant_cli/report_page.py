"""Where a report goes: a page of its own beside the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petquant.comparison import Comparison
    from petquant.export.record import Privacy
    from petquant.export.report.scan_view import Shown
    from petquant.quantify import MeasuredStudy

__all__ = ["checked_report", "comparison_page", "write_report"]

SUFFIXES = (".html", ".htm")


def checked_report(path: Path | None, *, option: str = "--report") -> Path | None:
    """Return the path of a report.

    Raises
    ------
    UsageError
        OPTION_INVALID, when its suffix is none of a page.
    """
    from petquant.errors import UsageError

    if path is not None and path.suffix.lower() not in SUFFIXES:
        raise UsageError.of("OPTION_INVALID", f"{option} {path}", expected="a file name that ends in .html")
    return path


def write_report(measured: MeasuredStudy, privacy: Privacy, path: Path) -> None:
    """Write the report of a study, whole or not at all.

    Raises
    ------
    OutputFailed
        When it cannot be written.
    """
    from petquant.export.report import study_report
    from petquant.output import write_whole

    page = study_report(
        measured.quantification,
        volume=measured.volume,
        lesions=measured.lesions,
        references=measured.backgrounds,
        ct=measured.ct,
        why_no_ct=measured.why_no_ct,
        privacy=privacy,
    )
    write_whole(path, page)


def comparison_page(found: Comparison, shown: Shown, *, has_hashed_uids: bool) -> bytes:
    """Return the report of a comparison."""
    from petquant.export.report.comparison import comparison_report

    return comparison_report(found, shown, has_hashed_uids=has_hashed_uids)
