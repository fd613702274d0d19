"""Pictures of automatic reference regions, to be looked at critically.

    python docs/design/reference_regions.py OUT.png [--regions A,B] [--on ct] [STUDY ...]

One row a study: maximum intensity projection of the PET from the front, and the coronal, sagittal and
transverse slices of PET or CT through the middle of each region, with its outline. Patient right is left in
the picture. Needs matplotlib. Without a study the two torso phantoms are built and drawn, and for the
contralateral brain a head of cohort_b with both tracers. The pictures of the documentation are made with no
option, with `--regions marrow,muscle --on ct` and with `--regions contralateral --on ct`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
from petquant_phantoms import catalogue, cohorts

from petquant.delineation.lattice import lattice, sampled
from petquant.delineation.reference import AUTOMATIC, Placement, place
from petquant.errors import PetquantError
from petquant.files import load_rois
from petquant.grid import Grid
from petquant.quantify import scaled
from petquant.roi import RoiSet
from petquant.study import Choices, open_study
from petquant.volume import Volume

mpl.use("Agg")

from matplotlib import pyplot as plt

STEP_MM = 2.0
WINDOW_SUV = 5.0
WINDOW_HU = (-160.0, 340.0)
COLOURS = dict(zip(AUTOMATIC, ("red", "blue", "orange", "lime", "cyan"), strict=True))

Row = tuple[str, Volume, Volume | None, dict[str, Placement]]


def main(out: str, studies: list[str], regions: list[str], *, is_on_ct: bool) -> None:
    """Draw every study in a row."""
    if studies:
        rows = [_placed(Path(study), Path(study).name, regions) for study in studies]
    else:
        with tempfile.TemporaryDirectory() as folder:
            rows = _phantoms(Path(folder), regions)
    n = 1 + 3 * len(regions)
    figure, axes = plt.subplots(
        len(rows), n, figsize=(2.15 * n, 4.2 * len(rows)), squeeze=False, layout="constrained"
    )
    for row, (name, pet, ct, found) in zip(axes, rows, strict=True):
        _draw(row, name, pet, ct if is_on_ct else None, found)
    figure.savefig(out, dpi=50)


def _phantoms(folder: Path, regions: list[str]) -> list[Row]:
    if regions == ["contralateral"]:
        root = cohorts.build("cohort_b", folder, patients=["B01"]).root
        return [
            _placed(root / "B01" / tracer / "study", f"B01 {tracer}", regions, root / "B01" / tracer / "rois")
            for tracer in ("pentixafor", "fdg")
        ]
    names = ("torso_fdg", "torso_pentixafor")
    return [_placed(Path(catalogue.build(name, folder / name).dicom), name, regions) for name in names]


def _placed(study: Path, name: str, regions: list[str], rois: Path | None = None) -> Row:
    opened = open_study(study, Choices())
    scale = opened.conversion.scale("bw")
    native = opened.volume()
    pet = native if scale is None else scaled(native, scale)
    avoid: RoiSet | None = None
    if rois is not None:
        avoid = load_rois(
            str(rois / "lesions.nii.gz"), onto=pet.grid, pet=opened.facts, reading=Choices().reading
        )
    try:
        ct = opened.ct().volume()
    except PetquantError as error:
        print(error)
        ct = None
    found = {}
    for region in regions:
        try:
            found[region] = place(region, pet, ct=ct, avoid=avoid)
        except PetquantError as error:
            print(error)
        else:
            made = found[region]
            print(name, made.shape.words(), f"mean {made.mean:.3f}, CoV {made.cov:.3f}; {made.why}")
    return name, pet, ct, found


def _draw(axes: np.ndarray, name: str, pet: Volume, ct: Volume | None, found: dict[str, Placement]) -> None:
    corners = pet.grid.corners_mm()
    grid = lattice(corners.min(axis=0), corners.max(axis=0), STEP_MM)
    values = sampled(pet, grid, outside=0.0)
    low, high = grid.position_mm([0, 0, 0]), grid.position_mm(np.array(grid.shape) - 1)
    x, y, z = ((low[a], high[a]) for a in range(3))
    look = {"cmap": "gray_r", "vmin": 0.0, "vmax": WINDOW_SUV, "origin": "lower"}
    axes[0].imshow(values.max(axis=1), extent=(*x, *z), **look)
    axes[0].set_title(f"{name}, MIP")
    if ct is not None:
        values = sampled(ct, grid, outside=-1000.0)
        look |= {"cmap": "gray", "vmin": WINDOW_HU[0], "vmax": WINDOW_HU[1]}
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
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("studies", nargs="*")
    parser.add_argument("--regions", default="liver,blood_pool")
    parser.add_argument("--on", choices=("pet", "ct"), default="pet")
    given = parser.parse_args()
    main(given.out, given.studies, given.regions.split(","), is_on_ct=given.on == "ct")
