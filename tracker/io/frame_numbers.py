"""Which number a frame has: pictures by the number in their name or in order, and frames of which every n-th is used.

Boxes come with frame numbers of their own. Where pictures have other numbers than 1, 2, 3, …, these tell which reading
is meant: pictures 5, 10, …, 100 with boxes of frames 5, 10, …, 100 are read by name, pictures 15 to 34 with boxes of
frames 1 to 20 in order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flatsort.tracker.types import Int

CHANCE = 500
"""Boxes in every n-th frame only are taken to be meant where n to the power of their frames but one is above this."""
FEWEST = 4
"""Least number of frames that tell a step."""
FARTHEST = 100_000
"""Frames after the last picture that there may be; more are a mistake in a number."""
SPARSEST = 1000
"""Frames for each picture beyond which numbers in names are none of frames but time stamps or a camera's counter."""


@dataclass(frozen=True)
class PictureNumbers:
    """Frame numbers of pictures, and of all frames of their sequence.

    Attributes
    ----------
    pictures : dict of int to Path
        By frame number.
    frames : range
        Numbers of all frames, ascending; some may have no picture.
    by_name : bool
        Whether the numbers are those in the names (plus 1 where they count from 0), not the order.
    """

    pictures: dict[int, Path]
    frames: range
    by_name: bool


def number_pictures(
    paths: Sequence[Path],
    *,
    announced: int | None = None,
    last: int = 0,
    frames: Int | None = None,
    sequence: bool = False,
    pictured: bool = False,
) -> PictureNumbers:
    """Give pictures their frame numbers.

    Parameters
    ----------
    paths : sequence of Path
        Pictures in natural order.
    announced : int, optional
        Number of frames that the sequence says that it has.
    last : int
        Least number of the last frame, where numbers are those in the names.
    frames : int64 [n], optional
        Frame numbers of boxes that belong to the pictures. The reading that gives most of them a picture is taken;
        where several do, and without boxes, see ``sequence``.
    sequence : bool
        Whether numbers in names are preferred, as in MOTChallenge's sequences, unless the announced number of frames is
        that of the pictures or they are no frame numbers; else the order is.
    pictured : bool
        Whether frames without a picture are of no use: where every n-th frame has one, these are all frames.
    """
    in_order = dict(enumerate(paths, 1))
    named = _numbers_in_names(paths)
    readings = [in_order]
    if named is not None:
        readings = [named, in_order]
        if 0 in named:
            readings.insert(0, {number + 1: path for number, path in named.items()})
        if not sequence or announced == len(paths) or not _are_frames(named, announced or last):
            readings.reverse()
    best = readings[0]
    if frames is not None and len(frames):
        plausible = [each for each in readings if each is in_order or _is_dense(each)]
        best = max(plausible, key=lambda each: _fit(np.array(list(each)), np.unique(frames)))
    if best is in_order:
        return PictureNumbers(in_order, range(1, len(paths) + 1), by_name=False)
    return PictureNumbers(best, _frames_of(list(best), announced or 0, last, frames, pictured), by_name=True)


def count_from_1(paths: Sequence[Path]) -> bool:
    """Whether names and order give pictures the same numbers."""
    named = _numbers_in_names(paths)
    return named is None or list(named) == list(range(1, len(paths) + 1))


def every_nth(frames: Int) -> int:
    """The step of frame numbers that come in every n-th frame only, with few left out; else 1.

    Parameters
    ----------
    frames : int64 [n]
        In any order, more than once or not.
    """
    present = np.unique(frames)
    if len(present) < FEWEST:
        return 1
    step = int(np.gcd.reduce(np.diff(present)))
    dense = 2 * len(present) > (present[-1] - present[0]) // step
    meant = step > 1 and (len(present) - 1) * np.log(step) > np.log(CHANCE)
    return step if dense and meant else 1


def stride_of(numbers: range, frames: Int | None, stride: int | None) -> tuple[int, int]:
    """Place of the first frame to work on, and the stride from one to the next, among ``numbers``.

    Parameters
    ----------
    numbers : range
        Of all frames.
    frames : int64 [n] or None
        Frame numbers of boxes. The frames that are worked on are those with boxes, where the stride allows it.
    stride : int or None
        Every how many frames; None: as the boxes come.
    """
    if frames is not None:
        frames = frames[np.isin(frames, numbers)] if numbers.step > 1 else frames[frames >= numbers.start]
    if frames is None or not len(frames) or not len(numbers):
        return 0, stride or 1
    places = (frames - numbers.start) // numbers.step
    stride = every_nth(places) if stride is None else stride
    counts = np.bincount(places % stride, minlength=stride)
    return int(counts.argmax()), stride


def _frames_of(pictures: list[int], announced: int, last: int, frames: Int | None, pictured: bool) -> range:
    """Frames from 1 on, or from the first picture or box on where these say that the sequence begins later."""
    lowest, highest = min(pictures), max(pictures)
    step = every_nth(np.array(pictures))
    if step > 1 and (pictured or frames is None or not ((frames - lowest) % step).any()):
        return range(lowest, highest + 1, step)
    first = 1
    if frames is not None and len(frames) and len(pictures) >= FEWEST and announced < highest:
        first = min(lowest, int(frames.min()))
    end = announced or last
    return range(first, (end if highest < end <= highest + FARTHEST else highest) + 1)


def _numbers_in_names(paths: Sequence[Path]) -> dict[int, Path] | None:
    """Pictures by the last number in their names, or the first one; None where these are not distinct."""
    digits = [re.findall("[0-9]+", path.stem) for path in paths]
    if not all(digits):
        return None
    for place in (-1, 0):
        named = {int(groups[place][-18:]): path for groups, path in zip(digits, paths, strict=True)}
        if len(named) == len(paths):
            return dict(sorted(named.items()))
    return None


def _are_frames(named: dict[int, Path], announced: int) -> bool:
    """Whether numbers may be of frames where no boxes tell; higher ones are time stamps or a camera's counter."""
    return max(named) + (0 in named) <= max(announced, 10 * len(named))


def _fit(pictures: Int, frames: Int) -> tuple[int, int]:
    """How many frames of boxes have a picture and, where some have, how near the last ones of both are."""
    shown = int(np.isin(frames, pictures).sum())
    return shown, 0 if shown in (0, len(frames)) else -abs(int(pictures.max() - frames.max()))


def _is_dense(named: dict[int, Path]) -> bool:
    return max(named) - min(named) <= SPARSEST * len(named)
