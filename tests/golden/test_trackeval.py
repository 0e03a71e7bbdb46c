"""Every count of the evaluation is TrackEval's own."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trackeval
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.boxes import iou
from flatsort.tracker.io.mot import format_rows, read_detections
from flatsort.tracker.io.seqinfo import read_seqinfo
from flatsort.tracker.metrics import SequenceResult, evaluate, evaluate_pair, pool
from flatsort.tracker.metrics.scoring_rules import Benchmark
from flatsort.tracker.metrics.sequence_files import FilePair
from flatsort.tracker.types import Float, Int, Tracks

MOT17 = [f"MOT17/MOT17-{number}-FRCNN" for number in ("02", "04", "05", "09", "10", "11", "13")]
MOT15 = ["PETS09-S2L1", "ADL-Rundle-6-a", "TUD-Campus"]

COUNTS = {
    "tp": "CLR_TP",
    "fp": "CLR_FP",
    "fn": "CLR_FN",
    "ids": "IDSW",
    "fm": "Frag",
    "mt": "MT",
    "pt": "PT",
    "ml": "ML",
    "idtp": "IDTP",
    "idfp": "IDFP",
    "idfn": "IDFN",
}
RATIOS = {
    "mota": "MOTA",
    "motp": "MOTP",
    "recall": "CLR_Re",
    "precision": "CLR_Pr",
    "idf1": "IDF1",
    "idp": "IDP",
    "idr": "IDR",
}
CURVES = ("HOTA", "DetA", "AssA", "LocA")


def crude_tracks(detections: Path) -> str:
    """Result rows of a crude tracker, with misses, jitter and many switches: the same at every run."""
    generator = np.random.default_rng(0)
    text, known, names, started = "", np.empty((0, 4)), np.empty(0, np.int64), 0
    for frame, detected in sorted(read_detections(detections).items()):
        boxes = detected.boxes[generator.random(len(detected)) > 0.05]
        boxes = boxes + generator.normal(0, 1.5, boxes.shape)
        ids = _greedy(iou(boxes, known), names)
        new = ids == 0
        ids[new] = started + 1 + np.arange(new.sum())
        started += int(new.sum())
        known, names = boxes, ids
        text += format_rows(frame, Tracks(ids, boxes, np.ones(len(ids)), np.zeros_like(ids), np.zeros_like(ids)))
    return text


def _greedy(overlap: Float, names: Int) -> Int:
    ids = np.zeros(len(overlap), np.int64)
    while overlap.size and overlap.max() > 0.3:
        row, col = np.unravel_index(overlap.argmax(), overlap.shape)
        ids[row] = names[col]
        overlap[row, :] = overlap[:, col] = 0
    return ids


def trackeval_metrics(gt: Path, pred: Path, benchmark: str, length: int, folder: Path) -> tuple[dict[str, Any], ...]:
    """CLEAR, Identity and HOTA of TrackEval on the two files."""
    (folder / "gt" / "seq" / "gt").mkdir(parents=True)
    (folder / "pred" / "mine" / "data").mkdir(parents=True)
    (folder / "gt" / "seq" / "gt" / "gt.txt").symlink_to(gt)
    (folder / "pred" / "mine" / "data" / "seq.txt").symlink_to(pred)
    config = {
        "GT_FOLDER": os.fspath(folder / "gt"),
        "TRACKERS_FOLDER": os.fspath(folder / "pred"),
        "BENCHMARK": benchmark.upper(),
        "SKIP_SPLIT_FOL": True,
        "SEQ_INFO": {"seq": length},
        "PRINT_CONFIG": False,
    }
    quiet = {"PRINT_CONFIG": False}
    metrics = [trackeval.metrics.CLEAR(quiet), trackeval.metrics.Identity(quiet), trackeval.metrics.HOTA()]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = trackeval.datasets.MotChallenge2DBox(config)
        data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("mine", "seq"), "pedestrian")
    return tuple(metric.eval_sequence(data) for metric in metrics)


def compare(result: SequenceResult, clear: dict[str, Any], identity: dict[str, Any], hota: dict[str, Any]) -> None:
    expected = {**clear, **identity}
    for ours, name in COUNTS.items():
        assert getattr(result.counts, ours) == expected[name], name
    for ours, name in RATIOS.items():
        assert getattr(result.scores, ours) == pytest.approx(100 * expected[name], abs=1e-9), name
    for name in CURVES:
        np.testing.assert_allclose(result.hota.curve(name), 100 * hota[name], rtol=1e-12, err_msg=name)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("sequence", MOT17 + MOT15)
def test_real_sequences(data: Path, sequence: str, tmp_path: Path) -> None:
    folder = data / "sequences" / sequence
    pred = tmp_path / "tracks.txt"
    pred.write_text(crude_tracks(folder / "det" / "det.txt"))
    info = read_seqinfo(folder)
    assert info is not None
    result = evaluate_pair(FilePair(sequence, folder / "gt" / "gt.txt", pred, info))
    benchmark = "mot17" if sequence in MOT17 else "mot15"
    compare(result, *trackeval_metrics(folder / "gt" / "gt.txt", pred, benchmark, info.length, tmp_path))
    assert result.counts.ids > 20
    assert result.counts.fm > 20


@pytest.mark.slow
@pytest.mark.data
def test_pooled(data: Path, tmp_path: Path) -> None:
    expected: list[tuple[dict[str, Any], ...]] = []
    for name in MOT15:
        folder = data / "sequences" / name
        pred = tmp_path / "tracks" / f"{name}.txt"
        pred.parent.mkdir(exist_ok=True)
        pred.write_text(crude_tracks(folder / "det" / "det.txt"))
        info = read_seqinfo(folder)
        assert info is not None
        expected.append(trackeval_metrics(folder / "gt" / "gt.txt", pred, "mot15", info.length, tmp_path / name))
        (tmp_path / "sequences" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "sequences" / name).symlink_to(folder)
    evaluation = evaluate(tmp_path / "sequences", tmp_path / "tracks")
    assert sorted(evaluation.sequences) == sorted(MOT15)
    clear, identity, hota = (dict(zip(MOT15, column, strict=True)) for column in zip(*expected, strict=True))
    quiet = {"PRINT_CONFIG": False}
    clear = trackeval.metrics.CLEAR(quiet).combine_sequences(clear)
    identity = trackeval.metrics.Identity(quiet).combine_sequences(identity)
    hota = trackeval.metrics.HOTA().combine_sequences(hota)
    for ours, name in RATIOS.items():
        assert getattr(evaluation.overall, ours) == pytest.approx(100 * {**clear, **identity}[name], abs=1e-9), name
    for ours in ("fp", "fn", "ids", "fm", "mt", "pt", "ml"):
        assert getattr(evaluation.overall, ours) == clear[COUNTS[ours]], ours
    assert evaluation.overall.far == pytest.approx(clear["FP_per_frame"])
    for name in CURVES:
        np.testing.assert_allclose(evaluation.hota.curve(name), 100 * hota[name], rtol=1e-12)
        assert getattr(evaluation.overall, name.lower()) == pytest.approx(100 * hota[name].mean())


LENGTH = 6
ids = st.tuples(st.integers(1, LENGTH), st.integers(1, 6))
corner = st.integers(0, 40)
rows = st.dictionaries(ids, st.tuples(corner, corner), max_size=30)
labels = st.tuples(st.sampled_from([1, 1, 1, 1, 2, 3, 6, 7, 8, 9, 12]), st.sampled_from([0, 1, 1, 1]))


@given(
    rows,
    st.dictionaries(ids, st.tuples(corner, corner, labels), max_size=30),
    st.sampled_from(["mot15", "mot16", "mot17", "mot20"]),
)
def test_random_scenes(
    pred: dict[tuple[int, int], tuple[int, int]],
    gt: dict[tuple[int, int], tuple[int, int, tuple[int, int]]],
    benchmark: Benchmark,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ground_truth, tracks = folder / "gt.txt", folder / "tracks.txt"
        ground_truth.write_text(
            "".join(f"{t},{i},{x},{y},30,30,{flag},{label},1\n" for (t, i), (x, y, (label, flag)) in gt.items())
        )
        # a third of a pixel keeps assignments of equal overlap, which both sides may break differently, rare
        tracks.write_text(
            "".join(f"{t},{i},{x + i / 3},{y + t / 7},30,30,1,-1,-1,-1\n" for (t, i), (x, y) in pred.items())
        )
        result = evaluate_pair(FilePair("seq", ground_truth, tracks), benchmark)
        compare(result, *trackeval_metrics(ground_truth, tracks, benchmark, LENGTH, folder))
        assert pool([result]).overall.hota == pytest.approx(result.scores.hota)


@pytest.mark.parametrize("empty", [("gt",), ("pred",), ("gt", "pred"), ()])
def test_empty_files_in_the_overall_row(tmp_path: Path, empty: tuple[str, ...]) -> None:
    full = {
        "gt": "".join(f"{t},1,{t},0,30,30,1,1,1\n" for t in range(1, LENGTH + 1)),
        "pred": "".join(f"{t},{1 + t // 4},{t + 1},2,30,30,1,-1,-1,-1\n" for t in range(2, LENGTH + 1)),
    }
    results, expected = [], []
    for name, without in {"one": (), "two": empty}.items():
        files = {kind: tmp_path / f"{name}-{kind}.txt" for kind in full}
        for kind, file in files.items():
            file.write_text("" if kind in without else full[kind])
        results.append(evaluate_pair(FilePair(name, files["gt"], files["pred"])))
        expected.append(trackeval_metrics(files["gt"], files["pred"], "mot17", LENGTH, tmp_path / name))
    clear, identity, hota = (dict(enumerate(column)) for column in zip(*expected, strict=True))
    quiet = {"PRINT_CONFIG": False}
    pooled = {
        **trackeval.metrics.CLEAR(quiet).combine_sequences(clear),
        **trackeval.metrics.Identity(quiet).combine_sequences(identity),
    }
    curves = trackeval.metrics.HOTA().combine_sequences(hota)
    evaluation = pool(results)
    for ours, theirs in RATIOS.items():
        assert getattr(evaluation.overall, ours) == pytest.approx(100 * pooled[theirs], abs=1e-9), theirs
    for ours in ("fp", "fn", "ids", "fm", "mt", "pt", "ml"):
        assert getattr(evaluation.overall, ours) == pooled[COUNTS[ours]], ours
    for curve in CURVES:
        np.testing.assert_allclose(evaluation.hota.curve(curve), 100 * curves[curve], rtol=1e-12, err_msg=curve)
