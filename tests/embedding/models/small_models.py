"""Small models and samples for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch

from flatsort.embedding.likelihood import LikelihoodConfig
from flatsort.embedding.model import MODELS, Batch, LatentModel, ModelConfig, build
from flatsort.embedding.models.vhp_vae import PriorConfig
from flatsort.embedding.nets import NetConfig
from flatsort.embedding.objectives.vector_quantisation import CodebookConfig
from flatsort.embedding.priors.pixel_cnn import PixelCNNConfig
from flatsort.embedding.random_generator import RandomGenerator

IMAGE, VECTOR = [3, 16, 8], [6]
NET = NetConfig(width=8, stem=2, halvings=1, hidden=[16])


def config(name: str, shape: list[int] = VECTOR, kind: str = "gaussian", **settings: Any) -> ModelConfig:
    """Config of a small model."""
    small = cast("ModelConfig", MODELS.config(name)(name=name))
    if hasattr(small, "prior"):
        settings = {"prior": PriorConfig(dim=2, hidden=[16], samples=4), **settings}
    if name == "pca_ae":
        settings = {"stage_steps": 1, **settings}
    if hasattr(small, "codebook"):
        symbols = {"codebook": CodebookConfig(codes=16), "pixel_cnn": PixelCNNConfig(width=8, layers=2)}
        settings = {**symbols, "prior_after": 3, **settings}
    return replace(small, shape=shape, dim=4, net=NET, likelihood=LikelihoodConfig(kind=kind), **settings)


def model(name: str, shape: list[int] = VECTOR, kind: str = "gaussian", seed: int = 0, **settings: Any) -> LatentModel:
    """A small model."""
    return build(config(name, shape, kind, **settings), seed)


def first_phase(name: str) -> dict[str, Any]:
    """Settings that keep a small model in the phase in which it learns to reconstruct."""
    return {"prior_after": 0} if hasattr(MODELS.config(name)(), "prior_after") else {}


def batch(shape: list[int] = VECTOR, n: int = 8) -> Batch:
    """Samples between 0 and 1 that lie near a surface of two dimensions."""
    angles = RandomGenerator(9).uniform(n, 2) * 6
    weights = RandomGenerator(10).normal(2, int(torch.tensor(shape).prod()))
    samples = torch.sigmoid(torch.sin(angles) @ weights).reshape(n, *shape)
    return Batch(samples, samples)


def train(trained: LatentModel, samples: Batch, steps: int, rate: float = 1e-2) -> dict[str, float]:
    """A few steps of training; the terms of the last."""
    optimizer = torch.optim.Adam(trained.parameters(), rate)
    terms: dict[str, torch.Tensor] = {}
    for step in range(steps):
        loss = trained.loss(samples, RandomGenerator(0, step), step)
        optimizer.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        trained.after_step(step, lambda mean: mean)
        terms = loss.terms
    return {name: float(term.detach()) for name, term in terms.items()}
