"""The tracker: predict, associate, correct, start and end tracks, report. `SortTracker.step` is the whole algorithm."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from flatsort.tracker import boxes as geometry
from flatsort.tracker.association.appearance_threshold import AppearanceConfig, AppearanceThreshold
from flatsort.tracker.association.explain import Explanation, explain
from flatsort.tracker.association.problem import AssociationProblem
from flatsort.tracker.association.stages import StageConfig, StageTrace, associate
from flatsort.tracker.config import part
from flatsort.tracker.gallery import Gallery, GalleryConfig
from flatsort.tracker.lifecycle import Lifecycle, LifecycleConfig
from flatsort.tracker.motion import MOTION
from flatsort.tracker.motion.camera import CameraConfig, CameraMotion
from flatsort.tracker.motion.xysr import XysrConfig
from flatsort.tracker.protocols import Embedder, State
from flatsort.tracker.registry import PartConfig
from flatsort.tracker.state import FORMAT, TrackerState, collect, fingerprint
from flatsort.tracker.types import Bool, Detections, Float, Image, Int, Matches, Tracks

log = logging.getLogger(__name__)


def _sort_stages() -> dict[str, StageConfig]:
    return {"iou": StageConfig(cost="iou", threshold=0.7, assignment_threshold=1.0)}


@dataclass(frozen=True)
class SortConfig:
    """A tracker: motion model, lifecycle, gallery and association stages. The defaults are SORT's."""

    KIND: ClassVar[str] = "track"
    """Folder of these configs under ``configs``."""
    motion: PartConfig = part(MOTION, XysrConfig())
    """Kalman filter: xysr (SORT) or xyah (DeepSORT), with its noise parameters."""
    stages: dict[str, StageConfig] = field(default_factory=_sort_stages)
    """Name → association stage, in the order in which they run."""
    lifecycle: LifecycleConfig = LifecycleConfig()
    gallery: GalleryConfig = GalleryConfig()
    appearance: AppearanceConfig = AppearanceConfig()
    """The appearance threshold, the unit of all latent distances."""
    camera: CameraConfig = CameraConfig()
    """Compensation of camera motion; needs the images."""
    min_score: float | None = None
    """Detections below this score are ignored; None: all are used."""
    per_class: bool = False
    """Match within a class only. Otherwise across classes; a track's class is that of most of its detections."""
    frame_rate: float | None = None
    """Frames per second for which the filter's noise is specified; None: those of the source, or 30."""

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError("stages: expected at least one, got none")
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise ValueError(f"min_score: expected a finite number, got {self.min_score}")
        if self.frame_rate is not None and not 0 < self.frame_rate < math.inf:
            raise ValueError(f"frame_rate: expected a positive number, got {self.frame_rate}")


class SortTracker:
    """Tracks objects through frames of detections.

    Parameters
    ----------
    config : SortConfig, optional
        SORT by default; `flatsort.load_tracker` reads those of ``configs/track``.
    embedder : Embedder, optional
        Gives the latents of boxes where `update` gets an image.

    Attributes
    ----------
    dropped : int
        Number of invalid detections (NaN, infinite, without area, beyond a million pixels) that were left out so far.

    References
    ----------
    Bewley et al., "Simple online and realtime tracking", ICIP 2016; Wojke et al., "Simple online and realtime tracking
    with a deep association metric", ICIP 2017.
    """

    def __init__(self, config: SortConfig | None = None, embedder: Embedder | None = None) -> None:
        self.config = config or SortConfig()
        self._embedder = embedder
        self._motion = MOTION.build(self.config.motion)
        self._frame_rate = self.config.frame_rate or 30.0
        gates = ("same_class",) if self.config.per_class else ()
        self._stages = {name: replace(s, gates=(*s.gates, *gates)) for name, s in self.config.stages.items()}
        self._uses_latents = any(stage.uses_latents for stage in self._stages.values())
        self.reset()

    def reset(self) -> None:
        """Start again: the next frame is the first one, and ids start at 1."""
        self.dropped = 0
        self._time, self._state = -1.0 / self._frame_rate, np.empty((5, 4, 0))
        self._life = Lifecycle(self.config.lifecycle)
        self._gallery = Gallery(self.config.gallery, self.config.appearance.bits)
        self._threshold = AppearanceThreshold(self.config.appearance)
        self._problem: AssociationProblem | None = None
        self._traces: list[StageTrace] = []
        self._serials, self._rows = np.empty(0, np.int64), np.empty(0, np.int64)
        self._camera = CameraMotion(self.config.camera)

    def step(
        self,
        detections: Detections,
        time: float | None = None,
        camera: Float | None = None,
        size: tuple[int, int] | None = None,
    ) -> Tracks:
        """The tracks of the next frame.

        Parameters
        ----------
        detections : Detections
            Detections of the frame; zero rows where there are none, so that every frame is one call. Invalid rows are
            left out and counted.
        time : float, optional
            Timestamp in seconds, later than the previous frame's. By default frames are ``1 / frame_rate`` apart.
        camera : [2 3], optional
            Affine motion of the camera, from previous to current pixel coordinates.
        size : tuple of int, optional
            Width and height of the image in pixels, to know which boxes are near its border (`GalleryConfig.border`).

        Returns
        -------
        Tracks
            The tracks reported in this frame; ``source`` is the row of ``detections``.

        Raises
        ------
        ValueError
            If ``time`` does not advance, latents are missing though a stage compares them or have another length than
            before, or ``camera`` is not finite or cannot be inverted.
        """
        if not isinstance(detections, Detections):
            got = type(detections).__name__
            raise ValueError(
                f"step: expected Detections, got a {got}; Detections.of(boxes, scores) makes them of arrays"
            )
        time, dt = self._clock(time)
        rows, detections = self._valid_detections(detections)
        state = self._motion.predict(self._state, dt)
        if camera is not None:
            camera = np.asarray(camera, np.float64)
            regular = camera.shape == (2, 3) and np.isfinite(camera).all()
            if not regular or abs(np.linalg.det(camera[:, :2])) < 1e-6:
                raise ValueError(f"camera: expected an affine [2 3] that can be inverted, got {camera.tolist()}")
            state = self._motion.warp(state, camera)
        problem = self._make_problem(state, detections)
        matches, traces = associate(self._stages, problem)

        # All errors have been raised before this line: a frame with an error leaves the tracker unchanged.
        self._time, self._state = time, state
        self._life.advance(time)
        self._problem, self._traces, self._rows = problem, traces, rows
        self._serials = self._life.serials
        clear = self.config.gallery.clear(detections, size)
        if len(matches.rows):
            self._correct(matches, problem, rows, clear)
        if len(matches.free_rows):
            self._life.miss(matches.free_rows)
            self._end_tracks()
        if len(matches.free_cols):
            self._start(matches.free_cols, problem, rows, clear)
        self._threshold.update(detections)
        return self._report()

    def update(
        self,
        boxes: ArrayLike,
        scores: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        latents: ArrayLike | None = None,
        time: float | None = None,
        image: Image | None = None,
    ) -> Int:
        """One id per input row, in input order; −1 where there is none (yet): unconfirmed, ignored or invalid.

        With SORT's rule (``lifecycle.streak``) it is also −1 after a miss, until the track has ``min_hits`` consecutive
        matches again.

        Parameters
        ----------
        boxes : [n 4]
            xyxy, pixels; an empty list is an empty frame.
        scores, classes, latents : [n], [n], [n d], optional
        time : float, optional
            See `step`.
        image : uint8 [h w 3], optional
            RGB. Used for latents, where none are given and the tracker has an embedder, and for the camera motion,
            where the config asks for it.

        Raises
        ------
        ValueError
            If a shape does not fit, ``time`` does not advance, or latents are missing.
        """
        detections = Detections.of(boxes, scores, classes, latents)
        camera = size = None
        if image is not None:
            if not isinstance(image, np.ndarray):
                raise ValueError(f"image: expected an array uint8 [h w 3] (RGB), got a {type(image).__name__}")
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(f"image: expected uint8 [h w 3] (RGB), got {image.dtype} {list(image.shape)}")
            if self._embedder is not None and detections.latents is None:
                detections = replace(detections, latents=self._embedder.embed([image], [detections.boxes])[0])
            if self.config.camera.method != "none":
                self._clock(time)  # a frame that is refused must not reach the camera
                camera = self._camera.estimate(image, detections.boxes)
            size = (image.shape[1], image.shape[0])
        tracks = self.step(detections, time, camera, size)
        ids = np.full(len(detections), -1)
        matched = tracks.source >= 0
        ids[tracks.source[matched]] = tracks.ids[matched]
        return ids

    def state(self) -> TrackerState:
        """All that the tracker has to remember to go on: arrays of numbers, by name (`tracker.state`).

        It fits a tracker of the same config. Not in it are the explanation of the latest frame and latents that a
        pipeline reuses.
        """
        return {
            "format": np.array(FORMAT),
            "config": fingerprint(self.config),
            "dropped": np.array(self.dropped),
            "time": np.array(self._time),
            "filter": self._state.copy(),
            **self._life.state(),
            **collect(self._gallery, "gallery"),
            **collect(self._threshold, "threshold"),
            **collect(self._camera, "camera"),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, with its ids.

        Raises
        ------
        ValueError
            If it is of another format or config, or damaged; the tracker is then as it was.
        """
        if not isinstance(state, Mapping):
            raise ValueError(f"state: expected what state() gives or read_state reads, got a {type(state).__name__}")
        if not np.array_equal(np.asarray(state.get("format")), FORMAT):
            raise ValueError(f"state: expected format {FORMAT}, got {state.get('format', 'none')}")
        if not np.array_equal(np.asarray(state.get("config", ())), fingerprint(self.config)):
            raise ValueError("state: expected one of a tracker with the same config, got that of another one")
        other = SortTracker(self.config, self._embedder)
        other._load(state)
        self.__dict__.update(other.__dict__)

    def _load(self, state: Mapping[str, Any]) -> None:
        missing = [name for name in ("dropped", "time", "filter") if name not in state]
        if missing:
            raise ValueError(f"state: expected {missing[0]}, got none")
        self._life.load_state(state)
        tracks = len(self._life)
        self._gallery.load_state(state, tracks if self._uses_latents else 0)
        self._threshold.load_state(state)
        self._camera.load_state(state)
        dropped, time, motion = (np.asarray(state[name]) for name in ("dropped", "time", "filter"))
        if dropped.ndim or dropped.dtype.kind not in "iu" or dropped < 0:
            raise ValueError(f"state: dropped: expected a count, got {dropped}")
        if time.ndim or time.dtype.kind not in "iuf" or not np.isfinite(time):
            raise ValueError(f"state: time: expected seconds, got {time}")
        fits = motion.shape == (5, 4, tracks) and motion.dtype.kind == "f" and np.isfinite(motion).all()
        if not fits or (motion[[2, 4]] < 0).any():
            raise ValueError(f"state: filter: expected finite numbers [5 4 {tracks}], got {list(motion.shape)}")
        self.dropped, self._time, self._state = int(dropped), float(time), motion.astype(np.float64)

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config, "embedder": self._embedder, "state": self.state()}

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        self.__init__(pickled["config"], pickled["embedder"])  # type: ignore[misc]  # a new one, then its memory
        self._load(pickled["state"])

    @property
    def next_time(self) -> float:
        """Seconds at which the next frame comes, if it comes when it is due; 0 before the first one."""
        return self._time + 1.0 / self._frame_rate if self._life.frame else 0.0

    def explain(self) -> Explanation:
        """Why each pair of a track and a detection of the latest frame was or was not matched."""
        if self._problem is None:
            raise ValueError("explain: expected at least one step before, got none")
        ids = dict(
            zip(self._serials.tolist(), self._problem.ids.tolist(), strict=True)
        )  # including the tracks that ended
        ids |= dict(zip(self._life.serials.tolist(), self._life.ids.tolist(), strict=True))
        return explain(self._life.frame, self._problem, self._traces, self._serials, ids, self._rows)

    def _clock(self, time: float | None) -> tuple[float, float]:
        """Time of this frame, and nominal frames since the previous one."""
        first = self._life.frame == 0
        if time is None:
            return self._time + 1.0 / self._frame_rate, 1.0
        if not isinstance(time, (int, float, np.number)):
            raise ValueError(f"time: expected seconds, got {time!r}")
        if not math.isfinite(time) or (not first and time <= self._time):
            raise ValueError(f"time: expected more than the previous frame's {self._time} s, got {time} s")
        dt = 1.0 if first else (time - self._time) * self._frame_rate
        # timestamps are rounded, to 1 ms in many containers
        return time, 1.0 if abs(dt - 1.0) < 0.01 else dt

    def _valid_detections(self, detections: Detections) -> tuple[Int, Detections]:
        if not self._uses_latents:
            detections = replace(detections, latents=None)
        elif detections.latents is None and len(detections):
            raise ValueError("latents: expected some, or an image for the embedder, as a stage compares them; got none")
        scores, latents = detections.scores, detections.latents
        finite = math.isfinite(sum(scores.tolist())) and (latents is None or np.isfinite(latents).all())
        if finite and geometry.all_valid(detections.boxes) and self.config.min_score is None:
            return np.arange(len(scores)), detections
        ok = geometry.valid(detections.boxes) & np.isfinite(scores)
        if latents is not None:
            ok &= np.isfinite(latents).all(axis=1)
        if not ok.all():
            if not self.dropped:
                log.warning(
                    "frame %d: %d of %d detections are no valid boxes (NaN, infinite, no area or beyond %.0e pixels); "
                    "they are left out, later ones are only counted",
                    *(self._life.frame + 1, int((~ok).sum()), len(ok), geometry.LARGEST),
                )
            self.dropped += int((~ok).sum())
        if self.config.min_score is not None:
            ok &= scores >= self.config.min_score
        rows = ok.nonzero()[0]
        return rows, detections[rows]

    def _make_problem(self, state: State, detections: Detections) -> AssociationProblem:
        motion, life, distance = self._motion, self._life, None
        if detections.latents is not None and len(detections):
            distance = self._threshold.units(self._gallery.distance(detections.latents))
        return AssociationProblem(
            detections=detections,
            motion=motion,
            state=state,
            measured=motion.measure(detections.boxes),
            boxes=motion.boxes(state),
            ids=life.ids,
            frame=life.frame + 1,
            last=life.last,
            classes=life.classes,
            latent_distance=distance,
        )

    def _correct(self, matches: Matches, problem: AssociationProblem, inputs: Int, clear: Bool) -> None:
        rows, cols, detections = matches.rows, matches.cols, problem.detections
        measured = problem.measured.take(cols, axis=1)
        if len(matches.free_rows):
            state = self._state.copy()  # the prediction is kept for explanations
            state[:, :, rows] = self._motion.correct(state.take(rows, axis=2), measured)
            self._state = state
        else:  # every track, in order
            self._state = self._motion.correct(self._state, measured)
        self._life.match(rows, inputs[cols], detections.scores[cols], detections.classes[cols])
        if detections.latents is not None:
            self._gallery.add(rows, detections.latents[cols], detections.scores[cols], clear[cols])

    def _end_tracks(self) -> None:
        """Remove the tracks that have exceeded their maximum age."""
        alive = self._life.alive()
        if len(alive) < len(self._life):
            self._state = self._state.take(alive, axis=2)
            self._life.keep(alive)
            if self._uses_latents:
                self._gallery.keep(alive)

    def _start(self, free: Int, problem: AssociationProblem, inputs: Int, clear: Bool) -> None:
        """Start tracks at those of the ``free`` detections whose score is high enough."""
        detections, min_score = problem.detections, self.config.lifecycle.birth_score
        free = free if min_score is None else free[detections.scores[free] >= min_score]
        if not len(free):
            return
        started = self._motion.start(problem.measured.take(free, axis=1))
        self._state = np.concatenate([self._state, started], axis=2)
        self._life.start(inputs[free], detections.scores[free], detections.classes[free])
        if detections.latents is not None:
            self._gallery.start(detections.latents[free], detections.scores[free], clear[free])

    def _report(self) -> Tracks:
        life = self._life
        rows = life.report()
        state = self._state if len(rows) == len(life) else self._state.take(rows, axis=2)
        boxes = self._motion.boxes(state)
        if life.config.report_missed:  # only a predicted box can become invalid
            ok = geometry.valid(boxes)
            rows, boxes = rows[ok], boxes[ok]
        return Tracks(life.ids[rows], boxes, life.scores[rows], life.classes[rows], life.source[rows])
