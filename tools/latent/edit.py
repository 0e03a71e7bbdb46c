"""``flatsort latent edit``: an attribute switched in a latent space, and what else changed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from flatsort.tools.cli import debug_option, run
from flatsort.tools.latent.common import data_option, model_option, out_option, seed_option

if TYPE_CHECKING:
    from torch import Tensor

    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.model import LatentModel
    from flatsort.tracker.types import Bool, Float, Int

BITS, SHIFTS = (0.12, 0.18, 0.24), (0.5, 1.0, 2.0)
"""Strengths, where none are given: thresholds of bits, multiples of the difference of means."""
LEAST = 40
"""Samples below which there are too few for three parts."""
RAREST = 3
"""Samples with, and without, an attribute that examples and judge have to learn from."""
SHOWN = 12


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows of the data: examples of the attribute, samples that the judge learns from, samples that are edited."""

    examples: Int
    judged: Int
    edited: Int


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@data_option
@out_option
@click.option("--attribute", required=True, metavar="NAME=VALUE", help="What to give to samples that do not have it.")
@click.option(
    "--attributes",
    "table",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="Numbers or words known of each sample: a header of names, a row a sample; beside what the data knows itself.",
)
@click.option(
    "--strength",
    "strengths",
    type=click.FloatRange(0, min_open=True),
    multiple=True,
    help="Binary codes: least difference of a bit's chance that has it set; others: multiple of the difference of "
    "means. May be repeated.",
)
@click.option(
    "--neighbours",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Nearest examples with and without it that give a sample its direction; 0: all, one direction for all.",
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
    """Give an attribute to samples that lack it, and judge what came of it and what else changed.

    Two fifths of the samples are examples: the mean latents of those with the attribute and of those without give the
    direction. In binary codes (lbae) the bits whose chances differ enough are set, other latents are moved along the
    difference of means. A classifier that learned all attributes from another two fifths judges the decoded pictures of
    the last fifth. A number of more than twelve values has the values 0 to 3: the quarter that a sample is in. Columns
    of words with more are left out, as names of files are; rows are in the order of the data (files by name).

    switched is the share that is judged to have the attribute, kept the share of each other attribute judged as it
    was: before editing (after coding alone) and after.

    Leaves in --out: edit.json, edit.png.

    \b
    flatsort latent edit --model runs/sprites_lbae --data sprites --attribute scale=5 --out runs/edit
    flatsort latent edit --model runs/digits_lbae --data digits --attributes ink.csv --attribute bold=1 --out runs/edit
    """
    import torch

    from flatsort.embedding.figures.sheets import save, sheet
    from flatsort.embedding.representation import editing
    from flatsort.tools.latent.common import gathered, open_model, write_json

    opened = open_model(model)
    data = gathered(sources, opened, out)
    known, words = attributes_of(data, table)
    name, has = wanted(attribute, known, words)
    parts = split(len(data), has, seed)
    labels = {key: editing.classes_of(values) for key, values in known.items()}
    samples, standard = data.tensor(parts.edited), opened.likelihood.standardise  # as the decoder gives them
    judge = editing.Judge(standard(data.tensor(parts.judged)), _rows(labels, parts.judged), seed)
    with torch.no_grad():
        latents, examples = opened.encode(samples), opened.encode(data.tensor(parts.examples))
        towards = editing.differences(latents, examples, has[parts.examples], neighbours)
        pictures = {"samples": standard(samples), "coded": opened.decode(latents)}
        found = []
        for strength in strengths or (BITS if opened.binary else SHIFTS):
            changed = edited(opened, latents, towards, strength)
            pictures[f"{attribute} ({strength:g})"] = opened.decode(changed)
            found.append({"strength": strength, "changed": float((changed != latents).float().sum(1).mean())})
    truth, value = _rows(labels, parts.edited), int(labels[name][has][0])
    others = [key for key in labels if key != name]
    seen = [judge(each) for each in pictures.values()]
    scores = [_score(each, truth, name, value, others) for each in seen]
    report = {
        "model": opened.config.name,
        "data": data.note,
        "attribute": attribute,
        "neighbours": neighbours,
        "edited": len(parts.edited),
        "real": {**scores[0], "judge": editing.agreement(seen[0], truth, list(labels))},
        "before": scores[1],
        "after": [each | score for each, score in zip(found, scores[2:], strict=True)],
    }
    write_json(out / "edit.json", report)
    save(sheet([(key, each[:SHOWN]) for key, each in pictures.items()], f"Attribute {attribute}"), out / "edit.png")
    for line in ("before " + _line(scores[1]), *(f"{e['strength']:g}: {_line(e)}" for e in report["after"])):  # type: ignore[attr-defined]
        click.echo(line)
    click.echo(f"{out}: edit.json, edit.png")


def attributes_of(data: SampleSet, table: Path | None) -> tuple[dict[str, Float], dict[str, list[str]]]:
    """What is known of each sample, by name: the table's columns, the set's factors, identities of all samples.

    What has no order and more values than `MOST_VALUES` is no attribute: identities of many people, a column of files.

    Returns
    -------
    known : dict of float64 [n]
    words : dict of list of str
        What the numbers 0, 1, … of a column of words stand for.

    Raises
    ------
    ValueError, FileNotFoundError
        If the table does not have a row a sample, or something is missing in it.
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
            raise ValueError(f"{table}: expected {len(data)} rows below the header, one a sample, got {len(frame)}")
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
    # what is the same of all samples cannot change
    return {name: values for name, values in known.items() if len(values) and np.ptp(values) > 0}, words


def wanted(text: str, known: dict[str, Float], words: dict[str, list[str]]) -> tuple[str, Bool]:
    """Name of the attribute NAME=VALUE and which samples [n] have it.

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
    different = np.unique(classes)
    there = words.get(name) or [f"{each:g}" for each in different]
    if name not in words:
        with contextlib.suppress(ValueError):
            value = f"{float(value):g}"
    if value not in there:
        raise ValueError(f"--attribute {text}: expected one of the values {', '.join(there)}, got {value!r}")
    return name, classes == different[there.index(value)]


def split(n: int, has: Bool, seed: int) -> Parts:
    """Three parts of n samples; of the last only those that do not have the attribute.

    Raises
    ------
    ValueError
        If there are too few, or a part has too few with or without the attribute to learn from.
    """
    from flatsort.embedding.random_generator import RandomGenerator

    order = RandomGenerator(seed, "edit").permutation(n).numpy()
    last = order[4 * n // 5 :]
    if n < LEAST or has[last].all():
        raise ValueError(f"data: expected {LEAST} samples or more, some without the attribute, got {n}")
    parts = Parts(order[: 2 * n // 5], order[2 * n // 5 : 4 * n // 5], last[~has[last]])
    rarest = min(int((has[rows] == kind).sum()) for rows in (parts.examples, parts.judged) for kind in (True, False))
    if rarest < RAREST:
        raise ValueError(
            f"data: expected {RAREST} samples or more with and without the attribute in each of two parts, got {rarest}"
        )
    return parts


def edited(model: LatentModel, latents: Tensor, towards: Tensor, strength: float) -> Tensor:
    """Latents [n d] with the attribute that ``towards`` [n d] leads to."""
    from flatsort.embedding.representation.editing import set_bits

    return set_bits(latents, towards, strength) if model.binary else latents + strength * towards


def _score(seen: dict[str, Int], truth: dict[str, Int], name: str, value: int, others: list[str]) -> dict[str, Any]:
    from flatsort.embedding.representation.editing import agreement

    return {"switched": float((seen[name] == value).mean()), "kept": agreement(seen, truth, others)}


def _rows(labels: dict[str, Int], rows: Int) -> dict[str, Int]:
    return {name: each[rows] for name, each in labels.items()}


def _line(score: dict[str, Any]) -> str:
    kept = ", ".join(f"{name} {share:.3f}" for name, share in score["kept"].items())
    return f"switched {score['switched']:.3f}" + (f"; kept {kept}" if kept else "")


if __name__ == "__main__":
    run(main)
