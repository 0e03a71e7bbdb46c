"""The training loop. It knows no model: only `LatentModel.loss` and `LatentModel.after_step`."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from embedding import checkpoint
from embedding.data.augment import augment
from embedding.data.sets import SampleSet
from embedding.model import Batch, LatentModel, build
from embedding.noise import Noise
from embedding.training import distributed, output, state
from embedding.training.callbacks import Callback, MetricsFile, Run, TensorBoard
from embedding.training.config import TrainConfig
from embedding.training.distributed import Group
from embedding.training.feed import Feed, split
from embedding.training.pictures import Pictures
from embedding.training.schedule import ema_decay, learning_rate
from tracker.config import to_mapping

Calibrate = Callable[[LatentModel, SampleSet], dict[str, float]]


def train(
    config: TrainConfig,
    data: SampleSet,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    calibrate: Calibrate | None = None,
) -> Path:
    """Train a model and give back the path of its checkpoint, ``out/model.safetensors``.

    Under ``torchrun`` all processes call this and share every batch.

    Parameters
    ----------
    config : TrainConfig
    data : SampleSet
        Of the model's shape.
    out : str or Path
        Folder of the run: config, states, metrics, pictures, checkpoint.
    resume : bool
        Go on from the newest state in ``out``, or begin where there is none. A run that was interrupted at any moment
        ends with the weights of one that was not.
    overwrite : bool
        Delete the run that is in ``out``.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:NUMBER``.
    callbacks : sequence of Callback
        Beside those that write metrics and pictures.
    calibrate : callable, optional
        Gives limits of the latent distance for the checkpoint's card.

    Raises
    ------
    ValueError
        If data and model do not fit, ``out`` holds another run, or a loss is NaN or infinite.
    OSError
        If a file cannot be written; earlier states and checkpoints stay.
    """
    with distributed.join(device) as group, torch.backends.cudnn.flags(benchmark=False, deterministic=True):
        trainer = Trainer(config, data, Path(out), group)
        trainer.begin(resume=resume, overwrite=overwrite)
        return trainer.run(callbacks, calibrate)


class Trainer:
    """One run in one process; see `train`."""

    def __init__(self, config: TrainConfig, data: SampleSet, out: Path, group: Group) -> None:
        if data.shape != list(config.model.shape):
            raise ValueError(f"data: expected samples of model.shape {config.model.shape}, got {data.shape}")
        if config.batch % group.world:
            raise ValueError(f"batch: expected a multiple of the {group.world} processes, got {config.batch}")
        self.config, self.data, self.out, self.group = config, data, out, group
        self.rows, self.held_out = split(len(data), config.holdout, config.seed)
        self.feed = Feed(data, self.rows, config, group)
        self.layout = torch.channels_last if len(data.shape) == 3 else torch.contiguous_format
        self.model = build(config.model, config.seed).to(group.device).to(memory_format=self.layout)
        self.loss = self._wrapped()
        self.optimiser = torch.optim.AdamW(self.model.parameters(), weight_decay=config.weight_decay, fused=True)
        self.average = AveragedModel(self.model, multi_avg_fn=self._average)
        self.average.eval()
        self.progress = state.Progress()
        self._autocast = _autocast(config.precision, group.device)
        self._pending: list[dict[str, Tensor]] = []
        self._started = time.monotonic()

    def _wrapped(self) -> nn.Module:
        loss: nn.Module = _Loss(self.model)
        if self.config.compile:
            loss.compile()
        if self.group.world > 1:
            # buffers change by all-reduced means only and stay the same everywhere; frozen parts get no gradient
            loss = DistributedDataParallel(loss, broadcast_buffers=False, find_unused_parameters=True)
        return loss

    def _average(self, old: Any, new: Any, count: Any) -> None:
        decay = ema_decay(self.progress.step, self.config.ema)
        get_ema_multi_avg_fn(decay)(old, new, count)  # type: ignore[no-untyped-call]

    def begin(self, *, resume: bool, overwrite: bool) -> None:
        """Prepare the folder, and restore what an earlier process has done."""
        identity = {"config": to_mapping(self.config), "data": output.fingerprint(self.data)}
        self.identity = identity
        found = state.newest(self.out) if resume else None
        if found is not None:
            self.progress, tensors, earlier = found
            output.check_same(earlier, identity, self.progress.step, self.out)
            parts = _modules(self.model, self.average)
            for name, module in parts.items():
                module.load_state_dict({k[len(name) :]: v for k, v in tensors.items() if k.startswith(name)})
            state.restore_optimiser(self.optimiser, tensors)
        if self.group.main:
            output.prepare(self.out, self.config, resume=resume, overwrite=overwrite)
        self.group.wait()

    def run(self, callbacks: Sequence[Callback], calibrate: Calibrate | None) -> Path:
        """Take the steps that are left and give back the checkpoint's path."""
        config, progress = self.config, self.progress
        pauses = (config.log_every, config.eval_every, config.save_every)
        self.callbacks = self._callbacks(callbacks)
        self._started = time.monotonic() - progress.seconds
        evaluated: Run = self._run()
        for callback in self.callbacks:
            callback.on_start(evaluated)
        if not self._waited_enough():
            for targets, views in self.feed.batches(progress.step, config.steps):
                self._step(targets, views)
                last = progress.step == config.steps
                if last or any(progress.step % n == 0 for n in pauses):
                    self._log()
                if last or progress.step % config.eval_every == 0:
                    self._judge()
                    last = last or self._waited_enough()
                if last or progress.step % config.save_every == 0:
                    self._save()
                if last:
                    break
        path = self.out / output.CHECKPOINT
        if self.group.main:
            self._finish(path, calibrate)
        self.group.wait()
        return path

    def _step(self, targets: Tensor, views: Tensor) -> None:
        config, group, step = self.config, self.group, self.progress.step
        noise = Noise(config.seed, step, group.device, group.rank, group.world)
        rate = learning_rate(step, config)
        self.model.train()
        inputs = augment(views, config.augment, noise).contiguous(memory_format=self.layout)
        with self._autocast:
            total, terms = self.loss(inputs, targets.contiguous(memory_format=self.layout), noise, step)
        total.backward()
        length = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip or math.inf)
        for settings in self.optimiser.param_groups:
            settings["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.model.after_step(step, group.mean)
        self.average.update_parameters(self.model)
        self.progress.step += 1
        self._pending.append({**terms, "gradient": length})

    def _log(self) -> None:
        """Check the losses since the last time and tell the callbacks their means."""
        names = list(self._pending[0])
        table = torch.stack([torch.stack([t[name].detach().float() for name in names]) for t in self._pending])
        table = self.group.mean(table).cpu()
        first = self.progress.step - len(self._pending)
        self._pending = []
        for row, values in enumerate(table.tolist()):
            for name, value in zip(names, values, strict=True):
                self._require_finite(value, f"loss term {name!r}", first + row)
        metrics = dict(zip(names, table.mean(0).tolist(), strict=True))
        metrics |= {"lr": learning_rate(self.progress.step - 1, self.config), "seconds": self._seconds()}
        for callback in self.callbacks:
            callback.on_log(self.progress.step, metrics)

    def _judge(self) -> None:
        """Evaluate on held-out samples; keep the weights if they are to be kept."""
        progress = self.progress
        metrics = self._evaluate()
        score = metrics["heldout/score"]
        better = progress.best is None or score < progress.best
        if self.model.settled:
            progress.best, progress.waited = (score, 0) if better else (progress.best, progress.waited + 1)
        for callback in self.callbacks:
            callback.on_evaluate(progress.step, metrics)
        if self.group.main and (better or not self.config.patience or not self.model.settled):
            path = self.out / output.CHECKPOINT
            with state.writing(path):
                checkpoint.save(path, self._averaged, self._card(score))

    @torch.no_grad()
    def _evaluate(self) -> dict[str, float]:
        """Held-out loss terms of the averaged weights; every process computes them, the main one's count."""
        config, device = self.config, self.group.device
        noise = Noise(config.seed, "evaluation", device)
        sums: dict[str, Tensor] = {}
        for start in range(0, len(self.held_out), config.batch):
            samples = self.data.tensor(self.held_out[start : start + config.batch]).to(device)
            samples = samples.contiguous(memory_format=self.layout)
            with self._autocast:
                loss = self._averaged.loss(Batch(samples, samples), noise, self.progress.step)
            for name, value in {"score": loss.score, "loss": loss.total, **loss.terms}.items():
                sums[name] = sums.get(name, 0) + value.detach().double() * len(samples)
        means = self.group.from_main(torch.stack(list(sums.values())) / len(self.held_out)).tolist()
        for name, value in zip(sums, means, strict=True):
            self._require_finite(value, f"held-out loss term {name!r}", self.progress.step)
        return {f"heldout/{name}": value for name, value in zip(sums, means, strict=True)}

    def _save(self) -> None:
        self.progress.seconds = self._seconds()
        if self.group.main:
            tensors = state.optimiser_tensors(self.optimiser)
            for name, module in _modules(self.model, self.average).items():
                tensors |= {name + key: value for key, value in module.state_dict().items()}
            state.write(self.out, self.progress, tensors, self.identity)

    def _finish(self, path: Path, calibrate: Calibrate | None) -> None:
        if calibrate is not None:
            model, card = checkpoint.load(path, self.group.device)
            checkpoint.save(path, model, replace(card, calibration=calibrate(model, self.data)))
        for callback in self.callbacks:
            callback.on_end(self.progress.step, path)

    @property
    def _averaged(self) -> LatentModel:
        return cast("LatentModel", self.average.module)

    def _callbacks(self, more: Sequence[Callback]) -> list[Callback]:
        if not self.group.main:
            return []
        own: list[Callback] = [MetricsFile()]
        own += [TensorBoard()] if self.config.tensorboard else []
        own += [Pictures()] if self.config.pictures else []
        return [*own, *more]

    def _run(self) -> Run:
        device, start = str(self.group.device), self.progress.step
        return Run(self.config, self.data, self.rows, self.held_out, self.out, self._averaged, device, start)

    def _card(self, score: float) -> checkpoint.Card:
        settings = {key: value for key, value in to_mapping(self.config).items() if key != "model"}
        training = {
            "steps": self.progress.step,
            "score": score,
            "seconds": round(self._seconds(), 1),
            "samples": len(self.rows),
            "machine": _machine(self.group),
            "torch": torch.__version__,
            "settings": settings,
        }
        return checkpoint.Card(data=self.data.note, training=training)

    def _waited_enough(self) -> bool:
        return 0 < self.config.patience <= self.progress.waited

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _require_finite(self, value: float, what: str, step: int) -> None:
        if not math.isfinite(value):
            states = state.files(self.out)
            last = f"the last good state is {states[-1]}" if states else "there is no state before it"
            raise ValueError(f"step {step}: {what} is {value}; {last} (a lower lr or a clip > 0 may help)")


class _Loss(nn.Module):
    """A model's loss as the forward pass that DistributedDataParallel wants."""

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, targets: Tensor, noise: Noise, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.model.loss(Batch(inputs, targets), noise, step)
        return loss.total, {"loss": loss.total.detach(), "score": loss.score.detach(), **loss.terms}


def _modules(model: nn.Module, average: nn.Module) -> dict[str, nn.Module]:
    return {"model/": model, "average/": average}


def _autocast(precision: str, device: torch.device) -> torch.autocast:
    half = precision == "bf16" or (precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported())
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def _machine(group: Group) -> str:
    name = torch.cuda.get_device_name(group.device) if group.device.type == "cuda" else platform.machine()
    return f"{group.world} × {name}, {torch.get_num_threads()} threads"
