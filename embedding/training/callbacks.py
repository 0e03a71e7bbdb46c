"""Callbacks of a training run: their interface, and those that write metrics, TensorBoard events and figures."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from flatsort.embedding.data.augment import augment
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.model import LatentModel
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.training.config import TrainConfig
from flatsort.tracker.files import replacing, write_text
from flatsort.tracker.types import Int

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)

METRICS = "metrics.jsonl"
FIGURES_EVERY = 4
"""Evaluations between two drawings of the figures."""
GRID_COLUMNS, GRID_SAMPLES = 16, 64
"""Reconstructions in a row, and samples of the prior in all."""
LOG_SCALE_RATIO = 30
"""Ratio of largest and smallest value from which a curve is drawn on a logarithmic axis."""


@dataclass(frozen=True)
class TrainingRun:
    """What callbacks know of a training run.

    Attributes
    ----------
    config : TrainConfig
    data : SampleSet
    rows, held_out : int64 [n]
        Rows of the data that are trained on and that are not.
    out : Path
        Folder of the run.
    model : LatentModel
        With the averaged weights, in evaluation mode; changes while training goes on.
    device : str
    start : int
        Steps that an earlier process has done.
    """

    config: TrainConfig
    data: SampleSet
    rows: Int
    held_out: Int
    out: Path
    model: LatentModel
    device: str
    start: int


class Callback:
    """Base of what follows a training run, in the main process only. Metrics are finite numbers by name."""

    def on_start(self, run: TrainingRun) -> None:
        """Once, before the first step."""

    def on_log(self, step: int, metrics: Mapping[str, float]) -> None:
        """After every few steps, with means over them; ``step`` steps are done."""

    def on_evaluate(self, step: int, metrics: Mapping[str, float]) -> None:
        """After an evaluation on held-out samples; its metrics begin with ``heldout/``."""

    def on_end(self, step: int, path: Path) -> None:
        """Once, after the last step; ``path`` is the checkpoint."""


class MetricsFile(Callback):
    """``metrics.jsonl``: a line of JSON for every call; on resume, lines of steps that are done again are dropped."""

    def on_start(self, run: TrainingRun) -> None:  # noqa: D102
        self._path = run.out / METRICS
        kept = [line for line in read_metrics(self._path) if line["step"] <= run.start] if run.start else []
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept))

    def on_log(self, step: int, metrics: Mapping[str, float]) -> None:  # noqa: D102
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")

    on_evaluate = on_log


class TensorBoard(Callback):
    """Events in ``tensorboard/``."""

    def on_start(self, run: TrainingRun) -> None:  # noqa: D102
        from torch.utils.tensorboard import SummaryWriter

        self._writer: SummaryWriter = SummaryWriter(str(run.out / "tensorboard"), purge_step=run.start + 1)

    def on_log(self, step: int, metrics: Mapping[str, float]) -> None:  # noqa: D102
        for name, value in metrics.items():
            self._writer.add_scalar(name if "/" in name else f"train/{name}", value, step)

    on_evaluate = on_log

    def on_end(self, step: int, path: Path) -> None:  # noqa: D102, ARG002
        self._writer.close()


class Figures(Callback):
    """``reconstructions.png`` (rows of input, target, reconstruction), ``samples.png`` and ``losses.png``."""

    def on_start(self, run: TrainingRun) -> None:  # noqa: D102
        self._run, self._evaluations = run, 0

    def on_evaluate(self, step: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG002, D102
        self._evaluations += 1
        if self._evaluations % FIGURES_EVERY == 0 and step < self._run.config.steps:
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
        targets = run.data.tensor(run.held_out[:GRID_COLUMNS]).to(run.device)
        # the names of generators decide what they draw
        inputs = augment(targets, run.config.augment, RandomGenerator(run.config.seed, "pictures", run.device))
        decoded = run.model.decode(run.model.encode(inputs))
        expected = run.model.likelihood.adjust_contrast(targets)
        save_grid(torch.cat([inputs, expected, decoded]), run.out / "reconstructions.png", len(targets))
        latents = run.model.sample(GRID_SAMPLES, RandomGenerator(run.config.seed, "samples", run.device))
        if latents is not None:
            save_grid(run.model.decode(latents), run.out / "samples.png", GRID_COLUMNS)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Lines of a metrics file; those that are none of its own are left out, with a warning for all but a last one.

    The file is a log: a damaged line of it must not keep a training from going on.
    """
    lines: list[dict[str, Any]] = []
    damaged: list[int] = []
    texts = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    for number, text in enumerate(texts, 1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append({key: value for key, value in line.items() if isinstance(value, (int, float))})
        elif number < len(texts):
            damaged.append(number)
    if damaged:
        log.warning("%s line %d: no line of metrics, left out (%d in all)", path, damaged[0], len(damaged))
    return lines


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
        if 0 < LOG_SCALE_RATIO * low < high:
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
    figure.axes[0].legend()
    for spare in figure.axes[len(names) :]:
        spare.set_axis_off()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
