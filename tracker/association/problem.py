"""The association problem of one frame: predicted tracks and detections, as costs and gates need them."""

from __future__ import annotations

from dataclasses import dataclass

from flatsort.tracker.boxes import iou
from flatsort.tracker.protocols import MotionModel, State
from flatsort.tracker.types import Bool, Detections, Float, Int


@dataclass(slots=True, eq=False)
class AssociationProblem:
    """Predicted tracks and detections of one frame, and what costs and gates need to know about them.

    Attributes
    ----------
    detections : Detections
        The n detections of the frame.
    motion : MotionModel
        The model that predicted the tracks.
    state : [5 4 t]
        The predicted state of every track.
    measured : [4 n]
        The detections in the coordinates that the motion model measures.
    boxes : [t 4]
        Predicted box of every track, xyxy, pixels.
    ids : int64 [t]
        Id of every track; 0 where it is not confirmed yet.
    frame : int
        Number of this frame.
    last : int64 [t]
        Frame of each track's latest match.
    classes : int64 [t]
        Class of each track.
    latent_distance : [t n] or None
        Euclidean distance from each track's gallery to each detection, in units of the appearance threshold; None where
        the detections have no latents.
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
