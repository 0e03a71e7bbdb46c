"""Plots of evaluation results: HOTA curves and identity timelines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flatsort.tracker.files import replacing
from flatsort.tracker.metrics.evaluation import Evaluation, SequenceResult
from flatsort.tracker.types import Int

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (0, 1, 2, 3, 4, 5, 6, 8, 9)
"""Colours of matplotlib's cycle without grey, which marks misses."""


def hota_curves(evaluation: Evaluation) -> Figure:
    """Plot pooled HOTA, DetA and AssA over the localisation threshold, with HOTA of each sequence in the background."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    if len(evaluation.sequences) > 1:
        for result in evaluation.sequences.values():
            axes.plot(result.hota.alphas, result.hota.curve("HOTA"), color="0.8", linewidth=0.8, zorder=1)
    for name in ("HOTA", "DetA", "AssA"):
        curve = evaluation.hota.curve(name)
        axes.plot(evaluation.hota.alphas, curve, marker=".", label=f"{name} {curve.mean():.1f}")
    axes.set(xlabel="localisation threshold α (IoU)", ylabel="percent", xlim=(0, 1), ylim=(0, 100))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def identity_timeline(result: SequenceResult) -> Figure:
    """Plot one line for each ground truth identity: the colour is that of the matched prediction, grey is a miss.

    A black tick is an identity switch. Colours are used for several ids, so that only a change of colour has a meaning.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.figure import Figure

    timeline = result.timeline
    first, last, gt, pred = segments(timeline.frames, timeline.gt, timeline.pred)
    figure = Figure(figsize=(10.0, float(np.clip(0.14 * len(result.gt_labels) + 1.0, 2.0, 40.0))), layout="constrained")
    axes = figure.subplots()
    palette = np.array([to_rgba(f"C{i}") for i in COLOURS])
    palette = np.concatenate([palette, 0.5 + 0.5 * palette])
    colours = np.where(pred[:, None] < 0, to_rgba("0.85"), palette[pred % len(palette)])
    axes.hlines(gt, first - 0.5, last + 0.5, colors=list(colours), linewidths=5, capstyle="butt")
    axes.plot(timeline.frames[timeline.switch], timeline.gt[timeline.switch], "k|", markersize=7)
    axes.set_yticks(np.arange(len(result.gt_labels)), [str(label) for label in result.gt_labels], fontsize=6)
    axes.set_ylim(max(len(result.gt_labels), 1) - 0.5, -0.5)
    axes.set(xlabel="frame", ylabel="ground truth identity", title=f"{result.name}: {result.scores.ids} switches")
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, atomically."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def segments(frames: Int, gt: Int, pred: Int) -> tuple[Int, Int, Int, Int]:
    """Join successive frames in which a ground truth has the same prediction: first and last frame, gt, pred [s]."""
    order = np.lexsort((frames, gt))
    frames, gt, pred = frames[order], gt[order], pred[order]
    begins = np.ones(len(frames), bool)
    begins[1:] = (np.diff(gt) != 0) | (np.diff(pred) != 0) | (np.diff(frames) != 1)
    ends = np.roll(begins, -1)
    return frames[begins], frames[ends], gt[begins], pred[begins]
