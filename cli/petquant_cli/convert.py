"""``petquant convert``: the SUV volume as NIfTI with a JSON side-car."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petquant_cli.options import with_choices

if TYPE_CHECKING:
    from petquant.study import Choices

__all__ = ["run"]


@with_choices
def run(
    study: Annotated[
        Path, typer.Argument(help="Folder, zip or file of the study, or a NIfTI image with its side-car.")
    ],
    *,
    choices: Choices,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="NIfTI file, .nii or .nii.gz; the side-car goes beside.")
    ],
) -> None:
    """Write the SUV volume as NIfTI with side-car."""
    from petquant.convert import convert, sidecar_path_of
    from petquant.errors import UsageError
    from petquant.paths import existing
    from petquant_cli.destination import apart, read_with
    from petquant_cli.messages import MESSAGES

    if not out.name.endswith((".nii", ".nii.gz")):
        raise UsageError.of("OPTION_INVALID", f"--out {out}", expected="a name that ends in .nii or .nii.gz")
    if len(choices.suv_types) > 1:
        raise UsageError.of("OPTION_INVALID", "several --suv for one volume", expected="one --suv")
    for path in (out, sidecar_path_of(out)):
        apart(path, read_with(study))
    sidecar = convert(existing(study), out, choices)
    MESSAGES.say(f"wrote {out} and {sidecar}")
