"""``flatsort latent cas``: accuracy on real images of a classifier that is trained on generated ones."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from flatsort.tools.cli import debug_option, progress, run
from flatsort.tools.experiments.seed_statistics import mean_and_std
from flatsort.tools.latent.common import (
    data_option,
    gather_samples,
    model_option,
    open_quantised_model,
    out_option,
    seed_option,
    write_json,
)

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.priors.pixel_cnn import SymbolPrior
    from flatsort.embedding.quantised_model import QuantisedModel

HELD_OUT = 0.1
"""Share of the training samples on which the best step of the prior is chosen."""
VALIDATE_EVERY = 25
"""Training steps of the prior between validations."""
BATCH = 64
LEARNING_RATE = 2e-3
COLUMNS = 12
"""Images in a row."""


@dataclass(frozen=True)
class ClassifiedSamples:
    """Samples float32 [n *shape] and their classes int64 [n], counted from 0."""

    samples: Tensor
    classes: Tensor


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@click.option("--test", "tests", multiple=True, metavar="PATH", help="Labelled test data; without it, half of --data.")
@out_option
@click.option("--steps", type=click.IntRange(1), default=600, show_default=True, help="Training steps of the prior.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Seeds of prior and samples.")
@seed_option
@debug_option
def main(
    model: str, sources: tuple[str, ...], tests: tuple[str, ...], out: Path, steps: int, repeats: int, seed: int
) -> None:
    """Measure the classification accuracy score (CAS) of a VQ-VAE with a class-conditional PixelCNN.

    Trains the PixelCNN on the symbols of labelled samples, draws as many samples of each class as there were, trains a
    classifier (support vectors) on their decoded images, and tests it on real samples. For comparison, the same
    classifier is trained on the real samples and on their reconstructions. The autoencoder should not be trained on the
    test data: train it on --data and give other data as --test.

    Leaves in --out: cas.json, cas.png (samples, a row per class).

    \b
    flatsort latent cas --model runs/digits_vq_vae --data digits --out runs/cas
    """
    from flatsort.embedding.figures.image_grids import image_grid, save_figure

    opened = open_quantised_model(model)
    known, test, names = _split(gather_samples(sources, opened, out), tests, opened, out, seed)
    real, test = _standardise(opened, known), _standardise(opened, test)
    scores: dict[str, list[float]] = {"real": [], "reconstructed": [], "samples": []}
    bits = []
    drawn = known
    for repeat in progress(range(repeats), repeats, "cas", "seed"):
        prior, held_out = fit_prior(opened, known, len(names), steps, seed + repeat)
        bits.append(held_out)
        drawn = _sample(opened, prior, known.classes, seed + repeat)
        scores["samples"].append(_accuracy(drawn, test))
    scores["real"].append(_accuracy(real, test))
    scores["reconstructed"].append(_accuracy(_reconstruct(opened, known), test))
    accuracy = {name: _over_repeats(values) for name, values in scores.items()}
    report = {
        "model": model,
        "learned_from": len(known.samples),
        "test": "separate data" if tests else "half of the data, on which the autoencoder may have been trained",
        "tested_on": len(test.samples),
        "accuracy": accuracy,
        "held_out_bits": _over_repeats(bits),
        "uniform_bits": opened.code_bits,
    }
    write_json(out / "cas.json", report)
    rows = [(str(name), drawn.samples[drawn.classes == i][:COLUMNS]) for i, name in enumerate(names)]
    save_figure(image_grid(rows, "Decoded samples of each class"), out / "cas.png")
    for name, statistics in accuracy.items():
        click.echo(f"trained on {name}: {statistics['mean']:.3f} ± {statistics['deviation']:.3f}")
    click.echo(f"{out}: cas.json, cas.png")


def fit_prior(
    model: QuantisedModel, known: ClassifiedSamples, classes: int, steps: int, seed: int
) -> tuple[SymbolPrior, float]:
    """Train a prior of the symbols given the class; keeps the weights that are best on held-out samples.

    Returns
    -------
    prior : SymbolPrior
    bits : float
        −log2 p(symbols | class) of the held-out samples, mean.
    """
    import torch

    from flatsort.embedding.priors.pixel_cnn import SymbolPrior
    from flatsort.embedding.random_generator import RandomGenerator

    with torch.no_grad():
        maps = model.symbols(known.samples)
    order = RandomGenerator(seed, "held out").permutation(len(known.samples))
    count = math.ceil(HELD_OUT * len(order))
    held_out, rows = order[:count], order[count:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        prior = SymbolPrior(model.levels, model.quantised_config.pixel_cnn, classes)
    optimiser = torch.optim.AdamW(prior.parameters(), LEARNING_RATE)
    best, kept = float("inf"), prior

    def nll(chosen: Tensor) -> Tensor:
        return prior.nll([level[chosen] for level in maps], known.classes[chosen]).mean()

    for step in range(steps):
        optimiser.zero_grad()
        nll(rows[RandomGenerator(seed, step).permutation(len(rows))[:BATCH]]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (step + 1) % VALIDATE_EVERY == 0 or step + 1 == steps:
            with torch.no_grad():
                validation = float(nll(held_out))
            if validation < best:
                best, kept = validation, copy.deepcopy(prior)
    return kept, best / math.log(2)


def _split(
    data: SampleSet, tests: tuple[str, ...], model: QuantisedModel, out: Path, seed: int
) -> tuple[ClassifiedSamples, ClassifiedSamples, list[int]]:
    """Training samples, test samples, and the labels of both."""
    if tests:
        known, other = data, gather_samples(tests, model, out / "test")
    else:
        order = np.random.default_rng(seed).permutation(len(data))
        half = len(order) // 2
        known, other = data.take(np.sort(order[:half])), data.take(np.sort(order[half:]))
    names = np.unique(known.columns["identity"]).tolist()
    if len(names) < 2 or names[0] < 0 or not set(other.columns["identity"].tolist()) <= set(names):
        raise ValueError("data: expected labels (identities) of two classes or more, the same ones in the test data")
    return _classified(known, names), _classified(other, names), names


def _classified(data: SampleSet, names: list[int]) -> ClassifiedSamples:
    import torch

    return ClassifiedSamples(
        data.tensor(slice(None)), torch.from_numpy(np.searchsorted(names, data.columns["identity"]))
    )


def _standardise(model: QuantisedModel, known: ClassifiedSamples) -> ClassifiedSamples:
    """Samples with the contrast of decoded ones, as the model's likelihood reduces it."""
    return ClassifiedSamples(model.likelihood.adjust_contrast(known.samples), known.classes)


def _reconstruct(model: QuantisedModel, known: ClassifiedSamples) -> ClassifiedSamples:
    import torch

    with torch.no_grad():
        return ClassifiedSamples(model.decode(model.encode(known.samples)).clamp(0, 1), known.classes)


def _sample(model: QuantisedModel, prior: SymbolPrior, classes: Tensor, seed: int) -> ClassifiedSamples:
    import torch

    from flatsort.embedding.random_generator import RandomGenerator

    with torch.no_grad():
        maps = prior.sample(len(classes), RandomGenerator(seed, "samples"), classes)
        return ClassifiedSamples(model.decode(model.latents(maps)).clamp(0, 1), classes)


def _accuracy(known: ClassifiedSamples, test: ClassifiedSamples) -> float:
    from sklearn.svm import SVC

    classifier = SVC().fit(known.samples.flatten(1).numpy(), known.classes.numpy())
    return float(classifier.score(test.samples.flatten(1).numpy(), test.classes.numpy()))


def _over_repeats(values: list[float]) -> dict[str, Any]:
    mean, std = mean_and_std(values)
    return {"mean": mean, "deviation": std, "runs": values}


if __name__ == "__main__":
    run(main)
