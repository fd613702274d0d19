"""Names of labels come from JSON or CSV beside a label map; a side-car also says what made the regions."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from petquant.errors import PetquantError, UnreadableInput, UsageError

__all__ = ["read_names", "read_places", "read_sources"]


def read_names(path: Path | str) -> dict[int, str]:
    """Return the names of labels from JSON ``{"1": "name"}`` or CSV with the columns label and name.

    The side-car of ``petquant segment`` is JSON of that kind, with more about each label.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND.
    UnreadableInput
        FILE_UNREADABLE, SIDECAR_INVALID.
    """
    path = Path(path)
    text = _text(path)
    try:
        if text.lstrip().startswith("{"):
            regions = _regions(text)
            pairs = [(label, one["name"] if isinstance(one, dict) else one) for label, one in regions.items()]
        else:
            rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
            head = [cell.lower() for cell in rows[0]]
            of_label, of_name = head.index("label"), head.index("name")
            pairs = [(row[of_label], row[of_name]) for row in rows[1:]]
        names = {int(label): name for label, name in pairs}
    except (ValueError, KeyError, IndexError, AttributeError, RecursionError, csv.Error) as error:
        raise _names_invalid(path, str(error)) from error
    if len(names) < len(pairs) or not all(isinstance(name, str) for name in names.values()):
        raise _names_invalid(path, "a label with two names, or a name that is no text")
    try:
        "".join(names.values()).encode("utf-8")
    except UnicodeEncodeError as error:  # JSON may escape half of a surrogate pair, which is no character
        raise _names_invalid(path, str(error)) from error
    return names


def read_sources(path: Path | str) -> dict[int, str]:
    """Return how the regions of a side-car of ``petquant segment`` came about; nothing of other files.

    Raises
    ------
    PetquantError
        As `read_names`, which comes first.
    """
    text = _text(Path(path))
    if not text.lstrip().startswith("{"):
        return {}
    sources = {
        int(label): one.get("roi_source") for label, one in _regions(text).items() if isinstance(one, dict)
    }
    return {label: source for label, source in sources.items() if isinstance(source, str)}


def read_places(path: Path | str) -> dict[int, tuple[str, str]]:
    """Return the anatomical region and side of labels, where a file of names gives them.

    CSV with the columns ``region`` and ``side`` beside label and name, or JSON
    ``{"1": {"name": ..., "region": ..., "side": ...}}``; empty where one is not given.

    Raises
    ------
    PetquantError
        As `read_names`, which comes first.
    """
    path = Path(path)
    text = _text(path)
    try:
        if text.lstrip().startswith("{"):
            rows = [{**one, "label": label} for label, one in _regions(text).items() if isinstance(one, dict)]
        else:
            lines = csv.DictReader(text.splitlines())
            rows = [
                {key.strip().lower(): value for key, value in row.items() if key is not None} for row in lines
            ]
        return {
            int(row["label"]): (str(row.get("region") or "").strip(), str(row.get("side") or "").strip())
            for row in rows
        }
    except (ValueError, KeyError, AttributeError, RecursionError, csv.Error) as error:
        raise _names_invalid(path, str(error)) from error


def _regions(text: str) -> dict[str, Any]:
    """Return what JSON says of each label."""
    content: dict[str, Any] = json.loads(text)
    regions = content.get("regions")
    return regions if isinstance(regions, dict) else content


def _text(path: Path) -> str:
    """Return the text of a file of names."""
    if not path.exists():
        raise UsageError.of("PATH_NOT_FOUND", "does not exist", path=str(path))
    if not path.is_file():
        raise _names_invalid(path, "no regular file")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnreadableInput.of(
            "FILE_UNREADABLE",
            error.strerror or str(error),
            expected="a file that can be read",
            path=str(path),
        ) from error
    except ValueError as error:
        raise _names_invalid(path, str(error)) from error


def _names_invalid(path: Path, found: str) -> PetquantError:
    return UnreadableInput.of(
        "SIDECAR_INVALID",
        f"names of labels cannot be read: {found}",
        expected='JSON {"1": "name"} or CSV with the columns label,name',
        path=str(path),
    )
