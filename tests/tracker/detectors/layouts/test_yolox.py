"""YOLOX and YOLOv6: cells and boxes relative to them."""

import numpy as np

from flatsort.tracker.detectors.layouts.anchors import grid
from flatsort.tracker.detectors.layouts.yolox import decode


def test_grid_runs_along_rows_from_the_finest_stride() -> None:
    found = grid((64, 32), 8 * 4 + 4 * 2 + 2 * 1)
    assert found is not None
    cells, strides = found
    assert cells[:3].tolist() == [[0, 0], [1, 0], [2, 0]]
    assert cells[31].tolist() == [7, 3]
    assert strides[[0, 31, 32, 40], 0].tolist() == [8, 8, 16, 32]


def test_grid_of_four_strides_and_of_none() -> None:
    found = grid((64, 64), 64 + 16 + 4 + 1)
    assert found is not None
    assert found[1][-1, 0] == 64
    assert grid((64, 64), 100) is None


def test_decoding() -> None:
    raw = np.array([[0.5, 0.25, np.log(2), np.log(3), 1, 1]], np.float32)
    box = decode(raw, np.array([[3, 4]], np.float32), np.array([[16]], np.float32))
    np.testing.assert_allclose(box, [[56, 68, 32, 48]], rtol=1e-6)
