"""What the verbs of ``flatsort latent`` share: options, opening of models and data, JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flatsort.tracker.files import write_text

if TYPE_CHECKING:
    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.figures.image_grids import EncodedSamples
    from flatsort.embedding.model import LatentModel
    from flatsort.embedding.priors.hyperplane import HyperplanePrior
    from flatsort.embedding.quantised_model import QuantisedModel
    from flatsort.tools.experiments.model_tables import SeededModel

LEAST_SAMPLES = 10
"""Samples that are needed to measure a latent space."""
SYMBOL_MODELS = ("vq_vae", "vq_vae2")
"""Models whose codes are maps of symbols from a codebook."""

model_option = click.option(
    "--model", required=True, metavar="M", help="Checkpoint, folder of a training run or name of shipped weights."
)
models_option = click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="M",
    help="Checkpoint, folder of a training run or name; NAME=M,M,M: seeds of one model. Repeat to compare.",
)
data_option = click.option(
    "--data",
    "sources",
    multiple=True,
    required=True,
    metavar="PATH",
    help="A set of flatsort crop, a folder of images, poses.npz, or digits, pendulum, sprites, … (sprites:1: with "
    "another seed than 0). May be repeated.",
)
out_option = click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR")
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Of all random numbers.")


def open_model(text: str, kinds: Sequence[str] = ()) -> LatentModel:
    """The latent model of a checkpoint, on the CPU, in evaluation mode.

    Parameters
    ----------
    text : str
        A name, file or folder.
    kinds : sequence of str
        Names of the models that are accepted; any, if empty.

    Raises
    ------
    ValueError, FileNotFoundError
        If it cannot be opened, or is a model of another kind.
    """
    from flatsort.embedding import checkpoint
    from flatsort.tools.experiments.model_tables import decoder_checkpoint

    path = decoder_checkpoint(text)
    model = checkpoint.load(path)[0]
    if kinds and model.config.name not in kinds:
        raise ValueError(f"{path}: expected a model {' or '.join(kinds)}, got {model.config.name}")
    return model


def training_note(text: str) -> str:
    """The note of the data that a checkpoint was trained on."""
    from flatsort.embedding import checkpoint
    from flatsort.tools.experiments.model_tables import decoder_checkpoint

    return checkpoint.read_header(decoder_checkpoint(text))[1].data


def open_quantised_model(text: str) -> QuantisedModel:
    """`open_model` of a VQ-VAE of images."""
    from flatsort.embedding.quantised_model import QuantisedModel

    model = open_model(text, SYMBOL_MODELS)
    if not isinstance(model, QuantisedModel) or len(model.config.shape) == 1:
        raise ValueError(f"model {text}: expected a model of images, its samples are {model.config.shape}")
    return model


def hyperplane_prior(model: LatentModel, name: str) -> HyperplanePrior:
    """The prior over a model's binary codes.

    Raises
    ------
    ValueError
        If it was never fitted, because the training has not ended.
    """
    prior: HyperplanePrior = model.prior  # type: ignore[assignment]
    if not prior.count:
        raise ValueError(f"model {name}: its training has not ended, so that the moments of its codes are not known")
    return prior


def gather_with_notes(sources: Sequence[str], model: LatentModel, out: Path) -> tuple[SampleSet, list[str]]:
    """The samples of all sources at the model's shape, kept in ``out/data``, and notes about skipped files."""
    from flatsort.embedding.data.sources import gather

    gathered = gather(sources, model.config.shape, out / "data")
    skipped = gathered.skipped
    return gathered.data, [f"{len(skipped)} files were skipped, the first: {skipped[0]}"] if skipped else []


def gather_samples(sources: Sequence[str], model: LatentModel, out: Path) -> SampleSet:
    """`gather_with_notes`, with the notes on stderr."""
    data, notes = gather_with_notes(sources, model, out)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    return data


def encode_samples(models: Sequence[SeededModel[LatentModel]], data: SampleSet) -> list[EncodedSamples]:
    """The samples of a data set, encoded by the first seed of each model, for figures."""
    from flatsort.embedding.figures.image_grids import EncodedSamples, drawing_for
    from flatsort.embedding.geometry.measures import encode

    samples, draw = data.tensor(slice(None)), drawing_for(data.note)
    return [EncodedSamples(m.name, m.models[0], samples, encode(m.models[0], samples), draw) for m in models]


def draw_subset(data: SampleSet, points: int, seed: int) -> SampleSet:
    """At most ``points`` samples, drawn without replacement, in the order of the set.

    Raises
    ------
    ValueError
        If there are fewer than `LEAST_SAMPLES`.
    """
    from flatsort.embedding.random_generator import RandomGenerator

    if len(data) < LEAST_SAMPLES:
        raise ValueError(f"data: expected {LEAST_SAMPLES} samples or more, got {len(data)}")
    rows = RandomGenerator(seed, "samples").permutation(len(data))[:points].sort().values
    return data.take(rows.numpy())


def write_json(path: Path, content: Any) -> None:
    """Write numbers, whole or not at all; a number that is not finite is an error."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
