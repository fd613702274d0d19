"""Names of labels come from JSON or CSV beside a label map that has none."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from petquant.errors import PetquantError, UnreadableInput, UsageError

__all__ = ["read_names"]


def read_names(path: Path | str) -> dict[int, str]:
    """Return the names of labels from JSON ``{"1": "name"}`` or CSV with the columns label and name.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND.
    UnreadableInput
        FILE_UNREADABLE, SIDECAR_INVALID.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError.of("PATH_NOT_FOUND", "does not exist", path=str(path))
    if not path.is_file():
        raise _names_invalid(path, "no regular file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableInput.of(
            "FILE_UNREADABLE",
            error.strerror or str(error),
            expected="a file that can be read",
            path=str(path),
        ) from error
    try:
        text = content.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            pairs = list(json.loads(text).items())
        else:
            rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
            head = [cell.lower() for cell in rows[0]]
            of_label, of_name = head.index("label"), head.index("name")
            pairs = [(row[of_label], row[of_name]) for row in rows[1:]]
        names = {int(label): name for label, name in pairs}
    except (ValueError, IndexError, AttributeError, RecursionError, csv.Error) as error:
        raise _names_invalid(path, str(error)) from error
    if len(names) < len(pairs) or not all(isinstance(name, str) for name in names.values()):
        raise _names_invalid(path, "a label with two names, or a name that is no text")
    return names


def _names_invalid(path: Path, found: str) -> PetquantError:
    return UnreadableInput.of(
        "SIDECAR_INVALID",
        f"names of labels cannot be read: {found}",
        expected='JSON {"1": "name"} or CSV with the columns label,name',
        path=str(path),
    )
