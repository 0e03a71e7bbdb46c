"""Exact posteriors of single samples beside the Gaussians of the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from flatsort.embedding.figures.sheets import picture
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.representation.posterior import GridPosterior
from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
SHOWN = 400
"""Draws of the chains in a panel."""
MASSES = (0.95, 0.5)
"""Enclosed by the contours and the ellipses."""


def posterior_figure(
    grid: GridPosterior, draws: Tensor, gaussians: Sequence[tuple[str, str, Gaussian]], samples: Tensor
) -> Figure:
    """A panel a sample: contours of the posterior, draws of the chains, ellipses of Gaussians, the sample itself.

    Contours and ellipses enclose half and 95 % of the mass.

    Parameters
    ----------
    grid : GridPosterior
        Of n samples.
    draws : float32 [n s 2]
        Of Metropolis.
    gaussians : sequence of (str, str, Gaussian)
        Name, colour, and n of them [n 2].
    samples : float32 [n *shape]
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    n = len(samples)
    rows = -(-n // COLUMNS)
    figure = Figure(figsize=(2.3 * min(n, COLUMNS), 2.3 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, min(n, COLUMNS), squeeze=False).flat
    for i, axes in enumerate(panels):
        if i >= n:
            axes.set_axis_off()
            continue
        thin = max(1, draws.shape[1] // SHOWN)
        axes.scatter(*draws[i, ::thin].T.numpy(), s=2, c="0.65", linewidths=0)
        density = grid.log_density[i].reshape(len(grid.axis), -1).exp().numpy()
        axes.contour(grid.axis, grid.axis, density, levels=_levels(density), colors="k", linewidths=0.9)
        for _, colour, q in gaussians:
            _ellipses(axes, q.mean[i].double().numpy(), q.log_deviation[i].double().exp().numpy(), colour)
        _frame(axes, draws[i].double().numpy())
        inset = axes.inset_axes((0.76, 0.76, 0.24, 0.24))
        inset.imshow(picture(samples[i]), interpolation="nearest")
        inset.set(xticks=[], yticks=[])
    marks = [
        Line2D([], [], color="k", label="posterior"),
        Line2D([], [], marker=".", ls="", color="0.65", label="MCMC"),
    ]
    marks += [Line2D([], [], color=colour, label=name) for name, colour, _ in gaussians]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False, fontsize=8)
    return figure


def _levels(density: Float) -> list[float]:
    """Densities whose contours enclose `MASSES`."""
    falling = np.sort(density.ravel())[::-1]
    share = np.cumsum(falling) / falling.sum()
    return [float(falling[np.searchsorted(share, mass)]) for mass in MASSES]


def _ellipses(
    axes: Axes,
    mean: Float,
    deviation: Float,
    colour: str,
) -> None:
    from matplotlib.patches import Ellipse

    for mass in MASSES:
        across = 2 * deviation * np.sqrt(-2 * np.log(1 - mass))
        axes.add_patch(Ellipse((mean[0], mean[1]), across[0], across[1], fill=False, edgecolor=colour, linewidth=1.2))


def _frame(axes: Axes, draws: Float) -> None:
    """Limits around nearly all draws, one unit alike in both directions."""
    low, high = np.quantile(draws, [0.005, 0.995], axis=0)
    middle, half = (low + high) / 2, 0.75 * float((high - low).max())
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    axes.set_aspect("equal")
    axes.tick_params(labelsize=6)
