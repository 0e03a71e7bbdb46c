from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.model import LatentModel, build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.retrieval.unlabelled import calibrate_model, calibrate_on_crops, with_calibration

SHAPE = [3, 16, 8]


@pytest.fixture
def model() -> LatentModel:
    return build(AEConfig(shape=SHAPE, dim=16, net=NetConfig(width=8, halvings=0)))


def crops(n: int, **columns: np.ndarray[tuple[int], np.dtype[np.int64]]) -> SampleSet:
    """Smooth pictures, all different."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, 4, 2, 3), np.uint8)
    return SampleSet(coarse.repeat(4, axis=1).repeat(4, axis=2), dict(columns))


def tracked(n: int) -> SampleSet:
    """Five still objects, one picture in each of n frames."""
    track, frame = np.divmod(np.arange(5 * n), n)
    still = crops(5).samples[track]
    return SampleSet(still, {"track": track, "frame": frame + 1, "sequence": np.zeros(5 * n, np.int64)})


def test_views_are_nearer_than_strangers(model: LatentModel) -> None:
    found = calibrate_on_crops(model, crops(200), RandomGenerator(0))
    assert found["equal_error_rate"] < 0.2
    assert found["match_rate_fmr_0.01"] > 0.5
    assert found["limit_fmr_0.01"] > 0
    assert "limit_fmr_0.001" not in found
    assert (found["pairs_positive"], found["pairs_negative"]) == (200, 8 * 200)


def test_tracks_are_used_where_there_are_enough(model: LatentModel) -> None:
    found = calibrate_model(model, tracked(30))
    assert (found["pairs_positive"], found["pairs_negative"]) == (5 * 29, 30 * 10)
    assert found["limit_fmr_0.001"] > 0
    assert found["equal_error_rate"] == 0
    few = calibrate_model(model, tracked(3))
    assert few["pairs_negative"] == 8 * 15  # random pairs of the crops


def test_identities_are_not_read(model: LatentModel) -> None:
    a = calibrate_model(model, crops(50))
    b = calibrate_model(model, crops(50, identity=np.arange(50) % 3))
    assert a == b
    assert a != calibrate_model(model, crops(50), seed=1)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_is(model: LatentModel, training: bool) -> None:
    model.train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    calibrate_model(model, crops(10))
    assert model.training is training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_nothing_to_go_by(model: LatentModel) -> None:
    assert calibrate_model(model, crops(1)) == {}
    assert calibrate_model(build(AEConfig(shape=[6], dim=2)), SampleSet(np.zeros((9, 6), np.float32))) == {}
    with pytest.raises(ValueError, match="expected at least two samples, got 1"):
        calibrate_on_crops(model, crops(1), RandomGenerator(0))


def test_limits_go_into_the_header(model: LatentModel, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    checkpoint.save(path, model, checkpoint.Card("rendered", {"seed": 3}, {"old": 1.0}))
    with_calibration(path, {"limit_fmr_0.01": 0.25})
    again, card = checkpoint.load(path)
    assert card == checkpoint.Card("rendered", {"seed": 3}, {"limit_fmr_0.01": 0.25})
    assert again.config == model.config
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    with pytest.raises(FileNotFoundError, match="no such file"):
        with_calibration(tmp_path / "none.safetensors", {})
