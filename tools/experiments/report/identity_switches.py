"""Identity switches of a run: the boxes involved, their overlaps and their latent distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flatsort.tracker.association.appearance_threshold import AppearanceConfig, AppearanceThreshold
from flatsort.tracker.boxes import iou, valid
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import SequenceResult
from flatsort.tracker.types import Detections, Float, Float32

MIN_IOU = 0.5
"""Least IoU of a result row with the detection from which it comes."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackBox:
    """A box of a predicted track.

    Attributes
    ----------
    frame : int
    track : int
        The predicted id.
    box : float64 [4]
        xyxy, pixels.
    identity : int or None
        Ground truth identity with which it is matched.
    """

    frame: int
    track: int
    box: Float
    identity: int | None


@dataclass(frozen=True, slots=True)
class BoxComparison:
    """Overlap and latent distance of two boxes.

    Attributes
    ----------
    iou : float
    distance : float or None
        Distance of their latents; None if one is unknown.
    relative : float or None
        The distance divided by the appearance threshold; None if that is unknown.
    """

    iou: float
    distance: float | None
    relative: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Switch:
    """A ground truth identity is matched with another predicted id than the last time.

    Attributes
    ----------
    identity : int
        The ground truth identity.
    before : TrackBox
        The last box of the old id on the identity.
    after : TrackBox
        The first box of the new id on the identity.
    earlier : TrackBox or None
        The previous box of the new id; None if the id is new.
    now : TrackBox or None
        The box of the old id in the frame of the switch; None if it has none.
    to_before, to_earlier : BoxComparison
        Of ``after`` with ``before`` and with ``earlier``; the second is None where ``earlier`` is.
    """

    identity: int
    before: TrackBox
    after: TrackBox
    earlier: TrackBox | None
    now: TrackBox | None
    to_before: BoxComparison
    to_earlier: BoxComparison | None


def find_switches(
    result: SequenceResult,
    tracks: MotTable,
    detections: Sequence[Detections],
    latents: Sequence[Float32] | None,
    numbers: range | None = None,
) -> list[Switch]:
    """The switches of a sequence, by frame.

    Parameters
    ----------
    result : SequenceResult
    tracks : MotTable
        The result rows that were scored.
    detections : sequence of Detections
        One per frame.
    numbers : range, optional
        Frame numbers of the detections; 1, 2, 3, … by default.
    latents : sequence of float32 [n d], optional
        One row per detection; without rows in frames whose latents are unknown.
    """
    return _SwitchFinder(result, tracks, _BoxLatents(detections, latents, numbers)).find()


class _BoxLatents:
    """Latents of boxes, and the threshold below which 1 % of the distances between boxes of the same frame lie."""

    def __init__(
        self, detections: Sequence[Detections], latents: Sequence[Float32] | None, numbers: range | None = None
    ) -> None:
        self._detections, self._latents = detections, latents
        self._numbers = numbers or range(1, len(detections) + 1)

    def of(self, box: TrackBox) -> Float32 | None:
        """Latent of the detection from which a box of a track comes; None if there is no such detection."""
        row = (box.frame - self._numbers.start) // self._numbers.step
        if self._latents is None or not row < min(len(self._latents), len(self._detections)):
            return None
        boxes, latents = self._detections[row].boxes, self._latents[row]
        if not len(boxes) or len(latents) != len(boxes):
            return None
        overlap = iou(box.box[None], boxes)[0]
        best = int(overlap.argmax())
        return latents[best] if overlap[best] >= MIN_IOU else None

    @cached_property
    def threshold(self) -> float | None:
        """The threshold; None if no frame has a pair."""
        estimate = AppearanceThreshold(AppearanceConfig())
        for each, latents in zip(self._detections, self._latents or (), strict=False):
            if len(latents) == len(each):
                estimate.update(Detections(each.boxes, each.scores, each.classes, latents))
        return estimate.value if math.isfinite(estimate.value) else None

    def compare(self, one: TrackBox, other: TrackBox) -> BoxComparison:
        """Overlap and latent distance of two boxes."""
        a, b = self.of(one), self.of(other)
        overlap = float(iou(one.box[None], other.box[None])[0, 0])
        if a is None or b is None:
            return BoxComparison(overlap, None, None)
        distance = float(np.linalg.norm(a - b))
        if not math.isfinite(distance):
            return BoxComparison(overlap, None, None)
        return BoxComparison(overlap, distance, None if self.threshold is None else distance / self.threshold)


class _SwitchFinder:
    """Boxes of tracks by id and frame, and the switches among them."""

    def __init__(self, result: SequenceResult, tracks: MotTable, latents: _BoxLatents) -> None:
        self._result, self._tracks, self._latents = result, tracks, latents
        usable = np.flatnonzero(valid(tracks.boxes))
        order = usable[np.lexsort((tracks.frames[usable], tracks.ids[usable]))]
        ids, starts = np.unique(tracks.ids[order], return_index=True)
        self._rows = dict(zip(ids.tolist(), np.split(order, starts[1:]), strict=True)) if len(ids) else {}
        timeline = result.timeline
        matched = np.flatnonzero(timeline.pred >= 0)
        self._identities = {
            (frame, track): identity
            for frame, track, identity in zip(
                timeline.frames[matched].tolist(),
                result.pred_labels[timeline.pred[matched]].tolist(),
                result.gt_labels[timeline.gt[matched]].tolist(),
                strict=True,
            )
        }

    def find(self) -> list[Switch]:
        """The switches, by frame."""
        timeline, switches = self._result.timeline, []
        last: dict[int, tuple[int, int]] = {}
        rows = zip(
            timeline.frames.tolist(),
            timeline.gt.tolist(),
            timeline.pred.tolist(),
            timeline.switch.tolist(),
            strict=True,
        )
        for frame, gt, pred, switched in rows:
            if pred < 0:
                continue
            track = int(self._result.pred_labels[pred])
            if switched and gt in last:
                switches.append(self._switch(int(self._result.gt_labels[gt]), last[gt], (frame, track)))
            last[gt] = (frame, track)
        return switches

    def _switch(self, identity: int, old: tuple[int, int], new: tuple[int, int]) -> Switch:
        before, after = self._box_at(*old), self._box_at(*new)
        assert before is not None
        assert after is not None
        rows = self._rows[after.track]
        place = int(np.searchsorted(self._tracks.frames[rows], after.frame))
        earlier = self._box_at(int(self._tracks.frames[rows[place - 1]]), after.track) if place else None
        return Switch(
            identity=identity,
            before=before,
            after=after,
            earlier=earlier,
            now=self._box_at(after.frame, before.track),
            to_before=self._latents.compare(after, before),
            to_earlier=None if earlier is None else self._latents.compare(after, earlier),
        )

    def _box_at(self, frame: int, track: int) -> TrackBox | None:
        rows = self._rows.get(track, np.empty(0, np.int64))
        place = int(np.searchsorted(self._tracks.frames[rows], frame))
        if place == len(rows) or self._tracks.frames[rows[place]] != frame:
            return None
        return TrackBox(frame, track, self._tracks.boxes[rows[place]], self._identities.get((frame, track)))
