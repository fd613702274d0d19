"""A report is a page for people: pictures, numbers, and all that stands behind them, in one HTML file."""

from __future__ import annotations

from petquant.export.report.page import page
from petquant.export.report.study import study_report

__all__ = ["page", "study_report"]
