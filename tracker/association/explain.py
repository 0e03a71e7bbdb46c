"""Why each pair of a track and a detection was, or was not, matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flatsort.tracker.association.problem import Problem
from flatsort.tracker.association.stages import Trace
from flatsort.tracker.types import Int


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair in one stage.

    Attributes
    ----------
    frame : int
    stage : str
        Name of the stage; "" where no stage looked at the pair.
    track : int
        Id of the track, 0 while it is unconfirmed.
    serial : int
        Number of the track in order of birth: names it before it has an id.
    detection : int
        Row of the detection in the input.
    cost, threshold : float
        The stage's cost of the pair and the highest it accepts; NaN-free: 0 where no stage looked.
    matched : bool
    reason : str
        "matched", or what stood against it.
    iou : float
        Overlap of the track's predicted box and the detection, whatever the cost.
    latent : float or None
        Distance of their latents in units of the appearance threshold, whatever the cost; None where the detections
        bring no latents.
    """

    frame: int
    stage: str
    track: int
    serial: int
    detection: int
    cost: float
    threshold: float
    matched: bool
    reason: str
    iou: float = 0.0
    latent: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All pairs of a frame, stage by stage."""

    frame: int
    pairs: Sequence[Pair]

    def of_track(self, track: int) -> list[Pair]:
        """The pairs of the track with this id."""
        return [p for p in self.pairs if p.track == track]


def explain(
    frame: int, problem: Problem, traces: Sequence[Trace], serials: Int, ids: Mapping[int, int], inputs: Int
) -> Explanation:
    """The pairs of a frame with their reasons.

    Parameters
    ----------
    frame : int
    problem : Problem
    traces : sequence of Trace
        What the stages of this frame decided.
    serials : int64 [t]
        Serial of each track of ``problem``.
    ids : mapping
        Serial → id, of the tracks that still live.
    inputs : int64 [n]
        Input row of each detection of ``problem``.
    """
    pairs = []
    seen = np.zeros((len(problem.boxes), len(problem.detections)), bool)

    def add(stage: str, row: int, col: int, cost: float, threshold: float, reason: str) -> None:
        serial = int(serials[row])
        track, detection = ids.get(serial, 0), int(inputs[col])
        latent = None if problem.latent_distance is None else float(problem.latent_distance[row, col])
        overlap, matched = float(problem.iou[row, col]), reason == "matched"
        pairs.append(Pair(frame, stage, track, serial, detection, cost, threshold, matched, reason, overlap, latent))

    for trace in traces:
        seen[np.ix_(trace.rows, trace.cols)] = True
        partner_of_row, partner_of_col = _partners(trace)
        for i, row in enumerate(trace.rows.tolist()):
            for j, col in enumerate(trace.cols.tolist()):
                if partner_of_row.get(i) == j:
                    reason = "matched"
                else:
                    reason = _refusal(trace, i, j) or _contest(
                        partner_of_row.get(i), partner_of_col.get(j), trace, inputs, serials, ids
                    )
                add(trace.name, row, col, float(trace.cost[i, j]), trace.config.threshold, reason)
    for row, col in np.argwhere(~seen).tolist():
        add("", row, col, 0.0, 0.0, _unseen(row, col, traces))
    return Explanation(frame, pairs)


def _partners(trace: Trace) -> tuple[dict[int, int], dict[int, int]]:
    pairs = list(trace.matches)
    return dict(pairs), {j: i for i, j in pairs}


def _refusal(trace: Trace, i: int, j: int) -> str:
    for gate, (values, threshold) in trace.gates.items():
        if values[i, j] > threshold:
            return f"gate {gate}: {values[i, j]:.3g} above {threshold:.3g}"
    if trace.cost[i, j] > trace.config.threshold:
        return f"cost {trace.cost[i, j]:.3f} above threshold {trace.config.threshold:.3f}"
    return ""


def _contest(j: int | None, i: int | None, trace: Trace, inputs: Int, serials: Int, ids: Mapping[int, int]) -> str:
    """What a pair within its thresholds lost to: the partners that its track and its detection took instead."""
    lost = []
    if j is not None:
        lost.append(f"the track took detection {inputs[trace.cols[j]]}")
    if i is not None:
        serial = int(serials[trace.rows[i]])
        name = f"track {ids[serial]}" if ids.get(serial) else f"unconfirmed track #{serial}"
        lost.append(f"the detection went to {name}")
    return " and ".join(lost) or "left out by the assignment"


def _unseen(row: int, col: int, traces: Sequence[Trace]) -> str:
    for trace in traces:
        if row in trace.rows[trace.matches.rows]:
            return f"the track was matched in stage {trace.name}"
        if col in trace.cols[trace.matches.cols]:
            return f"the detection was matched in stage {trace.name}"
    return "no stage takes both this track and this detection"
