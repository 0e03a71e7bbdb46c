"""DeepSORT's motion model: centre, aspect ratio and height of the box, with noise in proportion to the height.

References
----------
Wojke et al., "Simple online and realtime tracking with a deep association metric", ICIP 2017, section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flatsort.tracker.boxes import xyah_to_xyxy, xyxy_to_xyah
from flatsort.tracker.motion import MOTION, kalman_filter
from flatsort.tracker.protocols import State
from flatsort.tracker.registry import PartConfig
from flatsort.tracker.types import Float


@dataclass(frozen=True)
class XyahConfig(PartConfig):
    """Standard deviations of DeepSORT's filter; the defaults are the reference implementation's."""

    name: str = "xyah"
    position: float = 1 / 20
    """Of centre and height, as a share of the box height."""
    velocity: float = 1 / 160
    """Of their velocities, as a share of the box height per frame."""
    aspect: float = 1e-2
    """Of the aspect ratio's process noise per frame."""
    aspect_velocity: float = 1e-5
    """Of the aspect ratio's velocity per frame."""
    aspect_measurement: float = 1e-1
    """Of a measured aspect ratio."""
    start_position: float = 2.0
    """Factor on ``position`` for a new track."""
    start_velocity: float = 10.0
    """Factor on ``velocity`` for a new track."""

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            if key != "name" and not 0 < value < np.inf:
                raise ValueError(f"motion.{key}: expected a positive standard deviation, got {value}")


@MOTION.register("xyah", XyahConfig)
class Xyah:
    """Constant velocity of centre, aspect ratio and height."""

    def __init__(self, config: XyahConfig) -> None:
        self._config = config

    def measure(self, boxes: Float) -> Float:
        """Coordinates [4 n] of ``boxes`` [n 4]."""
        return xyxy_to_xyah(boxes)

    def start(self, measured: Float) -> State:
        """State [5 4 t] of new tracks at ``measured`` [4 t]."""
        c = self._config
        variance = self._variances(measured[3], c.start_position * c.position, c.aspect)
        velocity_variance = self._variances(measured[3], c.start_velocity * c.velocity, c.aspect_velocity)
        return kalman_filter.start(measured, variance, velocity_variance)

    def predict(self, state: State, dt: float) -> State:
        """State ``dt`` frames later."""
        c = self._config
        noise = self._variances(state[0, 3], c.position, c.aspect)
        velocity_noise = self._variances(state[0, 3], c.velocity, c.aspect_velocity)
        return kalman_filter.predict(state, dt, kalman_filter.process_noise(dt, noise, velocity_noise))

    def correct(self, state: State, measured: Float) -> State:
        """State after measuring ``measured`` [4 t]."""
        return kalman_filter.correct(state, measured, self._measurement(state))

    def boxes(self, state: State) -> Float:
        """Boxes xyxy [t 4] of a state."""
        return xyah_to_xyxy(state[0])

    def squared_mahalanobis(self, state: State, measured: Float) -> Float:
        """Squared Mahalanobis distance [t n] of ``measured`` [4 n] to each predicted track."""
        return kalman_filter.squared_mahalanobis(state, measured, self._measurement(state))

    def warp(self, state: State, affine: Float) -> State:
        """State in the pixel coordinates of a camera that moved by ``affine`` [2 3]."""
        scale = abs(float(np.linalg.det(affine[:, :2]))) ** 0.5
        out = kalman_filter.warp(state, affine)
        out[:2, 3] *= scale
        out[2:, 3] *= scale * scale
        return out

    def _measurement(self, state: State) -> Float:
        return self._variances(state[0, 3], self._config.position, self._config.aspect_measurement)

    @staticmethod
    def _variances(height: Float, share: float, aspect: float) -> Float:
        out = np.empty((4, len(height)))
        out[:] = np.square(share * height)
        out[2] = aspect * aspect
        return out
