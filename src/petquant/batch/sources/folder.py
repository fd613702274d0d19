"""A folder of studies, in any mess: every study with a PET image in it is one of the batch."""

from __future__ import annotations

import os
from pathlib import Path

from petquant.batch.sources.given import Given
from petquant.batch.sources.matching import require_apart
from petquant.batch.sources.naming import names_of
from petquant.batch.task import StudyTask
from petquant.discover.tree import look_through
from petquant.nifti import is_nifti
from petquant.sidecar.pairs import SUFFIXES

__all__ = ["tasks_of_folder"]

PLACES = ("study", "name", "patient", "source")


def tasks_of_folder(root: Path, given: Given) -> list[StudyTask]:
    """Return a task for every PET study of a tree, named by its folder from the root on.

    A study is asked for by its UID, so that others may lie in the same folder.

    Raises
    ------
    UsageError
        PATH_NOT_FOUND; OPTION_INVALID for a pattern that cannot be filled in, or regions of two studies.
    """
    given.require_places(*PLACES)
    tree = look_through(root, follow_symlinks=given.choices.follow_symlinks)
    names = names_of(
        [(_words(study.folder, root), study.uid or study.folder) for study in tree.studies]
        + [(_words(image, root), os.path.relpath(image, root)) for image in tree.images]
    )
    tasks = [
        given.task(
            name,
            study.folder,
            places={
                "study": study.folder,
                "name": name,
                "patient": study.patient_id,
                "source": os.fspath(root),
            },
            own_regions=study.regions,
            choices=given.with_study(study.uid),
        )
        for name, study in zip(names, tree.studies, strict=False)
    ]
    tasks += [
        given.task(
            name,
            image,
            places={
                "study": os.path.dirname(image) or os.curdir,  # noqa: PTH120 - as written
                "name": name,
                "patient": "",
                "source": os.fspath(root),
            },
        )
        for name, image in zip(names[len(tree.studies) :], tree.images, strict=True)
    ]
    require_apart([(task.name, task.rois) for task in tasks])
    return tasks


def _words(path: str, root: Path) -> str:
    """Return a path from the root on, the root's own name for itself, without the suffix of an image."""
    words = os.path.relpath(path, root)
    if words == os.curdir:
        words = root.resolve().name
    suffix = next((one for one in SUFFIXES if words.lower().endswith(one) and is_nifti(Path(path))), "")
    return words[: -len(suffix)] if suffix else words
