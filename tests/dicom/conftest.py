"""The smallest PET series that can fail, written as real files, and the real data beside the repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from petquant_phantoms import TINY, pet_datasets, write_datasets
from pydicom.dataset import Dataset

from petquant.dicom.index import index
from petquant.dicom.series import Series

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not DATA.is_dir():
        pytest.skip("the real data is not beside the repository")
    return DATA


@pytest.fixture
def datasets() -> list[Dataset]:
    """Eight slices of 16 x 16 voxels of 4 mm."""
    return pet_datasets(TINY)


@pytest.fixture
def series_from(tmp_path: Path) -> Callable[..., Series]:
    """Write datasets and index them as the single series that they are."""

    def write(datasets: Sequence[Dataset], *, names: Sequence[str] | None = None, **how: str) -> Series:
        folder = tmp_path / "series"
        write_datasets(datasets, folder, names=names, **how)
        found = index(folder).series
        assert len(found) == 1
        return found[0]

    return write
