"""Counts of each frame of which scores are sums, so that scores of resampled frames need no new matching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from flatsort.tracker.association.assignment import assign
from flatsort.tracker.metrics import SequenceResult
from flatsort.tracker.metrics.preprocessing import THRESHOLD, ScoredSequence
from flatsort.tracker.types import Float, Int

METRICS = ("idf1", "hota", "assa", "mota", "ids")
"""Fields of `tracker.metrics.Scores` that `scores_of_totals` computes."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameCounts:
    """Counts of f frames.

    Attributes
    ----------
    sums : float64 [f 4]
        Ground truth boxes, predicted boxes, matches, identity switches.
    gt, pred : int64 [p]
        Identities of each pair that overlaps in any frame.
    overlaps : sparse [f p]
        1 where the pair overlaps enough to be the same identity.
    matched : sparse [f p·a]
        1 where HOTA matches the pair at a threshold, for each of the a thresholds.
    gt_present, pred_present : sparse [f n], [f m]
        1 where the identity has a box.
    thresholds : int
        HOTA's number a of thresholds.
    """

    sums: Float
    gt: Int
    pred: Int
    overlaps: csr_array
    matched: csr_array
    gt_present: csr_array
    pred_present: csr_array
    thresholds: int

    def totals(self, weights: Float) -> Float:
        """Sums over frames that are sampled ``weights`` [m f] times: [m 5 + 2·a]; sums of several sequences add up.

        Columns: identity matches, ground truth boxes, predicted boxes, matches, switches; then HOTA's matches at each
        threshold, and the sums of their association scores.
        """
        gt_count, pred_count = _sum(weights, self.gt_present), _sum(weights, self.pred_present)
        matched = _sum(weights, self.matched).reshape(len(weights), len(self.gt), self.thresholds)
        either = (gt_count[:, self.gt] + pred_count[:, self.pred])[:, :, None] - matched
        association = (matched**2 / np.maximum(either, 1.0)).sum(axis=1)
        identities = self._identities(_sum(weights, self.overlaps), gt_count.shape[1], pred_count.shape[1])
        return np.concatenate([identities[:, None], weights @ self.sums, matched.sum(axis=1), association], axis=1)

    def _identities(self, overlaps: Float, n: int, m: int) -> Float:
        """Identity matches [m] of the assignment with the most of them, each identity having one partner."""
        counts = np.zeros((n, m))
        matches = np.empty(len(overlaps))
        for i, row in enumerate(overlaps):
            counts[self.gt, self.pred] = row
            pairs = assign(-counts, counts > 0, bound=0.0)
            matches[i] = counts[pairs.rows, pairs.cols].sum()
        return matches


def count_frames(result: SequenceResult, sequence: ScoredSequence, length: int, first: int = 1) -> FrameCounts:
    """Counts of ``length`` frames from frame ``first`` on.

    Parameters
    ----------
    result : SequenceResult
        Its timeline has the matches and switches.
    sequence : ScoredSequence
        What ``result`` was computed from.
    length : int
        Number of frames, at least up to the last one that has boxes.
    first : int
        The first frame.
    """
    alphas = result.hota.alphas
    n, m = len(sequence.gt_labels), len(sequence.pred_labels)
    frame, gt, pred, similarity, matched = _pairs(sequence, first)
    pairs, pair = np.unique(gt * max(m, 1) + pred, return_inverse=True)
    same = similarity >= THRESHOLD
    # as in HOTA's own code, rounding errors below a threshold are allowed
    row, step = np.nonzero(matched[:, None] & (similarity[:, None] >= alphas - np.finfo(np.float64).eps))
    timeline = result.timeline
    boxes = np.repeat(sequence.frames, [len(ids) for ids in sequence.gt_ids]) - first
    predictions = np.repeat(sequence.frames, [len(ids) for ids in sequence.pred_ids]) - first
    events = boxes, predictions, timeline.frames[timeline.pred >= 0] - first, timeline.frames[timeline.switch] - first
    return FrameCounts(
        sums=np.stack([np.bincount(at, minlength=length) for at in events], axis=1).astype(np.float64),
        gt=pairs // max(m, 1),
        pred=pairs % max(m, 1),
        overlaps=_ones(frame[same], pair[same], length, len(pairs)),
        matched=_ones(frame[row], pair[row] * len(alphas) + step, length, len(pairs) * len(alphas)),
        gt_present=_ones(boxes, np.concatenate([np.empty(0, np.int64), *sequence.gt_ids]), length, n),
        pred_present=_ones(predictions, np.concatenate([np.empty(0, np.int64), *sequence.pred_ids]), length, m),
        thresholds=len(alphas),
    )


def scores_of_totals(totals: Float) -> dict[str, Float]:
    """Each of `METRICS` [m] from totals [m 5 + 2·a]; in percent, except for the number of switches."""
    idtp, boxes, predictions, tp, switches = totals[:, :5].T
    matched, association = np.split(totals[:, 5:], 2, axis=1)
    either = boxes[:, None] + predictions[:, None] - matched
    assa = association / np.maximum(matched, 1.0)
    deta = matched / np.maximum(either, 1.0)
    return {
        "idf1": 200 * idtp / np.maximum(boxes + predictions, 1.0),
        "hota": 100 * np.sqrt(deta * assa).mean(axis=1),
        "assa": 100 * assa.mean(axis=1),
        "mota": 100 * np.where(boxes > 0, 2 * tp - predictions - switches, 0.0) / np.maximum(boxes, 1.0),
        "ids": switches,
    }


def _pairs(sequence: ScoredSequence, first: int) -> tuple[Int, Int, Int, Float, Int]:
    """All overlapping pairs: frame after ``first``, identities, IoU, and whether HOTA's assignment matches them."""
    alignment = _alignment(sequence)
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, bool))]
    for number, gt, pred, overlap in zip(
        sequence.frames, sequence.gt_ids, sequence.pred_ids, sequence.similarity, strict=True
    ):
        score = alignment[np.ix_(gt, pred)] * overlap
        pairs = assign(-score, np.ones(score.shape, bool))
        matched = np.zeros(score.shape, bool)
        matched[pairs.rows, pairs.cols] = True
        rows, cols = np.nonzero(overlap)
        frame = np.full(len(rows), number - first)
        parts.append((frame, gt[rows], pred[cols], overlap[rows, cols], matched[rows, cols]))
    frame, gt, pred, similarity, is_matched = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return frame, gt, pred, similarity, is_matched


def _alignment(sequence: ScoredSequence) -> Float:
    """Similarity of identities over the whole sequence [n m], the weights of HOTA's assignment."""
    n, m = len(sequence.gt_labels), len(sequence.pred_labels)
    together, gt_count, pred_count = np.zeros((n, m)), np.zeros((n, 1)), np.zeros(m)
    for gt, pred, overlap in zip(sequence.gt_ids, sequence.pred_ids, sequence.similarity, strict=True):
        either = overlap.sum(axis=0)[None] + overlap.sum(axis=1)[:, None] - overlap
        share = np.divide(overlap, either, out=np.zeros_like(overlap), where=either > np.finfo(np.float64).eps)
        together[np.ix_(gt, pred)] += share
        gt_count[gt] += 1
        pred_count[pred] += 1
    aligned: Float = together / (gt_count + pred_count - together)
    return aligned


def _ones(rows: Int, cols: Int, height: int, width: int) -> csr_array:
    return csr_array((np.ones(len(rows)), (rows, cols)), shape=(height, width))


def _sum(weights: Float, counts: csr_array) -> Float:
    total: Float = np.asarray((counts.T @ weights.T).T)
    return total
