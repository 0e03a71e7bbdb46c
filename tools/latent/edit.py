"""``flatsort latent edit``: give samples an attribute in a latent space, and measure what else changed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

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
    from torch import Tensor

    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.model import LatentModel
    from flatsort.tracker.types import Bool, Float, Int

BIT_THRESHOLDS, SHIFTS = (0.12, 0.18, 0.24), (0.5, 1.0, 2.0)
"""Default strengths: thresholds of bits, multiples of the difference of means."""
LEAST_SAMPLES = 40
"""Samples that are needed to split the data in three."""
LEAST_EXAMPLES = 3
"""Samples with, and without, an attribute that each training part needs."""
COLUMNS = 12
"""Images in a row."""


@dataclass(frozen=True, eq=False)
class EditSplit:
    """Rows of the data: examples of the attribute, training samples of the classifier, samples to edit."""

    examples: Int
    training: Int
    edited: Int


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@out_option
@click.option("--attribute", required=True, metavar="NAME=VALUE", help="Attribute to give to samples without it.")
@click.option(
    "--attributes",
    "table",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="Further attributes, numbers or words: a header of names, a row per sample.",
)
@click.option(
    "--strength",
    "strengths",
    type=click.FloatRange(0, min_open=True),
    multiple=True,
    help="Binary codes: least difference in the probability of a bit at which it is set; others: multiple of the "
    "difference of means. May be repeated.",
)
@click.option(
    "--neighbours",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Nearest examples with and without the attribute that give a sample its direction; 0: all examples.",
)
@seed_option
@debug_option
def main(
    model: str,
    sources: tuple[str, ...],
    out: Path,
    attribute: str,
    table: Path | None,
    strengths: tuple[float, ...],
    neighbours: int,
    seed: int,
) -> None:
    """Give an attribute to samples that lack it, and measure with a classifier what else changed.

    Two fifths of the samples are examples: the mean latents of those with the attribute and of those without give the
    direction. In binary codes (lbae) the bits whose probabilities differ enough are set, other latents are moved along
    the difference of means. A classifier of all attributes, trained on another two fifths, is applied to the decoded
    samples of the last fifth. A number with more than twelve values becomes the quarter that it lies in, 0 to 3.
    Columns with more than twelve different words, such as file names, are left out; rows are in the order of the data
    (files by name).

    switched is the share that is classified as having the attribute, kept the share of samples for which the class of
    another attribute stays: before editing (after encoding and decoding alone) and after.

    Leaves in --out: edit.json, edit.png.

    \b
    flatsort latent edit --model runs/sprites_lbae --data sprites --attribute scale=5 --out runs/edit
    flatsort latent edit --model runs/digits_lbae --data digits --attributes ink.csv --attribute bold=1 --out runs/edit
    """
    import torch

    from flatsort.embedding.figures.image_grids import drawing_for, image_grid, save_figure
    from flatsort.embedding.representation import editing

    opened = open_model(model)
    data = gather_samples(sources, opened, out)
    known, words = attributes_of(data, table)
    name, has = rows_with(attribute, known, words)
    rows = split(len(data), has, seed)
    labels = {key: editing.classes_of(values) for key, values in known.items()}
    # with the contrast of decoded samples
    samples, adjusted = data.tensor(rows.edited), opened.likelihood.adjust_contrast
    classify = editing.AttributeClassifier(adjusted(data.tensor(rows.training)), _take(labels, rows.training), seed)
    with torch.no_grad():
        latents, examples = opened.encode(samples), opened.encode(data.tensor(rows.examples))
        directions = editing.attribute_directions(latents, examples, has[rows.examples], neighbours)
        images = {"samples": adjusted(samples), "decoded": opened.decode(latents)}
        changes = []
        for strength in strengths or (BIT_THRESHOLDS if opened.binary else SHIFTS):
            changed = edit_latents(opened, latents, directions, strength)
            images[f"{attribute} ({strength:g})"] = opened.decode(changed)
            changes.append({"strength": strength, "changed": float((changed != latents).float().sum(1).mean())})
    ground_truth, value = _take(labels, rows.edited), int(labels[name][has][0])
    others = [key for key in labels if key != name]
    classes = [classify(each) for each in images.values()]
    scores = [_score(each, ground_truth, name, value, others) for each in classes]
    after: list[dict[str, Any]] = [change | score for change, score in zip(changes, scores[2:], strict=True)]
    report = {
        "model": opened.config.name,
        "data": data.note,
        "attribute": attribute,
        "neighbours": neighbours,
        "edited": len(rows.edited),
        "real": {**scores[0], "accuracy": editing.agreement(classes[0], ground_truth, list(labels))},
        "before": scores[1],
        "after": after,
    }
    write_json(out / "edit.json", report)
    grid = [(key, each[:COLUMNS]) for key, each in images.items()]
    save_figure(image_grid(grid, f"Attribute {attribute}", drawing_for(data.note)), out / "edit.png")
    click.echo(f"before {_line(scores[1])}")
    for each in after:
        click.echo(f"{each['strength']:g}: {_line(each)}")
    click.echo(f"{out}: edit.json, edit.png")


def attributes_of(data: SampleSet, table: Path | None) -> tuple[dict[str, Float], dict[str, list[str]]]:
    """Attributes of each sample, by name: the table's columns, the data set's factors, identities if all are known.

    What has no order and more values than `MOST_VALUES` is no attribute: identities of many people, file names.

    Returns
    -------
    known : dict of float64 [n]
    words : dict of list of str
        Words that the numbers 0, 1, … of a column stand for.

    Raises
    ------
    ValueError, FileNotFoundError
        If the table does not have a row per sample, or a value is missing.
    """
    import pandas as pd

    from flatsort.embedding.representation.editing import MOST_VALUES

    words: dict[str, list[str]] = {}
    known = {name: values for name, values in data.factors.items() if np.isfinite(values).all()}
    identity = data.columns["identity"]
    if len(data) and identity.min() >= 0 and len(np.unique(identity)) <= MOST_VALUES:
        known["identity"] = identity.astype(np.float64)
    if table is not None:
        try:
            frame = pd.read_csv(table)
        except (ValueError, UnicodeError) as error:
            raise ValueError(f"{table}: not a table of comma-separated values ({error})") from error
        if len(frame) != len(data):
            raise ValueError(f"{table}: expected {len(data)} rows below the header, one per sample, got {len(frame)}")
        for name in frame.columns:
            column = frame[name]
            if not pd.api.types.is_numeric_dtype(column):
                if column.nunique() > MOST_VALUES:
                    continue
                numbers, names = pd.factorize(column, sort=True)  # −1: missing
                column = pd.Series(numbers).where(numbers >= 0)
                words[str(name)] = [str(each) for each in names]
            values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad):
                raise ValueError(f"{table}: column {name!r} has nothing in row {bad[0]} (from 0)")
            known[str(name)] = values
    # an attribute that is the same for all samples cannot be switched
    return {name: values for name, values in known.items() if len(values) and np.ptp(values) > 0}, words


def rows_with(text: str, known: dict[str, Float], words: dict[str, list[str]]) -> tuple[str, Bool]:
    """Name of the attribute of NAME=VALUE, and which samples [n] have the value.

    Raises
    ------
    ValueError
        If it is not known, or no sample has it.
    """
    from flatsort.embedding.representation.editing import MOST_VALUES, classes_of

    name, _, value = text.partition("=")
    if name not in known:
        raise ValueError(f"--attribute {text}: expected NAME=VALUE with one of {', '.join(known) or 'no known names'}")
    values = np.unique(known[name])
    classes = classes_of(known[name]).astype(np.float64) if len(values) > MOST_VALUES else known[name]
    distinct = np.unique(classes)
    names = words.get(name) or [f"{each:g}" for each in distinct]
    if name not in words:
        with contextlib.suppress(ValueError):
            value = f"{float(value):g}"
    if value not in names:
        raise ValueError(f"--attribute {text}: expected one of the values {', '.join(names)}, got {value!r}")
    return name, classes == distinct[names.index(value)]


def split(n: int, has: Bool, seed: int) -> EditSplit:
    """Split n samples in three parts; of the last one only the samples without the attribute are kept.

    Raises
    ------
    ValueError
        If there are too few, or a training part has too few with or without the attribute.
    """
    from flatsort.embedding.random_generator import RandomGenerator

    order = RandomGenerator(seed, "edit").permutation(n).numpy()
    last = order[4 * n // 5 :]
    if n < LEAST_SAMPLES or has[last].all():
        raise ValueError(f"data: expected {LEAST_SAMPLES} samples or more, some without the attribute, got {n}")
    rows = EditSplit(order[: 2 * n // 5], order[2 * n // 5 : 4 * n // 5], last[~has[last]])
    fewest = min(int((has[part] == kind).sum()) for part in (rows.examples, rows.training) for kind in (True, False))
    if fewest < LEAST_EXAMPLES:
        raise ValueError(
            f"data: expected {LEAST_EXAMPLES} samples or more with and without the attribute in each of two parts, "
            f"got {fewest}"
        )
    return rows


def edit_latents(model: LatentModel, latents: Tensor, directions: Tensor, strength: float) -> Tensor:
    """Latents [n d] changed along the ``directions`` [n d] of an attribute."""
    from flatsort.embedding.representation.editing import set_bits

    return set_bits(latents, directions, strength) if model.binary else latents + strength * directions


def _score(
    classes: dict[str, Int], ground_truth: dict[str, Int], name: str, value: int, others: list[str]
) -> dict[str, Any]:
    from flatsort.embedding.representation.editing import agreement

    return {"switched": float((classes[name] == value).mean()), "kept": agreement(classes, ground_truth, others)}


def _take(labels: dict[str, Int], rows: Int) -> dict[str, Int]:
    return {name: each[rows] for name, each in labels.items()}


def _line(score: dict[str, Any]) -> str:
    kept = ", ".join(f"{name} {share:.3f}" for name, share in score["kept"].items())
    return f"switched {score['switched']:.3f}" + (f"; kept {kept}" if kept else "")


if __name__ == "__main__":
    run(main)
