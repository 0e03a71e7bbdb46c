"""The demonstration scene: its images, its ground truth and its simulated detector agree."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flatsort.scene import Scene, SceneConfig, SceneGroundTruth
from flatsort.tracker.boxes import iou
from flatsort.tracker.lifecycle import LifecycleConfig
from flatsort.tracker.protocols import FrameSource
from flatsort.tracker.sort import SortConfig, SortTracker
from flatsort.tracker.types import Bool, Image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PLAIN = {"noise": 0.0, "flicker": 0.0, "shadow": 0.0}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="module")
def ground_truth(scene: Scene) -> SceneGroundTruth:
    return scene.ground_truth()


def fingerprint(scene: Scene) -> str:
    """Hash of some images, the ground truth and the detections."""
    table, by_frame = scene.ground_truth(), scene.detections(3)
    sums = [hashlib.sha256(scene.image(index).tobytes()).hexdigest() for index in (7, scene.length)]
    sums += [array.tobytes().hex() for array in (table.boxes, table.visibility)]
    sums += [detections.boxes.tobytes().hex() + detections.scores.tobytes().hex() for detections in by_frame.values()]
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def only_last(people: int, **changes: float) -> tuple[Scene, Scene]:
    """The scene without noise and shadows, with and without the last person."""
    config = {"frames": 150, **PLAIN, **changes}
    with_, without = SceneConfig(people=people, **config), SceneConfig(people=people - 1, **config)  # type: ignore[arg-type]
    return Scene(with_), Scene(without)


def difference(a: Image, b: Image) -> Bool:
    changed: Bool = np.abs(a.astype(np.int64) - b).max(axis=2) > 6
    return changed


def test_it_is_a_frame_source() -> None:
    scene = Scene(SceneConfig(frames=3, people=2))
    assert isinstance(scene, FrameSource)
    assert (scene.name, scene.fps, scene.size, scene.length) == ("demo", 25.0, (768, 432), 3)
    frames = list(scene)
    assert [frame.index for frame in frames] == [1, 2, 3]
    np.testing.assert_allclose([frame.time for frame in frames], [0.0, 0.04, 0.08])
    for frame, again in zip(frames, scene, strict=True):
        assert frame.image is not None
        assert again.image is not None
        assert frame.image.shape == (432, 768, 3)
        assert frame.image.dtype == np.uint8
        np.testing.assert_array_equal(frame.image, again.image)
    assert frames[0].image is not None
    assert not np.array_equal(frames[0].image, frames[1].image)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_same_config_gives_the_same_bytes_in_another_process() -> None:
    config = SceneConfig(frames=12, people=7)
    code = (
        "from tests.scene.test_scene import fingerprint\n"
        "from flatsort.scene import Scene, SceneConfig\n"
        "print(fingerprint(Scene(SceneConfig(frames=12, people=7))))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert other.stdout.strip() == fingerprint(Scene(config))
    assert fingerprint(Scene(SceneConfig(frames=12, people=7, seed=1))) != fingerprint(Scene(config))


@pytest.mark.slow
@pytest.mark.parametrize("people", [1, 2, 3])
def test_boxes_fit_the_drawn_figures(people: int) -> None:
    full, empty = only_last(people)
    ground_truth = full.ground_truth()
    rows = np.flatnonzero((ground_truth.ids == people) & (ground_truth.visibility > 0.999))[::20]
    assert len(rows) >= 3
    for row in rows:
        index = int(ground_truth.frames[row])
        ys, xs = np.nonzero(difference(full.image(index), empty.image(index)))
        drawn = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
        np.testing.assert_allclose(ground_truth.boxes[row], drawn, atol=2.0)


@pytest.mark.slow
def test_visibility_is_the_visible_share() -> None:
    """The person who walks beside another one: visible pixels are those that change when it leaves the scene."""
    full, empty = only_last(5, frames=220)
    ground_truth = full.ground_truth()
    rows = np.flatnonzero(ground_truth.ids == 5)[::10]
    assert np.ptp(ground_truth.visibility[rows]) > 0.5
    for row in rows:
        index = int(ground_truth.frames[row])
        figure = next(figure for number, _, figure in full._figures(index) if number == 4)
        area = np.count_nonzero(figure.sprite().pixels[..., 3] > 127)
        visible = np.count_nonzero(difference(full.image(index), empty.image(index)))
        assert visible / area == pytest.approx(ground_truth.visibility[row], abs=0.15)


def test_ground_truth_is_in_order_and_in_the_image(ground_truth: SceneGroundTruth) -> None:
    keys = list(zip(ground_truth.frames.tolist(), ground_truth.ids.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert set(ground_truth.ids.tolist()) == set(range(1, 13))
    assert (ground_truth.boxes[:, :2] >= 0).all()
    assert (ground_truth.boxes[:, 2:] <= [768, 432]).all()
    assert (ground_truth.boxes[:, 2:] > ground_truth.boxes[:, :2]).all()
    assert ground_truth.visibility.min() >= 0
    assert ground_truth.visibility.max() <= 1
    assert ground_truth.boxes.shape == (len(ground_truth), 4)


def test_people_walk_hide_each_other_come_and_go(ground_truth: SceneGroundTruth) -> None:
    present = np.bincount(ground_truth.frames, minlength=301)[1:]
    assert 6 <= present.mean() <= 12
    assert present.min() < present.max()
    hidden = ground_truth.visibility < 0.25
    assert 0.01 < hidden.mean() < 0.15
    assert len(set(ground_truth.ids[hidden].tolist())) >= 4
    for identity in range(1, 13):
        own = ground_truth.ids == identity
        steps = np.linalg.norm(np.diff(ground_truth.boxes[own, :2], axis=0), axis=1)[
            np.diff(ground_truth.frames[own]) == 1
        ]
        assert steps.max() < 15.0


def test_sizes_follow_perspective(ground_truth: SceneGroundTruth) -> None:
    whole = (ground_truth.boxes[:, 3] < 432) & (ground_truth.boxes[:, 0] > 0) & (ground_truth.boxes[:, 2] < 768)
    tall, foot = (ground_truth.boxes[:, 3] - ground_truth.boxes[:, 1])[whole], ground_truth.boxes[whole, 3]
    assert np.corrcoef(foot, tall)[0, 1] > 0.95


def test_a_perfect_detector_detects_what_is_visible() -> None:
    scene = Scene(SceneConfig(frames=60, box_noise=0.0, miss=0.0, false_rate=0.0))
    ground_truth, by_frame = scene.ground_truth(), scene.detections()
    assert sorted(by_frame) == list(range(1, 61))
    detected = np.zeros(len(ground_truth), np.bool_)
    for index, detections in by_frame.items():
        rows = np.flatnonzero(ground_truth.frames == index)
        same = (ground_truth.boxes[rows][:, None] == detections.boxes).all(axis=2)
        assert same.any(axis=0).all()
        detected[rows] = same.any(axis=1)
    assert detected[ground_truth.visibility > 0.65].all()
    assert not detected[ground_truth.visibility < 0.25].any()


def test_imperfections_are_as_configured(scene: Scene, ground_truth: SceneGroundTruth) -> None:
    clear = Scene(SceneConfig(people=0, false_rate=2.0)).detections()
    assert np.mean([len(detections) for detections in clear.values()]) == pytest.approx(2.0, abs=0.3)
    by_frame = scene.detections()
    errors, scores, visible, hits = [], [], [], 0
    full = ground_truth.visibility > 0.99
    for index, detections in by_frame.items():
        rows = np.flatnonzero(ground_truth.frames == index)
        overlap = iou(ground_truth.boxes[rows], detections.boxes)
        for k, row in enumerate(rows):
            best = int(overlap[k].argmax()) if len(detections) else 0
            if len(detections) and overlap[k, best] > 0.6:
                hits += int(full[row])
                scores.append(detections.scores[best])
                visible.append(ground_truth.visibility[row])
                if full[row]:
                    tall = ground_truth.boxes[row, 3] - ground_truth.boxes[row, 1]
                    errors.append((detections.boxes[best] - ground_truth.boxes[row]) / tall)
    assert 1 - hits / full.sum() == pytest.approx(0.04, abs=0.03)
    assert np.std(errors) == pytest.approx(0.018, rel=0.15)
    assert np.corrcoef(scores, visible)[0, 1] > 0.6
    assert any((by_frame[k].boxes.shape != other.boxes.shape) for k, other in scene.detections(1).items())


def switches(scene: Scene, ground_truth: SceneGroundTruth, max_age: int) -> int:
    """How often a person's track changes."""
    tracker = SortTracker(SortConfig(lifecycle=LifecycleConfig(max_age=max_age)))
    latest: dict[int, int] = {}
    count = 0
    for index, detections in scene.detections().items():
        tracks = tracker.step(detections)
        rows = np.flatnonzero(ground_truth.frames == index)
        overlap = iou(ground_truth.boxes[rows], tracks.boxes)
        for k, column in enumerate(overlap.argmax(axis=1) if len(tracks) else []):
            if overlap[k, column] > 0.5 and overlap[:, column].argmax() == k:
                identity, track = int(ground_truth.ids[rows[k]]), int(tracks.ids[column])
                count += latest.get(identity, track) != track
                latest[identity] = track
    return count


def test_it_is_neither_too_easy_nor_hopeless(scene: Scene, ground_truth: SceneGroundTruth) -> None:
    short, long = switches(scene, ground_truth, 1), switches(scene, ground_truth, 30)
    assert 0 < long < short / 2


def test_noise_and_flicker_are_those_of_a_camera() -> None:
    quiet, noisy = (
        Scene(SceneConfig(frames=2, people=0, noise=noise, flicker=0.0)).image(1).astype(float) for noise in (0.0, 4.0)
    )
    assert (noisy - quiet).std() == pytest.approx(4.0, rel=0.1)
    assert abs((noisy - quiet).mean()) < 0.2
    bright = Scene(SceneConfig(frames=40, people=0, noise=0.0, flicker=0.05, width=160, height=90))
    means = np.array([bright.image(index).mean() for index in range(1, 41)])
    assert 0.02 < means.std() / means.mean() < 0.09


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(64, 64), (90, 200), (1280, 720)])
def test_other_sizes(width: int, height: int) -> None:
    scene = Scene(SceneConfig(frames=2, people=6, width=width, height=height))
    assert scene.image(2).shape == (height, width, 3)
    assert (scene.ground_truth().boxes[:, 2:] <= [width, height]).all()


def test_nobody_is_an_ordinary_case() -> None:
    scene = Scene(SceneConfig(frames=2, people=0, false_rate=0.0))
    assert len(scene.ground_truth()) == 0
    assert scene.ground_truth().boxes.shape == (0, 4)
    assert [len(detections) for detections in scene.detections().values()] == [0, 0]


@pytest.mark.parametrize(
    ("field", "value"), [("people", -1), ("frames", 0), ("miss", 1.5), ("fps", 0.0), ("width", 3), ("noise", np.nan)]
)
def test_bad_config_is_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"scene.{field}"):
        SceneConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("index", [0, 4])
def test_a_frame_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError, match=f"from 1 to 3, got {index}"):
        Scene(SceneConfig(frames=3)).image(index)
