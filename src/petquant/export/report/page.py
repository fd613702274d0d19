"""A page is one HTML file that asks for nothing: style, script, pictures and downloads all lie in it.

Templates extend ``page.html.j2``. Every value is escaped, and characters that cannot be seen (control,
bidirectional, surrogate) stand as their escapes. The content security policy allows the one style and the one
script by their hashes, pictures as ``data:``, and nothing else; so no template has a ``style`` attribute.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from petquant.export.record import NOTICE
from petquant.version import __version__

__all__ = ["CSV", "data_url", "environment_of", "inline_source", "number_words", "page", "visible"]

UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
TEMPLATES: Final = "templates"
CSV: Final = "text/csv;charset=utf-8"


def page(template: str, values: Mapping[str, Any]) -> bytes:
    """Return a page as UTF-8; the same values give the same bytes.

    Parameters
    ----------
    template
        Name of a template that extends ``page.html.j2``.
    values
        What it shows. Text of any origin may stand in it; `markupsafe.Markup` is for what is made here.
    """
    style, script = _shipped("page.css"), _shipped("page.js")
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src {inline_source(style)}",
            f"script-src {inline_source(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    text = (
        _environment()
        .get_template(template)
        .render(
            **values,
            policy=policy,
            style=Markup(style),  # noqa: S704 - shipped with petquant
            script=Markup(script),  # noqa: S704 - the same
            version=__version__,
            notice=NOTICE,
        )
    )
    return text.encode("utf-8")


def visible(text: str) -> str:
    """Return `text` with everything that cannot be seen as its escape; line feeds and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in UNSEEN
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def data_url(content: bytes, media_type: str) -> str:
    """Return content as a ``data:`` URL in base64."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def number_words(value: Any) -> str:
    """Return a number in four digits (8.000), a dash for what is not defined."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:#.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def _finalised(value: Any) -> Any:
    """Return what a template prints: markup made here as it is, anything else with nothing unseen in it."""
    return value if isinstance(value, Markup) else visible(str(value))


def environment_of(loader: BaseLoader) -> Environment:
    """Return what renders pages: every value escaped, nothing unseen in it, none of them missing."""
    return Environment(
        loader=loader,
        autoescape=True,
        finalize=_finalised,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = environment_of(PackageLoader("petquant.export.report", TEMPLATES))
    environment.filters["number"] = number_words
    environment.filters["mm"] = _mm
    environment.filters["data_url"] = _csv_url
    return environment


def _csv_url(content: bytes) -> str:
    return data_url(content, CSV)


def _mm(value: float) -> str:
    """Return a coordinate of a picture to a hundredth of a millimetre."""
    return f"{round(float(value), 2) + 0.0:g}"


@lru_cache
def _shipped(name: str) -> str:
    return files("petquant.export.report").joinpath(TEMPLATES, name).read_text("utf-8")


def inline_source(text: str) -> str:
    """Return the source expression that allows an inline element with this text (CSP 3, section 2.3.1)."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
