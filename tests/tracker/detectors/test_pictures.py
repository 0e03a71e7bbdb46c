"""Pictures as networks take them: letterbox, stretching, colours, tiles."""

import numpy as np
import pytest

from flatsort.tracker.detectors.pictures import GREY, PictureForm, uncut, windows


def test_letterbox_keeps_the_ratio_and_pads_right_and_below() -> None:
    image = np.full((50, 100, 3), 200, np.uint8)
    canvas, scale, shift = PictureForm("corner").place(image, (64, 64))
    assert scale == pytest.approx(0.64)
    assert not shift.any()
    assert (canvas[:32] == 200).all()
    assert (canvas[32:] == GREY).all()


def test_tiles_cover_the_image_and_overlap() -> None:
    whole, *tiles = windows(1000, 500, (2, 1), 0.2)
    assert whole == (0, 0, 1000, 500)
    assert tiles == [(0, 0, 556, 500), (444, 0, 1000, 500)]
    assert windows(1000, 500, (1, 1), 0.2) == [whole]


def test_boxes_at_an_inner_border_are_cut_and_at_the_image_border_are_not() -> None:
    boxes = np.array([[5.0, 10, 60, 90], [500, 10, 555, 90], [100, 0, 140, 499]])
    assert uncut(boxes, (0, 0, 556, 500), 1000, 500).tolist() == [True, False, True]
    assert uncut(boxes + np.array([444, 0, 444, 0]), (444, 0, 1000, 500), 1000, 500).tolist() == [
        False,
        True,
        True,
    ]


def test_the_middle_and_the_whole_canvas() -> None:
    image = np.full((50, 100, 3), 200, np.uint8)
    canvas, scale, shift = PictureForm("centre").place(image, (64, 64))
    assert (canvas[16:48] == 200).all()
    assert (canvas[:16] == GREY).all()
    np.testing.assert_allclose(np.array([0, 0, 100, 50]) * scale + shift, [0, 16, 64, 48])
    canvas, scale, shift = PictureForm("stretch").place(image, (64, 96))
    assert canvas.shape == (96, 64, 3)
    assert (canvas == 200).all()
    np.testing.assert_allclose(np.array([0, 0, 100, 50]) * scale + shift, [0, 0, 64, 96])


def test_colours_are_ordered_scaled_and_normalised() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[..., 0] = 255
    assert PictureForm().values([image])[0, :, 0, 0].tolist() == [1, 0, 0]
    assert PictureForm(bgr=True, scale=1.0).values([image])[0, :, 0, 0].tolist() == [0, 0, 255]
    normalised = PictureForm(mean=(0.5, 0.1, 0.2), deviation=(0.5, 0.1, 0.4)).values([image, image])
    np.testing.assert_allclose(normalised[1, :, 0, 0], [1, -1, -0.5], atol=1e-6)


def test_tiles_have_pixels() -> None:
    assert all(x1 > x0 and y1 > y0 for x0, y0, x1, y1 in windows(7, 9, (7, 9), 0.0))
    assert all(x1 > x0 and y1 > y0 for x0, y0, x1, y1 in windows(5, 5, (8, 8), 0.5))
    with pytest.raises(ValueError, match=r"detector\.tiles: .* got 8x1 in a picture of 7x9"):
        windows(7, 9, (8, 1), 0.0)
