"""The catalogue holds the phantoms by name: one TOML file each in ``definitions``, and the header cases.

Header cases are one small object under many headers, each with its expected outcome: ``ibsi_suv/0_0`` is one
of the IBSI SUV survey on its full object, ``ibsi_suv_small/0_0`` the same on 32 x 32 x 6 voxels, ``suv/O1``
one of our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from petquant_phantoms import definition_folder, ibsi_suv, own_suv_cases
from petquant_phantoms.definition_file import DefinitionError
from petquant_phantoms.study import Study, write_study

if TYPE_CHECKING:
    from pathlib import Path

    from petquant_phantoms.definition import Definition, PetObject


def names() -> tuple[str, ...]:
    """Return the names of the phantoms that have a file of their own, sorted."""
    return definition_folder.names()


def header_cases() -> tuple[str, ...]:
    """Return the names of the header cases, in the order of their lists."""
    return (
        *(f"ibsi_suv/{number}" for number in ibsi_suv.IDS),
        *(f"ibsi_suv_small/{number}" for number in ibsi_suv.IDS),
        *(f"suv/{number}" for number in own_suv_cases.IDS),
    )


def load(name: str) -> Definition:
    """Return the phantom of a name, also that of a header case.

    Raises
    ------
    DefinitionError
        If there is no phantom of this name, or its file does not make one.
    """
    if "/" not in name:
        return definition_folder.load(name)
    if name not in header_cases():
        raise DefinitionError(f"no phantom {name!r}; there are {', '.join((*names(), *header_cases()))}")
    group, number = name.split("/")
    if group == "suv":
        return own_suv_cases.case(number).definition
    return ibsi_suv.case(number, is_small=group == "ibsi_suv_small").definition


def build(
    name: str,
    out: Path | str,
    *,
    vendor: str | None = None,
    decay: str | None = None,
    units: str | None = None,
    transfer_syntax: str | None = None,
    object: PetObject | None = None,  # noqa: A002  the word of DICOM
) -> Study:
    """Write the phantom of a name into a folder, in the dialect of a vendor where one is given.

    Parameters
    ----------
    name
        One of `names` or `header_cases`.
    out
        Folder to write to.
    vendor, decay, units, transfer_syntax, object
        As for `Definition.in_dialect`; the truth of the image stays the same.
    """
    variant = load(name).in_dialect(
        vendor=vendor, decay=decay, units=units, transfer_syntax=transfer_syntax, object=object
    )
    return write_study(variant, out)
