"""How well a reconstruction explains a sample: Gaussian and Bernoulli likelihoods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)
"""Share of red, green and blue in the brightness (ITU-R BT.601)."""

LEAST_CONTRAST = 0.05
"""Share of the typical contrast from which on it is raised no further: an empty picture would become noise."""


@dataclass(frozen=True)
class LikelihoodConfig:
    """What counts as an error."""

    kind: str = "gaussian"
    """``gaussian`` (squared error) or ``bernoulli`` (cross-entropy; for samples that are nearly binary)."""
    sigma: float = 0.1
    """Standard deviation of the Gaussian, in units of the samples (images: 0..1)."""
    border: float = 0.0
    """Standard deviation of a bell of weights over an image, as a share of its width, and 1.6 times as much of its
    height, since a box holds a person tighter above and below: less counts what lies towards the border, where the
    background is. 0 weighs all pixels alike."""
    chroma: float = 1.0
    """Weight of colour differences beside brightness, for images of three channels. What people wear shows in
    colour, how they stand in brightness. 1: squared error of red, green and blue; other weights are those of the two
    differences of YCbCr beside its brightness."""

    blur: float = 0.0
    """Standard deviation of a horizontal blur of the error, as a share of an image's width: what lies a little beside
    its place, as arms and legs do and whole people in a loose box, is nearly right. 0: none."""
    detail: float = 0.1
    """With a blur: share of the error that is not blurred, so that fine structure is still drawn."""

    contrast: float = 1.0
    """How much of an image's contrast about the mean image is left: its (weighted) deviation s becomes
    t·(s/t)**contrast with the typical deviation t. It changes with light, distance and clothes more than it tells
    people apart. 1: all of it, images stay as they are; 0: all images get the same."""
    centre: bool = True
    """Whether encoder and decoder see images as deviations from the mean image, which is learned sooner. False: from
    black, so that scaling what a Gaussian's decoder gives scales the picture."""

    def __post_init__(self) -> None:
        if self.kind not in ("gaussian", "bernoulli"):
            raise ValueError(f"model.likelihood.kind: expected gaussian or bernoulli, got {self.kind!r}")
        if self.kind == "bernoulli" and (self.border or self.chroma != 1 or self.blur or self.contrast != 1):
            raise ValueError(
                "model.likelihood: border, chroma, blur and contrast are about squared errors, expected kind gaussian"
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
        Numbers in a sample; errors are means over them.
    baseline : scalar tensor
        Error of the best constant reconstruction: what there is to explain; 1 before `fit`.
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
        self.register_buffer("_bell", _bell(shape, config.border), persistent=False)
        colours = _colours(config.chroma) if colour else None
        self.register_buffer("_colours", colours, persistent=False)
        self.register_buffer("_pixels", None if colours is None else colours.inverse(), persistent=False)

    @torch.no_grad()
    def fit(self, samples: Tensor) -> None:
        """Take means from samples [n *shape] of the training set.

        They are the mean image, how images deviate from it, and the error of the best constant reconstruction.

        Raises
        ------
        ValueError
            If there is nothing to learn (all samples are alike), or a Bernoulli's samples leave 0..1.
        """
        if not bool((samples != samples[:1]).any()):
            raise ValueError(f"data: expected samples that differ, got {len(samples)} that are all alike")
        if self.config.kind == "bernoulli" and not bool(((samples >= 0) & (samples <= 1)).all()):
            low, high = float(samples.min()), float(samples.max())
            raise ValueError(f"data: expected samples in 0..1 for a Bernoulli likelihood, got {low:.3g} to {high:.3g}")
        if self._image:
            if self.config.centre:
                self.mean_image.copy_(samples.mean(0))
            self.typical.copy_(self._deviation(samples - self.mean_image).median())
            self.spread.copy_(_apply(self._colours, self.standardise(samples) - self.mean_image).std())
        self.baseline.copy_(self._baseline(samples))

    def standardise(self, samples: Tensor) -> Tensor:
        """Samples with the contrast that the config leaves them: what the decoder shall give back."""
        if not self._image or self.config.contrast == 1:
            return samples
        apart = samples - self.mean_image
        share = self._deviation(apart) / self.typical
        factor = share.clamp_min(LEAST_CONTRAST) ** (self.config.contrast - 1)
        return self.mean_image + apart * factor[:, None, None, None]

    def _baseline(self, samples: Tensor) -> Tensor:
        """Mean error of the best constant reconstruction."""
        if self.config.kind == "bernoulli":
            mean = samples.mean(0).clamp(1e-6, 1 - 1e-6)
            return self.error(torch.logit(mean).expand_as(samples), samples).mean()
        standard = self.standardise(samples)
        return self.weigh(standard - standard.mean(0)).square().mean()

    def present(self, samples: Tensor) -> Tensor:
        """What the encoder sees: an image's deviation from the mean image, its colours weighed, of unit spread.

        The decoder gives back the same, so that both learn colours as quickly as brightness.
        """
        if not self._image:
            return samples
        return _apply(self._colours, self.standardise(samples) - self.mean_image) / self.spread

    def _deviation(self, apart: Tensor) -> Tensor:
        return self.weigh(apart).square().flatten(1).mean(1).sqrt()

    def mean(self, raw: Tensor) -> Tensor:
        """Mean of the (standardised, see `standardise`) samples that the decoder's output stands for."""
        if self.config.kind == "bernoulli":
            return torch.sigmoid(raw)
        return self.mean_image + _apply(self._pixels, raw * self.spread) if self._image else raw

    def weigh(self, samples: Tensor) -> Tensor:
        """Samples in the space where squared distance is the weighted squared error.

        The weights of pixels and of colours have mean square 1; a blur lessens errors of fine structure beyond that.
        """
        samples = _apply(self._colours, samples)
        if self._bell is not None:
            samples = samples * self._bell
        if self._blur is not None:
            samples = torch.lerp((samples @ self._blur).to(samples.dtype), samples, self.config.detail)
        return samples

    def error(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Mean error of each sample [n].

        Gaussian: weighted squared error; its root is in units of the standardised samples, and without a blur of their
        size, too. Bernoulli: cross-entropy above
        the target's own entropy, in nats (the Kullback–Leibler divergence from target to reconstruction).
        """
        if self.config.kind == "bernoulli":
            excess = F.binary_cross_entropy_with_logits(raw, targets, reduction="none") - _entropy(targets)
            return excess.flatten(1).mean(1)
        return self.weigh(self.mean(raw) - self.standardise(targets)).square().flatten(1).mean(1)

    def nll(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of each sample [n], nats, but for what the decoder cannot change.

        Left out are the Gaussian's normalising constant and the target's entropy of the Bernoulli.
        """
        scale = 1.0 if self.config.kind == "bernoulli" else 0.5 / self.config.sigma**2
        return self.error(raw, targets) * (self.values * scale)

    baseline: Tensor
    mean_image: Tensor
    spread: Tensor
    typical: Tensor
    _blur: Tensor | None
    _bell: Tensor | None
    _colours: Tensor | None
    _pixels: Tensor | None


def _apply(colours: Tensor | None, images: Tensor) -> Tensor:
    if colours is None:
        return images
    return torch.einsum("nchw,dc->ndhw", images, colours).to(images.dtype)  # autocast would leave half precision


def _bell(shape: Sequence[int], border: float) -> Tensor | None:
    if len(shape) != 3 or not border:
        return None
    _, height, width = shape
    x = (torch.arange(width) + 0.5) / width - 0.5
    y = (torch.arange(height) + 0.5) / height - 0.5
    bell = torch.exp(-0.5 * (x / border) ** 2) * torch.exp(-0.5 * (y / (1.6 * border)) ** 2)[:, None]
    return bell / bell.square().mean().sqrt()


def _blur(shape: Sequence[int], share: float) -> Tensor | None:
    """Symmetric matrix [width width] of a Gaussian blur that takes what lies outside for zero."""
    if len(shape) != 3 or not share:
        return None
    place = torch.arange(shape[2])
    kernel = torch.exp(-0.5 * ((place[:, None] - place) / (share * shape[2])) ** 2)
    return kernel / kernel.sum(1).max()


def _colours(chroma: float) -> Tensor:
    luma = torch.tensor(LUMA)
    red, blue = torch.tensor([1.0, 0, 0]) - luma, torch.tensor([0, 0, 1.0]) - luma
    rows = torch.stack([luma, chroma * red / (2 * red[0]), chroma * blue / (2 * blue[2])])
    return rows * (3 / rows.square().sum()).sqrt()


def _entropy(p: Tensor) -> Tensor:
    return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p))
