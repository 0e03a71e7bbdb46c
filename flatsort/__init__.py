"""Multi-object tracking by position and by an appearance embedding that is learned without labels.

>>> tracker = flatsort.load_tracker("flatsort")  # with its embedder; a frame in, ids out
>>> ids = tracker.update(boxes, scores, image=image)
>>> for result in flatsort.track("street.mp4", detector="background"):
...     print(result.frame.index, result.tracks.ids, result.tracks.boxes)
>>> flatsort.evaluate(gt="seq/gt/gt.txt", pred="seq.txt").overall.idf1

Everything below is imported when it is first used, so that this import is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flatsort.api import export_embedder, frames, load_embedder, load_tracker, track, train
    from flatsort.tracker.detectors import DETECTORS
    from flatsort.tracker.metrics import Evaluation, Scores, evaluate
    from flatsort.tracker.protocols import Detector, Embedder, FrameSource, MotionModel, Sink
    from flatsort.tracker.registry import PartConfig
    from flatsort.tracker.sort import SortConfig, SortTracker
    from flatsort.tracker.track_config import TrackConfig
    from flatsort.tracker.types import Detections, Frame, FrameResult, Tracks

    __version__: str

_ORIGINS = {
    "flatsort.api": ("export_embedder", "frames", "load_embedder", "load_tracker", "track", "train"),
    "flatsort.tracker.detectors": ("DETECTORS",),
    "flatsort.tracker.metrics": ("Evaluation", "Scores", "evaluate"),
    "flatsort.tracker.protocols": ("Detector", "Embedder", "FrameSource", "MotionModel", "Sink"),
    "flatsort.tracker.registry": ("PartConfig",),
    "flatsort.tracker.sort": ("SortConfig", "SortTracker"),
    "flatsort.tracker.track_config": ("TrackConfig",),
    "flatsort.tracker.types": ("Detections", "Frame", "FrameResult", "Tracks"),
}
"""Module → the public names that it holds."""

__all__ = [  # noqa: RUF022  # grouped by what they are for
    # trackers
    "load_tracker",
    "SortTracker",
    "SortConfig",
    "TrackConfig",
    # videos
    "frames",
    "track",
    # scores
    "evaluate",
    "Evaluation",
    "Scores",
    # embedders
    "load_embedder",
    "train",
    "export_embedder",
    # data
    "Frame",
    "Detections",
    "Tracks",
    "FrameResult",
    # parts of one's own
    "DETECTORS",
    "PartConfig",
    "Detector",
    "Embedder",
    "FrameSource",
    "MotionModel",
    "Sink",
]


def __getattr__(name: str) -> Any:
    """Import a public name from the module that holds it."""
    for module, names in _ORIGINS.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("flatsort")
    raise AttributeError(f"module 'flatsort' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Public names, for the completion of a shell."""
    return [*__all__, "__version__"]
