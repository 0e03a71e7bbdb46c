"""Results of a benchmark as text and JSON: the MOT16 table, pooled and per sequence, intervals, embedders."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from tabulate import tabulate

from flatsort.tools.experiments.embedder_traits import TRAITS
from flatsort.tools.experiments.results import Benchmark, SystemResult
from flatsort.tools.experiments.seed_statistics import format_mean_std, mean_and_std
from flatsort.tracker.metrics.report import COLUMN_NAMES, STYLES, markdown_text

if TYPE_CHECKING:
    from flatsort.tools.experiments.bootstrap import ConfidenceIntervals, Interval

Style = Literal["text", "markdown", "latex"]
Values = Mapping[str, "int | float"]

COLUMNS = {key: head for key, head in COLUMN_NAMES.items() if key not in ("gt", "loca")} | {
    "association_us": "assoc. µs",
    "embedding_us": "embed. µs",
}
"""Key → heading: the sixteen columns of the MOT16 table in its order, HOTA's, and microseconds per frame."""
COUNTS = ("gt", "mt", "pt", "ml", "fp", "fn", "ids", "fm")
EMBEDDER_SCORES = ("idf1", "ids", "hota")
"""Scores of the tracker that are shown beside the measures of its embedder."""
INTERVAL_SCORES = ("idf1", "hota", "mota", "ids")
"""Scores that are shown with intervals and standard deviations."""
LATEX = {"µ": r"$\mu$", "η": r"$\eta$", "±": r"$\pm$", "–": "--", "−": "$-$"}
"""Characters that not every LaTeX can set."""


def scores(benchmark: Benchmark, system: str, sequence: str | None = None) -> dict[str, int | float]:
    """Scores and times of a system on a sequence, or pooled; the mean over the training seeds if there are several."""
    result = benchmark.systems[system]
    by_seed = [_scores_of_seed(benchmark, result, seed, sequence) for seed in result.evaluations]
    if len(by_seed) == 1:
        return by_seed[0]
    return {key: statistics.fmean(each[key] for each in by_seed) for key in by_seed[0]}


def text(benchmark: Benchmark, style: Style = "text", intervals: ConfidenceIntervals | None = None) -> str:
    """All tables: pooled scores, embedders, standard deviations and intervals, a table per sequence; then remarks."""
    names = list(benchmark.sequences)
    frames = sum(len(each.detections) for each in benchmark.sequences.values())
    blocks = [(f"OVERALL: {len(names)} sequences, {frames} frames, {benchmark.detections}", _pooled(benchmark, style))]
    if benchmark.embedders:
        blocks.append(("Embedders: mean ± standard deviation over training seeds", _embedders(benchmark, style)))
    seeded = [result for result in benchmark.systems.values() if len(result.evaluations) > 1]
    if seeded:
        blocks.append(("Mean ± standard deviation over training seeds", _seeds(seeded, style)))
    if intervals is not None:
        blocks.append(("Pooled scores, and between which 95 % of the replicates lie", _intervals(intervals, style)))
        if len(benchmark.systems) > 1:
            blocks.append(_differences(benchmark, intervals, style))
    for name in names:
        rows = [_row(s.name, s.learned, scores(benchmark, s.name, name)) for s in benchmark.systems.values()]
        blocks.append((f"{name}: {len(benchmark.sequences[name].detections)} frames", _table(rows, style)))
    remarks = [f"{s.name}: {s.description}" for s in benchmark.systems.values()] + list(benchmark.notes)
    return _joined(blocks, remarks, style)


def to_json(benchmark: Benchmark, intervals: ConfidenceIntervals | None = None) -> str:
    """The contents of all tables, unrounded; keys as in ``flatsort evaluate --json``."""
    systems = {
        name: {
            "description": result.description,
            "learned": result.learned,
            "overall": scores(benchmark, name),
            "sequences": {sequence: scores(benchmark, name, sequence) for sequence in benchmark.sequences},
            "seeds": {str(seed): _scores_of_seed(benchmark, result, seed, None) for seed in result.evaluations},
        }
        for name, result in benchmark.systems.items()
    }
    document: dict[str, Any] = {"systems": systems, "detections": benchmark.detections, "notes": list(benchmark.notes)}
    if benchmark.embedders:
        document["embedders"] = {name: list(runs) for name, runs in benchmark.embedders.items()}
    if benchmark.published:
        document["published"] = [asdict(row) for row in benchmark.published]
    if intervals is not None:
        values = intervals.to_json()
        document |= {"intervals": values, "differences": values.pop("differences")}
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _scores_of_seed(
    benchmark: Benchmark, result: SystemResult, seed: int, sequence: str | None
) -> dict[str, int | float]:
    evaluation = result.evaluations[seed]
    values = asdict(evaluation.overall if sequence is None else evaluation.sequences[sequence].scores)
    runs = [r for r in result.runs if (r.seed or 0) == seed and sequence in (None, r.sequence)]
    frames = [len(benchmark.sequences[r.sequence].detections) for r in runs]
    for key, times in (
        ("association_us", [r.association for r in runs]),
        ("embedding_us", [r.embedding for r in runs]),
    ):
        values[key] = sum(t * n for t, n in zip(times, frames, strict=True)) / max(sum(frames), 1)
    return values


def _pooled(benchmark: Benchmark, style: Style) -> str:
    rows = [_row(s.name, s.learned, scores(benchmark, s.name)) for s in benchmark.systems.values()]
    rows += [_row(f"{p.name} (published, {p.split})", p.learned, p.scores) for p in benchmark.published]
    return _table(rows, style)


def _row(name: str, learned: str, values: Values) -> list[str]:
    return [name, learned or "–", *(_format_score(key, values.get(key)) for key in COLUMNS)]


def _format_score(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key in COUNTS:
        return str(value) if isinstance(value, int) else f"{value:.1f}"
    return f"{value:.{2 if key == 'far' else 0 if key.endswith('_us') else 1}f}"


def _table(rows: Sequence[Sequence[str]], style: Style, heads: Sequence[str] = ("learned", *COLUMNS.values())) -> str:
    align = ["left", *["left" if head == "learned" else "right" for head in heads]]
    if style == "markdown":
        rows = [[markdown_text(cell) for cell in row] for row in rows]
    return tabulate(rows, ["system", *heads], STYLES[style], colalign=align, disable_numparse=True)


def _seeds(results: Sequence[SystemResult], style: Style) -> str:
    rows = []
    for result in results:
        seeds = [asdict(evaluation.overall) for evaluation in result.evaluations.values()]
        values = [mean_and_std([float(each[key]) for each in seeds]) for key in INTERVAL_SCORES]
        cells = [format_mean_std(mean, std, len(seeds), ".1f") for mean, std in values]
        rows.append([result.name, str(len(seeds)), *cells])
    return _table(rows, style, ("seeds", *(COLUMN_NAMES[key] for key in INTERVAL_SCORES)))


def _embedders(benchmark: Benchmark, style: Style) -> str:
    """Measures of the embedders, and the scores of the tracker with each, one row per embedder."""
    measured = {key for runs in benchmark.embedders.values() for key in runs[0]}
    keys = [key for key in TRAITS if key in measured]
    rows = []
    for name, runs in benchmark.embedders.items():
        overall = [asdict(each.overall) for each in benchmark.systems[name].evaluations.values()]
        values = [[run[key] for run in runs if key in run] for key in keys]
        values += [[float(each[key]) for each in overall] for key in EMBEDDER_SCORES]
        rows.append([name, *(_format_trait(each) for each in values)])
    return _table(rows, style, [*(TRAITS[key] for key in keys), *(COLUMN_NAMES[key] for key in EMBEDDER_SCORES)])


def _format_trait(values: Sequence[float]) -> str:
    """Mean and standard deviation, with digits that fit the size of the mean."""
    if not values:
        return "–"
    mean, std = mean_and_std(values)
    distinct = len(set(values))
    digits = 0 if (distinct == 1 and mean.is_integer()) or mean >= 200 else 1 if mean >= 20 else 2 if mean >= 2 else 3
    return format_mean_std(mean, std, distinct, f".{digits}f")


def _intervals(intervals: ConfidenceIntervals, style: Style) -> str:
    systems = intervals.systems.items()
    rows = [[name, *(_format_interval(of_system[key]) for key in INTERVAL_SCORES)] for name, of_system in systems]
    return _table(rows, style, [COLUMN_NAMES[key] for key in INTERVAL_SCORES])


def _differences(benchmark: Benchmark, intervals: ConfidenceIntervals, style: Style) -> tuple[str, str]:
    """Title and table of the differences between the system with the highest IDF1 and each other one."""
    names = list(benchmark.systems)
    best = max(names, key=lambda name: scores(benchmark, name)["idf1"])
    rows = []
    for other in names:
        if other != best:
            first = names.index(best) < names.index(other)
            pair = intervals.differences[(best, other) if first else (other, best)]
            sign = 1 if first else -1
            rows.append([other, *(_format_interval(pair[key], sign, signed=True) for key in INTERVAL_SCORES)])
    return f"{best} minus each other system, with 95 % of the replicates", _table(
        rows, style, [COLUMN_NAMES[k] for k in INTERVAL_SCORES]
    )


def _format_interval(interval: Interval, sign: int = 1, *, signed: bool = False) -> str:
    plus = "+" if signed else ""
    low, high = sorted((sign * interval.low, sign * interval.high))
    return f"{sign * interval.mean:{plus}.1f} [{low:{plus}.1f}, {high:{plus}.1f}]"


def _joined(blocks: Sequence[tuple[str, str]], remarks: Sequence[str], style: Style) -> str:
    one_line = markdown_text if style == "markdown" else lambda text: " ".join(text.split())
    blocks = [(one_line(title), table) for title, table in blocks]
    remarks = [one_line(each) for each in remarks]
    if style == "markdown":
        shown = [f"## {title}\n\n{table}" for title, table in blocks] + ["\n".join(f"* {each}" for each in remarks)]
    elif style == "latex":
        shown = [f"% {title}\n{table}" for title, table in blocks] + ["\n".join(f"% {each}" for each in remarks)]
        for sign, command in LATEX.items():
            shown = [each.replace(sign, command) for each in shown]
    else:
        shown = [f"{title}\n{table}" for title, table in blocks] + ["\n".join(remarks)]
    return "\n\n".join(shown) + "\n"
