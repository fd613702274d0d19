"""The door: commands by name, and every error as lines on stderr with an exit code."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from petquant_cli import (
    batch,
    bids,
    check,
    collect,
    compare,
    convert,
    demo,
    discover,
    info,
    lock,
    nema,
    phantom,
    report_batch,
    segment,
    suv,
    validate,
)
from petquant_cli.command import PlainCommand, PlainGroup
from petquant_cli.messages import MESSAGES
from petquant_cli.offline import offline

__all__ = ["app", "main"]

USAGE, NOT_WRITTEN, LIMIT, INTERNAL, INTERRUPTED = 2, 6, 7, 70, 130
NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO}  # what a write can meet
READER_LEFT = 1  # how typer and rich leave when nobody reads stdout any more

app = typer.Typer(
    name="petquant",
    cls=PlainGroup,
    help="PET/CT scans into numbers that people may rely on. For research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if sys.stdout and sys.stdout.isatty() else None,  # plain text where it is piped
)
for _module in (
    suv,
    segment,
    batch,
    collect,
    compare,
    check,
    discover,
    convert,
    nema,
    info,
    lock,
    demo,
    validate,
):
    app.command(name=_module.__name__.rpartition(".")[2], cls=PlainCommand)(_module.run)
app.command(name="report", cls=PlainCommand)(report_batch.run)
app.command(name="bids", cls=bids.BidsCommand)(bids.run)
app.add_typer(phantom.app)

# what an unknown option or a missing argument raises
UsageMistake: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "UsageError")


def _print_version(is_asked: bool) -> None:  # noqa: FBT001 - typer hands it over by position
    if is_asked:
        import petquant

        sys.stdout.write(f"petquant {petquant.__version__}\n")
        raise typer.Exit


@app.callback()
def _about(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Turn PET/CT scans into numbers that people may rely on. For research use only."""


def main() -> None:
    """Run the command line and leave with its exit code (reliability.md section 1)."""
    _open_streams()
    signal.signal(signal.SIGTERM, _terminated)
    for library in ("OPENBLAS", "MKL", "OMP"):  # on small products threads wait longer than they work
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    MESSAGES.is_json = _asks_for_json(sys.argv[1:])
    MESSAGES.is_debug = "--debug" in sys.argv[1:]
    with offline():
        code = _run()
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code if isinstance(error, BrokenPipeError) else _not_written(error)
    sys.exit(code)


def _open_streams() -> None:
    """Let words go nowhere where a stream is closed, and no character be one that it cannot carry."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for the whole run
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _not_written(error: OSError) -> int:
    text = f"stdout could not be written: {error.strerror}; what stands there is not complete"
    MESSAGES.line("OUTPUT_FAILED", text, exit_code=NOT_WRITTEN)
    return NOT_WRITTEN


def _asks_for_json(arguments: list[str]) -> bool:
    return "--messages=json" in arguments or ("--messages", "json") in pairwise(arguments)


def _run() -> int:
    try:
        return app(standalone_mode=False) or 0
    except BrokenPipeError:
        return 0
    except SystemExit as left:
        if left.code != READER_LEFT:
            raise
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a code, never a traceback
        code = _said(error)
        if MESSAGES.is_debug:
            import traceback

            traceback.print_exception(error)
        return code


def _said(error: BaseException) -> int:
    """Say what went wrong, and return the exit code for it."""
    from petquant.errors import PetquantError

    if isinstance(error, PetquantError):
        MESSAGES.error(error)
        return error.exit_code
    if isinstance(error, UsageMistake):
        if _words(error):  # without arguments the help was shown, and there is nothing more to say
            MESSAGES.line("USAGE", f"{_words(error)} See petquant --help.", exit_code=USAGE)
        return USAGE
    if isinstance(error, MemoryError):
        text = "the memory of this machine does not suffice; crop the scan or use a larger machine"
        MESSAGES.line("MEMORY_EXHAUSTED", text, exit_code=LIMIT)
        return LIMIT
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return _not_written(error)
    text = f"{type(error).__name__}: {error}; please report it with the output of --debug"
    MESSAGES.line("INTERNAL", text, exit_code=INTERNAL)
    return INTERNAL


def _words(mistake: BaseException) -> str:
    words: str = mistake.format_message() if hasattr(mistake, "format_message") else str(mistake)
    return words


def _terminated(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)
