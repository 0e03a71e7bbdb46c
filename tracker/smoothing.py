"""Offline smoothing and gap filling of finished tracks: Rauch–Tung–Striebel through filterpy, or a Gaussian process.

References
----------
Rauch, Tung, Striebel: Maximum likelihood estimates of linear dynamic systems, AIAA Journal 1965.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flatsort.tracker.boxes import valid
from flatsort.tracker.gaussian_process import smooth_boxes
from flatsort.tracker.types import Bool, Float, Int

METHODS = ("rts", "gp")
_DIFFUSE = 10.0
"""Standard deviation of the first state in body heights: so wide that the measurements alone decide."""


@dataclass(frozen=True)
class SmoothConfig:
    """How to smooth, the constant-velocity model's noise as shares of the box's height, and the longest gap.

    Attributes
    ----------
    method : str
        ``rts``: the filter's Rauch–Tung–Striebel smoother, with the noise below. ``gp``: a Gaussian process whose
        signal, length and noise are fitted to each track.
    points : int
        Measured boxes that a Gaussian process is fitted to at a time: the effort grows with its square.
    measured : float
        Standard deviation of a measured coordinate.
    position, velocity : float
        Standard deviation that a frame adds to each coordinate and to its change per frame.
    max_gap : int or None
        Missing frames inside a track that are filled at most; at a longer gap the track is smoothed in two pieces.
        None: every gap is filled.
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
        xyxy, pixels; finite, with a width and height between the least and the most measured ones.
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
    frames: Int, ids: Int, boxes: Float, measured: Bool | None = None, config: SmoothConfig | None = None
) -> SmoothTracks:
    """Tracks whose boxes know the future too, with short gaps filled.

    Parameters
    ----------
    frames, ids : [n]
        In any order; the frame's number is the time.
    boxes : [n 4]
        xyxy, pixels.
    measured : [n], optional
        False where the box was only predicted: the row stays and its box is estimated from the measured ones.
    config : SmoothConfig, optional

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
    pieces = [_piece(frames[rows], rows, ids, boxes[rows], measured[rows], config) for rows in groups]
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


def _piece(
    frames: Int, rows: Int, ids: Int, boxes: Float, measured: Bool, config: SmoothConfig
) -> tuple[Int, Int, Float, Int]:
    """Frames, ids, boxes and source rows of one track without a long gap, every frame of it."""
    grid = np.arange(frames[0], frames[-1] + 1)
    place = frames - frames[0]
    source = np.full(len(grid), -1)
    source[place] = rows
    identity = np.full(len(grid), ids[rows[0]])
    if len(rows) == 1 or np.count_nonzero(measured) < 2:
        known = source >= 0
        return grid[known], identity[known], boxes, source[known]
    seen = place[measured]
    size = boxes[measured, 2:] - boxes[measured, :2]
    values = np.concatenate([boxes[measured, :2] + 0.5 * size, size], axis=1)
    if config.method == "gp":
        smoothed = smooth_boxes(len(grid), seen, values, config.points)
    else:
        smoothed = _filter(len(grid), seen, values, config)
    half = 0.5 * np.clip(smoothed[:, 2:], size.min(axis=0), size.max(axis=0))
    return grid, identity, np.concatenate([smoothed[:, :2] - half, smoothed[:, :2] + half], axis=1), source


def _filter(length: int, seen: Int, values: Float, config: SmoothConfig) -> Float:
    """Smoothed centre x, centre y, width and height [length 4] from ``values`` [k 4] measured at ``seen`` [k]."""
    from filterpy.kalman import KalmanFilter

    eye = np.eye(4)
    kalman = KalmanFilter(dim_x=8, dim_z=4)
    kalman.F = np.block([[eye, eye], [0 * eye, eye]])
    kalman.H = np.eye(4, 8)
    pace = (values[1] - values[0]) / (seen[1] - seen[0])
    kalman.x = np.concatenate([values[0] - pace * (seen[0] + 1), pace])
    tall = np.interp(np.arange(length), seen, values[:, 3])
    kalman.P = np.eye(8) * (_DIFFUSE * tall[0]) ** 2
    noise = np.diag(np.repeat([config.position, config.velocity], 4) ** 2)
    known = dict(zip(seen.tolist(), values, strict=True))
    steps = [noise * h * h for h in tall.tolist()]
    means, covariances = np.empty((length, 8)), np.empty((length, 8, 8))
    for row in range(length):  # not batch_filter, whose older versions fail on missing measurements with numpy 2
        kalman.predict(Q=steps[row])
        if row in known:
            kalman.update(known[row], R=eye * (config.measured * tall[row]) ** 2)
        means[row], covariances[row] = kalman.x, kalman.P
    smoothed: Float = kalman.rts_smoother(means, covariances, Qs=steps)[0]
    return smoothed[:, :4]
