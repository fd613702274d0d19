"""``petquant batch``: the regions of many studies, each measured alone, with an account of every one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petquant_cli.options import with_choices_for_all, workers_of

if TYPE_CHECKING:
    from petquant.batch import StudyTask
    from petquant.roi import Reading
    from petquant.study import Choices

__all__ = ["inputs_of", "run"]

RUNNING = "How it runs"
PRIVACY = "What outputs say"


@with_choices_for_all
def run(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of studies, manifest (CSV), table of pyradiomics, or BIDS dataset."),
    ],
    *,
    choices: Choices,
    reading: Reading,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder of the results; a call on it goes on where one stopped."),
    ],
    roi: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Where the lesions of a study lie, such as '{study}/rois/*.nii.gz', or dicom:seg, "
            "dicom:rtstruct; repeatable.",
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Names of the labels, of all studies or of each.")
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=...",
            help="Reference region for ratios, as for petquant suv, with {study} where it is of each; "
            "repeatable.",
        ),
    ] = None,
    psf_fwhm_mm: Annotated[
        float | None, typer.Option(help="Width of the noise correlation, as for petquant suv.")
    ] = None,
    split_components: Annotated[
        bool, typer.Option("--split-components", help="Every connected part of a lesion is a lesion.")
    ] = False,
    more: Annotated[bool, typer.Option("--more", help="Measure the further quantities too.")] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Accept a file without a region: no lesion.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Studies measured side by side; as many as cores by default.", rich_help_panel=RUNNING
        ),
    ] = None,
    timeout_s: Annotated[
        float, typer.Option(help="What a study may take, in seconds.", rich_help_panel=RUNNING)
    ] = 1800.0,
    memory_gb: Annotated[
        float, typer.Option(help="What a study may hold in memory, in GB.", rich_help_panel=RUNNING)
    ] = 4.0,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Measure again what failed, crashed or timed out.",
            rich_help_panel=RUNNING,
        ),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="tcp://HOST:PORT",
            help="Dask scheduler whose workers measure (extra dask).",
            rich_help_panel=RUNNING,
        ),
    ] = None,
    scheduler_file: Annotated[
        Path | None, typer.Option(help="The file that a Dask scheduler wrote.", rich_help_panel=RUNNING)
    ] = None,
    reports: Annotated[
        bool, typer.Option("--reports", help="Write a page for every study, OUT/studies/NAME.html.")
    ] = False,
    with_identifiers: Annotated[
        bool,
        typer.Option(
            "--with-identifiers", help="Write name, id and dates of the patient.", rich_help_panel=PRIVACY
        ),
    ] = False,
    hash_uids: Annotated[
        bool, typer.Option("--hash-uids", help="Replace UIDs by hashes.", rich_help_panel=PRIVACY)
    ] = False,
    roi_names: Annotated[
        str,
        typer.Option(
            metavar="given|index", help="Region names as given, or their number.", rich_help_panel=PRIVACY
        ),
    ] = "given",
    pseudonym_key: Annotated[
        Path | None,
        typer.Option(
            help="File with the secret of the pseudonyms; else one is kept in --out.", rich_help_panel=PRIVACY
        ),
    ] = None,
) -> int:
    """Measure many studies, each alone; resumable, none unaccounted."""
    from dataclasses import replace

    from petquant import batch
    from petquant.batch.collected import opened
    from petquant.batch.sources import tasks_of
    from petquant.export.record import Privacy
    from petquant.paths import existing
    from petquant_cli.batch_screen import Screen
    from petquant_cli.destination import apart_folder, has_names, secret

    settings = batch.Settings(
        workers=workers_of(workers),
        timeout_s=timeout_s,
        memory_gb=memory_gb,
        retries_failed=retry_failed,
        has_reports=reports,
        scheduler=scheduler,
        scheduler_file=None if scheduler_file is None else str(existing(scheduler_file)),
        privacy=Privacy(
            with_identifiers=with_identifiers,
            has_hashed_uids=hash_uids,
            has_roi_names=has_names(roi_names),
            key=None if pseudonym_key is None else secret(pseudonym_key),
        ),
    )
    tasks = tasks_of(
        existing(source),
        roi_patterns=roi or (),
        backgrounds=background or (),
        choices=replace(
            choices,
            allow_empty=allow_empty,
            has_further=more,
            reading=replace(reading, splits_components=split_components),
        ),
        labels=labels,
        psf_fwhm_mm=psf_fwhm_mm,
    )
    apart_folder(out, inputs_of(tasks))
    with Screen(out, total=len(tasks)) as screen:
        summary = batch.run(tasks, out, settings=settings, listener=screen.show)
    screen.account(summary)
    with opened(out) as collected:
        screen.odd(collected.cohort())
    return summary.exit_code


def inputs_of(tasks: Iterable[StudyTask]) -> list[Path]:
    """Return every file and folder that is read."""
    return [
        Path(path)
        for task in tasks
        for path in (task.study, *task.rois, *(one.path for one in task.backgrounds), task.labels)
        if path is not None
    ]
