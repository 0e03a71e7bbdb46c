"""Offline smoothing and gap filling of finished tracks: Rauch–Tung–Striebel (filterpy) or Gaussian processes (sklearn).

References
----------
Rauch, Tung, Striebel: Maximum likelihood estimates of linear dynamic systems, AIAA Journal 1965.
Rasmussen, Williams: Gaussian processes for machine learning, 2006, equations 2.23 and 5.8.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from flatsort.tracker.boxes import valid
from flatsort.tracker.types import Bool, Float, Int

METHODS = ("rts", "gp")
_DIFFUSE = 10.0
"""Standard deviation of the first state in box heights, so large that the measurements alone decide."""
_SIGNAL, _LENGTH, _NOISE = (0.1, (1e-4, 1e2)), (20.0, (2.0, 2000.0)), (0.0025, (1e-6, 0.1))
"""Start value and bounds of a Gaussian process's parameters: variances in squared box heights, length in frames."""
_KERNEL_COLUMNS = (slice(0, 2), slice(2, 4))
"""Columns that share a kernel: the centre, the size."""


@dataclass(frozen=True)
class SmoothConfig:
    """The smoothing method, its noise as shares of the box height, and the longest gap that is filled.

    Attributes
    ----------
    method : str
        ``rts``: Rauch–Tung–Striebel smoother of a constant-velocity Kalman filter with the noise below. ``gp``: a
        Gaussian process whose signal variance, length scale and noise are fitted to each track.
    points : int
        Measured boxes that a Gaussian process is fitted to at a time; the computing time grows with its square.
    measured : float
        Standard deviation of a measured coordinate.
    position, velocity : float
        Standard deviation of the process noise of each coordinate and of its velocity, per frame.
    max_gap : int or None
        Longest gap in a track, in frames, that is filled; at a longer one the track is smoothed in two pieces. None:
        every gap is filled.
    """

    method: str = "rts"
    points: int = 150
    measured: float = 1 / 20
    position: float = 1 / 20
    velocity: float = 1 / 160
    max_gap: int | None = 20

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"smooth.method: expected {' or '.join(METHODS)}, got {self.method!r}")
        if self.points < 3:
            raise ValueError(f"smooth.points: expected 3 or more, got {self.points}")
        for name in ("measured", "position", "velocity"):
            if not 0 < getattr(self, name) < 10:
                raise ValueError(f"smooth.{name}: expected more than 0 and less than 10, got {getattr(self, name)}")
        if self.max_gap is not None and self.max_gap < 0:
            raise ValueError(f"smooth.max_gap: expected 0 or more, got {self.max_gap}")


@dataclass(frozen=True, slots=True, eq=False)
class SmoothTracks:
    """Smoothed tracks: one row an id and frame, sorted by frame, then id.

    Attributes
    ----------
    frames, ids : int64 [m]
    boxes : float64 [m 4]
        xyxy, pixels; finite, with width and height between the smallest and the largest measured ones.
    source : int64 [m]
        Row of the input; −1 where a gap was filled.
    """

    frames: Int
    ids: Int
    boxes: Float
    source: Int

    @property
    def filled(self) -> Bool:
        """Whether a row [m] fills a gap."""
        return self.source < 0

    def __len__(self) -> int:
        return len(self.ids)


def smooth(
    frames: Int,
    ids: Int,
    boxes: Float,
    measured: Bool | None = None,
    config: SmoothConfig | None = None,
    clock: Float | None = None,
) -> SmoothTracks:
    """Smooth tracks by the measurements before and after each frame, and fill short gaps.

    Parameters
    ----------
    frames, ids : [n]
        In any order.
    boxes : [n 4]
        xyxy, pixels.
    measured : [n], optional
        False where a box was only predicted: it is replaced by an estimate from the measured boxes.
    config : SmoothConfig, optional
    clock : [f], optional
        Time of frame 0, 1, … in nominal frames, rising, for films of a varying rate; by default the frame's number.

    Raises
    ------
    ValueError
        If shapes differ, a box is not valid, or a frame has an id twice.
    """
    config = config or SmoothConfig()
    measured = np.ones(len(ids), np.bool_) if measured is None else measured
    _check(frames, ids, boxes, measured)
    order = np.lexsort((frames, ids))
    same = np.diff(ids[order]) == 0
    step = np.diff(frames[order])
    if (same & (step == 0)).any():
        row = order[np.flatnonzero(same & (step == 0))[0]]
        raise ValueError(f"smooth: expected one box an id and frame, got two of id {ids[row]} in frame {frames[row]}")
    cuts = ~same if config.max_gap is None else ~same | (step - 1 > config.max_gap)
    groups = [rows for rows in np.split(order, np.flatnonzero(cuts) + 1) if len(rows)]
    last = int(frames.max(initial=-1)) + 1
    times = np.arange(last, dtype=np.float64) if clock is None else clock
    if len(times) < last:
        raise ValueError(f"smooth: expected the time of {last} frames, got {len(times)}")
    pieces = [_smooth_piece(frames[rows], rows, ids, boxes[rows], measured[rows], config, times) for rows in groups]
    if not pieces:
        none = np.empty(0, np.int64)
        return SmoothTracks(none, none, np.empty((0, 4)), none)
    out = SmoothTracks(*(np.concatenate(column) for column in zip(*pieces, strict=True)))
    order = np.lexsort((out.ids, out.frames))
    return SmoothTracks(out.frames[order], out.ids[order], out.boxes[order], out.source[order])


def _check(frames: Int, ids: Int, boxes: Float, measured: Bool) -> None:
    n = len(ids)
    if frames.shape != (n,) or ids.shape != (n,) or boxes.shape != (n, 4) or measured.shape != (n,):
        shapes = ", ".join(str(list(array.shape)) for array in (frames, ids, boxes, measured))
        raise ValueError(f"smooth: expected frames [n], ids [n], boxes [n 4], measured [n], got {shapes}")
    if n and not valid(boxes).all():
        row = int(np.flatnonzero(~valid(boxes))[0])
        raise ValueError(f"smooth: expected finite boxes of positive size, got {boxes[row].tolist()} in row {row}")


def _smooth_piece(
    frames: Int, rows: Int, ids: Int, boxes: Float, measured: Bool, config: SmoothConfig, clock: Float
) -> tuple[Int, Int, Float, Int]:
    """Frames, ids, boxes and source rows of every frame of one track without a long gap."""
    grid = np.arange(frames[0], frames[-1] + 1)
    place = frames - frames[0]
    source = np.full(len(grid), -1)
    source[place] = rows
    identity = np.full(len(grid), ids[rows[0]])
    if len(rows) == 1 or np.count_nonzero(measured) < 2:
        known = source >= 0
        return grid[known], identity[known], boxes, source[known]
    at = place[measured]
    size = boxes[measured, 2:] - boxes[measured, :2]
    values = np.concatenate([boxes[measured, :2] + 0.5 * size, size], axis=1)
    times = clock[grid] - clock[grid[0]]
    if config.method == "gp":
        smoothed = regress_boxes(times, at, values, config.points)
    else:
        smoothed = _rauch_tung_striebel(times, at, values, config)
    half = 0.5 * np.clip(smoothed[:, 2:], size.min(axis=0), size.max(axis=0))
    return grid, identity, np.concatenate([smoothed[:, :2] - half, smoothed[:, :2] + half], axis=1), source


def _rauch_tung_striebel(times: Float, at: Int, values: Float, config: SmoothConfig) -> Float:
    """Smoothed centre x, centre y, width, height [n 4] at ``times`` [n] from ``values`` [k 4] of frames ``at`` [k]."""
    from filterpy.kalman import KalmanFilter

    eye = np.eye(4)
    kalman = KalmanFilter(dim_x=8, dim_z=4)
    kalman.H = np.eye(4, 8)
    velocity = (values[1] - values[0]) / (times[at[1]] - times[at[0]])
    kalman.x = np.concatenate([values[0] - velocity * (times[at[0]] + 1), velocity])
    tall = np.interp(times, times[at], values[:, 3])
    kalman.P = np.eye(8) * (_DIFFUSE * tall[0]) ** 2
    known = dict(zip(at.tolist(), values, strict=True))
    spans = np.diff(times, prepend=-1.0).tolist()
    moves = [np.block([[eye, dt * eye], [0 * eye, eye]]) for dt in spans]
    steps = [_process_noise(dt, config) * h * h for dt, h in zip(spans, tall.tolist(), strict=True)]
    means, covariances = np.empty((len(times), 8)), np.empty((len(times), 8, 8))
    for row in range(len(times)):  # not batch_filter, whose older versions fail on missing measurements with numpy 2
        kalman.predict(F=moves[row], Q=steps[row])
        if row in known:
            kalman.update(known[row], R=eye * (config.measured * tall[row]) ** 2)
        means[row], covariances[row] = kalman.x, kalman.P
    smoothed: Float = kalman.rts_smoother(means, covariances, Fs=moves, Qs=steps)[0]
    return smoothed[:, :4]


def _process_noise(dt: float, config: SmoothConfig) -> Float:
    """Covariance [8 8] that comes with ``dt`` frames at once, for a box of height 1; that of so many single frames."""
    position, velocity = config.position**2, config.velocity**2
    place = position * dt + velocity * (dt - 1) * dt * (2 * dt - 1) / 6
    both = velocity * dt * (dt - 1) / 2
    return np.asarray(np.kron([[place, both], [both, velocity * dt]], np.eye(4)), np.float64)


def regress_boxes(times: Float, at: Int, values: Float, points: int) -> Float:
    """Smoothed centre x, centre y, width and height at every frame by Gaussian-process regression over time.

    The model is a straight line plus a Gaussian process with a squared-exponential kernel. Its signal variance, length
    scale and noise are fitted by marginal likelihood, once for the centre and once for the size. Long tracks are
    regressed in windows that overlap by a third and are blended there.

    Parameters
    ----------
    times : float64 [n]
        Of all frames, in nominal frames, rising.
    at : int64 [k]
        Frames 0 to n − 1 with a measurement, ascending; at least 2.
    values : float64 [k 4]
        Centre x, centre y, width, height, pixels.
    points : int
        Maximum number of measurements in a window.

    Returns
    -------
    float64 [n 4]
    """
    length = len(times)
    total, smoothed = np.zeros((length, 1)), np.zeros((length, 4))
    step = max(points - points // 3, 1)
    starts = np.arange(0, max(len(at) - points // 3, 1), step)
    for start in starts.tolist():
        rows = slice(start, start + points)
        first = 0 if start == 0 else int(at[start])
        last = length - 1 if start == starts[-1] else int(at[rows][-1])
        grid = np.arange(first, last + 1)
        window = np.concatenate(
            [_regress(times[at[rows]], values[rows, pair], values[rows, 3], times[grid]) for pair in _KERNEL_COLUMNS],
            axis=1,
        )
        weight = np.minimum(grid - first + 1, last + 1 - grid).astype(np.float64)[:, None]
        smoothed[grid] += weight * window
        total[grid] += weight
    return smoothed / total


def _regress(at: Float, values: Float, height: Float, grid: Float) -> Float:
    """Expected values [n 2] at the times ``grid`` [n]."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    scale = float(height.mean())
    lines = np.polynomial.polynomial.polyfit(at - grid[0], values / scale, 1)
    straight = np.polynomial.polynomial.polyval(at - grid[0], lines).T
    kernel = ConstantKernel(*_SIGNAL) * RBF(*_LENGTH) + WhiteKernel(*_NOISE)
    process = GaussianProcessRegressor(kernel, alpha=1e-10)
    with warnings.catch_warnings():
        # the fit of a straight path, which has no signal, ends at a bound
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(at[:, None], values / scale - straight)
    along = np.polynomial.polynomial.polyval(grid - grid[0], lines).T
    expected: Float = scale * (along + process.predict(grid[:, None]))
    return expected
