"""Config of a training run: the model and how it is optimised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from flatsort.embedding.data.augment import AugmentConfig
from flatsort.embedding.model import MODELS, ModelConfig
from flatsort.embedding.models.ae import AEConfig
from flatsort.tracker.config import part


@dataclass(frozen=True)
class TrainConfig:
    """A model and its training.

    ``steps``, ``batch`` and all that follows are the same for any number of processes. So is the result, within
    rounding, but for two terms that are statistics of a process's own share of the batch: the flatness penalty
    (``flat_rows`` rows of it) and the covariance of the PCA-like AE's codes.
    """

    KIND: ClassVar[str] = "train"
    """Folder of these configs under ``configs``."""
    model: ModelConfig = part(MODELS, AEConfig())
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Changes of the input; the target stays clean."""
    views: str = "none"
    """``tracklets``: the input is another sample of the target's motion-only tracklet, where there is one.
    ``windows``: a batch is windows of samples that follow each other in a tracklet or sequence, with positions."""
    window: int = 16
    """Samples in a window; a multiple of it is in a batch of each process."""
    stride: int = 1
    """A window has every ``stride``-th sample of a sequence."""
    position: list[str] = field(default_factory=lambda: ["time"])
    """Where a sample of a window lies, for a regression: ``time`` (its frame), or names of known factors."""
    seed: int = 0
    """Of initial weights, order of samples, augmentation and posterior samples."""
    steps: int = 6000
    """Steps of the optimiser."""
    batch: int = 128
    """Samples of a step, over all processes."""
    lr: float = 1e-3
    """Highest learning rate of AdamW."""
    warmup: int = 200
    """Steps in which the learning rate rises linearly from zero."""
    decay: str = "cosine"
    """The learning rate afterwards: ``constant``; ``cosine`` to zero at ``steps``; ``sqrt``, proportional to 1/√step
    and independent of ``steps``, so that a run that is made longer equals one that was planned so."""
    weight_decay: float = 0.0
    """Decoupled weight decay of AdamW."""
    clip: float = 0.0
    """Largest norm of the gradient; a larger one is scaled down to it. 0: none is. Losses are sums over a sample's
    values, so norms are large (10² to 10⁵ for crops) and fall while a model learns: see ``gradient`` in the metrics."""
    ema: float = 0.999
    """Decay of the weights' moving average, which is evaluated and kept; lower in the first steps. 0: none."""
    holdout: float = 0.05
    """Share of the samples that is never trained on, at most 4096 samples."""
    patience: int = 0
    """Evaluations without a better held-out score after which training stops; the best weights are kept. 0: train
    to the end and keep the last ones."""
    log_every: int = 20
    """Steps between lines of metrics; losses are checked as often."""
    eval_every: int = 500
    """Steps between evaluations on held-out samples."""
    save_every: int = 200
    """Steps between states that an interrupted run goes on from."""
    precision: str = "auto"
    """``fp32``, ``bf16`` (autocast), ``auto``: bf16 on a GPU that has it."""
    compile: bool = False
    """Whether the loss goes through ``torch.compile``. The flatness penalty does not: forward-mode differentiation of
    normalisation layers cannot be traced. On a CPU nothing is won by it."""
    tensorboard: bool = True
    """Whether to write TensorBoard events."""
    figures: bool = True
    """Whether to draw reconstructions, samples of the prior and curves of the metrics."""

    def __post_init__(self) -> None:
        for name, ok, expected in (
            ("views", self.views in ("none", "tracklets", "windows"), "none, tracklets or windows"),
            ("window", self.window >= 2, "2 or more"),
            ("position", len(self.position) > 0, "time or names of factors"),
            ("decay", self.decay in ("constant", "cosine", "sqrt"), "constant, cosine or sqrt"),
            ("precision", self.precision in ("auto", "fp32", "bf16"), "auto, fp32 or bf16"),
            ("lr", 0 < self.lr < float("inf"), "more than 0"),
            ("ema", 0 <= self.ema < 1, "0 or more and less than 1"),
            ("holdout", 0 < self.holdout < 1, "between 0 and 1"),
            *((name, getattr(self, name) >= 1, "1 or more") for name in POSITIVE),
            *((name, getattr(self, name) >= 0, "0 or more") for name in NOT_NEGATIVE),
        ):
            if not ok:
                raise ValueError(f"{name}: expected {expected}, got {getattr(self, name)!r}")
        if self.views == "windows" and self.batch % self.window:
            raise ValueError(f"batch: expected a multiple of window {self.window}, got {self.batch}")

    @property
    def block(self) -> int:
        """Samples of a batch that stay together: those of a window."""
        return self.window if self.views == "windows" else 1


POSITIVE = ("steps", "batch", "stride", "log_every", "eval_every", "save_every")
NOT_NEGATIVE = ("warmup", "weight_decay", "clip", "patience")
