"""Statistics of regions against SimpleITK in interleaved rounds of one process: figures 8 and 9.

usage: python tests/benchmarks/regions.py [--rounds 7] [--only 8,9]

A whole-body volume of 440 x 440 x 644 voxels lies in memory for both; both begin with the label map as a
plain NIfTI file and end with their numbers. SimpleITK's LabelIntensityStatistics has no peak, no exact
percentiles and no thresholds. Ratios are medians of ratios within a round: quote those, never the seconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813 - its own name for itself
from numpy.typing import NDArray

from petquant.metrics import measure
from petquant.metrics.intensity import Intensity, intensity
from petquant.metrics.measure import by_batch
from petquant.metrics.peak import Peaks, peaks
from petquant.nifti.labels import read_label_map
from petquant.volume import SliceTotals, Unit, Volume

SHAPE = (644, 440, 440)
SPACING_MM = 1.65


@dataclass(frozen=True)
class Figure:
    """One figure to reach: `ours` over `peer` at most `limit`, in wall time."""

    number: str
    what: str
    ours: str
    peer: str
    limit: float


FIGURES = (
    Figure("8a", "statistics without peak, 300 lesions, over SimpleITK", "statistics_300", "sitk_300", 1 / 4),
    Figure("8b", "statistics, 300 lesions over one", "statistics_300", "statistics_1", 3.0),
    Figure("8c", "statistics and SUVpeak, 300 lesions, over SimpleITK", "peaks_300", "sitk_300", 1 / 2),
    Figure("8d", "all columns, 300 lesions, over SimpleITK", "all_300", "sitk_300", 1 / 2),
    Figure("9", "statistics and SUVpeak, 100 organs, over SimpleITK", "peaks_organs", "sitk_organs", 0.8),
)


def lesions(count: int) -> NDArray[np.uint16]:
    """Return spheres of 5 to 14 mm at random places."""
    rng = np.random.default_rng(1)
    labels = np.zeros(SHAPE, np.uint16)
    for label in range(1, count + 1):
        radius = rng.uniform(5, 14) / SPACING_MM
        put_sphere(labels, rng.uniform(0.1, 0.9, 3) * SHAPE, radius, label)
    return labels


def organs() -> NDArray[np.uint16]:
    """Return 100 spheres of 78,000 voxels each."""
    labels = np.zeros(SHAPE, np.uint16)
    cells = np.stack(np.meshgrid(range(4), range(5), range(5), indexing="ij"), axis=-1).reshape(-1, 3)
    for label, cell in enumerate(cells, start=1):
        put_sphere(labels, (cell + 0.5) * SHAPE / np.array([4, 5, 5]), 26.5, label)
    return labels


def put_sphere(labels: NDArray[np.uint16], centre: NDArray[np.float64], radius: float, label: int) -> None:
    """Write a sphere into the map, radius and centre in voxels."""
    low = np.maximum(np.floor(centre - radius).astype(int), 0)
    high = np.minimum(np.ceil(centre + radius).astype(int) + 1, SHAPE)
    axes = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    squared = sum((axis - at) ** 2 for axis, at in zip(axes, centre, strict=True))
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))][squared <= radius**2] = label


def contestants(folder: Path, wanted: set[str]) -> dict[str, Callable[[], object]]:
    """Write the label maps and return every contestant that takes part."""
    stored = np.random.default_rng(0).integers(0, 20000, SHAPE, np.int16)
    slope = np.linspace(0.9e-3, 1.1e-3, SHAPE[0])
    image = sitk.GetImageFromArray((stored * slope[:, None, None]).astype(np.float32))
    image.SetSpacing((SPACING_MM,) * 3)
    run: dict[str, Callable[[], object]] = {}
    maps = {"1": lambda: lesions(1), "300": lambda: lesions(300), "organs": organs}
    for name, make in maps.items():
        if not any(contestant.endswith(f"_{name}") for contestant in wanted):
            continue
        labels = make()
        path = folder / f"{name}.nii"
        nib.save(nib.Nifti1Image(labels.T, np.diag([SPACING_MM] * 3 + [1.0])), path)
        volume = volume_of(stored, slope, path)
        run[f"statistics_{name}"] = lambda path=path, volume=volume: only_statistics(volume, path)
        run[f"peaks_{name}"] = lambda path=path, volume=volume: statistics_and_peaks(volume, path)
        run[f"all_{name}"] = lambda path=path, volume=volume: measure(
            volume, read_label_map(path).rois, suv_type="bw"
        )
        run[f"sitk_{name}"] = lambda path=path: peer(path, image)
    return {name: run[name] for name in sorted(wanted)}


def only_statistics(volume: Volume, path: Path) -> list[Intensity]:
    """Return what petquant measures without peaks, batch by batch as `measure` does."""
    return list(by_batch(lambda part: intensity(volume, part), read_label_map(path).rois))


def statistics_and_peaks(volume: Volume, path: Path) -> list[Peaks]:
    """Return what petquant measures, the peaks with it, before rows are made of it."""
    rois = read_label_map(path).rois
    return list(by_batch(lambda part: peaks(volume, intensity(volume, part)), rois))


def peer(path: Path, image: sitk.Image) -> sitk.LabelIntensityStatisticsImageFilter:
    """Return what SimpleITK measures."""
    labels = sitk.ReadImage(path)
    labels.CopyInformation(image)
    statistics_of_labels = sitk.LabelIntensityStatisticsImageFilter()
    statistics_of_labels.Execute(labels, image)
    return statistics_of_labels


def volume_of(stored: NDArray[np.int16], slope: NDArray[np.float64], path: Path) -> Volume:
    """Return the volume on the grid of the label map."""
    n = len(stored)
    none = np.zeros(n)
    return Volume(
        grid=read_label_map(path).grid,
        unit=Unit.GML,
        stored=stored,
        slope=slope,
        intercept=none,
        totals=SliceTotals(total=none, smallest=none, largest=none),
        is_loaded=np.ones(n, np.bool_),
    )


def main() -> None:
    """Run the rounds and print each figure with its limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="figures, such as 8a,9")
    given = parser.parse_args()
    figures = [f for f in FIGURES if not given.only or f.number.startswith(tuple(given.only.split(",")))]
    rounds: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        run = contestants(Path(folder), {name for f in figures for name in (f.ours, f.peer)})
        for number in range(given.rounds + 1):  # the first warms the caches
            walls_s = {}
            for name, step in run.items():
                start_s = time.perf_counter()
                step()
                walls_s[name] = time.perf_counter() - start_s
            rounds.append(walls_s)
            print(f"round {number} of {given.rounds}", file=sys.stderr)
    for figure in figures:
        ratio = statistics.median(one[figure.ours] / one[figure.peer] for one in rounds[1:])
        ours_s = statistics.median(one[figure.ours] for one in rounds[1:])
        verdict = "reached" if ratio <= figure.limit else "MISSED"
        print(
            f"{figure.number:>3}  {figure.what:<54} {ratio:7.3f}  limit {figure.limit:.3f}  {verdict}"
            f"  (ours {ours_s:.3f} s)"
        )


if __name__ == "__main__":
    main()
