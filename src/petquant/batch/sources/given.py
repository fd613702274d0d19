"""What is given with a source holds for all of its studies: patterns of regions, backgrounds, choices."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from petquant.background import Background, background_of
from petquant.batch.sources.matching import OWN_REGIONS, empty_place, filled, matches, require_places
from petquant.batch.task import StudyTask
from petquant.errors import PetquantError, UsageError
from petquant.paths import existing
from petquant.study import Choices

__all__ = ["Given"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What holds for all studies of a source.

    Parameters
    ----------
    roi_patterns
        Patterns of the files of regions, see `petquant.batch.sources.matching`.
    backgrounds
        As they are, or in words (`petquant.background.text`) that a study fills in.
    choices
        Of all studies; a row of a table comes on top.
    labels
        File with the names of the labels, a path that a study fills in.
    psf_fwhm_mm
        As for `petquant.quantify.quantify`.
    """

    roi_patterns: tuple[str, ...] = ()
    backgrounds: tuple[str | Background, ...] = ()
    choices: Choices = field(default_factory=Choices)
    labels: str | None = None
    psf_fwhm_mm: float | None = None

    def require_places(self, *known: str) -> None:
        """Raise OPTION_INVALID for words in braces that no study of the source fills in."""
        texts = [pattern for pattern in self.roi_patterns if pattern.lower() not in OWN_REGIONS]
        texts += [one for one in self.backgrounds if isinstance(one, str)]
        require_places([*texts, *([] if self.labels is None else [self.labels])], known)

    def task(
        self,
        name: str,
        study: str,
        *,
        places: Mapping[str, str],
        own_regions: Mapping[str, Sequence[str]] | None = None,
        rois: Sequence[str] = (),
        choices: Choices | None = None,
        columns: Mapping[str, str] | None = None,
        backgrounds: Sequence[Background] = (),
        labels: str | None = None,
    ) -> StudyTask:
        """Return the task of one study.

        Parameters
        ----------
        places
            What the study fills in, by word in braces.
        own_regions
            Its DICOM regions by modality.
        rois, choices, columns, backgrounds, labels
            What is known of this study alone; regions by pattern are looked for when there are none, and a
            background comes in place of one of the same name.
        """
        files, why_not = list(rois), ""
        if not files:
            files, why_not = self._matching(places, own_regions or {})
        behind, absent = self._backgrounds(places, besides={one.name for one in backgrounds})
        names, no_labels = (labels, "") if labels else self._labels(places)
        return StudyTask(
            name=name,
            study=study,
            rois=tuple(files),
            backgrounds=(*behind, *backgrounds),
            labels=names,
            choices=choices or self.choices,
            psf_fwhm_mm=self.psf_fwhm_mm,
            columns=dict(columns or {}),
            reason_to_skip=why_not or absent or no_labels,
        )

    def _matching(
        self, places: Mapping[str, str], own_regions: Mapping[str, Sequence[str]]
    ) -> tuple[list[str], str]:
        """Return the files that the patterns match, or none and the reason."""
        found: list[str] = []
        for pattern in self.roi_patterns:
            modality = OWN_REGIONS.get(pattern.lower())
            if modality is not None:
                files = sorted(own_regions.get(modality, ()))
            elif empty_place(pattern, places):
                continue
            else:
                files = matches(pattern, places)
            if modality is not None and len(files) > 1:  # of another reader, of the CT: who can say
                return [], f"{len(files)} {modality} objects belong to the study; name one by a path"
            found += files
        return (list(dict.fromkeys(found)), "") if found else ([], self._no_region())

    def _no_region(self) -> str:
        tried = " or ".join(self.roi_patterns)  # as given: filled in they would name paths of patients
        return f"no region: nothing matches {tried}" if tried else "no region was given"

    def _backgrounds(
        self, places: Mapping[str, str], *, besides: Collection[str]
    ) -> tuple[list[Background], str]:
        """Return the backgrounds of a study `besides` those it has of its own, and why not all of them."""
        found = []
        for one in self.backgrounds:
            name = one.partition("=")[0].strip() if isinstance(one, str) else one.name
            if name in besides:
                continue
            try:
                found.append(background_of(_whole(one, places)) if isinstance(one, str) else one)
            except PetquantError as error:
                return found, f"no background {one}: {_codes(error)}"
        return found, ""

    def _labels(self, places: Mapping[str, str]) -> tuple[str | None, str]:
        """Return the file of labels of a study, and why it has none."""
        if self.labels is None:
            return None, ""
        try:
            return os.fspath(existing(Path(_whole(self.labels, places)))), ""
        except PetquantError as error:
            return None, f"no labels {self.labels}: {_codes(error)}"

    def with_study(self, uid: str) -> Choices:
        """Return the choices with the study that is meant, where its UID is known."""
        return replace(self.choices, study=uid) if uid else self.choices


def _whole(text: str, places: Mapping[str, str]) -> str:
    """Return a text filled in, or raise where the study has nothing for a word of it."""
    empty = empty_place(text, places)
    if empty:
        raise UsageError.of("OPTION_INVALID", f"{text}, and {{{empty}}} is empty", expected="a value")
    return filled(text, places)


def _codes(error: PetquantError) -> str:
    return " ".join(dict.fromkeys(finding.code for finding in error.findings))
