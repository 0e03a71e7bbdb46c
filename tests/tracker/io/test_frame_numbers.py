"""Frame numbers of pictures by name or in order, and the step of boxes in every n-th frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flatsort.tracker.io.frame_numbers import every_nth, number_pictures, stride_of
from flatsort.tracker.types import Int


def names(*numbers: int) -> list[Path]:
    return [Path(f"{number:06d}.png") for number in numbers]


def span(first: int, last: int, step: int = 1) -> Int:
    return np.arange(first, last + 1, step)


EVERY_FIFTH = tuple(range(5, 101, 5))
CUT = tuple(range(15, 35))


@pytest.mark.parametrize(
    ("pictures", "frames", "announced", "expected", "by_name"),
    [
        (EVERY_FIFTH, span(5, 100, 5), None, range(5, 101, 5), True),
        (EVERY_FIFTH, span(1, 20), None, range(1, 21), False),
        (EVERY_FIFTH, span(1, 20), 20, range(1, 21), False),
        (CUT, span(1, 20), 20, range(1, 21), False),
        (CUT, span(15, 34), 20, range(15, 35), True),
        (CUT, None, 20, range(1, 21), False),
        (tuple(range(372, 392)), span(372, 391), 20, range(372, 392), True),
        (tuple(range(372, 392)), span(1001, 1020), 20, range(1, 21), False),
        (tuple(range(20)), span(1, 20), None, range(1, 21), True),
        (tuple(range(0, 100, 5)), span(5, 95, 5), None, range(0, 96, 5), True),
        (tuple(range(1, 40, 2)), span(1, 39, 2), 40, range(1, 40, 2), True),
        (tuple(range(1, 40, 2)), span(1, 40), 40, range(1, 41), True),
        (tuple(range(1, 40, 2)), span(1, 20), 20, range(1, 21), False),
        ((3, 4, 7, 9), span(3, 9), None, range(3, 10), True),
        ((3, 4, 7, 9), span(3, 9), 12, range(1, 13), True),
    ],
)
@pytest.mark.parametrize("sequence", [False, True])
def test_the_reading_that_gives_most_boxes_a_picture_is_taken(
    pictures: tuple[int, ...], frames: Int | None, announced: int | None, expected: range, by_name: bool, sequence: bool
) -> None:
    found = number_pictures(names(*pictures), announced=announced, frames=frames, sequence=sequence)
    assert found.frames == expected
    if set(expected) != set(range(1, len(pictures) + 1)):
        assert found.by_name == by_name
    shown = [path.name for number, path in found.pictures.items() if number in expected]
    assert shown == [path.name for path in names(*pictures)]


def test_without_boxes_a_sequence_goes_by_name_and_a_folder_by_order() -> None:
    paths = names(2, 5, 6)
    assert list(number_pictures(paths, sequence=True).pictures) == [2, 5, 6]
    assert list(number_pictures(paths).pictures) == [1, 2, 3]


def test_frames_without_a_picture_are_left_out_where_they_are_of_no_use() -> None:
    paths = names(*range(1, 40, 2))
    assert number_pictures(paths, frames=span(1, 40), sequence=True).frames == range(1, 40)
    assert number_pictures(paths, frames=span(1, 40), sequence=True, pictured=True).frames == range(1, 40, 2)


@pytest.mark.parametrize("name", ["{:06d}_cam1.png", "cam1_{:06d}.png", "{:06d}.png"])
def test_the_number_that_differs_is_the_frame(name: str) -> None:
    paths = [Path(name.format(number)) for number in CUT]
    assert list(number_pictures(paths, frames=span(15, 34)).pictures) == list(CUT)


def test_time_stamps_are_no_frames() -> None:
    paths = names(*(1546300800000 + 33 * k for k in range(20)))
    assert number_pictures(paths, frames=span(1, 20), sequence=True).frames == range(1, 21)
    scattered = names(3, 4, 5, 9_000_000)
    assert not number_pictures(scattered, frames=span(3, 5), sequence=True).by_name


def test_a_last_frame_far_away_is_no_reason_for_millions_of_frames() -> None:
    assert number_pictures(names(*range(1, 21)), sequence=True, last=9_999_999).frames == range(1, 21)
    assert number_pictures(names(*range(1, 21)), sequence=True, announced=30).frames == range(1, 31)


@pytest.mark.parametrize(
    ("frames", "step"),
    [
        (span(1, 56, 5), 5),
        (span(3, 300, 10), 10),
        (np.repeat(span(1, 41, 2), 3), 2),
        (np.delete(span(1, 100, 5), [3, 7, 8]), 5),
        (span(1, 60), 1),
        (np.array([2, 4, 8, 10]), 1),
        (np.array([1, 6]), 1),
        (np.array([10, 20, 900, 910]), 1),
        (np.array([], np.int64), 1),
    ],
    ids=["fifth", "tenth", "second", "some left out", "all", "by chance", "two", "two groups", "none"],
)
def test_every_nth(frames: Int, step: int) -> None:
    assert every_nth(frames) == step


def test_a_stride_begins_where_boxes_are() -> None:
    numbers = range(1, 61)
    assert stride_of(numbers, span(3, 58, 5), None) == (2, 5)
    assert stride_of(numbers, span(3, 58, 5), 5) == (2, 5)
    assert stride_of(numbers, span(3, 58, 5), 1) == (0, 1)
    assert stride_of(numbers, span(1, 60), 4) == (0, 4)
    assert stride_of(numbers, None, 4) == (0, 4)
    assert stride_of(numbers, None, None) == (0, 1)
    assert stride_of(range(5, 101, 5), span(10, 100, 10), None) == (1, 2)
