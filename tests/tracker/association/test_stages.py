"""Association stages: which tracks and detections take part, and what the earlier stages left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.association.problem import AssociationProblem
from flatsort.tracker.association.stages import StageConfig, associate
from flatsort.tracker.types import Detections
from tests.tracker.association.test_costs import problem_of, random_problem

APPEARANCE = StageConfig(cost="latent", threshold=1.0)
SEEDS = st.integers(0, 2**32 - 1)


def lost(problem: AssociationProblem, missed: list[int]) -> AssociationProblem:
    """The same tracks, last matched so many frames ago."""
    return replace(problem, frame=100, last=100 - np.array(missed))


def pairs(stages: dict[str, StageConfig], problem: AssociationProblem) -> list[tuple[int, int]]:
    return list(associate(stages, problem)[0])


def three(latent: list[list[float]]) -> AssociationProblem:
    """Three tracks far apart and detections nowhere near them: appearance alone decides."""
    boxes = np.array([[200.0 * i, 0, 200 * i + 40, 100] for i in range(3)])
    n = len(latent[0])
    away = np.array([[200.0 * i, 500, 200 * i + 40, 600] for i in range(n)])
    return problem_of(boxes, Detections.of(away, np.linspace(0.9, 0.5, n)), np.array(latent))


def test_only_tracks_missed_for_so_long_take_part() -> None:
    problem = lost(three([[0.1], [0.2], [0.3]]), [1, 5, 40])
    for least, most, track in (
        (None, None, 0),
        (2, None, 1),
        (5, None, 1),
        (6, None, 2),
        (None, 30, 0),
        (2, 39, 1),
        (6, 40, 2),
    ):
        assert pairs({"appearance": replace(APPEARANCE, min_missed=least, max_missed=most)}, problem) == [(track, 0)]
    for least, most in ((41, None), (6, 39)):
        assert pairs({"appearance": replace(APPEARANCE, min_missed=least, max_missed=most)}, problem) == []


def test_long_lost_tracks_are_matched_last_with_a_lower_threshold() -> None:
    stages = {
        "near": replace(APPEARANCE, max_missed=30),
        "again": replace(APPEARANCE, min_missed=31, threshold=0.8),
    }
    problem = lost(three([[0.9, 1.5], [0.1, 0.9], [2.0, 0.7]]), [1, 31, 32])
    assert pairs(stages, problem) == [(0, 0), (2, 1)]
    problem = lost(three([[1.1, 1.5], [0.1, 0.9], [2.0, 0.81]]), [1, 31, 32])
    assert pairs(stages, problem) == [(1, 0)]


def test_the_cascade_serves_the_most_recently_matched_first() -> None:
    problem = lost(three([[0.9], [0.1], [0.2]]), [1, 2, 2])
    assert pairs({"appearance": replace(APPEARANCE, cascade=True)}, problem) == [(0, 0)]
    assert pairs({"appearance": APPEARANCE}, problem) == [(1, 0)]


@pytest.mark.parametrize(("weight", "track"), [(0.0, 0), (0.3, 0), (0.7, 1), (1.0, 1)])
def test_the_weight_says_whether_place_or_appearance_decide(weight: float, track: int) -> None:
    boxes = np.array([[0.0, 0, 40, 100], [20, 0, 60, 100]])
    problem = problem_of(boxes, Detections.of([[0, 0, 40, 100]]), np.array([[0.9], [0.2]]))
    assert pairs({"both": StageConfig(cost="blend", weight=weight, threshold=2.0)}, problem) == [(track, 0)]


@given(SEEDS, st.sampled_from(["iou", "score_iou", "latent", "blend"]), st.booleans(), st.floats(0.1, 1.5))
def test_pairs_are_one_to_one_and_within_the_threshold(seed: int, cost: str, cascade: bool, threshold: float) -> None:
    problem = lost(random_problem(seed, 5, 6), [1, 1, 2, 3, 40])
    stages = {
        "first": StageConfig(cost=cost, threshold=threshold, cascade=cascade, max_missed=2, min_score=0.3),
        "second": replace(APPEARANCE, threshold=threshold),
    }
    matched, traces = associate(stages, problem)
    assert len(set(matched.rows.tolist())) == len(set(matched.cols.tolist())) == len(matched)
    assert sorted([*matched.rows.tolist(), *matched.free_rows.tolist()]) == list(range(5))
    assert sorted([*matched.cols.tolist(), *matched.free_cols.tolist()]) == list(range(6))
    for trace in traces:
        assert all(trace.cost[pair] <= threshold for pair in trace.matches)


@given(SEEDS)
def test_permuting_tracks_and_detections_permutes_the_pairs(seed: int) -> None:
    problem = lost(random_problem(seed, 5, 6), [1, 1, 2, 3, 40])
    stages = {"both": StageConfig(cost="blend", weight=0.4, threshold=0.75, max_missed=30), "again": APPEARANCE}
    generator = np.random.default_rng(seed)
    rows, cols = generator.permutation(5), generator.permutation(6)
    assert problem.latent_distance is not None
    other = problem_of(problem.boxes[rows], problem.detections[cols], problem.latent_distance[np.ix_(rows, cols)])
    other = replace(other, frame=problem.frame, last=problem.last[rows])
    assert sorted((int(rows[i]), int(cols[j])) for i, j in pairs(stages, other)) == pairs(stages, problem)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"cost": "latend"}, "unknown cost 'latend'; did you mean 'latent'"),
        ({"gates": ("mahalanobi",)}, "unknown gate 'mahalanobi'; did you mean 'mahalanobis'"),
        ({"weight": 1.5}, "stage weight: expected a share from 0 to 1, got 1.5"),
        ({"weight": np.nan}, "stage weight: expected a share from 0 to 1, got nan"),
        ({"min_missed": 9, "max_missed": 3}, "stage min_missed: expected at most max_missed 3, got 9"),
        ({"tracks": "lost"}, "stage tracks: expected one of all, confirmed, tentative, got 'lost'"),
        ({"threshold": np.inf}, "stage threshold: expected a finite number, got inf"),
        (
            {"assignment_threshold": 0.5},
            "stage assignment_threshold: expected a finite number of at least threshold 0.7, got 0.5",
        ),
    ],
)
def test_impossible_settings(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        StageConfig(**settings)  # type: ignore[arg-type]
