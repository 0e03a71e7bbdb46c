"""Explanations of the latest frame."""

from __future__ import annotations

import pytest

from flatsort.tracker.association.appearance_threshold import AppearanceConfig
from flatsort.tracker.association.stages import StageConfig
from flatsort.tracker.lifecycle import LifecycleConfig
from flatsort.tracker.sort import SortConfig, SortTracker
from tests.tracker.test_sort import tracker_of


def test_explanations_name_what_prevented_a_match() -> None:
    stage = StageConfig(threshold=0.5, gates=("mahalanobis",))
    config = SortConfig(stages={"iou": stage}, lifecycle=LifecycleConfig(min_hits=0, max_age=9))
    tracker = SortTracker(config)
    with pytest.raises(ValueError, match="explain: expected at least one step before"):
        tracker.explain()
    for _ in range(12):
        tracker.update([[0, 0, 40, 100], [60, 0, 100, 100]])
    tracker.update([[0, 0, 40, 100], [3, 0, 43, 100], [300, 0, 340, 100], [60, 0, 100, 100]])
    why = {(p.track, p.detection): p.reason for p in tracker.explain().pairs}
    assert why[1, 0] == "matched"
    assert why[2, 3] == "matched"
    assert why[1, 1] == "the track took detection 0"
    assert why[1, 2].startswith("gate mahalanobis")
    assert why[2, 0].startswith(("gate mahalanobis", "cost 1.000 above threshold 0.500"))
    assert len(why) == 8


def test_a_track_that_died_is_explained_by_its_id() -> None:
    tracker = SortTracker(SortConfig(lifecycle=LifecycleConfig(min_hits=0, max_age=1)))
    tracker.update([[0, 0, 40, 100]])
    for _ in range(2):
        tracker.update([[300, 0, 340, 100]])
    assert [p.reason for p in tracker.explain().of_track(1)] == ["cost 1.000 above threshold 0.700"]


def test_explanations_say_why_no_stage_compared_a_pair() -> None:
    tracker = tracker_of("bytetrack")
    boxes = [[0, 0, 40, 100], [300, 0, 340, 100]]
    for _ in range(3):
        tracker.update(boxes, [0.9, 0.9])
    tracker.update(boxes, [0.9, 0.05])
    reasons = {(p.track, p.detection, p.stage): p.reason for p in tracker.explain().pairs}
    assert reasons[1, 0, "high"] == "matched"
    assert reasons[2, 0, "high"].startswith("cost 1.000 above threshold")
    assert reasons[2, 1, ""] == "no stage takes both this track and this detection"
    assert reasons[1, 1, ""] == "the track was matched in stage high"


def test_pairs_have_overlap_and_latent_distance_whatever_the_cost_of_their_stage() -> None:
    appearance = StageConfig(cost="latent", threshold=1.0)
    config = SortConfig(
        stages={"appearance": appearance, "iou": StageConfig(threshold=0.7)},
        lifecycle=LifecycleConfig(min_hits=0),
        appearance=AppearanceConfig(threshold=0.5),
    )
    tracker = SortTracker(config)
    tracker.update([[0, 0, 40, 100], [300, 0, 340, 100]], latents=[[0.0, 0.0], [3.0, 0.0]])
    tracker.update([[0, 0, 40, 100], [310, 0, 350, 100]], latents=[[0.0, 0.25], [9.0, 0.0]])
    pairs = {(p.track, p.detection, p.stage): p for p in tracker.explain().pairs}
    assert pairs[1, 0, "appearance"].matched
    assert pairs[2, 1, "iou"].matched
    assert pairs[1, 0, "appearance"].latent == pairs[1, 0, "appearance"].cost == 0.5
    assert pairs[1, 0, "appearance"].iou == pytest.approx(1.0)
    assert pairs[2, 1, "appearance"].latent == pairs[2, 1, "iou"].latent == 12.0
    assert pairs[2, 1, "iou"].cost == pytest.approx(1 - pairs[2, 1, "iou"].iou)
    assert pairs[2, 1, "appearance"].iou == pytest.approx(0.6)


def test_there_is_no_latent_distance_without_latents() -> None:
    tracker = SortTracker()
    for _ in range(2):
        tracker.update([[0, 0, 40, 100]])
    assert [p.latent for p in tracker.explain().pairs] == [None]
