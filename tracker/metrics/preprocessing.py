"""The benchmark's preprocessing: which ground truth and predictions of a sequence are compared.

References
----------
Milan et al., MOT16: A benchmark for multi-object tracking, 2016, section 4.1; in the form of TrackEval's
``MotChallenge2DBox``, which the benchmark's server runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from flatsort.tracker.association.assignment import assign
from flatsort.tracker.boxes import iou, valid
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.types import Bool, Float, Int

Benchmark = Literal["mot15", "mot16", "mot17", "mot20"]

THRESHOLD = 0.5
"""Minimum IoU of a match; rounding errors are tolerated, see `feasible`."""

PEDESTRIAN = 1
UNKNOWN = -1
CLASSES = range(1, 14)
DISTRACTORS = {"mot16": (2, 7, 8, 12), "mot17": (2, 7, 8, 12), "mot20": (2, 6, 7, 8, 12)}
"""Person on vehicle, static person, distractor, reflection; for MOT20 vehicle without motor as well."""


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


def benchmark_of(gt: MotTable, name: str = "") -> Benchmark:
    """Recognise the benchmark by the columns of its ground truth: MOT15 without classes, MOT17 with them.

    MOT20 has the columns of MOT17 and is recognised by the name of the sequence (``MOT20-01``).
    """
    if gt.columns not in (8, 9):
        return "mot15"
    return "mot20" if name.upper().startswith("MOT20") else "mot17"


def prepare(
    name: str, gt: MotTable, pred: MotTable, benchmark: Benchmark | None = None, length: int | None = None
) -> ScoredSequence:
    """Select the ground truth and predictions that the benchmark compares.

    MOT15: every ground truth box whose flag (column 7) is not 0. MOT16, 17 and 20: predictions are matched with all
    ground truth boxes (maximum sum of overlaps, IoU ≥ 0.5); those matched with a distractor are removed, then all
    ground truth except pedestrians (class 1 or −1) whose flag is not 0.

    Parameters
    ----------
    name : str
        Name of the sequence.
    gt, pred : MotTable
    benchmark : optional
        By default that of `benchmark_of`.
    length : int, optional
        Number of frames; by default the last frame of either table.

    Raises
    ------
    ValueError
        If an id occurs twice in a frame, a frame lies beyond ``length``, a ground truth box is not finite, its flag
        (column 7) is no whole number but a score as in results, or a class is none of the benchmark's.
    """
    benchmark = benchmark or benchmark_of(gt, name)
    _check(gt, pred, benchmark, length)
    frames = np.union1d(gt.frames, pred.frames)
    usable = valid(pred.boxes)
    pred_boxes = np.where(usable[:, None], pred.boxes, 0.0)
    evaluated, distractor = _roles(gt, benchmark)
    kept_gt, kept_pred, similarity = [], [], []
    for g, p in zip(_by_frame(gt.frames, frames), _by_frame(pred.frames, frames), strict=True):
        overlap = iou(gt.boxes[g], pred_boxes[p])
        rows, cols = evaluated[g], _without_distractors(overlap, distractor[g])
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
        unusable=int((~usable).sum()),
        ignored=int((~evaluated).sum()),
    )


def _roles(gt: MotTable, benchmark: Benchmark) -> tuple[Bool, Bool]:
    """Which ground truth boxes [n] are evaluated, and which are distractors."""
    considered = gt.scores != 0
    if benchmark == "mot15":
        return considered, np.zeros(len(gt), bool)
    return considered & np.isin(gt.classes, (PEDESTRIAN, UNKNOWN)), np.isin(gt.classes, DISTRACTORS[benchmark])


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


def _check(gt: MotTable, pred: MotTable, benchmark: Benchmark, length: int | None) -> None:
    for table in (gt, pred):
        _refuse(table, table.frames > (length or np.inf), "frame {0}, but the sequence has {length} frames", length)
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
    if benchmark == "mot15":
        return
    if len(gt) and gt.columns < 8:
        raise ValueError(f"{gt.path}: {gt.columns} columns, expected at least 8 (with a class) for {benchmark}")
    known = np.isin(gt.classes, (UNKNOWN, *CLASSES))
    _refuse(gt, ~known, "class {2}, expected one of 1 to 13, or −1 for an object to evaluate")
    _refuse(pred, pred.classes > PEDESTRIAN, "class {2}, but only pedestrians (class 1 or −1) are evaluated")


def _refuse(table: MotTable, bad: Bool, sentence: str, length: int | None = None) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        values = table.frames[row], table.ids[row], table.classes[row]
        text = sentence.format(*values, score=table.scores[row], length=length)
        raise ValueError(f"{table.path} {table.place(row)}: {text}")
