"""The report of one study: pictures, table, quality lights, evidence, flags and methods on one page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from petquant.export.identity import identifiers
from petquant.export.record import Privacy, as_json, record_of, rows_of
from petquant.export.report.chart import chart_of
from petquant.export.report.lights import lights
from petquant.export.report.oriented import Orientation, Window, levels_of, orientation_of
from petquant.export.report.page import data_url, number_words, page
from petquant.export.report.projections import Projection, Shown, body_box, projection, rotation
from petquant.export.report.sheet import FONT_PX, px_per_mm, sheet_of
from petquant.export.report.thumbnails import CT_WINDOW, MOST, anatomy_of, thumbnails
from petquant.export.report.words import alternatives, conversion_sentences, methods
from petquant.export.table import as_csv
from petquant.flags import CODES, Severity
from petquant.quantification import Quantification
from petquant.roi import Roi
from petquant.volume import Volume

__all__ = ["study_report"]

SHOWN_SUV: Final = 7.0  # darkest of the pictures by body weight, one for all tracers; no number depends on it
SHOWN_RATIO: Final = 5.0  # the same, times the mean of a reference, where there is no SUV
COUNTS: Final = 0.5  # weight from which on a voxel counts for SUVmax
LONGEST_LABEL: Final = 12
COLUMNS: Final = (
    ("n_voxels", "Voxels", ""),
    ("suv_max", "SUVmax", "suv"),
    ("suv_mean", "SUVmean", "suv"),
    ("suv_peak", "SUVpeak", "suv"),
    ("mtv_ml", "MTV", "mL"),
    ("tlg_g", "TLG", "g"),
)
NATIVE_COLUMNS: Final = (
    ("n_voxels", "Voxels", ""),
    ("activity_max_bqml", "Maximum", "Bq/mL"),
    ("activity_mean_bqml", "Mean", "Bq/mL"),
    ("mtv_ml", "MTV", "mL"),
)
SUMMARY: Final = {
    "n_lesions": ("Lesions", ""),
    "tmtv_ml": ("Total MTV", "mL"),
    "ttlg_g": ("Total TLG", "g"),
    "suv_max": ("Hottest SUVmax", ""),
    "dmax_centroid_mm": ("Largest distance of two lesions", "mm"),
}


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
    shown, hottest = _shown(rows, lesions, record["references"], references, volume, orientation)
    levels = levels_of(volume, orientation, window)
    anatomy = None if ct is None else anatomy_of(ct, orientation)
    if ct is not None and anatomy is None:
        why_no_ct = "the CT lies askew to the PET"
    labelled = [(one.label, one.name) for one in shown if one.kind == "lesion"]
    names = [(*label, row) for label, row in zip(labelled, rows, strict=True)]
    patient = quantification.study.source
    height_mm = float(np.ptp(orientation.edges_mm[0]))
    chart = chart_of(names, record["references"])
    values = {
        "record": record,
        "patient": identifiers(patient) if privacy.with_identifiers else {},
        "summary": _summary(record),
        "lights": lights(quantification, height_mm=height_mm),
        "window": window,
        "ct_window": CT_WINDOW,
        "thumbnails": thumbnails(levels, orientation, shown, hottest, anatomy=anatomy),
        "lesion_of": {label: (name, row) for label, name, row in names},
        "most_thumbnails": MOST,
        "why_no_ct": why_no_ct,
        "columns": _columns(record),
        "rows": _rows(record, [label for label, _ in labelled], [one.rank < MOST for one in shown]),
        "chart": chart,
        "chart_csv": None if chart is None else data_url(chart.csv, "text/csv;charset=utf-8"),
        "sentences": conversion_sentences(record["conversion"]),
        "alternatives": alternatives(record["conversion"]),
        "flags": _flags(record, [label for label, _ in labelled]),
        "methods": methods(record),
        "csv": data_url(as_csv(rows_of(quantification, privacy)), "text/csv;charset=utf-8"),
        "json": data_url(as_json(record), "application/json"),
        **_figures(levels, orientation, shown),
    }
    return page("study.html.j2", values)


def _figures(levels: Any, orientation: Orientation, shown: Sequence[Shown]) -> dict[str, Any]:
    """Return the projections with their sheets, all at one scale."""
    box = body_box(levels, orientation, shown)
    turning = rotation(levels, orientation, box)
    widths = [float(np.ptp(orientation.edges_mm[axis][box[axis].start : box[axis].stop + 1])) for axis in (1, 2)]
    px = px_per_mm(turning.height, max(widths))
    spacing = 1.15 * FONT_PX / px
    views: list[tuple[Projection, Any]] = []
    for view in ("coronal", "sagittal"):
        seen = projection(view, levels, orientation, box, shown, spacing=spacing)
        longest = max((len(label.text) for label in seen.labels), default=0)
        picture = seen.picture
        sheet = sheet_of(
            left=picture.left,
            top=picture.top,
            width=picture.width,
            height=picture.height,
            longest_label=longest,
            px=px,
        )
        views.append((seen, sheet))
    around = sheet_of(
        left=0.0, top=0.0, width=turning.width, height=turning.height, longest_label=0, px=px
    )
    return {"views": views, "turning": turning, "around": around}


def _window(quantification: Quantification, volume: Volume) -> Window:
    """Return what pictures show: 0 to `SHOWN_SUV` by body weight, and the same pixels by any other SUV type."""
    unit = volume.unit.value
    if quantification.suv_types:
        scales = [quantification.study.conversion.scale(name) for name in (quantification.suv_types[0], "bw")]
        factors = [None if scale is None else float(np.mean(scale.factor)) for scale in scales]
        own, by_weight = factors
        per_weight = 1.0 if own is None or by_weight is None else own / by_weight
        return Window(lower=0.0, upper=SHOWN_SUV * per_weight, unit=f"SUV {quantification.suv_types[0]}, {unit}")
    means = [one.values["mean"] for one in quantification.references]
    first = next((mean for mean in means if mean is not None and mean > 0), None)
    upper = volume.largest() if first is None else SHOWN_RATIO * first
    return Window(lower=0.0, upper=upper if upper > 0 else 1.0, unit=unit)


def _shown(
    rows: Sequence[dict[str, Any]],
    lesions: Sequence[Roi],
    reference_records: Sequence[dict[str, Any]],
    references: Sequence[Roi],
    volume: Volume,
    orientation: Orientation,
) -> tuple[list[Shown], list[int]]:
    """Return all regions for pictures, and z of the hottest voxel of every lesion."""
    ids = [str(row["roi_id"]) for row in rows]
    keeps_ids = len(set(ids)) == len(ids) and all(len(one) <= 4 for one in ids)
    maxima, hottest, voxels = [], [], []
    for lesion in lesions:
        counted = _counted(lesion)
        values = volume.at(counted)
        voxels.append(orientation.zyx_of(counted))
        maxima.append(float(values.max()) if len(values) else -np.inf)
        hottest.append(int(voxels[-1][int(values.argmax()), 0]) if len(values) else 0)
    ranks = np.empty(len(lesions), np.int64)
    ranks[np.argsort(-np.array(maxima), kind="stable")] = np.arange(len(lesions))
    shown = [
        Shown(
            label=ids[place] if keeps_ids else str(place + 1),
            name=str(row["roi_name"]),
            kind="lesion",
            zyx=voxels[place],
            rank=int(ranks[place]),
        )
        for place, row in enumerate(rows)
    ]
    shown += [
        Shown(
            label=record["name"] if len(record["name"]) <= LONGEST_LABEL else record["name"][:LONGEST_LABEL] + "…",
            name=record["name"],
            kind="reference",
            zyx=orientation.zyx_of(_counted(roi)),
            rank=-1,
        )
        for record, roi in zip(reference_records, references, strict=True)
    ]
    return shown, hottest


def _counted(roi: Roi) -> Any:
    """Return the voxels of a region that count, all of them when none is half inside."""
    if roi.weights is None:
        return roi.voxels
    kept = roi.voxels[roi.weights >= COUNTS]
    return kept if len(kept) else roi.voxels


def _columns(record: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Return heading, unit and kind of the columns of the table."""
    unit = record["conversion"]["unit"] or ""
    several = len({row["suv_type"] for row in record["measurements"]}) > 1
    main = COLUMNS if record["conversion"]["suv_type"] else NATIVE_COLUMNS
    return [
        ("No.", "", True),
        ("Region", "", False),
        *([("SUV type", "", False)] if several else []),
        *((name, ("" if several else unit) if of == "suv" else of, True) for _, name, of in main),
        *((f"TBRmax {one['name']}", "", True) for one in record["references"]),
        ("Flags", "", False),
    ]


def _rows(record: dict[str, Any], labels: Sequence[str], has_pictures: Sequence[bool]) -> list[list[tuple[str, str, str]]]:
    """Return text, sort key and link of every cell."""
    several = len({row["suv_type"] for row in record["measurements"]}) > 1
    main = COLUMNS if record["conversion"]["suv_type"] else NATIVE_COLUMNS
    columns = [*(column for column, _, _ in main), *(f"tbr_max_{one['name']}" for one in record["references"])]
    general = set(record["conversion"]["flags"])
    rows = []
    for place, row in enumerate(record["measurements"]):
        of = place % len(labels)
        own = " ".join(flag for flag in row["flags"] if flag not in general)
        name = str(row["roi_name"])
        numbers = [row.get(column) for column in columns]
        rows.append(
            [
                (labels[of], str(of), f"#lesion-{of + 1}" if has_pictures[of] else ""),
                (name, name, ""),
                *([(row["suv_type"], row["suv_type"], "")] if several else []),
                *((number_words(value), "" if value is None else repr(value), "") for value in numbers),
                (own, own, ""),
            ]
        )
    return rows


def _summary(record: dict[str, Any]) -> list[tuple[str, str]]:
    values = record["summary"]
    return [
        (name, f"{number_words(values[column])} {unit}".strip())
        for column, (name, unit) in SUMMARY.items()
        if values.get(column) is not None
    ]


def _flags(record: dict[str, Any], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return every code once: what it means, what was found, whom it concerns, what to do; flags first."""
    found: dict[str, dict[str, Any]] = {}

    def entry(code: str) -> dict[str, Any]:
        row = CODES[code]
        is_flag = row.severity is Severity.FLAG
        return found.setdefault(
            code,
            {"code": code, "is_flag": is_flag, "meaning": row.meaning, "remedy": row.remedy, "found": [], "of": []},
        )

    for one in record["conversion"]["codes"]:
        of_code = entry(one["code"])
        of_code["found"].append(one["found"] + (f"; expected {one['expected']}" if one["expected"] else ""))
        of_code["remedy"] = of_code["remedy"] or one["remedy"] or ""
    general = set(record["conversion"]["flags"])
    for place, row in enumerate(record["measurements"]):
        for code in row["flags"]:
            if code not in general:
                entry(code)["of"].append(f"lesion {labels[place % len(labels)]}")
    for reference in record["references"]:
        for code in reference["flags"]:
            entry(code)["of"].append(f"reference {reference['name']}")
    for one in found.values():
        one["of"] = list(dict.fromkeys(one["of"]))
        one["found"] = list(dict.fromkeys(one["found"]))
    return sorted(found.values(), key=lambda one: not one["is_flag"])
