"""The latent space as a map on paper: PCA or t-SNE, samples as thumbnails or as coloured points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flatsort.embedding.figures.colours import Colours
from flatsort.embedding.figures.sheets import Shown, picture
from flatsort.tracker.types import Float

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("pca", "tsne")
PERPLEXITY = 30.0
SIDE = 640
"""Pixels of a map of thumbnails."""
THUMBNAILS = 26
"""Thumbnails next to each other across a map, at most."""


def flatten(latents: Float, method: str, seed: int = 0) -> Float:
    """Latents [n d] on a plane, [n 2].

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
        found = PCA(min(2, latents.shape[1]), svd_solver="full").fit_transform(latents)
        return np.asarray(np.pad(found, ((0, 0), (0, 2 - found.shape[1]))))
    start = "pca" if latents.shape[1] > 1 else "random"
    perplexity = min(PERPLEXITY, (len(latents) - 1) / 3)
    found = TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(latents.astype(np.float32))
    return np.asarray(found, np.float64)


def map_figure(models: Sequence[Shown], method: str, colours: Colours, seed: int = 0) -> Figure:
    """A map a model; images are shown as thumbnails, vectors as coloured points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(models), 4.9), layout="constrained")
    for axes, shown in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        places = flatten(shown.latents.double().numpy(), method, seed)
        if shown.samples.ndim == 4:
            axes.imshow(thumbnails(places, shown), interpolation="antialiased")
        else:
            axes.scatter(places[:, 0], places[:, 1], s=9, c=colours.of_rows, linewidths=0)
            axes.set_aspect("equal", adjustable="datalim")
        axes.set(title=f"{shown.name} ({'PCA' if method == 'pca' else 't-SNE'})", xticks=[], yticks=[])
    if models[0].samples.ndim != 4:
        colours.legend(figure)
    return figure


def thumbnails(places: Float, shown: Shown) -> NDArray[np.uint8]:
    """Samples pasted at their places [n 2] on white, uint8 [side side 3]; one that would hide another is left out."""
    pictures = [picture(sample) for sample in shown.samples]
    height, width = pictures[0].shape[:2]
    # all pixels of a picture are kept when it is small; a large one is thinned
    thin = max(1, round(max(height, width) * THUMBNAILS / SIDE))
    pictures = [p[::thin, ::thin] for p in pictures]
    height, width = pictures[0].shape[:2]
    grow = max(1, SIDE // (THUMBNAILS * max(height, width)))
    height, width = height * grow, width * grow
    low, high = places.min(0), places.max(0)
    room = np.array([SIDE - width, SIDE - height])
    corner = (places - low) / np.maximum((high - low).max(), 1e-12) * room.min()
    canvas = np.full((SIDE, SIDE, 3), 255, np.uint8)
    taken = np.zeros((SIDE, SIDE), bool)
    for (x, y), small in zip(np.rint(corner).astype(int).tolist(), pictures, strict=True):
        top = SIDE - height - y
        place = (slice(top, top + height), slice(x, x + width))
        if taken[place].mean() <= 0.35:
            canvas[place] = np.kron(small, np.ones((grow, grow, 1), np.uint8))
            taken[place] = True
    return canvas
