"""How the rate and the moving average change from step to step."""

from __future__ import annotations

import math

from flatsort.embedding.training.config import TrainConfig


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
