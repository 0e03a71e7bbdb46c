"""A parametric walker: five human motions as cycles of joint angles.

It stands in for motion capture, with what matters there: closed curves of poses in many dimensions, similar motions
(walking and jogging) beside different ones, and people who differ in speed, amplitude and posture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flatsort.embedding.data.builtin import DATA_SETS, SEEDED, DataSetConfig, DrawVector
from flatsort.embedding.data.builtin.shapes import draw_strokes
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.tracker.types import Float, Image

JOINTS = (
    *("pelvis pitch", "pelvis roll", "pelvis yaw", "spine pitch", "spine roll", "spine twist", "neck pitch"),
    *("left shoulder flexion", "left shoulder abduction", "left elbow flexion"),
    *("right shoulder flexion", "right shoulder abduction", "right elbow flexion"),
    *("left hip flexion", "left hip abduction", "left knee flexion", "left ankle flexion"),
    *("right hip flexion", "right hip abduction", "right knee flexion", "right ankle flexion"),
)
"""The angles of a pose in order, radians; all are 0 for a person who stands upright with hanging arms."""

MOTIONS = ("walking", "balancing", "jogging", "punching", "kicking")
FRAMES = 50
"""Poses of one performance."""

Pose = dict[str, Float]


def walker(n: int, seed: int) -> SampleSet:
    """Poses of five motions, each performed by several people.

    A performance is `FRAMES` successive poses of one person, with a speed, an amplitude, a starting phase and small
    offsets of every joint of its own.

    Parameters
    ----------
    n : int
        Poses, shared evenly by the motions.
    seed : int
        Two calls with the same arguments give the same poses.

    Returns
    -------
    SampleSet
        float32 [n 21], radians, joints as in `JOINTS`. ``sequence`` is the motion, ``identity`` the performance,
        ``frame`` counts poses within the motion.

    Raises
    ------
    ValueError
        If n < 1.
    """
    if n < 1:
        raise ValueError(f"walker: expected n ≥ 1, got {n}")
    random = np.random.default_rng([seed, len(JOINTS)])
    motion = np.arange(n) * len(MOTIONS) // n
    frame = np.arange(n) - np.searchsorted(motion, motion)
    samples = np.empty((n, len(JOINTS)), np.float32)
    identity = np.empty(n, np.int64)
    for i, name in enumerate(MOTIONS):
        for first in range(0, int((motion == i).sum()), FRAMES):
            rows = (motion == i) & (frame // FRAMES == first // FRAMES)
            samples[rows] = _perform(name, frame[rows] - first, random)
            identity[rows] = first // FRAMES * len(MOTIONS) + i
    columns = {"sequence": motion.astype(np.int64), "frame": frame.astype(np.int64), "identity": identity}
    return SampleSet(samples, columns, MOTIONS, WalkerConfig.note(n, seed))


def draw_pose(angles: Float, height: int = 96, width: int = 64) -> Image:
    """Image of a pose [21] as a stick figure, seen from ahead and to the side, uint8 [height width 3], RGB.

    The left arm and leg are grey, to differ from the right ones.

    Raises
    ------
    ValueError
        If there are not as many angles as `JOINTS`.
    """
    if np.shape(angles) != (len(JOINTS),):
        raise ValueError(f"pose: expected {len(JOINTS)} joint angles, got {list(np.shape(angles))}")
    bones = _skeleton(np.asarray(angles, np.float64))
    scale = 0.44 * height
    image = np.ones((height, width, 3))
    for side, thickness, colour in (
        ("left", 0.014, 0.62),
        ("trunk", 0.014, 0.15),
        ("head", 0.05, 0.15),
        ("right", 0.014, 0),
    ):
        flat = np.stack([_project(bone) for name, bone in bones if name == side])
        flat = flat * [scale, -scale] + [0.5 * width, 0.53 * height]
        ink = draw_strokes(flat[None, :, 0], flat[None, :, 1], thickness * height, height, width)[0]
        image = image * (1 - ink[..., None]) + colour * ink[..., None]
    return np.rint(image * 255).astype(np.uint8)


@dataclass(frozen=True)
class WalkerConfig(DataSetConfig):
    """Poses of a walker."""

    subject: ClassVar[str] = "poses of a parametric walker"
    draw: ClassVar[DrawVector | None] = staticmethod(draw_pose)


@DATA_SETS.register("walker", WalkerConfig, tags=(SEEDED,))
def _walker(config: WalkerConfig) -> SampleSet:
    return walker(config.samples, config.seed)


def _perform(motion: str, frame: Float, random: np.random.Generator) -> Float:
    speed = random.uniform(0.8, 1.25) * 2 * np.pi / FRAMES * 2
    phase = frame * speed + random.uniform(0, 2 * np.pi)
    amplitude = random.uniform(0.85, 1.15)
    offsets = random.normal(0, 0.04, len(JOINTS))
    pose = _MOTIONS[motion](phase, amplitude)
    angles = np.stack([np.broadcast_to(pose.get(joint, 0.0), phase.shape) for joint in JOINTS], axis=1)
    return np.asarray(angles + offsets + random.normal(0, 0.01, angles.shape))


def _pulse(phase: Float, sharpness: float = 3.0) -> Float:
    """A smooth bump in 0..1 once a cycle, at phase 0."""
    return np.exp(sharpness * (np.cos(phase) - 1))


def _gait(p: Float, stride: float, lift: float, arms: float, elbow: float, lean: float) -> Pose:
    """Legs in antiphase, arms against them; the knee bends while the leg swings forwards."""
    pose = {
        "pelvis pitch": lean + 0.03 * np.cos(2 * p),
        "pelvis roll": 0.06 * np.cos(p),
        "pelvis yaw": 0.12 * np.sin(p),
        "spine pitch": 0.5 * lean - 0.03 * np.cos(2 * p),
        "spine twist": -0.18 * np.sin(p),
        "neck pitch": np.full_like(p, -lean),
    }
    for side, q in (("left", p), ("right", p + np.pi)):
        pose[f"{side} hip flexion"] = 0.3 * stride + stride * np.sin(q)
        pose[f"{side} knee flexion"] = 0.15 + lift * _pulse(q + 0.4, 1.5)
        pose[f"{side} ankle flexion"] = 0.3 * stride * np.sin(q + 1.9)
        pose[f"{side} shoulder flexion"] = -arms * np.sin(q)
        pose[f"{side} shoulder abduction"] = np.full_like(p, 0.12)
        pose[f"{side} elbow flexion"] = elbow - 0.25 * arms * np.sin(q)
    return pose


def _walking(p: Float, a: float) -> Pose:
    return _gait(p, stride=0.42 * a, lift=0.85 * a, arms=0.4 * a, elbow=0.25, lean=0.04)


def _jogging(p: Float, a: float) -> Pose:
    return _gait(p, stride=0.7 * a, lift=1.6 * a, arms=0.65 * a, elbow=1.45, lean=0.2)


def _balancing(p: Float, a: float) -> Pose:
    """On the right leg, arms spread: they sway against the trunk."""
    sway = a * np.sin(p)
    return {
        "pelvis roll": 0.14 * sway,
        "spine roll": -0.22 * sway,
        "spine pitch": 0.1 * a * np.cos(p),
        "left shoulder abduction": 1.35 + 0.4 * sway,
        "right shoulder abduction": 1.35 - 0.4 * sway,
        "left elbow flexion": 0.15 + 0.1 * a * np.cos(p),
        "right elbow flexion": 0.15 - 0.1 * a * np.cos(p),
        "left hip flexion": 0.95 + 0.12 * a * np.cos(p),
        "left hip abduction": 0.25 + 0.1 * sway,
        "left knee flexion": 1.5 + 0.15 * a * np.cos(p),
        "right hip abduction": -0.1 * sway,
        "right ankle flexion": 0.08 * a * np.cos(p),
    }


def _punching(p: Float, a: float) -> Pose:
    """Both fists up; right and left strike in turn, and the trunk turns with them."""
    right, left = a * _pulse(p, 4.0), a * _pulse(p - np.pi, 4.0)
    pose = {
        "pelvis yaw": 0.3 * (right - left),
        "spine twist": 0.55 * (right - left),
        "spine pitch": 0.12 + 0.12 * (right + left),
        "left hip flexion": np.full_like(p, 0.35),
        "right hip flexion": np.full_like(p, -0.15),
        "left knee flexion": 0.45 + 0.1 * left,
        "right knee flexion": 0.35 + 0.1 * right,
    }
    for side, strike in (("left", left), ("right", right)):
        pose[f"{side} shoulder flexion"] = 0.65 + 0.9 * strike
        pose[f"{side} shoulder abduction"] = 0.2 - 0.1 * strike
        pose[f"{side} elbow flexion"] = 2.1 - 1.85 * strike
    return pose


def _kicking(p: Float, a: float) -> Pose:
    """The right leg swings back, then up with the knee stretching; arms and trunk answer."""
    kick, wind = a * _pulse(p, 3.0), a * _pulse(p + 1.6, 3.0)
    return {
        "pelvis pitch": -0.25 * kick + 0.1 * wind,
        "spine pitch": 0.1 - 0.2 * kick + 0.15 * wind,
        "spine twist": 0.3 * kick - 0.2 * wind,
        "left shoulder flexion": 0.3 + 0.7 * kick - 0.2 * wind,
        "right shoulder flexion": 0.2 - 0.7 * kick + 0.3 * wind,
        "left shoulder abduction": 0.35 + 0.2 * kick,
        "right shoulder abduction": 0.35 + 0.3 * kick,
        "left elbow flexion": np.full_like(p, 0.9),
        "right elbow flexion": np.full_like(p, 0.8),
        "left hip flexion": 0.1 - 0.15 * kick,
        "left knee flexion": 0.2 + 0.15 * kick,
        "right hip flexion": 1.55 * kick - 0.5 * wind,
        "right knee flexion": 0.2 + 1.2 * wind + 0.4 * _pulse(p + 0.8, 6.0) - 0.1 * kick,
        "right ankle flexion": -0.4 * kick,
    }


_MOTIONS: dict[str, Callable[[Float, float], Pose]] = {
    "walking": _walking,
    "balancing": _balancing,
    "jogging": _jogging,
    "punching": _punching,
    "kicking": _kicking,
}


def _skeleton(angles: Float) -> list[tuple[str, Float]]:
    """Bones [2 3] with their side: x ahead, y to the left, z up, in units of a leg's length, the pelvis at 0."""
    pose = dict(zip(JOINTS, angles.tolist(), strict=True))
    pelvis = _turn("z", pose["pelvis yaw"]) @ _turn("y", pose["pelvis pitch"]) @ _turn("x", pose["pelvis roll"])
    spine = pelvis @ _turn("z", pose["spine twist"]) @ _turn("y", pose["spine pitch"]) @ _turn("x", pose["spine roll"])
    chest = spine @ [0, 0, 0.55]
    crown = chest + spine @ _turn("y", pose["neck pitch"]) @ [0, 0, 0.28]
    bones = [("trunk", np.stack([np.zeros(3), chest])), ("head", np.stack([crown, crown]))]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hip, shoulder = pelvis @ [0, 0.1 * sign, 0], chest + spine @ [0, 0.19 * sign, -0.04]
        # flexion brings a limb ahead, abduction away from the body
        thigh = pelvis @ _turn("x", sign * pose[f"{side} hip abduction"]) @ _turn("y", -pose[f"{side} hip flexion"])
        shin = thigh @ _turn("y", pose[f"{side} knee flexion"])
        foot = shin @ _turn("y", -pose[f"{side} ankle flexion"])
        arm = spine @ _turn("x", sign * pose[f"{side} shoulder abduction"])
        arm = arm @ _turn("y", -pose[f"{side} shoulder flexion"])
        forearm = arm @ _turn("y", -pose[f"{side} elbow flexion"])
        chains = (
            (hip, (thigh, [0, 0, -0.46]), (shin, [0, 0, -0.46]), (foot, [0.17, 0, 0])),
            (shoulder, (arm, [0, 0, -0.32]), (forearm, [0, 0, -0.32])),
        )
        for origin, *links in chains:
            bones.append(("trunk", np.stack([np.zeros(3) if origin is hip else chest, origin])))
            for turn, bone in links:
                bones.append((side, np.stack([origin, origin + turn @ bone])))
                origin = bones[-1][1][1]
    return bones


def _turn(axis: str, angle: float) -> Float:
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[i, i] = turn[j, j] = np.cos(angle)
    turn[j, i], turn[i, j] = np.sin(angle), -np.sin(angle)
    return turn


def _project(bone: Float) -> Float:
    """Bone [2 3] as seen 35 degrees from the side, [2 2], y up."""
    x, y, z = bone.T
    return np.stack([np.cos(0.6) * x - np.sin(0.6) * y, z], axis=1)
