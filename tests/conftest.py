"""What tests of several rooms share: a DICOM SEG of given masks, Enhanced PET, a cohort, a browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

settings.register_profile("ci", derandomize=True)  # a run that failed can be repeated
if os.environ.get("CI"):
    settings.load_profile("ci")

SEG = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_SEG = "1.2.840.10008.5.1.4.1.1.66.7"


def item(**values: Any) -> Dataset:
    """A sequence item."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def packed(planes: Sequence[np.ndarray]) -> bytes:
    """Bits of all frames one after the other, lowest bit first, padded to an even number of bytes."""
    bits = np.concatenate([np.asarray(plane, bool).ravel() for plane in planes])
    octets = np.packbits(bits, bitorder="little").tobytes()
    return octets + bytes(len(octets) % 2)


def seg_of(
    slices: Sequence[Dataset],
    masks: Mapping[int, np.ndarray],
    *,
    kind: str = "BINARY",
    fractional: str = "",
    largest: int = 1,
    labels: Mapping[int, str] | None = None,
    order: Callable[[list[Any]], list[Any]] = list,
    has_references: bool = True,
    has_places: bool = True,
    offset_mm: Sequence[float] = (0.0, 0.0, 0.0),
    keeps_empty_frames: bool = False,
) -> Dataset:
    """The SEG of masks [k, j, i] drawn on classic slices that ascend; stored numbers as given.

    `order` turns the list of (segment, k) of the frames about.
    """
    first = slices[0]
    seg = Dataset()
    seg.file_meta = FileMetaDataset()
    is_map = kind == "LABELMAP"
    seg.SOPClassUID = LABEL_MAP_SEG if is_map else SEG
    seg.file_meta.MediaStorageSOPClassUID = seg.SOPClassUID
    seg.SOPInstanceUID = seg.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    seg.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    seg.PatientID, seg.Modality = first.PatientID, "SEG"
    seg.StudyInstanceUID, seg.SeriesInstanceUID = first.StudyInstanceUID, generate_uid()
    seg.FrameOfReferenceUID = first.FrameOfReferenceUID
    seg.SegmentationType = kind
    if fractional:
        seg.SegmentationFractionalType, seg.MaximumFractionalValue = fractional, largest
    numbers = sorted(np.unique(masks[0])[1:].tolist() if is_map else masks)
    names = labels or {}
    seg.SegmentSequence = Items(
        item(SegmentNumber=number, SegmentLabel=names.get(number, f"lesion {number}")) for number in numbers
    )
    keys = [
        (number, k)
        for number, mask in masks.items()
        for k in range(len(slices))
        if keeps_empty_frames or mask[k].any()
    ]
    keys = order(keys)
    measures = item(PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness)
    orientation = item(ImageOrientationPatient=first.ImageOrientationPatient)
    seg.SharedFunctionalGroupsSequence = Items(
        [item(PixelMeasuresSequence=Items([measures]), PlaneOrientationSequence=Items([orientation]))]
    )
    frames = []
    for number, k in keys:
        frame = Dataset()
        if has_places:
            at = [
                float(x) + shift for x, shift in zip(slices[k].ImagePositionPatient, offset_mm, strict=True)
            ]
            frame.PlanePositionSequence = Items([item(ImagePositionPatient=at)])
        if not is_map:
            frame.SegmentIdentificationSequence = Items([item(ReferencedSegmentNumber=number)])
        if has_references:
            image = item(
                ReferencedSOPClassUID=slices[k].SOPClassUID, ReferencedSOPInstanceUID=slices[k].SOPInstanceUID
            )
            frame.DerivationImageSequence = Items([item(SourceImageSequence=Items([image]))])
        frames.append(frame)
    seg.PerFrameFunctionalGroupsSequence = Items(frames)
    seg.NumberOfFrames = len(frames)
    seg.Rows, seg.Columns = first.Rows, first.Columns
    seg.SamplesPerPixel, seg.PhotometricInterpretation, seg.PixelRepresentation = 1, "MONOCHROME2", 0
    bits = 1 if kind == "BINARY" else 8
    seg.BitsAllocated = seg.BitsStored = bits
    seg.HighBit = bits - 1
    planes = [np.asarray(masks[number][k]) for number, k in keys]
    content = (
        packed(planes) if bits == 1 else b"".join(np.asarray(plane, np.uint8).tobytes() for plane in planes)
    )
    seg.PixelData = content + bytes(len(content) % 2)
    return seg


@pytest.fixture(scope="session")
def make_seg() -> Callable[..., Dataset]:
    return seg_of


@pytest.fixture
def save_seg(tmp_path: Path) -> Callable[..., Path]:
    """Write a SEG, or the SEG of masks, and return its path."""

    def write(seg: Dataset, name: str = "seg.dcm", **how: Any) -> Path:
        path = tmp_path / name
        seg.save_as(path, enforce_file_format=True, **how)
        return path

    return write


@pytest.fixture(scope="session")
def enhanced_pet() -> ModuleType:
    """The small Enhanced PET image and its kin, importable whatever the import mode."""
    spec = importlib.util.spec_from_file_location("enhanced_pet", Path(__file__).with_name("enhanced_pet.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# pictures of the viewer are drawn without a graphics card
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all pages: a process can drive no second one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


# the oesophagus cohort as the specification has it: patient, SUVmax of Pentixafor, of FDG, positive with
COHORT = """
0 3.94 9.71 both; 0 5.32 6.85 both; 0 4.75 0.94 pent; 1 6.89 3.71 both; 1 4.45 24.21 both; 2 3.82 6.82 both;
2 7.71 7.58 both; 2 6.91 0.90 pent; 3 5.35 5.38 both; 3 5.96 9.83 both; 4 4.20 31.21 both; 4 2.09 6.40 fdg;
4 5.71 1.18 pent; 5 2.27 7.15 both; 5 1.07 5.36 fdg; 5 4.01 0.64 pent; 6 2.92 8.13 both; 6 1.18 2.70 fdg;
7 4.37 14.08 both; 7 0.74 6.10 fdg; 8 4.27 8.84 both; 8 0.83 3.82 fdg; 9 8.28 3.42 both; 9 4.42 1.02 pent;
9 3.33 1.93 pent; 9 4.41 1.48 pent
"""


class Cohort:
    """Columns of the table."""

    def __init__(self) -> None:
        rows = [row.split() for row in COHORT.split(";")]
        self.patient = np.array([int(row[0]) for row in rows])
        self.pentixafor = np.array([float(row[1]) for row in rows])
        self.fdg = np.array([float(row[2]) for row in rows])
        self.state = np.array([row[3] for row in rows])

    @property
    def differences(self):
        return self.pentixafor - self.fdg

    def by_patient(self, values, how):
        return np.array([how(values[self.patient == k]) for k in np.unique(self.patient)])


@pytest.fixture
def cohort() -> Cohort:
    return Cohort()
