"""Draw the ratios of tumour to normal brain of cohort_b: the published moments, and no more is known.

Target: 21.93 +- 10.77 (Pentixafor) and 4.29 +- 2.16 (FDG), sample standard deviation. A seeded log-normal
draw with the target's coefficient of variation is brought to the exact mean and standard deviation by an
affine map and rounded to two decimals; it is accepted when the rounded values have the target's mean and
standard deviation to two decimals and none is below 1.2. Run once:

    python docs/design/cnsl_ratios.py > phantoms/petquant_phantoms/definitions/cohorts/cohort_b.csv
"""

import csv
import math
import sys

import numpy as np

N = 26
TARGETS = {"pentixafor": (21.93, 10.77), "fdg": (4.29, 2.16)}
SMALLEST = 1.2
REGIONS = ("frontal lobe", "basal ganglia", "parietal lobe")


def accepted(mean: float, sd: float, *, seed: int) -> tuple[np.ndarray, int]:
    """Return the first draw of a generator that is accepted, and how many were drawn."""
    generator = np.random.default_rng(seed)
    sigma = math.sqrt(math.log(1.0 + (sd / mean) ** 2))
    for n_draws in range(1, 1_000_000):
        drawn = generator.lognormal(0.0, sigma, N)
        values = np.round(mean + sd * (drawn - drawn.mean()) / drawn.std(ddof=1), 2)
        moments = round(float(values.mean()), 2), round(float(values.std(ddof=1)), 2)
        if moments == (mean, sd) and values.min() > SMALLEST:
            return values, n_draws
    raise RuntimeError("no draw was accepted")


def place(n: int) -> tuple[str, str, tuple[float, float, float]]:
    """Return region, side and centre of the lesion of a patient: off the grid, well inside one half."""
    third = n % 3
    side = "left" if n % 2 else "right"
    x = (28.0 + 0.7 * (n % 5)) * (1.0 if side == "left" else -1.0)
    y = (-28.0, 0.0, 26.0)[third] + 0.9 * (n % 4)
    z = (-8.0, -14.0, 0.0)[third] + 1.3 * (n % 3)
    return REGIONS[third], side, (round(x, 1), round(y, 1), round(z, 1))


def main() -> None:
    """Print the table; the draws go to stderr."""
    columns = {}
    for seed, (tracer, (mean, sd)) in enumerate(TARGETS.items(), start=1):
        columns[tracer], n_draws = accepted(mean, sd, seed=seed)
        print(f"{tracer}: seed {seed}, draw {n_draws}", file=sys.stderr)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["patient", "lesion", "region", "side", "x_mm", "y_mm", "z_mm", *columns])
    for n in range(N):
        region, side, centre = place(n)
        table.writerow([f"B{n:02d}", 1, region, side, *centre, *(f"{c[n]:.2f}" for c in columns.values())])


if __name__ == "__main__":
    main()
