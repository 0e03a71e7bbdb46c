"""A benchmark as plain values, for the page's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flatsort.tools.experiments.report.stills import SwitchCrops, allowance, cut_stills, place
from flatsort.tools.experiments.report.switches import BoxComparison, Switch, TrackBox, find_switches

from flatsort.tools.experiments import tables
from flatsort.tools.experiments.results import Benchmark, SystemResult
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import Evaluation, SequenceResult
from flatsort.tracker.metrics.plots import segments

CURVES = ("HOTA", "DetA", "AssA")
TONES = 6
"""Colours for predicted ids."""
BETTER = {
    "high": ("idf1", "idp", "idr", "recall", "precision", "mt", "mota", "motp", "motal", "hota", "deta", "assa"),
    "low": ("far", "ml", "fp", "fn", "ids", "fm", "association_us"),
}
"""Which value of a column is best; that of the others is not marked."""


def describe(benchmark: Benchmark) -> dict[str, Any]:
    """Everything the page shows, of str, int, finite float, bool, None, list and dict with fixed keys.

    Systems and sequences are lists, so that names are values only. Curves and timelines are of the first training seed,
    scores are means of all.
    """
    found = {
        (system, sequence): _switches(benchmark, result, sequence)
        for system, result in benchmark.systems.items()
        for sequence in benchmark.sequences
    }
    most = allowance([len(each) for each in found.values()])
    stills = {
        name: cut_stills(
            sequence,
            (sight for system in benchmark.systems for each in found[system, name][:most] for sight in _shown(each)),
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
            {"name": name, "frames": len(each.detections), "missing": stills[name].missing}
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
                    _timeline(result.first.sequences[sequence], found[name, sequence], most, stills[sequence], images)
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
    """Percent over α of each of `CURVES`, pooled and then of each sequence."""
    results = [evaluation.hota, *(evaluation.sequences[name].hota for name in sequences)]
    return [[_rounded(hota.curve(name), 2) for name in CURVES] for hota in results]


def _switches(benchmark: Benchmark, result: SystemResult, sequence: str) -> list[Switch]:
    tracks = _tracks(result, sequence)
    detections = benchmark.sequences[sequence].detections
    return find_switches(
        result.first.sequences[sequence], tracks, detections, benchmark.latents.get((result.name, sequence))
    )


def _tracks(result: SystemResult, sequence: str) -> MotTable:
    """The rows of the first seed."""
    seed = next(iter(result.evaluations))
    return next(run.tracks for run in result.runs if run.sequence == sequence and (run.seed or 0) == seed)


def _shown(switch: Switch) -> list[TrackBox]:
    """The boxes that a still is made of."""
    return [sight for sight in (switch.before, switch.after, switch.earlier) if sight is not None]


def _timeline(
    result: SequenceResult, switches: Sequence[Switch], most: int, stills: SwitchCrops, images: dict[str, int]
) -> dict[str, Any]:
    """Lanes of a system on a sequence; new crops are added to ``images``, crop → position."""
    timeline = result.timeline
    first, last, gt, pred = segments(timeline.frames, timeline.gt, timeline.pred)
    labels = np.where(pred >= 0, result.pred_labels[pred] if len(result.pred_labels) else 0, 0)
    tones = _tones(gt[pred >= 0].tolist(), pred[pred >= 0].tolist())
    pictures = {key: images.setdefault(crop, len(images)) for key, crop in stills.crops.items()}
    rows = zip(gt.tolist(), first.tolist(), last.tolist(), pred.tolist(), labels.tolist(), strict=True)
    return {
        "truths": result.gt_labels.tolist(),
        "ids": result.scores.ids,
        # lane, first and last frame, tone (−1: missed), predicted id
        "segments": [[lane, start, end, tones.get(each, -1), label] for lane, start, end, each, label in rows],
        "switches": [
            _plain(switch, int(np.searchsorted(result.gt_labels, switch.identity)), pictures if number < most else {})
            for number, switch in enumerate(switches)
        ],
        "pictured": min(len(switches), most),
    }


def _plain(switch: Switch, lane: int, pictures: Mapping[tuple[float, ...], int]) -> dict[str, Any]:
    return {
        "lane": lane,
        "truth": switch.identity,
        "before": _sight(switch.before, pictures),
        "after": _sight(switch.after, pictures),
        "earlier": None if switch.earlier is None else _sight(switch.earlier, pictures),
        "now": None if switch.now is None else _sight(switch.now, {}),
        "toBefore": _closeness(switch.to_before),
        "toEarlier": None if switch.to_earlier is None else _closeness(switch.to_earlier),
    }


def _sight(sight: TrackBox, pictures: Mapping[tuple[float, ...], int]) -> dict[str, int | None]:
    return {
        "frame": sight.frame,
        "track": sight.track,
        "truth": sight.identity,
        "image": pictures.get(place(sight)),
    }


def _closeness(found: BoxComparison) -> dict[str, float | None]:
    return {
        "iou": round(found.iou, 3),
        "distance": None if found.distance is None else float(f"{found.distance:.4g}"),
        "share": None if found.share is None else float(f"{found.share:.4g}"),
    }


def _tones(lanes: Sequence[int], tracks: Sequence[int]) -> dict[int, int]:
    """A colour for each track, another one than that of those which follow it or go before it in a lane.

    A track whose neighbours have all the colours takes that of the fewest of them.
    """
    beside: dict[int, list[int]] = {track: [] for track in tracks}
    for lane, next_lane, track, other in zip(lanes, lanes[1:], tracks, tracks[1:], strict=False):
        if lane == next_lane and track != other:
            beside[track].append(other)
            beside[other].append(track)
    tones: dict[int, int] = {}
    used = [0] * TONES
    for track in sorted(beside):
        taken = [tones[other] for other in beside[track] if other in tones]
        tones[track] = min(range(TONES), key=lambda tone: (taken.count(tone), used[tone]))
        used[tones[track]] += 1
    return tones


def _rounded(values: Any, digits: int = 4) -> list[float]:
    return [round(value, digits) for value in np.asarray(values, np.float64).tolist()]
