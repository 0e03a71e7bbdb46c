"""Bootstrap intervals: exact on the original frames, paired, repeatable, and wide enough."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import trackeval

from flatsort.tools.experiments.bootstrap import block_length, bootstrap_intervals, counts_by_sequence, sample_frames
from flatsort.tools.experiments.bootstrap_counts import METRICS, count_frames, scores_of_totals
from flatsort.tools.experiments.results import BenchmarkSequence, SystemResult, SystemRun
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import evaluate_tables, pool
from flatsort.tracker.metrics.preprocessing import prepare
from flatsort.tracker.types import Detections, Float
from tests.tracker.metrics.mot_tables import table

FRAMES = 100
PLACES = (0.0, 20.0, 200.0, 400.0)
"""Two objects that overlap a little and two alone."""


def ground_truth() -> MotTable:
    return table([(f, i, x) for f in range(1, FRAMES + 1) for i, x in enumerate(PLACES, 1)])


def predictions(seed: int, miss: float = 0.2, change: float = 0.03) -> MotTable:
    """Tracks that miss boxes, are off by some pixels, change their ids, and have false positives."""
    random = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    names = list(range(1, len(PLACES) + 1))
    for frame in range(1, FRAMES + 1):
        for k, x in enumerate(PLACES):
            names[k] = max(names) + 1 if random.random() < change else names[k]
            if random.random() >= miss:
                rows.append((frame, names[k], x + random.normal(0, 4)))
        if random.random() < 0.1:
            rows.append((frame, 1000 + frame % 3, 800.0))
    return table(rows)


def sequences(*names: str) -> dict[str, BenchmarkSequence]:
    empty = [Detections.empty()] * FRAMES
    return {name: BenchmarkSequence(name, "", empty, 5.0, None, ground_truth()) for name in names}


def system(
    name: str, inputs: Mapping[str, BenchmarkSequence], seeds: Sequence[int], first: int = 0, **errors: float
) -> SystemResult:
    runs = [
        SystemRun(
            name, None if len(seeds) == 1 else seed, given, predictions(first + 97 * seed + i, **errors), 1.0, 0.0
        )
        for seed in seeds
        for i, given in enumerate(inputs)
    ]
    evaluations = {
        seed: pool(
            evaluate_tables(run.sequence, inputs[run.sequence].ground_truth, run.tracks, None, FRAMES)
            for run in runs
            if (run.seed or 0) == seed
        )
        for seed in seeds
    }
    return SystemResult(name, name, "", evaluations, runs)


@pytest.fixture(scope="module")
def three() -> dict[str, SystemResult]:
    inputs = sequences("a", "b")
    return {
        "good": system("good", inputs, [0], miss=0.1, change=0.005),
        "bad": system("bad", inputs, [0], first=7),
        "seeds": system("seeds", inputs, [0, 1, 2], first=40),
    }


def test_every_frame_once_is_the_score_of_the_evaluation(three: Mapping[str, SystemResult]) -> None:
    inputs = sequences("a", "b")
    for each in three.values():
        for seed, evaluation in each.evaluations.items():
            counts = counts_by_sequence(each, seed, inputs, dict.fromkeys(inputs, FRAMES))
            totals = np.concatenate([c.totals(np.ones((1, FRAMES))) for c in counts.values()]).sum(0, keepdims=True)
            for metric, value in scores_of_totals(totals).items():
                assert value[0] == pytest.approx(getattr(evaluation.overall, metric), rel=1e-12), metric


def test_sampled_frames_are_scored_like_a_sequence_of_them() -> None:
    gt, pred = ground_truth(), predictions(3)
    sequence = prepare("a", gt, pred)
    times = np.random.default_rng(0).integers(3, size=FRAMES)
    counts = count_frames(evaluate_tables("a", gt, pred), sequence, FRAMES)
    scores = scores_of_totals(counts.totals(times[None].astype(float)))
    sampled = np.repeat(np.arange(FRAMES), times)
    data = {
        "gt_ids": [sequence.gt_ids[i] for i in sampled],
        "tracker_ids": [sequence.pred_ids[i] for i in sampled],
        "similarity_scores": [sequence.similarity[i] for i in sampled],
        "num_gt_ids": len(sequence.gt_labels),
        "num_tracker_ids": len(sequence.pred_labels),
        "num_gt_dets": sum(len(sequence.gt_ids[i]) for i in sampled),
        "num_tracker_dets": sum(len(sequence.pred_ids[i]) for i in sampled),
    }
    assert scores["idf1"][0] == pytest.approx(100 * trackeval.metrics.Identity().eval_sequence(data)["IDF1"])
    hota = trackeval.metrics.HOTA().eval_sequence(data)
    assert scores["hota"][0] == pytest.approx(100 * hota["HOTA"].mean(), abs=0.3)
    assert scores["assa"][0] == pytest.approx(100 * hota["AssA"].mean(), abs=0.3)


def test_intervals_hold_the_score_and_differences_are_paired(three: Mapping[str, SystemResult]) -> None:
    bootstrap = bootstrap_intervals(three, sequences("a", "b"), rounds=200)
    for name, intervals in bootstrap.systems.items():
        assert list(intervals) == list(METRICS)
        for metric, interval in intervals.items():
            values = [getattr(e.overall, metric) for e in three[name].evaluations.values()]
            assert interval.mean == pytest.approx(np.mean(values))
            assert interval.low <= interval.mean <= interval.high
            assert (interval.seeds_std > 0) is (name == "seeds")
    assert list(bootstrap.differences) == [("good", "bad"), ("good", "seeds"), ("bad", "seeds")]
    gain = bootstrap.differences["good", "bad"]["idf1"]
    assert 0 < gain.low < gain.mean < gain.high
    assert not bootstrap.sequences_drawn
    plain = json.loads(json.dumps(bootstrap.to_json(), allow_nan=False))
    assert plain["differences"]["good"]["bad"]["idf1"]["low"] == gain.low


def test_a_system_does_not_differ_from_itself(three: Mapping[str, SystemResult]) -> None:
    same = bootstrap_intervals({"x": three["seeds"], "y": three["seeds"]}, sequences("a", "b"), rounds=50).differences[
        "x", "y"
    ]
    for metric in METRICS:
        assert (same[metric].mean, same[metric].low, same[metric].high) == (0, 0, 0)


def test_a_seed_repeats_whatever_else_is_in_the_table(three: Mapping[str, SystemResult]) -> None:
    inputs = sequences("a", "b")
    all_of_them, alone = (
        bootstrap_intervals(three, inputs, rounds=50),
        bootstrap_intervals({"seeds": three["seeds"]}, inputs, rounds=50),
    )
    assert all_of_them.systems["seeds"] == alone.systems["seeds"]
    assert (
        bootstrap_intervals({"seeds": three["seeds"]}, inputs, rounds=50, seed=1).systems["seeds"]
        != alone.systems["seeds"]
    )


def test_five_sequences_are_sampled_too() -> None:
    lengths = dict.fromkeys("abcde", 40)
    samples = sample_frames(lengths, dict.fromkeys("abcde", 8), 300, 0)
    rounds = np.concatenate([d.rounds for d in samples.values()])
    assert (np.bincount(rounds) == 5).all()
    assert np.bincount(samples["a"].rounds, minlength=300).max() > 1
    few = sample_frames(dict.fromkeys("ab", 40), dict.fromkeys("ab", 8), 300, 0)["a"]
    assert few.rounds.tolist() == list(range(300))
    assert (few.weights.sum(axis=1) == 40).all()
    assert few.weights.mean(axis=0) == pytest.approx(np.ones(40), abs=0.3)


def test_blocks_are_long_but_there_are_five() -> None:
    assert (block_length(1000, 10.0), block_length(100, 30.0), block_length(3, 30.0)) == (100, 20, 1)


@pytest.mark.slow
def test_intervals_hold_the_expected_value() -> None:
    inputs = sequences("a")
    hit = []
    values: list[Float] = []
    for trial in range(25):
        each = system("s", inputs, [0], first=1000 + trial, change=0.0)
        interval = bootstrap_intervals({"s": each}, inputs, rounds=100).systems["s"]["mota"]
        expected = 100 * (0.8 - 0.1 / len(PLACES))  # one box in five is missed, a tenth of the frames has one too many
        hit.append(interval.low <= expected <= interval.high)
        values.append(np.array(interval.mean))
    assert np.mean(hit) >= 0.7
    assert np.std(values) > 0


def test_nothing_to_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="expected systems and at least one round, got 0 and 10"):
        bootstrap_intervals({}, {}, rounds=10)


def test_a_sequence_without_tracks() -> None:
    inputs = {"a": BenchmarkSequence("a", "", [], 5.0, None, ground_truth())}
    nothing = table([])
    result = pool([evaluate_tables("a", ground_truth(), nothing, None, FRAMES)])
    silent = SystemResult("s", "s", "", {0: result}, [SystemRun("s", None, "a", nothing, 1.0, 0.0)])
    assert {
        m: i.mean for m, i in bootstrap_intervals({"s": silent}, inputs, rounds=5).systems["s"].items()
    } == dict.fromkeys(METRICS, 0.0)
