"""A radiopharmaceutical is what was injected: a compound, its radionuclide, and the codes of both.

Half-lives are those of ICRP Publication 107; codes are SNOMED CT of DICOM CID 4020 (nuclides) and CID 4021.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A coded concept as DICOM writes it."""

    value: str
    meaning: str
    scheme: str = "SCT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nuclide:
    """A positron emitter: half-life in s and the fraction of decays that emit a positron."""

    symbol: str
    half_life_s: float
    positron_fraction: float
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Radiopharmaceutical:
    """A compound with its nuclide; ``code`` is None where DICOM has no code for it."""

    name: str
    nuclide: Nuclide
    code: Code | None = None

    @property
    def any_code(self) -> Code:
        """The code of DICOM, or a private one where there is none."""
        return self.code or Code(value=self.name.upper(), meaning=self.name, scheme="99PETQUANT")


FLUORINE_18 = Nuclide(
    symbol="18F",
    half_life_s=6586.2,  # 109.77 min
    positron_fraction=0.967,
    code=Code(value="77004003", meaning="^18^Fluorine"),
)
GALLIUM_68 = Nuclide(
    symbol="68Ga",
    half_life_s=4062.6,  # 67.71 min
    positron_fraction=0.891,
    code=Code(value="35337001", meaning="^68^Gallium"),
)
ZIRCONIUM_89 = Nuclide(
    symbol="89Zr",
    half_life_s=282276.0,  # 78.41 h
    positron_fraction=0.227,
    code=Code(value="63360001", meaning="^89^Zirconium"),
)

FDG = Radiopharmaceutical(
    name="FDG", nuclide=FLUORINE_18, code=Code(value="35321007", meaning="Fluorodeoxyglucose F^18^")
)
PENTIXAFOR = Radiopharmaceutical(name="Pentixafor", nuclide=GALLIUM_68)
PSMA_11 = Radiopharmaceutical(name="Ga68-PSMA", nuclide=GALLIUM_68)
ZR89_ANTIBODY = Radiopharmaceutical(name="Zr89-Trastuzumab", nuclide=ZIRCONIUM_89)

RADIOPHARMACEUTICALS = {
    "fdg": FDG,
    "pentixafor": PENTIXAFOR,
    "psma-11": PSMA_11,
    "zr89-antibody": ZR89_ANTIBODY,
}
