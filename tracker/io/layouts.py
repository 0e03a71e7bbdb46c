"""What the columns of a MOTChallenge file mean from the seventh on: layouts of benchmarks, told by what they hold.

References
----------
Milan et al., MOT16: A benchmark for multi-object tracking, 2016, tables 3 and 4: classes and columns.
VisDrone2018-MOT-toolkit, README: the ten columns of its ground truth, and its categories.
Du et al., The unmanned aerial vehicle benchmark (UAVDT), ECCV 2018, toolkit's README: the columns of ``_gt_whole.txt``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from flatsort.tracker.class_names import labels_beside
from flatsort.tracker.io.box_rows import BoxRows
from flatsort.tracker.types import Int

Layout = Literal["mot15", "mot", "visdrone", "uavdt", "kitti"]

IGNORED: dict[Layout, tuple[int, ...]] = {"visdrone": (0, 11), "kitti": (0,), "uavdt": (0,)}
"""Classes of ground truth that are no objects but regions in which tracks do not count, by layout."""

MAX_CLASS = 9999
"""Highest number that is taken for a class of detections."""

_MOT = (
    *("pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non-motorized vehicle", "static person"),
    *("distractor", "occluder", "occluder on the ground", "occluder full", "reflection", "crowd"),
)
MOT_CLASSES = dict(enumerate(_MOT, 1))
"""Classes of MOT16, MOT17 and MOT20 (Milan et al., table 3; 13: MOT20's crowd)."""
_VISDRONE = (
    *("ignored regions", "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle", "awning-tricycle"),
    *("bus", "motor", "others"),
)
VISDRONE_CLASSES = dict(enumerate(_VISDRONE))
UAVDT_CLASSES = {1: "car", 2: "truck", 3: "bus"}


def recognise(rows: BoxRows) -> Layout:
    """What the columns of a file mean, by what they hold."""
    rest = rows.rest
    if rows.layout:
        return rows.layout
    if rest.shape[1] == 3 and len(rest):
        category, truncation, occlusion = rest.T
        fits = np.isin(rows.scores, (0, 1)) & np.isin(category, range(12))
        fits &= np.isin(truncation, (0, 1)) & np.isin(occlusion, (0, 1, 2))
        fits &= (category > 0) | (rows.scores == 0)  # an ignored region is never to be considered
        return "visdrone" if fits.all() else "mot15"
    if rest.shape[1] == 2 and len(rest):
        fits = np.isin(rows.scores, (1, 2, 3)) & np.isin(rest[:, 0], (1, 2, 3, 4)) & np.isin(rest[:, 1], (1, 2, 3))
        beyond = bool((rows.scores > 1).any() or (rest[:, 1] > 1).any()) or "gt_whole" in rows.path.name
        return "uavdt" if fits.all() and beyond else "mot"
    return "mot" if rest.shape[1] in (1, 2) else "mot15"


def class_column(rows: BoxRows) -> Int | None:
    """The column of classes [n]; None where the file has none, or −1 only, or world coordinates in its place."""
    rest = rows.rest
    if not len(rest) or rest.shape[1] not in (1, 2, 3):
        return None
    if recognise(rows) == "uavdt":
        return rest[:, 1].astype(np.int64)
    column = rest[:, 0]
    whole = (column == np.floor(column)) & (column >= -1) & (column <= MAX_CLASS)
    if not whole.all() or (column < 0).all():
        return None
    if rest.shape[1] == 3:
        visibility, last = rest[:, 1], rest[:, 2]
        no_world = ((visibility == -1) | ((visibility >= 0) & (visibility <= 1))) & np.isin(last, (-1, 0, 1, 2))
        if not no_world.all() or not rest.any():
            return None
    return column.astype(np.int64)


def names_of(rows: BoxRows, layout: Layout, classes: Int) -> Mapping[int, str]:
    """Names of classes that come with a file."""
    if layout in ("visdrone", "uavdt"):
        return VISDRONE_CLASSES if layout == "visdrone" else UAVDT_CLASSES
    if rows.class_names:
        return rows.class_names
    labels = labels_beside(rows.path)
    if labels and 0 in classes and classes.max(initial=0) < len(labels):  # the first line is class 0
        return {number - 1: name for number, name in labels.items()}
    return labels


def require_layout(rows: BoxRows, layout: Layout) -> None:
    """Refuse a file that cannot be of a layout that was asked for."""
    columns = {"mot15": range(7, 11), "mot": range(8, 11), "visdrone": range(10, 11), "uavdt": range(9, 10)}
    expected = columns.get(layout, range(17, 19))
    if not len(rows.frames):
        return
    if rows.columns not in expected:
        words = " or ".join(map(str, expected))
        raise ValueError(f"{rows.path}: {rows.columns} columns, expected {words} in the layout {layout}")
    if layout in ("visdrone", "uavdt"):
        raise ValueError(
            f"{rows.path}: expected the layout {layout}, but the columns from the seventh on hold other values"
        )
