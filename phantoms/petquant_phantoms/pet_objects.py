"""The objects of a series are the files that it is written as: one a slice, or one for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from petquant_phantoms.enhanced_pet import enhanced_dataset
from petquant_phantoms.legacy_pet import legacy_converted_dataset
from petquant_phantoms.pet_series import apply_edits, pet_datasets
from petquant_phantoms.time_spelling import respell

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import Dataset

    from petquant_phantoms.definition import Definition


def pet_objects(
    definition: Definition,
    *,
    edit: Callable[[Dataset, int], None] | None = None,
    kind: str = "PT",
    number: int = 1,
) -> list[Dataset]:
    """Return the objects of the PET series of a phantom as its ``object`` says, in file order.

    Parameters
    ----------
    definition
        The phantom. Its edits change the classic slices before they are converted, and an Enhanced object at
        the end, there in every item that holds the attribute.
    edit
        Called with each finished dataset and its place in the list, to change it in place.
    kind, number
        Part of the UIDs, and the series number.
    """
    if definition.object == "classic":
        return pet_datasets(definition, edit=edit, kind=kind, number=number)
    if definition.object == "enhanced":
        dataset = enhanced_dataset(definition, kind=kind, number=number)
        respell(dataset, definition.time_variant)
        apply_edits(dataset, definition.edits)
    else:
        dataset = legacy_converted_dataset(definition, kind=kind, number=number)
    if edit is not None:
        edit(dataset, 0)
    return [dataset]
