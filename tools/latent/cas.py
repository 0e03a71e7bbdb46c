"""``flatsort latent cas``: how well a classifier does on real images that has seen generated ones only."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from flatsort.tools.cli import debug_option, progress, run
from flatsort.tools.latent.common import (
    data_option,
    gathered,
    model_option,
    open_model,
    out_option,
    seed_option,
    write_json,
)
from flatsort.tools.latent.compress import KINDS

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.priors.pixel_cnn import SymbolPrior
    from flatsort.embedding.quantised_model import SymbolModel

HELD_OUT = 0.1
"""Share of the samples to learn from that says when the prior is best."""
JUDGE_EVERY = 25
BATCH = 64
RATE = 2e-3
SHOWN = 12


@dataclass(frozen=True)
class Labelled:
    """Samples float32 [n *shape] and their classes int64 [n], counted from 0."""

    samples: Tensor
    classes: Tensor


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@click.option("--test", "tests", multiple=True, metavar="PATH", help="Labelled, to test on; else a half of --data.")
@out_option
@click.option("--steps", type=click.IntRange(1), default=600, show_default=True, help="Of the prior's training.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Seeds of prior and samples.")
@seed_option
@debug_option
def main(
    model: str, sources: tuple[str, ...], tests: tuple[str, ...], out: Path, steps: int, repeats: int, seed: int
) -> None:
    """Measure the classification accuracy score (CAS) of a VQ-VAE with a PixelCNN that knows the class.

    Trains the PixelCNN on the symbols of labelled samples, draws as many samples of each class as there were, trains a
    classifier (support vectors) on what they decode to, and tests it on real samples; beside the same classifier
    trained on the real ones and on their reconstructions. The autoencoder should not have seen what is tested on:
    train it on the data of --data and give the rest as --test.

    Leaves in --out: cas.json, cas.png (samples, a row a class).

    \b
    flatsort latent cas --model runs/digits_vq_vae --data digits --out runs/cas
    """
    from flatsort.embedding.figures.sheets import save, sheet
    from flatsort.embedding.quantised_model import SymbolModel

    opened = open_model(model, KINDS)
    assert isinstance(opened, SymbolModel)
    known, test, names = _parts(gathered(sources, opened, out), tests, opened, out, seed)
    real, test = _as_decoded(opened, known), _as_decoded(opened, test)
    scores: dict[str, list[float]] = {"real": [], "reconstructed": [], "samples": []}
    bits = []
    drawn = known
    for repeat in progress(range(repeats), repeats, "cas", "seed"):
        prior, held_out = fit_prior(opened, known, len(names), steps, seed + repeat)
        bits.append(held_out)
        drawn = _drawn(opened, prior, known.classes, seed + repeat)
        scores["samples"].append(_accuracy(drawn, test))
    scores["real"].append(_accuracy(real, test))
    scores["reconstructed"].append(_accuracy(Labelled(_reconstructed(opened, known.samples), known.classes), test))
    accuracy = {name: _spread(values) for name, values in scores.items()}
    report = {
        "model": model,
        "learned_from": len(known.samples),
        "test": "of its own" if tests else "a half of the data, which the autoencoder may have seen",
        "tested_on": len(test.samples),
        "accuracy": accuracy,
        "held_out_bits": _spread(bits),
        "uniform_bits": opened.code_bits,
    }
    write_json(out / "cas.json", report)
    rows = [(str(name), drawn.samples[drawn.classes == i][:SHOWN]) for i, name in enumerate(names)]
    save(sheet(rows, "Decoded samples of each class"), out / "cas.png")
    for name, found in accuracy.items():
        click.echo(f"trained on {name}: {found['mean']:.3f} ± {found['deviation']:.3f}")
    click.echo(f"{out}: cas.json, cas.png")


def fit_prior(model: SymbolModel, known: Labelled, classes: int, steps: int, seed: int) -> tuple[SymbolPrior, float]:
    """A prior of the symbols given the class, with the weights that were best on held-out samples.

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
    apart = math.ceil(HELD_OUT * len(order))
    held, rows = order[:apart], order[apart:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        prior = SymbolPrior(model.levels, model.settings.pixel_cnn, classes)
    optimiser = torch.optim.AdamW(prior.parameters(), RATE)
    best, kept = float("inf"), prior

    def nats(chosen: Tensor) -> Tensor:
        return prior.nats([level[chosen] for level in maps], known.classes[chosen]).mean()

    for step in range(steps):
        optimiser.zero_grad()
        nats(rows[RandomGenerator(seed, step).permutation(len(rows))[:BATCH]]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (step + 1) % JUDGE_EVERY == 0 or step + 1 == steps:
            with torch.no_grad():
                found = float(nats(held))
            if found < best:
                best, kept = found, copy.deepcopy(prior)
    return kept, best / math.log(2)


def _parts(
    data: SampleSet, tests: tuple[str, ...], model: SymbolModel, out: Path, seed: int
) -> tuple[Labelled, Labelled, list[int]]:
    """What to learn from, what to test on, and the labels of both."""
    if tests:
        known, other = data, gathered(tests, model, out / "test")
    else:
        order = np.random.default_rng(seed).permutation(len(data))
        half = len(order) // 2
        known, other = data.take(np.sort(order[:half])), data.take(np.sort(order[half:]))
    names = np.unique(known.columns["identity"]).tolist()
    if len(names) < 2 or names[0] < 0 or not set(other.columns["identity"].tolist()) <= set(names):
        raise ValueError("data: expected labels (identities) of two classes or more, the same in what is tested on")
    return _labelled(known, names), _labelled(other, names), names


def _labelled(data: SampleSet, names: list[int]) -> Labelled:
    import torch

    return Labelled(data.tensor(slice(None)), torch.from_numpy(np.searchsorted(names, data.columns["identity"])))


def _as_decoded(model: SymbolModel, known: Labelled) -> Labelled:
    """Samples with the contrast that the model's likelihood leaves them, which decoded ones have."""
    return Labelled(model.likelihood.standardise(known.samples), known.classes)


def _reconstructed(model: SymbolModel, samples: Tensor) -> Tensor:
    import torch

    with torch.no_grad():
        return model.decode(model.encode(samples)).clamp(0, 1)


def _drawn(model: SymbolModel, prior: SymbolPrior, classes: Tensor, seed: int) -> Labelled:
    import torch

    from flatsort.embedding.random_generator import RandomGenerator

    with torch.no_grad():
        maps = prior.sample(len(classes), RandomGenerator(seed, "samples"), classes)
        return Labelled(model.decode(model.latents(maps)).clamp(0, 1), classes)


def _accuracy(known: Labelled, test: Labelled) -> float:
    from sklearn.svm import SVC

    classifier = SVC().fit(known.samples.flatten(1).numpy(), known.classes.numpy())
    return float(classifier.score(test.samples.flatten(1).numpy(), test.classes.numpy()))


def _spread(values: list[float]) -> dict[str, Any]:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "deviation": deviation, "runs": values}


if __name__ == "__main__":
    run(main)
