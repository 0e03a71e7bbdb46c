"""``report.html``: the results of a benchmark as one page, with its data, style and scripts in one file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from flatsort.tools.experiments import tables
from flatsort.tools.experiments.report.identity_switches import BoxComparison, Switch, TrackBox, find_switches
from flatsort.tools.experiments.report.switch_crops import SwitchCrops, crop_key, cut_crops, max_switches
from flatsort.tools.experiments.results import Benchmark, SystemResult
from flatsort.tracker.files import write_text
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import Evaluation, SequenceResult
from flatsort.tracker.metrics.plots import segments

SCRIPTS = ("page.js", "scores.js", "curves.js", "switches.js", "timeline.js", "main.js")
CURVES = ("HOTA", "DetA", "AssA")
COLOURS = 6
"""Number of colours for predicted ids."""
BETTER = {
    "high": ("idf1", "idp", "idr", "recall", "precision", "mt", "mota", "motp", "motal", "hota", "deta", "assa"),
    "low": ("far", "ml", "fp", "fn", "ids", "fm", "association_us"),
}
"""Whether the highest or the lowest value of a column is best; in other columns none is marked."""


def write(benchmark: Benchmark, path: Path) -> None:
    """Write the results of a benchmark as one HTML file that loads nothing from anywhere, completely or not at all.

    It has the table, bars for each sequence, HOTA over its threshold, and a timeline of identities that shows crops,
    overlaps and latent distances of each switch. Images are read from the sources of the sequences; where there are
    none, the page says so.

    Parameters
    ----------
    benchmark : Benchmark
    path : Path
        Replaced if it exists.
    """
    write_text(path, render(describe(benchmark)))


def render(document: dict[str, Any]) -> str:
    """The page as HTML, from the data that `describe` returns.

    Names in the data never become markup: the scripts insert them as text. The page's content security policy allows
    no network access and no script but its own.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    folder = files("flatsort.tools.experiments.report")
    script = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    data = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return Template(folder.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        style=folder.joinpath("page.css").read_text(encoding="utf-8"),
        script=script,
        digest=digest,
        # only < can end a script element, and in JSON it occurs in strings only
        data=data.replace("<", "\\u003c"),
    )


def describe(benchmark: Benchmark) -> dict[str, Any]:
    """The data of the page as values for JSON.

    Systems and sequences are lists, so that their names are values and never keys. Curves and timelines are of the
    first training seed, scores are means over all seeds.
    """
    switches = {
        (system, sequence): _switches(benchmark, result, sequence)
        for system, result in benchmark.systems.items()
        for sequence in benchmark.sequences
    }
    most = max_switches([len(each) for each in switches.values()])
    crops = {
        name: cut_crops(
            sequence,
            (box for system in benchmark.systems for each in switches[system, name][:most] for box in _boxes(each)),
        )
        for name, sequence in benchmark.sequences.items()
    }
    images: dict[str, int] = {}
    return {
        "detections": benchmark.detections,
        "notes": list(benchmark.notes),
        "columns": [{"key": key, "head": head, "better": _better(key)} for key, head in tables.COLUMNS.items()],
        "counts": list(tables.COUNTS),
        "curves": list(CURVES),
        "alphas": _rounded(next(iter(benchmark.systems.values())).first.hota.alphas) if benchmark.systems else [],
        "sequences": [
            {"name": name, "frames": len(each.detections), "missing": crops[name].missing}
            for name, each in benchmark.sequences.items()
        ],
        "systems": [
            {
                "name": name,
                "description": result.description,
                "learned": result.learned,
                "seeds": list(result.evaluations),
                "overall": tables.scores(benchmark, name),
                "scores": [tables.scores(benchmark, name, sequence) for sequence in benchmark.sequences],
                "hota": _curves(result.first, list(benchmark.sequences)),
                "timelines": [
                    _timeline(result.first.sequences[sequence], switches[name, sequence], most, crops[sequence], images)
                    for sequence in benchmark.sequences
                ],
            }
            for name, result in benchmark.systems.items()
        ],
        "published": [
            {"name": row.name, "learned": row.learned, "split": row.split, "scores": dict(row.scores)}
            for row in benchmark.published
        ],
        "images": list(images),
    }


def _better(key: str) -> str:
    return next((way for way, keys in BETTER.items() if key in keys), "")


def _curves(evaluation: Evaluation, sequences: Sequence[str]) -> list[list[list[float]]]:
    """Values of each of `CURVES` over α in percent, pooled and then of each sequence."""
    results = [evaluation.hota, *(evaluation.sequences[name].hota for name in sequences)]
    return [[_rounded(hota.curve(name), 2) for name in CURVES] for hota in results]


def _switches(benchmark: Benchmark, result: SystemResult, sequence: str) -> list[Switch]:
    tracks = _tracks(result, sequence)
    of_sequence, latents = benchmark.sequences[sequence], benchmark.latents.get((result.name, sequence))
    return find_switches(result.first.sequences[sequence], tracks, of_sequence.detections, latents, of_sequence.frames)


def _tracks(result: SystemResult, sequence: str) -> MotTable:
    """Result rows of the first seed."""
    seed = next(iter(result.evaluations))
    return next(run.tracks for run in result.runs if run.sequence == sequence and (run.seed or 0) == seed)


def _boxes(switch: Switch) -> list[TrackBox]:
    """The boxes of which crops are shown."""
    return [box for box in (switch.before, switch.after, switch.earlier) if box is not None]


def _timeline(
    result: SequenceResult, switches: Sequence[Switch], most: int, crops: SwitchCrops, images: dict[str, int]
) -> dict[str, Any]:
    """Lanes of a system on a sequence; new crops are added to ``images``, crop → position."""
    timeline = result.timeline
    first, last, gt, pred = segments(timeline.frames, timeline.gt, timeline.pred)
    labels = np.where(pred >= 0, result.pred_labels[pred] if len(result.pred_labels) else 0, 0)
    colours = _colours(gt[pred >= 0].tolist(), pred[pred >= 0].tolist())
    positions = {key: images.setdefault(crop, len(images)) for key, crop in crops.crops.items()}
    rows = zip(gt.tolist(), first.tolist(), last.tolist(), pred.tolist(), labels.tolist(), strict=True)
    return {
        "identities": result.gt_labels.tolist(),
        "ids": result.scores.ids,
        # lane, first and last frame, colour (−1: missed), predicted id
        "segments": [[lane, start, end, colours.get(each, -1), label] for lane, start, end, each, label in rows],
        "switches": [
            _switch_to_json(
                switch, int(np.searchsorted(result.gt_labels, switch.identity)), positions if number < most else {}
            )
            for number, switch in enumerate(switches)
        ],
        "withCrops": min(len(switches), most),
    }


def _switch_to_json(switch: Switch, lane: int, positions: Mapping[tuple[float, ...], int]) -> dict[str, Any]:
    return {
        "lane": lane,
        "identity": switch.identity,
        "before": _box_to_json(switch.before, positions),
        "after": _box_to_json(switch.after, positions),
        "earlier": None if switch.earlier is None else _box_to_json(switch.earlier, positions),
        "now": None if switch.now is None else _box_to_json(switch.now, {}),
        "toBefore": _comparison_to_json(switch.to_before),
        "toEarlier": None if switch.to_earlier is None else _comparison_to_json(switch.to_earlier),
    }


def _box_to_json(box: TrackBox, positions: Mapping[tuple[float, ...], int]) -> dict[str, int | None]:
    return {
        "frame": box.frame,
        "track": box.track,
        "identity": box.identity,
        "image": positions.get(crop_key(box)),
    }


def _comparison_to_json(comparison: BoxComparison) -> dict[str, float | None]:
    return {
        "iou": round(comparison.iou, 3),
        "distance": None if comparison.distance is None else float(f"{comparison.distance:.4g}"),
        "relative": None if comparison.relative is None else float(f"{comparison.relative:.4g}"),
    }


def _colours(lanes: Sequence[int], tracks: Sequence[int]) -> dict[int, int]:
    """A colour for each track, different from those of the tracks before and after it in its lanes.

    A track whose neighbours have all colours gets the one that fewest of them have.
    """
    neighbours: dict[int, list[int]] = {track: [] for track in tracks}
    for lane, next_lane, track, other in zip(lanes, lanes[1:], tracks, tracks[1:], strict=False):
        if lane == next_lane and track != other:
            neighbours[track].append(other)
            neighbours[other].append(track)
    colours: dict[int, int] = {}
    used = [0] * COLOURS
    for track in sorted(neighbours):
        taken = [colours[other] for other in neighbours[track] if other in colours]
        colours[track] = min(range(COLOURS), key=lambda colour: (taken.count(colour), used[colour]))
        used[colours[track]] += 1
    return colours


def _rounded(values: Any, digits: int = 4) -> list[float]:
    return [round(value, digits) for value in np.asarray(values, np.float64).tolist()]
