"""Calibration of an embedder's distances without labels: which pairs show two objects, which show one.

Two boxes of one frame are two objects; two boxes of successive frames that overlap much, and nothing else, are one.
Where a training set has neither, random pairs of samples stand for the former and two augmented views of one sample
for the latter. The threshold of an embedder is the distance that a fixed share of the different pairs are within:
embedders of any scale are then compared fairly.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from torch import Tensor

from flatsort.embedding.data.augment import AugmentConfig, augment
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.distance_calibration import DistanceCalibration
from flatsort.embedding.model import LatentModel
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.boxes import iou
from flatsort.tracker.types import Float, Int

SAME_OBJECT_IOU = 0.7
"""IoU above which two boxes of successive frames show one object."""
DUPLICATE_IOU = 0.5
"""IoU above which two boxes of one frame may be one object that was detected twice."""
MAX_SAMPLES = 2048
"""Samples of a training set that are embedded."""
PARTNERS = 8
"""Random partners of each sample."""
BATCH = 256
MIN_PAIRS = 100
"""Pairs of each kind below which the tracks of a training set are too few."""
JITTER = AugmentConfig(shift=0.05, scale=0.05, gain=0.1)
"""Stands for the change of an object from one frame to the next: a detector's jitter and a little light."""
LEAST_CROP_RATE = 0.005
"""Rarer false matches cannot be measured with random pairs of crops: some of these do show one object."""


def pairs_from_boxes(frames: Int, boxes: Float, latents: NDArray[np.floating]) -> tuple[Float, Float]:
    """Distances of pairs of boxes of one sequence that show the same object, and of pairs that show different ones.

    Parameters
    ----------
    frames : int64 [n]
        Frame numbers, in any order.
    boxes : float64 [n 4]
        xyxy, pixels: detections or tracks, no labels.
    latents : [n d]

    Returns
    -------
    same : float64 [p]
        Of pairs of boxes in successive frames with an IoU above 0.7 that overlap nothing else in either frame.
    different : float64 [q]
        Of pairs of boxes of one frame, but for those with an IoU above 0.5: a detector's second box of one object.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    _require_same_length(frames=frames, boxes=boxes, latents=latents)
    z, boxes = np.asarray(latents, np.float64), np.asarray(boxes, np.float64)
    same, different = [np.empty(0)], [np.empty(0)]
    previous, alone_in_previous, last = np.empty(0, np.int64), np.empty(0, bool), -2
    for frame in np.unique(frames).tolist():
        current = np.flatnonzero(frames == frame)
        overlap = iou(boxes[current], boxes[current])
        alone = (overlap > 0).sum(axis=1) <= 1
        upper = np.triu(overlap <= DUPLICATE_IOU, 1)
        different.append(cdist(z[current], z[current])[upper])
        if frame == last + 1:
            across = iou(boxes[previous], boxes[current])
            touching = across > 0
            only = (touching.sum(axis=1) == 1)[:, None] & (touching.sum(axis=0) == 1)
            rows, cols = np.nonzero((across > SAME_OBJECT_IOU) & only & alone_in_previous[:, None] & alone)
            same.append(np.linalg.norm(z[previous[rows]] - z[current[cols]], axis=1))
        previous, alone_in_previous, last = current, alone, frame
    return np.concatenate(same), np.concatenate(different)


def pairs_from_tracks(sequence: Int, frame: Int, track: Int, latents: NDArray[np.floating]) -> tuple[Float, Float]:
    """Distances of the same two kinds of pairs among samples that were tracked by motion alone.

    Parameters
    ----------
    sequence, frame, track : int64 [n]
        Rows without sequence or frame (negative) are left out; those without a track are in different pairs only.
    latents : [n d]

    Returns
    -------
    same : float64 [p]
        Of neighbours in time of one track.
    different : float64 [q]
        Of pairs of one frame.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    _require_same_length(sequence=sequence, frame=frame, track=track, latents=latents)
    z = np.asarray(latents, np.float64)
    known = (sequence >= 0) & (frame >= 0)
    rows = np.flatnonzero(known & (track >= 0))
    rows = rows[np.lexsort((frame[rows], track[rows]))]
    linked = (track[rows[1:]] == track[rows[:-1]]) & (frame[rows[1:]] > frame[rows[:-1]])
    same = np.linalg.norm(z[rows[1:]] - z[rows[:-1]], axis=1)[linked]
    rows = np.flatnonzero(known)
    rows = rows[np.lexsort((frame[rows], sequence[rows]))]
    changes = np.diff(sequence[rows]).astype(bool) | np.diff(frame[rows]).astype(bool)
    frames = np.split(rows, np.flatnonzero(changes) + 1)
    return same, np.concatenate([np.empty(0), *(pdist(z[f]) for f in frames if len(f) > 1)])


def calibrate_model(model: LatentModel, data: SampleSet, seed: int = 0) -> DistanceCalibration | None:
    """Calibrate a model's distance, without labels, from whatever the samples allow.

    Of samples with sequence, frame and track: `pairs_from_tracks`. Of others, and where that gives too few pairs:
    `calibrate_on_crops`. Identities are never read.

    Parameters
    ----------
    model : LatentModel
        Left in the mode that it is in.
    data : SampleSet
    seed : int
        Of the choice among many samples and of the augmented views.

    Returns
    -------
    DistanceCalibration or None
        None with fewer than two samples, and for vectors without tracks.
    """
    columns = data.columns
    if (columns["track"] >= 0).any():
        rows = _first_frames(data)
        latents = _embed(model, data, rows)
        pairs = pairs_from_tracks(columns["sequence"][rows], columns["frame"][rows], columns["track"][rows], latents)
        if min(map(len, pairs)) >= MIN_PAIRS:
            return DistanceCalibration.from_distances(*pairs)
    if len(data) < 2 or len(data.shape) == 1:
        return None
    return calibrate_on_crops(model, data, RandomGenerator(seed))


def calibrate_on_crops(
    model: LatentModel, data: SampleSet, generator: RandomGenerator, jitter: AugmentConfig = JITTER
) -> DistanceCalibration:
    """Calibrate a model's distance from images that come without boxes, frames and tracks.

    Same: two views of one sample with a small shift, scale and gain. Different: random pairs. Both are approximations:
    views differ less than an object from frame to frame, and random pairs are of two objects only as far as the set
    holds many. Rates below half a per cent of false matches are therefore not measured.

    Parameters
    ----------
    model : LatentModel
    data : SampleSet
        Two images or more.
    generator : RandomGenerator
    jitter : AugmentConfig
        Of the views.

    Raises
    ------
    ValueError
        If there are fewer than two samples.
    """
    if len(data) < 2:
        raise ValueError(f"calibrate: expected at least two samples, got {len(data)}")
    rows = np.sort(generator.permutation(len(data))[:MAX_SAMPLES].cpu().numpy())
    first, second = (_embed(model, data, rows, jitter, generator) for _ in range(2))
    order = generator.permutation(len(rows)).cpu().numpy()
    same = np.linalg.norm(first - second, axis=1)
    partners = [np.roll(order, k) for k in range(1, min(PARTNERS, len(rows) - 1) + 1)]
    different = np.concatenate([np.linalg.norm(first[order] - second[p], axis=1) for p in partners])
    return DistanceCalibration.from_distances(same, different, least_rate=LEAST_CROP_RATE)


def _first_frames(data: SampleSet) -> Int:
    """At most `MAX_SAMPLES` rows with sequence and frame, of whole frames that follow each other: the first ones."""
    sequence, frame = data.columns["sequence"], data.columns["frame"]
    rows = np.flatnonzero((sequence >= 0) & (frame >= 0))
    return rows[np.lexsort((frame[rows], sequence[rows]))][:MAX_SAMPLES]


def _embed(
    model: LatentModel,
    data: SampleSet,
    rows: Int,
    jitter: AugmentConfig | None = None,
    generator: RandomGenerator | None = None,
) -> Float:
    """Latents [n d] of these rows, or of an augmented view of each."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    latents: list[Tensor] = []
    try:
        with torch.inference_mode():
            for start in range(0, len(rows), BATCH):
                samples = data.tensor(rows[start : start + BATCH])
                if jitter is not None and generator is not None:
                    samples = augment(samples, jitter, generator)
                latents.append(model.embed(samples.to(device)).float().cpu())
    finally:
        model.train(training)
    return torch.cat([torch.empty(0, model.embed_dim), *latents]).numpy().astype(np.float64)


def _require_same_length(**columns: NDArray[np.generic]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"expected one row a sample in each of {', '.join(f'{k} ({v})' for k, v in lengths.items())}")
