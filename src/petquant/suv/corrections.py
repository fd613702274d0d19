"""Corrections that the values must carry: attenuation, and decay to one known time.

Rules: suv.md section 4.
"""

from __future__ import annotations

from petquant.acquisition import PetAcquisition
from petquant.errors import Finding

__all__ = ["attenuation_findings", "decay_state"]


def attenuation_findings(acquisition: PetAcquisition, *, allow_nac: bool) -> tuple[Finding, ...]:
    """Return what there is to say about attenuation correction.

    A series without it is refused unless the user allows it; then every number says so.
    """
    quantities = ("*", "tbr")
    if acquisition.attenuation == "corrected":
        return ()
    if acquisition.attenuation == "assumed":
        return (
            acquisition.corrections.finding(
                "ATTENUATION_ASSUMED",
                found=acquisition.attenuation_words,
                expected=_expected_attenuation(acquisition),
                quantities=quantities,
            ),
        )
    code = "SERIES_NAC" if acquisition.attenuation == "absent" else "CORRECTED_IMAGE_MISSING"
    if allow_nac:
        code = "NAC_ALLOWED"
    return (
        Finding(
            code=code,
            found=acquisition.attenuation_words,
            expected="an attenuation-corrected series",
            remedy="" if allow_nac else "choose the corrected series, or give --allow-nac",
            keyword=acquisition.corrections.keyword,
            tag=acquisition.corrections.tag,
            quantities=quantities,
        ),
    )


def _expected_attenuation(acquisition: PetAcquisition) -> str:
    written = acquisition.corrections
    if written.tag:
        return f"ATTN in {written.keyword} {written.tag}"
    return f"{written.keyword} to say so"


def decay_state(acquisition: PetAcquisition) -> tuple[str | None, tuple[Finding, ...]]:
    """Return START, ADMIN or NONE, or None with the refusal.

    DECY in CorrectedImage must say the same. When CorrectedImage is absent there is nothing to contradict.
    """
    written = acquisition.decay_correction
    state = (written.value or "").strip().upper()
    terms = "YES or NO" if acquisition.is_enhanced else "START, ADMIN or NONE"
    remedy = "give --decay-correction START, ADMIN or NONE"
    if written.defect:
        expected = "one state of decay correction"
        return None, (written.finding(written.defect, expected=expected, remedy=remedy),)
    if state not in {"START", "ADMIN", "NONE"}:
        finding = written.finding("DECAY_CORRECTION_MISSING", expected=terms, remedy=remedy)
        return None, (finding,)
    corrections = acquisition.corrections.value
    if written.option or corrections is None or ("DECY" in corrections) == (state != "NONE"):
        return state, ()
    finding = written.finding(
        "DECAY_CORRECTION_CONTRADICTION",
        found=f"{state}, but CorrectedImage (0028,0051) is {acquisition.corrections.text}",
        expected="DECY exactly when decay-corrected",
        remedy=remedy,
    )
    return None, (finding,)
