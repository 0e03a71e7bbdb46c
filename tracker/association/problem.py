"""What an association sees: the predicted tracks and the detections of one frame."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.boxes import iou
from tracker.protocols import MotionModel, State
from tracker.types import Bool, Detections, Float, Int


@dataclass(slots=True, eq=False)
class Problem:
    """Predicted tracks and detections, with what costs and gates need of them.

    Attributes
    ----------
    detections : Detections
        n of them.
    motion, state : MotionModel, [5 t 4]
        The predicted state of every track.
    boxes : [t 4]
        xyxy of the prediction.
    confirmed : bool [t]
    missed : int64 [t]
        Frames since the latest match, counting this one: 1 for a track that was matched in the previous frame.
    classes : int64 [t]
    latent_distance : [t n] or None
        Euclidean distance of each track's gallery to each detection, where the detections bring latents.
    """

    detections: Detections
    motion: MotionModel
    state: State
    boxes: Float
    confirmed: Bool
    missed: Int
    classes: Int
    latent_distance: Float | None = None
    _iou: Float | None = None

    @property
    def iou(self) -> Float:
        """Intersection over union [t n] of predictions and detections, computed once a frame."""
        if self._iou is None:
            self._iou = iou(self.boxes, self.detections.boxes)
        return self._iou
