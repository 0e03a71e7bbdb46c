"""Moments of binary codes beside those of samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = {"linewidth": 1.2}
FIRST = {"linewidth": 3.5, "alpha": 0.45}
"""Of the curve that the others are compared with: wide, so that it is seen below them."""


def moments_figure(marginals: Mapping[str, Float], covariances: Mapping[str, Float]) -> Figure:
    """Sorted chances that a bit is 1, and sorted covariances of pairs, one curve each; the first is the truth.

    Parameters
    ----------
    marginals : mapping of str to float64 [d]
        Chances by what the codes are.
    covariances : mapping of str to float64 [d·(d−1)/2]

    References
    ----------
    Fajtl et al.: Latent Bernoulli autoencoder, ICML 2020: the figure of sorted marginals and covariances.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = (("p(bit = 1)", "bit, sorted", marginals), ("covariance", "pair, sorted", covariances))
    for axes, (title, below, curves) in zip(figure.subplots(1, 2), panels, strict=True):
        for place, (name, values) in enumerate(curves.items()):
            axes.plot(sorted(values), label=name, **(STYLES if place else FIRST))
        axes.set_title(title, fontsize=9)
        axes.set_xlabel(below, fontsize=8)
        axes.tick_params(labelsize=8)
    figure.axes[0].legend(fontsize=8, frameon=False)
    return figure
