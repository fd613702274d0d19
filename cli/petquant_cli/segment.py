"""``petquant segment``: regions made on one study, as NIfTI label map or DICOM SEG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petquant_cli.options import with_choices

if TYPE_CHECKING:
    from petquant.roi import Reading
    from petquant.study import Choices

__all__ = ["run"]

METHODS = ("fixed", "fraction", "adapted", "percist", "liver", "nestle", "schaefer", "otsu", "watershed")
METHOD = "Method"
SHAPES = "Shapes in mm LPS: the regions, or, with --method, where it searches"
PARTS = "Connected parts"


@with_choices
def run(
    study: Annotated[
        Path,
        typer.Argument(
            help="Folder, zip or file of the study, as messy as it is; or a NIfTI image with its side-car."
        ),
    ],
    *,
    choices: Choices,
    reading: Reading,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Label map .nii or .nii.gz, or DICOM SEG .dcm; the side-car .json goes beside.",
        ),
    ],
    method: Annotated[
        str | None,
        typer.Option(metavar="|".join(METHODS), help="Rule by which voxels belong.", rich_help_panel=METHOD),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="T of fixed: x >= T, in SUV.", rich_help_panel=METHOD)
    ] = None,
    fraction: Annotated[
        float | None,
        typer.Option(
            help="F of fraction, x >= F max (0.41), and of adapted, x >= F (max + background) (0.5).",
            rich_help_panel=METHOD,
        ),
    ] = None,
    n_sd: Annotated[
        float | None,
        typer.Option(help="K of liver: x >= liver mean + K SD (2 or 3).", rich_help_panel=METHOD),
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(help="BETA of nestle: x >= BETA I70 + background.", rich_help_panel=METHOD),
    ] = None,
    a: Annotated[
        float | None,
        typer.Option("--a", help="A of schaefer: x >= A I70 + B background.", rich_help_panel=METHOD),
    ] = None,
    b: Annotated[
        float | None,
        typer.Option("--b", help="B of schaefer.", rich_help_panel=METHOD),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="FILE[:LABEL]",
            help="Regions in which the method searches, each for itself; without --method, those taken.",
            rich_help_panel=METHOD,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help='Names of the labels of --within: JSON {"1": "name"} or CSV.', rich_help_panel=METHOD
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=FILE[:LABEL][,erode=MM]|NAME=sphere:...|NAME=cylinder:...|NAME=auto:...",
            help="Region that the method measures, as in petquant suv: liver or blood_pool for percist, "
            "liver for liver.",
            rich_help_panel=METHOD,
        ),
    ] = None,
    background_suv: Annotated[
        float | None,
        typer.Option(help="Background of adapted, nestle and schaefer as a number.", rich_help_panel=METHOD),
    ] = None,
    connected: Annotated[
        bool,
        typer.Option(
            "--connected", help="Keep the part that holds the maximum alone.", rich_help_panel=METHOD
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the region of a whole volume.", rich_help_panel=METHOD),
    ] = None,
    sphere: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]X,Y,Z,R", help="Centre and radius; repeatable.", rich_help_panel=SHAPES),
    ] = None,
    cylinder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]X,Y,Z,R,LENGTH[,AX,AY,AZ]",
            help="Centre, radius, length, and axis (along z by default); repeatable.",
            rich_help_panel=SHAPES,
        ),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]X0,Y0,Z0,X1,Y1,Z1",
            help="Lowest and highest corner; repeatable.",
            rich_help_panel=SHAPES,
        ),
    ] = None,
    components: Annotated[
        bool,
        typer.Option(
            "--components", help="Every connected part is a region, the largest first.", rich_help_panel=PARTS
        ),
    ] = False,
    min_volume_ml: Annotated[
        float, typer.Option(help="Leave out connected parts of less volume.", rich_help_panel=PARTS)
    ] = 0.0,
    connectivity: Annotated[
        int,
        typer.Option(
            metavar="6|18|26",
            help="Connected by faces, by edges too, or by corners too.",
            rich_help_panel=PARTS,
        ),
    ] = 26,
    occupancy: Annotated[
        bool,
        typer.Option(
            "--occupancy",
            help="Write fractions: a map of one region (for --roi-values occupancy), or a fractional SEG.",
        ),
    ] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Write a file without a region when nothing is found.")
    ] = False,
) -> None:
    """Make regions: thresholds, shapes, connected parts."""
    from dataclasses import replace

    from petquant.background import background_of
    from petquant.delineation import Delineation
    from petquant.dicom.archive import unpacked
    from petquant.export.regions import sidecar_of, write_segmentation
    from petquant.paths import existing, file_and_label
    from petquant.segment import Wanted, segment
    from petquant_cli.destination import apart, file_of, read_with
    from petquant_cli.messages import MESSAGES
    from petquant_cli.shapes import shapes_of

    beside = sidecar_of(out)
    file, label = (None, None) if within is None else file_and_label(within)
    named = None if background is None else background_of(background)
    for written in (out, beside):
        apart(written, [*read_with(study), file, labels, None if named is None else file_of(named)])
    given = {
        "--threshold": threshold,
        "--fraction": fraction,
        "--n-sd": n_sd,
        "--beta": beta,
        "--a": a,
        "--b": b,
    }
    _require_use(
        given | {"--connected": connected or None, "--name": name},
        needs="--method",
        is_there=method is not None,
    )
    _require_use({"--labels": labels}, needs="--within", is_there=within is not None)
    shapes = shapes_of({"sphere": sphere or (), "cylinder": cylinder or (), "box": box or ()})
    _require_use({"--name": name}, needs="the whole volume", is_there=within is None and not shapes)
    wanted = Wanted(
        shapes=tuple(shapes),
        within=None if file is None else str(file),
        within_label=label,
        labels=None if labels is None else str(existing(labels)),
        delineation=None
        if method is None
        else Delineation(
            method=method,
            threshold=threshold,
            fraction=fraction,
            n_sd=n_sd,
            beta=beta,
            a=a,
            b=b,
            is_connected=connected,
            connectivity=connectivity,
        ),
        background=named,
        background_value=background_suv,
        is_split=components,
        minimum_ml=min_volume_ml,
        connectivity=connectivity,
        name=name or "lesion",
    )
    choices = replace(choices, allow_empty=allow_empty, reading=reading)
    with unpacked(existing(study)) as folder:  # a SEG takes patient and study from the files
        found = segment(folder, wanted, choices=choices)
        path, sidecar, of_form = write_segmentation(found, out, keeps_fractions=occupancy)
    MESSAGES.caveats((*found.findings, *of_form))
    n = len(found.regions)
    MESSAGES.say(f"wrote {path} and {sidecar}: {n} region{'' if n == 1 else 's'}")


def _require_use(given: dict[str, object], *, needs: str, is_there: bool) -> None:
    """Raise when an option was given that means nothing without what it belongs to."""
    from petquant.errors import Finding, UsageError

    idle = [option for option, value in given.items() if value is not None and not is_there]
    if idle:
        findings = (
            Finding(code="OPTION_INVALID", found=option, expected=f"{needs} beside it") for option in idle
        )
        raise UsageError.because(*findings)
