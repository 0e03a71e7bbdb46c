"""Hierarchical vector-quantised autoencoder (VQ-VAE-2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from flatsort.embedding.model import register
from flatsort.embedding.nets import ResidualBlock, make_map_decoder, make_map_encoder, map_size
from flatsort.embedding.objectives.vector_quantisation import QuantisedFeatures
from flatsort.embedding.priors.pixel_cnn import Level
from flatsort.embedding.quantised_model import QuantisedModel, QuantisedModelConfig, QuantiseLevel


@dataclass(frozen=True)
class VQVAE2Config(QuantisedModelConfig):
    """No setting beyond those of all models with vector-quantised latents."""

    name: str = "vq_vae2"


@register("vq_vae2", VQVAE2Config)
class VQVAE2(QuantisedModel):
    """A coarse map of codes (top) and a fine one (bottom): Razavi et al., NeurIPS 2019.

    The bottom features are conditioned on the decoded top; the decoder takes both maps. The top map has half the
    bottom's sides.
    """

    def __init__(self, config: VQVAE2Config) -> None:
        c, channels = config, config.net.width
        fine = map_size(c.shape, c.net, c.places)
        coarse = (math.ceil(fine[0] / 2), math.ceil(fine[1] / 2))
        levels = [Level(c.codebook.codes, *size) for size in (coarse, fine)]
        encoder = make_map_encoder(c.shape, channels, c.net, c.places, c.blocks)
        decoder = make_map_decoder(2 * c.dim, c.shape, c.net, c.places, c.blocks)
        super().__init__(c, levels, encoder, _TwoMapDecoder(c.dim, coarse, fine, decoder))
        halve = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.top = nn.Sequential(halve, ResidualBlock(channels), nn.Conv2d(channels, c.dim, 1))
        self.lift = nn.Sequential(nn.Conv2d(c.dim, channels, 1), ResidualBlock(channels), nn.Upsample(fine))
        self.bottom = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1), ResidualBlock(channels), nn.Conv2d(channels, c.dim, 1)
        )

    def quantise(self, samples: Tensor, quantise_level: QuantiseLevel) -> list[QuantisedFeatures]:
        """Codes of samples [n *shape]: top, bottom."""
        features = self.encoder_output(samples)
        top = quantise_level(0, self.top(features))
        bottom = quantise_level(1, self.bottom(torch.cat([features, self.lift(top.codes)], 1)))
        return [top, bottom]


class _TwoMapDecoder(nn.Module):
    """Decoder of flattened latents: the top map, upsampled, concatenated with the bottom map."""

    def __init__(self, dim: int, coarse: tuple[int, int], fine: tuple[int, int], decoder: nn.Module) -> None:
        super().__init__()
        self.split = [dim * math.prod(coarse), dim * math.prod(fine)]
        self.top = nn.Sequential(nn.Unflatten(1, (dim, *coarse)), nn.Upsample(fine), nn.Conv2d(dim, dim, 3, padding=1))
        self.bottom = nn.Unflatten(1, (dim, *fine))
        self.decoder = decoder

    def forward(self, latents: Tensor) -> Tensor:
        top, bottom = torch.split(latents, self.split, 1)
        samples: Tensor = self.decoder(torch.cat([self.top(top), self.bottom(bottom)], 1))
        return samples
