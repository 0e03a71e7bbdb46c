"""Constant-velocity Kalman filter of all tracks at once, for four independent coordinates.

SORT and DeepSORT couple each coordinate only with its own velocity, and their start, process and measurement
covariances are diagonal. Their 7- or 8-state filter therefore *is* four two-state filters, and a step is a handful
of elementwise operations on [4 t] arrays: no inverse, no loop over tracks.

A state is one array [5 4 t]: value, velocity, variance of the value, covariance, variance of the velocity.

References
----------
R. E. Kalman, "A new approach to linear filtering and prediction problems", 1960.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from flatsort.tracker.protocols import State
from flatsort.tracker.types import Float


def start(values: Float, variance: Float, velocity_variance: Float) -> State:
    """State of new tracks at ``values`` [4 t] with velocity 0; variances broadcast to [4 t]."""
    state = np.zeros((5, *values.shape))
    state[0] = values
    state[2] = variance
    state[4] = velocity_variance
    return state


def predict(state: State, dt: float, noise: Float) -> State:
    """State ``dt`` frames later, with the `process_noise` of that time."""
    # Every entry of the next state is a linear function of the five entries of this one: one small matrix product.
    out: State = _transition(dt).dot(state.reshape(5, -1)).reshape(state.shape)
    out += noise
    return out


def process_noise(dt: float, noise: Float, velocity_noise: Float) -> Float:
    """Process noise of ``dt`` frames, [5 4 t]; n frames at once give the same as n single ones.

    Parameters
    ----------
    dt : float
        Nominal frames.
    noise, velocity_noise : [4 t]
        Process variance of value and velocity per frame.
    """
    out = np.zeros((5, *noise.shape))
    out[2] = dt * noise
    out[4] = dt * velocity_noise
    if dt > 1.0:  # effect of the velocity noise of earlier steps on the position
        out[2] += velocity_noise * (dt * (dt - 1.0) * (2.0 * dt - 1.0) / 6.0)
        out[3] = velocity_noise * (dt * (dt - 1.0) / 2.0)
    return out


def correct(state: State, values: Float, noise: Float) -> State:
    """State after measuring ``values`` [4 t] with variance ``noise`` [4 t]."""
    value, velocity, var, cov, velocity_var = state
    total = var + noise
    gain = var / total
    velocity_gain = cov / total
    residual = values - value
    out = np.empty_like(state)
    np.add(value, gain * residual, out=out[0])
    np.add(velocity, velocity_gain * residual, out=out[1])
    np.multiply(gain, noise, out=out[2])
    np.multiply(velocity_gain, noise, out=out[3])
    np.subtract(velocity_var, velocity_gain * cov, out=out[4])
    return out


def squared_mahalanobis(state: State, values: Float, noise: Float) -> Float:
    """Squared Mahalanobis distance [t n] of ``values`` [4 n] to each predicted track, a sum of four terms.

    ``noise`` is the variance of a measurement, broadcast to [4 t].
    """
    residual = values[:, None] - state[0][:, :, None]
    residual *= residual
    residual /= (state[2] + noise)[:, :, None]
    distance: Float = residual.sum(axis=0)
    return distance


def warp(state: State, affine: Float) -> State:
    """State in the pixel coordinates of a camera that moved; coordinates 0 and 1 are a point in the image.

    Parameters
    ----------
    state : [5 4 t]
    affine : [2 3]
        Maps previous to current pixel coordinates. Correlations between x and y from a rotation are neglected.
    """
    out = state.copy()
    linear = affine[:, :2]
    out[:2, :2] = linear @ state[:2, :2]
    out[0, :2] += affine[:, 2:]
    out[2:, :2] = linear**2 @ state[2:, :2]
    return out


@lru_cache(maxsize=64)
def _transition(dt: float) -> Float:
    return np.array(
        [
            [1.0, dt, 0.0, 0.0, 0.0],
            [0.0, 1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 1.0, 2.0 * dt, dt * dt],
            [0.0, 0.0, 0.0, 1.0, dt],
            [0.0, 0.0, 0.0, 0.0, 1.0],
        ]
    )
