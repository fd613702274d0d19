"""A folder of studies, in any mess: every study with a PET image in it is one of the batch."""

from __future__ import annotations

import os
from pathlib import Path

from petquant.batch.sources.given import Given
from petquant.batch.sources.matching import require_apart
from petquant.batch.sources.naming import names_of, words_of
from petquant.batch.task import StudyTask
from petquant.discover.tree import Tree, look_through

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
        [(words_of(study.folder, root), study.uid or study.folder) for study in tree.studies]
        + [(words_of(image, root), os.path.relpath(image, root)) for image in tree.images]
    )
    tasks = [
        given.task(
            name,
            study.folder,
            places={
                "study": study.folder,
                "name": name,
                "patient": study.patient_id.replace("/", "_").replace(os.sep, "_"),
                "source": os.fspath(root),
            },
            own_regions=study.regions,
            choices=given.with_study(study.uid),
        )
        for name, study in zip(names, tree.studies, strict=False)
    ]
    tasks += [
        _unless_in_dicom(tree, image, given, name)
        or given.task(
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


def _unless_in_dicom(tree: Tree, image: str, given: Given, name: str) -> StudyTask | None:
    """Return a task that is skipped for an image in the folder of one study in DICOM, and None for others.

    Where DICOM and NIfTI lie together, one was made of the other, and DICOM is measured, as for one study.
    """
    folders = [study.folder for study in tree.studies]
    own = [folder for folder in folders if Path(folder) in Path(image).parents and folders.count(folder) == 1]
    if not own or (own == [tree.root] and len(folders) > 1):
        return None
    why = "a NIfTI image in the folder of a study in DICOM, which is measured; a manifest can name it"
    return StudyTask(name=name, study=image, rois=(), choices=given.choices, reason_to_skip=why)
