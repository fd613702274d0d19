"""A pattern says where the regions of every study lie: a path with ``{study}`` and wildcards."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from petquant.errors import Finding, UsageError

__all__ = ["OWN_REGIONS", "empty_place", "filled", "matches", "require_apart", "require_places"]

# words that take the DICOM regions of the study itself
OWN_REGIONS: Final = {"dicom:seg": "SEG", "dicom:rtstruct": "RTSTRUCT"}
_PLACE: Final = re.compile(r"\{([^{}]*)\}")


def require_places(patterns: Iterable[str], known: Iterable[str]) -> None:
    """Raise what no study of a source can fill in.

    Raises
    ------
    UsageError
        OPTION_INVALID for every pattern with a word in braces that is none of `known`.
    """
    known = tuple(known)
    problems = [
        Finding(
            code="OPTION_INVALID",
            found=f"{pattern} holds {{{place}}}",
            expected=f"words in braces among {', '.join(f'{{{one}}}' for one in known)}",
        )
        for pattern in patterns
        for place in _PLACE.findall(pattern)
        if place not in known
    ]
    if problems:
        raise UsageError.because(*problems)


def empty_place(pattern: str, places: Mapping[str, str]) -> str:
    """Return the first word of a pattern for which a study has nothing; "" when it has all.

    A pattern would match what is no study's own where a word of it is filled in with nothing.
    """
    return next((place for place in _PLACE.findall(pattern) if not places[place]), "")


def filled(pattern: str, places: Mapping[str, str]) -> str:
    """Return a pattern with the words of a study in the places of its braces."""
    return _PLACE.sub(lambda match: places[match[1]], pattern)


def matches(pattern: str, places: Mapping[str, str]) -> list[str]:
    """Return the paths that a pattern of a study matches, in order.

    ``*`` and ``?`` stay within a name and ``**`` goes through folders; what a study fills in is
    taken as it is.
    """
    exact = {name: glob.escape(text) for name, text in places.items()}
    return sorted(glob.glob(filled(pattern, exact), recursive=True))  # noqa: PTH207 - the pattern starts anywhere


def require_apart(rois: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Raise when one file of regions matches two studies: it belongs to one of them at most.

    Parameters
    ----------
    rois
        Name and files of every study.

    Raises
    ------
    UsageError
        OPTION_INVALID, every such file with its studies.
    """
    owners: dict[str, list[str]] = {}
    for name, files in rois:
        for file in files:
            owners.setdefault(os.path.realpath(file), []).append(name)
    problems = [
        Finding(
            code="OPTION_INVALID",
            found=f"matches the studies {', '.join(names)}",
            expected="regions of one study",
            remedy="give a pattern with {study}, or a manifest",
            path=file,
            where=f"--roi {file}",
        )
        for file, names in owners.items()
        if len(names) > 1
    ]
    if problems:
        raise UsageError.because(*problems)
