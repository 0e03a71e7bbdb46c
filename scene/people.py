"""People of the demonstration scene: outfits, poses and skeletons."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from flatsort.scene.canvas import Colour
from flatsort.tracker.types import Float

SKIN: tuple[Colour, ...] = ((236, 194, 166), (214, 164, 130), (172, 118, 84), (122, 80, 56), (92, 62, 46))
HAIR: tuple[Colour, ...] = ((44, 34, 30), (88, 58, 36), (150, 104, 58), (196, 158, 96), (132, 128, 124), (122, 56, 34))
TOPS: tuple[Colour, ...] = (
    (190, 52, 48),
    (44, 84, 150),
    (226, 216, 200),
    (226, 172, 50),
    (48, 116, 88),
    (52, 54, 64),
    (208, 112, 62),
    (112, 72, 128),
    (120, 170, 196),
    (150, 44, 72),
    (128, 132, 84),
    (232, 148, 158),
)
BOTTOMS: tuple[Colour, ...] = (
    (52, 62, 92),
    (44, 44, 50),
    (150, 132, 104),
    (92, 104, 132),
    (96, 74, 60),
    (190, 184, 172),
)
SHOES: tuple[Colour, ...] = ((60, 44, 36), (36, 36, 40), (226, 222, 214), (150, 60, 48))
CYCLE = 0.78
"""Metres of a full cycle of the gait, two steps, in body heights."""


@dataclass(frozen=True)
class Outfit:
    """What a person wears.

    Attributes
    ----------
    height : float
        Metres.
    build : float
        Width of trunk and limbs, 1 is ordinary.
    top2 : Colour
        Second colour of the top: stripes, or the shirt under an open jacket.
    pattern : str
        plain, stripes, block or jacket.
    legs : str
        trousers, shorts, skirt or coat.
    extras : frozenset of str
        Any of long_hair, hat, backpack, handbag, short_sleeves.
    """

    height: float
    build: float
    skin: Colour
    hair: Colour
    top: Colour
    top2: Colour
    bottom: Colour
    shoes: Colour
    bag: Colour
    pattern: str
    legs: str
    extras: frozenset[str]


@dataclass(frozen=True)
class Pose:
    """Position and posture of a person.

    Attributes
    ----------
    right, away : float
        Position on the ground in metres.
    heading : float
        Radians: 0 to the right, π/2 away from the camera.
    phase : float
        Phase of the gait in radians; 2π are two steps.
    stride : float
        0: standing, 1: walking.
    """

    right: float
    away: float
    heading: float
    phase: float
    stride: float


def dress(number: int, generator: np.random.Generator) -> Outfit:
    """Random outfit of the person with this number; neighbouring numbers get tops of different colours."""

    def pick(colours: tuple[Colour, ...]) -> Colour:
        return colours[int(generator.integers(len(colours)))]

    legs = str(generator.choice(["trousers", "shorts", "skirt", "coat"], p=[0.55, 0.13, 0.17, 0.15]))
    pattern = str(generator.choice(["plain", "stripes", "block", "jacket"], p=[0.4, 0.25, 0.15, 0.2]))
    chances = {"long_hair": 0.4, "hat": 0.2, "backpack": 0.28, "handbag": 0.25, "short_sleeves": 0.35}
    extras = {name for name, chance in chances.items() if generator.random() < chance}
    return Outfit(
        height=float(generator.uniform(1.58, 1.9)),
        build=float(generator.uniform(0.95, 1.22)),
        skin=pick(SKIN),
        hair=pick(HAIR),
        top=TOPS[number * 5 % len(TOPS)],
        top2=TOPS[(number * 5 + 2 + int(generator.integers(4))) % len(TOPS)],
        bottom=pick(BOTTOMS),
        shoes=pick(SHOES),
        bag=TOPS[int(generator.integers(len(TOPS)))],
        pattern=pattern,
        legs=legs,
        extras=frozenset(extras - {"short_sleeves"} if legs == "coat" else extras),
    )


def skeleton(outfit: Outfit, pose: Pose) -> Float:
    """Joints [17 3] in metres (right, away, up).

    Order: pelvis, neck, head, then for the left and the right side hip, knee, ankle, toe, shoulder, elbow, hand.
    """
    stride, build = pose.stride, outfit.build
    joints = [(0.0, 0.0, 0.0), (0.02 * stride, 0.0, 0.31), (0.035 * stride, 0.0, 0.415)]
    for side in (-1.0, 1.0):
        phase = pose.phase + (0.0 if side < 0 else pi)
        thigh = 0.44 * stride * sin(phase) + 0.02
        shank = thigh - 0.05 - stride * (0.95 * max(cos(phase), 0.0) ** 1.5 + 0.08)
        tilt = 0.5 * (thigh + shank) - 0.12
        knee = (0.25 * sin(thigh), -0.25 * cos(thigh))
        ankle = (knee[0] + 0.24 * sin(shank), knee[1] - 0.24 * cos(shank))
        toe = (ankle[0] + 0.105 * cos(tilt), ankle[1] + 0.105 * (sin(tilt) - 0.1))
        joints += [(0.0, 0.05 * side, 0.0), (knee[0], 0.05 * side, knee[1])]
        joints += [(ankle[0], 0.05 * side, ankle[1]), (toe[0], 0.063 * side, toe[1])]
        swing = 0.03 - 0.5 * stride * sin(phase)
        bend = swing + 0.22 + 0.3 * stride
        elbow = (0.02 * stride + 0.155 * sin(swing), 0.272 - 0.155 * cos(swing))
        wide = 0.098 * build * side
        joints += [(0.02 * stride, wide, 0.272), (elbow[0], wide + 0.022 * side, elbow[1])]
        joints.append((elbow[0] + 0.15 * sin(bend), wide + 0.025 * side, elbow[1] - 0.15 * cos(bend)))
    ground = min(joints[5][2], joints[12][2]) - 0.035
    ahead, aside = outfit.height * cos(pose.heading), outfit.height * sin(pose.heading)
    return np.array(
        [
            (pose.right + f * ahead + s * aside, pose.away + f * aside - s * ahead, outfit.height * (u - ground))
            for f, s, u in joints
        ]
    )
