"""Measures of the geometry of a trained model's latent space."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from flatsort.embedding.geometry import paths
from flatsort.embedding.geometry.metric import MetricStatistics, metric_statistics, metric_tensor
from flatsort.embedding.model import LatentModel
from flatsort.embedding.objectives.decorrelation import importances
from flatsort.embedding.objectives.flatness import mixup
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.types import Float

SEGMENTS = 20
"""Parts of a straight interpolation."""
NODES = 300
"""Nodes of the graph for geodesics, at most."""
CHUNK = 256
"""Samples encoded at a time."""


@dataclass(frozen=True)
class LatentGeometry:
    """Geometry of a model's latent space at samples.

    Attributes
    ----------
    dim : int
        Latent dimensions.
    error : float
        Reconstruction error. Gaussian likelihood: its root mean square in units of the samples (images: 0..1, joint
        angles: radians); Bernoulli: nats per value above the samples' own entropy.
    data : MetricStatistics
        Of the metric tensor at the encoded samples.
    between : MetricStatistics
        On and a little beyond the lines between them (`embedding.objectives.flatness.mixup`), where interpolations go.
    geodesic_ratio, geodesic_variation : float
        Length of the shortest path over c times the Euclidean distance, for pairs of samples: mean, and coefficient of
        variation, the relative error of Euclidean distances; flat: ratio 1, variation 0.
    curvature : float
        Mean over straight interpolations of `embedding.geometry.paths.curvature`: 0 is smoothest.
    """

    dim: int
    error: float
    data: MetricStatistics
    between: MetricStatistics
    geodesic_ratio: float
    geodesic_variation: float
    curvature: float

    def flat(self) -> dict[str, float]:
        """All numbers by name, those at data and between them as ``data.condition_median`` and so on."""
        flat: dict[str, float] = {}
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                flat.update({f"{name}.{key}": float(number) for key, number in value.items()})
            else:
                flat[name] = float(value)
        return flat


def encode(model: LatentModel, samples: Tensor) -> Tensor:
    """Latents [n dim] of samples [n *shape]: posterior means, `CHUNK` at a time."""
    with torch.inference_mode():
        encoded = [model.encode(some) for some in torch.split(samples, CHUNK)]
    return torch.cat(encoded).clone()


def reconstruction_error(model: LatentModel, samples: Tensor, latents: Tensor) -> float:
    """See `LatentGeometry.error`."""
    with torch.inference_mode():
        parts = zip(torch.split(latents, CHUNK), torch.split(samples, CHUNK), strict=True)
        errors = torch.cat([model.likelihood.error(model.decoder(z), x) for z, x in parts])
    mean = float(errors.double().mean())
    return mean if model.likelihood.config.kind == "bernoulli" else float(np.sqrt(mean))


def measure_geometry(model: LatentModel, samples: Tensor, seed: int = 0) -> LatentGeometry:
    """Measure the geometry of a model in evaluation mode.

    Parameters
    ----------
    model : LatentModel
    samples : float32 [n *shape]
        At least 3; a few hundred are enough. They should be like the training data, preferably held out.
    seed : int
        Draws the pairs, and the points between samples.

    Raises
    ------
    ValueError
        If the decoder's derivative is not finite or zero everywhere, or all latents are equal.
    """
    generator = RandomGenerator(seed, "geometry")
    latents = encode(model, samples)
    order = generator.permutation(len(latents))
    at_data = metric_statistics(metric_tensor(model.decode_weighted, latents))
    between = metric_statistics(metric_tensor(model.decode_weighted, mixup(latents[order], generator)))
    lines = paths.straight(latents[order[:NODES]], latents[order.roll(1)[:NODES]], SEGMENTS)
    ratio = geodesic_ratios(model, latents[order[:NODES]], at_data.scale)
    return LatentGeometry(
        dim=model.dim,
        error=reconstruction_error(model, samples, latents),
        data=at_data,
        between=between,
        geodesic_ratio=float(ratio.mean()),
        geodesic_variation=float(ratio.std() / ratio.mean()),
        curvature=float(paths.curvature(model.decode_weighted, lines).mean()),
    )


def geodesic_ratios(model: LatentModel, latents: Tensor, scale: float) -> Float:
    """Shortest length between latents [n d] over √scale times their Euclidean distance, for all pairs, [p].

    A path goes over the graph of the latents or straight, whichever is shorter: nodes of the graph do not lie on the
    straight line, so that in a flat space paths over the graph alone would be too long.
    """
    nodes = latents.double().numpy()
    graph = paths.neighbour_graph(nodes, decode=model.decode_weighted)
    rows, cols = np.triu_indices(len(nodes), 1)
    length = graph.distances(np.arange(len(nodes)))[rows, cols]
    # straight lines are decoded for some of the pairs only
    some = np.unique(np.linspace(0, len(rows) - 1, NODES).astype(np.int64))
    rows, cols, length = rows[some], cols[some], length[some]
    direct = paths.lengths(model.decode_weighted, paths.straight(latents[rows], latents[cols], SEGMENTS))
    euclid = np.linalg.norm(nodes[rows] - nodes[cols], axis=1)
    distinct = euclid > paths.TINY
    if not distinct.any():
        raise ValueError("geometry: the encoder gives the same latent for all samples, so that there are no distances")
    ratio: Float = np.minimum(length, direct)[distinct] / (np.sqrt(scale) * euclid[distinct])
    return ratio


@dataclass(frozen=True, eq=False)
class LatentDimensions:
    """The dimensions of a model's latent space, over samples.

    Attributes
    ----------
    mean, std : float32 [d]
    importance : float32 [d]
        Root mean square change of the decoded sample, as the likelihood weighs it, where the dimension is set to its
        mean: `embedding.objectives.decorrelation.importances`.
    """

    mean: Tensor
    std: Tensor
    importance: Tensor

    @property
    def shares(self) -> Tensor:
        """Share [d] of each dimension in the squared importances, float64."""
        squares = self.importance.double().square()
        return squares / squares.sum().clamp_min(1e-30)

    @property
    def ranking(self) -> list[int]:
        """The dimensions, the most important first."""
        order: list[int] = self.importance.argsort(descending=True, stable=True).tolist()
        return order


def latent_dimensions(model: LatentModel, latents: Tensor) -> LatentDimensions:
    """Mean, standard deviation and importance of each dimension of latents [n d] of samples."""
    return LatentDimensions(
        latents.mean(0), latents.std(0, unbiased=False), importances(model.decode_weighted, latents)
    )
