"""``petquant validate``: every phantom in every dialect, measured as a user would, against its truth."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from petquant.validation import Check
    from petquant_cli.trials import Trial

__all__ = ["run"]

FAILED = 1  # done, and the answer is no (reliability.md section 1)
FORMATS = ("table", "json", "md")


def run(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Phantoms, or a group of header cases; repeatable."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="The smallest phantoms in their own dialect.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="RESULTS.csv",
            help="Judge the numbers of another tool: columns phantom, region, and quantities.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Every check, for machines.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the report to a file; its suffix .json or .md decides.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; as many as there are processors by default.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Hold petquant, or another tool, against phantoms."""
    from petquant.export.validation import summary_record
    from petquant_cli.destination import apart, checked_format, put

    format_ = "json" if json and out is None else checked_format("json" if json else None, out, FORMATS)
    format_ = "table" if format_ == "csv" else format_
    apart(out, [against])
    if against is None:
        chosen = _chosen(tuple(only or ()), is_quick=quick)
        checks = [check for part in _run(chosen, workers or os.cpu_count() or 1) for check in part]
        shown = {trial.phantom: trial.definition.proves for trial in chosen}
        record = summary_record(checks, n_trials=len(chosen), requirements=shown)
    else:
        checks = _of_another_tool(against)
        record = summary_record(checks, n_trials=len({(check.phantom, check.variant) for check in checks}))
    if format_ == "table" or out is not None:
        _print(record, checks)
    if format_ != "table":
        put(_report(record, format_), out, stdout=sys.stdout)
    if record["n_failed"]:
        raise typer.Exit(FAILED)


def _report(record: dict[str, Any], format_: str) -> bytes:
    from petquant.export.record import as_json
    from petquant.export.validation import as_markdown

    return as_json(record) if format_ == "json" else as_markdown(record)


def _chosen(only: tuple[str, ...], *, is_quick: bool) -> list[Trial]:
    from petquant_phantoms import catalogue

    from petquant.errors import UsageError
    from petquant_cli.trials import trials

    groups = {name.partition("/")[0] for name in catalogue.header_cases()}
    known = {*catalogue.names(), *catalogue.header_cases(), *groups}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise UsageError.of(
            "OPTION_INVALID",
            f"--only {', '.join(unknown)}",
            expected=f"one of {', '.join((*catalogue.names(), *sorted(groups)))}",
            remedy="petquant phantom list shows them",
        )
    return trials(only, is_quick=is_quick)


def _run(chosen: Sequence[Trial], workers: int) -> Iterator[tuple[Check, ...]]:
    """Yield the checks of every trial in their order, with progress on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("phantoms", total=len(chosen))
        for checks in _results(chosen, workers):
            progress.advance(task)
            yield checks


def _results(chosen: Sequence[Trial], workers: int) -> Iterable[tuple[Check, ...]]:
    from petquant_cli.trials import run_trial

    if workers == 1 or len(chosen) < 2:
        yield from map(run_trial, chosen)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(run_trial, chosen, chunksize=4)


def _of_another_tool(path: Path) -> list[Check]:
    """Return the checks of a table of results; the truth is computed and nothing is written."""
    from petquant_phantoms import catalogue
    from petquant_phantoms.definition_file import DefinitionError
    from petquant_phantoms.truth_record import truth_record

    from petquant.errors import UsageError
    from petquant.paths import existing
    from petquant.validation import judge, measured_of_table

    checks: list[Check] = []
    for (phantom, variant), measured in measured_of_table(existing(path)).items():
        try:
            truth = truth_record(catalogue.load(phantom)) | {"phantom": phantom}
        except DefinitionError as error:
            raise UsageError.of(
                "OPTION_INVALID", f"{path}: no phantom {phantom!r}", expected="a name of a phantom"
            ) from error
        checks += judge(truth, measured, variant=variant, only_given=True)
    return checks


def _print(record: dict[str, Any], checks: Sequence[Check]) -> None:
    from petquant_cli.validation_screen import print_validation

    print_validation(record, [check for check in checks if not check.is_passed])
