"""YOLOX and YOLOv6: [1 anchors 5+c], centre, size, objectness and scores of classes.

YOLOX (Ge et al., arXiv:2107.08430; ``tools/export_onnx.py``) takes BGR in 0..255 and gives boxes in pixels or, exported
without ``--decode_in_inference``, relative to their cells. YOLOv6 (Meituan, ``deploy/ONNX/export_onnx.py``) has the
same shape, but takes RGB in 0..1 and writes an objectness of 1 everywhere, which no trained YOLOX does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.tracker.detectors.layouts import LAYOUTS, Candidates, Layout, Output, Probe, corners, flat
from flatsort.tracker.detectors.layouts.anchors import grid
from flatsort.tracker.detectors.pictures import PictureForm
from flatsort.tracker.types import Float32

YOLOX_OUTPUT, YOLOV6_OUTPUT = "output", "outputs"
"""How the two families' own exporters name the output."""


@LAYOUTS.register("yolox")
def yolox(probe: Probe) -> Layout | None:
    """YOLOX, with boxes in pixels or relative to their cells, which is told from the probe."""
    head = _head(probe)
    cells = None if head is None else grid(probe.size, len(head))
    if head is None or cells is None:
        return None
    if not probe.forced and _without_objectness(head) and probe.names[0] == YOLOV6_OUTPUT:
        return None
    decoded = is_decoded(head, *cells)

    def read(outputs: Sequence[Output]) -> Candidates:
        rows = flat(outputs[0])
        boxes = rows[:, :4] if decoded else decode(rows, *cells)
        return Candidates(corners(boxes), rows[:, 5:], objectness=rows[:, 4:5])

    return Layout(read, PictureForm("corner", bgr=True, scale=1.0), count=head.shape[1] - 5)


@LAYOUTS.register("yolov6")
def yolov6(probe: Probe) -> Layout | None:
    """YOLOv6."""
    head = _head(probe)
    if head is None or grid(probe.size, len(head)) is None:
        return None
    if not probe.forced and (not _without_objectness(head) or probe.names[0] == YOLOX_OUTPUT):
        return None
    return Layout(_read_yolov6, PictureForm(), count=head.shape[1] - 5)


def is_decoded(head: Float32, cells: Float32, strides: Float32) -> bool:
    """Whether the boxes of a head [anchors 5+c] are in pixels, and not relative to their cells.

    Box centres are near their cells, so that coordinates of the two kinds differ by about an image's width.
    """
    as_pixels = np.abs(head[:, :2] - (cells + 0.5) * strides)
    as_offsets = np.abs(head[:, :2] - 0.5)
    return bool(np.median(as_pixels) < np.median(as_offsets))


def decode(raw: Float32, cells: Float32, strides: Float32) -> Float32:
    """Centre and size [n 4] in pixels, from rows of the head [n 5+c], their cells [n 2] and strides [n 1]."""
    with np.errstate(over="ignore"):  # a box that overflows is dropped later as invalid
        return np.concatenate([raw[:, :2] + cells, np.exp(raw[:, 2:4])], axis=1) * strides


def _read_yolov6(outputs: Sequence[Output]) -> Candidates:
    rows = flat(outputs[0])
    return Candidates(corners(rows[:, :4]), rows[:, 5:])


def _head(probe: Probe) -> Output | None:
    head = probe.table
    return head if head is not None and head.shape[1] > 5 else None


def _without_objectness(head: Output) -> bool:
    return bool((head[:, 4] == 1).all())
