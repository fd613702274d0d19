"""``petquant demo``: the main job on a built-in phantom patient who was scanned with two tracers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from petquant_phantoms.study import Study

    from petquant.quantification import Quantification

__all__ = ["run"]

BACKGROUNDS = ("liver", "blood_pool")  # of the five that the phantom has: as many as a terminal has room for
SCANS = {"fdg": "torso_fdg", "pentixafor": "torso_pentixafor"}


def run(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the phantom and its results.")] = Path(
        "petquant_demo"
    ),
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Measure a built-in two-tracer phantom patient."""
    from petquant_phantoms import catalogue

    from petquant.export.record import Privacy, as_json, record_of
    from petquant.output import write_whole
    from petquant.quantify import Background, measure_study
    from petquant_cli.messages import MESSAGES
    from petquant_cli.report_page import write_report
    from petquant_cli.screen import print_quantification

    written = []
    for name, definition in SCANS.items():
        MESSAGES.say(f"building {definition}: real DICOM whose truth is known")
        phantom = catalogue.build(definition, out / name)
        if phantom.lesions is None:
            raise LookupError(f"{definition} has no lesions")
        measured = measure_study(
            phantom.dicom,
            [phantom.lesions],
            labels=phantom.labels,
            backgrounds=[
                Background(name=background, path=str(phantom.backgrounds[background]))
                for background in BACKGROUNDS
            ],
            has_ct=True,
        )
        quantification = measured.quantification
        print_quantification(quantification, Privacy())
        typer.echo(f"{_against_truth(quantification, phantom)}\n")
        results, report = out / f"{name}.json", out / f"{name}.html"
        write_whole(results, as_json(record_of(quantification, Privacy())))
        write_report(measured, Privacy(), report)
        written.append((phantom, results, report))
    typer.echo("Files written:")
    for phantom, results, report in written:
        typer.echo(f"  study {phantom.dicom}, regions {phantom.lesions}, results {results}, report {report}")
    first = written[0][0]
    typer.echo(f"Next: petquant check {first.dicom}")
    typer.echo(f"      petquant suv {first.dicom} --roi {first.lesions} --labels {first.labels}")


def _against_truth(quantification: Quantification, phantom: Study) -> str:
    """Return how many numbers lie within the quantisation bound of the phantom's truth."""
    pairs = [
        (row.values[column], truth)
        for row in quantification.measurements
        for column, truth in phantom.expected(row.roi_name).items()
        if row.values.get(column) is not None
    ]
    within = sum(abs((value or 0.0) - truth["value"]) <= truth["abs_tol"] for value, truth in pairs)
    return (
        f"Against the phantom's known truth: {within} of {len(pairs)} values within the quantisation bound."
    )
