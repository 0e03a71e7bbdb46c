"""Walks along the single numbers of a latent, and how much the picture depends on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from flatsort.embedding.figures.sheets import sheet
from flatsort.embedding.objectives.decorrelation import importances

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from flatsort.embedding.model import LatentModel


@dataclass(frozen=True, eq=False)
class Dimensions:
    """The numbers of a model's latents, over samples.

    Attributes
    ----------
    mean, deviation : float32 [d]
    importance : float32 [d]
        Root mean square change of the decoded picture, as the likelihood weighs it, where the number is put to its
        mean: `embedding.objectives.decorrelation.importances`.
    """

    mean: Tensor
    deviation: Tensor
    importance: Tensor

    @property
    def ranking(self) -> list[int]:
        """The dimensions, the most important first."""
        order: list[int] = self.importance.argsort(descending=True, stable=True).tolist()
        return order


def dimensions(model: LatentModel, latents: Tensor) -> Dimensions:
    """Mean, deviation and importance of each number of latents [n d] of samples."""
    return Dimensions(latents.mean(0), latents.std(0, unbiased=False), importances(model.observe, latents))


def traverse(around: Tensor, dimension: int, deviation: float, reach: float, pictures: int) -> Tensor:
    """Latents [pictures d] around one [d]: one number goes from −reach to +reach deviations from it, evenly."""
    walk = around.repeat(pictures, 1)
    walk[:, dimension] += deviation * torch.linspace(-reach, reach, pictures)
    return walk


def traversals(
    model: LatentModel, found: Dimensions, order: Sequence[int], around: Tensor, reach: float, pictures: int
) -> Figure:
    """A row of decoded pictures for each dimension of ``order``, labelled with its share of the importances' squares.

    Parameters
    ----------
    model : LatentModel
    found : Dimensions
    order : sequence of int
    around : float32 [d]
        The latent in the middle of all rows.
    reach : float
        Deviations to either side.
    pictures : int
        In a row.
    """
    shares = found.importance.square() / found.importance.square().sum().clamp_min(1e-30)
    rows = []
    for i in order:
        with torch.no_grad():
            decoded = model.decode(traverse(around, i, float(found.deviation[i]), reach, pictures))
        rows.append((f"z{i + 1}: {100 * float(shares[i]):.1f} %", decoded))
    return sheet(rows, f"From −{reach:g} to +{reach:g} deviations; share of the change of the picture")
