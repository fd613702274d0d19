"""Words: how the SUV came about, what else it could have been, and the methods, as sentences of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from petquant.export.report.page import number_words
from petquant.version import __version__

__all__ = ["alternatives", "conversion_sentences", "methods"]

Record = Mapping[str, Any]

SAME_PERCENT: Final = 0.005
STOOD_ON: Final = ("numpy", "pydicom")
DEFINED: Final = {
    "suv_max": "SUVmax",
    "suv_mean": "SUVmean",
    "suv_peak": "SUVpeak",
    "mtv_ml": "MTV",
    "tlg_g": "TLG",
}
NATIVE: Final = {"mtv_ml": "MTV"}


def conversion_sentences(conversion: Record) -> list[str]:
    """Return how stored values became SUV, step by step; what was not needed is left out."""
    return [
        *_injected(conversion),
        *_decay(conversion),
        *_patient(conversion),
        _multiplied(conversion),
        *_given(conversion["overrides"]),
    ]


def alternatives(conversion: Record) -> list[tuple[str, str, str, str]]:
    """Return every time that could be the decay reference: name, time, what it would change, and why."""
    return [
        (
            one["name"],
            one["datetime"] or "not known",
            _effect(one["effect_percent"]) if one["datetime"] else "not known",
            ("usable" if one["valid"] else "not usable") + (f": {one['reason']}" if one["reason"] else ""),
        )
        for one in conversion["candidates"]
    ]


def methods(record: Record) -> list[str]:
    """Return the methods paragraph of a study, a sentence or a few an entry."""
    series, conversion = record["series"], record["conversion"]
    scanner = " ".join(filter(None, (series["manufacturer"], series["model"]))) or "a scanner without a name"
    reconstruction = f", reconstructed with {series['reconstruction']}" if series["reconstruction"] else ""
    k, j, i = series["spacing_mm_kji"] or (None, None, None)
    voxels = f", voxels of {i:.4g} x {j:.4g} x {k:.4g} mm" if k is not None else ""
    lines = [
        f"PET of {scanner}{reconstruction}: {series['n_slices']} slices{voxels}.",
        f"Attenuation: {conversion['attenuation']}.",
        *conversion_sentences(conversion),
        *_regions(record),
        *_backgrounds(record["references"]),
    ]
    stood_on = ", ".join(f"{name} {version(name)}" for name in STOOD_ON)
    return [*lines, f"petquant {__version__} with {stood_on}; {record['notice']}."]


def _injected(conversion: Record) -> list[str]:
    activity_bq = conversion["injected_activity_bq"]
    if activity_bq is None:
        return []
    what = conversion["tracer"] or conversion["nuclide"] or "a tracer without a name"
    at = f" at {_time(conversion['injected_at'])}" if conversion["injected_at"] else ""
    uptake = conversion["uptake_time_min"]
    before = f", {uptake:.1f} min before the scan" if uptake is not None else ""
    rule = f" (time of injection: {conversion['injected_at_rule']})" if conversion["injected_at_rule"] else ""
    return [f"{activity_bq / 1e6:.5g} MBq of {what} were injected{at}{before}{rule}."]


def _decay(conversion: Record) -> list[str]:
    reference = conversion["decay_reference_at"]
    words = []
    if reference:
        words.append(
            f"The image is decay-corrected to {_time(reference)} ({conversion['decay_reference_rule']})."
        )
    interval_s, half_life_s = conversion["decay_interval_s"], conversion["half_life_s"]
    decayed_bq = conversion["decayed_activity_bq"]
    if interval_s is not None and half_life_s is not None and decayed_bq is not None:
        words.append(
            f"With a half-life of {half_life_s:.6g} s ({conversion['half_life_source']}) "
            f"{decayed_bq / 1e6:.5g} MBq were left of it {interval_s / 60:.1f} min after the injection."
        )
    return words


def _patient(conversion: Record) -> list[str]:
    known = [
        f"{name} {value:.4g} {unit}"
        for name, value, unit in (
            ("weight", conversion["weight_kg"], "kg"),
            ("height", conversion["height_m"], "m"),
        )
        if value is not None
    ]
    return [f"The patient: {', '.join(known)}."] if known else []


def _multiplied(conversion: Record) -> str:
    factor = conversion["factor"]
    if conversion["suv_type"] is None or factor is None:
        return "SUV was refused: ratios alone are given, on the values as stored."
    by = (
        f"one factor a slice, {min(factor):.6g} to {max(factor):.6g}"
        if isinstance(factor, list)
        else f"{factor:.8g}"
    )
    return (
        f"SUV ({conversion['suv_type']}, {conversion['unit']}) is the stored value ({conversion['units']}) "
        f"times {by}: {conversion['rule']}."
    )


def _given(overrides: Sequence[Record]) -> list[str]:
    return [
        f"{one['option']} {one['value']} was given in place of {one['replaced_value'] or 'nothing'}"
        + (f" {one['tag']}." if one["tag"] else ".")
        for one in overrides
    ]


def _regions(record: Record) -> list[str]:
    rows = record["measurements"]
    sources = ", ".join(dict.fromkeys(row["roi_source"] for row in rows))
    n = record["summary"]["n_lesions"]
    words = f"{n} {'lesion was' if n == 1 else 'lesions were'} measured" + (
        f" ({sources})." if sources else "."
    )
    columns = DEFINED if record["conversion"]["suv_type"] else NATIVE
    definitions = record["definitions"]["region"]
    said = "; ".join(f"{name}: {definitions[column]['definition']}" for column, name in columns.items())
    return [words, f"{said}; x is the value, w the weight and v the volume of a voxel."]


def _backgrounds(references: Sequence[Record]) -> list[str]:
    return [
        f"Reference {one['name']} ({one['roi_source']}): mean {number_words(one['mean'])} {one['unit']}, SD "
        f"{number_words(one['sd'])}, {number_words(one['volume_ml'])} mL; ratios divide by this mean."
        for one in references
    ]


def _effect(percent: float | None) -> str:
    if percent is None:
        return "not known"
    if abs(percent) < SAME_PERCENT:
        return "the same SUV"
    return f"SUV {abs(percent):.2f} % {'higher' if percent > 0 else 'lower'}"


def _time(text: str) -> str:
    return text.replace("T", " ")
