"""JPEG Lossless, encoded by another toolkit, gives the stored numbers, and hostile bytes give an error."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from petquant_phantoms import TINY
from petquant_phantoms.definition import Definition
from petquant_phantoms.encoding import write_file
from petquant_phantoms.pet_objects import pet_objects
from petquant_phantoms.pet_series import pet_datasets

from petquant.dicom import jpeg_lossless
from petquant.dicom.assemble import read_volume
from petquant.dicom.index import index
from petquant.dicom.select import select
from petquant.dicom.stack import stack
from petquant.errors import UnreadableInput
from petquant.volume import Unit

ENCODER = shutil.which("dcmcjpeg")
pytestmark = [
    pytest.mark.skipif(ENCODER is None, reason="dcmcjpeg, an encoder of JPEG Lossless, is not installed"),
    pytest.mark.skipif(not jpeg_lossless.is_available(), reason="GDCM is not installed"),
]


@pytest.fixture
def datasets():
    return pet_datasets(Definition())


@pytest.fixture
def packed(tmp_path):
    """Write datasets and encode each with dcmcjpeg."""

    def of(datasets, option: str = "+e1") -> Path:
        folder = tmp_path / "packed"
        folder.mkdir()
        for n, dataset in enumerate(datasets):
            plain = tmp_path / f"{n:03d}.dcm"
            write_file(dataset, plain)
            subprocess.run([ENCODER, option, plain, folder / plain.name], check=True, timeout=60)
        return folder

    return of


def stored_of(datasets) -> np.ndarray:
    slices = sorted(datasets, key=lambda dataset: float(dataset.ImagePositionPatient[2]))
    kind = "<i2" if slices[0].PixelRepresentation else "<u2"
    shape = (len(slices), slices[0].Rows, slices[0].Columns)
    return np.frombuffer(b"".join(dataset.PixelData for dataset in slices), kind).reshape(shape)


def volume_of(folder: Path):
    return read_volume(stack(select(index(folder)).series), unit=Unit.BQML)


@pytest.mark.parametrize("option", ["+e1", "+el"])
def test_both_processes_give_the_stored_numbers(option, packed, datasets):
    folder = packed(datasets, option)
    syntax = {pydicom.dcmread(path).file_meta.TransferSyntaxUID for path in folder.iterdir()}
    assert syntax == {jpeg_lossless.JPEG_LOSSLESS[1 if option == "+e1" else 0]}
    np.testing.assert_array_equal(volume_of(folder).stored, stored_of(datasets))


@pytest.mark.parametrize("kind", ["enhanced", "legacy_converted"])
def test_frames_of_a_multi_frame_image_give_the_stored_numbers(kind, packed):
    (whole,) = pet_objects(replace(TINY, object=kind))
    folder = packed([whole])
    (path,) = folder.iterdir()
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID in jpeg_lossless.JPEG_LOSSLESS
    stored = np.frombuffer(whole.PixelData, "<i2").reshape(-1, whole.Rows, whole.Columns)
    groups = whole.PerFrameFunctionalGroupsSequence
    order = np.argsort([float(group.PlanePositionSequence[0].ImagePositionPatient[2]) for group in groups])
    np.testing.assert_array_equal(volume_of(folder).stored, stored[order])


@pytest.mark.parametrize("kind", ["<u2", "<i2"])
def test_the_whole_range_of_sixteen_bits_survives(kind, packed, datasets):
    edges = np.iinfo(kind)
    n = datasets[0].Rows * datasets[0].Columns
    ramp = np.linspace(edges.min, edges.max, n).astype(kind)  # a jump would be taken for a wrong sign
    for dataset in datasets:
        dataset.PixelRepresentation = int(kind == "<i2")
        dataset.PixelData = ramp.tobytes()
    np.testing.assert_array_equal(volume_of(packed(datasets)).stored, stored_of(datasets))


def test_bytes_that_are_no_code_stream_are_an_error_and_the_next_slice_is_read(packed, datasets):
    folder = packed(datasets)
    series = select(index(folder)).series
    victim = Path(series.instances[2].path)
    content = victim.read_bytes()
    scan = content.index(b"\xff\xda")
    victim.write_bytes(content[:scan] + b"\xff\xff" * ((len(content) - scan) // 2))
    with pytest.raises(UnreadableInput) as caught:
        volume_of(folder)
    assert caught.value.findings[0].path == str(victim)
    victim.write_bytes(content)
    np.testing.assert_array_equal(volume_of(folder).stored, stored_of(datasets))


def test_a_code_stream_of_another_size_is_an_error(packed, datasets):
    folder = packed(datasets)
    victim = min(folder.iterdir())
    content = bytearray(victim.read_bytes())
    at = content.index(b"\xff\xc3") + 5
    content[at : at + 4] = (60_000).to_bytes(2, "big") * 2
    victim.write_bytes(bytes(content))
    with pytest.raises(UnreadableInput, match="60000"):
        volume_of(folder)


def test_a_decoder_that_hangs_is_stopped(monkeypatch, packed, datasets):
    folder = packed(datasets)
    monkeypatch.setattr(jpeg_lossless, "TIMEOUT_S", 0.0)
    with pytest.raises(UnreadableInput, match="took too long"):
        volume_of(folder)
    monkeypatch.undo()
    assert volume_of(folder).stored.any()


def test_a_decoder_that_dies_is_an_error_and_the_next_slice_is_read(monkeypatch, packed, datasets):
    real = subprocess.Popen

    def dying(words, **streams):
        return real([words[0], "-S", "-c", "raise SystemExit(1)"], **streams)

    folder = packed(datasets)
    jpeg_lossless._child().stop()
    with monkeypatch.context() as patched:
        patched.setattr(jpeg_lossless.subprocess, "Popen", dying)
        with pytest.raises(UnreadableInput, match="the decoder died"):
            volume_of(folder)
    assert volume_of(folder).stored.any()


def test_a_child_that_was_killed_is_started_anew(packed, datasets):
    series = select(index(packed(datasets))).series
    want = stored_of(datasets)
    np.testing.assert_array_equal(read_volume(stack(series), unit=Unit.BQML).stored, want)
    jpeg_lossless._child()._process.kill()
    jpeg_lossless._child()._process.wait()
    np.testing.assert_array_equal(read_volume(stack(series), unit=Unit.BQML).stored, want)


def test_without_gdcm_the_extra_is_named(monkeypatch, packed, datasets):
    folder = packed(datasets)
    monkeypatch.setattr(jpeg_lossless, "is_available", lambda: False)
    with pytest.raises(UnreadableInput) as caught:
        volume_of(folder)
    assert caught.value.findings[0].code == "DECODER_MISSING"
    assert "petquant[codecs]" in str(caught.value)


def test_eight_bits_are_read_as_eight(packed, datasets):
    for dataset in datasets:
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        ramp = (np.arange(dataset.Rows * dataset.Columns) % 251).astype(np.uint8)
        dataset.PixelData = ramp.tobytes()
    folder = packed(datasets)
    found = volume_of(folder).stored
    np.testing.assert_array_equal(found[0].ravel(), (np.arange(found[0].size) % 251).astype(np.uint8))
