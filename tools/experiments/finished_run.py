"""A finished run as plain arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import Scores, SequenceResult
from flatsort.tracker.metrics.clear import Counts, Timeline
from flatsort.tracker.metrics.hota import Hota

COLUMNS = ("frames", "ids", "boxes", "scores", "classes", "visibility")


@dataclass(frozen=True, eq=False)
class Finished:
    """A run and its scores.

    Attributes
    ----------
    tracks : MotTable
    association, embedding : float
        Microseconds a frame.
    result : SequenceResult
    """

    tracks: MotTable
    association: float
    embedding: float
    result: SequenceResult


def pack(finished: Finished) -> dict[str, NDArray[Any]]:
    """Everything that is known of a run as arrays."""
    result = finished.result
    plain = {
        "columns": finished.tracks.columns,
        "association": finished.association,
        "embedding": finished.embedding,
        "unusable": result.unusable,
        "ignored": result.ignored,
        "gt_labels": result.gt_labels,
        "pred_labels": result.pred_labels,
        "alphas": result.hota.alphas,
    }
    parts: dict[str, Mapping[str, Any]] = {
        "": plain,
        "tracks.": {name: getattr(finished.tracks, name) for name in COLUMNS},
        "counts.": asdict(result.counts),
        "timeline.": {f.name: getattr(result.timeline, f.name) for f in fields(Timeline)},
        "hota.": result.hota.fields,
    }
    return {prefix + name: np.asarray(value) for prefix, part in parts.items() for name, value in part.items()}


def unpack(arrays: Mapping[str, NDArray[Any]], name: str) -> Finished:
    """The run of sequence ``name`` that `pack` gave.

    Raises
    ------
    KeyError
        If something is missing.
    """

    def part(prefix: str) -> dict[str, Any]:
        found = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
        return {key: value if value.ndim else value.item() for key, value in found.items()}

    tracks = MotTable(path=Path(f"{name}.txt"), columns=int(arrays["columns"]), **part("tracks."))
    counts, curves = Counts(**part("counts.")), Hota(arrays["alphas"], part("hota."))
    result = SequenceResult(
        name=name,
        scores=Scores(**counts.measures(), **curves.measures()),
        counts=counts,
        hota=curves,
        timeline=Timeline(**part("timeline.")),
        gt_labels=arrays["gt_labels"],
        pred_labels=arrays["pred_labels"],
        unusable=int(arrays["unusable"]),
        ignored=int(arrays["ignored"]),
    )
    return Finished(tracks, float(arrays["association"]), float(arrays["embedding"]), result)


def named(table: MotTable, name: str) -> MotTable:
    """The rows with the name of their sequence in place of a file's path."""
    return replace(table, path=Path(f"{name}.txt"))
