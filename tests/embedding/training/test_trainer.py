"""Learning rate and moving average of a training."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from flatsort.embedding.model import Batch
from flatsort.embedding.training.config import TrainConfig
from flatsort.embedding.training.distributed import Group
from flatsort.embedding.training.trainer import Trainer, ema_decay, learning_rate
from tests.embedding.training.small_runs import config, vectors


def test_learning_rate() -> None:
    plan = TrainConfig(steps=100, warmup=10, lr=2.0)
    rates = [learning_rate(step, plan) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert max(rates) == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.0, abs=1e-2)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert learning_rate(70, replace(plan, decay="constant")) == 2.0
    slow = replace(plan, decay="sqrt")
    assert learning_rate(39, slow) == pytest.approx(learning_rate(9, slow) / 2)
    assert learning_rate(39, replace(slow, steps=1000)) == learning_rate(39, slow)
    assert learning_rate(0, replace(plan, warmup=0)) == 2.0


def test_the_average_forgets_faster_at_first() -> None:
    assert ema_decay(0, 0.999) == 0.1
    assert ema_decay(10**6, 0.999) == 0.999
    assert ema_decay(5, 0.0) == 0.0


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch's own are caught inside of its tracing
def test_the_flat_model_compiles_without_a_warning_and_takes_the_same_step(recwarn: pytest.WarningsRecorder) -> None:
    """The penalty is left to run as it is: torch cannot trace forward mode through normalisation layers (2.14)."""
    batch = vectors().tensor(slice(0, 8))
    losses = []
    for compiled in (False, True):
        torch.compiler.reset()
        trainer = Trainer(replace(config("flat_vhp_vae"), compile=compiled), Group(torch.device("cpu")))
        losses.append([float(trainer.step(step, Batch(batch, batch))["loss"]) for step in range(2)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert not [str(each.message) for each in recwarn if "Dynamo" in str(each.message)]
