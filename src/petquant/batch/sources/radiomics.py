"""A table as pyradiomics takes it: columns ``Image`` and ``Mask``, perhaps ``Label``, and any other.

The image is a NIfTI PET with its side-car, or a study. Without ``Label`` every region of the mask is
measured, where pyradiomics takes the label 1 alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from petquant.study_table import StudyTable

__all__ = ["LABEL", "as_studies", "is_of_radiomics"]

IMAGE: Final = "Image"
MASK: Final = "Mask"
LABEL: Final = "Label"


def is_of_radiomics(table: StudyTable) -> bool:
    """Whether a table has the columns of pyradiomics."""
    return {IMAGE, MASK} <= set(table.columns)


def as_studies(table: StudyTable) -> StudyTable:
    """Return a table of pyradiomics as a manifest of a batch."""
    called = {IMAGE: "study", MASK: "roi", LABEL: "roi_label"}
    return replace(
        table,
        columns=tuple(called.get(column, column) for column in table.columns),
        rows=tuple(
            (line, {called.get(column, column): cell for column, cell in cells.items()})
            for line, cells in table.rows
        ),
    )
