"""Pictures and films."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from flatsort.tracker.io.video import open_source
from tests.fuzz.readers import Prepare, Target

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
DEEP = (PICTURE[..., 0].astype(np.uint16) << 4) + 7
FRAMES = 8
FILMS = {"mp4": "libx264", "avi": "mjpeg", "mkv": "libx264", "webm": "libvpx", "mov": "mpeg4"}


def _pictures(folder: Path) -> Target:
    path = folder / "img" / "000002.png"  # what a picture is, its content says
    path.parent.mkdir()
    sound = cv2.imencode(".png", PICTURE)[1].tobytes()
    (path.parent / "000001.png").write_bytes(sound)
    seeds = [cv2.imencode(end, PICTURE)[1].tobytes() for end in (".png", ".jpg", ".bmp", ".webp", ".ppm", ".tif")]
    seeds += [cv2.imencode(end, DEEP)[1].tobytes() for end in (".png", ".tif", ".pgm")]

    def read() -> None:
        frames = list(open_source(str(path.parent)))
        assert len(frames) == 2
        assert all(frame.image is None or frame.image.dtype == np.uint8 for frame in frames)

    return Target(path, seeds, "bytes", read, named="img")


def _film(path: Path, codec: str) -> bytes:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.width, stream.height = 32, 16
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(FRAMES):
            pixels = np.full((16, 32, 3), 20 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def _films(end: str) -> Prepare:
    def prepare(folder: Path) -> Target:
        path = folder / f"film.{end}"
        seeds = (_film(path, FILMS[end]),)

        def read() -> None:
            for frame in islice(open_source(str(path)), 20 * FRAMES):
                assert frame.image is None or frame.image.ndim == 3
                assert np.isfinite(frame.time)

        return Target(path, seeds, "bytes", read)

    return prepare


READERS: dict[str, Prepare] = {"pictures": _pictures, **{f"film-{end}": _films(end) for end in FILMS}}
