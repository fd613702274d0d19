"""The report of one study: pictures, table, quality lights, evidence, flags and methods on one page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from petquant.export.identity import identifiers
from petquant.export.record import Privacy, as_json, record_of, rows_of
from petquant.export.report.caveats import caveats
from petquant.export.report.chart import chart_of
from petquant.export.report.lesion_table import columns_of, rows_of_table, summary_of
from petquant.export.report.lights import lights
from petquant.export.report.oriented import Orientation, Window, levels_of, orientation_of
from petquant.export.report.page import data_url, page
from petquant.export.report.projections import body_box, projection, rotation
from petquant.export.report.sheet import FONT_PX, px_per_mm, sheet_of
from petquant.export.report.shown import Shown, shown_lesions, shown_references
from petquant.export.report.thumbnails import CT_WINDOW, MOST, anatomy_of, thumbnails
from petquant.export.report.words import alternatives, conversion_sentences, methods
from petquant.export.table import as_csv
from petquant.quantification import Quantification
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["study_report"]

SHOWN_SUV: Final = 7.0  # darkest of the pictures by body weight, one for all tracers; no number depends on it
SHOWN_RATIO: Final = 5.0  # the same, times the mean of a reference, where there is no SUV
LINE: Final = 1.3  # height of a label over that of its letters


def study_report(
    quantification: Quantification,
    *,
    volume: Volume,
    lesions: Sequence[Roi],
    references: Sequence[Roi],
    ct: Volume | None,
    why_no_ct: str,
    privacy: Privacy,
) -> bytes:
    """Return the report of a study as one HTML file, UTF-8; the same input gives the same bytes.

    Parameters
    ----------
    quantification
        What the study gave.
    volume
        Of the first SUV type, every slice of it; in native units when SUV was refused.
    lesions, references
        On the grid of the volume, in the order of the measurements and of the references.
    ct
        In HU, the slices beside the lesions loaded; None when there is none.
    why_no_ct
        In words; "" when there is one.
    privacy
        How much the report says about whose study it is.
    """
    record = record_of(quantification, privacy)
    orientation = orientation_of(volume.grid)
    window = _window(quantification, volume)
    rows = record["measurements"][: len(lesions)]
    of_lesions = shown_lesions(rows, lesions, volume=volume, orientation=orientation)
    of_references = shown_references(
        [one["name"] for one in record["references"]], references, orientation=orientation
    )
    shown = [*of_lesions, *of_references]
    levels = levels_of(volume, orientation, window)
    anatomy = None if ct is None else anatomy_of(ct, orientation)
    if ct is not None and anatomy is None:
        why_no_ct = "the CT lies askew to the PET"
    labels = [one.label for one in of_lesions]
    named = [(one.label, one.name, row) for one, row in zip(of_lesions, rows, strict=True)]
    patient = quantification.study.source
    height_mm = float(np.ptp(orientation.edges_mm[0]))
    chart = chart_of(named, record["references"])
    values = {
        "record": record,
        "patient": identifiers(patient) if privacy.with_identifiers else {},
        "summary": summary_of(record),
        "lights": lights(quantification, height_mm=height_mm),
        "window": window,
        "ct_window": CT_WINDOW,
        "thumbnails": thumbnails(levels, orientation, shown, anatomy=anatomy),
        "lesion_of": {label: (name, row) for label, name, row in named},
        "most_thumbnails": MOST,
        "why_no_ct": why_no_ct,
        "columns": columns_of(record),
        "rows": rows_of_table(record, labels, [one.rank < MOST for one in of_lesions]),
        "chart": chart,
        "chart_csv": None if chart is None else data_url(chart.csv, "text/csv;charset=utf-8"),
        "sentences": conversion_sentences(record["conversion"]),
        "alternatives": alternatives(record["conversion"]),
        "flags": caveats(record, labels),
        "methods": methods(record),
        "csv": data_url(as_csv(rows_of(quantification, privacy)), "text/csv;charset=utf-8"),
        "json": data_url(as_json(record), "application/json"),
        **_figures(levels, orientation, shown),
    }
    return page("study.html.j2", values)


def _figures(levels: NDArray[np.uint8], orientation: Orientation, shown: Sequence[Shown]) -> dict[str, Any]:
    """Return the projections with their sheets, all at one scale."""
    box = body_box(levels, orientation, shown)
    turning = rotation(levels, orientation, box)
    widths = [
        float(np.ptp(orientation.edges_mm[axis][box[axis].start : box[axis].stop + 1])) for axis in (1, 2)
    ]
    px = px_per_mm(turning.height, max(widths))
    spacing = LINE * FONT_PX / px
    views = []
    for view in ("coronal", "sagittal"):
        seen = projection(view, levels, orientation, box, shown, spacing=spacing)
        longest = [
            max((len(label.text) for label in seen.labels if label.is_left is side), default=0)
            for side in (True, False)
        ]
        picture = seen.picture
        sheet = sheet_of(
            left=picture.left,
            top=picture.top,
            width=picture.width,
            height=picture.height,
            longest=(longest[0], longest[1]),
            px=px,
        )
        views.append((seen, sheet))
    around = sheet_of(left=0.0, top=0.0, width=turning.width, height=turning.height, longest=(0, 0), px=px)
    return {"views": views, "turning": turning, "around": around}


def _window(quantification: Quantification, volume: Volume) -> Window:
    """Return what is shown: 0 to `SHOWN_SUV` by body weight, and by any other SUV type the same pixels."""
    unit = volume.unit.value
    if quantification.suv_types:
        scales = [quantification.study.conversion.scale(name) for name in (quantification.suv_types[0], "bw")]
        factors = [None if scale is None else float(np.mean(scale.factor)) for scale in scales]
        own, by_weight = factors
        per_weight = 1.0 if own is None or by_weight is None else own / by_weight
        return Window(
            lower=0.0, upper=SHOWN_SUV * per_weight, unit=f"SUV {quantification.suv_types[0]}, {unit}"
        )
    means = [one.values["mean"] for one in quantification.references]
    first = next((mean for mean in means if mean is not None and mean > 0), None)
    upper = volume.largest() if first is None else SHOWN_RATIO * first
    return Window(lower=0.0, upper=upper if upper > 0 else 1.0, unit=unit)
