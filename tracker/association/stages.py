"""Association stages: which tracks and detections take part in each, at which cost, with which gates and threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flatsort.tracker.association.assignment import assign, matches, one_to_one, sorted_pairs
from flatsort.tracker.association.costs import COSTS, GATES, LATENTS
from flatsort.tracker.association.problem import AssociationProblem
from flatsort.tracker.types import Bool, Float, Int, Matches

TRACK_KINDS = ("all", "confirmed", "tentative")


@dataclass(frozen=True)
class StageConfig:
    """One association stage: which tracks may be matched with which detections, and at which cost."""

    cost: str = "iou"
    """Registered name of the cost: iou, score_iou, latent or blend; see `tracker.association.costs`."""
    threshold: float = 0.7
    """Pairs of a higher cost are not matched."""
    assignment_threshold: float | None = None
    """Pairs up to this cost take part in the assignment; those above ``threshold`` are dropped after it. None: only
    pairs up to ``threshold`` take part. In SORT every overlapping pair takes part (1.0)."""
    gates: tuple[str, ...] = ()
    """Registered names of the gates: mahalanobis, same_class."""
    tracks: str = "all"
    """Tracks that take part: all, confirmed or tentative ones."""
    max_missed: int | None = None
    """Only tracks without a match for at most this many frames, counting this one; None: any."""
    min_missed: int | None = None
    """Only tracks without a match for at least this many frames, counting this one; None: any."""
    weight: float = 0.5
    """Share of the latent distance in the cost ``blend``, 0..1."""
    min_score: float | None = None
    """Only detections of at least this score; None: any."""
    max_score: float | None = None
    """Only detections below this score; None: any."""
    cascade: bool = False
    """Match tracks in the order of their missed frames, the latest matched first (DeepSORT's matching cascade)."""

    def __post_init__(self) -> None:
        COSTS.get(self.cost)  # an unknown name is an error here, not at the first frame
        for gate in self.gates:
            GATES.get(gate)
        if not 0 <= self.weight <= 1:
            raise ValueError(f"stage weight: expected a share from 0 to 1, got {self.weight}")
        if self.min_missed is not None and self.max_missed is not None and self.min_missed > self.max_missed:
            raise ValueError(f"stage min_missed: expected at most max_missed {self.max_missed}, got {self.min_missed}")
        if self.tracks not in TRACK_KINDS:
            raise ValueError(f"stage tracks: expected one of {', '.join(TRACK_KINDS)}, got {self.tracks!r}")
        for key in ("threshold", "min_score", "max_score"):
            if not math.isfinite(getattr(self, key) or 0.0):
                raise ValueError(f"stage {key}: expected a finite number, got {getattr(self, key)}")
        if self.assignment_threshold is not None and not self.threshold <= self.assignment_threshold < math.inf:
            raise ValueError(
                f"stage assignment_threshold: expected a finite number of at least threshold {self.threshold}, "
                f"got {self.assignment_threshold}"
            )

    @property
    def uses_latents(self) -> bool:
        """Whether the cost compares latents."""
        return self.cost in COSTS.names(LATENTS)


@dataclass(slots=True, eq=False)
class StageTrace:
    """The input and the outcome of one stage in one frame, kept for explanations.

    Attributes
    ----------
    name : str
    config : StageConfig
    rows, cols : int64
        Indices of the tracks and of the detections that took part.
    cost : [rows cols]
    gates : dict
        Name → (values [rows cols], threshold).
    matches : Matches
        Indices into ``rows`` and ``cols``.
    """

    name: str
    config: StageConfig
    rows: Int
    cols: Int
    cost: Float
    gates: Mapping[str, tuple[Float, float]]
    matches: Matches


def associate(stages: Mapping[str, StageConfig], problem: AssociationProblem) -> tuple[Matches, list[StageTrace]]:
    """Match tracks with detections: the stages in order, each with the tracks and detections that are still free.

    Returns
    -------
    Matches
        Rows are tracks, columns are detections.
    list of StageTrace
        One for each stage that had both tracks and detections.
    """
    t, n = len(problem.boxes), len(problem.detections)
    rows_left, cols_left = np.arange(t), np.arange(n)
    pairs: list[tuple[Int, Int]] = []
    traces = []
    for name, stage in stages.items():
        rows = _select_tracks(stage, problem, rows_left)
        cols = _select_detections(stage, problem.detections.scores, cols_left)
        if not len(rows) or not len(cols):
            continue
        trace = _run_stage(name, stage, problem, rows, cols)
        traces.append(trace)
        if len(rows) == t and len(cols) == n and len(stages) == 1:
            return trace.matches, traces
        pairs.append((rows[trace.matches.rows], cols[trace.matches.cols]))
        so_far = matches(*sorted_pairs(pairs), t, n)
        rows_left, cols_left = so_far.free_rows, so_far.free_cols
    return Matches(*sorted_pairs(pairs), rows_left, cols_left), traces


def _select_tracks(stage: StageConfig, problem: AssociationProblem, rows: Int) -> Int:
    if stage.tracks != "all":
        rows = rows[problem.confirmed[rows] == (stage.tracks == "confirmed")]
    if stage.min_missed is not None:
        rows = rows[problem.missed[rows] >= stage.min_missed]
    return rows if stage.max_missed is None else rows[problem.missed[rows] <= stage.max_missed]


def _select_detections(stage: StageConfig, scores: Float, cols: Int) -> Int:
    if stage.min_score is not None:
        cols = cols[scores[cols] >= stage.min_score]
    return cols if stage.max_score is None else cols[scores[cols] < stage.max_score]


def _run_stage(name: str, stage: StageConfig, problem: AssociationProblem, rows: Int, cols: Int) -> StageTrace:
    all_take_part = len(rows) == len(problem.boxes) and len(cols) == len(problem.detections)
    pairs = ... if all_take_part else np.ix_(rows, cols)
    cost = COSTS.get(stage.cost)(problem, stage.weight)[pairs]
    gates = {}
    allowed: Bool | None = None
    for gate in stage.gates:
        values, threshold = GATES.get(gate)(problem)
        gates[gate] = values[pairs], threshold
        passes = gates[gate][0] <= threshold
        allowed = passes if allowed is None else allowed & passes
    if stage.cascade:
        result = _cascade(stage, cost, allowed, problem.missed[rows])
    else:
        result = _match(stage, cost, allowed)
    return StageTrace(name, stage, rows, cols, cost, gates, result)


def _match(stage: StageConfig, cost: Float, allowed: Bool | None) -> Matches:
    within = cost <= stage.threshold
    if allowed is not None:
        within &= allowed
    rows, cols = within.nonzero()
    if one_to_one(rows, cols):  # no two pairs compete for a track or a detection
        return matches(rows, cols, *cost.shape)
    if stage.assignment_threshold is None:
        return assign(cost, within, bound=float(np.nextafter(stage.threshold, np.inf)))
    assigned = assign(
        cost, cost < stage.assignment_threshold if allowed is None else allowed, bound=stage.assignment_threshold
    )
    kept = within[assigned.rows, assigned.cols]
    return assigned if kept.all() else matches(assigned.rows[kept], assigned.cols[kept], *cost.shape)


def _cascade(stage: StageConfig, cost: Float, allowed: Bool | None, missed: Int) -> Matches:
    pairs = []
    free = np.arange(cost.shape[1])
    for age in np.unique(missed):
        rows = (missed == age).nonzero()[0]
        block = np.ix_(rows, free)
        matched = _match(stage, cost[block], None if allowed is None else allowed[block])
        pairs.append((rows[matched.rows], free[matched.cols]))
        free = free[matched.free_cols]
    return matches(*sorted_pairs(pairs), *cost.shape)
