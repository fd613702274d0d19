"""Phantom analyses as tables for people."""

from __future__ import annotations

from petquant.nema.image_quality import ImageQuality, Verdict
from petquant.nema.record import verdict_words
from petquant.nema.uniformity import Uniformity
from petquant_cli.screen import console_of_width, number_words, plain_table, print_table

__all__ = ["print_image_quality", "print_uniformity"]

FAR = 0.05  # between the ratio that was said and the one found: more than the walls of the spheres take


def print_image_quality(quality: ImageQuality, standard: str | None) -> None:
    """Print one row a sphere, the background, and the verdicts; the limits of `standard` beside them."""
    console = console_of_width()
    verdict = None if standard is None else quality.verdict(standard)
    unit = quality.scan.volume.unit.value
    heads = [
        "sphere mm",
        "kind",
        f"mean {unit}",
        "contrast %",
        "N %",
        "RC A50",
        "RC max",
        "RC peak",
        "FWHM mm",
    ]
    table = plain_table(
        f"NEMA IEC phantom, spheres {quality.ratio:g} : 1",
        [(name, name != "kind") for name in heads] + ([("limits", False)] if verdict else []),
    )
    for sphere in quality.spheres:
        table.add_row(
            f"{sphere.diameter_mm:g}",
            "hot" if sphere.is_hot else "cold",
            number_words(sphere.mean),
            f"{sphere.contrast_percent:.1f}",
            f"{sphere.variability_percent:.1f}",
            *(
                "" if value is None else f"{value:.3f}"
                for value in (sphere.rc_a50, sphere.rc_max, sphere.rc_peak)
            ),
            f"{sphere.fwhm_mm:.1f}",
            *([_limit_words(verdict, round(sphere.diameter_mm))] if verdict else []),
        )
    print_table(console, table)
    true = f"{quality.true_background:g} {unit}" if quality.is_background_given else "this background"
    console.print(
        f"Background: {number_words(quality.background)} {unit} in 60 discs of 37 mm, "
        f"{quality.discs.clearance_mm:.0f} mm from the spheres; recoveries are over {quality.ratio:g} x "
        f"{true}."
    )
    if quality.ratio_found is not None:
        far = abs(quality.ratio_found / quality.ratio - 1.0) > FAR
        doubt = f"; {quality.ratio:g} : 1 was said: check the filling" if far else ""
        console.print(f"Activity found round the hot spheres: {quality.ratio_found:.2f} : 1{doubt}.")
    if quality.lung_residual_percent is not None:
        console.print(f"Lung residual: {quality.lung_residual_percent:.1f} %")
    for one in quality.verdicts:
        if verdict is None or one is verdict:
            console.print(verdict_words(one), soft_wrap=True)
    if not quality.verdicts:
        console.print("EARL limits are not applied: not all spheres are hot.")
    if not quality.scan.is_suv:
        codes = ", ".join(dict.fromkeys(finding.code for finding in quality.scan.why_not))
        console.print(f"SUV is unavailable ({codes}); contrasts and recoveries are ratios and hold.")
    console.print("For research use only.", style="dim")


def _limit_words(verdict: Verdict, diameter_mm: int) -> str:
    names = {"rc_a50": "A50", "rc_max": "max"}
    return ", ".join(
        f"{names[check.quantity]} {check.limits[0]:.2f}-{check.limits[1]:.2f} "
        f"{'ok' if check.is_within else 'OUT'}"
        for check in verdict.checks
        if check.diameter_mm == diameter_mm
    )


def print_uniformity(found: Uniformity) -> None:
    """Print mean and scatter of the cylinder, and one row a slice."""
    console = console_of_width()
    table = plain_table("Slices", [("z mm", True), ("SUV mean", True), ("deviation %", True), ("SD", True)])
    for one in found.slices:
        table.add_row(
            f"{one.z_mm:.1f}",
            f"{one.mean:.4f}",
            f"{100.0 * (one.mean / found.mean - 1.0):+.2f}",
            f"{one.sd:.4f}",
        )
    print_table(console, table)
    console.print(
        f"Mean SUV {found.mean:.4f} against {found.true_suv:g}: bias {found.bias_percent:+.2f} %, "
        f"coefficient of variation {found.cov_percent:.2f} %, largest deviation of a slice "
        f"{found.largest_slice_deviation_percent:+.2f} %, in {found.volume_ml:.0f} mL 20 mm inside."
    )
    if found.tolerance_percent is not None:
        outcome = "passes" if found.is_passed else "fails"
        console.print(f"Bias {outcome} the tolerance of {found.tolerance_percent:g} %.")
    console.print("For research use only.", style="dim")
