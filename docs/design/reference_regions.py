"""Pictures of automatic reference regions over the PET, to be looked at critically.

    python docs/design/reference_regions.py OUT.png STUDY [STUDY ...]

One row a study: maximum intensity projection from the front, and the coronal, sagittal and transverse slices
through the middle of each region, with its outline. Patient right is left in the picture. Needs matplotlib.
Without a study the two torso phantoms are built and drawn, which is the picture of the documentation.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
from petquant_phantoms import catalogue

from petquant.delineation.lattice import lattice, sampled
from petquant.delineation.reference import AUTOMATIC, Placement, place
from petquant.errors import PetquantError
from petquant.grid import Grid
from petquant.quantify import scaled
from petquant.study import Choices, open_study
from petquant.volume import Volume

mpl.use("Agg")

from matplotlib import pyplot as plt

STEP_MM = 2.0
WINDOW_SUV = 5.0
COLOURS = {"liver": "tab:red", "blood_pool": "tab:blue"}


def main(out: str, studies: list[str]) -> None:
    """Draw every study in a row."""
    if studies:
        rows = [_placed(Path(study)) for study in studies]
    else:
        with tempfile.TemporaryDirectory() as folder:
            names = ("torso_fdg", "torso_pentixafor")
            rows = [_placed(Path(catalogue.build(name, Path(folder) / name).dicom), name) for name in names]
    figure, axes = plt.subplots(
        len(rows), 7, figsize=(15, 4.2 * len(rows)), squeeze=False, layout="constrained"
    )
    for row, (name, pet, found) in zip(axes, rows, strict=True):
        _draw(row, name, pet, found)
    figure.savefig(out, dpi=50)


def _placed(study: Path, name: str = "") -> tuple[str, Volume, dict[str, Placement]]:
    opened = open_study(study, Choices())
    scale = opened.conversion.scale("bw")
    native = opened.volume()
    pet = native if scale is None else scaled(native, scale)
    try:
        ct = opened.ct().volume()
    except PetquantError as error:
        print(error)
        ct = None
    found = {}
    for region in AUTOMATIC:
        try:
            found[region] = place(region, pet, ct=ct)
        except PetquantError as error:
            print(error)
        else:
            made = found[region]
            print(name, made.shape.words(), f"mean {made.mean:.3f}, CoV {made.cov:.3f}; {made.why}")
    return name or study.name, pet, found


def _draw(axes: np.ndarray, name: str, pet: Volume, found: dict[str, Placement]) -> None:
    corners = pet.grid.corners_mm()
    grid = lattice(corners.min(axis=0), corners.max(axis=0), STEP_MM)
    values = sampled(pet, grid, outside=0.0)
    low, high = grid.position_mm([0, 0, 0]), grid.position_mm(np.array(grid.shape) - 1)
    x, y, z = ((low[a], high[a]) for a in range(3))
    look = {"cmap": "gray_r", "vmin": 0.0, "vmax": WINDOW_SUV, "origin": "lower"}
    axes[0].imshow(values.max(axis=1), extent=(*x, *z), **look)
    axes[0].set_title(f"{name}, MIP")
    for place_, (region, made) in enumerate(found.items()):
        centre = np.array(made.shape.centre_mm)
        k, j, i = np.rint((centre[::-1] - grid.affine[:3, 3][::-1]) / STEP_MM).astype(int)
        mask = _mask(made, grid, centre)
        axes[0].contour(mask.max(axis=1), [0.5], extent=(*x, *z), colors=COLOURS[region], origin="lower")
        for axis, (picture, region_in, extent, title) in zip(
            axes[1 + 3 * place_ : 4 + 3 * place_],
            (
                (values[:, j], mask[:, j], (*x, *z), f"{region}, coronal"),
                (values[:, :, i], mask[:, :, i], (*y, *z), "sagittal"),
                (values[k, ::-1], mask[k, ::-1], (*x, y[1], y[0]), "transverse"),
            ),
            strict=True,
        ):
            axis.imshow(picture, extent=extent, **look)
            axis.contour(region_in, [0.5], extent=extent, colors=COLOURS[region], origin="lower")
            axis.set_title(title)
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])


def _mask(made: Placement, grid: Grid, centre: np.ndarray) -> np.ndarray:
    index = np.indices(grid.shape).reshape(3, -1).T
    away = grid.position_mm(index) - centre
    shape = made.shape
    if hasattr(shape, "length_mm"):
        along = away @ (np.array(shape.axis) / np.linalg.norm(shape.axis))
        across = np.linalg.norm(away - np.outer(along, shape.axis), axis=1)
        is_in = (np.abs(along) <= shape.length_mm / 2) & (across <= shape.radius_mm)
    else:
        is_in = np.linalg.norm(away, axis=1) <= shape.radius_mm
    return is_in.reshape(grid.shape).astype(float)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
