"""Drawing of tracks on images: boxes, ids, classes and trails."""

from __future__ import annotations

import colorsys
from collections import deque
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from flatsort.tracker.types import Bool, Float, FrameResult, Image, Tracks

Colour = tuple[int, int, int]

GOLDEN = 0.6180339887498949
"""Difference in hue between successive ids, the golden ratio: successive ids are spread evenly over all hues."""
DASH = 6
"""Length of a dash and of a gap, in line widths."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


@lru_cache(maxsize=4096)
def colour(track: int) -> Colour:
    """RGB colour of an id, 0..255: always the same, and different from those of neighbouring ids."""
    hue = track * GOLDEN % 1.0
    saturation, value = ((0.85, 0.95), (0.55, 1.0), (0.95, 0.7))[track % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


class Trails:
    """The latest positions of each track.

    Parameters
    ----------
    length : int
        Positions kept of each track.
    forget : int
        A track that was not reported for more than this many frames is forgotten.
    """

    def __init__(self, length: int = 30, forget: int = 30) -> None:
        if length < 0 or forget < 0:
            raise ValueError(f"trails: expected length and forget from 0, got {length} and {forget}")
        self._length = length
        self._forget = forget
        self._frame = 0
        self._points: dict[int, deque[tuple[int, int]]] = {}
        self._last_frame: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, track: int) -> list[tuple[int, int]]:
        """Positions of a track in pixels, oldest first; empty for an unknown one."""
        return list(self._points.get(track, ()))

    def add(self, tracks: Tracks) -> None:
        """Add the positions of the tracks in the next frame: the middle of each box's lower edge."""
        self._frame += 1
        usable = drawable(tracks.boxes)
        boxes = tracks.boxes[usable]
        feet = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]]).round().astype(int).tolist()
        for track, (x, y) in zip(tracks.ids[usable].tolist(), feet, strict=True):
            self._points.setdefault(track, deque(maxlen=self._length)).append((x, y))
            self._last_frame[track] = self._frame
        forgotten = [track for track, last in self._last_frame.items() if self._frame - last > self._forget]
        for track in forgotten:
            del self._points[track], self._last_frame[track]


def draw(
    image: Image, tracks: Tracks, *, trails: Trails | None = None, names: Sequence[str] = (), scores: bool = False
) -> Image:
    """Draw tracks on a copy of an image.

    Parameters
    ----------
    image : uint8 [h w 3]
        RGB; not changed.
    tracks : Tracks
        Boxes without a detection (``source`` −1) are dashed; those that are not finite are left out.
    trails : Trails, optional
        Trails to draw, which include the tracks of this frame.
    names : sequence of str
        Name of each class, written beside the id; without names ids only.
    scores : bool
        Write the score too.

    Returns
    -------
    uint8 [h w 3]
        RGB.
    """
    out = np.array(image, np.uint8, order="C")
    height, width = image.shape[:2]
    unit = max(1, round(max(height, width) / 900))
    tracks = tracks[drawable(tracks.boxes)]
    # boxes far outside of the image are clipped, as their dashes could be millions
    margin = 4 * unit
    corners = np.clip(tracks.boxes, -margin, [width + margin, height + margin] * 2).round().astype(int)
    if trails is not None:
        for track in tracks.ids.tolist():
            points = np.array(trails[track], np.int32).reshape(-1, 1, 2)
            cv2.polylines(out, [points], False, colour(track), unit)
    rows = zip(tracks.ids.tolist(), corners.tolist(), tracks.source.tolist(), strict=True)
    for track, box, source in rows:
        _box(out, box, colour(track), 2 * unit, dashed=source < 0)
    labels = _labels(tracks, names, scores)
    for track, box, label in zip(tracks.ids.tolist(), corners.tolist(), labels, strict=True):
        _label(out, box, label, colour(track), unit)
    return out


class Painter:
    """Draws the results of one source, frame by frame, with trails.

    Parameters
    ----------
    names : sequence of str
        Name of each class; a single one is not written.
    trail : int
        Length of a trail in frames, 0 for none.
    scores : bool
        Write scores.
    """

    def __init__(self, names: Sequence[str] = (), *, trail: int = 30, scores: bool = False) -> None:
        self._names = names if len(names) > 1 else ()
        self._trails = Trails(trail)
        self._scores = scores

    def __call__(self, result: FrameResult) -> Image:
        """Draw a result on a copy of its frame's image.

        Raises
        ------
        ValueError
            If the frame has no image.
        """
        if result.frame.image is None:
            raise ValueError(f"frame {result.frame.index}: expected an image to draw on, got none")
        self._trails.add(result.tracks)
        return draw(result.frame.image, result.tracks, trails=self._trails, names=self._names, scores=self._scores)


def drawable(boxes: Float) -> Bool:
    """Which boxes [n 4] are finite and within ± a million pixels; [n]."""
    return np.asarray((np.abs(boxes) < 1e6).all(axis=1))


def _labels(tracks: Tracks, names: Sequence[str], scores: bool) -> list[str]:
    labels = [str(track) for track in tracks.ids.tolist()]
    if names:
        classes = (names[index] if 0 <= index < len(names) else str(index) for index in tracks.classes.tolist())
        labels = [f"{label} {name}" for label, name in zip(labels, classes, strict=True)]
    if scores:
        labels = [f"{label} {score:.2f}" for label, score in zip(labels, tracks.scores.tolist(), strict=True)]
    return labels


def _box(out: Image, box: Sequence[int], shade: Colour, thickness: int, *, dashed: bool) -> None:
    left, top, right, bottom = box
    if not dashed:
        cv2.rectangle(out, (left, top), (right, bottom), shade, thickness)
        return
    step = DASH * thickness
    across = [[(x, y), (min(x + step, right), y)] for y in (top, bottom) for x in range(left, right, 2 * step)]
    down = [[(x, y), (x, min(y + step, bottom))] for x in (left, right) for y in range(top, bottom, 2 * step)]
    cv2.polylines(out, [np.array(dash, np.int32) for dash in across + down], False, shade, thickness)


def _label(out: Image, box: Sequence[int], text: str, shade: Colour, unit: int) -> None:
    """Write a label on a filled rectangle above the box, or inside of it where there is no room above."""
    (width, height), below = cv2.getTextSize(text, FONT, 0.45 * unit, unit)
    wide, high = width + 2 * unit, height + below + 2 * unit
    left = max(0, min(box[0], out.shape[1] - wide))
    top = box[1] - high if box[1] >= high else max(box[1], 0)
    cv2.rectangle(out, (left, top), (left + wide, top + high), shade, cv2.FILLED)
    light = 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2]
    ink = (0, 0, 0) if light > 128 else (255, 255, 255)
    origin = (left + unit, top + high - below - unit)
    cv2.putText(out, text, origin, FONT, 0.45 * unit, ink, unit, cv2.LINE_AA)
