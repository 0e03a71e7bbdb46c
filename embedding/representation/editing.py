"""Editing of attributes in a latent space along directions of labelled examples, and a classifier that evaluates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flatsort.embedding.nets import mlp
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.types import Bool, Float, Int

MOST_VALUES = 12
"""Greatest number of values that are classes each; with more, each quarter of the samples is a class."""
STEPS, BATCH, RATE = 800, 64, 2e-3
"""Training of the classifier."""
WIDTH, COARSE = 32, 8
"""Channels of the classifier's feature maps, and the height that they are halved down to."""


def classes_of(values: Float) -> Int:
    """Class of each value [n]: its rank among the distinct ones, or the quarter that it lies in."""
    distinct = np.unique(values)
    if len(distinct) <= MOST_VALUES:
        return np.searchsorted(distinct, values).astype(np.int64)
    return np.searchsorted(np.quantile(values, [0.25, 0.5, 0.75]), values, side="right").astype(np.int64)


def mean_difference(latents: Tensor, has: Bool) -> Tensor:
    """Mean latent [d] of the examples [n d] with an attribute, minus that of the examples without.

    Raises
    ------
    ValueError
        If all or none have it.
    """
    if has.all() or not has.any():
        raise ValueError(f"attribute: expected examples with and without it, got {int(has.sum())} of {len(has)} with")
    rows = torch.from_numpy(has)
    return latents[rows].mean(0) - latents[~rows].mean(0)


def attribute_directions(latents: Tensor, examples: Tensor, has: Bool, neighbours: int) -> Tensor:
    """For each of the latents [n d] the `mean_difference` [n d] of the examples [m d] nearest to it.

    Uses as many examples with the attribute as without. In a latent space where other attributes are bits or angles,
    the direction of an attribute depends on the position. 0 neighbours: one direction from all examples.
    """
    if not neighbours:
        return mean_difference(examples, has).expand_as(latents)
    mean_difference(examples, has)  # raises for examples of one kind
    means = []
    for kind in (has, ~has):
        some = examples[torch.from_numpy(kind)]
        nearest = torch.cdist(latents, some).topk(min(neighbours, len(some)), largest=False).indices
        means.append(some[nearest].mean(1))
    return means[0] - means[1]


def set_bits(codes: Tensor, directions: Tensor, threshold: float) -> Tensor:
    """Codes [n d] with the bits that depend on an attribute set to the values that examples with it have.

    Parameters
    ----------
    codes : float [n d]
        −1 or 1.
    directions : float [d] or [n d]
        See `attribute_directions`: here twice the difference of the probabilities that a bit is 1.
    threshold : float
        Least difference of the probabilities at which a bit is set.

    References
    ----------
    Fajtl et al.: Latent Bernoulli autoencoder, ICML 2020: changing attributes.
    """
    return torch.where(directions.abs() / 2 >= threshold, directions.sign(), codes)


class AttributeClassifier:
    """A classifier of all attributes of a sample, trained on real samples.

    Parameters
    ----------
    samples : float32 [n *shape]
        In 0..1, or vectors.
    labels : mapping of str to int64 [n]
        Class of each sample by attribute.
    seed : int
    """

    def __init__(self, samples: Tensor, labels: Mapping[str, Int], seed: int) -> None:
        self._sizes = {name: int(each.max()) + 1 for name, each in labels.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._net = _classifier(list(samples.shape[1:]), sum(self._sizes.values()))
        self._mean, self._std = samples.mean(0), samples.std().clamp_min(1e-6)
        self._train(samples, {name: torch.from_numpy(each) for name, each in labels.items()}, seed)

    def __call__(self, samples: Tensor) -> dict[str, Int]:
        """Class [n] of samples [n *shape] by attribute."""
        with torch.no_grad():
            scores = torch.cat([self._scores(part) for part in torch.split(samples, 256)])
        return {name: part.argmax(1).numpy() for name, part in self._split(scores).items()}

    def _train(self, samples: Tensor, labels: Mapping[str, Tensor], seed: int) -> None:
        optimiser = torch.optim.AdamW(self._net.parameters(), RATE, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
        for step in range(STEPS):
            rows = (RandomGenerator(seed, f"judge {step}").uniform(BATCH) * len(samples)).long()
            scores = self._split(self._scores(samples[rows]))
            loss = torch.stack([F.cross_entropy(scores[name], each[rows]) for name, each in labels.items()]).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        self._net.eval()

    def _scores(self, samples: Tensor) -> Tensor:
        scores: Tensor = self._net((samples - self._mean) / self._std)
        return scores

    def _split(self, scores: Tensor) -> dict[str, Tensor]:
        return dict(zip(self._sizes, torch.split(scores, list(self._sizes.values()), dim=1), strict=True))


def agreement(first: Mapping[str, Int], second: Mapping[str, Int], names: Sequence[str]) -> dict[str, float]:
    """Share of the samples on which two tables of classes agree, by attribute."""
    return {name: float((first[name] == second[name]).mean()) for name in names}


class _ClassifierHead(nn.Module):
    """Scores from feature maps: a linear layer that depends on the position, and one on maxima over all positions."""

    def __init__(self, channels: int, pixels: int, out: int) -> None:
        super().__init__()
        self.positional, self.pooled = nn.Linear(channels * pixels, out), mlp([channels, 2 * channels, out])

    def forward(self, maps: Tensor) -> Tensor:
        scores: Tensor = self.positional(maps.flatten(1)) + self.pooled(maps.amax((2, 3)))
        return scores


def _classifier(shape: Sequence[int], out: int) -> nn.Module:
    if len(shape) == 1:
        return mlp([shape[0], 128, 128, out])
    height, width = shape[1:]
    layers: list[nn.Module] = []
    channels = shape[0]
    while height > COARSE or not layers:
        stride = 2 if height > COARSE else 1
        layers += [nn.Conv2d(channels, WIDTH, 3, stride, padding=1), nn.BatchNorm2d(WIDTH), nn.ReLU()]
        channels, height, width = WIDTH, -(-height // stride), -(-width // stride)
    layers += [nn.Conv2d(WIDTH, 2 * WIDTH, 3, padding=1), nn.BatchNorm2d(2 * WIDTH), nn.ReLU()]
    return nn.Sequential(*layers, _ClassifierHead(2 * WIDTH, height * width, out))
