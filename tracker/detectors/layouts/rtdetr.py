"""RT-DETR of ultralytics: boxes as shares of a picture that was stretched.

Source: ``RTDETR(...).export(format="onnx")`` of ultralytics. Up to 8.4.0 it gives the scores of all classes; later it
gives score and class as YOLO26 does, in the same shape: the file's metadata tell the two apart, or else the values.
References: Zhao et al., "DETRs Beat YOLOs on Real-time Object Detection", arXiv:2304.08069.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.tracker.detectors.layouts import LAYOUTS, Candidates, Layout, Output, Probe, flat, in_pixels
from flatsort.tracker.detectors.layouts.anchors import grid
from flatsort.tracker.detectors.pictures import PictureForm


@LAYOUTS.register("rtdetr")
def rtdetr(probe: Probe) -> Layout | None:
    """[1 n 6]: centre and size as shares, score, class; or [1 n 4+c] with scores of classes; RGB in 0..1, stretched."""
    table = probe.table
    if table is None or table.shape[1] < 5:
        return None
    anchors = grid(probe.size, len(table)) or grid(probe.size, len(table) // 3)
    if not probe.forced and (anchors is not None or not has_shares(probe)):
        return None
    labelled = table.shape[1] == 6 and not (table[:, 5] % 1).any()
    size = probe.size

    def read(outputs: Sequence[Output]) -> Candidates:
        rows = flat(outputs[0])
        boxes = in_pixels(rows[:, :4], size)
        if labelled:
            return Candidates(boxes, rows[:, 4], np.nan_to_num(rows[:, 5], nan=-1).astype(np.int64))
        return Candidates(boxes, rows[:, 4:])

    return Layout(read, PictureForm("stretch"), count=None if labelled else table.shape[1] - 4, finished=True)


def has_shares(probe: Probe) -> bool:
    """Whether the boxes of a table are shares of the picture: as the file says, else as its values look."""
    head = probe.metadata.get("head")
    if head:
        return head == "RTDETRDecoder"
    if "rtdetr" in probe.metadata.get("description", "").lower().replace("-", ""):
        return True
    boxes = probe.outputs[0][..., :4]
    return bool(boxes.any() and ((boxes >= 0) & (boxes <= 1)).all())
