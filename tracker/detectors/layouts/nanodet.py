"""NanoDet: scores of classes, and the distances to a box's four sides as distributions over steps of the stride.

NanoDet-m has six outputs, scores [1 anchors c] and distances [1 anchors 4·bins] of three strides, NanoDet-Plus one of
[1 anchors c+4·bins] with four strides. Pictures are BGR with ImageNet's mean and deviation. Sources: OpenCV's zoo
(``object_detection_nanodet_2022nov.onnx``), ``tools/export_onnx.py`` of NanoDet-Plus.
References: Li et al., "Generalized Focal Loss", arXiv:2006.04388 (the distributions).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.tracker.detectors.layouts import LAYOUTS, Candidates, Layout, Output, Probe, flat
from flatsort.tracker.detectors.layouts.anchors import STRIDES, grid
from flatsort.tracker.detectors.pictures import PictureForm
from flatsort.tracker.types import Float32

BINS = 8
MEAN, DEVIATION = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
"""Of blue, green and red, 0..255."""


@LAYOUTS.register("nanodet")
def nanodet(probe: Probe) -> Layout | None:
    """NanoDet-m: six outputs; pictures keep their ratio."""
    shapes = [output.shape for output in probe.outputs]
    if len(shapes) != 6 or any(len(shape) != 3 for shape in shapes):
        return None
    scores, sides = shapes[:3], shapes[3:]
    cells = grid(probe.size, sum(shape[1] for shape in scores), STRIDES[:1])
    if cells is None or {s[2] for s in sides} != {4 * BINS} or [s[1] for s in scores] != [s[1] for s in sides]:
        return None
    centres = cells[0] * cells[1] + (cells[1] - 1) * np.float32(0.5)

    def read(outputs: Sequence[Output]) -> Candidates:
        table, distances = (np.concatenate([flat(o) for o in half]) for half in (outputs[:3], outputs[3:]))
        return Candidates(_boxes(distances, centres, cells[1]), table)

    return Layout(read, _form("centre"), count=scores[0][2])


@LAYOUTS.register("nanodet_plus")
def nanodet_plus(probe: Probe) -> Layout | None:
    """NanoDet-Plus: one output; told from a YOLOX with more classes only where the number of classes is known."""
    table = probe.table
    cells = None if table is None else grid(probe.size, len(table), STRIDES[1:2])
    if table is None or cells is None or table.shape[1] <= 4 * BINS:
        return None
    count = table.shape[1] - 4 * BINS
    if not (probe.forced or probe.has_classes(count)):
        return None
    centres = cells[0] * cells[1]

    def read(outputs: Sequence[Output]) -> Candidates:
        rows = flat(outputs[0])
        return Candidates(_boxes(rows[:, count:], centres, cells[1]), rows[:, :count])

    return Layout(read, _form("stretch"), count=count)


def _form(fit: str) -> PictureForm:
    return PictureForm(fit, bgr=True, scale=1.0, mean=MEAN, deviation=DEVIATION)


def _boxes(distances: Float32, centres: Float32, strides: Float32) -> Float32:
    """Corners [n 4] from distributions [n 4·bins] over the distances to left, top, right and bottom."""
    logits = distances.reshape(len(distances), 4, BINS)
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    steps = (shares @ np.arange(BINS, dtype=np.float32)) / shares.sum(axis=2)
    sides = steps * strides
    return np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1)
