"""Order statistics by counting are those of sorting, whatever the values are like."""

from __future__ import annotations

import numpy as np
import pytest

from petquant.metrics.order import at_ranks
from petquant.metrics.segments import Segments


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: rng.integers(-3, 3, n).astype(np.float64),
        lambda _, n: np.full(n, 2.5),
        lambda rng, n: rng.lognormal(0, 40, n),  # nearly all in the first bin
        lambda rng, n: rng.uniform(-1, 1, n) * 1.7e308,  # a range that no float64 holds
        lambda rng, n: rng.integers(0, 3, n) * 5e-324,
        lambda rng, n: rng.choice([-0.0, 0.0], n),
    ],
)
def test_values_at_ranks_are_those_of_the_sorted_values(draw):
    rng = np.random.default_rng(3)
    parts = [draw(rng, n) for n in (1, 2, 3, 1, 50, 7000)]
    regions = Segments.of([np.arange(len(part)) for part in parts])
    x = np.concatenate(parts)
    ranks = (rng.random((len(parts), 7)) * regions.sizes[:, None]).astype(np.int64)
    found = at_ranks(
        x,
        regions,
        ranks,
        smallest=np.array([part.min() for part in parts]),
        largest=np.array([part.max() for part in parts]),
    )
    np.testing.assert_array_equal(found, [np.sort(part)[r] for part, r in zip(parts, ranks, strict=True)])
