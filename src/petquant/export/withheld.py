"""Withheld is what no stored output repeats although a finding quotes it: paths of input and free text."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Self

from petquant.study.source import Source

__all__ = ["Withheld"]

_DESCRIPTION = re.compile(r"(SeriesDescription \(0008,103E\)) = .*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """What to take out of the words of findings.

    Parameters
    ----------
    root
        Folder or file that was looked into; "" when it is not known.
    paths
        Of the files in it that may be named.
    """

    root: str = ""
    paths: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source) -> Self:
        """Return what a source withholds: every path in its folder."""
        return cls(root=source.root, paths=source.paths)

    def from_words(self, words: str, path: str = "") -> str:
        """Return `words` with "the file" for every path, and without what a person typed.

        What stands behind the root and is no known path goes to the end of the words: a name may hold blanks
        and commas.
        """
        words = _DESCRIPTION.sub(r"\1, which is withheld", words)
        for known in (path, os.path.basename(path)) if path else ():  # noqa: PTH119 - as written
            words = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", "the file", words)
        folder = self.root.rstrip(os.sep)
        if not folder or folder not in words:
            return words
        for known in sorted((one for one in self.paths if one in words), key=len, reverse=True):
            words = words.replace(known, "the file")
        return re.sub(
            rf"(?<!\w){re.escape(folder)}(?:{re.escape(os.sep)}.*|$)", "the file", words, flags=re.DOTALL
        )
