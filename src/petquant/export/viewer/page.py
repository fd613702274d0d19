"""The page of the viewer: one HTML file with all in it, or the same page beside its volumes.

What comes from files is text to the template (autoescape) and to the script (textContent); the content
security policy allows the two scripts and the one style sheet by their hashes, and no request but, when the
page is served, for its own volumes.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from petquant.export.viewer.outlines import centre_of, index_at, runs_of
from petquant.export.viewer.picture import (
    NO_CT,
    Picture,
    auto_window,
    picture_of,
    resampled_ct,
    stored_numbers,
)
from petquant.export.viewer.scene import Scene
from petquant.roi import Roi
from petquant.version import __version__

__all__ = ["ServedPage", "page_bytes", "served_page"]

HERE: Final = Path(__file__).parent
SUV_COLUMNS: Final = {
    "suv_max": "SUVmax",
    "suv_mean": "SUVmean",
    "suv_peak": "SUVpeak",
    "mtv_ml": "MTV mL",
    "tlg_g": "TLG g",
}
NATIVE_COLUMNS: Final = {
    "activity_max_bqml": "max Bq/mL",
    "activity_mean_bqml": "mean Bq/mL",
    "activity_peak_bqml": "peak Bq/mL",
    "mtv_ml": "MTV mL",
}
OF_REFERENCES: Final = {"suv_max": "max", "suv_mean": "mean", "mtv_ml": "volume_ml"}
GZIP_LEVEL: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPage:
    """A page and what it asks for.

    Parameters
    ----------
    html
        UTF-8.
    policy
        Value of the header ``Content-Security-Policy``.
    volumes
        Name, relative to the page, to gzipped bytes.
    """

    html: bytes
    policy: str
    volumes: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Numbers that the script reads: gzipped, within the page or beside it."""

    name: str
    content: bytes
    is_inline: bool

    @property
    def text(self) -> str:
        return base64.b64encode(self.content).decode("ascii") if self.is_inline else ""

    @property
    def place(self) -> str:
        return "" if self.is_inline else self.name


def page_bytes(scene: Scene) -> bytes:
    """Return the page as one file that needs nothing else.

    Raises
    ------
    LookupError
        When a part of a volume was not loaded.
    """
    return _page(scene, is_inline=True).html


def served_page(scene: Scene) -> ServedPage:
    """Return the page with its volumes beside it, for a server.

    Raises
    ------
    LookupError
        As `page_bytes`.
    """
    return _page(scene, is_inline=False)


def _page(scene: Scene, *, is_inline: bool) -> ServedPage:
    picture = picture_of(scene.pet.grid)
    stored = stored_numbers(scene.pet)
    ct = None if scene.ct is None else resampled_ct(scene.ct, scene.pet.grid, picture)
    rois = (*scene.lesions, *scene.backgrounds)
    runs, counts = runs_of(rois)
    arrays: dict[str, NDArray[np.generic]] = {"pet": stored, "regions": runs}
    if ct is not None:
        arrays["ct"] = ct[0]
    blocks = [
        _Block(
            name=name,
            content=gzip.compress(array.tobytes(), compresslevel=GZIP_LEVEL, mtime=0),
            is_inline=is_inline,
        )
        for name, array in arrays.items()
    ]
    rows = _rows(scene)
    facts = {
        "unit": _unit_words(scene),
        "is_suv": scene.is_suv,
        "pet": {
            "dtype": stored.dtype.name,
            "shape": list(stored.shape),
            "slope": scene.pet.slope.tolist(),
            "intercept": scene.pet.intercept.tolist(),
            "affine": scene.pet.grid.affine.tolist(),
            "positions_mm": None
            if scene.pet.grid.slice_positions_mm is None
            else scene.pet.grid.slice_positions_mm.tolist(),
            "spacing_mm": list(scene.pet.grid.spacing_mm),
        },
        "picture": {
            "axes": list(picture.axes),
            "reversed": list(picture.is_reversed),
            "slices": picture.slices.tolist(),
            "step_mm": picture.step_mm,
        },
        "ct": None if ct is None else {"split": ct[1], "outside": NO_CT},
        "regions": [
            {"name": row["name"], "n_runs": count, "place": row["place"]}
            for row, count in zip(rows, counts, strict=True)
        ],
        "auto_upper": auto_window(scene.pet),
    }
    policy, scripts = _policy(is_inline=is_inline)
    html = _template().render(
        scene=scene,
        columns=_columns(scene),
        rows=rows,
        facts=_as_script(facts),
        blocks=blocks,
        policy=policy,
        niivue=Markup(scripts["niivue"]),  # noqa: S704 - vendored, and held to its hash by the policy
        script=Markup(scripts["viewer"]),  # noqa: S704 - our own file
        style=Markup(scripts["style"]),  # noqa: S704 - the same
        notes=_notes(scene, picture, ct),
        vendored=vendored(),
        licence=(HERE / "niivue/LICENSE").read_text(encoding="utf-8"),
        bundled=(HERE / "niivue/LICENSE.bundled").read_text(encoding="utf-8"),
        version=__version__,
    )
    return ServedPage(
        html=html.encode("utf-8"),
        policy=f"{policy}; frame-ancestors 'none'",
        volumes={} if is_inline else {block.name: block.content for block in blocks},
    )


def vendored() -> dict[str, Any]:
    """Return what is known of the vendored files."""
    return tomllib.loads((HERE / "niivue/vendored.toml").read_text(encoding="utf-8"))


def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number_words
    return environment.get_template("viewer.html.j2")


def _policy(*, is_inline: bool) -> tuple[str, dict[str, str]]:
    """Return the content security policy, and the texts that it allows by their hashes."""
    texts = {
        name: (HERE / file).read_text(encoding="utf-8")
        for name, file in (
            ("niivue", "niivue/niivue.umd.js"),
            ("viewer", "viewer.js"),
            ("style", "viewer.css"),
        )
    }
    hashes = {
        name: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for name, text in texts.items()
    }
    rules = (
        "default-src 'none'",
        f"script-src {hashes['niivue']} {hashes['viewer']}",
        f"style-src {hashes['style']}",
        "img-src data:",  # the letters that NiiVue draws
        "connect-src 'none'" if is_inline else "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules), texts


def _as_script(facts: Mapping[str, Any]) -> Markup:
    """Return JSON that no parser of HTML takes for markup."""
    text = json.dumps(facts, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - ASCII without < > &


def _unit_words(scene: Scene) -> str:
    return scene.pet.unit.value.replace("cm2", "cm²")


def _columns(scene: Scene) -> dict[str, str]:
    """Return column to heading."""
    if scene.suv_type == "none":
        columns = dict(NATIVE_COLUMNS)
    elif scene.suv_type == "native":
        unit = _unit_words(scene)
        columns = {"suv_max": f"max {unit}", "suv_mean": f"mean {unit}", "suv_peak": f"peak {unit}",
                   "mtv_ml": "MTV mL"}  # fmt: skip
    else:
        columns = dict(SUV_COLUMNS)
    return columns | {f"tbr_max_{one['name']}": f"TBRmax {one['name']}" for one in scene.references}


def _rows(scene: Scene) -> list[dict[str, Any]]:
    """Return one row a region: its name, its cells, and the voxel that a click goes to."""
    of_scan = {code for code, _ in scene.caveats}
    columns = _columns(scene)
    rows = []
    for roi, row in zip(scene.lesions, scene.rows, strict=True):
        rows.append(
            {
                "name": str(row["roi_name"]),
                "number": str(row["roi_id"]),
                "kind": "lesion",
                "cells": [row.get(column) for column in columns],
                "flags": [flag for flag in row["flags"] if flag not in of_scan],
                "place": _place_of(scene, roi, row),
            }
        )
    for roi, reference in zip(scene.backgrounds, scene.references, strict=True):
        rows.append(
            {
                "name": str(reference["name"]),
                "number": "",
                "kind": "background",
                "cells": [reference.get(OF_REFERENCES.get(column, "")) for column in columns],
                "flags": list(reference["flags"]),
                "place": centre_of(roi, scene.pet.grid),
            }
        )
    return rows


def _place_of(scene: Scene, roi: Roi, row: Mapping[str, Any]) -> list[int] | None:
    """Return the voxel of the maximum of a lesion."""
    at = [row.get(f"max_{axis}_mm") for axis in "xyz"]
    if any(mm is None for mm in at):
        return centre_of(roi, scene.pet.grid)
    return index_at(scene.pet.grid, [float(mm) for mm in at if mm is not None])


def _number_words(value: Any) -> str:
    """Return a number in four digits, a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:#.4g}".rstrip(".") if 1e-3 <= abs(value) < 1000 else f"{value:.1f}"
    return str(value)


def _notes(scene: Scene, picture: Picture, ct: tuple[NDArray[np.int16], int] | None) -> Sequence[str]:
    """Return what the picture is not."""
    notes = []
    if picture.farthest_mm:
        steps = np.diff(scene.pet.grid.slice_positions_mm)  # type: ignore[arg-type]  # uneven: there are some
        notes.append(
            f"The slices of this scan lie {steps.min():.2f} to {steps.max():.2f} mm apart. The picture has one "
            f"step: each of its planes shows the nearest slice, at most {picture.farthest_mm:.2f} mm off. "
            "Positions and values under the cursor are those of the slice itself."
        )
    if picture.tilt_degrees > 1:
        notes.append(
            f"The planes are those of the PET, tilted by {picture.tilt_degrees:.0f} degrees against the patient."
        )
    if ct is not None and scene.ct is not None:
        spacing = scene.pet.grid.spacing_mm
        fine = scene.ct.grid.spacing_mm
        notes.append(
            f"CT: interpolated from {fine[2]:.2f} × {fine[1]:.2f} × {fine[0]:.2f} mm onto "
            f"{spacing[2] / ct[1]:.2f} × {spacing[1] / ct[1]:.2f} × {picture.step_mm:.2f} mm; HU are for "
            "orientation."
        )
    elif scene.without_ct:
        notes.append(f"No CT is shown: {scene.without_ct}")
    if any(roi.weights is not None for roi in (*scene.lesions, *scene.backgrounds)):
        notes.append("Outlines show voxels at least half inside; the table counts fractions of voxels.")
    return notes
