"""HOTA of a sequence and of several sequences, computed by trackeval.

References
----------
Luiten et al., HOTA: a higher order metric for evaluating multi-object tracking, IJCV 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import trackeval

from flatsort.tracker.metrics.preprocessing import ScoredSequence
from flatsort.tracker.types import Float


@dataclass(frozen=True, slots=True, eq=False)
class Hota:
    """HOTA over the localisation threshold α.

    Attributes
    ----------
    alphas : float64 [19]
        0.05 to 0.95.
    fields : mapping
        trackeval's results, each [19] in 0..1: ``HOTA``, ``DetA``, ``AssA``, ``LocA`` and the counts behind them.
    """

    alphas: Float
    fields: Mapping[str, Any]

    def curve(self, name: str) -> Float:
        """Percent [19] of ``HOTA``, ``DetA``, ``AssA`` or ``LocA``."""
        percent: Float = 100 * self.fields[name]
        return percent

    def measures(self) -> dict[str, Any]:
        """HOTA, DetA, AssA and LocA in percent, averaged over α."""
        return {name.lower(): float(self.curve(name).mean()) for name in ("HOTA", "DetA", "AssA", "LocA")}


def hota(sequence: ScoredSequence) -> Hota:
    """HOTA of a sequence; without any match all values are 0 except LocA, which is 100 by trackeval's convention."""
    metric = trackeval.metrics.HOTA()
    data = {
        "gt_ids": sequence.gt_ids,
        "tracker_ids": sequence.pred_ids,
        "similarity_scores": sequence.similarity,
        "num_gt_ids": len(sequence.gt_labels),
        "num_tracker_ids": len(sequence.pred_labels),
        "num_gt_dets": sequence.gt_boxes,
        "num_tracker_dets": sequence.pred_boxes,
    }
    return Hota(metric.array_labels, metric.eval_sequence(data))


def pooled(results: Mapping[str, Hota]) -> Hota:
    """HOTA of several sequences (name → result), from the sums of their counts, not the mean of their scores."""
    metric = trackeval.metrics.HOTA()
    return Hota(metric.array_labels, metric.combine_sequences({name: r.fields for name, r in results.items()}))
