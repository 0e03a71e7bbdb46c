"""Geometry of boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker import boxes
from flatsort.tracker.types import Float

COORDINATE = st.floats(-2000, 2000, allow_nan=False).map(lambda x: round(x, 3))


@st.composite
def some_boxes(draw: st.DrawFn, least: int = 0) -> Float:
    rows = draw(st.lists(st.tuples(COORDINATE, COORDINATE, st.floats(0.01, 500), st.floats(0.01, 500)), min_size=least))
    xywh = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return boxes.xywh_to_xyxy(xywh)


@given(some_boxes(), some_boxes())
def test_iou_is_symmetric_and_between_0_and_1(a: Float, b: Float) -> None:
    overlap = boxes.iou(a, b)
    assert overlap.shape == (len(a), len(b))
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all()
    np.testing.assert_allclose(overlap, boxes.iou(b, a).T, atol=1e-12)


@given(some_boxes())
def test_a_box_overlaps_itself_fully(a: Float) -> None:
    np.testing.assert_allclose(np.diag(boxes.iou(a, a)), 1.0, rtol=1e-6)


@given(some_boxes(), st.floats(0.1, 10), COORDINATE)
def test_iou_does_not_change_when_both_move_and_grow(a: Float, scale: float, shift: float) -> None:
    np.testing.assert_allclose(boxes.iou(a * scale + shift, a * scale + shift), boxes.iou(a, a), atol=1e-4)


def test_iou_of_known_boxes() -> None:
    a = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    b = np.array([[5.0, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]])
    np.testing.assert_allclose(boxes.iou(a, b), [[1 / 3, 0, 0]] * 2)


@pytest.mark.parametrize(
    ("there", "back"),
    [(boxes.xyxy_to_xysr, boxes.xysr_to_xyxy), (boxes.xyxy_to_xyah, boxes.xyah_to_xyxy)],
)
@given(a=some_boxes())
def test_conversions_are_inverse_to_each_other(there, back, a: Float) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(back(there(a)), a, atol=1e-6)
    np.testing.assert_allclose(boxes.xywh_to_xyxy(boxes.xyxy_to_xywh(a)), a, atol=1e-9)


def test_a_height_that_became_negative_gives_an_empty_box() -> None:
    assert boxes.xyah_to_xyxy(np.array([[5.0], [5.0], [0.5], [-3.0]])).tolist() == [[5.0, 5.0, 5.0, 5.0]]


BAD = [
    [np.nan, 0, 1, 1],
    [0, 0, np.inf, 1],
    [-np.inf, 0, 1, 1],
    [-np.inf, 0, np.inf, 1],
    [0, 0, 0, 5],
    [0, 0, 5, 0],
    [5, 0, 0, 5],
    [0, 0, 1e9, 1e9],
    [-1e9, 0, 1, 1],
    [0, 0, 1e-300, 1],
]


@pytest.mark.parametrize("box", BAD)
def test_invalid_boxes_are_recognised(box: list[float]) -> None:
    rows = np.array([[0.0, 0, 1, 1], box])
    assert boxes.valid(rows).tolist() == [True, False]
    assert not boxes.all_valid(rows)
    assert not boxes.all_valid(rows[::-1])


@given(some_boxes())
def test_quick_and_full_check_agree(a: Float) -> None:
    assert boxes.all_valid(a) == bool(boxes.valid(a).all())
