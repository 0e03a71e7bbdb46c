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
    from flatsort.embedding.model import LatentModel

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
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is drawn.")


def weights_of(text: str) -> Path:
    """The checkpoint that a name, file or folder means.

    Raises
    ------
    ValueError, FileNotFoundError
        If there is none, or it has no decoder (an ONNX network, pixels).
    """
    from flatsort.embedding.loading import find

    kind, path = find(text)
    if kind != "torch" or path is None:
        raise ValueError(f"model {text}: expected a checkpoint of a latent model, which has a decoder, got {kind}")
    return path


def open_model(text: str, kinds: Sequence[str] = ()) -> LatentModel:
    """The latent model of a checkpoint, on the CPU, in evaluation mode.

    Parameters
    ----------
    text : str
        A name, file or folder.
    kinds : sequence of str
        Names of the models that will do; any, if empty.

    Raises
    ------
    ValueError, FileNotFoundError
        If it cannot be opened, or is a model of another kind.
    """
    from flatsort.embedding import checkpoint

    path = weights_of(text)
    model = checkpoint.load(path)[0]
    if kinds and model.config.name not in kinds:
        raise ValueError(f"{path}: expected a model {' or '.join(kinds)}, got {model.config.name}")
    return model


def gathered(sources: Sequence[str], model: LatentModel, out: Path) -> SampleSet:
    """The samples of all sources at the model's shape; they are kept in ``out/data``."""
    from flatsort.embedding.data.sources import gather

    found = gather(sources, model.config.shape, out / "data")
    if found.skipped:
        click.echo(f"note: {len(found.skipped)} files were skipped, the first: {found.skipped[0]}", err=True)
    return found.data


def write_json(path: Path, content: Any) -> None:
    """Write numbers, whole or not at all; a number that is not finite is an error."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
