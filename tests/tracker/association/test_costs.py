"""Costs of pairs by position and by looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.association.costs import COSTS, FARTHEST, LATENT_COSTS
from flatsort.tracker.association.problem import Problem
from flatsort.tracker.boxes import iou
from flatsort.tracker.motion.xysr import Xysr, XysrConfig
from flatsort.tracker.types import Detections, Float


def problem(boxes: Float, detections: Detections, latent: Float | None) -> Problem:
    """Tracks at boxes [t 4], all confirmed and seen in the frame before."""
    motion, t = Xysr(XysrConfig()), len(boxes)
    return Problem(
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


def some(seed: int, t: int = 3, n: int = 4) -> Problem:
    generator = np.random.default_rng(seed)
    corner = generator.uniform(0, 60, (t + n, 2))
    boxes = np.concatenate([corner, corner + np.array([40, 100])], axis=1)
    detections = Detections.of(boxes[t:], generator.random(n))
    return problem(boxes[:t], detections, generator.exponential(1.0, (t, n)))


SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_costs_by_position(seed: int) -> None:
    posed = some(seed)
    overlap = iou(posed.boxes, posed.detections.boxes)
    np.testing.assert_allclose(COSTS["iou"](posed, 0.5), 1 - overlap)
    np.testing.assert_allclose(COSTS["score_iou"](posed, 0.5), 1 - overlap * posed.detections.scores)


@given(SEEDS, st.floats(0, 1))
def test_a_blend_lies_between_looks_and_position(seed: int, weight: float) -> None:
    posed = some(seed)
    looks, position = np.minimum(COSTS["latent"](posed, weight), FARTHEST), COSTS["iou"](posed, weight)
    blend = COSTS["blend"](posed, weight)
    assert (blend <= np.maximum(looks, position) + 1e-12).all()
    assert (blend >= np.minimum(looks, position) - 1e-12).all()
    np.testing.assert_allclose(COSTS["blend"](posed, 0.0), position)
    np.testing.assert_allclose(COSTS["blend"](posed, 1.0), looks)


@given(SEEDS, st.floats(0, 1), st.floats(0, 1))
def test_a_blend_grows_with_its_parts(seed: int, weight: float, nearer: float) -> None:
    posed = some(seed)
    assert posed.latent_distance is not None
    closer = problem(posed.boxes, posed.detections, posed.latent_distance * nearer)
    assert (COSTS["blend"](closer, weight) <= COSTS["blend"](posed, weight) + 1e-12).all()


def test_from_some_distance_on_all_are_as_unlike_as_can_be() -> None:
    posed = some(0)
    far, farther = (problem(posed.boxes, posed.detections, np.full((3, 4), x)) for x in (FARTHEST, 1e30))
    np.testing.assert_array_equal(COSTS["blend"](far, 0.5), COSTS["blend"](farther, 0.5))
    assert (COSTS["latent"](farther, 0.5) == 1e30).all()


@pytest.mark.parametrize("cost", LATENT_COSTS)
def test_looks_are_needed_where_a_cost_asks_for_them(cost: str) -> None:
    posed = some(0)
    blind = problem(posed.boxes, posed.detections, None)
    with pytest.raises(ValueError, match="expected detections with latents for the costs latent and blend, got none"):
        COSTS[cost](blind, 0.5)
    assert all(np.isfinite(COSTS[name](blind, 0.5)).all() for name in set(COSTS) - set(LATENT_COSTS))
