"""Variational autoencoder with a hierarchical prior and a flat latent space (VHP-FMVAE)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from flatsort.embedding.model import Batch, LossTerms, register
from flatsort.embedding.models.vhp_vae import VHPVAE, VHPVAEConfig
from flatsort.embedding.objectives import flatness
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.registry import require


@dataclass(frozen=True)
class FlatVHPVAEConfig(VHPVAEConfig):
    """The flatness penalty beside the settings of the VHP-VAE."""

    name: str = "flat_vhp_vae"
    eta: float = 300.0
    """Weight of the flatness penalty, nats for a unit of it."""
    mode: str = "normalised"
    """``normalised`` (independent of scale) or ``paper``; see `embedding.objectives.flatness`."""
    alpha0: float = 0.2
    """How far beyond the line between two latents the penalty is evaluated, as a share of the line."""
    flat_rows: int = 32
    """Samples of a batch that are used for the penalty. Each costs about three times what it costs in the rest of the
    step, so that a quarter of a batch of 128 keeps the step below twice its time; the standard deviation of the
    penalty is 7 % with 32 samples, 4 % with 128."""
    detach: bool = True
    """Whether the penalty takes latents as constants, so that only the decoder learns from it."""
    detach_scale: bool = False
    """Whether the penalty takes c² as a constant; see `embedding.objectives.flatness.estimate`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            "model",
            ("eta", self.eta >= 0, "0 or more"),
            ("mode", self.mode in flatness.MODES, " or ".join(flatness.MODES)),
            ("alpha0", self.alpha0 >= 0, "0 or more"),
            ("flat_rows", self.flat_rows > 0, "1 or more"),
        )


@register("flat_vhp_vae", FlatVHPVAEConfig)
class FlatVHPVAE(VHPVAE):
    """VHP-VAE with a penalty that makes the decoder an isometry up to scale: Chen et al., ICML 2020."""

    def __init__(self, config: FlatVHPVAEConfig) -> None:
        super().__init__(config)
        self._penalty_config = config

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Loss of the VHP-VAE + η · flatness penalty, mean over the batch, nats.

        η weighs the penalty beside the distortion: it does not change with β. The score includes the penalty, too.
        """
        loss, z = self._constrained_loss(batch, generator)
        penalty, scale = self._flatness(z, generator)
        weighted = self._penalty_config.eta * penalty
        terms = loss.terms | {"flatness": penalty.detach(), "scale": scale.detach()}
        return LossTerms(loss.total + weighted, loss.score + weighted, terms)

    def _flatness(self, z: Tensor, generator: RandomGenerator) -> flatness.Flatness:
        c = self._penalty_config
        z = z.detach() if c.detach else z
        points = flatness.mixup(z, generator, c.alpha0)[: c.flat_rows]
        with torch.autocast(z.device.type, enabled=False):  # differences of products need more than half precision
            return flatness.estimate(
                self.decode_weighted, points, generator.signs(*points.shape), c.mode, detach_scale=c.detach_scale
            )
