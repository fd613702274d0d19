"""The page of the viewer: one HTML file with all in it, or the same page beside its volumes.

What comes from files is text to the template (autoescape) and to the script (textContent), and characters of
it that cannot be seen stand as their escapes; the content security policy allows the two scripts and the one
style sheet by their hashes, and no request but, when the page is served, for its own volumes.
"""

from __future__ import annotations

import base64
import gzip
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import FileSystemLoader
from markupsafe import Markup
from numpy.typing import NDArray

from petquant.export.report.page import environment_of, inline_source, visible
from petquant.export.viewer.notes import notes_of
from petquant.export.viewer.outlines import runs_of
from petquant.export.viewer.picture import (
    NO_CT,
    auto_window,
    picture_of,
    resampled_ct,
    stored_numbers,
)
from petquant.export.viewer.scene import Scene
from petquant.export.viewer.table import columns_of, number_words, rows_of, unit_words
from petquant.version import __version__

__all__ = ["ServedPage", "page_bytes", "served_page"]

HERE: Final = Path(__file__).parent
PRESETS: Final = (5 / 7, 1.0, 10 / 7, 15 / 7)  # of the window at first: 0 to 5, 7, 10, 15 by body weight
GZIP_LEVEL: Final = 4  # 6 takes twice as long for 2 % less


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
    rows = rows_of(scene)
    facts = {
        "unit": unit_words(scene),
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
            {
                "name": visible(f"{row['number']} {row['name']}".strip()),
                "kind": row["kind"],
                "n_runs": count,
                "place": row["place"],
            }
            for row, count in zip(rows, counts, strict=True)
        ],
        "upper": _rounded(scene.upper),
        "auto_upper": _rounded(auto_window(scene.pet)),
    }
    policy, scripts = _policy(is_inline=is_inline)
    html = _template().render(
        scene=scene,
        columns=columns_of(scene),
        rows=rows,
        presets=[_rounded(scene.upper * part) for part in PRESETS] if scene.is_suv else [],
        facts=_as_script(facts),
        blocks=blocks,
        policy=policy,
        niivue=Markup(scripts["niivue"]),  # noqa: S704 - vendored, and held to its hash by the policy
        script=Markup(scripts["viewer"]),  # noqa: S704 - our own file
        style=Markup(scripts["style"]),  # noqa: S704 - the same
        notes=notes_of(scene, picture, None if ct is None else ct[1]),
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
    environment = environment_of(FileSystemLoader(HERE))
    environment.filters["number"] = number_words
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
    hashes = {name: inline_source(text) for name, text in texts.items()}
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


def _rounded(value: float) -> float:
    """Return a value to two digits, as an end of a window is written."""
    return float(f"{value:.2g}")


def _as_script(facts: Mapping[str, Any]) -> Markup:
    """Return JSON that no parser of HTML takes for markup."""
    text = json.dumps(facts, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - ASCII without < > &
