"""The smallest volumes and regions that can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from petquant.acquisition import ClockTime, Frame, Instant, PetAcquisition, Radiopharmaceutical, Written
from petquant.grid import Grid
from petquant.roi import Roi
from petquant.volume import SliceTotals, Unit, Volume


def grid_of(shape, spacing_mm=(2.0, 2.0, 2.0), *, origin_mm=(0.0, 0.0, 0.0), slice_positions_mm=None) -> Grid:
    """A grid whose i, j, k run along x, y, z."""
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = spacing_mm
    affine[:3, 3] = origin_mm
    affine[3, 3] = 1.0
    return Grid(shape=tuple(shape), affine=affine, slice_positions_mm=slice_positions_mm)


def volume_of(
    stored, spacing_mm=(2.0, 2.0, 2.0), *, grid=None, slope=1.0, intercept=0.0, unit=Unit.GML, is_loaded=None
) -> Volume:
    stored = np.ascontiguousarray(stored)
    n = len(stored)
    flat = stored.reshape(n, -1).astype(np.float64)
    return Volume(
        grid=grid or grid_of(stored.shape, spacing_mm),
        unit=unit,
        stored=stored,
        slope=np.broadcast_to(np.asarray(slope, np.float64), (n,)).copy(),
        intercept=np.broadcast_to(np.asarray(intercept, np.float64), (n,)).copy(),
        totals=SliceTotals(total=flat.sum(1), smallest=flat.min(1), largest=flat.max(1)),
        is_loaded=np.ones(n, np.bool_) if is_loaded is None else is_loaded,
    )


def roi_of(mask, **attributes) -> Roi:
    """The region of a mask, or of flat voxel numbers."""
    mask = np.asarray(mask)
    voxels = np.flatnonzero(mask) if mask.dtype == np.bool_ else np.sort(mask).astype(np.int64)
    return Roi(**{"roi_id": "1", "name": "lesion", "voxels": voxels} | attributes)


@pytest.fixture(scope="session")
def make_grid() -> Callable[..., Grid]:
    return grid_of


@pytest.fixture(scope="session")
def make_volume() -> Callable[..., Volume]:
    return volume_of


@pytest.fixture(scope="session")
def make_roi() -> Callable[..., Roi]:
    return roi_of


def written(value, text=None, **attributes) -> Written:
    return Written(value=value, text=str(value if text is None else text), **attributes)


def injected(**changes) -> Radiopharmaceutical:
    """350 MBq of FDG at 10:00 on 1 January 2025."""
    item = Radiopharmaceutical(
        dose=written(350e6),
        half_life_s=written(6586.2),
        injected_at=written(Instant(datetime.fromisoformat("2025-01-01T10:00:00"))),
        injected_clock=written(ClockTime(timedelta(hours=10))),
        name=written("FDG"),
        nuclide_code=written("77004003"),
        nuclide_meaning=written("^18^Fluorine"),
    )
    return replace(item, **changes)


def acquired(**changes) -> PetAcquisition:
    """A whole man of 70 kg, scanned and decay-corrected to 11:00, in Bq/mL."""
    eleven = datetime.fromisoformat("2025-01-01T11:00:00")
    acquisition = PetAcquisition(
        series_uid="1.2.3",
        vendor="",
        manufacturer="",
        weight_kg=written(70.0),
        height_m=written(1.75),
        sex=written("M"),
        units=written("BQML"),
        suv_type=Written(),
        decay_correction=written("START"),
        corrections=written(("ATTN", "DECY")),
        attenuation="corrected",
        attenuation_words="",
        series_at=written(Instant(eleven)),
        frames=(Frame(acquired_at=eleven, duration_s=300.0),) * 2,
        radiopharmaceuticals=(injected(),),
    )
    return replace(acquisition, **changes)


@pytest.fixture(scope="session")
def make_written() -> Callable[..., Written]:
    return written


@pytest.fixture(scope="session")
def make_item() -> Callable[..., Radiopharmaceutical]:
    return injected


@pytest.fixture(scope="session")
def make_acquisition() -> Callable[..., PetAcquisition]:
    return acquired
