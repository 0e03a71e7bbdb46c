"""Equidistance contours over log magnification of 2-D latent spaces: circles of one size show a flat space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from flatsort.embedding.figures.image_grids import EncodedSamples
from flatsort.embedding.figures.latent_maps import Colours
from flatsort.embedding.geometry.metric import log_magnification, metric_tensor
from flatsort.embedding.geometry.paths import LatentGraph, grid_graph
from flatsort.tracker.types import Float, Int

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

CELLS, LEAST_CELLS = 88, 16
"""Cells of the grid along its longer side, and at least along its shorter one."""
MARGIN = 0.12
"""Margin around the encoded samples, as a share of the longer side."""
CENTRES = 6
RINGS = 4
SHADES = 15
GREATEST_MAGNIFICATION = 3.0
"""Ends of the colour map, nats: a volume of e³ or e⁻³ times the median one."""


@dataclass(frozen=True, eq=False)
class LatentPlane:
    """A 2-D latent space on a grid.

    Attributes
    ----------
    axes : float64 [w] and [h]
    graph : LatentGraph
        Over the grid, with Riemannian lengths.
    magnification : float64 [h w]
        ½ log det G minus its median at the samples, nats.
    scale : float
        √c² at the samples.
    """

    axes: tuple[Float, Float]
    graph: LatentGraph
    magnification: Float
    scale: float


def latent_plane(encoded: EncodedSamples) -> LatentPlane:
    """The metric of a model with two latent dimensions on a grid around its latents.

    Raises
    ------
    ValueError
        If the latent space has another dimension.
    """
    if encoded.latents.shape[1] != 2:
        raise ValueError(f"contours: expected 2 latent dimensions, got {encoded.latents.shape[1]} ({encoded.name})")
    latents = encoded.latents.double().numpy()
    low, high = latents.min(0), latents.max(0)
    long = max(float((high - low).max()), 1e-6) * (1 + 2 * MARGIN)
    middle, sides = (low + high) / 2, np.maximum(high - low + 2 * MARGIN * (high - low).max(), long / 5)
    counts = np.maximum(np.rint(CELLS * sides / long).astype(int), LEAST_CELLS)
    x, y = (np.linspace(m - s / 2, m + s / 2, n) for m, s, n in zip(middle, sides, counts, strict=True))
    nodes = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    tensors = metric_tensor(encoded.model.decode_weighted, torch.from_numpy(nodes.astype(np.float32)), chunk=512)
    at_samples = metric_tensor(encoded.model.decode_weighted, encoded.latents, chunk=512)
    scale = float(at_samples.diagonal(dim1=1, dim2=2).mean())
    relative = log_magnification(tensors) - log_magnification(at_samples).median()
    graph = grid_graph(encoded.model.decode_weighted, (x, y), tensors.numpy())
    return LatentPlane((x, y), graph, relative.reshape(len(y), len(x)).numpy(), np.sqrt(scale))


def metric_figure(models: Sequence[EncodedSamples], colours: Colours, seed: int = 0) -> Figure:
    """A panel per model: rings of equal distance around some samples, and shortest paths between these.

    The distances of the rings are the same shares of the plane's size times c in every panel, so that an isometric
    decoder has circles of the same size in all panels.

    Raises
    ------
    ValueError
        See `latent_plane`.

    References
    ----------
    Chen et al., Learning flat latent manifolds with VAEs, ICML 2020, figure 5.
    """
    from matplotlib.figure import Figure

    planes = [latent_plane(encoded) for encoded in models]
    widths = [np.ptp(plane.axes[0]) / np.ptp(plane.axes[1]) for plane in planes]
    figure = Figure(figsize=(4.2 * sum(widths) + 0.7 * len(models) + 1.2, 5.0), layout="constrained")
    panels = figure.subplots(1, len(models), squeeze=False, width_ratios=widths)[0]
    for axes, encoded, plane in zip(panels, models, planes, strict=True):
        image = _draw(axes, encoded, plane, colours, seed)
    label = "log magnification, nats above the median at samples"
    figure.colorbar(image, ax=list(panels), label=label, extend="both", shrink=0.8)
    colours.legend(figure)
    return figure


def _draw(axes: Axes, encoded: EncodedSamples, plane: LatentPlane, colours: Colours, seed: int) -> AxesImage:
    from matplotlib import colormaps

    x, y = plane.axes
    extent = (x[0], x[-1], y[0], y[-1])
    steps = colormaps["PuOr_r"].resampled(SHADES)
    image = axes.imshow(
        plane.magnification,
        origin="lower",
        extent=extent,
        cmap=steps,
        vmin=-GREATEST_MAGNIFICATION,
        vmax=GREATEST_MAGNIFICATION,
        alpha=0.8,
    )
    latents = encoded.latents.double().numpy()
    axes.scatter(latents[:, 0], latents[:, 1], s=4, c=colours.of_rows, linewidths=0)
    centres = _centres(latents, plane.graph, seed)
    size = float(np.hypot(x[-1] - x[0], y[-1] - y[0])) * plane.scale
    levels = (np.arange(RINGS) + 1) * size / 36
    for distances in plane.graph.distances(centres):
        field = np.nan_to_num(distances.reshape(len(y), len(x)), posinf=1e9)
        axes.contour(x, y, field, levels=levels, colors="k", linewidths=0.7)
    for centre in centres[1:]:
        axes.plot(*plane.graph.path(int(centres[0]), int(centre)).T, color="C3", linewidth=1.0, linestyle="--")
    axes.set(title=encoded.name, xlabel="z1", ylabel="z2", xlim=extent[:2], ylim=extent[2:])
    axes.set_aspect("equal")
    return image


def _centres(latents: Float, graph: LatentGraph, seed: int) -> Int:
    """Nodes of the grid nearest to the central samples of clusters."""
    from sklearn.cluster import KMeans

    clusters = min(CENTRES, len(np.unique(latents, axis=0)))
    means = KMeans(clusters, n_init=1, random_state=seed).fit(latents).cluster_centers_
    # there may be no samples near a mean
    members = latents[np.argmin(np.linalg.norm(means[:, None] - latents, axis=2), axis=1)]
    return np.unique(np.argmin(np.linalg.norm(members[:, None] - graph.nodes, axis=2), axis=1))
