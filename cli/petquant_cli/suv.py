"""``petquant suv``: the numbers of the regions of one study."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from petquant_cli.options import with_choices

if TYPE_CHECKING:
    from petquant.export.record import Privacy
    from petquant.quantification import Quantification
    from petquant.quantify import Background
    from petquant.study import Choices

__all__ = ["run"]

_Choice = TypeVar("_Choice", bound=StrEnum)

FORMATS = ("table", "csv", "tsv", "json")


@with_choices
def run(
    study: Annotated[
        Path,
        typer.Argument(
            help="Folder or file of the study, as messy as it is; or a NIfTI image with its side-car."
        ),
    ],
    *,
    choices: Choices,
    roi: Annotated[
        list[Path],
        typer.Option(
            help="Lesions: label map (NIfTI, NRRD), .seg.nrrd, DICOM SEG, RTSTRUCT, or a folder of them."
        ),
    ],
    labels: Annotated[
        Path | None, typer.Option(help='Names of the labels: JSON {"1": "name"} or CSV.')
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE[:LABEL]", help="Reference region for ratios; repeatable."),
    ] = None,
    roi_values: Annotated[
        str | None,
        typer.Option(
            metavar="occupancy|probability", help="What values between 0 and 1 in a label map mean."
        ),
    ] = None,
    probability_threshold: Annotated[
        float, typer.Option(help="From which probability on a voxel is inside.")
    ] = 0.5,
    roi_frame: Annotated[int | None, typer.Option(help="Frame of a 4-D label map, from 1.")] = None,
    other_grid: Annotated[
        str,
        typer.Option(
            metavar="exact|nearest",
            help="Regions drawn on another grid: by exact overlap, or, to compare, by nearest voxel.",
        ),
    ] = "exact",
    edge: Annotated[
        str | None,
        typer.Option(
            metavar="centre|area",
            help="Contours: voxels whose centre is inside, or the area that is; by default as fits.",
        ),
    ] = None,
    fill_gaps: Annotated[
        bool, typer.Option("--fill-gaps", help="Contours: fill slices left out between two that have some.")
    ] = False,
    ignore_frame_of_reference: Annotated[
        bool,
        typer.Option(
            "--ignore-frame-of-reference", help="Take a SEG or RTSTRUCT drawn in another frame of reference."
        ),
    ] = False,
    ignore_patient_id: Annotated[
        bool, typer.Option("--ignore-patient-id", help="Take a SEG or RTSTRUCT of another PatientID.")
    ] = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="On stdout; table on a terminal, else csv, by default.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to a file; its suffix .csv, .tsv or .json decides.")
    ] = None,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Accept a file without a region: no lesion.")
    ] = False,
    manifest: Annotated[Path | None, typer.Option(help="Hold the study to a file of petquant lock.")] = None,
    with_identifiers: Annotated[
        bool, typer.Option("--with-identifiers", help="Write name, id and dates of the patient.")
    ] = False,
    hash_uids: Annotated[bool, typer.Option("--hash-uids", help="Replace UIDs by hashes.")] = False,
    roi_names: Annotated[
        str, typer.Option(metavar="given|index", help="Region names as given, or their number.")
    ] = "given",
    pseudonym_key: Annotated[
        Path | None, typer.Option(help="File with the secret of the study pseudonym.")
    ] = None,
) -> None:
    """Measure regions: SUV, peak, MTV, TLG, ratios."""
    from dataclasses import replace

    from petquant.export.record import Privacy
    from petquant.quantify import quantify
    from petquant.roi import OtherGrid, Reading, VoxelValues
    from petquant_cli.destination import apart, checked_format, existing, read_with, secret

    format_ = checked_format(format_, out, FORMATS)
    named = [_background(text) for text in background or ()]
    apart(out, [*read_with(study), *roi, labels, manifest, pseudonym_key, *(Path(one.path) for one in named)])
    privacy = Privacy(
        with_identifiers=with_identifiers,
        has_hashed_uids=hash_uids,
        has_roi_names=_has_names(roi_names),
        key=None if pseudonym_key is None else secret(pseudonym_key),
    )
    reading = Reading(
        values=None if roi_values is None else _choice("--roi-values", roi_values, VoxelValues),
        probability_threshold=_fraction(probability_threshold),
        frame=roi_frame,
        other_grid=_choice("--other-grid", other_grid, OtherGrid),
        edge=_edge(edge),
        fills_gaps=fill_gaps,
        ignore_frame_of_reference=ignore_frame_of_reference,
        ignore_patient_id=ignore_patient_id,
    )
    quantification = quantify(
        existing(study),
        [existing(path) for path in roi],
        backgrounds=named,
        choices=replace(choices, allow_empty=allow_empty, reading=reading),
        labels=None if labels is None else existing(labels),
        manifest=None if manifest is None else existing(manifest),
    )
    _say(quantification)
    _put(quantification, privacy, format_, out)


def _has_names(roi_names: str) -> bool:
    from petquant.errors import UsageError

    if roi_names not in {"given", "index"}:
        raise UsageError.of("OPTION_INVALID", f"--roi-names {roi_names}", expected="given or index")
    return roi_names == "given"


def _choice(option: str, text: str, of: type[_Choice]) -> _Choice:
    """Return the member of an enumeration that an option names."""
    from petquant.errors import UsageError

    if text not in [str(one) for one in of]:
        raise UsageError.of(
            "OPTION_INVALID", f"{option} {text}", expected=" or ".join(str(one) for one in of)
        )
    return of(text)


def _edge(text: str | None) -> Literal["centre", "area"] | None:
    from petquant.errors import UsageError

    rules: dict[str | None, Literal["centre", "area"] | None]
    rules = {None: None, "centre": "centre", "area": "area"}
    if text not in rules:
        raise UsageError.of("OPTION_INVALID", f"--edge {text}", expected="centre or area")
    return rules[text]


def _fraction(threshold: float) -> float:
    from petquant.errors import UsageError

    if not 0 < threshold <= 1:
        raise UsageError.of(
            "OPTION_INVALID", f"--probability-threshold {threshold:g}", expected="more than 0, at most 1"
        )
    return threshold


def _background(text: str) -> Background:
    """Return the background of ``NAME=FILE[:LABEL]``."""
    from petquant.errors import UsageError
    from petquant.quantify import Background
    from petquant_cli.destination import existing

    name, equals, place = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise UsageError.of(
            "OPTION_INVALID",
            f"--background {text}",
            expected="NAME=FILE[:LABEL], the name of letters, digits and _",
        )
    file, colon, label = place.rpartition(":")
    if colon and label and not Path(place).exists() and Path(file).exists():
        return Background(name=name, path=file, label=label)
    return Background(name=name, path=str(existing(Path(place))))


def _say(quantification: Quantification) -> None:
    """Say the caveats that every number of the study carries."""
    from petquant.flags import CODES, Severity
    from petquant_cli.messages import MESSAGES

    for finding in dict.fromkeys(quantification.findings):
        if CODES[finding.code].severity is Severity.FLAG:
            MESSAGES.note(finding)


def _put(quantification: Quantification, privacy: Privacy, format_: str, out: Path | None) -> None:
    from petquant.export.record import as_json, record_of, rows_of
    from petquant.export.table import as_csv
    from petquant_cli.destination import put

    if format_ == "table":
        from petquant_cli.screen import print_quantification

        print_quantification(quantification, privacy)
        return
    content: Any
    if format_ == "json":
        content = as_json(record_of(quantification, privacy))
    else:
        content = as_csv(rows_of(quantification, privacy), delimiter="\t" if format_ == "tsv" else ",")
    put(content, out, stdout=sys.stdout)
