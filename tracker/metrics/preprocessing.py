"""The benchmark's preprocessing: which ground truth and predictions of a sequence are compared.

References
----------
Milan et al., MOT16: A benchmark for multi-object tracking, 2016, section 4.1; in the form of TrackEval's
``MotChallenge2DBox``, which the benchmark's server runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flatsort.tracker.association.assignment import assign
from flatsort.tracker.boxes import iou, valid
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics.scoring_rules import PEDESTRIAN, UNKNOWN, Benchmark, Rules, rules_for
from flatsort.tracker.types import Bool, Float, Int

THRESHOLD = 0.5
"""Minimum IoU of a match; rounding errors are tolerated, see `feasible`."""

CLASSES = range(1, 14)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSequence:
    """The data of one sequence that all metrics use.

    Ids are positions in ``gt_labels`` and ``pred_labels``, so they run from 0 without gaps.

    Attributes
    ----------
    name : str
    length : int
        Number of frames.
    frames : int64 [f]
        The frames, 1-based, with ground truth or predictions.
    gt_ids, pred_ids : list of int64 [n], int64 [m]
        One entry for each of ``frames``.
    similarity : list of float64 [n m]
        IoU of each ground truth box with each prediction.
    gt_labels, pred_labels : int64
        Ids as in the files.
    unusable : int
        Number of predictions that are not finite or have no area: they are kept and match nothing.
    ignored : int
        Number of ground truth boxes that are not evaluated: their flag is 0, or they are no pedestrians.
    """

    name: str
    length: int
    frames: Int
    gt_ids: list[Int]
    pred_ids: list[Int]
    similarity: list[Float]
    gt_labels: Int
    pred_labels: Int
    unusable: int = 0
    ignored: int = 0

    @property
    def gt_boxes(self) -> int:
        """Number of ground truth boxes."""
        return sum(map(len, self.gt_ids))

    @property
    def pred_boxes(self) -> int:
        """Number of predicted boxes."""
        return sum(map(len, self.pred_ids))


def feasible(similarity: Float) -> Bool:
    """Which pairs overlap enough for a match, [n m]; an IoU of exactly 0.5 passes in spite of rounding."""
    return similarity >= THRESHOLD - np.finfo(np.float64).eps


def prepare(
    name: str,
    gt: MotTable,
    pred: MotTable,
    benchmark: Benchmark | None = None,
    length: int | None = None,
    *,
    rules: Rules | None = None,
    only: int | None = None,
) -> ScoredSequence:
    """Select the ground truth and predictions that are compared.

    MOT15: every ground truth box whose flag (column 7) is not 0. MOT16, 17 and 20: predictions are matched with all
    ground truth boxes (maximum sum of overlaps, IoU ≥ 0.5); those matched with a distractor are removed, then all
    ground truth except pedestrians (class 1 or −1) whose flag is not 0. Other files: see `scoring_rules`.

    Parameters
    ----------
    name : str
        Name of the sequence.
    gt, pred : MotTable
    benchmark : optional
        Whose rules hold; by default they follow from the ground truth.
    length : int, optional
        Number of frames; by default the last frame of either table.
    rules : Rules, optional
        In place of those that `rules_for` gives.
    only : int, optional
        The one class of the ground truth's own that is scored.

    Raises
    ------
    ValueError
        If an id occurs twice in a frame, a frame lies beyond ``length``, a ground truth box is not finite, its flag
        (column 7) is no whole number but a score as in results, or a class is none of the benchmark's.
    """
    rules = rules or rules_for(name, gt, pred, benchmark)
    check_frames(gt, pred, length)
    _check(gt, pred, rules)
    frames = np.union1d(gt.frames, pred.frames)
    usable = valid(pred.boxes)
    pred_boxes = np.where(usable[:, None], pred.boxes, 0.0)
    roles = rules.roles(gt, pred, only)
    kept_gt, kept_pred, similarity = [], [], []
    for g, p in zip(_by_frame(gt.frames, frames), _by_frame(pred.frames, frames), strict=True):
        p = p[roles.tracks[p]]
        p = p[~_mostly_inside(pred_boxes[p], gt.boxes[g[roles.region[g]]])]
        overlap = iou(gt.boxes[g], pred_boxes[p])
        if roles.track_classes is not None:
            overlap[(gt.classes[g][:, None] != roles.track_classes[p]) & roles.scored[g][:, None]] = 0.0
        rows, cols = roles.scored[g], _without_distractors(overlap, roles.distractor[g])
        kept_gt.append(gt.ids[g][rows])
        kept_pred.append(pred.ids[p][cols])
        similarity.append(overlap[np.ix_(rows, cols)])
    gt_ids, gt_labels = _relabel(kept_gt)
    pred_ids, pred_labels = _relabel(kept_pred)
    return ScoredSequence(
        name=name,
        length=length or int(frames.max(initial=0)),
        frames=frames,
        gt_ids=gt_ids,
        pred_ids=pred_ids,
        similarity=similarity,
        gt_labels=gt_labels,
        pred_labels=pred_labels,
        unusable=int((~usable & roles.tracks).sum()),
        ignored=int((~roles.scored).sum()),
    )


def _mostly_inside(boxes: Float, regions: Float) -> Bool:
    """Which boxes [n 4] lie for more than half of their area in the union of the regions [k 4]."""
    inside = np.zeros(len(boxes), bool)
    if not len(regions):
        return inside
    for row, (left, top, right, bottom) in enumerate(boxes):
        area = (right - left) * (bottom - top)
        parts = np.clip(regions, [left, top, left, top], [right, bottom, right, bottom])
        parts = parts[valid(parts)]
        inside[row] = len(parts) > 0 and _union(parts) > 0.5 * area
    return inside


def _union(boxes: Float) -> float:
    """Area of the union of some boxes [k 4], k > 0: over the cells that their edges make."""
    x, y = np.unique(boxes[:, [0, 2]]), np.unique(boxes[:, [1, 3]])
    across = (boxes[:, 0, None] <= x[:-1]) & (x[1:] <= boxes[:, 2, None])
    down = (boxes[:, 1, None] <= y[:-1]) & (y[1:] <= boxes[:, 3, None])
    covered = (across[:, :, None] & down[:, None, :]).any(axis=0)
    return float((covered * np.diff(x)[:, None] * np.diff(y)).sum())


def _without_distractors(overlap: Float, distractor: Bool) -> Bool:
    """Which predictions [m] of a frame are not matched with a distractor [n]."""
    kept = np.ones(overlap.shape[1], bool)
    if distractor.any() and len(kept):
        pairs = assign(-overlap, feasible(overlap), bound=0.0)
        kept[pairs.cols[distractor[pairs.rows]]] = False
    return kept


def _by_frame(column: Int, frames: Int) -> Iterator[Int]:
    """Rows of each frame, in the order of the file."""
    order = np.argsort(column, kind="stable")
    starts = np.searchsorted(column[order], frames, side="left")
    ends = np.searchsorted(column[order], frames, side="right")
    return (order[start:end] for start, end in zip(starts, ends, strict=True))


def _relabel(ids: list[Int]) -> tuple[list[Int], Int]:
    """Ids of each frame as positions in the sorted labels, and the labels."""
    labels, positions = np.unique(np.concatenate([np.empty(0, np.int64), *ids]), return_inverse=True)
    return np.split(positions, np.cumsum([len(frame) for frame in ids])[:-1]) if ids else [], labels


def check_frames(gt: MotTable, pred: MotTable, length: int | None) -> None:
    """Refuse rows of frames that a sequence does not have."""
    for table in (gt, pred):
        _refuse(table, table.frames > (length or np.inf), "frame {0}, but the sequence has {length} frames", length)


def _check(gt: MotTable, pred: MotTable, rules: Rules) -> None:
    for table in (gt, pred):
        pairs = np.stack([table.frames, table.ids], axis=1)
        _, first, counts = np.unique(pairs, axis=0, return_index=True, return_counts=True)
        again = np.zeros(len(table), bool)
        again[first[counts > 1]] = True
        _refuse(table, again, "frame {0} has id {1} more than once")
    finite = np.isfinite(gt.boxes).all(axis=1)
    _refuse(gt, np.logical_not(finite), "frame {0}, id {1}: expected a finite box")
    # the benchmark would truncate it and ignore every box with a score below 1
    flag = "column 7 of ground truth says whether to evaluate the box, expected 1 or 0, got {score:g}"
    _refuse(gt, np.logical_not(np.isfinite(gt.scores) & (gt.scores == np.floor(gt.scores))), flag)
    if rules.benchmark in (None, "mot15"):
        return
    if len(gt) and gt.columns < 8:
        raise ValueError(f"{gt.path}: {gt.columns} columns, expected at least 8 (with a class) for {rules.benchmark}")
    known = np.isin(gt.classes, (UNKNOWN, *CLASSES))
    _refuse(gt, ~known, "class {2}, expected one of 1 to 13, or −1 for an object to evaluate")
    others = "class {2}, but only pedestrians (class 1 or −1) are evaluated; --classes all scores any class"
    _refuse(pred, pred.classes > PEDESTRIAN, others)


def _refuse(table: MotTable, bad: Bool, sentence: str, length: int | None = None) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        values = table.frames[row], table.ids[row], table.classes[row]
        text = sentence.format(*values, score=table.scores[row], length=length)
        raise ValueError(f"{table.path} {table.place(row)}: {text}")
