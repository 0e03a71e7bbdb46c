"""Whether boxes fit the sequence that they are used on, and their scores the tracker: checked before work starts.

Arrays in, notes out: what may be meant is a note with a count, what can only give wrong results is a ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flatsort.tracker.boxes import valid
from flatsort.tracker.types import Bool, Detections, Float, Int

if TYPE_CHECKING:  # videos need OpenCV, which an evaluation does not
    from flatsort.tracker.io.file_source import FileSource
    from flatsort.tracker.sort import SortConfig

FEW = 3
"""Boxes below which shape and place say nothing."""
MANY = 20
"""Boxes from which what all of them share is no chance."""
LONG = 100_000
"""Frames without boxes and images that may be meant: most of an hour."""
SHARE_LIMIT = 1.5
"""Pixels within which boxes lie if they are shares of the picture, which may reach beyond it."""
MARGIN = 1.05
"""Part of the picture's width or height up to which a detector's boxes reach beyond its border."""


@dataclass(frozen=True, eq=False)
class InputBoxes:
    """The boxes of a file, one entry each.

    Attributes
    ----------
    path : Path
    frames : int64 [n]
    boxes : float64 [n 4]
        xyxy, pixels; not checked.
    scores : float64 [n]
    what : str
        What they are called in sentences.
    """

    path: Path
    frames: Int
    boxes: Float
    scores: Float
    what: str = "detections"

    @classmethod
    def of(cls, path: str | Path, by_frame: Mapping[int, Detections]) -> InputBoxes:
        """Of the detections of each frame."""
        every = list(by_frame.values())
        frames = np.repeat(np.array(list(by_frame), np.int64), [len(each) for each in every])
        boxes = np.concatenate([np.empty((0, 4)), *(each.boxes for each in every)])
        return cls(Path(path), frames, boxes, np.concatenate([np.empty(0), *(each.scores for each in every)]))

    def __len__(self) -> int:
        return len(self.frames)

    def counted(self, mask: Bool) -> str:
        """How many of them, as the begin of a sentence."""
        return f"{self.path}: {int(mask.sum()) or 'none'} of {len(self)} {self.what}"


def check_input(
    given: InputBoxes, source: FileSource, size: tuple[int, int] | None, thresholds: Mapping[str, float] | None = None
) -> list[str]:
    """All that can be said of boxes on a source; see `check_frames`, `check_boxes` and `check_scores`.

    Parameters
    ----------
    given : InputBoxes
    source : FileSource
    size : tuple of int or None
        Width and height of its images, where they are known.
    thresholds : mapping of str to float, optional
        Those of scores that are used.

    Raises
    ------
    ValueError
        If the boxes can only be wrong there.
    """
    length = (source.length or 0) * source.stride
    # headers of intact videos are often wrong by a few frames
    numbers = source.numbers or range(1, length + max(2, length // 100) + 1)
    images = length - source.absent * source.stride
    return [
        *check_frames(given, numbers, images=images, by_name=source.by_name),
        *check_boxes(given, size),
        *check_scores(given, thresholds or {}),
    ]


def stride_note(path: str | Path, what: str, source: FileSource) -> str:
    """What users should know of frames that are left out without being asked for; empty where none is."""
    if source.stride > 1:
        which = f"{what} come in one of {source.stride} frames, from frame {source.first} on"
        return f"{path}: {which}: only these are used"
    if source.numbers.step > 1:
        return f"{source.name}: one of {source.numbers.step} frames has an image: only these are used"
    return ""


def check_frames(given: InputBoxes, numbers: range, *, images: int, by_name: bool = False) -> list[str]:
    """Compare the frame numbers of boxes with those of a sequence.

    Parameters
    ----------
    given : InputBoxes
    numbers : range
        Of the frames of the sequence.
    images : int
        How many of these have an image.
    by_name : bool
        Whether they are the numbers in the names of images.

    Raises
    ------
    ValueError
        If no box is of a frame of the sequence, or most frames have neither boxes nor an image and there are so many
        that a number must be wrong.
    """
    if not len(given) or not len(numbers):
        return []
    present = np.unique(given.frames)
    first, last, start = numbers.start, numbers[-1], int(present[0])
    if len(numbers) > max(LONG, 100 * (len(present) + images)):
        edges = np.concatenate([[first - 1], present[(present >= first) & (present <= last)], [last + 1]])
        at = int(np.diff(edges).argmax())
        gap = f"frames {edges[at] + 1} to {edges[at + 1] - 1} have no {given.what}"
        raise ValueError(f"{given.path}: {gap} and no images, expected fewer than {LONG} of them (or --no-check)")
    inside = (given.frames >= first) & (given.frames <= last) & ((given.frames - first) % numbers.step == 0)
    if not inside.any():
        where = f"is of frames {first} to {last}, the first is of frame {start}"
        raise ValueError(f"{given.counted(inside)} {where}")
    notes = []
    if by_name and first > 1 and start > len(numbers):
        where = f"is of frames 1 to {len(numbers)}, the first is of frame {start}"
        named = f"frames have the numbers in the names of the images, {first} to {last}"
        notes.append(f"{given.counted(np.zeros(1, np.bool_))} {where}: {named}")
    elif by_name and first > 1:
        notes.append(f"{given.path}: frames have the numbers in the names of the images, {first} to {last}")
    beyond = (given.frames < first) | (given.frames > last)
    if beyond.any():
        where = f"are of frames beyond {first} to {last}, the first is of frame {given.frames[beyond].min()}"
        notes.append(f"{given.counted(beyond)} {where}")
    between = ~inside & ~beyond
    if between.any():
        notes.append(f"{given.counted(between)} are of frames without an image: one of {numbers.step} has one")
    return notes


def check_boxes(given: InputBoxes, size: tuple[int, int] | None) -> list[str]:
    """Compare boxes with the picture.

    Parameters
    ----------
    given : InputBoxes
    size : tuple of int or None
        Width and height of the picture in pixels, where it is known.

    Raises
    ------
    ValueError
        If the boxes are shares of the picture, columns 5 and 6 are right and bottom, or nearly all lie outside.
    """
    boxes = given.boxes[valid(given.boxes)]
    if len(boxes) < FEW:
        return []
    if (np.abs(boxes) <= SHARE_LIMIT).all():
        raise ValueError(
            f"{given.path}: every coordinate of {len(given)} {given.what} lies within {boxes.min():.2g} to "
            f"{boxes.max():.2g}, expected pixels: are these shares of the picture (0 to 1)?"
        )
    if size is None:
        return _without_size(given, boxes)
    width, height = size
    limits = np.array([width, height], np.float64)
    corners, wide = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] > MARGIN * limits).any(axis=1)
    as_corners = (corners > boxes[:, :2]).all(axis=1) & (corners <= MARGIN * limits).all(axis=1)
    picture = f"a picture of {width}x{height}"
    if wide.mean() >= 0.05 and as_corners.mean() >= 0.98:
        reach = " and ".join(f"{axis} = {m:.0f}" for axis, m in zip("xy", boxes[:, 2:].max(axis=0), strict=True))
        sentence = f"{given.path}: {given.what} reach {reach} in {picture}: are columns 5 and 6 right and bottom?"
        if wide.mean() >= 0.25:
            raise ValueError(sentence)
        return [sentence]
    outside = np.logical_or((boxes[:, :2] >= limits).any(axis=1), (boxes[:, 2:] <= 0).any(axis=1))
    if outside.mean() >= 0.02:
        sentence = f"{given.counted(outside)} lie outside of {picture}: were they found in one of another size?"
        if outside.mean() >= 0.9:
            raise ValueError(sentence)
        return [sentence]
    return _of_smaller_picture(given, boxes, limits)


def check_scores(given: InputBoxes, thresholds: Mapping[str, float]) -> list[str]:
    """Compare scores with the thresholds that are used.

    Parameters
    ----------
    given : InputBoxes
    thresholds : mapping of str to float
        By the key of the config; see `thresholds_of`. Where there are none, any score will do.
    """
    scores = given.scores[np.isfinite(given.scores)]
    if not len(scores) or not thresholds:
        return []
    low, high, used = float(scores.min()), float(scores.max()), "{}={:g}".format(*max(thresholds.items(), key=_value))
    shares = all(0 <= value <= 1 for value in thresholds.values())
    notes = []
    for key in ("detector.min_score", "min_score", "lifecycle.birth_score"):
        least = thresholds.get(key)
        if least is not None and high < least:
            effect = "no track can start" if key.startswith("life") else "none is used"
            notes.append(f"{given.path}: no score reaches {key}={least:g}, the highest is {high:g}: {effect}")
            break
    if shares and low < 0:
        count = given.counted(given.scores < 0)
        notes.append(f"{count} have a score below 0, thresholds such as {used} are of 0 to 1: are these logits?")
    elif shares and high > 1.01 and np.median(scores) > 1:
        scale = "percent" if high <= 100 else "of another scale"
        notes.append(
            f"{given.path}: scores reach {high:g}, thresholds such as {used} are of 0 to 1: are these {scale}?"
        )
    elif low == high != 1 and len(scores) >= MANY and not notes:
        notes.append(f"{given.path}: every score is {high:g}, so that {used} tells no {given.what} apart")
    return notes


def thresholds_of(config: SortConfig, detector_min_score: float | None = None) -> dict[str, float]:
    """The thresholds of scores that a tracker and its detector use, by key."""
    every = {
        "detector.min_score": detector_min_score,
        "min_score": config.min_score,
        "lifecycle.birth_score": config.lifecycle.birth_score,
        **{f"stages.{name}.min_score": stage.min_score for name, stage in config.stages.items()},
    }
    return {key: value for key, value in every.items() if value is not None}


def _value(item: tuple[str, float]) -> float:
    return item[1]


def _without_size(given: InputBoxes, boxes: Float) -> list[str]:
    """A note where sizes look like right and bottom: larger than left and top of every box, wherever that lies."""
    corners = boxes[:, 2:] - boxes[:, :2]
    real = corners - boxes[:, :2]
    spread = boxes[:, :2].std(axis=0) > np.median(real, axis=0)
    if len(boxes) >= MANY and (real > 0).all() and spread.any():
        return [f"{given.path}: columns 5 and 6 exceed 3 and 4 in every row: are they right and bottom?"]
    return []


def _of_smaller_picture(given: InputBoxes, boxes: Float, limits: Float) -> list[str]:
    """A note where boxes fill a smaller picture of the same shape from corner to corner."""
    reach = boxes[:, 2:].max(axis=0) / limits
    fills = (boxes[:, :2].min(axis=0) < 0.05 * limits).all() and reach.max() - reach.min() < 0.02 * reach.max()
    if len(boxes) < 5 * MANY or not fills or reach.max() > 0.8:
        return []
    width, height = limits.astype(int)
    part = f"{given.what} reach no farther than {reach.max():.0%} of a picture of {width}x{height} in both directions"
    return [f"{given.path}: {part}: were they found in a smaller one?"]
