"""Models beside each other: seeds of one model in one row, tables, JSON, figures, calibrations."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tabulate import tabulate

from flatsort.embedding import checkpoint, registry
from flatsort.embedding.distance_calibration import DistanceCalibration
from flatsort.embedding.loading import find, load
from flatsort.embedding.retrieval import PROTOCOLS, Ranking, Separation, distance_histograms, roc_curves
from flatsort.tools.experiments.reid_data import MEASURES, Embedded, compare_one, measures, spread, unlabelled_pairs
from flatsort.tracker import config as configs
from flatsort.tracker.metrics.plots import save
from flatsort.tracker.protocols import Embedder

Calibrations = dict[str, DistanceCalibration]
"""Calibrations by the model as the user named it."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A model of the table: its name, and each of its seeds as the user named it and as an embedder."""

    name: str
    files: list[str]
    embedders: list[Embedder]


@dataclass(frozen=True, eq=False)
class Row:
    """A model on a data set by a protocol, one entry a seed."""

    model: str
    data: str
    protocol: str
    files: list[str]
    rankings: list[Ranking]
    following: list[Separation | None]

    def runs(self) -> list[dict[str, float | None]]:
        """The measures of each seed."""
        return [measures(r, f) for r, f in zip(self.rankings, self.following, strict=True)]


def contenders(texts: Sequence[str], device: str = "auto", group: bool = False) -> list[Contender]:
    """Load the models that the user names.

    Parameters
    ----------
    texts : sequence of str
        Anything that `embedding.load` takes, or ``NAME=M,M,M``.
    device : str
    group : bool
        Whether checkpoints of one kind of model and equal settings are seeds of one contender.

    Raises
    ------
    ValueError, FileNotFoundError
        If a model cannot be loaded, or two contenders have one name.
    """
    named: dict[str, list[str]] = {}
    for text in texts:
        name, equals, files = text.partition("=")
        if equals and not Path(text).exists():
            if name in named or not name or not all(files.split(",")):
                raise ValueError(f"model {text!r}: expected NAME=FILE,FILE,… with a name of its own")
            named[name] = files.split(",")
        else:
            named.setdefault(text, [text])
    if group:
        named = _grouped(named)
    return [Contender(n, files, [load(file, device=device) for file in files]) for n, files in named.items()]


def compare(models: Sequence[Contender], data: Sequence[Embedded]) -> list[Row]:
    """A row for each data set, protocol and model; ``data`` has the embedders of all models in their order."""
    rows: list[Row] = []
    for one in data:
        found: dict[str, list[Row]] = {}
        first = 0
        for model in models:
            done = [compare_one(one, first + k) for k in range(len(model.embedders))]
            first += len(model.embedders)
            following = [f for _, f in done]
            for same in zip(*(rankings for rankings, _ in done), strict=True):
                row = Row(model.name, one.source.name, same[0].protocol, model.files, list(same), following)
                found.setdefault(row.protocol, []).append(row)
        rows += [row for of_protocol in found.values() for row in of_protocol]
    return rows


def table(rows: Sequence[Row], style: Literal["simple", "pipe"] = "simple") -> str:
    """The measures as text; mean ± standard deviation where a model has several seeds."""
    seeds = any(len(row.files) > 1 for row in rows)
    head = ["data", "protocol", "model", *(["seeds"] if seeds else []), "queries", *MEASURES]
    body = []
    for row in rows:
        count = [str(len(row.files))] if seeds else []
        cells = [_cell(value, len(row.files)) for value in spread(row.runs()).values()]
        title = PROTOCOLS[row.protocol].title
        body.append([row.data, title, row.model, *count, str(len(row.rankings[0].ahead)), *cells])
    return tabulate(body, head, tablefmt=style, disable_numparse=True)


def to_json(rows: Sequence[Row], calibrations: Calibrations) -> str:
    """Everything that was measured."""
    results = [
        {"data": row.data, "protocol": row.protocol, "model": row.model, "runs": _runs(row)}
        | {"mean": {k: v and v[0] for k, v in spread(row.runs()).items()}}
        | {"deviation": {k: v and v[1] for k, v in spread(row.runs()).items()}}
        for row in rows
    ]
    measured = {name: calibration.to_mapping() for name, calibration in calibrations.items()}
    return json.dumps({"results": results, "calibrations": measured}, indent=2, allow_nan=False) + "\n"


def draw(rows: Sequence[Row], folder: Path) -> None:
    """Write ROC curves and distance histograms of each data set and protocol, of the first seed of each model."""
    drawn: dict[tuple[str, str], dict[str, Separation]] = {}
    for row in rows:
        drawn.setdefault((row.data, row.protocol), {})[row.model] = row.rankings[0].separation
        if row.following[0] is not None:
            drawn.setdefault((row.data, "next_frame"), {})[row.model] = row.following[0]
    for (data, protocol), separations in drawn.items():
        title = f"{data}: {PROTOCOLS[protocol].title if protocol in PROTOCOLS else 'next frame, and same frame'}"
        stem = re.sub(r"[^\w.-]+", "_", f"{data}-{protocol}")
        save(roc_curves(separations, title), folder / f"roc-{stem}.png")
        save(distance_histograms(separations, title), folder / f"distances-{stem}.png")


def calibrations(models: Sequence[Contender], data: Sequence[Embedded]) -> Calibrations:
    """Calibrate each model's distance on the pairs of all data, without labels.

    Raises
    ------
    ValueError
        If the data give no pairs of a kind.
    """
    measured: Calibrations = {}
    files = [file for model in models for file in model.files]
    for index, file in enumerate(files):
        pairs = [unlabelled_pairs(one, index) for one in data]
        same, different = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        if not len(same) or not len(different):
            raise ValueError(
                "--calibrate: expected sequences with boxes that follow each other, or sets with tracks; "
                f"the data give {len(same)} pairs of one object and {len(different)} of two"
            )
        measured[file] = DistanceCalibration.from_distances(same, different)
    return measured


def write_calibrations(calibrations: Calibrations) -> None:
    """Write calibrations into the headers of those models that are the user's own checkpoints, not shipped ones."""
    for text, calibration in calibrations.items():
        path = _checkpoint(text)
        if path is not None and text not in registry.shipped():
            checkpoint.write_calibration(path, calibration)


def calibration_table(calibrations: Calibrations) -> str:
    """The calibrations' summaries as text."""
    summaries = {file: calibration.summary() for file, calibration in calibrations.items()}
    names = list(next(iter(summaries.values())))
    body = [[file, *(f"{values[name]:.4g}" for name in names)] for file, values in summaries.items()]
    return tabulate(body, ["model", *names], disable_numparse=True)


def _runs(row: Row) -> list[dict[str, Any]]:
    return [
        {
            "file": file,
            "queries": len(ranking.ahead),
            "unmatched": ranking.unmatched,
            "unknown": ranking.unknown,
            **measures(ranking, following),
            "distances": ranking.separation.summary(),
            "next_frame": following.summary() if following else None,
        }
        for file, ranking, following in zip(row.files, row.rankings, row.following, strict=True)
    ]


def _cell(value: tuple[float, float] | None, runs: int) -> str:
    if value is None:
        return "–"
    return f"{value[0]:.3f}" + (f" ± {value[1]:.3f}" if runs > 1 else "")


def _grouped(named: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Contenders of one file each joined where their checkpoints have one config; named by what tells them apart."""
    groups: dict[str, list[str]] = {}
    settings: dict[str, dict[str, str]] = {}
    for name, files in named.items():
        path = _checkpoint(files[0]) if len(files) == 1 else None
        if path is None:
            groups[name] = files
            continue
        flat = _flat(configs.to_mapping(checkpoint.read_header(path)[0]))
        key = json.dumps(flat)
        groups.setdefault(key, []).extend(files)
        settings[key] = flat
    return {_title(key, settings) if key in settings else key: files for key, files in groups.items()}


def _title(key: str, settings: Mapping[str, dict[str, str]]) -> str:
    mine = settings[key]
    rivals = [s for s in settings.values() if s["name"] == mine["name"]]
    telling = [k for k in mine if len({s.get(k) for s in rivals}) > 1]
    return " ".join([mine["name"], *(f"{k}={mine[k]}" for k in telling)])


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = str(value)
    return found


def _checkpoint(text: str) -> Path | None:
    """The checkpoint that a user's text means, None if it means something else."""
    kind, path = find(text)
    return path if kind == "torch" else None
