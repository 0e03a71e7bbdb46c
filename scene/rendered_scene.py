"""The demonstration scene as a frame source whose ground truth is known, and as a MOTChallenge sequence on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from flatsort.scene.canvas import Sprite, View
from flatsort.scene.figures import Figure, cast_shadow, draw
from flatsort.scene.people import Outfit, dress
from flatsort.scene.simulated_detector import SceneConfig, SceneGroundTruth, detect
from flatsort.scene.street import Thing, background, things
from flatsort.scene.walks import Walk, walks
from flatsort.tracker.boxes import xyxy_to_xywh
from flatsort.tracker.files import replacing, write_text
from flatsort.tracker.io.mot import format_rows
from flatsort.tracker.types import Detections, Float, Frame, Image, Tracks

_SMALLEST = 0.15
"""Share of a person that must be inside the image to be part of the ground truth."""


@dataclass(frozen=True)
class Scene:
    """A sunny square with people, drawn frame by frame; a `FrameSource`.

    The same config gives the same bytes; frames may be drawn in any order.
    """

    config: SceneConfig = field(default_factory=SceneConfig)
    name: str = "demo"

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.config.fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.config.width, self.config.height

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.config.frames

    def __iter__(self) -> Iterator[Frame]:
        for index in range(1, self.length + 1):
            yield Frame(index, self.image(index), (index - 1) / self.fps)

    def image(self, index: int) -> Image:
        """Image of a frame, RGB uint8 [h w 3].

        Parameters
        ----------
        index : int
            1 to ``length``.

        Raises
        ------
        IndexError
            If there is no such frame.
        """
        if not 1 <= index <= self.length:
            raise IndexError(f"scene: expected a frame from 1 to {self.length}, got {index}")
        canvas = self._shaded(index)
        for _, _, sprite in self._ordered(index, hard=False):
            sprite.paint(canvas)
        generator = np.random.default_rng([self.config.seed, 3, index])
        gain = 1.0 + self.config.flicker * generator.standard_normal()
        if self.config.noise > 0:
            y, x = generator.integers(0, 64, 2).tolist()
            grain = self._grain[y : y + canvas.shape[0], x : x + canvas.shape[1]]
            return cv2.addWeighted(canvas, gain, grain, 1.0, -128.0).astype(np.uint8, copy=False)
        return cv2.convertScaleAbs(canvas, alpha=gain).astype(np.uint8, copy=False)

    def ground_truth(self) -> SceneGroundTruth:
        """Box and visibility of every person in every frame."""
        return self._ground_truth

    def detections(self, seed: int = 0) -> dict[int, Detections]:
        """Frame → simulated detections: noisy boxes, misses, false alarms.

        Parameters
        ----------
        seed : int
            Seed of the detector's errors.
        """
        generator = np.random.default_rng([self.config.seed, 4, seed])
        return detect(self.ground_truth(), self.config, generator)

    @cached_property
    def _view(self) -> View:
        return View(self.config.width, self.config.height)

    @cached_property
    def _background(self) -> Image:
        return background(self._view, np.random.default_rng([self.config.seed, 0]))

    @cached_property
    def _things(self) -> list[Thing]:
        return things(self._view, np.random.default_rng([self.config.seed, 1]))

    @cached_property
    def _people(self) -> list[tuple[Outfit, Walk]]:
        config = self.config
        posts = [(thing.right, thing.away) for thing in self._things]
        ways = walks(config.people, config.frames, config.fps, self._view, posts, (config.seed, 2))
        return [(dress(k, np.random.default_rng([config.seed, 5, k])), way) for k, way in enumerate(ways)]

    @cached_property
    def _visible(self) -> list[list[int]]:
        """Numbers of the people who may be in the image, for each frame."""
        visible = [way.visible(self._view) for _, way in self._people]
        return [[k for k, rows in enumerate(visible) if rows[row]] for row in range(self.length)]

    @cached_property
    def _grain(self) -> Image:
        generator = np.random.default_rng([self.config.seed, 6])
        size = (self.config.height + 64, self.config.width + 64, 3)
        grain = generator.normal(128.0, self.config.noise, size)
        return np.clip(np.round(grain), 0, 255).astype(np.uint8)

    def _figures(self, index: int) -> list[tuple[int, float, Figure]]:
        """Number, distance from the camera and figure of every person in a frame."""
        figures = []
        for number in self._visible[index - 1]:
            outfit, way = self._people[number]
            pose = way.pose(index - 1)
            figures.append((number, pose.away, draw(outfit, pose, self._view)))
        return figures

    def _shaded(self, index: int) -> Image:
        """Draw the background with the people's shadows."""
        mask = np.zeros(self._background.shape[:2], np.uint8)
        for number in self._visible[index - 1]:
            outfit, way = self._people[number]
            cast_shadow(mask, outfit, way.pose(index - 1), self._view)
        mask[: int(self._view.project(np.array([0.0, 30.0, 0.0]))[1])] = 0
        soft = cv2.GaussianBlur(mask, (0, 0), self.config.height / 360)
        keep = cv2.convertScaleAbs(soft, alpha=-self.config.shadow, beta=255.0)
        return cv2.multiply(self._background, cv2.cvtColor(keep, cv2.COLOR_GRAY2RGB), scale=1 / 255).astype(
            np.uint8, copy=False
        )

    def _ordered(self, index: int, *, hard: bool) -> list[tuple[int, Figure | None, Sprite]]:
        """People and things, farthest first: number + 1 and figure of a person (0 and None for a thing), sprite."""
        layers: list[tuple[float, int, Figure | None, Sprite]] = [(t.away, 0, None, t.sprite) for t in self._things]
        for number, away, figure in self._figures(index):
            layers.append((away, number + 1, figure, figure.silhouette() if hard else figure.sprite()))
        layers.sort(key=lambda item: -item[0])
        return [(identity, figure, sprite) for _, identity, figure, sprite in layers]

    @cached_property
    def _ground_truth(self) -> SceneGroundTruth:
        width, height = self.size
        rows: list[tuple[int, int, float]] = []
        boxes: list[Float] = []
        for index in range(1, self.length + 1):
            labels = np.zeros((height, width), np.uint8)
            area = np.zeros(256)
            inside = np.zeros(256)
            present: dict[int, Float] = {}
            for identity, figure, sprite in self._ordered(index, hard=True):
                ys, xs, covered = sprite.covers(width, height)
                labels[ys, xs][covered] = identity
                if figure is not None:
                    area[identity] = np.count_nonzero(sprite.pixels[..., 3])
                    inside[identity] = np.count_nonzero(covered)
                    present[identity] = np.clip(figure.box, 0, [width, height, width, height])
            shown = np.bincount(labels.ravel(), minlength=256) / np.maximum(area, 1)
            for identity in sorted(present):
                if inside[identity] >= _SMALLEST * area[identity]:
                    rows.append((index, identity, float(shown[identity])))
                    boxes.append(present[identity])
        table = np.array(rows).reshape(-1, 3)
        frames, ids = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
        return SceneGroundTruth(frames, ids, np.array(boxes).reshape(-1, 4), table[:, 2].copy())


def write_images(frames: Iterable[Frame], folder: Path) -> None:
    """Write the images of a MOTChallenge sequence; images of an earlier one are replaced or deleted."""
    last = 0
    for frame in frames:
        assert frame.image is not None
        data = cv2.imencode(".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))[1].tobytes()
        with replacing(folder / "img1" / f"{frame.index:06d}.jpg") as temporary:
            temporary.write_bytes(data)
        last = frame.index
    for path in (folder / "img1").glob("[0-9]*.jpg"):
        if path.stem.isdecimal() and int(path.stem) > last:  # of an earlier, longer scene
            path.unlink()


def write_sequence(scene: Scene, folder: Path) -> None:
    """Write ground truth and detections of the scene as a MOTChallenge sequence, without images."""
    ground_truth = scene.ground_truth()
    rows = zip(
        ground_truth.frames.tolist(),
        ground_truth.ids.tolist(),
        xyxy_to_xywh(ground_truth.boxes).tolist(),
        ground_truth.visibility,
        strict=True,
    )
    gt = "".join(f"{f},{i},{x:.3f},{y:.3f},{w:.3f},{h:.3f},1,1,{v:.3f}\n" for f, i, (x, y, w, h), v in rows)
    det = ""
    for frame, detections in scene.detections(scene.config.seed).items():
        none = np.full(len(detections), -1)
        det += format_rows(frame, Tracks(none, detections.boxes, detections.scores, none, none))
    width, height = scene.size
    info = {
        "name": "demo",
        "imDir": "img1",
        "frameRate": f"{scene.fps:g}",
        "seqLength": scene.length,
        "imWidth": width,
        "imHeight": height,
        "imExt": ".jpg",
    }
    write_text(folder / "gt" / "gt.txt", gt)
    write_text(folder / "det" / "det.txt", det)
    write_text(folder / "seqinfo.ini", "[Sequence]\n" + "".join(f"{k}={v}\n" for k, v in info.items()))
