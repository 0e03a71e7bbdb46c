"""What an association sees: the predicted tracks and the detections of one frame."""

from __future__ import annotations

from dataclasses import dataclass

from flatsort.tracker.boxes import iou
from flatsort.tracker.protocols import MotionModel, State
from flatsort.tracker.types import Bool, Detections, Float, Int


@dataclass(slots=True, eq=False)
class Problem:
    """Predicted tracks and detections, with what costs and gates need of them.

    Attributes
    ----------
    detections : Detections
        n of them.
    motion : MotionModel
    state : [5 4 t]
        The predicted state of every track.
    measured : [4 n]
        The detections as the motion model measures them.
    boxes : [t 4]
        xyxy of the prediction.
    ids : int64 [t]
        0 where the track is not confirmed.
    frame, last : int, int64 [t]
        Number of this frame and of each track's latest match.
    classes : int64 [t]
    latent_distance : [t n] or None
        Euclidean distance of each track's gallery to each detection, where the detections bring latents.
    """

    detections: Detections
    motion: MotionModel
    state: State
    measured: Float
    boxes: Float
    ids: Int
    frame: int
    last: Int
    classes: Int
    latent_distance: Float | None = None
    _iou: Float | None = None

    @property
    def confirmed(self) -> Bool:
        """Which tracks have an id [t]."""
        return self.ids > 0

    @property
    def missed(self) -> Int:
        """Frames since the latest match [t], counting this one: 1 for a track that was matched in the previous one."""
        return self.frame - self.last

    @property
    def iou(self) -> Float:
        """Intersection over union [t n] of predictions and detections, computed once a frame."""
        if self._iou is None:
            self._iou = iou(self.boxes, self.detections.boxes)
        return self._iou
