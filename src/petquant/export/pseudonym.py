"""The secret of pseudonyms lies in the folder of the results, readable by its owner alone."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["KEY", "pseudonym_key"]

KEY: Final = "pseudonym.key"


def pseudonym_key(folder: Path) -> bytes:
    """Return the secret that an earlier run left in a folder, or a new one; nothing is written."""
    path = folder / KEY
    if path.is_file():
        with suppress(OSError):
            content = path.read_bytes()
            if content.strip():
                return content
    return secrets.token_hex(32).encode() + b"\n"
