"""Detectors of torchvision, with random weights."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import models

from flatsort.tracker.boxes import iou
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.torchvision_rcnn import TorchvisionConfig, TorchvisionDetector
from flatsort.tracker.types import Frame

pytestmark = pytest.mark.slow

MODEL = "ssdlite320_mobilenet_v3_large"
IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)


def random_weights(classes: int = 91) -> dict[str, torch.Tensor]:
    """Random weights, the same in every test."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = models.get_model(MODEL, weights=None, weights_backbone=None, num_classes=classes)
    state: dict[str, torch.Tensor] = model.state_dict()
    return state


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(random_weights(), path)
    return str(path)


def config(**changes: Any) -> TorchvisionConfig:
    return replace(TorchvisionConfig(model=MODEL, min_score=0.001, classes=(), device="cpu"), **changes)


def test_boxes_lie_in_the_image_and_repeat(weights: str) -> None:
    detector = DETECTORS.build(config(weights=weights))
    detections, again = detector.detect(Frame(1, IMAGE, 0.0)), detector.detect(Frame(2, IMAGE.copy(), 0.0))
    assert len(detections) > 0
    np.testing.assert_array_equal(detections.boxes, again.boxes)
    assert (detections.boxes >= 0).all()
    assert (detections.boxes <= [160, 120, 160, 120]).all()
    assert {detector.class_names[c] for c in detections.classes} <= set(
        models.get_model_weights(MODEL).DEFAULT.meta["categories"]
    )
    assert len(detector.detect(Frame(3, None, 0.0))) == 0


def test_classes_and_scores_are_filtered(weights: str) -> None:
    everything = DETECTORS.build(config(weights=weights)).detect(Frame(1, IMAGE, 0.0))
    detector = DETECTORS.build(config(weights=weights))
    common = int(np.bincount(everything.classes).argmax())
    name = detector.class_names[common]
    chosen = DETECTORS.build(config(weights=weights, classes=(name,))).detect(Frame(1, IMAGE, 0.0))
    assert set(chosen.classes.tolist()) == {common}
    # among all classes, a box counts for its best class only
    best = everything[everything.classes == common].boxes.tolist()
    assert [box for box in best if box not in chosen.boxes.tolist()] == []
    assert iou(everything.boxes, everything.boxes)[~np.eye(len(everything), dtype=bool)].max() < 0.951
    threshold = float(np.median(everything.scores))
    better = DETECTORS.build(config(weights=weights, min_score=threshold)).detect(Frame(1, IMAGE, 0.0))
    assert len(better) == int((everything.scores >= threshold).sum())


def test_published_weights_lack_the_counters_of_their_normalisation(tmp_path: Path, weights: str) -> None:
    frozen = {key: value for key, value in random_weights().items() if not key.endswith("num_batches_tracked")}
    torch.save(frozen, tmp_path / "frozen.pth")
    detections = [
        DETECTORS.build(config(weights=w)).detect(Frame(1, IMAGE, 0.0)) for w in (weights, str(tmp_path / "frozen.pth"))
    ]
    np.testing.assert_array_equal(detections[0].boxes, detections[1].boxes)


def test_own_classes(tmp_path: Path) -> None:
    torch.save(random_weights(classes=3), tmp_path / "own.pth")
    (tmp_path / "names.txt").write_text("head\nhand\n")
    own = config(weights=str(tmp_path / "own.pth"), names=str(tmp_path / "names.txt"), classes=("hand",))
    detector = DETECTORS.build(own)
    assert list(detector.class_names) == ["background", "head", "hand"]
    assert set(detector.detect(Frame(1, IMAGE, 0.0)).classes.tolist()) == {2}
    assert TorchvisionDetector(replace(own, classes=None)).chosen_classes.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"own\.pth: expected head\.classification_head.* of shape"):
        DETECTORS.build(replace(own, names="", classes=()))


def test_weights_must_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected FILE\.pth, or 'download'"):
        DETECTORS.build(config())
    with pytest.raises(FileNotFoundError, match=r"absent\.pth: no such file"):
        DETECTORS.build(config(weights=str(tmp_path / "absent.pth")))


def test_unknown_names(weights: str) -> None:
    with pytest.raises(
        ValueError, match="unknown model 'ssdlite320_mobilenet'; did you mean 'ssdlite320_mobilenet_v3_large'"
    ):
        DETECTORS.build(config(weights=weights, model="ssdlite320_mobilenet"))
    with pytest.raises(ValueError, match="unknown class 'preson'; did you mean 'person'"):
        DETECTORS.build(config(weights=weights, classes=("preson",)))
    with pytest.raises(ValueError, match=r"detector\.device: expected one of"):
        config(device="tpu")
    with pytest.raises(ValueError, match=r"detector\.min_score: expected"):
        config(min_score=0.0)


class Pickled:
    """Something that no restricted loader may build."""


@pytest.mark.parametrize("content", [b"", b"no weights at all", Pickled(), [1, 2], {"epoch": 3}])
def test_files_that_are_no_state_dict(tmp_path: Path, content: object) -> None:
    path = tmp_path / "wrong.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=r"wrong\.pth: expected a state dict"):
        DETECTORS.build(config(weights=str(path)))


def test_weights_of_another_model(tmp_path: Path, weights: str) -> None:
    with pytest.raises(ValueError, match=r"expected the weights of fasterrcnn_mobilenet_v3_large_320_fpn"):
        DETECTORS.build(config(weights=weights, model="fasterrcnn_mobilenet_v3_large_320_fpn"))
    torch.save({**random_weights(), "more": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(ValueError, match="which has no more"):
        DETECTORS.build(config(weights=str(tmp_path / "more.pth")))


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str) -> Any:
    """Lets torchvision's weights lie on this disk: a function from the checksum in their name to their path."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    known = models.get_model_weights(MODEL).DEFAULT

    def publish(checksum: str) -> Path:
        path = tmp_path / f"random-{checksum}.pth"
        path.write_bytes(Path(weights).read_bytes())
        monkeypatch.setattr(known, "_value_", replace(known.value, url=path.as_uri()))
        return path

    return publish


def test_download_is_checked_and_kept(published: Any, tmp_path: Path, weights: str, capsys: Any) -> None:
    checksum = hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:8]
    source = published(checksum)
    detections = DETECTORS.build(config(weights="download")).detect(Frame(1, IMAGE, 0.0))
    assert capsys.readouterr().out == ""
    source.unlink()
    again = DETECTORS.build(config(weights="download")).detect(Frame(1, IMAGE, 0.0))
    np.testing.assert_array_equal(detections.boxes, again.boxes)
    assert [p.name for p in (tmp_path / "hub" / "checkpoints").iterdir()] == [source.name]


def test_download_with_a_wrong_checksum(published: Any, tmp_path: Path) -> None:
    published("00000000")
    with pytest.raises(ValueError, match=r"random-00000000\.pth: expected the published weights, got another file"):
        DETECTORS.build(config(weights="download"))
    assert list((tmp_path / "hub" / "checkpoints").iterdir()) == []


def test_download_without_a_network(published: Any) -> None:
    published("00000000").unlink()
    with pytest.raises(OSError, match=r"cannot be downloaded .*; give detector\.weights a FILE\.pth instead"):
        DETECTORS.build(config(weights="download"))
