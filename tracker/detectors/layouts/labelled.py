"""Networks with three outputs: boxes, scores and labels, in any order.

Sources: ``tools/deployment/export_onnx.py`` of RT-DETRv2, D-FINE and DEIM; ``torch.onnx.export(..., dynamo=False)`` of
torchvision 0.29, whose Faster R-CNN gives boxes, labels, scores and whose SSD, RetinaNet and FCOS give boxes, scores,
labels, under names without a meaning. So outputs are told apart by type and shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.tracker.detectors.classes import COCO_IDS
from flatsort.tracker.detectors.layouts import LAYOUTS, Candidates, Layout, Output, Probe
from flatsort.tracker.detectors.pictures import PictureForm


@LAYOUTS.register("dfine")
def dfine(probe: Probe) -> Layout | None:
    """RT-DETRv2, D-FINE, DEIM: a second input says the size of the picture; RGB in 0..1, stretched; COCO from 0."""
    return _layout(probe, PictureForm("stretch")) if probe.takes_sizes else None


@LAYOUTS.register("torchvision")
def torchvision(probe: Probe) -> Layout | None:
    """Torchvision's detectors: RGB in 0..1; COCO's ids, from 1; outputs have no axis of pictures."""
    layout = None if probe.takes_sizes else _layout(probe, PictureForm("corner"), first=1)
    boxes = [output for output in probe.outputs if output.shape[-1:] == (4,)]
    return layout if probe.rank == 3 or (boxes and boxes[0].ndim == 2) or probe.forced else None


@LAYOUTS.register("yolo_nms")
def yolo_nms(probe: Probe) -> Layout | None:
    """YOLO networks with non-maximum suppression inside, and an axis of pictures: RGB in 0..1, letterboxed."""
    layout = None if probe.takes_sizes or probe.rank == 3 else _layout(probe, PictureForm())
    boxes = [output for output in probe.outputs if output.shape[-1:] == (4,)]
    return layout if (boxes and boxes[0].ndim == 3) or probe.forced else None


def _layout(probe: Probe, form: PictureForm, first: int = 0) -> Layout | None:
    order = _order(probe.outputs)
    if order is None:
        return None
    b, s, k = order

    def read(outputs: Sequence[Output]) -> Candidates:
        labels = outputs[k].reshape(-1).astype(np.int64)
        return Candidates(outputs[b].reshape(-1, 4), outputs[s].reshape(-1), labels)

    return Layout(read, form, names=COCO_IDS if first else None, first=first, finished=True)


def _order(outputs: Sequence[Output]) -> tuple[int, int, int] | None:
    """Where boxes [.. n 4], scores [.. n] and labels [.. n] are; others, such as a number of boxes, do not count."""
    for b, boxes in enumerate(outputs):
        if boxes.ndim < 2 or boxes.shape[-1] != 4 or boxes.dtype.kind != "f":
            continue
        alike = [i for i, output in enumerate(outputs) if output.shape == boxes.shape[:-1]]
        scores = [i for i in alike if outputs[i].dtype.kind == "f"]
        labels = [i for i in alike if outputs[i].dtype.kind in "iu"]
        if len(scores) == len(labels) == 1:
            return b, scores[0], labels[0]
    return None
