"""Drawing of a person: polygons around a skeleton.

Image points are complex numbers here, x + iy in pixels: a figure consists of about forty small polygons, for which
Python's own arithmetic is several times faster than arrays.
"""

from __future__ import annotations

from cmath import exp
from dataclasses import dataclass
from math import cos, hypot, pi, sin

import cv2
import numpy as np

from flatsort.scene.canvas import EYE, FINE, SUN, Colour, Sprite, View, shrink, tint
from flatsort.scene.people import Outfit, Pose, skeleton
from flatsort.tracker.types import Float, Image

Shape = tuple[list[complex], Colour]
"""Corners of a polygon and its colour."""

DARK = 0.75
"""Brightness of the side away from the sun."""

_ARC = [exp(1j * pi * (k / 6 - 0.5)) for k in range(7)]
_CIRCLE = [exp(1j * pi * k / 8) for k in range(16)]
_TRUNK = (
    (1.04, 0.045, 0.04),
    (0.97, 0.1, 0.055),
    (0.8, 0.112, 0.075),
    (0.55, 0.098, 0.075),
    (0.3, 0.084, 0.07),
    (0.0, 0.09, 0.076),
    (-0.12, 0.086, 0.072),
)
"""Height (0 hip, 1 neck), half width and half depth of the trunk in body heights."""
_HEIGHTS = [row[0] for row in _TRUNK]


@dataclass(frozen=True, eq=False)
class Figure:
    """The polygons of one person in one frame, farthest first.

    Attributes
    ----------
    points : float64 [n 2]
        Corners of all polygons, one after the other, pixels.
    shapes : tuple of (int, int, Colour)
        First and last + 1 corner and colour of each polygon.
    """

    points: Float
    shapes: tuple[tuple[int, int, Colour], ...]

    @property
    def box(self) -> Float:
        """Tight xyxy box [4] in pixels, not clipped at the image border."""
        return np.concatenate([self.points.min(axis=0), self.points.max(axis=0)])

    def sprite(self) -> Sprite:
        """Draw the person with smooth edges."""
        x, y, width, height = self._place()
        canvas = np.zeros((height * FINE, width * FINE, 4), np.uint8)
        points = np.round(((self.points - [x, y]) * FINE - 0.5) * 16).astype(np.int32)
        for first, last, colour in self.shapes:
            cv2.fillConvexPoly(canvas, points[first:last], (*colour, 255), cv2.LINE_AA, 4)
        return Sprite(shrink(canvas), x, y)

    def silhouette(self) -> Sprite:
        """Sprite of the covered pixels only (255 in every channel), with hard edges; faster than `sprite`."""
        x, y, width, height = self._place()
        mask = np.zeros((height, width), np.uint8)
        points = np.round((self.points - [x + 0.5, y + 0.5]) * 16).astype(np.int32)
        for first, last, _ in self.shapes:
            cv2.fillConvexPoly(mask, points[first:last], (255,), cv2.LINE_8, 4)
        return Sprite(np.repeat(mask[..., None], 4, axis=2), x, y)

    def _place(self) -> tuple[int, int, int, int]:
        left, top, right, bottom = self.box
        x, y = int(np.floor(left)) - 1, int(np.floor(top)) - 1
        return x, y, int(np.ceil(right)) + 1 - x, int(np.ceil(bottom)) + 1 - y


def draw(outfit: Outfit, pose: Pose, view: View) -> Figure:
    """Polygons of a person in a pose."""
    body = _Body(outfit, pose, view)
    layers = [(body.depth, body.trunk()), (body.depth - 0.01, body.head())]
    layers += [(body.away[first + 5], body.arm(first)) for first in (3, 10)]
    if "backpack" in outfit.extras:
        layers.append((body.depth - 0.2 * body.sin, body.backpack()))
    shapes = body.legs()
    for _, layer in sorted(layers, key=lambda item: -item[0]):
        shapes += layer
    ends = np.cumsum([len(corners) for corners, _ in shapes]).tolist()
    points = np.array([point for corners, _ in shapes for point in corners])
    spans = zip([0, *ends], ends, (colour for _, colour in shapes), strict=False)
    return Figure(np.stack([points.real, points.imag], axis=1), tuple(spans))


def cast_shadow(mask: Image, outfit: Outfit, pose: Pose, view: View) -> None:
    """Draw the person's shadow on the ground into a mask [h w], in place."""
    joints = skeleton(outfit, pose)
    joints[:, :2] += joints[:, 2:] * np.array(SUN)
    joints[:, 2] = 0.0
    points = np.round(view.project(joints) * 16).astype(int).tolist()
    unit = view.scale(pose.away) * outfit.height
    bars = ((0, 1, 0.15), (1, 2, 0.06), (3, 4, 0.08), (4, 5, 0.06), (10, 11, 0.08), (11, 12, 0.06))
    for start, end, wide in (*bars, (7, 8, 0.05), (8, 9, 0.04), (14, 15, 0.05), (15, 16, 0.04)):
        thickness = max(1, round(wide * unit * (0.6 + 0.4 * EYE / pose.away)))
        cv2.line(mask, points[start], points[end], (255,), thickness, cv2.LINE_AA, 4)
    axes = (round(1.1 * unit), max(1, round(0.8 * unit)))
    cv2.ellipse(mask, points[2], axes, 0, 0, 360, (255,), -1, cv2.LINE_AA, 4)


def _limb(start: complex, end: complex, wide: float, narrow: float) -> list[complex]:
    """Outline of a bar with round ends."""
    along = end - start
    turn = along / (abs(along) or 1.0)
    return [end + narrow * turn * a for a in _ARC] + [start - wide * turn * a for a in _ARC]


def _bar(start: complex, end: complex, wide: float, narrow: float, colour: Colour) -> list[Shape]:
    """A limb in two tones, lit from the left; a thin one in one tone."""
    if wide < 2.0:
        return [(_limb(start, end, wide, narrow), tint(colour, 0.9))]
    light = -0.28 * narrow
    inner = _limb(start + light, end + light, 0.66 * wide, 0.62 * narrow)
    return [(_limb(start, end, wide, narrow), tint(colour, DARK)), (inner, colour)]


def _oval(centre: complex, across: float, along: float, colour: Colour) -> Shape:
    return [centre + complex(across * c.real, along * c.imag) for c in _CIRCLE], colour


def _strip(rows: list[tuple[complex, float]], low: float, high: float) -> list[complex]:
    """Outline of rows of (middle, half width) between two shares of the half width."""
    return [middle + low * half for middle, half in rows] + [middle + high * half for middle, half in rows[::-1]]


class _Body:
    """One person in one frame; each method returns the shapes of one part."""

    def __init__(self, outfit: Outfit, pose: Pose, view: View) -> None:
        world = skeleton(outfit, pose)
        self.outfit = outfit
        self.away: list[float] = world[:, 1].tolist()
        self.joints = [complex(x, y) for x, y in view.project(world).tolist()]
        self.unit = view.scale(pose.away) * outfit.height
        self.thick = self.unit * outfit.build
        self.cos, self.sin = cos(pose.heading), sin(pose.heading)
        self.depth = pose.away

    def girth(self, row: float) -> tuple[complex, float]:
        """Middle and half width of the trunk at a height."""
        index = 0
        while index < len(_TRUNK) - 2 and row < _HEIGHTS[index + 1]:
            index += 1
        (high, wide, deep), (low, wide2, deep2) = _TRUNK[index : index + 2]
        t = (high - row) / (high - low)
        half = hypot((wide + t * (wide2 - wide)) * self.sin, (deep + t * (deep2 - deep)) * self.cos)
        return self.joints[0] + row * (self.joints[1] - self.joints[0]), self.thick * half

    def band(self, rows: list[float], low: float, high: float) -> list[complex]:
        """Outline of the trunk along ``rows``, between two shares of its half width."""
        return _strip([self.girth(row) for row in rows], low, high)

    def cloth(self, rows: list[float], colour: Colour) -> list[Shape]:
        """Part of the top, lit from the left."""
        sides = [self.girth(row) for row in rows]
        return [(_strip(sides, -1.0, 1.0), tint(colour, DARK)), (_strip(sides, -0.88, 0.42), colour)]

    def legs(self) -> list[Shape]:
        outfit, b = self.outfit, self.thick
        shapes: list[Shape] = []
        for first, dim in zip(sorted((3, 10), key=lambda k: -self.away[k]), (0.82, 1.0), strict=True):
            hip, knee, ankle, toe = self.joints[first : first + 4]
            cloth, skin = tint(outfit.bottom, dim), tint(outfit.skin, dim)
            sole = 0.008j * self.unit
            shapes += _bar(ankle + sole, toe + sole, 0.026 * self.unit, 0.02 * self.unit, tint(outfit.shoes, dim))
            if outfit.legs in ("shorts", "skirt"):
                shapes += _bar(knee, ankle, 0.036 * b, 0.024 * b, skin)
            else:
                shapes += _bar(knee, ankle, 0.043 * b, 0.033 * b, cloth)
            if outfit.legs == "skirt":
                shapes += _bar(hip, knee, 0.06 * b, 0.044 * b, skin)
            else:
                shapes += _bar(hip, knee, 0.062 * b, (0.056 if outfit.legs == "shorts" else 0.046) * b, cloth)
        if outfit.legs in ("skirt", "coat"):
            shapes += self.hem(outfit.bottom if outfit.legs == "skirt" else outfit.top)
        return shapes

    def hem(self, colour: Colour) -> list[Shape]:
        """Skirt, or the lower part of a coat, that follows the knees."""
        middle, half = self.girth(0.0)
        knees = (self.joints[4], self.joints[11])
        down = 0.5j * (knees[0].imag + knees[1].imag)
        left = min(k.real for k in knees) - 0.05 * self.thick
        wide = max(k.real for k in knees) + 0.05 * self.thick - left
        outline = [middle - half, left + down, left + wide + down, middle + half]
        inner = [middle - 0.9 * half, left + 0.1 * wide + down, left + 0.62 * wide + down, middle + 0.3 * half]
        return [(outline, tint(colour, DARK)), (inner, colour)]

    def trunk(self) -> list[Shape]:
        outfit, front = self.outfit, -self.sin
        shapes = self.cloth(_HEIGHTS, outfit.top)
        if outfit.pattern == "stripes":
            for low in (-0.05, 0.15, 0.35, 0.55, 0.75):
                shapes += self.cloth([low + 0.09, low], outfit.top2)
        elif outfit.pattern == "block":
            shapes += self.cloth(_HEIGHTS[3:], outfit.top2)
        elif outfit.pattern == "jacket" and front > -0.2:
            shift, gap = 0.75 * self.cos, 0.3 * (front + 0.25)
            shapes.append((self.band(_HEIGHTS[1:], max(shift - gap, -1), min(shift + gap, 1)), outfit.top2))
        if outfit.legs != "coat":
            shapes.append((self.band([-0.06, -0.12], -1.0, 1.0), tint(outfit.bottom, 0.7)))
        return shapes

    def arm(self, first: int) -> list[Shape]:
        outfit, u = self.outfit, self.thick
        shoulder, elbow, hand = self.joints[first + 4 : first + 7]
        dim = 0.84 if self.away[first + 4] > self.depth + 0.02 else 1.0
        sleeve, skin = tint(outfit.top, 0.94 * dim), tint(outfit.skin, dim)
        shapes: list[Shape] = []
        if "handbag" in outfit.extras and first == 10:
            drop, side = hand + 0.09j * u, 0.05 * u
            shapes += _bar(hand, drop, 0.008 * u, 0.008 * u, tint(outfit.bag, 0.6))
            outline = [drop - 0.8 * side, drop - side + 0.08j * u, drop + side + 0.08j * u, drop + 0.8 * side]
            shapes.append((outline, outfit.bag))
        shapes += _bar(hand, hand + 0.12 * (hand - elbow), 0.021 * u, 0.017 * u, skin)
        shapes += _bar(elbow, hand, 0.027 * u, 0.021 * u, skin if "short_sleeves" in outfit.extras else sleeve)
        return shapes + _bar(shoulder, elbow, 0.035 * u, 0.03 * u, sleeve)

    def head(self) -> list[Shape]:
        outfit, u = self.outfit, self.unit
        neck, head = self.joints[1], self.joints[2]
        front, to = -self.sin, self.cos
        shapes = _bar(neck + 0.01j * u, head, 0.034 * u, 0.03 * u, tint(outfit.skin, 0.9))
        if "long_hair" in outfit.extras:
            locks = head + complex(-0.03 * to, 0.03) * u
            hair = _oval(locks, (0.06 - 0.02 * abs(to)) * u, 0.085 * u, tint(outfit.hair, 0.85))
            shapes.insert(0 if front > 0 else len(shapes), hair)
        shapes.append(_oval(head + complex(-0.008 * to, -0.012) * u, 0.057 * u, 0.064 * u, outfit.hair))
        if front > -0.55:
            wide = (0.047 - 0.008 * abs(to)) * u * min(1.0, 0.75 + 0.45 * (front + 0.55))
            face = head + complex(0.02 * to, 0.012) * u
            shapes.append(_oval(face, wide, 0.056 * u, tint(outfit.skin, 0.84)))
            shapes.append(_oval(face - 0.006 * u, 0.82 * wide, 0.05 * u, outfit.skin))
            shapes.append(_oval(head + complex(0.004 * to, -0.044) * u, 0.05 * u, 0.03 * u, outfit.hair))
        if "hat" in outfit.extras:
            shapes.append(_oval(head + complex(0.012 * to, -0.04) * u, 0.082 * u, 0.016 * u, tint(outfit.bag, 0.65)))
            shapes.append(_oval(head - 0.055j * u, 0.056 * u, 0.036 * u, tint(outfit.bag, 0.85)))
        return shapes

    def backpack(self) -> list[Shape]:
        shift = -0.085 * self.cos * self.unit
        wide = self.unit * hypot(0.085 * self.sin, 0.06 * self.cos)
        rows = [
            (self.girth(row)[0] + shift, share * wide)
            for row, share in ((0.92, 0.75), (0.85, 1), (0.35, 1.05), (0.2, 0.85))
        ]
        bag = self.outfit.bag
        return [
            (_strip(rows, -1, 1), tint(bag, 0.7)),
            (_strip(rows, -0.8, 0.3), bag),
            (_strip(rows[2:], -0.6, 0.6), tint(bag, 0.82)),
        ]
