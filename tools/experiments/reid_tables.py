"""Tables of person retrieval (re-ID): measures of models on data sets, JSON, figures, calibrations."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from flatsort.embedding import checkpoint, registry
from flatsort.embedding.distance_calibration import DistanceCalibration
from flatsort.embedding.retrieval import PROTOCOLS, Ranking, Separation, distance_histograms, roc_curves
from flatsort.tools.experiments.model_tables import SeededModel, Style, checkpoint_of, seeds_to_json
from flatsort.tools.experiments.reid_data import MEASURES, EmbeddedImages, measures_of, rank_images, unlabelled_pairs
from flatsort.tools.experiments.seed_statistics import format_mean_std, measures_over_seeds
from flatsort.tracker.metrics.plots import save
from flatsort.tracker.protocols import Embedder

Calibrations = dict[str, DistanceCalibration]
"""Calibrations by the model as the user named it."""


@dataclass(frozen=True, eq=False)
class RetrievalRow:
    """A model on a data set by a protocol, one entry per training seed."""

    model: str
    data: str
    protocol: str
    files: list[str]
    rankings: list[Ranking]
    next_frame: list[Separation | None]

    def seeds(self) -> list[dict[str, float | None]]:
        """The measures of each seed."""
        return [measures_of(r, s) for r, s in zip(self.rankings, self.next_frame, strict=True)]


def compare(models: Sequence[SeededModel[Embedder]], data: Sequence[EmbeddedImages]) -> list[RetrievalRow]:
    """A row for each data set, protocol and model; ``data`` has the embedders of all models in their order."""
    rows: list[RetrievalRow] = []
    for images in data:
        by_protocol: dict[str, list[RetrievalRow]] = {}
        first = 0
        for model in models:
            ranked = [rank_images(images, first + k) for k in range(len(model.models))]
            first += len(model.models)
            next_frame = [separation for _, separation in ranked]
            for rankings in zip(*(rankings for rankings, _ in ranked), strict=True):
                protocol = rankings[0].protocol
                row = RetrievalRow(model.name, images.source.name, protocol, model.files, list(rankings), next_frame)
                by_protocol.setdefault(protocol, []).append(row)
        rows += [row for of_protocol in by_protocol.values() for row in of_protocol]
    return rows


def table(rows: Sequence[RetrievalRow], style: Style = "simple") -> str:
    """The measures as text; mean ± standard deviation where a model has several seeds."""
    several = any(len(row.files) > 1 for row in rows)
    head = ["data", "protocol", "model", *(["seeds"] if several else []), "queries", *MEASURES]
    body = []
    for row in rows:
        count = [str(len(row.files))] if several else []
        statistics = measures_over_seeds(row.seeds()).values()
        cells = ["–" if value is None else format_mean_std(*value, len(row.files)) for value in statistics]
        title = PROTOCOLS[row.protocol].title
        body.append([row.data, title, row.model, *count, str(len(row.rankings[0].ahead)), *cells])
    return tabulate(body, head, tablefmt=style, disable_numparse=True)


def to_json(rows: Sequence[RetrievalRow], calibrations: Calibrations) -> str:
    """All measures, as JSON."""
    results = [
        {"data": row.data, "protocol": row.protocol}
        | seeds_to_json(row.model, _seeds(row), measures_over_seeds(row.seeds()))
        for row in rows
    ]
    measured = {name: calibration.to_mapping() for name, calibration in calibrations.items()}
    return json.dumps({"results": results, "calibrations": measured}, indent=2, allow_nan=False) + "\n"


def draw(rows: Sequence[RetrievalRow], folder: Path) -> None:
    """Write ROC curves and distance histograms of each data set and protocol, of the first seed of each model."""
    plotted: dict[tuple[str, str], dict[str, Separation]] = {}
    for row in rows:
        plotted.setdefault((row.data, row.protocol), {})[row.model] = row.rankings[0].separation
        if row.next_frame[0] is not None:
            plotted.setdefault((row.data, "next_frame"), {})[row.model] = row.next_frame[0]
    for (data, protocol), separations in plotted.items():
        title = f"{data}: {PROTOCOLS[protocol].title if protocol in PROTOCOLS else 'next frame, and same frame'}"
        stem = re.sub(r"[^\w.-]+", "_", f"{data}-{protocol}")
        save(roc_curves(separations, title), folder / f"roc-{stem}.png")
        save(distance_histograms(separations, title), folder / f"distances-{stem}.png")


def calibrations(models: Sequence[SeededModel[Embedder]], data: Sequence[EmbeddedImages]) -> Calibrations:
    """Calibrate each model's distance on the pairs of all data, without labels.

    Raises
    ------
    ValueError
        If the data give no pairs of one object, or none of two.
    """
    measured: Calibrations = {}
    files = [file for model in models for file in model.files]
    for index, file in enumerate(files):
        pairs = [unlabelled_pairs(images, index) for images in data]
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
        path = checkpoint_of(text)
        if path is not None and text not in registry.shipped_checkpoints():
            checkpoint.write_calibration(path, calibration)


def calibration_table(calibrations: Calibrations) -> str:
    """The calibrations' summaries as text."""
    summaries = {file: calibration.summary() for file, calibration in calibrations.items()}
    names = list(next(iter(summaries.values())))
    body = [[file, *(f"{values[name]:.4g}" for name in names)] for file, values in summaries.items()]
    return tabulate(body, ["model", *names], disable_numparse=True)


def _seeds(row: RetrievalRow) -> list[dict[str, Any]]:
    return [
        {
            "file": file,
            "queries": len(ranking.ahead),
            "unmatched": ranking.unmatched,
            "unknown": ranking.unknown,
            **measures_of(ranking, separation),
            "distances": ranking.separation.summary(),
            "next_frame": separation.summary() if separation else None,
        }
        for file, ranking, separation in zip(row.files, row.rankings, row.next_frame, strict=True)
    ]
