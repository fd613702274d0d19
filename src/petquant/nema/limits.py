"""Limits of recovery that EARL asks of a scanner: a table with its sources.

A recovery is the measured activity concentration over the true one. A50 is the mean in the isocontour at half
of maximum plus background. Limits whose source is not the publisher's own are marked as not verified: they
are printed as such, and never make an accreditation.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STANDARDS", "Interval", "Standard"]

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """One set of limits.

    Parameters
    ----------
    name
        As the command line has it.
    title
        For a reader.
    a50, maximum
        Lowest and highest recovery by sphere diameter in mm.
    source
        Where the numbers come from.
    verified
        Whether that is the publisher of the standard.
    """

    name: str
    title: str
    a50: dict[int, Interval]
    maximum: dict[int, Interval]
    source: str
    verified: bool


STANDARDS = {
    "earl1": Standard(
        name="earl1",
        title="EARL standard 1",
        a50={
            37: (0.76, 0.89),
            28: (0.72, 0.85),
            22: (0.63, 0.78),
            17: (0.57, 0.73),
            13: (0.44, 0.60),
            10: (0.27, 0.43),
        },
        maximum={
            37: (0.95, 1.16),
            28: (0.91, 1.13),
            22: (0.83, 1.09),
            17: (0.73, 1.01),
            13: (0.59, 0.85),
            10: (0.34, 0.57),
        },
        source="EARL accreditation specifications, January 2017",
        verified=True,
    ),
    "earl2": Standard(
        name="earl2",
        title="EARL standard 2",
        a50={
            37: (0.85, 1.00),
            28: (0.82, 0.97),
            22: (0.80, 0.99),
            17: (0.76, 0.97),
            13: (0.63, 0.86),
            10: (0.39, 0.61),
        },
        maximum={
            37: (1.05, 1.29),
            28: (1.01, 1.26),
            22: (1.01, 1.32),
            17: (1.00, 1.38),
            13: (0.85, 1.22),
            10: (0.52, 0.88),
        },
        source="pynemaiqpet, after ranges proposed by Kaalep 2018, doi 10.1007/s00259-018-3977-4",
        verified=False,
    ),
}
