"""CLEAR MOT and identity measures of one sequence: the benchmark's matching, counted by motmetrics.

motmetrics' own matching carries a pair on for as long as both overlap, however long ago it was last seen, while the
benchmark prefers the pairs of the previous frame and looks for the most overlap in sum. So motmetrics' accumulator gets
the benchmark's pairs as the only possible ones. Two of its counts have another definition than the benchmark's and are
made here: mostly tracked (strictly more than 80 %) and fragmentations.

References
----------
Bernardin and Stiefelhagen, Evaluating multiple object tracking performance: the CLEAR MOT metrics, 2008.
Ristani et al., Performance measures and a data set for multi-target, multi-camera tracking, 2016 (IDF1, IDP, IDR).
Li, Huang and Nevatia, Learning to associate, 2009 (MT, PT, ML, fragmentations).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import motmetrics
import numpy as np

from flatsort.tracker.association.assignment import assign
from flatsort.tracker.metrics.preprocessing import THRESHOLD, Sequence, feasible
from flatsort.tracker.types import Bool, Int, Matches

CONTINUED = 1000.0
"""What a pair of the previous frame is worth more than any sum of overlaps."""

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Counts:
    """What the measures are made of; counts of several sequences add up.

    Attributes
    ----------
    frames : int
    tp, fp, fn : int
        Matched pairs, predictions and ground truth boxes without a partner.
    ids, fm : int
        Identity switches; fragmentations, the interruptions of ground truth tracks.
    mt, pt, ml : int
        Ground truth tracks matched in more than 80 %, in between, in less than 20 % of their frames.
    idtp, idfp, idfn : int
        The same as tp, fp and fn when every track may have one partner for the whole sequence.
    overlap : float
        Sum of the IoU of the matched pairs.
    """

    frames: int = 0
    tp: int = 0
    fp: int = 0
    fn: int = 0
    ids: int = 0
    fm: int = 0
    mt: int = 0
    pt: int = 0
    ml: int = 0
    idtp: int = 0
    idfp: int = 0
    idfn: int = 0
    overlap: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def measures(self) -> dict[str, Any]:
        """Return the columns of the MOT16 table but for HOTA's; percent where the table has percent.

        A measure whose divisor is zero is 0.
        """
        boxes = self.tp + self.fn
        return {
            "idf1": _percent(2 * self.idtp, 2 * self.idtp + self.idfp + self.idfn),
            "idp": _percent(self.idtp, self.idtp + self.idfp),
            "idr": _percent(self.idtp, self.idtp + self.idfn),
            "recall": _percent(self.tp, boxes),
            "precision": _percent(self.tp, self.tp + self.fp),
            "far": _percent(self.fp, self.frames) / 100,
            "gt": self.mt + self.pt + self.ml,
            "mt": self.mt,
            "pt": self.pt,
            "ml": self.ml,
            "fp": self.fp,
            "fn": self.fn,
            "ids": self.ids,
            "fm": self.fm,
            "mota": _percent(self.tp - self.fp - self.ids, boxes),
            "motp": _percent(self.overlap, self.tp),
            "motal": _percent(self.tp - self.fp - math.log10(self.ids + 1), boxes),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Who covered whom: one row for each box of the ground truth, in the order of the frames.

    Attributes
    ----------
    frames, gt, pred : int64 [n]
        Frame, position in ``Sequence.gt_labels``, position in ``Sequence.pred_labels`` or −1 for a miss.
    switch : bool [n]
        The partner is another one than the last time.
    """

    frames: Int
    gt: Int
    pred: Int
    switch: Bool


def clear(sequence: Sequence) -> tuple[Counts, Timeline]:
    """Count matches, errors, switches and identities of a sequence."""
    matched, overlapping = motmetrics.MOTAccumulator(), motmetrics.MOTAccumulator()
    for t, pairs in enumerate(_matches(sequence)):
        gt, pred, similarity = sequence.gt_ids[t], sequence.pred_ids[t], sequence.similarity[t]
        distance = np.full(similarity.shape, np.nan)
        distance[pairs.rows, pairs.cols] = 1 - similarity[pairs.rows, pairs.cols]
        matched.update(gt, pred, distance, frameid=t)
        distance = np.where(similarity >= THRESHOLD, 1 - similarity, np.nan)
        overlapping.update(gt, pred, distance, frameid=t)
    count = motmetrics.metrics.create().compute
    names = ["num_detections", "num_false_positives", "num_misses", "num_switches", "track_ratios"]
    found = count(matched, metrics=names, return_dataframe=False)
    identity = count(overlapping, metrics=["idtp", "idfp", "idfn"], return_dataframe=False)
    ratios = found["track_ratios"].to_numpy()
    timeline, events = _timeline(sequence, matched), matched.mot_events
    counts = Counts(
        frames=sequence.length,
        tp=int(found["num_detections"]),
        fp=int(found["num_false_positives"]),
        fn=int(found["num_misses"]),
        ids=int(found["num_switches"]),
        fm=_fragmentations(sequence, timeline),
        mt=int((ratios > 0.8).sum()),
        pt=int(((ratios >= 0.2) & (ratios <= 0.8)).sum()),
        ml=int((ratios < 0.2).sum()),
        **{name: int(value) for name, value in identity.items()},
        overlap=float((1 - events["D"][events["Type"].isin(("MATCH", "SWITCH"))]).sum()),
    )
    return counts, timeline


def _matches(sequence: Sequence) -> Iterator[Matches]:
    """Match each frame: continue the pairs of the previous frame first, then take the most overlap in sum."""
    partner = np.full(len(sequence.gt_labels), NOBODY)
    for gt, pred, similarity in zip(sequence.gt_ids, sequence.pred_ids, sequence.similarity, strict=True):
        continued = partner[gt][:, None] == pred
        pairs = assign(-(CONTINUED * continued + similarity), feasible(similarity), bound=0.0)
        if similarity.size:  # the benchmark passes over frames in which there is nothing to match
            partner[:] = NOBODY
            partner[gt[pairs.rows]] = pred[pairs.cols]
        yield pairs


def _timeline(sequence: Sequence, accumulator: motmetrics.MOTAccumulator) -> Timeline:
    events = accumulator.events
    events = events[events["Type"].isin(("MATCH", "SWITCH", "MISS"))]
    index = events.index.get_level_values("FrameId").to_numpy(np.int64)
    return Timeline(
        frames=sequence.frames[index],
        gt=events["OId"].to_numpy(np.int64),
        pred=events["HId"].fillna(NOBODY).to_numpy(np.int64),
        switch=(events["Type"] == "SWITCH").to_numpy(),
    )


def _fragmentations(sequence: Sequence, timeline: Timeline) -> int:
    """Count how often a ground truth track is taken up again after one or more frames without a match.

    As in the benchmark, an absence of the ground truth itself interrupts, and a frame without any prediction, or
    without any ground truth, does not.
    """
    scored = np.cumsum([overlap.size > 0 for overlap in sequence.similarity])
    covered = timeline.pred != NOBODY
    gt, time = timeline.gt[covered], scored[np.searchsorted(sequence.frames, timeline.frames[covered])]
    order = np.lexsort((time, gt))
    return int(((np.diff(gt[order]) == 0) & (np.diff(time[order]) > 1)).sum())


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0
