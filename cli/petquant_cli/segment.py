"""``petquant segment``: regions made on one study, as NIfTI label map or DICOM SEG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from petquant_cli.options import with_choices

if TYPE_CHECKING:
    from petquant.delineation import Shape
    from petquant.roi import Reading
    from petquant.study import Choices

__all__ = ["run"]

_Made = TypeVar("_Made")

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
            metavar="NAME=FILE[:LABEL]",
            help="Region that the method measures: liver or blood_pool for percist, liver for liver.",
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

    from petquant.delineation import Delineation
    from petquant.dicom.archive import unpacked
    from petquant.export.regions import sidecar_of, write_segmentation
    from petquant.segment import Wanted, segment
    from petquant_cli.destination import apart, background_of, existing, file_and_label, read_with
    from petquant_cli.messages import MESSAGES

    beside = sidecar_of(out)
    file, label = (None, None) if within is None else file_and_label(within)
    named = None if background is None else background_of(background)
    for written in (out, beside):
        apart(written, [*read_with(study), file, labels, None if named is None else Path(named.path)])
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
    shapes = _shapes(sphere or (), cylinder or (), box or ())
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


def _shapes(spheres: Sequence[str], cylinders: Sequence[str], boxes: Sequence[str]) -> list[Shape]:
    """Return the shapes that options describe, spheres first, then cylinders, then boxes."""
    from petquant.delineation import Box, Cylinder, Sphere

    made: list[Shape] = []
    made += _each(
        "--sphere",
        spheres,
        {4: lambda name, n: Sphere(name=name, centre_mm=(n[0], n[1], n[2]), radius_mm=n[3])},
        expected="[NAME=]X,Y,Z,R",
    )
    made += _each(
        "--cylinder",
        cylinders,
        {
            5: lambda name, n: Cylinder(
                name=name, centre_mm=(n[0], n[1], n[2]), radius_mm=n[3], length_mm=n[4]
            ),
            8: lambda name, n: Cylinder(
                name=name,
                centre_mm=(n[0], n[1], n[2]),
                radius_mm=n[3],
                length_mm=n[4],
                axis=(n[5], n[6], n[7]),
            ),
        },
        expected="[NAME=]X,Y,Z,R,LENGTH[,AX,AY,AZ]",
    )
    made += _each(
        "--box",
        boxes,
        {6: lambda name, n: Box(name=name, low_mm=(n[0], n[1], n[2]), high_mm=(n[3], n[4], n[5]))},
        expected="[NAME=]X0,Y0,Z0,X1,Y1,Z1",
    )
    return made


def _each(
    option: str,
    texts: Sequence[str],
    of_count: dict[int, Callable[[str, list[float]], _Made]],
    *,
    expected: str,
) -> list[_Made]:
    """Return what `of_count` makes of each name and its numbers, by how many numbers there are."""
    from petquant.errors import UsageError

    found = []
    for place, text in enumerate(texts, start=1):
        name, _, numbers = text.rpartition("=")
        try:
            values = [float(number) for number in numbers.split(",")]
        except ValueError:
            values = []
        if len(values) not in of_count:
            raise UsageError.of("OPTION_INVALID", f"{option} {text}", expected=f"{expected}, numbers in mm")
        found.append(of_count[len(values)](name or f"{option.removeprefix('--')} {place}", values))
    return found
