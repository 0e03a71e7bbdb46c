"""SORT's motion model: centre, area and aspect ratio of the box; the aspect ratio has no velocity.

References
----------
Bewley et al., "Simple online and realtime tracking", ICIP 2016, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.boxes import xysr_to_xyxy, xyxy_to_xysr
from tracker.motion import MOTION, constant_velocity
from tracker.protocols import State
from tracker.registry import PartConfig
from tracker.types import Float


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
    """Variance that a frame adds to centre, area and aspect ratio."""
    process_velocity: float = 0.01
    """Variance that a frame adds to the velocity of the centre."""
    process_velocity_area: float = 1e-4
    """Variance that a frame adds to the velocity of the area."""

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            if key != "name" and not 0 < value < np.inf:
                raise ValueError(f"motion.{key}: expected a positive variance, got {value}")


@MOTION.register("xysr", XysrConfig)
class Xysr:
    """Constant velocity of centre and area."""

    def __init__(self, config: XysrConfig) -> None:
        c = config
        self._measurement = np.array([c.measurement, c.measurement, c.measurement_shape, c.measurement_shape])
        self._start_velocity = np.array([c.start_velocity, c.start_velocity, c.start_velocity, 0.0])
        self._start = c.start
        self._process = c.process
        self._process_velocity = np.array([c.process_velocity, c.process_velocity, c.process_velocity_area, 0.0])

    def start(self, boxes: Float) -> State:
        """State [5 t 4] of new tracks at ``boxes``."""
        return constant_velocity.start(xyxy_to_xysr(boxes), self._start, self._start_velocity)

    def predict(self, state: State, dt: float) -> State:
        """State ``dt`` frames later; an area that would vanish stops shrinking."""
        vanishing = state[0, :, 2] + dt * state[1, :, 2] <= 0.0
        if vanishing.any():
            state = state.copy()
            state[1, vanishing, 2] = 0.0
        return constant_velocity.predict(state, dt, self._process, self._process_velocity)

    def correct(self, state: State, boxes: Float) -> State:
        """State after measuring ``boxes`` [t 4]."""
        return constant_velocity.correct(state, xyxy_to_xysr(boxes), self._measurement)

    def boxes(self, state: State) -> Float:
        """Boxes xyxy [t 4] of a state."""
        return xysr_to_xyxy(state[0])

    def squared_mahalanobis(self, state: State, boxes: Float) -> Float:
        """Squared Mahalanobis distance [t n] of ``boxes`` [n 4] to each predicted track."""
        return constant_velocity.squared_mahalanobis(state, xyxy_to_xysr(boxes), self._measurement)

    def warp(self, state: State, affine: Float) -> State:
        """State in the pixels of a camera that moved by ``affine`` [2 3]."""
        scale = abs(float(np.linalg.det(affine[:, :2])))
        out = constant_velocity.warp(state, affine)
        out[:2, :, 2] *= scale
        out[2:, :, 2] *= scale * scale
        return out
