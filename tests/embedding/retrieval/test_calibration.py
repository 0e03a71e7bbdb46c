"""Pairs of same and of different objects without labels, and what a model's calibration rests on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.model import LatentModel, build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.retrieval import calibrate_model, pairs_from_boxes, pairs_from_tracks
from flatsort.embedding.retrieval.calibration import calibrate_on_crops

SHAPE = [3, 16, 8]


@pytest.fixture
def model() -> LatentModel:
    return build(AEConfig(shape=SHAPE, dim=16, net=NetConfig(width=8, halvings=0)))


def crops(n: int, **columns: np.ndarray[tuple[int], np.dtype[np.int64]]) -> SampleSet:
    """Smooth images, all different."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, 4, 2, 3), np.uint8)
    return SampleSet(coarse.repeat(4, axis=1).repeat(4, axis=2), dict(columns))


def tracked(n: int) -> SampleSet:
    """Five still objects, one image in each of n frames."""
    track, frame = np.divmod(np.arange(5 * n), n)
    still = crops(5).samples[track]
    return SampleSet(still, {"track": track, "frame": frame + 1, "sequence": np.zeros(5 * n, np.int64)})


def test_views_are_nearer_than_other_crops(model: LatentModel) -> None:
    calibration = calibrate_on_crops(model, crops(200), RandomGenerator(0))
    assert calibration.equal_error_rate < 0.2
    assert calibration.match_rate(0.01) > 0.5
    assert calibration.threshold(0.01) > 0
    assert calibration.least_rate == 0.005
    assert (calibration.pairs_same, calibration.pairs_different) == (200, 8 * 200)


def test_tracks_are_used_where_there_are_enough(model: LatentModel) -> None:
    calibration = calibrate_model(model, tracked(30))
    assert calibration is not None
    assert (calibration.pairs_same, calibration.pairs_different) == (5 * 29, 30 * 10)
    assert calibration.threshold(0.001) > 0
    assert calibration.equal_error_rate == 0
    few = calibrate_model(model, tracked(3))
    assert few is not None
    assert few.pairs_different == 8 * 15  # random pairs of the crops


def test_tracks_without_frames_are_too_few(model: LatentModel) -> None:
    calibration = calibrate_model(model, crops(20, track=np.arange(20) // 4))
    assert calibration is not None
    assert calibration.pairs_same == 20  # views of the crops


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


def test_too_few_samples(model: LatentModel) -> None:
    assert calibrate_model(model, crops(1)) is None
    assert calibrate_model(build(AEConfig(shape=[6], dim=2)), SampleSet(np.zeros((9, 6), np.float32))) is None
    with pytest.raises(ValueError, match="expected at least two samples, got 1"):
        calibrate_on_crops(model, crops(1), RandomGenerator(0))


def box(x: float, width: float = 10) -> list[float]:
    return [x, 0, x + width, 20]


def test_pairs_from_boxes() -> None:
    rows = [
        (1, box(0), 0.0),
        (1, box(100), 20.0),
        (1, box(200), 40.0),
        (1, box(207), 41.0),  # overlaps its neighbour
        (2, box(1), 1.0),  # the first, IoU 0.82
        (2, box(104), 25.0),  # the second, moved too far: IoU 0.43
        (2, box(200), 43.0),  # alone here, but not in frame 1
        (4, box(1), 2.0),  # follows no frame
    ]
    frames, latents = np.array([r[0] for r in rows]), np.array([[r[2]] for r in rows])
    boxes = np.array([r[1] for r in rows], np.float64)
    order = np.random.default_rng(0).permutation(len(rows))
    same, different = pairs_from_boxes(frames[order], boxes[order], latents[order])
    assert same.tolist() == [1.0]
    assert sorted(different.tolist()) == sorted([20, 40, 41, 20, 21, 1, 24, 42, 18])


def test_a_second_box_of_one_object_is_no_different_pair() -> None:
    boxes = np.array([box(0), box(2), box(100)])
    same, different = pairs_from_boxes(np.ones(3, np.int64), boxes, np.array([[0.0], [1.0], [9.0]]))
    assert (same.tolist(), sorted(different.tolist())) == ([], [8.0, 9.0])


def test_pairs_from_tracks() -> None:
    #               sequence, frame, track, latent
    rows = np.array([
        (0, 1, 5, 0), (0, 1, 6, 10), (0, 1, -1, 30),
        (0, 4, 5, 1), (0, 9, 5, 3),
        (1, 1, 7, 50), (-1, -1, 7, 90),
    ])  # fmt: skip
    rows = rows[np.random.default_rng(3).permutation(len(rows))]
    same, different = pairs_from_tracks(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3:].astype(float))
    assert sorted(same.tolist()) == [1, 2]
    assert sorted(different.tolist()) == [10, 20, 30]


def test_no_boxes_give_no_pairs() -> None:
    none = np.empty(0, np.int64)
    for pairs in (
        pairs_from_boxes(none, np.empty((0, 4)), np.empty((0, 2))),
        pairs_from_tracks(none, none, none, np.empty((0, 2))),
    ):
        assert [p.tolist() for p in pairs] == [[], []]
    with pytest.raises(ValueError, match=r"one row a sample in each of frames \(0\), boxes \(1\), latents \(0\)"):
        pairs_from_boxes(none, np.zeros((1, 4)), np.empty((0, 2)))
