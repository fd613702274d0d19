"""The record of a check: every PET series with its evidence and the verdict, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from petquant.checked import CheckedSeries
from petquant.export.evidence import conversion_record
from petquant.export.record import NOTICE, codes_of, flag_codes, series_record
from petquant.export.withheld import Withheld
from petquant.study import Choices
from petquant.version import __version__

__all__ = ["checked_record"]


def checked_record(checked: Sequence[CheckedSeries], choices: Choices) -> dict[str, Any]:
    """Return the verdicts on all series, in a fixed order."""
    return {
        "petquant_version": __version__,
        "notice": NOTICE,
        "series": [_series_record(one, choices) for one in checked],
    }


def _series_record(one: CheckedSeries, choices: Choices) -> dict[str, Any]:
    suv_type = choices.suv_types[0]
    source = one.series if one.study is None else one.study.source
    withheld = Withheld.of(source)
    conversion = None
    if one.study is not None:
        conversion = conversion_record(one.study.conversion, suv_type if one.is_computable else None)
        conversion["flags"] = flag_codes(one.caveats)
    return {
        "series_uid": one.series.uid or None,
        "study_uid": one.series.study_uid or None,
        "n_files": one.series.n_files,
        "series_number": one.series.number or None,
        "suv_type": suv_type,
        "is_computable": one.is_computable,
        "outcome": "refuse" if one.refusals else "flag" if flag_codes(one.caveats) else "ok",
        "refusals": codes_of(one.refusals, withheld),
        "codes": codes_of(one.caveats, withheld),
        "geometry": None if one.study is None else series_record(one.study, source),
        "conversion": conversion,
    }
