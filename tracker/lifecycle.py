"""Lifecycle of tracks: start, confirmation, missed frames and end, as counters of all tracks in arrays."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flatsort.tracker.state import TrackerState, collect, restore
from flatsort.tracker.types import Float, Int

TOLERANCE = 1e-6
"""Seconds: 2 s at 30 frames per second are 60 frames, however the timestamps are rounded."""


@dataclass(frozen=True)
class LifecycleConfig:
    """When a track starts, is reported and ends. Ages are numbers of frames, or seconds such as "2s"."""

    min_hits: int = 3
    """Consecutive matches after its start that confirm a track."""
    max_age: int | str = 1
    """A track without a match for longer than this ends."""
    tentative_max_age: int | str | None = None
    """The same for a track that was never confirmed; None: ``max_age``. DeepSORT: 0."""
    warm_up: bool = True
    """Report every matched track during the first ``min_hits`` frames."""
    streak: bool = True
    """After a miss a track is not reported until it has ``min_hits`` consecutive matches again (SORT)."""
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
                MaxAge(getattr(self, key), f"lifecycle.{key}")


class MaxAge:
    """Maximum time without a match, in frames or in seconds.

    Parameters
    ----------
    text : int or str
        Frames (30), or seconds ("2s", "0.5 s").
    where : str
        Config key, for the error message.

    Raises
    ------
    ValueError
        If ``text`` is neither.
    """

    def __init__(self, text: int | str, where: str) -> None:
        seconds = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*s\s*", text) if isinstance(text, str) else None
        if seconds is None and (isinstance(text, str) or text < 0):
            raise ValueError(f'{where}: expected frames (30) or seconds ("2s"), got {text!r}')
        self._number = float(seconds[1]) if seconds else float(text)
        self._in_seconds = seconds is not None
        self._times: deque[float] = deque()  # of the frames within the last seconds

    REMEMBERED: ClassVar[tuple[str, ...]] = ("_times",)

    def horizon(self, frame: int, time: float) -> float:
        """First frame that is not older than the maximum age; called once a frame, with its number and time."""
        if not self._in_seconds:
            return frame - self._number
        self._times.append(time)
        while self._times[0] < time - self._number - TOLERANCE:
            self._times.popleft()
        return frame - len(self._times) + 1


class Lifecycle:
    """Counters of t tracks; row i belongs to the track in row i of the tracker's other arrays.

    Attributes
    ----------
    frame : int
        Number of the current frame, from 1.
    ids : int64 [t]
        0 until the track is confirmed, then from 1 without gaps.
    serials : int64 [t]
        Number of the track in order of birth, from 1, confirmed or not.
    hits : int64 [t]
        Consecutive matches since the start or the latest miss.
    last : int64 [t]
        Frame of the latest match.
    source : int64 [t]
        Row of the detection that was matched in this frame, −1 where there was none.
    classes : int64 [t]
        Majority of the classes of the track's detections.
    scores : float64 [t]
        Score of the latest detection.
    """

    REMEMBERED: ClassVar[tuple[str, ...]] = (
        *("frame", "_horizon", "_tentative_horizon", "_counters", "scores"),
        *("_votes", "_voted", "_only", "_started", "_ids_given"),
    )

    def __init__(self, config: LifecycleConfig) -> None:
        self.config = config
        tentative = config.max_age if config.tentative_max_age is None else config.tentative_max_age
        self._max_age = MaxAge(config.max_age, "lifecycle.max_age")
        self._tentative_max_age = MaxAge(tentative, "lifecycle.tentative_max_age")
        self.frame = 0
        self._horizon = self._tentative_horizon = 0.0
        self._counters = np.empty((6, 0), np.int64)
        self._unpack()
        self.scores = np.empty(0)
        self._votes = np.empty((0, 0), np.int64)  # [classes t]
        self._voted = np.empty(0, np.int64)  # the class of each row of the votes, ascending
        self._only: int | None = None  # the class, while there is only one
        self._started = self._ids_given = 0

    def __len__(self) -> int:
        return len(self.ids)

    def advance(self, time: float) -> None:
        """Begin a frame at ``time`` seconds."""
        self.frame += 1
        self.source.fill(-1)
        self._horizon = self._max_age.horizon(self.frame, time)
        self._tentative_horizon = self._tentative_max_age.horizon(self.frame, time)

    def match(self, rows: Int, source: Int, scores: Float, classes: Int) -> None:
        """Record that tracks ``rows`` were matched with detections ``source`` of these scores and classes."""
        self.last[rows] = self.frame
        self.source[rows] = source
        self.hits[rows] += 1
        self.scores[rows] = scores
        self._vote(rows, classes)

    def miss(self, rows: Int) -> None:
        """Record that tracks ``rows`` were not matched in this frame."""
        self.hits[rows] = 0

    def start(self, source: Int, scores: Float, classes: Int) -> None:
        """Append a new track for each of the detections ``source``."""
        n, t = len(source), len(self)
        self._counters = np.concatenate([self._counters, np.empty((6, n), np.int64)], axis=1)
        self._unpack()
        self.ids[t:] = self.hits[t:] = 0
        self.serials[t:] = np.arange(self._started + 1, self._started + n + 1)
        self.last[t:] = self.frame
        self.source[t:] = source
        self.classes[t:] = classes
        self.scores = np.concatenate([self.scores, scores])
        self._votes = np.concatenate([self._votes, np.zeros((len(self._votes), n), np.int64)], axis=1)
        self._started += n
        self._vote(np.arange(t, t + n), classes)

    def alive(self) -> Int:
        """Rows of the tracks that have not exceeded their maximum age."""
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
        """Rows of the tracks to report in this frame; a track that is reported for the first time gets its id."""
        c = self.config
        reported = self.source >= 0
        if not c.warm_up or self.frame > c.min_hits:
            confirmed = self.hits >= c.min_hits
            reported &= confirmed if c.streak else confirmed | (self.ids > 0)
        if c.report_missed:
            reported |= (self.ids > 0) & (self.source < 0) & (self.frame - self.last <= c.report_missed)
        rows = reported.nonzero()[0]
        ids = self.ids[rows]
        if 0 in ids.tolist():
            new = rows[ids == 0]
            self.ids[new] = np.arange(self._ids_given + 1, self._ids_given + len(new) + 1)
            self._ids_given += len(new)
        return rows

    def state(self) -> TrackerState:
        """What is remembered of all frames so far."""
        ages = {"max_age": self._max_age, "tentative_max_age": self._tentative_max_age}
        each = [collect(age, f"life.{name}") for name, age in ages.items()]
        return {**collect(self, "life"), **each[0], **each[1]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take the state of another one; it is checked.

        Raises
        ------
        ValueError
            If the numbers do not fit each other.
        """
        restore(self, "life", state)
        restore(self._max_age, "life.max_age", state)
        restore(self._tentative_max_age, "life.tentative_max_age", state)
        t = len(self.scores)
        if self._counters.shape != (6, t) or self._votes.shape != (len(self._voted), t):
            raise ValueError(f"state: life: expected counters and votes of {t} tracks, got {self._counters.shape}")
        only = None if self._only is None else [self._only]
        ascending = (self._voted[1:] > self._voted[:-1]).all() and only in (None, self._voted.tolist())
        if not ascending or (t and not len(self._voted)):
            raise ValueError(f"state: life: expected ascending classes, got {self._voted.tolist()}")
        if min(self.frame, self._started, self._ids_given) < 0:
            raise ValueError("state: life: expected counts of frames, tracks and ids, got one below 0")
        self._unpack()
        given = self.ids[self.ids > 0]
        if len(np.unique(given)) < len(given) or (self.ids > self._ids_given).any() or (self.ids < 0).any():
            raise ValueError(f"state: life: expected every id once, up to {self._ids_given}, got {self.ids.tolist()}")

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
