"""Vector-quantised autoencoder (VQ-VAE)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from flatsort.embedding.model import register
from flatsort.embedding.nets import make_map_decoder, make_map_encoder, map_size
from flatsort.embedding.objectives.vector_quantisation import QuantisedFeatures
from flatsort.embedding.priors.pixel_cnn import Level
from flatsort.embedding.quantised_model import QuantisedModel, QuantisedModelConfig, QuantiseLevel


@dataclass(frozen=True)
class VQVAEConfig(QuantisedModelConfig):
    """No setting beyond those of all models with vector-quantised latents."""

    name: str = "vq_vae"


@register("vq_vae", VQVAEConfig)
class VQVAE(QuantisedModel):
    """One map of codes, and a PixelCNN over it: van den Oord et al., NeurIPS 2017."""

    def __init__(self, config: VQVAEConfig) -> None:
        c = config
        height, width = map_size(c.shape, c.net, c.places)
        encoder = make_map_encoder(c.shape, c.dim, c.net, c.places, c.blocks)
        decoder = make_map_decoder(c.dim, c.shape, c.net, c.places, c.blocks)
        unflat = nn.Unflatten(1, (c.dim, height, width))
        super().__init__(c, [Level(c.codebook.codes, height, width)], encoder, nn.Sequential(unflat, decoder))

    def quantise(self, samples: Tensor, quantise_level: QuantiseLevel) -> list[QuantisedFeatures]:
        """Codes of samples [n *shape]."""
        return [quantise_level(0, self.encoder_output(samples))]
