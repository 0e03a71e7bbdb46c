"""Models side by side: each with its training seeds in one row, as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from tabulate import tabulate

from flatsort.embedding import checkpoint
from flatsort.embedding.loading import CHECKPOINT, load, resolve_embedder
from flatsort.tools.cli import progress
from flatsort.tools.experiments.seed_statistics import format_mean_std, measures_over_seeds
from flatsort.tracker import config as configs
from flatsort.tracker.protocols import Embedder

if TYPE_CHECKING:
    from flatsort.embedding.data.sample_set import SampleSet
    from flatsort.embedding.model import LatentModel

Style = Literal["simple", "pipe"]
"""Of `tabulate`: plain text, Markdown."""
M = TypeVar("M")


@dataclass(frozen=True, eq=False)
class SeededModel(Generic[M]):
    """A model of a table: its name, and for each training seed the file and what was loaded from it."""

    name: str
    files: list[str]
    models: list[M]


class Measured(Protocol):
    """What is measured of one training seed."""

    def flat(self) -> dict[str, float]:
        """All numbers by name; the same names for all models of a table."""


R = TypeVar("R", bound=Measured)


@dataclass(frozen=True, eq=False)
class MeasuredModel(Generic[R]):
    """What was measured of a model, one entry per training seed."""

    name: str
    files: list[str]
    seeds: list[R]

    def statistics(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation of every measure over the seeds (0 for one seed)."""
        measures = measures_over_seeds([seed.flat() for seed in self.seeds])
        return {name: value for name, value in measures.items() if value is not None}


def load_embedders(texts: Sequence[str], device: str = "auto", group: bool = False) -> list[SeededModel[Embedder]]:
    """Load the embedders that the user names.

    Parameters
    ----------
    texts : sequence of str
        Anything that `embedding.load` takes, or ``NAME=FILE,FILE,…`` for several seeds.
    device : str
    group : bool
        Whether checkpoints of one kind of model with equal settings are seeds of one model.

    Raises
    ------
    ValueError, FileNotFoundError
        If a model cannot be loaded, or two have one name.
    """
    named = _files_by_name(texts, str)
    if group:
        named = _grouped(named)
    return [SeededModel(n, files, [load(file, device=device) for file in files]) for n, files in named.items()]


def load_latent_models(texts: Sequence[str]) -> list[SeededModel[LatentModel]]:
    """Load the latent models that the user names, on the CPU, in evaluation mode.

    Parameters
    ----------
    texts : sequence of str
        A checkpoint, the folder of a training run or the name of shipped weights; or ``NAME=FILE,FILE,…`` for several
        seeds.

    Raises
    ------
    ValueError, FileNotFoundError
        If a model cannot be loaded, two have one name, or their samples have different shapes.
    """
    models = []
    for name, files in _files_by_name(texts, _name_of_file).items():
        paths = [decoder_checkpoint(file) for file in files]
        models.append(SeededModel(name, [str(p) for p in paths], [checkpoint.load(path)[0] for path in paths]))
    first, shape = models[0].files[0], models[0].models[0].config.shape
    for one in models:
        for file, model in zip(one.files, one.models, strict=True):
            if model.config.shape != shape:
                raise ValueError(f"{file}: samples of shape {model.config.shape}, but {first} takes {shape}")
    return models


def checkpoint_of(text: str) -> Path | None:
    """The checkpoint that a name, file or folder means; None if it means another kind of embedder."""
    kind, path = resolve_embedder(text)
    return path if kind == "torch" else None


def decoder_checkpoint(text: str) -> Path:
    """The checkpoint of a latent model that a name, file or folder means.

    Raises
    ------
    ValueError, FileNotFoundError
        If there is none, or it has no decoder (an ONNX network, pixels).
    """
    kind, path = resolve_embedder(text)
    if path is None or kind != "torch":
        raise ValueError(f"model {text}: expected a checkpoint of a latent model, which has a decoder, got {kind}")
    return path


def measure_models(
    models: Sequence[SeededModel[LatentModel]], measure: Callable[[str, LatentModel], R]
) -> list[MeasuredModel[R]]:
    """Measure all seeds of all models, with a progress bar.

    Parameters
    ----------
    models : sequence of SeededModel
    measure : callable
        (file, model) → what is measured.

    Raises
    ------
    ValueError
        What ``measure`` raises, with the model's file before it.
    """
    files = [file for one in models for file in one.files]

    def measured() -> Iterator[R]:
        for file, model in zip(files, (model for one in models for model in one.models), strict=True):
            try:
                yield measure(file, model)
            except ValueError as error:
                raise ValueError(f"{file}: {error}") from error

    results = iter(list(progress(measured(), len(files), "measure", "model")))
    return [MeasuredModel(one.name, one.files, [next(results) for _ in one.files]) for one in models]


def table_of_measures(rows: Sequence[MeasuredModel[Any]], titles: Mapping[str, str], style: Style = "simple") -> str:
    """One line per measure, one column per model: mean ± standard deviation where there are several seeds.

    Parameters
    ----------
    rows : sequence of MeasuredModel
    titles : mapping of str to str
        Title of every measure to show; those that a model lacks are left out.
    style : str
    """
    statistics = [row.statistics() for row in rows]
    body = [
        [title, *(_cell(each[name], len(row.seeds)) for row, each in zip(rows, statistics, strict=True))]
        for name, title in titles.items()
        if all(name in each for each in statistics)
    ]
    return tabulate(body, ["", *(row.name for row in rows)], tablefmt=style, disable_numparse=True)


def measures_to_json(rows: Sequence[MeasuredModel[Any]], data: SampleSet, notes: Sequence[str]) -> str:
    """All that was measured of models on a data set, as JSON."""
    results = [
        seeds_to_json(
            row.name,
            [{"file": file, **seed.flat()} for file, seed in zip(row.files, row.seeds, strict=True)],
            row.statistics(),
        )
        for row in rows
    ]
    content = {"data": data.note, "samples": len(data), "results": results, "notes": list(notes)}
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def seeds_to_json(
    name: str, seeds: Sequence[Mapping[str, Any]], statistics: Mapping[str, tuple[float, float] | None]
) -> dict[str, Any]:
    """A model's entry in a JSON file: its seeds, and mean and standard deviation of each measure."""
    return {
        "model": name,
        "runs": list(seeds),
        "mean": {key: value and value[0] for key, value in statistics.items()},
        "deviation": {key: value and value[1] for key, value in statistics.items()},
    }


def _cell(value: tuple[float, float], seeds: int) -> str:
    mean, std = value
    return format_mean_std(mean, std, seeds if std else 1, ".3g", ".2g")


def _files_by_name(texts: Sequence[str], name_of: Callable[[str], str]) -> dict[str, list[str]]:
    """Files of each named model; ``name_of`` names those for which the user gave no name."""
    named: dict[str, list[str]] = {}
    for text in texts:
        name, equals, files = text.partition("=")
        if equals and not Path(text).exists():
            seeds = files.split(",")
        else:
            name, seeds = name_of(text), [text]
            if named.get(name) == seeds:  # the same file twice
                continue
        if not name or name in named or not all(seeds):
            raise ValueError(f"model {text!r}: expected NAME=FILE,FILE,… with a name of its own")
        named[name] = seeds
    return named


def _name_of_file(text: str) -> str:
    path = Path(text)
    if path.name == CHECKPOINT:
        return path.resolve().parent.name
    return path.resolve().name if path.is_dir() else path.stem


def _grouped(named: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Models of one file whose checkpoints have the same config joined; named by the settings that differ."""
    groups: dict[str, list[str]] = {}
    settings: dict[str, dict[str, str]] = {}
    for name, files in named.items():
        path = checkpoint_of(files[0]) if len(files) == 1 else None
        if path is None:
            groups[name] = files
            continue
        flat = _flat_settings(configs.to_mapping(checkpoint.read_header(path)[0]))
        key = json.dumps(flat)
        groups.setdefault(key, []).extend(files)
        settings[key] = flat
    return {_name_of_settings(key, settings) if key in settings else key: files for key, files in groups.items()}


def _name_of_settings(key: str, settings: Mapping[str, dict[str, str]]) -> str:
    own = settings[key]
    same_kind = [each for each in settings.values() if each["name"] == own["name"]]
    differing = [k for k in own if len({each.get(k) for each in same_kind}) > 1]
    return " ".join([own["name"], *(f"{k}={own[k]}" for k in differing)])


def _flat_settings(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat_settings(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(value)
    return flat
