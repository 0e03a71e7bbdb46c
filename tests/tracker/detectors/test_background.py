"""Detection by background subtraction: walkers in rendered and real scenes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from flatsort.tracker.boxes import iou
from flatsort.tracker.config import load
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.background import BackgroundConfig
from flatsort.tracker.detectors.silhouettes import Perspective, PerspectiveEstimator, SilhouetteBoxes
from flatsort.tracker.types import Float, Frame, Image

WIDTH, HEIGHT = 384, 288


def box(x: float, foot: float) -> list[float]:
    """An upright object on the ground of a scene in which height = 10 + 0.25 · foot."""
    tall = 10 + 0.25 * foot
    return [x - 0.2 * tall, foot - tall, x + 0.2 * tall, foot]


def scene(boxes: Float, generator: np.random.Generator) -> Image:
    image = generator.normal(100, 3, (HEIGHT, WIDTH, 3))
    for x0, y0, x1, y1 in boxes.round().astype(int):
        image[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] += [60, -40, 50]
    return np.clip(image, 0, 255).astype(np.uint8)


def walkers(index: int) -> Float:
    """Three who walk alone, and two who walk side by side."""
    if index < 5:
        return np.empty((0, 4))
    step = 3.0 * (index % 110)
    return np.array(
        [
            box(20 + step, 120),
            box(360 - step, 180),
            box(20 + 0.9 * step, 240),
            box(30 + step, 280),
            box(30 + step + 28, 280),
        ]
    )


def share_matched(detected: Float, ground_truth: Float) -> float:
    return float((iou(ground_truth, detected).max(axis=1, initial=0) > 0.5).mean())


def run(detector_config: BackgroundConfig, frames: int) -> list[Float]:
    detector = DETECTORS.build(detector_config)
    generator = np.random.default_rng(1)
    return [detector.detect(Frame(i, scene(walkers(i), generator), 0.0)).boxes for i in range(1, frames + 1)]


@pytest.mark.slow
def test_walkers_are_detected_and_those_side_by_side_are_separated() -> None:
    detected = run(BackgroundConfig(), 100)
    late = range(60, 100)
    assert np.mean([share_matched(detected[i - 1], walkers(i)) for i in late]) > 0.85
    assert np.mean([share_matched(walkers(i), detected[i - 1]) for i in late]) > 0.85
    plain = run(BackgroundConfig(perspective=False), 100)
    assert np.mean([share_matched(plain[i - 1], walkers(i)) for i in late]) < 0.7


def test_every_run_gives_the_same_boxes_and_an_earlier_frame_starts_anew() -> None:
    generator = np.random.default_rng(1)
    frames = [Frame(i, scene(walkers(i), generator), 0.0) for i in range(1, 40)]
    detector, other = DETECTORS.build(BackgroundConfig()), DETECTORS.build(BackgroundConfig())
    first = [detector.detect(f) for f in frames]
    for again in ([detector.detect(f) for f in frames], [other.detect(f) for f in frames]):
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a.boxes, b.boxes)
            np.testing.assert_array_equal(a.scores, b.scores)


def test_boxes_are_in_pixels_of_the_frame_and_scores_in_0_to_1() -> None:
    detector = DETECTORS.build(BackgroundConfig(perspective=False))
    generator = np.random.default_rng(1)
    for i in range(1, 12):
        image = cv2.resize(scene(walkers(i), generator), (3 * WIDTH, 3 * HEIGHT), interpolation=cv2.INTER_NEAREST)
        detected = detector.detect(Frame(i, image.astype(np.uint8), 0.0))
    assert share_matched(detected.boxes, 3 * walkers(11)[:2]) == 1
    assert ((detected.scores > 0) & (detected.scores <= 1)).all()


def test_nothing_in_a_still_scene_a_missing_image_or_the_first_frame() -> None:
    detector = DETECTORS.build(BackgroundConfig())
    generator = np.random.default_rng(1)
    assert len(detector.detect(Frame(1, None, 0.0))) == 0
    for i in range(2, 40):
        assert len(detector.detect(Frame(i, scene(np.empty((0, 4)), generator), 0.0))) == 0
    assert len(detector.detect(Frame(40, np.zeros((50, 60, 3), np.uint8), 0.0))) == 0


def test_perspective_is_learnt_among_as_many_outliers() -> None:
    generator = np.random.default_rng(2)
    estimator = PerspectiveEstimator()
    assert estimator.fit() is None
    feet = generator.uniform(60, 280, 200)
    right = np.array([box(200, f) for f in feet]) + generator.normal(0, 0.5, (200, 4))
    wrong = np.array(
        [[200 - 0.2 * t, f - t, 200 + 0.2 * t, f] for f, t in generator.uniform([100, 10], [280, 90], (200, 2))]
    )
    estimator.add(np.concatenate([right, wrong]), WIDTH, HEIGHT)
    learnt = estimator.fit()
    assert learnt is not None
    assert learnt.offset + learnt.slope * np.array([100, 200]) == pytest.approx([35, 60], rel=0.05)
    assert learnt.aspect == pytest.approx(0.4, rel=0.1)


def test_no_perspective_where_sizes_disagree_or_blobs_are_cut() -> None:
    generator = np.random.default_rng(2)
    estimator = PerspectiveEstimator()
    tall = np.exp(generator.uniform(np.log(5), np.log(250), 400))
    foot = generator.uniform(251, 280, 400)
    estimator.add(np.stack([200 - 0.2 * tall, foot - tall, 200 + 0.2 * tall, foot], axis=1), WIDTH, HEIGHT)
    assert estimator.fit() is None
    cut = PerspectiveEstimator()
    cut.add(np.array([box(0, 100)] * 200), WIDTH, HEIGHT)
    assert cut.fit() is None


def test_a_merged_silhouette_is_covered_by_two_boxes() -> None:
    cover = SilhouetteBoxes(Perspective(10, 0.25, 0.4, 20, 100), WIDTH, HEIGHT)
    ground_truth = np.array([box(100, 200), box(124, 200), box(300, 100)])
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x0, y0, x1, y1 in ground_truth.round().astype(int):
        mask[y0:y1, x0:x1] = 1
    boxes, scores = cover.boxes(mask, 0.3)
    assert len(boxes) == 3
    assert iou(ground_truth, boxes).max(axis=1).min() > 0.7
    assert (np.diff(scores) <= 1e-6).all()
    assert len(cover.boxes(np.zeros_like(mask), 0.3)[0]) == 0


@pytest.mark.parametrize("override", ["threshold=0", "history=0", "work_size=8", "min_height=1", "min_score=0"])
def test_ranges(override: str) -> None:
    with pytest.raises(ValueError, match=rf"detector\.{override.split('=')[0]}: expected"):
        load(BackgroundConfig, None, [override])


@pytest.mark.slow
@pytest.mark.data
def test_precision_and_recall_on_a_real_scene(data: Path) -> None:
    folder = data / "sequences" / "PETS09-S2L1"
    ground_truth = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",")
    detector = DETECTORS.build(BackgroundConfig())
    video = cv2.VideoCapture(str(folder / "vtest.avi"))
    hits = boxes = people = 0
    for index in range(1, 301):
        ok, bgr = video.read()
        assert ok
        detected = detector.detect(Frame(index, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8), 0.0))
        if index >= 60:
            there = ground_truth[ground_truth[:, 0] == index, 2:6]
            there[:, 2:] += there[:, :2]
            overlap = iou(there, detected.boxes)
            rows, cols = linear_sum_assignment(overlap >= 0.5, maximize=True)
            hits += int((overlap[rows, cols] >= 0.5).sum())
            boxes += len(detected)
            people += len(there)
    assert hits / boxes > 0.82
    assert hits / people > 0.80
