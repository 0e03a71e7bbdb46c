"""What people hand to ``tracker.update``: arrays of any library are taken, all else is told in one sentence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from flatsort.tracker.sort import SortTracker
from flatsort.tracker.types import Detections

BOXES: list[list[float]] = [[10.0, 20, 50, 120], [200, 30, 240, 130]]

ROWS: Any = ((10.0, 20, 50, 120), (200, 30, 240, 130))


class SupervisionLike:
    """Arrays as attributes, a length, rows by iteration, as ``supervision.Detections``."""

    xyxy, confidence, class_id = np.array(BOXES), np.array([0.9, 0.8]), np.array([0, 2])

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Any:
        return iter(
            [(b, None, c, k, None, {}) for b, c, k in zip(self.xyxy, self.confidence, self.class_id, strict=True)]
        )


@pytest.mark.parametrize(
    "boxes",
    [
        BOXES,
        np.array(BOXES, np.float32),
        pd.DataFrame(BOXES),
        torch.tensor(BOXES),
        ROWS,
        [],
        np.empty((0, 4)),
    ],
    ids=["list", "float32", "pandas", "torch", "tuples", "empty", "no rows"],
)
def test_arrays_of_any_library(boxes: Any) -> None:
    assert len(SortTracker().update(boxes)) == len(boxes)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"time": "1.5"}, "time: expected seconds, got '1.5'"),
        ({"image": "street.jpg"}, r"image: expected an array uint8 \[h w 3\] \(RGB\), got a str"),
        ({"image": np.zeros((4, 4), np.uint8)}, r"image: expected uint8 \[h w 3\]"),
    ],
)
def test_other_arguments(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SortTracker().update(BOXES, **arguments)


def test_step_takes_detections() -> None:
    wrong: Any = np.array(BOXES)
    with pytest.raises(ValueError, match=r"step: expected Detections, got a ndarray; Detections.of\(boxes, scores\)"):
        SortTracker().step(wrong)
    affine: Any = [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match=r"camera: expected an affine \[2 3\]"):
        SortTracker().step(Detections.of(BOXES), camera=affine)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            (SupervisionLike(),),
            r"got a SupervisionLike; .* tracker.update\(d.xyxy, d.confidence, d.class_id",
        ),
        ((None,), "got None; a frame without objects is an empty list"),
        (
            ([[10, 20, 50, 120, 0.9, 0]],),
            r"\[n 4\] \(xyxy\), got \[1, 6\]; write tracker.update\(b\[:, :4\]",
        ),
        (([[1, 2, 3, 4], [1, 2]],), r"boxes: expected numbers \[n 4\]"),
        ((["a"],), r"boxes: expected numbers \[n 4\] \(xyxy\), got"),
        (([{"x": 1}],), "boxes: expected numbers"),
        ((SimpleNamespace(boxes=1),), "boxes: expected numbers"),
        (([[1j, 2, 3, 4]],), "boxes: expected numbers"),
        (
            (BOXES, [0.9, 0.8], ["car", "person"]),
            r"classes: expected numbers \[2\], got 'car'; a class is the number",
        ),
        ((BOXES, [0.9, 0.8], [0.5, 1]), "classes: expected whole numbers, got 0.5"),
        ((BOXES, [0.9, 0.8], [np.nan, 1]), "classes: expected whole numbers, got nan"),
        ((np.ma.masked_array(BOXES, [[True] * 4, [False] * 4]),), "got a masked array; take the rows that are valid"),
        (([[True, False, True, True]],), r"boxes: expected numbers \[n 4\] \(xyxy\), got True"),
        ((BOXES, ["0.9", "x"]), "scores: expected numbers"),
        ((BOXES, [0.9]), r"scores: expected shape \[2\]"),
        ((torch.tensor(BOXES, requires_grad=True),), r"a tensor goes through .detach\(\).cpu\(\).numpy\(\)"),
        ((BOXES, None, None, [["a"], ["b"]]), "latents: expected numbers"),
    ],
)
def test_all_else_is_told(arguments: tuple[Any, ...], sentence: str) -> None:
    tracker = SortTracker()
    with pytest.raises(ValueError, match=sentence):
        tracker.update(*arguments)
    assert tracker.update(np.array(BOXES)).tolist() == [1, 2], "a refused frame leaves the tracker as it was"
