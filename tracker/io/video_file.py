"""Video files: their frames at the times that the container gives."""

from __future__ import annotations

import math
from collections.abc import Generator
from itertools import count

import cv2

from flatsort.tracker.images import rgb
from flatsort.tracker.io.addresses import shown
from flatsort.tracker.io.file_source import FPS, FileSource, TimedImage

VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}


def open_video(
    path: str, name: str, images: bool, fps: float | None, known: int | None, length: int | None
) -> FileSource:
    """Frames of a video; the number of frames is ``known``, or that of the header, or ``length``."""
    capture = _capture(path)
    try:
        rate, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        first = capture.read()[1] if images else None
    finally:
        capture.release()
    own = rate if 0 < rate < 1000 else FPS
    total = known or (int(frames) if 0 < frames < 1e9 else length)
    if not images:
        if total is None:
            raise ValueError(f"{shown(path)}: expected a header with the number of frames, got {frames:g}")
        return FileSource(name, fps or own, None, total)
    if first is None:
        raise ValueError(f"{shown(path)}: expected a video, but its first frame cannot be decoded")
    nominal = fps or own
    return FileSource(
        name, nominal, (first.shape[1], first.shape[0]), total, lambda: _read_video(path, nominal, own / nominal)
    )


def _read_video(path: str, fps: float, pace: float) -> Generator[TimedImage]:
    """Images at the container's timestamps × ``pace``, or 1/``fps`` after the previous one where they do not rise."""
    capture = _capture(path)
    try:
        start = time = 0.0
        for number in count():
            if not capture.grab():
                return
            ok, image = capture.retrieve()
            stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
            if number == 0:
                start = stamp if math.isfinite(stamp) else 0.0
            else:
                seconds = (stamp - start) * pace
                time = seconds if time < seconds < math.inf else time + 1.0 / fps
            yield (rgb(image) if ok else None), time
    finally:
        capture.release()


def _capture(path: str) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(path)
    if not capture.isOpened():
        capture.release()
        raise ValueError(f"{shown(path)}: expected a video or an image, got a file that OpenCV cannot open")
    return capture
