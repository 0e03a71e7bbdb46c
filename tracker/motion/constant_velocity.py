"""The Kalman filter of all tracks at once, for constant velocity and four independent coordinates.

SORT and DeepSORT couple each coordinate only with its own velocity, and their start, process and measurement
covariances are diagonal. Their 7- or 8-state filter therefore *is* four two-state filters, and a step is a handful
of elementwise operations on [t 4] arrays: no matrix product, no inverse.

A state is one array [5 t 4]: value, velocity, variance of the value, covariance, variance of the velocity.

References
----------
R. E. Kalman, "A new approach to linear filtering and prediction problems", 1960.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tracker.protocols import State
from tracker.types import Float


def start(values: Float, variance: ArrayLike, velocity_variance: ArrayLike) -> State:
    """State of tracks first seen at ``values`` [t 4], at rest; variances broadcast to [t 4]."""
    state = np.zeros((5, *values.shape))
    state[0] = values
    state[2] = variance
    state[4] = velocity_variance
    return state


def predict(state: State, dt: float, noise: ArrayLike, velocity_noise: ArrayLike) -> State:
    """State ``dt`` frames later.

    Parameters
    ----------
    state : [5 t 4]
    dt : float
        Nominal frames; ``dt`` = n adds the noise of n single steps.
    noise, velocity_noise : broadcast to [t 4]
        Process variance of value and velocity a frame.
    """
    value, velocity, var, cov, velocity_var = state
    out = np.empty_like(state)
    if dt == 1.0:  # the usual case, in as few operations as possible
        np.add(value, velocity, out=out[0])
        out[1] = velocity
        np.add(cov, velocity_var, out=out[3])
        np.add(var, cov, out=out[2])
        out[2] += out[3]
        out[2] += noise
        np.add(velocity_var, velocity_noise, out=out[4])
        return out
    velocity_noise = np.asarray(velocity_noise)
    single_steps = max(dt - 1.0, 0.0) * dt
    out[0] = value + dt * velocity
    out[1] = velocity
    out[2] = var + 2.0 * dt * cov + dt * dt * velocity_var + dt * np.asarray(noise)
    out[2] += velocity_noise * single_steps * (2.0 * dt - 1.0) / 6.0
    out[3] = cov + dt * velocity_var + velocity_noise * single_steps / 2.0
    out[4] = velocity_var + dt * velocity_noise
    return out


def correct(state: State, values: Float, noise: ArrayLike) -> State:
    """State after measuring ``values`` [t 4] with variance ``noise`` (broadcast to [t 4])."""
    value, velocity, var, cov, velocity_var = state
    total = var + noise
    residual = values - value
    gain = var / total
    velocity_gain = cov / total
    out = np.empty_like(state)
    np.add(value, gain * residual, out=out[0])
    np.add(velocity, velocity_gain * residual, out=out[1])
    np.multiply(gain, noise, out=out[2])
    np.multiply(velocity_gain, noise, out=out[3])
    np.subtract(velocity_var, velocity_gain * cov, out=out[4])
    return out


def squared_mahalanobis(state: State, values: Float, noise: ArrayLike) -> Float:
    """Squared Mahalanobis distance [t n] of ``values`` [n 4] to each predicted track: a sum of four terms.

    ``noise`` is the variance of a measurement, broadcast to [t 4].
    """
    residual = values[None] - state[0][:, None]
    residual *= residual
    residual /= (state[2] + noise)[:, None]
    distance: Float = residual.sum(axis=2)
    return distance


def warp(state: State, affine: Float) -> State:
    """State in the pixels of a camera that moved; coordinates 0 and 1 are a point in the image.

    Parameters
    ----------
    state : [5 t 4]
    affine : [2 3]
        Maps previous to current pixel coordinates. Correlations between x and y that a rotation makes are left out.
    """
    out = state.copy()
    linear = affine[:, :2].T
    out[0, :, :2] = state[0, :, :2] @ linear + affine[:, 2]
    out[1, :, :2] = state[1, :, :2] @ linear
    out[2:, :, :2] = state[2:, :, :2] @ linear**2
    return out
