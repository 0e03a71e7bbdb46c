"""Gaussian-process regression over time: of remembered latents, and of the boxes of a finished track.

References
----------
Rasmussen, Williams: Gaussian processes for machine learning, 2006, equations 2.23 and 5.8.
"""

from __future__ import annotations

import warnings

import numpy as np

from flatsort.tracker.types import Float, Int

SIGNAL, LENGTH, NOISE = (0.1, (1e-4, 1e2)), (20.0, (2.0, 2000.0)), (0.0025, (1e-6, 0.1))
"""First value and bounds of a box's kernel: variances in squared heights, length in frames."""
PAIRS = (slice(0, 2), slice(2, 4))
"""Columns that share a kernel: centre, size."""


def weights(times: Float, now: float, length: float, noise: float) -> Float:
    """Weights that the values at some times have in the expected value at another time.

    The covariance is ``exp(−½ ((t − t') / length)²)``, a priori all values have their mean.

    Parameters
    ----------
    times : float64 [t k]
        Of k values each of t tracks; infinite where there is none: its weight is 0.
    now : float
        The time that is asked for.
    length : float
        In the unit of the times: how long a value is like before.
    noise : float
        Variance of what lasts no time, as a share of the signal's; more than 0.

    Returns
    -------
    float64 [t k]
        They add up to 1, for tracks with a value.
    """
    known = np.isfinite(times)
    there = np.where(known, times, 0.0)
    both = known[:, :, None] & known[:, None, :]
    covariance = np.where(both, np.exp(-0.5 * ((there[:, :, None] - there[:, None, :]) / length) ** 2), 0.0)
    covariance += noise * np.eye(times.shape[1])
    cross = np.where(known, np.exp(-0.5 * ((now - there) / length) ** 2), 0.0)
    found = np.linalg.solve(covariance + np.eye(times.shape[1]) * ~known[:, None, :], cross[:, :, None])[:, :, 0]
    # m + w (z − m) with the mean m of the values: what the weights lack of 1 goes to all alike
    share = known / np.maximum(known.sum(axis=1, keepdims=True), 1)
    rest: Float = found + (1 - found.sum(axis=1, keepdims=True)) * share
    return rest


def smooth_boxes(length: int, seen: Int, values: Float, points: int) -> Float:
    """Centre x, centre y, width and height at every frame, from those that were measured.

    What is left of a straight line is a Gaussian process with a squared-exponential kernel; signal, length and noise
    are fitted by marginal likelihood, once for the centre and once for the size. Long tracks are regressed in windows
    that overlap by a third and are blended there.

    Parameters
    ----------
    length : int
        Frames.
    seen : int64 [k]
        Frames 0 to ``length`` − 1 with a measurement, rising; 2 or more.
    values : float64 [k 4]
        Centre x, centre y, width, height, pixels.
    points : int
        Most measurements in a window.

    Returns
    -------
    float64 [length 4]
    """
    total, smoothed = np.zeros((length, 1)), np.zeros((length, 4))
    step = max(points - points // 3, 1)
    starts = np.arange(0, max(len(seen) - points // 3, 1), step)
    for start in starts.tolist():
        rows = slice(start, start + points)
        first = 0 if start == 0 else int(seen[start])
        last = length - 1 if start == starts[-1] else int(seen[rows][-1])
        grid = np.arange(first, last + 1)
        found = np.concatenate(
            [_regress(seen[rows], values[rows, pair], values[rows, 3], grid) for pair in PAIRS], axis=1
        )
        rise = np.minimum(grid - first + 1, last + 1 - grid).astype(np.float64)[:, None]
        smoothed[grid] += rise * found
        total[grid] += rise
    return smoothed / total


def _regress(seen: Int, values: Float, height: Float, grid: Int) -> Float:
    """Expected values [n 2] at the frames ``grid`` [n]."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    unit = float(height.mean())
    lines = np.polynomial.polynomial.polyfit(seen - grid[0], values / unit, 1)
    straight = np.polynomial.polynomial.polyval(seen - grid[0], lines).T
    kernel = ConstantKernel(*SIGNAL) * RBF(*LENGTH) + WhiteKernel(*NOISE)
    process = GaussianProcessRegressor(kernel, alpha=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a straight way has no signal, a bound is where it ends
        process.fit(seen[:, None], values / unit - straight)
    along = np.polynomial.polynomial.polyval(grid - grid[0], lines).T
    found: Float = unit * (along + process.predict(grid[:, None]))
    return found
