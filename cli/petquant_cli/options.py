"""Options that several commands share, made from the tables of the library where it has them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from petquant.overrides import Overrides

__all__ = [
    "CHOICE_OPTIONS",
    "READING_OPTIONS",
    "require_messages",
    "with_choices",
    "with_choices_for_all",
    "workers_of",
]

OF_ONE_STUDY = ("study_uid", "series", "frame", "gate")  # what no two studies share

_Member = TypeVar("_Member", bound=StrEnum)


def _flag(option: str, help_: str) -> Any:
    return Annotated[bool, typer.Option(option, help=help_)]


# name of the parameter, its type with help, default: what a command hands to petquant.study.Choices
CHOICE_OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    (
        "study_uid",
        Annotated[str | None, typer.Option("--study", help="Study UID, or a unique part of it.")],
        None,
    ),
    (
        "series",
        Annotated[str | None, typer.Option(help="Series UID, a unique part of it, or the series number.")],
        None,
    ),
    ("frame", Annotated[int | None, typer.Option(help="Frame of a dynamic series, from 1.")], None),
    ("gate", Annotated[int | None, typer.Option(help="Gate of a gated series, from 1.")], None),
    (
        "suv",
        Annotated[
            list[str] | None,
            typer.Option(
                help="SUV type: bw (default), lbm-janma (lbm), lbm-james128, lbm-morgan, bsa, ibw, native "
                "(as stored). Several, where a command measures regions, give rows of each."
            ),
        ],
        None,
    ),
    ("strict", _flag("--strict", "Refuse what is otherwise flagged as doubtful."), False),
    (
        "allow_nac",
        _flag("--allow-nac", "Quantify a series without attenuation correction; outputs say so."),
        False,
    ),
    ("allow_extreme", _flag("--allow-extreme", "Accept volumes of zeros or of SUVs above 10,000."), False),
    (
        "allow_incomplete",
        _flag("--allow-incomplete", "Accept a slice count that differs from NumberOfSlices."),
        False,
    ),
    ("follow_symlinks", _flag("--follow-symlinks", "Follow links that leave the folder."), False),
)

# how files of regions are meant: what a command with a parameter `reading` hands to petquant.roi.Reading
READING_OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    (
        "roi_values",
        Annotated[
            str | None,
            typer.Option(
                metavar="occupancy|probability", help="What values between 0 and 1 in a label map mean."
            ),
        ],
        None,
    ),
    (
        "probability_threshold",
        Annotated[float, typer.Option(help="From which probability on a voxel is inside.")],
        0.5,
    ),
    ("roi_frame", Annotated[int | None, typer.Option(help="Frame of a 4-D label map, from 1.")], None),
    (
        "other_grid",
        Annotated[
            str,
            typer.Option(
                metavar="exact|nearest",
                help="Regions drawn on another grid: by exact overlap, or, to compare, by nearest voxel.",
            ),
        ],
        "exact",
    ),
    (
        "edge",
        Annotated[
            str | None,
            typer.Option(
                metavar="centre|area",
                help="Contours: voxels whose centre is inside, or the area that is; by default as fits.",
            ),
        ],
        None,
    ),
    ("fill_gaps", _flag("--fill-gaps", "Contours: fill slices left out between two that have some."), False),
    (
        "ignore_frame_of_reference",
        _flag("--ignore-frame-of-reference", "Take a SEG or RTSTRUCT drawn in another frame of reference."),
        False,
    ),
    (
        "ignore_patient_id",
        _flag("--ignore-patient-id", "Take a SEG, an RTSTRUCT or a second scan of another PatientID."),
        False,
    ),
)


def _override_options() -> list[tuple[str, Any, Any]]:
    hints = get_type_hints(Overrides)
    return [
        (
            field.name,
            Annotated[
                hints[field.name],
                typer.Option(
                    field.metadata["option"],
                    *field.metadata["aliases"],
                    help=field.metadata["help"],
                    rich_help_panel="In place of the header",
                ),
            ],
            None,
        )
        for field in fields(Overrides)
    ]


_MESSAGE_OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    (
        "messages",
        Annotated[str, typer.Option(help="Words on stderr as text or json.", metavar="text|json")],
        "text",
    ),
    ("debug", _flag("--debug", "Show the traceback of an error."), False),
)


def with_choices(command: Callable[..., Any], *, has_suv_types: bool = True) -> Callable[..., Any]:
    """Return a command that also takes every shared option, and gets them as one `Choices`.

    The command's own parameter ``choices`` is filled; the others stay as they are. A command with a parameter
    ``reading`` takes the options of regions as well, and gets them as one `Reading`. Without
    `has_suv_types` there is no ``--suv``, and SUV is by body weight.
    """
    of_study = [option for option in CHOICE_OPTIONS if has_suv_types or option[0] != "suv"]
    return _with(command, [*of_study, *_override_options()])


def with_choices_for_all(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command on several studies: without what chooses in one study or replaces its header."""
    return _with(command, [option for option in CHOICE_OPTIONS if option[0] not in OF_ONE_STUDY])


def require_messages(text: str) -> None:
    """Raise when ``--messages`` asks for another form than there is.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    from petquant.errors import UsageError

    if text not in {"text", "json"}:
        raise UsageError.of("OPTION_INVALID", f"--messages {text}", expected="text or json")


def workers_of(given: int | None) -> int:
    """Return the number of processes that ``--workers`` asks for; as many as cores by default.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    from petquant.cores import cores
    from petquant.errors import UsageError

    if given is not None and given < 1:
        raise UsageError.of("OPTION_INVALID", f"--workers {given}", expected="1 or more")
    return cores() if given is None else given


def _with(command: Callable[..., Any], choices: list[tuple[str, Any, Any]]) -> Callable[..., Any]:
    signature = inspect.signature(command)
    has_reading = "reading" in signature.parameters
    of_regions = READING_OPTIONS if has_reading else ()
    shared = [*of_regions, *choices, *_MESSAGE_OPTIONS]
    names = {name for name, _, _ in shared}

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        own = {name: value for name, value in given.items() if name not in names}
        if has_reading:
            own["reading"] = _reading({name: given[name] for name in names})
        return command(**own, choices=_choices({name: given[name] for name in names}))

    hints = get_type_hints(command, localns={"Choices": object, "Reading": object}, include_extras=True)
    parameters = [
        parameter.replace(annotation=hints[name])
        for name, parameter in signature.parameters.items()
        if name not in {"choices", "reading"}
    ]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, annotation, default in shared
    ]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {
        "return": None
    }
    return run


def _choices(given: dict[str, Any]) -> Any:
    from petquant.errors import UsageError
    from petquant.study import Choices
    from petquant.suv.normalisation import NORMALISATIONS, normalisation

    require_messages(given["messages"])
    types = []
    for name in given.get("suv") or ["bw"]:
        row = normalisation(name)
        if row is None and name != "native":
            allowed = ", ".join([*(row.name for row in NORMALISATIONS), "native"])
            raise UsageError.of("OPTION_INVALID", f"--suv {name}", expected=f"one of {allowed}")
        types.append("native" if row is None else row.name)
    overrides = Overrides(**{field.name: given.get(field.name) for field in fields(Overrides)})
    return Choices(
        study=given.get("study_uid"),
        series=given.get("series"),
        frame=given.get("frame"),
        gate=given.get("gate"),
        suv_types=tuple(dict.fromkeys(types)),
        overrides=overrides,
        is_strict=given["strict"],
        allow_nac=given["allow_nac"],
        allow_extreme=given["allow_extreme"],
        allow_incomplete=given["allow_incomplete"],
        follow_symlinks=given["follow_symlinks"],
    )


def _reading(given: dict[str, Any]) -> Any:
    from petquant.errors import UsageError
    from petquant.roi import OtherGrid, Reading, VoxelValues

    threshold = given["probability_threshold"]
    if not 0 < threshold <= 1:
        raise UsageError.of(
            "OPTION_INVALID", f"--probability-threshold {threshold:g}", expected="more than 0, at most 1"
        )
    if given["edge"] not in {None, "centre", "area"}:
        raise UsageError.of("OPTION_INVALID", f"--edge {given['edge']}", expected="centre or area")
    values = given["roi_values"]
    return Reading(
        values=None if values is None else _member("--roi-values", values, VoxelValues),
        probability_threshold=threshold,
        frame=given["roi_frame"],
        other_grid=_member("--other-grid", given["other_grid"], OtherGrid),
        edge=given["edge"],
        fills_gaps=given["fill_gaps"],
        ignore_frame_of_reference=given["ignore_frame_of_reference"],
        ignore_patient_id=given["ignore_patient_id"],
    )


def _member(option: str, text: str, of: type[_Member]) -> _Member:
    """Return the member of an enumeration that an option names."""
    from petquant.errors import UsageError

    if text not in [str(one) for one in of]:
        raise UsageError.of(
            "OPTION_INVALID", f"{option} {text}", expected=" or ".join(str(one) for one in of)
        )
    return of(text)
