"""Caveats are the codes of a record for a reader: what was seen, whom it concerns, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from petquant.flags import CODES, Severity

__all__ = ["caveats"]


def caveats(record: Mapping[str, Any], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return every code once: what it means, what was found, whom it concerns, what to do; flags first."""
    found: dict[str, dict[str, Any]] = {}

    def entry(code: str) -> dict[str, Any]:
        row = CODES[code]
        is_flag = row.severity is Severity.FLAG
        return found.setdefault(
            code,
            {
                "code": code,
                "is_flag": is_flag,
                "meaning": row.meaning,
                "remedy": row.remedy,
                "found": [],
                "of": [],
            },
        )

    for one in record["conversion"]["codes"]:
        of_code = entry(one["code"])
        of_code["found"].append(one["found"] + (f"; expected {one['expected']}" if one["expected"] else ""))
        of_code["remedy"] = of_code["remedy"] or one["remedy"] or ""
    general = set(record["conversion"]["flags"])
    for place, row in enumerate(record["measurements"]):
        for code in row["flags"]:
            if code not in general:
                entry(code)["of"].append(f"lesion {labels[place % len(labels)]}")
    for reference in record["references"]:
        for code in reference["flags"]:
            entry(code)["of"].append(f"reference {reference['name']}")
    for one in found.values():
        one["of"] = list(dict.fromkeys(one["of"]))
        one["found"] = list(dict.fromkeys(one["found"]))
    return sorted(found.values(), key=lambda one: not one["is_flag"])
