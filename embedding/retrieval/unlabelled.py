"""Limits of a model's distance from the samples that it was trained on, and their place in its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from flatsort.embedding import checkpoint
from flatsort.embedding.data.augment import AugmentConfig, augment
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.model import LatentModel
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.retrieval.calibration import calibrate, pairs_from_tracks
from flatsort.tracker.types import Float, Int

MOST = 2048
"""Samples that are looked at."""
PAIRINGS = 8
"""Random partners of each sample."""
CHUNK = 256
LEAST_PAIRS = 100
"""Pairs of each kind below which tracks are not enough to go by."""
JITTER = AugmentConfig(shift=0.05, scale=0.05, gain=0.1)
"""What stands for the change of an object from one frame to the next: a detector's jitter and some light."""
CROP_RATES = (0.01,)
"""Rarer false matches cannot be measured where some random pairs do show one object."""


def calibrate_model(model: LatentModel, data: SampleSet, seed: int = 0) -> dict[str, float]:
    """Limits of a model's distance, without labels, from whatever the samples allow.

    Of samples with sequence, frame and track: `pairs_from_tracks`. Of others, and where that gives too few pairs:
    `calibrate_on_crops`. Identities are never read.

    Parameters
    ----------
    model : LatentModel
        Left in the mode that it is in.
    data : SampleSet
    seed : int
        Of the choice among many samples and of the views.

    Returns
    -------
    dict of float
        See `calibration.calibrate`; empty with fewer than two samples, and for vectors without tracks.
    """
    columns = data.columns
    if (columns["track"] >= 0).any():
        rows = _neighbours(data)
        latents = _embed(model, data, rows)
        pairs = pairs_from_tracks(columns["sequence"][rows], columns["frame"][rows], columns["track"][rows], latents)
        if min(map(len, pairs)) >= LEAST_PAIRS:
            return calibrate(*pairs)
    if len(data) < 2 or len(data.shape) == 1:
        return {}
    return calibrate_on_crops(model, data, RandomGenerator(seed))


def calibrate_on_crops(
    model: LatentModel, data: SampleSet, generator: RandomGenerator, jitter: AugmentConfig = JITTER
) -> dict[str, float]:
    """Limits of a model's distance from samples of which no more is known than what they show.

    Positives are two views of one sample with a small shift, scale and gain; negatives are random pairs. Both are
    approximations: views differ less than an object from frame to frame, and random pairs are of two objects only as
    far as the set holds many. Limits are therefore measured at one per cent of false matches and at equal error only.

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
    rows = np.sort(generator.permutation(len(data))[:MOST].cpu().numpy())
    first, second = (_embed(model, data, rows, jitter, generator) for _ in range(2))
    order = generator.permutation(len(rows)).cpu().numpy()
    positive = np.linalg.norm(first - second, axis=1)
    partners = [np.roll(order, k) for k in range(1, min(PAIRINGS, len(rows) - 1) + 1)]
    negative = np.concatenate([np.linalg.norm(first[order] - second[p], axis=1) for p in partners])
    return calibrate(positive, negative, CROP_RATES)


def with_calibration(path: str | Path, calibration: Mapping[str, float]) -> None:
    """Write limits into the header of a checkpoint, in place of those that it has; whole or not at all.

    Raises
    ------
    ValueError, FileNotFoundError
        As `checkpoint.load`.
    """
    model, card = checkpoint.load(path)
    checkpoint.save(path, model, replace(card, calibration=dict(calibration)))


def _neighbours(data: SampleSet) -> Int:
    """At most `MOST` rows with sequence and frame, of whole frames that follow each other: the first ones."""
    sequence, frame = data.columns["sequence"], data.columns["frame"]
    rows = np.flatnonzero((sequence >= 0) & (frame >= 0))
    return rows[np.lexsort((frame[rows], sequence[rows]))][:MOST]


def _embed(
    model: LatentModel,
    data: SampleSet,
    rows: Int,
    jitter: AugmentConfig | None = None,
    generator: RandomGenerator | None = None,
) -> Float:
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    latents: list[Tensor] = []
    try:
        with torch.inference_mode():
            for start in range(0, len(rows), CHUNK):
                samples = data.tensor(rows[start : start + CHUNK])
                if jitter is not None and generator is not None:
                    samples = augment(samples, jitter, generator)
                latents.append(model.embed(samples.to(device)).float().cpu())
    finally:
        model.train(training)
    return torch.cat(latents).numpy().astype(np.float64)
