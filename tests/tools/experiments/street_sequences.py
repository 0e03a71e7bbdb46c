"""Sequences with images, from the rendered street."""

from __future__ import annotations

from pathlib import Path

import cv2

from flatsort.scene import Scene, SceneConfig, write_sequence


def scene(seed: int = 0, frames: int = 30) -> Scene:
    return Scene(SceneConfig(frames=frames, people=4, width=256, height=144, seed=seed))


def write(folder: Path, seed: int = 0, *, images: int | None = 0) -> Path:
    """A sequence folder; ``images``: number of frames with an image, None for a video."""
    street = scene(seed)
    write_sequence(street, folder)
    if images is None:
        writer = cv2.VideoWriter(str(folder / "street.avi"), cv2.VideoWriter.fourcc(*"MJPG"), street.fps, street.size)
        for frame in street:
            assert frame.image is not None
            writer.write(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
        writer.release()
    elif images:
        (folder / "img1").mkdir()
        for frame in street:
            if frame.index <= images:
                assert frame.image is not None
                bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
                assert cv2.imwrite(str(folder / "img1" / f"{frame.index:06d}.png"), bgr)
    return folder
