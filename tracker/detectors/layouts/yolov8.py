"""YOLOv8, YOLO11, YOLO12, YOLOv5u, YOLOv9: [1 4+c anchors], centre, size and scores of classes, no objectness.

Source: ``YOLO(...).export(format="onnx")`` of ultralytics 8.4; some converters turn the output to [1 anchors 4+c].
"""

from __future__ import annotations

from collections.abc import Sequence

from flatsort.tracker.detectors.layouts import LAYOUTS, Candidates, Layout, Output, Probe, corners, flat
from flatsort.tracker.detectors.layouts.anchors import STRIDES, grid
from flatsort.tracker.detectors.pictures import PictureForm


@LAYOUTS.register("yolov8")
def yolov8(probe: Probe) -> Layout | None:
    """Boxes in pixels of a letterboxed picture; RGB in 0..1."""
    table = probe.table
    if table is None or len(table) < 5:
        return None
    named = probe.classes is not None and len(table) == 4 + len(probe.classes)
    if not (named or probe.forced) and grid(probe.size, table.shape[1], STRIDES[:1]) is None:
        return None
    return Layout(_read, PictureForm(), count=len(table) - 4)


@LAYOUTS.register("yolov8_transposed")
def yolov8_transposed(probe: Probe) -> Layout | None:
    """The same with one row a box: told from a YOLOX with one class less only where the number of classes is known."""
    table = probe.table
    if table is None or table.shape[1] < 5:
        return None
    if not probe.forced and (grid(probe.size, len(table)) is None or not probe.has_classes(table.shape[1] - 4)):
        return None
    return Layout(_read_transposed, PictureForm(), count=table.shape[1] - 4)


def _read(outputs: Sequence[Output]) -> Candidates:
    return _candidates(flat(outputs[0]).T)


def _read_transposed(outputs: Sequence[Output]) -> Candidates:
    return _candidates(flat(outputs[0]))


def _candidates(rows: Output) -> Candidates:
    return Candidates(corners(rows[:, :4]), rows[:, 4:])
