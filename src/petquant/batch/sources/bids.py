"""A BIDS dataset as a source: every ``*_pet.nii.gz`` of its subjects, with the masks of its derivatives.

A mask or segmentation belongs to an image when both are of one subject and session, and no entity that the
mask names (tracer, reconstruction, run ...) is another one of the image. It lies in a folder ``pet`` and
names no space, or that of the PET: regions in the space of a template or of an MR are not on the PET.
"""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from petquant.batch.sources.given import Given
from petquant.batch.sources.matching import require_apart
from petquant.batch.sources.naming import names_of
from petquant.batch.task import StudyTask
from petquant.errors import UnreadableInput, UsageError
from petquant.sidecar.content import read_bounded
from petquant.sidecar.pairs import SUFFIXES

__all__ = ["is_dataset", "require_dataset", "tasks_of_dataset"]

PLACES: Final = ("study", "name", "source", "subject", "session")
MASKS: Final = ("mask", "dseg")
# entities of the image that a mask may name (BIDS-PET file names); the others are the mask's own
OF_IMAGES: Final = ("task", "acq", "trc", "ce", "rec", "run")
PET_SPACES: Final = {"", "pet", "orig", "individual", "native"}
_ENTITY: Final = re.compile(r"([A-Za-z0-9]+)-([A-Za-z0-9+]+)")


def is_dataset(folder: Path) -> bool:
    """Whether a folder is a BIDS dataset."""
    return (folder / "dataset_description.json").is_file()


def require_dataset(folder: Path) -> None:
    """Raise when a folder is no BIDS dataset.

    Raises
    ------
    UsageError
        OPTION_INVALID.
    """
    if not is_dataset(folder):
        raise UsageError.of(
            "OPTION_INVALID",
            f"{folder} is no BIDS dataset",
            expected="a folder with a dataset_description.json",
            remedy="petquant batch takes a folder of any studies",
        )


def tasks_of_dataset(root: Path, given: Given) -> list[StudyTask]:
    """Return a task for every PET image of a dataset, named as the image without its suffix.

    Their columns are ``participant_id``, ``session_id`` and those of ``participants.tsv``.

    Raises
    ------
    UsageError
        OPTION_INVALID for a pattern that cannot be filled in, or regions that fit two images.
    UnreadableInput
        SIDECAR_INVALID, when ``participants.tsv`` is no table.
    """
    given.require_places(*PLACES)
    images = _images(root)
    masks = {} if given.roi_patterns else _masks(root)
    participants = _participants(root)
    names = names_of([(_stem(image), os.fspath(image.relative_to(root))) for image in images])
    tasks = []
    for name, image in zip(names, images, strict=True):
        own = _entities(image)
        subject, session = own.get("sub", ""), own.get("ses", "")
        rois, elsewhere = _fitting(own, masks.get((subject, session), ()))
        task = given.task(
            name,
            os.fspath(image),
            places={
                "study": os.fspath(image.parent),
                "name": name,
                "source": os.fspath(root),
                "subject": subject,
                "session": session,
            },
            rois=rois,
            columns={
                "participant_id": f"sub-{subject}",
                **({"session_id": f"ses-{session}"} if session else {}),
                **participants.get(f"sub-{subject}", {}),
            },
        )
        tasks.append(task if given.roi_patterns else _explained(task, elsewhere))
    require_apart([(task.name, task.rois) for task in tasks])
    return tasks


def _explained(task: StudyTask, elsewhere: Sequence[str]) -> StudyTask:
    """Return a task; one without regions says which masks are not on the PET."""
    if task.rois or not task.reason_to_skip:
        return task
    why = "no mask or segmentation of this image in a folder pet of the derivatives"
    spaces = f"; there are some in the space {', '.join(elsewhere)}" if elsewhere else ""
    return replace(task, reason_to_skip=f"no region: {why}{spaces}")


def _images(root: Path) -> list[Path]:
    found = {
        image
        for suffix in SUFFIXES
        for pattern in (f"sub-*/pet/*_pet{suffix}", f"sub-*/ses-*/pet/*_pet{suffix}")
        for image in root.glob(pattern)
    }
    return sorted(found, key=os.fspath)


def _masks(root: Path) -> Mapping[tuple[str, str], list[Path]]:
    """Return the masks of the derivatives by subject and session."""
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    endings = tuple(f"_{kind}{suffix}" for kind in MASKS for suffix in SUFFIXES)
    for mask in root.glob("derivatives/**/pet/*"):
        if mask.name.endswith(endings):
            entities = _entities(mask)
            found[entities.get("sub", ""), entities.get("ses", "")].append(mask)
    return {key: sorted(masks, key=os.fspath) for key, masks in found.items()}


def _fitting(own: Mapping[str, str], masks: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Return the masks of one image, and in which spaces others of it are."""
    fitting, elsewhere = [], []
    for mask in masks:
        entities = _entities(mask)
        if any(name in entities and entities[name] != own.get(name) for name in OF_IMAGES):
            continue
        space = entities.get("space", "")
        if space.casefold() in PET_SPACES:
            fitting.append(os.fspath(mask))
        else:
            elsewhere.append(space)
    return fitting, list(dict.fromkeys(elsewhere))


def _entities(file: Path) -> dict[str, str]:
    """Return the entities in a name: ``{"sub": "01", "trc": "FDG"}``."""
    return dict(_ENTITY.findall(_stem(file)))


def _stem(file: Path) -> str:
    return next((file.name[: -len(one)] for one in SUFFIXES if file.name.lower().endswith(one)), file.name)


def _participants(root: Path) -> dict[str, dict[str, str]]:
    """Return what ``participants.tsv`` says of every participant."""
    table = root / "participants.tsv"
    if not table.is_file():
        return {}
    try:
        lines = list(csv.DictReader(read_bounded(table).decode("utf-8-sig").splitlines(), delimiter="\t"))
    except (ValueError, csv.Error) as error:
        raise UnreadableInput.of(
            "SIDECAR_INVALID",
            f"the table of participants cannot be read: {error}",
            expected="tab-separated columns, participant_id among them",
            path=str(table),
        ) from error
    return {
        line["participant_id"]: {name: value or "" for name, value in line.items() if name is not None}
        for line in lines
        if line.get("participant_id")
    }
