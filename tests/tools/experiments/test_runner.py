"""Runs: the same rows as ``flatsort track``, times, cache keys, and several processes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.tools.experiments import parallel, runner
from flatsort.tools.experiments.parallel import run_all, run_systems
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.experiments.results import BenchmarkSequence, run_from_arrays, run_to_arrays
from flatsort.tools.experiments.runner import latents_of, plan, run
from flatsort.tools.experiments.sequences import read_sequences
from flatsort.tools.experiments.systems import BenchmarkConfig, SystemConfig
from flatsort.tools.runs.open_run import open_run
from flatsort.tools.runs.track_run import TrackOutput, write_run
from flatsort.tracker.config import find, load
from flatsort.tracker.metrics import evaluate
from flatsort.tracker.track_config import TrackConfig
from tests.embedding import tiny_models
from tests.tools.experiments import street_sequences

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return street_sequences.write(tmp_path_factory.mktemp("sequences") / "street", images=30)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return street_sequences.write(tmp_path_factory.mktemp("sequences") / "film", images=None)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "ae.safetensors"
    checkpoint.save(path, tiny_models.model(), Card(calibration=tiny_models.calibration(0.4)))
    return path


def config(tracker: str, *overrides: str) -> TrackConfig:
    return load(TrackConfig, find("track", tracker), overrides)


def sequence(folder: Path, min_score: float | None = None) -> BenchmarkSequence:
    (result,) = read_sequences([str(folder)], "det.txt", min_score).values()
    return result


@pytest.mark.parametrize(
    ("tracker", "overrides"),
    [
        ("sort", []),
        ("bytetrack", ["min_score=0.5"]),
        ("sort_long", ["camera.method=sparse_flow"]),
        ("deep_sort", ["embedder=pixels", "embed.every=auto"]),
        ("deep_sort", ["embedder=WEIGHTS", "gallery.border=0.1"]),
        ("flat_vhp_vae_sort", ["embedder=WEIGHTS", "embed.components=2"]),
    ],
)
@pytest.mark.parametrize("source", ["street", "film"])
def test_a_run_gives_the_rows_of_track_and_the_scores_of_evaluate(
    tracker: str, overrides: list[str], source: str, weights: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(source)
    chosen = config(tracker, *(each.replace("WEIGHTS", str(weights)) for each in overrides))
    opened = open_run(str(folder), replace(chosen, detector=load(TrackConfig, None, ["detector=mot"]).detector))
    report = write_run(opened, source, TrackOutput(tmp_path))
    cached_run = run(plan(chosen, sequence(folder)), Cache(tmp_path / "cache"))
    text = "".join(
        f"{f},{i},{x:.2f},{y:.2f},{r - x:.2f},{b - y:.2f},{s:.4f},-1,-1,-1\n"
        for f, i, (x, y, r, b), s in zip(
            cached_run.tracks.frames,
            cached_run.tracks.ids,
            cached_run.tracks.boxes,
            cached_run.tracks.scores,
            strict=True,
        )
    )
    assert text == report.path.read_text()
    assert text
    assert cached_run.result.scores == evaluate(folder, report.path).overall
    assert cached_run.association > 0
    assert (cached_run.embedding > 0) is bool(chosen.embedder)


def test_a_run_as_arrays_and_back(street: Path, tmp_path: Path) -> None:
    original = run(plan(config("sort"), sequence(street)), Cache(tmp_path))
    restored = run_from_arrays(run_to_arrays(original), "street")
    assert restored.result.scores == original.result.scores
    assert restored.result.counts == original.result.counts
    for part, names in (("tracks", ("frames", "ids", "boxes", "scores")), ("result", ("gt_labels", "pred_labels"))):
        for name in names:
            np.testing.assert_array_equal(*(getattr(getattr(each, part), name) for each in (original, restored)))
    np.testing.assert_array_equal(restored.result.timeline.switch, original.result.timeline.switch)
    assert set(restored.result.hota.fields) == set(original.result.hota.fields)
    np.testing.assert_array_equal(restored.result.hota.curve("HOTA"), original.result.hota.curve("HOTA"))
    with pytest.raises(KeyError):
        run_from_arrays({key: value for key, value in run_to_arrays(original).items() if key != "alphas"}, "street")


def test_cached_results_are_not_computed_again(
    street: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, given = Cache(tmp_path), sequence(street)
    task = plan(config("deep_sort", f"embedder={weights}"), given)
    first = run(task, cache)
    embedded = latents_of(task, cache)
    assert [len(each) for each in embedded.latents] == [len(each) for each in given.detections]
    assert embedded.size == given.image_size
    monkeypatch.setattr(runner, "_embed", None)  # embedding would now fail
    for change in ("lifecycle.max_age=3", "embed.components=1"):
        other = plan(config("deep_sort", f"embedder={weights}", change), given)
        assert other.latents == task.latents
        assert other.run != task.run
        run(other, cache)
    monkeypatch.setattr("flatsort.tracker.pipeline.track", None)
    np.testing.assert_array_equal(run(task, cache).tracks.boxes, first.tracks.boxes)


def test_damaged_entries_are_computed_again(street: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    task = plan(config("deep_sort", "embedder=pixels"), sequence(street))
    first = run(task, cache)
    for file in tmp_path.rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:500])
    again = run(task, cache)
    assert again.result.scores == first.result.scores
    assert cache.load("latents", task.latents) is not None


def test_what_changes_the_keys(street: Path, film: Path, weights: Path, tmp_path: Path) -> None:
    given = sequence(street)
    task = plan(config("deep_sort", "embedder=pixels"), given)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(weights.read_bytes())
    ours, same = (plan(config("deep_sort", f"embedder={path}"), given) for path in (weights, copy))
    assert (same.latents, same.run) == (ours.latents, ours.run)
    others = [
        plan(config("deep_sort", "embedder=pixels"), sequence(street, 0.6)),
        plan(config("deep_sort", "embedder=pixels"), sequence(film)),
        plan(config("deep_sort", "embedder=pixels", "embed.every=3"), given),
        ours,
    ]
    assert len({each.latents for each in (task, *others)}) == len({each.run for each in (task, *others)}) == 5
    moved = replace(given, ground_truth=replace(given.ground_truth, boxes=given.ground_truth.boxes + 1))
    assert plan(task.config, moved).latents == task.latents
    assert plan(task.config, moved).run != task.run


def test_latents_of_the_detections_serve_without_an_embedder(street: Path, tmp_path: Path) -> None:
    given = sequence(street)
    random = np.random.default_rng(0)
    featured = [
        replace(each, latents=random.normal(size=(len(each), 3)).astype(np.float32)) for each in given.detections
    ]
    with pytest.raises(ValueError, match="street: expected an embedder or detections with features, got neither"):
        plan(config("deep_sort", "embedder=''"), given)
    task = plan(config("deep_sort", "embedder=''"), replace(given, detections=featured))
    assert run(task, Cache(tmp_path)).embedding == 0
    plain, with_features = (plan(config("sort"), each) for each in (given, task.sequence))
    assert run(plain, Cache(tmp_path)).result.scores == run(with_features, Cache(tmp_path)).result.scores


def test_every_run_is_computed_once(street: Path, film: Path, tmp_path: Path) -> None:
    tasks = [
        plan(config(tracker, "embedder=pixels"), sequence(f))
        for tracker in ("sort", "deep_sort")
        for f in (street, film)
    ]
    progress: list[tuple[int, str]] = []

    def show(items, total, what):  # type: ignore[no-untyped-def]
        progress.append((total, what))
        return iter(items)

    runs = run_all([*tasks, tasks[0]], Cache(tmp_path), progress=show)
    assert progress == [(2, "embed"), (4, "track")]
    assert [each.result.name for each in runs] == ["street", "film", "street", "film", "street"]
    run_all(tasks, Cache(tmp_path), progress=show)
    assert progress[2:] == [(0, "embed"), (0, "track")]


def test_several_processes_give_the_same_results(street: Path, film: Path, tmp_path: Path) -> None:
    chosen = BenchmarkConfig(
        data=[str(street), str(film)], systems={"sort": SystemConfig(), "sort_long": SystemConfig()}
    )
    single = run_systems(chosen, Cache(tmp_path / "one"))
    parallel_results = run_systems(chosen, Cache(tmp_path / "two"), jobs=2)
    for name, system in single.systems.items():
        assert system.first.rows() == parallel_results.systems[name].first.rows()
        assert [each.sequence for each in parallel_results.systems[name].runs] == ["street", "film"]
    assert single.key == parallel_results.key


def test_latents_of_the_first_seed(street: Path, tmp_path: Path) -> None:
    systems = {"sort": SystemConfig(), "pixels": SystemConfig("deep_sort", weights="pixels")}
    results = run_systems(BenchmarkConfig(data=[str(street)], systems=systems), Cache(tmp_path))
    assert list(results.latents) == [("pixels", "street")]
    shapes = [each.shape for each in results.latents["pixels", "street"]]
    assert shapes == [(len(each), 384) for each in results.sequences["street"].detections]


def test_a_checkpoint_without_calibration_gives_a_warning(
    street: Path, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ae.safetensors"
    checkpoint.save(path, tiny_models.model(), Card())
    for embedder in (weights, path):
        run(plan(config("flat_vhp_vae_sort", f"embedder={embedder}"), sequence(street)), Cache(tmp_path / "cache"))
    (note,) = [record.getMessage() for record in caplog.records]
    assert note.startswith(f"street: {path}: the checkpoint has no calibration of its distances; ")


def test_training_seeds_keep_their_order(street: Path, tmp_path: Path) -> None:
    for seed in (7, 9):
        checkpoint.save(tmp_path / f"ae_{seed}.safetensors", tiny_models.model(seed=seed), Card())
    system = SystemConfig("deep_sort", weights=str(tmp_path / "ae_{seed}.safetensors"))
    chosen = BenchmarkConfig(data=[str(street)], systems={"ae": system}, seeds=[9, 7])
    results = run_systems(chosen, Cache(tmp_path / "cache")).systems["ae"]
    assert list(results.evaluations) == [9, 7]
    assert [each.seed for each in results.runs] == [9, 7]
    single = replace(system, weights=system.weights.replace("{seed}", "9"))
    alone = run_systems(replace(chosen, systems={"ae": single}), Cache(tmp_path / "cache")).systems["ae"]
    assert list(alone.evaluations) == [0]
    assert alone.runs[0].seed is None
    assert alone.first.overall == results.evaluations[9].overall


def die(task: object) -> None:
    os._exit(9)


def test_a_killed_process_gives_a_sentence() -> None:
    with pytest.raises(OSError, match="a process was killed"):
        list(parallel._in_processes(die, ["one", "two"], 2))  # type: ignore[list-item]


def test_trackers_that_keep_classes_apart_need_classes(street: Path) -> None:
    with pytest.raises(ValueError, match="street: per_class=true: expected a class in each detection, but the file"):
        plan(config("sort", "per_class=true"), sequence(street))
    plan(config("sort", "per_class=true"), replace(sequence(street), class_names={0: "person", 1: "car"}))
