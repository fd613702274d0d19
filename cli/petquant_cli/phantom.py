"""``petquant phantom``: studies whose every number is known, to try readers and the command itself on."""

from __future__ import annotations

import json as json_module
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from petquant_cli.command import PlainCommand, PlainGroup
from petquant_cli.phantom_folder import placed, require_own

if TYPE_CHECKING:
    from petquant_phantoms.definition import Definition
    from petquant_phantoms.study import Study

__all__ = ["app"]

app = typer.Typer(
    name="phantom",
    cls=PlainGroup,
    help="Studies whose every number is known.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command(name="list", cls=PlainCommand)
def list_(
    *,
    json: Annotated[bool, typer.Option("--json", help="Everything, for machines.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """List the phantoms: what is in them and what they prove."""
    from petquant_phantoms import catalogue

    rows = [_row(catalogue.load(name)) for name in catalogue.names()]
    if json:
        content = {
            "phantoms": rows,
            "header_cases": list(catalogue.header_cases()),
            "choices": _choices(),
        }
        sys.stdout.write(json_module.dumps(content, indent=2) + "\n")
        return
    for row in rows:
        outcome = "" if row["expected"] == "ok" else f" Refused: {row['expected']}."
        typer.echo(f"{row['name']}\n    {row['description']}.{outcome}")
        if row["proves"]:
            typer.echo(f"    Proves: {row['proves']}.")
    typer.echo("")
    typer.echo(f"Header cases: {', '.join(catalogue.header_cases())}")
    for option, words in _choices().items():
        typer.echo(f"{option}: {', '.join(words)}")


@app.command(name="build", cls=PlainCommand)
def build(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Phantoms, one or several.")
    ] = None,
    *,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder for the phantom; for several, the folder of their folders."),
    ],
    is_all: Annotated[bool, typer.Option("--all", help="Build every phantom.")] = False,
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
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Write phantoms as DICOM studies with regions and their truth."""
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
    definitions = [(name, _in_dialect(name, dialect)) for name in _asked_for(names or [], is_all=is_all)]
    folders = [out] if len(definitions) == 1 and not is_all else [out / name for name, _ in definitions]
    for folder in folders:
        require_own(folder)
    for (name, definition), folder in zip(definitions, folders, strict=True):
        MESSAGES.say(f"building {name}: {definition.description}")
        _show(_written(definition, folder, dialect), definition)


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
    from petquant_phantoms import catalogue

    known = catalogue.names()
    unknown = [name for name in names if name not in (*known, *catalogue.header_cases())]
    if unknown:
        expected = f"one of {', '.join(known)}; or a header case such as ibsi_suv_small/0_0, suv/O1"
        raise _impossible(f"no phantom {', '.join(unknown)}", expected=expected)
    if bool(names) == is_all:
        raise _impossible(
            "names and --all" if names else "neither a name nor --all",
            expected="the names of phantoms, or --all",
            remedy="petquant phantom list shows them",
        )
    return list(known) if is_all else list(dict.fromkeys(names))


def _in_dialect(name: str, dialect: dict[str, Any]) -> Definition:
    from petquant_phantoms import catalogue

    try:
        return catalogue.load(name).in_dialect(**dialect)
    except ValueError as error:
        raise _impossible(f"{name} with {_words(dialect)}: {error}") from error


def _written(definition: Definition, folder: Path, dialect: dict[str, Any]) -> Study:
    """Build a phantom, and let it appear in its folder when it is whole."""
    from petquant_phantoms.study import write_study

    from petquant.errors import OutputFailed

    try:
        with placed(folder) as place:
            study = write_study(definition, place)
    except OSError as error:
        raise OutputFailed.of(
            "OUTPUT_FAILED",
            f"{folder} could not be written: {error.strerror or error}",
            expected="a folder that can be written, with room",
            remedy="what stood there before still stands; choose another place",
            path=str(folder),
        ) from error
    except (ValueError, RuntimeError) as error:  # a codec that is missing, a grid that it cannot encode
        raise _impossible(f"{definition.name} with {_words(dialect)}: {error}") from error
    return study.moved_to(folder)


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
