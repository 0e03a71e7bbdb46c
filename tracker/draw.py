"""Tracks drawn on a frame: boxes, ids, classes and where each one came from."""

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
"""Turns of the hue from one id to the next: any run of ids is spread evenly over the circle."""
DASH = 6
"""Length of a dash and of a gap, in line widths."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


@lru_cache(maxsize=4096)
def colour(track: int) -> Colour:
    """RGB colour of an id, 0..255: the same in every frame and run, far from those of neighbouring ids."""
    hue = track * GOLDEN % 1.0
    saturation, value = ((0.85, 0.95), (0.55, 1.0), (0.95, 0.7))[track % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


class Trails:
    """Latest positions of each track, in bounded memory.

    Parameters
    ----------
    length : int
        Positions kept of each track.
    forget : int
        Frames after which a track that was not reported is forgotten.
    """

    def __init__(self, length: int = 30, forget: int = 30) -> None:
        if length < 0 or forget < 0:
            raise ValueError(f"trails: expected length and forget from 0, got {length} and {forget}")
        self._length = length
        self._forget = forget
        self._clock = 0
        self._points: dict[int, deque[tuple[int, int]]] = {}
        self._seen: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, track: int) -> list[tuple[int, int]]:
        """Positions of a track in pixels, oldest first; empty for an unknown one."""
        return list(self._points.get(track, ()))

    def add(self, tracks: Tracks) -> None:
        """Remember where the tracks of the next frame stand: the middle of each box's lower edge."""
        self._clock += 1
        usable = drawable(tracks.boxes)
        boxes = tracks.boxes[usable]
        feet = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]]).round().astype(int).tolist()
        for track, (x, y) in zip(tracks.ids[usable].tolist(), feet, strict=True):
            self._points.setdefault(track, deque(maxlen=self._length)).append((x, y))
            self._seen[track] = self._clock
        gone = [track for track, seen in self._seen.items() if self._clock - seen > self._forget]
        for track in gone:
            del self._points[track], self._seen[track]


def draw(
    image: Image, tracks: Tracks, *, trails: Trails | None = None, names: Sequence[str] = (), scores: bool = False
) -> Image:
    """Draw tracks on a copy of an image.

    Parameters
    ----------
    image : uint8 [h w 3]
        RGB; left as it is.
    tracks : Tracks
        Boxes without a detection (``source`` −1) are dashed; what is not finite is left out.
    trails : Trails, optional
        Positions to connect, added before.
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
    # what lies far outside is not seen, and its dashes would be counted in millions
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
    """Draws the results of one source, in their order, with trails.

    Parameters
    ----------
    names : sequence of str
        Name of each class; a single one is not written.
    trail : int
        Positions of the trail, 0 for none.
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
    """Tell which boxes [n 4] have four finite numbers of a size that pixels have; [n]."""
    return np.asarray((np.abs(boxes) < 1e6).all(axis=1))


def _labels(tracks: Tracks, names: Sequence[str], scores: bool) -> list[str]:
    labels = [str(track) for track in tracks.ids.tolist()]
    if names:
        kinds = (names[kind] if 0 <= kind < len(names) else str(kind) for kind in tracks.classes.tolist())
        labels = [f"{label} {kind}" for label, kind in zip(labels, kinds, strict=True)]
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
    """Write on a filled ground above the box, or inside of it where there is no room above."""
    (width, height), below = cv2.getTextSize(text, FONT, 0.45 * unit, unit)
    wide, high = width + 2 * unit, height + below + 2 * unit
    left = max(0, min(box[0], out.shape[1] - wide))
    top = box[1] - high if box[1] >= high else max(box[1], 0)
    cv2.rectangle(out, (left, top), (left + wide, top + high), shade, cv2.FILLED)
    light = 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2]
    ink = (0, 0, 0) if light > 128 else (255, 255, 255)
    origin = (left + unit, top + high - below - unit)
    cv2.putText(out, text, origin, FONT, 0.45 * unit, ink, unit, cv2.LINE_AA)
