"""Why each pair of a track and a detection was, or was not, matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flatsort.tracker.association.problem import AssociationProblem
from flatsort.tracker.association.stages import StageTrace
from flatsort.tracker.types import Int


@dataclass(frozen=True, slots=True)
class ExplainedPair:
    """A pair of a track and a detection in one stage, and why it was or was not matched.

    Attributes
    ----------
    frame : int
    stage : str
        Name of the stage; "" where the pair took part in no stage.
    track : int
        Id of the track, 0 while it is unconfirmed.
    serial : int
        Number of the track in order of birth; identifies it before it has an id.
    detection : int
        Row of the detection in the input.
    cost, threshold : float
        The stage's cost of the pair and its threshold; 0 where the pair took part in no stage.
    matched : bool
    reason : str
        "matched", or what prevented it.
    iou : float
        IoU of the track's predicted box and the detection, whichever cost the stage uses.
    latent : float or None
        Distance of their latents in units of the appearance threshold, whichever cost the stage uses; None where the
        detections have no latents.
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
    pairs: Sequence[ExplainedPair]

    def of_track(self, track: int) -> list[ExplainedPair]:
        """The pairs of the track with this id."""
        return [p for p in self.pairs if p.track == track]


def explain(
    frame: int,
    problem: AssociationProblem,
    traces: Sequence[StageTrace],
    serials: Int,
    ids: Mapping[int, int],
    inputs: Int,
) -> Explanation:
    """The pairs of a frame with their reasons.

    Parameters
    ----------
    frame : int
    problem : AssociationProblem
    traces : sequence of StageTrace
        Input and outcome of each stage of this frame.
    serials : int64 [t]
        Serial of each track of ``problem``.
    ids : mapping
        Serial → id of the track.
    inputs : int64 [n]
        Input row of each detection of ``problem``.
    """
    pairs = []
    considered = np.zeros((len(problem.boxes), len(problem.detections)), bool)

    def add(stage: str, row: int, col: int, cost: float, threshold: float, reason: str) -> None:
        serial = int(serials[row])
        track, detection = ids.get(serial, 0), int(inputs[col])
        latent = None if problem.latent_distance is None else float(problem.latent_distance[row, col])
        overlap, matched = float(problem.iou[row, col]), reason == "matched"
        pairs.append(
            ExplainedPair(frame, stage, track, serial, detection, cost, threshold, matched, reason, overlap, latent)
        )

    for trace in traces:
        considered[np.ix_(trace.rows, trace.cols)] = True
        partner_of_row, partner_of_col = _partners(trace)
        for i, row in enumerate(trace.rows.tolist()):
            for j, col in enumerate(trace.cols.tolist()):
                if partner_of_row.get(i) == j:
                    reason = "matched"
                else:
                    reason = _refusal(trace, i, j) or _competition(
                        partner_of_row.get(i), partner_of_col.get(j), trace, inputs, serials, ids
                    )
                add(trace.name, row, col, float(trace.cost[i, j]), trace.config.threshold, reason)
    for row, col in np.argwhere(~considered).tolist():
        add("", row, col, 0.0, 0.0, _no_stage(row, col, traces))
    return Explanation(frame, pairs)


def _partners(trace: StageTrace) -> tuple[dict[int, int], dict[int, int]]:
    pairs = list(trace.matches)
    return dict(pairs), {j: i for i, j in pairs}


def _refusal(trace: StageTrace, i: int, j: int) -> str:
    for gate, (values, threshold) in trace.gates.items():
        if values[i, j] > threshold:
            return f"gate {gate}: {values[i, j]:.3g} above {threshold:.3g}"
    if trace.cost[i, j] > trace.config.threshold:
        return f"cost {trace.cost[i, j]:.3f} above threshold {trace.config.threshold:.3f}"
    return ""


def _competition(
    j: int | None, i: int | None, trace: StageTrace, inputs: Int, serials: Int, ids: Mapping[int, int]
) -> str:
    """Why a pair within all thresholds was not matched: the partners that its track and its detection got instead."""
    reasons = []
    if j is not None:
        reasons.append(f"the track took detection {inputs[trace.cols[j]]}")
    if i is not None:
        serial = int(serials[trace.rows[i]])
        name = f"track {ids[serial]}" if ids.get(serial) else f"unconfirmed track #{serial}"
        reasons.append(f"the detection went to {name}")
    return " and ".join(reasons) or "left out by the assignment"


def _no_stage(row: int, col: int, traces: Sequence[StageTrace]) -> str:
    for trace in traces:
        if row in trace.rows[trace.matches.rows]:
            return f"the track was matched in stage {trace.name}"
        if col in trace.cols[trace.matches.cols]:
            return f"the detection was matched in stage {trace.name}"
    return "no stage takes both this track and this detection"
