"""Tables of a benchmark as text, Markdown, LaTeX and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from flatsort.tools.experiments import published, tables
from flatsort.tools.experiments.bootstrap import cached_intervals
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.experiments.results import Benchmark, BenchmarkSequence, SystemResult, SystemRun
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import evaluate_tables, pool
from flatsort.tracker.types import Detections
from tests.tracker.metrics.mot_tables import table

PAPER = [
    *("IDF1", "IDP", "IDR", "Rcll", "Prcn", "FAR", "MT", "PT", "ML"),
    *("FP", "FN", "IDs", "FM", "MOTA", "MOTP", "MOTAL"),
]
GROUND_TRUTH = table([(f, i, 200.0 * i) for f in range(1, 21) for i in (1, 2)])


def tracks(switches: int) -> MotTable:
    """Object 1 changes its id some times, object 2 is missed half of the time."""
    ids = np.minimum(np.arange(20) // 3, switches)
    return table([(f, 10 + ids[f - 1], 200.0) for f in range(1, 21)] + [(f, 2, 400.0) for f in range(1, 11)])


def system(name: str, seeds: dict[int, int], learned: str = "") -> SystemResult:
    """``seeds``: seed → number of switches."""
    runs = [
        SystemRun(name, seed if len(seeds) > 1 else None, sequence, tracks(number), 10.0 * (k + 1) + seed, 5.0 * k)
        for seed, number in seeds.items()
        for k, sequence in enumerate(("a", "b"))
    ]
    evaluations = {
        seed: pool(evaluate_tables(r.sequence, GROUND_TRUTH, r.tracks, None, 20) for r in runs if (r.seed or 0) == seed)
        for seed in seeds
    }
    return SystemResult(name, f"tracker {name}", learned, evaluations, runs)


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    frames = {"a": 20, "b": 60}
    return Benchmark(
        systems={
            s.name: s for s in (system("plain", {0: 4}), system("learned_one", {0: 1, 1: 2, 2: 3}, "unsupervised"))
        },
        sequences={
            n: BenchmarkSequence(n, "", [Detections.empty()] * k, 10.0, None, GROUND_TRUTH) for n, k in frames.items()
        },
        latents={},
        detections="det.txt, score ≥ 0.5",
        notes=["a note"],
    )


def test_the_columns_are_the_papers() -> None:
    assert list(tables.COLUMNS.values())[:16] == PAPER
    assert list(tables.COLUMNS.values())[16:] == ["HOTA", "DetA", "AssA", "assoc. µs", "embed. µs"]


def test_scores_of_one_seed_are_those_of_the_evaluation(benchmark: Benchmark) -> None:
    evaluation = benchmark.systems["plain"].first
    scores = tables.scores(benchmark, "plain")
    assert scores == {**asdict(evaluation.overall), "association_us": (10 * 20 + 20 * 60) / 80, "embedding_us": 3.75}
    assert isinstance(scores["ids"], int)
    of_b = tables.scores(benchmark, "plain", "b")
    assert of_b == {**asdict(evaluation.sequences["b"].scores), "association_us": 20.0, "embedding_us": 5.0}


def test_scores_of_several_seeds_are_means(benchmark: Benchmark) -> None:
    scores = tables.scores(benchmark, "learned_one")
    assert scores["ids"] == 2 * 2
    assert scores["association_us"] == pytest.approx(17.5 + 1)
    each = [e.overall.idf1 for e in benchmark.systems["learned_one"].evaluations.values()]
    assert scores["idf1"] == pytest.approx(np.mean(each))


def test_text(benchmark: Benchmark) -> None:
    blocks = tables.text(benchmark).split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [
        "OVERALL: 2 sequences, 80 frames, det.txt, score ≥ 0.5",
        "Mean ± standard deviation over training seeds",
        "a: 20 frames",
        "b: 60 frames",
        "plain: tracker plain",
    ]
    heads = blocks[0].splitlines()[1].split()
    assert heads[:18] == ["system", "learned", *PAPER]
    rows = [line.split() for line in blocks[0].splitlines()[3:]]
    assert [row[:2] for row in rows] == [["plain", "–"], ["learned_one", "unsupervised"]]
    column = heads.index("IDs")
    assert [row[column] for row in rows] == ["8", "4.0"]
    assert rows[0][-2:] == ["18", "4"]
    (seeds,) = [line.split() for line in blocks[1].splitlines()[3:]]
    assert seeds[:2] == ["learned_one", "3"]
    assert " ".join(seeds).count("4.0 ± 2.0") == 1
    assert blocks[4].splitlines() == ["plain: tracker plain", "learned_one: tracker learned_one", "a note"]


def test_markdown_and_latex(benchmark: Benchmark) -> None:
    markdown = tables.text(benchmark, "markdown")
    assert "## OVERALL: 2 sequences" in markdown
    assert "| plain " in markdown
    assert markdown.endswith("* a note\n")
    latex = tables.text(benchmark, "latex")
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 4
    assert r"learned\_one" in latex
    assert not set("µη±–") & {sign for line in latex.splitlines() if not line.startswith("%") for sign in line}


def test_published_rows_stand_beside(benchmark: Benchmark) -> None:
    rows = published.rows("mot16")
    blocks = tables.text(replace(benchmark, published=rows)).split("\n\n")
    lines = blocks[0].splitlines()[3:]
    assert [line.split("  ")[0] for line in lines[2:]] == [f"{row.name} (published, train)" for row in rows]
    assert lines[-1].split()[-5:] == ["–"] * 5
    assert "published" not in "".join(blocks[1:])
    document = json.loads(tables.to_json(replace(benchmark, published=rows)))
    assert document["published"][0]["scores"]["ids"] == rows[0].scores["ids"]


def test_json(benchmark: Benchmark) -> None:
    document = json.loads(tables.to_json(benchmark))
    assert list(document["systems"]) == ["plain", "learned_one"]
    system_scores = document["systems"]["learned_one"]
    assert system_scores["overall"] == tables.scores(benchmark, "learned_one")
    assert system_scores["sequences"] == {name: tables.scores(benchmark, "learned_one", name) for name in ("a", "b")}
    assert [system_scores["seeds"][seed]["ids"] for seed in ("0", "1", "2")] == [2, 4, 6]
    assert (system_scores["learned"], document["notes"]) == ("unsupervised", ["a note"])


def test_intervals_are_shown_and_cached(benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = replace(benchmark, key="k")
    intervals = cached_intervals(benchmark, Cache(tmp_path), 20)
    monkeypatch.setattr("flatsort.tools.experiments.bootstrap.bootstrap_intervals", None)
    assert cached_intervals(benchmark, Cache(tmp_path), 20).to_json() == intervals.to_json()
    document = json.loads(tables.to_json(benchmark, intervals))
    assert document["intervals"]["systems"]["plain"]["idf1"]["mean"] == pytest.approx(
        document["systems"]["plain"]["overall"]["idf1"]
    )
    ahead = document["differences"]["plain"]["learned_one"]["ids"]
    assert ahead["mean"] == pytest.approx(4)
    blocks = tables.text(benchmark, "text", intervals).split("\n\n")
    assert blocks[3].splitlines()[0] == "learned_one minus each other system, with 95 % of the replicates"
    assert blocks[3].splitlines()[3].startswith("plain")
    assert f"-4.0 [{-ahead['high']:+.1f}, {-ahead['low']:+.1f}]" in blocks[3]


def test_embedders_have_means_deviations_and_gaps(benchmark: Benchmark) -> None:
    few, many = {"dim": 4.0, "flatness": 0.1}, {"dim": 4.0, "flatness": 0.3}
    measured = {"learned_one": [few, many, {"dim": 4.0, "flatness": 0.2}], "plain": [{"dim": 400.0}]}
    with_traits = replace(benchmark, embedders=measured)
    block = tables.text(with_traits, "markdown").split("## Embedders")[1].split("##")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if "|" in line]
    assert lines[0] == ["system", "numbers", "flatness", "IDF1", "IDs", "HOTA"]
    assert lines[2][:3] == ["learned_one", "4", "0.200 ± 0.100"]
    assert lines[2][4] == "4.00 ± 2.00"
    assert lines[3][:3] == ["plain", "400", "–"]
    assert json.loads(tables.to_json(with_traits))["embedders"] == measured
    assert "Embedders" not in tables.text(benchmark)
