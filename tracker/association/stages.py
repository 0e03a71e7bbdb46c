"""Association as data: a tracker is a sequence of stages, each with tracks, detections, cost, gates and threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flatsort.tracker.association.assignment import assign, matches, one_to_one, sorted_pairs
from flatsort.tracker.association.costs import COSTS
from flatsort.tracker.association.gates import GATES
from flatsort.tracker.association.problem import Problem
from flatsort.tracker.registry import suggest
from flatsort.tracker.types import Bool, Float, Int, Matches

WHICH = ("all", "confirmed", "tentative")


@dataclass(frozen=True)
class StageConfig:
    """One stage: what may be paired with what, at which cost."""

    cost: str = "iou"
    """Name in `costs`."""
    threshold: float = 0.7
    """Pairs of a higher cost are refused."""
    assignment_threshold: float | None = None
    """Pairs up to this cost take part in the assignment, though those above ``threshold`` are refused after it; None:
    those up to ``threshold`` only. In SORT every overlapping pair takes part (1.0)."""
    gates: tuple[str, ...] = ()
    """Names in `gates`."""
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
    """Serve tracks in the order of their misses, the latest seen first (DeepSORT's matching cascade)."""

    def __post_init__(self) -> None:
        if self.cost not in COSTS:
            raise ValueError(f"unknown cost {self.cost!r}{suggest(self.cost, COSTS)}")
        for gate in self.gates:
            if gate not in GATES:
                raise ValueError(f"unknown gate {gate!r}{suggest(gate, GATES)}")
        if not 0 <= self.weight <= 1:
            raise ValueError(f"stage weight: expected a share from 0 to 1, got {self.weight}")
        if self.min_missed is not None and self.max_missed is not None and self.min_missed > self.max_missed:
            raise ValueError(f"stage min_missed: expected at most max_missed {self.max_missed}, got {self.min_missed}")
        if self.tracks not in WHICH:
            raise ValueError(f"stage tracks: expected one of {', '.join(WHICH)}, got {self.tracks!r}")
        for key in ("threshold", "min_score", "max_score"):
            if not math.isfinite(getattr(self, key) or 0.0):
                raise ValueError(f"stage {key}: expected a finite number, got {getattr(self, key)}")
        if self.assignment_threshold is not None and not self.threshold <= self.assignment_threshold < math.inf:
            raise ValueError(
                f"stage assignment_threshold: expected a finite number of at least threshold {self.threshold}, "
                f"got {self.assignment_threshold}"
            )


@dataclass(slots=True, eq=False)
class Trace:
    """What a stage looked at and decided, kept for explanations.

    Attributes
    ----------
    name, config : str, StageConfig
    rows, cols : int64
        Tracks and detections that took part.
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


def associate(stages: Mapping[str, StageConfig], problem: Problem) -> tuple[Matches, list[Trace]]:
    """Pairs of tracks and detections: the stages in order, each on what the earlier ones left free.

    Returns
    -------
    Matches
        Rows are tracks, columns are detections.
    list of Trace
        One a stage that had something to look at.
    """
    t, n = len(problem.boxes), len(problem.detections)
    rows_left, cols_left = np.arange(t), np.arange(n)
    found: list[tuple[Int, Int]] = []
    traces = []
    for name, stage in stages.items():
        rows = _of_tracks(stage, problem, rows_left)
        cols = _of_detections(stage, problem.detections.scores, cols_left)
        if not len(rows) or not len(cols):
            continue
        trace = _run(name, stage, problem, rows, cols)
        traces.append(trace)
        if len(rows) == t and len(cols) == n and len(stages) == 1:
            return trace.matches, traces
        found.append((rows[trace.matches.rows], cols[trace.matches.cols]))
        together = matches(*sorted_pairs(found), t, n)
        rows_left, cols_left = together.free_rows, together.free_cols
    return Matches(*sorted_pairs(found), rows_left, cols_left), traces


def _of_tracks(stage: StageConfig, problem: Problem, rows: Int) -> Int:
    if stage.tracks != "all":
        rows = rows[problem.confirmed[rows] == (stage.tracks == "confirmed")]
    if stage.min_missed is not None:
        rows = rows[problem.missed[rows] >= stage.min_missed]
    return rows if stage.max_missed is None else rows[problem.missed[rows] <= stage.max_missed]


def _of_detections(stage: StageConfig, scores: Float, cols: Int) -> Int:
    if stage.min_score is not None:
        cols = cols[scores[cols] >= stage.min_score]
    return cols if stage.max_score is None else cols[scores[cols] < stage.max_score]


def _run(name: str, stage: StageConfig, problem: Problem, rows: Int, cols: Int) -> Trace:
    everything = len(rows) == len(problem.boxes) and len(cols) == len(problem.detections)
    pairs = ... if everything else np.ix_(rows, cols)
    cost = COSTS[stage.cost](problem, stage.weight)[pairs]
    gates = {}
    allowed: Bool | None = None
    for gate in stage.gates:
        values, threshold = GATES[gate](problem)
        gates[gate] = values[pairs], threshold
        passes = gates[gate][0] <= threshold
        allowed = passes if allowed is None else allowed & passes
    if stage.cascade:
        result = _cascade(stage, cost, allowed, problem.missed[rows])
    else:
        result = _match(stage, cost, allowed)
    return Trace(name, stage, rows, cols, cost, gates, result)


def _match(stage: StageConfig, cost: Float, allowed: Bool | None) -> Matches:
    within = cost <= stage.threshold
    if allowed is not None:
        within &= allowed
    rows, cols = within.nonzero()
    if one_to_one(rows, cols):  # nobody contends for a pair
        return matches(rows, cols, *cost.shape)
    if stage.assignment_threshold is None:
        return assign(cost, within, bound=float(np.nextafter(stage.threshold, np.inf)))
    found = assign(
        cost, cost < stage.assignment_threshold if allowed is None else allowed, bound=stage.assignment_threshold
    )
    kept = within[found.rows, found.cols]
    return found if kept.all() else matches(found.rows[kept], found.cols[kept], *cost.shape)


def _cascade(stage: StageConfig, cost: Float, allowed: Bool | None, missed: Int) -> Matches:
    pairs = []
    free = np.arange(cost.shape[1])
    for age in np.unique(missed):
        rows = (missed == age).nonzero()[0]
        block = np.ix_(rows, free)
        found = _match(stage, cost[block], None if allowed is None else allowed[block])
        pairs.append((rows[found.rows], free[found.cols]))
        free = free[found.free_cols]
    return matches(*sorted_pairs(pairs), *cost.shape)
