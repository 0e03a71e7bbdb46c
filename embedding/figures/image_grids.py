"""Samples as small images, and grids of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from flatsort.embedding.data import builtin
from flatsort.embedding.model import LatentModel
from flatsort.tracker.files import replacing
from flatsort.tracker.types import Float, Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DrawSample = Callable[[Tensor], Image]
"""One sample, float32 [*shape] → RGB uint8 [h w 3]."""
GAP = 2
"""Pixels of white between images."""


def draw_sample(sample: Tensor) -> Image:
    """One sample as RGB, uint8 [h w 3]: an image as it is, a vector as bars.

    Parameters
    ----------
    sample : float32 [channels height width] in 0..1, or [length]
    """
    if sample.ndim == 1:
        return _bars(sample.double().cpu().numpy())
    image = sample.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    # a decoder may have any number of channels: the first three, or grey
    return np.ascontiguousarray(image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2))


def drawing_for(note: str) -> DrawSample:
    """How samples of the data set with this note are drawn."""
    draw_vector = builtin.drawing_of(note)

    def draw(sample: Tensor) -> Image:
        if draw_vector is None or sample.ndim > 1:
            return draw_sample(sample)
        return draw_vector(sample.double().cpu().numpy())

    return draw


@dataclass(frozen=True, eq=False)
class EncodedSamples:
    """Samples, and a model that has encoded them.

    Attributes
    ----------
    name : str
        Of the model, in figures.
    model : LatentModel
    samples : float32 [n *shape]
    latents : float32 [n d]
        Of the samples.
    draw : callable
        Draws a sample.
    """

    name: str
    model: LatentModel
    samples: Tensor
    latents: Tensor
    draw: DrawSample = draw_sample


def image_grid(rows: Sequence[tuple[str, Tensor]], title: str = "", draw: DrawSample = draw_sample) -> Figure:
    """Rows of samples with a label each.

    Parameters
    ----------
    rows : sequence of str and float32 [n *shape]
        n may differ between rows; the samples' shape must not.
    title : str
    draw : callable
        Draws a sample.
    """
    from matplotlib.figure import Figure

    strips = [_strip([draw(sample) for sample in samples]) for _, samples in rows]
    height, width = strips[0].shape[0], max(strip.shape[1] for strip in strips)
    canvas = np.full((len(strips) * height, width, 3), 255, np.uint8)
    for i, strip in enumerate(strips):
        canvas[i * height : (i + 1) * height, : strip.shape[1]] = strip
    # an image is about half an inch high, however many pixels it has
    inches = 0.55 / height
    figure = Figure(figsize=(max(width * inches, 2.0) + 2.0, len(strips) * 0.55 + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(canvas, interpolation="nearest")
    axes.set_yticks(np.arange(len(strips)) * height + height / 2, [label for label, _ in rows], fontsize=8)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=9)
    return figure


def save_figure(figure: Figure, path: str | Path, dpi: int = 90) -> None:
    """Write a figure as PNG, whole or not at all."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi, bbox_inches="tight")


def _strip(images: Sequence[Image]) -> NDArray[np.uint8]:
    framed = [np.pad(image, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255) for image in images]
    return np.concatenate(framed, axis=1)


def _bars(values: Float, height: int = 48) -> Image:
    """Values as vertical bars around a middle line; ±3 fill the height."""
    n = len(values)
    image = np.full((height, max(n, 24), 3), 255, np.uint8)
    owner = np.arange(image.shape[1]) * n // image.shape[1]
    ends = np.clip(height / 2 * (1 - np.clip(values[owner] / 3, -1, 1)), 0, height)
    y = np.arange(height)[:, None] + 0.5
    inside = (y > np.minimum(ends, height / 2)) & (y < np.maximum(ends, height / 2))
    image[inside] = (70, 100, 160)
    return image
