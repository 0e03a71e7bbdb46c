"""Systems of a benchmark from configs and options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.tools.experiments.systems import (
    BenchmarkConfig,
    SystemConfig,
    embedder_comparison,
    resolve_systems,
    select_systems,
    tracker_config,
    with_embedders,
    with_weights,
)
from flatsort.tracker.config import load, override
from tests.embedding import tiny_models


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of two checkpoints, with the place of the seed."""
    folder = tmp_path_factory.mktemp("weights")
    for seed in (3, 4):
        checkpoint.save(folder / f"ae_{seed}.safetensors", tiny_models.model(seed=seed), Card())
    return str(folder / "ae_{seed}.safetensors")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text("data: [a, b]\nmin_score: 0.3\nsystems:\n  sort: {}\n  x: {tracker: sort, set: [min_score=0.7]}\n")
    config = load(BenchmarkConfig, path)
    assert (config.data, config.detections, config.min_score, config.seeds) == (["a", "b"], "det.txt", 0.3, [0])
    assert config.systems == {"sort": SystemConfig(), "x": SystemConfig("sort", ["min_score=0.7"])}
    assert tracker_config("x", config.systems["x"]).min_score == 0.7


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("systems: {a: {learned: partly}}", "supervised, unsupervised or nothing, got 'partly'"),
        ("seeds: [1, 1]", "different numbers"),
        ("published: mot99", "published: expected mot16"),
        ("rounds: -1", "rounds: expected 0 or more"),
        ("datum: [a]", "unknown key 'datum'"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        load(BenchmarkConfig, path)


def test_systems_are_chosen_by_name(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("min_score: 0.2\n")
    config = select_systems(BenchmarkConfig(systems={"x": SystemConfig("sort")}), ["bytetrack", "x", str(own)])
    assert list(config.systems) == ["bytetrack", "x", "mine"]
    assert [system.configs[None].min_score for system in resolve_systems(config)] == [None, None, 0.2]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(["sotr"], "did you mean 'sort'|sort"), (["sort", "sort"], "sort twice"), (["no.yaml"], "no such file")],
)
def test_wrong_names(names: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        select_systems(BenchmarkConfig(systems={"x": SystemConfig("sort")}), names)


def test_overrides_reach_the_chosen_systems() -> None:
    config = override(
        select_systems(BenchmarkConfig(), ["sort"]), ["systems.sort.set=[lifecycle.max_age=7]", "rounds=5"]
    )
    assert config.rounds == 5
    assert resolve_systems(config)[0].configs[None].lifecycle.max_age == 7
    with pytest.raises(ValueError, match=r"systems\.other"):
        override(config, ["systems.other.tracker=sort"])


def test_seeds_multiply_the_systems_that_name_them(checkpoints: str) -> None:
    systems = {"learned": SystemConfig("sort", weights=checkpoints), "fixed": SystemConfig("sort", weights="pixels")}
    learned, fixed = resolve_systems(BenchmarkConfig(systems=systems, seeds=[4, 3]))
    assert list(learned.configs) == [4, 3]
    assert learned.configs[3].embedder == checkpoints.replace("{seed}", "3")
    assert list(fixed.configs) == [None]
    with pytest.raises(FileNotFoundError, match=r"system learned: .*ae_5"):
        resolve_systems(BenchmarkConfig(systems=systems, seeds=[5]))


def test_how_an_embedding_was_learned(tmp_path: Path, checkpoints: str) -> None:
    onnx = tmp_path / "net.onnx"
    onnx.touch()
    systems = {
        "none": SystemConfig("sort"),
        "pixels": SystemConfig("sort", weights="pixels"),
        "ours": SystemConfig("sort", weights=checkpoints),
        "theirs": SystemConfig("sort", weights=str(onnx)),
        "named": SystemConfig("sort", weights=str(onnx), learned="unsupervised", note="exported"),
    }
    resolved = {system.name: system for system in resolve_systems(BenchmarkConfig(systems=systems, seeds=[3]))}
    assert {name: system.learned for name, system in resolved.items()} == {
        "none": "",
        "pixels": "unsupervised",
        "ours": "unsupervised",
        "theirs": "supervised",
        "named": "unsupervised",
    }
    assert resolved["named"].description == f"tracker sort, embedder {onnx}, exported"


def test_weights_by_embedder_and_by_system(checkpoints: str) -> None:
    config = BenchmarkConfig(systems={"a": SystemConfig("sort", weights="vae"), "b": SystemConfig("sort")})
    changed = with_weights(config, [f"vae={checkpoints}", "b=pixels"])
    assert [system.weights for system in changed.systems.values()] == [checkpoints, "pixels"]


@pytest.mark.parametrize(
    ("pair", "sentence"), [("vae", "expected EMBEDDER=FILE"), ("vea=x", "no system has the embedder 'vea'.*vae")]
)
def test_wrong_weights(pair: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        with_weights(BenchmarkConfig(systems={"a": SystemConfig("sort", weights="vae")}), [pair])


def test_an_unknown_tracker_names_its_system() -> None:
    with pytest.raises(ValueError, match="system x: unknown track config 'nothing'"):
        resolve_systems(BenchmarkConfig(systems={"x": SystemConfig("nothing")}))


def test_smoothing_is_part_of_the_description() -> None:
    config = BenchmarkConfig(systems={"a": SystemConfig(tracker="sort", set=["offline=true"]), "sort": SystemConfig()})
    offline, online = resolve_systems(config)
    assert "smoothed at the end" in offline.description
    assert "smoothed" not in online.description


def test_embedders_become_systems_of_one_association(checkpoints: str) -> None:
    config = BenchmarkConfig(association="flatsort", checkpoints="runs/{name}-{seed}", seeds=[3, 4])
    every = with_embedders(config, "all")
    assert {"pixels", "ae", "flat_vhp_vae", "vq_vae"} <= set(every.embedders)
    assert every.systems["vq_vae"] == SystemConfig(tracker="flatsort", weights="runs/vq_vae-{seed}")
    assert every.systems["pixels"].weights == "pixels"
    assert every.systems["flat_vhp_vae"].weights == "flat_vhp_vae"  # shipped, and not trained here
    own = replace(config, embedders={"mine": checkpoints, "pixels": ""}, crops="crops")
    chosen = with_embedders(own, "all")
    assert chosen.embedders == {"mine": checkpoints, "pixels": "pixels"}
    assert with_embedders(chosen, "all") == chosen  # what was resolved once can be given again
    asked = embedder_comparison(chosen)
    assert asked.embedders == {"mine": [checkpoints.format(seed=s) for s in (3, 4)], "pixels": ["pixels"]}
    assert asked.galleries["mine"] == tracker_config("flatsort", SystemConfig()).gallery


def test_wrong_embedders(checkpoints: str) -> None:
    config = BenchmarkConfig(systems={"ae": SystemConfig("sort")})
    for text, sentence in (("aee", "unknown 'aee'"), ("ae", "no system has, got 'ae'")):
        with pytest.raises(ValueError, match=sentence):
            with_embedders(config, text)
    with pytest.raises(FileNotFoundError, match=r"system vae: .*no such file or folder"):
        resolve_systems(with_embedders(replace(config, checkpoints="no/{name}"), "vae"))
