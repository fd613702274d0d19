"""``petquant suv``: the numbers of the regions of one study."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petquant_cli.options import with_choices

if TYPE_CHECKING:
    from petquant.export.record import Privacy
    from petquant.quantification import Quantification
    from petquant.roi import Reading
    from petquant.study import Choices

__all__ = ["run"]

FORMATS = ("table", "csv", "tsv", "json")


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
    roi: Annotated[
        list[Path],
        typer.Option(
            help="Lesions: label map (NIfTI, NRRD), .seg.nrrd, DICOM SEG, RTSTRUCT, or a folder of them; "
            "repeatable."
        ),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            help='Names of the labels: JSON {"1": "name"}, CSV, or the side-car of petquant segment.'
        ),
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE[:LABEL][,erode=MM]|NAME=sphere:X,Y,Z,R|NAME=cylinder:X,Y,Z,R,LENGTH|"
            "NAME=auto:liver|blood_pool|marrow|muscle|contralateral",
            help="Reference region for ratios; repeatable. LABEL is a number, or names of TotalSegmentator "
            "classes joined by +; shapes are in mm LPS; auto finds the place or refuses.",
        ),
    ] = None,
    psf_fwhm_mm: Annotated[
        float | None,
        typer.Option(
            help="Width of the noise correlation (FWHM of the reconstruction): gives the standard error of "
            "the backgrounds."
        ),
    ] = None,
    split_components: Annotated[
        bool,
        typer.Option(
            "--split-components",
            help="Every part of a lesion that is connected on the PET (faces, edges, corners) is a lesion.",
        ),
    ] = False,
    more: Annotated[
        bool, typer.Option("--more", help="Measure the further quantities too: moments, mesh, diameters.")
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
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH.html",
            help="Write a page with pictures, table, quality lights and evidence as well: one file that asks "
            "for nothing.",
        ),
    ] = None,
    dicom_seg: Annotated[
        Path | None,
        typer.Option(help="Write the regions as DICOM SEG too, with the patient and study of the source."),
    ] = None,
    dicom_sr: Annotated[
        Path | None,
        typer.Option(help="Write the measurements as DICOM SR (TID 1500) too; refers to --dicom-seg."),
    ] = None,
    bids: Annotated[
        Path | None, typer.Option(help="Write table and regions as BIDS derivatives into a folder too.")
    ] = None,
    bids_subject: Annotated[
        str | None,
        typer.Option(help="Label of the subject; by default that of a BIDS image, else the study pseudonym."),
    ] = None,
    bids_session: Annotated[
        str | None, typer.Option(help="Label of the session; by default that of a BIDS image.")
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
    from contextlib import nullcontext
    from dataclasses import replace

    from petquant.background import background_of
    from petquant.dicom.archive import unpacked
    from petquant.export.record import Privacy
    from petquant.paths import existing
    from petquant.quantify import measure_study
    from petquant_cli.destination import apart, checked_format, file_of, has_names, read_with, secret
    from petquant_cli.messages import MESSAGES
    from petquant_cli.report_page import checked_report, write_report
    from petquant_cli.results import results_of

    format_ = checked_format(format_, out, FORMATS)
    named = [background_of(text) for text in background or ()]
    inputs = [*read_with(study), *roi, labels, manifest, pseudonym_key, *map(file_of, named)]
    apart(out, inputs)
    apart(checked_report(report), inputs, option="--report")
    privacy = Privacy(
        with_identifiers=with_identifiers,
        has_hashed_uids=hash_uids,
        has_roi_names=has_names(roi_names),
        key=None if pseudonym_key is None else secret(pseudonym_key),
    )
    results = results_of(
        seg=dicom_seg,
        sr=dicom_sr,
        bids=bids,
        subject=bids_subject,
        session=bids_session,
        out=out,
        privacy=privacy,
        inputs=inputs,
    )
    # SEG and SR take patient and study from the files, which of a zip are there only for a while
    with unpacked(existing(study)) if results.seg else nullcontext(existing(study)) as folder:
        measured = measure_study(
            folder,
            [existing(path) for path in roi],
            backgrounds=named,
            choices=replace(
                choices,
                allow_empty=allow_empty,
                has_further=more,
                reading=replace(reading, splits_components=split_components),
            ),
            labels=None if labels is None else existing(labels),
            manifest=None if manifest is None else existing(manifest),
            psf_fwhm_mm=psf_fwhm_mm,
            is_whole=report is not None,
            has_ct=report is not None,
            packed=study,
        )
        quantification = measured.quantification
        MESSAGES.caveats(quantification.findings)
        if report is not None:
            write_report(measured, privacy, report)
        results.write(quantification, measured.lesions, privacy)
    _put(quantification, privacy, format_, out)


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
