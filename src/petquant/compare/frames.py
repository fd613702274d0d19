"""Frames: how the places of two scans are brought together, and what is refused when they cannot be."""

from __future__ import annotations

from petquant.compare.scan import OpenScan
from petquant.errors import Finding, Refused
from petquant.reads.registration import (
    LEAST_DICE,
    MOST_INCONSISTENT_MM,
    Registration,
    identity,
    register,
)

__all__ = ["registered"]

WAY_OUT = "--match-ids, or a table of reads that gives one lesion_id to the same lesion"


def registered(
    a: OpenScan, b: OpenScan, *, has_ids: bool, known: dict[tuple[str, str], Registration]
) -> tuple[Registration | None, tuple[Finding, ...]]:
    """Return the motion from the frame of a to that of b, with what is to be said of it.

    Parameters
    ----------
    has_ids
        Whether lesions can be matched without places; then a motion that cannot be found is a flag.
    known
        Registrations by the UIDs of both series; a new one is added.

    Raises
    ------
    Refused
        REGISTRATION_IMPOSSIBLE, REGISTRATION_FAILED.
    """
    series = (a.quantification.study.source, b.quantification.study.source)
    frame = series[0].frame_of_reference_uid
    if frame and frame == series[1].frame_of_reference_uid:
        shared = Finding(code="FRAME_OF_REFERENCE_SHARED", found=f"frame of reference {frame}")
        return identity("none: one frame of reference"), (shared,)
    key = (series[0].uid, series[1].uid)
    try:
        if key not in known:
            known[key] = _by_ct(a, b)
        return _plausible(known[key]), ()
    except Refused as refusal:
        if not has_ids:
            raise
        return None, tuple(
            Finding(code="REGISTRATION_MISSING", found=finding.found, path=finding.path)
            for finding in refusal.findings
        )


def _by_ct(a: OpenScan, b: OpenScan) -> Registration:
    volumes, missing = [], []
    for letter, scan in (("a", a), ("b", b)):
        try:
            volumes.append(scan.ct())
        except Refused as refusal:
            missing += [
                Finding(
                    code="REGISTRATION_IMPOSSIBLE",
                    found=f"scan {letter}: {one.found}",
                    expected="one frame of reference, or a CT of each scan",
                    remedy=WAY_OUT,
                    path=one.path,
                )
                for one in refusal.findings
            ]
    if missing:
        raise Refused.because(*missing)
    try:
        return register(volumes[0], volumes[1])
    except ValueError as error:
        raise Refused.of(
            "REGISTRATION_FAILED", str(error), expected="a CT of the patient", remedy=WAY_OUT
        ) from error


def _plausible(found: Registration) -> Registration:
    if found.is_plausible:
        return found
    raise Refused.of(
        "REGISTRATION_FAILED",
        f"the bodies overlap by {found.body_dice:.2f} (Dice), and a point misses its way back by "
        f"{found.inverse_consistency_mm:.1f} mm",
        expected=f"at least {LEAST_DICE:g}, and at most {MOST_INCONSISTENT_MM:g} mm",
        remedy=WAY_OUT,
    )
