"""Born, confirmed, lost, dead: the counters of all tracks as arrays."""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass

import numpy as np

from flatsort.tracker.types import Float, Int

TOLERANCE = 1e-6
"""Seconds: a life of 2 s at 30 frames a second is 60 frames, whatever the rounding of the timestamps."""


@dataclass(frozen=True)
class LifecycleConfig:
    """When a track is born, reported and dropped. A life is a number of frames, or seconds as "2s"."""

    min_hits: int = 3
    """Consecutive matches after its birth that confirm a track."""
    max_age: int | str = 1
    """A track without a match for longer than this dies."""
    tentative_max_age: int | str | None = None
    """The same for a track that was never confirmed; None: ``max_age``. DeepSORT: 0."""
    warm_up: bool = True
    """Report every matched track during the first ``min_hits`` frames."""
    streak: bool = True
    """After a miss a track stays silent until it has ``min_hits`` consecutive matches again (SORT)."""
    report_missed: int = 0
    """Report the predicted box of a confirmed track for this many frames without a match. DeepSORT: 1."""
    birth_score: float | None = None
    """Lowest score of a detection that starts a track; None: any does."""

    def __post_init__(self) -> None:
        for key in ("min_hits", "report_missed"):
            if getattr(self, key) < 0:
                raise ValueError(f"lifecycle.{key}: expected 0 or more, got {getattr(self, key)}")
        if not math.isfinite(self.birth_score or 0.0):
            raise ValueError(f"lifecycle.birth_score: expected a finite number, got {self.birth_score}")
        for key in ("max_age", "tentative_max_age"):
            if getattr(self, key) is not None:
                Life(getattr(self, key), f"lifecycle.{key}")


class Life:
    """How long something lives without being seen.

    Parameters
    ----------
    text : int or str
        Frames (30), or seconds ("2s", "0.5 s").
    where : str
        Names the setting in the message.

    Raises
    ------
    ValueError
        If it is neither.
    """

    def __init__(self, text: int | str, where: str) -> None:
        seconds = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*s\s*", text) if isinstance(text, str) else None
        if seconds is None and (isinstance(text, str) or text < 0):
            raise ValueError(f'{where}: expected frames (30) or seconds ("2s"), got {text!r}')
        self._number = float(seconds[1]) if seconds else float(text)
        self._in_seconds = seconds is not None
        self._times: deque[float] = deque()  # of the frames that a life in seconds reaches back to

    def horizon(self, frame: int, time: float) -> float:
        """First frame that is not too long ago at this one; to be asked once a frame."""
        if not self._in_seconds:
            return frame - self._number
        self._times.append(time)
        while self._times[0] < time - self._number - TOLERANCE:
            self._times.popleft()
        return frame - len(self._times) + 1


class Lifecycle:
    """Counters of t tracks; the rows are those of the tracker's other arrays.

    Attributes
    ----------
    frame : int
        Number of the current frame, from 1.
    ids : int64 [t]
        0 until the track is confirmed, then from 1 without gaps.
    serials : int64 [t]
        Number of the track in order of birth, from 1, confirmed or not.
    hits : int64 [t]
        Consecutive matches after birth.
    last : int64 [t]
        Frame of the latest match.
    source : int64 [t]
        Row of the detection that was matched in this frame, −1 where there was none.
    classes : int64 [t]
        Majority of the classes of the track's detections.
    scores : float64 [t]
        Score of the latest detection.
    """

    def __init__(self, config: LifecycleConfig) -> None:
        self.config = config
        tentative = config.max_age if config.tentative_max_age is None else config.tentative_max_age
        self._life = Life(config.max_age, "lifecycle.max_age")
        self._tentative_life = Life(tentative, "lifecycle.tentative_max_age")
        self.frame = 0
        self._horizon = self._tentative_horizon = 0.0
        self._counters = np.empty((6, 0), np.int64)
        self._unpack()
        self.scores = np.empty(0)
        self._votes = np.empty((0, 0), np.int64)  # a row a class
        self._voted = np.empty(0, np.int64)  # class of each row of the votes, ascending
        self._only: int | None = None  # the class, as long as there is but one
        self._born = self._given = 0

    def __len__(self) -> int:
        return len(self.ids)

    def advance(self, time: float) -> None:
        """Begin a frame at ``time`` seconds."""
        self.frame += 1
        self.source.fill(-1)
        self._horizon = self._life.horizon(self.frame, time)
        self._tentative_horizon = self._tentative_life.horizon(self.frame, time)

    def match(self, rows: Int, source: Int, scores: Float, classes: Int) -> None:
        """Tracks ``rows`` were matched with the detections ``source`` of these scores and classes, row by row."""
        self.last[rows] = self.frame
        self.source[rows] = source
        self.hits[rows] += 1
        self.scores[rows] = scores
        self._vote(rows, classes)

    def miss(self, rows: Int) -> None:
        """Tracks ``rows`` were not matched in this frame."""
        self.hits[rows] = 0

    def start(self, source: Int, scores: Float, classes: Int) -> None:
        """Append one track for each of the detections ``source``."""
        n, t = len(source), len(self)
        self._counters = np.concatenate([self._counters, np.empty((6, n), np.int64)], axis=1)
        self._unpack()
        self.ids[t:] = self.hits[t:] = 0
        self.serials[t:] = np.arange(self._born + 1, self._born + n + 1)
        self.last[t:] = self.frame
        self.source[t:] = source
        self.classes[t:] = classes
        self.scores = np.concatenate([self.scores, scores])
        self._votes = np.concatenate([self._votes, np.zeros((len(self._votes), n), np.int64)], axis=1)
        self._born += n
        self._vote(np.arange(t, t + n), classes)

    def alive(self) -> Int:
        """Rows of the tracks that have not outlived their time without a match."""
        alive = self.last >= self._horizon
        if self._horizon != self._tentative_horizon:
            alive = np.where(self.ids > 0, alive, self.last >= self._tentative_horizon)
        return alive.nonzero()[0]

    def keep(self, rows: Int) -> None:
        """Drop all other tracks."""
        self._counters = self._counters.take(rows, axis=1)
        self._unpack()
        self.scores, self._votes = self.scores[rows], self._votes.take(rows, axis=1)

    def report(self) -> Int:
        """Rows of the tracks that this frame reports; those reported for the first time get their ids here."""
        c = self.config
        ready = self.source >= 0
        if not c.warm_up or self.frame > c.min_hits:
            due = self.hits >= c.min_hits
            ready &= due if c.streak else due | (self.ids > 0)
        if c.report_missed:
            ready |= (self.ids > 0) & (self.source < 0) & (self.frame - self.last <= c.report_missed)
        rows = ready.nonzero()[0]
        ids = self.ids[rows]
        if 0 in ids.tolist():
            new = rows[ids == 0]
            self.ids[new] = np.arange(self._given + 1, self._given + len(new) + 1)
            self._given += len(new)
        return rows

    def _unpack(self) -> None:
        self.ids, self.serials, self.hits, self.last, self.source, self.classes = self._counters

    def _vote(self, rows: Int, classes: Int) -> None:
        if self._only is not None and set(classes.tolist()) == {self._only}:
            self._votes[0][rows] += 1
            return
        voted = np.union1d(self._voted, classes)
        if len(voted) > len(self._voted):
            votes = np.zeros((len(voted), len(self)), np.int64)
            votes[np.searchsorted(voted, self._voted)] = self._votes
            self._votes, self._voted = votes, voted
            self._only = int(voted[0]) if len(voted) == 1 else None
        self._votes[np.searchsorted(self._voted, classes), rows] += 1
        self.classes[rows] = self._voted[self._votes[:, rows].argmax(axis=0)]
