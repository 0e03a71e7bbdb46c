"""Gaussian and Bernoulli likelihoods of reconstructions, with weights of position and colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma (ITU-R BT.601)."""

MIN_CONTRAST = 0.05
"""Lower bound of an image's contrast as a share of the typical one: without it, an empty image would become noise."""


@dataclass(frozen=True)
class LikelihoodConfig:
    """How reconstruction errors are measured."""

    kind: str = "gaussian"
    """``gaussian`` (squared error) or ``bernoulli`` (cross-entropy; for samples that are nearly binary)."""
    sigma: float = 0.1
    """Standard deviation of the Gaussian, in units of the samples (images: 0..1)."""
    border: float = 0.0
    """Standard deviation of Gaussian weights over an image, as a share of its width, and 1.6 times as much of its
    height, since a box fits a person tighter above and below: pixels towards the border, which show background, have
    lower weights. 0: all pixels have the same weight."""
    chroma: float = 1.0
    """Weight of chroma relative to luma, for images of three channels. Clothes differ in colour, poses in
    brightness. 1: squared error of red, green and blue; otherwise the weight of Cb and Cr of YCbCr relative to Y."""

    blur: float = 0.0
    """Standard deviation of a horizontal blur of the error, as a share of an image's width, so that small horizontal
    shifts (of arms and legs, or of a whole person in a loose box) cost little. 0: none."""
    detail: float = 0.1
    """With a blur: share of the error that is not blurred, so that fine structure is still reconstructed."""

    contrast: float = 1.0
    """How much of an image's contrast about the mean image is kept: its (weighted) standard deviation s becomes
    t·(s/t)**contrast with the typical standard deviation t. Contrast depends on light, distance and clothes more than
    on the person. 1: all of it, images stay as they are; 0: all images get the same contrast."""
    centre: bool = True
    """Whether encoder and decoder work on images minus the mean image, which is learned sooner. False: on images
    themselves, so that scaling the decoder's output (of a Gaussian likelihood) scales the image."""

    def __post_init__(self) -> None:
        if self.kind not in ("gaussian", "bernoulli"):
            raise ValueError(f"model.likelihood.kind: expected gaussian or bernoulli, got {self.kind!r}")
        if self.kind == "bernoulli" and (self.border or self.chroma != 1 or self.blur or self.contrast != 1):
            raise ValueError(
                "model.likelihood: border, chroma, blur and contrast apply to squared errors, expected kind gaussian"
            )
        if self.blur < 0 or not 0 <= self.detail <= 1 or not 0 <= self.contrast <= 1:
            raise ValueError(
                "model.likelihood: expected blur ≥ 0, detail and contrast between 0 and 1, "
                f"got {self.blur}, {self.detail} and {self.contrast}"
            )
        if self.sigma <= 0 or self.border < 0 or self.chroma <= 0:
            raise ValueError(
                "model.likelihood: expected sigma > 0, border ≥ 0 and chroma > 0, "
                f"got {self.sigma}, {self.border} and {self.chroma}"
            )


class Likelihood(nn.Module):
    """Error of the decoder's output against samples [n *shape].

    Attributes
    ----------
    values : int
        Values in a sample; errors are means over them.
    baseline : scalar tensor
        Error of the best constant reconstruction (Gaussian: the weighted variance); 1 before `init_from_data`.
    mean_image : float32 [*shape]
        Of images only, as the two below.
    spread : scalar tensor
        Standard deviation of the encoder's input before it is brought to 1.
    typical : scalar tensor
        Median over images of the (weighted) standard deviation about the mean image.
    """

    def __init__(self, config: LikelihoodConfig, shape: Sequence[int]) -> None:
        super().__init__()
        self.config = config
        self.values = math.prod(shape)
        colour = len(shape) == 3 and shape[0] == 3 and config.chroma != 1
        self.register_buffer("baseline", torch.tensor(1.0))
        self._image = len(shape) == 3
        if self._image:
            self.register_buffer("mean_image", torch.full(tuple(shape), 0.5 if config.centre else 0.0))
            self.register_buffer("spread", torch.tensor(0.25))
            self.register_buffer("typical", torch.tensor(0.25))
        self.register_buffer("_blur", _blur(shape, config.blur), persistent=False)
        self.register_buffer("_pixel_weights", _pixel_weights(shape, config.border), persistent=False)
        to_colours = _colour_matrix(config.chroma) if colour else None
        self.register_buffer("_to_colours", to_colours, persistent=False)
        self.register_buffer("_to_rgb", None if to_colours is None else to_colours.inverse(), persistent=False)

    @torch.no_grad()
    def init_from_data(self, samples: Tensor) -> None:
        """Compute statistics of samples [n *shape] of the training set.

        They are the mean image, standard deviations about it, and the error of the best constant reconstruction.

        Raises
        ------
        ValueError
            If all samples are equal, or samples of a Bernoulli likelihood are outside of 0..1.
        """
        if not bool((samples != samples[:1]).any()):
            raise ValueError(f"data: expected samples that differ, got {len(samples)} that are all equal")
        if self.config.kind == "bernoulli" and not bool(((samples >= 0) & (samples <= 1)).all()):
            low, high = float(samples.min()), float(samples.max())
            raise ValueError(f"data: expected samples in 0..1 for a Bernoulli likelihood, got {low:.3g} to {high:.3g}")
        if self._image:
            if self.config.centre:
                self.mean_image.copy_(samples.mean(0))
            self.typical.copy_(self._weighted_std(samples - self.mean_image).median())
            self.spread.copy_(_apply(self._to_colours, self.adjust_contrast(samples) - self.mean_image).std())
        self.baseline.copy_(self._baseline(samples))

    def adjust_contrast(self, samples: Tensor) -> Tensor:
        """Samples with the contrast that the config asks for: what the decoder is to reconstruct."""
        if not self._image or self.config.contrast == 1:
            return samples
        difference = samples - self.mean_image
        share = self._weighted_std(difference) / self.typical
        factor = share.clamp_min(MIN_CONTRAST) ** (self.config.contrast - 1)
        return self.mean_image + difference * factor[:, None, None, None]

    def _baseline(self, samples: Tensor) -> Tensor:
        """Mean error of the best constant reconstruction."""
        if self.config.kind == "bernoulli":
            mean = samples.mean(0).clamp(1e-6, 1 - 1e-6)
            return self.error(torch.logit(mean).expand_as(samples), samples).mean()
        adjusted = self.adjust_contrast(samples)
        return self.weigh(adjusted - adjusted.mean(0)).square().mean()

    def normalise(self, samples: Tensor) -> Tensor:
        """Input of the encoder: images minus the mean image, with weighted colours and unit standard deviation.

        The decoder's output has the same form, so that both learn colours as quickly as brightness.
        """
        if not self._image:
            return samples
        return _apply(self._to_colours, self.adjust_contrast(samples) - self.mean_image) / self.spread

    def _weighted_std(self, difference: Tensor) -> Tensor:
        """Weighted standard deviation [n] of images about the mean image, from their differences to it."""
        return self.weigh(difference).square().flatten(1).mean(1).sqrt()

    def mean(self, raw: Tensor) -> Tensor:
        """Mean of the distribution over samples (see `adjust_contrast`) that the decoder's output parametrises."""
        if self.config.kind == "bernoulli":
            return torch.sigmoid(raw)
        return self.mean_image + _apply(self._to_rgb, raw * self.spread) if self._image else raw

    def weigh(self, samples: Tensor) -> Tensor:
        """Samples in the space where squared distance is the weighted squared error.

        The weights of pixels and of colours have mean square 1; a blur reduces errors of fine structure further.
        """
        samples = _apply(self._to_colours, samples)
        if self._pixel_weights is not None:
            samples = samples * self._pixel_weights
        if self._blur is not None:
            samples = torch.lerp((samples @ self._blur).to(samples.dtype), samples, self.config.detail)
        return samples

    def error(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Mean error of each sample [n].

        Gaussian: weighted mean squared error, in squared units of the samples. Bernoulli: cross-entropy minus the
        target's own entropy, in nats (the Kullback–Leibler divergence from target to reconstruction).
        """
        if self.config.kind == "bernoulli":
            excess = F.binary_cross_entropy_with_logits(raw, targets, reduction="none") - _entropy(targets)
            return excess.flatten(1).mean(1)
        return self.weigh(self.mean(raw) - self.adjust_contrast(targets)).square().flatten(1).mean(1)

    def nll(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of each sample [n], nats, without terms that do not depend on the decoder.

        These are the Gaussian's normalising constant and the target's entropy of the Bernoulli.
        """
        scale = 1.0 if self.config.kind == "bernoulli" else 0.5 / self.config.sigma**2
        return self.error(raw, targets) * (self.values * scale)

    baseline: Tensor
    mean_image: Tensor
    spread: Tensor
    typical: Tensor
    _blur: Tensor | None
    _pixel_weights: Tensor | None
    _to_colours: Tensor | None
    _to_rgb: Tensor | None


def _apply(matrix: Tensor | None, images: Tensor) -> Tensor:
    """Images with a matrix [channels channels] applied to the channels of each pixel."""
    if matrix is None:
        return images
    return torch.einsum("nchw,dc->ndhw", images, matrix).to(images.dtype)  # autocast would leave half precision


def _pixel_weights(shape: Sequence[int], border: float) -> Tensor | None:
    """Gaussian weights [height width] of mean square 1; see ``LikelihoodConfig.border``."""
    if len(shape) != 3 or not border:
        return None
    _, height, width = shape
    x = (torch.arange(width) + 0.5) / width - 0.5
    y = (torch.arange(height) + 0.5) / height - 0.5
    weights = torch.exp(-0.5 * (x / border) ** 2) * torch.exp(-0.5 * (y / (1.6 * border)) ** 2)[:, None]
    return weights / weights.square().mean().sqrt()


def _blur(shape: Sequence[int], share: float) -> Tensor | None:
    """Symmetric matrix [width width] of a Gaussian blur with zero padding."""
    if len(shape) != 3 or not share:
        return None
    x = torch.arange(shape[2])
    kernel = torch.exp(-0.5 * ((x[:, None] - x) / (share * shape[2])) ** 2)
    return kernel / kernel.sum(1).max()


def _colour_matrix(chroma: float) -> Tensor:
    """Matrix [3 3] from RGB to Y and weighted Cr and Cb, of mean square 1."""
    luma = torch.tensor(LUMA)
    red, blue = torch.tensor([1.0, 0, 0]) - luma, torch.tensor([0, 0, 1.0]) - luma
    rows = torch.stack([luma, chroma * red / (2 * red[0]), chroma * blue / (2 * blue[2])])
    return rows * (3 / rows.square().sum()).sqrt()


def _entropy(p: Tensor) -> Tensor:
    return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p))
