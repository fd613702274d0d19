"""SUVbw by the shortest road from files that a textbook allows: pydicom and arithmetic, no petquant."""
# ruff: noqa: DTZ007  DICOM times carry no zone here

import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom

LEAN = {
    "LBMJAMES128": lambda w, h: 1.10 * w - 128.0 * (w / h) ** 2,
    "LBM": lambda w, h: 1.10 * w - 120.0 * (w / h) ** 2,
    "LBMJANMA": lambda w, h: 9270.0 * w / (6680.0 + 216.0 * w / (h / 100.0) ** 2),
    "IBW": lambda _w, h: 48.0 + 1.06 * (h - 152.0),
}


def instant(date, time):
    return datetime.strptime(f"{date}{time}", "%Y%m%d%H%M%S.%f" if "." in str(time) else "%Y%m%d%H%M%S")


def read(folder: Path):
    """Return the datasets of a folder in order of position along the slice normal."""
    datasets = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    orientation = [float(x) for x in datasets[0].ImageOrientationPatient]
    normal = np.cross(orientation[:3], orientation[3:])
    return sorted(datasets, key=lambda ds: float(np.dot(normal, [float(x) for x in ds.ImagePositionPatient])))


def suv_volume(datasets):
    """Return SUVbw [k, j, i] of male patients."""
    return np.stack([_suv_of_slice(ds) for ds in datasets])


def _suv_of_slice(ds):
    values = ds.pixel_array.astype(np.float64) * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    weight_kg, height_cm = float(ds.PatientWeight), 100.0 * float(ds.PatientSize)
    if ds.Units == "GML":
        return values if ds.SUVType == "BW" else values * weight_kg / LEAN[ds.SUVType](weight_kg, height_cm)
    if ds.Units == "CM2ML":
        return values * weight_kg / (10.0 * 0.007184 * weight_kg**0.425 * height_cm**0.725)
    if ds.Units == "CNTS":
        block = ds.private_block(0x7053, "Philips PET Private Group")
        if 0x00 in block:
            return values * float(block[0x00].value)
        values = values * float(block[0x09].value)
    item = ds.RadiopharmaceuticalInformationSequence[0]
    dose, half_life_s = float(item.RadionuclideTotalDose), float(item.RadionuclideHalfLife)
    injected_at = instant(
        item.RadiopharmaceuticalStartDateTime[:8], item.RadiopharmaceuticalStartDateTime[8:]
    )
    if ds.DecayCorrection == "START":
        reference_at = instant(ds.SeriesDate, ds.SeriesTime)
        dose *= 2.0 ** (-(reference_at - injected_at).total_seconds() / half_life_s)
    elif ds.DecayCorrection == "NONE":
        waited_s = (instant(ds.AcquisitionDate, ds.AcquisitionTime) - injected_at).total_seconds()
        x = math.log(2.0) * float(ds.ActualFrameDuration) / 1000.0 / half_life_s
        dose *= 2.0 ** (-waited_s / half_life_s) * -math.expm1(-x) / x
    return values * 1000.0 * weight_kg / dose
