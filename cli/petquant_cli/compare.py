"""``petquant compare``: scans of two or more tracers, of a patient or a cohort, into tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petquant_cli.options import with_choices_for_all, workers_of

if TYPE_CHECKING:
    from petquant.compare import ScanInput, Settings
    from petquant.comparison import Comparison
    from petquant.reads.protocol import Protocol
    from petquant.roi import Reading
    from petquant.study import Choices

__all__ = ["run"]

FORMATS = ("table", "csv", "tsv", "json")
TWO = "Two studies"
SOME_REFUSED = 5


@with_choices_for_all
def run(
    scans: Annotated[
        list[Path],
        typer.Argument(
            metavar="STUDY_A STUDY_B | MANIFEST.csv", help="Two studies of a patient, or a cohort."
        ),
    ],
    *,
    choices: Choices,
    reading: Reading,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables; made when not there.")],
    positivity: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="When a lesion is positive: '>NAME' or '>FACTOR*NAME' (SUVmax above the mean of the "
            "background NAME, such as '>1.5*blood_pool'), the name of a shipped rule (see info), or drawn "
            "(on the scan that it was drawn on).",
        ),
    ] = "drawn",
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.toml",
            help="Hold every scan against a protocol: a shipped one (see info) or a file.",
        ),
    ] = None,
    roi_a: Annotated[
        list[Path] | None, typer.Option(help="Lesions of study A; repeatable.", rich_help_panel=TWO)
    ] = None,
    roi_b: Annotated[
        list[Path] | None, typer.Option(help="Lesions of study B; repeatable.", rich_help_panel=TWO)
    ] = None,
    background_a: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PLACE",
            help="Reference region of study A: a place as of --background of suv; repeatable.",
            rich_help_panel=TWO,
        ),
    ] = None,
    background_b: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PLACE",
            help="Reference region of study B: a place as of --background of suv; repeatable.",
            rich_help_panel=TWO,
        ),
    ] = None,
    exclude_a: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE[:LABEL]|SHAPE",
            help="Physiologic uptake of study A, which no forced read enters; repeatable.",
            rich_help_panel=TWO,
        ),
    ] = None,
    exclude_b: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE[:LABEL]|SHAPE",
            help="Physiologic uptake of study B, which no forced read enters; repeatable.",
            rich_help_panel=TWO,
        ),
    ] = None,
    labels_a: Annotated[
        Path | None,
        typer.Option(help="Names, regions and sides of the labels of study A.", rich_help_panel=TWO),
    ] = None,
    labels_b: Annotated[
        Path | None,
        typer.Option(help="Names, regions and sides of the labels of study B.", rich_help_panel=TWO),
    ] = None,
    series_a: Annotated[
        str | None, typer.Option(help="Series of study A, as --series of suv.", rich_help_panel=TWO)
    ] = None,
    series_b: Annotated[
        str | None, typer.Option(help="Series of study B, as --series of suv.", rich_help_panel=TWO)
    ] = None,
    psf_fwhm_mm_a: Annotated[
        float | None,
        typer.Option(
            help="Width of the noise correlation of study A (FWHM of the reconstruction): gives the noise in "
            "the uncertainties.",
            rich_help_panel=TWO,
        ),
    ] = None,
    psf_fwhm_mm_b: Annotated[
        float | None, typer.Option(help="The same of study B.", rich_help_panel=TWO)
    ] = None,
    reads: Annotated[
        Path | None,
        typer.Option(help="What a reader saw: CSV with lesion_id, tracer, visual ...", rich_help_panel=TWO),
    ] = None,
    tracers: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Tracers of the manifest to compare, a first; all by default."),
    ] = None,
    uncertainty: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=NUMBER,...",
            help="Standard uncertainties in place of the assumed ones: calibration, activity, residual and "
            "weight in percent, clock in minutes.",
        ),
    ] = None,
    repeatability: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROW",
            help="Row of the table of repeatability (see info) that changes are held against, in place of "
            "the default of its tracer; repeatable.",
        ),
    ] = None,
    match_ids: Annotated[
        bool,
        typer.Option(
            "--match-ids", help="Regions with the same id on two scans of a patient are one lesion."
        ),
    ] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Accept a scan without a region: no lesion.")
    ] = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="On stdout; table on a terminal, else the pairs as csv, by default.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Write a page with pictures, plots and everything behind them."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; as many as cores and patients by default.")
    ] = None,
    hash_uids: Annotated[bool, typer.Option("--hash-uids", help="Replace UIDs by hashes.")] = False,
    pseudonym_key: Annotated[
        Path | None, typer.Option(help="File with the secret of the pseudonyms; else one is kept in --out.")
    ] = None,
) -> int:
    """Compare two or more tracers: pairs, concordance, statistics."""
    from dataclasses import replace

    from petquant.compare import DRAWN, Settings, compare, compare_shown, read_cohort, rule_of
    from petquant.export.comparison_folder import FILES, write_comparison
    from petquant.export.pseudonym import KEY
    from petquant.export.pseudonym import pseudonym_key as key_of
    from petquant.paths import existing
    from petquant.reads.repeatability import chosen_repeatability
    from petquant.reads.uncertainty import inputs_of
    from petquant_cli.destination import apart, checked_format, secret
    from petquant_cli.messages import MESSAGES
    from petquant_cli.report_page import checked_report, comparison_page

    format_ = checked_format(format_, None, FORMATS)
    choices = replace(choices, allow_empty=allow_empty, reading=reading)
    of_two = {
        "--roi-a": roi_a,
        "--roi-b": roi_b,
        "--background-a": background_a,
        "--background-b": background_b,
        "--exclude-a": exclude_a,
        "--exclude-b": exclude_b,
        "--labels-a": labels_a,
        "--labels-b": labels_b,
        "--series-a": series_a,
        "--series-b": series_b,
        "--psf-fwhm-mm-a": psf_fwhm_mm_a,
        "--psf-fwhm-mm-b": psf_fwhm_mm_b,
        "--reads": reads,
    }
    _require_form(
        scans, [option for option, value in of_two.items() if value or isinstance(value, float)], tracers
    )
    if len(scans) == 1:
        asked = read_cohort(existing(scans[0]), choices=choices)
    else:
        asked = tuple(
            _scan(
                place,
                study,
                rois=rois,
                backgrounds=backgrounds,
                exclusions=exclusions,
                labels=labels,
                reads=reads,
                psf_fwhm_mm=psf_fwhm_mm,
                choices=replace(choices, series=series),
            )
            for place, study, rois, backgrounds, exclusions, labels, series, psf_fwhm_mm in (
                ("a", scans[0], roi_a, background_a, exclude_a, labels_a, series_a, psf_fwhm_mm_a),
                ("b", scans[1], roi_b, background_b, exclude_b, labels_b, series_b, psf_fwhm_mm_b),
            )
        )
    files = [name for name in FILES if pseudonym_key is None or name != KEY]
    apart(checked_report(report), [*scans, *_inputs(asked)], option="--report")
    _require_apart(out, files, [*scans, pseudonym_key, *_inputs(asked)])
    settings = Settings(
        rule=None if positivity.strip() == DRAWN else rule_of(positivity),
        protocol=None if protocol is None else _protocol(protocol),
        tracers=_tracers(tracers, asked),
        matches_ids=match_ids,
        ignores_patient_id=reading.ignore_patient_id,
        key=key_of(out) if pseudonym_key is None else secret(pseudonym_key),
        has_hashed_uids=hash_uids,
        uncertainty={} if uncertainty is None else inputs_of(uncertainty),
        repeatability=chosen_repeatability(repeatability or ()),
    )
    n, progress = workers_of(workers), None if len(scans) == 2 else _say_progress
    pages: dict[Path, bytes] = {}
    if report is None:
        found = compare(asked, settings, workers=n, progress=progress)
    else:
        found, shown = compare_shown(asked, settings, workers=n, progress=progress)
        pages[report] = comparison_page(found, shown, has_hashed_uids=hash_uids)
    _say(found)
    written = write_comparison(
        found,
        out,
        new_key=settings.key if pseudonym_key is None else None,
        has_hashed_uids=hash_uids,
        beside=pages,
    )
    _put(found, format_, settings)
    MESSAGES.say(f"wrote {len(written)} files to {out}")
    return SOME_REFUSED if found.refusals else 0


def _scan(
    place: str,
    study: Path,
    *,
    rois: list[Path] | None,
    backgrounds: list[str] | None,
    exclusions: list[str] | None,
    labels: Path | None,
    reads: Path | None,
    psf_fwhm_mm: float | None,
    choices: Choices,
) -> ScanInput:
    """Return one of two studies, for the time being called by its letter."""
    from petquant.background import background_of, region_of
    from petquant.compare import ScanInput
    from petquant.errors import UsageError
    from petquant.paths import existing

    if not rois and not choices.allow_empty:
        raise UsageError.of("OPTION_INVALID", f"no --roi-{place}", expected="the lesions of each study")
    return ScanInput(
        study=str(existing(study)),
        rois=tuple(str(existing(roi)) for roi in rois or ()),
        backgrounds=tuple(background_of(text) for text in backgrounds or ()),
        exclusions=tuple(region_of(text, name="exclude") for text in exclusions or ()),
        labels=None if labels is None else str(existing(labels)),
        tracer=place,
        reads=None if reads is None else str(existing(reads)),
        psf_fwhm_mm=psf_fwhm_mm,
        choices=choices,
    )


def _require_form(scans: list[Path], of_two: list[str], tracers: str | None) -> None:
    """Raise when neither two studies nor a manifest were given, or options belong to the other form."""
    from petquant.errors import UsageError

    if len(scans) > 2:
        raise UsageError.of("OPTION_INVALID", f"{len(scans)} studies", expected="two, or a manifest of all")
    if len(scans) == 1 and scans[0].suffix.lower() != ".csv":
        raise UsageError.of(
            "OPTION_INVALID", f"{scans[0]} alone", expected="two studies, or a manifest with the suffix .csv"
        )
    wrong = of_two if len(scans) == 1 else ["--tracers"] if tracers else []
    if wrong:
        expected = "two studies" if len(scans) == 1 else "a manifest"
        raise UsageError.of("OPTION_INVALID", ", ".join(wrong), expected=f"{expected} beside it")


def _protocol(text: str) -> Protocol:
    """Return the shipped protocol of that name, or that of a file."""
    from petquant.reads.protocol import protocol_at, protocol_of

    return protocol_at(text) if text.lower().endswith(".toml") else protocol_of(text)


def _tracers(text: str | None, asked: Iterable[ScanInput]) -> tuple[str, ...]:
    """Return the tracers to compare, as the manifest spells them.

    Raises
    ------
    UsageError
        OPTION_INVALID, for one that the manifest does not have, or fewer than two.
    """
    from petquant.errors import UsageError

    there = {scan.tracer.casefold(): scan.tracer for scan in asked}
    if text is None:
        return ()
    names = [part.strip() for part in text.split(",")]
    found = tuple(there[name.casefold()] for name in names if name.casefold() in there)
    if len(set(found)) < max(2, len(names)):
        raise UsageError.of(
            "OPTION_INVALID", f"--tracers {text}", expected=f"two or more of {', '.join(there.values())}"
        )
    return found


def _inputs(asked: Iterable[ScanInput]) -> list[Path]:
    """Return every file and folder that is read."""
    return [
        Path(path)
        for scan in asked
        for path in (
            scan.study,
            *scan.rois,
            *(one.path for one in (*scan.backgrounds, *scan.exclusions)),
            scan.labels,
            scan.reads,
        )
        if path is not None
    ]


def _require_apart(out: Path, files: Iterable[str], inputs: Iterable[Path | None]) -> None:
    """Hold the folder apart from what is read: it lies in no folder of that, and overwrites no file of it."""
    from petquant.errors import UsageError

    folder = out.resolve()
    targets = {folder / name for name in files}
    for path in inputs:
        if path is None:
            continue
        read = path.resolve()
        if read in targets or (read.is_dir() and read in {folder, *folder.parents}):
            raise UsageError.of(
                "OPTION_INVALID",
                f"--out {out} would write into what is read: {path}",
                expected="a folder of its own",
                remedy="choose another name",
            )


def _say_progress(done: int, total: int, patient: str) -> None:
    from petquant_cli.messages import MESSAGES

    MESSAGES.say(f"{done} of {total} patients: {patient}")


def _say(found: Comparison) -> None:
    """Say what was refused, and the caveats; of the scans of a cohort those stand in the record alone."""
    from dataclasses import replace

    from petquant.errors import Refused
    from petquant_cli.messages import MESSAGES

    for scan in found.scans:
        name = " ".join(part for part in (scan.patient, scan.session, scan.reader, scan.tracer) if part)
        if scan.refusals:
            words = [(one, f"{name}: {one.where or one.path}".rstrip(": ")) for one in scan.refusals]
            MESSAGES.error(Refused.because(*(replace(one, where=where) for one, where in words)))
        elif not found.is_patient_given:
            MESSAGES.caveats(scan.findings)
    for pairs in found.sessions:
        name = " ".join(part for part in (pairs.patient, pairs.session, *pairs.tracers) if part)
        if pairs.refusals:
            MESSAGES.error(Refused.because(*(replace(one, where=name) for one in pairs.refusals)))
        MESSAGES.caveats(replace(one, where=name) for one in pairs.findings)


def _put(found: Comparison, format_: str, settings: Settings) -> None:
    from petquant.export.comparison import comparison_record, withheld_uids
    from petquant.export.comparison_tables import comparison_tables
    from petquant.export.record import as_json
    from petquant.export.table import as_csv
    from petquant_cli.destination import put

    record = comparison_record(found, has_hashed_uids=settings.has_hashed_uids)
    if format_ == "table":
        from petquant_cli.screen_comparison import print_comparison

        print_comparison(found, record)
        return
    if format_ == "json":
        content = as_json(record)
    else:
        rows = comparison_tables(found)["pairs"]
        content = as_csv(
            withheld_uids(rows) if settings.has_hashed_uids else rows,
            delimiter="\t" if format_ == "tsv" else ",",
        )
    put(content, None, stdout=sys.stdout)
