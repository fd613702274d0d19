"""``petquant fetch``: studies from a PACS, by DICOMweb or by C-GET, to a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petquant_cli.options import require_messages

if TYPE_CHECKING:
    from petquant.dicom.network.archive import Archive
    from petquant.dicom.network.fetch import Fetched
    from petquant.dicom.network.listing import FoundStudy
    from petquant.dicom.network.query import Query
    from petquant.dicom.network.source import Source

__all__ = ["run"]

FORMATS = ("table", "csv", "json")
STUDY_COLUMNS = ("study_uid", "study_date", "modalities", "n_series", "n_instances")
IDENTIFIERS = ("patient_id", "patient_name", "accession_number", "study_description")
SERIES_COLUMNS = ("study_uid", "series_uid", "modality", "n_listed", "n_present", "n_fetched", "n_missing")


def run(
    source: Annotated[
        str, typer.Argument(help="https://host/dicom-web, or dicom://AET@host:port for C-FIND and C-GET.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to fetch into; made when it is not there.")
    ] = None,
    *,
    study_uid: Annotated[
        list[str] | None, typer.Option("--study", help="Study Instance UID; several are given one by one.")
    ] = None,
    patient_id: Annotated[str, typer.Option(help="Studies of this PatientID; * and ? as usual.")] = "",
    accession: Annotated[str, typer.Option(help="Studies of this AccessionNumber.")] = "",
    date: Annotated[
        str, typer.Option(help="Studies of a day, 20240131, or of days, 20240101-20241231.")
    ] = "",
    modality: Annotated[
        list[str] | None,
        typer.Option(help="Series of these modalities alone; PT, CT, SEG and RTSTRUCT by default."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the studies that fit; fetch nothing.")] = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="table|csv|json", help="On stdout; a table on a terminal, else CSV."
        ),
    ] = None,
    with_identifiers: Annotated[
        bool,
        typer.Option("--with-identifiers", help="With --list: also patient, accession number, description."),
    ] = False,
    aet: Annotated[str, typer.Option(help="Our own application entity title, for dicom://.")] = "PETQUANT",
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with a bearer token. Without: PETQUANT_PACS_TOKEN, or PETQUANT_PACS_USER and "
            "PETQUANT_PACS_PASSWORD, of the environment."
        ),
    ] = None,
    netrc: Annotated[Path | None, typer.Option(help="netrc file with user and password of the host.")] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificates to trust, in PEM, in place of the usual ones.")
    ] = None,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="Accept http:// to another machine: nothing is encrypted.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that the archive may be silent.")] = 60.0,
    messages: Annotated[
        str, typer.Option(help="Words on stderr as text or json.", metavar="text|json")
    ] = "text",
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Fetch studies from a PACS into a folder."""
    from petquant.dicom.network.archive import opened
    from petquant.dicom.network.query import Query
    from petquant.dicom.network.source import checked_aet, source_of
    from petquant.errors import UsageError
    from petquant.paths import existing
    from petquant_cli.destination import checked_format

    format_ = checked_format(format_, None, FORMATS)
    require_messages(messages)
    if not 0 < timeout <= 86_400:
        raise UsageError.of(
            "OPTION_INVALID", f"--timeout {timeout:g}", expected="more than 0 s, at most a day"
        )
    query = Query(study_uids=tuple(study_uid or ()), patient_id=patient_id, accession=accession, dates=date)
    modalities = _modalities(modality)
    if list_ == (out is not None):
        raise UsageError.of(
            "OPTION_INVALID",
            "both --list and --out, or neither",
            expected="a folder to fetch into, or --list",
        )
    if with_identifiers and not list_:
        raise UsageError.of("OPTION_INVALID", "--with-identifiers without --list", expected="both")
    if not list_ and query.is_open:
        raise UsageError.of(
            "OPTION_INVALID",
            "a fetch of everything",
            expected="--study, --patient-id, --accession or --date",
            remedy="--list shows what the archive has",
        )
    place = source_of(source, allow_http=allow_http)
    for file in (token_file, netrc, ca_file):
        if file is not None:
            existing(file)
    with opened(
        place,
        credentials=_credentials(place, token_file, netrc),
        ca_file=None if ca_file is None else str(ca_file),
        aet=checked_aet(aet),
        timeout_s=timeout,
    ) as archive:
        if list_:
            found = archive.studies(query)
            if modality:
                found = tuple(s for s in found if not s.modalities or set(s.modalities) & set(modalities))
            columns = STUDY_COLUMNS + (IDENTIFIERS if with_identifiers else ())
            _show(_study_rows(found, columns), format_, "Studies", columns)
            return
        assert out is not None  # noqa: S101 - --out or --list
        _fetch(archive, query, out, modalities, format_, is_default=not modality)


def _fetch(
    archive: Archive, query: Query, out: Path, modalities: tuple[str, ...], format_: str, *, is_default: bool
) -> None:
    from petquant.dicom.network.fetch import fetch
    from petquant.errors import UnreadableInput
    from petquant_cli.fetch_progress import told
    from petquant_cli.messages import MESSAGES

    if is_default:
        MESSAGES.say(f"series of {', '.join(modalities)}; --modality chooses others")
    with told() as tell:
        fetched = fetch(archive, query, out, modalities=modalities, tell=tell)
    _show(_series_rows(fetched), format_, "Series", SERIES_COLUMNS)
    MESSAGES.caveats(fetched.findings)
    if fetched.problems:
        raise UnreadableInput.because(*fetched.problems)


def _modalities(given: list[str] | None) -> tuple[str, ...]:
    from petquant.dicom.network.fetch import MODALITIES
    from petquant.errors import UsageError

    words = [word.strip().upper() for text in given or () for word in text.split(",")]
    for word in words:
        if not (word.isascii() and word.isalnum() and len(word) <= 16):
            raise UsageError.of(
                "OPTION_INVALID", f"--modality {word!r}", expected="such as PT, CT, SEG, RTSTRUCT, SR"
            )
    return tuple(dict.fromkeys(words)) or MODALITIES


def _credentials(place: Source, token_file: Path | None, netrc: Path | None) -> Any:
    from petquant.dicom.network.credentials import Credentials, credentials_of
    from petquant.dicom.network.source import DicomwebSource
    from petquant.errors import UsageError

    if token_file is not None and netrc is not None:
        raise UsageError.of("OPTION_INVALID", "--token-file and --netrc", expected="one of them")
    if isinstance(place, DicomwebSource):
        return credentials_of(place.host, token_file=token_file, netrc_file=netrc)
    if token_file is not None or netrc is not None:
        raise UsageError.of(
            "OPTION_INVALID",
            "credentials for a dicom:// address",
            expected="none: DIMSE has no place for them",
        )
    return Credentials()


def _study_rows(found: tuple[FoundStudy, ...], columns: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = []
    for study in sorted(found, key=lambda one: (one.date, one.uid)):
        row = {
            "study_uid": study.uid,
            "study_date": study.date,
            "modalities": " ".join(study.modalities),
            "n_series": study.n_series,
            "n_instances": study.n_instances,
            "patient_id": study.patient_id,
            "patient_name": study.patient_name,
            "accession_number": study.accession,
            "study_description": study.description,
        }
        rows.append({column: row[column] for column in columns})
    return rows


def _series_rows(fetched: Fetched) -> list[dict[str, Any]]:
    return [
        dict(
            zip(
                SERIES_COLUMNS,
                (
                    one.series.study_uid,
                    one.series.uid,
                    one.series.modality,
                    one.n_listed,
                    one.n_present,
                    one.n_fetched,
                    one.n_missing,
                ),
                strict=True,
            )
        )
        for one in fetched.series
    ]


def _show(rows: list[dict[str, Any]], format_: str, title: str, columns: tuple[str, ...]) -> None:
    from petquant.export.record import as_json
    from petquant.export.table import as_csv
    from petquant_cli.destination import put

    if format_ == "json":
        put(as_json(rows), None, stdout=sys.stdout)
    elif format_ == "csv":
        put(as_csv(rows, columns=columns), None, stdout=sys.stdout)
    else:
        from petquant_cli.messages import escaped
        from petquant_cli.screen import console_of_width, number_words, plain_table, print_table

        table = plain_table(title, [(name.replace("_", " "), name.startswith("n_")) for name in columns])
        for row in rows:
            table.add_row(*(escaped(number_words(value)) for value in row.values()))
        print_table(console_of_width(), table)
