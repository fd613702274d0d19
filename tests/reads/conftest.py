"""The oesophagus cohort as pairs of reads."""

from __future__ import annotations

import pytest

from petquant.reads.pair import LesionPair, LesionRead


@pytest.fixture
def pairs(cohort):
    """The cohort as pairs, positive above 1.5 times a blood pool of 1.5 (Pentixafor) and 1.6 (FDG)."""

    def of(factor: float = 1.5, *, blood_pool: tuple[float, float] = (1.5, 1.6)):
        made = []
        for n, (patient, a, b) in enumerate(zip(cohort.patient, cohort.pentixafor, cohort.fdg, strict=True)):
            reads = [
                LesionRead(
                    lesion_id=str(n),
                    values={"suv_max": float(x), "tbr_max_blood_pool": float(x) / pool},
                    is_positive=bool(x > factor * pool),
                )
                for x, pool in ((a, blood_pool[0]), (b, blood_pool[1]))
            ]
            made.append(LesionPair(patient=f"P{patient}", lesion_id=str(n), a=reads[0], b=reads[1]))
        return made

    return of
