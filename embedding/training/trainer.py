"""Optimisation of a model in one process: loss, optimiser, learning rate, moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from flatsort.embedding.data.augment import augment
from flatsort.embedding.model import Batch, LatentModel, build
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.training.config import TrainConfig
from flatsort.embedding.training.distributed import Group
from flatsort.embedding.training.training_state import optimiser_tensors, restore_optimiser

SYNC = "forward_sync_buffers" if "forward_sync_buffers" in signature(DistributedDataParallel).parameters else ""
KEEP_BUFFERS: dict[str, Any] = {SYNC or "broadcast_buffers": False}
"""Buffers change by means over all processes and so stay the same. The setting has another name from torch 2.14 on."""


class Trainer:
    """Takes optimisation steps; knows no files and no kind of model.

    Parameters
    ----------
    config : TrainConfig
    group : Group
        Processes that share every batch: each gives its rows, all end with the same weights.

    Attributes
    ----------
    model : LatentModel
    """

    def __init__(self, config: TrainConfig, group: Group) -> None:
        self.config, self.group = config, group
        self._layout = _layout(config.model.shape, group.device)
        self.model = build(config.model, config.seed).to(group.device).to(memory_format=self._layout)
        self._loss: nn.Module = _Loss(self.model)
        if config.compile:
            self._loss.compile()
        if group.world > 1:
            self._loss = DistributedDataParallel(
                self._loss, find_unused_parameters=self.model.trains_in_stages, **KEEP_BUFFERS
            )
        self._optimiser = torch.optim.AdamW(self.model.parameters(), weight_decay=config.weight_decay, fused=True)
        self._decay = 0.0
        self._average = AveragedModel(self.model, multi_avg_fn=self._update_average)
        self._average.eval()
        self._autocast = _autocast(config.precision, group.device)

    @property
    def averaged(self) -> LatentModel:
        """The model with averaged weights, in evaluation mode."""
        return cast("LatentModel", self._average.module)

    def init_from_data(self, samples: Tensor) -> None:
        """Initialise what a model takes from samples [n *shape] before the first step and does not change later."""
        for model in (self.model, self.averaged):
            model.init_from_data(samples.to(self.group.device))

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        """Take a step, counted from 0, and return the loss terms and the gradient's norm before clipping.

        Parameters
        ----------
        step : int
        batch : Batch
            What is to be reconstructed, and from what: the same, or another view. Inputs are augmented here.
        """
        config, group = self.config, self.group
        generator = RandomGenerator(config.seed, step, group.device, group.rank, group.world, config.block)
        previous = partial(group.previous, block=config.block)
        inputs = self._in_layout(augment(batch.inputs, config.augment, generator, previous))
        targets = self._in_layout(batch.targets)
        self.model.train()
        with self._autocast:
            total, terms = self._loss(replace(batch, inputs=inputs, targets=targets), generator, step)
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip or math.inf)
        for settings in self._optimiser.param_groups:
            settings["lr"] = learning_rate(step, config)
        self._optimiser.step()
        self._optimiser.zero_grad()
        self.model.after_step(step, group.mean)
        self._decay = ema_decay(step, config.ema)
        self._average.update_parameters(self.model)
        return {**terms, "gradient": norm}

    @torch.no_grad()
    def evaluate(self, step: int, batches: Iterable[Tensor]) -> dict[str, float]:
        """Means of the loss terms of clean samples with the averaged weights.

        Random draws are the same at every evaluation. Every process computes all of it; the main one's result is used.
        """
        generator = RandomGenerator(self.config.seed, "evaluation", self.group.device)
        sums: dict[str, Tensor] = {}
        count = 0
        for batch in batches:
            samples = self._in_layout(batch.to(self.group.device))
            with self._autocast:
                loss = self.averaged.loss(Batch(samples, samples), generator, step)
            for name, value in {"loss": loss.total, "score": loss.score, **loss.terms}.items():
                sums[name] = sums.get(name, 0) + value.detach().double() * len(samples)
            count += len(samples)
        means = self.group.from_main(torch.stack(list(sums.values())) / count)
        return dict(zip(sums, means.tolist(), strict=True))

    def tensors(self) -> dict[str, Tensor]:
        """All tensors that change while training, for `restore`."""
        parts = {"model": self.model, "average": self._average}
        tensors = {
            f"{part}/{key}": value for part, module in parts.items() for key, value in module.state_dict().items()
        }
        return tensors | optimiser_tensors(self._optimiser)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Set the state that a trainer of the same config had when `tensors` was called.

        Raises
        ------
        ValueError
            If tensors are missing or do not fit.
        """
        try:
            for part, module in {"model/": self.model, "average/": self._average}.items():
                module.load_state_dict({k.removeprefix(part): v for k, v in tensors.items() if k.startswith(part)})
        except RuntimeError as error:  # torch's, of several lines
            raise ValueError(" ".join(str(error).split())[:200]) from error
        restore_optimiser(self._optimiser, tensors)

    def _in_layout(self, samples: Tensor) -> Tensor:
        return samples.contiguous(memory_format=self._layout)

    def _update_average(self, old: Any, new: Any, count: Any) -> None:
        get_ema_multi_avg_fn(self._decay)(old, new, count)  # type: ignore[no-untyped-call]


def learning_rate(step: int, config: TrainConfig) -> float:
    """Rate of a step, counted from 0."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.decay == "cosine":
        share = (step - config.warmup) / max(config.steps - config.warmup, 1)
        return config.lr * 0.5 * (1 + math.cos(math.pi * share))
    if config.decay == "sqrt":
        return config.lr * math.sqrt(max(config.warmup, 1) / (step + 1))
    return config.lr


def ema_decay(step: int, decay: float) -> float:
    """Share of the old average that stays after a step: little at first, when the weights are still far away."""
    return min(decay, (1 + step) / (10 + step))


class _Loss(nn.Module):
    """A model's loss as the forward pass that DistributedDataParallel needs."""

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, generator: RandomGenerator, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.model.loss(batch, generator, step)
        terms = {"loss": loss.total, "score": loss.score, **loss.terms}
        return loss.total, {name: value.detach() for name, value in terms.items()}


def _layout(shape: Sequence[int], device: torch.device) -> torch.memory_format:
    """Tensor cores want channels last; oneDNN's convolutions of crops are a tenth slower with it."""
    return torch.channels_last if len(shape) == 3 and device.type == "cuda" else torch.contiguous_format


def _autocast(precision: str, device: torch.device) -> torch.autocast:
    half = precision == "bf16" or (precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported())
    return torch.autocast(device.type, torch.bfloat16, enabled=half)
