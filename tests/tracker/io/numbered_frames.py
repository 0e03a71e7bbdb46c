"""Tiny videos and image folders whose frames have their number as grey value."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from flatsort.tracker.protocols import FrameSource
from flatsort.tracker.types import Image

SIZE = (64, 48)


def level(index: int) -> int:
    """Grey of frame ``index``, distinguishable even after lossy compression."""
    return 10 * index


def numbered_image(index: int) -> Image:
    return np.full((SIZE[1], SIZE[0], 3), level(index), np.uint8)


def write_video(path: Path, frames: int = 12, fps: float = 10.0, codec: str = "MJPG") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, SIZE)
    assert writer.isOpened()
    for index in range(1, frames + 1):
        writer.write(numbered_image(index))
    writer.release()
    return path


def write_images(folder: Path, names: dict[str, int]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, index in names.items():
        assert cv2.imwrite(str(folder / name), numbered_image(index))
    return folder


def write_seqinfo(folder: Path, length: int = 5, fps: float = 25.0, images: str = "img1") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["[Sequence]", "name=Street", f"imDir={images}", f"frameRate={fps}", f"seqLength={length}"]
    (folder / "seqinfo.ini").write_text("\n".join([*lines, "imWidth=64", "imHeight=48", "imExt=.jpg"]))
    return folder


def greys(source: FrameSource) -> list[int | None]:
    """Number of the image in each frame, as `numbered_image` made it."""
    return [None if f.image is None else round(float(f.image.mean()) / 10) for f in source]
