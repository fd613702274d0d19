"""SUVbw by the shortest road from files that a textbook allows: pydicom and arithmetic, no petquant.

Three kinds of objects, one result: classic slices, Enhanced PET by its Real World Value Mapping, and Legacy
Converted Enhanced PET, whose frames are turned back into classic attributes.
"""
# ruff: noqa: DTZ007  DICOM times carry no zone here

import math
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

ENHANCED, LEGACY_CONVERTED = "1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1"

LEAN = {
    "LBMJAMES128": lambda w, h: 1.10 * w - 128.0 * (w / h) ** 2,
    "LBM": lambda w, h: 1.10 * w - 120.0 * (w / h) ** 2,
    "LBMJANMA": lambda w, h: 9270.0 * w / (6680.0 + 216.0 * w / (h / 100.0) ** 2),
    "IBW": lambda _w, h: 48.0 + 1.06 * (h - 152.0),
}
SUV_UNITS = {
    "g/ml{SUVbw}": "BW",
    "g/ml{SUVlbm}": "LBM",
    "g/ml{SUVlbm(James128)}": "LBMJAMES128",
    "g/ml{SUVlbm(Janma)}": "LBMJANMA",
    "g/ml{SUVibw}": "IBW",
}


def clock(text):
    """TM as it occurs: blanks, colons, a fraction, or nothing after hours or minutes."""
    digits, _, fraction = str(text).strip().replace(":", "").partition(".")
    hours, minutes, seconds = (int(digits[n : n + 2] or 0) for n in (0, 2, 4))
    return timedelta(
        hours=hours, minutes=minutes, seconds=seconds, microseconds=int(fraction.ljust(6, "0") or 0)
    )


def instant(date, time):
    return datetime.strptime(str(date).strip().replace(".", ""), "%Y%m%d") + clock(time)


def stamp(text):
    """DT without an offset."""
    return instant(str(text)[:8], str(text)[8:])


def read(folder: Path):
    """Return one dataset a slice, in order of position along the slice normal."""
    slices = [each for path in sorted(folder.glob("*.dcm")) for each in slices_of(pydicom.dcmread(path))]
    orientation = [float(x) for x in slices[0].ImageOrientationPatient]
    normal = np.cross(orientation[:3], orientation[3:])
    return sorted(slices, key=lambda ds: float(np.dot(normal, [float(x) for x in ds.ImagePositionPatient])))


def slices_of(ds):
    """Return the slices of an object; every one has its stored integers as ``stored``."""
    if "SharedFunctionalGroupsSequence" not in ds:
        ds.stored = ds.pixel_array
        return [ds]
    return [
        _slice_of_frame(ds, group, stored)
        for group, stored in zip(ds.PerFrameFunctionalGroupsSequence, ds.pixel_array, strict=True)
    ]


def _slice_of_frame(ds, group, stored):
    """Return one frame as a flat dataset: the object, then what is shared, then what the frame says."""
    one = Dataset({tag: ds[tag] for tag in ds.keys() if tag.group < 0x5200})  # noqa: SIM118
    one.groups = {}
    for holder in (ds.SharedFunctionalGroupsSequence[0], group):
        for sequence in holder:
            one.groups[sequence.keyword] = sequence.value[0]
            if sequence.keyword != "RealWorldValueMappingSequence":
                one.update({element.tag: element for element in sequence.value[0]})
    if ds.SOPClassUID == LEGACY_CONVERTED:
        if "FrameAcquisitionDateTime" in one:
            one.AcquisitionDate = str(one.FrameAcquisitionDateTime)[:8]
            one.AcquisitionTime = str(one.FrameAcquisitionDateTime)[8:]
        one.ActualFrameDuration = one.FrameAcquisitionDuration
    one.stored = stored
    return one


def suv_volume(slices):
    """Return SUVbw [k, j, i] of male patients."""
    return np.stack([_suv_of_slice(ds) for ds in slices])


def _suv_of_slice(ds):
    return _suv_of_enhanced(ds) if ds.SOPClassUID == ENHANCED else _suv_of_classic(ds)


def _normalised(values, suv_type, *, weight_kg, height_cm):
    """Return SUVbw of another SUV."""
    if suv_type == "BW":
        return values
    if suv_type == "BSA":
        return values * weight_kg / (10.0 * 0.007184 * weight_kg**0.425 * height_cm**0.725)
    return values * weight_kg / LEAN[suv_type](weight_kg, height_cm)


def _suv_of_enhanced(ds):
    mapping = ds.groups["RealWorldValueMappingSequence"]
    values = ds.stored.astype(np.float64) * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
    weight_kg, height_cm = float(ds.PatientWeight), 100.0 * float(ds.PatientSize)
    unit = mapping.MeasurementUnitsCodeSequence[0].CodeValue
    if unit != "Bq/ml":
        suv_type = "BSA" if unit == "cm2/ml{SUVbsa}" else SUV_UNITS[unit]
        return _normalised(values, suv_type, weight_kg=weight_kg, height_cm=height_cm)
    item = ds.RadiopharmaceuticalInformationSequence[0]
    dose_bq, half_life_s = 1e6 * float(item.RadionuclideTotalDose), float(item.RadionuclideHalfLife)
    if dose_bq >= 1e10:  # the number was Bq
        dose_bq /= 1e6
    at = ds.DecayCorrectionDateTime if ds.DecayCorrected == "YES" else ds.FrameReferenceDateTime
    waited_s = (stamp(at) - stamp(item.RadiopharmaceuticalStartDateTime)).total_seconds()
    return values * 1000.0 * weight_kg / (dose_bq * 2.0 ** (-waited_s / half_life_s))


def _suv_of_classic(ds):
    values = ds.stored.astype(np.float64) * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    weight_kg, height_cm = float(ds.PatientWeight), 100.0 * float(ds.PatientSize)
    if ds.Units in {"GML", "CM2ML"}:
        return _normalised(values, ds.SUVType, weight_kg=weight_kg, height_cm=height_cm)
    if ds.Units == "CNTS":
        suv_factor, activity_factor = (_philips_factor(ds, place) for place in (0x00, 0x09))
        if suv_factor is not None:
            return values * suv_factor
        values = values * activity_factor
    item = ds.RadiopharmaceuticalInformationSequence[0]
    dose, half_life_s = float(item.RadionuclideTotalDose), float(item.RadionuclideHalfLife)
    if dose < 1e4:  # the number is MBq
        dose *= 1e6
    if "RadiopharmaceuticalStartDateTime" in item:
        injected_at = stamp(item.RadiopharmaceuticalStartDateTime)
    else:
        injected_at = instant(ds.SeriesDate, item.RadiopharmaceuticalStartTime)
    if ds.DecayCorrection == "START":
        reference_at = _decay_reference(ds)
        dose *= 2.0 ** (-(reference_at - injected_at).total_seconds() / half_life_s)
    elif ds.DecayCorrection == "NONE":
        waited_s = (instant(ds.AcquisitionDate, ds.AcquisitionTime) - injected_at).total_seconds()
        x = math.log(2.0) * float(ds.ActualFrameDuration) / 1000.0 / half_life_s
        dose *= 2.0 ** (-waited_s / half_life_s) * -math.expm1(-x) / x
    return values * 1000.0 * weight_kg / dose


def _decay_reference(ds):
    """Series time; of a series that is older than its acquisition, the time that DecayFactor points to."""
    series_at = instant(ds.SeriesDate, ds.SeriesTime)
    acquired_at = instant(ds.AcquisitionDate, ds.AcquisitionTime)
    if series_at <= acquired_at:
        return series_at
    rate = math.log(2.0) / float(ds.RadiopharmaceuticalInformationSequence[0].RadionuclideHalfLife)
    x = rate * float(ds.ActualFrameDuration) / 1000.0
    average_s = math.log(x / -math.expm1(-x)) / rate
    return acquired_at + timedelta(seconds=average_s - math.log(float(ds.DecayFactor)) / rate)


def _philips_factor(ds, place):
    """Return a private factor, whatever its block and representation; None where there is none."""
    for block in range(0x10, 0x100):
        creator = ds.get((0x7053, block))
        element = ds.get((0x7053, (block << 8) + place))
        if creator is not None and str(creator.value) == "Philips PET Private Group" and element is not None:
            value = element.value
            return float(value.decode() if isinstance(value, bytes) else value)
    return None
