"""A definition file is a phantom written down as TOML: what is where, the header, deliberate faults.

``like = "other"`` takes another definition and changes it: tables are merged, everything else is replaced,
and the table ``[suv]`` gives shapes another uptake by name. A shape ``within`` another adds the difference
of the two: a wall or a shell is a shape within a larger one, with the outer SUV given again inside. ``hu``
is what a CT shows in a shape, ``point_spread`` a list of ``{ weight, fwhm_mm }``, ``[noise]`` as in
`noise.Noise`.
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

from petquant_phantoms.body import (
    Body,
    Box,
    Cylinder,
    Ellipsoid,
    EllipticCylinder,
    HalfSpace,
    IecBody,
    Region,
    Role,
    Sampling,
    Shape,
    Sphere,
    Spike,
    Uptake,
)
from petquant_phantoms.ct_series import WATER_HU, CtScan, Tissue
from petquant_phantoms.definition import Definition, Drawn, Extra, InstanceOrder, PetObject
from petquant_phantoms.drawn_regions import OccupancyBox, Quoted, VoxelRun
from petquant_phantoms.encoding import TRANSFER_SYNTAXES
from petquant_phantoms.image import Gaussian
from petquant_phantoms.image_grid import ImageGrid
from petquant_phantoms.noise import Marginal, Noise
from petquant_phantoms.pet_header import Bed, PetHeader
from petquant_phantoms.radiopharmaceuticals import RADIOPHARMACEUTICALS
from petquant_phantoms.segmentation import SegmentationType
from petquant_phantoms.squares import Drawing, Square
from petquant_phantoms.time_spelling import TimeVariant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Table = dict[str, Any]

_SHAPES: dict[str, type[Shape]] = {
    "sphere": Sphere,
    "cylinder": Cylinder,
    "box": Box,
    "half_space": HalfSpace,
    "ellipsoid": Ellipsoid,
    "elliptic_cylinder": EllipticCylinder,
    "iec_body": IecBody,
}
_VECTORS = {"centre_mm", "half_widths_mm", "semi_axes_mm", "normal"}
_DRAWN: dict[str, type[Drawn]] = {"voxels": VoxelRun, "occupancy": OccupancyBox, "square": Square}
_PLAIN = {
    "version": int,
    "description": str,
    "proves": str,
    "fwhm_mm": float,
    "seed": int,
    "expected": str,
    "frame_of_reference": str,
    "numbered_voxels": int,
}
_TUPLES = {"time_frames": float, "gates": float, "missing_slices": int, "doubled_slices": int}
_CHOICES = {
    "transfer_syntax": tuple(TRANSFER_SYNTAXES),
    "instance_order": get_args(InstanceOrder),
    "segmentation_type": get_args(SegmentationType),
    "sampling": get_args(Sampling),
    "object": get_args(PetObject),
    "time_variant": get_args(TimeVariant),
}
_BODY_KEYS = {"background_suv", "uptakes", "spikes", "regions", "suv"}
_IMAGE_KEYS = {"point_spread", "noise"}
_KEYS = {
    "like",
    "grid",
    "header",
    "edits",
    "extras",
    "slope",
    "ct",
    "drawn",
    *_IMAGE_KEYS,
    *_PLAIN,
    *_TUPLES,
    *_CHOICES,
    *_BODY_KEYS,
}


class DefinitionError(ValueError):
    """A definition file says something that makes no phantom; the message names file, place and remedy."""


def merged(below: Table, above: Table) -> Table:
    """Return ``below`` changed by ``above``: tables merge key by key, anything else is replaced."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def parsed(name: str, document: Table) -> Definition:
    """Return the phantom that a document (already merged with what it is like) describes.

    Raises
    ------
    DefinitionError
        If a key is unknown, a value has the wrong type, or shapes and regions do not fit together.
    """
    _refuse_unknown(name, "", document, _KEYS)
    try:
        changes: Table = {
            "name": name,
            "grid": _grid(name, document.get("grid", {})),
            "body": _body(name, document),
            "header": _header(name, document.get("header", {})),
            "edits": _edits(name, document.get("edits", {})),
            "extras": tuple(
                _choice(name, "extras", extra, get_args(Extra)) for extra in document.get("extras", ())
            ),
            "drawn": tuple(_drawn(name, table) for table in document.get("drawn", ())),
        }
        if "ct" in document:
            changes["ct"] = _ct(name, document, changes["grid"], changes["body"])
        changes |= _image(name, document)
        changes |= {key: kind(document[key]) for key, kind in _PLAIN.items() if key in document}
        changes |= {key: tuple(map(kind, document[key])) for key, kind in _TUPLES.items() if key in document}
    except (TypeError, KeyError) as error:
        raise DefinitionError(f"{name}: {error}") from error
    for key, choices in _CHOICES.items():
        if key in document:
            changes[key] = _choice(name, key, document[key], choices)
    if "slope" in document:
        slope = document["slope"]
        changes["slope"] = tuple(map(float, slope)) if isinstance(slope, list) else slope
    try:
        return Definition(**changes)
    except ValueError as error:
        raise DefinitionError(f"{name}: {error}") from error


def _image(name: str, document: Table) -> Table:
    """Return what a document says of point spread and noise."""
    changes: Table = {}
    if "point_spread" in document:
        for table in document["point_spread"]:
            _refuse_unknown(name, "point_spread", table, {"weight", "fwhm_mm"})
        changes["point_spread"] = tuple(
            Gaussian(weight=float(table["weight"]), fwhm_mm=float(table["fwhm_mm"]))
            for table in document["point_spread"]
        )
    if "noise" in document:
        table = document["noise"]
        _refuse_unknown(name, "noise", table, {field.name for field in fields(Noise)})
        marginal = _choice(name, "noise.marginal", table.get("marginal", "gamma"), get_args(Marginal))
        try:
            changes["noise"] = Noise(**{**table, "marginal": marginal})
        except ValueError as error:
            raise DefinitionError(f"{name}: {error}") from error
    return changes


def _choice(name: str, key: str, value: Any, choices: Collection[str]) -> str:
    if value not in choices:
        raise DefinitionError(f"{name}: {key} = {value!r} is unknown; there are {', '.join(choices)}")
    return str(value)


def _refuse_unknown(name: str, place: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    unknown = sorted(set(table) - set(known))
    if unknown:
        where = f" in [{place}]" if place else ""
        raise DefinitionError(
            f"{name}: unknown {', '.join(unknown)}{where}; known are {', '.join(sorted(known))}"
        )


def _numbers(name: str, place: str, value: Any, *, count: int) -> tuple[float, ...]:
    if (
        not isinstance(value, list)
        or len(value) != count
        or not all(isinstance(x, int | float) for x in value)
    ):
        raise DefinitionError(f"{name}: {place} must be {count} numbers, found {value!r}")
    return tuple(float(x) for x in value)


def _grid(name: str, table: Table) -> ImageGrid:
    _refuse_unknown(
        name, "grid", table, {"shape", "spacing_mm", "centre_mm", "orientation", "slice_offsets_mm"}
    )
    if not table:
        return ImageGrid()
    shape = _numbers(name, "grid.shape", table.get("shape", [8, 16, 16]), count=3)
    options: Table = {}
    if "centre_mm" in table:
        options["centre_mm"] = _numbers(name, "grid.centre_mm", table["centre_mm"], count=3)
    if "orientation" in table:
        options["orientation"] = _numbers(name, "grid.orientation", table["orientation"], count=6)
    if "slice_offsets_mm" in table:
        options["slice_offsets_mm"] = _numbers(
            name, "grid.slice_offsets_mm", table["slice_offsets_mm"], count=int(shape[0])
        )
    spacing_mm = _numbers(name, "grid.spacing_mm", table.get("spacing_mm", [4.0, 4.0, 4.0]), count=3)
    return ImageGrid.centred(
        shape=(int(shape[0]), int(shape[1]), int(shape[2])),
        spacing_mm=(spacing_mm[0], spacing_mm[1], spacing_mm[2]),
        **options,
    )


def _shape(name: str, place: str, table: Table, *, besides: set[str]) -> Shape:
    kind = _choice(name, f"{place}.kind", table.get("kind"), _SHAPES)
    made = _SHAPES[kind]
    wanted = {field.name for field in fields(made)}
    _refuse_unknown(name, place, table, wanted | besides | {"kind"})
    missing = sorted(wanted - set(table))
    if missing:
        raise DefinitionError(f"{name}: a {kind} needs {', '.join(missing)} in [{place}]")
    values: Table = {}
    for key in wanted:
        values[key] = (
            _numbers(name, f"{place}.{key}", table[key], count=3) if key in _VECTORS else float(table[key])
        )
    try:
        return made(**values)
    except ValueError as error:
        raise DefinitionError(f"{name}: {error}") from error


def _body(name: str, document: Table) -> Body:
    tables = document.get("uptakes", [])
    suvs = {table["name"]: float(table["suv"]) for table in tables}
    overrides = document.get("suv", {})
    _refuse_unknown(name, "suv", overrides, suvs)
    suvs |= {key: float(value) for key, value in overrides.items()}
    background_suv = float(document.get("background_suv", 0.0))
    uptakes = []
    for table in tables:
        around = table.get("within")
        if around is not None and around not in suvs:
            raise DefinitionError(f"{name}: {table['name']} lies within {around!r}, which is no uptake")
        outside_suv = background_suv if around is None else suvs[around]
        shape = _shape(name, f"uptakes.{table['name']}", table, besides={"name", "suv", "within", "hu"})
        uptakes.append(
            Uptake(
                name=table["name"],
                shape=shape,
                contrast_suv=suvs[table["name"]] - outside_suv,
                hu=float(table["hu"]) if "hu" in table else None,
            )
        )
    if not tables:
        return Definition().body
    shapes = {uptake.name: uptake.shape for uptake in uptakes}
    return Body(
        background_suv=background_suv,
        uptakes=tuple(uptakes),
        spikes=tuple(
            Spike(voxel=(k, j, i), suv=float(table["suv"]))
            for table in document.get("spikes", [])
            for k, j, i in (table["voxel"],)
        ),
        regions=tuple(_region(name, table, shapes) for table in document.get("regions", [])),
    )


def _ct(name: str, document: Table, pet: ImageGrid, body: Body) -> CtScan:
    """Return the CT: on the box of the PET in voxels of half the size in plane, unless it says otherwise."""
    table = document["ct"]
    _refuse_unknown(name, "ct", table, {"shape", "spacing_mm"})
    slices, rows, columns = pet.shape
    shape = _numbers(name, "ct.shape", table.get("shape", [slices, 2 * rows, 2 * columns]), count=3)
    slice_mm, row_mm, column_mm = pet.spacing_mm
    default_mm = [slice_mm, row_mm / 2.0, column_mm / 2.0]
    spacing_mm = _numbers(name, "ct.spacing_mm", table.get("spacing_mm", default_mm), count=3)
    middle = 0.5 * (pet.voxel_centre_mm(0, 0, 0) + pet.voxel_centre_mm(*(n - 1 for n in pet.shape)))
    grid = ImageGrid.centred(
        shape=(int(shape[0]), int(shape[1]), int(shape[2])),
        spacing_mm=(spacing_mm[0], spacing_mm[1], spacing_mm[2]),
        centre_mm=(float(middle[0]), float(middle[1]), float(middle[2])),
        orientation=pet.orientation,
    )
    try:
        tissues = tuple(
            Tissue(shape=u.shape, hu=int(WATER_HU if u.hu is None else u.hu)) for u in body.uptakes
        )
    except ValueError as error:
        raise DefinitionError(f"{name}: {error}") from error
    return CtScan(grid=grid, tissues=tissues)


def _drawn(name: str, table: Table) -> Drawn:
    """Return a region that is given on the grid."""
    kind = _choice(name, "drawn.kind", table.get("kind"), _DRAWN)
    made = _DRAWN[kind]
    _refuse_unknown(name, "drawn", table, {field.name for field in fields(made)} | {"kind"})
    _require_file_name(name, table["name"])
    values: Table = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in table.items()
        if key != "kind"
    }
    for key in ("low_mm", "high_mm"):
        if key in values:
            values[key] = _numbers(name, f"drawn.{table['name']}.{key}", table[key], count=3)
    if "drawing" in values:
        _choice(name, f"drawn.{table['name']}.drawing", values["drawing"], get_args(Drawing))
    _choice(name, f"drawn.{table['name']}.role", table.get("role", "lesion"), get_args(Role))
    values["quoted"] = tuple(Quoted(**quoted) for quoted in table.get("quoted", ()))
    return made(**values)


def _require_file_name(name: str, region: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,62}", region):
        raise DefinitionError(f"{name}: a region's name becomes a file name, and {region!r} is none")


def _region(name: str, table: Table, shapes: Mapping[str, Shape]) -> Region:
    _require_file_name(name, table["name"])
    role: Role = "background" if table.get("role") == "background" else "lesion"
    _choice(name, f"regions.{table['name']}.role", table.get("role", "lesion"), get_args(Role))
    source = table.get("of")
    if source is None:
        shape = _shape(name, f"regions.{table['name']}", table, besides={"name", "role"})
    elif source not in shapes:
        raise DefinitionError(f"{name}: region {table['name']} is of {source!r}, which is no uptake")
    else:
        shape = shapes[source]
    if isinstance(shape, HalfSpace):
        raise DefinitionError(f"{name}: region {table['name']} has no bounds: give a closed shape")
    return Region(name=table["name"], shape=shape, role=role)


def _header(name: str, table: Table) -> PetHeader:
    known = {field.name for field in fields(PetHeader)} - {"radiopharmaceutical"} | {"tracer"}
    _refuse_unknown(name, "header", table, known)
    changes = dict(table)
    if "tracer" in changes:
        tracer = _choice(name, "header.tracer", changes.pop("tracer"), RADIOPHARMACEUTICALS)
        changes["radiopharmaceutical"] = RADIOPHARMACEUTICALS[tracer]
    for key in ("injected_at", "series_at", "decay_reference_at"):
        if key in changes:
            changes[key] = _local(name, f"header.{key}", changes[key])
    for key in ("corrected_image", "further_doses_bq"):
        if key in changes:
            changes[key] = tuple(changes[key])
    if "beds" in changes:
        changes["beds"] = tuple(_bed(name, bed) for bed in changes["beds"])
    try:
        return replace(PetHeader(), **changes)
    except ValueError as error:
        raise DefinitionError(f"{name}: {error}") from error


def _bed(name: str, table: Table) -> Bed:
    _refuse_unknown(name, "header.beds", table, {field.name for field in fields(Bed)})
    acquired_at = _local(name, "header.beds.acquired_at", table.get("acquired_at"))
    return Bed(**{**table, "acquired_at": acquired_at})


def _local(name: str, place: str, value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is not None:
        raise DefinitionError(
            f"{name}: {place} must be a local date-time like 2025-01-01T11:00:00, found {value!r}"
        )
    return value


def _edits(name: str, table: Table) -> tuple[tuple[str, str | None], ...]:
    _refuse_unknown(name, "edits", table, {"removed", "written"})
    removed = tuple((str(keyword), None) for keyword in table.get("removed", ()))
    return removed + tuple((str(keyword), str(text)) for keyword, text in table.get("written", {}).items())
