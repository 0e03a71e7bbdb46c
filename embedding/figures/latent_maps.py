"""Latent spaces as maps in the plane (PCA, t-SNE): samples as thumbnails or as coloured points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.figures.image_grids import EncodedSamples
from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("pca", "tsne")
PERPLEXITY = 30.0
SIDE = 640
"""Pixels of a map of thumbnails."""
THUMBNAILS = 26
"""Thumbnails next to each other across a map, at most."""
MOST_LABELS = 20
"""Labels with a colour of their own; more colours could not be told apart."""


@dataclass(frozen=True, eq=False)
class Colours:
    """Colours of samples by their labels.

    Attributes
    ----------
    of_rows : float64 [n 4]
        RGBA.
    labels : dict of str to str
        For the legend; empty where colours mean no labels.
    """

    of_rows: NDArray[np.float64]
    labels: dict[str, str]

    def legend(self, figure: Figure) -> None:
        """Add a legend of the labels below the figure."""
        from matplotlib.lines import Line2D

        if self.labels:
            marks = [Line2D([], [], marker="o", linestyle="", color=c, label=n) for n, c in self.labels.items()]
            figure.legend(handles=marks, loc="outside lower center", ncols=min(len(marks), 10), frameon=False)


def colours_of(data: SampleSet) -> Colours:
    """Colours by sequence, else by identity, else along the frames; grey if none of them is known."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    for name in ("sequence", "identity"):
        values, index = np.unique(data.columns[name], return_inverse=True)
        if 2 <= len(values) <= MOST_LABELS and values[0] >= 0:
            palette = np.asarray(colormaps["tab10" if len(values) <= 10 else "tab20"](np.arange(len(values))))
            titles = [data.sequences[v] if name == "sequence" and v < len(data.sequences) else str(v) for v in values]
            return Colours(palette[index], {t: to_hex(c) for t, c in zip(titles, palette, strict=True)})
    frame = data.columns["frame"]
    if len(frame) and frame.min() >= 0 and frame.max() > frame.min():
        # a cyclic colour map: the last frame of a swing is next to the first one
        return Colours(np.asarray(colormaps["hsv"](frame / (frame.max() + 1))), {})
    return Colours(np.tile([0.3, 0.3, 0.3, 1.0], (len(data), 1)), {})


def project(latents: Float, method: str, seed: int = 0) -> Float:
    """Project latents [n d] to the plane, [n 2].

    Parameters
    ----------
    latents : float64 [n d]
        At least 3.
    method : str
        ``pca`` or ``tsne``; latents of one dimension lie on a line for PCA.
    seed : int
        Of t-SNE.

    References
    ----------
    van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008 (scikit-learn's implementation).
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if method == "pca":
        projected = PCA(min(2, latents.shape[1]), svd_solver="full").fit_transform(latents)
        return np.asarray(np.pad(projected, ((0, 0), (0, 2 - projected.shape[1]))))
    start = "pca" if latents.shape[1] > 1 else "random"
    perplexity = min(PERPLEXITY, (len(latents) - 1) / 3)
    projected = TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(latents.astype(np.float32))
    return np.asarray(projected, np.float64)


def map_figure(models: Sequence[EncodedSamples], method: str, colours: Colours, seed: int = 0) -> Figure:
    """A map per model; images are drawn as thumbnails, vectors as coloured points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(models), 4.9), layout="constrained")
    for axes, encoded in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        positions = project(encoded.latents.double().numpy(), method, seed)
        if encoded.samples.ndim == 4:
            axes.imshow(thumbnails(positions, encoded), interpolation="antialiased")
        else:
            axes.scatter(positions[:, 0], positions[:, 1], s=9, c=colours.of_rows, linewidths=0)
            axes.set_aspect("equal", adjustable="datalim")
        axes.set(title=f"{encoded.name} ({'PCA' if method == 'pca' else 't-SNE'})", xticks=[], yticks=[])
    if models[0].samples.ndim != 4:
        colours.legend(figure)
    return figure


def thumbnails(positions: Float, encoded: EncodedSamples) -> NDArray[np.uint8]:
    """Samples at their positions [n 2] on white, uint8 [side side 3]; one that would hide another is left out."""
    images = [encoded.draw(sample) for sample in encoded.samples]
    height, width = images[0].shape[:2]
    # all pixels of a small image are kept; a large one is thinned
    thin = max(1, round(max(height, width) * THUMBNAILS / SIDE))
    images = [image[::thin, ::thin] for image in images]
    height, width = images[0].shape[:2]
    scale = max(1, SIDE // (THUMBNAILS * max(height, width)))
    height, width = height * scale, width * scale
    low, high = positions.min(0), positions.max(0)
    free = np.array([SIDE - width, SIDE - height])
    corner = (positions - low) / np.maximum((high - low).max(), 1e-12) * free.min()
    canvas = np.full((SIDE, SIDE, 3), 255, np.uint8)
    taken = np.zeros((SIDE, SIDE), bool)
    for (x, y), small in zip(np.rint(corner).astype(int).tolist(), images, strict=True):
        top = SIDE - height - y
        region = (slice(top, top + height), slice(x, x + width))
        if taken[region].mean() <= 0.35:
            canvas[region] = np.kron(small, np.ones((scale, scale, 1), np.uint8))
            taken[region] = True
    return canvas
