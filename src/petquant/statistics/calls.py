"""Agreement of calls: two readers, or a reader and a rule, who sort the same things into categories."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np

__all__ = ["cohen_kappa", "fleiss_kappa", "gwet_ac1"]


def cohen_kappa(
    a: Sequence[Hashable],
    b: Sequence[Hashable],
    *,
    categories: Sequence[Hashable],
    weights: Literal["none", "linear", "quadratic"] = "none",
) -> float | None:
    """Return Cohen's kappa ``1 - sum(w o)/sum(w e)`` of two rows of calls; None where all calls are one.

    Parameters
    ----------
    categories
        All of them, in order; `weights` measure distances in it.
    """
    table = _table(a, b, categories)
    steps = np.abs(np.subtract.outer(np.arange(len(categories)), np.arange(len(categories)))).astype(float)
    disagreement = {"none": (steps > 0).astype(float), "linear": steps, "quadratic": steps**2}[weights]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0))
    by_chance = float((disagreement * expected).sum())
    return None if by_chance == 0.0 else 1.0 - float((disagreement * table).sum()) / by_chance


def gwet_ac1(a: Sequence[Hashable], b: Sequence[Hashable], *, categories: Sequence[Hashable]) -> float | None:
    """Return Gwet's AC1 ``(po - pe)/(1 - pe)``, ``pe = sum pi (1 - pi)/(q - 1)`` (Gwet 2008).

    ``pi`` is the share of a category among the calls of both rows.
    """
    table = _table(a, b, categories)
    if len(categories) < 2:
        return None
    share = (table.sum(axis=0) + table.sum(axis=1)) / 2.0
    by_chance = float((share * (1.0 - share)).sum()) / (len(categories) - 1)
    return (float(np.trace(table)) - by_chance) / (1.0 - by_chance)


def fleiss_kappa(counts: Sequence[Sequence[int]]) -> float | None:
    """Return Fleiss' kappa of (things, categories) counts of calls, the same number for each thing."""
    table = np.asarray(counts, np.float64)
    readers = table.sum(axis=1)
    if table.ndim != 2 or len(set(readers)) != 1 or readers[0] < 2:
        raise ValueError("every thing needs the same number of calls, at least two")
    n = readers[0]
    share = table.sum(axis=0) / table.sum()
    observed = float(((table**2).sum(axis=1) - n).mean() / (n * (n - 1)))
    by_chance = float((share**2).sum())
    return None if by_chance == 1.0 else (observed - by_chance) / (1.0 - by_chance)


def _table(a: Sequence[Hashable], b: Sequence[Hashable], categories: Sequence[Hashable]) -> np.ndarray:
    """Return the shares of all pairs of calls, (q, q)."""
    if len(a) != len(b) or not a:
        raise ValueError("two rows of calls of one length, at least one pair")
    place = {category: n for n, category in enumerate(categories)}
    table = np.zeros((len(categories), len(categories)))
    for first, second in zip(a, b, strict=True):
        table[place[first], place[second]] += 1.0
    return table / len(a)
