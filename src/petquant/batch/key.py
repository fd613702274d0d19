"""The key of a run: what its result depends on, so that it is computed again when that changes.

Inputs are known by the names, sizes and times of change of their files, and not by their bytes: a thousand
studies are looked through in seconds. A change that keeps size and time of change of a file is not seen.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from stat import S_ISDIR

from petquant.batch.task import StudyTask
from petquant.export.record import Privacy
from petquant.nrrd.header import data_file_of
from petquant.sidecar.pairs import companions, participants_beside
from petquant.version import __version__

__all__ = ["inputs_of", "key_of"]


def key_of(task: StudyTask, privacy: Privacy) -> str:
    """Return the SHA-256, in hex, of inputs, choices and version of a task.

    What a table said beyond them (`StudyTask.columns`) is copied and not computed with, and does not count.
    """
    digest = hashlib.sha256(f"{__version__}\n".encode())
    choices = (
        len(task.rois),
        [
            [(part.name, getattr(one, part.name)) for part in fields(one) if part.name != "path"]
            for one in task.backgrounds
        ],
        task.labels is None,
        task.choices,
        task.psf_fwhm_mm,
        task.reason_to_skip,
        privacy.with_identifiers,
        privacy.has_hashed_uids,
        privacy.has_roi_names,
        None if privacy.key is None else hmac.new(privacy.key, b"petquant batch", "sha256").hexdigest(),
    )
    digest.update(repr(choices).encode("utf-8", "surrogateescape"))
    for line in _inputs(task):
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def inputs_of(task: StudyTask) -> list[Path]:
    """Return every file and folder that measuring a task reads."""
    study = Path(task.study)
    regions = [Path(roi) for roi in task.rois]
    regions += [Path(one.path) for one in task.backgrounds if one.path is not None]
    places = [study, *_beside(study)]
    for path in regions:
        beside = data_file_of(path)
        places += [path] if beside is None else [path, beside]
    return places if task.labels is None else [*places, Path(task.labels)]


def _inputs(task: StudyTask) -> Iterator[str]:
    for place in inputs_of(task):
        yield f"\n{os.path.realpath(place)}\n"  # the same from every working directory
        yield from _listing(place, set())


def _beside(study: Path) -> list[Path]:
    """Return what is read of a NIfTI study beyond its image or folder."""
    if os.path.isfile(study):  # noqa: PTH113 - pathlib raises where the way is barred
        return list(companions(study))
    if not os.path.isdir(study):  # noqa: PTH112 - the same
        return []
    found = [participants_beside(image) for image in sorted(study.glob("*.nii*"))[:1]]
    return [path for path in found if path is not None]


def _listing(place: Path, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Yield name, size and time of change of a file, or of every file of a folder, in fixed order."""
    try:
        status = place.stat()
        if not S_ISDIR(status.st_mode):
            yield f"{place.name} {status.st_size} {status.st_mtime_ns}\n"
            return
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        inside = sorted(path.name for path in place.iterdir())
    except OSError as error:  # it is measuring that says what is wrong with it
        yield f"{place.name} {error.errno}\n"
        return
    yield f"{place.name}/ {len(inside)}\n"
    for name in inside:
        yield from _listing(place / name, seen)
