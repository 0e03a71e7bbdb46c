"""Small models and samples for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch

from embedding.likelihood import LikelihoodConfig
from embedding.model import MODELS, Batch, LatentModel, ModelConfig, build
from embedding.nets import NetConfig
from embedding.noise import Noise
from embedding.objectives.hierarchical import PriorConfig

IMAGE, VECTOR = [3, 16, 8], [6]
NET = NetConfig(width=8, stem=2, halvings=1, hidden=[16])


def config(name: str, shape: list[int] = VECTOR, kind: str = "gaussian", **settings: Any) -> ModelConfig:
    """Config of a small model."""
    small = cast("ModelConfig", MODELS.config(name)(name=name))
    if hasattr(small, "prior"):
        settings = {"prior": PriorConfig(dim=2, hidden=[16], samples=4), **settings}
    if name == "pca_ae":
        settings = {"stage_steps": 1, **settings}
    return replace(small, shape=shape, dim=4, net=NET, likelihood=LikelihoodConfig(kind=kind), **settings)


def model(name: str, shape: list[int] = VECTOR, kind: str = "gaussian", seed: int = 0, **settings: Any) -> LatentModel:
    """A small model."""
    return build(config(name, shape, kind, **settings), seed)


def batch(shape: list[int] = VECTOR, n: int = 8) -> Batch:
    """Samples between 0 and 1 that lie near a surface of two dimensions."""
    angles = Noise(9).uniform(n, 2) * 6
    weights = Noise(10).normal(2, int(torch.tensor(shape).prod()))
    samples = torch.sigmoid(torch.sin(angles) @ weights).reshape(n, *shape)
    return Batch(samples, samples)


def train(trained: LatentModel, samples: Batch, steps: int, rate: float = 1e-2) -> dict[str, float]:
    """A few steps of training; the terms of the last."""
    optimizer = torch.optim.Adam(trained.parameters(), rate)
    terms: dict[str, torch.Tensor] = {}
    for step in range(steps):
        loss = trained.loss(samples, Noise(0, step), step)
        optimizer.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        trained.after_step(step, lambda mean: mean)
        terms = loss.terms
    return {name: float(term.detach()) for name, term in terms.items()}
