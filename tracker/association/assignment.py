"""One-to-one assignment; the only caller of scipy's Hungarian algorithm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from flatsort.tracker.types import Bool, Float, Int, Matches

SMALL = 250_000
"""Up to this many pairs the Hungarian algorithm is faster than splitting the problem into components first."""

BLOCK = 64
"""Small components are solved together, in blocks of about this many rows and columns, since each call has a cost."""


def assign(cost: Float, feasible: Bool, bound: float | None = None) -> Matches:
    """The cheapest one-to-one matching of feasible pairs.

    Parameters
    ----------
    cost : [n m]
        Finite where feasible; ignored elsewhere.
    feasible : bool [n m]
        Which pairs may be returned.
    bound : float, optional
        Cost of leaving a row and a column unmatched: the sum of ``cost − bound`` over the pairs is minimal, and only
        pairs below ``bound`` are matched. By default the number of pairs is maximal, and of such matchings the cheapest
        is returned.

    Returns
    -------
    Matches

    Notes
    -----
    A large problem is split into the connected components of its feasible pairs, which do not influence each other;
    most are single pairs.
    """
    if bound is not None:
        feasible = feasible & (cost < bound)
    if bound is None:
        bound = _cardinality_bound(cost[feasible], min(cost.shape))
    if cost.size <= SMALL:
        return matches(*_hungarian(cost, feasible, bound), *cost.shape)
    rows, cols = feasible.nonzero()
    single = (feasible.sum(axis=1)[rows] == 1) & (feasible.sum(axis=0)[cols] == 1)
    pairs = [(rows[single], cols[single])]
    pairs += [
        (r[i], c[j])
        for r, c in _blocks(rows[~single], cols[~single], cost.shape)
        for i, j in [_hungarian(cost[r[:, None], c], feasible[r[:, None], c], bound)]
    ]
    return matches(*sorted_pairs(pairs), *cost.shape)


def sorted_pairs(parts: Sequence[tuple[Int, Int]]) -> tuple[Int, Int]:
    """Rows and columns of all parts together, rows ascending."""
    if len(parts) == 1:
        return parts[0]
    row = np.concatenate([rows for rows, _ in parts] or [np.empty(0, np.int64)])
    col = np.concatenate([cols for _, cols in parts] or [np.empty(0, np.int64)])
    order = np.argsort(row)
    return row[order], col[order]


def matches(rows: Int, cols: Int, n: int, m: int) -> Matches:
    """The pairs (``rows`` ascending) together with the unmatched ones of n rows and m columns."""
    return Matches(rows, cols, _unmatched(rows, n), _unmatched(cols, m))


def one_to_one(rows: Int, cols: Int) -> bool:
    """Whether no row and no column occurs twice in the pairs."""
    return len(set(rows.tolist())) == len(rows) and len(set(cols.tolist())) == len(cols)


def _unmatched(taken: Int, n: int) -> Int:
    if len(taken) == n:
        return np.empty(0, np.int64)
    free = np.zeros(n, bool)
    free[taken] = True
    return (~free).nonzero()[0]


def _cardinality_bound(costs: Float, pairs: int) -> float:
    """Bound that makes the number of pairs maximal: one pair less must cost more than all others can save by it."""
    if not len(costs):
        return 0.0
    low, high = float(costs.min()), float(costs.max())
    return high + (pairs + 1) * (high - low) + 1.0


def _hungarian(cost: Float, feasible: Bool, bound: float) -> tuple[Int, Int]:
    rows, cols = linear_sum_assignment(np.where(feasible, cost, bound))
    kept = feasible[rows, cols]
    return rows[kept], cols[kept]


def _blocks(rows: Int, cols: Int, shape: tuple[int, ...]) -> list[tuple[Int, Int]]:
    """Rows and columns of each connected component of the pairs, small components joined into blocks."""
    n, m = shape
    graph = csr_array((np.ones(len(rows), np.int8), (rows, cols + n)), shape=(n + m, n + m))
    label = connected_components(graph, directed=False)[1]
    nodes = np.concatenate([np.unique(rows), np.unique(cols) + n])
    nodes = nodes[np.argsort(label[nodes], kind="stable")]
    first_of_component = np.searchsorted(label[nodes], label[nodes])
    starts = np.flatnonzero(np.diff(first_of_component // BLOCK)) + 1
    return [(part[part < n], part[part >= n] - n) for part in np.split(nodes, starts) if len(part)]
