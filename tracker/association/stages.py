"""Association as data: a tracker is a sequence of stages, each with its tracks, detections, cost, gates and limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tracker.association.assignment import assign, matches, one_to_one
from tracker.association.costs import COSTS
from tracker.association.gates import GATES
from tracker.association.problem import Problem
from tracker.registry import suggest
from tracker.types import Bool, Float, Int, Matches

WHICH = ("all", "confirmed", "tentative")


@dataclass(frozen=True)
class StageConfig:
    """One stage: what may be paired with what, at which cost."""

    cost: str = "iou"
    """Name in `costs`."""
    limit: float = 0.7
    """Pairs of a higher cost are refused."""
    compete: float | None = None
    """Pairs up to this cost take part in the assignment, though those above ``limit`` are refused after it; None: the
    limit. SORT lets every overlapping pair compete (1.0)."""
    gates: tuple[str, ...] = ()
    """Names in `gates`."""
    tracks: str = "all"
    """Tracks that take part: all, confirmed or tentative ones."""
    max_missed: int | None = None
    """Only tracks without a match for at most this many frames, counting this one; None: any."""
    min_score: float = 0.0
    """Only detections of at least this score."""
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
        if self.tracks not in WHICH:
            raise ValueError(f"stage tracks: expected one of {', '.join(WHICH)}, got {self.tracks!r}")
        if not math.isfinite(self.limit):
            raise ValueError(f"stage limit: expected a finite number, got {self.limit}")
        if self.compete is not None and not self.limit <= self.compete < math.inf:
            raise ValueError(f"stage compete: expected a finite number of at least limit {self.limit}, got {self.compete}")


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What a stage looked at and decided, kept for explanations.

    Attributes
    ----------
    name, config : str, StageConfig
    rows, cols : int64
        Tracks and detections that took part.
    cost : [rows cols]
    allowed : bool [rows cols]
        Pairs that pass every gate.
    gates : dict
        Name → (values [rows cols], limit).
    matches : Matches
        Indices into ``rows`` and ``cols``.
    """

    name: str
    config: StageConfig
    rows: Int
    cols: Int
    cost: Float
    allowed: Bool
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
    free_rows, free_cols = np.ones(t, bool), np.ones(n, bool)
    found: list[tuple[Int, Int]] = []
    traces = []
    for name, stage in stages.items():
        rows = np.flatnonzero(free_rows & _takes_track(stage, problem))
        cols = np.flatnonzero(free_cols & _takes_detection(stage, problem.detections.scores))
        if not len(rows) or not len(cols):
            continue
        trace = _run(name, stage, problem, rows, cols)
        pair = rows[trace.matches.rows], cols[trace.matches.cols]
        free_rows[pair[0]] = False
        free_cols[pair[1]] = False
        found.append(pair)
        traces.append(trace)
    if len(found) == 1:
        return matches(*found[0], t, n), traces
    row = np.concatenate([p[0] for p in found]) if found else np.empty(0, np.int64)
    col = np.concatenate([p[1] for p in found]) if found else np.empty(0, np.int64)
    order = np.argsort(row)
    return matches(row[order], col[order], t, n), traces


def _takes_track(stage: StageConfig, problem: Problem) -> Bool:
    takes = np.ones(len(problem.boxes), bool) if stage.tracks == "all" else problem.confirmed
    if stage.tracks == "tentative":
        takes = ~takes
    return takes if stage.max_missed is None else takes & (problem.missed <= stage.max_missed)


def _takes_detection(stage: StageConfig, scores: Float) -> Bool:
    takes: Bool = scores >= stage.min_score
    return takes if stage.max_score is None else takes & (scores < stage.max_score)


def _run(name: str, stage: StageConfig, problem: Problem, rows: Int, cols: Int) -> Trace:
    pairs = np.ix_(rows, cols)
    cost = COSTS[stage.cost](problem)[pairs]
    gates = {gate: (values[pairs], limit) for gate in stage.gates for values, limit in [GATES[gate](problem)]}
    allowed = np.ones(cost.shape, bool)
    for values, limit in gates.values():
        allowed &= values <= limit
    if stage.cascade:
        result = _cascade(stage, cost, allowed, problem.missed[rows])
    else:
        result = _match(stage, cost, allowed)
    return Trace(name, stage, rows, cols, cost, allowed, gates, result)


def _match(stage: StageConfig, cost: Float, allowed: Bool) -> Matches:
    within = allowed & (cost <= stage.limit)
    if one_to_one(within):  # nobody contends for a pair
        return matches(*within.nonzero(), *cost.shape)
    if stage.compete is None:
        return assign(cost, within, bound=float(np.nextafter(stage.limit, np.inf)))
    found = assign(cost, allowed, bound=stage.compete)
    kept = within[found.rows, found.cols]
    return found if kept.all() else matches(found.rows[kept], found.cols[kept], *cost.shape)


def _cascade(stage: StageConfig, cost: Float, allowed: Bool, missed: Int) -> Matches:
    pair_rows, pair_cols = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    free = np.arange(cost.shape[1])
    for age in np.unique(missed):
        rows = np.flatnonzero(missed == age)
        found = _match(stage, cost[np.ix_(rows, free)], allowed[np.ix_(rows, free)])
        pair_rows.append(rows[found.rows])
        pair_cols.append(free[found.cols])
        free = free[found.free_cols]
    row, col = np.concatenate(pair_rows), np.concatenate(pair_cols)
    order = np.argsort(row)
    return matches(row[order], col[order], *cost.shape)
