"""YOLO networks that suppress duplicates themselves: rows of corners in pixels, score and class.

Sources: ``YOLO(...).export(format="onnx")`` of ultralytics 8.4 for YOLOv10 and YOLO26 and with ``nms=True`` (rows of
zeros fill the rest); ``export.py --end2end --max-wh`` of YOLOv7; MMDeploy's ``end2end.onnx`` of MMDetection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.tracker.detectors.layouts import LAYOUTS, Candidates, Layout, Output, Probe, flat
from flatsort.tracker.detectors.layouts.anchors import grid
from flatsort.tracker.detectors.layouts.rtdetr import has_shares
from flatsort.tracker.detectors.pictures import IMAGENET, PictureForm


@LAYOUTS.register("end2end")
def end2end(probe: Probe) -> Layout | None:
    """[1 n 6]: x1 y1 x2 y2, score, class; RGB in 0..1, letterboxed."""
    table = probe.table
    if table is None or table.shape[1] != 6:
        return None
    anchors = grid(probe.size, len(table)) or grid(probe.size, len(table) // 3)
    if not probe.forced and (anchors is not None or has_shares(probe)):
        return None
    return Layout(_read, PictureForm(), finished=True)


@LAYOUTS.register("yolov7_nms")
def yolov7_nms(probe: Probe) -> Layout | None:
    """[n 7]: picture, x1 y1 x2 y2, class, score; RGB in 0..1, letterboxed."""
    table = probe.table
    if table is None or table.shape[1] != 7 or probe.outputs[0].ndim != 2:
        return None
    return Layout(_read_yolov7, PictureForm(), finished=True)


@LAYOUTS.register("mmdeploy")
def mmdeploy(probe: Probe) -> Layout | None:
    """[1 n 5] (x1 y1 x2 y2, score) and [1 n] (class); RGB with ImageNet's mean, scaled into the top left corner."""
    if len(probe.outputs) != 2 or probe.takes_sizes:
        return None
    boxes, labels = probe.outputs
    if boxes.ndim != 3 or boxes.shape[2] != 5 or labels.shape != boxes.shape[:2] or labels.dtype.kind != "i":
        return None
    return Layout(_read_mmdeploy, PictureForm("corner", mean=IMAGENET[0], deviation=IMAGENET[1]), finished=True)


def _read(outputs: Sequence[Output]) -> Candidates:
    rows = flat(outputs[0])
    return Candidates(rows[:, :4], rows[:, 4], _labels(rows[:, 5]))


def _read_yolov7(outputs: Sequence[Output]) -> Candidates:
    rows = outputs[0][outputs[0][:, 0] == 0]
    return Candidates(rows[:, 1:5], rows[:, 6], _labels(rows[:, 5]))


def _read_mmdeploy(outputs: Sequence[Output]) -> Candidates:
    rows = flat(outputs[0])
    return Candidates(rows[:, :4], rows[:, 4], outputs[1].reshape(-1).astype(np.int64))


def _labels(values: Output) -> Output:
    # a class that is no number is none of the known ones
    return np.nan_to_num(values, nan=-1, posinf=-1, neginf=-1).round().astype(np.int64)
