"""The door: commands by name, and every error as lines on stderr with an exit code."""

from __future__ import annotations

import os
import signal
import sys
from itertools import pairwise
from types import FrameType
from typing import Annotated

import typer

from petquant_cli import check, convert, demo, info, lock, suv
from petquant_cli.command import PlainCommand, PlainGroup
from petquant_cli.messages import MESSAGES

__all__ = ["app", "main"]

USAGE, INTERNAL, INTERRUPTED = 2, 70, 130

app = typer.Typer(
    name="petquant",
    cls=PlainGroup,
    help="PET/CT scans into numbers that people may rely on. For research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _module in (suv, check, convert, info, lock, demo):
    app.command(name=_module.__name__.rpartition(".")[2], cls=PlainCommand)(_module.run)

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
    signal.signal(signal.SIGTERM, _terminated)
    MESSAGES.is_json = _asks_for_json(sys.argv[1:])
    MESSAGES.is_debug = "--debug" in sys.argv[1:]
    code = _run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _asks_for_json(arguments: list[str]) -> bool:
    return "--messages=json" in arguments or ("--messages", "json") in pairwise(arguments)


def _run() -> int:
    from petquant.errors import PetquantError

    try:
        return app(standalone_mode=False) or 0
    except PetquantError as error:
        MESSAGES.error(error)
        code = error.exit_code
        cause: BaseException = error
    except UsageMistake as error:
        if _words(error):  # without arguments the help was shown, and there is nothing more to say
            MESSAGES.line("USAGE", f"{_words(error)} See petquant --help.", exit_code=USAGE)
        code, cause = USAGE, error
    except BrokenPipeError:
        return 0
    except MemoryError as error:
        text = "the memory of this machine does not suffice; crop the scan or use a larger machine"
        MESSAGES.line("MEMORY_EXHAUSTED", text, exit_code=7)
        code, cause = 7, error
    except (KeyboardInterrupt, typer.Abort) as error:
        code, cause = INTERRUPTED, error
    except Exception as error:  # noqa: BLE001 - the last line of defence: a code, never a traceback
        text = f"{type(error).__name__}: {error}; please report it with the output of --debug"
        MESSAGES.line("INTERNAL", text, exit_code=INTERNAL)
        code, cause = INTERNAL, error
    if MESSAGES.is_debug:
        import traceback

        traceback.print_exception(cause)
    return code


def _words(mistake: BaseException) -> str:
    words: str = mistake.format_message() if hasattr(mistake, "format_message") else str(mistake)
    return words


def _terminated(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)
