"""Decoded latents as rows of images: reconstructions, samples of the prior, interpolations, traversals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from flatsort.embedding.figures.image_grids import DrawSample, EncodedSamples, draw_sample, image_grid
from flatsort.embedding.geometry import paths
from flatsort.embedding.geometry.measures import LatentDimensions
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.representation.imputation import ImputedSequence
from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from flatsort.embedding.model import LatentModel

STEPS = 12
"""Images in an interpolation."""
NODES = 300
"""Nodes of the graph that interpolations go over."""
CANDIDATES = 8
"""Random pairs that an interpolation's ends are chosen from."""
COLUMNS = 16
"""Images in a row of reconstructions or samples."""
IMPUTED_COLUMNS = 14
"""Frames in a row of imputed frames."""


def interpolations(models: Sequence[EncodedSamples], pairs: Sequence[tuple[int, int]], seed: int = 0) -> Figure:
    """Strips between samples: straight, and over the graph with Riemannian edges, for each model.

    The graph's nodes are samples of the model's prior, or encoded data where it has none.

    Parameters
    ----------
    models : sequence of EncodedSamples
        Of the same samples.
    pairs : sequence of two int
        Rows of the samples to go from and to.
    seed : int

    References
    ----------
    Klushyn et al., Learning hierarchical priors in VAEs, NeurIPS 2019, section 3.3.
    """
    rows = []
    for one in models:
        ends = one.latents[[row for pair in pairs for row in pair]]
        graph = _graph(one, ends, seed)
        for i in range(len(pairs)):
            start, end = ends[2 * i], ends[2 * i + 1]
            straight = paths.straight(start[None], end[None], STEPS - 1)
            curvature = paths.curvature(one.model.decode_weighted, straight)[0]
            shortest = _evenly(one, graph.path(2 * i, 2 * i + 1))
            rows.append((f"{one.name}\nstraight ({curvature:.1f})", _decode(one, straight[0])))
            rows.append((f"{one.name}\ngraph", _decode(one, shortest)))
    title = "Interpolations; in brackets the curvature of the straight one (0: even change)"
    return image_grid(rows, title, models[0].draw)


def choose_pairs(samples: Tensor, count: int, seed: int = 0) -> list[tuple[int, int]]:
    """Rows of samples [n *shape] to interpolate between: each pair is the most different one of some random pairs."""
    generator = RandomGenerator(seed, "pairs")
    pairs = []
    for _ in range(count):
        drawn = (generator.uniform(2 * CANDIDATES) * len(samples)).long().reshape(CANDIDATES, 2)
        distance = (samples[drawn[:, 0]] - samples[drawn[:, 1]]).flatten(1).norm(dim=1)
        start, end = drawn[distance.argmax()].tolist()
        pairs.append((start, end))
    return pairs


def reconstructions(models: Sequence[EncodedSamples]) -> Figure:
    """A row of samples, and below it each model's reconstruction of them."""
    with torch.no_grad():
        first = models[0].model.likelihood.adjust_contrast(models[0].samples[:COLUMNS])
    rows = [("samples", first), *((one.name, _decode(one, one.latents[:COLUMNS])) for one in models)]
    return image_grid(rows, "Reconstructions", models[0].draw)


def prior_samples(models: Sequence[EncodedSamples], seed: int = 0) -> Figure | None:
    """Samples of every model's prior; None if no model has one."""
    rows = []
    for one in models:
        drawn = one.model.sample(2 * COLUMNS, RandomGenerator(seed, "samples"))
        if drawn is not None:
            rows += [(one.name, _decode(one, part)) for part in torch.split(drawn.detach(), COLUMNS)]
    return image_grid(rows, "Samples of the prior", models[0].draw) if rows else None


def traverse(start: Tensor, dimension: int, std: float, reach: float, steps: int) -> Tensor:
    """Latents [steps d] around one [d]: one dimension goes evenly from −reach to +reach standard deviations from it."""
    latents = start.repeat(steps, 1)
    latents[:, dimension] += std * torch.linspace(-reach, reach, steps)
    return latents


def traversals(
    model: LatentModel,
    dimensions: LatentDimensions,
    order: Sequence[int],
    start: Tensor,
    reach: float,
    steps: int,
    draw: DrawSample = draw_sample,
) -> Figure:
    """A row of decoded images for each dimension of ``order``, labelled with its share of the squared importances.

    Parameters
    ----------
    model : LatentModel
    dimensions : LatentDimensions
    order : sequence of int
    start : float32 [d]
        The latent in the middle of all rows.
    reach : float
        Standard deviations to either side.
    steps : int
        Images in a row.
    draw : callable
        Draws a sample.
    """
    rows = []
    for i, share in ((i, float(dimensions.shares[i])) for i in order):
        with torch.no_grad():
            decoded = model.decode(traverse(start, i, float(dimensions.std[i]), reach, steps))
        rows.append((f"z{i + 1}: {100 * share:.1f} %", decoded))
    title = f"From −{reach:g} to +{reach:g} standard deviations; share of the change of the image"
    return image_grid(rows, title, draw)


def imputed_frames(imputed: ImputedSequence, draw: DrawSample = draw_sample) -> Figure:
    """Some hidden frames, evenly chosen, over what each method made of them."""
    some = np.unique(np.linspace(0, len(imputed.ground_truth) - 1, IMPUTED_COLUMNS).round().astype(np.int64))
    rows = [("hidden frame", imputed.ground_truth[some])]
    return image_grid([*rows, *((name, images[some]) for name, images in imputed.images.items())], draw=draw)


def _graph(one: EncodedSamples, ends: Tensor, seed: int) -> paths.LatentGraph:
    with torch.no_grad():
        drawn = one.model.sample(NODES, RandomGenerator(seed, "graph"))
    others = one.latents[:NODES] if drawn is None else drawn
    nodes = torch.cat([ends, others]).double().numpy()
    return paths.neighbour_graph(nodes, decode=one.model.decode_weighted)


def _evenly(one: EncodedSamples, path: Float) -> Tensor:
    """A path over a graph at `STEPS` points, equally far from each other among the decoded samples."""
    fine = torch.from_numpy(paths.resample(path, 20 * STEPS).astype(np.float32))
    with torch.no_grad():
        steps = one.model.decode_weighted(fine).double().diff(dim=0).norm(dim=1).numpy()
    along = np.concatenate([[0.0], np.cumsum(steps)])
    return torch.from_numpy(paths.resample(fine.double().numpy(), STEPS, along).astype(np.float32))


def _decode(one: EncodedSamples, latents: Tensor) -> Tensor:
    with torch.no_grad():
        return one.model.decode(latents)
