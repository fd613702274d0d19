"""The record of a phantom analysis: the JSON that machines read, and the rows of its table."""

from __future__ import annotations

from typing import Any

from petquant.export.evidence import conversion_record
from petquant.export.record import NOTICE, codes_of, flag_codes, series_record
from petquant.export.withheld import Withheld
from petquant.nema.image_quality import ImageQuality, SphereQuality, Verdict
from petquant.nema.limits import Standard
from petquant.nema.scan import PhantomScan
from petquant.nema.uniformity import Uniformity
from petquant.version import __version__

__all__ = [
    "image_quality_record",
    "image_quality_rows",
    "uniformity_record",
    "uniformity_rows",
    "verdict_words",
]

SCHEMA_VERSION = 1


def verdict_words(verdict: Verdict) -> str:
    """Return a verdict as a sentence; limits without a verified source are said to be so."""
    within = sum(check.is_within for check in verdict.checks)
    outcome = "passes" if verdict.is_passed else "fails"
    trust = "" if verdict.standard.verified else "; these limits are NOT VERIFIED"
    return (
        f"{verdict.standard.title}: {outcome}, {within} of {len(verdict.checks)} recoveries within limits, "
        f"smallest margin {verdict.smallest_margin:+.3f} ({verdict.standard.source}{trust})"
    )


def image_quality_record(quality: ImageQuality, *, standard: str | None) -> dict[str, Any]:
    """Return everything about an image-quality analysis as plain values; `standard` is what decided."""
    return {
        **_head(quality.scan),
        "analysis": "image_quality",
        "ratio": quality.ratio,
        "ratio_found": quality.ratio_found,
        "true_background": quality.true_background,
        "is_background_given": quality.is_background_given,
        "background": quality.background,
        "lung_residual_percent": quality.lung_residual_percent,
        "background_slices": list(quality.discs.slices),
        "background_clearance_mm": quality.discs.clearance_mm,
        "spheres": image_quality_rows(quality, standard=None),
        "standard": standard,
        "verdicts": [_verdict_record(verdict) for verdict in quality.verdicts],
    }


def image_quality_rows(quality: ImageQuality, *, standard: str | None) -> list[dict[str, Any]]:
    """Return one row a sphere, with the limits of a standard beside its recoveries where one is named."""
    verdict = None if standard is None else quality.verdict(standard)
    return [
        _sphere_row(sphere, quality.scan) | ({} if verdict is None else _limits_row(sphere, verdict.standard))
        for sphere in quality.spheres
    ]


def _sphere_row(sphere: SphereQuality, scan: PhantomScan) -> dict[str, Any]:
    x, y, z = sphere.centre_lps_mm
    return {
        "diameter_mm": sphere.diameter_mm,
        "kind": "hot" if sphere.is_hot else "cold",
        "mean": sphere.mean,
        "background": sphere.background,
        "unit": scan.volume.unit.value,
        "contrast_percent": sphere.contrast_percent,
        "variability_percent": sphere.variability_percent,
        "rc_a50": sphere.rc_a50,
        "rc_max": sphere.rc_max,
        "rc_peak": sphere.rc_peak,
        "fwhm_mm": sphere.fwhm_mm,
        "centre_x_mm": x,
        "centre_y_mm": y,
        "centre_z_mm": z,
    }


def _limits_row(sphere: SphereQuality, standard: Standard) -> dict[str, Any]:
    a50, maximum = standard.a50[round(sphere.diameter_mm)], standard.maximum[round(sphere.diameter_mm)]
    return {
        "standard": standard.name,
        "is_standard_verified": standard.verified,
        "rc_a50_low": a50[0],
        "rc_a50_high": a50[1],
        "rc_max_low": maximum[0],
        "rc_max_high": maximum[1],
    }


def _verdict_record(verdict: Verdict) -> dict[str, Any]:
    return {
        "standard": verdict.standard.name,
        "title": verdict.standard.title,
        "source": verdict.standard.source,
        "is_verified": verdict.standard.verified,
        "is_passed": verdict.is_passed,
        "smallest_margin": verdict.smallest_margin,
        "checks": [
            {
                "diameter_mm": check.diameter_mm,
                "quantity": check.quantity,
                "value": check.value,
                "low": check.limits[0],
                "high": check.limits[1],
                "is_within": check.is_within,
            }
            for check in verdict.checks
        ],
    }


def uniformity_record(found: Uniformity) -> dict[str, Any]:
    """Return everything about a uniformity analysis as plain values."""
    return {
        **_head(found.scan),
        "analysis": "uniformity",
        "true_suv": found.true_suv,
        "suv_mean": found.mean,
        "suv_sd": found.sd,
        "bias_percent": found.bias_percent,
        "cov_percent": found.cov_percent,
        "largest_slice_deviation_percent": found.largest_slice_deviation_percent,
        "n_voxels": found.n_voxels,
        "volume_ml": found.volume_ml,
        "tolerance_percent": found.tolerance_percent,
        "is_passed": None if found.tolerance_percent is None else found.is_passed,
        "slices": uniformity_rows(found),
    }


def uniformity_rows(found: Uniformity) -> list[dict[str, Any]]:
    """Return one row a slice."""
    return [
        {"z_mm": one.z_mm, "suv_mean": one.mean, "suv_sd": one.sd, "n_voxels": one.n_voxels}
        for one in found.slices
    ]


def _head(scan: PhantomScan) -> dict[str, Any]:
    findings = (*scan.study.findings, *scan.study.conversion.findings)
    source = scan.study.source
    withheld = Withheld.of(source)
    return {
        "schema_version": SCHEMA_VERSION,
        "petquant_version": __version__,
        "notice": NOTICE,
        "series": series_record(scan.study, source),
        "unit": scan.volume.unit.value,
        "is_suv": scan.is_suv,
        "conversion": conversion_record(scan.study.conversion, "bw") if scan.is_suv else None,
        "flags": flag_codes(findings),
        "codes": codes_of(findings, withheld),
    }
