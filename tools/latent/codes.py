"""``flatsort latent codes``: what is known of a model's binary codes, and samples that share it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import model_option, out_option, seed_option

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.model import LatentModel
    from flatsort.embedding.priors.hyperplane import HyperplanePrior

SHOWN = 16
"""Decoded samples of a row."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@out_option
@click.option("--samples", type=click.IntRange(100), default=20_000, show_default=True, help="Codes to draw.")
@seed_option
@debug_option
def main(model: str, out: Path, samples: int, seed: int) -> None:
    """Compare the first two moments of the training set's binary codes (lbae) with those of sampled codes.

    Two ways of sampling: random hyperplanes, and rounding of a Gaussian with the codes' means and covariances. `noise`
    is what the moments of as many codes differ by from those of infinitely many, `limit` the error of these.

    Leaves in --out: codes.json, moments.png (sorted marginals and covariances), samples.png.

    \b
    flatsort latent codes --model runs/digits_lbae --out runs/codes
    """
    import torch

    from flatsort.embedding.figures.codes import moments_figure
    from flatsort.embedding.figures.sheets import save, sheet
    from flatsort.embedding.priors import hyperplane
    from flatsort.embedding.random_generator import RandomGenerator
    from flatsort.tools.latent.common import open_model, write_json

    opened = open_model(model, ("lbae",))
    prior = fitted(opened, model)
    if opened.dim < 2:
        raise ValueError(
            f"model {model}: expected codes of two bits or more, which can vary together, got {opened.dim}"
        )
    drawn = {
        "hyperplanes": prior.sample(samples, RandomGenerator(seed, "hyperplanes")),
        "rounded Gaussian": hyperplane.round_gaussian(
            prior.moments, samples, RandomGenerator(seed, "gaussian")
        ).float(),
    }
    moments = {"codes": prior.moments.double()} | {name: hyperplane.moments_of([c]) for name, c in drawn.items()}
    truth, expected = moments["codes"], prior.expected()
    found = {
        "hyperplanes": errors(moments["hyperplanes"], truth),
        "limit": errors(expected, truth),
        "noise": errors(moments["hyperplanes"], expected),
        "rounded Gaussian": errors(moments["rounded Gaussian"], truth),
    }
    about = {"model": opened.config.name, "bits": opened.dim, "codes": int(prior.count), "samples": samples}
    write_json(out / "codes.json", {**about, **found})
    chances = {name: (each[-1, :-1].numpy() + 1) / 2 for name, each in moments.items()}
    figure = moments_figure(chances, {name: covariances(each).numpy() for name, each in moments.items()})
    save(figure, out / "moments.png")
    rows = [
        (name, decoded(opened, part))
        for name, codes in drawn.items()
        for part in torch.split(codes[: 2 * SHOWN], SHOWN)
    ]
    save(sheet(rows, "Decoded samples"), out / "samples.png")
    for name, each in found.items():
        click.echo(f"{name}: " + ", ".join(f"{key} {value:.4f}" for key, value in each.items()))
    click.echo(f"{out}: codes.json, moments.png, samples.png")


def fitted(model: LatentModel, name: str) -> HyperplanePrior:
    """The prior over a model's codes.

    Raises
    ------
    ValueError
        If it was never fitted: the training did not end.
    """
    prior: HyperplanePrior = model.prior  # type: ignore[assignment]
    if not prior.count:
        raise ValueError(f"model {name}: its training has not ended, so that the moments of its codes are not known")
    return prior


def covariances(moments: Tensor) -> Tensor:
    """Covariance of every pair of bits, [d·(d−1)/2], from moments [d+1 d+1]."""
    import torch

    means, bits = moments[-1, :-1], len(moments) - 1
    rows, columns = torch.triu_indices(bits, bits, 1)
    return (moments[:-1, :-1] - torch.outer(means, means))[rows, columns]


def errors(moments: Tensor, truth: Tensor) -> dict[str, float]:
    """Largest and root mean square difference of the chances that bits are 1, and of covariances."""
    chances = (moments - truth)[-1, :-1] / 2
    between = covariances(moments) - covariances(truth)
    return {
        "marginal_max": float(chances.abs().max()),
        "marginal_rms": float(chances.square().mean().sqrt()),
        "covariance_max": float(between.abs().max()),
        "covariance_rms": float(between.square().mean().sqrt()),
    }


def decoded(model: LatentModel, codes: Tensor) -> Tensor:
    """The samples [n *shape] that codes [n d] stand for."""
    import torch

    with torch.no_grad():
        return model.decode(codes)


if __name__ == "__main__":
    run(main)
