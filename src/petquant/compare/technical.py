"""What the uncertainties on a scan rest on: its conversion, its backgrounds, and what the user stated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from petquant.quantification import Quantification
from petquant.reads.technical import TISSUES, Technical
from petquant.reads.uncertainty import INPUTS, Scan
from petquant.suv.conversion import SuvConversion
from petquant.suv.normalisation import normalisation, weight_exponent

__all__ = ["technical_of"]


def technical_of(quantification: Quantification, *, given: Mapping[str, float]) -> Technical:
    """Return what the uncertainties of the first SUV type rest on.

    Parameters
    ----------
    given
        Name in `petquant.reads.uncertainty.INPUTS` to standard uncertainty; the others are defaults.
    """
    conversion = quantification.study.conversion
    covs = {one.name: one.values["cov"] for one in quantification.references}
    tissue = next((name for name in TISSUES if covs.get(name) is not None), "")
    cov = covs.get(tissue)
    half_life_s = conversion.half_life.half_life_s
    shared = None
    if quantification.suv_types and half_life_s is not None:
        inputs: dict[str, Any] = {INPUTS[name]: value for name, value in given.items()}
        exponent = _exponent(conversion, quantification.suv_types[0])
        shared = Scan(half_life_s=half_life_s, weight_exponent=exponent, **inputs)
    return Technical(
        shared=shared,
        psf_fwhm_mm=quantification.psf_fwhm_mm,
        cov=None if cov is None else float(cov),
        tissue=tissue,
    )


def _exponent(conversion: SuvConversion, suv_type: str) -> float:
    """Return how an SUV type follows the weight; 1 where no weight is known, as for SUVbw."""
    row = normalisation(suv_type)
    if row is None or not row.needs_height or conversion.weight_kg is None or conversion.height_m is None:
        return 1.0
    if row.needs_sex and conversion.sex is None:
        return 1.0
    return weight_exponent(
        row, weight_kg=conversion.weight_kg, height_m=conversion.height_m, sex=conversion.sex
    )
