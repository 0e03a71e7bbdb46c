"""Background of the demonstration scene, and the things that occlude people: pavement, houses, trees, columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from flatsort.scene.canvas import EYE, FINE, SUN, WALL, Colour, Sprite, View, polygon, shrink, tint
from flatsort.tracker.types import Float, Image, Int

_TREES = ((-4.9, 9.6, 1.7), (8.9, 17.0, 2.1))
"""Metres right and away, and size of the crown."""
_POLES = ((-4.9, 9.6, 3.0, 0.16), (8.9, 17.0, 3.0, 0.16), (2.3, 10.8, 4.6, 0.06), (-2.3, 15.5, 3.1, 0.6))
"""Upright things that cast a shadow: metres right and away, height, radius."""


@dataclass(frozen=True, eq=False)
class Thing:
    """A thing that stands on the ground and occludes what is behind it: position in metres, and its sprite."""

    right: float
    away: float
    sprite: Sprite


def background(view: View, generator: np.random.Generator) -> Image:
    """Image of the square without people and things, uint8 [h w 3]."""
    fine = View(view.width * FINE, view.height * FINE)
    base = int(fine.project(np.array([0.0, WALL, 0.0]))[1])
    canvas = np.zeros((fine.height, fine.width, 3), np.uint8)
    canvas[base:] = _pavement(fine, base, generator)
    _houses(canvas, fine, generator)
    _shade(canvas, fine, base, generator)
    for k in range(-6, 7):
        _bollard(canvas, fine, 2.9 * k + 0.2, 25.4)
    small = shrink(canvas).astype(np.float64)
    across = np.linspace(-1, 1, view.width) ** 2
    along = np.linspace(-1, 1, view.height)[:, None] ** 2
    small *= (1.04 - 0.09 * (across + along))[..., None]
    small += generator.normal(0, 2.2, (view.height, view.width, 1))
    return np.clip(small, 0, 255).astype(np.uint8)


def _pavement(view: View, base: int, generator: np.random.Generator) -> Image:
    """Pavement of slabs with bands of pale stone, in perspective."""
    columns, lines = np.meshgrid(np.arange(view.width, dtype=np.float64), np.arange(base, view.height) + 0.5)
    right, away = view.ground(columns, lines)
    tones = generator.normal(0, 1, 4096)
    row = np.floor(away / 0.55)
    across = right / 0.9 + 0.5 * (row % 2)
    slab: Int = (row * 613 + np.floor(across) * 97).astype(np.int64) % 4096
    flat = 1 / (1.45 * view.height)
    pixel = away**2 * flat / EYE
    seam = np.abs(away / 0.55 - np.round(away / 0.55)) * 0.55
    side = np.abs(across - np.round(across)) * 0.9
    sharp = np.maximum(np.clip((0.012 - seam) / pixel + 0.6, 0, 1), np.clip((0.012 - side) / (away * flat) + 0.6, 0, 1))
    joint = sharp * np.clip(12 / away, 0.15, 1)
    stains = cv2.resize(generator.normal(0, 1, (9, 16)), right.shape[::-1], interpolation=cv2.INTER_CUBIC)
    light = 1.0 + 0.035 * tones[slab] * np.clip(18 / away, 0.3, 1) + 0.025 * stains - 0.22 * joint
    band = (np.abs(right / 5.4 - np.round(right / 5.4)) * 5.4 < 0.27) | (np.abs(away - 17.3) < 0.28)
    walk = away > 25.6
    light *= np.where(walk, 1.07, np.where(band, 1.13, 1.0))
    light[np.abs(away - 25.5) < 0.12] *= 0.7
    stone = np.array([183, 172, 157]) + np.clip(away / 30, 0, 1)[..., None] * np.array([9, 8, 10])
    pixels: Image = np.clip(stone * light[..., None], 0, 255).astype(np.uint8)
    return pixels


def _houses(canvas: Image, view: View, generator: np.random.Generator) -> None:
    """Three fronts with shops below and windows above."""

    def block(x0: float, x1: float, low: float, high: float, colour: Colour) -> None:
        corners = view.project(np.array([[x0, WALL, high], [x1, WALL, high], [x1, WALL, low], [x0, WALL, low]]))
        polygon(canvas, corners, colour)

    plaster: tuple[Colour, ...] = ((214, 184, 142), (197, 146, 120), (222, 208, 182), (176, 170, 150))
    awnings: tuple[Colour, ...] = ((150, 48, 44), (44, 92, 84), (52, 72, 120), (176, 120, 44))
    half = 0.5 * view.width / view.scale(WALL)
    left, house = -half - 3.0, 0
    while left < half:
        wide = 10.5 if house % 2 else 12.6
        wall = plaster[house % 4]
        block(left, left + wide, 0, 12, wall)
        block(left, left + wide, 3.75, 3.95, tint(wall, 0.82))
        block(left, left + wide, 3.95, 4.05, tint(wall, 1.12))
        block(left, left + wide, 0, 0.55, tint(wall, 0.68))
        block(left, left + 0.18, 0, 12, tint(wall, 0.72))
        for middle in np.arange(left + 1.6, left + wide - 0.8, 2.3):
            _window(block, float(middle), wall, awnings[(house + 1) % 4], generator)
        for shop, middle in enumerate((left + 0.27 * wide, left + 0.73 * wide)):
            _shop(block, float(middle), awnings[(2 * house + shop) % 4], generator)
        block(left + 0.5 * wide - 0.6, left + 0.5 * wide + 0.6, 0, 2.6, tint(wall, 0.6))
        block(left + 0.5 * wide - 0.5, left + 0.5 * wide + 0.5, 0, 2.5, (74, 52, 40))
        block(left + 0.5 * wide - 0.38, left + 0.5 * wide + 0.38, 1.3, 2.35, (92, 66, 50))
        left, house = left + wide, house + 1
    grain = cv2.resize(generator.normal(0, 5, (60, 200)), (view.width, view.height), interpolation=cv2.INTER_LINEAR)
    base = int(view.project(np.array([0.0, WALL, 0.0]))[1])
    canvas[:base] = np.clip(canvas[:base] + grain[:base, :, None], 0, 255).astype(np.uint8)


Block = Callable[[float, float, float, float, Colour], None]


def _window(block: Block, middle: float, wall: Colour, shutter: Colour, generator: np.random.Generator) -> None:
    """One window of an upper floor, with shutters."""
    block(middle - 0.62, middle + 0.62, 4.85, 7.0, tint(wall, 1.15))
    block(middle - 0.5, middle + 0.5, 5.0, 6.9, (70, 82, 92))
    block(middle - 0.5, middle + 0.5, 5.0, 5.0 + 1.9 * generator.uniform(0.2, 0.7), (96, 112, 124))
    block(middle - 0.04, middle + 0.04, 5.0, 6.9, (230, 224, 212))
    block(middle - 0.5, middle + 0.5, 6.1, 6.17, (230, 224, 212))
    for side in (-0.83, 0.83):
        block(middle + side - 0.2, middle + side + 0.2, 4.95, 6.95, tint(shutter, 0.9))
    block(middle - 0.7, middle + 0.7, 4.72, 4.85, tint(wall, 0.75))


def _shop(block: Block, middle: float, awning: Colour, generator: np.random.Generator) -> None:
    """Shop window with goods behind the glass and a striped awning."""
    block(middle - 1.75, middle + 1.75, 0, 3.0, tint(awning, 0.55))
    block(middle - 1.6, middle + 1.6, 0.6, 2.85, (58, 62, 66))
    for place in np.linspace(-1.35, 1.2, 7):
        goods = generator.integers(70, 190, 3)
        high = 0.6 + generator.uniform(0.3, 1.2)
        block(middle + place, middle + place + 0.24, 0.6, high, (int(goods[0]), int(goods[1]), int(goods[2])))
    block(middle - 0.03, middle + 0.03, 0.6, 2.85, tint(awning, 0.7))
    for stripe in range(9):
        colour = awning if stripe % 2 == 0 else (226, 218, 202)
        x = middle - 2.0 + stripe * 4.0 / 9
        block(x, x + 4.0 / 9, 2.55, 3.35, colour)
        block(x, x + 4.0 / 9, 2.4, 2.55, tint(colour, 0.78))


def _shade(canvas: Image, view: View, base: int, generator: np.random.Generator) -> None:
    """Darken the ground along the houses and under the trees, in place."""
    mask = np.zeros(canvas.shape[:2], np.uint8)
    foot = view.project(np.array([[-99, WALL, 0], [99, WALL, 0], [99, WALL - 1.6, 0], [-99, WALL - 1.6, 0]]))
    polygon(mask, foot, (150,))
    mask[:base] = 0
    for right, away, size in _TREES:
        spots = _inside(generator, 420) * size
        middle = np.array([right + SUN[0] * 3.2, away + SUN[1] * 3.2])
        for x, z in middle + spots:
            centre = view.project(np.array([x, z, 0.0]))
            radius = generator.uniform(0.05, 0.16) * view.scale(z)
            axes = (round(radius), round(radius * EYE / z))
            cv2.ellipse(mask, (round(centre[0]), round(centre[1])), axes, 0, 0, 360, (255,), -1, cv2.LINE_AA)
    for right, away, up, radius in _POLES:
        sides = np.array([[right - radius, away], [right + radius, away]])
        tips = sides + np.array(SUN) * up
        polygon(mask, view.project(np.array([[*p, 0.0] for p in (*sides, *tips[::-1])])), (255,))
    soft = cv2.GaussianBlur(mask, (0, 0), 1.6 * FINE).astype(np.float64)[..., None] / 255
    canvas[:] = np.clip(canvas * (1 - soft * np.array([0.42, 0.40, 0.34])), 0, 255).astype(np.uint8)


def things(view: View, generator: np.random.Generator) -> list[Thing]:
    """Trees, a lamp and an advertising column."""
    fine = View(view.width * FINE, view.height * FINE)
    all_things = [_thing(fine, right, away, partial(_tree, generator, size)) for right, away, size in _TREES]
    all_things.append(_thing(fine, *_POLES[2][:2], _lamp))
    all_things.append(_thing(fine, *_POLES[3][:2], _column))
    return [thing for thing in all_things if thing.sprite.pixels.size]


Painter = Callable[[Image, View, float, float], None]


def _thing(fine: View, right: float, away: float, painter: Painter) -> Thing:
    """Paint a thing on a transparent image and crop the part that is not empty."""
    canvas = np.zeros((fine.height, fine.width, 4), np.uint8)
    painter(canvas, fine, right, away)
    small = shrink(canvas)
    left, top, width, height = cv2.boundingRect(small[..., 3])
    return Thing(right, away, Sprite(small[top : top + height, left : left + width].copy(), left, top))


def _round_bar(
    canvas: Image, view: View, right: float, away: float, span: tuple[float, float], radius: float, colour: Colour
) -> None:
    """Upright cylinder lit from the left, between two heights in metres."""
    for k, light in enumerate((0.72, 0.95, 1.12, 1.0, 0.86, 0.72, 0.6)):
        x0, x1 = right + radius * (2 * k / 7 - 1), right + radius * (2 * (k + 1) / 7 - 1)
        corners = [[x0, away, span[1]], [x1, away, span[1]], [x1, away, span[0]], [x0, away, span[0]]]
        polygon(canvas, view.project(np.array(corners)), (*tint(colour, light), 255))


def _oval(
    canvas: Image, view: View, place: tuple[float, float, float], size: tuple[float, float], colour: Colour
) -> None:
    """Flat ellipse around a point in metres, half axes in metres."""
    centre, scale = view.project(np.array(place)), view.scale(place[1])
    axes = (max(round(size[0] * scale), 1), max(round(size[1] * scale), 1))
    cv2.ellipse(canvas, (round(centre[0]), round(centre[1])), axes, 0, 0, 360, (*colour, 255), -1, cv2.LINE_AA)


def _tree(generator: np.random.Generator, size: float, canvas: Image, view: View, right: float, away: float) -> None:
    _oval(canvas, view, (right, away, 0.0), (0.62, 0.62 * EYE / away), (92, 74, 58))
    _round_bar(canvas, view, right, away, (0.0, 3.6), 0.17, (104, 84, 66))
    for depth, (x, up) in enumerate(_inside(generator, 1500) * size):
        light = 0.5 + 0.45 * depth / 1500 + 0.22 * (up - x) / size + generator.normal(0, 0.08)
        green: Colour = tint((102, 128, 62), float(np.clip(light, 0.3, 1.4)))
        leaf = generator.uniform(0.04, 0.12)
        _oval(canvas, view, (right + x, away, 4.2 + 0.75 * up), (leaf, leaf * 0.8), green)


def _inside(generator: np.random.Generator, count: int) -> Float:
    """Points [count 2] of a ragged disc of radius 1."""
    angle = generator.uniform(0, 2 * np.pi, count)
    reach = 0.86 + 0.14 * np.sin(5 * angle + 1) * np.cos(3 * angle)
    radius = reach * generator.uniform(0, 1, count) ** 0.45
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _lamp(canvas: Image, view: View, right: float, away: float) -> None:
    iron: Colour = (58, 66, 64)
    _round_bar(canvas, view, right, away, (0.0, 0.5), 0.13, iron)
    _round_bar(canvas, view, right, away, (0.45, 4.1), 0.06, iron)
    _round_bar(canvas, view, right, away, (4.1, 4.65), 0.19, (236, 226, 190))
    _round_bar(canvas, view, right, away, (4.65, 4.75), 0.27, iron)
    _round_bar(canvas, view, right, away, (4.03, 4.12), 0.24, iron)


def _column(canvas: Image, view: View, right: float, away: float) -> None:
    radius = 0.62
    _oval(canvas, view, (right, away, 0.0), (radius, radius * EYE / away), (70, 74, 72))
    _round_bar(canvas, view, right, away, (0.0, 3.0), radius, (206, 196, 172))
    _round_bar(canvas, view, right, away, (0.0, 0.35), radius, (86, 92, 88))
    posters: tuple[Colour, ...] = ((196, 74, 52), (60, 112, 140), (222, 176, 70), (90, 130, 96))
    for k, colour in enumerate(posters):
        x = right - 0.52 + 0.5 * (k % 2)
        low = 0.55 + 1.15 * (k // 2)
        for inset, shade in ((0.0, colour), (0.1, tint(colour, 1.25)), (0.2, tint(colour, 0.7))):
            span = (low + inset, low + 1.0 - 2 * inset)
            _round_bar(canvas, view, x + 0.24, away, span, 0.21 - 0.6 * inset, shade)
    _round_bar(canvas, view, right, away, (2.95, 3.15), radius + 0.1, (74, 96, 88))
    _oval(canvas, view, (right, away, 3.15), (0.5, 0.28), (84, 108, 100))


def _bollard(canvas: Image, view: View, right: float, away: float) -> None:
    _round_bar(canvas, view, right, away, (0.0, 0.85), 0.09, (84, 84, 88))
    _oval(canvas, view, (right, away, 0.85), (0.11, 0.08), (120, 120, 122))
