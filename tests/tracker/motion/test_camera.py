"""Camera motion against known warps."""

from __future__ import annotations

import logging
import subprocess
import sys

import cv2
import numpy as np
import pytest

from flatsort.scene import Scene, SceneConfig
from flatsort.tracker.motion.camera import CameraConfig, CameraMotion
from flatsort.tracker.types import Float, Image

METHODS = ("ecc", "sparse_flow")
WIDTH, HEIGHT = 512, 320
MARGIN = 64
BIG = (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN)


@pytest.fixture(scope="module")
def texture() -> Image:
    """Smooth random patches, larger than the image that is cut from it."""
    generator = np.random.default_rng(0)
    coarse = generator.uniform(0, 255, (BIG[1] // 16, BIG[0] // 16, 3)).astype(np.uint8)
    fine = generator.uniform(0, 255, (BIG[1] // 4, BIG[0] // 4, 3)).astype(np.uint8)
    layers = [cv2.resize(layer, BIG, interpolation=cv2.INTER_CUBIC) for layer in (coarse, fine)]
    return cv2.addWeighted(layers[0], 0.6, layers[1], 0.4, 0).astype(np.uint8)


def view_of(texture: Image, affine: Float) -> Image:
    """The middle of the texture after the camera moved by ``affine`` (in the image's coordinates)."""
    offset = np.array([MARGIN, MARGIN], dtype=np.float64)
    outer = affine.copy()
    outer[:, 2] += offset - affine[:, :2] @ offset
    whole = cv2.warpAffine(texture, outer, BIG, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return whole[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.uint8)


def moved(degrees: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> Float:
    affine = np.asarray(cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, scale), np.float64)
    affine[:, 2] += shift
    return affine


def corner_error(a: Float, b: Float) -> float:
    """Largest distance in pixels between the positions of the image's corners under two maps."""
    corners = np.array([[0, 0, 1], [WIDTH, 0, 1], [0, HEIGHT, 1], [WIDTH, HEIGHT, 1.0]]).T
    return float(np.linalg.norm((a - b) @ corners, axis=0).max())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "ground_truth",
    [moved(shift=(7.3, -4.6)), moved(1.5), moved(scale=1.02), moved(-1.0, 0.985, (-5.0, 3.0))],
    ids=["shift", "rotation", "scale", "all"],
)
def test_known_warp_is_recovered(texture: Image, method: str, ground_truth: Float) -> None:
    camera = CameraMotion(CameraConfig(method))
    np.testing.assert_array_equal(camera.estimate(view_of(texture, moved())), np.eye(2, 3))
    assert corner_error(camera.estimate(view_of(texture, ground_truth)), ground_truth) < 0.5
    assert corner_error(moved(), ground_truth) > 2.0
    assert camera.failures == 0


@pytest.mark.parametrize("method", METHODS)
def test_motion_is_from_the_latest_image(texture: Image, method: str) -> None:
    camera = CameraMotion(CameraConfig(method))
    for shift in (0.0, 4.0, 8.0):
        estimated = camera.estimate(view_of(texture, moved(shift=(shift, 0.0))))
    assert corner_error(estimated, moved(shift=(4.0, 0.0))) < 0.5


@pytest.mark.parametrize(("model", "tolerance"), [("translation", 0.1), ("euclidean", 0.3), ("affine", 0.5)])
def test_ecc_models(texture: Image, model: str, tolerance: float) -> None:
    camera = CameraMotion(CameraConfig("ecc", ecc_model=model))
    camera.estimate(view_of(texture, moved()))
    assert corner_error(camera.estimate(view_of(texture, moved(shift=(3.0, 2.0)))), moved(shift=(3.0, 2.0))) < tolerance


@pytest.mark.parametrize("method", METHODS)
def test_boxes_hide_what_moves_by_itself(texture: Image, method: str) -> None:
    """Two thirds of the image move against the camera; only the boxes tell."""
    ground_truth = moved(shift=(4.0, 0.0))
    frames, boxes = [], []
    for affine, x in ((moved(), 100), (ground_truth, 92)):
        image = view_of(texture, affine).copy()
        image[20:300, x : x + 350] = texture[20:300, 40:390][::-1]
        frames.append(image)
        boxes.append(np.array([[x, 20.0, x + 350, 300.0]]))
    errors = []
    for masked in (True, False):
        camera = CameraMotion(CameraConfig(method))
        camera.estimate(frames[0], boxes[0] if masked else None)
        errors.append(corner_error(camera.estimate(frames[1], boxes[1] if masked else None), ground_truth))
    assert errors[0] < 0.5
    assert errors[1] > 2.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", ["blank", "missing", "all boxes", "unrelated"])
def test_failure_is_the_identity_counted_and_reported_once(
    texture: Image, method: str, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    camera = CameraMotion(CameraConfig(method))
    everything = np.array([[-5.0, -5.0, WIDTH + 5.0, HEIGHT + 5.0]]) if case == "all boxes" else None
    with caplog.at_level(logging.WARNING):
        camera.estimate(view_of(texture, moved()), everything)
        for k in range(3):
            image: Image | None = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            if case == "missing":
                image = None
            elif case == "all boxes":
                image = view_of(texture, moved())
            elif case == "unrelated":
                image = np.random.default_rng(k).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            np.testing.assert_array_equal(camera.estimate(image, everything), np.eye(2, 3))
    assert camera.failures == 3
    assert len(caplog.records) == 1


@pytest.mark.parametrize("method", METHODS)
def test_after_a_missing_image_the_motion_since_the_last_one_is_estimated(texture: Image, method: str) -> None:
    camera = CameraMotion(CameraConfig(method))
    camera.estimate(view_of(texture, moved()))
    camera.estimate(None)
    ground_truth = moved(shift=(6.0, 1.0))
    assert corner_error(camera.estimate(view_of(texture, ground_truth)), ground_truth) < 0.5


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", METHODS)
def test_invalid_boxes_hide_nothing(texture: Image, method: str) -> None:
    whole = [0.0, 0.0, WIDTH, HEIGHT]
    odd = np.array([whole] * 6)
    odd[0, 0], odd[1, 2], odd[2, 1], odd[3] = np.nan, np.inf, -np.inf, np.nan
    odd[4], odd[5, 2:] = [200, 200, 100, 100], 1e300
    camera, plain = CameraMotion(CameraConfig(method)), CameraMotion(CameraConfig(method))
    for affine in (moved(), moved(shift=(4.0, -3.0))):
        image = view_of(texture, affine)
        np.testing.assert_array_equal(camera.estimate(image, odd), plain.estimate(image))
    assert camera.failures == 0


def test_another_size_and_reset_start_anew(texture: Image) -> None:
    camera = CameraMotion(CameraConfig("sparse_flow"))
    camera.estimate(view_of(texture, moved()))
    np.testing.assert_array_equal(camera.estimate(texture), np.eye(2, 3))
    assert camera.failures == 1
    camera.reset()
    np.testing.assert_array_equal(camera.estimate(view_of(texture, moved())), np.eye(2, 3))
    assert camera.failures == 1


@pytest.mark.parametrize("method", METHODS)
def test_panning_over_the_scene(method: str) -> None:
    """A window pans over the walking people by whole pixels."""
    scene = Scene(SceneConfig(frames=60, width=512 + 120, height=320))
    boxes = scene.ground_truth()
    camera = CameraMotion(CameraConfig(method))
    for index in range(40, 49):
        x = 6 * (index - 40)
        rows = boxes.boxes[boxes.frames == index] - [x, 0, x, 0]
        estimated = camera.estimate(scene.image(index)[:, x : x + WIDTH], rows)
        if index > 40:
            assert corner_error(estimated, moved(shift=(-6.0, 0.0))) < 0.5
    assert camera.failures == 0


def test_the_method_none_gives_the_identity_and_never_loads_opencv() -> None:
    code = (
        "import sys, numpy as np\n"
        "from flatsort.tracker.motion.camera import CameraMotion\n"
        "camera = CameraMotion()\n"
        "for value in (0, 200): m = camera.estimate(np.full((40, 40, 3), value, np.uint8))\n"
        "assert (m == np.eye(2, 3)).all() and camera.failures == 0\n"
        "assert 'cv2' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize(("field", "value"), [("method", "orb"), ("ecc_model", "homography"), ("side", 8)])
def test_bad_config_is_named(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"camera.{field}"):
        CameraConfig(**{field: value})  # type: ignore[arg-type]
