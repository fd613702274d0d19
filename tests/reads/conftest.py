"""The oesophagus cohort of two tracers: 26 lesions of 10 patients, as tabulated in the specification."""

from __future__ import annotations

import numpy as np
import pytest

from petquant.reads.pair import LesionPair, LesionRead

# patient, SUVmax of Pentixafor, SUVmax of FDG, positive with
COHORT = """
0 3.94 9.71 both; 0 5.32 6.85 both; 0 4.75 0.94 pent; 1 6.89 3.71 both; 1 4.45 24.21 both; 2 3.82 6.82 both;
2 7.71 7.58 both; 2 6.91 0.90 pent; 3 5.35 5.38 both; 3 5.96 9.83 both; 4 4.20 31.21 both; 4 2.09 6.40 fdg;
4 5.71 1.18 pent; 5 2.27 7.15 both; 5 1.07 5.36 fdg; 5 4.01 0.64 pent; 6 2.92 8.13 both; 6 1.18 2.70 fdg;
7 4.37 14.08 both; 7 0.74 6.10 fdg; 8 4.27 8.84 both; 8 0.83 3.82 fdg; 9 8.28 3.42 both; 9 4.42 1.02 pent;
9 3.33 1.93 pent; 9 4.41 1.48 pent
"""


class Cohort:
    """Columns of the table."""

    def __init__(self) -> None:
        rows = [row.split() for row in COHORT.split(";")]
        self.patient = np.array([int(row[0]) for row in rows])
        self.pentixafor = np.array([float(row[1]) for row in rows])
        self.fdg = np.array([float(row[2]) for row in rows])
        self.state = np.array([row[3] for row in rows])

    @property
    def differences(self):
        return self.pentixafor - self.fdg

    def by_patient(self, values, how):
        return np.array([how(values[self.patient == k]) for k in np.unique(self.patient)])


@pytest.fixture
def cohort() -> Cohort:
    return Cohort()


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
