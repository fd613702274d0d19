"""What was injected: which item, of which tracer and nuclide, with which half-life.

Rules: suv.md sections 8 and 10.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from petquant.acquisition import PetAcquisition, Radiopharmaceutical, Written
from petquant.errors import Finding
from petquant.nuclides import NUCLIDES, Nuclide, nuclide_by_code, nuclides_in
from petquant.overrides import Overrides
from petquant.tracers import Tracer, tracer_by_name, tracers_in

__all__ = ["HalfLife", "chosen_item", "half_life", "identified_tracer"]


def chosen_item(
    acquisition: PetAcquisition, overrides: Overrides
) -> tuple[Radiopharmaceutical, tuple[Finding, ...]]:
    """Return the radiopharmaceutical item to use, with the user's values in place, or the refusal.

    Several items whose activity, half-life and times agree count as one.
    """
    items = acquisition.radiopharmaceuticals
    findings: tuple[Finding, ...] = ()
    if not items:
        item = _nothing_written()
    elif overrides.radiopharm_index is not None:
        if not 1 <= overrides.radiopharm_index <= len(items):
            return items[0], (_several(items, f"there is no item {overrides.radiopharm_index}"),)
        item = items[overrides.radiopharm_index - 1]
    else:
        item = items[0]
        if any(_identity(other) != _identity(item) for other in items[1:]):
            findings = (_several(items, f"{len(items)} radiopharmaceutical items differ"),)
    dose = item.dose.given(
        None if overrides.dose_mbq is None else overrides.dose_mbq * 1e6,
        option="--dose-mbq",
        text=f"{overrides.dose_mbq} MBq",
    )
    return replace(item, dose=dose), findings


def _nothing_written() -> Radiopharmaceutical:
    return Radiopharmaceutical(
        dose=Written(keyword="RadionuclideTotalDose", tag="(0018,1074)"),
        half_life_s=Written(keyword="RadionuclideHalfLife", tag="(0018,1075)"),
        injected_at=Written(keyword="RadiopharmaceuticalStartDateTime", tag="(0018,1078)"),
        injected_clock=Written(keyword="RadiopharmaceuticalStartTime", tag="(0018,1072)"),
    )


def _identity(item: Radiopharmaceutical) -> tuple[object, ...]:
    return (item.dose.value, item.half_life_s.value, item.injected_at.value, item.injected_clock.value)


def _several(items: tuple[Radiopharmaceutical, ...], found: str) -> Finding:
    listed = ", ".join(
        f"{number}: {item.name.text or item.nuclide_meaning.text or 'unnamed'} {item.dose.text or 'no dose'}"
        for number, item in enumerate(items, start=1)
    )
    return Finding(
        code="DOSE_MULTIPLE",
        found=f"{found} ({listed})",
        expected="one item in RadiopharmaceuticalInformationSequence (0054,0016)",
        remedy="choose one with --radiopharm-index N",
        tag="(0054,0016)",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfLife:
    """The half-life in use and the nuclide it belongs to.

    `evidence` lists what named the nuclide, as (where, words, nuclide).
    """

    half_life_s: float | None
    nuclide: str
    source: str
    evidence: tuple[tuple[str, str, str], ...] = ()
    findings: tuple[Finding, ...] = ()


def half_life(acquisition: PetAcquisition, item: Radiopharmaceutical, overrides: Overrides) -> HalfLife:
    """Return the half-life in s with the verdict on the nuclide (suv.md section 10).

    The header's value is used when it fits one of the nuclides that codes and names give. The three kinds of
    evidence (code value, code meaning, radiopharmaceutical name) contradict each other in practice.
    """
    named = _nuclide_evidence(acquisition, item)
    evidence = tuple((where, words, nuclide.name) for where, words, nuclide in named)
    written = item.half_life_s
    if overrides.half_life is not None:
        return _overridden(written, overrides.half_life, named, evidence)
    if written.defect == "HALF_LIFE_FROM_NUCLIDE" and len({nuclide.name for _, _, nuclide in named}) == 1:
        return _of_nuclide(written, named[0][2], evidence)
    expected, remedy = "the half-life of the nuclide in s", "give --half-life SECONDS or --half-life nuclide"
    if written.defect == "HALF_LIFE_FROM_NUCLIDE":
        written, expected = replace(written, defect=""), f"{expected}, or one nuclide by name"
    code = written.defect or ("HALF_LIFE_MISSING" if written.value is None or written.value <= 0 else "")
    if code or written.value is None:
        name = named[0][2].name if named else ""
        finding = written.finding(code, expected=expected, remedy=remedy)
        return HalfLife(half_life_s=None, nuclide=name, source="", evidence=evidence, findings=(finding,))
    seconds = written.value
    nuclide, finding_ = _verdict(written, seconds, named)
    findings = () if finding_ is None else (finding_,)
    usable = None if finding_ is not None and finding_.code == "HALF_LIFE_WRONG_NUCLIDE" else seconds
    return HalfLife(
        half_life_s=usable,
        nuclide=nuclide,
        source=f"{written.keyword} {written.tag}".strip(),
        evidence=evidence,
        findings=findings,
    )


def _of_nuclide(
    written: Written[float], nuclide: Nuclide, evidence: tuple[tuple[str, str, str], ...]
) -> HalfLife:
    """Return the half-life of the table, for a format that names the nuclide and has no place for it."""
    finding = written.finding(
        "HALF_LIFE_FROM_NUCLIDE",
        expected=f"the half-life; {nuclide.half_life_s:g} s of {nuclide.name} were taken ({nuclide.source})",
        remedy="give --half-life to use another",
    )
    return HalfLife(
        half_life_s=nuclide.half_life_s,
        nuclide=nuclide.name,
        source=f"of {nuclide.name}: {nuclide.source}",
        evidence=evidence,
        findings=(finding,),
    )


def _overridden(
    written: Written[float],
    text: str,
    named: list[tuple[str, str, Nuclide]],
    evidence: tuple[tuple[str, str, str], ...],
) -> HalfLife:
    if text.strip().casefold() == "nuclide":
        names = {nuclide.name for _, _, nuclide in named}
        if len(names) == 1:
            nuclide = named[0][2]
            return HalfLife(
                half_life_s=nuclide.half_life_s,
                nuclide=nuclide.name,
                source=f"--half-life nuclide: {nuclide.source}",
                evidence=evidence,
            )
        finding = written.finding(
            "HALF_LIFE_MISSING",
            found=f"asked of the nuclide, but the header names {' and '.join(sorted(names)) or 'none'}",
            expected="one nuclide",
            remedy="give --half-life SECONDS",
        )
        return HalfLife(half_life_s=None, nuclide="", source="", evidence=evidence, findings=(finding,))
    seconds = float(text)
    given = written.given(seconds, option="--half-life", text=text)
    nuclide_name = next((n.name for n in NUCLIDES if _off(seconds, n) <= 0.01), "")
    findings: tuple[Finding, ...] = ()
    if named and min(_off(seconds, nuclide) for _, _, nuclide in named) > 0.01:
        best = min((nuclide for _, _, nuclide in named), key=lambda n: _off(seconds, n))
        findings = (
            given.finding(
                "HALF_LIFE_OFF_TABLE",
                found=f"{seconds:g} s",
                expected=f"{best.half_life_s:g} s for {best.name}, which the header names",
                remedy="check the option",
            ),
        )
    return HalfLife(
        half_life_s=seconds, nuclide=nuclide_name, source="--half-life", evidence=evidence, findings=findings
    )


def _off(seconds: float, nuclide: Nuclide) -> float:
    return abs(seconds / nuclide.half_life_s - 1)


def _nuclide_evidence(
    acquisition: PetAcquisition, item: Radiopharmaceutical
) -> list[tuple[str, str, Nuclide]]:
    """Return (where, words, nuclide) for each thing that names a nuclide."""
    named: list[tuple[str, str, Nuclide]] = []
    by_code = nuclide_by_code(item.nuclide_code.text)
    if by_code is not None:
        named.append(("code value", item.nuclide_code.text, by_code))
    texts = (
        ("code meaning", item.nuclide_meaning.text),
        ("radiopharmaceutical", item.name.text),
        ("radiopharmaceutical code", item.tracer_meaning.text),
        ("private nuclide name", acquisition.private.nuclide_name.text),
    )
    for where, words in texts:
        named.extend((where, words, nuclide) for nuclide in nuclides_in(words))
    return named


def _verdict(
    written: Written[float], seconds: float, named: list[tuple[str, str, Nuclide]]
) -> tuple[str, Finding | None]:
    remedy = "give --half-life"
    if not named:
        nearest = next((n.name for n in NUCLIDES if _off(seconds, n) <= 0.01), "")
        guess = f"; {seconds:g} s fits {nearest}" if nearest else ""
        return nearest, Finding(
            code="NUCLIDE_UNKNOWN",
            found=f"neither codes nor names say which nuclide{guess}",
            expected="RadionuclideCodeSequence (0054,0300)",
            remedy="check the half-life",
            tag="(0054,0300)",
        )
    listed = ", ".join(f"{where} '{words}' ({nuclide.name})" for where, words, nuclide in named)
    best = min((nuclide for _, _, nuclide in named), key=lambda n: _off(seconds, n))
    if _off(seconds, best) > 0.1:
        return best.name, written.finding(
            "HALF_LIFE_WRONG_NUCLIDE",
            found=f"{seconds:g} s",
            expected=f"{best.half_life_s:g} s for {best.name}, by {listed}",
            remedy=remedy,
        )
    if _off(seconds, best) > 0.01:
        return best.name, written.finding(
            "HALF_LIFE_OFF_TABLE",
            found=f"{seconds:g} s",
            expected=f"{best.half_life_s:g} s for {best.name}",
            remedy=remedy,
        )
    if any(_off(seconds, nuclide) > 0.01 for _, _, nuclide in named):
        return best.name, Finding(
            code="NUCLIDE_CODE_CONFLICT",
            found=f"the half-life {seconds:g} s says {best.name}, but not all agree: {listed}",
            expected="codes and names of one nuclide",
            remedy="check what was injected",
            tag="(0054,0300)",
        )
    return best.name, None


def identified_tracer(
    item: Radiopharmaceutical, half_life_: HalfLife, overrides: Overrides
) -> tuple[Tracer | None, tuple[Finding, ...]]:
    """Return the tracer that the header names (or that the user expects), or the refusal when they differ."""
    texts = (item.name.text, item.tracer_meaning.text, item.tracer_code.text)
    named = [tracer for text in texts if text for tracer in tracers_in(text)]
    expected = None if overrides.tracer is None else tracer_by_name(overrides.tracer)
    if expected is None:
        return (named[0] if named else None), ()
    nuclides = {nuclide for _, _, nuclide in half_life_.evidence}
    wrong_tracer = bool(named) and expected not in named
    wrong_nuclide = bool(nuclides) and expected.nuclide not in nuclides
    if wrong_tracer or wrong_nuclide:
        says = ", ".join(dict.fromkeys([t.name for t in named] + sorted(nuclides)))
        return named[0] if named else None, (
            Finding(
                code="TRACER_UNEXPECTED",
                found=f"the header says {says}",
                expected=f"{expected.name} by --tracer",
                remedy="check that this is the right study, or drop --tracer",
                tag="(0054,0016)",
            ),
        )
    return expected, ()
