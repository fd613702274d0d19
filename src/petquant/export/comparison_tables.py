"""The tables of a comparison: lesions long, pairs wide, regions, patients and concordance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from petquant.comparison import Comparison, ScanReport, SessionPairs, TracerComparison
from petquant.export.bands import pair_columns, read_columns
from petquant.measurement import Number
from petquant.reads.pair import LesionPair, LesionRead

__all__ = ["comparison_tables", "state_of"]

MAIN: Final = ("suv_max", "suv_mean", "suv_peak")
STATES: Final = {
    (True, True): "both",
    (True, False): "a_only",
    (False, True): "b_only",
    (False, False): "neither",
}
Row = dict[str, Any]


def comparison_tables(comparison: Comparison) -> dict[str, list[Row]]:
    """Return the name of every table and its rows."""
    return {
        "lesions": [
            *(row for one in comparison.sessions for row in _lesions(one, comparison)),
            *(row for scan in comparison.scans for row in _alone(scan, comparison)),
        ],
        "pairs": [row for one in comparison.sessions for row in _pairs(one, comparison)],
        "regions": [row for one in comparison.sessions for row in _regions(one)],
        "patients": _patients(comparison),
        "concordance": [row for one in comparison.comparisons for row in _concordance(one)],
    }


def _head(one: SessionPairs | TracerComparison) -> Row:
    patient = {"patient": one.patient} if isinstance(one, SessionPairs) else {}
    a, b = one.tracers
    return {**patient, "session": one.session, "reader": one.reader, "tracer_a": a, "tracer_b": b}


def _lesions(one: SessionPairs, comparison: Comparison) -> Iterator[Row]:
    """Yield every read: own ones and forced ones, of both tracers."""
    for place, tracer in enumerate(one.tracers):
        technical = one.technical[place]
        row = comparison.repeatability.get(tracer)
        for pair in one.pairs:
            read, other = (pair.a, pair.b) if place == 0 else (pair.b, pair.a)
            if read is None:
                continue
            is_matched = other is not None and not (read.is_forced or other.is_forced)
            yield {
                "patient": one.patient,
                "session": one.session,
                "tracer": tracer,
                "other_tracer": one.tracers[1 - place],
                "reader": one.reader,
                "pair": pair.lesion_id,
                "lesion": read.lesion_id,
                "name": read.name,
                "region": pair.region,
                "side": pair.side,
                "forced": read.is_forced,
                "positive": read.is_positive,
                "by_reader": read.is_by_reader,
                "why": read.why,
                "matched_id": other.lesion_id if other is not None and is_matched else None,
                "matched_by": pair.matched_by,
                **read.values,
                **read_columns(read, technical, row),
                "flags": " ".join(read.flags),
            }


def _alone(scan: ScanReport, comparison: Comparison) -> Iterator[Row]:
    """Yield the reads of a scan that no other one was compared with."""
    for read in scan.reads:
        yield {
            "patient": scan.patient,
            "session": scan.session,
            "tracer": scan.tracer,
            "reader": scan.reader,
            "lesion": read.lesion_id,
            "name": read.name,
            "forced": False,
            "positive": read.is_positive,
            "by_reader": read.is_by_reader,
            "why": read.why,
            **read.values,
            **read_columns(read, scan.technical, comparison.repeatability.get(scan.tracer)),
            "flags": " ".join(read.flags),
        }


def _pairs(one: SessionPairs, comparison: Comparison) -> Iterator[Row]:
    rows = tuple(comparison.repeatability.get(tracer) for tracer in one.tracers)
    for pair in one.pairs:
        row = {
            **_head(one),
            "pair": pair.lesion_id,
            "region": pair.region,
            "side": pair.side,
            "state": state_of(pair.calls),
            "matched_by": pair.matched_by,
            "distance_mm": pair.distance_mm,
            "dice": pair.dice,
            "members_a": " ".join(pair.members[0]),
            "members_b": " ".join(pair.members[1]),
        }
        for letter, read, missing in (("a", pair.a, pair.missing[0]), ("b", pair.b, pair.missing[1])):
            row |= _side(letter, read, missing)
        yield row | pair_columns(pair, one.technical, rows)


def _side(letter: str, read: LesionRead | None, missing: str) -> Row:
    if read is None:
        return {f"missing_{letter}": missing}
    return {
        f"lesion_{letter}": read.lesion_id,
        f"name_{letter}": read.name,
        f"positive_{letter}": read.is_positive,
        f"forced_{letter}": read.is_forced,
        f"missing_{letter}": "",
        **{f"{name}_{letter}": value for name, value in read.values.items() if _is_main(name)},
        f"flags_{letter}": " ".join(read.flags),
    }


def _is_main(name: str) -> bool:
    return name in {*MAIN, "mtv_ml", "tlg_g", "activity_max_bqml"} or name.startswith("tbr_")


def _regions(one: SessionPairs) -> Iterator[Row]:
    for region in dict.fromkeys(pair.region for pair in one.pairs if pair.region):
        pairs = [pair for pair in one.pairs if pair.region == region]
        yield {**_head(one), "region": region, **_summary(pairs)}


def _summary(pairs: Sequence[LesionPair]) -> Row:
    """Return the call of a group of lesions, how many are positive, and the largest values of each tracer."""
    calls = (_any([pair.calls[0] for pair in pairs]), _any([pair.calls[1] for pair in pairs]))
    row: Row = {"n_lesions": len(pairs), "state": state_of(calls)}
    for letter, place in (("a", 0), ("b", 1)):
        reads = [pair.a if place == 0 else pair.b for pair in pairs]
        row[f"positive_{letter}"] = calls[place]
        row[f"n_positive_{letter}"] = sum(pair.calls[place] is True for pair in pairs)
        names = dict.fromkeys(name for read in reads if read is not None for name in read.values)
        for name in names:
            if name in MAIN or name.startswith("tbr_max_"):
                row[f"{name}_{letter}"] = _largest(reads, name)
    return row


def _largest(reads: Sequence[LesionRead | None], name: str) -> Number:
    values = [read.values.get(name) for read in reads if read is not None]
    known = [value for value in values if value is not None]
    return max(known, default=None)


def _any(calls: Sequence[bool | None]) -> bool | None:
    if True in calls:
        return True
    return None if None in calls else False


def state_of(calls: tuple[bool | None, bool | None]) -> str:
    """Return ``both``, ``a_only``, ``b_only``, ``neither`` or ``unknown``."""
    a, b = calls
    return "unknown" if a is None or b is None else STATES[a, b]


def _patients(comparison: Comparison) -> list[Row]:
    """Return every patient and session, also those with one scan alone or a refused one."""
    sums = {
        (scan.patient, scan.session, scan.reader, scan.tracer): scan.record.get("summary", {})
        for scan in comparison.scans
    }
    rows = []
    for one in comparison.sessions:
        if one.refusals:
            continue
        row = _head(one) | _summary(one.pairs)
        for letter, tracer in zip("ab", one.tracers, strict=True):
            of_scan = sums.get((one.patient, one.session, one.reader, tracer)) or sums.get(
                (one.patient, one.session, "", tracer), {}
            )
            row[f"n_lesions_{letter}"] = of_scan.get("n_lesions")
            row[f"tmtv_ml_{letter}"] = of_scan.get("tmtv_ml")
            row[f"ttlg_g_{letter}"] = of_scan.get("ttlg_g")
        rows.append(row)
    done = {(row["patient"], row["session"]) for row in rows}
    for patient, session in dict.fromkeys((scan.patient, scan.session) for scan in comparison.scans):
        if (patient, session) not in done:
            own = [scan for scan in comparison.scans if (scan.patient, scan.session) == (patient, session)]
            words = [f"{scan.tracer} {'refused' if scan.refusals else 'measured'}" for scan in own]
            pairs = [one for one in comparison.sessions if (one.patient, one.session) == (patient, session)]
            refusals = [finding for scan in own for finding in scan.refusals]
            refusals += [finding for one in pairs for finding in one.refusals]
            codes = dict.fromkeys(finding.code for finding in refusals)
            row = {"patient": patient, "session": session, "state": "not compared"}
            rows.append(row | {"scans": "; ".join(words), "reasons": " ".join(codes)})
    for row in rows:
        row |= {
            f"clinical_{name}": value for name, value in comparison.clinical.get(row["patient"], {}).items()
        }
    return rows


def _concordance(one: TracerComparison) -> Iterator[Row]:
    by_region = [("patient", region, found) for region, found in one.regions.items()]
    for unit, region, found in (*((unit, "", found) for unit, found in one.concordance.items()), *by_region):
        tango, a, b = found.tango, found.rate_a, found.rate_b
        yield {
            **_head(one),
            "unit": unit,
            "region": region,
            "both": found.both,
            "a_only": found.a_only,
            "b_only": found.b_only,
            "neither": found.neither,
            "n": found.n,
            "n_unknown": found.n_unknown,
            "n_patients": found.n_patients,
            "mcnemar_exact": found.mcnemar.exact,
            "mcnemar_exact_holm": one.regions_holm.get(region),
            "mcnemar_mid_p": found.mcnemar.mid_p,
            "mcnemar_chi2_cc": found.mcnemar.chi2_cc,
            "mcnemar_chi2": found.mcnemar.chi2,
            "clustered_sign_flip": found.clustered[0].p if found.clustered else None,
            "difference": None if tango is None else tango.value,
            "tango_low": None if tango is None else tango.low,
            "tango_high": None if tango is None else tango.high,
            "rate_a": None if a is None else a.value,
            "rate_a_low": None if a is None else a.low,
            "rate_a_high": None if a is None else a.high,
            "rate_b": None if b is None else b.value,
            "rate_b_low": None if b is None else b.low,
            "rate_b_high": None if b is None else b.high,
        }
