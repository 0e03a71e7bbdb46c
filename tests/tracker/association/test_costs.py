"""Costs of pairs by position and by appearance, and how a new one is registered."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.association.costs import COSTS, GATES, LATENTS, MAX_LATENT_DISTANCE
from flatsort.tracker.association.problem import AssociationProblem
from flatsort.tracker.association.stages import StageConfig, associate
from flatsort.tracker.boxes import iou
from flatsort.tracker.motion.xysr import Xysr, XysrConfig
from flatsort.tracker.types import Detections, Float


def problem_of(boxes: Float, detections: Detections, latent: Float | None) -> AssociationProblem:
    """Tracks at boxes [t 4], all confirmed and matched in the frame before."""
    motion, t = Xysr(XysrConfig()), len(boxes)
    return AssociationProblem(
        detections=detections,
        motion=motion,
        state=motion.start(motion.measure(boxes)),
        measured=motion.measure(detections.boxes),
        boxes=boxes,
        ids=np.arange(1, t + 1),
        frame=2,
        last=np.ones(t, np.int64),
        classes=np.zeros(t, np.int64),
        latent_distance=latent,
    )


def random_problem(seed: int, t: int = 3, n: int = 4) -> AssociationProblem:
    generator = np.random.default_rng(seed)
    corner = generator.uniform(0, 60, (t + n, 2))
    boxes = np.concatenate([corner, corner + np.array([40, 100])], axis=1)
    detections = Detections.of(boxes[t:], generator.random(n))
    return problem_of(boxes[:t], detections, generator.exponential(1.0, (t, n)))


SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_costs_by_position(seed: int) -> None:
    problem = random_problem(seed)
    overlap = iou(problem.boxes, problem.detections.boxes)
    np.testing.assert_allclose(COSTS.get("iou")(problem, 0.5), 1 - overlap)
    np.testing.assert_allclose(COSTS.get("score_iou")(problem, 0.5), 1 - overlap * problem.detections.scores)


@given(SEEDS, st.floats(0, 1))
def test_a_blend_lies_between_appearance_and_position(seed: int, weight: float) -> None:
    problem = random_problem(seed)
    appearance, position = (
        np.minimum(COSTS.get("latent")(problem, weight), MAX_LATENT_DISTANCE),
        COSTS.get("iou")(problem, weight),
    )
    blend = COSTS.get("blend")(problem, weight)
    assert (blend <= np.maximum(appearance, position) + 1e-12).all()
    assert (blend >= np.minimum(appearance, position) - 1e-12).all()
    np.testing.assert_allclose(COSTS.get("blend")(problem, 0.0), position)
    np.testing.assert_allclose(COSTS.get("blend")(problem, 1.0), appearance)


@given(SEEDS, st.floats(0, 1), st.floats(0, 1))
def test_a_blend_grows_with_its_parts(seed: int, weight: float, nearer: float) -> None:
    problem = random_problem(seed)
    assert problem.latent_distance is not None
    closer = problem_of(problem.boxes, problem.detections, problem.latent_distance * nearer)
    assert (COSTS.get("blend")(closer, weight) <= COSTS.get("blend")(problem, weight) + 1e-12).all()


def test_larger_latent_distances_count_as_the_maximum() -> None:
    problem = random_problem(0)
    far, farther = (
        problem_of(problem.boxes, problem.detections, np.full((3, 4), x)) for x in (MAX_LATENT_DISTANCE, 1e30)
    )
    np.testing.assert_array_equal(COSTS.get("blend")(far, 0.5), COSTS.get("blend")(farther, 0.5))
    assert (COSTS.get("latent")(farther, 0.5) == 1e30).all()


@pytest.mark.parametrize("cost", COSTS.names(LATENTS))
def test_latents_are_needed_where_a_cost_compares_them(cost: str) -> None:
    problem = random_problem(0)
    without_latents = problem_of(problem.boxes, problem.detections, None)
    with pytest.raises(ValueError, match="expected detections with latents for the costs latent and blend, got none"):
        COSTS.get(cost)(without_latents, 0.5)
    assert all(
        np.isfinite(COSTS.get(name)(without_latents, 0.5)).all()
        for name in set(COSTS.names()) - set(COSTS.names(LATENTS))
    )


def test_a_registered_cost_and_gate_are_used_by_stages_and_need_no_other_change() -> None:
    with patch.dict(COSTS._parts), patch.dict(GATES._parts):

        @COSTS.register("centre_distance", tags=(LATENTS,))
        def centre_distance(problem: AssociationProblem, weight: float) -> Float:
            tracks, detections = (0.5 * (b[:, :2] + b[:, 2:]) for b in (problem.boxes, problem.detections.boxes))
            return np.asarray(np.linalg.norm(tracks[:, None] - detections, axis=2))

        @GATES.register("low_score")
        def low_score(problem: AssociationProblem) -> tuple[Float, float]:
            return np.ones((len(problem.boxes), 1)) * (1 - problem.detections.scores), 0.5

        boxes = np.array([[0.0, 0, 40, 100], [200, 0, 240, 100]])
        detections = Detections.of([[240.0, 0, 280, 100], [41.0, 0, 81, 100], [1.0, 0, 41, 100]], [0.9, 0.9, 0.1])
        stage = StageConfig(cost="centre_distance", gates=("low_score",), threshold=45.0)
        assert stage.uses_latents
        matched, _ = associate({"near": stage}, problem_of(boxes, detections, None))
        assert list(matched) == [(0, 1), (1, 0)]
    with pytest.raises(ValueError, match=r"unknown cost 'centre_distance' \(known: blend, iou, latent, score_iou\)"):
        StageConfig(cost="centre_distance")
    with pytest.raises(ValueError, match=r"unknown gate 'low_score' \(known: mahalanobis, same_class\)"):
        StageConfig(gates=("low_score",))
    assert [StageConfig(cost=name).uses_latents for name in ("iou", "latent", "blend")] == [False, True, True]
