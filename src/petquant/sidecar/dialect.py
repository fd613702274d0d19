"""A dialect is whose words a side-car is written in; it is told key by key, for side-cars mix them."""

from __future__ import annotations

from petquant.errors import Finding
from petquant.sidecar.content import Sidecar

__all__ = ["dialect_finding"]

# quantity: (key, dialect) in the order in which they are read (suv.md section 18)
KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("unit", (("Units", "BIDS-PET"), ("Unit", "dcm2niix before 2022"))),
    ("activity", (("InjectedRadioactivity", "BIDS-PET"), ("RadionuclideTotalDose", "dcm2niix to 2022"))),
    ("half-life", (("RadionuclideHalfLife", "dcm2niix"), ("TracerRadionuclide", "BIDS-PET"))),
    ("decay correction", (("DecayCorrection", "dcm2niix"), ("ImageDecayCorrected", "BIDS-PET"))),
    ("times", (("InjectionStart", "BIDS-PET"), ("AcquisitionTime", "dcm2niix"), ("TimeZero", "BIDS-PET"))),
)


def dialect_finding(sidecar: Sidecar) -> Finding:
    """Return which key gave each quantity, and whose key that is."""
    words = []
    for quantity, keys in KEYS:
        found = next(((key, dialect) for key, dialect in keys if sidecar.text(key).text), None)
        if found is not None:
            words.append(f"{quantity} by {found[0]} ({found[1]})")
    return Finding(
        code="SIDECAR_DIALECT", found=", ".join(words) or "none of the keys of BIDS-PET or dcm2niix"
    )
