"""YOLOX's letterbox, grid, tiles and suppression of duplicates."""

import numpy as np
import pytest

from flatsort.tracker.detectors import yolox
from flatsort.tracker.types import Detections


def test_letterbox_keeps_the_ratio_and_pads_right_and_below() -> None:
    image = np.full((50, 100, 3), 200, np.uint8)
    canvas, scale = yolox.letterbox(image, (64, 64))
    assert scale == pytest.approx(0.64)
    assert (canvas[:32] == 200).all()
    assert (canvas[32:] == yolox.GREY).all()


def test_grid_runs_along_rows_from_the_finest_stride() -> None:
    grid = yolox.grid((64, 32), 8 * 4 + 4 * 2 + 2 * 1)
    assert grid is not None
    cells, strides = grid
    assert cells[:3].tolist() == [[0, 0], [1, 0], [2, 0]]
    assert cells[31].tolist() == [7, 3]
    assert strides[[0, 31, 32, 40], 0].tolist() == [8, 8, 16, 32]


def test_grid_of_four_strides_and_of_none() -> None:
    grid = yolox.grid((64, 64), 64 + 16 + 4 + 1)
    assert grid is not None
    assert grid[1][-1, 0] == 64
    assert yolox.grid((64, 64), 100) is None


def test_decoding() -> None:
    raw = np.array([[0.5, 0.25, np.log(2), np.log(3), 1, 1]], np.float32)
    box = yolox.decode(raw, np.array([[3, 4]], np.float32), np.array([[16]], np.float32))
    np.testing.assert_allclose(box, [[56, 68, 32, 48]], rtol=1e-6)


def test_tiles_cover_the_image_and_overlap() -> None:
    whole, *tiles = yolox.windows(1000, 500, (2, 1), 0.2)
    assert whole == (0, 0, 1000, 500)
    assert tiles == [(0, 0, 556, 500), (444, 0, 1000, 500)]
    assert yolox.windows(1000, 500, (1, 1), 0.2) == [whole]


def test_boxes_at_an_inner_border_are_cut_and_at_the_image_border_are_not() -> None:
    boxes = np.array([[5.0, 10, 60, 90], [500, 10, 555, 90], [100, 0, 140, 499]])
    assert yolox.uncut(boxes, (0, 0, 556, 500), 1000, 500).tolist() == [True, False, True]
    assert yolox.uncut(boxes + np.array([444, 0, 444, 0]), (444, 0, 1000, 500), 1000, 500).tolist() == [
        False,
        True,
        True,
    ]


def test_suppression_is_within_a_class_and_over_all_parts() -> None:
    a = Detections.of([[0, 0, 10, 10], [0, 0, 10, 10]], [0.6, 0.5], [0, 1])
    b = Detections.of([[1, 0, 11, 10], [50, 50, 60, 60]], [0.9, 0.3], [0, 0])
    kept = yolox.suppress([a, b, Detections.empty()], 0.5)
    assert kept.scores.tolist() == [0.9, 0.5, 0.3]
    assert kept.classes.tolist() == [0, 1, 0]
    assert len(yolox.suppress([Detections.empty()], 0.5)) == 0
