"""Which latent dimension knows of which factor: a table of mutual information as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def information_figure(tables: Mapping[str, Float], factors: Sequence[str]) -> Figure:
    """A panel a model: a row a latent dimension, a column a factor; dark where one says much of the other.

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
