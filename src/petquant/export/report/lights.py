"""Quality lights: what a reader looks at before a number: each a rule with its source, PASS, FAIL or UNKNOWN.

What is not known is UNKNOWN, never PASS; a light that fails stops nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from petquant.background.regions import FDG, LIVER_BAND_SUV
from petquant.metrics import Reference
from petquant.metrics.tbr import MOST_COV
from petquant.quantification import Quantification
from petquant.reads.protocol import protocols
from petquant.reads.verdict import Verdict, checked, exceeds
from petquant.suv.conversion import SuvConversion

__all__ = ["Light", "lights"]

DOSE_MBQ: Final = (5.0, 2000.0)  # suv.md section 8: beyond it DOSE_OUT_OF_RANGE
WEIGHT_KG: Final = (1.0, 300.0)  # suv.md section 9: beyond it WEIGHT_IMPLAUSIBLE
ABOUT_TIMES: Final = (
    "REF_TIME_",
    "INJ_",
    "ACQ_DATE_SHIFTED",
    "PRIVATE_TIME_REJECTED",
    "TIMEZONE_ONE_SIDED",
    "TIME_ROLLED_OVER",
    "UPTAKE_NEGATIVE",
)  # beginnings of the codes of flags about times
OWN: Final = "petquant, table of codes"
SYNTHESIS: Final = "pentixafor"  # the shipped protocol that the others extend


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One rule held against the scan.

    Parameters
    ----------
    name
        For a reader.
    verdict
        PASS, FAIL or UNKNOWN.
    found, expected
        What was found, and what the rule asks for; empty where there is no rule.
    why
        What the verdict rests on, where that is not plain.
    source
        Where the rule comes from.
    """

    name: str
    verdict: Verdict
    found: str
    expected: str
    why: str
    source: str


def lights(quantification: Quantification, *, height_mm: float) -> list[Light]:
    """Return the lights of a scan; `height_mm` is what the PET covers from feet to head."""
    conversion = quantification.study.conversion
    codes = [finding.code for finding in quantification.findings]
    found = [
        _activity(conversion, codes),
        _uptake(conversion),
        _weight(conversion, codes),
        _timing(conversion, codes),
        _liver(quantification),
        _noise(quantification.references),
        _coverage(height_mm),
    ]
    if conversion.tracer is not None and conversion.tracer.name == FDG:
        found.insert(2, _glucose())
    return found


def _light(name: str, *, holds: bool | None, found: str, expected: str, source: str, why: str = "") -> Light:
    check = checked(name, holds=holds, found=found, expected=expected, why=why)
    return Light(
        name=name, verdict=check.verdict, found=found, expected=expected, why=check.why, source=source
    )


def _inside(value: float, window: tuple[float, float]) -> bool:
    return not exceeds(window[0], value) and not exceeds(value, window[1])


def _activity(conversion: SuvConversion, codes: list[str]) -> Light:
    name = "Injected activity"
    activity_bq = conversion.injected_activity_bq
    if activity_bq is None:
        return _light(
            name, holds=None, found="not known, or not needed for these values", expected="", source=OWN
        )
    mbq = activity_bq / 1e6
    found = f"{mbq:.4g} MBq"
    doubts = [
        code for code in dict.fromkeys(codes) if code.startswith("DOSE_") and code != "DOSE_NET_FROM_ASSAY"
    ]
    if doubts:
        return _light(
            name,
            holds=False,
            found=found,
            expected="an activity without a caveat",
            why=f"flagged {', '.join(doubts)}",
            source=OWN,
        )
    protocol = protocols()[SYNTHESIS]
    tracer = "" if conversion.tracer is None else conversion.tracer.name
    of_tracer = protocol.tracers.get(tracer)
    accepted = None if of_tracer is None else of_tracer.activity_accepted_mbq
    if accepted is not None:
        return _light(
            name,
            holds=_inside(mbq, accepted),
            found=found,
            expected=f"{accepted[0]:g} to {accepted[1]:g} MBq of {tracer}",
            source=f"protocol {protocol.name} ({protocol.citation})",
        )
    return _light(
        name,
        holds=_inside(mbq, DOSE_MBQ),
        found=found,
        expected=f"plausible, {DOSE_MBQ[0]:g} to {DOSE_MBQ[1]:g} MBq",
        why="petquant knows no narrower range for this tracer",
        source=OWN,
    )


def _uptake(conversion: SuvConversion) -> Light:
    name, tracer, minutes = "Uptake time", conversion.tracer, conversion.uptake_time_min
    found = "not known" if minutes is None else f"{minutes:.1f} min from injection to scan"
    if tracer is None or tracer.uptake_window_min is None:
        why = "the tracer is not known" if tracer is None else f"no window is known for {tracer.name}"
        return _light(
            name, holds=None, found=found, expected="", why=why, source="petquant, table of tracers"
        )
    window = tracer.uptake_window_min
    return _light(
        name,
        holds=None if minutes is None else _inside(minutes, window),
        found=found,
        expected=f"{window[0]:g} to {window[1]:g} min for {tracer.name}",
        source=tracer.source,
    )


def _glucose() -> Light:
    protocol = protocols()[SYNTHESIS]
    limit = protocol.tracers[FDG].glucose_max_mg_dl
    return _light(
        "Blood glucose",
        holds=None,
        found="not in the files of a scan",
        expected="" if limit is None else f"at most {limit:g} mg/dL",
        source=f"protocol {protocol.name} ({protocol.citation})",
    )


def _weight(conversion: SuvConversion, codes: list[str]) -> Light:
    name, kg = "Body weight", conversion.weight_kg
    expected = f"{WEIGHT_KG[0]:g} to {WEIGHT_KG[1]:g} kg, and no caveat"
    if kg is None:
        return _light(name, holds=None, found="not known, or not needed", expected=expected, source=OWN)
    doubts = [code for code in dict.fromkeys(codes) if code.startswith("WEIGHT_")]
    option = conversion.acquisition.weight_kg.option
    why = f"flagged {', '.join(doubts)}" if doubts else f"given by {option}" if option else ""
    return _light(
        name,
        holds=not doubts and _inside(kg, WEIGHT_KG),
        found=f"{kg:.4g} kg",
        expected=expected,
        why=why,
        source=OWN,
    )


def _timing(conversion: SuvConversion, codes: list[str]) -> Light:
    name = "Decay reference and injection time"
    expected = "one time that no other witness contradicts, with nothing repaired"
    doubts = [code for code in dict.fromkeys(codes) if code.startswith(ABOUT_TIMES)]
    if doubts:
        why = f"flagged {', '.join(doubts)}"
        return _light(name, holds=False, found="doubtful", expected=expected, why=why, source=OWN)
    interval_s = conversion.decay_interval_s
    if interval_s is None:
        found = "not needed for these values, or not known"
        return _light(name, holds=None, found=found, expected=expected, source=OWN)
    found = f"{interval_s / 60:.1f} min between injection and decay reference"
    return _light(name, holds=True, found=found, expected=expected, source=OWN)


def _liver(quantification: Quantification) -> Light:
    name, conversion = "Liver", quantification.study.conversion
    source = "PERCIST and EANM: a plausible liver"
    expected = f"SUVmean {LIVER_BAND_SUV[0]:g} to {LIVER_BAND_SUV[1]:g} with {FDG}, by body weight"
    livers = [one for one in quantification.references if one.name.lower().split("_")[0] == "liver"]
    if not livers or livers[0].values["mean"] is None:
        return _light(
            name, holds=None, found="no liver among the reference regions", expected=expected, source=source
        )
    mean = livers[0].values["mean"]
    found = f"mean {mean:.3g} {livers[0].unit}"
    is_fdg = conversion.tracer is not None and conversion.tracer.name == FDG
    if not is_fdg or quantification.suv_types[:1] != ("bw",):
        why = "no band is known for this tracer" if not is_fdg else "no band is known for this SUV type"
        return _light(name, holds=None, found=found, expected=expected, why=why, source=source)
    return _light(name, holds=_inside(mean, LIVER_BAND_SUV), found=found, expected=expected, source=source)


def _noise(references: tuple[Reference, ...]) -> Light:
    name = "Noise of the reference tissue"
    expected = f"coefficient of variation of single voxels at most {MOST_COV:g}"
    source = "petquant's choice: what is above is hardly one tissue"
    known = [(one.name, one.values["cov"]) for one in references if one.values["cov"] is not None]
    if not known:
        return _light(name, holds=None, found="no reference region", expected=expected, source=source)
    found = ", ".join(f"{region} {cov:.2f}" for region, cov in known)
    holds = not any(exceeds(cov, MOST_COV) for _, cov in known if cov is not None)
    return _light(name, holds=holds, found=found, expected=expected, source=source)


def _coverage(height_mm: float) -> Light:
    protocol = protocols()[SYNTHESIS]
    least = protocol.coverage_min_mm
    return _light(
        "Coverage",
        holds=None if least is None else not exceeds(least, height_mm),
        found=f"{height_mm:.0f} mm from feet to head",
        expected="" if least is None else f"at least {least:g} mm, for skull base to mid-thigh",
        why="judged by the extent alone",
        source="petquant's proposal: no adult is covered by less",
    )
