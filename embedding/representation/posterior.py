"""The exact posterior p(z|x) of a trained decoder, and distances of the encoder's Gaussian q(z|x) from it.

The decoder's likelihood and the standard normal prior define the exact posterior: it can be sampled
(`embedding.representation.mcmc`) and, with two latent dimensions, normalised on a grid. KL(q‖p) is the gap of the
evidence lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from flatsort.embedding.model import LatentModel
from flatsort.embedding.objectives.kl import Gaussian, log_normal
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.representation.mcmc import LogDensity

KINDS = ("vae", "beta_vae")
"""Models with a standard normal prior and a Gaussian posterior."""
REACH, CELLS = 5.0, 201
"""Of the grid: from −5 to 5 in both dimensions; the prior has a mass of 1e-6 outside."""
MASS_ERROR = 1e-3
"""Greatest error of the mass of a Gaussian on the grid."""
FIT_STEPS = 40
CHUNK = 4096
"""Latents decoded at a time."""


def variational(model: LatentModel, samples: Tensor) -> Gaussian:
    """The posterior q(z|x) of samples [n *shape] that the encoder of a VAE gives, [n d]."""
    with torch.no_grad():
        return Gaussian.from_output(model.encoder_output(samples))


def log_joint(model: LatentModel, samples: Tensor) -> LogDensity:
    """log p(x|z) + log p(z) of samples [n *shape] as a function of latents [c n d] or [c 1 d]: [c n], nats.

    Without the constant that the likelihood's ``nll`` leaves out, which does not depend on latents.
    """

    def density(latents: Tensor) -> Tensor:
        c, n = len(latents), len(samples)
        raw = model.decoder(latents.flatten(0, 1)).reshape(c, latents.shape[1], *samples.shape[1:])
        targets = samples.expand(c, *samples.shape).flatten(0, 1)
        nll = model.likelihood.nll(raw.expand(c, n, *samples.shape[1:]).flatten(0, 1), targets)
        return log_normal(latents) - nll.reshape(c, n)

    return density


@dataclass(frozen=True, eq=False)
class GridPosterior:
    """Posteriors over a 2-D latent space on a grid.

    Attributes
    ----------
    nodes : float64 [g 2]
        Centres of the cells, z1 varies fastest.
    axis : float64 [m]
        Coordinates of the nodes in both dimensions; g = m².
    log_density : float64 [n g]
        log p(z|x), per unit of area.
    log_evidence : float64 [n]
        log p(x), up to the constant that `embedding.likelihood.Likelihood.nll` leaves out.
    """

    nodes: Tensor
    axis: Tensor
    log_density: Tensor
    log_evidence: Tensor

    @property
    def area(self) -> float:
        """Of a cell."""
        return float(self.axis[1] - self.axis[0]) ** 2

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean [n 2] and covariance [n 2 2]."""
        weights = self.log_density.exp() * self.area
        mean = weights @ self.nodes
        apart = self.nodes - mean[:, None]
        return mean, torch.einsum("ng,ngi,ngj->nij", weights, apart, apart)

    def kl(self, q: Gaussian) -> Tensor:
        """KL(q‖p) [n] of one Gaussian [n 2] per posterior, nats.

        Raises
        ------
        ValueError
            If a Gaussian is narrower than a cell or extends beyond the grid, so that sums do not approximate integrals.
        """
        weights, divergence = self._sums(q)
        if bool((abs(weights - 1) > MASS_ERROR).any()):
            worst = float(weights[(weights - 1).abs().argmax()])
            raise ValueError(
                f"posterior: expected Gaussians that the grid covers and resolves, one has mass {worst:.4f}"
            )
        return divergence

    def fit(self, start: Gaussian) -> Gaussian:
        """The Gaussians [n 2] with diagonal covariances and the least KL(q‖p), optimised from a start.

        Their KL is the approximation gap of the family of Gaussians, the difference from that of the encoder the
        amortisation gap.

        References
        ----------
        Cremer et al., Inference suboptimality in variational autoencoders, ICML 2018.
        """
        free = [t.detach().double().clone().requires_grad_() for t in (start.mean, start.log_std)]
        optimiser = torch.optim.LBFGS(free, max_iter=FIT_STEPS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = self._sums(Gaussian(*free))[1].sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        return Gaussian(*(t.detach() for t in free))

    def _sums(self, q: Gaussian) -> tuple[Tensor, Tensor]:
        """Mass of q and its divergence from p over the grid, each [n]; q factorises, so sums are over one axis each."""
        mean, log_std = q.mean.double()[..., None], q.log_std.double()[..., None]
        log_q = -0.5 * (((self.axis - mean) * (-log_std).exp()).square() + math.log(2 * math.pi)) - log_std
        weights = log_q.exp() * math.sqrt(self.area)
        masses, inside = weights.sum(2), (weights * log_q).sum(2)
        own = (inside * masses.flip(1)).sum(1)
        density = self.log_density.unflatten(1, (len(self.axis), -1))  # type: ignore[no-untyped-call]
        return masses.prod(1), own - torch.einsum("nx,nyx,ny->n", weights[:, 0], density, weights[:, 1])


@torch.no_grad()
def grid_posterior(model: LatentModel, samples: Tensor, reach: float = REACH, cells: int = CELLS) -> GridPosterior:
    """Normalise p(x|z)·p(z) of samples [n *shape] over a grid.

    Raises
    ------
    ValueError
        If the model does not have two latent dimensions.
    """
    if model.dim != 2:
        raise ValueError(f"posterior: expected 2 latent dimensions for a grid, got {model.dim}")
    axis = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells * 2 * reach - reach
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    nodes = torch.stack([x.flatten(), y.flatten()], dim=1)
    density = log_joint(model, samples)
    parts = [density(some[:, None]).T for some in torch.split(nodes.float(), CHUNK // len(samples) + 1)]
    joint = torch.cat(parts, dim=1).double()
    evidence = torch.logsumexp(joint, dim=1) + math.log(float(axis[1] - axis[0]) ** 2)
    return GridPosterior(nodes, axis, joint - evidence[:, None], evidence)


@torch.no_grad()
def predictive(model: LatentModel, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ∫ E[x̂|z] p(z|x) dz and standard deviation [n *shape] of decoded means over draws [n s d] of a posterior."""
    n, s, _ = draws.shape
    decoded = torch.cat([model.decode(some) for some in torch.split(draws.flatten(0, 1), CHUNK)])
    decoded = decoded.reshape(n, s, *decoded.shape[1:])
    return decoded.mean(1), decoded.std(1)


def gaussian_wasserstein(mean: Tensor, covariance: Tensor, other: Tensor, of_other: Tensor) -> Tensor:
    """2-Wasserstein distance [n] of Gaussians with means [n d] and covariances [n d d], in closed form.

    References
    ----------
    Dowson and Landau, The Fréchet distance between multivariate normal distributions, 1982.
    """
    root = _square_root(covariance)
    cross = _square_root(root @ of_other @ root)
    traces = (covariance + of_other - 2 * cross).diagonal(dim1=1, dim2=2).sum(1)
    return ((mean - other).square().sum(1) + traces).clamp_min(0).sqrt()


def sliced_wasserstein(some: Tensor, others: Tensor, generator: RandomGenerator, directions: int = 64) -> Tensor:
    """Sliced 2-Wasserstein distance [n] of two clouds of s points, each [n s d].

    Root of the mean over random directions of the squared distance of the sorted projections, times d, so that clouds
    that are shifted by t have the distance |t|, as without slicing.

    References
    ----------
    Bonneel et al., Sliced and Radon Wasserstein barycenters of measures, 2015.
    """
    d = some.shape[2]
    along = torch.nn.functional.normalize(generator.normal(directions, d).to(some.dtype), dim=1)
    one, two = ((cloud @ along.T).sort(dim=1).values for cloud in (some, others))
    return ((one - two).square().mean((1, 2)) * d).sqrt()


def _square_root(matrices: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrices)
    root: Tensor = vectors @ torch.diag_embed(values.clamp_min(0).sqrt()) @ vectors.transpose(1, 2)
    return root
