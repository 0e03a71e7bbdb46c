"""The training loop: optimisation steps, evaluation, saving, callbacks. It knows no kind of model."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from flatsort.embedding import checkpoint
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.retrieval import calibrate_model
from flatsort.embedding.training import distributed, run_folder, training_state
from flatsort.embedding.training.callbacks import Callback, Figures, MetricsFile, TensorBoard, TrainingRun
from flatsort.embedding.training.config import TrainConfig
from flatsort.embedding.training.distributed import Group
from flatsort.embedding.training.loader import BatchLoader, split
from flatsort.embedding.training.trainer import Trainer, learning_rate
from flatsort.tracker.config import to_mapping
from flatsort.tracker.temporary_files import only_writer
from flatsort.tracker.types import Int

INIT_SAMPLES = 4096
"""Samples that a model is initialised from before the first step."""


def train(
    config: TrainConfig,
    data: SampleSet,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
) -> Path:
    """Train a model and return the path of its checkpoint, ``out/model.safetensors``.

    Under ``torchrun`` all processes call this and share every batch.

    Parameters
    ----------
    config : TrainConfig
    data : SampleSet
        Of the model's shape.
    out : str or Path
        Folder of the run: config, states, metrics, figures, checkpoint.
    resume : bool
        Go on from the newest state in ``out``, or begin where there is none. A run that was interrupted at any moment
        ends with the weights of one that was not.
    overwrite : bool
        Delete the run that is in ``out``.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:NUMBER``.
    callbacks : sequence of Callback
        Beside those that write metrics and figures.

    Raises
    ------
    ValueError
        If data and model do not fit, ``out`` holds another run, or a loss is NaN or infinite.
    OSError
        If a file cannot be written; earlier states and checkpoints stay.
    """
    if data.shape != list(config.model.shape):
        raise ValueError(f"data: expected samples of model.shape {config.model.shape}, got {data.shape}")
    out = Path(out)
    deterministic = torch.backends.cudnn.flags(benchmark=False, deterministic=True)
    with distributed.join(device) as group, deterministic, ExitStack() as stack:
        if config.batch % (group.world * config.block):
            each = f" of windows of {config.block}" if config.block > 1 else ""
            raise ValueError(f"batch: expected a multiple of the {group.world} processes{each}, got {config.batch}")
        stack.enter_context(only_writer(out) if group.main else nullcontext())
        loop = _TrainingLoop(config, data, out, group)
        if resume:
            loop.resume()
        group.wait()
        if group.main:
            run_folder.prepare(out, config, resume=resume, overwrite=overwrite)
        loop.run(callbacks)
        path = out / run_folder.CHECKPOINT
        if group.main:
            loop.write_final_checkpoint(path)
            loop.end(path)
        group.wait()
        return path


class _TrainingLoop:
    """A training run in one process."""

    def __init__(self, config: TrainConfig, data: SampleSet, out: Path, group: Group) -> None:
        self.config, self.data, self.out, self.group = config, data, out, group
        self.rows, self.held_out = split(len(data), config.holdout, config.seed)
        self.loader = BatchLoader(data, self.rows, config, group)
        self.trainer = Trainer(config, group)
        self.trainer.init_from_data(data.tensor(self.rows[:: math.ceil(len(self.rows) / INIT_SAMPLES)]))
        self.progress = training_state.Progress()
        self.identity = {"config": to_mapping(config), "data": run_folder.fingerprint(data)}
        self.callbacks: list[Callback] = []
        self._pending: list[dict[str, Tensor]] = []
        self._before = time.monotonic()

    def resume(self) -> None:
        """Restore the newest state, if there is one."""
        state = training_state.newest(self.out)
        if state is not None:
            self.progress, tensors, identity = state
            run_folder.check_same(identity, self.identity, self.progress.step, self.out)
            try:
                self.trainer.restore(tensors)
            except ValueError as error:
                folder = self.out / training_state.FOLDER
                raise ValueError(f"{folder}: the newest state does not fit its config ({error})") from error

    def run(self, callbacks: Sequence[Callback]) -> None:
        """Take the steps that are left."""
        config, progress = self.config, self.progress
        self._before = time.monotonic() - progress.seconds
        self._start(callbacks)
        if self._out_of_patience:
            return
        for batch in self.loader.batches(progress.step, config.steps):
            self._pending.append(self.trainer.step(progress.step, batch))
            progress.step += 1
            evaluate, save, log = (self._due(n) for n in (config.eval_every, config.save_every, config.log_every))
            if evaluate or save or log:
                self._log()
            if evaluate:
                self._evaluate()
            if save or self._out_of_patience:
                self._save()
            if self._out_of_patience:
                return

    def end(self, path: Path) -> None:
        """Call ``on_end`` of the callbacks."""
        for callback in self.callbacks:
            callback.on_end(self.progress.step, path)

    def write_final_checkpoint(self, path: Path) -> None:
        """Finish the checkpoint's model with statistics of all training samples, calibrate it, and write both."""
        model, card = checkpoint.load(path, self.group.device)
        with torch.no_grad():
            model.finish_training(self._batches_of(self.rows))
        with training_state.writing(path):
            checkpoint.save(path, model, replace(card, calibration=calibrate_model(model, self.data)))

    def _due(self, every: int) -> bool:
        return self.progress.step % every == 0 or self.progress.step == self.config.steps

    @property
    def _out_of_patience(self) -> bool:
        return 0 < self.config.patience <= self.progress.waited

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._before

    def _start(self, callbacks: Sequence[Callback]) -> None:
        if not self.group.main:
            return
        config = self.config
        built_in = [MetricsFile()] + [TensorBoard()] * config.tensorboard + [Figures()] * config.figures
        self.callbacks = [*built_in, *callbacks]
        run = TrainingRun(
            config=config,
            data=self.data,
            rows=self.rows,
            held_out=self.held_out,
            out=self.out,
            model=self.trainer.averaged,
            device=str(self.group.device),
            start=self.progress.step,
        )
        for callback in self.callbacks:
            callback.on_start(run)

    def _log(self) -> None:
        """Check that the losses since the last call are finite, and pass their means to the callbacks."""
        names = list(self._pending[0])
        table = torch.stack([torch.stack([terms[name].float() for name in names]) for terms in self._pending])
        table = self.group.mean(table).cpu()
        first = self.progress.step - len(self._pending)
        self._pending = []
        for step, row in enumerate(table.tolist(), first):
            self._require_finite(dict(zip(names, row, strict=True)), step, "")
        metrics = dict(zip(names, table.mean(0).tolist(), strict=True))
        metrics |= {"lr": learning_rate(self.progress.step - 1, self.config), "seconds": self._seconds}
        for callback in self.callbacks:
            callback.on_log(self.progress.step, metrics)

    def _evaluate(self) -> None:
        """Evaluate on held-out samples, and keep the weights if they are the best or the best are not asked for."""
        progress, in_final_phase = self.progress, self.trainer.model.in_final_phase
        terms = self.trainer.evaluate(progress.step, self._batches_of(self.held_out))
        self._require_finite(terms, progress.step, "held-out ")
        score = terms["score"]
        better = progress.best is None or score < progress.best
        if in_final_phase:
            progress.best, progress.waited = (score, 0) if better else (progress.best, progress.waited + 1)
        for callback in self.callbacks:
            callback.on_evaluate(progress.step, {f"heldout/{name}": value for name, value in terms.items()})
        if self.group.main and (better or not self.config.patience):
            path = self.out / run_folder.CHECKPOINT
            with training_state.writing(path):
                checkpoint.save(path, self.trainer.averaged, self._card(score))

    def _batches_of(self, rows: Int) -> Iterator[Tensor]:
        for start in range(0, len(rows), self.config.batch):
            yield self.data.tensor(rows[start : start + self.config.batch]).to(self.group.device)

    def _save(self) -> None:
        self.progress.seconds = self._seconds
        if self.group.main:
            training_state.write(self.out, self.progress, self.trainer.tensors(), self.identity)

    def _card(self, score: float) -> checkpoint.Card:
        settings = {key: value for key, value in to_mapping(self.config).items() if key != "model"}
        training = {
            "steps": self.progress.step,
            "score": score,
            "seconds": round(self._seconds, 1),
            "samples": len(self.rows),
            "machine": _machine(self.group),
            "torch": torch.__version__,
            "settings": settings,
        }
        return checkpoint.Card(data=self.data.note, training=training)

    def _require_finite(self, terms: dict[str, float], step: int, kind: str) -> None:
        for name, value in terms.items():
            if not math.isfinite(value):
                states = training_state.files(self.out)
                last = f"the last good state is {states[-1]}" if states else "no state was saved before it"
                raise ValueError(f"step {step}: {kind}loss term {name!r} is {value}; {last}")


def _machine(group: Group) -> str:
    name = torch.cuda.get_device_name(group.device) if group.device.type == "cuda" else platform.machine()
    return f"{group.world} × {name}, {torch.get_num_threads()} threads"
