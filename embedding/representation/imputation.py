"""Missing frames of a sequence, filled in: by Gaussian-process regression of latents, and by interpolation."""

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
"""Deviations to either side that a band has; 95.4 per cent of a Gaussian lie in it."""
BATCH = 256


@dataclass(frozen=True, eq=False)
class Filled:
    """A sequence with hidden frames and what was made of them.

    Attributes
    ----------
    hidden : bool [n]
    truth : float32 [m *shape]
        The hidden frames, with the contrast that the model's likelihood leaves them.
    pictures : dict of float32 [m *shape]
        The hidden frames by method: `REGRESSED`, interpolations, and decoded from their `OWN` latents, which is the
        best that any latent is known to do.
    latents : float64 [n d]
        Encoded, of all frames.
    interpolated : float64 [n d]
    mean, deviation : float64 [n d]
        Of the regression from the frames that are seen; the deviation is that of a latent, with its noise.
    length, noise : float64 [d k], [d]
        Fitted kernels: lengths in the positions' units, noise as a share of the signal.
    """

    hidden: Bool
    truth: Tensor
    pictures: dict[str, Tensor]
    latents: Float
    interpolated: Float
    mean: Float
    deviation: Float
    length: Float
    noise: Float


def hide(n: int, seed: int, missing: float = 0.3, gap: int | None = None) -> Bool:
    """Which of n frames are hidden; the first and the last are seen.

    Parameters
    ----------
    n : int
    seed : int
        Draws single frames.
    missing : float
        Share that is hidden, where there is no ``gap``.
    gap : int, optional
        Frames that are hidden together, after as many that are seen, and so on.

    Raises
    ------
    ValueError
        If no frame would be hidden, or fewer than three seen.
    """
    hidden = np.zeros(n, np.bool_)
    if gap is not None:
        starts = range(gap, n - gap, 2 * gap)
        for start in starts:
            hidden[start : start + gap] = True
    else:
        inner = RandomGenerator(seed, "missing").permutation(max(n - 2, 0)).numpy() + 1
        hidden[inner[: round(missing * n)]] = True
    if not hidden.any() or np.count_nonzero(~hidden) < 3:
        how = f"gaps of {gap}" if gap is not None else f"a share of {missing:g}"
        raise ValueError(f"missing: expected frames to hide and three or more to see, got {how} of {n} frames")
    return hidden


@torch.no_grad()
def fill(model: LatentModel, samples: Tensor, frames: Float, positions: Float, hidden: Bool) -> Filled:
    """Hide frames of a sequence and fill them in.

    Parameters
    ----------
    model : LatentModel
        In evaluation mode.
    samples : float32 [n *shape]
    frames : float64 [n]
        Rising: what interpolation goes by.
    positions : float64 [n k]
        What the regression goes by.
    hidden : bool [n]

    Raises
    ------
    ValueError
        If positions of the frames that are seen are all alike.
    """
    seen = ~hidden
    latents = torch.cat([model.encode(part) for part in torch.split(samples, BATCH)]).double()
    x, z = torch.from_numpy(positions), latents[seen]
    mean = z.mean(0)
    kernel = fit(x[seen], z - mean)
    found = regress(kernel, x[seen], z - mean, x)
    expected, deviation = found.mean + mean, with_noise(found, kernel).variance.sqrt()
    between = _interpolate(frames, seen, latents)
    truth = model.likelihood.standardise(samples[hidden])
    pixels = _interpolate(frames, seen, model.likelihood.standardise(samples))[hidden].to(samples.dtype)
    made = {REGRESSED: expected, "latents interpolated": between, OWN: latents}
    decoded = {name: _decode(model, codes[hidden].to(samples.dtype)) for name, codes in made.items()}
    pictures = {REGRESSED: decoded.pop(REGRESSED), **decoded, "pixels interpolated": pixels}
    arrays = (latents, between, expected, deviation, kernel.length, kernel.noise / kernel.signal)
    return Filled(hidden, truth, pictures, *(a.numpy() for a in arrays))


def judge(filled: Filled) -> dict[str, float]:
    """Numbers of one sequence, by name.

    ``METHOD.rmse`` and, of pictures, ``METHOD.psnr`` and ``METHOD.ssim`` (where they are large enough) of the hidden
    frames; ``coverage``, the share of hidden latents' numbers inside the band; ``latent_error`` and
    ``latent_error_interpolated``, root mean squared over the numbers, in units of the latents' deviation over the
    sequence.
    """
    numbers: dict[str, float] = {}
    for name, pictures in filled.pictures.items():
        numbers[f"{name}.rmse"] = float((pictures - filled.truth).double().square().mean().sqrt())
        if pictures.ndim == 4:
            numbers[f"{name}.psnr"] = psnr(pictures, filled.truth)
            if min(pictures.shape[2:]) >= WINDOW:
                numbers[f"{name}.ssim"] = float(ssim(pictures, filled.truth).mean())
    hidden = filled.hidden
    apart = np.abs(filled.latents - filled.mean)[hidden]
    numbers["coverage"] = float((apart <= BAND * filled.deviation[hidden]).mean())
    spread = np.sqrt(filled.latents.var(axis=0).mean())
    for name, codes in (("latent_error", filled.mean), ("latent_error_interpolated", filled.interpolated)):
        numbers[name] = float(np.sqrt(np.square(filled.latents - codes)[hidden].mean()) / max(spread, 1e-12))
    return numbers


def _decode(model: LatentModel, codes: Tensor) -> Tensor:
    pictures = torch.cat([model.decode(part) for part in torch.split(codes, BATCH)])
    return pictures.clamp(0, 1) if pictures.ndim == 4 else pictures


def _interpolate(frames: Float, seen: Bool, values: Tensor) -> Tensor:
    """Values [n …] of all frames on straight lines between those that are seen."""
    known = np.flatnonzero(seen)
    after = np.clip(np.searchsorted(frames[known], frames), 1, len(known) - 1)
    a, b = known[after - 1], known[after]
    share = torch.from_numpy((frames - frames[a]) / (frames[b] - frames[a])).view(-1, *[1] * (values.ndim - 1))
    return torch.lerp(values[a].double(), values[b].double(), share)
