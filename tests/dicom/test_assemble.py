"""Assembly gives back the stored numbers, exactly, in every encoding that is read, and misreads none."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from petquant_phantoms import TINY, ImageGrid, pet_datasets, write_study
from pydicom.dataset import Dataset

from petquant.dicom.assemble import read_volume, verify_unchanged
from petquant.dicom.frames import one_frame
from petquant.dicom.index import index
from petquant.dicom.select import select
from petquant.dicom.stack import Stack, stack
from petquant.errors import PetquantError, Refused, UnreadableInput
from petquant.volume import Unit, Volume


def volume_of(series, **how: object) -> Volume:
    return read_volume(stack(series), unit=Unit.BQML, **how)


def by_z(datasets: list[Dataset]) -> list[Dataset]:
    return sorted(datasets, key=lambda dataset: float(dataset.ImagePositionPatient[2]))


def stored_of(datasets: list[Dataset]) -> np.ndarray:
    """The stored numbers that the phantom wrote, by z."""
    slices = [np.frombuffer(dataset.PixelData, "<i2").reshape(dataset.Rows, -1) for dataset in by_z(datasets)]
    return np.stack(slices)


def code_of(caught: pytest.ExceptionInfo[PetquantError]) -> str:
    return caught.value.findings[0].code


def with_pixels(datasets: list[Dataset], pixels: np.ndarray, **attributes: int) -> list[Dataset]:
    """Put one slice's pixels of any type into every dataset."""
    bits = pixels.dtype.itemsize * 8
    for dataset in datasets:
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        dataset.PixelData = pixels.tobytes()
        dataset["PixelData"].VR = "OW"
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
    return datasets


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big_endian", "deflated", "rle", "jpeg_ls"])
def test_stored_numbers_are_the_same_in_every_encoding(syntax, series_from, datasets):
    if syntax == "jpeg_ls":
        pytest.importorskip("jpeg_ls", reason="the JPEG-LS decoder is not installed")
    want = stored_of(datasets)
    found = volume_of(series_from(datasets, transfer_syntax=syntax))
    np.testing.assert_array_equal(found.stored, want)
    assert found.stored.dtype == np.dtype("<i2")


def test_jpeg_2000_gives_the_stored_numbers(series_from):
    pytest.importorskip("openjpeg", reason="the JPEG 2000 decoder is not installed")
    wide = ImageGrid(shape=(4, 32, 32), spacing_mm=TINY.grid.spacing_mm)
    datasets = pet_datasets(replace(TINY, grid=wide))
    want = stored_of(datasets)
    found = volume_of(series_from(datasets, transfer_syntax="jpeg_2000"))
    np.testing.assert_array_equal(found.stored, want)


def test_values_are_those_that_the_phantom_promises(tmp_path):
    study = write_study(TINY.in_dialect(vendor="siemens"), tmp_path)
    found = volume_of(select(index(study.dicom)).series)
    factor = study.truth["suv"]["factor"]
    want = study.expected("hot")["suv_max"]
    assert abs(found.largest() * factor - want["value"]) <= want["abs_tol"]


def test_totals_are_exact_sums_over_every_slice(series_from, datasets):
    found = volume_of(series_from(datasets))
    whole = stored_of(datasets).astype(np.int64)
    assert found.totals.total.tolist() == whole.sum(axis=(1, 2)).tolist()
    assert found.totals.smallest.tolist() == whole.min(axis=(1, 2)).tolist()
    assert found.totals.largest.tolist() == whole.max(axis=(1, 2)).tolist()


def test_a_sum_of_full_scale_numbers_does_not_run_over(series_from, datasets):
    """256 times 65535 in every slice of 16 x 16."""
    found = volume_of(series_from(with_pixels(datasets, np.full((16, 16), 65535, "<u2"))))
    assert found.totals.total.tolist() == [256 * 65535.0] * 8


def test_slices_that_were_not_asked_for_have_totals_and_no_values(series_from, datasets):
    keep = np.zeros(8, np.bool_)
    keep[[2, 5]] = True
    found = volume_of(series_from(datasets), keep=keep)
    whole = stored_of(datasets)
    np.testing.assert_array_equal(found.stored[keep], whole[keep])
    assert found.totals.total.tolist() == whole.sum(axis=(1, 2), dtype=np.int64).tolist()
    with pytest.raises(LookupError):
        found.at([0])
    assert found.at([2 * 256]).shape == (1,)


@pytest.mark.parametrize("dtype", ["<u1", "<i1", "<u2", "<i2", "<u4", "<i4"])
def test_whole_numbers_of_every_size_are_read(dtype, series_from, datasets):
    rng = np.random.default_rng(1)
    info = np.iinfo(dtype)
    pixels = np.sort(rng.integers(info.min, info.max, 256, dtype=dtype, endpoint=True)).reshape(16, 16)
    found = volume_of(series_from(with_pixels(datasets, pixels)))
    np.testing.assert_array_equal(found.stored[3], pixels)
    assert found.totals.total[3] == float(sum(int(number) for number in pixels.flat))


def test_float_pixels_are_read(series_from, datasets):
    pixels = np.linspace(-1, 1, 256, dtype="<f4").reshape(16, 16)
    for dataset in datasets:
        del dataset.PixelData
        dataset.FloatPixelData = pixels.tobytes()
        dataset.BitsAllocated = 32
    np.testing.assert_array_equal(volume_of(series_from(datasets)).stored[0], pixels)


def test_overlay_bits_are_masked_and_the_sign_is_carried_up(series_from, datasets):
    """12 stored bits, and an overlay in bit 12: -5 is 0xFFB in 12 bits."""
    values = np.arange(-128, 128).reshape(16, 16)
    pixels = ((values & 0x0FFF) | 0x1000).astype("<u2").view("<i2")
    found = volume_of(series_from(with_pixels(datasets, pixels, BitsStored=12, HighBit=11)))
    np.testing.assert_array_equal(found.stored[0], values)
    pixels = ((np.arange(256).reshape(16, 16) * 16) | 0x8000).astype("<u2")
    found = volume_of(series_from(with_pixels(datasets, pixels, BitsStored=12, HighBit=11)))
    np.testing.assert_array_equal(found.stored[0], np.arange(256).reshape(16, 16) * 16)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("HighBit", 14),
        ("BitsStored", 0),
        ("BitsStored", 17),
        ("BitsAllocated", 12),
        ("PixelRepresentation", 2),
        ("SamplesPerPixel", 3),
        ("PhotometricInterpretation", "PALETTE COLOR"),
        ("NumberOfFrames", 2),
    ],
)
def test_pixels_that_are_not_read_for_certain_are_refused(keyword, value, series_from, datasets):
    for dataset in datasets:
        setattr(dataset, keyword, value)
    with pytest.raises(UnreadableInput) as caught:
        volume_of(series_from(datasets))
    assert code_of(caught) == "PIXELS_UNSUPPORTED"
    assert caught.value.findings[0].keyword == keyword


@pytest.mark.parametrize(("n", "code"), [(510, "FILE_TRUNCATED"), (516, "FILE_NOT_UNDERSTOOD")])
def test_a_declared_length_that_is_not_the_matrix_is_refused(n, code, series_from, datasets):
    datasets[4].PixelData = (datasets[4].PixelData * 2)[:n]
    with pytest.raises(UnreadableInput) as caught:
        volume_of(series_from(datasets))
    assert code_of(caught) == code


def test_signed_noise_declared_unsigned_is_refused(series_from, datasets):
    noise = np.random.default_rng(3).normal(20, 40, (16, 16)).round().astype("<i2")
    assert (noise < 0).any()
    with pytest.raises(Refused) as caught:
        volume_of(series_from(with_pixels(datasets, noise.view("<u2"))))
    assert code_of(caught) == "PIXELS_CONTRADICT_SIGN"
    assert volume_of(series_from(with_pixels(datasets, noise))).smallest() < 0


def test_a_bright_object_in_air_is_no_contradiction_of_sign(series_from, datasets):
    """A disc of full scale in zero: 1 in 8 of its pixels has an edge beside zero, not 1 in 4."""
    for dataset in datasets:
        dataset.Rows = dataset.Columns = 96
    j, i = np.mgrid[:96, :96]
    disc = np.where((j - 48) ** 2 + (i - 48) ** 2 < 40**2, 65535, 0).astype("<u2")
    assert volume_of(series_from(with_pixels(datasets, disc))).totals.largest.max() == 65535


def test_files_that_changed_since_the_scan_are_refused(series_from, datasets):
    series = series_from(datasets)
    path = Path(series.instances[3].path)
    verify_unchanged(series.instances)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(1, series.instances[3].mtime_ns + 1_000_000))
    for act in (lambda: verify_unchanged(series.instances), lambda: volume_of(series)):
        with pytest.raises(Refused) as caught:
            act()
        assert code_of(caught) == "INPUT_CHANGED"
        assert caught.value.findings[0].path == str(path)
    path.unlink()
    with pytest.raises(Refused):
        verify_unchanged(series.instances)


def test_a_transfer_syntax_without_a_decoder_is_refused(series_from, datasets):
    series = series_from(datasets, transfer_syntax="rle")
    lossless = tuple(
        replace(instance, transfer_syntax="1.2.840.10008.1.2.4.92") for instance in series.instances
    )
    with pytest.raises(UnreadableInput) as caught:
        volume_of(series.of(lossless))
    assert code_of(caught) == "DECODER_MISSING"


def test_a_code_stream_of_another_size_than_the_header_is_refused(series_from):
    pytest.importorskip("openjpeg", reason="the JPEG 2000 decoder is not installed")
    wide = ImageGrid(shape=(4, 32, 32), spacing_mm=TINY.grid.spacing_mm)
    series = series_from(pet_datasets(replace(TINY, grid=wide)), transfer_syntax="jpeg_2000")
    for instance in series.instances:
        path = Path(instance.path)
        content = bytearray(path.read_bytes())
        at = content.index(b"\xff\x51") + 6
        content[at : at + 8] = (60_000).to_bytes(4, "big") * 2
        path.write_bytes(bytes(content))
        os.utime(path, ns=(instance.mtime_ns, instance.mtime_ns))
    with pytest.raises(UnreadableInput) as caught:
        volume_of(series)
    assert code_of(caught) == "PIXELS_UNSUPPORTED"
    assert "60000" in str(caught.value)


def test_a_stack_without_a_grid_has_no_volume(series_from, datasets):
    whole: Stack = stack(series_from(datasets))
    with pytest.raises(ValueError, match="grid"):
        read_volume(replace(whole, grid=None), unit=Unit.BQML)


def test_the_real_siemens_series_has_the_published_maximum(real_data):
    """3D Slicer: factor 0.000401664..., volume maximum 89.8587641855 g/mL."""
    found = volume_of(select(index(real_data / "qin0139_siemens_seg")).series)
    assert found.largest() * 0.0004016640142 == pytest.approx(89.8587641855, rel=1e-6)


@pytest.mark.parametrize("case", ["STS_001", "STS_002", "STS_003", "STS_008"])
def test_real_volumes_equal_their_nifti_images(case, real_data):
    """The images were made from the same slices; 1e-5 is the float32 of the file and its rounded slopes."""
    found = volume_of(one_frame(select(index(real_data / "sts_ibsi" / case)).series)[0])
    path = next((real_data / "sts_ibsi" / case / "nifti").glob("*PET*image*"))
    image = nibabel.load(path)
    want = image.get_fdata().transpose(2, 1, 0)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    np.testing.assert_allclose(found.grid.affine[:3, [2, 1, 0, 3]], to_lps[:3], atol=1e-3)
    np.testing.assert_allclose(found.values(), want, rtol=1e-5, atol=1e-5 * want.max())


def test_real_dros_are_the_same_through_pydicom(real_data):
    for folder in sorted((real_data / "ibsi_suv_dro").glob("DRO_*/PT")):
        found = volume_of(index(folder).series[0])
        for k, instance in enumerate(stack(index(folder).series[0]).instances):
            theirs = pydicom.dcmread(instance.path)
            want = theirs.pixel_array * float(theirs.RescaleSlope) + float(theirs.RescaleIntercept)
            np.testing.assert_allclose(found.values()[k], want, rtol=1e-12)
