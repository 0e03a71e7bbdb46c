"""``flatsort latent codes``: moments of a model's binary codes, and of codes sampled with the same moments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import (
    hyperplane_prior,
    model_option,
    open_model,
    out_option,
    seed_option,
    training_note,
    write_json,
)

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.model import LatentModel

COLUMNS = 16
"""Decoded samples in a row."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@out_option
@click.option("--samples", type=click.IntRange(100), default=20_000, show_default=True, help="Codes to draw.")
@seed_option
@debug_option
def main(model: str, out: Path, samples: int, seed: int) -> None:
    """Compare the first two moments of the training set's binary codes (lbae) with those of sampled codes.

    Two ways of sampling: random hyperplanes, and rounding of a Gaussian with the codes' means and covariances. `limit`
    is the error of infinitely many samples, `noise` the difference of finitely many from these.

    Leaves in --out: codes.json, moments.png (sorted marginals and covariances), samples.png.

    \b
    flatsort latent codes --model runs/digits_lbae --out runs/codes
    """
    import torch

    from flatsort.embedding.figures.image_grids import drawing_for, image_grid, save_figure
    from flatsort.embedding.figures.statistics_plots import moments_figure
    from flatsort.embedding.priors import hyperplane
    from flatsort.embedding.random_generator import RandomGenerator

    opened = open_model(model, ("lbae",))
    prior = hyperplane_prior(opened, model)
    if opened.dim < 2:
        raise ValueError(f"model {model}: expected codes of two bits or more for covariances, got {opened.dim}")
    gaussian = hyperplane.round_gaussian(prior.moments, samples, RandomGenerator(seed, "gaussian"))
    drawn = {
        "hyperplanes": prior.sample(samples, RandomGenerator(seed, "hyperplanes")),
        "rounded Gaussian": gaussian.float(),
    }
    moments = {"codes": prior.moments.double()} | {name: hyperplane.second_moments([c]) for name, c in drawn.items()}
    reference, expected = moments["codes"], prior.expected()
    errors = {
        "hyperplanes": moment_errors(moments["hyperplanes"], reference),
        "limit": moment_errors(expected, reference),
        "noise": moment_errors(moments["hyperplanes"], expected),
        "rounded Gaussian": moment_errors(moments["rounded Gaussian"], reference),
    }
    about = {"model": opened.config.name, "bits": opened.dim, "codes": int(prior.count), "samples": samples}
    write_json(out / "codes.json", {**about, **errors})
    marginals = {name: (each[-1, :-1].numpy() + 1) / 2 for name, each in moments.items()}
    figure = moments_figure(marginals, {name: covariances(each).numpy() for name, each in moments.items()})
    save_figure(figure, out / "moments.png")
    rows = [
        (name, _decode(opened, part))
        for name, codes in drawn.items()
        for part in torch.split(codes[: 2 * COLUMNS], COLUMNS)
    ]
    save_figure(image_grid(rows, "Decoded samples", drawing_for(training_note(model))), out / "samples.png")
    for name, each in errors.items():
        click.echo(f"{name}: " + ", ".join(f"{key} {value:.4f}" for key, value in each.items()))
    click.echo(f"{out}: codes.json, moments.png, samples.png")


def covariances(moments: Tensor) -> Tensor:
    """Covariance of every pair of bits, [d·(d−1)/2], from moments [d+1 d+1]."""
    import torch

    means, bits = moments[-1, :-1], len(moments) - 1
    rows, columns = torch.triu_indices(bits, bits, 1)
    return (moments[:-1, :-1] - torch.outer(means, means))[rows, columns]


def moment_errors(moments: Tensor, reference: Tensor) -> dict[str, float]:
    """Greatest and root mean square difference of the probabilities that bits are 1, and of covariances."""
    marginals = (moments - reference)[-1, :-1] / 2
    pairs = covariances(moments) - covariances(reference)
    return {
        "marginal_max": float(marginals.abs().max()),
        "marginal_rms": float(marginals.square().mean().sqrt()),
        "covariance_max": float(pairs.abs().max()),
        "covariance_rms": float(pairs.square().mean().sqrt()),
    }


def _decode(model: LatentModel, codes: Tensor) -> Tensor:
    import torch

    with torch.no_grad():
        return model.decode(codes)


if __name__ == "__main__":
    run(main)
