"""``petquant nema``: image quality, recoveries and uniformity from a scan of a quality phantom."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petquant_cli.options import with_choices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from petquant.nema.filling import Filling
    from petquant.nema.image_quality import ImageQuality, Verdict
    from petquant.nema.uniformity import Uniformity
    from petquant.study import Choices, PetStudy

__all__ = ["run"]

FORMATS = ("table", "csv", "json")
FAILED = 1


@partial(with_choices, has_suv_types=False)
def run(
    study: Annotated[Path, typer.Argument(help="Folder, zip or file of the phantom's scan.")],
    *,
    choices: Choices,
    ratio: Annotated[
        float | None,
        typer.Option(
            help="Activity concentration of hot spheres over background, as filled; 9.7 by default."
        ),
    ] = None,
    background_suv: Annotated[
        float | None,
        typer.Option(help="True SUV of the background; by default what is measured there is taken as true."),
    ] = None,
    sphere_kbqml: Annotated[
        float | None, typer.Option(help="Activity concentration of hot spheres as filled; with the next two.")
    ] = None,
    background_kbqml: Annotated[
        float | None, typer.Option(help="That of the background at the same time.")
    ] = None,
    fill_time: Annotated[
        str | None, typer.Option(help="ISO date-time of both, on the scanner's clock.")
    ] = None,
    standard: Annotated[
        str | None,
        typer.Option(metavar="earl1|earl2", help="Limits that decide: exit 0 when all are met, 1 otherwise."),
    ] = None,
    uniform: Annotated[
        bool, typer.Option("--uniform", help="A uniform cylinder instead of the six spheres.")
    ] = False,
    true_suv: Annotated[
        float | None, typer.Option(help="With --uniform: SUV that should be measured; 1 by default.")
    ] = None,
    tolerance_percent: Annotated[
        float | None, typer.Option(help="With --uniform: bias that passes; exit 1 beyond it.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="On stdout; table on a terminal, else csv, by default.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to a .csv or .json file.")] = None,
) -> None:
    """Analyse a NEMA IEC phantom or a uniform cylinder."""
    from petquant.errors import UsageError
    from petquant.nema.image_quality import image_quality
    from petquant.nema.limits import STANDARDS
    from petquant.nema.uniformity import uniformity
    from petquant.paths import existing
    from petquant_cli.destination import apart, checked_format, read_with

    format_ = checked_format(format_, out, FORMATS)
    apart(out, read_with(study))
    if standard is not None and standard not in STANDARDS:
        raise UsageError.of("OPTION_INVALID", f"--standard {standard}", expected=" or ".join(STANDARDS))
    of_filling = {
        "--sphere-kbqml": sphere_kbqml,
        "--background-kbqml": background_kbqml,
        "--fill-time": fill_time,
    }
    said = {"--ratio": ratio, "--background-suv": background_suv}
    of_spheres = {**said, **of_filling, "--standard": standard}
    of_cylinder = {"--true-suv": true_suv, "--tolerance-percent": tolerance_percent}
    for option, value in (of_spheres if uniform else of_cylinder).items():
        if value is not None:
            analysis = "with --uniform" if uniform else "without --uniform"
            raise UsageError.of("OPTION_INVALID", f"{option} {analysis}", expected="the other analysis")
    path = existing(study)
    if uniform:
        found = uniformity(
            path, choices, true_suv=1.0 if true_suv is None else true_suv, tolerance_percent=tolerance_percent
        )
        _put_uniformity(found, format_, out)
        is_passed = found.is_passed
    else:
        quality = image_quality(
            path,
            choices,
            ratio=9.7 if ratio is None else ratio,
            background_suv=background_suv,
            filling=_filling(of_filling, said),
        )
        verdict = _verdict(quality, standard)
        _put_quality(quality, standard, format_, out)
        is_passed = verdict is None or verdict.is_passed
    if not is_passed:
        raise typer.Exit(FAILED)


def _filling(given: Mapping[str, float | str | None], said: Mapping[str, float | None]) -> Filling | None:
    """Return the filling of three options that belong together, None without them."""
    from datetime import datetime

    from petquant.errors import UsageError
    from petquant.nema.filling import Filling

    sphere, background, at = given.values()
    if sphere is None and background is None and at is None:
        return None
    if not isinstance(sphere, float) or not isinstance(background, float) or not isinstance(at, str):
        missing = ", ".join(option for option, value in given.items() if value is None)
        raise UsageError.of("OPTION_INVALID", f"a filling without {missing}", expected=", ".join(given))
    for option, value in said.items():
        if value is not None:
            raise UsageError.of("OPTION_INVALID", f"{option} beside a filling", expected="one of the two")
    try:
        filled_at = datetime.fromisoformat(at)
    except ValueError as error:
        raise UsageError.of("OPTION_INVALID", f"--fill-time {at}", expected="2025-01-31T09:30:00") from error
    if filled_at.tzinfo is not None:
        raise UsageError.of("OPTION_INVALID", f"--fill-time {at}", expected="a time without a zone")
    return Filling(sphere_kbqml=sphere, background_kbqml=background, at=filled_at)


def _verdict(quality: ImageQuality, standard: str | None) -> Verdict | None:
    """Return the verdict of the standard that was asked for."""
    from petquant.errors import Refused

    verdict = None if standard is None else quality.verdict(standard)
    if standard is not None and verdict is None:
        raise Refused.of(
            "NEMA_NOT_JUDGED", "a sphere is cold", expected="six hot spheres for the limits of EARL"
        )
    return verdict


def _put_quality(quality: ImageQuality, standard: str | None, format_: str, out: Path | None) -> None:
    from petquant.errors import Finding
    from petquant.nema.record import image_quality_record, image_quality_rows, verdict_words
    from petquant_cli.messages import MESSAGES

    _notes(quality.scan.study)
    if format_ == "table":
        from petquant_cli.phantom_screen import print_image_quality

        print_image_quality(quality, standard)
        return
    record = image_quality_record(quality, standard=standard)
    _put(record, image_quality_rows(quality, standard=standard), format_, out)
    for verdict in quality.verdicts:
        if verdict.standard.name == standard:
            MESSAGES.note(Finding(code="NEMA_VERDICT", found=verdict_words(verdict)))


def _put_uniformity(found: Uniformity, format_: str, out: Path | None) -> None:
    from petquant.nema.record import uniformity_record, uniformity_rows

    _notes(found.scan.study)
    if format_ == "table":
        from petquant_cli.phantom_screen import print_uniformity

        print_uniformity(found)
    else:
        _put(uniformity_record(found), uniformity_rows(found), format_, out)


def _notes(study: PetStudy) -> None:
    """Say the caveats of the numbers on stderr."""
    from petquant.flags import CODES, Severity
    from petquant_cli.messages import MESSAGES

    for finding in (*study.findings, *study.conversion.findings):
        if CODES[finding.code].severity is Severity.FLAG:
            MESSAGES.note(finding)


def _put(record: dict[str, Any], rows: list[dict[str, Any]], format_: str, out: Path | None) -> None:
    from petquant.export.record import as_json
    from petquant.export.table import as_csv
    from petquant_cli.destination import put

    put(as_json(record) if format_ == "json" else as_csv(rows), out, stdout=sys.stdout)
