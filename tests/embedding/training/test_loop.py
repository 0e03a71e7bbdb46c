"""What a run leaves, and how it ends."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from flatsort.embedding import checkpoint
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.model import MODELS, Batch, LossTerms, build
from flatsort.embedding.models.ae import AE, AEConfig
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.training import training_state
from flatsort.embedding.training.callbacks import Callback, TrainingRun, read_metrics
from flatsort.embedding.training.loader import split
from flatsort.embedding.training.loop import train
from tests.embedding.training.small_runs import config, images, same, vectors, weights


class Watch(Callback):
    """Notes the order of calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def on_start(self, run: TrainingRun) -> None:
        self.run = run
        self.calls.append(("start", run.start))

    def on_log(self, step: int, metrics: Mapping[str, float]) -> None:
        assert {"loss", "score", "nll", "lr", "gradient", "seconds"} <= metrics.keys()
        self.calls.append(("log", step))

    def on_evaluate(self, step: int, metrics: Mapping[str, float]) -> None:
        assert {"heldout/score", "heldout/loss", "heldout/nll"} <= metrics.keys()
        self.calls.append(("evaluate", step))

    def on_end(self, step: int, path: Path) -> None:
        assert path.is_file()
        self.calls.append(("end", step))


def test_a_run_learns_and_leaves_its_files(tmp_path: Path) -> None:
    watch = Watch()
    settings = config("ae", "steps=200", "eval_every=100", "log_every=50", "save_every=100", "tensorboard=true")
    path = train(settings, vectors(), tmp_path, callbacks=[watch])
    scores = [line["heldout/score"] for line in read_metrics(tmp_path / "metrics.jsonl") if "heldout/score" in line]
    assert scores[-1] < 0.7 * scores[0]
    model, card = checkpoint.load(path)
    assert card.data == "points near a plane"
    assert card.calibration is None  # vectors without tracks tell no pairs
    assert card.training["score"] == scores[-1]
    assert card.training["steps"] == 200
    assert card.training["samples"] == 40
    assert card.training["settings"]["seed"] == 0
    assert model.encode(vectors().tensor(slice(0, 3))).shape == (3, 2)
    assert list((tmp_path / "tensorboard").glob("events*"))
    assert (tmp_path / "config.yaml").read_text().startswith("model:\n  name: ae")
    assert [call for call in watch.calls if call[0] != "log"] == [
        ("start", 0),
        ("evaluate", 100),
        ("evaluate", 200),
        ("end", 200),
    ]
    assert [step for name, step in watch.calls if name == "log"] == [50, 100, 150, 200]
    assert not set(watch.run.rows) & set(watch.run.held_out)


@pytest.mark.slow
def test_figures(tmp_path: Path) -> None:
    data = images()
    train(
        config("vhp_vae", "figures=true", "eval_every=24", "augment.occlusion=1", "model.shape=[1,8,8]", data=data),
        data,
        tmp_path,
    )
    grid = cv2.imread(str(tmp_path / "reconstructions.png"), cv2.IMREAD_GRAYSCALE)
    assert grid is not None
    assert grid.shape == (3 * 10 + 2, 8 * 10 + 2)  # 8 held-out samples of 8 px in frames of 2
    assert grid[12:20, 2:10].max() == 255
    assert np.array_equal(grid[12:20, 2:10], data.samples[split(len(data), 0.2, 0)[1][0], :, :, 0])
    assert (tmp_path / "samples.png").is_file()
    assert (tmp_path / "losses.png").is_file()


def test_vectors_have_no_image_grids(tmp_path: Path) -> None:
    train(config("ae", "figures=true", "steps=4"), vectors(), tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == {"losses.png"}


def test_seeds(tmp_path: Path) -> None:
    runs = {name: train(config("vae", f"seed={name[0]}"), vectors(), tmp_path / name) for name in ("1", "1 again", "2")}
    a, again, b = (weights(path.parent) for path in runs.values())
    assert same(a, again)
    assert not same(a, b)


def test_patience_keeps_the_best(tmp_path: Path) -> None:
    path = train(config("vae", "patience=2", "eval_every=1", "lr=1", "steps=40", "ema=0"), vectors(), tmp_path)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    scores = {line["step"]: line["heldout/score"] for line in lines if "heldout/score" in line}
    card = checkpoint.read_header(path)[1]
    assert card.training["score"] == min(scores.values())
    assert card.training["steps"] == min(scores, key=lambda step: scores[step])
    assert max(scores) == card.training["steps"] + 2


def test_the_average_is_what_is_saved(tmp_path: Path) -> None:
    path = train(config("ae", "ema=0.9"), vectors(), tmp_path)
    last = weights(tmp_path)
    name = "encoder.0.weight"
    saved = checkpoint.load(path)[0].state_dict()[name]
    assert torch.equal(saved, last[f"average/module.{name}"])
    assert not torch.equal(saved, last[f"model/{name}"])


def test_clip(tmp_path: Path) -> None:
    """A gradient that is clipped to almost nothing drowns in the optimiser's epsilon."""
    moved = []
    for clip in ("1e-12", "0"):
        settings = config("ae", f"clip={clip}", "ema=0")
        begun = dict(build(settings.model).named_parameters())
        ended = checkpoint.load(train(settings, vectors(), tmp_path / clip))[0].state_dict()
        moved.append(max(float((ended[name] - p.detach()).abs().max()) for name, p in begun.items()))
    assert moved[0] < 1e-3 < 1e-2 < moved[1]


def test_a_folder_with_a_run_is_refused(tmp_path: Path) -> None:
    train(config("ae"), vectors(), tmp_path)
    with pytest.raises(ValueError, match="already holds a run; --resume"):
        train(config("ae"), vectors(), tmp_path)
    train(config("vae", "steps=6"), vectors(), tmp_path, overwrite=True)
    assert checkpoint.read_header(tmp_path / "model.safetensors")[0].name == "vae"
    assert [path.name for path in training_state.files(tmp_path)] == [
        "step-000000005.safetensors",
        "step-000000006.safetensors",
    ]


def test_resume_of_nothing_begins(tmp_path: Path) -> None:
    train(config("ae"), vectors(), tmp_path / "a", resume=True)
    train(config("ae"), vectors(), tmp_path / "b")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


@dataclass(frozen=True)
class FaultyConfig(AEConfig):
    """When and where a number breaks."""

    name: str = "faulty"
    step: int = 13
    value: float = float("nan")
    held_out: bool = False


class Faulty(AE):
    """An autoencoder with a term that is not finite at one step."""

    config: FaultyConfig

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:
        terms = super().loss(batch, generator, step)
        here = self.training is not self.config.held_out and step == self.config.step
        extra: Tensor = terms.total * 0 + (self.config.value if here else 0.0)
        return replace(terms, total=terms.total + extra, terms={**terms.terms, "extra": extra})


@pytest.fixture
def faulty() -> Iterator[None]:
    MODELS.register("faulty", FaultyConfig)(Faulty)
    yield
    del MODELS._parts["faulty"]


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_loss_that_is_not_finite_ends_the_run(value: str, tmp_path: Path) -> None:
    settings = config("faulty", f"model.value=.{value}" if value[0] != "-" else "model.value=-.inf")
    with pytest.raises(
        ValueError, match=rf"step 13: loss term '\w+' is {value}; the last good state is .*step-000000010"
    ):
        train(settings, vectors(), tmp_path)
    assert [path.name for path in training_state.files(tmp_path)] == [
        "step-000000005.safetensors",
        "step-000000010.safetensors",
    ]
    assert all(np.isfinite(list(line.values())).all() for line in read_metrics(tmp_path / "metrics.jsonl"))
    assert all(torch.isfinite(tensor).all() for tensor in weights(tmp_path).values())


@pytest.mark.usefixtures("faulty")
def test_a_held_out_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="step 12: held-out loss term 'loss' is nan; the last good state is"):
        train(config("faulty", "model.held_out=true", "model.step=12"), vectors(), tmp_path)
    assert checkpoint.read_header(tmp_path / "model.safetensors")[1].training["steps"] == 6


def test_a_full_disk_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(config("vae", "decay=constant"), vectors(), tmp_path)
    before = weights(tmp_path)

    def half(_: object, path: Path, *__: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(training_state, "save_file", half)
    with pytest.raises(
        OSError, match=r"step-000000025.safetensors: could not be written \(No space left.+\); what was there"
    ):
        train(config("vae", "decay=constant", "steps=48"), vectors(), tmp_path, resume=True)
    assert same(before, weights(tmp_path))
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (vectors(dim=7), r"data: expected samples of model.shape \[6\], got \[7\]"),
        (vectors(n=1), "data: expected at least 2 samples"),
    ],
)
def test_data_that_do_not_fit(data: SampleSet, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        train(config("ae"), data, tmp_path)
    assert not list(tmp_path.iterdir())


def test_metrics_are_json_lines(tmp_path: Path) -> None:
    train(config("ae"), vectors(), tmp_path)
    lines = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [4, 5, 6, 8, 10, 12, 15, 16, 18, 20, 24]
    assert [line["step"] for line in lines if "heldout/loss" in line] == [6, 12, 18, 24]
