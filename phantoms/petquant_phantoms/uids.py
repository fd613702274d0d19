"""A UID of a phantom is made from its name, so that every run writes the same one."""

from __future__ import annotations

import hashlib


def uid(name: str, kind: str, index: object = 0) -> str:
    """Return ``2.25.`` and the integer of the first 16 bytes of sha256("name/kind/index")."""
    digest = hashlib.sha256(f"{name}/{kind}/{index}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
