"""Detections in DeepSORT's ``.npy`` layout: the same as in a text file of the rows, with features as latents."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.io.mot import read_detections
from flatsort.tracker.io.video import open_source

ROWS = np.array(
    [
        [2, -1, 10, 20, 30, 40, 0.9, -1, -1, -1],
        [1, -1, 1.5, 2, 3, 4, 0.25, -1, -1, -1],
        [2, -1, 50, 60, 10, 10, -0.5, -1, -1, -1],
    ]
)
FEATURES = np.arange(6.0).reshape(3, 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "MOT16-02.npy"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_features_become_latents_of_their_frames(file: Path, dtype: type, order: str) -> None:
    np.save(file, np.asarray(np.hstack([ROWS, FEATURES]), dtype, order=order))  # type: ignore[call-overload]
    detections = read_detections(file)
    assert list(detections) == [1, 2]
    np.testing.assert_array_equal(detections[2].boxes, [[10, 20, 40, 60], [50, 60, 60, 70]])
    np.testing.assert_allclose(detections[2].scores, [0.9, -0.5], rtol=1e-6)
    assert detections[2].boxes.dtype == np.float64
    latents = [detections[frame].latents for frame in (1, 2)]
    np.testing.assert_array_equal(np.vstack([z for z in latents if z is not None]), FEATURES[[1, 0, 2]])
    assert all(z is not None and z.dtype == np.float32 for z in latents)


def test_classes_of_the_eighth_column(file: Path) -> None:
    rows = ROWS.copy()
    rows[:, 7] = [3, 0, 2]
    np.save(file, rows)
    assert {n: each.classes.tolist() for n, each in read_detections(file).items()} == {1: [0], 2: [3, 2]}
    np.save(file, ROWS)
    assert read_detections(file)[2].classes.tolist() == [0, 0]


def test_ten_columns_are_detections_without_latents(file: Path) -> None:
    np.save(file, ROWS)
    assert all(detections.latents is None for detections in read_detections(file).values())


@given(
    st.lists(
        st.tuples(st.integers(1, 50), *[st.integers(-500, 500).map(lambda v: v / 4) for _ in range(5)]), max_size=20
    )
)
def test_the_same_as_the_text_of_its_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]]) -> None:
    folder = tmp_path_factory.mktemp("npy")
    table = np.array([[frame, -1, *rest, -1, -1, -1] for frame, *rest in rows]).reshape(-1, 10)
    np.save(folder / "det.npy", table)
    np.savetxt(folder / "det.txt", table, delimiter=",")
    of_array, of_text = read_detections(folder / "det.npy"), read_detections(folder / "det.txt")
    assert list(of_array) == list(of_text)
    for frame, detections in of_array.items():
        np.testing.assert_array_equal(detections.boxes, of_text[frame].boxes)
        np.testing.assert_array_equal(detections.scores, of_text[frame].scores)


def test_invalid_boxes_are_read_as_they_are(file: Path) -> None:
    rows = np.hstack([ROWS, FEATURES])
    rows[0, 2], rows[1, 11] = np.nan, np.inf
    np.save(file, rows)
    detections = read_detections(file)
    assert np.isnan(detections[2].boxes[0, 0])
    assert detections[1].latents is not None
    assert np.isinf(detections[1].latents[0, 1])


@pytest.mark.parametrize("frame", [0, 1.5, np.nan, np.inf, 1e9, -1])
def test_a_bad_frame_names_file_and_row(file: Path, frame: float) -> None:
    rows = ROWS.copy()
    rows[1, 0] = frame
    np.save(file, rows)
    with pytest.raises(ValueError, match=r"MOT16-02\.npy row 2: frame .*, expected a whole number from 1 to 10000000"):
        read_detections(file)


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (np.ones((3, 9)), r"got shape \[3, 9\] of float64"),
        (np.ones(10), r"got shape \[10\] of float64"),
        (np.ones((1, 3, 10)), r"got shape \[1, 3, 10\]"),
        (np.ones((3, 10), np.complex128), r"got shape \[3, 10\] of complex128"),
        (np.full((3, 10), "1"), r"got shape \[3, 10\] of <U1"),
    ],
    ids=["too few columns", "one row", "a cube", "complex", "texts"],
)
def test_another_array(file: Path, array: np.ndarray, got: str) -> None:
    np.save(file, array)
    with pytest.raises(ValueError, match=rf"expected numbers of shape \[n 10\] or \[n 10\+d\], {got}"):
        read_detections(file)


class Trap:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_nothing_is_unpickled(file: Path) -> None:
    np.save(file, np.array([[Trap(file.parent / "sprung")] * 10], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"MOT16-02\.npy: expected a complete \.npy file with an array of numbers"):
        read_detections(file)
    assert not (file.parent / "sprung").exists()


def test_a_file_that_is_cut_or_something_else(file: Path) -> None:
    np.save(file, np.hstack([ROWS, FEATURES]))
    whole = file.read_bytes()
    promise = whole.replace(b"(3, 12), }        ", b"(3000000000, 12), }")[: len(whole)]
    for content in (b"", b"1,-1,3,4,5,6,1\n", whole[:40], whole[:-1], whole[:20] + b"{{(" + whole[23:], promise):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"expected a complete \.npy file"):
            read_detections(file)


def test_it_is_a_source_without_images(file: Path) -> None:
    np.save(file, ROWS)
    source = open_source(str(file), images=False)
    assert (source.name, source.length) == ("MOT16-02", 2)
    with pytest.raises(ValueError, match="a detection file has no images"):
        open_source(str(file))
