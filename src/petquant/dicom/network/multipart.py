"""A multipart body of one part, as an archive sends an instance (PS3.18 section 8.7.1, RFC 2046)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["only_part"]

_BOUNDARY: Final = re.compile(r';\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s";]{1,70}))', re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"
_LONGEST_HEAD: Final = 16_384


def only_part(body: bytearray, content_type: str) -> memoryview:
    """Return the content of the one part of a body; a body that is no multipart is the content itself.

    Parameters
    ----------
    body
        All bytes of the answer. The result is a view of them, not a copy.
    content_type
        The header of that name.

    Raises
    ------
    ValueError
        When the body is not closed by its boundary, which is how a truncated one is told, or holds no part or
        several.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in {"application/dicom", "application/octet-stream"}:
        return memoryview(body)
    if kind != "multipart/related":
        raise ValueError(f"content of type {kind or '(none)'}")
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise ValueError("a multipart body without a boundary")
    marker = b"--" + (match[1] or match[2]).encode("latin-1")
    start = 0 if body.startswith(marker) else body.find(b"\r\n" + marker, 0, _LONGEST_HEAD) + 2
    if not body.startswith(marker, start):
        raise ValueError("a multipart body that does not begin with its boundary")
    head_end = body.find(_HEAD_END, start, start + _LONGEST_HEAD)
    end = body.rfind(b"\r\n" + marker + b"--")
    if head_end < 0 or end < head_end + len(_HEAD_END) - 2:
        raise ValueError("a multipart body that ends before its closing boundary")
    content = head_end + len(_HEAD_END)
    if body.find(b"\r\n" + marker + b"\r\n", content, end) >= 0:
        raise ValueError("several parts for one instance")
    return memoryview(body)[content:end]
