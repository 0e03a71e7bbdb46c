"""What ONNX files of detectors say of themselves, what they do not say, and what no detector is."""

from pathlib import Path

import numpy as np
import pytest

from flatsort.tracker.config import load, restore_part, to_mapping
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.mot_file import MotFileConfig
from flatsort.tracker.detectors.onnx import OnnxDetector, OnnxDetectorConfig
from flatsort.tracker.detectors.torchvision_rcnn import TorchvisionConfig
from flatsort.tracker.registry import PartConfig
from tests.tracker.detectors.networks import FIRST, SIDE, frame, raw_head, save


def test_open_sides_take_the_given_size(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(), shape=(1, 3, "h", "w"))
    detections = DETECTORS.build(OnnxDetectorConfig(weights=weights, size=SIDE)).detect(frame())
    np.testing.assert_allclose(detections.boxes, [FIRST], atol=1e-4)
    with pytest.raises(ValueError, match=r"got output \[1, 84, 85\] for an input of 96x96 pixels"):
        DETECTORS.build(OnnxDetectorConfig(weights=weights, size=96))


def test_names(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(classes=3))
    assert DETECTORS.build(OnnxDetectorConfig(weights=weights, classes=("2",))).class_names == ["0", "1", "2"]
    names = tmp_path / "names.txt"
    names.write_text("head\nhand\nfoot\n")
    detector = DETECTORS.build(OnnxDetectorConfig(weights=weights, classes=("foot",), names=str(names)))
    assert detector.detect(frame()).classes.tolist() == [2]
    names.write_text("head\n")
    with pytest.raises(ValueError, match=r"expected 3 names like the classes of .*, got 1"):
        DETECTORS.build(OnnxDetectorConfig(weights=weights, names=str(names)))


def test_people_are_kept_where_there_are_some_and_nothing_was_asked_for(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(classes=3))
    nameless = OnnxDetector(OnnxDetectorConfig(weights=weights))
    assert nameless.chosen_classes.tolist() == [0, 1, 2]
    assert nameless.notes == (f"{weights} knows no class person: all of its 3 classes are kept",)
    (tmp_path / "names.txt").write_text("head\nhand\nPerson\n")
    named = OnnxDetector(OnnxDetectorConfig(weights=weights, names=str(tmp_path / "names.txt")))
    assert (named.chosen_classes.tolist(), named.notes) == ([2], ())
    assert named.detect(frame()).classes.tolist() == [2]
    with pytest.raises(ValueError, match=r"unknown class 'person' \(known: 0, 1, 2\); all takes all"):
        OnnxDetector(OnnxDetectorConfig(weights=weights, classes=("person",)))


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        ("{0: 'a', 1: 'b', 2: 'c'}", ["a", "b", "c"]),
        ('{"0": "a", "1": "b", "2": "c"}', ["a", "b", "c"]),
        ("('a', 'b', 'c')", ["a", "b", "c"]),
        ("{0: 'a'", ["0", "1", "2"]),
        ("{'x': 'a'}", ["0", "1", "2"]),
        ("{-1: 'a', 10000000000000: 'b'}", ["0", "1", "2"]),
        ("[" * 500, ["0", "1", "2"]),
        ("__import__('os')", ["0", "1", "2"]),
    ],
)
def test_names_in_the_file(tmp_path: Path, metadata: str, names: list[str]) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(classes=3), metadata={"names": metadata})
    assert OnnxDetector(OnnxDetectorConfig(weights=weights)).class_names == names


def test_names_that_are_not_those_of_the_outputs(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(classes=3), metadata={"names": "{0: 'a', 7: 'b'}"})
    with pytest.raises(ValueError, match=r"metadata: expected 3 names like the classes of .*m\.onnx, got 2"):
        OnnxDetector(OnnxDetectorConfig(weights=weights))


def test_what_else_the_file_says(tmp_path: Path) -> None:
    weights = save(
        tmp_path / "m.onnx", raw_head(), shape=(1, 3, "h", "w"), metadata={"imgsz": "[64, 64]", "args": "{'nms': True}"}
    )
    detector = OnnxDetector(OnnxDetectorConfig(weights=weights, min_score=0.1))
    assert len(detector.detect(frame())) == 1
    assert detector.notes == (
        f"{weights} leaves out scores below 0.25 itself (it was exported with nms=True): "
        "detector.min_score=0.1 finds no more",
    )
    lower = save(tmp_path / "l.onnx", raw_head(), metadata={"args": "{'nms': True, 'conf': 0.05}"})
    assert OnnxDetector(OnnxDetectorConfig(weights=lower, min_score=0.1)).notes == ()
    other = OnnxDetector(OnnxDetectorConfig(weights=lower, size=96))
    assert other.notes == (f"detector.size=96: {lower} takes pictures of 64x64 only",)
    pose = save(tmp_path / "p.onnx", raw_head(), metadata={"task": "pose"})
    with pytest.raises(
        ValueError, match=r"p\.onnx: expected a network that detects boxes, got one for the task 'pose'"
    ):
        OnnxDetector(OnnxDetectorConfig(weights=pose))


def test_scores_that_are_no_probabilities(tmp_path: Path) -> None:
    head = raw_head()
    head[0, :, 5] = -3
    head[0, 20, 4:6] = [1, 4]
    with pytest.raises(
        ValueError, match=r"m\.onnx: expected scores of 0 to 1 in the layout yolox, got -.* to 4: is it"
    ):
        OnnxDetector(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", head))).detect(frame())
    head = raw_head()
    head[0, 3 * 8 + 2, 4:6] = [1, 1.004]  # 256 / 255, as 8-bit networks give it
    assert OnnxDetector(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", head))).detect(frame()).scores == [1]


def test_classes_beyond_the_names(tmp_path: Path) -> None:
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, 0] = [8, 8, 24, 40, 0.9, 85]
    with pytest.raises(
        ValueError, match=r"expected classes 0 to 79, got 85: name the classes of this network in detector"
    ):
        OnnxDetector(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", rows))).detect(frame())
    rows[0, 0, 5] = np.nan
    assert len(OnnxDetector(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", rows))).detect(frame())) == 0


def test_networks_that_cannot_run(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(), shape=(1, 3, "h", "w"), fixed=SIDE)
    assert len(OnnxDetector(OnnxDetectorConfig(weights=weights, size=SIDE)).detect(frame())) == 1
    with pytest.raises(ValueError, match=r"m\.onnx: cannot run on pictures of 96x96 pixels \(.*ONNXRuntimeError"):
        OnnxDetector(OnnxDetectorConfig(weights=weights, size=96))


@pytest.mark.parametrize("shape", [(1, 3, 100_000, 100_000), (50_000, 3, SIDE, SIDE)])
def test_sizes_beyond_memory(tmp_path: Path, shape: tuple[int, ...]) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(), shape=shape)
    with pytest.raises(ValueError, match=r"m\.onnx: expected .*pictures of at most 67 million pixels in a call, got"):
        OnnxDetector(OnnxDetectorConfig(weights=weights))


def test_inputs_that_are_no_pictures(tmp_path: Path) -> None:
    for shape in ((1, SIDE, SIDE, 3), (1, 1, SIDE, SIDE)):
        weights = save(tmp_path / "m.onnx", raw_head(), shape=shape)
        with pytest.raises(ValueError, match=r"expected one floating-point input of shape \[1 3 height width\], got"):
            OnnxDetector(OnnxDetectorConfig(weights=weights))


@pytest.mark.parametrize("part", [OnnxDetectorConfig, TorchvisionConfig, MotFileConfig])
@pytest.mark.parametrize(
    ("override", "chosen"),
    [
        ("classes=[]", ()),
        ("classes=all", ()),
        ("classes=2", ("2",)),
        ("classes=car", ("car",)),
        ("classes='car, 2'", ("car", "2")),
        ("classes=[car, ' 2', 3]", ("car", "2", "3")),
        ("classes=null", None),
    ],
)
def test_spellings_of_a_choice(part: type[PartConfig], override: str, chosen: tuple[str, ...] | None) -> None:
    config = load(part, None, [override])
    assert config.classes == chosen  # type: ignore[attr-defined]
    assert restore_part(DETECTORS, to_mapping(config)) == config


def test_a_choice_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"classes: expected names or numbers of classes, got \{'car': 2\}"):
        load(OnnxDetectorConfig, None, ["classes={car: 2}"])


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = Path(save(tmp_path / "m.onnx", raw_head()))
    path.write_bytes(path.read_bytes().replace(b"images", b"\xe6mages"))
    with pytest.raises(ValueError, match=r"m\.onnx: expected names and metadata in UTF-8, got other bytes"):
        OnnxDetector(OnnxDetectorConfig(weights=str(path)))
