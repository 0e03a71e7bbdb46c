"""VAE with a weighted divergence (β-VAE)."""

from __future__ import annotations

from dataclasses import dataclass

from flatsort.embedding.model import register
from flatsort.embedding.models.vae import VAE, VAEConfig
from flatsort.tracker.registry import require


@dataclass(frozen=True)
class BetaVAEConfig(VAEConfig):
    """The weight of the divergence beside the settings of all models."""

    name: str = "beta_vae"
    beta: float = 4.0
    """Weight of the divergence; 1 is the VAE. 4 is what the paper uses for images of objects."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "model", ("beta", self.beta > 0, "more than 0"))


@register("beta_vae", BetaVAEConfig)
class BetaVAE(VAE):
    """VAE whose larger weight of the divergence favours disentangled dimensions: Higgins et al., ICLR 2017."""

    def __init__(self, config: BetaVAEConfig) -> None:
        super().__init__(config)
        self.beta = config.beta
