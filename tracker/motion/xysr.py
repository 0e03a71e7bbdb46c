"""SORT's motion model: centre, area and aspect ratio of the box; the aspect ratio has no velocity.

References
----------
Bewley et al., "Simple online and realtime tracking", ICIP 2016, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from flatsort.tracker.boxes import xysr_to_xyxy, xyxy_to_xysr
from flatsort.tracker.motion import MOTION, kalman_filter
from flatsort.tracker.protocols import State
from flatsort.tracker.registry import PartConfig
from flatsort.tracker.types import Float

CACHED = 32
"""Size of the cache of noise arrays, which depend on the number of tracks."""


@dataclass(frozen=True)
class XysrConfig(PartConfig):
    """Variances of SORT's filter, in pixels (centre), square pixels (area) and 1 (aspect ratio), squared.

    The defaults are the reference implementation's.
    """

    name: str = "xysr"
    measurement: float = 1.0
    """Variance of a measured centre."""
    measurement_shape: float = 10.0
    """Variance of a measured area and aspect ratio."""
    start: float = 10.0
    """Variance of a new track's box."""
    start_velocity: float = 1e4
    """Variance of a new track's velocity."""
    process: float = 1.0
    """Process variance per frame of centre, area and aspect ratio."""
    process_velocity: float = 0.01
    """Process variance per frame of the velocity of the centre."""
    process_velocity_area: float = 1e-4
    """Process variance per frame of the velocity of the area."""

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            if key != "name" and not 0 < value < np.inf:
                raise ValueError(f"motion.{key}: expected a positive variance, got {value}")


@MOTION.register("xysr", XysrConfig)
class Xysr:
    """Constant velocity of centre and area."""

    def __init__(self, config: XysrConfig) -> None:
        c = config
        measurement = _noise_column(c.measurement, c.measurement, c.measurement_shape, c.measurement_shape)
        process = _noise_column(c.process, c.process, c.process, c.process)
        process_velocity = _noise_column(c.process_velocity, c.process_velocity, c.process_velocity_area, 0.0)
        self._start = _noise_column(c.start, c.start, c.start, c.start)
        self._start_velocity = _noise_column(c.start_velocity, c.start_velocity, c.start_velocity, 0.0)
        # One column for each track: broadcasting a single one costs more than the arithmetic.
        self._measurement = lru_cache(CACHED)(lambda tracks: measurement.repeat(tracks, axis=1))
        self._process = lru_cache(CACHED)(
            lambda dt, tracks: kalman_filter.process_noise(dt, process, process_velocity).repeat(tracks, axis=2)
        )

    def measure(self, boxes: Float) -> Float:
        """Coordinates [4 n] of ``boxes`` [n 4]."""
        return xyxy_to_xysr(boxes)

    def start(self, measured: Float) -> State:
        """State [5 4 t] of new tracks at ``measured`` [4 t]."""
        return kalman_filter.start(measured, self._start, self._start_velocity)

    def predict(self, state: State, dt: float) -> State:
        """State ``dt`` frames later; an area that would vanish stops shrinking."""
        out = kalman_filter.predict(state, dt, self._process(dt, state.shape[2]))
        if min(out[0, 2].tolist(), default=1.0) <= 0.0:
            vanishing = out[0, 2] <= 0.0
            out[0, 2, vanishing] = state[0, 2, vanishing]
            out[1, 2, vanishing] = 0.0
        return out

    def correct(self, state: State, measured: Float) -> State:
        """State after measuring ``measured`` [4 t]."""
        return kalman_filter.correct(state, measured, self._measurement(state.shape[2]))

    def boxes(self, state: State) -> Float:
        """Boxes xyxy [t 4] of a state."""
        return xysr_to_xyxy(state[0])

    def squared_mahalanobis(self, state: State, measured: Float) -> Float:
        """Squared Mahalanobis distance [t n] of ``measured`` [4 n] to each predicted track."""
        return kalman_filter.squared_mahalanobis(state, measured, self._measurement(state.shape[2]))

    def warp(self, state: State, affine: Float) -> State:
        """State in the pixel coordinates of a camera that moved by ``affine`` [2 3]."""
        scale = abs(float(np.linalg.det(affine[:, :2])))
        out = kalman_filter.warp(state, affine)
        out[:2, 2] *= scale
        out[2:, 2] *= scale * scale
        return out


def _noise_column(*values: float) -> Float:
    return np.array(values)[:, None]
