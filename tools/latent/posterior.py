"""``flatsort latent posterior``: the exact posterior of a VAE compared with that of its encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import (
    data_option,
    gather_samples,
    model_option,
    open_model,
    out_option,
    seed_option,
    write_json,
)

if TYPE_CHECKING:
    import torch

    from flatsort.embedding.figures.image_grids import DrawSample
    from flatsort.embedding.model import LatentModel
    from flatsort.embedding.objectives.kl import Gaussian
    from flatsort.embedding.representation.mcmc import Chains
    from flatsort.embedding.representation.posterior import GridPosterior

MIXED = 1.05
"""Greatest potential scale reduction R̂ of chains that count as mixed."""
CANDIDATES = 2048
"""Draws of the prior that the starts of the chains are chosen from."""
PANELS = 8


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@out_option
@click.option("--count", type=click.IntRange(1), default=12, show_default=True, help="Samples to compare.")
@click.option("--chains", type=click.IntRange(2), default=8, show_default=True, help="Markov chains per sample.")
@click.option(
    "--steps", type=click.IntRange(4), default=2000, show_default=True, help="Steps of a chain that are kept."
)
@click.option("--burn-in", type=click.IntRange(40), default=1000, show_default=True, help="Steps before that.")
@seed_option
@debug_option
def main(
    model: str, sources: tuple[str, ...], out: Path, count: int, chains: int, steps: int, burn_in: int, seed: int
) -> None:
    """Compare the posterior q(z|x) of a VAE's encoder with the exact one, p(z|x), of its decoder and prior.

    p(z|x) is sampled by random-walk Metropolis and, with two latent dimensions, normalised on a grid. Distances: KL
    (q‖p) on the grid, the same of the best diagonal Gaussian, the 2-Wasserstein distance of Gaussians with the same
    moments, and the sliced one of draws. Models: vae, beta_vae.

    Leaves in --out: posterior.json, predictive.png (samples, decoded mean of q, mean and standard deviation over
    p) and, with two latent dimensions, posterior.png (contours of p, draws, ellipses of q).

    \b
    flatsort train --config digits_vae_2d --data digits --out runs/digits
    flatsort latent posterior --model runs/digits --data digits --out runs/posterior
    """
    import numpy as np

    from flatsort.embedding.figures.image_grids import drawing_for
    from flatsort.embedding.random_generator import RandomGenerator
    from flatsort.embedding.representation import mcmc, posterior

    opened = open_model(model, posterior.KINDS)
    data = gather_samples(sources, opened, out)
    rows = RandomGenerator(seed, "samples").permutation(len(data))[:count].sort().values
    samples = data.tensor(rows.numpy())
    density, shape = posterior.log_joint(opened, samples), (opened.dim,)
    begin = mcmc.starts(
        density, RandomGenerator(seed, "prior").normal(CANDIDATES, *shape), chains, RandomGenerator(seed, "starts")
    )
    sampled = mcmc.metropolis(density, begin, RandomGenerator(seed, "mcmc"), steps, burn_in)
    q = posterior.variational(opened, samples)
    grid = posterior.grid_posterior(opened, samples) if opened.dim == 2 else None
    best = grid.fit(q) if grid is not None else None
    measured = {**_sampled(sampled, q, seed), **(_on_grid(grid, sampled, q, best) if grid and best else {})}
    files = _draw(opened, samples, sampled, q, best, grid, drawing_for(data.note), out)
    means = {name: float(np.mean(values)) for name, values in measured.items()}
    each = [{"row": int(row), **{k: v[i] for k, v in measured.items()}} for i, row in enumerate(rows)]
    unmixed = sum(value > MIXED for value in measured["r_hat"])
    notes = [f"{unmixed} of {len(rows)} samples: the chains have not mixed (R̂ > {MIXED})"] if unmixed else []
    settings = {"chains": chains, "steps": steps, "burn_in": burn_in, "seed": seed}
    write_json(
        out / "posterior.json",
        {"model": model, "data": data.note, **settings, "mean": means, "samples": each, "notes": notes},
    )
    for name, value in means.items():
        click.echo(f"{name}: {value:.4g} ({min(measured[name]):.4g} to {max(measured[name]):.4g})")
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"{out}: {', '.join(['posterior.json', *files])}")


def _sampled(chains: Chains, q: Gaussian, seed: int) -> dict[str, list[float]]:
    """How well the chains mixed, and distances of q from their draws; one number per sample."""
    from flatsort.embedding.random_generator import RandomGenerator
    from flatsort.embedding.representation import mcmc, posterior

    mean, covariance = chains.moments()
    pooled = chains.pooled()
    generator = RandomGenerator(seed, "q")
    drawn = q.mean[:, None] + q.log_std.exp()[:, None] * generator.normal(*pooled.shape)
    # R̂ is infinite where chains do not move: JSON has no infinity
    r_hat = mcmc.split_r_hat(chains.draws).amax(1).clamp_max(1e3)
    w2 = posterior.gaussian_wasserstein(mean, covariance, q.mean.double(), _covariance(q))
    return {
        "acceptance": chains.acceptance.tolist(),
        "r_hat": r_hat.tolist(),
        "effective_size": mcmc.effective_size(chains.draws).amin(1).tolist(),
        "deviation": covariance.diagonal(dim1=1, dim2=2).mean(1).sqrt().tolist(),
        "w2": w2.tolist(),
        "sliced_w2": posterior.sliced_wasserstein(drawn.double(), pooled.double(), generator).tolist(),
    }


def _on_grid(grid: GridPosterior, chains: Chains, q: Gaussian, best: Gaussian) -> dict[str, list[float]]:
    """Distances computed on the grid; one number per sample."""
    from flatsort.embedding.representation.posterior import gaussian_wasserstein

    mean, covariance = grid.moments()
    return {
        "kl": grid.kl(q).tolist(),
        "kl_best": grid.kl(best).tolist(),
        "grid_w2": gaussian_wasserstein(mean, covariance, q.mean.double(), _covariance(q)).tolist(),
        "mcmc_error": gaussian_wasserstein(mean, covariance, *chains.moments()).tolist(),
    }


def _covariance(q: Gaussian) -> torch.Tensor:
    import torch

    return torch.diag_embed((2 * q.log_std.double()).exp())


def _draw(
    model: LatentModel,
    samples: torch.Tensor,
    chains: Chains,
    q: Gaussian,
    best: Gaussian | None,
    grid: GridPosterior | None,
    draw: DrawSample,
    out: Path,
) -> list[str]:
    import torch

    from flatsort.embedding.figures.image_grids import image_grid, save_figure
    from flatsort.embedding.figures.statistics_plots import posterior_figure
    from flatsort.embedding.representation.posterior import predictive

    thin = max(1, chains.draws.shape[0] * chains.draws.shape[1] // 200)
    mean, std = predictive(model, chains.pooled()[:, ::thin])
    with torch.no_grad():
        decoded = model.decode(q.mean)
    rows = [
        ("samples", samples),
        ("decoded mean of q", decoded),
        ("mean over p", mean),
        ("5 × standard deviation over p", 5 * std),
    ]
    save_figure(image_grid(rows, "Posterior predictive", draw), out / "predictive.png")
    if grid is None or best is None:
        return ["predictive.png"]
    gaussians = [("encoder's q", "C3", q), ("best diagonal Gaussian", "C0", best)]
    part = type(grid)(grid.nodes, grid.axis, grid.log_density[:PANELS], grid.log_evidence[:PANELS])
    figure = posterior_figure(part, chains.pooled(), gaussians, samples[:PANELS], draw)
    save_figure(figure, out / "posterior.png")
    return ["predictive.png", "posterior.png"]


if __name__ == "__main__":
    run(main)
