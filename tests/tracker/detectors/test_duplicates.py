"""Duplicates: non-maximum suppression, and copies under other classes."""

import numpy as np

from flatsort.tracker.detectors.duplicates import drop_copies, suppress
from flatsort.tracker.types import Detections


def test_suppression_is_within_a_class_and_over_all_parts() -> None:
    a = Detections.of([[0, 0, 10, 10], [0, 0, 10, 10]], [0.6, 0.5], [0, 1])
    b = Detections.of([[1, 0, 11, 10], [50, 50, 60, 60]], [0.9, 0.3], [0, 0])
    kept = suppress([a, b, Detections.empty()], 0.5)
    assert kept.scores.tolist() == [0.9, 0.5, 0.3]
    assert kept.classes.tolist() == [0, 1, 0]
    assert len(suppress([Detections.empty()], 0.5)) == 0


def test_copies_under_other_classes_are_one_object_and_neighbours_are_not() -> None:
    boxes = [[0.0, 0, 40, 80], [0.2, 0, 40, 80], [4.0, 0, 44, 80]]
    found = Detections.of(boxes, [0.5, 0.7, 0.6], [2, 0, 0])
    kept = drop_copies(found)
    assert kept.scores.tolist() == [0.7, 0.6]
    assert kept.classes.tolist() == [0, 0]
    np.testing.assert_array_equal(kept.boxes, np.array(boxes)[[1, 2]])
    assert len(drop_copies(Detections.empty())) == 0
