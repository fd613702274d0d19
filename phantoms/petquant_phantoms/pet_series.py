"""A PET series is the list of DICOM objects of one reconstruction, in the order of its files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset

from petquant_phantoms import pet_attributes as attributes
from petquant_phantoms.encoding import write_text
from petquant_phantoms.image import image_suv
from petquant_phantoms.pet_attributes import SliceOfSeries
from petquant_phantoms.quantisation import StoredVolume, quantise
from petquant_phantoms.time_spelling import respell
from petquant_phantoms.uids import uid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from petquant_phantoms.definition import Definition

# What is left of the concentration without attenuation correction, roughly, in the middle of a torso.
NAC_FRACTION = 0.25
NAC = "PT NAC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One time frame and gate of a series, with the SUV of its voxels and what is stored for them."""

    frame: int
    gate: int
    suv: NDArray[np.float64]
    stored: StoredVolume
    stored_per_suv: NDArray[np.float64]

    @property
    def suv_per_stored_unit(self) -> NDArray[np.float64]:
        """SUV that one stored integer is worth, slice by slice."""
        return self.stored.slopes / self.stored_per_suv


def frames(definition: Definition) -> list[Frame]:
    """Return every time frame and gate of a phantom; the first holds the SUV of its body as it stands."""
    grid, header = definition.grid, definition.header
    suv = image_suv(definition)
    beds = [header.bed_of_slice(k, n_slices=grid.shape[0]) for k in range(grid.shape[0])]
    made = []
    for frame, in_frame in enumerate(definition.time_frames):
        per_suv = np.array([header.stored_per_suv(bed, frame=frame) for bed in beds])
        for gate, in_gate in enumerate(definition.gates):
            scaled = suv * (in_frame * in_gate)
            stored = quantise(scaled * per_suv[:, None, None], slope=definition.slope_rule)
            made.append(Frame(frame=frame, gate=gate, suv=scaled, stored=stored, stored_per_suv=per_suv))
    return made


def pet_datasets(
    definition: Definition,
    *,
    edit: Callable[[Dataset, int], None] | None = None,
    kind: str = "PT",
    number: int = 1,
) -> list[Dataset]:
    """Return the objects of the PET series of a phantom, in file order.

    Parameters
    ----------
    definition
        The phantom.
    edit
        Called with each finished dataset and its place in the list (from 0), to change it in place.
    kind, number
        Part of the UIDs, and the series number.

    Returns
    -------
    list of Dataset
        Little-endian pixels, no file meta information: `encoding.write_file` writes them.
    """
    datasets = [
        _slice(definition, place, stored, kind=kind, number=number) for place, stored in places(definition)
    ]
    for index, dataset in enumerate(datasets):
        respell(dataset, definition.time_variant)
        apply_edits(dataset, definition.edits)
        if edit is not None:
            edit(dataset, index)
    return datasets


def places(definition: Definition) -> Iterator[tuple[SliceOfSeries, StoredVolume]]:
    """Yield every slice of every frame in the order of their instances, with the volume it is stored in."""
    kept = [k for k in range(definition.grid.shape[0]) if k not in definition.missing_slices]
    in_order = []
    for made in frames(definition):
        in_order += [(SliceOfSeries(k=k, frame=made.frame, gate=made.gate), made.stored) for k in kept]
        doubled = StoredVolume(
            integers=np.asarray(made.stored.integers // 2, dtype=np.int16),
            slope_texts=made.stored.slope_texts,
        )
        in_order += [
            (SliceOfSeries(k=k, frame=made.frame, gate=made.gate, copy=1), doubled)
            for k in definition.doubled_slices
        ]
    if definition.instance_order == "descending":
        in_order.reverse()
    elif definition.instance_order == "shuffled":
        order = np.random.default_rng(definition.seed).permutation(len(in_order))
        in_order = [in_order[int(n)] for n in order]
    for instance, (place, stored) in enumerate(in_order, start=1):
        yield replace(place, instance=instance), stored


def _slice(
    definition: Definition, place: SliceOfSeries, stored: StoredVolume, *, kind: str, number: int
) -> Dataset:
    header, grid = definition.header, definition.grid
    dataset = Dataset()
    attributes.put_patient(dataset, header)
    attributes.put_study_and_series(dataset, definition, kind=kind, number=number)
    attributes.put_series_physics(dataset, definition)
    attributes.put_slice(dataset, definition, place, kind=kind)
    attributes.put_private(dataset, header)
    attributes.put_pixels(
        dataset,
        stored.integers[place.k].astype("<i2").tobytes(),
        shape=(grid.shape[1], grid.shape[2]),
        slope_text=stored.slope_texts[place.k],
    )
    return dataset


def apply_edits(dataset: Dataset, edits: Iterable[tuple[str, str | None]]) -> None:
    """Write or remove attributes where they stand: in the radiopharmaceutical item, a frame, or outside."""
    for keyword, text in edits:
        for holder in _holders(dataset, keyword) or [dataset]:
            if text is not None:
                write_text(holder, keyword, text)
            elif keyword in holder:
                del holder[keyword]


def _holders(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of sequences that hold an attribute, at any depth; the dataset itself only if none."""
    holders: list[Dataset] = []
    # By get_item, so that the text of earlier edits stays unparsed.
    for tag in dataset.keys():  # noqa: SIM118 - iteration would parse raw elements
        element = dataset.get_item(tag)
        for item in element.value if element is not None and element.VR == "SQ" else ():
            holders += [item] if keyword in item else _holders(item, keyword)
    return holders


def nac_datasets(definition: Definition) -> list[Dataset]:
    """Return a second series of the same scan, without attenuation and scatter correction."""
    return pet_datasets(without_attenuation_correction(definition), kind=NAC, number=2)


def without_attenuation_correction(definition: Definition) -> Definition:
    """Return the phantom as its scanner shows it without attenuation and scatter correction."""
    corrections = tuple(c for c in definition.header.corrections if c not in {"ATTN", "SCAT"})
    uncorrected = definition.with_header(
        corrected_image=corrections,
        attenuation_correction_method="NONE, 0.000000 cm-1,",
        series_description="PET NAC",
    )
    weaker = tuple(NAC_FRACTION * factor for factor in definition.time_frames)
    return replace(uncorrected, time_frames=weaker)


def projection_dataset(definition: Definition) -> Dataset:
    """Return a coronal maximum intensity projection that lies in the series of the slices."""
    if definition.object != "classic":
        raise ValueError(f"{definition.name}: a projection lies among single slices only")
    grid = definition.grid
    made = frames(definition)[0]
    peaks = (made.stored.integers * made.stored.slopes[:, None, None]).max(axis=1)[::-1]
    stored = quantise(peaks[None], slope="per_slice")
    place = SliceOfSeries(k=0, instance=grid.shape[0] + 1)
    dataset = _slice(definition, place, made.stored, kind="PT", number=1)
    dataset.SOPInstanceUID = uid(definition.name, "MIP")
    dataset.ImageType = ["DERIVED", "PRIMARY", "MIP"]
    n_slices, _, n_columns = grid.shape
    attributes.put_geometry(
        dataset,
        grid.voxel_centre_mm(n_slices - 1, 0, 0),
        [*grid.orientation[:3], *(-float(x) for x in grid.normal)],
        (grid.spacing_mm[1], grid.spacing_mm[0], grid.spacing_mm[2]),
    )
    attributes.put_pixels(
        dataset,
        stored.integers[0].astype("<i2").tobytes(),
        shape=(n_slices, n_columns),
        slope_text=stored.slope_texts[0],
    )
    return dataset
