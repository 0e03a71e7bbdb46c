"""What the flatness penalty adds to a training step: the estimator beside the exact form, in one run.

    python tests/benchmarks/flatness.py [--dims 16,64,128] [--rounds 15] [--device cpu]

A step is loss, backward and optimiser of the model at its default size on images of 64×32, without the penalty
(``vhp_vae``), with the estimator (``flat_vhp_vae``: two products), and with the exact metric tensor (a product for
every latent dimension) at as many points. The three take turns and medians count, so that a busy machine disturbs all
alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import cast

import click
import torch
from tabulate import tabulate

from flatsort.embedding.model import MODELS, Batch, LatentModel, build
from flatsort.embedding.models.flat_vhp_vae import FlatVHPVAE, FlatVHPVAEConfig
from flatsort.embedding.objectives import flatness
from flatsort.embedding.random_generator import RandomGenerator

Step = Callable[[int], None]


def step_of(model: LatentModel, batch: Batch, penalty: Callable[[RandomGenerator], torch.Tensor] | None = None) -> Step:
    """One training step of a model, perhaps with a penalty beside its loss."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def step(index: int) -> None:
        generator = RandomGenerator(0, index, batch.inputs.device)
        total = model.loss(batch, generator, index).total
        if penalty is not None:
            total = total + penalty(generator)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        model.after_step(index, lambda mean: mean)
        if batch.inputs.is_cuda:
            torch.cuda.synchronize()

    return step


def exact_penalty(model: LatentModel, config: FlatVHPVAEConfig, n: int) -> Callable[[RandomGenerator], torch.Tensor]:
    """The penalty of the exact metric tensor at as many points as the estimator has."""

    def penalty(generator: RandomGenerator) -> torch.Tensor:
        points = flatness.mixup(generator.normal(n, model.dim), generator, config.alpha0)[: config.flat_rows]
        return config.eta * flatness.exact(model.decode_weighted, points, config.mode).penalty

    return penalty


def measure(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Median time of each step in seconds; one round before the clock starts."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for index in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step(index)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t[1:]) for name, t in times.items()}


@click.command()
@click.option("--dims", default="16,64,128", show_default=True, help="Latent sizes.")
@click.option("--rounds", default=15, show_default=True)
@click.option("--batch", default=128, show_default=True, help="Samples of a batch.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--exact/--no-exact", default=True, show_default=True, help="Whether to measure the exact form, too.")
def main(dims: str, rounds: int, batch: int, device: str, exact: bool) -> None:
    """Measure and print a table."""
    rows = []
    for dim in map(int, dims.split(",")):
        config = FlatVHPVAEConfig(dim=dim)
        plain = MODELS.config("vhp_vae")(name="vhp_vae", dim=dim)  # type: ignore[call-arg]  # a ModelConfig
        images = RandomGenerator(1, device=device).uniform(batch, *config.shape)
        samples = Batch(images, images)
        without, flat, full = (build(cast("FlatVHPVAEConfig", c)).to(device) for c in (plain, config, plain))
        assert isinstance(flat, FlatVHPVAE)
        steps = {"without": step_of(without, samples), "estimator": step_of(flat, samples)}
        if exact:
            steps["exact"] = step_of(full, samples, exact_penalty(full, config, batch))
        times = measure(steps, rounds)
        ratios = [t / times["without"] for t in times.values()][1:]
        rows.append([dim, *(1000 * t for t in times.values()), *ratios])
    head = ["dim", *(f"{name}, ms" for name in steps), *(f"{name} / without" for name in list(steps)[1:])]
    print(tabulate(rows, head, floatfmt=("d", *[".1f"] * len(steps), *[".2f"] * (len(steps) - 1))))  # noqa: T201


if __name__ == "__main__":
    main()
