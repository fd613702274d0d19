"""``petquant bids``: a batch over a BIDS dataset, on the command line that BIDS apps share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petquant_cli.command import PlainCommand
from petquant_cli.options import with_choices_for_all

if TYPE_CHECKING:
    from petquant.batch import StudyTask
    from petquant.roi import Reading
    from petquant.study import Choices

__all__ = ["BidsCommand", "run"]

LEVELS = ("participant", "group")
LABEL = "--participant-label"
UNDERLINED = "--participant_label"  # as BIDS apps spell it too


class BidsCommand(PlainCommand):
    """A command whose option of participants takes several words, as those of BIDS apps do."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, with every word behind the option given the option of its own."""
        return super().parse_args(ctx, _one_by_one(args))


def _one_by_one(args: list[str]) -> list[str]:
    """Return arguments with ``--participant-label 01 02`` as one option for each word."""
    spread: list[str] = []
    is_labels = False
    for given in args:
        word = given.replace(UNDERLINED, LABEL, 1) if given.startswith(UNDERLINED) else given
        if word == LABEL:
            is_labels = True
        elif word.startswith("-"):
            is_labels = False
            spread.append(word)
        else:
            spread += [LABEL, word] if is_labels else [word]
    return spread


@with_choices_for_all
def run(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Dataset with PET images.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the results.")],
    level: Annotated[
        str,
        typer.Argument(
            metavar="participant|group", help="Measure the images, or write the tables of all that were."
        ),
    ],
    *,
    choices: Choices,
    reading: Reading,
    participant_label: Annotated[
        list[str] | None,
        typer.Option(LABEL, metavar="01 02 ...", help="Participants, with or without sub-; all by default."),
    ] = None,
    roi: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Where the lesions of an image lie, with {study}, {subject}, {session}; the masks of the "
            "derivatives by default; repeatable.",
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Names of the labels, of all images or of each.")
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=...", help="Reference region, as for petquant batch; repeatable."),
    ] = None,
    split_components: Annotated[
        bool, typer.Option("--split-components", help="Every connected part of a lesion is a lesion.")
    ] = False,
    more: Annotated[bool, typer.Option("--more", help="Measure the further quantities too.")] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Accept a file without a region: no lesion.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Images measured side by side; as many as cores by default.")
    ] = None,
    timeout_s: Annotated[float, typer.Option(help="What an image may take, in seconds.")] = 1800.0,
    memory_gb: Annotated[float, typer.Option(help="What an image may hold in memory, in GB.")] = 4.0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Measure again what failed, crashed or timed out.")
    ] = False,
) -> int:
    """Measure a BIDS dataset, as a BIDS app: participant, then group."""
    from dataclasses import replace

    from petquant import batch
    from petquant.batch.settings import cores
    from petquant.batch.sources import tasks_of
    from petquant.batch.sources.bids import require_dataset
    from petquant.errors import UsageError
    from petquant.paths import existing
    from petquant_cli.batch_screen import Screen
    from petquant_cli.destination import apart_folder

    if level not in LEVELS:
        raise UsageError.of("OPTION_INVALID", level, expected="participant or group")
    require_dataset(existing(dataset))
    if level == "group":
        return _group(out)
    settings = batch.Settings(
        workers=cores() if workers is None else workers,
        timeout_s=timeout_s,
        memory_gb=memory_gb,
        retries_failed=retry_failed,
    )
    tasks = tasks_of(
        dataset,
        roi_patterns=roi or (),
        backgrounds=background or (),
        choices=replace(
            choices,
            allow_empty=allow_empty,
            has_further=more,
            reading=replace(reading, splits_components=split_components),
        ),
        labels=labels,
    )
    tasks = _of_participants(tasks, participant_label or [])
    apart_folder(out, [Path(path) for task in tasks for path in (task.study, *task.rois)])
    with Screen(out, total=len(tasks)) as screen:
        summary = batch.run(tasks, out, settings=settings, listener=screen.show)
    _describe(out)
    screen.account(summary)
    return summary.exit_code


def _of_participants(tasks: list[StudyTask], labels: list[str]) -> list[StudyTask]:
    """Return the tasks of some participants, or of all when none is named.

    Raises
    ------
    UsageError
        OPTION_INVALID for a participant without a PET image.
    """
    from petquant.errors import Finding, UsageError

    known = {task.columns["participant_id"] for task in tasks}
    asked = [f"sub-{label.removeprefix('sub-')}" for label in labels]
    missing = [
        Finding(code="OPTION_INVALID", found=f"{LABEL} {one}", expected="a participant with a PET image")
        for one in dict.fromkeys(asked)
        if one not in known
    ]
    if missing:
        raise UsageError.because(*missing)
    return [task for task in tasks if not asked or task.columns["participant_id"] in asked]


def _describe(out: Path) -> None:
    """Write what a derivative of a dataset has at its root, where it is not there."""
    from petquant import __version__
    from petquant.export.record import as_json
    from petquant.output import write_whole

    path = out / "dataset_description.json"
    if not path.exists():
        made_by = [{"Name": "petquant", "Version": __version__}]
        content = {
            "Name": "petquant",
            "BIDSVersion": "1.9.0",
            "DatasetType": "derivative",
            "GeneratedBy": made_by,
        }
        write_whole(path, as_json(content))


def _group(out: Path) -> int:
    """Write the tables of all images that were measured, and say what is odd across them."""
    from petquant.batch.collected import TABLES, opened
    from petquant.export.table import csv_lines
    from petquant.output import write_whole
    from petquant.paths import existing
    from petquant_cli.batch_screen import Screen
    from petquant_cli.messages import MESSAGES

    with opened(existing(out)) as collected:
        tables = {
            "measurements": collected.measurements(),
            "runs": collected.runs(),
            "warnings": collected.warnings(),
        }
        for name in TABLES:
            table = tables[name]
            write_whole(out / f"{name}.tsv", b"".join(csv_lines(table.columns, table.rows, delimiter="\t")))
            MESSAGES.say(f"wrote {out / f'{name}.tsv'}")
        Screen(out, total=0).odd(collected.cohort())
    return 0
