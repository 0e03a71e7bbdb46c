"""Retrieval as pictures, written as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flatsort.embedding.retrieval.separation import Histogram, Separation
from flatsort.tracker.files import replacing
from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BARS = 80
LEAST = 1e-4
"""Smallest false-match rate that is drawn."""


def roc_curves(separations: Mapping[str, Separation], title: str = "") -> Figure:
    """Draw the share of same pairs that pass over the share of different pairs that do, one line a model.

    Models without pairs of both kinds are left out.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    for name, separation in separations.items():
        if separation.complete:
            false, true, _ = separation.roc()
            axes.plot(np.maximum(false, LEAST / 10), true, label=f"{name} (AUC {separation.auc:.3f})")
    axes.set(xscale="log", xlim=(LEAST, 1), ylim=(0, 1), title=title)
    axes.set(xlabel="different pairs nearer than the limit", ylabel="same pairs nearer than the limit")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(loc="upper left", fontsize=8)
    return figure


def distance_histograms(separations: Mapping[str, Separation], title: str = "") -> Figure:
    """Draw densities of the distances of same and of different pairs, one panel a model.

    Distances are in units of a model's median distance of different pairs, so that panels can be compared.
    """
    from matplotlib.figure import Figure

    columns = min(3, max(len(separations), 1))
    lines = max(-(-len(separations) // columns), 1)
    figure = Figure(figsize=(4.0 * columns, 2.6 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (name, separation) in zip(panels, separations.items(), strict=False):
        unit = float(separation.different.quantile(0.5)) if len(separation.different) else 0.0
        for histogram, label, colour in ((separation.same, "same", "C0"), (separation.different, "different", "C1")):
            edges, density = _density(histogram, unit or 1.0)
            axes.stairs(density, edges, fill=True, alpha=0.5, color=colour, label=f"{label} ({len(histogram):,})")
        axes.set_title(name, fontsize=9)
        axes.set(xlim=(0, 2), yticks=[])
        axes.legend(fontsize=7)
    for axes in panels[len(separations) :]:
        axes.set_axis_off()
    figure.supxlabel("distance / median distance of different pairs", fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def _density(histogram: Histogram, unit: float) -> tuple[Float, Float]:
    """Edges [BARS + 1] and density [BARS] of distances in a unit; what is beyond counts in the last bar."""
    edges = np.linspace(0, 2, BARS + 1)
    bars, _ = np.histogram(np.minimum(histogram.distances / unit, 2), edges, weights=histogram.counts)
    return edges, bars / max(len(histogram), 1) / (edges[1] - edges[0])
