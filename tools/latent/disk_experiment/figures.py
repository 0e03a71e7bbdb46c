"""Figures of the disk experiment: codes against size, inputs and outputs, profiles, maps of positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from flatsort.embedding.figures.image_grids import image_grid, save_figure
from flatsort.tools.latent.disk_experiment.study import TestedModel
from flatsort.tracker.types import Float, Int

if TYPE_CHECKING:
    from matplotlib.figure import Figure


COLUMNS = 10
"""Images in a row."""
RADII = (0.2, 0.4, 0.6, 0.8)
"""Sizes whose profiles are drawn, as shares of the largest."""


def draw_figures(models: Mapping[str, TestedModel], r2: Mapping[str, float], out: Path) -> None:
    """Write the figures of codes, inputs and outputs into a folder.

    Parameters
    ----------
    models : mapping of str to TestedModel
        By name, see `study.RECIPES`.
    r2 : mapping of str to float
        ``r2_radius`` and ``r2_area`` of the model with biases.
    out : Path
    """
    sized, scaled, moving = (models[name] for name in ("biases", "no_biases", "moving"))
    radius, area = (sized.test.factors[name] for name in ("radius", "area"))
    explained = {"radius": r2["r2_radius"], "area": r2["r2_area"]}
    save_figure(code_plot(sized.codes[:, 0], {"radius": radius, "area": area}, explained), out / "code.png")
    order = np.argsort(radius)
    rows = order[np.linspace(0, len(order) - 1, COLUMNS).astype(int)]
    grid = [("input", _images(sized.images, rows)), ("output", _images(sized.outputs, rows))]
    save_figure(image_grid(grid, "Disks of any size in one number"), out / "size.png")

    sizes = scaled.test.factors["radius"]
    middle = scaled.model.config.shape[1] // 2
    rows = np.array([int(np.abs(sizes - middle * share).argmin()) for share in RADII])
    inputs, outputs = (_images(each, rows)[:, 0, middle].numpy() for each in (scaled.images, scaled.outputs))
    save_figure(profile_plots(inputs, outputs, [f"r = {r:.0f}" for r in sizes[rows]]), out / "profiles.png")

    rows = np.arange(COLUMNS)
    by_name = {"plain": moving, "CoordConv": models["moving_coord"]}
    grid = [("input", _images(moving.images, rows))]
    grid += [(name, _images(model.outputs, rows)) for name, model in by_name.items()]
    save_figure(image_grid(grid, "Disks anywhere in two numbers"), out / "place.png")
    x, y = (moving.test.factors[name] for name in ("x", "y"))
    save_figure(position_maps({name: model.codes for name, model in by_name.items()}, x, y), out / "map.png")


def code_plot(code: Float, factors: Mapping[str, Float], r2: Mapping[str, float]) -> Figure:
    """A code of one number [n] against factors [n], with R² of a linear regression."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(factors), 2.8), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(factors), squeeze=False)[0], factors.items(), strict=True):
        axes.plot(values, code, ".", markersize=2, color="0.3")
        axes.set(xlabel=f"{name} of the shape", ylabel="code", title=f"R² {r2[name]:.3f}")
        axes.grid(alpha=0.3)
    return figure


def profile_plots(inputs: Float, outputs: Float, titles: Sequence[str]) -> Figure:
    """Values along the middle row [n width] of inputs and outputs, a panel per image."""
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


def profile_comparison(radii: Float, profiles: Mapping[str, Float], title: str) -> Figure:
    """Profiles [n] over the distance from the centre, scaled to the norm that the first one has in the plane."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    norms = {name: np.sqrt((radii * curve**2).sum()) for name, curve in profiles.items()}
    first = next(iter(norms))
    for (name, curve), style in zip(profiles.items(), ("-", "--", ":", "-."), strict=False):
        axes.plot(radii, curve * norms[first] / norms[name], style, label=name)
    axes.set(xlabel="ρ (pixels)", ylabel="f(ρ)", title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def position_maps(codes: Mapping[str, Float], x: Float, y: Float) -> Figure:
    """Codes [n 2] of each model, coloured by x (above) and y (below) of the disks [n]."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.0 * len(codes), 5.4), layout="constrained")
    rows = figure.subplots(2, len(codes), squeeze=False)
    for row, values, name in zip(rows, (x, y), ("x", "y"), strict=True):
        for axes, (model, points) in zip(row, codes.items(), strict=True):
            axes.scatter(points[:, 0], points[:, 1], c=values, s=4, cmap="viridis")
            axes.set(title=f"{model}, coloured by {name}")
            axes.tick_params(labelsize=7)
    return figure


def _images(flat: Float, rows: Int) -> Tensor:
    """Flattened square images [n m] → some of them, [k 1 side side]."""
    side = round(flat.shape[1] ** 0.5)
    return torch.from_numpy(flat[rows]).reshape(-1, 1, side, side)
