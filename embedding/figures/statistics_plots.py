"""Plots of statistics: moments of binary codes, mutual information, exact posteriors, regressed latents over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from flatsort.embedding.figures.image_grids import DrawSample, draw_sample
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.representation.imputation import BAND, ImputedSequence
from flatsort.embedding.representation.posterior import GridPosterior
from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = {"linewidth": 1.2}
REFERENCE_LINE = {"linewidth": 3.5, "alpha": 0.45}
"""Of the curve that the others are compared with: wide, so that it can be seen below them."""
REGRESSED_DIMENSIONS = 3
"""Latent dimensions that are plotted over time: those that vary most."""
COLUMNS = 4
"""Posteriors next to each other."""
DRAWS = 400
"""Draws of the chains in a panel."""
MASSES = (0.95, 0.5)
"""Enclosed by the contours and the ellipses."""


def moments_figure(marginals: Mapping[str, Float], covariances: Mapping[str, Float]) -> Figure:
    """Sorted probabilities that a bit is 1 and sorted covariances of pairs, as curves; the first is the reference.

    Parameters
    ----------
    marginals : mapping of str to float64 [d]
        Probabilities, by what the codes are.
    covariances : mapping of str to float64 [d·(d−1)/2]

    References
    ----------
    Fajtl et al.: Latent Bernoulli autoencoder, ICML 2020: the figure of sorted marginals and covariances.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = (("p(bit = 1)", "bit, sorted", marginals), ("covariance", "pair, sorted", covariances))
    for axes, (title, label, curves) in zip(figure.subplots(1, 2), panels, strict=True):
        for index, (name, values) in enumerate(curves.items()):
            axes.plot(sorted(values), label=name, **(LINE if index else REFERENCE_LINE))
        axes.set_title(title, fontsize=9)
        axes.set_xlabel(label, fontsize=8)
        axes.tick_params(labelsize=8)
    figure.axes[0].legend(fontsize=8, frameon=False)
    return figure


def information_figure(tables: Mapping[str, Float], factors: Sequence[str]) -> Figure:
    """Mutual information of latent dimensions (rows) and factors (columns), a panel per model; dark is much.

    Parameters
    ----------
    tables : mapping of str to float64 [d k]
        Mutual information as a share of the factor's entropy, 0..1, by the model's name.
    factors : sequence of str
        Names of the k factors.
    """
    from matplotlib.figure import Figure

    rows = max(len(table) for table in tables.values())
    figure = Figure(figsize=(0.5 * len(factors) * len(tables) + 1.6, 0.22 * rows + 1.4), layout="constrained")
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    for axes, (name, table) in zip(panels, tables.items(), strict=True):
        image = axes.imshow(table, vmin=0, vmax=1, cmap="Greys", aspect="auto", interpolation="nearest")
        axes.set_title(name, fontsize=9)
        axes.set_xticks(range(len(factors)), factors, rotation=60, ha="right", fontsize=7)
        axes.set_yticks(range(len(table)), [f"z{i + 1}" for i in range(len(table))] if len(table) <= 20 else [])
        axes.tick_params(labelsize=7, length=0)
    figure.colorbar(image, ax=list(panels), label="share of the factor's entropy", shrink=0.8)
    return figure


def regressed_latents(imputed: ImputedSequence, frames: Float) -> Figure:
    """The latent dimensions that vary most over the frames: visible, hidden, regressed with a band, interpolated."""
    from matplotlib.figure import Figure

    chosen = np.argsort(-imputed.latents.var(axis=0))[:REGRESSED_DIMENSIONS]
    figure = Figure(figsize=(8.0, 1.9 * len(chosen)), layout="constrained")
    hidden = imputed.hidden
    for axes, d in zip(figure.subplots(len(chosen), 1, sharex=True, squeeze=False).flat, chosen, strict=True):
        mean, std = imputed.mean[:, d], imputed.std[:, d]
        axes.fill_between(
            frames,
            mean - BAND * std,
            mean + BAND * std,
            color="C0",
            alpha=0.2,
            label=f"±{BAND:g} standard deviations",
        )
        axes.plot(frames, mean, color="C0", linewidth=1, label="regressed")
        axes.plot(frames, imputed.interpolated[:, d], color="C3", linewidth=0.8, linestyle="--", label="interpolated")
        axes.plot(frames[~hidden], imputed.latents[~hidden, d], ".", color="0.3", markersize=3, label="visible")
        axes.plot(
            frames[hidden], imputed.latents[hidden, d], "o", mfc="none", color="C1", markersize=3.5, label="hidden"
        )
        axes.set_ylabel(f"z{d + 1}")
    figure.axes[0].legend(ncols=5, fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.axes[-1].set_xlabel("frame")
    return figure


def posterior_figure(
    grid: GridPosterior,
    draws: Tensor,
    gaussians: Sequence[tuple[str, str, Gaussian]],
    samples: Tensor,
    draw: DrawSample = draw_sample,
) -> Figure:
    """A panel per sample: contours of the posterior, draws of the chains, ellipses of Gaussians, the sample itself.

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
    draw : callable
        Draws a sample.
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
        thin = max(1, draws.shape[1] // DRAWS)
        axes.scatter(*draws[i, ::thin].T.numpy(), s=2, c="0.65", linewidths=0)
        density = grid.log_density[i].reshape(len(grid.axis), -1).exp().numpy()
        axes.contour(grid.axis, grid.axis, density, levels=_levels(density), colors="k", linewidths=0.9)
        for _, colour, q in gaussians:
            _ellipses(axes, q.mean[i].double().numpy(), q.log_std[i].double().exp().numpy(), colour)
        _set_limits(axes, draws[i].double().numpy())
        inset = axes.inset_axes((0.76, 0.76, 0.24, 0.24))
        inset.imshow(draw(samples[i]), interpolation="nearest")
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


def _ellipses(axes: Axes, mean: Float, std: Float, colour: str) -> None:
    from matplotlib.patches import Ellipse

    for mass in MASSES:
        width, height = 2 * std * np.sqrt(-2 * np.log(1 - mass))
        axes.add_patch(Ellipse((mean[0], mean[1]), width, height, fill=False, edgecolor=colour, linewidth=1.2))


def _set_limits(axes: Axes, draws: Float) -> None:
    """Axis limits around nearly all draws, with equal units in both directions."""
    low, high = np.quantile(draws, [0.005, 0.995], axis=0)
    middle, half = (low + high) / 2, 0.75 * float((high - low).max())
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    axes.set_aspect("equal")
    axes.tick_params(labelsize=6)
