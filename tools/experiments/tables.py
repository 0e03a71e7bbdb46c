"""The results of a benchmark as text: the paper's table, pooled and for each sequence, and JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from tabulate import tabulate

from flatsort.tools.experiments.embedder_traits import TRAITS
from flatsort.tools.experiments.results import Benchmark, SystemResult
from flatsort.tracker.metrics.report import COLUMN_NAMES, STYLES

if TYPE_CHECKING:
    from flatsort.tools.experiments.bootstrap import Interval, Spread

Style = Literal["text", "markdown", "latex"]
Values = Mapping[str, "int | float"]

COLUMNS = {key: head for key, head in COLUMN_NAMES.items() if key not in ("gt", "loca")} | {
    "association_us": "assoc. µs",
    "embedding_us": "embed. µs",
}
"""Key → head: the sixteen columns of the MOT16 table in its order, HOTA's, and microseconds a frame."""
COUNTS = ("gt", "mt", "pt", "ml", "fp", "fn", "ids", "fm")
WORTH = ("idf1", "ids", "hota")
"""What an embedder is judged by in a tracker."""
SURE = ("idf1", "hota", "mota", "ids")
"""What is given with its spread."""
LATEX = {"µ": r"$\mu$", "η": r"$\eta$", "±": r"$\pm$", "–": "--", "−": "$-$"}
"""What not every LaTeX can set as it is."""


def scores(benchmark: Benchmark, system: str, sequence: str | None = None) -> dict[str, int | float]:
    """Scores and times of a system on a sequence, or pooled; the mean where there are several training seeds."""
    result = benchmark.systems[system]
    found = [_of_seed(benchmark, result, seed, sequence) for seed in result.evaluations]
    if len(found) == 1:
        return found[0]
    return {key: statistics.fmean(each[key] for each in found) for key in found[0]}


def text(benchmark: Benchmark, style: Style = "text", spread: Spread | None = None) -> str:
    """All tables: pooled, how sure that is, and a table for each sequence; then what a reader must know."""
    names = list(benchmark.sequences)
    frames = sum(len(each.detections) for each in benchmark.sequences.values())
    blocks = [(f"OVERALL: {len(names)} sequences, {frames} frames, {benchmark.detections}", _pooled(benchmark, style))]
    if benchmark.embedders:
        blocks.append(("Embedders: mean ± standard deviation over training seeds", _embedders(benchmark, style)))
    seeded = [result for result in benchmark.systems.values() if len(result.evaluations) > 1]
    if seeded:
        blocks.append(("Mean ± standard deviation over training seeds", _seeds(seeded, style)))
    if spread is not None:
        blocks.append(("Pooled scores, and between which 95 % of the replicates lie", _intervals(spread, style)))
        if len(benchmark.systems) > 1:
            blocks.append(_differences(benchmark, spread, style))
    for name in names:
        rows = [_row(s.name, s.learned, scores(benchmark, s.name, name)) for s in benchmark.systems.values()]
        blocks.append((f"{name}: {len(benchmark.sequences[name].detections)} frames", _table(rows, style)))
    remarks = [f"{s.name}: {s.description}" for s in benchmark.systems.values()] + list(benchmark.notes)
    return _joined(blocks, remarks, style)


def to_json(benchmark: Benchmark, spread: Spread | None = None) -> str:
    """Everything that the tables are made of, unrounded; keys as ``flatsort evaluate --json`` has them."""
    systems = {
        name: {
            "description": result.description,
            "learned": result.learned,
            "overall": scores(benchmark, name),
            "sequences": {sequence: scores(benchmark, name, sequence) for sequence in benchmark.sequences},
            "seeds": {str(seed): _of_seed(benchmark, result, seed, None) for seed in result.evaluations},
        }
        for name, result in benchmark.systems.items()
    }
    document: dict[str, Any] = {"systems": systems, "detections": benchmark.detections, "notes": list(benchmark.notes)}
    if benchmark.embedders:
        document["embedders"] = {name: list(runs) for name, runs in benchmark.embedders.items()}
    if benchmark.published:
        document["published"] = [asdict(row) for row in benchmark.published]
    if spread is not None:
        plain = spread.to_json()
        document |= {"spread": plain, "differences": plain.pop("differences")}
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _of_seed(benchmark: Benchmark, result: SystemResult, seed: int, sequence: str | None) -> dict[str, int | float]:
    evaluation = result.evaluations[seed]
    found = asdict(evaluation.overall if sequence is None else evaluation.sequences[sequence].scores)
    runs = [r for r in result.runs if (r.seed or 0) == seed and sequence in (None, r.sequence)]
    frames = [len(benchmark.sequences[r.sequence].detections) for r in runs]
    for key, times in (
        ("association_us", [r.association for r in runs]),
        ("embedding_us", [r.embedding for r in runs]),
    ):
        found[key] = sum(t * n for t, n in zip(times, frames, strict=True)) / max(sum(frames), 1)
    return found


def _pooled(benchmark: Benchmark, style: Style) -> str:
    rows = [_row(s.name, s.learned, scores(benchmark, s.name)) for s in benchmark.systems.values()]
    rows += [_row(f"{p.name} (published, {p.split})", p.learned, p.scores) for p in benchmark.published]
    return _table(rows, style)


def _row(name: str, learned: str, values: Values) -> list[str]:
    return [name, learned or "–", *(_shown(key, values.get(key)) for key in COLUMNS)]


def _shown(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key in COUNTS:
        return str(value) if isinstance(value, int) else f"{value:.1f}"
    return f"{value:.{2 if key == 'far' else 0 if key.endswith('_us') else 1}f}"


def _table(rows: Sequence[Sequence[str]], style: Style, heads: Sequence[str] = ("learned", *COLUMNS.values())) -> str:
    align = ["left", *["left" if head == "learned" else "right" for head in heads]]
    return tabulate(rows, ["system", *heads], STYLES[style], colalign=align, disable_numparse=True)


def _seeds(results: Sequence[SystemResult], style: Style) -> str:
    rows = []
    for result in results:
        found = [asdict(evaluation.overall) for evaluation in result.evaluations.values()]
        values = {key: [float(each[key]) for each in found] for key in SURE}
        cells = [f"{statistics.fmean(v):.1f} ± {statistics.stdev(v):.1f}" for v in values.values()]
        rows.append([result.name, str(len(found)), *cells])
    return _table(rows, style, ("seeds", *(COLUMN_NAMES[key] for key in SURE)))


def _embedders(benchmark: Benchmark, style: Style) -> str:
    """What was measured of embedders, and what they are worth to the tracker, in one row each."""
    measured = {key for runs in benchmark.embedders.values() for key in runs[0]}
    keys = [key for key in TRAITS if key in measured]
    rows = []
    for name, runs in benchmark.embedders.items():
        overall = [asdict(found.overall) for found in benchmark.systems[name].evaluations.values()]
        values = [[run[key] for run in runs if key in run] for key in keys]
        values += [[float(each[key]) for each in overall] for key in WORTH]
        rows.append([name, *(_trait(each) for each in values)])
    return _table(rows, style, [*(TRAITS[key] for key in keys), *(COLUMN_NAMES[key] for key in WORTH)])


def _trait(values: Sequence[float]) -> str:
    """Mean and deviation, with as many digits as say something."""
    if not values:
        return "–"
    mean = statistics.fmean(values)
    whole = len(set(values)) == 1 and mean.is_integer()
    digits = 0 if whole or mean >= 200 else 1 if mean >= 20 else 2 if mean >= 2 else 3
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(set(values)) > 1 else ""
    return f"{mean:.{digits}f}{spread}"


def _intervals(spread: Spread, style: Style) -> str:
    rows = [[name, *(_interval(found[key]) for key in SURE)] for name, found in spread.systems.items()]
    return _table(rows, style, [COLUMN_NAMES[key] for key in SURE])


def _differences(benchmark: Benchmark, spread: Spread, style: Style) -> tuple[str, str]:
    """What the system of the highest IDF1 is ahead of each other one."""
    names = list(benchmark.systems)
    best = max(names, key=lambda name: scores(benchmark, name)["idf1"])
    rows = []
    for other in names:
        if other != best:
            first = names.index(best) < names.index(other)
            found = spread.differences[(best, other) if first else (other, best)]
            rows.append([other, *(_interval(found[key], 1 if first else -1, signed=True) for key in SURE)])
    return f"{best} minus each other system, with 95 % of the replicates", _table(rows, style, [COLUMN_NAMES[k] for k in SURE])


def _interval(found: Interval, sign: int = 1, *, signed: bool = False) -> str:
    plus = "+" if signed else ""
    low, high = sorted((sign * found.low, sign * found.high))
    return f"{sign * found.mean:{plus}.1f} [{low:{plus}.1f}, {high:{plus}.1f}]"


def _joined(blocks: Sequence[tuple[str, str]], remarks: Sequence[str], style: Style) -> str:
    if style == "markdown":
        shown = [f"## {title}\n\n{table}" for title, table in blocks] + ["\n".join(f"* {each}" for each in remarks)]
    elif style == "latex":
        shown = [f"% {title}\n{table}" for title, table in blocks] + ["\n".join(f"% {each}" for each in remarks)]
        for sign, command in LATEX.items():
            shown = [each.replace(sign, command) for each in shown]
    else:
        shown = [f"{title}\n{table}" for title, table in blocks] + ["\n".join(remarks)]
    return "\n\n".join(shown) + "\n"
