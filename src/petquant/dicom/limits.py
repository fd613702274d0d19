"""A limit is what no honest file needs: of nesting, inflation and size.

A file beyond a limit is refused with exit code 7 before its content is believed or memory is taken for it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one read.

    Parameters
    ----------
    nesting
        Depth of sequences within sequences; PET headers reach 4.
    element_bytes
        Length of one element value.
    inflation
        Inflated size over file size of a deflated data set.
    inflated_bytes
        Inflated size of a deflated data set.
    volume_voxels
        Voxels of one volume.
    frames
        Frames of one multi-frame file; 60 time frames of a total-body scanner are 40 000.
    archive_members, archive_bytes
        Members of a zip file, and their inflated size together.
    """

    nesting: int = 32
    element_bytes: int = 2**31
    inflation: int = 64
    inflated_bytes: int = 512 * 2**20
    volume_voxels: int = 2_000_000_000
    frames: int = 100_000
    archive_members: int = 100_000
    archive_bytes: int = 16 * 2**30


DEFAULT_LIMITS = Limits()
