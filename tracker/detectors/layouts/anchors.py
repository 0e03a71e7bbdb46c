"""Cells of the grids over a picture, in the order in which heads of the YOLO families list their boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.tracker.types import Float32

STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
"""Steps between cells in pixels: the usual ones, those for large pictures, those for small objects."""


def grid(
    size: tuple[int, int], anchors: int, sets: Sequence[Sequence[int]] = STRIDES
) -> tuple[Float32, Float32] | None:
    """Cell [anchors 2] and stride [anchors 1] of each row of a head; None if no known strides give this many rows.

    Parameters
    ----------
    size : (int, int)
        Width and height of the input in pixels.
    anchors : int
        Number of rows of the head's output.
    sets : sequence of sequence of int
        Strides to try.
    """
    for strides in sets:
        # an input that is no multiple of the stride is rounded up, as convolutions with padding do
        shapes = [(-(-size[1] // s), -(-size[0] // s)) for s in strides]
        if sum(h * w for h, w in shapes) == anchors:
            cells = [np.indices(shape)[::-1].reshape(2, -1).T for shape in shapes]
            steps = np.repeat(strides, [h * w for h, w in shapes])
            return np.concatenate(cells).astype(np.float32), steps[:, None].astype(np.float32)
    return None
