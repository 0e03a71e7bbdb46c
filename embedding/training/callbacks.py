"""What may watch a run of training: the protocol, and the writers of metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.model import LatentModel
from flatsort.embedding.training.config import TrainConfig
from flatsort.tracker.files import write_text
from flatsort.tracker.types import Int

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Run:
    """What a callback may look at.

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
    """Watches a run; only the main process calls it. Metrics are finite numbers by name."""

    def on_start(self, run: Run) -> None:
        """Once, before the first step."""

    def on_log(self, step: int, metrics: Mapping[str, float]) -> None:
        """After every few steps, with means over them; ``step`` steps are done."""

    def on_evaluate(self, step: int, metrics: Mapping[str, float]) -> None:
        """After an evaluation on held-out samples; its metrics begin with ``heldout/``."""

    def on_end(self, step: int, path: Path) -> None:
        """Once, after the last step; ``path`` is the checkpoint."""


class MetricsFile(Callback):
    """``metrics.jsonl``: a line of JSON for every call; on resume, lines of steps that are done again are dropped."""

    def on_start(self, run: Run) -> None:  # noqa: D102
        self._path = run.out / METRICS
        kept = [line for line in read_metrics(self._path) if line["step"] <= run.start] if run.start else []
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept))

    def on_log(self, step: int, metrics: Mapping[str, float]) -> None:  # noqa: D102
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")

    on_evaluate = on_log


class TensorBoard(Callback):
    """Events in ``tensorboard/``."""

    def on_start(self, run: Run) -> None:  # noqa: D102
        from torch.utils.tensorboard import SummaryWriter

        self._writer: SummaryWriter = SummaryWriter(str(run.out / "tensorboard"), purge_step=run.start + 1)

    def on_log(self, step: int, metrics: Mapping[str, float]) -> None:  # noqa: D102
        for name, value in metrics.items():
            self._writer.add_scalar(name if "/" in name else f"train/{name}", value, step)

    on_evaluate = on_log

    def on_end(self, step: int, path: Path) -> None:  # noqa: D102, ARG002
        self._writer.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Lines of a metrics file; a last line that was cut off is left out."""
    lines: list[dict[str, Any]] = []
    if path.is_file():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                break
    return lines
