"""``petquant phantom``: studies whose every number is known, to try readers and the command itself on."""

from __future__ import annotations

import json as json_module
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from petquant_cli.command import PlainCommand, PlainGroup
from petquant_cli.phantom_folder import placed, require_own

if TYPE_CHECKING:
    from petquant_phantoms.cohort import Cohort
    from petquant_phantoms.cohorts import CohortFolder
    from petquant_phantoms.definition import Definition
    from petquant_phantoms.study import Study

__all__ = ["app"]

app = typer.Typer(
    name="phantom",
    cls=PlainGroup,
    help="Build phantoms: studies whose every number is known.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command(name="list", cls=PlainCommand)
def list_(
    *,
    json: Annotated[bool, typer.Option("--json", help="Everything, for machines.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """List phantoms and cohorts, and what each proves."""
    from petquant_phantoms import catalogue, cohorts
    from petquant_phantoms.cohort_variants import VARIANTS

    rows = [_row(catalogue.load(name)) for name in catalogue.names()]
    cohort_rows = [_cohort_row(cohorts.load(name)) for name in cohorts.names()]
    if json:
        content = {
            "phantoms": rows,
            "cohorts": cohort_rows,
            "variants": {variant.name: variant.description for variant in VARIANTS.values()},
            "header_cases": list(catalogue.header_cases()),
            "choices": _choices(),
        }
        sys.stdout.write(json_module.dumps(content, indent=2) + "\n")
        return
    for row in [*rows, *cohort_rows]:
        outcome = "" if row.get("expected", "ok") == "ok" else f" Refused: {row['expected']}."
        typer.echo(f"{row['name']}\n    {row['description']}.{outcome}")
        if row["proves"]:
            typer.echo(f"    Proves: {row['proves']}.")
    typer.echo("")
    typer.echo("Header cases, built by name; --json names them all:")
    for group, cases in groupby(catalogue.header_cases(), key=lambda case: case.partition("/")[0]):
        first, *others = cases
        typer.echo(f"    {first} and {len(others)} more of {group}")
    for option, words in _choices().items():
        typer.echo(f"{option}: {', '.join(words)}")
    typer.echo("--variant, of cohorts:")
    for variant in VARIANTS.values():
        typer.echo(f"    {variant.name}: {variant.description}")


@app.command(name="build", cls=PlainCommand)
def build(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Phantoms or cohorts, one or several.")
    ] = None,
    *,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder for the phantom; for several, the folder of their folders."),
    ],
    is_all: Annotated[
        bool, typer.Option("--all", help="Build every phantom; cohorts by name alone.")
    ] = False,
    vendor: Annotated[
        str | None, typer.Option(help="Dialect of the header; petquant phantom list names them.")
    ] = None,
    decay: Annotated[
        str | None, typer.Option(help="DecayCorrection; petquant phantom list names them.")
    ] = None,
    units: Annotated[
        str | None, typer.Option(help="Units of the voxels; petquant phantom list names them.")
    ] = None,
    transfer_syntax: Annotated[
        str | None, typer.Option(help="How pixels are encoded; petquant phantom list names them.")
    ] = None,
    object_: Annotated[
        str | None,
        typer.Option(
            "--object", metavar="classic|enhanced|legacy_converted", help="One file a slice, or one for all."
        ),
    ] = None,
    time_variant: Annotated[
        str | None, typer.Option(help="How times are spelled; petquant phantom list names them.")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            help="Condition of a cohort, as often as there are any; petquant phantom list names them."
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Write studies as DICOM, with regions and their truth."""
    from petquant_cli.messages import MESSAGES

    dialect = {
        "vendor": vendor,
        "decay": decay,
        "units": units,
        "transfer_syntax": transfer_syntax,
        "object": object_,
        "time_variant": time_variant,
    }
    _require_choices(dialect)
    asked = [
        (name, _in_dialect(name, dialect, variants=variant or []))
        for name in _asked_for(names or [], is_all=is_all)
    ]
    folders = [out] if len(asked) == 1 and not is_all else [out / name for name, _ in asked]
    for folder in folders:
        require_own(folder)
    for (name, made), folder in zip(asked, folders, strict=True):
        MESSAGES.say(f"building {name}: {made.description}")
        _build(made, folder, dialect)


def _build(made: Definition | Cohort, folder: Path, dialect: dict[str, Any]) -> None:
    """Write a phantom or a cohort and say what was written."""
    from petquant_phantoms.cohorts import write_cohort
    from petquant_phantoms.definition import Definition
    from petquant_phantoms.study import write_study

    if isinstance(made, Definition):
        with _placed(made, folder, dialect) as place:
            study = write_study(made, place)
        _show(study.moved_to(folder), made)
    else:
        with _placed(made, folder, dialect) as place:
            cohort = write_cohort(made, place)
        _show_cohort(cohort, folder, made)


def _cohort_row(cohort: Cohort) -> dict[str, Any]:
    return {
        "name": cohort.name,
        "description": cohort.description,
        "proves": cohort.proves,
        "tracers": [tracer.name for tracer in cohort.tracers],
        "n_patients": len(cohort.patients),
        "n_lesions": sum(len(patient.lesions) for patient in cohort.patients),
        "shape": list(cohort.tracers[0].definition.grid.shape),
    }


def _row(definition: Definition) -> dict[str, Any]:
    return {
        "name": definition.name,
        "description": definition.description,
        "proves": definition.proves,
        "expected": definition.expected,
        "shape": list(definition.grid.shape),
        "regions": [region.name for region in (*definition.body.regions, *definition.drawn)],
    }


def _choices() -> dict[str, list[str]]:
    """Return what each option of the dialect may be, from the tables of the phantoms."""
    from petquant_phantoms.definition import UNITS, PetObject
    from petquant_phantoms.dialects import DIALECTS
    from petquant_phantoms.encoding import TRANSFER_SYNTAXES
    from petquant_phantoms.pet_header import DecayCorrection
    from petquant_phantoms.time_spelling import TimeVariant

    return {
        "--vendor": list(DIALECTS),
        "--decay": list(get_args(DecayCorrection)),
        "--units": list(UNITS),
        "--transfer-syntax": list(TRANSFER_SYNTAXES),
        "--object": list(get_args(PetObject)),
        "--time-variant": list(get_args(TimeVariant)),
    }


def _require_choices(dialect: dict[str, Any]) -> None:
    for option, words in _choices().items():
        given = dialect[option.removeprefix("--").replace("-", "_")]
        if given is not None and given not in words:
            raise _impossible(f"{option} {given}", expected=f"one of {', '.join(words)}")


def _asked_for(names: list[str], *, is_all: bool) -> list[str]:
    """Return the names of the phantoms to build, each once."""
    from petquant_phantoms import catalogue, cohorts

    known, of_patients = catalogue.names(), cohorts.names()
    unknown = [name for name in names if name not in (*known, *of_patients, *catalogue.header_cases())]
    if unknown:
        expected = f"one of {', '.join((*known, *of_patients))}; or a header case such as suv/O1"
        raise _impossible(f"no phantom {', '.join(unknown)}", expected=expected)
    if bool(names) == is_all:
        raise _impossible(
            "names and --all" if names else "neither a name nor --all",
            expected="the names of phantoms, or --all",
            remedy="petquant phantom list shows them",
        )
    return list(known) if is_all else list(dict.fromkeys(names))


def _in_dialect(name: str, dialect: dict[str, Any], *, variants: list[str]) -> Definition | Cohort:
    """Return the phantom or cohort of a name, as it was asked for."""
    from petquant_phantoms import catalogue, cohorts
    from petquant_phantoms.cohort_variants import VARIANTS

    unknown = [word for word in variants if word not in VARIANTS]
    if unknown:
        raise _impossible(f"--variant {unknown[0]}", expected=f"one of {', '.join(VARIANTS)}")
    is_cohort = name in cohorts.names()
    if variants and not is_cohort:
        raise _impossible(
            f"--variant {variants[0]} of {name}",
            expected=f"a cohort: {', '.join(cohorts.names())}",
            remedy="leave --variant out",
        )
    try:
        if is_cohort:
            return cohorts.load(name, variants=variants, **dialect)
        return catalogue.load(name).in_dialect(**dialect)
    except ValueError as error:
        raise _impossible(f"{name} with {_words(dialect)}: {error}") from error


@contextmanager
def _placed(made: Definition | Cohort, folder: Path, dialect: dict[str, Any]) -> Iterator[Path]:
    """Yield a place to write to; what lies there appears in the folder when it is whole."""
    from petquant.errors import OutputFailed

    try:
        with placed(folder) as place:
            yield place
    except OSError as error:
        raise OutputFailed.of(
            "OUTPUT_FAILED",
            f"{folder} could not be written: {error.strerror or error}",
            expected="a folder that can be written, with room",
            remedy="what stood there before still stands; choose another place",
            path=str(folder),
        ) from error
    except (ValueError, RuntimeError) as error:  # a codec that is missing, a grid that it cannot encode
        raise _impossible(f"{made.name} with {_words(dialect)}: {error}") from error


def _show_cohort(written: CohortFolder, folder: Path, cohort: Cohort) -> None:
    """Say what was written of a cohort."""
    truth = written.truth
    a, b = truth["tracers"]
    counts = truth["concordance"]
    typer.echo(f"cohort {cohort.name} in {folder}: {cohort.description}")
    typer.echo(f"  studies  {len(cohort.patients)} patients, {a} and {b}: {folder / 'manifest.csv'}")
    typer.echo(
        f"  lesions  {counts['n']}: {counts['both']} on both, {counts[a]} on {a} alone, {counts[b]} on {b} "
        f"alone, {counts['neither']} on neither"
    )
    typer.echo(f"  reads    {folder / 'reads.csv'}")
    typer.echo(f"  truth    {folder / 'truth.json'}")


def _show(study: Study, definition: Definition) -> None:
    """Say what was written and what to do with it."""
    series = sorted(path for path in study.dicom.iterdir() if path.is_dir())
    counts = ", ".join(f"{path.name} ({sum(1 for _ in path.iterdir())})" for path in series)
    typer.echo(f"phantom {definition.name} in {study.root}: {definition.description}")
    typer.echo(f"  study    {study.dicom}: {counts}")
    files = dict.fromkeys(
        name
        for entry in [*study.truth["regions"], *study.truth["refused_regions"]]
        for name in entry["files"]
    )
    if files:
        typer.echo(f"  regions  {', '.join(str(study.root / name) for name in files)}")
    outcome = "" if definition.expected == "ok" else f", to be refused with {definition.expected}"
    typer.echo(f"  truth    {study.root / 'truth.json'}{outcome}")
    typer.echo(f"Next: {shlex.join(_next(study, definition))}")


def _next(study: Study, definition: Definition) -> list[str]:
    if definition.expected != "ok" or study.lesions is None:
        return ["petquant", "check", str(study.dicom)]
    words = ["petquant", "suv", str(study.dicom), "--roi", str(study.lesions)]
    if study.labels is not None:
        words += ["--labels", str(study.labels)]
    if definition.segmentation_type == "FRACTIONAL":
        words += ["--roi-values", "occupancy"]
    return words


def _words(dialect: dict[str, Any]) -> str:
    given = [f"--{name.replace('_', '-')} {value}" for name, value in dialect.items() if value is not None]
    return " ".join(given) or "the header of its definition"


def _impossible(found: str, **attributes: str) -> Exception:
    from petquant.errors import UsageError

    return UsageError.of("OPTION_INVALID", found, **attributes)
