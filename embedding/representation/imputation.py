"""Imputation of missing frames of a sequence: Gaussian-process regression of latents, and interpolation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from flatsort.embedding.model import LatentModel
from flatsort.embedding.objectives.gaussian_process import fit, regress, with_noise
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.representation.image_quality import WINDOW, psnr, ssim
from flatsort.tracker.types import Bool, Float

REGRESSED, OWN = "regressed", "own latent"
BAND = 2.0
"""Half width of the band in standard deviations; it holds 95.4 per cent of a Gaussian."""
BATCH = 256


@dataclass(frozen=True, eq=False)
class ImputedSequence:
    """A sequence whose hidden frames were imputed.

    Attributes
    ----------
    hidden : bool [n]
    ground_truth : float32 [m *shape]
        The hidden frames, with the contrast that the model's likelihood leaves them.
    images : dict of float32 [m *shape]
        The hidden frames by method: `REGRESSED`, interpolated, and decoded from their `OWN` latents: a reference that
        no method has access to.
    latents : float64 [n d]
        Encoded, of all frames.
    interpolated : float64 [n d]
    mean, std : float64 [n d]
        Of the regression from the visible frames; the standard deviation is that of a latent, with its noise.
    length, noise : float64 [d k], [d]
        Fitted kernels: lengths in the positions' units, noise as a share of the signal.
    """

    hidden: Bool
    ground_truth: Tensor
    images: dict[str, Tensor]
    latents: Float
    interpolated: Float
    mean: Float
    std: Float
    length: Float
    noise: Float


def hidden_frames(n: int, seed: int, missing: float = 0.3, gap: int | None = None) -> Bool:
    """Which of n frames are hidden; the first and the last are visible.

    Parameters
    ----------
    n : int
    seed : int
        Draws single frames.
    missing : float
        Share that is hidden, where there is no ``gap``.
    gap : int, optional
        Frames that are hidden together, after as many visible ones, and so on.

    Raises
    ------
    ValueError
        If no frame would be hidden, or fewer than three would be visible.
    """
    hidden = np.zeros(n, np.bool_)
    if gap is not None:
        for start in range(gap, n - gap, 2 * gap):
            hidden[start : start + gap] = True
    else:
        inner = RandomGenerator(seed, "missing").permutation(max(n - 2, 0)).numpy() + 1
        hidden[inner[: round(missing * n)]] = True
    if not hidden.any() or np.count_nonzero(~hidden) < 3:
        how = f"gaps of {gap}" if gap is not None else f"a share of {missing:g}"
        raise ValueError(f"missing: expected frames to hide and three or more visible ones, got {how} of {n} frames")
    return hidden


@torch.no_grad()
def impute(model: LatentModel, samples: Tensor, frames: Float, positions: Float, hidden: Bool) -> ImputedSequence:
    """Hide frames of a sequence and impute them.

    Parameters
    ----------
    model : LatentModel
        In evaluation mode.
    samples : float32 [n *shape]
    frames : float64 [n]
        Rising: what is interpolated over.
    positions : float64 [n k]
        Inputs of the regression.
    hidden : bool [n]

    Raises
    ------
    ValueError
        If the visible frames all have the same position.
    """
    visible = ~hidden
    latents = torch.cat([model.encode(part) for part in torch.split(samples, BATCH)]).double()
    x, z = torch.from_numpy(positions), latents[visible]
    mean = z.mean(0)
    kernel = fit(x[visible], z - mean)
    regression = regress(kernel, x[visible], z - mean, x)
    expected, std = regression.mean + mean, with_noise(regression, kernel).variance.sqrt()
    interpolated = _interpolate(frames, visible, latents)
    ground_truth = model.likelihood.adjust_contrast(samples[hidden])
    pixels = _interpolate(frames, visible, model.likelihood.adjust_contrast(samples))[hidden].to(samples.dtype)
    by_method = {REGRESSED: expected, "latents interpolated": interpolated, OWN: latents}
    decoded = {name: _decode(model, each[hidden].to(samples.dtype)) for name, each in by_method.items()}
    images = {REGRESSED: decoded.pop(REGRESSED), **decoded, "pixels interpolated": pixels}
    arrays = (latents, interpolated, expected, std, kernel.length, kernel.noise / kernel.signal)
    return ImputedSequence(hidden, ground_truth, images, *(a.numpy() for a in arrays))


def imputation_errors(imputed: ImputedSequence) -> dict[str, float]:
    """Errors of one imputed sequence, by name.

    ``METHOD.rmse`` and, of images, ``METHOD.psnr`` and ``METHOD.ssim`` (where they are large enough) of the hidden
    frames; ``coverage``, the share of the hidden latents' dimensions inside the band; ``latent_error`` and
    ``latent_error_interpolated``, root mean squared over the dimensions, in units of the latents' standard deviation
    over the sequence.
    """
    errors: dict[str, float] = {}
    for name, images in imputed.images.items():
        errors[f"{name}.rmse"] = float((images - imputed.ground_truth).double().square().mean().sqrt())
        if images.ndim == 4:
            errors[f"{name}.psnr"] = psnr(images, imputed.ground_truth)
            if min(images.shape[2:]) >= WINDOW:
                errors[f"{name}.ssim"] = float(ssim(images, imputed.ground_truth).mean())
    hidden = imputed.hidden
    distance = np.abs(imputed.latents - imputed.mean)[hidden]
    errors["coverage"] = float((distance <= BAND * imputed.std[hidden]).mean())
    std = np.sqrt(imputed.latents.var(axis=0).mean())
    for name, latents in (("latent_error", imputed.mean), ("latent_error_interpolated", imputed.interpolated)):
        errors[name] = float(np.sqrt(np.square(imputed.latents - latents)[hidden].mean()) / max(std, 1e-12))
    return errors


def _decode(model: LatentModel, latents: Tensor) -> Tensor:
    images = torch.cat([model.decode(part) for part in torch.split(latents, BATCH)])
    return images.clamp(0, 1) if images.ndim == 4 else images


def _interpolate(frames: Float, visible: Bool, values: Tensor) -> Tensor:
    """Values [n …] of all frames on straight lines between the visible ones."""
    known = np.flatnonzero(visible)
    after = np.clip(np.searchsorted(frames[known], frames), 1, len(known) - 1)
    a, b = known[after - 1], known[after]
    share = torch.from_numpy((frames - frames[a]) / (frames[b] - frames[a])).view(-1, *[1] * (values.ndim - 1))
    return torch.lerp(values[a].double(), values[b].double(), share)
