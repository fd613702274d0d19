"""``petquant view``: PET, CT, regions and their numbers in the browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petquant_cli.options import with_choices

if TYPE_CHECKING:
    from petquant.export.viewer import Scene
    from petquant.roi import Reading
    from petquant.study import Choices

__all__ = ["run"]


@with_choices
def run(
    study: Annotated[
        Path,
        typer.Argument(help="Folder, zip or file of the study, or a NIfTI image with its side-car."),
    ],
    *,
    choices: Choices,
    reading: Reading,
    roi: Annotated[
        list[Path] | None,
        typer.Option(help="Lesions, in any form that petquant suv reads; repeatable. None shows the scan."),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Names of the labels, as for petquant suv.")] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=...", help="Reference region, as for petquant suv; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write one HTML file that needs nothing else, and serve nothing."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address and open no browser.")
    ] = False,
    no_ct: Annotated[bool, typer.Option("--no-ct", help="Leave the CT out.")] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Accept a file without a region: no lesion.")
    ] = False,
    manifest: Annotated[Path | None, typer.Option(help="Hold the study to a file of petquant lock.")] = None,
    with_identifiers: Annotated[
        bool, typer.Option("--with-identifiers", help="Show name, id and dates of the patient.")
    ] = False,
) -> None:
    """Show PET, CT and regions in the browser."""
    from dataclasses import replace

    from petquant.background import background_of
    from petquant.errors import UsageError
    from petquant.export.record import Privacy
    from petquant.paths import existing
    from petquant.view import view
    from petquant_cli.destination import apart, file_of, read_with
    from petquant_cli.messages import MESSAGES
    from petquant_cli.report_page import checked_report

    checked_report(out, option="--out")
    if len(choices.suv_types) > 1:
        raise UsageError.of("OPTION_INVALID", "several --suv for one picture", expected="one --suv")
    named = [background_of(text) for text in background or ()]
    apart(out, [*read_with(study), *(roi or ()), labels, manifest, *map(file_of, named)])
    scene = view(
        existing(study),
        [existing(path) for path in roi or ()],
        backgrounds=named,
        choices=replace(choices, allow_empty=allow_empty, reading=reading),
        labels=None if labels is None else existing(labels),
        manifest=None if manifest is None else existing(manifest),
        privacy=Privacy(with_identifiers=with_identifiers),
        has_ct=not no_ct,
    )
    MESSAGES.caveats(scene.findings)
    if scene.without_ct:
        MESSAGES.say(f"no CT is shown: {scene.without_ct}")
    if out is None:
        _serve(scene, opens=not no_browser)
        return
    from petquant.export.viewer import page_bytes
    from petquant.output import write_whole

    page = page_bytes(scene)
    write_whole(out, page)
    MESSAGES.say(f"wrote {out}, {len(page) / 1e6:.1f} MB; it holds the voxels of the patient")


def _serve(scene: Scene, *, opens: bool) -> None:
    """Serve the page until somebody ends it."""
    from petquant.export.viewer import served_page
    from petquant_cli.loopback import PageServer
    from petquant_cli.messages import MESSAGES

    with PageServer(served_page(scene)) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        MESSAGES.say("the viewer is served to this machine alone, until Ctrl-C")
        if opens:
            import webbrowser

            if not webbrowser.open(server.url):
                MESSAGES.say("no browser could be opened here; open the address in one")
        server.serve_forever()
