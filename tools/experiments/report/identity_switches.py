"""Identity switches: which boxes are involved, and how far they are from each other."""

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

SAME = 0.5
"""Least IoU of a result row with the detection that it was made from."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackBox:
    """A box of a track.

    Attributes
    ----------
    frame : int
    track : int
        Its predicted id.
    box : float64 [4]
        xyxy, pixels.
    truth : int or None
        Identity that it covers.
    """

    frame: int
    track: int
    box: Float
    identity: int | None


@dataclass(frozen=True, slots=True)
class BoxComparison:
    """How alike two boxes are.

    Attributes
    ----------
    iou : float
    distance : float or None
        Of their latents; None where one is not known.
    share : float or None
        The distance in units of the threshold; None where that is not known.
    """

    iou: float
    distance: float | None
    share: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Switch:
    """A ground truth identity is covered by another predicted id than the last time.

    Attributes
    ----------
    truth : int
        The ground truth identity.
    before : Sight
        Where the old id covered it for the last time.
    after : Sight
        Where the new id covers it for the first time since.
    earlier : Sight or None
        The last box of the new id before; None where the id is new.
    now : Sight or None
        Where the old id is in the frame of the switch; None where it is not reported.
    to_before, to_earlier : Closeness
        Of ``after``; the second is None where ``earlier`` is.
    """

    identity: int
    before: TrackBox
    after: TrackBox
    earlier: TrackBox | None
    now: TrackBox | None
    to_before: BoxComparison
    to_earlier: BoxComparison | None


def find_switches(
    result: SequenceResult, tracks: MotTable, detections: Sequence[Detections], latents: Sequence[Float32] | None
) -> list[Switch]:
    """The switches of a sequence, by frame.

    Parameters
    ----------
    result : SequenceResult
    tracks : MotTable
        The result rows that it scores.
    detections : sequence of Detections
        One a frame.
    latents : sequence of float32 [n d], optional
        One row a detection; a frame without rows has none that are known.
    """
    return _SwitchFinder(result, tracks, _BoxLatents(detections, latents)).find()


class _BoxLatents:
    """Latents of boxes, and their threshold: that of 1 % of the pairs of different boxes of one frame."""

    def __init__(self, detections: Sequence[Detections], latents: Sequence[Float32] | None) -> None:
        self._detections, self._latents = detections, latents

    def of(self, sight: TrackBox) -> Float32 | None:
        """Latent of the detection that a box of a track was made from, None where there is no such detection."""
        row = sight.frame - 1
        if self._latents is None or not row < min(len(self._latents), len(self._detections)):
            return None
        boxes, latents = self._detections[row].boxes, self._latents[row]
        if not len(boxes) or len(latents) != len(boxes):
            return None
        overlap = iou(sight.box[None], boxes)[0]
        best = int(overlap.argmax())
        return latents[best] if overlap[best] >= SAME else None

    @cached_property
    def threshold(self) -> float | None:
        """The threshold, None where no pair was seen."""
        found = AppearanceThreshold(AppearanceConfig())
        for each, latents in zip(self._detections, self._latents or (), strict=False):
            if len(latents) == len(each):
                found.update(Detections(each.boxes, each.scores, each.classes, latents))
        return found.value if math.isfinite(found.value) else None

    def compare(self, one: TrackBox, other: TrackBox) -> BoxComparison:
        """How alike two boxes are."""
        a, b = self.of(one), self.of(other)
        overlap = float(iou(one.box[None], other.box[None])[0, 0])
        if a is None or b is None:
            return BoxComparison(overlap, None, None)
        distance = float(np.linalg.norm(a - b))
        if not math.isfinite(distance):
            return BoxComparison(overlap, None, None)
        return BoxComparison(overlap, distance, None if self.threshold is None else distance / self.threshold)


class _SwitchFinder:
    """Looks up boxes of tracks by id and frame."""

    def __init__(self, result: SequenceResult, tracks: MotTable, looks: _BoxLatents) -> None:
        self._result, self._tracks, self._looks = result, tracks, looks
        usable = np.flatnonzero(valid(tracks.boxes))
        order = usable[np.lexsort((tracks.frames[usable], tracks.ids[usable]))]
        ids, starts = np.unique(tracks.ids[order], return_index=True)
        self._rows = dict(zip(ids.tolist(), np.split(order, starts[1:]), strict=True)) if len(ids) else {}
        timeline = result.timeline
        covered = np.flatnonzero(timeline.pred >= 0)
        self._covers = {
            (frame, track): identity
            for frame, track, identity in zip(
                timeline.frames[covered].tolist(),
                result.pred_labels[timeline.pred[covered]].tolist(),
                result.gt_labels[timeline.gt[covered]].tolist(),
                strict=True,
            )
        }

    def find(self) -> list[Switch]:
        """The switches, by frame."""
        timeline, found = self._result.timeline, []
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
                found.append(self._switch(int(self._result.gt_labels[gt]), last[gt], (frame, track)))
            last[gt] = (frame, track)
        return found

    def _switch(self, identity: int, old: tuple[int, int], new: tuple[int, int]) -> Switch:
        before, after = self._seen(*old), self._seen(*new)
        assert before is not None
        assert after is not None
        rows = self._rows[after.track]
        place = int(np.searchsorted(self._tracks.frames[rows], after.frame))
        earlier = self._seen(int(self._tracks.frames[rows[place - 1]]), after.track) if place else None
        return Switch(
            identity=identity,
            before=before,
            after=after,
            earlier=earlier,
            now=self._seen(after.frame, before.track),
            to_before=self._looks.compare(after, before),
            to_earlier=None if earlier is None else self._looks.compare(after, earlier),
        )

    def _seen(self, frame: int, track: int) -> TrackBox | None:
        rows = self._rows.get(track, np.empty(0, np.int64))
        place = int(np.searchsorted(self._tracks.frames[rows], frame))
        if place == len(rows) or self._tracks.frames[rows[place]] != frame:
            return None
        return TrackBox(frame, track, self._tracks.boxes[rows[place]], self._covers.get((frame, track)))
