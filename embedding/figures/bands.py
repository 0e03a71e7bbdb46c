"""Regressed latents over time with their bands, and the frames that were filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatsort.embedding.figures.sheets import sheet
from flatsort.embedding.representation.imputation import BAND, Filled
from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUMBERS = 3
"""Numbers of a latent that are drawn: those that vary most."""
COLUMNS = 14
"""Frames that are drawn."""


def bands(filled: Filled, frames: Float) -> Figure:
    """Latents that vary most over the frames: seen, hidden, regressed with a band, interpolated."""
    from matplotlib.figure import Figure

    chosen = np.argsort(-filled.latents.var(axis=0))[:NUMBERS]
    figure = Figure(figsize=(8.0, 1.9 * len(chosen)), layout="constrained")
    hidden = filled.hidden
    for axes, d in zip(figure.subplots(len(chosen), 1, sharex=True, squeeze=False).flat, chosen, strict=True):
        mean, deviation = filled.mean[:, d], filled.deviation[:, d]
        axes.fill_between(
            frames,
            mean - BAND * deviation,
            mean + BAND * deviation,
            color="C0",
            alpha=0.2,
            label=f"±{BAND:g} deviations",
        )
        axes.plot(frames, mean, color="C0", linewidth=1, label="regressed")
        axes.plot(frames, filled.interpolated[:, d], color="C3", linewidth=0.8, linestyle="--", label="interpolated")
        axes.plot(frames[~hidden], filled.latents[~hidden, d], ".", color="0.3", markersize=3, label="seen")
        axes.plot(
            frames[hidden], filled.latents[hidden, d], "o", mfc="none", color="C1", markersize=3.5, label="hidden"
        )
        axes.set_ylabel(f"z{d + 1}")
    figure.axes[0].legend(ncols=5, fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.axes[-1].set_xlabel("frame")
    return figure


def frames_filled(filled: Filled) -> Figure:
    """Hidden frames, evenly chosen, over what each method made of them."""
    some = np.unique(np.linspace(0, len(filled.truth) - 1, COLUMNS).round().astype(np.int64))
    rows = [("hidden frame", filled.truth[some])]
    return sheet([*rows, *((name, pictures[some]) for name, pictures in filled.pictures.items())])
