"""What a picture is not: said beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from petquant.export.viewer.picture import Picture
from petquant.export.viewer.scene import Scene

__all__ = ["notes_of"]


def notes_of(scene: Scene, picture: Picture, split: int | None) -> Sequence[str]:
    """Return what the picture is not."""
    notes = []
    positions_mm = scene.pet.grid.slice_positions_mm
    if positions_mm is not None:
        steps = np.diff(positions_mm)
        notes.append(
            f"The slices of this scan lie {steps.min():.2f} to {steps.max():.2f} mm apart. The picture has "
            f"one step: each of its planes shows the nearest slice, at most {picture.farthest_mm:.2f} mm "
            "off. Positions and values under the cursor are those of the slice itself."
        )
    if picture.tilt_degrees > 1:
        notes.append(
            f"The planes are those of the PET, tilted by {picture.tilt_degrees:.0f} degrees against the "
            "patient."
        )
    if split is not None and scene.ct is not None:
        spacing = scene.pet.grid.spacing_mm
        fine = scene.ct.grid.spacing_mm
        notes.append(
            f"CT: interpolated from {fine[2]:.2f} × {fine[1]:.2f} × {fine[0]:.2f} mm onto "
            f"{spacing[2] / split:.2f} × {spacing[1] / split:.2f} × {picture.step_mm:.2f} mm; HU are for "
            "orientation."
        )
    elif scene.without_ct:
        notes.append(f"No CT is shown: {scene.without_ct}")
    if any(roi.weights is not None for roi in (*scene.lesions, *scene.backgrounds)):
        notes.append("Outlines show voxels at least half inside; the table counts fractions of voxels.")
    return notes
