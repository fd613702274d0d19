"""Frames: how the places of two scans are brought together, and what is refused when they cannot be."""

from __future__ import annotations

from petquant.compare.scan import OpenScan
from petquant.errors import Finding, Refused
from petquant.reads.local_registration import LocalRegistration, locally_registered
from petquant.reads.registration import (
    LEAST_DICE,
    MOST_INCONSISTENT_MM,
    Registration,
    identity,
    register,
)
from petquant.reads.scan import centroid_mm

__all__ = ["registered", "registered_around_lesions"]

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
    if _has_one_frame(a, b):
        frame = series[0].frame_of_reference_uid
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


def registered_around_lesions(
    a: OpenScan, b: OpenScan, registration: Registration | None
) -> tuple[dict[tuple[str, str], LocalRegistration], tuple[Finding, ...]]:
    """Return the motion around every lesion by ``a`` or ``b`` and its id, with what is to be said of them.

    None in one frame of reference, where places are compared as they stand.
    """
    if registration is None or _has_one_frame(a, b):
        return {}, ()
    found = {}
    for letter, scan in (("a", a), ("b", b)):
        for roi in scan.read.lesions:
            centre = centroid_mm(roi, scan.read.grid)
            found[letter, roi.roi_id] = locally_registered(
                a.ct(),
                b.ct(),
                registration=registration,
                centre_mm=centre if letter == "a" else registration.to_fixed(centre),
            )
    moved = [one.shift_mm or 0.0 for one in found.values() if one.is_accepted]
    said = []
    if moved:
        words = f"{len(moved)} of {len(found)} lesions, by {min(moved):.1f} to {max(moved):.1f} mm"
        said.append(Finding(code="REGISTRATION_REFINED", found=words))
    said += [
        Finding(code="REGISTRATION_LOCALLY_UNSURE", found=f"lesion {letter}{roi_id}: {one.words()}")
        for (letter, roi_id), one in found.items()
        if one.is_unsure
    ]
    return found, tuple(said)


def _has_one_frame(a: OpenScan, b: OpenScan) -> bool:
    frames = [one.quantification.study.source.frame_of_reference_uid for one in (a, b)]
    return bool(frames[0]) and frames[0] == frames[1]


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
