"""CLEAR MOT and identity metrics of a sequence: the benchmark's matching, counted by motmetrics.

motmetrics' own matching continues a pair for as long as both boxes overlap, even after a gap, while the benchmark
prefers the pairs of the previous frame and then maximises the sum of overlaps. So motmetrics' accumulator gets the
benchmark's pairs as the only possible ones. Two counts are defined otherwise in motmetrics and are computed here:
mostly tracked (strictly more than 80 %) and fragmentations.

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
from flatsort.tracker.metrics.preprocessing import THRESHOLD, ScoredSequence, feasible
from flatsort.tracker.types import Bool, Int, Matches

CONTINUATION_BONUS = 1000.0
"""Weight of a pair of the previous frame: more than any sum of overlaps."""

NO_PARTNER = -1


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts from which the metrics are computed; those of several sequences can be added.

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
        """The columns of the MOT16 table except HOTA's, in percent where the table has percent.

        A metric whose divisor is 0 is 0.
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
    """The prediction that is matched with each ground truth box: one row for each box, in the order of the frames.

    Attributes
    ----------
    frames, gt, pred : int64 [n]
        Frame; position in ``ScoredSequence.gt_labels``; position in ``ScoredSequence.pred_labels`` or −1 for a miss.
    switch : bool [n]
        Whether the prediction has another identity than at the previous match.
    """

    frames: Int
    gt: Int
    pred: Int
    switch: Bool


def clear(sequence: ScoredSequence) -> tuple[Counts, Timeline]:
    """Counts and timeline of a sequence."""
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
    results = count(matched, metrics=names, return_dataframe=False)
    identity = count(overlapping, metrics=["idtp", "idfp", "idfn"], return_dataframe=False)
    ratios = results["track_ratios"].to_numpy()
    timeline, events = _timeline(sequence, matched), matched.mot_events
    counts = Counts(
        frames=sequence.length,
        tp=int(results["num_detections"]),
        fp=int(results["num_false_positives"]),
        fn=int(results["num_misses"]),
        ids=int(results["num_switches"]),
        fm=_fragmentations(sequence, timeline),
        mt=int((ratios > 0.8).sum()),
        pt=int(((ratios >= 0.2) & (ratios <= 0.8)).sum()),
        ml=int((ratios < 0.2).sum()),
        **{name: int(value) for name, value in identity.items()},
        overlap=float((1 - events["D"][events["Type"].isin(("MATCH", "SWITCH"))]).sum()),
    )
    return counts, timeline


def _matches(sequence: ScoredSequence) -> Iterator[Matches]:
    """Match each frame: continue the pairs of the previous frame first, then maximise the sum of overlaps."""
    partner = np.full(len(sequence.gt_labels), NO_PARTNER)
    for gt, pred, similarity in zip(sequence.gt_ids, sequence.pred_ids, sequence.similarity, strict=True):
        continued = partner[gt][:, None] == pred
        pairs = assign(-(CONTINUATION_BONUS * continued + similarity), feasible(similarity), bound=0.0)
        if similarity.size:  # the benchmark skips frames without ground truth or without predictions
            partner[:] = NO_PARTNER
            partner[gt[pairs.rows]] = pred[pairs.cols]
        yield pairs


def _timeline(sequence: ScoredSequence, accumulator: motmetrics.MOTAccumulator) -> Timeline:
    events = accumulator.events
    events = events[events["Type"].isin(("MATCH", "SWITCH", "MISS"))]
    index = events.index.get_level_values("FrameId").to_numpy(np.int64)
    return Timeline(
        frames=sequence.frames[index],
        gt=events["OId"].to_numpy(np.int64),
        pred=events["HId"].fillna(NO_PARTNER).to_numpy(np.int64),
        switch=(events["Type"] == "SWITCH").to_numpy(),
    )


def _fragmentations(sequence: ScoredSequence, timeline: Timeline) -> int:
    """Number of times that a ground truth track is matched again after one or more frames without a match.

    As in the benchmark, frames in which the ground truth track itself is absent count, and frames without any
    prediction, or without any ground truth, do not.
    """
    scored = np.cumsum([overlap.size > 0 for overlap in sequence.similarity])
    covered = timeline.pred != NO_PARTNER
    gt, time = timeline.gt[covered], scored[np.searchsorted(sequence.frames, timeline.frames[covered])]
    order = np.lexsort((time, gt))
    return int(((np.diff(gt[order]) == 0) & (np.diff(time[order]) > 1)).sum())


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0
