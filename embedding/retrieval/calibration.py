"""Limits of a latent distance, found without labels.

Two boxes of one frame are two objects; two boxes of successive frames that overlap much, and nothing else, are one.
The limit of an embedder is the distance that lets a fixed share of the former pass: embedders of any scale are then
compared fairly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist, pdist

from flatsort.tracker.types import Float, Int

RATES = (0.01, 0.001)
"""False-match rates whose limits are measured."""
OVERLAP = 0.7
"""IoU above which two boxes of successive frames show one object."""
DUPLICATE = 0.5
"""IoU above which two boxes of one frame may be one object that was detected twice."""


def calibrate(positive: ArrayLike, negative: ArrayLike, rates: tuple[float, ...] = RATES) -> dict[str, float]:
    """Limits of a distance at fixed false-match rates and at equal error.

    Parameters
    ----------
    positive, negative : float [any number]
        Distances within pairs of the same object, and of different ones.
    rates : tuple of float
        False-match rates in (0, 1).

    Returns
    -------
    dict of float
        ``limit_fmr_RATE``: no more than this share of the negatives is at the limit or nearer.
        ``match_rate_fmr_RATE``: share of the positives that are. ``limit_equal_error``: where the share of negatives
        that pass is nearest to that of positives that do not, ``equal_error_rate`` their mean. ``pairs_positive`` and
        ``pairs_negative``: how many pairs that rests on; a rate below 1 / pairs_negative gives the limit below which
        no negative was seen.

    Raises
    ------
    ValueError
        If there is no pair of a kind, or a distance is negative or not finite.
    """
    same, other = (np.sort(np.asarray(d, np.float64).reshape(-1)) for d in (positive, negative))
    if not len(same) or not len(other):
        raise ValueError(f"calibrate: expected pairs of both kinds, got {len(same)} positive and {len(other)} negative")
    for d in (same, other):
        if not np.isfinite(d).all() or d[0] < 0:
            raise ValueError(f"calibrate: expected finite distances ≥ 0, got {d[0]:g} to {d[-1]:g}")
    limits: dict[str, float] = {}
    for rate in rates:
        limit = max(float(np.nextafter(other[int(rate * len(other))], -1)), 0.0)
        limits[f"limit_fmr_{rate:g}"] = limit
        limits[f"match_rate_fmr_{rate:g}"] = float(_up_to(same, limit))
    distances = np.unique(np.concatenate([same, other]))
    false, missed = _up_to(other, distances), 1 - _up_to(same, distances)
    best = int(np.abs(false - missed).argmin())
    limits["limit_equal_error"] = float(distances[best])
    limits["equal_error_rate"] = float(false[best] + missed[best]) / 2
    return limits | {"pairs_positive": float(len(same)), "pairs_negative": float(len(other))}


def pairs_from_boxes(frames: Int, boxes: Float, latents: NDArray[np.floating]) -> tuple[Float, Float]:
    """Distances of pairs that the boxes of one sequence tell to be the same object, and different ones.

    Parameters
    ----------
    frames : int64 [n]
        Frame numbers, in any order.
    boxes : float64 [n 4]
        xyxy, pixels: detections or tracks, no labels.
    latents : [n d]

    Returns
    -------
    positive : float64 [p]
        Pairs of boxes in successive frames with an IoU above 0.7 that overlap nothing else in either frame.
    negative : float64 [q]
        Pairs of boxes of one frame, but for those with an IoU above 0.5: a detector's second box of one object.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    _same_length(frames=frames, boxes=boxes, latents=latents)
    z, boxes = np.asarray(latents, np.float64), np.asarray(boxes, np.float64)
    found: dict[bool, list[Float]] = {True: [np.empty(0)], False: [np.empty(0)]}
    before, alone_before, last = np.empty(0, np.int64), np.empty(0, bool), -2
    for frame in np.unique(frames).tolist():
        here = np.flatnonzero(frames == frame)
        overlap = _iou(boxes[here], boxes[here])
        alone = (overlap > 0).sum(axis=1) <= 1
        upper = np.triu(overlap <= DUPLICATE, 1)
        found[False].append(cdist(z[here], z[here])[upper])
        if frame == last + 1:
            across = _iou(boxes[before], boxes[here])
            touched = across > 0
            only = (touched.sum(axis=1) == 1)[:, None] & (touched.sum(axis=0) == 1)
            rows, cols = np.nonzero((across > OVERLAP) & only & alone_before[:, None] & alone)
            found[True].append(np.linalg.norm(z[before[rows]] - z[here[cols]], axis=1))
        before, alone_before, last = here, alone, frame
    return np.concatenate(found[True]), np.concatenate(found[False])


def pairs_from_tracks(sequence: Int, frame: Int, track: Int, latents: NDArray[np.floating]) -> tuple[Float, Float]:
    """As `pairs_from_boxes`, of samples that motion alone has linked.

    Parameters
    ----------
    sequence, frame, track : int64 [n]
        Rows without sequence or frame (negative) are left out; those without a track serve as negatives only.
    latents : [n d]

    Returns
    -------
    positive : float64 [p]
        Neighbours in time of one track.
    negative : float64 [q]
        Pairs of one frame.
    """
    _same_length(sequence=sequence, frame=frame, track=track, latents=latents)
    z = np.asarray(latents, np.float64)
    placed = (sequence >= 0) & (frame >= 0)
    rows = np.flatnonzero(placed & (track >= 0))
    rows = rows[np.lexsort((frame[rows], track[rows]))]
    linked = (track[rows[1:]] == track[rows[:-1]]) & (frame[rows[1:]] > frame[rows[:-1]])
    positive = np.linalg.norm(z[rows[1:]] - z[rows[:-1]], axis=1)[linked]
    rows = np.flatnonzero(placed)
    rows = rows[np.lexsort((frame[rows], sequence[rows]))]
    changes = np.diff(sequence[rows]).astype(bool) | np.diff(frame[rows]).astype(bool)
    frames = np.split(rows, np.flatnonzero(changes) + 1)
    return positive, np.concatenate([np.empty(0), *(pdist(z[f]) for f in frames if len(f) > 1)])


def _up_to(ascending: Float, limit: Float | float) -> Float:
    """Share of the distances that are at the limit or below."""
    return np.asarray(np.searchsorted(ascending, limit, side="right") / len(ascending), np.float64)


def _iou(a: Float, b: Float) -> Float:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(axis=1) for x in (a, b))
    union = area_a[:, None] + area_b - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def _same_length(**columns: NDArray[np.generic]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"expected one row a sample in each of {', '.join(f'{k} ({v})' for k, v in lengths.items())}")
