"""Interpolations through a latent space, reconstructions, samples of the prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from flatsort.embedding.figures.sheets import Shown, sheet
from flatsort.embedding.geometry import paths
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 12
"""Pictures of an interpolation."""
NODES = 300
"""Samples that graph interpolations go over."""
CANDIDATES = 8
"""Random pairs that an interpolation's ends are chosen from."""
COLUMNS = 16
"""Pictures of a row of reconstructions or samples."""


def interpolations(models: Sequence[Shown], pairs: Sequence[tuple[int, int]], seed: int = 0) -> Figure:
    """Strips between samples: straight, and over the graph with Riemannian edges, for each model.

    The graph's nodes are samples of the model's prior, or encoded data where it has none.

    Parameters
    ----------
    models : sequence of Shown
        Of the same samples.
    pairs : sequence of two int
        Rows of the samples to go from and to.
    seed : int

    References
    ----------
    Klushyn et al., Learning hierarchical priors in VAEs, NeurIPS 2019, section 3.3.
    """
    rows = []
    for shown in models:
        ends = shown.latents[[row for pair in pairs for row in pair]]
        graph = _graph(shown, ends, seed)
        for i in range(len(pairs)):
            start, end = ends[2 * i], ends[2 * i + 1]
            straight = paths.straight(start[None], end[None], STEPS - 1)
            bend = paths.curvature(shown.model.observe, straight)[0]
            around = _even(shown, graph.path(2 * i, 2 * i + 1))
            rows.append((f"{shown.name}\nstraight ({bend:.1f})", _decode(shown, straight[0])))
            rows.append((f"{shown.name}\ngraph", _decode(shown, around)))
    return sheet(rows, "Interpolations; in brackets the curvature of the straight one (0: even change)")


def choose_pairs(samples: Tensor, count: int, seed: int = 0) -> list[tuple[int, int]]:
    """Rows of samples [n *shape] to interpolate between: of some random pairs each time the most different one."""
    generator = RandomGenerator(seed, "pairs")
    pairs = []
    for _ in range(count):
        drawn = (generator.uniform(2 * CANDIDATES) * len(samples)).long().reshape(CANDIDATES, 2)
        apart = (samples[drawn[:, 0]] - samples[drawn[:, 1]]).flatten(1).norm(dim=1)
        start, end = drawn[apart.argmax()].tolist()
        pairs.append((start, end))
    return pairs


def reconstructions(models: Sequence[Shown]) -> Figure:
    """A row of samples, and below it each model's reconstruction of them."""
    with torch.no_grad():
        first = models[0].model.likelihood.standardise(models[0].samples[:COLUMNS])
    return sheet([("samples", first), *((m.name, _decode(m, m.latents[:COLUMNS])) for m in models)], "Reconstructions")


def samples(models: Sequence[Shown], seed: int = 0) -> Figure | None:
    """Samples of every model's prior; None if no model has one."""
    rows = []
    for shown in models:
        drawn = shown.model.sample(2 * COLUMNS, RandomGenerator(seed, "samples"))
        if drawn is not None:
            rows += [(shown.name, _decode(shown, part)) for part in torch.split(drawn.detach(), COLUMNS)]
    return sheet(rows, "Samples of the prior") if rows else None


def _graph(shown: Shown, ends: Tensor, seed: int) -> paths.LatentGraph:
    with torch.no_grad():
        drawn = shown.model.sample(NODES, RandomGenerator(seed, "graph"))
    nodes = shown.latents[:NODES] if drawn is None else drawn
    every = torch.cat([ends, nodes]).double().numpy()
    return paths.neighbour_graph(every, observe=shown.model.observe)


def _even(shown: Shown, path: Float) -> Tensor:
    """A path over a graph at STEPS places, equally far from each other among the decoded samples."""
    fine = torch.from_numpy(paths.resample(path, 20 * STEPS).astype(np.float32))
    with torch.no_grad():
        steps = shown.model.observe(fine).double().diff(dim=0).norm(dim=1).numpy()
    along = np.concatenate([[0.0], np.cumsum(steps)])
    return torch.from_numpy(paths.resample(fine.double().numpy(), STEPS, along).astype(np.float32))


def _decode(shown: Shown, latents: Tensor) -> Tensor:
    with torch.no_grad():
        return shown.model.decode(latents)
