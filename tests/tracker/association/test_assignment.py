"""Assignment against brute force."""

from __future__ import annotations

from itertools import combinations, permutations
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.association import assignment
from flatsort.tracker.association.assignment import assign
from flatsort.tracker.types import Bool, Float

SHAPES = st.tuples(st.integers(0, 5), st.integers(0, 5))


@st.composite
def problems(draw: st.DrawFn) -> tuple[Float, Bool]:
    n, m = draw(SHAPES)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return generator.uniform(-1, 1, (n, m)).round(2), generator.random((n, m)) < draw(st.sampled_from([0.2, 0.6, 1.0]))


def matchings(feasible: Bool) -> list[list[tuple[int, int]]]:
    n, m = feasible.shape
    return [
        list(zip(rows, cols, strict=True))
        for size in range(min(n, m) + 1)
        for rows in combinations(range(n), size)
        for cols in permutations(range(m), size)
        if all(feasible[r, c] for r, c in zip(rows, cols, strict=True))
    ]


def total(cost: Float, pairs: list[tuple[int, int]], bound: float) -> float:
    return sum(float(cost[r, c]) - bound for r, c in pairs)


@pytest.mark.parametrize("small", [assignment.SMALL, 0])
@given(problems())
def test_most_pairs_then_the_cheapest(small: int, problem: tuple[Float, Bool]) -> None:
    cost, feasible = problem
    with patch.object(assignment, "SMALL", small):  # 0: always by connected components
        matched = list(assign(cost, feasible))
    assert all(feasible[pair] for pair in matched)
    best = min(matchings(feasible), key=lambda pairs: (-len(pairs), total(cost, pairs, 0.0)))
    assert len(matched) == len(best)
    assert total(cost, matched, 0.0) == pytest.approx(total(cost, best, 0.0))


@pytest.mark.parametrize("small", [assignment.SMALL, 0])
@given(problems(), st.sampled_from([-0.5, 0.0, 0.3, 2.0]))
def test_the_bound_is_the_cost_of_a_missing_pair(small: int, problem: tuple[Float, Bool], bound: float) -> None:
    cost, feasible = problem
    with patch.object(assignment, "SMALL", small):
        matched = list(assign(cost, feasible, bound))
    assert all(feasible[pair] and cost[pair] < bound for pair in matched)
    best = min(total(cost, pairs, bound) for pairs in matchings(feasible & (cost < bound)))
    assert total(cost, matched, bound) == pytest.approx(best)


@given(problems())
def test_matches_are_sorted_disjoint_and_complete(problem: tuple[Float, Bool]) -> None:
    cost, feasible = problem
    matched = assign(cost, feasible)
    assert matched.rows.tolist() == sorted(matched.rows.tolist())
    assert sorted([*matched.rows.tolist(), *matched.free_rows.tolist()]) == list(range(cost.shape[0]))
    assert sorted([*matched.cols.tolist(), *matched.free_cols.tolist()]) == list(range(cost.shape[1]))


def test_costs_of_infeasible_pairs_do_not_matter() -> None:
    cost = np.array([[np.nan, 1.0], [np.inf, 5.0]])
    feasible = np.array([[False, True], [False, True]])
    assert list(assign(cost, feasible)) == [(0, 1)]


def test_components_equal_the_whole_problem() -> None:
    generator = np.random.default_rng(0)
    cost = generator.random((80, 70))
    feasible = generator.random((80, 70)) < 0.02
    with patch.object(assignment, "SMALL", 0):
        by_parts = assign(cost, feasible)
    with patch.object(assignment, "SMALL", 10**9):
        at_once = assign(cost, feasible)
    assert list(by_parts) == list(at_once)
