"""How an autoencoder codes size and place of a shape: codes, profiles, maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def codes(code: Float, factors: Mapping[str, Float], fit: Mapping[str, float]) -> Figure:
    """A code of one number [n] against factors [n], with the share of its variance that a line explains."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(factors), 2.8), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(factors), squeeze=False)[0], factors.items(), strict=True):
        axes.plot(values, code, ".", markersize=2, color="0.3")
        axes.set(xlabel=f"{name} of the shape", ylabel="code", title=f"R² {fit[name]:.3f}")
        axes.grid(alpha=0.3)
    return figure


def profiles(inputs: Float, outputs: Float, titles: Sequence[str]) -> Figure:
    """Values along the middle row [n width] of pictures and of what became of them, a panel a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.6 * len(titles), 2.3), layout="constrained")
    panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    for axes, before, after, title in zip(panels, inputs, outputs, titles, strict=True):
        axes.plot(before, color="0.6", label="input")
        axes.plot(after, color="C3", label="output")
        axes.set(title=title, xlabel="t (pixels)")
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize=7)
    return figure


def comparison(places: Float, curves: Mapping[str, Float], title: str) -> Figure:
    """Profiles [n] over the distance from the middle; each is of unit norm in the plane, in units of the first at 0."""
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    norms = {name: np.sqrt((places * curve**2).sum()) for name, curve in curves.items()}
    first = next(iter(norms))
    for (name, curve), style in zip(curves.items(), ("-", "--", ":", "-."), strict=False):
        axes.plot(places, curve * norms[first] / norms[name], style, label=name)
    axes.set(xlabel="ρ (pixels)", ylabel="f(ρ)", title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def maps(latents: Mapping[str, Float], x: Float, y: Float) -> Figure:
    """Latents [n 2] of each model, coloured by x above and by y [n] below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.0 * len(latents), 5.4), layout="constrained")
    rows = figure.subplots(2, len(latents), squeeze=False)
    for row, values, name in zip(rows, (x, y), ("x", "y"), strict=True):
        for axes, (model, points) in zip(row, latents.items(), strict=True):
            axes.scatter(points[:, 0], points[:, 1], c=values, s=4, cmap="viridis")
            axes.set(title=f"{model}, coloured by {name}")
            axes.tick_params(labelsize=7)
    return figure
