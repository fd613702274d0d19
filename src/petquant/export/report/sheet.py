"""A sheet is the room around a picture: margins for labels, a strip below for scale and colour bar, in mm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Sheet", "px_per_mm", "sheet_of"]

HIGHEST_PX: Final = 540.0
WIDEST_PX: Final = 290.0
FONT_PX: Final = 13.0
CHARACTER: Final = 0.62  # width of a character over the height of the font
LENGTHS_MM: Final = (10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Measures of a sheet in mm, but for the size on the screen in px.

    Parameters
    ----------
    left, top, width, height
        Of the sheet.
    font
        Height of the letters.
    strip
        Top of the strip below the picture.
    scale_mm
        Length of the scale bar.
    width_px, height_px
        Size of the sheet.
    """

    left: float
    top: float
    width: float
    height: float
    font: float
    strip: float
    scale_mm: int
    width_px: int
    height_px: int


def px_per_mm(height_mm: float, widest_mm: float) -> float:
    """Return the scale that all projections of a scan share."""
    return min(HIGHEST_PX / height_mm, WIDEST_PX / widest_mm)


def sheet_of(
    *, left: float, top: float, width: float, height: float, longest: tuple[int, int], px: float
) -> Sheet:
    """Return the sheet around a picture, at `px` pixels a mm.

    `longest` are the characters of the longest label on the left and on the right; without a label there is
    no margin.
    """
    font = FONT_PX / px
    margins = [font * (characters * CHARACTER + 0.8) if characters else 0.0 for characters in longest]
    whole = width + sum(margins)
    scale_mm = max((one for one in LENGTHS_MM if one <= width / 2), default=LENGTHS_MM[0])
    return Sheet(
        left=left - margins[0],
        top=top,
        width=whole,
        height=height + font * 2.4,
        font=font,
        strip=top + height + font * 0.5,
        scale_mm=scale_mm,
        width_px=round(whole * px),
        height_px=round((height + font * 2.4) * px),
    )
