"""Latent spaces beside each other: seeds of one model in one row, table, JSON, figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import numpy as np
from tabulate import tabulate

from flatsort.embedding import checkpoint
from flatsort.embedding.figures import contours, maps, walks
from flatsort.embedding.figures.colours import colours_of
from flatsort.embedding.figures.sheets import Shown, save
from flatsort.embedding.geometry.measures import Measures, encode, measure
from flatsort.embedding.loading import CHECKPOINT
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tools.latent.common import weights_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.model import LatentModel

LEAST = 10
"""Samples without which there is nothing to measure."""
PAIRS = 2
"""Interpolations that are drawn of each model."""
COLUMNS = {
    "dim": "dimensions",
    "error": "error",
    "data.condition_median": "condition",
    "data.magnification_spread": "magnification spread",
    "data.flatness": "flatness",
    "between.condition_median": "condition, between",
    "between.magnification_spread": "spread, between",
    "between.flatness": "flatness, between",
    "geodesic_ratio": "geodesic / c·Euclid",
    "geodesic_spread": "its spread",
    "curvature": "curvature",
}
"""Measures of the table with their titles; the JSON has all."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A model of the table: its name, the files of its seeds, and what was loaded of them."""

    name: str
    files: list[Path]
    models: list[LatentModel]


class Flat(Protocol):
    """What is measured of one model."""

    def flat(self) -> dict[str, float]:
        """All numbers by name; the same names for all models of a table."""


F = TypeVar("F", bound=Flat)


@dataclass(frozen=True, eq=False)
class Row(Generic[F]):
    """Measures of a contender, one entry a seed."""

    name: str
    files: list[Path]
    runs: list[F]

    def spread(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation (0 of one seed) of every measure over the seeds."""
        runs = [run.flat() for run in self.runs]
        values = {name: np.array([run[name] for run in runs]) for name in runs[0]}
        more = len(runs) > 1
        return {k: (float(v.mean()), float(v.std(ddof=1)) if more else 0.0) for k, v in values.items()}


def contenders(texts: Sequence[str]) -> list[Contender]:
    """Load the models that the user names, on the CPU.

    Parameters
    ----------
    texts : sequence of str
        A checkpoint, the folder of a training or the name of shipped weights; or ``NAME=FILE,FILE`` for several seeds.

    Raises
    ------
    ValueError, FileNotFoundError
        If a model cannot be loaded, two have one name, or their samples have different shapes.
    """
    named: dict[str, list[str]] = {}
    for text in texts:
        name, equals, files = text.partition("=")
        if not equals or Path(text).exists():
            name, files = _title(text), text
        if not name or name in named or not all(files.split(",")):
            raise ValueError(f"model {text!r}: expected NAME=FILE,FILE,… with a name of its own")
        named[name] = [text] if files == text else files.split(",")
    found = []
    for name, files_of in named.items():
        paths = [weights_of(file) for file in files_of]
        found.append(Contender(name, paths, [checkpoint.load(path)[0] for path in paths]))
    shape = found[0].models[0].config.shape
    for one in found:
        for path, model in zip(one.files, one.models, strict=True):
            if model.config.shape != shape:
                raise ValueError(
                    f"{path}: samples of shape {model.config.shape}, but {found[0].files[0]} takes {shape}"
                )
    return found


def choose(data: SampleSet, points: int, seed: int) -> SampleSet:
    """At most ``points`` samples, drawn without return, in the order of the set.

    Raises
    ------
    ValueError
        If there are fewer than `LEAST`.
    """
    if len(data) < LEAST:
        raise ValueError(f"data: expected {LEAST} samples or more, got {len(data)}")
    rows = RandomGenerator(seed, "samples").permutation(len(data))[:points].sort().values
    return data.take(rows.numpy())


def survey(
    models: Sequence[Contender], data: SampleSet, seed: int, shown: Callable[..., Iterable[Measures]]
) -> list[Row[Measures]]:
    """Measure the geometry of all models on the same samples; see `each`."""
    samples = data.tensor(slice(None))
    return each(models, lambda _, model: measure(model, samples, seed), shown)


def each(
    models: Sequence[Contender], measured: Callable[[Path, LatentModel], F], shown: Callable[..., Iterable[F]]
) -> list[Row[F]]:
    """Measure all seeds of all models; ``shown`` wraps the measuring in a progress bar: (items, total).

    Raises
    ------
    ValueError
        What ``measured`` raises, with the model's file before it.
    """
    every = [(one.name, path, model) for one in models for path, model in zip(one.files, one.models, strict=True)]

    def runs() -> Iterable[F]:
        for _, path, model in every:
            try:
                yield measured(path, model)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error

    found = list(shown(runs(), len(every)))
    return [
        Row(one.name, one.files, [r for (n, *_), r in zip(every, found, strict=True) if n == one.name])
        for one in models
    ]


def table(
    rows: Sequence[Row[Any]], style: Literal["simple", "pipe"] = "simple", columns: Mapping[str, str] = COLUMNS
) -> str:
    """The most telling measures as text: one line a measure, one column a model; mean ± deviation of several seeds.

    ``columns`` has the title of every measure; those that nothing was found of are left out.
    """
    spreads = [row.spread() for row in rows]
    body = [
        [title, *(_cell(spread[key], len(row.runs)) for row, spread in zip(rows, spreads, strict=True))]
        for key, title in columns.items()
        if all(key in spread for spread in spreads)
    ]
    return tabulate(body, ["", *(row.name for row in rows)], tablefmt=style, disable_numparse=True)


def notes(rows: Sequence[Row[Measures]], models: Sequence[Contender]) -> list[str]:
    """Sentences about what the table or the figures leave out."""
    found = []
    for row in rows:
        singular, points = (sum(getattr(run.data, name) for run in row.runs) for name in ("singular", "points"))
        if singular:
            found.append(
                f"{row.name}: the metric is singular at {singular} of {points} samples; condition is cut there"
            )
    found += [
        f"{one.name}: no contours in metric.png, which shows 2 latent dimensions, not {one.models[0].dim}"
        for one in models
        if one.models[0].dim != 2
    ]
    return found


def to_json(rows: Sequence[Row[Any]], data: SampleSet, sentences: Sequence[str]) -> str:
    """Everything that was measured."""
    results = [
        {
            "model": row.name,
            "runs": [{"file": str(path), **run.flat()} for path, run in zip(row.files, row.runs, strict=True)],
            "mean": {key: mean for key, (mean, _) in row.spread().items()},
            "deviation": {key: deviation for key, (_, deviation) in row.spread().items()},
        }
        for row in rows
    ]
    content = {"data": data.note, "samples": len(data), "results": results, "notes": list(sentences)}
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def draw(models: Sequence[Contender], data: SampleSet, out: Path, seed: int) -> list[Path]:
    """Write the figures of each model's first seed into a folder; gives their paths."""
    samples, colours = data.tensor(slice(None)), colours_of(data)
    shown = [Shown(one.name, one.models[0], samples, encode(one.models[0], samples)) for one in models]
    figures = {
        "interpolation": walks.interpolations(shown, walks.choose_pairs(samples, PAIRS, seed), seed),
        "reconstructions": walks.reconstructions(shown),
        "samples": walks.samples(shown, seed),
        **{f"map_{method}": maps.map_figure(shown, method, colours, seed) for method in maps.METHODS},
    }
    flat = [one for one in shown if one.model.dim == 2]
    if flat:
        figures["metric"] = contours.metric_figure(flat, colours, seed)
    written = []
    for name, figure in figures.items():
        if figure is not None:
            written.append(out / f"{name}.png")
            save(figure, written[-1])
    return written


def _title(text: str) -> str:
    path = Path(text)
    if path.name == CHECKPOINT:
        return path.resolve().parent.name
    return path.resolve().name if path.is_dir() else path.stem


def _cell(value: tuple[float, float], seeds: int) -> str:
    mean, deviation = value
    return f"{mean:.3g} ± {deviation:.2g}" if seeds > 1 and deviation else f"{mean:.3g}"
