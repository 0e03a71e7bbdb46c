"""What the ONNX file of a detection network says of itself: outputs for a grey picture, size, names of classes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from flatsort.tracker import class_names
from flatsort.tracker.detectors.classes import COCO
from flatsort.tracker.detectors.layouts import Layout, Probe
from flatsort.tracker.detectors.pictures import GREY, PictureForm
from flatsort.tracker.onnx_session import OnnxSession, require_size

USUAL_SIZE = 640
"""Side of the input in pixels where neither network nor user say one."""
BAKED_SCORE = 0.25
"""Least score of networks that ultralytics exported with ``nms=True``, unless their arguments say another."""
MOST_CLASSES = 100_000


def look(session: OnnxSession, names: str, size: int | None) -> Probe:
    """The network, with what it gives for a grey picture.

    Parameters
    ----------
    session : OnnxSession
    names : str
        The user's text file of class names; empty if there is none.
    size : int or None
        Side of the input that the user asks for, where the network takes any.

    Raises
    ------
    OSError
        If the file of the names cannot be read.
    ValueError
        If the network cannot run, has another task, or takes pictures beyond all bounds.
    """
    metadata = session.metadata
    task = metadata.get("task", "detect")
    if task != "detect":
        raise ValueError(f"{session.weights}: expected a network that detects boxes, got one for the task {task!r}")
    classes = dict(enumerate(class_names.read_class_names(names))) if names else names_in(metadata)
    own = _literal(metadata, "imgsz")
    sides = own[::-1] if _is_size(own) else (USUAL_SIZE, USUAL_SIZE)
    width, height = (side or size or usual for side, usual in zip(session.size, sides, strict=True))
    require_size(session.weights, session.batch or 1, width, height)
    # not scaled: the layout is not known yet, and shapes do not depend on it
    grey = PictureForm(scale=1.0).values([np.full((height, width, 3), GREY, np.uint8)])
    outputs = session.run_each(grey)[0]
    return Probe(
        weights=session.weights,
        names=session.output_names,
        outputs=outputs,
        size=(width, height),
        rank=session.rank,
        takes_sizes=bool(session.sizes),
        metadata=metadata,
        classes=classes,
    )


def names_in(metadata: Mapping[str, str]) -> dict[int, str] | None:
    """Class number → name from the metadata of an ONNX file, which ultralytics writes as a literal of Python."""
    names = _literal(metadata, "names")
    if isinstance(names, (list, tuple)):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        return None
    try:
        numbered = {int(number): str(name) for number, name in names.items()}
    except (ValueError, TypeError, OverflowError):
        return None
    return numbered if min(numbered) >= 0 and max(numbered) < MOST_CLASSES else None


def class_list(layout: Layout, probe: Probe, file: str) -> dict[int, str]:
    """Class number → name: the user's, the file's, the family's, COCO's, or numbers.

    Raises
    ------
    ValueError
        If the names of the user's ``file`` or of the network are more or fewer than the classes of its outputs.
    """
    if probe.classes is not None:
        if layout.count is not None and sorted(probe.classes) != list(range(layout.count)):
            raise ValueError(
                f"{file or 'metadata'}: expected {layout.count} names like the classes of {probe.weights}, "
                f"got {len(probe.classes)}"
            )
        return {number + layout.first: name for number, name in probe.classes.items()}
    if layout.names is not None:
        return dict(layout.names)
    if layout.count is None or layout.count == len(COCO):
        return dict(enumerate(COCO))
    return {number: str(number) for number in range(layout.count)}


def baked_score(probe: Probe) -> float:
    """Least score that the network gives, as far as its file says; 0 if it does not."""
    arguments = _literal(probe.metadata, "args")
    if not (isinstance(arguments, dict) and arguments.get("nms")):
        return 0.0
    least = arguments.get("conf")
    return float(least) if isinstance(least, (int, float)) else BAKED_SCORE


def _literal(metadata: Mapping[str, str], key: str) -> Any:
    """Value of a key that holds a literal of Python; None if it is absent or something else."""
    try:
        return ast.literal_eval(metadata.get(key, "None"))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _is_size(sides: object) -> bool:
    return isinstance(sides, (list, tuple)) and len(sides) == 2 and all(type(s) is int and s > 0 for s in sides)
