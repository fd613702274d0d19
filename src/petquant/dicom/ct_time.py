"""When the CT of a study was begun, for the order of CT and PET: from headers that the index has read.

Which series is the CT of the PET is known by its frame of reference; one file a series is opened for that,
and no other unless several series fit.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from petquant.acquisition import Instant
from petquant.dicom.ct import read_ct
from petquant.dicom.datetimes import instant, parse_clock, parse_date, parse_instant, parse_offset
from petquant.dicom.habit import Habits
from petquant.dicom.index import Index
from petquant.dicom.limits import DEFAULT_LIMITS, Limits
from petquant.dicom.scan import Instance, scan_or_damage
from petquant.dicom.series import Series
from petquant.dicom.tags import TAG
from petquant.errors import Refused
from petquant.grid import Grid

__all__ = ["ct_started_at"]

_LOCALIZER: Final = "LOCALIZER"  # PS3.3 C.8.2.1.1.1: the third value of ImageType


def ct_started_at(
    index: Index,
    pet: Series,
    grid: Grid,
    *,
    utc_offset: timedelta | None,
    limits: Limits = DEFAULT_LIMITS,
) -> datetime | None:
    """Return the earliest acquisition of the CT that belongs to a PET, on the clock of the PET.

    Parameters
    ----------
    index
        Of the folder.
    pet, grid
        The PET and where its voxels lie, which decide between several CT series.
    utc_offset
        Of the clock of the PET; a CT that states another one is brought to it.

    Returns
    -------
    None when no CT belongs to the PET, or one of its slices has no date and time.
    """
    candidates = [
        series
        for series in index.series
        if series.modality == "CT"
        and series.study_uid == pet.study_uid
        and not all(_is_localizer(one) for one in series.instances)
        and _is_in_frame(series, pet, limits)
    ]
    if not candidates:
        return None
    if len(candidates) > 1:
        try:
            chosen = read_ct(index, pet, grid, limits=limits).series.uid
        except Refused:
            return None
        candidates = [series for series in candidates if series.uid == chosen]
    slices = [one for series in candidates for one in series.instances if not _is_localizer(one)]
    try:
        begun = [_acquired(one) for one in slices]
    except (ValueError, OverflowError):
        return None
    return min((one.at + _shift(one.utc_offset, utc_offset) for one in begun), default=None)


def _acquired(instance: Instance) -> Instant:
    """Return when a slice was acquired; raise ValueError when it has no such date and time."""
    offset = instance.text(TAG["TimezoneOffsetFromUTC"])
    utc_offset = parse_offset(offset) if offset else None
    day, clock = instance.text(TAG["AcquisitionDate"]), instance.text(TAG["AcquisitionTime"])
    if clock:
        return instant(parse_date(day), parse_clock(clock), utc_offset=utc_offset)
    return parse_instant(instance.text(TAG["AcquisitionDateTime"]), utc_offset=utc_offset)


def _shift(of_ct: timedelta | None, of_pet: timedelta | None) -> timedelta:
    """Return what brings a time of the CT to the clock of the PET; two clocks are one unless both say."""
    return timedelta() if of_ct is None or of_pet is None else of_pet - of_ct


def _is_localizer(instance: Instance) -> bool:
    return _LOCALIZER in [word.upper() for word in instance.texts(TAG["ImageType"])]


def _is_in_frame(series: Series, pet: Series, limits: Limits) -> bool:
    path = series.instances[0].path
    whole = scan_or_damage(path, limits, Habits(is_whole=True))
    frame = "" if whole is None else whole.text(TAG["FrameOfReferenceUID"])
    return bool(frame) and frame == pet.frame_of_reference_uid
