"""A definition is everything that makes one phantom: body, grid, blur, header, and its deliberate faults.

It is a frozen value: ``dataclasses.replace`` gives a variant, ``with_header`` a variant of its header.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from petquant_phantoms.body import Body, Region, Sampling, Sphere, Uptake
from petquant_phantoms.ct_series import CtScan
from petquant_phantoms.drawn_regions import OccupancyBox, VoxelRun
from petquant_phantoms.image import Gaussian, PointSpread
from petquant_phantoms.image_grid import ImageGrid
from petquant_phantoms.noise import Noise
from petquant_phantoms.pet_header import PetHeader
from petquant_phantoms.segmentation import SegmentationType
from petquant_phantoms.squares import Square
from petquant_phantoms.time_spelling import TimeVariant

InstanceOrder = Literal["ascending", "descending", "shuffled"]
Extra = Literal["nac_series", "mip", "seg", "rtstruct"]
PetObject = Literal["classic", "enhanced", "legacy_converted"]
Drawn = VoxelRun | OccupancyBox | Square

# Units that no SUV can be computed from, and the code of the refusal.
REFUSED_UNITS = {
    "PROPCPS": "UNITS_NOT_QUANTITATIVE",
    "PROPCNTS": "UNITS_NOT_QUANTITATIVE",
    "1CM": "UNITS_NOT_QUANTITATIVE",
    "PCNT": "UNITS_NOT_QUANTITATIVE",
    "NONE": "UNITS_NOT_QUANTITATIVE",
    "CM2": "UNITS_NOT_QUANTITATIVE",
    "CPS": "CPS_UNSUPPORTED",
    "MGMINML": "UNITS_NOT_SUV",
    "UMOLMINML": "UNITS_NOT_SUV",
    "MLMING": "UNITS_NOT_SUV",
    "MLG": "UNITS_NOT_SUV",
    "UMOLML": "UNITS_NOT_SUV",
    "STDDEV": "UNITS_NOT_SUV",
}

UNITS = ("BQML", "CNTS", "GML", "CM2ML", *REFUSED_UNITS)

TINY_BODY = Body(
    uptakes=(
        Uptake(name="background", shape=Sphere(centre_mm=(0.0, 0.0, 0.0), radius_mm=60.0), contrast_suv=1.0),
        Uptake(name="hot", shape=Sphere(centre_mm=(-9.0, 3.0, 1.0), radius_mm=8.0), contrast_suv=3.0),
        Uptake(name="cold", shape=Sphere(centre_mm=(13.0, -7.0, -1.0), radius_mm=8.0), contrast_suv=-0.8),
    ),
    regions=(
        Region(name="hot", shape=Sphere(centre_mm=(-9.0, 3.0, 1.0), radius_mm=8.0)),
        Region(name="cold", shape=Sphere(centre_mm=(13.0, -7.0, -1.0), radius_mm=8.0)),
        Region(name="muscle", shape=Sphere(centre_mm=(8.0, 20.0, 0.0), radius_mm=9.0), role="background"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One phantom.

    Attributes
    ----------
    proves
        What a reader that finds its truth has shown.
    fwhm_mm
        Width of the point spread of the scanner; 0 leaves every shape sharp.
    point_spread
        Gaussians that are the point spread together, in place of ``fwhm_mm``; their weights sum to 1.
    sampling
        What a voxel shows: the SUV at its centre, or its mean.
    noise
        None leaves the image free of it; its seed is ``seed``.
    slope
        "per_slice", "global", or slopes that the slices take in turn; None leaves it to the dialect.
    transfer_syntax
        Name of a row of `encoding.TRANSFER_SYNTAXES`.
    object
        What the series is written as: one classic object a slice, one Enhanced PET, or one Legacy Converted
        Enhanced PET.
    time_variant
        How dates and times are spelt, or which of the two injection times is left out.
    expected
        "ok", or the code of the refusal that this phantom must meet.
    time_frames, gates
        Factor on the SUV of each time frame or gate; more than one makes a dynamic or gated series.
    edits
        (DICOM keyword, text) pairs applied to every slice at the end; the text None removes the attribute.
        The text is written as it stands, however wrong.
    frame_of_reference
        Name of the phantom whose FrameOfReferenceUID this one shares; empty for one of its own.
    missing_slices, doubled_slices
        Slices that are left out; slices that appear twice with different voxels.
    extras
        What else lies in the folder: a series without attenuation correction, a projection in the series,
        the regions as SEG or RTSTRUCT.
    ct
        The CT of the scan; None writes none.
    drawn
        Regions that are given on the grid, besides those of the body's shapes.
    segmentation_type
        BINARY, FRACTIONAL or LABELMAP: how the SEG holds regions.
    numbered_voxels
        So many voxels, in C order, are lesions of one voxel each.
    """

    name: str = "tiny"
    version: int = 1
    description: str = "a hot and a cold sphere in a uniform background"
    proves: str = "the factor from Bq/mL to SUV, and maximum, mean and minimum of small regions"
    grid: ImageGrid = field(default_factory=ImageGrid)
    body: Body = TINY_BODY
    fwhm_mm: float = 0.0
    point_spread: PointSpread = ()
    sampling: Sampling = "point"
    noise: Noise | None = None
    header: PetHeader = field(default_factory=PetHeader)
    slope: str | tuple[float, ...] | None = None
    transfer_syntax: str = "explicit"
    object: PetObject = "classic"
    time_variant: TimeVariant = "standard"
    seed: int = 0
    expected: str = "ok"
    frame_of_reference: str = ""
    instance_order: InstanceOrder = "ascending"
    time_frames: tuple[float, ...] = (1.0,)
    gates: tuple[float, ...] = (1.0,)
    edits: tuple[tuple[str, str | None], ...] = ()
    missing_slices: tuple[int, ...] = ()
    doubled_slices: tuple[int, ...] = ()
    extras: tuple[Extra, ...] = ()
    ct: CtScan | None = None
    drawn: tuple[Drawn, ...] = ()
    segmentation_type: SegmentationType = "BINARY"
    numbered_voxels: int = 0

    def __post_init__(self) -> None:
        names = [region.name for region in (*self.body.regions, *self.drawn)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"region names must differ: {', '.join(repeated)}")
        total = sum(term.weight for term in self.gaussians)
        if abs(total - 1.0) > 1e-12:
            raise ValueError(f"the weights of a point spread must sum to 1, found {total:g}")

    @property
    def gaussians(self) -> PointSpread:
        """The point spread as a sum of Gaussians."""
        return self.point_spread or (Gaussian(fwhm_mm=self.fwhm_mm),)

    def with_header(self, **changes: Any) -> Self:
        """Return this phantom with another header, e.g. ``with_header(dialect="ge", weight_kg=80.0)``."""
        return replace(self, header=replace(self.header, **changes))

    @property
    def slope_rule(self) -> str | tuple[float, ...]:
        """How slices are scaled to stored integers."""
        return self.header.vendor.slope if self.slope is None else self.slope

    def in_dialect(
        self,
        *,
        vendor: str | None = None,
        decay: str | None = None,
        units: str | None = None,
        transfer_syntax: str | None = None,
        object: PetObject | None = None,  # noqa: A002  the word of DICOM
        time_variant: TimeVariant | None = None,
    ) -> Self:
        """Return this phantom as another vendor writes it; what is not given stays.

        A vendor brings its own units unless ``units`` is given. Units GML and CM2ML bring SUVType BW and BSA.
        Units that have no SUV make the phantom one that must be refused.

        Parameters
        ----------
        vendor, decay, units, transfer_syntax
            Name in `dialects.DIALECTS`; START, ADMIN or NONE; Units (0054,1001), also of an Enhanced object,
            which writes their UCUM code; name in `encoding.TRANSFER_SYNTAXES`.
        object
            "classic", "enhanced" or "legacy_converted".
        time_variant
            One of `time_spelling.TimeVariant`.
        """
        changes: dict[str, Any] = {}
        if vendor is not None:
            changes["dialect"] = vendor
        if decay is not None:
            changes["decay_correction"] = decay
        variant = self.with_header(**changes) if changes else self
        chosen = variant.header.vendor.units if units is None and vendor is not None else units
        if chosen is not None:
            suv_type = {"GML": "BW", "CM2ML": "BSA"}.get(chosen)
            variant = variant.with_header(units=chosen, suv_type=suv_type)
        if transfer_syntax is not None:
            variant = replace(variant, transfer_syntax=transfer_syntax)
        if object is not None:
            variant = replace(variant, object=object)
        if time_variant is not None:
            variant = replace(variant, time_variant=time_variant)
        if variant.expected == "ok":
            variant = replace(variant, expected=variant.refusal_by_units or "ok")
        return variant

    @property
    def refusal_by_units(self) -> str | None:
        """Code of the refusal that the units alone bring; None when an SUV can be computed from them.

        Counts need the private factors of Philips, which an Enhanced object does not carry.
        """
        if self.header.units == "CNTS":
            has_factor = self.header.has_count_factor and self.object != "enhanced"
            return None if has_factor else "CNTS_NO_FACTOR"
        return REFUSED_UNITS.get(self.header.units)
