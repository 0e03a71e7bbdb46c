"""A run in pictures: reconstructions, samples of the prior, curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from flatsort.embedding.data.augment import augment
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.training.callbacks import METRICS, Callback, Run, read_metrics
from flatsort.tracker.files import replacing

EVERY = 4
"""Evaluations between two drawings."""
COLUMNS, SAMPLES = 16, 64
LOG_FROM = 30
"""Ratio of largest and smallest value from which a curve is drawn on a logarithmic axis."""


class Pictures(Callback):
    """``reconstructions.png`` (rows of input, target, reconstruction), ``samples.png`` and ``losses.png``."""

    def on_start(self, run: Run) -> None:  # noqa: D102
        self._run, self._evaluations = run, 0

    def on_evaluate(self, step: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG002, D102
        self._evaluations += 1
        if self._evaluations % EVERY == 0 and step < self._run.config.steps:
            self._draw()

    def on_end(self, step: int, path: Path) -> None:  # noqa: D102, ARG002
        self._draw()

    def _draw(self) -> None:
        draw_losses(self._run.out / METRICS, self._run.out / "losses.png")
        if len(self._run.data.shape) == 3:
            with torch.no_grad():
                self._draw_images()

    def _draw_images(self) -> None:
        run = self._run
        targets = run.data.tensor(run.held_out[:COLUMNS]).to(run.device)
        inputs = augment(targets, run.config.augment, RandomGenerator(run.config.seed, "pictures", run.device))
        decoded = run.model.decode(run.model.encode(inputs))
        expected = run.model.likelihood.standardise(targets)
        save_grid(torch.cat([inputs, expected, decoded]), run.out / "reconstructions.png", len(targets))
        latents = run.model.sample(SAMPLES, RandomGenerator(run.config.seed, "samples", run.device))
        if latents is not None:
            save_grid(run.model.decode(latents), run.out / "samples.png", COLUMNS)


def save_grid(images: Tensor, path: Path, columns: int) -> None:
    """Write images [n c h w] in 0..1, row by row, as one PNG."""
    from torchvision.utils import save_image

    with replacing(path) as temporary:
        save_image(images.float().clamp(0, 1).cpu(), temporary, nrow=columns)


def draw_losses(metrics: Path, path: Path) -> None:
    """Draw every metric of a run over its steps, training and held-out together; a panel a metric."""
    from matplotlib.figure import Figure

    lines = read_metrics(metrics)
    names = sorted({name.removeprefix("heldout/") for line in lines for name in line} - {"step", "seconds"})
    if not names:
        return
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.6 * rows), layout="constrained")
    for axes, name in zip(figure.subplots(rows, columns, squeeze=False).flat, names, strict=False):
        for key, style in ((name, {"color": "0.6", "linewidth": 0.8}), (f"heldout/{name}", {"color": "C3"})):
            points = [(line["step"], line[key]) for line in lines if key in line]
            if points:
                axes.plot(*zip(*points, strict=True), **style, label="held out" if "/" in key else "training")
        axes.set(title=name, xlabel="step")
        low, high = axes.dataLim.intervaly
        if 0 < LOG_FROM * low < high:
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
    figure.axes[0].legend()
    for spare in figure.axes[len(names) :]:
        spare.set_axis_off()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
