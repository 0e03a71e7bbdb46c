"""Tiny runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.training.config import TrainConfig
from flatsort.tracker.config import load

QUICK = (
    "steps=24",
    "batch=8",
    "warmup=4",
    "lr=0.01",
    "log_every=4",
    "eval_every=6",
    "save_every=5",
    "holdout=0.2",
    "tensorboard=false",
    "figures=false",
)


AUGMENT = "augment={mirror: 0.5, shift: 0.1, gain: 0.3, occlusion: 0.5}"
"""Changes of images that draw random numbers, and one that takes a part of another image."""


def vectors(n: int = 50, dim: int = 6) -> SampleSet:
    """Points near a plane; pairs of neighbours are tracklets."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(n, 2)) @ rng.normal(size=(2, dim)) + 0.05 * rng.normal(size=(n, dim))
    return SampleSet(points.astype(np.float32), {"track": np.arange(n) // 2}, note="points near a plane")


def images(n: int = 40) -> SampleSet:
    """Bright bars at random places."""
    rng = np.random.default_rng(0)
    bars = np.zeros((n, 8, 8, 1), np.uint8)
    for bar_image, left in zip(bars, rng.integers(0, 7, n), strict=True):
        bar_image[:, left : left + 2] = 255
    return SampleSet(bars, note="bars")


def sequences(n: int = 50, dim: int = 6) -> SampleSet:
    """Two sequences of points that move on circles."""
    frame = np.arange(n) // 2
    angle = (0.2 * frame + np.arange(n) % 2).astype(np.float64)
    points = np.sin(angle[:, None] + np.arange(dim)).astype(np.float32)
    return SampleSet(points, {"sequence": np.arange(n) % 2, "frame": frame}, ("a", "b"), factors={"angle": angle})


WINDOWS = ("views=windows", "window=4", "stride=2", "model.regress_after=9", "augment.noise=0.1")
"""Of a run of VAER on `sequences` that passes its phases."""


def config(model: str = "vae", *overrides: str, data: SampleSet | None = None) -> TrainConfig:
    """A run of a few milliseconds."""
    shape = (data or vectors()).shape
    size = [f"model.shape={shape}", "model.dim=2", "model.likelihood.sigma=0.3"]
    size += ["model.net.hidden=[8]"] if len(shape) == 1 else ["model.net={width: 8, stem: 2, halvings: 1}"]
    if "vhp" in model:  # short enough for all phases of the constraint to be in a run
        size += ["model.rewo.initial_steps=9", "model.prior={hidden: [8], samples: 3, dim: 2}"]
    return load(TrainConfig, None, [f"model={model}", *size, *QUICK, *overrides])


def weights(out: Path) -> dict[str, torch.Tensor]:
    """All tensors that a run has left: the checkpoint's and those of the last state."""
    last = sorted((out / "state").glob("*.safetensors"))[-1]
    tensors = {**load_file(out / "model.safetensors"), **load_file(last)}
    return {name: tensor.clone() for name, tensor in tensors.items()}  # what was read is the file itself, mapped


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Whether the tensors are equal to the last bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
