"""Crops: valid for any box, equal to the image where they should be, the input not changed."""

from __future__ import annotations

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.crops import crop, cut
from flatsort.tracker.types import Float, Image

RAMP = np.random.default_rng(3).integers(0, 256, (40, 60, 3)).astype(np.uint8)

any_boxes = arrays.arrays(
    np.float64,
    st.tuples(st.integers(0, 5), st.just(4)),
    elements=st.one_of(st.floats(-100, 150), st.floats(allow_nan=True, allow_infinity=True)),
)


@given(boxes=any_boxes, size=st.tuples(st.integers(1, 70), st.integers(1, 70)))
def test_any_boxes_give_crops_of_the_size_within_the_range_of_the_image(boxes: Float, size: tuple[int, int]) -> None:
    image = np.clip(RAMP, 60, 190)
    before = image.copy()
    crops = crop(image, boxes, size)
    assert crops.shape == (len(boxes), size[1], size[0], 3)
    assert crops.dtype == np.uint8
    if len(crops):
        assert crops.min() >= 60
        assert crops.max() <= 190
    np.testing.assert_array_equal(image, before)
    for box in boxes:
        assert min(cut(image, box).shape) >= 1


@given(boxes=any_boxes)
def test_a_crop_does_not_depend_on_the_other_boxes(boxes: Float) -> None:
    together = crop(RAMP, boxes, (16, 32))
    for row in range(len(boxes)):
        np.testing.assert_array_equal(crop(RAMP, boxes[row : row + 1], (16, 32))[0], together[row])


def test_a_box_of_the_crops_size_is_copied() -> None:
    np.testing.assert_array_equal(crop(RAMP, np.array([[10.0, 5, 26, 37]]), (16, 32))[0], RAMP[5:37, 10:26])


def test_shrinking_averages_areas() -> None:
    averages = RAMP[0:32, 0:32].reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(crop(RAMP, np.array([[0.0, 0, 32, 32]]), (8, 8))[0], averages, atol=1)


def test_an_axis_that_shrinks_is_averaged_though_the_other_one_grows() -> None:
    stripes = np.zeros((40, 4, 3), np.uint8)
    stripes[::2] = 200  # every second row: anything but an average of areas would keep stripes or lose them
    crops = crop(stripes, np.array([[0.0, 0, 4, 40]]), (8, 10))
    np.testing.assert_allclose(crops, 100, atol=1)


def test_growing_is_linear() -> None:
    ramp = np.repeat(np.arange(0, 80, 10, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(4, axis=0)
    grown = crop(ramp, np.array([[0.0, 0, 8, 4]]), (32, 4))[0, 0, :, 0].astype(int)
    steps = np.diff(grown)
    assert steps.min() >= 0
    assert steps.max() <= 3  # ten levels over four pixels


def test_zero_boxes_are_ordinary() -> None:
    assert crop(RAMP, np.empty((0, 4)), (16, 32)).shape == (0, 32, 16, 3)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([10.7, 5.9, 12.2, 7.1], RAMP[5:8, 10:13]),
        ([-20.0, -5.0, 3.0, 2.0], RAMP[:2, :3]),
        ([55.0, 35.0, 99.0, 99.0], RAMP[35:, 55:]),
        ([-9.0, -9.0, -5.0, -5.0], RAMP[:1, :1]),
        ([99.0, 99.0, 120.0, 120.0], RAMP[-1:, -1:]),
        ([20.0, 10.0, 20.0, 10.0], RAMP[10:11, 20:21]),
        ([20.3, 10.3, 20.4, 10.4], RAMP[10:11, 20:21]),
    ],
    ids=["touched pixels", "left top", "right bottom", "outside before", "outside behind", "no area", "in one pixel"],
)
def test_cut_takes_the_pixels_that_a_box_touches(box: list[float], expected: Image) -> None:
    np.testing.assert_array_equal(cut(RAMP, np.array(box)), expected)


def test_cut_is_a_view_and_works_on_one() -> None:
    assert np.shares_memory(cut(RAMP, np.array([1.0, 1, 9, 9])), RAMP)
    view = RAMP[::2, ::-1]
    np.testing.assert_array_equal(crop(view, np.array([[2.0, 1, 10, 9]]), (8, 8))[0], view[1:9, 2:10])
    assert crop(view, np.array([[2.0, 1, 10, 9]]), (5, 20)).shape == (1, 20, 5, 3)


@pytest.mark.parametrize(
    "image", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32)]
)
def test_other_arrays_than_images_are_refused(image: Image) -> None:
    with pytest.raises(ValueError, match=r"image: expected uint8 \[h w 3\]"):
        crop(image, np.zeros((1, 4)), (4, 4))
