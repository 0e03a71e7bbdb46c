"""Models on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.distance_calibration import DistanceCalibration
from flatsort.embedding.model import LatentModel, build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.tracker.config import to_mapping
from tests.embedding import tiny_models

TINY = AEConfig(shape=[3, 16, 8], dim=4, net=NetConfig(width=8, decoder_width=8, halvings=1))


@pytest.fixture
def model() -> LatentModel:
    return build(TINY, seed=3)


@pytest.fixture
def path(model: LatentModel, tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "m.safetensors", model, Card("rendered", {"steps": 5}, tiny_models.calibration(0.5)))
    return tmp_path / "m.safetensors"


def test_what_was_saved_comes_back(model: LatentModel, path: Path) -> None:
    again, card = checkpoint.load(path)
    x = torch.rand(2, 3, 16, 8)
    assert torch.equal(again.embed(x), model.eval().embed(x))
    assert not again.training
    assert again.config == TINY
    assert card == Card("rendered", {"steps": 5}, tiny_models.calibration(0.5))
    assert checkpoint.read_header(path) == (TINY, card)


def test_other_weights_of_the_same_model_can_be_written(model: LatentModel, path: Path) -> None:
    doubled = {name: 2 * tensor for name, tensor in model.state_dict().items()}
    checkpoint.save(path, model, Card(), doubled)
    again, _ = checkpoint.load(path)
    assert torch.equal(next(again.parameters()), 2 * next(model.parameters()))


def rewrite(path: Path, model: LatentModel, **changes: object) -> None:
    header = {"format": 2, "config": {"name": "ae"}, "data": "", "training": {}, "calibration": None} | changes
    save_file(model.state_dict(), path, metadata={"flatsort": json.dumps(header)})


def test_files_that_are_no_checkpoints(model: LatentModel, path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        checkpoint.load(path.with_name("nowhere"))
    save_file(model.state_dict(), path)
    with pytest.raises(ValueError, match="no flatsort checkpoint"):
        checkpoint.load(path)
    rewrite(path, model, format=99)
    with pytest.raises(ValueError, match="format 99, this version reads up to 2"):
        checkpoint.load(path)
    rewrite(path, model, config={"name": "vaee"})
    with pytest.raises(ValueError, match="unknown model 'vaee'; did you mean 'vae'"):
        checkpoint.load(path)
    rewrite(path, model, config={"name": "ae", "dim": 4, "colour": 1})
    with pytest.raises(ValueError, match="unknown key 'colour'"):
        checkpoint.load(path)
    rewrite(path, model, calibration={"rates": [0.1]})
    with pytest.raises(ValueError, match=r"damaged calibration \(KeyError: 'pairs_same'\)"):
        checkpoint.load(path)
    rewrite(path, model, calibration=tiny_models.calibration(2.0).to_mapping() | {"different": [1.0]})
    with pytest.raises(
        ValueError, match=r"damaged calibration \(ValueError: calibration: expected \d+ different, got 1"
    ):
        checkpoint.load(path)
    path.write_bytes(b"not at all")
    with pytest.raises(ValueError, match="not a safetensors file"):
        checkpoint.load(path)


def test_a_calibration_comes_back(model: LatentModel, path: Path) -> None:
    calibration = DistanceCalibration.from_distances([0.25, 0.5], np.random.default_rng(0).uniform(1, 2, 300))
    checkpoint.save(path, model, Card("rendered", {"seed": 3}, tiny_models.calibration(1.0)))
    checkpoint.write_calibration(path, calibration)
    again, card = checkpoint.load(path)
    assert card == Card("rendered", {"seed": 3}, calibration)
    assert again.config == model.config
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    with pytest.raises(FileNotFoundError, match="no such file"):
        checkpoint.write_calibration(path.with_name("none"), calibration)


def test_a_calibration_of_format_1_is_none(model: LatentModel, path: Path) -> None:
    rewrite(path, model, format=1, calibration={"limit_fmr_0.01": 2.0}, config=to_mapping(model.config))
    assert checkpoint.load(path)[1].calibration is None


def test_weights_that_do_not_fit_are_named(model: LatentModel, path: Path) -> None:
    rewrite(path, model)
    with pytest.raises(ValueError, match=r"encoder\.0\.weight is \[8, 3, 6, 6\], expected \[48, 3, 6, 6\]"):
        checkpoint.load(path)


@pytest.mark.parametrize("change", [{"width": 10**9}, {"width": 10**4}, {"decoder_width": 10**6}])
def test_sizes_that_the_weights_do_not_have_take_no_memory(
    model: LatentModel, path: Path, change: dict[str, object]
) -> None:
    checkpoint.save(path, model, Card())
    config = to_mapping(model.config)
    header = {"format": 2, "config": {**config, "net": {**config["net"], **change}}, "data": "", "training": {}}
    save_file(model.state_dict(), path, {"flatsort": json.dumps({**header, "calibration": None})})
    with pytest.raises(ValueError, match=r"m\.safetensors: "):
        checkpoint.load(path)


def test_a_failed_write_leaves_the_old_file(model: LatentModel, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, model, Card())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
