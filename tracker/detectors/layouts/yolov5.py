"""YOLOv5 and YOLOv7 with three anchors a cell: [1 3·anchors 5+c], centre, size, objectness and scores of classes.

Source: ``export.py --include onnx`` of YOLOv5 7.0, ``export.py --grid`` of YOLOv7.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatsort.tracker.detectors.layouts import LAYOUTS, Candidates, Layout, Output, Probe, corners, flat
from flatsort.tracker.detectors.layouts.anchors import grid
from flatsort.tracker.detectors.pictures import PictureForm


@LAYOUTS.register("yolov5")
def yolov5(probe: Probe) -> Layout | None:
    """Boxes in pixels of a letterboxed picture; RGB in 0..1; a score is objectness times that of the class."""
    table = probe.table
    if table is None or table.shape[1] < 6:
        return None
    if not probe.forced and (len(table) % 3 or grid(probe.size, len(table) // 3) is None):
        return None
    return Layout(_read, PictureForm(), count=table.shape[1] - 5)


def _read(outputs: Sequence[Output]) -> Candidates:
    rows = flat(outputs[0])
    return Candidates(corners(rows[:, :4]), rows[:, 5:], objectness=rows[:, 4:5])
